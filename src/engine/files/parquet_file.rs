//! Parquet files: their columns and types, and the values of some columns, row group by row group.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::ConvertedType;
use parquet::basic::LogicalType;
use parquet::basic::TimeUnit;
use parquet::basic::Type as PhysicalType;
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::column::reader::get_column_reader;
use parquet::data_type::ByteArray;
use parquet::data_type::DataType;
use parquet::data_type::FixedLenByteArray;
use parquet::data_type::Int96;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::reader::ChunkReader;
use parquet::file::reader::Length;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

use super::batch::Column;
use super::batch::Values;
use super::fault::Fault;
use super::fault::caught;
use super::lake::DataFile;
use super::page_sizes;
use super::types::FileType;
use super::unpacked_pages;
use super::unpacked_pages::Packing;
use super::unpacked_pages::UnpackedPages;
use crate::engine::read_at::read_at;
use crate::model::text::io_reason;

/// A Parquet file begins and ends with these bytes.
const MAGIC: &[u8; 4] = b"PAR1";

/// The nanoseconds of a day, and the day of 1970-01-01 in the calendar of INT96.
const DAY: i128 = 86_400_000_000_000;
const INT96_EPOCH: i128 = 2_440_588;

/// A file that threads can share, because it has no cursor.
struct SharedFile {
    file: File,
    size: u64,
}

