//! From a schema whose relations have been chosen to an examination: scan, diagnosis, findings.

use crate::diagnose;
use crate::engine::Session;
use crate::findings;
use crate::model::catalog::TableKind;
use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::examination::LeftAlone;
use crate::model::finding::Finding;
use crate::model::policy::Extent;
use crate::model::policy::Policy;
use crate::model::redaction::Redaction;
use crate::model::schema::Schema;
use crate::scan;
use crate::scan::Fact;
use crate::scan::Wishes;

/// What findings are seen through: which values are shown, and how grave each is.
pub(super) struct Lens<'a> {
    pub(super) redaction: &'a Redaction,
    pub(super) policy: &'a Policy,
}

/// What was found in every relation, in the schema's order.
pub(super) struct Looked {
    pub(super) relations: Vec<Coverage>,
    pub(super) findings: Vec<Finding>,
    pub(super) facts: Vec<Fact>,
}

/// Scan, diagnosis and findings of a schema whose relations have been chosen.
pub fn examine(schema: Schema, sessions: &mut [Box<dyn Session>], wishes: &Wishes<'_>) -> Examination {
    let lens = Lens { redaction: &Redaction::default(), policy: &Policy::default() };
    let Looked { relations, findings, .. } = look(&schema, sessions, wishes, &lens);
    Examination { relations, findings, ..Examination::of(schema) }
}

pub(super) fn look(schema: &Schema, sessions: &mut [Box<dyn Session>], wishes: &Wishes<'_>, lens: &Lens<'_>) -> Looked {
    let facts = scan::scan(schema, sessions, wishes);
    let diagnoses = scan::across(
        sessions,
        facts.len(),
        |session, i| match &facts[i] {
            Fact::Checked(tally) => diagnose::diagnose(schema, session, &schema.relations[i], tally, lens.redaction),
            Fact::Unchecked(_) => Vec::new(),
        },
        |_| {},
    );
    let coverage = |(relation, fact)| {
        let coverage = findings::coverage(relation, fact);
        Coverage { reason: coverage.reason.map(|reason| lens.redaction.message(&reason)), ..coverage }
    };
    let mut relations: Vec<Coverage> = schema.relations.iter().zip(&facts).map(coverage).collect();
    let findings = facts
        .iter()
        .zip(diagnoses)
        .enumerate()
        .flat_map(|(index, (fact, diagnosis))| findings::findings(schema, index, fact, diagnosis, wishes.samples))
        .map(|finding| judged(lens, schema, &mut relations, finding))
        .collect();
    Looked { relations, findings, facts }
}

/// With the severity that the policy gives it, and nothing that may not be shown.
fn judged(lens: &Lens<'_>, schema: &Schema, relations: &mut [Coverage], finding: Finding) -> Finding {
    let about = &schema.relations[finding.relation];
    let coverage = &mut relations[finding.relation];
    let extent = Extent { orphan_rows: finding.rows, missing_keys: finding.missing_keys, rows: coverage.counts.rows };
    let child = schema.child(about).name.to_string();
    let (severity, why) = lens.policy.severity(finding.code, &finding.relation_id, &child, extent);
    if let Some(why) = why {
        coverage.reason = Some(coverage.reason.take().map_or(why.clone(), |reason| format!("{reason}; {why}")));
    }
    Finding { severity, ..lens.redaction.finding(schema, finding) }
}

pub(super) fn tables_left_alone(schema: &Schema) -> Vec<LeftAlone> {
    let why = |kind: TableKind| match kind {
        TableKind::Virtual => Some("a virtual table: its rows come from a module's code, which is not run"),
        TableKind::Shadow => Some("the storage of a virtual table"),
        TableKind::Table | TableKind::Partitioned | TableKind::View => None,
    };
    let tables = schema.tables.iter();
    tables
        .filter_map(|table| Some(LeftAlone { what: table.name.to_string(), why: why(table.kind)?.to_owned() }))
        .collect()
}

/// Nothing that was read can be relied on.
pub(super) fn distrust(examination: &mut Examination, why: &str) {
    for coverage in &mut examination.relations {
        coverage.state = CoverageState::Unchecked;
        coverage.reason = Some(why.to_owned());
    }
}
