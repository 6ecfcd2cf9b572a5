//! Unusual cases in PostgreSQL when reading, each as a test.

use serde_json::Value;

use super::common::States as _;
use super::server::Server;
use super::server::codes;
use super::server::expect;
use super::server::orphans;

fn trap(sql: &str, expected: &[&str]) -> Option<(Server, Value)> {
    let server = Server::postgres(sql)?;
    let report = expect(&server, expected);
    Some((server, report))
}

macro_rules! traps {
    ($($name:ident: $sql:expr => $codes:expr;)*) => { $(#[test] fn $name() { let _ = trap($sql, &$codes); })* };
}

traps! {
    foreign_key_not_valid_is_reported: "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int); INSERT INTO c VALUES(1,99); ALTER TABLE c ADD CONSTRAINT fk FOREIGN KEY(r) REFERENCES p NOT VALID" => ["not-validated", "orphan"];
    orphan_below_a_valid_foreign_key_is_found: "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p); ALTER TABLE c DISABLE TRIGGER ALL; INSERT INTO c VALUES(1,99); ALTER TABLE c ENABLE TRIGGER ALL; SET session_replication_role = replica; INSERT INTO c VALUES(2,98)" => ["orphan"];
    disabled_triggers_are_reported: "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p); ALTER TABLE p DISABLE TRIGGER ALL" => ["triggers-disabled"];
    partial_null_key_breaks_match_full: "CREATE TABLE p(a int,b int,PRIMARY KEY(a,b)); CREATE TABLE cs(x int,y int,FOREIGN KEY(x,y) REFERENCES p); CREATE TABLE cf(x int,y int,FOREIGN KEY(x,y) REFERENCES p MATCH FULL); INSERT INTO cs VALUES(1,NULL); SET session_replication_role = replica; INSERT INTO cf VALUES(1,NULL),(NULL,NULL)" => ["orphan"];
    int_child_of_numeric_parent_is_compared: "CREATE TABLE p(id numeric PRIMARY KEY); CREATE TABLE c(r int REFERENCES p); INSERT INTO p VALUES(1.00); INSERT INTO c VALUES(1); SET session_replication_role = replica; INSERT INTO c VALUES(2)" => ["orphan", "type-mismatch"];
    integers_of_different_width_compare_by_value: "CREATE TABLE p(id bigint PRIMARY KEY); CREATE TABLE c(r smallint REFERENCES p, s int REFERENCES p); INSERT INTO p VALUES(1); INSERT INTO c VALUES(1,1)" => [];
    text_child_of_char_parent_is_padded: "CREATE TABLE p(k char(5) PRIMARY KEY); CREATE TABLE c(r text REFERENCES p); INSERT INTO p VALUES('a'); INSERT INTO c VALUES('a ')" => ["type-mismatch"];
    equal_numbers_with_different_text_match: "CREATE TABLE p(id numeric PRIMARY KEY); CREATE TABLE c(r numeric REFERENCES p); INSERT INTO p VALUES(1.0),('NaN'); INSERT INTO c VALUES(1.00),('NaN'); CREATE TABLE q(id float8 PRIMARY KEY); CREATE TABLE d(r float8 REFERENCES q); INSERT INTO q VALUES('NaN'),(0); INSERT INTO d VALUES('NaN'),('-0')" => [];
    citext_key_compares_by_its_own_operator: "CREATE EXTENSION citext; CREATE TABLE p(id citext PRIMARY KEY); CREATE TABLE c(r citext REFERENCES p); INSERT INTO p VALUES('Ab'); INSERT INTO c VALUES('aB'); SET session_replication_role = replica; INSERT INTO c VALUES('x')" => ["orphan"];
    full_unique_index_is_a_parent_key: "CREATE TABLE p(id int, k int); CREATE UNIQUE INDEX u ON p(k); CREATE TABLE c2(r int REFERENCES p(k)); INSERT INTO p VALUES(1,NULL),(2,5); INSERT INTO c2 VALUES(5)" => [];
    generated_column_as_key_is_scanned: "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(raw int, r int GENERATED ALWAYS AS (raw+1) STORED REFERENCES p); SET session_replication_role = replica; INSERT INTO c VALUES(1)" => ["orphan"];
    dropped_column_shifts_no_column_numbers: "CREATE TABLE p(gone int, id int PRIMARY KEY); ALTER TABLE p DROP COLUMN gone; CREATE TABLE c(gone int, r int REFERENCES p); ALTER TABLE c DROP COLUMN gone; SET session_replication_role = replica; INSERT INTO c VALUES(7)" => ["orphan"];
    names_with_any_character_are_scanned: "CREATE SCHEMA \"od\"\"d.schema\"; CREATE TABLE \"od\"\"d.schema\".\"we'ird\n$$\\t\"(\"sel\"\"ect\" int PRIMARY KEY); CREATE TABLE \"$1\"(\"a,) --\" int CONSTRAINT \"x;y\" REFERENCES \"od\"\"d.schema\".\"we'ird\n$$\\t\"); SET session_replication_role = replica; INSERT INTO \"$1\" VALUES(1)" => ["orphan"];
    row_without_key_is_named_by_its_ctid: "CREATE TABLE p(id int PRIMARY KEY) PARTITION BY HASH(id); CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE TABLE c(r int REFERENCES p, j json, t timestamptz) PARTITION BY LIST(r); CREATE TABLE c0 PARTITION OF c DEFAULT; SET session_replication_role = replica; INSERT INTO c VALUES(1,'{\"a\":1}','2024-01-01'),(2,NULL,NULL)" => ["orphan"];
}

#[test]
fn parent_collation_decides() {
    let Some(server) =
        Server::postgres("CREATE COLLATION ci (provider=icu, locale='und-u-ks-level2', deterministic=false)")
    else {
        return;
    };
    let made = server.attempt(
        "CREATE TABLE p(k text COLLATE ci PRIMARY KEY); CREATE TABLE c(r text COLLATE \"C\" REFERENCES p); \
         INSERT INTO p VALUES('ABC'); INSERT INTO c VALUES('abc')",
    );
    // Since PostgreSQL 18 no such key can be created.
    assert_eq!(made.is_ok(), server.postgres_version() < 18, "{made:?}");
    expect(&server, if made.is_ok() { &["collation-mismatch"] } else { &[] });
}

/// Foreign keys that are no longer or not yet enforced are checked nevertheless.
#[test]
fn foreign_key_not_enforced_is_scanned() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int CONSTRAINT a REFERENCES p NOT ENFORCED, s int CONSTRAINT b REFERENCES p);
        INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 1), (2, 5, 1)";
    let Some(server) = Server::postgres_since(18, seed) else { return };
    let report = expect(&server, &["not-enforced", "orphan"]);
    assert_eq!(orphans(&report), [("c(r)->p(id)", 1), ("c(s)->p(id)", 0)]);
    let text = report["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "not-enforced").unwrap();
    let remedy = text["help"].as_str().unwrap().rsplit_once(": ").unwrap().1;
    server.execute("DELETE FROM c WHERE id = 2");
    server.execute(remedy);
    expect(&server, &[]);
}

