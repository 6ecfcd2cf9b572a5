//! The types of a cluster's columns, and the pairs of them that it may compare.
//!
//! A cluster compares values by its own `=`. It converts values of different families, and so makes unequal keys equal: the
//! integer 9007199254740993 "equals" the floating-point number 9007199254740992.0. So only pairs inside one family are
//! compared, where Spark and Sail agree with the law of the README.

use arrow_schema::DataType;
use arrow_schema::TimeUnit;

use crate::engine::files::types::FileType;

/// The digits that a decimal can have. A cluster rounds what needs more.
const MOST_DIGITS: u32 = 38;

/// Returns the type as the law of files knows it, which decides how values are shown.
pub(super) fn law_type(of: &DataType) -> FileType {
    match of {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => FileType::Integer,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => FileType::Integer,
        DataType::UInt64 => FileType::Unsigned,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => FileType::Real,
        DataType::Decimal128(_, scale) if *scale >= 0 => FileType::Decimal { scale: u32::from(scale.unsigned_abs()) },
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => FileType::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            FileType::Binary
        }
        DataType::Boolean => FileType::Boolean,
        DataType::Date32 => FileType::Date,
        DataType::Timestamp(unit, zone) => FileType::Timestamp { digits: digits(*unit), is_utc: zone.is_some() },
        other => FileType::Other(other.to_string()),
    }
}

fn digits(unit: TimeUnit) -> u32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Returns the name of the type in Spark's SQL; `None` for a type that no key can have.
pub(super) fn sql_name(of: &DataType) -> Option<String> {
    Some(match of {
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 | DataType::UInt8 => "SMALLINT".to_owned(),
        DataType::Int32 | DataType::UInt16 => "INT".to_owned(),
        DataType::Int64 | DataType::UInt32 => "BIGINT".to_owned(),
        DataType::UInt64 => "DECIMAL(20,0)".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float16 | DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(digits, scale) if *scale >= 0 => format!("DECIMAL({digits},{scale})"),
        _ => match law_type(of) {
            FileType::Text => "STRING".to_owned(),
            FileType::Binary => "BINARY".to_owned(),
            FileType::Boolean => "BOOLEAN".to_owned(),
            FileType::Date => "DATE".to_owned(),
            FileType::Timestamp { is_utc: true, .. } => "TIMESTAMP".to_owned(),
            FileType::Timestamp { is_utc: false, .. } => "TIMESTAMP_NTZ".to_owned(),
            _ => return None,
        },
    })
}

/// True if the cluster compares values of these types, which are names in Spark's SQL, exactly as the law demands.
pub(super) fn are_compared(child: &str, parent: &str) -> bool {
    if let (Some(child), Some(parent)) = (exact_digits(child), exact_digits(parent)) {
        return child.0.max(parent.0) + child.1.max(parent.1) <= MOST_DIGITS;
    }
    let is_real = |name: &str| ["FLOAT", "DOUBLE"].contains(&name);
    child == parent || (is_real(child) && is_real(parent))
}

/// Returns the digits of an exact number before and after its point: `(19, 0)` for BIGINT.
fn exact_digits(name: &str) -> Option<(u32, u32)> {
    if ["TINYINT", "SMALLINT", "INT", "BIGINT"].contains(&name) {
        return Some((19, 0));
    }
    let (digits, scale) = name.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?;
    let (digits, scale): (u32, u32) = (digits.parse().ok()?, scale.parse().ok()?);
    Some((digits.checked_sub(scale)?, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(of: &DataType) -> String {
        sql_name(of).unwrap()
    }

    #[test]
    fn types_of_different_families_are_not_compared() {
        let all = [
            DataType::Int64,
            DataType::Float64,
            DataType::Utf8,
            DataType::Binary,
            DataType::Boolean,
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ];
        for (i, child) in all.iter().enumerate() {
            for (j, parent) in all.iter().enumerate() {
                assert_eq!(are_compared(&name(child), &name(parent)), i == j, "{child} and {parent}");
            }
        }
    }

    #[test]
    fn exact_numbers_are_compared_if_no_digit_is_lost() {
        let compared = |child: &DataType, parent: &DataType| are_compared(&name(child), &name(parent));
        assert!(compared(&DataType::Int32, &DataType::Int64));
        assert!(compared(&DataType::UInt64, &DataType::Int64));
        assert!(compared(&DataType::Decimal128(10, 2), &DataType::Int64));
        assert!(compared(&DataType::Decimal128(10, 2), &DataType::Decimal128(20, 4)));
        assert!(!compared(&DataType::Decimal128(38, 20), &DataType::Int64));
        assert!(!compared(&DataType::Decimal128(38, 0), &DataType::Decimal128(38, 10)));
        assert!(compared(&DataType::Float32, &DataType::Float64));
    }

    #[test]
    fn nested_types_are_no_keys() {
        assert_eq!(sql_name(&DataType::new_list(DataType::Int64, true)), None);
    }
}
