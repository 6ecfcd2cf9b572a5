//! Tests of the diagnosis: each cause is named where it applies, and `unknown` is reported elsewhere.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;

/// Returns the causes of the first orphan finding, each with the number of rows that it explains.
fn causes(sql: &str) -> Vec<(String, i64)> {
    let bench = Bench::new(sql);
    let (_, report) = bench.scan();
    let findings = report["findings"].as_array().unwrap();
    let orphan = findings.iter().find(|finding| finding["code"] == "orphan").unwrap();
    let diagnosis = orphan["diagnosis"].as_array().unwrap().iter();
    diagnosis.map(|it| (it["cause"].as_str().unwrap().to_owned(), it["rows"].as_i64().unwrap())).collect()
}

fn is(sql: &str, expected: &[(&str, i64)]) {
    let found = causes(sql);
    let found: Vec<(&str, i64)> = found.iter().map(|(cause, rows)| (cause.as_str(), *rows)).collect();
    assert_eq!(found, expected, "{sql}");
}

#[test]
fn other_table_without_gaps_is_no_wrong_table() {
    let tables = "CREATE TABLE region(id INTEGER PRIMARY KEY); INSERT INTO region VALUES (1), (2), (3), (99999);
        CREATE TABLE line(id INTEGER PRIMARY KEY, t);
        CREATE TABLE customer(id INTEGER PRIMARY KEY, region INTEGER REFERENCES region(id));
        INSERT INTO customer(region) VALUES (1), (2), (3), (99999);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) INSERT INTO line SELECT i, NULL FROM n;";
    is(&format!("{tables} INSERT INTO customer(region) VALUES (5000), (6000), (7000)"), &[("unknown", 3)]);
    // A table with gaps does explain the keys; a small table that has every number of its range does not.
    is(
        &format!("{tables} DELETE FROM line WHERE id % 7; INSERT INTO customer(region) VALUES (4998), (6006), (7007)"),
        &[("wrong-table", 3)],
    );
    is(
        &format!("{tables} DELETE FROM line WHERE id > 20; INSERT INTO customer(region) VALUES (5), (6), (7)"),
        &[("unknown", 3)],
    );
}

#[test]
fn table_with_fitting_name_without_gaps_is_no_wrong_table() {
    is(
        "CREATE TABLE users(id INTEGER PRIMARY KEY); CREATE TABLE user_profiles(id INTEGER PRIMARY KEY);
         CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id));
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO users SELECT i FROM n;
         INSERT INTO user_profiles SELECT id FROM users WHERE id < 400; INSERT INTO posts(user_id) SELECT id FROM users;
         DELETE FROM users WHERE id IN (5, 70)",
        &[("unknown", 2)],
    );
}

#[test]
fn table_with_fitting_name_is_wrong_table() {
    is(
        "CREATE TABLE region(id INTEGER PRIMARY KEY); INSERT INTO region VALUES (1);
         CREATE TABLE region_archive(id INTEGER PRIMARY KEY);
         CREATE TABLE customer(id INTEGER PRIMARY KEY, region INTEGER REFERENCES region(id));
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) INSERT INTO region_archive SELECT i FROM n;
         INSERT INTO customer(region) VALUES (5000), (6000), (7000)",
        &[("wrong-table", 3)],
    );
}

