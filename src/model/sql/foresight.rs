//! What a statement would do to a server's tables, found by reading alone: its rows before and after are put into
//! temporary tables of our own, and what foreign keys do to other rows follows from there, wave by wave.
//!
//! Of each table there are two: `old`, rows as they are that will be changed or deleted, and `new`, rows as they will
//! be. Their own columns come with the table's: why (`i`, `u`, `d`), through which relation, in which wave, and which row.
//! Leaves out: triggers and rules, which only the server itself can run.

use super::Sql;
use super::clauses::child_column;
use super::mysql;
use super::postgres;
use crate::model::catalog::Action;
use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::dml::Dml;
use crate::model::dml::Piece;
use crate::model::dml::Writes;
use crate::model::explanation::Event;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::sql::witness::Account;
use crate::model::value::Value;

/// How an engine says what the record needs.
pub(super) trait Tongue: Sync {
    fn quoted(&self, name: &str) -> String;

    /// A temporary table of ours.
    fn temporary(&self, name: &str) -> String;

    /// Makes both tables of the record. These columns of the new rows draw no numbers.
    fn make(&self, schema: &Schema, table: &Table, names: [&str; 2], counted: &[String]) -> Vec<String>;

    fn unmake(&self, name: &str) -> String;

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

    /// Changing what names a row makes the server check all its references again.
    fn checks_moved_rows(&self) -> bool;

    /// One row for each column whose default is a number that the server counts up: its name.
    fn counted_columns(&self, schema: &Schema, table: &Table) -> Sql;
}

/// The record of one statement, and what is asked of it.
pub struct Foresight {
    tongue: &'static dyn Tongue,
    /// Tables that the statement writes, or that may follow.
    tables: Vec<usize>,
}

