//! What is particular to one kind of server where a repair is tried on it or made; what servers have in common is in
//! [`super::writer`] and [`super::scratch_tables`].

use super::Failure;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::write::WriteOptions;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::source::Address;

/// A connection over which rows are written.
pub(in crate::engine) trait Writing: Sized {
    /// Runs a statement that changes rows; the answer is how many it says that it changed.
    fn change(&mut self, statement: &str, parameters: &[Value], deadline: &Deadline) -> Result<u64, Failure>;

    /// Rows that this connection has changed so far, through triggers too: numbers that make this one together, each the last
    /// of a row.
    const CHANGED: &'static str;

    /// Makes happen now what was put off until the commit.
    const SETTLE: Option<&'static str>;

    /// The number under which the server knows this connection.
    const NUMBER: &'static str;

    /// What stands around one statement that may fail, where a failure would otherwise go further than the statement.
    const ATTEMPT: Option<Attempt>;

    /// What opens the room for a table, and closes it again.
    const FURNISH: Option<[&'static str; 2]>;

    const BACKUP_TOOL: &'static str;

    fn open(address: &Address, patience: &Patience) -> Result<Self, Failure>;

    fn is_open(&self) -> bool;

    /// Runs statements whose answers nobody wants.
    fn run(&mut self, statements: String, deadline: &Deadline) -> Result<(), Failure>;

    /// Calls `each` with every row of the answer.
    fn ask(
        &mut self,
        question: &str,
        parameters: &[Value],
        deadline: &Deadline,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), Failure>;

    /// Starts a transaction that writes.
    fn begin(&mut self, patience: &Patience, options: WriteOptions) -> Result<(), Failure>;

    /// From here on nothing but temporary tables can be written to, or nothing that is written stays.
    fn enter_room(&mut self, patience: &Patience) -> Result<(), Failure>;

    /// A question whose answer is 1 if this connection now holds the name, a word of hexadecimal digits, until it ends.
    fn hold(name: &str) -> String;

    /// A question whose answer says which connection holds the name.
    fn holder(name: &str) -> String;

    /// Ends another connection of the same user.
    fn end_other(number: i64) -> String;

    fn kind(code: &str) -> Kind;

    /// Returns why the server refuses a row, in words without the row's values.
    fn of_a_row(code: &str, message: &str) -> Refusal;

    fn of_a_question(failure: Failure, address: &Address) -> EngineError;

    fn of_the_database(failure: &Failure, address: &Address) -> EngineError;

    /// What a role needs that was not allowed to write.
    fn privileges(options: WriteOptions) -> &'static str;
}

/// What a server's refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Kind {
    /// One of the row's values, or a constraint.
    Row,
    /// Others were in the way, and may not be the next time: nothing of the transaction is left.
    Overtaken,
    Lock,
    Privilege,
    Other,
}

/// What stands before the first attempt, and what makes room for the next after one that was done or failed.
pub(in crate::engine) struct Attempt {
    pub(in crate::engine) before: &'static str,
    pub(in crate::engine) done: &'static str,
    pub(in crate::engine) failed: &'static str,
}
