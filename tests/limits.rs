//! Limits apply to the sum of all rows that a plan removes or sets to NULL: over the relations of a rule, over the
//! rules of a plan, and over every table.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use serde_json::Value;

fn planned(bench: &Bench, rules: &str) -> (i32, String, Value) {
    bench.write("r.toml", rules);
    let before = bench.dump();
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson", "--overwrite"]);
    let json = bench.run(&["repair", "app.db", "--rules", "r.toml", "--format", "json"]);
    assert_eq!(json.code, run.code, "{}", json.stderr);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    common::assert_obeys("repair", &report);
    assert_eq!(bench.path("plan.ndjson").exists(), run.code != 5, "{}", run.stdout);
    assert_eq!(bench.dump(), before);
    (run.code, common::in_one_line(&run.stdout), report)
}

fn rule(id: &str, child: &str, limits: &str, action: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\neven-if-parent-lost = true\nrelation.child = \"{child}\"\n{limits}\n[[rule.treat]]\naction = \"{action}\"\n"
    )
}

/// Ten columns of one table, each with 40 orphans among 1,000 rows. No row is an orphan twice.
fn ten_columns() -> Bench {
    let columns: Vec<String> = (0..10).map(|i| format!("r{i} REFERENCES p(id)")).collect();
    let rows: Vec<String> =
        (0..10).map(|i| format!("UPDATE c SET r{i} = 7 WHERE id > {} AND id <= {};", 40 * i, 40 * i + 40)).collect();
    Bench::new(&format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, {});\n\
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO c(id) SELECT i FROM n;\n{}",
        columns.join(", "),
        rows.concat()
    ))
}

#[test]
fn relations_of_one_table_share_its_limit() {
    let bench = ten_columns();
    let (code, text, report) = planned(&bench, &rule("r", "c(*)", "", "set-null"));
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("400 of 1,000 rows of c would be cleared, and the limit is 50 (5%, the default)"), "{text}");
    assert_eq!(report["limits"][0]["rows"], 400);
    // Ten rules without limits share one default.
    let ten: Vec<String> = (0..10).map(|i| rule(&format!("r{i}"), &format!("c(r{i})"), "", "set-null")).collect();
    let (code, text, _) = planned(&bench, &ten.concat());
    assert_eq!(code, 5, "{text}");
    assert!(
        text.contains(
            "rows of c would be removed or cleared, and the limit is 50 (5%, the default for all rules together)"
        ),
        "{text}"
    );
    // Explicit limits are added.
    let limits = "limits.max-share = 0.04";
    let ten: Vec<String> = (0..10).map(|i| rule(&format!("r{i}"), &format!("c(r{i})"), limits, "set-null")).collect();
    let (code, text, report) = planned(&bench, &ten.concat());
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("all rules: 400 of 1,000 rows of c, at most 400 (40%)"), "{text}");
    let whole = report["limits"].as_array().unwrap().iter().find(|used| used["rule"].is_null() && used["table"] == "c");
    assert_eq!(whole.unwrap()["rows"], 400);
}

/// A row in which several relations set NULL counts once.
/// A script would bypass the limits, and contain only the first change.
#[test]
fn refused_repair_prints_no_script() {
    let bench = ten_columns();
    bench.write("r.toml", &rule("r", "c(*)", "", "set-null"));
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--format", "sql"]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stdout.lines().all(|line| line.starts_with("--")), "{}", run.stdout);
    assert!(run.stdout.contains("400 of 1,000 rows of c would be cleared"), "{}", run.stdout);
}

#[test]
fn row_changed_by_two_relations_counts_once() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id), s REFERENCES p(id));\n\
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO c(id) SELECT i FROM n;\n\
         UPDATE c SET r = 7, s = 8 WHERE id <= 5;",
    );
    let (code, text, report) = planned(&bench, &rule("r", "c(*)", "", "set-null"));
    assert_eq!(code, 0, "{text}");
    assert_eq!(report["limits"][0]["rows"], 5);
    assert!(text.contains("set-null c(r) 1 5 5.0% 5 rows (5%)"), "{text}");
    let (code, text, _) = planned(&bench, &(rule("a", "c(r)", "", "set-null") + &rule("b", "c(s)", "", "quarantine")));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("all rules: 5 of 100 rows of c, at most 5 (5%)"), "{text}");
}

#[test]
fn tables_share_the_limit_of_the_plan() {
    let tables: Vec<String> = (0..10)
        .map(|i| {
            format!(
                "CREATE TABLE c{i}(id INTEGER PRIMARY KEY, r REFERENCES p(id)); INSERT INTO c{i} SELECT i, CASE WHEN i <= 900 THEN 7 END FROM n;\n"
            )
        })
        .collect();
    let bench = Bench::new(&format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE n(i);\n\
         WITH RECURSIVE m(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM m WHERE i < 20000) INSERT INTO n SELECT i FROM m;\n{}",
        tables.concat()
    ));
    let (code, text, _) = planned(&bench, &rule("r", "*(r)", "", "set-null"));
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("9,000 rows would be cleared, and the limit is 1,000 (max-rows, the default)"), "{text}");
    let ten: Vec<String> = (0..10).map(|i| rule(&format!("r{i}"), &format!("c{i}(r)"), "", "set-null")).collect();
    let (code, text, _) = planned(&bench, &ten.concat());
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("9,000 rows would be removed or cleared, and the limit is 1,000 (max-rows, the default for all rules together)"), "{text}");
}

/// One orphan among thirty deletes all rows of two other tables.
#[test]
fn dependants_count_against_their_own_table() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);\n\
         CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id));\n\
         CREATE TABLE d(id INTEGER PRIMARY KEY, c REFERENCES c(id)); CREATE TABLE e(id INTEGER PRIMARY KEY, c REFERENCES c(id) ON DELETE SET NULL);\n\
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) INSERT INTO c SELECT i, 1 FROM n;\n\
         UPDATE c SET r = 7 WHERE id = 5; INSERT INTO d SELECT id, 5 FROM c; INSERT INTO e SELECT id, 5 FROM c;",
    );
    let (code, text, _) = planned(&bench, &rule("r", "c(r)", "", "quarantine"));
    assert_eq!(code, 5, "{text}");
    for table in ["d", "e"] {
        let limits = format!("limits = {{ max-share = {} }}", if table == "d" { "0.5" } else { "1.0" });
        let (code, text, report) = planned(&bench, &rule("r", "c(r)", &limits, "quarantine"));
        if table == "d" {
            assert_eq!(code, 5, "{text}");
            assert!(text.contains("of 30 rows of d would be quarantined, and the limit is 15 (50%)"), "{text}");
        } else {
            assert_eq!(code, 0, "{text}");
            let of = |table: &str| {
                let used = report["limits"].as_array().unwrap().iter().find(|used| used["table"] == table);
                used.unwrap()["rows"].as_u64().unwrap()
            };
            assert_eq!((of("c"), of("d"), of("e")), (1, 30, 30));
        }
    }
}
