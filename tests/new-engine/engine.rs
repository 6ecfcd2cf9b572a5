//! An engine that only reads. Its server is an in-memory database with one foreign key and one orphan.

use rusqlite::Connection;
use rusqlite::params_from_iter;
use rusqlite::types::Value as Stored;

use crate::engine::Damage;
use crate::engine::Database;
use crate::engine::EngineError;
use crate::engine::LagMeter;
use crate::engine::WaitLimits;
use crate::engine::Session;
use crate::model::catalog::Action;
use crate::model::catalog::Catalog;
use crate::model::catalog::Column;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Match;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::ids::IdVec;
use crate::model::value::Value;
use crate::source::Address;
use crate::sql::Sql;

const SEED: &str = "CREATE TABLE p (id); CREATE TABLE c (id, r); \
                    INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2), (3, 7), (4, NULL);";

pub(crate) fn open(_: &Address, _: &WaitLimits) -> Result<Box<dyn Database>, EngineError> {
    Ok(Box::new(DummyDatabase))
}

/// This engine has no replicas.
pub(crate) fn lag_meter(_: &Address, _: &WaitLimits) -> Result<Box<dyn LagMeter>, EngineError> {
    Err(EngineError::Failed { why: "it has no replicas".to_owned() })
}

struct DummyDatabase;

impl Database for DummyDatabase {
    fn catalog(&mut self) -> Result<Catalog, EngineError> {
        let mut tables = IdVec::new();
        tables.push(table("p", &["id"]));
        let child = tables.push(table("c", &["id", "r"]));
        let key = ForeignKey {
            name: None,
            child,
            columns: vec!["r".to_owned()],
            parent: named("p"),
            parent_columns: Some(vec!["id".to_owned()]),
            on_delete: Action::NoAction,
            on_delete_columns: Vec::new(),
            on_update: Action::NoAction,
            match_rule: Match::Simple,
            deferrable: false,
            comparisons: Vec::new(),
            flaws: Vec::new(),
            incomparable: None,
        };
        Ok(Catalog {
            database: DatabaseName {
                engine: Engine::Dummy,
                name: "memory".to_owned(),
                version: "1".to_owned(),
                default_schema: None,
            },
            names: NameRule::Exact,
            tables,
            foreign_keys: vec![key],
        })
    }

    fn session(&mut self) -> Result<Box<dyn Session>, EngineError> {
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.execute_batch(SEED).map_err(failed)?;
        Ok(Box::new(DummySession { connection }))
    }

    fn sessions(&mut self, _: usize) -> Result<Vec<Box<dyn Session>>, EngineError> {
        Ok(vec![self.session()?])
    }

    fn change_while_reading(&self) -> Option<String> {
        None
    }
}

struct DummySession {
    connection: Connection,
}

impl Session for DummySession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let mut statement = self.connection.prepare(sql.text()).map_err(failed)?;
        let parameters = sql.parameters().iter().map(|value| match value {
            Value::Integer(number) => Stored::Integer(*number),
            Value::Text(bytes) => Stored::Text(String::from_utf8_lossy(bytes).into_owned()),
            Value::Null | Value::Real(_) | Value::Blob(_) => Stored::Null,
        });
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(parameters)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let values = (0..columns).map(|column| match row.get(column) {
                Ok(Stored::Integer(number)) => Value::Integer(number),
                Ok(Stored::Text(text)) => Value::text(&text),
                _ => Value::Null,
            });
            each(&values.collect::<Vec<Value>>());
        }
        Ok(())
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }
}

fn failed(error: rusqlite::Error) -> EngineError {
    EngineError::Failed { why: error.to_string() }
}

fn named(table: &str) -> TableName {
    TableName { schema: None, table: table.to_owned() }
}

fn table(name: &str, columns: &[&str]) -> Table {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        declared_type: "INTEGER".to_owned(),
        family: Family::Integer,
        collation: None,
        not_null: false,
        generated: false,
        always_identity: false,
        sql_type: None,
    };
    let part = IndexColumn { column: Some(0), collation: None };
    Table {
        columns: columns.iter().map(column).collect(),
        primary_key: vec![0],
        indexes: vec![Index {
            name: "primary".to_owned(),
            columns: vec![part],
            unique: true,
            partial: false,
            primary: true,
            separate: true,
        }],
        ..Table::new(named(name), TableKind::Table)
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::Deadline;
    use crate::engine::WaitLimits;
    use crate::engines;
    use crate::model::resolve;
    use crate::scan;
    use crate::scan::ScanResult;
    use crate::source::Source;
    use crate::sql;

    #[test]
    fn dummy_engine_is_scanned_and_not_repaired() {
        let source = Source::parse("dummy://localhost/memory").unwrap();
        let patience = WaitLimits { lock_wait: std::time::Duration::ZERO, deadline: Deadline::default() };
        let mut database = engines::open(&source, &patience).unwrap();
        let schema = resolve::resolve(database.catalog().unwrap(), &[]).unwrap();
        let mut sessions = database.sessions(1).unwrap();
        let wishes = scan::ScanOptions {
            samples: 5,
            memory: 1 << 20,
            threads: 1,
            progress: &|_| {},
            is_known: None,
        };
        let facts = scan::scan(&schema, &mut sessions, &wishes);
        assert_eq!(facts.len(), 1);
        let Some(ScanResult::Checked(tally)) = facts.iter().next() else { panic!("{facts:?}") };
        assert_eq!((tally.orphan_rows, tally.missing_keys), (1, 1));
        assert_eq!((tally.counts.rows, tally.counts.null_rows), (4, 1));
        assert!(sql::repair::of(&schema).is_none());
        assert!(database.writer(Default::default()).is_err());
    }
}
