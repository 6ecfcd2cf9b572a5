//! One connection to a cluster, for the questions of a scan.

use super::connection::Connection;
use super::failure;
use super::failure::Failure;
use super::types;
use super::value;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Inclusion;
use crate::engine::Session;
use crate::engine::StorageAnswer;
use crate::engine::StorageReadOptions;
use crate::engine::WaitLimits;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;

pub(super) struct SparkSession {
    address: Address,
    limits: WaitLimits,
    connection: Connection,
}

impl SparkSession {
    /// Opens a connection in a session of the cluster, in which the views exist.
    pub(super) fn open(address: &Address, limits: &WaitLimits, session: &str) -> Result<SparkSession, Failure> {
        let connection = Connection::open(address, Some(session))?;
        Ok(SparkSession { address: address.clone(), limits: limits.clone(), connection })
    }
}

impl Session for SparkSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let deadline = &self.limits.deadline;
        if deadline.has_passed() {
            return Err(EngineError::TimeLimit);
        }
        let mut rows = 0;
        let answer = self.connection.ask(sql.text(), sql.parameters(), deadline, &mut |batch| {
            rows += value::each_row(&batch, rows, each)?.1;
            Ok(())
        });
        answer.map_err(|failure| failure::query_error(&failure, &self.address))
    }

    /// The cluster itself reports damage when it reads.
    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }

    /// Refuses every pair of types that the cluster would convert. All others are asked in SQL.
    fn read_storage(
        &mut self,
        tables: &Tables,
        inclusions: &[Inclusion],
        _: &StorageReadOptions<'_>,
    ) -> Vec<StorageAnswer> {
        let answer = |inclusion: &Inclusion| {
            let (child, parent) = (&tables[inclusion.child], &tables[inclusion.parent]);
            let pairs = inclusion.child_columns.iter().zip(&inclusion.parent_columns);
            let mut pairs = pairs.map(|(&left, &right)| (&child.columns[left], &parent.columns[right]));
            match pairs.find(|(left, right)| !types::are_compared(&left.declared_type, &right.declared_type)) {
                Some((left, right)) => StorageAnswer::Unjudged { why: incomparable((child, left), (parent, right)) },
                None => StorageAnswer::AskSql { why: None },
            }
        };
        inclusions.iter().map(answer).collect()
    }
}

fn incomparable((child, left): (&Table, &Column), (parent, right): (&Table, &Column)) -> String {
    format!(
        "{}.{} is {} and {}.{} is {}: a cluster would convert them, and could make unequal keys equal",
        child.name, left.name, left.declared_type, parent.name, right.name, right.declared_type
    )
}
