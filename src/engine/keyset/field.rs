//! Arithmetic modulo the prime 2^127 - 1, for hashes whose collisions are bounded by a proof.

/// Numbers modulo this prime are called residues here. Each is smaller than the prime.
const PRIME: u128 = (1 << 127) - 1;

/// Returns the residue of a number.
#[inline(always)]
pub(in crate::engine) fn residue(number: u128) -> u128 {
    let folded = (number & PRIME) + (number >> 127);
    if folded >= PRIME { folded - PRIME } else { folded }
}

/// Returns the product of two residues, as a residue.
#[inline(always)]
pub(in crate::engine) fn product(left: u128, right: u128) -> u128 {
    let half = |number: u128| (number >> 64, number & u128::from(u64::MAX));
    let ((left_high, left_low), (right_high, right_low)) = (half(left), half(right));
    // The high halves have 63 bits, so neither sum of products overflows.
    let middle = left_high * right_low + left_low * right_high;
    let (low, carry) = (left_low * right_low).overflowing_add(middle << 64);
    let high = left_high * right_high + (middle >> 64) + u128::from(carry);
    // 2^128 is 2 modulo the prime, and `high` is smaller than 2^126.
    residue((low & PRIME) + (low >> 127) + 2 * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product by doubling and adding.
    fn slow_product(left: u128, right: u128) -> u128 {
        (0..127).rev().fold(0, |sum, bit| {
            let doubled = residue(2 * sum);
            if right >> bit & 1 == 1 { residue(doubled + left) } else { doubled }
        })
    }

    #[test]
    fn product_is_exact_at_the_edges_and_between() {
        let mut numbers = vec![0, 1, 2, (1 << 63) - 1, 1 << 63, 1 << 64, (1 << 64) - 1, 1 << 126, PRIME - 2, PRIME - 1];
        let mut rng = fastrand::Rng::with_seed(5);
        numbers.extend((0..40).map(|_| residue(rng.u128(..))));
        for &left in &numbers {
            for &right in &numbers {
                assert_eq!(product(left, right), slow_product(left, right), "{left} * {right}");
            }
        }
        assert_eq!(residue(PRIME), 0);
        assert_eq!(residue(u128::MAX), 1);
    }
}
