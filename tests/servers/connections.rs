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
        2 | 3 => Err(run.stderr.clone()),
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
    assert!(other.contains("for another host name") && other.contains("?sslmode=verify-ca"), "{other}");
    for (query, help) in [
        ("sslmode=verify_full", "it can be disable, prefer, require, verify-ca, verify-full"),
        ("sslmod=require", "did you mean sslmode?"),
        ("connect_timeout=soon", "it can be whole seconds"),
    ] {
        let run = scan_with(&server, &url("127.0.0.1", query), &[]);
        assert!(run.code == 2 && run.stderr.contains(help), "{}", run.stderr);
    }
    let run = scan_with(&server, &url("127.0.0.1", ""), &[("PGSSLMODE", "verify_full")]);
    assert!(run.code == 2 && run.stderr.contains("PGSSLMODE cannot be \"verify_full\""), "{}", run.stderr);
}

#[test]
fn first_of_several_servers_that_fits_is_used() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(r int REFERENCES p(id))";
    let Some(server) = Server::postgres(seed) else { return };
    let name = &server.name;
    // No server listens on port 1.
    let url = |query: &str| format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{}/{name}?{query}", port(&server));
    for query in
        ["", "target_session_attrs=primary", "target_session_attrs=read-write", "target_session_attrs=prefer-standby"]
    {
        let run = scan_with(&server, &url(query), &[]);
        assert_eq!(run.code, 0, "{query}: {}", run.stderr);
        let note = format!("of the servers in the address, 127.0.0.1:{} is used", port(&server));
        assert!(run.stderr.contains(&note), "{query}: {}", run.stderr);
    }
    let run = scan_with(&server, &url("target_session_attrs=standby"), &[]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    let shown = super::common::in_one_line(&run.stderr);
    assert!(shown.contains("connect to any of the 2 servers in the address"), "{shown}");
    assert!(shown.contains("127.0.0.1:1: the connection was refused"), "{shown}");
    let standby = format!("127.0.0.1:{}: it is a primary, and target_session_attrs is standby", port(&server));
    assert!(shown.contains(&standby), "{shown}");
    // A refused login is the same on every server, and more tries could lock the user out.
    let unknown = format!("postgres://postgres@127.0.0.1:{0},127.0.0.1:1/no-such-database", port(&server));
    let run = scan_with(&server, &unknown, &[]);
    assert!(run.code == 3 && run.stderr.contains("no-such-database"), "{}", run.stderr);
    assert!(!run.stderr.contains("127.0.0.1:1:"), "{}", run.stderr);
}

