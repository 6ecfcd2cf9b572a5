//! The columns of a Parquet file, and the types that it claims for them.

use parquet::basic::ConvertedType;
use parquet::basic::LogicalType;
use parquet::basic::TimeUnit;
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::ColumnDescriptor;

use super::types::FileType;

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
pub(super) fn type_of(column: &ColumnDescriptor) -> FileType {
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
