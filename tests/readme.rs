//! The tables of README.md and of the book match the code, and CONTRIBUTING.md describes the tests. `book.rs` runs their
//! commands.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::case;

use std::collections::BTreeSet;

use case::Case;
use fk_doctor::internals::exit::Exit;
use fk_doctor::internals::model::catalog::Engine;
use fk_doctor::internals::model::finding::Cause;
use fk_doctor::internals::report::Format;
use fk_doctor::internals::report::ScanFormat;
use fk_doctor::internals::source::Source;

fn page(name: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Returns the rows of the first table under a heading of a page, without its head.
fn table(name: &str, heading: &str) -> Vec<String> {
    let page = page(name);
    let (_, section) = page.split_once(&format!("## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(str::to_owned).collect()
}

#[test]
fn exit_codes_of_the_pages_equal_the_code() {
    let expected: Vec<String> =
        Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
    for name in ["README.md", "docs/formats.md"] {
        assert_eq!(table(name, "Exit codes"), expected, "{name}");
    }
}

#[test]
fn formats_of_the_page_equal_the_code() {
    let row = |format: &ScanFormat| format!("| `{}` | {} |", format.name(), format.explanation());
    assert_eq!(table("docs/formats.md", "Formats"), ScanFormat::ALL.iter().map(row).collect::<Vec<_>>());
}

/// Every address of the table is understood, and every engine has one.
#[test]
fn addresses_of_the_page_are_understood() {
    let mut engines = BTreeSet::new();
    for row in table("docs/databases.md", "Addresses") {
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
fn sections_for_databases_hold_for_their_databases() {
    let page = page("docs/configuration.md");
    let (_, section) = page.split_once("## Several databases\n").unwrap();
    let text = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = fk_doctor::internals::config::parse(text).unwrap();
    assert_eq!(config.databases.len(), 2);
    assert_eq!(config.clone().for_database(&["app.db".to_owned()]).relations.len(), 1);
    assert!(config.for_database(&["a_test.db".to_owned()]).scan.fail_on.is_some());
}

/// The reference of rules and the cookbook have the actions of the grammar.
#[test]
fn actions_of_the_pages_equal_the_grammar() {
    let names =
        |rows: Vec<String>| rows.iter().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
    let schema_actions = ["relax", "enforce", "prevent"];
    let known: Vec<&str> = fk_doctor::internals::config::rules::ACTIONS
        .into_iter()
        .filter(|action| !schema_actions.contains(action))
        .collect();
    assert_eq!(names(table("docs/rules.md", "Actions")), known);
    let cookbook = page("docs/cookbook.md");
    for action in fk_doctor::internals::config::rules::ACTIONS {
        let is_heading = |line: &str| line.starts_with("### ") && line.contains(&format!("`{action}`"));
        assert!(cookbook.lines().any(is_heading), "{action} has no recipe");
    }
}

/// The cookbook has a recipe for each cause that a scan reports.
#[test]
fn every_cause_has_a_recipe() {
    let cookbook = page("docs/cookbook.md");
    let (_, recipes) = cookbook.split_once("## Recipes by cause\n").unwrap();
    for cause in Cause::ALL.map(Cause::name) {
        let is_heading = |line: &str| line.starts_with("### ") && line.contains(&format!("`{cause}`"));
        assert!(recipes.lines().any(is_heading), "{cause} has no recipe");
    }
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
    // The program itself and its build read these variables.
    read.remove("FK_DOCTOR_REDACT_KEY");
    read.remove("FK_DOCTOR_COMMIT");
    let servers = ["POSTGRES", "STANDBY", "MARIADB", "MYSQL", "SPIDER", "CERTIFICATE"];
    read.extend(servers.map(|name| format!("FK_DOCTOR_TEST_{name}")));
    let text = contributing();
    let is_of_name = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    let listed =
        text.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split(|letter| !is_of_name(letter)));
    let listed: BTreeSet<String> = listed.filter(|word| word.starts_with("FK_DOCTOR_")).map(str::to_owned).collect();
    assert_eq!(listed, read);
}
