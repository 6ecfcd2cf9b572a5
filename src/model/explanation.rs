//! The explanations of statements: why each of them fails, and what it would change.

use std::sync::Arc;

use super::catalog::Action;
use super::finding::Code;
use super::finding::Finding;
use super::refusal::Refusal;
use super::schema::Schema;
use super::statement::Statement;
use super::trial_method::TrialMethod;

/// The beginning of the next step that inserts a missing parent; the statement follows.
pub const PARENT_FIRST: &str = "insert the parent first: ";

#[derive(Debug, Clone)]
pub struct Explanation {
    /// The schema before the first statement.
    pub schema: Arc<Schema>,
    pub statements: Vec<Explained>,
    /// How the statements were tried; `None` if none was.
    pub trial: Option<TrialMethod>,
}

/// The explanation of one statement.
#[derive(Debug, Clone)]
pub struct Explained {
    pub statement: Statement,
    /// The schema when the statement ran. The findings contain ids of this schema.
    pub schema: Arc<Schema>,
    pub verdict: StatementVerdict,
    /// All reasons, although the engine stops at the first.
    pub reasons: Vec<StatementReason>,
    /// The changes that the statement makes, or would make if nothing refused it.
    pub effects: Vec<Effect>,
    /// The cascades of the rows that are deleted and of the keys that are changed.
    pub radius: Vec<CascadeBranch>,
    /// Further notes for the reader.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementVerdict {
    Accepted,
    /// The engine refuses it.
    Refused(Refusal),
    /// It was not run, because it has effects outside the database; with the reason.
    Forbidden(String),
    /// It was not run, because it has no effect in a trial; with the reason.
    Skipped(String),
}

/// One reason why a statement is refused, or should not be run.
#[derive(Debug, Clone)]
pub enum StatementReason {
    /// A relation: rows would lack their parent, or a defect of its definition refuses every write.
    Relation(Box<Finding>),
    /// Another constraint.
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

/// The numbers of rows that a statement writes in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub table: String,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    /// The triggers that write to this table.
    pub triggers: Vec<String>,
}

/// The effects of a delete or an update through one relation, and the further cascades below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CascadeBranch {
    /// The table that contains the parent rows.
    pub parent: String,
    /// The child table and the columns of its key.
    pub child: String,
    pub columns: Vec<String>,
    pub relation_id: String,
    pub event: Event,
    pub action: Action,
    pub deleted: u64,
    /// Rows whose key is changed: set to NULL, to the default, or to the parent's new key.
    pub changed: u64,
    /// Rows that block the statement, because the action is NO ACTION or RESTRICT.
    pub blocking: u64,
    /// The depth of the rows that refer to each other, if the relation refers to its own table.
    pub levels: u64,
    pub below: Vec<CascadeBranch>,
    /// True if the further cascades are shown at another branch, because several branches reach this table.
    pub shown_elsewhere: bool,
}

/// The change of the parent row.
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
    /// Returns the explanation of a statement about which nothing is known yet. It is accepted unless something refuses it.
    pub fn new(statement: Statement, schema: Arc<Schema>) -> Explained {
        Explained {
            statement,
            schema,
            verdict: StatementVerdict::Accepted,
            reasons: Vec::new(),
            effects: Vec::new(),
            radius: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// True if nothing refuses the statement.
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
