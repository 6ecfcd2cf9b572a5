//! Patterns over names: `*` any text, `?` one character, `[a-z]` and `[!a-z]` one of a set.
//!
//! Every other character stands for itself, so that a relation's id (`log(user_id)->*`) is a pattern too. ASCII letters
//! match in either case, as in SQL. A set with one character quotes it: `[*]`. Matching goes by character; crates for
//! file globs match by byte or by path component.

use std::fmt;
use std::str::Chars;
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    AnyText,
    AnyCharacter,
    Character(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// Parses a pattern. The error is a message.
    pub fn new(text: &str) -> Result<Pattern, String> {
        if text.trim().is_empty() {
            return Err("an empty pattern matches nothing".to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            let part = match character {
                '*' => Part::AnyText,
                '?' => Part::AnyCharacter,
                '[' => set(&mut rest)?,
                other => Part::Character(other),
            };
            // Two adjacent `*` match the same texts as one, and would only cost time.
            if part != Part::AnyText || parts.last() != Some(&Part::AnyText) {
                parts.push(part);
            }
        }
        Ok(Pattern { text: text.to_owned(), parts })
    }

    /// Returns the text of the pattern.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True if the pattern is for relations (`child(a)->parent(b)`), false if it is for tables.
    pub fn is_for_relations(&self) -> bool {
        self.text.contains('(')
    }

    /// True if the pattern matches `table.column` or, if it has no dot, the name of the column alone.
    pub fn matches_column(&self, table: &str, column: &str) -> bool {
        if self.text.contains('.') { self.matches(&format!("{table}.{column}")) } else { self.matches(column) }
    }

    /// True if the pattern matches the whole text. After a mismatch only the latest `*` is extended, so the work is at
    /// most the product of the two lengths.
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut part = 0;
        let mut retry: Option<(usize, Chars<'_>)> = None;
        loop {
            let mut ahead = rest.clone();
            let next = ahead.next();
            match (self.parts.get(part), next) {
                (None, None) => return true,
                (Some(Part::AnyText), _) => {
                    part += 1;
                    retry = Some((part, rest.clone()));
                    continue;
                }
                (Some(single), Some(character)) if single.accepts(character) => {
                    part += 1;
                    rest = ahead;
                    continue;
                }
                _ => {}
            }
            let Some((after, taken)) = retry.as_mut() else { return false };
            if taken.next().is_none() {
                return false;
            }
            part = *after;
            rest = taken.clone();
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        Pattern::new(text)
    }
}

impl Part {
    fn accepts(&self, character: char) -> bool {
        match self {
            Part::AnyText => false,
            Part::AnyCharacter => true,
            Part::Character(wanted) => wanted.eq_ignore_ascii_case(&character),
            Part::Set { negated, ranges } => {
                let lower = character.to_ascii_lowercase();
                let upper = character.to_ascii_uppercase();
                let within =
                    ranges.iter().any(|(low, high)| (*low..=*high).contains(&lower) || (*low..=*high).contains(&upper));
                within != *negated
            }
        }
    }
}

/// Parses a set after its `[`. A `]` at the beginning stands for itself.
fn set(rest: &mut Chars<'_>) -> Result<Part, String> {
    let mut negated = false;
    if matches!(rest.clone().next(), Some('!' | '^')) {
        negated = true;
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        let Some(low) = rest.next() else {
            return Err("the `[` is never closed; for the character itself write `[[]`".to_owned());
        };
        if low == ']' && !ranges.is_empty() {
            return Ok(Part::Set { negated, ranges });
        }
        let mut ahead = rest.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) if high != ']' => {
                *rest = ahead;
                high
            }
            _ => low,
        };
        if high < low {
            return Err(format!("the range `{low}-{high}` is empty; write it as `{high}-{low}`"));
        }
        ranges.push((low, high));
    }
}

/// Returns a name as a pattern that matches only this name.
pub fn literal(name: &str) -> String {
    name.chars().map(|c| if is_special(c) { format!("[{c}]") } else { c.to_string() }).collect()
}

/// True if a text is a pattern that may match several names.
pub fn has_wildcard(text: &str) -> bool {
    text.contains(is_special)
}

fn is_special(c: char) -> bool {
    matches!(c, '*' | '?' | '[')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let pattern = Pattern::new(pattern).unwrap();
        for text in yes {
            assert!(pattern.matches(text), "{pattern} should match {text}");
        }
        for text in no {
            assert!(!pattern.matches(text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn wildcard_and_set_match_names() {
        check("users", &["users", "USERS", "Users"], &["user", "userss", "xusers", ""]);
        check("audit_*", &["audit_", "audit_log", "AUDIT_2024"], &["audit", "xaudit_log"]);
        check("*", &["", "a", "a/b", "ü(,)->"], &[]);
        check("**/x", &["/x", "a/x", "a/b/x"], &["x"]);
        check("*a*b*a", &["aba", "xaxbxa", "ababa"], &["ab", "abb", "bab"]);
        check("t?", &["t1", "tü", "t("], &["t", "t12"]);
        check("größe_[ä-ü]", &["größe_ö", "GRößE_ü"], &["größe_a", "größe_"]);
        check("x[!0-9]", &["xa", "xü"], &["x5", "x"]);
        check("[^a]", &["b"], &["a", "A"]);
        check("[a-]", &["a", "-", "A"], &["b"]);
        check("[]]x", &["]x"], &["x"]);
        check("a[*]b[?][[]", &["a*b?["], &["axb?["]);
    }

    #[test]
    fn pattern_with_columns_is_for_relations() {
        for (text, is_for_relations) in [("audit_*", false), ("*(user_id)", true), ("a(b)->c(d)", true)] {
            let pattern = Pattern::new(text).unwrap();
            assert_eq!((pattern.as_str(), pattern.is_for_relations()), (text, is_for_relations));
        }
    }

    #[test]
    fn column_pattern_with_table_matches_that_table_only() {
        let matches = |text: &str, table: &str, column: &str| Pattern::new(text).unwrap().matches_column(table, column);
        assert!(matches("users.mail", "users", "mail") && !matches("users.mail", "posts", "mail"));
        assert!(matches("mail", "posts", "mail") && !matches("mail", "posts", "mails"));
    }

    #[test]
    fn other_special_characters_stand_for_themselves() {
        check("log(user_id)->*", &["log(user_id)->users(id)", "LOG(USER_ID)->x"], &["log(user_id)", "loguser_id->x"]);
        check("{a,b}", &["{a,b}"], &["a", "b"]);
        check("a\\b.c+$", &["a\\b.c+$"], &["a/b.c+$", "a\\bxc+$"]);
    }

    #[test]
    fn hostile_pattern_is_matched_in_bounded_time() {
        let pattern = Pattern::new(&"*a".repeat(200)).unwrap();
        assert!(!pattern.matches(&"a".repeat(199)));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(5_000))));
        assert!(pattern.matches(&"a".repeat(5_000)));
    }

    #[test]
    fn malformed_pattern_is_refused_with_the_reason() {
        let closed = "the `[` is never closed; for the character itself write `[[]`";
        for (text, message) in [
            ("", "an empty pattern matches nothing"),
            (" ", "an empty pattern matches nothing"),
            ("a[b", closed),
            ("[]", closed),
            ("[!", closed),
            ("[a-", closed),
            ("[z-a]", "the range `z-a` is empty; write it as `a-z`"),
        ] {
            assert_eq!(Pattern::new(text).unwrap_err(), message, "{text}");
        }
    }
}
