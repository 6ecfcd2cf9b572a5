//! Finds the database of a command: its address, the settings on which the address depends, and the error of a database
//! that cannot be opened.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use super::Environment;
use super::RunError;
use super::near_files;
use crate::cli;
use crate::engine::Database;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engines;
use crate::model::text::io_reason;
use crate::model::text::shell;
use crate::source;
use crate::source::Source;
use crate::source::SourceError;
use crate::source::Surroundings;

/// The variable that names the database, if no argument does.
const VARIABLE: &str = "DATABASE_URL";

/// Returns the source that an argument names, else DATABASE_URL, for a command that does not read folders of files.
pub(super) fn source(
    typed: Option<&str>,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<Source, RunError> {
    refuse_files(source_to_read(typed, global, environment)?)
}

/// Returns an error for a source of files, which no command changes.
pub(super) fn refuse_files(source: Source) -> Result<Source, RunError> {
    if source.has_configured_tables() {
        let database = shell(&source.to_string());
        let (why, row) = match source.folder() {
            Some(_) => ("files are read, not changed", "every orphan row with its file and its place"),
            None => ("a cluster is read, not changed", "every orphan row"),
        };
        return Err(RunError::Input {
            what: format!("{source} with this command"),
            why: why.to_owned(),
            help: format!("fk-doctor scan {database} --format csv=orphans.csv lists {row}"),
        });
    }
    Ok(source)
}

/// Returns the source that an argument names, else DATABASE_URL. Notes about it are shown at once.
pub(super) fn source_to_read(
    typed: Option<&str>,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<Source, RunError> {
    let text = typed.or(environment.database_url.as_deref()).unwrap_or_default();
    let resolved = resolved(text, global, environment).and_then(refuse_absent);
    if typed.is_none() { resolved.map_err(|error| from_variable(error, environment)) } else { resolved }
}

/// Returns an error if this build cannot open databases of the engine.
fn refuse_absent(source: Source) -> Result<Source, RunError> {
    match engines::absent(source.engine()) {
        None => Ok(source),
        Some((why, help)) => {
            Err(RunError::Input { what: source.to_string(), why: why.to_owned(), help: help.to_owned() })
        }
    }
}

fn surroundings(environment: &Environment) -> Surroundings<'_> {
    Surroundings {
        variables: &environment.variables,
        login: environment.login.as_deref(),
        defaults_file: None,
        read: &source::read_file,
    }
}

/// Adds to an error that its address comes from DATABASE_URL.
fn from_variable(error: RunError, environment: &Environment) -> RunError {
    if matches!(&error, RunError::Source { error, .. } if matches!(**error, SourceError::Missing)) {
        return error;
    }
    let variable = match &environment.database_url_file {
        Some(file) => format!("{VARIABLE} in {}", file.display()),
        None => VARIABLE.to_owned(),
    };
    RunError::FromVariable { error: Box::new(error), variable }
}

fn resolved(text: &str, global: &cli::GlobalArgs, environment: &Environment) -> Result<Source, RunError> {
    let defaults_file = global.defaults_file.as_deref();
    let surroundings = Surroundings { defaults_file, ..surroundings(environment) };
    match Source::resolve(text, &surroundings) {
        Ok(resolved) => {
            for note in &resolved.notes {
                environment.note(note);
            }
            let is_folder = resolved.source.file().is_some_and(Path::is_dir);
            let source = if is_folder { resolved.source.as_folder() } else { Ok(resolved.source) };
            source.map_err(|error| RunError::Source { error: Box::new(error), help: None })
        }
        Err(SourceError::Missing) => Err(RunError::Source {
            error: Box::new(SourceError::Missing),
            help: Some(help_without_database(environment)),
        }),
        Err(error) => Err(RunError::Source { error: Box::new(error), help: None }),
    }
}

/// Returns the environment with the variables of the file that `--env-file` names. They are stronger than variables of
/// the process, because the user named the file.
pub fn with_env_file(mut environment: Environment, global: &cli::GlobalArgs) -> Result<Environment, RunError> {
    let Some(path) = &global.env_file else { return Ok(environment) };
    let text = std::fs::read_to_string(path).map_err(|error| RunError::unreadable(path, &error, "--env-file"))?;
    let variables = env_file_variables(path, &text)?;
    if let Some(url) = variables.get(VARIABLE) {
        if environment.database_url.as_ref().is_some_and(|known| known != url) {
            environment.note(&format!("{VARIABLE} of {} is used instead of the environment's", path.display()));
        }
        environment.database_url = Some(url.clone());
        environment.database_url_file = Some(path.clone());
    }
    environment.variables.extend(variables);
    Ok(environment)
}

fn env_file_variables(path: &Path, text: &str) -> Result<BTreeMap<String, String>, RunError> {
    dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(|error| {
        // The error shows the line, which may contain a password.
        let line = match &error {
            dotenvy::Error::LineParse(line, _) => {
                let first = line.lines().next().unwrap_or_default();
                text.lines().position(|known| !first.trim().is_empty() && known.contains(first.trim()))
            }
            _ => None,
        };
        RunError::Input {
            what: path.display().to_string(),
            why: match line {
                Some(line) => format!("line {} is not NAME=VALUE", line + 1),
                None => "a line is not NAME=VALUE".to_owned(),
            },
            help: "write a value with spaces or with # in single quotes: NAME='VALUE'".to_owned(),
        }
    })
}

/// Opens a database. The error for a missing file names a similar one.
pub(super) fn open(
    source: &Source,
    limits: &WaitLimits,
    environment: &Environment,
) -> Result<Box<dyn Database>, RunError> {
    let database = engines::open(source, limits).map_err(|error| explained(error, source, environment))?;
    if let Some(server) = database.chosen_server() {
        environment.note(&format!("of the servers in the address, {server} is used"));
    }
    Ok(database)
}

/// Lets an engine roll back the transaction of a killed writer in a database file.
pub(super) fn recover(source: &Source, limits: &WaitLimits, environment: &Environment) -> Result<(), RunError> {
    engines::recover(source, limits).map_err(|error| explained(error, source, environment))
}

fn explained(error: EngineError, source: &Source, environment: &Environment) -> RunError {
    let written = written_address(source, environment);
    let is_from_variable = written.is_some() && !environment.words().iter().any(|word| Some(word) == written.as_ref());
    let error = match source.file().filter(|path| std::fs::metadata(path).is_err_and(|error| is_missing(&error))) {
        Some(path) => missing_file(path, written.as_deref(), environment),
        None => RunError::Engine(error),
    };
    if is_from_variable { from_variable(error, environment) } else { error }
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn missing_file(path: &Path, written: Option<&str>, environment: &Environment) -> RunError {
    let is_relative_url = written.is_some_and(|text| text.contains(":///") && !text.starts_with("file:"));
    let scheme = written.and_then(|text| text.split_once(":///")).map_or("sqlite", |(scheme, _)| scheme);
    let absolute = Path::new("/").join(path);
    let mut because = missing_because(path);
    let mut near = near_files::near(path, &environment.directory);
    if is_relative_url && path.is_relative() {
        because.push_str(&format!(" (\"{scheme}:///\" is relative, \"{scheme}:////\" is absolute)"));
        near = if absolute.is_file() { Some(absolute) } else { near };
    }
    if let Some((drive, inside)) = source::windows_path(path).filter(|_| !cfg!(windows)) {
        because = format!("{}: is a drive of Windows, and this is another system", drive.to_ascii_uppercase());
        let mounted = PathBuf::from(format!("/mnt/{drive}/{inside}"));
        near = if mounted.is_file() { Some(mounted) } else { near };
    }
    let help = match near {
        Some(near) => command_with(&near.display().to_string(), written, environment),
        None if is_host_and_port(path) => {
            let server = format!("postgres://{}", path.display());
            format!("if it is a server: {}", command_with(&server, written, environment))
        }
        None => "correct the path; fk-doctor never creates a database".to_owned(),
    };
    RunError::NoDatabaseFile { path: path.to_owned(), because, help }
}

/// True for `localhost:5432/shop`, a URL without its scheme.
fn is_host_and_port(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let Some((host, rest)) = text.split_once(':') else { return false };
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let is_host = host.len() > 1 && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    is_host && !port.is_empty() && rest[port.len()..].starts_with('/')
}

/// Returns why a file is missing: its folder, or the file alone.
fn missing_because(path: &Path) -> String {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return "the current folder has no such file".to_owned();
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if folder.is_dir() {
        return format!("the folder {} has no file {name}", folder.display());
    }
    match std::fs::metadata(folder) {
        Ok(_) => format!("{} is a file, not a folder", folder.display()),
        Err(error) if is_missing(&error) => format!("there is no folder {}", folder.display()),
        Err(error) => format!("the folder {} cannot be read: {}", folder.display(), io_reason(&error)),
    }
}

/// Returns the text that the user wrote for a source: an argument, or the variable.
fn written_address(source: &Source, environment: &Environment) -> Option<String> {
    let arguments = environment.words().iter().chain(&environment.database_url);
    let surroundings = surroundings(environment);
    let is_same = |text: &&String| Source::resolve(text, &surroundings).is_ok_and(|found| found.source == *source);
    arguments.into_iter().find(is_same).cloned()
}

/// Returns the command of this run for another database, quoted for a shell and without passwords. `written` is the
/// argument that is replaced; without one, the database becomes the first argument of its command.
fn command_with(database: &str, written: Option<&str>, environment: &Environment) -> String {
    let mut words: Vec<String> = environment.words().iter().map(|word| source::masked(word)).collect();
    match environment.words().iter().position(|word| Some(word.as_str()) == written) {
        Some(at) => words[at] = database.to_owned(),
        None => {
            let command = words.iter().position(|word| !word.starts_with('-'));
            let at = match command {
                Some(at) if words[at] == "rules" => at + 2,
                Some(at) => at + 1,
                None => {
                    words = vec!["scan".to_owned()];
                    1
                }
            };
            words.insert(at.min(words.len()), database.to_owned());
        }
    }
    let words: Vec<String> = words.iter().map(|word| shell(word)).collect();
    format!("fk-doctor {}", words.join(" "))
}

/// Returns the next command, if no database was given: with the only database file here, or with the file of variables.
fn help_without_database(environment: &Environment) -> String {
    if let Some(file) = near_files::only_database(&environment.directory) {
        return command_with(&file.display().to_string(), None, environment);
    }
    let env_file = environment.directory.join(".env");
    let has_address = std::fs::read_to_string(env_file)
        .is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with(VARIABLE)));
    if has_address {
        let words = environment.words().iter().map(|word| shell(&source::masked(word))).collect::<Vec<_>>();
        let words = if words.is_empty() { "scan".to_owned() } else { words.join(" ") };
        return format!("fk-doctor {words} --env-file .env");
    }
    command_with("app.db", None, environment)
}

/// Returns the error for a database where a command was expected, or `None` if the word is something else.
pub fn database_as_command(word: &str, arguments: &[String]) -> Option<RunError> {
    let is_server = match Source::parse(word) {
        Ok(source) => source.file().is_none(),
        Err(_) => true,
    };
    if !is_server && !Path::new(word).is_file() && !near_files::has_ending(Path::new(word)) {
        return None;
    }
    let mut words: Vec<String> = arguments.iter().map(|word| shell(&source::masked(word))).collect();
    let at = arguments.iter().position(|argument| argument == word).unwrap_or(0);
    words.insert(at, "scan".to_owned());
    let help = format!("fk-doctor {}", words.join(" "));
    Some(RunError::NotACommand { database: source::masked(word), help })
}
