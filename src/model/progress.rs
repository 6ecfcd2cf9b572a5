//! The progress of a run, as the line on a terminal shows it. A stage reports its phase and how far the phase is. The command
//! numbers the phases.

/// A phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunPhase {
    Scan,
    /// A discovery reads columns.
    ReadColumns,
    /// A discovery compares the columns that it has read.
    CompareColumns,
    DecideKeys,
    TryRows,
    /// A private copy of the database, in which statements are tried.
    CopyDatabase,
    ReadFile,
    BackUp,
    CompareRows,
    ChangeRows,
    VerifyRelations,
    Commit,
}

impl RunPhase {
    /// Returns the words of the progress line.
    pub fn name(self) -> &'static str {
        match self {
            RunPhase::Scan => "scan",
            RunPhase::ReadColumns => "read columns",
            RunPhase::CompareColumns => "compare columns",
            RunPhase::DecideKeys => "decide keys",
            RunPhase::TryRows => "try rows",
            RunPhase::CopyDatabase => "copy database",
            RunPhase::ReadFile => "read file",
            RunPhase::BackUp => "back up",
            RunPhase::CompareRows => "compare rows",
            RunPhase::ChangeRows => "change rows",
            RunPhase::VerifyRelations => "verify relations",
            RunPhase::Commit => "commit",
        }
    }

    /// True if the phase counts rows. The counts of other phases only give a share.
    pub fn counts_rows(self) -> bool {
        matches!(self, RunPhase::DecideKeys | RunPhase::TryRows | RunPhase::CompareRows | RunPhase::ChangeRows)
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressStep<'a> {
    /// The command of the phases, such as `apply`, if it is not the one that was typed.
    pub command: Option<&'static str>,
    pub phase: RunPhase,
    /// The number of the phase among all phases of the command, such as `(2, 3)`.
    pub position: Option<(usize, usize)>,
    pub done: u64,
    /// `None` if nobody knows it.
    pub total: Option<u64>,
    /// The table that is read.
    pub table: Option<&'a str>,
    /// The number of the table among all tables, such as `(2, 3)`.
    pub tables: Option<(usize, usize)>,
    /// The number of rows that were read so far, if the phase counts something else.
    pub rows: Option<u64>,
    /// The number of orphan rows that were found so far.
    pub found: u64,
    /// The reason why the phase does not advance, such as `waiting for replica2, 7 s behind`. Such a step has no counts.
    pub waiting: Option<&'a str>,
}

impl ProgressStep<'_> {
    /// Returns a step that tells why a phase does not advance.
    pub fn waiting(phase: RunPhase, why: &str) -> ProgressStep<'_> {
        ProgressStep { waiting: Some(why), ..ProgressStep::of(phase, 0, 0) }
    }

    /// Returns a step of a phase. A total of 0 is unknown.
    pub fn of(phase: RunPhase, done: usize, total: usize) -> ProgressStep<'static> {
        ProgressStep {
            command: None,
            phase,
            position: None,
            done: done as u64,
            total: Some(total as u64).filter(|&total| total > 0),
            table: None,
            tables: None,
            rows: None,
            found: 0,
            waiting: None,
        }
    }
}

/// Called as work is done.
pub type Progress<'a> = &'a (dyn Fn(&ProgressStep<'_>) + Sync);

/// Returns a callback that numbers the phases of a command. A phase outside of the list has no number.
pub fn numbered<'a>(
    command: &'static str,
    phases: &'a [RunPhase],
    progress: Progress<'a>,
) -> impl Fn(&ProgressStep<'_>) + Sync + 'a {
    move |step| {
        let index = phases.iter().position(|&phase| phase == step.phase);
        let position = index.map(|index| (index + 1, phases.len()));
        progress(&ProgressStep { command: Some(command), position, ..*step });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn command_numbers_its_phases() {
        let shown = Mutex::new(Vec::new());
        let show = |step: &ProgressStep<'_>| shown.lock().unwrap().push((step.command, step.position, step.total));
        let progress = numbered("apply", &[RunPhase::CompareRows, RunPhase::ChangeRows], &show);
        progress(&ProgressStep::of(RunPhase::ChangeRows, 3, 10));
        progress(&ProgressStep::of(RunPhase::Scan, 3, 0));
        let expected = [(Some("apply"), Some((2, 2)), Some(10)), (Some("apply"), None, None)];
        assert_eq!(*shown.lock().unwrap(), expected);
    }
}
