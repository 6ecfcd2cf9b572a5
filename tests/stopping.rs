//! Ctrl-C while a plan is applied or taken back: the run ends after its batch, and names the commands that go on. A second
//! ctrl-c ends it at once.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::time::Duration;

use crate::common;

use common::Bench;
use common::until;
use rexpect::session::spawn_command;
use rusqlite::Connection;

const ROWS: u32 = 2_000;

/// A plan that removes all rows of `c`, which takes some seconds with small batches.
fn planned() -> Bench {
    let bench = Bench::new(&format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id));
         INSERT INTO p VALUES (1);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO c SELECT i, i + 1000000 FROM n;"
    ));
    bench.write(
        "r.toml",
        "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"c(r)\"\nlimits = { max-rows = 100000, max-share = 1.0 }\n\
         [[treat]]\naction = \"quarantine\"\n",
    );
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    bench
}

fn interrupt(child: &Child) {
    signal(child, "-INT");
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// True if the process handles SIGINT itself.
fn handles_interrupts(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default().trim();
    u64::from_str_radix(mask, 16).is_ok_and(|mask| mask & 2 != 0)
}

/// Starts a command that waits for a lock of this test.
fn blocked(bench: &Bench, arguments: &[&str]) -> (Child, Connection) {
    let lock = Connection::open(bench.path("app.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let child = bench.start(&[arguments, &["--wait", "60s"]].concat());
    until(|| handles_interrupts(&child));
    (child, lock)
}

fn rows(bench: &Bench) -> u32 {
    bench.value("SELECT count(*) FROM c").parse().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that an error printed.
fn run_printed(bench: &Bench, text: &str, name: &str) -> common::Run {
    let start = format!("fk-doctor {name} ");
    let line = text.lines().find_map(|line| line.split_once(&start)).unwrap().1;
    let words = line.split(" # ").next().unwrap();
    let words: Vec<&str> = [name].into_iter().chain(words.split_whitespace()).collect();
    bench.run(&words)
}

#[test]
fn first_interrupt_ends_the_run_after_its_batch() {
    let bench = planned();
    let before = bench.dump();
    let mut all = ROWS;
    for (command, other, done) in [("apply", "undo", "applied"), ("undo", "apply", "taken back")] {
        let child = bench.start(&[command, "app.db", "plan.ndjson", "--batch", "40", "--pause", "20ms", "--no-backup"]);
        until(|| rows(&bench) != all);
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        let message = text(&output);
        assert_eq!(output.status.code(), Some(6), "{message}");
        let left = rows(&bench);
        assert!((1..ROWS).contains(&left), "{left} rows are left");
        assert!(message.contains(&format!("of plan.ndjson are {done}, and then {command} was stopped")), "{message}");
        assert!(
            message.contains(&format!("fk-doctor {other} app.db plan.ndjson --no-backup --batch 40 --pause 20ms")),
            "{message}"
        );
        let run = run_printed(&bench, &message, command);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        all = rows(&bench);
        assert_eq!(all, if command == "apply" { 0 } else { ROWS });
    }
    assert_eq!(bench.dump(), before);
}

/// A run that goes on counts the changes of all runs, and the message names the signal.
#[test]
fn second_stopped_run_counts_the_changes_of_both() {
    let bench = planned();
    let options = ["--batch", "40", "--pause", "20ms", "--wait", "60s", "--no-backup", "--no-config"];
    let mut counted = Vec::new();
    for name in ["-INT", "-TERM"] {
        let left = rows(&bench);
        let child = bench.start(&[&["apply", "app.db", "plan.ndjson"], &options[..]].concat());
        until(|| rows(&bench) < left);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let message = text(&output);
        assert_eq!(output.status.code(), Some(6), "{message}");
        let cause = if name == "-INT" { "ctrl-c was pressed;" } else { "the signal SIGTERM came;" };
        assert!(message.contains(&format!("because: {cause}")), "{message}");
        // The options are those that were typed.
        let printed = "fk-doctor apply app.db plan.ndjson --no-config --no-backup --batch 40 --pause 20ms --wait 60s ";
        assert!(message.contains(printed), "{message}");
        let number = message.split("error: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        counted.push(number.replace(',', "").parse::<u32>().unwrap());
        // Each row that is gone is one change, and its copy in the quarantine another.
        assert_eq!(counted[counted.len() - 1], 2 * (ROWS - rows(&bench)), "{message}");
    }
    assert!(counted[0] < counted[1], "{counted:?}");
}

/// A stopped run that made a backup by name leaves out this option, because the file exists already.
#[test]
fn printed_command_names_no_backup_twice() {
    let bench = planned();
    let child =
        bench.start(&["apply", "app.db", "plan.ndjson", "--batch", "40", "--pause", "20ms", "--backup", "safe.db"]);
    until(|| rows(&bench) != ROWS);
    interrupt(&child);
    let message = text(&child.wait_with_output().unwrap());
    assert!(message.contains("fk-doctor apply app.db plan.ndjson --batch 40 --pause 20ms "), "{message}");
    let run = run_printed(&bench, &message, "apply");
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// The changes before the interrupt are taken back by the second command that is printed.
#[test]
fn interrupted_run_is_taken_back_by_the_printed_command() {
    let bench = planned();
    let before = bench.dump();
    let child = bench.start(&["apply", "app.db", "plan.ndjson", "--batch", "40", "--pause", "20ms"]);
    until(|| rows(&bench) != ROWS);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", text(&output));
    let run = run_printed(&bench, &text(&output), "undo");
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(bench.dump(), before);
}

#[test]
fn run_with_one_transaction_is_rolled_back() {
    let bench = planned();
    let before = bench.dump();
    let (child, lock) = blocked(&bench, &["apply", "app.db", "plan.ndjson", "--no-backup"]);
    interrupt(&child);
    std::thread::sleep(Duration::from_millis(50));
    drop(lock);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
    assert!(text(&output).contains("error: apply was stopped, and changed nothing"), "{}", text(&output));
    assert_eq!(bench.dump(), before);
    let run = run_printed(&bench, &text(&output), "apply");
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(rows(&bench), 0);
}

#[test]
fn second_interrupt_ends_the_program_at_once() {
    let bench = planned();
    let before = bench.dump();
    let (mut child, lock) = blocked(&bench, &["apply", "app.db", "plan.ndjson", "--no-backup"]);
    interrupt(&child);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(child.try_wait().unwrap(), None, "the first waits for the end of the batch");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    drop(lock);
    assert_eq!(bench.dump(), before);
}

/// A plan that is only made, or a scan, is ended by the first ctrl-c: there is nothing to complete.
#[test]
fn run_that_writes_nothing_does_not_catch_interrupts() {
    let bench = planned();
    let lock = Connection::open(bench.path("app.db")).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut child = bench.start(&["scan", "app.db", "--wait", "60s"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!handles_interrupts(&child));
    interrupt(&child);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

/// On a terminal, the line shows phases and rows. The key ctrl-c arrives as the signal does.
#[test]
fn terminal_shows_phases_and_stops_at_ctrl_c() {
    let bench = planned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fk-doctor"));
    command.args(["apply", "app.db", "plan.ndjson", "--batch", "1", "--no-backup"]).current_dir(bench.path(""));
    command.env("COLUMNS", "100").env_remove("DATABASE_URL").env("TERM", "xterm");
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    session.exp_string("2/4 change rows").unwrap();
    session.exp_string("of 4,000").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("apply was stopped").unwrap();
    session.exp_eof().unwrap();
    let status = session.process_mut().wait().unwrap();
    assert!(matches!(status, rexpect::process::wait::WaitStatus::Exited(_, 6)), "{status:?}");
}
