//! The commands, one file each, and their shared parts. Only this module uses all stages. It prints nothing.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io::Write;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::apply::journal;
use crate::cli;
use crate::engine::Database;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::examine::ExamineError;
use crate::exit::Exit;
use crate::model::redaction::Redaction;
use crate::model::redaction::Secret;
use crate::model::redaction::Values;
use crate::model::remote;
use crate::model::schema::Schema;
use crate::report::Format;
use crate::report::TerminalStyle;
use crate::source::Source;
use crate::whole_file::WholeFile;

mod apply;
mod check;
mod code;
mod command_setup;
mod config_file;
mod correct_load;
mod database;
mod discover;
mod error;
mod explain;
mod fix;
mod guided_scan;
mod init;
mod near_files;
mod orphan_rows;
mod plan_backup;
mod plan_path;
mod planned_schema_check;
mod printed_command;
mod relations_files;
mod repair;
mod replicas;
mod reports;
mod restore;
mod rule_files;
mod rules;
mod scan;
mod scan_run;
mod scans;
mod schema;
mod shipped_rules;
mod sink;
mod status;
mod stopped;

pub use apply::apply;
pub use check::check;
pub use code::code;
pub use database::database_as_command;
pub use database::with_env_file;
pub use discover::discover;
pub use error::RunError;
pub use explain::explain;
pub use fix::Dialogue;
pub use fix::MenuItem;
pub use fix::Reply;
pub use fix::fix;
pub use init::init;
pub use repair::repair;
pub use restore::restore;
pub use rules::rules;
pub use scans::scan;
pub use schema::schema;
pub use sink::NoSink;
pub use sink::Sink;
pub use sink::Stream;
pub use status::status;

use config_file::ConfigFile;

const DEFAULT_SAMPLES: usize = 5;
const DEFAULT_MEMORY: u64 = 256_000_000;
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// Requests to stop a run, such as ctrl-c. Between `begin` and `end`, a request does not end the program.
#[derive(Debug, Clone, Copy)]
pub struct StopRequests {
    pub begin: fn(),
    /// True if there was a request.
    pub is_pending: fn() -> bool,
    /// Returns the cause of the last request, such as `ctrl-c was pressed`.
    pub cause: fn() -> &'static str,
    pub end: fn(),
}

impl Default for StopRequests {
    /// Returns requests that never come.
    fn default() -> StopRequests {
        StopRequests { begin: || {}, is_pending: || false, cause: || "it was asked to stop", end: || {} }
    }
}

/// The environment of a run. It is passed in, so that a run depends on nothing else.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    pub directory: PathBuf,
    /// The environment variables, and those of `--env-file`.
    pub variables: BTreeMap<String, String>,
    /// The login name of the user.
    pub login: Option<String>,
    pub database_url: Option<String>,
    /// The file with DATABASE_URL, if it is not a variable of the process.
    pub database_url_file: Option<PathBuf>,
    /// Shows a note to the user.
    pub show_note: Option<fn(&str)>,
    /// Shows an error after which the run goes on.
    pub show_error: Option<fn(&RunError)>,
    pub stop_requests: StopRequests,
    /// The number of processor cores.
    pub cores: usize,
    pub terminal: TerminalStyle,
    /// The program and its arguments, as typed.
    pub arguments: Vec<String>,
    /// The file of the summary that GitHub shows for a step of a workflow.
    pub step_summary: Option<PathBuf>,
    /// The secret for the hashes of hidden values.
    pub redact_key: Option<String>,
    /// Seconds since 1970.
    pub now: u64,
    /// The id of this process.
    pub process: u32,
}

impl Environment {
    /// Returns the arguments as typed, without the program.
    fn words(&self) -> &[String] {
        self.arguments.get(1..).unwrap_or_default()
    }

    fn note(&self, note: &str) {
        if let Some(show) = self.show_note {
            show(note);
        }
    }
}

/// The texts that a command returns, and the exit code of the program.
#[derive(Debug)]
pub struct Outcome {
    /// Texts for standard output (`None`) or for a file.
    pub documents: Vec<(Option<PathBuf>, String)>,
    /// Lines for standard error, such as the files that were written.
    pub notes: Vec<String>,
    pub exit: Exit,
}

impl Outcome {
    /// Returns the outcome of a command that only prints a text.
    pub fn of(text: String) -> Outcome {
        Outcome { documents: vec![(None, text)], notes: Vec::new(), exit: Exit::Clean }
    }
}

