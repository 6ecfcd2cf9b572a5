//! The report of a planned repair for a terminal: the outcome, the action for each relation with its limit, examples of the
//! changes, what stays and why, and the next command. `layout` arranges the lines.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::Path;

use crate::model::catalog::TableName;
use crate::model::forecast::PlanRefusal;
use crate::model::forecast::RelationForecast;
use crate::model::forecast::RepairForecast;
use crate::model::forecast::TableChanges;
use crate::model::redefinition::DefinitionKind;
use crate::model::rule::Rules;
use crate::model::schema::Schema;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::report::TerminalStyle;
use crate::report::changes;
use crate::report::changes::MOST_TABLES;
use crate::report::changes::Tense;
use crate::report::changes::all_orphan_rows;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;

mod actions;
mod examples;
mod twins;

/// The common width of the labels.
const LABEL: usize = 8;

const LEAVE_UNDECIDED: &str = " --leave-undecided";

/// The content of the report of a planned repair.
#[derive(Clone, Copy)]
pub struct RepairReport<'a> {
    pub schema: &'a Schema,
    pub forecast: &'a RepairForecast,
    pub rules: &'a Rules,
    /// The file and the line of each rule by its id, such as `rules.toml:14`.
    pub locations: &'a BTreeMap<String, String>,
    /// The file of the plan, if one was written.
    pub plan: Option<&'a Path>,
    /// The database as the next command names it, without a password.
    pub database: &'a str,
    /// The typed options that choose the database and the configuration, each with a blank before it.
    pub options: &'a str,
    /// The options with which `apply` runs the plan.
    pub apply_options: &'a str,
    /// The command as typed, without a password, and a file for its plan; `None` if it is unknown.
    pub with_plan: Option<&'a str>,
    /// True if the plan is applied at once.
    pub is_applied: bool,
    /// True if a question follows, and its answer applies the plan.
    pub is_asked: bool,
    /// True if the report of `apply`, which has the outcome, comes before this report.
    pub follows_result: bool,
}

pub(super) fn render(report: &RepairReport<'_>, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let forecast = report.forecast;
    if !report.follows_result {
        let (symbol, sentence) = headline(report);
        sheet.headline(symbol, sentence);
    }
    if !forecast.refusals.is_empty() {
        refusals(&mut sheet, report);
    } else if !report.is_applied {
        sheet.prose(2, &Piece::new("dry run: nothing was written to the database", Style::Dim));
    }
    actions::table(&mut sheet, report);
    examples::relations(&mut sheet, report);
    actions::without_rule(&mut sheet, report);
    examples::not_checked(&mut sheet, forecast);
    twins::tables(&mut sheet, report);
    redefinitions(&mut sheet, report);
    if forecast.refusals.is_empty() {
        totals(&mut sheet, report);
    }
    sheet.next(&next(report));
    sheet.finish()
}

/// Returns the outcome. It is never greener than the exit code.
fn headline(report: &RepairReport<'_>) -> (Symbol, String) {
    let forecast = report.forecast;
    let name = &report.schema.database.name;
    if let Some(first) = forecast.refusals.first() {
        return (Symbol::Faults, format!("refused: {}", first.why));
    }
    let unchecked = match forecast.unchecked() {
        0 => None,
        number => Some(format!("{} could not be checked", plural(number, "relation"))),
    };
    let (before, left) = (forecast.orphan_rows, forecast.rows_left);
    let changes = forecast.changes();
    let (symbol, sentence) =
        if !forecast.repoints.is_empty() && forecast.relations.iter().all(|relation| relation.rule.is_none()) {
            twins::headline(report)
        } else if before.count == 0 && forecast.redefinitions.is_empty() {
            match &unchecked {
                Some(_) => (Symbol::Unsure, format!("{name}: no orphan rows in the relations that were checked")),
                None if !forecast.warnings.is_empty() => {
                    let line = "some of the requested changes cannot be made, and there are no orphan rows";
                    (Symbol::Nothing, format!("{name}: {line}"))
                }
                None => (Symbol::Nothing, format!("nothing to do: {name} has no orphan rows")),
            }
        } else if before.count == 0 {
            let line = format!("{} would be changed, and no row", definitions(forecast.redefinitions.len() as u64));
            (Symbol::Done, format!("{name}: {line}"))
        } else if forecast.tables.is_empty() && !forecast.redefinitions.is_empty() {
            redefined_only(report)
        } else if changes == 0 {
            (Symbol::Partly, format!("{name}: none of {} would be repaired", before.of("orphan row")))
        } else if left.count == 0 {
            (Symbol::Done, format!("{name}: {} would be repaired", all_orphan_rows(before.count)))
        } else {
            let repaired = count(before.count.saturating_sub(left.count));
            let at_least = if left.is_bound && !before.is_bound { "at least " } else { "" };
            let line = format!("{at_least}{repaired} of {} would be repaired", before.of("orphan row"));
            (Symbol::Partly, format!("{name}: {line}, {}{} would stay", left.bound(), count(left.count)))
        };
    match unchecked {
        Some(unchecked) => (Symbol::Unsure, format!("{sentence}, and {unchecked}")),
        None => (symbol, sentence),
    }
}

