//! A bitmap of integers.

/// One bit for each integer of a range.
pub(in crate::engine) struct Bits {
    first: i64,
    words: Vec<u64>,
}

impl Bits {
    pub(in crate::engine) fn between(first: i64, last: i64) -> Bits {
        let count = last.wrapping_sub(first).cast_unsigned().saturating_add(1);
        Bits { first, ..Bits::with_count(count) }
    }

    pub(super) fn with_count(count: u64) -> Bits {
        Bits { first: 0, words: vec![0; (count / 64 + 1) as usize] }
    }

    pub(in crate::engine) fn set(&mut self, number: i64) {
        self.set_bit(number.wrapping_sub(self.first).cast_unsigned());
    }

    pub(super) fn set_bit(&mut self, at: u64) {
        self.words[(at / 64) as usize] |= 1 << (at % 64);
    }

    #[inline(always)]
    pub(in crate::engine) fn has(&self, number: i64) -> bool {
        self.bit(number.wrapping_sub(self.first).cast_unsigned())
    }

    #[inline(always)]
    pub(super) fn bit(&self, at: u64) -> bool {
        // No bit after the last number is ever set.
        usize::try_from(at / 64)
            .ok()
            .and_then(|word| self.words.get(word))
            .is_some_and(|word| word >> (at % 64) & 1 != 0)
    }

    /// Returns the number of bits that are set.
    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Sets every bit that is set in `part`, whose range lies inside this one.
    pub(in crate::engine) fn add(&mut self, part: &Bits) {
        let ahead = part.first.wrapping_sub(self.first).cast_unsigned();
        let (word, shift) = ((ahead / 64) as usize, ahead % 64);
        for (i, &bits) in part.words.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            self.words[word + i] |= bits << shift;
            if shift > 0 && bits >> (64 - shift) != 0 {
                self.words[word + i + 1] |= bits >> (64 - shift);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmap_parts_join_into_the_whole() {
        let mut whole = Bits::between(-100, 1_000);
        let mut part = Bits::between(37, 300);
        [37, 100, 300].into_iter().for_each(|number| part.set(number));
        whole.add(&part);
        assert!((-100..=1_000).all(|number| whole.has(number) == [37, 100, 300].contains(&number)));
    }
}
