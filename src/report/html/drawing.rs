//! One drawing of tables and relations as SVG. Each arrow is a link to its finding, or to its row in the table of
//! relations. The style of a line and the words beside it show its state, so that color is not needed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;

use crate::model::examination::Examination;
use crate::model::relation::Origin;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::html::graph::Graph;
use crate::report::html::graph::Line;
use crate::report::html::layered;
use crate::report::html::layered::Bundle;
use crate::report::html::layered::Frame;
use crate::report::html::layered::LABEL_MARGIN;
use crate::report::html::layered::Point;
use crate::report::html::layered::Route;
use crate::report::html::state::State;
use crate::report::markup::escaped;
use crate::report::wording;

/// The longest name that is not shortened, in characters.
const LONGEST_NAME: usize = 40;
const LONGEST_COLUMNS: usize = 30;
/// The width of a letter of a table's name, and of a label.
const NAME_LETTER: f64 = 7.6;
const LABEL_LETTER: f64 = 6.4;
const BOX_HEIGHT: f64 = 28.0;
/// A wider drawing has a row of the page for itself.
const LARGE: f64 = 600.0;

/// The states of lines, with their meanings in the legend.
pub(super) const LABELS: [(State, &str); 7] = [
    (State::Defective, "defective, with the number of orphan rows"),
    (State::Orphans, "orphan rows, with their number"),
    (State::Unchecked, "not checked"),
    (State::Warning, "a warning"),
    (State::Partial, "checked in part"),
    (State::Known, "known findings only"),
    (State::Sound, "no errors or warnings"),
];

pub(super) struct Drawn {
    pub(super) svg: String,
    pub(super) is_large: bool,
}

/// Draws some lines of the graph, by their positions, with their tables.
pub(super) fn draw(examination: &Examination, graph: &Graph<'_>, lines: &[usize]) -> Drawn {
    let tables: BTreeSet<usize> =
        lines.iter().flat_map(|&at| [graph.lines[at].child, graph.lines[at].parent]).collect();
    let index: BTreeMap<usize, usize> = tables.iter().enumerate().map(|(index, &node)| (node, index)).collect();
    let mut of_ends: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for &at in lines {
        let line = &graph.lines[at];
        of_ends.entry((index[&line.child], index[&line.parent])).or_default().push(at);
    }
    let labels: BTreeMap<usize, String> = of_ends
        .iter()
        .flat_map(|(ends, own)| own.iter().map(move |&at| (at, ends.0 == ends.1 || own.len() > 1)))
        .map(|(at, is_named)| (at, label(examination, &graph.lines[at], is_named)))
        .collect();
    let bundles: Vec<Bundle> = of_ends
        .iter()
        .map(|(&(from, to), own)| {
            let label = own.iter().map(|at| label_width(&labels[at])).fold(0.0, f64::max);
            Bundle { from, to, lines: own.len(), label }
        })
        .collect();
    let rest = rest(graph, &tables, lines);
    let size = |&node: &usize| (box_width(&graph.nodes[node].name, rest[&node]), BOX_HEIGHT);
    let mut sizes: Vec<(f64, f64)> = tables.iter().map(size).collect();
    for bundle in bundles.iter().filter(|bundle| bundle.from == bundle.to) {
        // The label of a loop is above the box, right of the loop.
        let width = 30.0 + 12.0 * bundle.lines as f64 + bundle.label;
        sizes[bundle.from].0 = sizes[bundle.from].0.max(width);
    }
    let layout = layered::draw(&sizes, &bundles);
    let (width, height) = (layout.width, layout.height);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"group\">\n"
    );
    // Sick relations are drawn last, on top of the others.
    let mut drawn: Vec<(usize, &Route)> =
        of_ends.values().zip(&layout.routes).flat_map(|(own, routes)| own.iter().copied().zip(routes)).collect();
    drawn.sort_by_key(|(at, _)| (graph.lines[*at].state.is_sick(), *at));
    for (at, route) in drawn {
        draw_line(&mut svg, examination, &graph.lines[at], route, &labels[&at]);
    }
    let sick: BTreeSet<usize> = lines
        .iter()
        .map(|&at| &graph.lines[at])
        .filter(|line| matches!(line.state, State::Defective | State::Orphans))
        .map(|line| line.child)
        .collect();
    for (&node, frame) in tables.iter().zip(&layout.boxes) {
        let class = match (graph.nodes[node].is_missing, sick.contains(&node)) {
            (true, _) => "node missing",
            (false, true) => "node sick",
            (false, false) => "node",
        };
        draw_box(&mut svg, class, &graph.nodes[node].name, rest[&node], frame);
    }
    svg.push_str("</svg>");
    Drawn { svg, is_large: width > LARGE }
}