impl Foresight {
    /// For a statement that writes to a table; `None` where an engine or a table is not foreseen.
    pub fn of(schema: &Schema, table: usize, dml: &Dml<'_>) -> Option<Foresight> {
        let tongue: &'static dyn Tongue = match schema.database.engine {
            Engine::Postgres => &postgres::foresight::Tid,
            Engine::Mariadb => &mysql::foresight::PrimaryKey,
            Engine::Sqlite | Engine::Mysql => return None,
        };
        let tables = match dml.writes {
            Writes::Insert { .. } => vec![table],
            Writes::Update { .. } | Writes::Delete { .. } => reached(schema, table),
        };
        let is_plain = |&table: &usize| matches!(schema.tables[table].kind, TableKind::Table | TableKind::Partitioned);
        let is_named = |&table: &usize| !tongue.place(&schema.tables[table], "t").is_empty();
        tables.iter().all(|table| is_plain(table) && is_named(table)).then_some(Foresight { tongue, tables })
    }

    pub fn tables(&self) -> &[usize] {
        &self.tables
    }

    /// Makes the record; `counted` are columns of the table that is written, as [`Foresight::counted_columns`] gives them.
    pub fn make(&self, schema: &Schema, written: usize, counted: &[String]) -> Vec<Sql> {
        let both = |&table: &usize| {
            let counted = if table == written { counted } else { &[] };
            self.tongue.make(schema, &schema.tables[table], [&self.before(table), &self.after(table)], counted)
        };
        self.tables.iter().flat_map(both).map(plain).collect()
    }

    pub fn unmake(&self) -> Vec<Sql> {
        let both = |&table: &usize| [self.before(table), self.after(table)];
        self.tables.iter().flat_map(both).map(|name| plain(self.tongue.unmake(&name))).collect()
    }

    /// Columns that would draw from the server's counters when a row is foreseen: rows of one name.
    pub fn counted_columns(&self, schema: &Schema, table: usize) -> Sql {
        self.tongue.counted_columns(schema, &schema.tables[table])
    }

    /// The rows that the statement itself writes. The statement's own pieces stand in these as they were typed.
    pub fn direct(&self, schema: &Schema, table: usize, dml: &Dml<'_>) -> Option<Vec<Sql>> {
        match &dml.writes {
            Writes::Insert { rest } => {
                let mut query = Typed::with(dml);
                query.text.push_str(&format!("INSERT INTO {} ", self.after(table)));
                if !dml.names_columns() {
                    let columns: Vec<String> =
                        schema.tables[table].columns.iter().map(|column| self.tongue.quoted(&column.name)).collect();
                    query.text.push_str(&self.tongue.all_columns(&columns));
                }
                query.push(dml, rest);
                Some(vec![query.finish()])
            }
            Writes::Delete { others, condition } => {
                Some(vec![self.chosen(schema, table, dml, "d", others, condition, None)?])
            }
            Writes::Update { assigned, others, condition } => {
                let before = self.chosen(schema, table, dml, "u", others, condition, None)?;
                let after = self.chosen(schema, table, dml, "u", others, condition, Some(assigned))?;
                Some(vec![before, after])
            }
        }
    }

    /// The rows that a condition of the statement chooses, as they are or with what is assigned to them.
    #[expect(clippy::too_many_arguments, reason = "the clauses of one statement")]
    fn chosen(
        &self,
        schema: &Schema,
        table: usize,
        dml: &Dml<'_>,
        why: &str,
        others: &std::ops::Range<usize>,
        condition: &std::ops::Range<usize>,
        assigned: Option<&[(String, std::ops::Range<usize>)]>,
    ) -> Option<Sql> {
        let about = &schema.tables[table];
        let known = |name: &String| about.columns.iter().any(|column| same(schema, &column.name, name));
        if !assigned.unwrap_or_default().iter().all(|(name, _)| known(name)) {
            return None;
        }
        let columns: Vec<&Column> =
            about.columns.iter().filter(|column| assigned.is_none() || !column.generated).collect();
        let called = dml.called();
        let names: Vec<String> = columns.iter().map(|column| self.tongue.quoted(&column.name)).collect();
        let (into, wave) = if assigned.is_some() { (self.after(table), 0) } else { (self.before(table), 0) };
        let mut query = Typed::with(dml);
        query.text.push_str(&format!(
            "INSERT INTO {into}({}, fk_doctor_op, fk_doctor_wave, fk_doctor_relation, {}) {}",
            names.join(", "),
            self.tongue.place_columns().join(", "),
            self.tongue.select_once(called),
        ));
        for (column, name) in columns.iter().zip(&names) {
            let value = assigned.and_then(|all| all.iter().find(|(known, _)| same(schema, &column.name, known)));
            match value {
                Some((_, value)) => {
                    let typed = query.piece(dml, value);
                    let value = self.tongue.assigned(column, &typed);
                    query.text.push_str(&value);
                }
                None => query.text.push_str(&format!("{called}.{name}")),
            }
            query.text.push_str(", ");
        }
        let place = self.tongue.place(about, called).join(", ");
        query.text.push_str(&format!("'{why}', {wave}, -1, {place} FROM {}", dml.source()));
        if !others.is_empty() {
            query.text.push_str(", ");
            query.push(dml, others);
        }
        query.text.push(' ');
        query.push(dml, condition);
        Some(query.finish())
    }

    /// What one relation does because of the rows of a wave: rows of the next.
    pub fn follow(&self, schema: &Schema, relation: usize, event: Event, wave: u32) -> Vec<Sql> {
        let about = &schema.relations[relation];
        let (Some(parent), action) = (about.parent.table, action(about, event)) else { return Vec::new() };
        let acts = matches!(action, Action::Cascade | Action::SetNull | Action::SetDefault);
        if !acts || !self.tables.contains(&parent) || !self.tables.contains(&about.child) {
            return Vec::new();
        }
        let gone = format!("{} AND parent.fk_doctor_wave = {wave}", self.gone(schema, about, parent, event));
        let from =
            format!("{}, {}", self.tongue.source(schema, schema.child(about), "child"), self.gone_from(parent, event));
        let refers = format!("{gone} AND {} AND {}", self.tongue.equal(schema, about), self.stays(schema, about.child));
        let deletes = event == Event::Delete && action == Action::Cascade;
        if deletes {
            return vec![self.noted(
                schema,
                about.child,
                &self.before(about.child),
                "d",
                relation,
                wave + 1,
                &from,
                &refers,
                None,
            )];
        }
        let once = |into: &str| {
            let same = self.tongue.is_row(schema.child(about), "seen", "child");
            format!(
                "{refers} AND NOT EXISTS (SELECT 1 FROM {into} AS seen WHERE seen.fk_doctor_relation = {relation} AND {same})"
            )
        };
        let (old, new) = (self.before(about.child), self.after(about.child));
        let before = self.noted(schema, about.child, &old, "u", relation, wave + 1, &from, &once(&old), None);
        let seen = format!(
            "{refers} AND NOT EXISTS (SELECT 1 FROM {new} AS seen WHERE seen.fk_doctor_relation = {relation} AND {})",
            self.linked_row(schema.child(about), "seen", "child")
        );
        let change = Change { relation: about, action, event };
        let after = self.noted(schema, about.child, &new, "u", relation, wave + 1, &from, &seen, Some(&change));
        // The second sees what the first did, so the rows as they were come last.
        vec![after, before]
    }

    /// One row: how many rows a wave brought to a table.
    pub fn brought(&self, table: usize, wave: u32) -> Sql {
        plain(format!("SELECT count(*) FROM {} AS was WHERE was.fk_doctor_wave = {wave}", self.before(table)))
    }

    #[expect(clippy::too_many_arguments, reason = "the clauses of one statement")]
    fn noted(
        &self,
        schema: &Schema,
        table: usize,
        into: &str,
        why: &str,
        relation: usize,
        wave: u32,
        from: &str,
        condition: &str,
        change: Option<&Change<'_>>,
    ) -> Sql {
        let about = &schema.tables[table];
        let columns = about.columns.iter().filter(|column| change.is_none() || !column.generated);
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in columns {
            let kept = format!("child.{}", self.tongue.quoted(&column.name));
            let value = change.map_or(Some(kept.clone()), |change| self.changed_value(schema, change, column, kept));
            // A column that is left out gets its default.
            if let Some(value) = value {
                names.push(self.tongue.quoted(&column.name));
                values.push(value);
            }
        }
        plain(format!(
            "INSERT INTO {into}({}, fk_doctor_op, fk_doctor_wave, fk_doctor_relation, {}) SELECT {}, '{why}', {wave}, {relation}, {} FROM {from} WHERE {condition}",
            names.join(", "),
            self.tongue.place_columns().join(", "),
            values.join(", "),
            self.tongue.place(about, "child").join(", "),
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
                parent.map(|parent| format!("now.{}", self.tongue.quoted(&parent.name)))
            }
        }
    }

    /// Parents that are gone for a reason, called `parent`; with what they become, `now`, where they are changed.
    fn gone_from(&self, parent: usize, event: Event) -> String {
        match event {
            Event::Delete => format!("{} AS parent", self.before(parent)),
            Event::Update => format!("{} AS parent, {} AS now", self.before(parent), self.after(parent)),
        }
    }

    fn gone(&self, schema: &Schema, relation: &Relation, parent: usize, event: Event) -> String {
        match event {
            Event::Delete => "parent.fk_doctor_op = 'd'".to_owned(),
            Event::Update => {
                let key: Vec<&Column> = schema.parent_columns(relation).collect();
                format!(
                    "parent.fk_doctor_op = 'u' AND now.fk_doctor_op = 'u' AND {} AND {} AND {}",
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
        format!("{} AND {left}.fk_doctor_relation = {right}.fk_doctor_relation", self.same_place(left, right))
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
    fn is_kept(&self, table: usize, recorded: &str) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} AS dead WHERE dead.fk_doctor_op = 'd' AND {})",
            self.before(table),
            self.same_place("dead", recorded)
        )
    }

    /// The child row is not deleted so far.
    fn stays(&self, schema: &Schema, child: usize) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} AS dead WHERE dead.fk_doctor_op = 'd' AND {})",
            self.before(child),
            self.tongue.is_row(&schema.tables[child], "dead", "child")
        )
    }

    /// Whether there is a parent for `child` once all is done.
    fn survivor(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let parent = relation.parent.table?;
        let equal = self.tongue.equal(schema, relation);
        let source = self.tongue.source(schema, &schema.tables[parent], "parent");
        if !self.tables.contains(&parent) {
            return Some(format!("SELECT 1 FROM {source} WHERE {equal}"));
        }
        let untouched = format!(
            "NOT EXISTS (SELECT 1 FROM {} AS gone WHERE {})",
            self.before(parent),
            self.tongue.is_row(&schema.tables[parent], "gone", "parent")
        );
        // A row that is changed in several ways is recorded once for each: its key is the one that was changed.
        let key: Vec<&Column> = schema.parent_columns(relation).collect();
        let was = format!("{} AS was", self.before(parent));
        let own = format!(
            "EXISTS (SELECT 1 FROM {was} WHERE {} AND {})",
            self.linked("parent", "was"),
            self.any_differs("was", "parent", &key)
        );
        let other = format!(
            "EXISTS (SELECT 1 FROM {was}, {} AS now WHERE {} AND {} AND {})",
            self.after(parent),
            self.same_place("was", "parent"),
            self.linked("now", "was"),
            self.any_differs("was", "now", &key)
        );
        Some(format!(
            "SELECT 1 FROM {source} WHERE {equal} AND {untouched} UNION ALL SELECT 1 FROM {} AS parent WHERE {equal} AND {} AND ({own} OR NOT {other})",
            self.after(parent),
            self.is_kept(parent, "parent"),
        ))
    }

    /// The child row, as it will be, is one whose reference the server looks at.
    fn is_checked(&self, schema: &Schema, relation: &Relation) -> String {
        let key: Vec<&Column> = schema.child_columns(relation).collect();
        let mut why = vec![self.any_differs("was", "child", &key)];
        if self.tongue.checks_moved_rows() {
            why.push(format!("(child.fk_doctor_relation = -1 AND {})", self.moved(schema, relation.child)));
        }
        format!(
            "(child.fk_doctor_op = 'i' OR EXISTS (SELECT 1 FROM {} AS was WHERE {} AND ({}))) AND {}",
            self.before(relation.child),
            self.linked("was", "child"),
            why.join(" OR "),
            self.is_kept(relation.child, "child"),
        )
    }

    fn moved(&self, schema: &Schema, table: usize) -> String {
        let about = &schema.tables[table];
        let key: Vec<&Column> = about.primary_key.iter().map(|&column| &about.columns[column]).collect();
        self.any_differs("was", "child", &key)
    }

    /// The child row, as it is, refers to a parent that is gone, and is neither deleted nor pointed elsewhere.
    fn is_left(&self, schema: &Schema, relation: &Relation, event: Event) -> Option<String> {
        let parent = relation.parent.table.filter(|parent| self.tables.contains(parent))?;
        let gone = format!(
            "EXISTS (SELECT 1 FROM {} WHERE {} AND {})",
            self.gone_from(parent, event),
            self.gone(schema, relation, parent, event),
            self.tongue.equal(schema, relation)
        );
        if !self.tables.contains(&relation.child) {
            return Some(gone);
        }
        let key: Vec<&Column> = schema.child_columns(relation).collect();
        let pointed = format!(
            "NOT EXISTS (SELECT 1 FROM {} AS was, {} AS now WHERE {} AND {} AND {})",
            self.before(relation.child),
            self.after(relation.child),
            self.tongue.is_row(schema.child(relation), "was", "child"),
            self.linked("now", "was"),
            self.any_differs("was", "now", &key)
        );
        Some(format!("{gone} AND {} AND {pointed}", self.stays(schema, relation.child)))
    }

    fn left(&self, schema: &Schema, relation: &Relation, events: &[Event]) -> Sql {
        let left: Vec<String> = events
            .iter()
            .filter_map(|event| self.is_left(schema, relation, *event))
            .map(|left| format!("({left})"))
            .collect();
        let only = if left.is_empty() { "1 = 0".to_owned() } else { format!("({})", left.join(" OR ")) };
        let from = self.tongue.source(schema, schema.child(relation), "child");
        self.tongue.orphans(schema, relation, &from, &only, self.survivor(schema, relation).as_deref())
    }

    /// A recorded child row whose old key is that of a parent that is gone.
    fn referred(&self, schema: &Schema, relation: &Relation, parent: usize, event: Event) -> String {
        let other = if parent == relation.child {
            format!(" AND NOT ({})", self.same_place("parent", "child"))
        } else {
            String::new()
        };
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE {} AND {}{other})",
            self.gone_from(parent, event),
            self.gone(schema, relation, parent, event),
            self.tongue.equal(schema, relation)
        )
    }

    fn before(&self, table: usize) -> String {
        self.tongue.temporary(&format!("fk_doctor_old_{table}"))
    }

    fn after(&self, table: usize) -> String {
        self.tongue.temporary(&format!("fk_doctor_new_{table}"))
    }
}

