//! The options of commands that a report prints for copying. They are those of the command that was typed.

use crate::apply::Direction;
use crate::cli;
use crate::cli::repair::AdmissionArgs;
use crate::cli::repair::PlanningArgs;
use crate::cli::repair::WriteArgs;
use crate::model::text::shell;
use crate::source;
use crate::source::Source;

/// Returns words as the end of a command: each with a blank before it, quoted for a shell, and without passwords.
pub(super) fn ending(words: impl IntoIterator<Item = String>) -> String {
    words.into_iter().map(|word| format!(" {}", shell(&source::masked(&word)))).collect()
}

/// Returns the options of the next run of a plan. A run that follows another finds its backup, except one with the name
/// of `--backup`: that file exists already, so the option is left out.
pub(super) fn options_of_run(
    direction: Direction,
    is_followed: bool,
    global: &cli::GlobalArgs,
    writing: &WriteArgs,
    admission: AdmissionArgs,
) -> String {
    let backup = writing.backup.clone().filter(|_| !is_followed);
    // Undo takes back whatever was applied.
    let leave_undecided = admission.leave_undecided && direction == Direction::Apply;
    let leave_undecided = leave_undecided.then(|| "--leave-undecided".to_owned());
    let replica = writing.replica.iter().map(|replica| without_password(replica)).collect();
    let writing = WriteArgs { backup, replica, ..writing.clone() };
    ending(global.words().into_iter().chain(writing.words()).chain(leave_undecided))
}

/// Returns the options with which a plan is applied that was just made.
pub(super) fn options_of_apply(global: &cli::GlobalArgs, planning: &PlanningArgs) -> String {
    options_of_run(Direction::Apply, false, global, &planning.writing, planning.admission)
}

fn without_password(address: &str) -> String {
    Source::parse(address).map_or_else(|_| "URL".to_owned(), |source| source.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_a_replica_has_no_password() {
        assert_eq!(without_password("mysql://app:geheim@db2.example/shop"), "mysql://app@db2.example/shop");
        assert_eq!(without_password("host=db2 password"), "URL");
        let shown = ending(["--replica", "mysql://app:geheim@db2.example/shop"].map(str::to_owned));
        assert!(shown.starts_with(" --replica ") && !shown.contains("geheim"), "{shown}");
    }
}
