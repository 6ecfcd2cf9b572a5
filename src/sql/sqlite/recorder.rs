//! The recorder of SQLite: temporary triggers that copy the name and the keys of each written row into temporary
//! tables.
//!
//! Temporary triggers fire before the database's own triggers, and also for the actions of foreign keys. `UPDATE OF`
//! sees the columns that an UPDATE names, by which SQLite decides which references to check. The columns of the record
//! have the affinity and collation of their originals, so a comparison with a recorded value gives the result of the
//! original value.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::catalog::Action;
use crate::model::explanation::Event;
use crate::model::ids::Id;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::ScanHints;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::grammar::sqlite::collation;
use crate::sql::grammar::sqlite::converted_child;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::key_parts;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::quoted;
use crate::sql::recorder::RecordObject;
use crate::sql::recorder::RecordQueries;
use crate::sql::recorder::Recorder;
use crate::sql::row_name_columns;
use crate::sql::scan::sqlite::matched_where;
use crate::sql::scan::sqlite::orphans_where;

pub(super) mod record;

use record::RECORD;
use record::Record;

/// Finds the tables and triggers of the record.
const OBJECTS: &str = "SELECT type, name FROM temp.sqlite_schema \
     WHERE (type = 'table' AND name GLOB 'fk_doctor$log_*') OR (type = 'trigger' AND name GLOB 'fk_doctor$*')";

#[derive(Default)]
pub(in crate::sql) struct TriggerRecorder {
    tables: BTreeSet<TableId>,
}

impl Recorder for TriggerRecorder {
    fn of_tables(&self, tables: BTreeSet<TableId>) -> Arc<dyn Recorder> {
        Arc::new(TriggerRecorder { tables })
    }

    fn tables(&self) -> &BTreeSet<TableId> {
        &self.tables
    }

    fn create_record(&self) -> Vec<Sql> {
        let statements =
            ["CREATE TEMP TABLE \"fk_doctor$round\"(number INT)", "INSERT INTO temp.\"fk_doctor$round\" VALUES (0)"];
        statements.map(|text| plain(text.to_owned())).to_vec()
    }

    fn create_tables(&self, schema: &Schema, tables: &BTreeSet<TableId>) -> Vec<Sql> {
        let records = tables.iter().map(|&table| Record::of(schema, table));
        let create = |record: Record<'_>| [record.create_table(schema), triggers(schema, &record)].concat();
        records.flat_map(create).map(plain).collect()
    }

    fn objects(&self) -> Sql {
        plain(OBJECTS.to_owned())
    }

    fn table_of(&self, object: &RecordObject) -> Option<TableId> {
        let number = object.name.strip_prefix(RECORD)?.parse().ok()?;
        (object.kind == "table").then(|| TableId::from_index(number))
    }

    fn drop_objects(&self, objects: &[RecordObject]) -> Vec<Sql> {
        let drop = |RecordObject { kind, name }: &RecordObject| format!("DROP {kind} IF EXISTS temp.{}", quoted(name));
        objects.iter().map(drop).map(plain).collect()
    }

    fn begin_round(&self, schema: &Schema, round: u32, forget: bool) -> Vec<Sql> {
        let mut statements = vec![plain(format!("UPDATE temp.\"fk_doctor$round\" SET number = {round}"))];
        if forget {
            statements.extend(self.records(schema).map(|record| plain(format!("DELETE FROM temp.{}", record.name()))));
        }
        statements
    }

    fn complete_record(&self, schema: &Schema) -> Vec<Sql> {
        self.records(schema).flat_map(|record| record.complete()).map(plain).collect()
    }

    fn count_conflict_clauses(&self) -> Sql {
        plain("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE '%REPLACE%'".to_owned())
    }

    fn delete_all_rows(&self, schema: &Schema, table: TableId) -> String {
        format!("DELETE FROM main.{}", quoted(&schema.tables[table].name.table))
    }

    fn drop_triggers(&self, triggers: &[String]) -> Vec<Sql> {
        let drop = triggers.iter().map(|name| format!("DROP TRIGGER main.{}", quoted(name)));
        std::iter::once("SAVEPOINT fk_doctor_drop".to_owned()).chain(drop).map(plain).collect()
    }

