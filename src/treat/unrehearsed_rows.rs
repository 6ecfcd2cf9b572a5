//! The second pass over relations of which nothing can refuse or alter a changed row. No row is rehearsed. The rows are read
//! once with all their values, and are planned as they come: in the order of the table if all missing keys have the same
//! decision, and otherwise sorted by missing key.

use super::Case;
use super::Planner;
use super::TreatError;
use super::decide::Decision;
use super::decide::RowAction;
use super::decision_runs::DecisionRuns;
use super::images::is_too_long;
use super::kept_rows::QUARANTINE;
use super::kept_rows::RecordTable;
use super::passes::reads_child_columns;
use super::unrehearsed::is_certain_value;
use super::unrehearsed::is_unconstrained;
use super::unrehearsed::stores_unchanged;
use super::whole_rows::RowChange;
use super::whole_rows::RowLayout;
use super::whole_rows::WholeRow;
use super::whole_rows::example;
use super::whole_rows::image_text;
use super::whole_rows::sample;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Match;
use crate::model::change_group::ChangeValues;
use crate::model::forecast::ChangeSample;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::has_own_address;
use crate::model::plan::identity_columns;
use crate::model::row::RowName;
use crate::model::rule::QuarantineTarget;
use crate::model::value::Value;
use crate::plan_draft::Batch;
use crate::plan_draft::DraftGroup;
use crate::plan_draft::Step;
use crate::plan_draft::Unit;
use crate::plan_file;
use crate::scan::OrphanColumns;
use crate::sql::repair::RowOrder;

/// The number of rows after which the progress display advances.
const STRIDE: u64 = 1000;

/// The reason why rows are not planned in this way.
enum Obstacle {
    /// A row needs the rehearsal, or is too long for a plan.
    Row,
    Error(TreatError),
}

impl<E: Into<TreatError>> From<E> for Obstacle {
    fn from(error: E) -> Obstacle {
        Obstacle::Error(error.into())
    }
}

/// Planned changes with the same treatment and the same changed columns.
struct PlannedGroup<'d> {
    treatment: &'d str,
    /// The positions of the changed columns; empty if the rows are removed.
    set: Vec<usize>,
    /// True if the rows are removed or blanked.
    loses_data: bool,
    group: DraftGroup,
    rows: u64,
    samples: Vec<ChangeSample<Value>>,
}

/// The records of the removed rows.
struct RecordGroup {
    table: RecordTable,
    reason: ChangeReason,
    /// The group of their changes, after the first.
    group: Option<DraftGroup>,
}

/// The state of the pass.
struct Pass<'a, 'd> {
    decisions: &'d DecisionRuns,
    layout: RowLayout<'a>,
    /// The number of the missing key at hand, and the change of its rows with the treatment.
    at: Option<(i64, Option<(&'d str, RowChange<'d>)>)>,
    batch: Option<Batch>,
    groups: Vec<PlannedGroup<'d>>,
    record: Option<RecordGroup>,
    rows: u64,
}

impl<'a> Planner<'a> {
    /// Plans the changes of all orphans of a relation. Returns false, with nothing planned, if one of them must be rehearsed.
    pub(super) fn unrehearsed_pass(
        &mut self,
        case: &mut Case<'a>,
        reader: &mut dyn Session,
        decisions: &DecisionRuns,
    ) -> Result<bool, TreatError> {
        let Some(order) = self.unrehearsed_order(case, decisions) else { return Ok(false) };
        let sets = |decision: &Decision| matches!(decision, Decision::Decided { action: RowAction::Set { .. }, .. });
        if decisions.each().any(sets) && self.has_conditions(case.relation.child)? {
            return Ok(false);
        }
        let mark = self.draft.mark()?;
        let (done, kept) = (self.progress.tried, kept_in(decisions));
        let record = self.last_record(kept);
        match self.plan_whole_rows(case, reader, decisions, order) {
            Ok(pass) if pass.rows == case.tally.orphan_rows => {
                for planned in pass.groups {
                    if planned.loses_data {
                        self.count_losses(case, case.relation.child, planned.rows)?;
                    }
                    if let Some(QuarantineTarget::File(file)) = kept {
                        *self.effects.kept_files.entry(file.clone()).or_default() += planned.rows;
                    }
                    self.effects.record_change(case.relation.child, case.id, true);
                    case.show_all(planned.treatment, planned.rows, planned.samples);
                }
                Ok(true)
            }
            Err(Obstacle::Error(TreatError::Engine(EngineError::Failed { .. })) | Obstacle::Row) | Ok(_) => {
                self.draft.take_back(mark)?;
                self.progress.tried = done;
                self.restore_last_record(kept, record);
                Ok(false)
            }
            Err(Obstacle::Error(error)) => Err(error),
        }
    }