/// Several periods of a parent can cover a stay together, which a comparison of two rows cannot detect.
#[test]
fn temporal_key_is_listed_and_unchecked() {
    let seed = "CREATE TABLE rooms(id int4range, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
        CREATE TABLE stays(id int PRIMARY KEY, room int4range, during daterange,
            FOREIGN KEY (room, PERIOD during) REFERENCES rooms(id, PERIOD valid));
        INSERT INTO rooms VALUES ('[1,2)', '[2024-01-01,2024-06-01)'), ('[1,2)', '[2024-06-01,2025-01-01)');
        INSERT INTO stays VALUES (1, '[1,2)', '[2024-05-01,2024-07-01)')";
    let Some(server) = Server::postgres_since(18, seed) else { return };
    let (code, report) = server.scan();
    assert_eq!((code, &report["relations"][0]["coverage"]), (4, &Value::from("unchecked")), "{report:#}");
    assert_eq!(report["relations"][0]["id"], "stays(room,during)->rooms(id,valid)");
    assert!(report["relations"][0]["reason"].as_str().unwrap().contains("PERIOD"), "{report:#}");
}

#[test]
fn partition_rows_are_counted_once() {
    let made = trap(
        "CREATE TABLE p(id int PRIMARY KEY) PARTITION BY RANGE(id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM(0) TO(100); \
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM(100) TO(200); \
         CREATE TABLE c(id int, r int REFERENCES p) PARTITION BY RANGE(id); CREATE TABLE c1 PARTITION OF c FOR VALUES FROM(0) TO(10); \
         CREATE TABLE c2 PARTITION OF c FOR VALUES FROM(10) TO(20); INSERT INTO p VALUES(50),(150); INSERT INTO c VALUES(1,50); \
         SET session_replication_role = replica; INSERT INTO c VALUES(2,150),(11,160)",
        &["orphan"],
    );
    let Some((server, report)) = made else { return };
    assert_eq!(orphans(&report), [("c(r)->p(id)", 1)]);
    server.execute("ALTER TABLE c1 DISABLE TRIGGER ALL");
    assert_eq!(codes(&server.scan().1), ["orphan", "triggers-disabled"]);
}