    fn restore_triggers(&self) -> Vec<Sql> {
        ["ROLLBACK TO fk_doctor_drop", "RELEASE fk_doctor_drop"].map(|text| plain(text.to_owned())).to_vec()
    }

    fn drop_record_triggers(&self, schema: &Schema, tables: &BTreeSet<TableId>) -> Vec<Sql> {
        let keys = enforced(schema).filter(|(_, relation)| tables.contains(&relation.child));
        let keys = keys.map(|(index, _)| format!("DROP TRIGGER IF EXISTS temp.\"fk_doctor$key_{index}\""));
        let others = tables.iter().flat_map(|&table| Record::of(schema, table).drop_triggers());
        keys.chain(others).map(plain).collect()
    }

    fn recorded_rows(&self, schema: &Schema, table: TableId, since: u32) -> (Sql, Vec<String>) {
        let record = Record::of(schema, table);
        let names = || record.columns().iter().map(|name| (*name).to_owned());
        let text = format!("SELECT * FROM temp.{} WHERE round >= {since} ORDER BY rowid", record.name());
        (plain(text), names().chain(names()).collect())
    }

    fn insert_recorded_row(&self, schema: &Schema, table: TableId, columns: &[String], row: &[Value]) -> Sql {
        let record = Record::of(schema, table);
        let (head, values) = row.split_at(row.len() - columns.len());
        let sides = columns.len() / 2;
        let mut into = vec!["round".to_owned(), "op".to_owned(), "relation".to_owned()];
        let mut parameters = head.to_vec();
        for (position, (name, value)) in columns.iter().zip(values).enumerate() {
            if record.columns().contains(&name.as_str()) {
                into.push(if position < sides { record.before(name) } else { record.after(name) });
                parameters.push(value.clone());
            }
        }
        let mut query = Sqlite.query();
        let marks: Vec<String> = parameters.into_iter().map(|value| query.parameter(value)).collect();
        let (names, marks) = (into.join(", "), marks.join(", "));
        query.finish(format!("INSERT INTO temp.{}({names}) VALUES ({marks})", record.name()))
    }
}

impl RecordQueries for TriggerRecorder {
    fn is_recorded(&self, table: TableId) -> bool {
        self.tables.contains(&table)
    }

    fn count_changes(&self, schema: &Schema, table: TableId, since: u32) -> Sql {
        plain(format!(
            "SELECT count(*) FILTER (WHERE op = 'i'), count(*) FILTER (WHERE op = 'u'), count(*) FILTER (WHERE op = 'd') \
             FROM temp.{} WHERE round >= {since}",
            Record::of(schema, table).name()
        ))
    }

    fn written_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql {
        orphans_where(
            schema,
            &schema.relations[relation],
            &trusting_indexes(),
            Some(&self.written(schema, relation, since)),
        )
    }

    fn count_already_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql {
        let about = &schema.relations[relation];
        let record = Record::of(schema, about.child);
        let key: Vec<&str> = schema.child_column_names(about).collect();
        let named = format!("was.op = 'k' AND was.relation = {relation} AND NOT {}", record.changed("was", &key));
        let only = recorded(&record, since, &named);
        plain(format!(
            "SELECT count(*) FROM ({})",
            orphans_where(schema, about, &trusting_indexes(), Some(&only)).text()
        ))
    }

    fn abandoned_orphans(&self, schema: &Schema, relation: RelationId, since: u32) -> Sql {
        let left =
            [Event::Delete, Event::Update].map(|event| self.lost_parent(schema, relation, event, since)).join(" OR ");
        let only = format!("({left}) AND NOT {}", self.written(schema, relation, since));
        orphans_where(schema, &schema.relations[relation], &trusting_indexes(), Some(&only))
    }

    fn count_affected_children(&self, schema: &Schema, relation: RelationId, event: Event, since: u32) -> Sql {
        let about = &schema.relations[relation];
        let left = self.lost_parent(schema, relation, event, since);
        let blocking = format!("{left} AND NOT {}", self.written(schema, relation, since));
        let orphans = orphans_where(schema, about, &trusting_indexes(), Some(&blocking));
        let [deleted, changed] = self.count_changed_children(schema, about, event, since);
        plain(format!("SELECT ({deleted}), ({changed}), (SELECT count(*) FROM ({}))", orphans.text()))
    }

