//! Keys of several columns: those that are declared and, in tables without a declared key, those that are unique in the rows.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::DiscoverOptions;
use super::column_keys::Part;
use super::form::Fold;
use super::keys;
use super::keys::KeyRows;
use super::keys::declared;
use super::packing::Packing;
use super::profile::ProfiledColumn;
use super::profile::Profiles;
use super::profile::observed_tables;
use super::read;
use super::tuples;
use super::tuples::Counting;
use super::tuples::TupleEnd;
use super::tuples::TuplePart;
use super::tuples::WantedTuples;
use super::value_key::ValueKey;
use crate::engine::EngineError;
use crate::engine::RowConsumer;
use crate::engine::RowReader;
use crate::engine::RowsReading;
use crate::engine::Session;
use crate::model::discovery::ColumnList;
use crate::model::discovery::FoundKey;
use crate::model::discovery::KeyKind;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Omission;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::discover;
use crate::sql::discover::Cell;

/// A table has at most so many keys of several columns that nobody declared. The others are only counted.
const MOST_KEYS: usize = 200;

/// At most so many column lists of a table are compared with its rows.
const MOST_EXAMINED: u64 = 20_000;

/// At most so many column lists of a table are generated. Most have too few values for a key.
const MOST_GENERATED: u64 = 1_000_000;

/// Most lists are disproved by these rows.
const SAMPLE_ROWS: usize = 2000;

/// A longer text is no part of a key that nobody declared.
const LONGEST_PART: u64 = 200;

/// Adds the composite keys that are declared.
pub fn add_declared(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &Profiles,
    options: &DiscoverOptions<'_>,
    found: &mut Vec<FoundKey>,
) -> Result<(), EngineError> {
    for (id, table) in observed_tables(schema) {
        for (list, kind) in declared(id, table) {
            if !(2..=options.max_arity).contains(&list.columns.len()) {
                continue;
            }
            let is_part = |column: &&ProfiledColumn| column.table == id && list.columns.contains(&column.column);
            let parts: Vec<&ProfiledColumn> = profiles.columns.iter().filter(is_part).collect();
            // The engine keeps complete keys unique. Their number follows from the NULLs, unless these are in several parts.
            let with_nulls = parts.iter().filter(|column| column.keys.stats.nulls > 0).count();
            let filled = parts.iter().map(|column| column.filled_rows()).min();
            let Some(filled) = filled else { continue };
            let counts = if parts.len() == list.columns.len() && with_nulls < 2 {
                KeyRows { rows: filled, distinct: filled }
            } else {
                keys::counts(schema, session, &list)?
            };
            let (distinct, repeated_rows) = (counts.distinct, counts.repeated_rows());
            found.push(FoundKey { columns: list, kind, distinct, repeated_rows });
        }
    }
    Ok(())
}

/// Searches the tables without a declared key for columns that are unique together, and adds the minimal lists.
pub fn add_found(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &mut Profiles,
    options: &DiscoverOptions<'_>,
    keys: &mut Vec<FoundKey>,
) -> Result<(), EngineError> {
    for (id, table) in observed_tables(schema) {
        if !declared(id, table).is_empty() {
            continue;
        }
        let columns: Vec<&ProfiledColumn> =
            profiles.columns.iter().filter(|column| column.table == id && may_be_part(column)).collect();
        if columns.len() < 2 || options.max_arity < 2 {
            continue;
        }
        let search = KeySearch { schema, table: id, columns: &columns, profiles, options };
        let (found, left_out) = search.run(session)?;
        for (columns, distinct) in found {
            let list = ColumnList { table: id, columns };
            keys.push(FoundKey { columns: list, kind: KeyKind::Data, distinct, repeated_rows: 0 });
        }
        if left_out > 0 {
            profiles.not_observed.push(NotObserved {
                subject: table.name.to_string(),
                reason: "it has so many columns that not every list of several columns was examined as a key"
                    .to_owned(),
                number: left_out,
                omission: Omission::Restricted,
            });
        }
    }
    Ok(())
}

/// True if the column can be a part of a key of several columns, and is no key alone.
fn may_be_part(column: &ProfiledColumn) -> bool {
    let stats = &column.keys.stats;
    column.has_keys()
        && !column.keys.is_dropped
        && column.plan.own.fold != Fold::Engine
        && !column.is_unique
        && column.keys.own().distinct() > 1
        && stats.classes.fractions == 0
        && stats.longest_text <= LONGEST_PART
        && column.filled_rows() * 2 > column.rows
}

/// Returns the packing of the keys of some columns; `None` if they are not all integers.
pub fn packing<'c>(columns: impl Iterator<Item = &'c ProfiledColumn>) -> Option<Packing> {
    let bounds = |column: &ProfiledColumn| {
        let keys = column.keys.own();
        let is_known = !column.keys.is_dropped && keys.distinct_hashes() == 0;
        keys.integers().bounds().filter(|_| is_known)
    };
    Packing::of(&columns.map(bounds).collect::<Option<Vec<_>>>()?)
}

