//! Makes a plan from rules and orphans. The unit of decision is the missing key: fk-doctor tries its treatments in order and
//! takes the first that is possible. A key that no treatment can repair stays undecided.
//!
//! Planning writes nothing to the database. It inserts every new row into a rehearsal, a private copy of the tables'
//! definitions. So it finds the rows that the database would refuse before the plan is applied. Each relation has two passes over its
//! orphans (`passes`): the first decides key by key, the second plans changes row by row. The plan draft holds at most one
//! change per row.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Rehearsal;
use crate::model::facts::CounterTable;
use crate::model::forecast::PlanRefusal;
use crate::model::forecast::RelationForecast;
use crate::model::forecast::RepairForecast;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::NewTable;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::relation::Relation;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::rule::Treatment;
use crate::model::schema::Schema;
use crate::model::schema_index::SchemaIndex;
use crate::model::value::Value;
use crate::plan_draft::Batch;
use crate::plan_draft::PlanDraft;
use crate::scan::Progress;
use crate::scan::ScanResult;
use crate::scan::ScanResults;
use crate::scan::Tally;
use crate::sql::repair::Repair;
use crate::treat::assign::Assigned;

mod adopt;
pub mod assign;
mod blank;
mod certain_parents;
pub mod check;
mod closure;
mod conflicts;
mod counters;
mod decide;
mod decision_runs;
pub mod definitions;
mod evaluate;
mod fresh_keys;
pub mod header;
mod images;
mod kept_rows;
mod limits;
mod neutral_values;
mod parent_loss;
mod parents;
mod parents_together;
mod passes;
mod placeholders;
pub mod redefine;
mod references;
mod referring_rows;
mod rehearsal;
mod rehearsed_rows;
mod rekey;
mod remap;
mod repoint;
mod required_parents;
pub mod restore;
mod returned_rows;
mod rows;
mod samples;
mod stop;
mod stored_keys;
mod uniform;
mod unique;
mod unrehearsed;
mod unrehearsed_rows;
mod warnings;
mod whole_rows;

use images::TOO_LONG;
use stop::Stop;

/// The number of keys or rows in one query.
const CHUNK: usize = 400;

/// The number of examples that a report shows of each treatment.
const SAMPLES: usize = 3;

/// An error while a plan is made. Its text follows the words "could not".
#[derive(Debug, thiserror::Error)]
pub enum TreatError {
    #[error("{0}")]
    Engine(#[from] EngineError),
    #[error("keep the plan while it is made")]
    PlanDraft(#[from] rusqlite::Error),
    /// The condition that selects rows of a table does not compile.
    #[error("evaluate the condition on {table}")]
    Condition { table: String, why: String },
}

/// A plan that is not written to a file yet: its changes, and a summary of them.
pub struct Draft {
    pub changes: PlanDraft,
    pub forecast: RepairForecast<Value>,
}

/// The sessions that a plan needs. The first two share one snapshot.
pub struct PlanSessions {
    /// Streams the orphans of a relation.
    pub reader: Box<dyn Session>,
    /// Answers queries while the orphans are streamed.
    pub lookups: Box<dyn Session>,
    pub rehearsal: Box<dyn Rehearsal>,
}

/// The state of a plan that is being made.
struct Planner<'a> {
    schema: &'a Schema,
    schema_index: SchemaIndex<'a>,
    counters: Option<(&'static CounterTable, TableId)>,
    sql: &'static dyn Repair,
    lookups: Box<dyn Session>,
    rehearsal: rehearsal::RehearsalTables,
    draft: PlanDraft,
    effects: Effects,
    new_parents: parents::NewParents,
    conflicts: conflicts::Conflicts,
    special_indexes: unique::SpecialIndexes,
    known_children: referring_rows::KnownChildren,
    returned: returned_rows::ReturnedRows,
    losses: limits::Losses,
    refusals: Vec<PlanRefusal>,
    progress: PlanProgress<'a>,
    /// Tables whose rows the plan certainly does not change.
    unchanged: BTreeSet<TableId>,
    /// True for tables whose definition has a condition, if the catalog does not tell.
    conditions: BTreeMap<TableId, bool>,
}

/// The effects of a plan beyond the changes of its draft.
#[derive(Default)]
struct Effects {
    /// Tables whose rows the plan updates or deletes, each with the relations that are the reason, and true if the rows are
    /// orphans of that relation.
    changed: BTreeMap<TableId, BTreeSet<(RelationId, bool)>>,
    new_tables: Vec<NewTable>,
    /// The number of rows that each file keeps.
    kept_files: BTreeMap<String, u64>,
    /// The number of orphans of each relation that new parents recorded when they were created.
    adopted: BTreeMap<RelationId, u64>,
}

impl Effects {
    fn record_change(&mut self, table: TableId, by: RelationId, as_orphans: bool) {
        self.changed.entry(table).or_default().insert((by, as_orphans));
    }
}

/// Counts the orphans that are treated for the progress display. Each pass counts them.
struct PlanProgress<'a> {
    decided: u64,
    tried: u64,
    total: u64,
    progress: Progress<'a>,
}

impl PlanProgress<'_> {
    fn decided(&mut self, rows: u64) {
        self.decided += rows;
        self.show(RunPhase::DecideKeys, self.decided);
    }

