//! Changes of the schema: the new text of each definition, and the statements that install it.
//!
//! A definition is built from names, and from the SQL and the values of a rule. It never contains a value of a row.

use crate::model::catalog::Action;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::redefinition::Definition;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Relation;
use crate::model::rule::Expression;
use crate::model::rule::Nullable;
use crate::model::rule::Via;
use crate::model::schema::Schema;
use crate::model::text::is_unseen;
use crate::sql::Sql;

/// The changes of definitions on one engine. If a change is impossible, the error is the reason.
pub trait Redefine {
    /// Returns the changes that remove foreign keys from a table, and NOT NULL from some of its columns.
    fn relax(
        &self,
        schema: &Schema,
        table: &Table,
        requests: &[RelaxRequest<'_>],
        nullable_columns: &[NullableColumn<'_>],
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String>;

    /// Returns the changes that declare a foreign key.
    fn enforce(
        &self,
        schema: &Schema,
        request: &EnforceRequest<'_>,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String>;

    /// Returns the changes that create triggers. A trigger inserts the missing parent of each new child row.
    fn prevent(
        &self,
        schema: &Schema,
        request: &PreventRequest<'_>,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String>;

    /// Returns a warning with the version of the engine that the triggers require; `None` if every supported version
    /// runs them. An application that embeds the engine may have an older version than fk-doctor.
    fn required_version(&self, _wish: &PreventRequest<'_>) -> Option<String> {
        None
    }

    /// Returns the steps that replace the definition's text before the change with the text after it.
    fn steps(&self, schema: &Schema, change: &Redefinition) -> Vec<Step>;

    /// Returns the parts of a table as the database reads them from its definition. A row holds the kind, the name and
    /// the properties of a part, such as ('column', 'id', '0|''INT''|NULL|1|0'). `None` if the database writes the text
    /// itself.
    fn table_shape(&self, _table: &TableName) -> Option<Sql> {
        None
    }

    /// Returns queries that verify a new definition: it works if no query fails and none returns a row. There are none
    /// if the database checks a definition when it creates it.
    fn verification_queries(&self, _schema: &Schema, _change: &Redefinition) -> Vec<Sql> {
        Vec::new()
    }

    /// Returns a query for one row whose column is NULL.
    fn rows_with_null(&self, table: &TableName, column: &str) -> Sql;

    /// Returns the change as a script, for people who run SQL themselves.
    fn script(&self, schema: &Schema, change: &Redefinition, definitions: &[Definition]) -> Result<String, String>;
}

/// A statement of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Statement(Sql),
    /// Replaces the text of a definition in the catalog itself.
    Replacement(Sql),
}

/// A relation whose foreign key is to be removed.
pub struct RelaxRequest<'a> {
    pub relation: &'a Relation,
    pub nullable: &'a Nullable,
    pub rule: &'a str,
}

/// A column that loses NOT NULL, and the rule that requires it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NullableColumn<'a> {
    /// The column's position in the table.
    pub column: usize,
    pub rule: &'a str,
}

/// A relation whose foreign key is to be declared.
pub struct EnforceRequest<'a> {
    pub relation: &'a Relation,
    pub on_delete: Action,
    pub on_update: Action,
    /// True if no index of the child begins with the key, so that the change creates one.
    pub needs_index: bool,
    pub rule: &'a str,
}

/// A relation whose missing parents triggers are to insert.
pub struct PreventRequest<'a> {
    pub relation: &'a Relation,
    /// The table that must have the missing key, and the columns of that key in it.
    pub via: Option<&'a Via>,
    /// The columns of the new parent, each with its value.
    pub values: Vec<(&'a Column, ParentValue<'a>)>,
    pub rule: &'a str,
}

/// The value of a column of a new parent.
#[derive(Debug, Clone, PartialEq)]
pub enum ParentValue<'a> {
    Expression(std::borrow::Cow<'a, Expression>),
    /// The part of the missing key at this position.
    Key(usize),
    /// A text that is derived from the key, so that each parent has another one.
    Derived,
}

impl EnforceRequest<'_> {
    /// Returns the ON UPDATE and ON DELETE clauses. An action that the engine takes by default has no clause.
    pub(super) fn actions(&self, defaults: &[Action]) -> String {
        [("UPDATE", self.on_update), ("DELETE", self.on_delete)]
            .into_iter()
            .filter(|(_, action)| !defaults.contains(action))
            .map(|(when, action)| format!(" ON {when} {}", action.name()))
            .collect()
    }
}

/// The prefix of the names of the triggers that a repair creates.
pub const TRIGGER_PREFIX: &str = "fk_doctor_prevent_";

/// The longest name in bytes that every engine accepts.
const MAX_NAME_LENGTH: usize = 60;

/// Returns the name of a trigger for a relation. The ending `part` distinguishes several triggers of one relation.
pub(super) fn trigger_name(schema: &Schema, relation: &Relation, part: &str) -> String {
    let columns: Vec<&str> = schema.child_column_names(relation).collect();
    let mut name = format!("{TRIGGER_PREFIX}{}_{}", schema.child(relation).name.table, columns.join("_"));
    let to_other_parents = schema.relations.iter().filter(|other| {
        other.child == relation.child
            && other.child_columns == relation.child_columns
            && other.parent.name != relation.parent.name
    });
    if to_other_parents.count() > 0 {
        name.push_str(&format!("_{}", relation.parent.name.table));
    }
    bounded(&name, part)
}

/// Returns a name with its ending, shortened to a length that every engine accepts.
pub(super) fn bounded(name: &str, part: &str) -> String {
    if name.len() + part.len() <= MAX_NAME_LENGTH {
        return format!("{name}{part}");
    }
    // A hash (FNV-1a) of the whole name keeps shortened names distinct, and is the same in every run.
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let end = format!("_{:08x}{part}", hash >> 32);
    let mut cut = MAX_NAME_LENGTH - end.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{end}", &name[..cut])
}

/// Returns all names that a relation's triggers can have, of any engine.
pub fn trigger_names(schema: &Schema, relation: &Relation) -> [String; 3] {
    ["", "_insert", "_update"].map(|part| trigger_name(schema, relation, part))
}

/// Returns the script, or an error if it has invisible characters.
pub(super) fn readable(script: String, change: &Redefinition) -> Result<String, String> {
    if script.contains(|c: char| is_unseen(c) && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(format!(
            "a definition of {} has invisible characters, so a script would not show everything that it does",
            change.table
        ));
    }
    Ok(script)
}

/// Returns a name that no definition has yet, in any letter case: `wanted`, or `wanted` with a number.
pub(super) fn free_name(wanted: &str, definitions: &[Definition]) -> String {
    let is_free = |name: &String| !definitions.iter().any(|known| known.name.eq_ignore_ascii_case(name));
    let numbered = (2..).map(|number| format!("{wanted}_{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

/// Returns the text of a definition; `None` if it does not exist.
pub(super) fn text_of<'d>(definitions: &'d [Definition], kind: &str, name: &str, of: &str) -> Option<&'d str> {
    let found = definitions.iter().find(|known| known.kind == kind && known.name == name && known.table == of);
    found.map(|definition| definition.text.as_str())
}
