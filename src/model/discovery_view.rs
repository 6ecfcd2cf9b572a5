//! A discovery as reports show it: names instead of positions, and no hidden value.

use crate::model::catalog::DatabaseName;
use crate::model::catalog::TableName;
use crate::model::discovery::Candidate;
use crate::model::discovery::ColumnList;
use crate::model::discovery::Discovery;
use crate::model::discovery::Evidence;
use crate::model::discovery::FoundKey;
use crate::model::discovery::KeyKind;
use crate::model::discovery::Near;
use crate::model::discovery::NearForm;
use crate::model::discovery::NotObserved;
use crate::model::discovery::PairCounts;
use crate::model::discovery::ParentMissing;
use crate::model::discovery::Rejection;
use crate::model::discovery::Tier;
use crate::model::ids::TableId;
use crate::model::redaction::Redaction;
use crate::model::redaction::ShownValue;
use crate::model::redaction::Values;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::value::Key;
use crate::model::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct DiscoveryView {
    pub database: DatabaseName,
    pub values: Values,
    pub tables: usize,
    /// The best candidates come first.
    pub candidates: Vec<CandidateView>,
    pub keys: Vec<KeyView>,
    pub near: Vec<NearView>,
    pub parents_missing: Vec<ParentMissingView>,
    pub not_observed: Vec<NotObserved>,
}

/// A table and some of its columns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SideView {
    pub table: TableName,
    pub table_id: TableId,
    pub columns: Vec<String>,
    pub positions: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CandidateView {
    /// `child(columns)->parent(columns)`.
    pub id: String,
    pub child: SideView,
    pub parent: SideView,
    pub tier: Tier,
    pub score: f64,
    /// The columns and values that select the rows of this parent.
    pub condition: Vec<(String, ShownValue)>,
    pub counts: PairCounts,
    pub parent_keys: u64,
    pub key: KeyKind,
    /// The missing keys with the most rows.
    pub missing: Vec<(Vec<ShownValue>, u64)>,
    pub reason: Option<Rejection>,
    pub evidence: Vec<Evidence>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    pub side: SideView,
    pub kind: KeyKind,
    pub distinct: u64,
    pub repeated_rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearView {
    pub id: String,
    pub child: SideView,
    pub parent: SideView,
    pub form: NearForm,
    pub counts: PairCounts,
    pub as_stored: PairCounts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentMissingView {
    pub child: SideView,
    pub expected: String,
    pub rows: u64,
    pub distinct: u64,
}

impl DiscoveryView {
    pub fn of(schema: &Schema, discovery: Discovery, redaction: &Redaction) -> DiscoveryView {
        let Discovery { database, keys, candidates, near: nears, parents_missing, not_observed } = discovery;
        let near = |near: &Near| NearView {
            id: schema.pair_id(&near.child, &near.parent),
            child: SideView::of(schema, &near.child),
            parent: SideView::of(schema, &near.parent),
            form: near.form,
            counts: near.counts,
            as_stored: near.as_stored,
        };
        let key = |key: &FoundKey| KeyView {
            side: SideView::of(schema, &key.columns),
            kind: key.kind,
            distinct: key.distinct,
            repeated_rows: key.repeated_rows,
        };
        let missing = |missing: &ParentMissing| ParentMissingView {
            child: SideView::of(schema, &missing.child),
            expected: missing.expected.clone(),
            rows: missing.rows,
            distinct: missing.distinct,
        };
        let candidate = |candidate: Candidate| CandidateView::of(schema, &keys, candidate, redaction);
        DiscoveryView {
            database,
            values: redaction.values,
            tables: schema.user_tables().count(),
            candidates: candidates.into_iter().map(candidate).collect(),
            keys: keys.iter().map(key).collect(),
            near: nears.iter().map(near).collect(),
            parents_missing: parents_missing.iter().map(missing).collect(),
            not_observed,
        }
    }

    pub fn of_tier(&self, tier: Tier) -> impl Iterator<Item = &CandidateView> {
        self.candidates.iter().filter(move |candidate| candidate.tier == tier)
    }

    /// Returns the references that the database does not declare, and that are certain or likely.
    pub fn found(&self) -> impl Iterator<Item = &CandidateView> {
        self.candidates.iter().filter(|candidate| matches!(candidate.tier, Tier::Certain | Tier::Likely))
    }

    /// True if a table or a column could not be read or compared.
    pub fn is_incomplete(&self) -> bool {
        self.not_observed.iter().any(|part| part.omission.is_failure())
    }
}

impl SideView {
    fn of(schema: &Schema, list: &ColumnList) -> SideView {
        let table = &schema.tables[list.table];
        SideView {
            table: table.name.clone(),
            table_id: list.table,
            columns: list.columns.iter().map(|&column| table.columns[column].name.clone()).collect(),
            positions: list.columns.clone(),
        }
    }

    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }
}

impl std::fmt::Display for SideView {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&side(&self.table, self.names()))
    }
}

impl CandidateView {
    fn of(schema: &Schema, keys: &[FoundKey], candidate: Candidate, redaction: &Redaction) -> CandidateView {
        let pair = &candidate.pair;
        let (child, parent) = (SideView::of(schema, &pair.child), SideView::of(schema, &pair.parent));
        let (own, other) = (child.table.to_string(), parent.table.to_string());
        let hidden = |(position, value): (usize, &Value)| {
            let column = |side: &SideView| -> String { side.columns.get(position).cloned().unwrap_or_default() };
            let names: [String; 2] = [column(&child), column(&parent)];
            redaction.value_of_any(&[(own.as_str(), names[0].as_str()), (other.as_str(), names[1].as_str())], value)
        };
        let key = |key: &Key| key.iter().enumerate().map(hidden).collect();
        let condition = pair.condition.iter().map(|(column, value)| {
            let name = schema.tables[pair.child.table].columns[*column].name.clone();
            let shown = redaction.value(&own, &name, value);
            (name, shown)
        });
        CandidateView {
            id: schema.pair_id(&pair.child, &pair.parent),
            tier: candidate.tier,
            score: candidate.score,
            condition: condition.collect(),
            counts: pair.counts,
            parent_keys: pair.parent_keys,
            key: keys.get(pair.key).map_or(KeyKind::Data, |key| key.kind),
            missing: pair.missing.iter().map(|(values, rows)| (key(values), *rows)).collect(),
            reason: candidate.reason,
            evidence: candidate.evidence,
            child,
            parent,
        }
    }

    /// The share of the parent's keys that the child uses.
    pub fn coverage(&self) -> f64 {
        match self.parent_keys {
            0 => 0.0,
            // Several keys of the child can equal one of the parent.
            keys => (self.counts.present_keys() as f64 / keys as f64).min(1.0),
        }
    }

    /// Returns the evidence with the most weight for the pair, or against it, as the tier is.
    pub fn strongest_evidence(&self) -> Vec<&Evidence> {
        let sign = if self.tier == Tier::Rejected { -1.0 } else { 1.0 };
        let is_start = |evidence: &&Evidence| evidence.feature.starts_with("start");
        let mut evidence: Vec<&Evidence> =
            self.evidence.iter().filter(|evidence| sign * evidence.weight > 0.0 && !is_start(evidence)).collect();
        evidence.sort_by(|left, right| right.weight.abs().total_cmp(&left.weight.abs()));
        evidence
    }
}
