//! Quarantined rows come back: parents first, each row only if it can. The rest stays, with the reason.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::generated;

use common::Bench;
use common::Run;
use fastrand::Rng;
use rusqlite::Connection;

const SEED: &str = "CREATE TABLE college(id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE player(id INTEGER PRIMARY KEY, college_id INTEGER NOT NULL REFERENCES college(id), \
        captain INTEGER REFERENCES player(id), name TEXT UNIQUE); \
    CREATE TABLE award(year INT, player_id INTEGER NOT NULL REFERENCES player(id), what TEXT, PRIMARY KEY (year, what)); \
    INSERT INTO college VALUES (1, 'a'); \
    INSERT INTO player VALUES (1, 1, 1, 'p1'), (2, 9, NULL, 'p2'), (3, 9, 7, 'p3'), (4, 8, 3, 'p4'), (7, 9, 7, 'p7'); \
    INSERT INTO award VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 4, 'z')";

fn rule(keep: &str) -> String {
    format!(
        "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"*\"\n[limits]\nmax-rows = 100000\nmax-share = 1.0\n\
         [[treat]]\naction = \"quarantine\"\n{keep}\n"
    )
}

/// Returns a database whose orphans are in a quarantine.
fn quarantined(seed: &str, keep: &str) -> Bench {
    let bench = Bench::new(seed);
    bench.write("r.toml", &rule(keep));
    quarantine(&bench);
    bench
}

fn quarantine(bench: &Bench) {
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply", "--no-backup"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
}

/// Returns a dry run, which writes nothing, with its JSON report.
fn planned(bench: &Bench, options: &[&str]) -> (Run, serde_json::Value) {
    let before = bench.dump();
    let run = bench.run(&[&["restore", "app.db"], options].concat());
    let json = bench.run(&[&["restore", "app.db", "--format", "json"], options].concat());
    assert_eq!((run.code, json.code), (0, 0), "{}{}", run.stderr, json.stderr);
    assert_eq!(bench.dump(), before, "a dry run writes nothing");
    let report = serde_json::from_str(&json.stdout).unwrap();
    common::assert_obeys("restore", &report);
    (run, report)
}

/// Restores rows by a new plan `back.ndjson`.
fn restore(bench: &Bench, options: &[&str], code: i32) -> Run {
    for earlier in ["back.ndjson", "back.ndjson.begun"] {
        let _ = std::fs::remove_file(bench.path(earlier));
    }
    let run = bench.run(&[&["restore", "app.db", "--apply", "--no-backup", "-o", "back.ndjson"], options].concat());
    assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
    run
}

fn first_line(run: &Run) -> &str {
    run.stdout.lines().next().unwrap_or_default()
}

#[test]
fn rows_come_back_parents_first_and_others_stay_with_the_reason() {
    let bench = quarantined(SEED, "");
    let (none, _) = planned(&bench, &[]);
    assert_eq!(first_line(&none), "! app.db: none of 6 quarantined rows can come back");
    assert!(none.stdout.contains("for 4, college still has no 8 or 9"), "{}", none.stdout);
    bench.execute("INSERT INTO college VALUES (9, 'n')");
    let before = bench.dump();
    let (some, report) = planned(&bench, &[]);
    assert_eq!(first_line(&some), "! app.db: 4 of 6 quarantined rows could come back, 2 could not");
    assert!(some.stdout.contains("next: fk-doctor restore app.db --apply"), "{}", some.stdout);
    assert_eq!(report["summary"]["restored"], 4);
    let applied = restore(&bench, &[], 6);
    assert_eq!(first_line(&applied), "! app.db: 4 of 6 quarantined rows came back, 2 stay");
    assert_eq!(bench.value("SELECT group_concat(id) FROM player"), "'1,2,3,7'");
    assert_eq!(bench.value("SELECT count(*) FROM fk_doctor_quarantine"), "2");
    assert_eq!(bench.scan().0, 0);
    let undone = bench.run(&["undo", "app.db", "back.ndjson", "--no-backup"]);
    assert_eq!((undone.code, bench.dump()), (0, before), "{}", undone.stderr);

    bench.execute("INSERT INTO college VALUES (8, 'n')");
    let (all, _) = planned(&bench, &["-o", "all.ndjson", "--overwrite"]);
    assert_eq!(first_line(&all), "✓ app.db: all 6 quarantined rows could come back");
    assert!(all.stdout.contains("next: fk-doctor apply app.db all.ndjson"), "{}", all.stdout);
    let applied = bench.run(&["apply", "app.db", "all.ndjson", "--no-backup", "--batch", "1"]);
    assert_eq!(first_line(&applied), "✓ app.db: 6 quarantined rows came back", "{}", applied.stderr);
    let (nothing, _) = planned(&bench, &[]);
    assert_eq!(first_line(&nothing), "○ nothing to do: app.db has no such quarantined rows");
}

