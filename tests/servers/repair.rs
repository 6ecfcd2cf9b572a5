//! Repairs of server databases from end to end: scan, dry run, apply, scan again, undo, and refusals.

use super::patient::KINDS;
use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::rule;
use super::server::Server;
use super::server::orphans;

/// A sync run contains the id of a multi-source knowledge base.
pub(crate) fn story(kind: Kind) -> Option<Patient> {
    let patient = Patient::new(
        kind,
        match kind {
            Kind::Postgres => include_str!("../../fixtures/multi-source-sync/postgres.sql"),
            Kind::Mariadb | Kind::Mysql => include_str!("../../fixtures/multi-source-sync/mysql.sql"),
        },
    )?;
    patient.rules(include_str!("../../rules/multi-source-sync.toml"));
    Some(patient)
}

#[test]
fn multi_source_sync_rule_remaps_sync_runs() {
    for kind in KINDS {
        let Some(patient) = story(kind) else { continue };
        let server = &patient.server;
        let before = patient.dump();
        let next = match kind {
            Kind::Postgres => "SELECT last_value::text FROM knowledge_base_id_seq",
            Kind::Mariadb | Kind::Mysql => {
                "SELECT CAST(auto_increment - 1 AS CHAR) FROM information_schema.tables \
                 WHERE table_schema = database() AND table_name = 'knowledge_base'"
            }
        };
        assert_eq!(orphans(&server.scan().1), [("sync_run(knowledge_base_id)->knowledge_base(id)", 3)]);
        patient.planned();
        assert_eq!(server.texts(next), ["30"], "{kind:?}: not even a counter moves");

        patient.repair();
        assert_eq!(patient.column("sync_run", "knowledge_base_id"), "1,30,30,30,31");
        let made = "SELECT concat_ws('|', id, name, source_type, source_config, rag_type, rag_config) FROM knowledge_base WHERE id > 30";
        assert_eq!(
            server.texts(made),
            [
                r#"31|handbook_placeholder|multi_source_placeholder|{"placeholder": true, "multi_source_kb_id": 23}|graph|{"depth": 2}"#
            ]
        );
        let recorded =
            "SELECT concat_ws('|', child_table, child_row, original_key, new_key) FROM kb_id_map ORDER BY id";
        assert_eq!(server.texts(recorded), ["sync_run|3|22|30", "sync_run|4|22|30", "sync_run|5|23|31"]);
        assert_eq!(server.texts(next), ["31"], "{kind:?}: the new key is not given out again");
        patient.take_back(&before);
    }
}

/// A stage status is written before its media source exists.
#[test]
fn media_sources_rule_queues_placeholders() {
    let seed = "CREATE TABLE media_sources(source_id varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, source_type varchar(20) NOT NULL, \
            title varchar(80) NOT NULL, url varchar(200) NOT NULL UNIQUE); \
        CREATE TABLE source_stage_statuses(id int PRIMARY KEY, source_id varchar(20) COLLATE utf8mb4_bin NOT NULL, metadata json, \
            FOREIGN KEY (source_id) REFERENCES media_sources(source_id) ON DELETE CASCADE); \
        INSERT INTO media_sources VALUES ('dQw4', 'youtube', 'A song', 'https://v/dQw4'); \
        INSERT INTO source_stage_statuses VALUES \
            (1, 'dQw4', NULL), (4, '9bZk', '{\"url\": \"https://v/9bZk\"}'), (5, '9bZk', NULL), (6, 'kJQP', NULL)";
    for patient in MYSQL_FAMILY.into_iter().filter_map(|kind| Patient::new(kind, seed)) {
        patient.rules(
            r#"id = "media-sources"
        [relation]
        child = "source_stage_statuses(source_id)"
        [[treat]]
        action = "placeholder"
        [treat.values]
        source_type = "youtube"
        title = "Queued: {key.source_id}"
        url = { sql = """coalesce(
            (SELECT json_value(status.metadata, '$.url') FROM source_stage_statuses AS status
             WHERE status.source_id = key.source_id AND status.metadata IS NOT NULL ORDER BY status.id LIMIT 1),
            concat('youtube://', key.source_id))""" }"#,
        );
        let before = patient.dump();
        patient.repair();
        assert_eq!(
            patient.server.texts(
                "SELECT concat_ws('|', title, url) AS s FROM media_sources WHERE source_id <> 'dQw4' ORDER BY s"
            ),
            ["Queued: 9bZk|https://v/9bZk", "Queued: kJQP|youtube://kJQP"]
        );
        patient.take_back(&before);
    }
}

