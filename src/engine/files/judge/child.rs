//! Reads a child for several of its parents: counts its rows, and collects its orphans.

use std::collections::BTreeMap;

use super::Fault;
use super::Judging;
use super::KeyShare;
use super::ParentKeys;
use super::Pass;
use super::Planned;
use super::on_pieces;
use super::rows;
use super::types;
use crate::engine::files::batch::Batch;
use crate::engine::files::batch::Values;
use crate::engine::files::cell::Part;
use crate::engine::files::key::Side;
use crate::engine::files::types::FileType;
use crate::engine::keyset;
use crate::engine::keyset::Key;
use crate::engine::keyset::KeySet;
use crate::engine::orphan_list::KeyBytes;
use crate::engine::orphan_list::KeyKind;
use crate::engine::orphan_list::OrphanBuffer;
use crate::engine::orphan_list::OrphanCollector;
use crate::model::examination::Counts;
use crate::model::value::Value;

pub(super) fn sum(left: Counts, right: Counts) -> Counts {
    Counts {
        rows: left.rows + right.rows,
        null_rows: left.null_rows + right.null_rows,
        ignored_rows: left.ignored_rows + right.ignored_rows,
    }
}

/// A parent whose keys are looked up for each row of a child.
struct Probe<'a> {
    inclusion: usize,
    planned: &'a Planned<'a>,
    share: KeyShare,
    parents: &'a ParentKeys,
    side: Side<'a>,
    kind: KeyKind,
    collector: &'a OrphanCollector<'a>,
}

/// What one thread found for one probe.
struct Found {
    counts: Counts,
    buffer: OrphanBuffer,
    /// The keys of a batch with their rows, in the two forms in which a parent's keys are kept.
    integers: Vec<(Key, u32)>,
    others: Vec<(Key, u32)>,
    scratch: Vec<u8>,
    bytes: KeyBytes,
}

