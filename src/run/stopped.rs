//! The error of a run that a signal ended: what is done, and the commands that go on or take it back.

use std::path::Path;

use super::RunError;
use super::printed_command;
use crate::apply::Direction;
use crate::cli;
use crate::cli::repair::AdmissionArgs;
use crate::cli::repair::WriteArgs;
use crate::exit::Exit;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::source::Source;

/// A run that was stopped before a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoppedRun<'a> {
    pub(super) direction: Direction,
    pub(super) source: &'a Source,
    pub(super) plan: &'a Path,
    pub(super) writing: &'a WriteArgs,
    pub(super) admission: AdmissionArgs,
    pub(super) global: &'a cli::GlobalArgs,
    /// The number of changes that are made or taken back now, by this run and those before.
    pub(super) done: u64,
    pub(super) total: usize,
    /// The number of changes that this run committed.
    pub(super) committed: u64,
    /// The cause of the stop, such as `ctrl-c was pressed`.
    pub(super) cause: &'static str,
}

impl StoppedRun<'_> {
    pub(super) fn error(&self) -> RunError {
        RunError::Stopped {
            headline: self.headline(),
            because: format!("{}{}", self.cause, self.because()),
            commands: self.commands(),
            exit: if self.committed > 0 { Exit::NotClean } else { Exit::Interrupted },
        }
    }

    fn headline(&self) -> String {
        if self.committed == 0 {
            return format!("{} was stopped, and changed nothing", self.direction.command());
        }
        let total = plural(self.total as u64, "change");
        let state = match self.direction {
            Direction::Apply => "applied",
            Direction::Undo => "taken back",
        };
        let are = if self.done == 1 { "is" } else { "are" };
        let line = format!("{} of {total} of {} {are} {state}", count(self.done), self.plan.display());
        format!("{line}, and then {} was stopped", self.direction.command())
    }

    /// Returns the words that follow the cause.
    fn because(&self) -> &'static str {
        match (self.committed, self.writing.batch) {
            (0, None) => ", and the transaction was rolled back; with --batch, whole batches stay",
            (0, Some(_)) => " before the first batch was committed",
            (_, _) => "; the batches so far are committed and recorded",
        }
    }

    /// Returns the command that goes on, and the one that takes the changes back.
    fn commands(&self) -> String {
        let (backward, comment) = match self.direction {
            Direction::Apply => (Direction::Undo, "to take back the changes so far"),
            Direction::Undo => (Direction::Apply, "to apply the plan again"),
        };
        let forward = self.command(self.direction);
        if self.committed == 0 {
            return forward;
        }
        format!("{forward}    # goes on\n      {}    # {comment}", self.command(backward))
    }

    fn command(&self, direction: Direction) -> String {
        let options =
            printed_command::options_of_run(direction, self.committed > 0, self.global, self.writing, self.admission);
        let words = [direction.command(), &self.source.to_string(), &self.plan.display().to_string()].map(shell);
        format!("fk-doctor {}{options}", words.join(" "))
    }
}
