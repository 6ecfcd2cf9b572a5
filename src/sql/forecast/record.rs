//! Filling the record: the rows that a statement itself writes, and, wave by wave, those that foreign keys write.

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
    /// The rows that the statement itself writes. The statement's own pieces stand in these as they were typed.
    pub fn record_direct_changes(&self, schema: &Schema, table: TableId, dml: &Dml<'_>) -> Option<Vec<Sql>> {
        match &dml.writes {
            Writes::Insert { rest } => {
                let mut query = Typed::with(self.grammar.query(), dml);
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
                let rows = Chosen { why: "d", others, condition, assigned: None };
                Some(vec![self.record_chosen_rows(schema, table, dml, &rows)?])
            }
            Writes::Update { assigned, others, condition } => {
                let before = Chosen { why: "u", others, condition, assigned: None };
                let after = Chosen { assigned: Some(assigned), ..before };
                Some(vec![
                    self.record_chosen_rows(schema, table, dml, &before)?,
                    self.record_chosen_rows(schema, table, dml, &after)?,
                ])
            }
        }
    }

    /// The rows that a condition of the statement chooses, as they are or with what is assigned to them.
    fn record_chosen_rows(&self, schema: &Schema, table: TableId, dml: &Dml<'_>, rows: &Chosen<'_>) -> Option<Sql> {
        let assigned = rows.assigned;
        let about = &schema.tables[table];
        let known = |name: &String| about.columns.iter().any(|column| same(schema, &column.name, name));
        if !assigned.unwrap_or_default().iter().all(|(name, _)| known(name)) {
            return None;
        }
        let columns: Vec<&Column> =
            about.columns.iter().filter(|column| assigned.is_none() || !column.generated).collect();
        let called = dml.called();
        let names: Vec<String> = columns.iter().map(|column| self.grammar.quoted(&column.name)).collect();
        let into = if assigned.is_some() { self.after(table) } else { self.before(table) };
        let mut query = Typed::with(self.grammar.query(), dml);
        query.text.push_str(&format!(
            "INSERT INTO {into}({}, fk_doctor$op, fk_doctor$wave, fk_doctor$relation, {}) {}",
            names.join(", "),
            self.grammar.address_columns().join(", "),
            self.grammar.select_distinct_rows(called),
        ));
        for (column, name) in columns.iter().zip(&names) {
            let value = assigned.and_then(|all| all.iter().find(|(known, _)| same(schema, &column.name, known)));
            match value {
                Some((_, value)) => {
                    let typed = query.piece(dml, value);
                    let value = self.grammar.as_assigned(column, &typed);
                    query.text.push_str(&value);
                }
                None => query.text.push_str(&format!("{called}.{name}")),
            }
            query.text.push_str(", ");
        }
        let place = self.grammar.row_address(about, called).join(", ");
        query.text.push_str(&format!("'{}', 0, -1, {place} FROM {}", rows.why, dml.source()));
        if !rows.others.is_empty() {
            query.text.push_str(", ");
            query.push(dml, rows.others);
        }
        query.text.push(' ');
        query.push(dml, rows.condition);
        Some(self.grammar.name_records_once(query.finish()))
    }

    /// What one relation does because of the rows of a wave: rows of the next.
    pub fn record_followers(&self, schema: &Schema, relation: RelationId, event: Event, wave: u32) -> Vec<Sql> {
        let about = &schema.relations[relation];
        let (Some(parent), action) = (about.parent.table, action(about, event)) else { return Vec::new() };
        let acts = matches!(action, Action::Cascade | Action::SetNull | Action::SetDefault);
        if !acts || !self.tables.contains(&parent) || !self.tables.contains(&about.child) {
            return Vec::new();
        }
        let gone = format!("{} AND parent.fk_doctor$wave = {wave}", self.is_lost_parent(schema, about, parent, event));
        let from =
            format!("{}, {}", self.source(schema, schema.child(about), "child"), self.lost_parents(parent, event));
        let refers = format!(
            "{gone} AND {} AND {}",
            self.grammar.refers_to_parent(schema, about),
            self.is_child_not_deleted(schema, about.child)
        );
        let note = Note { relation, wave: wave + 1, from: &from, change: None };
        if event == Event::Delete && action == Action::Cascade {
            return vec![self.record_child_changes(schema, about.child, "d", &note, &refers)];
        }
        let child = schema.child(about);
        let once = |into: &str, same: String| {
            let seen = format!("SELECT 1 FROM {into} AS seen WHERE seen.fk_doctor$relation = {relation} AND {same}");
            format!("{refers} AND NOT EXISTS ({seen})")
        };
        let as_they_are = once(&self.before(about.child), self.grammar.is_recorded_row(child, "seen", "child"));
        let as_they_will_be = once(&self.after(about.child), self.is_changed_row(child, "seen", "child"));
        let changing = Note { change: Some(Change { relation: about, action, event }), ..note };
        // The second sees what the first did, so the rows as they are come last.
        vec![
            self.record_child_changes(schema, about.child, "u", &changing, &as_they_will_be),
            self.record_child_changes(schema, about.child, "u", &note, &as_they_are),
        ]
    }

    /// One row: how many rows a wave brought to a table.
    pub fn count_rows_of_wave(&self, table: TableId, wave: u32) -> Sql {
        self.record_statement(format!(
            "SELECT count(*) FROM {} AS was WHERE was.fk_doctor$wave = {wave}",
            self.before(table)
        ))
    }

    /// Notes child rows for which a condition holds: as they are or, where they change, as they will be.
    fn record_child_changes(
        &self,
        schema: &Schema,
        table: TableId,
        why: &str,
        note: &Note<'_>,
        condition: &str,
    ) -> Sql {
        let about = &schema.tables[table];
        let Note { relation, wave, from, change } = note;
        let into = if change.is_some() { self.after(table) } else { self.before(table) };
        let columns = about.columns.iter().filter(|column| change.is_none() || !column.generated);
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in columns {
            let kept = format!("child.{}", self.grammar.quoted(&column.name));
            let value = match change {
                Some(change) => self.changed_value(schema, change, column, kept),
                None => Some(kept),
            };
            // A column that is left out gets its default.
            if let Some(value) = value {
                names.push(self.grammar.quoted(&column.name));
                values.push(value);
            }
        }
        self.record_statement(format!(
            "INSERT INTO {into}({}, fk_doctor$op, fk_doctor$wave, fk_doctor$relation, {}) SELECT {}, '{why}', {wave}, {relation}, {} FROM {from} WHERE {condition}",
            names.join(", "),
            self.grammar.address_columns().join(", "),
            values.join(", "),
            self.grammar.row_address(about, "child").join(", "),
        ))
    }

    fn changed_value(&self, schema: &Schema, change: &Change<'_>, column: &Column, kept: String) -> Option<String> {
        let relation = change.relation;
        let place =
            (0..relation.child_columns.len()).find(|&place| child_column(schema, relation, place).name == column.name);
        let Some(place) = place else { return Some(kept) };
        let only = &relation.on_delete_columns;
        if change.event == Event::Delete && !only.is_empty() && !only.contains(&column.name) {
            return Some(kept);
        }
        match change.action {
            Action::SetNull => Some("NULL".to_owned()),
            Action::SetDefault => None,
            _ => {
                let parent = schema.parent_columns(relation).nth(place);
                parent.map(|parent| format!("now.{}", self.grammar.quoted(&parent.name)))
            }
        }
    }
}

/// Rows that a statement chooses itself, and what it assigns to them. Places are those of tokens.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    why: &'a str,
    others: &'a Range<usize>,
    condition: &'a Range<usize>,
    assigned: Option<&'a [(String, Range<usize>)]>,
}

/// Child rows that follow through a relation.
#[derive(Clone, Copy)]
struct Note<'a> {
    relation: RelationId,
    wave: u32,
    from: &'a str,
    change: Option<Change<'a>>,
}

/// What an action puts into the child's key.
#[derive(Clone, Copy)]
struct Change<'a> {
    relation: &'a Relation,
    action: Action,
    event: Event,
}

/// A statement with pieces that somebody typed.
struct Typed {
    text: String,
    query: Query,
}

impl Typed {
    fn with(mut query: Query, dml: &Dml<'_>) -> Typed {
        let Piece { mut text, values } = dml.with(0);
        text.push(' ');
        query.extend(values);
        Typed { text, query }
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

/// True if two names are the same column's. Some engines ignore the case of columns' names, but not that of tables' names.
fn same(schema: &Schema, left: &str, right: &str) -> bool {
    if schema.database.engine.facts().lexis.columns_ignore_case {
        left.eq_ignore_ascii_case(right)
    } else {
        left == right
    }
}
