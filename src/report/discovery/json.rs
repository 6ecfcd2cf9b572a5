//! A discovery as JSON, `fk-doctor/discover@1`, and as lines of JSON. Every candidate is in it, whatever its tier.

use serde::Serialize;

use crate::model::discovery::Evidence;
use crate::model::discovery::NotObserved;
use crate::model::discovery::PairCounts;
use crate::model::discovery::Rejection;
use crate::model::discovery::Tier;
use crate::model::discovery_view::CandidateView;
use crate::model::discovery_view::DiscoveryView;
use crate::model::discovery_view::KeyView;
use crate::model::discovery_view::NearView;
use crate::model::discovery_view::ParentMissingView;
use crate::model::discovery_view::SideView;
use crate::report::json::Database;
use crate::report::json::NamedValues;
use crate::report::json::Side;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::compact;
use crate::report::json::document;

pub(super) fn render(view: &DiscoveryView) -> String {
    document(&Report {
        format: "fk-doctor/discover@1",
        tool: TOOL,
        database: Database::of(&view.database),
        values: view.values.name(),
        summary: WireSummary::of(view),
        candidates: view.candidates.iter().map(WireCandidate::of).collect(),
        keys: view.keys.iter().map(WireKey::of).collect(),
        parents_missing: view.parents_missing.iter().map(WireParentMissing::of).collect(),
        near: view.near.iter().map(WireNear::of).collect(),
        not_looked_at: view.not_observed.iter().map(WireNotObserved::of).collect(),
    })
}

/// Returns one line for the discovery, one for each candidate, and one with the rest.
pub(super) fn lines(view: &DiscoveryView) -> String {
    let start = Line::Discovery {
        format: "fk-doctor/discover-lines@1",
        tool: TOOL,
        database: Database::of(&view.database),
        values: view.values.name(),
    };
    let end = Line::End {
        summary: WireSummary::of(view),
        keys: view.keys.iter().map(WireKey::of).collect(),
        parents_missing: view.parents_missing.iter().map(WireParentMissing::of).collect(),
        near: view.near.iter().map(WireNear::of).collect(),
        not_looked_at: view.not_observed.iter().map(WireNotObserved::of).collect(),
    };
    let candidates = view.candidates.iter().map(|candidate| Line::Candidate(WireCandidate::of(candidate)));
    std::iter::once(start).chain(candidates).chain([end]).map(|line| compact(&line) + "\n").collect()
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    values: &'static str,
    summary: WireSummary,
    candidates: Vec<WireCandidate<'a>>,
    keys: Vec<WireKey<'a>>,
    parents_missing: Vec<WireParentMissing<'a>>,
    near: Vec<WireNear<'a>>,
    not_looked_at: Vec<WireNotObserved<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line<'a> {
    Discovery {
        format: &'static str,
        tool: Tool,
        database: Database<'a>,
        values: &'static str,
    },
    Candidate(WireCandidate<'a>),
    End {
        summary: WireSummary,
        keys: Vec<WireKey<'a>>,
        parents_missing: Vec<WireParentMissing<'a>>,
        near: Vec<WireNear<'a>>,
        not_looked_at: Vec<WireNotObserved<'a>>,
    },
}

/// The numbers of candidates by tier.
#[derive(Serialize)]
struct WireSummary {
    tables: usize,
    declared: usize,
    certain: usize,
    likely: usize,
    possible: usize,
    rejected: usize,
    /// True if every table was read and every column was compared.
    complete: bool,
}

impl WireSummary {
    fn of(view: &DiscoveryView) -> WireSummary {
        let number = |tier| view.of_tier(tier).count();
        WireSummary {
            tables: view.tables,
            declared: number(Tier::Declared),
            certain: number(Tier::Certain),
            likely: number(Tier::Likely),
            possible: number(Tier::Possible),
            rejected: number(Tier::Rejected),
            complete: !view.is_incomplete(),
        }
    }
}

fn side(side: &SideView) -> Side<'_> {
    Side::of(&side.table, side.names())
}

#[derive(Serialize)]
struct WireCandidate<'a> {
    id: &'a str,
    child: Side<'a>,
    parent: Side<'a>,
    tier: &'static str,
    score: f64,
    #[serde(rename = "where")]
    condition: Option<NamedValues<'a>>,
    #[serde(flatten)]
    counts: WireCounts,
    missing: Vec<WireMissing<'a>>,
    coverage: f64,
    key: &'static str,
    reason: Option<&'static str>,
    evidence: Vec<WireEvidence<'a>>,
}

