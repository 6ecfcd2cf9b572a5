//! Parses the rows that [`crate::sql::Scan::orphans`] returns.

use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::Suspects;
use crate::model::catalog::Table;
use crate::model::finding::Sample;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::scan::Tally;
use crate::sql;
use crate::sql::Sql;

/// The columns of a result with the orphans of one relation.
pub struct OrphanColumns<'a> {
    relation: &'a Relation,
    child: &'a Table,
    /// The columns that name a row in reports.
    names: Vec<&'a str>,
    /// The columns that identify a row permanently, each with its position in `names`.
    identity: (Arc<[String]>, Vec<usize>),
    /// The child's columns of the relation.
    key: Arc<[String]>,
}

/// An orphan, or a row whose parent exists but is missing from the parent's index.
pub struct OrphanRow<'r> {
    /// The number of its missing key.
    pub group: Option<i64>,
    /// The key as the parent would store it.
    pub key: &'r [Value],
    /// The key as the child stores it.
    stored: &'r [Value],
    pub(super) name: &'r [Value],
    /// True if the parent exists but is missing from the parent's index.
    pub is_present: bool,
}

/// True if the rows of a table are named by their addresses.
pub(super) fn is_named_by_address(table: &Table) -> bool {
    match table.address_column {
        Some(column) => table.primary_key == [column],
        None => table.row_address.as_deref().is_some_and(|address| sql::row_name_columns(table) == [address]),
    }
}

impl<'a> OrphanColumns<'a> {
    pub fn of(schema: &'a Schema, relation: &'a Relation) -> OrphanColumns<'a> {
        let child = schema.child(relation);
        let names = sql::row_name_columns(child);
        let wanted = identity_columns(child);
        let positions: Vec<usize> = (0..names.len()).filter(|&position| wanted.contains(&names[position])).collect();
        let identity = positions.iter().map(|&position| names[position].to_owned()).collect();
        let key = schema.child_column_names(relation).map(str::to_owned).collect();
        OrphanColumns { relation, child, names, identity: (identity, positions), key }
    }

    /// Calls `each` with every row of an answer. After an error of `each`, the rest of the answer is skipped.
    pub fn each_row<E: From<EngineError>>(
        &self,
        session: &mut dyn Session,
        question: &Sql,
        mut each: impl FnMut(OrphanRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut outcome = Ok(());
        session.each_row(question, &mut |row| {
            if outcome.is_ok() {
                outcome = self.row(row).map_err(E::from).and_then(&mut each);
            }
        })?;
        outcome
    }

    /// Calls `each` with every orphan of the relation, sorted by missing key. The orphans come from the list that the scan
    /// proved if it has all of them, otherwise from the answer to a question.
    pub fn each_orphan<E: From<EngineError>>(
        &self,
        tally: &Tally,
        session: &mut dyn Session,
        question: &Sql,
        mut each: impl FnMut(OrphanRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.are_listed(tally) {
            return self.each_row(session, question, each);
        }
        let mut stream = tally.orphans.stream()?;
        let (mut group, mut last) = (0, Key::new());
        while let Some((key, address)) = stream.next_row()? {
            if group == 0 || last != *key {
                group += 1;
                last.clone_from(key);
            }
            let name = [Value::Integer(address)];
            each(OrphanRow { group: Some(group), key, stored: key, name: &name, is_present: false })?;
        }
        Ok(())
    }

    /// True if the scan proved all orphans and has a list of them.
    pub fn are_listed(&self, tally: &Tally) -> bool {
        tally.suspects == Suspects::Rows(Vec::new())
            && tally.orphans.len() == tally.orphan_rows
            && is_named_by_address(self.child)
    }

    fn row<'r>(&self, row: &'r [Value]) -> Result<OrphanRow<'r>, EngineError> {
        let width = self.relation.child_columns.len();
        let parts = || {
            let [group, rest @ .., present] = row else { return None };
            let (key, rest) = rest.split_at_checked(width)?;
            let (stored, name) = rest.split_at_checked(width)?;
            let is_whole = name.len() == self.names.len();
            let is_present = present.as_integer() == Some(1);
            is_whole.then_some(OrphanRow { group: group.as_integer(), key, stored, name, is_present })
        };
        parts().ok_or_else(|| EngineError::Unreadable {
            what: format!("the orphans of {}", self.relation.id),
            why: format!("a row of the answer has {} columns", row.len()),
            help: "this is a fault of fk-doctor, and nothing was changed: please report it".to_owned(),
        })
    }

    /// Returns the row as reports show it: named by its primary key, or by its address if the primary key has a NULL.
    pub fn sample(&self, row: &OrphanRow<'_>) -> Sample<Value> {
        let named: Vec<(String, Value)> =
            self.names.iter().map(|name| (*name).to_owned()).zip(row.name.iter().cloned()).collect();
        let key_width = self.child.primary_key.len();
        let name = if key_width == 0 || named.len() == key_width {
            named
        } else if row.name[..key_width].contains(&Value::Null) {
            named[key_width..].to_vec()
        } else {
            named[..key_width].to_vec()
        };
        Sample { row: name, key: row.stored.to_vec() }
    }

    /// The row as reports show it, where rows are named by their addresses.
    pub(super) fn sample_at(&self, address: i64, key: &[Value]) -> Sample<Value> {
        let name = self.names.first().map(|name| (*name).to_owned());
        Sample { row: name.into_iter().map(|name| (name, Value::Integer(address))).collect(), key: key.to_vec() }
    }

    /// Returns the values that identify the row permanently.
    pub fn identity(&self, row: &OrphanRow<'_>) -> RowName {
        let (columns, positions) = &self.identity;
        Row::of(columns, positions.iter().map(|&position| row.name[position].clone()).collect())
    }

    /// Returns the referring columns as the child stores them.
    pub fn stored_key(&self, row: &OrphanRow<'_>) -> Row {
        Row::of(&self.key, row.stored.to_vec())
    }
}
