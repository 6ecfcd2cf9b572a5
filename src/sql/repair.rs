//! The statements of a repair: the evaluation of a rule's expressions, the searches for rows, and the changes of rows.
//!
//! Each is written once, from the grammars. A rule's author writes SQL, as the operator does in the configuration. A
//! value of the database only ever travels as a parameter.

use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::Normalization;
use crate::model::schema::Schema;
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
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::redefine::Redefine;
use crate::sql::scan::Scan;
use crate::sql::scan::source;

mod engines;
mod evaluation;
mod plan_tables;
mod row_changes;
mod twins;
mod unique;

pub use evaluation::Evaluation;
pub use evaluation::RequestedValue;
pub use plan_tables::PlanTables;
pub use row_changes::RowChanges;
pub use unique::UniqueTerms;

/// The order in which a query returns the orphans of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// The order in which the table stores its rows or, if there is no such order, the order of their names.
    Stored,
    /// The order of [`crate::sql::Scan::orphans`]: by missing key, then by name.
    MissingKey,
}

/// Returns the statements in the grammar of a schema's engine; `None` if fk-doctor cannot repair on that engine.
pub fn of(schema: &Schema) -> Option<&'static dyn Repair> {
    capabilities::of(schema.database.engine).repair
}

/// True if a column can hold a value as a key.
pub fn can_hold(engine: Engine, table: &Table, column: usize, value: &Value) -> bool {
    let about = &table.columns[column];
    // A row's address is always a number, even if the engine stores any value in a column.
    let is_whole = matches!(value, Value::Real(number) if number.fract() == 0.0);
    match table.address_column == Some(column) {
        true => is_whole || clauses::fits(value, about),
        false => capabilities::of(engine).scan.fits(about, value),
    }
}

fn names_of<'t>(table: &'t Table, columns: &[usize]) -> Vec<&'t str> {
    columns.iter().map(|&column| table.columns[column].name.as_str()).collect()
}

/// The statements of a repair. A query about several keys or rows numbers them from 0, and every row of its result
/// begins with such a number.
pub trait Repair: Scan + RuleGrammar + WriteGrammar + RowChanges + PlanTables + CatalogStatements {
    /// Returns a query that evaluates expressions for missing keys. A row holds the key's number, 1 if `via` has the
    /// key, and the value of each expression, such as (0, 1, 'a name'). A key that several rows of `via` have comes
    /// several times.
    fn evaluate(&self, schema: &Schema, relation: &Relation, evaluation: &Evaluation<'_>) -> Sql {
        evaluation::statement(self, schema, relation, evaluation)
    }

    /// Returns a query for the keys among these that a table has. A row holds the key's number and the key as the table
    /// stores it, such as (0, 7).
    fn present_keys(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.columns_by_key("SELECT DISTINCT", table, columns, &names_of(table, columns), keys)
    }

    /// Returns a query that maps these keys by a table. A row holds the key's number and the new key, such as (0, 12).
    fn mapped_keys(&self, table: &Table, from: &[usize], into: &[usize], keys: &[&Key]) -> Sql {
        self.columns_by_key("SELECT DISTINCT", table, from, &names_of(table, into), keys)
    }

    /// Returns a query for the rows that have these keys. A row holds the key's number, and the columns that identify
    /// the row, such as (0, 7).
    fn rows_with_keys(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.columns_by_key("SELECT", table, columns, &identity_columns(table), keys)
    }

    /// Returns a query for columns of the rows that have these keys, after the key's number.
    fn columns_by_key(&self, select: &str, table: &Table, columns: &[usize], into: &[&str], keys: &[&Key]) -> Sql {
        let mut query = self.query();
        let columns: Vec<&Column> = columns.iter().map(|&column| &table.columns[column]).collect();
        // A column of numbers holds no text that is not a number. Some servers would convert such a text, and some
        // would fail.
        let can_be_there = |key: &Key| key.iter().zip(&columns).all(|(value, column)| self.fits(column, value));
        let numbered: Vec<(usize, &Key)> =
            keys.iter().copied().enumerate().filter(|(_, key)| can_be_there(key)).collect();
        if numbered.is_empty() {
            return plain(self.no_rows());
        }
        let types: Vec<Option<&Column>> = columns.iter().copied().map(Some).collect();
        let wanted = self.numbered_list(&mut query, &types, numbered);
        let shown = self.shown_columns(table, "keyed", into);
        query.finish(format!(
            "{select} {WANTED}.{}, {} FROM {wanted} {} {} ON {} ORDER BY 1",
            self.number_column(),
            shown.join(", "),
            self.facts().ordered_join,
            self.source(None, table, "keyed", Reading::AnyIndex),
            self.equals_wanted_key("keyed", columns),
        ))
    }

