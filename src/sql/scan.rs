//! The statements of a scan and of a diagnosis.
//!
//! Each is written once, from a [`Grammar`]. An engine overrides a statement if its planner or its storage needs
//! another one.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Index;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::sql::capabilities;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::KeyPart;
use crate::sql::grammar::Reading;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::column;
use crate::sql::phrases::key_parts;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::row_name_columns;

mod mysql;
mod postgres;
mod spark;
pub(super) mod sqlite;

/// Returns the statements in the grammar of a schema's engine.
pub fn of(schema: &Schema) -> &'static dyn Scan {
    capabilities::of(schema.database.engine).scan
}

/// The page reader's results that make a query cheaper: the rows to check, and a proof of the parent's index. Without a
/// page reader, both are unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanHints<'a> {
    /// The addresses of the only rows that can be orphans, if they are known.
    pub rows: Option<&'a [i64]>,
    /// True if the parent's index holds exactly the keys of its table.
    pub index_is_proven: bool,
}

/// The rows among which orphans are searched, under the alias `child`, and the way to their parents.
pub struct Candidates<'a> {
    pub from: &'a str,
    /// The condition that selects them; `None` if all rows of `from` are candidates.
    pub only: Option<&'a str>,
    /// The query that finds the parent of the row at hand; `None` if no row has a parent.
    pub parent: Option<&'a str>,
}

/// The statements of a scan and of a diagnosis.
pub trait Scan: Grammar {
    /// Returns a query for one row of `1 + 3 * relations` numbers, such as (9, 9, 2, 0): the rows of a child table, and
    /// for each of these relations the rows in scope, those of them that refer to nothing, and those with an ignored
    /// key.
    fn counts(&self, schema: &Schema, child: TableId, relations: &[&Relation]) -> Sql {
        let mut query = self.query();
        let mut columns = vec!["count(*)".to_owned()];
        for relation in relations {
            let scope = self.in_scope(relation);
            // A plain count is faster than a sum over a condition.
            columns.push(match relation.scope.condition {
                Some(_) => self.count_of(&scope),
                None => "count(*)".to_owned(),
            });
            columns.push(match relation.scope.condition {
                Some(_) => self.count_of(&format!("{scope} AND {}", self.refers_to_nothing(schema, relation))),
                None => self.count_of_incomplete(schema, relation),
            });
            columns.push(match self.ignored(&mut query, schema, relation) {
                Some(ignored) => {
                    self.count_of(&format!("{scope} AND {} AND {ignored}", self.complete_key(schema, relation)))
                }
                None => self.whole_number("0"),
            });
        }
        let child = source(self, schema, &schema.tables[child], "child", Reading::WholeTable);
        query.finish(format!("SELECT {} FROM {child}", columns.join(", ")))
    }

    /// Returns the expression for the number of child rows that refer to nothing.
    fn count_of_incomplete(&self, schema: &Schema, relation: &Relation) -> String {
        let parts: Vec<KeyPart<'_>> = key_parts(schema, relation).collect();
        match parts.as_slice() {
            _ if self.not_null_conditions(schema, relation).is_empty() => self.whole_number("0"),
            [part] => format!("count(*) - count({})", self.child_value(part)),
            _ => self.count_of(&self.refers_to_nothing(schema, relation)),
        }
    }

    /// Returns a query for one row about a relation: its rows, those that refer to nothing, those with an ignored key,
    /// and the orphans, such as (9, 2, 0, 1). `None` if one query is not faster than two.
    fn counts_with_orphans(&self, _: &Schema, _: &Relation) -> Option<Sql> {
        None
    }

    /// Returns a query for every orphan candidate, grouped by key. A row holds the number of its missing key; the key
    /// as the parent would store it; the key as the child stores it; the row's name (see [`row_name_columns`]); and 1
    /// if the parent's table has the key although its index does not. An example is (1, 7, '7', 'a row', 0).
    fn orphans(&self, schema: &Schema, relation: &Relation, _: &ScanHints<'_>) -> Sql {
        let from = source(self, schema, schema.child(relation), "child", Reading::WholeTable);
        let parent = self.parent_query(schema, relation);
        let candidates = Candidates { from: &from, only: None, parent: parent.as_deref() };
        self.orphans_among(self.query(), schema, relation, &candidates)
    }

    /// Returns a query for two numbers: the missing keys of a relation and their rows, such as (3, 17). `None` if the engine
    /// streams all orphans instead.
    fn orphan_totals(&self, _: &Schema, _: &Relation) -> Option<Sql> {
        None
    }

    /// Returns a query for the missing keys with the most rows, at most `most`: the number of rows and the key, such as
    /// (12, 7), most rows first. `None` if [`Scan::orphan_totals`] is.
    fn missing_keys(&self, _: &Schema, _: &Relation, _most: u64) -> Option<Sql> {
        None
    }

