//! Gates: upper bounds of a score that no weight overrules.

use crate::discover::feature::NeighbourFeature;
use crate::discover::feature::PairFeature as F;
use crate::discover::likeness;
use crate::discover::subject::Judged;
use crate::discover::subject::Subject;
use crate::discover::subject::ValueKind;

/// A reason why a score cannot exceed a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gate {
    /// The name in reports, such as `gate:constant`.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) bound: f64,
}

const POSSIBLE: f64 = 0.3;
const WEAK: f64 = 0.2;
const DOUBTFUL_KEY: f64 = 0.45;
const LIKELY: f64 = 0.6;
/// From this likeness on, a column is named after a table.
const NAMED_AFTER: f64 = 0.7;
/// Below the lowest score of the tier `certain`.
pub(super) const NOT_CERTAIN: f64 = 0.96;

/// Several tables have a key of this name. `decide` uses this gate.
pub(super) const SHARED_KEY: Gate = Gate {
    name: "gate:shared-key",
    text: "several tables have a key of this name and hold the values, so the parent is not certain",
    bound: NOT_CERTAIN,
};

/// No name of the schema says anything.
pub(super) const BLIND: Gate = Gate {
    name: "gate:names-say-nothing",
    text: "the names of this database say nothing, so no reference is certain",
    bound: NOT_CERTAIN,
};

/// Returns the strictest gate of a pair, or `None` if its score may be anything.
pub(super) fn strictest(subject: &Subject<'_>, pair: &Judged, is_blind: bool) -> Option<Gate> {
    let mut gates = Vec::new();
    missing_keys(subject, pair, &mut gates);
    if is_blind {
        gates.push(BLIND);
    } else {
        unnamed(subject, pair, &mut gates);
        own_key(subject, pair, &mut gates);
        keys(subject, pair, &mut gates);
        twins(subject, pair, &mut gates);
        for_certain(subject, pair, &mut gates);
    }
    gates.into_iter().min_by(|left, right| left.bound.total_cmp(&right.bound))
}

fn missing_keys(subject: &Subject<'_>, pair: &Judged, gates: &mut Vec<Gate>) {
    let facts = &pair.facts;
    let most_keys = facts.missing_keys * 2 > facts.distinct;
    let most_rows = facts.orphan_rows as f64 > 0.6 * subject.child(pair).filled() as f64;
    if most_keys || most_rows {
        let bound = if pair.name >= 0.9 { LIKELY } else { POSSIBLE };
        gates.push(Gate { name: "gate:most-keys-missing", text: "most keys are missing from the parent", bound });
    }
}

/// Gates for pairs for which neither a name nor a view speaks.
fn unnamed(subject: &Subject<'_>, pair: &Judged, gates: &mut Vec<Gate>) {
    let child = subject.child(pair);
    let words = subject.words(pair.facts.child);
    if pair.is_named() {
        return;
    }
    if child.is_primary() && !words.base.is_empty() && !pair.has(F::PersonExtension) {
        let own = &subject.names.tables[child.table];
        if words.base == own.joined || words.has_id_word() {
            let text = "no name speaks for the pair, and the column is the key of its own table";
            gates.push(Gate { name: "gate:own-key", text, bound: POSSIBLE });
        }
    }
    if pair.facts.is_joined {
        return;
    }
    let own = &subject.names.tables[child.table].words;
    let bears_own = !own.is_empty() && words.all.len() > own.len() && words.all.starts_with(own);
    if bears_own && !words.has_id_word() {
        let text = "no name speaks for the pair, and the column bears the name of its own table";
        gates.push(Gate { name: "gate:own-name", text, bound: POSSIBLE });
    }
    // The columns of one name pattern, such as winner_id and loser_id, support each other.
    let has_sibling = pair.neighbours[NeighbourFeature::SiblingWord as usize] >= 0.8;
    let is_slight = !has_sibling && (pair.coverage() < 0.3 || pair.facts.distinct <= 2 || pair.has(F::SmallParent));
    if is_slight && !pair.has(F::UnnamedChildTable) {
        let text = "no name speaks for the pair, and so few keys can match by chance";
        gates.push(Gate { name: "gate:chance", text, bound: POSSIBLE });
    }
    if pair.has(F::ParentUndeclared) {
        let text = "no name speaks for the pair, and the parent's key is not declared";
        gates.push(Gate { name: "gate:unnamed-undeclared-key", text, bound: POSSIBLE });
    }
    if pair.facts.missing_keys > 0 {
        let text = "no name speaks for the pair, and keys are missing";
        gates.push(Gate { name: "gate:unnamed-missing-keys", text, bound: POSSIBLE });
    }
    let is_measured = pair.has(F::Measure) || pair.has(F::RowMark) || pair.has(F::Date) || pair.has(F::Real);
    if is_measured {
        let text = "no name speaks for the pair, and the column looks like a measure, a date or a mark of its row";
        gates.push(Gate { name: "gate:measure", text, bound: WEAK });
    }
}

