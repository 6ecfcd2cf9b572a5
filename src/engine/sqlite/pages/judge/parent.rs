//! Reading a parent's keys into a set, and proving that the index SQLite looks them up in holds the same.

use std::sync::Mutex;

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use super::super::fault::Fault;
use super::super::key::Key;
use super::super::key::Rule;
use super::super::key::Shape;
use super::super::keyset;
use super::super::keyset::Bits;
use super::super::keyset::KeySet;
use super::super::keyset::Share;
use super::super::layout::Column;
use super::super::page::Cell;
use super::super::reading::Fields;
use super::super::reading::Reader;
use super::super::source::PageSource;
use super::super::tree::Piece;
use super::super::tree::Tree;
use super::Meter;
use super::lookup;
use super::lookup::Lookup;
use super::plan::ParentPlan;

/// A share of a parent's keys.
pub(super) struct Parent {
    pub(super) keys: KeySet,
    /// Whether what SQLite looks keys up in holds exactly the table's keys.
    pub(super) index_is_proven: bool,
}

/// Whether the keys are row addresses close enough together for one bit each.
pub(super) fn is_dense(parent: &ParentPlan) -> bool {
    parent.rowids.is_some_and(|(first, last)| {
        let range = last.wrapping_sub(first).cast_unsigned();
        range / 64 <= parent.rows + 1_000
    })
}

pub(super) fn read(parent: &ParentPlan, share: Share, source: &PageSource, meter: &Meter<'_>) -> Result<Parent, Fault> {
    if let (Some((first, last)), true) = (parent.rowids, is_dense(parent)) {
        let (first, last) = match share {
            Share::Between(from, to) => (first.max(from), last.min(to)),
            Share::Part { .. } => (first, last),
        };
        let keys = KeySet::Dense(addresses(&parent.table, first, last, source, meter)?);
        return Ok(Parent { keys, index_is_proven: true });
    }
    let gathered = Mutex::new(Gathered::default());
    let merge = |mut some: Gathered| {
        let mut all = gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.integers.append(&mut some.integers);
        all.wide.append(&mut some.wide);
    };
    let gather = |some: &mut Gathered, key| match key {
        Key::Integer(number) if share.has(key) => some.integers.push(number),
        Key::Wide(wide) if share.has(key) => some.wide.push(wide),
        _ => {}
    };
    let holder = Holder { tree: &parent.table, key: &parent.key, in_order: parent.table_is_looked_up };
    let in_table = holder.each_key(&parent.rule, source, meter, gather, merge)?;
    let gathered = gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let keys = match parent.rule.shape() {
        Shape::Integer => KeySet::of_integers(gathered.integers),
        Shape::TwoIntegers => KeySet::of_pairs(gathered.wide),
        Shape::Hashed => KeySet::of_hashes(gathered.wide),
    };
    let Some((tree, fields)) = parent.index.as_ref().filter(|_| share.is_first()) else {
        return Ok(Parent { keys, index_is_proven: true });
    };
    let key: Vec<Column> = fields.iter().map(|&field| Column::Field(field)).collect();
    let index = Holder { tree, key: &key, in_order: true };
    let in_index = index.each_key(&parent.rule, source, meter, |(), _| {}, |()| {})?;
    if in_index != in_table {
        return Err(Fault::unsupported("an index of the parent does not hold exactly the keys of its table"));
    }
    Ok(Parent { keys, index_is_proven: in_table.outside == 0 })
}

#[derive(Default)]
struct Gathered {
    integers: Vec<i64>,
    wide: Vec<u128>,
}

/// The addresses of a table's rows from one to another.
fn addresses(tree: &Tree, first: i64, last: i64, source: &PageSource, meter: &Meter<'_>) -> Result<Bits, Fault> {
    let all = Mutex::new(Bits::between(first, last));
    let pieces: Vec<Piece> = tree.pieces().filter(|&piece| tree.may_hold(piece, first, last)).collect();
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
            all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&part);
        }
        meter.read(pages)
    })?;
    Ok(all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// What the keys of a tree come to. Two trees with the same digest hold the same keys, as surely as a keyed hash of
/// 128 bits tells keys apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Digest {
    keys: u64,
    nulls: u64,
    /// Keys that only SQLite can compare; they are counted, not compared.
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

/// A tree whose records hold a parent's key.
struct Holder<'a> {
    tree: &'a Tree,
    key: &'a [Column],
    /// SQLite searches here, so keys that are out of order would not be found.
    in_order: bool,
}

impl Holder<'_> {
    /// Visits every key, piece by piece and several pieces at a time.
    fn each_key<A: Default>(
        &self,
        rule: &Rule,
        source: &PageSource,
        meter: &Meter<'_>,
        visit: impl Fn(&mut A, Key) + Sync,
        finish: impl Fn(A) + Sync,
    ) -> Result<Digest, Fault> {
        let wanted = lookup::wanted([self.key]);
        let lookup = Lookup::new(self.key, &wanted);
        let reader = Reader::new(source, wanted.len());
        let pieces: Vec<Piece> = self.tree.pieces().collect();
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
                            let key = lookup.key(rule, &cell, fields, bytes);
                            digest.add(key);
                            visit(&mut found, key);
                            if self.in_order {
                                if last.is_some_and(|last| lookup.descends(rule, (&last, last_fields), (&cell, fields)))
                                {
                                    return page.damaged("its keys are out of order");
                                }
                                last = Some(cell);
                                std::mem::swap(fields, last_fields);
                            }
                            Ok(())
                        })
                    })?;
                    finish(found);
                    meter.read(pages)?;
                    Ok(digest)
                },
            )
            .try_reduce(Digest::default, |one, two| Ok(one.join(two)))
    }
}
