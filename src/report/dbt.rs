//! The relations as tests of dbt, for a file in the folder `models` of a project.
//!
//! Tables of a database are sources of dbt. dbt makes the names of tests from theirs, and refuses names with other characters
//! than letters, digits and `_`: such a table gets another name, and its own as identifier.
//!
//! dbt's own test compares one column, without a condition on the parent. A relation that needs more is a comment, with the
//! test of the package `dbt_constraints` if that can check it. So the file needs no package.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::catalog::Table;
use crate::model::facts::Facts;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::is_unseen;
use crate::model::text::visible;
use crate::report::picture::worst;

/// Words that YAML does not read as text.
const RESERVED: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

pub(super) fn render(schema: &Schema) -> String {
    let mut lines = vec![
        format!(
            "# The relations of {}, for a file in the folder models of a dbt project.",
            visible(&schema.database.name)
        ),
        "# dbt reads `arguments` from version 1.10.5 on; for an older one, leave this level out.".to_owned(),
        "version: 2".to_owned(),
        String::new(),
    ];
    let names = Names::new(schema);
    let mut sources: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, table) in schema.tables.entries() {
        let is_parent = || schema.relations.iter().any(|relation| relation.parent.table == Some(id));
        let is_child = || schema.relations.iter().any(|relation| relation.child == id);
        if (is_child() || is_parent()) && !is_template(&table.name.to_string()) {
            sources.entry(schema_of(schema, table)).or_default().extend(table_lines(schema, &names, id));
        }
    }
    if sources.is_empty() {
        lines.push("sources: []".to_owned());
        return lines.join("\n") + "\n";
    }
    lines.push("sources:".to_owned());
    for (name, tables) in sources {
        lines.push(format!("  - name: {}", scalar(&word(name))));
        if word(name) != name {
            lines.push(format!("    schema: {}", scalar(name)));
        }
        lines.push("    tables:".to_owned());
        lines.extend(tables);
    }
    lines.join("\n") + "\n"
}

/// Returns the schema of a table.
fn schema_of<'a>(schema: &'a Schema, table: &'a Table) -> &'a str {
    table.name.schema.as_deref().or(schema.database.default_schema.as_deref()).unwrap_or("main")
}

/// The names that the tables have in dbt.
struct Names(BTreeMap<TableId, String>);

impl Names {
    fn new(schema: &Schema) -> Names {
        let mut names = BTreeMap::new();
        let mut taken = BTreeSet::new();
        // A name that dbt accepts stays as it is.
        let is_plain = |name: &str| word(name) == name;
        for plain in [true, false] {
            for (id, table) in schema.tables.entries().filter(|(_, table)| is_plain(&table.name.table) == plain) {
                let first = word(&table.name.table);
                let numbered = (2..).map(|number| format!("{first}_{number}"));
                let mut free = std::iter::once(first.clone()).chain(numbered);
                let source = schema_of(schema, table).to_owned();
                let name = free.find(|name| taken.insert((source.clone(), name.clone()))).unwrap_or(first.clone());
                names.insert(id, name);
            }
        }
        Names(names)
    }

    fn of(&self, table: TableId) -> &str {
        self.0.get(&table).map_or("", String::as_str)
    }
}

/// Returns a name with `_` for each character that dbt does not accept in names.
fn word(name: &str) -> String {
    let word = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' });
    if name.is_empty() { "_".to_owned() } else { word.collect() }
}

fn table_lines(schema: &Schema, names: &Names, id: TableId) -> Vec<String> {
    let (table, alias) = (&schema.tables[id], names.of(id));
    let mut lines = vec![format!("      - name: {}", scalar(alias))];
    if alias != table.name.table {
        lines.push(format!("        identifier: {}", scalar(&table.name.table)));
    }
    let mut tests: BTreeMap<usize, Vec<PlainTest>> = BTreeMap::new();
    for relation in schema.relations.iter().filter(|relation| relation.child == id) {
        match PlainTest::of(schema, names, relation) {
            Ok(test) => {
                let of_column = tests.entry(relation.child_columns[0]).or_default();
                if !of_column.contains(&test) {
                    of_column.push(test);
                }
            }
            Err(comment) => lines.extend(comment.into_iter().map(|line| format!("        # {line}"))),
        }
    }
    if !tests.is_empty() {
        lines.push("        columns:".to_owned());
    }
    let facts = schema.database.engine.facts();
    for (column, tests) in tests {
        let name = &table.columns[column].name;
        lines.push(format!("          - name: {}", scalar(name)));
        if is_quoted(facts, name) {
            lines.push("            quote: true".to_owned());
        }
        lines.push("            data_tests:".to_owned());
        for (number, test) in tests.iter().enumerate() {
            // dbt names a test by its arguments, which a condition is none of.
            let is_alike = |other: &&PlainTest| (&other.to, &other.field) == (&test.to, &test.field);
            let name = tests[..number].iter().any(|other| is_alike(&other));
            let name = name.then(|| format!("{alias}_{}_{}", word(&table.columns[column].name), number + 1));
            lines.extend(test.lines(name.as_deref()));
        }
    }
    lines
}

