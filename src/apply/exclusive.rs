//! Excludes two runs of one plan on one database from each other. A lock on the plan's file does this and, for copies of a plan,
//! a named lock in the database.

use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;

use super::ApplyError;
use super::Direction;
use super::journal;
use crate::engine::write::Writer;
use crate::plan_file;
use crate::plan_file::PlanFile;

/// The lock on a plan's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanLock {
    Ours,
    /// Another run has the lock, perhaps on another database. That run has changed nothing yet.
    Taken,
}

/// Locks the plan's file. If another run has the lock and has not written the mark yet, a server's named lock decides
/// whether both runs use one database.
pub fn lock_plan(direction: Direction, plan: &mut PlanFile, is_on_server: bool) -> Result<PlanLock, ApplyError> {
    if plan.lock() {
        return Ok(PlanLock::Ours);
    }
    let began = journal::begun(plan.path());
    if is_on_server && began.is_none() {
        return Ok(PlanLock::Taken);
    }
    Err(another_run_error(direction, &began.map(|mark| mark.run).unwrap_or_default()))
}

/// Excludes every other run of the plan on this database. A named lock may be valid for all databases of a server, so the name
/// contains the identity of the database.
pub(super) fn exclude_other_runs(
    direction: Direction,
    plan: &PlanFile,
    lock: PlanLock,
    identity: &str,
    writer: &mut dyn Writer,
) -> Result<(), ApplyError> {
    let name = plan_file::digest([identity.as_bytes(), plan.digest().as_bytes()]);
    if let Some(who) = writer.exclude(&name)? {
        return Err(another_run_error(direction, &who));
    }
    match lock {
        PlanLock::Ours => Ok(()),
        PlanLock::Taken => Err(another_run_error(direction, "")),
    }
}

fn another_run_error(direction: Direction, who: &str) -> ApplyError {
    let who = if who.is_empty() { String::new() } else { format!(" ({who})") };
    let why = format!("another run of this plan is active{who}");
    let help = "nothing was changed: wait until that run ends; `fk-doctor status` shows its progress";
    ApplyError::refused(direction, why, help)
}

/// Returns a name that no other run has, such as `process 4711 since 2025-01-31T12:00:00Z, 0badcafe`.
pub fn run_name(process: u32, at: &str) -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("process {process} since {at}, {:08x}", random >> 32)
}
