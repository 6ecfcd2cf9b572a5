//! Converts values from and to the binary format of PostgreSQL.
//!
//! The program's statements return only a few types, so no other types are handled.

use std::fmt::Display;
use std::io::Write;

use sqlx::Column;
use sqlx::Row;
use sqlx::TypeInfo;
use sqlx::ValueRef;
use sqlx::postgres::PgArguments;
use sqlx::postgres::PgRow;

use sqlx::Arguments;

use crate::engine::wire::pages::Page;
use crate::engine::wire::pages::Rows;
use crate::model::value::Value;

/// How to read one column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Integer,
    Truth,
    Real,
    Numeric,
    Text,
    Bytes,
}

fn readings(row: &PgRow) -> Result<Vec<Reading>, String> {
    let reading = |name: &str| match name {
        "INT8" | "INT4" | "INT2" => Ok(Reading::Integer),
        "BOOL" => Ok(Reading::Truth),
        "FLOAT8" => Ok(Reading::Real),
        "NUMERIC" => Ok(Reading::Numeric),
        "TEXT" => Ok(Reading::Text),
        "BYTEA" => Ok(Reading::Bytes),
        other => Err(format!("an answer has a column of the unexpected type {other}")),
    };
    row.columns().iter().map(|column| reading(column.type_info().name())).collect()
}

/// Rows of one answer.
#[derive(Debug, Default)]
pub(super) struct RowPage {
    readings: Option<Vec<Reading>>,
    rows: Rows,
}

impl RowPage {
    pub(super) fn each(&self, each: &mut dyn FnMut(&[Value])) {
        self.rows.each(each);
    }
}

impl Page<PgRow> for RowPage {
    fn add(&mut self, row: PgRow) -> Result<(), sqlx::Error> {
        let readings = match &mut self.readings {
            Some(readings) => readings,
            none => none.insert(readings(&row).map_err(sqlx::Error::Protocol)?),
        };
        self.rows.add(|values| read(&row, readings, values))
    }

    fn is_full(&self) -> bool {
        self.rows.is_full()
    }

    fn clear(&mut self) {
        self.rows.clear();
    }
}

fn read(row: &PgRow, readings: &[Reading], into: &mut Vec<Value>) -> Result<(), sqlx::Error> {
    for (column, reading) in readings.iter().enumerate() {
        let value = row.try_get_raw(column)?;
        into.push(if value.is_null() {
            Value::Null
        } else {
            let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
            decoded(*reading, bytes)
                .ok_or_else(|| sqlx::Error::Protocol(format!("a value of {} bytes is no {reading:?}", bytes.len())))?
        });
    }
    Ok(())
}

fn decoded(reading: Reading, bytes: &[u8]) -> Option<Value> {
    Some(match reading {
        Reading::Integer => Value::Integer(match bytes.len() {
            2 => i64::from(i16::from_be_bytes(bytes.try_into().ok()?)),
            4 => i64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
            _ => i64::from_be_bytes(bytes.try_into().ok()?),
        }),
        Reading::Truth => Value::Integer(i64::from(*bytes.first()?)),
        Reading::Real => Value::Real(f64::from_be_bytes(bytes.try_into().ok()?)),
        Reading::Numeric => numeric(bytes)?,
        Reading::Text => Value::Text(bytes.to_vec()),
        Reading::Bytes => Value::Blob(bytes.to_vec()),
    })
}

