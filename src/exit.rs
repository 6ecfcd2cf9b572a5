//! All exit codes. A test compares the tables of README.md and of the book with this list.

/// The outcome of a run. It does not depend on the report's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Clean,
    Findings,
    Usage,
    Unreadable,
    Incomplete,
    Refused,
    NotClean,
    Interrupted,
}

impl Exit {
    pub const ALL: [Exit; 8] = [
        Exit::Clean,
        Exit::Findings,
        Exit::Usage,
        Exit::Unreadable,
        Exit::Incomplete,
        Exit::Refused,
        Exit::NotClean,
        Exit::Interrupted,
    ];

    pub fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Unreadable => 3,
            Exit::Incomplete => 4,
            Exit::Refused => 5,
            Exit::NotClean => 6,
            Exit::Interrupted => 130,
        }
    }

    /// Returns the more serious of two outcomes.
    #[must_use]
    pub fn or_graver(self, other: Exit) -> Exit {
        if self.seriousness() >= other.seriousness() { self } else { other }
    }

    fn seriousness(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Incomplete => 2,
            Exit::NotClean => 3,
            Exit::Refused => 4,
            Exit::Usage => 5,
            Exit::Unreadable => 6,
            Exit::Interrupted => 7,
        }
    }

    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Clean => "clean, or applied and clean",
            Exit::Findings => "findings at or above `--fail-on`",
            Exit::Usage => "usage, configuration or rule error",
            Exit::Unreadable => "cannot connect or read, or a fault of fk-doctor's own",
            Exit::Incomplete => "incomplete: some relation could not be checked",
            Exit::Refused => "refused: stale plan, limit tripped, guard",
            Exit::NotClean => {
                "changed, but not to the end or not clean: orphans or skipped rows are left, or a signal ended the run"
            }
            Exit::Interrupted => "ended by ctrl-c or SIGTERM before anything was changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_serious_outcome_wins() {
        let order = [130, 3, 2, 5, 6, 4, 1, 0];
        for left in Exit::ALL {
            for right in Exit::ALL {
                let graver = order.into_iter().find(|code| [left.code(), right.code()].contains(code));
                assert_eq!(Some(left.or_graver(right).code()), graver);
            }
        }
    }
}
