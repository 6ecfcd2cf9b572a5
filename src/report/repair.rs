//! The report of a planned repair for a terminal: the treatment of each missing key with examples, the undecided keys with
//! reasons, the changes in total, and the next step. `layout` arranges the lines.

use std::path::Path;

use crate::model::forecast::ChangeSample;
use crate::model::forecast::RelationForecast;
use crate::model::forecast::RepairForecast;
use crate::model::forecast::TableChanges;
use crate::model::redaction::ShownValue;
use crate::model::redefinition::DefinitionKind;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::report::TerminalStyle;
use crate::report::layout::Grid;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::table;

/// The common width of the labels at the end.
const LABEL: u16 = 9;

/// The content of the report of a planned repair.
pub struct RepairReport<'a> {
    pub schema: &'a Schema,
    pub forecast: &'a RepairForecast,
    /// The file of the plan, if one was written.
    pub plan: Option<&'a Path>,
    /// The database as the next command names it, without a password.
    pub database: &'a str,
    /// True if the plan is applied at once.
    pub is_applied: bool,
}

pub(super) fn render(report: &RepairReport<'_>, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    headline(&mut sheet, report);
    overview(&mut sheet, report);
    for relation in
        report.forecast.relations.iter().filter(|relation| relation.rule.is_some() || relation.unchecked.is_some())
    {
        examples(&mut sheet, relation);
        undecided(&mut sheet, report.schema, relation);
    }
    redefinitions(&mut sheet, report.forecast);
    refusals(&mut sheet, report.forecast);
    totals_and_next_step(&mut sheet, report);
    sheet.finish()
}

fn headline(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let forecast = report.forecast;
    let name = &report.schema.database.name;
    let unchecked = match forecast.unchecked() {
        0 => None,
        number => Some(format!("{} could not be checked", plural(number, "relation"))),
    };
    let and_unchecked = unchecked.as_ref().map_or(String::new(), |unchecked| format!(", and {unchecked}"));
    let has_orphans = forecast.relations.iter().any(|relation| relation.rows > 0);
    let is_treated = forecast.relations.iter().any(|relation| relation.rule.is_some() && relation.rows > 0);
    let (mark, style, line) = if !forecast.refusals.is_empty() {
        ("✗", Style::Bad, format!("the repair of {name} is refused; nothing was written"))
    } else if forecast.redefinitions.is_empty() && !has_orphans {
        match unchecked {
            None if !forecast.warnings.is_empty() => {
                let line = format!("{name} has no orphans, and some of the requested changes cannot be made");
                ("○", Style::Strong, line)
            }
            None => ("✓", Style::Good, format!("{name} has no orphans: there is nothing to repair")),
            Some(unchecked) => ("?", Style::Doubtful, format!("{unchecked} in {name}, and the others have no orphans")),
        }
    } else if forecast.redefinitions.is_empty() && !is_treated {
        let (mark, style) = if unchecked.is_some() { ("?", Style::Doubtful) } else { ("○", Style::Strong) };
        (mark, style, format!("no rule treats a relation of {name} that has orphans{and_unchecked}"))
    } else {
        let undecided = forecast.undecided_keys();
        let is_doubtful = undecided > 0 || unchecked.is_some();
        let (mark, style) = if is_doubtful { ("?", Style::Doubtful) } else { ("✓", Style::Good) };
        let mut line = format!("{} would repair {name}", plural(forecast.changes(), "change"));
        if undecided > 0 {
            line.push_str(&format!(", {} undecided", plural(undecided, "missing key")));
        }
        if forecast.untreated_rows() > 0 {
            line.push_str(&format!(", {} left as they are", plural(forecast.untreated_rows(), "orphan row")));
        }
        (mark, style, line + &and_unchecked)
    };
    let line = if report.is_applied { line.replace("would repair", "to repair") } else { line };
    sheet.line(0, vec![Piece::new(mark, style), Piece::new(line, style)]);
    if !report.is_applied && forecast.refusals.is_empty() {
        sheet.line(2, vec![Piece::new("dry run: the database was only read", Style::Dim)]);
    }
}

