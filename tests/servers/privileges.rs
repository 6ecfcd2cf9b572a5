//! One user may make a plan and another apply it. The privilege to see definitions does not affect a plan.

use super::common::in_one_line;
use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::rule;

const SEED: &str = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE q(a int, b int, PRIMARY KEY (a, b)); \
    CREATE TABLE c(id int PRIMARY KEY, r int, a int, b int, n int, FOREIGN KEY (r) REFERENCES p(id) ON DELETE SET NULL ON UPDATE CASCADE, \
        CONSTRAINT `by two` FOREIGN KEY (a, b) REFERENCES q(a, b) ON DELETE NO ACTION, FOREIGN KEY (n) REFERENCES p(id), \
        FOREIGN KEY (r) REFERENCES p(id) ON DELETE RESTRICT); \
    INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, NULL, NULL, NULL), (2, 7, 1, 1, 1)";

/// Creates a user with only these privileges, and returns the user's name.
fn user(patient: &Patient, name: &str, privileges: &str) -> String {
    let (server, user) = (&patient.server, format!("{}_{name}", patient.server.name));
    server.execute(&format!(
        "CREATE USER {user}@'127.0.0.1'; GRANT {privileges} ON {}.* TO {user}@'127.0.0.1'",
        server.name
    ));
    patient.let_plan(&format!("{user}@'127.0.0.1'"));
    user
}

