//! Filters for the beginnings of normal forms. They let most values that are not sought end without a lookup, and most of
//! these without their normal form.

use crate::model::value::ValueRef;

/// The beginnings of the forms that are sought.
pub(super) struct Beginnings {
    /// One bit for each beginning and length.
    forms: [u64; 64],
    /// One bit for each first word.
    words: Box<[u64; WORDS / 64]>,
}

const WORDS: usize = 1 << 16;

impl Default for Beginnings {
    fn default() -> Beginnings {
        Beginnings { forms: [0; 64], words: Box::new([0; WORDS / 64]) }
    }
}

impl Beginnings {
    pub(super) fn add(&mut self, form: &[u8]) {
        let bit = bit_of_form(form);
        self.forms[bit / 64] |= 1 << (bit % 64);
        if let Some(word) = form.first_chunk() {
            let bit = bit_of_word(u64::from_le_bytes(*word));
            self.words[bit / 64] |= 1 << (bit % 64);
        }
    }

    pub(super) fn may_hold(&self, form: &[u8]) -> bool {
        let bit = bit_of_form(form);
        self.forms[bit / 64] & 1 << (bit % 64) != 0
    }

    /// True if the normal form of a value is certainly none of those that are sought.
    #[inline]
    pub(super) fn exclude(&self, value: ValueRef<'_>) -> bool {
        let ValueRef::Text(text) = value else { return false };
        let Some(word) = text.first_chunk().map(|first| u64::from_le_bytes(*first)) else { return false };
        let bit = bit_of_word(word);
        begins_its_form(word) && self.words[bit / 64] & 1 << (bit % 64) == 0
    }
}

fn bit_of_form(form: &[u8]) -> usize {
    let beginning = form.iter().take(6).fold(form.len() as u64, |all, &byte| all << 8 ^ u64::from(byte) ^ all >> 40);
    (beginning.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize
}

/// In lower and upper case, a word has the same bit.
fn bit_of_word(word: u64) -> usize {
    ((word | each(0x20)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

/// Returns a word of eight equal bytes.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Returns a word in which the high bit of each byte is set that is zero in `word`, whose bytes are ASCII.
fn zeros(word: u64) -> u64 {
    !(word + each(0x7f)) & each(0x80)
}

/// True if the normal form of a text certainly begins with its first eight bytes in lower case: nothing there is trimmed or
/// left out, and the text is no number.
fn begins_its_form(word: u64) -> bool {
    if word & each(0x80) != 0 || word & 0xff == u64::from(b'0') {
        return false;
    }
    let folded = word | each(0x20);
    let punctuation = zeros(folded ^ each(b'-')) | zeros(folded ^ each(b'{')) | zeros(folded ^ each(b'}'));
    // The high bit of each byte from a number on.
    let reaches = |word: u64, least: u8| (word + each(0x80 - least)) & each(0x80);
    let is_spaced = reaches(word, 0x21) != each(0x80);
    let letters = reaches(folded, b'a') & !zeros(folded ^ each(b'e'));
    punctuation == 0 && !is_spaced && letters != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_word_decides_only_where_it_begins_the_form() {
        let begins =
            |text: &str| begins_its_form(u64::from_le_bytes(*text.as_bytes().first_chunk().unwrap_or(&[0; 8])));
        for text in
            ["0f8fad5b", " f8fad5b", "f8fa-d5b", "{f8fad5b", "f8fad5b}", "f8fad5b ", "12345678", "1e5.0E+3", "fü8fad5b"]
        {
            assert!(!begins(text), "{text}");
        }
        for text in ["ff8fad5b", "1234567a", "ABCDEFGH", "key1.5e3"] {
            assert!(begins(text), "{text}");
        }
        let mut sought = Beginnings::default();
        sought.add(b"abcdefgh and more");
        assert!(!sought.exclude(ValueRef::Text(b"ABCDEFGH AND MORE ")));
        assert!(sought.exclude(ValueRef::Text(b"abcdefgx and more")));
        assert!(!sought.exclude(ValueRef::Text(b"abcdefg")), "it is short");
        assert!(!sought.exclude(ValueRef::Blob(b"abcdefgx and more")), "a blob can be a UUID");
    }
}
