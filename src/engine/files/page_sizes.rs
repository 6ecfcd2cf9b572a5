//! Looks at the headers of a column's pages before the pages are read, so that no page of a hostile file takes more
//! memory than a scan may use.
//!
//! A header is a structure in Thrift's compact protocol. Only its sizes are of interest here; the `parquet` crate reads
//! all else.

use std::fs::File;

use crate::engine::read_at::read_at;

/// No header without statistics is longer. Longer ones are read in a second step.
const FIRST_WINDOW: u64 = 512;
const LARGEST_HEADER: u64 = 16 << 20;
/// Structures in a page header are nested less deeply.
const DEEPEST: u32 = 8;

/// A page with an index has no values, and is skipped.
const INDEX_PAGE: i64 = 1;

/// The sizes that a header gives.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct PageSizes {
    kind: i64,
    unpacked: i64,
    packed: i64,
    /// The number of values of a dictionary.
    dictionary: Option<i64>,
}

/// Returns the sizes to which the pages of a column unpack, in their order. If one is larger than `limit` bytes, returns why
/// the column must not be read.
pub(super) fn check(file: &File, (start, length): (u64, u64), limit: u64) -> Result<Vec<u64>, String> {
    let end = start.saturating_add(length);
    let mut at = start;
    let mut window = Vec::new();
    let mut all_sizes = Vec::new();
    while at < end {
        let (sizes, header) = read_header(file, at, end, &mut window)?;
        let (Ok(unpacked), Ok(packed)) = (u64::try_from(sizes.unpacked), u64::try_from(sizes.packed)) else {
            return Err("a page has a negative size".to_owned());
        };
        if unpacked > limit {
            return Err(format!(
                "a page unpacks to {unpacked} bytes, more than the {limit} bytes of --memory: allow more with --memory"
            ));
        }
        if sizes.kind != INDEX_PAGE {
            all_sizes.push(unpacked);
        }
        // A value takes at least a bit.
        if sizes.dictionary.is_some_and(|count| u64::try_from(count).is_ok_and(|count| count > unpacked * 8)) {
            return Err("a dictionary claims more values than its page can hold".to_owned());
        }
        at = at.saturating_add(header).saturating_add(packed);
    }
    if at > end {
        return Err("a page ends after its column".to_owned());
    }
    Ok(all_sizes)
}

/// Returns the sizes in the header at an offset, and the length of the header.
fn read_header(file: &File, at: u64, end: u64, window: &mut Vec<u8>) -> Result<(PageSizes, u64), String> {
    let mut wanted = FIRST_WINDOW;
    loop {
        let length = wanted.min(end - at);
        window.resize(length as usize, 0);
        read_at(file, window, at).map_err(|error| crate::model::text::io_reason(&error))?;
        let mut reader = Compact { bytes: window, at: 0 };
        if let Some(sizes) = reader.header() {
            return Ok((sizes, reader.at as u64));
        }
        if length < wanted || wanted >= LARGEST_HEADER {
            return Err("a page has no complete header".to_owned());
        }
        wanted = (wanted * 8).min(LARGEST_HEADER);
    }
}

/// Reads Thrift's compact protocol. `None` means that the bytes end too early or make no sense.
struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Compact<'_> {
    fn header(&mut self) -> Option<PageSizes> {
        let mut sizes = PageSizes { kind: -1, unpacked: -1, packed: -1, dictionary: None };
        let mut field = 0;
        while let Some(kind) = self.next_field(&mut field)? {
            match (field, kind) {
                (1, 5) => sizes.kind = self.integer()?,
                (2, 5) => sizes.unpacked = self.integer()?,
                (3, 5) => sizes.packed = self.integer()?,
                // The header of a dictionary page begins with the number of its values.
                (7, 12) => {
                    let mut inner = 0;
                    while let Some(kind) = self.next_field(&mut inner)? {
                        match (inner, kind) {
                            (1, 5) => sizes.dictionary = Some(self.integer()?),
                            _ => self.skip(kind, 0)?,
                        }
                    }
                }
                _ => self.skip(kind, 0)?,
            }
        }
        Some(sizes)
    }

    /// Moves to the next field, and returns its kind; `None` inside at the end of the structure.
    fn next_field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        let step = i64::from(byte >> 4);
        *field = if step == 0 { self.integer()? } else { *field + step };
        Some(Some(byte & 15))
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // A boolean is in its kind.
            1 | 2 => Some(()),
            3 => self.advance(1),
            4..=6 => self.integer().map(|_| ()),
            7 => self.advance(8),
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.advance(length)
            }
            9 | 10 => {
                let byte = self.byte()?;
                let count = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
                for _ in 0..count {
                    match byte & 15 {
                        1 | 2 => self.advance(1)?,
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
                Some(())
            }
            12 => {
                let mut field = 0;
                while let Some(kind) = self.next_field(&mut field)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn advance(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte & 128 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Reads a number whose lowest bit is its sign.
    fn integer(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Returns a header with these sizes, as a dictionary page has it.
    fn header(unpacked: u8, packed: u8, dictionary: u8) -> Vec<u8> {
        vec![0x15, 4, 0x15, unpacked * 2, 0x15, packed * 2, 0x4c, 0x15, dictionary * 2, 0x15, 0, 0, 0]
    }

    fn checked(pages: &[Vec<u8>], limit: u64) -> Result<(), String> {
        let mut file = tempfile::tempfile().unwrap();
        let bytes = pages.concat();
        file.write_all(&bytes).unwrap();
        check(&file, (0, bytes.len() as u64), limit).map(|_| ())
    }

    #[test]
    fn page_that_unpacks_to_more_than_the_limit_is_refused() {
        let page = |unpacked| [header(unpacked, 3, 2), vec![0; 3]].concat();
        assert_eq!(checked(&[page(40), page(60)], 60), Ok(()));
        assert!(checked(&[page(40), page(60)], 59).unwrap_err().contains("60 bytes"));
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let body = vec![0; 3];
        assert!(checked(&[header(1, 3, 60), body.clone()], 60).unwrap_err().contains("dictionary"));
        assert!(checked(&[header(1, 4, 1), body.clone()], 60).unwrap_err().contains("ends after"));
        assert!(checked(&[header(1, 3, 1)[..5].to_vec()], 60).unwrap_err().contains("no complete header"));
        assert!(checked(&[vec![0x15, 4, 0], body], 60).unwrap_err().contains("negative"));
    }
}
