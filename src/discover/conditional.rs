//! Judges polymorphic references: an identifier whose table another column of the same row names, as `notable_type` does for
//! `notable_id`. For each value of that column there is a candidate with a condition.

use std::collections::BTreeMap;

use crate::discover::logistic::sigmoid;
use crate::discover::names::Names;
use crate::discover::polymorphic;
use crate::model::discovery::Candidate;
use crate::model::discovery::ColumnList;
use crate::model::discovery::Evidence;
use crate::model::discovery::Facts;
use crate::model::discovery::Pair;
use crate::model::discovery::Rejection;
use crate::model::discovery::Tier;
use crate::model::discovery_condition;
use crate::model::schema::Schema;
use crate::model::text::count;
use crate::model::text::plural;

const CERTAIN: f64 = 0.97;
const LIKELY: f64 = 0.5;
const POSSIBLE: f64 = 0.1;

/// Judges the pairs with a condition. For each value of the type column the best parent is kept.
pub(super) fn assess(schema: &Schema, names: &Names, facts: &Facts) -> Vec<Candidate> {
    let conditional = facts.pairs.iter().filter(|pair| !pair.condition.is_empty());
    let mut candidates: Vec<Candidate> = conditional.map(|pair| judged(schema, names, pair)).collect();
    let mut groups: BTreeMap<(ColumnList, String), Vec<usize>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let condition = format!("{:?}", candidate.pair.condition);
        groups.entry((candidate.pair.child.clone(), condition)).or_default().push(index);
    }
    for group in groups.into_values() {
        let best = group
            .iter()
            .copied()
            .min_by(|&left, &right| candidates[right].score.total_cmp(&candidates[left].score).then(left.cmp(&right)));
        for index in group {
            let is_known = is_known(schema, &candidates[index].pair);
            let candidate = &mut candidates[index];
            if is_known {
                candidate.tier = Tier::Declared;
                continue;
            }
            if Some(index) != best {
                candidate.tier = Tier::Rejected;
                candidate.reason = Some(Rejection::AnotherParent);
                continue;
            }
            candidate.tier = tier(candidate);
            candidate.reason = (candidate.tier == Tier::Rejected).then_some(Rejection::Score);
        }
    }
    candidates
}

/// True if the configuration has the relation, with the condition that `--accept` writes.
fn is_known(schema: &Schema, pair: &Pair) -> bool {
    let table = &schema.tables[pair.child.table];
    let terms = pair.condition.iter().map(|(column, value)| (table.columns[*column].name.as_str(), value));
    let condition = discovery_condition::sql(terms, schema.database.engine.facts());
    schema.relations.iter().any(|relation| {
        (relation.child, relation.parent.table) == (pair.child.table, Some(pair.parent.table))
            && (&relation.child_columns, &relation.parent.columns) == (&pair.child.columns, &pair.parent.columns)
            && relation.scope.condition.as_deref() == Some(condition.as_str())
    })
}

fn tier(candidate: &Candidate) -> Tier {
    match candidate.score {
        score if score >= CERTAIN => Tier::Certain,
        score if score >= LIKELY => Tier::Likely,
        score if score >= POSSIBLE => Tier::Possible,
        _ => Tier::Rejected,
    }
}

fn judged(schema: &Schema, names: &Names, pair: &Pair) -> Candidate {
    let counts = &pair.counts;
    let value = pair.condition.iter().find_map(|(_, value)| value.as_text()).unwrap_or_default();
    let likeness = polymorphic::value_names_table(names, value, pair.parent.table);
    let missing = counts.missing_keys as f64 / counts.distinct.max(1) as f64;
    let table = &schema.tables[pair.parent.table].name;
    let exact = f64::from(u8::from(counts.missing_keys == 0));
    let few = f64::from(u8::from(counts.distinct < 2));
    let evidence = [
        ("start", 1.0, -3.0, "where every pair with a condition starts".to_owned()),
        ("value-names-table", likeness, 6.0, format!("the value names the table {table}")),
        ("exact", exact, 1.0, format!("all {} exist", plural(counts.distinct, "key"))),
        (
            "missing-keys",
            missing,
            -5.0,
            format!("{} of {} keys are missing", count(counts.missing_keys), count(counts.distinct)),
        ),
        ("few-keys", few, -1.0, "the child has a single key with this value".to_owned()),
    ];
    let evidence: Vec<Evidence> = evidence
        .into_iter()
        .map(|(feature, value, weight, text)| Evidence {
            feature: feature.to_owned(),
            value,
            weight: weight * value,
            text,
        })
        .filter(|entry| entry.weight != 0.0)
        .collect();
    let logit: f64 = evidence.iter().map(|entry| entry.weight).sum();
    Candidate { pair: pair.clone(), tier: Tier::Possible, score: sigmoid(logit), reason: None, evidence }
}

/// A column that refers to several tables, as another column says, refers to no table as a whole.
pub(super) fn take_back_unconditional(candidates: &mut [Candidate], conditional: &[Candidate]) {
    let is_found = |candidate: &&Candidate| matches!(candidate.tier, Tier::Certain | Tier::Likely);
    let is_accepted = |candidate: &&Candidate| candidate.tier == Tier::Declared || is_found(candidate);
    let children: Vec<&ColumnList> =
        conditional.iter().filter(is_accepted).map(|candidate| &candidate.pair.child).collect();
    for candidate in candidates.iter_mut().filter(|candidate| is_found(&&**candidate)) {
        if children.contains(&&candidate.pair.child) {
            candidate.tier = Tier::Possible;
            candidate.reason = Some(Rejection::AnotherParent);
        }
    }
}
