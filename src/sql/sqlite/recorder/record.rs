//! The record of one table: a temporary table, and the triggers that fill it.
//!
//! `op` is `i`, `u` or `d` for a row that was inserted, updated or deleted, and `k` for a row whose key an UPDATE
//! names, even if it changes nothing. REPLACE deletes rows without firing a trigger. So every row that might be
//! replaced is recorded before (`r`), and afterwards becomes `d` or is forgotten.
//!
//! Leaves out a row that REPLACE deletes because of a partial or computed unique index alone.

use std::collections::BTreeSet;

use super::enforced;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql::quoted;
use crate::sql::row_name_columns;

/// The collations that every SQLite has. A column with another collation is recorded without it.
const COLLATIONS: [&str; 3] = ["BINARY", "NOCASE", "RTRIM"];

/// The name of a record's table, before the number of the table that it is about.
pub(super) const RECORD: &str = "fk_doctor$log_";

/// The parts of the names of a record's triggers.
const TRIGGER_EVENTS: [&str; 5] = ["insert", "update", "delete", "before_insert", "before_update"];

pub(in crate::sql::sqlite) struct Record<'a> {
    table: TableId,
    about: &'a Table,
    /// The columns that identify a row.
    pub(in crate::sql::sqlite) identity: Vec<&'a str>,
    /// These columns, the columns that name the row to people, and the columns of all keys.
    columns: Vec<&'a str>,
}

