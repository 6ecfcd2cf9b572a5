//! Parses the path or the URL of a database, without opening it. Only the engine receives the password; no text that is
//! shown contains it.

use std::path::Path;
use std::path::PathBuf;

use crate::model::catalog::Engine;
use crate::model::facts::Location;

/// The location of a database, and the engine that opens it. Of two related engines, the server reports which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File { engine: Engine, path: PathBuf },
    Server { engine: Engine, address: Address },
}

/// The URL of a server. Its text forms contain neither the password nor other parts that may contain one.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: String,
}

impl Address {
    /// Returns the URL with its password. Only the engine uses it, to connect.
    pub fn secret(&self) -> &str {
        &self.url
    }

    /// Returns the text of a driver or a server with every occurrence of the password masked.
    pub fn censored(&self, text: &str) -> String {
        let mut censored = text.to_owned();
        for secret in self.secrets() {
            censored = censored.replace(&secret, "***");
        }
        censored
    }

    /// Returns the parameters after the question mark: names and values.
    pub fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        self.written_parameters().map(|(name, value)| (percent_decoded(name), percent_decoded(value)))
    }

    pub fn has_password(&self) -> bool {
        self.parts().password.is_some()
    }

    fn written_parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        // The password may contain a question mark.
        let after = self.url.rfind('@').map_or(self.url.as_str(), |at| &self.url[at..]);
        let query = after.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// Returns the passwords of the URL, each as written and percent-decoded.
    fn secrets(&self) -> Vec<String> {
        let in_authority = self.parts().password.map(str::to_owned);
        let in_query = self.written_parameters().filter(|(name, _)| name.contains("password"));
        let in_query = in_query.map(|(_, value)| value.to_owned());
        let mut secrets: Vec<String> = in_authority.into_iter().chain(in_query).collect();
        secrets.extend_from_within(..);
        let half = secrets.len() / 2;
        secrets[half..].iter_mut().for_each(|secret| *secret = percent_decoded(secret));
        secrets.retain(|secret| !secret.is_empty());
        secrets
    }

    fn parts(&self) -> Parts<'_> {
        let (scheme, rest) = self.url.split_once("://").unwrap_or((self.url.as_str(), ""));
        let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // A password may contain an unescaped @, so the last @ ends it.
        let (authority, path) = match rest.rfind('@') {
            Some(at) if at > authority_ends && !rest[..at].contains('?') => {
                let ends = rest[at..].find(['/', '?', '#']).map_or(rest.len(), |length| at + length);
                rest.split_at(ends)
            }
            _ => rest.split_at(authority_ends),
        };
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user, None),
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        Parts { scheme, user, password, host, path }
    }
}

struct Parts<'a> {
    scheme: &'a str,
    user: &'a str,
    password: Option<&'a str>,
    host: &'a str,
    path: &'a str,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Parts { scheme, user, host, path, .. } = self.parts();
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        write!(f, "{scheme}://{user}{host}{path}")
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Each message reads well after "could not".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("choose a database")]
    Missing,
    #[error("parse the database's URL")]
    NotAUrl { scheme: String },
    #[error("open a {scheme} database")]
    NoEngine { scheme: String },
}

impl SourceError {
    pub fn because(&self) -> String {
        match self {
            SourceError::Missing => "no DB was given and DATABASE_URL is not set".to_owned(),
            SourceError::NotAUrl { scheme } => format!("{scheme}: must be followed by //"),
            SourceError::NoEngine { scheme } => format!("fk-doctor has no engine for {scheme}"),
        }
    }

    pub fn help(&self) -> String {
        match self {
            SourceError::Missing => "name the database, for example: fk-doctor scan app.db".to_owned(),
            SourceError::NotAUrl { scheme } => format!("write {scheme}://USER@HOST/DATABASE"),
            SourceError::NoEngine { .. } => forms(),
        }
    }
}

/// Returns every form in which a database can be named, as a help text.
fn forms() -> String {
    let at = |location| Engine::ALL.iter().map(|engine| engine.facts()).filter(move |facts| facts.location == location);
    let titles: Vec<&str> = at(Location::File).map(|facts| facts.title).collect();
    let schemes = at(Location::Server).filter_map(|facts| facts.schemes.first());
    let urls: Vec<String> = schemes.map(|scheme| format!("{scheme}://USER@HOST/DATABASE")).collect();
    format!("give the path of a database of {}, or a URL: {}", titles.join(" or "), urls.join(", "))
}

impl Source {
    /// Parses a path, `sqlite:PATH`, or a URL of an engine.
    pub fn parse(text: &str) -> Result<Source, SourceError> {
        if text.is_empty() {
            return Err(SourceError::Missing);
        }
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let Some(engine) = engine_of(scheme) else {
            return match unknown_scheme(text) {
                // Any other URL may contain a password too. It is not treated as a path, because errors show paths.
                Some(scheme) => Err(SourceError::NoEngine { scheme: scheme.to_owned() }),
                None => of_path(text),
            };
        };
        match engine.facts().location {
            Location::File => Ok(Source::File { engine, path: PathBuf::from(path_of(&text[scheme.len() + 1..])) }),
            Location::Server if text[scheme.len()..].starts_with("://") => {
                Ok(Source::Server { engine, address: Address { url: text.to_owned() } })
            }
            Location::Server => Err(SourceError::NotAUrl { scheme: scheme.to_owned() }),
        }
    }

