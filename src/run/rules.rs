//! `rules`: checks rules, lists those that come with the program, and suggests rules for a database.

use std::path::PathBuf;
use std::time::Duration;

use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::config_file;
use super::database;
use super::guided_scan;
use super::rule_files;
use super::rule_files::SHIPPED;
use crate::cli;
use crate::config;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::model::text::plural;
use crate::report;
use crate::scan::Progress;
use crate::sql;
use crate::treat;

pub fn rules(
    typed: &cli::repair::RulesCommand,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let text = match typed {
        cli::repair::RulesCommand::Check { paths, against, timeout } => {
            check(paths, against.as_deref(), *timeout, global, environment)?
        }
        cli::repair::RulesCommand::Suggest { database, timeout } => {
            suggest(database, *timeout, global, environment, progress)?
        }
        cli::repair::RulesCommand::List { name: None } => list(),
        cli::repair::RulesCommand::List { name: Some(name) } => match SHIPPED.iter().find(|(known, _)| known == name) {
            Some((_, text)) => (*text).to_owned(),
            None => {
                let why = "no rule of this name comes with fk-doctor".to_owned();
                return Err(RunError::Rules { path: PathBuf::from(name), why });
            }
        },
    };
    Ok(Outcome::of(text))
}

/// Scans the database and returns the suggested rules.
fn suggest(
    database: &Option<String>,
    timeout: Option<Duration>,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<String, RunError> {
    let source = database::source(database.as_deref(), global, environment)?;
    let typed = database.as_deref();
    let examination = guided_scan::scan(&source, typed, timeout, global, environment, progress)?;
    Ok(report::suggestion(&examination, &|_| None))
}

fn list() -> String {
    let width = SHIPPED.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let explained = |text: &str| {
        let rules = config::rules::parse(text).unwrap_or_default();
        rules.into_iter().next().and_then(|rule| rule.explain).unwrap_or_default()
    };
    SHIPPED.iter().map(|(name, text)| format!("{name:width$}  {}\n", explained(text))).collect()
}

fn check(
    paths: &[PathBuf],
    against: Option<&str>,
    timeout: Option<Duration>,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<String, RunError> {
    let files = rule_files::read(paths, environment)?;
    let rules = plural(files.rules.len() as u64, "rule");
    let Some(database) = against else {
        return Ok(format!("{rules} without a fault; add --against DATABASE to check them against a database too\n"));
    };
    let source = database::source(Some(database), global, environment)?;
    let wait_limits = WaitLimits { lock_wait: DEFAULT_WAIT, deadline: Deadline::after(timeout) };
    let mut database = database::open(&source, &wait_limits, environment)?;
    let config = config_file::read(&source, global, environment)?;
    let schema = config.resolve(database.as_mut(), environment)?;
    let repair_sql = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let mut session = database.session()?;
    let (assigned, mut faults) = treat::assign::assign(&schema, &files.rules);
    faults.extend(treat::check::check(&schema, &files.rules, &assigned, repair_sql, session.as_mut())?);
    if !faults.is_empty() {
        return Err(files.faulty(&faults, environment));
    }
    let mut text = format!("{rules} without a fault\n");
    for (id, rule) in files.rules.entries() {
        if rule.repoints().is_some() {
            text.push_str(&format!("  {} merges twins of {}\n", rule.id.value, rule.parent_table()));
            continue;
        }
        let treats = schema.relations.iter().zip(&assigned).filter(|(_, assigned)| **assigned == Some(id));
        for (relation, _) in treats {
            text.push_str(&format!("  {} treats {}\n", rule.id.value, relation.id));
        }
        let others = schema.relations.iter().zip(&assigned).filter_map(|(relation, assigned)| {
            let first = assigned.filter(|first| *first != id && rule.applies_to(&schema, relation))?;
            Some((&files.rules[first].id.value, &relation.id))
        });
        for (first, relation) in others {
            text.push_str(&format!("  {} does not treat {relation}, because {first} comes first\n", rule.id.value));
        }
        if !assigned.iter().any(|rule| *rule == Some(id)) {
            text.push_str(&format!("  {} treats no relation of this database\n", rule.id.value));
        }
    }
    Ok(crate::model::text::visible_lines(&text).into_owned())
}
