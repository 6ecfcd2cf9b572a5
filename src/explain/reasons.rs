//! Converts refusals and failing rows into reasons: the fault, its rows and the next step.

use super::observe::FailingRows;
use super::observe::FailureKind;
use super::observe::Observation;
use crate::engine::trial::StatementExecution;
use crate::explain::ExplainOptions;
use crate::findings;
use crate::model::catalog::Action;
use crate::model::explanation::Constraint;
use crate::model::explanation::Event;
use crate::model::explanation::PARENT_FIRST;
use crate::model::explanation::StatementReason;
use crate::model::facts::Facts;
use crate::model::facts::Recheck;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;
use crate::model::redaction::ShownValue;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::refusal::UnknownName;
use crate::model::relation::Defect;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::model::text;
use crate::model::value::Value;

/// Returns a reason for each relation that fails.
pub(super) fn of_references(
    schema: &Schema,
    observation: &Observation,
    options: &ExplainOptions<'_>,
) -> Vec<StatementReason> {
    of_each(schema, &observation.failing, options)
}

pub(super) fn of_each(schema: &Schema, failing: &[FailingRows], options: &ExplainOptions<'_>) -> Vec<StatementReason> {
    failing.iter().map(|failing| of_rows(schema, failing, options)).collect()
}

pub(super) fn of_rows(schema: &Schema, failing: &FailingRows, options: &ExplainOptions<'_>) -> StatementReason {
    StatementReason::Relation(Box::new(options.redaction.finding(schema, would_fail(schema, failing, options))))
}

/// Returns the note about rows of a deferred relation, whose parents can still be inserted before COMMIT.
pub(super) fn deferred(schema: &Schema, failing: &FailingRows) -> String {
    let rows = text::plural(failing.tally.orphan_rows, "row");
    format!("{rows} of {} must have a parent by COMMIT", schema.relations[failing.relation].id)
}

fn would_fail(schema: &Schema, failing: &FailingRows, options: &ExplainOptions<'_>) -> Finding<Value> {
    let relation = &schema.relations[failing.relation];
    let tally = &failing.tally;
    let is_single = tally.orphan_rows == 1;
    let mut message = which_rows_fail(schema, failing);
    if failing.failed_before > 0 {
        let which = match failing.failed_before {
            _ if is_single => "it".to_owned(),
            all if all == tally.orphan_rows => "they".to_owned(),
            some => format!("{} of them", text::count(some)),
        };
        let checked = match schema.database.engine.facts().rechecks {
            Recheck::NamedKey => {
                "the engine checks every reference that an UPDATE names, even if its value stays the same"
            }
            Recheck::ChangedKey | Recheck::MovedRow => {
                "the server checks every reference of a row whose primary key changes"
            }
        };
        message.push_str(&format!("; {which} did so before, but {checked}"));
    }
    if !failing.triggers.is_empty() {
        message.push_str(&format!(", through the trigger {}", failing.triggers.join(", ")));
    }
    let help = next_step(schema, relation, failing, options);
    let finding = findings::plain(failing.relation, relation, Code::WouldFail, message, help);
    Finding { diagnosis: failing.diagnosis.clone(), ..findings::with_tally(finding, tally, options.samples) }
}

