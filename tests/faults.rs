//! Kills the program, or fails its disk, at every system call that writes. Afterwards the database is in its state
//! before or after whole batches, the repeated command completes the work, and undo restores every value.
//!
//! strace counts the calls and injects the faults. `FK_DOCTOR_FAULTS=all` injects one into every call; by default every
//! eleventh call gets one. Each scenario is planned once, and every fault starts with the same bytes in the same
//! folder.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(clippy::print_stdout, reason = "how many points were hit is a figure to report")]
#![cfg(target_os = "linux")]

use crate::common;

use std::collections::BTreeMap;
use std::process::Command;

use common::Bench;

/// System calls that change the disk, or open a file for writing.
const CALLS: &str =
    "pwrite64,write,fsync,fdatasync,ftruncate,unlink,rename,renameat,renameat2,openat,fallocate,linkat,link";

const WHOLE: &[&str] = &[];
const IN_BATCHES: &[&str] = &["--batch", "5"];

/// Two pages of children, of which a quarter has parents.
const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE); \
    CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) ON DELETE CASCADE, pad TEXT); \
    CREATE TABLE d(id TEXT PRIMARY KEY, c INT REFERENCES c(id)); INSERT INTO p VALUES (1, 'a');
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
    INSERT INTO c SELECT i, i % 4 + 1, hex(zeroblob(250)) FROM n; INSERT INTO d SELECT id, id FROM c;";

/// Key 2 is changed to 1, key 3 gets a parent, and the rows with key 4 are deleted with their dependants.
const RULE: &str = "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"c(r)\"\n[limits]\nmax-share = 1.0\n\
    [[treat]]\naction = \"remap\"\nto = \"SELECT 1 WHERE key.r = 2\"\nrecord = \"kept\"\n\
    [[treat]]\naction = \"placeholder\"\nvalues = { name = { sql = \"CASE WHEN key.r = 3 THEN 'three' ELSE 'a' END\" } }\n\
    [[treat]]\naction = \"quarantine\"\n";

/// A database and its plan in the state before a command.
struct Scene {
    bench: Bench,
    arguments: Vec<&'static str>,
    files: BTreeMap<String, Vec<u8>>,
    /// The content of the database before and after the command.
    start: String,
    end: String,
    /// The file of the quarantined rows; empty if a table keeps them.
    kept: Vec<u8>,
}

