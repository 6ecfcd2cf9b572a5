//! Reads `host=localhost dbname='my shop'`, the parameters of PostgreSQL's clients as text.

use super::super::SourceError;
use super::super::parameters;
use super::super::settings::Settings;
use crate::model::facts::Client;

/// True if a text begins with a parameter.
pub(in super::super) fn is_written_in(text: &str) -> bool {
    let Some((name, _)) = text.trim_start().split_once('=') else { return false };
    let name = name.trim_end();
    parameters::meaning(Client::Libpq, name).is_some() && !name.contains(char::is_whitespace)
}

/// Reads all parameters of a text into settings.
pub(in super::super) fn read(text: &str, settings: &mut Settings) -> Result<(), SourceError> {
    let faulty = |why: &str| SourceError::Parameters { why: why.to_owned() };
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        // A word without "=" may be a part of a password, so no message shows it.
        let (name, after) = rest.split_once('=').ok_or_else(|| faulty("a word is no parameter NAME=VALUE"))?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(faulty("a word is no parameter NAME=VALUE; a value with a space is written in '…'"));
        }
        let (value, after) =
            value(after.trim_start()).ok_or_else(|| faulty(&format!("the value of {name} has no closing '")))?;
        settings.add_parameter(name, &value)?;
        rest = after.trim_start();
    }
    Ok(())
}

/// Returns the first value of a text, and the text after it. A backslash escapes the next character.
fn value(text: &str) -> Option<(String, &str)> {
    let quoted = text.strip_prefix('\'');
    let mut value = String::new();
    let mut characters = quoted.unwrap_or(text).chars();
    loop {
        let before = characters.as_str();
        match (characters.next(), quoted.is_some()) {
            (Some('\\'), _) => value.extend(characters.next()),
            (Some('\''), true) => return Some((value, characters.as_str())),
            (Some(space), false) if space.is_whitespace() => return Some((value, before)),
            (Some(other), _) => value.push(other),
            (None, true) => return None,
            (None, false) => return Some((value, "")),
        }
    }
}
