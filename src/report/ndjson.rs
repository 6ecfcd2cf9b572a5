//! A scan as lines of JSON, each written as soon as it is known. The first line describes the scan. Then each relation is
//! followed by its findings, and the last line has the verdict. Together the lines hold the content of the JSON report.

use std::io;
use std::io::Write;

use serde::Serialize;

use crate::model::examination::Coverage;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::ids::RelationId;
use crate::model::redaction::Values;
use crate::model::schema::Schema;
use crate::report::json::Database;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::WireRelation;
use crate::report::json::compact;
use crate::report::json::examination::WireBaseline;
use crate::report::json::examination::WireCoverage;
use crate::report::json::examination::WireExcluded;
use crate::report::json::examination::WireFinding;
use crate::report::json::examination::WireSummary;

/// Writes the lines, one at a time.
pub struct Lines<W: Write> {
    out: W,
}

impl<W: Write> Lines<W> {
    pub fn new(out: W, schema: &Schema, values: Values) -> io::Result<Lines<W>> {
        let mut lines = Lines { out };
        let database = Database::of(&schema.database);
        lines.line(&Line::Scan { format: "fk-doctor/scan-lines@1", tool: TOOL, database, values: values.name() })?;
        Ok(lines)
    }

    pub fn relation(
        &mut self,
        schema: &Schema,
        relation: RelationId,
        coverage: &Coverage,
        findings: &[Finding],
    ) -> io::Result<()> {
        let about = WireRelation::of(schema, &schema.relations[relation]);
        self.line(&Line::Relation(WireCoverage::of(about, coverage)))?;
        for finding in findings {
            self.line(&Line::Finding(WireFinding::of(schema, finding)))?;
        }
        // A program that reads the stream gets each relation at once.
        self.out.flush()
    }

    pub fn finish(mut self, examination: &Examination) -> io::Result<W> {
        self.line(&Line::End {
            verdict: examination.verdict().name(),
            summary: WireSummary::of(examination),
            baseline: examination.baseline.as_ref().map(WireBaseline::of),
            left_alone: WireExcluded::all(examination),
        })?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.out.write_all((compact(line) + "\n").as_bytes())
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line<'a> {
    Scan {
        format: &'static str,
        tool: Tool,
        database: Database<'a>,
        values: &'static str,
    },
    Relation(WireCoverage<'a>),
    Finding(WireFinding<'a>),
    End {
        verdict: &'static str,
        summary: WireSummary,
        baseline: Option<WireBaseline<'a>>,
        left_alone: Vec<WireExcluded<'a>>,
    },
}

/// Returns all lines of a finished examination.
pub(super) fn render(examination: &Examination) -> String {
    let written = (|| {
        let schema = &examination.schema;
        let mut lines = Lines::new(Vec::new(), schema, examination.values)?;
        for (relation, coverage) in examination.relations.entries() {
            let own = examination.findings.iter().filter(|finding| finding.relation == relation).cloned();
            lines.relation(schema, relation, coverage, &own.collect::<Vec<_>>())?;
        }
        lines.finish(examination)
    })();
    match written {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(fault) => unreachable!("a Vec takes every byte: {fault}"),
    }
}
