//! One function per command: the only file that knows every stage. Nothing is printed here.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli;
use crate::config;
use crate::config::Config;
use crate::config::words::FailOn;
use crate::diagnose;
use crate::engine;
use crate::engine::Database;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::Session;
use crate::exit::Exit;
use crate::findings;
use crate::model::catalog::TableKind;
use crate::model::configured::Fault;
use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::examination::LeftAlone;
use crate::model::examination::Verdict;
use crate::model::finding::Severity;
use crate::model::resolve;
use crate::model::schema::Schema;
use crate::model::sql;
use crate::report;
use crate::report::Paper;
use crate::report::ScanFormat;
use crate::report::SchemaFormat;
use crate::scan;
use crate::scan::Fact;
use crate::scan::Progress;
use crate::scan::Wishes;
use crate::source::Source;
use crate::source::SourceError;

mod select;

const DEFAULT_SAMPLES: usize = 5;
const DEFAULT_MEMORY: u64 = 256_000_000;
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// What the program runs in; passed in, so that a run depends on nothing else.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub directory: PathBuf,
    pub database_url: Option<String>,
    pub cores: usize,
    pub paper: Paper,
}

/// What a command has to say, and how the program ends.
#[derive(Debug)]
pub struct Outcome {
    /// Texts for standard output (`None`) or for a file.
    pub documents: Vec<(Option<PathBuf>, String)>,
    pub exit: Exit,
}

/// Why a command could not run, in the three parts in which it is told.
#[derive(Debug)]
pub enum RunError {
    Source(SourceError),
    Engine(EngineError),
    /// The configuration's file could not be read.
    ConfigFile {
        path: PathBuf,
        why: String,
    },
    /// The faults of a configuration, rendered with carets.
    Config {
        rendered: String,
    },
    /// A filter names nothing that there is.
    Filter {
        option: &'static str,
        pattern: String,
        help: String,
    },
    /// A report would overwrite the database.
    WouldOverwrite {
        path: PathBuf,
    },
}

impl RunError {
    pub fn exit(&self) -> Exit {
        match self {
            RunError::Engine(_) => Exit::Unreadable,
            _ => Exit::Usage,
        }
    }
}

impl From<EngineError> for RunError {
    fn from(error: EngineError) -> Self {
        RunError::Engine(error)
    }
}

pub fn scan(
    typed: &cli::Scan,
    global: &cli::Global,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = source(&typed.database, surroundings)?;
    let outputs = outputs(&typed.format, &typed.output, ScanFormat::Table);
    refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    let file = read_config(global, surroundings)?;
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

pub fn schema(typed: &cli::Schema, global: &cli::Global, surroundings: &Surroundings) -> Result<Outcome, RunError> {
    let source = source(&typed.database, surroundings)?;
    let outputs = outputs(&typed.format, &typed.output, SchemaFormat::Table);
    refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    let file = read_config(global, surroundings)?;
    let patience = Patience {
        lock_wait: typed.wait.or(file.config.scan.wait).unwrap_or(DEFAULT_WAIT),
        deadline: Deadline::default(),
    };
    let mut database = engine::open(&source, &patience)?;
    let schema = file.resolve(database.as_mut(), surroundings)?;
    let documents = outputs.into_iter().map(|(format, file)| {
        let paper = if file.is_some() { Paper::default() } else { surroundings.paper };
        (file, report::schema(&schema, format, &paper))
    });
    Ok(Outcome { documents: documents.collect(), exit: Exit::Clean })
}

fn source(typed: &Option<String>, surroundings: &Surroundings) -> Result<Source, RunError> {
    let text = typed.as_deref().or(surroundings.database_url.as_deref()).unwrap_or_default();
    Source::parse(text).map_err(RunError::Source)
}

/// `-o` names the file of the one format that has none of its own.
fn outputs<F: Copy>(typed: &[cli::Output<F>], file: &Option<PathBuf>, default: F) -> Vec<(F, Option<PathBuf>)> {
    if typed.is_empty() {
        return vec![(default, file.clone())];
    }
    typed.iter().map(|output| (output.format, output.file.clone().or_else(|| file.clone()))).collect()
}

/// A slip such as `-o app.db` must not cost the database.
fn refuse_to_overwrite<'a>(source: &Source, files: impl Iterator<Item = &'a Path>) -> Result<(), RunError> {
    let Source::Sqlite(database) = source;
    let whole = |path: &Path| path.canonicalize().ok();
    for file in files {
        let beside = ["", "-wal", "-shm", "-journal"].iter().any(|suffix| {
            let mut name = database.as_os_str().to_owned();
            name.push(suffix);
            let name = PathBuf::from(name);
            name == file || (whole(&name).is_some() && whole(&name) == whole(file))
        });
        if beside {
            return Err(RunError::WouldOverwrite { path: file.to_owned() });
        }
    }
    Ok(())
}

