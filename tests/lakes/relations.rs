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
    let (code, report, _) = scanned(&[relationships("var('parent')", json!({}))]);
    let reason = report["relations"][0]["reason"].as_str().unwrap_or_default();
    assert!(code == 4 && reason.contains("only dbt can resolve"), "{code}: {reason}");
}

#[test]
fn missing_parent_table_is_a_defect_of_its_relation() {
    let tests = [
        relationships("\"main\".\"nobody\"", json!({"where": "id > 10"})),
        relationships("ref('customers')", json!({})),
    ];
    let (code, report, bench) = scanned(&tests);
    assert_eq!(code, 1, "{report:#}");
    let finding = |code: &str| {
        let mut findings = report["findings"].as_array().unwrap().iter();
        findings.find(|finding| finding["code"] == code && finding["relation"] == "orders(customer_id)->nobody(id)")
    };
    assert_eq!(finding("orphan").unwrap()["rows"], 2, "{report:#}");
    let help = finding("parent-table-missing").unwrap()["help"].as_str().unwrap();
    assert_eq!(
        help,
        "create or restore nobody, or correct the relation where it is configured; do not delete its rows"
    );
    assert_eq!(report["relations"][1]["coverage"], "checked");
    std::fs::create_dir(bench.path("lake")).unwrap();
    bench.write("lake/orders.csv", "id,customer_id\n10,1\n11,\n");
    let run = bench.run(&["scan", "lake", "--relations", "manifest.json", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let found: Vec<(&Value, &Value)> = report["relations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|relation| (&relation["coverage"], &relation["orphan_rows"]))
        .collect();
    assert_eq!((run.code, json!(found)), (1, json!([["checked", 0], ["checked", 1]])), "{report:#}");
}

#[test]
fn relation_to_a_virtual_table_is_unchecked_and_the_others_are_scanned() {
    let bench = Bench::new(&format!("{SHOP} CREATE VIRTUAL TABLE notes USING fts5(id);"));
    bench.write(
        "fk-doctor.toml",
        "[[relation]]\nchild = \"orders(id)\"\nparent = \"notes(id)\"\n\
         [[relation]]\nchild = \"orders(customer_id)\"\nparent = \"customers(id)\"\n",
    );
    let (code, report) = bench.scan();
    let relation = &report["relations"][0];
    assert_eq!((code, &relation["coverage"]), (4, &json!("unchecked")), "{report:#}");
    assert!(relation["reason"].as_str().unwrap().starts_with("notes cannot be read: "), "{report:#}");
    assert_eq!(report["relations"][1]["orphan_rows"], 1, "{report:#}");
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

/// The manifest that dbt 1.11 made of a project with two parts: a shop, and tables with composite keys in a contract.
#[test]
fn manifest_that_dbt_made_gives_its_relations() {
    let bench = Bench::empty();
    std::fs::create_dir(bench.path("lake")).unwrap();
    for (table, rows) in [
        ("customers", "customer_id,name\n1,Ann\n2,Bob\n3,Cy\n"),
        ("orders", "order_id,customer_id,status\n10,1,placed\n11,2,shipped\n12,9,placed\n13,,placed\n14,8,test\n"),
        ("payments", "payment_id,order_id,amount\n100,10,5\n101,77,6\n"),
        ("generators", "plant_id_eia,generator_id,report_year\n1,a,2024\n1,a,2025\n2,b,2025\n"),
        ("generation", "plant_id_eia,generator_id,report_year,net_mwh\n1,a,2024,5\n1,b,2024,6\n2,b,2025,\n,b,2025,7\n"),
    ] {
        bench.write(&format!("lake/{table}.csv"), rows);
    }
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dbt/manifest.json");
    let (code, report) = scan(&bench, &["--relations", manifest.to_str().unwrap()]);
    let found: Vec<Value> = report["relations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|relation| json!([relation["id"], relation["rows"], relation["null_rows"], relation["orphan_rows"]]))
        .collect();
    let expected = json!([
        [
            "generation(plant_id_eia,generator_id,report_year)->generators(plant_id_eia,generator_id,report_year)",
            4,
            1,
            1
        ],
        ["payments(order_id)->orders(order_id)", 2, 0, 1],
        ["orders(customer_id)->customers(customer_id)", 4, 1, 1],
    ]);
    assert_eq!((code, json!(found)), (1, expected), "{report:#}");
    let severities: Vec<(&Value, &Value)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (&finding["relation"], &finding["severity"]))
        .collect();
    assert!(severities.contains(&(&json!("payments(order_id)->orders(order_id)"), &json!("warning"))), "{report:#}");
    let note = bench.run(&["scan", "lake", "--relations", manifest.to_str().unwrap()]).stderr;
    assert!(note.contains("1 relation of dbt is disabled and not checked"), "{note}");
}

#[test]
fn location_of_a_model_is_known_and_other_models_are_found_by_their_names() {
    let bench = Bench::empty();
    std::fs::create_dir_all(bench.path("lake/out")).unwrap();
    let mut written: Value = serde_json::from_str(&manifest(&[relationships("ref('customers')", json!({}))])).unwrap();
    written["nodes"]["model.shop.customers"]["config"] = json!({"location": "out/people.csv"});
    bench.write("manifest.json", &written.to_string());
    bench.write("lake/out/people.csv", "id\n1\n");
    bench.write("lake/orders.csv", "id,customer_id\n10,1\n11,2\n");
    let (code, report) = scan(&bench, &["--relations", "manifest.json"]);
    assert_eq!((code, counts(&report)), (1, [2, 0, 1, 1]), "{report:#}");
}
