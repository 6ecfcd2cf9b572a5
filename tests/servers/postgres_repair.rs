//! A repair of a PostgreSQL database from end to end: scan, dry run, apply, scan again, undo; and what is refused.

use super::common::Run;
use super::server::Server;
use super::server::orphans;

const STORY: &str = include_str!("../../fixtures/multi-source-sync/postgres.sql");

/// Every value of every table of the story, and where its sequences stand.
fn rows(server: &Server) -> Vec<String> {
    ["knowledge_base", "multi_source_knowledge_base", "sync_run"]
        .iter()
        .flat_map(|table| server.texts(&format!("SELECT '{table}' || t::text FROM {table} AS t ORDER BY t")))
        .collect()
}

fn tables(server: &Server) -> Vec<String> {
    server.texts("SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
}

fn plan(server: &Server) -> Run {
    server.run(&["repair", &server.url(), "--rules", "multi-source-sync", "-o", "plan.ndjson"])
}

fn apply(server: &Server) -> Run {
    server.run(&["apply", &server.url(), "plan.ndjson"])
}

#[test]
fn postgres_is_repaired_and_taken_back() {
    let Some(server) = Server::postgres(STORY) else { return };
    let (before, tables_before) = (rows(&server), tables(&server));
    let sequence = "SELECT last_value::text FROM knowledge_base_id_seq";
    assert_eq!(orphans(&server.scan().1), [("sync_run(knowledge_base_id)->knowledge_base(id)", 3)]);

    let dry = plan(&server);
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
    assert!(dry.stdout.contains("wiki_de") || dry.stdout.contains("remap"), "{}", dry.stdout);
    assert_eq!((rows(&server), tables(&server)), (before.clone(), tables_before.clone()), "a dry run writes nothing");
    assert_eq!(server.texts(sequence), ["30"], "not even to a sequence");

    let applied = apply(&server);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
    assert_eq!(orphans(&server.scan().1), [("sync_run(knowledge_base_id)->knowledge_base(id)", 0)]);
    let runs = "SELECT id || ':' || knowledge_base_id FROM sync_run ORDER BY id";
    assert_eq!(server.texts(runs), ["1:1", "2:30", "3:30", "4:30", "5:31"]);
    let made = "SELECT concat_ws('|', id, name, source_type, source_config, rag_type, rag_config) FROM knowledge_base WHERE id > 30";
    assert_eq!(
        server.texts(made),
        [
            r#"31|handbook_placeholder|multi_source_placeholder|{"placeholder": true, "multi_source_kb_id": 23}|graph|{"depth": 2}"#
        ]
    );
    let recorded = "SELECT concat_ws('|', child_table, child_row, original_key, new_key) FROM kb_id_map ORDER BY id";
    assert_eq!(server.texts(recorded), ["sync_run|3|22|30", "sync_run|4|22|30"]);
    assert_eq!(server.texts(sequence), ["31"], "the sequence does not give the new key out again");

    let again = apply(&server);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("nothing was changed"), "{}", again.stdout);

    let undone = server.run(&["undo", &server.url(), "plan.ndjson"]);
    assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
    assert_eq!((rows(&server), tables(&server)), (before, tables_before), "the same rows, to the last value");
}

#[test]
fn a_plan_for_postgres_is_refused_where_rows_or_bytes_changed() {
    let Some(server) = Server::postgres(STORY) else { return };
    assert_eq!(plan(&server).code, 0);
    let refused = |why: &str| {
        let before = rows(&server);
        let run = apply(&server);
        assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(why), "{}", run.stderr);
        assert_eq!(rows(&server), before);
    };
    server.execute("UPDATE sync_run SET progress = 0.5 WHERE id = 3");
    refused("sync_run (id = 3) is not as it was when the plan was made");
    server.execute("UPDATE sync_run SET progress = 0.1 WHERE id = 3");
    // Somebody makes the missing parent.
    server.execute("INSERT INTO knowledge_base(id, name, source_type) OVERRIDING SYSTEM VALUE VALUES (22, 'x', 'y')");
    refused("has its parent by now");
    server.execute("SET session_replication_role = replica; DELETE FROM knowledge_base WHERE id = 22");
    server.execute("SET session_replication_role = origin");
    // Somebody takes the key that the placeholder was to have.
    server.execute("INSERT INTO knowledge_base(id, name, source_type) OVERRIDING SYSTEM VALUE VALUES (31, 'x', 'y')");
    refused("knowledge_base (id = 31) is not as it was");
    server.execute("DELETE FROM knowledge_base WHERE id = 31");
    server.execute("ALTER TABLE sync_run ADD COLUMN note text");
    refused("the database's definitions are not those that the plan was made for");
    server.execute("ALTER TABLE sync_run DROP COLUMN note");
    let file = server.bench.path("plan.ndjson");
    let sound = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, sound.replace("handbook_placeholder", "handbook_plaqeholder")).unwrap();
    refused("plan");
    std::fs::write(&file, sound).unwrap();
    assert_eq!(apply(&server).code, 0);
}

