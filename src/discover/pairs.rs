//! Finds every pair of columns within the tolerance, with exact counts.
//!
//! Only proofs exclude a pair. Each of them can be switched off, and the list stays the same.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use super::column_keys::Part;
use super::form::Conversion;
use super::form::Fold;
use super::form::Form;
use super::key_counts::KeyCounts;
use super::profile::ProfiledColumn;
use super::profile::keeps_distinctness;
use super::tolerance::Tolerance;
use crate::engine::Deadline;
use crate::engine::EngineError;

/// The proofs that may exclude a pair before all keys are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruning {
    /// The sides have no class of values in common.
    pub classes: bool,
    /// The sides have no range of integers in common.
    pub ranges: bool,
    /// The parent has too few keys.
    pub counts: bool,
    /// Too many keys and rows were found missing.
    pub early_end: bool,
}

impl Pruning {
    pub const ALL: Pruning = Pruning { classes: true, ranges: true, counts: true, early_end: true };
    pub const NONE: Pruning = Pruning { classes: false, ranges: false, counts: false, early_end: false };
}

/// A pair of columns, by their positions among all profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnPair {
    pub child: usize,
    pub parent: usize,
}

/// The result for a pair that may be within the tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Counted(Tally),
    /// Only the engine can compare the values of the pair.
    AskEngine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub distinct: u64,
    pub missing_keys: u64,
    pub orphan_rows: u64,
    /// True once the pair is certainly outside of the tolerance. The other numbers are then too low.
    pub is_outside: bool,
}

/// The pairs that a search found.
#[derive(Debug, Default)]
pub struct PairsOfChildren {
    pub found: Vec<(ColumnPair, Outcome)>,
    /// The children that kept only some of their pairs, each with the number of the others.
    pub left_out: Vec<(usize, u64)>,
}

/// The pairs of a child that are kept, and the number of the others.
type PairsOfChild = (Vec<(ColumnPair, Outcome)>, usize);

/// About so many pairs are kept. Each takes more than a kilobyte until it has its score.
const MOST_PAIRS: usize = 500_000;

/// A child keeps at least so many parents.
const LEAST_PARENTS: usize = 20;

/// With at most so many keys, counting the missing ones takes less time than comparing names.
const FEW_KEYS: u64 = 1000;

pub struct Search<'a> {
    pub columns: &'a [ProfiledColumn],
    pub tolerance: Tolerance,
    pub pruning: Pruning,
    /// True for a pair whose names speak clearly for it.
    pub has_strong_name: &'a (dyn Fn(ColumnPair) -> bool + Sync),
    /// True for a pair that is counted whatever its numbers are.
    pub is_required: &'a (dyn Fn(ColumnPair) -> bool + Sync),
    pub deadline: &'a Deadline,
}

