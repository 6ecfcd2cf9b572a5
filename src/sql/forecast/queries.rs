//! The queries about a record: the written rows, the rows that would have no parent, and the effects of foreign keys.

use super::StatementForecast;
use crate::model::catalog::Action;
use crate::model::catalog::Column;
use crate::model::explanation::Event;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::recorder::RecordQueries;

impl RecordQueries for StatementForecast {
    fn count_changes(&self, _: &Schema, table: TableId, _: u32) -> Sql {
        let (old, new) = (self.before(table), self.after(table));
        self.record_statement(format!(
            "SELECT (SELECT count(*) FROM {new} AS child WHERE child.fk_doctor$op = 'i'), \
             (SELECT count(*) FROM (SELECT DISTINCT {address} FROM {old} AS child WHERE child.fk_doctor$op = 'u' AND {kept}) AS changed), \
             (SELECT count(*) FROM {old} AS child WHERE child.fk_doctor$op = 'd')",
            address = self.grammar.address_columns().join(", "),
            kept = self.is_not_deleted(table, "child"),
        ))
    }

    fn written_orphans(&self, schema: &Schema, relation: RelationId, _: u32) -> Sql {
        let about = &schema.relations[relation];
        let from = format!("{} AS child", self.after(about.child));
        let only = self.is_checked(schema, about);
        let orphans = self.orphans_of(schema, about, &from, &only, self.remaining_parent(schema, about).as_deref());
        self.grammar.name_records_once(orphans)
    }

    fn count_already_orphans(&self, schema: &Schema, relation: RelationId, _: u32) -> Sql {
        let about = &schema.relations[relation];
        let key: Vec<&Column> = schema.child_columns(about).collect();
        let from = format!("{} AS child", self.after(about.child));
        let only = format!(
            "{} AND child.fk_doctor$op = 'u' AND NOT EXISTS (SELECT 1 FROM {} AS was WHERE {} AND {})",
            self.is_checked(schema, about),
            self.before(about.child),
            self.is_same_change("was", "child"),
            self.any_differs("was", "child", &key),
        );
        let orphans = self.orphans_of(schema, about, &from, &only, self.remaining_parent(schema, about).as_deref());
        self.record_statement(format!("SELECT count(*) FROM ({}) AS already", orphans.text()))
    }

    fn abandoned_orphans(&self, schema: &Schema, relation: RelationId, _: u32) -> Sql {
        self.grammar.name_records_once(self.abandoned_rows(
            schema,
            &schema.relations[relation],
            &[Event::Delete, Event::Update],
        ))
    }

    fn count_affected_children(&self, schema: &Schema, relation: RelationId, event: Event, _: u32) -> Sql {
        let about = &schema.relations[relation];
        let nothing = || plain("SELECT 0, 0, 0".to_owned());
        let Some(parent) = about.parent.table.filter(|parent| self.tables.contains(parent)) else { return nothing() };
        let blocking = self.abandoned_rows(schema, about, &[event]);
        if !self.tables.contains(&about.child) {
            return self
                .record_statement(format!("SELECT 0, 0, (SELECT count(*) FROM ({}) AS blocking)", blocking.text()));
        }
        let (old, referred) = (self.before(about.child), self.referred_to_lost_parent(schema, about, parent, event));
        let deletes = event == Event::Delete && about.on_delete == Action::Cascade;
        let deleted = if deletes { referred.as_str() } else { "1 = 0" };
        self.record_statement(format!(
            "SELECT (SELECT count(*) FROM {old} AS child WHERE child.fk_doctor$op = 'd' AND {deleted}), \
             (SELECT count(*) FROM {old} AS child WHERE child.fk_doctor$op = 'u' AND child.fk_doctor$relation = {relation} AND {} AND {referred}), \
             (SELECT count(*) FROM ({}) AS blocking)",
            self.is_not_deleted(about.child, "child"),
            blocking.text(),
        ))
    }

    fn deletion_depth(&self, schema: &Schema, relation: RelationId, _: u32) -> Option<Sql> {
        let about = &schema.relations[relation];
        if about.parent.table != Some(about.child) || !self.tables.contains(&about.child) {
            return None;
        }
        let old = self.before(about.child);
        let refers = format!(
            "{} AND NOT ({})",
            self.grammar.refers_to_parent(schema, about),
            self.is_same_row("parent", "child")
        );
        let columns: Vec<String> =
            schema.child(about).columns.iter().map(|column| self.grammar.quoted(&column.name)).collect();
        let of = |alias: &str| {
            let own = columns.iter().map(String::as_str).chain(self.grammar.address_columns().iter().copied());
            own.map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ")
        };
        Some(self.record_statement(format!(
            "WITH RECURSIVE walk AS (SELECT {child}, 1 AS fk_doctor$level FROM {old} AS child WHERE child.fk_doctor$op = 'd' \
             AND NOT EXISTS (SELECT 1 FROM {old} AS parent WHERE parent.fk_doctor$op = 'd' AND {refers}) \
             UNION ALL SELECT {child}, parent.fk_doctor$level + 1 FROM walk AS parent, {old} AS child \
             WHERE child.fk_doctor$op = 'd' AND {refers} AND parent.fk_doctor$level < 10000) \
             SELECT coalesce(max(fk_doctor$level), 0) FROM walk",
            child = of("child"),
        )))
    }
}

