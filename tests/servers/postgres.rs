//! The output and exit codes of a scan of PostgreSQL.

use super::common;
use super::server::Server;
use super::server::orphans;

const STORY: &str = include_str!("../data/multi-source-sync.sql");

/// The seed of the SQLite test, with orphans allowed.
fn story() -> String {
    format!("SET session_replication_role = replica; {STORY}")
}

#[test]
fn id_of_another_table_is_diagnosed_as_wrong_table() {
    let Some(server) = Server::postgres(&story()) else { return };
    let (code, report) = server.scan();
    assert_eq!(code, 1);
    let finding = &report["findings"][0];
    assert_eq!((&finding["code"], &finding["rows"]), (&"orphan".into(), &2.into()));
    assert_eq!(finding["top_missing"][0]["key"]["knowledge_base_id"], 22);
    assert_eq!(finding["diagnosis"][0]["cause"], "wrong-table");
    assert_eq!(finding["diagnosis"][0]["evidence"], "22 is a key of multi_source_knowledge_base(id)");
    let run = server.run(&["schema", &server.url(), "--format", "json"]);
    common::assert_obeys("schema", &serde_json::from_str(&run.stdout).unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn workers_give_the_same_report() {
    let Some(server) = Server::postgres(&story()) else { return };
    let one = server.run(&["scan", &server.url(), "--format", "json", "--jobs", "1"]);
    let eight = server.run(&["scan", &server.url(), "--format", "json", "--jobs", "8"]);
    assert_eq!(one.stdout, eight.stdout);
}

/// A bitmap judges large children with integer keys. A join gives the same result.
#[test]
fn bitmap_of_keys_agrees_with_the_join() {
    let seed = "CREATE TABLE p(id int8 PRIMARY KEY); INSERT INTO p SELECT i * 3 - 6000 FROM generate_series(1, 9000) AS i;
        CREATE DOMAIN whole AS int4; CREATE TABLE q(id whole UNIQUE); INSERT INTO q SELECT i FROM generate_series(1, 100) AS i;
        INSERT INTO q VALUES (NULL);
        CREATE TABLE wide(id int8 PRIMARY KEY); INSERT INTO wide VALUES (-9223372036854775808), (0), (9223372036854775807);
        SET session_replication_role = replica;
        CREATE TABLE c(id int8, a int4 REFERENCES p(id), b int2 REFERENCES q(id), d int8 REFERENCES wide, e whole REFERENCES q(id))
        WITH (fillfactor = 10);
        INSERT INTO c SELECT i, CASE WHEN i % 10 > 0 THEN i % 30000 - 6010 END, 1 + i % 100, 0, i % 101 FROM generate_series(1, 30000) AS i;
        INSERT INTO c VALUES (-1, 2147483647, -32768, -1, NULL), (-2, -2147483648, 32767, 9223372036854775806, 101)";
    let Some(server) = Server::postgres(seed) else { return };
    let (_, report) = server.scan();
    let relations: Vec<(&str, &str, u64, u64, u64)> = report["relations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|relation| {
            let number = |field: &str| relation[field].as_u64().unwrap();
            let method = relation["method"].as_str().unwrap();
            (
                relation["child"]["columns"][0].as_str().unwrap(),
                method,
                number("rows"),
                number("null_rows"),
                number("orphan_rows"),
            )
        })
        .collect();
    let by_join = |column: &str, parent: &str| -> u64 {
        let question = format!(
            "SELECT count(*)::text FROM c WHERE {column} IS NOT NULL AND NOT EXISTS (SELECT FROM {parent} WHERE id = {column})"
        );
        server.texts(&question).concat().parse().unwrap()
    };
    assert_eq!(
        relations,
        [
            ("a", "key-bitmap", 30_002, 3_000, by_join("a", "p")),
            ("b", "key-bitmap", 30_002, 0, 2),
            ("d", "sql", 30_002, 0, 2),
            ("e", "key-bitmap", 30_002, 1, by_join("e", "q")),
        ]
    );
    assert!(by_join("a", "p") > 1_000);
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["rows"] == 2).unwrap();
    assert_eq!(finding["missing_keys"], 2);
}

/// A configured relation may name a view; no other view is read. A server's message about values is shown without them.
#[test]
fn view_can_be_child_of_configured_relation() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE t(r int); INSERT INTO t VALUES (1), (2);
        CREATE VIEW v AS SELECT r FROM t; CREATE MATERIALIZED VIEW m AS SELECT r + 1 AS r FROM t;
        CREATE VIEW broken AS SELECT ('number ' || r)::int AS r FROM t";
    let Some(server) = Server::postgres(seed) else { return };
    let config = |child: &str| format!("[[relation]]\nchild = \"{child}\"\nparent = \"p(id)\"\n");
    std::fs::write(server.bench.path("fk-doctor.toml"), ["v(r)", "m(r)", "broken(r)"].map(config).concat()).unwrap();
    let (code, report) = server.scan();
    assert_eq!(orphans(&report), [("v(r)->p(id)", 1), ("m(r)->p(id)", 2), ("broken(r)->p(id)", 0)]);
    assert_eq!((code, &report["relations"][2]["reason"]), (4, &"invalid input syntax for type integer: \"…\"".into()));
}
