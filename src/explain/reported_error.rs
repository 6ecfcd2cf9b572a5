//! Explains an error by the names in its text: which relations it can be about, and whether the key that it names
//! exists now. Errors with a statement are better explained by running the statement.

use std::sync::Arc;

use super::observe::FailingRows;
use super::observe::FailureKind;
use super::reasons;
use super::suspects;
use crate::diagnose;
use crate::engine::Session;
use crate::explain::ExplainOptions;
use crate::explain::error_text::ErrorKind;
use crate::explain::error_text::ReportedError;
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

/// If an error fits more relations than this, none is reported.
const MAX_CANDIDATES: usize = 5;

pub(super) fn explain(
    session: &mut dyn Session,
    schema: &Arc<Schema>,
    reported_error: &ReportedError,
    options: &ExplainOptions<'_>,
) -> Explained {
    let kind = if reported_error.kind == ErrorKind::Mismatch { RefusalKind::Mismatch } else { RefusalKind::ForeignKey };
    let text = reported_error.statement.as_deref().unwrap_or(&reported_error.message);
    let statement =
        Statement { line: reported_error.line, ..statement(schema.database.engine, text, reported_error.line) };
    let mut explained = Explained {
        verdict: StatementVerdict::Refused(Refusal::new(kind, &reported_error.message)),
        ..Explained::new(statement, Arc::clone(schema))
    };
    let mut candidates = candidates(schema, reported_error);
    let named = if reported_error.has_details() { Vec::new() } else { named_in_text(schema, &reported_error.text) };
    if let [only] = named[..] {
        candidates.push(only);
        explained.notes.push("the text names these tables, and no other relation joins them".to_owned());
    } else if candidates.is_empty() || candidates.len() > MAX_CANDIDATES {
        explained.reasons.push(StatementReason::Constraint(unknown(
            schema,
            reported_error,
            candidates.len(),
            named.len(),
            options,
        )));
    }
    if !reported_error.has_details() && candidates.is_empty() {
        let (reasons, notes) = suspects::of(session, schema, reported_error.kind, &named, options);
        explained.reasons.extend(reasons);
        explained.notes.extend(notes);
    }
    for index in candidates.into_iter().take(MAX_CANDIDATES) {
        explain_relation(&mut explained, session, schema, index, reported_error, options);
    }
    if explained.reasons.is_empty() {
        explained.verdict = StatementVerdict::Accepted;
    }
    explained
}

/// Words that occur in every such error, and therefore do not name a table.
const NOT_NAMES: [&str; 9] =
    ["foreign", "key", "constraint", "failed", "fails", "error", "errors", "sqlite", "database"];