/// Returns which rows fail and why, such as "2 rows written to c refer to 1 key that p does not have".
fn which_rows_fail(schema: &Schema, failing: &FailingRows) -> String {
    let relation = &schema.relations[failing.relation];
    let (tally, parent) = (&failing.tally, &relation.parent.name);
    let is_single = tally.orphan_rows == 1;
    let rows = text::plural(tally.orphan_rows, "row");
    let keys = text::plural(tally.missing_keys, "key");
    let child = &schema.child(relation).name;
    match failing.kind {
        FailureKind::Written => {
            format!(
                "{rows} written to {child} {} to {keys} that {parent} does not have",
                if is_single { "refers" } else { "refer" }
            )
        }
        FailureKind::ParentRemoved => {
            format!(
                "{rows} of {child} {} to {keys} removed from {parent}",
                if is_single { "still refers" } else { "still refer" }
            )
        }
        FailureKind::Restricted(event) => {
            let (verb, action) = match event {
                Event::Delete => ("replaces", "ON DELETE RESTRICT"),
                Event::Update => ("changes", "ON UPDATE RESTRICT"),
            };
            format!(
                "{rows} of {child} {} to {keys} of {parent} that the statement {verb}; {action} refuses that at once, \
                 although the key exists again after the statement",
                if is_single { "refers" } else { "refer" }
            )
        }
        FailureKind::RestrictedUntilLater(event) => {
            let (verb, action) = match event {
                Event::Delete => ("deletes", "ON DELETE RESTRICT"),
                Event::Update => ("changes", "ON UPDATE RESTRICT"),
            };
            format!(
                "{rows} of {child} {} to {keys} of {parent} when the statement {verb} {}; {action} refuses that at once, \
                 although {} after the statement",
                if is_single { "refers" } else { "refer" },
                if tally.missing_keys == 1 { "it" } else { "them" },
                if is_single { "the row no longer refers to it" } else { "the rows no longer refer to it" }
            )
        }
        FailureKind::SelfReference => {
            format!(
                "{rows} written to {child} {}, in another type or spelling than its key; the engine compares the \
                 stored values",
                if is_single { "refers to itself" } else { "refer to themselves" }
            )
        }
    }
}

fn next_step(schema: &Schema, relation: &Relation, failing: &FailingRows, options: &ExplainOptions<'_>) -> String {
    match failing.kind {
        FailureKind::SelfReference => {
            return "write the reference exactly like the key: with the same type and the same letters".to_owned();
        }
        FailureKind::Restricted(Event::Delete) => {
            return "change the row instead of replacing it: INSERT … ON CONFLICT … DO UPDATE SET …; or declare the foreign key \
                    ON DELETE NO ACTION"
                .to_owned();
        }
        FailureKind::RestrictedUntilLater(Event::Delete) => {
            let child = &schema.child(relation).name;
            return format!("delete the rows of {child} first; or declare the foreign key ON DELETE NO ACTION");
        }
        FailureKind::Restricted(Event::Update) | FailureKind::RestrictedUntilLater(Event::Update) => {
            return "keep the keys that are referred to; or declare the foreign key ON UPDATE NO ACTION".to_owned();
        }
        FailureKind::Written | FailureKind::ParentRemoved => {}
    }
    if failing.kind == FailureKind::ParentRemoved {
        let child = side(&schema.child(relation).name, schema.child_column_names(relation));
        return if failing.parent_key_changed {
            format!("keep the key; or update {child} first; or declare the foreign key ON UPDATE CASCADE")
        } else {
            format!(
                "first update {child} or delete these rows; or declare the foreign key ON DELETE CASCADE or SET NULL"
            )
        };
    }
    let cause = failing.diagnosis.first().map(|diagnosis| diagnosis.cause);
    match (cause, failing.tally.top.first()) {
        (
            Some(Cause::Unknown | Cause::NotLoadedYet | Cause::ParentTableEmpty | Cause::ParentLoss) | None,
            Some(missing),
        ) if relation.judge == Judge::Engine => {
            format!(
                "{PARENT_FIRST}{}",
                parent_insert(schema, relation, &options.redaction.key(schema, relation, &missing.key))
            )
        }
        (Some(Cause::Sentinel), Some(_)) if schema.child_columns(relation).all(|column| !column.not_null) => {
            "if the value means \"none\", write NULL instead".to_owned()
        }
        (Some(Cause::Sentinel), Some(missing)) if relation.judge == Judge::Engine => {
            let key = options.redaction.key(schema, relation, &missing.key);
            let parent = parent_insert(schema, relation, &key);
            format!(
                "refer to a real parent; or, because the column is NOT NULL, insert one that stands for \"none\": {parent}"
            )
        }
        _ => findings::next_step(relation, &failing.diagnosis),
    }
}