/// A configuration and the text that its faults point into.
struct ConfigFile {
    path: String,
    text: String,
    config: Config,
}

fn read_config(global: &cli::Global, surroundings: &Surroundings) -> Result<ConfigFile, RunError> {
    let found = match &global.config {
        Some(path) => Some(path.clone()),
        None => surroundings
            .directory
            .ancestors()
            .map(|directory| directory.join("fk-doctor.toml"))
            .find(|path| path.is_file()),
    };
    let Some(path) = found else {
        return Ok(ConfigFile { path: String::new(), text: String::new(), config: Config::default() });
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| RunError::ConfigFile { path: path.clone(), why: error.to_string() })?;
    let shown = path.strip_prefix(&surroundings.directory).unwrap_or(&path).display().to_string();
    match config::parse(&text) {
        Ok(config) => Ok(ConfigFile { path: shown, text, config }),
        Err(faults) => {
            Err(RunError::Config { rendered: config::fault::render(&faults, &text, &shown, surroundings.paper.color) })
        }
    }
}

impl ConfigFile {
    fn faults(&self, faults: &[Fault], surroundings: &Surroundings) -> RunError {
        RunError::Config { rendered: config::fault::render(faults, &self.text, &self.path, surroundings.paper.color) }
    }

    fn resolve(&self, database: &mut dyn Database, surroundings: &Surroundings) -> Result<Schema, RunError> {
        let catalog = database.catalog()?;
        resolve::resolve(catalog, &self.config.relations).map_err(|faults| self.faults(&faults, surroundings))
    }

    /// The operator's conditions are compiled before the work begins, and every fault is shown at its place.
    fn check_conditions(
        &self,
        schema: &Schema,
        sessions: &mut [Box<dyn Session>],
        surroundings: &Surroundings,
    ) -> Result<(), RunError> {
        let mut faults = Vec::new();
        for wanted in &self.config.relations {
            for (condition, of_parent) in [(&wanted.condition, false), (&wanted.soft_deleted, true)] {
                let Some(condition) = condition else { continue };
                let mut speaking = schema.relations.iter().filter(|relation| {
                    let scope = &relation.scope;
                    let text = if of_parent { &scope.soft_deleted } else { &scope.condition };
                    text.as_ref() == Some(&condition.value)
                });
                let failure = speaking.find_map(|relation| {
                    let check = sql::of(schema).condition_check(schema, relation, &condition.value, of_parent)?;
                    sessions[0].each_row(&check, &mut |_| {}).err()
                });
                faults.extend(failure.map(|error| Fault {
                    place: condition.place.clone(),
                    message: format!("this does not compile: {}", error.because()),
                    help: Some(format!("write it over {}", if of_parent { "parent.*" } else { "child.*" })),
                }));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(self.faults(&faults, surroundings)) }
    }
}

fn tables_left_alone(schema: &Schema) -> Vec<LeftAlone> {
    let why = |kind: TableKind| match kind {
        TableKind::Virtual => Some("a virtual table: its rows come from a module's code, which is not run"),
        TableKind::Shadow => Some("the storage of a virtual table"),
        TableKind::Table | TableKind::View => None,
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
