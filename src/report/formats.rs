//! The formats of reports: the names by which the command line knows them, and the endings of files that stand for them.

/// A closed list of named formats.
pub trait Format: Copy + Send + Sync + 'static {
    const ALL: &'static [Self];

    fn name(self) -> &'static str;

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// Returns the format that the ending of a file's name stands for.
    fn of_ending(ending: &str) -> Option<Self> {
        let (_, name) = ENDINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending))?;
        Self::of_name(name)
    }

    /// Returns the endings that stand for one of these formats.
    fn endings() -> impl Iterator<Item = &'static str> {
        ENDINGS.iter().filter(|(_, name)| Self::of_name(name).is_some()).map(|(ending, _)| *ending)
    }
}

/// The endings without their point, each with the name of a format.
const ENDINGS: [(&str, &str); 19] = [
    ("txt", "table"),
    ("html", "html"),
    ("htm", "html"),
    ("json", "json"),
    ("ndjson", "ndjson"),
    ("jsonl", "ndjson"),
    ("csv", "csv"),
    ("md", "markdown"),
    ("markdown", "markdown"),
    ("sarif", "sarif"),
    ("xml", "junit"),
    ("prom", "openmetrics"),
    ("mmd", "mermaid"),
    ("mermaid", "mermaid"),
    ("dot", "dot"),
    ("gv", "dot"),
    ("dbml", "dbml"),
    ("yml", "dbt"),
    ("yaml", "dbt"),
];

/// The formats for the report of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanFormat {
    Table,
    Json,
    Ndjson,
    Junit,
    Sarif,
    Github,
    Markdown,
    Html,
    Csv,
    Openmetrics,
}

impl Format for ScanFormat {
    const ALL: &'static [ScanFormat] = &[
        ScanFormat::Table,
        ScanFormat::Json,
        ScanFormat::Ndjson,
        ScanFormat::Junit,
        ScanFormat::Sarif,
        ScanFormat::Github,
        ScanFormat::Markdown,
        ScanFormat::Html,
        ScanFormat::Csv,
        ScanFormat::Openmetrics,
    ];

    fn name(self) -> &'static str {
        match self {
            ScanFormat::Table => "table",
            ScanFormat::Json => "json",
            ScanFormat::Ndjson => "ndjson",
            ScanFormat::Junit => "junit",
            ScanFormat::Sarif => "sarif",
            ScanFormat::Github => "github",
            ScanFormat::Markdown => "markdown",
            ScanFormat::Html => "html",
            ScanFormat::Csv => "csv",
            ScanFormat::Openmetrics => "openmetrics",
        }
    }
}

impl ScanFormat {
    /// True if the report is written during the scan, and not as one text at its end.
    pub fn streams(self) -> bool {
        matches!(self, ScanFormat::Csv | ScanFormat::Ndjson)
    }

    /// One line for the documentation.
    pub fn explanation(self) -> &'static str {
        match self {
            ScanFormat::Table => "for people, the default",
            ScanFormat::Json => "everything, as `schemas/scan.schema.json` describes it",
            ScanFormat::Ndjson => "the same as JSON lines, each written as soon as it is known",
            ScanFormat::Junit => "one test case per relation: passed, failed, or skipped with the reason",
            ScanFormat::Sarif => "SARIF 2.1.0 for code scanning, with stable fingerprints",
            ScanFormat::Github => "annotations of a workflow run, and the step's summary",
            ScanFormat::Markdown => "for a pull request or an issue",
            ScanFormat::Html => "one page in one file: the picture, every finding and relation; no network",
            ScanFormat::Csv => "every orphan row, written as it is read; safe to open in a spreadsheet",
            ScanFormat::Openmetrics => "numbers for Prometheus, such as orphan rows for each relation",
        }
    }
}

/// The formats for a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaFormat {
    Table,
    Json,
    Mermaid,
    Dot,
    Dbml,
    Dbt,
}

