//! `scan` of one database or of several: each has a report of its own, and the most serious outcome decides the exit code.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use super::Environment;
use super::Outcome;
use super::RunError;
use super::Sink;
use super::config_file;
use super::database;
use super::format_of_file;
use super::scan::scan_database;
use crate::cli;
use crate::cli::FormatArg;
use crate::exit::Exit;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::report::Format;
use crate::report::ScanFormat;
use crate::scan::Progress;
use crate::source;
use crate::source::Source;

/// The name of the database in the name of a file.
const NAME: &str = "{db}";

pub fn scan(
    typed: &cli::ScanArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    sink: &dyn Sink,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let sources = match typed.database.as_slice() {
        [] => vec![database::source_to_read(None, global, environment)?],
        // A wrong address ends the run before the first scan.
        typed => typed
            .iter()
            .map(|text| database::source_to_read(Some(text), global, environment))
            .collect::<Result<_, _>>()?,
    };
    let scan = |source: &Source| {
        scan_database(source, &for_database(typed, &source.name()), global, environment, sink, progress)
    };
    if let [source] = sources.as_slice() {
        return scan(source);
    }
    refuse_shared_files(typed, &sources, environment)?;
    config_file::read_for_all(global, environment)?;
    let mut whole = Outcome { documents: Vec::new(), notes: Vec::new(), exit: Exit::Clean };
    for source in &sources {
        match scan(source) {
            Ok(outcome) => add(&mut whole, outcome),
            Err(error) => {
                whole.exit = whole.exit.or_graver(error.exit());
                if let Some(show) = environment.show_error {
                    show(&error);
                }
            }
        }
    }
    Ok(whole)
}

/// Adds the reports of a database. A blank line separates two of them on standard output.
fn add(whole: &mut Outcome, outcome: Outcome) {
    for (file, text) in outcome.documents {
        let is_later = file.is_none() && whole.documents.iter().any(|(file, text)| file.is_none() && !text.is_empty());
        let separator = if is_later && !text.is_empty() { "\n" } else { "" };
        whole.documents.push((file, format!("{separator}{text}")));
    }
    whole.notes.extend(outcome.notes);
    whole.exit = whole.exit.or_graver(outcome.exit);
}

/// Returns the options with the name of a database in the names of files.
fn for_database(typed: &cli::ScanArgs, name: &str) -> cli::ScanArgs {
    let mut typed = typed.clone();
    let files = [&mut typed.output, &mut typed.baseline, &mut typed.write_baseline, &mut typed.history];
    let reports = typed.format.iter_mut().map(|report| &mut report.file);
    for file in files.into_iter().chain(reports).flatten() {
        if has_name(file) {
            *file = PathBuf::from(file.to_string_lossy().replace(NAME, name));
        }
    }
    typed
}

fn has_name(file: &Path) -> bool {
    file.to_string_lossy().contains(NAME)
}

/// True if reports of several databases can follow each other in one stream.
fn can_be_joined(format: ScanFormat) -> bool {
    matches!(format, ScanFormat::Table | ScanFormat::Ndjson | ScanFormat::Markdown | ScanFormat::Github)
}

/// Returns an error if two databases would write to the same file, or read the same baseline.
fn refuse_shared_files(typed: &cli::ScanArgs, sources: &[Source], environment: &Environment) -> Result<(), RunError> {
    let shared = |what: String, written: &str, instead: &str| RunError::SharedByDatabases {
        databases: sources.len(),
        what,
        help: command_with(written, instead, environment),
    };
    let reports = match typed.format.as_slice() {
        [] => vec![FormatArg { format: format_of_file(typed.output.as_deref(), ScanFormat::Table)?, file: None }],
        formats => formats.to_vec(),
    };
    for report in &reports {
        let name = report.format.name();
        let named = format!("{name}={NAME}.{}", ending(report.format));
        let [of_format, of_all] = [&report.file, &typed.output].map(|file| cli::report_file(file.as_deref()));
        match (of_format, of_all.filter(|_| report.file.is_none())) {
            (Some(file), _) if !has_name(file) => {
                return Err(shared(
                    format!("the report {}", file.display()),
                    &format!("{name}={}", file.display()),
                    &named,
                ));
            }
            (None, Some(file)) if !has_name(file) => {
                let instead = file.with_file_name(format!("{NAME}.{}", ending(report.format)));
                let (what, written) = (format!("the report {}", file.display()), file.display().to_string());
                return Err(shared(what, &written, &instead.display().to_string()));
            }
            (None, None) if !can_be_joined(report.format) => {
                return Err(shared(format!("one {name} report"), name, &named));
            }
            _ => {}
        }
    }
    let mut baselines = [&typed.baseline, &typed.write_baseline].into_iter().flatten();
    if let Some(file) = baselines.find(|file| !has_name(file)) {
        let instead = file.with_file_name(format!("{NAME}.toml")).display().to_string();
        return Err(shared(format!("the baseline {}", file.display()), &file.display().to_string(), &instead));
    }
    refuse_equal_names(typed, sources)
}

/// Returns an error if two databases have the same name, and files are named after them.
fn refuse_equal_names(typed: &cli::ScanArgs, sources: &[Source]) -> Result<(), RunError> {
    let reports = typed.format.iter().filter_map(|report| report.file.as_deref());
    let files = [&typed.output, &typed.write_baseline, &typed.baseline].into_iter().flatten().map(PathBuf::as_path);
    let mut seen = HashSet::new();
    let equal = sources.iter().map(Source::name).find(|name| !seen.insert(name.clone()));
    match (equal, reports.chain(files).find(|file| has_name(file))) {
        (Some(name), Some(file)) => Err(RunError::Input {
            what: format!("the names of {}", plural(sources.len() as u64, "database")),
            why: format!("two of them are called {name}, so that {} would be the same file", file.display()),
            help: "scan them in two commands, with a file each".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn ending(format: ScanFormat) -> &'static str {
    match format {
        ScanFormat::Table | ScanFormat::Github => "txt",
        ScanFormat::Json => "json",
        ScanFormat::Ndjson => "ndjson",
        ScanFormat::Junit => "xml",
        ScanFormat::Sarif => "sarif",
        ScanFormat::Markdown => "md",
        ScanFormat::Html => "html",
        ScanFormat::Csv => "csv",
        ScanFormat::Openmetrics => "prom",
    }
}

/// Returns the command as typed, with another value of an option.
fn command_with(written: &str, instead: &str, environment: &Environment) -> String {
    let replaced = |word: &String| match word.split_once('=') {
        _ if word == written => instead.to_owned(),
        Some((option, value)) if option.starts_with("--") && value == written => format!("{option}={instead}"),
        _ => source::masked(word),
    };
    let words: Vec<String> = environment.words().iter().map(|word| shell(&replaced(word))).collect();
    format!("fk-doctor {}", words.join(" "))
}
