//! Renders a scan, a schema, a plan or an answer as text, in every format.
//!
//! This module does not print, read or decide: the model already holds the content. A new format is one file here and
//! one variant below. `run` chooses the format and the destination.

pub mod applied;
mod causes;
mod changes;
mod checked;
pub mod code_page;
pub mod csv;
mod dbml;
mod dbt;
pub mod discovery;
mod dot;
mod explanation;
mod formats;
mod github;
mod guided;
mod headline;
mod health;
mod html;
pub mod init;
#[cfg(test)]
mod injection;
mod json;
mod junit;
mod layout;
mod markdown;
mod markup;
mod mermaid;
mod message;
pub mod ndjson;
mod openmetrics;
mod overview;
mod picture;
mod remedies;
pub mod repair;
pub mod restore;
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
use crate::model::choice::Choice;
use crate::model::examination::Examination;
use crate::model::explanation::Explanation;
use crate::model::finding_group::FindingGroup;
use crate::model::schema::Schema;
pub use formats::AnswerFormat;
pub use formats::DiscoveryFormat;
pub use formats::Format;
pub use formats::RepairFormat;
pub use formats::ScanFormat;
pub use formats::SchemaFormat;
pub use message::message;
pub use suggestion::Chosen;

/// The width, the colors and the length of reports that people read. Formats for programs ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TerminalStyle {
    /// The number of columns, or `None` if the output is not a terminal.
    pub width: Option<usize>,
    pub color: bool,
    /// True if symbols are written in ASCII.
    pub ascii: bool,
    pub detail: Detail,
    /// The number of keys and rows of a finding; `None` for the usual number.
    pub samples: Option<usize>,
}

impl TerminalStyle {
    /// Returns the style of a terminal of this width, without colors.
    pub const fn plain(width: usize) -> TerminalStyle {
        TerminalStyle { width: Some(width), color: false, ascii: false, detail: Detail::Usual, samples: None }
    }
}

/// How much of a scan's report people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// The verdict, and nothing if the database is clean.
    Quiet,
    /// The verdict, the causes and the next commands.
    Brief,
    /// Also the gravest findings.
    #[default]
    Usual,
    /// Every finding, relation and note.
    All,
}

/// Returns the first line of a drafted file, by which editors find the JSON Schema of its format.
fn schema_line(format: &str) -> String {
    format!("#:schema {}/raw/main/schemas/{format}.schema.json", env!("CARGO_PKG_REPOSITORY"))
}

/// Returns the report of a scan, ending in a newline. It contains only what the examination holds; a streamed report
/// can contain more rows, see [`csv::Rows`].
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
        ScanFormat::Openmetrics => openmetrics::render(examination),
    }
}

/// Returns the verdict of a scan in one sentence, without the name of the database.
pub fn verdict(examination: &Examination) -> String {
    let (_, sentence) = headline::Headline::of(examination).sentences.swap_remove(0);
    let name = format!("{}: ", examination.schema.database.name);
    sentence.strip_prefix(&name).map(str::to_owned).unwrap_or(sentence)
}

/// Returns a schema in one of its formats, ending in a newline.
/// `scan` is the command that scans its rows.
pub fn schema(schema: &Schema, format: SchemaFormat, scan: &str, terminal: &TerminalStyle) -> String {
    match format {
        SchemaFormat::Table => overview::render(schema, scan, terminal),
        SchemaFormat::Json => json::schema::render(schema),
        SchemaFormat::Mermaid => mermaid::render(schema),
        SchemaFormat::Dot => dot::render(schema),
        SchemaFormat::Dbml => dbml::render(schema),
        SchemaFormat::Dbt => dbt::render(schema),
    }
}

/// Returns what a schema's report leaves out because its format has a limit.
pub fn left_out(schema: &Schema, format: SchemaFormat) -> Option<String> {
    match format {
        SchemaFormat::Mermaid => mermaid::left_out(schema),
        SchemaFormat::Table | SchemaFormat::Json | SchemaFormat::Dot | SchemaFormat::Dbml | SchemaFormat::Dbt => None,
    }
}

