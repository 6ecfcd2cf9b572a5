//! What a statement would do to a server's tables, found by reading alone: its rows before and after are put into
//! temporary tables of our own, and what foreign keys do to other rows follows from there, wave by wave.
//!
//! Of each table there are two: `old`, rows as they are that will be changed or deleted, and `new`, rows as they will
//! be. A dollar sign in what is ours keeps it apart from the user's tables and columns.
//! Their own columns come with the table's: why (`i`, `u`, `d`), through which relation, in which wave, and which row.
//! Leaves out: triggers and rules, which only the server itself can run.

use super::Sql;
use super::mysql;
use super::postgres;
use crate::model::catalog::Action;
use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::explanation::Event;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql::read::dml::Dml;
use crate::sql::read::dml::Writes;

mod account;
mod record;

/// What the names of both tables of a record begin with: `old` and `new`.
pub(super) const RECORDS: [&str; 2] = ["fk_doctor$old_", "fk_doctor$new_"];

/// How an engine says what the record needs.
pub(super) trait Tongue: Sync {
    fn quoted(&self, name: &str) -> String;

    /// A temporary table of ours.
    fn temporary(&self, name: &str) -> String;

    /// Makes both tables of the record. These columns of the new rows draw no numbers.
    fn make(&self, schema: &Schema, table: &Table, names: [&str; 2], counted: &[String]) -> Vec<String>;

    fn unmake(&self, name: &str) -> String;

    /// A statement about the record, in a form that the engine takes.
    fn finished(&self, sql: Sql) -> Sql {
        sql
    }

    /// The user's own table under an alias.
    fn source(&self, schema: &Schema, table: &Table, alias: &str) -> String;

    /// The columns that hold which row it is.
    fn place_columns(&self) -> &'static [&'static str];

    /// Which row an alias stands for, as those columns hold it.
    fn place(&self, table: &Table, alias: &str) -> Vec<String>;

    /// That a recorded row is that row of the table.
    fn is_row(&self, table: &Table, recorded: &str, row: &str) -> String;

    fn differs(&self, left: &str, right: &str) -> String;

    /// `child` refers to `parent`.
    fn equal(&self, schema: &Schema, relation: &Relation) -> String;

    /// An expression, brought to a column's type as an assignment would.
    fn assigned(&self, column: &Column, expression: &str) -> String;

    /// What stands for the columns of an INSERT that names none; rows may be shorter where the engine lets them.
    fn all_columns(&self, columns: &[String]) -> String;

    /// What begins a SELECT that gives each row of an alias once.
    fn select_once(&self, alias: &str) -> String;

    /// Orphans among the rows of `from`, called `child`, in the shape of [`super::Dialect::orphans`].
    fn orphans(&self, schema: &Schema, relation: &Relation, from: &str, only: &str, parent: Option<&str>) -> Sql;

    /// Changing what names a row makes the server check all its references again: the condition for that, if it ever does.
    fn checks_moved_rows(&self, schema: &Schema) -> Option<&'static str>;

    /// One row for each column whose default is a number that the server counts up: its name.
    fn counted_columns(&self, schema: &Schema, table: &Table) -> Sql;
}

/// The record of one statement, and what is asked of it.
pub struct Foresight {
    tongue: &'static dyn Tongue,
    /// Tables that the statement writes, or that may follow.
    tables: Vec<TableId>,
}

