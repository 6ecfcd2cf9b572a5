//! A finding: one thing wrong, with a stable id, how grave it is, the evidence and the next step.

use sha2::Digest;

use crate::model::ids::RelationId;
use crate::model::redaction::ShownValue;

/// Every code a finding can have. Codes are an interface: they are added, never renamed.
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
}

impl Code {
    pub const ALL: [Code; 22] = [
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
    ];

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
        }
    }

    /// One line for the README and `--help`.
    pub fn explanation(self) -> &'static str {
        match self {
            Code::Orphan => "child rows whose key has no equal parent",
            Code::ParentTableMissing => "the parent table does not exist: every complete key is an orphan",
            Code::ParentIsView => "the parent is a view, which no foreign key can refer to",
            Code::ParentColumnMissing => "the parent has no such column: nothing can be compared",
            Code::ParentKeyNotUnique => "no primary key or unique index on exactly the parent's columns",
            Code::ParentKeyPartialIndex => "the only unique index on the parent's columns leaves rows out",
            Code::ParentKeyCollation => "the unique index compares text otherwise than the parent's column does",
            Code::ColumnCountMismatch => "the child names another number of columns than the parent's key has",
            Code::ParentRenamed => "refers to a table that a rename left behind (`*_old`)",
            Code::IndexCorrupt => "the parent row exists but is missing from its index: a false orphan",
            Code::TypeMismatch => "child and parent columns convert values differently",
            Code::CollationMismatch => "child and parent columns compare text differently",
            Code::ChildNotIndexed => "no index on the child's key: every delete of a parent reads the whole table",
            Code::NotValidated => "rows that were there before the key have never been checked by the server",
            Code::NotEnforced => "the server does not check writes against this key",
            Code::TriggersDisabled => "the triggers that enforce the key are switched off: writes are not checked",
            Code::WouldFail => "rows that would be refused, because a parent is missing or taken away",
            Code::NotNull => "a value is missing where the column demands one",
            Code::DuplicateKey => "a key that must be unique is there already, or comes twice",
            Code::CheckFailed => "a CHECK of the table says no",
            Code::ValueRefused => "the column does not take such a value",
            Code::StatementRefused => "the statement is refused for another reason, in the engine's own words",
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
            Code::TypeMismatch | Code::CollationMismatch | Code::NotValidated | Code::NotEnforced => Severity::Warning,
            Code::ChildNotIndexed => Severity::Note,
        }
    }
}

/// In rising order, so that `severity >= bar` reads as it should.
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

/// Its values are shown ones, unless it says otherwise: `Finding<Value>` is as the scan makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<V = ShownValue> {
    pub code: Code,
    pub severity: Severity,
    /// Position of the relation in the examination.
    pub relation: RelationId,
    pub relation_id: String,
    pub message: String,
    pub help: String,
    /// Rows concerned; 0 for a finding about definitions alone.
    pub rows: u64,
    pub missing_keys: u64,
    pub top_missing: Vec<MissingKey<V>>,
    pub samples: Vec<Sample<V>>,
    pub diagnosis: Vec<Diagnosis>,
    /// What of this finding a baseline knows.
    pub known: Known,
}

/// What was found before and accepted for the time being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Known {
    /// Nothing of the finding.
    #[default]
    No,
    /// Beside what the finding tells there are these, which it does not tell.
    Partly { rows: u64, missing_keys: u64 },
    /// The finding as a whole: it fails no scan.
    Wholly,
}

impl<V> Finding<V> {
    /// The same finding has the same id in every run, whatever its counts: code and relation decide.
    pub fn id(&self) -> String {
        id_of(self.code, &self.relation_id)
    }
}

/// Returns the id that every finding of this code about this relation has.
pub fn id_of(code: Code, relation_id: &str) -> String {
    let digest = sha2::Sha256::digest(format!("fk-doctor/finding@1\0{}\0{relation_id}", code.name()));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// One distinct key that orphans point at, and how many of them do.
#[derive(Debug, Clone, PartialEq)]
pub struct MissingKey<V = ShownValue> {
    pub key: Vec<V>,
    pub rows: u64,
    /// Some of the orphans.
    pub samples: Vec<Sample<V>>,
    /// When it occurs, where a time column is configured.
    pub span: Option<Span<V>>,
}

/// The least and the greatest time of some rows, as their column holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Span<V = ShownValue> {
    /// Of the child.
    pub column: String,
    pub first: V,
    pub last: V,
}

/// One orphan.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<V = ShownValue> {
    pub row: Vec<(String, V)>,
    /// The key as the child stores it.
    pub key: Vec<V>,
}

/// The likely cause of some of a relation's missing keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    pub cause: Cause,
    pub rows: u64,
    pub evidence: String,
}

/// Why a key may be missing, in the order in which they are looked for: the first that holds explains a key.
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
}
