//! What the witness of a statement tells: the rows written, those that lack their parent, and what followed.
//!
//! A question that fails becomes a remark, and the others are asked all the same.

use crate::diagnose;
use crate::engine::Trial;
use crate::engine::trial::StatementExecution;
use crate::model::catalog::Action;
use crate::model::catalog::TableKind;
use crate::model::explanation::Effect;
use crate::model::explanation::Event;
use crate::model::finding::Diagnosis;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::redaction::Redaction;
use crate::model::refusal::Refusal;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::scan;
use crate::scan::Tally;
use crate::sql;
use crate::sql::Sql;
use crate::sql::recorder::RecordQueries;

/// How much of the rows is shown.
pub(super) struct Shown<'a> {
    pub(super) samples: usize,
    pub(super) redaction: &'a Redaction,
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) effects: Vec<Effect>,
    pub(super) lacking: Vec<Lacking>,
    /// Rows that lack nothing in the end, and that the engine refuses before it.
    pub(super) at_once: Vec<Lacking>,
    pub(super) follows: Vec<Follow>,
    pub(super) notes: Vec<String>,
    /// What else the engine refuses, once references do not.
    pub(super) refusal: Option<Refusal>,
    /// Tables that were going to be written.
    pub(super) written: Vec<TableId>,
}

/// Rows of one relation that lack their parent.
pub(super) struct Lacking {
    pub(super) relation: RelationId,
    pub(super) side: Side,
    pub(super) tally: Tally,
    pub(super) diagnosis: Vec<Diagnosis>,
    /// The triggers that wrote these rows, or took their parents.
    pub(super) triggers: Vec<String>,
    /// Rows that lacked it before as well.
    pub(super) already: u64,
    /// The parent was given another key, and not deleted.
    pub(super) changed_key: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// They were written.
    Written,
    /// Their parent was taken away.
    Left,
    /// Their parent key went and came back, which RESTRICT does not wait for.
    Restricted(Event),
    /// They went or changed too, but after their parent.
    RestrictedUntilLater(Event),
    /// They are their own parent, but only after a conversion.
    Itself,
}

/// What one relation did to child rows whose parents went or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Follow {
    pub(super) relation: RelationId,
    pub(super) event: Event,
    pub(super) deleted: u64,
    pub(super) changed: u64,
    pub(super) blocking: u64,
    pub(super) levels: u64,
}

pub(super) fn everything(
    trial: &mut dyn Trial,
    account: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    performance: &StatementExecution,
    shown: &Shown<'_>,
) -> Seen {
    let mut seen = orphans(trial, account, schema, since, Some(performance), shown);
    seen.follows = follows(trial, account, schema, since, performance, &mut seen.notes);
    for lacking in &mut seen.lacking {
        let blocks = |event| {
            let speaks = |follow: &&Follow| follow.relation == lacking.relation && follow.event == event;
            seen.follows.iter().any(|follow| speaks(&follow) && follow.blocking > 0)
        };
        lacking.changed_key = blocks(Event::Update) && !blocks(Event::Delete);
    }
    seen.at_once = at_once(trial, account, schema, since, Some(performance), shown);
    let effects = effects(trial, account, schema, since, performance, &mut seen.notes);
    seen.effects = effects.into_iter().map(|(_, effect)| effect).collect();
    seen
}

impl Seen {
    /// Where foreign keys were ignored altogether, none of them took its child rows along: only those rows stay in
    /// the way that would have stayed anyway.
    pub(super) fn without_actions(mut self, schema: &Schema) -> Seen {
        let refuses = |action: Action| matches!(action, Action::NoAction | Action::Restrict);
        self.lacking.retain(|lacking| {
            let relation = &schema.relations[lacking.relation];
            lacking.side == Side::Written || (refuses(relation.on_delete) && refuses(relation.on_update))
        });
        if self.follows.iter().any(|follow| follow.blocking > 0) {
            self.notes.push("what foreign keys would take along can only be told once that is mended".to_owned());
        }
        self.follows.clear();
        self
    }
}