/// Returns for each table the number of its relations that are not in the drawing.
fn rest(graph: &Graph<'_>, tables: &BTreeSet<usize>, lines: &[usize]) -> BTreeMap<usize, usize> {
    let mut rest: BTreeMap<usize, usize> = tables.iter().map(|&node| (node, 0)).collect();
    let drawn: BTreeSet<usize> = lines.iter().copied().collect();
    for (_, line) in graph.lines.iter().enumerate().filter(|(at, _)| !drawn.contains(at)) {
        for node in BTreeSet::from([line.child, line.parent]) {
            rest.entry(node).and_modify(|number| *number += 1);
        }
    }
    rest
}

fn draw_box(svg: &mut String, class: &str, name: &str, rest: usize, frame: &Frame) {
    let middle = frame.middle();
    let missing = if class.ends_with("missing") { " does not exist" } else { "" };
    let others = if rest > 0 { format!(", {} not drawn here", plural(rest as u64, "relation")) } else { String::new() };
    let number = if rest > 0 { format!(" <tspan class=\"rest\">{}</tspan>", rest_text(rest)) } else { String::new() };
    let _ = writeln!(
        svg,
        "<g class=\"{class}\"><title>{}{missing}{others}</title><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"6\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{}{number}</text></g>",
        escaped(name),
        frame.left,
        frame.top,
        frame.width,
        frame.height,
        middle.x,
        middle.y + 4.5,
        escaped(&shortened(name, LONGEST_NAME))
    );
}

fn draw_line(svg: &mut String, examination: &Examination, line: &Line<'_>, route: &Route, label: &str) {
    let target = match line.finding {
        Some(finding) => finding.id(),
        None => format!("r-{}", line.relation),
    };
    let (path, tip) = path(route);
    let relation = &examination.schema.relations[line.relation];
    // Nobody declares the relation, so its line is dashed.
    let discovered = if relation.origin == Origin::Discovered { " discovered" } else { "" };
    let _ = write!(
        svg,
        "<a href=\"#{target}\"><title>{}: {}</title><g class=\"edge {}{discovered}\"><path class=\"reach\" d=\"{path}\"/><path d=\"{path}\"/>\
         <polygon class=\"tip\" points=\"{tip}\"/>",
        escaped(&relation.id),
        escaped(&summary(line)),
        line.state.class()
    );
    if !label.is_empty() {
        let (at, anchor) = label_position(route);
        let _ =
            write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>", at.x, at.y, escaped(label));
    }
    svg.push_str("</g></a>\n");
}

fn summary(line: &Line<'_>) -> String {
    match line.finding {
        Some(finding) => finding.message.clone(),
        None => match line.state {
            State::Unchecked => "not checked".to_owned(),
            State::Known => "known findings only".to_owned(),
            State::Partial => "no orphans in the part that was checked".to_owned(),
            _ => "no orphans".to_owned(),
        },
    }
}