impl<'a> Record<'a> {
    pub(in crate::sql::sqlite) fn of(schema: &'a Schema, table: TableId) -> Record<'a> {
        let about = &schema.tables[table];
        let identity: Vec<&str> = match &about.row_address {
            Some(address) => vec![address],
            None if about.primary_key.is_empty() => about.columns.iter().map(|column| column.name.as_str()).collect(),
            None => about.primary_key.iter().map(|&column| about.columns[column].name.as_str()).collect(),
        };
        let mut columns = identity.clone();
        columns.extend(row_name_columns(about));
        for (_, relation) in enforced(schema) {
            if relation.child == table {
                columns.extend(relation.child_columns.iter().map(|&column| about.columns[column].name.as_str()));
            }
            if relation.parent.table == Some(table) {
                columns.extend(relation.parent.columns.iter().map(|&column| about.columns[column].name.as_str()));
            }
        }
        let mut distinct: Vec<&str> = Vec::new();
        for column in columns {
            if !distinct.contains(&column) {
                distinct.push(column);
            }
        }
        Record { table, about, identity, columns: distinct }
    }

    pub(super) fn table(&self) -> TableId {
        self.table
    }

    pub(super) fn columns(&self) -> &[&'a str] {
        &self.columns
    }

    pub(in crate::sql::sqlite) fn name(&self) -> String {
        quoted(&format!("{RECORD}{}", self.table))
    }

    /// Returns the name of the column that holds a recorded column's value before.
    pub(super) fn before(&self, column: &str) -> String {
        format!("o{}", self.position(column))
    }

    /// Returns the name of the column that holds a recorded column's value after.
    pub(in crate::sql::sqlite) fn after(&self, column: &str) -> String {
        format!("n{}", self.position(column))
    }

    fn position(&self, column: &str) -> usize {
        self.columns.iter().position(|known| *known == column).unwrap_or(0)
    }

    /// Returns the condition that any of these columns has another value than before.
    pub(super) fn changed(&self, alias: &str, columns: &[&str]) -> String {
        let same: Vec<String> = columns
            .iter()
            .map(|name| format!("{alias}.{} IS {alias}.{}", self.before(name), self.after(name)))
            .collect();
        format!("NOT ({})", same.join(" AND "))
    }

    /// Returns the condition that an updated row is not deleted later.
    pub(super) fn is_not_deleted_later(&self, alias: &str) -> String {
        let same: Vec<String> = self
            .identity
            .iter()
            .map(|name| format!("later.{} IS {alias}.{}", self.before(name), self.after(name)))
            .collect();
        format!(
            "NOT EXISTS (SELECT 1 FROM temp.{} AS later WHERE later.op = 'd' AND later.rowid > {alias}.rowid AND {})",
            self.name(),
            same.join(" AND ")
        )
    }

    /// Returns the statements that create the record's table and its indexes: on the name of a row, and on each key that a relation
    /// refers to.
    pub(super) fn create_table(&self, schema: &Schema) -> Vec<String> {
        let columns = |side: &str| -> String {
            let declared =
                self.columns.iter().enumerate().map(|(i, name)| format!("{side}{i} {}", self.declared(name)));
            declared.collect::<Vec<_>>().join(", ")
        };
        let create = format!(
            "CREATE TEMP TABLE IF NOT EXISTS {}(round INT, op TEXT, relation INT, {}, {})",
            self.name(),
            columns("o"),
            columns("n")
        );
        let referred = enforced(schema).filter(|(_, relation)| relation.parent.table == Some(self.table));
        let keys = referred.map(|(_, relation)| schema.parent_columns(relation).map(|column| column.name.as_str()));
        let keys = keys.map(Iterator::collect).filter(|key: &Vec<&str>| !key.is_empty());
        let mut indexed: Vec<Vec<&str>> = vec![self.identity.clone()];
        for key in keys {
            if !indexed.contains(&key) {
                indexed.push(key);
            }
        }
        let indexes = indexed.iter().enumerate().map(|(number, columns)| {
            let columns: Vec<String> = columns.iter().map(|name| self.before(name)).collect();
            let name = format!("\"fk_doctor$row_{}_{number}\"", self.table);
            format!("CREATE INDEX IF NOT EXISTS temp.{name} ON {}({})", self.name(), columns.join(", "))
        });
        std::iter::once(create).chain(indexes).collect()
    }

    /// Returns the statements that create the triggers, except those of [`Record::create_key_trigger`].
    pub(super) fn create_triggers(&self) -> Vec<String> {
        let mut triggers = vec![
            self.trigger("insert", "AFTER INSERT", "i", &self.nulls(), &self.values("NEW")),
            self.trigger("update", "AFTER UPDATE", "u", &self.values("OLD"), &self.values("NEW")),
            self.trigger("delete", "AFTER DELETE", "d", &self.values("OLD"), &self.nulls()),
        ];
        let keys = self.unique_keys();
        if !keys.is_empty() {
            let itself = format!(" AND NOT ({})", self.same("was", "OLD"));
            for (event, when, but) in
                [("before_insert", "BEFORE INSERT", ""), ("before_update", "BEFORE UPDATE", itself.as_str())]
            {
                triggers.push(format!(
                    "CREATE TEMP TRIGGER IF NOT EXISTS \"fk_doctor${event}_{}\" {when} ON main.{table} BEGIN INSERT INTO {} \
                     SELECT round.number, 'r', NULL, {}, {} FROM \"fk_doctor$round\" AS round CROSS JOIN main.{table} AS was \
                     WHERE ({}){but}; END",
                    self.table,
                    self.name(),
                    self.values("was"),
                    self.nulls(),
                    keys.join(" OR "),
                    table = quoted(&self.about.name.table),
                ));
            }
        }
        triggers
    }

    /// Returns the statements that create a record of inserted rows only, with an index on the columns that identify
    /// them.
    pub(in crate::sql::sqlite) fn create_for_inserts(&self) -> Vec<String> {
        let columns: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .flat_map(|(i, name)| [format!("o{i} BLOB"), format!("n{i} {}", self.declared(name))])
            .collect();
        let identity: Vec<String> = self.identity.iter().map(|name| self.after(name)).collect();
        let order: Vec<String> =
            ["o", "n"].iter().flat_map(|side| (0..self.columns.len()).map(move |i| format!("{side}{i}"))).collect();
        vec![
            format!("CREATE TEMP TABLE {}(round INT, op TEXT, relation INT, {})", self.name(), columns.join(", ")),
            format!("CREATE INDEX temp.\"fk_doctor$row_{}\" ON {}({})", self.table, self.name(), identity.join(", ")),
            format!(
                "CREATE TEMP TRIGGER \"fk_doctor$insert_{}\" AFTER INSERT ON main.{} BEGIN \
                 INSERT INTO {}(round, op, relation, {}) SELECT number, 'i', NULL, {}, {} FROM \"fk_doctor$round\"; END",
                self.table,
                quoted(&self.about.name.table),
                self.name(),
                order.join(", "),
                self.nulls(),
                self.values("NEW"),
            ),
        ]
    }

    /// Returns the condition that a recorded row is this row, by its present name.
    pub(in crate::sql::sqlite) fn is_current_row(&self, record: &str, row: &str) -> String {
        let same = self.identity.iter().map(|name| format!("{record}.{} = {row}.{}", self.after(name), quoted(name)));
        same.collect::<Vec<_>>().join(" AND ")
    }

    pub(super) fn drop_triggers(&self) -> Vec<String> {
        let drop = |event| format!("DROP TRIGGER IF EXISTS temp.\"fk_doctor${event}_{}\"", self.table);
        TRIGGER_EVENTS.iter().map(drop).collect()
    }

    /// Returns the statement that creates the trigger for rows whose key of a relation an UPDATE names, even if it
    /// changes nothing. SQLite checks a self-reference after every UPDATE that names any key of the table.
    pub(super) fn create_key_trigger(&self, schema: &Schema, index: RelationId, relation: &Relation) -> String {
        let mut named: BTreeSet<usize> = relation.child_columns.iter().copied().collect();
        if relation.parent.table == Some(self.table) {
            for (_, other) in enforced(schema) {
                named.extend(other.child_columns.iter().filter(|_| other.child == self.table));
                named.extend(other.parent.columns.iter().filter(|_| other.parent.table == Some(self.table)));
            }
        }
        let columns: Vec<String> = named.iter().map(|&column| quoted(&self.about.columns[column].name)).collect();
        format!(
            "CREATE TEMP TRIGGER IF NOT EXISTS \"fk_doctor$key_{index}\" AFTER UPDATE OF {} ON main.{} BEGIN \
             INSERT INTO {} SELECT number, 'k', {index}, {}, {} FROM \"fk_doctor$round\"; END",
            columns.join(", "),
            quoted(&self.about.name.table),
            self.name(),
            self.values("OLD"),
            self.values("NEW")
        )
    }

    /// Returns the statements that decide which rows were replaced: those that no longer exist, and those whose name
    /// another row has now.
    pub(super) fn complete(&self) -> Vec<String> {
        if self.unique_keys().is_empty() {
            return Vec::new();
        }
        let log = self.name();
        let equal = |other: &str, value: &dyn Fn(&str) -> String| -> String {
            let parts =
                self.identity.iter().map(|name| format!("maybe.{} IS {other}.{}", self.before(name), value(name)));
            parts.collect::<Vec<_>>().join(" AND ")
        };
        vec![
            format!(
                "UPDATE temp.{log} AS maybe SET op = 'd' WHERE op = 'r' \
                 AND (NOT EXISTS (SELECT 1 FROM main.{} AS now WHERE {}) \
                 OR EXISTS (SELECT 1 FROM temp.{log} AS other WHERE other.rowid > maybe.rowid AND {} \
                 AND (other.op = 'i' OR (other.op = 'u' AND {})))) \
                 AND NOT EXISTS (SELECT 1 FROM temp.{log} AS seen WHERE seen.op = 'd' AND {})",
                quoted(&self.about.name.table),
                equal("now", &quoted),
                equal("other", &|name| self.after(name)),
                self.changed("other", &self.identity),
                equal("seen", &|name| self.before(name)),
            ),
            format!("DELETE FROM temp.{log} WHERE op = 'r'"),
        ]
    }

    fn trigger(&self, event: &str, when: &str, op: &str, old: &str, new: &str) -> String {
        format!(
            "CREATE TEMP TRIGGER IF NOT EXISTS \"fk_doctor${event}_{}\" {when} ON main.{} BEGIN \
             INSERT INTO {} SELECT number, '{op}', NULL, {old}, {new} FROM \"fk_doctor$round\"; END",
            self.table,
            quoted(&self.about.name.table),
            self.name(),
        )
    }

    fn values(&self, row: &str) -> String {
        self.columns.iter().map(|name| format!("{row}.{}", quoted(name))).collect::<Vec<_>>().join(", ")
    }

    fn nulls(&self) -> String {
        vec!["NULL"; self.columns.len()].join(", ")
    }

    /// Returns the type of a column of the record, which converts and compares values like its original.
    fn declared(&self, name: &str) -> String {
        let Some(column) = self.about.columns.iter().find(|column| column.name == name) else {
            return "INT".to_owned();
        };
        let kind = match column.family {
            Family::Integer => "INT",
            Family::Numeric => "NUMERIC",
            Family::Real => "REAL",
            Family::Text => "TEXT",
            Family::Untyped => "BLOB",
        };
        let known = column.collation.as_deref().filter(|name| COLLATIONS.iter().any(|c| c.eq_ignore_ascii_case(name)));
        known.map_or_else(|| kind.to_owned(), |collation| format!("{kind} COLLATE {collation}"))
    }

    /// Returns, for each unique key, the condition that the row `was` has the key of the new row, `NEW`.
    fn unique_keys(&self) -> Vec<String> {
        let whole = self.about.indexes.iter().filter(|index| index.unique && !index.partial);
        // A rowid that is no column is a unique key too.
        let address = self.about.row_address.iter().filter(|name| self.about.columns.iter().all(|c| c.name != **name));
        let address = address.map(|name| format!("was.{name} = NEW.{name}", name = quoted(name)));
        whole
            .filter_map(|index| {
                let part = |column: Option<usize>| {
                    let name = quoted(&self.about.columns[column?].name);
                    Some(format!("was.{name} = NEW.{name}"))
                };
                let equal: Option<Vec<String>> = index.columns.iter().map(|column| part(column.column)).collect();
                Some(format!("({})", equal?.join(" AND ")))
            })
            .chain(address)
            .collect()
    }

    fn same(&self, left: &str, right: &str) -> String {
        let same = self.identity.iter().map(|name| format!("{left}.{name} IS {right}.{name}", name = quoted(name)));
        same.collect::<Vec<_>>().join(" AND ")
    }
}
