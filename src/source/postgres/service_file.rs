//! Reads `pg_service.conf`, in which PostgreSQL's clients find the settings of a named service.
//!
//! The format has no quotes and no comments behind a value, so that no general reader of INI files fits it.

use std::path::PathBuf;

use crate::model::text::nearest;
use crate::source::SourceError;
use crate::source::Surroundings;
use crate::source::settings::Setting;
use crate::source::settings::Settings;

/// The folder of the system's file, unless PGSYSCONFDIR names another: of Debian, and of most other systems.
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/postgresql-common", "/etc"];

/// Adds the settings of the service that the address or PGSERVICE names.
pub(super) fn add(settings: &mut Settings, surroundings: &Surroundings<'_>) -> Result<(), SourceError> {
    let in_address = settings.get(Setting::Service).map(str::to_owned);
    let is_variable = in_address.is_none();
    let service = in_address.or_else(|| surroundings.variable("PGSERVICE").map(str::to_owned));
    let Some(service) = service.filter(|service| !service.is_empty()) else { return Ok(()) };
    let named_by = if is_variable { " (named by PGSERVICE)" } else { "" };
    let file = settings.get(Setting::ServiceFile).or_else(|| surroundings.variable("PGSERVICEFILE"));
    let paths = paths(file, surroundings);
    let mut first_file = None;
    for path in &paths {
        let shown = surroundings.shown(path);
        let read = surroundings.read_if_exists(path).map_err(|error| SourceError::SettingsFile {
            path: shown.clone(),
            why: crate::model::text::io_reason(&error),
            help: format!("correct its permissions, or unset {}", if is_variable { "PGSERVICE" } else { "it" }),
        })?;
        let Some(read) = read else { continue };
        if let Some(found) = service_of(&read.text, &service, &shown, settings)? {
            if is_variable {
                settings.note(description(&service, &found));
            }
            settings.fill_from(found);
            return Ok(());
        }
        first_file.get_or_insert((shown, names(&read.text)));
    }
    Err(match first_file {
        Some((file, known)) => {
            let near = near(&service, &known);
            SourceError::NoService { file, service, named_by, known, near }
        }
        None => {
            let searched = paths.iter().map(|path| surroundings.shown(path)).collect();
            SourceError::NoServiceFile { service, named_by, searched }
        }
    })
}

/// Returns the files in which a service is searched, in this order. A file that the user names replaces the user's own.
fn paths(named: Option<&str>, surroundings: &Surroundings<'_>) -> Vec<PathBuf> {
    let own = match named {
        Some(named) => Some(surroundings.expanded(named)),
        None => surroundings.home().map(|home| home.join(".pg_service.conf")),
    };
    let system = match surroundings.variable("PGSYSCONFDIR") {
        Some(folder) => vec![folder],
        None => SYSTEM_FOLDERS.to_vec(),
    };
    let system = system.into_iter().map(|folder| PathBuf::from(folder).join("pg_service.conf"));
    own.into_iter().chain(system).collect()
}

/// Returns the known service that a misspelled or shortened name most likely means.
fn near(service: &str, known: &[String]) -> Option<String> {
    let similar = nearest(service, known.iter().map(String::as_str));
    similar.or_else(|| known.iter().map(String::as_str).find(|name| name.starts_with(service))).map(str::to_owned)
}

fn section(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Returns the services of a text in their order, each only once.
fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in lines(text).filter_map(section) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Returns the settings of a service, if the text contains it. The first section with its name counts.
fn service_of(text: &str, service: &str, file: &str, settings: &Settings) -> Result<Option<Settings>, SourceError> {
    let mut inside = lines(text).skip_while(|line| section(line) != Some(service));
    if inside.next().is_none() {
        return Ok(None);
    }
    let mut found = Settings::of_file(settings.engine(), file);
    for line in inside.take_while(|line| section(line).is_none()) {
        let faulty = |why: &str| SourceError::SettingsFile {
            path: file.to_owned(),
            why: format!("the service {service} has {why}"),
            help: format!("correct {file}: each line is NAME=VALUE"),
        };
        let (name, value) = line.split_once('=').ok_or_else(|| faulty("a line without \"=\""))?;
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("service") {
            return Err(faulty("a service inside it, which is not allowed"));
        }
        found.add_parameter(name, value)?;
    }
    Ok(Some(found))
}

/// Returns `PGSERVICE=prod is host=db1, dbname=shop`: the server and the database.
fn description(service: &str, found: &Settings) -> String {
    let parts = [
        ("host", Setting::Host),
        ("hostaddr", Setting::HostAddress),
        ("port", Setting::Port),
        ("dbname", Setting::Database),
    ];
    let part = |(name, setting)| Some(format!("{name}={}", found.get(setting)?));
    let parts: Vec<String> = parts.into_iter().filter_map(part).collect();
    match parts.as_slice() {
        [] => format!("PGSERVICE={service} names no host and no database"),
        parts => format!("PGSERVICE={service} is {}", parts.join(", ")),
    }
}
