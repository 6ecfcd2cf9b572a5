//! The error of a run that ctrl-c or a signal ended: what is done, and the commands that go on or take it back.

use std::path::Path;

use super::RunError;
use crate::apply::Direction;
use crate::cli;
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
    pub(super) global: &'a cli::GlobalArgs,
    /// The position of the first change that is left.
    pub(super) next: usize,
    pub(super) total: usize,
    /// The number of changes that this run committed.
    pub(super) committed: u64,
}

impl StoppedRun<'_> {
    pub(super) fn error(&self) -> RunError {
        RunError::Stopped {
            headline: self.headline(),
            because: self.because().to_owned(),
            commands: self.commands(),
            exit: if self.committed > 0 { Exit::NotClean } else { Exit::Interrupted },
        }
    }

    fn headline(&self) -> String {
        if self.committed == 0 {
            return format!("{} was stopped, and changed nothing", self.direction.command());
        }
        let total = plural(self.total as u64, "change");
        let done = match self.direction {
            Direction::Apply => "applied",
            Direction::Undo => "taken back",
        };
        let are = if self.next == 1 { "is" } else { "are" };
        let line = format!("{} of {total} of {} {are} {done}", count(self.next as u64), self.plan.display());
        format!("{line}, and then {} was stopped", self.direction.command())
    }

    fn because(&self) -> &'static str {
        match (self.committed, self.writing.batch) {
            (0, None) => {
                "ctrl-c or a signal ended it, and the transaction was rolled back; with --batch, whole batches stay"
            }
            (0, Some(_)) => "ctrl-c or a signal ended it before the first batch was committed",
            (_, _) => "ctrl-c or a signal ended it; the batches so far are committed and recorded",
        }
    }

    /// Returns the command that goes on, and the one that takes the changes back.
    fn commands(&self) -> String {
        let forward = self.direction.command();
        let backward = match self.direction {
            Direction::Apply => Direction::Undo.command(),
            Direction::Undo => Direction::Apply.command(),
        };
        if self.committed == 0 {
            return self.command(forward);
        }
        let comment = match self.direction {
            Direction::Apply => "to take back the changes so far",
            Direction::Undo => "to apply the plan again",
        };
        format!("{}    # goes on\n      {}    # {comment}", self.command(forward), self.command(backward))
    }

    fn command(&self, name: &str) -> String {
        let mut words = vec![name.to_owned(), self.source.to_string(), self.plan.display().to_string()];
        words.extend(self.options());
        let words: Vec<String> = words.iter().map(|word| shell(word)).collect();
        format!("fk-doctor {}", words.join(" "))
    }

    /// Returns the options of the run. A backup from before the first change exists already: the next run finds it,
    /// unless `--backup` gave it another name.
    fn options(&self) -> Vec<String> {
        let mut options = self.global.words();
        let mut writing = self.writing.words();
        if self.committed > 0
            && let Some(index) = writing.iter().position(|word| word == "--backup")
        {
            writing.drain(index..(index + 2).min(writing.len()));
            writing.insert(0, "--no-backup".to_owned());
        }
        options.extend(without_passwords(writing));
        options
    }
}

/// Replaces the addresses of replicas by addresses without a password.
fn without_passwords(mut words: Vec<String>) -> Vec<String> {
    for index in 1..words.len() {
        if words[index - 1] == "--replica" {
            words[index] = Source::parse(&words[index]).map_or_else(|_| "URL".to_owned(), |source| source.to_string());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_a_replica_has_no_password() {
        let words = ["--batch", "10", "--replica", "mysql://app:geheim@db2.example/shop"].map(str::to_owned);
        let shown = without_passwords(words.to_vec());
        assert_eq!(shown[..3], words[..3]);
        assert!(shown[3].contains("db2.example") && !shown[3].contains("geheim"), "{}", shown[3]);
    }
}
