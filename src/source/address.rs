//! The address of a database on a server. Its text forms contain neither the password nor a parameter without effect.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

use super::SourceError;
use super::Surroundings;
use super::settings::Given;
use super::settings::Setting;
use super::settings::Settings;
use super::several_servers::WantedServer;
use crate::model::catalog::Engine;
use crate::model::facts::Client;
use crate::model::facts::Location;

/// The encryption of a connection, the strictest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl TlsMode {
    pub const ALL: [TlsMode; 5] =
        [TlsMode::Disable, TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull];

    /// Returns the name that PostgreSQL uses.
    pub fn name(self) -> &'static str {
        match self {
            TlsMode::Disable => "disable",
            TlsMode::Prefer => "prefer",
            TlsMode::Require => "require",
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyFull => "verify-full",
        }
    }

    /// Returns the name that MySQL uses.
    pub fn mysql_name(self) -> &'static str {
        match self {
            TlsMode::Disable => "DISABLED",
            TlsMode::Prefer => "PREFERRED",
            TlsMode::Require => "REQUIRED",
            TlsMode::VerifyCa => "VERIFY_CA",
            TlsMode::VerifyFull => "VERIFY_IDENTITY",
        }
    }

    pub(super) fn named(name: &str) -> Option<TlsMode> {
        TlsMode::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Parses the modes of the clients of MySQL and MariaDB, without case.
    pub(super) fn of_mysql(name: &str) -> Option<TlsMode> {
        let name = name.replace('_', "-");
        let is_named = |mode: &TlsMode| mode.mysql_name().to_ascii_lowercase().replace('_', "-") == name;
        let of_mariadb = || if name == "trust" { Some(TlsMode::Require) } else { TlsMode::named(&name) };
        TlsMode::ALL.into_iter().find(is_named).or_else(of_mariadb)
    }
}

/// The encryption of a connection, and the files that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    pub mode: Option<TlsMode>,
    /// The file with the certificates of the authorities that are trusted.
    pub authority: Option<String>,
    pub certificate: Option<String>,
    pub key: Option<String>,
}

/// The address of a database on a server. A part is `None` if the driver's default applies.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub engine: Engine,
    /// A name, an IP address, or the folder of a Unix socket.
    pub host: Option<String>,
    /// The IP address to which to connect, if the host is only a name.
    pub host_address: Option<String>,
    pub port: Option<u16>,
    /// The path of a Unix socket.
    pub socket: Option<PathBuf>,
    pub user: Option<String>,
    pub database: Option<String>,
    pub tls: Tls,
    pub connect_timeout: Option<Duration>,
    /// The greatest number of connections that may be open at once.
    pub connections: Option<usize>,
    /// Names and values of the server's settings.
    pub options: Vec<(String, String)>,
    pub application_name: Option<String>,
    /// The server that is wanted of this one and the others.
    pub wanted: WantedServer,
    /// The other servers that the address names, in its order. They are tried if this one does not answer or is not
    /// the wanted one.
    pub others: Vec<Address>,
    password: Option<String>,
    written: String,
}

/// The parts of a cluster's address.
#[derive(Default)]
pub(super) struct ClusterParts {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) uses_tls: bool,
    pub(super) user: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) token: Option<String>,
    /// The headers of every request. Their values may be secrets.
    pub(super) headers: Vec<(String, String)>,
}

impl Address {
    /// Returns the address of a cluster. Its token is the password, and its headers are the options.
    pub(super) fn of_cluster(engine: Engine, scheme: &str, parts: ClusterParts) -> Address {
        let host = if parts.host.contains(':') { format!("[{}]", parts.host) } else { parts.host.clone() };
        let port = parts.port.map(|port| format!(":{port}")).unwrap_or_default();
        let escaped = |text: &String| utf8_percent_encode(text, ESCAPED_IN_PARAMETER).to_string();
        let tls = parts.uses_tls.then(|| ";use_ssl=true".to_owned());
        let user = parts.user.as_ref().map(|user| format!(";user_id={}", escaped(user)));
        let agent = parts.user_agent.as_ref().map(|agent| format!(";user_agent={}", escaped(agent)));
        let parameters: String = [tls, user, agent].into_iter().flatten().collect();
        let slash = if parameters.is_empty() { "" } else { "/" };
        Address {
            engine,
            host: Some(parts.host),
            wanted: WantedServer::default(),
            others: Vec::new(),
            host_address: None,
            port: parts.port,
            socket: None,
            user: parts.user,
            database: None,
            tls: Tls { mode: parts.uses_tls.then_some(TlsMode::VerifyFull), ..Tls::default() },
            connect_timeout: None,
            connections: None,
            options: parts.headers,
            application_name: parts.user_agent,
            password: parts.token,
            written: format!("{scheme}://{host}{port}{slash}{parameters}"),
        }
    }