impl Account for Foresight {
    fn effects(&self, _: &Schema, table: usize, _: u32) -> Sql {
        let (old, new) = (self.before(table), self.after(table));
        plain(format!(
            "SELECT (SELECT count(*) FROM {new} AS child WHERE child.fk_doctor_op = 'i'), \
             (SELECT count(*) FROM (SELECT DISTINCT {place} FROM {old} AS child WHERE child.fk_doctor_op = 'u' AND {kept}) AS changed), \
             (SELECT count(*) FROM {old} AS child WHERE child.fk_doctor_op = 'd')",
            place = self.tongue.place_columns().join(", "),
            kept = self.is_kept(table, "child"),
        ))
    }

    fn written_orphans(&self, schema: &Schema, relation: usize, _: u32) -> Sql {
        let about = &schema.relations[relation];
        let from = format!("{} AS child", self.after(about.child));
        let only = self.is_checked(schema, about);
        self.tongue.orphans(schema, about, &from, &only, self.survivor(schema, about).as_deref())
    }

    fn already_orphans(&self, schema: &Schema, relation: usize, _: u32) -> Sql {
        let about = &schema.relations[relation];
        let key: Vec<&Column> = schema.child_columns(about).collect();
        let from = format!("{} AS child", self.after(about.child));
        let only = format!(
            "{} AND child.fk_doctor_op = 'u' AND NOT EXISTS (SELECT 1 FROM {} AS was WHERE {} AND {})",
            self.is_checked(schema, about),
            self.before(about.child),
            self.linked("was", "child"),
            self.any_differs("was", "child", &key),
        );
        let orphans = self.tongue.orphans(schema, about, &from, &only, self.survivor(schema, about).as_deref());
        plain(format!("SELECT count(*) FROM ({}) AS already", orphans.text()))
    }