/// Decodes a NUMERIC. A whole number that fits is an integer; any other number is a text with all its digits.
fn numeric(bytes: &[u8]) -> Option<Value> {
    let mut words = bytes.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    let (_, weight, sign, scale) = (words.next()?, words.next()?.cast_signed(), words.next()?, words.next()?);
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xD000 => return Some(Value::text("Infinity")),
        0xF000 => return Some(Value::text("-Infinity")),
        _ => return Some(Value::text("NaN")),
    };
    // Each word is a group of four digits; the first is multiplied by 10,000 to the power of the weight.
    let groups: Vec<u16> = words.collect();
    let group = |power: i16| {
        let index = usize::try_from(i32::from(weight) - i32::from(power)).ok();
        index.and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let whole: String = (0..=weight.max(0)).rev().map(|power| format!("{:04}", group(power))).collect();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if scale == 0 {
        let text = format!("{sign}{whole}");
        return Some(text.parse().map_or_else(|_| Value::text(text), Value::Integer));
    }
    let scale = usize::from(scale);
    let groups_after = i16::try_from(scale.div_ceil(4)).ok()?;
    let mut fraction: String = (1..=groups_after).map(|position| format!("{:04}", group(-position))).collect();
    fraction.truncate(scale);
    Some(Value::text(format!("{sign}{whole}.{fraction}")))
}

/// Decodes one column of eight-byte numbers that `COPY … (FORMAT binary)` sends. The pieces may be cut anywhere.
#[derive(Default)]
pub(super) struct CopiedNumbers {
    header_is_read: bool,
    rest: Vec<u8>,
    numbers: Vec<i64>,
}

impl CopiedNumbers {
    /// The signature, the flags and the length of the header extension, which is always empty.
    const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    /// The prefix of a row: one field of eight bytes.
    const ROW: [u8; 6] = [0, 1, 0, 0, 0, 8];
    const END: [u8; 2] = [0xff, 0xff];
    /// The number of numbers on a page.
    const FULL: usize = 1 << 13;

    pub(super) fn each(&self, each: &mut dyn FnMut(i64)) {
        self.numbers.iter().copied().for_each(each);
    }

    /// Decodes a piece. Returns `None` if it has another format.
    fn read(&mut self, piece: &[u8]) -> Option<()> {
        self.rest.extend_from_slice(piece);
        let mut rest = self.rest.as_slice();
        if !self.header_is_read {
            if rest.len() < Self::HEADER.len() {
                return Self::HEADER.starts_with(rest).then_some(());
            }
            rest = rest.strip_prefix(Self::HEADER)?;
            self.header_is_read = true;
        }
        while let Some((row, after)) = rest.split_first_chunk::<14>() {
            let number = row.strip_prefix(&Self::ROW)?;
            self.numbers.push(i64::from_be_bytes(number.try_into().ok()?));
            rest = after;
        }
        let row_begins = rest.iter().zip(Self::ROW).all(|(byte, expected)| *byte == expected);
        let is_sound = row_begins || Self::END.starts_with(rest);
        self.rest = rest.to_vec();
        is_sound.then_some(())
    }
}

impl<B: AsRef<[u8]>> Page<B> for CopiedNumbers {
    fn add(&mut self, piece: B) -> Result<(), sqlx::Error> {
        let other = || sqlx::Error::Protocol("the answer to COPY is not a column of eight-byte numbers".to_owned());
        self.read(piece.as_ref()).ok_or_else(other)
    }

    fn is_full(&self) -> bool {
        self.numbers.len() >= Self::FULL
    }

    fn clear(&mut self) {
        self.numbers.clear();
    }
}

/// Adds a value in the text format of COPY.
pub(super) fn copy_text(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Null => text.extend(b"\\N"),
        Value::Integer(number) => push_number(number, text),
        Value::Real(number) => text.extend(format!("{number:e}").into_bytes()),
        Value::Blob(bytes) => {
            text.extend(b"\\\\x");
            text.extend(bytes.iter().flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]));
        }
        Value::Text(bytes) => {
            let escaped = |byte: &u8| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r');
            // Few texts need it. The compiler makes this loop compare many bytes at a time, because it has no early end.
            if !bytes.iter().fold(false, |is_found, byte| is_found | escaped(byte)) {
                text.extend(bytes);
                return;
            }
            for &byte in bytes {
                match byte {
                    b'\\' => text.extend(b"\\\\"),
                    b'\t' => text.extend(b"\\t"),
                    b'\n' => text.extend(b"\\n"),
                    b'\r' => text.extend(b"\\r"),
                    other => text.push(other),
                }
            }
        }
    }
}

