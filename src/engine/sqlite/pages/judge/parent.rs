//! Reads a parent's keys into a set, and proves that the index in which SQLite looks them up holds the same keys.

use std::sync::Mutex;

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use super::super::digest::Digest;
use super::super::fault::Fault;
use super::super::key::KeyComparison;
use super::super::key::Shape;
use super::super::layout::ColumnSource;
use super::super::page::Cell;
use super::super::page::Page;
use super::super::reading::Fields;
use super::super::reading::RecordReader;
use super::super::record;
use super::super::source::PageSource;
use super::super::tree::Tree;
use super::super::tree::TreePiece;
use super::lookup;
use super::lookup::Lookup;
use super::meter::Meter;
use super::plan::ParentPlan;
use crate::engine::keyset::Bits;
use crate::engine::keyset::Key;
use crate::engine::keyset::KeySet;
use crate::engine::keyset::KeyShare;

/// The keys of a parent, or one share of them.
pub(super) struct ParentKeys {
    pub(super) keys: KeySet,
    /// True if the index in which SQLite looks keys up holds exactly the table's keys.
    pub(super) index_is_proven: bool,
    /// True if no key of the table is one that only SQLite can compare.
    pub(super) all_comparable: bool,
}

pub(super) fn read(
    parent: &ParentPlan,
    share: KeyShare,
    source: &PageSource,
    meter: &Meter<'_>,
) -> Result<ParentKeys, Fault> {
    if let (Some((first, last)), true) = (parent.rowids, parent.is_dense()) {
        let (first, last) = match share {
            KeyShare::Between(from, to) => (first.max(from), last.min(to)),
            KeyShare::Part { .. } => (first, last),
        };
        let keys = KeySet::Dense(rowids_between(&parent.table, first, last, source, meter)?);
        return Ok(ParentKeys { keys, index_is_proven: true, all_comparable: true });
    }
    let gathered = Mutex::new(Gathered::default());
    let merge_part = |mut part: Gathered| {
        let mut gathered_so_far = gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        gathered_so_far.integers.append(&mut part.integers);
        gathered_so_far.wide.append(&mut part.wide);
        gathered_so_far.outside += part.outside;
    };
    let collect_key = |part: &mut Gathered, key| match key {
        Key::Integer(number) if share.has(key) => part.integers.push(number),
        Key::Wide(wide) if share.has(key) => part.wide.push(wide),
        Key::Outside => part.outside += 1,
        Key::Null | Key::Integer(_) | Key::Wide(_) => {}
    };
    let proves_index = parent.index.is_some() && share.is_first();
    let table = KeyTree {
        tree: &parent.table,
        key: &parent.key,
        in_order: parent.table_is_looked_up,
        is_digested: proves_index,
    };
    let table_digest = table.each_key(&parent.comparison, source, meter, collect_key, merge_part)?;
    let gathered = gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let all_comparable = gathered.outside == 0;
    let keys = match parent.comparison.shape() {
        Shape::Integer => KeySet::from_integers(gathered.integers),
        Shape::TwoIntegers => KeySet::from_pairs(gathered.wide),
        Shape::Hashed => KeySet::from_hashes(gathered.wide),
    };
    let Some((tree, fields)) = parent.index.as_ref().filter(|_| proves_index) else {
        return Ok(ParentKeys { keys, index_is_proven: true, all_comparable });
    };
    let key: Vec<ColumnSource> = fields.iter().map(|&field| ColumnSource::Field(field)).collect();
    let index = KeyTree { tree, key: &key, in_order: true, is_digested: true };
    let index_digest = index.each_key(&parent.comparison, source, meter, |(), _| {}, |()| {})?;
    if index_digest != table_digest {
        return Err(Fault::unsupported("an index of the parent does not hold exactly the keys of its table"));
    }
    Ok(ParentKeys { keys, index_is_proven: all_comparable, all_comparable })
}

#[derive(Default)]
struct Gathered {
    integers: Vec<i64>,
    wide: Vec<u128>,
    /// The number of keys that only SQLite can compare.
    outside: u64,
}

/// Returns the bitmap of the rowids of a table from `first` to `last`.
fn rowids_between(tree: &Tree, first: i64, last: i64, source: &PageSource, meter: &Meter<'_>) -> Result<Bits, Fault> {
    let mut bits = Bits::between(first, last);
    let is_wanted = |rowid| (first..=last).contains(&rowid);
    let pieces: Vec<TreePiece> = tree.pieces().filter(|&piece| tree.may_hold(piece, first, last)).collect();
    if let [piece] = pieces[..] {
        each_rowid(tree, piece, source, meter, &mut Vec::new(), |rowid| {
            if is_wanted(rowid) {
                bits.set(rowid);
            }
        })?;
        return Ok(bits);
    }
    let gathered_so_far = Mutex::new(bits);
    pieces.into_par_iter().try_for_each_init(Vec::new, |buffer, piece| {
        let mut found = Vec::new();
        each_rowid(tree, piece, source, meter, buffer, |rowid| {
            if is_wanted(rowid) {
                found.push(rowid);
            }
        })?;
        if let (Some(&from), Some(&to)) = (found.iter().min(), found.iter().max()) {
            let mut part = Bits::between(from, to);
            found.iter().for_each(|&rowid| part.set(rowid));
            gathered_so_far.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&part);
        }
        Ok(())
    })?;
    Ok(gathered_so_far.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Visits the rowids of a piece of a table.
fn each_rowid(
    tree: &Tree,
    piece: TreePiece,
    source: &PageSource,
    meter: &Meter<'_>,
    buffer: &mut Vec<u8>,
    mut visit: impl FnMut(i64),
) -> Result<(), Fault> {
    let (mut pages, mut rows) = (0, 0);
    tree.each_page(source, piece, buffer, |page| {
        pages += 1;
        rows += page.cell_count() as u64;
        page.each_cell(|cell| {
            visit(cell.rowid);
            Ok(())
        })
    })?;
    meter.parent_read(pages, rows)
}

/// A tree whose records contain a parent's key.
struct KeyTree<'a> {
    tree: &'a Tree,
    key: &'a [ColumnSource],
    /// True if SQLite searches this tree. It would not find keys that are out of order, so their order is checked.
    in_order: bool,
    /// True if the digest of the keys is needed.
    is_digested: bool,
}

