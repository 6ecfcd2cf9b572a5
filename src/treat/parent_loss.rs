//! The parent-loss guard. It forbids to delete rows, or to set them to NULL, if most keys that are referred to are missing.
//! Then the parent may have lost rows. There can be another cause, such as white space in every key, so the reason does not
//! claim a loss; but even then, hardly any row should go.

use crate::model::text::count;
use crate::sql;
use crate::treat::Case;
use crate::treat::Planner;
use crate::treat::TreatError;

impl<'a> Planner<'a> {
    /// Returns the reason why nothing may be removed or blanked, if most keys are missing from the parent.
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
                "{} of {} distinct keys are missing from {}, so nothing may be removed or blanked; `even-if-parent-lost = true` overrules this",
                count(missing),
                if matched == 0 { count(missing) } else { format!("{} or more", count(missing + matched)) },
                case.relation.parent.name,
            )
        }))
    }
}

/// Returns the next step for the keys that the guard left undecided. A proven cause has a better one.
pub(super) fn help(case: &Case<'_>) -> Option<String> {
    let guard = case.guarded.as_ref()?;
    let is_left = case.forecast.undecided.iter().any(|undecided| undecided.why.ends_with(guard));
    is_left.then(|| {
        let parent = &case.relation.parent.name;
        format!("perhaps {parent} lost rows: bring them back first, or leave these rows as they are: --leave-undecided")
    })
}