    /// Returns a query for the parents that equal a key after normalization, such as of case or white space. A row
    /// holds the key's number and the parent's key, such as (0, 'ABC'). The keys have one column.
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

    /// Returns a query for rows by their names. A row holds the row's number, its address or NULL, and its stored
    /// columns, such as (0, NULL, 7, 'a').
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

    /// Returns a query for the numbers of the rows that are longer than so many bytes; `None` if the engine can read
    /// rows of any length.
    fn rows_longer_than(&self, _: &Table, _: &[&RowName], _bytes: u64) -> Option<Sql> {
        None
    }

    /// Returns a query for the numbers of the new rows that a unique index would refuse beside the stored rows. Each
    /// new row comes with its image and, if it replaces a stored row, with that row's name. `None` if the engine cannot
    /// answer that.
    fn unique_collisions(&self, table: &Table, rows: &[(Option<&RowName>, &Row)], index: &UniqueTerms) -> Option<Sql> {
        unique::statement(self, table, rows, index)
    }

    /// True if the engine stores a value unchanged that it has stored in this column before.
    fn stores_unchanged(&self, _: &Column, _: &Value) -> bool {
        true
    }

    /// True if the engine certainly accepts this value in a column without further conditions, and stores it unchanged.
    fn stores_as_given(&self, _: &Column, _: &Value) -> bool {
        false
    }

    /// True if rows that refer to each other in a cycle can be inserted one after the other.
    fn can_insert_cycles(&self) -> bool {
        false
    }

    /// True if rows that refer to each other in a cycle can be deleted one after the other.
    fn can_delete_cycles(&self) -> bool {
        true
    }

    /// Returns a query for the numbers of the child rows among these that are orphans now.
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

    /// Returns a query for the orphans of a relation with all their values. A row holds the number of its missing key or
    /// NULL, its address or NULL, the columns that identify it, and the stored columns, such as
    /// (NULL, 31, 31, 7, 'a note').
    fn whole_orphans(&self, schema: &Schema, relation: &Relation, order: RowOrder) -> Sql {
        let mut query = self.query();
        let child = schema.child(relation);
        let parent = self.parent_query(schema, relation);
        let orphan = self.is_orphan(&mut query, schema, relation, parent.as_deref());
        let address = child.lasting_address().map(|address| self.qualified("child", address));
        let names = identity_columns(child);
        let by_name = names.iter().map(|name| self.qualified("child", name));
        let (number, order) = match (order, &address) {
            (RowOrder::Stored, Some(address)) => (self.whole_number("NULL"), vec![address.clone()]),
            (RowOrder::Stored, None) => (self.whole_number("NULL"), by_name.collect()),
            (RowOrder::MissingKey, _) => {
                let key: Vec<String> =
                    key_parts(schema, relation).map(|part| self.compared(&part, &self.child_value(&part))).collect();
                let number = format!("dense_rank() OVER (ORDER BY {})", key.join(", "));
                (number, std::iter::once("1".to_owned()).chain(by_name).collect())
            }
        };
        let stored = stored_columns(child).map(|column| self.lossless(&self.qualified("child", &column.name), column));
        let columns: Vec<String> = self.shown_name(child, "child").into_iter().chain(stored).collect();
        query.finish(format!(
            "{}SELECT {number}, {}, {} FROM {} WHERE {orphan} ORDER BY {}",
            self.parent_query_prefix(schema, relation),
            address.unwrap_or_else(|| self.whole_number("NULL")),
            columns.join(", "),
            source(self, schema, child, "child", Reading::WholeTable),
            order.join(", "),
        ))
    }

    /// Returns columns of a table, or its address, as queries show them.
    fn shown_columns(&self, table: &Table, alias: &str, names: &[&str]) -> Vec<String> {
        let shown = |name: &&str| {
            let value = self.qualified(alias, name);
            column(table, name).map_or_else(|| self.shown_address(&value), |column| self.shown(&value, column))
        };
        names.iter().map(shown).collect()
    }

    /// Returns the columns that identify a row, as queries show them.
    fn shown_name(&self, table: &Table, alias: &str) -> Vec<String> {
        self.shown_columns(table, alias, &identity_columns(table))
    }

