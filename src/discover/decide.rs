//! Decides the tier of every pair of single columns: one parent for each child, and no two directions at once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use crate::discover::feature::PairFeature as F;
use crate::discover::gates;
use crate::discover::gates::Gate;
use crate::discover::likeness::Kind;
use crate::discover::subject::Judged;
use crate::discover::subject::Subject;
use crate::discover::weights::Limits;
use crate::model::discovery::Rejection;
use crate::model::discovery::Tier;
use crate::model::ids::TableId;

/// The decision about one pair.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    pub(super) tier: Tier,
    pub(super) reason: Option<Rejection>,
    /// The score after gates.
    pub(super) score: f64,
    /// The bounds and floors that changed the score, in order, each with the score after it.
    pub(super) changes: Vec<(Gate, f64)>,
}

impl Decision {
    fn change(&mut self, gate: Gate, score: f64) {
        if score != self.score {
            self.score = score;
            self.changes.push((gate, score));
        }
    }

    pub(super) fn is_found(&self) -> bool {
        matches!(self.tier, Tier::Declared | Tier::Certain | Tier::Likely)
    }

    pub(super) fn reject(&mut self, reason: Rejection) {
        self.tier = Tier::Rejected;
        self.reason = Some(reason);
    }
}

/// The child's key is the key of a supertype: it is contained exactly and bears its name.
const INHERITANCE: Gate = Gate {
    name: "rule:inheritance",
    text: "the child's primary key bears the name of the parent's key, and every key exists: the table extends the parent",
    bound: 0.6,
};

/// Another table with a key of this name holds the values more closely.
const NEARER: Gate = Gate {
    name: "rule:nearer-table",
    text: "of the tables with a key of this name, this table is the nearest",
    bound: gates::NOT_CERTAIN,
};

/// Decides about all pairs.
pub(super) fn decide(subject: &Subject<'_>, limits: &Limits, is_blind: bool) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = subject.pairs.iter().map(|pair| gated(subject, pair, is_blind)).collect();
    let mut best: BTreeMap<usize, usize> = BTreeMap::new();
    for (&child, group) in &subject.of_child {
        if group.iter().any(|&index| subject.pairs[index].facts.is_declared) {
            continue;
        }
        let order = |left: &&usize, right: &&usize| {
            let (left, right) = (**left, **right);
            let by_score = decisions[right].score.total_cmp(&decisions[left].score);
            by_score.then(subject.pairs[right].name.total_cmp(&subject.pairs[left].name))
        };
        if let Some(&first) = group.iter().min_by(order) {
            best.insert(child, first);
        }
    }
    choose_among_subtypes(subject, &mut best, &mut decisions);
    for (index, pair) in subject.pairs.iter().enumerate() {
        if pair.facts.is_declared {
            decisions[index].tier = Tier::Declared;
        } else if best.get(&pair.facts.child) != Some(&index) {
            let reason = decisions[index].reason.take().unwrap_or(Rejection::AnotherParent);
            decisions[index].reject(reason);
        }
    }
    for &index in best.values() {
        let decision = &mut decisions[index];
        decision.tier = limits.tier(decision.score);
        decision.reason = (decision.tier == Tier::Rejected).then_some(Rejection::Score);
    }
    reject_reverse(subject, &best, &mut decisions);
    reject_reverse_of_declared(subject, &mut decisions);
    decisions
}

impl Limits {
    pub(super) fn tier(&self, score: f64) -> Tier {
        match score {
            _ if score >= self.certain => Tier::Certain,
            _ if score >= self.likely => Tier::Likely,
            _ if score >= self.possible => Tier::Possible,
            _ => Tier::Rejected,
        }
    }
}

fn gated(subject: &Subject<'_>, pair: &Judged, is_blind: bool) -> Decision {
    let mut decision = Decision { tier: Tier::Possible, reason: None, score: pair.score, changes: Vec::new() };
    if let Some(gate) = gates::strictest(subject, pair, is_blind) {
        let bounded = pair.score.min(gate.bound);
        decision.change(gate, bounded);
    }
    decision
}

/// Where several tables have a key of one name that holds all values, chooses the table that the key is named after, or the
/// nearest table if that one holds the values much more closely.
fn choose_among_subtypes(subject: &Subject<'_>, best: &mut BTreeMap<usize, usize>, decisions: &mut [Decision]) {
    let mut hubs: HashMap<TableId, usize> = HashMap::new();
    let mut children: Vec<usize> = best.keys().copied().collect();
    // Columns that are no keys come first, because they say which of the tables are hubs.
    children.sort_by_key(|child| subject.columns[*child].is_unique || subject.columns[*child].key.is_some());
    for child in children {
        let Some(&first) = best.get(&child) else { continue };
        let Some(choice) = Choice::among(subject, first, decisions, &hubs) else { continue };
        if let Some(table) = choice.counted_hub {
            *hubs.entry(table).or_default() += 1;
        }
        let Some(winner) = choice.winner else { continue };
        let pair = &subject.pairs[winner];
        let is_hub = hubs.get(&subject.parent(pair).table).is_some_and(|number| *number > 1);
        let extends = pair.has(F::OwnPrimary) && subject.parent(pair).is_primary() && pair.to_key.kind == Kind::Equal;
        let score = decisions[winner].score;
        if extends && pair.is_exact() && (choice.owner == Some(winner) || is_hub) {
            decisions[winner].change(INHERITANCE, score.max(INHERITANCE.bound));
        }
        let score = decisions[winner].score;
        decisions[winner].change(gates::SHARED_KEY, score.min(gates::SHARED_KEY.bound));
        if winner != first {
            let floor = decisions[first].score.min(NEARER.bound);
            let score = decisions[winner].score;
            decisions[winner].change(NEARER, score.max(floor));
            decisions[first].reject(Rejection::Subtype);
            best.insert(child, winner);
        }
    }
}