/// Lists every relation with orphans, and the treatments of its missing keys.
fn overview(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let mut rows = Vec::new();
    for relation in &report.forecast.relations {
        let mut lines: Vec<(String, u64, u64, Style)> = relation
            .treatments
            .iter()
            .filter(|share| share.rows > 0)
            .map(|share| (share.treatment.clone(), share.keys, share.rows, Style::Plain))
            .collect();
        let undecided = &relation.undecided;
        if !undecided.is_empty() {
            let keys = undecided.iter().map(|undecided| undecided.keys).sum();
            lines.push((
                "undecided".to_owned(),
                keys,
                undecided.iter().map(|undecided| undecided.rows).sum(),
                Style::Doubtful,
            ));
        }
        if relation.unchecked.is_some() {
            lines.push(("not checked".to_owned(), 0, 0, Style::Doubtful));
        } else if relation.rule.is_none() {
            lines.push(("no rule".to_owned(), relation.keys, relation.rows, Style::Dim));
        }
        let widest = 34;
        let width = sheet.width().saturating_sub(widest);
        let about = report.schema.relations.get(relation.relation);
        for (index, (treatment, keys, rows_of, style)) in lines.into_iter().enumerate() {
            let name = match about {
                Some(about) if index == 0 => table::relation(report.schema, about, width),
                _ => Piece::plain(""),
            };
            rows.push(vec![
                name,
                Piece::new(treatment, style),
                Piece::plain(count(keys)),
                Piece::plain(count(rows_of)),
            ]);
        }
    }
    if rows.is_empty() {
        return;
    }
    sheet.blank();
    sheet.grid(Grid {
        indent: 2,
        numbers: &[2, 3],
        first: None,
        header: &["relation", "treatment", "keys", "rows"],
        rows,
    });
}

fn examples(sheet: &mut Sheet, relation: &RelationForecast) {
    for share in relation.treatments.iter().filter(|share| !share.samples.is_empty()) {
        sheet.blank();
        sheet.heading(Piece::new(&share.treatment, Style::Strong), Piece::plain(&relation.id));
        if let Some(rule) = &relation.rule {
            sheet.line(2, vec![Piece::new(format!("by rule {rule}"), Style::Dim)]);
        }
        let rows = share.samples.iter().map(|sample| {
            let (row, values) = change(sample);
            vec![Piece::plain(row), Piece::plain(values)]
        });
        sheet.grid(Grid { indent: 2, numbers: &[], first: Some(LABEL), header: &[], rows: rows.collect() });
        let more = share.changes.saturating_sub(share.samples.len() as u64);
        if more > 0 {
            sheet.line(2, vec![Piece::new(format!("and {} more", count(more)), Style::Dim)]);
        }
    }
}

/// Returns the row and its change, for example `("orders id = 7", "customer_id: 22 → NULL")`.
fn change(sample: &ChangeSample) -> (String, String) {
    let name = format!("{} {}", sample.table, text::row(&sample.row));
    match (&sample.before, &sample.after) {
        (None, Some(after)) => (name, format!("new: {}", text::row(after))),
        (Some(before), None) => (name, format!("deleted: {}", text::row(before))),
        (Some(before), Some(after)) => (name, pairs(before, after)),
        (None, None) => (name, String::new()),
    }
}

fn pairs(before: &[(String, ShownValue)], after: &[(String, ShownValue)]) -> String {
    let pair = |(column, new): &(String, ShownValue)| {
        let old =
            before.iter().find(|(name, _)| name == column).map_or(String::new(), |(_, old)| text::value(old.as_ref()));
        format!("{}: {old} → {}", text::visible(column), text::value(new.as_ref()))
    };
    after.iter().map(pair).collect::<Vec<_>>().join(", ")
}

