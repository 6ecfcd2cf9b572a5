//! One run of a plan on a database: other runs are kept out, the database is backed up, rows that go are kept in files,
//! and then the plan is applied or taken back.

use std::path::Path;
use std::path::PathBuf;

use super::ApplyError;
use super::Direction;
use super::Done;
use super::Order;
use super::admission;
use super::exclusive;
use super::exclusive::PlanLock;
use crate::engine::Database;
use crate::engine::write::WriteOptions;
use crate::engine::write::Writer;
use crate::plan_file::PlanFile;
use crate::quarantine_file::QuarantineFiles;

/// How a run treats the database, beside its order.
pub struct Conduct<'a> {
    pub lock: PlanLock,
    /// The identity of the database.
    pub identity: &'a str,
    pub no_triggers: bool,
    /// The file for a backup, where one is wanted.
    pub backup: Option<PathBuf>,
}

/// The outcome of a run.
pub struct Execution {
    pub done: Done,
    /// The backup, if one was made.
    pub backup: Option<PathBuf>,
}

/// Applies a plan or takes it back. After a refusal the database is as it was.
pub fn execute(
    order: &Order<'_>,
    plan: &mut PlanFile,
    database: &mut dyn Database,
    conduct: Conduct<'_>,
) -> Result<Execution, ApplyError> {
    let mut kept = match order.direction {
        Direction::Apply => Some(QuarantineFiles::write(plan)?),
        // The rows come back from the plan.
        Direction::Undo => None,
    };
    let undo = order.direction == Direction::Undo && plan.changes() > 0;
    let mut writer = database.writer(WriteOptions { no_triggers: conduct.no_triggers, undo })?;
    exclusive::exclude_other_runs(order.direction, plan, conduct.lock, conduct.identity, writer.as_mut())?;
    let header = plan.header.clone();
    let mut admit = |writer: &mut dyn Writer| admission::refuse_other_definitions(order, &header, writer);
    let mut backup = None;
    let mut secure = |writer: &mut dyn Writer| {
        refuse_damage(order.direction, writer)?;
        if let Some(file) = &conduct.backup {
            writer.back_up(file)?;
            backup = Some(file.clone());
        }
        Ok(kept.as_mut().map_or(Ok(()), QuarantineFiles::publish)?)
    };
    let done = super::run(order, plan, writer.as_mut(), &mut admit, &mut secure);
    if let (Err(ApplyError::Refused { .. }), None, Some(kept)) = (&done, order.batch, kept) {
        // Everything was rolled back, and every row is where it was.
        kept.remove();
    }
    Ok(Execution { done: done?, backup })
}

fn refuse_damage(direction: Direction, writer: &mut dyn Writer) -> Result<(), ApplyError> {
    let Some(damage) = writer.database_damage()? else { return Ok(()) };
    let why = format!("the database is damaged ({damage})");
    let help = "nothing was changed: restore it, or save what can be read: sqlite3 damaged.db .recover";
    Err(ApplyError::refused(direction, why, help))
}

/// Returns a name for the backup of a database file before this plan, which no other file has yet.
pub fn backup_path(database: &Path, schema_digest: &str) -> PathBuf {
    free_path(database, &format!("backup-{}", &schema_digest[..8.min(schema_digest.len())]), "")
}

/// Returns a name beside a file that no other file has yet, such as `app.db.plan-0badcafe-2.ndjson`.
pub fn free_path(beside: &Path, purpose: &str, ending: &str) -> PathBuf {
    let name = |number: u32| {
        let mut name = beside.as_os_str().to_owned();
        name.push(format!(".{purpose}"));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(ending);
        PathBuf::from(name)
    };
    (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}