/// The last row of a page, for a tree that must be in order.
struct Last<'a> {
    cell: Cell<'a>,
    /// The key, if it was read without decoding the record.
    text: Option<&'a [u8]>,
}

impl KeyTree<'_> {
    /// Visits every key. Workers read several pieces in parallel; `finish` receives the result of each piece.
    fn each_key<A: Default>(
        &self,
        comparison: &KeyComparison,
        source: &PageSource,
        meter: &Meter<'_>,
        visit: impl Fn(&mut A, Key) + Sync,
        finish: impl Fn(A) + Sync,
    ) -> Result<Digest, Fault> {
        let wanted = lookup::wanted([self.key]);
        let keys = KeyReader {
            lookup: Lookup::new(self.key, &wanted),
            quick: QuickKey::of(self.key, comparison),
            reader: RecordReader::new(source, wanted.len()),
            comparison,
        };
        let pieces: Vec<TreePiece> = self.tree.pieces().collect();
        pieces
            .into_par_iter()
            .map_init(
                || (Vec::new(), [Fields::new(&wanted), Fields::new(&wanted)], Vec::new()),
                |(buffer, fields, scratch), piece| {
                    let mut digest = Digest::default();
                    let mut found = A::default();
                    let (mut pages, mut rows) = (0, 0);
                    self.tree.each_page(source, piece, buffer, |page| {
                        pages += 1;
                        rows += page.cell_count() as u64;
                        let mut last: Option<Last<'_>> = None;
                        page.each_cell(|cell| {
                            let text = keys.quick.text(&cell);
                            let key = keys.key(page, &cell, text, fields, scratch)?;
                            if self.is_digested {
                                digest.add(key, comparison.digest_secret());
                            }
                            visit(&mut found, key);
                            if self.in_order {
                                let now = Last { cell, text };
                                if let Some(last) = &last
                                    && keys.is_descending(page, last, &now, fields)?
                                {
                                    return page.damaged("its keys are out of order");
                                }
                                last = Some(now);
                                if text.is_none() {
                                    fields.swap(0, 1);
                                }
                            }
                            Ok(())
                        })
                    })?;
                    finish(found);
                    meter.parent_read(pages, rows)?;
                    Ok(digest)
                },
            )
            .try_reduce(Digest::default, |left, right| Ok(left.join(right)))
    }
}

/// Reads the keys of a tree's records.
struct KeyReader<'a> {
    lookup: Lookup,
    quick: QuickKey,
    reader: RecordReader<'a>,
    comparison: &'a KeyComparison,
}

impl KeyReader<'_> {
    /// Returns the key of a record. The first of the two `fields` then holds the record, unless its key could be read
    /// without decoding it.
    #[inline(always)]
    fn key(
        &self,
        page: &Page<'_>,
        cell: &Cell<'_>,
        text: Option<&[u8]>,
        fields: &mut [Fields; 2],
        scratch: &mut Vec<u8>,
    ) -> Result<Key, Fault> {
        if let Some(key) = text.and_then(|text| self.comparison.text_key(text)) {
            return Ok(key);
        }
        if let QuickKey::Rowid = self.quick {
            return Ok(Key::Integer(cell.rowid));
        }
        self.reader.read(page, cell, &mut fields[0])?;
        Ok(self.lookup.key(self.comparison, cell, &fields[0], scratch))
    }

    /// True if a row certainly belongs before the last one. The second of the two `fields` holds the last record, unless
    /// its key could be read without decoding it.
    #[inline(always)]
    fn is_descending(
        &self,
        page: &Page<'_>,
        last: &Last<'_>,
        now: &Last<'_>,
        fields: &mut [Fields; 2],
    ) -> Result<bool, Fault> {
        if let (Some(last), Some(now)) = (last.text, now.text) {
            return Ok(self.comparison.is_text_descending(last, now));
        }
        for (row, fields) in [now, last].into_iter().zip(fields.iter_mut()) {
            if row.text.is_some() {
                self.reader.read(page, &row.cell, fields)?;
            }
        }
        let [now_fields, last_fields] = fields;
        Ok(self.lookup.is_descending(self.comparison, (&last.cell, last_fields), (&now.cell, now_fields)))
    }
}

/// A key that can be read without decoding its record, if the record's header is small.
enum QuickKey {
    Rowid,
    Text(usize),
    Never,
}

impl QuickKey {
    fn of(key: &[ColumnSource], comparison: &KeyComparison) -> QuickKey {
        match key {
            [ColumnSource::Rowid] if comparison.shape() == Shape::Integer => QuickKey::Rowid,
            [ColumnSource::Field(field)] if comparison.is_single_text() => QuickKey::Text(field.number),
            _ => QuickKey::Never,
        }
    }

    #[inline(always)]
    fn text<'a>(&self, cell: &Cell<'a>) -> Option<&'a [u8]> {
        match self {
            QuickKey::Text(field) => record::small_header_text(cell.local, *field),
            QuickKey::Rowid | QuickKey::Never => None,
        }
    }
}
