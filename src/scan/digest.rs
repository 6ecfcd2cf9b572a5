//! Counts the orphans of a relation where the engine streams none: totals first, then the most frequent missing keys, then
//! rows of them.
//!
//! How many rows each answer must have is known before it is asked. With another number, the relation is unchecked, because a
//! cluster that lost a part of an answer must not make a database look clean.

use super::KEPT_KEYS;
use super::KEYS_WITH_SAMPLES;
use super::Tally;
use super::gather::Gatherer;
use super::gather::keep_most_frequent;
use super::orphan_row::OrphanColumns;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::Suspects;
use crate::model::finding::MissingKey;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql;
use crate::sql::Sql;

impl Gatherer<'_> {
    /// Returns the tally of a relation, without the counts of all rows. `totals` is its [`crate::sql::Scan::orphan_totals`].
    pub(super) fn digest(&self, session: &mut dyn Session, totals: &Sql) -> Result<Tally, EngineError> {
        let numbers = session.numbers(totals)?;
        let &[keys, rows] = numbers.as_slice() else { return Err(unfitting(2, numbers.len() as u64, "numbers")) };
        if keys > rows || (keys == 0) != (rows == 0) {
            return Err(EngineError::Failed { why: format!("{rows} orphans cannot have {keys} missing keys") });
        }
        if keys == 0 {
            return Ok(Tally { suspects: Suspects::Rows(Vec::new()), ..Tally::default() });
        }
        let mut tally = self.missing_keys(session, keys, rows)?;
        self.add_samples(session, &mut tally)?;
        Ok(tally)
    }

    fn missing_keys(&self, session: &mut dyn Session, keys: u64, rows: u64) -> Result<Tally, EngineError> {
        let most = if self.is_known.is_some() { keys } else { keys.min(KEPT_KEYS as u64) };
        let Some(question) = sql::of(self.schema).missing_keys(self.schema, self.relation, most) else {
            return Err(EngineError::Failed { why: "the engine has no query for missing keys".to_owned() });
        };
        let mut tally = Tally::default();
        let mut top = Vec::new();
        let (mut found_keys, mut found_rows) = (0_u64, 0_u64);
        session.each_row(&question, &mut |row| {
            let [rows, key @ ..] = row else { return };
            let rows = rows.as_integer().and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
            found_keys += 1;
            found_rows += rows;
            let key = key.to_vec();
            if tally.add_key(self, &key, rows) {
                let missing = MissingKey { key, rows, samples: Vec::new(), span: None };
                keep_most_frequent(&mut top, missing, |missing: &MissingKey<Value>| missing.rows);
            }
        })?;
        if found_keys != most {
            return Err(unfitting(most, found_keys, "missing keys"));
        }
        if found_rows > rows || (most == keys && found_rows != rows) {
            return Err(unfitting(rows, found_rows, "orphans"));
        }
        if most < keys {
            (tally.missing_keys, tally.orphan_rows) = (keys, rows);
        }
        tally.top = top;
        Ok(tally)
    }

    fn add_samples(&self, session: &mut dyn Session, tally: &mut Tally) -> Result<(), EngineError> {
        let shown = tally.top.len().min(KEYS_WITH_SAMPLES.max(self.samples));
        let top = &mut tally.top[..shown];
        if self.samples == 0 || top.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = top.iter().map(|missing| missing.key.clone()).collect();
        let keys: Vec<&Key> = keys.iter().collect();
        let sql = sql::of(self.schema);
        let Some(question) = sql.orphan_samples(self.schema, self.relation, &keys, self.samples) else { return Ok(()) };
        let columns = OrphanColumns::of(self.schema, self.relation);
        columns.each_row(session, &question, |row| {
            let index = row.group.and_then(|group| usize::try_from(group).ok());
            match index.and_then(|index| top.get_mut(index)) {
                Some(missing) => missing.samples.push(columns.sample(&row)),
                None => return Err(EngineError::Failed { why: "a row has a key that was not asked for".to_owned() }),
            }
            Ok(())
        })?;
        for missing in top {
            let expected = missing.rows.min(self.samples as u64);
            if missing.samples.len() as u64 != expected {
                return Err(unfitting(expected, missing.samples.len() as u64, "orphans of a key"));
            }
        }
        Ok(())
    }
}

