//! Parameters of addresses, under the names of many libraries.

use super::super::TlsMode;
use super::home;

#[test]
fn parameters_of_other_libraries_choose_the_encryption() {
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
}

#[test]
fn parameters_of_other_libraries_are_used_or_noted() {
    let prisma = home().address("postgres://h/d?connection_limit=3&pgbouncer=true&connect_timeout=7");
    assert_eq!(prisma.connections, Some(3));
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
        ("postgres://h/d?pgbouncer=true", vec![]),
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
        (
            "jdbc:postgresql://h/d?sslmode=require&sslfactory=org.postgresql.ssl.NonValidatingFactory",
            vec![
                "sslfactory names a class of Java, which has no effect here; sslmode and sslrootcert decide how the \
                 server is verified",
            ],
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
        ("postgres://h/d?options=-x", "error: options cannot be \"-x\""),
        (
            "postgres://h/d?sslcrl=/crl",
            "error: fk-doctor cannot honor sslcrl=/crl\nbecause: without it, the connection would be less safe",
        ),
        ("postgres://h/d?gssencmode=require", "error: fk-doctor cannot honor gssencmode=require"),
        ("postgres://h/d?sslrootcert=/nope.crt", "error: sslrootcert names a file that cannot be read: /nope.crt"),
        // A driver for Java has hundreds of parameters, but a misspelled one must not disable encryption.
        ("jdbc:postgresql://h/d?sslmod=require", "did you mean sslmode?"),
        ("jdbc:postgresql://h/d?sslResponseTimeout=5", "there is no parameter \"sslResponseTimeout\""),
    ] {
        let shown = home().error(text);
        assert!(shown.to_lowercase().contains(&expected.to_lowercase()), "{text}: {shown}");
    }
}
