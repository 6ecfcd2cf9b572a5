//! Parses the text of a rules file into rules, or into all its faults with their spans.
//!
//! A file is one rule, or several under `[[rule]]`. Names are not resolved and SQL is not compiled here, because both
//! need a database.

mod repoint;
mod treatment;
mod values;

pub use treatment::ACTIONS;
pub use treatment::action;
pub use treatment::spelled;

use crate::config::fault;
use crate::config::fault::line_number;
use crate::config::reader;
use crate::config::reader::Item;
use crate::config::reader::Reader;
use crate::config::side;
use crate::model::configured::Fault;
use crate::model::configured::Spanned;
use crate::model::pattern::Pattern;
use crate::model::rule::Limits;
use crate::model::rule::Rule;
use crate::model::rule::Treatment;

const RULE_KEYS: [&str; 6] = ["id", "explain", "relation", "limits", "even-if-parent-lost", "treat"];

/// Returns the rules, or all faults in the order of the text.
pub fn parse(text: &str) -> Result<Vec<Rule>, Vec<Fault>> {
    reader::read(text, |root| rules(root, text))
}

fn rules(mut root: Reader<'_, '_>, text: &str) -> Vec<Rule> {
    if root.is_empty() {
        let help = "write a rule, or name one that ships with fk-doctor: `fk-doctor rules list` lists them".to_owned();
        root.faults().report(root.span(), "the file has no rule".to_owned(), Some(help));
        return Vec::new();
    }
    if !root.has("rule") {
        return rule(root).into_iter().collect();
    }
    let blocks = root.take("rule").map(|item| item.tables()).unwrap_or_default();
    root.advise_misplaced(&RULE_KEYS, "in a file with `[[rule]]` it belongs under a `[[rule]]`");
    let faults = root.faults();
    root.finish();
    let rules: Vec<Rule> = blocks.into_iter().filter_map(rule).collect();
    for (position, rule) in rules.iter().enumerate() {
        if let Some(first) = rules[..position].iter().find(|earlier| earlier.id.value == rule.id.value) {
            let line = line_number(text, first.id.span.start);
            let message = format!("the id {} is already used on line {line}", fault::quoted(&rule.id.value));
            faults.report(rule.id.span.clone(), message, Some("give each rule a different id".to_owned()));
        }
    }
    rules
}

fn rule(mut reader: Reader<'_, '_>) -> Option<Rule> {
    let id = reader.require("id", "id = \"orphaned-comments\"").and_then(|item| item.parsed("an id", parse_id));
    let explain = reader.take("explain").and_then(|item| item.text("a sentence")).map(|text| text.value.to_owned());
    let relation = reader.require("relation", "[relation]");
    let limits = reader.take("limits").and_then(|item| item.table("the table `[limits]`")).map(limits);
    let even_if_parent_lost = reader.take("even-if-parent-lost").and_then(|item| item.flag()).unwrap_or_default();
    let treat = reader.require("treat", "[[treat]]");
    let treatments = treat.map(|item| item.tables()).unwrap_or_default();
    let treatments: Vec<Spanned<Treatment>> = treatments.into_iter().filter_map(treatment::read).collect();
    let repoints = treatments.iter().find(|treatment| matches!(treatment.value, Treatment::Repoint(_)));
    let sides = relation.and_then(|item| item.table("the table `[relation]`"));
    let sides = sides.map(|sides| if repoints.is_some() { parent_side(sides) } else { relation_sides(sides) });
    if let (Some(repoint), [_, _, ..]) = (repoints, treatments.as_slice()) {
        let help = "write a rule of its own for `repoint`: it treats a table, and no orphans".to_owned();
        let message = "`repoint` cannot stand beside other treatments".to_owned();
        reader.faults().report(repoint.span.clone(), message, Some(help));
    }
    reader.advise_misplaced(&["child", "parent"], "it belongs under `[relation]`");
    reader.advise_misplaced(&["max-rows", "max-share"], "it belongs under `[limits]`");
    reader.advise_misplaced(&["action"], "it belongs under a `[[treat]]`");
    reader.finish();
    let (child, parent) = sides?;
    Some(Rule { id: id?, explain, child: child?, parent, limits, even_if_parent_lost, treatments })
}

fn parse_id(text: &str) -> Result<String, String> {
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if text.chars().all(is_plain) && text.starts_with(|first: char| first.is_ascii_lowercase()) {
        Ok(text.to_owned())
    } else {
        Err("expected lower-case letters, digits and hyphens, such as \"orphaned-comments\"".to_owned())
    }
}

type Sides = (Option<Spanned<Pattern>>, Option<Spanned<Pattern>>);

fn relation_sides(mut reader: Reader<'_, '_>) -> Sides {
    let child = reader.require("child", "child = \"comments(post_id)\"").and_then(|item| pattern(&item));
    let parent = reader.take("parent").and_then(|item| pattern(&item));
    reader.finish();
    (child, parent)
}

/// Reads the sides of a rule for a parent table: all relations that refer to it are concerned.
fn parent_side(mut reader: Reader<'_, '_>) -> Sides {
    let item = reader.require("parent", "parent = \"customers(id)\"");
    let parent = item.as_ref().and_then(pattern).filter(|parent| {
        let has_wildcard = parent.value.as_str().split('(').next().is_none_or(|table| table.contains(['*', '?', '[']));
        if let (true, Some(item)) = (has_wildcard, &item) {
            item.fault("`repoint` needs the name of one table", Some("write parent = \"customers(id)\"".to_owned()));
        }
        !has_wildcard
    });
    if let Some(child) = reader.take("child") {
        let help = "remove it: the children of all relations to the parent are pointed at the row that is kept";
        child.fault("`repoint` needs no `child`", Some(help.to_owned()));
    }
    reader.finish();
    let child =
        parent.as_ref().and_then(|parent| Some(Spanned { value: Pattern::new("*").ok()?, span: parent.span.clone() }));
    (child, parent)
}

/// Returns a pattern of relation sides in the form that reports use: `table(a,b)`.
fn pattern(item: &Item<'_, '_>) -> Option<Spanned<Pattern>> {
    item.parsed("`table(column, …)`, both as names or globs", side_pattern)
}

/// Reads `*`, or a glob over a side such as `comments(*)`. The error is a message.
pub fn side_pattern(text: &str) -> Result<Pattern, String> {
    if text.trim() == "*" {
        return Pattern::new(text);
    }
    let side = side::parse(text)?;
    Pattern::new(&format!("{}({})", side.table, side.columns.join(",")))
}

fn limits(mut reader: Reader<'_, '_>) -> Limits {
    let max_rows = reader.take("max-rows").and_then(|item| item.count(&(0..=u64::from(u32::MAX))));
    let max_share = reader.take("max-share").and_then(|item| item.share());
    reader.finish();
    Limits { max_rows: max_rows.map(|rows| rows as u64), max_share }
}

#[cfg(test)]
mod tests;