    /// Returns a query for some rows of each of these missing keys, at most `most` of a key. The rows are those of
    /// [`Scan::orphans`], and their number is the key's position. `None` if a column cannot be searched for one of the keys.
    fn orphan_samples(&self, _: &Schema, _: &Relation, _keys: &[&Key], _most: usize) -> Option<Sql> {
        None
    }

    /// Returns a query for two numbers: the complete keys in these columns that come more than once, and their rows, such as
    /// (1, 2). `None` if the engine or the reader of its storage knows it.
    fn repeated_keys(&self, _: &Schema, _: &Table, _columns: &[usize]) -> Option<Sql> {
        None
    }

    /// Returns the query of [`Scan::orphans`] about some rows alone.
    fn orphans_among(
        &self,
        mut query: Query,
        schema: &Schema,
        relation: &Relation,
        candidates: &Candidates<'_>,
    ) -> Sql {
        let child = schema.child(relation);
        let parts: Vec<KeyPart<'_>> = key_parts(schema, relation).collect();
        let names: Vec<(&str, Option<&Column>)> =
            row_name_columns(child).into_iter().map(|name| (name, column(child, name))).collect();
        let mut inner: Vec<String> = Vec::new();
        inner.extend(
            parts.iter().map(|part| format!("{} AS k{}", self.compared(part, &self.child_value(part)), part.index)),
        );
        inner.extend(parts.iter().map(|part| format!("{} AS r{}", self.child_value(part), part.index)));
        inner.extend(
            names.iter().enumerate().map(|(i, (name, _))| format!("{} AS i{i}", self.qualified("child", name))),
        );
        let from = format!("SELECT {} FROM {}", inner.join(", "), candidates.from);
        let only = candidates.only.map(|only| format!(" AND {only}")).unwrap_or_default();
        let considered = self.must_have_parent(&mut query, schema, relation);
        let lacks = candidates.parent.map(|parent| format!(" AND NOT EXISTS ({parent})")).unwrap_or_default();
        let mut rows = format!("{from} WHERE {considered}{only}{lacks}");
        if relation.match_rule == Match::Full {
            let partly = self.partly_null(schema, relation);
            rows = format!("{rows} UNION ALL {from} WHERE {}{only} AND {partly}", self.in_scope(relation));
        }
        let mut columns: Vec<String> = Vec::new();
        columns.extend(
            parts.iter().map(|KeyPart { index, child, .. }| {
                self.shown_key(&format!("o.r{index}"), &format!("o.k{index}"), child)
            }),
        );
        columns.extend(parts.iter().map(|KeyPart { index, child, .. }| self.shown(&format!("o.r{index}"), child)));
        columns.extend(names.iter().enumerate().map(|(i, (_, column))| match column {
            Some(column) => self.shown(&format!("o.i{i}"), column),
            None => self.shown_address(&format!("o.i{i}")),
        }));
        // Each column has a name of its own, so that another query can read the result.
        let columns: Vec<String> = columns.iter().enumerate().map(|(i, column)| format!("{column} AS c{i}")).collect();
        let order: Vec<String> = parts.iter().map(|part| format!("o.k{}", part.index)).collect();
        let is_any = child.primary_key.is_empty() && child.row_address.is_none();
        let by_name = (0..names.len()).map(|i| match is_any {
            true => format!(", {}", self.sort_key(&format!("o.i{i}"))),
            false => format!(", o.i{i}"),
        });
        query.finish(format!(
            "SELECT dense_rank() OVER (ORDER BY {}) AS g, {}, {} FROM ({rows}) AS o ORDER BY g{}",
            order.join(", "),
            columns.join(", "),
            self.whole_number("0"),
            by_name.collect::<String>(),
        ))
    }

    /// Returns the addresses of these rows of a table in the order of the rows' names: rows of one number, such as (7). `None`
    /// if the engine is not asked for that.
    fn ordered_by_name(&self, _: &Table, _rows: &[i64]) -> Option<Sql> {
        None
    }

    /// Returns the query for the engine to run without indexes; `None` if it used none the first time.
    fn without_indexes(&self, _: &Sql) -> Option<Sql> {
        None
    }

    /// Returns the query that finds the parent of the child's row at hand; `None` if the parent table is missing.
    fn parent_query(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let parent = source(self, schema, schema.parent(relation)?, "parent", Reading::AnyIndex);
        Some(format!(
            "SELECT 1 FROM {parent} WHERE {}{}",
            self.refers_to_parent(schema, relation),
            self.is_live_parent(relation)
        ))
    }

