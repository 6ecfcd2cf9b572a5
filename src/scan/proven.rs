//! The tally of a relation whose storage proved orphans.
//!
//! The list of proven orphans gives the numbers and the most frequent keys. The engine is asked about three things only:
//! the rows that stayed suspects; the rows that are shown, if their names are other columns than their addresses; and, as a
//! check of the proof, at least one row of some keys, unless other relations confirm the proof. If an answer contradicts the list, the list counts for
//! nothing and the engine judges all rows.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::KEPT_KEYS;
use super::KEYS_WITH_SAMPLES;
use super::Tally;
use super::gather::Gatherer;
use super::gather::is_frequent;
use super::gather::keep_most_frequent;
use super::orphan_row::OrphanColumns;
use super::orphan_row::is_named_by_address;
use super::proof::Trust;
use super::row_names;
use crate::engine::EngineError;
use crate::engine::OrphanStream;
use crate::engine::Session;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::model::finding::MissingKey;
use crate::model::finding::Sample;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql;
use crate::sql::ScanHints;

/// The most rows that the engine is asked to put in the order of their names. If there are more, it judges all rows.
const MOST_ROWS_ORDERED: u64 = 1_000_000;
/// How many keys the engine confirms, if it need not name their rows.
const KEYS_CONFIRMED: usize = 16;

/// The result of counting proven orphans.
pub(super) enum Outcome {
    /// The tally without counts.
    Tally(Box<Tally>),
    /// The engine must judge all rows.
    AskAll,
    /// The same, because it contradicted the proof.
    Contradicted,
}

pub(super) fn tally(
    gatherer: &Gatherer<'_>,
    session: &mut dyn Session,
    reading: &StorageReading,
    trust: Trust,
) -> Result<Outcome, EngineError> {
    let Suspects::Rows(suspects) = &reading.suspects else { return Ok(Outcome::AskAll) };
    if trust == Trust::Contradicted {
        return Ok(Outcome::AskAll);
    }
    let most_keys = reading.orphans.len() as usize + suspects.len();
    let mut merge = Merge {
        gatherer,
        stream: reading.orphans.stream()?,
        rows: Vec::new(),
        keys: 0,
        tally: Tally::default(),
        top: Vec::with_capacity(most_keys.min(KEPT_KEYS + 1)),
        is_sound: true,
    };
    if !suspects.is_empty() {
        let question = orphans_among(gatherer, suspects);
        let false_orphans =
            gatherer.each_missing_key(session, &question, &mut |missing| merge.add_suspects(missing))?;
        merge.is_sound &= false_orphans.is_none();
    }
    merge.add_proven(None)?;
    let Merge { mut tally, mut top, is_sound, .. } = merge;
    if !is_sound {
        return Ok(Outcome::Contradicted);
    }
    // Other parts of a report count rows by their samples, if not all rows are proven.
    let is_all_proven = suspects.is_empty() && tally.known_rows == 0;
    let shown = if is_all_proven { gatherer.samples.max(KEYS_WITH_SAMPLES) } else { top.len() };
    let asked = AskedKeys { shown, trust };
    if !find_first_rows(gatherer, session, reading, top.iter_mut().take(shown))? {
        return Ok(Outcome::AskAll);
    }
    if !name_rows(gatherer, session, suspects, &asked, &mut top)? {
        return Ok(Outcome::Contradicted);
    }
    tally.top = top.into_iter().map(|key| key.missing).collect();
    if suspects.is_empty() && is_named_by_address(gatherer.schema.child(gatherer.relation)) {
        let samples = tally.top.iter_mut().flat_map(|missing| &mut missing.samples);
        row_names::show(session, gatherer.schema.child(gatherer.relation), samples)?;
    }
    tally.suspects = reading.suspects.clone();
    tally.orphans = reading.orphans.clone();
    Ok(Outcome::Tally(Box::new(tally)))
}

fn orphans_among(gatherer: &Gatherer<'_>, rows: &[i64]) -> sql::Sql {
    let hints = ScanHints { rows: Some(rows), index_is_proven: true };
    sql::of(gatherer.schema).orphans(gatherer.schema, gatherer.relation, &hints)
}

