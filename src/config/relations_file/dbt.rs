//! Manifests of dbt, versions 9 to 12: the tests and constraints that say which column refers to which.
//!
//! A reference that only dbt can resolve, such as a variable, leaves its relation unresolved, with the text of the reference.

use std::ops::Range;

use serde_json::Map;
use serde_json::Value;

use super::RelationsFile;
use super::WrittenRelation;
use super::side;
use super::span_of;
use super::texts;
use crate::model::configured::ConfiguredRelation;
use crate::model::lake::TableFiles;
use crate::model::text::plural;

type Object = Map<String, Value>;

pub(super) fn read(manifest: &Object, text: &str) -> Result<RelationsFile, Vec<String>> {
    let manifest = Manifest { manifest };
    let mut found = RelationsFile::default();
    let mut faults = Vec::new();
    for (id, node) in manifest.entries("nodes") {
        let span = span_of(text, id);
        match kind(node) {
            "test" => match manifest.test(node, &span) {
                Ok(relation) => found.relations.extend(relation),
                Err(why) => faults.push(format!("{id}: {why}")),
            },
            "model" | "seed" | "snapshot" => {
                for relation in manifest.constraints(node, &span) {
                    match relation {
                        Ok(relation) => found.relations.push(relation),
                        Err(why) => faults.push(format!("{id}: {why}")),
                    }
                }
                found.tables.extend(files(node));
            }
            _ => {}
        }
    }
    for (_, source) in manifest.entries("sources") {
        found.tables.extend(files(source));
    }
    let disabled = manifest.entries("disabled").filter_map(|(_, nodes)| nodes.as_array());
    let disabled = disabled.flatten().filter(|node| relation_test(node).is_some()).count() as u64;
    if disabled > 0 {
        found.notes.push(format!("{} of dbt is disabled and not checked", plural(disabled, "relation")));
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// A kind of test that states a relation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RelationTest {
    /// dbt's own test.
    Relationships,
    /// `relationships_where` of the package `dbt_utils`.
    Where,
    /// `foreign_key` of the package `dbt_constraints`.
    ForeignKey,
}

fn relation_test(node: &Value) -> Option<RelationTest> {
    let metadata = node.get("test_metadata")?;
    let namespace = metadata.get("namespace").and_then(Value::as_str);
    match (namespace, metadata.get("name")?.as_str()?) {
        (None | Some("dbt"), "relationships") => Some(RelationTest::Relationships),
        (Some("dbt_utils"), "relationships_where") => Some(RelationTest::Where),
        (Some("dbt_constraints"), "foreign_key") => Some(RelationTest::ForeignKey),
        _ => None,
    }
}

fn kind(node: &Value) -> &str {
    node.get("resource_type").and_then(Value::as_str).unwrap_or_default()
}

/// A table as a schema and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TableAt {
    schema: Option<String>,
    name: String,
}

struct Manifest<'a> {
    manifest: &'a Object,
}

impl<'a> Manifest<'a> {
    fn entries(&self, part: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.manifest.get(part).and_then(Value::as_object).into_iter().flatten()
    }

