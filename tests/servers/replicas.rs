//! `--max-lag` on servers. PostgreSQL knows its replicas; those of MySQL and MariaDB must be named.

use super::common::in_one_line;
use super::patient::Kind;
use super::patient::Patient;
use super::patient::on_each;
use super::patient::rule;

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
