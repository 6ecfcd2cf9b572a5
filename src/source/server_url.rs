//! Splits the URL of a server into its parts. A character that programs understand differently is an error.

use percent_encoding::percent_decode_str;

use super::SourceError;
use super::cluster;
use super::settings::Setting;
use super::settings::Settings;
use crate::model::catalog::Engine;
use crate::model::facts::Client;
use crate::model::facts::Location;

/// The ends of the part with user and host.
const ENDS: [char; 3] = ['/', '?', '#'];

/// Reads the URL `scheme://rest` into settings.
pub(super) fn read(scheme: &str, rest: &str, settings: &mut Settings) -> Result<(), SourceError> {
    refuse_unescaped(scheme, rest, settings.engine().facts().client)?;
    let authority_ends = rest.find(ENDS).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_ends);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
    let (hosts, ports) = hosts_and_ports(host);
    let (host, port) = (hosts.as_str(), ports.as_deref());
    for (setting, name, part) in [
        (Setting::User, "user", Some(user)),
        (Setting::Host, "host", Some(host)),
        (Setting::Database, "database", Some(path.trim_matches('/'))),
    ] {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            settings.set(setting, name, decoded(part));
        }
    }
    if let Some(password) = password {
        settings.set(Setting::Password, "password", decoded(password));
    }
    if let Some(port) = port.filter(|port| !port.is_empty()) {
        if !port.chars().all(|character| character.is_ascii_digit() || character == ',') {
            return Err(SourceError::Port { scheme: scheme.to_owned() });
        }
        settings.set(Setting::Port, "port", port);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(SourceError::NoValue)?;
        settings.add_parameter(&decoded(name), &decoded(value))?;
    }
    socket_of_host(settings);
    Ok(())
}

/// MySQL's libraries write the path of a socket as an escaped host.
fn socket_of_host(settings: &mut Settings) {
    let is_mysql = settings.engine().facts().client == Client::Mysql;
    let Some(path) = settings.get(Setting::Host).filter(|host| is_mysql && host.starts_with('/')) else { return };
    let path = path.to_owned();
    settings.set(Setting::Socket, "socket", path);
    settings.set(Setting::Host, "host", "localhost");
}

/// Returns the hosts and their ports. Those of several servers are lists: `a:1,b` has the ports `1,`.
fn hosts_and_ports(text: &str) -> (String, Option<String>) {
    let each: Vec<(&str, Option<&str>)> = text.split(',').map(host_and_port).collect();
    let hosts: Vec<&str> = each.iter().map(|(host, _)| *host).collect();
    let has_port = each.iter().any(|(_, port)| port.is_some_and(|port| !port.is_empty()));
    let ports: Vec<&str> = each.iter().map(|(_, port)| port.unwrap_or_default()).collect();
    (hosts.join(","), has_port.then(|| ports.join(",")))
}

/// Returns the host without the brackets of an IPv6 address, and the port.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn refuse_unescaped(scheme: &str, rest: &str, client: Client) -> Result<(), SourceError> {
    let Some((part, character)) = unescaped(rest) else { return Ok(()) };
    Err(SourceError::Unescaped {
        part,
        character,
        shown: masked(&format!("{scheme}://{rest}")),
        count: rest.matches('@').count(),
        variable: if client == Client::Mysql { "MYSQL_PWD" } else { "PGPASSWORD" },
    })
}

/// Returns the character that should be escaped, and the part of the URL that contains it.
fn unescaped(rest: &str) -> Option<(&'static str, char)> {
    let authority_ends = rest.find(ENDS).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(authority_ends);
    match authority.matches('@').count() {
        0 => {
            let ends_early = login_ends_early(authority, after);
            if let Some(character) = after.chars().next().filter(|_| ends_early) {
                return Some(("password in the URL", character));
            }
        }
        1 => {}
        _ => {
            let user_ends = authority.find(':').unwrap_or(authority.len());
            let is_of_user = authority.find('@').is_some_and(|at| at < user_ends);
            return Some((if is_of_user { "user name in the URL" } else { "password in the URL" }, '@'));
        }
    }
    after.contains('#').then_some(("URL", '#'))
}

