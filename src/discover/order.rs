//! The distribution of a child's keys over the ordered keys of its parent.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::column_keys::Part;
use super::integer_counts::SpreadMap;
use super::key_counts::KeyCounts;
use super::value_key::ValueKey;
use crate::model::discovery::PairShape;

/// The keys of a parent in ascending order: integers first, then all others by their text.
pub struct KeyOrder {
    part: Part,
    /// The number of keys.
    number: u64,
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
    /// Returns the order of one part of a parent's keys. `texts` has the keys that are no integers, if they are known.
    pub fn new(keys: &KeyCounts, part: Part, texts: Option<&KeyTexts>) -> KeyOrder {
        let (mut integers, mut hashes) = (Vec::new(), 0);
        let _ = keys.each(|key, _| {
            match key {
                key if !part.has(key) => {}
                ValueKey::Integer(number) => integers.push(number),
                ValueKey::Hash(_) => hashes += 1,
            }
            ControlFlow::Continue(())
        });
        integers.sort_unstable();
        let mut others: Vec<(&[u8], u128)> =
            texts.into_iter().flatten().map(|(hash, text)| (text.as_slice(), *hash)).collect();
        others.sort_unstable();
        let ranks = others.iter().enumerate().map(|(rank, (_, hash))| (*hash, rank as u32)).collect();
        let number = integers.len() as u64 + hashes;
        KeyOrder { part, number, integers, ranks, is_partial: others.len() as u64 != hashes }
    }

    /// Returns the shape of a child's keys in the same part; `None` if their order is not known.
    pub fn shape(&self, child: &KeyCounts) -> Option<PairShape> {
        let mut numbers: Vec<i64> = Vec::new();
        let mut ranks: Vec<usize> = Vec::new();
        let mut unknown = 0;
        let _ = child.each(|key, _| {
            match key {
                key if !self.part.has(key) => {}
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
            return None;
        }
        let (Some(first), Some(last)) = (ranks.first(), ranks.last()) else {
            return Some(PairShape { spread: 0.5, covered_range: 0.0 });
        };
        let all = self.number.max(1) as f64;
        let covered_range = (last - first + 1) as f64 / all;
        let step = (ranks.len() / SAMPLE).max(1);
        let sample: Vec<usize> = ranks.iter().copied().step_by(step).collect();
        let size = sample.len() as f64;
        let distance =
            |(index, rank): (usize, &usize)| ((*rank as f64 + 0.5) / all - (index as f64 + 0.5) / size).abs();
        let spread = sample.iter().enumerate().map(distance).sum::<f64>() / size;
        Some(PairShape { spread, covered_range })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::key_counts::KeyBatch;

    fn counts(numbers: impl Iterator<Item = i64>) -> KeyCounts {
        let mut counts = KeyCounts::default();
        numbers.for_each(|number| counts.add(&KeyBatch { integers: vec![number], hashes: Vec::new() }));
        counts
    }

    #[test]
    fn spread_is_zero_if_even_and_half_at_one_end() {
        let order = KeyOrder::new(&counts(1..=100), Part::WHOLE, None);
        let shape = |numbers: &mut dyn Iterator<Item = i64>| order.shape(&counts(numbers)).unwrap();
        let even = shape(&mut (1..=100).step_by(10));
        assert!(even.spread < 0.06 && even.covered_range > 0.9, "{even:?}");
        let end = shape(&mut (1..=1));
        assert!(end.spread > 0.49 && end.covered_range == 0.01, "{end:?}");
        let foreign = shape(&mut (200..=300));
        assert_eq!((foreign.spread, foreign.covered_range), (0.5, 0.0));
    }
}
