//! The circumstances of a scan, for the lines of its report that name commands and times.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::Environment;
use super::rule_files;
use crate::cli;
use crate::model::date;
use crate::model::examination::Examination;
use crate::model::ids::RelationId;
use crate::model::rule::Rule;
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
        command: command(source, typed.database.iter().map(String::as_str), environment),
        started: date::timestamp(environment.now),
        elapsed,
        restrictions: since.chain(conditions).collect(),
        baseline: typed.baseline.as_ref().map(|file| file.display().to_string()),
        ..about(examination, source, typed.database.first().map(String::as_str))
    }
}

/// Returns how the database is named in commands, and which rules ship for it. `typed` is the argument that names it.
pub(super) fn about(examination: &Examination, source: &Source, typed: Option<&str>) -> ScanRun {
    ScanRun {
        database: typed.map(|_| shell(&source.to_string())),
        stem: stem(source, &examination.schema),
        shipped_rules: shipped_rules(examination),
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

/// Returns the relations with orphans that a shipped rule names. A rule for any table, such as `*`, names none.
fn shipped_rules(examination: &Examination) -> Vec<(String, String)> {
    // The rules are parsed only for a scan that has a use for them.
    let orphans = examination.open_findings().filter(|finding| finding.code.is_orphan());
    let sick: BTreeSet<RelationId> = orphans.map(|finding| finding.relation).collect();
    if sick.is_empty() {
        return Vec::new();
    }
    let schema = &examination.schema;
    // Most databases have none of these tables.
    let has_table = |name: &str| schema.tables.iter().any(|table| ends_with(name, &table.name.table));
    let named = |rule: &Rule| rule.named_table().is_some_and(has_table);
    let rules: Vec<(&str, Rule)> = rule_files::shipped().into_iter().filter(|(_, rule)| named(rule)).collect();
    let names = sick.into_iter().map(|id| &schema.relations[id]).filter_map(|relation| {
        let fits = |(_, rule): &&(&str, Rule)| rule.applies_to(schema, relation);
        rules.iter().find(fits).map(|(name, _)| (relation.id.clone(), (*name).to_owned()))
    });
    names.collect()
}

/// True if a name ends with another, in any case. A table's name can follow the name of its schema.
fn ends_with(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    start.and_then(|start| name.get(start..)).is_some_and(|rest| rest.eq_ignore_ascii_case(end))
}