    /// Returns the relation of a test; `None` if the test is about something else.
    fn test(&self, node: &Value, span: &Range<usize>) -> Result<Option<WrittenRelation>, String> {
        let Some(kind) = relation_test(node) else { return Ok(None) };
        let arguments = node.get("test_metadata").and_then(|metadata| metadata.get("kwargs"));
        let argument = |names: [&str; 2]| {
            let found = names.into_iter().find_map(|name| arguments.and_then(|arguments| arguments.get(name)));
            found.and_then(texts)
        };
        let column = || node.get("column_name").and_then(Value::as_str).map(|name| vec![name.to_owned()]);
        let (child_columns, parent_columns, to) = match kind {
            RelationTest::Relationships | RelationTest::Where => (
                argument(["column_name", "column_name"]).or_else(column),
                argument(["field", "field"]),
                argument(["to", "to"]),
            ),
            RelationTest::ForeignKey => (
                argument(["fk_column_names", "fk_column_name"]).or_else(column),
                argument(["pk_column_names", "pk_column_name"]),
                argument(["pk_table_name", "to"]),
            ),
        };
        let names = |columns: Vec<String>| columns.into_iter().map(column_name).collect::<Vec<String>>();
        let child_columns = names(child_columns.ok_or("the test names no column")?);
        let parent_columns = names(parent_columns.ok_or("the test names no column of the parent")?);
        let to = to.and_then(|to| to.into_iter().next()).ok_or("the test names no parent")?;
        let child = self.tested(node, &to).ok_or("the manifest does not have the model that is tested")?;
        let text_of = |name: &str| argument([name, name]).and_then(|texts| texts.into_iter().next());
        let settings = node.get("config");
        let setting = |name: &str| settings.and_then(|settings| settings.get(name)).and_then(Value::as_str);
        let conditions =
            [setting("where").map(str::to_owned), text_of("from_condition").filter(|_| kind == RelationTest::Where)];
        let condition = conditions.into_iter().flatten().reduce(|left, right| format!("({left}) AND ({right})"));
        let counted = text_of("to_condition")
            .filter(|_| kind == RelationTest::Where && !is_always_true(&text_of("to_condition")));
        let condition = condition.filter(|condition| !is_always_true(&Some(condition.clone())));
        let mut written = self.written(child, child_columns, &to, parent_columns, span)?;
        let spanned = |value: String| crate::model::configured::Spanned { value, span: span.clone() };
        written.relation.condition = condition.map(spanned);
        // A parent that does not meet the condition does not count.
        written.relation.soft_deleted = counted.map(|condition| spanned(format!("({condition}) IS NOT TRUE")));
        written.is_warning = setting("severity").is_some_and(|severity| severity.eq_ignore_ascii_case("warn"));
        Ok(Some(written))
    }

    /// Returns the table that a test is about: the node to which it is attached, or the only other one on which it depends.
    fn tested(&self, node: &Value, to: &str) -> Option<TableAt> {
        if let Some(attached) = node.get("attached_node").and_then(Value::as_str) {
            return self.table_of(attached);
        }
        let depends = node.get("depends_on").and_then(|depends| depends.get("nodes")).and_then(Value::as_array)?;
        let depends: Vec<TableAt> = depends.iter().filter_map(|id| self.table_of(id.as_str()?)).collect();
        let parent = self.resolved(to);
        match depends.as_slice() {
            [only] => Some(only.clone()),
            several => several.iter().rev().find(|table| Some(*table) != parent.as_ref()).cloned(),
        }
    }

    /// Returns the relations of a model's constraints.
    fn constraints(&self, node: &Value, span: &Range<usize>) -> Vec<Result<WrittenRelation, String>> {
        let Some(child) = table_at(node) else { return Vec::new() };
        let of = |holder: &Value| holder.get("constraints").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_key = |constraint: &Value| constraint.get("type").and_then(Value::as_str) == Some("foreign_key");
        let of_model = of(node).into_iter().map(|constraint| (constraint, None));
        let columns = node.get("columns").and_then(Value::as_object).into_iter().flatten();
        let of_columns = columns
            .flat_map(|(name, column)| of(column).into_iter().map(move |constraint| (constraint, Some(name.clone()))));
        of_model
            .chain(of_columns)
            .filter(|(constraint, _)| is_key(constraint))
            .map(|(constraint, column)| {
                let columns = column.map(|name| vec![name]).or_else(|| constraint.get("columns").and_then(texts));
                let columns = columns.filter(|columns| !columns.is_empty()).ok_or("a foreign key names no column")?;
                let to = constraint.get("to").and_then(Value::as_str).map(str::to_owned);
                let to_columns = constraint.get("to_columns").and_then(texts);
                let expression = constraint.get("expression").and_then(Value::as_str);
                let (to, to_columns) = match (to, to_columns.filter(|columns| !columns.is_empty())) {
                    (Some(to), Some(columns)) => (to, columns),
                    _ => expression.and_then(of_expression).ok_or_else(|| {
                        format!("the foreign key of {} names no columns of its parent", columns.join(", "))
                    })?,
                };
                self.written(child.clone(), columns, &to, to_columns, span)
            })
            .collect()
    }

