//! `explain` and `check` in the database file itself: not a byte changes, whatever happens, and the answer is that of a
//! copy.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(clippy::print_stdout, reason = "how much was tried is a figure to report")]

use crate::common;
use crate::corpus;
use crate::explain_differential;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use common::Bench;
use fk_doctor::internals::engine::Deadline;
use fk_doctor::internals::engine::EngineError;
use fk_doctor::internals::engine::TrialChoice;
use fk_doctor::internals::engine::TrialOptions;
use fk_doctor::internals::engine::WaitLimits;
use fk_doctor::internals::engines;
use fk_doctor::internals::explain;
use fk_doctor::internals::explain::ExplainOptions;
use fk_doctor::internals::model::catalog::Engine;
use fk_doctor::internals::model::redaction::Redaction;
use fk_doctor::internals::model::resolve;
use fk_doctor::internals::source::Source;
use fk_doctor::internals::sql::read::statements;
use rusqlite::Connection;

/// A family of tables with triggers and every action of foreign keys.
fn family(children: usize) -> String {
    format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE counts(n INT); INSERT INTO counts VALUES (0);
        CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) ON DELETE CASCADE ON UPDATE CASCADE, note TEXT);
        CREATE TABLE n(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) ON DELETE SET NULL);
        CREATE TABLE d(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE k(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) ON DELETE RESTRICT); CREATE INDEX cr ON c(r);
        CREATE INDEX nr ON n(r); CREATE INDEX dr ON d(r); CREATE INDEX kr ON k(r);
        CREATE TRIGGER counted AFTER UPDATE OF note ON c BEGIN UPDATE counts SET n = n + 1; END;
        CREATE TRIGGER refused BEFORE INSERT ON p WHEN NEW.name = 'rollback' BEGIN SELECT RAISE(ROLLBACK, 'rolled back'); END;
        WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 200) INSERT INTO p SELECT x, 'p' || x FROM i;
        WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < {children})
        INSERT INTO c SELECT x, x % 200 + 1, 'a note of some length, number ' || x FROM i;
        INSERT INTO n SELECT id, id FROM p; INSERT INTO d SELECT id, id FROM p WHERE id < 50; INSERT INTO k VALUES (1, 200);"
    )
}

/// The files of a folder with their bytes and times of change, without the index of the write-ahead log, which every reader
/// writes to.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let file = |entry: std::fs::DirEntry| {
        let changed = entry.metadata().unwrap().modified().unwrap();
        (entry.file_name().into_string().unwrap(), (std::fs::read(entry.path()).unwrap(), changed))
    };
    entries.map(file).filter(|(name, _)| !name.ends_with("-shm")).collect()
}

fn assert_untouched(before: &BTreeMap<String, (Vec<u8>, SystemTime)>, folder: &Path, context: &str) {
    let after = files(folder);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{context}");
    for (name, (bytes, changed)) in before {
        assert!(after[name].0 == *bytes, "{context}: the bytes of {name} changed");
        assert_eq!(after[name].1, *changed, "{context}: {name} was written");
    }
}

/// Creates a database in a journal mode. In WAL mode the log has content that is not in the file, and a connection keeps it.
fn database(mode: &str, children: usize) -> (Bench, Option<Connection>) {
    let bench = Bench::new(&format!("PRAGMA journal_mode = {mode}; {}", family(children)));
    let writer = (mode == "wal").then(|| {
        let writer = Connection::open(bench.path("app.db")).unwrap();
        writer.execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE counts SET n = 1").unwrap();
        assert!(std::fs::metadata(bench.path("app.db-wal")).unwrap().len() > 0);
        writer
    });
    (bench, writer)
}

