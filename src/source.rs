//! Parses the address of a database in the forms that other programs use, without opening it. The result depends only on
//! the text and on its [`Surroundings`]: environment variables and settings files. Only the engine receives the
//! password; no text that is shown contains it.

use std::path::Path;
use std::path::PathBuf;

use crate::model::catalog::Engine;
use crate::model::facts::Client;
use crate::model::facts::Location;
use crate::model::lake::TableFiles;

mod address;
mod cluster;
mod error;
mod file;
mod mysql;
mod parameters;
mod postgres;
mod scheme;
mod server_url;
mod settings;
mod several_servers;
mod surroundings;

pub use address::Address;
pub use address::Tls;
pub use address::TlsMode;
pub use error::SourceError;
pub use file::windows_path;
pub use server_url::masked;
pub use several_servers::WantedServer;
pub use surroundings::SettingsFile;
pub use surroundings::Surroundings;
pub use surroundings::read_file;

use scheme::Target;
use settings::Settings;

/// The location of a database, and the engine that opens it. Of two related engines, the server reports which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File {
        engine: Engine,
        path: PathBuf,
    },
    /// A folder of files. `tables` comes from a configuration; if it is empty, the engine finds the tables.
    Folder {
        engine: Engine,
        path: PathBuf,
        tables: Vec<TableFiles>,
    },
    Server {
        engine: Engine,
        address: Box<Address>,
    },
    /// A cluster that reads files. `tables` comes from a configuration.
    Cluster {
        engine: Engine,
        address: Box<Address>,
        tables: Vec<TableFiles>,
    },
}

/// A source, and notes for the user: parameters that have no effect, and settings that came from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub source: Source,
    pub notes: Vec<String>,
}

impl Source {
    /// Parses an address that depends on no environment variable and no settings file.
    pub fn parse(text: &str) -> Result<Source, SourceError> {
        Source::resolve(text, &Surroundings::default()).map(|resolved| resolved.source)
    }

    /// Parses a path, a URL of any engine, or the parameters of PostgreSQL's clients (`host=… dbname=…`).
    pub fn resolve(text: &str, surroundings: &Surroundings<'_>) -> Result<Resolved, SourceError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SourceError::Missing);
        }
        match scheme::target(text)? {
            Target::Path(path) => {
                let engine = file_engine()?;
                let path = file::of_path(path, surroundings)?;
                Ok(Resolved { source: Source::File { engine, path }, notes: Vec::new() })
            }
            Target::File { engine, scheme, rest } => {
                let (path, notes) = file::of_url(&scheme, rest, surroundings)?;
                Ok(Resolved { source: Source::File { engine, path }, notes })
            }
            Target::Folder { engine, rest } => {
                let path = file::of_path(rest.strip_prefix("//").unwrap_or(rest), surroundings)?;
                Ok(Resolved { source: Source::Folder { engine, path, tables: Vec::new() }, notes: Vec::new() })
            }
            Target::Url { engine, scheme, rest, is_jdbc } => {
                let mut settings = Settings::new(engine, is_jdbc);
                server_url::read(&scheme, &rest, &mut settings)?;
                server(&scheme, settings, surroundings)
            }
            Target::Cluster { engine, scheme, rest } => {
                let address = cluster::address(engine, &scheme, rest, surroundings)?.into();
                Ok(Resolved { source: Source::Cluster { engine, address, tables: Vec::new() }, notes: Vec::new() })
            }
            Target::Parameters(text) => {
                let engine = libpq_engine()?;
                let mut settings = Settings::new(engine, false);
                postgres::parameter_text::read(text, &mut settings)?;
                server(engine.facts().schemes.first().copied().unwrap_or_default(), settings, surroundings)
            }
        }
    }

    pub fn engine(&self) -> Engine {
        match self {
            Source::File { engine, .. }
            | Source::Folder { engine, .. }
            | Source::Server { engine, .. }
            | Source::Cluster { engine, .. } => *engine,
        }
    }

    /// Returns the path, if the database is a file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Source::File { path, .. } => Some(path),
            Source::Folder { .. } | Source::Server { .. } | Source::Cluster { .. } => None,
        }
    }

    /// Returns the path, if the database is a folder of files.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Source::Folder { path, .. } => Some(path),
            Source::File { .. } | Source::Server { .. } | Source::Cluster { .. } => None,
        }
    }

    /// True if a configuration says what the tables are, and which relations they have.
    pub fn has_configured_tables(&self) -> bool {
        matches!(self, Source::Folder { .. } | Source::Cluster { .. })
    }

    /// Returns the folder of files that a path means if it is a folder.
    pub fn as_folder(self) -> Result<Source, SourceError> {
        match self {
            Source::File { path, .. } => Ok(Source::Folder { engine: folder_engine()?, path, tables: Vec::new() }),
            other => Ok(other),
        }
    }

    /// Returns the same source with the tables of a configuration.
    #[must_use]
    pub fn with_tables(self, tables: Vec<TableFiles>) -> Source {
        match self {
            Source::Folder { engine, path, .. } => Source::Folder { engine, path, tables },
            Source::Cluster { engine, address, .. } => Source::Cluster { engine, address, tables },
            other => other,
        }
    }

    /// Returns a short name: the name of the file without its ending, or the name of the database on its server.
    pub fn name(&self) -> String {
        match self {
            Source::File { path, .. } | Source::Folder { path, .. } => {
                path.file_stem().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
            }
            Source::Server { address, .. } | Source::Cluster { address, .. } => {
                let name = address.database.as_ref().or(address.user.as_ref()).or(address.host.as_ref());
                name.cloned().unwrap_or_else(|| self.engine().name().to_owned())
            }
        }
    }
}

