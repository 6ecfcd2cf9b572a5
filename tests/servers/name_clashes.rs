//! No name of a user's object clashes with a name of fk-doctor on servers. Tables and columns have the names that
//! fk-doctor's SQL uses.

use super::names;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::Patient;

fn quote(kind: Kind) -> char {
    if kind == Kind::Postgres { '"' } else { '`' }
}

/// Returns a database on each available kind of server.
fn on_each(test: impl Fn(&Patient, &[String], char)) {
    let names = names::names();
    for kind in KINDS {
        let quote = quote(kind);
        let Some(patient) = Patient::new(kind, &names::seed(&names, quote, false)) else { continue };
        test(&patient, &names, quote);
    }
}

#[test]
fn repair_of_tables_named_like_aliases_treats_every_orphan() {
    on_each(|patient, names, quote| {
        let (kind, before) = (patient.kind, patient.dump());
        assert_eq!(patient.orphans(), names.len() as u64, "{kind:?}");
        for round in 0..names::ROUNDS {
            let rules = names::rules(names, round, quote);
            patient.rules(&rules);
            for run in [patient.plan(), patient.apply(&[])] {
                assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{kind:?}, {round}: {}", run.stdout);
            }
            assert_eq!(patient.orphans(), 0, "{kind:?}, {round}");
            let undone = patient.undo(&[]);
            assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{kind:?}, {round}: {}", undone.stdout);
            assert_eq!(patient.dump(), before, "{kind:?}, {round}");
            std::fs::remove_file(patient.server.bench.path("plan.ndjson")).unwrap();
        }
    });
}

#[test]
fn check_of_tables_named_like_aliases_names_failing_rows() {
    on_each(|patient, names, _| {
        let url = patient.server.url();
        patient.server.bench.write("rows.csv", names::ROWS);
        for pair in names.chunks(2) {
            let [name, staging] = pair else { continue };
            let run = patient.server.run(&["check", &url, "--table", name, "rows.csv", "--format", "json"]);
            names::assert_checked(name, &run);
            let run = patient.server.run(&["check", &url, "--table", staging, "--staging", name, "--format", "json"]);
            names::assert_staged(staging, &run);
        }
    });
}

#[test]
fn explain_of_tables_named_like_aliases_gives_effects() {
    on_each(|patient, names, quote| {
        let url = patient.server.url();
        for (place, name) in names.iter().enumerate() {
            let (statement, outcome) = &names::statements(name, quote)[place % 3];
            let run = patient.server.run(&["explain", &url, statement, "--format", "json"]);
            names::assert_explained(statement, outcome, &run);
        }
    });
}