    /// Returns the order in which the rows are read; `None` if something can refuse or alter a changed row, or if another change
    /// of the plan may concern one.
    fn unrehearsed_order(&self, case: &Case<'a>, decisions: &DecisionRuns) -> Option<RowOrder> {
        let child = self.schema.child(case.relation);
        if self.draft.changes(&child.name) || child.irreversible.is_some() || identity_columns(child).is_empty() {
            return None;
        }
        if let Some(Decision::Decided { action, .. }) = decisions.of_all() {
            return self.is_certain_action(case, action).then_some(RowOrder::Stored);
        }
        let is_listed = OrphanColumns::of(self.schema, case.relation).are_listed(case.tally);
        let is_certain = |decision: &Decision| match decision {
            Decision::Undecided(_) | Decision::Decided { action: RowAction::Nothing, .. } => true,
            Decision::Decided { action: RowAction::Remove { .. }, .. } => false,
            Decision::Decided { action, .. } => self.is_certain_action(case, action),
        };
        // A list of the orphans is faster than a query for whole rows in the order of the keys.
        let is_sorted = !is_listed && !reads_child_columns(self.schema, case.rule);
        (is_sorted && decisions.each().all(is_certain)).then_some(RowOrder::MissingKey)
    }

    /// True if the engine certainly accepts the action on every orphan and stores exactly its values, unless a condition of the
    /// table refuses them.
    fn is_certain_action(&self, case: &Case<'a>, action: &RowAction) -> bool {
        let (schema, relation) = (self.schema, case.relation);
        let child = schema.child(relation);
        match action {
            RowAction::Nothing => false,
            RowAction::Set { columns, record, .. } => {
                let set = || relation.child_columns.iter().zip(columns.iter()).filter(|(_, value)| value.is_some());
                let changed: Vec<usize> = set().map(|(&column, _)| column).collect();
                let is_shared = || {
                    let mut others = self.relations_from(relation.child).into_iter().filter(|(id, _)| *id != case.id);
                    others.any(|(_, other)| other.child_columns.iter().any(|column| changed.contains(column)))
                        || self.schema_index.relations_to_columns(relation.child, &changed).next().is_some()
                };
                // A change that removes the new parent must know of the reference.
                let needs_parent = set().any(|(_, value)| *value != Some(Value::Null)) && self.conflicts.may_remove;
                let is_certain = |(&column, value): (&usize, &Option<Value>)| {
                    value.as_ref().is_some_and(|value| is_certain_value(self.sql, &child.columns[column], value))
                };
                let is_whole = relation.match_rule == Match::Simple || relation.child_columns.len() == 1;
                record.is_none()
                    && is_whole
                    && !changed.is_empty()
                    && !needs_parent
                    && !is_shared()
                    && is_unconstrained(child, &changed)
                    && set().all(is_certain)
            }
            RowAction::Remove { keep } => {
                // A row that came back from a file leaves the list of such rows, which has to be read.
                let is_listed =
                    matches!(keep.as_deref(), Some(QuarantineTarget::File(_))) && self.lists_returned_rows();
                !is_listed && self.schema_index.relations_to(relation.child).is_empty()
            }
        }
    }

