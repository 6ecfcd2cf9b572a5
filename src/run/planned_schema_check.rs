//! `check --against`: checks the present rows against the foreign keys of a planned schema, before the migration.

use std::path::Path;

use crate::engine::Database;
use crate::examine;
use crate::examine::Examined;
use crate::examine::FindingOptions;
use crate::exit::Exit;
use crate::model::examination::Examination;
use crate::model::examination::ScanVerdict;
use crate::model::finding::Severity;
use crate::model::overlay;
use crate::model::text::io_reason;
use crate::report;
use crate::report::AnswerFormat;
use crate::report::ScanFormat;
use crate::report::TerminalStyle;
use crate::run::RunError;
use crate::scan::ScanOptions;
use crate::sql::read::statements;

/// Scans the present rows for orphans under the foreign keys of the planned schema in the script at `path`.
pub(super) fn examine(
    database: &mut dyn Database,
    path: &Path,
    options: &ScanOptions<'_>,
    finding_options: &FindingOptions<'_>,
) -> Result<Examination, RunError> {
    let unreadable = |why: String| RunError::Input {
        what: path.display().to_string(),
        why,
        help: "name a script of CREATE statements".to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(io_reason(&error)))?;
    let catalog = database.catalog()?;
    let statements = statements::statements(catalog.database.engine, &text);
    let planned = database.planned_catalog(&statements).map_err(|error| RunError::Input {
        what: format!("{} of {}", error.to_string().trim_start_matches("read "), path.display()),
        why: error.because(),
        help: error.help().unwrap_or_default(),
    })?;
    if planned.foreign_keys.is_empty() {
        return Err(unreadable("it declares no foreign key".to_owned()));
    }
    let (schema, excluded) = overlay::with_planned_relations(catalog, planned);
    let mut sessions = database.sessions(options.threads.min(schema.relations.len()))?;
    let Examined { relations, findings, groups, .. } =
        examine::examine_relations(&schema, &mut sessions, options, finding_options, &mut |_, _| {});
    drop(sessions);
    let fail_on = Some(Severity::Error);
    let values = finding_options.redaction.values;
    let mut examination =
        Examination { relations, findings, groups, excluded, fail_on, values, ..Examination::of(schema) };
    if let Some(why) = database.change_while_reading() {
        examine::mark_unchecked(&mut examination, &why);
    }
    Ok(examination)
}

pub(super) fn exit(examination: &Examination) -> Exit {
    match examination.verdict() {
        ScanVerdict::Clean | ScanVerdict::Partial => Exit::Clean,
        ScanVerdict::Findings => Exit::Findings,
        ScanVerdict::Incomplete => Exit::Incomplete,
    }
}

pub(super) fn render(examination: &Examination, format: AnswerFormat, terminal: &TerminalStyle) -> String {
    let format = match format {
        AnswerFormat::Table => ScanFormat::Table,
        AnswerFormat::Json => ScanFormat::Json,
    };
    report::scan(examination, format, terminal)
}
