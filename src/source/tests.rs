//! Addresses in all forms, and the settings on which they depend.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

mod parameters;
mod settings_files;
mod several_servers;

/// The environment of a user, without any real file.
#[derive(Default)]
struct World {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, SettingsFile>,
    login: Option<&'static str>,
    defaults_file: Option<&'static str>,
}

impl World {
    fn new(variables: &[(&str, &str)], files: &[(&str, &str)]) -> World {
        let file = |text: &str| SettingsFile { text: text.to_owned(), is_private: true };
        World {
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect(),
            login: None,
            defaults_file: None,
        }
    }

    fn resolve(&self, text: &str) -> Result<Resolved, SourceError> {
        let read = |path: &Path| {
            let found = path.to_str().and_then(|path| self.files.get(path)).cloned();
            found.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
        };
        let defaults_file = self.defaults_file.map(Path::new);
        Source::resolve(
            text,
            &Surroundings { variables: &self.variables, login: self.login, defaults_file, read: &read },
        )
    }

    fn address(&self, text: &str) -> Address {
        match self.resolve(text).map(|resolved| resolved.source) {
            Ok(Source::Server { address, .. }) => *address,
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
            "error: there is no engine for \"mssql\"\nbecause: fk-doctor reads SQLite, PostgreSQL, MySQL, MariaDB, folders of files and clusters of Spark\n\
             help: fk-doctor scan --help",
        ),
        ("Oracle://u:hunter2@h/d", "error: there is no engine for \"oracle\""),
        ("jdbc:oracle:thin:@//h:1521/d", "error: there is no engine for \"oracle\""),
        ("jdbc:sqlserver://h;password=hunter2", "error: there is no engine for \"sqlserver\""),
        ("mysql:shop", "error: \"mysql:\" does not begin a URL"),
        ("jdbc:mysql:replication://a,b/shop", "error: \"mysql:replication\" names several servers"),
        ("mysql://a,b/shop", "error: \"a,b\" names several servers"),
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
