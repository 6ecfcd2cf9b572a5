//! How much work a repair is beside the same change written by hand as set-based SQL: `cargo bench --bench repair`.
//!
//! Prints rows planned and applied a second, and what the script takes. `FK_DOCTOR_ROWS` sets the orphans (100,000),
//! spread over twenty relations.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;

const RELATIONS: u64 = 20;

/// The rules, and per relation the statement that does the same.
const REPAIRS: [(&str, &str, &str); 2] = [
    (
        "set-null",
        "even-if-parent-lost = true\n[relation]\nchild = \"*\"\n[limits]\nmax-rows = 4_000_000_000\n[[treat]]\naction = \"set-null\"\n",
        "UPDATE c{n} SET r = NULL WHERE r IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p{n} WHERE p{n}.id = c{n}.r)",
    ),
    (
        "placeholder",
        "[relation]\nchild = \"*\"\n[[treat]]\naction = \"placeholder\"\n",
        "INSERT INTO p{n}(id, name) SELECT DISTINCT r, 'placeholder-' || r FROM c{n} WHERE r IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM p{n} WHERE p{n}.id = c{n}.r)",
    ),
];

/// A third of all child rows are orphans, two to a missing key.
fn database(path: &Path, orphans: u64) {
    let database = Connection::open(path).unwrap();
    database.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN").unwrap();
    let each = orphans / RELATIONS;
    for n in 0..RELATIONS {
        database
            .execute_batch(&format!(
                "CREATE TABLE p{n}(id INTEGER PRIMARY KEY, name TEXT NOT NULL); \
                 CREATE TABLE c{n}(id INTEGER PRIMARY KEY, r INT REFERENCES p{n}(id), note TEXT); \
                 WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {each}) \
                 INSERT INTO p{n} SELECT i, 'parent ' || i FROM i; \
                 WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {each} * 3) \
                 INSERT INTO c{n} SELECT i, CASE WHEN i % 3 = 0 THEN 1000000000 + i / 6 ELSE i * 7919 % {each} + 1 END, \
                 'a note about row ' || i FROM i;"
            ))
            .unwrap();
    }
    database.execute_batch("COMMIT").unwrap();
}

fn timed(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn main() {
    let orphans: u64 = std::env::var("FK_DOCTOR_ROWS").map_or(100_000, |rows| rows.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let run = |arguments: &[&str]| {
        let status =
            Command::new(env!("CARGO_BIN_EXE_fk-doctor")).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    };
    println!("{orphans} orphans in {RELATIONS} relations");
    println!(
        "{:<12} {:>14} {:>14} {:>14} {:>14}",
        "", "planned rows/s", "applied rows/s", "undone rows/s", "script rows/s"
    );
    for (name, rule, statement) in REPAIRS {
        database(&path("app.db"), orphans);
        std::fs::copy(path("app.db"), path("hand.db")).unwrap();
        std::fs::write(path("rule.toml"), format!("id = \"bench\"\n{rule}")).unwrap();
        let planned = timed(|| run(&["repair", "app.db", "--rules", "rule.toml", "-o", "plan.ndjson"]));
        let applied = timed(|| run(&["apply", "app.db", "plan.ndjson", "--no-backup"]));
        let undone = timed(|| run(&["undo", "app.db", "plan.ndjson", "--no-backup"]));
        let script = timed(|| {
            let database = Connection::open(path("hand.db")).unwrap();
            database.execute_batch("PRAGMA foreign_keys = OFF; BEGIN").unwrap();
            for n in 0..RELATIONS {
                database.execute_batch(&statement.replace("{n}", &n.to_string())).unwrap();
            }
            database.execute_batch("COMMIT").unwrap();
        });
        #[allow(clippy::cast_precision_loss, reason = "a rate needs no more")]
        let rate = |took: Duration| format!("{:.0}", orphans as f64 / took.as_secs_f64());
        println!("{name:<12} {:>14} {:>14} {:>14} {:>14}", rate(planned), rate(applied), rate(undone), rate(script));
        for file in ["app.db", "hand.db", "plan.ndjson"] {
            std::fs::remove_file(path(file)).unwrap();
        }
    }
}