/// The error of an answer with another number of rows than it must have.
pub(super) fn unfitting(expected: u64, found: u64, noun: &str) -> EngineError {
    EngineError::Failed {
        why: format!(
            "{found} {noun} came where {expected} must: the table changed while it was read, or the answer is not whole"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Damage;
    use crate::model::catalog::Column;
    use crate::model::catalog::Engine;
    use crate::model::catalog::Family;
    use crate::model::catalog::Table;
    use crate::model::resolve::sample;
    use crate::model::schema::Schema;
    use crate::scan::gather::IsKnownKey;

    /// Answers each question with the next of its lists of rows.
    struct Canned(Vec<Vec<Vec<Value>>>);

    impl Session for Canned {
        fn each_row(&mut self, _: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
            assert!(!self.0.is_empty(), "a question too many");
            self.0.remove(0).iter().for_each(|row| each(row));
            Ok(())
        }

        fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
            Ok(None)
        }
    }

    fn schema() -> Schema {
        let column = Column { family: Family::Integer, ..Column::unknown("id".to_owned()) };
        sample::one_relation(Engine::Spark, &column)
    }

    fn digest(answers: Vec<Vec<Vec<i64>>>, knows: Option<IsKnownKey<'_>>) -> Result<Tally, String> {
        let schema = schema();
        let relation = schema.relations.iter().next().unwrap();
        let rows = |rows: Vec<Vec<i64>>| rows.into_iter().map(|row| row.into_iter().map(Value::Integer).collect());
        let mut session = Canned(answers.into_iter().map(|answer| rows(answer).collect()).collect());
        let totals = sql::of(&schema).orphan_totals(&schema, relation).unwrap();
        let gatherer = Gatherer { schema: &schema, relation, samples: 1, is_known: knows };
        let tally = gatherer.digest(&mut session, &totals).map_err(|error| error.because());
        assert!(tally.is_err() || session.0.is_empty(), "a question too few");
        tally
    }

    #[test]
    fn relation_without_orphans_needs_one_question() {
        let tally = digest(vec![vec![vec![0, 0]]], None).unwrap();
        assert_eq!((tally.missing_keys, tally.orphan_rows), (0, 0));
    }

    #[test]
    fn orphans_are_counted_with_the_most_frequent_keys_and_rows_of_them() {
        let samples = vec![vec![0, 7, 7, 7, 0], vec![1, 4, 4, 4, 0]];
        let tally = digest(vec![vec![vec![2, 4]], vec![vec![3, 7], vec![1, 4]], samples], None).unwrap();
        assert_eq!((tally.missing_keys, tally.orphan_rows), (2, 4));
        assert_eq!(tally.top[0].samples[0].row, [("id".to_owned(), Value::Integer(7))]);
        assert_eq!(tally.top[1].rows, 1);
    }

    #[test]
    fn known_keys_are_counted_apart() {
        let knows = |key: &Key, _: u64| *key == [Value::Integer(7)];
        let answers = vec![vec![vec![2, 4]], vec![vec![3, 7], vec![1, 4]], vec![vec![0, 4, 4, 4, 0]]];
        let tally = digest(answers, Some(&knows)).unwrap();
        assert_eq!((tally.missing_keys, tally.orphan_rows, tally.known_keys, tally.known_rows), (1, 1, 1, 3));
    }

    /// An answer that ends early must never make a relation look clean.
    #[test]
    fn answer_with_another_number_of_rows_is_no_answer() {
        let keys = vec![vec![3, 7], vec![1, 4]];
        for answers in [
            vec![vec![]],
            vec![vec![vec![0]]],
            vec![vec![vec![0, 3]]],
            vec![vec![vec![3, 0]]],
            vec![vec![vec![3, 2]]],
            vec![vec![vec![2, 4]], vec![]],
            vec![vec![vec![2, 4]], vec![vec![4, 7]]],
            vec![vec![vec![2, 5]], keys.clone()],
            vec![vec![vec![2, 4]], keys.clone(), vec![]],
            vec![vec![vec![2, 4]], keys.clone(), vec![vec![0, 7, 7, 7, 0]]],
            vec![vec![vec![2, 4]], keys, vec![vec![5, 7, 7, 7, 0]]],
        ] {
            let shown = format!("{answers:?}");
            assert!(digest(answers, None).is_err(), "{shown}");
        }
    }
}
