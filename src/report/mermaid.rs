//! The schema as a Mermaid `erDiagram`: entities with their columns, and relations. A broken relation is dotted and
//! labelled with its defect. There is no other styling.
//!
//! Mermaid's grammar for these diagrams is ambiguous. Keywords (`one`, `to`, `class`) start tokens anywhere, `%%{` starts
//! a directive inside a string, and a line that contains `direction LR` is a directive. So only a name that is certainly
//! harmless is written directly. Any other name becomes the quoted label of an alias.

use std::collections::BTreeSet;

use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::visible;
use crate::report::health::Health;
use crate::report::picture::Missing;
use crate::report::picture::refers;
use crate::report::picture::worst;

/// Keywords of some version of Mermaid. Their case does not matter.
const RESERVED: [&str; 24] = [
    "erdiagram",
    "title",
    "acctitle",
    "accdescr",
    "direction",
    "tb",
    "bt",
    "rl",
    "lr",
    "style",
    "class",
    "classdef",
    "default",
    "subgraph",
    "end",
    "one",
    "only",
    "zero",
    "many",
    "to",
    "optionally",
    "or",
    "o",
    "u",
];

pub(super) fn render(schema: &Schema) -> String {
    let missing = Missing::of(schema);
    let mut lines = vec!["erDiagram".to_string()];
    for (id, table) in schema.tables.entries() {
        entity(&mut lines, schema, id, table);
    }
    for (id, name) in missing.all() {
        lines.push(format!("    {id}[\"{} (missing)\"]", label(name)));
    }
    for relation in &schema.relations {
        lines.push(edge(schema, &missing, relation));
    }
    classes(&mut lines, schema, &missing);
    lines.join("\n") + "\n"
}

fn entity(lines: &mut Vec<String>, schema: &Schema, table_id: TableId, table: &Table) {
    let id = id(schema, table_id);
    let name = table.name.to_string();
    let head = if id == name { id } else { format!("{id}[\"{}\"]", label(&name)) };
    if table.columns.is_empty() {
        lines.push(format!("    {head}"));
        return;
    }
    lines.push(format!("    {head} {{"));
    for (position, column) in table.columns.iter().enumerate() {
        let mut keys = Vec::new();
        if table.primary_key.contains(&position) {
            keys.push("PK");
        }
        if refers(schema, table_id, position) {
            keys.push("FK");
        }
        let mut line = format!("        {} {}", word(&column.declared_type, "any"), word(&column.name, "_"));
        if !keys.is_empty() {
            line.push_str(&format!(" {}", keys.join(",")));
        }
        if word(&column.name, "_") != column.name {
            line.push_str(&format!(" \"{}\"", label(&column.name)));
        }
        lines.push(line);
    }
    lines.push("    }".to_string());
}

fn edge(schema: &Schema, missing: &Missing, relation: &Relation) -> String {
    let parent = match relation.parent.table {
        Some(table) => id(schema, table),
        None => missing.id(&relation.parent.name),
    };
    // A row with a NULL in its key has no parent.
    let parent_end = if schema.child_columns(relation).all(|column| column.not_null) { "||" } else { "|o" };
    let line = if Health::of(relation) == Health::Broken { ".." } else { "--" };
    let columns: Vec<&str> = schema.child_column_names(relation).collect();
    let columns = columns.join(", ");
    let text = match worst(relation) {
        Some(defect) => format!("{}: {columns}", defect.code.name()),
        None => columns,
    };
    format!("    {parent} {parent_end}{line}o{{ {} : \"{}\"", id(schema, relation.child), label(&text))
}

fn classes(lines: &mut Vec<String>, schema: &Schema, missing: &Missing) {
    let broken: Vec<&Relation> =
        schema.relations.iter().filter(|relation| Health::of(relation) == Health::Broken).collect();
    let children: BTreeSet<TableId> = broken.iter().map(|relation| relation.child).collect();
    if !children.is_empty() {
        let ids: Vec<String> = children.into_iter().map(|child| id(schema, child)).collect();
        lines.push("    classDef broken stroke:#c62828,stroke-width:2px".to_string());
        lines.push(format!("    class {} broken", ids.join(",")));
    }
    let ids: Vec<String> = missing.all().map(|(id, _)| id).collect();
    if !ids.is_empty() {
        lines.push("    classDef missing fill:#fdecea,stroke:#c62828,stroke-dasharray:4".to_string());
        lines.push(format!("    class {} missing", ids.join(",")));
    }
}

