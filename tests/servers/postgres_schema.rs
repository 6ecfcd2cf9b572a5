//! Relations are relaxed, enforced and prevented on PostgreSQL, and are undone exactly.

use super::common;
use super::server::Server;

/// One table with every kind of foreign key, and names that have to be quoted.
const ODD: &str = r#"
CREATE SCHEMA "other s"; CREATE TABLE "other s"."select"(id int PRIMARY KEY);
CREATE TABLE p(id int PRIMARY KEY, code text UNIQUE); CREATE TABLE pair(a int, "b ""q" text, PRIMARY KEY (a, "b ""q"));
CREATE TABLE "odd child"(
    id int PRIMARY KEY REFERENCES p(id),
    r1 int CONSTRAINT "it 'is'" NOT NULL CONSTRAINT "fk ""one" REFERENCES p(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    r2 text NOT NULL REFERENCES p(code) ON UPDATE CASCADE ON DELETE SET DEFAULT,
    x int, "y z" text,
    up int REFERENCES "odd child"(id) DEFERRABLE,
    s int REFERENCES "other s"."select"(id) ON DELETE RESTRICT,
    FOREIGN KEY (x, "y z") REFERENCES pair MATCH FULL ON DELETE SET NULL,
    CONSTRAINT "some" FOREIGN KEY (x, "y z") REFERENCES pair(a, "b ""q") ON DELETE SET NULL ("y z"),
    CHECK (x > 0)
);
COMMENT ON CONSTRAINT "some" ON "odd child" IS 'why it''s there \ "so"';
CREATE TABLE late(r int); INSERT INTO late VALUES (77);
ALTER TABLE late ADD CONSTRAINT late_key FOREIGN KEY (r) REFERENCES p(id) NOT VALID;
CREATE TABLE parts(id int, r int REFERENCES p(id)) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE heir() INHERITS ("odd child");
INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO "odd child"(id, r1, r2) VALUES (1, 1, 'a'); INSERT INTO parts VALUES (1, 2);
"#;

/// Returns every constraint as the server spells it, with its other properties.
fn constraints(server: &Server) -> Vec<String> {
    let constraints = server.texts(
        "SELECT concat_ws('|', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, condeferrable, condeferred,
             conparentid <> 0, obj_description(oid, 'pg_constraint')) AS line FROM pg_constraint
         WHERE connamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'information_schema') AND conrelid::regclass::text <> 'fk_doctor_state' ORDER BY 1",
    );
    let columns = server.texts(
        "SELECT concat_ws('|', attrelid::regclass, attname, attnotnull, atthasdef) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
         WHERE attnum > 0 AND relkind IN ('r', 'p') AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') AND relname <> 'fk_doctor_state' ORDER BY 1",
    );
    let others = server.texts(
        "SELECT concat_ws('|', 'index', indexrelid::regclass, pg_get_indexdef(indexrelid)) FROM pg_index WHERE indrelid >= 16384
             AND indrelid NOT IN (SELECT unnest(ARRAY[oid, reltoastrelid]) FROM pg_class WHERE relname = 'fk_doctor_state')
         UNION ALL SELECT concat_ws('|', 'trigger', tgname, tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal
         UNION ALL SELECT concat_ws('|', 'function', proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    );
    [constraints, columns, others].concat()
}

fn foreign_keys(server: &Server) -> Vec<String> {
    server.texts("SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 ORDER BY 1")
}

#[test]
fn foreign_keys_of_every_kind_are_relaxed_and_restored_exactly() {
    let Some(server) = Server::postgres(ODD) else { return };
    if server.postgres_version() >= 18 {
        server.execute("COMMENT ON CONSTRAINT \"it 'is'\" ON \"odd child\" IS 'a name of its own'");
    }
    let before = constraints(&server);
    assert_eq!(foreign_keys(&server).len(), 9);
    let url = server.url();
    let relax = ["repair", url.as_str(), "--relax", "*(*)", "--nullable"];
    let dry = server.run(&[&relax[..], &["-o", "plan"]].concat());
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
    assert_eq!(constraints(&server), before, "a dry run writes nothing");
    let script = server.run(&[&relax[..], &["--format", "sql"]].concat());
    let applied = server.run(&["apply", &url, "plan"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
    assert_eq!(foreign_keys(&server), Vec::<String>::new());
    let nullable = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '\"odd child\"'::regclass AND attnotnull AND attnum > 0";
    assert_eq!(server.texts(nullable), ["id"], "a primary key stays NOT NULL");
    let relaxed = constraints(&server);
    let again = server.run(&["apply", &url, "plan"]);
    assert!(again.stdout.contains("nothing to do"), "{}{}", again.stdout, again.stderr);

    server.execute("UPDATE \"odd child\" SET r1 = NULL");
    let refused = server.run(&["undo", &url, "plan"]);
    assert_eq!(refused.code, 5, "{}", refused.stdout);
    assert!(refused.stderr.contains("given NULL in r1 since"), "{}", refused.stderr);
    server.execute("UPDATE \"odd child\" SET r1 = 9");
    let refused = server.run(&["undo", &url, "plan"]);
    assert_eq!(refused.code, 5, "{}", refused.stdout);
    assert!(refused.stderr.contains("violates foreign key constraint"), "{}", refused.stderr);
    assert_eq!(constraints(&server), relaxed, "nothing is half taken back");
    server.execute("UPDATE \"odd child\" SET r1 = 1");
    let undone = server.run(&["undo", &url, "plan"]);
    assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
    assert_eq!(constraints(&server), before);

    server.execute(&format!("BEGIN; {}; COMMIT", script.stdout));
    assert_eq!(constraints(&server), relaxed, "{}", script.stdout);
}

const SHOP: &str = "CREATE TABLE posts(id int PRIMARY KEY, slug text UNIQUE); CREATE TABLE comments(id int PRIMARY KEY, post_id int, slug text);
    INSERT INTO posts VALUES (1, 'a'); INSERT INTO comments VALUES (1, 1, 'a'), (2, NULL, NULL);";

#[test]
fn clean_relation_is_declared_with_its_index() {
    let Some(server) = Server::postgres(SHOP) else { return };
    let before = constraints(&server);
    let url = server.url();
    let enforce = [
        "repair",
        url.as_str(),
        "--enforce",
        "comments(post_id) -> posts(id)",
        "--on-delete",
        "set-null",
        "--on-update",
        "cascade",
    ];
    let dry = server.run(&[&enforce[..], &["-o", "plan"]].concat());
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
    assert!(dry.stdout.contains("writers of comments wait while the index"), "{}", dry.stdout);
    let json = server.run(&[&enforce[..], &["--format", "json"]].concat());
    common::assert_obeys("repair", &serde_json::from_str(&json.stdout).unwrap());
    let script = server.run(&[&enforce[..], &["--format", "sql"]].concat()).stdout;
    assert!(script.contains("NOT VALID") && script.contains("VALIDATE CONSTRAINT"), "{script}");
    assert_eq!(constraints(&server), before);

    let applied = server.run(&["apply", &url, "plan"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
    assert_eq!(
        server.texts("SELECT pg_get_constraintdef(oid) || convalidated FROM pg_constraint WHERE conname = 'comments_post_id_fkey'"),
        ["FOREIGN KEY (post_id) REFERENCES posts(id) ON UPDATE CASCADE ON DELETE SET NULLtrue"]
    );
    assert!(server.attempt("INSERT INTO comments VALUES (3, 99)").is_err());
    let enforced = constraints(&server);
    let skipped = server.run(&enforce);
    assert!(skipped.stdout.contains("nothing to do: "), "{}", skipped.stdout);
    let undone = server.run(&["undo", &url, "plan"]);
    assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
    assert_eq!(constraints(&server), before);
    server.execute(&format!("BEGIN; {script}; COMMIT"));
    assert_eq!(constraints(&server), enforced);
}

#[test]
fn relation_with_orphans_or_duplicate_parents_is_not_declared() {
    let Some(server) = Server::postgres(SHOP) else { return };
    let url = server.url();
    server.execute("INSERT INTO comments VALUES (3, 98), (4, 99), (5, 99)");
    for (relation, text) in [
        ("comments(post_id) -> posts(id)", "3 orphan rows would remain (2 missing keys)"),
        ("posts(id) -> comments(post_id)", "is neither a primary key nor the whole of a unique index"),
    ] {
        let run = server.run(&["repair", &url, "--enforce", relation, "--apply"]);
        assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
        let all = common::in_one_line(&run.stdout);
        assert!(all.contains(text), "{}", run.stdout);
    }
    server.execute("DELETE FROM comments WHERE id > 2");
    server.run(&["repair", &url, "--enforce", "comments(post_id) -> posts(id)", "-o", "plan"]);
    server.execute("INSERT INTO comments VALUES (3, 98)");
    let before = constraints(&server);
    let run = server.run(&["apply", &url, "plan"]);
    assert_eq!(run.code, 5, "{}", run.stdout);
    assert!(run.stderr.contains("violates foreign key constraint"), "{}", run.stderr);
    assert_eq!(constraints(&server), before);
}

/// Rows are repaired and a NOT VALID key is validated. Both are undone.
#[test]
fn foreign_key_not_valid_is_validated() {
    let Some(server) = Server::postgres(SHOP) else { return };
    server.execute(
        "INSERT INTO comments VALUES (3, 98);
         ALTER TABLE comments ADD CONSTRAINT checked_late FOREIGN KEY (post_id) REFERENCES posts DEFERRABLE NOT VALID",
    );
    let url = server.url();
    let before = constraints(&server);
    server.bench.write(
        "r.toml",
        "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"comments(post_id)\"\nlimits.max-share = 1.0\n\
         [[treat]]\naction = \"set-null\"\n[[treat]]\naction = \"enforce\"\nindex = false\n",
    );
    let dry = server.run(&["repair", &url, "--rules", "r.toml", "-o", "plan"]);
    assert_eq!(dry.code, 0, "{}{}", dry.stdout, dry.stderr);
    let applied = server.run(&["apply", &url, "plan"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(server.texts("SELECT convalidated::text FROM pg_constraint WHERE conname = 'checked_late'"), ["true"]);
    assert_eq!(server.texts("SELECT count(post_id)::text FROM comments"), ["1"]);
    let undone = server.run(&["undo", &url, "plan"]);
    assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
    assert_eq!(constraints(&server), before);
    assert_eq!(server.texts("SELECT post_id::text FROM comments WHERE id = 3"), ["98"]);
}

/// A locked table is waited for, but only for a limited time.
#[test]
fn held_lock_ends_the_repair_at_the_limit() {
    let Some(server) = Server::postgres(ODD) else { return };
    let url = server.url();
    server.run(&["repair", &url, "--relax", "late(r)", "-o", "plan"]);
    server.beside("BEGIN; SELECT * FROM late");
    let before = constraints(&server);
    let run = server.run(&["apply", &url, "plan", "--wait", "300ms"]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("wait longer with --wait"), "{}", run.stderr);
    server.beside("ROLLBACK");
    assert_eq!(constraints(&server), before);
    assert_eq!(server.run(&["apply", &url, "plan"]).code, 0);
}

const MEDIA: &str = r#"
CREATE TABLE media_sources(source_id text PRIMARY KEY, source_type text NOT NULL, title text NOT NULL, url text NOT NULL UNIQUE,
    rank int NOT NULL, seen timestamptz NOT NULL DEFAULT now());
CREATE TABLE known(id text PRIMARY KEY, label text);
CREATE TABLE statuses(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id varchar(20) NOT NULL REFERENCES media_sources ON DELETE CASCADE, metadata jsonb);
INSERT INTO media_sources VALUES ('dQ', 'youtube', 'A song', 'https://v/dQ', 1);
INSERT INTO known VALUES ('abc', 'known');
"#;

const RULE: &str = r#"
id = "media"
relation.child = "statuses(source_id)"
[[treat]]
action = "placeholder"
[treat.values]
source_type = "youtube"
title = { sql = "'Queued: ' || coalesce((SELECT label FROM known WHERE id = key.source_id), key.source_id)" }
url = { sql = "coalesce(child.metadata ->> 'url', 'youtube://' || key.source_id)" }
rank = { sql = "length(key.source_id)" }
[[treat]]
action = "prevent"
"#;

#[test]
fn status_before_its_source_gets_a_placeholder() {
    let Some(server) = Server::postgres(MEDIA) else { return };
    let url = server.url();
    server.bench.write("r.toml", RULE);
    let insert = r#"INSERT INTO public.statuses(source_id, metadata) VALUES ('abc', '{"url": "https://v/abc"}')"#;
    assert!(server.attempt(insert).is_err());
    let before = constraints(&server);
    let dry = server.run(&["repair", &url, "--rules", "r.toml", "-o", "plan"]);
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
    let script = server.run(&["repair", &url, "--rules", "r.toml", "--format", "sql"]).stdout;
    assert_eq!(constraints(&server), before);
    let applied = server.run(&["apply", &url, "plan"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
    let prevented = constraints(&server);

    // This holds for any search path of the application, and without further privileges.
    let role = format!("{}_app", server.name);
    server.execute(&format!(
        "CREATE ROLE {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON statuses, media_sources, known TO {role};
         CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO {role}; CREATE TABLE evil.known(id text, label text);
         CREATE FUNCTION evil.length(text) RETURNS int LANGUAGE sql AS 'SELECT 666';
         CREATE FUNCTION evil.length(varchar) RETURNS int LANGUAGE sql AS 'SELECT 666';
         SET search_path = evil, pg_catalog; SET ROLE {role}"
    ));
    server.execute(insert);
    server.execute("RESET ROLE; RESET search_path");
    let source = "SELECT concat_ws('|', source_type, title, url, rank) FROM media_sources WHERE source_id = 'abc'";
    assert_eq!(server.texts(source), ["youtube|Queued: known|https://v/abc|3"]);
    server.execute("UPDATE statuses SET source_id = 'moved', metadata = NULL WHERE source_id = 'abc'");
    server.execute("INSERT INTO media_sources VALUES ('moved', 'vimeo', 'A film', 'https://v/moved', 2) ON CONFLICT (source_id) DO UPDATE SET title = excluded.title");
    server.execute(&format!("REVOKE INSERT ON media_sources FROM {role}; SET ROLE {role}"));
    let refused = server.attempt("INSERT INTO public.statuses(source_id) VALUES ('other')").unwrap_err().to_string();
    assert!(refused.contains("permission denied"), "{refused}");
    server.execute(&format!("RESET ROLE; DROP SCHEMA evil CASCADE; DROP OWNED BY {role}; DROP ROLE {role}"));
    // Another source has the address. Nothing is inserted, and the statement fails as before.
    let clash = r#"INSERT INTO statuses(source_id, metadata) VALUES ('x', '{"url": "https://v/dQ"}')"#;
    assert!(server.attempt(clash).unwrap_err().to_string().contains("foreign key"));

    let again = server.run(&["repair", &url, "--rules", "r.toml"]);
    assert!(again.stdout.contains("nothing to do: "), "{}", again.stdout);
    let dropped = server.run(&["repair", &url, "--no-prevent", "statuses(*)", "-o", "drop", "--apply"]);
    assert_eq!(dropped.code, 0, "{}{}", dropped.stdout, dropped.stderr);
    assert_eq!(constraints(&server), before);
    assert_eq!(server.run(&["undo", &url, "drop"]).code, 0);
    assert_eq!(constraints(&server), prevented);
    let undone = server.run(&["undo", &url, "plan"]);
    assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
    assert_eq!(constraints(&server), before);
    server.execute(&format!("BEGIN; {script}; COMMIT"));
    assert_eq!(constraints(&server), prevented, "{script}");
}
