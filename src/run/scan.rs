//! `scan`: reads the options and the files, scans the database, and writes the reports.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use super::DEFAULT_MEMORY;
use super::DEFAULT_SAMPLES;
use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::Sink;
use super::config_file;
use super::config_file::ConfigFile;
use super::database;
use super::discover;
use super::discover::Undeclared;
use super::reports;
use super::reports::Output;
use super::reports::StreamedReports;
use super::scan_run;
use crate::cli;
use crate::cli::discover::DiscoverArgs;
use crate::config;
use crate::config::option_values::FailOn;
use crate::engine::Database;
use crate::engine::Deadline;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::examine;
use crate::examine::Examined;
use crate::examine::FindingOptions;
use crate::examine::RelationResult;
use crate::examine::baseline::BaselineRun;
use crate::examine::baseline::OldBaseline;
use crate::examine::locations::ConfigLines;
use crate::examine::locations::locations;
use crate::examine::scan_filter::Narrowing;
use crate::examine::scan_filter::narrow;
use crate::examine::select::Filters;
use crate::examine::select::select;
use crate::exit::Exit;
use crate::history_file;
use crate::model::date;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Tier;
use crate::model::examination::Examination;
use crate::model::examination::Excluded;
use crate::model::examination::ScanVerdict;
use crate::model::file_line::FileLine;
use crate::model::finding::Severity;
use crate::model::history::PastScan;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::remote::RemoteUse;
use crate::model::resolve::discovered;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::report;
use crate::report::Detail;
use crate::report::ScanFormat;
use crate::report::TerminalStyle;
use crate::scan::Progress;
use crate::scan::ScanOptions;
use crate::source::Source;

/// Scans one database.
pub(super) fn scan_database(
    source: &Source,
    typed: &cli::ScanArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    sink: &dyn Sink,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let begun = Instant::now();
    let outputs = checked_outputs(source, typed)?;
    // All files are read first, so that a fault in one of them does not waste a long scan.
    let file = config_file::read(source, global, environment)?;
    let settings = &file.config.scan;
    let redaction = super::redaction(typed.privacy.redact, &file, environment)?;
    let fail_on = threshold(typed, &file);
    let old = typed.baseline.as_deref().map(|file| read_baseline(file, environment)).transpose()?;
    let today = &date::timestamp(environment.now)[..10];
    let baseline = BaselineRun::new(old, typed.write_baseline.is_some(), fail_on, &redaction, today)?;
    let past = typed.history.as_deref().map(read_history).transpose()?;

    let Opened { database, mut sessions, schema, locations, all, excluded, undiscovered } =
        open(source, typed, &file, environment, progress)?;
    let is_known =
        |relation: RelationId, key: &Key, rows: u64| baseline.knows_key(&schema, &redaction, relation, key, rows);
    let options = ScanOptions {
        samples: typed.samples.or(settings.samples).unwrap_or(DEFAULT_SAMPLES),
        memory: typed.memory.or(settings.memory).unwrap_or(DEFAULT_MEMORY),
        threads: jobs(typed, &file, environment),
        progress,
        is_known: if baseline.sees_keys() { Some(&is_known) } else { None },
    };
    let mark = |finding| baseline.mark(finding);
    let finding_options = FindingOptions {
        redaction: &redaction,
        policy: &file.config.policy,
        time_columns: &settings.time_columns,
        mark: &mark,
    };
    let mut streamed = StreamedReports::open(&outputs, &schema, redaction.values, sink)?;
    let mut on_relation = |index: RelationId, result: &RelationResult| streamed.write_relation(&schema, index, result);
    let Examined { relations, findings, groups, facts } =
        examine::examine_relations(&schema, &mut sessions, &options, &finding_options, &mut on_relation);
    for (_, file) in outputs.iter().filter(|(format, _)| *format == ScanFormat::Csv) {
        reports::stream_orphans(&schema, &facts, &redaction, &mut sessions, sink, file.as_deref())?;
    }

    let values = redaction.values;
    let mut examination =
        Examination { relations, findings, groups, excluded, fail_on, locations, values, ..Examination::of(schema) };
    if let Some(why) = database.change_while_reading() {
        examine::mark_unchecked(&mut examination, &why);
    }
    let baseline = baseline.close(&mut examination, &all).as_ref().map(config::baseline::render);
    if let (Some(file), Some(past)) = (&typed.history, past) {
        add_to_history(file, past, &mut examination, environment, sink)?;
    }
    let session = sessions[0].as_mut();
    examination.run = Some(scan_run::of(&examination, source, typed, begun.elapsed(), session, (global, environment)));
    drop(sessions);
    streamed.finish(&examination)?;
    if outputs.iter().any(|(format, _)| *format == ScanFormat::Github) {
        reports::summarize(&examination, environment, sink)?;
    }
    let exit = Undeclared::exit(&undiscovered, exit(&examination));
    let written = if global.quiet { Vec::new() } else { written(&outputs, &examination, exit) };
    let notes = [Undeclared::notes(&undiscovered), written].concat();
    let samples = typed.samples.or(file.config.scan.samples);
    let terminal = TerminalStyle { detail: detail(typed, global), samples, ..environment.terminal };
    let mut documents = reports::documents(&examination, outputs, &terminal);
    documents.extend(typed.write_baseline.clone().map(Some).zip(baseline));
    Ok(Outcome { documents, notes, exit })
}

