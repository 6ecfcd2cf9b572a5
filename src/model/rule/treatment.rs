//! The treatments of a rule, with their settings.

use super::Expression;
use super::Remap;
use super::Repoint;
use crate::model::catalog::Action;
use crate::model::configured::Spanned;
use crate::model::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub enum Treatment {
    Remap(Remap),
    Placeholder(Placeholder),
    Sentinel(Sentinel),
    /// Sets these columns to NULL; all columns of the key if `None`.
    SetNull {
        columns: Option<Vec<Spanned<String>>>,
    },
    SetDefault,
    Quarantine {
        keep: QuarantineTarget,
    },
    Delete,
    /// Follows the declared ON DELETE action. `keep` is false only if the rule says so.
    Follow {
        keep: bool,
    },
    Report,
    /// Points all children of equal parents at one of them, and quarantines the others.
    Repoint(Repoint),
    /// Removes the declaration of the relation.
    Relax(Nullable),
    /// Declares the relation, once it has no orphans.
    Enforce(Enforcement),
    /// Creates triggers that insert the rule's placeholder parents for future rows.
    Prevent(Prevention),
}

impl Treatment {
    pub fn kind(&self) -> TreatmentKind {
        match self {
            Treatment::Remap(_) => TreatmentKind::Remap,
            Treatment::Placeholder(_) => TreatmentKind::Placeholder,
            Treatment::Sentinel(_) => TreatmentKind::Sentinel,
            Treatment::SetNull { .. } => TreatmentKind::SetNull,
            Treatment::SetDefault => TreatmentKind::SetDefault,
            Treatment::Quarantine { .. } => TreatmentKind::Quarantine,
            Treatment::Delete => TreatmentKind::Delete,
            Treatment::Follow { .. } => TreatmentKind::Follow,
            Treatment::Report => TreatmentKind::Report,
            Treatment::Repoint(_) => TreatmentKind::Repoint,
            Treatment::Relax(_) => TreatmentKind::Relax,
            Treatment::Enforce(_) => TreatmentKind::Enforce,
            Treatment::Prevent(_) => TreatmentKind::Prevent,
        }
    }

    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// True if the treatment changes definitions and no rows.
    pub fn changes_the_schema(&self) -> bool {
        matches!(self, Treatment::Relax(_) | Treatment::Enforce(_) | Treatment::Prevent(_))
    }

    /// True if the treatment applies to existing orphans.
    pub(super) fn is_for_orphans(&self) -> bool {
        !matches!(self, Treatment::Enforce(_) | Treatment::Prevent(_) | Treatment::Repoint(_))
    }

    /// True if rows are deleted, or their references are set to NULL or to a default.
    pub fn loses_data(&self) -> bool {
        self.kind().loses_data()
    }

    pub fn via(&self) -> Option<&Spanned<Via>> {
        match self {
            Treatment::Remap(remap) => remap.via.as_ref(),
            Treatment::Placeholder(placeholder) => placeholder.via.as_ref(),
            _ => None,
        }
    }

    pub fn values(&self) -> &[(Spanned<String>, Spanned<Expression>)] {
        match self {
            Treatment::Placeholder(placeholder) => &placeholder.values,
            Treatment::Sentinel(sentinel) => &sentinel.values,
            _ => &[],
        }
    }
}

/// A treatment without its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreatmentKind {
    Remap,
    Placeholder,
    Sentinel,
    SetNull,
    SetDefault,
    Quarantine,
    Delete,
    Follow,
    Report,
    Repoint,
    Relax,
    Enforce,
    Prevent,
}

impl TreatmentKind {
    const ALL: [TreatmentKind; 13] = [
        TreatmentKind::Remap,
        TreatmentKind::Placeholder,
        TreatmentKind::Sentinel,
        TreatmentKind::SetNull,
        TreatmentKind::SetDefault,
        TreatmentKind::Quarantine,
        TreatmentKind::Delete,
        TreatmentKind::Follow,
        TreatmentKind::Report,
        TreatmentKind::Repoint,
        TreatmentKind::Relax,
        TreatmentKind::Enforce,
        TreatmentKind::Prevent,
    ];

    /// Returns the name in rules, plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            TreatmentKind::Remap => "remap",
            TreatmentKind::Placeholder => "placeholder",
            TreatmentKind::Sentinel => "sentinel",
            TreatmentKind::SetNull => "set-null",
            TreatmentKind::SetDefault => "set-default",
            TreatmentKind::Quarantine => "quarantine",
            TreatmentKind::Delete => "delete",
            TreatmentKind::Follow => "follow",
            TreatmentKind::Report => "report",
            TreatmentKind::Repoint => "repoint",
            TreatmentKind::Relax => "relax",
            TreatmentKind::Enforce => "enforce",
            TreatmentKind::Prevent => "prevent",
        }
    }

    /// Returns the treatment that has this name in plans and reports.
    pub fn named(name: &str) -> Option<TreatmentKind> {
        TreatmentKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// True if rows are deleted, or their references are set to NULL or to a default.
    pub fn loses_data(self) -> bool {
        match self {
            TreatmentKind::SetNull
            | TreatmentKind::SetDefault
            | TreatmentKind::Quarantine
            | TreatmentKind::Delete
            | TreatmentKind::Follow
            | TreatmentKind::Repoint => true,
            TreatmentKind::Remap
            | TreatmentKind::Placeholder
            | TreatmentKind::Sentinel
            | TreatmentKind::Report
            | TreatmentKind::Relax
            | TreatmentKind::Enforce
            | TreatmentKind::Prevent => false,
        }
    }
}

/// The place where quarantined rows are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineTarget {
    Table(String),
    /// A file beside the plan.
    File(String),
}

impl Default for QuarantineTarget {
    fn default() -> QuarantineTarget {
        QuarantineTarget::Table("fk_doctor_quarantine".to_owned())
    }
}

/// The columns that become nullable when a relation is relaxed.
#[derive(Debug, Clone, PartialEq)]
pub enum Nullable {
    AsBefore,
    /// The columns of the key.
    Key,
    Columns(Vec<Spanned<String>>),
}

/// The declaration that `enforce` adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enforcement {
    pub on_delete: Action,
    pub on_update: Action,
    /// True if the child gets an index, unless one begins with the key already.
    pub index: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prevention {
    /// True if the existing triggers are dropped.
    pub remove: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Placeholder {
    pub via: Option<Spanned<Via>>,
    pub key: PlaceholderKey,
    /// The table that lists the placeholders. If they have new keys, it records the old and the new key of every remapped
    /// row instead.
    pub record: Option<String>,
    pub values: Vec<(Spanned<String>, Spanned<Expression>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlaceholderKey {
    /// The new parent has the missing key.
    #[default]
    Missing,
    /// The new parent has a new key, and the child rows are remapped to it.
    New,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sentinel {
    pub key: Spanned<Vec<Value>>,
    pub values: Vec<(Spanned<String>, Spanned<Expression>)>,
}

/// The table whose row really has the missing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    pub table: String,
    pub columns: Vec<String>,
}
