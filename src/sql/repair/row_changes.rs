//! The statements that change rows.

use crate::model::catalog::Table;
use crate::model::plan::Change;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::sql::grammar::WriteGrammar;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::query::Query;
use crate::sql::query::Sql;

/// The changes of rows, for every engine that fk-doctor repairs.
pub trait RowChanges: WriteGrammar {
    /// Returns the INSERT of a row.
    fn insert(&self, table: &Table, row: &RowName, image: &Row) -> Sql {
        self.insert_rows(table, &[(row, image)])
    }

    /// Returns the INSERT of rows that all have the same columns.
    fn insert_rows(&self, table: &Table, rows: &[(&RowName, &Row)]) -> Sql {
        let mut query = self.query();
        let mut names: Vec<String> = Vec::new();
        let mut lists: Vec<String> = Vec::with_capacity(rows.len());
        for (row, image) in rows {
            // A row's address is no column, but some engines let an INSERT set it.
            let address =
                row.iter().filter(|(name, _)| table.row_address.as_deref() == Some(name) && image.get(name).is_none());
            let (row_names, values): (Vec<&str>, Vec<String>) = address
                .chain(image.iter())
                .map(|(name, value)| {
                    (name, self.stored_parameter(query.parameter(value.clone()), column(table, name), value))
                })
                .unzip();
            if lists.is_empty() {
                names = row_names.into_iter().map(|name| self.quoted(name)).collect();
            }
            lists.push(format!("({})", values.join(", ")));
        }
        let [into, row] = self.words().insert;
        query.finish(format!("{into} {}({}){row} {}", self.table_name(None, table), names.join(", "), lists.join(", ")))
    }

    /// Returns the DELETE of rows.
    fn delete_rows(&self, table: &Table, rows: &[&RowName]) -> Sql {
        let mut query = self.query();
        let rows: Vec<String> = rows.iter().map(|row| format!("({})", self.is_row(&mut query, table, row))).collect();
        let are_rows = rows.join(" OR ");
        query.finish(self.without_cascades(format!("DELETE FROM {} WHERE {are_rows}", self.write_target(table))))
    }

    /// Returns the UPDATE of columns of a row.
    fn update(&self, table: &Table, row: &RowName, columns: &Row) -> Sql {
        let mut query = self.query();
        let mut set: Vec<String> = columns
            .iter()
            .map(|(name, value)| {
                let stored = self.stored_parameter(query.parameter(value.clone()), column(table, name), value);
                format!("{} = {stored}", self.quoted(name))
            })
            .collect();
        set.extend(self.preserving_assignments(table, &|column| columns.get(&column.name).is_some()));
        let is_row = self.is_row(&mut query, table, row);
        query.finish(format!(
            "{} {} SET {} WHERE {is_row}",
            self.words().update,
            self.write_target(table),
            set.join(", ")
        ))
    }

    /// Returns the DELETE of a row.
    fn delete(&self, table: &Table, row: &RowName) -> Sql {
        let mut query = self.query();
        let is_row = self.is_row(&mut query, table, row);
        query.finish(self.without_cascades(format!("DELETE FROM {} WHERE {is_row}", self.write_target(table))))
    }

    /// The row of an UPDATE or a DELETE has these values. For a script, they are the name and the whole image.
    fn is_row(&self, query: &mut Query, table: &Table, row: &RowName) -> String {
        let holds: Vec<String> = row.iter().map(|(name, value)| self.still_equals(query, table, name, value)).collect();
        self.all_conditions(holds)
    }

    /// Returns the INSERT, UPDATE or DELETE that applies a change to the row of this name.
    fn change_row(&self, table: &Table, row: &RowName, change: &Change) -> Sql {
        match (&change.before, &change.after) {
            (None, Some(after)) => self.insert(table, row, after),
            (Some(_), None) => self.delete(table, row),
            _ => self.update(table, row, &change.set()),
        }
    }
}