/// Returns the text beside a line: its state, and its columns if another line is beside it. A sound line that is alone
/// has none.
fn label(examination: &Examination, line: &Line<'_>, is_named: bool) -> String {
    let rows = (line.orphans > 0).then(|| plural(line.orphans, "row"));
    let state = match line.state {
        State::Defective => Some("defective"),
        State::Unchecked => Some("not checked"),
        State::Warning => Some("warning"),
        State::Partial => Some("in part"),
        State::Known => Some("known"),
        State::Orphans | State::Sound => None,
    };
    let words: Vec<&str> = rows.as_deref().into_iter().chain(state).collect();
    if words.is_empty() && !is_named {
        return String::new();
    }
    let about = &examination.schema.relations[line.relation];
    let columns: Vec<&str> = examination.schema.child_column_names(about).collect();
    let columns = is_named.then(|| shortened(&columns.join(", "), LONGEST_COLUMNS));
    columns.into_iter().chain((!words.is_empty()).then(|| words.join(", "))).collect::<Vec<_>>().join(" · ")
}

/// Returns the path of a line and the tip of its arrow.
fn path(route: &Route) -> (String, String) {
    let mut path = String::new();
    match route {
        Route::Curves { start, curves } => {
            let _ = write!(path, "M{:.1} {:.1}", start.x, start.y);
            for [from, to] in curves {
                let reach = (to.x - from.x) / 2.0;
                let _ = write!(
                    path,
                    "H{:.1}C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
                    from.x,
                    from.x + reach,
                    from.y,
                    to.x - reach,
                    to.y,
                    to.x,
                    to.y
                );
            }
            let tip = curves.last().map_or_else(String::new, |[from, to]| {
                let back = if to.x > from.x { -8.0 } else { 8.0 };
                triangle(*to, (back, -4.0), (back, 4.0))
            });
            (path, tip)
        }
        Route::Loop { from, to, height } => {
            // A cubic curve reaches three quarters of the height of its control points.
            let top = from.y - height * 4.0 / 3.0;
            let _ = write!(
                path,
                "M{:.1} {:.1}C{:.1} {top:.1} {:.1} {top:.1} {:.1} {:.1}",
                from.x, from.y, from.x, to.x, to.x, to.y
            );
            (path, triangle(*to, (-4.0, -8.0), (4.0, -8.0)))
        }
    }
}

fn triangle(tip: Point, one: (f64, f64), other: (f64, f64)) -> String {
    let corner = |(x, y): (f64, f64)| format!("{:.1},{:.1}", tip.x + x, tip.y + y);
    format!("{} {} {}", corner((0.0, 0.0)), corner(one), corner(other))
}

/// Returns where a label begins, or ends with the anchor `end`: beside the box where its line starts.
fn label_position(route: &Route) -> (Point, &'static str) {
    match route {
        Route::Curves { start, curves } => {
            let y = start.y - 4.0;
            let leads_right = curves.last().is_none_or(|[_, end]| end.x > start.x);
            if leads_right {
                (Point { x: start.x + LABEL_MARGIN, y }, "start")
            } else {
                (Point { x: start.x - LABEL_MARGIN, y }, "end")
            }
        }
        Route::Loop { to, height, .. } => (Point { x: to.x + LABEL_MARGIN, y: to.y - height + 6.0 }, "start"),
    }
}

/// Returns text that is short enough for the picture, cut in its middle, because names often differ at their ends.
fn shortened(text: &str, longest: usize) -> String {
    wording::cut_in_the_middle(&text::visible(text), longest)
}

fn rest_text(rest: usize) -> String {
    format!("+{}", count(rest as u64))
}

fn box_width(name: &str, rest: usize) -> f64 {
    let number = if rest > 0 { units(&rest_text(rest)) + 1.0 } else { 0.0 };
    ((units(&shortened(name, LONGEST_NAME)) + number) * NAME_LETTER + 24.0).max(56.0)
}

fn label_width(label: &str) -> f64 {
    units(label) * LABEL_LETTER
}

/// Returns the number of letters of a text. A character of a wide script is about as wide as two letters.
fn units(text: &str) -> f64 {
    text.chars().map(|character| if u32::from(character) < 0x1100 { 1.0 } else { 2.0 }).sum()
}