    pub fn engine(&self) -> Engine {
        match self {
            Source::File { engine, .. } | Source::Server { engine, .. } => *engine,
        }
    }

    /// Returns the path, if the database is a file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Source::File { path, .. } => Some(path),
            Source::Server { .. } => None,
        }
    }
}

/// The path, or the URL without its password.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::File { path, .. } => path.display().fmt(f),
            Source::Server { address, .. } => address.fmt(f),
        }
    }
}

/// Returns the source for a path without a scheme, which belongs to the engine whose databases are files.
fn of_path(path: &str) -> Result<Source, SourceError> {
    let engine = Engine::ALL.iter().copied().find(|engine| engine.facts().location == Location::File);
    let engine = engine.ok_or_else(|| SourceError::NoEngine { scheme: "file".to_owned() })?;
    Ok(Source::File { engine, path: PathBuf::from(path) })
}

/// Returns the engine whose URLs have a scheme.
fn engine_of(scheme: &str) -> Option<Engine> {
    Engine::ALL.iter().copied().find(|engine| engine.facts().schemes.contains(&scheme))
}

fn unknown_scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let is_scheme = scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+.-".contains(character));
    (is_scheme && scheme.starts_with(|first: char| first.is_ascii_alphabetic())).then_some(scheme)
}

/// Returns the path that follows a file's scheme, in the forms that other tools write: `PATH`, `//PATH?mode=…`.
fn path_of(rest: &str) -> &str {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    path.split_once('?').map_or(path, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_distinguished_from_url() {
        let sqlite = |path: &str| Ok(Source::File { engine: Engine::Sqlite, path: PathBuf::from(path) });
        assert_eq!(Source::parse("a b.db"), sqlite("a b.db"));
        assert_eq!(Source::parse("sqlite:a.db"), sqlite("a.db"));
        assert_eq!(Source::parse("sqlite://a.db?mode=rwc"), sqlite("a.db"));
        assert_eq!(Source::parse("sqlite:///tmp/a.db"), sqlite("/tmp/a.db"));
        assert_eq!(Source::parse("file:a.db?immutable=1"), sqlite("a.db"));
        assert_eq!(Source::parse("./sqlite:a.db"), sqlite("./sqlite:a.db"));
        assert_eq!(Source::parse(""), Err(SourceError::Missing));
        assert_eq!(Source::parse("./odd://a.db"), sqlite("./odd://a.db"));
        assert_eq!(Source::parse("Oracle://u:secret@h/d"), Err(SourceError::NoEngine { scheme: "Oracle".to_owned() }));
        let engine = |url: &str| Source::parse(url).map(|source| source.engine());
        assert_eq!(engine("postgresql://h/d"), Ok(Engine::Postgres));
        assert_eq!(engine("mariadb://h/d"), Ok(Engine::Mariadb));
        assert!(matches!(Source::parse("mysql:d"), Err(SourceError::NotAUrl { .. })));
    }

    #[test]
    fn help_for_an_unknown_scheme_lists_every_engine() {
        let help = SourceError::NoEngine { scheme: "oracle".to_owned() }.help();
        for facts in Engine::ALL.iter().map(|engine| engine.facts()) {
            assert!(help.contains(facts.title) || help.contains(facts.schemes[0]), "{help}");
        }
    }

    #[test]
    fn password_is_never_shown() {
        for (url, shown) in [
            ("postgres://u:hunter2@h:5432/d?sslmode=require", "postgres://u@h:5432/d"),
            ("postgres://u@h/d?password=hunter2", "postgres://u@h/d"),
            ("mysql://u:hunter2@h", "mysql://u@h"),
            ("postgres:///d?host=/run&password=hunter2", "postgres:///d"),
            ("postgres://u:hun%74er2@h/d", "postgres://u@h/d"),
            ("postgres://u:hunter2@hunter2@h/d", "postgres://u@h/d"),
            ("postgres://u:hunter2/x@h/d", "postgres://u@h/d"),
        ] {
            let address = Address { url: url.to_owned() };
            assert_eq!(format!("{address} {address:?}"), format!("{shown} {shown}"));
            assert!(!address.censored(url).contains("hun"), "{url}");
        }
        let escaped = Address { url: "postgres://u:hun%74er2@h/d".to_owned() };
        assert_eq!(escaped.censored("error: hunter2"), "error: ***");
        assert_eq!(Address { url: "postgres://u:@h/d".to_owned() }.censored("abc"), "abc");
        let address = Address { url: "mysql://u:a?b=c@h/d?socket=%2Frun&ssl-mode=REQUIRED".to_owned() };
        let parameters: Vec<String> = address.parameters().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(parameters, ["socket /run", "ssl-mode REQUIRED"]);
    }
}