impl Scene {
    fn new(mode: &str, command: &'static str, batch: &[&'static str], keep: &str, options: &[&str]) -> Scene {
        let bench = Bench::new(&format!("PRAGMA journal_mode = {mode}; {SEED}"));
        bench.write("r.toml", &format!("{RULE}{keep}"));
        succeeds(&bench, &[&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"], options].concat());
        let before = bench.dump();
        let arguments = [&[command, "app.db", "plan.ndjson"], batch].concat();
        let mut scene =
            Scene { bench, arguments, files: BTreeMap::new(), start: before, end: String::new(), kept: Vec::new() };
        if command == "undo" {
            succeeds(&scene.bench, &[&["apply", "app.db", "plan.ndjson", "--no-backup"], batch].concat());
            scene.end = std::mem::replace(&mut scene.start, scene.bench.dump());
        }
        scene.files = scene.read();
        if command == "apply" {
            succeeds(&scene.bench, &[scene.arguments.as_slice(), &["--no-backup"]].concat());
            scene.end = scene.bench.dump();
            scene.kept = std::fs::read(scene.bench.path("gone.ndjson")).unwrap_or_default();
            assert_eq!(scene.kept.is_empty(), keep != IN_A_FILE);
            scene.reset();
        }
        scene
    }

    /// True if some deleted row is kept only in a file.
    fn has_lost_rows(&self) -> bool {
        !self.kept.is_empty() && self.bench.value("SELECT count(*) FROM c") != "12"
    }

    fn read(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.bench.path(".")).unwrap();
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        };
        entries.map(read).collect()
    }

    fn reset(&self) {
        for entry in std::fs::read_dir(self.bench.path(".")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, bytes) in &self.files {
            std::fs::write(self.bench.path(name), bytes).unwrap();
        }
    }

    /// Runs the command under strace, which injects a fault or only counts calls.
    fn traced(&self, inject: Option<&str>) -> (Option<i32>, String) {
        // The trace is outside the folder, which is restored before each fault.
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("strace");
        command.args(["-f", "--seccomp-bpf", "-o", log.path().to_str().unwrap()]);
        let trace = format!("trace={}", inject.map_or(CALLS, |inject| inject.split(':').next().unwrap()));
        command.args(["-e", &trace]);
        if let Some(inject) = inject {
            command.args(["-e", &format!("inject={inject}")]);
        }
        let program = command.arg(env!("CARGO_BIN_EXE_fk-doctor")).args(&self.arguments);
        let output = program.current_dir(self.bench.path(".")).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&std::fs::read(log.path()).unwrap()).into_owned())
    }

    /// Returns every writing call, with its ordinal number among the calls of its name.
    fn points(&self) -> Vec<(String, usize)> {
        self.reset();
        let (code, log) = self.traced(None);
        assert_eq!(code, Some(0), "{log}");
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        let mut points = Vec::new();
        for line in log.lines() {
            let Some((call, rest)) = line.split_once(' ').and_then(|(_, call)| call.trim_start().split_once('('))
            else {
                continue;
            };
            let number = made.entry(call).or_default();
            *number += 1;
            if call != "openat" || rest.contains("O_RDWR") || rest.contains("O_WRONLY") {
                points.push((call.to_owned(), *number));
            }
        }
        points
    }

    /// Injects `fault` into the call. If `from` is `+`, all later calls fail as well.
    fn survives(&self, call: &str, number: usize, fault: &str, from: &str) {
        self.reset();
        let context = format!("{:?}: {call} {number} {fault}", self.arguments);
        let (code, _) = self.traced(Some(&format!("{call}:{fault}:when={number}{from}")));
        self.assert_backups_are_whole(&context);
        let now = self.bench.dump();
        let kept = std::fs::read(self.bench.path("gone.ndjson"));
        assert!(kept.as_ref().is_ok_and(|kept| *kept == self.kept) || !self.has_lost_rows(), "{context}: {kept:?}");
        // A run in one transaction changes all rows or none. Batches are checked by the repeated command.
        let in_batches = self.arguments.contains(&"--batch");
        assert!(in_batches || now == self.start || now == self.end, "{context}: half of it was done\n{now}");
        assert!(code != Some(0) || now == self.end, "{context}: said to be done, and is not");
        // The repeated command completes the work.
        succeeds(&self.bench, &[self.arguments.as_slice(), &["--no-backup"]].concat());
        assert_eq!(self.bench.dump(), self.end, "{context}");
        let left = self.read().into_keys().find(|name| name.starts_with(".fk-doctor-") && !is_of_backup(name));
        assert_eq!(left, None, "{context}: the next run removes what a killed one left");
        if self.arguments[0] == "apply" {
            succeeds(&self.bench, &["undo", "app.db", "plan.ndjson", "--no-backup"]);
            assert_eq!(self.bench.dump(), self.start, "{context}");
        }
        assert_eq!(std::fs::read(self.bench.path("plan.ndjson")).unwrap(), self.files["plan.ndjson"], "{context}");
    }

    /// A file with the name of a backup is a complete backup, and no other files are left. An unfinished backup is
    /// recognised; here it is made old.
    fn assert_backups_are_whole(&self, context: &str) {
        for name in self.read().into_keys().filter(|name| !self.files.contains_key(name)) {
            if name.starts_with("app.db.backup-") {
                let whole = rusqlite::Connection::open(self.bench.path(&name))
                    .and_then(|backup| backup.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
                assert_eq!(whole.as_deref(), Ok("ok"), "{context}: {name}");
                assert_eq!(common::dump(&self.bench.path(&name)), self.start, "{context}: {name}");
            } else if name.starts_with(".fk-doctor-") {
                assert!([".part", ".part-journal"].iter().any(|end| name.ends_with(end)), "{context}: {name}");
                let draft = std::fs::File::options().append(true).open(self.bench.path(&name)).unwrap();
                draft.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(600)).unwrap();
            }
        }
    }
}

/// True for an unfinished backup, which only a person removes.
fn is_of_backup(name: &str) -> bool {
    name.starts_with(".fk-doctor-backup-")
}

