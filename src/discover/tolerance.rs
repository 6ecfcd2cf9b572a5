//! The tolerance within which a pair is a candidate.

/// The shares of missing keys and of orphan rows up to which a pair is listed. A pair needs to keep only one of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// In thousandths of the child's distinct keys.
    pub keys: u64,
    /// In thousandths of the child's rows with a complete key.
    pub rows: u64,
    /// So many missing keys are always within the tolerance.
    pub least_keys: u64,
}

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance { keys: 100, rows: 120, least_keys: 2 }
    }
}

impl Tolerance {
    /// Returns the tolerance for a pair whose names speak clearly for it.
    pub fn for_strong_name(self) -> Tolerance {
        Tolerance { keys: self.keys.max(500), rows: self.rows.max(500), ..self }
    }

    /// Returns the most missing keys of so many distinct ones.
    pub fn most_keys(&self, distinct: u64) -> u64 {
        share(self.keys, distinct).max(self.least_keys)
    }

    /// Returns the most orphan rows of so many rows.
    pub fn most_rows(&self, rows: u64) -> u64 {
        share(self.rows, rows)
    }

    /// True if at least one key is present and not too many are missing.
    pub fn has(&self, distinct: u64, missing_keys: u64, rows: u64, orphan_rows: u64) -> bool {
        missing_keys < distinct && (missing_keys <= self.most_keys(distinct) || orphan_rows <= self.most_rows(rows))
    }

    /// True if a child with at least so many distinct keys in so many rows cannot be within the tolerance, when no parent
    /// has more than `parent_keys`. Each missing key has at least one row.
    pub fn excludes(&self, distinct: u64, rows: u64, parent_keys: u64) -> bool {
        let missing = distinct.saturating_sub(parent_keys);
        // With more distinct keys, the missing ones grow faster than their limit.
        missing > self.most_keys(distinct) && missing > self.most_rows(rows)
    }
}

fn share(thousandths: u64, of: u64) -> u64 {
    (u128::from(thousandths) * u128::from(of) / 1000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_limit_is_enough_but_a_key_must_be_present() {
        let tolerance = Tolerance::default();
        assert!(tolerance.has(3, 2, 3, 2) && !tolerance.has(2, 2, 2, 2));
        assert!(tolerance.has(100, 10, 1000, 900) && !tolerance.has(100, 11, 1000, 900));
        assert!(tolerance.has(100, 60, 1000, 120) && !tolerance.has(100, 60, 1000, 121));
        assert!(tolerance.for_strong_name().has(100, 50, 1000, 900));
    }

    #[test]
    fn exclusion_is_never_wrong_about_a_pair_within_the_tolerance() {
        let tolerance = Tolerance::default();
        let mut rng = fastrand::Rng::with_seed(1);
        let mut excluded = 0;
        for _ in 0..100_000 {
            let (parent, distinct) = (rng.u64(0..60), rng.u64(1..80));
            let rows = distinct + rng.u64(0..200);
            let missing = rng.u64(distinct.saturating_sub(parent)..=distinct);
            let orphans = rng.u64(missing..=missing + rows - distinct);
            if tolerance.excludes(rng.u64(1..=distinct), rows, parent) {
                excluded += 1;
                assert!(!tolerance.has(distinct, missing, rows, orphans));
            }
        }
        assert!(excluded > 1000);
    }
}
