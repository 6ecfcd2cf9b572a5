//! Rules and orphans → a plan. The unit of decision is the missing key: its treatments are tried in order, the first that
//! is admissible is taken, and what none can treat stays undecided.
//!
//! Nothing is written to the database. Rows are rehearsed in a private room with the same tables, so that a row which the
//! database would refuse is known now and not when the plan is applied. Two passes over a relation's orphans: the first
//! decides key by key, the second changes row by row; changes lie on the plan_draft, one per row.

use crate::model::value::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Rehearsal;
use crate::engine::write::TableCreation;
use crate::model::forecast::Outlook;
use crate::model::forecast::Refusal;
use crate::model::forecast::RepairForecast;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::NewTable;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::rule::Scope;
use crate::model::rule::Treatment;
use crate::model::rule::TreatmentKind;
use crate::model::schema::Schema;
use crate::plan_draft::PlanDraft;
use crate::scan::Fact;
use crate::scan::OrphanColumns;
use crate::scan::OrphanRow;
use crate::scan::Progress;
use crate::scan::ScanFacts;
use crate::scan::Tally;
use crate::sql;
use crate::sql::read::tokens::names_column_of;
use crate::sql::repair::Repair;
use crate::treat::assign::Assigned;

mod adopt;
pub mod assign;
pub mod check;
mod closure;
mod conflicts;
mod decide;
mod decision_runs;
pub mod definitions;
mod hazards;
pub mod header;
mod images;
mod kept_rows;
mod limits;
mod parent_loss;
mod parents;
pub mod redefine;
mod rekey;
mod rows;
mod stop;
mod unique;

use decide::Act;
use decide::Group;
use decide::Verdict;
use decision_runs::DecisionRuns;
use images::TOO_LONG;
use stop::Stop;

/// Keys and rows are asked about this many at a time.
const CHUNK: usize = 400;

/// Examples shown of each treatment.
const SAMPLES: usize = 3;

/// Reads after "could not".
#[derive(Debug, thiserror::Error)]
pub enum TreatError {
    #[error("{0}")]
    Engine(#[from] EngineError),
    #[error("keep the plan while it is made")]
    PlanDraft(#[from] rusqlite::Error),
}

/// A plan that was thought of: its changes, and what they amount to.
pub struct Draft {
    pub bench: PlanDraft,
    pub forecast: RepairForecast<Value>,
}

/// Where a plan is made: two sessions that see the same moment, and the room for rehearsals.
pub struct Rooms {
    pub reader: Box<dyn Session>,
    pub asker: Box<dyn Session>,
    pub rehearsal: Box<dyn Rehearsal>,
}

/// What is at hand while a relation is treated.
struct Planner<'a> {
    schema: &'a Schema,
    surgery: &'static dyn Repair,
    asker: Box<dyn Session>,
    room: Box<dyn Rehearsal>,
    /// Tables that the room has.
    furnished: BTreeSet<TableId>,
    bench: PlanDraft,
    /// Tables of which rows change or go, because of which relations, and whether as orphans of it.
    changed: BTreeSet<(TableId, RelationId, bool)>,
    parents: parents::Memory,
    ties: conflicts::Conflicts,
    pace: Pace<'a>,
    /// Some rule can take rows away, or the keys that others refer to.
    takes_away: bool,
    /// Tables in which rows get other keys that can be referred to.
    rekeyed: BTreeSet<TableId>,
    creates: Vec<NewTable>,
    /// How many rows each file keeps.
    files: BTreeMap<String, u64>,
    odd: unique::OddIndexes,
    losses: limits::Losses,
    refusals: Vec<Refusal>,
}

/// How far it is: every orphan that is treated is looked at twice.
struct Pace<'a> {
    done: u64,
    total: u64,
    progress: Progress<'a>,
}

impl Pace<'_> {
    fn advance(&mut self, rows: u64) {
        self.done += rows;
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        (self.progress)(whole(self.done.min(2 * self.total)), whole(2 * self.total));
    }
}

fn rows_to_treat(facts: &ScanFacts, assigned: &Assigned) -> u64 {
    let rows = facts.iter().zip(assigned).map(|(fact, rule)| match (fact, rule) {
        (Fact::Checked(tally), Some(_)) => tally.orphan_rows,
        _ => 0,
    });
    rows.sum()
}

/// One relation under treatment.
struct Case<'a> {
    index: RelationId,
    relation: &'a Relation,
    rule: &'a Rule,
    tally: &'a Tally,
    outlook: Outlook<Value>,
    /// Why rows may not be removed or blanked, if they may not.
    guarded: Option<String>,
    /// Orphans that the first pass decided to remove or blank.
    estimate: u64,
    /// Orphans that were counted as treated.
    treated: u64,
    /// The key whose row was last given up in the second pass.
    given_up: Option<usize>,
    /// The treatment that makes rows at the moment.
    making: &'static str,
}

