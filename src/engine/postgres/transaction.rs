//! The transaction in which everything is read: it cannot write, it sees one moment, and no name in it means anything
//! but what the server's makers meant.

use std::time::Duration;

use crate::engine::WaitLimits;

/// Memory for one sort or hash table of the server; larger ones go through its disk.
const WORK_MEM: &str = "64MB";

/// What starts a transaction; one that is given a snapshot sees what the transaction saw that exported it.
pub(super) fn begin(snapshot: Option<&Snapshot>, limits: &WaitLimits) -> String {
    let same_moment =
        snapshot.map(|snapshot| format!("SET TRANSACTION SNAPSHOT '{}';", snapshot.0)).unwrap_or_default();
    // A role's settings may be anybody's: search_path first, because what follows it is looked up.
    format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {same_moment} {}", settings(limits))
}

/// Starts a transaction that writes: whoever would be in its way is locked out at its beginning, so it sees what is there.
pub(super) fn begin_writing(limits: &WaitLimits) -> String {
    format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {}; SET CONSTRAINTS ALL DEFERRED", settings(limits))
}

/// Neither triggers nor foreign keys are heard, but for those that are for replicas.
pub(super) const AS_REPLICA: &str = "SET LOCAL session_replication_role = replica";

pub(super) fn settings(limits: &WaitLimits) -> String {
    // Values are the same text whoever reads them.
    format!(
        "SET LOCAL search_path = pg_catalog, pg_temp;
         SET LOCAL row_security = off;
         SET LOCAL standard_conforming_strings = on;
         SET LOCAL lock_timeout = {};
         SET LOCAL statement_timeout = 0;
         SET LOCAL idle_in_transaction_session_timeout = 0;
         SET LOCAL work_mem = '{WORK_MEM}';
         SET LOCAL jit = off;
         SET LOCAL constraint_exclusion = off;
         SET LOCAL DateStyle = 'ISO, YMD';
         SET LOCAL IntervalStyle = 'postgres';
         SET LOCAL TimeZone = 'UTC';
         SET LOCAL lc_monetary = 'C';
         SET LOCAL extra_float_digits = 1;
         SET LOCAL bytea_output = 'hex';
         SELECT set_config(name, '5s', true) FROM (VALUES ('client_connection_check_interval')) AS newer(name)
             WHERE current_setting(name, true) IS NOT NULL",
        milliseconds(Some(limits.lock_wait)),
    )
}

/// Lets a question run no longer than is left.
pub(super) fn begin_question(plans: Plans, limits: &WaitLimits) -> String {
    let limit = milliseconds(limits.deadline.remaining());
    let plans = match plans {
        Plans::Any => "",
        Plans::TablesOnly => {
            "; SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; \
             SET LOCAL enable_bitmapscan = off"
        }
    };
    format!("SAVEPOINT question; SET LOCAL statement_timeout = {limit}{plans}")
}

/// Lets the next statements run no longer than is left.
pub(super) fn statement_limit(limits: &WaitLimits) -> String {
    format!("SET LOCAL statement_timeout = {}", milliseconds(limits.deadline.remaining()))
}

/// By which ways the server may look for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plans {
    Any,
    /// No index is believed.
    TablesOnly,
}

pub(super) const END_QUESTION: &str = "ROLLBACK TO SAVEPOINT question; RELEASE SAVEPOINT question";

/// To the server 0 is no limit, so none is ever shorter than 1.
fn milliseconds(limit: Option<Duration>) -> u128 {
    limit.map_or(0, |limit| limit.as_millis().clamp(1, i32::MAX.unsigned_abs().into()))
}

/// The name of a moment, as the server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot(String);

impl Snapshot {
    pub(super) const EXPORT: &str = "SELECT pg_export_snapshot()";

    pub(super) fn named(name: &str) -> Option<Snapshot> {
        let known = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        known.then(|| Snapshot(name.to_owned()))
    }
}
