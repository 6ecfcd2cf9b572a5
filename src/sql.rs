//! Every statement that touches a user's tables is written under this module, and nowhere else.
//!
//! [`Sql`] cannot be made outside: an engine runs what it is given. [`of`] is the one door: it gives the dialect in
//! which a schema's engine is asked. Names are quoted by [`quoted`]; values travel as parameters and never become
//! text. The one foreign text is a condition from the operator's own configuration.

use crate::model::catalog::Engine;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;

mod clauses;
pub mod foresight;
#[cfg(test)]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "its statements are kept as they were"
)]
mod frozen;
pub mod key_bitmap;
pub mod load;
mod mysql;
mod postgres;
pub mod read;
pub mod redefine;
pub mod repair;
mod sqlite;
pub mod witness;

/// A statement and its parameters, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    text: String,
    parameters: Vec<Value>,
    /// No index may be believed.
    from_tables: bool,
    /// Copies that it names.
    twins: Vec<Twin>,
}

/// A copy of a temporary table of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    pub name: String,
    /// The table that it is a copy of.
    pub of: String,
    /// Statements that make it what that table is now.
    pub renewal: Vec<String>,
}

impl Sql {
    fn new(text: String, parameters: Vec<Value>) -> Sql {
        Sql { text, parameters, from_tables: false, twins: Vec::new() }
    }

    fn with_twins(self, twins: Vec<Twin>) -> Sql {
        Sql { twins, ..self }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }

    /// Copies that have to be what their tables are when it runs.
    pub fn twins(&self) -> &[Twin] {
        &self.twins
    }

    /// Whether the answer has to come from the tables themselves, whatever their indexes say.
    pub fn is_from_tables(&self) -> bool {
        self.from_tables
    }
}

/// The questions of a scan, in the SQL of one engine.
pub trait Dialect {
    /// Per relation of one child table: rows in scope, rows with a NULL in the key, rows with an ignored key.
    /// One row of `1 + 3 * relations` numbers; the first is the table's row count.
    fn counts(&self, schema: &Schema, child: TableId, relations: &[&Relation]) -> Sql;

    /// What `counts` tells of one relation, and after it how many orphans there are: one row. `None` where this is not
    /// quicker than to ask for both.
    fn balance(&self, _: &Schema, _: &Relation) -> Option<Sql> {
        None
    }

    /// Every orphan candidate, grouped. A row holds: the number of its missing key; the key as the parent would store it;
    /// the key as the child stores it; the row's name (see [`row_name_columns`]); and whether the parent's own table has
    /// the key although its index does not.
    fn orphans(&self, schema: &Schema, relation: &Relation, among: &Among<'_>) -> Sql;

    /// The same question again, to be answered without indexes; `None` where the first answer was.
    fn without_indexes(&self, _: &Sql) -> Option<Sql> {
        None
    }

    /// How many distinct keys of the child do have their parent, counted up to `enough`.
    fn matched_keys(&self, schema: &Schema, relation: &Relation, enough: u64) -> Sql;

    /// Whether the parent has any row at all: 0 or 1.
    fn parent_has_rows(&self, schema: &Schema, relation: &Relation) -> Option<Sql>;

    /// The largest key of a single-column parent.
    fn largest_parent_key(&self, schema: &Schema, relation: &Relation) -> Option<Sql>;

    /// Of these keys, which are keys of the given index of another table: rows of one number, the key's position.
    /// `None` where the values cannot be keys of it.
    fn keys_elsewhere(&self, schema: &Schema, table: &Table, index: &Index, keys: &[&Key]) -> Option<Sql>;

    /// Of these single-column keys, which are soft-deleted parents: rows of one number, the key's position.
    fn soft_deleted_keys(&self, schema: &Schema, relation: &Relation, keys: &[&Key]) -> Option<Sql>;

    /// Parent keys that differ from a missing key only in ways that people get wrong: white space, case, leading zeros,
    /// text or number, the dress of a UUID. Rows of the missing key's position, one such parent key, and how many there
    /// are. At most `limit` parents are read.
    fn near_misses(&self, schema: &Schema, relation: &Relation, keys: &[&Key], limit: u64) -> Option<Sql>;

    /// Of these keys, the least and the greatest value of one of the child's columns among their orphans: rows of the
    /// key's position and the two. `None` where an engine is not asked for that yet.
    fn spans(&self, _schema: &Schema, _relation: &Relation, _column: &str, _keys: &[&Key]) -> Option<Sql> {
        None
    }

    /// Nothing but a check that the operator's own conditions compile: no rows.
    fn condition_check(&self, schema: &Schema, relation: &Relation, condition: &str, of_parent: bool) -> Option<Sql>;
}

/// Which rows are asked about, and how far the parent's index is to be believed. Nothing is known of either where an
/// engine's storage was not read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Among<'a> {
    /// The addresses of the only rows that can be orphans, where that is known.
    pub rows: Option<&'a [i64]>,
    /// The parent's index holds exactly the keys of its table.
    pub index_is_proven: bool,
}

/// The dialect of a schema's engine.
pub fn of(schema: &Schema) -> &'static dyn Dialect {
    match schema.database.engine {
        Engine::Sqlite => &sqlite::Sqlite,
        Engine::Postgres => &postgres::Postgres,
        Engine::Mysql | Engine::Mariadb => &mysql::Mysql,
    }
}

/// The columns that name a row, in the order in which [`Dialect::orphans`] returns them: the primary key and, where that may
/// be NULL or is missing, the row's own address; with neither, every column.
pub fn row_name_columns(table: &Table) -> Vec<&str> {
    let key = table.primary_key.iter().map(|&column| &table.columns[column]);
    let mut names: Vec<&str> = key.clone().map(|column| column.name.as_str()).collect();
    let address = table.row_address.as_deref();
    if names.is_empty() && address.is_some() && !table.address_lasts {
        // Such an address says little to people, and nothing once the row has changed.
        names.extend(table.naming_key().iter().map(|&column| table.columns[column].name.as_str()));
    }
    if key.clone().any(|column| !column.not_null) || table.primary_key.is_empty() {
        names.extend(address);
    }
    if names.is_empty() {
        names.extend(table.columns.iter().map(|column| column.name.as_str()));
    }
    names
}

/// Returns a table's name as SQL, with its schema if that is not the default one.
fn table_for(engine: Engine, name: &TableName) -> String {
    engine.facts().quoted_table(name)
}

fn in_backticks(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The rows that came at a moment or later. The moment is what an operator typed; see [`moment`].
pub fn since(engine: Engine, column: &str, moment: &str) -> String {
    let is_number = moment.bytes().all(|byte| byte.is_ascii_digit());
    let moment = if is_number { moment.to_owned() } else { format!("'{moment}'") };
    format!("child.{} >= {moment}", engine.facts().quoted(column))
}

/// A date, a time or a number, and nothing that could be more than that in any engine's SQL.
pub fn moment(text: &str) -> Result<String, String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-+:. ".contains(character);
    let is_fit =
        text.starts_with(|first: char| first.is_ascii_digit()) && text.chars().all(is_plain) && text.len() <= 40;
    if is_fit { Ok(text.to_owned()) } else { Err("expected a date, a time or a number, such as 2026-01-31".to_owned()) }
}

/// All of these conditions of an operator.
pub fn all(conditions: impl Iterator<Item = String>) -> Option<String> {
    conditions.reduce(|all, condition| format!("(\n{all}\n) AND (\n{condition}\n)"))
}

/// A name as an identifier of standard SQL, whatever it contains.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