/// SQLite would write changed pages to the file if they did not fit into its cache, which has 2 MB.
fn more_updated_rows_than_the_cache_holds_leave_every_byte(mode: &str) {
    let (bench, _writer) = database(mode, 150_000);
    let before = files(&bench.path("."));
    assert!(before["app.db"].0.len() > 8_000_000);
    let run = bench.run(&["explain", "app.db", "--in-place", "UPDATE c SET note = note || '!'"]);
    assert_eq!(run.code, 0, "{mode}: {}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("150,000"), "{}", run.stdout);
    assert!(run.stdout.contains("tried   in app.db itself, and taken back"), "{}", run.stdout);
    assert_untouched(&before, &bench.path("."), mode);
}

#[test]
fn more_updated_rows_than_the_cache_holds_leave_every_byte_of_a_file_with_a_journal() {
    more_updated_rows_than_the_cache_holds_leave_every_byte("delete");
}

#[test]
fn more_updated_rows_than_the_cache_holds_leave_every_byte_of_a_file_with_a_log() {
    more_updated_rows_than_the_cache_holds_leave_every_byte("wal");
}

const SCRIPTS: &[&str] = &[
    "DELETE FROM p WHERE id < 150",
    "DELETE FROM p WHERE id = 200",
    "UPDATE p SET id = id + 1000 WHERE id < 20",
    "INSERT INTO c VALUES (100001, 77, 'x'), (100002, 7777, 'y')",
    "REPLACE INTO p VALUES (3, 'again')",
    "INSERT INTO d VALUES (1000, 9999)",
    "DELETE FROM p WHERE id = 10; INSERT INTO p VALUES (10, 'back'); DELETE FROM p WHERE id = 10",
    "BEGIN; INSERT INTO d VALUES (1000, 9999); COMMIT; INSERT INTO p(id) VALUES (9999); COMMIT; SELECT * FROM d",
    "BEGIN; INSERT INTO d VALUES (1000, 9999); ROLLBACK; INSERT INTO d VALUES (1000, 1)",
    "BEGIN; BEGIN; END; END; ROLLBACK; RELEASE nothing; ROLLBACK TO nothing",
    "SAVEPOINT a; INSERT INTO d VALUES (1000, 9999); SAVEPOINT b; DELETE FROM d; ROLLBACK TO b; RELEASE A; \
     DELETE FROM d WHERE id = 1000; RELEASE a; RELEASE a",
    "BEGIN; SAVEPOINT a; INSERT INTO c VALUES (100001, 1, ''); RELEASE a; ROLLBACK TO a; COMMIT",
    "INSERT INTO p VALUES (1000, 'kept'); BEGIN; INSERT INTO p VALUES (1001, 'lost'); INSERT INTO p VALUES (1002, 'rollback'); \
     INSERT INTO c VALUES (100001, 1000, ''); INSERT INTO c VALUES (100002, 1001, ''); COMMIT",
    "BEGIN; INSERT INTO p VALUES (1000, 'kept'); COMMIT; INSERT OR ROLLBACK INTO p VALUES (1, 'taken'); \
     INSERT INTO c VALUES (100001, 1000, '')",
    "BEGIN; PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (100001, 5000, ''); INSERT INTO p VALUES (5000, ''); COMMIT; \
     INSERT INTO c VALUES (100002, 5001, ''); INSERT INTO p VALUES (1002, 'rollback'); DELETE FROM p WHERE id = 5000",
    "PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (100001, 5000, ''); INSERT INTO c VALUES (100002, 5000, '')",
    "PRAGMA foreign_keys = OFF; PRAGMA journal_mode = OFF; PRAGMA wal_checkpoint; VACUUM; ATTACH 'other.db' AS o",
    "CREATE TABLE x(r REFERENCES p(id)); INSERT INTO x VALUES (1), (77777); DROP TABLE x; ALTER TABLE c ADD COLUMN more INT; \
     INSERT INTO c(id, r) VALUES (100001, 77777); DROP TABLE p",
    "BEGIN; CREATE TABLE x(r REFERENCES p(id)); INSERT INTO x VALUES (1); ROLLBACK; INSERT INTO x VALUES (1)",
    "CREATE TRIGGER t AFTER INSERT ON n BEGIN DELETE FROM p WHERE id = NEW.r; END; INSERT INTO n VALUES (500, 5), (501, 200)",
    "CREATE TEMP TABLE x(a); INSERT INTO x VALUES (1); CREATE INDEX i ON c(note); REINDEX; ANALYZE; SELECT 1",
    "DROP TABLE p; DROP TABLE k; UPDATE OR IGNORE p SET id = 1; UPDATE nothing SET a = 1; not SQL at all",
];

/// Returns the JSON report without the way in which it was tried.
fn report(run: &common::Run) -> serde_json::Value {
    let mut report: serde_json::Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr));
    report["trial"] = serde_json::Value::Null;
    report
}