/// Returns the INSERT of a missing parent, with an ellipsis for each value that only the user knows.
fn parent_insert(schema: &Schema, relation: &Relation, key: &[ShownValue]) -> String {
    let facts = schema.database.engine.facts();
    let name = |name: &str| facts.readable(name);
    let mut columns: Vec<String> = Vec::new();
    let mut values: Vec<String> = Vec::new();
    for (position, column) in schema.parent_columns(relation).enumerate() {
        columns.push(name(&column.name));
        values.push(match key.get(position).map(AsRef::as_ref) {
            Some(value @ Value::Blob(_)) => text::value(value).replacen("X'", facts.bytes_literal, 1),
            value => value.map_or_else(|| "…".to_owned(), text::value),
        });
    }
    if let Some(parent) = schema.parent(relation) {
        let others = parent.columns.iter().enumerate().filter(|(position, column)| {
            column.not_null && !column.generated && !relation.parent.columns.contains(position)
        });
        for (position, column) in others {
            let is_rowid = parent.primary_key == [position] && parent.row_address.is_some();
            if !is_rowid {
                columns.push(name(&column.name));
                values.push("…".to_owned());
            }
        }
    }
    let schema_name = relation.parent.name.schema.iter().map(|schema| format!("{}.", name(schema))).collect::<String>();
    let table = name(&relation.parent.name.table);
    format!("INSERT INTO {schema_name}{table}({}) VALUES ({})", columns.join(", "), values.join(", "))
}

/// True if a refusal comes from a foreign key whose definition nothing can satisfy.
pub(super) fn is_broken_definition(schema: &Schema, refusal: &Refusal) -> bool {
    refusal.kind == RefusalKind::Mismatch || missing_parent(schema, refusal).is_some()
}

/// Returns the relation whose missing parent table a refusal reports; `None` if the statement itself names that table.
fn missing_parent<'a>(schema: &'a Schema, refusal: &Refusal) -> Option<&'a Relation> {
    let table = refusal.parent.as_deref().filter(|_| matches!(refusal.unknown, Some(UnknownName::Table(_))))?;
    let refers_to_it = |relation: &&Relation| {
        relation.judge == Judge::NoParent && schema.names.same(&relation.parent.name.table, table)
    };
    schema.relations.iter().find(refers_to_it)
}

/// Returns every broken definition that concerns the written tables. The engine names only one, and not its cause.
pub(super) fn of_definitions(
    schema: &Schema,
    refusal: &Refusal,
    execution: &StatementExecution,
) -> Vec<StatementReason> {
    let mut tables: Vec<&str> = execution.writes.iter().map(|write| write.table.as_str()).collect();
    tables.extend(refusal.table.as_deref());
    tables.extend(refusal.parent.as_deref());
    let named = |name: &str| tables.iter().any(|table| schema.names.same(table, name));
    let concerned = |relation: &&Relation| match relation.judge {
        Judge::Engine => false,
        Judge::NoParent => {
            named(&schema.child(relation).name.table)
                || missing_parent(schema, refusal).is_some_and(|m| m.id == relation.id)
        }
        _ => named(&schema.child(relation).name.table) || named(&relation.parent.name.table),
    };
    let broken = schema.relations.entries().filter(|(_, relation)| concerned(relation));
    let effect = "; until it is repaired, the engine refuses every write that concerns it";
    broken.flat_map(|(index, relation)| grave_defects(index, relation, effect)).collect()
}

/// Returns the defects of a relation for which the engine refuses writes. `effect` follows each message.
pub(super) fn grave_defects(index: RelationId, relation: &Relation, effect: &str) -> Vec<StatementReason> {
    let grave = relation.defects.iter().filter(|defect| defect.code.severity() == Severity::Error);
    let reason = |defect: &Defect| {
        let message = format!("{}{effect}", defect.message);
        let finding = findings::plain(index, relation, defect.code, message, defect.help.clone());
        StatementReason::Relation(Box::new(finding))
    };
    grave.map(reason).collect()
}

