//! An application writes while a plan is applied and undone in batches. None of its transactions fails because of the repair.

use std::time::Duration;
use std::time::Instant;

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

/// A parent arrives while a batch changes its children. It does not wait for the batch, and the children keep their key.
#[test]
fn parent_that_arrives_during_a_batch_neither_waits_nor_loses_its_children() {
    let Some(patient) = Patient::new(Kind::Postgres, &application::seed(true, 120)) else { return };
    patient.server.execute(
        "CREATE SEQUENCE rows; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM nextval('public.rows'), pg_catalog.pg_sleep(0.05); RETURN NEW; END $$; \
         CREATE TRIGGER slow BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    patient.rules(&rule("c(r)", "action = \"set-null\""));
    patient.planned();
    let (run, waited) = std::thread::scope(|scope| {
        let apply = scope.spawn(|| patient.apply(&["--batch", "100", "--skip-changed", "--wait", "60s"]));
        while !apply.is_finished() && patient.server.texts("SELECT (last_value > 3)::text FROM rows") != ["true"] {
            std::thread::sleep(Duration::from_millis(5));
        }
        let start = Instant::now();
        patient.server.execute("INSERT INTO p VALUES (1000001, 'the application')");
        let waited = start.elapsed();
        assert!(!apply.is_finished(), "the parent arrives during the batch");
        (apply.join().unwrap(), waited)
    });
    assert_eq!(run.code, 6, "{}{}", run.stdout, run.stderr);
    assert!(waited < Duration::from_secs(1), "the batch takes 2 seconds, and the application waited {waited:?}");
    assert_eq!(patient.server.texts("SELECT count(*)::text FROM c WHERE r = 1000001"), ["2"]);
    assert_eq!(patient.orphans(), 0);
}

/// The record of a batch is written before the parents are locked, so a slow record keeps no parent waiting.
#[test]
fn record_of_a_batch_is_written_before_parents_are_locked() {
    let Some(patient) = Patient::new(Kind::Postgres, &application::seed(true, 120)) else { return };
    patient.rules(&rule("c(r)", "action = \"set-null\""));
    patient.planned();
    // The first run creates the table of states.
    for command in ["apply", "undo"] {
        let run = patient.server.run(&[command, &patient.server.url(), "plan.ndjson", "--batch", "100"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    }
    patient.server.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_catalog.pg_sleep(2); RETURN NEW; END $$; \
         CREATE TRIGGER slow BEFORE INSERT ON fk_doctor_state FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let (run, longest) = std::thread::scope(|scope| {
        let apply = scope.spawn(|| patient.apply(&["--batch", "100", "--wait", "60s"]));
        let mut longest = Duration::ZERO;
        for key in 2_000_000.. {
            if apply.is_finished() {
                break;
            }
            let start = Instant::now();
            patient.server.execute(&format!("INSERT INTO p VALUES ({key}, 'the application')"));
            longest = longest.max(start.elapsed());
        }
        (apply.join().unwrap(), longest)
    });
    assert_eq!((run.code, patient.orphans()), (0, 0), "{}{}", run.stdout, run.stderr);
    assert!(longest < Duration::from_secs(1), "the record takes 2 seconds, and the application waited {longest:?}");
}
