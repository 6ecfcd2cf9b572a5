//! The README's tables and output match the code, and CONTRIBUTING.md describes the tests.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::case;
use crate::common;

use std::collections::BTreeSet;

use case::Case;
use fk_doctor::internals::exit::Exit;
use fk_doctor::internals::model::catalog::Engine;
use fk_doctor::internals::model::finding::Code;
use fk_doctor::internals::report::ScanFormat;
use fk_doctor::internals::source::Source;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// Returns the rows of the table under a heading, without its head.
fn table(heading: &str) -> Vec<String> {
    let readme = readme();
    let (_, section) = readme.split_once(&format!("## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(str::to_owned).collect()
}

#[test]
fn readme_exit_codes_equal_the_code() {
    let expected: Vec<String> =
        Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
    assert_eq!(table("Exit codes"), expected);
}

#[test]
fn readme_finding_codes_equal_the_code() {
    let row = |code: &Code| format!("| `{}` | {} | {} |", code.name(), code.severity().name(), code.explanation());
    assert_eq!(table("Findings"), Code::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn readme_formats_equal_the_code() {
    let row = |format: &ScanFormat| format!("| `{}` | {} |", format.name(), format.explanation());
    assert_eq!(table("Formats"), ScanFormat::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn readme_output_is_real() {
    let bench = common::Bench::new("");
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo.sqlite");
    let run = bench.run(&["scan", demo]);
    assert_eq!(run.code, 1);
    let readme = common::without_elapsed(&readme());
    let shown = common::without_elapsed(&run.stdout).replace(demo, "fixtures/demo.sqlite");
    assert!(readme.contains(shown.trim_end()), "{shown}");
    let run = bench.run(&["explain", demo, "INSERT INTO sync_run VALUES (5, 22)"]);
    assert_eq!(run.code, 1);
    assert!(readme.contains(run.stdout.trim_end()), "{}", run.stdout);
}

/// Every address of the table is understood, and every engine has one.
#[test]
fn readme_addresses_are_understood() {
    let mut engines = BTreeSet::new();
    for row in table("Addresses") {
        for address in row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2) {
            let source = Source::parse(address);
            // No file of services is here.
            let is_known = source.is_ok() || address.starts_with("service=");
            assert!(is_known, "{address}: {source:?}");
            engines.extend(source.map(|source| source.engine().title()));
        }
    }
    let all: BTreeSet<&str> = Engine::ALL.iter().map(|engine| engine.title()).collect();
    assert_eq!(engines, all);
}

#[test]
fn readme_sections_for_databases_are_valid() {
    let readme = readme();
    let (_, section) = readme.split_once("A file above several databases").unwrap();
    let text = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = fk_doctor::internals::config::parse(text).unwrap();
    assert_eq!(config.databases.len(), 2);
    assert_eq!(config.clone().for_database(&["app.db".to_owned()]).relations.len(), 1);
    assert!(config.for_database(&["a_test.db".to_owned()]).scan.fail_on.is_some());
}

/// The shown rule is valid, and the actions are those of the grammar.
#[test]
fn readme_rule_is_valid() {
    let readme = readme();
    let (_, section) = readme.split_once("## Repair\n").unwrap();
    let (_, rule) = section.split_once("```toml\n").unwrap();
    let rule = rule.split("```").next().unwrap();
    assert_eq!(fk_doctor::internals::config::rules::parse(rule).unwrap().len(), 1);
    let actions: Vec<String> = table("Repair").iter().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    let schema_actions = ["relax", "enforce", "prevent"];
    let known: Vec<&str> = fk_doctor::internals::config::rules::ACTIONS
        .into_iter()
        .filter(|action| !schema_actions.contains(action))
        .collect();
    assert_eq!(actions, known);
}

fn contributing() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/CONTRIBUTING.md")).unwrap()
}

/// The case that CONTRIBUTING.md shows is a valid case.
#[test]
fn contributing_case_is_valid() {
    let text = contributing();
    let (_, shown) = text.split_once("```toml\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("case.toml", shown.split("```").next().unwrap());
    write("seed.sql", "");
    write("r.toml", "");
    let case = Case::read(folder.path()).unwrap();
    assert_eq!((case.engines.len(), case.steps.len()), (2, 7));
    for key in case::KEYS.into_iter().flatten() {
        assert!(text.contains(&format!("{key} = ")) || text.contains(&format!("[[{key}]]")), "{key} is not shown");
    }
}

/// CONTRIBUTING.md lists exactly the variables that the tests read.
#[test]
fn contributing_lists_every_test_variable() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = BTreeSet::new();
    let mut folders = vec![folder.join("tests"), folder.join("src")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                None if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let names =
                        text.split("var(\"").chain(text.split("var_os(\"")).chain(text.split("number(\"")).skip(1);
                    let names = names.filter_map(|rest| rest.split('"').next());
                    read.extend(names.filter(|name| name.starts_with("FK_DOCTOR_")).map(str::to_owned));
                }
                _ => {}
            }
        }
    }
    // The program itself reads this variable.
    read.remove("FK_DOCTOR_REDACT_KEY");
    read.extend(["POSTGRES", "MARIADB", "MYSQL", "SPIDER", "CERTIFICATE"].map(|name| format!("FK_DOCTOR_TEST_{name}")));
    let text = contributing();
    let is_of_name = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    let listed =
        text.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split(|letter| !is_of_name(letter)));
    let listed: BTreeSet<String> = listed.filter(|word| word.starts_with("FK_DOCTOR_")).map(str::to_owned).collect();
    assert_eq!(listed, read);
}
