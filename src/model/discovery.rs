//! Relations that the rows and the names of a database suggest, although nobody declared them.
//!
//! The first part holds facts, which reading the rows gives: profiles of columns, keys, and pairs of column lists with exact
//! counts. The second part holds the judgement of each pair. Tables and columns are positions in one schema.

use std::collections::HashSet;

use crate::model::catalog::DatabaseName;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::value::Value;

/// A table and one of its columns.
pub type ColumnAddress = (TableId, usize);

/// Columns of a table, in the order of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnList {
    pub table: TableId,
    pub columns: Vec<usize>,
}

impl ColumnList {
    pub fn single(table: TableId, column: usize) -> ColumnList {
        ColumnList { table, columns: vec![column] }
    }
}

/// The facts about the rows of one database, from which relations are judged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// One profile for each column that was read, in the order of tables and columns.
    pub profiles: Vec<ColumnProfile>,
    pub keys: Vec<FoundKey>,
    /// Every pair within the tolerance, in the order of child and parent.
    pub pairs: Vec<Pair>,
    pub near: Vec<Near>,
    /// Columns that a view or a trigger compares.
    pub joins: Vec<Join>,
    pub not_observed: Vec<NotObserved>,
}

impl Facts {
    /// Returns the pairs of columns that a view or a trigger compares, in both orders.
    pub fn joined(&self) -> HashSet<(ColumnAddress, ColumnAddress)> {
        self.joins.iter().flat_map(|join| [(join.left, join.right), (join.right, join.left)]).collect()
    }
}

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnProfile {
    pub table: TableId,
    pub column: usize,
    /// The rows of the table.
    pub rows: u64,
    pub nulls: u64,
    /// The number of distinct values; `None` if a proof showed early that the column is neither a child nor a parent.
    pub distinct: Option<u64>,
    /// True if no two rows have the same value, and some row has a value.
    pub is_unique: bool,
    pub classes: ClassCounts,
    /// The least and the greatest integer, among values that are integers or text of an integer.
    pub integers: Option<(i64, i64)>,
    /// The total length of all texts, in bytes.
    pub text_bytes: u64,
    /// True if an index that is not unique begins with the column.
    pub leads_index: bool,
}

/// The number of rows of each kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts {
    pub integers: u64,
    /// Real numbers with a fraction. Others count as integers.
    pub fractions: u64,
    pub texts: u64,
    /// The texts among `texts` that are integers without leading zeros, such as `12`.
    pub integer_texts: u64,
    /// The texts among `texts` that are other numbers, such as `1.5` and `007`.
    pub decimal_texts: u64,
    /// The texts among `decimal_texts` that are digits after a zero, such as `007`.
    pub padded_texts: u64,
    /// The texts among `texts` that begin like a date, such as `2024-05-01` or `5/1/2024`.
    pub date_texts: u64,
    pub blobs: u64,
}

/// Columns whose values identify a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundKey {
    pub columns: ColumnList,
    pub kind: KeyKind,
    /// The number of distinct complete keys.
    pub distinct: u64,
    /// The rows whose key another row has too. A key with such rows is faulty, but may still be meant as one.
    pub repeated_rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    Primary,
    Unique,
    /// Not declared: unique in the rows only.
    Data,
}

impl KeyKind {
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::Primary => "primary",
            KeyKind::Unique => "unique",
            KeyKind::Data => "data",
        }
    }
}

/// A child and a parent whose keys agree within the tolerance.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    pub child: ColumnList,
    pub parent: ColumnList,
    /// The parent's key, as a position in [`Facts::keys`].
    pub key: usize,
    /// The values of other columns of the child that select the rows of this parent; empty if all rows belong to it.
    pub condition: Vec<(usize, Value)>,
    pub counts: PairCounts,
    /// The number of distinct complete keys of the parent.
    pub parent_keys: u64,
    /// The missing keys with the most rows, and their rows.
    pub missing: Vec<(Vec<Value>, u64)>,
    /// `None` if the keys have no common order, or if their order is not known.
    pub shape: Option<PairShape>,
}

/// Exact counts of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairCounts {
    /// The rows of the child, or those that the condition selects.
    pub rows: u64,
    /// The rows with a NULL in the key.
    pub null_rows: u64,
    /// The rows with a complete key that no parent has.
    pub orphan_rows: u64,
    /// The distinct complete keys.
    pub distinct: u64,
    /// The distinct complete keys that no parent has.
    pub missing_keys: u64,
}

impl PairCounts {
    /// The distinct keys that a parent has.
    pub fn present_keys(&self) -> u64 {
        self.distinct - self.missing_keys
    }

