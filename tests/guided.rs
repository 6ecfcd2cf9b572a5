//! The guided repair on a pseudo-terminal: every answer, going back, leaving, and what is never done without a "yes".
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::process::Command;

use common::Bench;
use rexpect::session::PtySession;
use rexpect::session::spawn_command;

/// Flights whose keys begin with a blank, players of colleges that nobody knows, and a parent key that is not unique.
const SEED: &str = "CREATE TABLE airports(code TEXT PRIMARY KEY, city TEXT);
    CREATE TABLE flights(id INTEGER PRIMARY KEY, origin TEXT REFERENCES airports, destination TEXT REFERENCES airports);
    CREATE TABLE colleges(id TEXT PRIMARY KEY);
    CREATE TABLE players(id INTEGER PRIMARY KEY, college TEXT REFERENCES colleges);
    CREATE TABLE team(id INTEGER, year INTEGER);
    CREATE TABLE manager(id INTEGER PRIMARY KEY, team INTEGER REFERENCES team(id));
    INSERT INTO airports VALUES ('AAF', 'a'), ('ABQ', 'b'), ('APG', 'c'), ('ASY', 'd');
    INSERT INTO flights VALUES (1, ' AAF', 'ABQ'), (2, ' APG', ' ASY'), (3, 'AAF', 'APG');
    INSERT INTO colleges VALUES ('ucla'), ('uvm');
    INSERT INTO players SELECT value, 'ucla' FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]');
    INSERT INTO players SELECT id + 20, 'uvm' FROM players;
    INSERT INTO players VALUES (99, 'nobody knows it'), (98, 'nobody knows it');
    INSERT INTO team VALUES (1, 2001), (1, 2002); INSERT INTO manager VALUES (1, 1);";

const ESCAPE: &str = "\u{1b}";
const DOWN: &str = "\u{1b}[B";

fn fix(bench: &Bench) -> PtySession {
    start(bench, |command| command.env("NO_COLOR", "1"))
}

fn colored(bench: &Bench) -> PtySession {
    start(bench, |command| command.arg("--color").arg("always").env_remove("NO_COLOR"))
}

fn start(bench: &Bench, adapt: impl FnOnce(&mut Command) -> &mut Command) -> PtySession {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fk-doctor"));
    command.args(["fix", "app.db"]).current_dir(bench.path(""));
    command.env("COLUMNS", "120").env_remove("DATABASE_URL").env("TERM", "xterm");
    adapt(&mut command);
    spawn_command(command, Some(20_000)).unwrap()
}

/// Waits for the menu of a group, and presses these keys.
fn choose(session: &mut PtySession, group: &str, keys: &str) {
    session.exp_string(group).unwrap();
    session.exp_string("Show the rows").unwrap();
    session.send(keys).unwrap();
    session.send("\r").unwrap();
    session.flush().unwrap();
}

fn type_line(session: &mut PtySession, question: &str, answer: &str) {
    session.exp_string(question).unwrap();
    session.send_line(answer).unwrap();
}

fn exit_code(session: &mut PtySession) -> i32 {
    let status = session.process_mut().wait().unwrap();
    match status {
        rexpect::process::wait::WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_group_is_decided_and_the_plan_is_applied_after_yes() {
    let bench = Bench::new(SEED);
    let mut session = fix(&bench);
    session.exp_string("Step 1 of 4: scan    $ fk-doctor scan app.db --brief").unwrap();
    session.exp_string("No row is at fault").unwrap();
    choose(&mut session, "2 of 3", "");
    choose(&mut session, "3 of 3", DOWN);
    session.exp_string("Step 3 of 4: plan").unwrap();
    session.exp_string("$ fk-doctor repair app.db --rules app.rules.toml -o app.plan.ndjson").unwrap();
    let plan = session.exp_string("Apply this plan?").unwrap();
    assert!(plan.contains("would be repaired") && !plan.contains("next:"), "{plan}");
    type_line(&mut session, "A backup is made first.", "yes");
    session.exp_string("$ fk-doctor apply app.db app.plan.ndjson").unwrap();
    session.exp_string("fk-doctor code parent-key-not-unique").unwrap();
    session.exp_eof().unwrap();
    let rows = bench.value("SELECT group_concat(origin || ',' || destination, ' ') FROM flights");
    assert_eq!(rows, "'AAF,ABQ APG,ASY AAF,APG'");
    assert_eq!(bench.value("SELECT count(*) || '' FROM colleges"), "'3'");
    let undo = bench.run(&["undo", "app.db", "app.plan.ndjson"]);
    assert_eq!(undo.code, 0, "{} {}", undo.stdout, undo.stderr);
    assert_eq!(bench.value("SELECT origin FROM flights WHERE id = 1"), "' AAF'");
}

#[test]
fn nothing_is_written_without_yes() {
    let bench = Bench::new(SEED);
    let before = std::fs::read(bench.path("app.db")).unwrap();
    bench.write("app.rules.toml", "# of somebody else\n");
    let mut session = fix(&bench);
    choose(&mut session, "2 of 3", "");
    // Back to the group before, and on again with the earlier answer.
    session.exp_string("3 of 3").unwrap();
    session.exp_string("Show the rows").unwrap();
    session.send(ESCAPE).unwrap();
    session.flush().unwrap();
    choose(&mut session, "2 of 3", "");
    choose(&mut session, "3 of 3", "");
    type_line(&mut session, "Apply this plan?", "no");
    session.exp_string("Nothing was changed. Your answers are in app.rules-2.toml; to go on:").unwrap();
    session.exp_string("fk-doctor repair app.db --rules app.rules-2.toml --apply").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&mut session), 1);
    assert_eq!(std::fs::read(bench.path("app.db")).unwrap(), before);
    assert_eq!(std::fs::read_to_string(bench.path("app.rules.toml")).unwrap(), "# of somebody else\n");
}