fn succeeds(bench: &Bench, arguments: &[&str]) {
    let run = bench.run(arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
}

fn survive(mode: &str, batch: &[&'static str], fault: &str, from: &str) {
    survive_with("", &[], mode, batch, fault, from);
}

fn survive_keeping(keep: &str, mode: &str, batch: &[&'static str], fault: &str, from: &str) {
    survive_with(keep, &[], mode, batch, fault, from);
}

fn survive_with(keep: &str, options: &[&str], mode: &str, batch: &[&'static str], fault: &str, from: &str) {
    let step = if std::env::var("FK_DOCTOR_FAULTS").is_ok_and(|all| all == "all") { 1 } else { 11 };
    for command in ["apply", "undo"] {
        let scene = Scene::new(mode, command, batch, keep, options);
        let points = scene.points();
        let mut hit = 0;
        for (call, number) in points.iter().step_by(step) {
            scene.survives(call, *number, fault, from);
            hit += 1;
        }
        println!("{keep}{mode} {batch:?} {command} {fault}{from}: {hit} of {} points", points.len());
        assert!(hit > 1, "{points:?}");
    }
}

#[test]
fn kill_at_any_write_with_rollback_journal_is_recovered() {
    survive("delete", WHOLE, "signal=KILL", "");
}

#[test]
fn kill_at_any_batch_write_with_rollback_journal_is_recovered() {
    survive("delete", IN_BATCHES, "signal=KILL", "");
}

#[test]
fn kill_at_any_write_with_wal_is_recovered() {
    survive("wal", WHOLE, "signal=KILL", "");
}

#[test]
fn kill_at_any_batch_write_with_wal_is_recovered() {
    survive("wal", IN_BATCHES, "signal=KILL", "");
}

#[test]
fn full_disk_at_any_write_with_rollback_journal_is_recovered() {
    survive("delete", WHOLE, "error=ENOSPC", "+");
}

#[test]
fn full_disk_at_any_batch_write_with_rollback_journal_is_recovered() {
    survive("delete", IN_BATCHES, "error=ENOSPC", "+");
}

#[test]
fn full_disk_at_any_write_with_wal_is_recovered() {
    survive("wal", WHOLE, "error=ENOSPC", "+");
}

#[test]
fn full_disk_at_any_batch_write_with_wal_is_recovered() {
    survive("wal", IN_BATCHES, "error=ENOSPC", "");
}

#[test]
fn disk_error_at_any_write_with_rollback_journal_is_recovered() {
    survive("delete", WHOLE, "error=EIO", "");
}

#[test]
fn disk_error_at_any_batch_write_with_rollback_journal_is_recovered() {
    survive("delete", IN_BATCHES, "error=EIO", "");
}

#[test]
fn disk_error_at_any_write_with_wal_is_recovered() {
    survive("wal", WHOLE, "error=EIO", "");
}

#[test]
fn disk_error_at_any_batch_write_with_wal_is_recovered() {
    survive("wal", IN_BATCHES, "error=EIO", "");
}

const IN_A_FILE: &str = "file = \"gone.ndjson\"\n";

#[test]
fn kill_during_quarantine_to_file_is_recovered() {
    survive_keeping(IN_A_FILE, "delete", WHOLE, "signal=KILL", "");
    survive_keeping(IN_A_FILE, "wal", IN_BATCHES, "signal=KILL", "");
}

#[test]
fn full_disk_during_quarantine_to_file_is_recovered() {
    survive_keeping(IN_A_FILE, "wal", WHOLE, "error=ENOSPC", "+");
    survive_keeping(IN_A_FILE, "delete", IN_BATCHES, "error=EIO", "");
}

const PREVENT: &str = "[[treat]]\naction = \"prevent\"\n";

/// One plan relaxes and enforces a table, creates an index and triggers, and changes rows.
const REDEFINED: &[&str] = &["--relax", "d(c)", "--enforce", "d(id) -> c(id)"];

#[test]
fn kill_during_schema_change_is_recovered() {
    survive_with(PREVENT, REDEFINED, "delete", WHOLE, "signal=KILL", "");
    survive_with(PREVENT, REDEFINED, "wal", IN_BATCHES, "signal=KILL", "");
}

#[test]
fn disk_error_during_schema_change_is_recovered() {
    survive_with(PREVENT, REDEFINED, "wal", WHOLE, "error=ENOSPC", "+");
    survive_with(PREVENT, REDEFINED, "delete", IN_BATCHES, "error=EIO", "");
}