/// The choice among tables that share a key's name.
struct Choice {
    winner: Option<usize>,
    /// The pair whose parent the key is named after.
    owner: Option<usize>,
    counted_hub: Option<TableId>,
}

impl Choice {
    fn among(
        subject: &Subject<'_>,
        first: usize,
        decisions: &[Decision],
        hubs: &HashMap<TableId, usize>,
    ) -> Option<Choice> {
        let pair = &subject.pairs[first];
        let key = subject.words(pair.facts.parent);
        if key.base.is_empty() {
            return None;
        }
        let is_equal_key = |other: &Judged| {
            let table = subject.parent(other).table;
            let is_one_to_one = pair.has(F::OwnKey) && other.facts.parent_keys == pair.facts.distinct;
            subject.words(other.facts.parent).full == key.full
                && other.facts.missing_keys <= pair.facts.missing_keys
                && (!is_one_to_one || hubs.contains_key(&table))
                && (other.name - pair.name).abs() < 0.13
                && subject.has_good_key(other)
        };
        let group = subject.of_child.get(&pair.facts.child)?;
        let equal: Vec<usize> = group.iter().copied().filter(|&index| is_equal_key(&subject.pairs[index])).collect();
        if equal.len() < 2 || pair.name < 0.6 {
            return None;
        }
        let is_owner = |index: &usize| {
            let base = &subject.words(subject.pairs[*index].facts.parent).base;
            !base.is_empty() && subject.names.tables[subject.parent(&subject.pairs[*index]).table].joined == *base
        };
        let owner = equal.iter().copied().find(is_owner);
        let tightest = equal.iter().copied().min_by(|&left, &right| {
            let (a, b) = (&subject.pairs[left], &subject.pairs[right]);
            let keys = a.facts.parent_keys.cmp(&b.facts.parent_keys);
            let named = b.feature(F::ChildNamedAfterParent).total_cmp(&a.feature(F::ChildNamedAfterParent));
            keys.then(named).then(decisions[right].score.total_cmp(&decisions[left].score))
        })?;
        let near = &subject.pairs[tightest];
        let is_close = near.facts.parent_keys < pair.facts.distinct.saturating_mul(50);
        let counted_hub = (is_close || Some(tightest) == owner).then(|| subject.parent(near).table);
        // The child's own column is what the key is named after: there is nothing to choose.
        if let Some(owner) = owner
            && subject.pairs[owner].facts.parent == pair.facts.child
        {
            return Some(Choice { winner: None, owner: Some(owner), counted_hub });
        }
        let usual = owner.unwrap_or(first);
        let is_nearer = {
            let held = &subject.pairs[usual];
            let named_after = |pair: &Judged| pair.has(F::ChildNamedAfterParent);
            owner.is_none()
                || tightest == usual
                || near.coverage() >= 2.0 * held.coverage()
                || (near.has(F::SetsEqual) && !held.has(F::SetsEqual))
                || (named_after(near) && !named_after(held) && near.coverage() > held.coverage())
        };
        let is_sound = !near.has(F::OwnPrimary) || subject.parent(near).is_primary();
        let winner = if is_nearer && is_sound { tightest } else { usual };
        Some(Choice { winner: Some(winner), owner, counted_hub })
    }
}

/// Of two directions between the same columns, keeps the stronger.
fn reject_reverse(subject: &Subject<'_>, best: &BTreeMap<usize, usize>, decisions: &mut [Decision]) {
    for (&child, &index) in best {
        let parent = subject.pairs[index].facts.parent;
        let Some(&reverse) = best.get(&parent) else { continue };
        let is_mutual = subject.pairs[reverse].facts.parent == child;
        if !is_mutual || reverse == index || !decisions[index].is_found() || !decisions[reverse].is_found() {
            continue;
        }
        let strength = |index: usize| (decisions[index].score, subject.pairs[index].feature(F::SizeRatio));
        let (this, other) = (strength(index), strength(reverse));
        let is_weaker = this.0.total_cmp(&other.0).then(this.1.total_cmp(&other.1)).is_lt();
        let weaker = if is_weaker { index } else { reverse };
        decisions[weaker].reject(Rejection::OtherDirection);
    }
}

/// The other direction of a declared relation is no relation.
fn reject_reverse_of_declared(subject: &Subject<'_>, decisions: &mut [Decision]) {
    let declared = subject.pairs.iter().filter(|pair| pair.facts.is_declared);
    let reverse: BTreeSet<(usize, usize)> = declared.map(|pair| (pair.facts.parent, pair.facts.child)).collect();
    for (pair, decision) in subject.pairs.iter().zip(decisions) {
        if !pair.facts.is_declared && decision.is_found() && reverse.contains(&(pair.facts.child, pair.facts.parent)) {
            decision.reject(Rejection::OtherDirection);
        }
    }
}
