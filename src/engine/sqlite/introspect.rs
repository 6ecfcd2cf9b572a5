//! Reads the definitions of a SQLite database.
//!
//! SQLite prepares a statement for every table-valued pragma, which takes longer than all other work on a small table. So
//! most definitions are read from the text that the file stores ([`texts`]). If a text is not of a simple form, SQLite is
//! asked about its table ([`pragmas`]).

use std::path::Path;

use rusqlite::Connection;
use rusqlite::Result;

use super::pages::layout::Layouts;
use super::stored_schema::StoredSchema;
use super::stored_schema::StoredTable;
use crate::model::catalog::Catalog;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::Tables;
use crate::model::facts::RowAddress;
use crate::model::ids::TableId;

mod pragmas;
#[cfg(test)]
mod tests;
mod texts;

use pragmas::Pragmas;

/// The name of the index of an INTEGER PRIMARY KEY, which is the table itself.
const ROWID_INDEX: &str = "rowid";

pub(super) fn catalog(connection: &Connection, path: &Path) -> Result<Catalog> {
    read(connection, path).map(|(catalog, _)| catalog)
}

/// Returns the definitions, and where the file stores what they define.
pub(super) fn read(connection: &Connection, path: &Path) -> Result<(Catalog, Layouts)> {
    read_stored(connection, &StoredSchema::read(connection)?, path, &texts::table)
}

/// Reads a table with its foreign keys from its texts, and adds layouts; `None` if SQLite must be asked.
type FromTexts = dyn Fn(TableId, &ListedTable, &StoredTable, &mut Layouts) -> Option<(Table, Vec<ForeignKey>)>;

fn read_stored(
    connection: &Connection,
    stored: &StoredSchema,
    path: &Path,
    from_texts: &FromTexts,
) -> Result<(Catalog, Layouts)> {
    let mut layouts = Layouts::default();
    let mut tables = Tables::default();
    let mut foreign_keys = Vec::new();
    let mut pragmas = None;
    for listed in list(connection)? {
        let stored_table = stored.table(&listed.name);
        let id = tables.next_id();
        let read = match listed.kind {
            TableKind::Table | TableKind::Shadow => from_texts(id, &listed, stored_table, &mut layouts),
            _ => None,
        };
        let (mut table, mut keys) = match read {
            Some(read) => read,
            None => {
                let pragmas = match &mut pragmas {
                    Some(pragmas) => pragmas,
                    none => none.insert(Pragmas::new(connection)?),
                };
                pragmas.table(id, listed, stored_table, &mut layouts)?
            }
        };
        // A CHECK constraint contains this word. A text that contains it elsewhere only costs time.
        let has_check = |text: &String| text.to_ascii_lowercase().contains("check");
        table.has_conditions = stored_table.text.as_ref().is_none_or(has_check);
        if table.kind == TableKind::Table {
            foreign_keys.append(&mut keys);
        }
        tables.push(table);
    }
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let database =
        DatabaseName { engine: Engine::Sqlite, name, version: rusqlite::version().to_owned(), default_schema: None };
    Ok((Catalog { database, names: NameRule::AsciiCaseless, tables, foreign_keys }, layouts))
}

/// A row of SQLite's list of tables.
struct ListedTable {
    name: String,
    kind: TableKind,
    without_rowid: bool,
    strict: bool,
}

fn list(connection: &Connection) -> Result<Vec<ListedTable>> {
    let mut statement = connection.prepare(
        "SELECT name, type, wr, strict FROM pragma_table_list \
         WHERE schema = 'main' AND lower(name) NOT IN ('sqlite_schema', 'sqlite_master') ORDER BY name COLLATE BINARY",
    )?;
    let listed = statement.query_map([], |row| {
        let kind = match row.get_ref(1)?.as_str()? {
            "view" => TableKind::View,
            "virtual" => TableKind::Virtual,
            "shadow" => TableKind::Shadow,
            _ => TableKind::Table,
        };
        Ok(ListedTable { name: row.get(0)?, kind, without_rowid: row.get(2)?, strict: row.get(3)? })
    })?;
    listed.collect()
}

/// Finds the name under which the rowid can be reached. Returns the column that is the rowid itself, if one is.
fn rowid(table: &mut Table) -> Option<usize> {
    let hidden_by_column = |name: &&&str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let RowAddress::Lasting(names) = Engine::Sqlite.facts().row_address else { return None };
    table.row_address = names.iter().find(|name| !hidden_by_column(name)).map(|name| (*name).to_owned());
    table.address_lasts = table.row_address.is_some();
    let [column] = table.primary_key[..] else { return None };
    // Only an INTEGER PRIMARY KEY that is the rowid has no index of its own.
    if table.indexes.iter().any(|index| index.primary) {
        return None;
    }
    table.columns[column].not_null = true;
    table.address_column = Some(column);
    table.indexes.insert(
        0,
        Index {
            name: ROWID_INDEX.to_owned(),
            columns: vec![IndexColumn { column: Some(column), collation: None }],
            unique: true,
            partial: false,
            primary: true,
            separate: false,
        },
    );
    Some(column)
}

/// Applies SQLite's five rules of column affinity, in their order.
fn family(declared_type: &str, strict: bool) -> Family {
    // The usual types are known without a search.
    match declared_type {
        "INTEGER" | "INT" => return Family::Integer,
        "TEXT" => return Family::Text,
        _ => {}
    }
    let name = declared_type.to_ascii_uppercase();
    if strict && name == "ANY" {
        Family::Untyped
    } else if name.contains("INT") {
        Family::Integer
    } else if ["CHAR", "CLOB", "TEXT"].iter().any(|part| name.contains(part)) {
        Family::Text
    } else if name.is_empty() || name.contains("BLOB") {
        Family::Untyped
    } else if ["REAL", "FLOA", "DOUB"].iter().any(|part| name.contains(part)) {
        Family::Real
    } else {
        Family::Numeric
    }
}
