//! Finds a password in `~/.pgpass`, as PostgreSQL's clients do. The driver can do this too, but only for the files of the
//! process's own environment.

use std::path::PathBuf;

use super::SOCKET_FOLDERS;
use super::given;
use super::value_or;
use crate::source::Surroundings;
use crate::source::settings::Setting;
use crate::source::settings::Settings;

/// Adds the password for this server, database and user, if the file has it.
pub(super) fn add_password(settings: &mut Settings, surroundings: &Surroundings<'_>) {
    let Some(path) = path(settings, surroundings) else { return };
    let Ok(Some(file)) = surroundings.read_if_exists(&path) else { return };
    let user = value_or(settings, Setting::User, "");
    let host = settings.get(Setting::Host).or_else(|| settings.get(Setting::HostAddress)).unwrap_or("localhost");
    let host = if SOCKET_FOLDERS.contains(&host) { "localhost" } else { host };
    let wanted = [
        host.to_owned(),
        value_or(settings, Setting::Port, "5432"),
        value_or(settings, Setting::Database, &user),
        user.clone(),
    ];
    let Some(password) = file.text.lines().find_map(|line| password_of(line, &wanted)) else { return };
    if file.is_private {
        settings.fill(Setting::Password, given("passfile", password));
    } else {
        let shown = surroundings.shown(&path);
        settings.note(format!(
            "the password in {shown} is not used, because other users can read the file: chmod 600 {shown}"
        ));
    }
}

fn path(settings: &Settings, surroundings: &Surroundings<'_>) -> Option<PathBuf> {
    if let Some(named) = settings.get(Setting::PassFile) {
        return Some(surroundings.expanded(named));
    }
    match surroundings.variable("APPDATA").filter(|_| cfg!(windows)) {
        Some(folder) => Some(PathBuf::from(folder).join("postgresql").join("pgpass.conf")),
        None => surroundings.home().map(|home| home.join(".pgpass")),
    }
}

/// Returns the password of a line `host:port:database:user:password` if its other fields match. `*` matches everything,
/// and a backslash escapes a colon.
fn password_of(line: &str, wanted: &[String; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let is_password = fields.len() > wanted.len();
        let Some(field) = fields.last_mut() else { continue };
        match character {
            '\\' => field.extend(characters.next()),
            ':' if !is_password => fields.push(String::new()),
            other => field.push(other),
        }
    }
    let password = fields.pop().filter(|_| fields.len() == wanted.len())?;
    fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted).then_some(password)
}
