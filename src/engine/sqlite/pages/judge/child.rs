//! Reading a child once and looking every key up among its parents' keys.

use std::collections::BTreeMap;

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use super::super::fault::Fault;
use super::super::key::Key;
use super::super::key::Rule;
use super::super::key::Shape;
use super::super::keyset::KeySet;
use super::super::keyset::Share;
use super::super::layout::Column;
use super::super::page::Cell;
use super::super::page::Page;
use super::super::reading::Fields;
use super::super::reading::Found;
use super::super::reading::Reader;
use super::super::record;
use super::super::record::Stored;
use super::super::source::PageSource;
use super::super::tree::Piece;
use super::Meter;
use super::lookup;
use super::lookup::Lookup;
use super::parent::Parent;
use super::plan::Address;
use super::plan::Pass;
use super::plan::Plan;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::model::examination::Counts;
use crate::model::examination::Method;

/// More suspects than this are not listed: SQLite then judges the whole relation.
const MOST_SUSPECTS: usize = 400_000;
/// And not more than this over all relations.
const MOST_SUSPECTS_IN_ALL: usize = 4_000_000;

/// What was counted for one inclusion.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    rows: u64,
    null_rows: u64,
    suspects: Suspects,
    limit: usize,
}

impl Tally {
    fn new(limit: usize) -> Tally {
        Tally { rows: 0, null_rows: 0, suspects: Suspects::Rows(Vec::new()), limit }
    }

    #[cold]
    fn suspect(&mut self, address: Option<i64>) {
        match (&mut self.suspects, address) {
            (Suspects::Rows(rows), Some(address)) if rows.len() < self.limit => rows.push(address),
            (suspects, _) => *suspects = Suspects::Many,
        }
    }

    /// Rows that were found with another share of the parent's keys.
    pub(super) fn add_suspects(&mut self, other: Tally) {
        match (&mut self.suspects, other.suspects) {
            (Suspects::Rows(rows), Suspects::Rows(more)) if rows.len() + more.len() <= self.limit => rows.extend(more),
            (suspects, _) => *suspects = Suspects::Many,
        }
    }

    fn join(mut self, other: Tally) -> Tally {
        self.rows += other.rows;
        self.null_rows += other.null_rows;
        self.add_suspects(other);
        self
    }

    pub(super) fn reading(self, by_index: bool, index_is_proven: bool) -> StorageReading {
        let mut suspects = self.suspects;
        if let Suspects::Rows(rows) = &mut suspects {
            rows.sort_unstable();
        }
        StorageReading {
            method: if by_index { Method::IndexWalk } else { Method::Pages },
            counts: Counts { rows: self.rows, null_rows: self.null_rows, ignored_rows: 0 },
            suspects,
            index_is_proven,
        }
    }
}

/// Reads what a pass says, for all inclusions whose parent could be read.
pub(super) fn read(
    plan: &Plan,
    pass: &Pass,
    parents: &BTreeMap<usize, Result<Parent, Fault>>,
    source: &PageSource,
    meter: &Meter<'_>,
) -> Vec<(usize, Result<Tally, Fault>)> {
    let wanted = wanted(pass);
    let mut answers = Vec::new();
    let mut probes = Vec::new();
    let mut inclusions = Vec::new();
    let limit = MOST_SUSPECTS.min(MOST_SUSPECTS_IN_ALL / plan.inclusions.len().max(1));
    for probe in &pass.probes {
        match parents.get(&probe.parent) {
            Some(Ok(parent)) => {
                inclusions.push(probe.inclusion);
                probes.push(Probe {
                    quick: Quick::of(&probe.key, &plan.parents[probe.parent].rule, pass.address),
                    lookup: Lookup::new(&probe.key, &wanted),
                    rule: &plan.parents[probe.parent].rule,
                    keys: &parent.keys,
                    share: probe.share,
                });
            }
            Some(Err(fault)) => answers.push((probe.inclusion, Err(fault.clone()))),
            None => answers.push((probe.inclusion, Err(Fault::unsupported("its parent was not read")))),
        }
    }
    let readable = pass.probes.iter().filter_map(|probe| Some((probe, parents.get(&probe.parent)?.as_ref().ok()?)));
    let plain: Option<Vec<(usize, &KeySet)>> =
        readable.map(|(probe, parent)| Some((plain_field(probe, parent)?, &parent.keys))).collect();
    let child = Child { pass, wanted, plain: plain.unwrap_or_default(), probes, limit };
    match child.read(source, meter) {
        Ok(tallies) => answers.extend(inclusions.into_iter().zip(tallies.into_iter().map(Ok))),
        Err(fault) => answers.extend(inclusions.into_iter().map(|inclusion| (inclusion, Err(fault.clone())))),
    }
    answers
}

