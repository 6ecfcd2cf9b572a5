//! `check --rules`: treats rows by repair rules before they are loaded. The rows that can be loaded go to a corrected file,
//! their new parents to a script, and all other rows to a rest file. So each row of the input is in one of the two files.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::apply::ApplyError;
use crate::check::CheckError;
use crate::engine::EngineError;
use crate::engine::Trial;
use crate::engine::WaitLimits;
use crate::engines;
use crate::intake;
use crate::intake::FileKind;
use crate::intake::ReadOptions;
use crate::intake::Record;
use crate::intake::csv_writer::CsvWriter;
use crate::model::catalog::Table;
use crate::model::check_result::CorrectedLoad;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::relation::Origin;
use crate::model::resolve;
use crate::model::schema::Schema;
use crate::model::text::io_reason;
use crate::model::value::Value;
use crate::run::Environment;
use crate::run::RunError;
use crate::run::repair;
use crate::run::rule_files;
use crate::scan::Progress;
use crate::source::Source;
use crate::sql::load;
use crate::sql::load::TreatableLoad;
use crate::whole_file::WholeFile;

/// A file whose rows were put into a trial, and the files to write.
pub(super) struct CorrectionRequest<'a> {
    pub(super) schema: &'a Schema,
    pub(super) table: TableId,
    pub(super) file: &'a Path,
    pub(super) kind: FileKind,
    pub(super) options: &'a ReadOptions,
    pub(super) rules: &'a [PathBuf],
    pub(super) files: &'a CorrectedFiles,
    /// The number of a row in the trial is this offset plus its line in the file.
    pub(super) row_offset: i64,
}

/// The files to write. For `orders.csv` the others are `orders.rest.csv` and `orders.parents.sql`.
pub(super) struct CorrectedFiles {
    corrected: PathBuf,
    rest: PathBuf,
    parents: PathBuf,
}

impl CorrectedFiles {
    pub(super) fn of(corrected: &Path) -> CorrectedFiles {
        let stem = corrected.file_stem().unwrap_or_default().to_string_lossy();
        let ending = corrected.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
        CorrectedFiles {
            corrected: corrected.to_owned(),
            rest: corrected.with_file_name(format!("{stem}.rest{ending}")),
            parents: corrected.with_file_name(format!("{stem}.parents.sql")),
        }
    }

    pub(super) fn all(&self) -> [&Path; 3] {
        [&self.corrected, &self.rest, &self.parents]
    }

    /// Returns the files whose names are derived from the first.
    pub(super) fn derived(&self) -> [&Path; 2] {
        [&self.rest, &self.parents]
    }
}

