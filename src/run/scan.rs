//! `scan`: from what was typed to the reports of an examination.

use super::DEFAULT_MEMORY;
use super::DEFAULT_SAMPLES;
use super::DEFAULT_WAIT;
use super::Outcome;
use super::RunError;
use super::Surroundings;
use super::config_file;
use super::select;
use crate::cli;
use crate::config::words::FailOn;
use crate::diagnose;
use crate::engine;
use crate::engine::Deadline;
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
use crate::model::schema::Schema;
use crate::report;
use crate::report::Paper;
use crate::report::ScanFormat;
use crate::scan;
use crate::scan::Fact;
use crate::scan::Progress;
use crate::scan::Wishes;

pub fn scan(
    typed: &cli::Scan,
    global: &cli::Global,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = super::source(&typed.database, surroundings)?;
    let outputs = super::outputs(&typed.format, &typed.output, ScanFormat::Table);
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
    let mut examination = examine(schema, &mut sessions, &wishes);
    examination.left_alone = left_alone;
    examination.fail_on = match typed.fail_on.or(settings.fail_on).unwrap_or(FailOn::At(Severity::Error)) {
        FailOn::At(severity) => Some(severity),
        FailOn::Never => None,
    };
    drop(sessions);
    if let Some(why) = database.disturbed() {
        distrust(&mut examination, &why);
    }
    let exit = match examination.verdict() {
        Verdict::Clean => Exit::Clean,
        Verdict::Findings => Exit::Findings,
        Verdict::Incomplete => Exit::Incomplete,
    };
    let documents = outputs.into_iter().map(|(format, file)| {
        let paper = if file.is_some() { Paper::default() } else { surroundings.paper };
        (file, report::scan(&examination, format, &paper))
    });
    Ok(Outcome { documents: documents.collect(), exit })
}

/// Scan, diagnosis and findings of a schema whose relations have been chosen.
pub fn examine(schema: Schema, sessions: &mut [Box<dyn Session>], wishes: &Wishes<'_>) -> Examination {
    let facts = scan::scan(&schema, sessions, wishes);
    let diagnoses = scan::across(
        sessions,
        facts.len(),
        |session, i| match &facts[i] {
            Fact::Checked(tally) => diagnose::diagnose(&schema, session, &schema.relations[i], tally),
            Fact::Unchecked(_) => Vec::new(),
        },
        |_| {},
    );
    let relations: Vec<Coverage> =
        schema.relations.iter().zip(&facts).map(|(relation, fact)| findings::coverage(relation, fact)).collect();
    let findings = facts
        .iter()
        .zip(diagnoses)
        .enumerate()
        .flat_map(|(index, (fact, diagnosis))| findings::findings(&schema, index, fact, diagnosis, wishes.samples))
        .collect();
    Examination { schema, relations, findings, left_alone: Vec::new(), fail_on: Some(Severity::Error) }
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
