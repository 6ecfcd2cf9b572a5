//! The circumstances of a scan, for the lines of a report that name commands and times. Reports for programs leave them
//! out, so that equal databases give equal bytes.

use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanRun {
    /// The database as a word of a command, quoted for a shell; `None` if the environment names it.
    pub database: Option<String>,
    /// The typed options that choose the database and the configuration, as the words of a command that follow its name.
    pub options: String,
    /// A name for files about this database, such as `flight_2`.
    pub stem: String,
    /// The whole command, without passwords.
    pub command: String,
    /// The time at which the scan began, such as `2026-12-31T23:59:59Z`.
    pub started: String,
    pub elapsed: Duration,
    /// The options that restrict the rows or the relations, such as `--since 2026-01-31`.
    pub restrictions: Vec<String>,
    /// The file of known findings.
    pub baseline: Option<String>,
    /// The ids of the relations with orphans that a shipped rule names, each with the name of the rule.
    pub shipped_rules: Vec<(String, String)>,
}

impl ScanRun {
    /// Returns a command about this database, ready to paste. `before` and `after` are words around its name.
    pub fn command(&self, before: &str, after: &str) -> String {
        let words = [before, self.database.as_deref().unwrap_or_default(), self.options.trim_start(), after];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Returns the name of the shipped rule that treats a relation, if there is one.
    pub fn rule_for(&self, relation_id: &str) -> Option<&str> {
        self.shipped_rules.iter().find(|(id, _)| id == relation_id).map(|(_, rule)| rule.as_str())
    }
}
