//! What a database says to an error that somebody brings: which relation it speaks of, and whether the key it names is
//! there now. Where the error tells its statement, trying that is better; this is for all that tell less.

use std::sync::Arc;

use super::observe::Lacking;
use super::observe::Shown;
use super::observe::Side;
use super::reasons;
use super::suspects;
use crate::diagnose;
use crate::engine::Session;
use crate::explain::error_text::Complaint;
use crate::explain::error_text::Kind;
use crate::findings;
use crate::model::catalog::Family;
use crate::model::explanation::Constraint;
use crate::model::explanation::Explained;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::model::finding::Code;
use crate::model::finding::MissingKey;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::statement::Statement;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::scan::Tally;
use crate::sql;
use crate::sql::read::statements::statement;

/// An error that fits more relations than this names none.
const MOST: usize = 5;

pub(super) fn explain(
    session: &mut dyn Session,
    schema: &Arc<Schema>,
    complaint: &Complaint,
    shown: &Shown<'_>,
) -> Explained {
    let kind = if complaint.kind == Kind::Mismatch { RefusalKind::Mismatch } else { RefusalKind::ForeignKey };
    let text = complaint.statement.as_deref().unwrap_or(&complaint.words);
    let mut told = Explained {
        statement: Statement { line: complaint.line, ..statement(schema.database.engine, text, complaint.line) },
        schema: Arc::clone(schema),
        verdict: StatementVerdict::Refused(Refusal::new(kind, &complaint.words)),
        reasons: Vec::new(),
        effects: Vec::new(),
        radius: Vec::new(),
        notes: Vec::new(),
    };
    let mut candidates = candidates(schema, complaint);
    let named = if complaint.has_details() { Vec::new() } else { named_in_passing(schema, &complaint.text) };
    if let [only] = named[..] {
        candidates.push(only);
        told.notes.push("the text names these tables, and no other reference joins them".to_owned());
    } else if candidates.is_empty() || candidates.len() > MOST {
        told.reasons.push(StatementReason::Constraint(unknown(schema, complaint, candidates.len(), named.len())));
    }
    if !complaint.has_details() && candidates.is_empty() {
        let (reasons, notes) = suspects::of(session, schema, complaint.kind, &named, shown);
        told.reasons.extend(reasons);
        told.notes.extend(notes);
    }
    for index in candidates.into_iter().take(MOST) {
        about(&mut told, session, schema, index, complaint, shown);
    }
    if told.reasons.is_empty() {
        told.verdict = StatementVerdict::Accepted;
    }
    told
}

/// Words of every such error, which say nothing of a table of that name.
const NOT_NAMES: [&str; 9] =
    ["foreign", "key", "constraint", "failed", "fails", "error", "errors", "sqlite", "database"];

/// The declared relations whose child and parent the text both names; without any, those whose child it names.
fn named_in_passing(schema: &Schema, text: &str) -> Vec<RelationId> {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').collect();
    let has_details =
        |name: &str| name.chars().count() > 2 && !NOT_NAMES.iter().any(|word| word.eq_ignore_ascii_case(name));
    let is_named = |name: &str| has_details(name) && words.iter().any(|word| schema.names.same(word, name));
    let declared = schema.relations.entries().filter(|(_, relation)| relation.origin == Origin::Declared);
    let children: Vec<RelationId> =
        declared.filter(|(_, relation)| is_named(&schema.child(relation).name.table)).map(|(index, _)| index).collect();
    let both: Vec<RelationId> =
        children.iter().copied().filter(|&index| is_named(&schema.relations[index].parent.name.table)).collect();
    if both.is_empty() { children } else { both }
}