#[test]
fn inherited_rows_are_not_part_of_the_key() {
    let made = trap(
        "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE p_sub() INHERITS(p); CREATE TABLE c(id int, r int REFERENCES p); \
         CREATE TABLE c_sub() INHERITS(c); INSERT INTO p_sub VALUES(5); INSERT INTO c_sub VALUES(1,6); \
         SET session_replication_role = replica; INSERT INTO c VALUES(1,5)",
        &["orphan"],
    );
    let Some((_, report)) = made else { return };
    assert_eq!(orphans(&report), [("c(r)->p(id)", 1)]);
}

#[test]
fn set_null_column_list_is_read() {
    let made = trap(
        "CREATE TABLE p(a int,b int,PRIMARY KEY(a,b)); \
         CREATE TABLE c(a int NOT NULL,b int,FOREIGN KEY(a,b) REFERENCES p ON DELETE SET NULL (b) DEFERRABLE)",
        &[],
    );
    let Some((_, report)) = made else { return };
    assert_eq!(report["relations"][0]["on_delete"], "SET NULL");
    assert_eq!(report["relations"][0]["deferrable"], true);
}

/// Creates a role, named after its database, that can connect to every database.
fn role(server: &Server) -> String {
    let role = format!("{}_reader", server.name);
    server.execute(&format!("CREATE ROLE {role} LOGIN"));
    role
}

