//! Settings that an address leaves open: environment variables, service files, password files and option files.

use super::super::TlsMode;
use super::World;
use super::summary;

#[test]
fn postgres_environment_fills_what_the_address_leaves_open() {
    let variables =
        [("PGHOST", "db9"), ("PGPORT", "5439"), ("PGUSER", "ann"), ("PGPASSWORD", "pw"), ("PGDATABASE", "main")];
    let world = World::new(&variables, &[]);
    for (text, expected) in [
        ("postgres://", "postgresql ann:pw@db9:5439/main"),
        ("postgres://app@/shop", "postgresql app:pw@db9:5439/shop"),
        ("postgres://db1/shop", "postgresql ann:pw@db1:5439/shop"),
        ("dbname=shop", "postgresql ann:pw@db9:5439/shop"),
    ] {
        assert_eq!(summary(&world.address(text)), expected, "{text}");
    }
    assert_eq!(world.address("postgres://app@/shop").to_string(), "postgres://app@/shop");
    let login = World { login: Some("ann"), ..World::default() };
    assert_eq!(summary(&login.address("postgres:///shop")), "postgresql ann@-:-/shop");
    assert_eq!(login.address("postgres:///shop").to_string(), "postgres:///shop");
    let wrong = World::new(&[("PGSSLMODE", "verify_full")], &[]);
    assert!(wrong.error("postgres://h/d").contains("error: PGSSLMODE cannot be \"verify_full\""));
    assert!(World::new(&[("PGPORT", "x")], &[]).error("postgres://h/d").contains("error: PGPORT cannot be \"x\""));
    let timeout = World::new(&[("PGCONNECT_TIMEOUT", "3"), ("PGHOSTADDR", "10.0.0.1")], &[]).address("postgres://h/d");
    assert_eq!(timeout.connect_timeout, Some(std::time::Duration::from_secs(3)));
    assert_eq!(timeout.host_address.as_deref(), Some("10.0.0.1"));
}

const SERVICES: &str = "# services\n[production]\nhost=db1\nport=5433\ndbname=shop\nuser=app\npassword=hunter2\n\n\
    [staging]\nhost = db2\n dbname=shop\n[old]\nservice=staging\n[odd]\nhost\n[misspelled]\nhots=db1\n[production]\nhost=db3\n";

#[test]
fn service_file_is_used_as_by_psql() {
    let in_home = [("/home/ann/.pg_service.conf", SERVICES)];
    let with = |variables: &[(&str, &str)]| World::new(&[variables, &[("HOME", "/home/ann")]].concat(), &in_home);
    let by_variable = with(&[("PGSERVICE", "production"), ("PGHOST", "db9"), ("PGSSLMODE", "require")]);
    let address = by_variable.address("postgres://");
    assert_eq!(summary(&address), "postgresql app:hunter2@db1:5433/shop");
    assert_eq!(address.tls.mode, Some(TlsMode::Require));
    assert_eq!(by_variable.notes("postgres://"), ["PGSERVICE=production is host=db1, port=5433, dbname=shop"]);
    assert_eq!(summary(&by_variable.address("postgres://ann@/other")), "postgresql ann:hunter2@db1:5433/other");
    // The address is stronger than the variable.
    let address = by_variable.address("service=staging user=ann");
    assert_eq!(
        (summary(&address).as_str(), address.to_string().as_str()),
        ("postgresql ann@db2:-/shop", "postgres://ann@?service=staging")
    );
    assert_eq!(by_variable.notes("postgres://?service=staging"), Vec::<String>::new());

    assert_eq!(
        with(&[("PGSERVICE", "prod")]).error("postgres://"),
        "error: ~/.pg_service.conf has no service \"prod\" (named by PGSERVICE)\n\
         because: it has production, staging, old, odd and misspelled\n\
         help: PGSERVICE=production fk-doctor scan postgres://"
    );
    for (service, expected) in [
        ("old", "error: could not read ~/.pg_service.conf\nbecause: the service old has a service inside it"),
        ("odd", "because: the service odd has a line without \"=\""),
        ("misspelled", "error: in ~/.pg_service.conf, there is no parameter \"hots\""),
    ] {
        let shown = with(&[("PGSERVICE", service)]).error("postgres://");
        assert!(shown.contains(expected), "{shown}");
    }
    let nowhere = World::new(&[("PGSERVICE", "prod"), ("HOME", "/home/ann"), ("PGSYSCONFDIR", "/etc/pg")], &[]);
    let shown = nowhere.error("postgres://");
    assert!(shown.contains("fk-doctor looked for ~/.pg_service.conf and /etc/pg/pg_service.conf"), "{shown}");
    // A named file replaces the user's own; the system's file comes last.
    let files = [("/other.conf", "[a]\nhost=db4"), ("/etc/pg/pg_service.conf", "[b]\nhost=db5"), in_home[0]];
    let variables = [("HOME", "/home/ann"), ("PGSERVICEFILE", "/other.conf"), ("PGSYSCONFDIR", "/etc/pg")];
    let named = World::new(&variables, &files);
    assert_eq!(named.address("service=a").host.as_deref(), Some("db4"));
    assert_eq!(named.address("service=b").host.as_deref(), Some("db5"));
    assert!(named.resolve("service=production").is_err());
}

