//! Tells for most rows that a plan draft has no change of them.

/// A Bloom filter of row names, of eight megabytes. Both bits of a name are in one word, because each access misses the cache.
pub(super) struct BloomFilter {
    words: Vec<u64>,
}

impl BloomFilter {
    const WORDS: u64 = 1 << 20;

    pub(super) fn new() -> BloomFilter {
        BloomFilter { words: vec![0; BloomFilter::WORDS as usize] }
    }

    /// Returns the index of a name's word, and its bits.
    fn bits_of(name: u64) -> (usize, u64) {
        let bit = |shift: u32| 1 << (name >> shift & 63);
        ((name % BloomFilter::WORDS) as usize, bit(32) | bit(48))
    }

    pub(super) fn add(&mut self, name: u64) {
        let (word, bits) = BloomFilter::bits_of(name);
        self.words[word] |= bits;
    }

    pub(super) fn may_contain(&self, name: u64) -> bool {
        let (word, bits) = BloomFilter::bits_of(name);
        self.words[word] & bits == bits
    }
}