impl StatementForecast {
    /// Returns the query that finds a parent of `child` after the statement; `None` if the parent table is missing.
    fn remaining_parent(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let parent = relation.parent.table?;
        let equal = self.grammar.refers_to_parent(schema, relation);
        let source = self.source(schema, &schema.tables[parent], "parent");
        if !self.tables.contains(&parent) {
            return Some(format!("SELECT 1 FROM {source} WHERE {equal}"));
        }
        let untouched = format!(
            "NOT EXISTS (SELECT 1 FROM {} AS gone WHERE {})",
            self.before(parent),
            self.grammar.is_recorded_row(&schema.tables[parent], "gone", "parent")
        );
        // A row that is changed several times is recorded once for each change. Its key is that of the change of the
        // key.
        let key: Vec<&Column> = schema.parent_columns(relation).collect();
        let was = format!("{} AS was", self.before(parent));
        let own = format!(
            "EXISTS (SELECT 1 FROM {was} WHERE {} AND {})",
            self.is_same_change("parent", "was"),
            self.any_differs("was", "parent", &key)
        );
        let other = format!(
            "EXISTS (SELECT 1 FROM {was}, {} AS now WHERE {} AND {} AND {})",
            self.after(parent),
            self.is_same_row("was", "parent"),
            self.is_same_change("now", "was"),
            self.any_differs("was", "now", &key)
        );
        Some(format!(
            "SELECT 1 FROM {source} WHERE {equal} AND {untouched} UNION ALL SELECT 1 FROM {} AS parent WHERE {equal} AND {} AND ({own} OR NOT {other})",
            self.after(parent),
            self.is_not_deleted(parent, "parent"),
        ))
    }

    /// Returns the condition that the server checks the reference of the child row as it would be.
    fn is_checked(&self, schema: &Schema, relation: &Relation) -> String {
        let key: Vec<&Column> = schema.child_columns(relation).collect();
        let mut reasons = vec![self.any_differs("was", "child", &key)];
        if let Some(condition) = self.grammar.moved_row_check(schema) {
            let moved = self.moved(schema, relation.child);
            reasons.push(format!("(child.fk_doctor$relation = -1 AND {condition} AND {moved})"));
        }
        format!(
            "(child.fk_doctor$op = 'i' OR EXISTS (SELECT 1 FROM {} AS was WHERE {} AND ({}))) AND {}",
            self.before(relation.child),
            self.is_same_change("was", "child"),
            reasons.join(" OR "),
            self.is_not_deleted(relation.child, "child"),
        )
    }

    /// Returns the condition that the primary key of a child row changes.
    fn moved(&self, schema: &Schema, table: TableId) -> String {
        let about = &schema.tables[table];
        let key: Vec<&Column> = about.primary_key.iter().map(|&column| &about.columns[column]).collect();
        self.any_differs("was", "child", &key)
    }

    /// Returns the condition that the child row refers to a lost parent, and is neither deleted nor given another key;
    /// `None` if the statement writes no parent.
    fn is_abandoned(&self, schema: &Schema, relation: &Relation, event: Event) -> Option<String> {
        let parent = relation.parent.table.filter(|parent| self.tables.contains(parent))?;
        let lost = format!(
            "EXISTS (SELECT 1 FROM {} WHERE {} AND {})",
            self.lost_parents(parent, event),
            self.is_lost_parent(schema, relation, parent, event),
            self.grammar.refers_to_parent(schema, relation)
        );
        if !self.tables.contains(&relation.child) {
            return Some(lost);
        }
        let key: Vec<&Column> = schema.child_columns(relation).collect();
        let unchanged = format!(
            "NOT EXISTS (SELECT 1 FROM {} AS was, {} AS now WHERE {} AND {} AND {})",
            self.before(relation.child),
            self.after(relation.child),
            self.grammar.is_recorded_row(schema.child(relation), "was", "child"),
            self.is_same_change("now", "was"),
            self.any_differs("was", "now", &key)
        );
        Some(format!("{lost} AND {} AND {unchanged}", self.is_child_not_deleted(schema, relation.child)))
    }

    /// Returns a query for the child rows that these events leave without a parent, in the form of
    /// [`crate::sql::Scan::orphans`].
    fn abandoned_rows(&self, schema: &Schema, relation: &Relation, events: &[Event]) -> Sql {
        let left: Vec<String> = events
            .iter()
            .filter_map(|event| self.is_abandoned(schema, relation, *event))
            .map(|left| format!("({left})"))
            .collect();
        let only = if left.is_empty() { "1 = 0".to_owned() } else { format!("({})", left.join(" OR ")) };
        let from = self.source(schema, schema.child(relation), "child");
        self.orphans_of(schema, relation, &from, &only, self.remaining_parent(schema, relation).as_deref())
    }

    /// Returns the condition that the old key of a recorded child row is that of a lost parent.
    fn referred_to_lost_parent(&self, schema: &Schema, relation: &Relation, parent: TableId, event: Event) -> String {
        let other = if parent == relation.child {
            format!(" AND NOT ({})", self.is_same_row("parent", "child"))
        } else {
            String::new()
        };
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE {} AND {}{other})",
            self.lost_parents(parent, event),
            self.is_lost_parent(schema, relation, parent, event),
            self.grammar.refers_to_parent(schema, relation)
        )
    }
}