    fn left_orphans(&self, schema: &Schema, relation: usize, _: u32) -> Sql {
        self.left(schema, &schema.relations[relation], &[Event::Delete, Event::Update])
    }

    fn followed(&self, schema: &Schema, relation: usize, event: Event, _: u32) -> Sql {
        let about = &schema.relations[relation];
        let nothing = || plain("SELECT 0, 0, 0".to_owned());
        let Some(parent) = about.parent.table.filter(|parent| self.tables.contains(parent)) else { return nothing() };
        let blocking = self.left(schema, about, &[event]);
        if !self.tables.contains(&about.child) {
            return plain(format!("SELECT 0, 0, (SELECT count(*) FROM ({}) AS blocking)", blocking.text()));
        }
        let (old, referred) = (self.before(about.child), self.referred(schema, about, parent, event));
        let deletes = event == Event::Delete && about.on_delete == Action::Cascade;
        let deleted = if deletes { referred.as_str() } else { "1 = 0" };
        plain(format!(
            "SELECT (SELECT count(*) FROM {old} AS child WHERE child.fk_doctor_op = 'd' AND {deleted}), \
             (SELECT count(*) FROM {old} AS child WHERE child.fk_doctor_op = 'u' AND child.fk_doctor_relation = {relation} AND {} AND {referred}), \
             (SELECT count(*) FROM ({}) AS blocking)",
            self.is_kept(about.child, "child"),
            blocking.text(),
        ))
    }