    fn restricted_children(&self, schema: &Schema, relation: RelationId, event: Event, since: u32) -> Option<Sql> {
        let about = &schema.relations[relation];
        let left = self.lost_parent(schema, relation, event, since);
        restricts(about, event).then(|| matched_where(schema, about, &trusting_indexes(), &format!("({left})")))
    }

    fn restricted_changed_children(
        &self,
        schema: &Schema,
        relation: RelationId,
        event: Event,
        since: u32,
    ) -> Option<Sql> {
        let about = &schema.relations[relation];
        let child = self.record(schema, about.child).filter(|_| restricts(about, event))?;
        let key: Vec<&str> = schema.child_column_names(about).collect();
        let stored = |column: &str| format!("+was.{}", child.before(column));
        let mut inner = Vec::new();
        let mut order = Vec::new();
        for part in key_parts(schema, about) {
            let was = format!("was.{}", child.before(&part.child.name));
            inner.push(format!("{} AS k{}", converted_child(&part, &was), part.index));
            order.push(format!("o.k{}{}", part.index, collation(&part)));
        }
        inner.extend(key.iter().enumerate().map(|(position, column)| format!("{} AS r{position}", stored(column))));
        let names = row_name_columns(schema.child(about));
        inner.extend(names.iter().enumerate().map(|(i, name)| format!("was.{} AS i{i}", child.before(name))));
        // The rows of one table are recorded in the order of their changes.
        let later = if about.parent.table == Some(about.child) { " AND was.rowid > gone.rowid" } else { "" };
        Some(plain(format!(
            "SELECT dense_rank() OVER (ORDER BY {order}) AS g, o.* FROM (SELECT {inner}, 0 AS present FROM temp.{log} AS was \
             WHERE was.round >= {since} AND (was.op = 'd' OR (was.op = 'u' AND {changed})) AND {referred}) AS o ORDER BY g",
            order = order.join(", "),
            inner = inner.join(", "),
            log = child.name(),
            changed = child.changed("was", &key),
            referred = self.referred_to_lost_parent(schema, about, &child, event, since, later),
        )))
    }

    fn unequal_self_references(&self, schema: &Schema, relation: RelationId, since: u32) -> Option<Sql> {
        let about = &schema.relations[relation];
        let record = self.parent_record(schema, about).filter(|_| about.parent.table == Some(about.child))?;
        let key: Vec<&str> = schema.parent_columns(about).map(|column| column.name.as_str()).collect();
        // SQLite compares a rowid after its conversion.
        if compare_alike(schema, about)
            || schema.child(about).row_address.as_deref().is_some_and(|address| key == [address])
        {
            return None;
        }
        let pairs = || schema.child_column_names(about).zip(&key);
        let converted: Vec<String> =
            pairs().map(|(column, key)| format!("child.{} = +child.{}", quoted(key), quoted(column))).collect();
        let stored: Vec<String> = pairs()
            .map(|(column, key)| format!("+child.{} COLLATE BINARY = +child.{}", quoted(key), quoted(column)))
            .collect();
        // An UPDATE that names a key of a self-reference removes the row from every index before the check.
        let checked = format!("(was.op IN ('i', 'k') OR (was.op = 'u' AND {}))", record.changed("was", &key));
        let only = format!(
            "{} AND {} AND NOT ({})",
            recorded(&record, since, &checked),
            converted.join(" AND "),
            stored.join(" AND ")
        );
        Some(matched_where(schema, about, &trusting_indexes(), &only))
    }