    fn tried(&mut self, rows: u64) {
        self.tried += rows;
        self.show(RunPhase::TryRows, self.tried);
    }

    fn show(&self, phase: RunPhase, done: u64) {
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        (self.progress)(&ProgressStep::of(phase, whole(done.min(self.total)), whole(self.total)));
    }
}

fn rows_to_treat(facts: &ScanResults, assigned: &Assigned) -> u64 {
    let rows = facts.iter().zip(assigned).map(|(fact, rule)| match (fact, rule) {
        (ScanResult::Checked(tally), Some(_)) => tally.orphan_rows,
        _ => 0,
    });
    rows.sum()
}

/// One relation under treatment.
struct Case<'a> {
    id: RelationId,
    relation: &'a Relation,
    rule: &'a Rule,
    tally: &'a Tally,
    forecast: RelationForecast<Value>,
    /// The reason why the parent-loss guard forbids to delete rows or to set them to NULL, if it does.
    guarded: Option<String>,
    /// The number of orphans that the first pass decided to delete or to set to NULL.
    estimate: u64,
    /// The number of orphans that are counted as treated.
    treated: u64,
    /// The number of the last key of which the second pass left a row undecided.
    last_undecided_key: Option<usize>,
    /// The treatment that creates new rows now.
    creating: &'static str,
    /// False if no change of the plan concerns the child, apart from those of this relation's orphans.
    meets_changes: bool,
    /// The changes of the orphans, in the order of their rows.
    batch: Batch,
}

/// The cause of a change: a rule, and the relation for which it changes a row.
#[derive(Clone, Copy)]
struct Cause<'c> {
    rule: &'c Rule,
    /// The id of the relation.
    relation: &'c str,
}

impl Cause<'_> {
    fn reason(&self, role: ChangeRole, treatment: &str) -> ChangeReason {
        ChangeReason {
            role,
            relation: self.relation.to_owned(),
            rule: self.rule.id.value.clone(),
            treatment: treatment.to_owned(),
        }
    }
}

impl Case<'_> {
    fn cause(&self) -> Cause<'_> {
        Cause { rule: self.rule, relation: &self.relation.id }
    }

    fn reason(&self, role: ChangeRole, treatment: &str) -> ChangeReason {
        self.cause().reason(role, treatment)
    }
}

/// The input of a plan. The facts were scanned in the snapshot of the sessions.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub schema: &'a Schema,
    pub facts: &'a ScanResults,
    pub rules: &'a Rules,
    pub assigned: &'a Assigned,
    pub sql: &'static dyn Repair,
}

/// The first step of a relation.
enum Start<'a> {
    Treat(Box<Case<'a>>),
    /// The relation has no orphans that a rule treats.
    Done(RelationForecast<Value>),
    /// The plan drops the foreign key, so the relation need not be checked.
    NotDeclared,
}

/// Makes a plan: treats every relation, records the orphans that get a parent, and checks the limits.
pub fn plan<'a>(request: Request<'a>, sessions: PlanSessions, progress: Progress<'a>) -> Result<Draft, TreatError> {
    let PlanSessions { mut reader, lookups, rehearsal } = sessions;
    let mut planner = Planner::new(&request, lookups, rehearsal, progress)?;
    let mut forecasts = Vec::new();
    for relation in treatment_order(request.schema, request.rules, request.assigned) {
        match request.start(relation) {
            Start::Treat(case) => forecasts.push(planner.treat(*case, reader.as_mut())?),
            Start::Done(forecast) => forecasts.push(forecast),
            Start::NotDeclared => {}
        }
    }
    let repoints = planner.repoint(request.rules)?;
    if planner.may_continue() {
        planner.remember_orphans(request.facts, reader.as_mut())?;
    }
    planner.plan_counters()?;
    let mut draft = planner.finish(forecasts);
    draft.forecast.repoints = repoints;
    Ok(draft)
}

