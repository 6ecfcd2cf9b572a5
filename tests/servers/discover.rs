//! Discovered pairs on servers: the list and the counts equal those of the server's own comparisons, and those of SQLite.
//! `FK_DOCTOR_CASES` sets the number of random schemas. The seed is fixed, so a failure repeats.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use serde_json::Value;

use super::common::Bench;
use super::common::Run;
use super::server::Server;

const USUAL_CASES: usize = 12;

/// A type, the kind of values with which its values compare, and its collation.
type Kind = (&'static str, &'static str, &'static str);

const MYSQL_TYPES: [Kind; 20] = [
    ("int", "number", ""),
    ("bigint unsigned", "number", ""),
    ("decimal(6,2)", "number", ""),
    ("double", "number", ""),
    ("varchar(9) COLLATE utf8mb4_general_ci", "text", "utf8mb4_general_ci"),
    ("char(5) COLLATE utf8mb4_general_ci", "text", "utf8mb4_general_ci"),
    ("varchar(9) COLLATE utf8mb4_unicode_ci", "text", "utf8mb4_unicode_ci"),
    ("varchar(9) COLLATE utf8mb4_unicode_520_ci", "text", "utf8mb4_unicode_520_ci"),
    ("varchar(9) COLLATE utf8mb4_bin", "text", "utf8mb4_bin"),
    ("varchar(9) CHARACTER SET latin1 COLLATE latin1_swedish_ci", "text", "latin1_swedish_ci"),
    ("varchar(9) CHARACTER SET latin1 COLLATE latin1_german2_ci", "text", "latin1_german2_ci"),
    ("varchar(9) COLLATE utf8mb4_nopad_bin", "text", "utf8mb4_nopad_bin"),
    ("varchar(9) COLLATE utf8mb4_unicode_nopad_ci", "text", "utf8mb4_unicode_nopad_ci"),
    ("varchar(9) COLLATE utf8mb4_uca1400_ai_ci", "text", "utf8mb4_uca1400_ai_ci"),
    ("varchar(9) COLLATE utf8mb4_uca1400_as_cs", "text", "utf8mb4_uca1400_as_cs"),
    ("varchar(9) COLLATE utf8mb4_0900_as_cs", "text", "utf8mb4_0900_as_cs"),
    ("varchar(9) COLLATE utf8mb4_0900_ai_ci", "text", "utf8mb4_0900_ai_ci"),
    ("varbinary(9)", "bytes", ""),
    ("binary(4)", "bytes", ""),
    ("date", "date", ""),
];

const POSTGRES_TYPES: [Kind; 13] = [
    ("int", "number", ""),
    ("int8", "number", ""),
    ("numeric(6,2)", "number", ""),
    ("float8", "number", ""),
    ("text", "text", "\"default\""),
    ("varchar(9)", "text", "\"default\""),
    ("char(5)", "text", "\"default\""),
    ("text COLLATE \"C\"", "text", "\"C\""),
    ("text COLLATE caseless", "text", "caseless"),
    ("date", "date", ""),
    ("bool", "truth", ""),
    ("timestamp", "time", ""),
    ("int4range", "range", ""),
];

fn values_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "number" => {
            &["0", "1", "2", "3", "4", "5", "6", "7", "-1", "1.5", "2.5", "4294967295", "9007199254740993", "0.1"]
        }
        "bytes" => &["x'61'", "x'41'", "x'6100'", "x'62'", "x'00'", "x'6162'", "x''"],
        "date" => &["'2024-01-01'", "'2024-01-02'", "'2024-01-03'", "'2024-01-04'", "'2024-01-05'"],
        "time" => &["'2024-01-01 10:00'", "'2024-01-01 10:00:00.5'", "'2024-01-02 00:00'", "'2024-01-03 00:00'"],
        "truth" => &["true", "false"],
        "range" => &["'[1,2)'", "'[1,1]'", "'empty'", "'[3,9)'", "'(,4)'"],
        _ => &[
            "'a'", "'A'", "'a '", "'b'", "'B'", "'c'", "'d'", "'e'", "'é'", "'E '", "'ß'", "'ss'", "''", "' '", "'1'",
            "'01'", "'ab'", "'aB '", "'f'", "'g'",
        ],
    }
}

