//! A load on a server: its rows go into temporary tables that have the definitions of the user's tables.
//!
//! The temporary tables check values, constraints and keys that the load has twice. Queries about the user's tables
//! find the keys that exist already, and the parents.

use super::CountingColumn;
use super::Load;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Reading;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::TableCopy;
use crate::sql::query::plain;
use crate::sql::scan::Candidates;
use crate::sql::scan::source;
use crate::sql::scratch::Scratch;

/// The largest number of rows in one INSERT.
const MAX_ROWS: usize = 256;
/// The largest number of parameters in one INSERT.
const MAX_PARAMETERS: usize = 30_000;

pub(in crate::sql) struct TemporaryLoad {
    pub(in crate::sql) grammar: &'static dyn Scratch,
    /// The tables that the load has rows for.
    pub(in crate::sql) tables: Vec<TableId>,
}

impl TemporaryLoad {
    fn name(&self, table: TableId) -> String {
        self.grammar.temporary_name(&format!("fk_doctor$load_{table}"))
    }

    fn quoted(&self, name: &str) -> String {
        self.grammar.quoted(name)
    }

    fn source(&self, schema: &Schema, table: &Table, alias: &str) -> String {
        source(self.grammar, schema, table, alias, Reading::AnyIndex)
    }

    /// Returns the parameter for a value that a column is to store.
    fn stored_value(&self, query: &mut Query, column: &Column, value: &Value) -> String {
        self.grammar.stored_parameter(query.parameter(value.clone()), Some(column), value)
    }

    fn position_table(&self) -> String {
        self.grammar.temporary_name("fk_doctor$noted")
    }

    /// Returns the query that finds a parent in the user's table or in the load; `None` if the parent table is missing.
    fn parent(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let parent = relation.parent.table?;
        let equal = self.grammar.refers_to_parent(schema, relation);
        let real = format!("SELECT 1 FROM {} WHERE {equal}", self.source(schema, &schema.tables[parent], "parent"));
        if !self.tables.contains(&parent) {
            return Some(real);
        }
        let loaded = self.second_copy(schema, relation).map_or_else(|| self.name(parent), |copy| copy.name);
        Some(format!("{real} UNION ALL SELECT 1 FROM {loaded} AS parent WHERE {equal}"))
    }

    /// Returns the second copy of the child's table, if a relation refers to its own table and the server needs the
    /// copy.
    fn second_copy(&self, schema: &Schema, relation: &Relation) -> Option<TableCopy> {
        let child = relation.child;
        let is_both = relation.parent.table == Some(child);
        self.grammar.second_copy(&schema.tables[child], &self.name(child)).filter(|_| is_both)
    }

    fn with_second_copy(&self, schema: &Schema, relation: &Relation, sql: Sql) -> Sql {
        sql.with_copies(self.second_copy(schema, relation))
    }
}

impl Load for TemporaryLoad {
    fn max_rows_per_insert(&self, columns: usize) -> usize {
        (MAX_PARAMETERS / (columns + 1)).clamp(1, MAX_ROWS)
    }

    fn create_load_tables(&self, schema: &Schema, tables: &[TableId]) -> Vec<Sql> {
        let made = tables
            .iter()
            .flat_map(|&table| self.grammar.create_load_table(schema, &schema.tables[table], &self.name(table)));
        made.chain([self.grammar.create_position_table(&self.position_table())]).map(plain).collect()
    }

    fn auto_increment_columns(&self, schema: &Schema, table: TableId) -> Option<Sql> {
        Some(self.grammar.auto_increment_columns(schema, &schema.tables[table]))
    }

    fn next_auto_increment(&self, schema: &Schema, table: TableId, column: usize) -> Option<Sql> {
        let about = &schema.tables[table];
        let name = self.quoted(&about.columns[column].name);
        let known = self.source(schema, about, "known");
        Some(plain(format!("SELECT coalesce(max(known.{name}), 0) + 1 FROM {known}")))
    }

    fn restart_auto_increment(&self, table: TableId, column: &CountingColumn<'_>) -> Vec<Sql> {
        let sequence = self.grammar.temporary_name(&format!("fk_doctor$count_{table}_{}", column.column));
        let counts = self.grammar.restart_auto_increment(&self.name(table), &sequence, column);
        counts.into_iter().map(plain).collect()
    }

    fn insert(&self, schema: &Schema, table: TableId, columns: &[usize], rows: &[(i64, Vec<Value>)]) -> Vec<Sql> {
        let about = &schema.tables[table];
        let names: Vec<String> =
            columns.iter().map(|&column| self.quoted(&about.columns[column].name) + ", ").collect();
        let mut query = self.grammar.query();
        let rows: Vec<String> = rows
            .iter()
            .map(|(position, values)| {
                let values: Vec<String> = columns
                    .iter()
                    .zip(values)
                    .map(|(&column, value)| self.stored_value(&mut query, &about.columns[column], value) + ", ")
                    .collect();
                format!("({}{position})", values.concat())
            })
            .collect();
        let text =
            format!("INSERT INTO {}({}fk_doctor$place) VALUES {}", self.name(table), names.concat(), rows.join(", "));
        vec![query.finish(text)]
    }

