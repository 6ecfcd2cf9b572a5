//! Verifies the changes before the commit: no relation may have more orphans than the plan forecasts. A successful commit is no
//! proof, because the engine's own count of violations can be wrong.

use super::ApplyError;
use super::Most;
use super::walk::VerifyAt;
use super::walk::Walk;
use crate::engine::Session;
use crate::engine::write::Writer;
use crate::model::facts::Location;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::plan::Change;
use crate::model::plan::OrphanForecast;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::plural;
use crate::scan;
use crate::scan::ScanOptions;
use crate::scan::ScanResult;
use crate::scan::ScanResults;

impl Walk<'_> {
    /// Refuses the run if a relation has too many orphans. With `--skip-changed`, orphans of other sessions are allowed, and only
    /// orphans that this transaction adds are refused. With batches too, other sessions may add orphans between the transactions,
    /// so any number is allowed.
    pub(super) fn verify(&mut self, writer: &mut dyn Writer, at: VerifyAt) -> Result<(), ApplyError> {
        let forecasts = &self.reading.plan.header.forecasts.clone();
        let mut touched = self.options.schema.clone();
        touched.relations.retain(|relation| forecasts.iter().any(|forecast| forecast.relation == relation.id));
        let only_counts = self.options.skip_changed && at == VerifyAt::BeforeBatches;
        let most = |relation: &Relation| {
            let forecast = forecasts.iter().find(|forecast| forecast.relation == relation.id);
            if only_counts { u64::MAX } else { forecast.map_or(0, |forecast| self.most(forecast, at)) }
        };
        let most: Most = touched.relations.iter().map(most).collect();
        let phase = match at {
            VerifyAt::BeforeBatches => RunPhase::Scan,
            VerifyAt::BeforeCommit | VerifyAt::AfterBatches => RunPhase::VerifyRelations,
        };
        let facts = if self.sees_committed_rows(at) {
            self.scanned_as_committed(writer, &touched, phase, &most)
        } else {
            self.scanned(writer, &touched, phase, &most)
        };
        refuse_if_lost(writer, &facts)?;
        if only_counts {
            let counts = touched.relations.iter().zip(&facts).filter_map(|(relation, fact)| match fact {
                ScanResult::Checked(tally) => Some((relation.id.clone(), tally.orphan_rows)),
                ScanResult::Unchecked(_) => None,
            });
            self.orphans_before = counts.collect();
            return Ok(());
        }
        for ((relation, fact), most) in touched.relations.iter().zip(facts).zip(most) {
            let why = match fact {
                ScanResult::Checked(tally) if tally.orphan_rows == 0 && at == VerifyAt::AfterBatches => {
                    self.done.without_orphans.insert(relation.id.clone());
                    continue;
                }
                ScanResult::Unchecked(why) => format!("{} cannot be checked any more: {why}", relation.id),
                ScanResult::Checked(tally) if tally.orphan_rows > most => {
                    let example = tally.top.iter().flat_map(|missing| &missing.samples).next();
                    let example = example
                        .map_or(String::new(), |sample| format!(" (such as {})", crate::model::text::row(&sample.row)));
                    format!(
                        "{} has {}{example}, and the plan expected at most {most}",
                        relation.id,
                        plural(tally.orphan_rows, "orphan row")
                    )
                }
                ScanResult::Checked(_) => continue,
            };
            return Err(self.refused(why, self.help(at)));
        }
        Ok(())
    }

    /// Returns what to do about too many orphans.
    fn help(&self, at: VerifyAt) -> &'static str {
        match at {
            VerifyAt::BeforeBatches => "nothing was changed: orphans were added since; make a new plan",
            VerifyAt::AfterBatches => {
                "all batches are committed; `fk-doctor undo` takes them back; then make a new plan"
            }
            VerifyAt::BeforeCommit if self.options.batch.is_some() => {
                "the last batch was rolled back; `fk-doctor undo` takes the others back; then make a new plan"
            }
            VerifyAt::BeforeCommit => {
                "everything was rolled back: orphans were added since, or a trigger made some; make a new plan"
            }
        }
    }

    /// Returns the largest number of orphans that is allowed. Skipped rows may still be orphans.
    fn most(&self, forecast: &OrphanForecast, at: VerifyAt) -> u64 {
        match at {
            VerifyAt::BeforeBatches => forecast.rows_before,
            VerifyAt::BeforeCommit | VerifyAt::AfterBatches
                if self.options.skip_changed && self.options.batch.is_some() =>
            {
                u64::MAX
            }
            VerifyAt::BeforeCommit | VerifyAt::AfterBatches => {
                let left = self.left_orphans.get(&forecast.relation).copied().unwrap_or_default();
                let before = self.orphans_before.get(&forecast.relation).copied().unwrap_or_default();
                (forecast.rows_after + left).max(before)
            }
        }
    }

    /// Counts the orphans of a skipped change, which remain.
    pub(super) fn count_left_orphans(&mut self, change: &Change) {
        let forecasts = &self.reading.plan.header.forecasts;
        for reason in &change.reasons {
            *self.left_orphans.entry(reason.relation.clone()).or_default() += 1;
            if change.adopts.is_none() {
                // A plan of an older version does not say how many orphans refer to a new parent. All orphans of the relation count.
                let forecast = forecasts.iter().find(|forecast| forecast.relation == reason.relation);
                *self.left_orphans.entry(reason.relation.clone()).or_default() +=
                    forecast.map_or(0, |forecast| forecast.rows_before);
            }
        }
        for adopted in change.adopts.iter().flatten() {
            *self.left_orphans.entry(adopted.relation.clone()).or_default() += adopted.rows.len() as u64;
        }
    }

    /// Looks for orphans beyond the expected ones in the transaction of the writer.
    fn scanned(&self, writer: &mut dyn Writer, schema: &Schema, phase: RunPhase, most: &Most) -> ScanResults {
        let progress = |step: &ProgressStep<'_>| (self.options.progress)(&ProgressStep { phase, ..*step });
        let options = ScanOptions { samples: 1, memory: 0, threads: 1, progress: &progress, is_known: None };
        let mut sessions: [Box<dyn Session + '_>; 1] = [Box::new(writer)];
        scan::scan_beyond(schema, &mut sessions, &options, most)
    }

    /// True if other sessions see the rows that the writer sees, and may read them. Before the first change of a file, the lock of the
    /// writer keeps other sessions from committing. Beside other sessions of a server, the transaction that verifies has changed and
    /// locked nothing.
    fn sees_committed_rows(&self, at: VerifyAt) -> bool {
        match (self.options.facts().location, at) {
            (Location::Server, VerifyAt::BeforeBatches | VerifyAt::AfterBatches) => self.is_gentle(),
            (Location::File, VerifyAt::BeforeBatches) => self.transaction.is_none(),
            _ => false,
        }
    }

    /// Scans a schema in other sessions, which is faster, or else in the transaction of the writer.
    fn scanned_as_committed(
        &self,
        writer: &mut dyn Writer,
        schema: &Schema,
        phase: RunPhase,
        most: &Most,
    ) -> ScanResults {
        let progress = |step: &ProgressStep<'_>| (self.options.progress)(&ProgressStep { phase, ..*step });
        let facts = self.options.committed_scan.and_then(|scan| scan(schema, most, &progress));
        let is_complete = |facts: &ScanResults| facts.iter().all(|fact| matches!(fact, ScanResult::Checked(_)));
        facts.filter(is_complete).unwrap_or_else(|| self.scanned(writer, schema, phase, most))
    }

    /// Returns the number of orphans that a relation has now.
    pub(super) fn count_orphans(&self, writer: &mut dyn Writer, relation: RelationId) -> Result<u64, ApplyError> {
        let mut schema = self.options.schema.clone();
        schema.relations = IdVec::from(vec![self.options.schema.relations[relation].clone()]);
        let facts = self.scanned(writer, &schema, RunPhase::Scan, &IdVec::from(vec![u64::MAX]));
        refuse_if_lost(writer, &facts)?;
        match facts.into_iter().next() {
            Some(ScanResult::Checked(tally)) => Ok(tally.orphan_rows),
            Some(ScanResult::Unchecked(why)) => {
                let why = format!("{} cannot be checked any more: {why}", self.options.schema.relations[relation].id);
                Err(self.refused(why, "nothing was changed"))
            }
            None => Ok(0),
        }
    }
}

/// Returns an error if the connection was lost. A scan would only report the relation as unchecked.
fn refuse_if_lost(writer: &mut dyn Writer, facts: &ScanResults) -> Result<(), ApplyError> {
    if facts.iter().any(|fact| matches!(fact, ScanResult::Unchecked(_))) {
        writer.changed_so_far()?;
    }
    Ok(())
}