/// The same rows can be quarantined and restored again and again, although each plan has the changes of an earlier one.
#[test]
fn rows_can_be_quarantined_and_restored_again() {
    let bench = Bench::new(SEED);
    bench.write("r.toml", &rule(""));
    let before = bench.value("SELECT group_concat(id || name) FROM player");
    for _ in 0..3 {
        bench.execute("DELETE FROM college WHERE id > 1");
        quarantine(&bench);
        assert_eq!(bench.value("SELECT count(*) FROM player"), "1");
        bench.execute("INSERT INTO college VALUES (8, 'n'), (9, 'n')");
        let run = bench.run(&["restore", "app.db", "--apply", "--no-backup"]);
        assert_eq!((run.code, first_line(&run)), (0, "✓ app.db: 6 quarantined rows came back"), "{}", run.stderr);
        assert_eq!(bench.value("SELECT group_concat(id || name) FROM player"), before);
    }
}

#[test]
fn rows_of_a_file_come_back() {
    let bench = quarantined(SEED, "file = \"gone.ndjson\"");
    bench.execute("INSERT INTO college VALUES (8, 'n'), (9, 'n')");
    let (nothing, _) = planned(&bench, &[]);
    assert_eq!(first_line(&nothing), "○ nothing to do: app.db has no quarantine");
    let applied = restore(&bench, &["--file", "gone.ndjson"], 0);
    assert_eq!(first_line(&applied), "✓ app.db: 6 quarantined rows came back");
    let whole = Bench::new(&format!("{SEED}; INSERT INTO college VALUES (8, 'n'), (9, 'n')"));
    assert_eq!(contents(&bench), contents(&whole));
    let missing = bench.run(&["restore", "app.db", "--file", "r.toml"]);
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    assert!(missing.stderr.contains("could not read r.toml"), "{}", missing.stderr);
}

/// A file is never changed. A row that came back from it does not come back again, also if the application deleted it since, until
/// the restore is taken back.
#[test]
fn row_of_a_file_comes_back_only_once() {
    let bench = quarantined(SEED, "file = \"gone.ndjson\"");
    bench.execute("INSERT INTO college VALUES (9, 'n')");
    let before = bench.dump();
    restore(&bench, &["--file", "gone.ndjson"], 6);
    assert_eq!(bench.value("SELECT group_concat(id) FROM player"), "'1,2,3,7'");
    bench.execute("INSERT INTO college VALUES (8, 'n'); UPDATE player SET name = 'x' WHERE id = 3");
    let (again, report) = planned(&bench, &["--file", "gone.ndjson"]);
    assert_eq!(first_line(&again), "! app.db: 2 of 6 quarantined rows could come back, 4 could not");
    assert!(again.stdout.contains("an earlier restore brought it back already"), "{}", again.stdout);
    assert_eq!(report["tables"][0]["staying"][0]["why"], "came-back");
    bench.execute("DELETE FROM player WHERE id = 2; DELETE FROM award WHERE player_id = 2");
    let (deleted, _) = planned(&bench, &["--file", "gone.ndjson"]);
    assert_eq!(first_line(&deleted), first_line(&again));

    bench.execute(
        "DELETE FROM college WHERE id = 8; UPDATE player SET name = 'p3' WHERE id = 3; INSERT INTO player VALUES (2, 9, NULL, 'p2'); \
         INSERT INTO award VALUES (2, 2, 'y')",
    );
    let undone = bench.run(&["undo", "app.db", "back.ndjson", "--no-backup"]);
    assert_eq!((undone.code, bench.dump()), (0, before), "{}", undone.stderr);
    let (some, _) = planned(&bench, &["--file", "gone.ndjson"]);
    assert_eq!(first_line(&some), "! app.db: 4 of 6 quarantined rows could come back, 2 could not");
}

