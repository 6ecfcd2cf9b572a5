//! MySQL and MariaDB: reads the definitions, and opens sessions on one snapshot.
//!
//! Connections to these servers cannot share a snapshot. Several sessions are begun, and are used if no writing
//! transaction began or ended meanwhile. If that fails, or the server does not report it, there is only one session.

use std::collections::BTreeMap;

use super::Database;
use super::EngineError;
use super::ReadOnly;
use super::Session;
use super::Trial;
use super::TrialOptions;
use super::WaitLimits;
use super::wire;
use super::wire::Failure;
use super::wire::Shared;
use super::wire::scratch_tables::ScratchTables;
use super::wire::writer::ServerWriter;
use super::write::Rehearsal;
use super::write::WriteOptions;
use super::write::Writer;
use crate::model::catalog::Catalog;
use crate::model::value::Value;
use crate::source::Address;

mod connection;
mod failure;
mod introspect;
mod lag;
mod rules;
mod session;
mod transaction;
mod trial;
mod value;
mod writing;

pub(crate) use lag::lag_meter;

use connection::Connection;
use introspect::Server;
use session::MysqlSession;
use trial::MysqlTrial;

/// Attempts to begin all sessions without a write of others in between.
const MAX_ATTEMPTS: usize = 20;

/// Rows of a name and a value, such as ('read_only', 'ON'). The servers call the setting for transactions differently.
const READ_ONLY: &str = "SHOW SESSION VARIABLES WHERE Variable_name IN \
     ('tx_read_only', 'transaction_read_only', 'read_only', 'super_read_only', 'innodb_read_only')";

pub(super) struct MysqlDatabase {
    address: Address,
    limits: WaitLimits,
    server: Server,
    /// Reads the definitions and the server's transaction counter.
    first: Shared<Connection>,
}

pub(crate) fn open(address: &Address, limits: &WaitLimits) -> Result<Box<dyn Database>, EngineError> {
    let connect = || {
        let mut first = Connection::open(address, &limits.deadline)?;
        first.run(transaction::settings(limits), &limits.deadline)?;
        let server = introspect::server(&mut first, &limits.deadline)?;
        Ok((first, server))
    };
    let (first, server) = connect().map_err(|failure: Failure| failure::connect_error(&failure, address))?;
    if server.database.is_empty() {
        let why = "the URL names no database".to_owned();
        return Err(failure::unsuitable(address, why, "write mysql://USER@HOST/DATABASE"));
    }
    if !server.is_recent() {
        let why = format!("{} {} has no window functions", server.engine.title(), server.version);
        return Err(failure::unsuitable(address, why, "scan a copy on MySQL 8 or MariaDB 10.2 or later"));
    }
    let first = Shared::new(first);
    Ok(Box::new(MysqlDatabase { address: address.clone(), limits: limits.clone(), server, first }))
}

