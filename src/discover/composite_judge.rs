//! Judges pairs of several columns. Their parts must bear one common role, such as `uom` of `uom_auth_name` and `uom_code`.

use std::collections::BTreeMap;

use crate::discover::decide::Decision;
use crate::discover::feature::CompositeFeature as F;
use crate::discover::gates;
use crate::discover::gates::Gate;
use crate::discover::likeness;
use crate::discover::likeness::Kind;
use crate::discover::names::ColumnWords;
use crate::discover::names::Names;
use crate::discover::subject::NAMED;
use crate::discover::subject::Subject;
use crate::discover::weights::Limits;
use crate::model::discovery::Rejection;
use crate::model::discovery::Tier;
use crate::model::ids::TableId;

/// The database declares keys, and the parent's columns are none of them.
const UNDECLARED_KEY: Gate = Gate {
    name: "gate:undeclared-key",
    text: "the parent's columns are unique in their rows only, and the database declares other keys",
    bound: 0.45,
};

/// The database declares no keys, and a year or an amount is a part of this one.
const MEASURED_KEY: Gate = Gate {
    name: "gate:measured-key",
    text: "nobody declares the parent's columns as a key, and a part of them is a measure or a date",
    bound: 0.45,
};

/// The database declares no keys.
const NO_DECLARED_KEY: Gate = Gate {
    name: "gate:undeclared-key",
    text: "the parent's columns are unique in their rows, but nobody declares them as a key",
    bound: gates::NOT_CERTAIN,
};

/// So many different keys rarely match by chance.
const MANY: u64 = 30;

/// The likeness of columns of which only some share a role.
const LOOSE: f64 = 0.4;

/// A pair of several columns with what its values say.
#[derive(Debug, Clone)]
pub(super) struct CompositeFacts {
    pub(super) child: TableId,
    pub(super) child_columns: Vec<usize>,
    pub(super) parent: TableId,
    pub(super) parent_columns: Vec<usize>,
    pub(super) distinct: u64,
    pub(super) missing_keys: u64,
    pub(super) parent_keys: u64,
    /// The number of combinations of the values of the key's parts.
    pub(super) combinations: f64,
    /// The rows of the child with a complete key.
    pub(super) rows: u64,
    /// True if the parent's columns are a declared key.
    pub(super) is_declared_key: bool,
    /// The number of columns of the parent.
    pub(super) parent_width: usize,
    /// True if the schema has this relation already.
    pub(super) is_declared: bool,
}

impl CompositeFacts {
    /// The child's columns in the order of the table. Pairs with equal columns compete.
    fn sorted_columns(&self) -> Vec<usize> {
        let mut columns = self.child_columns.clone();
        columns.sort_unstable();
        columns
    }
}

/// A pair of several columns with its score.
#[derive(Debug, Clone)]
pub(super) struct JudgedComposite {
    pub(super) facts: CompositeFacts,
    pub(super) features: [f64; F::COUNT],
    pub(super) role: Option<Vec<String>>,
    pub(super) decision: Decision,
}

/// Judges all pairs of several columns, and takes back single references that are only parts of them.
pub(super) fn judge(
    subject: &Subject<'_>,
    singles: &mut [Decision],
    composites: Vec<CompositeFacts>,
    weights: &[f64; F::COUNT],
    limits: &Limits,
) -> Vec<JudgedComposite> {
    let single_references = accepted_singles(subject, singles, 0.0);
    let named_references = accepted_singles(subject, singles, NAMED);
    let mut judged: Vec<JudgedComposite> = composites
        .into_iter()
        .map(|facts| {
            let (features, role) = features(subject.names, &single_references, &named_references, &facts);
            let logit: f64 = features.iter().zip(weights).map(|(value, weight)| value * weight).sum();
            let score = 1.0 / (1.0 + (-logit).exp());
            let mut decision = Decision { tier: Tier::Rejected, reason: None, score, changes: Vec::new() };
            if !facts.is_declared_key {
                let has_measure = features[F::MeasurePart as usize] > 0.0;
                let gate = match (subject.declares_keys, has_measure) {
                    (true, _) => UNDECLARED_KEY,
                    (false, true) => MEASURED_KEY,
                    (false, false) => NO_DECLARED_KEY,
                };
                decision.change(gate, score.min(gate.bound));
            }
            JudgedComposite { facts, features, role, decision }
        })
        .collect();
    keep_best_order(&mut judged, limits);
    take_back_parts(subject, singles, &judged);
    reject_reverse(subject.names, &mut judged);
    keep_best_parent(&mut judged);
    judged
}

