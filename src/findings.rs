//! Turns the results of a scan into the coverage and the findings of each relation, with messages and next steps.

use crate::model::catalog::TableName;
use crate::model::diagnosis::Diagnosis;
use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::Sample;
use crate::model::ids::RelationId;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::remedy;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text;
use crate::model::value::Value;
use crate::scan::ScanResult;
use crate::scan::Tally;

/// Returns the coverage of a relation.
pub fn coverage(relation: &Relation, fact: &ScanResult) -> Coverage {
    match fact {
        ScanResult::Unchecked(why) => Coverage {
            state: CoverageState::Unchecked,
            reason: Some(why.clone()),
            method: None,
            method_reason: None,
            counts: Default::default(),
            orphan_rows: 0,
            missing_keys: 0,
        },
        ScanResult::Checked(tally) => Coverage {
            state: if relation.scope.partial.is_some() { CoverageState::Partial } else { CoverageState::Checked },
            reason: notes(relation, tally),
            method: Some(tally.method),
            method_reason: tally.method_reason.clone(),
            counts: tally.counts,
            orphan_rows: tally.orphan_rows + tally.known_rows,
            missing_keys: tally.missing_keys + tally.known_keys,
        },
    }
}

/// Returns notes on how the rows were judged and which rows were not, unless the engine judged all of them.
fn notes(relation: &Relation, tally: &Tally) -> Option<String> {
    let mut notes = Vec::new();
    if let Judge::Values(because) = &relation.judge {
        notes.push(because.clone());
    }
    if let Some(partial) = &relation.scope.partial {
        notes.push(partial.clone());
    } else if relation.scope.condition.is_some() {
        notes.push("only rows that satisfy the configured `where`".to_owned());
    }
    if tally.counts.ignored_rows > 0 {
        let rows = text::plural(tally.counts.ignored_rows, "row");
        notes.push(format!("{rows} with an ignored value not checked"));
    }
    if relation.scope.soft_deleted.is_some() {
        notes.push("soft-deleted parents do not count".to_owned());
    }
    notes.extend(tally.storage_note.as_deref().map(str::to_owned));
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Returns all findings of one relation, in the order of their codes.
pub fn findings(
    schema: &Schema,
    index: RelationId,
    fact: &ScanResult,
    diagnosis: Vec<Diagnosis>,
    samples: usize,
) -> Vec<Finding<Value>> {
    let relation = &schema.relations[index];
    let mut found: Vec<Finding<Value>> = relation
        .defects
        .iter()
        .map(|defect| plain(index, relation, defect.code, defect.message.clone(), defect.help.clone()))
        .collect();
    if let ScanResult::Checked(tally) = fact {
        found.extend(index_corrupt(schema, index, tally));
        found.extend(repeated_keys(schema, index, tally));
        found.extend(orphans(schema, index, tally, diagnosis, samples));
    }
    found.sort_by_key(|finding| finding.code);
    found
}

/// Returns a finding without rows.
pub(crate) fn plain<V>(
    index: RelationId,
    relation: &Relation,
    code: Code,
    message: String,
    help: String,
) -> Finding<V> {
    Finding {
        code,
        severity: code.severity(),
        relation: index,
        relation_id: relation.id.clone(),
        message,
        help,
        rows: 0,
        missing_keys: 0,
        top_missing: Vec::new(),
        samples: Vec::new(),
        diagnosis: Vec::new(),
        known: Known::No,
        key_repair: None,
    }
}

/// Returns the finding of a parent whose rows share keys, where only its rows can show it.
fn repeated_keys(schema: &Schema, index: RelationId, tally: &Tally) -> Option<Finding<Value>> {
    let found = tally.repeated_keys.as_ref()?;
    let relation = &schema.relations[index];
    let first = found.first.as_ref().map(|(file, row)| format!("; the first is row {row} of {file}"));
    let message = format!(
        "{} of {} {} more than one row, {} in all{}",
        text::plural(found.keys, "key"),
        side(&relation.parent.name, relation.parent.column_names.iter().map(String::as_str)),
        if found.keys == 1 { "has" } else { "have" },
        text::plural(found.rows, "row"),
        first.unwrap_or_default(),
    );
    let help = "find out which of these rows is right, and write the parent without the others".to_owned();
    Some(plain(index, relation, Code::ParentKeyNotUnique, message, help))
}

fn index_corrupt(schema: &Schema, index: RelationId, tally: &Tally) -> Option<Finding<Value>> {
    let found = tally.false_orphans.as_ref()?;
    let relation = &schema.relations[index];
    let parent = schema.parent(relation)?;
    let name = relation.parent.key.map_or("?", |key| parent.indexes[key].name.as_str());
    let message = format!(
        "{} of {} {}, but their parent is in {}: it is missing from the index {name}",
        text::plural(found.rows, "row"),
        schema.child(relation).name,
        if found.rows == 1 { "looks like an orphan" } else { "look like orphans" },
        parent.name
    );
    let corrupt_index = TableName { schema: parent.name.schema.clone(), table: name.to_owned() };
    let facts = schema.database.engine.facts();
    let corrupt_index = facts.quoted_table(&corrupt_index);
    let reindex = format!("{} {corrupt_index}", facts.rebuild_index.unwrap_or("rebuild the index"));
    let help = format!("{reindex}; then scan again; do not repair these rows");
    Some(Finding {
        rows: found.rows,
        samples: found.samples.clone(),
        ..plain(index, relation, Code::IndexCorrupt, message, help)
    })
}

fn orphans(
    schema: &Schema,
    index: RelationId,
    tally: &Tally,
    diagnosis: Vec<Diagnosis>,
    samples: usize,
) -> Option<Finding<Value>> {
    let known = match (tally.orphan_rows, tally.known_rows) {
        (0, 0) => return None,
        (_, 0) => Known::No,
        (0, _) => return Some(wholly_known(schema, index, tally)),
        (_, rows) => Known::Partly { rows, missing_keys: tally.known_keys },
    };
    let relation = &schema.relations[index];
    let message = orphans_message(schema, relation, tally, (tally.orphan_rows, tally.missing_keys));
    let help = next_step(relation, &diagnosis);
    let finding = plain(index, relation, code_of_orphans(relation), message, help);
    Some(Finding { diagnosis, known, ..with_tally(finding, tally, samples) })
}

fn code_of_orphans(relation: &Relation) -> Code {
    match relation.origin {
        Origin::Declared | Origin::Configured => Code::Orphan,
        Origin::Discovered | Origin::Likely => Code::OrphanDiscovered,
    }
}

/// Returns a finding with the counts of a tally, and some of its keys and rows.
pub(crate) fn with_tally(finding: Finding<Value>, tally: &Tally, samples: usize) -> Finding<Value> {
    Finding {
        rows: tally.orphan_rows,
        missing_keys: tally.missing_keys,
        top_missing: tally.top.iter().take(samples).cloned().collect(),
        samples: some_samples(tally, samples),
        ..finding
    }
}

fn orphans_message(schema: &Schema, relation: &Relation, tally: &Tally, (rows, keys): (u64, u64)) -> String {
    let verb = if rows == 1 { "refers" } else { "refer" };
    let (all, keys) = (text::plural(tally.counts.rows, "row"), text::plural(keys, "key"));
    let (child, parent) = (&schema.child(relation).name, &relation.parent.name);
    format!("{} of {all} of {child} {verb} to {keys} that {parent} does not have", text::count(rows))
}

/// Returns a finding for orphans that the baseline knows. It has counts, but no samples and no diagnosis.
fn wholly_known(schema: &Schema, index: RelationId, tally: &Tally) -> Finding<Value> {
    let relation = &schema.relations[index];
    let message = orphans_message(schema, relation, tally, (tally.known_rows, tally.known_keys));
    Finding {
        rows: tally.known_rows,
        missing_keys: tally.known_keys,
        known: Known::Wholly,
        ..plain(index, relation, code_of_orphans(relation), message, String::new())
    }
}

/// Returns one sample of each of the most frequent missing keys, then a second of each, until there are enough.
fn some_samples(tally: &Tally, wanted: usize) -> Vec<Sample<Value>> {
    let rounds = (0..wanted).flat_map(|round| tally.top.iter().filter_map(move |missing| missing.samples.get(round)));
    rounds.take(wanted).cloned().collect()
}

/// Returns the help for orphans, by their most likely cause.
pub(crate) fn next_step(relation: &Relation, diagnosis: &[Diagnosis]) -> String {
    let parent = &relation.parent.name;
    if relation.judge == Judge::NoParent {
        return format!("create or restore {parent}; do not delete the rows");
    }
    let cause = diagnosis.first().map(|diagnosis| diagnosis.cause);
    if let Some(step) = cause.and_then(|cause| remedy::next_step(cause, &parent.to_string())) {
        return step;
    }
    match cause {
        Some(Cause::Sentinel) => {
            "if the value means \"none\", store NULL, or add it to ignore-values in fk-doctor.toml".to_owned()
        }
        Some(Cause::Whitespace | Cause::Case | Cause::ZeroPadding | Cause::TextVsNumber | Cause::UuidFormat) => {
            format!("write the keys in the form that {parent} has, and correct the program that writes the other form")
        }
        Some(Cause::WrongTable) => format!("change the rows so that they refer to the right rows of {parent}"),
        _ => {
            format!("restore the missing rows of {parent}, or decide what its child rows should refer to")
        }
    }
}
