//! The report of a discovery: which references the database does not declare, how sure each is, and why.

mod csv;
mod explained;
mod html;
mod json;
mod markdown;
mod picture;
mod table;
mod toml;
mod wording;

use crate::model::discovery::PairCounts;
use crate::model::discovery::Tier;
use crate::model::discovery_view::CandidateView;
use crate::model::discovery_view::DiscoveryView;
use crate::model::schema::Schema;
use crate::report::DiscoveryFormat;
use crate::report::TerminalStyle;

pub use toml::entries;

/// A discovery and the circumstances of the run.
pub struct DiscoveryReport<'a> {
    pub view: &'a DiscoveryView,
    /// The schema, for pictures.
    pub schema: &'a Schema,
    /// The lowest tier that people see.
    pub lowest: Tier,
    /// The database as a word of a command, quoted for a shell; empty if the environment names it.
    pub database: &'a str,
    /// The configuration file as a word of a command, quoted for a shell.
    pub config: &'a str,
}

impl DiscoveryReport<'_> {
    /// Returns the candidates that people see, without the relations that are known already.
    fn shown(&self) -> impl Iterator<Item = &CandidateView> {
        let candidates = self.view.candidates.iter();
        candidates.filter(|candidate| candidate.tier != Tier::Declared && candidate.tier <= self.lowest)
    }

    /// Returns a command about this database.
    fn command(&self, command: &str, options: &str) -> String {
        let words = ["fk-doctor", command, self.database, options];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// Returns the report in one of its formats, ending in a newline.
pub fn render(report: &DiscoveryReport<'_>, format: DiscoveryFormat, terminal: &TerminalStyle) -> String {
    match format {
        DiscoveryFormat::Table => table::render(report, terminal),
        DiscoveryFormat::Json => json::render(report.view),
        DiscoveryFormat::Ndjson => json::lines(report.view),
        DiscoveryFormat::Markdown => markdown::render(report),
        DiscoveryFormat::Html => html::render(report),
        DiscoveryFormat::Csv => csv::render(report.view),
        DiscoveryFormat::Mermaid => picture::mermaid(report),
        DiscoveryFormat::Dot => picture::dot(report),
    }
}

/// Returns why a pair of columns has its tier, in sentences.
pub fn explanation(report: &DiscoveryReport<'_>, candidate: &CandidateView, terminal: &TerminalStyle) -> String {
    explained::render(report, candidate, terminal)
}

/// A pair of columns that is no candidate.
pub struct AbsentPair {
    pub id: String,
    /// `None` if the rows were not compared.
    pub counts: Option<PairCounts>,
    pub reason: String,
}

impl AbsentPair {
    pub fn new(id: String, reason: &str) -> AbsentPair {
        AbsentPair { id, counts: None, reason: reason.to_owned() }
    }
}

/// Returns why a pair is no candidate.
pub fn absent(pair: &AbsentPair, terminal: &TerminalStyle) -> String {
    explained::absent(pair, terminal)
}
