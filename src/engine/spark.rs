//! A cluster that speaks Spark Connect, such as Spark, Sail and Databricks. The cluster reads the files and does the work.
//!
//! The modules, from the bottom up: [`failure`] has the reasons of missing answers. [`answer`] reads an answer to its end, and
//! [`connection`] asks the questions. [`types`] is the law of which columns may be compared, [`text_files`] finds keys that the
//! cluster would misread, and [`value`] reads batches.
//!
//! Each table of the configuration becomes a temporary view of one session of the cluster. Nothing else is created, and the
//! session is ended.

use std::collections::BTreeSet;

use arrow_schema::SchemaRef;

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
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;
use crate::sql::spark;
use connection::Connection;
use failure::Failure;
use session::SparkSession;
use text_files::TextFiles;

mod answer;
mod connection;
mod failure;
mod session;
mod text_files;
mod types;
mod value;

struct SparkDatabase {
    address: Address,
    limits: WaitLimits,
    tables: Vec<TableFiles>,
    version: String,
    /// Holds the session of the cluster, which all connections share.
    first: Connection,
}

/// Opens a cluster with the tables of the configuration.
pub(crate) fn open(
    address: &Address,
    tables: &[TableFiles],
    limits: &WaitLimits,
) -> Result<Box<dyn Database>, EngineError> {
    let connect = || {
        let first = Connection::open(address, None)?;
        let mut version = String::new();
        first.greet(spark::version().text(), &limits.deadline, &mut |batch| {
            value::each_row(&batch, 0, &mut |row| {
                version = row.first().and_then(Value::as_text).unwrap_or_default().to_owned();
            })?;
            Ok(())
        })?;
        Ok((first, version))
    };
    let (first, version) = connect().map_err(|failure: Failure| failure::connect_error(&failure, address))?;
    // Spark adds the revision of its source.
    let version = version.split_whitespace().next().unwrap_or_default().to_owned();
    Ok(Box::new(SparkDatabase {
        address: address.clone(),
        limits: limits.clone(),
        tables: tables.to_vec(),
        version,
        first,
    }))
}

impl Drop for SparkDatabase {
    fn drop(&mut self) {
        self.first.end_session();
    }
}

impl Database for SparkDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        let database = DatabaseName {
            engine: Engine::Spark,
            name: self.address.host.clone().unwrap_or_default(),
            version: self.version.clone(),
            default_schema: None,
        };
        let mut names = BTreeSet::new();
        let mut tables = Tables::new();
        for files in &self.tables {
            let table = match names.insert(files.name.to_lowercase()) {
                true => self.table(files)?,
                // A cluster would take both for the same view.
                false => {
                    unreadable(files, "another table has this name, if case is ignored: rename one of them".to_owned())
                }
            };
            tables.push(table);
        }
        Ok(Catalog { database, names: NameRule::Exact, tables, foreign_keys: Vec::new() })
    }

    fn session(&mut self) -> Result<Box<dyn Session>, EngineError> {
        let text_files = TextFiles::new(&self.tables, &self.version);
        let session = SparkSession::open(&self.address, &self.limits, text_files, self.first.session_id());
        Ok(Box::new(session.map_err(|failure| failure::connect_error(&failure, &self.address))?))
    }

    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        (0..wanted.max(1)).map(|_| self.session()).collect()
    }

    fn change_while_reading(&self) -> Option<String> {
        None
    }
}

impl SparkDatabase {
    /// Makes the view of a table, and returns its columns. A table that the cluster cannot read has the reason.
    fn table(&self, files: &TableFiles) -> Result<Table, EngineError> {
        let view = match spark::create(files) {
            Ok(view) => view,
            Err(why) => return Ok(unreadable(files, why)),
        };
        match self.viewed(files, &view) {
            Ok(table) => Ok(table),
            Err(Failure::Refused(why)) => Ok(unreadable(files, self.address.censored(&why))),
            Err(failure) => Err(failure::query_error(&failure, &self.address)),
        }
    }

