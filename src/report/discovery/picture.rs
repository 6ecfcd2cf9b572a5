//! The schema with the discovered references as a picture: known relations are solid, certain ones dashed, likely ones dotted.

use std::collections::BTreeSet;

use crate::model::catalog::Action;
use crate::model::catalog::Match;
use crate::model::discovery::Tier;
use crate::model::discovery_view::CandidateView;
use crate::model::ids::IdVec;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::relation::Parent;
use crate::model::relation::Relation;
use crate::model::relation::Scope;
use crate::model::schema::Schema;
use crate::report;
use crate::report::SchemaFormat;
use crate::report::TerminalStyle;
use crate::report::discovery::DiscoveryReport;

pub(super) fn mermaid(report: &DiscoveryReport<'_>) -> String {
    drawn(report, SchemaFormat::Mermaid)
}

pub(super) fn dot(report: &DiscoveryReport<'_>) -> String {
    drawn(report, SchemaFormat::Dot)
}

fn drawn(report: &DiscoveryReport<'_>, format: SchemaFormat) -> String {
    let schema = with_discovered(report.schema, report.view.found());
    report::schema(&schema, format, "", &TerminalStyle::default())
}

/// Returns the schema with a relation for each candidate. A column that refers to several tables by another column has one for
/// each table.
pub(in crate::report) fn with_discovered<'a>(
    schema: &Schema,
    candidates: impl Iterator<Item = &'a CandidateView>,
) -> Schema {
    let mut known: BTreeSet<String> = schema.relations.iter().map(|relation| relation.id.clone()).collect();
    let mut relations: Vec<Relation> = schema.relations.iter().cloned().collect();
    for candidate in candidates {
        if known.insert(candidate.id.clone()) {
            relations.push(relation(candidate));
        }
    }
    Schema { relations: IdVec::from(relations), ..schema.clone() }
}

fn relation(candidate: &CandidateView) -> Relation {
    Relation {
        id: candidate.id.clone(),
        name: None,
        origin: if candidate.tier == Tier::Certain { Origin::Discovered } else { Origin::Likely },
        configured: None,
        child: candidate.child.table_id,
        child_columns: candidate.child.positions.clone(),
        parent: Parent {
            name: candidate.parent.table.clone(),
            column_names: candidate.parent.columns.clone(),
            table: Some(candidate.parent.table_id),
            columns: candidate.parent.positions.clone(),
            key: None,
        },
        on_delete: Action::NoAction,
        on_delete_columns: Vec::new(),
        on_update: Action::NoAction,
        match_rule: Match::Simple,
        deferrable: false,
        comparisons: Vec::new(),
        scope: Scope::default(),
        judge: Judge::Values("nobody declares the relation".to_owned()),
        defects: Vec::new(),
    }
}
