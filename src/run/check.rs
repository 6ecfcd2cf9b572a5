//! `check`: reports the rows of a load that would fail. It tries the load in a copy of the database, or in a transaction
//! that it rolls back.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::DEFAULT_MEMORY;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::command_setup::CommandSetup;
use super::correct_load;
use super::correct_load::CorrectedFiles;
use super::database;
use super::planned_schema_check;
use crate::check::Check;
use crate::check::LINES_PER_SOURCE;
use crate::cli;
use crate::engine::Database;
use crate::engine::TrialOptions;
use crate::examine::FindingOptions;
use crate::exit::Exit;
use crate::intake;
use crate::intake::FileKind;
use crate::intake::ReadOptions;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::check_result::CheckResult;
use crate::model::ids::TableId;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::resolve;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::text::io_reason;
use crate::model::text::shell;
use crate::report;
use crate::scan::Progress;
use crate::scan::ScanOptions;

/// The number of bytes that are read from a file at once.
const BUFFER: usize = 1 << 18;

pub fn check(
    typed: &cli::CheckArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let setup = CommandSetup::new(&typed.database, &typed.answer, global, environment)?;
    let trial_options = TrialOptions {
        is_saved: typed.corrected.is_some(),
        ..setup.trial_options(&typed.trial, ("check", "the load"), environment)?
    };
    let mut database = database::open(&setup.source, &setup.wait_limits, environment)?;
    if let Some(planned) = &typed.against {
        let config = &setup.file.config;
        let settings = &config.scan;
        let scan_options = ScanOptions {
            samples: setup.samples,
            memory: settings.memory.unwrap_or(DEFAULT_MEMORY),
            threads: settings.jobs.unwrap_or(environment.cores).max(1),
            progress,
            is_known: None,
        };
        let finding_options = FindingOptions {
            redaction: &setup.redaction,
            policy: &config.policy,
            time_columns: &settings.time_columns,
            mark: &|finding| finding,
        };
        let examination = planned_schema_check::examine(database.as_mut(), planned, &scan_options, &finding_options)?;
        let exit = planned_schema_check::exit(&examination);
        return Ok(setup.outcome(exit, environment, |format, terminal| {
            planned_schema_check::render(&examination, format, terminal)
        }));
    }
    let checked = try_load(database.as_mut(), &trial_options, typed, &setup, environment, progress)?;
    let is_clean = match &checked.corrected {
        Some(corrected) => corrected.rest_rows == 0,
        None => checked.is_clean(),
    };
    let exit = if is_clean { Exit::Clean } else { Exit::Findings };
    Ok(setup.outcome(exit, environment, |format, terminal| report::checked(&checked, format, terminal)))
}

