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
use crate::sql::catalog::CatalogQuestions;
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
pub use evaluation::Wanted;
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
pub trait Repair: Scan + RuleGrammar + WriteGrammar + CatalogQuestions {
    /// Returns what expressions give for missing keys. A row holds the key's number, whether `via` has the key, and the value of
    /// each expression, such as (0, 1, 'a name'). A key that several rows of `via` have comes several times.
    fn evaluate(&self, schema: &Schema, relation: &Relation, evaluation: &Evaluation<'_>) -> Sql {
        evaluation::statement(self, schema, relation, evaluation)
    }

    /// Returns which of these keys a table has. A row holds the key's number and the key as the table stores it.
    fn present(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.keyed("SELECT DISTINCT", table, columns, &names_of(table, columns), keys)
    }

    /// Returns what a table of keys says of these: a row holds the key's number and the new key.
    fn mapped(&self, table: &Table, from: &[usize], into: &[usize], keys: &[&Key]) -> Sql {
        self.keyed("SELECT DISTINCT", table, from, &names_of(table, into), keys)
    }

    /// Returns which rows have these keys. A row holds the key's number, and the columns that name the row for good.
    fn rows_with(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.keyed("SELECT", table, columns, &identity_columns(table), keys)
    }

    /// Returns some columns of the rows that have these keys, after the key's number.
    fn keyed(&self, select: &str, table: &Table, columns: &[usize], into: &[&str], keys: &[&Key]) -> Sql {
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
        let wanted = self.numbered(&mut query, &types, numbered);
        let shown: Vec<String> = into
            .iter()
            .map(|name| match column(table, name) {
                Some(column) => self.shown(&self.of("keyed", name), column),
                None => self.shown_address(&self.of("keyed", name)),
            })
            .collect();
        query.finish(format!(
            "{select} {WANTED}.{}, {} FROM {wanted} {} {} ON {} ORDER BY 1",
            self.number(),
            shown.join(", "),
            self.facts().ordered_join,
            self.source(None, table, "keyed", Reading::AnyIndex),
            self.has_wanted_key("keyed", columns),
        ))
    }

    /// Returns parents that equal a key in a normal form, which undoes what people get wrong. A row holds the key's number and
    /// the parent's key. The keys have one column.
    fn equal_in_form(&self, table: &Table, column: usize, forms: &[Normalization], keys: &[&Key]) -> Sql {
        let mut query = self.query();
        let wanted = self.spelled_keys(&mut query, keys);
        let column = &table.columns[column];
        let value = self.of("parent", &column.name);
        let spelled = self.letters(&format!("{WANTED}.{}", self.held(0)), None);
        let sought =
            format!("SELECT {WANTED}.{} AS i, {} AS n FROM {wanted}", self.number(), self.in_form(spelled, forms));
        let (before, sought) = self.once("sought", &sought);
        query.finish(format!(
            "{before}SELECT sought.i, p.k FROM (SELECT {} AS k, {} AS n FROM {} WHERE {}) AS p \
             JOIN {sought} ON {} ORDER BY 1, 2",
            self.shown(&value, column),
            self.in_form(self.letters(&value, Some(column)), forms),
            self.source(None, table, "parent", Reading::WholeTable),
            self.not_null(&value),
            self.same_text("sought.n", "p.n"),
        ))
    }

    /// Returns rows by their names. A row holds the row's number, its address or NULL, and its stored columns.
    fn rows_at(&self, table: &Table, rows: &[&RowName]) -> Sql {
        let mut query = self.query();
        let wanted = self.named_rows(&mut query, table, rows);
        let address = table.lasting_address().map_or_else(|| self.whole("NULL"), |address| self.of("t", address));
        let columns =
            stored_columns(table).map(|column| format!(", {}", self.kept(&self.of("t", &column.name), column)));
        query.finish(format!(
            "SELECT {WANTED}.{}, {address}{} FROM {wanted} {} {} ON {} ORDER BY 1",
            self.number(),
            columns.collect::<String>(),
            self.facts().ordered_join,
            self.source(None, table, "t", Reading::AnyIndex),
            self.is_wanted(table, "t", rows),
        ))
    }

    /// Returns the numbers of those of these rows that are longer than so many bytes; `None` if the engine reads rows of any
    /// length.
    fn long_rows(&self, _: &Table, _: &[&RowName], _bytes: u64) -> Option<Sql> {
        None
    }

    /// Returns the numbers of new rows that a unique index would not take beside the rows that are there. Each new row comes with
    /// its image and, if it is a row already, with that row's name. `None` if the engine cannot answer that.
    fn colliding(&self, table: &Table, rows: &[(Option<&RowName>, &Row)], index: &UniqueTerms) -> Option<Sql> {
        unique::statement(self, table, rows, index)
    }

    /// True if rows that need each other in a circle can be made, one after the other.
    fn makes_circles(&self) -> bool {
        false
    }

    /// True if rows that refer to each other in a circle can be deleted, one after the other.
    fn removes_circles(&self) -> bool {
        true
    }

