//! The record format: varints, the header of serial types, and the values after it.

use super::page::ShortRecord;

pub use crate::model::value::ValueRef as Stored;

/// The serial type of a field, and the offset of its value in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldSpan {
    /// `None` if the record ends before the field, because it is older than the column.
    pub serial: Option<u64>,
    pub start: u64,
}

/// The longest possible header: the most columns that a table can have, at nine bytes each.
pub const LONGEST_HEADER: u64 = 9 * 32_768;

/// Decodes a varint. Returns its value and its width in bytes: `(128, 2)`. `None` for a varint that is cut off, or longer
/// than its value needs: SQLite never writes one, and compares keys with one by its bytes.
#[inline(always)]
pub fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((u64::from(first), 1));
    }
    if first == 0x80 {
        return nine_bytes(bytes);
    }
    if let [_, second @ 0..0x80, ..] = *bytes {
        return Some((u64::from(first & 0x7f) << 7 | u64::from(second), 2));
    }
    if let [_, second, third @ 0..0x80, ..] = *bytes {
        return Some((u64::from(first & 0x7f) << 14 | u64::from(second & 0x7f) << 7 | u64::from(third), 3));
    }
    match bytes.first_chunk::<9>() {
        Some(chunk) => Some(wide_varint(chunk)),
        None => varint_at_end(bytes),
    }
}

/// Decodes a varint whose first byte adds nothing, which only a value of 64 bits needs.
#[cold]
fn nine_bytes(bytes: &[u8]) -> Option<(u64, usize)> {
    let (value, width) = wide_varint(bytes.first_chunk()?);
    (width == 9 && value >> 56 != 0).then_some((value, width))
}

/// Decodes all bytes at once. Every byte but the last has its high bit set.
#[inline(always)]
fn wide_varint(bytes: &[u8; 9]) -> (u64, usize) {
    let [head @ .., last] = bytes;
    let word = u64::from_be_bytes(*head);
    let ends = !word & 0x8080_8080_8080_8080;
    let width = ends.leading_zeros() / 8 + 1;
    if width > 8 {
        return (squeezed(word) << 8 | u64::from(*last), 9);
    }
    (squeezed(word >> (64 - 8 * width)), width as usize)
}

/// Packs the low seven bits of each byte together.
#[inline(always)]
fn squeezed(word: u64) -> u64 {
    let word = word & 0x7f7f_7f7f_7f7f_7f7f;
    let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
    (word & 0x0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4
}

#[cold]
fn varint_at_end(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, i + 1));
        }
    }
    None
}

/// Returns the size in bytes of a value of this serial type; `None` for the two reserved types.
#[inline(always)]
pub fn size(serial: u64) -> Option<u64> {
    match SIZES.get(serial as usize) {
        Some(&NO_TYPE) => None,
        Some(&size) => Some(u64::from(size)),
        None => Some((serial - 12) / 2),
    }
}

const NO_TYPE: u8 = u8::MAX;

/// The sizes of the serial types below 128, which take one byte in a header.
const SIZES: [u8; 128] = {
    let mut sizes = [0; 128];
    let numbers = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, NO_TYPE, NO_TYPE];
    let mut serial = 0;
    while serial < sizes.len() {
        sizes[serial] = if serial < numbers.len() { numbers[serial] } else { (serial as u8 - 12) / 2 };
        serial += 1;
    }
    sizes
};

/// Returns the length of the header, which the header itself states.
#[inline(always)]
pub fn header_length(bytes: &[u8]) -> Option<u64> {
    varint(bytes).map(|(length, _)| length)
}