/// Returns the requested reports. No file that the scan writes may be the database.
fn checked_outputs(source: &Source, typed: &cli::ScanArgs) -> Result<Vec<Output>, RunError> {
    let outputs = super::outputs_by_ending(&typed.format, &typed.output, ScanFormat::Table)?;
    super::refuse_to_overwrite(source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    let others = [&typed.write_baseline, &typed.history];
    super::refuse_to_overwrite(source, others.into_iter().flatten().map(PathBuf::as_path))?;
    Ok(outputs)
}

fn detail(typed: &cli::ScanArgs, global: &cli::GlobalArgs) -> Detail {
    match (typed.all, typed.brief, global.quiet) {
        (true, ..) => Detail::All,
        (_, _, true) => Detail::Quiet,
        (_, true, _) => Detail::Brief,
        _ => Detail::Usual,
    }
}

/// Returns a line about each report that goes to a file.
fn written(outputs: &[Output], examination: &Examination, exit: Exit) -> Vec<String> {
    let files = outputs.iter().filter_map(|(_, file)| file.as_deref());
    let verdict = report::verdict(examination);
    files.map(|file| format!("wrote {}: {verdict} (exit code {})", file.display(), exit.code())).collect()
}

/// An open database, and the relations to scan.
struct Opened {
    // The sessions come first, so that they are dropped before their database.
    sessions: Vec<Box<dyn Session>>,
    database: Box<dyn Database>,
    schema: Schema,
    locations: IdVec<RelationId, FileLine>,
    /// The ids of all relations, selected or not.
    all: HashSet<String>,
    excluded: Vec<Excluded>,
    /// The parts of the database that a discovery could not read or compare.
    undiscovered: Vec<NotObserved>,
}

fn open(
    source: &Source,
    typed: &cli::ScanArgs,
    file: &ConfigFile,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Opened, RunError> {
    let settings = &file.config.scan;
    let wait_limits = WaitLimits {
        lock_wait: typed.wait.or(settings.wait).unwrap_or(DEFAULT_WAIT),
        deadline: Deadline::after(typed.timeout.or(settings.timeout)),
    };
    super::refuse_discovery(source, typed.discover.then_some("--discover"))?;
    let source = file.completed(source.clone());
    let mut database = database::open(&source, &wait_limits, environment)?;
    let consent = [typed.remote_tables.as_slice(), &settings.remote_tables].concat();
    let whole = file.resolve_with(RemoteUse::Scan { consent: &consent }, database.as_mut(), environment)?;
    let (whole, undiscovered) = match typed.discover {
        true => with_discovered(whole, database.as_mut(), typed, file, environment, progress)?,
        false => (whole, Vec::new()),
    };
    if source.has_configured_tables() && whole.relations.is_empty() {
        let (folder, was_searched) = (source.to_string(), typed.discover);
        return Err(RunError::NoRelation { folder, can_discover: source.folder().is_some(), was_searched });
    }
    let all = whole.relations.iter().map(|relation| relation.id.clone()).collect();
    let filters = Filters { tables: &typed.table, relations: &typed.relation, changed: &typed.changed_tables };
    let (mut schema, not_selected) = select(whole, &file.config.exclude, &filters)?;
    let lines = ConfigLines { path: &file.path, relations: &file.relation_lines() };
    let locations = locations(&schema, &lines, typed.schema_file.as_deref().map(read_schema_file).transpose()?);
    let requested = typed.jobs.or(settings.jobs);
    let mut sessions = super::sessions(database.as_mut(), &schema, requested, environment)?;
    let first = sessions.first_mut().ok_or_else(RunError::unresolved)?;
    file.leave_uncompiled(&mut schema, first.as_mut());
    file.check_conditions(&schema, first.as_mut(), environment)?;
    let narrowing =
        Narrowing { conditions: &typed.condition, since: typed.since.as_deref(), time_columns: &settings.time_columns };
    narrow(&mut schema, &narrowing, first.as_mut())?;
    let excluded = [examine::excluded_tables(&schema), not_selected].concat();
    Ok(Opened { sessions, database, schema, locations, all, excluded, undiscovered })
}

/// Adds the relations that nobody declares and that are certain. Also returns what the discovery could not read or compare.
fn with_discovered(
    schema: Schema,
    database: &mut dyn Database,
    typed: &cli::ScanArgs,
    file: &ConfigFile,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<(Schema, Vec<NotObserved>), RunError> {
    let arguments =
        DiscoverArgs { timeout: typed.timeout, jobs: typed.jobs, memory: typed.memory, ..DiscoverArgs::default() };
    let mut session = database.session()?;
    let found =
        discover::undeclared(&schema, session.as_mut(), &arguments, file, environment, Tier::Certain, progress)?;
    Ok((discovered::with_discovered(schema, &found.relations), found.failures))
}

fn jobs(typed: &cli::ScanArgs, file: &ConfigFile, environment: &Environment) -> usize {
    typed.jobs.or(file.config.scan.jobs).unwrap_or(environment.cores).max(1)
}

pub(super) fn exit(examination: &Examination) -> Exit {
    match examination.verdict() {
        ScanVerdict::Clean | ScanVerdict::Partial => Exit::Clean,
        ScanVerdict::Findings => Exit::Findings,
        ScanVerdict::Incomplete => Exit::Incomplete,
    }
}

fn threshold(typed: &cli::ScanArgs, file: &ConfigFile) -> Option<Severity> {
    match typed.fail_on.or(file.config.scan.fail_on).unwrap_or(FailOn::At(Severity::Error)) {
        FailOn::At(severity) => Some(severity),
        FailOn::Never => None,
    }
}

fn read_baseline(path: &Path, environment: &Environment) -> Result<OldBaseline, RunError> {
    let text = std::fs::read_to_string(path).map_err(|error| RunError::unreadable(path, &error, "--baseline"))?;
    match config::baseline::parse(&text) {
        Ok(baseline) => Ok(OldBaseline { path: path.to_owned(), baseline }),
        Err(faults) => {
            let shown = path.display().to_string();
            let rendered = config::fault::render(&faults, &text, &shown, environment.terminal.color);
            Err(RunError::Config { rendered })
        }
    }
}

/// Returns the path and the text of the file that declares the schema.
fn read_schema_file(path: &Path) -> Result<(String, String), RunError> {
    let text = std::fs::read(path).map_err(|error| RunError::unreadable(path, &error, "--schema-file"))?;
    Ok((path.display().to_string(), String::from_utf8_lossy(&text).into_owned()))
}

/// Returns the scans in a history. A missing file is an empty history.
fn read_history(file: &Path) -> Result<Vec<PastScan>, RunError> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    };
    let text = text.map_err(|error| RunError::unreadable(file, &error, "--history"))?;
    history_file::parse(&text).map_err(|(line, why)| RunError::FaultyHistory { path: file.to_owned(), line, why })
}

/// Adds this scan to the history, and copies the scans of the same database into the examination.
fn add_to_history(
    file: &Path,
    past: Vec<PastScan>,
    examination: &mut Examination,
    environment: &Environment,
    sink: &dyn Sink,
) -> Result<(), RunError> {
    let now = examination.past_scan(date::timestamp(environment.now));
    sink.append(file, &history_file::line(&now)).map_err(|error| RunError::unwritten(Some(file), &error))?;
    examination.history = past.into_iter().filter(|past_scan| past_scan.database == now.database).collect();
    examination.history.push(now);
    Ok(())
}
