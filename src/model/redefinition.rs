//! A change of a definition that leaves all rows unchanged: of a table, an index, a trigger or a constraint.
//!
//! A redefinition has the texts before and after, so that it can be undone. `sql` writes the texts and the statements
//! that install them.

use crate::model::catalog::TableName;
use crate::model::image_match::ImageMatch;

/// A definition as stored in the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Definition {
    /// The name of a [`DefinitionKind`], or another word from the engine's catalog.
    pub kind: String,
    pub name: String,
    /// The table to which the definition belongs, or the defined table itself.
    pub table: String,
    pub text: String,
}

impl Definition {
    /// Returns the parts from which digests are made.
    pub fn parts(&self) -> [&str; 4] {
        [&self.kind, &self.name, &self.table, &self.text]
    }
}

/// A change of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redefinition {
    pub kind: DefinitionKind,
    pub name: String,
    /// The table to which the definition belongs, or the defined table itself.
    pub table: TableName,
    /// The whole text as stored in the database; `None` if the definition is created.
    pub before: Option<String>,
    /// The whole text after the change; `None` if the definition is dropped.
    pub after: Option<String>,
    /// The relations that are no longer declared after the change.
    pub dropped: Vec<String>,
    /// The relations that are newly declared.
    pub declared: Vec<String>,
    /// The columns that become nullable.
    pub nullable: Vec<String>,
    pub rule: String,
    pub treatment: String,
}

/// The kind of object that a definition defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefinitionKind {
    Table,
    Column,
    Constraint,
    Comment,
    Index,
    Trigger,
}

impl DefinitionKind {
    pub const ALL: [DefinitionKind; 6] = [
        DefinitionKind::Table,
        DefinitionKind::Column,
        DefinitionKind::Constraint,
        DefinitionKind::Comment,
        DefinitionKind::Index,
        DefinitionKind::Trigger,
    ];

    pub fn name(self) -> &'static str {
        match self {
            DefinitionKind::Table => "table",
            DefinitionKind::Column => "column",
            DefinitionKind::Constraint => "constraint",
            DefinitionKind::Comment => "comment",
            DefinitionKind::Index => "index",
            DefinitionKind::Trigger => "trigger",
        }
    }
}

impl Redefinition {
    /// Returns a change whose texts are not known yet.
    pub fn new(kind: DefinitionKind, name: &str, table: &TableName, rule: &str, treatment: &str) -> Redefinition {
        Redefinition {
            kind,
            name: name.to_owned(),
            table: table.clone(),
            before: None,
            after: None,
            dropped: Vec::new(),
            declared: Vec::new(),
            nullable: Vec::new(),
            rule: rule.to_owned(),
            treatment: treatment.to_owned(),
        }
    }

    /// Returns the change that undoes this one.
    pub fn inverse(self) -> Redefinition {
        Redefinition { before: self.after, after: self.before, dropped: self.declared, declared: self.dropped, ..self }
    }

    /// True if the change is made after the row changes, because it adds a constraint or creates a trigger. A change that
    /// removes a constraint is made before them.
    pub fn comes_last(&self) -> bool {
        let acts = self.kind == DefinitionKind::Trigger && self.after.is_some();
        self.before.is_none() || !self.declared.is_empty() || acts
    }

    pub fn is_of(&self, definition: &Definition) -> bool {
        self.kind.name() == definition.kind
            && self.name == definition.name
            && self.table.to_string() == definition.table
    }

    /// Compares the stored definition with both texts.
    pub fn compared_with(&self, definitions: &[Definition]) -> ImageMatch {
        let now = definitions.iter().find(|definition| self.is_of(definition)).map(|found| &found.text);
        if now == self.after.as_ref() {
            ImageMatch::After
        } else if now == self.before.as_ref() {
            ImageMatch::Before
        } else {
            ImageMatch::Other
        }
    }

    /// Applies the change to a list of definitions.
    pub fn apply_to(&self, definitions: &mut Vec<Definition>) {
        definitions.retain(|definition| !self.is_of(definition));
        if let Some(text) = &self.after {
            definitions.push(Definition {
                kind: self.kind.name().to_owned(),
                name: self.name.clone(),
                table: self.table.to_string(),
                text: text.clone(),
            });
        }
    }
}

/// Adds a change. Two changes of one definition are merged.
pub fn add(changes: &mut Vec<Redefinition>, change: Redefinition) {
    let same = |known: &&mut Redefinition| {
        known.kind == change.kind && known.name == change.name && known.table == change.table
    };
    let Some(known) = changes.iter_mut().find(same) else {
        changes.push(change);
        return;
    };
    known.after = change.after;
    known.dropped.extend(change.dropped);
    known.declared.extend(change.declared);
    known.nullable.extend(change.nullable);
    for (known, more) in [(&mut known.rule, change.rule), (&mut known.treatment, change.treatment)] {
        if !known.split(", ").any(|part| part == more) {
            known.push_str(&format!(", {more}"));
        }
    }
}

/// Returns all definitions as they were before these changes, sorted. Changes that are already made are undone in the
/// list.
pub fn before(changes: &[Redefinition], definitions: &[Definition]) -> Vec<Definition> {
    let mut all = definitions.to_vec();
    for change in changes.iter().rev().filter(|change| change.compared_with(definitions) == ImageMatch::After) {
        change.clone().inverse().apply_to(&mut all);
    }
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: Option<&str>, after: Option<&str>) -> Redefinition {
        let table = TableName { schema: None, table: "t".to_owned() };
        Redefinition {
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            ..Redefinition::new(DefinitionKind::Index, "i", &table, "r", "enforce")
        }
    }

    fn definition(text: &str) -> Definition {
        let [kind, name, table, text] = ["index", "i", "t", text].map(str::to_owned);
        Definition { kind, name, table, text }
    }

    #[test]
    fn created_definition_is_compared_with_both_texts() {
        let made = change(None, Some("x"));
        assert_eq!(made.compared_with(&[]), ImageMatch::Before);
        assert_eq!(made.compared_with(&[definition("x")]), ImageMatch::After);
        assert_eq!(made.compared_with(&[definition("y")]), ImageMatch::Other);
        assert_eq!(made.clone().inverse().compared_with(&[]), ImageMatch::After);
        assert_eq!(before(std::slice::from_ref(&made), &[definition("x")]), Vec::<Definition>::new());
        assert_eq!(before(&[made], &[definition("y")]), [definition("y")]);
    }

    #[test]
    fn two_changes_of_one_definition_are_merged() {
        let mut changes = Vec::new();
        add(&mut changes, change(Some("x"), Some("y")));
        add(&mut changes, Redefinition { treatment: "relax".to_owned(), ..change(Some("y"), Some("z")) });
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].before.as_deref(), changes[0].after.as_deref()), (Some("x"), Some("z")));
        assert_eq!((changes[0].rule.as_str(), changes[0].treatment.as_str()), ("r", "enforce, relax"));
    }
}
