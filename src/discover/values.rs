//! Finds the values of keys that are known by their hashes only.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::form::Form;
use super::forms::Forms;
use super::integer_counts::SpreadMap;
use super::profile::ProfiledColumn;
use super::read;
use super::value_key::KeyHasher;
use super::value_key::ValueKey;
use crate::engine::EngineError;
use crate::engine::RowConsumer;
use crate::engine::RowReader;
use crate::engine::RowsReading;
use crate::engine::Session;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::model::value::exact_bytes;
use crate::sql::discover;
use crate::sql::discover::Cell;

/// The keys of a column whose values are wanted, in one form.
pub struct WantedValues {
    pub table: TableId,
    pub column: usize,
    /// The form of the column itself.
    own: Form,
    pub form: Form,
    pub is_real: bool,
    /// `None` for all keys.
    pub keys: Option<HashSet<u128>>,
    /// The number of values after which no other one can be found, if it is known.
    most: Option<u64>,
}

impl WantedValues {
    pub fn of(column: &ProfiledColumn, form: Form, keys: Option<HashSet<u128>>) -> Self {
        let most = match &keys {
            Some(keys) => keys.len() as u64,
            None => column.keys.in_form(form, &column.plan).distinct_hashes(),
        };
        let has_decimal_texts = column.keys.stats.classes.decimal_texts > 0;
        let is_known = keys.is_some() || !column.keys.is_dropped;
        let most = (is_known && form.has_one_value_for_each_hash(has_decimal_texts)).then_some(most);
        let (table, own, is_real) = (column.table, column.plan.own, column.plan.is_real);
        WantedValues { table, column: column.column, own, form, is_real, keys, most }
    }

    fn is_complete(&self, found: &Values) -> bool {
        self.most.is_some_and(|most| found.len() as u64 >= most)
    }
}

/// Values by their hashes.
pub type Values = SpreadMap<u128, Value>;

/// Returns the values of each entry of `wanted`. Of several values with one key, the least is returned.
pub fn find(
    schema: &Schema,
    session: &mut dyn Session,
    wanted: &[WantedValues],
    forms: &Forms,
    hasher: &KeyHasher,
    threads: usize,
) -> Result<Vec<Values>, EngineError> {
    let mut of_tables: BTreeMap<TableId, Vec<usize>> = BTreeMap::new();
    for (index, values) in wanted.iter().enumerate() {
        of_tables.entry(values.table).or_default().push(index);
    }
    let tables: Vec<(TableId, Vec<usize>)> = of_tables.into_iter().collect();
    let cells_of = |entry: &usize| {
        let wanted = &wanted[*entry];
        std::iter::once(Cell::value(wanted.column)).chain(forms.key_cell(wanted.column, wanted.own, wanted.form))
    };
    let readings: Vec<RowsReading<'_>> = tables
        .iter()
        .map(|(table, entries)| RowsReading {
            table: &schema.tables[*table],
            cells: entries.iter().flat_map(cells_of).collect(),
        })
        .collect();
    let mut finder = Finder {
        wanted,
        tables: &tables,
        found: wanted.iter().map(|_| Mutex::default()).collect(),
        is_complete: wanted.iter().map(|wanted| AtomicBool::new(wanted.most == Some(0))).collect(),
        hasher,
    };
    let was_read = read::was_read(session.read_stored_rows(&readings, threads, &finder)?)?;
    for (index, reading) in readings.iter().enumerate().filter(|(index, _)| !was_read[*index]) {
        finder.forget(&tables[index].1);
        let mut reader = finder.reader(index);
        session.each_row(&discover::rows(schema, reading.table, &reading.cells), &mut |row: &[Value]| {
            let values: Vec<ValueRef<'_>> = row.iter().map(Value::borrowed).collect();
            reader.row(&values);
        })?;
        reader.finish();
    }
    Ok(finder.found.into_iter().map(|found| found.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
}

struct Finder<'a> {
    wanted: &'a [WantedValues],
    tables: &'a [(TableId, Vec<usize>)],
    found: Vec<Mutex<Values>>,
    /// True for each entry whose values are all found.
    is_complete: Vec<AtomicBool>,
    hasher: &'a KeyHasher,
}

impl Finder<'_> {
    /// Notes that all values of an entry are found, in one reader or in several together.
    fn note(&self, entry: usize, found: &Values) {
        if self.wanted[entry].is_complete(found) {
            self.is_complete[entry].store(true, Ordering::Relaxed);
        }
    }

    /// Forgets what was found for some entries, because a reader failed.
    fn forget(&mut self, entries: &[usize]) {
        for &entry in entries {
            self.found[entry] = Mutex::default();
            self.is_complete[entry] = AtomicBool::new(self.wanted[entry].most == Some(0));
        }
    }
}

impl RowConsumer for Finder<'_> {
    fn reader(&self, reading: usize) -> Box<dyn RowReader + '_> {
        let entries = &self.tables[reading].1;
        Box::new(FindingReader {
            finder: self,
            entries,
            found: vec![Values::default(); entries.len()],
            scratch: Vec::new(),
        })
    }
}

struct FindingReader<'a> {
    finder: &'a Finder<'a>,
    entries: &'a [usize],
    found: Vec<Values>,
    scratch: Vec<u8>,
}

impl RowReader for FindingReader<'_> {
    fn row(&mut self, values: &[ValueRef<'_>]) {
        let mut cells = values.iter().copied();
        for (&entry, found) in self.entries.iter().zip(&mut self.found) {
            let wanted = &self.finder.wanted[entry];
            let Some(value) = cells.next() else { break };
            let collated = if wanted.own.has_other_keys_in(wanted.form) { cells.next() } else { None };
            let value = match value {
                _ if self.finder.is_complete[entry].load(Ordering::Relaxed) => continue,
                ValueRef::Null => continue,
                ValueRef::Integer(number) if wanted.is_real => ValueRef::Real(number as f64),
                value => value,
            };
            let ValueKey::Hash(hash) = wanted.form.key(value, collated, self.finder.hasher, &mut self.scratch).0 else {
                continue;
            };
            if wanted.keys.as_ref().is_none_or(|keys| keys.contains(&hash)) {
                keep_least(found, hash, value);
                self.finder.note(entry, found);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.entries.iter().all(|&entry| self.finder.is_complete[entry].load(Ordering::Relaxed))
    }

    fn finish(self: Box<Self>) {
        for (&entry, found) in self.entries.iter().zip(self.found) {
            let mut all = self.finder.found[entry].lock().unwrap_or_else(PoisonError::into_inner);
            for (hash, value) in found {
                keep_least(&mut all, hash, value.borrowed());
            }
            self.finder.note(entry, &all);
        }
    }
}

fn keep_least(found: &mut Values, hash: u128, value: ValueRef<'_>) {
    let bytes = |value: &Value| exact_bytes([value]);
    match found.get_mut(&hash) {
        None => _ = found.insert(hash, value.to_value()),
        Some(known) => {
            if known.borrowed() != value {
                let value = value.to_value();
                if bytes(&value) < bytes(known) {
                    *known = value;
                }
            }
        }
    }
}