#[test]
fn password_file_of_postgres_is_used() {
    let lines = "# comment\ndb1:5432:shop:app:hunter2\n*:*:*:ann:it\\:s\\\\\nlocalhost:*:main:app:local\n";
    let files = [("/home/ann/.pgpass", lines)];
    let mut world = World { login: Some("ann"), ..World::new(&[("HOME", "/home/ann")], &files) };
    for (text, password) in [
        ("postgres://app@db1/shop", Some("hunter2")),
        ("postgres://app@db1:5433/shop", None),
        ("postgres://ann@db7/x", Some("it:s\\")),
        ("postgres://db7/x", Some("it:s\\")),
        ("postgres://app@/main", Some("local")),
        ("postgres://app@/main?host=/var/run/postgresql", Some("local")),
        ("postgres://app@/main?host=/srv/socket", None),
        ("postgres://app:own@db1/shop", Some("own")),
    ] {
        assert_eq!(world.address(text).password(), password, "{text}");
    }
    world.files.get_mut("/home/ann/.pgpass").unwrap().is_private = false;
    assert_eq!(world.address("postgres://app@db1/shop").password(), None);
    assert_eq!(
        world.notes("postgres://app@db1/shop"),
        ["the password in ~/.pgpass is not used, because other users can read the file: chmod 600 ~/.pgpass"]
    );
    let named = World::new(&[("PGPASSFILE", "/p")], &[("/p", "*:*:*:*:other")]);
    assert_eq!(named.address("postgres://app@db1/shop").password(), Some("other"));
}

#[test]
fn option_file_of_mysql_is_used() {
    let options = "# options\n[client]\nuser = app\npassword=\"hun#ter2\"\nhost=db1\nport=3307\nprompt=\\u>\n!include /more.cnf\n\
        [mysqld]\nuser=mysql\n[mysql]\ndatabase=shop # comment\nno-auto-rehash\n[mysqldump]\nuser=backup\n";
    let files = [
        ("/home/ann/.my.cnf", options),
        ("/more.cnf", "[client]\nssl-ca=/ca.pem\nssl-verify-server-cert\n"),
        ("/ca.pem", ""),
    ];
    let world = World::new(&[("HOME", "/home/ann"), ("MYSQL_HOST", "db9"), ("MYSQL_PWD", "weak")], &files);
    let address = world.address("mysql://");
    assert_eq!(summary(&address), "mysql app:hun#ter2@db1:3307/shop");
    assert_eq!((address.tls.authority.as_deref(), address.tls.mode), (Some("/ca.pem"), Some(TlsMode::VerifyFull)));
    assert_eq!(summary(&world.address("mariadb://root@db2/other")), "mariadb root:hun#ter2@db2:3307/other");

    let variables = [("MYSQL_HOST", "db9"), ("MYSQL_TCP_PORT", "3309"), ("MYSQL_PWD", "pw")];
    let variables = World { login: Some("ann"), ..World::new(&variables, &[]) };
    assert_eq!(summary(&variables.address("mysql:///shop")), "mysql ann:pw@db9:3309/shop");

    let named = World {
        defaults_file: Some("/other.cnf"),
        ..World::new(
            &[("HOME", "/home/ann")],
            &[files[0], ("/other.cnf", "[client-server]\nsocket=/run/s\n[client]\nuser='it''s\\s'\n")],
        )
    };
    assert_eq!(summary(&named.address("mysql:///shop")), "mysql it''s @-:-/shop socket /run/s");
    assert_eq!(summary(&named.address("mysql://localhost/shop")), "mysql it''s @localhost:-/shop socket /run/s");
    // A server in the address is stronger than the socket of a file.
    assert_eq!(summary(&named.address("mysql://db2/shop")), "mysql it''s @db2:-/shop");
    assert_eq!(summary(&named.address("mysql://localhost:3306/shop")), "mysql it''s @localhost:3306/shop");

    let absent = World { defaults_file: Some("/nope.cnf"), ..World::default() };
    assert!(absent.error("mysql:///shop").contains("error: could not read /nope.cnf"));
    let in_address = World::new(&[("HOME", "/home/ann")], &files);
    assert_eq!(in_address.address("mysql:///shop?read_default_file=~/.my.cnf").host.as_deref(), Some("db1"));
    let wrong = World::new(&[("HOME", "/home/ann")], &[("/home/ann/.my.cnf", "[client]\nport=many\n")]);
    assert!(wrong.error("mysql:///shop").contains("error: in ~/.my.cnf, port cannot be \"many\""));
}
