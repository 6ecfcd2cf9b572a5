//! The relations as a picture: tables are boxes, and children are left of their parents. Broken relations are red, with
//! the number of orphans. `layered` computes the positions. If there are too many relations, those without problems are
//! omitted.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;
use crate::model::text;
use crate::model::text::plural;
use crate::report::html;
use crate::report::html::layered;
use crate::report::html::layered::Drawing;
use crate::report::html::layered::Edge;
use crate::report::html::layered::Point;
use crate::report::markup::escaped;

/// The number of relations that a reader can still follow.
const MOST: usize = 120;
/// The longest name that is not shortened, in characters.
const LONGEST: usize = 30;
const LETTER: f64 = 7.6;

struct Node<'a> {
    name: &'a str,
    is_missing: bool,
    is_sick: bool,
}

/// A relation that is drawn.
struct Line<'a> {
    relation: RelationId,
    id: &'a str,
    class: &'static str,
    orphans: u64,
    finding: Option<&'a Finding>,
    summary: String,
}

pub(super) fn section(examination: &Examination) -> String {
    let mut lines: Vec<Line<'_>> = examination.relations.ids().map(|relation| line(examination, relation)).collect();
    let all = lines.len();
    if all > MOST {
        lines.retain(|line| line.class != "sound");
        lines.truncate(MOST);
    }
    if lines.is_empty() {
        return String::new();
    }
    let names: Vec<(String, bool)> = lines.iter().flat_map(|line| ends(examination, line.relation)).collect();
    let (boxes, edges) = graph(&names, &lines);
    let sizes: Vec<(f64, f64)> = boxes.iter().map(|node| (width(node), 34.0)).collect();
    let drawing = layered::draw(&sizes, &edges);
    let note = match all - lines.len() {
        0 => "children left, parents right".to_owned(),
        left => format!("children left, parents right · {} not drawn", plural(left as u64, "relation")),
    };
    html::section("Picture", &note, &(svg(&drawing, &boxes, &lines, &edges, &sizes) + &legend(&lines, &boxes)))
}

/// Returns the child and the parent, each with true if the table is missing, for example
/// `[("orders", false), ("orders_old", true)]`.
fn ends(examination: &Examination, relation: RelationId) -> [(String, bool); 2] {
    let about = &examination.schema.relations[relation];
    let child = (examination.schema.child(about).name.to_string(), false);
    [child, (about.parent.name.to_string(), about.parent.table.is_none())]
}

fn line(examination: &Examination, relation: RelationId) -> Line<'_> {
    let about = &examination.schema.relations[relation];
    let coverage = &examination.relations[relation];
    let own = || examination.open_findings().filter(|finding| finding.relation == relation);
    let orphans = own().find(|finding| finding.code == Code::Orphan);
    let most_severe = own().max_by_key(|finding| finding.severity);
    let class = match most_severe.map(|finding| finding.severity) {
        Some(Severity::Error) if orphans.is_none() => "bad broken",
        Some(Severity::Error) => "bad",
        _ if coverage.state == CoverageState::Unchecked => "unchecked",
        Some(Severity::Warning) => "doubtful",
        Some(Severity::Note) | None => "sound",
    };
    let summary = match (most_severe.filter(|_| class != "sound"), coverage.state) {
        (Some(finding), _) => finding.message.clone(),
        (None, CoverageState::Unchecked) => "not checked".to_owned(),
        (None, _) => "no orphans".to_owned(),
    };
    let orphans = orphans.map_or(0, |finding| finding.rows);
    Line { relation, id: &about.id, class, orphans, finding: most_severe.filter(|_| class != "sound"), summary }
}

/// Returns the boxes in order of name, so that the picture does not depend on the order of the relations.
fn graph<'a>(names: &'a [(String, bool)], lines: &[Line<'_>]) -> (Vec<Node<'a>>, Vec<Edge>) {
    let known: BTreeMap<&(String, bool), usize> = names
        .iter()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .enumerate()
        .map(|(at, name)| (name, at))
        .collect();
    let edges: Vec<Edge> = names.chunks(2).map(|ends| Edge { from: known[&ends[0]], to: known[&ends[1]] }).collect();
    let sick = |at: usize| edges.iter().zip(lines).any(|(edge, line)| edge.from == at && line.class.starts_with("bad"));
    let boxes = known.iter().map(|(name, at)| Node { name: &name.0, is_missing: name.1, is_sick: sick(*at) });
    (boxes.collect(), edges)
}

fn shown(name: &str) -> String {
    let visible = text::visible(name);
    if visible.chars().count() <= LONGEST {
        return visible.into_owned();
    }
    visible.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn width(node: &Node<'_>) -> f64 {
    // A character of a wide script is about as wide as two letters.
    let letters: usize = shown(node.name).chars().map(|letter| if letter as u32 > 0x1100 { 2 } else { 1 }).sum();
    letters as f64 * LETTER + 26.0
}

fn svg(drawing: &Drawing, boxes: &[Node<'_>], lines: &[Line<'_>], edges: &[Edge], sizes: &[(f64, f64)]) -> String {
    let (width, height) = (drawing.width.max(120.0), drawing.height.max(40.0));
    let mut svg = format!(
        "<div class=\"picture scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Picture of the relations\">\
         <svg viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"group\">\n"
    );
    // Broken relations are drawn last, on top of the others.
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|&index| (lines[index].class.starts_with("bad"), lines[index].class != "sound"));
    for index in order {
        let loop_size = (edges[index].from == edges[index].to).then(|| sizes[edges[index].from]);
        draw_line(&mut svg, &lines[index], &drawing.lines[index], loop_size);
    }
    for (node, (at, (width, height))) in boxes.iter().zip(drawing.nodes.iter().zip(sizes)) {
        let class = if node.is_missing {
            "node missing"
        } else if node.is_sick {
            "node sick"
        } else {
            "node"
        };
        let _ = writeln!(
            svg,
            "<g class=\"{class}\"><title>{}{}</title><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"7\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></g>",
            escaped(node.name),
            if node.is_missing { " does not exist" } else { "" },
            at.x - width / 2.0,
            at.y - height / 2.0,
            at.x,
            at.y + 4.5,
            escaped(&shown(node.name))
        );
    }
    svg + "</svg></div>\n"
}

