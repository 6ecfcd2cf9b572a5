//! Reasons to refuse a plan before anything is written: another database, a read-only one, missing keys that are left
//! undecided, or definitions that are not those that the plan was made for.

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
            let help = "nothing was changed: name a server that can be written to";
            Err(ApplyError::refused(direction, declared.why, help))
        }
        Some(declared) if !overrides.read_only => {
            let help =
                "nothing was changed: if this database is to be written to all the same, add --override-read-only";
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
        return Err(ApplyError::refused(direction, why, "add a treatment for them, or say --leave-undecided"));
    }
    if plan_file::digest([identity.as_bytes()]) != header.identity && !overrides.moved {
        let why = format!("it was made for another database: {}, at another place", header.database);
        return Err(ApplyError::refused(direction, why, "if this is that database and it was moved, say --moved"));
    }
    Ok(())
}

/// Refuses a database whose definitions, of the tables that the plan touches, are not those of the plan.
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
    let why = format!("the database's definitions are not those that the plan was made for{whose}");
    let help = match options.direction {
        Direction::Apply => "nothing was changed: make a new plan with `fk-doctor repair`",
        Direction::Undo => "nothing was changed: bring these definitions back as they were, then take the plan back",
    };
    Err(ApplyError::refused(options.direction, why, help))
}
