//! The whole outcome of a scan as one value: what was looked at, what was found, and the verdict that follows.

use std::collections::BTreeMap;

use crate::model::baseline::BaselineOutcome;
use crate::model::file_line::FileLine;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::Severity;
use crate::model::history::PastScan;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::redaction::Values;
use crate::model::schema::Schema;

#[derive(Debug, Clone)]
pub struct Examination {
    pub schema: Schema,
    /// One for each relation of the schema, in its order.
    pub relations: IdVec<RelationId, Coverage>,
    pub findings: Vec<Finding>,
    /// What was not part of the scan, and why: virtual tables, relations excluded by the configuration or a filter.
    pub excluded: Vec<Excluded>,
    /// Findings at or above this severity fail the scan; `None`: no finding does.
    pub fail_on: Option<Severity>,
    /// Where each relation is written down, in the order of `relations`; empty where nobody asked.
    pub locations: IdVec<RelationId, FileLine>,
    /// How the values of rows are shown.
    pub values: Values,
    /// What a baseline did, where there is one.
    pub baseline: Option<BaselineOutcome>,
    /// Earlier scans of the same database and this one, the oldest first; empty where none are kept.
    pub history: Vec<PastScan>,
}

/// How far one relation was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    pub state: CoverageState,
    /// Why not, or by whose word; `None` when there is nothing to say.
    pub reason: Option<String>,
    pub method: Option<Method>,
    /// Why no faster method was possible, where there is one.
    pub method_reason: Option<String>,
    pub counts: Counts,
    pub orphan_rows: u64,
    pub missing_keys: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoverageState {
    Checked,
    /// Only some of the rows, because that was asked for.
    Partial,
    Unchecked,
}

impl CoverageState {
    pub const ALL: [CoverageState; 3] = [CoverageState::Checked, CoverageState::Partial, CoverageState::Unchecked];

    pub fn name(self) -> &'static str {
        match self {
            CoverageState::Checked => "checked",
            CoverageState::Partial => "partial",
            CoverageState::Unchecked => "unchecked",
        }
    }
}

/// Which path judged the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The child's own pages were read.
    Pages,
    /// The pages of the child's index were read instead.
    IndexWalk,
    /// The parent's keys went to the server as a bitmap, in which a scan of the child looked its keys up.
    KeyBitmap,
    Sql,
}

impl Method {
    pub const ALL: [Method; 4] = [Method::Pages, Method::IndexWalk, Method::KeyBitmap, Method::Sql];

    pub fn name(self) -> &'static str {
        match self {
            Method::Pages => "pages",
            Method::IndexWalk => "index-walk",
            Method::KeyBitmap => "key-bitmap",
            Method::Sql => "sql",
        }
    }
}

/// The rows of one relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows of the child that the relation speaks about.
    pub rows: u64,
    /// Of those, rows whose key has a NULL and so refers to nothing.
    pub null_rows: u64,
    /// Of those, rows whose key the configuration says to ignore.
    pub ignored_rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// A table or a relation.
    pub name: String,
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanVerdict {
    Clean,
    Findings,
    /// Nothing was found in the rows that were looked at, and not all were: that was asked for.
    Partial,
    Incomplete,
}

impl ScanVerdict {
    pub const ALL: [ScanVerdict; 4] =
        [ScanVerdict::Clean, ScanVerdict::Findings, ScanVerdict::Partial, ScanVerdict::Incomplete];

    pub fn name(self) -> &'static str {
        match self {
            ScanVerdict::Clean => "clean",
            ScanVerdict::Findings => "findings",
            ScanVerdict::Partial => "partial",
            ScanVerdict::Incomplete => "incomplete",
        }
    }
}

/// The counts that a report opens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub relations: usize,
    pub checked: usize,
    pub partial: usize,
    pub unchecked: usize,
    pub orphan_rows: u64,
    pub missing_keys: u64,
    /// Findings that no baseline knows and that are not about orphans: errors, warnings and notes.
    pub defects: usize,
    pub warnings: usize,
    pub notes: usize,
}