#[test]
fn taking_rows_away_needs_their_number() {
    let bench = Bench::new(SEED);
    let mut session = fix(&bench);
    choose(&mut session, "2 of 3", "");
    session.exp_string("3 of 3").unwrap();
    session.exp_string("Clear college").unwrap();
    session.exp_string("Show the rows").unwrap();
    session.send(&DOWN.repeat(2)).unwrap();
    session.send("\r").unwrap();
    session.flush().unwrap();
    type_line(&mut session, "Type 2 to choose this:", "yes");
    session.exp_string("answer 2").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("Nothing was changed, and no file was written.").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&mut session), 130);
    assert!(!bench.path("app.rules.toml").exists());
}

#[test]
fn without_a_terminal_the_commands_are_named() {
    let bench = Bench::new(SEED);
    let run = bench.run(&["fix", "app.db"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    let expected = "error: fix asks questions, and there is no terminal to ask on\n\
                    help: fk-doctor rules suggest app.db > my.rules.toml\n      \
                    fk-doctor repair app.db --rules my.rules.toml -o my.plan.ndjson\n";
    assert_eq!(run.stderr, expected);
}

/// A name could otherwise change the title of the terminal, or paint over a question.
#[test]
fn hostile_name_reaches_no_terminal() {
    let name = "c\u{1b}]0;owned\u{7}\u{1b}[2J";
    let add = DOWN.to_owned();
    for (orphans, keys, question, seen) in [
        (10, add, "Apply this plan?", "Not offered: clear, quarantine (10 rows of c\\u{1b}]0;owned"),
        (2, DOWN.repeat(3), "to choose this:", "2 rows leave c\\u{1b}]0;owned"),
    ] {
        let bench = Bench::new(&format!(
            "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2), (3);
             CREATE TABLE \"{name}\"(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
             CREATE TABLE team(id INTEGER); INSERT INTO team VALUES (1), (1);
             CREATE TABLE \"t{name}\"(team INTEGER REFERENCES team(id));
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
             INSERT INTO \"{name}\" SELECT i, CASE WHEN i <= {orphans} THEN -77 ELSE 1 END FROM n"
        ));
        let mut session = colored(&bench);
        let mut shown = session.exp_string("2 of 2").unwrap();
        shown.push_str(&session.exp_string("Show the rows").unwrap());
        session.send(&keys).unwrap();
        session.send("\r").unwrap();
        session.flush().unwrap();
        shown.push_str(&session.exp_string(question).unwrap());
        session.send_control('c').unwrap();
        shown.push_str(&session.exp_eof().unwrap());
        assert!(shown.contains(seen), "{shown:?}");
        assert!(!shown.contains("\u{1b}]0;") && !shown.contains("\u{1b}[2J") && !shown.contains('\u{7}'), "{shown:?}");
        assert_eq!(exit_code(&mut session), 130);
    }
}

/// A command is whole on a narrow terminal, and prose wraps between words.
#[test]
fn narrow_terminal_breaks_no_command_and_no_word() {
    let bench = Bench::new(SEED);
    let mut session = start(&bench, |command| command.env("NO_COLOR", "1").env("COLUMNS", "46"));
    session.exp_string("Step 2 of 4: choose (3 groups)\r\n  esc back").unwrap();
    session.exp_string("nothing here. See:\r\n        fk-doctor code parent-key-not-unique\r\n").unwrap();
    session.exp_string("  Not offered: clear, quarantine (2 rows of\r\n  flights; the limit is 0)\r\n").unwrap();
    choose(&mut session, "Add 3 rows to airports  adds 3 rows, with", "");
    session.exp_string("3 of 3").unwrap();
    session.exp_string("Show the rows").unwrap();
    session.send(&DOWN.repeat(3)).unwrap();
    session.send("\r").unwrap();
    session.flush().unwrap();
    type_line(&mut session, "Type 2 to choose this:", "2");
    type_line(&mut session, "Apply this plan?", "yes");
    let restore = "  restore    quarantined rows come back once\r\n             their parents exist:\r\n             fk-doctor restore app.db";
    session.exp_string(restore).unwrap();
    session.exp_string("  schema     1 relation to team(id):\r\n").unwrap();
    session.exp_string("             fk-doctor code parent-key-not-unique\r\n").unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn error_wraps_on_a_terminal() {
    let bench = Bench::empty();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fk-doctor"));
    command.args(["scan", "sqlite:///none.db"]).current_dir(bench.path(""));
    command.env("COLUMNS", "60").env("NO_COLOR", "1").env("TERM", "xterm");
    let mut session = spawn_command(command, Some(20_000)).unwrap();
    let because = "because: the current folder has no such file (\"sqlite:///\"\r\n         is relative, \"sqlite:////\" is absolute)\r\n";
    session.exp_string(because).unwrap();
    session.exp_eof().unwrap();
}
