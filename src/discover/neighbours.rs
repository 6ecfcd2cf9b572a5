//! Computes the features of each pair among its neighbours: the other parents of its child, the other columns of its
//! tables, and the naming patterns of the schema.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::discover::feature::NeighbourFeature as F;
use crate::discover::subject::Judged;
use crate::discover::subject::Pattern;
use crate::discover::subject::Subject;
use crate::model::ids::TableId;

/// From this score on, a pair by itself counts as a reference for its neighbours.
const STRONG: f64 = 0.5;

/// Computes the features of all pairs among their neighbours. Every pair must have its score by itself.
pub(super) fn compute(subject: &mut Subject<'_>) {
    let picture = Picture::of(subject);
    let features: Vec<_> = (0..subject.pairs.len()).map(|index| picture.features(subject, index)).collect();
    for (pair, features) in subject.pairs.iter_mut().zip(features) {
        pair.neighbours = features;
    }
}

/// The schema as the pairs by themselves draw it.
struct Picture {
    /// The best pair of each child, and the second best score.
    best: BTreeMap<usize, (usize, f64)>,
    patterns: Vec<(Pattern, f64)>,
    /// The sum of the strong scores.
    total: f64,
    /// The sum of the strong scores of each parent's column.
    popularity: HashMap<usize, f64>,
    /// The scores of equally named columns for each parent's column, with their tables.
    equally_named: HashMap<(String, usize), Vec<(f64, TableId)>>,
    by_columns: HashMap<(usize, usize), f64>,
    /// The pairs between a child's table and a parent's column.
    siblings: HashMap<(TableId, usize), Vec<usize>>,
    parts: Parts,
    /// The number of strong pairs at each table, and of those that leave it.
    degree: HashMap<TableId, usize>,
    leaving: HashMap<TableId, usize>,
    /// For the best pair of each child, true if nothing stronger joins its two parts of the schema.
    connects: HashMap<usize, bool>,
    /// The share of strong children whose names have an identifier word.
    id_share: f64,
}

impl Picture {
    fn of(subject: &Subject<'_>) -> Picture {
        let mut picture = Picture {
            best: BTreeMap::new(),
            patterns: Vec::new(),
            total: 0.0,
            popularity: HashMap::new(),
            equally_named: HashMap::new(),
            by_columns: HashMap::new(),
            siblings: HashMap::new(),
            parts: Parts::new(subject),
            degree: HashMap::new(),
            leaving: HashMap::new(),
            connects: HashMap::new(),
            id_share: 0.0,
        };
        for (&child, group) in &subject.of_child {
            picture.add_child(subject, child, group);
        }
        picture.join_parts(subject);
        let strong = picture.best.iter().filter(|(_, (index, _))| subject.pairs[*index].alone > STRONG);
        let with_id = strong.clone().filter(|(child, _)| subject.words(**child).has_id_word()).count();
        picture.id_share = (with_id as f64 + 1.0) / (strong.count() as f64 + 2.0);
        picture
    }

    fn add_child(&mut self, subject: &Subject<'_>, child: usize, group: &[usize]) {
        let score = |index: &usize| subject.pairs[*index].alone;
        let mut order = group.to_vec();
        order.sort_by(|left, right| score(right).total_cmp(&score(left)));
        let Some(&best) = order.first() else { return };
        self.best.insert(child, (best, order.get(1).map_or(0.0, score)));
        let pair = &subject.pairs[best];
        if pair.alone > STRONG {
            let pattern = pair.pattern();
            match self.patterns.iter_mut().find(|(known, _)| *known == pattern) {
                Some((_, sum)) => *sum += pair.alone,
                None => self.patterns.push((pattern, pair.alone)),
            }
            self.total += pair.alone;
            *self.popularity.entry(pair.facts.parent).or_default() += pair.alone;
            *self.leaving.entry(subject.child(pair).table).or_default() += 1;
        }
        for &index in group {
            let pair = &subject.pairs[index];
            let table = subject.child(pair).table;
            let key = (subject.words(child).full.clone(), pair.facts.parent);
            self.equally_named.entry(key).or_default().push((pair.alone, table));
            self.by_columns.insert((child, pair.facts.parent), pair.alone);
            self.siblings.entry((table, pair.facts.parent)).or_default().push(index);
        }
    }

    /// Joins the parts of the schema, the strongest pair first.
    fn join_parts(&mut self, subject: &Subject<'_>) {
        let mut order: Vec<usize> = self.best.values().map(|(index, _)| *index).collect();
        order.sort_by(|left, right| subject.pairs[*right].alone.total_cmp(&subject.pairs[*left].alone));
        for index in order {
            let pair = &subject.pairs[index];
            let (child, parent) = (subject.child(pair).table, subject.parent(pair).table);
            self.connects.insert(index, self.parts.of(child) != self.parts.of(parent));
            if pair.alone > STRONG && child != parent {
                self.parts.join(child, parent);
                *self.degree.entry(child).or_default() += 1;
                *self.degree.entry(parent).or_default() += 1;
            }
        }
    }

