//! `scan`: from what was typed to the reports of an examination.

use std::path::Path;
use std::path::PathBuf;

use super::DEFAULT_MEMORY;
use super::DEFAULT_SAMPLES;
use super::DEFAULT_WAIT;
use super::Outcome;
use super::Outlet;
use super::RunError;
use super::Surroundings;
use super::config_file;
use super::config_file::ConfigFile;
use super::place;
use super::select;
use crate::cli;
use crate::config::words::FailOn;
use crate::diagnose;
use crate::engine;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::Session;
use crate::exit::Exit;
use crate::findings;
use crate::model::catalog::TableKind;
use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::examination::LeftAlone;
use crate::model::examination::Verdict;
use crate::model::finding::Severity;
use crate::model::redaction::Redaction;
use crate::model::redaction::Secret;
use crate::model::redaction::Values;
use crate::model::schema::Schema;
use crate::report;
use crate::report::Paper;
use crate::report::ScanFormat;
use crate::report::csv::Rows;
use crate::scan;
use crate::scan::Fact;
use crate::scan::Progress;
use crate::scan::Wishes;

type Output = (ScanFormat, Option<PathBuf>);

pub fn scan(
    typed: &cli::Scan,
    global: &cli::Global,
    surroundings: &Surroundings,
    outlet: &dyn Outlet,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = super::source(&typed.database, surroundings)?;
    let outputs = super::outputs(&typed.format, &typed.output, ScanFormat::Table)?;
    super::refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    let file = config_file::read(global, surroundings)?;
    let settings = &file.config.scan;
    let patience = Patience {
        lock_wait: typed.wait.or(settings.wait).unwrap_or(DEFAULT_WAIT),
        deadline: Deadline::after(typed.timeout.or(settings.timeout)),
    };
    let mut database = engine::open(&source, &patience)?;
    let schema = file.resolve(database.as_mut(), surroundings)?;
    let (schema, mut left_alone) = select::select(schema, &file.config, &typed.table, &typed.relation)?;
    let places = place::places(&schema, &file, typed.schema_file.as_deref())?;
    let jobs = typed.jobs.or(settings.jobs).unwrap_or(surroundings.cores).max(1);
    let wishes = Wishes {
        samples: typed.samples.or(settings.samples).unwrap_or(DEFAULT_SAMPLES),
        memory: typed.memory.or(settings.memory).unwrap_or(DEFAULT_MEMORY),
        threads: jobs,
        progress,
    };
    let mut sessions = database.sessions(jobs.min(schema.relations.len()))?;
    file.check_conditions(&schema, &mut sessions, surroundings)?;
    left_alone.splice(0..0, tables_left_alone(&schema));
    let redaction = redaction(typed, &file, surroundings)?;
    let (mut examination, facts) = look(schema, &mut sessions, &wishes, &redaction);
    examination.left_alone = left_alone;
    examination.places = places;
    examination.fail_on = bar(typed, &file);
    for (_, file) in outputs.iter().filter(|(format, _)| *format == ScanFormat::Csv) {
        stream_orphans(&examination.schema, &facts, &redaction, &mut sessions, outlet, file.as_deref())?;
    }
    drop(sessions);
    if let Some(why) = database.disturbed() {
        distrust(&mut examination, &why);
    }
    if outputs.iter().any(|(format, _)| *format == ScanFormat::Github) {
        summarize(&examination, surroundings, outlet)?;
    }
    Ok(Outcome { documents: documents(&examination, outputs, surroundings), exit: exit(&examination) })
}

/// Every report that does not stream.
fn documents(
    examination: &Examination,
    outputs: Vec<Output>,
    surroundings: &Surroundings,
) -> Vec<(Option<PathBuf>, String)> {
    let whole = outputs.into_iter().filter(|(format, _)| *format != ScanFormat::Csv);
    whole
        .map(|(format, file)| {
            let paper = if file.is_some() { Paper::default() } else { surroundings.paper };
            (file, report::scan(examination, format, &paper))
        })
        .collect()
}

fn exit(examination: &Examination) -> Exit {
    match examination.verdict() {
        Verdict::Clean | Verdict::Partial => Exit::Clean,
        Verdict::Findings => Exit::Findings,
        Verdict::Incomplete => Exit::Incomplete,
    }
}

fn bar(typed: &cli::Scan, file: &ConfigFile) -> Option<Severity> {
    match typed.fail_on.or(file.config.scan.fail_on).unwrap_or(FailOn::At(Severity::Error)) {
        FailOn::At(severity) => Some(severity),
        FailOn::Never => None,
    }
}

