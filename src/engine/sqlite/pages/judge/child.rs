//! Reads a child once and looks every key up among its parents' keys.

use std::collections::BTreeMap;

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use super::super::fault::Fault;
use super::super::key::KeyComparison;
use super::super::key::Shape;
use super::super::layout::ColumnSource;
use super::super::page::Cell;
use super::super::page::Page;
use super::super::reading::FieldValue;
use super::super::reading::Fields;
use super::super::reading::RecordReader;
use super::super::record;
use super::super::record::Stored;
use super::super::source::PageSource;
use super::super::tree::TreePiece;
use super::lookup;
use super::lookup::Lookup;
use super::meter::Meter;
use super::parent::ParentKeys;
use super::plan::Address;
use super::plan::Pass;
use super::plan::ReadingPlan;
use super::quick_rows::Pending;
use super::quick_rows::Proven;
use super::quick_rows::QuickRows;
use crate::engine::OrphanList;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::engine::keyset;
use crate::engine::keyset::Key;
use crate::engine::keyset::KeySet;
use crate::engine::keyset::KeyShare;
use crate::engine::orphan_list::KeyBytes;
use crate::engine::orphan_list::OrphanBuffer;
use crate::engine::orphan_list::OrphanCollector;
use crate::model::examination::Counts;
use crate::model::examination::Method;

/// The most suspects listed for a relation. If there are more, SQLite judges the whole relation.
const MAX_SUSPECTS: usize = 400_000;
/// The most suspects listed for all relations together.
const MAX_SUSPECTS_IN_TOTAL: usize = 4_000_000;

/// The counts and suspects of one inclusion.
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

    /// Adds the suspects found with another share of the parent's keys.
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

    /// Returns the tally without its list of suspects: SQLite judges all rows.
    pub(super) fn without_rows(self) -> Tally {
        Tally { suspects: Suspects::Many, ..self }
    }

    /// A relation that SQLite judges as a whole has no proven orphans.
    pub(super) fn reading(self, by_index: bool, index_is_proven: bool, orphans: OrphanList) -> StorageReading {
        let mut suspects = self.suspects;
        if let Suspects::Rows(rows) = &mut suspects {
            rows.sort_unstable();
        }
        StorageReading {
            method: if by_index { Method::IndexWalk } else { Method::Pages },
            counts: Counts { rows: self.rows, null_rows: self.null_rows, ignored_rows: 0 },
            orphans: if suspects == Suspects::Many { OrphanList::default() } else { orphans },
            suspects,
            index_is_proven,
            repeated_keys: None,
            note: None,
        }
    }
}

/// Carries out a pass, for all inclusions whose parent could be read. Returns one answer per inclusion: its position
/// and its tally, or the fault.
pub(super) fn read(
    plan: &ReadingPlan,
    pass: &Pass,
    parents: &BTreeMap<usize, Result<ParentKeys, Fault>>,
    orphans: &[Option<OrphanCollector<'_>>],
    source: &PageSource,
    meter: &Meter<'_>,
) -> Vec<(usize, Result<Tally, Fault>)> {
    let wanted = wanted(pass);
    let mut answers = Vec::new();
    let mut probes = Vec::new();
    let mut inclusions = Vec::new();
    let limit = MAX_SUSPECTS.min(MAX_SUSPECTS_IN_TOTAL / plan.inclusions.len().max(1));
    for probe in &pass.probes {
        match parents.get(&probe.parent) {
            Some(Ok(parent)) => {
                inclusions.push(probe.inclusion);
                probes.push(Probe {
                    quick: QuickKey::of(&probe.key, &plan.parents[probe.parent].comparison, pass.address),
                    lookup: Lookup::new(&probe.key, &wanted),
                    comparison: &plan.parents[probe.parent].comparison,
                    keys: &parent.keys,
                    share: probe.share,
                    orphans: orphans[probe.inclusion].as_ref().filter(|_| parent.all_comparable),
                });
            }
            Some(Err(fault)) => answers.push((probe.inclusion, Err(fault.clone()))),
            None => answers.push((probe.inclusion, Err(Fault::unsupported("its parent was not read")))),
        }
    }
    let readable = pass.probes.iter().filter_map(|probe| {
        let parent = parents.get(&probe.parent)?.as_ref().ok()?;
        Some((probe, &plan.parents[probe.parent].comparison, &parent.keys))
    });
    let is_proven = matches!(&probes[..], [Probe { orphans: Some(_), .. }]);
    let quick_rows = QuickRows::of(&readable.collect::<Vec<_>>(), is_proven);
    let child = ChildReader { pass, wanted, quick_rows, probes, limit };
    match child.read(source, meter) {
        Ok(tallies) => answers.extend(inclusions.into_iter().zip(tallies.into_iter().map(Ok))),
        Err(fault) => answers.extend(inclusions.into_iter().map(|inclusion| (inclusion, Err(fault.clone())))),
    }
    answers
}

fn wanted(pass: &Pass) -> Vec<usize> {
    let mut wanted = lookup::wanted(pass.probes.iter().map(|probe| probe.key.as_slice()));
    if let Address::Field(number) = pass.address
        && let Err(position) = wanted.binary_search(&number)
    {
        wanted.insert(position, number);
    }
    wanted
}

struct ChildReader<'a> {
    pass: &'a Pass,
    wanted: Vec<usize>,
    quick_rows: QuickRows<'a>,
    probes: Vec<Probe<'a>>,
    limit: usize,
}

