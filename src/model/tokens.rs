//! SQL text cut into tokens: enough to find the ends of statements, their first words and a few clauses.
//!
//! Comments and white space are left out. Nothing is parsed, and text that ends in the middle of a token ends there.

use std::ops::Range;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Without its quotes.
    pub text: String,
    /// A quoted name or a string is never a keyword.
    pub quoted: bool,
    /// Where it stands, quotes included.
    pub place: Range<usize>,
}

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }

    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }
}

pub fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = sql[start..].chars().next() {
        let rest = &sql[start..];
        let length = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            '\'' | '"' | '`' => quoted_length(rest, first),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let text = &rest[..length];
        let place = start..start + length;
        start += length;
        let (text, quoted) = match first {
            '\'' | '"' | '`' => {
                let inner = text[1..].strip_suffix(first).unwrap_or(&text[1..]);
                let doubled: String = [first, first].iter().collect();
                (inner.replace(&doubled, &first.to_string()), true)
            }
            '[' => (text.trim_matches(['[', ']']).to_owned(), true),
            '-' | '/' if length > 1 => continue,
            c if c.is_whitespace() => continue,
            _ => (text.to_owned(), false),
        };
        tokens.push(Token { text, quoted, place });
    }
    tokens
}

/// The length of a quoted token, whose quote is written twice inside it.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut end = 1;
    while let Some(found) = text[end..].find(quote) {
        end += found + 1;
        if !text[end..].starts_with(quote) {
            return end;
        }
        end += 1;
    }
    text.len()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_know_their_places() {
        let sql = "a -- b\n'it''s' /* c */ [x y];é";
        let found: Vec<(String, bool, &str)> =
            tokens(sql).into_iter().map(|token| (token.text, token.quoted, &sql[token.place])).collect();
        let expected = [
            ("a", false, "a"),
            ("it's", true, "'it''s'"),
            ("x y", true, "[x y]"),
            (";", false, ";"),
            ("é", false, "é"),
        ];
        assert_eq!(found, expected.map(|(text, quoted, place)| (text.to_owned(), quoted, place)));
    }

    #[test]
    fn unfinished_text_ends() {
        for text in ["'", "\"a", "[", "/*", "--", "a REFERENCES 'é''"] {
            tokens(text);
        }
    }
}
