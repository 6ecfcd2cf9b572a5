//! Every folder under `fixtures/` is a case: `seed.sql` makes a database, an optional `fk-doctor.toml` configures the
//! run, and `expected/` holds what `scan` and `schema` print. `BLESS=1` writes the expected files anew; the diff is
//! the review.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::path::Path;
use std::path::PathBuf;

use common::Bench;

const VIEWS: [(&str, &[&str]); 6] = [
    ("scan.txt", &["scan"]),
    ("scan.json", &["scan", "--format", "json"]),
    ("schema.txt", &["schema"]),
    ("schema.json", &["schema", "--format", "json"]),
    ("schema.mmd", &["schema", "--format", "mermaid"]),
    ("schema.dot", &["schema", "--format", "dot"]),
];

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("seed.sql").is_file())
        .collect();
    cases.sort();
    cases
}

fn bench_of(case: &Path) -> Bench {
    let bench = Bench::new(&std::fs::read_to_string(case.join("seed.sql")).unwrap());
    if case.join("fk-doctor.toml").is_file() {
        std::fs::copy(case.join("fk-doctor.toml"), bench.path("fk-doctor.toml")).unwrap();
    }
    bench
}

#[test]
fn every_case_prints_what_is_expected() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 7, "the fixtures are there");
    for case in cases {
        let bench = bench_of(&case);
        for (file, arguments) in VIEWS {
            let run = bench.run(&[arguments, &["app.db"]].concat());
            let version = rusqlite::version();
            let got = format!("{}exit code {}\n", run.stdout.replace(version, "SQLITE_VERSION"), run.code);
            assert_eq!(run.stderr, "", "{case:?} {file}");
            let expected = case.join("expected").join(file);
            if bless {
                std::fs::create_dir_all(case.join("expected")).unwrap();
                std::fs::write(&expected, got).unwrap();
            } else if std::fs::read_to_string(&expected).unwrap_or_default() != got {
                wrong.push(format!("{}:\n{got}", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 accepts these:\n{}", wrong.join("\n"));
}

#[test]
fn every_report_obeys_its_schema() {
    for case in cases() {
        let bench = bench_of(&case);
        for (command, schema) in [("scan", "scan"), ("schema", "schema")] {
            let run = bench.run(&[command, "app.db", "--format", "json"]);
            let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            common::assert_obeys(schema, &report);
        }
    }
}

/// The laws: reading leaves the file as it was, and the number of workers changes nothing.
#[test]
fn reading_changes_nothing_and_workers_agree() {
    for case in cases() {
        let bench = bench_of(&case);
        let before = std::fs::read(bench.path("app.db")).unwrap();
        let one = bench.run(&["scan", "app.db", "--format", "json", "--jobs", "1"]);
        let eight = bench.run(&["scan", "app.db", "--format", "json", "--jobs", "8"]);
        assert_eq!(one.stdout, eight.stdout, "{case:?}");
        assert_eq!(std::fs::read(bench.path("app.db")).unwrap(), before, "{case:?}");
        let left: Vec<_> =
            std::fs::read_dir(bench.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| name == "app.db" || name == "fk-doctor.toml"), "{case:?}: {left:?}");
    }
}
