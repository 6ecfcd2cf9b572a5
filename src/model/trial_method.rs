//! How `explain` and `check` tried statements without a lasting effect.

use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialMethod {
    /// In a private copy of the database.
    Copy {
        bytes: u64,
        /// Why the database itself could not be used; `None` if the copy is what was asked for.
        why: Option<String>,
    },
    /// In a clone of the database file, which shares its blocks until one of the two files changes.
    Clone,
    /// In the database file itself, in a transaction that was rolled back.
    InPlace {
        /// The time during which no other program could write.
        locked: Duration,
    },
    /// On a server, in a transaction that was rolled back.
    OnServer,
}

impl TrialMethod {
    /// Returns the name in JSON reports.
    pub fn name(&self) -> &'static str {
        match self {
            TrialMethod::Copy { .. } => "copy",
            TrialMethod::Clone => "clone",
            TrialMethod::InPlace { .. } => "in-place",
            TrialMethod::OnServer => "on-server",
        }
    }

    /// Returns the sentence for people; `None` if there is nothing that they need to know.
    pub fn sentence(&self, database: &str) -> Option<String> {
        match self {
            TrialMethod::Copy { why: None, .. } | TrialMethod::Clone | TrialMethod::OnServer => None,
            TrialMethod::Copy { bytes, why: Some(why) } => {
                Some(format!("in a private copy of {}, because {why}", super::text::bytes(*bytes)))
            }
            TrialMethod::InPlace { locked } => Some(format!(
                "in {database} itself, and taken back; no other program could write to it for {}",
                super::text::duration(*locked)
            )),
        }
    }
}
