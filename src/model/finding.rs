//! A finding: an orphan group, a defect or a would-fail row, with a stable id, its severity, evidence and the next step.

use sha2::Digest;

use crate::model::diagnosis::Diagnosis;
use crate::model::ids::RelationId;
use crate::model::redaction::ShownValue;

/// The codes of findings. Codes are an interface: new ones may be added, but none is renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    Orphan,
    ParentTableMissing,
    ParentIsView,
    ParentColumnMissing,
    ParentKeyNotUnique,
    ParentKeyPartialIndex,
    ParentKeyCollation,
    ColumnCountMismatch,
    ParentRenamed,
    IndexCorrupt,
    TypeMismatch,
    CollationMismatch,
    ChildNotIndexed,
    NotValidated,
    NotEnforced,
    TriggersDisabled,
    WouldFail,
    NotNull,
    DuplicateKey,
    CheckFailed,
    ValueRefused,
    StatementRefused,
    OrphanDiscovered,
}

impl Code {
    pub const ALL: [Code; 23] = [
        Code::Orphan,
        Code::ParentTableMissing,
        Code::ParentIsView,
        Code::ParentColumnMissing,
        Code::ParentKeyNotUnique,
        Code::ParentKeyPartialIndex,
        Code::ParentKeyCollation,
        Code::ColumnCountMismatch,
        Code::ParentRenamed,
        Code::IndexCorrupt,
        Code::TypeMismatch,
        Code::CollationMismatch,
        Code::ChildNotIndexed,
        Code::NotValidated,
        Code::NotEnforced,
        Code::TriggersDisabled,
        Code::WouldFail,
        Code::NotNull,
        Code::DuplicateKey,
        Code::CheckFailed,
        Code::ValueRefused,
        Code::StatementRefused,
        Code::OrphanDiscovered,
    ];

    /// True for child rows without a parent, whether or not somebody declared the relation.
    pub fn is_orphan(self) -> bool {
        matches!(self, Code::Orphan | Code::OrphanDiscovered)
    }

