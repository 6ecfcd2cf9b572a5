//! The statements that fill the record: with the rows that a statement itself would write, and then, wave by wave, with
//! those that foreign keys would write.

use std::ops::Range;

use super::StatementForecast;
use crate::model::catalog::Action;
use crate::model::catalog::Column;
use crate::model::explanation::Event;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql::clauses::child_column;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::read::dml::Dml;
use crate::sql::read::dml::Piece;
use crate::sql::read::dml::Writes;

impl StatementForecast {
    /// Returns the statements that record the rows that the statement itself would write. They contain pieces of the
    /// statement as it was typed. `None` if an assigned column does not exist.
    pub fn record_direct_changes(&self, schema: &Schema, table: TableId, dml: &Dml<'_>) -> Option<Vec<Sql>> {
        match &dml.writes {
            Writes::Insert { rest } => {
                let mut query = TypedStatement::with(self.grammar.query(), dml);
                query.text.push_str(&format!("INSERT INTO {} ", self.after(table)));
                if !dml.names_columns() {
                    let columns: Vec<String> =
                        schema.tables[table].columns.iter().map(|column| self.grammar.quoted(&column.name)).collect();
                    query.text.push_str(&self.grammar.insert_column_list(&columns));
                }
                query.push(dml, rest);
                Some(vec![self.grammar.name_records_once(query.finish())])
            }
            Writes::Delete { others, condition } => {
                let rows = SelectedRows { operation: "d", others, condition, assigned: None };
                Some(vec![self.record_selected_rows(schema, table, dml, &rows)?])
            }
            Writes::Update { assigned, others, condition } => {
                let before = SelectedRows { operation: "u", others, condition, assigned: None };
                let after = SelectedRows { assigned: Some(assigned), ..before };
                Some(vec![
                    self.record_selected_rows(schema, table, dml, &before)?,
                    self.record_selected_rows(schema, table, dml, &after)?,
                ])
            }
        }
    }

    /// Returns the statement that records the rows that the condition selects, as they are or with their assigned
    /// values.
    fn record_selected_rows(
        &self,
        schema: &Schema,
        table: TableId,
        dml: &Dml<'_>,
        rows: &SelectedRows<'_>,
    ) -> Option<Sql> {
        let assigned = rows.assigned;
        let about = &schema.tables[table];
        let known = |name: &String| about.columns.iter().any(|column| same(schema, &column.name, name));
        if !assigned.unwrap_or_default().iter().all(|(name, _)| known(name)) {
            return None;
        }
        let columns: Vec<&Column> =
            about.columns.iter().filter(|column| assigned.is_none() || !column.generated).collect();
        let qualifier = dml.qualifier();
        let names: Vec<String> = columns.iter().map(|column| self.grammar.quoted(&column.name)).collect();
        let into = if assigned.is_some() { self.after(table) } else { self.before(table) };
        let mut query = TypedStatement::with(self.grammar.query(), dml);
        query.text.push_str(&format!(
            "INSERT INTO {into}({}, fk_doctor$op, fk_doctor$wave, fk_doctor$relation, {}) {}",
            names.join(", "),
            self.grammar.address_columns().join(", "),
            self.grammar.select_distinct_rows(qualifier),
        ));
        for (column, name) in columns.iter().zip(&names) {
            let value = assigned.and_then(|all| all.iter().find(|(known, _)| same(schema, &column.name, known)));
            match value {
                Some((_, value)) => {
                    let typed = query.piece(dml, value);
                    let value = self.grammar.as_assigned(column, &typed);
                    query.text.push_str(&value);
                }
                None => query.text.push_str(&format!("{qualifier}.{name}")),
            }
            query.text.push_str(", ");
        }
        let address = self.grammar.row_address(about, qualifier).join(", ");
        query.text.push_str(&format!("'{}', 0, -1, {address} FROM {}", rows.operation, dml.source()));
        if !rows.others.is_empty() {
            query.text.push_str(", ");
            query.push(dml, rows.others);
        }
        query.text.push(' ');
        query.push(dml, rows.condition);
        Some(self.grammar.name_records_once(query.finish()))
    }

    /// Returns the statements that record the next wave: the child rows that one relation changes or deletes because of
    /// the rows of a wave.
    pub fn record_followers(&self, schema: &Schema, relation: RelationId, event: Event, wave: u32) -> Vec<Sql> {
        let about = &schema.relations[relation];
        let (Some(parent), action) = (about.parent.table, action(about, event)) else { return Vec::new() };
        let acts = matches!(action, Action::Cascade | Action::SetNull | Action::SetDefault);
        if !acts || !self.tables.contains(&parent) || !self.tables.contains(&about.child) {
            return Vec::new();
        }
        let lost = format!("{} AND parent.fk_doctor$wave = {wave}", self.is_lost_parent(schema, about, parent, event));
        let from =
            format!("{}, {}", self.source(schema, schema.child(about), "child"), self.lost_parents(parent, event));
        let refers = format!(
            "{lost} AND {} AND {}",
            self.grammar.refers_to_parent(schema, about),
            self.is_child_not_deleted(schema, about.child)
        );
        let rows = ChildRows { relation, wave: wave + 1, from: &from, change: None };
        if event == Event::Delete && action == Action::Cascade {
            return vec![self.record_child_changes(schema, about.child, "d", &rows, &refers)];
        }
        let child = schema.child(about);
        let once = |into: &str, same: String| {
            let seen = format!("SELECT 1 FROM {into} AS seen WHERE seen.fk_doctor$relation = {relation} AND {same}");
            format!("{refers} AND NOT EXISTS ({seen})")
        };
        let as_they_are = once(&self.before(about.child), self.grammar.is_recorded_row(child, "seen", "child"));
        let as_they_will_be = once(&self.after(about.child), self.is_changed_row(child, "seen", "child"));
        let changing = ChildRows { change: Some(Change { relation: about, action, event }), ..rows };
        // The second statement sees the rows of the first, so the rows as they are come last.
        vec![
            self.record_child_changes(schema, about.child, "u", &changing, &as_they_will_be),
            self.record_child_changes(schema, about.child, "u", &rows, &as_they_are),
        ]
    }

