//! Tests of `explain` on servers: every failing relation is named, cascades are counted, and nothing is changed.

use serde_json::Value;

use super::common::States as _;
use super::server::Server;

/// The same family on every server. `@…@` marks differences of spelling.
const FAMILY: &str = "CREATE TABLE p(id int PRIMARY KEY, n varchar(20) UNIQUE NOT NULL);
    CREATE TABLE a(id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p(id) ON DELETE CASCADE);
    CREATE TABLE b(id @serial@ PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES a(id) ON DELETE SET NULL ON UPDATE CASCADE);
    CREATE TABLE c(id int PRIMARY KEY, a int, p int, FOREIGN KEY (a) REFERENCES a(id) ON DELETE RESTRICT, FOREIGN KEY (p) REFERENCES p(id));
    CREATE TABLE n(id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES n(id) ON DELETE CASCADE);
    INSERT INTO p VALUES (1, 'one'), (2, 'two'), (3, 'three');
    INSERT INTO a VALUES (10, 1), (11, 1), (12, 2); INSERT INTO b VALUES (20, 10), (21, 10), (22, 12);
    INSERT INTO c VALUES (30, 12, 3); INSERT INTO n VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 1)";

fn postgres(more: &str) -> Option<Server> {
    Server::postgres(&format!("{}; {more}", FAMILY.replace("@serial@", "serial")))
}

/// MySQL reports cached counters by default.
fn mysql_family(more: &str) -> Vec<Server> {
    let settings = "SET SESSION foreign_key_checks = 1 /*!80000 , information_schema_stats_expiry = 0 */";
    Server::mysql_family(&format!("{settings}; {}; {more}", FAMILY.replace("@serial@", "int AUTO_INCREMENT")))
}

fn each() -> Vec<Server> {
    postgres("").into_iter().chain(mysql_family("")).collect()
}

/// Explains a statement. Checks that the report obeys its schema, and that no row has changed.
fn explain(server: &Server, sql: &str) -> (i32, Value) {
    let before = rows(server);
    let run = server.run(&["explain", &server.url(), sql, "--format", "json"]);
    let report: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {sql}: {}", run.stderr));
    super::common::assert_obeys("explain", &report);
    assert_eq!(rows(server), before, "{sql}");
    (run.code, report)
}

fn rows(server: &Server) -> Vec<String> {
    let all = |table: &str, columns: &str| {
        server.texts(&format!("SELECT concat_ws('|', {columns}) FROM {table} ORDER BY id"))
    };
    [all("p", "id, n"), all("a", "id, p"), all("b", "id, a"), all("c", "id, a, p"), all("n", "id, up")].concat()
}

