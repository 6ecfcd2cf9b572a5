//! What stops a repair that would do more than was meant: limits on rows, and a parent table that lost its rows.

use super::Case;
use super::Desk;
use super::TreatError;
use crate::model::prospect::Refusal;
use crate::model::rule::Limits;
use crate::model::sql;
use crate::model::text::count;
use crate::model::text::plural;

impl<'a> Desk<'a> {
    /// Why nothing may be removed or blanked, if nothing may: whole histories went because a small parent table was lost.
    pub(super) fn parent_loss(&mut self, case: &Case<'a>) -> Result<Option<String>, TreatError> {
        let loses = case.rule.treatments.iter().any(|treatment| treatment.value.loses_data());
        if !loses || case.rule.even_if_parent_lost {
            return Ok(None);
        }
        let missing = case.tally.missing_keys;
        let matched = match self.schema.parent(case.relation) {
            None => 0,
            Some(_) => {
                let question = sql::of(self.schema).matched_keys(self.schema, case.relation, missing);
                self.asker.numbers(&question)?.first().copied().unwrap_or(0)
            }
        };
        Ok((matched < missing).then(|| {
            format!(
                "{} seems to have lost rows ({} of {} distinct keys are missing), so nothing may be removed or blanked; `even-if-parent-lost = true` overrules this",
                case.relation.parent.name,
                count(missing),
                if matched == 0 { count(missing) } else { format!("{} or more", count(missing + matched)) },
            )
        }))
    }

    /// Refuses the plan where the rule's limits, or the cautious ones, are passed.
    pub(super) fn check_limits(&mut self, case: &mut Case<'a>) {
        let shares = case.outlook.treatments.iter().filter(|share| share.treatment != "report");
        // Limits that are written out hold for every treatment.
        let treated = if case.rule.limits.is_some() { shares.map(|share| share.rows).sum() } else { 0 };
        let (touched, here) = (case.lost.anywhere.max(treated), case.lost.in_child.max(treated));
        let limits = case.rule.limits.unwrap_or(Limits::CAUTIOUS);
        let of = case.tally.counts.rows;
        let rows = limits
            .max_rows
            .filter(|&most| touched > most)
            .map(|most| format!("it would touch {}, and max-rows is {}", plural(touched, "row"), count(most)));
        #[allow(clippy::cast_precision_loss, reason = "a share needs no more")]
        let share = limits.max_share.filter(|&most| here as f64 > most * of as f64).map(|most| {
            let table = &self.schema.child(case.relation).name;
            format!("it would touch {} of the {} in {table}, and max-share is {most}", count(here), plural(of, "row"))
        });
        let Some(limit) = rows.or(share) else { return };
        if self.refusals.iter().any(|refusal| refusal.relation == case.relation.id) {
            return;
        }
        let whose = if case.rule.limits.is_some() {
            ""
        } else {
            ", as always where rows are removed or blanked and the rule sets no [limits]"
        };
        self.refusals.push(Refusal {
            rule: case.rule.id.value.clone(),
            relation: case.relation.id.clone(),
            why: format!("{limit}{whose}"),
            help: "look at the rows; if they are right, raise the limit under [limits] in the rule".to_owned(),
        });
    }
}