impl Format for SchemaFormat {
    const ALL: &'static [SchemaFormat] = &[
        SchemaFormat::Table,
        SchemaFormat::Json,
        SchemaFormat::Mermaid,
        SchemaFormat::Dot,
        SchemaFormat::Dbml,
        SchemaFormat::Dbt,
    ];

    fn name(self) -> &'static str {
        match self {
            SchemaFormat::Table => "table",
            SchemaFormat::Json => "json",
            SchemaFormat::Mermaid => "mermaid",
            SchemaFormat::Dot => "dot",
            SchemaFormat::Dbml => "dbml",
            SchemaFormat::Dbt => "dbt",
        }
    }
}

/// The formats for the report of a discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscoveryFormat {
    Table,
    Json,
    Ndjson,
    Markdown,
    Html,
    Csv,
    Mermaid,
    Dot,
}

impl Format for DiscoveryFormat {
    const ALL: &'static [DiscoveryFormat] = &[
        DiscoveryFormat::Table,
        DiscoveryFormat::Json,
        DiscoveryFormat::Ndjson,
        DiscoveryFormat::Markdown,
        DiscoveryFormat::Html,
        DiscoveryFormat::Csv,
        DiscoveryFormat::Mermaid,
        DiscoveryFormat::Dot,
    ];

    fn name(self) -> &'static str {
        match self {
            DiscoveryFormat::Table => "table",
            DiscoveryFormat::Json => "json",
            DiscoveryFormat::Ndjson => "ndjson",
            DiscoveryFormat::Markdown => "markdown",
            DiscoveryFormat::Html => "html",
            DiscoveryFormat::Csv => "csv",
            DiscoveryFormat::Mermaid => "mermaid",
            DiscoveryFormat::Dot => "dot",
        }
    }
}

impl DiscoveryFormat {
    /// True if the report lists candidates of every tier, with their evidence.
    pub fn lists_all(self) -> bool {
        match self {
            DiscoveryFormat::Json | DiscoveryFormat::Ndjson | DiscoveryFormat::Html | DiscoveryFormat::Csv => true,
            DiscoveryFormat::Table | DiscoveryFormat::Markdown | DiscoveryFormat::Mermaid | DiscoveryFormat::Dot => {
                false
            }
        }
    }
}

/// The formats for the report of a planned repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairFormat {
    Table,
    Json,
    /// The changes as an SQL script, which `run` makes from the plan.
    Sql,
}

impl Format for RepairFormat {
    const ALL: &'static [RepairFormat] = &[RepairFormat::Table, RepairFormat::Json, RepairFormat::Sql];

    fn name(self) -> &'static str {
        match self {
            RepairFormat::Table => "table",
            RepairFormat::Json => "json",
            RepairFormat::Sql => "sql",
        }
    }
}

/// The formats for an explanation, a check, and the result or the state of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    Table,
    Json,
}

impl Format for AnswerFormat {
    const ALL: &'static [AnswerFormat] = &[AnswerFormat::Table, AnswerFormat::Json];

    fn name(self) -> &'static str {
        match self {
            AnswerFormat::Table => "table",
            AnswerFormat::Json => "json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<F: Format>() -> Vec<&'static str> {
        F::ALL.iter().map(|format| format.name()).collect()
    }

    #[test]
    fn formats_have_distinct_names() {
        let scan = ["table", "json", "ndjson", "junit", "sarif", "github", "markdown", "html", "csv", "openmetrics"];
        assert_eq!(names::<ScanFormat>(), scan);
        assert_eq!(names::<SchemaFormat>(), ["table", "json", "mermaid", "dot", "dbml", "dbt"]);
        let discovery = ["table", "json", "ndjson", "markdown", "html", "csv", "mermaid", "dot"];
        assert_eq!(names::<DiscoveryFormat>(), discovery);
        assert_eq!(names::<RepairFormat>(), ["table", "json", "sql"]);
        assert_eq!(names::<AnswerFormat>(), ["table", "json"]);
    }

    #[test]
    fn every_ending_stands_for_a_format_of_a_scan_or_a_schema() {
        let known = [names::<ScanFormat>(), names::<SchemaFormat>()].concat();
        assert!(ENDINGS.iter().all(|(_, name)| known.contains(name)));
        assert_eq!(ScanFormat::of_ending("HTM"), Some(ScanFormat::Html));
        assert_eq!(SchemaFormat::of_ending("htm"), None);
        assert_eq!(AnswerFormat::endings().collect::<Vec<_>>(), ["txt", "json"]);
    }
}