/// A relation that dbt's own test checks.
#[derive(PartialEq, Eq)]
struct PlainTest {
    to: String,
    field: String,
    condition: Option<String>,
    origin: Origin,
}

impl PlainTest {
    /// Returns the test, or the lines of a comment about the relation.
    fn of(schema: &Schema, names: &Names, relation: &Relation) -> Result<PlainTest, Vec<String>> {
        let id = visible(&relation.id).into_owned();
        let why = |why: &str| Err(vec![format!("{id}: {why}")]);
        let Some(parent_id) = relation.parent.table.filter(|_| !relation.parent.columns.is_empty()) else {
            return why(worst(relation).map_or("its parent is missing", |defect| defect.code.name()));
        };
        let parent = &schema.tables[parent_id];
        let texts = relation.child_columns.iter().map(|&column| &schema.child(relation).columns[column].name);
        let texts = texts.chain(relation.parent.columns.iter().map(|&column| &parent.columns[column].name));
        if texts.clone().any(|name| is_template(name) || name.is_empty()) || is_template(&parent.name.to_string()) {
            return why("dbt cannot read its names");
        }
        let scope = &relation.scope;
        if scope.soft_deleted.is_some() || !scope.ignored.is_empty() || scope.partial.is_some() {
            return why("dbt's own test has no soft-deleted parents and no ignored values");
        }
        let to = format!("source({}, {})", literal(&word(schema_of(schema, parent))), literal(names.of(parent_id)));
        let condition = scope.condition.as_deref().map(without_alias);
        if condition.as_deref().is_some_and(is_template) {
            return why("dbt cannot read its condition");
        }
        let facts = schema.database.engine.facts();
        match (relation.child_columns.as_slice(), relation.parent.columns.as_slice()) {
            ([_], [field]) => {
                let field = facts.readable(&parent.columns[*field].name);
                Ok(PlainTest { to, field, condition, origin: relation.origin })
            }
            _ => Err(composite(schema, relation, &to, condition.as_deref())),
        }
    }

    fn lines(&self, name: Option<&str>) -> Vec<String> {
        let origin = match self.origin {
            Origin::Declared | Origin::Configured => "",
            Origin::Discovered => " # discovered, certain",
            Origin::Likely => " # discovered, likely",
        };
        let mut lines = vec![format!("              - relationships:{origin}")];
        lines.extend(name.map(|name| format!("                  name: {}", scalar(name))));
        lines.push("                  arguments:".to_owned());
        lines.push(format!("                    to: {}", expression(&self.to)));
        lines.push(format!("                    field: {}", scalar(&self.field)));
        if let Some(condition) = &self.condition {
            lines.push("                  config:".to_owned());
            lines.push(format!("                    where: {}", double_quoted(condition)));
        }
        lines
    }
}

/// Returns a comment with the test of `dbt_constraints` for a key of several columns.
fn composite(schema: &Schema, relation: &Relation, to: &str, condition: Option<&str>) -> Vec<String> {
    let facts = schema.database.engine.facts();
    let list = |names: Vec<&str>| {
        let names: Vec<String> = names.into_iter().map(|name| scalar(&facts.readable(name))).collect();
        format!("[{}]", names.join(", "))
    };
    let mut lines = vec![
        format!("{}: dbt's own test has one column. With the package dbt_constraints:", visible(&relation.id)),
        "data_tests:".to_owned(),
        "  - dbt_constraints.foreign_key:".to_owned(),
        "      arguments:".to_owned(),
        format!("        fk_column_names: {}", list(schema.child_column_names(relation).collect())),
        format!("        pk_table_name: {}", expression(to)),
        format!(
            "        pk_column_names: {}",
            list(schema.parent_columns(relation).map(|column| column.name.as_str()).collect())
        ),
    ];
    if let Some(condition) = condition {
        lines.push("      config:".to_owned());
        lines.push(format!("        where: {}", double_quoted(condition)));
    }
    lines
}

fn is_quoted(facts: &Facts, name: &str) -> bool {
    facts.readable(name) != name
}