/// The field of a key that is one integer, where the set has a bit for each.
fn plain_field(probe: &super::plan::Probe, parent: &Parent) -> Option<usize> {
    match (&probe.key[..], &parent.keys) {
        ([Column::Field(field)], KeySet::Dense(_)) if probe.share == Share::ALL => Some(field.number),
        _ => None,
    }
}

fn wanted(pass: &Pass) -> Vec<usize> {
    let mut wanted = lookup::wanted(pass.probes.iter().map(|probe| probe.key.as_slice()));
    if let Address::Field(number) = pass.address
        && let Err(place) = wanted.binary_search(&number)
    {
        wanted.insert(place, number);
    }
    wanted
}

struct Child<'a> {
    pass: &'a Pass,
    wanted: Vec<usize>,
    /// Where all keys are single integers with one bit each: the fields, and the bits.
    plain: Vec<(usize, &'a KeySet)>,
    probes: Vec<Probe<'a>>,
    limit: usize,
}

struct Probe<'a> {
    quick: Quick,
    lookup: Lookup,
    rule: &'a Rule,
    keys: &'a KeySet,
    share: Share,
}

/// Keys that nearly every record shows at a glance: the fields that they are made of.
enum Quick {
    Integer(usize),
    TwoIntegers(usize, usize),
    Text(usize),
    Never,
}

impl Quick {
    fn of(key: &[Column], rule: &Rule, address: Address) -> Quick {
        match (key, rule.shape()) {
            // The record has to be read for its address.
            _ if matches!(address, Address::Field(_)) => Quick::Never,
            ([Column::Field(field)], Shape::Integer) => Quick::Integer(field.number),
            ([Column::Field(one), Column::Field(two)], Shape::TwoIntegers) => {
                Quick::TwoIntegers(one.number, two.number)
            }
            ([Column::Field(field)], Shape::Hashed) => Quick::Text(field.number),
            _ => Quick::Never,
        }
    }
}

impl Probe<'_> {
    /// `None` says nothing about the key.
    #[inline(always)]
    fn quick_key(&self, cell: &Cell<'_>) -> Option<Key> {
        let integer = |field| record::plain_integer(cell.local, field);
        match self.quick {
            Quick::Integer(field) => Some(Key::Integer(integer(field)?)),
            Quick::TwoIntegers(one, two) => Some(Key::pair(integer(one)?, integer(two)?)),
            Quick::Text(field) => self.rule.text_key(record::plain_text(cell.local, field)?),
            Quick::Never => None,
        }
    }
}

/// What one worker needs to read pieces.
struct Worker<'a> {
    buffer: Vec<u8>,
    record: Record,
    desks: Vec<FileOutput<'a>>,
}

/// The record at hand, and room for a key of it.
struct Record {
    fields: Fields,
    key: Vec<u8>,
}

/// Where a worker handles one probe.
struct FileOutput<'a> {
    probe: &'a Probe<'a>,
    tally: Tally,
    /// Keys of one page that are looked up together, so that the processor can wait for many at once.
    waiting: Vec<(Key, Option<i64>)>,
}

impl FileOutput<'_> {
    #[inline(always)]
    fn take(&mut self, key: Key, address: impl Fn() -> Option<i64>) {
        match key {
            Key::Null => self.tally.null_rows += 1,
            key if !self.probe.share.has(key) => {}
            Key::Outside => self.tally.suspect(address()),
            key => match self.probe.keys {
                KeySet::Dense(_) | KeySet::Pairs { .. } if self.probe.keys.has(key) => {}
                KeySet::Dense(_) | KeySet::Pairs { .. } => self.tally.suspect(address()),
                _ => self.waiting.push((key, address())),
            },
        }
    }

    fn end_page(&mut self, rows: usize) {
        self.tally.rows += rows as u64;
        self.probe.keys.each_missing(&self.waiting, |address| self.tally.suspect(address));
        self.waiting.clear();
    }
}