    /// Returns a query for one number: how many rows of a table a wave changes or deletes.
    pub fn count_rows_of_wave(&self, table: TableId, wave: u32) -> Sql {
        self.record_statement(format!(
            "SELECT count(*) FROM {} AS was WHERE was.fk_doctor$wave = {wave}",
            self.before(table)
        ))
    }

    /// Returns the statement that records the child rows that meet a condition: as they are or, with a change, as they
    /// would be.
    fn record_child_changes(
        &self,
        schema: &Schema,
        table: TableId,
        operation: &str,
        rows: &ChildRows<'_>,
        condition: &str,
    ) -> Sql {
        let about = &schema.tables[table];
        let ChildRows { relation, wave, from, change } = rows;
        let into = if change.is_some() { self.after(table) } else { self.before(table) };
        let columns = about.columns.iter().filter(|column| change.is_none() || !column.generated);
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in columns {
            let unchanged = format!("child.{}", self.grammar.quoted(&column.name));
            let value = match change {
                Some(change) => self.changed_value(schema, change, column, unchanged),
                None => Some(unchanged),
            };
            // A column that the INSERT does not name gets its default.
            if let Some(value) = value {
                names.push(self.grammar.quoted(&column.name));
                values.push(value);
            }
        }
        self.record_statement(format!(
            "INSERT INTO {into}({}, fk_doctor$op, fk_doctor$wave, fk_doctor$relation, {}) SELECT {}, '{operation}', {wave}, {relation}, {} FROM {from} WHERE {condition}",
            names.join(", "),
            self.grammar.address_columns().join(", "),
            values.join(", "),
            self.grammar.row_address(about, "child").join(", "),
        ))
    }

    /// Returns the new value of a child's column; `None` if the column gets its default.
    fn changed_value(
        &self,
        schema: &Schema,
        change: &Change<'_>,
        column: &Column,
        unchanged: String,
    ) -> Option<String> {
        let relation = change.relation;
        let index =
            (0..relation.child_columns.len()).find(|&index| child_column(schema, relation, index).name == column.name);
        let Some(index) = index else { return Some(unchanged) };
        let only = &relation.on_delete_columns;
        if change.event == Event::Delete && !only.is_empty() && !only.contains(&column.name) {
            return Some(unchanged);
        }
        match change.action {
            Action::SetNull => Some("NULL".to_owned()),
            Action::SetDefault => None,
            _ => {
                let parent = schema.parent_columns(relation).nth(index);
                parent.map(|parent| format!("now.{}", self.grammar.quoted(&parent.name)))
            }
        }
    }
}

/// The rows that a statement selects itself, and the values that it assigns to them. Ranges are of tokens.
#[derive(Clone, Copy)]
struct SelectedRows<'a> {
    operation: &'a str,
    others: &'a Range<usize>,
    condition: &'a Range<usize>,
    assigned: Option<&'a [(String, Range<usize>)]>,
}

/// The child rows that a wave changes or deletes through a relation.
#[derive(Clone, Copy)]
struct ChildRows<'a> {
    relation: RelationId,
    wave: u32,
    from: &'a str,
    change: Option<Change<'a>>,
}

/// The action that changes the key of child rows.
#[derive(Clone, Copy)]
struct Change<'a> {
    relation: &'a Relation,
    action: Action,
    event: Event,
}

/// A statement with pieces of the statement that the user typed.
struct TypedStatement {
    text: String,
    query: Query,
}

impl TypedStatement {
    fn with(mut query: Query, dml: &Dml<'_>) -> TypedStatement {
        let Piece { mut text, values } = dml.with(0);
        text.push(' ');
        query.extend(values);
        TypedStatement { text, query }
    }

    fn push(&mut self, dml: &Dml<'_>, tokens: &Range<usize>) {
        let text = self.piece(dml, tokens);
        self.text.push_str(&text);
    }

    fn piece(&mut self, dml: &Dml<'_>, tokens: &Range<usize>) -> String {
        let piece = dml.piece(tokens, self.query.count());
        self.query.extend(piece.values);
        piece.text
    }

    fn finish(self) -> Sql {
        self.query.finish(self.text)
    }
}

fn action(relation: &Relation, event: Event) -> Action {
    match event {
        Event::Delete => relation.on_delete,
        Event::Update => relation.on_update,
    }
}

/// True if two names mean one column. Some engines ignore the case of columns' names, but not that of tables' names.
fn same(schema: &Schema, left: &str, right: &str) -> bool {
    if schema.database.engine.facts().lexis.columns_ignore_case {
        left.eq_ignore_ascii_case(right)
    } else {
        left == right
    }
}