    fn unique_collisions(&self, schema: &Schema, table: TableId, positions: &[i64]) -> Option<Sql> {
        let about = &schema.tables[table];
        let (first, last) = (positions.iter().min()?, positions.iter().max()?);
        let whole = about.indexes.iter().enumerate().filter(|(_, index)| index.unique && !index.partial);
        let cases = whole.filter_map(|(number, index)| {
            let same = |column: Option<usize>| {
                let column = &about.columns[column?];
                let name = self.quoted(&column.name);
                Some(self.grammar.equal(Some(column), &format!("child.{name}"), &format!("known.{name}")))
            };
            let same: Vec<String> = index.columns.iter().map(|part| same(part.column)).collect::<Option<_>>()?;
            let known = self.source(schema, about, "known");
            Some(format!(" WHEN EXISTS (SELECT 1 FROM {known} WHERE {}) THEN {number}", same.join(" AND ")))
        });
        let cases: String = cases.collect();
        let query = format!(
            "SELECT DISTINCT met.i FROM (SELECT CASE{cases} END AS i FROM {} AS child \
             WHERE child.fk_doctor$place BETWEEN {first} AND {last}) AS met WHERE met.i IS NOT NULL ORDER BY 1",
            self.name(table),
        );
        (!cases.is_empty()).then(|| plain(query))
    }

    fn loaded_orphans(&self, schema: &Schema, relation: RelationId) -> Sql {
        let about = &schema.relations[relation];
        let from = format!("{} AS child", self.name(about.child));
        let parent = self.parent(schema, about);
        let candidates = Candidates { from: &from, only: None, parent: parent.as_deref() };
        let grammar = self.grammar;
        let orphans = grammar.orphans_among(grammar.query(), schema, about, &candidates);
        self.with_second_copy(schema, about, orphans)
    }

    fn insert_orphan_positions(&self, schema: &Schema, relation: RelationId) -> Sql {
        let about = &schema.relations[relation];
        let grammar = self.grammar;
        let lacks = grammar.lacks_parent(
            schema,
            about,
            grammar.complete_key(schema, about),
            self.parent(schema, about).as_deref(),
        );
        let query = format!("SELECT child.fk_doctor$place FROM {} AS child WHERE {lacks}", self.name(about.child));
        self.with_second_copy(
            schema,
            about,
            plain(self.grammar.insert_missing_positions(&self.position_table(), &query)),
        )
    }

    fn count_orphan_positions(&self) -> Sql {
        plain(format!("SELECT count(*) FROM {}", self.position_table()))
    }

    fn position_of_row(&self, schema: &Schema, table: TableId, row: &RowName) -> Sql {
        let about = &schema.tables[table];
        let mut query = self.grammar.query();
        let named: Vec<String> =
            row.iter().map(|(name, value)| self.grammar.shows_value(&mut query, about, name, value)).collect();
        let text = format!(
            "SELECT child.fk_doctor$place FROM {} AS child WHERE {} LIMIT 1",
            self.name(table),
            named.join(" AND ")
        );
        query.finish(text)
    }

    fn position_with_values(&self, schema: &Schema, table: TableId, columns: &[usize], values: &[Value]) -> Sql {
        let about = &schema.tables[table];
        let mut query = self.grammar.query();
        let same: Vec<String> = columns
            .iter()
            .zip(values)
            .map(|(&column, value)| {
                let column = &about.columns[column];
                let stored = self.stored_value(&mut query, column, value);
                self.grammar.equal(Some(column), &format!("child.{}", self.quoted(&column.name)), &stored)
            })
            .collect();
        let text = format!(
            "SELECT child.fk_doctor$place FROM {} AS child WHERE {} LIMIT 1",
            self.name(table),
            same.join(" AND ")
        );
        query.finish(text)
    }

    fn staged_rows(&self, schema: &Schema, table: TableId, columns: &[usize]) -> Sql {
        let about = &schema.tables[table];
        let shown = |&column: &usize| {
            let column = &about.columns[column];
            self.grammar.shown(&format!("staged.{}", self.quoted(&column.name)), column)
        };
        let shown: Vec<String> = columns.iter().map(shown).collect();
        let values = std::iter::once(self.grammar.whole_number("NULL")).chain(shown).collect::<Vec<_>>().join(", ");
        plain(format!("SELECT {values} FROM {}", self.source(schema, about, "staged")))
    }
}
