//! What `check` says of rows to be loaded into a server's tables: which would fail, on which lines; that a real load refuses
//! the same ones; and that nothing is left behind.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::Value;

use super::server::Server;

const SHOP: &str = "CREATE TABLE customers(id int PRIMARY KEY, name varchar(20) NOT NULL);
    CREATE TABLE orders(id int PRIMARY KEY, customer_id int NOT NULL, ref varchar(10) UNIQUE, n int, parent int, CHECK (n > 0),
        FOREIGN KEY (customer_id) REFERENCES customers(id), FOREIGN KEY (parent) REFERENCES orders(id));
    CREATE TABLE incoming(id int, customer_id int, imported_at varchar(9));
    INSERT INTO incoming VALUES (5, 1, 'x'), (6, 22, 'x'), (5, 2, 'x');
    INSERT INTO customers VALUES (1, 'a'), (2, 'b'); INSERT INTO orders VALUES (1, 1, 'r1', 1, NULL)";

fn both(seed: &str) -> Vec<Server> {
    [Server::postgres(seed), Server::mariadb(seed)].into_iter().flatten().collect()
}

fn check(server: &Server, arguments: &[&str]) -> (i32, Value) {
    let url = server.url();
    let run = server.run(&[&["check", &url], arguments, &["--format", "json"]].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    super::common::assert_obeys("check", &report);
    (run.code, report)
}

/// Relation or table and columns, code, and the lines of every row that is named.
fn named(report: &Value) -> Vec<(String, String, Vec<u64>)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter().map(|one| {
        let lines = one["samples"].as_array().unwrap().iter().map(|sample| sample["row"]["line"].as_u64().unwrap());
        (text(&one["relation"]), text(&one["code"]), lines.collect())
    });
    let refused = report["refused"].as_array().unwrap().iter().map(|one| {
        let columns: Vec<String> = one["columns"].as_array().unwrap().iter().map(text).collect();
        let lines = one["places"].as_array().unwrap().iter().map(|place| place["line"].as_u64().unwrap());
        (format!("{}({})", text(&one["table"]), columns.join(",")), text(&one["code"]), lines.collect())
    });
    findings.chain(refused).collect()
}

#[test]
fn every_row_that_would_fail_is_named_by_its_line() {
    let rows = "id,customer_id,ref,n,parent\n2,1,r2,1,1\n3,22,r3,1,\n4,2,r1,1,\n5,,r5,1,\n6,1,r6,0,\n7,2,r2,1,\n\
                8,22,\"r\n8\",2,99\n9,1,r9,1,10\n10,1,r10,1,9\nx,1,r11,1,\n12,1,longer than ten,1,\n";
    for server in both(SHOP) {
        server.bench.write("o.csv", rows);
        let (code, report) = check(&server, &["--table", "orders", "o.csv"]);
        let found = named(&report);
        let expected = [
            ("orders(customer_id)->customers(id)", "would-fail", vec![3, 8]),
            ("orders(parent)->orders(id)", "would-fail", vec![8]),
            ("orders(ref)", "duplicate-key", vec![4, 7]),
        ];
        let expected = expected.map(|(place, code, lines)| (place.to_owned(), code.to_owned(), lines)).to_vec();
        assert_eq!((code, &found[..3]), (1, expected.as_slice()), "{report:#}");
        let others: Vec<(&str, &[u64])> =
            found[3..].iter().map(|(_, code, lines)| (code.as_str(), lines.as_slice())).collect();
        let values =
            [("not-null", &[5][..]), ("check-failed", &[6]), ("value-refused", &[12]), ("value-refused", &[13])];
        assert_eq!(others, values, "{report:#}");
        assert_eq!((&report["summary"]["rows"], &report["summary"]["would_fail"]), (&11.into(), &8.into()));
        let taken = |place: usize| report["refused"][0]["places"][place]["taken_by"].clone();
        assert_eq!((taken(0), taken(1)), ("table".into(), serde_json::json!({"source": "o.csv", "line": 2})));
        assert_eq!(server.texts("SELECT concat(count(*)) FROM orders"), ["1"]);
    }
}

#[test]
fn parents_of_the_same_load_and_staging_tables_count() {
    for server in both(SHOP) {
        server.bench.write("o.tsv", "id\tcustomer_id\n5\t9\n");
        server.bench.write("c.json", "[{\"id\": 9, \"name\": \"new\"}]");
        let (code, report) = check(&server, &["--load", "orders=o.tsv", "--load", "customers=c.json"]);
        assert_eq!((code, &report["order"]), (0, &serde_json::json!(["customers", "orders"])), "{report:#}");
        let (code, _) = check(&server, &["--table", "orders", "o.tsv"]);
        assert_eq!(code, 1);
        let (code, report) = check(&server, &["--staging", "incoming", "--table", "orders"]);
        let summary = &report["summary"];
        assert_eq!((code, &summary["rows"], &summary["would_fail"]), (1, &3.into(), &2.into()), "{report:#}");
    }
}

#[test]
fn a_planned_schema_is_refused_with_the_way_to_do_it() {
    for server in both(SHOP) {
        server.bench.write("planned.sql", "CREATE TABLE t(a int)");
        let run = server.run(&["check", &server.url(), "--against", "planned.sql"]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains("[[relation]]"), "{}", run.stderr);
    }
}

