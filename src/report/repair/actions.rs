//! The table of actions: for each relation, what happens to its missing keys and rows, and the limit that holds for it.

use std::collections::HashMap;
use std::collections::HashSet;

use super::LABEL;
use super::RepairReport;
use super::is_untreated;
use crate::model::forecast::LimitUse;
use crate::model::forecast::RelationForecast;
use crate::model::ids::RelationId;
use crate::model::rule;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::report::layout::Columns;
use crate::report::layout::ColumnsRow;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::shortened;

/// The most lines of the table.
const MOST_LINES: usize = 20;

struct Action {
    name: String,
    style: Style,
    child: String,
    keys: Option<u64>,
    rows: Option<u64>,
    share: String,
    limit: String,
}

/// Relations to one parent that no rule is for.
struct Untreated<'a> {
    parent: String,
    relations: Vec<&'a RelationForecast>,
}

pub(super) fn table(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let actions = actions(report);
    if actions.is_empty() {
        return;
    }
    sheet.blank();
    if sheet.is_narrow() {
        for action in actions.iter().take(MOST_LINES) {
            sheet.prose(2, &Piece::new(format!("{} {}", action.name, action.child), action.style));
            let mut facts: Vec<String> = action.keys.map(|keys| plural(keys, "key")).into_iter().collect();
            facts.extend(action.rows.map(|rows| plural(rows, "row")));
            facts.extend((action.share != "–").then(|| action.share.clone()));
            facts.extend((action.limit != "–").then(|| action.limit.clone()));
            sheet.prose(4, &Piece::new(facts.join(" · "), Style::Dim));
        }
    } else {
        wide(sheet, &actions);
    }
    let more = actions.len().saturating_sub(MOST_LINES) as u64;
    if more > 0 {
        sheet.prose(2, &Piece::plain(format!("and {} more", count(more))));
    }
}

fn wide(sheet: &mut Sheet, actions: &[Action]) {
    let number = |number: Option<u64>| Piece::plain(number.map_or_else(|| "–".to_owned(), count));
    let longest = |of: &dyn Fn(&Action) -> usize| actions.iter().map(of).max().unwrap_or(0);
    let others = longest(&|action| action.name.chars().count()).max("action".len())
        + longest(&|action| action.limit.chars().count()).max("limit".len())
        + longest(&|action| count(action.keys.unwrap_or(0)).len()).max("keys".len())
        + longest(&|action| count(action.rows.unwrap_or(0)).len()).max("rows".len())
        + longest(&|action| action.share.chars().count()).max("share".len())
        + 12;
    let room = sheet.width().saturating_sub(others).max(20);
    let row = |action: &Action| ColumnsRow {
        name: Piece::new(&action.name, action.style),
        facts: vec![
            Piece::plain(shortened(&action.child, room)),
            number(action.keys),
            number(action.rows),
            Piece::plain(&action.share),
            Piece::plain(&action.limit),
        ],
    };
    let rows = actions.iter().take(MOST_LINES).map(row).collect();
    sheet.table(&Columns { header: &["action", "child", "keys", "rows", "share", "limit"], numbers: &[1, 2, 3], rows });
}

fn actions(report: &RepairReport<'_>) -> Vec<Action> {
    let limits = Limits::of(report);
    let mut actions = Vec::new();
    for relation in report.forecast.relations.iter().filter(|relation| !is_untreated(relation)) {
        let child = child_side(report.schema, relation.relation);
        let action = |name: &str, style, keys: u64, rows: u64, limit: String| Action {
            name: name.to_owned(),
            style,
            child: child.clone(),
            keys: Some(keys),
            rows: Some(rows),
            share: share(rows, relation.child_rows),
            limit,
        };
        if relation.unchecked.is_some() {
            let empty = action("not checked", Style::Doubtful, 0, 0, "–".to_owned());
            actions.push(Action { keys: None, rows: None, ..empty });
            continue;
        }
        for treatment in relation.treatments.iter().filter(|treatment| treatment.rows > 0) {
            let limit = limits.shown(report.schema, relation);
            actions.push(action(&treatment.treatment, Style::Plain, treatment.keys, treatment.rows, limit));
        }
        if !relation.undecided.is_empty() {
            let keys = relation.undecided.iter().map(|undecided| undecided.keys).sum();
            let rows = relation.undecided.iter().map(|undecided| undecided.rows).sum();
            actions.push(action("undecided", Style::Doubtful, keys, rows, "–".to_owned()));
        }
    }
    for Untreated { parent, relations } in untreated(report) {
        let child = match relations.as_slice() {
            [single] => child_side(report.schema, single.relation),
            several => format!("{} to {parent}", plural(several.len() as u64, "relation")),
        };
        actions.push(Action {
            name: "none".to_owned(),
            style: Style::Doubtful,
            child,
            keys: Some(relations.iter().map(|relation| relation.keys).sum()),
            rows: Some(relations.iter().map(|relation| relation.rows).sum()),
            share: match relations.as_slice() {
                [single] => share(single.rows, single.child_rows),
                _ => "–".to_owned(),
            },
            limit: "no rule".to_owned(),
        });
    }
    actions
}

fn share(rows: u64, of: u64) -> String {
    if of == 0 { "–".to_owned() } else { text::share(rows, of) }
}