impl Database for MysqlDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        introspect::catalog(&mut self.first.lock(), &self.server, &self.limits.deadline)
            .map_err(|failure| failure::database_error(&failure, &self.address))
    }

    fn session(&mut self) -> Result<Box<dyn Session>, EngineError> {
        let mut session = MysqlSession::over(self.first.clone(), &self.address, &self.limits, &self.server);
        session.begin().map_err(|failure| failure::database_error(&failure, &self.address))?;
        Ok(Box::new(session))
    }

    fn is_small(&mut self) -> bool {
        let mut size = None;
        let take = &mut |row: &[Value]| size = row.first().and_then(Value::as_integer);
        let question = "SELECT CAST(coalesce(sum(data_length + index_length), 0) AS SIGNED) \
                        FROM information_schema.tables WHERE table_schema = database()";
        let asked = self.first.lock().ask(question, &[], &self.limits.deadline, take);
        asked.is_ok() && wire::is_small(size)
    }

    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        if self.address.connections == Some(1) {
            return Ok(vec![self.session()?]);
        }
        // The connection that reads the definitions stays open.
        let wanted = self.address.connections.map_or(wanted, |most| wanted.min(most - 1));
        let sessions = self.begin_sessions(wanted.max(1));
        let sessions = sessions.map_err(|failure| failure::connect_error(&failure, &self.address))?;
        Ok(sessions.into_iter().map(|session| Box::new(session) as Box<dyn Session>).collect())
    }

    fn trial(&mut self, _: &TrialOptions, _: &dyn Fn(usize, usize)) -> Result<Box<dyn Trial>, EngineError> {
        Ok(Box::new(MysqlTrial::open(&self.address, &self.limits, &self.server)?))
    }

    /// Returns the database's name and the server's id, or host, port and data directory if it has no id.
    fn identity(&mut self) -> Result<String, EngineError> {
        let question =
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uid', 'server_uuid', 'hostname', 'port', 'datadir')";
        let mut variables = BTreeMap::new();
        let take = &mut |row: &[Value]| {
            let text = |column: usize| row.get(column).and_then(Value::as_text).unwrap_or_default().to_owned();
            variables.insert(text(0).to_lowercase(), text(1));
        };
        self.first
            .lock()
            .ask(question, &[], &self.limits.deadline, take)
            .map_err(|failure| failure::database_error(&failure, &self.address))?;
        let own = variables.iter().find(|(name, _)| name.starts_with("server_u")).map(|(_, number)| number.clone());
        let server = own.unwrap_or_else(|| variables.into_values().collect::<Vec<_>>().join(" "));
        Ok(format!("{} of {server}", self.server.database))
    }

    fn read_only(&mut self) -> Result<Option<ReadOnly>, EngineError> {
        let mut declared = None;
        let take = &mut |row: &[Value]| {
            let text = |column: usize| row.get(column).and_then(Value::as_text).unwrap_or_default().to_owned();
            let (name, value) = (text(0).to_lowercase(), text(1));
            if !["OFF", "0"].contains(&value.to_uppercase().as_str()) {
                let can_be_overridden = name != "innodb_read_only";
                declared = Some(ReadOnly { why: format!("{name} is {value} on the server"), can_be_overridden });
            }
        };
        let asked = self.first.lock().ask(READ_ONLY, &[], &self.limits.deadline, take);
        asked.map_err(|failure| failure::database_error(&failure, &self.address))?;
        Ok(declared)
    }

    fn rehearsal(&mut self) -> Result<Box<dyn Rehearsal>, EngineError> {
        Ok(Box::new(ScratchTables::<Connection>::open(&self.address, &self.limits)?))
    }

    fn writer(&mut self, options: WriteOptions) -> Result<Box<dyn Writer>, EngineError> {
        if options.no_triggers {
            return Err(EngineError::Unwritable {
                what: format!("to {} without its triggers", self.address),
                why: format!("{} cannot disable triggers for a single session", self.server.engine.title()),
                help: "drop the triggers during the repair, or apply without --no-triggers".to_owned(),
            });
        }
        // The transaction that read the definitions must not block the writer.
        let _ = self.first.lock().run("ROLLBACK".to_owned(), &self.limits.deadline);
        Ok(Box::new(ServerWriter::<Connection>::open(&self.address, &self.limits, options)?))
    }

    fn change_while_reading(&self) -> Option<String> {
        None
    }

    fn single_session_reason(&mut self) -> Option<EngineError> {
        self.newest_transaction().is_none().then(|| EngineError::Unreadable {
            what: format!("{} over two connections on one snapshot", self.address),
            why: "only a user with the privilege PROCESS can see if other sessions wrote in between".to_owned(),
            help: "as an administrator, run: GRANT PROCESS ON *.* TO this user".to_owned(),
        })
    }
}

impl MysqlDatabase {
    fn begin_sessions(&mut self, wanted: usize) -> Result<Vec<MysqlSession>, Failure> {
        let wanted = if self.newest_transaction().is_some() { wanted } else { 1 };
        let mut sessions = wire::opened(wanted, || MysqlSession::open(&self.address, &self.limits, &self.server))?;
        if sessions.len() > 1 {
            for _ in 0..MAX_ATTEMPTS {
                let before = self.newest_transaction();
                sessions.iter_mut().try_for_each(MysqlSession::begin)?;
                if before.is_some() && before == self.newest_transaction() {
                    return Ok(sessions);
                }
            }
            sessions.truncate(1);
        }
        sessions[0].begin()?;
        Ok(sessions)
    }

    /// Returns the number of the newest writing transaction; `None` if the server does not report it.
    fn newest_transaction(&mut self) -> Option<u64> {
        let mut number = None;
        let take =
            &mut |row: &[Value]| number = row.last().and_then(Value::as_text).and_then(transaction::snapshot_number);
        let question = transaction::snapshot_query(&self.server);
        self.first.lock().ask(question, &[], &self.limits.deadline, take).ok()?;
        number
    }
}