/// The third story removes a foreign key from a definition.
#[test]
fn plan_with_changed_rows_or_bytes_is_refused() {
    for kind in KINDS {
        let Some(patient) = story(kind) else { continue };
        let server = &patient.server;
        if kind != Kind::Postgres {
            server.execute("ALTER TABLE sync_run DROP COLUMN seen_at");
        }
        patient.planned();
        server.execute("UPDATE sync_run SET progress = 0.5 WHERE id = 3");
        patient.refused("sync_run (id = 3) is not as it was when the plan was made");
        server.execute("UPDATE sync_run SET progress = 0.1 WHERE id = 3");
        let (overriding, loose, strict) = match kind {
            Kind::Postgres => (
                "OVERRIDING SYSTEM VALUE",
                "SET session_replication_role = replica",
                "SET session_replication_role = origin",
            ),
            Kind::Mariadb | Kind::Mysql => ("", "SET foreign_key_checks = 0", "SET foreign_key_checks = 1"),
        };
        let make =
            |id: u32| format!("INSERT INTO knowledge_base(id, name, source_type) {overriding} VALUES ({id}, 'x', 'y')");
        // Another session inserts the missing parent.
        server.execute(&make(22));
        patient.refused("has its parent by now");
        server.execute(&format!("{loose}; DELETE FROM knowledge_base WHERE id = 22; {strict}"));
        // Another session uses the key of the planned placeholder.
        server.execute(&make(31));
        patient.refused("knowledge_base (id = 31) is not as it was");
        server.execute("DELETE FROM knowledge_base WHERE id = 31");
        // Another session inserts an orphan that is not in the plan.
        server.execute(&format!("{loose}; INSERT INTO sync_run(id, knowledge_base_id) VALUES (99, 22); {strict}"));
        patient.refused("has 1 orphan row (such as id = 99), and the plan expected at most 0");
        server.execute("DELETE FROM sync_run WHERE id = 99");
        server.execute("ALTER TABLE sync_run ADD COLUMN note text");
        patient.refused("the definitions of the database differ from those that the plan was made for");
        server.execute("ALTER TABLE sync_run DROP COLUMN note");
        let file = server.bench.path("plan.ndjson");
        let sound = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, sound.replace("handbook_placeholder", "handbook_plaqeholder")).unwrap();
        patient.refused("plan");
        std::fs::write(&file, sound).unwrap();
        assert_eq!(patient.apply(&[]).code, 0);
    }
}

/// The script has the same effect as the plan.
#[test]
fn script_equals_the_plan() {
    for kind in KINDS {
        let (Some(patient), Some(other)) = (story(kind), story(kind)) else { continue };
        let set_times = || {
            for server in [&patient.server, &other.server] {
                server.execute("UPDATE knowledge_base SET created_at = '2026-01-01 00:00:00'");
                if kind != Kind::Postgres {
                    server.execute("UPDATE sync_run SET seen_at = '2026-01-01 00:00:00.5'");
                }
            }
        };
        set_times();
        patient.planned();
        let url = patient.server.url();
        let script = patient.server.run(&["repair", &url, "--rules", "r.toml", "--format", "sql"]).stdout;
        assert_eq!(patient.apply(&[]).code, 0);
        other.server.execute(&match kind {
            Kind::Mariadb | Kind::Mysql => script.clone(),
            Kind::Postgres => format!("BEGIN; {script} COMMIT"),
        });
        // The placeholders have different times of creation.
        set_times();
        assert_eq!(other.dump(), patient.dump(), "{kind:?}\n{script}");
    }
}

