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
