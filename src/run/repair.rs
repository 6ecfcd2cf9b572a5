//! `repair`: rules and a database → a report and a plan; with `--apply`, the plan is applied too.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use super::DEFAULT_MEMORY;
use super::DEFAULT_WAIT;
use super::Outcome;
use super::RunError;
use super::Surroundings;
use super::config_file;
use super::config_file::ConfigFile;
use super::plan_path;
use super::rule_files;
use super::rule_files::RuleFiles;
use crate::apply::Direction;
use crate::apply::definitions::definitions;
use crate::apply::fingerprint;
use crate::apply::fingerprint::Scope;
use crate::cli;
use crate::engine::Database;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::Session;
use crate::engines;
use crate::exit::Exit;
use crate::model::catalog::Table;
use crate::model::forecast::RepairForecast;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::Header;
use crate::model::plan::NewTable;
use crate::model::redefinition::Definition;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::plan_file;
use crate::report;
use crate::report::AnswerFormat;
use crate::report::Paper;
use crate::report::RepairFormat;
use crate::scan;
use crate::scan::Progress;
use crate::scan::Wishes;
use crate::sql;
use crate::sql::repair::RepairDialect;
use crate::treat;
use crate::treat::Draft;
use crate::treat::Rooms;
use crate::treat::assign::Assigned;
use crate::treat::hazards::hazards;
use crate::treat::header::forecasts;
use crate::treat::header::treated;
use crate::treat::redefine;

mod script;
mod typed_rules;

/// How long a writer is let go first.
const NAP: Duration = Duration::from_millis(5);

pub fn repair(
    typed: &cli::repair::Repair,
    global: &cli::Global,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = super::source(&typed.database, surroundings)?;
    let outputs = super::outputs(&typed.format, &None, RepairFormat::Table)?;
    super::refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    let mut reports = outputs.iter().filter_map(|(_, file)| file.as_deref());
    if let Some(plan) = typed.output.as_deref()
        && reports.any(|report| super::whereabouts(report) == super::whereabouts(plan))
    {
        return Err(RunError::WouldOverwrite { path: plan.to_owned(), why: "that is where the plan goes" });
    }
    // A plan that is there already is looked at more closely below.
    super::refuse_the_database(&source, typed.output.as_deref().into_iter())?;
    let there = typed.output.as_deref().map(|path| plan_path::examine(path, typed.overwrite)).transpose()?.flatten();
    let mut files = rule_files::read_with(&typed.rules, typed_rules::rules(typed)?, surroundings)?;
    let lock_wait = typed.writing.wait.unwrap_or(DEFAULT_WAIT);
    let patience = Patience { lock_wait, deadline: Deadline::after(typed.timeout) };
    if typed.prevent {
        typed_rules::prevent(&mut files.rules)?;
    }
    let mut config = config_file::read(global, surroundings)?;
    config.typed = typed_rules::relations(typed)?;
    let redaction = super::redaction(typed.privacy.redact, &config, surroundings)?;
    let mut database = engines::open(&source, &patience)?;
    if let Some(mut there) = there {
        plan_path::refuse_if_begun(&mut there, database.as_mut(), &config, surroundings)?;
    }
    let planned = plan(database.as_mut(), &files, &config, surroundings, patience.lock_wait, progress)?;
    let exit = exit(&planned.draft.forecast);
    let is_refused = !planned.draft.forecast.refusals.is_empty();
    let is_empty = planned.draft.forecast.changes() == 0;
    let path = match (&typed.output, typed.apply) {
        _ if is_refused => None,
        (Some(path), _) => Some(path.clone()),
        // Nothing is to be applied, and nobody asked for a plan that says so.
        (None, true) if is_empty => None,
        (None, true) => Some(plan_path::beside(&source, &planned.header)),
        (None, false) => None,
    };
    if let Some(path) = &path {
        plan_path::refuse_kept_files(path, &planned.header, &source)?;
        plan_path::write(path, &planned.header, &planned.draft, typed.overwrite)?;
    }
    let shown = redaction.forecast(&planned.schema, &planned.draft.forecast);
    let said = report::repair::Said {
        schema: &planned.schema,
        forecast: &shown,
        plan: path.as_deref(),
        database: typed.database.as_deref(),
        is_applied: typed.apply,
    };
    let mut documents = Vec::new();
    for (format, file) in outputs {
        let paper = if file.is_some() { Paper::default() } else { surroundings.paper };
        let text = match format {
            RepairFormat::Sql => script::script(&planned)?,
            format => report::repair(&said, format, &paper),
        };
        documents.push((file, text));
    }
    drop(database);
    match path.filter(|_| typed.apply) {
        None => {
            let leaves_orphans = planned.draft.forecast.relations.iter().any(|outlook| outlook.rows_after > 0);
            let is_unhealed =
                typed.apply && leaves_orphans && matches!(exit, Exit::Clean | Exit::Findings | Exit::Incomplete);
            Ok(Outcome { documents, exit: if is_unhealed { Exit::NotHealed } else { exit } })
        }
        Some(plan) => {
            let going = super::apply::Going {
                direction: Direction::Apply,
                source: &source,
                plan: &plan,
                writing: &typed.writing,
                outputs: typed.format.is_empty().then_some((AnswerFormat::Table, None)).into_iter().collect(),
            };
            let applied = super::apply::go(going, global, surroundings, progress)?;
            documents.extend(applied.documents);
            Ok(Outcome { documents, exit: applied.exit })
        }
    }
}