/// The keys about which the engine is asked.
struct AskedKeys {
    /// So many of the most frequent keys are shown with their rows.
    shown: usize,
    trust: Trust,
}

/// A missing key with many rows.
struct FrequentKey {
    /// Its samples are suspects.
    missing: MissingKey<Value>,
    /// The position among all missing keys, in the engine's order.
    position: u64,
    /// The addresses of the proven orphans that can be shown. Most keys have one.
    rows: SmallVec<[i64; 1]>,
    proven: u64,
}

/// Merges the proven orphans with those that the engine found among the suspects.
struct Merge<'a> {
    gatherer: &'a Gatherer<'a>,
    stream: OrphanStream<'a>,
    /// The first addresses of the current key.
    rows: Vec<i64>,
    keys: u64,
    tally: Tally,
    top: Vec<FrequentKey>,
    is_sound: bool,
}

impl Merge<'_> {
    /// Adds orphans that the engine found, after the proven orphans of all keys before theirs.
    fn add_suspects(&mut self, missing: MissingKey<Value>) -> Result<(), EngineError> {
        let MissingKey { key, rows, samples, .. } = missing;
        if !self.add_proven(Some(&key))? {
            self.rows.clear();
            self.add(&key, 0, rows, samples);
            return Ok(());
        }
        let kept = self.gatherer.samples.max(1);
        let Some(group) = self.stream.next_group(kept, &mut self.rows)? else { return Ok(()) };
        // A key of several forms, such as 5 and 5.0, is shown as its first row has it, which only the engine can tell.
        self.is_sound &= *group.key == key;
        let proven = group.rows;
        self.add(&key, proven, rows, samples);
        Ok(())
    }

    /// Adds the proven orphans of every key before `end`. Returns true if the next key is equal to it.
    fn add_proven(&mut self, end: Option<&Key>) -> Result<bool, EngineError> {
        let kept = self.gatherer.samples.max(1);
        loop {
            if let Some(end) = end {
                match self.stream.next_key().map(|key| order(key, end)) {
                    None | Some(Ordering::Greater) => return Ok(false),
                    Some(Ordering::Equal) => return Ok(true),
                    Some(Ordering::Less) => {}
                }
            }
            let Some(group) = self.stream.next_group(kept, &mut self.rows)? else { return Ok(false) };
            let is_new = self.tally.add_key(self.gatherer, group.key, group.rows);
            self.keys += 1;
            if is_new && is_frequent(&self.top, group.rows, |key| key.missing.rows) {
                let key = FrequentKey::new(group.key, self.keys, &self.rows, group.rows);
                keep_most_frequent(&mut self.top, key, |key| key.missing.rows);
            }
        }
    }

    fn add(&mut self, key: &Key, proven: u64, suspects: u64, samples: Vec<Sample<Value>>) {
        self.keys += 1;
        if self.tally.add_key(self.gatherer, key, proven + suspects) {
            let mut key = FrequentKey::new(key, self.keys, &self.rows, proven);
            key.missing.rows += suspects;
            key.missing.samples = samples;
            keep_most_frequent(&mut self.top, key, |key| key.missing.rows);
        }
    }
}

impl FrequentKey {
    fn new(key: &Key, position: u64, rows: &[i64], proven: u64) -> FrequentKey {
        let missing = MissingKey { key: key.clone(), rows: proven, samples: Vec::new(), span: None };
        FrequentKey { missing, position, rows: SmallVec::from_slice(rows), proven }
    }

    fn is_mixed(&self) -> bool {
        self.proven > 0 && self.missing.rows > self.proven
    }
}

