//! Merges twins: rows of a parent table that mean the same. The children of each twin are pointed at the row that is kept, and
//! the twin is quarantined. This is a source of changes beside the orphans: no finding is needed for it.
//!
//! If one of its children cannot be pointed at the kept row, a twin stays with all its children. All rows get their new parents
//! before the first twin goes, and each row goes before the rows to which it refers.

use std::collections::BTreeMap;

use super::CHUNK;
use super::Cause;
use super::Planner;
use super::TreatError;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::plan::shown_name;
use crate::model::repoint::RepointForecast;
use crate::model::repoint::TwinSample;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::Repoint;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::value::Value;
use crate::plan_draft::Batch;

mod child_lists;
mod children;
mod collisions;
mod delete_order;
mod merge;
mod moved;
mod pairs;
mod read_ahead;
mod rehearsed;
mod row_numbers;

use merge::Merge;
use moved::MovedRows;
use pairs::Pair;
use read_ahead::ReadAhead;

/// One rule that repoints, while it is planned.
struct RepointRule<'a> {
    rule: &'a Rule,
    repoint: &'a Repoint,
    table: TableId,
    /// The id of a relation to the table, which the plan names as the reason.
    relation: &'a str,
}

/// What all merges of a plan share.
#[derive(Default)]
struct Shared {
    moved: MovedRows,
    /// The batch of the updates of each table.
    updates: BTreeMap<TableId, Batch>,
}

impl RepointRule<'_> {
    fn cause(&self) -> Cause<'_> {
        Cause { rule: self.rule, relation: self.relation }
    }
}

impl<'a> Planner<'a> {
    /// Plans the changes of all rules that repoint.
    pub(super) fn repoint(&mut self, rules: &'a Rules) -> Result<Vec<RepointForecast<Value>>, TreatError> {
        let mut forecasts = Vec::new();
        let mut shared = Shared::default();
        for rule in rules.iter() {
            let Some(repoint) = rule.repoints() else { continue };
            // `check` has reported a rule without its table.
            let Some(table) = self.schema.table(rule.parent_table()) else { continue };
            let relation = self.schema.relations.iter().find(|relation| relation.parent.table == Some(table));
            let relation = relation.map_or("", |relation| relation.id.as_str());
            let about = RepointRule { rule, repoint, table, relation };
            forecasts.push(self.merge_twins(&about, &mut shared)?);
        }
        if forecasts.iter().any(|forecast| forecast.merged > 0) {
            self.order_deletes()?;
        }
        Ok(forecasts)
    }

    fn merge_twins(
        &mut self,
        about: &RepointRule<'a>,
        shared: &mut Shared,
    ) -> Result<RepointForecast<Value>, TreatError> {
        let table = &self.schema.tables[about.table];
        let mut forecast = RepointForecast::of(&about.rule.id.value, table.name.to_string());
        let found = self.pairs(about, &mut forecast)?;
        self.progress.total += found.len() as u64;
        let (mut first, mut size, mut lists) = (0, CHUNK, BTreeMap::new());
        while first < found.len() {
            let chunk: Vec<Pair> = found.from(first).take(size).collect();
            let ahead = match self.may_continue() {
                true => self.read_ahead(about.table, (&found, first), &chunk, &mut lists)?,
                false => ReadAhead::new(&found, first),
            };
            if !ahead.is_whole && chunk.len() > 1 {
                size = chunk.len() / 4 + 1;
                continue;
            }
            for pair in &chunk {
                forecast.twins += 1;
                if self.may_continue() {
                    self.merge_twin(about, shared, &ahead, pair, &mut forecast)?;
                    self.check_limits();
                }
                self.progress.tried(1);
            }
            first += chunk.len();
            size = CHUNK.min(2 * size);
        }
        Ok(forecast)
    }

    /// Merges one twin, if that is possible.
    fn merge_twin(
        &mut self,
        about: &RepointRule<'a>,
        shared: &mut Shared,
        ahead: &ReadAhead<'_>,
        Pair { twin, kept }: &Pair,
        forecast: &mut RepointForecast<Value>,
    ) -> Result<(), TreatError> {
        let table = &self.schema.tables[about.table];
        let image = self.stored_image(ahead, about.table, twin)?;
        let shown = |row: &RowName, image: Option<&Row>| shown_name(table, row, image).pairs();
        let twin_name = shown(twin, image.as_ref().map(|image| &image.columns));
        let kept = match kept {
            Ok(kept) => kept,
            Err(why) => {
                forecast.leave(why, twin_name);
                return Ok(());
            }
        };
        let mut merge = Merge::new(about, shared, ahead);
        match self.merge_into(&mut merge, about.table, twin, kept) {
            Ok(()) => {
                forecast.merge(|| TwinSample { twin: twin_name, kept: shown(kept, None) });
                self.finish_merge(merge, forecast)
            }
            Err(stop) => {
                let why = stop.why()?;
                self.withdraw_merge(merge)?;
                forecast.leave(&why, twin_name);
                Ok(())
            }
        }
    }

    /// True if single rows of the table can be identified.
    fn has_identity(&self, table: TableId) -> bool {
        !identity_columns(&self.schema.tables[table]).is_empty()
    }
}
