//! The schema as a Mermaid `erDiagram`: entities with their columns, and relations. A broken relation is dotted and
//! labelled with its defect. There is no other styling.
//!
//! Mermaid's grammar for these diagrams is ambiguous. Keywords (`one`, `to`, `class`) start tokens anywhere, `%%{` starts
//! a directive inside a string, and a line that contains `direction LR` is a directive. So only a name that is certainly
//! harmless is written directly. Any other name becomes the quoted label of an alias.
//!
//! Mermaid refuses a long text, so a large schema is drawn in part.

use std::collections::BTreeSet;

use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::visible;
use crate::report::health::Health;
use crate::report::picture::Missing;
use crate::report::picture::drawn_tables;
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

/// The length of the longest text that Mermaid draws with its usual settings (`maxTextSize`), in UTF-16 units.
const LONGEST: usize = 50_000;

/// Draws the schema. If that is too much for Mermaid, the columns are left out first; then only the relations with an error
/// or a warning are drawn, and the diagram says how many others there are.
pub(super) fn render(schema: &Schema) -> String {
    drawn(schema).0
}

/// Returns what the diagram leaves out because it is too much for Mermaid.
pub(super) fn left_out(schema: &Schema) -> Option<String> {
    drawn(schema).1
}

/// Returns the diagram, and what it leaves out.
fn drawn(schema: &Schema) -> (String, Option<String>) {
    let tables = drawn_tables(schema).map(|(id, _)| id).collect();
    let whole = Content { tables, relations: schema.relations.ids().collect() };
    let sick = Content::of(schema, &sick(schema));
    let attempts = [(&whole, true), (&whole, false), (&sick, true), (&sick, false)];
    for (content, has_columns) in attempts {
        let text = diagram(schema, content, has_columns);
        if is_short_enough(&text) {
            return (text, note(schema, content, has_columns));
        }
    }
    let start = longest_start(schema, &sick);
    (diagram(schema, &start, false), note(schema, &start, false))
}

/// Returns the relations with an error or a warning, the errors first.
fn sick(schema: &Schema) -> Vec<RelationId> {
    let with = |health| schema.relations.entries().filter(move |(_, about)| Health::of(about) == health);
    with(Health::Broken).chain(with(Health::Warning)).map(|(id, _)| id).collect()
}

/// Returns as many of the relations as Mermaid can draw.
fn longest_start(schema: &Schema, content: &Content) -> Content {
    let (mut fits, mut fails) = (0, content.relations.len());
    while fits + 1 < fails {
        let middle = fits.midpoint(fails);
        let part = Content::of(schema, &content.relations[..middle]);
        if is_short_enough(&diagram(schema, &part, false)) { fits = middle } else { fails = middle }
    }
    Content::of(schema, &content.relations[..fits])
}

fn is_short_enough(text: &str) -> bool {
    text.encode_utf16().count() <= LONGEST
}

/// The tables and relations of a diagram.
struct Content {
    tables: BTreeSet<TableId>,
    relations: Vec<RelationId>,
}

impl Content {
    /// Returns the relations with their tables.
    fn of(schema: &Schema, relations: &[RelationId]) -> Content {
        let about = |&id: &RelationId| &schema.relations[id];
        let tables = relations.iter().map(about).flat_map(|about| [about.parent.table, Some(about.child)]);
        Content { tables: tables.flatten().collect(), relations: relations.to_vec() }
    }
}

fn diagram(schema: &Schema, content: &Content, has_columns: bool) -> String {
    let missing = Missing::of(content.relations.iter().map(|&id| &schema.relations[id]));
    let mut lines = vec!["erDiagram".to_string()];
    if let Some(note) = note(schema, content, has_columns) {
        // Readers do not see a comment, so this is a box. No table and no missing parent has its alias.
        lines.push(format!("    m0[\"{note}\"]"));
    }
    for &id in &content.tables {
        entity(&mut lines, schema, id, has_columns);
    }
    for (id, name) in missing.all() {
        lines.push(format!("    {id}[\"{} (missing)\"]", label(name)));
    }
    let mut drawn = content.relations.clone();
    drawn.sort_unstable();
    for &relation in &drawn {
        lines.push(edge(schema, &missing, &schema.relations[relation]));
    }
    classes(&mut lines, schema, &drawn, &missing);
    lines.join("\n") + "\n"
}

