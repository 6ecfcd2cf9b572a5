//! Reads the definitions of a SQLite database with table-valued pragmas. Names are bound as values.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::Result;

use super::ddl;
use crate::model::catalog::Action;
use crate::model::catalog::Catalog;
use crate::model::catalog::Column;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Match;
use crate::model::catalog::NameRule;
use crate::model::catalog::Storage;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::facts::RowAddress;
use crate::model::ids::TableId;

pub(super) fn catalog(connection: &Connection, path: &Path) -> Result<Catalog> {
    let tables = tables(connection)?;
    let mut foreign_keys = Vec::new();
    for (id, table) in tables.entries().filter(|(_, table)| table.kind == TableKind::Table) {
        foreign_keys.extend(foreign_keys_of(connection, id, table)?);
    }
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    Ok(Catalog {
        database: DatabaseName {
            engine: Engine::Sqlite,
            name,
            version: rusqlite::version().to_owned(),
            default_schema: None,
        },
        names: NameRule::AsciiCaseless,
        tables,
        foreign_keys,
    })
}

fn tables(connection: &Connection) -> Result<Tables> {
    let mut statement = connection.prepare(
        "SELECT name, type, wr, strict FROM pragma_table_list \
         WHERE schema = 'main' AND lower(name) NOT IN ('sqlite_schema', 'sqlite_master') ORDER BY name COLLATE BINARY",
    )?;
    let found: Vec<(String, String, bool, bool)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_>>()?;
    found
        .into_iter()
        .map(|(name, kind, without_rowid, strict)| table(connection, name, &kind, without_rowid, strict))
        .collect()
}

fn table(connection: &Connection, name: String, kind: &str, without_rowid: bool, strict: bool) -> Result<Table> {
    let kind = match kind {
        "view" => TableKind::View,
        "virtual" => TableKind::Virtual,
        "shadow" => TableKind::Shadow,
        _ => TableKind::Table,
    };
    let mut table = Table {
        name: TableName { schema: None, table: name },
        kind,
        columns: Vec::new(),
        primary_key: Vec::new(),
        indexes: Vec::new(),
        row_address: None,
        address_lasts: false,
        address_column: None,
        storage: Storage::Transactional,
        without_foreign_keys: None,
        irreversible: None,
        partitions: Vec::new(),
    };
    // Only its module, which is not run, knows the columns of a virtual table. A broken view has no columns.
    if kind == TableKind::Virtual || (read_columns(connection, &mut table, strict).is_err() && kind == TableKind::View)
    {
        table.columns.clear();
        return Ok(table);
    }
    read_indexes(connection, &mut table, without_rowid)?;
    if kind != TableKind::View && !without_rowid {
        rowid(connection, &mut table)?;
    }
    Ok(table)
}

