//! Two runs of one plan on one database exclude each other: by a lock on the plan's file and, where the plan was copied,
//! by a name in the database.

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
    /// Another run holds it, perhaps on another database. It has changed nothing yet.
    Taken,
}

/// Locks the plan's file. A run on a server may have changed nothing yet and left no mark: then the database decides,
/// which knows the connections that it has.
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

/// Keeps out every other run of the plan in this database. A server may hold one name for all of its databases, so the
/// name holds the database's identity, too.
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
    let why = format!("another run of this plan is at work{who}");
    let help = "nothing was changed: let that run end; `fk-doctor status` tells how far it is";
    ApplyError::refused(direction, why, help)
}

/// Returns a name that no other run has, such as `process 4711 since 2025-01-31T12:00:00Z, 0badcafe`.
pub fn run_name(process: u32, at: &str) -> String {
    let chance = RandomState::new().build_hasher().finish();
    format!("process {process} since {at}, {:08x}", chance >> 32)
}