    fn levels(&self, schema: &Schema, relation: usize, _: u32) -> Option<Sql> {
        let about = &schema.relations[relation];
        if about.parent.table != Some(about.child) || !self.tables.contains(&about.child) {
            return None;
        }
        let old = self.before(about.child);
        let refers = format!("{} AND NOT ({})", self.tongue.equal(schema, about), self.same_place("parent", "child"));
        let columns: Vec<String> =
            schema.child(about).columns.iter().map(|column| self.tongue.quoted(&column.name)).collect();
        let of = |alias: &str| {
            let own = columns.iter().map(String::as_str).chain(self.tongue.place_columns().iter().copied());
            own.map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ")
        };
        Some(plain(format!(
            "WITH RECURSIVE walk AS (SELECT {child}, 1 AS fk_doctor_level FROM {old} AS child WHERE child.fk_doctor_op = 'd' \
             AND NOT EXISTS (SELECT 1 FROM {old} AS parent WHERE parent.fk_doctor_op = 'd' AND {refers}) \
             UNION ALL SELECT {child}, parent.fk_doctor_level + 1 FROM walk AS parent, {old} AS child \
             WHERE child.fk_doctor_op = 'd' AND {refers} AND parent.fk_doctor_level < 10000) \
             SELECT coalesce(max(fk_doctor_level), 0) FROM walk",
            child = of("child"),
        )))
    }
}

