//! Ways to connect to a server, and the messages of a failure: the reason and the next step, never a password.

use std::os::unix::fs::PermissionsExt;

use super::common::Run;
use super::server::Server;

fn scan_with(server: &Server, url: &str, environment: &[(&str, &str)]) -> Run {
    server.bench.run_in(&["scan", url], environment)
}

/// Returns an error with the whole output if the scan failed.
fn scan_result(run: &Run) -> Result<(), String> {
    match run.code {
        0 => Ok(()),
        3 => Err(run.stderr.clone()),
        other => panic!("{other}: {}{}", run.stdout, run.stderr),
    }
}

fn port(server: &Server) -> &str {
    server.address.rsplit(':').next().unwrap()
}

#[test]
fn postgres_tls_options_follow_libpq() {
    let Some(server) = Server::postgres("CREATE TABLE t(id int)") else { return };
    let certificate = std::env::var("FK_DOCTOR_TEST_CERTIFICATE").unwrap();
    let url = |host: &str, query: &str| format!("postgres://postgres@{host}:{}/{}?{query}", port(&server), server.name);
    let scan = |url: &str| scan_result(&scan_with(&server, url, &[]));
    for query in ["sslmode=disable", "sslmode=prefer", "sslmode=require"] {
        assert_eq!(scan(&url("127.0.0.1", query)), Ok(()));
    }
    assert_eq!(scan(&url("localhost", &format!("sslmode=verify-full&sslrootcert={certificate}"))), Ok(()));
    assert_eq!(scan(&url("127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={certificate}"))), Ok(()));
    let unknown = scan(&url("localhost", "sslmode=verify-full")).unwrap_err();
    assert!(unknown.contains("certificate") && unknown.contains("?sslrootcert=FILE"), "{unknown}");
    let other = scan(&url("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={certificate}"))).unwrap_err();
    assert!(other.contains("certificate"), "{other}");
    for (query, help) in [
        ("sslmode=verify_full", "it can be disable, prefer, require, verify-ca, verify-full"),
        ("sslmod=require", "did you mean sslmode?"),
        ("connect_timeout=soon", "give whole seconds"),
    ] {
        let told = scan(&url("127.0.0.1", query)).unwrap_err();
        assert!(told.contains(help), "{told}");
    }
    let run = scan_with(&server, &url("127.0.0.1", ""), &[("PGSSLMODE", "verify_full")]);
    assert!(run.stderr.contains("sslmode is verify_full"), "{}", run.stderr);
}

#[test]
fn mariadb_tls_options_follow_its_client() {
    for server in Server::mysql_family("CREATE TABLE t(id int)") {
        let certificate = std::env::var("FK_DOCTOR_TEST_CERTIFICATE").unwrap();
        let url = |scheme: &str, host: &str, query: &str| {
            format!("{scheme}://root@{host}:{}/{}?{query}", port(&server), server.name)
        };
        let scan = |url: &str| scan_result(&scan_with(&server, url, &[]));
        for query in ["ssl-mode=DISABLED", "ssl-mode=PREFERRED", "ssl-mode=REQUIRED"] {
            assert_eq!(scan(&url("mariadb", "127.0.0.1", query)), Ok(()));
        }
        let verified = format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={certificate}");
        assert_eq!(scan(&url("mysql", "localhost", &verified)), Ok(()));
        assert!(scan(&url("mysql", "127.0.0.1", &verified)).unwrap_err().contains("certificate"));
        let unknown = scan(&url("mysql", "localhost", "ssl-mode=VERIFY_CA")).unwrap_err();
        assert!(unknown.contains("certificate") && unknown.contains("?ssl-ca=FILE"), "{unknown}");
        assert!(scan(&url("mysql", "localhost", "sll-mode=REQUIRED")).unwrap_err().contains("did you mean ssl-mode?"));
    }
}

#[test]
fn postgres_environment_variables_are_used() {
    let Some(server) = Server::postgres("CREATE TABLE t(id int)") else { return };
    let everything =
        [("PGHOST", "127.0.0.1"), ("PGPORT", port(&server)), ("PGDATABASE", &server.name), ("PGUSER", "postgres")];
    assert_eq!(scan_result(&scan_with(&server, "postgres://", &everything)), Ok(()));
}