/// The limits of the rules, by rule and table. A limit for all rows of a rule has no table.
struct Limits<'r> {
    of: HashMap<(Option<&'r String>, Option<&'r String>), Vec<&'r LimitUse>>,
}

impl<'r> Limits<'r> {
    fn of(report: &RepairReport<'r>) -> Limits<'r> {
        let mut of: HashMap<_, Vec<&LimitUse>> = HashMap::new();
        for used in &report.forecast.limits {
            of.entry((used.rule.as_ref(), used.table.as_ref())).or_default().push(used);
        }
        Limits { of }
    }

    /// Returns the limit of a relation's rule for its child, such as `867 rows (5%)`: the smaller of both.
    fn shown(&self, schema: &Schema, relation: &RelationForecast) -> String {
        let Some(about) = schema.relations.get(relation.relation) else { return "–".to_owned() };
        let child = schema.child(about).name.to_string();
        let of = |table| self.of.get(&(relation.rule.as_ref(), table)).into_iter().flatten();
        let rows = of(None).filter_map(|used| Some((used.max_rows?, plural(used.max_rows?, "row"))));
        let shares = of(Some(&child)).filter_map(|used| {
            let most = rule::rows_of_share(used.max_share?, used.table_rows.unwrap_or(0));
            Some((most, format!("{} ({})", plural(most, "row"), rule::percent(used.max_share?))))
        });
        rows.chain(shares).min().map_or_else(|| "–".to_owned(), |(_, text)| text)
    }
}

/// Shows the limits that no line of the table has: of all rules together, and of tables that only have dependants.
pub(super) fn other_limits(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let forecast = report.forecast;
    let child = |relation: &RelationForecast| {
        let about = report.schema.relations.get(relation.relation);
        about.map(|about| report.schema.child(about).name.to_string())
    };
    let children: HashSet<(Option<&String>, Option<String>)> =
        forecast.relations.iter().map(|relation| (relation.rule.as_ref(), child(relation))).collect();
    let is_in_table = |used: &LimitUse| {
        used.rule.is_some() && (used.table.is_none() || children.contains(&(used.rule.as_ref(), used.table.clone())))
    };
    let others: Vec<&LimitUse> = forecast.limits.iter().filter(|used| !is_in_table(used)).collect();
    for (index, used) in others.iter().take(MOST_LINES).enumerate() {
        let label = if index == 0 { "limits" } else { "" };
        let scope = used.rule.as_ref().map_or("all rules".to_owned(), |rule| format!("rule {rule}"));
        let line = match (&used.table, used.table_rows, used.max_share) {
            (Some(table), Some(of), Some(share)) => {
                let most = count(rule::rows_of_share(share, of));
                let rows = format!("{} of {} of {table}", count(used.rows), plural(of, "row"));
                format!("{scope}: {rows}, at most {most} ({})", rule::percent(share))
            }
            _ => format!("{scope}: {}, at most {}", plural(used.rows, "row"), count(used.max_rows.unwrap_or(0))),
        };
        sheet.labelled_prose(LABEL, label, &Piece::plain(line));
    }
    let more = others.len().saturating_sub(MOST_LINES) as u64;
    if more > 0 {
        sheet.labelled_prose(LABEL, "", &Piece::plain(format!("and {} more", count(more))));
    }
}

fn untreated<'a>(report: &RepairReport<'a>) -> Vec<Untreated<'a>> {
    let mut groups: Vec<Untreated<'a>> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for relation in report.forecast.relations.iter().filter(|relation| is_untreated(relation)) {
        let Some(about) = report.schema.relations.get(relation.relation) else { continue };
        let parent = side(&about.parent.name, about.parent.column_names.iter().map(String::as_str));
        let number = *numbers.entry(parent.clone()).or_insert(groups.len());
        match groups.get_mut(number) {
            Some(group) => group.relations.push(relation),
            None => groups.push(Untreated { parent, relations: vec![relation] }),
        }
    }
    groups
}

/// Tells how to get rules for the relations that have none.
pub(super) fn without_rule(sheet: &mut Sheet, report: &RepairReport<'_>) {
    let groups = untreated(report);
    if groups.is_empty() {
        return;
    }
    sheet.blank();
    let relations: Vec<&RelationForecast> = groups.into_iter().flat_map(|group| group.relations).collect();
    let names: Vec<&str> = relations.iter().take(3).map(|relation| relation.id.as_str()).collect();
    let more = match relations.len() - names.len() {
        0 => String::new(),
        more => format!(" and {} more", count(more as u64)),
    };
    sheet.heading(Piece::new("no rule", Style::Doubtful), Piece::plain(format!("{}{more}", names.join(", "))));
    let are = if relations.len() == 1 { "this relation" } else { "these relations" };
    sheet.labelled_prose(
        LABEL,
        "because",
        &Piece::plain(format!("no rule is for {are}, so the rows would stay as they are")),
    );
    let command = format!("fk-doctor rules suggest {}{}", shell(report.database), report.options);
    sheet.labelled_command(LABEL, "help", "draft a rule:", &command);
}

fn child_side(schema: &Schema, relation: RelationId) -> String {
    schema
        .relations
        .get(relation)
        .map_or_else(String::new, |about| side(&schema.child(about).name, schema.child_column_names(about)))
}
