//! Reads the record of a statement: the rows that it wrote, the rows that fail a relation, and the foreign-key actions.
//!
//! A query that fails becomes a note, and does not stop the other queries.

use crate::diagnose;
use crate::engine::Trial;
use crate::engine::trial::StatementExecution;
use crate::engine::trial::TableWrite;
use crate::explain::ExplainOptions;
use crate::model::catalog::Action;
use crate::model::catalog::TableKind;
use crate::model::diagnosis::Diagnosis;
use crate::model::explanation::Effect;
use crate::model::explanation::Event;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
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

/// The effects of a statement, as far as they could be recorded.
#[derive(Default)]
pub(super) struct Observation {
    pub(super) effects: Vec<Effect>,
    pub(super) failing: Vec<FailingRows>,
    /// Rows whose reference is valid after the statement, but which the engine refuses during it.
    pub(super) refused_at_once: Vec<FailingRows>,
    pub(super) action_effects: Vec<ActionEffect>,
    pub(super) notes: Vec<String>,
    /// The refusal of the simulation, in which foreign keys refuse nothing.
    pub(super) refusal: Option<Refusal>,
    /// The tables that the statement was about to write.
    pub(super) written: Vec<TableId>,
}

/// The rows that fail one relation.
pub(super) struct FailingRows {
    pub(super) relation: RelationId,
    pub(super) kind: FailureKind,
    pub(super) tally: Tally,
    pub(super) diagnosis: Vec<Diagnosis>,
    /// The triggers that wrote these rows, or removed their parents.
    pub(super) triggers: Vec<String>,
    /// The number of rows that already lacked their parent before the statement.
    pub(super) failed_before: u64,
    /// True if the parents got another key, and none was deleted.
    pub(super) parent_key_changed: bool,
}

/// How rows come to fail a relation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The statement wrote the child rows.
    Written,
    /// The statement removed their parents.
    ParentRemoved,
    /// The statement removed the parent key and wrote it again. RESTRICT refuses at the first step.
    Restricted(Event),
    /// The statement also deleted or changed the child rows, but after their parents.
    RestrictedUntilLater(Event),
    /// A row refers to itself, but its two values are equal only after a conversion.
    SelfReference,
}

/// The number of child rows on which one relation acted, because their parents were deleted or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionEffect {
    pub(super) relation: RelationId,
    pub(super) event: Event,
    pub(super) deleted: u64,
    pub(super) changed: u64,
    pub(super) blocking: u64,
    pub(super) levels: u64,
}

/// Reads all effects of the statements since a round.
pub(super) fn everything(
    trial: &mut dyn Trial,
    record: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    execution: &StatementExecution,
    options: &ExplainOptions<'_>,
) -> Observation {
    let mut observation = orphans(trial, record, schema, since, Some(execution), options);
    observation.action_effects = action_effects(trial, record, schema, since, execution, &mut observation.notes);
    for failing in &mut observation.failing {
        let blocks = |event| {
            let is_about = |effect: &&ActionEffect| effect.relation == failing.relation && effect.event == event;
            observation.action_effects.iter().any(|effect| is_about(&effect) && effect.blocking > 0)
        };
        failing.parent_key_changed = blocks(Event::Update) && !blocks(Event::Delete);
    }
    observation.refused_at_once = refused_at_once(trial, record, schema, since, Some(execution), options);
    let effects = effects(trial, record, schema, since, execution, &mut observation.notes);
    observation.effects = effects.into_iter().map(|(_, effect)| effect).collect();
    observation
}

impl Observation {
    /// Removes the failures that foreign-key actions would have prevented. They are present because the simulation
    /// ignored foreign keys.
    pub(super) fn without_actions(mut self, schema: &Schema) -> Observation {
        let refuses = |action: Action| matches!(action, Action::NoAction | Action::Restrict);
        self.failing.retain(|failing| {
            let relation = &schema.relations[failing.relation];
            failing.kind == FailureKind::Written || (refuses(relation.on_delete) && refuses(relation.on_update))
        });
        if self.action_effects.iter().any(|effect| effect.blocking > 0) {
            self.notes.push("fk-doctor can report the cascades only after that foreign key is repaired".to_owned());
        }
        self.action_effects.clear();
        self
    }
}

