//! The distribution of a child's keys over the ordered keys of its parent.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::form::ValueKey;
use super::integer_counts::SpreadMap;
use super::key_counts::KeyCounts;
use crate::model::discovery::PairShape;

/// The keys of a parent in ascending order: integers first, then all others by their text.
pub struct KeyOrder {
    integers: Vec<i64>,
    ranks: SpreadMap<u128, u32>,
    /// True if the order of the other keys is not known.
    is_partial: bool,
}

/// The texts of keys that are no integers.
pub type KeyTexts = HashMap<u128, Vec<u8>>;

/// The sample of a child's keys from which the spread is calculated.
const SAMPLE: usize = 2000;

impl KeyOrder {
    /// `texts` has the keys that are no integers, if they are known.
    pub fn new(keys: &KeyCounts, texts: Option<&KeyTexts>) -> KeyOrder {
        let mut integers = Vec::with_capacity(keys.integers().distinct() as usize);
        let _ = keys.integers().each(|number, _| {
            integers.push(number);
            ControlFlow::Continue(())
        });
        integers.sort_unstable();
        let mut others: Vec<(&[u8], u128)> =
            texts.into_iter().flatten().map(|(hash, text)| (text.as_slice(), *hash)).collect();
        others.sort_unstable();
        let ranks = others.iter().enumerate().map(|(rank, (_, hash))| (*hash, rank as u32)).collect();
        KeyOrder { integers, ranks, is_partial: others.len() as u64 != keys.distinct_hashes() }
    }

    /// Returns the shape of a child's keys. `parent_keys` is the number of keys in this order.
    pub fn shape(&self, child: &KeyCounts, parent_keys: u64, sets_are_equal: bool) -> PairShape {
        if sets_are_equal {
            return PairShape { spread: 0.0, covered_range: 1.0, sets_are_equal };
        }
        let mut numbers: Vec<i64> = Vec::new();
        let mut ranks: Vec<usize> = Vec::new();
        let mut unknown = 0;
        let _ = child.each(|key, _| {
            match key {
                ValueKey::Integer(number) => numbers.push(number),
                ValueKey::Hash(hash) => match self.ranks.get(&hash) {
                    Some(rank) => ranks.push(self.integers.len() + *rank as usize),
                    None => unknown += 1,
                },
            }
            ControlFlow::Continue(())
        });
        numbers.sort_unstable();
        let mut next = 0;
        for number in numbers {
            while self.integers.get(next).is_some_and(|&known| known < number) {
                next += 1;
            }
            if self.integers.get(next) == Some(&number) {
                ranks.push(next);
            }
        }
        ranks.sort_unstable();
        if self.is_partial && unknown > 0 {
            // Without an order, the keys count as evenly distributed.
            return PairShape { spread: 0.0, covered_range: 1.0, sets_are_equal };
        }
        let (Some(first), Some(last)) = (ranks.first(), ranks.last()) else {
            return PairShape { spread: 0.5, covered_range: 0.0, sets_are_equal };
        };
        let all = parent_keys.max(1) as f64;
        let covered_range = (last - first + 1) as f64 / all;
        let step = (ranks.len() / SAMPLE).max(1);
        let sample: Vec<usize> = ranks.iter().copied().step_by(step).collect();
        let size = sample.len() as f64;
        let distance =
            |(index, rank): (usize, &usize)| ((*rank as f64 + 0.5) / all - (index as f64 + 0.5) / size).abs();
        let spread = sample.iter().enumerate().map(distance).sum::<f64>() / size;
        PairShape { spread, covered_range, sets_are_equal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(numbers: impl Iterator<Item = i64>) -> KeyCounts {
        let mut counts = KeyCounts::default();
        numbers.for_each(|number| counts.add_integers(&[number]));
        counts
    }

    #[test]
    fn spread_is_zero_if_even_and_half_at_one_end() {
        let order = KeyOrder::new(&counts(1..=100), None);
        let shape = |numbers: &mut dyn Iterator<Item = i64>| order.shape(&counts(numbers), 100, false);
        let even = shape(&mut (1..=100).step_by(10));
        assert!(even.spread < 0.06 && even.covered_range > 0.9, "{even:?}");
        let end = shape(&mut (1..=1));
        assert!(end.spread > 0.49 && end.covered_range == 0.01, "{end:?}");
        let foreign = shape(&mut (200..=300));
        assert_eq!((foreign.spread, foreign.covered_range), (0.5, 0.0));
    }
}
