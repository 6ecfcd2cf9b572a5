//! The parent-loss guard. It forbids to delete rows, or to set them to NULL, if they seem to be orphans only because their
//! parent table lost rows.

use crate::model::text::count;
use crate::sql;
use crate::treat::Case;
use crate::treat::Planner;
use crate::treat::TreatError;

impl<'a> Planner<'a> {
    /// Returns the reason why nothing may be removed or blanked, if the parent seems to have lost rows.
    pub(super) fn parent_loss(&mut self, case: &Case<'a>) -> Result<Option<String>, TreatError> {
        let loses = case.rule.treatments.iter().any(|treatment| treatment.value.loses_data());
        if !loses || case.rule.even_if_parent_lost {
            return Ok(None);
        }
        let missing = case.tally.missing_keys;
        let matched = match self.schema.parent(case.relation) {
            None => 0,
            Some(_) => {
                let query = sql::of(self.schema).matched_keys(self.schema, case.relation, missing);
                self.lookups.numbers(&query)?.first().copied().unwrap_or(0)
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
}