/// What a trigger does beyond the plan takes everything back.
#[test]
fn a_trigger_that_does_more_rolls_back() {
    let Some(server) = Server::postgres(STORY) else { return };
    server.execute(
        "CREATE TABLE seen(id integer);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO public.seen VALUES (NEW.id); RETURN NEW; END $$;
         CREATE TRIGGER noted AFTER UPDATE ON sync_run FOR EACH ROW EXECUTE FUNCTION note()",
    );
    let dry = plan(&server);
    assert!(dry.stdout.contains("has triggers (noted)"), "{}", dry.stdout);
    let before = rows(&server);
    let run = apply(&server);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stderr.contains("beyond the plan, by a trigger"), "{}", run.stderr);
    assert_eq!(rows(&server), before);
    let silent = server.run(&["apply", &server.url(), "plan.ndjson", "--no-triggers"]);
    assert_eq!(silent.code, 0, "{}", silent.stderr);
    assert_eq!(server.texts("SELECT count(*)::text FROM seen"), ["0"]);
}

/// A writer that could add the missing parent is waited for, and not for ever.
#[test]
fn a_writer_to_the_parent_is_waited_for() {
    let Some(server) = Server::postgres(STORY) else { return };
    assert_eq!(plan(&server).code, 0);
    server.beside("BEGIN; INSERT INTO knowledge_base(name, source_type) VALUES ('late', 'x')");
    let run = server.run(&["apply", &server.url(), "plan.ndjson", "--wait", "1s"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("wait longer with --wait"), "{}", run.stderr);
    server.beside("ROLLBACK");
}

#[test]
fn mysql_says_that_it_is_not_repaired_yet() {
    let Some(server) = Server::mariadb("CREATE TABLE p(id int PRIMARY KEY)") else { return };
    let run = server.run(&["repair", &server.url(), "--rules", "multi-source-sync"]);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("repairs are not built for its engine yet"), "{}", run.stderr);
}

/// Without a compatible knowledge base, 22 gets a placeholder; a role that owns the tables can do that, and not undo it.
#[test]
fn an_owner_repairs_and_is_told_what_undo_takes() {
    let Some(server) = Server::postgres(STORY) else { return };
    let role = format!("{}_owner", server.name);
    server.execute("UPDATE knowledge_base SET name = 'wikide' WHERE id = 30");
    server.execute(&format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role}"));
    for table in ["knowledge_base", "multi_source_knowledge_base", "unrelated", "sync_run"] {
        server.execute(&format!("ALTER TABLE {table} OWNER TO {role}"));
    }
    let url = server.url_as(&role);
    let dry = server.run(&["repair", &url, "--rules", "multi-source-sync", "-o", "plan.ndjson"]);
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
    let applied = server.run(&["apply", &url, "plan.ndjson"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
    let made = "SELECT concat_ws('|', id, name, source_config) FROM knowledge_base WHERE source_config IS NOT NULL ORDER BY id";
    assert_eq!(
        server.texts(made),
        [
            r#"31|wiki_placeholder|{"placeholder": true, "multi_source_kb_id": 22}"#,
            r#"32|handbook_placeholder|{"placeholder": true, "multi_source_kb_id": 23}"#
        ]
    );
    let healed = rows(&server);
    let undone = server.run(&["undo", &url, "plan.ndjson"]);
    assert_eq!(undone.code, 3, "{}", undone.stderr);
    assert!(undone.stderr.contains("orphans come back only through a superuser"), "{}", undone.stderr);
    assert_eq!(rows(&server), healed);
    let by_superuser = server.run(&["undo", &server.url(), "plan.ndjson"]);
    assert_eq!(by_superuser.code, 0, "{}", by_superuser.stderr);
    server.execute(&format!("REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"));
}