    pub fn complete_rows(&self) -> u64 {
        self.rows - self.null_rows
    }
}

/// The distribution of a child's keys over the ordered keys of its parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairShape {
    /// The earth mover's distance between the child's keys and an even distribution: 0 is even, 0.5 is one end.
    pub spread: f64,
    /// The share of the parent's keys between the least and the greatest key of the child.
    pub covered_range: f64,
}

/// A child whose keys agree with a parent only after a change of spelling. As they stand, nearly all rows are orphans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    pub child: ColumnList,
    pub parent: ColumnList,
    pub form: NearForm,
    /// The counts after the change of spelling.
    pub counts: PairCounts,
    /// The counts as the values stand.
    pub as_stored: PairCounts,
}

/// The change of spelling that makes two keys equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NearForm {
    /// Blanks at the beginning and the end are ignored.
    Trim,
    /// Upper and lower case are ignored.
    Case,
    /// Zeros at the beginning of a number are ignored.
    ZeroPadding,
    /// Text and numbers are compared by their spelling.
    Type,
}

impl NearForm {
    pub const ALL: [NearForm; 4] = [NearForm::Trim, NearForm::Case, NearForm::ZeroPadding, NearForm::Type];

    pub fn name(self) -> &'static str {
        match self {
            NearForm::Trim => "trim",
            NearForm::Case => "case",
            NearForm::ZeroPadding => "zero-padding",
            NearForm::Type => "type",
        }
    }
}

/// Two columns that a view or a trigger compares. The order says nothing about the direction of a relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Join {
    pub left: (TableId, usize),
    pub right: (TableId, usize),
    /// The name of the view or the trigger.
    pub by: String,
}

/// A part of the database that was not observed, or not in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotObserved {
    /// A table, a column or a pair of these, as reports write it.
    pub subject: String,
    pub reason: String,
    /// The number of things that were left out, such as combinations of columns.
    pub number: u64,
    pub omission: Omission,
}

/// The way in which a part of the database was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Omission {
    /// The database refused to be read.
    NotRead,
    /// The values of a column were read or could be, but fk-doctor cannot compare them.
    NotCompared,
    /// A limit of the search, such as memory, left out some combinations.
    Restricted,
}

impl Omission {
    /// True if the report is incomplete without this part.
    pub fn is_failure(self) -> bool {
        self != Omission::Restricted
    }
}

/// The sureness of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Declared,
    Certain,
    Likely,
    Possible,
    Rejected,
}

impl Tier {
    pub const ALL: [Tier; 5] = [Tier::Declared, Tier::Certain, Tier::Likely, Tier::Possible, Tier::Rejected];

    pub fn name(self) -> &'static str {
        match self {
            Tier::Declared => "declared",
            Tier::Certain => "certain",
            Tier::Likely => "likely",
            Tier::Possible => "possible",
            Tier::Rejected => "rejected",
        }
    }

    /// Returns the origin of the relation that a candidate of this tier becomes.
    pub fn origin(self) -> Origin {
        if self == Tier::Certain { Origin::Discovered } else { Origin::Likely }
    }
}

/// The reason why a pair is rejected or less than its score says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    AnotherParent,
    OtherDirection,
    Subtype,
    PartOfComposite,
    Score,
    ByYou,
}

impl Rejection {
    pub fn name(self) -> &'static str {
        match self {
            Rejection::AnotherParent => "another-parent",
            Rejection::OtherDirection => "other-direction",
            Rejection::Subtype => "subtype",
            Rejection::PartOfComposite => "part-of-composite",
            Rejection::Score => "score",
            Rejection::ByYou => "by-you",
        }
    }
}

/// One reason for or against a candidate. The weights of a candidate add up to the logit of its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    pub feature: String,
    pub value: f64,
    pub weight: f64,
    pub text: String,
}

/// A pair with its judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub pair: Pair,
    pub tier: Tier,
    /// From 0 to 1.
    pub score: f64,
    pub reason: Option<Rejection>,
    pub evidence: Vec<Evidence>,
}

/// A column that looks like a reference to a table that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParentMissing {
    pub child: ColumnList,
    /// The name that the missing table may have.
    pub expected: String,
    pub rows: u64,
    pub distinct: u64,
}

/// The result of a discovery.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovery {
    pub database: DatabaseName,
    pub keys: Vec<FoundKey>,
    pub candidates: Vec<Candidate>,
    pub near: Vec<Near>,
    pub parents_missing: Vec<ParentMissing>,
    pub not_observed: Vec<NotObserved>,
}