    /// Returns the password. Only the engine uses it, to connect.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Returns the text of a driver or a server with every occurrence of a secret masked.
    pub fn censored(&self, text: &str) -> String {
        let is_cluster = self.engine.facts().location == Location::Cluster;
        let headers = self.options.iter().filter(|_| is_cluster).map(|(_, value)| value.as_str());
        let secrets = self.password.as_deref().into_iter().chain(headers).filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| {
            let escaped = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
            text.replace(secret, "***").replace(&escaped, "***")
        })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ESCAPED_IN_PARAMETER: &AsciiSet = &ESCAPED.remove(b'/').remove(b':').remove(b',');

/// Returns a URL with all settings of an address that have an effect, except the password.
pub(super) fn written(scheme: &str, settings: &Settings) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let is_folder = settings.get(Setting::Host).is_some_and(|host| host.starts_with('/'));
    // Several hosts and their ports are lists, which are parameters.
    let is_list = settings.get(Setting::Host).is_some_and(|host| host.contains(','));
    let mut url = format!("{scheme}://");
    if let Some(user) = settings.get(Setting::User) {
        url.push_str(&format!("{}@", escaped(user)));
    }
    match settings.get(Setting::Host).filter(|_| !is_folder && !is_list) {
        Some(host) if host.contains(':') => url.push_str(&format!("[{host}]")),
        Some(host) => url.push_str(&utf8_percent_encode(host, ESCAPED_IN_PARAMETER).to_string()),
        None => {}
    }
    let has_host = settings.get(Setting::Host).is_some() && !is_folder && !is_list;
    if let Some(port) = settings.get(Setting::Port).filter(|_| has_host) {
        url.push_str(&format!(":{port}"));
    }
    if let Some(database) = settings.get(Setting::Database) {
        url.push_str(&format!("/{}", escaped(database)));
    }
    let parameters = settings.given().filter(|(setting, _)| match setting {
        Setting::User | Setting::Password | Setting::Database => false,
        Setting::Host => is_folder || is_list,
        Setting::Port => !has_host,
        _ => true,
    });
    let parameter = |(setting, given): (Setting, &Given)| {
        // The parts of a URL have no names of their own, and a mode of encryption has many.
        let name = match setting {
            Setting::Host => "host",
            Setting::Port => "port",
            Setting::Tls if settings.engine().facts().client == Client::Mysql => "ssl-mode",
            Setting::Tls => "sslmode",
            _ => &given.name,
        };
        let value = match (setting, settings.engine().facts().client) {
            (Setting::Tls, Client::Mysql) => TlsMode::named(&given.value).map_or("", TlsMode::mysql_name),
            _ => &given.value,
        };
        format!("{name}={}", utf8_percent_encode(value, ESCAPED_IN_PARAMETER))
    };
    let parameters: Vec<String> = parameters.map(parameter).collect();
    if !parameters.is_empty() {
        url.push_str(&format!("?{}", parameters.join("&")));
    }
    url
}

