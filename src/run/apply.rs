//! `apply` and `undo`: a plan and a database → the database after it, or before it.

use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;
use std::path::Path;
use std::path::PathBuf;

use super::DEFAULT_MEMORY;
use super::DEFAULT_WAIT;
use super::Outcome;
use super::RunError;
use super::Surroundings;
use super::config_file;
use crate::apply;
use crate::apply::ApplyError;
use crate::apply::Direction;
use crate::apply::Order;
use crate::apply::definitions::definitions;
use crate::apply::fingerprint;
use crate::apply::journal;
use crate::cli;
use crate::cli::repair::Writing;
use crate::engine;
use crate::engine::Deadline;
use crate::engine::Patience;
use crate::engine::write::WriteOptions;
use crate::engine::write::Writer;
use crate::exit::Exit;
use crate::model::date;
use crate::model::text::plural;
use crate::plan_file;
use crate::plan_file::PlanFile;
use crate::quarantine_file;
use crate::quarantine_file::Kept;
use crate::report;
use crate::report::AnswerFormat;
use crate::report::Paper;
use crate::scan;
use crate::scan::Fact;
use crate::scan::Progress;
use crate::scan::Wishes;
use crate::source::Source;
use crate::sql;

pub fn apply(
    direction: Direction,
    typed: &cli::repair::Apply,
    global: &cli::Global,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = Source::parse(&typed.database).map_err(RunError::Source)?;
    let outputs = super::outputs(&typed.format, &None, AnswerFormat::Table)?;
    let files = outputs.iter().filter_map(|(_, file)| file.as_deref());
    super::refuse_to_overwrite(&source, files.clone())?;
    // A file that is not there yet is none that could be lost.
    let is_the_plan = |file: &Path| file.canonicalize().is_ok_and(|file| typed.plan.canonicalize().ok() == Some(file));
    if files.into_iter().any(is_the_plan) {
        return Err(RunError::WouldOverwrite { path: typed.plan.clone(), why: "that is the plan" });
    }
    let going = Going { direction, source: &source, plan: &typed.plan, writing: &typed.writing, outputs };
    go(going, global, surroundings, progress)
}

/// What is to be done with a plan, and where it is told.
pub(super) struct Going<'g> {
    pub(super) direction: Direction,
    pub(super) source: &'g Source,
    pub(super) plan: &'g Path,
    pub(super) writing: &'g Writing,
    pub(super) outputs: Vec<(AnswerFormat, Option<PathBuf>)>,
}