/// The declared relations that fit all that the error says.
pub(super) fn candidates(schema: &Schema, complaint: &Complaint) -> Vec<RelationId> {
    if !complaint.has_details() {
        return Vec::new();
    }
    let same = |wanted: &Option<String>, name: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| schema.names.same(last_part(wanted), name) || wanted.eq_ignore_ascii_case(name))
    };
    let same_columns = |wanted: &[String], names: &[&str]| {
        wanted.is_empty()
            || (wanted.len() == names.len()
                && wanted.iter().all(|column| names.iter().any(|name| schema.names.same(name, column))))
    };
    // A row that is new has no children that could keep it.
    let inserts = complaint.inserts;
    let declared = schema.relations.entries().filter(|(_, relation)| relation.origin == Origin::Declared);
    let fitting: Vec<RelationId> = declared
        .filter(|(_, relation)| {
            let child: Vec<&str> = schema.child_column_names(relation).collect();
            let parent: Vec<&str> = relation.parent.column_names.iter().map(String::as_str).collect();
            let child_table = &schema.child(relation).name.table;
            let is_written = complaint.target.is_none()
                || same(&complaint.target, child_table)
                || (!inserts && same(&complaint.target, &relation.parent.name.table));
            is_written
                && same(&complaint.child, child_table)
                && same(&complaint.parent, &relation.parent.name.table)
                && same_columns(&complaint.child_columns, &child)
                && same_columns(&complaint.parent_columns, &parent)
        })
        .map(|(index, _)| index)
        .collect();
    let Some(constraint) = &complaint.constraint else { return fitting };
    let named: Vec<RelationId> =
        fitting.iter().copied().filter(|&index| is_named(schema, &schema.relations[index], constraint)).collect();
    match (named.is_empty(), complaint.child.is_some() || complaint.parent.is_some()) {
        (true, true) => fitting,
        _ => named,
    }
}

