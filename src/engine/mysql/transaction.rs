//! The settings and transactions of connections. All reading is done in a read-only transaction on one snapshot.

use std::time::Duration;

use super::introspect::Server;
use crate::engine::WaitLimits;
use crate::engine::write::WriteOptions;
use crate::model::catalog::Engine;

/// Sets all settings on which the program's SQL depends, whatever the server and the user have set. Times are equal
/// texts in every session, and 0 is an ordinary key. MySQL alone reads `/*!80000 … */`, and MariaDB alone reads `/*M! …
/// */`.
pub(super) fn settings(limits: &WaitLimits) -> String {
    let lock_wait = lock_wait_seconds(limits);
    format!(
        "SET SESSION sql_mode = '{SQL_MODE}', sql_auto_is_null = 0, sql_big_selects = 1, sql_safe_updates = 0,
             sql_select_limit = DEFAULT, time_zone = '+00:00', lock_wait_timeout = {lock_wait},
             innodb_lock_wait_timeout = {lock_wait}, wait_timeout = 28800, net_write_timeout = 600,
             group_concat_max_len = 1048576 /*!80000 , information_schema_stats_expiry = 0, cte_max_recursion_depth = 20000 */"
    )
}

const SQL_MODE: &str = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO";

/// `undo` may restore values that constraints forbid: an orphan, the 31st of February and, on MariaDB, a row that
/// violates its CHECK. MySQL has no such row, because it validates all rows when a CHECK is added or enforced.
pub(super) fn writing_settings(options: WriteOptions) -> String {
    let checks = if options.undo {
        format!(
            "foreign_key_checks = 0 /*M! , check_constraint_checks = 0 */, sql_mode = '{SQL_MODE},ALLOW_INVALID_DATES'"
        )
    } else {
        "foreign_key_checks = 1 /*M! , check_constraint_checks = 1 */".to_owned()
    };
    // MySQL counts the rows of its own temporary tables as changed, so a statement may use none whose size cannot be told.
    format!(
        "SET SESSION TRANSACTION READ WRITE; SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', unique_checks = 1, {checks} \
         /*!80000 , optimizer_switch = 'materialization=off,duplicateweedout=off' */"
    )
}

/// Other sessions cannot change what this transaction has read until it ends.
pub(super) const BEGIN_WRITING: &str =
    "ROLLBACK; SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ WRITE";

/// Begins a transaction whose writing statements read the latest rows, and whose queries read a snapshot without locks.
pub(super) const BEGIN_GENTLY: &str =
    "ROLLBACK; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ WRITE";

/// Makes a statement fail that would wait for a row. The shortest wait of MySQL is a second.
pub(super) const NO_WAIT: &str =
    "SET SESSION innodb_lock_wait_timeout = 1 /*M! , SESSION innodb_lock_wait_timeout = 0 */";

/// Makes statements wait for a row as long as the user wants.
pub(super) fn lock_wait(limits: &WaitLimits) -> String {
    format!("SET SESSION innodb_lock_wait_timeout = {}", lock_wait_seconds(limits))
}

fn lock_wait_seconds(limits: &WaitLimits) -> u64 {
    limits.lock_wait.as_secs().clamp(1, 31_536_000)
}

/// Ends the previous transaction, and begins one whose snapshot is the present state.
pub(super) const BEGIN: &str = "ROLLBACK; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
     START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// Returns a query for a number that grows whenever a writing transaction begins or commits. On MySQL it is one line of
/// a long text, which requires the privilege PROCESS.
pub(super) fn snapshot_query(server: &Server) -> &'static str {
    match server.engine {
        Engine::Mariadb => "SHOW GLOBAL STATUS LIKE 'Innodb\\_max\\_trx\\_id'",
        _ => "SHOW ENGINE INNODB STATUS",
    }
}

/// Returns the number in the answer to [`snapshot_query`].
pub(super) fn snapshot_number(answer: &str) -> Option<u64> {
    let number = answer.split_once("Trx id counter ").map_or(answer, |(_, rest)| rest);
    number.lines().next()?.trim().parse().ok()
}

/// Begins the transaction of a trial. If a statement ends it, later statements still do not commit implicitly.
pub(super) const BEGIN_TRIAL: &str =
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION autocommit = 0; START TRANSACTION";

/// Selects the SQL mode within a trial: the program's own, or the server's default for its users. Nothing else is set
/// there, because some settings commit.
pub(super) fn select_sql_mode(as_user: bool) -> String {
    let mode = if as_user { "@@GLOBAL.sql_mode".to_owned() } else { format!("'{SQL_MODE}'") };
    format!("SET SESSION sql_mode = {mode}")
}

/// Fails outside a transaction, because there a savepoint cannot be released.
pub(super) const BEGIN_TRY: &str =
    "SAVEPOINT fk_doctor_sure; RELEASE SAVEPOINT fk_doctor_sure; SAVEPOINT fk_doctor_try";

/// Limits the next statements to the remaining time.
pub(super) fn statement_limit(server: &Server, limits: &WaitLimits) -> Option<String> {
    limits.deadline.remaining().map(|left| match server.engine {
        Engine::Mariadb => format!("SET SESSION max_statement_time = {:.3}; ", seconds(left)),
        _ => format!("SET SESSION max_execution_time = {}; ", left.as_millis().clamp(1, u32::MAX.into())),
    })
}

/// Begins a query, limited to the remaining time.
pub(super) fn begin_question(server: &Server, limits: &WaitLimits) -> String {
    format!("{}SAVEPOINT question", statement_limit(server, limits).unwrap_or_default())
}

/// Rolling back to a savepoint releases metadata locks, so that other sessions can change tables.
pub(super) const END_QUESTION: &str = "ROLLBACK TO SAVEPOINT question";

/// The server takes 0 for no limit, so the result is never 0.
fn seconds(left: Duration) -> f64 {
    left.as_secs_f64().clamp(0.001, 31_536_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_number_is_found_in_each_form_of_answer() {
        assert_eq!(snapshot_number("18323"), Some(18_323));
        assert_eq!(
            snapshot_number("\nTRANSACTIONS\n---\nTrx id counter 18323\nPurge done for trx's n:o < 18320\n"),
            Some(18_323)
        );
        assert_eq!(snapshot_number("nothing of that"), None);
    }
}