    /// Returns the condition, after others, that a parent is not soft-deleted.
    fn is_live_parent(&self, relation: &Relation) -> String {
        let condition = relation.scope.soft_deleted.as_ref();
        condition.map(|condition| format!(" AND NOT {}", self.is_true(condition))).unwrap_or_default()
    }

    /// Returns the clause that must begin a statement that contains a [`Scan::parent_query`].
    fn parent_query_prefix(&self, _: &Schema, _: &Relation) -> String {
        String::new()
    }

    /// The child at hand is an orphan.
    fn is_orphan(&self, query: &mut Query, schema: &Schema, relation: &Relation, parent: Option<&str>) -> String {
        let considered = self.must_have_parent(query, schema, relation);
        self.lacks_parent(schema, relation, considered, parent)
    }

    /// The child at hand meets the condition `must`, under which it needs a parent, and has none.
    fn lacks_parent(&self, schema: &Schema, relation: &Relation, must: String, parent: Option<&str>) -> String {
        let lacks = parent.map(|parent| format!("{must} AND NOT EXISTS ({parent})")).unwrap_or(must);
        match relation.match_rule {
            Match::Simple => lacks,
            Match::Full => format!("(({lacks}) OR ({}))", self.partly_null(schema, relation)),
        }
    }

    /// Returns a query for one number: how many rows of a child are orphans of at least one of these relations. `None` if
    /// one statement cannot ask about all of them.
    fn count_orphans_of_any(&self, schema: &Schema, child: TableId, relations: &[&Relation]) -> Option<Sql> {
        let mut query = self.query();
        let mut conditions = Vec::new();
        for relation in relations {
            if !self.parent_query_prefix(schema, relation).is_empty() {
                return None;
            }
            let parent = self.parent_query(schema, relation);
            conditions.push(format!("({})", self.is_orphan(&mut query, schema, relation, parent.as_deref())));
        }
        let child = source(self, schema, &schema.tables[child], "child", Reading::WholeTable);
        Some(query.finish(format!("SELECT count(*) FROM {child} WHERE {}", conditions.join(" OR "))))
    }

    /// Returns a query for one number: how many distinct keys of the child have a parent, counted up to `enough`.
    fn matched_keys(&self, schema: &Schema, relation: &Relation, enough: u64) -> Sql {
        let mut query = self.query();
        let keys: Vec<String> = key_parts(schema, relation)
            .map(|part| format!("{} AS k{}", self.compared(&part, &self.child_value(&part)), part.index))
            .collect();
        let considered = self.must_have_parent(&mut query, schema, relation);
        let parent = self.parent_query(schema, relation).unwrap_or_else(|| self.no_rows());
        query.finish(format!(
            "{}SELECT count(*) FROM (SELECT DISTINCT {} FROM {} WHERE {considered} AND EXISTS ({parent}) LIMIT {enough}) AS matched",
            self.parent_query_prefix(schema, relation),
            keys.join(", "),
            source(self, schema, schema.child(relation), "child", Reading::WholeTable),
        ))
    }

    /// Returns a query for one truth value: true if the parent table has a row.
    fn parent_has_rows(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let parent = source(self, schema, schema.parent(relation)?, "parent", Reading::AnyIndex);
        Some(plain(format!("SELECT EXISTS (SELECT 1 FROM {parent})")))
    }

    /// Returns some rows of a parent, at most `most`: the columns of its key, and after them the largest key of all, if the
    /// key is one whole number. An example is (3, 900).
    fn parent_sample(&self, schema: &Schema, relation: &Relation, most: u64) -> Option<Sql> {
        let columns: Vec<&Column> = schema.parent_columns(relation).collect();
        let parent = source(self, schema, schema.parent(relation)?, "parent", Reading::AnyIndex);
        let mut shown: Vec<String> =
            columns.iter().map(|column| self.shown(&self.qualified("parent", &column.name), column)).collect();
        shown.push(match columns.as_slice() {
            [column] if column.family == Family::Integer => {
                let largest = self.shown(&format!("max({})", self.qualified("parent", &column.name)), column);
                format!("(SELECT {largest} FROM {parent})")
            }
            _ => "NULL".to_owned(),
        });
        Some(plain(format!("SELECT {} FROM {parent} LIMIT {most}", shown.join(", "))))
    }

    /// Returns the values of a column that are not NULL, one a row. The statement reads at most `most` rows.
    fn column_values(&self, schema: &Schema, table: &Table, column: usize, most: u64) -> Sql {
        let column = &table.columns[column];
        let value = self.qualified("parent", &column.name);
        let parent = source(self, schema, table, "parent", Reading::AnyIndex);
        plain(format!(
            "SELECT {} FROM {parent} WHERE {} LIMIT {most}",
            self.shown(&value, column),
            self.not_null(&value)
        ))
    }

