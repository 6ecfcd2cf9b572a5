//! Which database is meant: a path or a URL, understood but not opened. Passwords never leave this file in text.

use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Sqlite(PathBuf),
}

/// Reads after "could not".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("tell which database is meant")]
    Missing,
    #[error("open a {scheme} database")]
    NoEngine { scheme: String },
}

impl SourceError {
    pub fn because(&self) -> String {
        match self {
            SourceError::Missing => "no DB was given and DATABASE_URL is not set".to_owned(),
            SourceError::NoEngine { scheme } => format!("this build has no engine for {scheme}"),
        }
    }

    pub fn help(&self) -> &'static str {
        match self {
            SourceError::Missing => "name one: fk-doctor scan app.db",
            SourceError::NoEngine { .. } => "give the path of a SQLite database, or sqlite:PATH",
        }
    }
}

impl Source {
    /// A path, `sqlite:PATH`, or a URL of an engine.
    pub fn parse(text: &str) -> Result<Source, SourceError> {
        if text.is_empty() {
            return Err(SourceError::Missing);
        }
        for scheme in ["postgres", "postgresql", "mysql", "mariadb"] {
            if text.starts_with(&format!("{scheme}:")) {
                return Err(SourceError::NoEngine { scheme: scheme.to_owned() });
            }
        }
        // Any other URL may hold a password too: it is never taken for a path, which errors would show.
        match unknown_scheme(text) {
            Some(scheme) => Err(SourceError::NoEngine { scheme: scheme.to_owned() }),
            None => Ok(Source::Sqlite(PathBuf::from(sqlite_path(text)))),
        }
    }
}

fn unknown_scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let is_scheme = scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+.-".contains(character));
    (is_scheme
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && !["sqlite", "file"].contains(&scheme))
    .then_some(scheme)
}

/// `sqlite:PATH`, and the forms that other tools write: `sqlite://PATH?mode=…`, `file:PATH?…`.
fn sqlite_path(text: &str) -> &str {
    let url = text.strip_prefix("sqlite:").or_else(|| text.strip_prefix("file:"));
    let Some(rest) = url else { return text };
    let path = rest.strip_prefix("//").unwrap_or(rest);
    path.split_once('?').map_or(path, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_told_apart() {
        let sqlite = |path: &str| Ok(Source::Sqlite(PathBuf::from(path)));
        assert_eq!(Source::parse("a b.db"), sqlite("a b.db"));
        assert_eq!(Source::parse("sqlite:a.db"), sqlite("a.db"));
        assert_eq!(Source::parse("sqlite://a.db?mode=rwc"), sqlite("a.db"));
        assert_eq!(Source::parse("sqlite:///tmp/a.db"), sqlite("/tmp/a.db"));
        assert_eq!(Source::parse("file:a.db?immutable=1"), sqlite("a.db"));
        assert_eq!(Source::parse("./sqlite:a.db"), sqlite("./sqlite:a.db"));
        assert_eq!(Source::parse(""), Err(SourceError::Missing));
        assert_eq!(Source::parse("./odd://a.db"), sqlite("./odd://a.db"));
        assert_eq!(Source::parse("Oracle://u:secret@h/d"), Err(SourceError::NoEngine { scheme: "Oracle".to_owned() }));
        assert!(matches!(Source::parse("mysql://u:secret@h/d"), Err(SourceError::NoEngine { .. })));
    }
}