/// True for a text in which dbt would find a template.
fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// Returns a condition without the alias `child.`, because dbt selects from the child alone.
fn without_alias(condition: &str) -> String {
    let mut text = String::new();
    let mut rest = condition;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = match first {
            '\'' | '"' | '`' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            _ if is_name(first) => rest.find(|c: char| !is_name(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        if word.eq_ignore_ascii_case("child") && after.starts_with('.') && !text.ends_with('.') {
            rest = &after[1..];
            continue;
        }
        text.push_str(word);
        rest = after;
    }
    text
}

/// Returns a text in the quotation marks of an expression of dbt.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Returns an expression of dbt as a value of YAML.
fn expression(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_(', )".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { double_quoted(text) }
}

/// Returns a name as a value of YAML.
fn scalar(name: &str) -> String {
    let is_word = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_reserved = RESERVED.iter().any(|word| name.eq_ignore_ascii_case(word));
    if is_word && !is_reserved { name.to_owned() } else { double_quoted(name) }
}

fn double_quoted(text: &str) -> String {
    let mut safe = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => safe.extend(['\\', character]),
            ' ' => safe.push(' '),
            unseen if is_unseen(unseen) => safe.push_str(&format!("\\U{:08x}", u32::from(unseen))),
            other => safe.push(other),
        }
    }
    safe.push('"');
    safe
}

#[cfg(test)]
mod tests {
    use saphyr::LoadableYamlNode;
    use saphyr::Yaml;

    use super::*;
    use crate::model::ids::Id;
    use crate::model::ids::RelationId;
    use crate::report::sample;

    fn first_source<'a>(documents: &'a [Yaml<'a>]) -> &'a Yaml<'a> {
        &documents[0]["sources"][0]
    }

    #[test]
    fn relations_are_tests_and_those_of_several_columns_are_comments() {
        let mut schema = sample::sick().schema;
        let scope = &mut schema.relations[RelationId::from_index(3)].scope;
        scope.condition = Some("child.kind = 'child.x' AND \"child\".n > 1".to_owned());
        let written = render(&schema);
        sample::assert_snapshot("sick.dbt.yml", &written);
        let documents = Yaml::load_from_str(&written).unwrap();
        let tables = first_source(&documents)["tables"].as_vec().unwrap();
        let test = &tables[1]["columns"][0]["data_tests"][0]["relationships"];
        assert_eq!(tables[1]["columns"][0]["name"].as_str(), Some("customer_id"));
        assert_eq!(test["arguments"]["to"].as_str(), Some("source('main', 'customers')"));
        assert_eq!(test["arguments"]["field"].as_str(), Some("id"));
    }

    #[test]
    fn name_of_any_text_is_read_again_as_it_is() {
        for name in
            ["yes", "a b", "é", "x: y", "- z", "a\"b\\c", "line\nbreak", "tab\t\u{200b}", "'", "#", "1", "~", "a#b"]
        {
            let mut schema = sample::shop();
            schema.tables[TableId::from_index(0)].name.table = name.to_owned();
            schema.tables[TableId::from_index(1)].columns[1].name = name.to_owned();
            sample::relate(&mut schema, 1, &[1], name, &["id"]);
            let written = render(&schema);
            let documents = Yaml::load_from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
            let tables = first_source(&documents)["tables"].as_vec().unwrap();
            let identifier = tables[0].as_mapping_get("identifier").unwrap_or(&tables[0]["name"]);
            assert_eq!(identifier.as_str(), Some(name), "{written}");
            assert_eq!(tables[1]["columns"][0]["name"].as_str(), Some(name), "{written}");
            let to = tables[1]["columns"][0]["data_tests"][0]["relationships"]["arguments"]["to"].as_str().unwrap();
            assert_eq!(to, format!("source('main', '{}')", word(name)));
        }
    }

    #[test]
    fn table_whose_name_dbt_refuses_gets_another_that_is_free() {
        let mut schema = sample::shop();
        schema.tables[TableId::from_index(0)].name.table = "a b".to_owned();
        schema.tables[TableId::from_index(1)].name.table = "a_b".to_owned();
        sample::relate(&mut schema, 1, &[1], "a b", &["id"]);
        let written = render(&schema);
        assert!(written.contains("      - name: a_b_2\n        identifier: \"a b\"\n"), "{written}");
        assert!(written.contains("to: source('main', 'a_b_2')"), "{written}");
        assert!(written.contains("      - name: a_b\n        columns:"), "{written}");
    }

    #[test]
    fn tests_that_differ_in_their_condition_have_names() {
        let mut schema = sample::shop();
        for condition in ["a = 1", "a = 2"] {
            sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
            let last = RelationId::from_index(schema.relations.len() - 1);
            schema.relations[last].scope.condition = Some(condition.to_owned());
        }
        let written = render(&schema);
        assert!(written.contains("name: orders_customer_id_2"), "{written}");
        assert_eq!(written.matches("where: ").count(), 2, "{written}");
    }

    #[test]
    fn names_that_dbt_takes_for_templates_are_comments() {
        let mut schema = sample::shop();
        schema.tables[TableId::from_index(1)].columns[1].name = "{{ x }}".to_owned();
        sample::relate(&mut schema, 1, &[1], "customers", &["id"]);
        let written = render(&schema);
        assert!(written.contains("# orders({{ x }})->customers(id): dbt cannot read its names"), "{written}");
    }

    #[test]
    fn alias_of_the_child_is_left_out_and_texts_are_kept() {
        let cases = [
            ("child.a > 1 AND Child.b = 'child.c'", "a > 1 AND b = 'child.c'"),
            ("grandchild.a = s.child.b", "grandchild.a = s.child.b"),
            ("child.\"child.x\" = 1", "\"child.x\" = 1"),
        ];
        for (condition, expected) in cases {
            assert_eq!(without_alias(condition), expected);
        }
    }
}
