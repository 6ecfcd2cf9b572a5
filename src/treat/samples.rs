//! Examples of the changes of a treatment, for reports.

use super::Case;
use crate::model::forecast::ChangeSample;
use crate::model::value::Value;

impl Case<'_> {
    /// Counts all changes of a treatment, with the first few as examples.
    pub(super) fn show_all(&mut self, treatment: &str, changes: u64, samples: Vec<ChangeSample<Value>>) {
        let share = self.forecast.share(treatment);
        share.changes += changes;
        let free = super::SAMPLES.saturating_sub(share.samples.len());
        share.samples.extend(samples.into_iter().take(free));
    }

    /// Counts a change of a treatment, and keeps the first few as examples.
    pub(super) fn show(&mut self, treatment: &str, sample: impl FnOnce() -> ChangeSample<Value>) {
        let share = self.forecast.share(treatment);
        share.changes += 1;
        if share.samples.len() < super::SAMPLES {
            share.samples.push(sample());
        }
    }
}