#[test]
fn postgres_password_is_found_and_never_printed() {
    let Some(server) = Server::postgres("CREATE TABLE t(id int)") else { return };
    // This user needs a password, because `tests/run` says so in pg_hba.conf.
    let created = server.attempt("CREATE ROLE knows_a_password LOGIN PASSWORD 'open:sesame'");
    assert!(created.is_ok() || created.unwrap_err().to_string().contains("already exists"));
    let url = server.url_as("knows_a_password");
    let file = server.bench.path("passwords");
    let line = format!("127.0.0.1:{}:*:knows_a_password:open\\:sesame\n", port(&server));
    std::fs::write(&file, line).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(scan_result(&scan_with(&server, &url, &[("PGPASSFILE", file.to_str().unwrap())])), Ok(()));
    assert_eq!(scan_result(&scan_with(&server, &url, &[("PGPASSWORD", "open:sesame")])), Ok(()));
    assert_eq!(scan_result(&scan_with(&server, &server.url_as("knows_a_password:open:sesame"), &[])), Ok(()));
    let wrong = scan_result(&scan_with(&server, &server.url_as("knows_a_password:hunter2"), &[])).unwrap_err();
    assert!(wrong.contains("password authentication failed") && wrong.contains("~/.pgpass"), "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
    let none = scan_result(&scan_with(&server, &url, &[])).unwrap_err();
    assert!(none.contains("PGPASSWORD"), "{none}");
}

#[test]
fn mariadb_password_is_found_and_never_printed() {
    for server in Server::mysql_family("CREATE TABLE t(id int)") {
        let user = &server.name;
        server.execute(&format!(
            "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'open sesame'; GRANT SELECT ON {user}.* TO {user}@'127.0.0.1'"
        ));
        assert_eq!(scan_result(&scan_with(&server, &server.url_as(user), &[("MYSQL_PWD", "open sesame")])), Ok(()));
        assert_eq!(scan_result(&scan_with(&server, &server.url_as(&format!("{user}:open%20sesame")), &[])), Ok(()));
        let wrong = scan_result(&scan_with(&server, &server.url_as(&format!("{user}:hunter2")), &[])).unwrap_err();
        assert!(wrong.contains("Access denied") && !wrong.contains("hunter2"), "{wrong}");
        server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
    }
}

#[test]
fn unreachable_server_is_named() {
    let Some(server) = Server::postgres("CREATE TABLE t(id int)") else { return };
    for (url, why) in [
        ("postgres://u:hunter2@127.0.0.1:1/d", "refused"),
        ("mysql://u:hunter2@127.0.0.1:1/d", "refused"),
        ("postgres://u:hunter2@nowhere.invalid/d", "lookup"),
        ("postgres://u:hunter2@[::1/d", "IPv6"),
    ] {
        let error = scan_result(&scan_with(&server, url, &[])).unwrap_err();
        assert!(error.contains(why) && error.contains("help:") && !error.contains("hunter2"), "{error}");
    }
    let missing = scan_result(&scan_with(&server, &format!("{}/nosuch", server.address), &[])).unwrap_err();
    assert!(missing.contains("database \"nosuch\" does not exist"), "{missing}");
    // A port on which no server listens.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://u@{}/d?connect_timeout=1", silent.local_addr().unwrap());
        let error = scan_result(&scan_with(&server, &url, &[])).unwrap_err();
        assert!(error.contains("no answer within 1 seconds"), "{error}");
    }
}

/// A small database needs no second connection.
#[test]
fn small_database_is_scanned_over_one_connection() {
    let tables = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE a(r int, FOREIGN KEY (r) REFERENCES p(id)); \
        CREATE TABLE z(r int, FOREIGN KEY (r) REFERENCES p(id)); INSERT INTO p VALUES (1); INSERT INTO a VALUES (1)";
    if let Some(server) = Server::postgres(tables) {
        let role = &server.name;
        server.execute(&format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT 1; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
        ));
        assert_eq!(scan_result(&scan_with(&server, &server.url_as(role), &[])), Ok(()));
        server.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
    for server in Server::mysql_family(tables) {
        let user = &server.name;
        server.execute(&format!(
            "CREATE USER {user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1; GRANT SELECT ON {user}.* TO {user}@'127.0.0.1'"
        ));
        assert_eq!(scan_result(&scan_with(&server, &server.url_as(user), &[])), Ok(()));
        server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
    }
}
