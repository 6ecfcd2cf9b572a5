//! The session of a folder of files.

use std::sync::Arc;

use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;
use roaring::RoaringTreemap;

use super::cell::Cell;
use super::cell::shown;
use super::fault::Fault;
use super::judge;
use super::judge::RowSet;
use super::judge::Scope;
use super::lake::Lake;
use super::lake::LakeTable;
use super::lake::located;
use super::pair_counts;
use super::private::PrivateDatabase;
use super::private::Purpose;
use super::rows;
use super::rows::Limits;
use super::stored_rows;
use super::types::FileType;
use crate::engine::Damage;
use crate::engine::EngineError;
use crate::engine::Inclusion;
use crate::engine::RowConsumer;
use crate::engine::RowsOutcome;
use crate::engine::RowsReading;
use crate::engine::Session;
use crate::engine::ShownName;
use crate::engine::StorageAnswer;
use crate::engine::StorageReadOptions;
use crate::engine::WaitLimits;
use crate::engine::sqlite;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::discovery::PairCounts;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::sql::Sql;

/// The largest page or record that a statement may read, in bytes.
const LARGEST_PAGE: u64 = 256 << 20;

pub(super) struct FilesSession {
    lake: Arc<Lake>,
    private: PrivateDatabase,
    limits: WaitLimits,
}

impl FilesSession {
    pub(super) fn open(lake: &Arc<Lake>, limits: &WaitLimits) -> Result<FilesSession, EngineError> {
        let private = PrivateDatabase::open(lake).map_err(|error| sqlite::failed(&error))?;
        Ok(FilesSession { lake: Arc::clone(lake), private, limits: limits.clone() })
    }

    fn number_of(&self, table: &Table) -> Option<usize> {
        self.lake.tables.iter().position(|known| known.name == table.name.table)
    }

    fn ask(&mut self, question: (&Sql, Purpose), each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        if self.limits.deadline.has_passed() {
            return Err(EngineError::TimeLimit);
        }
        let limits = reading_limits(&self.limits);
        self.private.each_row(&self.lake, question, limits, each)
    }

    /// Returns the addresses that a query gives, and remembers them for other inclusions.
    fn addresses(&mut self, sql: &Option<Sql>, known: &mut Vec<(Sql, Arc<RoaringTreemap>)>) -> Result<RowSet, String> {
        let Some(sql) = sql else { return Ok(None) };
        if let Some((_, rows)) = known.iter().find(|(asked, _)| asked == sql) {
            return Ok(Some(Arc::clone(rows)));
        }
        let mut rows = RoaringTreemap::new();
        self.ask((sql, Purpose::Condition), &mut |row| {
            if let Some(address) = row.first().and_then(Value::as_integer) {
                rows.insert(address.cast_unsigned());
            }
        })
        .map_err(|error| error.because())?;
        let rows = Arc::new(rows);
        known.push((sql.clone(), Arc::clone(&rows)));
        Ok(Some(rows))
    }
}

