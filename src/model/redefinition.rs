//! A definition that changes while every row stays where it is: of a table, an index, a trigger or a constraint.
//!
//! Both texts are there, so that it can be taken back, as a row's change can. Leaves out how a text is written and put
//! in its place (`model::sql`).

use crate::model::catalog::TableName;
use crate::model::image_match::ImageMatch;

/// A definition as a database has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Definition {
    /// A [`DefinitionKind`] by its name, or another word of the engine's list.
    pub kind: String,
    pub name: String,
    /// The table that it is of, or that it is.
    pub table: String,
    pub text: String,
}

impl Definition {
    /// All its texts, as digests are taken of them.
    pub fn parts(&self) -> [&str; 4] {
        [&self.kind, &self.name, &self.table, &self.text]
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redefinition {
    pub kind: DefinitionKind,
    pub name: String,
    /// The table that it is of, or that it is.
    pub table: TableName,
    /// The whole text, as the database has it; `None` for what is made.
    pub before: Option<String>,
    /// `None` for what goes.
    pub after: Option<String>,
    /// The relations that are not declared any more.
    pub dropped: Vec<String>,
    /// The relations that are declared then.
    pub declared: Vec<String>,
    /// The columns that may be NULL then.
    pub nullable: Vec<String>,
    pub rule: String,
    pub treatment: String,
}

/// What a definition defines.
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
    /// A change of which neither text is known yet.
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

    /// The change that takes this one back.
    pub fn inverse(self) -> Redefinition {
        Redefinition { before: self.after, after: self.before, dropped: self.declared, declared: self.dropped, ..self }
    }

    /// Whether it forbids something or acts by itself, and so comes after the rows; what allows more comes before them.
    pub fn comes_last(&self) -> bool {
        let acts = self.kind == DefinitionKind::Trigger && self.after.is_some();
        self.before.is_none() || !self.declared.is_empty() || acts
    }

    pub fn is_of(&self, definition: &Definition) -> bool {
        self.kind.name() == definition.kind
            && self.name == definition.name
            && self.table.to_string() == definition.table
    }

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

    /// The definitions as they are once it is done.
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

/// Adds a change; two of the same definition become one.
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

/// All definitions as they were before these changes, whichever of them are done already; in a fixed order.
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
    fn what_is_made_stands_before_until_it_is_there() {
        let made = change(None, Some("x"));
        assert_eq!(made.compared_with(&[]), ImageMatch::Before);
        assert_eq!(made.compared_with(&[definition("x")]), ImageMatch::After);
        assert_eq!(made.compared_with(&[definition("y")]), ImageMatch::Other);
        assert_eq!(made.clone().inverse().compared_with(&[]), ImageMatch::After);
        assert_eq!(before(std::slice::from_ref(&made), &[definition("x")]), Vec::<Definition>::new());
        assert_eq!(before(&[made], &[definition("y")]), [definition("y")]);
    }

    #[test]
    fn two_changes_of_one_definition_are_one() {
        let mut changes = Vec::new();
        add(&mut changes, change(Some("x"), Some("y")));
        add(&mut changes, Redefinition { treatment: "relax".to_owned(), ..change(Some("y"), Some("z")) });
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].before.as_deref(), changes[0].after.as_deref()), (Some("x"), Some("z")));
        assert_eq!((changes[0].rule.as_str(), changes[0].treatment.as_str()), ("r", "enforce, relax"));
    }
}