/// A change of a trigger beyond the plan rolls everything back.
#[test]
fn trigger_with_extra_changes_rolls_back() {
    for kind in KINDS {
        let Some(patient) = story(kind) else { continue };
        let server = &patient.server;
        let trigger = |moment: &str, does: &str| match kind {
            Kind::Postgres => format!(
                "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; RETURN NEW; END $$; \
                 CREATE TRIGGER noted {moment} UPDATE ON sync_run FOR EACH ROW EXECUTE FUNCTION note()"
            ),
            Kind::Mariadb | Kind::Mysql => {
                format!("CREATE TRIGGER noted {moment} UPDATE ON sync_run FOR EACH ROW {does}")
            }
        };
        server.execute("CREATE TABLE seen(id int PRIMARY KEY)");
        let seen = if kind == Kind::Postgres { "public.seen" } else { "seen" };
        server.execute(&trigger("AFTER", &format!("INSERT INTO {seen} VALUES (NEW.id)")));
        let dry = patient.plan();
        assert!(dry.stdout.contains("has triggers (noted)"), "{}", dry.stdout);
        patient.refused("beyond the plan, by a trigger");
        let silent = patient.apply(&["--no-triggers"]);
        match kind {
            Kind::Postgres => {
                assert_eq!(silent.code, 0, "{}", silent.stderr);
                assert_eq!(server.texts("SELECT count(*)::text FROM seen"), ["0"]);
                assert_eq!(patient.undo(&[]).code, 0);
                server.execute("DROP TRIGGER noted ON sync_run");
            }
            Kind::Mariadb | Kind::Mysql => {
                assert_eq!(silent.code, 3, "{}", silent.stderr);
                assert!(silent.stderr.contains("cannot disable triggers for a single session"), "{}", silent.stderr);
                server.execute("DROP TRIGGER noted");
            }
        }
        // The trigger changes the row itself, which the number of changed rows does not show.
        server.execute(&trigger("BEFORE", if kind == Kind::Postgres { "NEW.cost := 9" } else { "SET NEW.cost = 9" }));
        assert_eq!(patient.plan().code, 0);
        patient.refused("with other values than planned");
    }
}

/// A session that could insert the missing parent is waited for, but only for a limited time.
#[test]
fn writer_to_the_parent_is_waited_for_up_to_the_limit() {
    for kind in KINDS {
        let Some(patient) = story(kind) else { continue };
        patient.planned();
        let before = patient.dump();
        let overriding = if kind == Kind::Postgres { "OVERRIDING SYSTEM VALUE" } else { "" };
        let late = format!("INSERT INTO knowledge_base(id, name, source_type) {overriding} VALUES (22, 'late', 'x')");
        patient.server.beside(&format!("BEGIN; {late}"));
        let run = patient.apply(&["--wait", "1s"]);
        assert_eq!(run.code, 3, "{kind:?}: {}", run.stderr);
        assert!(run.stderr.contains("wait longer with --wait"), "{kind:?}: {}", run.stderr);
        assert_eq!(patient.dump(), before, "{kind:?}");
        // The parent arrives in time. The row is no orphan any more, and is left unchanged.
        std::thread::scope(|scope| {
            let apply = scope.spawn(|| patient.apply(&["--wait", "60s"]));
            patient.until_it_waits(&apply);
            patient.server.beside("COMMIT");
            let run = apply.join().unwrap();
            assert_eq!(run.code, 5, "{kind:?}: {}", run.stderr);
            assert!(run.stderr.contains("has its parent by now"), "{kind:?}: {}", run.stderr);
        });
        assert_eq!(patient.column("sync_run", "knowledge_base_id"), "1,30,22,22,23", "{kind:?}");
    }
}

/// Changes that cannot be rolled back or undone are refused before the first change.
#[test]
fn table_without_transactions_is_refused() {
    for kind in MYSQL_FAMILY {
        let history = if kind == Kind::Mariadb { "WITH SYSTEM VERSIONING" } else { "" };
        let seed = format!(
            "CREATE TABLE p(id int PRIMARY KEY); \
        CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
        CREATE TABLE e(id int PRIMARY KEY, r int) ENGINE = MyISAM; \
        CREATE TABLE h(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)) {history}; \
        INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 7); INSERT INTO e VALUES (1, 2); INSERT INTO h VALUES (1, 7)"
        );
        let Some(patient) = Patient::new(kind, &seed) else { continue };
        patient.server.bench.write("fk-doctor.toml", "[[relation]]\nchild = \"e(r)\"\nparent = \"c(id)\"\n");
        let quarantine = "action = \"quarantine\"";
        patient.undecided(quarantine, "a row of e would change, and e is stored by MyISAM, which cannot roll back");
        patient.server.bench.write("fk-doctor.toml", "");
        patient.server.execute("CREATE TABLE kept(id int PRIMARY KEY) ENGINE = MyISAM");
        patient.rules(&rule("c(r)", "action = \"quarantine\"\ntable = \"kept\""));
        let refused = patient.plan();
        let text = super::common::in_one_line(&refused.stdout);
        assert!(
            refused.code == 5 && text.contains("the rows cannot be kept in kept: it is stored by MyISAM"),
            "{text}"
        );
        patient.server.execute("DROP TABLE kept");
        if kind == Kind::Mariadb {
            patient.rules(&rule("h(r)", "action = \"set-null\""));
            let text = super::common::in_one_line(&patient.plan().stdout);
            assert!(text.contains("set-null: h keeps the history of its rows, which cannot be undone"), "{text}");
        }
        patient.rules(&rule("*", "action = \"placeholder\""));
        patient.repair();
    }
}