struct Probe<'a> {
    quick: QuickKey,
    lookup: Lookup,
    comparison: &'a KeyComparison,
    keys: &'a KeySet,
    share: KeyShare,
    /// Takes the orphans, if they can be proven.
    orphans: Option<&'a OrphanCollector<'a>>,
}

/// The fields of a key that can be read without decoding the record, if its header is small.
enum QuickKey {
    Integer(usize),
    TwoIntegers(usize, usize),
    Text(usize),
    Never,
}

impl QuickKey {
    fn of(key: &[ColumnSource], comparison: &KeyComparison, address: Address) -> QuickKey {
        match (key, comparison.shape()) {
            // The record must be decoded anyway, for its rowid.
            _ if matches!(address, Address::Field(_)) => QuickKey::Never,
            ([ColumnSource::Field(field)], Shape::Integer) => QuickKey::Integer(field.number),
            ([ColumnSource::Field(first), ColumnSource::Field(second)], Shape::TwoIntegers) => {
                QuickKey::TwoIntegers(first.number, second.number)
            }
            ([ColumnSource::Field(field)], Shape::Hashed) => QuickKey::Text(field.number),
            _ => QuickKey::Never,
        }
    }
}

impl Probe<'_> {
    /// Returns the key without decoding the record; `None` if the record must be decoded.
    #[inline(always)]
    fn quick_key(&self, cell: &Cell<'_>) -> Option<Key> {
        let integer = |field| record::small_header_integer(cell.local, field);
        match self.quick {
            QuickKey::Integer(field) => Some(Key::Integer(integer(field)?)),
            QuickKey::TwoIntegers(first, second) => Some(Key::pair(integer(first)?, integer(second)?)),
            QuickKey::Text(field) => self.comparison.text_key(record::small_header_text(cell.local, field)?),
            QuickKey::Never => None,
        }
    }
}

/// The buffers and results of one worker.
struct Worker<'a> {
    buffer: Vec<u8>,
    pending: Pending,
    record: Record,
    states: Vec<ProbeState<'a>>,
}

/// The current record, and buffers for one of its keys.
struct Record {
    fields: Fields,
    key: Vec<u8>,
    /// The buffer for a key that no parent has.
    missing: KeyBytes,
}

/// A worker's state for one probe.
struct ProbeState<'a> {
    probe: &'a Probe<'a>,
    tally: Tally,
    /// Keys of one page that are looked up together, so that the processor loads many cache lines at once. Each has its
    /// position.
    pending: Vec<(Key, usize)>,
    /// The addresses of their rows.
    addresses: Vec<Option<i64>>,
    /// The positions of the keys that no parent has.
    missing: Vec<usize>,
    /// Orphans that are proven.
    orphans: Option<OrphanBuffer>,
}

