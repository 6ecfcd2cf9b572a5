//! Where the file stores a table's columns: the root page of the tree, and the field of its records.

use rusqlite::Connection;
use rusqlite::Result;

use crate::model::catalog::Table;

/// Where the value of a column is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    Field(Field),
    /// The column is an alias of the rowid.
    Rowid,
    /// A virtual generated column: SQLite computes it at each read.
    Computed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub number: usize,
    /// True if a record that ends before this field means NULL. Otherwise it means a default that only SQLite knows.
    pub absent_is_null: bool,
}

#[derive(Debug, Clone)]
pub struct TableLayout {
    pub root: u32,
    /// True for a WITHOUT ROWID table: its rows are the entries of its primary key's index.
    pub without_rowid: bool,
    /// One entry for each column of the table.
    pub columns: Vec<ColumnSource>,
}

#[derive(Debug, Clone)]
pub struct IndexLayout {
    pub root: u32,
    /// The table's columns in the order of the index's fields; `None` for an expression or the rowid.
    pub columns: Vec<Option<usize>>,
    pub descending: Vec<bool>,
}

impl IndexLayout {
    /// Returns the field that holds a column of the table.
    pub fn field_of(&self, column: usize) -> Option<Field> {
        let number = self.columns.iter().position(|&held| held == Some(column))?;
        Some(Field { number, absent_is_null: true })
    }

    /// Returns the field that holds the rowid: the last field, in an index of a rowid table.
    pub fn rowid_field(&self) -> usize {
        self.columns.len().saturating_sub(1)
    }
}

/// Returns `None` if the table has no b-tree of its own (a view or a virtual table).
pub fn table(connection: &Connection, table: &Table) -> Result<Option<TableLayout>> {
    let name = &table.name.table;
    let Some(root) = root(connection, "table", name)? else { return Ok(None) };
    let mut statement =
        connection.prepare_cached("SELECT hidden, dflt_value, type FROM pragma_table_xinfo(?1, 'main')")?;
    let columns: Vec<(i64, Option<String>)> =
        statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    let absent_is_null =
        |default: &Option<String>| default.as_ref().is_none_or(|default| default.eq_ignore_ascii_case("null"));
    let without_rowid: bool = connection
        .prepare_cached("SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'")?
        .query_row([name], |row| row.get(0))?;
    let own_index = if without_rowid { primary_index(connection, name)? } else { None };
    let order = own_index.map(|index| index_columns(connection, &index)).transpose()?;
    let rowid_alias = table.indexes.iter().find(|index| index.primary && !index.separate && !without_rowid);
    let rowid_alias = rowid_alias.and_then(|index| index.columns.first()?.column);
    let mut next = 0;
    let mut sources = Vec::with_capacity(columns.len());
    for (position, (hidden, default)) in columns.iter().enumerate() {
        let stored = *hidden != 2;
        let number = match &order {
            Some((columns, _)) => columns.iter().position(|&held| held == Some(position)),
            None => stored.then_some(next),
        };
        next += usize::from(stored);
        sources.push(match number {
            _ if rowid_alias == Some(position) => ColumnSource::Rowid,
            Some(number) => ColumnSource::Field(Field { number, absent_is_null: absent_is_null(default) }),
            None => ColumnSource::Computed,
        });
    }
    Ok(Some(TableLayout { root, without_rowid, columns: sources }))
}

/// Returns `None` if the index is the table itself.
pub fn index(connection: &Connection, index: &str) -> Result<Option<IndexLayout>> {
    let Some(root) = root(connection, "index", index)? else { return Ok(None) };
    let (columns, descending) = index_columns(connection, index)?;
    Ok(Some(IndexLayout { root, columns, descending }))
}

/// Returns one flag for each field of a WITHOUT ROWID table, in primary key order: true if the field is descending.
pub fn own_order(connection: &Connection, table: &str) -> Result<Vec<bool>> {
    match primary_index(connection, table)? {
        Some(index) => Ok(index_columns(connection, &index)?.1),
        None => Ok(Vec::new()),
    }
}

fn root(connection: &Connection, kind: &str, name: &str) -> Result<Option<u32>> {
    let mut statement = connection
        .prepare_cached("SELECT rootpage FROM main.sqlite_schema WHERE type = ?1 AND name = ?2 COLLATE NOCASE")?;
    let mut rows = statement.query([kind, name])?;
    let root: Option<u32> = rows.next()?.map(|row| row.get(0)).transpose()?;
    Ok(root.filter(|&root| root > 0))
}

fn primary_index(connection: &Connection, table: &str) -> Result<Option<String>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'")?;
    let mut rows = statement.query([table])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

fn index_columns(connection: &Connection, index: &str) -> Result<(Vec<Option<usize>>, Vec<bool>)> {
    let mut statement =
        connection.prepare_cached("SELECT cid, \"desc\" FROM pragma_index_xinfo(?1, 'main') ORDER BY seqno")?;
    let parts: Vec<(i64, bool)> =
        statement.query_map([index], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    Ok(parts.into_iter().map(|(column, descending)| (usize::try_from(column).ok(), descending)).unzip())
}
