//! The weights of the features, read from `weights.toml`. The file names the data that they were fitted on.

use toml::de::DeTable;
use toml::de::DeValue;

use crate::discover::feature::CompositeFeature;
use crate::discover::feature::NeighbourFeature;
use crate::discover::feature::PairFeature;

/// The text of the weights that ship with the program.
const SHIPPED: &str = include_str!("weights.toml");

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    /// For a schema whose names speak.
    pub(super) named: Steps,
    /// For a schema whose names say nothing, such as `c1` to `c90`.
    pub(super) blind: Steps,
    pub(super) composite: [f64; CompositeFeature::COUNT],
    pub(super) limits: Limits,
    pub(super) blind_limits: Limits,
    /// The lower bounds of the tiers for composite keys.
    pub(super) composite_limits: Limits,
}

/// The weights of both steps, and the scores from which a tier begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Steps {
    pub(super) pair: [f64; PairFeature::COUNT],
    pub(super) neighbours: [f64; NeighbourFeature::COUNT],
}

/// The scores from which the tiers begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    pub(super) certain: f64,
    pub(super) likely: f64,
    pub(super) possible: f64,
}

impl Weights {
    /// Returns the weights that ship with the program. A weight that the file lacks is 0; a test holds that none is.
    pub(super) fn shipped() -> Weights {
        Weights::parse(SHIPPED)
    }

    fn parse(text: &str) -> Weights {
        let root = DeTable::parse(text).map(toml::Spanned::into_inner).unwrap_or_default();
        let number = |path: &[&str]| value(&root, path).and_then(as_number).unwrap_or(0.0);
        let steps = |mode: &str| Steps {
            pair: array(PairFeature::ALL, |feature| number(&[mode, "pair", feature.name()])),
            neighbours: array(NeighbourFeature::ALL, |feature| number(&[mode, "neighbours", feature.name()])),
        };
        let limits = |kind: &str| Limits {
            certain: number(&["limits", kind, "certain"]),
            likely: number(&["limits", kind, "likely"]),
            possible: number(&["limits", kind, "possible"]),
        };
        Weights {
            named: steps("named"),
            blind: steps("blind"),
            composite: array(CompositeFeature::ALL, |feature| number(&["composite", feature.name()])),
            limits: limits("single"),
            blind_limits: limits("blind"),
            composite_limits: limits("composite"),
        }
    }
}

fn array<F: Copy, const N: usize>(features: &[F], weight: impl Fn(F) -> f64) -> [f64; N] {
    let mut weights = [0.0; N];
    for (slot, feature) in weights.iter_mut().zip(features) {
        *slot = weight(*feature);
    }
    weights
}

fn value<'t>(root: &'t DeTable<'t>, path: &[&str]) -> Option<&'t DeValue<'t>> {
    let (last, sections) = path.split_last()?;
    let table = sections.iter().try_fold(root, |table, key| match table.get(*key)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    })?;
    table.get(*last).map(toml::Spanned::get_ref)
}

fn as_number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::Integer(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of all keys of a section.
    fn keys(root: &DeTable<'_>, path: &[&str]) -> Vec<String> {
        match value(root, path) {
            Some(DeValue::Table(table)) => {
                let mut names: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
                names.sort_unstable();
                names
            }
            _ => panic!("{path:?} is missing"),
        }
    }

    #[test]
    fn file_has_a_number_for_every_feature_and_names_its_data() {
        let root = DeTable::parse(SHIPPED).unwrap().into_inner();
        let mut pair: Vec<_> = PairFeature::ALL.iter().map(|feature| feature.name().to_owned()).collect();
        let mut neighbours: Vec<_> = NeighbourFeature::ALL.iter().map(|feature| feature.name().to_owned()).collect();
        let mut composite: Vec<_> = CompositeFeature::ALL.iter().map(|feature| feature.name().to_owned()).collect();
        for names in [&mut pair, &mut neighbours, &mut composite] {
            names.sort_unstable();
        }
        for mode in ["named", "blind"] {
            assert_eq!(keys(&root, &[mode, "pair"]), pair, "{mode}");
            assert_eq!(keys(&root, &[mode, "neighbours"]), neighbours, "{mode}");
        }
        assert_eq!(keys(&root, &["composite"]), composite);
        assert!(matches!(value(&root, &["fitted-on"]), Some(DeValue::Array(names)) if names.len() > 3));
        assert!(matches!(value(&root, &["fitted-at"]), Some(DeValue::String(date)) if date.len() == 10));
        let weights = Weights::shipped();
        assert!(weights.limits.certain >= 0.97 && weights.limits.likely >= 0.5 && weights.limits.possible >= 0.1);
        assert!(weights.named.pair.iter().any(|weight| *weight != 0.0));
    }
}
