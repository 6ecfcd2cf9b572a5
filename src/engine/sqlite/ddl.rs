//! What only the text of a CREATE TABLE says about its foreign keys: their names, and whether they are deferred.
//!
//! The text is cut into SQLite's own tokens; `REFERENCES` is a reserved word and so always opens such a clause.

/// One `REFERENCES` clause, in the order of the text, which is the order in which SQLite numbers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReferenceClause {
    pub(super) name: Option<String>,
    pub(super) parent: String,
    pub(super) deferred: bool,
}

pub(super) fn reference_clauses(create_table: &str) -> Vec<ReferenceClause> {
    let tokens = tokens(create_table);
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(word));
    let mut clauses = Vec::new();
    let mut name = None;
    for at in 0..tokens.len() {
        if is(at, "CONSTRAINT") {
            name = tokens.get(at + 1).map(|token| token.text.clone());
        } else if tokens[at].is_any(&["CHECK", "UNIQUE", "PRIMARY", "DEFAULT", "COLLATE", "NOT", "NULL"])
            && !is(at + 1, "DEFERRABLE")
        {
            name = None;
        } else if is(at, "REFERENCES")
            && let Some(parent) = tokens.get(at + 1)
        {
            clauses.push(ReferenceClause { name: name.take(), parent: parent.text.clone(), deferred: false });
        } else if is(at, "DEFERRED")
            && is(at.wrapping_sub(1), "INITIALLY")
            && !is(at.wrapping_sub(3), "NOT")
            && let Some(clause) = clauses.last_mut()
        {
            clause.deferred = true;
        }
    }
    clauses
}

#[derive(Debug, PartialEq, Eq)]
struct Token {
    text: String,
    /// A quoted name or a string is never a keyword.
    quoted: bool,
}

impl Token {
    fn is_word(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }

    fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            '\'' | '"' | '`' => quoted_length(rest, first),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let text = &rest[..length];
        match first {
            '\'' | '"' | '`' => {
                let inner = text[1..].strip_suffix(first).unwrap_or(&text[1..]);
                let doubled: String = [first, first].iter().collect();
                tokens.push(Token { text: inner.replace(&doubled, &first.to_string()), quoted: true });
            }
            '[' => tokens.push(Token { text: text.trim_matches(['[', ']']).to_owned(), quoted: true }),
            '-' | '/' if length > 1 => {}
            c if c.is_whitespace() => {}
            _ => tokens.push(Token { text: text.to_owned(), quoted: false }),
        }
        rest = &rest[length..];
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
    fn names_and_deferral_are_read_past_comments_and_strings() {
        let clauses = reference_clauses(
            "CREATE TABLE c( -- REFERENCES nothing\n a INT CONSTRAINT \"fk one\" REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED,\n\
             b TEXT DEFAULT 'x REFERENCES y' /* REFERENCES z */ REFERENCES [q r] ON DELETE CASCADE NOT DEFERRABLE INITIALLY DEFERRED,\n\
             d INT CONSTRAINT ck CHECK (d > 0) REFERENCES \"we\"\"ird\", CONSTRAINT t FOREIGN KEY (a) REFERENCES p DEFERRABLE)",
        );
        let clause = |name: Option<&str>, parent: &str, deferred| ReferenceClause {
            name: name.map(str::to_owned),
            parent: parent.to_owned(),
            deferred,
        };
        assert_eq!(
            clauses,
            [
                clause(Some("fk one"), "p", true),
                clause(None, "q r", false),
                clause(None, "we\"ird", false),
                clause(Some("t"), "p", false),
            ]
        );
    }

    #[test]
    fn unfinished_text_ends() {
        for text in ["'", "\"a", "[", "/*", "--", "REFERENCES", "a REFERENCES 'é''"] {
            reference_clauses(text);
        }
    }
}