/// The key of a table does not refer to a table that has another name.
fn own_key(subject: &Subject<'_>, pair: &Judged, gates: &mut Vec<Gate>) {
    let is_loose = pair.to_table.degree < 0.9 && pair.to_key.degree < 0.85;
    if subject.child(pair).is_primary() && pair.has(F::OwnKeyOtherParent) && is_loose && !pair.has(F::PersonExtension) {
        let text = "the column is named after its own table, whose key it is";
        gates.push(Gate { name: "gate:own-key", text, bound: POSSIBLE });
    }
}

fn keys(subject: &Subject<'_>, pair: &Judged, gates: &mut Vec<Gate>) {
    let (child, parent) = (subject.child(pair), subject.parent(pair));
    let words = subject.words(pair.facts.child);
    let is_constant = pair.facts.distinct == 1 && child.filled() > 1;
    if is_constant && !(words.has_id_word() && pair.name >= 0.6) && pair.name < 0.9 {
        gates.push(Gate { name: "gate:constant", text: "all rows of the child have the same key", bound: POSSIBLE });
    }
    if pair.facts.has_repeated_keys {
        let text = "some rows of the parent repeat a key, so it is none until they are repaired";
        gates.push(Gate { name: "gate:parent-key-not-unique", text, bound: NOT_CERTAIN });
    }
    if pair.has(F::ParentUndeclared) && !pair.facts.is_joined {
        let has_primary = subject.columns.iter().any(|column| column.table == parent.table && column.is_primary());
        if has_primary || (pair.has(F::OneToOne) && pair.name < 1.0) {
            let text = "the parent's column is unique in its rows only, and the table has another key";
            gates.push(Gate { name: "gate:undeclared-key", text, bound: DOUBTFUL_KEY });
        }
    }
}

/// A table that is a copy or a history of another is a doubtful parent.
fn twins(subject: &Subject<'_>, pair: &Judged, gates: &mut Vec<Gate>) {
    let (child, parent) = (subject.child(pair), subject.parent(pair));
    let tables = &subject.names.tables;
    if child.table != parent.table && tables[parent.table].is_twin && !tables[child.table].is_twin {
        let text = "the parent looks like a copy or a history of another table";
        gates.push(Gate { name: "gate:copy", text, bound: POSSIBLE });
    }
}

/// Gates that keep a pair out of the tier `certain`.
fn for_certain(subject: &Subject<'_>, pair: &Judged, gates: &mut Vec<Gate>) {
    let child = subject.child(pair);
    if !pair.is_named() && !pair.facts.is_joined {
        let text = "no name speaks for the pair";
        gates.push(Gate { name: "gate:unnamed", text, bound: NOT_CERTAIN });
    }
    if is_key_of_another(subject, pair) {
        let text = "the parent's key is named after another table, which is not there";
        gates.push(Gate { name: "gate:key-of-another", text, bound: NOT_CERTAIN });
    }
    if child.values == ValueKind::Real {
        let text = "numbers with fractions are rarely keys";
        gates.push(Gate { name: "gate:fractions", text, bound: NOT_CERTAIN });
    }
}

/// True if the key of the parent is named after a table, but no table has such a name: another parent may be missing.
fn is_key_of_another(subject: &Subject<'_>, pair: &Judged) -> bool {
    let (parent, tables) = (subject.parent(pair), &subject.names.tables);
    let words = subject.words(pair.facts.parent);
    let is_named_after = |table| likeness::to_table(words, &tables[parent.table], table).degree >= NAMED_AFTER;
    words.has_id_word() && !words.base.is_empty() && !tables.iter().any(is_named_after)
}