    fn viewed(&self, files: &TableFiles, view: &Sql) -> Result<Table, Failure> {
        self.run(view)?;
        let schema = self.run(&spark::columns(&files.name))?.filter(|schema| !schema.fields().is_empty());
        let left_out = self.left_out(files)?;
        Ok(match (left_out, schema) {
            (Some(why), _) => unreadable(files, why),
            (None, Some(schema)) => described(files, &schema),
            (None, None) => unreadable(files, "the cluster finds no file there".to_owned()),
        })
    }

    /// Returns why the table lacks rows, if the cluster leaves out some of its files.
    fn left_out(&self, files: &TableFiles) -> Result<Option<String>, Failure> {
        let Some((name, view)) = spark::all_files(files) else { return Ok(None) };
        self.run(&view)?;
        let deadline = &self.limits.deadline;
        let read = self.first.files(spark::rows(&files.name).text(), deadline)?;
        let all = self.first.files(spark::rows(&name).text(), deadline)?;
        Ok(files_left_out(&read, &all))
    }

    /// Runs a statement, and returns the columns of its answer.
    fn run(&self, sql: &Sql) -> Result<Option<SchemaRef>, Failure> {
        let mut schema = None;
        self.first.ask(sql.text(), sql.parameters(), &self.limits.deadline, &mut |batch| {
            schema = Some(value::each_row(&batch, 0, &mut |_| {})?.0);
            Ok(())
        })?;
        Ok(schema)
    }
}

/// Compares the files that are read with all files in and below a folder. Spark reads only folders below it whose names are like
/// `key=value`.
fn files_left_out(read: &[String], all: &[String]) -> Option<String> {
    let is_data = |path: &&String| !path.rsplit('/').next().unwrap_or_default().starts_with(['_', '.']);
    let [read, all] = [read, all].map(|files| files.iter().filter(is_data).collect::<BTreeSet<_>>());
    let left_out: Vec<&&String> = all.difference(&read).collect();
    let first = left_out.first()?;
    Some(format!(
        "the cluster leaves out {} of its {} files, which are in folders below it, such as {first}: name all files by a pattern",
        left_out.len(),
        all.len()
    ))
}

fn unreadable(files: &TableFiles, why: String) -> Table {
    let name = TableName { schema: None, table: files.name.clone() };
    Table { unreadable: Some(why), ..Table::new(name, TableKind::Table) }
}

/// Returns the table with its columns. Nested columns are left out, because they are neither keys nor names of rows.
fn described(files: &TableFiles, schema: &SchemaRef) -> Table {
    let mut table = Table::new(TableName { schema: None, table: files.name.clone() }, TableKind::Table);
    let columns = schema.fields().iter().filter_map(|field| {
        Some(Column {
            declared_type: types::sql_name(field.data_type())?,
            family: types::law_type(field.data_type()).family(),
            ..Column::unknown(field.name().clone())
        })
    });
    table.columns = columns.collect();
    for name in &files.key {
        match table.columns.iter().position(|column| column.name == *name) {
            Some(column) => table.primary_key.push(column),
            None => table.unreadable = Some(format!("it has no column {name}, which its `key` names")),
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_folders_below_a_table_are_left_out_unless_they_are_read() {
        let files = |names: &[&str]| names.iter().map(|name| format!("file:///lake/c/{name}")).collect::<Vec<_>>();
        let all = files(&["a.parquet", "2024/b.parquet", "_SUCCESS"]);
        let why = files_left_out(&files(&["a.parquet"]), &all).unwrap();
        assert!(why.contains("leaves out 1 of its 2 files") && why.contains("file:///lake/c/2024/b.parquet"), "{why}");
        assert_eq!(files_left_out(&files(&["2024/b.parquet", "a.parquet"]), &all), None);
    }
}