impl<'a> WireCandidate<'a> {
    fn of(candidate: &'a CandidateView) -> WireCandidate<'a> {
        let missing = candidate.missing.iter().map(|(key, rows)| WireMissing {
            key: NamedValues::new(candidate.child.names().into_iter().zip(key)),
            rows: *rows,
        });
        WireCandidate {
            id: &candidate.id,
            child: side(&candidate.child),
            parent: side(&candidate.parent),
            tier: candidate.tier.name(),
            score: candidate.score,
            condition: (!candidate.condition.is_empty()).then(|| NamedValues::of(&candidate.condition)),
            counts: WireCounts::of(&candidate.counts),
            missing: missing.collect(),
            coverage: candidate.coverage(),
            key: candidate.key.name(),
            reason: candidate.reason.map(Rejection::name),
            evidence: candidate.evidence.iter().map(WireEvidence::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct WireCounts {
    rows: u64,
    null_rows: u64,
    orphan_rows: u64,
    distinct: u64,
    missing_keys: u64,
}

impl WireCounts {
    fn of(counts: &PairCounts) -> WireCounts {
        WireCounts {
            rows: counts.rows,
            null_rows: counts.null_rows,
            orphan_rows: counts.orphan_rows,
            distinct: counts.distinct,
            missing_keys: counts.missing_keys,
        }
    }
}

#[derive(Serialize)]
struct WireMissing<'a> {
    key: NamedValues<'a>,
    rows: u64,
}

#[derive(Serialize)]
struct WireEvidence<'a> {
    feature: &'a str,
    value: f64,
    weight: f64,
    text: &'a str,
}

impl<'a> WireEvidence<'a> {
    fn of(evidence: &'a Evidence) -> WireEvidence<'a> {
        WireEvidence {
            feature: &evidence.feature,
            value: evidence.value,
            weight: evidence.weight,
            text: &evidence.text,
        }
    }
}

#[derive(Serialize)]
struct WireKey<'a> {
    #[serde(flatten)]
    side: Side<'a>,
    kind: &'static str,
    declared: bool,
    arity: usize,
    distinct: u64,
    repeated_rows: u64,
}

impl<'a> WireKey<'a> {
    fn of(key: &'a KeyView) -> WireKey<'a> {
        WireKey {
            side: side(&key.side),
            kind: key.kind.name(),
            declared: key.kind != crate::model::discovery::KeyKind::Data,
            arity: key.side.columns.len(),
            distinct: key.distinct,
            repeated_rows: key.repeated_rows,
        }
    }
}

#[derive(Serialize)]
struct WireParentMissing<'a> {
    child: Side<'a>,
    expected: &'a str,
    rows: u64,
    distinct: u64,
}

impl<'a> WireParentMissing<'a> {
    fn of(missing: &'a ParentMissingView) -> WireParentMissing<'a> {
        WireParentMissing {
            child: side(&missing.child),
            expected: &missing.expected,
            rows: missing.rows,
            distinct: missing.distinct,
        }
    }
}

#[derive(Serialize)]
struct WireNear<'a> {
    id: &'a str,
    child: Side<'a>,
    parent: Side<'a>,
    form: &'static str,
    #[serde(flatten)]
    counts: WireCounts,
    as_stored: WireCounts,
}

impl<'a> WireNear<'a> {
    fn of(near: &'a NearView) -> WireNear<'a> {
        WireNear {
            id: &near.id,
            child: side(&near.child),
            parent: side(&near.parent),
            form: near.form.name(),
            counts: WireCounts::of(&near.counts),
            as_stored: WireCounts::of(&near.as_stored),
        }
    }
}

#[derive(Serialize)]
struct WireNotObserved<'a> {
    subject: &'a str,
    reason: &'a str,
    number: u64,
    failed: bool,
}

impl<'a> WireNotObserved<'a> {
    fn of(part: &'a NotObserved) -> WireNotObserved<'a> {
        WireNotObserved {
            subject: &part.subject,
            reason: &part.reason,
            number: part.number,
            failed: part.omission.is_failure(),
        }
    }
}
