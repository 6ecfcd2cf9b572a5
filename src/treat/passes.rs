//! The two passes over the orphans of a relation. The first decides every missing key. The second plans the changes of the
//! rows.

use super::CHUNK;
use super::Case;
use super::Planner;
use super::TreatError;
use super::decide::Decision;
use super::decide::Group;
use super::decide::RowAction;
use super::decision_runs::DecisionRuns;
use super::parent_loss;
use super::rows::Pending;
use crate::engine::Session;
use crate::model::configured::Spanned;
use crate::model::forecast::RelationForecast;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::plan::orphan_name;
use crate::model::relation::Relation;
use crate::model::rule::ExpressionScope;
use crate::model::rule::Rule;
use crate::model::rule::Treatment;
use crate::model::rule::TreatmentKind;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::plan_file;
use crate::scan::OrphanColumns;
use crate::scan::OrphanRow;
use crate::sql;
use crate::sql::read::tokens::names_column_of;

impl<'a> Planner<'a> {
    /// Treats one relation. Returns its part of the forecast.
    pub(super) fn treat(
        &mut self,
        mut case: Case<'a>,
        reader: &mut dyn Session,
    ) -> Result<RelationForecast<Value>, TreatError> {
        if let Some(why) = self.untreatable_reason(&case) {
            let undecided = case.forecast.leave(&why, &Vec::new());
            (undecided.keys, undecided.rows) = (case.tally.missing_keys, case.tally.orphan_rows);
            undecided.example = case.tally.top.first().map(|missing| missing.key.clone()).unwrap_or_default();
            return Ok(case.forecast);
        }
        for treatment in &case.rule.treatments {
            // The report lists the treatments in this order.
            case.forecast.share(treatment.value.name());
        }
        case.guarded = self.parent_loss(&case)?;
        case.batch = self.draft.batch();
        // A delete may concern any row. A new parent may be a row of the child itself.
        case.meets_changes = self.conflicts.may_remove
            || self.draft.changes(&self.schema.child(case.relation).name)
            || case.relation.parent.table == Some(case.relation.child);
        let decisions = match self.decide_at_once(&mut case)? {
            Some(decisions) => decisions,
            None => self.first_pass(&mut case, reader)?,
        };
        self.count_treated(&mut case)?;
        self.check_estimate(&case)?;
        self.check_limits();
        let lost = self.lost_in_child(&case);
        if self.may_continue() && decisions.change_rows() {
            if !self.unrehearsed_pass(&mut case, reader, &decisions)? {
                self.second_pass(&mut case, reader, &decisions)?;
            }
            self.count_treated(&mut case)?;
            self.check_limits();
        }
        self.count_estimate(&case, lost)?;
        let left = case.forecast.undecided.iter().map(|undecided| undecided.rows).sum::<u64>();
        let reported = case.forecast.treatments.iter().filter(|share| share.is_of(TreatmentKind::Report));
        case.forecast.rows_after = left + reported.map(|share| share.rows).sum::<u64>();
        case.forecast.treatments.retain(|share| share.rows > 0 || share.changes > 0);
        case.forecast.help = parent_loss::help(&case);
        Ok(case.forecast)
    }

    /// Returns the reason why no treatment of the rule can be tried, if there is one.
    fn untreatable_reason(&self, case: &Case<'_>) -> Option<String> {
        if case.rule.treatments.iter().all(|treatment| treatment.value.changes_the_schema()) {
            return None;
        }
        if reads_child_columns(self.schema, case.rule)
            && let Err(why) = self.check_identity(case.relation.child)
        {
            return Some(why);
        }
        if case.tally.false_orphans.is_some() {
            return Some("an index of the parent is damaged: repair it first with REINDEX".to_owned());
        }
        None
    }

    /// Returns the reason why single rows of the table cannot be found, as an error.
    pub(super) fn check_identity(&self, table: TableId) -> Result<(), String> {
        let table = &self.schema.tables[table];
        if !identity_columns(table).is_empty() {
            return Ok(());
        }
        Err(format!(
            "rows of {} cannot be identified: the table needs a primary key, or a UNIQUE key without NULL",
            table.name
        ))
    }