/// Returns each format with its file. Without any `--format`, the ending of the file of `-o` stands for one.
fn outputs_by_ending<F: Format>(
    typed: &[cli::FormatArg<F>],
    file: &Option<PathBuf>,
    default: F,
) -> Result<Vec<(F, Option<PathBuf>)>, RunError> {
    let chosen = if typed.is_empty() { format_of_file(file.as_deref(), default)? } else { default };
    outputs(typed, file, chosen)
}

/// Returns the format that the ending of a file's name stands for; the default for a name without an ending.
fn format_of_file<F: Format>(file: Option<&Path>, default: F) -> Result<F, RunError> {
    let Some((file, ending)) = file.and_then(|file| Some((file, file.extension()?))) else { return Ok(default) };
    F::of_ending(&ending.to_string_lossy()).ok_or_else(|| {
        let endings: Vec<String> = F::endings().map(|ending| format!(".{ending}")).collect();
        RunError::UnknownEnding { path: file.to_owned(), endings: endings.join(", ") }
    })
}

/// Returns each format with its file. `-o` applies to the format that names no file. Two reports to one file are an error.
fn outputs<F: Copy>(
    typed: &[cli::FormatArg<F>],
    file: &Option<PathBuf>,
    default: F,
) -> Result<Vec<(F, Option<PathBuf>)>, RunError> {
    let file_of = |file: Option<&PathBuf>| cli::report_file(file.map(PathBuf::as_path)).map(Path::to_owned);
    if typed.is_empty() {
        return Ok(vec![(default, file_of(file.as_ref()))]);
    }
    let outputs: Vec<(F, Option<PathBuf>)> =
        typed.iter().map(|output| (output.format, file_of(output.file.as_ref().or(file.as_ref())))).collect();
    let mut seen: HashSet<Option<PathBuf>> = HashSet::new();
    // Two spellings of one path, such as `./a` and `a`, have equal components without `.`.
    let duplicate = outputs.iter().find(|(_, file)| {
        let path = file.as_ref().map(|file| file.components().filter(|part| *part != Component::CurDir).collect());
        !seen.insert(path)
    });
    match duplicate {
        Some((_, file)) => Err(RunError::shared_output(file.as_deref())),
        None => Ok(outputs),
    }
}

/// Renders one report for each output, in the style of the terminal.
fn documents<F: Copy>(
    outputs: Vec<(F, Option<PathBuf>)>,
    environment: &Environment,
    render: impl Fn(F, &TerminalStyle) -> String,
) -> Vec<(Option<PathBuf>, String)> {
    styled_documents(outputs, &environment.terminal, render)
}

/// Renders one report for each output. Only standard output gets colors and the terminal's width.
fn styled_documents<F: Copy>(
    outputs: Vec<(F, Option<PathBuf>)>,
    terminal: &TerminalStyle,
    render: impl Fn(F, &TerminalStyle) -> String,
) -> Vec<(Option<PathBuf>, String)> {
    let document = |(format, file): (F, Option<PathBuf>)| {
        let in_file = TerminalStyle { width: None, color: false, ..*terminal };
        let terminal = if file.is_some() { in_file } else { *terminal };
        (file, render(format, &terminal))
    };
    outputs.into_iter().map(document).collect()
}

/// Returns which values may be shown. The option overrules the configuration.
fn redaction(typed: Option<Values>, file: &ConfigFile, environment: &Environment) -> Result<Redaction, RunError> {
    let settings = &file.config.redact;
    let values = typed.or(settings.values).unwrap_or_default();
    let secret = environment.redact_key.as_deref().filter(|key| key.chars().count() >= 16).map(Secret::new);
    if values == Values::Hashed && secret.is_none() {
        return Err(ExamineError::NoRedactKey { action: "hash the values of rows" }.into());
    }
    Ok(Redaction { values, columns: settings.columns.clone(), secret })
}

/// Returns an error if relations are to be discovered in a cluster. `asked` is the option or the command for it.
fn refuse_discovery(source: &Source, asked: Option<&str>) -> Result<(), RunError> {
    match asked {
        Some(asked) if source.has_configured_tables() && source.folder().is_none() => Err(RunError::Input {
            what: format!("{source} for {asked}"),
            why: "discovery reads every column of every table, and no cluster is asked for that".to_owned(),
            help: format!("write each relation of {source} as [[relation]] in fk-doctor.toml"),
        }),
        _ => Ok(()),
    }
}