/// Locates the wanted fields, which are in ascending order. Returns the end of the last one; `None` if the header is
/// malformed.
#[inline(always)]
pub fn locate(header: &[u8], wanted: &[usize], spans: &mut [FieldSpan]) -> Option<u64> {
    let (_, mut at) = varint(header)?;
    let mut start = header.len() as u64;
    let mut field = 0;
    for (span, &want) in spans.iter_mut().zip(wanted) {
        loop {
            if at >= header.len() {
                *span = FieldSpan { serial: None, start };
                break;
            }
            let (serial, width) = varint(&header[at..])?;
            let found = field == want;
            if found {
                *span = FieldSpan { serial: Some(serial), start };
            }
            at += width;
            field += 1;
            start = start.checked_add(size(serial)?)?;
            if found {
                break;
            }
        }
    }
    Some(start)
}

/// Decodes a value of a serial type from its bytes. [`size`] gives their number.
#[inline(always)]
pub fn value(serial: u64, bytes: &[u8]) -> Stored<'_> {
    match serial {
        0 => Stored::Null,
        1..=6 => Stored::Integer(integer(bytes)),
        7 => Stored::Real(f64::from_bits(integer(bytes).cast_unsigned())),
        8 => Stored::Integer(0),
        9 => Stored::Integer(1),
        text if text % 2 == 1 => Stored::Text(bytes),
        _ => Stored::Blob(bytes),
    }
}

/// Returns the serial type and the offset of a field in a record with a small header, as nearly all have: `(1, 12)`.
/// `None` means that the caller must decode the record in full.
#[inline(always)]
fn small_header_field(record: &[u8], field: usize) -> Option<(u8, usize)> {
    let header = usize::from(*record.first()?);
    let serials = record.get(1..header)?.get(..=field).filter(|_| header < 0x80)?;
    let mut start = header;
    for &serial in &serials[..field] {
        match SIZES.get(usize::from(serial)) {
            None | Some(&NO_TYPE) => return None,
            Some(&size) => start += usize::from(size),
        }
    }
    Some((serials[field], start))
}

/// The sizes of all serial types of one byte. A type that is reserved, or continues in a second byte, gets a size that no
/// short record has, so a sum of sizes need not be checked at each step.
const SHORT_SIZES: [u16; 256] = {
    let mut sizes = [TOO_LARGE; 256];
    let mut serial = 0;
    while serial < SIZES.len() {
        if SIZES[serial] != NO_TYPE {
            sizes[serial] = SIZES[serial] as u16;
        }
        serial += 1;
    }
    sizes
};

/// More than a length of two bytes can state.
const TOO_LARGE: u16 = 1 << 14;

/// Calls `is_wanted` with the integers in these fields, which are in ascending order. Returns false if `is_wanted` does,
/// or if the record must be decoded in full.
#[inline(always)]
pub fn short_integers<T>(record: &ShortRecord<'_>, fields: &[(usize, T)], is_wanted: impl Fn(i64, &T) -> bool) -> bool {
    let &ShortRecord { page, at, length, .. } = record;
    let Some(&header) = page.get(at).filter(|&&header| header < 0x80) else { return false };
    let Some(mut serials) = page.get(at + 1..at + usize::from(header)) else { return false };
    let (mut next, mut offset, mut number) = (0, usize::from(header), 0);
    for (field, about) in fields {
        while next <= *field {
            let Some((serial, size, rest)) = next_serial(serials) else { return false };
            if next == *field {
                let Some(word) = page.get(at + offset..).and_then(|rest| rest.first_chunk()) else { return false };
                number = match serial {
                    1..=6 => i64::from_be_bytes(*word) >> (64 - 8 * size),
                    8 | 9 => i64::from(serial) - 8,
                    _ => return false,
                };
            }
            serials = rest;
            offset += size;
            next += 1;
        }
        if offset > length || !is_wanted(number, about) {
            return false;
        }
    }
    true
}

