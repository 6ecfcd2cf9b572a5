//! The health of a relation: the severity of the worst defect in its definition. Orphan rows do not affect it.

use crate::model::finding::Severity;
use crate::model::relation::Relation;

/// In rising order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Ok,
    Note,
    Warning,
    Broken,
}

impl Health {
    #[cfg(test)]
    pub(super) const ALL: [Health; 4] = [Health::Ok, Health::Note, Health::Warning, Health::Broken];

    pub(super) fn of(relation: &Relation) -> Health {
        match relation.defects.iter().map(|defect| defect.code.severity()).max() {
            None => Health::Ok,
            Some(Severity::Note) => Health::Note,
            Some(Severity::Warning) => Health::Warning,
            Some(Severity::Error) => Health::Broken,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::Note => "note",
            Health::Warning => "warning",
            Health::Broken => "broken",
        }
    }
}