/// Returns the address with all its settings, which are checked here.
pub(super) fn built(
    written: String,
    settings: &mut Settings,
    surroundings: &Surroundings<'_>,
) -> Result<Address, SourceError> {
    let engine = settings.engine();
    let mut values: std::collections::BTreeMap<Setting, Given> =
        settings.given().map(|(setting, given)| (setting, given.clone())).collect();
    let mut take = |setting| values.remove(&setting);
    let text = |given: Option<Given>| given.map(|given| given.value).filter(|value| !value.is_empty());
    let host = text(take(Setting::Host));
    if let Some(host) = host.as_ref().filter(|host| host.contains(',')) {
        let scheme = engine.facts().schemes.first().copied().unwrap_or_default().to_owned();
        return Err(SourceError::SeveralServers { found: host.clone(), scheme });
    }
    let wanted = |given: Given| WantedServer::named(&given.value).ok_or_else(|| wrong(&given, WantedServer::EXPECTED));
    let wanted = take(Setting::WantedServer).map(wanted).transpose()?.unwrap_or_default();
    let port = take(Setting::Port).map(|given| number(&given, 1..=u16::MAX.into(), "a number from 1 to 65535"));
    let timeout = take(Setting::ConnectTimeout).map(connect_timeout).transpose()?;
    let connections = take(Setting::Connections).map(|given| number(&given, 1..=u32::MAX.into(), "a number from 1 up"));
    let options = take(Setting::Options).map(|given| options(&given)).transpose()?.unwrap_or_default();
    let file = |given: Option<Given>| given.map(|given| existing_file(given, surroundings)).transpose();
    let mode = take(Setting::Tls).and_then(|given| TlsMode::named(&given.value));
    let tls = Tls {
        mode,
        authority: file(take(Setting::TlsAuthority))?,
        certificate: file(take(Setting::TlsCertificate))?,
        key: file(take(Setting::TlsKey))?,
    };
    if let Some(schema) = text(take(Setting::Schema)).filter(|schema| schema != "public") {
        settings.note(format!(
            "the address names the schema {schema}, and every schema is checked; to check only this one, add: --table '{}.*'",
            schema.split(',').next().unwrap_or_default()
        ));
    }
    Ok(Address {
        engine,
        host,
        host_address: text(take(Setting::HostAddress)),
        port: port.transpose()?.and_then(|port| u16::try_from(port).ok()),
        socket: text(take(Setting::Socket)).map(|path| surroundings.expanded(&path)),
        user: text(take(Setting::User)),
        database: text(take(Setting::Database)),
        tls,
        connect_timeout: timeout.flatten(),
        connections: connections.transpose()?.and_then(|connections| usize::try_from(connections).ok()),
        options,
        application_name: text(take(Setting::ApplicationName)),
        wanted,
        others: Vec::new(),
        password: take(Setting::Password).map(|given| given.value),
        written,
    })
}

fn wrong(given: &Given, expected: &str) -> SourceError {
    SourceError::WrongValue {
        from: given.from.clone(),
        name: given.name.clone(),
        value: format!("\"{}\"", given.value),
        expected: expected.to_owned(),
    }
}

fn number(given: &Given, allowed: std::ops::RangeInclusive<u64>, expected: &str) -> Result<u64, SourceError> {
    let number = given.value.trim().parse().ok().filter(|number| allowed.contains(number));
    number.ok_or_else(|| wrong(given, expected))
}

/// Returns the longest wait for a connection. Zero and negative numbers mean no limit of the user's own. MySQL's driver
/// for Java counts milliseconds.
fn connect_timeout(given: Given) -> Result<Option<Duration>, SourceError> {
    let is_milliseconds = given.name == "connectTimeout";
    let expected = if is_milliseconds { "whole milliseconds, such as 5000" } else { "whole seconds, such as 5" };
    let number: i64 = given.value.trim().parse().map_err(|_| wrong(&given, expected))?;
    let number = u64::try_from(number).unwrap_or(0);
    // PostgreSQL's driver for Java gives seconds under the same name; nobody waits an hour.
    let duration =
        if is_milliseconds && number >= 1000 { Duration::from_millis(number) } else { Duration::from_secs(number) };
    Ok(Some(duration).filter(|duration| !duration.is_zero()))
}

/// Parses the options of a PostgreSQL session: `-c work_mem=64MB --geqo=off`. A backslash escapes a space.
fn options(given: &Given) -> Result<Vec<(String, String)>, SourceError> {
    let mut words = vec![String::new()];
    let mut characters = given.value.chars();
    while let Some(character) = characters.next() {
        let word = words.last_mut();
        match (character, word) {
            ('\\', Some(word)) => word.extend(characters.next()),
            (space, _) if space.is_whitespace() => words.push(String::new()),
            (other, Some(word)) => word.push(other),
            (_, None) => {}
        }
    }
    let expected = "settings of the server, such as \"-c work_mem=64MB\"";
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        let assignment = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(assignment), _) => assignment.to_owned(),
            (None, Some("")) => words.next().unwrap_or_default(),
            (None, Some(assignment)) => assignment.to_owned(),
            (None, None) => return Err(wrong(given, expected)),
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| wrong(given, expected))?;
        options.push((name.to_owned(), value.to_owned()));
    }
    Ok(options)
}

/// Returns the path of a file that exists, or the certificate itself.
fn existing_file(given: Given, surroundings: &Surroundings<'_>) -> Result<String, SourceError> {
    if given.value.starts_with("-----BEGIN") {
        return Ok(given.value);
    }
    let path = surroundings.expanded(&given.value);
    match (surroundings.read)(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(SourceError::Unreadable {
            name: given.name,
            path: surroundings.shown(&path),
            why: "there is no such file".to_owned(),
        }),
        _ => Ok(path.to_string_lossy().into_owned()),
    }
}