    /// True if an index of another table can have the key.
    fn can_be_elsewhere(&self, table: &Table, index: &Index, key: &Key) -> bool {
        let columns = index.columns.iter().map(|part| part.column.map(|column| &table.columns[column]));
        key.len() == index.columns.len()
            && columns.zip(key).all(|(column, value)| column.is_some_and(|column| self.can_search_for(column, value)))
    }

    /// Returns a query for the positions of the keys that an index of another table has: rows of one number. `None` if
    /// the index cannot hold one of them.
    fn keys_elsewhere(&self, schema: &Schema, table: &Table, index: &Index, keys: &[&Key]) -> Option<Sql> {
        let columns = index.columns.iter().map(|part| part.column.map(|column| &table.columns[column]));
        let columns: Vec<&Column> = columns.collect::<Option<_>>()?;
        keys_of(self, schema, (table, "other"), &columns, keys, "")
    }

    /// Returns a query for the positions of the keys that soft-deleted parents have: rows of one number.
    fn soft_deleted_keys(&self, schema: &Schema, relation: &Relation, keys: &[&Key]) -> Option<Sql> {
        let condition = relation.scope.soft_deleted.as_ref()?;
        let columns: Vec<&Column> = schema.parent_columns(relation).collect();
        let condition = format!(" AND (\n{condition}\n)");
        keys_of(self, schema, (schema.parent(relation)?, "parent"), &columns, keys, &condition)
    }

    /// Returns a query for the least and the greatest value of a column among the orphans of each key. A row holds the
    /// key's position and the two values, such as (0, '2026-01-01', '2026-01-31'). `None` if the engine has no such
    /// query.
    fn value_ranges(&self, _: &Schema, _: &Relation, _column: &str, _: &[&Key]) -> Option<Sql> {
        None
    }

    /// Returns a query for one row: how many rows have no NULL in these columns, how many of them equal another row there, and
    /// how many different values there are, such as (1200, 40, 1180). `None` if the engine itself keeps parent keys unique.
    fn count_shared_keys(&self, _: &Schema, _: &Table, _columns: &[usize]) -> Option<Sql> {
        None
    }

    /// Returns a query for the addresses of the child's rows in scope, rows of one number, such as (7). `None` if all rows
    /// are in scope, or have no address.
    fn addresses_in_scope(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let child = schema.child(relation);
        let address = child.row_address.as_deref().filter(|_| relation.scope.condition.is_some())?;
        let from = source(self, schema, child, "child", Reading::WholeTable);
        let address = self.qualified("child", address);
        Some(plain(format!("SELECT {address} FROM {from} WHERE {}", self.in_scope(relation))))
    }

    /// Returns a query for the addresses of soft-deleted parents, in the same form.
    fn addresses_of_deleted_parents(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let parent = schema.parent(relation)?;
        let (address, condition) = (parent.row_address.as_deref()?, relation.scope.soft_deleted.as_ref()?);
        let from = source(self, schema, parent, "parent", Reading::WholeTable);
        let address = self.qualified("parent", address);
        Some(plain(format!("SELECT {address} FROM {from} WHERE {}", self.is_true(condition))))
    }

    /// Returns a query without rows that fails unless a condition of the configuration compiles.
    fn condition_check(&self, schema: &Schema, relation: &Relation, condition: &str, of_parent: bool) -> Option<Sql> {
        let (table, alias) =
            if of_parent { (schema.parent(relation)?, "parent") } else { (schema.child(relation), "child") };
        let source = source(self, schema, table, alias, Reading::AnyIndex);
        let check = format!("SELECT {} FROM {source} WHERE (\n{condition}\n)", self.whole_number("1"));
        Some(plain(check).without_rows())
    }
}

/// Returns a table of a schema under an alias.
pub(super) fn source<G: Grammar + ?Sized>(
    grammar: &G,
    schema: &Schema,
    table: &Table,
    alias: &str,
    reading: Reading,
) -> String {
    grammar.source(schema.database.default_schema.as_deref(), table, alias, reading)
}

/// Returns a query for the positions of the keys that a table has in these columns, in rows that meet a condition.
fn keys_of<G: Grammar + ?Sized>(
    grammar: &G,
    schema: &Schema,
    (table, alias): (&Table, &str),
    columns: &[&Column],
    keys: &[&Key],
    condition: &str,
) -> Option<Sql> {
    let mut query = grammar.query();
    let wanted = grammar.searched_keys(&mut query, columns, keys)?;
    Some(query.finish(format!(
        "SELECT {WANTED}.{} FROM {wanted} WHERE EXISTS (SELECT 1 FROM {} WHERE {}{condition}) ORDER BY 1",
        grammar.number_column(),
        source(grammar, schema, table, alias, Reading::AnyIndex),
        grammar.equals_wanted_key(alias, columns.iter().copied()),
    )))
}
