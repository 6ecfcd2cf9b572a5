//! An application writes while a plan is applied and undone in batches. None of its transactions fails because of the repair.

use super::application;
use super::application::Load;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::Patient;
use super::patient::rule;

/// The number of rows of `c`, a third of them orphans.
const ROWS: usize = 6_000;

const CLIENTS: usize = 8;

/// Runs a command while the clients write, and checks that it changes all rows and that no transaction fails.
fn assert_all_succeed(patient: &Patient, command: &str, treatment: &str) {
    let url = patient.server.url();
    let arguments = [command, &url, "plan.ndjson", "--batch", "20ms", "--wait", "60s"];
    let (run, Load { durations, failures }) =
        application::beside(&url, CLIENTS, ROWS, || patient.server.run(&arguments));
    let context = format!("{:?} {command} {treatment}\n{}{}", patient.kind, run.stdout, run.stderr);
    println!("{:?} {command}: {} transactions", patient.kind, durations.len());
    assert!(durations.len() > CLIENTS, "{context}");
    assert_eq!(failures, Vec::<String>::new(), "{context}");
    assert_eq!(run.code, 0, "{context}");
}

#[test]
fn transactions_of_an_application_succeed_beside_batches() {
    for kind in KINDS {
        for treatment in ["action = \"set-null\"", "action = \"placeholder\"\nvalues = { name = \"{key.r}\" }"] {
            let seed = application::seed(kind == Kind::Postgres, ROWS);
            let Some(patient) = Patient::new(kind, &seed) else { continue };
            patient.rules(&rule("c(r)", treatment).replace("[limits]", "[limits]\nmax-rows = 100000"));
            patient.planned();
            let before = patient.orphans();
            assert_all_succeed(&patient, "apply", treatment);
            assert_eq!(patient.orphans(), 0, "{kind:?} {treatment}");
            assert_all_succeed(&patient, "undo", treatment);
            assert_eq!(patient.orphans(), before, "{kind:?} {treatment}");
        }
    }
}

/// Another session holds one row. The run changes the others, waits for this row, and names it.
#[test]
fn row_that_another_session_holds_is_left_and_named() {
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, &application::seed(kind == Kind::Postgres, 60)) else { continue };
        patient.rules(&rule("c(r)", "action = \"set-null\""));
        patient.planned();
        patient.server.beside("BEGIN; UPDATE c SET note = note WHERE id = 30");
        let run = patient.apply(&["--batch", "100", "--wait", "1s"]);
        assert_eq!(run.code, 6, "{kind:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("was locked by another session"), "{kind:?}: {}", run.stdout);
        assert_eq!(patient.orphans(), 1, "{kind:?}");
        patient.server.beside("COMMIT");
        let again = patient.apply(&["--batch", "100"]);
        assert_eq!((again.code, patient.orphans()), (0, 0), "{kind:?}: {}{}", again.stdout, again.stderr);
        let undone = patient.undo(&["--batch", "100"]);
        assert_eq!((undone.code, patient.orphans()), (0, 20), "{kind:?}: {}{}", undone.stdout, undone.stderr);
    }
}
