//! Tests of `discover` on polymorphic references: one column says to which table another one refers.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use serde_json::Value;

/// Comments on issues and wiki pages. Two comments are about issues that do not exist, and one about nothing.
const COMMENTS: &str = "
CREATE TABLE issues(id INTEGER PRIMARY KEY, subject TEXT);
CREATE TABLE wiki_pages(id INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE comments(id INTEGER PRIMARY KEY, commentable_type TEXT, commentable_id INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO issues SELECT i, 'issue ' || i FROM n WHERE i <= 80;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO wiki_pages SELECT 500 + i, 'page ' || i FROM n WHERE i <= 40;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO comments SELECT i, 'Issue', 1 + i * 7 % 80, 'note' FROM n WHERE i <= 200;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO comments SELECT 200 + i, 'WikiPage', 501 + i * 7 % 40, 'note' FROM n WHERE i <= 90;
INSERT INTO comments VALUES (400, 'Issue', 7654321, 'lost'), (401, 'Issue', 7654322, 'lost'), (402, NULL, NULL, NULL);";

const ISSUES: &str = "comments(commentable_id)->issues(id)";
const PAGES: &str = "comments(commentable_id)->wiki_pages(id)";

fn report(bench: &Bench) -> Value {
    let run = bench.run(&["discover", "app.db", "--format", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let report = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("discover", &report);
    report
}

/// Each candidate of some tiers: its id, the value of its type, its rows, orphans and missing keys.
fn found(report: &Value, tiers: &[&str]) -> Vec<(String, String, [u64; 3])> {
    let candidates = report["candidates"].as_array().unwrap().iter();
    let wanted = candidates.filter(|candidate| tiers.contains(&candidate["tier"].as_str().unwrap()));
    let mut found: Vec<_> = wanted
        .map(|candidate| {
            let counts = ["rows", "orphan_rows", "missing_keys"].map(|name| candidate[name].as_u64().unwrap());
            let kind = candidate["where"]["commentable_type"].as_str().unwrap_or_default();
            (candidate["id"].as_str().unwrap().to_owned(), kind.to_owned(), counts)
        })
        .collect();
    found.sort();
    found
}

fn expected() -> [(String, String, [u64; 3]); 2] {
    [(ISSUES.to_owned(), "Issue".to_owned(), [202, 2, 2]), (PAGES.to_owned(), "WikiPage".to_owned(), [90, 0, 0])]
}

#[test]
fn each_type_refers_to_its_own_table_with_exact_counts() {
    let bench = Bench::new(COMMENTS);
    let report = report(&bench);
    assert_eq!(found(&report, &["certain", "likely"]), expected());
    let issues =
        report["candidates"].as_array().unwrap().iter().find(|found| found["where"]["commentable_type"] == "Issue");
    let missing = &issues.unwrap()["missing"];
    assert_eq!(missing[0], serde_json::json!({ "key": { "commentable_id": 7654321 }, "rows": 1 }));
    let table = bench.run(&["discover", "app.db"]).stdout;
    assert!(table.contains(PAGES) && table.contains("where commentable_type = 'WikiPage'"), "{table}");
}

#[test]
fn type_column_may_be_spelled_in_any_case_if_its_collation_ignores_case() {
    let bench = Bench::new(&COMMENTS.replace("commentable_type TEXT", "commentable_type TEXT COLLATE NOCASE"));
    bench.execute("UPDATE comments SET commentable_type = 'ISSUE' WHERE commentable_type = 'Issue' AND id % 2");
    let found = found(&report(&bench), &["certain", "likely"]);
    let counts: Vec<[u64; 3]> = found.into_iter().map(|(_, _, counts)| counts).collect();
    assert_eq!(counts, [[202, 2, 2], [90, 0, 0]]);
}

#[test]
fn accepted_polymorphic_reference_is_scanned_and_not_proposed_again() {
    let bench = Bench::new(COMMENTS);
    let accepted = bench.run(&["discover", "app.db", "--accept", "likely", "--config", "fk-doctor.toml"]);
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
    let text = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    assert!(text.contains("where = \"child.commentable_type = 'Issue'\""), "{text}");
    let known = report(&bench);
    assert_eq!(found(&known, &["declared"]), expected());
    assert_eq!(found(&known, &["certain", "likely"]), []);
    let scan = bench.run(&["scan", "app.db"]);
    assert_eq!(scan.code, 1, "{}", scan.stdout);
    assert!(scan.stdout.contains("2 orphan rows in 1 of 2 relations"), "{}", scan.stdout);
}

#[test]
fn column_that_only_ends_like_a_type_has_no_condition() {
    let bench = Bench::new(&COMMENTS.replace("'Issue'", "'red'").replace("'WikiPage'", "'blue'"));
    bench.execute("ALTER TABLE issues ADD COLUMN type TEXT; UPDATE issues SET type = 'WikiPage'");
    let report = report(&bench);
    let candidates = report["candidates"].as_array().unwrap();
    assert!(
        !candidates.is_empty() && candidates.iter().all(|candidate| candidate["where"].is_null()),
        "{candidates:?}"
    );
}
