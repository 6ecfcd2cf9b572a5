//! Reports: a scan or a schema as a value goes in, a text comes out.
//!
//! Nothing here prints, reads or decides; what a report says was decided in the model. A new format is one file here
//! and one variant below. Leaves out: where the text goes, and which format was asked for.

mod dot;
mod health;
mod json;
mod layout;
mod mermaid;
mod overview;
mod picture;
#[cfg(test)]
mod sample;
mod table;
#[cfg(test)]
mod tests;

use crate::model::examination::Examination;
use crate::model::schema::Schema;

/// What a report for people is written on. Reports for machines ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paper {
    /// Columns of the terminal; `None` where there is none.
    pub width: Option<usize>,
    pub color: bool,
}

/// The forms that a scan can be reported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanFormat {
    Table,
    Json,
}

impl ScanFormat {
    pub const ALL: [ScanFormat; 2] = [ScanFormat::Table, ScanFormat::Json];

    pub fn name(self) -> &'static str {
        match self {
            ScanFormat::Table => "table",
            ScanFormat::Json => "json",
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

/// The report of a scan, ending in a newline.
pub fn scan(examination: &Examination, format: ScanFormat, paper: &Paper) -> String {
    match format {
        ScanFormat::Table => table::render(examination, paper),
        ScanFormat::Json => json::examination::render(examination),
    }
}

/// The picture of a schema, ending in a newline.
pub fn schema(schema: &Schema, format: SchemaFormat, paper: &Paper) -> String {
    match format {
        SchemaFormat::Table => overview::render(schema, paper),
        SchemaFormat::Json => json::schema::render(schema),
        SchemaFormat::Mermaid => mermaid::render(schema),
        SchemaFormat::Dot => dot::render(schema),
    }
}
