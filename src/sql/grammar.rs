//! The words of a statement: the smallest pieces of SQL in which two engines differ.
//!
//! Each engine writes its words in one file. `phrases` builds from them what all engines say alike, and `scan` and `repair`
//! build whole statements. A word exists only if two engines need different text for one idea; if a single statement
//! differs, its engine overrides that statement instead.
//!
//! In the signatures, `mark` is the placeholder of a parameter. `value`, `left`, `right`, `parent` and `child` are SQL
//! expressions.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::facts::Facts;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::repair::RequestedValue;

pub(super) mod mysql;
pub(super) mod postgres;
pub(super) mod sqlite;

/// One column of a relation's key, in the child and in the parent.
#[derive(Clone, Copy)]
pub struct KeyPart<'a> {
    pub relation: &'a Relation,
    /// Its position in the key.
    pub index: usize,
    pub child: &'a Column,
    /// `None` if the parent table or one of its columns is missing.
    pub parent: Option<&'a Column>,
}

/// How a statement may read a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Row by row: an index of the table could have lost rows.
    WholeTable,
    AnyIndex,
}

/// The words of a statement that reads.
pub trait Grammar: Sync {
    fn facts(&self) -> &'static Facts;

    /// Returns a table's name. A table without a schema gets `default_schema` if the engine qualifies names.
    fn table_name(&self, default_schema: Option<&str>, table: &Table) -> String;

    /// Returns a table without the rows of other tables that inherit from it.
    fn own_rows(&self, default_schema: Option<&str>, table: &Table) -> String {
        self.table_name(default_schema, table)
    }

    /// Returns a table under an alias.
    fn source(&self, default_schema: Option<&str>, table: &Table, alias: &str, _: Reading) -> String {
        format!("{} AS {alias}", self.own_rows(default_schema, table))
    }

    /// Returns a derived table with these columns. A row is its number and its values.
    fn derived_table(&self, name: &str, columns: &[String], rows: &[(usize, Vec<String>)]) -> String;

    /// Returns a value as SQL text that gives exactly this value, for scripts and definitions.
    fn literal(&self, value: &Value) -> String;

    /// Returns a value as an answer carries it: numbers and bytes as they are, all others as text.
    fn shown(&self, value: &str, column: &Column) -> String;

    /// Returns a row's address as an answer carries it.
    fn shown_address(&self, value: &str) -> String {
        value.to_owned()
    }

    /// Returns the key of an orphan as its parent would store it, from the child's value and from [`Grammar::compared`].
    fn shown_key(&self, _stored: &str, compared: &str, column: &Column) -> String {
        self.shown(compared, column)
    }

    /// Returns an expression by which answers are sorted if its type may have no order.
    fn sort_key(&self, value: &str) -> String;

    /// Returns a parameter as a value of a column, or as text if there is none.
    fn typed(&self, mark: String, column: Option<&Column>, value: &Value) -> String;

    /// True if a column can hold the value.
    fn fits(&self, column: &Column, value: &Value) -> bool {
        fits(value, column)
    }

    /// True if a scan may search a column for the value. A scan calls no conversion that a user of the database wrote.
    fn can_search_for(&self, column: &Column, value: &Value) -> bool;

    /// Returns a parameter that a scan searches a column for.
    fn searched_parameter(&self, mark: String, _: &Column) -> String {
        mark
    }

    /// Two values of one column are equal. Without a column, they are two addresses of rows.
    fn equal(&self, _: Option<&Column>, left: &str, right: &str) -> String {
        format!("{left} = {right}")
    }

    /// A column's value equals a value of a list.
    fn equal_to_listed(&self, column: &Column, left: &str, right: &str) -> String {
        self.equal(Some(column), left, right)
    }

    /// A column's value equals the value of another table's column.
    fn equals_other_column(&self, ours: &Column, left: &str, _theirs: &Column, right: &str) -> String {
        self.equal(Some(ours), left, right)
    }

    fn not_null(&self, value: &str) -> String {
        format!("{value} IS NOT NULL")
    }

    /// A part of the child's key is not NULL; `None` if it never is.
    fn is_present(&self, column: &Column, value: &str) -> Option<String>;

