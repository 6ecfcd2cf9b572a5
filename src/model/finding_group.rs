//! Equal findings as one group: the same code, the same parent and the same causes. All reports for people, suggested
//! rules and the guided repair use these groups, so that one fault of one parent is one thing to decide.

use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::MissingKey;
use crate::model::finding::Severity;
use crate::model::redaction::ShownValue;
use crate::model::text::plural;

/// All groups of a scan, the most serious first, and what they have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Groups {
    pub groups: Vec<FindingGroup>,
    /// The orphan rows of all groups, each counted once, however many of its references are broken.
    pub orphan_rows: Distinct,
}

/// Findings with the same code, severity, parent and causes.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingGroup {
    pub code: Code,
    pub severity: Severity,
    /// The parent's table, and its key such as `airports(AirportCode)`.
    pub parent: String,
    pub parent_key: String,
    pub causes: Vec<Cause>,
    /// The positions of the findings in the examination, those with most rows first.
    pub findings: Vec<usize>,
    /// The orphan rows, each counted once.
    pub rows: Distinct,
    /// The missing keys, each counted once.
    pub keys: Distinct,
    /// The missing keys with most references in all relations of the group.
    pub top_missing: Vec<MissingKey>,
    /// Some of the rows, each with all its keys that are missing.
    pub samples: Vec<GroupSample>,
}

/// A number of different things, or an upper bound if it is not known exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Distinct {
    pub count: u64,
    pub is_bound: bool,
}

impl Distinct {
    pub fn exactly(count: u64) -> Distinct {
        Distinct { count, is_bound: false }
    }

    /// Returns the number with its noun: `1 row`, `up to 12,345 rows`.
    pub fn of(self, noun: &str) -> String {
        format!("{}{}", self.bound(), plural(self.count, noun))
    }

    /// Returns `up to `, or nothing if the number is exact.
    pub fn bound(self) -> &'static str {
        if self.is_bound { "up to " } else { "" }
    }
}

impl std::iter::Sum for Distinct {
    fn sum<I: Iterator<Item = Distinct>>(parts: I) -> Distinct {
        parts.fold(Distinct::default(), |sum, part| Distinct {
            count: sum.count + part.count,
            is_bound: sum.is_bound || part.is_bound,
        })
    }
}

/// A row of a group, with the broken references of all relations of the group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSample {
    /// The child's table.
    pub table: String,
    pub row: Vec<(String, ShownValue)>,
    pub keys: Vec<(String, ShownValue)>,
}

impl FindingGroup {
    /// Returns the findings of this group.
    pub fn findings<'a>(&'a self, all: &'a [Finding]) -> impl Iterator<Item = &'a Finding> + Clone {
        self.findings.iter().filter_map(|&position| all.get(position))
    }
}
