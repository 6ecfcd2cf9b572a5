//! Addresses of databases as people have them: which database is scanned, and the errors of wrong addresses.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use common::Run;

const SEED: &str =
    "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p(id)); INSERT INTO c VALUES (7)";

/// Runs without the settings of the user who runs the tests.
fn run_in(bench: &Bench, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let home = bench.path("").display().to_string();
    let variables = [&[("HOME", home.as_str())], variables].concat();
    let run = bench.run_in(arguments, &variables);
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains("hunter2") && !text.contains("os error"), "{arguments:?}: {text}");
    }
    run
}

/// The scan of `app.db` or of a copy of it: one orphan.
fn assert_scanned(run: &Run, context: &str) {
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{context}: {}", run.stdout);
}

fn assert_refused(run: &Run, code: i32, expected: &str) {
    assert_eq!((run.code, run.stderr.as_str()), (code, expected), "{}", run.stdout);
}

#[test]
fn addresses_of_libraries_open_the_same_file() {
    let bench = Bench::new(SEED);
    std::fs::create_dir(bench.path("data")).unwrap();
    std::fs::copy(bench.path("app.db"), bench.path("data/my app.db")).unwrap();
    let absolute = bench.path("app.db").display().to_string();
    for address in [
        "app.db".to_owned(),
        "~/app.db".to_owned(),
        "sqlite:app.db".to_owned(),
        "sqlite:///app.db".to_owned(),
        "sqlite+aiosqlite:///app.db".to_owned(),
        "sqlite:///data/my%20app.db".to_owned(),
        "sqlite:///~/app.db".to_owned(),
        format!("sqlite:///{absolute}"),
        format!("file://{absolute}"),
        "file:./app.db".to_owned(),
        "jdbc:sqlite:app.db".to_owned(),
    ] {
        assert_scanned(&run_in(&bench, &["scan", &address], &[]), &address);
        assert_scanned(&run_in(&bench, &["scan"], &[("DATABASE_URL", &address)]), &address);
    }
    let noted = run_in(&bench, &["scan", "sqlite:///app.db?timeout=5"], &[]);
    assert_eq!(
        (noted.code, noted.stderr.as_str()),
        (1, "note: the parameter timeout of the address has no effect here\n")
    );
    assert_eq!(run_in(&bench, &["scan", "sqlite:///app.db?timeout=5", "-q"], &[]).stderr, "");
}