struct KeySearch<'a> {
    schema: &'a Schema,
    table: TableId,
    columns: &'a [&'a ProfiledColumn],
    profiles: &'a Profiles,
    options: &'a DiscoverOptions<'a>,
}

/// Keys as column numbers, each with its number of distinct values, and the number of lists that were not examined.
type FoundLists = (Vec<(Vec<usize>, u64)>, u64);

impl KeySearch<'_> {
    /// Searches level by level, so that every key that is found is minimal.
    fn run(&self, session: &mut dyn Session) -> Result<FoundLists, EngineError> {
        let sample = self.sample(session)?;
        let (mut found, mut left_out): (Vec<(Vec<usize>, u64)>, u64) = (Vec::new(), 0);
        let (mut generated, mut examined) = (0, 0);
        for arity in 2..=self.options.max_arity {
            let mut lists = Vec::new();
            let before = generated;
            let end = lists_of(self.columns.len(), arity, &mut |list| {
                if generated == MOST_GENERATED || examined == MOST_EXAMINED || self.is_too_late(generated) {
                    return ControlFlow::Break(());
                }
                generated += 1;
                let is_minimal = !found.iter().any(|(key, _)| key.iter().all(|column| list.contains(column)));
                if is_minimal && self.has_enough_values(list) {
                    examined += 1;
                    if is_unique_in(&sample, list) {
                        lists.push(list.to_vec());
                    }
                }
                ControlFlow::Continue(())
            });
            if end.is_break() {
                if self.options.deadline.has_passed() {
                    return Err(EngineError::TimeLimit);
                }
                left_out += number_of_lists(self.columns.len(), arity) - (generated - before);
            }
            let rest = MOST_KEYS - found.len().min(MOST_KEYS);
            left_out += lists.len().saturating_sub(2 * rest) as u64;
            lists.truncate(2 * rest);
            let mut unique = self.unique(session, lists)?;
            left_out += unique.len().saturating_sub(rest) as u64;
            unique.truncate(rest);
            found.extend(unique);
        }
        let columns = |list: Vec<usize>| list.into_iter().map(|index| self.columns[index].column).collect();
        Ok((found.into_iter().map(|(list, distinct)| (columns(list), distinct)).collect(), left_out))
    }

    /// True if the time limit has passed. The clock is not read for each list.
    fn is_too_late(&self, generated: u64) -> bool {
        const LISTS_BETWEEN: u64 = 1000;
        generated.is_multiple_of(LISTS_BETWEEN) && self.options.deadline.has_passed()
    }

    /// True if there are at least as many combinations of values as rows.
    fn has_enough_values(&self, list: &[usize]) -> bool {
        let rows = self.columns[0].rows;
        let nulls: u64 = list.iter().map(|&index| self.columns[index].keys.stats.nulls).sum();
        let most =
            list.iter().fold(1u64, |most, &index| most.saturating_mul(self.columns[index].keys.own().distinct()));
        most >= rows.saturating_sub(nulls)
    }

    /// Returns the lists that are unique in all rows, in their order.
    fn unique(&self, session: &mut dyn Session, lists: Vec<Vec<usize>>) -> Result<Vec<(Vec<usize>, u64)>, EngineError> {
        let rows = self.columns[0].rows.max(1);
        let at_once = (self.options.memory / (rows * 48)).clamp(1, 1000) as usize;
        let mut unique = Vec::new();
        for lists in lists.chunks(at_once) {
            let wanted: Vec<WantedTuples<'_>> = lists.iter().map(|list| self.tuples(list)).collect();
            let counting = Counting {
                forms: &self.profiles.forms,
                hasher: &self.profiles.hasher,
                part: Part::WHOLE,
                memory: u64::MAX,
                threads: self.options.threads,
            };
            let counted = tuples::count(self.schema, session, &wanted, &counting)?;
            for (list, tuples) in lists.iter().zip(counted) {
                let rows = tuples.keys.rows();
                if !tuples.is_stopped && rows > 1 && !tuples.keys.has_repetition() {
                    unique.push((list.clone(), tuples.keys.distinct()));
                }
            }
        }
        Ok(unique)
    }

    fn tuples(&self, list: &[usize]) -> WantedTuples<'static> {
        let part = |&index: &usize| {
            let column = self.columns[index];
            TuplePart { column: column.column, form: column.plan.own, is_real: column.plan.is_real }
        };
        WantedTuples {
            table: self.table,
            parts: list.iter().map(part).collect(),
            packing: packing(list.iter().map(|&index| self.columns[index])),
            end: TupleEnd::Repetition,
        }
    }

    /// Returns the keys of some rows.
    fn sample(&self, session: &mut dyn Session) -> Result<Vec<SampleRow>, EngineError> {
        let cell = |column: &&ProfiledColumn| {
            let (number, own) = (column.column, column.plan.own);
            self.profiles.forms.key_cell(number, own, own).unwrap_or(Cell::value(number))
        };
        let cells: Vec<Cell<'_>> = self.columns.iter().map(cell).collect();
        let reading = [RowsReading { table: &self.schema.tables[self.table], cells }];
        let sampler = Sampler { search: self, rows: Mutex::default(), number: AtomicUsize::new(0) };
        if read::was_read(session.read_stored_rows(&reading, self.options.threads, &sampler)?)? != [true] {
            // The readers may have got some of the rows.
            sampler.rows.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let question = discover::some_rows(self.schema, reading[0].table, &reading[0].cells, SAMPLE_ROWS);
            let mut reader = sampler.reader(0);
            session.each_row(&question, &mut |row: &[Value]| {
                let values: Vec<ValueRef<'_>> = row.iter().map(Value::borrowed).collect();
                reader.row(&values);
            })?;
            reader.finish();
        }
        Ok(sampler.rows.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The keys of a row; `None` for NULL.
type SampleRow = Vec<Option<ValueKey>>;

fn is_unique_in(sample: &[SampleRow], list: &[usize]) -> bool {
    let mut seen = HashSet::with_capacity(sample.len());
    sample.iter().all(|row| {
        let key: Option<Vec<ValueKey>> = list.iter().map(|&index| row[index]).collect();
        key.is_none_or(|key| seen.insert(key))
    })
}

/// Calls `visit` with every ascending list of so many numbers below `of`, until it breaks.
fn lists_of(of: usize, arity: usize, visit: &mut dyn FnMut(&[usize]) -> ControlFlow<()>) -> ControlFlow<()> {
    fn extend(
        of: usize,
        arity: usize,
        list: &mut Vec<usize>,
        visit: &mut dyn FnMut(&[usize]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if list.len() == arity {
            return visit(list);
        }
        for next in list.last().map_or(0, |last| last + 1)..of {
            list.push(next);
            extend(of, arity, list, visit)?;
            list.pop();
        }
        ControlFlow::Continue(())
    }
    extend(of, arity, &mut Vec::new(), visit)
}

/// Returns the number of lists that [`lists_of`] visits.
fn number_of_lists(of: usize, arity: usize) -> u64 {
    // After each step the product is itself a number of lists, so that the division leaves no rest.
    let number = (0..arity)
        .fold(1u128, |number, step| number.saturating_mul(of.saturating_sub(step) as u128) / (step as u128 + 1));
    u64::try_from(number).unwrap_or(u64::MAX)
}

struct Sampler<'a> {
    search: &'a KeySearch<'a>,
    rows: Mutex<Vec<SampleRow>>,
    number: AtomicUsize,
}

impl RowConsumer for Sampler<'_> {
    fn reader(&self, _: usize) -> Box<dyn RowReader + '_> {
        Box::new(SampleReader { sampler: self, rows: Vec::new(), scratch: Vec::new() })
    }
}

