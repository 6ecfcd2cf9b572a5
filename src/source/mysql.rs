//! Completes an address of MySQL or MariaDB as their own clients do: from option files and environment variables.

use super::SourceError;
use super::Surroundings;
use super::settings::Setting;
use super::settings::Settings;

mod option_file;

/// The environment variables of the clients of MySQL and MariaDB. They are weaker than option files.
const VARIABLES: [(&str, Setting); 4] = [
    ("MYSQL_HOST", Setting::Host),
    ("MYSQL_TCP_PORT", Setting::Port),
    ("MYSQL_UNIX_PORT", Setting::Socket),
    ("MYSQL_PWD", Setting::Password),
];

/// Adds all settings that the address leaves open. `written` is the address for messages.
pub(super) fn complete(
    settings: &mut Settings,
    written: &str,
    surroundings: &Surroundings<'_>,
) -> Result<(), SourceError> {
    option_file::add(settings, surroundings)?;
    let mut weaker = Settings::new(settings.engine(), false);
    for (variable, setting) in VARIABLES {
        if let Some(value) = surroundings.variable(variable) {
            weaker.set(setting, variable, value);
        }
    }
    if let Some(login) = surroundings.login {
        weaker.set(Setting::User, "user", login);
    }
    settings.fill_from(weaker);
    match settings.get(Setting::Database) {
        None | Some("") => Err(SourceError::NoDatabase { shown: written.to_owned() }),
        Some(_) => Ok(()),
    }
}
