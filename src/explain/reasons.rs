//! Refusals in words: what is wrong, with which rows, and what to do next.

use super::observe::Lacking;
use super::observe::Seen;
use super::observe::Shown;
use super::observe::Side;
use crate::engine::trial::StatementExecution;
use crate::findings;
use crate::model::catalog::Action;
use crate::model::explanation::Constraint;
use crate::model::explanation::Event;
use crate::model::explanation::StatementReason;
use crate::model::facts::Facts;
use crate::model::facts::Recheck;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::redaction::ShownValue;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::refusal::UnknownName;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::model::text;
use crate::model::value::Value;

pub(super) fn of_references(schema: &Schema, seen: &Seen, shown: &Shown<'_>) -> Vec<StatementReason> {
    of_each(schema, &seen.lacking, shown)
}

pub(super) fn of_each(schema: &Schema, lacking: &[Lacking], shown: &Shown<'_>) -> Vec<StatementReason> {
    lacking.iter().map(|lacking| of_one(schema, lacking, shown)).collect()
}

pub(super) fn of_one(schema: &Schema, lacking: &Lacking, shown: &Shown<'_>) -> StatementReason {
    StatementReason::Relation(shown.redaction.finding(schema, would_fail(schema, lacking, shown)))
}

/// Rows whose parent may still come, because their reference is only looked at by COMMIT.
pub(super) fn waiting(schema: &Schema, lacking: &Lacking) -> String {
    let rows = text::plural(lacking.tally.orphan_rows, "row");
    format!("{rows} of {} must have a parent by COMMIT", schema.relations[lacking.relation].id)
}

fn would_fail(schema: &Schema, lacking: &Lacking, shown: &Shown<'_>) -> Finding<Value> {
    let relation = &schema.relations[lacking.relation];
    let tally = &lacking.tally;
    let one = tally.orphan_rows == 1;
    let mut message = which_rows_fail(schema, lacking);
    if lacking.already > 0 {
        let which = match lacking.already {
            _ if one => "it".to_owned(),
            all if all == tally.orphan_rows => "they".to_owned(),
            some => format!("{} of them", text::count(some)),
        };
        let checked = match schema.database.engine.facts().rechecks {
            Recheck::NamedKey => "the engine checks every reference that an UPDATE names, even one it leaves as it is",
            Recheck::ChangedKey | Recheck::MovedRow => {
                "the server checks every reference of a row whose primary key changes"
            }
        };
        message.push_str(&format!("; {which} did so before, but {checked}"));
    }
    if !lacking.triggers.is_empty() {
        message.push_str(&format!(", through the trigger {}", lacking.triggers.join(", ")));
    }
    let help = next_step(schema, relation, lacking, shown);
    let finding = findings::plain(lacking.relation, relation, Code::WouldFail, message, help);
    Finding { diagnosis: lacking.diagnosis.clone(), ..findings::with_tally(finding, tally, shown.samples) }
}

/// Returns which rows fail and how they came to, such as "2 rows written to c refer to 1 key that p does not have".
fn which_rows_fail(schema: &Schema, lacking: &Lacking) -> String {
    let relation = &schema.relations[lacking.relation];
    let (tally, parent) = (&lacking.tally, &relation.parent.name);
    let one = tally.orphan_rows == 1;
    let rows = text::plural(tally.orphan_rows, "row");
    let keys = text::plural(tally.missing_keys, "key");
    let child = &schema.child(relation).name;
    match lacking.side {
        Side::Written => {
            format!(
                "{rows} written to {child} {} to {keys} that {parent} does not have",
                if one { "refers" } else { "refer" }
            )
        }
        Side::Left => {
            format!(
                "{rows} of {child} {} to {keys} taken away from {parent}",
                if one { "still refers" } else { "still refer" }
            )
        }
        Side::Restricted(event) => {
            let (verb, action) = match event {
                Event::Delete => ("replaces", "ON DELETE RESTRICT"),
                Event::Update => ("changes", "ON UPDATE RESTRICT"),
            };
            format!(
                "{rows} of {child} {} to {keys} of {parent} that the statement {verb}; {action} refuses that at once, \
                 although the key is there again in the end",
                if one { "refers" } else { "refer" }
            )
        }
        Side::RestrictedUntilLater(event) => {
            let (verb, action) = match event {
                Event::Delete => ("deletes", "ON DELETE RESTRICT"),
                Event::Update => ("changes", "ON UPDATE RESTRICT"),
            };
            format!(
                "{rows} of {child} {} to {keys} of {parent} at the moment when the statement {verb} {}; {action} refuses \
                 that at once, although {} in the end",
                if one { "refers" } else { "refer" },
                if tally.missing_keys == 1 { "it" } else { "them" },
                if one { "the row refers to it no more" } else { "the rows refer to it no more" }
            )
        }
        Side::Itself => {
            format!(
                "{rows} written to {child} {}, in another type or spelling than the key has; the engine compares the \
                 two as they are stored",
                if one { "refers to itself" } else { "refer to themselves" }
            )
        }
    }
}