/// Where rows are not named by their addresses, finds the first rows by name of every key with more rows than are kept.
/// Returns false if there are too many.
fn find_first_rows<'k>(
    gatherer: &Gatherer<'_>,
    session: &mut dyn Session,
    reading: &StorageReading,
    shown: impl Iterator<Item = &'k mut FrequentKey>,
) -> Result<bool, EngineError> {
    let child = gatherer.schema.child(gatherer.relation);
    let kept = gatherer.samples.max(1);
    let mut open: Vec<&mut FrequentKey> = shown.filter(|key| key.proven > kept as u64).collect();
    if is_named_by_address(child) || open.is_empty() {
        return Ok(true);
    }
    if open.iter().map(|key| key.proven).sum::<u64>() > MOST_ROWS_ORDERED {
        return Ok(false);
    }
    open.sort_by_key(|key| key.position);
    let mut keys_of_rows: Vec<(i64, usize)> = Vec::new();
    let mut stream = reading.orphans.stream()?;
    let mut rows = Vec::new();
    for (position, key) in open.iter_mut().enumerate() {
        while stream.next_key().is_some_and(|next| *next != key.missing.key) {
            stream.next_group(0, &mut rows)?;
        }
        stream.next_group(usize::MAX, &mut rows)?;
        keys_of_rows.extend(rows.iter().map(|&row| (row, position)));
        key.rows.clear();
    }
    keys_of_rows.sort_unstable();
    let rows: Vec<i64> = keys_of_rows.iter().map(|&(row, _)| row).collect();
    let Some(question) = sql::of(gatherer.schema).ordered_by_name(child, &rows) else { return Ok(false) };
    let mut found = 0;
    session.each_row(&question, &mut |answer| {
        let Some(row) = answer.first().and_then(Value::as_integer) else { return };
        if let Ok(position) = keys_of_rows.binary_search_by_key(&row, |&(row, _)| row) {
            found += 1;
            let key = &mut open[keys_of_rows[position].1];
            if key.rows.len() < kept {
                key.rows.push(row);
            }
        }
    })?;
    Ok(found == keys_of_rows.len())
}

/// Names the rows to show. Returns false if the engine contradicts the proof.
fn name_rows(
    gatherer: &Gatherer<'_>,
    session: &mut dyn Session,
    suspects: &[i64],
    asked: &AskedKeys,
    top: &mut [FrequentKey],
) -> Result<bool, EngineError> {
    let any_mixed = top.iter().any(FrequentKey::is_mixed);
    if !any_mixed && is_named_by_address(gatherer.schema.child(gatherer.relation)) {
        let columns = OrphanColumns::of(gatherer.schema, gatherer.relation);
        for FrequentKey { missing, rows, .. } in top.iter_mut().take(asked.shown).filter(|key| key.proven > 0) {
            let shown = rows.iter().take(gatherer.samples);
            missing.samples = shown.map(|&row| columns.sample_at(row, &missing.key)).collect();
        }
        return Ok(asked.trust == Trust::Confirmed || confirm_some(gatherer, session, top)?);
    }
    let confirmed = confirmed(top);
    let is_asked = |position: usize| position < asked.shown || confirmed.contains(&position);
    let keys = top.iter_mut().enumerate().filter(|(position, _)| is_asked(*position)).map(|(_, key)| key);
    ask_for_names(gatherer, session, suspects, any_mixed, keys.filter(|key| key.proven > 0).collect())
}

/// Returns the positions of some proven keys, evenly spread.
fn confirmed(top: &[FrequentKey]) -> BTreeSet<usize> {
    let proven: Vec<usize> = (0..top.len()).filter(|&position| top[position].proven > 0).collect();
    proven.iter().step_by(proven.len().div_ceil(KEYS_CONFIRMED).max(1)).copied().collect()
}

/// Asks the engine about one row of some keys. Returns false if it contradicts the proof.
fn confirm_some(gatherer: &Gatherer<'_>, session: &mut dyn Session, top: &[FrequentKey]) -> Result<bool, EngineError> {
    let mut expected: Vec<&FrequentKey> = confirmed(top).into_iter().map(|position| &top[position]).collect();
    expected.sort_by_key(|key| key.position);
    let mut rows: Vec<i64> = expected.iter().filter_map(|key| key.rows.first().copied()).collect();
    rows.sort_unstable();
    if rows.is_empty() {
        return Ok(true);
    }
    let mut confirmed: Vec<Key> = Vec::new();
    let question = orphans_among(gatherer, &rows);
    let false_orphans = gatherer.each_missing_key(session, &question, &mut |missing| {
        confirmed.push(missing.key);
        Ok(())
    })?;
    Ok(false_orphans.is_none() && confirmed.iter().eq(expected.iter().map(|key| &key.missing.key)))
}

