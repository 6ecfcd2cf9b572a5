//! A row with several broken references counts once in headlines, whatever way the scan learnt of it.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common::Bench;

/// Returns the seed of a table with two keys to one parent: `rows` rows, of which the first `both` break both keys and every
/// third other breaks one.
fn seed(columns: &str, rows: u64, both: u64, extra: &str) -> String {
    format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);
         CREATE TABLE c({columns}, a INTEGER REFERENCES p(id), b INTEGER REFERENCES p(id)) {extra};
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO c SELECT i, CASE WHEN i <= {both} OR i % 3 = 0 THEN 1000 + i % 700 ELSE 1 END,
             CASE WHEN i <= {both} THEN 5000 + i % 900 ELSE 2 END FROM n;"
    )
}

/// Returns the distinct orphan rows of the report, and those that SQLite counts.
fn counts(bench: &Bench) -> (u64, u64) {
    let (_, report) = bench.scan();
    let counted =
        bench.value("SELECT count(*) FROM c WHERE a NOT IN (SELECT id FROM p) OR b NOT IN (SELECT id FROM p)");
    (report["summary"]["distinct_orphan_rows"].as_u64().unwrap(), counted.parse().unwrap())
}

#[test]
fn row_with_two_broken_references_counts_once() {
    for (columns, extra) in [
        ("id INTEGER PRIMARY KEY", ""),
        ("id TEXT PRIMARY KEY", ""),
        ("id TEXT PRIMARY KEY", "WITHOUT ROWID"),
        ("id", ""),
    ] {
        for (rows, both) in [(3, 1), (40, 12), (9_000, 4_000)] {
            let bench = Bench::new(&seed(columns, rows, both, extra));
            let (reported, counted) = counts(&bench);
            assert_eq!(reported, counted, "{columns} {extra} {rows}");
            let table = bench.run(&["scan", "app.db"]).stdout;
            let headline = format!("orphan row{}", if counted == 1 { "" } else { "s" });
            let number = fk_doctor::internals::model::text::count(counted);
            assert!(table.starts_with(&format!("✗ app.db: {number} {headline} in 2 of 2 relations\n")), "{table}");
        }
    }
}

#[test]
fn key_that_two_relations_miss_counts_once() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
         CREATE TABLE c(id INTEGER PRIMARY KEY, a INTEGER REFERENCES p(id), b INTEGER REFERENCES p(id));
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO c SELECT i, 5 + i % 500, 5 + i % 800 FROM n;",
    );
    let table = bench.run(&["scan", "app.db"]).stdout;
    assert!(table.contains("2,000 of 2,000 rows of c refer to 800 keys that p does not have"), "{table}");
}

/// Beyond this size the rows are not counted again, and the headline says that its number is a bound.
#[test]
fn number_of_rows_in_a_large_table_is_a_bound() {
    let extra = "WITHOUT ROWID";
    let bench = Bench::new(&seed("id INTEGER PRIMARY KEY", 10, 6, extra));
    bench.execute(
        "WITH RECURSIVE n(i) AS (SELECT 11 UNION ALL SELECT i + 1 FROM n WHERE i <= 1000000) INSERT INTO c SELECT i, 1, 2 FROM n;
         UPDATE c SET a = 5, b = 6 WHERE id <= 10",
    );
    let (_, report) = bench.scan();
    assert_eq!(report["summary"]["orphan_rows"], 20);
    assert_eq!(report["summary"]["distinct_orphan_rows"], serde_json::Value::Null);
    let table = bench.run(&["scan", "app.db"]).stdout;
    assert!(table.starts_with("✗ app.db: up to 20 orphan rows in 2 of 2 relations\n"), "{table}");
    bench.execute("DELETE FROM c WHERE id > 1000000");
    assert_eq!(counts(&bench), (10, 10));
}