/// Returns the counts of each inclusion of a pass. Those whose parent was not read get its fault.
pub(super) fn read(
    judging: &Judging<'_>,
    pass: &Pass,
    sets: &BTreeMap<usize, Result<ParentKeys, Fault>>,
    collectors: &[Option<OrphanCollector<'_>>],
) -> Vec<(usize, Result<Counts, Fault>)> {
    let mut answers = Vec::new();
    let mut open: Vec<(usize, &Planned<'_>, KeyShare, &ParentKeys, &OrphanCollector<'_>)> = Vec::new();
    let mut wanted: Vec<usize> = Vec::new();
    for &(inclusion, share) in &pass.probes {
        let (Ok(planned), Some(collector)) = (&judging.planned[inclusion], &collectors[inclusion]) else { continue };
        match sets.get(&planned.parent) {
            Some(Ok(keys)) => {
                wanted.extend(&planned.inclusion.child_columns);
                open.push((inclusion, planned, share, keys, collector));
            }
            Some(Err(fault)) => answers.push((inclusion, Err(fault.clone()))),
            None => {}
        }
    }
    let Some((_, first, ..)) = open.first() else { return answers };
    let child = first.inclusion.child.index();
    wanted.sort_unstable();
    wanted.dedup();
    let probe = |(inclusion, planned, share, parents, collector)| {
        let planned: &Planned<'_> = planned;
        let columns = &planned.inclusion.child_columns;
        let types = types(judging.lake, child, columns);
        let kind = planned.rule.kind_of_orphans(&types);
        let columns = columns.iter().map(|column| wanted.binary_search(column).unwrap_or(0)).collect();
        Probe { inclusion, planned, share, parents, side: Side { columns, types }, kind, collector }
    };
    let probes: Vec<Probe<'_>> = open.into_iter().map(probe).collect();
    let found = on_pieces(&judging.lake.tables[child], |piece| {
        let mut found: Vec<Found> = probes
            .iter()
            .map(|probe| Found {
                counts: Counts::default(),
                buffer: probe.collector.buffer(probes.len()),
                integers: Vec::new(),
                others: Vec::new(),
                scratch: Vec::new(),
                bytes: KeyBytes::default(),
            })
            .collect();
        rows::read(&judging.lake.tables[child], piece, &wanted, judging.limits, &mut |batch| {
            for (probe, found) in probes.iter().zip(&mut found) {
                probe.judge(batch, found);
                if found.buffer.is_full() {
                    probe.collector.take(&mut found.buffer);
                }
            }
            Ok(())
        })?;
        for (probe, found) in probes.iter().zip(&mut found) {
            probe.collector.take(&mut found.buffer);
        }
        Ok(found.into_iter().map(|found| found.counts).collect::<Vec<Counts>>())
    });
    for (position, probe) in probes.iter().enumerate() {
        let counts = found.as_ref().map_err(Clone::clone);
        let counts = counts.map(|pieces| pieces.iter().fold(Counts::default(), |all, piece| sum(all, piece[position])));
        answers.push((probe.inclusion, counts));
    }
    answers
}

impl Probe<'_> {
    fn judge(&self, batch: &Batch<'_>, found: &mut Found) {
        if self.judge_integers(batch, found) {
            return;
        }
        let counts_rows = self.share.is_first();
        found.integers.clear();
        found.others.clear();
        for row in 0..batch.rows {
            if !self.is_in_scope(batch, row) {
                continue;
            }
            let key = self.planned.rule.key(batch, row, &self.side, &mut found.scratch);
            let is_ignored = !self.planned.ignored.is_empty() && key != Key::Null && self.is_ignored(batch, row, found);
            if counts_rows {
                found.counts.rows += 1;
                found.counts.null_rows += u64::from(key == Key::Null);
                found.counts.ignored_rows += u64::from(is_ignored);
            }
            if key != Key::Null && !is_ignored && self.share.has(key) {
                let keys = if matches!(key, Key::Integer(_)) { &mut found.integers } else { &mut found.others };
                keys.push((key, row as u32));
            }
        }
        let (integers, others) = (std::mem::take(&mut found.integers), std::mem::take(&mut found.others));
        self.parents.integers.each_missing(&integers, |row| self.add(batch, row as usize, found));
        self.parents.others.each_missing(&others, |row| self.add(batch, row as usize, found));
        (found.integers, found.others) = (integers, others);
    }

    /// Judges a batch whose keys are integers that are looked up in a bitmap, which is the most frequent case. Returns false
    /// if this is another one.
    fn judge_integers(&self, batch: &Batch<'_>, found: &mut Found) -> bool {
        let is_plain = self.planned.scope.children.is_none() && self.planned.ignored.is_empty();
        let column = &batch.columns[self.side.columns[0]];
        let (KeySet::Dense(bits), true, KeyShare::Part { of: 1, .. }) = (&self.parents.integers, is_plain, self.share)
        else {
            return false;
        };
        let (Values::Integers(values), [FileType::Integer]) = (&column.values, self.side.types.as_slice()) else {
            return false;
        };
        let is_null = |row: usize| column.present.get(row) == Some(&false);
        found.counts.rows += batch.rows as u64;
        found.counts.null_rows += column.present.iter().filter(|is_present| !**is_present).count() as u64;
        for (row, &number) in values.iter().enumerate() {
            if !bits.has(number) && !is_null(row) {
                found.buffer.add_integer(number, batch.addresses.of(row));
            }
        }
        true
    }

    fn is_in_scope(&self, batch: &Batch<'_>, row: usize) -> bool {
        match &self.planned.scope.children {
            None => true,
            Some(rows) => rows.contains(batch.addresses.of(row).cast_unsigned()),
        }
    }

    fn is_ignored(&self, batch: &Batch<'_>, row: usize, found: &mut Found) -> bool {
        let form = self.planned.rule.canonical(batch, row, &self.side, &mut found.scratch);
        form == Part::Value(()) && self.planned.ignored.contains(&found.scratch)
    }

    /// Adds a row to the orphans.
    fn add(&self, batch: &Batch<'_>, row: usize, found: &mut Found) {
        let address = batch.addresses.of(row);
        if self.kind != KeyKind::Other {
            match self.planned.rule.key(batch, row, &self.side, &mut found.scratch) {
                Key::Integer(number) => found.buffer.add_integer(number, address),
                Key::Wide(pair) => found.buffer.add_pair(keyset::parts(pair), address),
                // A child of integers has no other key.
                Key::Null | Key::Outside => {}
            }
            return;
        }
        found.bytes.clear();
        for value in self.planned.rule.shown(batch, row, &self.side) {
            match value {
                Value::Integer(number) => found.bytes.add_integer(number),
                Value::Real(number) => found.bytes.add_real(number),
                Value::Text(text) => found.bytes.add_text(&text),
                Value::Blob(blob) => found.bytes.add_blob(&blob),
                // A complete key has no NULL.
                Value::Null => {}
            }
        }
        found.buffer.add_key(&found.bytes, address);
    }
}