/// A row that is quarantined in a file again can come back again.
#[test]
fn rows_of_files_can_be_quarantined_and_restored_again() {
    for seed in [
        SEED,
        "CREATE TABLE college(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO college VALUES (1, 'a'); \
        CREATE TABLE player(id INTEGER PRIMARY KEY, college_id INT REFERENCES college(id)); \
        INSERT INTO player VALUES (1, 1), (2, 8), (3, 9)",
    ] {
        let bench = Bench::new(seed);
        bench.write("r.toml", &rule("file = \"gone.ndjson\""));
        let before = contents(&Bench::new(&format!("{seed}; INSERT INTO college VALUES (8, 'n'), (9, 'n')")));
        for round in 0..3 {
            bench.execute("DELETE FROM college WHERE id > 1");
            let _ = std::fs::remove_file(bench.path("gone.ndjson"));
            quarantine(&bench);
            assert_eq!(bench.value("SELECT count(*) FROM player"), "1", "round {round}");
            bench.execute("INSERT INTO college VALUES (8, 'n'), (9, 'n')");
            restore(&bench, &["--file", "gone.ndjson"], 0);
            assert_eq!(contents(&bench), before, "round {round}");
        }
        let before = bench.dump();
        bench.execute("DELETE FROM college WHERE id > 1");
        let _ = std::fs::remove_file(bench.path("gone.ndjson"));
        let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "p.ndjson", "--apply", "--no-backup"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(bench.value("SELECT count(*) FROM fk_doctor_restored"), "0");
        let undone = bench.run(&["undo", "app.db", "p.ndjson", "--no-backup"]);
        bench.execute("INSERT INTO college VALUES (8, 'n'), (9, 'n')");
        assert_eq!((undone.code, bench.dump()), (0, before), "{}", undone.stderr);
    }
}