impl<'a> Request<'a> {
    fn start(&self, id: RelationId) -> Start<'a> {
        let relation = &self.schema.relations[id];
        let rule = self.assigned[id].map(|rule| &self.rules[rule]);
        let mut forecast = RelationForecast::of(id, relation);
        let tally = match &self.facts[id] {
            ScanResult::Checked(tally) => tally,
            ScanResult::Unchecked(_) if redefine::is_relaxed(relation, rule) => return Start::NotDeclared,
            ScanResult::Unchecked(why) => {
                forecast.unchecked = Some(why.clone());
                forecast.rule = rule.map(|rule| rule.id.value.clone());
                return Start::Done(forecast);
            }
        };
        forecast.keys = tally.missing_keys;
        forecast.rows = tally.orphan_rows;
        forecast.child_rows = tally.counts.rows;
        forecast.rows_after = tally.orphan_rows;
        let Some(rule) = rule.filter(|rule| tally.orphan_rows > 0 && rule.is_for_orphans()) else {
            return Start::Done(forecast);
        };
        forecast.rule = Some(rule.id.value.clone());
        Start::Treat(Box::new(Case {
            id,
            relation,
            rule,
            tally,
            forecast,
            guarded: None,
            estimate: 0,
            treated: 0,
            last_undecided_key: None,
            creating: "",
            meets_changes: true,
            batch: Batch::default(),
        }))
    }
}

/// Returns the relations in order of their rules: first those that remap, then those that create parents, then those that
/// delete rows or set them to NULL. In this order, the treatment of a relation adds no orphans to an earlier relation.
fn treatment_order(schema: &Schema, rules: &Rules, assigned: &Assigned) -> Vec<RelationId> {
    let rank = |id: RelationId| {
        let first = assigned[id].and_then(|rule| rules[rule].treatments.first());
        first.map_or(3, |treatment| match treatment.value {
            Treatment::Remap(_) => 0,
            Treatment::Placeholder(_) | Treatment::Sentinel(_) => 1,
            _ => 2,
        })
    };
    let mut order: Vec<RelationId> = schema.relations.ids().collect();
    order.sort_by_key(|&id| rank(id));
    order
}

impl<'a> Planner<'a> {
    fn new(
        request: &Request<'a>,
        lookups: Box<dyn Session>,
        rehearsal: Box<dyn Rehearsal>,
        progress: Progress<'a>,
    ) -> Result<Planner<'a>, TreatError> {
        let Request { schema, facts, rules, assigned, sql } = *request;
        let mut losses = limits::Losses::default();
        let whole = schema.relations.iter().zip(facts).filter(|(relation, _)| relation.scope.is_everything());
        for (relation, fact) in whole {
            if let ScanResult::Checked(tally) = fact {
                losses.know_size(relation.child, tally.counts.rows);
            }
        }
        let schema_index = SchemaIndex::of(schema);
        let may_remove = rules.iter().any(Rule::can_remove_rows) || rekey::can_rekey(&schema_index, request);
        Ok(Planner {
            schema,
            schema_index,
            counters: counters::counter_table(schema),
            sql,
            lookups,
            rehearsal: rehearsal::RehearsalTables::new(rehearsal),
            draft: PlanDraft::new()?,
            effects: Effects::default(),
            new_parents: parents::NewParents::default(),
            conflicts: conflicts::Conflicts::new(may_remove),
            returned: returned_rows::ReturnedRows::default(),
            special_indexes: unique::SpecialIndexes::default(),
            known_children: referring_rows::KnownChildren::default(),
            losses,
            refusals: Vec::new(),
            unchanged: adopt::unchanged_tables(request, may_remove),
            conditions: BTreeMap::new(),
            progress: PlanProgress { decided: 0, tried: 0, total: rows_to_treat(facts, assigned), progress },
        })
    }

    /// Returns the plan of all relations.
    fn finish(mut self, mut forecasts: Vec<RelationForecast<Value>>) -> Draft {
        forecasts.sort_by_key(|forecast| forecast.relation);
        forecasts.retain(|forecast| forecast.rows > 0 || forecast.unchecked.is_some());
        let tables = self.draft.tables();
        let (limits, over) = self.limits();
        self.refusals.extend(over);
        let Planner { draft, effects, refusals, .. } = self;
        let Effects { mut new_tables, kept_files, .. } = effects;
        new_tables.retain(|new| tables.iter().any(|table| table.table == new.name.to_string()));
        let forecast = RepairForecast {
            relations: forecasts,
            tables,
            creates: new_tables,
            files: kept_files,
            limits,
            refusals,
            ..RepairForecast::default()
        };
        Draft { changes: draft, forecast }
    }

    /// Adds a change to the plan, replacing an earlier change of the row.
    fn put(&mut self, change: &Change) -> Result<(), TreatError> {
        Ok(self.draft.put(change)?)
    }
}
