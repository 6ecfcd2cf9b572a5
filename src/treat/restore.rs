//! Restores quarantined rows: each row comes back if its parents exist or come back too, and if its table accepts it.
//!
//! Rows are tried in rounds, the tables of parents first. A round ends when no further row finds its parents. Rows that
//! refer to each other in a cycle are then tried together. Every accepted row is inserted into the rehearsal, so that later
//! rows find it as their parent.

use std::collections::HashSet;

use super::CHUNK;
use super::Draft;
use super::PlanSessions;
use super::Planner;
use super::Request;
use super::Start;
use super::TreatError;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::has_own_address;
use crate::model::restore::Obstacle;
use crate::model::restore::RESTORE;
use crate::model::restore::RestoreForecast;
use crate::model::restore::RestoredTable;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::plan_draft::Step;
use crate::plan_draft::Unit;
use crate::quarantine_file::QuarantinedRows;
use crate::scan::Progress;

mod acceptance;
mod cycles;
mod sources;

use sources::Quarantined;
use sources::Sources;

pub use sources::quarantine_tables;

/// The rows that are to be restored.
pub struct RestoreSelection<'a> {
    /// The only table whose rows come back, by its name.
    pub table: Option<&'a str>,
    /// An SQL condition over the row.
    pub condition: Option<&'a str>,
    /// Files of quarantined rows. If there are none, the quarantine tables of the database are read.
    pub files: Vec<QuarantinedRows>,
}

/// Plans the return of quarantined rows.
pub fn plan<'a>(
    request: Request<'a>,
    selection: RestoreSelection<'a>,
    sessions: PlanSessions,
    progress: Progress<'a>,
) -> Result<Draft, TreatError> {
    let PlanSessions { mut reader, lookups, rehearsal } = sessions;
    let planner = Planner::new(&request, lookups, rehearsal, progress)?;
    let forecasts = request.schema.relations.ids().filter_map(|relation| match request.start(relation) {
        Start::Done(forecast) => Some(forecast),
        Start::Treat(_) | Start::NotDeclared => None,
    });
    let mut restorer = Restorer::new(planner, selection)?;
    restorer.restore_all()?;
    let Restorer { mut planner, tables, sources, .. } = restorer;
    planner.remember_orphans(request.facts, reader.as_mut())?;
    planner.plan_counters()?;
    let mut draft = planner.finish(forecasts.collect());
    let tables = tables.into_iter().map(|table| table.forecast).filter(|table| table.rows > 0).collect();
    draft.forecast.restore = Some(RestoreForecast { sources: sources.names(), tables });
    Ok(draft)
}

/// The selected rows of one table.
struct TableWork {
    /// `None` if the table does not exist any more.
    table: Option<TableId>,
    /// The rows that were neither restored nor given up, by their indexes in the sources.
    waiting: Vec<usize>,
    forecast: RestoredTable<Value>,
}

struct Restorer<'a> {
    planner: Planner<'a>,
    sources: Sources,
    condition: Option<&'a str>,
    /// The tables of the rows, parents first.
    tables: Vec<TableWork>,
    /// The addresses of the rows that come back.
    addresses: HashSet<(TableId, i64)>,
}

/// A quarantined row as its table would store it.
struct Returning {
    /// Its index in the sources.
    index: usize,
    row: Quarantined,
    /// The name of the row in its table.
    name: RowName,
    /// The row as the rehearsal stores it.
    image: Row,
}

/// A row that cannot come back now.
struct Blocked {
    obstacle: Obstacle,
    /// Its missing key, if it has no parent.
    key: Option<Key>,
}

impl Blocked {
    fn by(obstacle: Obstacle) -> Blocked {
        Blocked { obstacle, key: None }
    }
}

