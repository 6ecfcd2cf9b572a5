//! The rows of `sqlite_schema`, read once: root pages, texts, and which tables have indexes.
//!
//! SQLite accepts a definition only if its text, in the same row, defines the row's name.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::Result;
use rusqlite::types::ValueRef;

#[derive(Default)]
pub(super) struct StoredSchema {
    /// By the name in lower case, as SQLite compares names.
    tables: HashMap<String, StoredTable>,
    unknown: StoredTable,
}

#[derive(Default)]
pub(super) struct StoredTable {
    /// The root page, if the table has a b-tree of its own.
    pub(super) root: Option<u32>,
    /// The statement that created it; `None` if it is not readable as text.
    pub(super) text: Option<String>,
    /// In the order in which they were created.
    pub(super) indexes: Vec<StoredIndex>,
}

pub(super) struct StoredIndex {
    pub(super) name: String,
    pub(super) root: Option<u32>,
    /// The statement that created it; `None` for the index of a key of its table.
    pub(super) text: Option<String>,
}

impl StoredSchema {
    pub(super) fn read(connection: &Connection) -> Result<StoredSchema> {
        let mut statement =
            connection.prepare("SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema ORDER BY rowid")?;
        let mut rows = statement.query([])?;
        let mut schema = StoredSchema::default();
        while let Some(row) = rows.next()? {
            let name = |at: usize| row.get_ref(at).map(text_of);
            let is_kind = |kind: &[u8], wanted: &str| kind.eq_ignore_ascii_case(wanted.as_bytes());
            let (ValueRef::Text(kind) | ValueRef::Blob(kind)) = row.get_ref(0)? else { continue };
            let root: Option<u32> = row.get::<_, u32>(3).ok().filter(|&root| root > 0);
            if is_kind(kind, "index") {
                // A text that cannot be read is not the absence of a text.
                let text = match row.get_ref(4)? {
                    ValueRef::Null => None,
                    _ => Some(row.get(4).unwrap_or_default()),
                };
                let table = schema.tables.entry(name(2)?.to_ascii_lowercase()).or_default();
                table.indexes.push(StoredIndex { name: name(1)?, root, text });
            } else if is_kind(kind, "table") {
                let table = schema.tables.entry(name(1)?.to_ascii_lowercase()).or_default();
                table.root = table.root.or(root);
                table.text = table.text.take().or(row.get(4).ok());
            }
        }
        Ok(schema)
    }

    pub(super) fn table(&self, name: &str) -> &StoredTable {
        self.tables.get(&name.to_ascii_lowercase()).unwrap_or(&self.unknown)
    }
}

impl StoredTable {
    /// Returns the root page of the first index with a name.
    pub(super) fn index_root(&self, name: &str) -> Option<u32> {
        self.indexes.iter().filter(|index| index.name.eq_ignore_ascii_case(name)).find_map(|index| index.root)
    }
}

fn text_of(name: ValueRef<'_>) -> String {
    match name {
        ValueRef::Text(name) | ValueRef::Blob(name) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    }
}