/// Calls `take` with the value of each of these fields, which are in ascending order, and with what stands beside the field.
/// Returns false if the record must be decoded in full; `take` may then have got some of the values.
#[inline(always)]
pub fn short_values<'a, T>(record: &'a [u8], fields: &[(usize, T)], mut take: impl FnMut(&T, Stored<'a>)) -> bool {
    let Some(&header) = record.first().filter(|&&header| header < 0x80) else { return false };
    let Some(mut serials) = record.get(1..usize::from(header)) else { return false };
    let (mut next, mut offset) = (0, usize::from(header));
    for (field, about) in fields {
        let mut start = offset;
        let mut serial = 0;
        while next <= *field {
            let Some((found, size, rest)) = next_serial(serials) else { return false };
            (serial, serials, start) = (found, rest, offset);
            offset += size;
            next += 1;
        }
        let Some(bytes) = record.get(start..offset) else { return false };
        let value = match (serial, record.get(start..).and_then(|rest| rest.first_chunk())) {
            (1..=6, Some(word)) => Stored::Integer(i64::from_be_bytes(*word) >> (64 - 8 * bytes.len())),
            _ => value(u64::from(serial), bytes),
        };
        take(about, value);
    }
    true
}

/// Returns the first serial type, the size of its value, and the serial types after it. `None` for a reserved one, and for
/// one of more than two bytes.
#[inline(always)]
fn next_serial(serials: &[u8]) -> Option<(u16, usize, &[u8])> {
    let (&first, rest) = serials.split_first()?;
    if first < 0x80 {
        let size = SIZES[usize::from(first)];
        return (size != NO_TYPE).then_some((u16::from(first), usize::from(size), rest));
    }
    let (&second, rest) = rest.split_first()?;
    let serial = u16::from(first & 0x7f) << 7 | u16::from(second);
    (first > 0x80 && second < 0x80).then_some((serial, usize::from(serial - 12) / 2, rest))
}

/// Returns the serial type, the offset in the page and the size of a field: `(1, 712, 1)`. `None` means that the record
/// must be decoded in full. This is the fastest way, for a field among the first seven.
#[inline(always)]
fn short_field(record: &ShortRecord<'_>, field: usize) -> Option<(usize, usize, usize)> {
    let &ShortRecord { page, at, length, .. } = record;
    let header = u64::from_le_bytes(*page.get(at..)?.first_chunk()?);
    let header_length = header as usize & 0xff;
    if field + 1 >= header_length || field >= 7 {
        return None;
    }
    let mut offset = header_length;
    let mut serials = header >> 8;
    for _ in 0..field {
        offset += usize::from(SHORT_SIZES[serials as usize & 0xff]);
        serials >>= 8;
    }
    let serial = serials as usize & 0xff;
    let size = usize::from(SHORT_SIZES[serial]);
    (offset + size <= length).then_some((serial, at + offset, size))
}

/// Returns the integer in a field of a record. `None` means that the record must be decoded in full.
#[inline(always)]
pub fn short_integer(record: &ShortRecord<'_>, field: usize) -> Option<i64> {
    let (serial, start, size) = short_field(record, field)?;
    let word = record.page.get(start..)?.first_chunk()?;
    match serial {
        1..=6 => Some(i64::from_be_bytes(*word) >> (64 - 8 * size)),
        8 | 9 => Some(serial as i64 - 8),
        _ => None,
    }
}

/// Returns the text in a field of a record. `None` means that the record must be decoded in full.
#[inline(always)]
pub fn short_text<'a>(record: &ShortRecord<'a>, field: usize) -> Option<&'a [u8]> {
    let (serial, start, size) = short_field(record, field)?;
    if serial < 13 || serial % 2 == 0 { None } else { record.page.get(start..start + size) }
}

/// Returns the integer in a field of a record with a small header. `None` means that the caller must decode the record
/// in full.
#[inline(always)]
pub fn small_header_integer(record: &[u8], field: usize) -> Option<i64> {
    let (serial, start) = small_header_field(record, field)?;
    let size = match serial {
        1..=6 => usize::from(SIZES[usize::from(serial)]),
        8 => return Some(0),
        9 => return Some(1),
        _ => return None,
    };
    let bytes = record.get(start..)?;
    match bytes.first_chunk::<8>() {
        Some(word) => Some(i64::from_be_bytes(*word) >> (64 - 8 * size)),
        None => bytes.get(..size).map(integer),
    }
}