fn assert_equal_answers(bench: &Bench, path: &str, arguments: &[&str]) {
    let run = |choice: &str| {
        let words = [&arguments[..1], &[path, "--format", "json", choice], &arguments[1..]].concat();
        bench.run(&words)
    };
    let (copy, in_place) = (run("--copy"), run("--in-place"));
    assert_eq!(report(&copy), report(&in_place), "{arguments:?}");
    assert_eq!((copy.code, &copy.stderr), (in_place.code, &in_place.stderr), "{arguments:?}");
    assert!(copy.stdout.contains("\"method\": \"copy\""), "{}", copy.stdout);
    assert!(in_place.stdout.contains("\"method\": \"in-place\""), "{}", in_place.stdout);
}

/// Scripts are tried in a database of each journal mode.
fn script_has_the_answer_of_a_copy(mode: &str) {
    let (bench, _writer) = database(mode, 400);
    let before = files(&bench.path("."));
    for script in SCRIPTS {
        assert_equal_answers(&bench, "app.db", &["explain", script]);
        assert_untouched(&before, &bench.path("."), script);
    }
}

#[test]
fn script_has_the_answer_of_a_copy_beside_a_deleted_journal() {
    script_has_the_answer_of_a_copy("delete");
}

#[test]
fn script_has_the_answer_of_a_copy_beside_a_truncated_journal() {
    script_has_the_answer_of_a_copy("truncate");
}

#[test]
fn script_has_the_answer_of_a_copy_beside_a_persistent_journal() {
    script_has_the_answer_of_a_copy("persist");
}

#[test]
fn script_has_the_answer_of_a_copy_beside_a_log() {
    script_has_the_answer_of_a_copy("wal");
}