struct Table {
    name: String,
    columns: Vec<Kind>,
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

/// Creates tables whose columns often share their values. A type that the server does not have is replaced.
fn random_tables(server: &Server, rng: &mut Rng, types: &[Kind]) -> Vec<Table> {
    let mut tables = Vec::new();
    while tables.len() < 3 {
        let name = format!("t{}", tables.len());
        let columns: Vec<Kind> = (0..4).map(|_| pick(rng, types)).collect();
        let defined: Vec<String> =
            columns.iter().enumerate().map(|(index, (kind, ..))| format!("c{index} {kind}")).collect();
        if server.attempt(&format!("CREATE TABLE {name}({})", defined.join(", "))).is_err() {
            continue;
        }
        let most = if rng.bool() { 8 } else { 25 };
        for _ in 0..most {
            let value = |(_, kind, _): &Kind| match rng.u8(..12) {
                0 => "NULL".to_owned(),
                _ => pick(rng, values_of(kind)).to_owned(),
            };
            let row: Vec<String> = columns.iter().map(value).collect();
            let _ = server.attempt(&format!("INSERT INTO {name} VALUES ({})", row.join(", ")));
        }
        tables.push(Table { name, columns });
    }
    tables
}

/// The counts of a pair: rows, rows with a NULL, orphans, distinct keys, missing keys.
type Counts = [u64; 5];

/// Every pair of comparable columns of which at least one key is present, as the server compares them.
fn expected(server: &Server, tables: &[Table]) -> BTreeMap<String, Counts> {
    let numbers =
        |sql: &str| -> Vec<u64> { server.texts(sql)[0].split(' ').map(|number| number.parse().unwrap()).collect() };
    let mut pairs = BTreeMap::new();
    for parent in tables {
        for (key, (_, kind, collation)) in parent.columns.iter().enumerate() {
            let (p, key) = (&parent.name, format!("c{key}"));
            let own = numbers(&format!("SELECT concat_ws(' ', count({key}), count(DISTINCT {key})) FROM {p}"));
            if own[0] == 0 || own[0] != own[1] {
                continue;
            }
            for child in tables {
                for (column, (_, other, _)) in child.columns.iter().enumerate() {
                    let (c, column) = (&child.name, format!("c{column}"));
                    if other != kind || (c, &column) == (p, &key) {
                        continue;
                    }
                    let value = format!("c.{column}");
                    let compared = match (*kind, server.is_postgres()) {
                        ("text", true) => format!("({value} COLLATE {collation})"),
                        ("text", false) => {
                            let set = collation.split('_').next().unwrap();
                            format!("CONVERT({value} USING {set}) COLLATE {collation}")
                        }
                        _ => value,
                    };
                    let orphan = format!(
                        "FROM {c} AS c WHERE c.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {p} AS p WHERE p.{key} = {compared})"
                    );
                    let counts = numbers(&format!(
                        "SELECT concat_ws(' ', (SELECT count(*) FROM {c}), (SELECT count(*) FROM {c} WHERE {column} IS NULL), \
                         (SELECT count(*) {orphan}), (SELECT count(DISTINCT {compared}) FROM {c} AS c), \
                         (SELECT count(DISTINCT {compared}) {orphan}))"
                    ));
                    if counts[4] < counts[3] {
                        pairs.insert(format!("{c}({column})->{p}({key})"), counts.try_into().unwrap());
                    }
                }
            }
        }
    }
    pairs
}

fn counts_of(candidate: &Value) -> Counts {
    ["rows", "null_rows", "orphan_rows", "distinct", "missing_keys"].map(|name| candidate[name].as_u64().unwrap())
}

fn report(run: &Run) -> Value {
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let report = serde_json::from_str(&run.stdout).unwrap();
    super::common::assert_obeys("discover", &report);
    report
}

/// Returns the pairs of single columns of which at least one key is present.
fn found(server: &Server) -> BTreeMap<String, Counts> {
    let everything = ["discover", &server.url(), "--format", "json", "--tolerance", "100% keys, 100% rows"];
    let report = report(&server.run(&everything));
    let candidates = report["candidates"].as_array().unwrap().iter();
    let pairs = candidates.map(|candidate| (candidate["id"].as_str().unwrap().to_owned(), counts_of(candidate)));
    pairs.filter(|(id, counts)| counts[4] < counts[3] && !id.contains(',')).collect()
}

fn compare_with_the_server(server: &Server, seed: u64, types: &[Kind]) {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    let mut rng = Rng::with_seed(seed);
    let mut number = 0;
    for case in 0..cases {
        let tables = random_tables(server, &mut rng, types);
        let defined: Vec<Vec<&str>> =
            tables.iter().map(|table| table.columns.iter().map(|(kind, ..)| *kind).collect()).collect();
        let expected = expected(server, &tables);
        assert_eq!(found(server), expected, "case {case} of {}: {defined:?}", server.url());
        number += expected.len();
        server.execute("DROP TABLE t0, t1, t2");
    }
    assert!(number > 2 * cases, "{number} pairs in {cases} cases say too little");
}

#[test]
fn discovered_pairs_are_those_that_postgres_finds_equal() {
    let collation = "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
    let Some(server) = Server::postgres(collation) else { return };
    compare_with_the_server(&server, 3, &POSTGRES_TYPES);
}

#[test]
fn discovered_pairs_are_those_that_mysql_finds_equal() {
    for server in Server::mysql_family("SET sql_mode = ''; ALTER DATABASE CHARACTER SET utf8mb4") {
        compare_with_the_server(&server, 4, &MYSQL_TYPES);
    }
}

/// Tables and rows of a shop without foreign keys, with some orphans, a key of two columns and an empty table. `text` is a
/// type whose texts are compared by their bytes.
fn shop(text: &str) -> String {
    let mut sql = format!(
        "CREATE TABLE customers(id integer PRIMARY KEY, code {text} NOT NULL UNIQUE, name {text});
         CREATE TABLE products(id integer PRIMARY KEY, name {text});
         CREATE TABLE shelves(hall integer NOT NULL, shelf integer NOT NULL, note {text}, PRIMARY KEY (hall, shelf));
         CREATE TABLE orders(id integer PRIMARY KEY, customer_id integer, customer_code {text}, day {text});
         CREATE TABLE order_items(id integer PRIMARY KEY, order_id integer, product_id integer, hall integer, shelf integer);
         CREATE TABLE coupons(id integer PRIMARY KEY, order_id integer);
         CREATE VIEW busy AS SELECT o.id, c.name FROM orders AS o JOIN customers AS c ON c.id = o.customer_id;"
    );
    let mut rows = |table: &str, number: i64, row: &dyn Fn(i64) -> String| {
        let rows: Vec<String> = (1..=number).map(|number| format!("({})", row(number))).collect();
        sql.push_str(&format!("INSERT INTO {table} VALUES {};", rows.join(", ")));
    };
    rows("customers", 50, &|i| format!("{i}, 'c-{:03}', 'name {}'", i * 7, i % 20));
    rows("products", 40, &|i| format!("{i}, 'product {i}'"));
    rows("shelves", 60, &|i| format!("{}, {}, NULL", 100 + i / 10, i % 10));
    rows("orders", 200, &|i| {
        let code = if i % 40 == 0 { "lost".to_owned() } else { format!("c-{:03}", (1 + i * 7 % 50) * 7) };
        let customer = if i > 195 { 7_654_321 } else { 1 + i * 7 % 50 };
        format!("{i}, {customer}, '{code}', '2024-01-{:02}'", 1 + i % 28)
    });
    rows("order_items", 400, &|i| {
        let (shelf, product) = (1 + i * 11 % 60, 1 + i * 13 % 40);
        format!("{i}, {}, {product}, {}, {}", 1 + i * 7 % 200, 100 + shelf / 10, shelf % 10)
    });
    sql
}

/// Each candidate with its tier and its counts.
fn judged(report: &Value) -> BTreeMap<String, (String, Counts)> {
    let candidates = report["candidates"].as_array().unwrap().iter();
    let judged = candidates.map(|candidate| {
        let tier = candidate["tier"].as_str().unwrap().to_owned();
        (candidate["id"].as_str().unwrap().to_owned(), (tier, counts_of(candidate)))
    });
    judged.collect()
}

/// The pairs that a view joins.
fn joined(report: &Value) -> Vec<&str> {
    let candidates = report["candidates"].as_array().unwrap().iter();
    let is_joined = |candidate: &&Value| {
        candidate["evidence"].as_array().unwrap().iter().any(|evidence| evidence["feature"] == "view-join")
    };
    candidates.filter(is_joined).map(|candidate| candidate["id"].as_str().unwrap()).collect()
}

#[test]
fn same_rows_give_the_same_candidates_on_every_engine() {
    let bench = Bench::new(&shop("text"));
    let on_sqlite = report(&bench.run(&["discover", "app.db", "--format", "json"]));
    assert_eq!(joined(&on_sqlite), ["orders(customer_id)->customers(id)"]);
    let on_sqlite = judged(&on_sqlite);
    let references = ["orders(customer_id)->customers(id)", "order_items(hall,shelf)->shelves(hall,shelf)"];
    assert!(references.iter().all(|id| ["certain", "likely"].contains(&on_sqlite[*id].0.as_str())), "{on_sqlite:?}");
    let mut servers = Server::mysql_family(&shop("varchar(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"));
    servers.extend(Server::postgres(&shop("text")));
    for server in servers {
        let report = report(&server.run(&["discover", &server.url(), "--format", "json"]));
        assert_eq!(judged(&report), on_sqlite, "{}", server.url());
        assert_eq!(joined(&report), ["orders(customer_id)->customers(id)"], "{}", server.url());
        let shown =
            server.run(&["discover", &server.url(), "--redact", "--tier", "rejected", "--format", "json"]).stdout;
        assert!(!shown.contains("7654321") && !shown.contains("lost") && shown.contains("***"), "{shown}");
    }
}

#[test]
fn table_that_the_user_may_not_read_makes_the_run_incomplete() {
    let Some(server) = Server::postgres(&shop("text")) else { return };
    let role = format!("r{}", server.name);
    server.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON customers, products, orders, coupons, shelves TO {role}"
    ));
    let run = server.run(&["discover", &server.url_as(&role), "--format", "json"]);
    server.execute(&format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}; DROP ROLE {role}"));
    assert_lacks_order_items(&run);
}

