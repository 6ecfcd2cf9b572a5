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
use crate::engine::TrialChoice;
use crate::engine::TrialOptions;
use crate::engine::WaitLimits;
use crate::exit::Exit;
use crate::model::redaction::Redaction;
use crate::model::text::shell;
use crate::report::AnswerFormat;
use crate::report::TerminalStyle;
use crate::source;
use crate::source::Source;

pub(super) struct CommandSetup {
    pub(super) source: Source,
    pub(super) file: ConfigFile,
    pub(super) redaction: Redaction,
    pub(super) samples: usize,
    pub(super) wait_limits: WaitLimits,
    /// The argument that names the database.
    typed_database: Option<String>,
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
        let outputs = super::outputs_by_ending(&typed.format, &typed.output, AnswerFormat::Table)?;
        super::refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
        let file = config_file::read(&source, global, environment)?;
        let redaction = super::redaction(typed.privacy.redact, &file, environment)?;
        let settings = &file.config.scan;
        let samples = typed.samples.or(settings.samples).unwrap_or(DEFAULT_SAMPLES);
        let wait_limits = WaitLimits {
            lock_wait: typed.wait.or(settings.wait).unwrap_or(DEFAULT_WAIT),
            deadline: Deadline::after(typed.timeout.or(settings.timeout)),
        };
        let typed_database = database.clone();
        Ok(CommandSetup { source, file, redaction, samples, wait_limits, typed_database, outputs })
    }

    /// Returns the options of a trial. `command` tries the `subject`.
    pub(super) fn trial_options(
        &self,
        typed: &cli::TrialArgs,
        (command, subject): (&str, &str),
        environment: &Environment,
    ) -> Result<TrialOptions, RunError> {
        let choice = match (typed.copy, typed.in_place) {
            (false, false) => TrialChoice::Cheapest,
            _ if self.source.file().is_none() => {
                return Err(RunError::Input {
                    what: "the options".to_owned(),
                    why: "--copy and --in-place are for SQLite files, and this database is on a server".to_owned(),
                    help: "leave the option out: on a server, fk-doctor rolls the trial back".to_owned(),
                });
            }
            (true, _) => TrialChoice::Copy,
            (false, true) => TrialChoice::InPlace,
        };
        let copy_command = self.copy_command(command, environment);
        Ok(TrialOptions { choice, subject: subject.to_owned(), copy_command, ..TrialOptions::default() })
    }

    /// Returns the command as typed, without passwords and with `--copy` after its database.
    fn copy_command(&self, command: &str, environment: &Environment) -> String {
        let words = environment.words().iter().filter(|word| *word != "--in-place");
        let before = self.typed_database.as_deref().unwrap_or(command);
        let mut shown = "fk-doctor".to_owned();
        let mut has_copy = false;
        for word in words {
            let is_database = Some(word.as_str()) == self.typed_database.as_deref();
            let text = if is_database { self.source.to_string() } else { source::masked(word) };
            shown.push_str(&format!(" {}", shell(&text)));
            if word == before && !has_copy {
                shown.push_str(" --copy");
                has_copy = true;
            }
        }
        shown
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