/// Rows whose reference holds in the end, and is refused all the same.
pub(super) fn at_once(
    trial: &mut dyn Trial,
    account: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    performance: Option<&StatementExecution>,
    shown: &Shown<'_>,
) -> Vec<Lacking> {
    let concerned = |relation: &Relation| {
        let is_touched = |table| performance.is_none_or(|seen| is_written(schema, table, seen));
        let is_judged = relation.origin == Origin::Declared && relation.judge == Judge::Engine;
        is_judged && relation.parent.table.is_some_and(is_touched)
    };
    let mut ask = |sides: &[Side]| -> Vec<Lacking> {
        let mut found = Vec::new();
        for (index, _) in schema.relations.entries().filter(|(_, relation)| concerned(relation)) {
            for &side in sides {
                let question = match side {
                    Side::Restricted(event) => account.restricted_children(schema, index, event, since),
                    Side::RestrictedUntilLater(event) => {
                        account.restricted_changed_children(schema, index, event, since)
                    }
                    Side::Itself => account.unequal_self_references(schema, index, since),
                    Side::Written | Side::Left => None,
                };
                found.extend(question.and_then(|question| lacking(trial, schema, index, side, &question, shown)));
            }
        }
        found
    };
    let found = ask(&[Side::Restricted(Event::Delete), Side::Restricted(Event::Update), Side::Itself]);
    if !found.is_empty() {
        return found;
    }
    ask(&[Side::RestrictedUntilLater(Event::Delete), Side::RestrictedUntilLater(Event::Update)])
}

/// The rows that a question finds, if there are any.
fn lacking(
    trial: &mut dyn Trial,
    schema: &Schema,
    relation: RelationId,
    side: Side,
    question: &Sql,
    shown: &Shown<'_>,
) -> Option<Lacking> {
    let tally = scan::tally(schema, trial, &schema.relations[relation], question, shown.samples).ok()?;
    let (diagnosis, triggers) = (Vec::new(), Vec::new());
    let found = tally.orphan_rows > 0;
    found.then_some(Lacking { relation, side, tally, diagnosis, triggers, already: 0, changed_key: false })
}

/// Child rows of relations whose parent table is gone.
pub(super) fn without_parent_table(trial: &mut dyn Trial, schema: &Schema, shown: &Shown<'_>) -> Vec<Lacking> {
    let orphaned = schema.relations.entries().filter(|(_, relation)| relation.judge == Judge::NoParent);
    let found = orphaned.filter_map(|(index, relation)| {
        let question = sql::of(schema).orphans(schema, relation, &sql::ScanHints::default());
        lacking(trial, schema, index, Side::Left, &question, shown)
    });
    found.collect()
}

/// Every row that lacks its parent because of what was written since a round.
pub(super) fn orphans(
    trial: &mut dyn Trial,
    account: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    performance: Option<&StatementExecution>,
    shown: &Shown<'_>,
) -> Seen {
    let mut seen = Seen::default();
    let touched = |table: TableId| performance.is_none_or(|performance| is_written(schema, table, performance));
    for (index, relation) in schema.relations.entries() {
        if relation.origin != Origin::Declared || matches!(relation.judge, Judge::Incomparable(_)) {
            continue;
        }
        for (side, table) in [(Side::Written, Some(relation.child)), (Side::Left, relation.parent.table)] {
            let Some(table) = table.filter(|&table| touched(table)) else { continue };
            let question = match side {
                Side::Written => account.written_orphans(schema, index, since),
                _ => account.abandoned_orphans(schema, index, since),
            };
            match scan::tally(schema, trial, relation, &question, shown.samples) {
                Ok(tally) if tally.orphan_rows == 0 => {}
                Ok(tally) => {
                    let diagnosis = match side {
                        Side::Written => diagnose::diagnose(schema, trial, relation, &tally, shown.redaction),
                        _ => Vec::new(),
                    };
                    let triggers = performance.map_or_else(Vec::new, |seen| triggers_on(schema, table, seen));
                    let question = account.count_already_orphans(schema, index, since);
                    let already = match side {
                        Side::Written => numbers(trial, &question, &mut seen.notes).first().copied().unwrap_or(0),
                        _ => 0,
                    };
                    seen.lacking.push(Lacking {
                        relation: index,
                        side,
                        tally,
                        diagnosis,
                        triggers,
                        already,
                        changed_key: false,
                    });
                }
                Err(error) => seen.notes.push(format!("{} could not be looked at: {}", relation.id, error.because())),
            }
        }
    }
    seen
}

