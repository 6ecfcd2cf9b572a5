//! Proves inside the transaction of the writer that relations of integers have no orphans. A set of the parent's keys costs less than
//! a search of the parent for each row of the child.
//!
//! Two integers are equal for SQLite if they are the same number, whatever the types and collations of their columns. If a relation
//! has another value on either side, or an orphan, SQL judges it.

use std::collections::BTreeMap;
use std::collections::HashMap;

use roaring::RoaringBitmap;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::failure;
use crate::engine::EngineError;
use crate::engine::Inclusion;
use crate::engine::OrphanList;
use crate::engine::StorageAnswer;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::model::catalog::TableKind;
use crate::model::catalog::Tables;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::ids::TableId;
use crate::sql::row_sets;

/// The largest number of parents. Their keys take at most about 40 megabytes.
const MOST_PARENTS: u64 = 16_000_000;

/// A column of integers: table, and position of the column.
type KeyColumn = (TableId, usize);

/// Returns the reading of each relation that has no orphan, and leaves the others to SQL.
pub(super) fn judge(connection: &Connection, tables: &Tables, inclusions: &[Inclusion]) -> Vec<StorageAnswer> {
    let mut answers = vec![StorageAnswer::AskSql { why: None }; inclusions.len()];
    let mut children: BTreeMap<TableId, Vec<(usize, usize, KeyColumn)>> = BTreeMap::new();
    for (index, inclusion) in inclusions.iter().enumerate() {
        if let Some((column, parent)) = columns(tables, inclusion) {
            children.entry(inclusion.child).or_default().push((index, column, parent));
        }
    }
    let mut keys = ParentKeys { connection, tables, known: HashMap::new() };
    for (child, relations) in children {
        // If an error persists, SQL reports it.
        let Ok(counts) = keys.count(child, &relations) else { continue };
        for ((index, ..), counts) in relations.iter().zip(counts) {
            if let Some(counts) = counts {
                answers[*index] = StorageAnswer::Judged(reading(counts));
            }
        }
    }
    answers
}

/// Returns the child's column and the parent's; `None` if a relation needs more than these.
fn columns(tables: &Tables, inclusion: &Inclusion) -> Option<(usize, KeyColumn)> {
    let is_stored = |table: TableId| tables[table].kind == TableKind::Table;
    let is_simple = is_stored(inclusion.child)
        && is_stored(inclusion.parent)
        && inclusion.rows_in_scope.is_none()
        && inclusion.deleted_parents.is_none()
        && inclusion.ignored.is_empty();
    match (&inclusion.child_columns[..], &inclusion.parent_columns[..]) {
        (&[child], &[parent]) if is_simple => Some((child, (inclusion.parent, parent))),
        _ => None,
    }
}

fn reading(counts: Counts) -> StorageReading {
    StorageReading {
        method: Method::Sql,
        counts,
        orphans: OrphanList::default(),
        suspects: Suspects::Rows(Vec::new()),
        index_is_proven: false,
        repeated_keys: None,
        note: None,
    }
}

/// The keys of parents.
struct ParentKeys<'a> {
    connection: &'a Connection,
    tables: &'a Tables,
    /// `None` for a column that has other values, or too many of them.
    known: HashMap<KeyColumn, Option<RoaringBitmap>>,
}