    fn written(
        &self,
        child: TableAt,
        child_columns: Vec<String>,
        to: &str,
        parent_columns: Vec<String>,
        span: &Range<usize>,
    ) -> Result<WrittenRelation, String> {
        if child_columns.len() != parent_columns.len() {
            return Err(format!("{} columns refer to {}", child_columns.len(), parent_columns.len()));
        }
        let parent = self.resolved(to);
        let unresolved = parent.is_none().then(|| format!("only dbt can resolve the reference `{to}`"));
        let parent = parent.unwrap_or(TableAt { schema: None, name: to.to_owned() });
        Ok(WrittenRelation {
            relation: ConfiguredRelation {
                child: side(child.name, child_columns, span),
                parent: side(parent.name, parent_columns, span),
                condition: None,
                ignored: Vec::new(),
                soft_deleted: None,
                parent_may_be_missing: true,
            },
            schemas: [child.schema, parent.schema],
            unresolved,
            is_warning: false,
        })
    }

    fn table_of(&self, id: &str) -> Option<TableAt> {
        let entry = |part: &str| self.manifest.get(part).and_then(|part| part.get(id));
        entry("nodes").or_else(|| entry("sources")).and_then(table_at)
    }

    /// Returns the table of `ref('customers')`, `source('raw', 'customers')` or `"database"."schema"."customers"`.
    fn resolved(&self, to: &str) -> Option<TableAt> {
        let to = to.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
        let call = |name: &str| to.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')');
        let has = |node: &Value, name: &str, text: &str| node.get(name).and_then(Value::as_str) == Some(text);
        if let Some(arguments) = call("ref") {
            let names = quoted(arguments)?;
            let (package, name) = match names.as_slice() {
                [name] => (None, name),
                [package, name] => (Some(package.as_str()), name),
                _ => return None,
            };
            let is_meant = |node: &&Value| {
                matches!(kind(node), "model" | "seed" | "snapshot")
                    && has(node, "name", name)
                    && package.is_none_or(|package| has(node, "package_name", package))
            };
            let mut meant = self.entries("nodes").map(|(_, node)| node).filter(is_meant);
            return meant.next().filter(|_| meant.next().is_none()).and_then(table_at);
        }
        if let Some(arguments) = call("source") {
            let names = quoted(arguments)?;
            let [source, name] = names.as_slice() else { return None };
            let is_meant = |node: &&Value| has(node, "source_name", source) && has(node, "name", name);
            return self.entries("sources").map(|(_, node)| node).find(is_meant).and_then(table_at);
        }
        relation_name(to)
    }
}

/// Returns the schema and the name of a model or a source in the database.
fn table_at(node: &Value) -> Option<TableAt> {
    let field = |name: &str| node.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = field("alias").or_else(|| field("identifier")).or_else(|| field("name"))?;
    Some(TableAt { schema: field("schema").map(str::to_owned), name: name.to_owned() })
}

/// Returns the files of a model or a source that is stored outside of a database.
fn files(node: &Value) -> Option<TableFiles> {
    let at = |parts: &[&str]| parts.iter().try_fold(node, |value, part| value.get(part)).and_then(Value::as_str);
    let locations: [&[&str]; 5] = [
        &["config", "location"],
        &["config", "external_location"],
        &["config", "meta", "external_location"],
        &["meta", "external_location"],
        &["source_meta", "external_location"],
    ];
    // A call such as `read_csv('orders.csv')` is for the engine of the project only.
    let path = locations.into_iter().find_map(at).filter(|path| !path.contains('('))?;
    let table = table_at(node)?.name;
    let name = at(&["name"]).unwrap_or(&table);
    let path = path.replace("{name}", name).replace("{identifier}", at(&["identifier"]).unwrap_or(name));
    // Models without a location are found by their names.
    Some(TableFiles { is_additional: true, ..TableFiles::new(table, vec![path]) })
}

/// Returns the arguments of a call, if all are texts in quotation marks.
fn quoted(arguments: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = arguments.trim();
    loop {
        let quote = rest.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
        let mut text = String::new();
        let mut characters = rest.char_indices().skip(1);
        let end = loop {
            match characters.next()? {
                (_, '\\') => text.push(characters.next()?.1),
                (at, character) if character == quote => break at,
                (_, character) => text.push(character),
            }
        };
        found.push(text);
        rest = rest[end + 1..].trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty().then_some(found),
        }
    }
}

/// Returns a column's name without the quotation marks that dbt keeps around it.
fn column_name(text: String) -> String {
    let unquoted = |quote: char| {
        Some(text.strip_prefix(quote)?.strip_suffix(quote)?.replace(&quote.to_string().repeat(2), &quote.to_string()))
    };
    ['"', '`'].into_iter().find_map(unquoted).unwrap_or(text)
}

