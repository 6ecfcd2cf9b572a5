//! `schema`: every relation and its health, as a table or a picture. No row is read.

use super::DEFAULT_WAIT;
use super::Outcome;
use super::RunError;
use super::Surroundings;
use super::config_file;
use crate::cli;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::engines;
use crate::exit::Exit;
use crate::report;
use crate::report::SchemaFormat;

pub fn schema(
    typed: &cli::SchemaArgs,
    global: &cli::GlobalArgs,
    surroundings: &Surroundings,
) -> Result<Outcome, RunError> {
    let source = super::source(&typed.database, surroundings)?;
    let outputs = super::outputs(&typed.format, &typed.output, SchemaFormat::Table)?;
    super::refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    let file = config_file::read(global, surroundings)?;
    let patience = WaitLimits {
        lock_wait: typed.wait.or(file.config.scan.wait).unwrap_or(DEFAULT_WAIT),
        deadline: Deadline::default(),
    };
    let mut database = engines::open(&source, &patience)?;
    let schema = file.resolve(database.as_mut(), surroundings)?;
    let documents = super::documents(outputs, surroundings, |format, paper| report::schema(&schema, format, paper));
    Ok(Outcome { documents, exit: Exit::Clean })
}
