//! The statements of a repair: what a rule's expressions return, which rows are meant, and the changes of rows.
//!
//! Each is written once, from the words of the grammars. A rule's author writes SQL, as the operator does in the configuration;
//! a value of the database only ever travels as a parameter.

use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::plan::Change;
use crate::model::plan::NewTable;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::Normalization;
use crate::model::schema::Schema;
use crate::model::state;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::capabilities;
use crate::sql::catalog::CatalogStatements;
use crate::sql::clauses;
use crate::sql::grammar::KeyPart;
use crate::sql::grammar::Reading;
use crate::sql::grammar::RuleGrammar;
use crate::sql::grammar::WriteGrammar;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::column;
use crate::sql::phrases::key_parts;
use crate::sql::phrases::stored_columns;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::redefine::Redefine;
use crate::sql::scan::Scan;
use crate::sql::scan::source;

mod engines;
mod evaluation;
mod unique;

pub use evaluation::Evaluation;
pub use evaluation::RequestedValue;
pub use unique::UniqueTerms;

/// Returns the statements in the grammar of a schema's engine; `None` if it knows no repairs.
pub fn of(schema: &Schema) -> Option<&'static dyn Repair> {
    capabilities::of(schema.database.engine).repair
}

/// True if a column can hold a value as a key.
pub fn can_hold(engine: Engine, table: &Table, column: usize, value: &Value) -> bool {
    let about = &table.columns[column];
    // A row's address is a number, whatever else the column of an engine takes.
    let is_whole = matches!(value, Value::Real(number) if number.fract() == 0.0);
    match table.address_column == Some(column) {
        true => is_whole || clauses::fits(value, about),
        false => capabilities::of(engine).scan.fits(about, value),
    }
}

fn names_of<'t>(table: &'t Table, columns: &[usize]) -> Vec<&'t str> {
    columns.iter().map(|&column| table.columns[column].name.as_str()).collect()
}

/// The statements of a repair. A question about several keys or rows numbers them from 0, and every row of its answer begins
/// with such a number.
pub trait Repair: Scan + RuleGrammar + WriteGrammar + CatalogStatements {
    /// Returns what expressions give for missing keys. A row holds the key's number, whether `via` has the key, and the value of
    /// each expression, such as (0, 1, 'a name'). A key that several rows of `via` have comes several times.
    fn evaluate(&self, schema: &Schema, relation: &Relation, evaluation: &Evaluation<'_>) -> Sql {
        evaluation::statement(self, schema, relation, evaluation)
    }

    /// Returns which of these keys a table has. A row holds the key's number and the key as the table stores it.
    fn present_keys(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.columns_by_key("SELECT DISTINCT", table, columns, &names_of(table, columns), keys)
    }

    /// Returns what a table of keys says of these: a row holds the key's number and the new key.
    fn mapped_keys(&self, table: &Table, from: &[usize], into: &[usize], keys: &[&Key]) -> Sql {
        self.columns_by_key("SELECT DISTINCT", table, from, &names_of(table, into), keys)
    }

    /// Returns which rows have these keys. A row holds the key's number, and the columns that name the row for good.
    fn rows_with_keys(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.columns_by_key("SELECT", table, columns, &identity_columns(table), keys)
    }

    /// Returns some columns of the rows that have these keys, after the key's number.
    fn columns_by_key(&self, select: &str, table: &Table, columns: &[usize], into: &[&str], keys: &[&Key]) -> Sql {
        let mut query = self.query();
        let columns: Vec<&Column> = columns.iter().map(|&column| &table.columns[column]).collect();
        // A text that is no number cannot be in a column of numbers: some servers would make a number of it, and some would fail.
        let can_be_there = |key: &Key| key.iter().zip(&columns).all(|(value, column)| self.fits(column, value));
        let numbered: Vec<(usize, &Key)> =
            keys.iter().copied().enumerate().filter(|(_, key)| can_be_there(key)).collect();
        if numbered.is_empty() {
            return plain(self.no_rows());
        }
        let types: Vec<Option<&Column>> = columns.iter().copied().map(Some).collect();
        let wanted = self.numbered_list(&mut query, &types, numbered);
        let shown: Vec<String> = into
            .iter()
            .map(|name| match column(table, name) {
                Some(column) => self.shown(&self.qualified("keyed", name), column),
                None => self.shown_address(&self.qualified("keyed", name)),
            })
            .collect();
        query.finish(format!(
            "{select} {WANTED}.{}, {} FROM {wanted} {} {} ON {} ORDER BY 1",
            self.number_column(),
            shown.join(", "),
            self.facts().ordered_join,
            self.source(None, table, "keyed", Reading::AnyIndex),
            self.equals_wanted_key("keyed", columns),
        ))
    }

