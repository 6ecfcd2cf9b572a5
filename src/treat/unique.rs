//! Unique keys. A new or updated row is checked against every unique index of its table, including indexes on expressions and
//! partial indexes. The rehearsal checks the rows of the plan against each other.

use std::collections::BTreeMap;

use super::CHUNK;
use super::Planner;
use super::TreatError;
use crate::engine::EngineError;
use crate::model::catalog::Engine;
use crate::model::facts::IndexText;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens_of;
use crate::sql::repair::UniqueTerms;

/// A row that is checked against the rows of a table.
pub(super) struct Candidate<'n> {
    pub(super) image: &'n Row,
    /// The name of the row, if it exists already.
    pub(super) own: Option<&'n RowName>,
    /// The columns that change, or `None` for all columns.
    pub(super) changed: Option<&'n [usize]>,
}

impl<'n> Candidate<'n> {
    /// True if any of these columns changes.
    pub(super) fn changes_any(&self, columns: &[usize]) -> bool {
        self.changed.is_none_or(|changed| columns.iter().any(|column| changed.contains(column)))
    }

    /// Returns the name of the row, if it exists already, and its image.
    pub(super) fn row(&self) -> (Option<&'n RowName>, &'n Row) {
        (self.own, self.image)
    }

    /// Returns the key of a unique index, if it changes and can collide. A key with NULL never collides.
    fn key(&self, columns: &[usize], names: &[&str]) -> Option<Key> {
        if self.changed.is_some_and(|changed| !columns.iter().any(|column| changed.contains(column))) {
            return None;
        }
        let key = self.image.key(names.iter().map(|name| name.as_ref()));
        let is_own = self.own.is_some_and(|own| {
            own.iter().all(|(name, value)| self.image.get(name).is_some_and(|now| now.is_same(value)))
                && own.len() == names.len()
                && own.iter().all(|(name, _)| names.contains(&name))
        });
        key.filter(|key| !is_own && !key.contains(&Value::Null))
    }
}

/// A unique index on expressions, or a partial one, as far as its definition could be parsed.
#[derive(Debug, Clone)]
pub(super) struct SpecialIndex {
    name: String,
    /// `None` if the definition could not be parsed.
    terms: Option<UniqueTerms>,
    /// The table's columns that the definition mentions.
    columns: Vec<usize>,
}

/// The special indexes of each table that was needed so far, and the definitions of all indexes once they were read.
#[derive(Default)]
pub(super) struct SpecialIndexes {
    of: BTreeMap<TableId, Vec<SpecialIndex>>,
    texts: Option<Vec<(String, String)>>,
}

/// Rows that cannot be stored. Each has its position, the reason, and true if another row has its key, for example
/// `(3, "UNIQUE constraint failed: p(name)", true)`.
pub(super) type Refused = Vec<(usize, String, bool)>;

impl<'a> Planner<'a> {
    /// Returns the reason why a row collides with the stored rows, if it does. The rehearsal has checked the rows of
    /// the plan.
    pub(super) fn collision(&mut self, table: TableId, image: &Row) -> Result<Option<String>, TreatError> {
        let candidates = [Some(Candidate { image, own: None, changed: None })];
        if let Some((_, why)) = self.collisions(table, &candidates)?.pop() {
            return Ok(Some(why));
        }
        Ok(self.special_collisions(table, &candidates)?.pop().map(|(_, why, _)| why))
    }

