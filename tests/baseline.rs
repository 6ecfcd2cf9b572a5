//! Known findings fail no scan as long as they do not grow. A scan reports entries of a baseline that match nothing.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use crate::common::States as _;
use common::Bench;
use common::Run;
use rusqlite::Connection;

const SEED: &str = "
CREATE TABLE p(id INTEGER PRIMARY KEY);
CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), mail TEXT REFERENCES gone(mail));
INSERT INTO p VALUES (1);
INSERT INTO c(id, p) VALUES (1, 1), (2, 22), (3, 22), (4, 33);
";

struct Watched(Bench);

impl Watched {
    fn new() -> Watched {
        Watched(Bench::new(SEED))
    }

    fn change(&self, sql: &str) -> &Watched {
        let database = Connection::open(self.0.path("app.db")).unwrap();
        database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        database.execute_batch(sql).unwrap();
        self
    }

    fn scan(&self, more: &[&str]) -> Run {
        self.0.run(&[&["scan", "app.db"], more].concat())
    }

    fn write(&self) -> String {
        let run = self.scan(&["--write-baseline", "known.toml"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
        self.text()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.0.path("known.toml")).unwrap()
    }

    fn scan_with_baseline(&self) -> Run {
        self.scan(&["--baseline", "known.toml"])
    }
}

#[test]
fn baseline_file_has_one_sorted_line_per_entry() {
    let bench = Watched::new();
    let lines = bench.write();
    let entries: Vec<&str> = lines.lines().filter(|line| line.starts_with("    {")).collect();
    assert_eq!(entries.len(), 3, "{lines}");
    assert!(
        entries[0].starts_with("    { relation = \"c(mail)->gone(mail)\", code = \"parent-table-missing\", id = \"")
    );
    assert!(entries[1].starts_with("    { relation = \"c(p)->p(id)\", key = \"22\", rows = 2, id = \""));
    assert!(entries[2].starts_with("    { relation = \"c(p)->p(id)\", key = \"33\", rows = 1, id = \""));
    assert_eq!(lines, bench.write(), "the same database, the same bytes");
}

#[test]
fn new_finding_fails_and_known_finding_passes() {
    let bench = Watched::new();
    bench.write();
    let run = bench.scan_with_baseline();
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(
        run.stdout.starts_with("! app.db: nothing new; 3 known orphan rows and 1 known defect are left (known.toml)\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("baseline"), "{}", run.stdout);

    bench.change("INSERT INTO c(id, p) VALUES (5, 44)");
    let run = bench.scan_with_baseline();
    assert_eq!(run.code, 1);
    assert!(run.stdout.starts_with("✗ app.db: 1 orphan row in 1 of 2 relations\n"), "{}", run.stdout);
    assert!(run.stdout.contains("id = 5  44") && !run.stdout.contains("22"), "{}", run.stdout);
    let json: serde_json::Value =
        serde_json::from_str(&bench.scan(&["--baseline", "known.toml", "--format", "json"]).stdout).unwrap();
    common::assert_obeys("scan", &json);
    let orphans = json["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "orphan").unwrap();
    assert_eq!(orphans["known"], serde_json::json!({"wholly": false, "rows": 3, "missing_keys": 2}));
    assert_eq!((&orphans["rows"], &json["summary"]["orphan_rows"]), (&1.into(), &4.into()));
}

#[test]
fn known_finding_may_shrink_but_not_grow() {
    let bench = Watched::new();
    bench.write();
    assert_eq!(bench.change("DELETE FROM c WHERE id = 2").scan_with_baseline().code, 0);
    // The baseline knows two rows: two pass, and three fail.
    assert_eq!(bench.change("INSERT INTO c(id, p) VALUES (6, 22)").scan_with_baseline().code, 0);
    let run = bench.change("INSERT INTO c(id, p) VALUES (7, 22)").scan_with_baseline();
    assert_eq!(run.code, 1);
    assert!(run.stdout.states("3 of 5 rows of c refer to 1 key"), "{}", run.stdout);
}

#[test]
fn ratchet_only_lowers_known_counts() {
    let bench = Watched::new();
    bench.write();
    bench.change("DELETE FROM c WHERE id IN (3, 4); INSERT INTO c(id, p) VALUES (8, 55)");
    let run = bench.scan(&["--baseline", "known.toml", "--write-baseline", "known.toml"]);
    assert_eq!(run.code, 1, "what is new is not accepted on the way");
    let text = bench.text();
    assert!(text.contains("key = \"22\", rows = 1,") && !text.states("33") && !text.states("55"), "{text}");
    assert!(text.contains("parent-table-missing"), "{text}");
    bench.change("DELETE FROM c WHERE id = 8");
    assert_eq!(bench.scan_with_baseline().code, 0);
    assert_eq!(bench.change("INSERT INTO c(id, p) VALUES (9, 22)").scan_with_baseline().code, 1);
}

#[test]
fn expired_and_unused_entries_are_reported() {
    let bench = Watched::new();
    let text = bench.write();
    bench.change("DELETE FROM c WHERE id = 4");
    let run = bench.scan_with_baseline();
    assert_eq!(run.code, 0);
    assert!(run.stdout.states("1 entry no longer needed"), "{}", run.stdout);

    let dated = |day: &str| text.replace("rows = 2, ", &format!("rows = 2, expires = \"{day}\", "));
    std::fs::write(bench.0.path("known.toml"), dated("2999-12-31")).unwrap();
    assert_eq!(bench.scan_with_baseline().code, 0);
    bench.scan(&["--baseline", "known.toml", "--write-baseline", "known.toml"]);
    assert!(bench.text().contains("rows = 2, expires = \"2999-12-31\", "), "{}", bench.text());
    std::fs::write(bench.0.path("known.toml"), dated("2001-12-31")).unwrap();
    let run = bench.scan_with_baseline();
    assert_eq!(run.code, 1);
    assert!(run.stdout.states("1 entry expired: c(p)->p(id)"), "{}", run.stdout);
    // The entry of a dropped table is unused. The entry of a relation that was not scanned is not.
    bench.write();
    let run = bench
        .change("DROP TABLE c; CREATE TABLE d(p REFERENCES p(id)); CREATE VIRTUAL TABLE v USING fts5(t)")
        .scan_with_baseline();
    assert!(run.stdout.states("2 entries no longer needed"), "{}", run.stdout);
}

#[test]
fn entry_of_unscanned_relation_is_kept() {
    let bench = Watched::new();
    bench.write();
    let run = bench.scan(&["--relation", "*gone*", "--baseline", "known.toml", "--write-baseline", "known.toml"]);
    assert_eq!(run.code, 0);
    assert!(!run.stdout.contains("no longer needed"), "{}", run.stdout);
    assert!(bench.text().contains("key = \"22\""), "{}", bench.text());
}

/// If a relation has very many missing keys, its entry stores their number.
#[test]
fn baseline_of_many_missing_keys_stores_their_count() {
    let bench = Watched::new();
    let many = "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO c(id, p) SELECT i, i FROM n";
    let text = bench.change(many).write();
    assert_eq!(text.lines().filter(|line| line.starts_with("    {")).count(), 2, "{text}");
    assert!(text.contains("missing-keys = 4903, rows = 4904, "), "{text}");
    assert_eq!(bench.scan_with_baseline().code, 0);
    bench.change("DELETE FROM c WHERE id = 4999");
    bench.scan(&["--baseline", "known.toml", "--write-baseline", "known.toml"]);
    assert!(bench.text().contains("missing-keys = 4902, rows = 4903, "), "{}", bench.text());
    assert_eq!(bench.change("INSERT INTO c(id, p) VALUES (9001, 9001)").scan_with_baseline().code, 1);
}

#[test]
fn redacted_values_leave_no_trace_in_baseline() {
    let bench = Watched::new();
    let key = [("FK_DOCTOR_REDACT_KEY", "a secret of sixteen or more")];
    let plain = bench.write();
    let run = bench.0.run_in(&["scan", "app.db", "--redact", "--write-baseline", "known.toml"], &key);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = bench.text();
    assert!(text.contains("secret-check = ") && !text.contains("key = "), "{text}");
    let id =
        plain.lines().find(|line| line.contains("key = \"22\"")).and_then(|line| line.split("id = ").nth(1)).unwrap();
    assert!(!text.contains(id), "a fingerprint without a secret would give the value away");
    assert_eq!(bench.0.run_in(&["scan", "app.db", "--baseline", "known.toml"], &key).code, 0);
    let other = [("FK_DOCTOR_REDACT_KEY", "another secret of sixteen")];
    for variables in [&other[..], &[]] {
        let run = bench.0.run_in(&["scan", "app.db", "--baseline", "known.toml"], variables);
        assert_eq!(run.code, 2);
        assert!(run.stderr.starts_with("error: could not use the baseline known.toml\nbecause: "), "{}", run.stderr);
    }
    let run = bench.scan(&["--redact", "--write-baseline", "new.toml"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.starts_with("error: could not fingerprint hidden values\n"), "{}", run.stderr);
}

#[test]
fn faulty_baseline_is_shown_with_its_line() {
    let bench = Watched::new();
    std::fs::write(bench.0.path("known.toml"), "format = \"fk-doctor/baseline@1\"\nknown = [{ rows = 1 }]\n").unwrap();
    let run = bench.scan_with_baseline();
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("`id` is missing\n --> known.toml:2:10"), "{}", run.stderr);
    let run = bench.scan(&["--baseline", "none.toml"]);
    assert!(run.stderr.starts_with("error: could not read none.toml\n"), "{}", run.stderr);
    let run = bench.scan(&["--write-baseline", "app.db"]);
    assert!(run.stderr.contains("this is the database itself"), "{}", run.stderr);
}