    /// Reads the orphans and plans their changes.
    fn plan_whole_rows<'d>(
        &mut self,
        case: &mut Case<'a>,
        reader: &mut dyn Session,
        decisions: &'d DecisionRuns,
        order: RowOrder,
    ) -> Result<Pass<'a, 'd>, Obstacle> {
        let layout = RowLayout::of(self.schema.child(case.relation));
        let record = match (decisions.of_all(), kept_in(decisions)) {
            (Some(Decision::Decided { treatment, .. }), Some(QuarantineTarget::Table(name))) => {
                // Without a suitable table there is a refusal, and no row is planned.
                let reason = case.reason(ChangeRole::Record, treatment);
                let Some(table) = self.record_table(&reason, name, &QUARANTINE)? else {
                    return Err(Obstacle::Row);
                };
                Some(RecordGroup { table, reason, group: None })
            }
            _ => None,
        };
        let batch = (order == RowOrder::MissingKey).then_some(case.batch);
        let mut pass = Pass { decisions, layout, at: None, batch, groups: Vec::new(), record, rows: 0 };
        let query = self.sql.whole_orphans(self.schema, case.relation, order);
        let mut outcome = Ok(());
        reader.each_row(&query, &mut |row| {
            if outcome.is_err() {
                return;
            }
            outcome = self.plan_row(case, &mut pass, row);
            pass.rows += 1;
            if pass.rows.is_multiple_of(STRIDE) {
                self.progress.tried(STRIDE);
            }
        })?;
        outcome?;
        self.progress.tried(pass.rows % STRIDE);
        Ok(pass)
    }

    fn plan_row(&mut self, case: &Case<'a>, pass: &mut Pass<'a, '_>, row: &[Value]) -> Result<(), Obstacle> {
        let [key, address, rest @ ..] = row else { return Err(Obstacle::Row) };
        let Some((name, stored)) = rest.split_at_checked(pass.layout.names.len()) else { return Err(Obstacle::Row) };
        let row = WholeRow { name, stored };
        pass.turn_to(case, key.as_integer().unwrap_or(1))?;
        let Some((_, Some((_, change)))) = &pass.at else { return Ok(()) };
        let is_altered = || !stores_unchanged(self.sql, pass.layout.table, stored);
        let is_set = matches!(change, RowChange::Set { .. });
        if is_too_long(stored, || image_text(&pass.layout, stored).len()) || (is_set && is_altered()) {
            return Err(Obstacle::Row);
        }
        // A value that stays is no part of the change. Such rows are rare, so they are rehearsed.
        if let RowChange::Set { columns, .. } = change
            && columns.iter().any(|(position, value)| stored.get(*position).is_none_or(|old| old.is_same(value)))
        {
            return Err(Obstacle::Row);
        }
        let values: Option<Vec<Value>> = match change {
            RowChange::Set { columns, .. } => Some(columns.iter().map(|(_, value)| (*value).clone()).collect()),
            RowChange::Remove(_) => None,
        };
        let is_addressed = !is_set && has_own_address(pass.layout.table);
        let group = self.group_of(case, pass, &row)?;
        let unit = self.plan_record(pass, &row)?;
        let values = ChangeValues {
            row: name,
            before: Some(stored),
            after: values.as_deref(),
            address: address.as_integer().filter(|_| is_addressed),
            unit: None,
            adopts: Some(&[]),
        };
        match pass.batch {
            Some(batch) => Ok(self.draft.append_new(group, batch, &values)?),
            None => Ok(self.draft.append(group, unit, &values)?),
        }
    }

    /// Returns the group of the change of a row, and counts the row in it.
    fn group_of(
        &mut self,
        case: &Case<'a>,
        pass: &mut Pass<'a, '_>,
        row: &WholeRow<'_>,
    ) -> Result<DraftGroup, Obstacle> {
        let Some((_, Some((treatment, change)))) = &pass.at else { return Err(Obstacle::Row) };
        let (set, loses_data) = match change {
            RowChange::Set { columns, blanks } => (Some(columns), *blanks),
            RowChange::Remove(_) => (None, true),
        };
        let is_same = |planned: &PlannedGroup<'_>| {
            let positions = set.into_iter().flatten().map(|(position, _)| position);
            planned.treatment == *treatment && planned.loses_data == loses_data && planned.set.iter().eq(positions)
        };
        let found = pass.groups.iter().position(is_same);
        if let Some(planned) = found.map(|index| &mut pass.groups[index])
            && planned.samples.len() >= super::SAMPLES
        {
            planned.rows += 1;
            return Ok(planned.group);
        }
        let example = example(case, treatment, change, &pass.layout, row);
        let index = found.unwrap_or(pass.groups.len());
        if found.is_none() {
            pass.groups.push(PlannedGroup {
                treatment,
                set: set.into_iter().flatten().map(|(position, _)| *position).collect(),
                loses_data,
                group: self.draft.group(&example),
                rows: 0,
                samples: Vec::new(),
            });
        }
        let planned = &mut pass.groups[index];
        planned.samples.push(sample(pass.layout.table, &example));
        planned.rows += 1;
        Ok(planned.group)
    }

    /// Plans the record of a row that is removed. Returns the unit of both changes, if a table keeps the row.
    fn plan_record(&mut self, pass: &mut Pass<'a, '_>, row: &WholeRow<'_>) -> Result<Option<Unit>, Obstacle> {
        let layout = &pass.layout;
        let Some(RecordGroup { table, reason, group }) = &mut pass.record else { return Ok(None) };
        let unit = self.draft.unit(Step::Delete);
        let row_name = plan_file::row_text(&RowName::of(&layout.names, row.name.to_vec()));
        let image = Value::text(image_text(layout, row.stored));
        let values = vec![Value::text(layout.table.name.to_string()), Value::text(row_name), image];
        let values = self.record_values(reason, table, values)?;
        let group = group.get_or_insert_with(|| {
            let example = table.change(values.clone(), reason.clone());
            self.draft.group(&example)
        });
        let record = ChangeValues {
            row: &values[..1],
            before: None,
            after: Some(&values),
            address: None,
            unit: None,
            adopts: Some(&[]),
        };
        self.draft.append(*group, Some(unit), &record)?;
        Ok(Some(unit))
    }

    /// Returns the number of the last record in the table that keeps removed rows.
    fn last_record(&self, kept: Option<&QuarantineTarget>) -> Option<i64> {
        match kept {
            Some(QuarantineTarget::Table(table)) => self.new_parents.last_record(table),
            _ => None,
        }
    }

    fn restore_last_record(&mut self, kept: Option<&QuarantineTarget>, last: Option<i64>) {
        if let Some(QuarantineTarget::Table(table)) = kept {
            self.new_parents.set_last_record(table, last);
        }
    }
}

