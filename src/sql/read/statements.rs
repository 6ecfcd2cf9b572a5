//! Cuts a text of SQL at its semicolons into statements, each with its line and kind.
//!
//! Such a statement runs only in a trial, which keeps no change. It is the only statement that [`crate::sql`] does not
//! build, and it runs exactly as it was typed.

use super::tokens::Token;
use super::tokens::tokens_of;
use crate::model::catalog::Engine;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;

/// Returns one statement with its kind.
pub fn statement(engine: Engine, text: &str, line: usize) -> Statement {
    let words = tokens_of(engine, text);
    let replaces = |pair: &[Token]| pair[0].is_word("OR") && pair[1].is_word("REPLACE");
    let may_replace = words.first().is_some_and(|word| word.is_word("REPLACE"))
        || words.windows(2).any(|pair| replaces(pair) || (pair[0].is_word("DO") && pair[1].is_word("UPDATE")));
    Statement { text: text.to_owned(), line, kind: kind(&words), may_replace, parameters: Vec::new() }
}

/// Returns the statements of a text, by the syntax of an engine. Empty statements are left out.
pub fn statements(engine: Engine, text: &str) -> Vec<Statement> {
    let tokens = tokens_of(engine, text);
    let mut found = Vec::new();
    let mut first = 0;
    let mut open_bodies = 0_usize;
    for at in 0..=tokens.len() {
        let is_end = match tokens.get(at) {
            None => true,
            Some(token) if makes_trigger(&tokens[first..at]) => {
                if token.is_any(&["BEGIN", "CASE"]) {
                    open_bodies += 1;
                } else if token.is_word("END") {
                    open_bodies = open_bodies.saturating_sub(1);
                }
                is_semicolon(token) && open_bodies == 0
            }
            Some(token) => is_semicolon(token),
        };
        if !is_end {
            continue;
        }
        if let (Some(start), Some(end)) = (tokens.get(first), at.checked_sub(1).filter(|last| *last >= first)) {
            let span = start.span.start..tokens[end].span.end;
            let line = 1 + text[..span.start].matches('\n').count();
            found.push(statement(engine, &text[span], line));
        }
        first = at + 1;
        open_bodies = 0;
    }
    found
}

/// Returns the table that a DROP TABLE names, without its schema and quotes.
pub fn dropped_table(engine: Engine, text: &str) -> Option<String> {
    let words = tokens_of(engine, text);
    let [drop, table, rest @ ..] = words.as_slice() else { return None };
    if !drop.is_word("DROP") || !table.is_word("TABLE") {
        return None;
    }
    let name = match rest {
        [first, _, name @ ..] if first.is_word("IF") => name,
        name => name,
    };
    let last = match name {
        [_, dot, table, ..] if dot.is_word(".") => table,
        [table, ..] => table,
        [] => return None,
    };
    Some(last.text.clone())
}

fn is_semicolon(token: &Token) -> bool {
    token.is_word(";")
}

fn makes_trigger(tokens: &[Token]) -> bool {
    let named = tokens.iter().take(3).position(|token| token.is_word("TRIGGER"));
    named.is_some_and(|index| index > 0) && tokens[0].is_word("CREATE")
}

fn kind(words: &[Token]) -> StatementKind {
    let Some(first) = words.first() else { return StatementKind::Other };
    let word = if first.is_word("WITH") { main_word(words) } else { Some(first) };
    let Some(word) = word else { return StatementKind::Other };
    let of = [
        (StatementKind::Insert, &["INSERT", "REPLACE"][..]),
        (StatementKind::Update, &["UPDATE"]),
        (StatementKind::Delete, &["DELETE"]),
        (StatementKind::Transaction, &["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"]),
        (StatementKind::Definition, &["CREATE", "ALTER", "DROP", "REINDEX", "ANALYZE"]),
        (
            StatementKind::Outside,
            &["ATTACH", "DETACH", "VACUUM", "PRAGMA", "SET", "COPY", "LOAD", "CALL", "DO", "GRANT"],
        ),
    ];
    let enforces = |token: &Token| token.is_any(&["foreign_keys", "defer_foreign_keys"]);
    if word.is_word("PRAGMA") && words.iter().take(4).any(enforces) {
        return StatementKind::Enforcement;
    }
    of.iter().find(|(_, names)| word.is_any(names)).map_or(StatementKind::Other, |(kind, _)| *kind)
}

/// Returns the keyword after the common table expressions of a statement.
fn main_word(words: &[Token]) -> Option<&Token> {
    let mut depth = 0_i32;
    words.iter().find(|word| {
        if word.is_word("(") {
            depth += 1;
        } else if word.is_word(")") {
            depth -= 1;
        }
        depth == 0 && word.is_any(&["INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "VALUES"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_its_semicolons() {
        let text = "-- first\nINSERT INTO t VALUES (';'); ;\n\
                    CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM u; END;\n\
                    WITH a AS (DELETE) update t SET a = 1 /* done */";
        let found: Vec<(String, usize, StatementKind)> = statements(Engine::Sqlite, text)
            .into_iter()
            .map(|statement| (statement.text, statement.line, statement.kind))
            .collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], ("INSERT INTO t VALUES (';')".to_owned(), 2, StatementKind::Insert));
        assert!(found[1].0.starts_with("CREATE") && found[1].0.ends_with("END"), "{found:?}");
        assert_eq!((found[1].1, found[1].2), (3, StatementKind::Definition));
        assert_eq!(found[2], ("WITH a AS (DELETE) update t SET a = 1".to_owned(), 4, StatementKind::Update));
    }

    #[test]
    fn statement_has_the_kind_of_its_keyword() {
        for (text, kind) in [
            ("ATTACH 'x' AS y", StatementKind::Outside),
            ("vacuum into 'x'", StatementKind::Outside),
            ("PRAGMA journal_mode = OFF", StatementKind::Outside),
            ("PRAGMA foreign_keys = OFF", StatementKind::Enforcement),
            ("PRAGMA main.defer_foreign_keys(1)", StatementKind::Enforcement),
            ("REPLACE INTO t VALUES (1)", StatementKind::Insert),
            ("COMMIT", StatementKind::Transaction),
            ("\"DELETE\" FROM t", StatementKind::Other),
            ("", StatementKind::Other),
        ] {
            assert_eq!(statement(Engine::Sqlite, text, 1).kind, kind, "{text}");
        }
        assert!(statement(Engine::Sqlite, "insert or replace into t values (1)", 1).may_replace);
        assert!(!statement(Engine::Sqlite, "insert into t values (replace('a', 'b', 'c'))", 1).may_replace);
    }
}
