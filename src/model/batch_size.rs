//! The size of one transaction of a plan.

use std::time::Duration;

use crate::model::text;

/// The number of changes in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    Changes(usize),
    /// As many changes as take about this long. Other programs wait for at most one transaction.
    Time(Duration),
}

impl std::fmt::Display for BatchSize {
    /// Writes the size as the option `--batch` reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BatchSize::Changes(changes) => write!(f, "{changes}"),
            BatchSize::Time(time) => f.write_str(&text::option_duration(*time)),
        }
    }
}

/// The number of changes in the first transaction, before its speed is known.
const FIRST: usize = 250;

/// The largest number of changes in a transaction that is sized by time, so that its memory is bounded.
const MOST: usize = 50_000;

/// The number of changes below which a smaller transaction takes hardly less time.
const FEW: usize = 100;

/// From one transaction to the next, the number grows at most by this factor.
const GROWTH: usize = 2;

impl BatchSize {
    /// Returns the number of changes in the first transaction.
    pub fn first(self) -> usize {
        match self {
            BatchSize::Changes(changes) => changes,
            BatchSize::Time(_) => FIRST,
        }
    }

    /// Returns the number of changes in the next transaction, after one with so many `changes` took this time.
    pub fn next(self, limit: usize, changes: usize, took: Duration) -> usize {
        let BatchSize::Time(wanted) = self else { return limit };
        let fitting = wanted.as_nanos().saturating_mul(changes as u128) / took.as_nanos().max(1);
        // A small transaction takes time beyond that of its changes, so a shorter limit is never below half of it.
        let least = (limit / 2).max(limit.min(FEW));
        usize::try_from(fitting).unwrap_or(MOST).clamp(least, limit.saturating_mul(GROWTH)).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_changes_stays_as_it_is() {
        let size = BatchSize::Changes(7);
        assert_eq!((size.first(), size.next(7, 7, Duration::from_secs(9))), (7, 7));
    }

    #[test]
    fn time_finds_the_number_of_changes_that_takes_it() {
        let size = BatchSize::Time(Duration::from_millis(150));
        // 20,000 changes take a second, and the limit is reached from both sides.
        let took = |changes: usize| Duration::from_micros(changes as u64 * 50);
        for start in [size.first(), 40_000] {
            let mut limit = start;
            for _ in 0..12 {
                limit = size.next(limit, limit, took(limit));
            }
            assert_eq!(limit, 3_000);
        }
    }

    #[test]
    fn slow_and_fast_transactions_keep_a_sensible_limit() {
        let size = BatchSize::Time(Duration::from_millis(1));
        assert_eq!(size.next(1, 1, Duration::from_secs(60)), 1);
        assert_eq!(size.next(400, 400, Duration::from_secs(60)), 200);
        assert_eq!(size.next(150, 150, Duration::from_secs(60)), 100);
        assert_eq!(size.next(400, 400, Duration::ZERO), 800);
        assert_eq!(size.next(50_000, 50_000, Duration::ZERO), 50_000);
        // A last transaction with few changes says little about a full one.
        assert_eq!(size.next(400, 1, Duration::from_millis(1)), 200);
    }
}