impl<'a, 'd> Pass<'a, 'd> {
    /// Turns to the missing key with this number. Numbers start at 1.
    fn turn_to(&mut self, case: &Case<'a>, key: i64) -> Result<(), Obstacle> {
        if self.at.as_ref().is_some_and(|(at, _)| *at == key) {
            return Ok(());
        }
        let index = usize::try_from(key - 1).map_err(|_| Obstacle::Row)?;
        let change = match self.decisions.of(index).ok_or(Obstacle::Row)? {
            Decision::Undecided(_) => None,
            Decision::Decided { treatment, action } => {
                self.change(case, action)?.map(|change| (treatment.as_ref(), change))
            }
        };
        self.at = Some((key, change));
        Ok(())
    }

    fn change(&self, case: &Case<'a>, action: &'d RowAction) -> Result<Option<RowChange<'d>>, Obstacle> {
        match action {
            RowAction::Nothing => Ok(None),
            RowAction::Remove { keep } => Ok(Some(RowChange::Remove(keep.as_deref()))),
            RowAction::Set { columns, blanks, .. } => {
                let position = |&column: &usize| {
                    let name = &self.layout.table.columns[column].name;
                    self.layout.stored.iter().position(|stored| stored == name).ok_or(Obstacle::Row)
                };
                let set = case.relation.child_columns.iter().zip(columns.iter());
                let set = set.filter_map(|(column, value)| Some((column, value.as_ref()?)));
                let mut columns =
                    set.map(|(column, value)| Ok((position(column)?, value))).collect::<Result<Vec<_>, Obstacle>>()?;
                // The values of a change come in the order of the table's columns.
                columns.sort_by_key(|(position, _)| *position);
                Ok(Some(RowChange::Set { columns, blanks: *blanks }))
            }
        }
    }
}

/// Returns the table or file that keeps the removed rows, if all rows are removed.
fn kept_in(decisions: &DecisionRuns) -> Option<&QuarantineTarget> {
    match decisions.of_all() {
        Some(Decision::Decided { action: RowAction::Remove { keep }, .. }) => keep.as_deref(),
        _ => None,
    }
}
