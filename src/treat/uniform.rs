//! Relations whose missing keys all get the same decision. The first pass decides once for all keys. If nothing can
//! refuse or alter the changed rows, no row is rehearsed either: the rows are read once with all their values, in the
//! order of the table, and planned as they come.

use std::sync::Arc;

use super::Case;
use super::Planner;
use super::TreatError;
use super::decide::Decision;
use super::decide::Group;
use super::decide::RowAction;
use super::decision_runs::DecisionRuns;
use super::images::is_too_long;
use super::kept_rows::QUARANTINE;
use super::kept_rows::RecordTable;
use super::passes::reads_child_columns;
use super::unrehearsed::accepts_null;
use super::unrehearsed::stores_unchanged;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::change_group::ChangeValues;
use crate::model::forecast::ChangeSample;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::has_own_address;
use crate::model::plan::identity_columns;
use crate::model::plan::shown_name;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::Treatment;
use crate::model::rule::TreatmentKind;
use crate::model::value::Value;
use crate::plan_draft::DraftGroup;
use crate::plan_draft::Step;
use crate::plan_file;

/// The number of rows after which the progress display advances.
const STRIDE: u64 = 1000;

/// The change of every orphan of a relation.
enum UniformChange<'d> {
    /// The columns at these positions of the stored row become NULL.
    Blank(Vec<usize>),
    Remove(Option<&'d QuarantineTarget>),
}

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

/// What the planning of the rows needs to know about them.
struct RowLayout<'t> {
    table: &'t Table,
    names: Arc<[String]>,
    stored: Arc<[String]>,
}

/// The records of the removed rows.
struct RecordGroup {
    table: RecordTable,
    reason: ChangeReason,
    /// The group of their changes, after the first.
    group: Option<DraftGroup>,
}

impl<'a> Planner<'a> {
    /// Decides all missing keys at once, if the rule treats every key alike. `None` if each key must be decided.
    pub(super) fn decide_at_once(&mut self, case: &mut Case<'a>) -> Result<Option<DecisionRuns>, TreatError> {
        let is_alike = |treatment: &Treatment| {
            let kinds =
                [TreatmentKind::SetNull, TreatmentKind::Quarantine, TreatmentKind::Delete, TreatmentKind::Report];
            kinds.contains(&treatment.kind())
        };
        let (Some(first), Some(example)) = (case.rule.treatments.first(), case.tally.top.first()) else {
            return Ok(None);
        };
        // A parent that the plan creates may serve some of the keys.
        let has_new_parents = case.relation.parent.table.is_some_and(|parent| self.new_parents.created_in(parent));
        if !is_alike(&first.value) || has_new_parents || reads_child_columns(self.schema, case.rule) {
            return Ok(None);
        }
        let (keys, rows) = (case.tally.missing_keys, case.tally.orphan_rows);
        let group = Group { key: example.key.clone(), row: RowName::new(), rows, orphans: Vec::new() };
        let Some(Ok(action)) = self.actions(case, &first.value, &[&group])?.pop() else { return Ok(None) };
        let share = case.forecast.share(first.value.name());
        share.keys += keys;
        share.rows += rows;
        if action.loses_data() {
            case.estimate += rows;
        }
        self.progress.decided(rows);
        let treatment = first.value.name().into();
        Ok(Some(DecisionRuns::of_every_key(Decision::Decided { treatment, action })))
    }

    /// Plans the changes of all orphans of a relation. Returns false, with nothing planned, if the rows differ in their
    /// decisions, or if one of them must be rehearsed.
    pub(super) fn uniform_pass(
        &mut self,
        case: &mut Case<'a>,
        reader: &mut dyn Session,
        decisions: &DecisionRuns,
    ) -> Result<bool, TreatError> {
        let Some(Decision::Decided { treatment, action }) = decisions.of_all() else { return Ok(false) };
        let Some(change) = self.uniform_change(case, action) else { return Ok(false) };
        let mark = self.draft.mark()?;
        let (done, record) = (self.progress.tried, self.last_record(&change));
        match self.plan_alike(case, reader, treatment, &change) {
            Ok((rows, samples)) if rows == case.tally.orphan_rows => {
                self.count_losses(case, case.relation.child, rows)?;
                self.effects.changed.insert((case.relation.child, case.id, true));
                if let UniformChange::Remove(Some(QuarantineTarget::File(file))) = &change {
                    *self.effects.kept_files.entry(file.clone()).or_default() += rows;
                }
                case.show_all(treatment, rows, samples);
                Ok(true)
            }
            Err(Obstacle::Error(TreatError::Engine(EngineError::Failed { .. })) | Obstacle::Row) | Ok(_) => {
                self.draft.take_back(mark)?;
                self.progress.tried = done;
                self.restore_last_record(&change, record);
                Ok(false)
            }
            Err(Obstacle::Error(error)) => Err(error),
        }
    }