/// Opens the requested number of sessions, or one per core. A small database gets one session, because opening more would
/// take longer than reading it. So does a scan of rows on other servers, which share no snapshot between two sessions.
fn sessions(
    database: &mut dyn Database,
    schema: &Schema,
    requested: Option<usize>,
    environment: &Environment,
) -> Result<Vec<Box<dyn Session>>, EngineError> {
    if remote::is_read(schema) || (requested.is_none() && database.is_small()) {
        return Ok(vec![database.session()?]);
    }
    database.sessions(requested.unwrap_or(environment.cores).min(schema.relations.len()).max(1))
}

/// Returns an error if a file is the database, or is needed to undo a repair. A typing error such as `-o app.db` would
/// otherwise destroy it.
fn refuse_to_overwrite<'a>(source: &Source, files: impl Iterator<Item = &'a Path>) -> Result<(), RunError> {
    let files: Vec<&Path> = files.collect();
    for file in &files {
        if let Some(why) = why_undo_needs(file) {
            return Err(RunError::WouldOverwrite { path: file.to_path_buf(), why });
        }
    }
    refuse_the_database(source, files.into_iter())
}

/// Writes a new file in the folder of the run. An existing file is an error, and stays as it is.
fn create_file(file: &Path, text: &str, environment: &Environment) -> Result<(), RunError> {
    let unwritten = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => RunError::NotReplaced { path: file.to_owned() },
        _ => RunError::unwritten(Some(file), &error),
    };
    let mut whole = WholeFile::beside(&environment.directory.join(file)).map_err(unwritten)?;
    whole.write_all(text.as_bytes()).map_err(unwritten)?;
    whole.sync().and_then(|synced| synced.create_new()).map_err(unwritten)
}

/// Returns the absolute path of a file that exists or will be created, equal for every spelling of its path.
fn absolute_path(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = || Some(parent.canonicalize().ok()?.join(file.file_name()?));
    file.canonicalize().ok().or_else(beside).unwrap_or_else(|| file.to_owned())
}

/// Returns why `undo` needs this file, or `None` if it does not.
fn why_undo_needs(file: &Path) -> Option<&'static str> {
    let whole = file.canonicalize().ok()?;
    if journal::begun(&whole).is_some() {
        return Some("this plan was started, and `fk-doctor undo` needs it");
    }
    let is_mark = journal::plan_of(&whole).is_some_and(|plan| plan.exists());
    is_mark.then_some("this file belongs to a plan that was started, and `fk-doctor undo` needs it")
}

/// Returns an error if a file is the database itself, or one of the files that SQLite keeps next to it.
fn refuse_the_database<'a>(source: &Source, files: impl Iterator<Item = &'a Path>) -> Result<(), RunError> {
    if let Some(folder) = source.folder() {
        return refuse_data_files(folder, files);
    }
    let Some(database) = source.file() else { return Ok(()) };
    let whole = |path: &Path| path.canonicalize().ok();
    for file in files {
        let beside = ["", "-wal", "-shm", "-journal"].iter().any(|suffix| {
            let mut name = database.as_os_str().to_owned();
            name.push(suffix);
            let name = PathBuf::from(name);
            name == file || (whole(&name).is_some() && whole(&name) == whole(file))
        });
        if beside {
            return Err(RunError::WouldOverwrite {
                path: file.to_owned(),
                why: "this is the database itself, or a file that belongs to it",
            });
        }
    }
    Ok(())
}

/// Returns an error if a file exists in the scanned folder and looks like data.
fn refuse_data_files<'a>(folder: &Path, files: impl Iterator<Item = &'a Path>) -> Result<(), RunError> {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let is_data = |path: &Path| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let describes_tables = path.ends_with("datapackage.json") || path.iter().any(|part| part == "_delta_log");
        describes_tables
            || ending.is_some_and(|ending| {
                ["parquet", "parq", "pq", "csv", "tsv", "ndjson", "jsonl", "gz"].contains(&ending.as_str())
            })
    };
    for file in files {
        if file.canonicalize().is_ok_and(|file| file.starts_with(&whole) && is_data(&file)) {
            let why = "this file exists in the folder that is scanned, and may be data";
            return Err(RunError::WouldOverwrite { path: file.to_owned(), why });
        }
    }
    Ok(())
}