fn draw_line(svg: &mut String, line: &Line<'_>, points: &[Point], loop_size: Option<(f64, f64)>) {
    let (path, middle, tip) = match loop_size {
        Some(size) => around(points[0], size),
        None => curve(points),
    };
    let target = match line.finding {
        Some(finding) => format!("f-{}", finding.id()),
        None => format!("r-{}", line.relation),
    };
    let _ = write!(
        svg,
        "<a href=\"#{target}\"><g class=\"edge {}\"><title>{}: {}</title><path class=\"reach\" d=\"{path}\"/><path d=\"{path}\"/>\
         <polygon class=\"tip\" points=\"{tip}\"/>",
        line.class,
        escaped(line.id),
        escaped(&line.summary)
    );
    if line.orphans > 0 {
        let label = text::count(line.orphans);
        let width = label.len() as f64 * 7.0 + 14.0;
        let _ = write!(
            svg,
            "<g class=\"pill\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"18\" rx=\"9\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{label}</text></g>",
            middle.x - width / 2.0,
            middle.y - 9.0,
            middle.x,
            middle.y + 4.0
        );
    }
    svg.push_str("</g></a>\n");
}

/// Returns a smooth path through all points, the position of the label, and the tip of the arrow.
fn curve(points: &[Point]) -> (String, Point, String) {
    let last = points[points.len() - 1];
    let mut path = format!("M{:.1} {:.1}", points[0].x, points[0].y);
    let mut middle = points[0];
    for (step, pair) in points.windows(2).enumerate() {
        let (from, to) = (pair[0], pair[1]);
        // A line that goes back or stays in its layer makes a wider curve.
        let reach = if to.x > from.x { (to.x - from.x) / 2.0 } else { 60.0 };
        let _ = write!(
            path,
            " C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
            from.x + reach,
            from.y,
            to.x - reach,
            to.y,
            to.x,
            to.y
        );
        if step == (points.len() - 2) / 2 {
            middle = Point { x: (from.x + to.x) / 2.0, y: (from.y + to.y) / 2.0 };
        }
    }
    let leads_right = points.len() > 1 && last.x >= points[points.len() - 2].x;
    let back = if leads_right { -7.0 } else { 7.0 };
    let tip = arrow(last, back);
    (path, middle, tip)
}

/// Returns a loop that starts and ends at the right side of a box, as [`curve`] does for other lines.
fn around(start: Point, (_, height): (f64, f64)) -> (String, Point, String) {
    let (x, y) = (start.x, start.y);
    let path = format!(
        "M{x:.1} {:.1} C{:.1} {:.1} {:.1} {:.1} {x:.1} {:.1}",
        y - 6.0,
        x + 44.0,
        y - height * 0.9,
        x + 44.0,
        y + height * 0.9,
        y + 8.0
    );
    let end = Point { x, y: y + 8.0 };
    (path, Point { x: x + 34.0, y }, arrow(end, 7.0))
}

fn arrow(at: Point, back: f64) -> String {
    let (x, y) = (at.x, at.y);
    format!("{x:.1},{y:.1} {:.1},{:.1} {:.1},{:.1}", x + back, y - 3.6, x + back, y + 3.6)
}

/// Explains the kinds of lines and boxes that the picture contains.
fn legend(lines: &[Line<'_>], boxes: &[Node<'_>]) -> String {
    let known = [
        ("bad", "orphans, with the number of rows"),
        ("bad broken", "the definition is broken"),
        ("doubtful", "a warning"),
        ("unchecked", "not checked"),
        ("sound", "no errors or warnings"),
    ];
    let mut parts: Vec<String> = known
        .into_iter()
        .filter(|(class, _)| lines.iter().any(|line| line.class == *class))
        .map(|(class, meaning)| {
            format!(
                "<span><svg viewBox=\"0 0 44 16\" aria-hidden=\"true\"><g class=\"edge {class}\"><path d=\"M2 8 H36\"/>\
                 <polygon class=\"tip\" points=\"43,8 35,4 35,12\"/></g></svg>{meaning}</span>"
            )
        })
        .collect();
    if boxes.iter().any(|node| node.is_missing) {
        parts.push(
            "<span><svg viewBox=\"0 0 44 16\" aria-hidden=\"true\"><g class=\"node missing\">\
             <rect x=\"4\" y=\"2\" width=\"36\" height=\"12\" rx=\"3\"/></g></svg>no such table</span>"
                .to_owned(),
        );
    }
    format!("<div class=\"legend\">{}</div>", parts.concat())
}