    /// Decides every missing key, in the order of the engine.
    fn first_pass(&mut self, case: &mut Case<'a>, reader: &mut dyn Session) -> Result<DecisionRuns, TreatError> {
        let mut decisions = DecisionRuns::default();
        let mut open: Vec<Group> = Vec::new();
        let columns = OrphanColumns::of(self.schema, case.relation);
        let mut groups = Groups::of(case, self.schema);
        let (child, relation) = (self.schema.child(case.relation), case.relation);
        let creates = |treatment: &Spanned<Treatment>| matches!(treatment.value, Treatment::Placeholder(_));
        let has_names = !identity_columns(child).is_empty();
        let records = has_names && self.unchanged.contains(&relation.child) && case.rule.treatments.iter().any(creates);
        columns.each_orphan(case.tally, reader, &self.all_orphans(relation), |row| {
            if groups.starts_group(&row) {
                if open.len() == CHUNK {
                    self.decide_chunk(case, &mut open, &mut decisions)?;
                }
                let (key, name) = (row.key.to_vec(), columns.identity(&row));
                open.push(Group { key, row: name, rows: 0, orphans: Vec::new() });
            }
            if let Some(group) = open.last_mut() {
                group.rows += 1;
                if records {
                    let name = orphan_name(child, &columns.identity(&row), &columns.stored_key(&row), relation);
                    group.orphans.push(plan_file::fingerprint(&name));
                }
            }
            Ok::<(), TreatError>(())
        })?;
        self.decide_chunk(case, &mut open, &mut decisions)?;
        Ok(decisions)
    }

    /// Returns the query for every orphan of a relation.
    pub(super) fn all_orphans(&self, relation: &Relation) -> sql::Sql {
        sql::of(self.schema).orphans(self.schema, relation, &sql::ScanHints::default())
    }

    /// Decides a chunk of keys and counts the decisions.
    fn decide_chunk(
        &mut self,
        case: &mut Case<'a>,
        open: &mut Vec<Group>,
        decisions: &mut DecisionRuns,
    ) -> Result<(), TreatError> {
        let groups = std::mem::take(open);
        self.progress.decided(groups.iter().map(|group| group.rows).sum());
        for (group, decision) in groups.iter().zip(self.decide(case, &groups)?) {
            match &decision {
                Decision::Undecided(why) => {
                    let undecided = case.forecast.leave(why, &group.key);
                    undecided.keys += 1;
                    undecided.rows += group.rows;
                }
                Decision::Decided { treatment, action } => {
                    let share = case.forecast.share(treatment);
                    share.keys += 1;
                    share.rows += group.rows;
                    if action.loses_data() {
                        case.estimate += group.rows;
                    }
                }
            }
            decisions.push(decision);
        }
        Ok(())
    }

    /// Plans the changes of every row whose key was decided, a chunk at a time.
    fn second_pass(
        &mut self,
        case: &mut Case<'a>,
        reader: &mut dyn Session,
        decisions: &DecisionRuns,
    ) -> Result<(), TreatError> {
        let mut open: Vec<Pending<'_>> = Vec::new();
        let columns = OrphanColumns::of(self.schema, case.relation);
        let mut groups = Groups::of(case, self.schema);
        let mut group = 0;
        columns.each_orphan(case.tally, reader, &self.all_orphans(case.relation), |row| {
            group += usize::from(groups.starts_group(&row));
            let Some(Decision::Decided { treatment, action }) = decisions.of(group - 1) else { return Ok(()) };
            if matches!(action, RowAction::Nothing) {
                return Ok(());
            }
            open.push(Pending { row: columns.identity(&row), key: row.key.to_vec(), group, treatment, action });
            if open.len() == CHUNK { self.change_rows(case, &std::mem::take(&mut open)) } else { Ok(()) }
        })?;
        self.change_rows(case, &open)
    }
}

/// True if a query of the rule reads columns of the child, so that the rows of one missing key may get different keys.
pub(super) fn reads_child_columns(schema: &Schema, rule: &Rule) -> bool {
    rule.queries().any(|query| names_column_of(schema.database.engine, query, ExpressionScope::Child.name()))
}

/// Divides the stream of orphans, which is sorted by missing key, into the units of decision.
struct Groups {
    /// True if the rule reads other columns of the child, so that each row is decided by itself.
    each_row_alone: bool,
    last: Option<i64>,
}

impl Groups {
    fn of(case: &Case<'_>, schema: &Schema) -> Groups {
        Groups { each_row_alone: reads_child_columns(schema, case.rule), last: None }
    }

    /// True if the next orphan begins a new unit.
    fn starts_group(&mut self, orphan: &OrphanRow<'_>) -> bool {
        let starts = self.each_row_alone || self.last.is_none() || self.last != orphan.group;
        self.last = orphan.group;
        starts
    }
}