pub(super) fn go(
    going: Going<'_>,
    global: &cli::Global,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let Going { direction, source, plan: path, writing, outputs } = going;
    if writing.backup.is_some() && !matches!(source, Source::Sqlite(_)) {
        let why = "--backup copies files of SQLite, and this database is on a server".to_owned();
        return Err(refused(direction, why, "make the backup with the server's own tool, such as pg_dump").into());
    }
    let mut plan = PlanFile::open(path)?;
    // A run that has not changed anything yet has left no mark: a server knows which connection it has.
    let is_taken = !plan.lock();
    if is_taken && (matches!(source, Source::Sqlite(_)) || journal::begun(path).is_some()) {
        return Err(at_work(direction, &who_began(path)).into());
    }
    let header = plan.header.clone();
    let patience = Patience { lock_wait: writing.wait.unwrap_or(DEFAULT_WAIT), deadline: Deadline::default() };
    engine::settle(source, &patience)?;
    let mut database = engine::open(source, &patience)?;
    if let Some(declared) =
        database.read_only()?.filter(|declared| !declared.can_be_overridden || !writing.override_read_only)
    {
        let help = match declared.can_be_overridden {
            true => "nothing was changed: if this database is to be written to all the same, add --override-read-only",
            false => "nothing was changed: name a server that can be written to",
        };
        return Err(refused(direction, declared.why, help).into());
    }
    let config = config_file::read(global, surroundings)?;
    let schema = config.resolve(database.as_mut(), surroundings)?;
    let surgery = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    if header.undecided > 0 && direction == Direction::Apply && !writing.leave_undecided {
        let why = format!("it leaves {} undecided", plural(header.undecided, "missing key"));
        return Err(refused(direction, why, "add a treatment for them, or say --leave-undecided").into());
    }
    let identity = database.identity()?;
    if plan_file::digest([identity.as_bytes()]) != header.identity && !writing.moved {
        let why = format!("it was made for another database: {}, at another place", header.database);
        return Err(refused(direction, why, "if this is that database and it was moved, say --moved").into());
    }
    let mut admit = |writer: &mut dyn Writer| {
        let differing = fingerprint::differing(&schema, &definitions(&schema, writer, surgery)?.0, &header);
        if differing.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = differing.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let whose = if names.is_empty() { String::new() } else { format!(": see {}", names.join(", ")) };
        let why = format!("the database's definitions are not those that the plan was made for{whose}");
        let help = match direction {
            Direction::Apply => "nothing was changed: make a new plan with `fk-doctor repair`",
            Direction::Undo => {
                "nothing was changed: bring these definitions back as they were, then take the plan back"
            }
        };
        Err(refused(direction, why, help))
    };
    let places = quarantine_file::places(path, &header);
    super::refuse_to_overwrite(source, places.iter().map(PathBuf::as_path))?;
    let mut kept = match direction {
        Direction::Apply => Some(Kept::gather(&mut plan).map_err(ApplyError::Keep)?),
        // The rows come back from the plan.
        Direction::Undo => None,
    };
    let backup = wanted_backup(writing, source, &header.schema);
    let mut made = None;
    let mut secure = |writer: &mut dyn Writer| {
        if let Some(damage) = writer.damage_anywhere()? {
            let why = format!("the database is damaged ({damage})");
            return Err(refused(
                direction,
                why,
                "nothing was changed: restore it, or save what can be read: sqlite3 damaged.db .recover",
            ));
        }
        if let Some(file) = &backup {
            writer.back_up(file)?;
            made = Some(file.clone());
        }
        Ok(kept.as_mut().map_or(Ok(()), Kept::put_down)?)
    };
    let mut writer = database.writer(WriteOptions {
        no_triggers: writing.no_triggers,
        takes_back: direction == Direction::Undo && plan.changes() > 0,
    })?;
    stay_alone(direction, &plan_file::digest([identity.as_bytes(), plan.digest().as_bytes()]), writer.as_mut())?;
    if is_taken {
        return Err(at_work(direction, "").into());
    }
    let at = date::moment(surroundings.now);
    let run = run_name(surroundings, &at);
    let order = Order {
        schema: &schema,
        surgery,
        direction,
        batch: writing.batch.and_then(|batch| usize::try_from(batch).ok()),
        skip_changed: writing.skip_changed,
        run: &run,
        at: &at,
        progress,
    };
    let done = apply::run(&order, &mut plan, writer.as_mut(), &mut admit, &mut secure);
    if let (Err(ApplyError::Refused { .. }), None, Some(kept)) = (&done, order.batch, kept) {
        // All was rolled back, and every row is where it was.
        kept.take_back();
    }
    let done = done?;
    drop(writer);
    drop(database);
    let left = left(source, &patience, global, surroundings)?;
    let exit = match (direction, left) {
        _ if done.rows_left() > 0 => Exit::NotHealed,
        (Direction::Undo, Left { unchecked: 1.., .. }) => Exit::Incomplete,
        (Direction::Undo, _) => Exit::Clean,
        (_, Left { orphan_rows: 1.., .. }) => Exit::NotHealed,
        (_, Left { unchecked: 1.., .. }) => Exit::Incomplete,
        _ => Exit::Clean,
    };
    // SQLite takes a table wherever it can be written to.
    let may_be_lost = done.never_applied && !matches!(source, Source::Sqlite(_)) && journal::begun(path).is_none();
    let missing_mark = may_be_lost.then(|| journal::mark_of(path));
    let said = report::applied::Said {
        is_undo: direction == Direction::Undo,
        database: &schema.database,
        typed: &shown(source),
        plan: path,
        backup: made.as_deref(),
        kept: if direction == Direction::Apply { &places } else { &[] },
        made: done.made,
        changed: done.changed,
        deleted: done.deleted,
        redefined: done.redefined,
        already: done.already,
        left: &done.left,
        left_rows: &done.left_rows,
        journal: done.journal.as_deref(),
        is_empty: plan.changes() == 0 && header.redefinitions.is_empty(),
        never_applied: done.never_applied,
        missing_mark: missing_mark.as_deref(),
        relations: left.relations,
        unchecked: left.unchecked,
        orphan_rows: left.orphan_rows,
    };
    let documents = outputs.into_iter().map(|(format, file)| {
        let paper = if file.is_some() { Paper::default() } else { surroundings.paper };
        let text = report::applied(&said, format, &paper);
        (file, text)
    });
    Ok(Outcome { documents: documents.collect(), exit })
}

