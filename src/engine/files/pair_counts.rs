//! Counts the rows and keys of a pair of columns. A discovery asks for this where it has not all keys in memory.

use std::collections::HashSet;

use siphasher::sip128::SipHasher13;

use super::batch::Batch;
use super::cell::Part;
use super::cell::shown;
use super::fault::Fault;
use super::judge;
use super::judge::on_pieces;
use super::key::Hashers;
use super::key::KeyRule;
use super::key::Side;
use super::lake::Lake;
use super::rows;
use super::rows::Limits;
use crate::engine::EngineError;
use crate::model::discovery::PairCounts;
use crate::model::value::Value;
use crate::model::value::exact_bytes;

/// The memory for keys, in bytes. More keys are counted in several rounds.
const MEMORY: u64 = 256 << 20;
/// The memory for a key in a set, in bytes.
const BYTES_OF_KEY: u64 = 36;

/// Some columns of a table.
pub(super) type Columns<'a> = (usize, &'a [usize]);

/// The keys of one side: of complete rows, as hashes.
#[derive(Default)]
struct Keys {
    rows: u64,
    null_rows: u64,
    /// Keys that can have an equal.
    comparable: Vec<u128>,
    /// Keys with a value that is none of its class, so that they have no equal.
    unequal: Vec<u128>,
}

struct Counting<'a> {
    lake: &'a Lake,
    rule: KeyRule,
    hasher: SipHasher13,
    /// A round counts the keys of one part of all.
    part: (u128, u128),
    limits: Limits<'a>,
}

/// Counts the child's rows with these values.
pub(super) fn counts(
    lake: &Lake,
    child: Columns<'_>,
    parent: Columns<'_>,
    condition: &[(usize, Value)],
    limits: Limits<'_>,
) -> Result<PairCounts, EngineError> {
    let unreadable = [child.0, parent.0].into_iter().find_map(|table| lake.tables[table].unreadable.clone());
    let failed = |why| EngineError::Failed { why };
    unreadable.map_or(Ok(()), |why| Err(failed(why)))?;
    let hashers = Hashers::new();
    let rule = judge::rule(lake, child, parent, &hashers).map_err(failed)?;
    let rows = rows::estimate(&lake.tables[child.0]).saturating_add(rows::estimate(&lake.tables[parent.0]));
    let rounds = u128::from(rows.saturating_mul(BYTES_OF_KEY).div_ceil(MEMORY).max(1));
    let mut counts = PairCounts::default();
    for number in 0..rounds {
        let counting = Counting { lake, rule: rule.clone(), hasher: hashers.keys(), part: (number, rounds), limits };
        counting.add_round(child, parent, condition, &mut counts)?;
    }
    Ok(counts)
}

impl Counting<'_> {
    fn add_round(
        &self,
        child: Columns<'_>,
        parent: Columns<'_>,
        condition: &[(usize, Value)],
        counts: &mut PairCounts,
    ) -> Result<(), Fault> {
        let parents: HashSet<u128> = self.keys(parent, &[])?.comparable.into_iter().collect();
        let own = self.keys(child, condition)?;
        if self.part.0 == 0 {
            (counts.rows, counts.null_rows) = (own.rows, own.null_rows);
        }
        let missing: Vec<u128> =
            own.comparable.iter().filter(|key| !parents.contains(key)).chain(&own.unequal).copied().collect();
        drop(parents);
        counts.orphan_rows += missing.len() as u64;
        counts.missing_keys += missing.into_iter().collect::<HashSet<u128>>().len() as u64;
        counts.distinct += own.comparable.into_iter().chain(own.unequal).collect::<HashSet<u128>>().len() as u64;
        Ok(())
    }

    /// Reads one side. Only rows with the values of the condition count.
    fn keys(&self, (table, columns): Columns<'_>, condition: &[(usize, Value)]) -> Result<Keys, Fault> {
        let mut wanted: Vec<usize> =
            columns.iter().copied().chain(condition.iter().map(|(column, _)| *column)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let position = |column: usize| wanted.partition_point(|&before| before < column);
        let of = &self.lake.tables[table];
        let side = Side {
            columns: columns.iter().map(|&column| position(column)).collect(),
            types: columns.iter().map(|&column| &of.columns[column].of).collect(),
        };
        let meets = |batch: &Batch<'_>, row: usize| {
            condition.iter().all(|(column, value)| {
                shown(batch.columns[position(*column)].cell(row), &of.columns[*column].of) == *value
            })
        };
        let pieces = on_pieces(of, |piece| {
            let (mut keys, mut scratch) = (Keys::default(), Vec::new());
            rows::read(of, piece, &wanted, self.limits, &mut |batch| {
                (0..batch.rows)
                    .filter(|&row| meets(batch, row))
                    .for_each(|row| self.add(batch, row, &side, &mut keys, &mut scratch));
                Ok(())
            })?;
            Ok(keys)
        })?;
        let mut all = Keys::default();
        for mut keys in pieces {
            all.rows += keys.rows;
            all.null_rows += keys.null_rows;
            all.comparable.append(&mut keys.comparable);
            all.unequal.append(&mut keys.unequal);
        }
        Ok(all)
    }

    fn add(&self, batch: &Batch<'_>, row: usize, side: &Side<'_>, keys: &mut Keys, scratch: &mut Vec<u8>) {
        keys.rows += 1;
        let is_comparable = match self.rule.canonical(batch, row, side, scratch) {
            Part::Null => {
                keys.null_rows += 1;
                return;
            }
            Part::Value(()) => true,
            Part::Unequal => {
                let values: Vec<Value> = self.rule.shown(batch, row, side).collect();
                *scratch = exact_bytes(&values);
                false
            }
        };
        let hash = self.hasher.hash(scratch).as_u128();
        let (number, of) = self.part;
        match hash % of == number {
            true if is_comparable => keys.comparable.push(hash),
            true => keys.unequal.push(hash),
            false => {}
        }
    }
}
