//! One connection to a cluster, for the questions of a scan.

use super::connection::Connection;
use super::failure;
use super::failure::Failure;
use super::text_files::TextFiles;
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
    text_files: TextFiles,
}

impl SparkSession {
    /// Opens a connection in a session of the cluster, in which the views exist.
    pub(super) fn open(
        address: &Address,
        limits: &WaitLimits,
        text_files: TextFiles,
        session: &str,
    ) -> Result<SparkSession, Failure> {
        let connection = Connection::open(address, Some(session))?;
        Ok(SparkSession { address: address.clone(), limits: limits.clone(), connection, text_files })
    }

    /// Returns why the cluster may misread the keys of a relation in text files.
    fn doubt(&self, tables: &Tables, inclusion: &Inclusion) -> Result<Option<String>, Failure> {
        let mut ask = |sql: &Sql| {
            let mut rows = Vec::new();
            self.connection.ask(sql.text(), sql.parameters(), &self.limits.deadline, &mut |batch| {
                value::each_row(&batch, rows.len() as u64, &mut |row| rows.push(row.to_vec()))?;
                Ok(())
            })?;
            Ok(match rows.as_slice() {
                [row] => match row.as_slice() {
                    [Value::Integer(first), Value::Integer(second)] => Some([*first, *second]),
                    _ => None,
                },
                _ => None,
            })
        };
        let sides = [(inclusion.child, &inclusion.child_columns), (inclusion.parent, &inclusion.parent_columns)];
        for (table, columns) in sides {
            let doubt = self.text_files.doubt(&tables[table], columns, &mut ask)?;
            if doubt.is_some() {
                return Ok(doubt);
            }
        }
        Ok(None)
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

    /// Refuses every pair of types that the cluster would convert, and keys that it may misread. All others are asked in SQL.
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
                None => match self.doubt(tables, inclusion) {
                    Ok(None) => StorageAnswer::AskSql { why: None },
                    Ok(Some(why)) => StorageAnswer::Unjudged { why },
                    Err(Failure::TimeLimit) => StorageAnswer::TimeLimit,
                    Err(failure) => StorageAnswer::Unjudged { why: self.address.censored(&failure.because()) },
                },
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
