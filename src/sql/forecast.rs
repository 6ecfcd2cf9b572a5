//! The forecast of a statement on a server, which only reads the user's tables.
//!
//! The forecast fills a record, which consists of temporary tables. First it inserts the rows that the statement itself
//! would write, before and after. Then it follows the foreign keys and inserts the rows that these would write, wave by
//! wave.
//!
//! For each table, the record has two: `old` has the rows to be changed or deleted, as they are; `new` has the rows as
//! they would be. Each has the table's columns, and columns for the operation (`i`, `u`, `d`), the relation, the wave,
//! and the row's address. A dollar sign in these names distinguishes them from the user's tables and columns.
//!
//! Leaves out triggers and rules, which only the server itself can run.

use crate::model::catalog::Action;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::explanation::Event;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql::capabilities;
use crate::sql::grammar::Reading;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::read::dml::Dml;
use crate::sql::read::dml::Writes;
use crate::sql::scan::Candidates;
use crate::sql::scan::source;
use crate::sql::scratch::RECORDS;
use crate::sql::scratch::Scratch;

mod queries;
mod record;

/// The record of one statement's forecast, and the queries about it.
pub struct StatementForecast {
    grammar: &'static dyn Scratch,
    /// The tables that the statement or a foreign key may write.
    tables: Vec<TableId>,
}

impl StatementForecast {
    /// Returns the record for a statement that writes to a table; `None` if the engine or a table has no forecast.
    pub fn of(schema: &Schema, table: TableId, dml: &Dml<'_>) -> Option<StatementForecast> {
        let grammar = capabilities::of(schema.database.engine).forecast?;
        let tables = match dml.writes {
            Writes::Insert { .. } => vec![table],
            Writes::Update { .. } | Writes::Delete { .. } => tables_with_dependants(schema, table),
        };
        let is_plain =
            |&table: &TableId| matches!(schema.tables[table].kind, TableKind::Table | TableKind::Partitioned);
        let is_named = |&table: &TableId| !grammar.row_address(&schema.tables[table], "t").is_empty();
        tables.iter().all(|table| is_plain(table) && is_named(table)).then_some(StatementForecast { grammar, tables })
    }

    pub fn tables(&self) -> &[TableId] {
        &self.tables
    }

    /// Returns the statements that create the record. The `counter_columns` of the written table are the result of
    /// [`StatementForecast::counter_drawing_columns`].
    pub fn create_tables(&self, schema: &Schema, written: TableId, counter_columns: &[String]) -> Vec<Sql> {
        let both = |&table: &TableId| {
            let counter_columns = if table == written { counter_columns } else { &[] };
            self.grammar.create_record_tables(
                schema,
                &schema.tables[table],
                [&self.before(table), &self.after(table)],
                counter_columns,
            )
        };
        self.tables.iter().flat_map(both).map(plain).collect()
    }

    /// Returns the statements that drop the record.
    pub fn drop_tables(&self) -> Vec<Sql> {
        let both = |&table: &TableId| [self.before(table), self.after(table)];
        self.tables.iter().flat_map(both).map(|name| plain(self.grammar.drop_record_table(&name))).collect()
    }

    /// Returns a query for the columns whose default would draw from a counter of the server: rows of one name.
    pub fn counter_drawing_columns(&self, schema: &Schema, table: TableId) -> Sql {
        self.grammar.counter_drawing_columns(schema, &schema.tables[table])
    }

    /// Returns the FROM clause of the parents that an event deletes or changes, `parent`. A changed parent is also
    /// `now`, as it would be.
    fn lost_parents(&self, parent: TableId, event: Event) -> String {
        match event {
            Event::Delete => format!("{} AS parent", self.before(parent)),
            Event::Update => format!("{} AS parent, {} AS now", self.before(parent), self.after(parent)),
        }
    }

    /// Returns the condition that the event deletes `parent`, or changes its key.
    fn is_lost_parent(&self, schema: &Schema, relation: &Relation, parent: TableId, event: Event) -> String {
        match event {
            Event::Delete => "parent.fk_doctor$op = 'd'".to_owned(),
            Event::Update => {
                let key: Vec<&Column> = schema.parent_columns(relation).collect();
                format!(
                    "parent.fk_doctor$op = 'u' AND now.fk_doctor$op = 'u' AND {} AND {} AND {}",
                    self.is_same_change("now", "parent"),
                    self.any_differs("parent", "now", &key),
                    self.is_not_deleted(parent, "parent"),
                )
            }
        }
    }