pub(super) fn push_number(number: &impl Display, text: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(text, "{number}");
}

const HEX: &[u8; 16] = b"0123456789abcdef";

pub(super) fn arguments(parameters: &[Value]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in parameters {
        let added = match value {
            Value::Null => arguments.add(None::<&str>),
            Value::Integer(number) => arguments.add(*number),
            Value::Real(number) => arguments.add(*number),
            Value::Text(bytes) => arguments.add(&*String::from_utf8_lossy(bytes)),
            Value::Blob(bytes) => arguments.add(bytes.as_slice()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric_of(weight: i16, sign: u16, scale: u16, groups: &[u16]) -> Option<Value> {
        let head = [u16::try_from(groups.len()).unwrap(), weight.cast_unsigned(), sign, scale];
        let words = head.iter().chain(groups);
        numeric(&words.flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>())
    }

    #[test]
    fn copied_numbers_are_read_from_pieces_of_any_size() {
        let mut bytes = CopiedNumbers::HEADER.to_vec();
        for number in [1, -2, i64::MAX] {
            bytes.extend(CopiedNumbers::ROW);
            bytes.extend(i64::to_be_bytes(number));
        }
        bytes.extend(CopiedNumbers::END);
        for size in 1..=bytes.len() {
            let mut copied = CopiedNumbers::default();
            assert!(bytes.chunks(size).all(|piece| copied.read(piece).is_some()));
            let mut numbers = Vec::new();
            copied.each(&mut |number| numbers.push(number));
            assert_eq!(numbers, [1, -2, i64::MAX], "in pieces of {size}");
        }
        assert_eq!(CopiedNumbers::default().read(b"PGCOPX"), None);
    }

    #[test]
    fn value_in_copy_text_has_no_separator_of_its_own() {
        let text = |value: &Value| {
            let mut text = Vec::new();
            copy_text(value, &mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(text(&Value::Null), "\\N");
        assert_eq!(text(&Value::text("\\N")), "\\\\N");
        assert_eq!(text(&Value::text("a\tb\nc\rd\\.")), "a\\tb\\nc\\rd\\\\.");
        assert_eq!(text(&Value::Blob(vec![0, 0xff])), "\\\\x00ff");
        assert_eq!(text(&Value::Real(-0.0)), "-0e0");
        assert_eq!(text(&Value::Integer(-7)), "-7");
    }

    #[test]
    fn exact_numbers_keep_every_digit() {
        for (weight, sign, scale, groups, expected) in [
            (0, 0, 0, &[22][..], Value::Integer(22)),
            (0, 0, 0, &[], Value::Integer(0)),
            (1, 0, 0, &[1], Value::Integer(10_000)),
            (1, 0x4000, 0, &[1, 2], Value::Integer(-10_002)),
            (4, 0, 0, &[922, 3372, 368, 5477, 5807], Value::Integer(i64::MAX)),
            (4, 0, 0, &[922, 3372, 368, 5477, 5808], Value::text("9223372036854775808")),
            (0, 0, 2, &[1], Value::text("1.00")),
            (0, 0, 1, &[1, 5000], Value::text("1.5")),
            (-1, 0x4000, 3, &[10], Value::text("-0.001")),
            (-2, 0, 6, &[100], Value::text("0.000001")),
            (0, 0, 5, &[12, 3456, 7000], Value::text("12.34567")),
            (0, 0xC000, 0, &[], Value::text("NaN")),
        ] {
            assert_eq!(numeric_of(weight, sign, scale, groups), Some(expected), "{groups:?}");
        }
        assert_eq!(numeric(&[0, 1]), None);
    }
}
