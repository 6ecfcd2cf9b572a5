//! Says what can be done about a group of findings, in one of five words. The texts belong to the reports.

use crate::model::diagnosis::Diagnosis;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::rule::Normalization;

/// The kinds of remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// No row is at fault: the definition must change.
    Schema,
    /// A rule that ships with fk-doctor treats the relations.
    Rule,
    /// A rule that normalizes the keys finds a parent for each. Nothing is lost.
    Remap,
    /// Parents seem to be missing: load them, and leave the rows alone.
    Load,
    /// Only a person can decide.
    Choose,
}

impl Remedy {
    pub fn name(self) -> &'static str {
        match self {
            Remedy::Schema => "schema",
            Remedy::Rule => "rule",
            Remedy::Remap => "remap",
            Remedy::Load => "load",
            Remedy::Choose => "choose",
        }
    }

    /// Returns the remedy for a finding with this code and, if it has orphans, with this cause. `has_rule` is true if a
    /// shipped rule names the relation.
    pub fn of(code: Code, diagnosis: Option<&Diagnosis>, has_rule: bool) -> Remedy {
        let Some(diagnosis) = diagnosis.filter(|_| code.is_orphan()) else {
            return if code.is_orphan() { Remedy::Choose } else { Remedy::Schema };
        };
        match diagnosis.cause {
            _ if diagnosis.can_remap => Remedy::Remap,
            // The parents come first, whatever a rule can do without them.
            Cause::ParentTableEmpty => Remedy::Load,
            _ if has_rule => Remedy::Rule,
            Cause::ParentLoss | Cause::NotLoadedYet => Remedy::Load,
            _ => Remedy::Choose,
        }
    }
}

/// Returns the normal form that takes away the difference, if a rule has one.
pub fn normalization(cause: Cause) -> Option<Normalization> {
    match cause {
        Cause::Whitespace => Some(Normalization::Trim),
        Cause::Case => Some(Normalization::Casefold),
        Cause::ZeroPadding => Some(Normalization::ZeroPadding),
        Cause::UuidFormat => Some(Normalization::Uuid),
        _ => None,
    }
}

/// Returns the next step for missing keys with this cause, if it is the same for every key.
pub fn next_step(cause: Cause, parent: &str) -> Option<String> {
    match cause {
        Cause::ParentTableEmpty => Some(format!("bring in {parent} first")),
        Cause::ParentLoss => Some(format!("restore the rows of {parent} from a backup; delete no row for this")),
        Cause::NotLoadedYet => Some(format!("bring in the missing rows of {parent}, then scan again")),
        Cause::SoftDeleted => Some(format!("restore the soft-deleted rows of {parent}, or clear the references")),
        _ => None,
    }
}

/// Returns the use of normal forms in words that begin a sentence about it.
pub fn normalizing(forms: &[Normalization]) -> &'static str {
    match forms {
        [Normalization::Trim] => "trimming the keys",
        [Normalization::Casefold] => "changing the letter case",
        [Normalization::ZeroPadding] => "writing the leading zeros as the parent does",
        [Normalization::Uuid] => "writing the UUIDs as the parent does",
        _ => "writing the keys as the parent does",
    }
}
