//! Parses one side of a relation: `table(col, …)`, or a table with `table` and `columns` for names that this form
//! cannot express.
//!
//! Names are not resolved here, because that needs a database.

use toml::de::DeValue;

use crate::config::fault::quoted;
use crate::config::reader::Item;
use crate::model::configured::SideName;
use crate::model::configured::Spanned;
use crate::model::pattern::Pattern;

const ODD_NAMES: &str =
    "for names with parentheses, commas or quotes write `{ table = \"odd(name\", columns = [\"a,b\"] }`";

/// The side of a relation. A child may be a pattern for many tables; a parent is one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Child,
    Parent,
}

impl Role {
    pub(crate) fn example(self) -> &'static str {
        match self {
            Role::Child => "child = \"comments(post_id)\"",
            Role::Parent => "parent = \"posts(id)\"",
        }
    }
}

pub(crate) fn read(item: &Item<'_, '_>, role: Role) -> Option<Spanned<SideName>> {
    let expected = "`table(column, …)`";
    let side = match item.value() {
        DeValue::Table(_) => read_table(item)?,
        DeValue::String(_) => {
            let text = item.text(expected)?;
            match parse(text.value) {
                Ok(side) => side,
                Err(message) => {
                    item.fault(&message, Some(format!("write, for example, `{}`; {ODD_NAMES}", role.example())));
                    return None;
                }
            }
        }
        _ => {
            item.mismatch(expected, Some(format!("write, for example, `{}`", role.example())));
            return None;
        }
    };
    check_patterns(item, role, &side)?;
    Some(Spanned { value: side, span: item.span() })
}

/// Parses `table(col, …)`. The error is a message.
pub fn parse(text: &str) -> Result<SideName, String> {
    let not_a_side = || format!("{} is not of the form `table(column, …)`", quoted(text));
    let (table, rest) = text.split_once('(').ok_or_else(not_a_side)?;
    let columns = rest.trim_end().strip_suffix(')').ok_or_else(not_a_side)?;
    if columns.contains(['(', ')']) {
        return Err(not_a_side());
    }
    let side = SideName {
        table: table.trim().to_owned(),
        columns: columns.split(',').map(|column| column.trim().to_owned()).collect(),
    };
    if side.table.is_empty() {
        return Err(format!("{} has no table name", quoted(text)));
    }
    if side.columns.iter().any(String::is_empty) {
        return Err(format!("{} has a column without a name", quoted(text)));
    }
    if text.contains(['"', '`']) {
        return Err("names are written without quotes".to_owned());
    }
    Ok(side)
}

fn read_table(item: &Item<'_, '_>) -> Option<SideName> {
    let mut reader = item.table("a table")?;
    let table = reader.require("table", "table = \"odd(name\"").and_then(|table| table.text("the name of a table"));
    let columns = reader.require("columns", "columns = [\"a,b\"]").and_then(|columns| read_columns(&columns));
    reader.finish();
    Some(SideName { table: table?.value.to_owned(), columns: columns? })
}

fn read_columns(item: &Item<'_, '_>) -> Option<Vec<String>> {
    let entries = item.entries("an array of column names")?;
    if entries.is_empty() {
        item.fault("expected at least one column", None);
        return None;
    }
    let names: Vec<_> = entries.iter().map(|entry| entry.text("the name of a column")).collect();
    names.into_iter().map(|name| name.map(|name| name.value.to_owned())).collect()
}

/// Checks the patterns of a side. In the long form only the child's table is a pattern, so that it can express every
/// name.
fn check_patterns(item: &Item<'_, '_>, role: Role, side: &SideName) -> Option<()> {
    let short = matches!(item.value(), DeValue::String(_));
    if short && side.columns.iter().any(|column| column.contains(['*', '?'])) {
        item.fault("a pattern can stand for tables, not for columns", Some("name each column".to_owned()));
        return None;
    }
    match role {
        Role::Parent if short && side.table.contains(['*', '?']) => {
            item.fault("the parent is one table, not a pattern", Some("name the table".to_owned()));
            None
        }
        Role::Parent => Some(()),
        Role::Child => match Pattern::new(&side.table) {
            Ok(_) => Some(()),
            Err(message) => {
                item.fault(&format!("{} is not a valid pattern: {message}", quoted(&side.table)), None);
                None
            }
        },
    }
}