    fn deletion_depth(&self, schema: &Schema, relation: RelationId, since: u32) -> Option<Sql> {
        let about = &schema.relations[relation];
        if about.parent.table != Some(about.child) || !compare_alike(schema, about) {
            return None;
        }
        let record = Record::of(schema, about.child);
        let refers = |child: &str, parent: &str| {
            let pairs = schema.child_column_names(about).zip(schema.parent_columns(about));
            let equal: Vec<String> = pairs
                .map(|(column, key)| {
                    format!("{parent}.{} = {child}.{}", record.before(&key.name), record.before(column))
                })
                .collect();
            format!("{} AND {parent}.rowid <> {child}.rowid", equal.join(" AND "))
        };
        let deleted = |alias: &str| format!("{alias}.op = 'd' AND {alias}.round >= {since}");
        Some(plain(format!(
            "WITH RECURSIVE walk(place, level) AS (\
             SELECT was.rowid, 1 FROM temp.{log} AS was WHERE {first} AND NOT EXISTS (\
             SELECT 1 FROM temp.{log} AS up WHERE {above} AND {upward}) \
             UNION ALL SELECT next.rowid, level + 1 FROM walk CROSS JOIN temp.{log} AS was ON was.rowid = walk.place \
             CROSS JOIN temp.{log} AS next ON {downward} WHERE {below} AND level < 10000) \
             SELECT coalesce(max(level), 0) FROM walk",
            log = record.name(),
            first = deleted("was"),
            above = deleted("up"),
            upward = refers("was", "up"),
            downward = refers("next", "was"),
            below = deleted("next"),
        )))
    }
}

impl TriggerRecorder {
    /// Returns the record of each table.
    fn records<'a>(&self, schema: &'a Schema) -> impl Iterator<Item = Record<'a>> {
        self.tables.iter().map(|&table| Record::of(schema, table))
    }

    /// Returns the record of a table; `None` if it is not recorded.
    fn record<'a>(&self, schema: &'a Schema, table: TableId) -> Option<Record<'a>> {
        self.is_recorded(table).then(|| Record::of(schema, table))
    }

    /// Returns queries for the number of child rows that a cascade of this relation deleted, and of those that got another key, because
    /// they lost their parent.
    fn count_changed_children(&self, schema: &Schema, relation: &Relation, event: Event, since: u32) -> [String; 2] {
        let Some(child) = self.record(schema, relation.child) else { return ["SELECT 0"; 2].map(str::to_owned) };
        let not_itself =
            if relation.parent.table == Some(relation.child) { " AND gone.rowid <> was.rowid" } else { "" };
        let referred = self.referred_to_lost_parent(schema, relation, &child, event, since, not_itself);
        let key: Vec<&str> = schema.child_column_names(relation).collect();
        // Only a cascade of this relation counts here, not a row that was deleted in another way.
        let deletes = event == Event::Delete && relation.on_delete == Action::Cascade;
        let deleted = if deletes { "was.op = 'd'" } else { "0" };
        let changed =
            format!("was.op = 'u' AND {} AND {}", child.changed("was", &key), child.is_not_deleted_later("was"));
        [deleted, &changed].map(|is_counted| {
            let from = format!("SELECT count(*) FROM temp.{} AS was", child.name());
            format!("{from} WHERE {is_counted} AND was.round >= {since} AND {referred}")
        })
    }

    /// Returns the record of the relation's parent table; `None` if there is none.
    fn parent_record<'a>(&self, schema: &'a Schema, relation: &Relation) -> Option<Record<'a>> {
        let table = relation.parent.table.filter(|_| !relation.parent.columns.is_empty())?;
        self.record(schema, table)
    }

    /// Returns the condition that a child row was written in such a way that SQLite checks its reference.
    fn written(&self, schema: &Schema, relation: RelationId, since: u32) -> String {
        let about = &schema.relations[relation];
        let Some(record) = self.record(schema, about.child) else { return "0".to_owned() };
        let key: Vec<&str> = schema.child_column_names(about).collect();
        let checked = format!(
            "(was.op = 'i' OR (was.op = 'k' AND was.relation = {relation}) OR (was.op = 'u' AND {}))",
            record.changed("was", &key)
        );
        recorded(&record, since, &checked)
    }

    /// Returns the condition that the parent of the row `child` was deleted, or was given another key.
    fn lost_parent(&self, schema: &Schema, relation: RelationId, event: Event, since: u32) -> String {
        let about = &schema.relations[relation];
        let Some(parent) = self.parent_record(schema, about) else { return "0".to_owned() };
        let lost = is_lost(schema, about, &parent, event, since);
        let child = schema.child(about);
        let pairs: Vec<(String, String)> = schema
            .child_column_names(about)
            .zip(schema.parent_columns(about))
            .map(|(column, key)| (quoted(column), format!("gone.{}", parent.before(&key.name))))
            .collect();
        if let Some(address) = child.row_address.as_deref().filter(|_| compare_alike(schema, about)) {
            // If both sides convert and compare alike, the child's own index can find the rows.
            let equal: Vec<String> = pairs.iter().map(|(column, key)| format!("referring.{column} = {key}")).collect();
            let address = quoted(address);
            return format!(
                "child.{address} IN (SELECT referring.{address} FROM temp.{} AS gone CROSS JOIN {} ON {} WHERE {lost})",
                parent.name(),
                Sqlite.source(None, child, "referring", Reading::AnyIndex),
                equal.join(" AND ")
            );
        }
        let equal: Vec<String> = pairs.iter().map(|(column, key)| format!("{key} = +child.{column}")).collect();
        format!("EXISTS (SELECT 1 FROM temp.{} AS gone WHERE {lost} AND {})", parent.name(), equal.join(" AND "))
    }

    /// Returns the condition that the old key of the recorded child row `was` is that of a parent that was deleted or given
    /// another key.
    fn referred_to_lost_parent(
        &self,
        schema: &Schema,
        relation: &Relation,
        child: &Record<'_>,
        event: Event,
        since: u32,
        order: &str,
    ) -> String {
        let Some(parent) = self.parent_record(schema, relation) else { return "0".to_owned() };
        let equal: Vec<String> = schema
            .child_column_names(relation)
            .zip(schema.parent_columns(relation))
            .map(|(column, key)| format!("gone.{} = +was.{}", parent.before(&key.name), child.before(column)))
            .collect();
        format!(
            "EXISTS (SELECT 1 FROM temp.{} AS gone WHERE {} AND {}{order})",
            parent.name(),
            is_lost(schema, relation, &parent, event, since),
            equal.join(" AND ")
        )
    }
}

