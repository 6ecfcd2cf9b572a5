//! Confines the connection of a trial: a statement can reach nothing outside the database, and an authorizer observes
//! the tables that it writes.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::AuthAction;
use rusqlite::hooks::AuthContext;
use rusqlite::hooks::Authorization;
use rusqlite::hooks::TransactionOperation;
use rusqlite::limits::Limit;

use crate::engine::trial::TableWrite;

/// Read-only pragmas, which a view or a trigger may use as functions.
const READ_ONLY_PRAGMAS: [&str; 8] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
];

/// The authorizer's observations of the current statement.
#[derive(Default)]
pub(super) struct Watch {
    /// False for the program's own statements, which are not recorded.
    pub(super) is_on: bool,
    /// True if a statement must not begin or end a transaction, because the trial is inside one.
    pub(super) is_inside_transaction: bool,
    pub(super) writes: Vec<TableWrite>,
    pub(super) denied: Option<String>,
    /// The statement about a transaction.
    pub(super) control: Option<Control>,
}

/// A statement that begins or ends a transaction, or sets a savepoint. SQLite parsed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    RollbackTo(String),
}

/// Configures the connection like an application's, except that it cannot reach anything outside its database.
pub(super) fn confine(connection: &mut Connection, watch: &Arc<Mutex<Watch>>) -> rusqlite::Result<()> {
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    ] {
        connection.set_db_config(setting, value)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA recursive_triggers = OFF; PRAGMA mmap_size = 0; PRAGMA cache_size = -32000",
    )?;
    let watch = Arc::clone(watch);
    connection.authorizer(Some(move |context: AuthContext<'_>| guard(&mut held(&watch), &context)))
}

pub(super) fn held(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

fn guard(watch: &mut Watch, context: &AuthContext<'_>) -> Authorization {
    if !watch.is_on {
        return Authorization::Allow;
    }
    let denied = match &context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Some("it uses another database file".to_owned()),
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let reads = READ_ONLY_PRAGMAS.iter().any(|name| name.eq_ignore_ascii_case(pragma_name));
            let defers = pragma_name.eq_ignore_ascii_case("defer_foreign_keys");
            (pragma_value.is_some() && !reads && !defers).then(|| format!("it sets PRAGMA {pragma_name}"))
        }
        AuthAction::Function { function_name } => ["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(function_name))
            .then(|| format!("it calls {function_name}()")),
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. } => {
            if context.database_name == Some("main") {
                let write =
                    TableWrite { table: (*table_name).to_owned(), trigger: context.accessor.map(str::to_owned) };
                if !watch.writes.contains(&write) {
                    watch.writes.push(write);
                }
            }
            None
        }
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            watch.control = control(&context.action);
            watch.is_inside_transaction.then(|| "it begins or ends a transaction".to_owned())
        }
        _ => None,
    };
    if denied.is_some() {
        watch.denied = denied;
        return Authorization::Deny;
    }
    Authorization::Allow
}

fn control(action: &AuthAction<'_>) -> Option<Control> {
    match action {
        AuthAction::Transaction { operation } => Some(match operation {
            TransactionOperation::Begin => Control::Begin,
            TransactionOperation::Rollback => Control::Rollback,
            // COMMIT has no value of its own.
            _ => Control::Commit,
        }),
        AuthAction::Savepoint { operation, savepoint_name } => {
            let name = (*savepoint_name).to_owned();
            Some(match operation {
                TransactionOperation::Release => Control::Release(name),
                TransactionOperation::Rollback => Control::RollbackTo(name),
                _ => Control::Savepoint(name),
            })
        }
        _ => None,
    }
}
