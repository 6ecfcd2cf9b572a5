//! A statement that writes, taken apart as far as foreseeing takes: the table it names, and where its clauses stand.
//!
//! What is not understood for certain is not taken apart at all: several tables at once, rows that replace others, what
//! is to happen on a conflict, values that depend on each other.

use std::ops::Range;

use crate::model::catalog::Engine;
use crate::model::facts::Lexis;
use crate::model::facts::ParameterStyle;
use crate::model::value::Value;
use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens_of;

#[derive(Debug, Clone, PartialEq)]
pub struct Dml<'s> {
    engine: Engine,
    text: &'s str,
    parameters: &'s [Value],
    tokens: Vec<Token>,
    /// Common table expressions in front.
    with: Range<usize>,
    pub target: Target,
    pub writes: Writes,
}

/// The table that is written. Places are those of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    name: Range<usize>,
    /// With `ONLY` and the alias.
    whole: Range<usize>,
    /// What its columns are called by: the alias, or the table's own name.
    called: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writes {
    /// What follows the table: columns, and rows or a query.
    Insert {
        rest: Range<usize>,
    },
    /// The columns that are assigned, by name, each with its expression; other tables; and the condition.
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

/// A piece of the text as it was typed, its placeholders numbered anew, and the values for them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Piece {
    pub text: String,
    pub values: Vec<Value>,
}

const CLAUSES: [&str; 10] =
    ["SET", "FROM", "USING", "WHERE", "ORDER", "LIMIT", "RETURNING", "VALUES", "SELECT", "DEFAULT"];

impl<'s> Dml<'s> {
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

    /// The table's name as it was typed.
    pub fn table_name(&self) -> &str {
        self.slice(&self.target.name)
    }

    /// The parts of that name, without quotes.
    pub fn table_name_parts(&self) -> Vec<&str> {
        let parts = self.tokens[self.target.name.clone()].iter().filter(|token| !token.is_word("."));
        parts.map(|token| token.text.as_str()).collect()
    }

    /// What the table's columns are called by, as it was typed.
    pub fn called(&self) -> &str {
        self.slice(&(self.target.called..self.target.called + 1))
    }

    /// The table as a clause `FROM` names it.
    pub fn source(&self) -> &str {
        self.slice(&self.target.whole)
    }

    /// Whether an INSERT says which columns its values are for.
    pub fn names_columns(&self) -> bool {
        let Writes::Insert { rest } = &self.writes else { return true };
        let words = &self.tokens[rest.clone()];
        match words {
            [first, second, ..] if first.is_word("(") => !second.is_any(&["SELECT", "WITH", "VALUES", "("]),
            [first, ..] => first.is_word("SET"),
            [] => false,
        }
    }

    pub fn with(&self, numbered_from: usize) -> Piece {
        self.piece(&self.with, numbered_from)
    }

    /// These tokens, for a statement whose placeholders up to here are used.
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

    /// Which of the values stands for a token.
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

    /// Common table expressions that only read.
    fn with(&mut self) -> Option<Range<usize>> {
        if !self.is("WITH") {
            return Some(0..0);
        }
        let main = self.find(&["INSERT", "UPDATE", "DELETE", "SELECT", "VALUES", "MERGE", "TABLE"]);
        let writes = |token: &Token| token.is_any(&["INSERT", "UPDATE", "DELETE", "MERGE"]);
        self.at = main;
        (!self.tokens[..main].iter().any(writes)).then_some(0..main)
    }

    /// The next of these words outside of parentheses, or the end.
    fn find(&self, words: &[&str]) -> usize {
        let mut depth = 0_i32;
        for (index, token) in self.tokens.iter().enumerate().skip(self.at) {
            if token.is_word("(") {
                depth += 1;
            } else if token.is_word(")") {
                depth -= 1;
            }
            // a IS DISTINCT FROM b
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
        let mut called = name.end - 1;
        let has_alias = self.skip("AS")
            || self
                .tokens
                .get(self.at)
                .is_some_and(|token| is_name(token) && (token.quoted || !token.is_any(&CLAUSES)));
        if has_alias {
            self.tokens.get(self.at).filter(|token| is_name(token))?;
            called = self.at;
            self.at += 1;
        }
        Some(Target { name, whole: start..self.at, called })
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

    /// From WHERE, ORDER BY or LIMIT on; nothing else may stand here.
    fn condition(&mut self) -> Option<Range<usize>> {
        let condition = self.until(&["RETURNING"]);
        let words = &self.tokens[condition.clone()];
        let begins = words.first().is_none_or(|token| token.is_any(&["WHERE", "ORDER", "LIMIT"]));
        let by_cursor = words.get(1).is_some_and(|token| token.is_word("CURRENT"))
            && words.get(2).is_some_and(|token| token.is_word("OF"));
        (begins && !by_cursor).then_some(condition)
    }

    /// `a = 1, t.b = c + 1`.
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
            // MySQL's later expressions see what the earlier ones assigned.
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

    fn told(engine: Engine, text: &str) -> Option<String> {
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
        Some(format!("{} {} [{}] {writes}", dml.with(0).text, dml.called(), dml.table_name()).trim().to_owned())
    }

    #[test]
    fn clauses_are_found() {
        let postgres = |text| told(Engine::Postgres, text);
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(
            postgres(
                "WITH x AS (SELECT 1) UPDATE only s.\"T\" AS a SET A = (1, 2), b=a.c IS DISTINCT FROM 3 FROM x, y WHERE a.id = $2 RETURNING *"
            ),
            expected("WITH x AS (SELECT 1) a [s.\"T\"] a:(1, 2);b:a.c IS DISTINCT FROM 3 | x, y | WHERE a.id = $1")
        );
        assert_eq!(postgres("DELETE FROM t USING u WHERE true"), expected("t [t] u | WHERE true"));
        assert_eq!(postgres("insert into t(a) select 1 returning a"), expected("t [t] (a) select 1"));
        let maria = |text| told(Engine::Mariadb, text);
        assert_eq!(
            maria("UPDATE `t` SET t.a = ?, b = 2 ORDER BY a LIMIT ?"),
            expected("`t` [`t`] a:?;b:2 |  | ORDER BY a LIMIT ?")
        );
        assert_eq!(maria("INSERT t SET a = 1"), expected("t [t] SET a = 1"));
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
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
            assert_eq!(told(engine, text), None, "{text}");
        }
    }
}
