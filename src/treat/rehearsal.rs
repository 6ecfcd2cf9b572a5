//! The rehearsal of a plan: private tables with the database's definitions. Rows are inserted there before they are planned.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Planner;
use super::TreatError;
use super::rehearsed_rows::MOST_VALUES;
use super::stop::Stop;
use crate::engine::EngineError;
use crate::engine::write::Attempt;
use crate::engine::write::Rehearsal;
use crate::engine::write::TableCreation;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::plan_draft::DraftMark;
use crate::sql::repair::Repair;

/// The rehearsal, and the tables that were created in it so far.
pub(super) struct RehearsalTables {
    pub(super) session: Box<dyn Rehearsal>,
    pub(super) tables: BTreeSet<TableId>,
    /// Tables that lack the rows which the plan created since a mark.
    pub(super) behind: BTreeMap<TableId, DraftMark>,
}

impl RehearsalTables {
    pub(super) fn new(session: Box<dyn Rehearsal>) -> RehearsalTables {
        RehearsalTables { session, tables: BTreeSet::new(), behind: BTreeMap::new() }
    }
}

impl<'a> Planner<'a> {
    /// Creates a table in the rehearsal. The step is undecided if the table cannot be created there or if changes of its rows
    /// could not be rolled back.
    pub(super) fn rehearse_table(&mut self, table: TableId) -> Result<(), Stop> {
        let about = &self.schema.tables[table];
        if let Some(why) = &about.irreversible {
            return Stop::undecided(format!("{} {why}", about.name));
        }
        if !self.rehearsal.tables.contains(&table) {
            let defaults = self.defaults(table)?;
            for statement in self.sql.create_rehearsal_table(about, &defaults) {
                if let TableCreation::Impossible(why) = self.rehearsal.session.create_table(&statement)? {
                    return Stop::undecided(format!("rows of {} cannot be rehearsed: {why}", about.name));
                }
            }
            self.rehearsal.tables.insert(table);
        }
        Ok(())
    }

    /// Returns the rehearsal with this table in it, and the statements for its tables.
    pub(super) fn rehearsal_of(
        &mut self,
        table: TableId,
    ) -> Result<(&mut dyn Rehearsal, &'static dyn Repair), TreatError> {
        match self.rehearse_table(table) {
            Ok(()) => {
                self.catch_up(table)?;
                Ok((self.rehearsal.session.as_mut(), self.sql.for_rehearsal()))
            }
            Err(stop) => Err(EngineError::Failed { why: stop.why()? }.into()),
        }
    }

    /// Inserts the rows that were planned without a rehearsal, because rows are now compared with them.
    fn catch_up(&mut self, table: TableId) -> Result<(), TreatError> {
        let Some(mark) = self.rehearsal.behind.remove(&table) else { return Ok(()) };
        let about = &self.schema.tables[table];
        let most = MOST_VALUES / (2 * about.columns.len()).max(1);
        let mut open: Vec<Change> = Vec::new();
        let (session, sql) = (self.rehearsal.session.as_mut(), self.sql.for_rehearsal());
        let mut insert = |changes: &mut Vec<Change>| -> Result<(), TreatError> {
            let rows: Vec<(&RowName, &Row)> =
                changes.iter().filter_map(|change| Some((&change.row, change.after.as_ref()?))).collect();
            if !rows.is_empty()
                && let Attempt::Refused(refusal) = session.attempt(&sql.insert_rows(about, &rows))?
            {
                let why = format!("the rehearsal refused planned rows of {}: {}", about.name, refusal.message);
                return Err(EngineError::Failed { why }.into());
            }
            changes.clear();
            Ok(())
        };
        self.draft.each_since(mark, |change| {
            if change.table == about.name && change.before.is_none() {
                open.push(change);
            }
            if open.len() < most { Ok(()) } else { insert(&mut open) }
        })?;
        insert(&mut open)
    }

    /// Returns the columns of a table that have a DEFAULT, each with its text, for example `("state", "'new'")`.
    pub(super) fn defaults(&mut self, table: TableId) -> Result<Vec<(String, String)>, TreatError> {
        if let Some(known) = self.new_parents.defaults.get(&table) {
            return Ok(known.clone());
        }
        let mut defaults = Vec::new();
        self.lookups.each_row(&self.sql.column_defaults(&self.schema.tables[table]), &mut |row| {
            if let [name, text] = row
                && let (Some(name), Some(text)) = (name.as_text(), text.as_text())
                && !text.eq_ignore_ascii_case("null")
            {
                defaults.push((name.to_owned(), text.to_owned()));
            }
        })?;
        self.new_parents.defaults.insert(table, defaults.clone());
        Ok(defaults)
    }
}