#[test]
fn table_and_condition_select_rows() {
    let bench = quarantined(SEED, "");
    bench.execute("INSERT INTO college VALUES (8, 'n'), (9, 'n')");
    let (_, report) = planned(&bench, &["--table", "player", "--where", "name IN ('p2', 'p7') AND kept.id < 9"]);
    assert_eq!((&report["summary"]["quarantined"], &report["summary"]["restored"]), (&2.into(), &2.into()));
    let (other, _) = planned(&bench, &["--table", "college"]);
    assert_eq!(first_line(&other), "○ nothing to do: app.db has no such quarantined rows");
    for (options, message) in [
        (&["--table", "playr"][..], "help: fk-doctor restore app.db --table player"),
        (&["--table", "player", "--where", "nme = 1"], "because: no such column: nme"),
        (&["--where", "college_id = 9"], "could not evaluate the condition on award"),
    ] {
        let run = bench.run(&[&["restore", "app.db"], options].concat());
        assert_eq!(run.code, 2, "{}", run.stdout);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
    let run = restore(&bench, &["--table", "player", "--where", "name = 'p4'"], 6);
    assert!(run.stdout.contains("player still has no 3"), "{}", run.stdout);
    restore(&bench, &["--table", "player", "--where", "name <> 'p4'"], 0);
    assert_eq!(bench.value("SELECT group_concat(id) FROM player"), "'1,2,3,7'");
}

#[test]
fn each_obstacle_is_a_reason() {
    let bench = quarantined(SEED, "");
    bench.execute(
        "INSERT INTO college VALUES (8, 'n'), (9, 'n'); INSERT INTO player VALUES (2, 1, NULL, 'other'), (5, 1, NULL, 'p7'), \
            (4, 8, 3, 'p4'); \
         UPDATE fk_doctor_quarantine SET row = 'nonsense' WHERE table_name = 'award' AND row LIKE '%\"y\"%'; \
         UPDATE fk_doctor_quarantine SET row = replace(row, '\"what\"', '\"gone\"') WHERE row LIKE '%\"z\"%'; \
         INSERT INTO fk_doctor_quarantine VALUES (99, 'r', '', 'dropped', '{\"id\":1}', '{\"id\":1}')",
    );
    let (run, report) = planned(&bench, &[]);
    let mut reasons: Vec<(String, String, u64)> = Vec::new();
    for table in report["tables"].as_array().unwrap() {
        for staying in table["staying"].as_array().unwrap() {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            reasons.push((text(&table["table"]), text(&staying["why"]), staying["rows"].as_u64().unwrap()));
        }
    }
    reasons.sort();
    let expected = [
        ("award", "no-column", 1),
        ("award", "unreadable", 1),
        ("dropped", "no-table", 1),
        ("player", "key-taken", 1),
        ("player", "no-parent", 1),
        ("player", "present", 1),
        ("player", "refused", 1),
    ];
    let reasons: Vec<(&str, &str, u64)> =
        reasons.iter().map(|(table, why, rows)| (table.as_str(), why.as_str(), *rows)).collect();
    assert_eq!(reasons, expected, "{}", run.stdout);
    assert!(run.stdout.contains("UNIQUE constraint failed: player(name)"), "{}", run.stdout);
    assert_eq!(first_line(&run), "! app.db: none of 7 quarantined rows can come back");
}

/// A quarantined row may have come back since the plan was made: then its plan is refused.
#[test]
fn row_without_its_record_is_not_restored() {
    let bench = quarantined(SEED, "");
    bench.execute("INSERT INTO college VALUES (9, 'n')");
    planned(&bench, &["-o", "back.ndjson", "--overwrite"]);
    bench.execute("DELETE FROM fk_doctor_quarantine WHERE row LIKE '%p2%'");
    let before = bench.dump();
    let run = bench.run(&["apply", "app.db", "back.ndjson", "--no-backup"]);
    assert_eq!((run.code, bench.dump()), (5, before), "{}", run.stderr);
    let run = bench.run(&["apply", "app.db", "back.ndjson", "--no-backup", "--skip-changed"]);
    assert_eq!(run.code, 6, "{}{}", run.stdout, run.stderr);
    assert_eq!(bench.value("SELECT group_concat(id) FROM player"), "'1,3,7'");
}

/// Rows that refer to each other in a cycle come back together.
#[test]
fn cycle_comes_back_together() {
    let seed = "CREATE TABLE root(id INTEGER PRIMARY KEY); INSERT INTO root VALUES (1); \
        CREATE TABLE a(id INTEGER PRIMARY KEY, b INT NOT NULL REFERENCES b(id), root INT REFERENCES root(id)); \
        CREATE TABLE b(id INTEGER PRIMARY KEY, a INT NOT NULL REFERENCES a(id)); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, a INT NOT NULL REFERENCES a(id)); \
        INSERT INTO a VALUES (1, 1, 9), (2, 3, 8), (3, 2, 1); INSERT INTO b VALUES (1, 1), (2, 2), (3, 3); \
        INSERT INTO c VALUES (1, 1), (2, 2), (3, 3)";
    let bench = quarantined(seed, "");
    assert_eq!(bench.value("SELECT count(*) FROM a"), "0");
    bench.execute("INSERT INTO root VALUES (9)");
    let before = bench.dump();
    let run = restore(&bench, &[], 6);
    assert_eq!(first_line(&run), "! app.db: 3 of 9 quarantined rows came back, 6 stay");
    assert_eq!(bench.value("SELECT group_concat(id) FROM c"), "'1'");
    let undone = bench.run(&["undo", "app.db", "back.ndjson", "--no-backup"]);
    assert_eq!((undone.code, bench.dump()), (0, before), "{}", undone.stderr);
    bench.execute("INSERT INTO root VALUES (8)");
    restore(&bench, &[], 0);
}

#[test]
fn values_are_hidden_on_request() {
    let bench = quarantined(SEED, "");
    let run = bench.run(&["restore", "app.db", "--redact"]);
    assert!(run.stdout.contains("college still has no '***'"), "{}", run.stdout);
}

/// SQLite gives the addresses of the last deleted rows to the next new rows. The deleted rows come back under other addresses.
#[test]
fn row_whose_address_is_taken_comes_back() {
    for key in ["TEXT PRIMARY KEY NOT NULL", "TEXT PRIMARY KEY", "TEXT"] {
        for keep in ["", "file = \"gone.ndjson\""] {
            let context = format!("{key}, {keep}");
            let seed = format!(
                "CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL); INSERT INTO p VALUES ('a'); \
                 CREATE TABLE c(id {key}, p TEXT REFERENCES p(id), up TEXT); \
                 INSERT INTO c VALUES ('v', 'a', 1), ('w', 'y', 2), ('x', 'z', 3), ('y', 'z', 4)"
            );
            let bench = quarantined(&seed, keep);
            bench.execute("INSERT INTO c VALUES ('new', 'a', 5), ('newer', 'a', 6); INSERT INTO p VALUES ('y'), ('z')");
            assert_eq!(bench.value("SELECT group_concat(rowid ORDER BY rowid) FROM c"), "'1,2,3'", "{context}");
            let before = bench.dump();
            let file = if keep.is_empty() { &[][..] } else { &["--file", "gone.ndjson"] };
            restore(&bench, file, 0);
            assert_eq!(bench.value("SELECT group_concat(id ORDER BY up) FROM c"), "'v,w,x,y,new,newer'", "{context}");
            assert_eq!(bench.scan().0, 0, "{context}");
            let undone = bench.run(&["undo", "app.db", "back.ndjson", "--no-backup"]);
            assert_eq!((undone.code, bench.dump()), (0, before), "{context}: {}", undone.stderr);
        }
    }
}

/// The address is taken after the plan was made.
#[test]
fn planned_row_whose_address_is_taken_comes_back() {
    let seed = "CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL); INSERT INTO p VALUES ('a'); \
        CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p(id)); \
        INSERT INTO c VALUES ('v', 'a'), ('w', 'y'), ('x', 'y')";
    let bench = quarantined(seed, "file = \"gone.ndjson\"");
    bench.execute("INSERT INTO p VALUES ('y')");
    let _ = planned(&bench, &["--file", "gone.ndjson", "-o", "back.ndjson", "--overwrite"]);
    bench.execute("INSERT INTO c VALUES ('new', 'a')");
    let applied = bench.run(&["apply", "app.db", "back.ndjson", "--no-backup"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(bench.value("SELECT group_concat(id ORDER BY id) FROM c"), "'new,v,w,x'");
}

/// Returns the rows of all tables except those of fk-doctor, without their addresses.
fn contents(bench: &Bench) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut table = String::new();
    for line in bench.dump().lines() {
        match line.split_once(": ") {
            Some((address, row)) if address.parse::<i64>().is_ok() => rows.push(format!("{table} {row}")),
            _ if line.contains(' ') => {}
            _ if line.contains(',') || line.starts_with('\'') => rows.push(format!("{table} {line}")),
            _ => table = line.to_owned(),
        }
    }
    rows.retain(|row| !row.starts_with("fk_doctor") && !row.starts_with("sqlite"));
    rows.sort();
    rows
}

/// Parents are lost, their orphans are quarantined with all dependants, and the parents are loaded again: then the restored
/// database has every row that it had before.
#[test]
fn random_quarantine_is_restored_completely() {
    let cases: u64 = std::env::var("FK_DOCTOR_CASES").map_or(40, |cases| cases.parse().unwrap());
    let (mut restored, mut undone) = (0, 0);
    for seed in 0..cases {
        let mut random = Rng::with_seed(seed);
        let made = generated::schema(&mut random);
        let sql = made.sql().replace(" ON DELETE SET NULL", "").replace(" ON DELETE SET DEFAULT", "");
        let to_file = random.bool();
        let bench = Bench::new(&sql);
        let database = Connection::open(bench.path("app.db")).unwrap();
        for _ in 0..6 {
            generated::rows(&mut random, &database, &made);
        }
        generated::remove_orphans(&database);
        let before = contents(&bench);
        // The lost parents are kept beside, with their addresses.
        let parents: Vec<&str> = made
            .tables
            .iter()
            .flat_map(|table| &table.references)
            .filter_map(|(_, parent, _)| parent.split('(').next())
            .collect();
        let Some(parent) = random.choice(&parents) else { continue };
        let key = made.tables.iter().find(|table| table.name == **parent).unwrap().key.join(", ");
        database
            .execute_batch(&format!(
                "PRAGMA foreign_keys = OFF; CREATE TEMP TABLE lost AS SELECT * FROM {parent} WHERE 0"
            ))
            .unwrap();
        database.execute_batch(&format!("INSERT INTO lost SELECT * FROM {parent} LIMIT 3")).unwrap();
        database.execute_batch(&format!("DELETE FROM {parent} WHERE ({key}) IN (SELECT {key} FROM lost)")).unwrap();
        bench.write("r.toml", &rule(if to_file { "file = \"gone.ndjson\"" } else { "" }));
        let context = format!("seed {seed}\n{sql}\n{before:#?}");
        let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply", "--no-backup"]);
        assert_eq!(run.code, 0, "{context}\n{}{}", run.stdout, run.stderr);
        database.execute_batch(&format!("INSERT INTO {parent} SELECT * FROM lost")).unwrap();
        drop(database);
        let between = bench.dump();
        let mut arguments = vec!["restore", "app.db", "--apply", "--no-backup", "-o", "back.ndjson"];
        if to_file && bench.path("gone.ndjson").exists() {
            arguments.extend(["--file", "gone.ndjson"]);
        }
        if random.bool() {
            arguments.extend(["--batch", "1"]);
        }
        let run = bench.run(&arguments);
        assert_eq!(run.code, 0, "{context}\n{}{}", run.stdout, run.stderr);
        assert_eq!(contents(&bench), before, "{context}\n{}{}", run.stdout, run.stderr);
        restored += u64::from(run.stdout.contains("came back"));
        let run = bench.run(&["undo", "app.db", "back.ndjson", "--no-backup"]);
        assert_eq!(run.code, 0, "{context}\n{}{}", run.stdout, run.stderr);
        assert_eq!(bench.dump(), between, "{context}\n{}", run.stdout);
        undone += 1;
    }
    println!("{restored} restored, {undone} taken back");
    assert!(restored * 4 > undone, "the cases are worth judging");
}

/// The report is no wider than the terminal, also beside the long name of a table.
#[test]
fn report_wraps_beside_a_long_name() {
    let table = format!("history_of_{}", "player_".repeat(10));
    let bench = quarantined(
        &format!(
            "CREATE TABLE college(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO college VALUES (1, 'a'); \
             CREATE TABLE {table}(id INTEGER PRIMARY KEY, college_id INTEGER NOT NULL REFERENCES college(id)); \
             INSERT INTO {table} VALUES (1, 1), (2, 9), (3, 8), (4, 7), (5, 6), (6, 5)"
        ),
        "",
    );
    let (run, _) = planned(&bench, &[]);
    let longest = run.stdout.lines().max_by_key(|line| line.chars().count()).unwrap();
    assert!(run.stdout.contains(&table) && longest.chars().count() <= 100, "{}", run.stdout);
}
