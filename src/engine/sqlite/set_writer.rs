//! Changes a batch of rows with one prepared statement for each group. Each statement checks the conditions of its group, and the
//! transaction keeps all other writers out, so that the checks stay valid until the commit.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use rusqlite::CachedStatement;
use rusqlite::Connection;
use rusqlite::functions::Context;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ToSqlOutput;
use rusqlite::types::ValueRef;

use super::failure;
use super::session::from_sqlite;
use super::session::to_sqlite;
use super::writer::SqliteWriter;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::set_writer::SetWriter;
use crate::model::ids::RelationId;
use crate::model::row_group::BatchLine;
use crate::model::row_group::BatchOutcome;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowGroup;
use crate::model::value::Value;
use crate::model::value::exact_bytes;
use crate::sql::row_sets;
use crate::sql::row_sets::RowStatement;
use crate::sql::row_sets::SlotValue;

/// The number of lines of a batch.
const BATCH: usize = 1_000;

/// The statements about the savepoint of a set.
const SAVEPOINT: &str = "SAVEPOINT fk_doctor_set";
const RELEASE_SAVEPOINT: &str = "RELEASE fk_doctor_set";
const RETURN_TO_SAVEPOINT: &str = "ROLLBACK TO fk_doctor_set";

/// The number of prepared statements that are kept: two for each of many groups.
pub(super) const STATEMENTS: usize = 256;

/// Registers the function that compares stored values with images.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function(row_sets::SAME, -1, flags, |values| Ok(are_same(values)))
}

/// True if each value of the first half is stored exactly as its value of the second half.
fn are_same(values: &Context<'_>) -> bool {
    let half = values.len() / 2;
    (0..half).all(|index| is_same(values.get_raw(index), values.get_raw(half + index)))
}

/// True if both values have the same storage class and the same bits. See [`Value::is_same`].
fn is_same(left: ValueRef<'_>, right: ValueRef<'_>) -> bool {
    match (left, right) {
        (ValueRef::Real(left), ValueRef::Real(right)) => left.to_bits() == right.to_bits(),
        (left, right) => left == right,
    }
}

impl SetWriter for SqliteWriter {
    fn batch_size(&self) -> usize {
        BATCH
    }

    fn supports(&mut self, _: &RowGroup<'_>) -> Result<bool, EngineError> {
        Ok(true)
    }

    fn data_version(&mut self) -> Result<Option<i64>, EngineError> {
        let version = self.connection().query_row("PRAGMA main.data_version", [], |row| row.get(0));
        version.map(Some).map_err(|error| failure::failed(&error))
    }

    fn count_fitting(&mut self, batch: &RowBatch<'_, '_>) -> Result<u64, EngineError> {
        let count = || -> rusqlite::Result<u64> {
            let mut prepared = Prepared::new(self.connection(), batch, row_sets::fits);
            let mut fitting = 0;
            for line in batch.lines {
                let (statement, texts) = prepared.statement(line.group)?;
                bind(statement, texts, line)?;
                let mut rows = statement.raw_query();
                fitting += u64::from(rows.next()?.is_some());
            }
            Ok(fitting)
        };
        count().map_err(|error| failure::failed(&error))
    }

    fn set_savepoint(&mut self) -> Result<(), EngineError> {
        self.run(SAVEPOINT)
    }

    fn release_savepoint(&mut self) -> Result<(), EngineError> {
        self.run(RELEASE_SAVEPOINT)
    }

    fn return_to_savepoint(&mut self) -> Result<(), EngineError> {
        self.run(RETURN_TO_SAVEPOINT)?;
        self.run(RELEASE_SAVEPOINT)
    }

    fn change_batch(&mut self, batch: &RowBatch<'_, '_>) -> Result<BatchOutcome, EngineError> {
        let before = self.connection().total_changes();
        let mut outcome = BatchOutcome::default();
        let change = |outcome: &mut BatchOutcome| -> rusqlite::Result<()> {
            let mut prepared = Prepared::new(self.connection(), batch, row_sets::change);
            for line in batch.lines {
                let (statement, texts) = prepared.statement(line.group)?;
                bind(statement, texts, line)?;
                if statement.raw_execute()? != 1 {
                    break;
                }
                outcome.changed += 1;
            }
            Ok(())
        };
        let done = change(&mut outcome);
        if self.connection().is_autocommit() {
            // A trigger, or SQLite on a full disk, ended the transaction.
            let why =
                done.map_or_else(|error| failure::plain(&error), |()| "a trigger ended the transaction".to_owned());
            return Err(EngineError::Failed { why });
        }
        done.map_err(|error| failure::failed(&error))?;
        outcome.beyond = (self.connection().total_changes() - before).saturating_sub(outcome.changed);
        Ok(outcome)
    }