/// What a plan is made from. The facts are of the snapshot that the sessions see.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub schema: &'a Schema,
    pub facts: &'a ScanFacts,
    pub rules: &'a Rules,
    pub assigned: &'a Assigned,
    pub surgery: &'static dyn Repair,
}

/// Where the treatment of a relation begins.
enum Opening<'a> {
    Case(Box<Case<'a>>),
    /// There is nothing to treat.
    Done(Outlook<Value>),
    /// The relation is no longer declared, so that it need not be checked.
    NotDeclared,
}

/// Makes a plan: treats every relation, remembers the orphans that the plan gives a parent, and holds all to the limits.
pub fn plan<'a>(request: Request<'a>, rooms: Rooms, progress: Progress<'a>) -> Result<Draft, TreatError> {
    let Rooms { mut reader, asker, rehearsal } = rooms;
    let mut planner = Planner::new(&request, asker, rehearsal, progress)?;
    let mut outlooks = Vec::new();
    for relation in in_order(request.schema, request.rules, request.assigned) {
        match request.open(relation) {
            Opening::Case(case) => outlooks.push(planner.treat(*case, reader.as_mut())?),
            Opening::Done(outlook) => outlooks.push(outlook),
            Opening::NotDeclared => {}
        }
    }
    if planner.goes_on() {
        planner.remember_orphans(request.facts, reader.as_mut())?;
    }
    planner.count_on()?;
    Ok(planner.finish(outlooks))
}

impl<'a> Request<'a> {
    fn open(&self, index: RelationId) -> Opening<'a> {
        let relation = &self.schema.relations[index];
        let rule = self.assigned[index].map(|rule| &self.rules[rule]);
        let mut outlook = Outlook::of(index, relation);
        let tally = match &self.facts[index] {
            Fact::Checked(tally) => tally,
            Fact::Unchecked(_) if redefine::is_relaxed(relation, rule) => return Opening::NotDeclared,
            Fact::Unchecked(why) => {
                outlook.unchecked = Some(why.clone());
                outlook.rule = rule.map(|rule| rule.id.value.clone());
                return Opening::Done(outlook);
            }
        };
        outlook.keys = tally.missing_keys;
        outlook.rows = tally.orphan_rows;
        outlook.rows_after = tally.orphan_rows;
        let Some(rule) = rule.filter(|rule| tally.orphan_rows > 0 && rule.is_for_orphans()) else {
            return Opening::Done(outlook);
        };
        outlook.rule = Some(rule.id.value.clone());
        Opening::Case(Box::new(Case {
            index,
            relation,
            rule,
            tally,
            outlook,
            guarded: None,
            estimate: 0,
            treated: 0,
            given_up: None,
            making: "",
        }))
    }
}

/// Relations whose rules point elsewhere first, then those that make parents, then those that take away: so that none
/// makes work for an earlier one.
fn in_order(schema: &Schema, rules: &Rules, assigned: &Assigned) -> Vec<RelationId> {
    let rank = |index: RelationId| {
        let first = assigned[index].and_then(|rule| rules[rule].treatments.first());
        first.map_or(3, |treatment| match treatment.value {
            Treatment::Remap(_) => 0,
            Treatment::Placeholder(_) | Treatment::Sentinel(_) => 1,
            _ => 2,
        })
    };
    let mut order: Vec<RelationId> = schema.relations.ids().collect();
    order.sort_by_key(|&index| rank(index));
    order
}

