//! The rows of a child that are judged without decoding a record. These are nearly all rows of most children.
//!
//! Keys that are looked up in a large set are first gathered from a whole page, so that the processor loads many cache lines
//! at once. If orphans can be proven, they are added here too. Every other row is judged again in the general way.

use super::super::fault::Fault;
use super::super::key::KeyComparison;
use super::super::key::Shape;
use super::super::layout::ColumnSource;
use super::super::page::Cell;
use super::super::page::Page;
use super::super::page::RowFilter;
use super::super::page::ShortRecord;
use super::super::record;
use super::plan::Address;
use super::plan::Probe;
use crate::engine::keyset;
use crate::engine::keyset::Bits;
use crate::engine::keyset::Key;
use crate::engine::keyset::KeySet;
use crate::engine::keyset::KeyShare;
use crate::engine::keyset::SlotSet;
use crate::engine::orphan_list::OrphanBuffer;

/// The way in which the keys of a pass are found in short records.
pub(super) enum QuickRows<'a> {
    /// Each key is a single integer with a bitmap of parents: the fields, in ascending order, and their bitmaps.
    Bitmaps(Vec<(usize, &'a Bits)>),
    /// One key of two integers with a bitmap of parents.
    PairBitmap(PairBitmap<'a>),
    Integers {
        field: usize,
        set: &'a SlotSet<u64>,
    },
    Pairs {
        fields: [usize; 2],
        set: &'a SlotSet<u128>,
    },
    Texts {
        field: usize,
        comparison: &'a KeyComparison,
        set: &'a SlotSet<u128>,
    },
    /// The parent has no key.
    Emptied(EmptiedKey),
    /// All rows are judged in the general way.
    Never,
}

/// The fields of a key that is certainly missing.
#[derive(Clone, Copy)]
pub(super) enum EmptiedKey {
    Integer(usize),
    Pair([usize; 2]),
    Text(usize),
}

/// Keys of one page that are looked up together, with the offsets of their cells.
#[derive(Default)]
pub(super) struct Pending {
    narrow: Vec<u64>,
    wide: Vec<u128>,
    cells: Vec<usize>,
    missing: Vec<usize>,
    pub(super) proven: Option<Proven>,
}

/// Takes proven orphans.
pub(super) struct Proven {
    pub(super) orphans: OrphanBuffer,
    pub(super) address: Address,
}

impl Pending {
    /// `proven` takes the orphans, if a pass has a single probe whose orphans can be proven.
    pub(super) fn new(proven: Option<Proven>) -> Pending {
        Pending { proven, ..Pending::default() }
    }
}

impl<'a> QuickRows<'a> {
    /// `probes` are all probes of a pass, each with its parent's keys. `is_proven` is true if there is only one, and its
    /// orphans can be proven.
    pub(super) fn of(probes: &[(&Probe, &'a KeyComparison, &'a KeySet)], is_proven: bool) -> QuickRows<'a> {
        if let [(probe, comparison, keys)] = probes
            && probe.share == KeyShare::ALL
        {
            let quick = if keys.is_empty() {
                // Without a proof, each of its rows is a suspect.
                QuickRows::of_emptied(probe, comparison).filter(|_| is_proven).or(Some(QuickRows::Never))
            } else {
                QuickRows::of_one(probe, comparison, keys)
            };
            if let Some(quick) = quick {
                return quick;
            }
        }
        let bitmap = |&(probe, _, keys): &(&Probe, &'a KeyComparison, &'a KeySet)| match (&probe.key[..], keys) {
            ([ColumnSource::Field(field)], KeySet::Dense(bits)) if probe.share == KeyShare::ALL => {
                Some((field.number, bits))
            }
            _ => None,
        };
        let bitmaps: Option<Vec<(usize, &Bits)>> = probes.iter().map(bitmap).collect();
        match bitmaps {
            Some(mut bitmaps) if !bitmaps.is_empty() => {
                bitmaps.sort_by_key(|&(field, _)| field);
                QuickRows::Bitmaps(bitmaps)
            }
            _ => QuickRows::Never,
        }
    }

    fn of_one(probe: &Probe, comparison: &'a KeyComparison, keys: &'a KeySet) -> Option<QuickRows<'a>> {
        match (&probe.key[..], keys) {
            ([ColumnSource::Field(field)], KeySet::Integers(set)) => {
                Some(QuickRows::Integers { field: field.number, set })
            }
            ([ColumnSource::Field(field)], KeySet::Hashed(set)) if comparison.is_single_text() => {
                Some(QuickRows::Texts { field: field.number, comparison, set })
            }
            ([ColumnSource::Field(first), ColumnSource::Field(second)], keys)
                if comparison.shape() == Shape::TwoIntegers =>
            {
                let fields = [first.number, second.number];
                match keys {
                    KeySet::SparsePairs(set) => Some(QuickRows::Pairs { fields, set }),
                    KeySet::Pairs { .. } => Some(QuickRows::PairBitmap(PairBitmap { fields, keys })),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn of_emptied(probe: &Probe, comparison: &KeyComparison) -> Option<QuickRows<'a>> {
        let key = match (&probe.key[..], comparison.shape()) {
            ([ColumnSource::Field(field)], Shape::Integer) => EmptiedKey::Integer(field.number),
            ([ColumnSource::Field(first), ColumnSource::Field(second)], Shape::TwoIntegers) => {
                EmptiedKey::Pair([first.number, second.number])
            }
            ([ColumnSource::Field(field)], Shape::Hashed) if comparison.is_single_text() => {
                EmptiedKey::Text(field.number)
            }
            _ => return None,
        };
        Some(QuickRows::Emptied(key))
    }

    /// Visits the cells of a page, except rows whose parents are all found, and rows that are proven orphans.
    pub(super) fn each_other_cell(
        &self,
        page: &Page<'_>,
        pending: &mut Pending,
        mut visit: impl FnMut(Cell<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Pending { narrow, wide, cells, missing, proven } = pending;
        narrow.clear();
        wide.clear();
        cells.clear();
        missing.clear();
        match self {
            QuickRows::Never => return page.each_cell(visit),
            QuickRows::Emptied(key) => match proven {
                Some(proven) => return page.each_cell_unless(&mut Emptied { key: *key, proven }, visit),
                None => return page.each_cell(visit),
            },
            QuickRows::Bitmaps(bitmaps) => match bitmaps[..] {
                [(field, bits)] => {
                    return page.each_cell_unless(&mut Bitmap { field, bits, proven: proven.as_mut() }, visit);
                }
                _ => return page.each_cell_unless(&mut Bitmaps(bitmaps), visit),
            },
            QuickRows::PairBitmap(pairs) => {
                return page.each_cell_unless(&mut PairsOrOrphans { pairs, proven: proven.as_mut() }, visit);
            }
            QuickRows::Integers { field, set } => {
                page.each_cell_unless(&mut Integers { field: *field, keys: narrow, cells }, &mut visit)?;
                set.each_missing(narrow, |position| missing.push(position));
            }
            QuickRows::Pairs { fields, set } => {
                page.each_cell_unless(&mut Pairs { fields: *fields, keys: wide, cells }, &mut visit)?;
                set.each_missing(wide, |position| missing.push(position));
            }
            QuickRows::Texts { field, comparison, set } => {
                page.each_cell_unless(&mut Texts { field: *field, comparison, keys: wide, cells }, &mut visit)?;
                set.each_missing(wide, |position| missing.push(position));
            }
        }
        for &position in &*missing {
            let cell = page.cell_from(cells[position])?;
            let is_added = proven.as_mut().is_some_and(|proven| match self {
                QuickRows::Integers { .. } => {
                    proven.add_integer(keyset::gathered(narrow[position]), proven.row_of(&cell))
                }
                QuickRows::Pairs { .. } => proven.add_pair(keyset::unmixed(wide[position]), proven.row_of(&cell)),
                QuickRows::Texts { field, .. } => {
                    proven.add_text(record::small_header_text(cell.local, *field), proven.row_of(&cell))
                }
                _ => false,
            });
            if !is_added {
                visit(cell)?;
            }
        }
        Ok(())
    }
}

impl Proven {
    fn row_of(&self, cell: &Cell<'_>) -> Option<i64> {
        match self.address {
            Address::Rowid => Some(cell.rowid),
            Address::Field(field) => record::small_header_integer(cell.local, field),
            Address::None => None,
        }
    }

    #[inline(always)]
    fn row(&self, record: &ShortRecord<'_>) -> Option<i64> {
        match self.address {
            Address::Rowid => record.rowid(),
            Address::Field(field) => record::short_integer(record, field),
            Address::None => None,
        }
    }

    /// Adds an orphan. Returns false if something of it is not known.
    #[inline(always)]
    fn add_integer(&mut self, key: i64, row: Option<i64>) -> bool {
        let Some(row) = row else { return false };
        self.orphans.add_integer(key, row);
        true
    }

    #[inline(always)]
    fn add_pair(&mut self, pair: u128, row: Option<i64>) -> bool {
        let Some(row) = row else { return false };
        self.orphans.add_pair(keyset::parts(pair), row);
        true
    }

    #[inline(always)]
    fn add_text(&mut self, text: Option<&[u8]>, row: Option<i64>) -> bool {
        let (Some(text), Some(row)) = (text, row) else { return false };
        self.orphans.add_text(text, row);
        true
    }
}

/// Every row with a complete key is an orphan.
struct Emptied<'a> {
    key: EmptiedKey,
    proven: &'a mut Proven,
}

impl RowFilter for Emptied<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        let row = self.proven.row(record);
        match self.key {
            EmptiedKey::Integer(field) => {
                record::short_integer(record, field).is_some_and(|key| self.proven.add_integer(key, row))
            }
            EmptiedKey::Pair(fields) => pair(record, fields).is_some_and(|key| self.proven.add_pair(key, row)),
            EmptiedKey::Text(field) => self.proven.add_text(record::short_text(record, field), row),
        }
    }
}

struct Bitmap<'a> {
    field: usize,
    bits: &'a Bits,
    proven: Option<&'a mut Proven>,
}