/// Rows without a number get one that nobody else has, and the real counter stays where it is.
#[test]
fn no_number_is_drawn() {
    let of_postgres = "CREATE TABLE t(id serial PRIMARY KEY, v int); CREATE TABLE u(id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v int);
        INSERT INTO t(v) VALUES (1), (2); INSERT INTO u(v) VALUES (1)";
    let of_mariadb = "CREATE TABLE t(id int AUTO_INCREMENT PRIMARY KEY, v int); CREATE TABLE u(id int AUTO_INCREMENT PRIMARY KEY, v int);
        INSERT INTO t(v) VALUES (1), (2); INSERT INTO u(v) VALUES (1)";
    let counted = [
        (
            Server::postgres(of_postgres),
            "SELECT last_value::text FROM t_id_seq UNION ALL SELECT last_value::text FROM u_id_seq",
        ),
        (
            Server::mariadb(of_mariadb),
            "SELECT concat(auto_increment) FROM information_schema.tables WHERE table_schema = database() ORDER BY table_name",
        ),
    ];
    for (server, counters) in counted {
        let Some(server) = server else { continue };
        server.bench.write("v.csv", "v\n1\n2\n3\n");
        let before = server.texts(counters);
        for table in ["t", "u"] {
            let (code, report) = check(&server, &["--table", table, "v.csv"]);
            assert_eq!((code, &report["summary"]["rows"]), (0, &3.into()), "{report:#}");
        }
        assert_eq!(server.texts(counters), before);
    }
}

/// Random rows: those that a real load leaves out, or that are orphans after it, are those that were named.
#[test]
fn a_real_load_refuses_the_same_rows() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for (postgres, server) in [(true, Server::postgres("SELECT 1")), (false, Server::mariadb("SELECT 1"))] {
        let Some(server) = server else { continue };
        let mut rng = Rng::with_seed(11);
        let (mut loaded, mut refused) = (0, 0);
        for case in 0..cases {
            let pick = |rng: &mut Rng, from: &[&'static str]| from[rng.usize(..from.len())];
            let kinds = ["int", "varchar(2)", "numeric(4,1)", "smallint"];
            let (key, id, other) = (pick(&mut rng, &kinds), pick(&mut rng, &kinds), pick(&mut rng, &kinds));
            let drop = if postgres { "DROP TABLE IF EXISTS c, p CASCADE" } else { "DROP TABLE IF EXISTS c, p" };
            server.execute(drop);
            server.execute(&format!(
                "CREATE TABLE p(k {key} UNIQUE); CREATE TABLE c(id {id} PRIMARY KEY, r {key}, s {other} UNIQUE, t int CHECK (t < 5), \
                 up {id}, FOREIGN KEY (r) REFERENCES p(k), FOREIGN KEY (up) REFERENCES c(id)); \
                 INSERT INTO p VALUES ('1'), ('2'); INSERT INTO c VALUES ('1', '1', '1', 1, NULL)"
            ));
            let rows: Vec<[&str; 5]> = (0..12)
                .map(|_| {
                    let ids = ["2", "3", "4", "5", "6", "7", "8", "9", "02", "1", "a", "", "77777", "2.0"];
                    [
                        pick(&mut rng, &ids),
                        pick(&mut rng, &["1", "2", "", "1", "2", "01", " 1", "3", "a"]),
                        pick(&mut rng, &["", "", "", "4", "5", "6", "7", "1", "b", "B", "abc"]),
                        pick(&mut rng, &["", "1", "2", "3", "9", "x"]),
                        pick(&mut rng, &["", "", "1", "2"]),
                    ]
                })
                .collect();
            let lines: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
            server.bench.write("c.csv", &format!("id,r,s,t,up\n{}\n", lines.join("\n")));
            let (_, report) = check(&server, &["--table", "c", "c.csv", "--samples", "100"]);
            let told: BTreeSet<u64> = named(&report).into_iter().flat_map(|(_, _, lines)| lines).collect();
            let expected = really(&server, postgres, &rows);
            assert_eq!(told, expected, "case {case}: {key}, {id}, {other}\n{}\n{report:#}", lines.join("\n"));
            assert_eq!(report["summary"]["would_fail"], expected.len());
            refused += expected.len();
            loaded += rows.len() - expected.len();
        }
        println!("{}: {loaded} rows loaded, {refused} refused", if postgres { "PostgreSQL" } else { "MariaDB" });
        assert!(refused > 20 && loaded > 10, "the cases are worth judging: {refused} {loaded}");
    }
}

/// The lines that are refused when the rows are really inserted, one by one, or that are orphans then.
fn really(server: &Server, postgres: bool, rows: &[[&str; 5]]) -> BTreeSet<u64> {
    server.execute("BEGIN");
    server.execute(if postgres {
        "SET LOCAL session_replication_role = replica"
    } else {
        "SET foreign_key_checks = 0"
    });
    let mut expected = BTreeSet::new();
    let mut kept = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let line = place as u64 + 2;
        let values: Vec<String> =
            row.iter().map(|text| if text.is_empty() { "NULL".to_owned() } else { format!("'{text}'") }).collect();
        server.execute("SAVEPOINT row_at_hand");
        if server.attempt(&format!("INSERT INTO c VALUES ({})", values.join(", "))).is_ok() {
            kept.push((line, values[0].clone()));
        } else {
            server.execute("ROLLBACK TO SAVEPOINT row_at_hand");
            expected.insert(line);
        }
    }
    for (line, id) in kept {
        let orphan = format!(
            "SELECT concat(count(*)) FROM c WHERE id = {id} AND ((r IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p WHERE p.k = c.r)) \
             OR (up IS NOT NULL AND NOT EXISTS (SELECT 1 FROM c AS o WHERE o.id = c.up)))"
        );
        if server.texts(&orphan) != ["0"] {
            expected.insert(line);
        }
    }
    server.execute("ROLLBACK");
    if !postgres {
        server.execute("SET foreign_key_checks = 1");
    }
    expected
}
