//! What came of the changes, looked at before they are committed: no relation may have more orphans than was foreseen.
//! That a commit succeeds proves nothing; the engine's own count can be fooled.

use super::ApplyError;
use crate::engine::Session;
use crate::engine::write::Writer;
use crate::model::plan::Header;
use crate::model::schema::Schema;
use crate::model::text::plural;
use crate::scan;
use crate::scan::Fact;
use crate::scan::Wishes;

/// Which count of the forecast the orphans are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Nothing has changed yet, and batches cannot be rolled back together.
    BeforeBatches,
    BeforeCommit,
}

pub(super) fn verify(
    schema: &Schema,
    header: &Header,
    writer: &mut dyn Writer,
    moment: Moment,
    in_batches: bool,
) -> Result<(), ApplyError> {
    let foreseen = |id: &str| header.forecasts.iter().find(|forecast| forecast.relation == id);
    let mut touched = schema.clone();
    touched.relations.retain(|relation| foreseen(&relation.id).is_some());
    let wishes = Wishes { samples: 1, memory: 0, threads: 1, progress: &|_, _| {}, is_known: &|_, _, _| false };
    let mut sessions: [Box<dyn Session + '_>; 1] = [Box::new(writer)];
    let facts = scan::scan(&touched, &mut sessions, &wishes);
    for (relation, fact) in touched.relations.iter().zip(facts) {
        let most = foreseen(&relation.id).map_or(0, |forecast| match moment {
            Moment::BeforeBatches => forecast.rows_before,
            Moment::BeforeCommit => forecast.rows_after,
        });
        let why = match fact {
            Fact::Unchecked(why) => format!("{} cannot be checked any more: {why}", relation.id),
            Fact::Checked(tally) if tally.orphan_rows > most => {
                let example = tally.top.iter().flat_map(|missing| &missing.samples).next();
                let example = example
                    .map_or(String::new(), |sample| format!(" (such as {})", crate::model::text::row(&sample.row)));
                format!(
                    "{} has {}{example}, and the plan foresaw {most}",
                    relation.id,
                    plural(tally.orphan_rows, "orphan row")
                )
            }
            Fact::Checked(_) => continue,
        };
        let help = match moment {
            Moment::BeforeBatches => "nothing was changed: orphans were added since; make a new plan",
            Moment::BeforeCommit if in_batches => {
                "the last batch was rolled back; `fk-doctor undo` takes the others back; then make a new plan"
            }
            Moment::BeforeCommit => {
                "everything was rolled back: orphans were added since, or a trigger made some; make a new plan"
            }
        };
        return Err(ApplyError::Refused { doing: "apply", why, help: help.to_owned() });
    }
    Ok(())
}
