//! The settings of a connection, collected from an address, settings files and environment variables. The first source
//! that names a setting wins.

use std::collections::BTreeMap;

use super::SourceError;
use super::TlsMode;
use super::error::listed;
use super::parameters;
use super::parameters::Meaning;
use crate::model::catalog::Engine;
use crate::model::text::nearest;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setting {
    User,
    Password,
    /// The name or the IP address of a server, or the folder of its Unix socket.
    Host,
    /// The IP address to which to connect, if the host is only a name.
    HostAddress,
    Port,
    /// Which of several servers is wanted.
    WantedServer,
    Socket,
    Database,
    Tls,
    TlsAuthority,
    TlsCertificate,
    TlsKey,
    ConnectTimeout,
    /// The greatest number of connections.
    Connections,
    Schema,
    Options,
    ApplicationName,
    Service,
    ServiceFile,
    PassFile,
    DefaultsFile,
}

/// The value of a setting, with the name under which it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) value: String,
    /// The beginning of a message about the value: empty, or such as `in ~/.my.cnf, `.
    pub(super) from: String,
}

#[derive(Clone)]
pub(super) struct Settings {
    engine: Engine,
    is_java: bool,
    /// The beginning of messages about the values that are read now.
    from: String,
    values: BTreeMap<Setting, Given>,
    /// Parameters without effect.
    ignored: Vec<String>,
    notes: Vec<String>,
}

impl Settings {
    pub(super) fn new(engine: Engine, is_java: bool) -> Settings {
        Settings {
            engine,
            is_java,
            from: String::new(),
            values: BTreeMap::new(),
            ignored: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Returns settings for the content of a file.
    pub(super) fn of_file(engine: Engine, file: &str) -> Settings {
        Settings { from: format!("in {file}, "), ..Settings::new(engine, false) }
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine
    }

    pub(super) fn get(&self, setting: Setting) -> Option<&str> {
        self.values.get(&setting).map(|given| given.value.as_str())
    }

    pub(super) fn given(&self) -> impl Iterator<Item = (Setting, &Given)> {
        self.values.iter().map(|(setting, given)| (*setting, given))
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds the notes about another server of the same address.
    pub(super) fn add_notes_of(&mut self, other: Settings) {
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Returns all notes.
    pub(super) fn into_notes(self) -> Vec<String> {
        let mut notes = self.notes;
        match self.ignored.as_slice() {
            [] => {}
            [name] => notes.insert(0, format!("the parameter {name} of the address has no effect here")),
            names => notes.insert(0, format!("the parameters {} of the address have no effect here", listed(names))),
        }
        notes
    }

    /// Sets a value under its own name. A later value of the same source wins.
    pub(super) fn set(&mut self, setting: Setting, name: &str, value: impl Into<String>) {
        let given = Given { name: name.to_owned(), value: value.into(), from: self.from.clone() };
        self.values.insert(setting, given);
    }

    pub(super) fn unset(&mut self, setting: Setting) {
        self.values.remove(&setting);
    }

    /// Sets a value unless a stronger source has set it.
    pub(super) fn fill(&mut self, setting: Setting, given: Given) {
        if setting == Setting::Socket && self.names_server() {
            return;
        }
        self.values.entry(setting).or_insert(given);
    }

    /// Adds the settings of a weaker source, with its notes.
    pub(super) fn fill_from(&mut self, weaker: Settings) {
        let is_local = weaker.get(Setting::Host).is_none_or(|host| host == "localhost");
        let mut weaker_values: Vec<(Setting, Given)> = weaker.values.into_iter().collect();
        weaker_values.retain(|(setting, _)| is_local || *setting != Setting::Socket);
        // Otherwise a host or a port of the weaker source would decide about its own socket.
        weaker_values.sort_by_key(|(setting, _)| *setting != Setting::Socket);
        for (setting, given) in weaker_values {
            self.fill(setting, given);
        }
        self.ignored.extend(weaker.ignored);
        self.notes.extend(weaker.notes);
    }

    /// True if a host or a port is set, so that the socket of a weaker source is not meant.
    fn names_server(&self) -> bool {
        let host = self.get(Setting::Host).filter(|host| *host != "localhost");
        host.is_some() || self.get(Setting::Port).is_some()
    }

    /// Adds a parameter under the name that any library gives it.
    pub(super) fn add_parameter(&mut self, name: &str, value: &str) -> Result<(), SourceError> {
        let client = self.engine.facts().client;
        let meaning =
            parameters::meaning(client, name).or_else(|| self.is_java_only(name).then_some(Meaning::NoEffect));
        match meaning {
            Some(Meaning::Sets(setting)) => self.set(setting, name, value),
            Some(Meaning::Tls) => self.add_tls(name, value)?,
            Some(Meaning::AlwaysSo) => {}
            Some(Meaning::JavaClass) => self.note(format!(
                "{name} names a class of Java, which has no effect here; sslmode and sslrootcert decide how the server is verified"
            )),
            Some(Meaning::Encoding) if value.to_ascii_lowercase().starts_with("ut") || value == "unicode" => {}
            Some(Meaning::DemandsIfRequired) if value != "require" => {}
            Some(Meaning::DemandsIfRequired | Meaning::Demands) => {
                let name = format!("{name}={value}");
                let instead = "remove the parameter, or connect with psql to compare".to_owned();
                return Err(SourceError::Unsupported { from: self.from.clone(), name, instead });
            }
            Some(Meaning::NoEffectIfDefault(default)) if value == default => {}
            Some(Meaning::Encoding | Meaning::NoEffect | Meaning::NoEffectIfDefault(_)) => {
                self.ignored.push(name.to_owned());
            }
            None => {
                let known = parameters::known(client);
                let near = nearest(name, known.iter().copied()).map(str::to_owned);
                let known = parameters::shown(client);
                return Err(SourceError::UnknownParameter {
                    from: self.from.clone(),
                    name: name.to_owned(),
                    near,
                    known,
                });
            }
        }
        Ok(())
    }

    /// True for a parameter of a Java driver that is unknown and safe to ignore. A misspelled `sslmode` is not, because
    /// it must not disable encryption.
    fn is_java_only(&self, name: &str) -> bool {
        let plain = name.to_ascii_lowercase();
        let is_near = || nearest(name, parameters::known(self.engine.facts().client).iter().copied()).is_some();
        self.is_java && !["ssl", "tls", "cert"].iter().any(|word| plain.contains(word)) && !is_near()
    }

    /// Adds a parameter about encryption. Of several, the strictest wins.
    fn add_tls(&mut self, name: &str, value: &str) -> Result<(), SourceError> {
        let client = self.engine.facts().client;
        let Some(mode) = parameters::tls_mode(client, name, value, self.is_java) else {
            return Err(SourceError::WrongValue {
                from: self.from.clone(),
                name: name.to_owned(),
                value: format!("\"{value}\""),
                expected: parameters::tls_values(client, name),
            });
        };
        let stricter = self.get(Setting::Tls).and_then(TlsMode::named).is_none_or(|known| mode > known);
        if stricter {
            self.set(Setting::Tls, name, mode.name());
        }
        Ok(())
    }
}
