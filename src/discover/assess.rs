//! Turns the facts about the rows into the judgement of every pair: a tier, a score, and the evidence for it.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::discover::composite_judge::CompositeFacts;
use crate::discover::conditional;
use crate::discover::decide::Decision;
use crate::discover::judge::Judgement;
use crate::discover::known;
use crate::discover::known::KnownRelations;
use crate::discover::names::Names;
use crate::discover::subject::ColumnFacts;
use crate::discover::subject::DeclaredKey;
use crate::discover::subject::PairFacts;
use crate::discover::subject::ValueKind;
use crate::discover::without_rows;
use crate::model::catalog::Table;
use crate::model::discovery::Candidate;
use crate::model::discovery::ColumnList;
use crate::model::discovery::ColumnProfile;
use crate::model::discovery::Discovery;
use crate::model::discovery::Evidence;
use crate::model::discovery::Facts;
use crate::model::discovery::KeyKind;
use crate::model::discovery::Pair;
use crate::model::discovery::Rejection;
use crate::model::discovery::Tier;
use crate::model::ids::TableId;
use crate::model::pattern::Pattern;
use crate::model::schema::Schema;

/// A text is long if the average of its column is longer than this, in bytes.
const LONG_TEXT: u64 = 30;

/// Judges all pairs. Relations of the schema are declared; candidates that match a pattern were rejected by the user. Candidates below
/// the tier `explained` come without evidence, which takes several kilobytes each.
pub fn assess(schema: &Schema, facts: Facts, rejected: &[Pattern], explained: Tier) -> Discovery {
    let names = Names::of(&schema.tables);
    let declared = known::relations(schema);
    let mut candidates = of_whole_tables(schema, &names, &facts, &declared, explained);
    let conditional = conditional::assess(schema, &names, &facts);
    conditional::take_back_unconditional(&mut candidates, &conditional);
    candidates.extend(conditional);
    candidates.extend(without_rows::candidates(&names, &facts, &candidates));
    for candidate in &mut candidates {
        let id = schema.pair_id(&candidate.pair.child, &candidate.pair.parent);
        if candidate.tier != Tier::Declared && rejected.iter().any(|pattern| pattern.matches(&id)) {
            candidate.tier = Tier::Rejected;
            candidate.reason = Some(Rejection::ByYou);
        }
    }
    let parents_missing = without_rows::parents_missing(&names, &facts, &candidates);
    let order = |candidate: &Candidate| (candidate.tier, std::cmp::Reverse((candidate.score * 1e9) as u64));
    candidates.sort_by_cached_key(|candidate| {
        let pair = &candidate.pair;
        let condition: Vec<String> =
            pair.condition.iter().map(|(column, value)| format!("{column} {value:?}")).collect();
        (order(candidate), schema.pair_id(&pair.child, &pair.parent), condition)
    });
    Discovery {
        database: schema.database.clone(),
        keys: facts.keys,
        candidates,
        near: facts.near,
        parents_missing,
        not_observed: facts.not_observed,
    }
}

fn of_whole_tables(
    schema: &Schema,
    names: &Names,
    facts: &Facts,
    declared: &KnownRelations,
    explained: Tier,
) -> Vec<Candidate> {
    let is_declared = |pair: &Pair| declared.contains(&known::in_order(pair.child.clone(), pair.parent.clone()));
    let whole: Vec<&Pair> = facts.pairs.iter().filter(|pair| pair.condition.is_empty()).collect();
    let (singles, composites): (Vec<&Pair>, Vec<&Pair>) =
        whole.into_iter().partition(|pair| pair.child.columns.len() == 1);
    let columns = columns(schema, facts);
    let index: HashMap<(TableId, usize), usize> =
        columns.iter().enumerate().map(|(index, column)| ((column.table, column.column), index)).collect();
    let of = |list: &ColumnList| list.columns.first().and_then(|&column| index.get(&(list.table, column)).copied());
    let ends = |column: usize| (columns[column].table, columns[column].column);
    let joined = facts.joined();
    let (mut known, mut unread) = (Vec::new(), Vec::new());
    let mut pair_facts = Vec::new();
    for pair in singles {
        let (Some(child), Some(parent)) = (of(&pair.child), of(&pair.parent)) else {
            unread.push(unread_candidate(pair));
            continue;
        };
        pair_facts.push(PairFacts {
            child,
            parent,
            distinct: pair.counts.distinct,
            missing_keys: pair.counts.missing_keys,
            orphan_rows: pair.counts.orphan_rows,
            parent_keys: pair.parent_keys,
            shape: pair.shape,
            is_joined: joined.contains(&(ends(child), ends(parent))),
            has_repeated_keys: facts.keys.get(pair.key).is_some_and(|key| key.repeated_rows > 0),
            is_declared: is_declared(pair),
        });
        known.push(pair);
    }
    let distinct = |table: TableId, column: usize| {
        index.get(&(table, column)).map_or(1.0, |&column| columns[column].distinct.max(1) as f64)
    };
    let composite_facts = composites.iter().map(|pair| CompositeFacts {
        child: pair.child.table,
        child_columns: pair.child.columns.clone(),
        parent: pair.parent.table,
        parent_columns: pair.parent.columns.clone(),
        distinct: pair.counts.distinct,
        missing_keys: pair.counts.missing_keys,
        parent_keys: pair.parent_keys,
        combinations: pair.parent.columns.iter().map(|&column| distinct(pair.parent.table, column)).product(),
        rows: pair.counts.complete_rows(),
        is_declared_key: facts.keys.get(pair.key).is_some_and(|key| key.kind != KeyKind::Data),
        parent_width: schema.tables[pair.parent.table].columns.len(),
        is_declared: is_declared(pair),
    });
    let composite_facts: Vec<CompositeFacts> = composite_facts.collect();
    let judgement = Judgement::of(names, columns, pair_facts, composite_facts);
    let is_explained = |decision: &Decision| decision.tier <= explained;
    let singles = known.iter().enumerate().map(|(index, pair)| {
        let decision = &judgement.singles[index];
        candidate(pair, decision, is_explained(decision).then(|| judgement.evidence(index)))
    });
    let composites = composites.iter().enumerate().map(|(index, pair)| {
        let decision = &judgement.composites[index].decision;
        candidate(pair, decision, is_explained(decision).then(|| judgement.composite_evidence(index)))
    });
    singles.chain(composites).chain(unread).collect()
}