/// Returns the evidence of the last cause of the first orphan finding.
fn evidence(sql: &str) -> String {
    let (_, report) = Bench::new(sql).scan();
    let findings = report["findings"].as_array().unwrap();
    let orphan = findings.iter().find(|finding| finding["code"] == "orphan").unwrap();
    orphan["diagnosis"].as_array().unwrap().last().unwrap()["evidence"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_not_searched_is_reported_in_numbers() {
    let others: String = (0..150).map(|i| format!("CREATE TABLE other{i}(id INTEGER PRIMARY KEY);")).collect();
    let rows = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INTEGER REFERENCES p(id));
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO p SELECT i FROM n;
        INSERT INTO c SELECT id FROM p;";
    let few = evidence(&format!("{others} {rows} DELETE FROM p WHERE id IN (5, 70, 900)"));
    assert_eq!(few, "no key of p is like them; 100 of 150 other tables were searched");
    let many = evidence(&format!("{rows} DELETE FROM p WHERE id % 4 = 1"));
    assert_eq!(many, "no key of p is like them; 300 more keys were not examined");
}

#[test]
fn keys_of_many_relations_are_found_in_one_table() {
    // Together the relations ask for more keys than one statement holds.
    let relations: String = (0..90)
        .map(|i| {
            format!(
                "CREATE TABLE p{i}(id TEXT PRIMARY KEY); CREATE TABLE c{i}(r TEXT REFERENCES p{i}(id));
                 INSERT INTO p{i} VALUES ('of table {i}, one'), ('of table {i}, two');
                 INSERT INTO c{i} SELECT id FROM elsewhere WHERE rowid % 90 = {i};"
            )
        })
        .collect();
    let (_, report) = Bench::new(&format!(
        "CREATE TABLE elsewhere(id TEXT PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1800)
             INSERT INTO elsewhere SELECT printf('a long value, number %d', i) FROM n;
         {relations}"
    ))
    .scan();
    let findings = report["findings"].as_array().unwrap().iter();
    let orphans: Vec<_> = findings.filter(|finding| finding["code"] == "orphan").collect();
    assert_eq!(orphans.len(), 90);
    for finding in orphans {
        let diagnosis = &finding["diagnosis"];
        assert_eq!((&diagnosis[0]["cause"], &diagnosis[0]["rows"]), (&"wrong-table".into(), &20.into()), "{diagnosis}");
        assert!(diagnosis[0]["evidence"].as_str().unwrap().ends_with("are keys of elsewhere(id)"), "{diagnosis}");
    }
}

#[test]
fn misspelt_key_is_found_in_every_kind_of_parent() {
    // The parents have several levels of pages. The pages of UTF-16 text, and of rows that end before a column with a
    // default, are left to SQL.
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)";
    let value = "printf('key %d of a text that fills pages quickly, because it is long', i)";
    for (parent, insert) in [
        ("CREATE TABLE p(k TEXT PRIMARY KEY, note TEXT);", format!("INSERT INTO p SELECT {value}, i FROM n")),
        ("CREATE TABLE p(k TEXT PRIMARY KEY) WITHOUT ROWID;", format!("INSERT INTO p SELECT {value} FROM n")),
        ("CREATE TABLE p(note TEXT, k TEXT, UNIQUE (k));", format!("INSERT INTO p SELECT i, {value} FROM n")),
        (
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE p(k TEXT PRIMARY KEY);",
            format!("INSERT INTO p SELECT {value} FROM n"),
        ),
        (
            "CREATE TABLE p(note TEXT); INSERT INTO p VALUES ('old');
             ALTER TABLE p ADD COLUMN k TEXT DEFAULT 'key 1 of a text that fills pages quickly, because it is long';",
            format!("INSERT INTO p SELECT i, {value} FROM n WHERE i > 1"),
        ),
    ] {
        let wrong = value.replace("'key %d", "'KEY %d");
        is(
            &format!(
                "{parent} {numbers} {insert}; CREATE TABLE c(r TEXT REFERENCES p(k));
                 {numbers} INSERT INTO c SELECT {value} FROM n;
                 {numbers} INSERT INTO c SELECT {wrong} FROM n WHERE i IN (1, 4500, 9000)"
            ),
            &[("case", 3)],
        );
    }
}

#[test]
fn first_of_several_near_misses_is_shown() {
    for parents in ["('Abc'), ('ABC'), ('aBC')", "('aBC'), ('ABC'), ('Abc')", "('ABC'), ('aBC'), ('Abc')"] {
        let made = evidence(&format!(
            "CREATE TABLE p(note INTEGER PRIMARY KEY, k TEXT UNIQUE); CREATE TABLE c(r TEXT REFERENCES p(k));
             INSERT INTO p(k) VALUES {parents}; INSERT INTO c VALUES ('abc')"
        ));
        assert_eq!(made, "'abc' is missing, 'ABC' exists");
    }
}

