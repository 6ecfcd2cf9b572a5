//! Equal rows in SQLite, PostgreSQL and MariaDB give equal findings, in equal words.

use fastrand::Rng;
use serde_json::Value;

use super::common::Bench;
use super::server::Server;

const TABLES: usize = 12;

/// A schema in the SQL that all three share: integers and exact texts, one or two columns, several levels of parents.
fn seed(rng: &mut Rng) -> String {
    let mut sql = String::new();
    let mut keys: Vec<(String, Vec<&str>)> = Vec::new();
    for number in 0..TABLES {
        let table = format!("t{number:02}");
        let width = 1 + rng.usize(..2);
        let types: Vec<&str> = (0..width).map(|_| if rng.bool() { "BIGINT" } else { "VARCHAR(40)" }).collect();
        let key: Vec<String> = (0..width).map(|i| format!("k{i}")).collect();
        let mut parts: Vec<String> = types.iter().enumerate().map(|(i, of)| format!("k{i} {of} NOT NULL")).collect();
        let mut names = key.clone();
        let mut written = types.clone();
        let mut constraints = vec![format!("PRIMARY KEY ({})", key.join(", "))];
        for reference in 0..rng.usize(..3).min(keys.len()) {
            let (parent, parent_types) = &keys[rng.usize(..keys.len())];
            let own: Vec<String> = (0..parent_types.len()).map(|i| format!("r{reference}_{i}")).collect();
            let theirs: Vec<String> = (0..parent_types.len()).map(|i| format!("k{i}")).collect();
            parts.extend(own.iter().zip(parent_types).map(|(name, of)| format!("{name} {of}")));
            constraints.push(format!("FOREIGN KEY ({}) REFERENCES {parent}({})", own.join(", "), theirs.join(", ")));
            names.extend(own);
            written.extend(parent_types);
        }
        parts.extend(constraints);
        sql += &format!("CREATE TABLE {table}({});\n", parts.join(", "));
        for row in 0..rng.usize(..40) {
            let values: Vec<String> =
                written.iter().enumerate().map(|(i, of)| value(rng, of, i < width, row)).collect();
            sql += &format!("INSERT INTO {table}({}) VALUES ({});\n", names.join(", "), values.join(", "));
        }
        keys.push((table, types));
    }
    sql
}

/// Rows with the same key differ by their number; references are random.
fn value(rng: &mut Rng, of: &str, is_key: bool, row: usize) -> String {
    if !is_key && rng.u8(..8) == 0 {
        return "NULL".to_owned();
    }
    let number = if is_key { row as i64 } else { rng.i64(-2..30) };
    if of == "BIGINT" {
        return number.to_string();
    }
    let dress = if is_key { 0 } else { rng.u8(..9) };
    match dress {
        6 => format!("'K{number:03}'"),
        7 => format!("' k{number:03}'"),
        8 => "''".to_owned(),
        _ => format!("'k{number:03}'"),
    }
}

/// Returns the part of a report that must not depend on the engine.
fn essence(report: &Value) -> Value {
    let relations: Vec<Value> = report["relations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|relation| {
            let fields = ["id", "coverage", "rows", "null_rows", "orphan_rows", "missing_keys", "child", "parent"];
            fields.iter().map(|field| relation[*field].clone()).collect()
        })
        .collect();
    let mut relations = relations;
    relations.sort_by_key(ToString::to_string);
    let orphans = report["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "orphan");
    let mut orphans: Vec<Value> = orphans.cloned().collect();
    orphans.sort_by_key(|finding| finding["relation"].to_string());
    serde_json::json!([report["verdict"], relations, orphans])
}

#[test]
fn engines_agree_on_the_same_rows() {
    let mut rng = Rng::with_seed(11);
    for round in 0..4 {
        let seed = seed(&mut rng);
        let bench = Bench::new(&seed);
        let Some(postgres) = Server::postgres(&format!("SET session_replication_role = replica; {seed}")) else {
            return;
        };
        let others = Server::mysql_family("SET foreign_key_checks = 0");
        for server in &others {
            // Neither engine has the other's name for a collation of bytes that counts trailing spaces.
            let is_mysql = server.attempt("SET collation_connection = utf8mb4_0900_bin").is_ok();
            let exact = if is_mysql { "utf8mb4_0900_bin" } else { "utf8mb4_nopad_bin" };
            server.execute(&format!(
                "SET collation_connection = {exact}; ALTER DATABASE {} COLLATE {exact}; {seed}",
                server.name
            ));
        }
        let sqlite = bench.scan();
        assert!(sqlite.1["summary"]["orphan_rows"].as_u64() > Some(20), "{}", sqlite.1["summary"]);
        for (code, report) in others.iter().chain([&postgres]).map(Server::scan) {
            let engine = report["database"]["engine"].as_str().unwrap();
            assert_eq!((code, essence(&report)), (sqlite.0, essence(&sqlite.1)), "{engine} in round {round}");
        }
    }
}
