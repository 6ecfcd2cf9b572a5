//! Finds the rows of a load that would fail, before they are written. Each row is inserted into a copy of its table, which
//! checks values and keys. Then the references of all rows are checked. Parents in the same load count.
//!
//! Only a few rows are in memory at a time. A row is identified by its location: its source, and its line in the source.

use std::rc::Rc;
use std::sync::Arc;

use crate::diagnose;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::Trial;
use crate::engine::trial::InsertOutcome;
use crate::findings;
use crate::intake::FileError;
use crate::intake::Record;
use crate::model::check_result::CheckResult;
use crate::model::check_result::FailingLine;
use crate::model::check_result::LISTED_ROWS;
use crate::model::check_result::LoadSource;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Sample;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::redaction::Redaction;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::value::Value;
use crate::scan;
use crate::scan::Tally;
use crate::sql::load;
use crate::sql::load::CountingColumn;
use crate::sql::load::Load;

mod order;
mod refusals;

use refusals::Refusals;

/// The largest number of lines of one source. A location is the number of the source times this, plus the line.
pub const LINES_PER_SOURCE: u64 = 1 << 40;

/// A check of a load: inserts the records of its sources into a trial.
pub struct Check<'a> {
    trial: &'a mut dyn Trial,
    schema: Arc<Schema>,
    load: Box<dyn Load>,
    samples: usize,
    loads: Vec<(TableId, LoadSource)>,
    waiting: Option<Waiting>,
    refusals: Refusals,
}

/// Rows of one source that are inserted together next.
struct Waiting {
    table: TableId,
    columns: Vec<usize>,
    rows: Vec<(i64, Vec<Value>)>,
}

/// An error that ends a check.
#[derive(Debug)]
pub enum CheckError {
    /// A file cannot be read as a load.
    FileError(FileError),
    Engine(EngineError),
}

impl From<FileError> for CheckError {
    fn from(fault: FileError) -> CheckError {
        CheckError::FileError(fault)
    }
}

impl From<EngineError> for CheckError {
    fn from(error: EngineError) -> CheckError {
        CheckError::Engine(error)
    }
}

