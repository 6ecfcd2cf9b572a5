//! The rows of a child whose parents are found without decoding a record. These are nearly all rows of most children.
//!
//! Keys that are looked up in a large set are first gathered from a whole page, so that the processor loads many cache lines
//! at once. Every row that is not found here is judged again in the general way.

use super::super::fault::Fault;
use super::super::key::Key;
use super::super::key::KeyComparison;
use super::super::key::Shape;
use super::super::keyset;
use super::super::keyset::Bits;
use super::super::keyset::KeySet;
use super::super::keyset::KeyShare;
use super::super::keyset::SlotSet;
use super::super::layout::ColumnSource;
use super::super::page::Cell;
use super::super::page::Page;
use super::super::page::RowFilter;
use super::super::page::ShortRecord;
use super::super::record;
use super::plan::Probe;

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
    /// All rows are judged in the general way.
    Never,
}

/// Keys of one page that are looked up together, with the offsets of their cells.
#[derive(Default)]
pub(super) struct Pending {
    narrow: Vec<u64>,
    wide: Vec<u128>,
    cells: Vec<usize>,
    missing: Vec<usize>,
}

impl<'a> QuickRows<'a> {
    /// `probes` are all probes of a pass, each with its parent's keys.
    pub(super) fn of(probes: &[(&Probe, &'a KeyComparison, &'a KeySet)]) -> QuickRows<'a> {
        if let [(probe, comparison, keys)] = probes
            && let Some(quick) = QuickRows::of_one(probe, comparison, keys)
        {
            return quick;
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
        if probe.share != KeyShare::ALL {
            return None;
        }
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

    /// Visits the cells of a page, except rows whose parents are all found.
    pub(super) fn each_other_cell(
        &self,
        page: &Page<'_>,
        pending: &mut Pending,
        mut visit: impl FnMut(Cell<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Pending { narrow, wide, cells, missing } = pending;
        narrow.clear();
        wide.clear();
        cells.clear();
        missing.clear();
        match self {
            QuickRows::Never => return page.each_cell(visit),
            QuickRows::Bitmaps(bitmaps) => match bitmaps[..] {
                [(field, bits)] => return page.each_cell_unless(&mut Bitmap { field, bits }, visit),
                _ => return page.each_cell_unless(&mut Bitmaps(bitmaps), visit),
            },
            QuickRows::PairBitmap(pairs) => return page.each_cell_unless(&mut pairs.clone(), visit),
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
        missing.iter().try_for_each(|&position| visit(page.cell_from(cells[position])?))
    }
}

struct Bitmap<'a> {
    field: usize,
    bits: &'a Bits,
}

impl RowFilter for Bitmap<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        match record::short_integer(record, self.field) {
            Some(number) => self.bits.has(number),
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

#[derive(Clone)]
pub(super) struct PairBitmap<'a> {
    fields: [usize; 2],
    keys: &'a KeySet,
}

impl RowFilter for PairBitmap<'_> {
    #[inline(always)]
    fn is_done(&mut self, record: &ShortRecord<'_>) -> bool {
        pair(record, self.fields).is_some_and(|key| self.keys.has(Key::Wide(key)))
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