fn undecided(sheet: &mut Sheet, schema: &Schema, relation: &RelationForecast) {
    if relation.undecided.is_empty() && relation.unchecked.is_none() {
        return;
    }
    sheet.blank();
    let heading = if relation.unchecked.is_some() { "not checked" } else { "undecided" };
    sheet.heading(Piece::new(heading, Style::Doubtful), Piece::plain(&relation.id));
    if let Some(why) = &relation.unchecked {
        sheet.labelled(LABEL, Piece::new("because", Style::Dim), Piece::plain(why));
    }
    for undecided in &relation.undecided {
        let example = schema
            .relations
            .get(relation.relation)
            .map_or(String::new(), |relation| text::named(schema.child_column_names(relation).zip(&undecided.example)));
        let counts = format!("{}, {}", plural(undecided.keys, "key"), plural(undecided.rows, "row"));
        sheet.line(2, vec![Piece::plain(format!("{counts}, such as {example}"))]);
        sheet.labelled(LABEL, Piece::new("because", Style::Dim), Piece::plain(&undecided.why));
    }
}

/// Shows the changed definitions, table by table.
fn redefinitions(sheet: &mut Sheet, forecast: &RepairForecast) {
    let mut last = None;
    let mut last_label = "";
    for change in &forecast.redefinitions {
        if last.replace((&change.table, &change.treatment)) != Some((&change.table, &change.treatment)) {
            sheet.blank();
            sheet.heading(Piece::new(&change.treatment, Style::Strong), Piece::plain(change.table.to_string()));
            sheet.line(2, vec![Piece::new(format!("by rule {}", change.rule), Style::Dim)]);
            last_label = "";
        }
        for (label, relations) in [("drops", &change.dropped), ("declares", &change.declared)] {
            for (index, relation) in relations.iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                sheet.labelled(LABEL, Piece::new(label, Style::Dim), Piece::plain(relation));
            }
        }
        if !change.nullable.is_empty() {
            sheet.labelled(LABEL, Piece::new("nullable", Style::Dim), Piece::plain(change.nullable.join(", ")));
        }
        if matches!(change.kind, DefinitionKind::Index | DefinitionKind::Trigger) {
            let label = if change.after.is_some() { "creates" } else { "drops" };
            let label = if std::mem::replace(&mut last_label, label) == label { "" } else { label };
            let object = format!("{} {}", change.kind.name(), change.name);
            sheet.labelled(LABEL, Piece::new(label, Style::Dim), Piece::plain(object));
        }
    }
}

/// Returns the tables whose definitions change, each once.
fn redefined(forecast: &RepairForecast) -> Vec<String> {
    let mut tables: Vec<String> = Vec::new();
    for change in &forecast.redefinitions {
        let name = change.table.to_string();
        if !tables.contains(&name) {
            tables.push(name);
        }
    }
    tables
}

fn refusals(sheet: &mut Sheet, forecast: &RepairForecast) {
    for refusal in &forecast.refusals {
        sheet.blank();
        let subject = match (refusal.relation.is_empty(), refusal.rule.is_empty()) {
            (false, _) => refusal.relation.as_str(),
            (true, false) => "all relations of the rule",
            (true, true) => "the plan as a whole",
        };
        sheet.heading(Piece::new("refused", Style::Bad), Piece::new(subject, Style::Strong));
        if !refusal.rule.is_empty() {
            sheet.labelled(LABEL, Piece::new("rule", Style::Dim), Piece::plain(&refusal.rule));
        }
        sheet.labelled(LABEL, Piece::new("because", Style::Dim), Piece::plain(&refusal.why));
        sheet.labelled(LABEL, Piece::new("help", Style::Dim), Piece::plain(&refusal.help));
    }
    if !forecast.refusals.is_empty() && !forecast.limits.is_empty() {
        sheet.blank();
        limits(sheet, forecast);
    }
}

