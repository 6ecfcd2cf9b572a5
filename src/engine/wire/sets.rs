//! Changes rows in sets on a server: the lines of each group go into a temporary table, and one statement changes their rows.

use std::collections::BTreeSet;
use std::collections::HashMap;

use super::Failure;
use super::writer::ServerWriter;
use super::writing::WriterConnection;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::set_writer::SetWriter;
use crate::model::ids::RelationId;
use crate::model::row_group::BatchLine;
use crate::model::row_group::BatchOutcome;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowGroup;
use crate::model::value::Value;
use crate::sql::Sql;
use crate::sql::batch;
use crate::sql::batch::Batch;
use crate::sql::batch::BatchChange;
use crate::sql::batch::LoadedRows;

/// The number of lines of a batch.
const BATCH: usize = 10_000;

/// The statements about the savepoint of a set.
const SAVEPOINT: &str = "SAVEPOINT fk_doctor_set";
const RELEASE_SAVEPOINT: &str = "RELEASE SAVEPOINT fk_doctor_set";
const RETURN_TO_SAVEPOINT: &str = "ROLLBACK TO SAVEPOINT fk_doctor_set";

/// The batch whose lines are in temporary tables. Groups are given by their indexes in [`RowBatch::groups`].
#[derive(Default)]
pub(super) struct LoadedBatch {
    id: Option<u64>,
    /// For each temporary table, the group whose lines it holds. Groups may share a table.
    groups: HashMap<String, usize>,
    /// For each group about which the server was asked, true if its rows can be inserted directly.
    direct: HashMap<usize, bool>,
}

impl<C: WriterConnection + Send> SetWriter for ServerWriter<C> {
    fn batch_size(&self) -> usize {
        BATCH
    }

    fn supports(&mut self, group: &RowGroup<'_>) -> Result<bool, EngineError> {
        Ok(batch::of(group.schema).is_some_and(|batch| batch.is_possible(group)))
    }

    /// The locks of its tables keep all other sessions out of a transaction that does not leave room for them.
    fn data_version(&mut self) -> Result<Option<i64>, EngineError> {
        Ok(self.locked_transaction)
    }

    fn count_fitting(&mut self, batch: &RowBatch<'_, '_>) -> Result<u64, EngineError> {
        let counted = self.within_savepoint(|writer| {
            let mut fitting = 0;
            for (&group, lines) in &batch.by_group {
                let sql = writer.load(batch, group, lines)?;
                fitting += writer.number(&sql.count_fitting(&batch.groups[group]))?;
            }
            Ok(fitting)
        });
        counted.map_err(|failure| self.failed(failure))
    }

    fn set_savepoint(&mut self) -> Result<(), EngineError> {
        self.run(SAVEPOINT.to_owned()).map_err(|failure| self.failed(failure))
    }

    fn release_savepoint(&mut self) -> Result<(), EngineError> {
        self.run(RELEASE_SAVEPOINT.to_owned()).map_err(|failure| self.failed(failure))
    }

    fn return_to_savepoint(&mut self) -> Result<(), EngineError> {
        // The temporary tables may have lost their rows.
        self.loaded = LoadedBatch::default();
        let returned = format!("{RETURN_TO_SAVEPOINT}; {RELEASE_SAVEPOINT}");
        self.run(returned).map_err(|failure| self.failed(failure))
    }

    fn change_batch(&mut self, batch: &RowBatch<'_, '_>) -> Result<BatchOutcome, EngineError> {
        self.deferred_has_run = false;
        let changed = self.with_plans(|writer| {
            if C::COUNTS_TEMPORARY_TABLES {
                return writer.change_groups(batch);
            }
            let (mut outcome, rows) = writer.counted(|writer| writer.change_groups(batch))?;
            outcome.beyond = rows.abs_diff(outcome.changed);
            Ok(outcome)
        });
        changed.map_err(|failure| self.failed(failure))
    }

    fn each_reference(
        &mut self,
        batch: &RowBatch<'_, '_>,
        relation: RelationId,
        wanted: &BTreeSet<usize>,
        each: &mut dyn FnMut(usize, &[Value]),
    ) -> Result<(), EngineError> {
        let query = |sql: &dyn Batch, group: &RowGroup<'_>| sql.references(group, &group.schema.relations[relation]);
        self.each_wanted(batch, wanted, &query, each)
    }

    fn referenced(
        &mut self,
        batch: &RowBatch<'_, '_>,
        relation: RelationId,
        wanted: &BTreeSet<usize>,
    ) -> Result<BTreeSet<usize>, EngineError> {
        let query = |sql: &dyn Batch, group: &RowGroup<'_>| sql.referenced(group, &group.schema.relations[relation]);
        let mut referenced = BTreeSet::new();
        let mut add = |index: usize, _: &[Value]| _ = referenced.insert(index);
        self.each_wanted(batch, wanted, &query, &mut add)?;
        Ok(referenced)
    }