    pub fn name(self) -> &'static str {
        match self {
            Code::Orphan => "orphan",
            Code::ParentTableMissing => "parent-table-missing",
            Code::ParentIsView => "parent-is-view",
            Code::ParentColumnMissing => "parent-column-missing",
            Code::ParentKeyNotUnique => "parent-key-not-unique",
            Code::ParentKeyPartialIndex => "parent-key-partial-index",
            Code::ParentKeyCollation => "parent-key-collation",
            Code::ColumnCountMismatch => "column-count-mismatch",
            Code::ParentRenamed => "parent-renamed",
            Code::IndexCorrupt => "index-corrupt",
            Code::TypeMismatch => "type-mismatch",
            Code::CollationMismatch => "collation-mismatch",
            Code::ChildNotIndexed => "child-not-indexed",
            Code::NotValidated => "not-validated",
            Code::NotEnforced => "not-enforced",
            Code::TriggersDisabled => "triggers-disabled",
            Code::WouldFail => "would-fail",
            Code::NotNull => "not-null",
            Code::DuplicateKey => "duplicate-key",
            Code::CheckFailed => "check-failed",
            Code::ValueRefused => "value-refused",
            Code::StatementRefused => "statement-refused",
            Code::OrphanDiscovered => "orphan-discovered",
        }
    }

    /// Returns a one-line explanation for the book and `--help`.
    pub fn explanation(self) -> &'static str {
        match self {
            Code::Orphan => "child rows whose key has no equal parent",
            Code::ParentTableMissing => "the parent table does not exist: every complete key is an orphan",
            Code::ParentIsView => "the parent is a view, which no foreign key can refer to",
            Code::ParentColumnMissing => "the parent has no such column: nothing can be compared",
            Code::ParentKeyNotUnique => "no primary key or unique index on exactly the parent's columns",
            Code::ParentKeyPartialIndex => {
                "the only unique index on the parent's columns is partial: it does not cover all rows"
            }
            Code::ParentKeyCollation => "the unique index and the parent's column have different collations",
            Code::ColumnCountMismatch => "the child's key and the parent's key have different numbers of columns",
            Code::ParentRenamed => "refers to the old name of a renamed table (`*_old`)",
            Code::IndexCorrupt => "the parent row exists but is missing from its index: a false orphan",
            Code::TypeMismatch => "child and parent columns convert values differently",
            Code::CollationMismatch => "child and parent columns compare text differently",
            Code::ChildNotIndexed => "no index on the child's key: every delete of a parent reads the whole table",
            Code::NotValidated => "the server has never checked the rows that are older than the key",
            Code::NotEnforced => "the server does not check writes against this key",
            Code::TriggersDisabled => "the triggers that enforce the key are disabled: writes are not checked",
            Code::WouldFail => "rows that would be refused, because their parent is missing or would be deleted",
            Code::NotNull => "a NOT NULL column has no value",
            Code::DuplicateKey => "a unique key exists already, or occurs twice",
            Code::CheckFailed => "a CHECK constraint is violated",
            Code::ValueRefused => "the column does not accept the value",
            Code::StatementRefused => "the engine refuses the statement for another reason, which the message quotes",
            Code::OrphanDiscovered => "child rows without a parent, in a relation that nobody declares",
        }
    }

    pub fn severity(self) -> Severity {
        match self {
            Code::Orphan
            | Code::ParentTableMissing
            | Code::ParentIsView
            | Code::ParentColumnMissing
            | Code::ParentKeyNotUnique
            | Code::ParentKeyPartialIndex
            | Code::ParentKeyCollation
            | Code::ColumnCountMismatch
            | Code::ParentRenamed
            | Code::IndexCorrupt
            | Code::TriggersDisabled
            | Code::WouldFail
            | Code::NotNull
            | Code::DuplicateKey
            | Code::CheckFailed
            | Code::ValueRefused
            | Code::StatementRefused => Severity::Error,
            Code::TypeMismatch
            | Code::CollationMismatch
            | Code::NotValidated
            | Code::NotEnforced
            | Code::OrphanDiscovered => Severity::Warning,
            Code::ChildNotIndexed => Severity::Note,
        }
    }
}

/// The severity of a finding. The variants are in ascending order, so that `severity >= bar` works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Note,
    Warning,
    Error,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Note, Severity::Warning, Severity::Error];

    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A finding. A `Finding<Value>` contains the values of the database; a `Finding` contains those that reports may show.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<V = ShownValue> {
    pub code: Code,
    pub severity: Severity,
    /// The relation, in the schema of the examination.
    pub relation: RelationId,
    pub relation_id: String,
    pub message: String,
    pub help: String,
    /// The number of affected rows; 0 for a finding about a definition.
    pub rows: u64,
    pub missing_keys: u64,
    pub top_missing: Vec<MissingKey<V>>,
    pub samples: Vec<Sample<V>>,
    pub diagnosis: Vec<Diagnosis>,
    /// The part of this finding that the baseline knows.
    pub known: Known,
    /// Statements for a parent key that is not unique.
    pub key_repair: Option<KeyRepair>,
}

/// The next step for a parent key that is not unique, as statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRepair {
    /// No two rows share a key: this SQL makes the index that is missing.
    Index(String),
    /// A column is missing from the key.
    Wider(WiderKey),
    /// Rows share a key: this SQL lists the values that repeat.
    Duplicates(String),
}

/// A key of the parent that is unique, and has all columns of the relation's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WiderKey {
    /// The name of the parent table without its schema, such as `team`.
    pub parent: String,
    /// The key, such as `team(team_id,year)`.
    pub key: String,
    pub parent_rows: u64,
    /// The SQL that makes its index, unless it has one.
    pub index: Option<String>,
    /// The relation's side in the child, such as `manager(team_id)`.
    pub child: String,
    /// The relation to declare instead, such as `manager(team_id,year) -> team(team_id,year)`.
    pub reference: String,
    /// The child's rows that would refer to the wider key, and how many of them have their parent there. `None` if unknown.
    pub child_rows: Option<(u64, u64)>,
}

