//! The evidence for and against a pair: each feature with its value, its weight in the score, and a sentence.
//!
//! The weights add up to the logit of the score, so that a reader of the report can compute every score again.

use crate::discover::composite_judge::JudgedComposite;
use crate::discover::decide::Decision;
use crate::discover::feature::CompositeFeature;
use crate::discover::feature::NeighbourFeature;
use crate::discover::feature::PairFeature;
use crate::discover::logistic::logit;
use crate::discover::subject::Judged;
use crate::discover::subject::Subject;
use crate::discover::weights::Steps;
use crate::model::discovery::Evidence;
use crate::model::text::count;
use crate::model::text::share;

/// Returns the evidence for a pair of single columns. Features without weight or value are left out.
pub(super) fn of_pair(subject: &Subject<'_>, pair: &Judged, decision: &Decision, steps: &Steps) -> Vec<Evidence> {
    let scale = steps.neighbours[NeighbourFeature::Pair as usize];
    let by_itself = PairFeature::ALL.iter().map(|&feature| {
        let value = pair.features[feature as usize];
        let weight = scale * steps.pair[feature as usize] * value;
        Evidence { feature: feature.name().to_owned(), value, weight, text: pair_text(subject, pair, feature) }
    });
    let among_neighbours = NeighbourFeature::ALL.iter().filter(|feature| **feature != NeighbourFeature::Pair);
    let among_neighbours = among_neighbours.map(|&feature| {
        let value = pair.neighbours[feature as usize];
        // Both steps have a starting point, and a name in the list must be unique.
        let name = if feature == NeighbourFeature::Bias { "start-neighbours" } else { feature.name() };
        let weight = steps.neighbours[feature as usize] * value;
        Evidence { feature: name.to_owned(), value, weight, text: feature.text().to_owned() }
    });
    let mut evidence: Vec<Evidence> = by_itself.chain(among_neighbours).filter(|entry| entry.weight != 0.0).collect();
    add_changes(&mut evidence, decision);
    evidence
}

/// Returns the evidence for a pair of several columns.
pub(super) fn of_composite(pair: &JudgedComposite, weights: &[f64; CompositeFeature::COUNT]) -> Vec<Evidence> {
    let features = CompositeFeature::ALL.iter().map(|&feature| {
        let value = pair.features[feature as usize];
        let weight = weights[feature as usize] * value;
        Evidence { feature: feature.name().to_owned(), value, weight, text: composite_text(pair, feature) }
    });
    let mut evidence: Vec<Evidence> = features.filter(|entry| entry.weight != 0.0).collect();
    add_changes(&mut evidence, &pair.decision);
    evidence
}

/// Adds the bounds and floors that changed the score: each weighs as much as it moves the logit.
fn add_changes(evidence: &mut Vec<Evidence>, decision: &Decision) {
    for (gate, score) in &decision.changes {
        let sum: f64 = evidence.iter().map(|entry| entry.weight).sum();
        let weight = logit(*score) - sum;
        evidence.push(Evidence {
            feature: gate.name.to_owned(),
            value: gate.bound,
            weight,
            text: gate.text.to_owned(),
        });
    }
}

fn pair_text(subject: &Subject<'_>, pair: &Judged, feature: PairFeature) -> String {
    let facts = &pair.facts;
    let present = facts.distinct - facts.missing_keys;
    let child = subject.child(pair);
    match feature {
        PairFeature::Coverage | PairFeature::CoverageMagnitude | PairFeature::CoverageUnnamed => {
            format!("the child uses {} of the parent's {} keys", count(present), count(facts.parent_keys))
        }
        PairFeature::MissingKeys | PairFeature::NameMissing => format!(
            "{} of the child's {} keys ({}) are missing from the parent",
            count(facts.missing_keys),
            count(facts.distinct),
            share(facts.missing_keys, facts.distinct)
        ),
        PairFeature::MissingRows => format!(
            "{} of {} rows with a key ({}) have no parent",
            count(facts.orphan_rows),
            count(child.filled()),
            share(facts.orphan_rows, child.filled())
        ),
        PairFeature::Distinct | PairFeature::FewKeys => {
            format!("the child has {} different keys", count(facts.distinct))
        }
        PairFeature::Exact => format!("all {} keys of the child exist in the parent", count(facts.distinct)),
        PairFeature::SizeRatio => {
            format!("the child has {} rows, the parent {}", count(child.rows), count(subject.parent(pair).rows))
        }
        PairFeature::Nullable => format!("{} of {} rows have no key", count(child.nulls), count(child.rows)),
        PairFeature::Name => format!("the names are alike: {:.2} of 1", pair.name),
        PairFeature::Unevenness | PairFeature::UnevennessUnnamed | PairFeature::UnnamedIdUnevenness => {
            let text = feature.text();
            format!("{text}: {:.2}, and 0 is even", pair.feature(PairFeature::Unevenness))
        }
        PairFeature::Range => {
            let span = 100.0 * pair.feature(PairFeature::Range);
            format!("the child's keys span {span:.0}% of the parent's order")
        }
        _ => feature.text().to_owned(),
    }
}

fn composite_text(pair: &JudgedComposite, feature: CompositeFeature) -> String {
    let facts = &pair.facts;
    match (feature, &pair.role) {
        (CompositeFeature::RoleLikeness, Some(role)) if !role.is_empty() => {
            format!("the columns have the role {} in common, which names the parent table", role.join("_"))
        }
        (CompositeFeature::RoleLikeness, _) => "the columns bear the names of the parent's key".to_owned(),
        (CompositeFeature::MissingKeys, _) => format!(
            "{} of the child's {} keys ({}) are missing from the parent",
            count(facts.missing_keys),
            count(facts.distinct),
            share(facts.missing_keys, facts.distinct)
        ),
        _ => feature.text().to_owned(),
    }
}