/// By the name it was given, or by one that libraries give.
fn is_named(schema: &Schema, relation: &Relation, constraint: &str) -> bool {
    let table = &schema.child(relation).name.table;
    let columns: Vec<&str> = schema.child_column_names(relation).collect();
    let made = ["fkey", "foreign", "fk"].map(|ending| format!("{table}_{}_{ending}", columns.join("_")));
    let given = relation.name.iter().map(String::as_str);
    given.chain(made.iter().map(String::as_str)).any(|name| name.eq_ignore_ascii_case(constraint))
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn about(
    told: &mut Explained,
    session: &mut dyn Session,
    schema: &Schema,
    index: RelationId,
    complaint: &Complaint,
    shown: &Shown<'_>,
) {
    let relation = &schema.relations[index];
    let grave = relation.defects.iter().filter(|defect| defect.code.severity() == Severity::Error);
    told.reasons.extend(grave.map(|defect| {
        let finding = findings::plain(index, relation, defect.code, defect.message.clone(), defect.help.clone());
        StatementReason::Relation(finding)
    }));
    if complaint.kind == Kind::Mismatch {
        return;
    }
    let Some(key) = key(schema, relation, complaint) else {
        let message = if complaint.has_details() {
            format!("{} is the reference that failed", relation.id)
        } else {
            format!("{} is the reference that the text speaks of", relation.id)
        };
        let help =
            "give the statement too, and its row and key are found: fk-doctor explain DB \"INSERT …\"".to_owned();
        told.reasons.push(StatementReason::Relation(findings::plain(index, relation, Code::WouldFail, message, help)));
        return;
    };
    let hidden = shown.redaction.key(schema, relation, &key);
    if complaint.kind == Kind::StillReferred {
        let parent = &relation.parent.name;
        let message = format!("rows of {} refer to {} of {parent}", schema.child(relation).name, text::key(&hidden));
        let help = "see which: fk-doctor explain DB \"DELETE …\" with the statement that failed".to_owned();
        told.reasons.push(StatementReason::Relation(findings::plain(index, relation, Code::WouldFail, message, help)));
        return;
    }
    if is_there(session, schema, relation, &key) == Some(true) {
        told.notes.push(format!(
            "{} has {} now: it came after the error, or the error is from another database",
            relation.parent.name,
            text::key(&hidden)
        ));
        return;
    }
    let missing = MissingKey { key, rows: 1, samples: Vec::new(), span: None };
    let tally = Tally { orphan_rows: 1, missing_keys: 1, top: vec![missing], ..Tally::default() };
    let diagnosis = diagnose::diagnose(schema, session, relation, &tally, shown.redaction);
    let lacking = Lacking {
        relation: index,
        side: Side::Written,
        tally,
        diagnosis,
        triggers: Vec::new(),
        already: 0,
        changed_key: false,
    };
    told.reasons.push(reasons::of_one(schema, &lacking, shown));
}

/// The key that the error names, in the relation's order and in the columns' own classes.
fn key(schema: &Schema, relation: &Relation, complaint: &Complaint) -> Option<Key> {
    if complaint.key.len() != relation.child_columns.len() {
        return None;
    }
    let (named, columns): (&[String], Vec<&str>) = match complaint.kind {
        Kind::StillReferred => {
            (&complaint.parent_columns, relation.parent.column_names.iter().map(String::as_str).collect())
        }
        _ => (&complaint.child_columns, schema.child_column_names(relation).collect()),
    };
    let place = |position: usize| {
        let by_name = named.iter().position(|name| schema.names.same(name, columns[position]));
        by_name.unwrap_or(position)
    };
    let value = |position: usize| {
        let text = &complaint.key[place(position)];
        let families = schema.child_columns(relation).nth(position).map(|column| &column.family);
        match families {
            Some(Family::Text) => Value::text(text.clone()),
            _ => text.parse().map_or_else(|_| Value::text(text.clone()), Value::Integer),
        }
    };
    Some((0..columns.len()).map(value).collect())
}

fn is_there(session: &mut dyn Session, schema: &Schema, relation: &Relation, key: &Key) -> Option<bool> {
    let table = schema.parent(relation)?;
    let index = &table.indexes[relation.parent.key?];
    let place = |column: usize| relation.parent.columns.iter().position(|&known| known == column);
    let ordered: Key =
        index.columns.iter().map(|part| Some(key[place(part.column?)?].clone())).collect::<Option<_>>()?;
    let question = sql::of(schema).keys_elsewhere(schema, table, index, &[&ordered])?;
    let mut found = false;
    session.each_row(&question, &mut |_| found = true).ok()?;
    Some(found)
}

/// `candidates` fit all that the error says; tables of `named` are only spoken of.
fn unknown(schema: &Schema, complaint: &Complaint, candidates: usize, named: usize) -> Constraint {
    let tables: Vec<&str> = schema.tables.iter().map(|table| table.name.table.as_str()).collect();
    let unknown_table = [&complaint.child, &complaint.parent, &complaint.target]
        .into_iter()
        .flatten()
        .find(|name| !tables.iter().any(|table| schema.names.same(table, last_part(name))));
    let give = "give the statement that failed: fk-doctor explain DB \"INSERT …\"";
    let (message, help) = match unknown_table {
        Some(name) => (
            format!("{} has no table {}", schema.database.name, last_part(name)),
            text::nearest(last_part(name), tables.iter().copied()).map_or_else(
                || "name the database that the error is from".to_owned(),
                |near| format!("did you mean {near}?"),
            ),
        ),
        None if complaint.has_details() && candidates == 0 => (
            format!("no relation of {} fits this error", schema.database.name),
            "see what there is: fk-doctor schema DB".to_owned(),
        ),
        None if candidates > 0 => (format!("{candidates} relations fit this error"), give.to_owned()),
        None if named > 0 => {
            (format!("the text names tables of {named} relations, and not which of them failed"), give.to_owned())
        }
        None => ("the message names neither table nor value".to_owned(), give.to_owned()),
    };
    Constraint { code: Code::StatementRefused, table: None, columns: Vec::new(), message, help }
}
