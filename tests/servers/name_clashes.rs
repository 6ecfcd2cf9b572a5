//! No name of a user's object meets a name of ours, on servers: tables and columns are called as our own SQL calls things.

use super::names;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::Patient;

fn quote(kind: Kind) -> char {
    if kind == Kind::Postgres { '"' } else { '`' }
}

/// A database of each kind that there is.
fn on_each(test: impl Fn(&Patient, &[String], char)) {
    let names = names::names();
    for kind in KINDS {
        let quote = quote(kind);
        let Some(patient) = Patient::new(kind, &names::seed(&names, quote, false)) else { continue };
        test(&patient, &names, quote);
    }
}

#[test]
fn repair_treats_tables_named_like_ours() {
    on_each(|patient, names, quote| {
        let (kind, before) = (patient.kind, patient.dump());
        assert_eq!(patient.orphans(), names.len() as u64, "{kind:?}");
        for which in 0..names::treatments("", quote).len() {
            let (treatment, rules) = names::rules(names, which, quote);
            patient.rules(&rules);
            for run in [patient.plan(), patient.apply(&[])] {
                assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{kind:?}, {treatment}: {}", run.stdout);
            }
            assert_eq!(patient.orphans(), 0, "{kind:?}, {treatment}");
            let undone = patient.undo(&[]);
            assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{kind:?}, {treatment}: {}", undone.stdout);
            assert_eq!(patient.dump(), before, "{kind:?}, {treatment}");
            std::fs::remove_file(patient.server.bench.path("plan.ndjson")).unwrap();
        }
    });
}

#[test]
fn check_tries_rows_for_tables_named_like_ours() {
    on_each(|patient, names, _| {
        let url = patient.server.url();
        patient.server.bench.write("rows.csv", names::ROWS);
        for (name, staging) in names.iter().zip(names.iter().cycle().skip(1)) {
            let run = patient.server.run(&["check", &url, "--table", name, "rows.csv", "--format", "json"]);
            names::assert_checked(name, &run);
            let run = patient.server.run(&["check", &url, "--table", name, "--staging", staging, "--format", "json"]);
            names::assert_staged(name, &run);
        }
    });
}

#[test]
fn explain_foresees_statements_about_tables_named_like_ours() {
    on_each(|patient, names, quote| {
        let url = patient.server.url();
        for name in names {
            for (statement, outcome) in names::statements(name, quote) {
                let run = patient.server.run(&["explain", &url, &statement, "--format", "json"]);
                names::assert_explained(&statement, outcome, &run);
            }
        }
    });
}
