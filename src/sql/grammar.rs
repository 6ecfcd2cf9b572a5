//! The grammar of an engine: the smallest pieces of SQL in which two engines differ.
//!
//! Each engine implements these traits in one file. From them `phrases` builds the pieces that all engines share, and
//! `scan` and `repair` build whole statements. A method belongs here only if two engines need different text for one
//! idea. If a single statement differs, its engine overrides that statement instead.
//!
//! In the signatures, `mark` is the placeholder of a parameter. `value`, `left`, `right`, `parent` and `child` are SQL
//! expressions. A method that is documented by a sentence about rows returns the condition that the sentence is true.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::facts::Facts;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::comparison::ColumnComparison;
use crate::sql::comparison::TextComparison;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::repair::RequestedValue;

pub(super) mod mysql;
pub(super) mod postgres;
pub(super) mod spark;
pub(super) mod sqlite;

/// Returns the integers of each column of a list; `None` if a value is something else.
pub(super) type Integers<'a> = &'a dyn Fn() -> Option<Vec<Vec<Option<i64>>>>;

/// One column of a relation's key, in the child and in the parent.
#[derive(Clone, Copy)]
pub struct KeyPart<'a> {
    pub relation: &'a Relation,
    /// The position in the key.
    pub index: usize,
    pub child: &'a Column,
    /// `None` if the parent table or one of its columns is missing.
    pub parent: Option<&'a Column>,
}

/// How a statement may read a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Reads every row of the table itself, because a damaged index may lack rows.
    WholeTable,
    /// May use any index.
    AnyIndex,
}

/// The grammar of statements that read.
pub trait Grammar: Sync {
    fn facts(&self) -> &'static Facts;

    /// Returns a table's name. A table without a schema gets `default_schema` if the engine qualifies names.
    fn table_name(&self, default_schema: Option<&str>, table: &Table) -> String;

    /// Returns a table's name, without the rows of the tables that inherit from it.
    fn own_rows(&self, default_schema: Option<&str>, table: &Table) -> String {
        self.table_name(default_schema, table)
    }

    /// Returns a table under an alias.
    fn source(&self, default_schema: Option<&str>, table: &Table, alias: &str, _: Reading) -> String {
        format!("{} AS {alias}", self.own_rows(default_schema, table))
    }

    /// Returns a derived table with these columns. A row has a number and values, such as `(0, ["$1::text"])`.
    fn derived_table(&self, name: &str, columns: &[String], rows: &[(usize, Vec<String>)]) -> String;

    /// Returns a derived table of integers with these columns, which takes one parameter for each column. `None` if the engine has no
    /// such table, or if `integers` has no values for it.
    fn table_of_integers(&self, _: &mut Query, _name: &str, _columns: &[String], _: Integers<'_>) -> Option<String> {
        None
    }

    /// Returns a value as SQL text that gives exactly this value, for scripts and definitions.
    fn literal(&self, value: &Value) -> String;

    /// Returns a value in the form that a result row carries: a number or bytes unchanged, any other value as text.
    fn shown(&self, value: &str, column: &Column) -> String;

    /// Returns a row's address in the form that a result row carries.
    fn shown_address(&self, value: &str) -> String {
        value.to_owned()
    }

    /// Returns the key of an orphan as its parent would store it, from the child's value and from
    /// [`Grammar::compared`].
    fn shown_key(&self, _stored: &str, compared: &str, column: &Column) -> String {
        self.shown(compared, column)
    }

    /// Returns the sort key of a value whose type may have no order.
    fn sort_key(&self, value: &str) -> String;

    /// Returns a parameter with the type of a column, or with the type text without a column.
    fn typed(&self, mark: String, column: Option<&Column>, value: &Value) -> String;

    /// True if a column can hold the value.
    fn fits(&self, column: &Column, value: &Value) -> bool {
        fits(value, column)
    }

    /// True if a scan may search a column for the value. A scan calls no conversion that a user of the database
    /// defined.
    fn can_search_for(&self, column: &Column, value: &Value) -> bool;

    /// Returns the parameter for a value that a scan searches a column for.
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

    /// Returns how the engine compares the values of a column. By default, it is asked about every pair of columns.
    fn comparison(&self, column: &Column) -> ColumnComparison {
        match column.family {
            Family::Integer | Family::Numeric => ColumnComparison::ExactNumber,
            Family::Real => ColumnComparison::FloatingPoint,
            Family::Text => ColumnComparison::Text(TextComparison::Engine),
            Family::Untyped => ColumnComparison::Engine(column.declared_type.clone()),
        }
    }

    /// Returns a value whose text is equal exactly if the values are, for a column that is compared by its spelling.
    fn spelled(&self, value: &str, column: &Column) -> String {
        self.shown(value, column)
    }

    /// Returns bytes that are equal exactly if two texts are equal under a collation.
    fn comparison_key(&self, value: &str, _collation: &str) -> String {
        value.to_owned()
    }

    /// Returns a child's value under the collation of its parent.
    fn under_collation_of(&self, _parent: &Column, _child: &Column, value: &str) -> String {
        value.to_owned()
    }