/// The accepted references of single columns to declared keys: child column, parent column.
type Singles = Vec<((TableId, usize), (TableId, usize))>;

fn accepted_singles(subject: &Subject<'_>, decisions: &[Decision], least_name: f64) -> Singles {
    let accepted =
        subject.pairs.iter().zip(decisions).filter(|(pair, decision)| decision.is_found() && pair.name >= least_name);
    let declared = accepted.filter(|(pair, _)| subject.parent(pair).key.is_some());
    declared
        .map(|(pair, _)| {
            let (child, parent) = (subject.child(pair), subject.parent(pair));
            ((child.table, child.column), (parent.table, parent.column))
        })
        .collect()
}

fn features(
    names: &Names,
    singles: &Singles,
    named: &Singles,
    facts: &CompositeFacts,
) -> ([f64; F::COUNT], Option<Vec<String>>) {
    let mut values = [0.0; F::COUNT];
    let mut put = |feature: F, value: f64| values[feature as usize] = value;
    let flag = |is_set: bool| f64::from(u8::from(is_set));
    let is_self = facts.child == facts.parent;
    let role = common_role(names, facts).or_else(|| loose_role(names, facts));
    put(F::Bias, 1.0);
    match &role {
        Some((role, likeness)) => {
            put(F::RoleLikeness, if !role.is_empty() || !is_self { *likeness } else { 0.0 });
            let (first, last) = (facts.child_columns.iter().min(), facts.child_columns.iter().max());
            let span = last.zip(first).map_or(0, |(last, first)| last - first);
            put(F::Adjacent, flag(span + 1 == facts.child_columns.len()));
        }
        None => {
            put(F::NoRole, 1.0);
            let parts: Vec<f64> =
                parts(names, facts).map(|(child, key)| part_likeness(names, facts, child, key)).collect();
            let all_alike = parts.iter().all(|likeness| *likeness >= 0.6);
            put(F::NamesAlike, if all_alike { parts.iter().sum::<f64>() / parts.len() as f64 } else { 0.0 });
        }
    }
    put(F::DenseKey, flag(facts.parent_keys as f64 > 0.8 * facts.combinations.max(1.0)));
    put(F::MissingKeys, facts.missing_keys as f64 / facts.distinct.max(1) as f64);
    let refers_by_itself = |((child, child_column), (parent, parent_column)): &((TableId, usize), (TableId, usize))| {
        (*child, *parent) == (facts.child, facts.parent)
            && facts.child_columns.contains(child_column)
            && facts.parent_columns.contains(parent_column)
    };
    put(F::SingleReference, flag(singles.iter().any(refers_by_itself)));
    put(F::FewKeys, flag(facts.distinct < 4));
    let is_dense = facts.parent_keys as f64 > 0.5 * facts.combinations.max(1.0);
    put(F::ManyExact, flag(facts.missing_keys == 0 && facts.distinct >= MANY && !is_dense));
    let is_reference = |column: &&usize| named.iter().any(|(child, _)| *child == (facts.parent, **column));
    let is_joining = facts.parent_columns.iter().filter(is_reference).count() >= 2;
    put(F::ParentOnlyKey, flag(is_joining && facts.parent_width == facts.parent_columns.len()));
    put(F::MeasurePart, flag(parts(names, facts).any(|(_, key)| key.is_measure && !key.has_id_word())));
    let (own, other) = (&names.tables[facts.child].joined, &names.tables[facts.parent].joined);
    let is_named_after = !is_self && other.len() > 2 && own.contains(other.as_str());
    put(F::OwnKey, flag(facts.distinct == facts.rows && !is_named_after));
    put(F::ChildNamedAfterParent, flag(is_named_after));
    let has_role = role.as_ref().is_some_and(|(role, _)| !role.is_empty());
    put(F::SelfReference, flag(is_self && !has_role));
    (values, role.map(|(role, _)| role))
}