/// A standby has the same rows as its primary. The number of orphans is the same, so that only the note names the server.
#[test]
fn standby_is_chosen_by_target_session_attrs() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(r int REFERENCES p(id)); \
        SET session_replication_role = replica; INSERT INTO c VALUES (7); SET session_replication_role = origin";
    let Some((primary, standby)) = Server::with_standby(seed) else { return };
    let standby_port = standby.rsplit(':').next().unwrap();
    let ports = [port(&primary), standby_port];
    let scan = |ports: &[&str], wanted: &str| {
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let hosts = hosts.join(",");
        let url = format!("postgres://postgres@{hosts}/{}?target_session_attrs={wanted}", primary.name);
        scan_with(&primary, &url, &[])
    };
    let expect = |wanted: &str, expected: [usize; 2]| {
        for (order, expected) in [[ports[0], ports[1]], [ports[1], ports[0]]].iter().zip(expected) {
            let run = scan(order, wanted);
            let note = format!("of the servers in the address, 127.0.0.1:{} is used", ports[expected]);
            assert!(run.stderr.contains(&note), "{wanted} of {order:?}: {}", run.stderr);
            assert_eq!(run.code, 1, "{wanted} of {order:?}: {}{}", run.stdout, run.stderr);
            assert!(run.stdout.contains("1 orphan row in 1 of 1 relation"), "{}", run.stdout);
        }
    };
    primary.wait_for(&standby);
    expect("any", [0, 1]);
    expect("primary", [0, 0]);
    expect("prefer-primary", [0, 0]);
    expect("read-write", [0, 0]);
    expect("standby", [1, 1]);
    expect("prefer-standby", [1, 1]);
    expect("read-only", [1, 1]);
    for (alone, wanted, why) in [
        (standby_port, "primary", "it is a standby, and target_session_attrs is primary"),
        (standby_port, "read-write", "it is a standby, and target_session_attrs is read-write"),
        (port(&primary), "standby", "it is a primary, and target_session_attrs is standby"),
        (port(&primary), "read-only", "its transactions can write, and target_session_attrs is read-only"),
    ] {
        let run = scan(&[alone], wanted);
        let shown = super::common::in_one_line(&run.stderr);
        assert!(run.code == 3 && shown.contains(why), "{wanted}: {} {shown}", run.code);
        let both = scan(&[alone, alone], wanted);
        let shown = super::common::in_one_line(&both.stderr);
        let why = format!("127.0.0.1:{alone}: {why}");
        assert!(both.code == 3 && shown.contains(&why), "{wanted}: {} {shown}", both.code);
    }
    // A primary whose sessions cannot write is read-only, and is no standby.
    primary.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", primary.name));
    primary.wait_for(&standby);
    expect("read-only", [0, 1]);
    expect("primary", [0, 0]);
    expect("standby", [1, 1]);
    let run = scan(&ports, "read-write");
    let shown = super::common::in_one_line(&run.stderr);
    let why = format!("127.0.0.1:{}: its transactions are read-only, and target_session_attrs is read-write", ports[0]);
    assert!(run.code == 3 && shown.contains(&why), "{} {shown}", run.code);
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
    let somewhere = [("PGHOST", "127.0.0.1"), ("PGPORT", port(&server))];
    for address in [
        format!("postgres://postgres@/{}", server.name),
        format!("dbname={} user=postgres", server.name),
        format!("postgresql+psycopg2://postgres@/{}?schema=public&application_name=ci", server.name),
        format!("postgres://postgres@/{}?pgbouncer=true&connection_limit=1&options=-c%20work_mem=8MB", server.name),
        format!("postgres://postgres@/{}?connection_limit=2", server.name),
        format!("jdbc:postgresql:{}?user=postgres", server.name),
    ] {
        assert_eq!(scan_result(&scan_with(&server, &address, &somewhere)), Ok(()), "{address}");
    }
    server.bench.write("pg.env", &format!("PGHOST=127.0.0.1\nPGPORT={}\nPGUSER=postgres\n", port(&server)));
    let run = server.run(&["scan", &format!("postgres:///{}", server.name), "--env-file", "pg.env"]);
    assert_eq!(scan_result(&run), Ok(()));
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
    let without_user = url.replace("knows_a_password@", "");
    let in_service = format!(
        "[prod]\nport={}\nhost=127.0.0.1\ndbname={}\nuser=knows_a_password\npassword=open:sesame\n",
        port(&server),
        server.name
    );
    server.bench.write("services", &in_service);
    let services = server.bench.path("services").display().to_string();
    for (address, note) in [("postgres://", true), ("service=prod", false), (without_user.as_str(), true)] {
        let variables = [("PGSERVICEFILE", services.as_str()), ("PGSERVICE", "prod")];
        let run = scan_with(&server, address, &variables);
        assert_eq!(
            (run.code, run.stderr.starts_with("note: PGSERVICE=prod is host=127.0.0.1, ")),
            (0, note),
            "{}",
            run.stderr
        );
        // The same as psql finds.
        let psql = server.bench.run_program(
            "psql",
            &["-XAtc", "SELECT current_user", if address == "postgres://" { "" } else { address }],
            &variables,
        );
        assert_eq!((psql.code, psql.stdout.as_str()), (0, "knows_a_password\n"), "{address}: {}", psql.stderr);
    }
    let wrong = scan_result(&scan_with(&server, &server.url_as("knows_a_password:hunter2"), &[])).unwrap_err();
    assert!(wrong.contains("password authentication failed") && wrong.contains("~/.pgpass"), "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
    let none = scan_result(&scan_with(&server, &url, &[])).unwrap_err();
    assert!(none.contains("no password was given in the URL, in PGPASSWORD or in ~/.pgpass"), "{none}");
    let place = format!(
        "could not connect to 127.0.0.1:{} (PostgreSQL, database {}, user knows_a_password)",
        port(&server),
        server.name
    );
    assert!(none.contains(&place), "{none}");
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
        let options = format!(
            "[client]\nhost=127.0.0.1\nport={}\nuser={user}\npassword=\"open sesame\"\ndatabase={user}\n",
            port(&server)
        );
        server.bench.write(".my.cnf", &options);
        let home = server.bench.path("").display().to_string();
        assert_eq!(scan_result(&scan_with(&server, "mysql://", &[("HOME", &home)])), Ok(()));
        server.bench.write("other.cnf", &options);
        let run = server.run(&["scan", "mysql://", "--defaults-file", "other.cnf"]);
        assert_eq!(scan_result(&run), Ok(()));
        let wrong = scan_result(&scan_with(&server, &server.url_as(&format!("{user}:hunter2")), &[])).unwrap_err();
        assert!(
            wrong.contains("~/.my.cnf, and try it: m") && wrong.contains("Access denied") && !wrong.contains("hunter2"),
            "{wrong}"
        );
        server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
    }
}