/// Treats the rows in the trial and writes the files.
pub(super) fn correct(
    trial: &mut dyn Trial,
    request: &CorrectionRequest<'_>,
    wait_limits: &WaitLimits,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<CorrectedLoad, RunError> {
    let separator = separator(request)?;
    let help = "load the rows into a SQLite copy, or load them first and then repair the table";
    let load = load::treatable(request.schema)
        .ok_or_else(|| unfit(request.file, "fk-doctor corrects rows for SQLite only so far", help))?;
    let parents = treat(trial, load.as_ref(), request, wait_limits, environment, progress)?;
    let CorrectedFiles { corrected, rest, parents: script } = request.files;
    let mut done = CorrectedLoad {
        file: corrected.display().to_string(),
        rest: rest.display().to_string(),
        parents: script.display().to_string(),
        parent_rows: parents.rows,
        ..CorrectedLoad::default()
    };
    let source =
        std::fs::File::open(request.file).map_err(|error| unfit(request.file, &io_reason(&error), "check the file"))?;
    let mut split = Split {
        request,
        load: load.as_ref(),
        keys: key_columns(request.schema, request.table),
        good: CsvWriter::new(draft(corrected)?, separator, request.options),
        left: CsvWriter::new(draft(rest)?, separator, request.options),
        has_header: false,
        changed: 0,
    };
    let each = &mut |record: Record| split.take(trial, record);
    intake::read(std::io::BufReader::new(source), request.kind, request.options, each)
        .map_err(|fault| fault.into_run_error(request.file))?;
    let Split { good, left, changed, .. } = split;
    (done.rows, done.rest_rows, done.changed) = (good.rows, left.rows, changed);
    if parents.rows > 0 {
        let mut file = draft(script)?;
        let written = file.write_all(parents.script.as_bytes()).and_then(|()| file.sync()?.create_new());
        written.map_err(|error| RunError::unwritten(Some(script), &error))?;
    }
    if done.rest_rows > 0 {
        let kept = left.finish().and_then(|file| file.sync()?.create_new());
        kept.map_err(|error| RunError::unwritten(Some(rest), &error))?;
    }
    // The corrected file is written last: once it exists, the other files exist too.
    let kept = good.finish().and_then(|file| file.sync()?.replace());
    kept.map_err(|error| RunError::unwritten(Some(corrected), &error))?;
    Ok(done)
}

fn separator(request: &CorrectionRequest<'_>) -> Result<u8, RunError> {
    match request.kind {
        FileKind::Csv => Ok(b','),
        FileKind::Tsv => Ok(b'\t'),
        FileKind::Json | FileKind::Ndjson => {
            let why = "corrected rows are written as CSV or TSV";
            Err(unfit(request.file, why, "convert the rows to CSV first"))
        }
    }
}

/// Splits the rows of the file into those that can be loaded and the rest.
struct Split<'a> {
    request: &'a CorrectionRequest<'a>,
    load: &'a dyn TreatableLoad,
    /// The key columns, which rules may change.
    keys: Vec<usize>,
    good: CsvWriter<WholeFile>,
    left: CsvWriter<WholeFile>,
    has_header: bool,
    /// Rows that the rules changed.
    changed: u64,
}

impl Split<'_> {
    fn take(&mut self, trial: &mut dyn Trial, mut record: Record) -> Result<(), Fault> {
        if !self.has_header {
            self.good.write_header(&record.columns)?;
            self.left.write_header(&record.columns)?;
            self.has_header = true;
        }
        let CorrectionRequest { schema, table, row_offset, .. } = *self.request;
        let number = row_offset + i64::try_from(record.line).unwrap_or(i64::MAX);
        let mut row: Option<Vec<Value>> = None;
        let query = self.load.treated_row(schema, table, &self.keys, number);
        trial.each_row(&query, &mut |found| row = Some(found.to_vec()))?;
        match row.and_then(|row| copy_changes(schema, table, &self.keys, &row, &mut record)) {
            Some(changed) => {
                self.changed += u64::from(changed);
                Ok(self.good.write_row(&record.columns, &record.values)?)
            }
            None => Ok(self.left.write_row(&record.columns, &record.values)?),
        }
    }
}

/// The parents that must be inserted before the rows of the file.
#[derive(Default)]
struct Parents {
    script: String,
    rows: u64,
}

