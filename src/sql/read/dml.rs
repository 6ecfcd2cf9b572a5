//! Parses an INSERT, UPDATE or DELETE as far as a forecast needs: the table that it writes, and the ranges of its
//! clauses.
//!
//! Leaves out each statement that it cannot parse with certainty: one that writes several tables, replaces rows, has a
//! conflict clause, or assigns values that depend on each other.

use std::ops::Range;

use crate::model::catalog::Engine;
use crate::model::facts::Lexis;
use crate::model::facts::ParameterStyle;
use crate::model::value::Value;
use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens_of;

/// A parsed statement. Ranges are of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Dml<'s> {
    engine: Engine,
    text: &'s str,
    parameters: &'s [Value],
    tokens: Vec<Token>,
    /// The common table expressions before the statement.
    with: Range<usize>,
    pub target: Target,
    pub writes: Writes,
}

/// The table that is written. Ranges are of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    name: Range<usize>,
    /// The name with `ONLY` and the alias.
    whole: Range<usize>,
    /// The token that qualifies the table's columns: the alias, or the table's own name.
    qualifier: usize,
}

/// The clauses of each kind of statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writes {
    /// The tokens after the table: columns, and rows or a query.
    Insert {
        rest: Range<usize>,
    },
    /// The assigned columns, by name, each with its expression; other tables; and the condition.
    Update {
        assigned: Vec<(String, Range<usize>)>,
        others: Range<usize>,
        condition: Range<usize>,
    },
    Delete {
        others: Range<usize>,
        condition: Range<usize>,
    },
}

/// A piece of the text as it was typed, with new numbers for its placeholders, and their values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Piece {
    pub text: String,
    pub values: Vec<Value>,
}

/// Words that begin a clause and so are no alias.
const CLAUSES: [&str; 10] =
    ["SET", "FROM", "USING", "WHERE", "ORDER", "LIMIT", "RETURNING", "VALUES", "SELECT", "DEFAULT"];

impl<'s> Dml<'s> {
    /// Parses a statement; `None` if it cannot be parsed with certainty.
    pub fn read(engine: Engine, text: &'s str, parameters: &'s [Value]) -> Option<Dml<'s>> {
        let tokens = tokens_of(engine, text);
        let mut reader = Reader { engine, tokens: &tokens, at: 0 };
        let with = reader.with()?;
        let (target, writes) = if reader.skip("INSERT") {
            reader.insert()?
        } else if reader.skip("UPDATE") {
            reader.update()?
        } else if reader.skip("DELETE") {
            reader.delete()?
        } else {
            return None;
        };
        Some(Dml { engine, text, parameters, with, target, writes, tokens: tokens.clone() })
    }

    /// Returns the table's name as it was typed.
    pub fn table_name(&self) -> &str {
        self.slice(&self.target.name)
    }

    /// Returns the parts of that name, without quotes.
    pub fn table_name_parts(&self) -> Vec<&str> {
        let parts = self.tokens[self.target.name.clone()].iter().filter(|token| !token.is_word("."));
        parts.map(|token| token.text.as_str()).collect()
    }

    /// Returns the name that qualifies the table's columns, as it was typed.
    pub fn qualifier(&self) -> &str {
        self.slice(&(self.target.qualifier..self.target.qualifier + 1))
    }

    /// Returns the table in the form of a FROM clause.
    pub fn source(&self) -> &str {
        self.slice(&self.target.whole)
    }

    /// True if an INSERT names the columns of its values. Other statements always do.
    pub fn names_columns(&self) -> bool {
        let Writes::Insert { rest } = &self.writes else { return true };
        let words = &self.tokens[rest.clone()];
        match words {
            [first, second, ..] if first.is_word("(") => !second.is_any(&["SELECT", "WITH", "VALUES", "("]),
            [first, ..] => first.is_word("SET"),
            [] => false,
        }
    }

    /// Returns the common table expressions, for a statement that has used the placeholders up to this number.
    pub fn with(&self, numbered_from: usize) -> Piece {
        self.piece(&self.with, numbered_from)
    }

    /// Returns a range of tokens as text, for a statement that has used the placeholders up to this number.
    pub fn piece(&self, tokens: &Range<usize>, numbered_from: usize) -> Piece {
        let mut piece = Piece::default();
        if tokens.is_empty() {
            return piece;
        }
        let mut from = self.tokens[tokens.start].span.start;
        for (index, token) in self.tokens.iter().enumerate().take(tokens.end).skip(tokens.start) {
            let Some(number) = self.placeholder(index) else { continue };
            piece.text.push_str(&self.text[from..token.span.start]);
            piece.values.push(self.parameters.get(number).cloned().unwrap_or(Value::Null));
            match self.engine.facts().placeholder {
                ParameterStyle::Numbered(sign) => {
                    piece.text.push_str(&format!("{sign}{}", numbered_from + piece.values.len()));
                }
                ParameterStyle::Question => piece.text.push('?'),
            }
            from = token.span.end;
        }
        piece.text.push_str(&self.text[from..self.tokens[tokens.end - 1].span.end]);
        piece
    }

    /// Returns the index of the parameter that a token stands for; `None` if the token is no placeholder.
    fn placeholder(&self, index: usize) -> Option<usize> {
        let token = &self.tokens[index];
        match self.engine.facts().placeholder {
            ParameterStyle::Numbered(sign) => {
                token.text.strip_prefix(sign).filter(|_| !token.quoted)?.parse::<usize>().ok()?.checked_sub(1)
            }
            ParameterStyle::Question => {
                token.is_word("?").then(|| self.tokens[..index].iter().filter(|token| token.is_word("?")).count())
            }
        }
    }

    fn slice(&self, tokens: &Range<usize>) -> &str {
        match self.tokens.get(tokens.clone()) {
            Some([first, .., last]) => &self.text[first.span.start..last.span.end],
            Some([only]) => &self.text[only.span.clone()],
            _ => "",
        }
    }
}

