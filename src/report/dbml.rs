//! The schema in DBML, the language of dbdiagram. All names are in quotation marks, so that none is a word of the language.
//!
//! DBML draws only relations between known columns, one for each pair of column sets. Any other relation is a comment.

use std::collections::BTreeSet;

use crate::model::catalog::Action;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::is_unseen;
use crate::model::text::visible;
use crate::report::picture::drawn_tables;
use crate::report::picture::worst;

pub(super) fn render(schema: &Schema) -> String {
    let mut lines = vec![
        format!("Project {} {{", quoted(&schema.database.name)),
        format!("  database_type: '{}'", schema.database.engine.facts().title),
        "}".to_owned(),
    ];
    for (id, table) in drawn_tables(schema) {
        let is_related = || {
            let touches = |relation: &Relation| relation.child == id || relation.parent.table == Some(id);
            schema.relations.iter().any(touches)
        };
        let has_rows = matches!(table.kind, TableKind::Table | TableKind::Partitioned);
        if has_rows || is_related() {
            lines.push(String::new());
            lines.extend(drawn_table(table));
        }
    }
    if !schema.relations.is_empty() {
        lines.push(String::new());
    }
    let mut drawn = BTreeSet::new();
    lines.extend(schema.relations.iter().map(|relation| reference(schema, relation, &mut drawn)));
    lines.join("\n") + "\n"
}

fn drawn_table(table: &Table) -> Vec<String> {
    if table.columns.iter().all(|column| column.name.is_empty()) {
        return vec![format!("// {} has no known columns", visible(&table.name.to_string()))];
    }
    let mut lines = vec![format!("Table {} {{", table_name(table))];
    for (position, column) in table.columns.iter().enumerate() {
        let mut settings = Vec::new();
        if table.primary_key == [position] {
            settings.push("pk");
        }
        if column.not_null {
            settings.push("not null");
        }
        let settings = if settings.is_empty() { String::new() } else { format!(" [{}]", settings.join(", ")) };
        let of = type_name(&column.declared_type);
        // The reader of DBML fails on an empty name.
        let comment = if column.name.is_empty() { "// " } else { "" };
        lines.push(format!("  {comment}{} {of}{settings}", quoted(&column.name)));
    }
    let indexes = indexes(table);
    if !indexes.is_empty() {
        lines.push("  indexes {".to_owned());
        lines.extend(indexes);
        lines.push("  }".to_owned());
    }
    lines.push("}".to_owned());
    lines
}

/// Returns the keys of several columns, and the other unique keys.
fn indexes(table: &Table) -> Vec<String> {
    let names = |columns: &[usize]| {
        let names: Vec<String> = columns.iter().map(|&column| quoted(&table.columns[column].name)).collect();
        format!("({})", names.join(", "))
    };
    let primary = (table.primary_key.len() > 1).then(|| format!("    {} [pk]", names(&table.primary_key)));
    let unique = table.indexes.iter().filter(|index| index.unique && !index.partial && !index.primary);
    let unique = unique.filter_map(|index| {
        let columns: Option<Vec<usize>> = index.columns.iter().map(|part| part.column).collect();
        Some(format!("    {} [unique]", names(&columns?)))
    });
    primary.into_iter().chain(unique).collect()
}

/// Returns the line of a relation. `drawn` has the pairs of column sets that have a line.
fn reference(schema: &Schema, relation: &Relation, drawn: &mut BTreeSet<[(TableId, Vec<usize>); 2]>) -> String {
    let comment = |why: &str| format!("// {}: {why}", visible(&relation.id));
    let Some(parent) = relation.parent.table else {
        return comment(worst(relation).map_or("its parent is missing", |defect| defect.code.name()));
    };
    let child_table = schema.child(relation);
    let parent_table = &schema.tables[parent];
    if relation.parent.columns.is_empty() || relation.parent.columns.len() != relation.child_columns.len() {
        return comment(worst(relation).map_or("its parent's columns are missing", |defect| defect.code.name()));
    }
    let of = |table: TableId, columns: &[usize]| {
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        (table, columns)
    };
    let mut sides = [of(relation.child, &relation.child_columns), of(parent, &relation.parent.columns)];
    sides.sort();
    if sides[0] == sides[1] {
        return comment("DBML has no relation of columns to themselves");
    }
    if !drawn.insert(sides) {
        return comment("DBML has one relation between the same columns");
    }
    let names = |table: &Table, columns: &[usize]| {
        let names: Vec<String> = columns.iter().map(|&column| quoted(&table.columns[column].name)).collect();
        match names.as_slice() {
            [name] => format!("{}.{name}", table_name(table)),
            names => format!("{}.({})", table_name(table), names.join(", ")),
        }
    };
    let is_unnamed =
        |table: &Table, columns: &[usize]| columns.iter().any(|&column| table.columns[column].name.is_empty());
    if is_unnamed(child_table, &relation.child_columns) || is_unnamed(parent_table, &relation.parent.columns) {
        return comment("DBML has no empty names");
    }
    let mark = if child_table.has_key(&relation.child_columns) { "-" } else { ">" };
    let origin = match relation.origin {
        Origin::Declared => "",
        Origin::Configured => " // configured",
        Origin::Discovered => " // discovered, certain",
        Origin::Likely => " // discovered, likely",
    };
    format!(
        "Ref: {} {mark} {}{}{origin}",
        names(child_table, &relation.child_columns),
        names(parent_table, &relation.parent.columns),
        actions(relation)
    )
}