    /// Returns the numbers of those of these rows of the child that are orphans now.
    fn orphans_at(&self, schema: &Schema, relation: &Relation, rows: &[&RowName]) -> Sql {
        let mut query = self.query();
        let child = schema.child(relation);
        let wanted = self.named_rows(&mut query, child, rows);
        let parent = self.parent_query(schema, relation);
        let orphan = self.is_orphan(&mut query, schema, relation, parent.as_deref());
        query.finish(format!(
            "{}SELECT {WANTED}.{} FROM {wanted} {} {} ON {} WHERE {orphan} ORDER BY 1",
            self.before_parents(schema, relation),
            self.number(),
            self.facts().ordered_join,
            source(self, schema, child, "child", Reading::AnyIndex),
            self.is_wanted(child, "child", rows),
        ))
    }

    /// Returns the rows that refer to these rows of the parent. A row holds the parent's number, and the columns that name the
    /// child.
    fn children_of(&self, schema: &Schema, relation: &Relation, parents: &[&RowName]) -> Sql {
        let mut query = self.query();
        let Some(parent) = schema.parent(relation) else { return plain(self.no_rows()) };
        let child = schema.child(relation);
        let wanted = self.named_rows(&mut query, parent, parents);
        let names = identity_columns(child);
        let shown = names.iter().map(|name| {
            let value = self.of("child", name);
            let value =
                column(child, name).map_or_else(|| self.shown_address(&value), |column| self.shown(&value, column));
            format!(", {value}")
        });
        let refers = key_parts(schema, relation).filter_map(|part| {
            let parent = self.of("parent", &part.parent?.name);
            Some(self.refers_to_known(&part, &parent, &self.child_value(&part)))
        });
        let order: Vec<String> = names.iter().map(|name| format!(", {}", self.of("child", name))).collect();
        let join = self.facts().ordered_join;
        query.finish(format!(
            "SELECT {WANTED}.{}{} FROM {wanted} {join} {} ON {} {join} {} ON {} AND {} ORDER BY 1{}",
            self.number(),
            shown.collect::<String>(),
            source(self, schema, parent, "parent", Reading::AnyIndex),
            self.is_wanted(parent, "parent", parents),
            source(self, schema, child, "child", Reading::AnyIndex),
            self.all(refers),
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
    fn largest(&self, table: &Table, name: &str) -> Sql {
        let largest = match column(table, name) {
            Some(column) if matches!(column.family, Family::Integer | Family::Numeric) => {
                self.shown(&format!("max({})", self.of("t", name)), column)
            }
            _ => format!("max({})", self.whole("1")),
        };
        plain(format!("SELECT {largest} FROM {}", self.source(None, table, "t", Reading::AnyIndex)))
    }

    /// Returns a value as a table stores it that a plan brings.
    fn recorded(&self, value: Value) -> Value {
        clauses::in_words(value)
    }

    /// Returns the same statements for the tables of the rehearsal.
    fn for_rehearsal(&self) -> &'static dyn Repair;

    /// Returns how definitions of tables are changed; `None` if that is not built for the engine.
    fn redefining(&self) -> Option<&'static dyn Redefine> {
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
                (self.quoted(name), self.stored(query.parameter(value.clone()), column(table, name), value))
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
                let stored = self.stored(query.parameter(value.clone()), column(table, name), value);
                format!("{} = {stored}", self.quoted(name))
            })
            .collect();
        set.extend(self.untouched(table, &|column| columns.get(&column.name).is_some()));
        let is_row = self.is_row(&mut query, table, row);
        query.finish(format!("{} {} SET {} WHERE {is_row}", self.words().update, self.target(table), set.join(", ")))
    }

    fn delete(&self, table: &Table, row: &RowName) -> Sql {
        let mut query = self.query();
        let is_row = self.is_row(&mut query, table, row);
        query.finish(self.without_cascades(format!("DELETE FROM {} WHERE {is_row}", self.target(table))))
    }

    /// The row of an UPDATE or a DELETE is the one with this name, and in a script also with this image.
    fn is_row(&self, query: &mut Query, table: &Table, row: &RowName) -> String {
        let holds: Vec<String> = row.iter().map(|(name, value)| self.still_holds(query, table, name, value)).collect();
        self.all(holds)
    }

    /// Returns a change as a statement about the row of this name.
    fn statement(&self, table: &Table, row: &RowName, change: &Change) -> Sql {
        match (&change.before, &change.after) {
            (None, Some(after)) => self.insert(table, row, after),
            (Some(_), None) => self.delete(table, row),
            _ => self.update(table, row, &change.set()),
        }
    }

    fn create(&self, table: &NewTable) -> Sql {
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
    fn create_marked(&self, table: &NewTable, _plan: &str) -> Sql {
        self.create(table)
    }

    fn drop(&self, table: &NewTable) -> Sql {
        plain(format!("DROP TABLE {}", self.table_name(None, &table.as_table())))
    }

    /// Returns the statement that makes the table of the states of plans; see [`crate::model::state`].
    fn create_state(&self) -> Sql {
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
    fn written_out(&self, statement: &Sql) -> String {
        self.in_script(clauses::written_out(statement, self.facts(), &|value| self.literal(value)))
    }
}
