//! Random keys of every type of MariaDB and MySQL, judged by fk-doctor and, row by row, by their own foreign keys.
//! There must be no difference. `FK_DOCTOR_CASES` sets the number of cases. The seed is fixed, so a failure repeats.

use fastrand::Rng;

use super::server::Server;

const USUAL_CASES: usize = 60;

const TYPES: [&str; 26] = [
    "tinyint",
    "int",
    "int unsigned",
    "bigint",
    "bigint unsigned",
    "decimal(6,2)",
    "double",
    "float",
    "char(5)",
    "varchar(9)",
    "varchar(20)",
    "varchar(9) COLLATE utf8mb4_bin",
    "varchar(9) COLLATE utf8mb4_nopad_bin",
    "varchar(9) COLLATE utf8mb4_unicode_ci",
    "varchar(9) CHARACTER SET latin1",
    "varbinary(9)",
    "binary(4)",
    "enum('a','b','1')",
    "set('a','b','1')",
    "date",
    "datetime",
    "timestamp NULL",
    "year",
    "bit(4)",
    "uuid",
    "inet6",
];

const VALUES: [&str; 36] = [
    "0",
    "1",
    "2",
    "-1",
    "5",
    "7",
    "'01'",
    "1.0",
    "5.5",
    "'-0'",
    "1e3",
    "4294967295",
    "18446744073709551615",
    "''",
    "' '",
    "'a'",
    "'A'",
    "'a '",
    "'Abc'",
    "'abc'",
    "'é'",
    "'e'",
    "'ß'",
    "'ss'",
    "'b'",
    "'a,b'",
    "'2024-01-01'",
    "'0000-00-00'",
    "'2024-01-01 10:00:00'",
    "'0f8fad5b-d9cb-469f-a165-70867728950e'",
    "'0F8FAD5BD9CB469FA16570867728950E'",
    "'::1'",
    "'0:0::1'",
    "x'61'",
    "x'6100'",
    "x'00'",
];

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

/// Creates a parent and a child that is loaded without enforcement, and counts the child's rows that the server
/// refuses; `None` if it refuses the key itself.
fn case(server: &Server, rng: &mut Rng, number: usize) -> Option<String> {
    let attempt = |sql: &str| server.attempt(sql);
    let width = if rng.u8(..3) == 0 { 2 + rng.usize(..2) } else { 1 };
    let types: Vec<&str> = (0..width).map(|_| pick(rng, &TYPES)).collect();
    let child_types: Vec<&str> = types.iter().map(|of| if rng.u8(..4) > 0 { *of } else { pick(rng, &TYPES) }).collect();
    let list = |names: &str| (0..width).map(|i| format!("{names}{i}")).collect::<Vec<_>>().join(", ");
    let columns = |names: &str, types: &[&str]| {
        types.iter().enumerate().map(|(i, of)| format!("{names}{i} {of}")).collect::<Vec<_>>().join(", ")
    };
    let (p, c) = (format!("p{number:03}"), format!("c{number:03}"));
    let unique = if rng.u8(..4) > 0 { "UNIQUE " } else { "" };
    let key = format!("FOREIGN KEY ({}) REFERENCES {p}({})", list("r"), list("k"));
    attempt(&format!("CREATE TABLE {p}({}, {unique}KEY ({}))", columns("k", &types), list("k"))).ok()?;
    attempt(&format!("CREATE TABLE o{number}(id int PRIMARY KEY, {}, {key})", columns("r", &child_types))).ok()?;
    attempt(&format!(
        "SET foreign_key_checks = 0; CREATE TABLE {c}(id int PRIMARY KEY, {}, {key})",
        columns("r", &child_types)
    ))
    .ok()?;
    let values = |rng: &mut Rng| {
        let value = |rng: &mut Rng| if rng.u8(..10) == 0 { "NULL" } else { pick(rng, &VALUES) };
        (0..width).map(|_| value(rng)).collect::<Vec<_>>().join(", ")
    };
    server.execute("START TRANSACTION");
    for _ in 0..25 {
        let _ = attempt(&format!("INSERT INTO {p} VALUES ({})", values(rng)));
    }
    for row in 0..25 {
        let _ = attempt(&format!("INSERT INTO {c} VALUES ({row}, {})", values(rng)));
    }
    let _ = attempt(&format!("INSERT IGNORE INTO {c} SELECT 100 + row_number() OVER (), {} FROM {p}", list("k")));
    server.execute("COMMIT; SET foreign_key_checks = 1; START TRANSACTION");
    let mut orphans = 0;
    for id in server.texts(&format!("SELECT CAST(id AS CHAR) FROM {c}")) {
        let offered = attempt(&format!("INSERT INTO o{number} SELECT * FROM {c} WHERE id = {id}"));
        if let Err(error) = offered {
            assert!(error.to_string().contains("a foreign key constraint fails"), "{error}");
            orphans += 1;
        }
    }
    server.execute(&format!("COMMIT; DROP TABLE o{number}"));
    Some(format!("{c} {orphans}"))
}

#[test]
fn random_mariadb_keys_are_judged_like_the_server() {
    for server in Server::mysql_family("SET sql_mode = ''") {
        let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
        let mut rng = Rng::with_seed(7);
        let theirs: Vec<String> = (0..cases).filter_map(|number| case(&server, &mut rng, number)).collect();
        server.execute("SET foreign_key_checks = 1");
        let (_, report) = server.scan();
        let relations = report["relations"].as_array().unwrap().iter();
        // Types that only have equal storage are left unchecked, and the report says so.
        let silly = |relation: &serde_json::Value| {
            relation["reason"].to_string().contains("the server compares the stored bytes")
        };
        let silly: Vec<String> = relations
            .clone()
            .filter(|relation| silly(relation))
            .map(|relation| relation["child"]["table"].to_string())
            .collect();
        let is_silly = |name: &str| silly.iter().any(|table| table.trim_matches('"') == name);
        let mut theirs: Vec<String> =
            theirs.into_iter().filter(|verdict| !is_silly(verdict.split(' ').next().unwrap())).collect();
        let mut ours: Vec<String> = relations
            .filter(|relation| !is_silly(relation["child"]["table"].as_str().unwrap()))
            .map(|relation| {
                assert_eq!(relation["coverage"], "checked", "{relation:#}");
                format!("{} {}", relation["child"]["table"].as_str().unwrap(), relation["orphan_rows"])
            })
            .collect();
        theirs.sort();
        ours.sort();
        let defined = |name: &str| {
            server.texts(&format!("SELECT group_concat(column_type, ' ', coalesce(collation_name, '')) FROM information_schema.columns WHERE table_schema = database() AND table_name = '{name}'")).concat()
        };
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let name = ours.split(' ').next().unwrap();
            assert_eq!(ours, theirs, "{} {}", defined(name), defined(&name.replace('c', "p")));
        }
        assert_eq!(ours.len(), theirs.len());
        let orphaned = theirs.iter().filter(|verdict| !verdict.ends_with(" 0")).count();
        assert!(theirs.len() * 3 > cases && orphaned * 2 > theirs.len(), "{} of {cases}, {orphaned}", theirs.len());
    }
}