/// The path, or the URL without its password. It is the argument of a command that opens the database again.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::File { path, .. } | Source::Folder { path, .. } => path.display().fmt(f),
            Source::Server { address, .. } | Source::Cluster { address, .. } => address.fmt(f),
        }
    }
}

fn server(scheme: &str, mut settings: Settings, surroundings: &Surroundings<'_>) -> Result<Resolved, SourceError> {
    let engine = settings.engine();
    let written = address::written(scheme, &settings);
    let mut servers = Vec::new();
    match engine.facts().client {
        Client::Libpq => {
            postgres::complete(&mut settings, surroundings)?;
            servers = several_servers::of_each(&settings)?;
            servers.iter_mut().for_each(|server| postgres::add_password(server, surroundings));
        }
        Client::Mysql => mysql::complete(&mut settings, &written, surroundings)?,
        Client::File | Client::Url => {}
    }
    let mut settings = if servers.is_empty() { settings } else { servers.remove(0) };
    let mut address = address::built(written.clone(), &mut settings, surroundings)?;
    for mut other in servers {
        address.others.push(address::built(written.clone(), &mut other, surroundings)?);
        settings.add_notes_of(other);
    }
    Ok(Resolved { source: Source::Server { engine, address: address.into() }, notes: settings.into_notes() })
}

/// Returns the engine whose databases are files. A path without a scheme belongs to it.
fn file_engine() -> Result<Engine, SourceError> {
    engine_with(|engine| engine.facts().location == Location::File)
}

/// Returns the engine whose databases are folders.
fn folder_engine() -> Result<Engine, SourceError> {
    engine_with(|engine| engine.facts().location == Location::Folder)
}

fn libpq_engine() -> Result<Engine, SourceError> {
    engine_with(|engine| engine.facts().client == Client::Libpq)
}

fn engine_with(is_right: impl Fn(&Engine) -> bool) -> Result<Engine, SourceError> {
    let engine = Engine::ALL.iter().copied().find(is_right);
    engine.ok_or_else(|| SourceError::NoEngine { scheme: "file".to_owned() })
}

#[cfg(test)]
mod tests;