    fn each_reference(
        &mut self,
        batch: &RowBatch<'_, '_>,
        relation: RelationId,
        wanted: &BTreeSet<usize>,
        each: &mut dyn FnMut(usize, &[Value]),
    ) -> Result<(), EngineError> {
        let mut by_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &index in wanted {
            by_group.entry(batch.lines[index].group).or_default().push(index);
        }
        for (group, lines) in by_group {
            let group = &batch.groups[group];
            let about = &group.schema.relations[relation];
            let is_found = row_sets::finds_children(group.schema, about);
            let statement = row_sets::references(group, about, is_found);
            let read = match is_found {
                true => references_by_index(self.connection(), &statement, batch, &lines, group.name.len(), each),
                false => references_by_scan(self.connection(), &statement, batch, &lines, group.name.len(), each),
            };
            read.map_err(|error| failure::failed(&error))?;
        }
        Ok(())
    }

    fn each_orphan(
        &mut self,
        group: &RowGroup<'_>,
        relation: RelationId,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), EngineError> {
        Session::each_row(self, &row_sets::orphans(group.schema, &group.schema.relations[relation]), each)
    }
}

impl SqliteWriter {
    /// Runs a statement without parameters and without an answer.
    fn run(&self, statement: &str) -> Result<(), EngineError> {
        let run = || self.connection().prepare_cached(statement)?.raw_execute();
        run().map(|_| ()).map_err(|error| failure::failed(&error))
    }
}

/// The statements of the groups of a batch, each prepared when its first line comes.
struct Prepared<'c, 'b, 's> {
    connection: &'c Connection,
    batch: &'b RowBatch<'b, 's>,
    make: fn(&RowGroup<'_>) -> RowStatement,
    statements: Vec<Option<(CachedStatement<'c>, RowStatement)>>,
}

impl<'c, 'b, 's> Prepared<'c, 'b, 's> {
    fn new(
        connection: &'c Connection,
        batch: &'b RowBatch<'b, 's>,
        make: fn(&RowGroup<'_>) -> RowStatement,
    ) -> Prepared<'c, 'b, 's> {
        Prepared { connection, batch, make, statements: batch.groups.iter().map(|_| None).collect() }
    }

    fn statement(&mut self, group: usize) -> rusqlite::Result<(&mut CachedStatement<'c>, &RowStatement)> {
        let slot = &mut self.statements[group];
        let (statement, texts) = match slot.take() {
            Some(known) => slot.insert(known),
            None => {
                let text = (self.make)(&self.batch.groups[group]);
                slot.insert((self.connection.prepare_cached(text.text())?, text))
            }
        };
        Ok((statement, texts))
    }
}

fn bind(statement: &mut CachedStatement<'_>, texts: &RowStatement, line: &BatchLine<'_>) -> rusqlite::Result<()> {
    for (index, value) in texts.parameters(line).enumerate() {
        let value = match value {
            SlotValue::Value(value) => to_sqlite(value),
            SlotValue::Address(address) => ToSqlOutput::Borrowed(ValueRef::Integer(address)),
        };
        statement.raw_bind_parameter(index + 1, value)?;
    }
    Ok(())
}

/// Asks for the children of each line.
fn references_by_index(
    connection: &Connection,
    texts: &RowStatement,
    batch: &RowBatch<'_, '_>,
    lines: &[usize],
    names: usize,
    each: &mut dyn FnMut(usize, &[Value]),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(texts.text())?;
    let width = statement.column_count();
    let mut values = Vec::with_capacity(width);
    for &index in lines {
        bind(&mut statement, texts, &batch.lines[index])?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            values.clear();
            for column in names..width {
                values.push(from_sqlite(row.get_ref(column)?));
            }
            each(index, &values);
        }
    }
    Ok(())
}

/// Reads the whole child with the name of each row's parent, because no index finds the children of a parent.
fn references_by_scan(
    connection: &Connection,
    texts: &RowStatement,
    batch: &RowBatch<'_, '_>,
    lines: &[usize],
    names: usize,
    each: &mut dyn FnMut(usize, &[Value]),
) -> rusqlite::Result<()> {
    let mut wanted: HashMap<Vec<u8>, usize> = HashMap::with_capacity(lines.len());
    wanted.extend(lines.iter().map(|&index| (exact_bytes(batch.lines[index].name), index)));
    let mut statement = connection.prepare_cached(texts.text())?;
    let width = statement.column_count();
    let (mut values, mut name) = (Vec::with_capacity(width), Vec::new());
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        name.clear();
        for column in 0..names {
            from_sqlite(row.get_ref(column)?).append_exact(&mut name);
        }
        let Some(&index) = wanted.get(&name) else { continue };
        values.clear();
        for column in names..width {
            values.push(from_sqlite(row.get_ref(column)?));
        }
        each(index, &values);
    }
    Ok(())
}