/// Asks the engine for the names of the rows to show of these keys. Returns false if its answer is not about exactly these
/// rows.
fn ask_for_names(
    gatherer: &Gatherer<'_>,
    session: &mut dyn Session,
    suspects: &[i64],
    any_mixed: bool,
    mut open: Vec<&mut FrequentKey>,
) -> Result<bool, EngineError> {
    let mut rows: BTreeSet<i64> = open.iter().flat_map(|key| key.rows.iter().copied()).collect();
    if any_mixed {
        rows.extend(suspects);
    }
    let rows: Vec<i64> = rows.into_iter().collect();
    open.sort_by_key(|key| key.position);
    let mut open = open.into_iter().peekable();
    let mut is_sound = true;
    let question = orphans_among(gatherer, &rows);
    let false_orphans = gatherer.each_missing_key(session, &question, &mut |named| {
        let Some(key) = open.next_if(|key| key.missing.key == named.key) else {
            // The answer also tells of suspects with other keys.
            is_sound &= any_mixed;
            return Ok(());
        };
        let suspects = key.missing.rows - key.proven;
        is_sound &= named.rows == key.rows.len() as u64 + suspects;
        key.missing.samples = named.samples;
        Ok(())
    })?;
    Ok(is_sound && open.next().is_none() && false_orphans.is_none())
}

/// The engine's order of a key that parent and child store alike and any other key.
pub(super) fn order(proven: &[Value], other: &[Value]) -> Ordering {
    proven
        .iter()
        .zip(other)
        .map(|(left, right)| order_of_values(left, right))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn order_of_values(left: &Value, right: &Value) -> Ordering {
    let class = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
        (Value::Integer(left), Value::Real(right)) => integer_and_real(*left, *right),
        (Value::Real(left), Value::Integer(right)) => integer_and_real(*right, *left).reverse(),
        (Value::Real(left), Value::Real(right)) => left.total_cmp(right),
        (Value::Text(left), Value::Text(right)) | (Value::Blob(left), Value::Blob(right)) => left.cmp(right),
        _ => class(left).cmp(&class(right)),
    }
}

/// Compares exactly, without a loss of digits.
fn integer_and_real(integer: i64, real: f64) -> Ordering {
    // Every real number from here on is greater than every integer.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if real >= BEYOND {
        return Ordering::Less;
    }
    if real < -BEYOND {
        return Ordering::Greater;
    }
    let whole = real.trunc();
    integer.cmp(&(whole as i64)).then(if real > whole {
        Ordering::Less
    } else if real < whole {
        Ordering::Greater
    } else {
        Ordering::Equal
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_reals_are_compared_exactly() {
        for (integer, real, expected) in [
            (5, 5.0, Ordering::Equal),
            (5, 5.5, Ordering::Less),
            (-5, -5.5, Ordering::Greater),
            (0, -0.0, Ordering::Equal),
            ((1 << 53) + 1, 9_007_199_254_740_992.0, Ordering::Greater),
            (i64::MAX, 9_223_372_036_854_775_807.0, Ordering::Less),
            (i64::MIN, -9_223_372_036_854_775_808.0, Ordering::Equal),
            (i64::MIN, -1e300, Ordering::Greater),
            (i64::MAX, f64::INFINITY, Ordering::Less),
        ] {
            let (left, right) = ([Value::Integer(integer)], [Value::Real(real)]);
            assert_eq!(order(&left, &right), expected, "{integer} {real}");
            assert_eq!(order(&right, &left), expected.reverse(), "{integer} {real}");
        }
    }
}