/// Returns a candidate with columns that have no profile. Only a known relation has such columns.
fn unread_candidate(pair: &Pair) -> Candidate {
    Candidate { pair: pair.clone(), tier: Tier::Declared, score: 0.5, reason: None, evidence: Vec::new() }
}

fn candidate(pair: &Pair, decision: &Decision, evidence: Option<Vec<Evidence>>) -> Candidate {
    let Decision { tier, score, reason, .. } = *decision;
    Candidate { pair: pair.clone(), tier, score, reason, evidence: evidence.unwrap_or_default() }
}

/// Returns the columns that can be a child or a parent, with what is known about them.
fn columns(schema: &Schema, facts: &Facts) -> Vec<ColumnFacts> {
    let mut keys: BTreeMap<(TableId, usize), DeclaredKey> = BTreeMap::new();
    for key in &facts.keys {
        let ([column], Some(kind)) = (key.columns.columns.as_slice(), declared_kind(key.kind)) else { continue };
        let known = keys.entry((key.columns.table, *column)).or_insert(kind);
        if kind == DeclaredKey::Primary {
            *known = kind;
        }
    }
    facts.profiles.iter().map(|profile| column(&schema.tables[profile.table], profile, &keys)).collect()
}

fn declared_kind(kind: KeyKind) -> Option<DeclaredKey> {
    match kind {
        KeyKind::Primary => Some(DeclaredKey::Primary),
        KeyKind::Unique => Some(DeclaredKey::Unique),
        KeyKind::Data => None,
    }
}

fn column(table: &Table, profile: &ColumnProfile, keys: &BTreeMap<(TableId, usize), DeclaredKey>) -> ColumnFacts {
    let values = kind_of_values(profile);
    ColumnFacts {
        table: profile.table,
        column: profile.column,
        width: table.columns.len(),
        rows: profile.rows,
        nulls: profile.nulls,
        distinct: profile.distinct.unwrap_or(0),
        is_unique: profile.is_unique,
        key: keys.get(&(profile.table, profile.column)).copied(),
        is_part_of_primary: table.primary_key.len() > 1 && table.primary_key.contains(&profile.column),
        is_indexed: profile.leads_index,
        declared_type: table.columns[profile.column].declared_type.to_uppercase(),
        values,
        is_long_text: profile.classes.texts > 0 && profile.text_bytes > LONG_TEXT * profile.classes.texts,
        integers: profile.integers.filter(|_| values == ValueKind::Integer),
    }
}

fn kind_of_values(profile: &ColumnProfile) -> ValueKind {
    let classes = &profile.classes;
    let filled = profile.rows - profile.nulls;
    if filled > 0 && classes.integers + classes.integer_texts == filled {
        ValueKind::Integer
    } else if (classes.fractions + classes.decimal_texts - classes.padded_texts) as f64 > 0.3 * filled as f64 {
        ValueKind::Real
    } else if classes.texts > 0 && classes.date_texts as f64 > 0.6 * classes.texts as f64 {
        ValueKind::Date
    } else {
        ValueKind::Text
    }
}