#[test]
fn unreachable_server_is_named() {
    let Some(server) = Server::postgres("CREATE TABLE t(id int)") else { return };
    for (url, why) in [
        ("postgres://u:hunter2@127.0.0.1:1/d", "refused"),
        ("mysql://u:hunter2@127.0.0.1:1/d", "refused"),
        ("postgres://u:hunter2@nowhere.invalid/d", "no host with the name nowhere.invalid was found"),
    ] {
        let error = scan_result(&scan_with(&server, url, &[])).unwrap_err();
        assert!(error.contains(why) && error.contains("help:") && !error.contains("hunter2"), "{error}");
    }
    let missing = scan_result(&scan_with(&server, &format!("{}/nosuch", server.address), &[])).unwrap_err();
    assert!(missing.contains("database \"nosuch\" does not exist"), "{missing}");
    assert!(missing.contains("help: psql -h 127.0.0.1 -p ") && missing.ends_with(" -U postgres -l\n"), "{missing}");
    // A port on which no server listens.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://u@{}/d?connect_timeout=1", silent.local_addr().unwrap());
        let error = scan_result(&scan_with(&server, &url, &[])).unwrap_err();
        assert!(error.contains("there was no answer within 1 second: "), "{error}");
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
        // Prisma's parameter limits a scan that would use several connections.
        let limited = format!("{}?connection_limit=1", server.url_as(role));
        assert_eq!(scan_result(&server.run(&["scan", &limited, "--jobs", "4"])), Ok(()));
        assert!(scan_result(&server.run(&["scan", &server.url_as(role), "--jobs", "4"])).is_err());
        server.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
    for server in Server::mysql_family(tables) {
        let user = &server.name;
        server.execute(&format!(
            "CREATE USER {user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1; GRANT SELECT ON {user}.* TO {user}@'127.0.0.1'"
        ));
        assert_eq!(scan_result(&scan_with(&server, &server.url_as(user), &[])), Ok(()));
        let limited = format!("{}?connection_limit=1", server.url_as(user));
        assert_eq!(scan_result(&server.run(&["scan", &limited, "--jobs", "4"])), Ok(()));
        assert!(scan_result(&server.run(&["scan", &server.url_as(user), "--jobs", "4"])).is_err());
        server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
    }
}

/// Parameters of drivers for MySQL are understood.
#[test]
fn mysql_addresses_of_libraries_are_understood() {
    for server in Server::mysql_family("CREATE TABLE t(id int)") {
        let at = format!("127.0.0.1:{}/{}", port(&server), server.name);
        for address in [
            format!("mysql+pymysql://root@{at}?charset=utf8mb4"),
            format!("mysql2://root@{at}?encoding=utf8mb4&pool=2"),
            format!("jdbc:mysql://{at}?user=root&useSSL=false&connectTimeout=5000"),
            format!("jdbc:mariadb://{at}?user=root&sslMode=trust"),
            format!("mysql://root@{at}?connection_limit=1"),
        ] {
            assert_eq!(scan_result(&scan_with(&server, &address, &[])), Ok(()), "{address}");
        }
        let missing = scan_result(&scan_with(&server, &format!("{}/nosuch", server.address), &[])).unwrap_err();
        let other = scan_result(&scan_with(&server, &format!("postgres://u:hunter2@{at}"), &[])).unwrap_err();
        assert!(other.contains("another program may listen there"), "{other}");
        assert!(missing.contains("Unknown database 'nosuch'") && missing.contains("-e 'SHOW DATABASES'"), "{missing}");
        let none = scan_with(&server, &server.address, &[]);
        assert!(none.code == 2 && none.stderr.starts_with("error: the address names no database\n"), "{}", none.stderr);
    }
}