fn read_columns(connection: &Connection, table: &mut Table, strict: bool) -> Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1, 'main')")?;
    let mut rows = statement.query([&table.name.table])?;
    let mut key = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let declared_type: String = row.get(1)?;
        let position_in_key: i64 = row.get(3)?;
        let hidden: i64 = row.get(4)?;
        if position_in_key > 0 {
            key.push((position_in_key, table.columns.len()));
        }
        table.columns.push(Column {
            family: family(&declared_type, strict),
            name,
            declared_type,
            collation: None,
            not_null: row.get(2)?,
            generated: hidden >= 2,
            sql_type: None,
        });
    }
    key.sort_unstable();
    table.primary_key = key.into_iter().map(|(_, column)| column).collect();
    if table.kind != TableKind::View {
        for column in &mut table.columns {
            let (_, collation, ..) =
                connection.column_metadata(Some("main"), table.name.table.as_str(), column.name.as_str())?;
            column.collation = collation.map(|name| name.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// Applies SQLite's five rules of column affinity, in their order.
fn family(declared_type: &str, strict: bool) -> Family {
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

fn read_indexes(connection: &Connection, table: &mut Table, without_rowid: bool) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1, 'main') ORDER BY seq DESC",
    )?;
    let found: Vec<(String, bool, String, bool)> = statement
        .query_map([&table.name.table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_>>()?;
    for (name, unique, origin, partial) in found {
        let primary = origin == "pk";
        let columns = index_columns(connection, table, &name)?;
        table.indexes.push(Index { name, columns, unique, partial, primary, separate: !(primary && without_rowid) });
    }
    Ok(())
}

fn index_columns(connection: &Connection, table: &Table, index: &str) -> Result<Vec<IndexColumn>> {
    let mut statement = connection
        .prepare_cached("SELECT cid, coll FROM pragma_index_xinfo(?1, 'main') WHERE key = 1 ORDER BY seqno")?;
    statement
        .query_map([index], |row| {
            let column: i64 = row.get(0)?;
            let column = usize::try_from(column).ok().filter(|&column| column < table.columns.len());
            Ok(IndexColumn { column, collation: row.get(1)? })
        })?
        .collect()
}

/// Finds the name under which the rowid can be reached, and the column that is the rowid itself, if one is.
fn rowid(connection: &Connection, table: &mut Table) -> Result<()> {
    let hidden_by_column = |name: &&&str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let RowAddress::Lasting(names) = Engine::Sqlite.facts().row_address else { return Ok(()) };
    table.row_address = names.iter().find(|name| !hidden_by_column(name)).map(|name| (*name).to_owned());
    table.address_lasts = table.row_address.is_some();
    let [column] = table.primary_key[..] else { return Ok(()) };
    // Only an INTEGER PRIMARY KEY that is the rowid has no index of its own.
    if table.indexes.iter().any(|index| index.primary) {
        return Ok(());
    }
    let name = &table.columns[column].name;
    connection.column_metadata(Some("main"), table.name.table.as_str(), name.as_str())?;
    table.columns[column].not_null = true;
    table.address_column = Some(column);
    table.indexes.insert(
        0,
        Index {
            name: "rowid".to_owned(),
            columns: vec![IndexColumn { column: Some(column), collation: None }],
            unique: true,
            partial: false,
            primary: true,
            separate: false,
        },
    );
    Ok(())
}

fn foreign_keys_of(connection: &Connection, child: TableId, table: &Table) -> Result<Vec<ForeignKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main') ORDER BY id DESC, seq",
    )?;
    let mut rows = statement.query([&table.name.table])?;
    let mut keys: Vec<ForeignKey> = Vec::new();
    let mut last_id: Option<i64> = None;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let parent_column: Option<String> = row.get(3)?;
        if last_id != Some(id) {
            last_id = Some(id);
            keys.push(ForeignKey {
                name: None,
                child,
                columns: Vec::new(),
                parent: TableName { schema: None, table: row.get(1)? },
                parent_columns: parent_column.as_ref().map(|_| Vec::new()),
                on_delete: action(&row.get::<_, String>(5)?),
                on_update: action(&row.get::<_, String>(4)?),
                match_rule: Match::Simple,
                deferrable: false,
                on_delete_columns: Vec::new(),
                comparisons: Vec::new(),
                flaws: Vec::new(),
                incomparable: None,
            });
        }
        if let Some(key) = keys.last_mut() {
            key.columns.push(row.get(2)?);
            if let (Some(columns), Some(column)) = (&mut key.parent_columns, parent_column) {
                columns.push(column);
            }
        }
    }
    add_names_and_deferral(connection, table, &mut keys)?;
    Ok(keys)
}

/// Adds the name of each key, and if it is deferred. Only the text of the CREATE TABLE contains them.
fn add_names_and_deferral(connection: &Connection, table: &Table, keys: &mut [ForeignKey]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let text: Option<String> = connection.query_row(
        "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1",
        [&table.name.table],
        |row| row.get(0),
    )?;
    let clauses = ddl::reference_clauses(text.as_deref().unwrap_or_default());
    let agree = clauses.len() == keys.len()
        && clauses.iter().zip(&*keys).all(|(clause, key)| clause.parent.eq_ignore_ascii_case(&key.parent.table));
    if agree {
        for (clause, key) in clauses.into_iter().zip(keys) {
            key.name = clause.name;
            key.deferrable = clause.deferred;
        }
    }
    Ok(())
}

fn action(name: &str) -> Action {
    match name {
        "RESTRICT" => Action::Restrict,
        "SET NULL" => Action::SetNull,
        "SET DEFAULT" => Action::SetDefault,
        "CASCADE" => Action::Cascade,
        _ => Action::NoAction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinity_follows_the_five_rules_in_order() {
        for (declared, expected) in [
            ("INTEGER", Family::Integer),
            ("CHARINT", Family::Integer),
            ("FLOATING POINT", Family::Integer),
            ("VARCHAR(10)", Family::Text),
            ("", Family::Untyped),
            ("BLOB", Family::Untyped),
            ("DOUBLE", Family::Real),
            ("BOOLEAN", Family::Numeric),
            ("ANY", Family::Numeric),
        ] {
            assert_eq!(family(declared, false), expected, "{declared}");
        }
        assert_eq!(family("ANY", true), Family::Untyped);
    }
}