#[test]
fn plan_made_by_a_reader_is_applied_by_the_owner() {
    for kind in MYSQL_FAMILY {
        let Some(patient) = Patient::new(kind, SEED) else { continue };
        let server = &patient.server;
        let reader = user(&patient, "r", "SELECT, CREATE TEMPORARY TABLES");
        patient.rules(&rule("c(*)", "action = \"quarantine\""));
        let before = patient.dump();
        let plan = ["--rules", "r.toml", "-o", "plan.ndjson"];
        let planned = server.run(&[&["repair", &server.url_as(&reader)][..], &plan].concat());
        assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{kind:?}: {}", planned.stdout);
        assert!(planned.stdout.contains("cannot see triggers"), "{kind:?}: {}", planned.stdout);
        let applied = patient.apply(&[]);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{kind:?}: {}", applied.stdout);
        assert_eq!(patient.orphans(), 0, "{kind:?}");
        let undone = patient.undo(&[]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{kind:?}: {}", undone.stdout);
        assert_eq!(patient.dump(), before, "{kind:?}");
        server.execute(&format!("DROP USER {reader}@'127.0.0.1'"));
    }
}

/// Few users may see the text of a trigger. The plan says so.
#[test]
fn plan_warns_of_a_hidden_trigger() {
    for kind in MYSQL_FAMILY {
        let Some(patient) = Patient::new(kind, SEED) else { continue };
        let server = &patient.server;
        server.execute("CREATE TRIGGER t BEFORE UPDATE ON c FOR EACH ROW SET NEW.id = NEW.id");
        patient.rules(&rule("c(*)", "action = \"set-null\""));
        let writer = user(&patient, "w", "SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES");
        let of_database = user(&patient, "d", "SELECT, TRIGGER, CREATE TEMPORARY TABLES");
        let of_tables = user(&patient, "t", "SELECT, INSERT, CREATE TEMPORARY TABLES");
        for table in ["p", "q", "c"] {
            server.execute(&format!("GRANT TRIGGER ON {}.{table} TO {of_tables}@'127.0.0.1'", server.name));
        }
        let says_hidden = |url: &str| {
            let run = server.run(&["repair", url, "--rules", "r.toml"]);
            assert_eq!(run.stderr, "", "{kind:?} {url}");
            in_one_line(&run.stdout).contains("cannot see triggers")
        };
        assert!(says_hidden(&server.url_as(&writer)), "{kind:?}");
        assert!(!says_hidden(&server.url()), "{kind:?}");
        for user in [&of_database, &of_tables] {
            assert!(!says_hidden(&server.url_as(user)), "{kind:?} {user}");
        }
        for user in [writer, of_database, of_tables] {
            server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
        }
    }
}

/// A hidden trigger could change a new row on its way. MySQL hides even that there is a trigger.
#[test]
fn new_rows_go_straight_into_their_table_if_triggers_are_seen_on_mysql() {
    let Some(patient) = Patient::new(Kind::Mysql, SEED) else { return };
    let server = &patient.server;
    let writer = user(&patient, "w", "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, CREATE TEMPORARY TABLES");
    let seer = user(&patient, "s", "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, CREATE TEMPORARY TABLES, TRIGGER");
    let digests = "performance_schema.events_statements_summary_by_digest";
    // A full table counts no further statement.
    server.execute(&format!("TRUNCATE {digests}"));
    let inserts = |form: &str| {
        let ours =
            format!("schema_name = database() AND digest_text LIKE '%INSERT INTO `fk_doctor_quarantine` (%) {form} %'");
        let count = format!("SELECT CAST(coalesce(sum(count_star), 0) AS char(20)) FROM {digests} WHERE {ours}");
        server.texts(&count)[0].parse::<u64>().unwrap()
    };
    patient.rules(&rule("c(*)", "action = \"quarantine\""));
    patient.planned();
    // MySQL does not list what a role grants.
    let of_role = user(&patient, "o", "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, CREATE TEMPORARY TABLES");
    let role = format!("{}_role", server.name);
    server.execute(&format!(
        "CREATE ROLE {role}; GRANT TRIGGER ON {}.* TO {role}; GRANT {role} TO {of_role}@'127.0.0.1'; \
         SET DEFAULT ROLE {role} TO {of_role}@'127.0.0.1'",
        server.name
    ));
    let run = server.run(&["repair", &server.url_as(&of_role), "--rules", "r.toml"]);
    assert_eq!(run.stderr, "");
    assert!(!in_one_line(&run.stdout).contains("cannot see triggers"), "{}", run.stdout);
    // A privilege for everything may have exceptions.
    let with_exceptions = user(&patient, "e", "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, CREATE TEMPORARY TABLES");
    server.execute(&format!(
        "GRANT TRIGGER ON *.* TO {with_exceptions}@'127.0.0.1'; SET GLOBAL partial_revokes = ON; \
         REVOKE TRIGGER ON {}.* FROM {with_exceptions}@'127.0.0.1'",
        server.name
    ));
    let check = |user: &str, sees_triggers: bool| {
        let start = [inserts("VALUES"), inserts("SELECT")];
        for command in ["apply", "undo"] {
            let run = server.run(&[command, &server.url_as(user), "plan.ndjson"]);
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{user} {command}: {}", run.stdout);
        }
        let are_used = [inserts("VALUES") > start[0], inserts("SELECT") > start[1]];
        assert_eq!(are_used, [sees_triggers, !sees_triggers], "{user}");
        server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
    };
    for user in [&writer, &with_exceptions, &of_role] {
        check(user, false);
    }
    server.execute("SET GLOBAL partial_revokes = OFF");
    check(&seer, true);
    server.execute(&format!("DROP ROLE {role}"));
}

/// MySQL hides that there is a trigger, and MariaDB only what it does.
#[test]
fn hidden_trigger_that_changes_new_rows_is_noticed_by_undo() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
                CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(9), FOREIGN KEY (r) REFERENCES p(id)); \
                INSERT INTO c VALUES (1, 7, 'a')";
    for kind in MYSQL_FAMILY {
        let Some(patient) = Patient::new(kind, seed) else { continue };
        let server = &patient.server;
        let writer = user(&patient, "w", "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, CREATE TEMPORARY TABLES");
        patient.rules(&rule("c(*)", "action = \"quarantine\""));
        patient.planned();
        let applied = patient.apply(&[]);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{kind:?}: {}", applied.stdout);
        server.execute("CREATE TRIGGER t BEFORE INSERT ON c FOR EACH ROW SET NEW.note = 'x'");
        let before = patient.dump();
        let undone = server.run(&["undo", &server.url_as(&writer), "plan.ndjson"]);
        assert_eq!(undone.code, 5, "{kind:?}: {}{}", undone.stdout, undone.stderr);
        assert_eq!(patient.dump(), before, "{kind:?}");
        server.execute(&format!("DROP USER {writer}@'127.0.0.1'"));
    }
}
