//! Definitions that change: which texts they get, and the statements that put them in place.
//!
//! A definition is written from names, and from SQL and values of a rule's author; nothing of a row is ever part of it.

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

/// How one engine changes definitions. What cannot be done is an error that says why.
pub trait Redefine {
    /// Takes relations of one table out of its definition, and NOT NULL from columns of it.
    fn relax(
        &self,
        schema: &Schema,
        table: &Table,
        requests: &[RelaxRequest<'_>],
        nullable_columns: &[NullableColumn<'_>],
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String>;

    /// Declares a relation.
    fn enforce(
        &self,
        schema: &Schema,
        request: &EnforceRequest<'_>,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String>;

    /// Makes triggers that make the missing parents of rows to come.
    fn prevent(
        &self,
        schema: &Schema,
        request: &PreventRequest<'_>,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String>;

    /// Says which version of the engine triggers take, where the application may run them in an older one than the database
    /// was read with.
    fn required_version(&self, _wish: &PreventRequest<'_>) -> Option<String> {
        None
    }

    /// What makes the text before into the text after.
    fn steps(&self, schema: &Schema, change: &Redefinition) -> Vec<Step>;

    /// What the database makes of a table's definition: rows of what it is (`reference` and `not null` among them), its
    /// name, and all else that is known of it. `None` where the text itself is the database's own.
    fn table_shape(&self, _table: &TableName) -> Option<Sql> {
        None
    }

    /// Questions that show that a new definition works: none may fail, and none may be answered with a row. None are
    /// needed where the database checks each when it is made.
    fn verification_queries(&self, _schema: &Schema, _change: &Redefinition) -> Vec<Sql> {
        Vec::new()
    }

    /// Any row whose column is NULL.
    fn rows_with_null(&self, table: &TableName, column: &str) -> Sql;

    /// The same change as a script for people who run SQL themselves.
    fn script(&self, schema: &Schema, change: &Redefinition, definitions: &[Definition]) -> Result<String, String>;
}

/// One step of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Statement(Sql),
    /// Puts a text in the place of another among the definitions themselves.
    Replacement(Sql),
}

/// A relation that is not to be declared any more.
pub struct RelaxRequest<'a> {
    pub relation: &'a Relation,
    pub nullable: &'a Nullable,
    pub rule: &'a str,
}

/// A column that loses NOT NULL, by its position in the table, and the rule that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NullableColumn<'a> {
    pub column: usize,
    pub rule: &'a str,
}

/// A relation that is to be declared.
pub struct EnforceRequest<'a> {
    pub relation: &'a Relation,
    pub on_delete: Action,
    pub on_update: Action,
    /// The child has no index that leads with the key, and is to get one.
    pub needs_index: bool,
    pub rule: &'a str,
}

/// A relation whose missing parents are to be made when a row arrives.
pub struct PreventRequest<'a> {
    pub relation: &'a Relation,
    /// The table that must have the key, and the columns it has it in.
    pub via: Option<&'a Via>,
    /// The columns of the new parent.
    pub values: Vec<(&'a Column, ParentValue<'a>)>,
    pub rule: &'a str,
}

/// What a column of a new parent holds.
#[derive(Debug, Clone, PartialEq)]
pub enum ParentValue<'a> {
    Expression(std::borrow::Cow<'a, Expression>),
    /// A part of the missing key.
    Key(usize),
    /// Text that is derived from the key, so that no two are alike.
    Derived,
}

impl EnforceRequest<'_> {
    /// ON UPDATE and ON DELETE, but for what the engine means where nothing is said.
    pub(super) fn actions(&self, unsaid: &[Action]) -> String {
        [("UPDATE", self.on_update), ("DELETE", self.on_delete)]
            .into_iter()
            .filter(|(_, action)| !unsaid.contains(action))
            .map(|(when, action)| format!(" ON {when} {}", action.name()))
            .collect()
    }
}

/// What the names of all triggers begin with that a repair makes.
pub const TRIGGER: &str = "fk_doctor_prevent_";

/// Names are at most this long on every engine.
const LONGEST_NAME: usize = 60;

/// The name of what a relation's rule makes; `part` tells apart what it makes several of.
pub(super) fn trigger_name(schema: &Schema, relation: &Relation, part: &str) -> String {
    let columns: Vec<&str> = schema.child_column_names(relation).collect();
    let mut name = format!("{TRIGGER}{}_{}", schema.child(relation).name.table, columns.join("_"));
    let twins = schema.relations.iter().filter(|other| {
        other.child == relation.child
            && other.child_columns == relation.child_columns
            && other.parent.name != relation.parent.name
    });
    if twins.count() > 0 {
        name.push_str(&format!("_{}", relation.parent.name.table));
    }
    bounded(&name, part)
}

/// A name that every engine takes, and its ending, which tells it from others.
pub(super) fn bounded(name: &str, part: &str) -> String {
    if name.len() + part.len() <= LONGEST_NAME {
        return format!("{name}{part}");
    }
    // FNV-1a: what was cut off is told by a number that is always the same.
    let number = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let end = format!("_{:08x}{part}", number >> 32);
    let mut cut = LONGEST_NAME - end.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{end}", &name[..cut])
}

/// All names that triggers of a relation have, on whichever engine.
pub fn trigger_names(schema: &Schema, relation: &Relation) -> [String; 3] {
    ["", "_insert", "_update"].map(|part| trigger_name(schema, relation, part))
}

/// A script that shows all that it does.
pub(super) fn readable(script: String, change: &Redefinition) -> Result<String, String> {
    if script.contains(|c: char| is_unseen(c) && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(format!(
            "a definition of {} has characters that are not seen: a script would hide what it does",
            change.table
        ));
    }
    Ok(script)
}

/// A name that no definition has yet, in any letter case.
pub(super) fn free_name(wanted: &str, definitions: &[Definition]) -> String {
    let is_free = |name: &String| !definitions.iter().any(|known| known.name.eq_ignore_ascii_case(name));
    let numbered = (2..).map(|number| format!("{wanted}_{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

/// The text of a definition, if there is one.
pub(super) fn text_of<'d>(definitions: &'d [Definition], kind: &str, name: &str, of: &str) -> Option<&'d str> {
    let found = definitions.iter().find(|known| known.kind == kind && known.name == name && known.table == of);
    found.map(|definition| definition.text.as_str())
}