/// Returns the outcome of a plan that changes definitions and no row.
fn redefined_only(report: &RepairReport<'_>) -> (Symbol, String) {
    let forecast = report.forecast;
    let name = &report.schema.database.name;
    let (before, left) = (forecast.orphan_rows.count, forecast.rows_left.count);
    if before <= left {
        let definitions = definitions(forecast.redefinitions.len() as u64);
        let line = format!("{name}: {definitions} would be changed, and {} would stay", plural(left, "orphan row"));
        return (Symbol::Partly, line);
    }
    let line = format!("{name}: {} would be dropped", changes::dropped_keys(before, left));
    match left {
        0 => (Symbol::Done, format!("{line}, and no row changed")),
        _ => (Symbol::Partly, format!("{line}, {} would stay", count(left))),
    }
}

fn definitions(number: u64) -> String {
    plural(number, "definition")
}

/// Shows why the plan is refused. The first reason is in the headline.
fn refusals(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let forecast = report.forecast;
    for (position, refusal) in forecast.refusals.iter().enumerate() {
        if position > 0 {
            sheet.blank();
            sheet.headline(Symbol::Faults, &refusal.why);
        }
        sheet.labelled_prose(LABEL, "because", &Piece::plain(because(report, refusal)));
        match refusal.help.split_once(": fk-doctor ") {
            Some((text, command)) => {
                sheet.labelled_command(LABEL, "help", &format!("{text}:"), &format!("fk-doctor {command}"));
            }
            None => sheet.labelled_prose(LABEL, "help", &Piece::plain(&refusal.help)),
        }
    }
}

/// Returns the rule and the relation of a refusal, such as `flights-airports, rules.toml:14; nothing was written`.
fn because(report: &RepairReport<'_>, refusal: &PlanRefusal) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !refusal.rule.is_empty() {
        parts.push(rule(report, &refusal.rule));
    }
    if !refusal.relation.is_empty() {
        parts.push(refusal.relation.clone());
    }
    let subject = if parts.is_empty() { "all rules together".to_owned() } else { parts.join(", for ") };
    format!("{subject}; nothing was written")
}

/// Returns a rule with its file and line, such as `near-misses, rules/near-misses.toml:3`.
fn rule(report: &RepairReport<'_>, id: &str) -> String {
    match report.locations.get(id) {
        Some(location) => format!("{id}, {location}"),
        None => id.to_owned(),
    }
}

