//! Formats names, values and numbers for people, on one line and without control characters.
//!
//! Names and values come from the database and may be hostile. For example, they may contain an escape sequence that
//! repaints the terminal, a bidirectional override that reorders text, or a line break that forges a line of the report.
//! This module shows such characters as escapes. A backslash in the data is not escaped, so the text cannot be parsed
//! back. Layout and color are in `report::layout`, and values for programs in `report::json`.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use crate::model::value::Value;

/// The length of the longest value that is shown whole, in characters.
const LONGEST: usize = 60;

/// Returns the text on one line, with invisible and control characters as escapes: `\n`, `\t`, `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_unseen)
}

/// Returns text of several lines, with the escapes of [`visible`] except for line breaks.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character != '\n' && is_unseen(character))
}

/// True for every character that [`visible`] escapes.
pub fn is_unseen(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    let code = u32::from(character);
    character.is_control()
        || character.is_whitespace()
        || matches!(code,
            0x00AD | 0x034F | 0x061C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164
            | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFB | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
        // Non-characters, which XML and so SVG cannot hold.
        || matches!(code, 0xFDD0..=0xFDEF)
        || code & 0xFFFE == 0xFFFE
}

/// Returns a value as an SQL literal. Text is quoted, so that `''` and `' a'` are visible. Bytes that are not valid text
/// become `\xff`. A long value is cut, and its length follows.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) if number.is_infinite() && *number > 0.0 => "Infinity".to_string(),
        Value::Real(number) if number.is_infinite() => "-Infinity".to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(bytes) => quoted(bytes),
        Value::Blob(bytes) => hexadecimal(bytes),
    }
}

/// Returns a key: the value alone, or `('EU', 12)` if it has several columns.
pub fn key<V: AsRef<Value>>(values: &[V]) -> String {
    match values {
        [single] => value(single.as_ref()),
        several => format!("({})", several.iter().map(|part| value(part.as_ref())).collect::<Vec<_>>().join(", ")),
    }
}

/// Returns columns and their values: `region = 'EU', code = 12`.
pub fn named<'a, V: AsRef<Value> + 'a>(columns: impl IntoIterator<Item = (&'a str, &'a V)>) -> String {
    let parts: Vec<String> = columns
        .into_iter()
        .map(|(column, content)| format!("{} = {}", visible(column), value(content.as_ref())))
        .collect();
    parts.join(", ")
}

/// Returns the columns that identify a row, with their values: `id = 7`.
pub fn row<V: AsRef<Value>>(row: &[(String, V)]) -> String {
    named(row.iter().map(|(column, content)| (column.as_str(), content)))
}

/// Returns a word of a command, quoted for a shell if necessary.
pub fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Returns the reason of a failed access to a file, in words that need no knowledge of the operating system.
pub fn io_reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "permission was denied".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        ErrorKind::NotADirectory => "a part of the path is a file, not a folder".to_owned(),
        ErrorKind::StorageFull => "the disk is full".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => {
            let text = error.to_string();
            // Rust adds the number of the error.
            let reason = text.split_once(" (os error").map_or(text.as_str(), |(reason, _)| reason);
            let mut characters = reason.chars();
            let first: String = characters.next().into_iter().flat_map(char::to_lowercase).collect();
            first + characters.as_str()
        }
    }
}

/// Returns a number with separators: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a number with its noun: `1 row`, `12,345 rows`.
pub fn plural(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix("try")) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{} {stem}tries", count(number)),
        (_, None) => format!("{} {noun}s", count(number)),
    }
}

/// Returns a share in two digits, rounded down: `0.05%`, `1.9%`, `42%`. Only the whole is `100%`, and only nothing is `0%`.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let millionths = u128::from(part) * 1_000_000 / u128::from(whole);
    match millionths {
        0 if part == 0 => "0%".to_owned(),
        0..100 => "<0.01%".to_owned(),
        100..10_000 => format!("0.{:02}%", millionths / 100),
        10_000..100_000 => format!("{}.{}%", millionths / 10_000, millionths / 1_000 % 10),
        _ => format!("{}%", millionths / 10_000),
    }
}

/// Returns the size of a file: `999 B`, `12 kB`, `228 MB` or `1.5 GB`, rounded up.
pub fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{} kB", number.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", number.div_ceil(1_000_000)),
        _ => {
            let tenths = number.div_ceil(100_000_000);
            format!("{}.{} GB", count(tenths / 10), tenths % 10)
        }
    }
}

/// Returns a duration as options read it, such as `60s` or `150ms`.
pub fn option_duration(duration: Duration) -> String {
    match duration.as_millis() {
        milliseconds if milliseconds > 0 && milliseconds % 1_000 == 0 => format!("{}s", milliseconds / 1_000),
        milliseconds => format!("{milliseconds}ms"),
    }
}

/// Returns a duration such as `0.01 s`, `12.3 s` or `2 min 5 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        ..9.995 => format!("{:.2} s", seconds.max(0.01)),
        ..59.95 => format!("{seconds:.1} s"),
        _ => {
            let whole = seconds.round() as u64;
            format!("{} min {} s", count(whole / 60), whole % 60)
        }
    }
}

fn escaped(text: &str, is_hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) { push_escape(&mut shown, character) } else { shown.push(character) }
    }
    Cow::Owned(shown)
}

fn push_escape(shown: &mut String, character: char) {
    match character {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        other => shown.extend(other.escape_unicode()),
    }
}