/// What an action puts into the child's key.
struct Change<'a> {
    relation: &'a Relation,
    action: Action,
    event: Event,
}

/// A statement with pieces that somebody typed.
struct Typed {
    text: String,
    values: Vec<Value>,
}

impl Typed {
    fn with(dml: &Dml<'_>) -> Typed {
        let Piece { mut text, values } = dml.with(0);
        text.push(' ');
        Typed { text, values }
    }

    fn push(&mut self, dml: &Dml<'_>, tokens: &std::ops::Range<usize>) {
        let text = self.piece(dml, tokens);
        self.text.push_str(&text);
    }

    fn piece(&mut self, dml: &Dml<'_>, tokens: &std::ops::Range<usize>) -> String {
        let piece = dml.piece(tokens, self.values.len());
        self.values.extend(piece.values);
        piece.text
    }

    fn finish(self) -> Sql {
        Sql::new(self.text, self.values)
    }
}

fn plain(text: String) -> Sql {
    Sql::new(text, Vec::new())
}

/// A table, and all that foreign keys would change or delete along with its rows.
fn reached(schema: &Schema, table: usize) -> Vec<usize> {
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

fn action(relation: &Relation, event: Event) -> Action {
    match event {
        Event::Delete => relation.on_delete,
        Event::Update => relation.on_update,
    }
}

/// Columns' names have no case in MySQL, whatever those of tables have.
fn same(schema: &Schema, left: &str, right: &str) -> bool {
    match schema.database.engine {
        Engine::Postgres => left == right,
        _ => left.eq_ignore_ascii_case(right),
    }
}
