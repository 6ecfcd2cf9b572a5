//! The parameters of addresses, under the names of many libraries: what each of them means here.
//!
//! Names are compared without case, and `_` equals `-`.

use super::TlsMode;
use super::settings::Setting;
use crate::model::facts::Client;

/// The meaning of a parameter for fk-doctor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Sets(Setting),
    /// It sets the encryption of the connection.
    Tls,
    /// It sets the encoding of texts. fk-doctor always uses UTF-8.
    Encoding,
    NoEffect,
    /// fk-doctor always works in the way that it asks for.
    AlwaysSo,
    /// It names a Java class that decides about encryption.
    JavaClass,
    /// It has no effect, and there is no note if it has this value.
    NoEffectIfDefault(&'static str),
    /// It demands a protection that fk-doctor does not have.
    Demands,
    /// It demands a protection that fk-doctor does not have, if its value is `require`.
    DemandsIfRequired,
}

use Meaning::AlwaysSo;
use Meaning::Demands;
use Meaning::DemandsIfRequired;
use Meaning::Encoding;
use Meaning::JavaClass;
use Meaning::NoEffect;
use Meaning::NoEffectIfDefault;
use Meaning::Sets;
use Meaning::Tls;

type Table = &'static [(Meaning, &'static [&'static str])];

/// Libraries for all servers: Prisma, Rails, Django, SQLAlchemy, JDBC. The first name is shown in help texts.
const ALL: Table = &[
    (Sets(Setting::Host), &["host"]),
    (Sets(Setting::Port), &["port"]),
    (Sets(Setting::User), &["user", "username"]),
    (Sets(Setting::Password), &["password"]),
    (Sets(Setting::ConnectTimeout), &["connect_timeout", "connectTimeout", "loginTimeout"]),
    (Sets(Setting::Connections), &["connection_limit", "pool", "pool_size", "max_connections", "pool_max_conns"]),
    (Encoding, &["charset", "encoding", "client_encoding", "characterEncoding"]),
    (
        NoEffect,
        &[
            "pool_timeout",
            "checkout_timeout",
            "idle_timeout",
            "reaping_frequency",
            "min_messages",
            "socket_timeout",
            "socketTimeout",
            "read_timeout",
            "write_timeout",
            "timeout",
            "max_idle_connection_lifetime",
            "statement_cache_size",
            "statement-cache-capacity",
            "prepared_statements",
            "prepareThreshold",
            "prepared_statement_cache_size",
            "conn_max_age",
            "conn_health_checks",
            "atomic_requests",
            "autocommit",
            "reconnect",
            "autoReconnect",
            "tcpKeepAlive",
            "useUnicode",
            "use_unicode",
            "collation",
            "variables",
            "advisory_locks",
            "adapter",
        ],
    ),
];

const LIBPQ: Table = &[
    (Sets(Setting::HostAddress), &["hostaddr"]),
    (Sets(Setting::Database), &["dbname", "database"]),
    (Sets(Setting::TlsAuthority), &["sslrootcert", "ssl-root-cert", "ssl-ca", "sslca"]),
    (Sets(Setting::TlsCertificate), &["sslcert", "ssl-cert"]),
    (Sets(Setting::TlsKey), &["sslkey", "ssl-key"]),
    (Sets(Setting::ApplicationName), &["application_name", "ApplicationName"]),
    (Sets(Setting::Options), &["options"]),
    (Sets(Setting::Service), &["service"]),
    (Sets(Setting::ServiceFile), &["servicefile"]),
    (Sets(Setting::PassFile), &["passfile"]),
    (Sets(Setting::Schema), &["schema", "currentSchema", "search_path", "schema_search_path"]),
    // Statements are not kept and settings last for a transaction, so that poolers need no care.
    (AlwaysSo, &["pgbouncer"]),
    (Tls, &["sslmode", "ssl-mode", "ssl", "sslaccept"]),
    (JavaClass, &["sslfactory", "sslfactoryarg", "sslhostnameverifier", "sslpasswordcallback"]),
    (Sets(Setting::WantedServer), &["target_session_attrs", "targetServerType"]),
    (DemandsIfRequired, &["gssencmode", "gssEncMode"]),
    // Neon and others write `require`. The driver cannot bind the login to the encryption.
    (NoEffectIfDefault("prefer"), &["channel_binding", "channelBinding"]),
    (
        NoEffect,
        &[
            "fallback_application_name",
            "keepalives",
            "keepalives_idle",
            "keepalives_interval",
            "keepalives_count",
            "tcp_user_timeout",
            "krbsrvname",
            "gsslib",
            "gssdelegation",
            "load_balance_hosts",
            "loadBalanceHosts",
            "replication",
            "sslcompression",
            "sslsni",
            "sslnegotiation",
            "server_side_binding",
            "async_fallback",
            "default_query_exec_mode",
        ],
    ),
    (
        Demands,
        &[
            "sslcrl",
            "sslcrldir",
            "sslpassword",
            "sslidentity",
            "requirepeer",
            "require_auth",
            "ssl_min_protocol_version",
            "ssl_max_protocol_version",
        ],
    ),
];

const MYSQL: Table = &[
    (Sets(Setting::Socket), &["socket", "unix_socket"]),
    (Sets(Setting::Database), &["database", "db"]),
    (Sets(Setting::TlsAuthority), &["ssl-ca", "sslca", "ssl_ca"]),
    (Sets(Setting::TlsCertificate), &["ssl-cert", "sslcert"]),
    (Sets(Setting::TlsKey), &["ssl-key", "sslkey"]),
    (Sets(Setting::DefaultsFile), &["read_default_file", "defaults-file"]),
    (
        Tls,
        &[
            "ssl-mode",
            "sslmode",
            "ssl",
            "tls",
            "useSSL",
            "requireSSL",
            "verifyServerCertificate",
            "ssl_verify_cert",
            "ssl_verify_identity",
            "ssl-verify-server-cert",
            "sslverify",
            "ssl_disabled",
            "sslaccept",
        ],
    ),
    (
        NoEffect,
        &[
            "timezone",
            "time-zone",
            "serverTimezone",
            "parseTime",
            "loc",
            "local_infile",
            "init_command",
            "sql_mode",
            "strict",
            "program_name",
            "read_default_group",
            "default-auth",
            "allowPublicKeyRetrieval",
            "zeroDateTimeBehavior",
            "multiStatements",
            "decimalNumbers",
            "dateStrings",
        ],
    ),
    (Demands, &["ssl-crl", "ssl-crlpath", "ssl-capath", "ssl-cipher", "tls-version", "sslidentity", "sslpassword"]),
];

fn tables(client: Client) -> [Table; 2] {
    match client {
        Client::Libpq => [ALL, LIBPQ],
        Client::Mysql => [ALL, MYSQL],
        Client::File | Client::Url => [&[], &[]],
    }
}

fn rows(client: Client) -> impl Iterator<Item = &'static (Meaning, &'static [&'static str])> {
    tables(client).into_iter().flatten()
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Returns the meaning of a parameter, if it is known.
pub(super) fn meaning(client: Client, name: &str) -> Option<Meaning> {
    let name = plain(name);
    let row = rows(client).find(|(_, names)| names.iter().any(|known| plain(known) == name));
    row.map(|(meaning, _)| *meaning)
}

/// Returns the names of all parameters that have a meaning.
pub(super) fn known(client: Client) -> Vec<&'static str> {
    let used = rows(client).filter(|(meaning, _)| matches!(meaning, Sets(_) | Tls));
    used.flat_map(|(_, names)| names.iter().copied()).collect()
}

/// Returns the names that help texts show: one for each meaning.
pub(super) fn shown(client: Client) -> Vec<&'static str> {
    let used = rows(client).filter(|(meaning, _)| matches!(meaning, Sets(_) | Tls));
    used.filter_map(|(_, names)| names.first().copied()).collect()
}

