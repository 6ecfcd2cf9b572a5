//! The result of a scan: the coverage of each relation, the findings, and the verdict that follows from them.

use std::collections::BTreeMap;

use crate::model::baseline::BaselineOutcome;
use crate::model::file_line::FileLine;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::Severity;
use crate::model::finding_group::FindingGroup;
use crate::model::finding_group::Groups;
use crate::model::history::PastScan;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::redaction::Values;
use crate::model::remote;
use crate::model::scan_run::ScanRun;
use crate::model::schema::Schema;

#[derive(Debug, Clone)]
pub struct Examination {
    pub schema: Schema,
    /// The coverage of each relation, in the schema's order.
    pub relations: IdVec<RelationId, Coverage>,
    pub findings: Vec<Finding>,
    /// The findings that the baseline does not know, equal ones together.
    pub groups: Groups,
    /// Tables and relations that were not part of the scan: virtual tables, and those that the configuration or a filter
    /// excludes.
    pub excluded: Vec<Excluded>,
    /// Findings of this severity or above fail the scan; `None` if no finding does.
    pub fail_on: Option<Severity>,
    /// The line that declares or configures each relation; empty unless a report needs it.
    pub locations: IdVec<RelationId, FileLine>,
    /// The form in which reports show the values of rows.
    pub values: Values,
    /// The effect of the baseline, if there is one.
    pub baseline: Option<BaselineOutcome>,
    /// Earlier scans of this database and this scan, the oldest first; empty without a history file.
    pub history: Vec<PastScan>,
    /// The circumstances of the scan, for people; `None` if a program made it.
    pub run: Option<ScanRun>,
}

/// The coverage of one relation: how much of it was checked, by which method, with which result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    pub state: CoverageState,
    /// The reason why rows were not checked, and notes on how the others were judged.
    pub reason: Option<String>,
    pub method: Option<Method>,
    /// The reason why a faster method was not possible, if the engine has one.
    pub method_reason: Option<String>,
    pub counts: Counts,
    pub orphan_rows: u64,
    pub missing_keys: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CoverageState {
    Checked,
    /// Only some of the rows were checked, as the user requested.
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

/// The method that judged the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// fk-doctor read the pages of the child table.
    Pages,
    /// fk-doctor read the pages of an index of the child.
    IndexWalk,
    /// fk-doctor sent the parent's keys to the server as a bitmap, and the server searched it for each key of the child.
    KeyBitmap,
    /// fk-doctor read the key columns of files.
    Columns,
    /// The engine joined child and parent in SQL.
    Sql,
}

impl Method {
    pub const ALL: [Method; 5] = [Method::Pages, Method::IndexWalk, Method::KeyBitmap, Method::Columns, Method::Sql];

    pub fn name(self) -> &'static str {
        match self {
            Method::Pages => "pages",
            Method::IndexWalk => "index-walk",
            Method::KeyBitmap => "key-bitmap",
            Method::Columns => "columns",
            Method::Sql => "sql",
        }
    }
}

/// Numbers of rows of one relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows of the child in the relation's scope.
    pub rows: u64,
    /// Rows in scope whose key contains a NULL and so refers to no parent.
    pub null_rows: u64,
    /// Rows in scope whose key is in `ignore-values`.
    pub ignored_rows: u64,
}

/// Keys of a parent that come more than once, where nothing but the rows themselves can show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatedKeys {
    pub keys: u64,
    /// All rows with such a key.
    pub rows: u64,
    /// The file of the first of these rows, and its number there, if they are known.
    pub first: Option<(String, u64)>,
}

/// A table or a relation that was not part of the scan, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// The name of a table, the id of a relation, or a number such as `3 relations`.
    pub name: String,
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanVerdict {
    Clean,
    Findings,
    /// The checked rows have no finding, and the user excluded the other rows.
    Partial,
    /// Some relation could not be checked.
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

/// The totals at the beginning of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub relations: usize,
    pub checked: usize,
    pub partial: usize,
    pub unchecked: usize,
    pub orphan_rows: u64,
    pub missing_keys: u64,
    /// Unknown findings other than orphans, of severity error; `warnings` and `notes` are those of the other severities.
    pub defects: usize,
    pub warnings: usize,
    pub notes: usize,
}

impl Examination {
    /// True if no command of fk-doctor changes the database.
    pub fn is_read_only(&self) -> bool {
        self.schema.database.engine.facts().is_read_only()
    }

    /// True if no command of fk-doctor changes the rows of a group, because it never does or because other servers have them.
    pub fn is_unchangeable(&self, group: &FindingGroup) -> bool {
        let relation = |finding: &Finding| &self.schema.relations[finding.relation];
        let is_remote = |finding: &Finding| remote::table_of(&self.schema, relation(finding)).is_some();
        self.is_read_only() || group.findings(&self.findings).all(is_remote)
    }

    /// Returns this scan as an entry of a history. `at` is a time stamp such as `2026-12-31T23:59:59Z`.
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

    /// Returns an examination of a schema in which nothing has been checked yet.
    pub fn of(schema: Schema) -> Examination {
        Examination {
            schema,
            relations: IdVec::new(),
            findings: Vec::new(),
            groups: Groups::default(),
            excluded: Vec::new(),
            fail_on: Some(Severity::Error),
            locations: IdVec::new(),
            values: Values::Shown,
            baseline: None,
            history: Vec::new(),
            run: None,
        }
    }

    /// True if a finding makes the scan fail.
    pub fn fails(&self, finding: &Finding) -> bool {
        finding.known != Known::Wholly && self.fail_on.is_some_and(|bar| finding.severity >= bar)
    }

    /// Returns the numbers of orphans and missing keys that the baseline knows, such as `(120, 4)`.
    pub fn known_orphans(&self) -> (u64, u64) {
        let orphans = self.findings.iter().filter(|finding| finding.code.is_orphan());
        let of = |finding: &Finding| match finding.known {
            Known::No => (0, 0),
            Known::Partly { rows, missing_keys } => (rows, missing_keys),
            Known::Wholly => (finding.rows, finding.missing_keys),
        };
        orphans.map(of).fold((0, 0), |sum, (rows, keys)| (sum.0 + rows, sum.1 + keys))
    }

    /// Returns the most serious verdict: `Incomplete` outranks `Findings`, and `Findings` outranks `Partial`.
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

    /// Returns the number of rows in the checked tables.
    pub fn rows(&self) -> u64 {
        self.rows_of_tables().values().sum()
    }

    /// Returns the number of rows of each checked table. A table with several relations has the largest of their numbers.
    pub fn rows_of_tables(&self) -> BTreeMap<TableId, u64> {
        let mut of_table: BTreeMap<TableId, u64> = BTreeMap::new();
        for (relation, coverage) in self.schema.relations.iter().zip(&self.relations) {
            let rows = of_table.entry(relation.child).or_default();
            *rows = coverage.counts.rows.max(*rows);
        }
        of_table
    }

    /// Returns the findings that the baseline does not know as a whole.
    pub fn open_findings(&self) -> impl Iterator<Item = &Finding> + Clone {
        self.findings.iter().filter(|finding| finding.known != Known::Wholly)
    }

    pub fn summary(&self) -> Summary {
        let others = |severity| {
            let open = self.open_findings();
            open.filter(|finding| !finding.code.is_orphan() && finding.severity == severity).count()
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