/// Tries to insert every row, without changing the database.
fn try_load(
    database: &mut dyn Database,
    trial_options: &TrialOptions,
    typed: &cli::CheckArgs,
    setup: &CommandSetup,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<CheckResult, RunError> {
    let loads = loads(typed, &shell(&setup.source.to_string()))?;
    let files = typed.corrected.as_deref().map(CorrectedFiles::of);
    if let Some(files) = &files {
        check_correction_files(&loads, files, setup)?;
    }
    let copied = |pages: usize, all: usize| progress(&ProgressStep::of(RunPhase::CopyDatabase, pages, all));
    let mut trial = database.trial(trial_options, &copied)?;
    let schema = resolve::resolve(trial.catalog()?, &[]).map_err(|_| RunError::unresolved())?;
    let mut tables =
        loads.iter().map(|(table, _)| table_of(&schema, table)).collect::<Result<Vec<TableId>, RunError>>()?;
    let staging = match (&typed.staging, &typed.table) {
        (Some(staging), Some(table)) => Some((table_of(&schema, staging)?, table_of(&schema, table)?)),
        _ => None,
    };
    tables.extend(staging.map(|(_, table)| table));
    let mut check = Check::begin(trial.as_mut(), schema, &tables, setup.samples)?;
    let options = ReadOptions { columns: typed.columns.clone(), null: typed.null.clone() };
    let total = loads.iter().map(|(_, path)| size(path)).sum();
    let mut before = 0;
    for (&table, (_, path)) in tables.iter().zip(&loads) {
        let name = path.display().to_string();
        let kind = kind(typed, path)?;
        check.source(table, &name);
        let advance = |read: usize| progress(&ProgressStep::of(RunPhase::ReadFile, before + read, total));
        let reader = CountingReader { source: open(path)?, read: 0, reported: 0, advance: &advance };
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
    let mut checked = check.finish(&setup.redaction)?;
    if let (Some(files), [(_, file)]) = (&files, loads.as_slice()) {
        let schema = Arc::clone(&checked.schema);
        let loads = correct_load::CorrectionRequest {
            schema: &schema,
            table: tables[0],
            file,
            kind: kind(typed, file)?,
            options: &options,
            rules: &typed.rules,
            files,
            row_offset: i64::try_from(LINES_PER_SOURCE).unwrap_or(i64::MAX),
        };
        checked.corrected =
            Some(correct_load::correct(trial.as_mut(), &loads, &setup.wait_limits, environment, progress)?);
    }
    Ok(checked)
}

/// Returns an error unless there is one file that can be read twice, and the output files are different ones.
fn check_correction_files(
    loads: &[(String, PathBuf)],
    files: &CorrectedFiles,
    setup: &CommandSetup,
) -> Result<(), RunError> {
    let [(_, file)] = loads else {
        return Err(RunError::Input {
            what: "the rows to correct".to_owned(),
            why: "several files were given".to_owned(),
            help: "correct one file at a time, parents first".to_owned(),
        });
    };
    let whole = |path: &Path| path.canonicalize().ok();
    let is_read = |path: &&Path| whole(file).is_some() && whole(file) == whole(path);
    let lost = if file == Path::new("-") { Some(file.as_path()) } else { files.all().into_iter().find(is_read) };
    if let Some(lost) = lost {
        return Err(RunError::Input {
            what: lost.display().to_string(),
            why: "fk-doctor reads the rows twice, so they cannot come from standard input or from an output file"
                .to_owned(),
            help: "name a file of rows, and a different file for --corrected".to_owned(),
        });
    }
    super::refuse_to_overwrite(&setup.source, files.all().into_iter())?;
    match files.derived().into_iter().find(|path| path.exists()) {
        Some(existing) => Err(RunError::Input {
            what: "the rows to correct".to_owned(),
            why: format!("{} already exists, and may hold rows of an earlier run", existing.display()),
            help: "move it away, or name another file with --corrected".to_owned(),
        }),
        None => Ok(()),
    }
}

/// Returns the name of each table with its file.
fn loads(typed: &cli::CheckArgs, database: &str) -> Result<Vec<(String, PathBuf)>, RunError> {
    let mut loads = Vec::new();
    match &typed.table {
        Some(table) => loads.extend(typed.files.iter().map(|file| (table.clone(), file.clone()))),
        None if typed.files.is_empty() => {}
        None => {
            return Err(RunError::Input {
                what: "the rows".to_owned(),
                why: "a file was given, and no table".to_owned(),
                help: format!("name the table: fk-doctor check {database} --table TABLE FILE, or --load TABLE=FILE"),
            });
        }
    }
    loads.extend(typed.load.iter().map(|load| (load.table.clone(), load.file.clone())));
    if loads.is_empty() && typed.staging.is_none() {
        return Err(RunError::Input {
            what: "the rows to check".to_owned(),
            why: "no file was given".to_owned(),
            help: format!(
                "name a file: fk-doctor check {database} --table TABLE FILE (- for standard input), or --load TABLE=FILE"
            ),
        });
    }
    Ok(loads)
}

fn table_of(schema: &Schema, name: &str) -> Result<TableId, RunError> {
    let is_named = |other: &str| schema.names.same(other, name);
    let takes_rows = |table: &Table| match table.kind {
        TableKind::Table => true,
        TableKind::Partitioned => table.irreversible.is_none(),
        TableKind::View | TableKind::Virtual | TableKind::Shadow => false,
    };
    let tables = || schema.tables.iter().filter(|table| takes_rows(table));
    let position =
        |is_meant: &dyn Fn(&Table) -> bool| schema.tables.position(|table| takes_rows(table) && is_meant(table));
    let found = position(&|table| is_named(&table.name.to_string()));
    // A partition has the foreign keys of its table.
    let found = found.or_else(|| position(&|table| table.partitions.iter().any(|part| is_named(&part.to_string()))));
    found.ok_or_else(|| {
        let names: Vec<String> = tables().map(|table| table.name.to_string()).collect();
        let help = match text::nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the tables are {}", names.join(", ")),
        };
        RunError::Input { what: format!("rows for {name}"), why: "there is no such table".to_owned(), help }
    })
}

fn kind(typed: &cli::CheckArgs, path: &Path) -> Result<FileKind, RunError> {
    let by_name = FileKind::from_name(&path.display().to_string());
    typed.input.or(by_name).ok_or_else(|| RunError::Input {
        what: path.display().to_string(),
        why: "the file name has no known extension".to_owned(),
        help: "name the format with --input: csv, tsv, json or ndjson".to_owned(),
    })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, RunError> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, std::io::stdin())));
    }
    let opened = std::fs::File::open(path).map_err(|error| RunError::Input {
        what: path.display().to_string(),
        why: io_reason(&error),
        help: "check the path and its permissions".to_owned(),
    })?;
    Ok(Box::new(BufReader::with_capacity(BUFFER, opened)))
}

fn size(path: &Path) -> usize {
    std::fs::metadata(path).map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX))
}

/// Reports the number of bytes that were read from a file, once per buffer.
struct CountingReader<'a> {
    source: Box<dyn BufRead>,
    read: usize,
    reported: usize,
    advance: &'a dyn Fn(usize),
}

impl std::io::Read for CountingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count(read);
        Ok(read)
    }
}

impl BufRead for CountingReader<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
        self.count(amount);
    }
}

impl CountingReader<'_> {
    fn count(&mut self, bytes: usize) {
        self.read += bytes;
        if self.read - self.reported >= BUFFER {
            self.reported = self.read;
            (self.advance)(self.read);
        }
    }
}