impl<'a> Restorer<'a> {
    fn new(mut planner: Planner<'a>, selection: RestoreSelection<'a>) -> Result<Restorer<'a>, TreatError> {
        let sources = Sources::read(&mut planner, selection.files)?;
        let mut tables: Vec<TableWork> = Vec::new();
        for (index, name) in sources.table_names().enumerate() {
            if selection.table.is_some_and(|only| !planner.schema.names.same(only, name)) {
                continue;
            }
            match tables.iter_mut().find(|work| work.forecast.table == name) {
                Some(work) => work.waiting.push(index),
                None => tables.push(TableWork {
                    table: planner.schema.table(name),
                    waiting: vec![index],
                    forecast: RestoredTable::of(name.to_owned()),
                }),
            }
        }
        let order = parents_first(&planner, &tables);
        tables.sort_by_key(|work| order.iter().position(|table| work.table == Some(*table)));
        let rows: usize = tables.iter().map(|work| work.waiting.len()).sum();
        planner.progress.total = rows as u64;
        Ok(Restorer { planner, sources, condition: selection.condition, tables, addresses: HashSet::new() })
    }

    fn restore_all(&mut self) -> Result<(), TreatError> {
        self.select()?;
        for work in &mut self.tables {
            work.forecast.rows = work.waiting.len() as u64;
        }
        loop {
            let mut any = false;
            for table in 0..self.tables.len() {
                any |= self.restore_table(table)?;
            }
            if !any && !self.restore_cycles()? {
                break;
            }
        }
        for table in 0..self.tables.len() {
            self.leave_waiting(table)?;
        }
        Ok(())
    }

    /// Keeps only the rows that meet the condition. A row that its table refuses cannot be judged, and is kept.
    fn select(&mut self) -> Result<(), TreatError> {
        let Some(condition) = self.condition else { return Ok(()) };
        for work in 0..self.tables.len() {
            let Some(table) = self.tables[work].table else { continue };
            let mut selected = Vec::new();
            for chunk in std::mem::take(&mut self.tables[work].waiting).chunks(CHUNK) {
                let mut open = self.read(table, chunk)?;
                loop {
                    let (judged, refused) = self.judge(table, open, condition, &mut selected)?;
                    open = refused;
                    if judged == 0 {
                        break;
                    }
                }
                selected.extend(open.iter().map(|(index, _)| *index));
            }
            selected.sort_unstable();
            self.tables[work].waiting = selected;
        }
        Ok(())
    }

    /// Inserts rows into the rehearsal, evaluates the condition there, and removes them. Returns the number of rows that were
    /// judged, and the rows that the rehearsal refused.
    fn judge(
        &mut self,
        table: TableId,
        rows: Vec<(usize, Quarantined)>,
        condition: &str,
        selected: &mut Vec<usize>,
    ) -> Result<(usize, Vec<(usize, Quarantined)>), TreatError> {
        let about = &self.planner.schema.tables[table];
        let (mut inserted, mut refused): (Vec<(usize, RowName)>, _) = (Vec::new(), Vec::new());
        for (index, row) in rows {
            match self.name_in(about, &row) {
                Ok(name) if self.rehearse(table, &name, &row.image)?.is_none() => inserted.push((index, name)),
                _ => refused.push((index, row)),
            }
        }
        if !inserted.is_empty() {
            let names: Vec<&RowName> = inserted.iter().map(|(_, name)| name).collect();
            let (rehearsal, sql) = self.planner.rehearsal_of(table)?;
            let query = sql.rows_where(about, &names, condition);
            let outcome = rehearsal.numbered(&query, names.len(), &mut |number, _| selected.push(inserted[number].0));
            outcome.map_err(|error| TreatError::Condition { table: about.name.to_string(), why: error.because() })?;
            for name in names {
                self.withdraw_rehearsed(table, name)?;
            }
        }
        Ok((inserted.len(), refused))
    }

    /// Restores the rows of one table whose parents exist. Returns true if any row came back.
    fn restore_table(&mut self, work: usize) -> Result<bool, TreatError> {
        let mut any = false;
        let Some(table) = self.tables[work].table else { return Ok(false) };
        let relations = self.planner.relations_from(table);
        let refers_to_itself = relations.iter().any(|(_, relation)| relation.parent.table == Some(table));
        for chunk in std::mem::take(&mut self.tables[work].waiting).chunks(CHUNK) {
            let mut open = self.read(table, chunk)?;
            loop {
                let before = open.len();
                open = self.restore_chunk(work, table, open)?;
                let is_changed = open.len() < before;
                any |= is_changed;
                if open.is_empty() || !refers_to_itself || !is_changed {
                    break;
                }
            }
            self.tables[work].waiting.extend(open.iter().map(|(index, _)| *index));
        }
        Ok(any)
    }

    /// Restores the rows of a chunk whose parents exist, and gives up those that can never come back. Returns the rows
    /// that wait for a parent.
    fn restore_chunk(
        &mut self,
        work: usize,
        table: TableId,
        rows: Vec<(usize, Quarantined)>,
    ) -> Result<Vec<(usize, Quarantined)>, TreatError> {
        let rows = self.without_returned(work, table, rows)?;
        let blocked = self.missing_parents(table, &rows.iter().map(|(_, row)| &row.image).collect::<Vec<_>>())?;
        let (mut ready, mut waiting) = (Vec::new(), Vec::new());
        for (row, blocked) in rows.into_iter().zip(blocked) {
            if blocked.is_none() { ready.push(row) } else { waiting.push(row) }
        }
        for returning in self.accept(work, table, ready)? {
            let unit = self.planner.draft.unit(Step::Parent);
            self.put(work, table, returning, unit)?;
        }
        Ok(waiting)
    }

    /// Gives up the rows of a file that came back already.
    fn without_returned(
        &mut self,
        work: usize,
        table: TableId,
        rows: Vec<(usize, Quarantined)>,
    ) -> Result<Vec<(usize, Quarantined)>, TreatError> {
        let (mut open, mut returned) = (Vec::with_capacity(rows.len()), Vec::new());
        let name = &self.planner.schema.tables[table].name;
        for (index, row) in rows {
            match row.record.is_none() && self.planner.came_back(name, &row.name, &row.image)? {
                true => returned.push((row, Obstacle::CameBack)),
                false => open.push((index, row)),
            }
        }
        self.give_up(work, returned)?;
        Ok(open)
    }

    /// Plans one row and its record, as one unit: a record in a table is removed, and a row of a file is listed as come back.
    fn put(&mut self, work: usize, table: TableId, returning: Returning, unit: Unit) -> Result<(), TreatError> {
        let about = &self.planner.schema.tables[table];
        let Returning { row, name, image, .. } = returning;
        let reason = |role: ChangeRole| ChangeReason {
            role,
            relation: row.relation.clone(),
            rule: row.rule.clone(),
            treatment: RESTORE.to_owned(),
        };
        let mut change = Change::new(about.name.clone(), name.clone(), None, Some(image));
        if let Some(own) = row.address.filter(|_| has_own_address(about)) {
            change.address = Some(self.address_of(table, &name, own)?);
        }
        change.reasons.push(reason(ChangeRole::Restored));
        self.planner.draft.put_in(unit, &change)?;
        if row.record.is_none() {
            let listed = (&about.name, &row.name, &row.image);
            self.planner.list_returned_row(listed, reason(ChangeRole::Record), unit)?;
        }
        if let Some(record) = &row.record {
            let source = &self.planner.schema.tables[record.table];
            let stored = record.image.columns.clone();
            let mut removal = Change::new(source.name.clone(), record.name.clone(), Some(stored), None);
            removal.address = record.image.address.filter(|_| has_own_address(source));
            removal.reasons.push(reason(ChangeRole::Record));
            self.planner.draft.put_in(unit, &removal)?;
        }
        self.planner.record_created(table, &name, None);
        self.tables[work].forecast.restore(row.shown_name(about));
        self.planner.progress.tried(1);
        Ok(())
    }

    fn give_up(&mut self, work: usize, rows: Vec<(Quarantined, Obstacle)>) -> Result<(), TreatError> {
        for (row, obstacle) in rows {
            self.leave(work, &row, &Blocked::by(obstacle));
        }
        Ok(())
    }

    fn leave(&mut self, work: usize, row: &Quarantined, blocked: &Blocked) {
        let schema = self.planner.schema;
        let about = self.tables[work].table.map(|table| &schema.tables[table]);
        let name = about.map_or_else(|| row.name.pairs(), |about| row.shown_name(about));
        self.tables[work].forecast.leave(&blocked.obstacle, blocked.key.as_ref(), name);
        self.planner.progress.tried(1);
    }

    /// Counts the rows that have no parent, or no table.
    fn leave_waiting(&mut self, work: usize) -> Result<(), TreatError> {
        for chunk in std::mem::take(&mut self.tables[work].waiting).chunks(CHUNK) {
            let rows = self.sources.rows(&mut self.planner, chunk)?;
            let readable: Vec<Quarantined> = self.readable(work, rows).into_iter().map(|(_, row)| row).collect();
            let blocked = match self.tables[work].table {
                Some(table) => {
                    let images: Vec<&Row> = readable.iter().map(|row| &row.image).collect();
                    self.missing_parents(table, &images)?
                }
                None => readable.iter().map(|_| None).collect(),
            };
            for (row, blocked) in readable.iter().zip(blocked) {
                let blocked = blocked.unwrap_or_else(|| Blocked::by(Obstacle::NoTable));
                self.leave(work, row, &blocked);
            }
        }
        Ok(())
    }

    /// Reads rows of one table. Rows whose records cannot be read stay.
    fn read(&mut self, table: TableId, chunk: &[usize]) -> Result<Vec<(usize, Quarantined)>, TreatError> {
        let rows = self.sources.rows(&mut self.planner, chunk)?;
        let work = self.tables.iter().position(|work| work.table == Some(table)).unwrap_or_default();
        Ok(self.readable(work, rows))
    }

    fn readable(&mut self, work: usize, rows: Vec<(usize, Result<Quarantined, String>)>) -> Vec<(usize, Quarantined)> {
        let mut readable = Vec::new();
        for (index, row) in rows {
            match row {
                Ok(row) => readable.push((index, row)),
                Err(why) => {
                    self.tables[work].forecast.leave(&Obstacle::Unreadable(why), None, Vec::new());
                    self.planner.progress.tried(1);
                }
            }
        }
        readable
    }
}

/// Returns the existing tables, each after the tables to which it refers, except in a cycle.
fn parents_first(planner: &Planner<'_>, tables: &[TableWork]) -> Vec<TableId> {
    fn visit(planner: &Planner<'_>, table: TableId, open: &mut Vec<TableId>, order: &mut Vec<TableId>) {
        let Some(index) = open.iter().position(|other| *other == table) else { return };
        open.swap_remove(index);
        for (_, relation) in planner.relations_from(table) {
            if let Some(parent) = relation.parent.table {
                visit(planner, parent, open, order);
            }
        }
        order.push(table);
    }
    let mut open: Vec<TableId> = tables.iter().filter_map(|work| work.table).collect();
    let mut order = Vec::new();
    for work in tables {
        if let Some(table) = work.table {
            visit(planner, table, &mut open, &mut order);
        }
    }
    order
}
