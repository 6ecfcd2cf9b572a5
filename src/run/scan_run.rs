//! The circumstances of a scan, for the lines of its report that name commands and times.

use std::path::Path;
use std::time::Duration;

use super::Environment;
use super::printed_command;
use super::shipped_rules;
use crate::cli;
use crate::engine::Session;
use crate::model::date;
use crate::model::examination::Examination;
use crate::model::scan_run::ScanRun;
use crate::model::schema::Schema;
use crate::model::text::shell;
use crate::source;
use crate::source::Source;

pub(super) fn of(
    examination: &Examination,
    source: &Source,
    typed: &cli::ScanArgs,
    elapsed: Duration,
    session: &mut dyn Session,
    (global, environment): (&cli::GlobalArgs, &Environment),
) -> ScanRun {
    let since = typed.since.iter().map(|time| format!("--since {}", shell(time)));
    let conditions = typed
        .condition
        .iter()
        .map(|condition| format!("--where {}", shell(&format!("{}: {}", condition.table.as_str(), condition.sql))));
    ScanRun {
        command: command(source, typed.database.iter().map(String::as_str), environment),
        started: date::timestamp(environment.now),
        elapsed,
        restrictions: since.chain(conditions).collect(),
        baseline: typed.baseline.as_ref().map(|file| file.display().to_string()),
        ..about(examination, source, typed.database.first().map(String::as_str), global, session)
    }
}

/// Returns how the database is named in commands, and which rules ship for it. `typed` is the argument that names it.
pub(super) fn about(
    examination: &Examination,
    source: &Source,
    typed: Option<&str>,
    global: &cli::GlobalArgs,
    session: &mut dyn Session,
) -> ScanRun {
    ScanRun {
        database: typed.map(|_| shell(&source.to_string())),
        options: printed_command::ending(global.words()),
        stem: stem(source, &examination.schema),
        shipped_rules: shipped_rules::for_orphans(examination, session),
        ..ScanRun::default()
    }
}

/// Returns a name for files about the database, such as `flight_2`.
fn stem(source: &Source, schema: &Schema) -> String {
    let of_file = source.file().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    of_file.unwrap_or_else(|| schema.database.name.clone())
}

/// Returns the command as typed, without passwords.
pub(super) fn command<'a>(
    source: &Source,
    typed: impl IntoIterator<Item = &'a str>,
    environment: &Environment,
) -> String {
    let typed: Vec<&str> = typed.into_iter().collect();
    let words = environment.arguments.iter().enumerate().map(|(position, word)| match typed.as_slice() {
        _ if position == 0 => "fk-doctor".to_owned(),
        [database] if database == word => shell(&source.to_string()),
        _ => shell(&source::masked(word)),
    });
    words.collect::<Vec<_>>().join(" ")
}