/// The rows written, by table, in the order in which the statement names the tables.
pub(super) fn effects(
    trial: &mut dyn Trial,
    account: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    performance: &StatementExecution,
    notes: &mut Vec<String>,
) -> Vec<(TableId, Effect)> {
    let mut found = Vec::new();
    for table in written_tables(schema, performance) {
        let question = account.count_changes(schema, table, since);
        let Ok([inserted, updated, deleted]) = <[u64; 3]>::try_from(numbers(trial, &question, notes)) else {
            continue;
        };
        if inserted + updated + deleted > 0 {
            let name = schema.tables[table].name.to_string();
            let triggers = triggers_on(schema, table, performance);
            found.push((table, Effect { table: name, inserted, updated, deleted, triggers }));
        }
    }
    found
}

fn follows(
    trial: &mut dyn Trial,
    account: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    performance: &StatementExecution,
    notes: &mut Vec<String>,
) -> Vec<Follow> {
    let mut found = Vec::new();
    for (index, relation) in schema.relations.entries() {
        let concerned = relation.parent.table.is_some_and(|table| is_written(schema, table, performance));
        if !concerned || relation.origin != Origin::Declared || matches!(relation.judge, Judge::Incomparable(_)) {
            continue;
        }
        for event in [Event::Delete, Event::Update] {
            let question = account.count_affected_children(schema, index, event, since);
            let Ok([deleted, changed, blocking]) = <[u64; 3]>::try_from(numbers(trial, &question, notes)) else {
                continue;
            };
            if deleted + changed + blocking == 0 {
                continue;
            }
            let levels = account.deletion_depth(schema, index, since).filter(|_| event == Event::Delete);
            let levels = levels.map_or(0, |question| numbers(trial, &question, notes).first().copied().unwrap_or(0));
            found.push(Follow { relation: index, event, deleted, changed, blocking, levels });
        }
    }
    found
}

/// One row of numbers; where there is no answer, that is remarked.
fn numbers(trial: &mut dyn Trial, question: &Sql, notes: &mut Vec<String>) -> Vec<u64> {
    let session: &mut dyn crate::engine::Session = trial;
    session.numbers(question).unwrap_or_else(|error| {
        let remark = format!("not all could be counted: {}", error.because());
        if !notes.contains(&remark) {
            notes.push(remark);
        }
        Vec::new()
    })
}

/// Tables that a statement was going to write, with what its triggers and the foreign keys write.
pub(super) fn written_tables(schema: &Schema, performance: &StatementExecution) -> Vec<TableId> {
    let mut tables = Vec::new();
    for write in &performance.writes {
        let named = |name: &str| schema.names.same(name, &write.table);
        let found = schema.tables.position(|table| named(&table.name.table));
        if let Some(table) = found.filter(|table| !tables.contains(table)) {
            tables.push(table);
        }
    }
    tables.retain(|&table: &TableId| {
        let table = &schema.tables[table];
        table.kind == TableKind::Table && !schema.database.engine.facts().owns(table)
    });
    tables
}

fn is_written(schema: &Schema, table: TableId, performance: &StatementExecution) -> bool {
    performance.writes.iter().any(|write| schema.names.same(&write.table, &schema.tables[table].name.table))
}

/// The triggers that write to a table; none where the statement or a foreign key does so itself.
fn triggers_on(schema: &Schema, table: TableId, performance: &StatementExecution) -> Vec<String> {
    let name = &schema.tables[table].name.table;
    let on_it = || performance.writes.iter().filter(|write| schema.names.same(&write.table, name));
    if on_it().any(|write| write.trigger.is_none()) {
        return Vec::new();
    }
    on_it().filter_map(|write| write.trigger.clone()).collect()
}
