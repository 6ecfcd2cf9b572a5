//! A keyed hash of texts into 128 bits.
//!
//! Short texts are hashed by multiplying each word with a secret number of 122 bits and adding the products modulo a prime.
//! Two texts of different lengths, or with a different word, collide only if one of these numbers has one certain value
//! among its 2^122. The numbers are drawn anew for each run, so this bound holds for every file, however it was made.
//! Longer texts go through SipHash. The two kinds of hashes differ in one bit, so they never meet.

use siphasher::sip128::SipHasher13;

use super::field;

/// The words of a short text. Their number bounds the sums below.
const WORDS: usize = 6;

/// Bits of a half of a secret number. The sum of eight products of 61 and 64 bits fits into 128.
const HALF: u32 = 61;

/// The bit that no hash of a short text has.
const LONG: u128 = 1 << 63;

#[derive(Debug, Clone)]
pub struct TextHasher {
    words: [Secret; WORDS],
    /// For the last eight bytes of a text whose length is no multiple of eight.
    rest: Secret,
    length: Secret,
    long: SipHasher13,
}

/// The low and the high half of a secret number.
#[derive(Debug, Clone, Copy)]
struct Secret(u64, u64);

/// A sum of products of secret numbers, one for each half.
#[derive(Clone, Copy, Default)]
struct Sum(u128, u128);

impl Sum {
    #[inline(always)]
    fn add(&mut self, secret: Secret, word: u64) {
        self.0 += u128::from(secret.0) * u128::from(word);
        self.1 += u128::from(secret.1) * u128::from(word);
    }

    /// Returns `low + high * 2^61` modulo the prime 2^127 - 1.
    #[inline(always)]
    fn residue(self) -> u128 {
        let Sum(low, high) = self;
        let shifted = high & ((1 << (127 - HALF)) - 1);
        let sum = field::residue(field::residue(low) + (shifted << HALF));
        field::residue(sum + (high >> (127 - HALF)))
    }
}

impl TextHasher {
    pub fn new(seed: (u64, u64)) -> TextHasher {
        let source = SipHasher13::new_with_keys(seed.0, seed.1);
        let secret = |number: usize| {
            let bits = source.hash(&number.to_le_bytes()).as_u128();
            Secret((bits >> 64) as u64 >> (64 - HALF), bits as u64 >> (64 - HALF))
        };
        TextHasher {
            words: std::array::from_fn(secret),
            rest: secret(WORDS),
            length: secret(WORDS + 1),
            long: SipHasher13::new_with_keys(!seed.0, seed.1),
        }
    }

    #[inline(always)]
    pub fn hash(&self, text: &[u8]) -> u128 {
        let (words, rest) = text.as_chunks::<8>();
        if words.len() > WORDS {
            return self.long.hash(text).as_u128() | LONG;
        }
        let mut sum = Sum::default();
        // One more than the length, so that even the hash of no text is secret.
        sum.add(self.length, text.len() as u64 + 1);
        for (secret, word) in self.words.iter().zip(words) {
            sum.add(*secret, u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            sum.add(self.rest, text.last_chunk().map_or_else(|| word_of(rest), |last| u64::from_le_bytes(*last)));
        }
        // The low half comes first: it is spread evenly even where two texts differ by little.
        let residue = sum.residue();
        residue.rotate_right(64)
    }
}

/// Returns fewer than eight bytes as a number.
fn word_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn texts_that_differ_in_a_byte_or_in_length_have_different_hashes() {
        let hasher = TextHasher::new((3, 4));
        let mut hashes = HashSet::new();
        let mut texts = HashSet::new();
        for length in 0..80 {
            for at in 0..=length {
                for byte in [0, 1, 0x80, 0xff] {
                    let mut text = vec![0; length];
                    if let Some(changed) = text.get_mut(at) {
                        *changed = byte;
                    }
                    hashes.insert(hasher.hash(&text));
                    texts.insert(text);
                }
            }
        }
        assert_eq!(hashes.len(), texts.len());
    }

    #[test]
    fn hash_depends_on_the_seed_and_tells_long_from_short() {
        let [one, other] = [TextHasher::new((1, 2)), TextHasher::new((1, 3))];
        for text in ["", "a", "12345678", "0b7c2f3e-9a1d-4c5b-8e6f-001122334455", &"x".repeat(55), &"x".repeat(56)] {
            assert_ne!(one.hash(text.as_bytes()), other.hash(text.as_bytes()), "{text:?} at another seed");
            assert_eq!(one.hash(text.as_bytes()) & LONG != 0, text.len() >= 56, "{text:?}");
        }
    }

    /// Keys are found at the slot that the first bits select, so numbered texts must not share these bits.
    #[test]
    fn first_bits_of_similar_texts_are_spread_evenly() {
        let hasher = TextHasher::new((7, 9));
        for name in ["", "user-", "a much longer name before the number: "] {
            let mut buckets = vec![0; 256];
            for number in 0..25_600 {
                buckets[(hasher.hash(format!("{name}{number:06}").as_bytes()) >> 120) as usize] += 1;
            }
            let (least, most) = (buckets.iter().min(), buckets.iter().max());
            assert!(least > Some(&20) && most < Some(&300), "{name:?}: {least:?} to {most:?}");
        }
    }
}
