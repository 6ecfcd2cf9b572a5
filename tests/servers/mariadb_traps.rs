//! Unusual cases in MariaDB and MySQL when reading, each as a test.

use serde_json::Value;

use super::server::Server;
use super::server::codes;
use super::server::expect;
use super::server::orphans;

/// The part after `|` runs with checks off.
fn trap(sql: &str, expected: &[&str]) -> Vec<(Server, Value)> {
    with_reports(Server::mysql_family(&with_checks_off(sql)), expected)
}

fn with_reports(servers: Vec<Server>, expected: &[&str]) -> Vec<(Server, Value)> {
    let reported = servers.into_iter().map(|server| {
        let report = expect(&server, expected);
        (server, report)
    });
    reported.collect()
}

fn with_checks_off(sql: &str) -> String {
    sql.replace(" | ", "; SET foreign_key_checks = 0; ")
}

macro_rules! traps {
    ($($name:ident: $sql:expr => $codes:expr;)*) => { $(#[test] fn $name() { let _ = trap($sql, &$codes); })* };
}

traps! {
    foreign_key_checks_off_leave_orphans: "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY fk(r) REFERENCES p(id)); CREATE TABLE d(r int) | INSERT INTO c VALUES(1,99); INSERT INTO d VALUES(77); ALTER TABLE d ADD FOREIGN KEY(r) REFERENCES p(id)" => ["orphan", "orphan"];
    collation_decides: "CREATE TABLE p(k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY); CREATE TABLE c(r varchar(20) COLLATE utf8mb4_general_ci, FOREIGN KEY(r) REFERENCES p(k)); INSERT INTO p VALUES('Abc'); INSERT INTO c VALUES('abc'),('ÁBC'),('Abc ') | INSERT INTO c VALUES('abd')" => ["orphan"];
    unsigned_bigint_keys_are_exact: "CREATE TABLE p(id bigint unsigned PRIMARY KEY); CREATE TABLE c3(r bigint unsigned, FOREIGN KEY(r) REFERENCES p(id)); INSERT INTO p VALUES(18446744073709551615); INSERT INTO c3 VALUES(18446744073709551615) | INSERT INTO c3 VALUES(18446744073709551614)" => ["orphan"];
    zero_date_is_a_key: "SET sql_mode=''; CREATE TABLE p(d date PRIMARY KEY); CREATE TABLE c(d date NOT NULL, FOREIGN KEY(d) REFERENCES p(d)); CREATE TABLE e(d date NOT NULL, FOREIGN KEY(d) REFERENCES p(d)); CREATE TABLE q(d date PRIMARY KEY); CREATE TABLE f(d date NOT NULL, FOREIGN KEY(d) REFERENCES q(d)); INSERT INTO p VALUES('0000-00-00'); INSERT INTO c VALUES('0000-00-00'),('2024-02-31') | INSERT INTO f VALUES('0000-00-00')" => ["orphan"];
    inline_references_are_scanned: "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(r int REFERENCES p(id)) | INSERT INTO c VALUES(9)" => ["orphan"];
    generated_column_as_key_is_scanned: "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c2(a int, r int AS (a+1) STORED, FOREIGN KEY(r) REFERENCES p(id)) | INSERT INTO c2(a) VALUES(1)" => ["orphan"];
    names_with_any_character_are_scanned: "CREATE TABLE P(Id int PRIMARY KEY); CREATE TABLE p(other int PRIMARY KEY); CREATE TABLE `we``ird.t\n;--`(`sel\"ect?` int, FOREIGN KEY(`SEL\"ECT?`) REFERENCES P(ID)) | INSERT INTO `we``ird.t\n;--` VALUES(1)" => ["orphan"];
    key_values_of_every_type_are_shown: "CREATE TABLE p(a binary(2), b bit(4), d datetime(3), e enum('x','y'), n decimal(6,2), f double, PRIMARY KEY(a,b,d,e,n,f)); CREATE TABLE c(a binary(2), b bit(4), d datetime(3), e enum('x','y'), n decimal(6,2), f double, FOREIGN KEY(a,b,d,e,n,f) REFERENCES p(a,b,d,e,n,f)) | INSERT INTO c VALUES(x'00ff',b'101','2024-01-01 10:00:00.125','y',1.50,0.5)" => ["orphan"];
}

#[test]
fn parent_key_without_unique_is_scanned() {
    let sql = with_checks_off(
        "CREATE TABLE p(id int, KEY(id)); CREATE TABLE c(r int, FOREIGN KEY(r) REFERENCES p(id)); INSERT INTO p VALUES(1),(1),(NULL); INSERT INTO c VALUES(1) | INSERT INTO c VALUES(2)",
    );
    let newer = format!("SET restrict_fk_on_non_standard_key = OFF; {sql}");
    let _ = with_reports([Server::mariadb(&sql), Server::mysql(&newer)].into_iter().flatten().collect(), &["orphan"]);
}

#[test]
fn system_versioned_history_is_not_scanned() {
    let sql = "CREATE TABLE p(id int PRIMARY KEY) | CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY(r) REFERENCES p(id)) WITH SYSTEM VERSIONING; INSERT INTO c VALUES(1,99),(2,98); DELETE FROM c WHERE id=1";
    let _ = with_reports(Server::mariadb(&with_checks_off(sql)).into_iter().collect(), &["orphan"]);
}

#[test]
fn myisam_table_can_have_configured_relations() {
    for (server, _) in trap(
        "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(r int) ENGINE=MyISAM; INSERT INTO c VALUES(99); \
         CREATE TABLE d(r int) PARTITION BY HASH(r) PARTITIONS 2; INSERT INTO d VALUES(1); INSERT INTO p VALUES(1)",
        &[],
    ) {
        let config =
            "[[relation]]\nchild = \"c(r)\"\nparent = \"p(id)\"\n[[relation]]\nchild = \"d(r)\"\nparent = \"p(id)\"\n";
        std::fs::write(server.bench.path("fk-doctor.toml"), config).unwrap();
        let report = expect(&server, &["not-enforced", "not-enforced", "orphan"]);
        assert_eq!(orphans(&report), [("c(r)->p(id)", 1), ("d(r)->p(id)", 0)]);
        let text: Vec<&str> =
            report["findings"].as_array().unwrap().iter().map(|finding| finding["message"].as_str().unwrap()).collect();
        assert!(text[1].starts_with("c is stored by MyISAM") && text[2].starts_with("d is partitioned"), "{text:?}");
    }
}

#[test]
fn parent_in_another_database_is_scanned() {
    for server in Server::mysql_family("SELECT 1") {
        let other = format!("{}_other", server.name);
        server.execute(&format!(
        "CREATE DATABASE {other}; CREATE TABLE {other}.p(id int PRIMARY KEY); CREATE TABLE {other}.unread(id int); \
         CREATE TABLE c(r int, FOREIGN KEY(r) REFERENCES {other}.p(id)); INSERT INTO {other}.p VALUES (1); INSERT INTO c VALUES (1)"
    ));
        let report = expect(&server, &[]);
        assert_eq!(orphans(&report), [(format!("c(r)->{other}.p(id)").as_str(), 0)]);
        server.execute(&format!("SET foreign_key_checks = 0; DROP DATABASE {other}"));
        expect(&server, &["orphan", "parent-table-missing"]);
    }
}

/// Creates a user, named after the database, who may only read these tables.
fn reader(server: &Server, tables: &[&str]) -> String {
    let user = server.name.clone();
    server.execute(&format!("CREATE USER {user}@'127.0.0.1'"));
    for table in tables {
        server.execute(&format!("GRANT SELECT ON {}.{table} TO {user}@'127.0.0.1'", server.name));
    }
    user
}

#[test]
fn reader_sees_every_foreign_key_of_readable_tables() {
    for (server, _) in trap(
        "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE q(id int PRIMARY KEY); \
         CREATE TABLE c(r int, s int, FOREIGN KEY(r) REFERENCES p(id) ON DELETE CASCADE, FOREIGN KEY(s) REFERENCES q(id)) \
         | INSERT INTO c VALUES(1,1)",
        &["orphan", "orphan"],
    ) {
        let user = reader(&server, &["c", "p"]);
        let (code, report) = server.scan_as(&user);
        assert_eq!(report["relations"][0]["on_delete"], "CASCADE");
        assert_eq!(codes(&report)[0], "orphan");
        // A table that may not be read looks like a missing table.
        assert_eq!(report["relations"][1]["parent"]["table"], "q");
        assert_eq!((code, &report["relations"][1]["coverage"]), (4, &Value::from("unchecked")), "{report:#}");
        server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
    }
}

#[test]
fn workers_give_the_same_report() {
    let seed = include_str!("../data/multi-source-sync.sql");
    for (server, report) in trap(&format!("SELECT 1 | {seed}"), &["orphan"]) {
        assert_eq!(report["findings"][0]["diagnosis"][0]["evidence"], "22 is a key of multi_source_knowledge_base(id)");
        let one = server.run(&["scan", &server.url(), "--format", "json", "--jobs", "1"]);
        let eight = server.run(&["scan", &server.url(), "--format", "json", "--jobs", "8"]);
        assert_eq!(one.stdout, eight.stdout);
    }
}
