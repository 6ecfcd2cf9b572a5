//! Where the file stores a table's columns: the root page of the tree, and the field of its records.
//!
//! The definitions are read once, with the catalog. A reader of pages asks for a layout by the name of its table or index.

use std::collections::HashMap;

/// Where the value of a column is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    Field(Field),
    /// The column is an alias of the rowid.
    Rowid,
    /// A virtual generated column: SQLite computes it at each read.
    Computed,
}

impl ColumnSource {
    /// Returns the field of the record that has the column's value.
    pub fn field(self) -> Option<Field> {
        match self {
            ColumnSource::Field(field) => Some(field),
            ColumnSource::Rowid | ColumnSource::Computed => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub number: usize,
    /// True if a record that ends before this field means NULL. Otherwise it means a default that only SQLite knows.
    pub absent_is_null: bool,
}

/// The layouts of all tables and indexes that have a b-tree of their own.
#[derive(Debug, Default)]
pub struct Layouts {
    pub tables: HashMap<String, TableLayout>,
    pub indexes: HashMap<String, IndexLayout>,
}

#[derive(Debug, Clone)]
pub struct TableLayout {
    pub root: u32,
    /// True for a WITHOUT ROWID table: its rows are the entries of its primary key's index.
    pub without_rowid: bool,
    /// One entry for each column of the table.
    pub columns: Vec<ColumnSource>,
    /// One flag for each field of a WITHOUT ROWID table, in primary key order: true if the field is descending.
    pub own_order: Vec<bool>,
}

#[derive(Debug, Clone)]
pub struct IndexLayout {
    pub root: u32,
    pub fields: IndexFields,
}

/// The fields of an index's entries.
#[derive(Debug, Clone, Default)]
pub struct IndexFields {
    /// The table's columns in the order of the index's fields; `None` for an expression or the rowid.
    pub columns: Vec<Option<usize>>,
    pub descending: Vec<bool>,
}

/// What the definition of a column says about its storage.
#[derive(Debug, Clone)]
pub struct StoredColumn {
    /// True for a virtual generated column, which has no field.
    pub is_computed: bool,
    /// True if the column has no default, or NULL.
    pub absent_is_null: bool,
}

impl IndexLayout {
    /// Returns the field that holds a column of the table.
    pub fn field_of(&self, column: usize) -> Option<Field> {
        let number = self.fields.columns.iter().position(|&held| held == Some(column))?;
        Some(Field { number, absent_is_null: true })
    }

    /// Returns the field that holds the rowid: the last field, in an index of a rowid table.
    pub fn rowid_field(&self) -> usize {
        self.fields.columns.len().saturating_sub(1)
    }
}

impl TableLayout {
    /// `own_index` gives the fields of a WITHOUT ROWID table, and `rowid_alias` the column that is the rowid.
    pub fn new(
        root: u32,
        columns: &[StoredColumn],
        own_index: Option<IndexFields>,
        rowid_alias: Option<usize>,
    ) -> TableLayout {
        let mut next = 0;
        let mut sources = Vec::with_capacity(columns.len());
        for (position, column) in columns.iter().enumerate() {
            let number = match &own_index {
                Some(fields) => fields.columns.iter().position(|&held| held == Some(position)),
                None => (!column.is_computed).then_some(next),
            };
            next += usize::from(!column.is_computed);
            sources.push(match number {
                _ if rowid_alias == Some(position) => ColumnSource::Rowid,
                Some(number) => ColumnSource::Field(Field { number, absent_is_null: column.absent_is_null }),
                None => ColumnSource::Computed,
            });
        }
        let without_rowid = own_index.is_some();
        let own_order = own_index.map(|fields| fields.descending).unwrap_or_default();
        TableLayout { root, without_rowid, columns: sources, own_order }
    }
}
