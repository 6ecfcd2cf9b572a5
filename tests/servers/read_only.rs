//! A read-only database is not written to, unless a flag says so.

use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::rule;

const SEED: &str = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
    INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 7)";

/// The command is refused at this address, and succeeds with the flag.
fn refused_and_overridden(patient: &Patient, url: &str, why: &str) {
    let kind = patient.kind;
    let run = |command: &str, options: &[&str]| patient.server.run(&[&[command, url, "plan.ndjson"], options].concat());
    for command in ["apply", "undo"] {
        let before = patient.dump();
        let refused = run(command, &[]);
        assert_eq!(refused.code, 5, "{kind:?}, {command}: {}{}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains(why), "{kind:?}, {command}: {}", refused.stderr);
        assert!(refused.stderr.contains("--override-read-only"), "{kind:?}, {command}: {}", refused.stderr);
        assert_eq!(patient.dump(), before, "{kind:?}, {command}");
        let done = run(command, &["--override-read-only"]);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{kind:?}, {command}: {}", done.stdout);
        assert_ne!(patient.dump(), before, "{kind:?}, {command}");
    }
}

#[test]
fn postgres_read_only_database_is_not_written() {
    let Some(patient) = Patient::new(Kind::Postgres, SEED) else { return };
    patient.rules(&rule("c(r)", "action = \"quarantine\""));
    patient.planned();
    let name = &patient.server.name;
    patient.server.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    refused_and_overridden(&patient, &patient.server.url(), "default_transaction_read_only is on, set by the database");
}

/// A setting in the URL applies to this connection only.
#[test]
fn postgres_url_option_overrides_read_only_default() {
    let Some(patient) = Patient::new(Kind::Postgres, SEED) else { return };
    patient.rules(&rule("c(r)", "action = \"set-null\""));
    patient.planned();
    let url =
        |setting: &str| format!("{}?options=-c%20default_transaction_read_only%3D{setting}", patient.server.url());
    let before = patient.dump();
    let refused = patient.server.run(&["apply", &url("on"), "plan.ndjson"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("set by the URL or PGOPTIONS"), "{}", refused.stderr);
    assert_eq!(patient.dump(), before);
    let name = &patient.server.name;
    patient.server.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let done = patient.server.run(&["apply", &url("off"), "plan.ndjson"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);
}

/// All tests share the server, so only the sessions of one user are read-only.
#[test]
fn mysql_read_only_session_is_not_written() {
    for kind in MYSQL_FAMILY {
        let Some(patient) = Patient::new(kind, SEED) else { continue };
        let (server, user) = (&patient.server, format!("{}_r", patient.server.name));
        let setting = if kind == Kind::Mysql { "transaction_read_only" } else { "tx_read_only" };
        server.execute(&format!(
            "CREATE USER {user}@'127.0.0.1'; GRANT ALL ON {}.* TO {user}@'127.0.0.1'; \
             SET GLOBAL init_connect = 'SET SESSION {setting} = IF(current_user() LIKE \"{user}@%\", 1, 0)'",
            server.name
        ));
        patient.let_plan(&format!("{user}@'127.0.0.1'"));
        patient.rules(&rule("c(r)", "action = \"quarantine\""));
        let url = server.url_as(&user);
        let planned = server.run(&["repair", &url, "--rules", "r.toml", "-o", "plan.ndjson"]);
        assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{kind:?}: {}", planned.stdout);
        refused_and_overridden(&patient, &url, &format!("{setting} is ON"));
        server.execute(&format!("SET GLOBAL init_connect = ''; DROP USER {user}@'127.0.0.1'"));
    }
}
