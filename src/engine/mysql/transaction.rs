//! The transaction in which everything is read: it cannot write, and it sees one moment.

use std::time::Duration;

use super::introspect::Server;
use crate::engine::Patience;
use crate::engine::write::WriteOptions;
use crate::model::catalog::Engine;

/// A server's and a user's settings may be anything; these are what the model's SQL is written for. A time is the same
/// text whoever reads it, and 0 is a key like any other. What begins with `/*!80000` is read by MySQL alone, and what begins
/// with `/*M!` by MariaDB alone.
pub(super) fn settings(patience: &Patience) -> String {
    let lock_wait = patience.lock_wait.as_secs().clamp(1, 31_536_000);
    format!(
        "SET SESSION sql_mode = '{SQL_MODE}', sql_auto_is_null = 0, sql_big_selects = 1, sql_safe_updates = 0,
             sql_select_limit = DEFAULT, time_zone = '+00:00', lock_wait_timeout = {lock_wait},
             innodb_lock_wait_timeout = {lock_wait}, wait_timeout = 28800, net_write_timeout = 600,
             group_concat_max_len = 1048576 /*!80000 , information_schema_stats_expiry = 0, cte_max_recursion_depth = 20000 */"
    )
}

const SQL_MODE: &str = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO";

/// What comes back may be what no rule would allow: an orphan, the 31st of February and, on MariaDB, a row that breaks its
/// CHECK. MySQL has no such row, because it looks at every row when a CHECK is made or begins to be enforced.
pub(super) fn writing_settings(options: WriteOptions) -> String {
    let checks = if options.takes_back {
        format!(
            "foreign_key_checks = 0 /*M! , check_constraint_checks = 0 */, sql_mode = '{SQL_MODE},ALLOW_INVALID_DATES'"
        )
    } else {
        "foreign_key_checks = 1 /*M! , check_constraint_checks = 1 */".to_owned()
    };
    format!(
        "SET SESSION TRANSACTION READ WRITE; SET SESSION autocommit = 1, completion_type = 'NO_CHAIN', unique_checks = 1, {checks}"
    )
}

/// What it reads, nobody else changes until its end.
pub(super) const BEGIN_WRITING: &str =
    "ROLLBACK; SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ WRITE";

/// Ends what went before, and sees the moment at which it runs.
pub(super) const BEGIN: &str = "ROLLBACK; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
     START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// What tells a number that grows whenever a transaction that writes begins or is committed. On MySQL it is one line of a
/// long text, which takes the privilege PROCESS.
pub(super) fn moment_question(server: &Server) -> &'static str {
    match server.engine {
        Engine::Mariadb => "SHOW GLOBAL STATUS LIKE 'Innodb\\_max\\_trx\\_id'",
        _ => "SHOW ENGINE INNODB STATUS",
    }
}

/// The number in its answer.
pub(super) fn moment_in(answer: &str) -> Option<u64> {
    let number = answer.split_once("Trx id counter ").map_or(answer, |(_, rest)| rest);
    number.lines().next()?.trim().parse().ok()
}

/// Begins the transaction of a trial. Should something end it after all, what follows is still not committed by itself.
pub(super) const BEGIN_TRIAL: &str =
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION autocommit = 0; START TRANSACTION";

/// Whose words hold from here on, inside of a trial: ours, or those of everybody on this server. Nothing else is set there,
/// because some settings commit.
pub(super) fn speak(as_user: bool) -> String {
    let mode = if as_user { "@@GLOBAL.sql_mode".to_owned() } else { format!("'{SQL_MODE}'") };
    format!("SET SESSION sql_mode = {mode}")
}

/// Fails where there is no transaction: a mark that cannot be found again was never made.
pub(super) const BEGIN_TRY: &str =
    "SAVEPOINT fk_doctor_sure; RELEASE SAVEPOINT fk_doctor_sure; SAVEPOINT fk_doctor_try";

/// Lets the next statements run no longer than is left.
pub(super) fn statement_limit(server: &Server, patience: &Patience) -> Option<String> {
    patience.deadline.remaining().map(|left| match server.engine {
        Engine::Mariadb => format!("SET SESSION max_statement_time = {:.3}; ", seconds(left)),
        _ => format!("SET SESSION max_execution_time = {}; ", left.as_millis().clamp(1, u32::MAX.into())),
    })
}

/// Lets a question run no longer than is left.
pub(super) fn begin_question(server: &Server, patience: &Patience) -> String {
    format!("{}SAVEPOINT question", statement_limit(server, patience).unwrap_or_default())
}

/// Going back to a savepoint gives back the locks on definitions, so that nobody waits for us to change a table.
pub(super) const END_QUESTION: &str = "ROLLBACK TO SAVEPOINT question";

/// To the server 0 is no limit.
fn seconds(left: Duration) -> f64 {
    left.as_secs_f64().clamp(0.001, 31_536_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_is_one_number_of_an_answer() {
        assert_eq!(moment_in("18323"), Some(18_323));
        assert_eq!(
            moment_in("\nTRANSACTIONS\n---\nTrx id counter 18323\nPurge done for trx's n:o < 18320\n"),
            Some(18_323)
        );
        assert_eq!(moment_in("nothing of that"), None);
    }
}