impl<'a> ProbeState<'a> {
    fn new(probe: &'a Probe<'a>, limit: usize, probes: usize) -> ProbeState<'a> {
        let orphans = probe.orphans.map(|orphans| orphans.buffer(probes));
        let tally = Tally::new(limit);
        ProbeState { probe, tally, pending: Vec::new(), addresses: Vec::new(), missing: Vec::new(), orphans }
    }

    #[inline(always)]
    fn add_key(&mut self, key: Key, address: impl Fn() -> Option<i64>) {
        match key {
            Key::Null => self.tally.null_rows += 1,
            key if !self.probe.share.has(key) => {}
            Key::Outside => self.tally.suspect(address()),
            key => match self.probe.keys {
                KeySet::Dense(_) | KeySet::Pairs { .. } if self.probe.keys.has(key) => {}
                KeySet::Dense(_) | KeySet::Pairs { .. } => self.add_missing(key, address()),
                _ => {
                    self.pending.push((key, self.addresses.len()));
                    self.addresses.push(address());
                }
            },
        }
    }

    fn end_page(&mut self, rows: usize) {
        self.tally.rows += rows as u64;
        if self.pending.is_empty() {
            return;
        }
        let mut missing = std::mem::take(&mut self.missing);
        self.probe.keys.each_missing(&self.pending, |position| missing.push(position));
        for position in missing.drain(..) {
            self.add_missing(self.pending[position].0, self.addresses[position]);
        }
        self.missing = missing;
        self.pending.clear();
        self.addresses.clear();
    }

    /// Adds a row whose key no parent has.
    fn add_missing(&mut self, key: Key, address: Option<i64>) {
        let (Some(orphans), Some(row)) = (&mut self.orphans, address) else { return self.tally.suspect(address) };
        match (key, self.probe.comparison.shape()) {
            (Key::Integer(number), _) => orphans.add_integer(number, row),
            (Key::Wide(pair), Shape::TwoIntegers) => orphans.add_pair(keyset::parts(pair), row),
            _ => return self.tally.suspect(address),
        }
        self.empty_full_buffer();
    }

    /// True if proven orphans have keys that are not in their [`Key`], which is a hash.
    fn needs_bytes(&self) -> bool {
        self.orphans.is_some() && self.probe.comparison.shape() == Shape::Hashed
    }

    /// Adds a row whose key no parent has; `None` stands for a key that is too long.
    fn add_missing_bytes(&mut self, key: Option<&KeyBytes>, address: Option<i64>) {
        match (&mut self.orphans, key, address) {
            (Some(orphans), Some(key), Some(row)) => orphans.add_key(key, row),
            _ => return self.tally.suspect(address),
        }
        self.empty_full_buffer();
    }

    #[inline]
    fn empty_full_buffer(&mut self) {
        if let (Some(collector), Some(orphans)) = (self.probe.orphans, &mut self.orphans)
            && orphans.is_full()
        {
            collector.take(orphans);
        }
    }

    /// Hands the orphans to the collector. `limit` is the most suspects that are listed. Returns the tally.
    fn finish_piece(&mut self, limit: usize) -> Tally {
        if let (Some(collector), Some(orphans)) = (self.probe.orphans, &mut self.orphans) {
            collector.take(orphans);
        }
        std::mem::replace(&mut self.tally, Tally::new(limit))
    }
}