/// Each table of each fixture: a delete, an update, and a load with a key that no parent has.
#[test]
fn fixture_has_the_answer_of_a_copy() {
    let bench = Bench::new("");
    let mut tried = 0;
    for path in corpus::databases(&bench) {
        let copy = bench.path("fixture.db");
        std::fs::copy(&path, &copy).unwrap();
        let original = std::fs::read(&copy).unwrap();
        let tables: Vec<(String, String)> = {
            let database = Connection::open(&copy).unwrap();
            let mut statement = database
                .prepare(
                    "SELECT t.name, c.name FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c \
                     WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%' GROUP BY t.name \
                     HAVING c.cid = max(c.cid)",
                )
                .unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        for (table, column) in tables {
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let script = format!(
                "DELETE FROM {table}; INSERT INTO {table} DEFAULT VALUES; UPDATE {table} SET {column} = 424242; \
                 BEGIN; DELETE FROM {table}; COMMIT",
                table = quoted(&table),
                column = quoted(&column)
            );
            assert_equal_answers(&bench, "fixture.db", &["explain", &script]);
            let rows: Vec<BTreeMap<&str, i64>> =
                [1, 424_242].map(|value| BTreeMap::from([(column.as_str(), value)])).to_vec();
            bench.write("rows.json", &serde_json::to_string(&rows).unwrap());
            assert_equal_answers(&bench, "fixture.db", &["check", "--table", &table, "rows.json"]);
            tried += 1;
        }
        assert!(std::fs::read(&copy).unwrap() == original, "{}", path.display());
    }
    println!("{tried} tables");
    assert!(tried > 20, "{tried}");
}

/// Random rows for random tables with triggers, cascades and conflict clauses.
#[test]
fn random_load_has_the_answer_of_a_copy() {
    let mut rng = fastrand::Rng::with_seed(20_261_128);
    let bench = Bench::empty();
    let mut failing = 0;
    for case in 0..25 {
        let name = format!("{case}.db");
        drop(explain_differential::make(&bench.path(&name), &explain_differential::schema(&mut rng, 4)));
        let original = std::fs::read(bench.path(&name)).unwrap();
        let row = |rng: &mut fastrand::Rng| {
            let value = |rng: &mut fastrand::Rng| match rng.u8(..5) {
                0 => serde_json::Value::Null,
                1 => "x".into(),
                _ => rng.u8(..9).into(),
            };
            serde_json::json!({ "id": rng.u8(..40), "u": value(rng), "v": value(rng), "r0": value(rng) })
        };
        let rows: Vec<serde_json::Value> = (0..rng.usize(1..12)).map(|_| row(&mut rng)).collect();
        bench.write("rows.json", &serde_json::to_string(&rows).unwrap());
        let table = format!("t{}", rng.usize(..explain_differential::TABLES));
        assert_equal_answers(&bench, &name, &["check", "--table", &table, "rows.json"]);
        failing += usize::from(bench.run(&["check", &name, "--table", &table, "rows.json"]).code == 1);
        assert!(std::fs::read(bench.path(&name)).unwrap() == original, "{case}");
    }
    assert!(failing > 5, "the cases are worth judging: {failing}");
}

#[test]
fn check_of_a_staging_table_has_the_answer_of_a_copy() {
    for mode in ["delete", "wal"] {
        let (bench, writer) = database(mode, 1_000);
        let seed = "CREATE TABLE staged(id INT, r INT, note TEXT); INSERT INTO staged VALUES (1, 1, ''), (5000, 1, ''), (5001, 999, '')";
        writer.as_ref().unwrap_or(&Connection::open(bench.path("app.db")).unwrap()).execute_batch(seed).unwrap();
        let before = files(&bench.path("."));
        assert_equal_answers(&bench, "app.db", &["check", "--table", "c", "--staging", "staged"]);
        assert_untouched(&before, &bench.path("."), mode);
    }
}

/// Kills the program at many moments of a trial that changes much.
#[test]
fn killed_trial_leaves_every_byte() {
    for mode in ["delete", "wal"] {
        let (bench, _writer) = database(mode, 3_000);
        let before = files(&bench.path("."));
        let arguments =
            ["explain", "app.db", "--in-place", "UPDATE c SET note = note || '!'; DELETE FROM p WHERE id < 200"];
        let began = Instant::now();
        assert!(bench.start(&arguments).wait().unwrap().code().is_some());
        let (whole, points) = (began.elapsed(), 15);
        let mut killed = 0;
        for point in 0..points {
            let mut child = bench.start(&arguments);
            std::thread::sleep(whole * point / points);
            child.kill().unwrap();
            killed += usize::from(child.wait().unwrap().code().is_none());
            assert_untouched(&before, &bench.path("."), &format!("{mode}, killed at {point} of {points}"));
        }
        println!("{mode}: killed {killed} times in {whole:?}");
        assert!(killed * 2 > points as usize, "{killed}");
        // Nobody is left with a lock.
        bench.execute("UPDATE counts SET n = n + 1");
    }
}

/// The system calls themselves: none writes to the database, to its log or to a journal.
#[cfg(target_os = "linux")]
#[test]
fn trial_in_place_makes_no_call_that_writes_to_the_database() {
    for mode in ["delete", "wal"] {
        let (bench, _writer) = database(mode, 5_000);
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("strace");
        let calls =
            "trace=pwrite64,pwritev,write,writev,ftruncate,truncate,fallocate,unlink,rename,fsync,fdatasync,openat";
        command.args(["-f", "-y", "-o", log.path().to_str().unwrap(), "-e", calls, env!("CARGO_BIN_EXE_fk-doctor")]);
        command.args(["explain", "app.db", "--in-place", "UPDATE c SET note = 'x'; DELETE FROM p WHERE id < 100"]);
        let output = command.current_dir(bench.path(".")).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let log = std::fs::read_to_string(log.path()).unwrap();
        let about: Vec<&str> =
            log.lines().filter(|line| line.contains("/app.db") && !line.contains("/app.db-shm")).collect();
        assert!(
            about.iter().any(|line| line.contains("openat") && line.contains("O_RDWR")),
            "the file is opened\n{log}"
        );
        let writes: Vec<&&str> = about.iter().filter(|line| !line.contains("openat(")).collect();
        assert!(writes.is_empty(), "{mode}: {writes:#?}");
        let journals: Vec<&&str> =
            about.iter().filter(|line| line.contains("app.db-journal") && line.contains("O_CREAT")).collect();
        assert!(journals.is_empty(), "{mode}: {journals:#?}");
    }
}

fn in_place(path: &Path, sql: &str, memory: u64) -> Result<(), EngineError> {
    let limits = WaitLimits { lock_wait: Duration::ZERO, deadline: Deadline::default() };
    let source = Source::File { engine: Engine::Sqlite, path: path.to_owned() };
    let mut database = engines::open(&source, &limits).unwrap();
    let options = TrialOptions {
        choice: TrialChoice::InPlace,
        memory,
        copy_command: "fk-doctor explain app.db --copy 'UPDATE'".to_owned(),
        ..TrialOptions::default()
    };
    let mut trial = database.trial(&options, &|_, _| {})?;
    let schema = resolve::resolve(trial.catalog().unwrap(), &[]).unwrap();
    let options = ExplainOptions { database: "app.db", samples: 5, redaction: &Redaction::default() };
    explain::explain(trial.as_mut(), schema, statements::statements(Engine::Sqlite, sql), &options).map(|_| ())
}

#[test]
fn trial_beyond_its_memory_is_refused_and_leaves_every_byte() {
    for mode in ["delete", "wal"] {
        let (bench, _writer) = database(mode, 150_000);
        let before = files(&bench.path("."));
        let growing = "INSERT INTO c SELECT id + 1000000, r, hex(zeroblob(200)) FROM c";
        for sql in ["UPDATE c SET note = note || '!'", growing, "INSERT INTO p VALUES (1000, zeroblob(300000000))"] {
            let error = in_place(&bench.path("app.db"), sql, 16_000_000).unwrap_err();
            assert!(error.to_string().starts_with("try the statements in "), "{sql}: {error}");
            assert!(error.because().ends_with("need more than 16 MB"), "{sql}: {}", error.because());
            let help = error.help().unwrap();
            assert_eq!(help, "use a copy of the database: fk-doctor explain app.db --copy 'UPDATE'", "{sql}");
            assert_untouched(&before, &bench.path("."), sql);
        }
        in_place(&bench.path("app.db"), "UPDATE c SET note = 'x' WHERE id < 100", 64_000_000).unwrap();
    }
}

#[test]
fn busy_database_is_an_error_that_offers_a_copy() {
    for mode in ["delete", "wal"] {
        let (bench, _writer) = database(mode, 10);
        let other = Connection::open(bench.path("app.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; UPDATE counts SET n = 7").unwrap();
        let arguments = ["explain", "app.db", "--in-place", "--wait", "50ms", "DELETE FROM p"];
        let run = bench.run(&arguments);
        assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("error: could not try the statements in app.db"), "{}", run.stderr);
        assert!(run.stderr.contains("because: another program is writing to it"), "{}", run.stderr);
        assert!(run.stderr.contains("fk-doctor explain app.db --copy --wait 50ms 'DELETE FROM p'"), "{}", run.stderr);
        // A copy needs no lock for writing.
        assert_eq!(bench.run(&["explain", "app.db", "--copy", "DELETE FROM p"]).code, 1);
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(bench.run(&arguments).code, 1);
    }
}

#[test]
fn other_program_waits_to_write_and_can_read() {
    for mode in ["delete", "wal"] {
        let (bench, _writer) = database(mode, 10);
        let limits = WaitLimits { lock_wait: Duration::ZERO, deadline: Deadline::default() };
        let source = Source::File { engine: Engine::Sqlite, path: bench.path("app.db") };
        let mut database = engines::open(&source, &limits).unwrap();
        let options = TrialOptions { choice: TrialChoice::InPlace, ..TrialOptions::default() };
        let trial = database.trial(&options, &|_, _| {}).unwrap();
        let other = |sql: &str| {
            // Another process, because SQLite shares locks within one.
            let python = format!(
                "import sqlite3, sys\nc = sqlite3.connect('app.db', timeout=0)\ntry: print(c.execute({sql:?}).fetchall())\n\
                 except sqlite3.OperationalError as e: print(e)"
            );
            bench.run_program("python3", &["-c", &python], &[]).stdout
        };
        assert_eq!(other("UPDATE counts SET n = 9"), "database is locked\n", "{mode}");
        assert_eq!(other("SELECT count(*) FROM p"), "[(200,)]\n", "{mode}");
        drop(trial);
        assert_eq!(other("UPDATE counts SET n = 9"), "[]\n", "{mode}");
    }
}

/// Makes a database a sparse file of this size, whose pages beyond the tables are empty.
pub(crate) fn enlarge(path: &Path, bytes: u64) {
    let page_size: i64 = Connection::open(path).unwrap().query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    let pages = u32::try_from(bytes / u64::try_from(page_size).unwrap()).unwrap();
    let mut head = std::fs::read(path).unwrap();
    head[28..32].copy_from_slice(&pages.to_be_bytes());
    std::fs::write(path, head).unwrap();
    std::fs::File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
    let known: i64 = Connection::open(path).unwrap().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    assert_eq!(known, i64::from(pages));
}

#[test]
fn large_file_is_tried_in_place_without_reading_it() {
    let bench = Bench::new(&family(1_000));
    enlarge(&bench.path("app.db"), 10 << 30);
    let before = std::fs::metadata(bench.path("app.db")).unwrap();
    let began = Instant::now();
    let run = bench.run(&["explain", "app.db", "--format", "json", "INSERT INTO c VALUES (100001, 7777, '')"]);
    let time = began.elapsed();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stdout.contains("\"method\": \"in-place\"") || run.stdout.contains("\"method\": \"clone\""),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("refers to 1 key that p does not have"), "{}", run.stdout);
    println!("an INSERT into a file of 10 GB was explained in {time:?}");
    assert!(time < Duration::from_secs(5), "{time:?}");
    let after = std::fs::metadata(bench.path("app.db")).unwrap();
    assert_eq!((before.len(), before.modified().unwrap()), (after.len(), after.modified().unwrap()));
}

