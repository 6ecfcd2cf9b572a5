//! The types of columns in files, and the law that says which of them can be equal.
//!
//! Files have no engine that could be asked, so this table is the law. A pair of types that is not in it is never
//! compared: a conversion could make two different keys equal, and hide an orphan.

use std::fmt;

use crate::model::catalog::Family;
use crate::sql::comparison::FileKind;

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum FileType {
    /// An integer that fits into 64 bits with a sign.
    Integer,
    /// An integer of 64 bits without a sign.
    Unsigned,
    Decimal {
        scale: u32,
    },
    /// A floating-point number of any width.
    Real,
    /// A number by its text, as JSON has it.
    Number,
    Text,
    Binary,
    Uuid,
    Boolean,
    /// Days since 1970.
    Date,
    /// The time of a day, as a number of units of `10^-digits` seconds.
    Time {
        digits: u32,
    },
    /// Units of `10^-digits` seconds since 1970, in UTC or in no time zone.
    Timestamp {
        digits: u32,
        is_utc: bool,
    },
    /// Text without a type: a field of a text file, or a value in the name of a folder.
    Untyped,
    /// The type of a column in which every value is NULL.
    Null,
    /// A type that no key can have, by its name.
    Other(String),
}

impl fmt::Display for FileType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileType::Integer => out.write_str("integer"),
            FileType::Unsigned => out.write_str("unsigned integer"),
            FileType::Decimal { .. } => out.write_str("decimal"),
            FileType::Real => out.write_str("float"),
            FileType::Number => out.write_str("number"),
            FileType::Text => out.write_str("text"),
            FileType::Binary => out.write_str("binary"),
            FileType::Uuid => out.write_str("UUID"),
            FileType::Boolean => out.write_str("boolean"),
            FileType::Date => out.write_str("date"),
            FileType::Time { .. } => out.write_str("time"),
            FileType::Timestamp { is_utc: true, .. } => out.write_str("timestamp in UTC"),
            FileType::Timestamp { is_utc: false, .. } => out.write_str("local timestamp"),
            FileType::Untyped => out.write_str("untyped text"),
            FileType::Null => out.write_str("null"),
            FileType::Other(name) => out.write_str(name),
        }
    }
}

/// The values among which a pair of columns compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Number {
        /// True if untyped text with a fraction is a floating-point number, as the column that it meets.
        is_real: bool,
    },
    Bytes,
    Uuid,
    Boolean,
    Date,
    Time,
    Timestamp {
        is_utc: bool,
    },
}

impl Class {
    /// Returns the class of the values that compare in a kind.
    pub(super) fn of_kind(kind: FileKind) -> Class {
        match kind {
            FileKind::Integer | FileKind::Exact | FileKind::WrittenNumber => Class::Number { is_real: false },
            FileKind::Real => Class::Number { is_real: true },
            FileKind::Text | FileKind::Binary | FileKind::Untyped => Class::Bytes,
            FileKind::Uuid => Class::Uuid,
            FileKind::Boolean => Class::Boolean,
            FileKind::Date => Class::Date,
            FileKind::Time => Class::Time,
            FileKind::UtcTimestamp => Class::Timestamp { is_utc: true },
            FileKind::LocalTimestamp => Class::Timestamp { is_utc: false },
        }
    }
}

impl FileType {
    fn class(&self) -> Option<Class> {
        match self {
            FileType::Integer | FileType::Unsigned | FileType::Decimal { .. } | FileType::Number => {
                Some(Class::Number { is_real: false })
            }
            FileType::Real => Some(Class::Number { is_real: true }),
            FileType::Text | FileType::Binary | FileType::Untyped | FileType::Null => Some(Class::Bytes),
            FileType::Uuid => Some(Class::Uuid),
            FileType::Boolean => Some(Class::Boolean),
            FileType::Date => Some(Class::Date),
            FileType::Time { .. } => Some(Class::Time),
            FileType::Timestamp { is_utc, .. } => Some(Class::Timestamp { is_utc: *is_utc }),
            FileType::Other(_) => None,
        }
    }

