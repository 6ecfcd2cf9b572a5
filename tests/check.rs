//! Tests of `check`: it names the rows that would fail by their lines, and a real load refuses exactly these rows.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::collections::BTreeSet;

use common::Bench;
use common::named;
use fastrand::Rng;
use rusqlite::Connection;
use rusqlite::types::Value as Sqlite;
use serde_json::Value;

const SHOP: &str = "CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INT NOT NULL REFERENCES customers(id), ref TEXT UNIQUE,
        n INT CHECK (n > 0), parent INT REFERENCES orders(id));
    CREATE TABLE a(id INTEGER PRIMARY KEY, b INT REFERENCES b(id));
    CREATE TABLE b(id INTEGER PRIMARY KEY, a INT REFERENCES a(id));
    INSERT INTO customers VALUES (1, 'a'), (2, 'b'); INSERT INTO orders VALUES (1, 1, 'r1', 1, NULL);";

fn check(bench: &Bench, arguments: &[&str]) -> (i32, Value) {
    let before = std::fs::read(bench.path("app.db")).unwrap();
    let run = bench.run(&[&["check", "app.db"], arguments, &["--format", "json"]].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    common::assert_obeys("check", &report);
    assert!(std::fs::read(bench.path("app.db")).unwrap() == before, "the file has changed");
    (run.code, report)
}

#[test]
fn failing_rows_are_named_by_line() {
    let bench = Bench::new(SHOP);
    let rows = "id,customer_id,ref,n,parent\n2,1,r2,1,1\n3,22,r3,1,\n4,2,r1,1,\n5,,r5,1,\n6,1,r6,0,\n7,2,r2,1,\n\
                8,22,\"r\n8\",2,99\n9,1,r9,1,10\n10,1,r10,1,9\nx,1,r11,1,\n";
    std::fs::write(bench.path("o.csv"), rows).unwrap();
    let (code, report) = check(&bench, &["--table", "orders", "o.csv"]);
    let expected = [
        ("orders(customer_id)->customers(id)", "would-fail", vec![3, 8]),
        ("orders(parent)->orders(id)", "would-fail", vec![8]),
        ("orders(ref)", "duplicate-key", vec![4, 7]),
        ("orders(customer_id)", "not-null", vec![5]),
        ("orders()", "check-failed", vec![6]),
        ("orders()", "value-refused", vec![12]),
    ];
    let expected = expected.map(|(place, code, lines)| (place.to_owned(), code.to_owned(), lines)).to_vec();
    assert_eq!((code, named(&report)), (1, expected), "{report}");
    assert_eq!((&report["summary"]["rows"], &report["summary"]["would_fail"]), (&10.into(), &7.into()));
    let taken = |place: usize| report["refused"][0]["places"][place]["taken_by"].clone();
    assert_eq!((taken(0), taken(1)), ("table".into(), serde_json::json!({"source": "o.csv", "line": 2})));
    let key = |group: usize| report["refused"][group]["places"][0]["key"].clone();
    assert_eq!((key(0), key(1)), (serde_json::json!({"ref": "r1"}), Value::Null));
}

fn table(bench: &Bench, width: &str, arguments: &[&str]) -> String {
    let run = bench.run_in(&[&["check", "app.db"], arguments].concat(), &[("COLUMNS", width)]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    run.stdout
}

/// Each row that would be refused has a line with its column, its value and the reason.
#[test]
fn few_rows_are_listed_with_line_column_value_and_reason() {
    let bench = Bench::new(SHOP);
    let rows = "id,customer_id,ref,n,parent\n2,1,r2,1,1\n3,22,r3,1,\n4,2,r1,1,\n5,,r5,1,\n6,1,r6,0,\n7,2,r2,1,\n";
    std::fs::write(bench.path("o.csv"), rows).unwrap();
    let expected = "\
✗ o.csv: 5 of 6 rows would be refused by orders of app.db

  line  column       value  why
     3  customer_id  22     no such key in customers (highest id: 2)
     4  ref          'r1'   the table already has this key
     5  customer_id  NULL   customer_id is NOT NULL
     6  –            –      CHECK constraint failed: n > 0
     7  ref          'r2'   line 2 has this key

";
    let report = table(&bench, "100", &["--table", "orders", "o.csv"]);
    assert!(report.starts_with(expected), "{report}");
    assert!(report.contains("  help     load the missing rows of customers before or together"), "{report}");
    // One source of several is named with its line.
    std::fs::write(bench.path("c.csv"), "id,name\n9,\n").unwrap();
    let report = table(&bench, "100", &["--load", "orders=o.csv", "--load", "customers=c.csv"]);
    assert!(report.contains("  o.csv:7  ref          'r2'   o.csv:2 has this key\n"), "{report}");
    assert!(report.contains("  c.csv:2  name         NULL   name is NOT NULL\n"), "{report}");
}

/// More than 20 rows are grouped by the reason.
#[test]
fn many_rows_are_grouped_by_reason() {
    let bench = Bench::new(SHOP);
    let rows: String = (2..30).map(|id| format!("{id},{},{id}\n", if id % 3 == 0 { 1 } else { 700 + id })).collect();
    std::fs::write(bench.path("o.csv"), format!("id,customer_id,n\n{rows}30,1,0\n")).unwrap();
    let report = table(&bench, "100", &["--table", "orders", "o.csv"]);
    let expected = "\
✗ o.csv: 20 of 29 rows would be refused by orders of app.db

  why                                       column       rows  lines
  no such key in customers (highest id: 2)  customer_id    19  2, 4, 5 and 16 more
  CHECK constraint failed: n > 0                            1  30
";
    let few = report.lines().filter(|line| line.contains("no such key")).count();
    assert_eq!(few, 19, "20 rows are listed: {report}");
    std::fs::write(bench.path("o.csv"), format!("id,customer_id,n\n{rows}30,1,0\n31,1,0\n")).unwrap();
    let report = table(&bench, "100", &["--table", "orders", "o.csv"]);
    let expected = expected.replace("20 of 29", "21 of 30").replace("   1  30\n", "   2  30, 31\n");
    assert!(report.starts_with(&expected), "{report}");
}

#[test]
fn parents_in_the_same_load_count_in_any_order() {
    let bench = Bench::new(SHOP);
    std::fs::write(bench.path("o.tsv"), "id\tcustomer_id\n5\t9\n").unwrap();
    std::fs::write(bench.path("c.json"), "[{\"id\": 9, \"name\": \"new\"}]").unwrap();
    let (code, report) = check(&bench, &["--load", "orders=o.tsv", "--load", "customers=c.json"]);
    assert_eq!((code, &report["order"]), (0, &serde_json::json!(["customers", "orders"])), "{report}");
    let (code, _) = check(&bench, &["--table", "orders", "o.tsv"]);
    assert_eq!(code, 1);
    std::fs::write(bench.path("a.ndjson"), "{\"id\": 1, \"b\": 1}").unwrap();
    std::fs::write(bench.path("b.ndjson"), "{\"id\": 1, \"a\": 1}").unwrap();
    let (code, report) = check(&bench, &["--load", "a=a.ndjson", "--load", "b=b.ndjson"]);
    assert_eq!((code, &report["cycles"]), (0, &serde_json::json!([["a", "b"]])));
}

#[test]
fn bad_files_and_names_are_reported_with_their_line() {
    let bench = Bench::new(SHOP);
    for (content, arguments, words) in [
        (
            "id,nam\n1,x\n",
            &["--table", "customers", "f.csv"][..],
            &["f.csv, line 2", "no column nam", "did you mean name?"][..],
        ),
        ("id,name\n1,\"x\n", &["--table", "customers", "f.csv"], &["line 2", "never closed"]),
        ("id,name\n1,\u{e9}\n2\n", &["--table", "customers", "f.csv"], &["line 3", "1 fields, and 2 columns"]),
        ("id,name\n", &["--table", "custmers", "f.csv"], &["no such table", "did you mean customers?"]),
        ("", &["f.csv"], &["no table"]),
        ("", &["--table", "customers"], &["no file was given"]),
        ("", &["--table", "customers", "missing.csv"], &["missing.csv"]),
        ("", &["--table", "customers", "f"], &["no known extension"]),
    ] {
        std::fs::write(bench.path("f.csv"), content).unwrap();
        let run = bench.run(&[&["check", "app.db"], arguments].concat());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{content}");
        for word in words.iter().chain(&["error: ", "because: ", "help: "]) {
            assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
        }
    }
}

#[test]
fn staging_table_is_checked_row_by_row() {
    let bench = Bench::new(SHOP);
    let real = Connection::open(bench.path("app.db")).unwrap();
    real.execute_batch(
        "CREATE TABLE incoming(id, customer_id, imported_at); INSERT INTO incoming VALUES (5, 1, 'x'), (6, 22, 'x'), (5, 2, 'x')",
    )
    .unwrap();
    drop(real);
    let (code, report) = check(&bench, &["--staging", "incoming", "--table", "orders"]);
    assert_eq!(
        (code, &report["summary"]["rows"], &report["summary"]["would_fail"]),
        (1, &3.into(), &2.into()),
        "{report}"
    );
    let row = &report["findings"][0]["samples"][0]["row"];
    assert_eq!(row, &serde_json::json!({"staging": "incoming", "row": 2}));
    assert_eq!(report["refused"][0]["places"][0]["line"], 3);
}

#[test]
fn rows_are_checked_against_a_planned_schema() {
    let bench = Bench::new(
        "CREATE TABLE users(id INTEGER PRIMARY KEY, mail TEXT); CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id INT, mail TEXT);
         INSERT INTO users VALUES (1, 'a'), (2, 'b'); INSERT INTO posts VALUES (1, 1, 'a'), (2, 9, 'b'), (3, 9, 'z'), (4, NULL, NULL);",
    );
    let planned = "BEGIN; CREATE TABLE users(id INTEGER PRIMARY KEY, mail TEXT UNIQUE);
        CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id INT REFERENCES users(id), mail TEXT REFERENCES users(mail),
            tag INT REFERENCES tags(id));
        CREATE TABLE tags(id INTEGER PRIMARY KEY, post INT REFERENCES posts(id)); COMMIT;";
    std::fs::write(bench.path("planned.sql"), planned).unwrap();
    let run = bench.run(&["check", "app.db", "--against", "planned.sql", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    common::assert_obeys("scan", &report);
    let orphans: Vec<(&str, u64)> = report["relations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["orphan_rows"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        (run.code, orphans),
        (1, vec![("posts(user_id)->users(id)", 2), ("posts(mail)->users(mail)", 1)]),
        "{report}"
    );
    let errors = report["findings"].as_array().unwrap().iter().filter(|one| one["severity"] == "error");
    let codes: Vec<&Value> = errors.map(|one| &one["code"]).collect();
    assert_eq!(codes, ["orphan", "orphan"], "the planned key is unique: {report}");
    assert_eq!(report["left_alone"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(report["summary"]["distinct_orphan_rows"], 2, "row 3 has two broken references: {report}");
    let run = bench.run(&["check", "app.db", "--against", "planned.sql"]);
    assert!(run.stdout.starts_with("✗ app.db: 2 orphan rows in 2 of 2 relations\n"), "{}", run.stdout);
    for part in ["error[orphan] posts(user_id)->users(id)", "9 (2 rows)", "'z'"] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }

    std::fs::write(bench.path("planned.sql"), "CREATE TABLE t(a);\nCREATE TABL u(b);").unwrap();
    let run = bench.run(&["check", "app.db", "--against", "planned.sql"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    std::fs::write(bench.path("planned.sql"), "CREATE TABLE t(a);\nCREATE TABLE u(b").unwrap();
    let run = bench.run(&["check", "app.db", "--against", "planned.sql"]);
    assert!(run.code == 2 && run.stderr.contains("line 2"), "{}", run.stderr);
}

/// The rules of a repair correct the rows of a file. The result can be loaded, and no line is lost.
#[test]
fn rules_correct_a_file_and_keep_refused_rows() {
    let seed = format!("{}/fixtures/multi-source-sync/seed.sql", env!("CARGO_MANIFEST_DIR"));
    let bench = Bench::new(&std::fs::read_to_string(seed).unwrap());
    let database = std::fs::read(bench.path("app.db")).unwrap();
    let rows = "id,knowledge_base_id\n100,1\n101,22\n102,23\n103,77\n104,\n5,22\n106,\"1\"\n";
    bench.write("in.csv", rows);
    let correct = |rules: &str| {
        bench.run(&[
            "check",
            "app.db",
            "--table",
            "sync_run",
            "in.csv",
            "--rules",
            rules,
            "--corrected",
            "out.csv",
            "--format",
            "json",
        ])
    };
    let run = correct("multi-source-sync");
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    common::assert_obeys("check", &report);
    let correction = &report["corrected"];
    assert_eq!((run.code, &correction["rows"], &correction["changed"]), (1, &4.into(), &2.into()), "{report:#}");
    assert_eq!((&correction["rest_rows"], &correction["parent_rows"]), (&3.into(), &1.into()), "{report:#}");
    let read = |name: &str| std::fs::read_to_string(bench.path(name)).unwrap();
    assert_eq!(read("out.csv"), "id,knowledge_base_id\n100,1\n101,30\n102,78\n106,1\n");
    assert_eq!(read("out.rest.csv"), "id,knowledge_base_id\n103,77\n104,\n5,22\n");
    assert!(std::fs::read(bench.path("app.db")).unwrap() == database, "nothing is written to the database");

    let real = Connection::open(bench.path("app.db")).unwrap();
    let before: i64 = real.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    real.execute_batch(&read("out.parents.sql")).unwrap();
    real.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    for line in read("out.csv").lines().skip(1) {
        real.execute(&format!("INSERT INTO sync_run VALUES ({line})"), []).unwrap();
    }
    let after: i64 = real.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(after, before);
    drop(real);
    let (code, _) = check(&bench, &["--table", "sync_run", "out.rest.csv"]);
    assert_eq!(code, 1, "what is left is what would fail");

    // Files of an earlier run are never overwritten.
    let again = correct("multi-source-sync");
    assert!(again.code == 2 && again.stderr.contains("out.rest.csv"), "{}{}", again.stdout, again.stderr);
    for (input, corrected) in [("now.rest.csv", "now.csv"), ("now.parents.sql", "now.csv")] {
        bench.write(input, rows);
        let run = bench.run(&[
            "check",
            "app.db",
            "--table",
            "sync_run",
            input,
            "--input",
            "csv",
            "--rules",
            "multi-source-sync",
            "--corrected",
            corrected,
        ]);
        assert!(run.code == 2 && run.stderr.contains("reads the rows twice"), "{}{}", run.stdout, run.stderr);
        assert_eq!(read(input), rows);
        std::fs::remove_file(bench.path(input)).unwrap();
    }
    for name in ["out.csv", "out.rest.csv", "out.parents.sql"] {
        std::fs::remove_file(bench.path(name)).unwrap();
    }

    bench.write(
        "delete.toml",
        "id = \"d\"\neven-if-parent-lost = true\nrelation.child = \"sync_run(knowledge_base_id)\"\nlimits.max-rows = 1\n[[treat]]\naction = \"delete\"\nkeep = false\n",
    );
    bench.write("in.csv", &rows.replace("100", "200").replace("101", "201"));
    let refused = correct("delete.toml");
    assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
    for name in ["out.csv", "out.rest.csv", "out.parents.sql"] {
        assert!(!bench.path(name).exists(), "{name}");
    }
    for arguments in [
        &["check", "app.db", "--table", "sync_run", "in.csv", "--rules", "multi-source-sync", "--corrected", "in.csv"]
            [..],
        &["check", "app.db", "--table", "sync_run", "in.csv", "--rules", "multi-source-sync", "--corrected", "app.db"],
        &["check", "app.db", "--table", "sync_run", "-", "--rules", "multi-source-sync", "--corrected", "out.csv"],
        &["check", "app.db", "--table", "sync_run", "in.csv", "--rules", "multi-source-sync"],
    ] {
        let run = bench.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn broken_definition_is_reported_before_rows() {
    let bench = Bench::new("CREATE TABLE k(v INT); CREATE TABLE m(x INT REFERENCES k(v)); INSERT INTO k VALUES (1)");
    std::fs::write(bench.path("m.csv"), "x\n1\n").unwrap();
    let (code, report) = check(&bench, &["--table", "m", "m.csv"]);
    assert_eq!((code, &report["findings"][0]["code"]), (1, &"parent-key-not-unique".into()));
}

/// Loads random rows into tables with every kind of key. `check` names exactly the rows that a real load refuses, or
/// that `foreign_key_check` reports afterwards.
#[test]
fn real_load_refuses_the_same_rows() {
    let mut rng = Rng::with_seed(11);
    let (mut loaded, mut refused) = (0, 0);
    for case in 0..60 {
        let pick = |rng: &mut Rng, from: &[&'static str]| from[rng.usize(..from.len())];
        let kinds = ["INT", "TEXT", "", "REAL", "TEXT COLLATE NOCASE"];
        let key = pick(
            &mut rng,
            &["k INTEGER PRIMARY KEY", "k TEXT PRIMARY KEY", "k INT UNIQUE NOT NULL", "k TEXT COLLATE NOCASE UNIQUE"],
        );
        let without_rowid = if rng.bool() { " WITHOUT ROWID" } else { "" };
        let seed = format!(
            "CREATE TABLE p({key}); CREATE TABLE c(id {} PRIMARY KEY NOT NULL, r {} REFERENCES p(k), s {} UNIQUE, \
             t INT CHECK (t < 5), up REFERENCES c(id)){without_rowid};
             INSERT OR IGNORE INTO p VALUES ('1'), ('2'), ('a'), ('B'); INSERT INTO c VALUES (1, 1, 1, 1, NULL);",
            pick(&mut rng, &kinds),
            pick(&mut rng, &kinds),
            pick(&mut rng, &kinds),
        );
        // 'a' is no INTEGER, so a parent with this key is not inserted.
        let seed = if key.contains("INTEGER") { seed.replace(", ('a'), ('B')", "") } else { seed };
        let bench = Bench::new(&seed);
        let words = ["", "1", "2", "3", "a", "A", "b", "01", "2.0", " 1", "9"];
        let rows: Vec<[&str; 5]> = (0..12)
            .map(|_| {
                [
                    pick(&mut rng, &words),
                    pick(&mut rng, &words),
                    pick(&mut rng, &words),
                    pick(&mut rng, &words),
                    pick(&mut rng, &["", "", "1", "2"]),
                ]
            })
            .collect();
        let lines: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        std::fs::write(bench.path("c.csv"), format!("id,r,s,t,up\n{}\n", lines.join("\n"))).unwrap();
        let (_, report) = check(&bench, &["--table", "c", "c.csv", "--samples", "100"]);
        let shown: BTreeSet<u64> = named(&report).into_iter().flat_map(|(_, _, lines)| lines).collect();

        let real = Connection::open(bench.path("app.db")).unwrap();
        real.execute_batch("PRAGMA foreign_keys = OFF; BEGIN").unwrap();
        let mut expected = BTreeSet::new();
        let mut ids = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let line = place as u64 + 2;
            let value = |text: &&str| if text.is_empty() { Sqlite::Null } else { Sqlite::Text((*text).to_owned()) };
            match real
                .execute("INSERT INTO c VALUES (?1, ?2, ?3, ?4, ?5)", rusqlite::params_from_iter(row.iter().map(value)))
            {
                Ok(_) => ids.push((line, row[0])),
                Err(_) => {
                    expected.insert(line);
                }
            }
        }
        for (line, id) in ids {
            let orphan = "SELECT EXISTS (SELECT 1 FROM c WHERE id = ?1 AND ((r IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p WHERE p.k = +c.r)) \
                          OR (up IS NOT NULL AND NOT EXISTS (SELECT 1 FROM c AS o WHERE o.id = +c.up))))";
            if real.query_row(orphan, [id], |row| row.get(0)).unwrap() {
                expected.insert(line);
            }
        }
        assert_eq!(shown, expected, "case {case}\n{seed}\n{}\n{report:#}", lines.join("\n"));
        assert_eq!(report["summary"]["would_fail"], expected.len());
        refused += expected.len();
        loaded += rows.len() - expected.len();
    }
    assert!(refused > 100 && loaded > 50, "the cases are worth judging: {refused} {loaded}");
}
