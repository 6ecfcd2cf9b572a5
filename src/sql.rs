//! Builds every statement that touches a user's tables. No other module builds one.
//!
//! An engine runs every [`Sql`] that it gets, so no code outside this module can make one. Four layers build a
//! statement, each from those before it: the facts of an engine (`model::facts`), its grammar (`grammar`), phrases that
//! all engines share (`phrases`), and the statements of a capability (`scan`, `repair` and others). [`of`] returns the
//! statements of a scan in the grammar of a schema's engine.
//!
//! Names are quoted. Values travel as parameters and never become text. Three kinds of SQL come from people: a
//! condition of the configuration, a rule's expression, and a statement that `explain` examines.

use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;

pub mod batch;
mod capabilities;
mod catalog;
mod clauses;
pub mod comparison;
pub mod discover;
pub mod forecast;
mod grammar;
pub mod key_bitmap;
pub mod load;
mod mysql;
mod phrases;
mod postgres;
mod query;
pub mod read;
pub mod recorder;
pub mod redefine;
pub mod repair;
pub mod row_sets;
mod scan;
mod scratch;
pub mod spark;
mod sqlite;

pub use query::Sql;
pub use query::TableCopy;
pub use scan::Scan;
pub use scan::ScanHints;
pub use scan::of;

/// Returns the columns that name a row, in the order in which [`Scan::orphans`] returns them.
///
/// They are the primary key. If that may be NULL or is missing, the row's address follows. With neither, they are all
/// columns.
pub fn row_name_columns(table: &Table) -> Vec<&str> {
    let key = table.primary_key.iter().map(|&column| &table.columns[column]);
    let mut names: Vec<&str> = key.clone().map(|column| column.name.as_str()).collect();
    let address = table.row_address.as_deref();
    if names.is_empty() && address.is_some() && !table.address_lasts {
        // An address that does not last means little to people, and nothing after the row has changed.
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

/// Returns a table's quoted name, with its schema if that is not the default schema.
fn table_for(engine: Engine, name: &TableName) -> String {
    engine.facts().quoted_table(name)
}

fn in_backticks(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Returns the condition that a row's time is `since` or later. The caller checks the text with [`checked_time`].
pub fn since_condition(engine: Engine, column: &str, since: &str) -> String {
    let is_number = since.bytes().all(|byte| byte.is_ascii_digit());
    let since = if is_number { since.to_owned() } else { format!("'{since}'") };
    format!("child.{} >= {since}", engine.facts().quoted(column))
}

/// Returns the condition that a row lies in one of these partitions of the child, or in a partition of one of them.
pub fn in_partitions(engine: Engine, partitions: &[&TableName]) -> String {
    let below = partitions.iter().map(|name| {
        let schema = name.schema.as_deref().unwrap_or("public");
        let name = format!("{}.{}", engine.facts().quoted(schema), engine.facts().quoted(&name.table));
        // The quoted identifier is quoted again, as a string.
        let text = name.replace('\\', "\\\\").replace('\'', "''");
        format!("SELECT relid FROM pg_catalog.pg_partition_tree(E'{text}'::pg_catalog.regclass)")
    });
    format!("child.tableoid IN ({})", below.collect::<Vec<_>>().join(" UNION ALL "))
}

/// Returns the text if it is a date, a time or a number, and no engine can read it as more than that.
pub fn checked_time(text: &str) -> Result<String, String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-+:. ".contains(character);
    let is_fit =
        text.starts_with(|first: char| first.is_ascii_digit()) && text.chars().all(is_plain) && text.len() <= 40;
    if is_fit { Ok(text.to_owned()) } else { Err("expected a date, a time or a number, such as 2026-01-31".to_owned()) }
}

/// Returns the conjunction of an operator's conditions; `None` if there are none.
pub fn all_conditions(conditions: impl Iterator<Item = String>) -> Option<String> {
    conditions.reduce(|all, condition| format!("(\n{all}\n) AND (\n{condition}\n)"))
}

/// Returns a name as a quoted identifier of standard SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