impl Foresight {
    /// For a statement that writes to a table; `None` where an engine or a table is not foreseen.
    pub fn of(schema: &Schema, table: TableId, dml: &Dml<'_>) -> Option<Foresight> {
        let tongue: &'static dyn Tongue = match schema.database.engine {
            Engine::Postgres => &postgres::foresight::Tid,
            Engine::Mysql => &mysql::foresight::MYSQL,
            Engine::Mariadb => &mysql::foresight::MARIADB,
            Engine::Sqlite => return None,
        };
        let tables = match dml.writes {
            Writes::Insert { .. } => vec![table],
            Writes::Update { .. } | Writes::Delete { .. } => reached(schema, table),
        };
        let is_plain =
            |&table: &TableId| matches!(schema.tables[table].kind, TableKind::Table | TableKind::Partitioned);
        let is_named = |&table: &TableId| !tongue.place(&schema.tables[table], "t").is_empty();
        tables.iter().all(|table| is_plain(table) && is_named(table)).then_some(Foresight { tongue, tables })
    }

    pub fn tables(&self) -> &[TableId] {
        &self.tables
    }

    /// Makes the record; `counted` are columns of the table that is written, as [`Foresight::counted_columns`] gives them.
    pub fn make(&self, schema: &Schema, written: TableId, counted: &[String]) -> Vec<Sql> {
        let both = |&table: &TableId| {
            let counted = if table == written { counted } else { &[] };
            self.tongue.make(schema, &schema.tables[table], [&self.before(table), &self.after(table)], counted)
        };
        self.tables.iter().flat_map(both).map(plain).collect()
    }

    pub fn unmake(&self) -> Vec<Sql> {
        let both = |&table: &TableId| [self.before(table), self.after(table)];
        self.tables.iter().flat_map(both).map(|name| plain(self.tongue.unmake(&name))).collect()
    }

    /// Columns that would draw from the server's counters when a row is foreseen: rows of one name.
    pub fn counted_columns(&self, schema: &Schema, table: TableId) -> Sql {
        self.tongue.counted_columns(schema, &schema.tables[table])
    }

    /// Parents that are gone for a reason, called `parent`; with what they become, `now`, where they are changed.
    fn gone_from(&self, parent: TableId, event: Event) -> String {
        match event {
            Event::Delete => format!("{} AS parent", self.before(parent)),
            Event::Update => format!("{} AS parent, {} AS now", self.before(parent), self.after(parent)),
        }
    }

    fn gone(&self, schema: &Schema, relation: &Relation, parent: TableId, event: Event) -> String {
        match event {
            Event::Delete => "parent.fk_doctor$op = 'd'".to_owned(),
            Event::Update => {
                let key: Vec<&Column> = schema.parent_columns(relation).collect();
                format!(
                    "parent.fk_doctor$op = 'u' AND now.fk_doctor$op = 'u' AND {} AND {} AND {}",
                    self.linked("now", "parent"),
                    self.any_differs("parent", "now", &key),
                    self.is_kept(parent, "parent"),
                )
            }
        }
    }

    fn any_differs(&self, left: &str, right: &str, columns: &[&Column]) -> String {
        let differ: Vec<String> = columns
            .iter()
            .map(|column| self.tongue.quoted(&column.name))
            .map(|name| self.tongue.differs(&format!("{left}.{name}"), &format!("{right}.{name}")))
            .collect();
        format!("({})", differ.join(" OR "))
    }

    /// Two recorded rows are the same row, before and after the same change.
    fn linked(&self, left: &str, right: &str) -> String {
        format!("{} AND {left}.fk_doctor$relation = {right}.fk_doctor$relation", self.same_place(left, right))
    }

    fn same_place(&self, left: &str, right: &str) -> String {
        let equal = |column: &&str| format!("{left}.{column} = {right}.{column}");
        self.tongue.place_columns().iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// A recorded row as it will be is a row of the table as it is.
    fn linked_row(&self, table: &Table, recorded: &str, row: &str) -> String {
        let pairs = self.tongue.place_columns().iter().zip(self.tongue.place(table, row));
        pairs.map(|(column, place)| format!("{recorded}.{column} = {place}")).collect::<Vec<_>>().join(" AND ")
    }

    /// A recorded row is not deleted in the end.
    fn is_kept(&self, table: TableId, recorded: &str) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} AS dead WHERE dead.fk_doctor$op = 'd' AND {})",
            self.before(table),
            self.same_place("dead", recorded)
        )
    }

    /// The child row is not deleted so far.
    fn stays(&self, schema: &Schema, child: TableId) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} AS dead WHERE dead.fk_doctor$op = 'd' AND {})",
            self.before(child),
            self.tongue.is_row(&schema.tables[child], "dead", "child")
        )
    }

    /// A statement of ours about the record.
    fn finished(&self, text: String) -> Sql {
        self.tongue.finished(plain(text))
    }

    fn before(&self, table: TableId) -> String {
        self.tongue.temporary(&format!("{}{table}", RECORDS[0]))
    }

    fn after(&self, table: TableId) -> String {
        self.tongue.temporary(&format!("{}{table}", RECORDS[1]))
    }
}

fn plain(text: String) -> Sql {
    Sql::new(text, Vec::new())
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