pub(super) fn shown(source: &Source) -> String {
    match source {
        Source::Sqlite(path) => path.display().to_string(),
        Source::Postgres(address) | Source::Mysql(address) => address.to_string(),
    }
}

fn refused(direction: Direction, why: String, help: &str) -> ApplyError {
    ApplyError::Refused { doing: direction.doing(), why, help: help.to_owned() }
}

/// Two runs of one plan on one database exclude each other: by a lock on the plan, and, where the plan was copied, by this
/// name in the database. A server may hold one name for all of its databases.
fn stay_alone(direction: Direction, name: &str, writer: &mut dyn Writer) -> Result<(), ApplyError> {
    match writer.exclude(name)? {
        None => Ok(()),
        Some(who) => Err(at_work(direction, &who)),
    }
}

fn at_work(direction: Direction, who: &str) -> ApplyError {
    let who = if who.is_empty() { String::new() } else { format!(" ({who})") };
    let why = format!("another run of this plan is at work{who}");
    refused(direction, why, "nothing was changed: let that run end; `fk-doctor status` tells how far it is")
}

fn who_began(plan: &Path) -> String {
    journal::begun(plan).map(|mark| mark.run).unwrap_or_default()
}

/// A text that no other run has.
fn run_name(surroundings: &Surroundings, at: &str) -> String {
    let chance = RandomState::new().build_hasher().finish();
    format!("process {} since {at}, {:08x}", surroundings.process, chance >> 32)
}

/// What a scan of the whole database finds afterwards.
#[derive(Debug, Clone, Copy)]
struct Left {
    relations: u64,
    unchecked: u64,
    orphan_rows: u64,
}

fn left(
    source: &Source,
    patience: &Patience,
    global: &cli::Global,
    surroundings: &Surroundings,
) -> Result<Left, RunError> {
    let mut database = engine::open(source, patience)?;
    let config = config_file::read(global, surroundings)?;
    let schema = config.resolve(database.as_mut(), surroundings)?;
    let mut sessions = super::sessions(database.as_mut(), &schema, None, surroundings)?;
    let wishes = Wishes {
        samples: 0,
        memory: DEFAULT_MEMORY,
        threads: surroundings.cores,
        progress: &|_, _| {},
        is_known: &|_, _, _| false,
    };
    let mut left = Left { relations: 0, unchecked: 0, orphan_rows: 0 };
    for fact in scan::scan(&schema, &mut sessions, &wishes) {
        left.relations += 1;
        match fact {
            Fact::Checked(tally) => left.orphan_rows += tally.orphan_rows,
            Fact::Unchecked(_) => left.unchecked += 1,
        }
    }
    Ok(left)
}

fn wanted_backup(writing: &Writing, source: &Source, schema: &str) -> Option<PathBuf> {
    let Source::Sqlite(database) = source else { return None };
    match &writing.backup {
        _ if writing.no_backup => None,
        Some(file) => Some(file.clone()),
        None => Some(free_name(database, &format!("backup-{}", &schema[..8.min(schema.len())]), "")),
    }
}

/// A name beside the database that nothing has yet.
pub(super) fn free_name(database: &Path, what: &str, end: &str) -> PathBuf {
    let name = |number: u32| {
        let mut name = database.as_os_str().to_owned();
        name.push(format!(".{what}"));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(end);
        PathBuf::from(name)
    };
    (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}
