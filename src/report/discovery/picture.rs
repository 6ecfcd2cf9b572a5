//! The schema with the discovered references as a picture: known relations are solid, certain ones dashed, likely ones dotted.

use crate::model::discovery::ColumnList;
use crate::model::discovery_view::CandidateView;
use crate::model::discovery_view::SideView;
use crate::model::resolve::discovered;
use crate::model::resolve::discovered::DiscoveredRelation;
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

/// Returns the schema with a relation for each candidate. A column that refers to several tables, as another column says, has
/// one for each table.
pub(in crate::report) fn with_discovered<'a>(
    schema: &Schema,
    candidates: impl Iterator<Item = &'a CandidateView>,
) -> Schema {
    let relation = |candidate: &CandidateView| DiscoveredRelation {
        child: list(&candidate.child),
        parent: list(&candidate.parent),
        condition: None,
        origin: candidate.tier.origin(),
    };
    let relations: Vec<DiscoveredRelation> = candidates.map(relation).collect();
    discovered::with_discovered(schema.clone(), &relations)
}

fn list(side: &SideView) -> ColumnList {
    ColumnList { table: side.table_id, columns: side.positions.clone() }
}