/// Shows how many rows are deleted or lose their key, with the limits.
fn limits(sheet: &mut Sheet, forecast: &RepairForecast) {
    for (index, used) in forecast.limits.iter().enumerate() {
        let label = if index == 0 { "limits" } else { "" };
        let scope = used.rule.as_ref().map_or("all rules".to_owned(), |rule| format!("rule {rule}"));
        let rows = match (&used.table, used.table_rows) {
            (Some(table), Some(of)) => format!("{} of the {} in {table}", count(used.rows), plural(of, "row")),
            _ => plural(used.rows, "row"),
        };
        let most = match (used.max_rows, used.max_share) {
            (Some(most), _) => count(most),
            (None, share) => format!("{}%", (share.unwrap_or_default() * 10_000.0).round() / 100.0),
        };
        sheet.labelled(LABEL, Piece::new(label, Style::Dim), Piece::plain(format!("{scope}: {rows}, at most {most}")));
    }
}

/// Shows the changes in total, the orphans that remain, and the next step.
fn totals_and_next_step(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let forecast = report.forecast;
    let is_empty = forecast.relations.is_empty() && forecast.redefinitions.is_empty() && forecast.warnings.is_empty();
    if !forecast.refusals.is_empty() || is_empty {
        return;
    }
    sheet.blank();
    for (index, table) in redefined(forecast).into_iter().enumerate() {
        let label = if index == 0 { "changes" } else { "" };
        let line = format!("{table}: its definition, which changes no row");
        sheet.labelled(LABEL, Piece::new(label, Style::Dim), Piece::plain(line));
    }
    for (index, table) in forecast.tables.iter().enumerate() {
        let label = if index == 0 && forecast.redefinitions.is_empty() { "changes" } else { "" };
        let is_new = forecast.creates.iter().any(|new| new.name.to_string() == table.table);
        let new = if is_new { " (a new table)" } else { "" };
        let line = format!("{}{new}: {}", table.table, numbers(table));
        sheet.labelled(LABEL, Piece::new(label, Style::Dim), Piece::plain(line));
    }
    for (file, rows) in &forecast.files {
        let line = format!("{file}, next to the plan: {}", plural(*rows, "deleted row"));
        sheet.labelled(LABEL, Piece::new("keeps", Style::Dim), Piece::plain(line));
    }
    limits(sheet, forecast);
    for warning in &forecast.warnings {
        sheet.labelled(LABEL, Piece::new("warning", Style::Doubtful), Piece::plain(warning));
    }
    let after: u64 = forecast.relations.iter().map(|relation| relation.rows_after).sum();
    let before: u64 = forecast.relations.iter().map(|relation| relation.rows).sum();
    let unchecked = match forecast.unchecked() {
        0 => String::new(),
        number => format!("; {} not checked", plural(number, "relation")),
    };
    let line = format!("{} now, {} after the plan is applied{unchecked}", plural(before, "orphan row"), count(after));
    sheet.labelled(LABEL, Piece::new("orphans", Style::Dim), Piece::plain(line));
    if report.is_applied || forecast.changes() == 0 {
        return;
    }
    let database = shell(report.database);
    let path = |plan: &Path| shell(&plan.display().to_string());
    let next = match report.plan {
        // `apply` refuses a plan with undecided keys without this option.
        Some(plan) if forecast.undecided_keys() > 0 => {
            format!("fk-doctor apply {database} {} --leave-undecided", path(plan))
        }
        Some(plan) => format!("fk-doctor apply {database} {}", path(plan)),
        None => "add -o plan.ndjson to write the plan and read it, or --apply to apply it at once".to_owned(),
    };
    sheet.labelled(LABEL, Piece::new("next", Style::Dim), Piece::plain(next));
}

fn numbers(table: &TableChanges) -> String {
    let part = |number: u64, verb: &str| (number > 0).then(|| format!("{} {verb}", plural(number, "row")));
    let parts = [part(table.made, "inserted"), part(table.changed, "updated"), part(table.deleted, "deleted")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