impl RowFilter for Bitmap<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        match record::short_integer(record, self.field) {
            Some(number) if self.bits.has(number) => true,
            Some(number) => self.proven.as_mut().is_some_and(|proven| proven.add_integer(number, proven.row(record))),
            // The field is far behind, or follows a long text.
            None => record::short_integers(record, &[(self.field, self.bits)], |number, bits| bits.has(number)),
        }
    }
}

struct Bitmaps<'a>(&'a [(usize, &'a Bits)]);

impl RowFilter for Bitmaps<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        record::short_integers(record, self.0, |number, bits| bits.has(number))
    }
}

pub(super) struct PairBitmap<'a> {
    fields: [usize; 2],
    keys: &'a KeySet,
}

struct PairsOrOrphans<'a> {
    pairs: &'a PairBitmap<'a>,
    proven: Option<&'a mut Proven>,
}

impl RowFilter for PairsOrOrphans<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        let Some(key) = pair(record, self.pairs.fields) else { return false };
        self.pairs.keys.has(Key::Wide(key))
            || self.proven.as_mut().is_some_and(|proven| proven.add_pair(key, proven.row(record)))
    }
}

struct Integers<'a> {
    field: usize,
    keys: &'a mut Vec<u64>,
    cells: &'a mut Vec<usize>,
}

impl RowFilter for Integers<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        let Some(number) = record::short_integer(record, self.field) else { return false };
        self.keys.push(keyset::spread(number));
        self.cells.push(record.cell);
        true
    }
}

struct Pairs<'a> {
    fields: [usize; 2],
    keys: &'a mut Vec<u128>,
    cells: &'a mut Vec<usize>,
}

impl RowFilter for Pairs<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        let Some(key) = pair(record, self.fields) else { return false };
        self.keys.push(keyset::mixed(key));
        self.cells.push(record.cell);
        true
    }
}

struct Texts<'a> {
    field: usize,
    comparison: &'a KeyComparison,
    keys: &'a mut Vec<u128>,
    cells: &'a mut Vec<usize>,
}

impl RowFilter for Texts<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        let text = record::short_text(record, self.field);
        let Some(Key::Wide(key)) = text.and_then(|text| self.comparison.text_key(text)) else { return false };
        self.keys.push(key);
        self.cells.push(record.cell);
        true
    }
}

#[inline(always)]
fn pair(record: &ShortRecord<'_>, fields: [usize; 2]) -> Option<u128> {
    let [first, second] = fields;
    Some(keyset::joined(record::short_integer(record, first)?, record::short_integer(record, second)?))
}