fn too_deep(facts: &Facts) -> String {
    let depth = facts.cascade_levels.map_or("to a limited depth".to_owned(), |levels| format!("{levels} levels deep"));
    format!("delete the lowest rows first: {} follows foreign keys only {depth}", facts.title)
}

/// Returns the reason for a refusal that is not about a reference, with the engine's message and a next step.
pub(super) fn of_refusal(
    schema: &Schema,
    refusal: &Refusal,
    statement: &Statement,
    execution: &StatementExecution,
) -> StatementReason {
    let (code, help) = match refusal.kind {
        RefusalKind::NotNull => (Code::NotNull, "give the column a value or a DEFAULT"),
        RefusalKind::Unique => (Code::DuplicateKey, ""),
        RefusalKind::Check => (Code::CheckFailed, "write values that the CHECK allows"),
        RefusalKind::Value => (Code::ValueRefused, "write a value of the column's type"),
        RefusalKind::Raised => {
            (Code::StatementRefused, "read the trigger that refuses this statement, and satisfy its condition")
        }
        RefusalKind::TooDeep => (Code::StatementRefused, ""),
        RefusalKind::Parameters => (Code::StatementRefused, "give each placeholder a value, in order: --param VALUE"),
        _ => (Code::StatementRefused, ""),
    };
    let mut constraint = Constraint {
        code,
        table: refusal.table.clone(),
        columns: refusal.columns.clone(),
        message: refusal.message.clone(),
        help: help.to_owned(),
    };
    match refusal.kind {
        RefusalKind::Unique => {
            let clause = schema.database.engine.facts().on_conflict;
            constraint.help = format!("use another key, or add a conflict clause: INSERT … {clause} …");
        }
        RefusalKind::TooDeep => constraint.help = too_deep(schema.database.engine.facts()),
        RefusalKind::Invalid => constraint.help = did_you_mean(schema, refusal),
        _ => {}
    }
    if let Some(relation) = set_null_by(schema, &constraint, statement) {
        constraint.message = format!("{}, because of ON DELETE SET NULL in {}", constraint.message, relation.id);
        constraint.help = "allow NULL in the column, or declare another action for the foreign key".to_owned();
    }
    let triggers: Vec<&str> = execution
        .writes
        .iter()
        .filter(|write| constraint.table.as_ref().is_some_and(|table| schema.names.same(table, &write.table)))
        .map(|write| write.trigger.as_deref().unwrap_or_default())
        .collect();
    if !triggers.is_empty() && !triggers.contains(&"") {
        constraint.message = format!("{}, through the trigger {}", constraint.message, triggers.join(", "));
    }
    StatementReason::Constraint(constraint)
}

/// Returns the foreign key whose SET NULL action fails on a NOT NULL column.
fn set_null_by<'a>(schema: &'a Schema, constraint: &Constraint, statement: &Statement) -> Option<&'a Relation> {
    let table = constraint.table.as_ref()?;
    let sets_null = |relation: &&Relation| {
        let is_its_column = schema.names.same(&schema.child(relation).name.table, table)
            && schema.child_column_names(relation).any(|column| constraint.columns.iter().any(|name| name == column));
        is_its_column && (relation.on_delete == Action::SetNull || relation.on_update == Action::SetNull)
    };
    let may_be = constraint.code == Code::NotNull && statement.kind != StatementKind::Insert;
    schema.relations.iter().find(sets_null).filter(|_| may_be)
}

fn did_you_mean(schema: &Schema, refusal: &Refusal) -> String {
    let tables = || schema.tables.iter();
    let (word, known): (&str, Vec<&str>) = match &refusal.unknown {
        Some(UnknownName::Table(name)) => (name, tables().map(|table| table.name.table.as_str()).collect()),
        Some(UnknownName::Column(name)) => {
            (name, tables().flat_map(|table| &table.columns).map(|column| column.name.as_str()).collect())
        }
        None => return format!("check the statement: {} rejected it before it ran", schema.database.engine.title()),
    };
    let meant = text::nearest(word, known.iter().copied());
    meant.map_or_else(|| "check the name".to_owned(), |near| format!("did you mean {near}?"))
}
