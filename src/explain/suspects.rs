//! Lists the relations that can have caused an error without details, the likeliest first. The list is a guess from
//! their definitions and their rows.

use crate::diagnose;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::explain::ExplainOptions;
use crate::explain::error_text::ErrorKind;
use crate::explain::reasons::grave_defects;
use crate::findings;
use crate::model::catalog::Action;
use crate::model::explanation::StatementReason;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::ids::RelationId;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text;
use crate::scan;
use crate::sql;
use crate::sql::ScanHints;

/// The number of relations that are reported in full.
const MAX_REPORTED: usize = 5;

/// The reason to suspect a relation, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suspicion {
    /// Child rows protect their parents from deletion.
    Referred,
    /// There are this many orphans, so some program writes such rows.
    Orphans(u64),
    /// The parent table is empty.
    ParentEmpty,
    /// Its definition makes the engine refuse every row.
    Broken,
}

/// Returns the reasons to suspect relations, and notes. If the text names tables of some relations, `named`, only these
/// are suspected.
pub(super) fn of(
    session: &mut dyn Session,
    schema: &Schema,
    kind: ErrorKind,
    named: &[RelationId],
    options: &ExplainOptions<'_>,
) -> (Vec<StatementReason>, Vec<String>) {
    let mut suspects: Vec<(Suspicion, Vec<StatementReason>)> = Vec::new();
    let (mut unsuspected, mut notes): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    for (index, relation) in schema.relations.entries() {
        if relation.origin != Origin::Declared || !(named.is_empty() || named.contains(&index)) {
            continue;
        }
        let suspect = match kind {
            ErrorKind::StillReferred => protecting(session, schema, index, options),
            _ => suspect(session, schema, index, options),
        };
        match suspect {
            Ok(Some(suspect)) => suspects.push(suspect),
            Ok(None) => unsuspected.push(&relation.id),
            Err(error) => notes.push(format!("{} could not be checked: {}", relation.id, error.because())),
        }
    }
    suspects.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let more = suspects.len().saturating_sub(MAX_REPORTED) as u64;
    if !suspects.is_empty() {
        let all = if suspects.len() == 1 { "this relation" } else { "these relations, the likeliest first," };
        notes.push(format!(
            "{all} can have refused it, judged by the present rows; the error itself does not name a relation"
        ));
    }
    let others = more + unsuspected.len() as u64;
    match (suspects.is_empty(), &unsuspected[..]) {
        (false, _) if others > 0 => {
            let others = text::plural(others, "other relation");
            notes.push(format!("{others} can have refused it too, but are less likely"));
        }
        (false, _) | (true, []) => {}
        (true, [only]) => {
            notes.push(format!("only {only} can have refused it; nothing in its definition or its rows stands out"))
        }
        (true, several) => {
            let all = if several.len() <= MAX_REPORTED {
                several.join(", ")
            } else {
                text::plural(several.len() as u64, "relation")
            };
            notes.push(format!("{all} can have refused it, and none stands out by its definition or its rows"));
        }
    }
    (suspects.into_iter().take(MAX_REPORTED).flat_map(|(_, reasons)| reasons).collect(), notes)
}

fn suspect(
    session: &mut dyn Session,
    schema: &Schema,
    index: RelationId,
    options: &ExplainOptions<'_>,
) -> Result<Option<(Suspicion, Vec<StatementReason>)>, EngineError> {
    let relation = &schema.relations[index];
    let broken = grave_defects(index, relation, ": the engine refuses every write that concerns it");
    if !broken.is_empty() {
        return Ok(Some((Suspicion::Broken, broken)));
    }
    if relation.judge != Judge::Engine {
        return Ok(None);
    }
    let has_parents = match sql::of(schema).parent_has_rows(schema, relation) {
        Some(question) => session.numbers(&question)? != [0],
        None => true,
    };
    if !has_parents {
        return Ok(Some((
            Suspicion::ParentEmpty,
            vec![StatementReason::Relation(Box::new(parent_empty(schema, index, relation)))],
        )));
    }
    let question = sql::of(schema).orphans(schema, relation, &ScanHints::default());
    let tally = scan::tally(schema, session, relation, &question, options.samples)?;
    if tally.orphan_rows == 0 {
        return Ok(None);
    }
    let diagnosis = diagnose::diagnose(schema, session, relation, &tally, options.redaction);
    let rows = text::plural(tally.orphan_rows, "row");
    let keys = text::plural(tally.missing_keys, "key");
    let (child, parent) = (&schema.child(relation).name, &relation.parent.name);
    let verb = if tally.orphan_rows == 1 { "refers" } else { "refer" };
    let message = format!(
        "{rows} of {child} {verb} to {keys} that {parent} does not have: the engine refuses further rows like these"
    );
    let help = findings::next_step(relation, &diagnosis);
    let finding = findings::plain(index, relation, Code::WouldFail, message, help);
    let finding = Finding { diagnosis, ..findings::with_tally(finding, &tally, options.samples) };
    let reason = StatementReason::Relation(Box::new(options.redaction.finding(schema, finding)));
    Ok(Some((Suspicion::Orphans(tally.orphan_rows), vec![reason])))
}

/// Returns a suspicion if the relation protects parents from deletion or change, and some parent has children.
fn protecting(
    session: &mut dyn Session,
    schema: &Schema,
    index: RelationId,
    options: &ExplainOptions<'_>,
) -> Result<Option<(Suspicion, Vec<StatementReason>)>, EngineError> {
    let relation = &schema.relations[index];
    let refuses = |action: Action| matches!(action, Action::NoAction | Action::Restrict);
    if relation.judge != Judge::Engine || !(refuses(relation.on_delete) || refuses(relation.on_update)) {
        return Ok(None);
    }
    if session.numbers(&sql::of(schema).matched_keys(schema, relation, 1))? == [0] {
        return Ok(None);
    }
    let (child, parent) = (&schema.child(relation).name, &relation.parent.name);
    let message =
        format!("{child} has rows that refer to {parent}, and its foreign key protects the rows that they refer to");
    let help = format!("to find the rows in the way, give the statement: {}", options.command("DELETE"));
    let finding = findings::plain(index, relation, Code::WouldFail, message, help);
    Ok(Some((Suspicion::Referred, vec![StatementReason::Relation(Box::new(finding))])))
}

fn parent_empty(schema: &Schema, index: RelationId, relation: &Relation) -> Finding {
    let child = &schema.child(relation).name;
    let which = if schema.child_columns(relation).all(|column| column.not_null) {
        format!("every row of {child}")
    } else {
        let columns: Vec<&str> = schema.child_column_names(relation).collect();
        format!("every row of {child} that has a value in {}", columns.join(", "))
    };
    let parent = &relation.parent.name;
    let message = format!("{parent} has no rows, so the engine refuses {which}");
    findings::plain(index, relation, Code::WouldFail, message, format!("load {parent} first"))
}