impl<'a> Planner<'a> {
    fn new(
        request: &Request<'a>,
        asker: Box<dyn Session>,
        room: Box<dyn Rehearsal>,
        progress: Progress<'a>,
    ) -> Result<Planner<'a>, TreatError> {
        let Request { schema, facts, rules, assigned, surgery } = *request;
        let mut losses = limits::Losses::default();
        let whole = schema.relations.iter().zip(facts).filter(|(relation, _)| relation.scope.is_everything());
        for (relation, fact) in whole {
            if let Fact::Checked(tally) = fact {
                losses.know_size(relation.child, tally.counts.rows);
            }
        }
        Ok(Planner {
            schema,
            surgery,
            asker,
            room,
            furnished: BTreeSet::new(),
            bench: PlanDraft::new()?,
            changed: BTreeSet::new(),
            parents: parents::Memory::default(),
            ties: conflicts::Conflicts::default(),
            pace: Pace { done: 0, total: rows_to_treat(facts, assigned), progress },
            takes_away: rules.iter().any(Rule::can_take_away) || rekey::can_rekey(schema, rules, assigned),
            rekeyed: BTreeSet::new(),
            creates: Vec::new(),
            files: BTreeMap::new(),
            odd: unique::OddIndexes::default(),
            losses,
            refusals: Vec::new(),
        })
    }

    /// Returns the plan that came of all relations.
    fn finish(mut self, mut outlooks: Vec<Outlook<Value>>) -> Draft {
        outlooks.sort_by_key(|outlook| outlook.relation);
        outlooks.retain(|outlook| outlook.rows > 0 || outlook.unchecked.is_some());
        let tables = self.bench.tables();
        let (limits, over) = self.limits();
        self.refusals.extend(over);
        let Planner { bench, mut creates, files, refusals, .. } = self;
        creates.retain(|new| tables.iter().any(|table| table.table == new.name.to_string()));
        let forecast = RepairForecast {
            relations: outlooks,
            tables,
            creates,
            files,
            limits,
            refusals,
            ..RepairForecast::default()
        };
        Draft { bench, forecast }
    }

    fn treat(&mut self, mut case: Case<'a>, reader: &mut dyn Session) -> Result<Outlook<Value>, TreatError> {
        if let Some(why) = self.cannot_be_treated(&case) {
            let undecided = case.outlook.leave(&why, &Vec::new());
            (undecided.keys, undecided.rows) = (case.tally.missing_keys, case.tally.orphan_rows);
            undecided.example = case.tally.top.first().map(|missing| missing.key.clone()).unwrap_or_default();
            return Ok(case.outlook);
        }
        for treatment in &case.rule.treatments {
            // In the order in which they are tried.
            case.outlook.share(treatment.value.name());
        }
        case.guarded = self.parent_loss(&case)?;
        let verdicts = self.first_pass(&mut case, reader)?;
        self.count_treated(&mut case)?;
        self.check_estimate(&case)?;
        self.check_limits();
        let lost = self.lost_in_child(&case);
        if self.goes_on() && verdicts.change_rows() {
            self.second_pass(&mut case, reader, &verdicts)?;
            self.count_treated(&mut case)?;
            self.check_limits();
        }
        self.count_estimate(&case, lost)?;
        let left = case.outlook.undecided.iter().map(|undecided| undecided.rows).sum::<u64>();
        let reported = case.outlook.treatments.iter().filter(|share| share.is_of(TreatmentKind::Report));
        case.outlook.rows_after = left + reported.map(|share| share.rows).sum::<u64>();
        case.outlook.treatments.retain(|share| share.rows > 0 || share.changes > 0);
        Ok(case.outlook)
    }

    /// Why no treatment can be tried at all, if none can.
    fn cannot_be_treated(&self, case: &Case<'_>) -> Option<String> {
        if case.rule.treatments.iter().all(|treatment| treatment.value.is_of_the_schema()) {
            return None;
        }
        if looks_at_child(self.schema, case.rule)
            && let Err(why) = self.can_be_found(case.relation.child)
        {
            return Some(why);
        }
        if case.tally.false_orphans.is_some() {
            return Some("an index of the parent is damaged: repair it first (REINDEX)".to_owned());
        }
        None
    }

    /// Whether a row of the table can be told from its equals.
    fn can_be_found(&self, table: TableId) -> Result<(), String> {
        let table = &self.schema.tables[table];
        if !identity_columns(table).is_empty() {
            return Ok(());
        }
        Err(format!(
            "rows of {} have no key to find them by: it takes a primary key, or a UNIQUE one without NULL",
            table.name
        ))
    }

    /// Decides every missing key, in the order in which the engine gives them.
    fn first_pass(&mut self, case: &mut Case<'a>, reader: &mut dyn Session) -> Result<DecisionRuns, TreatError> {
        let mut verdicts = DecisionRuns::default();
        let mut open: Vec<Group> = Vec::new();
        let columns = OrphanColumns::of(self.schema, case.relation);
        let mut groups = Groups::of(case, self.schema);
        columns.each_row(reader, &self.all_orphans(case.relation), |row| {
            if groups.opens(&row) {
                if open.len() == CHUNK {
                    self.settle(case, &mut open, &mut verdicts)?;
                }
                open.push(Group { key: row.key.to_vec(), row: columns.identity(&row), rows: 0 });
            }
            if let Some(group) = open.last_mut() {
                group.rows += 1;
            }
            Ok::<(), TreatError>(())
        })?;
        self.settle(case, &mut open, &mut verdicts)?;
        Ok(verdicts)
    }

    /// The question for every orphan of a relation.
    fn all_orphans(&self, relation: &Relation) -> sql::Sql {
        sql::of(self.schema).orphans(self.schema, relation, &sql::ScanHints::default())
    }

    /// Decides a chunk of keys and counts what came of it.
    fn settle(
        &mut self,
        case: &mut Case<'a>,
        open: &mut Vec<Group>,
        verdicts: &mut DecisionRuns,
    ) -> Result<(), TreatError> {
        let groups = std::mem::take(open);
        self.pace.advance(groups.iter().map(|group| group.rows).sum());
        for (group, verdict) in groups.iter().zip(self.decide(case, &groups)?) {
            match &verdict {
                Verdict::Undecided(why) => {
                    let undecided = case.outlook.leave(why, &group.key);
                    undecided.keys += 1;
                    undecided.rows += group.rows;
                }
                Verdict::Decided { treatment, act } => {
                    let share = case.outlook.share(treatment);
                    share.keys += 1;
                    share.rows += group.rows;
                    if act.loses_data() {
                        case.estimate += group.rows;
                    }
                }
            }
            verdicts.push(verdict);
        }
        Ok(())
    }

    /// Changes every row whose key was decided so, a chunk at a time.
    fn second_pass(
        &mut self,
        case: &mut Case<'a>,
        reader: &mut dyn Session,
        verdicts: &DecisionRuns,
    ) -> Result<(), TreatError> {
        let mut open: Vec<rows::Pending<'_>> = Vec::new();
        let columns = OrphanColumns::of(self.schema, case.relation);
        let mut groups = Groups::of(case, self.schema);
        let mut group = 0;
        columns.each_row(reader, &self.all_orphans(case.relation), |row| {
            group += usize::from(groups.opens(&row));
            let Some(Verdict::Decided { treatment, act }) = verdicts.of(group - 1) else { return Ok(()) };
            if matches!(act, Act::Nothing) {
                return Ok(());
            }
            open.push(rows::Pending { row: columns.identity(&row), key: row.key.to_vec(), group, treatment, act });
            if open.len() == CHUNK { self.change_rows(case, &std::mem::take(&mut open)) } else { Ok(()) }
        })?;
        self.change_rows(case, &open)
    }

    /// Puts a change on the bench, in place of an earlier one of the same row.
    fn put(&mut self, change: &Change) -> Result<(), TreatError> {
        Ok(self.bench.put(change)?)
    }

    /// Puts a table into the room. It is undecided where its rows cannot be tried, or not be changed at all.
    fn furnish(&mut self, table: TableId) -> Result<(), Stop> {
        let about = &self.schema.tables[table];
        if let Some(why) = &about.irreversible {
            return Stop::undecided(format!("{} {why}", about.name));
        }
        if !self.furnished.contains(&table) {
            let defaults = self.defaults(table)?;
            for statement in self.surgery.rehearsal_table(about, &defaults) {
                if let TableCreation::Impossible(why) = self.room.create_table(&statement)? {
                    return Stop::undecided(format!("rows of {} cannot be tried: {why}", about.name));
                }
            }
            self.furnished.insert(table);
        }
        Ok(())
    }

    /// The room with this table in it, and the dialect that is spoken there.
    fn room(&mut self, table: TableId) -> Result<(&mut dyn Rehearsal, &'static dyn Repair), TreatError> {
        match self.furnish(table) {
            Ok(()) => Ok((self.room.as_mut(), self.surgery.for_rehearsal())),
            Err(stop) => Err(EngineError::Failed { why: stop.why()? }.into()),
        }
    }
}

/// True if a query of the rule reads columns of the child, so that the rows of one missing key may get different keys.
fn looks_at_child(schema: &Schema, rule: &Rule) -> bool {
    rule.queries().any(|query| names_column_of(schema.database.engine, query, Scope::Child.name()))
}

/// Cuts the stream of orphans, which come sorted by missing key, into the units of decision.
struct Groups {
    /// Where a rule looks at the child's other columns, each row is decided by itself.
    each_row_alone: bool,
    last: Option<i64>,
}

impl Groups {
    fn of(case: &Case<'_>, schema: &Schema) -> Groups {
        Groups { each_row_alone: looks_at_child(schema, case.rule), last: None }
    }

    /// True if the next orphan begins a unit.
    fn opens(&mut self, orphan: &OrphanRow<'_>) -> bool {
        let opens = self.each_row_alone || self.last.is_none() || self.last != orphan.group;
        self.last = orphan.group;
        opens
    }
}