/// Returns the table's name if it is safe in Mermaid and differs from every alias, else an alias such as `t2`.
fn id(schema: &Schema, table: TableId) -> String {
    let name = schema.tables[table].name.to_string();
    let is_alias =
        name.len() > 1 && name.starts_with(['t', 'm']) && name[1..].bytes().all(|byte| byte.is_ascii_digit());
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_reserved = RESERVED.iter().any(|word| name.eq_ignore_ascii_case(word));
    if is_word && !is_alias && !is_reserved { name } else { format!("t{}", table.index() + 1) }
}

/// Returns a type or a column's name, with `_` for each character that Mermaid does not allow.
fn word(text: &str, otherwise: &str) -> String {
    let allowed = |letter: char| {
        let is_foreign = letter.is_alphanumeric() && ('\u{C0}'..='\u{FFFF}').contains(&letter);
        if letter.is_ascii_alphanumeric() || is_foreign || "_()".contains(letter) { letter } else { '_' }
    };
    let word: String = text.chars().map(allowed).collect();
    if word.is_empty() {
        return otherwise.to_string();
    }
    // Mermaid reads the names of the marks as marks everywhere.
    let is_mark = ["pk", "fk", "uk"].iter().any(|mark| word.eq_ignore_ascii_case(mark) || starts_marked(&word, mark));
    if is_mark || word.starts_with(|first: char| first.is_ascii_digit() || "()".contains(first)) {
        return format!("_{word}");
    }
    word
}

/// True for `PK(x)`: the mark ends at the parenthesis.
fn starts_marked(word: &str, mark: &str) -> bool {
    word.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark))
        && word[mark.len()..].starts_with(|next: char| !next.is_ascii_alphanumeric() && next != '_')
}

/// Returns text for inside quotes, with entity codes for the characters that are special in Mermaid or HTML.
fn label(text: &str) -> String {
    let mut safe = String::new();
    for character in visible(text).chars() {
        let is_directive = character == ' ' && ends_with_direction(&safe);
        if is_directive || "\"#%&;<>\\`~{}".contains(character) {
            safe.push_str(&format!("#{};", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    if safe.is_empty() { "#8203;".to_string() } else { safe }
}

fn ends_with_direction(text: &str) -> bool {
    let word = "direction";
    text.len() >= word.len() && text.as_bytes()[text.len() - word.len()..].eq_ignore_ascii_case(word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn broken_relation_is_dotted_and_missing_parent_is_drawn() {
        assert_eq!(
            render(&sample::sick().schema),
            r#"erDiagram
    customers {
        INTEGER id PK
        INTEGER region
        INTEGER code
    }
    orders {
        INTEGER id PK
        INTEGER customer_id FK
        INTEGER region FK
        INTEGER code FK
        INTEGER old_id FK
    }
    order_items {
        INTEGER id PK
        INTEGER order_id FK
        INTEGER product_id
    }
    m1["orders_old (missing)"]
    customers |o--o{ orders : "customer_id"
    customers |o--o{ orders : "region, code"
    m1 |o..o{ orders : "parent-table-missing: old_id"
    orders |o--o{ order_items : "type-mismatch: order_id"
    classDef broken stroke:#c62828,stroke-width:2px
    class orders broken
    classDef missing fill:#fdecea,stroke:#c62828,stroke-dasharray:4
    class m1 missing
"#
        );
    }

    #[test]
    fn hostile_names_stay_text() {
        let drawn = render(&sample::hostile().schema);
        // Tables with the name of a keyword, the name of an alias, and an empty name.
        for head in
            ["t2[\"one\"] {", "t3[\"t1\"] {", "t4[\"#8203;\"] {", "INTEGER _pk PK \"pk\"", "any FK_x FK \"FK-x\""]
        {
            assert!(drawn.lines().any(|line| line.trim() == head), "{head}: {drawn}");
        }
        for line in drawn.lines() {
            assert!([0, 2].contains(&line.matches('"').count()), "{line}");
        }
        for wrong in ["%", "\\", "~", "<", ">", "direction LR"] {
            assert!(!drawn.contains(wrong), "{wrong}: {drawn}");
        }
    }

    #[test]
    fn word_contains_only_characters_that_mermaid_allows() {
        assert_eq!(word("VARCHAR(20)", "any"), "VARCHAR(20)");
        assert_eq!(word("DECIMAL(10, 2)", "any"), "DECIMAL(10__2)");
        assert_eq!(word("", "any"), "any");
        assert_eq!(word("größe", "_"), "größe");
        assert_eq!(word("2nd", "_"), "_2nd");
        assert_eq!([word("Fk", "_"), word("uk(x)", "_"), word("pk_x", "_")], ["_Fk", "_uk(x)", "pk_x"]);
    }
}
