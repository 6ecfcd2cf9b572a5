//! `check --rules`: the rules of a repair treat rows before they are loaded. What they make of the rows goes to a corrected
//! file, parents that have to be there first to a script, and every row that is left to a file of the rest: the lines of
//! the two files are all the lines there were.

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
use crate::model::value::Value;
use crate::run::RunError;
use crate::run::Surroundings;
use crate::run::repair;
use crate::run::rule_files;
use crate::scan::Progress;
use crate::source::Source;
use crate::sql::load;
use crate::sql::load::TreatableLoad;
use crate::whole_file::WholeFile;

/// One file of rows that were put into a trial, and where what becomes of them goes.
pub(super) struct Wanted<'a> {
    pub(super) schema: &'a Schema,
    pub(super) table: TableId,
    pub(super) file: &'a Path,
    pub(super) kind: FileKind,
    pub(super) options: &'a ReadOptions,
    pub(super) rules: &'a [PathBuf],
    pub(super) places: &'a Places,
    /// The place of the line before the file's first.
    pub(super) places_from: i64,
}

/// The files that are made: of `orders.csv`, `orders.rest.csv` and `orders.parents.sql`.
pub(super) struct Places {
    corrected: PathBuf,
    rest: PathBuf,
    parents: PathBuf,
}

impl Places {
    pub(super) fn of(corrected: &Path) -> Places {
        let stem = corrected.file_stem().unwrap_or_default().to_string_lossy();
        let ending = corrected.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
        Places {
            corrected: corrected.to_owned(),
            rest: corrected.with_file_name(format!("{stem}.rest{ending}")),
            parents: corrected.with_file_name(format!("{stem}.parents.sql")),
        }
    }

    pub(super) fn all(&self) -> [&Path; 3] {
        [&self.corrected, &self.rest, &self.parents]
    }

    /// Those that nobody named.
    pub(super) fn derived(&self) -> [&Path; 2] {
        [&self.rest, &self.parents]
    }
}

/// Treats the rows in the trial, and writes the files.
pub(super) fn correct(
    trial: &mut dyn Trial,
    wanted: &Wanted<'_>,
    patience: &WaitLimits,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<CorrectedLoad, RunError> {
    let separator = separator(wanted)?;
    let help = "load the rows into a copy in SQLite, or repair the table once they are in";
    let load = load::treatable(wanted.schema)
        .ok_or_else(|| unfit(wanted.file, "rows are corrected on SQLite only, so far", help))?;
    let parents = treat(trial, load.as_ref(), wanted, patience, surroundings, progress)?;
    let Places { corrected, rest, parents: script } = wanted.places;
    let mut done = CorrectedLoad {
        file: corrected.display().to_string(),
        rest: rest.display().to_string(),
        parents: script.display().to_string(),
        parent_rows: parents.rows,
        ..CorrectedLoad::default()
    };
    let source =
        std::fs::File::open(wanted.file).map_err(|error| unfit(wanted.file, &error.to_string(), "check the file"))?;
    let mut split = Split {
        wanted,
        load: load.as_ref(),
        keys: key_columns(wanted.schema, wanted.table),
        good: CsvWriter::new(draft(corrected)?, separator, wanted.options),
        left: CsvWriter::new(draft(rest)?, separator, wanted.options),
        has_header: false,
        changed: 0,
    };
    let each = &mut |record: Record| split.take(trial, record);
    intake::read(std::io::BufReader::new(source), wanted.kind, wanted.options, each)
        .map_err(|fault| fault.told(wanted.file))?;
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
    // It comes last, so that all that belongs to it is there too.
    let kept = good.finish().and_then(|file| file.sync()?.replace());
    kept.map_err(|error| RunError::unwritten(Some(corrected), &error))?;
    Ok(done)
}

fn separator(wanted: &Wanted<'_>) -> Result<u8, RunError> {
    match wanted.kind {
        FileKind::Csv => Ok(b','),
        FileKind::Tsv => Ok(b'\t'),
        FileKind::Json | FileKind::Ndjson => {
            let why = "corrected rows are written as CSV or TSV";
            Err(unfit(wanted.file, why, "convert the rows to CSV first"))
        }
    }
}

/// Splits the rows of the file into those that can be loaded and the rest.
struct Split<'a> {
    wanted: &'a Wanted<'a>,
    load: &'a dyn TreatableLoad,
    /// The columns that rules may change.
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
        let Wanted { schema, table, places_from, .. } = *self.wanted;
        let number = places_from + i64::try_from(record.line).unwrap_or(i64::MAX);
        let mut row: Option<Vec<Value>> = None;
        let question = self.load.treated_row(schema, table, &self.keys, number);
        trial.each_row(&question, &mut |found| row = Some(found.to_vec()))?;
        match row.and_then(|row| put_in(schema, table, &self.keys, &row, &mut record)) {
            Some(changed) => {
                self.changed += u64::from(changed);
                Ok(self.good.write_row(&record.columns, &record.values)?)
            }
            None => Ok(self.left.write_row(&record.columns, &record.values)?),
        }
    }
}

