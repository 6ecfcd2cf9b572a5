//! Why statements fail and what they would do, as values: one [`Explained`] for each statement that was typed.

use std::sync::Arc;

use super::catalog::Action;
use super::finding::Code;
use super::finding::Finding;
use super::refusal::Refusal;
use super::schema::Schema;
use super::statement::Statement;

#[derive(Debug, Clone)]
pub struct Explanation {
    /// As the database was before the first statement.
    pub schema: Arc<Schema>,
    pub statements: Vec<Explained>,
}

#[derive(Debug, Clone)]
pub struct Explained {
    pub statement: Statement,
    /// As the database was when the statement ran; findings point into it.
    pub schema: Arc<Schema>,
    pub verdict: StatementVerdict,
    /// Every reason that was found, whatever the engine stopped at.
    pub reasons: Vec<StatementReason>,
    /// What it does or, where it is refused, would do if nothing refused it.
    pub effects: Vec<Effect>,
    /// What goes along with rows that are deleted, or keys that are changed.
    pub radius: Vec<CascadeBranch>,
    /// What else should be known.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementVerdict {
    Accepted,
    /// The engine refuses it.
    Refused(Refusal),
    /// It was not run, because it reaches beyond the database.
    Forbidden(String),
    /// It was not run, because it makes no difference here.
    Skipped(String),
}

/// One reason why a statement is refused, or should not be run.
#[derive(Debug, Clone)]
pub enum StatementReason {
    /// About a relation: rows that would lack their parent, or a definition that refuses everything.
    Relation(Finding),
    /// Any other constraint.
    Constraint(Constraint),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    pub code: Code,
    pub table: Option<String>,
    pub columns: Vec<String>,
    pub message: String,
    pub help: String,
}

/// Rows of one table that are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub table: String,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    /// The triggers that write to this table, where any do.
    pub triggers: Vec<String>,
}

/// What follows through one relation, and what follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CascadeBranch {
    /// The table that the parent rows are in.
    pub parent: String,
    /// The relation's child and its columns.
    pub child: String,
    pub columns: Vec<String>,
    pub relation_id: String,
    pub event: Event,
    pub action: Action,
    pub deleted: u64,
    /// Rows whose key is changed: set to NULL, to the default, or to the parent's new key.
    pub changed: u64,
    /// Rows that refuse to let go.
    pub blocking: u64,
    /// How many rows hang below each other, where the relation refers to its own table.
    pub levels: u64,
    pub below: Vec<CascadeBranch>,
    /// What follows from here is shown elsewhere in the tree, because this table is reached in several ways.
    pub shown_elsewhere: bool,
}

/// What happens to the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Delete,
    Update,
}

impl Event {
    pub fn name(self) -> &'static str {
        match self {
            Event::Delete => "delete",
            Event::Update => "update",
        }
    }
}

impl Explained {
    /// Nothing speaks against running it.
    pub fn is_fine(&self) -> bool {
        matches!(self.verdict, StatementVerdict::Accepted | StatementVerdict::Skipped(_)) && self.reasons.is_empty()
    }
}

impl StatementReason {
    pub fn code(&self) -> Code {
        match self {
            StatementReason::Relation(finding) => finding.code,
            StatementReason::Constraint(constraint) => constraint.code,
        }
    }
}

impl StatementVerdict {
    pub fn name(&self) -> &'static str {
        match self {
            StatementVerdict::Accepted => "accepted",
            StatementVerdict::Refused(_) => "refused",
            StatementVerdict::Forbidden(_) => "forbidden",
            StatementVerdict::Skipped(_) => "skipped",
        }
    }
}