/// Returns what a diagram leaves out.
fn note(schema: &Schema, content: &Content, has_columns: bool) -> Option<String> {
    let limit = "Mermaid draws at most 50,000 characters";
    let (all, number) = (schema.relations.len(), content.relations.len());
    match all - number {
        0 if has_columns => None,
        0 => Some(format!("no columns are drawn, because {limit}")),
        _ => {
            let all = plural(all as u64, "relation");
            let number = count(number as u64);
            Some(format!("{number} of {all} are drawn, those with errors or warnings, because {limit}"))
        }
    }
}

fn entity(lines: &mut Vec<String>, schema: &Schema, table_id: TableId, has_columns: bool) {
    let table = &schema.tables[table_id];
    let id = id(schema, table_id);
    let name = table.name.to_string();
    let head = if id == name { id } else { format!("{id}[\"{}\"]", label(&name)) };
    if table.columns.is_empty() || !has_columns {
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
    // Mermaid has two kinds of lines only, so the label of a discovered relation says how sure it is.
    let (is_solid, sureness) = match relation.origin {
        Origin::Declared | Origin::Configured => (Health::of(relation) != Health::Broken, ""),
        Origin::Discovered => (false, "certain: "),
        Origin::Likely => (false, "likely: "),
    };
    let line = if is_solid { "--" } else { ".." };
    let columns: Vec<&str> = schema.child_column_names(relation).collect();
    let columns = columns.join(", ");
    let text = match worst(relation) {
        Some(defect) => format!("{}: {columns}", defect.code.name()),
        None => format!("{sureness}{columns}"),
    };
    format!("    {parent} {parent_end}{line}o{{ {} : \"{}\"", id(schema, relation.child), label(&text))
}

fn classes(lines: &mut Vec<String>, schema: &Schema, drawn: &[RelationId], missing: &Missing) {
    let drawn = drawn.iter().map(|&id| &schema.relations[id]);
    let broken = drawn.filter(|relation| Health::of(relation) == Health::Broken);
    let children: BTreeSet<TableId> = broken.map(|relation| relation.child).collect();
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
    use crate::model::finding::Code;
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

    /// Returns a schema of this many tables, each with a relation to the first table.
    fn star(tables: usize, columns: &[&str]) -> Schema {
        let mut schema = sample::shop();
        let name = |number: usize| format!("table_with_a_name_{number}");
        schema.tables = (0..tables).map(|number| sample::table(&name(number), columns)).collect::<Vec<_>>().into();
        (1..tables).for_each(|child| sample::relate(&mut schema, child, &[1], &name(0), &["id"]));
        schema
    }

    #[test]
    fn schema_too_large_for_mermaid_is_drawn_without_columns_then_only_its_sick_part() {
        let columns = ["id", "parent_id", "a_column", "another_column", "a_third_column"];
        let edges = |drawn: &str| drawn.lines().filter(|line| line.contains("o{")).count();

        let small = render(&star(50, &columns));
        assert!(edges(&small) == 49 && small.contains("a_column") && !small.contains("m0"), "{small}");
        let medium = render(&star(400, &columns));
        assert!(edges(&medium) == 399 && !medium.contains("a_column"), "{medium}");
        assert!(medium.starts_with("erDiagram\n    m0[\"no columns are drawn, "), "{medium}");

        let mut schema = star(900, &columns);
        for relation in [7, 500] {
            sample::defect(&mut schema, relation, Code::ParentKeyNotUnique, "not unique", "make an index");
        }
        let large = render(&schema);
        assert!(large.contains("m0[\"2 of 899 relations are drawn, those with errors or warnings, "), "{large}");
        assert!(edges(&large) == 2 && large.contains("a_column"), "the sick part has room for columns: {large}");
        assert!(large.contains("table_with_a_name_8 {") && large.contains("table_with_a_name_501 {"), "{large}");

        (0..899).for_each(|relation| sample::defect(&mut schema, relation, Code::ParentKeyNotUnique, "", ""));
        let sickest = render(&schema);
        assert!(sickest.len() <= LONGEST && sickest.len() > LONGEST * 9 / 10, "{}", sickest.len());
        assert!(sickest.contains(&format!("m0[\"{} of 899 relations are drawn", edges(&sickest))), "{sickest}");
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
