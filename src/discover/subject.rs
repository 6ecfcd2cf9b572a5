//! The pairs of single columns as the judgement sees them: facts about values and keys, and likenesses of names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::discover::feature::NeighbourFeature;
use crate::discover::feature::PairFeature;
use crate::discover::likeness;
use crate::discover::likeness::Kind;
use crate::discover::likeness::Likeness;
use crate::discover::names::ColumnWords;
use crate::discover::names::Names;
use crate::discover::words;
use crate::model::discovery::PairShape;
use crate::model::ids::TableId;

/// From this degree on, a name speaks for a pair.
pub(super) const NAMED: f64 = 0.45;

/// A column with what is known about its values.
#[derive(Debug, Clone)]
pub(super) struct ColumnFacts {
    pub(super) table: TableId,
    pub(super) column: usize,
    /// The number of columns of its table.
    pub(super) width: usize,
    pub(super) rows: u64,
    pub(super) nulls: u64,
    pub(super) distinct: u64,
    /// True if no value occurs twice.
    pub(super) is_unique: bool,
    pub(super) key: Option<DeclaredKey>,
    /// True if the column is a part of a primary key of several columns.
    pub(super) is_part_of_primary: bool,
    pub(super) is_indexed: bool,
    pub(super) declared_type: String,
    pub(super) values: ValueKind,
    pub(super) is_long_text: bool,
    /// The least and the greatest value, if all are integers.
    pub(super) integers: Option<(i64, i64)>,
}

impl ColumnFacts {
    pub(super) fn is_primary(&self) -> bool {
        self.key == Some(DeclaredKey::Primary)
    }

    pub(super) fn has_zero_as_least(&self) -> bool {
        self.integers.is_some_and(|(least, _)| least == 0)
    }

    /// The rows whose value is not NULL.
    pub(super) fn filled(&self) -> u64 {
        self.rows - self.nulls
    }

    /// The position in the table, from 0 for the first column to 1 for the last.
    pub(super) fn position(&self) -> f64 {
        self.column as f64 / (self.width.max(2) - 1) as f64
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeclaredKey {
    Primary,
    Unique,
}

/// The kind of most values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Integer,
    Real,
    Date,
    Text,
}

/// What the values of a pair of columns say. The columns are indexes into [`Subject::columns`].
#[derive(Debug, Clone)]
pub(super) struct PairFacts {
    pub(super) child: usize,
    pub(super) parent: usize,
    pub(super) distinct: u64,
    pub(super) missing_keys: u64,
    pub(super) orphan_rows: u64,
    pub(super) parent_keys: u64,
    /// The distribution of the child's keys over the parent's; `None` if it is not known.
    pub(super) shape: Option<PairShape>,
    pub(super) is_joined: bool,
    /// True if some rows of the parent repeat a key.
    pub(super) has_repeated_keys: bool,
    /// True if the schema has this relation already.
    pub(super) is_declared: bool,
}

/// A role of another row that a column's name speaks of, where no name of the schema explains it better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoleKind {
    SameTable,
    Person,
}

/// A pair on its way to a score.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) facts: PairFacts,
    pub(super) to_key: Likeness,
    pub(super) to_table: Likeness,
    /// The degree to which names speak for the pair.
    pub(super) name: f64,
    pub(super) role: Option<RoleKind>,
    pub(super) features: [f64; PairFeature::COUNT],
    pub(super) neighbours: [f64; NeighbourFeature::COUNT],
    /// The score of the pair by itself, and its logit.
    pub(super) alone: f64,
    pub(super) alone_logit: f64,
    /// The score among its neighbours, before gates.
    pub(super) score: f64,
}

impl Judged {
    pub(super) fn feature(&self, feature: PairFeature) -> f64 {
        self.features[feature as usize]
    }

    pub(super) fn has(&self, feature: PairFeature) -> bool {
        self.feature(feature) > 0.0
    }

    /// The distance of the child's keys from an even spread over the parent's: 0 if they are spread evenly, or if nothing is
    /// known about it.
    pub(super) fn spread(&self) -> f64 {
        self.facts.shape.map_or(0.0, |shape| shape.spread)
    }

    /// The share of the parent's keys that the child uses.
    pub(super) fn coverage(&self) -> f64 {
        // Several keys of the child can equal one of the parent, such as `fra` and `FRA` under NOCASE.
        ((self.facts.distinct - self.facts.missing_keys) as f64 / self.facts.parent_keys.max(1) as f64).min(1.0)
    }

    pub(super) fn is_exact(&self) -> bool {
        self.facts.missing_keys == 0
    }

    pub(super) fn is_named(&self) -> bool {
        self.name >= NAMED
    }