/// A cursor of its own in a shared file.
struct Cursor {
    file: Arc<SharedFile>,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.size.saturating_sub(self.at);
        let length = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        read_at(&self.file.file, &mut into[..length], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// The handle under which the `parquet` crate reads a file.
struct Handle(Arc<SharedFile>);

impl Length for Handle {
    fn len(&self) -> u64 {
        self.0.size
    }
}

impl ChunkReader for Handle {
    type T = std::io::BufReader<Cursor>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(std::io::BufReader::new(Cursor { file: Arc::clone(&self.0), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let fits = start.checked_add(length as u64).is_some_and(|end| end <= self.0.size);
        if !fits {
            return Err(parquet::errors::ParquetError::EOF("it ends too early".to_owned()));
        }
        let mut bytes = vec![0; length];
        read_at(&self.0.file, &mut bytes, start)?;
        Ok(bytes.into())
    }
}

fn open(file: &DataFile) -> Result<Handle, Fault> {
    let opened = File::open(&file.path).and_then(|opened| Ok((opened.metadata()?.len(), opened)));
    let (size, opened) = opened.map_err(|error| Fault::of(file, io_reason(&error)))?;
    Ok(Handle(Arc::new(SharedFile { file: opened, size })))
}

/// Reads the footer, and checks that all columns lie inside the file.
pub(super) fn footer(file: &DataFile) -> Result<Arc<ParquetMetaData>, Fault> {
    caught(file, || {
        let handle = open(file)?;
        let fault = |why: String| Fault::of(file, why);
        let size = handle.0.size;
        let mut magic = [0; 4];
        let is_parquet = size >= 12 && read_at(&handle.0.file, &mut magic, 0).is_ok() && magic == *MAGIC;
        if !is_parquet {
            return Err(fault("it is no Parquet file, which begins with PAR1".to_owned()));
        }
        let footer =
            ParquetMetaDataReader::new().parse_and_finish(&handle).map_err(|error| fault(error.to_string()))?;
        for group in footer.row_groups() {
            if group.num_rows() < 0 {
                return Err(fault("a row group has a negative number of rows".to_owned()));
            }
            if group.num_columns() != footer.file_metadata().schema_descr().num_columns() {
                return Err(fault("a row group lacks columns".to_owned()));
            }
            for column in group.columns() {
                let (start, length) = column.byte_range();
                if start.checked_add(length).is_none_or(|end| end > size) {
                    return Err(fault("a column ends after the file".to_owned()));
                }
                if column.num_values() != group.num_rows() && column.column_descr().max_rep_level() == 0 {
                    return Err(fault("a column has another number of values than its row group".to_owned()));
                }
            }
        }
        Ok(Arc::new(footer))
    })
}

/// Returns the columns of a file: the name, the type, and the number of the leaf. Nested columns have the type
/// [`FileType::Other`].
pub(super) fn columns(footer: &ParquetMetaData) -> Vec<(String, FileType, usize)> {
    let schema = footer.file_metadata().schema_descr();
    let mut columns: Vec<(String, FileType, usize)> = Vec::new();
    for (leaf, column) in schema.columns().iter().enumerate() {
        let parts = column.path().parts();
        let Some(name) = parts.first() else { continue };
        let is_nested = parts.len() > 1 || column.max_rep_level() > 0;
        if !is_nested {
            columns.push((name.clone(), type_of(column), leaf));
        } else if columns.iter().all(|(known, ..)| known != name) {
            columns.push((name.clone(), FileType::Other("a nested type".to_owned()), leaf));
        }
    }
    columns
}

fn digits(unit: &TimeUnit) -> u32 {
    match unit {
        TimeUnit::MILLIS => 3,
        TimeUnit::MICROS => 6,
        TimeUnit::NANOS => 9,
    }
}

/// Returns the type of a column. A type that does not fit to the stored values is none that a key can have.
fn type_of(column: &ColumnDescriptor) -> FileType {
    let of = claimed_type(column);
    let fits = match (&of, column.physical_type()) {
        (FileType::Integer | FileType::Date | FileType::Time { .. }, PhysicalType::INT32 | PhysicalType::INT64)
        | (FileType::Unsigned, PhysicalType::INT64)
        | (FileType::Timestamp { .. }, PhysicalType::INT64 | PhysicalType::INT96)
        | (FileType::Real, PhysicalType::FLOAT | PhysicalType::DOUBLE | PhysicalType::FIXED_LEN_BYTE_ARRAY)
        | (FileType::Text | FileType::Binary, PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY)
        | (FileType::Uuid, PhysicalType::FIXED_LEN_BYTE_ARRAY)
        | (FileType::Boolean, PhysicalType::BOOLEAN) => true,
        (FileType::Decimal { .. }, physical) => !matches!(
            physical,
            PhysicalType::BOOLEAN | PhysicalType::INT96 | PhysicalType::FLOAT | PhysicalType::DOUBLE
        ),
        (FileType::Other(_) | FileType::Null, _) => true,
        _ => false,
    };
    if fits { of } else { FileType::Other("a type that its values do not have".to_owned()) }
}

fn claimed_type(column: &ColumnDescriptor) -> FileType {
    let physical = column.physical_type();
    let other = |name: &str| FileType::Other(name.to_owned());
    let decimal = |scale: i32| match (u32::try_from(scale), physical, column.type_length()) {
        (Ok(scale), PhysicalType::INT32 | PhysicalType::INT64, _) if scale <= 38 => FileType::Decimal { scale },
        (Ok(scale), PhysicalType::FIXED_LEN_BYTE_ARRAY, 1..=16) if scale <= 38 => FileType::Decimal { scale },
        (Ok(scale), PhysicalType::BYTE_ARRAY, _) if scale <= 38 && column.type_precision() <= 38 => {
            FileType::Decimal { scale }
        }
        _ => other("a decimal of more than 38 digits"),
    };
    if let Some(logical) = column.logical_type_ref() {
        return match logical {
            LogicalType::String | LogicalType::Enum | LogicalType::Json => FileType::Text,
            LogicalType::Bson => FileType::Binary,
            LogicalType::Uuid => FileType::Uuid,
            LogicalType::Decimal(decimal_type) => decimal(decimal_type.scale),
            LogicalType::Date => FileType::Date,
            LogicalType::Time(time) => FileType::Time { digits: digits(&time.unit) },
            LogicalType::Timestamp(time) => {
                FileType::Timestamp { digits: digits(&time.unit), is_utc: time.is_adjusted_to_u_t_c }
            }
            LogicalType::Integer(integer) if integer.is_signed || integer.bit_width < 64 => FileType::Integer,
            LogicalType::Integer(_) => FileType::Unsigned,
            LogicalType::Float16 => FileType::Real,
            // All values are NULL.
            LogicalType::Unknown => FileType::Null,
            LogicalType::Map | LogicalType::List => other("a nested type"),
            _ => other("a type that fk-doctor does not know"),
        };
    }
    match column.converted_type() {
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => FileType::Text,
        ConvertedType::DECIMAL => decimal(column.type_scale()),
        ConvertedType::DATE => FileType::Date,
        ConvertedType::TIME_MILLIS => FileType::Time { digits: 3 },
        ConvertedType::TIME_MICROS => FileType::Time { digits: 6 },
        ConvertedType::TIMESTAMP_MILLIS => FileType::Timestamp { digits: 3, is_utc: true },
        ConvertedType::TIMESTAMP_MICROS => FileType::Timestamp { digits: 6, is_utc: true },
        ConvertedType::UINT_64 => FileType::Unsigned,
        ConvertedType::INTERVAL => other("an interval"),
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE | ConvertedType::LIST => other("a nested type"),
        _ => physical_type(physical),
    }
}

fn physical_type(physical: PhysicalType) -> FileType {
    match physical {
        PhysicalType::BOOLEAN => FileType::Boolean,
        PhysicalType::INT32 | PhysicalType::INT64 => FileType::Integer,
        // Spark, Hive and Impala write instants in this old form.
        PhysicalType::INT96 => FileType::Timestamp { digits: 9, is_utc: true },
        PhysicalType::FLOAT | PhysicalType::DOUBLE => FileType::Real,
        PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => FileType::Binary,
    }
}

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
            let sizes = page_sizes::check(&handle.0.file, chunk.byte_range(), limit);
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