#[test]
fn loss_of_nearly_all_parents_is_reported_without_a_second_reading() {
    let made = evidence(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INTEGER REFERENCES p(id));
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200003) INSERT INTO c SELECT i FROM n;
         INSERT INTO p VALUES (5), (200003)",
    );
    assert_eq!(
        made,
        "200001 distinct keys are missing from p, and only 2 rows have their parent: it seems to have lost rows"
    );
}

/// The missing keys lie beyond all keys of the parent, so that they look like rows that are not loaded yet.
#[test]
fn loss_of_all_parents_but_the_first_is_a_loss() {
    let rows = |kept: u32, keys: u32| {
        format!(
            "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INTEGER REFERENCES p(id));
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {keys}) INSERT INTO c SELECT i FROM n;
             INSERT INTO p SELECT r FROM c WHERE r <= {kept};"
        )
    };
    is(&rows(1, 3_000), &[("parent-loss", 2_999)]);
    is(&rows(40, 3_000), &[("parent-loss", 2_960)]);
    // With a tenth of the rows, it is a parent of which the beginning was loaded.
    is(&rows(2, 12), &[("not-loaded-yet", 10)]);
    is(&rows(400, 3_000), &[("not-loaded-yet", 2_600)]);
    assert_eq!(evidence(&rows(400, 3_000)), "all 2,600 keys are above the highest id, 400");
    // One missing key below the largest, among those that are not examined.
    is(
        &format!(
            "{} UPDATE c SET r = 3000 WHERE r < 2800 AND r > 400; DELETE FROM p WHERE id = 7; INSERT INTO c SELECT r FROM c WHERE r > 400",
            rows(400, 3_000)
        ),
        &[("not-loaded-yet", 5_198), ("unknown", 3)],
    );
}

#[test]
fn keys_with_another_cause_are_no_loss() {
    let tables = "CREATE TABLE airport(code TEXT PRIMARY KEY); CREATE TABLE flight(airport TEXT REFERENCES airport(code));
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO airport SELECT printf('A%03d', i) FROM n;";
    is(&format!("{tables} INSERT INTO flight SELECT ' ' || code FROM airport LIMIT 100"), &[("whitespace", 100)]);
    is(
        &format!("{tables} INSERT INTO flight SELECT ' ' || code FROM airport"),
        &[("whitespace", 200), ("unknown", 100)],
    );
}

#[test]
fn two_tables_with_the_keys_are_both_named() {
    let made = evidence(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INTEGER REFERENCES p(id));
         CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(id INTEGER PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO p SELECT i FROM n;
         INSERT INTO a SELECT id * 1234577 + 7 FROM p; INSERT INTO b SELECT id FROM a;
         INSERT INTO c SELECT id FROM p; INSERT INTO c SELECT id FROM a WHERE rowid % 3 = 1",
    );
    assert!(made.ends_with(" more are keys of a(id) or b(id)"), "{made}");
}

#[test]
fn spelling_differences_of_a_key_are_distinguished() {
    for (parent, child, cause) in [
        ("'abc'", "'ABC'", "case"),
        ("'abc'", "' abc'", "whitespace"),
        ("'007'", "'7'", "zero-padding"),
        ("'6f9619ff-8b86-d011-b42d-00c04fc964ff'", "'6F9619FF8B86D011B42D00C04FC964FF'", "uuid-format"),
    ] {
        is(
            &format!(
                "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k));
                 INSERT INTO p VALUES ({parent}), ('other'), ('more'); INSERT INTO c VALUES ({child}), ('other'), ('more')"
            ),
            &[(cause, 1)],
        );
    }
    is(
        "CREATE TABLE p(k UNIQUE); CREATE TABLE c(r REFERENCES p(k));
         INSERT INTO p VALUES (5), (6), (7); INSERT INTO c VALUES ('5'), (6), (7)",
        &[("text-vs-number", 1)],
    );
}

