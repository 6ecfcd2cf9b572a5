//! Examples of the planned changes, and the keys that stay undecided, relation by relation.

use super::LABEL;
use super::RepairReport;
use super::rule;
use crate::model::forecast::ChangeSample;
use crate::model::forecast::RelationForecast;
use crate::model::forecast::RepairForecast;
use crate::model::forecast::TreatmentForecast;
use crate::model::redaction::ShownValue;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::Treatment;
use crate::model::rule::TreatmentKind;
use crate::model::schema::side;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;

/// The most relations whose changes are shown.
const MOST_RELATIONS: usize = 20;
/// The most examples of a treatment.
const MOST_EXAMPLES: usize = 3;
/// The most values of an example that is removed or added.
const MOST_VALUES: usize = 6;

/// Shows some changes and the undecided keys of each relation that a rule treats. If there are too many relations, those with
/// undecided keys come first.
pub(super) fn relations(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let has_examples = |relation: &RelationForecast| relation.treatments.iter().any(|share| !share.samples.is_empty());
    let is_shown = |relation: &&RelationForecast| {
        relation.rule.is_some() && (has_examples(relation) || !relation.undecided.is_empty())
    };
    let mut relations: Vec<&RelationForecast> = report.forecast.relations.iter().filter(is_shown).collect();
    let more = relations.len().saturating_sub(MOST_RELATIONS);
    if more > 0 {
        relations.sort_by_key(|relation| relation.undecided.is_empty());
    }
    for relation in relations.into_iter().take(MOST_RELATIONS) {
        examples(sheet, report, relation);
        undecided(sheet, report, relation);
    }
    super::more(sheet, more, "relation");
}

/// Shows some changes of each treatment.
fn examples(sheet: &mut Sheet, report: &RepairReport<'_>, relation: &RelationForecast) {
    for treatment in relation.treatments.iter().filter(|treatment| !treatment.samples.is_empty()) {
        sheet.blank();
        sheet.heading(Piece::new(&treatment.treatment, Style::Strong), Piece::plain(&relation.id));
        if let Some(id) = &relation.rule {
            sheet.labelled_prose(LABEL, "rule", &Piece::new(rule(report, id), Style::Dim));
        }
        if let Some(line) = moves(report, relation, treatment) {
            sheet.labelled_prose(LABEL, "moves", &Piece::plain(line));
        }
        let child = child(report, relation);
        let shown = treatment.samples.iter().take(MOST_EXAMPLES);
        sheet.aligned(2, shown.map(|sample| change(sample, &child)).collect());
        let more = treatment.changes.saturating_sub(MOST_EXAMPLES.min(treatment.samples.len()) as u64);
        if more > 0 {
            sheet.prose(2, &Piece::plain(format!("and {} more", count(more))));
        }
    }
}

fn child(report: &RepairReport<'_>, relation: &RelationForecast) -> String {
    let about = report.schema.relations.get(relation.relation);
    about.map_or_else(String::new, |about| report.schema.child(about).name.to_string())
}

/// Returns where a quarantine moves its rows: `10 rows of t to fk_doctor_quarantine (new); 0 dependants`.
fn moves(report: &RepairReport<'_>, relation: &RelationForecast, treatment: &TreatmentForecast) -> Option<String> {
    let forecast = report.forecast;
    if !treatment.is_of(TreatmentKind::Quarantine) {
        return None;
    }
    let rule = report.rules.iter().find(|rule| Some(&rule.id.value) == relation.rule.as_ref())?;
    let target = rule.treatments.iter().find_map(|treatment| match &treatment.value {
        Treatment::Quarantine { keep: QuarantineTarget::Table(table) } => {
            let is_new = forecast.creates.iter().any(|new| new.name.to_string() == *table);
            Some(format!("{table}{}", if is_new { " (new)" } else { "" }))
        }
        Treatment::Quarantine { keep: QuarantineTarget::File(file) } => Some(format!("{file}, next to the plan")),
        _ => None,
    })?;
    let rows = format!("{} of {}", plural(treatment.rows, "row"), child(report, relation));
    let dependants = dependants(forecast).map(|rows| format!("; {}", plural(rows, "dependant"))).unwrap_or_default();
    Some(format!("{rows} to {target}{dependants}"))
}

