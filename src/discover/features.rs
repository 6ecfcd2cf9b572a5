//! Computes the features of each pair by itself.

use crate::discover::feature::PairFeature as F;
use crate::discover::likeness::Kind;
use crate::discover::subject::Judged;
use crate::discover::subject::NAMED;
use crate::discover::subject::RoleKind;
use crate::discover::subject::Subject;
use crate::discover::subject::ValueKind;
use crate::discover::words;

/// Computes the features of all pairs.
pub(super) fn compute(subject: &mut Subject<'_>) {
    let groups: Vec<Vec<usize>> = subject.of_child.values().cloned().collect();
    for group in groups {
        let features: Vec<_> = group.iter().map(|&index| Features::of(subject, &group, index).values).collect();
        for (index, features) in group.into_iter().zip(features) {
            subject.pairs[index].features = features;
        }
    }
}

struct Features<'s> {
    subject: &'s Subject<'s>,
    pair: &'s Judged,
    values: [f64; F::COUNT],
}

impl<'s> Features<'s> {
    fn of(subject: &'s Subject<'s>, group: &[usize], index: usize) -> Features<'s> {
        let mut features = Features { subject, pair: &subject.pairs[index], values: [0.0; F::COUNT] };
        let others: Vec<&Judged> =
            group.iter().filter(|&&other| other != index).map(|&other| &subject.pairs[other]).collect();
        features.names(&others);
        features.values_of_columns();
        features.keys();
        features.shapes();
        features.without_names(&others);
        features.combinations();
        features.rivals(&others);
        features.chance(&others);
        features.put(F::Bias, 1.0);
        features
    }

    fn put(&mut self, feature: F, value: f64) {
        self.values[feature as usize] = value;
    }

    fn flag(&mut self, feature: F, is_set: bool) {
        self.put(feature, f64::from(u8::from(is_set)));
    }

    fn get(&self, feature: F) -> f64 {
        self.values[feature as usize]
    }

    fn is_set(&self, feature: F) -> bool {
        self.get(feature) > 0.0
    }

    fn names(&mut self, others: &[&Judged]) {
        let (pair, subject) = (self.pair, self.subject);
        let (key, table) = (pair.to_key, pair.to_table);
        let words = subject.words(pair.facts.child);
        let is_loose = matches!(key.kind, Kind::Base | Kind::Tail | Kind::Abbreviation | Kind::Word);
        self.flag(F::KeyEqual, key.kind == Kind::Equal);
        self.flag(F::KeyRole, key.kind == Kind::Role);
        self.put(F::KeyOther, if is_loose { key.degree } else { 0.0 });
        self.flag(F::TableEqual, table.kind == Kind::Equal);
        self.flag(F::TableRole, table.kind == Kind::Role);
        self.flag(F::TableTail, table.kind == Kind::Tail);
        self.put(F::TableAbbreviation, if table.kind == Kind::Abbreviation { table.degree } else { 0.0 });
        self.put(F::TableWord, if table.kind == Kind::Word { table.degree } else { 0.0 });
        self.flag(F::GenericEqual, key.kind == Kind::Generic);
        self.put(F::Name, pair.name);
        self.flag(F::IdWord, words.has_id_word() && !words.base.is_empty());
        self.put(F::NameWithIdWord, if words.has_id_word() { pair.name } else { 0.0 });
        self.flag(F::SelfRole, pair.role == Some(RoleKind::SameTable));
        self.flag(F::PersonRole, pair.role == Some(RoleKind::Person));
        self.flag(F::Measure, words.is_measure && !words.has_id_word() && pair.name < 0.95);
        self.flag(F::RowMark, words.is_row_mark);
        let elsewhere = if subject.is_self_reference(pair) { 0.9 * subject.best_table[pair.facts.child] } else { 0.0 };
        let rival = others.iter().map(|other| other.name).fold(elsewhere, f64::max);
        self.put(F::RivalName, (rival - pair.name).max(0.0));
        self.flag(F::ViewJoin, pair.facts.is_joined);
    }

    fn values_of_columns(&mut self) {
        let (pair, child, parent) = (self.pair, self.subject.child(self.pair), self.subject.parent(self.pair));
        let facts = &pair.facts;
        let coverage = pair.coverage();
        self.put(F::Coverage, coverage);
        self.put(F::CoverageMagnitude, coverage.max(1e-4).log10() / 4.0 + 1.0);
        self.put(F::Unevenness, 2.0 * pair.spread());
        self.put(F::Range, facts.shape.map_or(0.0, |shape| shape.covered_range));
        self.put(F::MissingKeys, facts.missing_keys as f64 / facts.distinct.max(1) as f64);
        self.put(F::MissingRows, facts.orphan_rows as f64 / child.filled().max(1) as f64);
        self.flag(F::Exact, pair.is_exact());
        self.flag(F::Integers, child.values == ValueKind::Integer);
        self.flag(F::Text, child.values == ValueKind::Text);
        self.flag(F::LongText, child.is_long_text);
        let is_fraction =
            ["REAL", "FLOA", "DOUB", "DEC", "NUMERIC"].iter().any(|name| child.declared_type.contains(name));
        let differs = child.declared_type != parent.declared_type;
        self.flag(F::Real, child.values == ValueKind::Real || (is_fraction && differs));
        self.flag(F::Date, child.values == ValueKind::Date);
        self.flag(F::TypeEqual, !differs);
    }

    fn keys(&mut self) {
        let (subject, pair) = (self.subject, self.pair);
        let (child, parent) = (subject.child(pair), subject.parent(pair));
        self.flag(F::OwnKey, child.is_unique || child.key.is_some());
        let is_like_primary = !subject.declares_keys && child.is_unique && child.column == 0;
        self.flag(F::OwnPrimary, child.is_primary() || is_like_primary);
        self.flag(F::InPrimary, child.is_part_of_primary);
        self.flag(F::Indexed, child.is_indexed);
        self.flag(F::ParentPrimary, parent.is_primary());
        self.flag(F::ParentUnique, parent.key.is_some() && !parent.is_primary());
        self.flag(F::ParentUndeclared, subject.declares_keys && parent.key.is_none());
        self.flag(F::ParentFirst, parent.column == 0);
        self.flag(F::ParentGeneric, subject.words(pair.facts.parent).base.is_empty());
    }

    fn shapes(&mut self) {
        let (subject, pair) = (self.subject, self.pair);
        let (child, parent) = (subject.child(pair), subject.parent(pair));
        let facts = &pair.facts;
        let filled = child.filled();
        self.flag(F::FewKeys, facts.distinct <= 2 && filled > 5);
        self.flag(F::Tiny, filled <= 3);
        let ratio = ((child.rows + 1) as f64 / (parent.rows + 1) as f64).log10() / 3.0;
        self.put(F::SizeRatio, ratio.clamp(-1.0, 1.0));
        let is_self = subject.is_self_reference(pair);
        self.flag(F::SelfReference, is_self);
        self.put(F::Position, child.position());
        self.put(F::Nullable, child.nulls as f64 / child.rows.max(1) as f64);
        self.flag(F::OneToOne, (child.is_unique || child.key.is_some()) && pair.coverage() > 0.9);
        self.put(F::Distinct, (((facts.distinct + 1) as f64).log10() / 4.0).min(1.0));
        self.flag(F::ZeroBased, child.has_zero_as_least());
        self.flag(F::SmallParent, facts.parent_keys <= 3);
        let words = subject.words(facts.child);
        let tables = &subject.names.tables;
        let (own, other) = (&tables[child.table], &tables[parent.table]);
        self.flag(F::NamedAfterOwn, !words.base.is_empty() && words.base == own.joined && !is_self);
        self.flag(F::ChildGeneric, words.is_generic && !words.has_id_word());
        let names_parent = other.joined.len() > 2
            && (own.joined.contains(&other.joined) || own.words.iter().any(|word| word == other.last()));
        self.flag(F::ChildNamedAfterParent, !is_self && names_parent);
        let is_contained = other.joined.len() > 2 && own.joined.contains(&other.joined);
        self.flag(F::UnnamedChildTable, pair.name < NAMED && !is_self && is_contained && parent.is_primary());
        self.flag(F::ParentNamedAfterChild, !is_self && own.joined.len() > 2 && other.joined.starts_with(&own.joined));
    }

    /// The features of pairs for which no name speaks.
    fn without_names(&mut self, others: &[&Judged]) {
        let (subject, pair) = (self.subject, self.pair);
        let (child, parent) = (subject.child(pair), subject.parent(pair));
        let is_unnamed = !pair.is_named();
        let words = subject.words(pair.facts.child);
        let if_unnamed = |value: f64| if is_unnamed { value } else { 0.0 };
        self.put(F::UnevennessUnnamed, if_unnamed(self.get(F::Unevenness)));
        self.put(F::CoverageUnnamed, if_unnamed(pair.coverage()));
        let names_nothing =
            is_unnamed && others.iter().all(|other| !other.is_named()) && subject.best_table[pair.facts.child] < 0.6;
        let is_id = names_nothing && words.has_id_word();
        self.flag(F::UnnamedId, is_id);
        self.put(F::UnnamedIdUnevenness, if is_id { self.get(F::Unevenness) } else { 0.0 });
        self.flag(
            F::UnnamedPrimary,
            names_nothing && parent.is_primary() && child.rows > parent.rows && pair.is_exact(),
        );
        self.flag(F::UnnamedJunction, is_unnamed && child.is_part_of_primary && child.width <= 4);
        self.flag(F::UnnamedUndeclared, is_unnamed && self.is_set(F::ParentUndeclared));
        self.flag(F::UnnamedText, is_unnamed && child.values != ValueKind::Integer);
        self.flag(F::UnnamedFew, is_unnamed && pair.facts.distinct <= 3);
        let is_named_elsewhere = words.has_id_word() && subject.best_table[pair.facts.child] >= 0.8 && pair.name < 0.6;
        self.flag(F::IdNamedElsewhere, is_named_elsewhere);
    }

    fn combinations(&mut self) {
        let (subject, pair) = (self.subject, self.pair);
        let child = subject.child(pair);
        let missing = self.get(F::MissingKeys);
        self.flag(F::SelfExact, self.is_set(F::SelfRole) && pair.is_exact());
        self.flag(F::PersonExact, self.is_set(F::PersonRole) && pair.is_exact());
        self.flag(F::RoleInPrimary, child.is_part_of_primary && pair.name >= 0.6);
        self.flag(F::KeyEqualIntegers, self.is_set(F::KeyEqual) && child.values == ValueKind::Integer);
        self.put(F::NameExact, if pair.is_exact() { pair.name } else { 0.0 });
        self.put(F::NameMissing, pair.name * (2.0 * missing).min(1.0));
        self.put(F::NameUndeclared, pair.name * self.get(F::ParentUndeclared));
        self.flag(F::TypeEqualText, self.is_set(F::TypeEqual) && child.values != ValueKind::Integer);
        self.put(F::BothNames, pair.to_key.degree.min(pair.to_table.degree));
        self.put(F::NameFewKeys, if pair.facts.distinct <= 2 { pair.name } else { 0.0 });
    }

    /// Features that weigh the match of the values against chance.
    fn chance(&mut self, others: &[&Judged]) {
        let (subject, pair) = (self.subject, self.pair);
        let (child, parent) = (subject.child(pair), subject.parent(pair));
        self.flag(F::ManyMissingRows, self.get(F::MissingRows) > 0.15);
        let words = subject.words(pair.facts.child);
        let tables = &subject.names.tables;
        let is_key = child.is_unique || child.key.is_some();
        let is_self = subject.is_self_reference(pair);
        let is_supertype = words::is_supertype(tables[parent.table].last());
        let is_first = child.is_primary() || child.column == 0;
        let extends = is_key && is_first && is_supertype && !is_self && pair.is_exact() && subject.has_good_key(pair);
        self.flag(F::PersonExtension, extends);
        let is_own = !words.base.is_empty() && words.base == tables[child.table].joined;
        self.flag(F::OwnKeyOtherParent, is_own && is_key && !is_self && pair.to_key.kind != Kind::Equal);
        let surprise = subject.surprise(pair);
        self.put(F::Surprise, surprise);
        self.put(F::SurpriseUnnamed, if pair.is_named() { 0.0 } else { surprise });
        let is_owner = |pair: &Judged| pair.to_table.kind == Kind::Equal && subject.has_good_key(pair);
        let owns = |other: &Judged| is_owner(other) && other.facts.missing_keys <= pair.facts.missing_keys;
        self.flag(F::OwnerElsewhere, !is_owner(pair) && others.iter().copied().any(owns));
        let key_words = subject.words(pair.facts.parent);
        let is_named_elsewhere = !key_words.base.is_empty() && subject.best_table[pair.facts.parent] >= 0.9;
        self.flag(F::ParentKeyNamedElsewhere, is_named_elsewhere && key_words.base != tables[parent.table].joined);
        let exact = others.iter().filter(|other| other.facts.missing_keys <= pair.facts.missing_keys);
        let best = exact.clone().map(|other| other.coverage()).fold(pair.coverage(), f64::max);
        self.put(F::Closest, pair.coverage() / best.max(1e-9));
        let most_even = exact.map(|other| other.spread()).fold(pair.spread(), f64::min);
        self.put(F::UnevennessGap, 2.0 * (pair.spread() - most_even));
    }

    /// Compares the pair with other parents whose names are equally close and that hold at least as many keys.
    fn rivals(&mut self, others: &[&Judged]) {
        const EQUALLY_CLOSE: f64 = 0.1;
        let (subject, pair) = (self.subject, self.pair);
        let is_rival = |other: &&&Judged| {
            (other.name - pair.name).abs() < EQUALLY_CLOSE
                && other.facts.missing_keys <= pair.facts.missing_keys
                && subject.has_good_key(other)
        };
        let rivals: Vec<&Judged> = others.iter().filter(is_rival).copied().collect();
        self.put(F::Alternatives, ((others.len() + 1) as f64 / 20.0).min(1.0));
        if !rivals.is_empty() {
            self.flag(F::Tightest, rivals.iter().all(|rival| pair.facts.parent_keys <= rival.facts.parent_keys));
            let best = rivals.iter().map(|rival| rival.coverage()).fold(0.0, f64::max);
            let ratio = (best / pair.coverage().max(1e-9)).max(1.0);
            self.put(F::LooserThanRival, ratio.log10().min(2.0) / 2.0);
        }
        let uses_all = pair.is_exact() && pair.facts.distinct == pair.facts.parent_keys;
        self.flag(F::SetsEqual, uses_all && pair.facts.parent_keys >= 10);
    }
}
