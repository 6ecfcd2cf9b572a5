//! Changes the text of a configuration by adding to it. Every other byte stays as it is.

use std::ops::Range;

use toml::de::DeTable;
use toml::de::DeValue;

use crate::model::toml_text;

/// Returns the text with blocks at its end, after an empty line.
pub fn with_blocks(text: &str, blocks: &str) -> String {
    if blocks.is_empty() {
        return text.to_owned();
    }
    let gap = match text {
        "" => "",
        _ if text.ends_with("\n\n") => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{blocks}")
}

/// Returns the text with more entries in the array `reject` of the table `[discover]`. Entries that it has already are not
/// added. The text must be a valid configuration.
pub fn with_rejected(text: &str, patterns: &[&str]) -> String {
    let root = DeTable::parse(text).map(toml::Spanned::into_inner).unwrap_or_default();
    let discover = root.get("discover").and_then(|node| match node.get_ref() {
        DeValue::Table(table) => Some((table, node.span())),
        _ => None,
    });
    let array = discover.as_ref().and_then(|(table, _)| {
        let node = table.get("reject")?;
        match node.get_ref() {
            DeValue::Array(array) => Some((array, node.span())),
            _ => None,
        }
    });
    let known: Vec<&str> =
        array.iter().flat_map(|(array, _)| array.iter()).filter_map(|entry| text_of(entry.get_ref())).collect();
    let mut new: Vec<&str> = Vec::new();
    for pattern in patterns {
        if !known.contains(pattern) && !new.contains(pattern) {
            new.push(pattern);
        }
    }
    if new.is_empty() {
        return text.to_owned();
    }
    match (array, discover) {
        (Some((array, span)), _) => {
            let last = array.iter().last().map(toml::Spanned::span);
            into_array(text, &new, span, last)
        }
        (None, Some((table, span))) if text[span.start..].starts_with('{') => {
            let gap = if table.is_empty() { " " } else { ", " };
            let (before, after) = text.split_at(span.start + 1);
            format!("{before} reject = [{}]{gap}{}", list(&new), after.trim_start_matches([' ', '\t']))
        }
        (None, Some((_, span))) => {
            // The header's line, after which the key comes.
            let line = text[span.start..].find('\n').map_or(text.len(), |end| span.start + end + 1);
            let gap = if text[..line].ends_with('\n') { "" } else { "\n" };
            format!("{}{gap}reject = [{}]\n{}", &text[..line], list(&new), &text[line..])
        }
        (None, None) => with_blocks(text, &format!("[discover]\nreject = [{}]\n", list(&new))),
    }
}

fn text_of<'t>(value: &'t DeValue<'t>) -> Option<&'t str> {
    match value {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

fn list(patterns: &[&str]) -> String {
    patterns.iter().map(|pattern| toml_text::string(pattern)).collect::<Vec<_>>().join(", ")
}

/// Adds entries after the last one of an array.
fn into_array(text: &str, new: &[&str], array: Range<usize>, last: Option<Range<usize>>) -> String {
    match last {
        Some(last) => format!("{}, {}{}", &text[..last.end], list(new), &text[last.end..]),
        None => {
            // The brackets contain white space and comments only.
            let inside = &text[array.start + 1..array.end - 1];
            let inside = if inside.trim().is_empty() { "" } else { inside };
            format!("{}[{}{inside}]{}", &text[..array.start], list(new), &text[array.end..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_an_empty_line() {
        assert_eq!(with_blocks("", "[[relation]]\n"), "[[relation]]\n");
        assert_eq!(with_blocks("a = 1", "[x]\n"), "a = 1\n\n[x]\n");
        assert_eq!(with_blocks("a = 1\n", "[x]\n"), "a = 1\n\n[x]\n");
        assert_eq!(with_blocks("a = 1\n\n", "[x]\n"), "a = 1\n\n[x]\n");
    }

    #[test]
    fn rejected_patterns_are_added_once_and_nothing_else_changes() {
        let cases = [
            ("", "[discover]\nreject = [\"a(b)->*\"]\n"),
            ("# why\n[scan]\njobs = 2\n", "# why\n[scan]\njobs = 2\n\n[discover]\nreject = [\"a(b)->*\"]\n"),
            ("[discover] # mine\n[scan]\n", "[discover] # mine\nreject = [\"a(b)->*\"]\n[scan]\n"),
            ("discover = {}\n", "discover = { reject = [\"a(b)->*\"] }\n"),
            ("discover = { } # mine\n[scan]\n", "discover = { reject = [\"a(b)->*\"] } # mine\n[scan]\n"),
            ("discover = { reject = [] }\n", "discover = { reject = [\"a(b)->*\"] }\n"),
            ("discover.reject = ['x(*)->*']\n", "discover.reject = ['x(*)->*', \"a(b)->*\"]\n"),
            ("discover.reject = [\n# none\n]\n", "discover.reject = [\"a(b)->*\"\n# none\n]\n"),
            ("[discover]", "[discover]\nreject = [\"a(b)->*\"]\n"),
            ("[discover]\nreject = [ ]\n", "[discover]\nreject = [\"a(b)->*\"]\n"),
            (
                "[discover]\nreject = [\n  'x(*)->*', # no\n]\n",
                "[discover]\nreject = [\n  'x(*)->*', \"a(b)->*\", # no\n]\n",
            ),
        ];
        for (text, expected) in cases {
            let written = with_rejected(text, &["a(b)->*", "a(b)->*"]);
            assert_eq!(written, expected);
            assert!(DeTable::parse(&written).is_ok(), "{written}");
            assert_eq!(with_rejected(&written, &["a(b)->*"]), written);
        }
    }
}
