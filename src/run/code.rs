//! `code`: explains a code of findings or a cause of missing keys, or lists them all.

use super::Environment;
use super::Outcome;
use super::RunError;
use crate::model::text::nearest;
use crate::report::code_page;
use crate::report::code_page::Topic;

pub fn code(name: Option<&str>, environment: &Environment) -> Result<Outcome, RunError> {
    let text = match name {
        None => code_page::list(&environment.terminal),
        Some(name) => code_page::page(topic(name)?, &environment.terminal),
    };
    Ok(Outcome::of(text))
}

/// Finds a topic by its name. A report's `error[orphan]` is accepted, so that it can be pasted.
fn topic(written: &str) -> Result<Topic, RunError> {
    let inside = written.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or(written);
    let wanted = inside.trim().to_lowercase().replace(['_', ' '], "-");
    let topics = Topic::all();
    if let Some(topic) = topics.iter().find(|topic| topic.name() == wanted) {
        return Ok(*topic);
    }
    let why = "there is no code and no cause of this name";
    let (why, help) = match similar(&wanted, &topics) {
        Some(name) => (why.to_owned(), format!("fk-doctor code {name}")),
        None => (format!("{why}; the command lists all"), "fk-doctor code".to_owned()),
    };
    Err(RunError::Input { what: format!("the page about \"{written}\""), why, help })
}

/// Returns the name that is most similar to a misspelt one, or the first that contains it.
fn similar(wanted: &str, topics: &[Topic]) -> Option<&'static str> {
    let names = || topics.iter().map(|topic| topic.name());
    let near = nearest(wanted, names()).or_else(|| names().find(|name| wanted.len() > 3 && name.contains(wanted)));
    // The names are few and unlike each other, so that half of the letters are enough.
    let distant = || {
        let distances = names().map(|name| (strsim::damerau_levenshtein(wanted, name), name));
        distances.filter(|(distance, _)| *distance <= wanted.len().min(40) / 2).min().map(|(_, name)| name)
    };
    near.or_else(|| if wanted.len() <= 100 { distant() } else { None })
}
