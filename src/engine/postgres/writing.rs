//! The PostgreSQL part of rehearsing and applying a repair.
//!
//! Foreign keys stay enforced while a plan is applied, because it inserts parents before their children. Only to
//! restore orphans or to disable triggers, the session sets session_replication_role to replica, which requires a
//! privilege.

use super::connection::Connection;
use super::failure;
use super::transaction;
use super::value;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::WaitLimits;
use crate::engine::gentle_writer::GentleLocks;
use crate::engine::wire::Failure;
use crate::engine::wire::writing::AttemptSavepoint;
use crate::engine::wire::writing::ServerErrorKind;
use crate::engine::wire::writing::WriterConnection;
use crate::engine::write::WriteOptions;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;
use crate::sql::batch::BatchLoad;
use crate::sql::batch::LoadedRows;

/// The number of rows that are sent to the server together.
const PIECE: usize = 500;

/// Returns rows with this number of values in the text format of COPY.
fn copied(values: &[&Value], width: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for row in values.chunks(width) {
        for (index, value) in row.iter().enumerate() {
            if index > 0 {
                text.push(b'\t');
            }
            value::copy_text(value, &mut text);
        }
        text.push(b'\n');
    }
    text
}

impl WriterConnection for Connection {
    /// The server's view of these numbers takes several times as long. Tables of the server itself have low numbers.
    const CHANGED: &'static str = "SELECT coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_inserted(oid) \
         + pg_catalog.pg_stat_get_xact_tuples_updated(oid) + pg_catalog.pg_stat_get_xact_tuples_deleted(oid)), 0)::int8 \
         FROM pg_catalog.pg_class WHERE relkind = 'r' AND relpersistence <> 't' AND oid >= 16384";

    const COUNTS_TEMPORARY_TABLES: bool = false;