/// Returns the rows that the engine refuses during the statement, although their reference is valid after it.
pub(super) fn refused_at_once(
    trial: &mut dyn Trial,
    record: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    execution: Option<&StatementExecution>,
    options: &ExplainOptions<'_>,
) -> Vec<FailingRows> {
    let may_refuse = |relation: &Relation| {
        let is_touched = |table| is_touched(record, schema, table, execution);
        let is_judged = relation.origin == Origin::Declared && relation.judge == Judge::Engine;
        is_judged && relation.parent.table.is_some_and(is_touched)
    };
    let mut ask = |sides: &[FailureKind]| -> Vec<FailingRows> {
        let mut found = Vec::new();
        for (index, _) in schema.relations.entries().filter(|(_, relation)| may_refuse(relation)) {
            for &kind in sides {
                let question = match kind {
                    FailureKind::Restricted(event) => record.restricted_children(schema, index, event, since),
                    FailureKind::RestrictedUntilLater(event) => {
                        record.restricted_changed_children(schema, index, event, since)
                    }
                    FailureKind::SelfReference => record.unequal_self_references(schema, index, since),
                    FailureKind::Written | FailureKind::ParentRemoved => None,
                };
                found
                    .extend(question.and_then(|question| failing_rows(trial, schema, index, kind, &question, options)));
            }
        }
        found
    };
    let found = ask(&[
        FailureKind::Restricted(Event::Delete),
        FailureKind::Restricted(Event::Update),
        FailureKind::SelfReference,
    ]);
    if !found.is_empty() {
        return found;
    }
    ask(&[FailureKind::RestrictedUntilLater(Event::Delete), FailureKind::RestrictedUntilLater(Event::Update)])
}

/// Returns the rows that a query finds; `None` if there are none.
fn failing_rows(
    trial: &mut dyn Trial,
    schema: &Schema,
    relation: RelationId,
    kind: FailureKind,
    question: &Sql,
    options: &ExplainOptions<'_>,
) -> Option<FailingRows> {
    let tally = scan::tally(schema, trial, &schema.relations[relation], question, options.samples).ok()?;
    let (diagnosis, triggers) = (Vec::new(), Vec::new());
    let found = tally.orphan_rows > 0;
    found.then_some(FailingRows {
        relation,
        kind,
        tally,
        diagnosis,
        triggers,
        failed_before: 0,
        parent_key_changed: false,
    })
}

/// Returns the child rows of relations whose parent table does not exist.
pub(super) fn without_parent_table(
    trial: &mut dyn Trial,
    schema: &Schema,
    options: &ExplainOptions<'_>,
) -> Vec<FailingRows> {
    let orphaned = schema.relations.entries().filter(|(_, relation)| relation.judge == Judge::NoParent);
    let found = orphaned.filter_map(|(index, relation)| {
        let question = sql::of(schema).orphans(schema, relation, &sql::ScanHints::default());
        failing_rows(trial, schema, index, FailureKind::ParentRemoved, &question, options)
    });
    found.collect()
}

/// Returns every row that lacks its parent because of statements since a round.
pub(super) fn orphans(
    trial: &mut dyn Trial,
    record: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    execution: Option<&StatementExecution>,
    options: &ExplainOptions<'_>,
) -> Observation {
    let mut observation = Observation::default();
    let touched = |table: TableId| is_touched(record, schema, table, execution);
    for (index, relation) in schema.relations.entries() {
        if relation.origin != Origin::Declared || matches!(relation.judge, Judge::Incomparable(_)) {
            continue;
        }
        for (kind, table) in
            [(FailureKind::Written, Some(relation.child)), (FailureKind::ParentRemoved, relation.parent.table)]
        {
            let Some(table) = table.filter(|&table| touched(table)) else { continue };
            let question = match kind {
                FailureKind::Written => record.written_orphans(schema, index, since),
                _ => record.abandoned_orphans(schema, index, since),
            };
            match scan::tally(schema, trial, relation, &question, options.samples) {
                Ok(tally) if tally.orphan_rows == 0 => {}
                Ok(tally) => {
                    let diagnosis = match kind {
                        FailureKind::Written => diagnose::diagnose(schema, trial, relation, &tally, options.redaction),
                        _ => Vec::new(),
                    };
                    let triggers = execution.map_or_else(Vec::new, |execution| triggers_on(schema, table, execution));
                    let question = record.count_already_orphans(schema, index, since);
                    let failed_before = match kind {
                        FailureKind::Written => {
                            numbers(trial, &question, &mut observation.notes).first().copied().unwrap_or(0)
                        }
                        _ => 0,
                    };
                    observation.failing.push(FailingRows {
                        relation: index,
                        kind,
                        tally,
                        diagnosis,
                        triggers,
                        failed_before,
                        parent_key_changed: false,
                    });
                }
                Err(error) => {
                    observation.notes.push(format!("{} could not be checked: {}", relation.id, error.because()))
                }
            }
        }
    }
    observation
}

