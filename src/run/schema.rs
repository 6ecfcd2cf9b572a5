//! `schema`: reports every relation and its health, or those around some tables, as a table or a diagram. It reads no row.

use std::path::PathBuf;

use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::config_file;
use super::database;
use super::discover;
use super::discover::Undeclared;
use super::printed_command;
use crate::cli;
use crate::cli::discover::DiscoverArgs;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::examine::extract::extract;
use crate::exit::Exit;
use crate::model::discovery::Tier;
use crate::model::resolve::discovered;
use crate::model::schema::Schema;
use crate::model::text::shell;
use crate::report;
use crate::report::Format;
use crate::report::SchemaFormat;
use crate::scan::Progress;
use crate::source::Source;

pub fn schema(
    typed: &cli::SchemaArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = database::source_to_read(typed.database.as_deref(), global, environment)?;
    let outputs = super::outputs_by_ending(&typed.format, &typed.output, SchemaFormat::Table)?;
    super::refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    let file = config_file::read(&source, global, environment)?;
    let wait_limits = WaitLimits {
        lock_wait: typed.wait.or(file.config.scan.wait).unwrap_or(DEFAULT_WAIT),
        deadline: Deadline::default(),
    };
    super::refuse_discovery(&source, typed.discover.then_some("--discover"))?;
    let source = file.completed(source);
    let mut database = database::open(&source, &wait_limits, environment)?;
    let mut whole = file.resolve(database.as_mut(), environment)?;
    let mut undiscovered = Vec::new();
    if typed.discover {
        let mut session = database.session()?;
        let arguments = DiscoverArgs::default();
        let lowest = Tier::Likely;
        let found = discover::undeclared(&whole, session.as_mut(), &arguments, &file, environment, lowest, progress)?;
        whole = discovered::with_discovered(whole, &found.relations);
        undiscovered = found.failures;
        undiscovered.extend(discover::changed(&whole, database.as_ref()));
    }
    let schema = extract(whole, &typed.table, typed.around)?;
    let mut notes = notes(&schema, &outputs, &source, typed, global);
    notes.extend(Undeclared::notes(&undiscovered));
    let scan = scan_command(&source, typed, global);
    let documents =
        super::documents(outputs, environment, |format, terminal| report::schema(&schema, format, &scan, terminal));
    Ok(Outcome { documents, notes, exit: Undeclared::exit(&undiscovered, Exit::Clean) })
}

/// Returns the command that scans the rows.
fn scan_command(source: &Source, typed: &cli::SchemaArgs, global: &cli::GlobalArgs) -> String {
    let database = typed.database.as_ref().map(|_| source.to_string());
    let words = ["fk-doctor", "scan"].into_iter().map(str::to_owned).chain(database).chain(global.words());
    words.map(|word| shell(&word)).collect::<Vec<String>>().join(" ")
}

/// Returns what the reports leave out, with the command that shows the whole schema.
fn notes(
    schema: &Schema,
    outputs: &[(SchemaFormat, Option<PathBuf>)],
    source: &Source,
    typed: &cli::SchemaArgs,
    global: &cli::GlobalArgs,
) -> Vec<String> {
    let database = typed.database.as_ref().map(|_| format!(" {}", shell(&source.to_string()))).unwrap_or_default();
    let options = printed_command::ending(global.words());
    let note = |(format, _): &(SchemaFormat, Option<PathBuf>)| {
        let left_out = report::left_out(schema, *format)?;
        let whole = format!("fk-doctor schema{database}{options} --format {}", SchemaFormat::Dot.name());
        Some(format!("note: {left_out}; the whole schema: {whole}"))
    };
    outputs.iter().filter_map(note).collect()
}
