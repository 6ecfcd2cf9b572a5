//! Parses and renders the text of a baseline. Each entry has a line and the lines are sorted, so that a diff of two
//! versions is easy to review.

use std::fmt::Write;

use crate::config::reader;
use crate::config::reader::Item;
use crate::config::reader::Reader;
use crate::model::baseline::Baseline;
use crate::model::baseline::BaselineEntry;
use crate::model::baseline::EntrySubject;
use crate::model::configured::Fault;
use crate::model::configured::Spanned;
use crate::model::date;
use crate::model::text::is_unseen;

const FORMAT: &str = "fk-doctor/baseline@1";
const HEAD: &str =
    "# Known findings. `fk-doctor scan --baseline` accepts them as long as they do not grow; remove those that are repaired.
# An entry can have an expiry date: expires = \"2026-12-31\"
";

/// Returns the baseline, or all faults in the order of the text.
pub fn parse(text: &str) -> Result<Baseline, Vec<Fault>> {
    reader::read(text, baseline)
}

pub fn render(baseline: &Baseline) -> String {
    let mut text = format!("{HEAD}format = \"{FORMAT}\"\n");
    if let Some(check) = &baseline.check {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "secret-check = {}", quoted(check));
    }
    let mut lines: Vec<String> = baseline.entries.iter().map(line).collect();
    lines.sort();
    text.push_str("known = [\n");
    lines.iter().for_each(|line| text.push_str(&format!("    {line},\n")));
    text + "]\n"
}

fn line(entry: &BaselineEntry) -> String {
    let mut line = format!("{{ relation = {}, ", quoted(&entry.relation));
    let _ = match &entry.about {
        EntrySubject::Key { rows, key: Some(key) } => write!(line, "key = {}, rows = {rows}, ", quoted(key)),
        EntrySubject::Key { rows, key: None } => write!(line, "rows = {rows}, "),
        EntrySubject::Orphans { rows, missing_keys } => write!(line, "missing-keys = {missing_keys}, rows = {rows}, "),
        EntrySubject::Defect { code } => write!(line, "code = {}, ", quoted(code)),
    };
    if let Some(expires) = &entry.expires {
        let _ = write!(line, "expires = {}, ", quoted(expires));
    }
    line + &format!("id = {} }}", quoted(&entry.id))
}

/// Returns a basic string of TOML, with invisible characters as escapes.
fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => shown.extend(['\\', character]),
            unseen if is_unseen(unseen) => {
                let _ = write!(shown, "\\U{:08X}", u32::from(unseen));
            }
            plain => shown.push(plain),
        }
    }
    shown + "\""
}

fn baseline(mut root: Reader<'_, '_>) -> Baseline {
    let format = root.require("format", "format = \"fk-doctor/baseline@1\"");
    format.and_then(|item| item.parsed(&format!("\"{FORMAT}\""), known_format));
    let check =
        root.take("secret-check").and_then(|item| item.text("16 hexadecimal digits")).map(|at| at.value.to_owned());
    let known = root.take("known").and_then(|item| item.entries("an array of entries")).unwrap_or_default();
    root.finish();
    Baseline { check, entries: known.iter().filter_map(entry).collect() }
}

fn known_format(text: &str) -> Result<(), String> {
    if text == FORMAT { Ok(()) } else { Err(format!("this fk-doctor reads {FORMAT}")) }
}

fn entry(item: &Item<'_, '_>) -> Option<BaselineEntry> {
    let mut reader = item.table("an entry such as { relation = \"…\", rows = 1, id = \"…\" }")?;
    let owned = |at: Spanned<&str>| at.value.to_owned();
    let id = reader.require("id", "id = \"0123456789abcdef\"").and_then(|item| item.text("a fingerprint")).map(owned);
    let relation =
        reader.require("relation", "relation = \"a(b)->c(d)\"").and_then(|item| item.text("a relation's id"));
    let code = reader.take("code").and_then(|item| item.text("the code of a finding"));
    let keys = reader.take("missing-keys").and_then(|item| item.count(&(0..=u64::MAX)));
    let rows = reader.take("rows").and_then(|item| item.count(&(0..=u64::MAX)));
    let key = reader.take("key").and_then(|item| item.text("a key")).map(owned);
    let expires = reader.take("expires").and_then(|item| item.parsed("a day such as \"2026-12-31\"", date::parse));
    let about = match (code, keys) {
        (Some(code), _) => EntrySubject::Defect { code: owned(code) },
        (None, Some(keys)) => EntrySubject::Orphans { rows: rows.unwrap_or(0) as u64, missing_keys: keys as u64 },
        (None, None) => {
            if rows.is_none() {
                reader.require("rows", "rows = 1");
            }
            EntrySubject::Key { rows: rows.unwrap_or(0) as u64, key }
        }
    };
    reader.finish();
    Some(BaselineEntry { id: id?, relation: owned(relation?), about, expires: expires.map(|at| at.value) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Baseline {
        let entry = |id: &str, about, expires: Option<&str>| BaselineEntry {
            id: id.to_owned(),
            relation: "t(a\"\u{1b}\\)->p(b)".to_owned(),
            about,
            expires: expires.map(str::to_owned),
        };
        Baseline {
            check: Some("c".to_owned()),
            entries: vec![
                entry("1", EntrySubject::Defect { code: "type-mismatch".to_owned() }, None),
                entry("2", EntrySubject::Key { rows: 3, key: Some("'x'".to_owned()) }, Some("2026-12-31")),
                entry("4", EntrySubject::Orphans { rows: 9, missing_keys: 7 }, None),
                entry("5", EntrySubject::Key { rows: 1, key: None }, None),
            ],
        }
    }

    #[test]
    fn rendered_baseline_is_read_back_unchanged() {
        let text = render(&sample());
        assert!(!text.contains('\u{1b}'));
        assert_eq!(parse(&text), Ok(sample()), "{text}");
        assert_eq!(parse("format = \"fk-doctor/baseline@1\"\nknown = []\n"), Ok(Baseline::default()));
    }

    #[test]
    fn faults_are_all_reported() {
        let text =
            "format = \"x\"\nknow = 1\nknown = [{ relation = \"r\", id = \"i\" }, { rows = -1, expires = \"soon\" }]\n";
        let faults: Vec<String> = parse(text).unwrap_err().into_iter().map(|fault| fault.message).collect();
        assert_eq!(faults.len(), 7, "{faults:#?}");
    }
}
