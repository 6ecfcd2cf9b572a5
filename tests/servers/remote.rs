//! Tables whose rows lie on other servers: foreign tables of PostgreSQL, and Spider of MariaDB.

use serde_json::Value;

use super::patient::rule;
use super::server::Server;

const RELATION: &str = "[[relation]]\nchild = \"child(r)\"\nparent = \"parent(id)\"\n";

/// One hundred orphans among a thousand rows, and ten rows without a reference.
const ROWS: [&str; 2] = ["n, CASE WHEN n % 100 = 0 THEN NULL WHEN n % 10 = 1 THEN n + 5000 ELSE n END", "n"];

/// A relation between tables of the server itself, which has one orphan.
const LOCAL: &str = "CREATE TABLE home(id int PRIMARY KEY); CREATE TABLE visit(id int PRIMARY KEY, r int); \
    INSERT INTO home VALUES (1); INSERT INTO visit VALUES (1, 1), (2, 9)";
const LOCAL_RELATION: &str = "[[relation]]\nchild = \"visit(r)\"\nparent = \"home(id)\"\n";

/// Returns a database whose tables `child` and `parent` are foreign tables of another one.
fn foreign_tables() -> Option<(Server, Server)> {
    let other = Server::postgres(&format!(
        "CREATE TABLE child(id int PRIMARY KEY, r int); CREATE TABLE parent(id int PRIMARY KEY); \
         INSERT INTO child SELECT {} FROM generate_series(1, 1000) AS n; INSERT INTO parent SELECT {} FROM generate_series(1, 1000) AS n",
        ROWS[0], ROWS[1]
    ))?;
    let server = Server::postgres(&format!("{}; {LOCAL}", link(&other, "postgres")))?;
    server.execute(
        "CREATE FOREIGN TABLE child(id int, r int) SERVER other; CREATE FOREIGN TABLE parent(id int) SERVER other",
    );
    Some((server, other))
}

/// Returns the SQL that makes the other database known as the server `other`, for a user of it.
fn link(other: &Server, user: &str) -> String {
    let port = other.address.rsplit(':').next().unwrap();
    format!(
        "CREATE EXTENSION postgres_fdw; \
         CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}', dbname '{}'); \
         CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (user '{user}')",
        other.name
    )
}

/// Returns a MariaDB database whose tables `child` and `parent` are spread over two servers by Spider.
fn spider_tables() -> Option<(Server, Vec<Server>)> {
    let (server, shards) = Server::spider(|shards| {
        let mut sql = LOCAL.to_owned();
        for (number, shard) in shards.iter().enumerate() {
            shard.execute("CREATE TABLE child(id int PRIMARY KEY, r int); CREATE TABLE parent(id int PRIMARY KEY)");
            let port = shard.address.rsplit(':').next().unwrap();
            sql += &format!(
                "; CREATE SERVER {name}_{number} FOREIGN DATA WRAPPER mysql \
                 OPTIONS (HOST '127.0.0.1', PORT {port}, DATABASE '{name}', USER 'root')",
                name = shard.name
            );
        }
        let parts = shards
            .iter()
            .enumerate()
            .map(|(number, shard)| format!("PARTITION p{number} COMMENT = 'srv \"{}_{number}\"'", shard.name));
        let parts = parts.collect::<Vec<_>>().join(", ");
        for (table, columns) in [("child", "id int PRIMARY KEY, r int"), ("parent", "id int PRIMARY KEY")] {
            sql += &format!(
                "; CREATE TABLE {table}({columns}) ENGINE=SPIDER COMMENT='wrapper \"mysql\", table \"{table}\"' \
                 PARTITION BY HASH (id) ({parts})"
            );
        }
        sql
    })?;
    server.execute("CREATE TABLE numbers(n int PRIMARY KEY); INSERT INTO numbers SELECT seq FROM seq_1_to_1000");
    let [child, parent] = ROWS;
    server.execute(&format!(
        "INSERT INTO child SELECT {child} FROM numbers; INSERT INTO parent SELECT {parent} FROM numbers"
    ));
    Some((server, shards))
}

fn servers() -> Vec<(Server, Vec<Server>)> {
    let foreign = foreign_tables().map(|(server, other)| (server, vec![other]));
    [foreign, spider_tables()].into_iter().flatten().collect()
}