/// Returns the number of removed rows that are no orphans themselves, if only one treatment of the plan removes rows.
fn dependants(forecast: &RepairForecast) -> Option<u64> {
    let removing = [TreatmentKind::Quarantine, TreatmentKind::Delete, TreatmentKind::Follow];
    let all = forecast.relations.iter().flat_map(|relation| &relation.treatments);
    let mut removing = all.filter(|share| share.rows > 0 && removing.into_iter().any(|kind| share.is_of(kind)));
    let (Some(only), None) = (removing.next(), removing.next()) else { return None };
    let removed: u64 = forecast.tables.iter().map(|table| table.deleted).sum();
    removed.checked_sub(only.rows)
}

/// Returns the row and its change, for example `["id = 7", "customer_id: 22 → NULL"]`.
fn change(sample: &ChangeSample, child: &str) -> Vec<String> {
    let row = text::row(&sample.row);
    let name = if sample.table == child { row } else { format!("{}: {row}", text::visible(&sample.table)) };
    let change = match (&sample.before, &sample.after) {
        (None, Some(after)) => format!("new: {}", some(after.iter().map(|pair| text::row(std::slice::from_ref(pair))))),
        (Some(before), None) => some(before.iter().map(|(_, value)| text::value(value.as_ref()))),
        (Some(before), Some(after)) => pairs(before, after),
        (None, None) => String::new(),
    };
    vec![name, change]
}

fn some(values: impl ExactSizeIterator<Item = String>) -> String {
    let more = if values.len() > MOST_VALUES { ", …" } else { "" };
    format!("{}{more}", values.take(MOST_VALUES).collect::<Vec<_>>().join(", "))
}

fn pairs(before: &[(String, ShownValue)], after: &[(String, ShownValue)]) -> String {
    let pair = |(column, new): &(String, ShownValue)| {
        let old =
            before.iter().find(|(name, _)| name == column).map_or(String::new(), |(_, old)| text::value(old.as_ref()));
        format!("{}: {old} → {}", text::visible(column), text::value(new.as_ref()))
    };
    after.iter().map(pair).collect::<Vec<_>>().join(", ")
}

/// Shows the keys that no treatment of the rule could decide.
fn undecided(sheet: &mut Sheet, report: &RepairReport<'_>, relation: &RelationForecast) {
    if relation.undecided.is_empty() {
        return;
    }
    let about = report.schema.relations.get(relation.relation);
    sheet.blank();
    sheet.heading(Piece::new("undecided", Style::Doubtful), Piece::plain(&relation.id));
    if let Some(id) = &relation.rule {
        sheet.labelled_prose(LABEL, "rule", &Piece::new(rule(report, id), Style::Dim));
    }
    for undecided in &relation.undecided {
        let example = about.map_or(String::new(), |about| {
            text::named(report.schema.child_column_names(about).zip(&undecided.example))
        });
        let counts = format!("{}, {}", plural(undecided.keys, "key"), plural(undecided.rows, "row"));
        let such_as = if undecided.keys == 1 { "" } else { "such as " };
        sheet.labelled_prose(LABEL, "keys", &Piece::plain(format!("{counts}: {such_as}{example}")));
        sheet.labelled_prose(LABEL, "because", &Piece::plain(&undecided.why));
    }
    let subject = about
        .map_or(String::new(), |about| side(&report.schema.child(about).name, report.schema.child_column_names(about)));
    let usual = || format!("add a treatment for {subject} to the rule, or leave these rows: --leave-undecided");
    let help = relation.help.clone().unwrap_or_else(usual);
    sheet.labelled_prose(LABEL, "help", &Piece::plain(help));
}

/// Shows the relations that could not be checked.
pub(super) fn not_checked(sheet: &mut Sheet, forecast: &RepairForecast) {
    for relation in &forecast.relations {
        if let Some(why) = &relation.unchecked {
            sheet.blank();
            sheet.heading(Piece::new("not checked", Style::Doubtful), Piece::plain(&relation.id));
            sheet.labelled_prose(LABEL, "because", &Piece::plain(why));
        }
    }
}
