//! What a statement would do to a server's tables, found by reading alone: its rows before and after are put into
//! temporary tables of our own, and what foreign keys do to other rows follows from there, wave by wave.
//!
//! Of each table there are two: `old`, rows as they are that will be changed or deleted, and `new`, rows as they will
//! be. A dollar sign in what is ours keeps it apart from the user's tables and columns.
//! Their own columns come with the table's: why (`i`, `u`, `d`), through which relation, in which wave, and which row.
//! Leaves out: triggers and rules, which only the server itself can run.

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

/// The record of one statement, and what is asked of it.
pub struct StatementForecast {
    grammar: &'static dyn Scratch,
    /// Tables that the statement writes, or that may follow.
    tables: Vec<TableId>,
}

impl StatementForecast {
    /// Returns the record for a statement that writes to a table; `None` if the engine or a table cannot be foreseen.
    pub fn of(schema: &Schema, table: TableId, dml: &Dml<'_>) -> Option<StatementForecast> {
        let grammar = capabilities::of(schema.database.engine).forecast?;
        let tables = match dml.writes {
            Writes::Insert { .. } => vec![table],
            Writes::Update { .. } | Writes::Delete { .. } => reached(schema, table),
        };
        let is_plain =
            |&table: &TableId| matches!(schema.tables[table].kind, TableKind::Table | TableKind::Partitioned);
        let is_named = |&table: &TableId| !grammar.row_address(&schema.tables[table], "t").is_empty();
        tables.iter().all(|table| is_plain(table) && is_named(table)).then_some(StatementForecast { grammar, tables })
    }

    pub fn tables(&self) -> &[TableId] {
        &self.tables
    }

    /// Makes the record; `counted` are columns of the table that is written, as [`StatementForecast::counter_drawing_columns`] gives them.
    pub fn create_tables(&self, schema: &Schema, written: TableId, counted: &[String]) -> Vec<Sql> {
        let both = |&table: &TableId| {
            let counted = if table == written { counted } else { &[] };
            self.grammar.create_record_tables(
                schema,
                &schema.tables[table],
                [&self.before(table), &self.after(table)],
                counted,
            )
        };
        self.tables.iter().flat_map(both).map(plain).collect()
    }

    pub fn drop_tables(&self) -> Vec<Sql> {
        let both = |&table: &TableId| [self.before(table), self.after(table)];
        self.tables.iter().flat_map(both).map(|name| plain(self.grammar.drop_record_table(&name))).collect()
    }

    /// Columns that would draw from the server's counters when a row is foreseen: rows of one name.
    pub fn counter_drawing_columns(&self, schema: &Schema, table: TableId) -> Sql {
        self.grammar.counter_drawing_columns(schema, &schema.tables[table])
    }

    /// Parents that are gone for a reason, called `parent`; with what they become, `now`, where they are changed.
    fn lost_parents(&self, parent: TableId, event: Event) -> String {
        match event {
            Event::Delete => format!("{} AS parent", self.before(parent)),
            Event::Update => format!("{} AS parent, {} AS now", self.before(parent), self.after(parent)),
        }
    }

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

    fn any_differs(&self, left: &str, right: &str, columns: &[&Column]) -> String {
        let differ: Vec<String> = columns
            .iter()
            .map(|column| self.grammar.quoted(&column.name))
            .map(|name| self.grammar.differs(&format!("{left}.{name}"), &format!("{right}.{name}")))
            .collect();
        format!("({})", differ.join(" OR "))
    }

    /// Two recorded rows are the same row, before and after the same change.
    fn is_same_change(&self, left: &str, right: &str) -> String {
        format!("{} AND {left}.fk_doctor$relation = {right}.fk_doctor$relation", self.is_same_row(left, right))
    }

    fn is_same_row(&self, left: &str, right: &str) -> String {
        let equal = |column: &&str| format!("{left}.{column} = {right}.{column}");
        self.grammar.address_columns().iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// A recorded row as it will be is a row of the table as it is.
    fn is_changed_row(&self, table: &Table, recorded: &str, row: &str) -> String {
        let pairs = self.grammar.address_columns().iter().zip(self.grammar.row_address(table, row));
        pairs.map(|(column, place)| format!("{recorded}.{column} = {place}")).collect::<Vec<_>>().join(" AND ")
    }

    /// A recorded row is not deleted in the end.
    fn is_not_deleted(&self, table: TableId, recorded: &str) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} AS dead WHERE dead.fk_doctor$op = 'd' AND {})",
            self.before(table),
            self.is_same_row("dead", recorded)
        )
    }

    /// The child row is not deleted so far.
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

    /// Returns the orphans among some rows, called `child`, in the shape of [`super::Scan::orphans`].
    fn orphans_of(&self, schema: &Schema, relation: &Relation, from: &str, only: &str, parent: Option<&str>) -> Sql {
        let candidates = Candidates { from, only: Some(only), parent };
        self.grammar.orphans_among(self.grammar.query(), schema, relation, &candidates)
    }

    /// A statement of ours about the record.
    fn record_statement(&self, text: String) -> Sql {
        self.grammar.name_records_once(plain(text))
    }

    fn before(&self, table: TableId) -> String {
        self.grammar.temporary_name(&format!("{}{table}", RECORDS[0]))
    }

    fn after(&self, table: TableId) -> String {
        self.grammar.temporary_name(&format!("{}{table}", RECORDS[1]))
    }
}

/// A table, and all that foreign keys would change or delete along with its rows.
fn reached(schema: &Schema, table: TableId) -> Vec<TableId> {
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