fn next_step(schema: &Schema, relation: &Relation, lacking: &Lacking, shown: &Shown<'_>) -> String {
    match lacking.side {
        Side::Itself => {
            return "write the reference exactly as the key: in the same type, with the same letters".to_owned();
        }
        Side::Restricted(Event::Delete) => {
            return "change the row instead of replacing it: INSERT … ON CONFLICT … DO UPDATE SET …; or let the foreign key \
                    say ON DELETE NO ACTION"
                .to_owned();
        }
        Side::RestrictedUntilLater(Event::Delete) => {
            let child = &schema.child(relation).name;
            return format!("delete the rows of {child} first; or let the foreign key say ON DELETE NO ACTION");
        }
        Side::Restricted(Event::Update) | Side::RestrictedUntilLater(Event::Update) => {
            return "keep the keys that are referred to; or let the foreign key say ON UPDATE NO ACTION".to_owned();
        }
        Side::Written | Side::Left => {}
    }
    if lacking.side == Side::Left {
        let child = side(&schema.child(relation).name, schema.child_column_names(relation));
        return if lacking.changed_key {
            format!("keep the key; or point {child} elsewhere first; or let the foreign key say ON UPDATE CASCADE")
        } else {
            format!(
                "first point {child} elsewhere or delete these rows; or let the foreign key say ON DELETE CASCADE or SET NULL"
            )
        };
    }
    let cause = lacking.diagnosis.first().map(|diagnosis| diagnosis.cause);
    match (cause, lacking.tally.top.first()) {
        (
            Some(Cause::Unknown | Cause::NotLoadedYet | Cause::ParentTableEmpty | Cause::ParentLoss) | None,
            Some(missing),
        ) if relation.judge == Judge::Engine => {
            format!(
                "insert the parent first: {}",
                parent_insert(schema, relation, &shown.redaction.key(schema, relation, &missing.key))
            )
        }
        (Some(Cause::Sentinel), Some(_)) if schema.child_columns(relation).all(|column| !column.not_null) => {
            "if the value means \"none\", write NULL instead".to_owned()
        }
        (Some(Cause::Sentinel), Some(missing)) if relation.judge == Judge::Engine => {
            let key = shown.redaction.key(schema, relation, &missing.key);
            let parent = parent_insert(schema, relation, &key);
            format!("name a real parent; or, as the column takes no NULL, make one that stands for \"none\": {parent}")
        }
        _ => findings::next_step(relation, &lacking.diagnosis),
    }
}

/// The INSERT that would make a missing parent, with an ellipsis for what nobody but the user knows.
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
        let others =
            parent.columns.iter().enumerate().filter(|(place, column)| {
                column.not_null && !column.generated && !relation.parent.columns.contains(place)
            });
        for (place, column) in others {
            let is_own_number = parent.primary_key == [place] && parent.row_address.is_some();
            if !is_own_number {
                columns.push(name(&column.name));
                values.push("…".to_owned());
            }
        }
    }
    let schema_name = relation.parent.name.schema.iter().map(|schema| format!("{}.", name(schema))).collect::<String>();
    let table = name(&relation.parent.name.table);
    format!("INSERT INTO {schema_name}{table}({}) VALUES ({})", columns.join(", "), values.join(", "))
}

/// Whether a refusal comes from a foreign key that can never be satisfied as it is defined.
pub(super) fn is_broken_definition(schema: &Schema, refusal: &Refusal) -> bool {
    refusal.kind == RefusalKind::Mismatch || missing_parent(schema, refusal).is_some()
}

