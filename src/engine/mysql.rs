//! MySQL and MariaDB: reading the definitions, and sessions that see one moment as far as the server lets them.
//!
//! These servers have no snapshot that connections could share. Several are begun, and used if no transaction that
//! writes began or ended between the first and the last of them; if that cannot be had or not be told, one alone.

use super::Database;
use super::EngineError;
use super::Patience;
use super::Session;
use super::Trial;
use super::wire::Failure;
use crate::model::catalog::Catalog;
use crate::model::value::Value;
use crate::source::Address;

mod connection;
mod failure;
mod introspect;
mod rules;
mod session;
mod transaction;
mod trial;
mod value;

use connection::Connection;
use introspect::Server;
use session::MysqlSession;
use trial::MysqlTrial;

/// How often sessions are begun anew because others wrote in between.
const TRIES: usize = 20;

pub(super) struct MysqlDatabase {
    address: Address,
    patience: Patience,
    server: Server,
    /// Reads the definitions and the server's counters.
    first: Connection,
}

pub(super) fn open(address: &Address, patience: &Patience) -> Result<MysqlDatabase, EngineError> {
    let connect = || {
        let mut first = Connection::open(address, &patience.deadline)?;
        first.run(transaction::settings(patience), &patience.deadline)?;
        let server = introspect::server(&mut first, &patience.deadline)?;
        Ok((first, server))
    };
    let (first, server) = connect().map_err(|failure: Failure| failure::of_the_database(&failure, address))?;
    if server.database.is_empty() {
        let why = "the URL names no database".to_owned();
        return Err(failure::unsuitable(address, why, "write mysql://USER@HOST/DATABASE"));
    }
    if !server.is_recent() {
        let why = format!("{} {} has no window functions", server.engine.title(), server.version);
        return Err(failure::unsuitable(address, why, "scan a copy on MySQL 8 or MariaDB 10.2 or later"));
    }
    Ok(MysqlDatabase { address: address.clone(), patience: patience.clone(), server, first })
}

impl Database for MysqlDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        introspect::catalog(&mut self.first, &self.server, &self.patience.deadline)
            .map_err(|failure| failure::of_the_database(&failure, &self.address))
    }

    fn sessions(&mut self, wanted: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        let sessions = self.begun(wanted.max(1));
        let sessions = sessions.map_err(|failure| failure::of_the_database(&failure, &self.address))?;
        Ok(sessions.into_iter().map(|session| Box::new(session) as Box<dyn Session>).collect())
    }

    fn trial(&mut self, _: &dyn Fn(usize, usize)) -> Result<Box<dyn Trial>, EngineError> {
        Ok(Box::new(MysqlTrial::open(&self.address, &self.patience, &self.server)?))
    }

    fn disturbed(&self) -> Option<String> {
        None
    }
}

impl MysqlDatabase {
    fn begun(&mut self, wanted: usize) -> Result<Vec<MysqlSession>, Failure> {
        let mut sessions = vec![MysqlSession::open(&self.address, &self.patience, &self.server)?];
        if wanted > 1 && self.moment().is_some() {
            let more = || MysqlSession::open(&self.address, &self.patience, &self.server).ok();
            sessions.extend(std::iter::repeat_with(more).take(wanted - 1).map_while(|session| session));
            for _ in 0..TRIES {
                let before = self.moment();
                sessions.iter_mut().try_for_each(MysqlSession::begin)?;
                if before.is_some() && before == self.moment() {
                    return Ok(sessions);
                }
            }
            sessions.truncate(1);
        }
        sessions[0].begin()?;
        Ok(sessions)
    }

    /// The number of the newest transaction that wrote, where the server tells it.
    fn moment(&mut self) -> Option<String> {
        let mut number = None;
        let take = &mut |row: &[Value]| number = row.get(1).and_then(Value::as_text).map(str::to_owned);
        self.first.ask(transaction::MOMENT, &[], &self.patience.deadline, take).ok()?;
        number
    }
}
