//! More orphans than fit into one chunk of keys or rows, page of an answer, or batch of changes. Every action repairs
//! 5,000 of them and is undone.

use std::time::Duration;
use std::time::Instant;

use fk_doctor::internals::engine::Deadline;
use fk_doctor::internals::engine::WaitLimits;
use fk_doctor::internals::engines;
use fk_doctor::internals::model::resolve::resolve;
use fk_doctor::internals::source::Source;
use fk_doctor::internals::sql;

use super::common::Run;
use super::common::States as _;
use super::numbers::numbers;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::Patient;
use super::patient::rule;
use super::patient::unlimited;

/// The number of rows of `c`, all orphans, two with each key.
const ROWS: usize = 5_000;

/// Every fourth row of `c` has a dependant.
fn seed() -> String {
    let (rows, keys) = (numbers(ROWS), numbers(ROWS / 2));
    format!(
        "CREATE TABLE p(id int PRIMARY KEY, name varchar(40)); \
         CREATE TABLE c(id int PRIMARY KEY, r int DEFAULT 2, FOREIGN KEY (r) REFERENCES p(id) ON DELETE SET NULL); \
         CREATE TABLE b(id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES c(id) ON DELETE CASCADE); \
         CREATE TABLE moved(old int PRIMARY KEY, new int); \
         INSERT INTO p VALUES (1, 'a'), (2, 'b'); \
         INSERT INTO c SELECT i, 1000 + (i + i % 2) / 2 FROM {rows}; \
         INSERT INTO b SELECT i, i FROM {rows} WHERE i % 4 = 0; \
         INSERT INTO moved SELECT 1000 + i, 1 + i % 2 FROM {keys}"
    )
}

fn done(patient: &Patient, context: &str, run: &Run) {
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{:?}, {context}\n{}", patient.kind, run.stdout);
}

/// Plans, applies, scans and undoes, once in one transaction and once in batches.
fn treated(patient: &Patient, treatments: &str) {
    patient.rules(&unlimited(treatments));
    let before = patient.dump();
    done(patient, treatments, &patient.plan());
    assert_eq!(patient.dump(), before, "{:?}, {treatments}: a dry run writes nothing", patient.kind);
    let (whole, batches): (&[&str], &[&str]) = (&[], &["--batch", "1000"]);
    let (applying, undoing) = if patient.kind == Kind::Postgres { (batches, whole) } else { (whole, batches) };
    done(patient, treatments, &patient.apply(applying));
    assert_eq!(patient.orphans(), 0, "{:?}, {treatments}", patient.kind);
    done(patient, treatments, &patient.undo(undoing));
    assert_eq!(patient.dump(), before, "{:?}, {treatments}: undo restores every value", patient.kind);
}

fn treated_everywhere(treatments: &str) {
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, &seed()) else { continue };
        let moved: String = (1..=ROWS / 2).map(|n| format!("{},{}\n", 1000 + n, 1 + n % 2)).collect();
        patient.server.bench.write("moved.csv", &format!("old,new\n{moved}"));
        treated(&patient, treatments);
    }
}

#[test]
fn placeholder_with_missing_key_repairs_many_rows() {
    treated_everywhere("action = \"placeholder\"\nvalues = { name = \"{key.r}\" }\nrecord = \"made\"");
}

#[test]
fn placeholder_with_new_key_repairs_many_rows() {
    treated_everywhere("action = \"placeholder\"\nkey = \"new\"\nrecord = \"made\"");
}

#[test]
fn sentinel_repairs_many_rows() {
    treated_everywhere("action = \"sentinel\"\nkey = -1\nvalues = { name = \"unknown\" }");
}

#[test]
fn set_null_repairs_many_rows() {
    treated_everywhere("action = \"set-null\"");
}

#[test]
fn set_default_repairs_many_rows() {
    treated_everywhere("action = \"set-default\"");
}

#[test]
fn quarantine_table_keeps_many_rows() {
    treated_everywhere("action = \"quarantine\"");
}

#[test]
fn quarantine_file_keeps_many_rows() {
    treated_everywhere("action = \"quarantine\"\nfile = \"kept.ndjson\"");
}

#[test]
fn delete_removes_many_rows() {
    treated_everywhere("action = \"delete\"\nkeep = false");
}

#[test]
fn follow_repairs_many_rows() {
    treated_everywhere("action = \"follow\"");
}

#[test]
fn remap_by_query_repairs_many_rows() {
    treated_everywhere("action = \"remap\"\nto = \"SELECT id FROM p WHERE id = 1 + key.r % 2\"\nrecord = \"kept\"");
}

#[test]
fn remap_by_table_repairs_many_rows() {
    treated_everywhere("action = \"remap\"\ntable = \"moved(old -> new)\"");
}

#[test]
fn remap_by_file_repairs_many_rows() {
    treated_everywhere("action = \"remap\"\nmap = \"moved.csv\"");
}