/// Returns the table of a name such as `"database"."schema"."customers"` or `schema.customers`.
fn relation_name(text: &str) -> Option<TableAt> {
    let unquoted = |part: &str| {
        let part = part.trim();
        let inner =
            ['"', '`'].into_iter().find_map(|quote| part.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(part);
        let is_name =
            !inner.is_empty() && inner.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == '$');
        is_name.then(|| inner.to_owned())
    };
    let mut parts: Vec<String> = text.split('.').map(unquoted).collect::<Option<_>>()?;
    let name = parts.pop()?;
    (parts.len() <= 2).then(|| TableAt { schema: parts.pop(), name })
}

/// Returns the table and the columns of `references schema.customers (id)`.
fn of_expression(expression: &str) -> Option<(String, Vec<String>)> {
    let text = expression.trim();
    let text = text.get(..11).filter(|word| word.eq_ignore_ascii_case("references ")).map_or(text, |_| &text[11..]);
    let (table, rest) = text.split_once('(')?;
    let (columns, after) = rest.split_once(')')?;
    let columns = columns.split(',').map(|column| column.trim().trim_matches(['"', '`']).to_owned()).collect();
    (after.trim().is_empty() || after.trim_start().to_ascii_lowercase().starts_with("on "))
        .then(|| (table.trim().to_owned(), columns))
}