/// A writer that died has left a journal, which a connection that can write would play back.
#[test]
fn journal_of_a_dead_writer_is_not_played_back() {
    let (bench, _) = database("delete", 5_000);
    let copy = Bench::empty();
    let writer = Connection::open(bench.path("app.db")).unwrap();
    writer.execute_batch("PRAGMA cache_size = 5; BEGIN; UPDATE c SET note = 'half'").unwrap();
    for name in ["app.db", "app.db-journal"] {
        std::fs::copy(bench.path(name), copy.path(name)).unwrap();
    }
    let before = files(&copy.path("."));
    let run = copy.run(&["explain", "app.db", "--in-place", "DELETE FROM p"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(run.stderr.contains("its last writer died and left a journal"), "{}", run.stderr);
    assert_untouched(&before, &copy.path("."), "journal");
}

#[test]
fn choice_that_cannot_be_met_is_an_error() {
    let bench = Bench::new(&family(10));
    bench.write("rows.csv", "id,r\n1000,1\n");
    bench.write("r.toml", "id = \"r\"\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"set-null\"\n");
    let corrected =
        ["check", "app.db", "--in-place", "--table", "c", "rows.csv", "--rules", "r.toml", "--corrected", "good.csv"];
    let run = bench.run(&corrected);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(run.stderr.contains("could not try the load in app.db"), "{}", run.stderr);
    assert!(
        run.stderr.contains("fk-doctor check app.db --copy --table c rows.csv --rules r.toml --corrected good.csv"),
        "{}",
        run.stderr
    );
    let run = bench.run(&["explain", "postgresql://127.0.0.1:1/x", "--in-place", "SELECT 1"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("--copy and --in-place are for SQLite files"), "{}", run.stderr);
}