#[test]
fn missing_file_is_explained_with_the_file_that_was_meant() {
    let bench = Bench::empty();
    for folder in ["instance", "data", "data/old", "a", "a/b", "a/b/c"] {
        std::fs::create_dir(bench.path(folder)).unwrap();
    }
    let seed = Bench::new(SEED);
    for file in ["instance/app.db", "data/shop.sqlite", "a/b/deep.db", "a/b/c/deeper.db"] {
        std::fs::copy(seed.path("app.db"), bench.path(file)).unwrap();
    }
    bench.write("text.db", "not a database");
    let error = |arguments: &[&str]| {
        let run = run_in(&bench, arguments, &[]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        run.stderr
    };
    assert_eq!(
        error(&["scan", "sqlite:///app.db"]),
        "error: could not open app.db\n\
         because: the current folder has no such file (\"sqlite:///\" is relative, \"sqlite:////\" is absolute)\n\
         help: fk-doctor scan instance/app.db\n"
    );
    assert_eq!(
        error(&["scan", "--format", "json", "data/app.db", "--samples", "2"]),
        "error: could not open data/app.db\nbecause: the folder data has no file app.db\n\
         help: fk-doctor scan --format json instance/app.db --samples 2\n"
    );
    assert_eq!(
        error(&["scan", "data/shop.sqlit"]),
        "error: could not open data/shop.sqlit\nbecause: the folder data has no file shop.sqlit\n\
         help: fk-doctor scan data/shop.sqlite\n"
    );
    assert_eq!(
        error(&["schema", "nowhere/deep.db"]),
        "error: could not open nowhere/deep.db\nbecause: there is no folder nowhere\nhelp: fk-doctor schema a/b/deep.db\n"
    );
    let none = "help: correct the path; fk-doctor never creates a database\n";
    assert!(error(&["scan", "deeper.db"]).ends_with("help: fk-doctor scan a/b/deep.db\n"));
    assert!(error(&["scan", "unlike.db"]).ends_with(none));
    assert!(error(&["scan", "text.db/x.db"]).contains("because: text.db is a file, not a folder\n"));
    let windows = error(&["scan", "C:\\data\\unlike.db"]);
    assert!(windows.contains("because: C: is a drive of Windows, and this is another system\n"), "{windows}");
    let server = error(&["scan", "localhost:5432/shop"]);
    assert!(server.ends_with("help: if it is a server: fk-doctor scan postgres://localhost:5432/shop\n"), "{server}");
    // The absolute path was meant.
    let absolute = bench.path("instance/app.db").display().to_string();
    let relative = error(&["scan", &format!("sqlite://{absolute}")]);
    assert!(relative.ends_with(&format!("help: fk-doctor scan {absolute}\n")), "{relative}");
}

#[test]
fn missing_address_is_explained_with_the_database_that_is_here() {
    let bench = Bench::empty();
    let missing = |arguments: &[&str], help: &str| {
        let expected =
            "error: no database was given\nbecause: there is no argument, and DATABASE_URL is not set\nhelp: ";
        assert_refused(&run_in(&bench, arguments, &[]), 2, &format!("{expected}{help}\n"));
    };
    missing(&["scan"], "fk-doctor scan app.db");
    bench.write(".env", "DATABASE_URL=sqlite:///shop.db\n");
    missing(&["schema"], "fk-doctor schema --env-file .env");
    std::fs::create_dir(bench.path("var")).unwrap();
    std::fs::copy(Bench::new(SEED).path("app.db"), bench.path("var/shop.db")).unwrap();
    missing(&["scan", "--samples", "3"], "fk-doctor scan var/shop.db --samples 3");
    missing(&["rules", "suggest"], "fk-doctor rules suggest var/shop.db");
    missing(&["repair", "--rules", "my rules.toml"], "fk-doctor repair var/shop.db --rules 'my rules.toml'");
    // Which of two databases is meant?
    std::fs::copy(bench.path("var/shop.db"), bench.path("var/other.db")).unwrap();
    missing(&["scan"], "fk-doctor scan --env-file .env");
}

#[test]
fn database_without_a_command_is_recognized() {
    let bench = Bench::new(SEED);
    bench.write("plain", "text");
    for (arguments, database, help) in [
        (&["app.db"][..], "app.db", "fk-doctor scan app.db"),
        (&["nope.sqlite", "--format", "json"], "nope.sqlite", "fk-doctor scan nope.sqlite --format json"),
        (&["plain"], "plain", "fk-doctor scan plain"),
        (&["--quiet", "app.db"], "app.db", "fk-doctor --quiet scan app.db"),
        (&["postgres://u@h/d"], "postgres://u@h/d", "fk-doctor scan postgres://u@h/d"),
        (&["postgres://u:hunter2@h/d"], "postgres://u:***@h/d", "fk-doctor scan 'postgres://u:***@h/d'"),
        (&["host=h dbname=d"], "host=h dbname=d", "fk-doctor scan 'host=h dbname=d'"),
    ] {
        let expected = format!("error: \"{database}\" is a database, not a command\nhelp: {help}\n");
        assert_refused(&run_in(&bench, arguments, &[]), 2, &expected);
    }
    let misspelled = run_in(&bench, &["scna", "app.db"], &[]);
    assert!(misspelled.code == 2 && misspelled.stderr.contains("'scna'") && misspelled.stderr.contains("'scan'"));
}

#[test]
fn wrong_address_is_a_usage_error_that_names_its_origin() {
    let bench = Bench::empty();
    let url = "postgresql://app:hunter2@hunter2@db1/shop";
    let rest = "because: postgresql://app:***@***@db1/shop has two \"@\"; programs disagree where the host begins\n\
        help: write \"@\" as %40, \"/\" as %2F, \"#\" as %23, \"?\" as %3F; or set PGPASSWORD instead\n";
    let message = "error: the password in the URL has an unescaped \"@\"";
    assert_refused(&run_in(&bench, &["scan", url], &[]), 2, &format!("{message}\n{rest}"));
    let expected = format!("{message} (from DATABASE_URL)\n{rest}");
    assert_refused(&run_in(&bench, &["scan"], &[("DATABASE_URL", url)]), 2, &expected);
    bench.write("prod.env", &format!("DATABASE_URL={url}\n"));
    let expected = format!("{message} (from DATABASE_URL in prod.env)\n{rest}");
    assert_refused(&run_in(&bench, &["scan", "--env-file", "prod.env"], &[]), 2, &expected);

    let expected = "error: could not open nope.db (from DATABASE_URL)\nbecause: the current folder has no such file\n\
        help: correct the path; fk-doctor never creates a database\n";
    assert_refused(&run_in(&bench, &["scan"], &[("DATABASE_URL", "nope.db")]), 3, expected);
    let expected = "error: ~/.pg_service.conf has no service \"prod\" (named by PGSERVICE; from DATABASE_URL)\n";
    bench.write(".pg_service.conf", "[production]\nhost=127.0.0.1\nport=1\ndbname=shop\nuser=app\npassword=hunter2\n");
    let run = run_in(&bench, &["scan"], &[("DATABASE_URL", "postgres://"), ("PGSERVICE", "prod")]);
    assert!(run.code == 2 && run.stderr.starts_with(expected), "{}", run.stderr);
    for (address, code) in [
        ("mssql+pyodbc://sa:hunter2@h/d", 2),
        ("postgres://h/d?sslmod=require", 2),
        ("postgres://h/d?connect_timeout=soon", 2),
        ("mysql://h", 2),
        ("sqlite://", 2),
    ] {
        assert_eq!(run_in(&bench, &["scan", address], &[]).code, code, "{address}");
    }
}

#[test]
fn refused_connection_names_server_database_and_user() {
    let bench = Bench::empty();
    for (address, expected) in [
        (
            "postgres://app:hunter2@127.0.0.1:1/shop",
            "error: could not connect to 127.0.0.1:1 (PostgreSQL, database shop, user app)\n\
             because: the connection was refused: no server listens there\nhelp: pg_isready -h 127.0.0.1 -p 1\n",
        ),
        (
            "mysql://app:hunter2@127.0.0.1:1/shop",
            "error: could not connect to 127.0.0.1:1 (MySQL, database shop, user app)\n\
             because: the connection was refused: no server listens there\nhelp: mysqladmin -h 127.0.0.1 -P 1 ping\n",
        ),
        ("mariadb://app@[::1]:1/shop", "error: could not connect to [::1]:1 (MariaDB, database shop, user app)\n"),
        (
            "postgres://app@/shop?host=/nowhere",
            "error: could not connect to /nowhere/.s.PGSQL.5432 (PostgreSQL, database shop, user app)\n\
             because: there is no such socket: no server listens there\nhelp: pg_isready -h /nowhere -p 5432\n",
        ),
        ("mysql://app@/shop?socket=/nowhere/s", "help: mysqladmin -S /nowhere/s ping\n"),
        (
            "postgres://app@nowhere.invalid/shop",
            "because: no host with the name nowhere.invalid was found\nhelp: correct the host in the address\n",
        ),
    ] {
        let run = run_in(&bench, &["scan", address], &[]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    }
    bench.write(".pg_service.conf", "[prod]\nhost=127.0.0.1\nport=1\ndbname=shop\nuser=app\npassword=hunter2\n");
    let run = run_in(&bench, &["scan", "postgres://"], &[("PGSERVICE", "prod")]);
    let expected = "note: PGSERVICE=prod is host=127.0.0.1, port=1, dbname=shop\nerror: could not connect to 127.0.0.1:1 (PostgreSQL, database shop, user app)\n";
    assert!(run.code == 3 && run.stderr.starts_with(expected), "{}", run.stderr);
    bench.write(".my.cnf", "[client]\nhost=127.0.0.1\nport=1\nuser=app\npassword=hunter2\n");
    let run = run_in(&bench, &["scan", "mysql:///shop"], &[]);
    assert!(
        run.stderr.starts_with("error: could not connect to 127.0.0.1:1 (MySQL, database shop, user app)\n"),
        "{}",
        run.stderr
    );
    bench.write("other.cnf", "[client]\nhost=127.0.0.1\nport=1\nuser=ann\n");
    let run = run_in(&bench, &["scan", "mysql:///shop", "--defaults-file", "other.cnf"], &[]);
    assert!(run.stderr.contains("database shop, user ann"), "{}", run.stderr);
}

#[test]
fn variables_of_a_file_are_used() {
    let bench = Bench::new(SEED);
    bench.write(".env", "# local\nexport DATABASE_URL='sqlite:///app.db'\nSECRET=hunter2\n");
    assert_scanned(&run_in(&bench, &["scan", "--env-file", ".env"], &[]), ".env");
    let run = run_in(&bench, &["scan", "--env-file", ".env"], &[("DATABASE_URL", "nope.db")]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (1, "note: DATABASE_URL of .env is used instead of the environment's\n")
    );
    // An argument is stronger.
    assert_eq!(run_in(&bench, &["scan", "nope.db", "--env-file", ".env"], &[]).code, 3);
    bench.write("pg.env", "PGHOST=127.0.0.1\nPGPORT=1\nPGUSER=ann\nPGPASSWORD=hunter2\n");
    let run = run_in(&bench, &["scan", "postgres:///shop", "--env-file", "pg.env"], &[]);
    assert!(run.stderr.starts_with("error: could not connect to 127.0.0.1:1 (PostgreSQL, database shop, user ann)"));
    bench.write("bad.env", "A=1\nPASSWORD=hunter2 with words\n");
    let expected = "error: could not read bad.env\nbecause: line 2 is not NAME=VALUE\n\
        help: write a value with spaces or with # in single quotes: NAME='VALUE'\n";
    assert_refused(&run_in(&bench, &["scan", "--env-file", "bad.env"], &[]), 2, expected);
    let expected = "error: could not read none.env\nbecause: there is no such file or folder\n\
        help: name a file that can be read with --env-file, or leave the option out\n";
    assert_refused(&run_in(&bench, &["scan", "--env-file", "none.env"], &[]), 2, expected);
}

/// An address in a wrong position is shown without its password.
#[test]
fn password_of_a_misplaced_address_is_not_shown() {
    let bench = Bench::new(SEED);
    let url = "postgres://u:hunter2@127.0.0.1:1/d";
    let libpq = "host=127.0.0.1 port=1 password=hunter2";
    for arguments in [
        &["apply", "app.db", url][..],
        &["apply", "plan.ndjson", url],
        &["status", url],
        &["status", libpq],
        &["schema", "app.db", url],
        &["schema", "app.db", libpq],
        &["scan", "app.db", "--table"],
        &["scan", "app.db", "--fail-on", url],
        &["scan", "app.db", "--config", url],
        &["scan", "app.db", "--baseline", url],
        &["check", "app.db", "--table", "c", url],
        &["explain", url, "DELETE FROM p"],
        &["repair", "app.db", "--rules", url],
        &["rules", "check", url],
        &["scna", url],
    ] {
        let run = run_in(&bench, arguments, &[]);
        assert!(run.code >= 2 && !run.stderr.is_empty(), "{arguments:?}: {}", run.stdout);
    }
    run_in(&bench, &["status", url], &[("DATABASE_URL", url)]);
}

#[cfg(not(feature = "spark"))]
#[test]
fn cluster_without_its_client_names_the_command_that_adds_it() {
    let bench = Bench::empty();
    for command in ["scan", "schema"] {
        let run = bench.run(&[command, "sc://localhost:15002/;token=topsecret"]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains("help: cargo install fk-doctor --features spark"), "{}", run.stderr);
        assert!(!run.stderr.contains("topsecret"), "{}", run.stderr);
    }
}

#[test]
fn token_of_a_cluster_needs_encryption() {
    let run = Bench::empty().run(&["scan", "sc://spark.example:15002/;token=topsecret"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("use_ssl=true"), "{}", run.stderr);
    assert!(!run.stderr.contains("topsecret"), "{}", run.stderr);
}
