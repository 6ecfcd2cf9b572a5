//! Triggers that insert the parent of a row that arrives first. The application's statements then succeed.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use rusqlite::Connection;

fn story() -> Bench {
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/media-sources/seed.sql");
    Bench::new(&std::fs::read_to_string(seed).unwrap())
}

/// A connection of the application, which enforces foreign keys.
fn application(bench: &Bench) -> Connection {
    let database = Connection::open(bench.path("app.db")).unwrap();
    database.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    database
}

const STATUS: &str = "INSERT INTO source_stage_statuses(source_id, stage, status, metadata) VALUES ('abc', 'queue', 'waiting', '{\"url\": \"https://a.b/abc\"}')";
const REAL: &str = "INSERT INTO media_sources VALUES ('abc', 'vimeo', 'A film', 'https://a.b/abc') \
    ON CONFLICT(source_id) DO UPDATE SET source_type = excluded.source_type, title = excluded.title, url = excluded.url";

#[test]
fn status_before_its_source_gets_a_placeholder() {
    let bench = story();
    assert!(application(&bench).execute_batch(STATUS).is_err(), "this is what fails today");
    let dump = bench.dump();
    let dry = bench.run(&["repair", "app.db", "--rules", "media-sources", "--prevent", "-o", "plan"]);
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
    assert!(dry.stdout.contains("trigger fk_doctor_prevent_source_stage_statuses_source_id_insert"), "{}", dry.stdout);
    assert!(dry.stdout.contains("ON CONFLICT … DO UPDATE"), "{}", dry.stdout);
    assert_eq!(bench.dump(), dump);
    let json = bench.run(&["repair", "app.db", "--rules", "media-sources", "--prevent", "--format", "json"]);
    common::assert_obeys("repair", &serde_json::from_str(&json.stdout).unwrap());
    let applied = bench.run(&["apply", "app.db", "plan"]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let prevented = bench.dump();

    let application = application(&bench);
    application.execute_batch(STATUS).unwrap();
    let source = "SELECT source_type || '|' || title || '|' || url FROM media_sources WHERE source_id = 'abc'";
    assert_eq!(bench.value(source), "'youtube|Queued: abc|https://a.b/abc'");
    application.execute_batch(STATUS).unwrap();
    application.execute_batch(REAL).unwrap();
    assert_eq!(bench.value(source), "'vimeo|A film|https://a.b/abc'");
    assert_eq!(bench.value("SELECT count(*) FROM source_stage_statuses WHERE source_id = 'abc'"), "2");
    application.execute_batch("UPDATE source_stage_statuses SET source_id = 'moved' WHERE id = 1").unwrap();
    assert_eq!(bench.scan().0, 0);

    // If the address of another source conflicts with a placeholder, the placeholder is not inserted, and nothing is
    // replaced.
    let clash = "INSERT OR REPLACE INTO source_stage_statuses(source_id, stage, status, metadata) \
        VALUES ('other', 'q', 'w', '{\"url\": \"https://a.b/abc\"}')";
    assert!(application.execute_batch(clash).unwrap_err().to_string().contains("FOREIGN KEY"));
    assert_eq!(bench.value(source), "'vimeo|A film|https://a.b/abc'");

    let again = bench.run(&["repair", "app.db", "--rules", "media-sources", "--prevent"]);
    assert!(again.stdout.starts_with("○ nothing to do: app.db has no orphan rows"), "{}", again.stdout);
    application
        .execute_batch(
            "DELETE FROM source_stage_statuses WHERE source_id = 'abc';
             UPDATE source_stage_statuses SET source_id = 'dQw4w9WgXcQ' WHERE id = 1;
             DELETE FROM media_sources WHERE source_id IN ('abc', 'moved')",
        )
        .unwrap();
    assert_eq!(bench.dump(), prevented);
    let undone = bench.run(&["undo", "app.db", "plan"]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_eq!(bench.dump(), dump);
}

/// Without the plan the triggers can be dropped, whatever orphans exist, and restored.
#[test]
fn triggers_with_orphans_left_can_be_dropped() {
    let bench = story();
    let dump = bench.dump();
    let rule = ["repair", "app.db", "--rules", "media-sources", "--prevent", "-o", "plan", "--apply", "--no-backup"];
    assert_eq!(bench.run(&rule).code, 0);
    let prevented = bench.dump();
    bench.execute("DELETE FROM media_sources WHERE source_id = 'jNQXAC9IVRw'");
    let dropped = bench.run(&[
        "repair",
        "app.db",
        "--no-prevent",
        "source_stage_statuses(*)",
        "-o",
        "drop",
        "--apply",
        "--no-backup",
    ]);
    assert_eq!(dropped.code, 6, "an orphan is left: {}{}", dropped.stdout, dropped.stderr);
    assert_eq!(bench.value("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), "0");
    assert_eq!(bench.run(&["undo", "app.db", "drop", "--no-backup"]).code, 0);
    bench.execute("INSERT INTO media_sources VALUES ('jNQXAC9IVRw', 'youtube', 'At the zoo', 'https://www.youtube.com/watch?v=jNQXAC9IVRw')");
    assert_eq!(bench.dump().lines().count(), prevented.lines().count());
    assert_eq!(bench.run(&["undo", "app.db", "plan", "--no-backup"]).code, 0);
    assert_eq!(bench.dump().lines().count(), dump.lines().count());
}

/// The script has the same effect as the plan.
#[test]
fn prevent_script_equals_the_plan() {
    let bench = story();
    let script = bench.run(&["repair", "app.db", "--rules", "media-sources", "--prevent", "--format", "sql"]).stdout;
    bench.execute(&script);
    let by_script = bench.dump();
    let other = story();
    other.run(&["repair", "app.db", "--rules", "media-sources", "--prevent", "--apply"]);
    assert_eq!(other.dump(), by_script, "{script}");
    assert!(script.contains("-- Made by fk-doctor, by its rule media-sources"), "{script}");
    application(&bench).execute_batch(STATUS).unwrap();
}

/// Composite keys with odd names, `via`, defaults, columns that need a value, and a rule that changes.
#[test]
fn trigger_placeholder_fills_every_required_column() {
    let bench = Bench::new(
        "CREATE TABLE \"odd \"\"p\"(b INT, a TEXT, n INT NOT NULL, t TEXT NOT NULL UNIQUE, j JSON NOT NULL,
             d TEXT NOT NULL DEFAULT 'given', g AS (n + 1), PRIMARY KEY(a, b)) STRICT, WITHOUT ROWID;"
            .replace(" STRICT,", "")
            .as_str(),
    );
    bench.execute(
        "CREATE TABLE known(k TEXT PRIMARY KEY, v TEXT); INSERT INTO known VALUES ('x', 'from via');
         CREATE TABLE \"the child\"(id INTEGER PRIMARY KEY, \"k 1\" TEXT, k2 INT, note TEXT,
             FOREIGN KEY(\"k 1\", k2) REFERENCES \"odd \"\"p\"(a, b));",
    );
    let rule = |more: &str| {
        format!(
            "id = \"r\"\nrelation.child = \"the child(*)\"\n[[treat]]\naction = \"placeholder\"\n{more}\n\
             [[treat]]\naction = \"prevent\"\n"
        )
    };
    bench.write("r.toml", &rule("values = { t = \"{child.note} of {key.a}-{key.k2}\" }"));
    let dump = bench.dump();
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan", "--apply"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let application = application(&bench);
    application
        .execute_batch(
            "INSERT INTO \"the child\" VALUES (1, 'x', 5, 'note'), (2, NULL, 5, 'none'), (3, 'x', 5, 'more')",
        )
        .unwrap();
    assert_eq!(
        bench.value("SELECT group_concat(concat_ws('|', a, b, n, t, j, d)) FROM \"odd \"\"p\""),
        "'x|5|0|note of x-5|{}|given'"
    );
    application.execute_batch("DELETE FROM \"the child\"; DELETE FROM \"odd \"\"p\"").unwrap();

    // A new placeholder of the same rule replaces the triggers. Undo restores the earlier ones.
    let first = bench.dump();
    bench.write("r.toml", "id = \"r\"\nrelation.child = \"the child(*)\"\n[[treat]]\naction = \"placeholder\"\nvalues = { t = 'other' }\n[[treat]]\naction = \"prevent\"\n");
    let changed = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "second", "--apply"]);
    assert_eq!(changed.code, 0, "{}{}", changed.stdout, changed.stderr);
    application.execute_batch("INSERT INTO \"the child\" VALUES (1, 'x', 5, 'note')").unwrap();
    assert_eq!(bench.value("SELECT t FROM \"odd \"\"p\""), "'other'");
    application.execute_batch("DELETE FROM \"the child\"; DELETE FROM \"odd \"\"p\"").unwrap();
    assert_eq!(bench.run(&["undo", "app.db", "second"]).code, 0);
    assert_eq!(bench.dump(), first);
    assert_eq!(bench.run(&["undo", "app.db", "plan"]).code, 0);
    assert_eq!(bench.dump(), dump);
}

/// Only keys that `via` contains get a placeholder. Others are refused as before.
#[test]
fn trigger_with_via_makes_parents_only_for_via_keys() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE TABLE known(k INT UNIQUE, v TEXT);
         INSERT INTO known VALUES (5, 'five'); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id));",
    );
    bench.write(
        "r.toml",
        "id = \"r\"\nrelation.child = \"c(r)\"\n[[treat]]\naction = \"placeholder\"\nvia = \"known(k)\"\n\
         values = { name = \"{via.v}\" }\n[[treat]]\naction = \"prevent\"\n",
    );
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let application = application(&bench);
    application.execute_batch("INSERT INTO c VALUES (1, 5)").unwrap();
    assert_eq!(bench.value("SELECT name FROM p WHERE id = 5"), "'five'");
    assert!(application.execute_batch("INSERT INTO c VALUES (2, 6)").is_err());
}

