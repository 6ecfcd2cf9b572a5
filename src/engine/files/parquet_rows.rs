//! The values of some columns of a Parquet file, row group by row group.

use std::sync::Arc;

use parquet::basic::ConvertedType;
use parquet::basic::LogicalType;
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::column::reader::get_column_reader;
use parquet::data_type::ByteArray;
use parquet::data_type::DataType;
use parquet::data_type::FixedLenByteArray;
use parquet::data_type::Int96;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::batch::Column;
use super::batch::Values;
use super::fault::Fault;
use super::lake::DataFile;
use super::page_sizes;
use super::parquet_file::open;
use super::parquet_types::type_of;
use super::types::FileType;
use super::unpacked_pages;
use super::unpacked_pages::Packing;
use super::unpacked_pages::UnpackedPages;

/// The nanoseconds of a day, and the day of 1970-01-01 in the calendar of INT96.
const DAY: i128 = 86_400_000_000_000;
const INT96_EPOCH: i128 = 2_440_588;

/// Reads some leaves of a row group side by side.
pub(super) struct GroupReader<'a> {
    file: &'a DataFile,
    leaves: Vec<LeafReader>,
    left: u64,
}

struct LeafReader {
    reader: ColumnReader,
    of: FileType,
    is_nullable: bool,
    is_half: bool,
    /// True for 32 bits whose highest bit is no sign.
    is_unsigned: bool,
}

impl<'a> GroupReader<'a> {
    /// `limit` is the largest size of a page, in bytes.
    pub(super) fn open(
        file: &'a DataFile,
        group: usize,
        leaves: &[usize],
        limit: u64,
    ) -> Result<GroupReader<'a>, Fault> {
        let footer = file.footer.as_ref().ok_or_else(|| Fault::of(file, "it has no footer"))?;
        let handle = Arc::new(open(file)?);
        let metadata = footer.row_group(group);
        let rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let fault = |error: parquet::errors::ParquetError| Fault::of(file, error);
        let leaf_reader = |leaf: &usize| {
            let chunk = metadata.column(*leaf);
            let sizes = page_sizes::check(handle.file(), chunk.byte_range(), limit);
            let sizes = sizes.map_err(|why| Fault::of(file, why))?;
            let pages = |chunk: &ColumnChunkMetaData| {
                SerializedPageReader::new(Arc::clone(&handle), chunk, rows as usize, None).map_err(fault)
            };
            let pages: Box<dyn PageReader> = match Packing::of(chunk.compression()) {
                None => Box::new(pages(chunk)?),
                Some(packing) => {
                    let pages = pages(&unpacked_pages::as_unpacked(chunk).map_err(fault)?)?;
                    Box::new(UnpackedPages::new(pages, packing, sizes))
                }
            };
            let described = chunk.column_descr_ptr();
            let of = type_of(&described);
            let logical = described.logical_type_ref();
            let is_half = matches!(logical, Some(LogicalType::Float16));
            let is_unsigned = matches!(logical, Some(LogicalType::Integer(integer)) if !integer.is_signed)
                || described.converted_type() == ConvertedType::UINT_32;
            let is_nullable = described.max_def_level() > 0;
            let reader = get_column_reader(described, pages);
            Ok(LeafReader { reader, of, is_nullable, is_half, is_unsigned })
        };
        let leaves = leaves.iter().map(leaf_reader).collect::<Result<Vec<_>, Fault>>()?;
        Ok(GroupReader { file, leaves, left: rows })
    }

    /// Returns the next rows of every leaf, at most `most`; no columns at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<(usize, Vec<Column>), Fault> {
        let rows = most.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= rows as u64;
        let file = self.file;
        let mut read = |leaf: &mut LeafReader| leaf.next(rows).map_err(|why| Fault::of(file, why));
        let columns = self.leaves.iter_mut().map(&mut read).collect::<Result<Vec<_>, Fault>>()?;
        Ok((rows, columns))
    }
}