#[test]
fn remap_by_normalize_repairs_many_rows() {
    for kind in KINDS {
        let text = if kind == Kind::Postgres { "varchar(40)" } else { "varchar(40) COLLATE utf8mb4_bin" };
        let (rows, keys) = (numbers(ROWS), numbers(ROWS / 2));
        let seed = format!(
            "CREATE TABLE p(id {text} PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r {text}, FOREIGN KEY (r) REFERENCES p(id)); \
             INSERT INTO p SELECT concat('k', i) FROM {keys}; \
             INSERT INTO c SELECT i, concat(' K', 1 + i % {}) FROM {rows}",
            ROWS / 2
        );
        let Some(patient) = Patient::new(kind, &seed) else { continue };
        treated(&patient, "action = \"remap\"\nnormalize = [\"trim\", \"casefold\"]");
    }
}

/// Checks that the command changes nothing.
#[test]
fn report_of_many_rows_changes_nothing() {
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, &seed()) else { continue };
        patient.rules(&rule("c(r)", "action = \"report\""));
        let planned = patient.plan();
        assert_eq!(planned.stderr, "", "{kind:?}");
        assert!(planned.stdout.states("5,000"), "{kind:?}: {}", planned.stdout);
        assert_eq!(patient.orphans(), 5_000);
    }
}

/// The rows of a set are found by their names, and never compared with every line of the set. A server that knows its tables
/// takes orphans for rare, and would find those of the whole table first. If it did, `remap` would take a minute here.
#[test]
fn time_of_a_set_is_linear() {
    let rows = numbers(10_000);
    let seed = format!(
        "CREATE TABLE p(id bigint PRIMARY KEY, name varchar(40)); \
         CREATE TABLE c(id bigint PRIMARY KEY, r bigint, note varchar(60), FOREIGN KEY (r) REFERENCES p(id)); \
         CREATE INDEX c_r ON c(r); INSERT INTO p SELECT i, 'parent' FROM {rows}; \
         INSERT INTO c SELECT 3 * i, 1000000000 + (i + i % 2) / 2, 'a note about a row' FROM {rows}; \
         INSERT INTO c SELECT 3 * i - 1, (3 * i - 1) * 7919 % 10000 + 1, 'a note about a row' FROM {rows}; \
         INSERT INTO c SELECT 3 * i - 2, (3 * i - 2) * 7919 % 10000 + 1, 'a note about a row' FROM {rows}"
    );
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, &seed) else { continue };
        patient.server.execute(if kind == Kind::Postgres { "ANALYZE" } else { "ANALYZE TABLE p, c" });
        let seconds = ["action = \"remap\"\nto = \"SELECT 1\"", "action = \"set-null\""].map(|treatments| {
            patient.rules(&unlimited(treatments));
            done(&patient, treatments, &patient.plan());
            let start = Instant::now();
            done(&patient, treatments, &patient.apply(&[]));
            assert_eq!(patient.orphans(), 0, "{kind:?}, {treatments}");
            done(&patient, treatments, &patient.undo(&[]));
            start.elapsed().as_secs_f64()
        });
        assert!(seconds[0] < 5.0 * seconds[1] + 2.0, "{kind:?}: {seconds:?}");
    }
}

/// A staging table is read while its rows are tried.
#[test]
fn staging_table_with_many_rows_is_checked() {
    for kind in KINDS {
        let rows = numbers(ROWS);
        let seed = format!(
            "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
             CREATE TABLE incoming(id int, r int); INSERT INTO p VALUES (1); \
             INSERT INTO incoming SELECT i, 1 + i % 2 FROM {rows}"
        );
        let Some(patient) = Patient::new(kind, &seed) else { continue };
        let url = patient.server.url();
        let run = patient.server.run(&["check", &url, "--staging", "incoming", "--table", "c", "--format", "json"]);
        assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{kind:?}\n{}", run.stdout);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["summary"]["would_fail"], 2_500, "{kind:?}: {}", report["summary"]);
    }
}

/// Three sessions, each queried in the middle of the answer of another.
#[test]
fn session_answers_while_another_session_streams() {
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, &seed()) else { continue };
        let patience = WaitLimits { lock_wait: Duration::from_secs(5), deadline: Deadline::default() };
        let source = Source::parse(&patient.server.url()).unwrap();
        let mut database = engines::open(&source, &patience).unwrap();
        let schema = resolve(database.catalog().unwrap(), &[]).unwrap();
        let relation = schema.relations.iter().find(|relation| relation.id == "c(r)->p(id)").unwrap();
        let orphans = sql::of(&schema).orphans(&schema, relation, &sql::ScanHints::default());
        let keys = sql::repair::of(&schema).unwrap().definitions();
        let mut sessions = database.sessions(2).unwrap();
        let (first, rest) = sessions.split_first_mut().unwrap();
        let mut rehearsal = database.rehearsal().unwrap();
        let (mut rows, mut inner, mut innermost) = (0, 0, 0);
        first
            .each_row(&orphans, &mut |_| {
                rows += 1;
                if rows % 1_000 == 1 {
                    let second = rest.first_mut().unwrap();
                    second
                        .each_row(&keys, &mut |_| {
                            inner += 1;
                            rehearsal.each_row(&keys, &mut |_| innermost += 1).unwrap();
                        })
                        .unwrap();
                }
            })
            .unwrap();
        assert_eq!(rows, ROWS, "{kind:?}");
        assert!(inner >= 5 && innermost >= inner, "{kind:?}: {inner}, {innermost}");
    }
}