fn scan(server: &Server, options: &[&str]) -> (i32, Value) {
    let url = server.url();
    let run = server.run(&[&["scan", &url, "--format", "json"], options].concat());
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    super::common::assert_obeys("scan", &report);
    (run.code, report)
}

fn relation<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["relations"].as_array().unwrap().iter().find(|relation| relation["id"] == id).unwrap()
}

#[test]
fn remote_table_without_consent_leaves_its_relation_unchecked() {
    for (server, others) in servers() {
        let half = "[[relation]]\nchild = \"visit(r)\"\nparent = \"parent(id)\"\n";
        server.bench.write("fk-doctor.toml", &format!("{RELATION}{LOCAL_RELATION}{half}"));
        let (code, report) = scan(&server, &[]);
        assert_eq!(code, 4, "{report:#}");
        let remote = relation(&report, "child(r)->parent(id)");
        assert_eq!(remote["coverage"], "unchecked");
        let reason = remote["reason"].as_str().unwrap();
        assert!(reason.contains("add --remote-tables child"), "{reason}");
        let half = relation(&report, "visit(r)->parent(id)");
        assert_eq!(half["coverage"], "unchecked", "{report:#}");
        let reason = half["reason"].as_str().unwrap();
        assert!(reason.contains("add --remote-tables parent"), "{reason}");
        let local = relation(&report, "visit(r)->home(id)");
        assert_eq!((&local["coverage"], &local["orphan_rows"]), (&"checked".into(), &1.into()), "{report:#}");
        drop((server, others));
    }
}

#[test]
fn remote_table_with_consent_is_scanned_without_a_shared_snapshot() {
    for (server, others) in servers() {
        server.bench.write("fk-doctor.toml", RELATION);
        let typed = scan(&server, &["--remote-tables", "child", "--remote-tables", "par*"]);
        server.bench.write("fk-doctor.toml", &format!("[scan]\nremote-tables = [\"child\", \"parent\"]\n{RELATION}"));
        for (code, report) in [typed, scan(&server, &[])] {
            assert_eq!(code, 1, "{report:#}");
            let found = relation(&report, "child(r)->parent(id)");
            assert_eq!(found["coverage"], "checked", "{report:#}");
            assert_eq!((&found["rows"], &found["null_rows"]), (&1000.into(), &10.into()), "{report:#}");
            assert_eq!((&found["orphan_rows"], &found["missing_keys"]), (&100.into(), &100.into()), "{report:#}");
            let reason = found["reason"].as_str().unwrap();
            assert!(reason.contains("other servers share no snapshot with this one"), "{reason}");
        }
        drop((server, others));
    }
}

#[test]
fn report_of_remote_orphans_names_no_command_that_refuses_them() {
    for (server, others) in servers() {
        server.bench.write("fk-doctor.toml", RELATION);
        let printed = server.run(&["scan", &server.url(), "--remote-tables", "*"]).stdout;
        assert!(!printed.contains("fk-doctor fix") && !printed.contains("rules suggest"), "{printed}");
        assert!(printed.contains("0 of 100 orphan rows can be repaired by rule"), "{printed}");
        assert!(printed.contains("csv=orphans.csv"), "{printed}");
        // Now the parents of some rows are deleted, and no child is above the parents.
        server.execute("DELETE FROM child WHERE r > 1000");
        server.execute("DELETE FROM parent WHERE id IN (12, 512)");
        let printed = server.run(&["scan", &server.url(), "--remote-tables", "*"]).stdout;
        assert!(printed.contains("choose: repair these rows on the server that has them"), "{printed}");
        assert!(printed.contains("0 of 2 orphan rows can be repaired by rule, 2 need your choice"), "{printed}");
        server.bench.write("fk-doctor.toml", &format!("{RELATION}{LOCAL_RELATION}"));
        let printed = server.run(&["scan", &server.url(), "--remote-tables", "*"]).stdout;
        assert!(printed.contains("fk-doctor fix"), "{printed}");
        drop((server, others));
    }
}