/// Zero dates, the largest number, invisible and generated columns, bits, geometries and other character sets.
#[test]
fn undo_restores_values_of_every_type() {
    for (kind, uuid) in [(Kind::Mariadb, "uuid"), (Kind::Mysql, "varchar(40)")] {
        let seed = format!(
            "SET sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE p(id bigint unsigned PRIMARY KEY); \
        CREATE TABLE c(id varchar(9) CHARACTER SET latin1 PRIMARY KEY, r bigint unsigned, f float, d double, n decimal(40, 5), \
            day date, at datetime(6), t time(3), ts timestamp(6) NULL, y year, b bit(64), bi binary(4), bl blob, e enum('a', 'b'), \
            st set('x', 'y'), j json, g geometry, secret int DEFAULT 5 INVISIBLE, twice int AS (y * 2) STORED, u {uuid}, \
            stamp timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(), \
            FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO p VALUES (1), (18446744073709551614); \
        INSERT INTO c(id, r, f, d, n, day, at, t, ts, y, b, bi, bl, e, st, j, g, secret, u) VALUES \
            ('é', 18446744073709551615, 0.1, 0.1, 12345678901234567890123456789012345.12345, '0000-00-00', '2024-02-31 10:00:00.5', \
             '-838:59:59', '2024-03-31 02:30:00.000001', 2024, b'1000000000000000000000000000000000000000000000000000000000000001', \
             x'00ff', x'0001', 'b', 'x,y', '{{\"a\": 1}}', ST_GeomFromText('POINT(1 2)', 4326), 42, uuid()), \
            ('z', 18446744073709551613, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
        );
        let Some(patient) = Patient::new(kind, &seed) else { continue };
        patient.treated("action = \"quarantine\"", || assert_eq!(patient.server.texts("SELECT id FROM c"), [""; 0]));
        patient.server.execute("UPDATE c SET at = NULL");
        patient.treated("action = \"remap\"\nto = \"SELECT max(id) FROM p\"", || {
            assert_eq!(patient.column("c", "r"), "18446744073709551614,18446744073709551614");
        });
        patient.treated("action = \"placeholder\"", || {
            assert_eq!(patient.server.texts("SELECT CAST(count(*) AS CHAR) FROM p"), ["4"]);
        });
    }
}