impl Examination {
    /// Returns what a history keeps of this scan. `at` is a moment such as `2026-12-31T23:59:59Z`.
    pub fn past_scan(&self, at: String) -> PastScan {
        let summary = self.summary();
        PastScan {
            at,
            database: self.schema.database.name.clone(),
            verdict: self.verdict().name().to_owned(),
            relations: summary.relations as u64,
            unchecked: summary.unchecked as u64,
            orphan_rows: summary.orphan_rows,
            missing_keys: summary.missing_keys,
            defects: summary.defects as u64,
        }
    }

    /// Of this schema, before anything was looked at.
    pub fn of(schema: Schema) -> Examination {
        Examination {
            schema,
            relations: IdVec::new(),
            findings: Vec::new(),
            excluded: Vec::new(),
            fail_on: Some(Severity::Error),
            locations: IdVec::new(),
            values: Values::Shown,
            baseline: None,
            history: Vec::new(),
        }
    }

    /// Whether a finding alone makes the scan fail.
    pub fn fails(&self, finding: &Finding) -> bool {
        finding.known != Known::Wholly && self.fail_on.is_some_and(|bar| finding.severity >= bar)
    }

    /// Orphan rows and missing keys that no finding counts, or that a known one does.
    pub fn known_orphans(&self) -> (u64, u64) {
        let orphans = self.findings.iter().filter(|finding| finding.code == Code::Orphan);
        let of = |finding: &Finding| match finding.known {
            Known::No => (0, 0),
            Known::Partly { rows, missing_keys } => (rows, missing_keys),
            Known::Wholly => (finding.rows, finding.missing_keys),
        };
        orphans.map(of).fold((0, 0), |sum, (rows, keys)| (sum.0 + rows, sum.1 + keys))
    }

    /// What could not be looked at outweighs what was found, and that outweighs what was left out on purpose.
    pub fn verdict(&self) -> ScanVerdict {
        let any = |state| self.relations.iter().any(|coverage| coverage.state == state);
        if any(CoverageState::Unchecked) {
            ScanVerdict::Incomplete
        } else if self.findings.iter().any(|finding| self.fails(finding)) {
            ScanVerdict::Findings
        } else if any(CoverageState::Partial) {
            ScanVerdict::Partial
        } else {
            ScanVerdict::Clean
        }
    }

    /// Rows of the tables that were looked at. A table with several relations counts once, by the relation that speaks
    /// about most of its rows.
    pub fn rows(&self) -> u64 {
        let mut of_table: BTreeMap<TableId, u64> = BTreeMap::new();
        for (relation, coverage) in self.schema.relations.iter().zip(&self.relations) {
            let rows = of_table.entry(relation.child).or_default();
            *rows = coverage.counts.rows.max(*rows);
        }
        of_table.values().sum()
    }

    /// The findings that no baseline knows.
    pub fn open_findings(&self) -> impl Iterator<Item = &Finding> + Clone {
        self.findings.iter().filter(|finding| finding.known != Known::Wholly)
    }

    pub fn summary(&self) -> Summary {
        let others = |severity| {
            let open = self.open_findings();
            open.filter(|finding| finding.code != Code::Orphan && finding.severity == severity).count()
        };
        let of = |state| self.relations.iter().filter(|coverage| coverage.state == state).count();
        Summary {
            relations: self.relations.len(),
            checked: of(CoverageState::Checked),
            partial: of(CoverageState::Partial),
            unchecked: of(CoverageState::Unchecked),
            orphan_rows: self.relations.iter().map(|coverage| coverage.orphan_rows).sum(),
            missing_keys: self.relations.iter().map(|coverage| coverage.missing_keys).sum(),
            defects: others(Severity::Error),
            warnings: others(Severity::Warning),
            notes: others(Severity::Note),
        }
    }
}
