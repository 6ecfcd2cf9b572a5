//! The comparison of a column's values, as a discovery needs to know it to compare the keys of many columns itself.

/// How an engine compares the values of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnComparison {
    /// By the affinity and the collation of the parent's column, as SQLite does.
    Affinity,
    /// As exact numbers.
    ExactNumber,
    /// As floating-point numbers.
    FloatingPoint,
    Text(TextComparison),
    /// Two values of this kind are equal exactly if their texts are.
    Spelling(String),
    /// Only the engine can compare values of this kind.
    Engine(String),
    /// Only the engine can compare values of this kind with each other. Beside another text, they are texts.
    EngineOrText(String),
    /// As a column of files, by its kind of values.
    File(FileKind),
    /// No key has such values, such as documents.
    NoKey,
}

/// How an engine compares two texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextComparison {
    Bytes,
    /// By their bytes, without the spaces at the end.
    BytesWithoutPadding,
    /// As a padded text of PostgreSQL. Against some other types the spaces at the end count.
    Padded,
    /// Under this collation, for which the engine gives comparison keys.
    Collation(String),
    /// Only the engine can compare them.
    Engine,
}

/// The kind of values of a column of files. A pair of columns compares in the kind that [`FileKind::compared_with`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// Integers of 64 bits with a sign.
    Integer,
    /// Other exact numbers.
    Exact,
    /// Numbers by their texts, which are floating-point numbers beside such a column.
    WrittenNumber,
    Real,
    Text,
    Binary,
    Uuid,
    Boolean,
    Date,
    Time,
    UtcTimestamp,
    LocalTimestamp,
    /// Texts without a type, which have the kind of the column that they meet.
    Untyped,
}

impl FileKind {
    /// Returns the kind of a column by its declared type; `None` if no key has such values.
    pub fn of_type(declared: &str) -> Option<FileKind> {
        Some(match declared {
            "integer" => FileKind::Integer,
            "unsigned integer" | "decimal" => FileKind::Exact,
            "number" => FileKind::WrittenNumber,
            "float" => FileKind::Real,
            "text" => FileKind::Text,
            "binary" => FileKind::Binary,
            "UUID" => FileKind::Uuid,
            "boolean" => FileKind::Boolean,
            "date" => FileKind::Date,
            "time" => FileKind::Time,
            "timestamp in UTC" => FileKind::UtcTimestamp,
            "local timestamp" => FileKind::LocalTimestamp,
            "untyped text" | "null" => FileKind::Untyped,
            _ => return None,
        })
    }

    /// Returns the kind in which a pair of columns compares; `None` if no value of the first equals one of the other.
    pub fn compared_with(self, other: FileKind) -> Option<FileKind> {
        use FileKind::Real;
        use FileKind::Untyped;
        match (self, other) {
            (Untyped, Untyped) => Some(Untyped),
            (Untyped, kind) | (kind, Untyped) => Some(kind.among_numbers().unwrap_or(kind)),
            _ => match (self.among_numbers(), other.among_numbers()) {
                (Some(left), Some(right)) => Some(if left == Real { left } else { right }),
                (None, None) => (self == other).then_some(self),
                _ => None,
            },
        }
    }

    /// Returns the kind in which numbers of this kind compare with each other; `None` if the values are no numbers.
    pub fn among_numbers(self) -> Option<FileKind> {
        match self {
            FileKind::Integer | FileKind::Exact | FileKind::WrittenNumber => Some(FileKind::Exact),
            FileKind::Real => Some(FileKind::Real),
            _ => None,
        }
    }

    /// True if a value of this kind may have another key in one of the kinds in which it compares than among its own.
    pub fn depends_on_other(self) -> bool {
        matches!(self, FileKind::Untyped | FileKind::WrittenNumber)
    }

    /// True if the key of a value is not the value itself, in the kind in which its column compares with another.
    pub fn has_other_keys_as(self, compared: FileKind) -> bool {
        match self {
            FileKind::Exact | FileKind::WrittenNumber | FileKind::Real | FileKind::Binary => true,
            FileKind::Untyped => !matches!(compared, FileKind::Untyped | FileKind::Text | FileKind::Binary),
            _ => false,
        }
    }
}
