//! The questions and statements of a repair: what a rule's expressions give, which rows are meant, and the changes.
//!
//! A rule's author writes SQL, as the configuration's does; what a database holds only ever travels as a parameter.

use crate::model::catalog::Table;
use crate::model::plan::Change;
use crate::model::plan::NewTable;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::rule::Normal;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::sql::frozen::Sql;
pub(super) use crate::sql::repair::Evaluation;
pub(super) use crate::sql::repair::UniqueTerms;
pub(super) use crate::sql::repair::Wanted;

/// A repair, in the SQL of one engine. Every question about several things numbers them from 0, and every row of its
/// answer begins with such a number.
pub trait RepairDialect {
    /// What expressions give for missing keys. A row: the key's number, whether `via` has it, and per expression its
    /// value. A key that several rows of `via` have comes several times.
    fn evaluate(&self, schema: &Schema, relation: &Relation, evaluation: &Evaluation<'_>) -> Sql;

    /// Which of these keys a table has. A row: the key's number and the key as the table stores it.
    fn present(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql;

    /// What a table of keys says of these: the key's number and the new key.
    fn mapped(&self, table: &Table, from: &[usize], into: &[usize], keys: &[&Key]) -> Sql;

    /// Which rows have these keys: the key's number, and the columns that name the row for good.
    fn rows_with(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        let position = |name: &str| table.columns.iter().position(|column| column.name == name);
        let names: Vec<usize> = identity_columns(table).into_iter().filter_map(position).collect();
        self.mapped(table, columns, &names, keys)
    }

    /// Parents that are equal in a normal form, each form undoing what people get wrong: the key's number, and the
    /// parent's key. Only for keys of one column.
    fn equal_in_form(&self, table: &Table, column: usize, forms: &[Normal], keys: &[&Key]) -> Sql;

    /// Rows by their names: the row's number, its address where it has one, and its stored columns.
    fn rows_at(&self, table: &Table, rows: &[&RowName]) -> Sql;

    /// The numbers of those of these rows that are longer than so many bytes, where an engine cannot read such rows at all.
    fn long_rows(&self, _table: &Table, _rows: &[&RowName], _bytes: u64) -> Option<Sql> {
        None
    }

    /// The numbers of new rows that a unique index would not take beside the rows that are there. Each comes with the name of
    /// the row that it is already, where it is one, and its image; the index with its terms and its condition as SQL. `None`
    /// where that cannot be asked.
    fn colliding(&self, _table: &Table, _rows: &[(Option<&RowName>, &RowName)], _index: &UniqueTerms) -> Option<Sql> {
        None
    }

    /// Whether rows that need each other in a circle can be made, one after the other.
    fn makes_circles(&self) -> bool {
        false
    }

    /// Whether rows that refer to each other in a circle can go, one after the other.
    fn removes_circles(&self) -> bool {
        true
    }

    /// Which of these rows of the child are orphans now.
    fn orphans_at(&self, schema: &Schema, relation: &Relation, rows: &[&RowName]) -> Sql;

    /// The rows that refer to these rows of the parent: the parent's number, and the columns that name the child.
    fn children_of(&self, schema: &Schema, relation: &Relation, parents: &[&RowName]) -> Sql;

    /// The columns of a table that have a DEFAULT: name and text.
    fn defaults(&self, table: &Table) -> Sql;

    /// Every definition: kind, name, table and text.
    fn definitions(&self) -> Sql;

    /// The largest value of a column, or of the rows' own address.
    fn largest(&self, table: &Table, column: &str) -> Sql;

    /// The counter that gives a table its next key, where tables have such rows: the row's name, and its value.
    fn counter(&self, table: &Table) -> Option<Sql>;

    /// One number: the last that the column's sequence gave out, where it has one.
    fn sequence(&self, _table: &Table, _column: &str) -> Option<Sql> {
        None
    }

    /// Lets no sequence give out the keys of a row that was made with keys of its own.
    fn advance(&self, _table: &Table, _row: &RowName) -> Vec<Sql> {
        Vec::new()
    }

    /// Keeps everybody else from writing to these tables, where a transaction does not do so by itself.
    fn lock(&self, _tables: &[&Table]) -> Option<Sql> {
        None
    }

    /// Whether a table that is made or dropped is so at once, and all that went before it with it, whatever becomes of the
    /// transaction.
    fn defines_at_once(&self) -> bool {
        false
    }

    /// Whether one query can give a key of several columns and look at the row at hand.
    fn takes_wide_queries(&self) -> bool {
        true
    }

    /// Whether no trigger can put another value in the place of the one that is stored.
    fn stores_what_is_written(&self) -> bool {
        true
    }

    /// Whether a writer can keep triggers silent.
    fn can_silence_triggers(&self) -> bool {
        true
    }

    /// The same statement without the server's own check of foreign keys, for a row that must be there before its parent: what
    /// comes of it is checked before it is committed. `None` where nobody may ask for that.
    fn unenforced(&self, _statement: &Sql) -> Option<Sql> {
        None
    }

    /// A value as a table holds it that a repair brings along.
    fn recorded(&self, value: Value) -> Value {
        value
    }

    /// The same for the tables of the rehearsal, which may be called otherwise.
    fn in_room(&self) -> &'static dyn RepairDialect;

    /// Makes a table of the rehearsal, where the engine does not bring it: empty, with these defaults.
    fn furnish(&self, _table: &Table, _defaults: &[(String, String)]) -> Vec<Sql> {
        Vec::new()
    }

    fn insert(&self, table: &Table, row: &RowName, image: &RowName) -> Sql;

    fn update(&self, table: &Table, row: &RowName, columns: &RowName) -> Sql;

    fn delete(&self, table: &Table, row: &RowName) -> Sql;

    /// What a change says, of the row that is called so.
    fn statement(&self, table: &Table, row: &RowName, change: &Change) -> Sql {
        match (&change.before, &change.after) {
            (None, Some(after)) => self.insert(table, row, after),
            (Some(_), None) => self.delete(table, row),
            _ => self.update(table, row, &change.set()),
        }
    }

    fn create(&self, table: &NewTable) -> Sql;

    /// The same, marked as made for the plan with this digest, where a rollback does not take the table back.
    fn create_marked(&self, table: &NewTable, _plan: &str) -> Sql {
        self.create(table)
    }

    fn drop(&self, table: &NewTable) -> Sql;

    /// Makes the table that holds the states of plans; see [`crate::model::state`].
    fn create_state(&self) -> Sql;

    /// One row, if that table is there, such as (1, 0): this session may read it, and may not write to it. Where the second
    /// cannot be told, it is 1.
    fn has_state(&self) -> Sql;

    /// Statements that write nothing to that table, and fail where this session may not write to it.
    fn try_state(&self) -> Vec<Sql> {
        Vec::new()
    }

    /// The statement by which the owner of that table lets others use it.
    fn grant_state(&self) -> String {
        format!("GRANT SELECT, INSERT, UPDATE ON {} TO …", crate::model::state::TABLE)
    }

    /// One row, if this session may make that table; `None` where only the attempt can tell.
    fn may_create_state(&self) -> Option<Sql> {
        None
    }

    /// One row, if this session may drop a table that was made for the plan with this digest, and the mark in it, where there
    /// are marks, says that it was; `None` where there is nothing to be asked.
    fn may_drop(&self, _table: &NewTable, _plan: &str) -> Option<Sql> {
        None
    }

    /// Keeps everybody else from a table until it is dropped or given free, where a transaction does not do so by itself.
    fn claim(&self, _table: &NewTable) -> Option<Sql> {
        None
    }

    /// Gives a claimed table free, where the end of the transaction does not.
    fn release(&self) -> Option<Sql> {
        None
    }

    /// What a script of changes begins and ends with.
    fn script_start(&self) -> String;

    fn script_end(&self) -> String;

    /// A statement with its values written out, for people who run SQL themselves.
    fn written_out(&self, statement: &Sql) -> String;
}

/// The dialects of both rooms of a schema's engine.
pub(super) fn of(engine: crate::model::catalog::Engine) -> &'static dyn RepairDialect {
    use crate::model::catalog::Engine;
    match engine {
        Engine::Sqlite => &super::sqlite::Sqlite,
        Engine::Postgres => &super::postgres::repair::SURGERY,
        Engine::Mysql => &super::mysql::repair::MYSQL,
        Engine::Mariadb => &super::mysql::repair::MARIADB,
    }
}