/// Rows that have to be there before those of the file.
#[derive(Default)]
struct Parents {
    script: String,
    rows: u64,
}

/// Plans on a copy of the trial, where the rules see the orphans of the load and no others, and makes the plan true in the
/// trial.
fn treat(
    trial: &mut dyn Trial,
    load: &dyn TreatableLoad,
    wanted: &Wanted<'_>,
    patience: &WaitLimits,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Parents, RunError> {
    let files = rule_files::read(wanted.rules, surroundings)?;
    let folder = tempfile::tempdir().map_err(|error| RunError::unwritten(None, &error))?;
    let copy = folder.path().join("load.db");
    trial.prepare(&load.save_loaded_rows(wanted.schema, wanted.table))?;
    trial.save(&copy)?;
    let mut database = engines::open(&Source::File { engine: wanted.schema.database.engine, path: copy }, patience)?;
    let mut schema = resolve::resolve(database.catalog()?, &[]).map_err(|_| RunError::unresolved())?;
    let child = schema.tables.position(|table| table.name == wanted.schema.tables[wanted.table].name);
    for relation in &mut schema.relations {
        let is_loaded = Some(relation.child) == child;
        relation.scope.condition =
            Some(if is_loaded { load.is_loaded(wanted.schema, wanted.table) } else { load.matches_no_row() });
    }
    let planned =
        repair::plan_for_schema(schema, database.as_mut(), &files, surroundings, patience.lock_wait, progress)?;
    if let Some(refusal) = planned.draft.forecast.refusals.first() {
        let why = format!("{}: {}", refusal.rule, refusal.why);
        return Err(RunError::Apply(ApplyError::Refused { doing: "make", why, help: refusal.help.clone() }));
    }
    let mut parents = Parents::default();
    let surgery = planned.surgery;
    trial.prepare(&load.clear_position())?;
    for new in &planned.draft.forecast.creates {
        trial.prepare(&[surgery.create_table(new)])?;
    }
    let each = |table: &Table, change: &Change| -> Result<(), Fault> {
        let statement = surgery.change_row(table, &change.row, change);
        if change.role() == ChangeRole::Parent && change.before.is_none() {
            parents.rows += 1;
            parents.script.push_str(&surgery.with_literals(&statement));
            parents.script.push_str(";\n");
        }
        Ok(trial.prepare(&[statement])?)
    };
    planned.each_change(each).map_err(|fault| fault.told(wanted.file))?;
    trial.prepare(&[load.delete_orphan_positions()])?;
    for (index, relation) in wanted.schema.relations.entries() {
        if relation.origin == Origin::Declared && relation.child == wanted.table {
            trial.prepare(&[load.insert_orphan_positions(wanted.schema, index)])?;
        }
    }
    if parents.rows > 0 {
        parents.script = format!("{}{}{}", surgery.script_header(), parents.script, surgery.script_footer());
    }
    Ok(parents)
}

/// Columns that rules may change: those of keys.
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

/// Puts what the rules changed into a record, and says whether anything did; `None` where the file has no such column. The
/// answer has two values a column: whether it changed, and what to.
fn put_in(schema: &Schema, table: TableId, keys: &[usize], row: &[Value], record: &mut Record) -> Option<bool> {
    let mut changed = false;
    for (&column, pair) in keys.iter().zip(row.get(1..).unwrap_or_default().chunks(2)) {
        let [Value::Integer(1), value] = pair else { continue };
        changed = true;
        let name = &schema.tables[table].columns[column].name;
        let place = record.columns.iter().position(|known| schema.names.same(known.trim(), name))?;
        record.values[place] = value.clone();
    }
    Some(changed)
}

fn draft(path: &Path) -> Result<WholeFile, RunError> {
    WholeFile::beside(path).map_err(|error| RunError::unwritten(Some(path), &error))
}

fn unfit(file: &Path, why: &str, help: &str) -> RunError {
    RunError::Input { what: file.display().to_string(), why: why.to_owned(), help: help.to_owned() }
}

/// What can go wrong on the way, which ends in one error.
enum Fault {
    Check(CheckError),
    Written(std::io::Error),
    Bench(rusqlite::Error),
}

impl Fault {
    fn told(self, file: &Path) -> RunError {
        match self {
            Fault::Check(fault) => RunError::of_check(&file.display().to_string(), fault),
            Fault::Written(error) => RunError::unwritten(None, &error),
            Fault::Bench(error) => RunError::Treat(error.into()),
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
        Fault::Bench(error)
    }
}
