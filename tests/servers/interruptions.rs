//! Locks, limits and lost connections during a scan. The scan ends, reports the unchecked relations, and keeps its
//! other results.

use std::time::Duration;

use serde_json::Value;

use super::common::Run;
use super::server::Server;

const TABLES: &str = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE a(r int, FOREIGN KEY (r) REFERENCES p(id)); \
    CREATE TABLE z(r int, FOREIGN KEY (r) REFERENCES p(id));";

/// Scans while another session locks `a`. `meanwhile` is called once the scan waits for the lock.
fn scan_beside_a_lock(server: &Server, options: &[&str], waiting: &str, meanwhile: impl FnOnce()) -> (i32, Value) {
    let url = server.url();
    let arguments = [&["scan", &url, "--format", "json"], options].concat();
    let run = std::thread::scope(|scope| {
        let scan = scope.spawn(|| server.run(&arguments));
        while !scan.is_finished() && server.texts(waiting).is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        meanwhile();
        scan.join().unwrap()
    });
    let Run { code, stdout, stderr } = run;
    (code, serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}")))
}

/// The relation of the locked table is unchecked, for this reason. The other relation is checked.
fn assert_only_one_is_missing((code, report): &(i32, Value), why: &str) {
    let coverage = |place: usize| &report["relations"][place]["coverage"];
    assert_eq!((coverage(0), coverage(1)), (&"unchecked".into(), &"checked".into()), "{report:#}");
    let reason = report["relations"][0]["reason"].as_str().unwrap();
    assert!(reason.contains(why), "{reason}");
    assert_eq!(*code, 4);
}

const POSTGRES_WAITING: &str = "SELECT pid::text FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name = 'fk-doctor' AND wait_event_type = 'Lock'";

#[test]
fn postgres_lock_is_waited_for_up_to_the_limit() {
    let Some(server) = Server::postgres(TABLES) else { return };
    server.beside("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE");
    let scan = |options: &[&str]| scan_beside_a_lock(&server, options, POSTGRES_WAITING, || {});
    assert_only_one_is_missing(&scan(&["--wait", "100ms", "--jobs", "1"]), "wait longer with --wait");
    assert_only_one_is_missing(&scan(&["--wait", "100ms", "--jobs", "2"]), "wait longer with --wait");
    let (code, report) = scan(&["--wait", "60s", "--timeout", "4s", "--jobs", "1"]);
    assert_eq!((code, &report["relations"][0]["reason"]), (4, &"the time limit was reached".into()));
    server.beside("ROLLBACK");
}

#[test]
fn postgres_lost_connection_is_reopened_for_other_relations() {
    let Some(server) = Server::postgres(TABLES) else { return };
    server.beside("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE");
    let end = || {
        server.texts(&format!("SELECT pg_terminate_backend(pid::int)::text FROM ({POSTGRES_WAITING}) AS waiting"));
        server.beside("ROLLBACK");
    };
    let ended = scan_beside_a_lock(&server, &["--wait", "60s", "--jobs", "1"], POSTGRES_WAITING, end);
    assert_only_one_is_missing(&ended, "the connection was lost");
}

#[test]
fn postgres_server_shutdown_ends_the_scan() {
    let Some(server) = Server::postgres(TABLES) else { return };
    for workers in [&["--wait", "60s"][..], &["--wait", "60s", "--jobs", "2"]] {
        server.beside("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE");
        let end = || {
            let ours = "datname = current_database() AND application_name = 'fk-doctor'";
            server.texts(&format!("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE {ours}"));
        };
        let (code, report) = scan_beside_a_lock(&server, workers, POSTGRES_WAITING, end);
        assert_eq!((code, &report["verdict"]), (4, &"incomplete".into()), "{report:#}");
        server.beside("ROLLBACK");
    }
}

#[test]
fn mariadb_lost_connection_leaves_other_relations_unchecked() {
    for server in Server::mysql_family(TABLES) {
        server.beside("LOCK TABLES a WRITE");
        let waiting = format!(
            "SELECT CAST(id AS CHAR) FROM information_schema.processlist \
         WHERE db = '{}' AND state LIKE 'Waiting for table metadata lock'",
            server.name
        );
        let end = || {
            for id in server.texts(&waiting) {
                server.execute(&format!("KILL {id}"));
            }
            server.beside("UNLOCK TABLES");
        };
        let (code, report) = scan_beside_a_lock(&server, &["--wait", "60s", "--jobs", "1"], &waiting, end);
        assert_eq!((code, &report["relations"][0]["coverage"]), (4, &"unchecked".into()), "{report:#}");
        server.beside("LOCK TABLES a WRITE");
        let limited = scan_beside_a_lock(&server, &["--wait", "1s", "--jobs", "1"], &waiting, || {});
        assert_only_one_is_missing(&limited, "wait longer with --wait");
        let (code, report) =
            scan_beside_a_lock(&server, &["--wait", "60s", "--timeout", "4s", "--jobs", "1"], &waiting, || {});
        assert_eq!((code, &report["relations"][0]["reason"]), (4, &"the time limit was reached".into()));
        server.beside("UNLOCK TABLES");
    }
}