    fn each_orphan(
        &mut self,
        group: &RowGroup<'_>,
        relation: RelationId,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), EngineError> {
        let Some(sql) = batch::of(group.schema) else { return Ok(()) };
        let query = sql.orphan_children(group.schema, &group.schema.relations[relation]);
        Session::each_row(self, &query, each)
    }
}

impl<C: WriterConnection + Send> ServerWriter<C> {
    /// Loads the lines of a group, unless the temporary table holds them already. Returns the statements of the engine.
    pub(super) fn load(
        &mut self,
        batch: &RowBatch<'_, '_>,
        group: usize,
        lines: &[usize],
    ) -> Result<&'static dyn Batch, Failure> {
        let about = &batch.groups[group];
        let sql = batch::of(about.schema)
            .ok_or_else(|| Failure::Unreachable { why: "the server has no statements for sets".to_owned() })?;
        if self.loaded(batch).groups.insert(sql.batch_table(about), group) == Some(group) {
            return Ok(sql);
        }
        let statements: Vec<String> =
            sql.make_empty(about).iter().map(|statement| statement.text().to_owned()).collect();
        self.run(statements.join("; "))?;
        let numbers: Vec<Value> = lines.iter().map(|&index| number_of(index)).collect();
        let rows = LoadedRows::of_lines(about, &numbers, &lines_at(batch, lines));
        self.connection.load(&|rows| sql.load(about, rows), &rows, &self.limits.deadline)?;
        if let Some(measure) = sql.measure(about) {
            self.run(measure.text().to_owned())?;
        }
        Ok(sql)
    }

    /// Returns what is loaded of a batch.
    fn loaded(&mut self, batch: &RowBatch<'_, '_>) -> &mut LoadedBatch {
        if self.loaded.id != Some(batch.id) {
            self.loaded = LoadedBatch { id: Some(batch.id), ..LoadedBatch::default() };
        }
        &mut self.loaded
    }

    /// True if the rows of a group can be inserted directly. The server is asked once for each batch.
    pub(super) fn can_insert_directly(&mut self, batch: &RowBatch<'_, '_>, group: usize) -> Result<bool, Failure> {
        if let Some(known) = self.loaded(batch).direct.get(&group) {
            return Ok(*known);
        }
        let is_direct = self.stores_as_loaded(&batch.groups[group])?;
        self.loaded(batch).direct.insert(group, is_direct);
        Ok(is_direct)
    }

    /// True if the table of a group now stores new rows as they are loaded.
    fn stores_as_loaded(&mut self, group: &RowGroup<'_>) -> Result<bool, Failure> {
        let query = batch::of(group.schema).and_then(|sql| sql.stores_as_loaded(group));
        query.map_or(Ok(false), |query| Ok(self.number(&query)? == 1))
    }

    /// Inserts the rows of a group directly, if their table stores them as planned.
    fn insert_directly(
        &mut self,
        batch: &RowBatch<'_, '_>,
        group: usize,
        lines: &[usize],
    ) -> Result<Option<BatchOutcome>, Failure> {
        let about = &batch.groups[group];
        let Some(sql) = batch::of(about.schema) else { return Ok(None) };
        if !self.can_insert_directly(batch, group)? {
            return Ok(None);
        }
        let rows = LoadedRows::of_new_rows(about, &lines_at(batch, lines));
        let insert = |writer: &mut Self| {
            writer.connection.load(&|rows| sql.insert_directly(about, rows), &rows, &writer.limits.deadline)
        };
        let wanted = lines.len() as u64;
        let written = if C::COUNTS_TEMPORARY_TABLES {
            self.counted(insert)?.1
        } else {
            insert(self)?;
            wanted
        };
        // The table is locked by now. Another session may have created a trigger before.
        let changed = if self.stores_as_loaded(about)? { wanted } else { 0 };
        Ok(Some(BatchOutcome { changed, beyond: written.abs_diff(wanted) }))
    }

    /// Runs a query for each group with wanted lines. Calls `each` with every row that begins with the number of a wanted line: with the
    /// index of the line, and the other values of the row.
    fn each_wanted(
        &mut self,
        batch: &RowBatch<'_, '_>,
        wanted: &BTreeSet<usize>,
        query: &dyn Fn(&dyn Batch, &RowGroup<'_>) -> Sql,
        each: &mut dyn FnMut(usize, &[Value]),
    ) -> Result<(), EngineError> {
        let asked = self.with_plans(|writer| {
            let groups: BTreeSet<usize> = wanted.iter().map(|&index| batch.lines[index].group).collect();
            for group in groups {
                let sql = writer.load(batch, group, &batch.by_group[&group])?;
                writer.each(&query(sql, &batch.groups[group]), &mut |row| {
                    let number = row.first().and_then(unsigned);
                    let index = number.and_then(|number| usize::try_from(number).ok());
                    if let Some(index) = index.filter(|index| wanted.contains(index)) {
                        each(index, &row[1..]);
                    }
                })?;
            }
            Ok(())
        });
        asked.map_err(|failure| self.failed(failure))
    }

    /// Changes the rows of a batch, group by group, until a row does not come out as planned.
    fn change_groups(&mut self, batch: &RowBatch<'_, '_>) -> Result<BatchOutcome, Failure> {
        let mut outcome = BatchOutcome::default();
        for group in batch.order() {
            let lines = &batch.by_group[&group];
            let of_group = match self.insert_directly(batch, group, lines)? {
                Some(outcome) => outcome,
                None => {
                    let sql = self.load(batch, group, lines)?;
                    self.change_group(sql.change(&batch.groups[group]))?
                }
            };
            outcome.changed += of_group.changed;
            outcome.beyond += of_group.beyond;
            if of_group.changed != lines.len() as u64 {
                break;
            }
        }
        Ok(outcome)
    }

    /// Changes the rows of a group. A query does not count the rows beyond the group.
    fn change_group(&mut self, change: BatchChange) -> Result<BatchOutcome, Failure> {
        match change {
            BatchChange::Query(query) => {
                let mut least = 0;
                self.each(&query, &mut |row| least = row.iter().filter_map(unsigned).min().unwrap_or(0))?;
                Ok(BatchOutcome { changed: least, beyond: 0 })
            }
            BatchChange::Statement { change, stored, is_buffered } => {
                let (changed, rows) = self.counted(|writer| {
                    writer.connection.change(change.text(), change.parameters(), &writer.limits.deadline)
                })?;
                let counted = if is_buffered { changed.saturating_mul(2) } else { changed };
                let stored = stored.map(|stored| self.number(&stored)).transpose()?;
                Ok(BatchOutcome {
                    changed: stored.map_or(changed, |stored| stored.min(changed)),
                    beyond: rows.abs_diff(counted),
                })
            }
        }
    }

    /// Changes rows. Returns also how many rows the server counts as changed by it, triggers included. A smaller number than expected
    /// is no better than a larger one: the server did not count as it was taken to.
    fn counted<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<(T, u64), Failure> {
        let before = self.count()?;
        let changed = change(self)?;
        Ok((changed, self.count()?.saturating_sub(before)))
    }

    /// Runs queries with plans for small sets of rows.
    pub(super) fn with_plans<T>(
        &mut self,
        queries: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some([small, usual]) = C::PLANS_OF_SETS else { return queries(self) };
        self.run(small.to_owned())?;
        let answer = queries(self)?;
        self.run(usual.to_owned())?;
        Ok(answer)
    }

    /// Runs queries after whose failure the transaction goes on.
    fn within_savepoint<T>(&mut self, queries: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        if C::ATTEMPT.is_none() {
            return self.with_plans(queries);
        }
        self.run(SAVEPOINT.to_owned())?;
        let answer = self.with_plans(queries);
        if answer.is_err() {
            self.loaded = LoadedBatch::default();
            if self.connection.is_open() {
                self.run(RETURN_TO_SAVEPOINT.to_owned())?;
            }
        }
        if self.connection.is_open() {
            self.run(RELEASE_SAVEPOINT.to_owned())?;
        }
        answer
    }

    pub(super) fn run(&mut self, statements: String) -> Result<(), Failure> {
        self.connection.run(statements, &self.limits.deadline)
    }

    pub(super) fn each(&mut self, query: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), Failure> {
        self.connection.ask(query.text(), query.parameters(), &self.limits.deadline, each)
    }

    /// Returns the number in the first column of the answer's only row.
    pub(super) fn number(&mut self, query: &Sql) -> Result<u64, Failure> {
        let mut number = 0;
        self.each(query, &mut |row| number = row.first().and_then(unsigned).unwrap_or(0))?;
        Ok(number)
    }
}

fn lines_at<'b>(batch: &RowBatch<'b, '_>, lines: &[usize]) -> Vec<&'b BatchLine<'b>> {
    lines.iter().map(|&index| &batch.lines[index]).collect()
}

/// Returns an index as the number of a line in a temporary table.
fn number_of(index: usize) -> Value {
    Value::Integer(i64::try_from(index).unwrap_or(i64::MAX))
}

pub(super) fn unsigned(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok())
}
