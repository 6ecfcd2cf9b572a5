//! Reads the names of foreign keys and their deferral, which only the text of a CREATE TABLE contains.
//!
//! The text is split into SQLite's own tokens. `REFERENCES` is a reserved word, so it always begins such a clause.

use crate::sql::read::tokens::tokens;

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
            && is(at.wrapping_sub(2), "DEFERRABLE")
            && !is(at.wrapping_sub(3), "NOT")
            && let Some(clause) = clauses.last_mut()
        {
            clause.deferred = true;
        }
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_deferral_are_read_past_comments_and_strings() {
        let clauses = reference_clauses(
            "CREATE TABLE c( -- REFERENCES nothing\n a INT CONSTRAINT \"fk one\" REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED,\n\
             b TEXT DEFAULT 'x REFERENCES y' /* REFERENCES z */ REFERENCES [q r] ON DELETE CASCADE NOT DEFERRABLE INITIALLY DEFERRED,\n\
             d INT CONSTRAINT ck CHECK (d > 0) REFERENCES \"we\"\"ird\", CONSTRAINT t FOREIGN KEY (a) REFERENCES p DEFERRABLE, INITIALLY DEFERRED)",
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