impl ChildReader<'_> {
    fn read(&self, source: &PageSource, meter: &Meter<'_>) -> Result<Vec<Tally>, Fault> {
        let new_tally = || Tally::new(self.limit);
        let reader = RecordReader::new(source, self.wanted.len());
        let worker = || Worker {
            buffer: Vec::new(),
            pending: Pending::new(self.proven()),
            record: Record { fields: Fields::new(&self.wanted), key: Vec::new(), missing: KeyBytes::default() },
            states: self.probes.iter().map(|probe| ProbeState::new(probe, self.limit, self.probes.len())).collect(),
        };
        let pieces: Vec<TreePiece> = self.pass.tree.pieces().collect();
        let inclusion = self.pass.probes.first().map_or(usize::MAX, |probe| probe.inclusion);
        let tallies = pieces
            .into_par_iter()
            .map_init(worker, |worker, piece| {
                let Worker { buffer, pending, record, states } = worker;
                let (mut pages, mut rows) = (0, 0);
                self.pass.tree.each_page(source, piece, buffer, |page| {
                    pages += 1;
                    rows += page.cell_count() as u64;
                    let look_up = |cell: Cell<'_>| self.look_up(page, cell, &reader, record, states);
                    self.quick_rows.each_other_cell(page, pending, look_up)?;
                    if pending.proven.as_ref().is_some_and(|proven| proven.orphans.is_full()) {
                        self.collect(pending);
                    }
                    states.iter_mut().for_each(|state| state.end_page(page.cell_count()));
                    Ok(())
                })?;
                self.collect(pending);
                meter.child_read(pages, rows, inclusion)?;
                Ok(states.iter_mut().map(|state| state.finish_piece(self.limit)).collect())
            })
            .try_reduce(
                || self.probes.iter().map(|_| new_tally()).collect(),
                |left: Vec<Tally>, right| {
                    Ok(left.into_iter().zip(right).map(|(left, right)| left.join(right)).collect())
                },
            )?;
        self.compare_with_table(tallies.first().map_or(0, |tally| tally.rows), source)?;
        Ok(tallies)
    }

    /// Returns a taker of orphans that are proven without decoding their records.
    fn proven(&self) -> Option<Proven> {
        let [Probe { orphans: Some(orphans), .. }] = &self.probes[..] else { return None };
        Some(Proven { orphans: orphans.buffer(1), address: self.pass.address })
    }

    /// Hands these orphans to the collector.
    fn collect(&self, pending: &mut Pending) {
        if let (Some(proven), [Probe { orphans: Some(orphans), .. }]) = (&mut pending.proven, &self.probes[..]) {
            orphans.take(&mut proven.orphans);
        }
    }

    /// Adds every key of a row to the state of its probe. It is kept out of the loop over rows, which so stays small
    /// and fast.
    #[inline(never)]
    fn look_up(
        &self,
        page: &Page<'_>,
        cell: Cell<'_>,
        reader: &RecordReader<'_>,
        record: &mut Record,
        states: &mut [ProbeState<'_>],
    ) -> Result<(), Fault> {
        let Record { fields, key: scratch, missing } = record;
        let mut is_read = false;
        for state in states {
            let key = match state.probe.quick_key(&cell) {
                Some(key) => key,
                None => {
                    if !is_read {
                        reader.read(page, &cell, fields)?;
                        is_read = true;
                    }
                    state.probe.lookup.key(state.probe.comparison, &cell, fields, scratch)
                }
            };
            if state.needs_bytes() && matches!(key, Key::Wide(_)) && state.probe.share.has(key) {
                if !state.probe.keys.has(key) {
                    if !is_read {
                        reader.read(page, &cell, fields)?;
                        is_read = true;
                    }
                    let is_whole = state.probe.lookup.key_bytes(&cell, fields, missing);
                    state.add_missing_bytes(is_whole.then_some(&*missing), self.address(&cell, fields));
                }
                continue;
            }
            state.add_key(key, || self.address(&cell, fields));
        }
        Ok(())
    }

    #[inline]
    fn address(&self, cell: &Cell<'_>, fields: &Fields) -> Option<i64> {
        match self.pass.address {
            Address::Rowid => Some(cell.rowid),
            Address::None => None,
            Address::Field(number) => {
                let position = self.wanted.partition_point(|&wanted| wanted < number);
                match fields.value(cell, position) {
                    FieldValue::Value(Stored::Integer(address)) => Some(address),
                    _ => None,
                }
            }
        }
    }

    /// An index that was read instead of its table must have an entry for every row.
    fn compare_with_table(&self, entries: u64, source: &PageSource) -> Result<(), Fault> {
        let Some(table) = &self.pass.table else { return Ok(()) };
        let pieces: Vec<TreePiece> = table.pieces().collect();
        let rows = pieces
            .into_par_iter()
            .map(|piece| table.count(source, piece))
            .try_reduce(|| 0, |left, right| Ok(left + right))?;
        if rows == entries {
            Ok(())
        } else {
            Err(Fault::unsupported("an index of the child does not have as many entries as its table has rows"))
        }
    }
}
