//! Laws of every command on generated databases, also with more rows than a chunk: a clean database gives nothing, reading
//! leaves each byte of the file as it was, and the number of workers changes no byte of a report.
//!
//! `FK_DOCTOR_CASES` sets the number of databases.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;

use crate::common;
use crate::generated;

use common::Bench;
use fastrand::Rng;
use rusqlite::Connection;

/// A relation with more rows than a chunk. One row in `broken` has no parent; there is none with 0.
fn many_rows(broken: u32) -> String {
    format!(
        "CREATE TABLE many_parents(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE many(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES many_parents(id));
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
         INSERT INTO many_parents SELECT i, 'parent ' || i FROM n;
         INSERT INTO many SELECT id, id + iif({broken} > 0, (id % {broken} = 1) * 100000, 0) FROM many_parents;",
    )
}

/// A generated database. Every fourth is large.
struct Generated {
    bench: Bench,
    random: Rng,
    tables: Vec<String>,
    rules: String,
    context: String,
}

fn each_database(broken: u32, mode: &str, mut judge: impl FnMut(&mut Generated)) {
    let cases: u64 = std::env::var("FK_DOCTOR_CASES").map_or(16, |cases| cases.parse().unwrap());
    for seed in 0..cases {
        let mut random = Rng::with_seed(seed);
        let made = generated::schema(&mut random);
        let more = if seed % 4 == 0 { many_rows(broken) } else { String::new() };
        let sql = format!("PRAGMA journal_mode = {mode};\n{}CREATE TABLE map(old, new);\n{more}", made.sql());
        let bench = Bench::new(&sql);
        let database = Connection::open(bench.path("app.db")).unwrap();
        generated::rows(&mut random, &database, &made);
        if broken == 0 {
            generated::remove_orphans(&database);
        }
        let rules = generated::rules(&mut random, &made, false);
        bench.write("r.toml", &rules);
        let tables = made.tables.iter().map(|table| table.name.clone()).collect();
        let context = format!("seed {seed}\n{sql}\n{rules}\n{}", bench.dump());
        judge(&mut Generated { bench, random, tables, rules, context });
    }
}

#[test]
fn clean_database_gives_nothing() {
    each_database(0, "DELETE", |case| {
        let (code, scan) = case.bench.scan();
        assert_eq!((code, &scan["summary"]["orphan_rows"]), (0, &0.into()), "{}\n{scan:#}", case.context);
        let orphans = scan["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "orphan");
        assert_eq!(orphans.count(), 0, "{}\n{scan:#}", case.context);
        let repair = case.bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
        assert_eq!((repair.code, repair.stderr.as_str()), (0, ""), "{}\n{}", case.context, repair.stdout);
        assert!(repair.stdout.starts_with("○ nothing to do: app.db has no orphan rows"), "{}", repair.stdout);
        assert!(!case.rules.is_empty() && !case.bench.path("plan.ndjson.begun").exists());
        let before = case.bench.dump();
        let again = case.bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply", "--no-backup"]);
        assert_eq!((again.code, case.bench.dump()), (0, before), "{}\n{}", case.context, again.stderr);
    });
}

/// Returns the bytes of the database and of its journal or log.
fn bytes(bench: &Bench) -> BTreeMap<&'static str, Option<Vec<u8>>> {
    ["app.db", "app.db-wal", "app.db-journal"].map(|name| (name, std::fs::read(bench.path(name)).ok())).into()
}

#[test]
fn reading_leaves_every_byte() {
    for mode in ["DELETE", "WAL"] {
        each_database(7, mode, |case| {
            let bench = &case.bench;
            // In WAL mode the log has content that is not in the file, and this connection keeps it there.
            let writer = Connection::open(bench.path("app.db")).unwrap();
            writer.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO map VALUES (1, 2)").unwrap();
            let table = case.random.choice(&case.tables).unwrap().as_str();
            bench.write("rows.csv", "id\n1\n77\n");
            let delete = format!("DELETE FROM {table}");
            let commands: [(&[&str], &[i32]); 9] = [
                (&["scan", "app.db", "--discover"], &[0, 1]),
                (&["schema", "app.db", "--format", "json"], &[0]),
                (&["discover", "app.db"], &[0]),
                (&["rules", "suggest", "app.db"], &[0]),
                (&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"], &[0, 1]),
                (&["status", "plan.ndjson", "app.db"], &[0]),
                (&["restore", "app.db"], &[0]),
                (&["explain", "app.db", &delete], &[0, 1]),
                (&["check", "app.db", "--table", table, "rows.csv"], &[0, 1, 2]),
            ];
            let before = bytes(bench);
            assert!(before["app.db"].is_some() && (mode == "DELETE" || before["app.db-wal"].is_some()));
            for (command, codes) in commands {
                let run = bench.run(command);
                assert!(
                    codes.contains(&run.code),
                    "{}\n{command:?}: {}\n{}{}",
                    case.context,
                    run.code,
                    run.stdout,
                    run.stderr
                );
                assert!(bytes(bench) == before, "{}\n{mode}: {command:?} changed a file", case.context);
            }
        });
    }
}

#[test]
fn number_of_workers_changes_no_byte() {
    each_database(7, "DELETE", |case| {
        for format in ["json", "ndjson", "csv", "table", "junit", "sarif", "markdown", "html"] {
            let run = |jobs: &str| {
                let run = case.bench.run(&["scan", "app.db", "--all", "--format", format, "--jobs", jobs]);
                let is_stable = |line: &&str| !line.starts_with("<p class=\"run\">");
                let stdout = run.stdout.lines().filter(is_stable).map(|line| line.trim_end_matches("</p>"));
                (run.code, common::without_elapsed(&stdout.collect::<Vec<_>>().join("\n")), run.stderr)
            };
            let (single, several) = (run("1"), run("8"));
            assert!([0, 1].contains(&single.0) && single.2.is_empty(), "{}\n{format}: {}", case.context, single.2);
            assert_eq!(single, several, "{}\n{format}", case.context);
        }
    });
}
