//! `check`: rows that would fail, before they are written; the load is tried where nothing of it stays.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::DEFAULT_MEMORY;
use super::Outcome;
use super::RunError;
use super::Surroundings;
use super::correct_load;
use super::correct_load::Places;
use super::planned_schema_check;
use super::question::Question;
use crate::check::Check;
use crate::check::LINES_PER_SOURCE;
use crate::cli;
use crate::engine::Database;
use crate::engines;
use crate::examine::FindingOptions;
use crate::exit::Exit;
use crate::intake;
use crate::intake::FileKind;
use crate::intake::ReadOptions;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::check_result::CheckResult;
use crate::model::ids::TableId;
use crate::model::resolve;
use crate::model::schema::Schema;
use crate::model::text;
use crate::report;
use crate::scan::Progress;
use crate::scan::ScanOptions;

/// How much of a file is read at once.
const BUFFER: usize = 1 << 18;

pub fn check(
    typed: &cli::CheckArgs,
    global: &cli::GlobalArgs,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let question = Question::new(&typed.database, &typed.answer, global, surroundings)?;
    let mut database = engines::open(&question.source, &question.patience)?;
    if let Some(planned) = &typed.against {
        let config = &question.file.config;
        let settings = &config.scan;
        let wishes = ScanOptions {
            samples: question.samples,
            memory: settings.memory.unwrap_or(DEFAULT_MEMORY),
            threads: settings.jobs.unwrap_or(surroundings.cores).max(1),
            progress,
            is_known: &|_, _, _| false,
        };
        let view = FindingOptions {
            redaction: &question.redaction,
            policy: &config.policy,
            time_columns: &settings.time_columns,
            mark: &|finding| finding,
        };
        let examination = planned_schema_check::hold(database.as_mut(), planned, &wishes, &view)?;
        let exit = planned_schema_check::exit(&examination);
        return Ok(question
            .answered(exit, surroundings, |format, paper| planned_schema_check::render(&examination, format, paper)));
    }
    let checked = try_load(database.as_mut(), typed, &question, surroundings, progress)?;
    let all_is_well = match &checked.corrected {
        Some(corrected) => corrected.rest_rows == 0,
        None => checked.is_clean(),
    };
    let exit = if all_is_well { Exit::Clean } else { Exit::Findings };
    Ok(question.answered(exit, surroundings, |format, paper| report::checked(&checked, format, paper)))
}