    fn features(&self, subject: &Subject<'_>, index: usize) -> [f64; F::COUNT] {
        let mut values = [0.0; F::COUNT];
        let mut put = |feature: F, value: f64| values[feature as usize] = value;
        let flag = |is_set: bool| f64::from(u8::from(is_set));
        let pair = &subject.pairs[index];
        let child = pair.facts.child;
        let (own, other) = (subject.child(pair).table, subject.parent(pair).table);
        let group = subject.of_child.get(&child).map(Vec::as_slice).unwrap_or_default();
        let (best, second) = self.best.get(&child).copied().unwrap_or((index, 0.0));
        let is_best = best == index;
        let is_counted = is_best && pair.alone > STRONG;
        put(F::Pair, pair.alone_logit);
        let has_id = subject.words(child).has_id_word();
        put(F::IdConvention, if has_id { self.id_share } else { 1.0 - self.id_share });
        let (by_name, adjacent) = self.siblings(subject, index);
        put(F::SiblingWord, by_name);
        put(F::SiblingAdjacent, adjacent);
        let degree = |table: TableId| {
            let itself = usize::from(is_counted && own != other);
            self.degree.get(&table).map_or(0, |degree| degree.saturating_sub(itself))
        };
        put(F::Isolated, flag(degree(own) == 0));
        let connects = self.connects.get(&index).copied().unwrap_or_else(|| self.parts.of(own) != self.parts.of(other));
        put(F::Connects, flag(connects));
        put(F::ScoreConnects, pair.alone * flag(connects));
        put(F::OnlyParent, flag(group.len() == 1));
        let leaving = self.leaving.get(&own).copied().unwrap_or(0) - usize::from(is_counted);
        put(F::HasOtherEdge, (leaving as f64 / 3.0).min(1.0));
        put(F::Hub, (degree(other) as f64 / 4.0).min(1.0));
        put(F::Best, flag(is_best));
        let rival = if is_best { second } else { subject.pairs[best].alone };
        put(F::Margin, pair.alone - rival);
        let pattern = pair.pattern();
        let sum = self.patterns.iter().find(|(known, _)| *known == pattern).map_or(0.0, |(_, sum)| *sum);
        put(F::PatternShare, if self.total >= 2.0 { sum / self.total } else { 0.5 });
        put(F::SameColumn, self.same_column(subject, pair));
        let popularity = self.popularity.get(&pair.facts.parent).copied().unwrap_or(0.0);
        put(F::Popular, ((popularity - if is_counted { pair.alone } else { 0.0 }) / 3.0).min(1.0));
        put(F::ChildHasKey, flag(subject.child(pair).key.is_some()));
        let reverse = self.by_columns.get(&(pair.facts.parent, child)).copied().unwrap_or(0.0);
        put(F::Reverse, (reverse - pair.alone).max(0.0));
        put(F::Chain, self.best.get(&pair.facts.parent).map_or(0.0, |(best, _)| subject.pairs[*best].alone));
        put(F::Bias, 1.0);
        put(F::NoLikeness, flag(pattern == Pattern::None));
        put(F::BestName, flag(group.iter().all(|&other| subject.pairs[other].name <= pair.name)));
        values
    }

    /// Returns the highest score of an equally named column of another table for this key, 0.5 if there is none.
    fn same_column(&self, subject: &Subject<'_>, pair: &Judged) -> f64 {
        let key = (subject.words(pair.facts.child).full.clone(), pair.facts.parent);
        let own = subject.child(pair).table;
        let scores = self.equally_named.get(&key).into_iter().flatten();
        scores.filter(|(_, table)| *table != own).map(|(score, _)| *score).reduce(f64::max).unwrap_or(0.5)
    }

    /// Returns the highest scores for this key of a column of the same table whose name differs in one word, and of the
    /// column beside it.
    fn siblings(&self, subject: &Subject<'_>, index: usize) -> (f64, f64) {
        let pair = &subject.pairs[index];
        let child = subject.child(pair);
        let (mut by_name, mut adjacent) = (0.0_f64, 0.0_f64);
        for &other in self.siblings.get(&(child.table, pair.facts.parent)).into_iter().flatten() {
            if other == index {
                continue;
            }
            let other = &subject.pairs[other];
            let column = subject.child(other);
            if differ_in_one_word(&subject.words(other.facts.child).all, &subject.words(pair.facts.child).all) {
                by_name = by_name.max(other.alone);
            }
            let is_beside = column.column.abs_diff(child.column) == 1;
            if is_beside && column.declared_type == child.declared_type && other.is_named() == pair.is_named() {
                adjacent = adjacent.max(other.alone);
            }
        }
        (by_name, adjacent)
    }
}

/// True for names such as `winner_id` and `loser_id`, or `country1` and `country2`.
fn differ_in_one_word(left: &[String], right: &[String]) -> bool {
    left.len() == right.len()
        && left.len() > 1
        && left.iter().zip(right).filter(|(left, right)| left != right).count() == 1
}

/// The parts of a schema that its strong pairs join: a union-find over tables.
struct Parts(HashMap<TableId, TableId>);

impl Parts {
    fn new(subject: &Subject<'_>) -> Parts {
        Parts(subject.columns.iter().map(|column| (column.table, column.table)).collect())
    }

    fn of(&self, table: TableId) -> TableId {
        let mut table = table;
        while let Some(&next) = self.0.get(&table).filter(|next| **next != table) {
            table = next;
        }
        table
    }

    fn join(&mut self, left: TableId, right: TableId) {
        let (left, right) = (self.of(left), self.of(right));
        self.0.insert(left, right);
    }
}