impl<'a> Check<'a> {
    /// Begins a check of rows for these tables.
    pub fn begin(
        trial: &'a mut dyn Trial,
        schema: Schema,
        tables: &[TableId],
        samples: usize,
    ) -> Result<Check<'a>, EngineError> {
        let mut distinct = tables.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let load = load::of(&schema, &distinct).ok_or_else(|| {
            let what = "the rows to a trial".to_owned();
            let why = format!("fk-doctor cannot check a load on {}", schema.database.engine.title());
            let help = "load the rows into a copy of the database, and run `fk-doctor scan` on the copy".to_owned();
            EngineError::Unwritable { what, why, help }
        })?;
        trial.prepare(&load.create_load_tables(&schema, &distinct))?;
        for &table in &distinct {
            continue_counters(trial, load.as_ref(), &schema, table)?;
        }
        trial.begin_load()?;
        Ok(Check {
            trial,
            schema: Arc::new(schema),
            load,
            samples,
            loads: Vec::new(),
            waiting: None,
            refusals: Refusals::keeping(samples.max(LISTED_ROWS)),
        })
    }

    /// Begins the next source. Its records are for this table.
    pub fn source(&mut self, table: TableId, source: &str) {
        let name = self.schema.tables[table].name.to_string();
        self.loads.push((table, LoadSource { table: name, source: source.to_owned(), is_staged: false, rows: 0 }));
    }

    /// Checks every row of a staging table as a row of another table. The rows are read in a session of their own. Columns are
    /// matched by name.
    pub fn staged(&mut self, session: &mut dyn Session, staging: TableId, table: TableId) -> Result<(), CheckError> {
        let schema = Arc::clone(&self.schema);
        let (from, to) = (&schema.tables[staging], &schema.tables[table]);
        let counterpart = |name: &str| to.columns.iter().position(|column| schema.names.same(&column.name, name));
        let pairs: Vec<(usize, usize)> = from
            .columns
            .iter()
            .enumerate()
            .filter_map(|(index, column)| Some((index, counterpart(&column.name)?)))
            .filter(|&(_, column)| !to.columns[column].generated)
            .collect();
        let (sources, columns): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
        let loaded = LoadSource { table: to.name.to_string(), source: from.name.to_string(), is_staged: true, rows: 0 };
        self.loads.push((table, loaded));
        let (mut ordinal, mut fault) = (0_u64, None);
        let query = self.load.staged_rows(&schema, staging, &sources);
        session.each_row(&query, &mut |row| {
            let Some((address, values)) = row.split_first() else { return };
            ordinal += 1;
            let line = address.as_integer().and_then(|address| u64::try_from(address).ok()).unwrap_or(ordinal);
            if fault.is_none() {
                fault = self.take(&columns, line.min(LINES_PER_SOURCE - 1), values.to_vec()).err();
            }
        })?;
        fault.map_or(Ok(()), Err)
    }

    /// Returns a function that accepts the records of the current source.
    pub fn record_sink(&mut self) -> impl FnMut(Record) -> Result<(), CheckError> + use<'_, 'a> {
        let mut known: Option<(Rc<[String]>, Vec<usize>)> = None;
        move |record| {
            if !known.as_ref().is_some_and(|(names, _)| Rc::ptr_eq(names, &record.columns)) {
                let columns = self.columns(&record)?;
                known = Some((Rc::clone(&record.columns), columns));
            }
            match &known {
                Some((_, columns)) => self.take(columns, record.line, record.values),
                None => Ok(()),
            }
        }
    }

    /// Returns the columns of the table to which the fields of a record belong.
    fn columns(&self, record: &Record) -> Result<Vec<usize>, FileError> {
        let Some((table, _)) = self.loads.last() else { return Ok(Vec::new()) };
        let table = &self.schema.tables[*table];
        let mut found: Vec<usize> = Vec::new();
        for name in record.columns.iter() {
            let column = table.columns.iter().position(|column| self.schema.names.same(&column.name, name.trim()));
            let fault = |why: String, help: String| FileError { line: record.line, why, help };
            let Some(column) = column else {
                let known = table.columns.iter().map(|column| column.name.as_str());
                let help = match text::nearest(name, known) {
                    Some(near) => format!("did you mean {near}? the first line, or --columns, names the columns"),
                    None => "the first line, or --columns, names the columns".to_owned(),
                };
                return Err(fault(format!("{} has no column {name}", table.name), help));
            };
            if found.contains(&column) {
                return Err(fault(format!("the column {name} is named twice"), "name each column once".to_owned()));
            }
            found.push(column);
        }
        Ok(found)
    }

    fn take(&mut self, columns: &[usize], line: u64, values: Vec<Value>) -> Result<(), CheckError> {
        let number = self.loads.len() as u64;
        let Some((table, loaded)) = self.loads.last_mut() else { return Ok(()) };
        let table = *table;
        loaded.rows += 1;
        let location = i64::try_from(number * LINES_PER_SOURCE + line).unwrap_or(i64::MAX);
        if self.waiting.as_ref().is_some_and(|waiting| waiting.table != table || waiting.columns != columns) {
            self.insert_waiting()?;
        }
        let new = || Waiting { table, columns: columns.to_vec(), rows: Vec::new() };
        let waiting = self.waiting.get_or_insert_with(new);
        waiting.rows.push((location, values));
        if waiting.rows.len() >= self.load.max_rows_per_insert(columns.len()) {
            self.insert_waiting()?;
        }
        Ok(())
    }

    fn insert_waiting(&mut self) -> Result<(), EngineError> {
        let Some(Waiting { table, columns, rows }) = self.waiting.take() else { return Ok(()) };
        self.insert(table, &columns, &rows)
    }

    /// Inserts rows together. If the copy refuses any of them, it inserts one half after the other, down to the single row that is
    /// refused. So each row is checked only against the rows before it.
    fn insert(&mut self, table: TableId, columns: &[usize], rows: &[(i64, Vec<Value>)]) -> Result<(), EngineError> {
        let [(location, values), ..] = rows else { return Ok(()) };
        let locations: Vec<i64> = rows.iter().map(|(location, _)| *location).collect();
        let insert = self.load.insert(&self.schema, table, columns, rows);
        let outcome =
            self.trial.insert_rows(&insert, self.load.unique_collisions(&self.schema, table, &locations).as_ref())?;
        if !self.trial.holds_load() {
            let why = match outcome {
                InsertOutcome::Refused(refusal) => refusal.message,
                _ => "the transaction of the load ended".to_owned(),
            };
            return Err(EngineError::Failed { why: format!("a trigger rolls the whole load back: {why}") });
        }
        if outcome != InsertOutcome::Taken && rows.len() > 1 {
            let (first, second) = rows.split_at(rows.len() / 2);
            self.insert(table, columns, first)?;
            return self.insert(table, columns, second);
        }
        let row = refusals::Row { table, columns, values, location: *location };
        match outcome {
            InsertOutcome::Taken => {}
            InsertOutcome::Refused(refusal) => {
                self.refusals.add(self.trial, self.load.as_ref(), &self.schema, &refusal, &row);
            }
            InsertOutcome::Collides(index) => self.refusals.add_collision(&self.schema, index, &row),
        }
        Ok(())
    }

    /// Inserts the last rows, and returns the rows that would fail.
    pub fn finish(mut self, redaction: &Redaction) -> Result<CheckResult, EngineError> {
        self.insert_waiting()?;
        let tables: Vec<TableId> = self.loads.iter().map(|(table, _)| *table).collect();
        let mut found = Vec::new();
        let schema = Arc::clone(&self.schema);
        for (index, relation) in schema.relations.entries() {
            if relation.origin != Origin::Declared || !tables.contains(&relation.child) {
                continue;
            }
            let errors = relation.defects.iter().filter(|defect| defect.code.severity() == Severity::Error);
            found.extend(errors.map(|defect| {
                findings::plain(index, relation, defect.code, defect.message.clone(), defect.help.clone())
            }));
            if matches!(relation.judge, Judge::Incomparable(_)) {
                continue;
            }
            let query = self.load.loaded_orphans(&self.schema, index);
            let kept = self.kept();
            let tally = scan::tally(&self.schema, self.trial, relation, &query, kept)?;
            if tally.orphan_rows == 0 {
                continue;
            }
            self.trial.prepare(&[self.load.insert_orphan_positions(&self.schema, index)])?;
            let diagnosis = diagnose::diagnose(&self.schema, self.trial, relation, &tally, redaction);
            let finding = Finding { diagnosis, ..self.finding(index, &tally) };
            let samples = finding.samples.clone().into_iter().map(|sample| self.with_location(relation.child, sample));
            let samples = samples.collect();
            found.push(redaction.finding(&self.schema, Finding { samples, ..finding }));
        }
        let session: &mut dyn Session = self.trial;
        let orphans = session.numbers(&self.load.count_orphan_positions())?.first().copied().unwrap_or(0);
        let (order, cycles) = order::of(&self.schema, &tables);
        let name = |location: i64| location_of(&self.loads, location);
        let refused = self.refusals.finish(&name, redaction);
        Ok(CheckResult {
            trial: self.trial.method(),
            would_fail: orphans + refused.iter().map(|refused| refused.rows).sum::<u64>(),
            schema: self.schema,
            loads: self.loads.into_iter().map(|(_, load)| load).collect(),
            findings: found,
            refused,
            order,
            cycles,
            samples: self.samples,
            corrected: None,
        })
    }

    /// Returns the number of rows and keys that are kept of each finding.
    fn kept(&self) -> usize {
        self.samples.max(LISTED_ROWS)
    }

    fn finding(&self, index: RelationId, tally: &Tally) -> Finding<Value> {
        let relation = &self.schema.relations[index];
        let verb = if tally.orphan_rows == 1 { "refers" } else { "refer" };
        let message = format!(
            "{} for {} {verb} to {} that neither {} nor the load has",
            text::plural(tally.orphan_rows, "row"),
            self.schema.child(relation).name,
            text::plural(tally.missing_keys, "key"),
            relation.parent.name
        );
        let help = format!(
            "load the missing rows of {} before or together with these rows, or correct the references",
            relation.parent.name
        );
        let finding = findings::plain(index, relation, Code::WouldFail, message, help);
        findings::with_tally(finding, tally, self.kept())
    }

    /// Returns a sample that names its row by file and line, or by staging table and row.
    fn with_location(&mut self, table: TableId, sample: Sample<Value>) -> Sample<Value> {
        let mut location = None;
        let query = self.load.position_of_row(&self.schema, table, &sample.row.iter().cloned().collect());
        let outcome = self.trial.each_row(&query, &mut |row| location = row.first().and_then(Value::as_integer));
        match (outcome, location) {
            (Ok(()), Some(location)) => {
                let (source, line) = location_of(&self.loads, location);
                let is_staged = self.loads.iter().any(|(_, load)| load.source == source && load.is_staged);
                let (file, number) = FailingLine::names(is_staged);
                let line = i64::try_from(line).unwrap_or(i64::MAX);
                Sample {
                    row: vec![(file.to_owned(), Value::text(source)), (number.to_owned(), Value::Integer(line))],
                    ..sample
                }
            }
            _ => sample,
        }
    }
}