    /// Returns the positions of the rows whose unique key another row has, each with the reason.
    pub(super) fn collisions(
        &mut self,
        table: TableId,
        candidates: &[Option<Candidate<'_>>],
    ) -> Result<Vec<(usize, String)>, TreatError> {
        let about = &self.schema.tables[table];
        let mut taken = Vec::new();
        for index in about.indexes.iter().filter(|index| index.unique && !index.partial) {
            let Some(columns) = index.columns.iter().map(|part| part.column).collect::<Option<Vec<usize>>>() else {
                continue;
            };
            let names: Vec<&str> = columns.iter().map(|&column| about.columns[column].name.as_str()).collect();
            let keys = candidates.iter().enumerate().filter_map(|(position, candidate)| {
                let key = candidate.as_ref()?.key(&columns, &names)?;
                Some((position, key))
            });
            let (positions, keys): (Vec<usize>, Vec<Key>) = keys.unzip();
            for chunk in (0..keys.len()).collect::<Vec<usize>>().chunks(CHUNK) {
                let wanted: Vec<&Key> = chunk.iter().map(|&key| &keys[key]).collect();
                let query = self.sql.present_keys(about, &columns, &wanted);
                self.lookups.numbered(&query, wanted.len(), &mut |number, _| {
                    let why = format!("UNIQUE constraint failed: {}({})", about.name, names.join(", "));
                    taken.push((positions[chunk[number]], why));
                })?;
            }
        }
        Ok(taken)
    }

    /// Returns the rows that a special unique index refuses, by a query with the terms of the index.
    pub(super) fn special_collisions(
        &mut self,
        table: TableId,
        candidates: &[Option<Candidate<'_>>],
    ) -> Result<Refused, TreatError> {
        let about = &self.schema.tables[table];
        let mut refused = Refused::new();
        for index in self.special_indexes(table)? {
            let concerned: Vec<usize> = (0..candidates.len())
                .filter(|&position| {
                    candidates[position].as_ref().is_some_and(|candidate| candidate.changes_any(&index.columns))
                })
                .collect();
            for chunk in concerned.chunks(CHUNK) {
                let rows: Vec<(Option<&RowName>, &Row)> =
                    chunk.iter().filter_map(|&position| candidates[position].as_ref().map(Candidate::row)).collect();
                let query = index.terms.as_ref().and_then(|terms| self.sql.unique_collisions(about, &rows, terms));
                let mut found = Vec::new();
                let outcome = match query {
                    None => Err(EngineError::Failed { why: "fk-doctor cannot parse its definition".to_owned() }),
                    Some(query) => {
                        self.lookups.numbered(&query, rows.len(), &mut |number, _| found.push(chunk[number]))
                    }
                };
                match outcome {
                    Ok(()) => {
                        let why = format!("UNIQUE constraint failed: index {} of {}", index.name, about.name);
                        refused.extend(found.into_iter().map(|position| (position, why.clone(), true)));
                    }
                    Err(EngineError::Failed { why }) => {
                        let why = format!("the unique index {} of {} cannot be checked: {why}", index.name, about.name);
                        refused.extend(chunk.iter().map(|&position| (position, why.clone(), false)));
                    }
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Ok(refused)
    }

    fn special_indexes(&mut self, table: TableId) -> Result<Vec<SpecialIndex>, TreatError> {
        if let Some(known) = self.special_indexes.of.get(&table) {
            return Ok(known.clone());
        }
        let schema = self.schema;
        let about = &schema.tables[table];
        let is_special = |index: &&crate::model::catalog::Index| {
            index.unique && (index.partial || index.columns.iter().any(|part| part.column.is_none()))
        };
        let mut special = Vec::new();
        if schema.database.engine.facts().unique_index_text == IndexText::Other {
            // fk-doctor cannot read the terms of such an index. If it rejects a row, the engine refuses the row when the plan is
            // applied.
            return Ok(special);
        }
        // The plan changes no row of a table whose rows cannot be identified.
        for index in about.indexes.iter().filter(is_special).filter(|_| !identity_columns(about).is_empty()) {
            let text = self.text_of_index(&index.name)?;
            let engine = schema.database.engine;
            let terms = text.as_deref().and_then(|text| terms(engine, text));
            let words = tokens_of(engine, text.as_deref().unwrap_or_default());
            let is_mentioned =
                |name: &str| text.is_none() || words.iter().any(|word| schema.names.same(&word.text, name));
            let columns = (0..about.columns.len()).filter(|&column| is_mentioned(&about.columns[column].name));
            special.push(SpecialIndex { name: index.name.clone(), terms, columns: columns.collect() });
        }
        self.special_indexes.of.insert(table, special.clone());
        Ok(special)
    }

    fn text_of_index(&mut self, name: &str) -> Result<Option<String>, TreatError> {
        if self.special_indexes.texts.is_none() {
            let mut texts = Vec::new();
            self.lookups.each_row(&self.sql.definitions(), &mut |row| {
                let text = |position: usize| row.get(position).and_then(Value::as_text).unwrap_or_default().to_owned();
                if text(0) == "index" {
                    texts.push((text(1), text(3)));
                }
            })?;
            self.special_indexes.texts = Some(texts);
        }
        let texts = self.special_indexes.texts.iter().flatten();
        let mut known = texts.filter(|(known, _)| known == name).map(|(_, text)| text.clone());
        // If two schemas have an index of this name, neither definition is certain.
        Ok(known.next().filter(|_| known.next().is_none()))
    }
}

/// Parses `CREATE UNIQUE INDEX … ON … (terms) WHERE condition`.
fn terms(engine: Engine, text: &str) -> Option<UniqueTerms> {
    let tokens = tokens_of(engine, text);
    let on = tokens.iter().position(|token| token.is_word("ON"))?;
    let open = on + tokens[on..].iter().position(is("("))?;
    let close = closing(&tokens, open)?;
    let mut starts = vec![open + 1];
    let mut at = open + 1;
    while at < close {
        match () {
            () if is("(")(&tokens[at]) => at = closing(&tokens, at)?,
            () if is(",")(&tokens[at]) => starts.push(at + 1),
            () => {}
        }
        at += 1;
    }
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([close]);
    let terms = starts.iter().zip(ends).map(|(&start, end)| {
        let term = tokens.get(start..end)?;
        let length = match engine.facts().unique_index_text {
            IndexText::Terms => without_order(term),
            IndexText::TermsWithClasses => operand(term)?,
            IndexText::Other => return None,
        };
        let (first, last) = (term.first()?, term.get(length.checked_sub(1)?)?);
        Some(text[first.span.start..last.span.end].to_owned())
    });
    let terms = terms.collect::<Option<Vec<String>>>()?;
    let rest = &tokens[close + 1..];
    let condition = rest.iter().find(|token| token.is_word("WHERE"));
    Some(UniqueTerms { terms, condition: condition.map(|word| text[word.span.end..].trim().to_owned()) })
}

fn is(sign: &'static str) -> impl Fn(&Token) -> bool {
    move |token| !token.quoted && token.text == sign
}

/// Returns the position of the parenthesis that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (position, token) in tokens.iter().enumerate().skip(open) {
        depth += usize::from(is("(")(token));
        if is(")")(token) {
            depth -= 1;
            if depth == 0 {
                return Some(position);
            }
        }
    }
    None
}

/// Returns the number of tokens of a term without ASC and DESC.
fn without_order(term: &[Token]) -> usize {
    term.len() - usize::from(term.last().is_some_and(|last| last.is_any(&["ASC", "DESC"])))
}

/// Returns the number of tokens of a column, a call or an expression in parentheses, with its COLLATE. The operator
/// class and the order follow it.
fn operand(term: &[Token]) -> Option<usize> {
    let name_from = |start: usize| {
        let mut end = start + 1;
        while term.get(end).is_some_and(is(".")) {
            end += 2;
        }
        end
    };
    let mut end = if is("(")(term.first()?) { closing(term, 0)? + 1 } else { name_from(0) };
    if term.get(end).is_some_and(is("(")) {
        end = closing(term, end)? + 1;
    }
    if term.get(end).is_some_and(|token| token.is_word("COLLATE")) {
        end = name_from(end + 1);
    }
    (end <= term.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(engine: Engine, text: &str) -> (Vec<String>, Option<String>) {
        let terms = terms(engine, text).unwrap();
        (terms.terms, terms.condition)
    }

    #[test]
    fn index_definition_parses_into_terms_and_condition() {
        let (terms, condition) = parsed(
            Engine::Sqlite,
            "CREATE UNIQUE INDEX \"i on (\" ON t(lower(a), coalesce(b, ',)') DESC, \"c d\" COLLATE NOCASE) WHERE a > 0 AND b IN (1, 2)",
        );
        assert_eq!(terms, ["lower(a)", "coalesce(b, ',)')", "\"c d\" COLLATE NOCASE"]);
        assert_eq!(condition.as_deref(), Some("a > 0 AND b IN (1, 2)"));
        let (terms, condition) = parsed(
            Engine::Postgres,
            "CREATE UNIQUE INDEX i ON public.t USING btree (lower(a) text_pattern_ops, ((a || b)) COLLATE pg_catalog.\"C\" DESC NULLS LAST, b int4_ops) INCLUDE (c) NULLS NOT DISTINCT WHERE (a IS NOT NULL)",
        );
        assert_eq!(terms, ["lower(a)", "((a || b)) COLLATE pg_catalog.\"C\"", "b"]);
        assert_eq!(condition.as_deref(), Some("(a IS NOT NULL)"));
        assert!(super::terms(Engine::Mariadb, "UNIQUE(a)").is_none());
    }
}