/// A plan that is thought of and not yet written.
pub(super) struct Planned {
    pub(super) schema: Schema,
    definitions: Vec<Definition>,
    pub(super) surgery: &'static dyn RepairDialect,
    header: Header,
    pub(super) draft: Draft,
}

impl Planned {
    /// Every change, and its table: one of the database, or one that the plan makes.
    pub(super) fn each_change<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&Table, &Change) -> Result<(), E>,
    ) -> Result<(), E> {
        let made: Vec<Table> = self.draft.forecast.creates.iter().map(NewTable::as_table).collect();
        self.draft.bench.each(|change| {
            let known = self.schema.table(&change.table.to_string()).map(|table| &self.schema.tables[table]);
            match known.or_else(|| made.iter().find(|table| table.name == change.table)) {
                Some(table) => each(table, change),
                None => Ok(()),
            }
        })
    }
}

fn plan(
    database: &mut dyn Database,
    files: &RuleFiles,
    config: &ConfigFile,
    surroundings: &Surroundings,
    wait: Duration,
    progress: Progress<'_>,
) -> Result<Planned, RunError> {
    let schema = config.resolve(database, surroundings)?;
    config.check_conditions(&schema, database.session()?.as_mut(), surroundings)?;
    plan_in(schema, database, files, surroundings, wait, progress)
}