/// Returns the text in a field of a record with a small header. `None` means that the caller must decode the record in
/// full.
#[inline(always)]
pub fn small_header_text(record: &[u8], field: usize) -> Option<&[u8]> {
    let (serial, start) = small_header_field(record, field)?;
    let is_text = serial >= 13 && serial % 2 == 1;
    let size = *SIZES.get(usize::from(serial)).filter(|_| is_text)?;
    record.get(start..)?.get(..usize::from(size))
}

#[inline(always)]
fn integer(bytes: &[u8]) -> i64 {
    match *bytes {
        [a] => i64::from(a.cast_signed()),
        [a, b] => i64::from(i16::from_be_bytes([a, b])),
        [a, b, c] => i64::from(i32::from_be_bytes([a, b, c, 0]) >> 8),
        [a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
        [a, b, c, d, e, f] => i64::from_be_bytes([a, b, c, d, e, f, 0, 0]) >> 16,
        [a, b, c, d, e, f, g, h] => i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varint_of_every_width_is_decoded() {
        assert_eq!(varint(&[0x05]), Some((5, 1)));
        assert_eq!(varint(&[0x81, 0x00]), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), Some((1 << 49, 8)));
        for (value, width) in
            [(0u64, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (1 << 28, 5), ((1 << 56) - 1, 8), (1 << 56, 9)]
        {
            let mut bytes: Vec<u8> = if width == 9 {
                (0..8).rev().map(|i| 0x80 | ((value >> 8) >> (7 * i)) as u8 & 0x7f).chain([value as u8]).collect()
            } else {
                (0..width).rev().map(|i| (value >> (7 * i)) as u8 & 0x7f | if i > 0 { 0x80 } else { 0 }).collect()
            };
            assert_eq!(varint(&bytes), Some((value, width)), "{bytes:x?}");
            bytes.extend([0xff; 9]);
            assert_eq!(varint(&bytes), Some((value, width)), "{bytes:x?}");
        }
        assert_eq!(varint(&[0x80]), None);
        for overlong in [
            &[0x80, 0x01][..],
            &[0x80, 0x81, 0x00],
            &[0x80; 9],
            &[0x80, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(varint(overlong), None, "{overlong:x?}");
            assert_eq!(varint(&[overlong, &[0x00; 9]].concat()), None, "{overlong:x?}");
        }
        let least = [0x80, 0xc0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(varint(&least), Some((1 << 56, 9)));
        assert_eq!(varint(&[0xff; 8]), None);
        assert_eq!(varint(&[]), None);
    }

    #[test]
    fn integer_of_every_width_keeps_its_sign() {
        assert_eq!(value(1, &[0xff]), Stored::Integer(-1));
        assert_eq!(value(2, &[0x80, 0x00]), Stored::Integer(-32_768));
        assert_eq!(value(3, &[0x7f, 0xff, 0xff]), Stored::Integer(8_388_607));
        assert_eq!(value(5, &[0xff, 0, 0, 0, 0, 0]), Stored::Integer(-(1 << 40)));
        assert_eq!(value(6, &i64::MIN.to_be_bytes()), Stored::Integer(i64::MIN));
        assert_eq!(value(8, &[]), Stored::Integer(0));
        assert_eq!(value(7, &2.5f64.to_be_bytes()), Stored::Real(2.5));
    }

    #[test]
    fn small_header_integer_is_exact_or_absent() {
        // A text of two bytes, then integers of every size, NULL, and a real number.
        let serials = [17, 1, 2, 3, 4, 5, 6, 8, 9, 0, 7];
        let mut record = vec![12];
        record.extend(serials);
        record.extend(b"ab");
        for size in [1, 2, 3, 4, 6, 8] {
            record.extend([&[0xff; 8][..size - 1], &[0xfe]].concat());
        }
        record.extend(1.5f64.to_be_bytes());
        let whole: Vec<Option<i64>> = (0..12).map(|field| small_header_integer(&record, field)).collect();
        let two = Some(-2);
        assert_eq!(whole, [None, two, two, two, two, two, two, Some(0), Some(1), None, None, None]);
        let last = record.len() - 8;
        assert_eq!(small_header_integer(&record[..last], 6), two, "the last value may end with the record");
        assert_eq!(small_header_integer(&record[..last - 1], 6), None, "and not beyond it");
        assert_eq!(small_header_integer(&[3, 10, 1, 5], 1), None, "there is no type 10");
        assert_eq!(small_header_integer(&[0x81, 0x01, 1, 5], 0), None, "the header is long");
        assert_eq!(small_header_integer(&[], 0), None);
        assert_eq!(small_header_text(&record, 0), Some(&b"ab"[..]));
        assert_eq!(small_header_text(&record, 1), None, "it is an integer");
        assert_eq!(small_header_text(&[3, 1, 17, 5, b'a', b'b'], 1), Some(&b"ab"[..]));
        assert_eq!(small_header_text(&[3, 1, 17, 5, b'a'], 1), None, "it ends elsewhere");
        assert_eq!(small_header_text(&[3, 1, 16, 5, b'a', b'b'], 1), None, "it is a blob");
        assert_eq!(small_header_integer(&[0], 0), None);
    }

    #[test]
    fn short_values_are_those_of_the_full_decoding() {
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..2000 {
            let serials: Vec<u64> = (0..rng.usize(0..9))
                .map(|_| match rng.u64(0..20) {
                    serial @ (10 | 11) if rng.u8(0..20) > 0 => serial + 2,
                    19 => rng.u64(100..300),
                    serial => serial,
                })
                .collect();
            let mut header = Vec::new();
            for &serial in &serials {
                if serial >= 0x80 {
                    header.push(0x80 | (serial >> 7) as u8);
                }
                header.push(serial as u8 & 0x7f);
            }
            let mut record = vec![header.len() as u8 + 1];
            record.extend(&header);
            let body: u64 = serials.iter().filter_map(|&serial| size(serial)).sum();
            record.extend((0..body).map(|_| rng.u8(..)));
            let wanted: Vec<usize> = (0..serials.len() + 1).filter(|_| rng.bool()).collect();
            let fields: Vec<(usize, usize)> = wanted.iter().map(|&field| (field, field * 10)).collect();
            let mut found = Vec::new();
            let is_short = short_values(&record, &fields, |about, value| found.push((*about, value)));
            let mut spans = vec![FieldSpan::default(); wanted.len()];
            let end = locate(&record[..usize::from(record[0])], &wanted, &mut spans);
            let expected: Option<Vec<(usize, Stored<'_>)>> = spans
                .iter()
                .zip(&fields)
                .map(|(span, (_, about))| {
                    let (serial, start) = (span.serial?, span.start as usize);
                    Some((*about, value(serial, &record[start..start + size(serial)? as usize])))
                })
                .collect();
            let expected = expected.filter(|_| end.is_some());
            assert_eq!(is_short, expected.is_some(), "{record:?} {wanted:?}");
            if let Some(expected) = expected {
                // The bits of a real number are compared, because NaN equals nothing.
                assert_eq!(format!("{found:?}"), format!("{expected:?}"));
            }
        }
        assert!(!short_values(&[3, 17, 1, b'a', b'b'], &[(1, ())], |(), _| {}), "the record is cut off");
    }

    #[test]
    fn locate_finds_fields_and_marks_absent_ones() {
        // Header: length 4, then NULL, a one-byte integer, a text of two bytes.
        let header = [4, 0, 1, 17];
        let mut spans = [FieldSpan::default(); 3];
        locate(&header, &[0, 2, 3], &mut spans).unwrap();
        assert_eq!(spans[0], FieldSpan { serial: Some(0), start: 4 });
        assert_eq!(spans[1], FieldSpan { serial: Some(17), start: 5 });
        assert_eq!(spans[2], FieldSpan { serial: None, start: 7 });
        assert_eq!(locate(&[2, 10], &[0], &mut spans), None);
    }
}
