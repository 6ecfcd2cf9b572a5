//! Escapes text for XML and HTML, in elements and in quoted attributes.
//!
//! [`visible`] first replaces the characters that XML does not allow at all: control characters and non-characters.

use crate::model::text::visible;

pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in visible(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
