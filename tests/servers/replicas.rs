//! `--max-lag` on servers. PostgreSQL knows its replicas; those of MySQL and MariaDB must be named.

use std::time::Duration;
use std::time::Instant;

use super::common::in_one_line;
use super::patient::Kind;
use super::patient::Patient;
use super::patient::on_each;
use super::patient::rule;
use super::server::Server;

const SEED: &str = "CREATE TABLE p(id int PRIMARY KEY); \
    CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
    INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 9), (3, 9), (4, 8), (5, 7)";

/// Checks that these options are refused before anything is changed.
fn refused(patient: &Patient, options: &[&str], code: i32, why: &str) {
    let before = patient.dump();
    let run = patient.apply(&[&["--batch", "2", "--max-lag", "5s"], options].concat());
    assert_eq!(run.code, code, "{:?}\n{}{}", patient.kind, run.stdout, run.stderr);
    assert!(in_one_line(&run.stderr).contains(why), "{:?}: {}", patient.kind, run.stderr);
    assert_eq!(patient.dump(), before, "{:?}", patient.kind);
}

#[test]
fn lag_is_measured_where_the_server_kind_knows_it() {
    on_each(SEED, |patient| {
        patient.rules(&rule("c(r)", "action = \"set-null\""));
        patient.planned();
        let url = patient.server.url();
        match patient.kind {
            Kind::Postgres => {
                refused(patient, &["--replica", &url], 5, "itself knows its replicas, so --replica is not needed");
                let run = patient.apply(&["--batch", "2", "--max-lag", "5s"]);
                assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
                assert_eq!(patient.orphans(), 0);
            }
            Kind::Mariadb | Kind::Mysql => {
                refused(patient, &[], 5, "does not know how far its replicas are behind");
                refused(patient, &["--replica", &url], 3, "this server is not a replica");
            }
        }
    });
}

/// The batches wait for a standby that has stopped to replay, and go on once it has replayed them.
#[test]
fn standby_that_is_behind_holds_batches_up() {
    let Some((server, standby)) = Server::with_standby(&Kind::Postgres.unenforced(SEED)) else { return };
    let patient = Patient { server, kind: Kind::Postgres };
    patient.rules(&rule("c(r)", "action = \"set-null\""));
    patient.planned();
    patient.server.wait_for(&standby);
    patient.server.execute_on(&standby, "SELECT pg_wal_replay_pause()");
    let begun = Instant::now();
    let (held, run) = std::thread::scope(|threads| {
        let apply = threads.spawn(|| patient.apply(&["--batch", "1", "--pause", "300ms", "--max-lag", "100ms"]));
        std::thread::sleep(Duration::from_secs(4));
        let held = !apply.is_finished();
        patient.server.execute_on(&standby, "SELECT pg_wal_replay_resume()");
        (held, apply.join().unwrap())
    });
    assert!(held, "four batches ended in {:?}: {}", begun.elapsed(), run.stdout);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    assert_eq!(patient.orphans(), 0);
}