/// Returns the hints for queries that read what the engine itself sees through its indexes.
pub(super) fn trusting_indexes() -> ScanHints<'static> {
    ScanHints { rows: None, index_is_proven: true }
}

/// Returns the statements that create every trigger that fills the record of a table.
fn triggers(schema: &Schema, record: &Record<'_>) -> Vec<String> {
    let keys = enforced(schema).filter(|(_, relation)| relation.child == record.table());
    let keys = keys.map(|(index, relation)| record.create_key_trigger(schema, index, relation));
    record.create_triggers().into_iter().chain(keys).collect()
}

/// Returns the relations that SQLite itself enforces.
fn enforced(schema: &Schema) -> impl Iterator<Item = (RelationId, &Relation)> {
    schema.relations.entries().filter(|(_, relation)| relation.origin == Origin::Declared)
}

/// Returns the condition that the row `child`, by its present name, is recorded and meets `condition`.
fn recorded(record: &Record<'_>, since: u32, condition: &str) -> String {
    let is_child: Vec<String> = record.identity.iter().map(|name| format!("child.{}", quoted(name))).collect();
    let names: Vec<String> = record.identity.iter().map(|name| format!("was.{}", record.after(name))).collect();
    format!(
        "({}) IN (SELECT {} FROM temp.{} AS was WHERE was.round >= {since} AND {condition})",
        is_child.join(", "),
        names.join(", "),
        record.name(),
    )
}

/// True if the relation refuses the event at once, without waiting for the end of the statement.
fn restricts(relation: &Relation, event: Event) -> bool {
    let action = match event {
        Event::Delete => relation.on_delete,
        Event::Update => relation.on_update,
    };
    action == Action::Restrict
}

/// Returns the condition that the event removed the key of the recorded parent row `gone`.
fn is_lost(schema: &Schema, relation: &Relation, parent: &Record<'_>, event: Event, since: u32) -> String {
    let key: Vec<&str> = schema.parent_columns(relation).map(|column| column.name.as_str()).collect();
    match event {
        Event::Delete => format!("gone.op = 'd' AND gone.round >= {since}"),
        Event::Update => format!("gone.op = 'u' AND gone.round >= {since} AND {}", parent.changed("gone", &key)),
    }
}

/// True if both sides of a relation convert and compare values alike.
fn compare_alike(schema: &Schema, relation: &Relation) -> bool {
    let mut pairs = schema.child_columns(relation).zip(schema.parent_columns(relation));
    pairs.all(|(child, parent)| child.family == parent.family && child.collation == parent.collation)
}