struct Reader<'t> {
    engine: Engine,
    tokens: &'t [Token],
    at: usize,
}

impl Reader<'_> {
    fn is(&self, word: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is_word(word))
    }

    fn skip(&mut self, word: &str) -> bool {
        let there = self.is(word);
        self.at += usize::from(there);
        there
    }

    fn lexis(&self) -> &'static Lexis {
        &self.engine.facts().lexis
    }

    /// Reads common table expressions; `None` if one of them writes.
    fn with(&mut self) -> Option<Range<usize>> {
        if !self.is("WITH") {
            return Some(0..0);
        }
        let main = self.find(&["INSERT", "UPDATE", "DELETE", "SELECT", "VALUES", "MERGE", "TABLE"]);
        let writes = |token: &Token| token.is_any(&["INSERT", "UPDATE", "DELETE", "MERGE"]);
        self.at = main;
        (!self.tokens[..main].iter().any(writes)).then_some(0..main)
    }

    /// Returns the index of the next of these words outside of parentheses, or of the end.
    fn find(&self, words: &[&str]) -> usize {
        let mut depth = 0_i32;
        for (index, token) in self.tokens.iter().enumerate().skip(self.at) {
            if token.is_word("(") {
                depth += 1;
            } else if token.is_word(")") {
                depth -= 1;
            }
            // `a IS DISTINCT FROM b` has no FROM clause.
            let is_compared = index > 0 && token.is_word("FROM") && self.tokens[index - 1].is_word("DISTINCT");
            if depth == 0 && token.is_any(words) && !is_compared {
                return index;
            }
        }
        self.tokens.len()
    }

    fn until(&mut self, words: &[&str]) -> Range<usize> {
        let range = self.at..self.find(words);
        self.at = range.end;
        range
    }

    fn target(&mut self) -> Option<Target> {
        let start = self.at;
        let only = self.skip("ONLY");
        if only && self.is("(") {
            return None;
        }
        let name = self.at;
        let is_name =
            |token: &Token| token.quoted || token.text.chars().all(|c| c.is_alphanumeric() || "_$".contains(c));
        self.tokens.get(self.at).filter(|token| is_name(token))?;
        self.at += 1;
        while self.skip(".") {
            self.tokens.get(self.at).filter(|token| is_name(token))?;
            self.at += 1;
        }
        let name = name..self.at;
        self.skip("*");
        let mut qualifier = name.end - 1;
        let has_alias = self.skip("AS")
            || self
                .tokens
                .get(self.at)
                .is_some_and(|token| is_name(token) && (token.quoted || !token.is_any(&CLAUSES)));
        if has_alias {
            self.tokens.get(self.at).filter(|token| is_name(token))?;
            qualifier = self.at;
            self.at += 1;
        }
        Some(Target { name, whole: start..self.at, qualifier })
    }

    fn insert(&mut self) -> Option<(Target, Writes)> {
        while self.lexis().statement_modifiers
            && (self.skip("LOW_PRIORITY") || self.skip("HIGH_PRIORITY") || self.skip("DELAYED"))
        {}
        if self.is("IGNORE") || !(self.skip("INTO") || self.lexis().statement_modifiers) {
            return None;
        }
        let target = self.target()?;
        if self.is("PARTITION") {
            return None;
        }
        let rest = self.until(&["RETURNING"]);
        let words = &self.tokens[rest.clone()];
        let conflict = |pair: &[Token]| pair[0].is_word("ON") && pair[1].is_any(&["CONFLICT", "DUPLICATE"]);
        (!words.windows(2).any(conflict)).then_some((target, Writes::Insert { rest }))
    }

    fn update(&mut self) -> Option<(Target, Writes)> {
        while self.lexis().statement_modifiers && self.skip("LOW_PRIORITY") {}
        if self.lexis().statement_modifiers && self.is("IGNORE") {
            return None;
        }
        let target = self.target()?;
        if !self.skip("SET") {
            return None;
        }
        let set = self.until(&["FROM", "WHERE", "ORDER", "LIMIT", "RETURNING"]);
        let assigned = self.assigned(&set)?;
        let others = if self.skip("FROM") { self.until(&["WHERE", "RETURNING"]) } else { 0..0 };
        let condition = self.condition()?;
        Some((target, Writes::Update { assigned, others, condition }))
    }

    fn delete(&mut self) -> Option<(Target, Writes)> {
        while self.lexis().statement_modifiers && (self.skip("LOW_PRIORITY") || self.skip("QUICK")) {}
        if !self.skip("FROM") {
            return None;
        }
        let target = self.target()?;
        let others =
            if self.lexis().delete_using && self.skip("USING") { self.until(&["WHERE", "RETURNING"]) } else { 0..0 };
        let condition = self.condition()?;
        Some((target, Writes::Delete { others, condition }))
    }

    /// Reads WHERE, ORDER BY and LIMIT; `None` if another clause begins here.
    fn condition(&mut self) -> Option<Range<usize>> {
        let condition = self.until(&["RETURNING"]);
        let words = &self.tokens[condition.clone()];
        let begins = words.first().is_none_or(|token| token.is_any(&["WHERE", "ORDER", "LIMIT"]));
        let by_cursor = words.get(1).is_some_and(|token| token.is_word("CURRENT"))
            && words.get(2).is_some_and(|token| token.is_word("OF"));
        (begins && !by_cursor).then_some(condition)
    }

    /// Reads assignments such as `a = 1, t.b = c + 1`; `None` if one depends on an earlier one.
    fn assigned(&self, set: &Range<usize>) -> Option<Vec<(String, Range<usize>)>> {
        let mut assigned: Vec<(String, Range<usize>)> = Vec::new();
        let mut depth = 0_i32;
        let mut start = set.start;
        for index in set.start..=set.end {
            let token = self.tokens.get(index).filter(|_| index < set.end);
            if let Some(token) = token {
                depth += i32::from(token.is_any(&["(", "["])) - i32::from(token.is_any(&[")", "]"]));
                if depth > 0 || !token.is_word(",") {
                    continue;
                }
            }
            assigned.push(self.assignment(start..index)?);
            start = index + 1;
        }
        let depends = |(index, (_, value)): (usize, &(String, Range<usize>))| {
            let earlier =
                |token: &Token| assigned[..index].iter().any(|(name, _)| name.eq_ignore_ascii_case(&token.text));
            // On MySQL, a later expression reads the value that an earlier one assigned.
            self.lexis().assigns_in_order && self.tokens[value.clone()].iter().any(earlier)
        };
        (!assigned.iter().enumerate().any(depends)).then_some(assigned)
    }

    fn assignment(&self, tokens: Range<usize>) -> Option<(String, Range<usize>)> {
        let equals = tokens.clone().find(|&index| self.tokens[index].is_word("="))?;
        let name = &self.tokens[tokens.start..equals];
        let name = match name {
            [name] => name,
            [_, dot, name] if self.lexis().assigns_in_order && dot.is_word(".") => name,
            _ => return None,
        };
        let value = equals + 1..tokens.end;
        let is_default = self.tokens[value.clone()].iter().any(|token| token.is_word("DEFAULT"));
        if value.is_empty() || is_default || name.is_word("(") {
            return None;
        }
        let folds = self.lexis().folds_names && !name.quoted;
        Some((if folds { name.text.to_lowercase() } else { name.text.clone() }, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(engine: Engine, text: &str) -> Option<String> {
        let parameters = [Value::Integer(1), Value::Integer(2)];
        let dml = Dml::read(engine, text, &parameters)?;
        let piece = |range: &Range<usize>| dml.piece(range, 0).text;
        let writes = match &dml.writes {
            Writes::Insert { rest } => piece(rest),
            Writes::Update { assigned, others, condition } => {
                let assigned: Vec<String> =
                    assigned.iter().map(|(name, value)| format!("{name}:{}", piece(value))).collect();
                format!("{} | {} | {}", assigned.join(";"), piece(others), piece(condition))
            }
            Writes::Delete { others, condition } => format!("{} | {}", piece(others), piece(condition)),
        };
        Some(format!("{} {} [{}] {writes}", dml.with(0).text, dml.qualifier(), dml.table_name()).trim().to_owned())
    }

    #[test]
    fn statement_is_cut_into_its_clauses() {
        let postgres = |text| summary(Engine::Postgres, text);
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(
            postgres(
                "WITH x AS (SELECT 1) UPDATE only s.\"T\" AS a SET A = (1, 2), b=a.c IS DISTINCT FROM 3 FROM x, y WHERE a.id = $2 RETURNING *"
            ),
            expected("WITH x AS (SELECT 1) a [s.\"T\"] a:(1, 2);b:a.c IS DISTINCT FROM 3 | x, y | WHERE a.id = $1")
        );
        assert_eq!(postgres("DELETE FROM t USING u WHERE true"), expected("t [t] u | WHERE true"));
        assert_eq!(postgres("insert into t(a) select 1 returning a"), expected("t [t] (a) select 1"));
        let maria = |text| summary(Engine::Mariadb, text);
        assert_eq!(
            maria("UPDATE `t` SET t.a = ?, b = 2 ORDER BY a LIMIT ?"),
            expected("`t` [`t`] a:?;b:2 |  | ORDER BY a LIMIT ?")
        );
        assert_eq!(maria("INSERT t SET a = 1"), expected("t [t] SET a = 1"));
    }

    #[test]
    fn statement_of_an_unknown_form_is_not_parsed() {
        for (engine, text) in [
            (Engine::Postgres, "WITH x AS (DELETE FROM u RETURNING *) INSERT INTO t SELECT * FROM x"),
            (Engine::Postgres, "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"),
            (Engine::Postgres, "UPDATE t SET (a, b) = (1, 2)"),
            (Engine::Postgres, "UPDATE t SET a = DEFAULT"),
            (Engine::Postgres, "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE"),
            (Engine::Mariadb, "DELETE t FROM t JOIN u"),
            (Engine::Mariadb, "UPDATE t, u SET t.a = u.a"),
            (Engine::Mariadb, "UPDATE t SET a = 1, b = a"),
            (Engine::Mariadb, "REPLACE INTO t VALUES (1)"),
            (Engine::Mariadb, "INSERT IGNORE INTO t VALUES (1)"),
        ] {
            assert_eq!(summary(engine, text), None, "{text}");
        }
    }
}
