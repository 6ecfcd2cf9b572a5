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
    index_roots: HashMap<String, u32>,
    unknown: StoredTable,
}

#[derive(Default)]
pub(super) struct StoredTable {
    /// The root page, if the table has a b-tree of its own.
    pub(super) root: Option<u32>,
    /// The statement that created it; `None` if it is not readable as text.
    pub(super) text: Option<String>,
    pub(super) has_index: bool,
}

impl StoredSchema {
    pub(super) fn read(connection: &Connection) -> Result<StoredSchema> {
        let mut statement = connection.prepare(
            "SELECT type = 'index', name, tbl_name, rootpage, sql FROM main.sqlite_schema WHERE type IN ('table', 'index')",
        )?;
        let mut rows = statement.query([])?;
        let mut schema = StoredSchema::default();
        while let Some(row) = rows.next()? {
            let name = |at: usize| row.get_ref(at).map(lower_case);
            let root: Option<u32> = row.get::<_, u32>(3).ok().filter(|&root| root > 0);
            if row.get(0)? {
                schema.tables.entry(name(2)?).or_default().has_index = true;
                if let Some(root) = root {
                    schema.index_roots.entry(name(1)?).or_insert(root);
                }
            } else {
                let table = schema.tables.entry(name(1)?).or_default();
                table.root = table.root.or(root);
                table.text = table.text.take().or(row.get(4).ok());
            }
        }
        Ok(schema)
    }

    pub(super) fn table(&self, name: &str) -> &StoredTable {
        self.tables.get(&name.to_ascii_lowercase()).unwrap_or(&self.unknown)
    }

    /// Leaves the pragmas as the only source.
    #[cfg(test)]
    pub(super) fn forget_texts(&mut self) {
        for table in self.tables.values_mut() {
            table.text = None;
            table.has_index = true;
        }
    }

    pub(super) fn index_root(&self, name: &str) -> Option<u32> {
        self.index_roots.get(&name.to_ascii_lowercase()).copied()
    }
}

impl StoredTable {
    /// True if the text contains a keyword, or could: a keyword cannot be written in another way.
    pub(super) fn mentions(&self, keyword: &str) -> bool {
        let is_keyword = |part: &[u8]| part.eq_ignore_ascii_case(keyword.as_bytes());
        self.text.as_ref().is_none_or(|text| text.as_bytes().windows(keyword.len()).any(is_keyword))
    }
}

fn lower_case(name: ValueRef<'_>) -> String {
    match name {
        ValueRef::Text(name) => String::from_utf8_lossy(name).to_ascii_lowercase(),
        _ => String::new(),
    }
}