    /// Returns the change of every orphan, if nothing can refuse or alter the changed rows and no other change of the plan
    /// concerns them.
    fn uniform_change<'d>(&self, case: &Case<'a>, action: &'d RowAction) -> Option<UniformChange<'d>> {
        let (schema, relation) = (self.schema, case.relation);
        let child = schema.child(relation);
        let refers_to_child = |other: &Relation| other.parent.table == Some(relation.child);
        if self.draft.changes(&child.name) || child.irreversible.is_some() || identity_columns(child).is_empty() {
            return None;
        }
        match action {
            RowAction::Set { columns, record: None, blanks: true, .. }
                if relation.match_rule == Match::Simple || relation.child_columns.len() == 1 =>
            {
                let blanked = relation.child_columns.iter().zip(columns.iter()).filter(|(_, value)| value.is_some());
                let is_null = columns.iter().flatten().all(|value| *value == Value::Null);
                let blanked: Vec<usize> = blanked.map(|(&column, _)| column).collect();
                let is_shared = schema.relations.entries().any(|(id, other)| {
                    let is_key = other.child == relation.child
                        && id != case.id
                        && other.child_columns.iter().any(|column| blanked.contains(column));
                    let is_parent =
                        refers_to_child(other) && other.parent.columns.iter().any(|column| blanked.contains(column));
                    is_key || is_parent
                });
                (is_null && !blanked.is_empty() && !is_shared && accepts_null(child, &blanked)).then(|| {
                    let stored = (0..child.columns.len()).filter(|&column| !child.columns[column].generated);
                    let positions = stored.enumerate().filter(|(_, column)| blanked.contains(column));
                    UniformChange::Blank(positions.map(|(position, _)| position).collect())
                })
            }
            RowAction::Remove { keep } if !schema.relations.iter().any(refers_to_child) => {
                let keep = keep.as_deref();
                // A row that came back from a file leaves the list of such rows, which has to be read.
                let is_listed = matches!(keep, Some(QuarantineTarget::File(_))) && self.lists_returned_rows();
                (!is_listed).then_some(UniformChange::Remove(keep))
            }
            _ => None,
        }
    }

    /// Reads the orphans and plans their changes. Returns their number and some samples.
    fn plan_alike(
        &mut self,
        case: &Case<'a>,
        reader: &mut dyn Session,
        treatment: &str,
        change: &UniformChange<'_>,
    ) -> Result<(u64, Vec<ChangeSample<Value>>), Obstacle> {
        let table = self.schema.child(case.relation);
        let stored = table.columns.iter().filter(|column| !column.generated).map(|column| column.name.clone());
        let layout = RowLayout {
            table,
            names: identity_columns(table).into_iter().map(str::to_owned).collect(),
            stored: stored.collect(),
        };
        let mut record = match change {
            UniformChange::Remove(Some(QuarantineTarget::Table(name))) => {
                // Without a suitable table there is a refusal, and no row is planned.
                let reason = case.reason(ChangeRole::Record, treatment);
                let Some(table) = self.record_table(&reason, name, &QUARANTINE)? else {
                    return Err(Obstacle::Row);
                };
                Some(RecordGroup { table, reason, group: None })
            }
            _ => None,
        };
        let (mut group, mut rows, mut samples, mut outcome) = (None, 0, Vec::new(), Ok(()));
        let query = self.sql.whole_orphans(self.schema, case.relation);
        reader.each_row(&query, &mut |row| {
            if outcome.is_err() {
                return;
            }
            outcome = self.plan_row(case, treatment, change, &layout, row, &mut group, &mut record, &mut samples);
            rows += 1;
            if rows % STRIDE == 0 {
                self.progress.tried(STRIDE);
            }
        })?;
        outcome?;
        self.progress.tried(rows % STRIDE);
        Ok((rows, samples))
    }

