//! The circumstances of a scan, for the lines of its report that name commands and times.

use std::path::Path;
use std::time::Duration;

use super::Environment;
use super::rule_files;
use crate::cli;
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
    environment: &Environment,
) -> ScanRun {
    let since = typed.since.iter().map(|time| format!("--since {}", shell(time)));
    let conditions = typed
        .condition
        .iter()
        .map(|condition| format!("--where {}", shell(&format!("{}: {}", condition.table.as_str(), condition.sql))));
    ScanRun {
        database: typed.database.as_ref().map(|_| shell(&source.to_string())),
        stem: stem(source, &examination.schema),
        command: command(source, typed, environment),
        started: date::timestamp(environment.now),
        elapsed,
        restrictions: since.chain(conditions).collect(),
        baseline: typed.baseline.as_ref().map(|file| file.display().to_string()),
        shipped_rules: shipped_rules(&examination.schema),
    }
}

/// Returns a name for files about the database, such as `flight_2`.
fn stem(source: &Source, schema: &Schema) -> String {
    let of_file = source.file().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    of_file.unwrap_or_else(|| schema.database.name.clone())
}

/// Returns the command as typed, without passwords.
fn command(source: &Source, typed: &cli::ScanArgs, environment: &Environment) -> String {
    let words = environment.arguments.iter().enumerate().map(|(position, word)| match &typed.database {
        _ if position == 0 => "fk-doctor".to_owned(),
        Some(database) if database == word => shell(&source.to_string()),
        _ => shell(&source::masked(word)),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Returns the relations that a shipped rule names. A rule for any table, such as `*`, names none.
fn shipped_rules(schema: &Schema) -> Vec<(String, String)> {
    let rules = rule_files::shipped();
    let names = schema.relations.iter().filter_map(|relation| {
        let fits =
            |(_, rule): &&(&str, crate::model::rule::Rule)| rule.names_table() && rule.applies_to(schema, relation);
        rules.iter().find(fits).map(|(name, _)| (relation.id.clone(), (*name).to_owned()))
    });
    names.collect()
}
