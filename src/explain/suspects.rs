//! An error that says nothing but that some reference failed: which relations can have refused, the likeliest first, by
//! what their definitions and their rows tell. Nothing here claims to know.

use super::observe::Shown;
use crate::diagnose;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::explain::error_text::Kind;
use crate::findings;
use crate::model::catalog::Action;
use crate::model::explanation::StatementReason;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text;
use crate::scan;
use crate::sql;
use crate::sql::ScanHints;

/// How many are told in full.
const MOST: usize = 5;

/// What speaks against a relation, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Children keep their parents from going.
    Referred,
    /// Rows that lack their parent are there already: somebody writes such rows.
    Orphans(u64),
    /// There is no parent at all.
    Empty,
    /// As it is defined, it refuses every row.
    Broken,
}

/// Reasons to suspect relations, and what else should be known. `named` are those that the text speaks of; where there are
/// any, no other is suspected.
pub(super) fn of(
    session: &mut dyn Session,
    schema: &Schema,
    kind: Kind,
    named: &[RelationId],
    shown: &Shown<'_>,
) -> (Vec<StatementReason>, Vec<String>) {
    let mut suspects: Vec<(Weight, Vec<StatementReason>)> = Vec::new();
    let (mut unsuspected, mut notes) = (0_u64, Vec::new());
    for (index, relation) in schema.relations.entries() {
        if relation.origin != Origin::Declared || !(named.is_empty() || named.contains(&index)) {
            continue;
        }
        let suspect = match kind {
            Kind::StillReferred => keeper(session, schema, index),
            _ => suspect(session, schema, index, shown),
        };
        match suspect {
            Ok(Some(suspect)) => suspects.push(suspect),
            Ok(None) => unsuspected += 1,
            Err(error) => notes.push(format!("{} could not be looked at: {}", relation.id, error.because())),
        }
    }
    suspects.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let more = suspects.len().saturating_sub(MOST) as u64;
    if !suspects.is_empty() {
        let all = if suspects.len() == 1 { "this relation" } else { "these relations, the likeliest first," };
        notes.push(format!("{all} can have refused it, judged by what is there now; the error itself does not say"));
    }
    if more + unsuspected > 0 {
        notes.push(if suspects.is_empty() {
            let all = text::plural(unsuspected, "relation");
            format!("{all} can have refused it, and none stands out by its definition or its rows")
        } else {
            let others = text::plural(more + unsuspected, "other relation");
            format!("{others} can have refused it too, and stand out less")
        });
    }
    (suspects.into_iter().take(MOST).flat_map(|(_, reasons)| reasons).collect(), notes)
}

fn suspect(
    session: &mut dyn Session,
    schema: &Schema,
    index: RelationId,
    shown: &Shown<'_>,
) -> Result<Option<(Weight, Vec<StatementReason>)>, EngineError> {
    let relation = &schema.relations[index];
    let grave = relation.defects.iter().filter(|defect| defect.code.severity() == Severity::Error);
    let broken: Vec<StatementReason> = grave
        .map(|defect| {
            let message = format!("{}: every write that concerns it is refused", defect.message);
            StatementReason::Relation(findings::plain(index, relation, defect.code, message, defect.help.clone()))
        })
        .collect();
    if !broken.is_empty() {
        return Ok(Some((Weight::Broken, broken)));
    }
    if relation.judge != Judge::Engine {
        return Ok(None);
    }
    let has_parents = match sql::of(schema).parent_has_rows(schema, relation) {
        Some(question) => session.numbers(&question)? != [0],
        None => true,
    };
    if !has_parents {
        return Ok(Some((Weight::Empty, vec![StatementReason::Relation(empty(schema, index, relation))])));
    }
    let question = sql::of(schema).orphans(schema, relation, &ScanHints::default());
    let tally = scan::tally(schema, session, relation, &question, shown.samples)?;
    if tally.orphan_rows == 0 {
        return Ok(None);
    }
    let diagnosis = diagnose::diagnose(schema, session, relation, &tally, shown.redaction);
    let rows = text::plural(tally.orphan_rows, "row");
    let keys = text::plural(tally.missing_keys, "key");
    let (child, parent) = (&schema.child(relation).name, &relation.parent.name);
    let verb = if tally.orphan_rows == 1 { "refers" } else { "refer" };
    let message =
        format!("{rows} of {child} {verb} to {keys} that {parent} does not have: more rows like that are refused");
    let help = findings::next_step(relation, &diagnosis);
    let finding = findings::plain(index, relation, Code::WouldFail, message, help);
    let finding = Finding { diagnosis, ..findings::with_tally(finding, &tally, shown.samples) };
    let reason = StatementReason::Relation(shown.redaction.finding(schema, finding));
    Ok(Some((Weight::Orphans(tally.orphan_rows), vec![reason])))
}

/// A relation that lets no parent go that has children, if any has.
fn keeper(
    session: &mut dyn Session,
    schema: &Schema,
    index: RelationId,
) -> Result<Option<(Weight, Vec<StatementReason>)>, EngineError> {
    let relation = &schema.relations[index];
    let refuses = |action: Action| matches!(action, Action::NoAction | Action::Restrict);
    if relation.judge != Judge::Engine || !(refuses(relation.on_delete) || refuses(relation.on_update)) {
        return Ok(None);
    }
    if session.numbers(&sql::of(schema).matched_keys(schema, relation, 1))? == [0] {
        return Ok(None);
    }
    let (child, parent) = (&schema.child(relation).name, &relation.parent.name);
    let message = format!("{child} has rows that refer to {parent}, and keeps the rows that they refer to");
    let help = "see what is in the way of a statement: fk-doctor explain DB \"DELETE …\"".to_owned();
    let finding = findings::plain(index, relation, Code::WouldFail, message, help);
    Ok(Some((Weight::Referred, vec![StatementReason::Relation(finding)])))
}

fn empty(schema: &Schema, index: RelationId, relation: &Relation) -> Finding {
    let child = &schema.child(relation).name;
    let which = if schema.child_columns(relation).all(|column| column.not_null) {
        format!("every row of {child}")
    } else {
        let columns: Vec<&str> = schema.child_column_names(relation).collect();
        format!("every row of {child} that has a value in {}", columns.join(", "))
    };
    let parent = &relation.parent.name;
    let message = format!("{parent} has no row at all, so {which} is refused");
    findings::plain(index, relation, Code::WouldFail, message, format!("load {parent} first"))
}