/// Returns the numbers of written rows by table, in the order in which the statement reached the tables.
pub(super) fn effects(
    trial: &mut dyn Trial,
    record: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    execution: &StatementExecution,
    notes: &mut Vec<String>,
) -> Vec<(TableId, Effect)> {
    let mut found = Vec::new();
    for table in written_tables(schema, &execution.writes) {
        let question = record.count_changes(schema, table, since);
        let Ok([inserted, updated, deleted]) = <[u64; 3]>::try_from(numbers(trial, &question, notes)) else {
            continue;
        };
        if inserted + updated + deleted > 0 {
            let name = schema.tables[table].name.to_string();
            let triggers = triggers_on(schema, table, execution);
            found.push((table, Effect { table: name, inserted, updated, deleted, triggers }));
        }
    }
    found
}

fn action_effects(
    trial: &mut dyn Trial,
    record: &dyn RecordQueries,
    schema: &Schema,
    since: u32,
    execution: &StatementExecution,
    notes: &mut Vec<String>,
) -> Vec<ActionEffect> {
    let mut found = Vec::new();
    for (index, relation) in schema.relations.entries() {
        let may_refuse = relation.parent.table.is_some_and(|table| is_written(schema, table, execution));
        if !may_refuse || relation.origin != Origin::Declared || matches!(relation.judge, Judge::Incomparable(_)) {
            continue;
        }
        for event in [Event::Delete, Event::Update] {
            let question = record.count_affected_children(schema, index, event, since);
            let Ok([deleted, changed, blocking]) = <[u64; 3]>::try_from(numbers(trial, &question, notes)) else {
                continue;
            };
            if deleted + changed + blocking == 0 {
                continue;
            }
            let levels = record.deletion_depth(schema, index, since).filter(|_| event == Event::Delete);
            let levels = levels.map_or(0, |question| numbers(trial, &question, notes).first().copied().unwrap_or(0));
            found.push(ActionEffect { relation: index, event, deleted, changed, blocking, levels });
        }
    }
    found
}

/// Returns the numbers of a one-row answer. A failure becomes a note, and an empty answer.
fn numbers(trial: &mut dyn Trial, question: &Sql, notes: &mut Vec<String>) -> Vec<u64> {
    let session: &mut dyn crate::engine::Session = trial;
    session.numbers(question).unwrap_or_else(|error| {
        let note = format!("some rows could not be counted: {}", error.because());
        if !notes.contains(&note) {
            notes.push(note);
        }
        Vec::new()
    })
}

/// Returns the tables that a statement was about to write, itself or through triggers and foreign keys.
pub(super) fn written_tables(schema: &Schema, writes: &[TableWrite]) -> Vec<TableId> {
    let mut tables = Vec::new();
    for write in writes {
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

/// True if a statement writes to a table; without a statement, true if rows of the table are recorded.
fn is_touched(
    record: &dyn RecordQueries,
    schema: &Schema,
    table: TableId,
    execution: Option<&StatementExecution>,
) -> bool {
    execution.map_or_else(|| record.is_recorded(table), |execution| is_written(schema, table, execution))
}

fn is_written(schema: &Schema, table: TableId, execution: &StatementExecution) -> bool {
    execution.writes.iter().any(|write| schema.names.same(&write.table, &schema.tables[table].name.table))
}

/// Returns the triggers that write to a table; none if the statement or a foreign key writes to it directly.
fn triggers_on(schema: &Schema, table: TableId, execution: &StatementExecution) -> Vec<String> {
    let name = &schema.tables[table].name.table;
    let on_it = || execution.writes.iter().filter(|write| schema.names.same(&write.table, name));
    if on_it().any(|write| write.trigger.is_none()) {
        return Vec::new();
    }
    on_it().filter_map(|write| write.trigger.clone()).collect()
}
