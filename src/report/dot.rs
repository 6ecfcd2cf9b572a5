//! The schema as a Graphviz digraph. Each table is a node. Each relation is an edge from child column to parent column;
//! a broken relation is dashed, red and labelled with its defect. Graphviz computes the layout.
//!
//! Identifiers are positions and never names. Names appear only inside HTML-like labels, escaped.

use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Omitted;
use crate::model::schema::Schema;
use crate::model::text::visible;
use crate::report::health::Health;
use crate::report::picture::Missing;
use crate::report::picture::drawn_tables;
use crate::report::picture::refers;
use crate::report::picture::worst;

const RED: &str = "#c62828";
const AMBER: &str = "#b26a00";

pub(super) fn render(schema: &Schema) -> String {
    let missing = Missing::of(schema.relations.iter());
    let mut lines = vec![
        "digraph schema {".to_string(),
        "  graph [rankdir=LR, fontname=\"Helvetica\", labelloc=t, nodesep=0.4, ranksep=1.2];".to_string(),
        "  node [shape=plain, fontname=\"Helvetica\", fontsize=11];".to_string(),
        "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#607d8b\", arrowsize=0.7];".to_string(),
        format!("  label=<{}>;", escaped(&title(schema))),
    ];
    for (id, table) in drawn_tables(schema) {
        lines.push(node(schema, id, table));
    }
    for (id, name) in missing.all() {
        lines.push(format!(
            "  {id} [shape=box, style=\"dashed,rounded\", color=\"{RED}\", fontcolor=\"{RED}\", label=<{} (missing)>];",
            escaped(name)
        ));
    }
    for relation in &schema.relations {
        lines.push(edge(&missing, relation));
    }
    lines.push("}".to_string());
    lines.join("\n") + "\n"
}

/// Returns the database's name, with what the drawing contains if the user left some of it out.
fn title(schema: &Schema) -> String {
    let name = &schema.database.name;
    if schema.omitted == Omitted::default() {
        return name.clone();
    }
    format!("{name}: {}, {}", schema.number_of_tables(), schema.number_of_relations())
}

fn node(schema: &Schema, id: TableId, table: &Table) -> String {
    let mut rows =
        format!("<TR><TD BGCOLOR=\"#eceff1\" COLSPAN=\"2\"><B>{}</B></TD></TR>", escaped(&table.name.to_string()));
    for (position, column) in table.columns.iter().enumerate() {
        let name = match (table.primary_key.contains(&position), refers(schema, id, position)) {
            (true, _) => format!("<U>{}</U>", escaped(&column.name)),
            (false, true) => format!("<I>{}</I>", escaped(&column.name)),
            (false, false) => escaped(&column.name),
        };
        rows.push_str(&format!(
            "<TR><TD ALIGN=\"LEFT\" PORT=\"c{0}\">{name}</TD><TD ALIGN=\"LEFT\" PORT=\"f{0}\"><FONT COLOR=\"#78909c\">{1}</FONT></TD></TR>",
            position + 1,
            escaped(&column.declared_type),
        ));
    }
    let style = "BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"4\" COLOR=\"#90a4ae\"";
    format!("  t{} [label=<<TABLE {style}>{rows}</TABLE>>];", id.index() + 1)
}

fn edge(missing: &Missing, relation: &Relation) -> String {
    // Edges leave a row on the right and enter a row on the left, so that with `rankdir=LR` they cross no names.
    let child = port(relation.child, &relation.child_columns, "f", "e");
    let parent = match relation.parent.table {
        Some(table) => port(table, &relation.parent.columns, "c", "w"),
        None => missing.id(&relation.parent.name),
    };
    let style = match Health::of(relation) {
        Health::Broken => format!("color=\"{RED}\", fontcolor=\"{RED}\", style=dashed, penwidth=1.5"),
        Health::Warning => format!("color=\"{AMBER}\", fontcolor=\"{AMBER}\""),
        Health::Ok | Health::Note => String::new(),
    };
    let line = match relation.origin {
        Origin::Declared | Origin::Configured => "",
        Origin::Discovered => "style=dashed",
        Origin::Likely => "style=dotted",
    };
    match worst(relation) {
        Some(defect) => format!("  {child} -> {parent} [label=<{}>, {style}];", escaped(defect.code.name())),
        None if !line.is_empty() => format!("  {child} -> {parent} [{line}];"),
        None => format!("  {child} -> {parent};"),
    }
}

/// Returns the cell of the key's first column, or the whole table if the column is not known.
fn port(table: TableId, columns: &[usize], side: &str, compass: &str) -> String {
    match columns.first() {
        Some(column) => format!("t{}:{side}{}:{compass}", table.index() + 1, column + 1),
        None => format!("t{}", table.index() + 1),
    }
}

/// Returns text for an HTML-like label. It is never empty, because Graphviz refuses an empty tag.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for character in visible(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // Graphviz fails on a label that consists of this character only.
            ']' => safe.push_str("&#93;"),
            // Graphviz replaces `\\N` by the node's name, even inside labels.
            '\\' => safe.push_str("&#92;"),
            other => safe.push(other),
        }
    }
    if safe.is_empty() { "&#160;".to_string() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn broken_relation_is_red_and_missing_parent_is_drawn() {
        let drawn = render(&sample::sick().schema);
        let edges: Vec<&str> = drawn.lines().filter(|line| line.contains("->") || line.starts_with("  m")).collect();
        assert_eq!(
            edges,
            [
                r##"  m1 [shape=box, style="dashed,rounded", color="#c62828", fontcolor="#c62828", label=<orders_old (missing)>];"##,
                r##"  t2:f2:e -> t1:c1:w;"##,
                r##"  t2:f3:e -> t1:c2:w;"##,
                r##"  t2:f5:e -> m1 [label=<parent-table-missing>, color="#c62828", fontcolor="#c62828", style=dashed, penwidth=1.5];"##,
                r##"  t3:f2:e -> t2:c1:w [label=<type-mismatch>, color="#b26a00", fontcolor="#b26a00"];"##,
            ]
        );
    }

    #[test]
    fn characters_special_to_graphviz_become_entities() {
        assert_eq!([escaped("]"), escaped("\\N"), escaped("")], ["&#93;", "&#92;N", "&#160;"]);
    }

    #[test]
    fn hostile_names_stay_text() {
        let drawn = render(&sample::hostile().schema);
        assert!(!drawn.contains("<script>"), "{drawn}");
        assert!(!drawn.contains('\\'), "{drawn}");
        assert!(!drawn.contains("<B></B>"), "{drawn}");
        // Quotes and brackets are balanced, because those of the data are entities.
        for line in drawn.lines() {
            assert_eq!(line.matches('"').count() % 2, 0, "{line}");
            assert_eq!(line.matches('<').count(), line.replace("->", "").matches('>').count(), "{line}");
        }
    }
}