    #[allow(clippy::too_many_arguments, reason = "the state of one loop")]
    fn plan_row(
        &mut self,
        case: &Case<'a>,
        treatment: &str,
        change: &UniformChange<'_>,
        layout: &RowLayout<'_>,
        row: &[Value],
        group: &mut Option<DraftGroup>,
        record: &mut Option<RecordGroup>,
        samples: &mut Vec<ChangeSample<Value>>,
    ) -> Result<(), Obstacle> {
        let parts =
            row.split_first().and_then(|(address, rest)| Some((address, rest.split_at_checked(layout.names.len())?)));
        let Some((address, (name, before))) = parts else { return Err(Obstacle::Row) };
        let is_altered = || !stores_unchanged(self.sql, layout.table, before);
        if is_too_long(before, || image_text(layout, before).len())
            || (matches!(change, UniformChange::Blank(_)) && is_altered())
        {
            return Err(Obstacle::Row);
        }
        let nulls;
        let after = match change {
            UniformChange::Blank(positions) => {
                nulls = vec![Value::Null; positions.len()];
                Some(nulls.as_slice())
            }
            UniformChange::Remove(_) => None,
        };
        let is_first = group.is_none() || samples.len() < super::SAMPLES;
        if is_first {
            let example = example(case, treatment, change, layout, name, before);
            if samples.len() < super::SAMPLES {
                samples.push(sample(layout.table, &example));
            }
            group.get_or_insert_with(|| self.draft.group(&example));
        }
        let Some(group) = *group else { return Err(Obstacle::Row) };
        let unit = record.as_ref().map(|_| self.draft.unit(Step::Delete));
        if let (Some(RecordGroup { table, reason, group: record_group }), Some(unit)) = (record, unit) {
            let row_name = plan_file::row_text(&RowName::of(&layout.names, name.to_vec()));
            let values =
                vec![Value::text(layout.table.name.to_string()), Value::text(row_name), image_value(layout, before)];
            let values = self.record_values(reason, table, values)?;
            let record_group = record_group.get_or_insert_with(|| {
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
            self.draft.append(*record_group, Some(unit), &record)?;
        }
        let is_addressed = matches!(change, UniformChange::Remove(_)) && has_own_address(layout.table);
        let values = ChangeValues {
            row: name,
            before: Some(before),
            after,
            address: address.as_integer().filter(|_| is_addressed),
            unit: None,
            adopts: Some(&[]),
        };
        Ok(self.draft.append(group, unit, &values)?)
    }

    /// Returns the number of the last record in the table that keeps removed rows.
    fn last_record(&self, change: &UniformChange<'_>) -> Option<i64> {
        match change {
            UniformChange::Remove(Some(QuarantineTarget::Table(table))) => self.new_parents.last_record(table),
            _ => None,
        }
    }

    fn restore_last_record(&mut self, change: &UniformChange<'_>, last: Option<i64>) {
        if let UniformChange::Remove(Some(QuarantineTarget::Table(table))) = change {
            self.new_parents.set_last_record(table, last);
        }
    }
}

/// Returns the change of one row.
fn example(
    case: &Case<'_>,
    treatment: &str,
    change: &UniformChange<'_>,
    layout: &RowLayout<'_>,
    name: &[Value],
    before: &[Value],
) -> Change {
    let (name, before) = (RowName::of(&layout.names, name.to_vec()), Row::of(&layout.stored, before.to_vec()));
    let (mut after, mut kept) = (None, None);
    match change {
        UniformChange::Blank(positions) => {
            let mut row = before.clone();
            for &position in positions {
                row.set(&layout.stored[position], Value::Null);
            }
            after = Some(row);
        }
        UniformChange::Remove(Some(QuarantineTarget::File(file))) => kept = Some(file.clone()),
        UniformChange::Remove(_) => {}
    }
    Change {
        reasons: vec![case.reason(ChangeRole::Orphan, treatment)],
        kept,
        ..Change::new(layout.table.name.clone(), name, Some(before), after)
    }
}

fn sample(table: &Table, change: &Change) -> ChangeSample<Value> {
    let set = change.after.as_ref().map(|_| change.set());
    let before = change.before.as_ref().map(|before| match &set {
        Some(set) => before.filtered(|column, _| set.has(column)).pairs(),
        None => before.pairs(),
    });
    ChangeSample {
        table: table.name.to_string(),
        row: shown_name(table, &change.row, change.before.as_ref()).pairs(),
        before,
        after: set.map(|set| set.pairs()),
    }
}

fn image_text(layout: &RowLayout<'_>, values: &[Value]) -> String {
    plan_file::row_text(&Row::of(&layout.stored, values.to_vec()))
}

fn image_value(layout: &RowLayout<'_>, values: &[Value]) -> Value {
    Value::text(image_text(layout, values))
}