/// Returns the declared relations whose child and parent the text names. If there is none, those whose child it names.
fn named_in_text(schema: &Schema, text: &str) -> Vec<RelationId> {
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

/// Returns the declared relations that fit every detail of the error.
pub(super) fn candidates(schema: &Schema, reported_error: &ReportedError) -> Vec<RelationId> {
    if !reported_error.has_details() {
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
    // A new row has no children, so an INSERT cannot fail on the parent's side.
    let inserts = reported_error.inserts;
    let declared = schema.relations.entries().filter(|(_, relation)| relation.origin == Origin::Declared);
    let fitting: Vec<RelationId> = declared
        .filter(|(_, relation)| {
            let child: Vec<&str> = schema.child_column_names(relation).collect();
            let parent: Vec<&str> = relation.parent.column_names.iter().map(String::as_str).collect();
            let child_table = &schema.child(relation).name.table;
            let is_written = reported_error.target.is_none()
                || same(&reported_error.target, child_table)
                || (!inserts && same(&reported_error.target, &relation.parent.name.table));
            is_written
                && same(&reported_error.child, child_table)
                && same(&reported_error.parent, &relation.parent.name.table)
                && same_columns(&reported_error.child_columns, &child)
                && same_columns(&reported_error.parent_columns, &parent)
        })
        .map(|(index, _)| index)
        .collect();
    let Some(constraint) = &reported_error.constraint else { return fitting };
    let named: Vec<RelationId> =
        fitting.iter().copied().filter(|&index| is_named(schema, &schema.relations[index], constraint)).collect();
    match (named.is_empty(), reported_error.child.is_some() || reported_error.parent.is_some()) {
        (true, true) => fitting,
        _ => named,
    }
}

/// True if the relation has this name, or a library would give it this name.
fn is_named(schema: &Schema, relation: &Relation, constraint: &str) -> bool {
    let table = &schema.child(relation).name.table;
    let columns: Vec<&str> = schema.child_column_names(relation).collect();
    let conventional = ["fkey", "foreign", "fk"].map(|ending| format!("{table}_{}_{ending}", columns.join("_")));
    let given = relation.name.iter().map(String::as_str);
    given.chain(conventional.iter().map(String::as_str)).any(|name| name.eq_ignore_ascii_case(constraint))
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Adds the reasons for which the error can be about one relation.
fn explain_relation(
    explained: &mut Explained,
    session: &mut dyn Session,
    schema: &Schema,
    index: RelationId,
    reported_error: &ReportedError,
    options: &ExplainOptions<'_>,
) {
    let relation = &schema.relations[index];
    let would_fail = |message: String, help: String| {
        StatementReason::Relation(Box::new(findings::plain(index, relation, Code::WouldFail, message, help)))
    };
    explained.reasons.extend(serious_defects(index, relation));
    if reported_error.kind == ErrorKind::Mismatch {
        return;
    }
    let Some(key) = key(schema, relation, reported_error) else {
        let message = if reported_error.has_details() {
            format!("{} is the relation that failed", relation.id)
        } else {
            format!("{} is the relation that the text names", relation.id)
        };
        let help =
            format!("to find the row and its key, give the statement that failed: {}", options.command("INSERT"));
        explained.reasons.push(would_fail(message, help));
        return;
    };
    let hidden = options.redaction.key(schema, relation, &key);
    if reported_error.kind == ErrorKind::StillReferred {
        let parent = &relation.parent.name;
        let message = format!("rows of {} refer to {} of {parent}", schema.child(relation).name, text::key(&hidden));
        let help = format!("to list these rows, give the statement that failed: {}", options.command("DELETE"));
        explained.reasons.push(would_fail(message, help));
        return;
    }
    if exists(session, schema, relation, &key) == Some(true) {
        explained.notes.push(format!(
            "{} has {} now: the row was inserted after the error, or the error is from another database",
            relation.parent.name,
            text::key(&hidden)
        ));
        return;
    }
    let missing = MissingKey { key, rows: 1, samples: Vec::new(), span: None };
    let tally = Tally { orphan_rows: 1, missing_keys: 1, top: vec![missing], ..Tally::default() };
    let diagnosis = diagnose::diagnose(schema, session, relation, &tally, options.redaction);
    let failing = FailingRows {
        relation: index,
        kind: FailureKind::Written,
        tally,
        diagnosis,
        triggers: Vec::new(),
        failed_before: 0,
        parent_key_changed: false,
    };
    explained.reasons.push(reasons::of_rows(schema, &failing, options));
}

/// Returns a reason for each defect of the relation that is an error.
fn serious_defects(index: RelationId, relation: &Relation) -> impl Iterator<Item = StatementReason> {
    let serious = relation.defects.iter().filter(|defect| defect.code.severity() == Severity::Error);
    serious.map(move |defect| {
        let finding = findings::plain(index, relation, defect.code, defect.message.clone(), defect.help.clone());
        StatementReason::Relation(Box::new(finding))
    })
}

/// Returns the key that the error names, in the relation's column order and with the types of the columns.
fn key(schema: &Schema, relation: &Relation, reported_error: &ReportedError) -> Option<Key> {
    if reported_error.key.len() != relation.child_columns.len() {
        return None;
    }
    let (named, columns): (&[String], Vec<&str>) = match reported_error.kind {
        ErrorKind::StillReferred => {
            (&reported_error.parent_columns, relation.parent.column_names.iter().map(String::as_str).collect())
        }
        _ => (&reported_error.child_columns, schema.child_column_names(relation).collect()),
    };
    let position_in_error = |position: usize| {
        let by_name = named.iter().position(|name| schema.names.same(name, columns[position]));
        by_name.unwrap_or(position)
    };
    let value = |position: usize| {
        let text = &reported_error.key[position_in_error(position)];
        let families = schema.child_columns(relation).nth(position).map(|column| &column.family);
        match families {
            Some(Family::Text) => Value::text(text.clone()),
            _ => text.parse().map_or_else(|_| Value::text(text.clone()), Value::Integer),
        }
    };
    Some((0..columns.len()).map(value).collect())
}

/// True if the parent has this key now; `None` if that cannot be queried.
fn exists(session: &mut dyn Session, schema: &Schema, relation: &Relation, key: &Key) -> Option<bool> {
    let table = schema.parent(relation)?;
    let index = &table.indexes[relation.parent.key?];
    let position = |column: usize| relation.parent.columns.iter().position(|&known| known == column);
    let ordered: Key =
        index.columns.iter().map(|part| Some(key[position(part.column?)?].clone())).collect::<Option<_>>()?;
    let question = sql::of(schema).keys_elsewhere(schema, table, index, &[&ordered])?;
    let mut found = false;
    session.each_row(&question, &mut |_| found = true).ok()?;
    Some(found)
}

/// Returns the reason for an error whose relation is unknown. `candidates` is the number of relations that fit the
/// error, and `named` the number of relations whose tables the text names.
fn unknown(
    schema: &Schema,
    reported_error: &ReportedError,
    candidates: usize,
    named: usize,
    options: &ExplainOptions<'_>,
) -> Constraint {
    let tables: Vec<&str> = schema.tables.iter().map(|table| table.name.table.as_str()).collect();
    let unknown_table = [&reported_error.child, &reported_error.parent, &reported_error.target]
        .into_iter()
        .flatten()
        .find(|name| !tables.iter().any(|table| schema.names.same(table, last_part(name))));
    let give_statement = format!("give the statement that failed: {}", options.command("INSERT"));
    let (message, help) = match unknown_table {
        Some(name) => (
            format!("{} has no table {}", schema.database.name, last_part(name)),
            text::nearest(last_part(name), tables.iter().copied()).map_or_else(
                || "name the database that the error is from".to_owned(),
                |near| format!("did you mean {near}?"),
            ),
        ),
        None if reported_error.has_details() && candidates == 0 => (
            format!("no relation of {} fits this error", schema.database.name),
            format!("list the relations: fk-doctor schema {}", text::shell(options.database)),
        ),
        None if candidates > 0 => (format!("{candidates} relations fit this error"), give_statement),
        None if named > 0 => {
            (format!("the text names tables of {named} relations, but not the relation that failed"), give_statement)
        }
        None => ("the message names neither table nor value".to_owned(), give_statement),
    };
    Constraint { code: Code::StatementRefused, table: None, columns: Vec::new(), message, help }
}
