//! Finds out which form an address has: a path, a URL of an engine, or parameters.

use std::borrow::Cow;

use super::SourceError;
use super::postgres::parameter_text;
use crate::model::catalog::Engine;
use crate::model::facts::Location;

/// The form of an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Path(&'a str),
    /// `rest` follows the scheme and its colon.
    File {
        engine: Engine,
        scheme: String,
        rest: &'a str,
    },
    /// `rest` follows the scheme and its colon.
    Folder {
        engine: Engine,
        rest: &'a str,
    },
    /// `rest` follows `://`.
    Url {
        engine: Engine,
        scheme: String,
        rest: Cow<'a, str>,
        is_jdbc: bool,
    },
    /// `rest` follows `://`.
    Cluster {
        engine: Engine,
        scheme: String,
        rest: &'a str,
    },
    /// `host=… dbname=…`
    Parameters(&'a str),
}

/// The prefixes of addresses in Java programs. The address of an engine follows.
const JAVA: [&str; 3] = ["jdbc:", "r2dbc:", "jdbc:aws-wrapper:"];

pub(super) fn target(text: &str) -> Result<Target<'_>, SourceError> {
    let java = JAVA.iter().filter(|prefix| has_prefix(text, prefix)).map(|prefix| prefix.len()).max();
    let inner = &text[java.unwrap_or(0)..];
    let is_jdbc = java.is_some();
    let Some((written, rest)) = inner.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return match (is_jdbc, parameter_text::is_written_in(text)) {
            (true, _) => Err(SourceError::NoEngine { scheme: inner.chars().take_while(|c| *c != ':').collect() }),
            (false, true) => Ok(Target::Parameters(text)),
            (false, false) => Ok(Target::Path(text)),
        };
    };
    let scheme = written.to_ascii_lowercase();
    // SQLAlchemy adds the driver after a plus sign.
    let scheme = scheme.split('+').next().unwrap_or_default().to_owned();
    let Some(engine) = engine_of(&scheme) else {
        return match (is_jdbc || rest.starts_with("//"), parameter_text::is_written_in(text)) {
            // Any other URL may contain a password too. It is not treated as a path, because errors show paths.
            (true, _) => Err(SourceError::NoEngine { scheme }),
            (false, true) => Ok(Target::Parameters(text)),
            (false, false) => Ok(Target::Path(text)),
        };
    };
    match (engine.facts().location, rest.strip_prefix("//")) {
        (Location::File, _) => Ok(Target::File { engine, scheme, rest }),
        (Location::Folder, _) => Ok(Target::Folder { engine, rest }),
        (Location::Server, Some(rest)) => Ok(Target::Url { engine, scheme, rest: rest.into(), is_jdbc }),
        (Location::Cluster, Some(rest)) => Ok(Target::Cluster { engine, scheme, rest }),
        (Location::Cluster, None) => Err(SourceError::NotAUrl { scheme }),
        (Location::Server, None) if is_jdbc => java_url(engine, scheme, rest),
        (Location::Server, None) => Err(SourceError::NotAUrl { scheme }),
    }
}

/// Returns the target of `jdbc:postgresql:DATABASE`. Other forms try several servers.
fn java_url(engine: Engine, scheme: String, rest: &str) -> Result<Target<'_>, SourceError> {
    if let Some((mode, _)) = rest.split_once("://") {
        return Err(SourceError::SeveralServers { found: format!("{scheme}:{mode}"), scheme });
    }
    let name_ends = rest.find('?').unwrap_or(rest.len());
    if rest.is_empty() || rest[..name_ends].contains(['/', '@', ':']) {
        return Err(SourceError::NotAUrl { scheme });
    }
    Ok(Target::Url { engine, scheme, rest: format!("/{rest}").into(), is_jdbc: true })
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// True for the name of a scheme. A single letter is a drive of Windows.
fn is_scheme(text: &str) -> bool {
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || "+.-".contains(character);
    text.len() > 1 && text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(is_of_name)
}

/// Returns the engine whose URLs have a scheme.
fn engine_of(scheme: &str) -> Option<Engine> {
    Engine::ALL.iter().copied().find(|engine| engine.facts().schemes.contains(&scheme))
}
