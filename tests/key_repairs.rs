//! A parent key that is not unique: the scan prints the commands that repair it, and they work as they are printed.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use common::in_one_line;

/// Returns the command that begins like this in a report. Its lines are joined, and quotes are kept.
fn printed(report: &str, start: &str) -> String {
    let begin = report.find(start).unwrap_or_else(|| panic!("{start}: {report}"));
    let mut command = String::new();
    for line in report[begin..].lines() {
        match line.trim().strip_suffix('\\') {
            Some(part) => command.push_str(part),
            None => return command + line.trim(),
        }
    }
    command
}

/// Returns the words of a command in which only single quotes group words.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in command.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

fn scan(bench: &Bench) -> common::Run {
    bench.run(&["scan", "app.db"])
}

#[test]
fn column_that_is_missing_from_the_key_is_added_by_the_printed_commands() {
    let bench = Bench::new(
        "CREATE TABLE team(id INTEGER, year INTEGER, name TEXT);
         CREATE TABLE manager(id INTEGER PRIMARY KEY, team_id INTEGER REFERENCES team(id), year INTEGER);
         INSERT INTO team VALUES (1, 2001, 'a'), (1, 2002, 'a'), (2, 2001, 'b'), (2, 2002, 'b');
         INSERT INTO manager VALUES (1, 1, 2001), (2, 1, 2002), (3, 2, 2002), (4, NULL, 2001);",
    );
    let report = scan(&bench).stdout;
    let cause =
        "cause a column is missing from the key: team(id,year) is unique in all 4 rows, and all 3 child rows have";
    assert!(in_one_line(&report).contains(cause), "{report}");
    let index = words(&printed(&report, "sqlite3 app.db"));
    bench.execute(&index[2]);
    let repair = words(&printed(&report, "fk-doctor repair"));
    let repair: Vec<&str> = repair.iter().skip(1).map(String::as_str).collect();
    let planned = bench.run(&repair);
    assert_eq!(planned.code, 0, "{repair:?}: {}{}", planned.stdout, planned.stderr);
    let applied = bench.run(&["apply", "app.db", "team.ndjson", "--no-backup"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(scan(&bench).code, 0, "{}", scan(&bench).stdout);
}

#[test]
fn child_rows_without_a_parent_under_the_wider_key_are_counted() {
    let bench = Bench::new(
        "CREATE TABLE team(id INTEGER, year INTEGER);
         CREATE TABLE manager(id INTEGER PRIMARY KEY, team_id INTEGER REFERENCES team(id), year INTEGER);
         CREATE TABLE player(id INTEGER PRIMARY KEY, team_id INTEGER REFERENCES team(id), year INTEGER);
         INSERT INTO team VALUES (1, 2001), (1, 2002);
         INSERT INTO manager VALUES (1, 1, 2001), (2, 1, 1999); INSERT INTO player VALUES (1, 1, 2002);",
    );
    let report = scan(&bench).stdout;
    assert!(in_one_line(&report).contains("unique in all 2 rows, and 2 of 3 child rows have their parent"), "{report}");
    assert!(report.contains("and the same for the 1 other child\n"), "{report}");
}

#[test]
fn keys_that_repeat_are_listed_by_the_printed_query() {
    let bench = Bench::new(
        "CREATE TABLE p(k TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(k));
         INSERT INTO p VALUES ('a'), ('a'), ('b'); INSERT INTO c VALUES (1, 'a');",
    );
    let query = words(&printed(&scan(&bench).stdout, "sqlite3 app.db"));
    assert_eq!(bench.value(&query[2].replace(", count(*) FROM", " FROM")), "'a'", "{query:?}");
}

#[test]
fn unique_values_without_an_index_get_it_by_the_printed_command() {
    let bench = Bench::new(
        "CREATE TABLE p(k TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(k));
         INSERT INTO p VALUES ('a'), ('b'); INSERT INTO c VALUES (1, 'a');",
    );
    let index = words(&printed(&scan(&bench).stdout, "sqlite3 app.db"));
    bench.execute(&index[2]);
    assert_eq!(scan(&bench).code, 0, "{}", scan(&bench).stdout);
}