/// Puts every row into a private copy of the database.
fn try_load(
    database: &mut dyn Database,
    typed: &cli::CheckArgs,
    question: &Question,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<CheckResult, RunError> {
    let wanted = wanted(typed)?;
    let places = typed.corrected.as_deref().map(Places::of);
    if let Some(places) = &places {
        fit_to_correct(&wanted, places, question)?;
    }
    let mut trial = database.trial(progress)?;
    let schema = resolve::resolve(trial.catalog()?, &[]).map_err(|_| RunError::unresolved())?;
    let mut tables =
        wanted.iter().map(|(table, _)| table_of(&schema, table)).collect::<Result<Vec<TableId>, RunError>>()?;
    let staging = match (&typed.staging, &typed.table) {
        (Some(staging), Some(table)) => Some((table_of(&schema, staging)?, table_of(&schema, table)?)),
        _ => None,
    };
    tables.extend(staging.map(|(_, table)| table));
    let mut check = Check::begin(trial.as_mut(), schema, &tables, question.samples)?;
    let options = ReadOptions { columns: typed.columns.clone(), null: typed.null.clone() };
    let total = wanted.iter().map(|(_, path)| size(path)).sum();
    let mut before = 0;
    for (&table, (_, path)) in tables.iter().zip(&wanted) {
        let name = path.display().to_string();
        let kind = kind(typed, path)?;
        check.source(table, &name);
        let advance = |read: usize| progress(before + read, total);
        let reader = Advancing { source: open(path)?, read: 0, told: 0, advance: &advance };
        intake::read(reader, kind, &options, &mut check.record_sink())
            .map_err(|fault| RunError::of_check(&name, fault))?;
        before += size(path);
    }
    if let Some((staging, table)) = staging {
        let mut session = database.session()?;
        check
            .staged(session.as_mut(), staging, table)
            .map_err(|fault| RunError::of_check("the staging table", fault))?;
    }
    let mut checked = check.finish(&question.redaction)?;
    if let (Some(places), [(_, file)]) = (&places, wanted.as_slice()) {
        let schema = Arc::clone(&checked.schema);
        let wanted = correct_load::Wanted {
            schema: &schema,
            table: tables[0],
            file,
            kind: kind(typed, file)?,
            options: &options,
            rules: &typed.rules,
            places,
            places_from: i64::try_from(LINES_PER_SOURCE).unwrap_or(i64::MAX),
        };
        checked.corrected =
            Some(correct_load::correct(trial.as_mut(), &wanted, &question.patience, surroundings, progress)?);
    }
    Ok(checked)
}

/// One file that can be read twice, and other names for what comes of it.
fn fit_to_correct(wanted: &[(String, PathBuf)], places: &Places, question: &Question) -> Result<(), RunError> {
    let [(_, file)] = wanted else {
        return Err(RunError::Input {
            what: "the rows to correct".to_owned(),
            why: "several files were given".to_owned(),
            help: "correct one file at a time, parents first".to_owned(),
        });
    };
    let whole = |path: &Path| path.canonicalize().ok();
    let is_read = |place: &&Path| whole(file).is_some() && whole(file) == whole(place);
    let lost = if file == Path::new("-") { Some(file.as_path()) } else { places.all().into_iter().find(is_read) };
    if let Some(lost) = lost {
        return Err(RunError::Input {
            what: lost.display().to_string(),
            why: "the rows are read twice, and must stay as they are meanwhile".to_owned(),
            help: "name a file of rows, and another one for --corrected".to_owned(),
        });
    }
    super::refuse_to_overwrite(&question.source, places.all().into_iter())?;
    match places.derived().into_iter().find(|place| place.exists()) {
        Some(there) => Err(RunError::Input {
            what: "the rows to correct".to_owned(),
            why: format!("{} is there already, and may hold what an earlier run left", there.display()),
            help: "move it away, or name another file with --corrected".to_owned(),
        }),
        None => Ok(()),
    }
}

/// Tables and the files for them, as typed.
fn wanted(typed: &cli::CheckArgs) -> Result<Vec<(String, PathBuf)>, RunError> {
    let mut wanted = Vec::new();
    match &typed.table {
        Some(table) => wanted.extend(typed.files.iter().map(|file| (table.clone(), file.clone()))),
        None if typed.files.is_empty() => {}
        None => {
            return Err(RunError::Input {
                what: "what the rows are for".to_owned(),
                why: "a file was given, and no table".to_owned(),
                help: "name it: fk-doctor check DB --table T FILE, or --load T=FILE".to_owned(),
            });
        }
    }
    wanted.extend(typed.load.iter().map(|load| (load.table.clone(), load.file.clone())));
    if wanted.is_empty() && typed.staging.is_none() {
        return Err(RunError::Input {
            what: "the rows to check".to_owned(),
            why: "no file was given".to_owned(),
            help: "name them: fk-doctor check DB --table T FILE (- for standard input), or --load T=FILE".to_owned(),
        });
    }
    Ok(wanted)
}

fn table_of(schema: &Schema, wanted: &str) -> Result<TableId, RunError> {
    let named = |name: &str| schema.names.same(name, wanted);
    let takes_rows = |table: &Table| match table.kind {
        TableKind::Table => true,
        TableKind::Partitioned => table.irreversible.is_none(),
        TableKind::View | TableKind::Virtual | TableKind::Shadow => false,
    };
    let tables = || schema.tables.iter().filter(|table| takes_rows(table));
    let position =
        |is_meant: &dyn Fn(&Table) -> bool| schema.tables.position(|table| takes_rows(table) && is_meant(table));
    let found = position(&|table| named(&table.name.to_string()));
    // The references of a partition are those of its table.
    let found = found.or_else(|| position(&|table| table.partitions.iter().any(|part| named(&part.to_string()))));
    found.ok_or_else(|| {
        let names: Vec<String> = tables().map(|table| table.name.to_string()).collect();
        let help = match text::nearest(wanted, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the tables are {}", names.join(", ")),
        };
        RunError::Input { what: format!("rows for {wanted}"), why: "there is no such table".to_owned(), help }
    })
}

fn kind(typed: &cli::CheckArgs, path: &Path) -> Result<FileKind, RunError> {
    let by_name = FileKind::from_name(&path.display().to_string());
    typed.input.or(by_name).ok_or_else(|| RunError::Input {
        what: path.display().to_string(),
        why: "its name does not tell what kind of file it is".to_owned(),
        help: "say it: --input csv, tsv, json or ndjson".to_owned(),
    })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, RunError> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, std::io::stdin())));
    }
    let opened = std::fs::File::open(path).map_err(|error| RunError::Input {
        what: path.display().to_string(),
        why: error.to_string(),
        help: "check the path and its permissions".to_owned(),
    })?;
    Ok(Box::new(BufReader::with_capacity(BUFFER, opened)))
}

fn size(path: &Path) -> usize {
    std::fs::metadata(path).map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX))
}

/// Tells how far a file was read, a thousand times at most.
struct Advancing<'a> {
    source: Box<dyn BufRead>,
    read: usize,
    told: usize,
    advance: &'a dyn Fn(usize),
}

impl std::io::Read for Advancing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.went(read);
        Ok(read)
    }
}

impl BufRead for Advancing<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
        self.went(amount);
    }
}

impl Advancing<'_> {
    fn went(&mut self, bytes: usize) {
        self.read += bytes;
        if self.read - self.told >= BUFFER {
            self.told = self.read;
            (self.advance)(self.read);
        }
    }
}