#[test]
fn row_level_security_leaves_relation_unchecked() {
    let made = trap(
        "CREATE TABLE p(id int PRIMARY KEY, tenant text); CREATE TABLE c(id int, r int REFERENCES p); \
         INSERT INTO p VALUES(1,'a'),(2,'b'); INSERT INTO c VALUES(1,1),(2,2); ALTER TABLE p ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY t ON p USING (tenant = 'a')",
        &[],
    );
    let Some((server, _)) = made else { return };
    let role = role(&server);
    server.execute(&format!("GRANT SELECT ON p, c TO {role}"));
    let (code, report) = server.scan_as(&role);
    assert_eq!((code, codes(&report)), (4, vec![]), "{report:#}");
    let reason = report["relations"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("row-level security"), "{reason}");
    server.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn repair_under_row_level_security_is_never_greener_than_its_exit_code() {
    let made = trap(
        "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p); \
         CREATE TABLE d(id int PRIMARY KEY, r int REFERENCES c); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 2); \
         ALTER TABLE p ENABLE ROW LEVEL SECURITY; CREATE POLICY t ON p USING (id = 1)",
        &[],
    );
    let Some((server, _)) = made else { return };
    let role = role(&server);
    server.execute(&format!("GRANT ALL ON p, c, d TO {role}"));
    // A rule, or none, treats the relation that could not be checked.
    for child in ["c(r)", "d(r)"] {
        let rule = format!("id = \"r\"\nrelation.child = \"{child}\"\n[[treat]]\naction = \"set-null\"\n");
        server.bench.write("r.toml", &rule);
        let run = server.run(&["repair", &server.url_as(&role), "--rules", "r.toml"]);
        assert_eq!(run.code, 4, "{child}: {}{}", run.stdout, run.stderr);
        let text = super::common::in_one_line(&run.stdout);
        let first = format!(
            "? {}: no orphan rows in the relations that were checked, and 1 relation could not be checked dry run",
            server.name
        );
        assert!(text.starts_with(&first), "{child}: {}", run.stdout);
        assert!(run.stdout.contains("row-level security") && !run.stdout.contains('✓'), "{child}: {}", run.stdout);
        let run = server.run(&["repair", &server.url_as(&role), "--rules", "r.toml", "--format", "json"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        super::common::assert_obeys("repair", &report);
        assert_eq!(
            (run.code, &report["verdict"], &report["summary"]["unchecked"]),
            (4, &"incomplete".into(), &1.into())
        );
    }
    server.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn unreadable_table_is_reported_as_unchecked() {
    let made = trap(
        "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int, r int REFERENCES p); \
         CREATE TABLE d(id int, r int REFERENCES p); SET session_replication_role = replica; INSERT INTO d VALUES (1,1)",
        &["orphan"],
    );
    let Some((server, _)) = made else { return };
    let role = role(&server);
    server.execute(&format!("GRANT SELECT ON p, d TO {role}"));
    let (code, report) = server.scan_as(&role);
    assert_eq!(code, 4);
    assert_eq!(orphans(&report), [("c(r)->p(id)", 0), ("d(r)->p(id)", 1)]);
    assert_eq!(report["relations"][0]["coverage"], "unchecked");
    assert_eq!(report["relations"][0]["reason"], "permission denied for table c");
    server.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn constraint_name_used_twice_is_scanned() {
    let made = trap(
        "CREATE SCHEMA s; CREATE TABLE p1(id int PRIMARY KEY); CREATE TABLE s.p1(id int PRIMARY KEY); \
         CREATE TABLE c1(x int, CONSTRAINT fk FOREIGN KEY(x) REFERENCES p1); \
         CREATE TABLE s.c1(y int, CONSTRAINT fk FOREIGN KEY(y) REFERENCES p1); \
         CREATE TABLE c2(y int, CONSTRAINT fk FOREIGN KEY(y) REFERENCES s.p1); INSERT INTO p1 VALUES(1); INSERT INTO c1 VALUES(1); \
         SET session_replication_role = replica; INSERT INTO s.c1 VALUES(1),(2); INSERT INTO c2 VALUES(1)",
        &["orphan", "orphan"],
    );
    let Some((_, report)) = made else { return };
    assert_eq!(orphans(&report), [("c1(x)->p1(id)", 0), ("c2(y)->s.p1(id)", 1), ("s.c1(y)->p1(id)", 1)]);
}

/// Code of a table's owner must not run with the privileges of the user who scans.
#[test]
fn schema_code_does_not_run_as_the_scanner() {
    let hostile = "CREATE TABLE public.ran(what text); GRANT INSERT ON ran TO PUBLIC;
        CREATE SCHEMA m;
        CREATE FUNCTION m.note(what text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran %', what; END $$;
        CREATE FUNCTION m.eq(int8, int4) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN m.note('operator'); END $$;
        CREATE FUNCTION m.eq(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN m.note('operator'); END $$;
        CREATE OPERATOR m.= (leftarg = int8, rightarg = int4, procedure = m.eq);
        CREATE OPERATOR m.= (leftarg = text, rightarg = text, procedure = m.eq);
        CREATE FUNCTION m.count(int) RETURNS int8 LANGUAGE plpgsql AS $$ BEGIN PERFORM m.note('function'); RETURN 0; END $$;
        CREATE FUNCTION m.format(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM m.note('format'); RETURN ''; END $$;
        CREATE FUNCTION m.dense_rank() RETURNS int8 LANGUAGE plpgsql AS $$ BEGIN PERFORM m.note('rank'); RETURN 0; END $$;
        CREATE TYPE m.mood AS ENUM ('sad', 'happy');
        CREATE FUNCTION m.cast(m.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM m.note('cast'); RETURN ''; END $$;
        CREATE CAST (m.mood AS text) WITH FUNCTION m.cast(m.mood) AS IMPLICIT;
        CREATE TABLE p(id int8 PRIMARY KEY);
        CREATE TABLE c(r int4 REFERENCES p, mood m.mood);
        CREATE TABLE t(k text PRIMARY KEY);
        CREATE TABLE d(r text REFERENCES t);
        CREATE TYPE m.plain AS ENUM ('sad');
        CREATE TABLE moods(k m.plain PRIMARY KEY);
        CREATE TABLE e(r m.plain REFERENCES moods);
        CREATE VIEW v AS SELECT m.note('view');
        SET session_replication_role = replica;
        INSERT INTO c VALUES (1, 'sad'); INSERT INTO d VALUES ('1'); INSERT INTO e VALUES ('sad');
        SET search_path = pg_catalog";
    let Some(server) = Server::postgres(hostile) else { return };
    // Since PostgreSQL 18 a key has text on both sides or on neither.
    let made =
        server.attempt("CREATE TABLE public.f(r m.mood REFERENCES public.t); INSERT INTO public.f VALUES ('happy')");
    assert_eq!(made.is_ok(), server.postgres_version() < 18, "{made:?}");
    server.execute(&format!("ALTER DATABASE {} SET search_path = m, public, pg_catalog", server.name));
    let (code, report) = server.scan();
    let orphaned = [("c(r)->p(id)", 1), ("d(r)->t(k)", 1), ("e(r)->moods(k)", 1), ("f(r)->t(k)", 0)];
    assert_eq!(orphans(&report), orphaned[..if made.is_ok() { 4 } else { 3 }], "{report:#}");
    assert_eq!(code, if made.is_ok() { 4 } else { 1 });
    if made.is_ok() {
        // Values that need such code are not compared, and the report says so.
        let reason = report["relations"][3]["reason"].as_str().unwrap();
        assert!(reason.contains("m.\"cast\"(m.mood)"), "{reason}");
    }
    assert!(!report.to_string().contains("ran "), "{report:#}");
}

/// The server evaluates constants in an index condition while it plans a query.
#[test]
fn index_code_does_not_run_as_the_scanner() {
    let Some(server) =
        Server::postgres("CREATE SCHEMA m; CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE q(id int PRIMARY KEY)")
    else {
        return;
    };
    let mallory = role(&server);
    server.execute(&format!(
        "GRANT ALL ON SCHEMA m TO {mallory}; GRANT ALL ON p, q TO {mallory};
         CREATE FUNCTION m.f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
         ALTER FUNCTION m.f OWNER TO {mallory};
         CREATE TABLE c(r int REFERENCES p); CREATE INDEX ON c(r) WHERE m.f(1) > 0;
         CREATE TABLE d(r int REFERENCES p); CREATE TABLE e(r int) PARTITION BY HASH (r);
         CREATE TABLE e0 PARTITION OF e FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE INDEX ON e0((m.f(2)));
         ALTER TABLE e ADD FOREIGN KEY (r) REFERENCES q; CREATE TABLE loot(id int PRIMARY KEY); CREATE INDEX ON loot(id) WHERE m.f(3) > 0;
         CREATE OR REPLACE FUNCTION m.f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
         SET session_replication_role = replica; INSERT INTO d VALUES (1)"
    ));
    let (code, report) = server.scan();
    assert_eq!((code, orphans(&report)), (4, vec![("c(r)->p(id)", 0), ("d(r)->p(id)", 1), ("e(r)->q(id)", 0)]));
    for place in [0, 2] {
        let reason = report["relations"][place]["reason"].as_str().unwrap();
        assert!(reason.contains("would run m.f(integer)"), "{reason}");
    }
    assert!(!report.to_string().contains("ran as"), "{report:#}");
    server.execute(&format!("DROP OWNED BY {mallory} CASCADE; DROP ROLE {mallory}"));
}

#[test]
fn values_with_quotes_and_backslashes_stay_data() {
    let sql = "CREATE TABLE p(k text PRIMARY KEY); CREATE TABLE c(r text REFERENCES p);
        SET session_replication_role = replica; INSERT INTO c VALUES (E'a\\\\'), ('''; DROP TABLE p; --'), ('$$'), (E'x\\ny')";
    let Some(server) = Server::postgres(sql) else { return };
    server.execute(&format!("ALTER DATABASE {} SET standard_conforming_strings = off", server.name));
    let (code, report) = server.scan();
    assert_eq!((code, orphans(&report)), (1, vec![("c(r)->p(k)", 4)]));
}

#[test]
fn corrupt_parent_index_makes_no_orphans() {
    let sql = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int, r int REFERENCES p); INSERT INTO p VALUES(1);
        UPDATE pg_index SET indisready = false WHERE indexrelid = 'p_pkey'::regclass; INSERT INTO p VALUES(2);
        UPDATE pg_index SET indisready = true WHERE indexrelid = 'p_pkey'::regclass;
        SET session_replication_role = replica; INSERT INTO c VALUES(1,1),(2,2),(3,3)";
    let Some(server) = Server::postgres(sql) else { return };
    // A server with statistics would choose this plan for larger tables.
    for setting in ["enable_seqscan", "enable_hashjoin", "enable_mergejoin"] {
        server.execute(&format!("ALTER DATABASE {} SET {setting} = off", server.name));
    }
    let report = expect(&server, &["index-corrupt", "orphan"]);
    assert_eq!(orphans(&report), [("c(r)->p(id)", 1)]);
    let run = server.run(&["scan", &server.url()]);
    assert!(
        run.stdout.states("1 row of c looks like an orphan") || run.stdout.contains("REINDEX INDEX"),
        "{}",
        run.stdout
    );
}

#[test]
fn terminal_escapes_stay_inert() {
    let sql =
        "CREATE TABLE p(k text PRIMARY KEY); CREATE TABLE c(r text REFERENCES p); CREATE TABLE q(k bytea PRIMARY KEY);
        CREATE TABLE d(r bytea REFERENCES q); SET session_replication_role = replica;
        INSERT INTO c VALUES (E'\\x1b[2J\\u202e<script>'); INSERT INTO d VALUES ('\\x00ff1b')";
    let Some(server) = Server::postgres(sql) else { return };
    let run = server.run(&["scan", &server.url()]);
    assert_eq!(run.code, 1);
    assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\u{202e}'), "{}", run.stdout);
}