    /// True if every value is an integer of 64 bits, also after [`super::key::integer`].
    pub(super) fn is_integer(&self) -> bool {
        matches!(self, FileType::Integer | FileType::Boolean | FileType::Date)
    }

    /// Returns the family under which the model knows the column.
    pub(in crate::engine) fn family(&self) -> Family {
        match self {
            FileType::Integer | FileType::Unsigned | FileType::Boolean | FileType::Decimal { scale: 0 } => {
                Family::Integer
            }
            FileType::Decimal { .. } | FileType::Number => Family::Numeric,
            FileType::Real => Family::Real,
            FileType::Untyped | FileType::Null => Family::Untyped,
            _ => Family::Text,
        }
    }

    /// Returns the type of the column in the private database, where conditions are asked.
    pub(super) fn sql_type(&self) -> &'static str {
        match self {
            FileType::Integer | FileType::Unsigned | FileType::Boolean | FileType::Decimal { scale: 0 } => "INTEGER",
            FileType::Decimal { .. } | FileType::Real => "REAL",
            FileType::Number => "NUMERIC",
            FileType::Binary => "BLOB",
            _ => "TEXT",
        }
    }
}

/// Returns how a child's column compares with a parent's; `None` if the law does not compare these types.
pub(super) fn compared(child: &FileType, parent: &FileType) -> Option<Class> {
    match (child, parent) {
        (FileType::Text, FileType::Binary) | (FileType::Binary, FileType::Text) => None,
        (FileType::Untyped | FileType::Null, other) | (other, FileType::Untyped | FileType::Null) => other.class(),
        (left, right) => match (left.class()?, right.class()?) {
            (Class::Number { is_real: left }, Class::Number { is_real: right }) => {
                Some(Class::Number { is_real: left || right })
            }
            (left, right) => (left == right).then_some(left),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [FileType; 15] = [
        FileType::Integer,
        FileType::Unsigned,
        FileType::Decimal { scale: 2 },
        FileType::Real,
        FileType::Text,
        FileType::Binary,
        FileType::Uuid,
        FileType::Boolean,
        FileType::Date,
        FileType::Time { digits: 6 },
        FileType::Timestamp { digits: 3, is_utc: true },
        FileType::Timestamp { digits: 9, is_utc: false },
        FileType::Untyped,
        FileType::Number,
        FileType::Null,
    ];

    #[test]
    fn kind_of_a_column_compares_as_its_type() {
        let kind = |of: &FileType| FileKind::of_type(&of.to_string());
        for child in &ALL {
            for parent in &ALL {
                let found = kind(parent).unwrap().compared_with(kind(child).unwrap());
                let expected = compared(child, parent);
                // A column of NULLs has no value that could be compared.
                let is_null = [child, parent].contains(&&FileType::Null);
                assert_eq!(is_null || found.is_some(), expected.is_some(), "{child} and {parent}");
                if !is_null {
                    assert_eq!(found.map(Class::of_kind), expected, "{child} and {parent}");
                }
            }
        }
        assert_eq!(kind(&FileType::Other("a nested type".to_owned())), None);
    }

    #[test]
    fn types_of_different_families_are_not_compared() {
        let group = |kind: &FileType| match kind {
            FileType::Integer | FileType::Unsigned | FileType::Decimal { .. } | FileType::Real | FileType::Number => 0,
            other => 1 + ALL.iter().position(|known| known == other).unwrap(),
        };
        for child in &ALL {
            for parent in &ALL {
                let is_untyped = [child, parent].iter().any(|of| matches!(of, FileType::Untyped | FileType::Null));
                let expected = is_untyped || group(child) == group(parent);
                assert_eq!(compared(child, parent).is_some(), expected, "{child} and {parent}");
                assert_eq!(compared(child, parent), compared(parent, child), "{child} and {parent}");
            }
        }
        assert_eq!(compared(&FileType::Other("list".to_owned()), &FileType::Untyped), None);
    }
}
