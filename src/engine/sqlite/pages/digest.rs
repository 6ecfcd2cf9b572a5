//! A digest of the keys of a tree, by which two trees are compared without holding the keys of either.
//!
//! The keys are roots of a polynomial, and the digest is its value at a secret point. Different polynomials of the same
//! degree n have the same value at no more than n points of 2^127. The point is drawn anew for each run.

use crate::engine::keyset::Key;
use crate::engine::keyset::field;

/// The secrets of the digests that are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct DigestSecret {
    point: u128,
    /// Joins the halves of a wide key, which has more bits than the prime.
    factor: u128,
}

/// The digest of a tree's keys. Two trees with equal digests hold the same keys, each equally often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest {
    keys: u64,
    nulls: u64,
    /// Keys that only SQLite can compare. They are counted, not compared.
    pub(super) outside: u64,
    product: u128,
}

impl Default for Digest {
    fn default() -> Digest {
        Digest { keys: 0, nulls: 0, outside: 0, product: 1 }
    }
}

impl DigestSecret {
    pub(super) fn new(seed: (u64, u64)) -> DigestSecret {
        let source = siphasher::sip128::SipHasher13::new_with_keys(seed.0, !seed.1);
        let secret = |name: &[u8]| field::residue(source.hash(name).as_u128());
        DigestSecret { point: secret(b"point"), factor: secret(b"factor") }
    }
}

impl Digest {
    #[inline(always)]
    pub(super) fn add(&mut self, key: Key, secret: &DigestSecret) {
        match key {
            Key::Null => self.nulls += 1,
            Key::Outside => self.outside += 1,
            Key::Integer(number) => self.add_root(u128::from(number.cast_unsigned()), secret),
            Key::Wide(wide) => {
                let low = wide & u128::from(u64::MAX);
                self.add_root(field::residue(field::product(wide >> 64, secret.factor) + low), secret);
            }
        }
    }

    #[inline(always)]
    fn add_root(&mut self, root: u128, secret: &DigestSecret) {
        self.keys += 1;
        self.product = field::product(self.product, field::residue(secret.point + root));
    }

    pub(super) fn join(self, other: Digest) -> Digest {
        Digest {
            keys: self.keys + other.keys,
            nulls: self.nulls + other.nulls,
            outside: self.outside + other.outside,
            product: field::product(self.product, other.product),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(keys: &[Key]) -> Digest {
        let secret = DigestSecret::new((1, 2));
        let mut digest = Digest::default();
        keys.iter().for_each(|&key| digest.add(key, &secret));
        digest
    }

    #[test]
    fn digest_depends_on_the_keys_and_not_on_their_order() {
        let [a, b, c] = [Key::Integer(-1), Key::pair(1, 2), Key::pair(2, 1)];
        assert_eq!(digest(&[a, b, c]), digest(&[c, a, b]));
        assert_eq!(digest(&[a, b]).join(digest(&[c])), digest(&[a, b, c]));
        assert_eq!(digest(&[a, b]).join(Digest::default()), digest(&[a, b]));
        for others in [&[a, b, b][..], &[a, c, c], &[a, b], &[a, b, Key::Null], &[a, b, Key::Outside], &[b, c, b]] {
            assert_ne!(digest(others), digest(&[a, b, c]), "{others:?}");
        }
    }

    /// The sum of these keys is the same, and so is every function that only adds.
    #[test]
    fn digest_tells_sets_with_equal_sums_apart() {
        assert_ne!(digest(&[Key::Integer(1), Key::Integer(4)]), digest(&[Key::Integer(2), Key::Integer(3)]));
        assert_ne!(digest(&[Key::pair(1, 1), Key::pair(4, 4)]), digest(&[Key::pair(2, 2), Key::pair(3, 3)]));
    }
}