/// The part of a finding that the baseline knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Known {
    /// The baseline does not know the finding.
    #[default]
    No,
    /// The baseline knows these further rows and missing keys. The finding does not count them.
    Partly { rows: u64, missing_keys: u64 },
    /// The baseline knows the whole finding, so that it fails no scan.
    Wholly,
}

impl<V> Finding<V> {
    /// Returns the id. It depends only on the code and the relation, so it is equal in every run.
    pub fn id(&self) -> String {
        id_of(self.code, &self.relation_id)
    }
}

/// Returns the id that every finding of this code about this relation has.
pub fn id_of(code: Code, relation_id: &str) -> String {
    let digest = sha2::Sha256::digest(format!("fk-doctor/finding@1\0{}\0{relation_id}", code.name()));
    let first = digest.iter().take(8).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    format!("{first:016x}")
}

/// A missing key, with the number of orphans that refer to it.
#[derive(Debug, Clone, PartialEq)]
pub struct MissingKey<V = ShownValue> {
    pub key: Vec<V>,
    pub rows: u64,
    /// Some of these orphans.
    pub samples: Vec<Sample<V>>,
    /// The time span of these orphans, if a time column is configured.
    pub span: Option<Box<Span<V>>>,
}

/// The earliest and the latest time of some rows, as stored in a time column.
#[derive(Debug, Clone, PartialEq)]
pub struct Span<V = ShownValue> {
    /// The time column of the child.
    pub column: String,
    pub first: V,
    pub last: V,
}

/// An orphan as an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<V = ShownValue> {
    pub row: Vec<(String, V)>,
    /// The key as stored in the child.
    pub key: Vec<V>,
}

/// The causes of missing keys, in the order in which they are tested. The first that applies explains a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    ParentTableEmpty,
    ParentLoss,
    SoftDeleted,
    Sentinel,
    Whitespace,
    Case,
    ZeroPadding,
    TextVsNumber,
    UuidFormat,
    WrongTable,
    NotLoadedYet,
    Unknown,
}

impl Cause {
    pub const ALL: [Cause; 12] = [
        Cause::ParentTableEmpty,
        Cause::ParentLoss,
        Cause::SoftDeleted,
        Cause::Sentinel,
        Cause::Whitespace,
        Cause::Case,
        Cause::ZeroPadding,
        Cause::TextVsNumber,
        Cause::UuidFormat,
        Cause::WrongTable,
        Cause::NotLoadedYet,
        Cause::Unknown,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Cause::ParentTableEmpty => "parent-table-empty",
            Cause::ParentLoss => "parent-loss",
            Cause::SoftDeleted => "soft-deleted",
            Cause::Sentinel => "sentinel",
            Cause::Whitespace => "whitespace",
            Cause::Case => "case",
            Cause::ZeroPadding => "zero-padding",
            Cause::TextVsNumber => "text-vs-number",
            Cause::UuidFormat => "uuid-format",
            Cause::WrongTable => "wrong-table",
            Cause::NotLoadedYet => "not-loaded-yet",
            Cause::Unknown => "unknown",
        }
    }

    /// Returns the cause in words. Only a proven cause is stated; any other begins with "perhaps".
    pub fn words(self) -> &'static str {
        match self {
            Cause::ParentTableEmpty => "parent is empty",
            Cause::ParentLoss => "perhaps the parent lost rows",
            Cause::SoftDeleted => "soft-deleted",
            Cause::Sentinel => "perhaps a value for \"none\"",
            Cause::Whitespace => "whitespace",
            Cause::Case => "letter case",
            Cause::ZeroPadding => "leading zeros",
            Cause::TextVsNumber => "text instead of a number",
            Cause::UuidFormat => "UUID format",
            Cause::WrongTable => "wrong table",
            Cause::NotLoadedYet => "perhaps not loaded yet",
            Cause::Unknown => "no cause found",
        }
    }
}