impl LeafReader {
    fn next(&mut self, rows: usize) -> Result<Column, String> {
        let (nullable, is_unsigned) = (self.is_nullable, self.is_unsigned);
        let (values, present) = match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                let (values, present) = read(reader, rows, nullable)?;
                (Values::Integers(values.into_iter().map(i64::from).collect()), present)
            }
            ColumnReader::Int32ColumnReader(reader) => {
                let (values, present) = read(reader, rows, nullable)?;
                let widened =
                    |number: i32| if is_unsigned { i64::from(number.cast_unsigned()) } else { i64::from(number) };
                (Values::Integers(values.into_iter().map(widened).collect()), present)
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let (values, present) = read(reader, rows, nullable)?;
                match self.of {
                    FileType::Unsigned => {
                        (Values::Unsigned(values.into_iter().map(i64::cast_unsigned).collect()), present)
                    }
                    _ => (Values::Integers(values), present),
                }
            }
            ColumnReader::Int96ColumnReader(reader) => {
                let (values, present) = read(reader, rows, nullable)?;
                (Values::Wide(values.iter().map(nanoseconds).collect()), present)
            }
            ColumnReader::FloatColumnReader(reader) => {
                let (values, present) = read(reader, rows, nullable)?;
                (Values::Reals(values.into_iter().map(f64::from).collect()), present)
            }
            ColumnReader::DoubleColumnReader(reader) => {
                let (values, present) = read(reader, rows, nullable)?;
                (Values::Reals(values), present)
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let (values, present) = read(reader, rows, nullable)?;
                (self.of_bytes(values, &present)?, present)
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let (values, present) = read(reader, rows, nullable)?;
                let values = values.into_iter().map(|value: FixedLenByteArray| value.into()).collect();
                (self.of_bytes(values, &present)?, present)
            }
        };
        Ok(Column { values, present })
    }

    fn of_bytes(&self, values: Vec<ByteArray>, present: &[bool]) -> Result<Values, String> {
        // A value that is NULL has no bytes.
        let is_null = |row: usize| present.get(row) == Some(&false);
        let values_or_none = values.iter().enumerate().map(|(row, value)| (!is_null(row)).then(|| value.data()));
        match self.of {
            FileType::Decimal { .. } => {
                let numbers = values_or_none.map(|value| big_endian(value.unwrap_or_default()));
                let numbers: Option<Vec<i128>> = numbers.collect();
                numbers.map(Values::Wide).ok_or_else(|| "a decimal has more than 38 digits".to_owned())
            }
            FileType::Real if self.is_half => {
                let half = |value: Option<&[u8]>| match value {
                    Some([low, high]) => Some(half_precision(u16::from_le_bytes([*low, *high]))),
                    Some(_) => None,
                    None => Some(0.0),
                };
                let numbers: Option<Vec<f64>> = values_or_none.map(half).collect();
                numbers.map(Values::Reals).ok_or_else(|| "a number has another width than its type".to_owned())
            }
            _ => Ok(Values::Bytes(values)),
        }
    }
}

/// Reads exactly `rows` values. A value that is NULL is the default of its type.
fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    is_nullable: bool,
) -> Result<(Vec<T::T>, Vec<bool>), String> {
    let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::new());
    let mut found = 0;
    while found < rows {
        let levels = is_nullable.then_some(&mut levels);
        let (more, ..) =
            reader.read_records(rows - found, levels, None, &mut values).map_err(|error| error.to_string())?;
        if more == 0 {
            return Err("a column has fewer values than its row group".to_owned());
        }
        found += more;
    }
    if !is_nullable || values.len() == rows {
        return if values.len() == rows { Ok((values, Vec::new())) } else { Err("a column lacks values".to_owned()) };
    }
    if levels.len() != rows {
        return Err("a column lacks levels".to_owned());
    }
    let present: Vec<bool> = levels.iter().map(|level| *level > 0).collect();
    if present.iter().filter(|is_present| **is_present).count() != values.len() {
        return Err("the levels of a column disagree with its values".to_owned());
    }
    // The values move to their rows, from the last to the first.
    let mut next = values.len();
    values.resize(rows, T::T::default());
    for row in (0..rows).rev().filter(|row| present[*row]) {
        next -= 1;
        values.swap(next, row);
    }
    Ok((values, present))
}

fn nanoseconds(time: &Int96) -> i128 {
    let data = time.data();
    let of_day = u64::from(data[0]) | u64::from(data[1]) << 32;
    (i128::from(data[2]) - INT96_EPOCH) * DAY + i128::from(of_day)
}

/// Returns the number of these bytes, whose highest byte comes first.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let is_negative = bytes.first().is_some_and(|byte| *byte >= 128);
    let significant = bytes.len().saturating_sub(16);
    let fill = if is_negative { 255 } else { 0 };
    if bytes[..significant].iter().any(|byte| *byte != fill) {
        return None;
    }
    let mut number = [fill; 16];
    let kept = &bytes[significant..];
    number[16 - kept.len()..].copy_from_slice(kept);
    Some(i128::from_be_bytes(number))
}

fn half_precision(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_decimal_keep_their_sign() {
        assert_eq!(big_endian(&[255, 255]), Some(-1));
        assert_eq!(big_endian(&[0, 128]), Some(128));
        assert_eq!(big_endian(&[1; 16]), Some(i128::from_be_bytes([1; 16])));
        assert_eq!(big_endian(&[[255; 4].as_slice(), &[128; 16]].concat()), Some(i128::from_be_bytes([128; 16])));
        assert_eq!(big_endian(&[1; 17]), None);
        assert_eq!(big_endian(&[]), Some(0));
    }

    #[test]
    fn half_precision_is_exact() {
        let bits =
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2_f64.powi(-24)), (0x7c00, f64::INFINITY), (0x7bff, 65504.0)];
        for (bits, number) in bits {
            assert_eq!(half_precision(bits), number);
        }
        assert!(half_precision(0x7e00).is_nan());
    }
}