    /// Returns the condition that a column differs between two recorded rows.
    fn any_differs(&self, left: &str, right: &str, columns: &[&Column]) -> String {
        let differ: Vec<String> = columns
            .iter()
            .map(|column| self.grammar.quoted(&column.name))
            .map(|name| self.grammar.differs(&format!("{left}.{name}"), &format!("{right}.{name}")))
            .collect();
        format!("({})", differ.join(" OR "))
    }

    /// Returns the condition that two recorded rows are one row, before and after one change.
    fn is_same_change(&self, left: &str, right: &str) -> String {
        format!("{} AND {left}.fk_doctor$relation = {right}.fk_doctor$relation", self.is_same_row(left, right))
    }

    /// Returns the condition that two recorded rows are one row.
    fn is_same_row(&self, left: &str, right: &str) -> String {
        let equal = |column: &&str| format!("{left}.{column} = {right}.{column}");
        self.grammar.address_columns().iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// Returns the condition that a recorded row of `new` is this row of the table, as it would be.
    fn is_changed_row(&self, table: &Table, recorded: &str, row: &str) -> String {
        let pairs = self.grammar.address_columns().iter().zip(self.grammar.row_address(table, row));
        pairs.map(|(column, address)| format!("{recorded}.{column} = {address}")).collect::<Vec<_>>().join(" AND ")
    }

    /// Returns the condition that a recorded row is not deleted in the end.
    fn is_not_deleted(&self, table: TableId, recorded: &str) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} AS dead WHERE dead.fk_doctor$op = 'd' AND {})",
            self.before(table),
            self.is_same_row("dead", recorded)
        )
    }

    /// Returns the condition that no wave so far has deleted the child row.
    fn is_child_not_deleted(&self, schema: &Schema, child: TableId) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} AS dead WHERE dead.fk_doctor$op = 'd' AND {})",
            self.before(child),
            self.grammar.is_recorded_row(&schema.tables[child], "dead", "child")
        )
    }

    /// Returns the user's own table under an alias.
    fn source(&self, schema: &Schema, table: &Table, alias: &str) -> String {
        source(self.grammar, schema, table, alias, Reading::AnyIndex)
    }

    /// Returns a query for the orphans among some rows, `child`, in the form of [`super::Scan::orphans`].
    fn orphans_of(&self, schema: &Schema, relation: &Relation, from: &str, only: &str, parent: Option<&str>) -> Sql {
        let candidates = Candidates { from, only: Some(only), parent };
        self.grammar.orphans_among(self.grammar.query(), schema, relation, &candidates)
    }

    /// Returns a statement about the record.
    fn record_statement(&self, text: String) -> Sql {
        self.grammar.name_records_once(plain(text))
    }

    /// Returns the name of the record's table of rows as they are.
    fn before(&self, table: TableId) -> String {
        self.grammar.temporary_name(&format!("{}{table}", RECORDS[0]))
    }

    /// Returns the name of the record's table of rows as they would be.
    fn after(&self, table: TableId) -> String {
        self.grammar.temporary_name(&format!("{}{table}", RECORDS[1]))
    }
}

/// Returns a table, and every table whose rows foreign keys may change or delete along with its rows.
fn tables_with_dependants(schema: &Schema, table: TableId) -> Vec<TableId> {
    let mut tables = vec![table];
    let mut next = 0;
    while let Some(&parent) = tables.get(next) {
        next += 1;
        for relation in &schema.relations {
            let acts = [relation.on_delete, relation.on_update]
                .iter()
                .any(|action| matches!(action, Action::Cascade | Action::SetNull | Action::SetDefault));
            let follows = relation.origin == Origin::Declared && relation.parent.table == Some(parent) && acts;
            if follows && !tables.contains(&relation.child) {
                tables.push(relation.child);
            }
        }
    }
    tables
}
