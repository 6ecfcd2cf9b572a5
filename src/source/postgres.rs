//! Completes an address of PostgreSQL as its own clients do: from a service file, environment variables and the
//! password file.

use super::SourceError;
use super::Surroundings;
use super::settings::Given;
use super::settings::Setting;
use super::settings::Settings;

pub(super) mod parameter_text;
mod pass_file;
mod service_file;

/// The environment variables of PostgreSQL's clients.
const VARIABLES: [(&str, Setting); 14] = [
    ("PGHOST", Setting::Host),
    ("PGHOSTADDR", Setting::HostAddress),
    ("PGPORT", Setting::Port),
    ("PGDATABASE", Setting::Database),
    ("PGUSER", Setting::User),
    ("PGPASSWORD", Setting::Password),
    ("PGPASSFILE", Setting::PassFile),
    ("PGSSLROOTCERT", Setting::TlsAuthority),
    ("PGSSLCERT", Setting::TlsCertificate),
    ("PGSSLKEY", Setting::TlsKey),
    ("PGAPPNAME", Setting::ApplicationName),
    ("PGOPTIONS", Setting::Options),
    ("PGCONNECT_TIMEOUT", Setting::ConnectTimeout),
    ("PGTARGETSESSIONATTRS", Setting::WantedServer),
];

/// The folders in which a server's own clients look for a socket, if no host is given.
const SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

/// Adds all settings that the address leaves open.
pub(super) fn complete(settings: &mut Settings, surroundings: &Surroundings<'_>) -> Result<(), SourceError> {
    service_file::add(settings, surroundings)?;
    let mut weaker = Settings::new(settings.engine(), false);
    for (variable, setting) in VARIABLES {
        if let Some(value) = surroundings.variable(variable) {
            weaker.set(setting, variable, value);
        }
    }
    if let Some(mode) = surroundings.variable("PGSSLMODE") {
        weaker.add_parameter("sslmode", mode).map_err(|error| named_by_variable(error, "PGSSLMODE"))?;
    }
    settings.fill_from(weaker);
    if let Some(login) = surroundings.login {
        settings.fill(Setting::User, given("user", login.to_owned()));
    }
    trust_the_system(settings);
    Ok(())
}

/// Adds the password that the password file has for one server, unless the address gives one.
pub(super) fn add_password(settings: &mut Settings, surroundings: &Surroundings<'_>) {
    if settings.get(Setting::Password).is_none() {
        pass_file::add_password(settings, surroundings);
    }
}

fn named_by_variable(error: SourceError, variable: &str) -> SourceError {
    match error {
        SourceError::WrongValue { value, expected, .. } => {
            SourceError::WrongValue { from: String::new(), name: variable.to_owned(), value, expected }
        }
        other => other,
    }
}

/// `sslrootcert=system` means the authorities that the system trusts, and a full check of the server.
fn trust_the_system(settings: &mut Settings) {
    if settings.get(Setting::TlsAuthority) == Some("system") {
        settings.unset(Setting::TlsAuthority);
        settings.set(Setting::Tls, "sslmode", "verify-full");
    }
}

/// Returns the value of a setting, or the default of PostgreSQL's clients.
fn value_or(settings: &Settings, setting: Setting, default: &str) -> String {
    settings.get(setting).filter(|value| !value.is_empty()).unwrap_or(default).to_owned()
}

fn given(name: &str, value: String) -> Given {
    Given { name: name.to_owned(), value, from: String::new() }
}