impl ParentKeys<'_> {
    /// Returns the counts of each relation of a child that has no orphan; `None` for the others.
    fn count(
        &mut self,
        child: TableId,
        relations: &[(usize, usize, KeyColumn)],
    ) -> Result<Vec<Option<Counts>>, EngineError> {
        for (_, _, parent) in relations {
            self.read(*parent)?;
        }
        let columns: Vec<usize> = relations.iter().map(|(_, column, _)| *column).collect();
        let keys: Vec<Option<&RoaringBitmap>> =
            relations.iter().map(|(_, _, parent)| self.known.get(parent).and_then(Option::as_ref)).collect();
        let mut null_rows: Vec<Option<u64>> = keys.iter().map(|keys| keys.map(|_| 0)).collect();
        let mut rows = 0;
        self.each_row(child, &columns, |row| {
            rows += 1;
            for (index, nulls) in null_rows.iter_mut().enumerate() {
                let (Some(count), Some(keys)) = (nulls.as_mut(), keys[index]) else { continue };
                match row.get_ref(index)? {
                    ValueRef::Null => *count += 1,
                    ValueRef::Integer(key) if u32::try_from(key).is_ok_and(|key| keys.contains(key)) => {}
                    _ => *nulls = None,
                }
            }
            Ok(null_rows.iter().any(Option::is_some))
        })?;
        let counts = |nulls: Option<u64>| nulls.map(|null_rows| Counts { rows, null_rows, ignored_rows: 0 });
        Ok(null_rows.into_iter().map(counts).collect())
    }

    /// Reads the keys of a column, unless they are known.
    fn read(&mut self, column: KeyColumn) -> Result<(), EngineError> {
        if self.known.contains_key(&column) {
            return Ok(());
        }
        let (mut keys, mut count) = (Some(RoaringBitmap::new()), 0);
        self.each_row(column.0, &[column.1], |row| {
            let key = match row.get_ref(0)? {
                ValueRef::Null => return Ok(true),
                ValueRef::Integer(key) => u32::try_from(key).ok(),
                _ => None,
            };
            match (&mut keys, key) {
                (Some(keys), Some(key)) if count < MOST_PARENTS => _ = keys.insert(key),
                _ => keys = None,
            }
            count += 1;
            Ok(keys.is_some())
        })?;
        self.known.insert(column, keys);
        Ok(())
    }

    /// Calls `each` with every row of a table, which has the values of some columns, until it returns false.
    fn each_row(
        &self,
        table: TableId,
        columns: &[usize],
        mut each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<bool>,
    ) -> Result<(), EngineError> {
        let query = row_sets::stored_columns(&self.tables[table], columns);
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(query.text())?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                if !each(row)? {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|error| failure::failed(&error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::path::Path;

    use fastrand::Rng;

    use super::*;
    use crate::engine::sqlite::introspect;
    use crate::model::catalog::Table;

    const TYPES: [&str; 6] = ["", "INT", "TEXT", "REAL", "NUMERIC", "INTEGER UNIQUE"];
    const VALUES: [&str; 12] =
        ["NULL", "0", "1", "2", "3", "'1'", "2.0", "'a'", "x'31'", "-1", "4294967295", "4294967296"];

    fn position(table: &Table, column: &str) -> usize {
        table.columns.iter().position(|found| found.name == column).unwrap()
    }

    /// Columns of every type, with values of every class. A relation that is judged has as many orphans as SQLite finds: none.
    #[test]
    fn relation_with_an_orphan_is_never_judged() {
        let mut random = Rng::with_seed(5);
        let (mut judged, mut asked) = (0, 0);
        for _ in 0..3_000 {
            let connection = Connection::open_in_memory().unwrap();
            let kind = |random: &mut Rng| random.choice(TYPES).unwrap();
            let (child, other, parent) = (kind(&mut random).replace(" UNIQUE", ""), "INT", kind(&mut random));
            connection
                .execute_batch(&format!("CREATE TABLE p(k {parent}); CREATE TABLE c(r {child}, s {other})"))
                .unwrap();
            let odd = random.usize(1..VALUES.len());
            for _ in 0..random.usize(0..6) {
                let key = VALUES[random.usize(0..=odd)];
                connection.execute_batch(&format!("INSERT OR IGNORE INTO p VALUES ({key})")).unwrap();
            }
            for _ in 0..random.usize(0..4) {
                let (r, s) = (VALUES[random.usize(0..=odd)], VALUES[random.usize(0..4)]);
                connection.execute_batch(&format!("INSERT INTO c VALUES ({r}, {s})")).unwrap();
            }
            let catalog = introspect::catalog(&connection, Path::new("app.db")).unwrap();
            let tables = catalog.tables;
            let id = |name: &str| tables.ids().find(|&id| tables[id].name.table == name).unwrap();
            let inclusion = |column: &str| Inclusion {
                child: id("c"),
                child_columns: vec![position(&tables[id("c")], column)],
                parent: id("p"),
                parent_columns: vec![position(&tables[id("p")], "k")],
                key: None,
                rows_in_scope: None,
                deleted_parents: None,
                ignored: Vec::new(),
            };
            let answers = judge(&connection, &tables, &[inclusion("r"), inclusion("s")]);
            for (column, answer) in ["r", "s"].iter().zip(answers) {
                let StorageAnswer::Judged(reading) = answer else {
                    asked += 1;
                    continue;
                };
                judged += 1;
                let orphans = format!(
                    "SELECT count(*) FROM c WHERE {column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM p WHERE p.k = c.{column})"
                );
                let counts = format!("SELECT count(*), count(*) - count({column}) FROM c");
                assert_eq!(
                    connection.query_row(&orphans, [], |row| row.get::<_, i64>(0)).unwrap(),
                    0,
                    "{child} {parent}"
                );
                let counted = connection.query_row(&counts, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
                assert_eq!((reading.counts.rows as i64, reading.counts.null_rows as i64), counted);
                assert!(reading.orphans.is_empty() && reading.suspects == Suspects::Rows(Vec::new()));
            }
        }
        assert!(judged > 500 && asked > 500, "{judged} {asked}");
    }
}
