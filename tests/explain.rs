//! Tests of `explain`: it names every failing reference, counts the affected rows, and leaves the database unchanged.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use serde_json::Value;

/// Explains a statement. Checks that the report obeys its schema, the file is unchanged and no other file is left.
fn explain(bench: &Bench, sql: &str) -> (i32, Value) {
    let before = std::fs::read(bench.path("app.db")).unwrap();
    let run = bench.run(&["explain", "app.db", sql, "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    common::assert_obeys("explain", &report);
    assert!(std::fs::read(bench.path("app.db")).unwrap() == before, "the file has changed");
    let left: Vec<_> = std::fs::read_dir(bench.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["app.db"]);
    (run.code, report)
}

fn fixture(name: &str) -> Bench {
    let seed = format!("{}/fixtures/{name}/seed.sql", env!("CARGO_MANIFEST_DIR"));
    Bench::new(&std::fs::read_to_string(seed).unwrap())
}

/// Returns relation, first missing key and first cause of every finding of a statement. Example:
/// `("c(r)->p(id)", "r = 7", "not-loaded-yet")`.
fn findings(statement: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    statement["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (text(&one["relation"]), one["top_missing"][0]["key"].to_string(), text(&one["diagnosis"][0]["cause"]))
        })
        .collect()
}

fn owned(found: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    found.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[test]
fn sentinel_value_is_replaced_by_null_only_where_allowed() {
    let schema = |null: &str| {
        format!(
            "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INT {null} REFERENCES p(id)); INSERT INTO p VALUES (1)"
        )
    };
    for (null, help) in [("", "write NULL instead"), ("NOT NULL", "INSERT INTO p(id) VALUES (0)")] {
        let (_, report) = explain(&Bench::new(&schema(null)), "INSERT INTO c VALUES (0)");
        let text = report["statements"][0]["findings"][0]["help"].as_str().unwrap();
        assert!(text.contains(help), "{text}");
    }
}

const FAMILY: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT UNIQUE NOT NULL);
    CREATE TABLE a(id INTEGER PRIMARY KEY, p INT REFERENCES p(id) ON DELETE CASCADE);
    CREATE TABLE b(id INTEGER PRIMARY KEY, a INT REFERENCES a(id) ON DELETE SET NULL ON UPDATE CASCADE);
    CREATE TABLE c(id INTEGER PRIMARY KEY, a INT REFERENCES a(id) ON DELETE RESTRICT, p INT REFERENCES p(id));
    CREATE TABLE n(id INTEGER PRIMARY KEY, up INT REFERENCES n(id) ON DELETE CASCADE);
    CREATE TABLE strict(id INTEGER PRIMARY KEY, p INT NOT NULL REFERENCES p(id) ON DELETE SET NULL);
    CREATE TABLE late(id INTEGER PRIMARY KEY, p INT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE ev(id INTEGER PRIMARY KEY, t TEXT CHECK (length(t) < 5));
    CREATE TABLE log(p INT REFERENCES p(id));
    CREATE TRIGGER tg AFTER INSERT ON ev BEGIN INSERT INTO log VALUES (new.id); END;
    INSERT INTO p VALUES (1, 'one'), (2, 'two'), (3, 'three');
    INSERT INTO a VALUES (10, 1), (11, 1), (12, 2); INSERT INTO b VALUES (20, 10), (21, 10), (22, 12);
    INSERT INTO c VALUES (30, 12, 3); INSERT INTO n VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 1);
    INSERT INTO strict VALUES (1, 3); INSERT INTO late VALUES (1, 99);";

#[test]
fn delete_shows_its_blast_radius_by_path_and_action() {
    let (code, report) = explain(&Bench::new(FAMILY), "DELETE FROM p WHERE id < 3");
    let statement = &report["statements"][0];
    assert_eq!((code, &statement["verdict"]), (1, &"refused".into()), "{report}");
    let a = &statement["radius"][0];
    assert_eq!((&a["relation"], &a["action"], &a["deleted"]), (&"a(p)->p(id)".into(), &"CASCADE".into(), &3.into()));
    let (b, c) = (&a["below"][0], &a["below"][1]);
    assert_eq!((&b["relation"], &b["action"], &b["changed"]), (&"b(a)->a(id)".into(), &"SET NULL".into(), &3.into()));
    assert_eq!((&c["relation"], &c["action"], &c["blocking"]), (&"c(a)->a(id)".into(), &"RESTRICT".into(), &1.into()));
    assert_eq!(findings(statement), owned(&[("c(a)->a(id)", r#"{"a":12}"#, "")]));

    let (code, report) = explain(&Bench::new(FAMILY), "DELETE FROM n WHERE id = 1");
    let branch = &report["statements"][0]["radius"][0];
    assert_eq!((code, &branch["deleted"], &branch["levels"]), (0, &4.into(), &4.into()));

    let (_, report) = explain(&Bench::new(FAMILY), "UPDATE a SET id = id + 100 WHERE id < 12");
    let branch = &report["statements"][0]["radius"][0];
    assert_eq!((&branch["event"], &branch["changed"]), (&"update".into(), &2.into()));
}

#[test]
fn failure_of_another_constraint_is_named() {
    for (sql, code, table, word) in [
        ("INSERT INTO p VALUES (9, 'one')", "duplicate-key", "p", "use another key"),
        ("INSERT INTO p(id) VALUES (9)", "not-null", "p", "give the column a value"),
        ("INSERT INTO ev VALUES (1, 'too long')", "check-failed", "", "CHECK"),
        ("INSERT INTO p VALUES ('x', 'y')", "value-refused", "", "column's type"),
        ("DELETE FROM p WHERE id = 3", "not-null", "strict", "allow NULL in the column"),
        ("INSERT INTO pp VALUES (1)", "statement-refused", "", "did you mean p?"),
        ("INSERT INTO p VALUES (?, ?)", "statement-refused", "", "--param"),
        ("INSRT INTO p VALUES (1)", "statement-refused", "", "rejected it before it ran"),
    ] {
        let (exit, report) = explain(&Bench::new(FAMILY), sql);
        let found = &report["statements"][0]["constraints"][0];
        assert_eq!((exit, &found["code"]), (1, &code.into()), "{sql}: {report}");
        assert_eq!(found["table"].as_str().unwrap_or_default(), table, "{sql}");
        assert!(found["help"].as_str().unwrap().contains(word), "{sql}: {report}");
    }
}

#[test]
fn statement_with_leading_comment_is_no_option() {
    let (code, report) = explain(&Bench::new(FAMILY), "-- who is it\nINSERT INTO log VALUES (9)");
    assert_eq!((code, &report["statements"][0]["line"]), (1, &2.into()), "{report}");
    let bench = Bench::new(FAMILY);
    let run = bench.run_in(&["explain", "--\tnothing\nSELECT 1"], &[("DATABASE_URL", "app.db")]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = bench.run(&["explain", "app.db", "UPDATE ev SET t = ?", "-p", "-- as it is"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(bench.run(&["explain", "app.db", "--formt", "json"]).code, 2);
}

#[test]
fn failing_trigger_is_named() {
    let (code, report) = explain(&Bench::new(FAMILY), "INSERT INTO ev VALUES (50, 'x')");
    let finding = &report["statements"][0]["findings"][0];
    assert_eq!((code, &finding["relation"]), (1, &"log(p)->p(id)".into()));
    assert!(finding["message"].as_str().unwrap().contains("through the trigger tg"), "{report}");
}

#[test]
fn old_orphan_is_distinguished_from_a_new_one() {
    let (code, report) = explain(&Bench::new(FAMILY), "UPDATE late SET p = p");
    assert_eq!(code, 1);
    let message = report["statements"][0]["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("it did so before"), "{message}");
    let (code, _) = explain(&Bench::new(FAMILY), "UPDATE late SET id = 7");
    assert_eq!(code, 0, "SQLite does not look at a key that is not named");
}

#[test]
fn deferred_reference_is_judged_at_commit() {
    let verdicts = |report: &Value| -> Vec<String> {
        report["statements"].as_array().unwrap().iter().map(|one| one["verdict"].as_str().unwrap().to_owned()).collect()
    };
    let fine = "BEGIN; INSERT INTO late VALUES (5, 50); INSERT INTO p VALUES (50, 'x'); COMMIT";
    let (code, report) = explain(&Bench::new(FAMILY), fine);
    assert_eq!((code, verdicts(&report)), (0, vec!["accepted".to_owned(); 4]), "{report}");
    let bad = "BEGIN; INSERT INTO late VALUES (5, 50), (6, 51); COMMIT";
    let (code, report) = explain(&Bench::new(FAMILY), bad);
    assert_eq!((code, verdicts(&report)), (1, ["accepted", "accepted", "refused"].map(str::to_owned).to_vec()));
    assert_eq!(report["statements"][2]["findings"][0]["rows"], 2);
}

/// SQLite only counts violations: one that disappears hides a new one.
#[test]
fn orphan_that_sqlite_accepts_is_reported() {
    let sql = "BEGIN; INSERT INTO late VALUES (2, 200); DELETE FROM late WHERE id = 1; COMMIT";
    let (code, report) = explain(&Bench::new(FAMILY), sql);
    let commit = &report["statements"][3];
    assert_eq!((code, &commit["verdict"]), (1, &"accepted".into()), "{report}");
    assert_eq!(findings(commit)[0].1, r#"{"p":200}"#);
    assert!(commit["remarks"][0].as_str().unwrap().contains("accepts it nevertheless"), "{report}");
}

#[test]
fn broken_definition_is_named_with_its_cause() {
    let bench = Bench::new(
        "CREATE TABLE k(v INT); CREATE TABLE q(id INTEGER PRIMARY KEY);
         CREATE TABLE m(x INT REFERENCES k(v), q INT REFERENCES q(id), g INT REFERENCES gone(id));",
    );
    let (code, report) = explain(&bench, "INSERT INTO m VALUES (1, 7, NULL)");
    let statement = &report["statements"][0];
    assert_eq!((code, &statement["verdict"]), (1, &"refused".into()));
    let codes: Vec<&str> =
        statement["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["parent-key-not-unique", "parent-table-missing", "would-fail", "would-fail"], "{report}");
}

#[test]
fn statement_with_outside_effects_is_not_run() {
    let bench = Bench::new(FAMILY);
    let outside = bench.path("outside.db").display().to_string();
    for sql in [
        format!("ATTACH '{outside}' AS o"),
        format!("VACUUM INTO '{outside}'"),
        "PRAGMA journal_mode = DELETE".to_owned(),
        "SELECT load_extension('x')".to_owned(),
        "SELECT fts3_tokenizer('simple')".to_owned(),
    ] {
        let (code, report) = explain(&bench, &sql);
        assert_eq!((code, &report["statements"][0]["verdict"]), (5, &"forbidden".into()), "{sql}");
    }
    assert!(!bench.path("outside.db").exists());
    let (code, report) = explain(&bench, "PRAGMA foreign_keys = OFF; INSERT INTO c(p) VALUES (77)");
    assert_eq!((code, &report["statements"][0]["verdict"]), (1, &"skipped".into()));
}

#[test]
fn parent_inserted_too_late_is_pointed_out() {
    let sql = "INSERT INTO c(p) VALUES (77);\nINSERT INTO p VALUES (77, 'late');\nINSERT INTO c(p) VALUES (77);
               CREATE TABLE new(r INT REFERENCES p(id));\nINSERT INTO new VALUES (78)";
    let (code, report) = explain(&Bench::new(FAMILY), sql);
    assert_eq!((code, &report["summary"]["would_fail"]), (1, &2.into()), "{report}");
    let help = report["statements"][0]["findings"][0]["help"].as_str().unwrap();
    assert!(help.contains("run the statement of line 2 first"), "{help}");
    assert_eq!(findings(&report["statements"][4])[0].0, "new(r)->p(id)");
}

#[test]
fn replaced_rows_are_counted() {
    let (code, report) = explain(&Bench::new(FAMILY), "REPLACE INTO p VALUES (4, 'one')");
    let statement = &report["statements"][0];
    assert_eq!(code, 0, "{report}");
    assert_eq!((&statement["effects"][0]["inserted"], &statement["effects"][0]["deleted"]), (&1.into(), &1.into()));
    assert_eq!(statement["radius"][0]["deleted"], 2);
}

#[test]
fn statements_from_file_or_pipe_are_read_and_bad_ones_reported() {
    let bench = Bench::new(FAMILY);
    std::fs::write(bench.path("a.sql"), "\u{feff}-- a comment\nDELETE FROM c;").unwrap();
    let run = bench.run(&["explain", "app.db", "--file", "a.sql"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    std::fs::write(bench.path("b.sql"), b"DELETE FROM \xff").unwrap();
    for arguments in [&["explain", "app.db", "--file", "b.sql"][..], &["explain", "app.db", "--file", "missing.sql"]] {
        let run = bench.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        for label in ["error: ", "because: ", "help: "] {
            assert!(run.stderr.contains(label), "{}", run.stderr);
        }
    }
    let run = bench.run(&["explain", "app.db", "INSERT INTO c(p) VALUES (?)", "--param", "3"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
}

fn explain_error(bench: &Bench, error: &str) -> (i32, Value) {
    let run = bench.run(&["explain", "app.db", "--error", error, "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    common::assert_obeys("explain", &report);
    (run.code, report)
}

#[test]
fn error_text_is_explained_by_statement_or_constraint_name() {
    let bench = fixture("multi-source-sync");
    let wrapped = "sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError) FOREIGN KEY constraint failed\n\
                   [SQL: INSERT INTO sync_run (knowledge_base_id) VALUES (?)]\n[parameters: (22,)]";
    let detail = "ERROR: insert or update on table \"sync_run\" violates foreign key constraint \"x\"\n\
                  DETAIL: Key (knowledge_base_id)=(22) is not present in table \"knowledge_base\".";
    for error in [wrapped, detail] {
        let (code, report) = explain_error(&bench, error);
        let expected =
            ("sync_run(knowledge_base_id)->knowledge_base(id)", r#"{"knowledge_base_id":22}"#, "wrong-table");
        assert_eq!((code, findings(&report["statements"][0])), (1, owned(&[expected])), "{error}");
    }
    let (code, report) = explain_error(&bench, &detail.replace("22", "1"));
    assert_eq!(code, 0);
    assert!(report["statements"][0]["remarks"][0].as_str().unwrap().contains("has 1 now"), "{report}");
    for (error, help) in [
        ("SqliteError: FOREIGN KEY constraint failed", "give the statement that failed"),
        (
            "a foreign key constraint fails (`d`.`sync_runs`, CONSTRAINT `k` FOREIGN KEY (`a`))",
            "did you mean sync_run?",
        ),
    ] {
        let (code, report) = explain_error(&bench, error);
        let text = report["statements"][0]["constraints"][0]["help"].as_str().unwrap();
        assert!(code == 1 && text.contains(help), "{text}");
    }
    let run = bench.run(&["explain", "app.db", "--error", "all is well"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
}

/// SQLite's error says only "FOREIGN KEY constraint failed". The explanation lists what the database makes likely.
#[test]
fn bare_error_lists_relations_that_may_have_failed() {
    let bare = "sqlite3.IntegrityError: FOREIGN KEY constraint failed";
    for (name, first) in [
        ("media-sources", "source_stage_statuses(source_id)->media_sources(source_id)"),
        ("multi-source-sync", "sync_run(knowledge_base_id)->knowledge_base(id)"),
        ("video-upscales", "veo3_video_upscales(video_id)->videos(id)"),
    ] {
        let (code, report) = explain_error(&fixture(name), bare);
        let statement = &report["statements"][0];
        assert_eq!((code, &statement["findings"][0]["relation"]), (1, &first.into()), "{report:#}");
        let remarks = statement["remarks"].to_string();
        assert!(
            remarks.contains("can have refused it") && remarks.contains("the error itself does not name a relation"),
            "{remarks}"
        );
    }
    let sound =
        Bench::new("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p); INSERT INTO p VALUES (1)");
    let (code, report) = explain_error(&sound, bare);
    let statement = &report["statements"][0];
    assert_eq!((code, statement["findings"].as_array().unwrap().len()), (1, 0), "{report:#}");
    assert!(statement["remarks"].to_string().contains("only c(r)->p(id) can have refused it"), "{report:#}");
    let several = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p, s REFERENCES p); INSERT INTO p VALUES (1)",
    );
    let remarks = explain_error(&several, bare).1["statements"][0]["remarks"].to_string();
    assert!(remarks.contains("c(r)->p(id), c(s)->p(id) can have refused it, and none stands out"), "{remarks}");
    let columns: Vec<String> = (0..6).map(|column| format!("r{column} REFERENCES p")).collect();
    let many = Bench::new(&format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c({}); INSERT INTO p VALUES (1)",
        columns.join(", ")
    ));
    let remarks = explain_error(&many, bare).1["statements"][0]["remarks"].to_string();
    assert!(remarks.contains("6 relations can have refused it, and none stands out"), "{remarks}");
    let broken = Bench::new(
        "CREATE TABLE k(v INT); CREATE TABLE m(x INT REFERENCES k(v)); CREATE TABLE n(x INT REFERENCES n(y), y INT UNIQUE)",
    );
    let (_, report) = explain_error(&broken, bare);
    assert_eq!(report["statements"][0]["findings"][0]["code"], "parent-key-not-unique", "{report:#}");
    let (_, report) =
        explain_error(&Bench::new(FAMILY), "Cannot delete or update a parent row: a foreign key constraint fails");
    let named: Vec<&str> = report["statements"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["relation"].as_str().unwrap())
        .collect();
    assert!(named.contains(&"c(a)->a(id)") && !named.contains(&"late(p)->p(id)"), "{named:?}");
}

/// No terminal escape sequence leaves the report, whether it comes from a statement, a name or a value.
#[test]
fn terminal_escapes_stay_inert() {
    let bench = Bench::new(
        "CREATE TABLE \"p\x1b[31m\"(id TEXT PRIMARY KEY); \
         CREATE TABLE \"c\u{202e}\"(\"r\x07\" TEXT REFERENCES \"p\x1b[31m\" ON DELETE CASCADE); \
         INSERT INTO \"p\x1b[31m\" VALUES ('a'); INSERT INTO \"c\u{202e}\" VALUES ('a')",
    );
    std::fs::write(bench.path("\x1b.csv"), "r\x07\n\x1b]0;x\x07\n").unwrap();
    for arguments in [
        &["explain", "app.db", "INSERT INTO \"c\u{202e}\" VALUES ('\x1b]0;owned\x07') /* \x1b */"][..],
        &["explain", "app.db", "DELETE FROM \"p\x1b[31m\""],
        &["explain", "app.db", "INSERT INTO \"\x1b[2J\" VALUES (1)"],
        &["explain", "app.db", "--error", "\x1b[31mforeign key constraint fails (`a`.`\x1b[2J`, CONSTRAINT `\x07`"],
        &["check", "app.db", "--table", "c\u{202e}", "\x1b.csv"],
        &["check", "app.db", "--table", "\x1b[2J", "\x1b.csv"],
    ] {
        for format in ["table", "json"] {
            let run = bench.run(&[arguments, &["--format", format]].concat());
            for text in [&run.stdout, &run.stderr] {
                let raw = text.chars().find(|&c| (c.is_control() && c != '\n') || c == '\u{202e}');
                assert_eq!(raw, None, "{arguments:?} {format}: {}", text.escape_debug());
            }
        }
    }
}

/// The copy contains rows that are only in the write-ahead log. The log stays unchanged.
#[test]
fn database_with_open_wal_is_copied_whole() {
    let bench =
        Bench::new("PRAGMA journal_mode = WAL; CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p)");
    let writer = rusqlite::Connection::open(bench.path("app.db")).unwrap();
    writer.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO p VALUES (7)").unwrap();
    let log = std::fs::read(bench.path("app.db-wal")).unwrap();
    let run =
        bench.run(&["explain", "app.db", "INSERT INTO c VALUES (7); INSERT INTO c VALUES (8)", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &report["summary"]["would_fail"]), (1, &1.into()), "{report}");
    assert!(std::fs::read(bench.path("app.db-wal")).unwrap() == log);
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO p VALUES (8)").unwrap();
    let run = bench.run(&["explain", "app.db", "INSERT INTO c VALUES (8)"]);
    assert_eq!(run.code, 1, "what is not committed is not there");
}

#[test]
fn endless_statement_ends_at_the_time_limit() {
    let sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) DELETE FROM c WHERE id IN (SELECT i FROM n)";
    let run = Bench::new(FAMILY).run(&["explain", "app.db", sql, "--timeout", "200ms"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(run.stderr.contains("time limit"), "{}", run.stderr);
}

#[test]
fn redacted_values_are_hidden_in_statements() {
    let bench = fixture("media-sources");
    std::fs::write(bench.path("fk-doctor.toml"), "[redact]\nvalues = \"mask\"\n").unwrap();
    let sql = "INSERT INTO source_stage_statuses(source_id, stage, status) VALUES ('secret', 'queue', 'waiting')";
    for format in ["table", "json"] {
        let run = bench.run(&["explain", "app.db", sql, "--format", format]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(!run.stdout.contains("secret") && run.stdout.contains("***"), "{}", run.stdout);
    }
}

/// The texts are the error of the first story as programs, shells and people write it. In each of them the reference
/// is found, with its key where the text has one. No text leads to a syntax error.
#[test]
fn error_inside_any_text_is_recognised() {
    let bench = fixture("media-sources");
    let insert = "INSERT INTO source_stage_statuses (source_id, stage, status) VALUES";
    let failed = "FOREIGN KEY constraint failed";
    let with_key = [
        format!("sqlite> {insert} ('abc', 'q', 'w');\nRuntime error: {failed} (19)"),
        format!("Error: stepping, {failed} (19)\nsql: {insert} ('abc', 'q', 'w')"),
        format!(
            "Executing query:\nINSERT INTO source_stage_statuses\n    (source_id, stage, status)\nVALUES\n    (?, ?, ?)\nparams: ['abc', 'q', 'w']\nError: {failed}"
        ),
        format!(
            "[Error: SQLITE_CONSTRAINT: {failed}] errno: 19 sql: \"{insert} ($1, $2, $3)\" parameters: ['abc','q','w']"
        ),
        format!(
            "SequelizeForeignKeyConstraintError: SQLITE_CONSTRAINT: {failed}\n  sql: '{insert} ($1,$2,$3);',\n  parameters: [ 'abc', 'q', 'w' ]"
        ),
        format!("error returned from database: (code: 787) {failed}\nquery=\"{insert} ('abc', 'q', 'w')\""),
        format!(
            "ActiveRecord::InvalidForeignKey (SQLite3::ConstraintException: {failed}: {insert} (?, ?, ?) [[\"source_id\", \"abc\"], [\"stage\", \"q\"], [\"status\", \"w\"]]"
        ),
        format!("{failed}: {insert} (?, ?, ?) with parameters ('abc', 'q', 'w')"),
        format!("(sqlite3.IntegrityError) {failed}\n[SQL: {insert} (?, ?, ?)]\n[parameters: ('abc', 'q', 'w')]"),
        format!(
            "SQLSTATE[23000]: Integrity constraint violation: 19 {failed} (Connection: sqlite, SQL: {insert} ('abc', 'q', 'w'))"
        ),
    ];
    let relation = "source_stage_statuses(source_id)->media_sources(source_id)";
    for text in &with_key {
        let (code, report) = explain_error(&bench, text);
        let expected = (relation, r#"{"source_id":"abc"}"#, "unknown");
        assert_eq!((code, findings(&report["statements"][0])), (1, owned(&[expected])), "{text}\n{report:#}");
    }
    let without_key = [
        format!(
            "sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError) {failed}\n[SQL: INSERT INTO source_stage_statuses (source_id, stage, ...) VALUES (?, ?, ...)]\n[parameters: ('abc', ... 3 parameters truncated ...)]"
        ),
        format!("{failed}\n[SQL: {insert} (?, ?, ?)]\n[SQL parameters hidden due to hide_parameters=True]"),
        format!("{failed}: UPDATE of source_stage_statuses for abc failed because media_sources has no such row"),
        format!("{failed}: INSERT INTO source_stage_statuses before media_sources exists"),
        format!("{failed}: DELETE FROM media_sources WHERE source_id = ?"),
        format!("{failed}: {insert} ('abc', 'q"),
        format!("IntegrityError('{failed}') while executing INSERT INTO source_stage_statuses"),
        format!("`source_stage_statuses(source_id)` → `media_sources(source_id)`: {failed}"),
        format!(
            "## Media sources\nA status is written first, and the app crashes:\n```\n  File \"/app/db.py\", line 41, in queue\n    \
             cursor.execute(\"{insert} (?, ?, ?)\", (source_id, stage, status))\nsqlite3.IntegrityError: {failed}\n```\n\
             `source_stage_statuses(source_id)` is written before `media_sources(source_id)`."
        ),
        format!("{failed} [SQL: ;;;; ((( ]"),
    ];
    for text in &without_key {
        let (code, report) = explain_error(&bench, text);
        let statement = &report["statements"][0];
        assert_eq!((code, &statement["findings"][0]["relation"]), (1, &relation.into()), "{text}\n{report:#}");
        assert!(!statement["verdict"].to_string().contains("syntax"), "{text}\n{report:#}");
        assert!(!statement["constraints"].to_string().contains("syntax error"), "{text}\n{report:#}");
        assert!(!statement["message"].to_string().contains("syntax error"), "{text}\n{report:#}");
    }
    // A text cut at any position gets an answer about the foreign key, and never one about SQL.
    for text in with_key.iter().chain(&without_key) {
        for end in (0..text.len()).step_by(23).filter(|end| text.is_char_boundary(*end)) {
            let run = bench.run(&["explain", "app.db", "--error", &text[..end], "--format", "json"]);
            assert!([1, 2].contains(&run.code), "{}\n{}{}", &text[..end], run.stdout, run.stderr);
            let report: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
            for statement in report["statements"].as_array().into_iter().flatten() {
                let statement = Value::Array(vec![
                    statement["verdict"].clone(),
                    statement["message"].clone(),
                    statement["constraints"].clone(),
                ]);
                assert!(!statement.to_string().contains("syntax error"), "{}\n{report:#}", &text[..end]);
            }
        }
    }
    // An unknown table is reported with the nearest existing name.
    let (code, report) = explain_error(
        &bench,
        &format!("{failed}\n[SQL: INSERT INTO source_stage_status (source_id) VALUES (?)]\n[parameters: (1,)]"),
    );
    let statement = &report["statements"][0]["constraints"][0];
    assert_eq!((code, &statement["help"]), (1, &"did you mean source_stage_statuses?".into()), "{report:#}");
}