/// True for the conditions that packages use if the user gave none.
fn is_always_true(condition: &Option<String>) -> bool {
    condition.as_ref().is_some_and(|condition| matches!(condition.trim(), "1=1" | "1 = 1" | "true"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parse;
    use super::*;

    fn model(name: &str) -> Value {
        json!({"resource_type": "model", "name": name, "alias": format!("{name}_v1"), "schema": "shop", "package_name": "p"})
    }

    fn test(name: &str, namespace: Option<&str>, kwargs: Value, config: Value) -> Value {
        json!({
            "resource_type": "test", "attached_node": "model.p.orders", "config": config,
            "test_metadata": {"name": name, "namespace": namespace, "kwargs": kwargs}
        })
    }

    fn read_tests(tests: Vec<Value>) -> Result<RelationsFile, Vec<String>> {
        let mut nodes = Map::new();
        nodes.insert("model.p.orders".to_owned(), model("orders"));
        nodes.insert("model.p.customers".to_owned(), model("customers"));
        tests.into_iter().enumerate().for_each(|(number, test)| {
            nodes.insert(format!("test.p.{number}"), test);
        });
        let raw = json!({"source_name": "raw", "name": "people", "identifier": "PEOPLE", "schema": "raw"});
        let off = test("relationships", None, json!({}), json!({"enabled": false}));
        let manifest = json!({
            "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"},
            "nodes": nodes, "sources": {"source.p.raw.people": raw}, "disabled": {"test.p.off": [off]}
        });
        parse(&manifest.to_string(), &|path| Err(path.to_owned()))
    }

    fn shown(written: &WrittenRelation) -> String {
        let side = |side: &crate::model::configured::SideName, schema: &Option<String>| {
            format!("{}.{}({})", schema.as_deref().unwrap_or("?"), side.table, side.columns.join(","))
        };
        let relation = &written.relation;
        format!(
            "{}->{}",
            side(&relation.child.value, &written.schemas[0]),
            side(&relation.parent.value, &written.schemas[1])
        )
    }

    #[test]
    fn tests_of_all_packages_are_relations() {
        let found = read_tests(vec![
            test("relationships", None, json!({"column_name": "c", "to": "ref('customers')", "field": "id"}), json!({"severity": "WARN", "where": "c > 0"})),
            test(
                "relationships_where",
                Some("dbt_utils"),
                json!({"column_name": "c", "to": "source('raw', 'people')", "field": "id", "from_condition": "c <> 1", "to_condition": "live"}),
                json!({}),
            ),
            test(
                "foreign_key",
                Some("dbt_constraints"),
                json!({"fk_column_names": ["a", "b"], "pk_table_name": "ref('p', 'customers')", "pk_column_names": ["x", "y"]}),
                json!({}),
            ),
            test("unique", None, json!({"column_name": "c"}), json!({})),
        ])
        .unwrap();
        let relations: Vec<String> = found.relations.iter().map(shown).collect();
        assert_eq!(
            relations,
            [
                "shop.orders_v1(c)->shop.customers_v1(id)",
                "shop.orders_v1(c)->raw.PEOPLE(id)",
                "shop.orders_v1(a,b)->shop.customers_v1(x,y)",
            ]
        );
        let condition = |number: usize| found.relations[number].relation.condition.as_ref().map(|at| at.value.as_str());
        assert_eq!((condition(0), condition(1), condition(2)), (Some("c > 0"), Some("c <> 1"), None));
        let deleted = found.relations[1].relation.soft_deleted.as_ref().map(|at| at.value.as_str());
        assert_eq!(deleted, Some("(live) IS NOT TRUE"));
        assert_eq!(found.relations.iter().map(|written| written.is_warning).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(found.notes, ["1 relation of dbt is disabled and not checked"]);
    }

    #[test]
    fn constraints_of_models_and_columns_are_relations() {
        let constrained = json!({
            "resource_type": "model", "name": "lines", "alias": "lines", "schema": "shop",
            "constraints": [{"type": "foreign_key", "columns": ["a", "b"], "expression": "references shop.customers (x, y)"},
                {"type": "primary_key", "columns": ["a"]}],
            "columns": {"c": {"constraints": [{"type": "foreign_key", "to": "\"db\".\"shop\".\"orders_v1\"", "to_columns": ["id"]}]}}
        });
        let found = read_tests(vec![constrained]).unwrap();
        let relations: Vec<String> = found.relations.iter().map(shown).collect();
        assert_eq!(relations, ["shop.lines(a,b)->shop.customers(x,y)", "shop.lines(c)->shop.orders_v1(id)"]);
    }

    #[test]
    fn reference_that_only_dbt_can_resolve_is_kept_with_its_text() {
        for to in ["var('parent')", "ref(var('parent'))", "ref('nobody')", "source('raw', 'nothing')"] {
            let kwargs = json!({"column_name": "c", "to": to, "field": "id"});
            let found = read_tests(vec![test("relationships", None, kwargs, json!({}))]).unwrap();
            let unresolved = found.relations[0].unresolved.as_deref();
            assert_eq!(unresolved, Some(format!("only dbt can resolve the reference `{to}`").as_str()));
        }
    }

    #[test]
    fn files_of_external_tables_are_known() {
        let path = |node: Value| files(&node).map(|files| format!("{}={}", files.name, files.paths.concat()));
        let cases = [
            (json!({"name": "a", "alias": "b", "config": {"location": "out/b.parquet"}}), Some("b=out/b.parquet")),
            (json!({"name": "a", "meta": {"external_location": "raw/{name}.csv"}}), Some("a=raw/a.csv")),
            (
                json!({"name": "a", "identifier": "A1", "source_meta": {"external_location": "raw/{identifier}.csv"}}),
                Some("A1=raw/A1.csv"),
            ),
            (json!({"name": "a", "config": {"meta": {"external_location": "read_csv('a.csv')"}}}), None),
            (json!({"name": "a"}), None),
        ];
        for (node, expected) in cases {
            assert_eq!(path(node).as_deref(), expected);
        }
    }

    #[test]
    fn names_in_quotation_marks_are_read() {
        assert_eq!(quoted(r#" 'a\'b' , "c, d" "#), Some(vec!["a'b".to_owned(), "c, d".to_owned()]));
        for wrong in ["", "a", "'a", "'a' 'b'", "'a',", "var('a')"] {
            assert_eq!(quoted(wrong), None, "{wrong}");
        }
        let kwargs = json!({"column_name": "\"my \"\"col\"", "to": "ref('customers')", "field": "`id`"});
        let found = read_tests(vec![test("relationships", None, kwargs, json!({}))]).unwrap();
        assert_eq!(shown(&found.relations[0]), "shop.orders_v1(my \"col)->shop.customers_v1(id)");
    }

    #[test]
    fn all_faults_are_reported_with_their_test() {
        let no_parent = test("relationships", None, json!({"column_name": "c", "field": "id"}), json!({}));
        let widths =
            json!({"fk_column_names": ["a", "b"], "pk_table_name": "ref('customers')", "pk_column_names": ["x"]});
        let found = read_tests(vec![no_parent, test("foreign_key", Some("dbt_constraints"), widths, json!({}))]);
        assert_eq!(found.unwrap_err(), ["test.p.0: the test names no parent", "test.p.1: 2 columns refer to 1"]);
    }
}