impl Session for FilesSession {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        self.ask((sql, Purpose::Evidence), each)
    }

    fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
        Ok(None)
    }

    fn each_stored_value(
        &mut self,
        table: &Table,
        column: usize,
        _threads: usize,
        visit: &(dyn Fn(ValueRef<'_>) + Sync),
    ) -> Result<bool, EngineError> {
        let Some(number) = self.number_of(table) else { return Ok(false) };
        let table = &self.lake.tables[number];
        let Some(of) = table.columns.get(column).map(|column| &column.of) else { return Ok(false) };
        let limits = reading_limits(&self.limits);
        let read = rows::pieces(table).into_par_iter().try_for_each(|piece| {
            rows::read(table, piece, &[column], limits, &mut |batch| {
                for row in 0..batch.rows {
                    visit_cell(batch.columns[0].cell(row), of, visit);
                }
                Ok(())
            })
        });
        match read {
            Ok(()) => Ok(true),
            Err(Fault::TimeLimit) => Err(EngineError::TimeLimit),
            Err(Fault::Unreadable(_)) => Ok(false),
        }
    }

    fn read_stored_rows(
        &mut self,
        readings: &[RowsReading<'_>],
        threads: usize,
        consumer: &dyn RowConsumer,
    ) -> Result<Vec<RowsOutcome>, EngineError> {
        let limits = reading_limits(&self.limits);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
        let pool = pool.map_err(|error| EngineError::Failed { why: error.to_string() })?;
        let mut outcomes = Vec::new();
        for (index, reading) in readings.iter().enumerate() {
            let Some(number) = self.number_of(reading.table) else {
                outcomes.push(RowsOutcome::AskSql);
                continue;
            };
            let table = &self.lake.tables[number];
            let read = pool.install(|| stored_rows::read(table, &reading.cells, limits, (consumer, index)));
            outcomes.push(match read.map_err(EngineError::from) {
                Ok(()) => RowsOutcome::Read,
                Err(EngineError::TimeLimit) => return Err(EngineError::TimeLimit),
                Err(error) => RowsOutcome::Failed(error),
            });
        }
        Ok(outcomes)
    }

    fn stored_pair_counts(
        &mut self,
        (child, child_columns): (&Table, &[usize]),
        (parent, parent_columns): (&Table, &[usize]),
        condition: &[(usize, Value)],
    ) -> Result<Option<PairCounts>, EngineError> {
        let limits = reading_limits(&self.limits);
        let (Some(child), Some(parent)) = (self.number_of(child), self.number_of(parent)) else { return Ok(None) };
        let (child, parent) = ((child, child_columns), (parent, parent_columns));
        pair_counts::counts(&self.lake, child, parent, condition, limits).map(Some)
    }

    fn each_first_row(
        &mut self,
        table: &Table,
        columns: &[usize],
        most: u64,
        visit: &mut dyn FnMut(&[Value]),
    ) -> Result<Option<Option<i64>>, EngineError> {
        let Some(number) = self.number_of(table) else { return Ok(None) };
        let table = &self.lake.tables[number];
        let limits = reading_limits(&self.limits);
        first_rows(table, columns, most, limits, visit).map_err(EngineError::from)?;
        match columns {
            [column] if table.columns[*column].of == FileType::Integer => {
                largest(table, *column, limits).map(Some).map_err(EngineError::from)
            }
            _ => Ok(Some(None)),
        }
    }

    fn read_storage(
        &mut self,
        _: &Tables,
        inclusions: &[Inclusion],
        options: &StorageReadOptions<'_>,
    ) -> Vec<StorageAnswer> {
        let mut known = Vec::new();
        let lake = Arc::clone(&self.lake);
        let scopes = inclusions.iter().map(|inclusion| {
            let tables = [inclusion.child.index(), inclusion.parent.index()];
            if let Some(why) = tables.into_iter().find_map(|table| lake.tables[table].unreadable.clone()) {
                return Err(why);
            }
            Ok(Scope {
                children: self.addresses(&inclusion.rows_in_scope, &mut known)?,
                deleted: self.addresses(&inclusion.deleted_parents, &mut known)?,
            })
        });
        let scopes = scopes.collect();
        judge::judge(&lake, inclusions, scopes, options, &self.limits.deadline)
    }

    fn row_names(&mut self, table: &Table, rows: &[i64]) -> Result<Option<Vec<ShownName>>, EngineError> {
        let Some(number) = self.number_of(table) else { return Ok(None) };
        let lake = Arc::clone(&self.lake);
        let table = &lake.tables[number];
        let limits = reading_limits(&self.limits);
        if !table.key.is_empty()
            && let Some(keys) = self.private.key_values(&lake, number, rows, limits)?
        {
            let names = table.key.iter().map(|&column| table.columns[column].name.clone());
            let names: Vec<String> = names.collect();
            return Ok(Some(keys.into_iter().map(|key| names.iter().cloned().zip(key).collect()).collect()));
        }
        let name = |&address: &i64| {
            let (file, row) = located(address);
            let file = table.files.get(file).map_or("?", |file| file.name.as_str());
            vec![("file".to_owned(), Value::text(file)), ("row".to_owned(), Value::Integer(row.cast_signed()))]
        };
        Ok(Some(rows.iter().map(name).collect()))
    }
}

/// Returns the limits of a reading that keeps no more than a page.
fn reading_limits(limits: &WaitLimits) -> Limits<'_> {
    Limits { memory: LARGEST_PAGE, deadline: &limits.deadline }
}

fn first_rows(
    table: &LakeTable,
    columns: &[usize],
    most: u64,
    limits: Limits<'_>,
    visit: &mut dyn FnMut(&[Value]),
) -> Result<(), Fault> {
    let mut left = most;
    for piece in rows::pieces(table) {
        let read = rows::read(table, piece, columns, limits, &mut |batch| {
            for row in 0..batch.rows {
                if left == 0 {
                    // Reading ends here, and no table is unreadable.
                    return Err(Fault::Unreadable(String::new()));
                }
                left -= 1;
                let values = batch.columns.iter().zip(columns);
                let values = values.map(|(cells, &column)| shown(cells.cell(row), &table.columns[column].of));
                visit(&values.collect::<Vec<Value>>());
            }
            Ok(())
        });
        match read {
            Err(_) if left == 0 => return Ok(()),
            read => read?,
        }
    }
    Ok(())
}

fn largest(table: &LakeTable, column: usize, limits: Limits<'_>) -> Result<Option<i64>, Fault> {
    let of_piece = |piece: rows::Piece| {
        let mut largest = None;
        rows::read(table, piece, &[column], limits, &mut |batch| {
            let numbers = (0..batch.rows).filter_map(|row| match batch.columns[0].cell(row) {
                Cell::Integer(number) => Some(number),
                _ => None,
            });
            largest = largest.max(numbers.max());
            Ok(())
        })?;
        Ok(largest)
    };
    let largest = rows::pieces(table).into_par_iter().map(of_piece);
    largest.try_reduce(|| None, |left, right| Ok(left.max(right)))
}

fn visit_cell(cell: Cell<'_>, of: &FileType, visit: &(dyn Fn(ValueRef<'_>) + Sync)) {
    match (cell, of) {
        (Cell::Bytes(text), FileType::Text | FileType::Untyped) => visit(ValueRef::Text(text)),
        (cell, of) => match shown(cell, of) {
            Value::Null => visit(ValueRef::Null),
            Value::Integer(number) => visit(ValueRef::Integer(number)),
            Value::Real(number) => visit(ValueRef::Real(number)),
            Value::Text(text) => visit(ValueRef::Text(&text)),
            Value::Blob(blob) => visit(ValueRef::Blob(&blob)),
        },
    }
}