    /// Returns the child's value as it meets the parent's: converted, and under the parent's collation.
    fn compared(&self, part: &KeyPart<'_>, child: &str) -> String;

    /// The child refers to the parent, by this part of the key.
    fn refers(&self, part: &KeyPart<'_>, parent: &str, child: &str) -> String;

    /// The child has this value of the configuration, as people write it.
    fn has_configured_value(&self, query: &mut Query, part: &KeyPart<'_>, child: &str, value: &Value) -> String;

    /// A condition that somebody else wrote is true, and not NULL.
    fn is_true(&self, condition: &str) -> String {
        format!("((\n{condition}\n) IS TRUE)")
    }

    /// Returns how many rows meet a condition.
    fn count_of(&self, condition: &str) -> String;

    /// Returns a whole number, or NULL, as a column of an answer.
    fn whole_number(&self, number: &str) -> String {
        number.to_owned()
    }

    /// Returns a query of one column and no rows.
    fn no_rows(&self) -> String {
        format!("SELECT {} WHERE {}", self.whole_number("1"), self.facts().truth[0])
    }

    /// Returns a value letter by letter, equal to the text of `clauses::plain` to the byte. Without a column, it is text already.
    fn plain_text(&self, value: &str, column: Option<&Column>) -> String;

    /// Returns the parameter that is compared with letters.
    fn plain_text_parameter(&self, value: &Value) -> Value {
        Value::text(plain(value))
    }

    /// Two texts are equal to the byte.
    fn same_text(&self, left: &str, right: &str) -> String {
        format!("{left} = {right}")
    }

    /// Returns a text without white space around it.
    fn trimmed(&self, text: &str) -> String;

    /// Returns a text without the zeros that it begins with.
    fn unpadded(&self, text: &str) -> String {
        format!("ltrim({text}, '0')")
    }
}

/// The words for the SQL and the templates of a rule.
pub trait RuleGrammar: Grammar {
    /// Returns a parameter that no column gives a type to.
    fn untyped_parameter(&self, mark: String, value: &Value) -> String;

    /// Returns a value as text, and NULL as the empty text.
    fn text_or_empty(&self, value: &str) -> String;

    /// Returns the texts, joined; the empty text if there are none.
    fn concatenated(&self, parts: &[String]) -> String;

    /// Returns the value of an expression, for a column to read.
    fn value_of(&self, expression: &str) -> String;

    /// Returns one of so many columns of the first row of a query, or NULL.
    fn query_column(&self, query: &str, column: usize, of: usize) -> String;

    /// Returns 0, 1 or 2: whether a query has no row, one row, or more.
    fn query_row_count(&self, query: &str) -> String;

    /// Returns what must stand before a statement so that a rule's SQL can name the tables of the default schema.
    fn rule_tables(&self, _: &Schema, _: &[RequestedValue<'_>]) -> String {
        String::new()
    }
}

/// The words that the statements of a repair are written with, as text.
#[derive(Debug)]
pub struct WriteWords {
    /// Before and after the table and its columns, such as `INSERT INTO` and ` VALUES`.
    pub insert: [&'static str; 2],
    pub update: &'static str,
    /// The type of a column that holds whole numbers.
    pub number: &'static str,
    /// The type of a column that holds a plan's digest, and is part of a primary key.
    pub digest: &'static str,
    /// The type of a column that holds text.
    pub text: &'static str,
    /// The type of a column of a table that a plan brings, with the space before it.
    pub brought: &'static str,
    /// What follows the columns of a new table, with the space before it.
    pub options: &'static str,
    /// The same for the table of the states of plans.
    pub state_options: &'static str,
}

/// The words for changes of rows.
pub trait WriteGrammar: Grammar {
    fn words(&self) -> &'static WriteWords;

    /// Returns a value of a row as a plan keeps it: nothing of it is lost.
    fn lossless(&self, value: &str, column: &Column) -> String {
        self.shown(value, column)
    }

    /// Returns a parameter that a column is to store.
    fn stored_parameter(&self, mark: String, column: Option<&Column>, value: &Value) -> String {
        self.typed(mark, column, value)
    }

    /// Returns a value of a list with the type that it has once a column has stored it.
    fn as_stored(&self, value: &str, _: Option<&Column>) -> String {
        value.to_owned()
    }

    /// The row's column still has a value. A script compares all columns: texts to the byte, but for those that name the row.
    fn still_equals(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String;

    /// Returns the table of an UPDATE or a DELETE.
    fn write_target(&self, table: &Table) -> String {
        self.table_name(None, table)
    }

    /// Returns a DELETE that takes no other rows along.
    fn without_cascades(&self, statement: String) -> String {
        statement
    }

    /// Returns assignments that keep columns as they are which the engine would change by itself.
    fn preserving_assignments(&self, _: &Table, _is_set: &dyn Fn(&Column) -> bool) -> Vec<String> {
        Vec::new()
    }

    /// Returns a statement as part of a script.
    fn in_script(&self, statement: String) -> String {
        statement
    }

    /// Returns the statement without the engine's own check of foreign keys; `None` if the engine has no such form.
    fn without_enforcement(&self, _: &Sql) -> Option<Sql> {
        None
    }
}

/// Returns a value as plain text, to be compared with the text of others.
pub(super) fn plain(value: &Value) -> String {
    super::clauses::plain(value)
}

fn fits(value: &Value, column: &Column) -> bool {
    super::clauses::fits(value, column)
}