fn actions(relation: &Relation) -> String {
    let action = |event: &str, action: Action| {
        (action != Action::NoAction).then(|| format!("{event}: {}", action.name().to_lowercase()))
    };
    let both = [action("delete", relation.on_delete), action("update", relation.on_update)];
    let both: Vec<String> = both.into_iter().flatten().collect();
    if both.is_empty() { String::new() } else { format!(" [{}]", both.join(", ")) }
}

fn table_name(table: &Table) -> String {
    match &table.name.schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(&table.name.table)),
        None => quoted(&table.name.table),
    }
}

/// Returns a type as it is if it is a word, such as `varchar(20)`.
fn type_name(of: &str) -> String {
    let (word, argument) = of.split_once('(').map_or((of, None), |(word, rest)| (word, rest.strip_suffix(')')));
    let is_word = word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let has_numbers = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (of.contains('('), argument) {
        (false, _) if is_word => of.to_owned(),
        (true, Some(argument)) if is_word && argument.split(',').all(|part| has_numbers(part.trim())) => of.to_owned(),
        _ if of.is_empty() => quoted("any"),
        _ => quoted(of),
    }
}

/// Returns a name in quotation marks. Escapes are those of JavaScript.
fn quoted(name: &str) -> String {
    let mut safe = String::from("\"");
    for character in name.chars() {
        match character {
            '"' | '\\' => safe.extend(['\\', character]),
            unseen if unseen != ' ' && is_unseen(unseen) => {
                let mut units = [0; 2];
                for unit in unseen.encode_utf16(&mut units) {
                    safe.push_str(&format!("\\u{unit:04x}"));
                }
            }
            other => safe.push(other),
        }
    }
    safe.push('"');
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Id;
    use crate::model::ids::RelationId;
    use crate::report::sample;

    #[test]
    fn relations_and_keys_are_written_and_a_missing_parent_is_a_comment() {
        let mut schema = sample::sick().schema;
        schema.relations[RelationId::from_index(0)].on_delete = Action::SetNull;
        sample::assert_snapshot("sick.dbml", &render(&schema));
    }

    #[test]
    fn pair_of_column_sets_is_drawn_once() {
        let mut schema = sample::shop();
        sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
        sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
        sample::relate(&mut schema, 0, &[0], "orders", &["customer_id"]);
        sample::relate(&mut schema, 0, &[0], "customers", &["id"]);
        let drawn = render(&schema);
        let lines: Vec<&str> = drawn.lines().filter(|line| line.starts_with("Ref") || line.starts_with("//")).collect();
        assert_eq!(lines.iter().filter(|line| line.starts_with("Ref: ")).count(), 1, "{lines:#?}");
        assert_eq!(lines.len(), 4, "{lines:#?}");
    }

    #[test]
    fn names_and_types_of_any_text_are_quoted() {
        assert_eq!(quoted("a\"b\\c\nd\u{200b}\u{e0001}"), "\"a\\\"b\\\\c\\u000ad\\u200b\\udb40\\udc01\"");
        let types = ["VARCHAR(20)", "decimal(10, 2)", "character varying(20)", "", "int[]", "enum('a')", "x("];
        let expected = [
            "VARCHAR(20)",
            "decimal(10, 2)",
            "\"character varying(20)\"",
            "\"any\"",
            "\"int[]\"",
            "\"enum('a')\"",
            "\"x(\"",
        ];
        assert_eq!(types.map(type_name), expected);
    }
}