    /// A merge join would read a whole index for each set. A low cost of random reads makes the server find the rows of a set by
    /// an index, unless the set is large beside its table. Tables are joined in the order of the statement, which finds the rows
    /// of the set before it asks whether they have parents: the server takes orphans for so rare that it would find those of the
    /// whole table first, and compare each with every line of the set.
    const PLANS_OF_SETS: Option<[&'static str; 2]> = Some([
        "SET LOCAL enable_mergejoin = off; SET LOCAL random_page_cost = 0.2; SET LOCAL cpu_operator_cost = 0.0005; \
         SET LOCAL join_collapse_limit = 1",
        "SET LOCAL enable_mergejoin TO DEFAULT; SET LOCAL random_page_cost TO DEFAULT; \
         SET LOCAL cpu_operator_cost TO DEFAULT; SET LOCAL join_collapse_limit TO DEFAULT",
    ]);

    const BEFORE_LATE_LOCK: &'static str = transaction::WAIT_LATE;

    const CHANGES_UNLOCKED_ROWS: bool = true;

    const AROUND_SKIPPING: Option<[&'static str; 2]> = None;

    const RUN_DEFERRED: Option<&'static str> = Some("SET CONSTRAINTS ALL IMMEDIATE");

    const NUMBER: &'static str = "SELECT pg_catalog.pg_backend_pid()";

    /// The rehearsal is a transaction that is never committed. Without a savepoint a failure would abort it.
    const ATTEMPT: Option<AttemptSavepoint> = Some(AttemptSavepoint {
        before: "SAVEPOINT attempt",
        done: "RELEASE SAVEPOINT attempt; SAVEPOINT attempt",
        failed: "ROLLBACK TO SAVEPOINT attempt",
    });

    const ALLOW_TABLES: Option<[&'static str; 2]> = None;

    const BACKUP_TOOL: &'static str = "pg_dump";

    fn open(address: &Address, limits: &WaitLimits) -> Result<Connection, Failure> {
        Connection::open(address, &limits.deadline)
    }

    fn is_open(&self) -> bool {
        self.is_open()
    }

    fn run(&mut self, statements: String, deadline: &Deadline) -> Result<(), Failure> {
        self.run(statements, deadline)
    }

    fn ask(
        &mut self,
        question: &str,
        parameters: &[Value],
        deadline: &Deadline,
        each: &mut dyn FnMut(&[Value]),
    ) -> Result<(), Failure> {
        self.ask(question, parameters, deadline, each)
    }

    fn change(&mut self, statement: &str, parameters: &[Value], deadline: &Deadline) -> Result<u64, Failure> {
        self.change(statement, parameters, deadline)
    }

    fn load(
        &mut self,
        statement: &dyn Fn(usize) -> BatchLoad,
        rows: &LoadedRows<'_>,
        deadline: &Deadline,
    ) -> Result<(), Failure> {
        let BatchLoad::Stream(statement) = statement(rows.count()) else { return Ok(()) };
        // The server stores a piece while the next one is made.
        let pieces = rows.values.chunks(PIECE * rows.width.max(1)).map(|values| copied(values, rows.width));
        self.copy_in(&statement, pieces, deadline)
    }

    fn begin(&mut self, limits: &WaitLimits, options: WriteOptions) -> Result<(), Failure> {
        self.run(transaction::begin_writing(limits), &limits.deadline)?;
        self.run(transaction::COUNT_CHANGES.to_owned(), &limits.deadline).map_err(uncounted)?;
        if options.no_triggers || options.undo {
            self.run(transaction::AS_REPLICA.to_owned(), &limits.deadline)?;
        }
        Ok(())
    }

    /// A wait of the application for a lock of ours ends before the server looks for a deadlock, which it does after a second.
    fn begin_gently(
        &mut self,
        limits: &WaitLimits,
        options: WriteOptions,
        locks: GentleLocks<'_>,
    ) -> Result<(), Failure> {
        WriterConnection::begin(self, limits, options)?;
        match locks {
            GentleLocks::Tables(Some(lock)) => self.lock_tables(lock, limits),
            GentleLocks::Tables(None) | GentleLocks::Rows => {
                self.run(transaction::WAIT_FOR_ROWS.to_owned(), &limits.deadline)
            }
        }
    }

    fn lock_tables(&mut self, statement: &Sql, limits: &WaitLimits) -> Result<(), Failure> {
        let (wait, usual) = (transaction::WAIT_FOR_TABLES, transaction::WAIT_FOR_ROWS);
        self.run(format!("{wait}; {}; {usual}", statement.text()), &limits.deadline)
    }

    fn restrict_to_temporary_tables(&mut self, limits: &WaitLimits) -> Result<(), Failure> {
        self.run(transaction::begin_writing(limits), &limits.deadline)
    }

    fn take_lock(name: &str) -> String {
        format!("SELECT pg_catalog.pg_try_advisory_lock({})::int4", lock_number(name))
    }

    fn lock_holder(name: &str) -> String {
        // The server shows the two halves of the number.
        let number = lock_number(name).cast_unsigned();
        let (high, low) = (number >> 32, number & 0xffff_ffff);
        format!(
            "SELECT pg_catalog.concat('connection ', a.pid, ' of ', a.usename, ' since ', a.backend_start::timestamp(0)) \
             FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid \
             WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.classid OPERATOR(pg_catalog.=) {high}::oid \
             AND l.objid OPERATOR(pg_catalog.=) {low}::oid AND l.granted"
        )
    }

    fn end_other(number: i64) -> String {
        format!("SELECT pg_catalog.pg_terminate_backend({number})")
    }

    fn kind(code: &str) -> ServerErrorKind {
        failure::kind(code)
    }

    fn row_refusal(code: &str, message: &str) -> Refusal {
        let kind = failure::refusal_kind(code);
        let message = if code == failure::UNIQUE_VIOLATION { format!("UNIQUE: {message}") } else { message.to_owned() };
        Refusal::new(kind, message)
    }

    fn query_error(failure: Failure, address: &Address) -> EngineError {
        failure::query_error(failure, address)
    }

    fn database_error(failure: &Failure, address: &Address) -> EngineError {
        failure::database_error(failure, address)
    }

    fn privileges(options: WriteOptions) -> &'static str {
        if options.undo {
            "nothing was changed: only a superuser, or a role that may SET session_replication_role, can restore orphans"
        } else {
            "nothing was changed: this role must be able to write both tables of a relation, and --no-triggers needs a role that may SET session_replication_role"
        }
    }
}

/// Explains why the server does not count changed rows for this role.
fn uncounted(failure: Failure) -> Failure {
    match failure {
        Failure::Refused { code, message, about } => {
            let why =
                "track_counts is off, so that changes by triggers would remain unseen: a superuser can turn it on";
            Failure::Refused { code, message: format!("{why} ({message})"), about }
        }
        other => other,
    }
}

/// Returns the first digits of a name as the number of an advisory lock.
fn lock_number(name: &str) -> i64 {
    let digits = name.get(..16).unwrap_or(name);
    u64::from_str_radix(digits, 16).unwrap_or(0).cast_signed()
}
