//! The common start and end of `check` and `explain`: the database, the options, and the outputs.

use std::path::PathBuf;

use super::DEFAULT_SAMPLES;
use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::config_file;
use super::config_file::ConfigFile;
use super::database;
use crate::cli;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::exit::Exit;
use crate::model::redaction::Redaction;
use crate::report::AnswerFormat;
use crate::report::TerminalStyle;
use crate::source::Source;

pub(super) struct CommandSetup {
    pub(super) source: Source,
    pub(super) file: ConfigFile,
    pub(super) redaction: Redaction,
    pub(super) samples: usize,
    pub(super) wait_limits: WaitLimits,
    outputs: Vec<(AnswerFormat, Option<PathBuf>)>,
}

impl CommandSetup {
    pub(super) fn new(
        database: &Option<String>,
        typed: &cli::AnswerArgs,
        global: &cli::GlobalArgs,
        environment: &Environment,
    ) -> Result<CommandSetup, RunError> {
        let source = database::source(database.as_deref(), global, environment)?;
        let outputs = super::outputs(&typed.format, &typed.output, AnswerFormat::Table)?;
        super::refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
        let file = config_file::read(&source, global, environment)?;
        let redaction = super::redaction(typed.privacy.redact, &file, environment)?;
        let settings = &file.config.scan;
        let samples = typed.samples.or(settings.samples).unwrap_or(DEFAULT_SAMPLES);
        let wait_limits = WaitLimits {
            lock_wait: typed.wait.or(settings.wait).unwrap_or(DEFAULT_WAIT),
            deadline: Deadline::after(typed.timeout.or(settings.timeout)),
        };
        Ok(CommandSetup { source, file, redaction, samples, wait_limits, outputs })
    }

    /// Renders the answer in every requested format.
    pub(super) fn outcome(
        self,
        exit: Exit,
        environment: &Environment,
        render: impl Fn(AnswerFormat, &TerminalStyle) -> String,
    ) -> Outcome {
        Outcome { documents: super::documents(self.outputs, environment, render), notes: Vec::new(), exit }
    }
}