/// The parent table that a refusal complains of, where it is a relation's and not the statement's own.
fn missing_parent<'a>(schema: &'a Schema, refusal: &Refusal) -> Option<&'a Relation> {
    let table = refusal.parent.as_deref().filter(|_| matches!(refusal.unknown, Some(UnknownName::Table(_))))?;
    let speaks_of = |relation: &&Relation| {
        relation.judge == Judge::NoParent && schema.names.same(&relation.parent.name.table, table)
    };
    schema.relations.iter().find(speaks_of)
}

/// Every broken definition that stands in the way of the tables at hand: the engine names one, and not its cause.
pub(super) fn of_definitions(
    schema: &Schema,
    refusal: &Refusal,
    performance: &StatementExecution,
) -> Vec<StatementReason> {
    let mut tables: Vec<&str> = performance.writes.iter().map(|write| write.table.as_str()).collect();
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
    let defects = broken.flat_map(|(index, relation)| {
        let grave = relation.defects.iter().filter(|defect| defect.code.severity() == Severity::Error);
        grave.map(move |defect| {
            let message = format!("{}; until that is mended the engine refuses writes that concern it", defect.message);
            StatementReason::Relation(findings::plain(index, relation, defect.code, message, defect.help.clone()))
        })
    });
    defects.collect()
}

fn too_deep(facts: &Facts) -> String {
    let depth = facts.cascade_levels.map_or("only so deep".to_owned(), |levels| format!("{levels} levels deep"));
    format!("delete the lowest rows first: {} follows foreign keys {depth}", facts.title)
}

/// A refusal that is not about a reference, in its own words and with what to do.
pub(super) fn of_refusal(
    schema: &Schema,
    refusal: &Refusal,
    statement: &Statement,
    performance: &StatementExecution,
) -> StatementReason {
    let (code, help) = match refusal.kind {
        RefusalKind::NotNull => (Code::NotNull, "give the column a value, or let it have a DEFAULT"),
        RefusalKind::Unique => (Code::DuplicateKey, ""),
        RefusalKind::Check => (Code::CheckFailed, "write values that the CHECK allows"),
        RefusalKind::Value => (Code::ValueRefused, "write a value of the column's own type"),
        RefusalKind::Raised => (Code::StatementRefused, "a trigger refuses this: read it, and do what it asks for"),
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
            constraint.help = format!("use another key, or say what to do: INSERT … {clause} …");
        }
        RefusalKind::TooDeep => constraint.help = too_deep(schema.database.engine.facts()),
        RefusalKind::Invalid => constraint.help = did_you_mean(schema, refusal),
        _ => {}
    }
    if let Some(relation) = blanked_by(schema, &constraint, statement) {
        constraint.message = format!("{}, because of ON DELETE SET NULL in {}", constraint.message, relation.id);
        constraint.help = "let the column be NULL, or let the foreign key do something else".to_owned();
    }
    let triggers: Vec<&str> = performance
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

/// The foreign key whose SET NULL a NOT NULL column does not take.
fn blanked_by<'a>(schema: &'a Schema, constraint: &Constraint, statement: &Statement) -> Option<&'a Relation> {
    let table = constraint.table.as_ref()?;
    let blanks = |relation: &&Relation| {
        let is_there = schema.names.same(&schema.child(relation).name.table, table)
            && schema.child_column_names(relation).any(|column| constraint.columns.iter().any(|name| name == column));
        is_there && (relation.on_delete == Action::SetNull || relation.on_update == Action::SetNull)
    };
    let may_be = constraint.code == Code::NotNull && statement.kind != StatementKind::Insert;
    schema.relations.iter().find(blanks).filter(|_| may_be)
}

fn did_you_mean(schema: &Schema, refusal: &Refusal) -> String {
    let tables = || schema.tables.iter();
    let (word, known): (&str, Vec<&str>) = match &refusal.unknown {
        Some(UnknownName::Table(name)) => (name, tables().map(|table| table.name.table.as_str()).collect()),
        Some(UnknownName::Column(name)) => {
            (name, tables().flat_map(|table| &table.columns).map(|column| column.name.as_str()).collect())
        }
        None => return format!("check the statement: {} did not even begin it", schema.database.engine.title()),
    };
    let meant = text::nearest(word, known.iter().copied());
    meant.map_or_else(|| "check the name".to_owned(), |near| format!("did you mean {near}?"))
}
