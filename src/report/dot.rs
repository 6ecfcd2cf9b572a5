//! The schema as a Graphviz digraph: one table a node, one relation an edge from child column to parent column,
//! broken ones dashed red and named. Leaves out: layout, which is Graphviz's own.
//!
//! Identifiers are positions, never names; names stand only inside HTML-like labels, escaped.

use std::collections::BTreeSet;

use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::report::health::Health;
use crate::report::health::worst;
use crate::report::text::visible;

const RED: &str = "#c62828";
const AMBER: &str = "#b26a00";

pub(super) fn render(schema: &Schema) -> String {
    let missing = missing_parents(schema);
    let mut lines = vec![
        "digraph schema {".to_string(),
        "  graph [rankdir=LR, fontname=\"Helvetica\", labelloc=t, nodesep=0.4, ranksep=1.2];".to_string(),
        "  node [shape=plain, fontname=\"Helvetica\", fontsize=11];".to_string(),
        "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#607d8b\", arrowsize=0.7];".to_string(),
        format!("  label=<{}>;", escaped(&schema.database.name)),
    ];
    for (place, table) in schema.tables.iter().enumerate() {
        lines.push(node(schema, place, table));
    }
    for (place, name) in missing.iter().enumerate() {
        lines.push(format!(
            "  m{} [shape=box, style=\"dashed,rounded\", color=\"{RED}\", fontcolor=\"{RED}\", label=<{} (missing)>];",
            place + 1,
            escaped(name)
        ));
    }
    for relation in &schema.relations {
        lines.push(edge(&missing, relation));
    }
    lines.push("}".to_string());
    lines.join("\n") + "\n"
}

/// The parents that do not exist, in order of name.
fn missing_parents(schema: &Schema) -> Vec<String> {
    let missing = schema.relations.iter().filter(|relation| relation.parent.table.is_none());
    let names: BTreeSet<String> = missing.map(|relation| relation.parent.name.to_string()).collect();
    names.into_iter().collect()
}

fn node(schema: &Schema, place: usize, table: &Table) -> String {
    let mut rows =
        format!("<TR><TD BGCOLOR=\"#eceff1\" COLSPAN=\"2\"><B>{}</B></TD></TR>", escaped(&table.name.to_string()));
    for (position, column) in table.columns.iter().enumerate() {
        let refers = |relation: &Relation| relation.child == place && relation.child_columns.contains(&position);
        let name = match (table.primary_key.contains(&position), schema.relations.iter().any(refers)) {
            (true, _) => format!("<U>{}</U>", escaped(&column.name)),
            (false, true) => format!("<I>{}</I>", escaped(&column.name)),
            (false, false) => escaped(&column.name),
        };
        rows.push_str(&format!(
            "<TR><TD ALIGN=\"LEFT\" PORT=\"c{0}\">{name}</TD><TD ALIGN=\"LEFT\"><FONT COLOR=\"#78909c\">{1}</FONT></TD></TR>",
            position + 1,
            escaped(&column.declared_type),
        ));
    }
    let style = "BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"4\" COLOR=\"#90a4ae\"";
    format!("  t{} [label=<<TABLE {style}>{rows}</TABLE>>];", place + 1)
}

fn edge(missing: &[String], relation: &Relation) -> String {
    let port = |columns: &[usize]| columns.first().map(|column| format!(":c{}", column + 1)).unwrap_or_default();
    let child = format!("t{}{}", relation.child + 1, port(&relation.child_columns));
    let parent = match relation.parent.table {
        Some(table) => format!("t{}{}", table + 1, port(&relation.parent.columns)),
        None => {
            let name = relation.parent.name.to_string();
            format!("m{}", missing.iter().position(|known| *known == name).unwrap_or(0) + 1)
        }
    };
    let style = match Health::of(relation) {
        Health::Broken => format!("color=\"{RED}\", fontcolor=\"{RED}\", style=dashed, penwidth=1.5"),
        Health::Warning => format!("color=\"{AMBER}\", fontcolor=\"{AMBER}\""),
        Health::Ok | Health::Note => String::new(),
    };
    match worst(relation) {
        Some(defect) => format!("  {child} -> {parent} [label=<{}>, {style}];", escaped(defect.code.name())),
        None => format!("  {child} -> {parent};"),
    }
}

/// Text inside an HTML-like label. Never empty, which Graphviz refuses inside a tag.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for character in visible(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    if safe.is_empty() { "&#160;".to_string() } else { safe }
}