    /// Returns a query for the name and the text of each view, and of each trigger whose text names columns. `None` if the
    /// engine stores no such texts.
    fn stored_queries(&self) -> Option<&'static str> {
        None
    }

    fn not_null(&self, value: &str) -> String {
        format!("{value} IS NOT NULL")
    }

    /// A part of the child's key is not NULL; `None` if it never is NULL.
    fn is_present(&self, column: &Column, value: &str) -> Option<String>;

    /// Returns the child's value as the engine compares it with the parent's: converted, and under the parent's
    /// collation.
    fn compared(&self, part: &KeyPart<'_>, child: &str) -> String;

    /// The child refers to the parent, by this part of the key.
    fn refers(&self, part: &KeyPart<'_>, parent: &str, child: &str) -> String;

    /// The child's value, as people write it, is this value of the configuration.
    fn has_configured_value(&self, query: &mut Query, part: &KeyPart<'_>, child: &str, value: &Value) -> String;

    /// A condition of the configuration or of a rule is true, and not NULL.
    fn is_true(&self, condition: &str) -> String {
        format!("((\n{condition}\n) IS TRUE)")
    }

    /// Returns the number of rows that meet a condition.
    fn count_of(&self, condition: &str) -> String;

    /// Returns a whole number, or NULL, as a column of a result row.
    fn whole_number(&self, number: &str) -> String {
        number.to_owned()
    }

    /// Returns a query of one column and no rows.
    fn no_rows(&self) -> String {
        format!("SELECT {} WHERE {}", self.whole_number("1"), self.facts().truth[0])
    }

    /// Returns a value as plain text, equal to the result of `clauses::plain` to the byte. Without a column, the value
    /// is text.
    fn plain_text(&self, value: &str, column: Option<&Column>) -> String;

    /// Returns the value that a statement compares with a plain text.
    fn plain_text_parameter(&self, value: &Value) -> Value {
        Value::text(plain(value))
    }

    /// Two texts are equal to the byte.
    fn same_text(&self, left: &str, right: &str) -> String {
        format!("{left} = {right}")
    }

    /// Returns a text without white space around it.
    fn trimmed(&self, text: &str) -> String;

    /// Returns a text without its leading zeros.
    fn unpadded(&self, text: &str) -> String {
        format!("ltrim({text}, '0')")
    }
}

/// The grammar of a rule's SQL and templates.
pub trait RuleGrammar: Grammar {
    /// Returns a parameter with the type of its value, for a place where no column gives it a type.
    fn untyped_parameter(&self, mark: String, value: &Value) -> String;

    /// Returns a value as text, and NULL as the empty text.
    fn text_or_empty(&self, value: &str) -> String;

    /// Returns the concatenation of texts; the empty text if there are none.
    fn concatenated(&self, parts: &[String]) -> String;

    /// Returns the value of an expression, in a form that any column can store.
    fn value_of(&self, expression: &str) -> String;

    /// Returns the value of a column of the first row of a query that has `width` columns; NULL if it has no row.
    fn query_column(&self, query: &str, column: usize, width: usize) -> String;

    /// Returns the number of rows of a query, up to 2: 0, 1 or 2.
    fn query_row_count(&self, query: &str) -> String;

    /// Returns the clause before a statement that lets a rule's SQL name the tables of the default schema.
    fn rule_tables(&self, _: &Schema, _: &[RequestedValue<'_>]) -> String {
        String::new()
    }
}

/// The keywords and types of the statements of a repair.
#[derive(Debug)]
pub struct WriteWords {
    /// The keywords before the table and after its columns, such as `INSERT INTO` and ` VALUES`.
    pub insert: [&'static str; 2],
    pub update: &'static str,
    /// The type of a column that holds whole numbers.
    pub number: &'static str,
    /// The type of a column that holds a plan's digest, and is part of a primary key.
    pub digest: &'static str,
    /// The type of a column that holds text.
    pub text: &'static str,
    /// The type of a column of a table that a plan creates, with the space before it.
    pub plan_column: &'static str,
    /// The options after the columns of a new table, with the space before them.
    pub options: &'static str,
    /// The options after the columns of the table of plan states, with the space before them.
    pub state_options: &'static str,
}

/// The grammar of changes of rows.
pub trait WriteGrammar: Grammar {
    fn words(&self) -> &'static WriteWords;

    /// Returns a value of a row in a form that loses nothing, for a plan.
    fn lossless(&self, value: &str, column: &Column) -> String {
        self.shown(value, column)
    }

    /// Returns the parameter for a value that a column is to store.
    fn stored_parameter(&self, mark: String, column: Option<&Column>, value: &Value) -> String {
        self.typed(mark, column, value)
    }

    /// Returns a value of a list with the type that a column gives it.
    fn as_stored(&self, value: &str, _: Option<&Column>) -> String {
        value.to_owned()
    }

    /// The row's column still has a value.
    fn still_equals(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String;

    /// Returns the table of an UPDATE or a DELETE.
    fn write_target(&self, table: &Table) -> String {
        self.table_name(None, table)
    }

    /// Returns a DELETE that deletes no other rows by a cascade.
    fn without_cascades(&self, statement: String) -> String {
        statement
    }

    /// Returns assignments that preserve the columns that the engine would otherwise change by itself.
    fn preserving_assignments(&self, _: &Table, _is_set: &dyn Fn(&Column) -> bool) -> Vec<String> {
        Vec::new()
    }

    /// Returns a statement as part of a script.
    fn in_script(&self, statement: String) -> String {
        statement
    }

    /// Returns the statement without the engine's own check of foreign keys; `None` if the engine cannot turn it off
    /// for one statement.
    fn without_enforcement(&self, _: &Sql) -> Option<Sql> {
        None
    }
}

/// Returns a value as plain text, to be compared with the text of another value.
pub(super) fn plain(value: &Value) -> String {
    super::clauses::plain(value)
}

fn fits(value: &Value, column: &Column) -> bool {
    super::clauses::fits(value, column)
}
