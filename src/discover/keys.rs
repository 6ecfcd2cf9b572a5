//! The keys of all tables: those that are declared, and columns that are unique in the rows.

use super::profile::Profiles;
use super::profile::observed_tables;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::discovery::ColumnList;
use crate::model::discovery::FoundKey;
use crate::model::discovery::KeyKind;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::sql;

/// Returns the declared keys of a table: the primary key first.
pub fn declared(id: TableId, table: &Table) -> Vec<(ColumnList, KeyKind)> {
    let mut keys: Vec<(ColumnList, KeyKind)> = Vec::new();
    if !table.primary_key.is_empty() {
        keys.push((ColumnList { table: id, columns: table.primary_key.clone() }, KeyKind::Primary));
    }
    for index in table.indexes.iter().filter(|index| index.unique && !index.partial) {
        let columns: Option<Vec<usize>> = index.columns.iter().map(|part| part.column).collect();
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else { continue };
        let list = ColumnList { table: id, columns };
        if !keys.iter().any(|(known, _)| *known == list) {
            keys.push((list, KeyKind::Unique));
        }
    }
    keys
}

/// The rows with a complete key, and the distinct keys of these.
pub struct KeyRows {
    pub rows: u64,
    pub distinct: u64,
}

impl KeyRows {
    pub fn repeated_rows(&self) -> u64 {
        self.rows - self.distinct
    }
}

/// Asks the engine for the number of keys.
pub fn counts(schema: &Schema, session: &mut dyn Session, key: &ColumnList) -> Result<KeyRows, EngineError> {
    let own = (&schema.tables[key.table], key.columns.as_slice());
    if let Some(counts) = session.stored_pair_counts(own, own, &[])? {
        return Ok(KeyRows { rows: counts.complete_rows(), distinct: counts.distinct });
    }
    let numbers = session.numbers(&sql::discover::key_counts(schema, key))?;
    let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
    Ok(KeyRows { rows: number(0), distinct: number(1) })
}

/// Returns the declared keys of one column, and all columns that are unique in the rows but for a few, in the order of tables and columns.
pub fn single_and_declared(schema: &Schema, profiles: &Profiles) -> Vec<FoundKey> {
    let mut keys = Vec::new();
    for (id, table) in observed_tables(schema) {
        let declared = declared(id, table);
        for column in profiles.columns.iter().filter(|column| column.table == id) {
            let list = ColumnList::single(id, column.column);
            let kind = declared.iter().find(|(known, _)| *known == list).map(|(_, kind)| *kind);
            let is_key = column.is_unique || column.is_repeated_key();
            let Some(kind) = kind.or(is_key.then_some(KeyKind::Data)) else { continue };
            let distinct = column.distinct.unwrap_or(0);
            keys.push(FoundKey { columns: list, kind, distinct, repeated_rows: column.filled_rows() - distinct });
        }
    }
    keys
}