    /// Returns parents that equal a key in a normal form, which undoes what people get wrong. A row holds the key's number and
    /// the parent's key. The keys have one column.
    fn normalized_matches(&self, table: &Table, column: usize, forms: &[Normalization], keys: &[&Key]) -> Sql {
        let mut query = self.query();
        let wanted = self.text_keys(&mut query, keys);
        let column = &table.columns[column];
        let value = self.qualified("parent", &column.name);
        let spelled = self.plain_text(&format!("{WANTED}.{}", self.value_column(0)), None);
        let sought = format!(
            "SELECT {WANTED}.{} AS i, {} AS n FROM {wanted}",
            self.number_column(),
            self.normalized(spelled, forms)
        );
        let (before, sought) = self.computed_once("sought", &sought);
        query.finish(format!(
            "{before}SELECT sought.i, p.k FROM (SELECT {} AS k, {} AS n FROM {} WHERE {}) AS p \
             JOIN {sought} ON {} ORDER BY 1, 2",
            self.shown(&value, column),
            self.normalized(self.plain_text(&value, Some(column)), forms),
            self.source(None, table, "parent", Reading::WholeTable),
            self.not_null(&value),
            self.same_text("sought.n", "p.n"),
        ))
    }

    /// Returns rows by their names. A row holds the row's number, its address or NULL, and its stored columns.
    fn rows_by_name(&self, table: &Table, rows: &[&RowName]) -> Sql {
        let mut query = self.query();
        let wanted = self.named_rows(&mut query, table, rows);
        let address =
            table.lasting_address().map_or_else(|| self.whole_number("NULL"), |address| self.qualified("t", address));
        let columns = stored_columns(table)
            .map(|column| format!(", {}", self.lossless(&self.qualified("t", &column.name), column)));
        query.finish(format!(
            "SELECT {WANTED}.{}, {address}{} FROM {wanted} {} {} ON {} ORDER BY 1",
            self.number_column(),
            columns.collect::<String>(),
            self.facts().ordered_join,
            self.source(None, table, "t", Reading::AnyIndex),
            self.is_wanted(table, "t", rows),
        ))
    }

    /// Returns the numbers of those of these rows that are longer than so many bytes; `None` if the engine reads rows of any
    /// length.
    fn rows_longer_than(&self, _: &Table, _: &[&RowName], _bytes: u64) -> Option<Sql> {
        None
    }

    /// Returns the numbers of new rows that a unique index would not take beside the rows that are there. Each new row comes with
    /// its image and, if it is a row already, with that row's name. `None` if the engine cannot answer that.
    fn unique_collisions(&self, table: &Table, rows: &[(Option<&RowName>, &Row)], index: &UniqueTerms) -> Option<Sql> {
        unique::statement(self, table, rows, index)
    }

    /// True if rows that need each other in a circle can be made, one after the other.
    fn can_insert_cycles(&self) -> bool {
        false
    }

    /// True if rows that refer to each other in a circle can be deleted, one after the other.
    fn can_delete_cycles(&self) -> bool {
        true
    }

    /// Returns the numbers of those of these rows of the child that are orphans now.
    fn orphans_by_name(&self, schema: &Schema, relation: &Relation, rows: &[&RowName]) -> Sql {
        let mut query = self.query();
        let child = schema.child(relation);
        let wanted = self.named_rows(&mut query, child, rows);
        let parent = self.parent_query(schema, relation);
        let orphan = self.is_orphan(&mut query, schema, relation, parent.as_deref());
        query.finish(format!(
            "{}SELECT {WANTED}.{} FROM {wanted} {} {} ON {} WHERE {orphan} ORDER BY 1",
            self.parent_query_prefix(schema, relation),
            self.number_column(),
            self.facts().ordered_join,
            source(self, schema, child, "child", Reading::AnyIndex),
            self.is_wanted(child, "child", rows),
        ))
    }

    /// Returns the rows that refer to these rows of the parent. A row holds the parent's number, and the columns that name the
    /// child.
    fn referencing_rows(&self, schema: &Schema, relation: &Relation, parents: &[&RowName]) -> Sql {
        let mut query = self.query();
        let Some(parent) = schema.parent(relation) else { return plain(self.no_rows()) };
        let child = schema.child(relation);
        let wanted = self.named_rows(&mut query, parent, parents);
        let names = identity_columns(child);
        let shown = names.iter().map(|name| {
            let value = self.qualified("child", name);
            let value =
                column(child, name).map_or_else(|| self.shown_address(&value), |column| self.shown(&value, column));
            format!(", {value}")
        });
        let refers = key_parts(schema, relation).filter_map(|part| {
            let parent = self.qualified("parent", &part.parent?.name);
            Some(self.refers_to_known(&part, &parent, &self.child_value(&part)))
        });
        let order: Vec<String> = names.iter().map(|name| format!(", {}", self.qualified("child", name))).collect();
        let join = self.facts().ordered_join;
        query.finish(format!(
            "SELECT {WANTED}.{}{} FROM {wanted} {join} {} ON {} {join} {} ON {} AND {} ORDER BY 1{}",
            self.number_column(),
            shown.collect::<String>(),
            source(self, schema, parent, "parent", Reading::AnyIndex),
            self.is_wanted(parent, "parent", parents),
            source(self, schema, child, "child", Reading::AnyIndex),
            self.all_conditions(refers),
            self.in_scope(relation),
            order.concat(),
        ))
    }