#[test]
fn sentinels_and_lost_parents_are_diagnosed() {
    let tables = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INTEGER REFERENCES p(id));";
    is(
        &format!("{tables} INSERT INTO p VALUES (7), (8); INSERT INTO c VALUES (0), (-1), (7), (8)"),
        &[("sentinel", 2)],
    );
    is(&format!("{tables} INSERT INTO c VALUES (7), (8), (8)"), &[("parent-table-empty", 3)]);
    is(&format!("{tables} INSERT INTO p VALUES (50); INSERT INTO c VALUES (50), (7), (8), (9)"), &[("parent-loss", 3)]);
    is(&format!("{tables} INSERT INTO p VALUES (1); INSERT INTO c VALUES (1), (7), (8)"), &[("not-loaded-yet", 2)]);
}

/// Returns the message and the help of the finding for a parent key that is not unique.
fn advice(sql: &str) -> (String, String) {
    let (_, report) = Bench::new(sql).scan();
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == "parent-key-not-unique").unwrap();
    let text = |name: &str| finding[name].as_str().unwrap().to_owned();
    (text("message"), text("help"))
}

#[test]
fn duplicate_parent_key_advice_deletes_no_rows() {
    let rows = "INSERT INTO team VALUES ('A', 1990), ('A', 1991), ('A', 1992), ('B', 1990), ('B', 1991), ('C', 1990), (NULL, 1);
        INSERT INTO player VALUES (1, 'A', 1990), (2, 'B', 1991);";
    let player = "CREATE TABLE player(id INTEGER PRIMARY KEY, team_id TEXT REFERENCES team(team_id), year INT);";
    let whole = "a column is missing from the key, and team(team_id,year) is unique; refer to it: FOREIGN KEY (\"team_id\", \"year\") REFERENCES \"team\"(\"team_id\", \"year\")";
    let (message, help) =
        advice(&format!("CREATE TABLE team(team_id TEXT, year INT, UNIQUE (year, team_id)); {player} {rows}"));
    assert!(message.starts_with("team(team_id) is not unique: 3 different values in 6 rows; "), "{message}");
    assert_eq!(help, whole);
    let (_, help) = advice(&format!("CREATE TABLE team(team_id TEXT, year INT); {player} {rows}"));
    assert_eq!(help, format!("{whole}, after CREATE UNIQUE INDEX \"team_key\" ON \"team\"(\"team_id\", \"year\")"));
    let without_year = player.replace(", year INT", ", note TEXT");
    let (_, help) =
        advice(&format!("CREATE TABLE team(team_id TEXT, year INT, UNIQUE (team_id, year)); {without_year} {rows}"));
    assert!(help.contains("team(team_id,year) is unique, but player has no year"), "{help}");
    let (_, help) = advice(&format!("CREATE TABLE team(team_id TEXT, year INT); {without_year} {rows}"));
    assert!(help.starts_with("refer to a table with one row for each team_id"), "{help}");
    let (message, help) = advice(&format!(
        "CREATE TABLE team(team_id TEXT, year INT); {player} INSERT INTO team VALUES ('A', 1), ('B', 1)"
    ));
    assert!(!message.contains("different values"), "{message}");
    assert_eq!(help, "no two rows share a key: CREATE UNIQUE INDEX \"team_key\" ON \"team\"(\"team_id\")");
}

#[test]
fn unique_key_advice_deletes_no_rows() {
    let bench = Bench::new("CREATE TABLE p(a); CREATE TABLE c(r REFERENCES p(a)); INSERT INTO p VALUES (1), (1);");
    for command in [&["scan", "app.db"][..], &["schema", "app.db"], &["explain", "app.db", "INSERT INTO c VALUES (1)"]]
    {
        let run = bench.run(command);
        assert!(run.stdout.contains("parent-key-not-unique"), "{}", run.stdout);
        assert!(!run.stdout.contains("duplicates") && !run.stdout.contains("remove"), "{}", run.stdout);
    }
}