/// Without a compatible knowledge base, 22 gets a placeholder. The owner of the tables can apply that, but not undo it.
#[test]
fn owner_repairs_and_learns_the_privileges_for_undo() {
    let Some(patient) = story(Kind::Postgres) else { return };
    let server: &Server = &patient.server;
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
    let healed = patient.dump();
    let undone = server.run(&["undo", &url, "plan.ndjson"]);
    assert_eq!(undone.code, 3, "{}", undone.stderr);
    assert!(
        undone
            .stderr
            .contains("only a superuser, or a role that may SET session_replication_role, can restore orphans"),
        "{}",
        undone.stderr
    );
    assert_eq!(patient.dump(), healed);
    let by_superuser = server.run(&["undo", &server.url(), "plan.ndjson"]);
    assert_eq!(by_superuser.code, 0, "{}", by_superuser.stderr);
    server.execute(&format!("REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// A plan needs two connections on one snapshot. Only a user with the privilege PROCESS can see if they share one.
#[test]
fn mysql_reports_whether_sessions_share_one_snapshot() {
    let Some(patient) = story(Kind::Mysql) else { return };
    let server = &patient.server;
    let user = format!("{}_u", server.name);
    server.execute(&format!("CREATE USER {user}; GRANT ALL ON {}.* TO {user}", server.name));
    let plan = || server.run(&["repair", &server.url_as(&user), "--rules", "r.toml", "-o", "plan", "--overwrite"]);
    let refused = plan();
    assert_eq!(refused.code, 3, "{}", refused.stdout);
    assert!(refused.stderr.contains("GRANT PROCESS"), "{}", refused.stderr);
    server.execute(&format!("GRANT PROCESS ON *.* TO {user}"));
    let planned = plan();
    assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{}", planned.stdout);
    for command in ["apply", "undo"] {
        let run = server.run(&[command, &server.url_as(&user), "plan"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    }
    server.execute(&format!("DROP USER {user}"));
}

/// A script identifies each row by all its values, and deletes it without its dependants.
#[test]
fn script_deletes_the_rows_of_the_plan() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int, j json, g geometry, b bit(64), \
            FOREIGN KEY (r) REFERENCES p(id) ON DELETE CASCADE); \
        CREATE TABLE d(id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES c(id) ON DELETE CASCADE); \
        INSERT INTO p VALUES (1); INSERT INTO d VALUES (1, 1), (2, 2), (3, 2); \
        INSERT INTO c VALUES (1, 1, '{\"a\": 1}', NULL, 1), (2, 7, '{\"b\": [1, \"x\"]}', ST_GeomFromText('POINT(1 2)'), ~0), \
            (3, 8, NULL, NULL, NULL)";
    for kind in MYSQL_FAMILY {
        let (Some(patient), Some(other)) = (Patient::new(kind, seed), Patient::new(kind, seed)) else { continue };
        patient.rules(&rule("c(r)", "action = \"quarantine\""));
        patient.planned();
        let url = patient.server.url();
        let script = patient.server.run(&["repair", &url, "--rules", "r.toml", "--format", "sql"]).stdout;
        assert_eq!(patient.apply(&[]).code, 0);
        other.server.execute(&script);
        assert_eq!(other.dump(), patient.dump(), "{kind:?}\n{script}");
        assert_eq!(other.column("d", "id"), "1", "{script}");
        assert_eq!(other.server.texts("SELECT CAST(@@SESSION.foreign_key_checks + 0 AS CHAR)"), ["1"]);
    }
}

/// The role may not create tables. The record is the journal beside the plan, and reports the plan's progress.
#[test]
fn mariadb_role_without_create_table_repairs_with_a_journal() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO p VALUES (1); SET SESSION foreign_key_checks = 0; INSERT INTO c VALUES (1, 1), (2, 7);";
    let Some(server) = Server::mariadb(seed) else { return };
    let user = format!("{}_writer", server.name);
    server.execute(&format!(
        "CREATE USER {user}@'127.0.0.1'; \
         GRANT SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES ON {}.* TO {user}@'127.0.0.1'",
        server.name
    ));
    let url = server.url_as(&user);
    server.bench.write(
        "r.toml",
        "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"c(r)\"\nlimits.max-share = 1.0\n[[treat]]\naction = \"set-null\"\n",
    );
    let done = |arguments: &[&str]| {
        let run = server.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
        run.stdout
    };
    done(&["repair", &url, "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert!(done(&["apply", &url, "plan.ndjson"]).contains("plan.ndjson.begun"));
    assert_eq!(server.texts("SELECT CAST(count(r) AS CHAR) FROM c"), ["1"]);
    assert!(done(&["status", "plan.ndjson", &url]).starts_with("plan.ndjson is applied to"));
    done(&["undo", &url, "plan.ndjson"]);
    assert_eq!(server.texts("SELECT CAST(sum(r) AS CHAR) FROM c"), ["8"]);
    assert!(done(&["status", "plan.ndjson", &url]).starts_with("plan.ndjson was taken back from"));
    server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
}

/// Rows of a table without a key cannot be identified, so they are counted. Undo leaves no orphan that it had not
/// found.
#[test]
fn undo_leaves_no_new_orphan_in_table_without_key() {
    let tables = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int, r int); INSERT INTO p VALUES (1); \
        INSERT INTO c VALUES (1, 1), (2, 7);";
    let postgres = format!("{tables} ALTER TABLE c ADD FOREIGN KEY (r) REFERENCES p(id) NOT VALID;");
    let mariadb =
        format!("{tables} SET SESSION foreign_key_checks = 0; ALTER TABLE c ADD FOREIGN KEY (r) REFERENCES p(id);");
    for server in [Server::postgres(&postgres), Server::mariadb(&mariadb)].into_iter().flatten() {
        let url = server.url();
        server.bench.write(
            "r.toml",
            "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"c(r)\"\n[[treat]]\naction = \"placeholder\"\n",
        );
        for arguments in
            [&["repair", &url, "--rules", "r.toml", "-o", "plan.ndjson"][..], &["apply", &url, "plan.ndjson"]]
        {
            let run = server.run(arguments);
            assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.stdout, run.stderr);
        }
        server.execute("INSERT INTO c VALUES (3, 7)");
        let refused = server.run(&["undo", &url, "plan.ndjson"]);
        assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
        server.execute("DELETE FROM c WHERE id = 3");
        let undone = server.run(&["undo", &url, "plan.ndjson"]);
        assert_eq!(undone.code, 0, "{}{}", undone.stdout, undone.stderr);
        assert_eq!(orphans(&server.scan().1), [("c(r)->p(id)", 1)]);
    }
}
