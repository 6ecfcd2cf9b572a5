//! Judges all pairs of a database: features, scores, gates and decisions, in this order.

use crate::discover::composite_judge as composite;
use crate::discover::composite_judge::CompositeFacts;
use crate::discover::composite_judge::JudgedComposite;
use crate::discover::decide;
use crate::discover::decide::Decision;
use crate::discover::evidence;
use crate::discover::features;
use crate::discover::logistic::sigmoid;
use crate::discover::names::Names;
use crate::discover::neighbours;
use crate::discover::subject::ColumnFacts;
use crate::discover::subject::PairFacts;
use crate::discover::subject::Subject;
use crate::discover::weights::Steps;
use crate::discover::weights::Weights;
use crate::model::discovery::Evidence;

/// The score of a declared relation, as its neighbours see it.
const DECLARED: f64 = 0.999;

/// The judgement of every pair, in the order of the given pairs.
pub(super) struct Judgement<'n> {
    pub(super) subject: Subject<'n>,
    pub(super) singles: Vec<Decision>,
    pub(super) composites: Vec<JudgedComposite>,
    pub(super) is_blind: bool,
    weights: Weights,
}

impl<'n> Judgement<'n> {
    pub(super) fn of(
        names: &'n Names,
        columns: Vec<ColumnFacts>,
        pairs: Vec<PairFacts>,
        composites: Vec<CompositeFacts>,
    ) -> Judgement<'n> {
        let weights = Weights::shipped();
        let mut subject = Subject::new(names, columns, pairs);
        let is_blind = is_blind(&subject);
        features::compute(&mut subject);
        let steps = if is_blind { &weights.blind } else { &weights.named };
        for pair in &mut subject.pairs {
            pair.alone_logit = dot(&pair.features, &steps.pair);
            pair.alone = if pair.facts.is_declared { DECLARED } else { sigmoid(pair.alone_logit) };
        }
        neighbours::compute(&mut subject);
        for pair in &mut subject.pairs {
            pair.score = sigmoid(dot(&pair.neighbours, &steps.neighbours));
        }
        let limits = if is_blind { &weights.blind_limits } else { &weights.limits };
        let mut singles = decide::decide(&subject, limits, is_blind);
        let composites =
            composite::judge(&subject, &mut singles, composites, &weights.composite, &weights.composite_limits);
        Judgement { subject, singles, composites, is_blind, weights }
    }

    /// Returns the evidence for a pair of single columns.
    pub(super) fn evidence(&self, index: usize) -> Vec<Evidence> {
        evidence::of_pair(&self.subject, &self.subject.pairs[index], &self.singles[index], self.steps())
    }

    /// Returns the evidence for a pair of several columns.
    pub(super) fn composite_evidence(&self, index: usize) -> Vec<Evidence> {
        evidence::of_composite(&self.composites[index], &self.weights.composite)
    }

    fn steps(&self) -> &Steps {
        if self.is_blind { &self.weights.blind } else { &self.weights.named }
    }
}

/// True if the names of the schema say nothing: next to no column is named after a key or a table, and none has a word
/// beside an identifier word.
fn is_blind(subject: &Subject<'_>) -> bool {
    const NAMED_AT_MOST: f64 = 0.02;
    let is_named = |group: &Vec<usize>| group.iter().any(|&index| subject.pairs[index].name >= 0.8);
    let named = subject.of_child.values().filter(|group| is_named(group)).count();
    let few = named as f64 <= NAMED_AT_MOST * subject.of_child.len().max(1) as f64;
    few && (0..subject.columns.len()).all(|column| {
        let words = subject.words(column);
        !words.has_id_word() || words.base.is_empty()
    })
}

fn dot(values: &[f64], weights: &[f64]) -> f64 {
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}