    /// Returns the way in which the pair is named, so that equal ways in one schema can support each other.
    pub(super) fn pattern(&self) -> Pattern {
        match self.role {
            Some(role) => Pattern::Role(role),
            None if !self.is_named() => Pattern::None,
            None if self.to_key.degree >= self.to_table.degree => Pattern::Key(self.to_key.kind),
            None => Pattern::Table(self.to_table.kind),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    Role(RoleKind),
    Key(Kind),
    Table(Kind),
    None,
}

/// All pairs of single columns of a database, grouped by child.
pub(super) struct Subject<'a> {
    pub(super) names: &'a Names,
    pub(super) columns: Vec<ColumnFacts>,
    /// True if the database declares any key.
    pub(super) declares_keys: bool,
    pub(super) pairs: Vec<Judged>,
    /// The pairs of each child, as indexes.
    pub(super) of_child: BTreeMap<usize, Vec<usize>>,
    /// For each column, the highest likeness to any other table of the schema, whatever its values.
    pub(super) best_table: Vec<f64>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(names: &'a Names, columns: Vec<ColumnFacts>, facts: Vec<PairFacts>) -> Subject<'a> {
        let declares_keys = columns.iter().any(|column| column.key.is_some() || column.is_part_of_primary);
        let mut subject = Subject {
            names,
            best_table: vec![0.0; columns.len()],
            columns,
            declares_keys,
            pairs: Vec::new(),
            of_child: BTreeMap::new(),
        };
        for (index, pair) in facts.iter().enumerate() {
            subject.of_child.entry(pair.child).or_default().push(index);
        }
        let columns: BTreeSet<usize> = facts.iter().flat_map(|pair| [pair.child, pair.parent]).collect();
        for column in columns {
            subject.best_table[column] = subject.likeness_to_other_tables(column);
        }
        subject.pairs = facts.into_iter().map(|facts| subject.judged(facts)).collect();
        subject.find_roles();
        subject
    }

    pub(super) fn words(&self, column: usize) -> &'a ColumnWords {
        let facts = &self.columns[column];
        self.names.column(facts.table, facts.column)
    }

    pub(super) fn child(&self, pair: &Judged) -> &ColumnFacts {
        &self.columns[pair.facts.child]
    }

    pub(super) fn parent(&self, pair: &Judged) -> &ColumnFacts {
        &self.columns[pair.facts.parent]
    }

    pub(super) fn is_self_reference(&self, pair: &Judged) -> bool {
        self.child(pair).table == self.parent(pair).table
    }

    /// True if the parent's column is a declared key, or no table declares any.
    pub(super) fn has_good_key(&self, pair: &Judged) -> bool {
        self.parent(pair).key.is_some() || !self.declares_keys
    }

    /// Returns how improbable it is that the child's keys exist in the parent by chance, from 0 to 1. Keys from a dense range,
    /// such as 1 to 50, say little; few texts or numbers from a wide range say much.
    pub(super) fn surprise(&self, pair: &Judged) -> f64 {
        const TEXTS: f64 = 0.01;
        const HALF: f64 = 3.0;
        let parent = self.parent(pair);
        let density = match parent.integers {
            Some((least, greatest)) => {
                let range = i128::from(greatest) - i128::from(least) + 1;
                (pair.facts.parent_keys as f64 / range as f64).clamp(1e-6, 1.0)
            }
            None => TEXTS,
        };
        let digits = (pair.facts.distinct - pair.facts.missing_keys) as f64 * -density.log10();
        digits / (digits + HALF)
    }

    fn likeness_to_other_tables(&self, column: usize) -> f64 {
        let own = self.columns[column].table;
        let others = self.names.tables.entries().filter(|(table, _)| *table != own);
        others
            .map(|(_, table)| likeness::to_table(self.words(column), &self.names.tables[own], table).degree)
            .fold(0.0, f64::max)
    }

    fn judged(&self, facts: PairFacts) -> Judged {
        let (child, parent) = (&self.columns[facts.child], &self.columns[facts.parent]);
        let (child_words, parent_words) = (self.words(facts.child), self.words(facts.parent));
        let tables = &self.names.tables;
        let to_key = likeness::to_key(child_words, parent_words);
        let to_table = likeness::to_table(child_words, &tables[child.table], &tables[parent.table]);
        // A column `customer` is hardly the name of a customer.
        let is_key_like = child_words.has_id_word() || !parent_words.is_generic || parent.key.is_some();
        let name = to_key.degree.max(to_table.degree * if is_key_like { 1.0 } else { 0.7 });
        Judged {
            facts,
            to_key,
            to_table,
            name,
            role: None,
            features: [0.0; PairFeature::COUNT],
            neighbours: [0.0; NeighbourFeature::COUNT],
            alone: 0.0,
            alone_logit: 0.0,
            score: 0.0,
        }
    }

    /// Finds the columns whose name is a role, where no name of the schema explains the column.
    fn find_roles(&mut self) {
        for group in self.of_child.values() {
            let good = group.iter().map(|&index| &self.pairs[index]).filter(|pair| self.has_good_key(pair));
            let best = good.map(|pair| pair.name).fold(0.0, f64::max);
            let has_self = group.iter().any(|&index| self.is_self_reference(&self.pairs[index]));
            for &index in group {
                let pair = &self.pairs[index];
                let is_self = self.is_self_reference(pair);
                if best >= 0.6 && !(is_self && best < 0.85) {
                    continue;
                }
                let all = &self.words(pair.facts.child).all;
                let has_self_role = all.iter().any(|word| words::is_self_role(word));
                let has_person_role = all.iter().any(|word| words::is_person_role(word));
                let holds_people = || {
                    let table = &self.names.tables[self.parent(pair).table];
                    table.words.iter().any(|word| words::is_people(word))
                };
                let is_main_key = self.parent(pair).is_primary() || !self.declares_keys;
                let (role, floor) = if has_self_role && is_self && is_main_key {
                    (RoleKind::SameTable, 0.82)
                } else if has_person_role && is_main_key && !(has_self_role && has_self) && holds_people() {
                    (RoleKind::Person, 0.62)
                } else {
                    continue;
                };
                let pair = &mut self.pairs[index];
                pair.role = Some(role);
                pair.name = pair.name.max(floor);
            }
        }
    }
}