/// A plan for the orphans that a schema's relations speak of.
pub(super) fn plan_in(
    schema: Schema,
    database: &mut dyn Database,
    files: &RuleFiles,
    surroundings: &Surroundings,
    wait: Duration,
    progress: Progress<'_>,
) -> Result<Planned, RunError> {
    let surgery = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let (assigned, faults) = treat::assign::assign(&schema, &files.rules);
    if !faults.is_empty() {
        return Err(files.faulty(&faults, surroundings));
    }
    // Before the sessions: a writer that waits for them would be waited for in vain.
    let rehearsal = database.rehearsal()?;
    let mut sessions = two_sessions(database, surroundings.cores, wait)?;
    let faults = treat::check::check(&schema, &files.rules, &assigned, surgery, sessions[0].as_mut())?;
    if !faults.is_empty() {
        return Err(files.faulty(&faults, surroundings));
    }
    let wishes = Wishes {
        samples: 1,
        memory: DEFAULT_MEMORY,
        threads: surroundings.cores,
        progress,
        is_known: &|_, _, _| false,
    };
    let facts = scan::scan(&schema, &mut sessions, &wishes);
    let (definitions, are_some_hidden) = definitions(&schema, sessions[0].as_mut(), surgery)?;
    let defaults = defaults(&schema, files, &assigned, surgery, sessions[0].as_mut())?;
    let (Some(reader), Some(asker)) = (sessions.pop(), sessions.pop()) else { return Err(too_busy()) };
    drop(sessions);
    let rooms = Rooms { reader, asker, rehearsal };
    let request = treat::Request { schema: &schema, facts: &facts, rules: &files.rules, assigned: &assigned, surgery };
    let mut draft = treat::plan(request, rooms, progress)?;
    let decided = redefine::decide(&redefine::Matter {
        schema: &schema,
        rules: &files.rules,
        assigned: &assigned,
        outlooks: &draft.forecast.relations,
        definitions: &definitions,
        defaults: &defaults,
        dialect: surgery.redefining(),
    });
    draft.forecast.redefinitions = decided.changes;
    draft.forecast.refusals.extend(decided.refusals);
    draft.forecast.hazards = hazards(&schema, &definitions, &draft.forecast);
    if are_some_hidden {
        draft.forecast.hazards.push(
            "this user does not see triggers: if a table of the plan has one, only a user who sees as little can apply \
             it; make the plan with the privilege TRIGGER"
                .to_owned(),
        );
    }
    draft.forecast.hazards.extend(decided.hazards);
    let forecast = &draft.forecast;
    let forecasts = forecasts(&schema, &facts, forecast);
    let touched = fingerprint::touched(&schema, &forecast.tables, &forecasts, &forecast.redefinitions);
    let scope = Scope { creates: &forecast.creates, redefinitions: &forecast.redefinitions };
    let tables = fingerprint::digests(&schema, &definitions, &scope, touched.into_iter());
    let header = Header {
        engine: schema.database.engine,
        database: schema.database.name.clone(),
        identity: plan_file::digest([database.identity()?.as_bytes()]),
        schema: fingerprint::of_all(&tables),
        tables,
        rules: files.digests(),
        creates: draft.forecast.creates.clone(),
        redefinitions: draft.forecast.redefinitions.clone(),
        files: draft.forecast.files.keys().cloned().collect(),
        forecasts,
        treated: treated(&draft.forecast),
        undecided: draft.forecast.undecided_keys(),
    };
    Ok(Planned { schema, definitions, surgery, header, draft })
}

/// Sessions that see one moment, two at least. While others write, the second may come too late: then both begin anew.
fn two_sessions(database: &mut dyn Database, cores: usize, wait: Duration) -> Result<Vec<Box<dyn Session>>, RunError> {
    let start = Instant::now();
    loop {
        let sessions = database.sessions(cores.max(2))?;
        if sessions.len() > 1 {
            return Ok(sessions);
        }
        if let Some(error) = database.bound_to_one() {
            return Err(error.into());
        }
        if start.elapsed() >= wait {
            return Err(too_busy());
        }
        // The writer that waits for us goes first.
        drop(sessions);
        std::thread::sleep(NAP);
    }
}

fn too_busy() -> RunError {
    let why = "other programs write to it too often for two sessions to see one moment".to_owned();
    RunError::Engine(EngineError::Failed { why })
}

/// The columns of parents that have a DEFAULT, where triggers are to make such parents.
fn defaults(
    schema: &Schema,
    files: &RuleFiles,
    assigned: &Assigned,
    surgery: &dyn RepairDialect,
    session: &mut dyn Session,
) -> Result<BTreeMap<TableId, Vec<String>>, EngineError> {
    let mut defaults = BTreeMap::new();
    for parent in redefine::parents_to_know(schema, &files.rules, assigned) {
        let mut names = Vec::new();
        session.each_row(&surgery.defaults(&schema.tables[parent]), &mut |row| {
            names.extend(row.first().and_then(Value::as_text).map(str::to_owned));
        })?;
        defaults.insert(parent, names);
    }
    Ok(defaults)
}

fn exit<V>(forecast: &RepairForecast<V>) -> Exit {
    if !forecast.refusals.is_empty() {
        Exit::Refused
    } else if forecast.unchecked() > 0 {
        Exit::Incomplete
    } else if forecast.undecided_keys() > 0 {
        Exit::Findings
    } else {
        Exit::Clean
    }
}
