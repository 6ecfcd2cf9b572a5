//! The differences between servers when a repair is rehearsed or applied. The common parts are in [`super::writer`] and
//! [`super::scratch_tables`].

use super::Failure;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engine::gentle_writer::GentleLocks;
use crate::engine::write::WriteOptions;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;
use crate::sql::batch::BatchLoad;
use crate::sql::batch::LoadedRows;

/// A connection that writes rows.
pub(in crate::engine) trait WriterConnection: Sized {
    /// Runs a statement that changes rows. Returns how many rows the server reports as changed.
    fn change(&mut self, statement: &str, parameters: &[Value], deadline: &Deadline) -> Result<u64, Failure>;

    /// A query for the rows that this connection has changed so far, triggers included. The result is the sum of the
    /// answer's last column.
    const CHANGED: &'static str;

    /// True if [`WriterConnection::CHANGED`] also counts rows of temporary tables. Then only two answers directly before and after a
    /// statement that changes rows tell how many these are.
    const COUNTS_TEMPORARY_TABLES: bool;

    /// Statements that select query plans for sets of rows that are small beside their tables, and the usual plans.
    const PLANS_OF_SETS: Option<[&'static str; 2]>;

    /// A statement before a gentle transaction locks tables late.
    const BEFORE_LATE_LOCK: &'static str;

    /// As in [`crate::engine::gentle_writer::GentleWriter::can_change_unlocked_rows`].
    const CHANGES_UNLOCKED_ROWS: bool;

    /// Statements before and after a query that skips locked rows, inside a gentle transaction.
    const AROUND_SKIPPING: Option<[&'static str; 2]>;

    /// A statement that runs deferred constraints and triggers now.
    const RUN_DEFERRED: Option<&'static str>;

    /// A query for the server's number of this connection.
    const NUMBER: &'static str;

    /// The savepoint around a statement that may fail, on servers where a failure would abort the whole transaction.
    const ATTEMPT: Option<AttemptSavepoint>;

    /// Statements that allow and forbid the creation of scratch tables.
    const ALLOW_TABLES: Option<[&'static str; 2]>;

    const BACKUP_TOOL: &'static str;

    fn open(address: &Address, limits: &WaitLimits) -> Result<Self, Failure>;

    fn is_open(&self) -> bool;

    /// Runs statements and ignores their answers.
    fn run(&mut self, statements: String, deadline: &Deadline) -> Result<(), Failure>;

    /// Calls `each` with every row of the answer.
    fn ask(
        &mut self,
        question: &str,
        parameters: &[Value],
        deadline: &Deadline,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), Failure>;

    /// Loads rows. `statement` returns the statement for a number of rows.
    fn load(
        &mut self,
        statement: &dyn Fn(usize) -> BatchLoad,
        rows: &LoadedRows<'_>,
        deadline: &Deadline,
    ) -> Result<(), Failure>;

    /// Starts a transaction that writes.
    fn begin(&mut self, limits: &WaitLimits, options: WriteOptions) -> Result<(), Failure>;

    /// Starts a transaction that writes beside other sessions, and takes its locks. It waits for another session only for a moment.
    fn begin_gently(
        &mut self,
        limits: &WaitLimits,
        options: WriteOptions,
        locks: GentleLocks<'_>,
    ) -> Result<(), Failure>;

    /// Runs a statement that locks tables inside a gentle transaction.
    fn lock_tables(&mut self, statement: &Sql, limits: &WaitLimits) -> Result<(), Failure>;

    /// Restricts the connection: afterwards it can write only to temporary tables, or nothing that it writes is kept.
    fn restrict_to_temporary_tables(&mut self, limits: &WaitLimits) -> Result<(), Failure>;

    /// Returns a query whose answer is 1 if this connection now holds the advisory lock `name` (hexadecimal digits)
    /// until it ends.
    fn take_lock(name: &str) -> String;

    /// Returns a query for the connection that holds the advisory lock `name`.
    fn lock_holder(name: &str) -> String;

    /// Returns a statement that ends another connection of the same user.
    fn end_other(number: i64) -> String;

    fn kind(code: &str) -> ServerErrorKind;

    /// Returns why the server refuses a row, without the row's values.
    fn row_refusal(code: &str, message: &str) -> Refusal;

    fn query_error(failure: Failure, address: &Address) -> EngineError;

    fn database_error(failure: &Failure, address: &Address) -> EngineError;

    /// Returns the help for a role that lacks the privilege to write.
    fn privileges(options: WriteOptions) -> &'static str;
}

/// The class of a server's refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum ServerErrorKind {
    /// One of the row's values, or a constraint.
    Row,
    /// A deadlock or a serialization failure. The transaction is rolled back, and a retry may succeed.
    Conflict,
    Lock,
    Privilege,
    Other,
}

/// The statements around an attempt: before the first one, and after one that succeeded or failed.
pub(in crate::engine) struct AttemptSavepoint {
    pub(in crate::engine) before: &'static str,
    pub(in crate::engine) done: &'static str,
    pub(in crate::engine) failed: &'static str,
}
