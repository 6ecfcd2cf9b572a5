//! The transactions of connections. All reading is done in a read-only transaction on one snapshot, in which
//! unqualified names refer only to objects of the server itself.

use std::time::Duration;

use crate::engine::WaitLimits;

/// The server's memory for one sort or hash table; larger ones use its disk.
const WORK_MEM: &str = "64MB";

/// Returns the statements that begin a read-only transaction, on an exported snapshot if one is given.
pub(super) fn begin(snapshot: Option<&Snapshot>, limits: &WaitLimits) -> String {
    let set_snapshot =
        snapshot.map(|snapshot| format!("SET TRANSACTION SNAPSHOT '{}';", snapshot.0)).unwrap_or_default();
    // search_path comes first, because later statements look names up in it.
    format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {set_snapshot} {}", settings(limits))
}

/// Returns the statements that begin a writing transaction. It reads the latest rows, because its locks exclude other
/// writers from the beginning.
pub(super) fn begin_writing(limits: &WaitLimits) -> String {
    format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {}; SET CONSTRAINTS ALL DEFERRED", settings(limits))
}

/// Makes the server count changed rows in this transaction. This fails for most roles if it does not do so already.
pub(super) const COUNT_CHANGES: &str =
    "SELECT set_config('track_counts', 'on', true) WHERE NOT current_setting('track_counts')::bool";

/// Disables triggers and foreign keys, except triggers that are enabled for replicas.
pub(super) const AS_REPLICA: &str = "SET LOCAL session_replication_role = replica";

/// The longest wait for tables, while a gentle transaction holds no row. Writers queue behind it meanwhile.
pub(super) const WAIT_FOR_TABLES: &str = "SET LOCAL lock_timeout = '300ms'";

/// The longest wait of a gentle transaction that holds rows.
pub(super) const WAIT_FOR_ROWS: &str = "SET LOCAL lock_timeout = '30ms'";

/// The longest wait for tables, while a gentle transaction holds rows. A writer for whom it waits may wait for one of these rows.
pub(super) const WAIT_LATE: &str = "SET LOCAL lock_timeout = '10ms'";

pub(super) fn settings(limits: &WaitLimits) -> String {
    // With these settings a value has the same text for every role.
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

/// Begins a query, limited to the remaining time.
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

/// Limits the next statements to the remaining time.
pub(super) fn statement_limit(limits: &WaitLimits) -> String {
    format!("SET LOCAL statement_timeout = {}", milliseconds(limits.deadline.remaining()))
}

/// The query plans that the server may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plans {
    Any,
    /// Plans that use no index, which might be damaged.
    TablesOnly,
}

pub(super) const END_QUESTION: &str = "ROLLBACK TO SAVEPOINT question; RELEASE SAVEPOINT question";

/// The server takes 0 for no limit, so a limit is at least 1.
fn milliseconds(limit: Option<Duration>) -> u128 {
    limit.map_or(0, |limit| limit.as_millis().clamp(1, i32::MAX.unsigned_abs().into()))
}

/// The server's name of an exported snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot(String);

impl Snapshot {
    pub(super) const EXPORT: &str = "SELECT pg_export_snapshot()";

    pub(super) fn named(name: &str) -> Option<Snapshot> {
        let known = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        known.then(|| Snapshot(name.to_owned()))
    }
}
