//! References that only names, views and triggers speak for: a child or a parent has no rows, or the parent table does not exist.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::discover::likeness;
use crate::discover::likeness::Kind;
use crate::discover::logistic;
use crate::discover::names::Names;
use crate::model::discovery::Candidate;
use crate::model::discovery::ColumnAddress;
use crate::model::discovery::ColumnList;
use crate::model::discovery::ColumnProfile;
use crate::model::discovery::Evidence;
use crate::model::discovery::Facts;
use crate::model::discovery::KeyKind;
use crate::model::discovery::Pair;
use crate::model::discovery::PairCounts;
use crate::model::discovery::ParentMissing;
use crate::model::discovery::Tier;
use crate::model::ids::TableId;

/// A name that speaks for a pair without any row.
const STRONG: f64 = 0.85;
/// The highest score of a pair without rows: the tier `possible`.
const HIGHEST: f64 = 0.3;

/// Returns the pairs for which the rows cannot speak, because the child or the parent has none: for each child the best.
pub(super) fn candidates(names: &Names, facts: &Facts, known: &[Candidate]) -> Vec<Candidate> {
    let explained: BTreeSet<(TableId, usize)> = known
        .iter()
        .filter(|candidate| candidate.tier < Tier::Possible)
        .flat_map(|candidate| candidate.pair.child.columns.iter().map(|&column| (candidate.pair.child.table, column)))
        .collect();
    let listed: BTreeSet<(&ColumnList, &ColumnList)> =
        known.iter().map(|candidate| (&candidate.pair.child, &candidate.pair.parent)).collect();
    let rows = facts.profiles.iter().map(|profile| (profile.table, profile.rows)).collect();
    let subject = Subject { names, facts, rows, joined: facts.joined() };
    let children = facts.profiles.iter().filter(|profile| !explained.contains(&(profile.table, profile.column)));
    children
        .filter_map(|profile| best(&subject, profile))
        .filter(|candidate| !listed.contains(&(&candidate.pair.child, &candidate.pair.parent)))
        .collect()
}

struct Subject<'a> {
    names: &'a Names,
    facts: &'a Facts,
    rows: HashMap<TableId, u64>,
    joined: HashSet<(ColumnAddress, ColumnAddress)>,
}

fn best(subject: &Subject<'_>, profile: &ColumnProfile) -> Option<Candidate> {
    let Subject { names, facts, rows, .. } = subject;
    let child = names.column(profile.table, profile.column);
    let is_empty = profile.rows == profile.nulls;
    let mut best: Option<(f64, usize, bool)> = None;
    for (index, key) in facts.keys.iter().enumerate().filter(|(_, key)| key.kind != KeyKind::Data) {
        let [column] = key.columns.columns[..] else { continue };
        let table = key.columns.table;
        let parent_is_empty = rows.get(&table).copied().unwrap_or(0) == 0;
        if (table, column) == (profile.table, profile.column) || !(is_empty || parent_is_empty) {
            continue;
        }
        let to_key = likeness::to_key(child, names.column(table, column));
        let to_table = likeness::to_table(child, &names.tables[profile.table], &names.tables[table]);
        let is_own = table == profile.table && to_key.kind != Kind::Role;
        let is_joined = subject.joined.contains(&((profile.table, profile.column), (table, column)));
        let named = to_key.degree.max(if child.has_id_word() { to_table.degree } else { 0.0 });
        let degree = if is_joined { 1.0 } else { named };
        if degree >= STRONG && !is_own && best.is_none_or(|(highest, ..)| degree > highest) {
            best = Some((degree, index, is_joined));
        }
    }
    let (degree, key, is_joined) = best?;
    let parent = facts.keys.get(key)?;
    let distinct = if is_empty { 0 } else { profile.distinct? };
    let filled = profile.rows - profile.nulls;
    let counts = PairCounts {
        rows: profile.rows,
        null_rows: profile.nulls,
        orphan_rows: filled,
        distinct,
        missing_keys: distinct,
    };
    let pair = Pair {
        child: ColumnList::single(profile.table, profile.column),
        parent: parent.columns.clone(),
        key,
        condition: Vec::new(),
        counts,
        parent_keys: parent.distinct,
        missing: Vec::new(),
        shape: None,
    };
    let who = if is_empty { "the child has no rows with a key" } else { "the parent has no rows" };
    let text = match is_joined {
        true => format!("a view or trigger joins the two columns: no data, because {who}"),
        false => format!("by its name only ({degree:.2} of 1): no data, because {who}"),
    };
    let feature = if is_joined { "join-without-rows" } else { "name-without-rows" };
    let score = HIGHEST * degree;
    let weight = logistic::logit(score);
    let evidence = vec![Evidence { feature: feature.to_owned(), value: degree, weight, text }];
    Some(Candidate { pair, tier: Tier::Possible, score, reason: None, evidence })
}

/// Returns the columns that look like references to a table that does not exist.
pub(super) fn parents_missing(names: &Names, facts: &Facts, candidates: &[Candidate]) -> Vec<ParentMissing> {
    let explained: BTreeSet<(TableId, usize)> = candidates
        .iter()
        .filter(|candidate| candidate.tier < Tier::Possible)
        .flat_map(|candidate| candidate.pair.child.columns.iter().map(|&column| (candidate.pair.child.table, column)))
        .collect();
    let keys: BTreeSet<(TableId, usize)> = facts
        .keys
        .iter()
        .filter(|key| key.kind != KeyKind::Data)
        .filter_map(|key| {
            Some((key.columns.table, *key.columns.columns.first()?)).filter(|_| key.columns.columns.len() == 1)
        })
        .collect();
    let mut missing = Vec::new();
    for profile in &facts.profiles {
        let address = (profile.table, profile.column);
        let words = names.column(profile.table, profile.column);
        let is_id =
            words.id_words.iter().any(|word| matches!(word.as_str(), "id" | "fk" | "sk" | "key" | "ref" | "uuid"));
        let is_reference = is_id && !words.base.is_empty() && !words.is_row_mark && !words.is_measure;
        let is_text = profile.classes.texts > profile.classes.integer_texts;
        let Some(distinct) = profile.distinct.filter(|distinct| *distinct > 0) else { continue };
        if explained.contains(&address) || keys.contains(&address) || !is_reference || is_text || profile.is_unique {
            continue;
        }
        let own = &names.tables[profile.table];
        let has_table = names.tables.iter().any(|table| likeness::to_table(words, own, table).degree >= 0.7);
        if has_table {
            continue;
        }
        missing.push(ParentMissing {
            child: ColumnList::single(profile.table, profile.column),
            expected: words.words.join("_"),
            rows: profile.rows - profile.nulls,
            distinct,
        });
    }
    missing
}