impl Search<'_> {
    /// Returns every pair of columns whose keys are in memory that is within the tolerance or needs the engine, in order. A child
    /// whose keys are among those of very many parents keeps only some.
    pub fn pairs(&self) -> Result<PairsOfChildren, EngineError> {
        let parents: Vec<usize> = (0..self.columns.len())
            .filter(|&parent| {
                let column = &self.columns[parent];
                (column.may_be_parent() || column.is_repeated_key()) && !column.keys.is_dropped
            })
            .collect();
        let most = (MOST_PAIRS / self.columns.len().max(1)).max(LEAST_PARENTS);
        let of_child = |child: usize| {
            let mut found = Vec::new();
            if self.deadline.has_passed() {
                return Err(EngineError::TimeLimit);
            }
            if self.columns[child].keys.is_dropped || !self.columns[child].has_keys() {
                return Ok((found, 0));
            }
            for &parent in &parents {
                let pair = ColumnPair { child, parent };
                if child != parent
                    && self.may_refer(pair)
                    && let Some(outcome) = self.outcome(pair)
                {
                    found.push((pair, outcome));
                }
            }
            let all = found.len();
            self.keep_named(&mut found, most);
            // Thousands of children may each leave thousands out.
            found.shrink_to_fit();
            let left_out = all - found.len();
            Ok((found, left_out))
        };
        let found: Result<Vec<PairsOfChild>, EngineError> =
            (0..self.columns.len()).into_par_iter().map(of_child).collect();
        let mut pairs = PairsOfChildren::default();
        for (child, (found, left_out)) in found?.into_iter().enumerate() {
            pairs.found.extend(found);
            if left_out > 0 {
                pairs.left_out.push((child, left_out as u64));
            }
        }
        Ok(pairs)
    }

    /// Reduces the pairs of a child to those that are required or that its name speaks for, if there are more than `most`.
    fn keep_named(&self, found: &mut Vec<(ColumnPair, Outcome)>, most: usize) {
        if found.len() <= most {
            return;
        }
        let mut named = 0;
        found.retain(|(pair, _)| {
            (self.is_required)(*pair) || {
                let is_kept = named < most && (self.has_strong_name)(*pair);
                named += usize::from(is_kept);
                is_kept
            }
        });
    }

    /// True if the parent's keys are unique, as the pair compares them. Only a name makes a column with a repeated key a parent.
    pub fn may_refer(&self, pair: ColumnPair) -> bool {
        let (child, parent) = (&self.columns[pair.child], &self.columns[pair.parent]);
        let Some(form) = parent.form_against(child) else { return false };
        (parent.may_be_parent() && is_unique_in(parent, form))
            || (parent.is_repeated_key() && (self.has_strong_name)(pair))
    }

    pub fn tolerance_of(&self, pair: ColumnPair) -> Tolerance {
        if (self.has_strong_name)(pair) { self.tolerance.for_strong_name() } else { self.tolerance }
    }

    /// Returns the result for a pair whose keys are in memory; `None` if it is outside of the tolerance.
    pub fn outcome(&self, pair: ColumnPair) -> Option<Outcome> {
        let (child, parent) = (&self.columns[pair.child], &self.columns[pair.parent]);
        parent.form_against(child)?;
        if needs_engine(child, parent) {
            let is_outside = self.pruning.counts && self.is_outside_before_asking(pair);
            return (!is_outside).then_some(Outcome::AskEngine);
        }
        self.counted(pair).map(Outcome::Counted)
    }

    /// True if the pair is outside of the tolerance even if each value that the engine alone can compare equals one that seems to be
    /// missing: those of the parent the most frequent ones.
    pub fn is_outside_before_asking(&self, pair: ColumnPair) -> bool {
        let (child, parent) = (&self.columns[pair.child], &self.columns[pair.parent]);
        let Some(form) = parent.form_against(child) else { return true };
        // The child's own comparison then tells at least as many keys apart as that of the pair.
        let is_finest = child.plan.own.fold == Fold::Bytes || child.plan.own.fold == form.fold;
        let is_bounded = is_finest || form.counts_compared_keys();
        if (self.is_required)(pair) || compares_padding(child, parent) || !is_bounded {
            return false;
        }
        let child_keys = child.keys_in(form);
        let mut missing: Vec<u64> = Vec::new();
        let _ = child_keys.each_missing(parent.keys_in(form), |_, rows| {
            missing.push(rows);
            ControlFlow::Continue(())
        });
        let of_child = child.keys.uncertain_rows(form, &child.plan);
        // The texts of the two infinities are not counted among those of numbers.
        let of_texts =
            if compares_real_texts(child, parent, form) { parent.keys.stats.classes.decimal_texts + 2 } else { 0 };
        let of_parent = parent.keys.uncertain_rows(form, &parent.plan) + of_texts;
        if of_parent + of_child >= missing.len() as u64 {
            return false;
        }
        let (_, _, least) = missing.select_nth_unstable_by_key(of_parent as usize, |rows| Reverse(*rows));
        let missing_keys = (least.len() as u64).saturating_sub(of_child);
        let orphan_rows = least.iter().sum::<u64>().saturating_sub(of_child);
        let distinct = child_keys.distinct().max(child.keys.own().distinct());
        let tolerance = self.widest_tolerance(pair, child_keys.distinct().saturating_sub(of_child));
        missing_keys > tolerance.most_keys(distinct + of_child)
            && orphan_rows > tolerance.most_rows(child.filled_rows())
    }

    /// Returns the tolerance within which the names may matter.
    fn widest_tolerance(&self, pair: ColumnPair, distinct: u64) -> Tolerance {
        // The names are compared only where the values leave a chance.
        if distinct <= FEW_KEYS { self.tolerance.for_strong_name() } else { self.tolerance_of(pair) }
    }

    /// Returns the counts of a pair whose keys are in memory, if they are within the tolerance or required.
    pub fn counted(&self, pair: ColumnPair) -> Option<Tally> {
        let (child, parent) = (&self.columns[pair.child], &self.columns[pair.parent]);
        let form = parent.form_against(child)?;
        let (is_required, child_keys) = ((self.is_required)(pair), child.keys_in(form));
        if !is_required && self.is_excluded(child_keys, parent.keys_in(form)) {
            return None;
        }
        let mut tally = Tally { distinct: child_keys.distinct(), ..Tally::default() };
        let widest = self.widest_tolerance(pair, child_keys.distinct());
        self.count(pair, Part::WHOLE, widest, &mut tally);
        let is_within = is_required
            || self.is_within(pair, self.tolerance, &tally)
            || (self.is_within(pair, widest, &tally) && (self.has_strong_name)(pair));
        is_within.then_some(tally)
    }

    /// True if the counts of a pair are within a tolerance.
    pub fn is_within(&self, pair: ColumnPair, tolerance: Tolerance, tally: &Tally) -> bool {
        let rows = self.columns[pair.child].filled_rows();
        !tally.is_outside && tolerance.has(tally.distinct, tally.missing_keys, rows, tally.orphan_rows)
    }

    /// Counts the missing keys of a part, and adds them to the tally. The tally's number of distinct keys is not changed.
    pub fn count(&self, pair: ColumnPair, part: Part, tolerance: Tolerance, tally: &mut Tally) {
        if tally.is_outside {
            return;
        }
        let (child, parent) = (&self.columns[pair.child], &self.columns[pair.parent]);
        let Some(form) = parent.form_against(child) else {
            tally.is_outside = true;
            return;
        };
        let (child_keys, parent_keys) = (child.keys_in(form), parent.keys_in(form));
        let is_required = (self.is_required)(pair);
        let rows = child.filled_rows();
        if !is_required
            && self.pruning.counts
            && part.is_whole()
            && tolerance.excludes(child_keys.distinct(), rows, parent_keys.distinct())
        {
            tally.is_outside = true;
            return;
        }
        // Parts of a child whose keys are not all counted yet have no limit of keys.
        let most_keys =
            if part.is_whole() { tolerance.most_keys(child_keys.distinct()) } else { tolerance.most_keys(rows) };
        let most_rows = tolerance.most_rows(rows);
        let may_end = self.pruning.early_end && !is_required;
        let ended = child_keys.each_missing(parent_keys, |key, rows| {
            if part.has(key) {
                tally.missing_keys += 1;
                tally.orphan_rows += rows;
                if may_end && tally.missing_keys > most_keys && tally.orphan_rows > most_rows {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        tally.is_outside |= ended.is_break();
    }

    /// True if no key of the child can be among the parent's.
    fn is_excluded(&self, child: &KeyCounts, parent: &KeyCounts) -> bool {
        let no_hashes = child.distinct_hashes() == 0 || parent.distinct_hashes() == 0;
        let (child, parent) = (child.integers(), parent.integers());
        let no_integers = child.distinct() == 0 || parent.distinct() == 0;
        if self.pruning.classes && no_hashes && no_integers {
            return true;
        }
        let is_apart = match (child.bounds(), parent.bounds()) {
            (Some((least, greatest)), Some((first, last))) => greatest < first || last < least,
            _ => no_integers,
        };
        self.pruning.ranges && no_hashes && is_apart
    }
}

/// True if no two values of a column, which are all different, have the same key in the form of a pair.
fn is_unique_in(parent: &ProfiledColumn, form: Form) -> bool {
    form == parent.plan.own || !parent.keys_in(form).has_repetition()
}

/// True if the keys do not decide which values of these columns are equal.
pub fn needs_engine(child: &ProfiledColumn, parent: &ProfiledColumn) -> bool {
    let Some(form) = parent.form_against(child).filter(|form| form.file_kind().is_none()) else { return false };
    compares_real_texts(child, parent, form)
        || compares_padding(child, parent)
        || child.keys.is_uncertain(form, &child.plan)
        || parent.keys.is_uncertain(form, &parent.plan)
        || !keeps_distinctness(child, form)
}

fn compares_real_texts(child: &ProfiledColumn, parent: &ProfiledColumn, form: Form) -> bool {
    form.conversion == Conversion::Text && child.keys.stats.reals > 0 && parent.keys.stats.classes.decimal_texts > 0
}

/// A padded child decides about the spaces at the end of its parent's texts.
fn compares_padding(child: &ProfiledColumn, parent: &ProfiledColumn) -> bool {
    child.plan.own.fold == Fold::Padded && parent.keys.is_uncertain(child.plan.own, &parent.plan)
}
