//! The reports of a scan: those that are texts, and those that are streamed.

use std::path::Path;
use std::path::PathBuf;

use super::Environment;
use super::RunError;
use super::Sink;
use super::Stream;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::examine::RelationResult;
use crate::model::examination::Examination;
use crate::model::ids::RelationId;
use crate::model::redaction::Redaction;
use crate::model::redaction::Values;
use crate::model::schema::Schema;
use crate::report;
use crate::report::ScanFormat;
use crate::report::TerminalStyle;
use crate::report::csv::Rows;
use crate::report::ndjson::Lines;
use crate::scan;
use crate::scan::ScanResult;
use crate::scan::ScanResults;

pub(super) type Output = (ScanFormat, Option<PathBuf>);

/// Returns every report that is not streamed.
pub(super) fn documents(
    examination: &Examination,
    outputs: Vec<Output>,
    terminal: &TerminalStyle,
) -> Vec<(Option<PathBuf>, String)> {
    let whole = outputs.into_iter().filter(|(format, _)| !format.streams()).collect();
    super::styled_documents(whole, terminal, |format, terminal| report::scan(examination, format, terminal))
}

/// The reports that are written during the scan.
pub(super) struct StreamedReports {
    reports: Vec<StreamedReport>,
    fault: Option<RunError>,
}

struct StreamedReport {
    file: Option<PathBuf>,
    lines: Lines<Box<dyn Stream>>,
}

impl StreamedReports {
    pub(super) fn open(
        outputs: &[Output],
        schema: &Schema,
        values: Values,
        sink: &dyn Sink,
    ) -> Result<StreamedReports, RunError> {
        let streamed = outputs.iter().filter(|(format, _)| *format == ScanFormat::Ndjson);
        let reports = streamed.map(|(_, file)| {
            let unwritten = |error: std::io::Error| RunError::unwritten(file.as_deref(), &error);
            let stream = sink.stream(file.as_deref()).map_err(unwritten)?;
            Ok(StreamedReport { file: file.clone(), lines: Lines::new(stream, schema, values).map_err(unwritten)? })
        });
        Ok(StreamedReports { reports: reports.collect::<Result<_, RunError>>()?, fault: None })
    }

    pub(super) fn write_relation(&mut self, schema: &Schema, relation: RelationId, result: &RelationResult) {
        for StreamedReport { file, lines } in &mut self.reports {
            if let Err(error) = lines.relation(schema, relation, &result.coverage, &result.findings) {
                self.fault.get_or_insert(RunError::unwritten(file.as_deref(), &error));
            }
        }
    }

    pub(super) fn finish(self, examination: &Examination) -> Result<(), RunError> {
        self.fault.map_or(Ok(()), Err)?;
        for StreamedReport { file, lines } in self.reports {
            let finished = lines.finish(examination).and_then(Stream::finish);
            finished.map_err(|error| RunError::unwritten(file.as_deref(), &error))?;
        }
        Ok(())
    }
}

/// Writes every orphan to a CSV report. It reads them again in the same snapshot, because they may not fit in memory.
pub(super) fn stream_orphans(
    schema: &Schema,
    facts: &ScanResults,
    redaction: &Redaction,
    sessions: &mut [Box<dyn Session>],
    sink: &dyn Sink,
    file: Option<&Path>,
) -> Result<(), RunError> {
    let unwritten = |error: std::io::Error| RunError::unwritten(file, &error);
    let mut stream = sink.stream(file).map_err(unwritten)?;
    let mut rows = Rows::new(&mut stream).map_err(unwritten)?;
    for ((id, relation), fact) in schema.relations.entries().zip(facts) {
        let ScanResult::Checked(tally) = fact else { continue };
        if tally.orphan_rows + tally.known_rows == 0 {
            continue;
        }
        let mut fault = None;
        scan::each_orphan(schema, sessions[0].as_mut(), relation, tally, &mut |orphan| {
            if fault.is_none() {
                fault = rows.orphan(schema, id, &redaction.sample(schema, relation, orphan)).err();
            }
        })
        .map_err(|error| without_values(redaction, error))?;
        fault.map_or(Ok(()), Err).map_err(unwritten)?;
    }
    rows.finish().map_err(unwritten)?;
    stream.finish().map_err(unwritten)
}

/// Appends the Markdown report to the summary of a workflow step, if there is one.
pub(super) fn summarize(examination: &Examination, environment: &Environment, sink: &dyn Sink) -> Result<(), RunError> {
    let Some(page) = &environment.step_summary else { return Ok(()) };
    let text = report::scan(examination, ScanFormat::Markdown, &TerminalStyle::default());
    sink.append(page, &text).map_err(|error| RunError::unwritten(Some(page), &error))
}

/// Returns an engine's error without the values that it may quote.
fn without_values(redaction: &Redaction, error: EngineError) -> EngineError {
    match error {
        EngineError::Failed { why } => EngineError::Failed { why: redaction.message(&why) },
        other => other,
    }
}
