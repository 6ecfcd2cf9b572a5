//! The formats that the ending of a file's name stands for.

use super::AnswerFormat;
use super::DiscoveryFormat;
use super::ScanFormat;
use super::SchemaFormat;

/// Formats of which one can be chosen by the name of the file.
pub trait FileEndings: Copy + 'static {
    /// The endings without their point, each with its format.
    const ENDINGS: &'static [(&'static str, Self)];

    fn of_ending(ending: &str) -> Option<Self> {
        Self::ENDINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map(|(_, format)| *format)
    }
}

impl FileEndings for ScanFormat {
    const ENDINGS: &'static [(&'static str, ScanFormat)] = &[
        ("txt", ScanFormat::Table),
        ("html", ScanFormat::Html),
        ("htm", ScanFormat::Html),
        ("json", ScanFormat::Json),
        ("ndjson", ScanFormat::Ndjson),
        ("jsonl", ScanFormat::Ndjson),
        ("csv", ScanFormat::Csv),
        ("md", ScanFormat::Markdown),
        ("markdown", ScanFormat::Markdown),
        ("sarif", ScanFormat::Sarif),
        ("xml", ScanFormat::Junit),
        ("prom", ScanFormat::Openmetrics),
    ];
}

impl FileEndings for DiscoveryFormat {
    const ENDINGS: &'static [(&'static str, DiscoveryFormat)] = &[
        ("txt", DiscoveryFormat::Table),
        ("html", DiscoveryFormat::Html),
        ("htm", DiscoveryFormat::Html),
        ("json", DiscoveryFormat::Json),
        ("ndjson", DiscoveryFormat::Ndjson),
        ("jsonl", DiscoveryFormat::Ndjson),
        ("csv", DiscoveryFormat::Csv),
        ("md", DiscoveryFormat::Markdown),
        ("markdown", DiscoveryFormat::Markdown),
        ("mmd", DiscoveryFormat::Mermaid),
        ("mermaid", DiscoveryFormat::Mermaid),
        ("dot", DiscoveryFormat::Dot),
        ("gv", DiscoveryFormat::Dot),
    ];
}

impl FileEndings for SchemaFormat {
    const ENDINGS: &'static [(&'static str, SchemaFormat)] = &[
        ("txt", SchemaFormat::Table),
        ("json", SchemaFormat::Json),
        ("mmd", SchemaFormat::Mermaid),
        ("mermaid", SchemaFormat::Mermaid),
        ("dot", SchemaFormat::Dot),
        ("gv", SchemaFormat::Dot),
        ("dbml", SchemaFormat::Dbml),
        ("yml", SchemaFormat::Dbt),
        ("yaml", SchemaFormat::Dbt),
    ];
}

impl FileEndings for AnswerFormat {
    const ENDINGS: &'static [(&'static str, AnswerFormat)] =
        &[("txt", AnswerFormat::Table), ("json", AnswerFormat::Json)];
}
