//! The probability that keys of one table are keys of another by accident.

/// The number of values that were probed, and of those that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hits {
    pub(super) found: usize,
    pub(super) probed: usize,
}

impl Hits {
    pub(super) fn add(&mut self, is_found: bool) {
        self.found += usize::from(is_found);
        self.probed += 1;
    }

    /// Returns the share of hits to expect from more probes of this kind. It is never 0 or 1, because a few probes
    /// cannot exclude either.
    pub(super) fn rate(self) -> f64 {
        (self.found as f64 + 0.5) / (self.probed as f64 + 1.0)
    }

    /// Returns the probability of at least this many hits, if each probe hits with probability `rate`.
    pub(super) fn probability(self, rate: f64) -> f64 {
        let miss = 1.0 - rate;
        let mut term = miss.powi(self.probed as i32);
        let mut below = 0.0;
        for hits in 0..self.found {
            below += term;
            term *= (self.probed - hits) as f64 / (hits + 1) as f64 * rate / miss;
        }
        if self.found * 2 > self.probed {
            // The upper part is summed itself where `1 - below` would lose all its digits.
            let mut above = 0.0;
            for hits in self.found..=self.probed {
                above += term;
                term *= (self.probed - hits) as f64 / (hits + 1) as f64 * rate / miss;
            }
            above
        } else {
            (1.0 - below).max(0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probability_is_that_of_a_binomial_tail() {
        let close = |left: f64, right: f64| (left - right).abs() <= 1e-9 * right.abs().max(1e-3);
        let of = |found, probed, rate| Hits { found, probed }.probability(rate);
        assert!(close(of(0, 5, 0.3), 1.0));
        assert!(close(of(5, 5, 0.5), 0.031_25));
        assert!(close(of(1, 3, 0.5), 0.875));
        assert!(close(of(2, 3, 0.5), 0.5));
        assert!(of(24, 24, 0.01) > 0.0 && of(24, 24, 0.01) < 1e-40);
        assert!(close(Hits { found: 0, probed: 1 }.rate(), 0.25));
    }
}