    /// Returns a query for all child rows that refer to a row of the parent. A row holds the columns that identify the parent, and
    /// those that identify the child, such as (5, 31).
    fn all_references(&self, schema: &Schema, relation: &Relation) -> Sql {
        let Some(parent) = schema.parent(relation) else { return plain(self.no_rows()) };
        let child = schema.child(relation);
        let shown = [self.shown_name(parent, "parent"), self.shown_name(child, "child")].concat();
        let refers = key_parts(schema, relation).filter_map(|part| {
            let parent = self.qualified("parent", &part.parent?.name);
            Some(self.refers(&part, &parent, &self.child_value(&part)))
        });
        let order: Vec<String> = identity_columns(child).iter().map(|name| self.qualified("child", name)).collect();
        plain(format!(
            "SELECT {} FROM {} {} {} ON {} AND {} ORDER BY {}",
            shown.join(", "),
            source(self, schema, child, "child", Reading::WholeTable),
            self.facts().ordered_join,
            source(self, schema, parent, "parent", Reading::AnyIndex),
            self.all_conditions(refers),
            self.in_scope(relation),
            order.join(", "),
        ))
    }

    /// Returns a query for the child rows that refer to these rows of the parent. A row holds the parent's number, and
    /// the columns that identify the child row, such as (0, 31).
    fn referencing_rows(&self, schema: &Schema, relation: &Relation, parents: &[&RowName]) -> Sql {
        let mut query = self.query();
        let Some(parent) = schema.parent(relation) else { return plain(self.no_rows()) };
        let child = schema.child(relation);
        let wanted = self.named_rows(&mut query, parent, parents);
        let names = identity_columns(child);
        let shown = self.shown_name(child, "child").into_iter().map(|value| format!(", {value}"));
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

    /// The child refers to the parent. The parent's value is known, so an index of the child may find the child.
    fn refers_to_known(&self, part: &KeyPart<'_>, parent: &str, child: &str) -> String {
        self.refers(part, parent, child)
    }

    /// Returns a query for one number: the largest value of a column, or of the rows' own address. If the values have
    /// no order, the number is 1 if there is a row.
    fn largest_value(&self, table: &Table, name: &str) -> Sql {
        let largest = match column(table, name) {
            Some(column) if matches!(column.family, Family::Integer | Family::Numeric) => {
                self.shown(&format!("max({})", self.qualified("t", name)), column)
            }
            _ => format!("max({})", self.whole_number("1")),
        };
        plain(format!("SELECT {largest} FROM {}", self.source(None, table, "t", Reading::AnyIndex)))
    }

    /// Returns a value as a table that a plan creates stores it.
    fn as_plan_table_stores(&self, value: Value) -> Value {
        clauses::as_text_value(value)
    }

    /// Returns the statements for the tables of the rehearsal.
    fn for_rehearsal(&self) -> &'static dyn Repair;

    /// Returns the changes of definitions; `None` if fk-doctor cannot change the schema on that engine.
    fn redefine(&self) -> Option<&'static dyn Redefine> {
        None
    }

    /// Returns a query for the rows of a table that have twins: rows with equal values of some expressions over `parent`.
    /// A row holds the number of its group, and the columns that identify the row, such as (3, 17). Groups are adjacent,
    /// and their rows are in the order of the key. With `is_check` no row is examined.
    fn twins(&self, schema: &Schema, table: TableId, same: &[&str], is_check: bool) -> Sql {
        twins::twins(self, schema, table, same, is_check)
    }

    /// Returns a query that evaluates a rule's query for rows of a table, as `parent`. A row holds the row's number, the
    /// number of rows of the rule's query up to 2, and its columns, such as (0, 1, 17).
    fn kept_twins(&self, schema: &Schema, table: TableId, rows: &[&RowName], query: &str) -> Sql {
        twins::kept(self, schema, table, rows, query)
    }

    /// Returns a query for some columns of all rows, in the order of the first column.
    fn all_rows(&self, table: &Table, columns: &[&str]) -> Sql {
        plain(format!(
            "SELECT {} FROM {} ORDER BY {}",
            self.shown_columns(table, "t", columns).join(", "),
            self.source(None, table, "t", Reading::AnyIndex),
            columns.first().map(|first| self.qualified("t", first)).unwrap_or_default(),
        ))
    }

    /// Returns a query for the numbers of the rows among these that meet a condition over `kept`, which the operator
    /// wrote.
    fn rows_where(&self, table: &Table, rows: &[&RowName], condition: &str) -> Sql {
        let mut query = self.query();
        let wanted = self.named_rows(&mut query, table, rows);
        query.finish(format!(
            "SELECT {WANTED}.{} FROM {wanted} {} {} ON {} WHERE {} ORDER BY 1",
            self.number_column(),
            self.facts().ordered_join,
            self.source(None, table, "kept", Reading::AnyIndex),
            self.is_wanted(table, "kept", rows),
            self.is_true(condition),
        ))
    }

    /// Returns a statement with literals instead of parameters, for people who run SQL themselves.
    fn with_literals(&self, statement: &Sql) -> String {
        self.in_script(clauses::with_literals(statement, self.facts(), &|value| self.literal(value)))
    }
}