/// Returns the report of a planned repair, ending in a newline.
pub fn repair(report: &repair::RepairReport<'_>, format: RepairFormat, terminal: &TerminalStyle) -> String {
    match format {
        RepairFormat::Json => json::repair::render(report),
        RepairFormat::Table | RepairFormat::Sql => repair::render(report, terminal),
    }
}

/// Returns which quarantined rows can come back, ending in a newline.
pub fn restore(report: &restore::RestoreReport<'_>, format: RepairFormat, terminal: &TerminalStyle) -> String {
    match format {
        RepairFormat::Json => json::restore::render(report),
        RepairFormat::Table | RepairFormat::Sql => restore::render(report, terminal),
    }
}

/// Returns the result of `apply` or `undo`, ending in a newline.
pub fn applied(report: &applied::ApplyReport<'_>, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    match format {
        AnswerFormat::Table => applied::render(report, terminal),
        AnswerFormat::Json => json::applied::render(report),
    }
}

/// Returns the state of a plan, ending in a newline.
pub fn status(report: &status::StatusReport<'_>, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    match format {
        AnswerFormat::Table => status::render(report, terminal),
        AnswerFormat::Json => json::status::render(report),
    }
}

/// Returns why statements fail and what they change, ending in a newline.
pub fn explanation(explained: &Explanation, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    match format {
        AnswerFormat::Table => explanation::render(explained, terminal),
        AnswerFormat::Json => json::explanation::render(explained),
    }
}

/// Returns rules drafted from a scan, ending in a newline. `chosen` is what a person chose for each group.
pub fn suggestion(examination: &Examination, chosen: Chosen<'_>) -> String {
    suggestion::render(examination, chosen)
}

/// Returns the verdict and the causes of a scan, as the guided repair shows them.
pub fn scan_to_repair(examination: &Examination, terminal: &TerminalStyle) -> String {
    guided::scan(examination, terminal)
}

/// Returns the title of a step of the guided repair, with the command that it runs.
pub fn step(title: &str, words: &[String], terminal: &TerminalStyle) -> String {
    guided::step(title, words, terminal)
}

/// Returns the title of the step in which a person chooses.
pub fn choosing_step(title: &str, terminal: &TerminalStyle) -> String {
    guided::choosing(title, terminal)
}

/// Returns a line below a group of the guided repair.
pub fn remark(text: &str, terminal: &TerminalStyle) -> String {
    guided::remark(text, terminal)
}

/// Returns a line below the result of a guided repair, with the command for it.
pub fn afterwards(label: &str, text: &str, command: &str, terminal: &TerminalStyle) -> String {
    guided::afterwards(label, text, command, terminal)
}

/// Returns a group of findings as the guided repair asks about it.
pub fn group_to_decide(
    examination: &Examination,
    group: &FindingGroup,
    title: &str,
    terminal: &TerminalStyle,
) -> String {
    guided::group(examination, group, title, terminal)
}

/// Returns all that is known about a group, with its rows.
pub fn rows_to_decide(examination: &Examination, group: &FindingGroup, terminal: &TerminalStyle) -> String {
    guided::rows(examination, group, terminal)
}

/// Returns the shipped rule that treats all relations of a group, if there is one.
pub fn shipped_rule(examination: &Examination, group: &FindingGroup) -> Option<String> {
    causes::rule(examination, group).map(str::to_owned)
}

/// Returns what can be chosen for a group of orphans.
pub fn choices_for(examination: &Examination, group: &FindingGroup) -> Vec<Choice> {
    suggestion::choices_for(examination, group)
}

/// Returns which rows of a load would fail, ending in a newline.
pub fn checked(checked: &CheckResult, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    match format {
        AnswerFormat::Table => checked::render(checked, terminal),
        AnswerFormat::Json => json::checked::render(checked),
    }
}
