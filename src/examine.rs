//! From a schema whose relations have been chosen to an examination: scan, diagnosis, findings.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::diagnose;
use crate::engine::Session;
use crate::findings;
use crate::model::catalog::TableKind;
use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::examination::LeftAlone;
use crate::model::finding::Finding;
use crate::model::finding::Span;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::pattern::Pattern;
use crate::model::policy::Extent;
use crate::model::policy::Policy;
use crate::model::redaction::Redaction;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::scan;
use crate::scan::Fact;
use crate::scan::ScanFacts;
use crate::scan::Wishes;
use crate::sql;

pub mod baseline;
pub mod locations;
pub mod scan_filter;
pub mod select;

/// What findings are seen through: which values are shown, how grave each is, and whether it is known already.
pub struct Lens<'a> {
    pub redaction: &'a Redaction,
    pub policy: &'a Policy,
    pub time_columns: &'a [Pattern],
    pub mark: &'a (dyn Fn(Finding) -> Finding + Sync),
}

/// Called for each relation in the schema's order, as soon as it and those before it are known.
pub type Tell<'a> = &'a mut (dyn FnMut(RelationId, &One) + Send);

/// What was found in one relation.
pub struct One {
    pub coverage: Coverage,
    pub findings: Vec<Finding>,
}

/// What was found in every relation, in the schema's order.
pub struct Looked {
    pub relations: IdVec<RelationId, Coverage>,
    pub findings: Vec<Finding>,
    pub facts: ScanFacts,
}

/// Scan, diagnosis and findings of a schema whose relations have been chosen.
pub fn examine(schema: Schema, sessions: &mut [Box<dyn Session + '_>], wishes: &Wishes<'_>) -> Examination {
    let lens = Lens {
        redaction: &Redaction::default(),
        policy: &Policy::default(),
        time_columns: &[],
        mark: &|finding| finding,
    };
    let Looked { relations, findings, .. } = look(&schema, sessions, wishes, &lens, &mut |_, _| {});
    Examination { relations, findings, ..Examination::of(schema) }
}

pub fn look(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    wishes: &Wishes<'_>,
    lens: &Lens<'_>,
    tell: Tell<'_>,
) -> Looked {
    let queue = Mutex::new(Queue { waiting: BTreeMap::new(), done: IdVec::new(), tell });
    let facts = scan::scan_and_tell(schema, sessions, wishes, &|session, index, fact| {
        let one = one(schema, session, index, fact, wishes.samples, lens);
        queue.lock().unwrap_or_else(PoisonError::into_inner).take(index, one);
    });
    let queue = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (relations, findings): (Vec<Coverage>, Vec<_>) =
        queue.done.into_iter().map(|one| (one.coverage, one.findings)).unzip();
    Looked { relations: relations.into(), findings: findings.into_iter().flatten().collect(), facts }
}

/// Puts what the workers bring back in order.
struct Queue<'a> {
    waiting: BTreeMap<RelationId, One>,
    done: IdVec<RelationId, One>,
    tell: Tell<'a>,
}

impl Queue<'_> {
    fn take(&mut self, index: RelationId, one: One) {
        self.waiting.insert(index, one);
        while let Some(ready) = self.waiting.remove(&self.done.next_id()) {
            (self.tell)(self.done.next_id(), &ready);
            self.done.push(ready);
        }
    }
}

fn one(
    schema: &Schema,
    session: &mut dyn Session,
    index: RelationId,
    fact: &Fact,
    samples: usize,
    lens: &Lens<'_>,
) -> One {
    let relation = &schema.relations[index];
    let diagnosis = match fact {
        Fact::Checked(tally) => diagnose::diagnose(schema, session, relation, tally, lens.redaction),
        Fact::Unchecked(_) => Vec::new(),
    };
    let mut coverage = findings::coverage(relation, fact);
    coverage.reason = coverage.reason.map(|reason| lens.redaction.message(&reason));
    let mut found = findings::findings(schema, index, fact, diagnosis, samples);
    if let Some(column) = scan_filter::time_column(schema, relation, lens.time_columns) {
        found.iter_mut().for_each(|finding| date(schema, session, relation, &column.name, finding));
    }
    let findings = found.into_iter().map(|finding| judged(lens, schema, &mut coverage, finding)).collect();
    One { coverage, findings }
}

/// When the missing keys that are told first and last occur; an engine that cannot say leaves it out.
fn date(schema: &Schema, session: &mut dyn Session, relation: &Relation, column: &str, finding: &mut Finding) {
    let keys: Vec<&Key> = finding.top_missing.iter().map(|missing| &missing.key).collect();
    let question = if keys.is_empty() { None } else { sql::of(schema).spans(schema, relation, column, &keys) };
    let Some(question) = question else { return };
    let mut spans = Vec::new();
    // Without an answer there is no date, and nothing else is lost.
    let _ = session.each_row(&question, &mut |row| {
        if let [place, first, last] = row {
            spans.push((
                place.as_integer(),
                Span { column: column.to_owned(), first: first.clone(), last: last.clone() },
            ));
        }
    });
    for (place, span) in spans {
        let missing = place.and_then(|place| finding.top_missing.get_mut(usize::try_from(place).ok()?));
        if let Some(missing) = missing.filter(|_| span.first != Value::Null) {
            missing.span = Some(span);
        }
    }
}

/// With the severity that the policy gives it, and nothing that may not be shown.
fn judged(lens: &Lens<'_>, schema: &Schema, coverage: &mut Coverage, finding: Finding) -> Finding {
    let about = &schema.relations[finding.relation];
    let extent = Extent { orphan_rows: finding.rows, missing_keys: finding.missing_keys, rows: coverage.counts.rows };
    let child = schema.child(about).name.to_string();
    let (severity, why) = lens.policy.severity(finding.code, &finding.relation_id, &child, extent);
    if let Some(why) = why {
        coverage.reason = Some(coverage.reason.take().map_or(why.clone(), |reason| format!("{reason}; {why}")));
    }
    (lens.mark)(Finding { severity, ..lens.redaction.finding(schema, finding) })
}

pub fn tables_left_alone(schema: &Schema) -> Vec<LeftAlone> {
    let why = |kind: TableKind| match kind {
        TableKind::Virtual => Some(schema.database.engine.facts().virtual_table),
        TableKind::Shadow => Some("the storage of a virtual table"),
        TableKind::Table | TableKind::Partitioned | TableKind::View => None,
    };
    let tables = schema.tables.iter();
    tables
        .filter_map(|table| Some(LeftAlone { what: table.name.to_string(), why: why(table.kind)?.to_owned() }))
        .collect()
}

/// Nothing that was read can be relied on.
pub fn distrust(examination: &mut Examination, why: &str) {
    for coverage in &mut examination.relations {
        coverage.state = CoverageState::Unchecked;
        coverage.reason = Some(why.to_owned());
    }
}
