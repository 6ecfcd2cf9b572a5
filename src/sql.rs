//! Every statement that touches a user's tables is written under this module, and nowhere else.
//!
//! An engine runs any [`Sql`] that it is given, so no code outside can make one. Four layers make them, each from those before it:
//! the facts of an engine (`model::facts`), its words (`grammar`), phrases that all engines build alike (`phrases`), and the
//! statements of a capability (`scan`, `repair` and others). [`of`] returns the statements of a scan in the grammar of a
//! schema's engine.
//!
//! Names are quoted; values travel as parameters and never become text. The only SQL that others wrote is a condition of the
//! operator's configuration, a rule's expression, and a statement that `explain` is asked about.

use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;

mod capabilities;
mod catalog;
mod clauses;
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
mod scan;
mod scratch;
mod sqlite;

pub use query::Sql;
pub use query::TableCopy;
pub use scan::Scan;
pub use scan::ScanHints;
pub use scan::of;

/// The columns that name a row, in the order in which [`Scan::orphans`] returns them: the primary key and, where that may
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

/// A condition for rows that lie in one of these partitions of the child, or below it.
pub fn in_partitions(engine: Engine, partitions: &[&TableName]) -> String {
    let below = partitions.iter().map(|name| {
        let schema = name.schema.as_deref().unwrap_or("public");
        let name = format!("{}.{}", engine.facts().quoted(schema), engine.facts().quoted(&name.table));
        // The name is quoted as an identifier, and then once more as a string.
        let text = name.replace('\\', "\\\\").replace('\'', "''");
        format!("SELECT relid FROM pg_catalog.pg_partition_tree(E'{text}'::pg_catalog.regclass)")
    });
    format!("child.tableoid IN ({})", below.collect::<Vec<_>>().join(" UNION ALL "))
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
