//! Reads a parent's keys into a set, and proves that the index in which SQLite looks them up holds the same keys.

use std::sync::Mutex;

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use super::super::fault::Fault;
use super::super::key::Key;
use super::super::key::KeyComparison;
use super::super::key::Shape;
use super::super::keyset;
use super::super::keyset::Bits;
use super::super::keyset::KeySet;
use super::super::keyset::KeyShare;
use super::super::layout::ColumnSource;
use super::super::page::Cell;
use super::super::reading::Fields;
use super::super::reading::RecordReader;
use super::super::source::PageSource;
use super::super::tree::Tree;
use super::super::tree::TreePiece;
use super::lookup;
use super::lookup::Lookup;
use super::meter::Meter;
use super::plan::ParentPlan;

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
    let table = KeyTree { tree: &parent.table, key: &parent.key, in_order: parent.table_is_looked_up };
    let table_digest = table.each_key(&parent.comparison, source, meter, collect_key, merge_part)?;
    let gathered = gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let all_comparable = gathered.outside == 0;
    let keys = match parent.comparison.shape() {
        Shape::Integer => KeySet::from_integers(gathered.integers),
        Shape::TwoIntegers => KeySet::from_pairs(gathered.wide),
        Shape::Hashed => KeySet::from_hashes(gathered.wide),
    };
    let Some((tree, fields)) = parent.index.as_ref().filter(|_| share.is_first()) else {
        return Ok(ParentKeys { keys, index_is_proven: true, all_comparable });
    };
    let key: Vec<ColumnSource> = fields.iter().map(|&field| ColumnSource::Field(field)).collect();
    let index = KeyTree { tree, key: &key, in_order: true };
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
    let gathered_so_far = Mutex::new(Bits::between(first, last));
    let pieces: Vec<TreePiece> = tree.pieces().filter(|&piece| tree.may_hold(piece, first, last)).collect();
    pieces.into_par_iter().try_for_each_init(Vec::new, |buffer, piece| {
        let mut found = Vec::new();
        let mut pages = 0;
        tree.each_page(source, piece, buffer, |page| {
            pages += 1;
            page.each_cell(|cell| {
                if (first..=last).contains(&cell.rowid) {
                    found.push(cell.rowid);
                }
                Ok(())
            })
        })?;
        if let (Some(&from), Some(&to)) = (found.iter().min(), found.iter().max()) {
            let mut part = Bits::between(from, to);
            found.iter().for_each(|&rowid| part.set(rowid));
            gathered_so_far.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&part);
        }
        meter.pages_read(pages)
    })?;
    Ok(gathered_so_far.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// The digest of a tree's keys. Two trees with equal digests hold the same keys, with the certainty of a keyed 128-bit
/// hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Digest {
    keys: u64,
    nulls: u64,
    /// Keys that only SQLite can compare. They are counted, not compared.
    outside: u64,
    sum: u128,
}

impl Digest {
    fn add(&mut self, key: Key) {
        match key {
            Key::Null => self.nulls += 1,
            Key::Outside => self.outside += 1,
            Key::Integer(number) => self.add_hash(keyset::mixed(u128::from(number.cast_unsigned()))),
            Key::Wide(wide) => self.add_hash(keyset::mixed(wide)),
        }
    }

    fn add_hash(&mut self, hash: u128) {
        self.keys += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    fn join(self, other: Digest) -> Digest {
        Digest {
            keys: self.keys + other.keys,
            nulls: self.nulls + other.nulls,
            outside: self.outside + other.outside,
            sum: self.sum.wrapping_add(other.sum),
        }
    }
}

/// A tree whose records contain a parent's key.
struct KeyTree<'a> {
    tree: &'a Tree,
    key: &'a [ColumnSource],
    /// True if SQLite searches this tree. It would not find keys that are out of order, so their order is checked.
    in_order: bool,
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
        let lookup = Lookup::new(self.key, &wanted);
        let reader = RecordReader::new(source, wanted.len());
        let pieces: Vec<TreePiece> = self.tree.pieces().collect();
        pieces
            .into_par_iter()
            .map_init(
                || (Vec::new(), [Fields::new(&wanted), Fields::new(&wanted)], Vec::new()),
                |(buffer, [fields, last_fields], bytes), piece| {
                    let mut digest = Digest::default();
                    let mut found = A::default();
                    let mut pages = 0;
                    self.tree.each_page(source, piece, buffer, |page| {
                        pages += 1;
                        let mut last: Option<Cell<'_>> = None;
                        page.each_cell(|cell| {
                            reader.read(page, &cell, fields)?;
                            let key = lookup.key(comparison, &cell, fields, bytes);
                            digest.add(key);
                            visit(&mut found, key);
                            if self.in_order {
                                if last.is_some_and(|last| {
                                    lookup.is_descending(comparison, (&last, last_fields), (&cell, fields))
                                }) {
                                    return page.damaged("its keys are out of order");
                                }
                                last = Some(cell);
                                std::mem::swap(fields, last_fields);
                            }
                            Ok(())
                        })
                    })?;
                    finish(found);
                    meter.pages_read(pages)?;
                    Ok(digest)
                },
            )
            .try_reduce(Digest::default, |left, right| Ok(left.join(right)))
    }
}