/// Shows the changed definitions, table by table.
fn redefinitions(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let tables = redefined(report.forecast);
    let shown: HashSet<&TableName> = tables.iter().take(MOST_TABLES).copied().collect();
    let mut last = None;
    let mut last_label = "";
    for change in report.forecast.redefinitions.iter().filter(|change| shown.contains(&change.table)) {
        if last.replace((&change.table, &change.treatment)) != Some((&change.table, &change.treatment)) {
            sheet.blank();
            sheet.heading(Piece::new(&change.treatment, Style::Strong), Piece::plain(change.table.to_string()));
            sheet.labelled_prose(LABEL, "rule", &Piece::new(rule(report, &change.rule), Style::Dim));
            last_label = "";
        }
        for (label, relations) in [("drops", &change.dropped), ("declares", &change.declared)] {
            for (index, relation) in relations.iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                sheet.labelled_prose(LABEL, label, &Piece::plain(relation));
            }
        }
        if !change.nullable.is_empty() {
            sheet.labelled_prose(LABEL, "nullable", &Piece::plain(change.nullable.join(", ")));
        }
        if matches!(change.kind, DefinitionKind::Index | DefinitionKind::Trigger) {
            let label = if change.after.is_some() { "creates" } else { "drops" };
            let label = if std::mem::replace(&mut last_label, label) == label { "" } else { label };
            let object = format!("{} {}", change.kind.name(), change.name);
            sheet.labelled_prose(LABEL, label, &Piece::plain(object));
        }
    }
    more(sheet, tables.len() - shown.len(), "table");
}

/// Says how many blocks are left out.
fn more(sheet: &mut Sheet, number: usize, noun: &str) {
    if number > 0 {
        sheet.blank();
        sheet.left_out(0, number, noun);
    }
}

/// Returns the tables whose definitions change, each once.
fn redefined(forecast: &RepairForecast) -> Vec<&TableName> {
    let mut known = HashSet::new();
    forecast.redefinitions.iter().map(|change| &change.table).filter(|table| known.insert(*table)).collect()
}

/// Shows the changes table by table, the files that keep rows, and warnings.
fn totals(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let forecast = report.forecast;
    // The engine's own counters are no rows of the user.
    let own = report.schema.database.engine.facts().own_tables;
    let is_own = |table: &&TableChanges| own.is_some_and(|prefix| table.table.starts_with(prefix));
    let tables: Vec<TableChanges> = forecast.tables.iter().filter(|table| !is_own(table)).cloned().collect();
    if tables.is_empty() && forecast.redefinitions.is_empty() && forecast.warnings.is_empty() {
        return;
    }
    sheet.blank();
    let redefined = redefined(forecast);
    if !redefined.is_empty() {
        let named = redefined.iter().take(MOST_TABLES).map(ToString::to_string);
        let others = redefined.len().saturating_sub(MOST_TABLES) as u64;
        let others = (others > 0).then(|| format!("and {}", plural(others, "more table")));
        let tables: Vec<String> = named.chain(others).collect();
        let line = format!("the definition of {}, which changes no row", tables.join(", "));
        sheet.labelled_prose(LABEL, "changes", &Piece::plain(line));
    }
    let new: Vec<String> = forecast.creates.iter().map(|new| new.name.to_string()).collect();
    changes::lines(sheet, LABEL, &tables, &new, Tense::Planned);
    for (file, rows) in &forecast.files {
        let line = format!("{} in {file}, next to the plan", plural(*rows, "removed row"));
        sheet.labelled_prose(LABEL, "keeps", &Piece::plain(line));
    }
    actions::other_limits(sheet, report);
    for warning in &forecast.warnings {
        sheet.labelled_prose(LABEL, "warning", &Piece::new(warning, Style::Doubtful));
    }
}

/// Returns the commands that follow.
fn next(report: &RepairReport<'_>) -> Vec<String> {
    let forecast = report.forecast;
    if report.is_applied || report.is_asked || !forecast.refusals.is_empty() || forecast.changes() == 0 {
        return Vec::new();
    }
    let database = shell(report.database);
    match report.plan {
        Some(plan) => {
            // `apply` refuses a plan with undecided keys without this option.
            let is_needed = forecast.undecided_keys() > 0 && !report.apply_options.contains(LEAVE_UNDECIDED);
            let leave = if is_needed { LEAVE_UNDECIDED } else { "" };
            let plan = shell(&plan.display().to_string());
            vec![format!("fk-doctor apply {database} {plan}{}{leave}", report.apply_options)]
        }
        None => report.with_plan.map(str::to_owned).into_iter().collect(),
    }
}

/// True if no rule is for the relation, so that its orphans stay.
fn is_untreated(relation: &RelationForecast) -> bool {
    relation.rule.is_none() && relation.unchecked.is_none() && relation.rows > 0
}

#[cfg(test)]
mod tests;