fn redaction(typed: &cli::Scan, file: &ConfigFile, surroundings: &Surroundings) -> Result<Redaction, RunError> {
    let settings = &file.config.redact;
    let values = typed.redact.or(settings.values).unwrap_or_default();
    let secret = surroundings.redact_key.as_deref().filter(|key| key.chars().count() >= 16).map(Secret::new);
    if values == Values::Hashed && secret.is_none() {
        return Err(RunError::NoRedactKey);
    }
    Ok(Redaction { values, columns: settings.columns.clone(), secret })
}

/// An engine's error without the values that it may quote.
fn quiet(redaction: &Redaction, error: EngineError) -> EngineError {
    match error {
        EngineError::Failed { why } => EngineError::Failed { why: redaction.message(&why) },
        other => other,
    }
}

/// Every orphan, asked for once more in the same snapshot: no number of them is held in memory.
fn stream_orphans(
    schema: &Schema,
    facts: &[Fact],
    redaction: &Redaction,
    sessions: &mut [Box<dyn Session>],
    outlet: &dyn Outlet,
    file: Option<&Path>,
) -> Result<(), RunError> {
    let unwritten = |error: std::io::Error| RunError::unwritten(file, &error);
    let mut stream = outlet.stream(file).map_err(unwritten)?;
    let mut rows = Rows::new(&mut stream).map_err(unwritten)?;
    for (relation, fact) in schema.relations.iter().zip(facts) {
        let Fact::Checked(tally) = fact else { continue };
        if tally.orphan_rows == 0 {
            continue;
        }
        let mut fault = None;
        scan::each_orphan(schema, sessions[0].as_mut(), relation, tally, &mut |orphan| {
            if fault.is_none() {
                fault = rows.orphan(schema, relation, &redaction.sample(schema, relation, orphan)).err();
            }
        })
        .map_err(|error| quiet(redaction, error))?;
        fault.map_or(Ok(()), Err).map_err(unwritten)?;
    }
    rows.finish().map_err(unwritten)?;
    stream.finish().map_err(unwritten)
}

/// The page that a workflow's run shows, where there is one.
fn summarize(examination: &Examination, surroundings: &Surroundings, outlet: &dyn Outlet) -> Result<(), RunError> {
    let Some(page) = &surroundings.step_summary else { return Ok(()) };
    let text = report::scan(examination, ScanFormat::Markdown, &Paper::default());
    outlet.append(page, &text).map_err(|error| RunError::unwritten(Some(page), &error))
}

/// Scan, diagnosis and findings of a schema whose relations have been chosen.
pub fn examine(schema: Schema, sessions: &mut [Box<dyn Session>], wishes: &Wishes<'_>) -> Examination {
    look(schema, sessions, wishes, &Redaction::default()).0
}

fn look(
    schema: Schema,
    sessions: &mut [Box<dyn Session>],
    wishes: &Wishes<'_>,
    redaction: &Redaction,
) -> (Examination, Vec<Fact>) {
    let facts = scan::scan(&schema, sessions, wishes);
    let diagnoses = scan::across(
        sessions,
        facts.len(),
        |session, i| match &facts[i] {
            Fact::Checked(tally) => diagnose::diagnose(&schema, session, &schema.relations[i], tally, redaction),
            Fact::Unchecked(_) => Vec::new(),
        },
        |_| {},
    );
    let coverage = |(relation, fact)| {
        let coverage = findings::coverage(relation, fact);
        Coverage { reason: coverage.reason.map(|reason| redaction.message(&reason)), ..coverage }
    };
    let relations: Vec<Coverage> = schema.relations.iter().zip(&facts).map(coverage).collect();
    let findings = facts
        .iter()
        .zip(diagnoses)
        .enumerate()
        .flat_map(|(index, (fact, diagnosis))| findings::findings(&schema, index, fact, diagnosis, wishes.samples))
        .map(|finding| redaction.finding(&schema, finding))
        .collect();
    let examination = Examination {
        schema,
        relations,
        findings,
        left_alone: Vec::new(),
        fail_on: Some(Severity::Error),
        places: Vec::new(),
        values: redaction.values,
    };
    (examination, facts)
}

fn tables_left_alone(schema: &Schema) -> Vec<LeftAlone> {
    let why = |kind: TableKind| match kind {
        TableKind::Virtual => Some("a virtual table: its rows come from a module's code, which is not run"),
        TableKind::Shadow => Some("the storage of a virtual table"),
        TableKind::Table | TableKind::Partitioned | TableKind::View => None,
    };
    let tables = schema.tables.iter();
    tables
        .filter_map(|table| Some(LeftAlone { what: table.name.to_string(), why: why(table.kind)?.to_owned() }))
        .collect()
}

/// Nothing that was read can be relied on.
fn distrust(examination: &mut Examination, why: &str) {
    for coverage in &mut examination.relations {
        coverage.state = CoverageState::Unchecked;
        coverage.reason = Some(why.to_owned());
    }
}
