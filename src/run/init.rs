//! `init`: drafts a configuration from a database, and on request writes a baseline of what a scan finds.

use std::collections::HashSet;
use std::path::Path;

use super::DEFAULT_MEMORY;
use super::DEFAULT_SAMPLES;
use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::config_file;
use super::config_file::ConfigFile;
use super::database;
use super::discover;
use super::printed_command;
use super::scan_run;
use crate::cli;
use crate::cli::discover::DiscoverArgs;
use crate::config;
use crate::engine::Database;
use crate::engine::Deadline;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::examine;
use crate::examine::Examined;
use crate::examine::FindingOptions;
use crate::examine::baseline::BaselineRun;
use crate::model::date;
use crate::model::discovery::Tier;
use crate::model::discovery_view::CandidateView;
use crate::model::examination::Examination;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;
use crate::model::policy::Policy;
use crate::model::redaction::Redaction;
use crate::model::schema::Schema;
use crate::model::text::shell;
use crate::model::value::Key;
use crate::report;
use crate::report::init::InitReport;
use crate::scan::Progress;
use crate::scan::ScanOptions;
use crate::source::Source;

pub fn init(
    typed: &cli::InitArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = database::source_to_read(typed.database.as_deref(), global, environment)?;
    // Only a folder of files can be searched, and no cluster.
    let source = if source.folder().is_some() { source } else { database::refuse_files(source)? };
    let output = cli::report_file(Some(&typed.output));
    for file in [output, typed.baseline.as_deref()].into_iter().flatten() {
        refuse_existing(file, environment)?;
    }
    let wait_limits =
        WaitLimits { lock_wait: typed.wait.unwrap_or(DEFAULT_WAIT), deadline: Deadline::after(typed.timeout) };
    let mut database = database::open(&source, &wait_limits, environment)?;
    // The draft describes the database, and not what another configuration says about it.
    let schema = ConfigFile::default().resolve(database.as_mut(), environment)?;
    let all: HashSet<String> = schema.relations.iter().map(|relation| relation.id.clone()).collect();
    let (undeclared, notes) = undeclared(&schema, database.as_mut(), &source, typed, environment, progress)?;
    let mut sessions = super::sessions(database.as_mut(), &schema, None, environment)?;
    let redaction = Redaction::default();
    let today = &date::timestamp(environment.now)[..10];
    let known = BaselineRun::new(None, typed.baseline.is_some(), Some(Severity::Error), &redaction, today)?;
    let examination = examine_with(schema, &mut sessions, &known, &redaction, environment, progress);
    drop(sessions);
    let mut accepted = examination.clone();
    accepted.findings = accepted.findings.into_iter().map(|finding| known.mark(finding)).collect();
    let known = known.close(&mut accepted, &all).as_ref().map(config::baseline::render);
    let database = typed.database.as_ref().map(|_| shell(&source.to_string())).unwrap_or_default();
    // The draft is read instead of another configuration.
    let others = cli::GlobalArgs { config: None, no_config: false, ..global.clone() };
    let database = database + &printed_command::ending(others.words());
    let baseline = typed.baseline.as_ref().map(|file| file.display().to_string());
    let report = InitReport {
        examination: &examination,
        undeclared: &undeclared,
        date: today,
        command: &scan_run::command(&source, typed.database.as_deref(), environment),
        database: database.trim_start(),
        file: &output.unwrap_or(Path::new(config_file::FILE_NAME)).display().to_string(),
        baseline: baseline.as_deref(),
    };
    if let (Some(file), Some(text)) = (&typed.baseline, known) {
        super::create_file(file, &text, environment)?;
    }
    let configuration = report::init::configuration(&report);
    let Some(output) = output else { return Ok(Outcome { notes, ..Outcome::of(configuration) }) };
    super::create_file(output, &configuration, environment)?;
    Ok(Outcome { notes, ..Outcome::of(report::init::render(&report, &environment.terminal)) })
}

/// Returns the references that the database does not declare, and notes about all that was not read for this.
fn undeclared(
    schema: &Schema,
    database: &mut dyn Database,
    source: &Source,
    typed: &cli::InitArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<(Vec<CandidateView>, Vec<String>), RunError> {
    if source.has_configured_tables() && source.folder().is_none() {
        return Ok((Vec::new(), Vec::new()));
    }
    let options = DiscoverArgs { timeout: typed.timeout, ..DiscoverArgs::default() };
    let mut session = database.session()?;
    discover::candidates(schema, session.as_mut(), &options, environment, Tier::Likely, progress)
}

/// Examines all relations. The baseline sees every missing key.
fn examine_with(
    schema: Schema,
    sessions: &mut [Box<dyn Session>],
    known: &BaselineRun,
    redaction: &Redaction,
    environment: &Environment,
    progress: Progress<'_>,
) -> Examination {
    // The baseline only records: the draft is about everything that is there.
    let is_known = |relation: RelationId, key: &Key, rows: u64| {
        known.knows_key(&schema, redaction, relation, key, rows);
        false
    };
    let scan_options = ScanOptions {
        samples: DEFAULT_SAMPLES,
        memory: DEFAULT_MEMORY,
        threads: environment.cores,
        progress,
        is_known: Some(&is_known),
    };
    let options = FindingOptions { redaction, policy: &Policy::default(), time_columns: &[], mark: &|finding| finding };
    let Examined { relations, findings, groups, .. } =
        examine::examine_relations(&schema, sessions, &scan_options, &options, &mut |_, _| {});
    Examination { relations, findings, groups, ..Examination::of(schema) }
}

/// Returns an error if a file of this name exists, because `init` replaces none.
fn refuse_existing(file: &Path, environment: &Environment) -> Result<(), RunError> {
    if environment.directory.join(file).symlink_metadata().is_err() {
        return Ok(());
    }
    Err(RunError::NotReplaced { path: file.to_owned() })
}