/// A view of a view reads the other server as well.
#[test]
fn view_of_remote_tables_is_read_only_with_consent() {
    for (server, others) in servers() {
        server.execute(
            "CREATE VIEW inner_view AS SELECT id, r FROM child; CREATE VIEW outer_view AS SELECT r FROM inner_view",
        );
        server.execute("CREATE VIEW local_view AS SELECT r FROM visit");
        let relations = ["outer_view(r)->home(id)", "local_view(r)->home(id)"];
        let written = relations.map(|relation| {
            let (child, parent) = relation.split_once("->").unwrap();
            format!("[[relation]]\nchild = \"{child}\"\nparent = \"{parent}\"\n")
        });
        server.bench.write("fk-doctor.toml", &written.concat());
        let (code, report) = scan(&server, &[]);
        assert_eq!(code, 4, "{report:#}");
        let found = relation(&report, relations[0]);
        assert_eq!(found["coverage"], "unchecked", "{report:#}");
        let reason = found["reason"].as_str().unwrap();
        assert!(reason.contains("view of") && reason.contains("add --remote-tables outer_view"), "{reason}");
        assert_eq!(relation(&report, relations[1])["orphan_rows"], 1, "{report:#}");
        let (code, report) = scan(&server, &["--remote-tables", "outer_view"]);
        let found = relation(&report, relations[0]);
        assert_eq!(
            (code, &found["coverage"], &found["orphan_rows"]),
            (1, &"checked".into(), &990.into()),
            "{report:#}"
        );
        assert!(found["reason"].as_str().unwrap().contains("share no snapshot"), "{report:#}");
        drop((server, others));
    }
}

#[test]
fn repair_of_a_remote_table_is_refused_with_the_reason() {
    for (server, others) in servers() {
        server.bench.write("fk-doctor.toml", &format!("[scan]\nremote-tables = [\"*\"]\n{RELATION}"));
        server.bench.write("r.toml", &rule("child(r)", "action = \"delete\"\nkeep = false"));
        let url = server.url();
        let run = server.run(&["repair", &url, "--rules", "r.toml", "--apply"]);
        assert_ne!(run.code, 0, "{}{}", run.stdout, run.stderr);
        let shown = format!("{}{}", run.stdout, run.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains("only `fk-doctor scan` reads rows that lie on other servers"), "{shown}");
        assert_eq!(server.texts("SELECT CAST(count(*) AS char(9)) FROM child")[0].trim(), "1000");
        drop((server, others));
    }
}

/// The role may open one connection only, so that a second session would fail.
#[test]
fn foreign_partitions_are_scanned_by_one_session() {
    let Some(other) =
        Server::postgres("CREATE TABLE second(id int PRIMARY KEY, r int); INSERT INTO second VALUES (11, 1), (12, 99)")
    else {
        return;
    };
    let role = format!("one_of_{}", other.name);
    other.execute(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 1; GRANT SELECT ON second TO {role}"));
    let Some(server) = Server::postgres(&format!(
        "{}; CREATE TABLE parent(id int PRIMARY KEY); INSERT INTO parent VALUES (1); \
         CREATE TABLE child(id int, r int) PARTITION BY RANGE (id); \
         CREATE TABLE first PARTITION OF child FOR VALUES FROM (1) TO (10); INSERT INTO child VALUES (1, 1), (2, 98); \
         CREATE FOREIGN TABLE second PARTITION OF child FOR VALUES FROM (10) TO (20) SERVER other",
        link(&other, &role)
    )) else {
        return;
    };
    let both = "[[relation]]\nchild = \"child(id)\"\nparent = \"parent(id)\"\n";
    server.bench.write("fk-doctor.toml", &format!("{RELATION}{both}"));
    let (code, report) = scan(&server, &["--jobs", "4"]);
    assert_eq!(code, 1, "{report:#}");
    let found = relation(&report, "child(r)->parent(id)");
    assert_eq!((&found["coverage"], &found["orphan_rows"]), (&"checked".into(), &2.into()), "{report:#}");
    let reason = found["reason"].as_str().unwrap();
    assert!(reason.contains("child has foreign partitions: other servers share no snapshot"), "{reason}");
    assert_eq!(relation(&report, "child(id)->parent(id)")["orphan_rows"], 3, "{report:#}");
    drop(server);
    other.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
