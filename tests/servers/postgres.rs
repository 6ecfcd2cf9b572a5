//! What a scan of PostgreSQL shows and how it ends.

use super::common;
use super::server::Server;

const STORY: &str = include_str!("../data/multi-source-sync.sql");

/// The same seed as SQLite's, with the orphans let in.
fn story() -> String {
    format!("SET session_replication_role = replica; {STORY}")
}

#[test]
fn an_id_of_the_wrong_table_is_named() {
    let Some(server) = Server::postgres(&story()) else { return };
    let (code, report) = server.scan();
    assert_eq!(code, 1);
    let finding = &report["findings"][0];
    assert_eq!((&finding["code"], &finding["rows"]), (&"orphan".into(), &2.into()));
    assert_eq!(finding["top_missing"][0]["key"]["knowledge_base_id"], 22);
    assert_eq!(finding["diagnosis"][0]["cause"], "wrong-table");
    assert_eq!(finding["diagnosis"][0]["evidence"], "22 is multi_source_knowledge_base(id)");
    let run = server.run(&["schema", &server.url(), "--format", "json"]);
    common::assert_obeys("schema", &serde_json::from_str(&run.stdout).unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn workers_agree() {
    let Some(server) = Server::postgres(&story()) else { return };
    let one = server.run(&["scan", &server.url(), "--format", "json", "--jobs", "1"]);
    let eight = server.run(&["scan", &server.url(), "--format", "json", "--jobs", "8"]);
    assert_eq!(one.stdout, eight.stdout);
}