/// Returns the mode of encryption for a parameter, or `None` if it cannot have this value.
pub(super) fn tls_mode(client: Client, name: &str, value: &str, is_java: bool) -> Option<TlsMode> {
    let (name, value) = (plain(name), value.to_ascii_lowercase());
    let is_on = match value.as_str() {
        "true" | "1" | "yes" | "on" | "" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    };
    let on_or_off = |on: TlsMode, off: TlsMode| is_on.map(|is_on| if is_on { on } else { off });
    let demanded = TlsMode::Require;
    match name.as_str() {
        "sslmode" | "ssl-mode" => match client {
            Client::Mysql => TlsMode::of_mysql(&value),
            _ => TlsMode::named(&value),
        },
        // Prisma.
        "sslaccept" => match value.as_str() {
            "strict" => Some(TlsMode::VerifyFull),
            "accept_invalid_certs" => Some(TlsMode::Prefer),
            _ => None,
        },
        // `{"rejectUnauthorized":true}` is the form of Node.
        "ssl" if value.starts_with('{') => {
            let is_lax = value.replace(' ', "").contains("\"rejectunauthorized\":false");
            Some(if is_lax { TlsMode::Require } else { TlsMode::VerifyFull })
        }
        // PostgreSQL's driver for Java verifies the server; its other clients do not.
        "ssl" if client == Client::Libpq && is_java => on_or_off(TlsMode::VerifyFull, TlsMode::Disable),
        "ssl" => on_or_off(demanded, TlsMode::Disable),
        "tls" if value == "skip-verify" => Some(TlsMode::Require),
        "tls" if value == "preferred" => Some(TlsMode::Prefer),
        "tls" => on_or_off(TlsMode::VerifyFull, TlsMode::Disable),
        "usessl" => on_or_off(TlsMode::Prefer, TlsMode::Disable),
        "requiressl" => on_or_off(demanded, TlsMode::Prefer),
        "ssl-disabled" => on_or_off(TlsMode::Disable, TlsMode::Prefer),
        "verifyservercertificate" | "ssl-verify-cert" => on_or_off(TlsMode::VerifyCa, TlsMode::Prefer),
        "ssl-verify-identity" | "ssl-verify-server-cert" | "sslverify" => {
            on_or_off(TlsMode::VerifyFull, TlsMode::Prefer)
        }
        _ => None,
    }
}

/// Returns the values that a parameter about encryption can have.
pub(super) fn tls_values(client: Client, name: &str) -> String {
    match (plain(name).as_str(), client) {
        ("sslmode" | "ssl-mode", Client::Mysql) => TlsMode::ALL.map(TlsMode::mysql_name).join(", "),
        ("sslmode" | "ssl-mode", _) => TlsMode::ALL.map(TlsMode::name).join(", "),
        ("sslaccept", _) => "strict or accept_invalid_certs".to_owned(),
        _ => "true or false".to_owned(),
    }
}