    /// The child refers to the parent, if the parent is known and an index of the child may find the child.
    fn refers_to_known(&self, part: &KeyPart<'_>, parent: &str, child: &str) -> String {
        self.refers(part, parent, child)
    }

    /// Returns one number: the largest value of a column, or of the rows' own address. If its values have no order, a number
    /// says only that there is a row.
    fn largest_value(&self, table: &Table, name: &str) -> Sql {
        let largest = match column(table, name) {
            Some(column) if matches!(column.family, Family::Integer | Family::Numeric) => {
                self.shown(&format!("max({})", self.qualified("t", name)), column)
            }
            _ => format!("max({})", self.whole_number("1")),
        };
        plain(format!("SELECT {largest} FROM {}", self.source(None, table, "t", Reading::AnyIndex)))
    }

    /// Returns a value as a table stores it that a plan brings.
    fn as_plan_table_stores(&self, value: Value) -> Value {
        clauses::in_words(value)
    }

    /// Returns the same statements for the tables of the rehearsal.
    fn for_rehearsal(&self) -> &'static dyn Repair;

    /// Returns how definitions of tables are changed; `None` if that is not built for the engine.
    fn redefine(&self) -> Option<&'static dyn Redefine> {
        None
    }

    fn insert(&self, table: &Table, row: &RowName, image: &Row) -> Sql {
        let mut query = self.query();
        // A row's address is no column, but an engine may let a statement choose it.
        let address =
            row.iter().filter(|(name, _)| table.row_address.as_deref() == Some(name) && image.get(name).is_none());
        let (names, values): (Vec<String>, Vec<String>) = address
            .chain(image.iter())
            .map(|(name, value)| {
                (self.quoted(name), self.stored_parameter(query.parameter(value.clone()), column(table, name), value))
            })
            .unzip();
        let [into, row] = self.words().insert;
        query.finish(format!(
            "{into} {}({}){row} ({})",
            self.table_name(None, table),
            names.join(", "),
            values.join(", ")
        ))
    }

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

    fn delete(&self, table: &Table, row: &RowName) -> Sql {
        let mut query = self.query();
        let is_row = self.is_row(&mut query, table, row);
        query.finish(self.without_cascades(format!("DELETE FROM {} WHERE {is_row}", self.write_target(table))))
    }

    /// The row of an UPDATE or a DELETE is the one with this name, and in a script also with this image.
    fn is_row(&self, query: &mut Query, table: &Table, row: &RowName) -> String {
        let holds: Vec<String> = row.iter().map(|(name, value)| self.still_equals(query, table, name, value)).collect();
        self.all_conditions(holds)
    }

    /// Returns a change as a statement about the row of this name.
    fn change_row(&self, table: &Table, row: &RowName, change: &Change) -> Sql {
        match (&change.before, &change.after) {
            (None, Some(after)) => self.insert(table, row, after),
            (Some(_), None) => self.delete(table, row),
            _ => self.update(table, row, &change.set()),
        }
    }

    fn create_table(&self, table: &NewTable) -> Sql {
        let words = self.words();
        let columns = table.columns.iter().enumerate().map(|(index, name)| match index {
            0 => format!("{} {} PRIMARY KEY", self.quoted(name), words.number),
            _ => format!("{}{}", self.quoted(name), words.brought),
        });
        let columns: Vec<String> = columns.collect();
        let name = self.table_name(None, &table.as_table());
        plain(format!("CREATE TABLE {name}({}){}", columns.join(", "), words.options))
    }

    /// Returns the statement that makes a table and marks it as made for the plan with this digest, if a rollback does not take
    /// the table back.
    fn create_marked_table(&self, table: &NewTable, _plan: &str) -> Sql {
        self.create_table(table)
    }

    fn drop_table(&self, table: &NewTable) -> Sql {
        plain(format!("DROP TABLE {}", self.table_name(None, &table.as_table())))
    }

    /// Returns the statement that makes the table of the states of plans; see [`crate::model::state`].
    fn create_state_table(&self) -> Sql {
        let words = self.words();
        let columns = state::COLUMNS.iter().map(|(name, is_number)| {
            let of = match (*name, is_number) {
                (_, true) => words.number,
                ("plan", _) => words.digest,
                _ => words.text,
            };
            format!("{} {of} NOT NULL", self.quoted(name))
        });
        let columns: Vec<String> = columns.collect();
        plain(format!(
            "CREATE TABLE {}({}, PRIMARY KEY ({}, {})){}",
            self.table_name(None, &state::table()),
            columns.join(", "),
            self.quoted("plan"),
            self.quoted("number"),
            words.state_options,
        ))
    }

    /// Returns a statement with its values written out, for people who run SQL themselves.
    fn with_literals(&self, statement: &Sql) -> String {
        self.in_script(clauses::written_out(statement, self.facts(), &|value| self.literal(value)))
    }
}
