//! The reasons why an address cannot be used. Each message is a whole sentence, with the reason and the next command.

use crate::model::catalog::Engine;
use crate::model::facts::Location;
use crate::model::text::shell;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("no database was given")]
    Missing,
    #[error("there is no engine for \"{scheme}\"")]
    NoEngine { scheme: String },
    #[error("\"{scheme}:\" does not begin a URL")]
    NotAUrl { scheme: String },
    #[error("\"{found}\" names several servers")]
    SeveralServers { found: String, scheme: String },
    #[error("the address names no file")]
    NoFile { scheme: String },
    #[error("there is nothing to scan in an in-memory database")]
    InMemory,
    /// `part` is the part of the URL with the character; `shown` is the URL with `***` for its password.
    #[error("the {part} has an unescaped \"{character}\"")]
    Unescaped { part: &'static str, character: char, shown: String, count: usize, variable: &'static str },
    #[error("the port in the URL is not a number")]
    Port { scheme: String },
    #[error("a parameter of the address has no value")]
    NoValue,
    /// `text` is what cannot be parsed, without its values.
    #[error("the parameters of the address cannot be read")]
    Parameters { why: String },
    /// `from` is the file or the variable with the parameter; empty if it is in the address.
    #[error("{from}there is no parameter \"{name}\"")]
    UnknownParameter { from: String, name: String, near: Option<String>, known: Vec<&'static str> },
    #[error("{from}{name} cannot be {value}")]
    WrongValue { from: String, name: String, value: String, expected: String },
    #[error("{from}fk-doctor cannot honor {name}")]
    Unsupported { from: String, name: String, instead: String },
    #[error("{name} names a file that cannot be read: {path}")]
    Unreadable { name: String, path: String, why: String },
    #[error("{file} has no service \"{service}\"{named_by}")]
    NoService { file: String, service: String, named_by: &'static str, known: Vec<String>, near: Option<String> },
    #[error("there is no file with the service \"{service}\"{named_by}")]
    NoServiceFile { service: String, named_by: &'static str, searched: Vec<String> },
    #[error("could not read {path}")]
    SettingsFile { path: String, why: String, help: String },
    #[error("the address names no database")]
    NoDatabase { shown: String },
}

/// The schemes of stores whose files fk-doctor does not fetch.
const OBJECT_STORES: [&str; 7] = ["s3", "s3a", "gs", "abfss", "az", "hdfs", "dbfs"];

impl SourceError {
    pub fn because(&self) -> String {
        match self {
            SourceError::Missing => "there is no argument, and DATABASE_URL is not set".to_owned(),
            SourceError::NoEngine { .. } => format!("fk-doctor reads {}", engines()),
            SourceError::NotAUrl { scheme } => format!("{scheme}: must be followed by //"),
            SourceError::SeveralServers { .. } => {
                "fk-doctor tries several servers only for PostgreSQL: postgres://HOST1,HOST2/DATABASE".to_owned()
            }
            SourceError::NoFile { scheme } => format!("no path follows \"{scheme}:\""),
            SourceError::InMemory => "its rows exist only inside the program that made it".to_owned(),
            SourceError::Unescaped { character: '@', shown, count, .. } => {
                format!("{shown} has {}; programs disagree where the host begins", ats(*count))
            }
            SourceError::Unescaped { part: "URL", character, shown, .. } => {
                format!("{shown}: programs ignore everything after \"{character}\"")
            }
            SourceError::Unescaped { character, shown, .. } => {
                format!("{shown}: programs take \"{character}\" for the end of the host")
            }
            SourceError::Port { .. } => "a port is a number from 1 to 65535".to_owned(),
            SourceError::NoValue => "each parameter is written NAME=VALUE, and \"&\" separates two of them".to_owned(),
            SourceError::Parameters { why } => why.clone(),
            SourceError::UnknownParameter { .. } => "a misspelled parameter would have no effect".to_owned(),
            SourceError::WrongValue { expected, .. } => format!("it can be {expected}"),
            SourceError::Unsupported { .. } => {
                "without it, the connection would be less safe than the address demands".to_owned()
            }
            SourceError::Unreadable { why, .. } | SourceError::SettingsFile { why, .. } => why.clone(),
            SourceError::NoService { known, .. } if known.is_empty() => "it has no service at all".to_owned(),
            SourceError::NoService { known, .. } => format!("it has {}", listed(known)),
            SourceError::NoServiceFile { searched, .. } => format!("fk-doctor looked for {}", listed(searched)),
            SourceError::NoDatabase { .. } => {
                "a server has many databases, and no path of the URL and no settings file names one".to_owned()
            }
        }
    }

    pub fn help(&self) -> String {
        match self {
            SourceError::Missing => "fk-doctor scan app.db".to_owned(),
            SourceError::NoEngine { scheme } if OBJECT_STORES.contains(&scheme.as_str()) => {
                "mount or copy the files, then scan their folder: fk-doctor scan lake/; or let a cluster read them: \
                 fk-doctor scan sc://HOST:15002"
                    .to_owned()
            }
            SourceError::NoEngine { .. } => "fk-doctor scan --help".to_owned(),
            SourceError::NotAUrl { scheme } if scheme == "sc" => format!("fk-doctor scan {scheme}://HOST:15002"),
            SourceError::NotAUrl { scheme } => format!("fk-doctor scan {scheme}://USER@HOST/DATABASE"),
            SourceError::SeveralServers { scheme, .. } => {
                format!("name one of them: fk-doctor scan {scheme}://USER@HOST/DATABASE")
            }
            SourceError::NoFile { scheme } => format!("fk-doctor scan {scheme}:app.db"),
            SourceError::InMemory => "save it to a file first (VACUUM INTO 'app.db'): fk-doctor scan app.db".to_owned(),
            SourceError::Unescaped { part: "URL", .. } => "write \"#\" as %23".to_owned(),
            SourceError::Unescaped { part: "password in the URL", variable, .. } => {
                format!("{ESCAPES}; or set {variable} instead")
            }
            SourceError::Unescaped { .. } => ESCAPES.to_owned(),
            SourceError::Port { scheme } => {
                format!("a user and a password stand before the host: {scheme}://USER:PASSWORD@HOST/DATABASE")
            }
            SourceError::NoValue => "write \"&\" inside a value as %26, and an empty value as NAME=".to_owned(),
            SourceError::Parameters { .. } => {
                "write it like this: fk-doctor scan \"host=localhost dbname=shop password='it\\\\'s'\"".to_owned()
            }
            SourceError::UnknownParameter { near: Some(near), .. } => format!("did you mean {near}?"),
            SourceError::UnknownParameter { known, .. } => format!("the known parameters are {}", known.join(", ")),
            SourceError::WrongValue { name, .. } => format!("correct {name}, or leave it out"),
            SourceError::Unsupported { instead, .. } => instead.clone(),
            SourceError::Unreadable { name, .. } => format!("correct the path, or leave {name} out"),
            SourceError::NoService { near: Some(near), .. } => {
                format!("PGSERVICE={} fk-doctor scan postgres://", shell(near))
            }
            SourceError::NoService { file, service, .. } => {
                format!("add it to {file}, with a line [{service}] and the lines host=…, dbname=… and user=…")
            }
            SourceError::NoServiceFile { .. } => "name the file: PGSERVICEFILE=FILE".to_owned(),
            SourceError::SettingsFile { help, .. } => help.clone(),
            SourceError::NoDatabase { shown } => format!("fk-doctor scan {}/DATABASE", shown.trim_end_matches('/')),
        }
    }
}

const ESCAPES: &str = "write \"@\" as %40, \"/\" as %2F, \"#\" as %23, \"?\" as %3F";

fn ats(count: usize) -> String {
    match count {
        2 => "two \"@\"".to_owned(),
        count => format!("{count} \"@\""),
    }
}

/// Returns names as a list in a sentence: `a, b and c`.
pub(super) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [name] => name.as_ref().to_owned(),
        [names @ .., last] => {
            let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", names.join(", "), last.as_ref())
        }
    }
}

/// Returns what can be read: the engines whose database is a file, those of servers, and folders.
fn engines() -> String {
    let at = |location| Engine::ALL.iter().map(|engine| engine.facts()).filter(move |facts| facts.location == location);
    let mut titles: Vec<&str> = at(Location::File).chain(at(Location::Server)).map(|facts| facts.title).collect();
    titles.extend(at(Location::Folder).map(|_| "folders of files"));
    titles.extend(at(Location::Cluster).map(|_| "clusters of Spark"));
    listed(&titles)
}