struct SampleReader<'a> {
    sampler: &'a Sampler<'a>,
    rows: Vec<SampleRow>,
    scratch: Vec<u8>,
}

impl RowReader for SampleReader<'_> {
    fn row(&mut self, values: &[ValueRef<'_>]) {
        if self.rows.len() >= SAMPLE_ROWS {
            return;
        }
        let search = self.sampler.search;
        let mut key = |(value, column): (&ValueRef<'_>, &&ProfiledColumn)| match *value {
            ValueRef::Null => None,
            ValueRef::Integer(number) if column.plan.is_real => {
                let value = ValueRef::Real(number as f64);
                Some(column.plan.own.key(value, None, &search.profiles.hasher, &mut self.scratch).0)
            }
            value => Some(column.plan.own.key(value, Some(value), &search.profiles.hasher, &mut self.scratch).0),
        };
        self.rows.push(values.iter().zip(search.columns).map(&mut key).collect());
    }

    fn is_done(&self) -> bool {
        self.sampler.number.load(Ordering::Relaxed) + self.rows.len() >= SAMPLE_ROWS
    }

    fn finish(self: Box<Self>) {
        self.sampler.number.fetch_add(self.rows.len(), Ordering::Relaxed);
        self.sampler.rows.lock().unwrap_or_else(PoisonError::into_inner).extend(self.rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_ascending_and_complete() {
        let mut lists = Vec::new();
        let end = lists_of(4, 2, &mut |list| {
            lists.push(list.to_vec());
            ControlFlow::Continue(())
        });
        assert!(end.is_continue());
        assert_eq!(lists, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(number_of_lists(4, 2), 6);
        assert_eq!((number_of_lists(3, 4), number_of_lists(2000, 4)), (0, 664_668_499_500));
    }
}
