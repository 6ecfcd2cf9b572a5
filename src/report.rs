//! Reports: a scan or a schema as a value goes in, a text comes out.
//!
//! Nothing here prints, reads or decides; what a report says was decided in the model. A new format is one file here
//! and one variant below. Leaves out: where the text goes, and which format was asked for.

pub mod applied;
mod checked;
pub mod csv;
mod dot;
mod explanation;
mod github;
mod headline;
mod health;
mod html;
#[cfg(test)]
mod injection;
mod json;
mod junit;
mod layout;
mod markdown;
mod markup;
mod mermaid;
pub mod ndjson;
mod overview;
mod picture;
pub mod repair;
#[cfg(test)]
mod sample;
mod sarif;
pub mod status;
mod suggestion;
mod table;
#[cfg(test)]
mod tests;
mod wording;

use crate::model::check_result::CheckResult;
use crate::model::examination::Examination;
use crate::model::explanation::Explanation;
use crate::model::schema::Schema;

/// What a report for people is written on. Reports for machines ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TerminalStyle {
    /// Columns of the terminal; `None` where there is none.
    pub width: Option<usize>,
    pub color: bool,
}

/// The forms that a scan can be reported in.
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
}

impl ScanFormat {
    pub const ALL: [ScanFormat; 9] = [
        ScanFormat::Table,
        ScanFormat::Json,
        ScanFormat::Ndjson,
        ScanFormat::Junit,
        ScanFormat::Sarif,
        ScanFormat::Github,
        ScanFormat::Markdown,
        ScanFormat::Html,
        ScanFormat::Csv,
    ];

    pub fn name(self) -> &'static str {
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
        }
    }

    /// Written while the scan goes on, not as a text at its end.
    pub fn streams(self) -> bool {
        matches!(self, ScanFormat::Csv | ScanFormat::Ndjson)
    }

    /// One line for the README.
    pub fn explanation(self) -> &'static str {
        match self {
            ScanFormat::Table => "for people, the default",
            ScanFormat::Json => "everything, as [`schemas/scan.schema.json`](schemas/scan.schema.json) has it",
            ScanFormat::Ndjson => "the same in lines, each written as soon as it is known",
            ScanFormat::Junit => "one test case per relation: passed, failed, or skipped with the reason",
            ScanFormat::Sarif => "SARIF 2.1.0 for code scanning, with stable fingerprints",
            ScanFormat::Github => "annotations of a workflow run, and the step's summary",
            ScanFormat::Markdown => "for a pull request or an issue",
            ScanFormat::Html => "one page in one file: the picture, every finding and relation; no network",
            ScanFormat::Csv => "every orphan row, written as it is read; safe to open in a spreadsheet",
        }
    }
}

/// The forms that a schema can be shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaFormat {
    Table,
    Json,
    Mermaid,
    Dot,
}

impl SchemaFormat {
    pub const ALL: [SchemaFormat; 4] =
        [SchemaFormat::Table, SchemaFormat::Json, SchemaFormat::Mermaid, SchemaFormat::Dot];

    pub fn name(self) -> &'static str {
        match self {
            SchemaFormat::Table => "table",
            SchemaFormat::Json => "json",
            SchemaFormat::Mermaid => "mermaid",
            SchemaFormat::Dot => "dot",
        }
    }
}

/// The forms that a planned repair can be reported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairFormat {
    Table,
    Json,
    /// The changes themselves, as a script; made from the plan and not here.
    Sql,
}

impl RepairFormat {
    pub const ALL: [RepairFormat; 3] = [RepairFormat::Table, RepairFormat::Json, RepairFormat::Sql];

    pub fn name(self) -> &'static str {
        match self {
            RepairFormat::Table => "table",
            RepairFormat::Json => "json",
            RepairFormat::Sql => "sql",
        }
    }
}

/// The forms that the answer to a question is given in: an explanation, a check, what became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    Table,
    Json,
}

impl AnswerFormat {
    pub const ALL: [AnswerFormat; 2] = [AnswerFormat::Table, AnswerFormat::Json];

    pub fn name(self) -> &'static str {
        match self {
            AnswerFormat::Table => "table",
            AnswerFormat::Json => "json",
        }
    }
}

/// The report of a scan, ending in a newline. It holds what the examination holds; the formats that stream can say
/// more, see [`csv::Rows`].
pub fn scan(examination: &Examination, format: ScanFormat, terminal: &TerminalStyle) -> String {
    match format {
        ScanFormat::Table => table::render(examination, terminal),
        ScanFormat::Json => json::examination::render(examination),
        ScanFormat::Ndjson => ndjson::render(examination),
        ScanFormat::Junit => junit::render(examination),
        ScanFormat::Sarif => sarif::render(examination),
        ScanFormat::Github => github::render(examination),
        ScanFormat::Markdown => markdown::render(examination),
        ScanFormat::Html => html::render(examination),
        ScanFormat::Csv => csv::render(examination),
    }
}

/// The picture of a schema, ending in a newline.
pub fn schema(schema: &Schema, format: SchemaFormat, terminal: &TerminalStyle) -> String {
    match format {
        SchemaFormat::Table => overview::render(schema, terminal),
        SchemaFormat::Json => json::schema::render(schema),
        SchemaFormat::Mermaid => mermaid::render(schema),
        SchemaFormat::Dot => dot::render(schema),
    }
}

/// The report of a repair that is planned, ending in a newline.
pub fn repair(report: &repair::RepairReport<'_>, format: RepairFormat, terminal: &TerminalStyle) -> String {
    match format {
        RepairFormat::Json => json::repair::render(report),
        RepairFormat::Table | RepairFormat::Sql => repair::render(report, terminal),
    }
}

/// What applying a plan, or taking it back, came to, ending in a newline.
pub fn applied(report: &applied::ApplyReport<'_>, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    match format {
        AnswerFormat::Table => applied::render(report, terminal),
        AnswerFormat::Json => json::applied::render(report),
    }
}

/// How far a plan is, ending in a newline.
pub fn status(report: &status::StatusReport<'_>, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    match format {
        AnswerFormat::Table => status::render(report, terminal),
        AnswerFormat::Json => json::status::render(report),
    }
}

/// Why statements fail and what they do, ending in a newline.
pub fn explanation(explained: &Explanation, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    match format {
        AnswerFormat::Table => explanation::render(explained, terminal),
        AnswerFormat::Json => json::explanation::render(explained),
    }
}

/// Rules drafted from a scan, ending in a newline.
pub fn suggestion(examination: &Examination) -> String {
    suggestion::render(examination)
}

/// Which rows of a load would fail, ending in a newline.
pub fn checked(checked: &CheckResult, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    match format {
        AnswerFormat::Table => checked::render(checked, terminal),
        AnswerFormat::Json => json::checked::render(checked),
    }
}
