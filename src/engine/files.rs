//! A folder of Parquet, text and JSON files, read as a database.
//!
//! The modules, from the bottom up: [`lake`] has the tables and their files. [`list`] and [`delta`] find the files of a table,
//! and [`tables`] unites their columns. [`types`] is the law of what equals what; [`cell`], [`number`] and [`civil`] make a value
//! comparable, and [`key`] a whole key. [`parquet_file`] opens a Parquet file, [`parquet_types`] has its types, and
//! [`parquet_rows`], with [`page_sizes`] and [`unpacked_pages`], its rows. They, [`text_file`] and [`json_file`] read files in
//! [`batch`]es, and [`rows`] reads a table piece by piece. [`judge`] finds the orphans. [`stored_rows`] gives rows and keys to a discovery, and
//! [`pair_counts`] counts what it asks for. [`private`] answers SQL.
//!
//! A table that cannot be read is reported with its reason, and never taken for an empty one. Nothing here writes to the
//! folder.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::Database;
use super::EngineError;
use super::Session;
use super::WaitLimits;
use crate::model::catalog::Catalog;
use crate::model::catalog::Column;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::Engine;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::lake::TableFiles;
use lake::Lake;
use lake::LakeTable;
use stamp::Stamp;

mod batch;
pub(in crate::engine) mod cell;
mod civil;
mod delta;
mod fault;
mod json_file;
mod json_line;
mod judge;
mod kept_lines;
mod key;
mod lake;
mod list;
mod lz4;
mod number;
mod page_sizes;
mod pair_counts;
mod parquet_file;
mod parquet_rows;
mod parquet_types;
mod private;
mod rows;
mod session;
mod stamp;
mod stored_rows;
mod tables;
mod text_file;
mod text_input;
pub(in crate::engine) mod types;
mod unpacked_pages;

struct FilesDatabase {
    root: PathBuf,
    lake: Arc<Lake>,
    limits: WaitLimits,
}

/// Opens a folder. `configured` describes its tables; if it is empty, each file and each folder in it is one.
pub fn open(root: &Path, configured: &[TableFiles], limits: &WaitLimits) -> Result<Box<dyn Database>, EngineError> {
    let lake = tables::read(root, configured).map_err(|why| EngineError::Unreadable {
        what: root.display().to_string(),
        why,
        help: "check the path and the permissions of the folder".to_owned(),
    })?;
    Ok(Box::new(FilesDatabase { root: root.to_owned(), lake: Arc::new(lake), limits: limits.clone() }))
}

impl Database for FilesDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        let whole = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let name =
            whole.file_name().map_or_else(|| whole.display().to_string(), |name| name.to_string_lossy().into_owned());
        let database = DatabaseName { engine: Engine::Files, name, version: String::new(), default_schema: None };
        let tables: Vec<Table> = self.lake.tables.iter().map(table).collect();
        Ok(Catalog { database, names: NameRule::Exact, tables: Tables::from(tables), foreign_keys: Vec::new() })
    }

    fn session(&mut self) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(session::FilesSession::open(&self.lake, &self.limits)?))
    }

    fn sessions(&mut self, _: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        // One session reads with many threads. A second one would pour the same rows again.
        Ok(vec![self.session()?])
    }

    fn change_while_reading(&self) -> Option<String> {
        let mut files = self.lake.tables.iter().flat_map(|table| &table.files);
        let changed = files.find(|file| Stamp::of(&file.path).ok().as_ref() != Some(&file.stamp))?;
        Some(format!("{} changed while it was read", changed.name))
    }
}

fn table(of: &LakeTable) -> Table {
    let mut table = Table::new(TableName { schema: None, table: of.name.clone() }, TableKind::Table);
    table.columns = of
        .columns
        .iter()
        .map(|column| Column {
            name: column.name.clone(),
            declared_type: column.of.to_string(),
            family: column.of.family(),
            collation: None,
            not_null: false,
            generated: false,
            always_identity: false,
            sql_type: None,
        })
        .collect();
    let address = of.address_name();
    table.row_address = address.map(str::to_owned);
    table.address_lasts = address.is_some();
    table.unreadable = of.unreadable.clone();
    if address.is_none() {
        table.unreadable.get_or_insert("its columns have all names of a row's address: rename one of them".to_owned());
    }
    table
}