/// Returns the words of each part: of the child's column and of the key's column.
fn parts<'n>(names: &'n Names, facts: &'n CompositeFacts) -> impl Iterator<Item = (&'n ColumnWords, &'n ColumnWords)> {
    let pairs = facts.child_columns.iter().zip(&facts.parent_columns);
    pairs.map(|(&child, &key)| (names.column(facts.child, child), names.column(facts.parent, key)))
}

fn part_likeness(names: &Names, facts: &CompositeFacts, child: &ColumnWords, key: &ColumnWords) -> f64 {
    let tables = &names.tables;
    let to_key = likeness::to_key(child, key).degree;
    let is_tail = child.all.last() == key.all.last() && child.full.ends_with(key.full.as_str());
    let by_name = if is_tail {
        1.0
    } else if child.full == key.full {
        0.9
    } else {
        to_key
    };
    by_name.max(0.9 * likeness::to_table(child, &tables[facts.child], &tables[facts.parent]).degree)
}

/// Returns the role of columns of which some bear the key's own names and the others one role, as `Capital`, `Country` and
/// `CapProv` do for the key `Name`, `Country` and `Province` of a city.
fn loose_role(names: &Names, facts: &CompositeFacts) -> Option<(Vec<String>, f64)> {
    let own_table = &names.tables[facts.child];
    let mut role: Option<Vec<String>> = None;
    let mut equal = 0;
    for (child, key) in parts(names, facts) {
        let is_own_key = child.is_generic && !key.base.is_empty() && key.base == own_table.joined;
        if child.full == key.full || (!child.base.is_empty() && child.base == key.base) || is_own_key {
            equal += 1;
            continue;
        }
        let own = match (child.all.split_last(), key.all.last()) {
            (Some((last, before)), Some(end)) if last == end || (last.len() >= 3 && end.starts_with(last.as_str())) => {
                before.to_vec()
            }
            _ if key.is_generic && !child.is_measure => child.words.clone(),
            _ => return None,
        };
        let joined = own.concat();
        let known = role.as_ref().map(|role| role.concat());
        let agrees = known.is_none_or(|known| known.starts_with(&joined) || joined.starts_with(&known));
        if own.is_empty() || !agrees {
            return None;
        }
        role = Some(own);
    }
    // One named part says nothing about the others.
    (equal > 0).then_some((role?, LOOSE))
}

/// Returns the words that stand before every part of the key, and how much they name the parent table. No words mean that the
/// columns bear the key's own names. `None` if the parts have no role in common.
///
/// A part that is named after the parent table, such as `Province` for the `Name` of a province, goes with any role.
pub(super) fn common_role(names: &Names, facts: &CompositeFacts) -> Option<(Vec<String>, f64)> {
    let tables = &names.tables;
    let parent = &tables[facts.parent];
    let mut role: Option<Vec<String>> = None;
    let mut is_named_after_parent = false;
    for (child, key) in parts(names, facts) {
        let own = if child.all.ends_with(&key.all) {
            child.all[..child.all.len() - key.all.len()].to_vec()
        } else if !child.base.is_empty() && child.base == parent.joined && key.is_generic {
            is_named_after_parent = true;
            continue;
        } else if child.full == key.full || (!child.base.is_empty() && child.base == key.base) {
            Vec::new()
        } else {
            let stem = child.full.strip_suffix(key.full.as_str()).filter(|_| key.full.len() > 3)?;
            vec![stem.to_owned()]
        };
        if role.as_ref().is_some_and(|role| *role != own) {
            return None;
        }
        role = Some(own);
    }
    let role = role.unwrap_or_default();
    if role.is_empty() {
        return Some((role, if is_named_after_parent { 1.0 } else { 0.8 }));
    }
    let likeness = role_likeness(names, facts, &role);
    Some((role, likeness))
}

fn role_likeness(names: &Names, facts: &CompositeFacts, role: &[String]) -> f64 {
    const LONGEST_INITIALS: usize = 4;
    let tables = &names.tables;
    let parent = &tables[facts.parent];
    let as_column = ColumnWords::of_role(role);
    let likeness = likeness::to_table(&as_column, &tables[facts.child], parent);
    if likeness.kind != Kind::None {
        return likeness.degree;
    }
    let initials: String = parent.words.iter().filter_map(|word| word.chars().next()).take(LONGEST_INITIALS).collect();
    let last = role.last().map_or("", String::as_str);
    if !initials.is_empty() && (initials == last || initials == as_column.base) {
        return 0.85;
    }
    if !last.is_empty() && last == parent.last() { 0.75 } else { 0.0 }
}

