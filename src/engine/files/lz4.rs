//! Unpacks pages of the deprecated codec `LZ4`, whose framing the format never fixed.
//!
//! There are three framings. Hadoop and parquet-mr write blocks that begin with their sizes. Arrow2 wrote frames of LZ4. The
//! first versions of parquet-cpp, and fastparquet until today, write one block of LZ4 without any size. Each is tried in this
//! order, and a framing counts only if it gives exactly the bytes that the header of the page says.

use std::io::Read;

/// The first bytes of a frame of LZ4.
const FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// Returns the bytes of a page; `None` if no framing gives so many.
pub(super) fn unpacked(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    from_hadoop(packed, size).or_else(|| from_frames(packed, size)).or_else(|| from_block(packed, size))
}

/// A block of Hadoop has the size of its text, and then chunks, each with its own packed size. All sizes are big-endian.
fn from_hadoop(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let (mut rest, mut done, mut text) = (packed, 0, Vec::new());
    while !rest.is_empty() {
        let end = done + take_size(&mut rest)?;
        if end > size {
            return None;
        }
        text.resize(end, 0);
        while done < end {
            let chunk = take_size(&mut rest)?;
            let (chunk, after) = rest.split_at_checked(chunk)?;
            let bytes = lz4_flex::block::decompress_into(chunk, &mut text[done..]).ok()?;
            // A chunk without bytes would never end.
            if bytes == 0 {
                return None;
            }
            (rest, done) = (after, done + bytes);
        }
    }
    (done == size).then_some(text)
}

fn take_size(rest: &mut &[u8]) -> Option<usize> {
    let (size, after) = rest.split_first_chunk()?;
    *rest = after;
    usize::try_from(u32::from_be_bytes(*size)).ok()
}

fn from_frames(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    if !packed.starts_with(&FRAME) {
        return None;
    }
    let (mut rest, mut text) = (packed, Vec::new());
    while rest.starts_with(&FRAME) {
        // A byte too many shows that the header of the page is wrong.
        let most = (size - text.len()) as u64 + 1;
        let mut frame = lz4_flex::frame::FrameDecoder::new(&mut rest);
        frame.by_ref().take(most).read_to_end(&mut text).ok()?;
        if text.len() > size {
            return None;
        }
    }
    (rest.is_empty() && text.len() == size).then_some(text)
}

fn from_block(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut text = vec![0; size];
    let bytes = lz4_flex::block::decompress_into(packed, &mut text).ok()?;
    (bytes == size).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn block(text: &[u8]) -> Vec<u8> {
        lz4_flex::block::compress(text)
    }

    fn sized(size: usize) -> [u8; 4] {
        u32::try_from(size).unwrap().to_be_bytes()
    }

    fn frame(text: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn page_is_unpacked_from_every_framing_to_exactly_its_size() {
        let text = b"to be, or not to be".repeat(500);
        let (first, second) = text.split_at(3_000);
        let chunk = |text: &[u8]| [sized(block(text).len()).as_slice(), &block(text)].concat();
        let framings = [
            block(&text),
            frame(&text),
            [frame(first), frame(second)].concat(),
            [sized(text.len()).as_slice(), &chunk(&text)].concat(),
            [sized(text.len()).as_slice(), &chunk(first), &chunk(second)].concat(),
            [sized(first.len()).as_slice(), &chunk(first), &sized(second.len()), &chunk(second)].concat(),
        ];
        for (number, packed) in framings.iter().enumerate() {
            assert_eq!(unpacked(packed, text.len()).as_deref(), Some(text.as_slice()), "framing {number}");
            assert_eq!(unpacked(packed, text.len() - 1), None, "framing {number}");
            assert_eq!(unpacked(packed, text.len() + 1), None, "framing {number}");
            assert_eq!(unpacked(&packed[..packed.len() / 2], text.len()), None, "framing {number}");
        }
    }

    #[test]
    fn hostile_sizes_take_no_memory() {
        let bomb = frame(&vec![0; 64 << 20]);
        assert_eq!(unpacked(&bomb, 1_000), None);
        let endless = [sized(10), sized(0)].concat().repeat(100);
        assert_eq!(unpacked(&endless, 10), None);
        assert_eq!(unpacked(&[255; 64], 1_000), None);
    }
}
