//! A partial scan is reported as partial. A history of scans is kept.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use crate::common::States as _;
use common::Bench;

const SEED: &str = "
CREATE TABLE p(id INTEGER PRIMARY KEY);
CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), made TEXT);
CREATE TABLE other(id INTEGER PRIMARY KEY, up INTEGER REFERENCES other(id));
INSERT INTO p VALUES (1);
INSERT INTO c VALUES (1, 1, '2026-01-01'), (2, 22, '2026-01-05'), (3, 22, '2026-03-01'), (4, 33, '2026-02-01'), (5, 33, NULL);
";

fn bench(config: &str) -> Bench {
    let bench = Bench::new(SEED);
    std::fs::write(bench.path("fk-doctor.toml"), config).unwrap();
    bench
}

fn json(bench: &Bench, more: &[&str]) -> (i32, serde_json::Value) {
    let run = bench.run(&[&["scan", "app.db", "--format", "json"], more].concat());
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    common::assert_obeys("scan", &report);
    (run.code, report)
}

fn relation<'a>(report: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    report["relations"].as_array().unwrap().iter().find(|relation| relation["id"] == id).unwrap()
}

#[test]
fn condition_makes_coverage_partial() {
    let bench = bench("");
    let (code, report) = json(&bench, &["--where", "c: child.id > 3"]);
    assert_eq!((code, &report["verdict"], &report["summary"]["partial"]), (1, &"findings".into(), &1.into()));
    let narrowed = relation(&report, "c(p)->p(id)");
    assert_eq!(
        (&narrowed["coverage"], &narrowed["orphan_rows"], &narrowed["rows"]),
        (&"partial".into(), &2.into(), &2.into())
    );
    assert_eq!(narrowed["reason"], "only rows with child.id > 3");
    assert_eq!(relation(&report, "other(up)->other(id)")["coverage"], "checked");
    let (code, report) = json(&bench, &["--where", "c: child.id < 2"]);
    assert_eq!((code, &report["verdict"]), (0, &"partial".into()));
    let run = bench.run(&["scan", "app.db", "--where", "c: child.id < 2"]);
    assert!(
        run.stdout.starts_with("? app.db: no orphan rows in the part that was checked (--where 'c: child.id < 2')\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("in part"), "{}", run.stdout);
}

#[test]
fn since_without_time_column_is_refused() {
    let run = bench("").run(&["scan", "app.db", "--since", "2026-02-01"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("help: name the columns in fk-doctor.toml: [scan] time-columns"), "{}", run.stderr);
    let timed = bench("[scan]\ntime-columns = [\"c.made\"]\n");
    let (code, report) = json(&timed, &["--since", "2026-02-01"]);
    assert_eq!(code, 1);
    assert_eq!(relation(&report, "c(p)->p(id)")["orphan_rows"], 2);
    assert_eq!(json(&timed, &["--since", "2027"]).0, 0);
    let run = timed.run(&["scan", "app.db", "--since", "2026' OR 1 --"]);
    assert_eq!(run.code, 2, "what is typed is no SQL");
}

#[test]
fn faulty_condition_is_reported_before_the_scan() {
    let bench = bench("");
    for (typed, error, because) in [
        ("c: child.nope = 1", "could not understand the condition for c", "no such column: child.nope"),
        ("d: child.id = 1", "could not choose relations with --where d", "nothing matches it"),
    ] {
        let run = bench.run(&["scan", "app.db", "--where", typed]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.starts_with(&format!("error: {error}\nbecause: {because}\nhelp: ")), "{}", run.stderr);
    }
    assert_eq!(bench.run(&["scan", "app.db", "--where", "c"]).code, 2);
}

/// A deleted parent orphans rows that did not change, so the relations of the parent are checked as well.
#[test]
fn changed_table_selects_relations_of_either_side() {
    let bench = bench("");
    let (code, report) = json(&bench, &["--changed-tables", "p"]);
    assert_eq!((code, report["relations"].as_array().unwrap().len()), (1, 1));
    assert_eq!(report["left_alone"][0]["why"], "not a relation of any table in --changed-tables");
    assert_eq!(json(&bench, &["--changed-tables", "p,other"]).1["relations"].as_array().unwrap().len(), 2);
    let run = bench.run(&["scan", "app.db", "--changed-tables", "q"]);
    assert_eq!(run.code, 2, "a misspelt table is no clean database");
}

#[test]
fn missing_key_has_first_and_last_time() {
    let bench = bench("[scan]\ntime-columns = [\"made\"]\n");
    let (_, report) = json(&bench, &[]);
    let missing = &report["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "orphan").unwrap()["top_missing"];
    assert_eq!(
        missing[0],
        serde_json::json!({"key": {"p": 22}, "rows": 2, "first": "2026-01-05", "last": "2026-03-01"})
    );
    assert_eq!(
        missing[1],
        serde_json::json!({"key": {"p": 33}, "rows": 2, "first": "2026-02-01", "last": "2026-02-01"})
    );
    let run = bench.run(&["scan", "app.db"]);
    assert!(run.stdout.contains("'2026-01-05' to '2026-03-01'"), "{}", run.stdout);
    let run = bench.run(&["scan", "app.db", "--redact"]);
    assert!(!run.stdout.states("2026"), "{}", run.stdout);
}

#[test]
fn scan_adds_a_line_to_the_history() {
    let bench = bench("");
    for _ in 0..3 {
        assert_eq!(bench.run(&["scan", "app.db", "--history", "past.ndjson", "--format", "html=r.html"]).code, 1);
    }
    let text = std::fs::read_to_string(bench.path("past.ndjson")).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.lines().all(|line| line.contains("\"orphan_rows\":4,\"missing_keys\":2")), "{text}");
    let page = std::fs::read_to_string(bench.path("r.html")).unwrap();
    assert!(page.contains("<h2>Trend"), "a curve is drawn: {page}");
    std::fs::write(bench.path("past.ndjson"), "{}\n").unwrap();
    let run = bench.run(&["scan", "app.db", "--history", "past.ndjson"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.starts_with("error: could not read the history past.ndjson\nbecause: line 1: "),
        "{}",
        run.stderr
    );
}