impl Child<'_> {
    fn read(&self, source: &PageSource, meter: &Meter<'_>) -> Result<Vec<Tally>, Fault> {
        let empty = || Tally::new(self.limit);
        let reader = Reader::new(source, self.wanted.len());
        let worker = || Worker {
            buffer: Vec::new(),
            record: Record { fields: Fields::new(&self.wanted), key: Vec::new() },
            desks: self.probes.iter().map(|probe| FileOutput { probe, tally: empty(), waiting: Vec::new() }).collect(),
        };
        let pieces: Vec<Piece> = self.pass.tree.pieces().collect();
        let tallies = pieces
            .into_par_iter()
            .map_init(worker, |worker, piece| {
                let Worker { buffer, record, desks } = worker;
                let mut pages = 0;
                self.pass.tree.each_page(source, piece, buffer, |page| {
                    pages += 1;
                    page.each_cell(|cell| {
                        if self.settles(&cell) { Ok(()) } else { self.look_up(page, cell, &reader, record, desks) }
                    })?;
                    desks.iter_mut().for_each(|desk| desk.end_page(page.cell_count()));
                    Ok(())
                })?;
                meter.read(pages)?;
                Ok(desks.iter_mut().map(|desk| std::mem::replace(&mut desk.tally, empty())).collect())
            })
            .try_reduce(
                || self.probes.iter().map(|_| empty()).collect(),
                |one: Vec<Tally>, two| Ok(one.into_iter().zip(two).map(|(one, two)| one.join(two)).collect()),
            )?;
        self.compare_with_table(tallies.first().map_or(0, |tally| tally.rows), source)?;
        Ok(tallies)
    }

    /// Takes every key of a row to its desk. Apart from the loop over rows, which is short then, and quick.
    #[inline(never)]
    fn look_up(
        &self,
        page: &Page<'_>,
        cell: Cell<'_>,
        reader: &Reader<'_>,
        record: &mut Record,
        desks: &mut [FileOutput<'_>],
    ) -> Result<(), Fault> {
        let Record { fields, key: scratch } = record;
        let mut is_read = false;
        for desk in desks {
            let key = match desk.probe.quick_key(&cell) {
                Some(key) => key,
                None => {
                    if !is_read {
                        reader.read(page, &cell, fields)?;
                        is_read = true;
                    }
                    desk.probe.lookup.key(desk.probe.rule, &cell, fields, scratch)
                }
            };
            desk.take(key, || self.address(&cell, fields));
        }
        Ok(())
    }

    /// Whether all parents of a row are found at first glance, as those of nearly all rows are.
    #[inline(always)]
    fn settles(&self, cell: &Cell<'_>) -> bool {
        let found = |&(field, keys): &(usize, &KeySet)| {
            record::plain_integer(cell.local, field).is_some_and(|number| keys.has(Key::Integer(number)))
        };
        !self.plain.is_empty() && self.plain.iter().all(found)
    }

    #[inline]
    fn address(&self, cell: &Cell<'_>, fields: &Fields) -> Option<i64> {
        match self.pass.address {
            Address::Rowid => Some(cell.rowid),
            Address::None => None,
            Address::Field(number) => {
                let position = self.wanted.partition_point(|&wanted| wanted < number);
                match fields.value(cell, position) {
                    Found::Value(Stored::Integer(address)) => Some(address),
                    _ => None,
                }
            }
        }
    }

    /// An index that was read for its table must have an entry for every row.
    fn compare_with_table(&self, entries: u64, source: &PageSource) -> Result<(), Fault> {
        let Some(table) = &self.pass.table else { return Ok(()) };
        let pieces: Vec<Piece> = table.pieces().collect();
        let rows = pieces
            .into_par_iter()
            .map(|piece| table.count(source, piece))
            .try_reduce(|| 0, |one, two| Ok(one + two))?;
        if rows == entries {
            Ok(())
        } else {
            Err(Fault::unsupported("an index of the child does not have as many entries as its table has rows"))
        }
    }
}
