//! Cuts SQL text into tokens: enough to find the ends of statements, their keywords and a few clauses.
//!
//! Comments and white space are left out. Nothing is parsed. If the text ends inside a token, the token ends with it.

use std::ops::Range;

use crate::model::catalog::Engine;
use crate::model::facts::Escapes;

/// A word, a quoted name, a string or a punctuation character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The text without its quotes.
    pub text: String,
    /// True for a quoted name or a string, which is never a keyword.
    pub quoted: bool,
    /// The position in the SQL text in bytes, quotes included.
    pub span: Range<usize>,
}

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }

    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }
}

/// Returns the tokens of SQL of an unknown engine. SQLite's syntax accepts the quotation marks of most engines.
pub fn tokens(sql: &str) -> Vec<Token> {
    tokens_of(Engine::Sqlite, sql)
}

/// Returns the tokens of SQL, by the quotes and comments of an engine.
pub fn tokens_of(engine: Engine, sql: &str) -> Vec<Token> {
    let lexis = &engine.facts().lexis;
    let mut tokens: Vec<Token> = Vec::new();
    let mut start = 0;
    while let Some(first) = sql[start..].chars().next() {
        let rest = &sql[start..];
        let escapes = match lexis.escapes {
            Escapes::Never => false,
            Escapes::AfterE => tokens.last().is_some_and(|last| last.is_word("E") && last.span.end == start),
            Escapes::Always => first != '`',
        };
        let length = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '#' if lexis.hash_comments => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") && lexis.nested_comments => nested_length(rest),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            '\'' | '"' | '`' => quoted_length(rest, first, escapes),
            '$' if lexis.dollar_quotes && dollar_quote(rest).is_some() => dollar_quote(rest).unwrap_or(rest.len()),
            '[' if lexis.brackets => rest.find(']').map_or(rest.len(), |end| end + 1),
            c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let text = &rest[..length];
        let span = start..start + length;
        start += length;
        let (text, quoted) = match first {
            '\'' | '"' | '`' => {
                let inner = text[1..].strip_suffix(first).unwrap_or(&text[1..]);
                let doubled: String = [first, first].iter().collect();
                (inner.replace(&doubled, &first.to_string()), true)
            }
            '[' if lexis.brackets => (text.trim_matches(['[', ']']).to_owned(), true),
            '$' if lexis.dollar_quotes && text.ends_with('$') => (text.to_owned(), true),
            '-' | '/' | '#' if length > 1 => continue,
            c if c.is_whitespace() => continue,
            _ => (text.to_owned(), false),
        };
        tokens.push(Token { text, quoted, span });
    }
    tokens
}

/// True if an SQL text names a column of this table, as in `child.id`.
pub fn names_column_of(engine: Engine, sql: &str, table: &str) -> bool {
    let tokens = tokens_of(engine, sql);
    tokens.windows(2).any(|pair| pair[0].text.eq_ignore_ascii_case(table) && pair[1].is_word("."))
}

/// Returns the length of a quoted token. Inside it, a doubled quote is a quote character.
fn quoted_length(text: &str, quote: char, escapes: bool) -> usize {
    let mut end = 1;
    while let Some(found) = text[end..].find(|c| c == quote || (escapes && c == '\\')) {
        end += found + 1;
        if text[..end].ends_with('\\') {
            end += text[end..].chars().next().map_or(0, char::len_utf8);
            continue;
        }
        if !text[end..].starts_with(quote) {
            return end;
        }
        end += 1;
    }
    text.len()
}

/// Returns the length of `$tag$ … $tag$`; `None` if the text begins with a parameter.
fn dollar_quote(text: &str) -> Option<usize> {
    let tag = text[1..].find('$')? + 2;
    let is_tag = text[1..tag - 1].chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii());
    if !is_tag || text[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(text[tag..].find(&text[..tag]).map_or(text.len(), |end| end + 2 * tag))
}

/// Returns the length of a comment that may contain other comments.
fn nested_length(text: &str) -> usize {
    let (mut depth, mut end) = (0_usize, 0);
    while end < text.len() {
        if text[end..].starts_with("/*") {
            (depth, end) = (depth + 1, end + 2);
        } else if text[end..].starts_with("*/") {
            (depth, end) = (depth - 1, end + 2);
            if depth == 0 {
                return end;
            }
        } else {
            end += text[end..].chars().next().map_or(1, char::len_utf8);
        }
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
    fn token_has_its_span() {
        let sql = "a -- b\n'it''s' /* c */ [x y];é";
        let found: Vec<(String, bool, &str)> =
            tokens(sql).into_iter().map(|token| (token.text, token.quoted, &sql[token.span])).collect();
        let expected = [
            ("a", false, "a"),
            ("it's", true, "'it''s'"),
            ("x y", true, "[x y]"),
            (";", false, ";"),
            ("é", false, "é"),
        ];
        assert_eq!(found, expected.map(|(text, quoted, spanned)| (text.to_owned(), quoted, spanned)));
    }

    #[test]
    fn engines_have_different_quotes_and_comments() {
        let words = |engine, sql: &str| -> Vec<String> {
            tokens_of(engine, sql).into_iter().map(|token| sql[token.span].to_owned()).collect()
        };
        let sql = "E'a\\'b;' $x$ ; $$ $x$ /* a /* b */ ; */ $1 a[1]";
        assert_eq!(words(Engine::Postgres, sql), ["E", "'a\\'b;'", "$x$ ; $$ $x$", "$1", "a", "[", "1", "]"]);
        let sql = "'a\\';b' # c ;\n\"it\\\"s\" `x\\`;";
        assert_eq!(words(Engine::Mariadb, sql), ["'a\\';b'", "\"it\\\"s\"", "`x\\`", ";"]);
    }

    #[test]
    fn column_of_a_table_is_found_only_outside_of_strings_and_comments() {
        let names = |sql| names_column_of(Engine::Sqlite, sql, "child");
        for sql in ["SELECT Child.id", "SELECT child . id", "SELECT \"child\".id", "SELECT 1 WHERE x=[child].id"] {
            assert!(names(sql), "{sql}");
        }
        for sql in ["SELECT 'child.id'", "SELECT 1 /* child.id */", "SELECT grandchild.id", "SELECT child"] {
            assert!(!names(sql), "{sql}");
        }
    }

    #[test]
    fn unfinished_token_ends_with_the_text() {
        for text in ["'", "\"a", "[", "/*", "--", "a REFERENCES 'é''", "E'\\", "$a", "$a$", "/* /*", "$", "'\\é"] {
            for engine in Engine::ALL {
                tokens_of(*engine, text);
            }
        }
    }
}