fn quoted(bytes: &[u8]) -> String {
    let mut shown = String::from("'");
    let mut remaining = LONGEST;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if remaining == 0 {
                return cut(shown, "'", bytes.len());
            }
            remaining -= 1;
            match character {
                '\'' => shown.push_str("''"),
                hidden if is_unseen(hidden) => push_escape(&mut shown, hidden),
                plain => shown.push(plain),
            }
        }
        for byte in chunk.invalid() {
            if remaining == 0 {
                return cut(shown, "'", bytes.len());
            }
            remaining -= 1;
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown + "'"
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut shown = String::from("X'");
    for byte in bytes.iter().take(LONGEST / 2) {
        let _ = write!(shown, "{byte:02x}");
    }
    if bytes.len() > LONGEST / 2 { cut(shown, "'", bytes.len()) } else { shown + "'" }
}

fn cut(shown: String, close: &str, length: usize) -> String {
    format!("{shown}…{close} ({} bytes)", count(length as u64))
}

/// Returns the known name that is most similar to a misspelt one, if any is similar. Case is ignored, and `_` equals `-`.
pub fn nearest<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // The comparison takes time proportional to the product of the lengths.
    if written.len() > 100 {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace('_', "-");
    let written = plain(written);
    let allowed = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &plain(name)), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_invisible_characters_are_escaped() {
        assert_eq!(visible("plain é 日本 name"), "plain é 日本 name");
        assert!(matches!(visible("plain"), Cow::Borrowed(_)));
        assert_eq!(visible("\u{1b}[2J\u{7}\r\n\t\0"), "\\u{1b}[2J\\u{7}\\r\\n\\t\\u{0}");
        assert_eq!(visible("\u{9b}31m\u{7f}"), "\\u{9b}31m\\u{7f}");
        assert_eq!(visible("a\u{202e}b\u{2066}\u{200f}\u{61c}"), "a\\u{202e}b\\u{2066}\\u{200f}\\u{61c}");
        assert_eq!(visible("\u{feff}x\u{200b}\u{2028}\u{e0041}"), "\\u{feff}x\\u{200b}\\u{2028}\\u{e0041}");
        assert_eq!(visible("a\u{a0}b"), "a\\u{a0}b");
        assert_eq!(visible_lines("error: a\u{1b}\nhelp: b\r\n"), "error: a\\u{1b}\nhelp: b\\r\n");
    }

    #[test]
    fn escaped_text_is_not_escaped_again() {
        let once = visible("a\nb\\n\u{1b}").into_owned();
        assert_eq!(visible(&once), once);
    }

    #[test]
    fn value_is_shown_with_its_storage_class() {
        assert_eq!(value(&Value::Null), "NULL");
        assert_eq!(value(&Value::Integer(22)), "22");
        assert_eq!(value(&Value::Real(5.0)), "5.0");
        assert_eq!(value(&Value::Real(f64::NEG_INFINITY)), "-Infinity");
        assert_eq!(value(&Value::text("")), "''");
        assert_eq!(value(&Value::text(" it's\n")), "' it''s\\n'");
        assert_eq!(value(&Value::Text(b"caf\xe9".to_vec())), "'caf\\xe9'");
        assert_eq!(value(&Value::Blob(vec![0, 255])), "X'00ff'");
        assert_eq!(key(&[Value::text("EU"), Value::Integer(12)]), "('EU', 12)");
    }

    #[test]
    fn long_value_is_cut_and_its_length_follows() {
        assert_eq!(value(&Value::text("é".repeat(60))), format!("'{}'", "é".repeat(60)));
        assert_eq!(value(&Value::text("é".repeat(1000))), format!("'{}…' (2,000 bytes)", "é".repeat(60)));
        assert_eq!(value(&Value::Text(vec![0xff; 61])), format!("'{}…' (61 bytes)", "\\xff".repeat(60)));
        assert_eq!(value(&Value::Blob(vec![0xab; 31])), format!("X'{}…' (31 bytes)", "ab".repeat(30)));
    }

    #[test]
    fn numbers_are_formatted_for_people() {
        assert_eq!(
            [0, 12, 999, 1000, 12_345, 1_234_567].map(count),
            ["0", "12", "999", "1,000", "12,345", "1,234,567"]
        );
        assert_eq!([plural(0, "row"), plural(1, "row"), plural(1200, "row")], ["0 rows", "1 row", "1,200 rows"]);
        assert_eq!([plural(1, "entry"), plural(2, "entry")], ["1 entry", "2 entries"]);
        assert_eq!([share(1, 8), share(1, 2_000), share(999_999, 1_000_000)], ["12%", "0.05%", "99%"]);
        assert_eq!([share(19, 1_000), share(10, 17_350), share(1, 1_000_000)], ["1.9%", "0.05%", "<0.01%"]);
        assert_eq!([share(5, 5), share(0, 5), share(0, 0)], ["100%", "0%", ""]);
        let sizes = [0, 999, 1_000, 4_097, 227_600_000, 1_000_000_000, 10_737_418_240].map(bytes);
        assert_eq!(sizes, ["0 B", "999 B", "1 kB", "5 kB", "228 MB", "1.0 GB", "10.8 GB"]);
        let seconds = [0.0004, 0.163, 12.34, 59.96, 125.2].map(|seconds| duration(Duration::from_secs_f64(seconds)));
        assert_eq!(seconds, ["0.01 s", "0.16 s", "12.3 s", "1 min 0 s", "2 min 5 s"]);
    }

    #[test]
    fn misspelt_word_is_matched_to_the_nearest_known_word() {
        let words = ["jobs", "samples", "fail-on", "timeout", "wait"];
        assert_eq!(nearest("job", words), Some("jobs"));
        assert_eq!(nearest("fail_on", words), Some("fail-on"));
        assert_eq!(nearest("Timeuot", words), Some("timeout"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest(&"j".repeat(1_000_000), words), None);
    }
}