/// Makes a plan on a copy of the trial, where the rules see only the orphans of the load, and applies it to the trial.
fn treat(
    trial: &mut dyn Trial,
    load: &dyn TreatableLoad,
    request: &CorrectionRequest<'_>,
    wait_limits: &WaitLimits,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Parents, RunError> {
    let files = rule_files::read(request.rules, environment)?;
    let folder = tempfile::tempdir().map_err(|error| RunError::unwritten(None, &error))?;
    let copy = folder.path().join("load.db");
    trial.prepare(&load.save_loaded_rows(request.schema, request.table))?;
    trial.save(&copy)?;
    let mut database =
        engines::open(&Source::File { engine: request.schema.database.engine, path: copy }, wait_limits)?;
    let mut schema = resolve::resolve(database.catalog()?, &[]).map_err(|_| RunError::unresolved())?;
    let child = schema.tables.position(|table| table.name == request.schema.tables[request.table].name);
    for relation in &mut schema.relations {
        let is_loaded = Some(relation.child) == child;
        relation.scope.condition =
            Some(if is_loaded { load.is_loaded(request.schema, request.table) } else { load.matches_no_row() });
    }
    let planned =
        repair::plan_for_schema(schema, database.as_mut(), &files, environment, wait_limits.lock_wait, progress)?;
    if let Some(refusal) = planned.draft.forecast.refusals.first() {
        let why = format!("{}: {}", refusal.rule, refusal.why);
        return Err(RunError::Apply(ApplyError::Refused { doing: "make", why, help: refusal.help.clone() }));
    }
    let mut parents = Parents::default();
    let repair_sql = planned.sql;
    trial.prepare(&load.clear_position())?;
    for new in &planned.draft.forecast.creates {
        trial.prepare(&[repair_sql.create_table(new)])?;
    }
    let each = |table: &Table, change: &Change| -> Result<(), Fault> {
        let statement = repair_sql.change_row(table, &change.row, change);
        if change.role() == ChangeRole::Parent && change.before.is_none() {
            parents.rows += 1;
            parents.script.push_str(&repair_sql.with_literals(&statement));
            parents.script.push_str(";\n");
        }
        Ok(trial.prepare(&[statement])?)
    };
    planned.each_change(each).map_err(|fault| fault.into_run_error(request.file))?;
    trial.prepare(&[load.delete_orphan_positions()])?;
    for (index, relation) in request.schema.relations.entries() {
        if relation.origin == Origin::Declared && relation.child == request.table {
            trial.prepare(&[load.insert_orphan_positions(request.schema, index)])?;
        }
    }
    if parents.rows > 0 {
        parents.script = format!("{}{}{}", repair_sql.script_header(), parents.script, repair_sql.script_footer());
    }
    Ok(parents)
}

/// Returns the columns of the table's foreign keys, which rules may change.
fn key_columns(schema: &Schema, table: TableId) -> Vec<usize> {
    let mut columns: Vec<usize> = Vec::new();
    let own = schema.relations.iter().filter(|relation| relation.origin == Origin::Declared && relation.child == table);
    for &column in own.flat_map(|relation| &relation.child_columns) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

/// Copies the changes of the rules into a record. `row` has two values per key column after the first value, for example
/// `[…, 1, 22]`: the column changed, and its new value is 22. Returns true if anything changed, or `None` if the file lacks
/// a changed column.
fn copy_changes(schema: &Schema, table: TableId, keys: &[usize], row: &[Value], record: &mut Record) -> Option<bool> {
    let mut changed = false;
    for (&column, pair) in keys.iter().zip(row.get(1..).unwrap_or_default().chunks(2)) {
        let [Value::Integer(1), value] = pair else { continue };
        changed = true;
        let name = &schema.tables[table].columns[column].name;
        let position = record.columns.iter().position(|known| schema.names.same(known.trim(), name))?;
        record.values[position] = value.clone();
    }
    Some(changed)
}

fn draft(path: &Path) -> Result<WholeFile, RunError> {
    WholeFile::beside(path).map_err(|error| RunError::unwritten(Some(path), &error))
}

fn unfit(file: &Path, why: &str, help: &str) -> RunError {
    RunError::Input { what: file.display().to_string(), why: why.to_owned(), help: help.to_owned() }
}

/// The errors of a correction, which become one [`RunError`].
enum Fault {
    Check(CheckError),
    Written(std::io::Error),
    PlanDraft(rusqlite::Error),
}

impl Fault {
    fn into_run_error(self, file: &Path) -> RunError {
        match self {
            Fault::Check(fault) => RunError::of_check(&file.display().to_string(), fault),
            Fault::Written(error) => RunError::unwritten(None, &error),
            Fault::PlanDraft(error) => RunError::Treat(error.into()),
        }
    }
}

impl From<intake::FileError> for Fault {
    fn from(fault: intake::FileError) -> Fault {
        Fault::Check(CheckError::FileError(fault))
    }
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Fault {
        Fault::Check(CheckError::Engine(error))
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Written(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::PlanDraft(error)
    }
}