/// Sets the counters of the copy to the next numbers of the real table. It takes no number from the real table's counters.
fn continue_counters(
    trial: &mut dyn Trial,
    load: &dyn Load,
    schema: &Schema,
    table: TableId,
) -> Result<(), EngineError> {
    let Some(query) = load.auto_increment_columns(schema, table) else { return Ok(()) };
    let mut counted = Vec::new();
    trial.each_row(&query, &mut |row| {
        if let [name, without_default] = row {
            counted.push((name.as_text().unwrap_or_default().to_owned(), without_default.as_integer() == Some(1)));
        }
    })?;
    for (name, without_default) in counted {
        let index = schema.tables[table].columns.iter().position(|column| column.name == name);
        let Some(column) = index else { continue };
        let Some(query) = load.next_auto_increment(schema, table, column) else { continue };
        let mut next = None;
        trial.each_row(&query, &mut |row| next = row.first().and_then(Value::as_integer))?;
        let Some(next) = next else { continue };
        trial.prepare(
            &load.restart_auto_increment(table, &CountingColumn { name: &name, column, without_default, next }),
        )?;
    }
    Ok(())
}

/// Returns the source and the line of a location, for example `("orders.csv", 12)`.
fn location_of(loads: &[(TableId, LoadSource)], location: i64) -> (String, u64) {
    let location = u64::try_from(location).unwrap_or(0);
    let load = usize::try_from(location / LINES_PER_SOURCE).ok().and_then(|number| loads.get(number.checked_sub(1)?));
    (load.map_or_else(String::new, |(_, load)| load.source.clone()), location % LINES_PER_SOURCE)
}