/// True if the text before a `/`, `?` or `#` is the beginning of a login: `user:pass/word@host`.
fn login_ends_early(authority: &str, after: &str) -> bool {
    let Some((_, port)) = authority.split_once(':').filter(|_| !authority.starts_with('[')) else { return false };
    let Some((before, host)) = after.rsplit_once('@') else { return false };
    let is_port = port.chars().all(|digit| digit.is_ascii_digit());
    // A database may have an @ in its name, but hardly a path behind it.
    !is_port || (host.contains('/') && !before.contains('?'))
}

/// Returns an address, or any other text, with `***` for its passwords.
pub fn masked(text: &str) -> String {
    let masked = match text.split_once("://") {
        Some((scheme, rest)) if is_of_cluster(scheme) => return format!("{scheme}://{}", cluster::masked(rest)),
        Some((scheme, rest)) => format!("{scheme}://{}", with_masked_login(rest)),
        None => text.to_owned(),
    };
    with_masked_parameters(&masked)
}

fn is_of_cluster(scheme: &str) -> bool {
    let clusters = Engine::ALL.iter().map(|engine| engine.facts()).filter(|facts| facts.location == Location::Cluster);
    clusters.flat_map(|facts| facts.schemes).any(|known| scheme.eq_ignore_ascii_case(known))
}

pub(super) fn with_masked_login(rest: &str) -> String {
    let authority_ends = rest.find(ENDS).unwrap_or(rest.len());
    let at = match rest[..authority_ends].rfind('@') {
        Some(at) => Some(at),
        None if login_ends_early(&rest[..authority_ends], &rest[authority_ends..]) => rest.rfind('@'),
        None => None,
    };
    let login_ends = match at {
        Some(at) => at,
        // `user:password` without a host, or `host:port`.
        None if rest.starts_with('[') => return rest.to_owned(),
        None => authority_ends,
    };
    let Some((user, secret)) = rest[..login_ends].split_once(':') else { return rest.to_owned() };
    if at.is_none() && secret.chars().all(|digit| digit.is_ascii_digit()) {
        return rest.to_owned();
    }
    format!("{user}:{}{}", masked_pieces(secret), &rest[login_ends..])
}

/// Masks a password but keeps the characters that end a part of a URL, because a message is about them.
fn masked_pieces(secret: &str) -> String {
    let mut masked = String::new();
    for piece in secret.split_inclusive(|character| character == '@' || ENDS.contains(&character)) {
        masked.push_str("***");
        masked.extend(piece.chars().last().filter(|last| *last == '@' || ENDS.contains(last)));
    }
    if secret.ends_with(|last| last == '@' || ENDS.contains(&last)) {
        masked.push_str("***");
    }
    masked
}

/// Masks the value of every parameter whose name contains `password`, `passwd` or `pwd`.
fn with_masked_parameters(text: &str) -> String {
    let is_url = text.contains("://") || text.contains('?');
    let lower = text.to_ascii_lowercase();
    let mut masked = String::new();
    let mut at = 0;
    while let Some(found) = ["password", "passwd", "pwd"].iter().filter_map(|word| find_after(&lower, word, at)).min() {
        let value = &text[found..];
        let end = if let Some(quoted) = value.strip_prefix('\'') {
            closing_quote(quoted).map_or(value.len(), |end| end + 2)
        } else if is_url {
            value.find(['&', '#']).unwrap_or(value.len())
        } else {
            value.find(char::is_whitespace).unwrap_or(value.len())
        };
        masked.push_str(&text[at..found]);
        masked.push_str(if end == 0 { "" } else { "***" });
        at = found + end;
    }
    masked.push_str(&text[at..]);
    masked
}

/// Returns the index of the value after `word=`, from an index on.
fn find_after(text: &str, word: &str, from: usize) -> Option<usize> {
    text[from..].match_indices(word).find_map(|(at, _)| {
        let after = &text[from + at + word.len()..];
        let rest = after.trim_start();
        let value = rest.strip_prefix('=')?.trim_start();
        Some(text.len() - value.len())
    })
}

/// Returns the index of the quotation mark that ends a value. A backslash escapes the next character.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, character)| match character {
        '\'' if !is_escaped => Some(at),
        _ => {
            is_escaped = character == '\\' && !is_escaped;
            None
        }
    })
}
