//! The text of each page, from `docs/codes/`.

use crate::model::finding::Cause;
use crate::model::finding::Code;

pub(super) fn of_code(code: Code) -> &'static str {
    match code {
        Code::Orphan => include_str!("../../../docs/codes/orphan.md"),
        Code::ParentTableMissing => include_str!("../../../docs/codes/parent-table-missing.md"),
        Code::ParentIsView => include_str!("../../../docs/codes/parent-is-view.md"),
        Code::ParentColumnMissing => include_str!("../../../docs/codes/parent-column-missing.md"),
        Code::ParentKeyNotUnique => include_str!("../../../docs/codes/parent-key-not-unique.md"),
        Code::ParentKeyPartialIndex => include_str!("../../../docs/codes/parent-key-partial-index.md"),
        Code::ParentKeyCollation => include_str!("../../../docs/codes/parent-key-collation.md"),
        Code::ColumnCountMismatch => include_str!("../../../docs/codes/column-count-mismatch.md"),
        Code::ParentRenamed => include_str!("../../../docs/codes/parent-renamed.md"),
        Code::IndexCorrupt => include_str!("../../../docs/codes/index-corrupt.md"),
        Code::TypeMismatch => include_str!("../../../docs/codes/type-mismatch.md"),
        Code::CollationMismatch => include_str!("../../../docs/codes/collation-mismatch.md"),
        Code::ChildNotIndexed => include_str!("../../../docs/codes/child-not-indexed.md"),
        Code::NotValidated => include_str!("../../../docs/codes/not-validated.md"),
        Code::NotEnforced => include_str!("../../../docs/codes/not-enforced.md"),
        Code::TriggersDisabled => include_str!("../../../docs/codes/triggers-disabled.md"),
        Code::WouldFail => include_str!("../../../docs/codes/would-fail.md"),
        Code::NotNull => include_str!("../../../docs/codes/not-null.md"),
        Code::DuplicateKey => include_str!("../../../docs/codes/duplicate-key.md"),
        Code::CheckFailed => include_str!("../../../docs/codes/check-failed.md"),
        Code::ValueRefused => include_str!("../../../docs/codes/value-refused.md"),
        Code::StatementRefused => include_str!("../../../docs/codes/statement-refused.md"),
        Code::OrphanDiscovered => include_str!("../../../docs/codes/orphan-discovered.md"),
    }
}

pub(super) fn of_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::ParentTableEmpty => include_str!("../../../docs/codes/parent-table-empty.md"),
        Cause::ParentLoss => include_str!("../../../docs/codes/parent-loss.md"),
        Cause::SoftDeleted => include_str!("../../../docs/codes/soft-deleted.md"),
        Cause::Sentinel => include_str!("../../../docs/codes/sentinel.md"),
        Cause::Whitespace => include_str!("../../../docs/codes/whitespace.md"),
        Cause::Case => include_str!("../../../docs/codes/case.md"),
        Cause::ZeroPadding => include_str!("../../../docs/codes/zero-padding.md"),
        Cause::TextVsNumber => include_str!("../../../docs/codes/text-vs-number.md"),
        Cause::UuidFormat => include_str!("../../../docs/codes/uuid-format.md"),
        Cause::WrongTable => include_str!("../../../docs/codes/wrong-table.md"),
        Cause::NotLoadedYet => include_str!("../../../docs/codes/not-loaded-yet.md"),
        Cause::Unknown => include_str!("../../../docs/codes/unknown.md"),
    }
}
