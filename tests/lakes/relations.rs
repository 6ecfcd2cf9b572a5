//! Relations that dbt and Frictionless have already, on a database and on files.

use serde_json::Value;
use serde_json::json;

use super::make::counts;
use super::make::scan;
use crate::common::Bench;

const SHOP: &str = "CREATE TABLE customers(id INTEGER, live INTEGER); CREATE TABLE orders(id INTEGER, customer_id INTEGER); \
    INSERT INTO customers VALUES (1, 1), (2, 0); INSERT INTO orders VALUES (10, 1), (11, 2), (12, 9);";

/// Returns a manifest with these tests of the model `orders`.
fn manifest(tests: &[Value]) -> String {
    let model = |name: &str| json!({"resource_type": "model", "name": name, "alias": name, "schema": "main", "package_name": "shop"});
    let mut nodes = json!({"model.shop.orders": model("orders"), "model.shop.customers": model("customers")});
    for (number, test) in tests.iter().enumerate() {
        nodes[format!("test.shop.{number}")] = test.clone();
    }
    let metadata = json!({"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"});
    serde_json::to_string_pretty(&json!({"metadata": metadata, "nodes": nodes, "sources": {}, "disabled": {}})).unwrap()
}

fn relationships(to: &str, config: Value) -> Value {
    json!({
        "resource_type": "test", "attached_node": "model.shop.orders", "config": config,
        "test_metadata": {"name": "relationships", "kwargs": {"column_name": "customer_id", "to": to, "field": "id"}}
    })
}

/// Scans `app.db` with the relations of a manifest.
fn scanned(tests: &[Value]) -> (i32, Value, Bench) {
    let bench = Bench::new(SHOP);
    bench.write("manifest.json", &manifest(tests));
    let run = bench.run(&["scan", "app.db", "--relations", "manifest.json", "--format", "json"]);
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    (run.code, report, bench)
}

#[test]
fn test_of_dbt_is_a_relation_of_any_database() {
    let (code, report, _) = scanned(&[relationships("ref('customers')", json!({}))]);
    assert_eq!((code, counts(&report)), (1, [3, 0, 1, 1]), "{report:#}");
    assert_eq!(report["relations"][0]["id"], "orders(customer_id)->customers(id)");
    assert_eq!(report["relations"][0]["origin"], "configured");
}

#[test]
fn severity_and_condition_of_dbt_hold() {
    let (code, report, _) =
        scanned(&[relationships("ref('customers')", json!({"severity": "warn", "where": "id > 10"}))]);
    assert_eq!((code, counts(&report)), (0, [2, 0, 1, 1]), "{report:#}");
    assert_eq!(report["findings"][0]["severity"], "warning");
}

#[test]
fn condition_of_another_engine_leaves_its_relation_unchecked() {
    let tests = [
        relationships("ref('customers')", json!({"where": "id::int > 10"})),
        relationships("ref('customers')", json!({"where": "id = 12"})),
    ];
    let (code, report, _) = scanned(&tests);
    assert_eq!(code, 4);
    let states: Vec<&Value> =
        report["relations"].as_array().unwrap().iter().map(|relation| &relation["coverage"]).collect();
    assert_eq!(states, ["unchecked", "checked"], "{report:#}");
    assert!(report["relations"][0]["reason"].as_str().unwrap().contains("refuses its condition"));
}

#[test]
fn reference_that_nobody_can_resolve_is_unchecked() {
    for (to, expected) in [("var('parent')", "only dbt can resolve"), ("\"main\".\"nobody\"", "no such table")] {
        let (code, report, _) = scanned(&[relationships(to, json!({}))]);
        let reason = report["relations"][0]["reason"].as_str().unwrap_or_default();
        assert!(code == 4 && reason.contains(expected), "{code}: {reason}");
    }
}

#[test]
fn reports_point_to_the_line_of_the_manifest() {
    let (_, _, bench) = scanned(&[relationships("ref('customers')", json!({}))]);
    let run = bench.run(&["scan", "app.db", "--relations", "manifest.json", "--format", "github"]);
    let text = std::fs::read_to_string(bench.path("manifest.json")).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("\"test.shop.0\"")).unwrap();
    assert!(run.stdout.contains(&format!("file=manifest.json,line={line}")), "{}", run.stdout);
}

#[test]
fn faults_of_a_manifest_come_all_at_once() {
    let bench = Bench::new(SHOP);
    bench.write("manifest.json", &manifest(&[json!({
        "resource_type": "test", "attached_node": "model.shop.orders",
        "test_metadata": {"name": "relationships", "kwargs": {"column_name": "nothing", "to": "ref('customers')", "field": "none"}}
    })]));
    let run = bench.run(&["scan", "app.db", "--relations", "manifest.json"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("orders has no column nothing") && run.stderr.contains("customers has no column none"),
        "{}",
        run.stderr
    );
    bench.write("other.json", "{}");
    let run = bench.run(&["scan", "app.db", "--relations", "other.json"]);
    assert!(run.code == 2 && run.stderr.contains("neither a manifest of dbt"), "{}", run.stderr);
}

#[test]
fn configuration_names_files_of_relations_from_its_folder() {
    let bench = Bench::new(SHOP);
    std::fs::create_dir(bench.path("target")).unwrap();
    bench.write("target/manifest.json", &manifest(&[relationships("ref('customers')", json!({}))]));
    bench.write("fk-doctor.toml", "[scan]\nrelations = [\"target/manifest.json\"]\n");
    assert_eq!(counts(&bench.scan().1), [3, 0, 1, 1]);
}

#[test]
fn data_package_of_a_folder_gives_its_tables_and_relations() {
    let bench = Bench::empty();
    std::fs::create_dir(bench.path("lake")).unwrap();
    bench.write("lake/people-1.csv", "id;name\n1;a\n");
    bench.write("lake/people-2.csv", "id;name\n2;b\n");
    bench.write("lake/visits.csv", "who,boss\n1,2\n9,NA\n");
    let package = json!({"resources": [
        {"name": "people", "path": ["people-1.csv", "people-2.csv"], "dialect": {"delimiter": ";"},
            "schema": {"primaryKey": "id"}},
        {"name": "visits", "path": "visits.csv", "schema": {"missingValues": ["NA"], "foreignKeys": [
            {"fields": "who", "reference": {"resource": "people", "fields": "id"}},
            {"fields": ["boss"], "reference": {"resource": "people", "fields": ["id"]}}]}}
    ]});
    bench.write("lake/datapackage.json", &package.to_string());
    let (code, report) = scan(&bench, &[]);
    assert_eq!(code, 1, "{report:#}");
    let orphans: Vec<(&Value, &Value)> = report["relations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|relation| (&relation["orphan_rows"], &relation["coverage"]))
        .collect();
    assert_eq!(json!(orphans), json!([[1, "checked"], [0, "checked"]]), "{report:#}");
}
