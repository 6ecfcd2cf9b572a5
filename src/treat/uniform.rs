//! Relations whose missing keys all get the same decision. The first pass decides once for all keys.

use super::Case;
use super::Planner;
use super::TreatError;
use super::decide::Decision;
use super::decide::Group;
use super::decision_runs::DecisionRuns;
use super::passes::reads_child_columns;
use crate::model::row::RowName;
use crate::model::rule::Treatment;
use crate::model::rule::TreatmentKind;

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
}
