//! The relations as pictures, a card for each connected part. Tables are boxes, children are left of their parents, and
//! each relation is an arrow of its own. Parts with sick relations come first, and the others can be opened. `graph`
//! decides what a drawing contains, `layered` computes the positions, and `drawing` writes the SVG.

use std::fmt::Write;

use crate::model::examination::Examination;
use crate::model::relation::Origin;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::html;
use crate::report::html::drawing;
use crate::report::html::drawing::LABELS;
use crate::report::html::graph::Graph;
use crate::report::html::graph::MOST;
use crate::report::html::graph::Part;
use crate::report::markup::escaped;
use crate::report::picture::drawn_tables;

pub(super) fn section(examination: &Examination) -> String {
    if examination.relations.is_empty() {
        return String::new();
    }
    let graph = Graph::of(examination);
    let parts = graph.parts();
    // Without sick relations, a picture that a reader can follow is open too.
    let is_small = graph.lines.len() <= MOST;
    let is_open = |part: &Part| part.sick > 0 || is_small && parts[0].sick == 0;
    let (open, closed): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|part| is_open(part));
    let mut cards = Cards { examination, graph: &graph, made: 0, has_excerpt: false };
    let mut inside = match open.is_empty() {
        true => String::new(),
        false => format!("<div class=\"parts\">\n{}</div>\n", cards.of(&open)),
    };
    if !closed.is_empty() {
        let relations: usize = closed.iter().map(|part| part.lines.len()).sum();
        let tables: usize = closed.iter().map(|part| part.tables).sum();
        let noun = if open.is_empty() { "group" } else { "more group" };
        let _ = write!(
            inside,
            "<details class=\"more\"><summary>{} without errors: {}, {}</summary>\n<div class=\"parts\">\n{}</div>\n</details>\n",
            plural(closed.len() as u64, noun) + " of tables",
            plural(tables as u64, "table"),
            plural(relations as u64, "relation"),
            cards.of(&closed)
        );
    }
    inside.push_str(&unrelated(examination, &graph));
    inside.push_str(&legend(examination, &graph, cards.has_excerpt));
    let keys = "<span class=\"keys\" hidden=\"\"> · the wheel, + and − zoom, dragging moves, 0 fits</span>";
    html::section("Picture", &format!("children left, parents right{keys}"), &inside)
}

/// The cards of the parts, with a number for each in the order of the page.
struct Cards<'a> {
    examination: &'a Examination,
    graph: &'a Graph<'a>,
    made: usize,
    /// True if a drawing leaves relations out.
    has_excerpt: bool,
}

impl Cards<'_> {
    fn of(&mut self, parts: &[&Part]) -> String {
        parts.iter().map(|part| self.card(part)).collect()
    }

    fn card(&mut self, part: &Part) -> String {
        self.made += 1;
        let number = self.made;
        let tables = plural(part.tables as u64, "table");
        let all = plural(part.lines.len() as u64, "relation");
        let about = match (part.sick, part.lines.len() - part.sick) {
            (0, _) => format!("{tables}, {all}"),
            (sick, 0) => format!("{tables}, {}", plural(sick as u64, "sick relation")),
            (sick, others) => {
                format!("{tables}, {}, {}", plural(sick as u64, "sick relation"), plural(others as u64, "other"))
            }
        };
        let draw = |lines: &[usize], view: &str, about: &str| {
            let drawn = drawing::draw(self.examination, self.graph, lines);
            let size = if drawn.is_large { " large" } else { "" };
            format!(
                "<div class=\"frame {view}{size}\" tabindex=\"0\" role=\"region\" aria-label=\"Picture of {about}\">{}</div>\n",
                drawn.svg
            )
        };
        let chosen = if part.lines.len() > MOST && part.sick > 0 { self.graph.sick_lines(part) } else { Vec::new() };
        let (views, frames) = if chosen.is_empty() || chosen.len() == part.lines.len() {
            (String::new(), draw(&part.lines, "whole", &about))
        } else {
            self.has_excerpt = true;
            let sick = format!("the sick relations and their neighbours ({})", count(chosen.len() as u64));
            let choice = |value: &str, label: &str, checked: &str| {
                format!(
                    "<label><input type=\"radio\" name=\"view-{number}\" value=\"{value}\"{checked}/>{label}</label>\n"
                )
            };
            let views = format!(
                "<span class=\"views\">{}{}</span>",
                choice("sick", &sick, " checked=\"\""),
                choice("all", &format!("draw all {}", count(part.lines.len() as u64)), "")
            );
            (views, draw(&chosen, "some", &sick) + &draw(&part.lines, "all", &format!("all {all}")))
        };
        format!(
            "<div class=\"part\">\n<div class=\"part-head\"><span>{about}</span>{views}<span class=\"zoom\" hidden=\"\">\
             <button type=\"button\" value=\"fit\">fit</button><button type=\"button\" value=\"in\" aria-label=\"zoom in\">+</button>\
             <button type=\"button\" value=\"out\" aria-label=\"zoom out\">−</button></span></div>\n{frames}</div>\n"
        )
    }
}

/// Names the tables that no picture contains, because they have no relations.
fn unrelated(examination: &Examination, graph: &Graph<'_>) -> String {
    let drawn: std::collections::BTreeSet<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    let tables = drawn_tables(&examination.schema).map(|(_, table)| table.name.to_string());
    let names: Vec<String> = tables.filter(|name| !drawn.contains(name.as_str())).collect();
    if names.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = names.iter().map(|name| format!("<code>{}</code>", escaped(name))).collect();
    format!(
        "<details class=\"more\"><summary>{} without relations</summary>\n<p>{}</p>\n</details>\n",
        plural(names.len() as u64, "more table"),
        shown.join(", ")
    )
}

/// Explains the kinds of lines and boxes that the pictures contain.
fn legend(examination: &Examination, graph: &Graph<'_>, has_excerpt: bool) -> String {
    let line = |class: &str, meaning: &str| {
        format!(
            "<span><svg viewBox=\"0 0 44 16\" aria-hidden=\"true\"><g class=\"edge {class}\"><path d=\"M2 8 H36\"/>\
             <polygon class=\"tip\" points=\"43,8 35,4 35,12\"/></g></svg>{meaning}</span>"
        )
    };
    let mut parts: Vec<String> = LABELS
        .into_iter()
        .filter(|(state, _)| graph.lines.iter().any(|line| line.state == *state))
        .map(|(state, meaning)| line(state.class(), meaning))
        .collect();
    if examination.schema.relations.iter().any(|relation| relation.origin == Origin::Discovered) {
        parts.push(line("discovered", "discovered: nobody declares it"));
    }
    if graph.nodes.iter().any(|node| node.is_missing) {
        parts.push(
            "<span><svg viewBox=\"0 0 44 16\" aria-hidden=\"true\"><g class=\"node missing\">\
             <rect x=\"4\" y=\"2\" width=\"36\" height=\"12\" rx=\"3\"/></g></svg>no such table</span>"
                .to_owned(),
        );
    }
    if has_excerpt {
        parts.push("<span><b>+3</b> relations of the table that the drawing leaves out</span>".to_owned());
    }
    format!("<div class=\"legend\">{}</div>", parts.concat())
}
