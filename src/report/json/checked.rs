//! A check of rows to be loaded as JSON: `fk-doctor/check@1`.

use serde::Serialize;

use crate::model::check_result::CheckResult;
use crate::model::check_result::CorrectedLoad;
use crate::model::check_result::LoadSource;
use crate::model::check_result::RefusedRow;
use crate::model::check_result::RefusedRows;
use crate::model::check_result::Taken;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::report::json::Database;
use crate::report::json::NamedValues;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::WireTrial;
use crate::report::json::document;
use crate::report::json::examination::WireFinding;

pub(in crate::report) fn render(checked: &CheckResult) -> String {
    let findings: Vec<Finding> = checked.findings.iter().map(|finding| cut(finding, checked.samples)).collect();
    document(&Report {
        format: "fk-doctor/check@1",
        tool: TOOL,
        database: Database::of(&checked.schema.database),
        summary: Summary { rows: checked.rows(), would_fail: checked.would_fail },
        trial: WireTrial::of(&checked.trial),
        loads: checked.loads.iter().map(Load::of).collect(),
        findings: findings.iter().map(|finding| WireFinding::of(&checked.schema, finding)).collect(),
        refused: checked.refused.iter().map(|refused| WireRefusedRows::of(refused, checked.samples)).collect(),
        order: &checked.order,
        cycles: &checked.cycles,
        corrected: checked.corrected.as_ref().map(Files::of),
    })
}

/// Returns a finding with so many samples and keys at most.
fn cut(finding: &Finding, samples: usize) -> Finding {
    let mut finding = finding.clone();
    finding.samples.truncate(samples);
    finding.top_missing.truncate(samples);
    finding
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    summary: Summary,
    trial: WireTrial<'a>,
    loads: Vec<Load<'a>>,
    findings: Vec<WireFinding<'a>>,
    refused: Vec<WireRefusedRows<'a>>,
    order: &'a [String],
    cycles: &'a [Vec<String>],
    corrected: Option<Files<'a>>,
}

#[derive(Serialize)]
struct Files<'a> {
    file: &'a str,
    rows: u64,
    changed: u64,
    rest: &'a str,
    rest_rows: u64,
    parents: &'a str,
    parent_rows: u64,
}

impl<'a> Files<'a> {
    fn of(corrected: &'a CorrectedLoad) -> Files<'a> {
        let CorrectedLoad { file, rows, changed, rest, rest_rows, parents, parent_rows } = corrected;
        Files { file, rows: *rows, changed: *changed, rest, rest_rows: *rest_rows, parents, parent_rows: *parent_rows }
    }
}

#[derive(Serialize)]
struct Summary {
    rows: u64,
    would_fail: u64,
}

#[derive(Serialize)]
struct Load<'a> {
    table: &'a str,
    source: &'a str,
    rows: u64,
}

impl<'a> Load<'a> {
    fn of(load: &'a LoadSource) -> Load<'a> {
        Load { table: &load.table, source: &load.source, rows: load.rows }
    }
}

#[derive(Serialize)]
struct WireRefusedRows<'a> {
    code: &'static str,
    table: Option<&'a str>,
    columns: &'a [String],
    rows: u64,
    message: &'a str,
    help: &'a str,
    places: Vec<WireRefusedRow<'a>>,
}

impl<'a> WireRefusedRows<'a> {
    fn of(refused: &'a RefusedRows, samples: usize) -> WireRefusedRows<'a> {
        let about = &refused.constraint;
        WireRefusedRows {
            code: about.code.name(),
            table: about.table.as_deref(),
            columns: &about.columns,
            rows: refused.rows,
            message: &about.message,
            help: &about.help,
            places: refused.samples.iter().take(samples).map(|row| WireRefusedRow::of(row, about.code)).collect(),
        }
    }
}

#[derive(Serialize)]
struct WireRefusedRow<'a> {
    source: &'a str,
    line: u64,
    key: Option<NamedValues<'a>>,
    /// The text `table`, or the earlier row that has the key.
    taken_by: Option<WireKeyHolder<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireKeyHolder<'a> {
    Table(&'static str),
    Row { source: &'a str, line: u64 },
}

impl<'a> WireRefusedRow<'a> {
    fn of(refused: &'a RefusedRow, code: Code) -> WireRefusedRow<'a> {
        let taken_by = refused.taken.as_ref().map(|taken| match taken {
            Taken::Table => WireKeyHolder::Table("table"),
            Taken::Row { source, line } => WireKeyHolder::Row { source, line: *line },
        });
        let key = refused.values.iter().map(|(column, value)| (column.as_str(), value));
        let key = (code == Code::DuplicateKey && !refused.values.is_empty()).then(|| NamedValues::new(key));
        WireRefusedRow { source: &refused.source, line: refused.line, key, taken_by }
    }
}
