//! Refuses a plan before anything is written. The reasons are another database, a read-only database, missing keys that are
//! undecided, and definitions that differ from those of the plan.

use super::ApplyError;
use super::Direction;
use super::RunOptions;
use super::definitions::definitions;
use super::fingerprint;
use crate::engine::ReadOnly;
use crate::engine::Session;
use crate::model::plan::Header;
use crate::model::text::plural;
use crate::plan_file;

/// The refusals that the user has overruled.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overrides {
    pub leave_undecided: bool,
    /// The database was moved since the plan was made.
    pub moved: bool,
    pub read_only: bool,
}

/// Refuses a database that is declared read-only.
pub fn refuse_read_only(
    direction: Direction,
    declared: Option<ReadOnly>,
    overrides: Overrides,
) -> Result<(), ApplyError> {
    match declared {
        Some(declared) if !declared.can_be_overridden => {
            let help = "nothing was changed: name a server that accepts writes";
            Err(ApplyError::refused(direction, declared.why, help))
        }
        Some(declared) if !overrides.read_only => {
            let help = "nothing was changed: to write to this database anyway, add --override-read-only";
            Err(ApplyError::refused(direction, declared.why, help))
        }
        _ => Ok(()),
    }
}

/// Refuses to apply a plan that leaves missing keys undecided, and any plan that was made for another database.
pub fn refuse_unfit_plan(
    direction: Direction,
    header: &Header,
    identity: &str,
    overrides: Overrides,
) -> Result<(), ApplyError> {
    if header.undecided > 0 && direction == Direction::Apply && !overrides.leave_undecided {
        let why = format!("it leaves {} undecided", plural(header.undecided, "missing key"));
        return Err(ApplyError::refused(
            direction,
            why,
            "add a treatment for them to a rule, or add --leave-undecided",
        ));
    }
    if plan_file::digest([identity.as_bytes()]) != header.identity && !overrides.moved {
        let why = format!("it was made for another database: {}, at another location", header.database);
        return Err(ApplyError::refused(direction, why, "if this is that database and it was moved, add --moved"));
    }
    Ok(())
}

/// Refuses a database in which the definitions of the plan's tables differ from those that the plan was made for.
pub(super) fn refuse_other_definitions(
    options: &RunOptions<'_>,
    header: &Header,
    session: &mut dyn Session,
) -> Result<(), ApplyError> {
    let (definitions, _) = definitions(options.schema, session, options.sql)?;
    let differing = fingerprint::differing(options.schema, &definitions, header);
    if differing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = differing.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let whose = if names.is_empty() { String::new() } else { format!(": see {}", names.join(", ")) };
    let why = format!("the definitions of the database differ from those that the plan was made for{whose}");
    let help = match options.direction {
        Direction::Apply => "nothing was changed: make a new plan with `fk-doctor repair`",
        Direction::Undo => "nothing was changed: restore these definitions, then repeat `fk-doctor undo`",
    };
    Err(ApplyError::refused(options.direction, why, help))
}