/// Checks that the discovery of a shop names the table that it could not read, and judges the other references.
fn assert_lacks_order_items(run: &Run) {
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["summary"]["complete"], false);
    let unread = &report["not_looked_at"][0];
    assert_eq!((&unread["subject"], &unread["failed"]), (&"order_items".into(), &true.into()));
    assert_eq!(judged(&report)["orders(customer_id)->customers(id)"].0, "certain");
}

/// A `citext` is a text beside another text, and ignores the case beside another `citext`.
#[test]
fn citext_is_compared_as_postgres_compares_it() {
    let keys = "generate_series(1, 50) AS i";
    let spelled = "CASE WHEN i % 10 = 0 THEN 'KEY' ELSE 'Key' END || (i % 40 + 1)";
    let Some(server) = Server::postgres(&format!(
        "CREATE EXTENSION citext; CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE texts(code text PRIMARY KEY); INSERT INTO texts SELECT 'Key' || i FROM {keys};
         CREATE TABLE citexts(code citext PRIMARY KEY); INSERT INTO citexts SELECT 'Key' || i FROM {keys};
         CREATE TABLE padded(code char(9) PRIMARY KEY); INSERT INTO padded SELECT 'Key' || i FROM {keys};
         CREATE TABLE parts(code citext, part int, PRIMARY KEY (code, part)); INSERT INTO parts SELECT 'Key' || i, i % 3 FROM {keys};
         CREATE TABLE children(id int PRIMARY KEY, own citext, other text, named varchar(9), padded char(9),
             same text COLLATE caseless, part int);
         INSERT INTO children SELECT i + 1000, v, v, v, v, v, (i % 40 + 1) % 3
             FROM (SELECT i, {spelled} AS v FROM generate_series(1, 200) AS i) AS n"
    )) else {
        return;
    };
    let candidates = judged(&report(&server.run(&["discover", &server.url(), "--format", "json"])));
    let mut pairs = 0;
    for parent in ["texts", "citexts", "padded"] {
        for child in ["own", "other", "named", "padded", "same"] {
            // The collation of the parent decides, as in a foreign key.
            let compared = match (parent, child) {
                ("citexts", "own") => "c.own".to_owned(),
                _ => format!("c.{child}::text COLLATE \"default\""),
            };
            let orphan = format!("NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.code = {compared})");
            let counts = server.texts(&format!(
                "SELECT concat_ws(' ', count(*), 0, count(*) FILTER (WHERE {orphan}), count(DISTINCT {compared}),
                     count(DISTINCT {compared}) FILTER (WHERE {orphan})) FROM children AS c"
            ));
            let counts: Vec<u64> = counts[0].split(' ').map(|number| number.parse().unwrap()).collect();
            let id = format!("children({child})->{parent}(code)");
            assert_eq!(candidates.get(&id).map(|(_, counts)| counts.to_vec()), Some(counts), "{id}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 15);
    let orphans = |id: &str| candidates[id].1[2];
    assert_eq!(orphans("children(own)->texts(code)"), 20);
    assert_eq!(orphans("children(other)->citexts(code)"), 20);
    assert_eq!(orphans("children(own)->citexts(code)"), 0);
    assert_eq!(orphans("children(own,part)->parts(code,part)"), 0);
    assert_eq!(orphans("children(other,part)->parts(code,part)"), 20);
}

/// Tables with equal names in several schemas are different tables, and the collation of the parent decides across them.
#[test]
fn pairs_across_schemas_are_compared_under_the_collation_of_the_parent() {
    let collation = "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
    let Some(server) = Server::postgres(collation) else { return };
    server.execute(
        "CREATE SCHEMA crm; CREATE SCHEMA sales;
         CREATE TABLE customers(code text COLLATE \"C\" PRIMARY KEY);
         CREATE TABLE crm.customers(code text COLLATE caseless PRIMARY KEY);
         CREATE TABLE sales.orders(id int PRIMARY KEY, customer_code text COLLATE \"C\");
         INSERT INTO customers SELECT 'Cust-' || i FROM generate_series(1, 40) AS i;
         INSERT INTO crm.customers SELECT 'Cust-' || i FROM generate_series(1, 40) AS i;
         INSERT INTO sales.orders SELECT 1000 + i, CASE WHEN i % 10 = 0 THEN 'CUST-' ELSE 'Cust-' END || (i % 30 + 1)
             FROM generate_series(1, 120) AS i",
    );
    let candidates = judged(&report(&server.run(&["discover", &server.url(), "--format", "json"])));
    let counts = |parent: &str| candidates[&format!("sales.orders(customer_code)->{parent}(code)")].1;
    assert_eq!(counts("crm.customers"), [120, 0, 0, 30, 0]);
    assert_eq!(counts("customers"), [120, 0, 12, 30, 3]);
}

#[test]
fn table_that_a_mysql_user_may_not_read_makes_the_run_incomplete() {
    for server in Server::mysql_family(&shop("varchar(30)")) {
        let (user, database) = (format!("{}_u", server.name), &server.name);
        // A user sees only the tables on which it has a privilege.
        let granted = ["customers", "products", "orders", "coupons", "shelves"];
        let grants: String =
            granted.iter().map(|table| format!("GRANT SELECT ON {database}.{table} TO {user}@'127.0.0.1';")).collect();
        server.execute(&format!(
            "CREATE USER {user}@'127.0.0.1'; {grants} GRANT INSERT ON {database}.order_items TO {user}@'127.0.0.1'"
        ));
        let run = server.run(&["discover", &server.url_as(&user), "--format", "json"]);
        server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
        assert_lacks_order_items(&run);
    }
}

/// An application adds a parent and its child in each transaction. All tables are read in one snapshot, so that no child is
/// without its parent.
#[test]
fn discovery_beside_a_writer_reads_one_snapshot() {
    const ROUNDS: usize = 3;
    let mut sql =
        "CREATE TABLE a_parents(id int PRIMARY KEY); CREATE TABLE children(id int PRIMARY KEY, parent_id int);"
            .to_owned();
    for start in (1..20_000).step_by(1_000) {
        let rows = |row: &dyn Fn(u32) -> String| (start..start + 1_000).map(row).collect::<Vec<_>>().join(", ");
        sql.push_str(&format!("INSERT INTO a_parents VALUES {};", rows(&|id| format!("({id})"))));
        sql.push_str(&format!("INSERT INTO children VALUES {};", rows(&|id| format!("({}, {id})", 100_000 + id))));
    }
    let mut servers = Server::mysql_family(&sql);
    servers.extend(Server::postgres(&sql));
    for server in servers {
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut written = 0;
                while !is_done.load(Ordering::Relaxed) {
                    written += 1;
                    let id = 20_000 + written;
                    server.execute(&format!(
                        "BEGIN; INSERT INTO a_parents VALUES ({id}); INSERT INTO children VALUES ({}, {id}); COMMIT",
                        100_000 + id
                    ));
                }
                written
            });
            // A failed assertion before the writer has ended would wait for it forever.
            let runs: Vec<Run> =
                (0..ROUNDS).map(|_| server.run(&["discover", &server.url(), "--format", "json"])).collect();
            is_done.store(true, Ordering::Relaxed);
            assert!(writer.join().unwrap() > ROUNDS, "nothing was written beside the discoveries of {}", server.url());
            for run in runs {
                let counts = judged(&report(&run))["children(parent_id)->a_parents(id)"].1;
                assert!(counts[0] == counts[3] && counts[0] > 20_000, "{}: {counts:?}", server.url());
                assert_eq!((counts[2], counts[4]), (0, 0), "{}: {counts:?}", server.url());
            }
        });
    }
}
