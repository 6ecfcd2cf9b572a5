//! The README's tables and its output are those of the code.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use fk_doctor::exit::Exit;
use fk_doctor::model::finding::Code;
use fk_doctor::report::ScanFormat;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The rows of the table under a heading, without its head.
fn table(heading: &str) -> Vec<String> {
    let readme = readme();
    let (_, section) = readme.split_once(&format!("## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(str::to_owned).collect()
}

#[test]
fn exit_codes_are_those_of_the_code() {
    let expected: Vec<String> =
        Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
    assert_eq!(table("Exit codes"), expected);
}

#[test]
fn finding_codes_are_those_of_the_code() {
    let row = |code: &Code| format!("| `{}` | {} | {} |", code.name(), code.severity().name(), code.explanation());
    assert_eq!(table("Findings"), Code::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn formats_are_those_of_the_code() {
    let row = |format: &ScanFormat| format!("| `{}` | {} |", format.name(), format.explanation());
    assert_eq!(table("Formats"), ScanFormat::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn the_output_shown_is_real() {
    let bench = common::Bench::new("");
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo.sqlite");
    let run = bench.run(&["scan", demo]);
    assert_eq!(run.code, 1);
    assert!(readme().contains(run.stdout.trim_end()), "{}", run.stdout);
    let run = bench.run(&["explain", demo, "INSERT INTO sync_run VALUES (5, 22)"]);
    assert_eq!(run.code, 1);
    assert!(readme().contains(run.stdout.trim_end()), "{}", run.stdout);
}

/// The rule shown is a rule, and the actions are those of the grammar.
#[test]
fn the_rule_shown_is_sound() {
    let readme = readme();
    let (_, section) = readme.split_once("## Repair\n").unwrap();
    let (_, rule) = section.split_once("```toml\n").unwrap();
    let rule = rule.split("```").next().unwrap();
    assert_eq!(fk_doctor::config::rules::parse(rule).unwrap().len(), 1);
    let actions: Vec<String> = table("Repair").iter().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    let schema_actions = ["relax", "enforce", "prevent"];
    let known: Vec<&str> =
        fk_doctor::config::rules::ACTIONS.into_iter().filter(|action| !schema_actions.contains(action)).collect();
    assert_eq!(actions, known);
}