/// Of pairs with the same columns in another order, the best gets its tier.
fn keep_best_order(judged: &mut [JudgedComposite], limits: &Limits) {
    let mut groups: BTreeMap<(TableId, TableId, Vec<usize>), Vec<usize>> = BTreeMap::new();
    for (index, pair) in judged.iter().enumerate() {
        groups.entry((pair.facts.child, pair.facts.parent, pair.facts.sorted_columns())).or_default().push(index);
    }
    let is_declared: Vec<bool> = judged.iter().map(|pair| pair.facts.is_declared).collect();
    for group in groups.into_values() {
        let declared = group.iter().copied().find(|&index| is_declared[index]);
        let best = declared.or_else(|| best_of(judged, &group));
        for index in group {
            let decision = &mut judged[index].decision;
            if is_declared[index] {
                decision.tier = Tier::Declared;
                continue;
            }
            if Some(index) != best {
                decision.reject(Rejection::AnotherParent);
                continue;
            }
            decision.tier = limits.tier(decision.score);
            decision.reason = (decision.tier == Tier::Rejected).then_some(Rejection::Score);
        }
    }
}

/// Returns the pair with the highest score; of equal scores the first.
fn best_of(judged: &[JudgedComposite], group: &[usize]) -> Option<usize> {
    let score = |index: usize| judged[index].decision.score;
    group.iter().copied().min_by(|&left, &right| score(right).total_cmp(&score(left)).then(left.cmp(&right)))
}

/// A single column of an accepted composite key is no reference to a key that is not declared, nor to a key that it is not
/// named after.
fn take_back_parts(subject: &Subject<'_>, singles: &mut [Decision], judged: &[JudgedComposite]) {
    let accepted = judged.iter().filter(|pair| pair.decision.is_found());
    let parts: Vec<(TableId, usize)> =
        accepted.flat_map(|pair| pair.facts.child_columns.iter().map(|&column| (pair.facts.child, column))).collect();
    for (pair, decision) in subject.pairs.iter().zip(singles) {
        let child = subject.child(pair);
        let is_weak = subject.parent(pair).key.is_none() || pair.name < 0.8;
        if decision.is_found() && !pair.facts.is_declared && is_weak && parts.contains(&(child.table, child.column)) {
            decision.tier = Tier::Possible;
            decision.reason = Some(Rejection::PartOfComposite);
        }
    }
}

/// Two tables with one key do not refer to each other, unless one name contains the other.
fn reject_reverse(names: &Names, judged: &mut [JudgedComposite]) {
    let ends =
        |facts: &CompositeFacts| (facts.child, facts.parent, facts.child_columns.clone(), facts.parent_columns.clone());
    let accepted: Vec<_> =
        judged.iter().filter(|pair| pair.decision.is_found()).map(|pair| ends(&pair.facts)).collect();
    for pair in judged.iter_mut().filter(|pair| pair.decision.is_found() && !pair.facts.is_declared) {
        let (child, parent, child_columns, parent_columns) = ends(&pair.facts);
        let reverse = (parent, child, parent_columns, child_columns);
        let (own, other) = (&names.tables[child].joined, &names.tables[parent].joined);
        let extends = other.len() > 2 && own.contains(other.as_str());
        if accepted.contains(&reverse) && !extends {
            pair.decision.tier = Tier::Possible;
            pair.decision.reason = Some(Rejection::OtherDirection);
        }
    }
}

fn keep_best_parent(judged: &mut [JudgedComposite]) {
    let mut groups: BTreeMap<(TableId, Vec<usize>), Vec<usize>> = BTreeMap::new();
    for (index, pair) in judged.iter().enumerate().filter(|(_, pair)| pair.decision.is_found()) {
        groups.entry((pair.facts.child, pair.facts.sorted_columns())).or_default().push(index);
    }
    for group in groups.into_values() {
        let declared = group.iter().copied().find(|&index| judged[index].facts.is_declared);
        let best = declared.or_else(|| best_of(judged, &group));
        for index in group.into_iter().filter(|index| Some(*index) != best) {
            if judged[index].facts.is_declared {
                continue;
            }
            judged[index].decision.reject(Rejection::AnotherParent);
        }
    }
}