/// Returns relation, rows and first missing key of every finding of a statement.
fn findings(statement: &Value) -> Vec<(String, u64, String)> {
    let one = |finding: &Value| {
        let relation = finding["relation"].as_str().unwrap().to_owned();
        (relation, finding["rows"].as_u64().unwrap(), finding["top_missing"][0]["key"].to_string())
    };
    statement["findings"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn every_failing_reference_is_named() {
    for server in each() {
        let (code, report) = explain(&server, "INSERT INTO c VALUES (1, 99, 98), (2, 10, 97), (3, NULL, 98)");
        let statement = &report["statements"][0];
        assert_eq!((code, &statement["verdict"]), (1, &"refused".into()), "{report:#}");
        let expected = [
            ("c(a)->a(id)".to_owned(), 1, r#"{"a":99}"#.to_owned()),
            ("c(p)->p(id)".to_owned(), 3, r#"{"p":98}"#.to_owned()),
        ];
        assert_eq!(findings(statement), expected);
        let help = statement["findings"][0]["help"].as_str().unwrap();
        assert_eq!(help, "insert the parent first: INSERT INTO a(id) VALUES (99)");
        assert!(statement["remarks"][0].as_str().unwrap().starts_with("the server stops at c(a)->a(id)"), "{report:#}");
        let (code, report) = explain(&server, "INSERT INTO c VALUES (1, 10, 1)");
        assert_eq!((code, &report["statements"][0]["verdict"]), (0, &"accepted".into()));
        let (code, report) = explain(&server, "UPDATE c SET a = a + 1, p = 77 WHERE id = 30");
        let names: Vec<String> =
            findings(&report["statements"][0]).into_iter().map(|(relation, ..)| relation).collect();
        assert_eq!((code, names), (1, vec!["c(a)->a(id)".to_owned(), "c(p)->p(id)".to_owned()]));
    }
}

#[test]
fn delete_shows_its_blast_radius_by_path_and_action() {
    for server in each() {
        let (code, report) = explain(&server, "DELETE FROM p WHERE id < 3");
        let statement = &report["statements"][0];
        assert_eq!((code, &statement["verdict"]), (1, &"refused".into()), "{report:#}");
        let a = &statement["radius"][0];
        assert_eq!(
            (&a["relation"], &a["action"], &a["deleted"]),
            (&"a(p)->p(id)".into(), &"CASCADE".into(), &3.into())
        );
        let (b, c) = (&a["below"][0], &a["below"][1]);
        assert_eq!(
            (&b["relation"], &b["action"], &b["changed"]),
            (&"b(a)->a(id)".into(), &"SET NULL".into(), &3.into())
        );
        assert_eq!(
            (&c["relation"], &c["action"], &c["blocking"]),
            (&"c(a)->a(id)".into(), &"RESTRICT".into(), &1.into())
        );
        assert_eq!(findings(statement), [("c(a)->a(id)".to_owned(), 1, r#"{"a":12}"#.to_owned())]);

        let (code, report) = explain(&server, "DELETE FROM n WHERE id = 1");
        let branch = &report["statements"][0]["radius"][0];
        assert_eq!((code, &branch["deleted"], &branch["levels"]), (0, &4.into(), &4.into()), "{report:#}");

        let (code, report) = explain(&server, "UPDATE a SET id = id + 100 WHERE id < 12");
        let branch = &report["statements"][0]["radius"][0];
        assert_eq!((code, &branch["event"], &branch["changed"]), (0, &"update".into(), &2.into()), "{report:#}");
    }
}

#[test]
fn other_refusal_quotes_the_server() {
    for server in each() {
        for (sql, code) in [
            ("INSERT INTO p VALUES (9, 'one')", "duplicate-key"),
            ("INSERT INTO p VALUES (9, NULL)", "not-null"),
            ("INSERT INTO p VALUES ('x', 'y')", "value-refused"),
            ("INSERT INTO nowhere VALUES (1)", "statement-refused"),
            ("INSRT INTO p VALUES (1)", "forbidden"),
        ] {
            let (exit, report) = explain(&server, sql);
            let statement = &report["statements"][0];
            if code == "forbidden" {
                assert_eq!((exit, &statement["verdict"]), (5, &"forbidden".into()), "{report:#}");
                continue;
            }
            assert_eq!((exit, &statement["constraints"][0]["code"]), (1, &code.into()), "{sql}: {report:#}");
        }
    }
}

#[test]
fn statement_that_survives_rollback_is_not_run() {
    let forbidden = |server: &Server, sql: &str, why: &str| {
        let (code, report) = explain(server, sql);
        let statement = &report["statements"][0];
        let message = statement["message"].as_str().unwrap_or_default();
        assert_eq!((code, &statement["verdict"]), (5, &"forbidden".into()), "{sql}");
        assert!(message.contains(why), "{sql}: {message}");
    };
    for server in mysql_family("CREATE TABLE lasting(id int PRIMARY KEY) ENGINE=MyISAM; INSERT INTO lasting VALUES (1)")
    {
        for (sql, why) in [
            ("DELETE FROM lasting", "is stored by MyISAM, which cannot be rolled back"),
            ("INSERT INTO p SELECT id, id FROM `lasting`", "cannot be rolled back"),
            ("TRUNCATE TABLE c", "it would commit"),
            ("DROP TABLE c", "it would commit"),
            ("LOCK TABLES c WRITE", "it would commit"),
            ("CALL anything()", "may commit"),
            ("SET GLOBAL foreign_key_checks = 0", "it changes a setting"),
            ("SELECT * FROM p INTO OUTFILE '/tmp/fk-doctor-never'", "writes a file"),
            ("LOAD DATA INFILE 'x' INTO TABLE p", "files"),
            ("INSERT INTO p /*!50000 SELECT */ VALUES (9, 'x')", "executable comment"),
        ] {
            forbidden(&server, sql, why);
        }
        server.execute("CREATE VIEW low AS SELECT * FROM lasting");
        forbidden(&server, "DELETE FROM low", "low is a view");
        forbidden(&server, "DELETE FROM mysql.user", "it uses the database mysql");
        forbidden(&server, "REPLACE INTO `mysql` . help_topic SELECT 1", "it uses the database mysql");
        server.execute("CREATE TRIGGER t AFTER DELETE ON c FOR EACH ROW DELETE FROM lasting");
        forbidden(&server, "DELETE FROM c", "c has the trigger t, which may write to lasting");
        let (code, _) = explain(&server, "DELETE FROM n");
        assert_eq!(code, 0, "it has no trigger");
        assert_eq!(server.texts("SELECT concat(count(*)) FROM lasting"), ["1"]);
    }
    if let Some(server) = postgres("") {
        for (sql, why) in [
            ("COPY p TO '/tmp/fk-doctor-never'", "files"),
            ("COPY p FROM PROGRAM 'id'", "files"),
            ("SELECT dblink_exec('x', 'y')", "another connection"),
            ("SELECT setval('b_id_seq', 9)", "not rolled back"),
            ("SELECT lo_export(1, 'x')", "file"),
            ("ALTER TABLE p ADD x int", "locks other sessions out"),
            ("LOCK TABLE p", "lock other sessions out"),
            ("NOTIFY x", "other sessions"),
            ("DO $$ BEGIN DELETE FROM c; END $$", "may commit"),
            ("VACUUM", "cannot be sure"),
        ] {
            forbidden(&server, sql, why);
        }
    }
}

#[test]
fn drawn_sequence_numbers_are_reported() {
    for server in each() {
        let counter = if server.is_postgres() {
            "SELECT concat(last_value, is_called) FROM b_id_seq"
        } else {
            "SELECT CAST(auto_increment AS CHAR) FROM information_schema.tables \
             WHERE table_schema = database() AND table_name = 'b'"
        };
        for (sql, is_accepted) in [("INSERT INTO b(a) VALUES (10)", true), ("INSERT INTO b(a) VALUES (77)", false)] {
            let before = server.texts(counter);
            let (code, report) = explain(&server, sql);
            let has_moved = server.texts(counter) != before;
            let remarks = report["statements"][0]["remarks"].to_string();
            assert_eq!(code == 0, is_accepted, "{report:#}");
            assert!(has_moved || !is_accepted, "a number was drawn");
            assert_eq!(remarks.contains("and a rollback does not reset it"), has_moved, "{report:#}");
        }
    }
}

/// MariaDB, and MySQL before 9.6, rewrite a row whose primary key changes, and then check its references.
#[test]
fn orphan_whose_key_update_fails_is_named() {
    for server in mysql_family("SET foreign_key_checks = 0; INSERT INTO c VALUES (40, 99, NULL)") {
        let move_it = "UPDATE c SET id = 41 WHERE id = 40";
        server.execute("SET foreign_key_checks = 1; BEGIN");
        let is_moved = server.attempt(move_it).is_ok();
        server.execute("ROLLBACK");
        let (code, report) = explain(&server, move_it);
        let statement = &report["statements"][0];
        if is_moved {
            assert_eq!((code, &statement["verdict"], findings(statement)), (0, &"accepted".into(), vec![]));
        } else {
            let message = statement["findings"][0]["message"].as_str().unwrap();
            assert_eq!((code, &statement["verdict"]), (1, &"refused".into()));
            assert!(message.contains("it did so before, but the server checks every reference of a row"), "{message}");
        }
        let (code, _) = explain(&server, "UPDATE c SET p = NULL WHERE id = 40");
        assert_eq!(code, 0, "nothing else is looked at");
    }
}

#[test]
fn script_transaction_does_not_reach_the_database() {
    for server in each() {
        let sql = "BEGIN; DELETE FROM c; DELETE FROM a; COMMIT; INSERT INTO b(id, a) VALUES (1, 10); ROLLBACK";
        let (code, report) = explain(&server, sql);
        let statements = report["statements"].as_array().unwrap();
        let verdicts: Vec<&str> = statements.iter().map(|one| one["verdict"].as_str().unwrap()).collect();
        assert_eq!(verdicts, ["accepted", "accepted", "accepted", "accepted", "refused", "accepted"], "{report:#}");
        assert_eq!((code, findings(&statements[4]).len()), (1, 1));
    }
    let Some(server) = postgres("ALTER TABLE c ALTER CONSTRAINT c_p_fkey DEFERRABLE INITIALLY DEFERRED") else {
        return;
    };
    let (code, report) = explain(&server, "BEGIN; INSERT INTO c(id, p) VALUES (1, 99); COMMIT");
    assert_eq!((code, &report["statements"][1]["verdict"]), (1, &"accepted".into()), "{report:#}");
    assert!(report["statements"][1]["remarks"].to_string().contains("must have a parent by COMMIT"));
    assert_eq!(findings(&report["statements"][2])[0].0, "c(p)->p(id)", "{report:#}");
}

#[test]
fn parameter_gets_its_value() {
    if let Some(server) = postgres("") {
        let run = server.run(&[
            "explain",
            &server.url(),
            "INSERT INTO c(id, a) VALUES ($1, $2)",
            "--param",
            "1",
            "--param",
            "99",
        ]);
        assert!(run.code == 1 && run.stdout.contains("a = 99"), "{}{}", run.stdout, run.stderr);
        let run = server.run(&["explain", &server.url(), "DELETE FROM p WHERE id = $1", "--param", "1"]);
        assert!(run.code == 0 && run.stdout.states("2 rows deleted"), "{}{}", run.stdout, run.stderr);
        let run = server.run(&["explain", &server.url(), "DELETE FROM p WHERE id = $1"]);
        assert!(run.code == 1 && run.stdout.contains("--param"), "{}{}", run.stdout, run.stderr);
    }
    for server in mysql_family("") {
        let run = server.run(&[
            "explain",
            &server.url(),
            "UPDATE c SET a = ? WHERE id = ?",
            "--param",
            "99",
            "--param",
            "30",
        ]);
        assert!(run.code == 1 && run.stdout.contains("a = 99"), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn trigger_effects_are_counted() {
    let Some(server) = postgres(
        "CREATE TABLE seen(id int);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO public.seen VALUES (NEW.id); RETURN NEW; END $$;
         CREATE TRIGGER noted AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION note()",
    ) else {
        return;
    };
    let (code, report) = explain(&server, "INSERT INTO p VALUES (7, 'seven')");
    let statement = &report["statements"][0];
    let effects: Vec<&str> =
        statement["effects"].as_array().unwrap().iter().map(|one| one["table"].as_str().unwrap()).collect();
    assert_eq!((code, effects), (0, vec!["p", "seen"]), "{report:#}");
    assert!(statement["remarks"].to_string().contains("p has the trigger noted"), "{report:#}");
}

/// A row that another session locks is waited for, but only for a limited time.
#[test]
fn lock_is_waited_for_up_to_the_limit() {
    for server in each() {
        server.beside("BEGIN; UPDATE c SET p = 1 WHERE id = 30");
        let run = server.run(&["explain", &server.url(), "DELETE FROM c WHERE id = 30", "--wait", "1s"]);
        assert_eq!(run.code, 3, "{}", run.stdout);
        assert!(run.stderr.contains("--wait"), "{}", run.stderr);
        server.beside("ROLLBACK");
    }
}

/// The errors of the three user stories, on servers.
#[test]
fn reported_user_errors_name_the_failing_reference() {
    let stories = "CREATE TABLE media_sources(source_id varchar(40) PRIMARY KEY, title varchar(40) NOT NULL);
        CREATE TABLE source_stage_statuses(id int PRIMARY KEY, source_id varchar(40) NOT NULL,
            FOREIGN KEY (source_id) REFERENCES media_sources(source_id) ON DELETE CASCADE);
        CREATE TABLE knowledge_base(id int PRIMARY KEY, name varchar(40)); CREATE TABLE multi_source_knowledge_base(id int PRIMARY KEY);
        CREATE TABLE sync_run(id int PRIMARY KEY, knowledge_base_id int NOT NULL, FOREIGN KEY (knowledge_base_id) REFERENCES knowledge_base(id));
        CREATE TABLE videos(id varchar(9) PRIMARY KEY); CREATE TABLE users(id int PRIMARY KEY); CREATE TABLE jobs(id int PRIMARY KEY);
        CREATE TABLE veo3_video_upscales(id int PRIMARY KEY, video_id varchar(9) NOT NULL, user_id int NOT NULL, job_id int NOT NULL,
            FOREIGN KEY (video_id) REFERENCES videos(id), FOREIGN KEY (user_id) REFERENCES users(id), FOREIGN KEY (job_id) REFERENCES jobs(id));
        INSERT INTO media_sources VALUES ('a', 'A'); INSERT INTO knowledge_base VALUES (1, 'x'), (30, 'y');
        INSERT INTO multi_source_knowledge_base VALUES (22); INSERT INTO users VALUES (1); INSERT INTO jobs VALUES (1), (2)";
    let shown = [
        (
            "INSERT INTO source_stage_statuses VALUES (1, 'new')",
            vec![("source_stage_statuses(source_id)->media_sources(source_id)", r#"{"source_id":"new"}"#, "unknown")],
        ),
        (
            "INSERT INTO sync_run VALUES (1, 22)",
            vec![("sync_run(knowledge_base_id)->knowledge_base(id)", r#"{"knowledge_base_id":22}"#, "wrong-table")],
        ),
        (
            "INSERT INTO veo3_video_upscales VALUES (1, 'v9', 0, 9)",
            vec![
                ("veo3_video_upscales(video_id)->videos(id)", r#"{"video_id":"v9"}"#, "parent-table-empty"),
                ("veo3_video_upscales(user_id)->users(id)", r#"{"user_id":0}"#, "sentinel"),
                ("veo3_video_upscales(job_id)->jobs(id)", r#"{"job_id":9}"#, "not-loaded-yet"),
            ],
        ),
    ];
    for server in Server::postgres(stories).into_iter().chain(Server::mysql_family(stories)) {
        for (sql, expected) in &shown {
            let run = server.run(&["explain", &server.url(), sql, "--format", "json"]);
            let report: Value =
                serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
            let one = |finding: &Value| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let key = finding["top_missing"][0]["key"].to_string();
                (text(&finding["relation"]), key, text(&finding["diagnosis"][0]["cause"]))
            };
            let mut found: Vec<_> = report["statements"][0]["findings"].as_array().unwrap().iter().map(one).collect();
            let mut expected: Vec<_> =
                expected.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect();
            found.sort();
            expected.sort();
            assert_eq!((run.code, found), (1, expected), "{report:#}");
        }
    }
}

/// Statements in an unusual form are forecast, or a note says that they are not.
#[test]
fn unusual_statement_is_explained_or_marked_unknown() {
    let Some(server) = postgres(
        "CREATE SCHEMA s; CREATE TABLE s.pair(x int, y int, PRIMARY KEY (x, y)); INSERT INTO s.pair VALUES (1, 1), (1, 2);
         CREATE TABLE \"Odd \"\"one\"(id int, x int, y int, FOREIGN KEY (x, y) REFERENCES s.pair MATCH FULL ON DELETE SET NULL);
         INSERT INTO \"Odd \"\"one\" VALUES (1, 1, 1), (2, 1, 1), (3, 1, 2);
         CREATE VIEW seen AS SELECT * FROM c; CREATE TABLE parts(id int, p int REFERENCES p(id)) PARTITION BY RANGE (id);
         CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100)",
    ) else {
        return;
    };
    let text = |sql: &str| {
        let (code, report) = explain(&server, sql);
        (code, report["statements"][0].clone())
    };
    let (code, odd) = text("INSERT INTO \"Odd \"\"one\" VALUES (4, 1, NULL), (5, 9, 9)");
    assert_eq!((code, &odd["findings"][0]["rows"]), (1, &2.into()), "{odd:#}");
    let (code, pair) =
        text("WITH gone AS (SELECT 1 AS y) DELETE FROM ONLY s.pair AS p USING gone WHERE p.y = gone.y RETURNING *");
    assert_eq!((code, &pair["radius"][0]["changed"]), (0, &2.into()), "{pair:#}");
    let (code, parts) = text("INSERT INTO parts VALUES (1, 99), (2, 98), (3, 1)");
    assert_eq!((code, &parts["findings"][0]["rows"]), (1, &2.into()), "{parts:#}");
    for (sql, why) in [
        ("INSERT INTO c VALUES (1, 99, 98) ON CONFLICT DO NOTHING", "cannot analyse this kind of statement"),
        ("INSERT INTO seen VALUES (1, 99, 98)", "not an ordinary table"),
        (
            "WITH moved AS (DELETE FROM n RETURNING id) INSERT INTO c SELECT id, 99, 98 FROM moved",
            "cannot analyse this kind of statement",
        ),
        ("MERGE INTO c USING (SELECT 1) AS x ON false WHEN NOT MATCHED THEN INSERT VALUES (1, 99, 98)", ""),
    ] {
        let (code, one) = text(sql);
        let remarks = one["remarks"].to_string();
        assert_eq!((code, one["findings"].as_array().unwrap().len()), (1, 1), "{sql}: {one:#}");
        assert!(remarks.contains(why), "{sql}: {remarks}");
    }
    let (code, update) = text("UPDATE c SET a = x.id FROM (SELECT 99 AS id) AS x WHERE c.id = 30");
    assert_eq!(
        (code, &update["findings"][0]["top_missing"][0]["key"]),
        (1, &serde_json::json!({"a": 99})),
        "{update:#}"
    );
}

/// Result types about which the driver must ask the server, or that have no binary form.
#[test]
fn result_of_any_type_hides_no_failure() {
    let Some(server) = postgres(
        "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN short AS varchar(5) CHECK (length(VALUE) < 4);
         CREATE TYPE pair AS (x int, y mood); CREATE EXTENSION IF NOT EXISTS plpgsql;
         CREATE TABLE odd(id int PRIMARY KEY, p int REFERENCES p(id), m mood, s short, pair pair, words tsvector, x xml, many mood[],
            r int4range, kind regclass)",
    ) else {
        return;
    };
    let columns = [
        "m",
        "s",
        "pair",
        "words",
        "x",
        "many",
        "r",
        "kind",
        "odd",
        "ROW(id, m)",
        "(SELECT relacl FROM pg_catalog.pg_class LIMIT 1)",
    ];
    for column in columns {
        let sound = format!("INSERT INTO odd(id, p, m) VALUES (1, 1, 'glad') RETURNING {column}");
        let (code, report) = explain(&server, &sound);
        assert_eq!((code, &report["statements"][0]["verdict"]), (0, &"accepted".into()), "{column}: {report:#}");
        let orphan = format!("INSERT INTO odd(id, p, m) VALUES (1, 99, 'sad') RETURNING {column}");
        let (code, report) = explain(&server, &orphan);
        let found = findings(&report["statements"][0]);
        assert_eq!(
            (code, found),
            (1, vec![("odd(p)->p(id)".to_owned(), 1, r#"{"p":99}"#.to_owned())]),
            "{column}: {report:#}"
        );
        let (code, report) = explain(&server, &format!("SELECT {column} FROM odd"));
        assert_eq!((code, &report["statements"][0]["verdict"]), (0, &"accepted".into()), "{column}: {report:#}");
    }
    let (_, report) = explain(&server, "INSERT INTO odd(id, s) VALUES (1, 'long') RETURNING m, s");
    assert_eq!(report["statements"][0]["constraints"][0]["code"], "check-failed", "{report:#}");
    let run = server.run(&[
        "explain",
        &server.url(),
        "INSERT INTO odd(id, p, m) VALUES ($1, $2, 'sad') RETURNING m",
        "--param",
        "1",
        "--param",
        "99",
    ]);
    assert!(run.code == 1 && run.stdout.contains("no such key in p"), "{}{}", run.stdout, run.stderr);
    let (_, report) = explain(&server, "SELECT 1 AS a, 2; SELECT (SELECT 1, 2)");
    assert_eq!(report["statements"][1]["verdict"], "refused", "{report:#}");
}

#[test]
fn partition_is_named_like_a_table() {
    let Some(server) = postgres(
        "CREATE TABLE f(id int, p int REFERENCES p(id), PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE f1(p int, id int NOT NULL); ALTER TABLE f ATTACH PARTITION f1 FOR VALUES FROM (0) TO (10);
         CREATE TABLE f2 PARTITION OF f FOR VALUES FROM (10) TO (100) PARTITION BY RANGE (id);
         CREATE SCHEMA s; CREATE TABLE s.\"f3 'x\" PARTITION OF f2 FOR VALUES FROM (10) TO (50);
         CREATE TABLE g(id int PRIMARY KEY, f int REFERENCES f(id)); INSERT INTO f VALUES (1, 1), (11, 2); INSERT INTO g VALUES (1, 1);
         ALTER TABLE f DISABLE TRIGGER ALL; SET session_replication_role = replica; INSERT INTO f VALUES (2, 88), (12, 89);
         SET session_replication_role = origin; ALTER TABLE f ENABLE TRIGGER ALL",
    ) else {
        return;
    };
    let text = |sql: &str| {
        let (_, report) = explain(&server, sql);
        let statement = &report["statements"][0];
        (statement["verdict"].as_str().unwrap().to_owned(), findings(statement), statement.clone())
    };
    for (sql, relation, key) in [
        ("INSERT INTO f1(id, p) VALUES (3, 99)", "f(p)->p(id)", r#"{"p":99}"#),
        ("INSERT INTO s.\"f3 'x\"(id, p) VALUES (13, 99)", "f(p)->p(id)", r#"{"p":99}"#),
        ("UPDATE f1 SET p = 77 WHERE id = 1", "f(p)->p(id)", r#"{"p":77}"#),
        ("DELETE FROM f1 WHERE id = 1", "g(f)->f(id)", r#"{"f":1}"#),
    ] {
        let (verdict, found, all) = text(sql);
        let expected = vec![(relation.to_owned(), 1, key.to_owned())];
        assert_eq!((verdict.as_str(), found), ("refused", expected), "{sql}: {all:#}");
    }
    assert_eq!(text("DELETE FROM f1 WHERE id = 2").0, "accepted");

    let scanned = |options: &[&str]| {
        let run = server.run(&[&["scan", &server.url(), "--format", "json"], options].concat());
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
        let orphans = |id: &str| {
            let mut relations = report["relations"].as_array().unwrap().iter();
            relations
                .find(|one| one["id"] == id)
                .map(|one| (one["orphan_rows"].as_u64().unwrap(), one["reason"].clone()))
        };
        (orphans("f(p)->p(id)"), orphans("g(f)->f(id)").is_some())
    };
    assert_eq!(scanned(&[]).0.unwrap().0, 2);
    let (narrowed, chosen) = scanned(&["--table", "f1"]);
    assert_eq!(narrowed.unwrap(), (1, "only rows of the partition f1".into()));
    assert!(chosen, "the partition holds parents as well");
    assert_eq!(scanned(&["--table", "s.f3*"]).0.unwrap().0, 1);
    assert_eq!(scanned(&["--table", "f2"]).0.unwrap().0, 1);
    assert_eq!(scanned(&["--table", "f*"]).0.unwrap().0, 2);

    server.bench.write("rows.csv", "id,p\n4,99\n5,1\n");
    for table in ["f", "f1"] {
        let run = server.run(&["check", &server.url(), "--table", table, "rows.csv", "--format", "json"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
        assert_eq!(
            (run.code, report["findings"][0]["relation"].as_str()),
            (1, Some("f(p)->p(id)")),
            "{table}: {report:#}"
        );
    }
}
