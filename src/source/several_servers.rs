//! An address that names several servers, of which the first that fits is used: `host=a,b port=5432,5433`.

use super::SourceError;
use super::settings::Setting;
use super::settings::Settings;

/// The server that an address with several of them asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WantedServer {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A primary if there is one, else any server.
    PreferPrimary,
    /// A standby if there is one, else any server.
    PreferStandby,
}

impl WantedServer {
    /// The names of `target_session_attrs`, which come first, and those of `targetServerType` in Java.
    const NAMES: [(&'static str, WantedServer); 14] = [
        ("any", WantedServer::Any),
        ("read-write", WantedServer::ReadWrite),
        ("read-only", WantedServer::ReadOnly),
        ("primary", WantedServer::Primary),
        ("standby", WantedServer::Standby),
        ("prefer-standby", WantedServer::PreferStandby),
        ("master", WantedServer::Primary),
        ("slave", WantedServer::Standby),
        ("secondary", WantedServer::Standby),
        ("preferslave", WantedServer::PreferStandby),
        ("prefersecondary", WantedServer::PreferStandby),
        ("preferstandby", WantedServer::PreferStandby),
        ("preferprimary", WantedServer::PreferPrimary),
        ("prefer-primary", WantedServer::PreferPrimary),
    ];

    /// The values that help texts show.
    pub(super) const EXPECTED: &'static str = "any, read-write, read-only, primary, standby or prefer-standby";

    pub(super) fn named(name: &str) -> Option<WantedServer> {
        let name = name.to_ascii_lowercase();
        WantedServer::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, wanted)| wanted)
    }

    /// Returns the name in `target_session_attrs`.
    pub fn name(self) -> &'static str {
        WantedServer::NAMES.into_iter().find(|(_, wanted)| *wanted == self).map_or("any", |(name, _)| name)
    }
}

/// Returns the settings of each server that an address names, in the order of the address.
pub(super) fn of_each(settings: &Settings) -> Result<Vec<Settings>, SourceError> {
    let (hosts, addresses) = (listed(settings, Setting::Host), listed(settings, Setting::HostAddress));
    let count = hosts.len().max(addresses.len());
    if count < 2 {
        return Ok(vec![settings.clone()]);
    }
    let lists = [
        (Setting::Host, "host", hosts),
        (Setting::HostAddress, "hostaddr", addresses),
        (Setting::Port, "port", listed(settings, Setting::Port)),
    ];
    let mut each = vec![settings.clone(); count];
    for (setting, name, values) in lists {
        if !matches!(values.len(), 0 | 1) && values.len() != count || (setting != Setting::Port && values.len() == 1) {
            return Err(SourceError::WrongValue {
                from: String::new(),
                name: name.to_owned(),
                value: format!("\"{}\"", values.join(",")),
                expected: format!("a list of {count}, as many as the address has servers"),
            });
        }
        for (index, server) in each.iter_mut().enumerate() {
            match values.get(index).or(values.first().filter(|_| values.len() == 1)) {
                Some(value) if !value.is_empty() => server.set(setting, name, *value),
                _ => server.unset(setting),
            }
        }
    }
    Ok(each)
}

fn listed(settings: &Settings, setting: Setting) -> Vec<&str> {
    settings.get(setting).map(|value| value.split(',').map(str::trim).collect()).unwrap_or_default()
}
