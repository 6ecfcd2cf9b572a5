//! Reads `~/.my.cnf`, in which the clients of MySQL and MariaDB find their options.
//!
//! The format has escapes and comments of its own, so that no general reader of INI files fits it. Options that do not
//! concern the connection belong to other programs, and are skipped.

use crate::model::facts::Client;
use crate::model::text::io_reason;
use crate::source::SourceError;
use crate::source::Surroundings;
use crate::source::parameters;
use crate::source::parameters::Meaning;
use crate::source::settings::Setting;
use crate::source::settings::Settings;

/// The groups that the clients `mysql` and `mariadb` read.
const GROUPS: [&str; 5] = ["client", "client-server", "client-mariadb", "mysql", "mariadb-client"];

/// The greatest number of files that files include.
const MAX_FILES: usize = 100;

/// Adds the options of the file that `--defaults-file` or the address names, else of `~/.my.cnf`.
pub(in super::super) fn add(settings: &mut Settings, surroundings: &Surroundings<'_>) -> Result<(), SourceError> {
    let in_address = settings.get(Setting::DefaultsFile).map(|path| surroundings.expanded(path));
    let named = surroundings.defaults_file.map(|path| surroundings.expanded(&path.to_string_lossy())).or(in_address);
    let must_exist = named.is_some();
    let Some(path) = named.or_else(|| surroundings.home().map(|home| home.join(".my.cnf"))) else { return Ok(()) };
    let mut files = vec![(path, must_exist)];
    let mut found = Settings::of_file(settings.engine(), &surroundings.shown(&files[0].0));
    let mut read = 0;
    while let Some((path, must_exist)) = files.pop().filter(|_| read < MAX_FILES) {
        read += 1;
        let text = match (surroundings.read)(&path) {
            Ok(file) => file.text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => continue,
            Err(error) => {
                return Err(SourceError::SettingsFile {
                    path: surroundings.shown(&path),
                    why: io_reason(&error),
                    help: "name a file that can be read: --defaults-file FILE".to_owned(),
                });
            }
        };
        let included = options(&text, &mut found)?;
        files.extend(included.into_iter().map(|path| (surroundings.expanded(&path), true)));
    }
    settings.fill_from(found);
    Ok(())
}

/// Adds the options of a text, and returns the files that it includes.
fn options(text: &str, found: &mut Settings) -> Result<Vec<String>, SourceError> {
    let mut included = Vec::new();
    let mut is_for_clients = false;
    for line in text.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("!include ") {
            included.push(path.trim().to_owned());
        } else if let Some(group) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            is_for_clients = GROUPS.contains(&group.trim());
        } else if is_for_clients && !line.is_empty() && !line.starts_with(['#', ';', '!']) {
            let (name, value) = line.split_once('=').unwrap_or((without_comment(line), ""));
            add_option(name.trim(), &unquoted(value), found)?;
        }
    }
    Ok(included)
}

/// Adds an option that concerns the connection.
fn add_option(name: &str, value: &str, found: &mut Settings) -> Result<(), SourceError> {
    let name = name.strip_prefix("loose-").unwrap_or(name);
    match name {
        // Older clients.
        "skip-ssl" | "disable-ssl" => return found.add_parameter("ssl", "false"),
        _ => {}
    }
    match parameters::meaning(Client::Mysql, name) {
        Some(Meaning::Sets(Setting::DefaultsFile)) => Ok(()),
        Some(Meaning::Sets(_) | Meaning::Tls) => found.add_parameter(name, value),
        _ => Ok(()),
    }
}

/// Returns a value without its quotation marks, its comment and its escapes.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?;
        inner.rfind(quote).map(|end| &inner[..end])
    });
    let mut shown = String::new();
    let mut characters = inner.unwrap_or_else(|| without_comment(value)).chars();
    while let Some(character) = characters.next() {
        match (character, characters.clone().next()) {
            ('\\', Some(escaped)) => {
                characters.next();
                match escaped {
                    's' => shown.push(' '),
                    'n' => shown.push('\n'),
                    't' => shown.push('\t'),
                    'r' => shown.push('\r'),
                    'b' => shown.push('\u{8}'),
                    '\\' | '"' | '\'' => shown.push(escaped),
                    other => shown.extend(['\\', other]),
                }
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Returns a text up to a `#` that follows a space, which begins a comment.
fn without_comment(text: &str) -> &str {
    let comment = text.match_indices('#').find(|(at, _)| *at == 0 || text[..*at].ends_with(char::is_whitespace));
    comment.map_or(text, |(at, _)| &text[..at]).trim()
}