#[test]
fn unsupported_prevent_is_refused_with_reason() {
    let bench = Bench::new(
        "CREATE TABLE o(id INTEGER PRIMARY KEY); CREATE TABLE p(id INTEGER PRIMARY KEY, o INT NOT NULL REFERENCES o(id));
         CREATE TABLE c(id INTEGER PRIMARY KEY REFERENCES p(id), r INT REFERENCES p(id));",
    );
    let dump = bench.dump();
    let placeholder = "[[treat]]\naction = \"placeholder\"\n";
    for (child, treat, code, text) in [
        ("c(r)", String::new(), 2, "`prevent` needs a `placeholder` treatment in the same rule"),
        ("c(r)", placeholder.to_owned(), 5, "needs a parent itself (p(o)->o(id)): give o in `values`"),
        ("c(id)", format!("{placeholder}values = {{ o = 1 }}\n"), 5, "is the row's own address"),
        (
            "c(r)",
            format!("{placeholder}key = \"new\"\nvalues = {{ o = 1 }}\n"),
            5,
            "gives the child row another key, and a trigger cannot do that",
        ),
    ] {
        bench.write(
            "r.toml",
            &format!("id = \"r\"\nrelation.child = \"{child}\"\n{treat}[[treat]]\naction = \"prevent\"\n"),
        );
        let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply"]);
        assert_eq!(run.code, code, "{text}: {}{}", run.stdout, run.stderr);
        let all = common::in_one_line(&format!("{}{}", run.stdout, run.stderr));
        assert!(all.contains(text), "{text}: {}{}", run.stdout, run.stderr);
        assert_eq!(bench.dump(), dump);
    }
    let run = bench.run(&["repair", "app.db", "--rules", "near-misses", "--prevent"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("none of the rules has a `placeholder`"), "{}", run.stderr);
}

/// For all column types and collations: a row with a parent gets no placeholder, and a row without gets one that the
/// database accepts as its parent.
#[test]
fn trigger_compares_keys_like_the_foreign_key() {
    let types = [
        "INTEGER PRIMARY KEY",
        "TEXT UNIQUE",
        "TEXT UNIQUE COLLATE NOCASE",
        "BLOB UNIQUE",
        "NUMERIC UNIQUE",
        "REAL UNIQUE",
    ];
    let children = ["INTEGER", "TEXT", "TEXT COLLATE NOCASE", "", "NUMERIC", "REAL"];
    let values = [
        "1",
        "'1'",
        "' 1'",
        "1.0",
        "'1.0'",
        "1.5",
        "'1.5'",
        "'a'",
        "'A'",
        "x'61'",
        "x'31'",
        "NULL",
        "9223372036854775807",
        "-0.0",
    ];
    let (mut made, mut had) = (0, 0);
    for (parent, child) in types.iter().flat_map(|parent| children.iter().map(move |child| (parent, child))) {
        let seed = format!(
            "CREATE TABLE p(k {parent}, x DEFAULT 5); INSERT OR IGNORE INTO p(k) SELECT column1 FROM (VALUES (1), ('a'), (1.5)) \
             WHERE typeof(column1) = 'integer' OR {};
             CREATE TABLE c(id INTEGER PRIMARY KEY, r {child} REFERENCES p(k));",
            !parent.contains("PRIMARY")
        );
        let (plain, prevented) = (Bench::new(&seed), Bench::new(&seed));
        prevented.write("r.toml", "id = \"r\"\nrelation.child = \"c(r)\"\n[[treat]]\naction = \"placeholder\"\n[[treat]]\naction = \"prevent\"\n");
        let run = prevented.run(&["repair", "app.db", "--rules", "r.toml", "--apply", "--no-backup"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        let (before, after) = (application(&plain), application(&prevented));
        let parents = |database: &Connection| -> i64 {
            database.query_row("SELECT count(*) FROM p", [], |row| row.get(0)).unwrap()
        };
        for value in values {
            for write in [
                format!("INSERT INTO c VALUES (1, {value})"),
                format!("INSERT INTO c VALUES (1, NULL); UPDATE c SET r = {value}"),
            ] {
                let context = format!("{parent} {child} {write}");
                for database in [&before, &after] {
                    database.execute_batch("DELETE FROM c; BEGIN").unwrap();
                }
                let known = parents(&after);
                let (plainly, with_trigger) = (before.execute_batch(&write), after.execute_batch(&write));
                let new = parents(&after) - known;
                match (plainly, with_trigger) {
                    (Ok(()), Ok(())) => {
                        assert_eq!(new, 0, "{context}: it had its parent");
                        had += 1;
                    }
                    (Ok(()), Err(error)) => panic!("{context}: {error}"),
                    (Err(_), Ok(())) => {
                        assert_eq!(new, 1, "{context}");
                        made += 1;
                    }
                    // No parent can have such a key.
                    (Err(_), Err(error)) => {
                        let too_large = parent.contains("REAL") && value.len() > 18;
                        assert!(parent.contains("PRIMARY") || too_large, "{context}: {error}");
                    }
                }
                let broken = "SELECT count(*) FROM pragma_foreign_key_check";
                let broken: i64 = after.query_row(broken, [], |row| row.get(0)).unwrap();
                assert_eq!(broken, 0, "{context}");
                before.execute_batch("ROLLBACK").unwrap();
                after.execute_batch("ROLLBACK").unwrap();
            }
        }
    }
    assert!(made > 300 && had > 300, "{made} {had}");
}

/// Triggers run in the application's SQLite. The version that a rule's expression requires is reported before anything
/// is written, and in the trigger. Other triggers work in an older SQLite, here Python's.
#[test]
fn trigger_states_its_minimum_sqlite_version() {
    for (expression, takes) in [
        ("upper(key.r) || '!'", None),
        ("printf('%s-%d', key.r, length(key.r))", None),
        ("coalesce(NULLIF(trim(key.r), ''), 'concat(none)')", None),
        ("(SELECT count(*) FROM p WHERE id <> key.r)", None),
        ("iif(length(key.r) > 1, 'long', 'short')", Some((32, "iif()"))),
        ("concat('x', key.r)", Some((44, "concat()"))),
        ("json_object('key', key.r) ->> '$.key'", Some((38, "json_object()"))),
        ("coalesce(unhex('61'), key.r)", Some((41, "unhex()"))),
    ] {
        let bench = Bench::new(
            "CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL); CREATE TABLE c(id INTEGER PRIMARY KEY, r TEXT REFERENCES p(id))",
        );
        bench.write(
            "r.toml",
            &format!(
                "id = \"r\"\nrelation.child = \"c(r)\"\n[[treat]]\naction = \"placeholder\"\n\
                 values = {{ name = {{ sql = \"\"\"{expression}\"\"\" }} }}\n[[treat]]\naction = \"prevent\"\n"
            ),
        );
        let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply", "--no-backup"]);
        assert_eq!(run.code, 0, "{expression}: {}{}", run.stdout, run.stderr);
        let text = common::in_one_line(&run.stdout);
        let trigger = bench.value("SELECT group_concat(sql) FROM sqlite_schema WHERE type = 'trigger'");
        match takes {
            None => {
                assert!(!text.contains("needs SQLite") && !trigger.contains("takes SQLite"), "{expression}: {text}")
            }
            Some((minor, feature)) => {
                assert!(
                    text.contains(&format!(
                        "the triggers use {feature}: each program that writes to the table needs SQLite 3.{minor}"
                    )),
                    "{expression}: {text}"
                );
                assert!(
                    trigger.contains(&format!("-- For {feature} it takes SQLite 3.{minor}")),
                    "{expression}: {trigger}"
                );
            }
        }
        let insert = "import sqlite3; d = sqlite3.connect('app.db'); d.execute('PRAGMA foreign_keys = ON'); \
                      d.execute(\"INSERT INTO c(r) VALUES ('a')\"); d.commit(); print('taken')";
        // The minor version: 3.40 is 40.
        let version = "import sqlite3; print(sqlite3.sqlite_version_info[1])";
        // `tests/run` installs it.
        if std::process::Command::new("python3").arg("--version").output().is_err() {
            assert!(std::env::var_os("FK_DOCTOR_TEST_SERVERS").is_none(), "python3 is missing");
            continue;
        }
        let theirs = bench.run_program("python3", &["-c", version], &[]).stdout.trim().parse::<u16>().unwrap();
        let wanted = takes.map_or(24, |(minor, _)| minor);
        let run = bench.run_program("python3", &["-c", insert], &[]);
        assert_eq!(run.stdout.contains("taken"), theirs >= wanted, "{expression} on 3.{theirs}: {}", run.stderr);
    }
}
