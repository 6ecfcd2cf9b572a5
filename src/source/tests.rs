//! Addresses in all forms, and the settings on which they depend.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

/// The environment of a user, without any real file.
#[derive(Default)]
struct World {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, SettingsFile>,
    defaults_file: Option<&'static str>,
}

impl World {
    fn new(variables: &[(&str, &str)], files: &[(&str, &str)]) -> World {
        let file = |text: &str| SettingsFile { text: text.to_owned(), is_private: true };
        World {
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect(),
            defaults_file: None,
        }
    }

    fn resolve(&self, text: &str) -> Result<Resolved, SourceError> {
        let read = |path: &Path| {
            let found = path.to_str().and_then(|path| self.files.get(path)).cloned();
            found.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
        };
        let defaults_file = self.defaults_file.map(Path::new);
        Source::resolve(text, &Surroundings { variables: &self.variables, defaults_file, read: &read })
    }

    fn address(&self, text: &str) -> Address {
        match self.resolve(text).map(|resolved| resolved.source) {
            Ok(Source::Server { address, .. }) => address,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn error(&self, text: &str) -> String {
        let error = self.resolve(text).expect_err(text);
        let shown = format!("error: {error}\nbecause: {}\nhelp: {}", error.because(), error.help());
        assert!(!shown.contains("hunter2"), "{text}: {shown}");
        shown
    }

    fn notes(&self, text: &str) -> Vec<String> {
        self.resolve(text).unwrap_or_else(|error| panic!("{text}: {error}")).notes
    }
}

/// Returns `engine user:password@host:port/database`, with `-` for what is open.
fn summary(address: &Address) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
    let port = address.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
    let password = address.password().map_or_else(String::new, |password| format!(":{password}"));
    let socket = address.socket.as_ref().map_or_else(String::new, |path| format!(" socket {}", path.display()));
    format!(
        "{} {}{password}@{}:{port}/{}{socket}",
        address.engine.name(),
        text(&address.user),
        text(&address.host),
        text(&address.database)
    )
}

fn home() -> World {
    World::new(&[("HOME", "/home/ann")], &[])
}

#[test]
fn file_is_found_in_every_form() {
    for (text, path) in [
        ("app.db", "app.db"),
        ("a b.db", "a b.db"),
        (" app.db\n", "app.db"),
        ("./sqlite:a.db", "./sqlite:a.db"),
        ("./odd://a.db", "./odd://a.db"),
        ("notes: a.db", "notes: a.db"),
        ("~/app.db", "/home/ann/app.db"),
        ("~ann.db", "~ann.db"),
        ("sqlite:a.db", "a.db"),
        ("sqlite3:db/dev.sqlite3", "db/dev.sqlite3"),
        ("SQLite:a.db", "a.db"),
        ("sqlite:/srv/a.db", "/srv/a.db"),
        ("sqlite:~/a.db", "/home/ann/a.db"),
        ("sqlite://a.db", "a.db"),
        ("sqlite://a.db?mode=rwc", "a.db"),
        ("sqlite:///app.db", "app.db"),
        ("sqlite:///instance/app.db", "instance/app.db"),
        ("sqlite:///./app.db", "./app.db"),
        ("sqlite:////srv/app.db", "/srv/app.db"),
        ("sqlite:///~/app.db", "/home/ann/app.db"),
        ("sqlite:///my%20app.db", "my app.db"),
        ("sqlite:my%20app.db", "my%20app.db"),
        ("sqlite+aiosqlite:///app.db", "app.db"),
        ("sqlite+pysqlite:////srv/app.db", "/srv/app.db"),
        ("spatialite:///app.db", "app.db"),
        ("sqlite:///C:/data/app.db", "C:/data/app.db"),
        ("sqlite:///C:\\data\\app.db", "C:\\data\\app.db"),
        ("C:\\data\\app.db", "C:\\data\\app.db"),
        ("jdbc:sqlite:app.db", "app.db"),
        ("jdbc:sqlite:/srv/app.db?foreign_keys=on", "/srv/app.db"),
        ("jdbc:sqlite:C:/data/app.db", "C:/data/app.db"),
        ("file:a.db?immutable=1", "a.db"),
        ("file:./dev.db", "./dev.db"),
        ("file:/srv/a%3Fb.db", "/srv/a?b.db"),
        ("file:///srv/a.db", "/srv/a.db"),
        ("file://localhost/srv/a.db", "/srv/a.db"),
        ("file:///C:/data/app.db", "C:/data/app.db"),
    ] {
        let source = home().resolve(text).map(|resolved| resolved.source);
        assert_eq!(source, Ok(Source::File { engine: Engine::Sqlite, path: path.into() }), "{text}");
    }
    for text in
        [":memory:", "sqlite::memory:", "sqlite://", "sqlite:///:memory:", "sqlite+aiosqlite://", "file:x?mode=memory"]
    {
        assert_eq!(Source::parse(text), Err(SourceError::InMemory), "{text}");
    }
    assert_eq!(Source::parse("sqlite:"), Err(SourceError::NoFile { scheme: "sqlite".to_owned() }));
    for text in ["", " "] {
        assert_eq!(Source::parse(text), Err(SourceError::Missing));
    }
    assert_eq!(windows_path(Path::new("D:\\a\\b.db")), Some(('d', "a/b.db".to_owned())));
    assert_eq!(windows_path(Path::new("/a:/b")), None);
}

#[test]
fn server_is_found_in_every_form() {
    for (text, expected) in [
        ("postgres://app:pw@db1:5433/shop", "postgresql app:pw@db1:5433/shop"),
        ("postgresql://app@db1/shop", "postgresql app@db1:-/shop"),
        ("POSTGRES://app@db1/shop", "postgresql app@db1:-/shop"),
        ("postgis://app@db1/shop", "postgresql app@db1:-/shop"),
        ("pgsql://app@db1/shop", "postgresql app@db1:-/shop"),
        ("postgresql+psycopg2://app:pw@db1/shop", "postgresql app:pw@db1:-/shop"),
        ("postgresql+asyncpg://app@db1/shop?ssl=true", "postgresql app@db1:-/shop"),
        ("postgres://", "postgresql -@-:-/-"),
        ("postgres:///shop", "postgresql -@-:-/shop"),
        ("postgres://app@/shop", "postgresql app@-:-/shop"),
        ("postgres://app:@db1/shop/", "postgresql app:@db1:-/shop"),
        ("postgres://db1", "postgresql -@db1:-/-"),
        ("postgres://[::1]:5433/shop", "postgresql -@::1:5433/shop"),
        ("postgres://app@[fe80::1]/shop", "postgresql app@fe80::1:-/shop"),
        ("postgres://a%40b:p%40s%2Fs%23w%3Ford@db1/my%20shop", "postgresql a@b:p@s/s#w?ord@db1:-/my shop"),
        ("postgres://app:a:b@db1/shop", "postgresql app:a:b@db1:-/shop"),
        ("postgres://%2Frun%2Fpostgresql/shop", "postgresql -@/run/postgresql:-/shop"),
        (
            "postgres:///shop?host=/run/postgresql&port=5433&user=app&password=p%26w",
            "postgresql app:p&w@/run/postgresql:5433/shop",
        ),
        ("postgres://db1/d@b", "postgresql -@db1:-/d@b"),
        ("postgres://db1:5432/shop?user=a@b", "postgresql a@b@db1:5432/shop"),
        ("jdbc:postgresql://db1:5432/shop?user=app&password=pw", "postgresql app:pw@db1:5432/shop"),
        ("jdbc:postgresql:shop?user=app", "postgresql app@-:-/shop"),
        ("r2dbc:postgresql://db1/shop", "postgresql -@db1:-/shop"),
        ("host=db1 port=5433 dbname=shop user=app password=pw", "postgresql app:pw@db1:5433/shop"),
        ("dbname = 'my shop' user=it\\'s password='p\\'w d'", "postgresql it's:p'w d@-:-/my shop"),
        ("mysql://app:pw@db1:3307/shop", "mysql app:pw@db1:3307/shop"),
        ("mariadb://app@db1/shop", "mariadb app@db1:-/shop"),
        ("mysql2://app@db1/shop?pool=5&reconnect=true", "mysql app@db1:-/shop"),
        ("trilogy://app@db1/shop", "mysql app@db1:-/shop"),
        ("mysqlgis://app@db1/shop", "mysql app@db1:-/shop"),
        ("mysql+pymysql://app:pw@db1/shop?charset=utf8mb4", "mysql app:pw@db1:-/shop"),
        ("mysql+mysqldb://app@/shop?unix_socket=/run/mysqld.sock", "mysql app@-:-/shop socket /run/mysqld.sock"),
        ("mariadb+mariadbconnector://app@db1/shop", "mariadb app@db1:-/shop"),
        ("mysql://app@%2Frun%2Fmysqld.sock/shop", "mysql app@localhost:-/shop socket /run/mysqld.sock"),
        ("jdbc:mysql://db1:3306/shop?user=app&password=pw&useSSL=false", "mysql app:pw@db1:3306/shop"),
        ("jdbc:mariadb://db1/shop?user=app", "mariadb app@db1:-/shop"),
    ] {
        assert_eq!(summary(&home().address(text)), expected, "{text}");
    }
}

#[test]
fn text_that_is_no_address_is_refused_with_the_next_command() {
    let world = World::default();
    for (text, expected) in [
        (
            "mssql+pyodbc://sa:hunter2@h/d",
            "error: there is no engine for \"mssql\"\nbecause: fk-doctor reads SQLite, PostgreSQL, MySQL and MariaDB\n\
             help: fk-doctor scan --help",
        ),
        ("Oracle://u:hunter2@h/d", "error: there is no engine for \"oracle\""),
        ("jdbc:oracle:thin:@//h:1521/d", "error: there is no engine for \"oracle\""),
        ("jdbc:sqlserver://h;password=hunter2", "error: there is no engine for \"sqlserver\""),
        ("mysql:shop", "error: \"mysql:\" does not begin a URL"),
        ("jdbc:mysql:replication://a,b/shop", "error: \"mysql:replication\" names several servers"),
        ("postgres://a,b/shop", "error: \"a,b\" names several servers"),
        ("postgres://a:1,b:2/shop", "error: \"a:1,b:2\" names several servers"),
        ("postgres://app:hunter2", "error: the port in the URL is not a number"),
        ("postgres://db1:99999/shop", "error: port cannot be \"99999\"\nbecause: it can be a number from 1 to 65535"),
        ("host=db1 hunter2", "error: the parameters of the address cannot be read"),
        ("host=db1 password='hunter2", "because: the value of password has no closing '"),
        ("postgres://db1/shop?password=a&hunter2", "error: a parameter of the address has no value"),
        (
            "mysql://app@db1",
            "error: the address names no database\nbecause: a server has many databases, and no path of the URL and no \
             settings file names one\nhelp: fk-doctor scan mysql://app@db1/DATABASE",
        ),
    ] {
        let shown = world.error(text);
        assert!(shown.contains(expected), "{text}: {shown}");
    }
}

#[test]
fn unescaped_character_is_named_with_its_escape() {
    for (text, expected) in [
        (
            "postgresql://app:hunter2@hunter2@db1/shop",
            "error: the password in the URL has an unescaped \"@\"\n\
             because: postgresql://app:***@***@db1/shop has two \"@\"; programs disagree where the host begins\n\
             help: write \"@\" as %40, \"/\" as %2F, \"#\" as %23, \"?\" as %3F; or set PGPASSWORD instead",
        ),
        (
            "postgres://app:hunter2/x@db1/shop",
            "the password in the URL has an unescaped \"/\"\nbecause: postgres://app:***/***@db1/shop:",
        ),
        (
            "postgres://app:hunter2#x@db1/shop",
            "the password in the URL has an unescaped \"#\"\nbecause: postgres://app:***#***@db1/shop:",
        ),
        ("mysql://app:hunter2?x@db1/shop", "the password in the URL has an unescaped \"?\""),
        ("mysql://app:@hunter2@db1/shop", "or set MYSQL_PWD instead"),
        ("postgres://app:12345/hunter2@db1/shop", "the password in the URL has an unescaped \"/\""),
        ("postgres://app:#hunter2@db1/shop", "because: postgres://app:***#***@db1/shop"),
        ("postgres://ann@corp:hunter2@db1/shop", "error: the user name in the URL has an unescaped \"@\""),
        ("postgres://app:hunter2@db1/shop#1", "error: the URL has an unescaped \"#\""),
    ] {
        let shown = home().error(text);
        assert!(shown.contains(expected), "{text}: {shown}");
    }
}

#[test]
fn password_is_never_shown() {
    for (text, shown) in [
        ("postgres://u:hunter2@h:5432/d?sslmode=require", "postgres://u@h:5432/d?sslmode=require"),
        ("postgres://u@h/d?password=hunter2", "postgres://u@h/d"),
        ("mysql://u:hunter2@h/d", "mysql://u@h/d"),
        ("postgres:///d?host=/run&password=hunter2", "postgres:///d?host=/run"),
        ("postgres://u:hun%74er2@h/d", "postgres://u@h/d"),
        ("postgresql+psycopg2://u:hunter2@h/d", "postgresql://u@h/d"),
        (
            "jdbc:postgresql://h/d?user=u&password=hunter2&ApplicationName=x y",
            "postgresql://u@h/d?ApplicationName=x%20y",
        ),
        ("host=h dbname=d user=u password=hunter2", "postgres://u@h/d"),
        (
            "mysql://u:hunter2@h/d?ssl=true&charset=latin1&connect_timeout=3",
            "mysql://u@h/d?ssl-mode=REQUIRED&connect_timeout=3",
        ),
        ("postgres://[::1]:5432/my%20d", "postgres://[::1]:5432/my%20d"),
    ] {
        let address = home().address(text);
        assert_eq!(format!("{address} {address:?}"), format!("{shown} {shown}"));
        assert!(!address.censored(text).contains("hunter2"), "{text}");
        // The form without the password is an address of the same database.
        let again = home().address(shown);
        assert_eq!(
            (&again.host, &again.database, &again.tls),
            (&address.host, &address.database, &address.tls),
            "{text}"
        );
    }
    let address = home().address("postgres://u:hun%2Fter2@h/d");
    assert_eq!(address.censored("error: hun/ter2, hun%2Fter2"), "error: ***, ***");
    assert_eq!(home().address("postgres://u:@h/d").censored("abc"), "abc");
}

#[test]
fn every_text_with_a_password_can_be_masked() {
    for (text, expected) in [
        ("postgres://u:hunter2@h:5432/d", "postgres://u:***@h:5432/d"),
        ("postgres://h:5432/d", "postgres://h:5432/d"),
        ("postgres://[::1]:5432/d", "postgres://[::1]:5432/d"),
        ("postgres://u@h/d?password=hunter2&sslmode=require", "postgres://u@h/d?password=***&sslmode=require"),
        ("mysql://u:hun?ter2@h/d", "mysql://u:***?***@h/d"),
        ("mysql://u:hunter2/@h/d", "mysql://u:***/***@h/d"),
        ("postgres://u:hunter2", "postgres://u:***"),
        ("mssql://sa:hunter2@h", "mssql://sa:***@h"),
        ("jdbc:postgresql:d?user=u&password=hunter2", "jdbc:postgresql:d?user=u&password=***"),
        ("host=h password=hunter2 user=u", "host=h password=*** user=u"),
        ("host=h password = 'hun \\' ter2' user=u", "host=h password = *** user=u"),
        ("host=h sslpassword=hunter2", "host=h sslpassword=***"),
        ("app.db", "app.db"),
        ("SELECT password FROM users", "SELECT password FROM users"),
    ] {
        assert_eq!(masked(text), expected);
        assert_eq!(masked(expected), expected, "a masked text stays as it is");
    }
}

#[test]
fn parameters_of_other_libraries_are_used_or_noted() {
    let tls = |text: &str| home().address(text).tls.mode.map(TlsMode::name);
    for (text, mode) in [
        ("postgres://h/d", None),
        ("postgres://h/d?sslmode=verify-ca", Some("verify-ca")),
        ("postgres://h/d?ssl=true", Some("require")),
        ("postgres://h/d?sslaccept=strict", Some("verify-full")),
        ("postgres://h/d?sslmode=require&sslaccept=strict", Some("verify-full")),
        ("jdbc:postgresql://h/d?ssl=true", Some("verify-full")),
        ("postgres://h/d?sslrootcert=system", Some("verify-full")),
        ("mysql://h/d?ssl-mode=VERIFY_IDENTITY", Some("verify-full")),
        ("mysql://h/d?ssl_mode=required", Some("require")),
        ("jdbc:mariadb://h/d?sslMode=trust", Some("require")),
        ("jdbc:mysql://h/d?useSSL=true&requireSSL=true&verifyServerCertificate=true", Some("verify-ca")),
        ("mysql://h/d?sslaccept=strict", Some("verify-full")),
        ("mysql://h/d?ssl={\"rejectUnauthorized\":true}", Some("verify-full")),
        ("mysql://h/d?ssl=%7B%22rejectUnauthorized%22%3Afalse%7D", Some("require")),
        ("mysql://h/d?tls=skip-verify", Some("require")),
        ("mysql://h/d?ssl_disabled=true", Some("disable")),
    ] {
        assert_eq!(tls(text), mode, "{text}");
    }
    let prisma = home().address("postgres://h/d?connection_limit=3&pgbouncer=true&connect_timeout=7");
    assert_eq!((prisma.connections, prisma.is_pooled), (Some(3), true));
    assert_eq!(prisma.connect_timeout, Some(std::time::Duration::from_secs(7)));
    assert_eq!(home().address("mysql://h/d?pool=2").connections, Some(2));
    let java = home().address("jdbc:mysql://h/d?connectTimeout=5000");
    assert_eq!(java.connect_timeout, Some(std::time::Duration::from_secs(5)));
    assert_eq!(home().address("postgres://h/d?connect_timeout=0").connect_timeout, None);
    let options = home().address("postgres://h/d?options=-c%20work_mem=64MB%20--geqo=off%20-cx=a%5C%20b").options;
    let options: Vec<String> = options.iter().map(|(name, value)| format!("{name} {value}")).collect();
    assert_eq!(options, ["work_mem 64MB", "geqo off", "x a b"]);

    for (text, notes) in [
        (
            "postgres://h/d?schema=public&charset=utf8&encoding=unicode&target_session_attrs=any&gssencmode=disable",
            vec![],
        ),
        ("postgres://h/d?pool_timeout=5", vec!["the parameter pool_timeout of the address has no effect here"]),
        (
            "mysql2://h/d?encoding=latin1&pool=5&reconnect=true&checkout_timeout=5",
            vec!["the parameters encoding, reconnect and checkout_timeout of the address have no effect here"],
        ),
        (
            "postgres://h/d?channel_binding=require",
            vec!["the parameter channel_binding of the address has no effect here"],
        ),
        (
            "postgres://h/d?schema=app",
            vec![
                "the address names the schema app, and every schema is checked; to check only this one, add: --table 'app.*'",
            ],
        ),
        (
            "jdbc:mysql://h/d?rewriteBatchedStatements=true",
            vec!["the parameter rewriteBatchedStatements of the address has no effect here"],
        ),
        ("sqlite:///app.db?timeout=5&mode=ro", vec!["the parameter timeout of the address has no effect here"]),
    ] {
        assert_eq!(home().notes(text), notes, "{text}");
    }
}

#[test]
fn wrong_parameter_is_refused() {
    for (text, expected) in [
        (
            "postgres://h/d?sslmod=require",
            "error: there is no parameter \"sslmod\"\nbecause: a misspelled parameter would have no effect\nhelp: did you mean sslmode?",
        ),
        (
            "postgres://h/d?zzz=1",
            "help: the known parameters are host, port, user, password, connect_timeout, connection_limit, hostaddr",
        ),
        ("mysql://h/d?sll-mode=REQUIRED", "help: did you mean ssl-mode?"),
        ("mysql://h/d?ssl-mode=ON", "error: ssl-mode cannot be \"on\""),
        ("postgres://h/d?sslmode=allow", "because: it can be disable, prefer, require, verify-ca, verify-full"),
        ("postgres://h/d?ssl=perhaps", "because: it can be true or false"),
        (
            "postgres://h/d?connect_timeout=soon",
            "error: connect_timeout cannot be \"soon\"\nbecause: it can be whole seconds, such as 5",
        ),
        ("postgres://h/d?connection_limit=0", "error: connection_limit cannot be \"0\""),
        ("postgres://h/d?pgbouncer=perhaps", "error: pgbouncer cannot be \"perhaps\""),
        ("postgres://h/d?options=-x", "error: options cannot be \"-x\""),
        (
            "postgres://h/d?sslcrl=/crl",
            "error: fk-doctor cannot honor sslcrl=/crl\nbecause: without it, the connection would be less safe",
        ),
        ("postgres://h/d?gssencmode=require", "error: fk-doctor cannot honor gssencmode=require"),
        ("postgres://h/d?sslrootcert=/nope.crt", "error: sslrootcert names a file that cannot be read: /nope.crt"),
        // A driver for Java has hundreds of parameters, but a misspelled one must not disable encryption.
        ("jdbc:postgresql://h/d?sslmod=require", "did you mean sslmode?"),
        ("jdbc:postgresql://h/d?sslfactory=x", "there is no parameter \"sslfactory\""),
    ] {
        let shown = home().error(text);
        assert!(shown.to_lowercase().contains(&expected.to_lowercase()), "{text}: {shown}");
    }
}

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
    assert_eq!(by_variable.notes("postgres://"), ["PGSERVICE=production is db1, 5433, shop"]);
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
    let mut world = World::new(&[("HOME", "/home/ann"), ("USER", "ann")], &[("/home/ann/.pgpass", lines)]);
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
    let world =
        World::new(&[("HOME", "/home/ann"), ("USER", "ann"), ("MYSQL_HOST", "db9"), ("MYSQL_PWD", "weak")], &files);
    let address = world.address("mysql://");
    assert_eq!(summary(&address), "mysql app:hun#ter2@db1:3307/shop");
    assert_eq!((address.tls.authority.as_deref(), address.tls.mode), (Some("/ca.pem"), Some(TlsMode::VerifyFull)));
    assert_eq!(summary(&world.address("mariadb://root@db2/other")), "mariadb root:hun#ter2@db2:3307/other");

    let variables =
        World::new(&[("USER", "ann"), ("MYSQL_HOST", "db9"), ("MYSQL_TCP_PORT", "3309"), ("MYSQL_PWD", "pw")], &[]);
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

#[test]
fn source_has_a_short_name() {
    for (text, name) in [
        ("data/app.sqlite", "app"),
        ("postgres://u@h/shop", "shop"),
        ("postgres://u@h", "u"),
        ("mysql://h/shop", "shop"),
    ] {
        assert_eq!(Source::parse(text).map(|source| source.name()), Ok(name.to_owned()));
    }
}
