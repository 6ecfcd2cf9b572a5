//! Limits of a plan. The planner counts the rows that it deletes or sets to NULL: per rule over all its relations, per table
//! with its dependants, and for the whole plan. Each row counts once.
//!
//! A limit that a rule sets holds for every treatment of the rule. A default limit holds only for rows that are deleted
//! or set to NULL. The limit of the plan is the sum of the limits of its rules; all rules without a limit share the
//! default.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Case;
use super::Cause;
use super::Planner;
use super::TreatError;
use crate::model::forecast::LimitUse;
use crate::model::forecast::PlanRefusal;
use crate::model::ids::TableId;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::rule;
use crate::model::rule::Limits;
use crate::model::rule::Rule;
use crate::model::rule::TreatmentKind;
use crate::model::text::count;
use crate::model::text::plural;
use crate::sql;

#[derive(Default)]
pub(super) struct Losses {
    plan: u64,
    tables: BTreeMap<TableId, u64>,
    /// By the id of the rule.
    rules: BTreeMap<String, OfRule>,
    /// The number of rows of each table.
    sizes: BTreeMap<TableId, u64>,
    /// The tables of which rows were counted since the limits were compared last.
    uncompared: BTreeSet<TableId>,
    /// True if a limit is exceeded. The planner then only counts and plans no further changes.
    is_over: bool,
}

#[derive(Default)]
struct OfRule {
    limits: Limits,
    /// What happens to the rows, such as `cleared`.
    verb: &'static str,
    rows: u64,
    tables: BTreeMap<TableId, u64>,
    /// The number of rows that any treatment changes, in all and by child table.
    treated_rows: u64,
    treated: BTreeMap<TableId, u64>,
    relations: BTreeSet<String>,
}

/// What happens to the rows of several treatments.
const LOST: &str = "removed or cleared";

/// Returns what a rule does to the rows that its limits count.
fn verb(rule: &Rule) -> &'static str {
    let mut verbs = rule.treatments.iter().filter_map(|treatment| match treatment.value.kind() {
        TreatmentKind::SetNull => Some("cleared"),
        TreatmentKind::SetDefault => Some("set to their default"),
        TreatmentKind::Quarantine => Some("quarantined"),
        TreatmentKind::Delete => Some("deleted"),
        TreatmentKind::Follow => Some(LOST),
        TreatmentKind::Remap | TreatmentKind::Placeholder | TreatmentKind::Sentinel => {
            rule.limits.is_some().then_some("changed")
        }
        TreatmentKind::Repoint => Some("quarantined"),
        TreatmentKind::Report | TreatmentKind::Relax | TreatmentKind::Enforce | TreatmentKind::Prevent => None,
    });
    let first = verbs.next().unwrap_or("changed");
    match verbs.find(|verb| *verb != first) {
        None => first,
        Some(_) if rule.limits.is_some() => "changed or removed",
        Some(_) => LOST,
    }
}

/// A row that was counted.
pub(super) struct Counted {
    table: TableId,
    in_plan: bool,
    in_rule: bool,
}

impl Losses {
    /// Records the size of a table that the scan has counted.
    pub(super) fn know_size(&mut self, table: TableId, rows: u64) {
        self.sizes.insert(table, rows);
    }

    fn of(&mut self, rule: &Rule) -> &mut OfRule {
        if !self.rules.contains_key(&rule.id.value) {
            let limits = rule.limits.unwrap_or_default();
            self.rules.insert(rule.id.value.clone(), OfRule { limits, verb: verb(rule), ..OfRule::default() });
        }
        self.rules.entry(rule.id.value.clone()).or_default()
    }

    fn size(&self, table: TableId) -> u64 {
        self.sizes.get(&table).copied().unwrap_or_default()
    }

    /// Returns the tables of which rows were counted.
    fn counted_tables(&self) -> BTreeSet<TableId> {
        let of_rules = self.rules.values().flat_map(|rule| rule.tables.keys().chain(rule.treated.keys()));
        self.tables.keys().chain(of_rules).copied().collect()
    }

    /// Returns the sums of every rule, of these tables and of the plan, each with its limit.
    fn uses(&self, tables: &BTreeSet<TableId>) -> Vec<Use<'_>> {
        let mut uses = Vec::new();
        for (id, rule) in &self.rules {
            let touched = if rule.limits.max_rows.is_some() { rule.rows.max(rule.treated_rows) } else { rule.rows };
            uses.push(Use { rule: Some(id), ..Use::rows(touched, rule.limits.rows(), rule.limits.max_rows.is_none()) });
            let is_concerned = |table: &TableId| rule.tables.contains_key(table) || rule.treated.contains_key(table);
            for table in tables.iter().copied().filter(is_concerned) {
                let of = |counts: &BTreeMap<TableId, u64>| counts.get(&table).copied().unwrap_or_default();
                let lost = of(&rule.tables);
                let is_written = rule.limits.max_share.is_some();
                let rows = if is_written { lost.max(of(&rule.treated)) } else { lost }.min(self.size(table));
                let share = Use::share(table, rows, self.size(table), rule.limits.share(), !is_written);
                uses.push(Use { rule: Some(id), ..share });
            }
        }
        let removing: Vec<&OfRule> = self.rules.values().filter(|rule| rule.rows > 0).collect();
        for (table, rows) in tables.iter().filter_map(|table| Some((*table, *self.tables.get(table)?))) {
            let of = removing.iter().filter(|rule| rule.tables.contains_key(&table));
            let shares: Vec<Option<f64>> = of.map(|rule| rule.limits.max_share).collect();
            let cautious = if shares.contains(&None) { Limits::CAUTIOUS.share() } else { 0.0 };
            // Sums of decimal fractions are not exact.
            let most = ((shares.iter().flatten().sum::<f64>() + cautious) * 1e9).round() / 1e9;
            if shares.len() > 1 {
                uses.push(Use::share(table, rows, self.size(table), most.min(1.0), shares.iter().all(Option::is_none)));
            }
        }
        let each: Vec<Option<u64>> = removing.iter().map(|rule| rule.limits.max_rows).collect();
        let cautious = if each.contains(&None) { Limits::CAUTIOUS.rows() } else { 0 };
        let most = each.iter().flatten().fold(cautious, |sum, &most| sum.saturating_add(most));
        if each.len() > 1 {
            uses.push(Use::rows(self.plan, most, each.iter().all(Option::is_none)));
        }
        uses.retain(|limit_use| limit_use.rows > 0);
        uses
    }
}

/// One sum with its limit.
struct Use<'l> {
    rule: Option<&'l String>,
    table: Option<(TableId, u64)>,
    rows: u64,
    most: Most,
    is_default: bool,
}

enum Most {
    Rows(u64),
    Share(f64),
}

impl<'l> Use<'l> {
    fn rows(rows: u64, most: u64, is_default: bool) -> Use<'l> {
        Use { rule: None, table: None, rows, most: Most::Rows(most), is_default }
    }

    fn share(table: TableId, rows: u64, of: u64, most: f64, is_default: bool) -> Use<'l> {
        Use { rule: None, table: Some((table, of)), rows, most: Most::Share(most), is_default }
    }

    #[allow(clippy::cast_precision_loss, reason = "a share needs no more")]
    fn is_over(&self) -> bool {
        match (&self.most, self.table) {
            (Most::Rows(most), _) => self.rows > *most,
            (Most::Share(most), Some((_, of))) => self.rows as f64 > most * of as f64,
            (Most::Share(_), None) => false,
        }
    }
}

impl<'a> Planner<'a> {
    /// True if planning continues, because nothing is refused so far.
    pub(super) fn may_continue(&self) -> bool {
        self.refusals.is_empty() && !self.losses.is_over
    }

    /// Stops planning if a limit is exceeded.
    pub(super) fn check_limits(&mut self) {
        let uncompared = std::mem::take(&mut self.losses.uncompared);
        if !self.losses.is_over {
            self.losses.is_over = self.losses.uses(&uncompared).iter().any(Use::is_over);
        }
    }

    /// Stops planning if the orphans of one relation alone exceed a limit. Their dependants need not be collected then.
    pub(super) fn check_estimate(&mut self, case: &Case<'a>) -> Result<(), TreatError> {
        if case.estimate == 0 {
            return Ok(());
        }
        let of = self.size(case.relation.child)?;
        let limits = case.rule.limits.unwrap_or_default();
        let (rows, share) = (case.estimate, limits.share());
        let alone = [Use::rows(rows, limits.rows(), false), Use::share(case.relation.child, rows, of, share, false)];
        self.losses.is_over |= alone.iter().any(Use::is_over);
        Ok(())
    }

    /// Adds the estimate of the first pass once a limit is exceeded, because the second pass then does not examine the
    /// rows.
    pub(super) fn count_estimate(&mut self, case: &Case<'a>, base: u64) -> Result<(), TreatError> {
        if !self.losses.is_over || case.estimate == 0 {
            return Ok(());
        }
        let table = case.relation.child;
        let target = (base + case.estimate).min(self.size(table)?);
        let rule = self.losses.of(case.rule);
        rule.relations.insert(case.relation.id.clone());
        let lost = rule.tables.entry(table).or_default();
        let more = target.saturating_sub(*lost);
        *lost += more;
        rule.rows += more;
        let size = self.losses.size(table);
        let whole = self.losses.tables.entry(table).or_default();
        let more = more.min(size.saturating_sub(*whole));
        *whole += more;
        self.losses.plan += more;
        Ok(())
    }

    pub(super) fn lost_in_child(&mut self, case: &Case<'a>) -> u64 {
        self.losses.of(case.rule).tables.get(&case.relation.child).copied().unwrap_or_default()
    }

    /// Counts the known rows of all treatments except `report`.
    pub(super) fn count_treated(&mut self, case: &mut Case<'a>) -> Result<(), TreatError> {
        if case.rule.limits.is_some_and(|limits| limits.max_share.is_some()) {
            self.size(case.relation.child)?;
        }
        let shares = case.forecast.treatments.iter().filter(|share| !share.is_of(TreatmentKind::Report));
        let now: u64 = shares.map(|share| share.rows).sum();
        let before = std::mem::replace(&mut case.treated, now);
        self.losses.uncompared.insert(case.relation.child);
        let rule = self.losses.of(case.rule);
        let treated = rule.treated.entry(case.relation.child).or_default();
        for sum in [treated, &mut rule.treated_rows] {
            *sum = (*sum + now).saturating_sub(before);
        }
        Ok(())
    }

    /// Counts a row that is deleted or set to NULL, unless an earlier change of the row was counted.
    pub(super) fn count_loss(
        &mut self,
        case: &Case<'a>,
        table: TableId,
        earlier: &[ChangeReason],
    ) -> Result<Counted, TreatError> {
        self.count_loss_by(case.cause(), table, earlier)
    }

    pub(super) fn count_loss_by(
        &mut self,
        cause: Cause<'_>,
        table: TableId,
        earlier: &[ChangeReason],
    ) -> Result<Counted, TreatError> {
        self.size(table)?;
        let mut lost = earlier.iter().filter(|reason| loses(reason));
        let in_plan = lost.clone().next().is_none();
        let in_rule = lost.all(|reason| reason.rule != cause.rule.id.value);
        self.losses.uncompared.insert(table);
        if in_plan {
            self.losses.plan += 1;
            *self.losses.tables.entry(table).or_default() += 1;
        }
        let rule = self.losses.of(cause.rule);
        if in_rule {
            rule.rows += 1;
            *rule.tables.entry(table).or_default() += 1;
        }
        if !rule.relations.contains(cause.relation) {
            rule.relations.insert(cause.relation.to_owned());
        }
        Ok(Counted { table, in_plan, in_rule })
    }

    /// Counts rows that are deleted or set to NULL, and that no earlier change concerns.
    pub(super) fn count_losses(&mut self, case: &Case<'a>, table: TableId, rows: u64) -> Result<(), TreatError> {
        self.size(table)?;
        self.losses.uncompared.insert(table);
        self.losses.plan += rows;
        *self.losses.tables.entry(table).or_default() += rows;
        let rule = self.losses.of(case.rule);
        rule.rows += rows;
        *rule.tables.entry(table).or_default() += rows;
        rule.relations.insert(case.relation.id.clone());
        Ok(())
    }

    pub(super) fn uncount(&mut self, case: &Case<'a>, counted: &[Counted]) {
        self.uncount_by(case.cause(), counted);
    }

    pub(super) fn uncount_by(&mut self, cause: Cause<'_>, counted: &[Counted]) {
        for row in counted {
            if row.in_plan {
                self.losses.plan -= 1;
                *self.losses.tables.entry(row.table).or_default() -= 1;
            }
            if row.in_rule {
                let rule = self.losses.of(cause.rule);
                rule.rows -= 1;
                *rule.tables.entry(row.table).or_default() -= 1;
            }
        }
    }

    /// Returns the number of rows of a table.
    fn size(&mut self, table: TableId) -> Result<u64, TreatError> {
        if let Some(&size) = self.losses.sizes.get(&table) {
            return Ok(size);
        }
        let query = sql::of(self.schema).counts(self.schema, table, &[]);
        let size = self.lookups.numbers(&query)?.first().copied().unwrap_or(0);
        self.losses.sizes.insert(table, size);
        Ok(size)
    }

    /// Returns every sum with its limit, and the refusals of those that are exceeded.
    pub(super) fn limits(&self) -> (Vec<LimitUse>, Vec<PlanRefusal>) {
        let name = |table: TableId| self.schema.tables[table].name.to_string();
        let uses = self.losses.uses(&self.losses.counted_tables());
        let refusals = uses.iter().filter(|limit_use| limit_use.is_over()).map(|limit_use| {
            let whose = match (limit_use.rule, limit_use.is_default) {
                (Some(_), false) => "",
                (Some(_), true) => ", the default",
                (None, false) => ", for all rules together",
                (None, true) => ", the default for all rules together",
            };
            let verb = limit_use.rule.and_then(|rule| self.losses.rules.get(rule)).map_or(LOST, |rule| rule.verb);
            let (why, key) = match (&limit_use.most, limit_use.table) {
                (Most::Share(most), Some((table, of))) => {
                    let rows = format!("{} of {} of {}", count(limit_use.rows), plural(of, "row"), name(table));
                    let limit = format!("{} ({}{whose})", count(rule::rows_of_share(*most, of)), rule::percent(*most));
                    (format!("{rows} would be {verb}, and the limit is {limit}"), "max-share")
                }
                (Most::Share(most), None) => (format!("the limit is {}{whose}", rule::percent(*most)), "max-share"),
                (Most::Rows(most), _) => {
                    let limit = format!("{} (max-rows{whose})", count(*most));
                    let rows = plural(limit_use.rows, "row");
                    (format!("{rows} would be {verb}, and the limit is {limit}"), "max-rows")
                }
            };
            let relations = limit_use.rule.and_then(|rule| self.losses.rules.get(rule)).map(|rule| &rule.relations);
            let only = relations.filter(|relations| relations.len() == 1).and_then(BTreeSet::first);
            PlanRefusal {
                rule: limit_use.rule.cloned().unwrap_or_default(),
                relation: only.cloned().unwrap_or_default(),
                why,
                help: format!(
                    "look at these rows first; if all of them should change, raise {key} under [limits] in the rule"
                ),
            }
        });
        let refusals = refusals.collect();
        let shown = uses.iter().map(|limit_use| LimitUse {
            rule: limit_use.rule.cloned(),
            table: limit_use.table.map(|(table, _)| name(table)),
            rows: limit_use.rows,
            table_rows: limit_use.table.map(|(_, of)| of),
            max_rows: if let Most::Rows(most) = limit_use.most { Some(most) } else { None },
            max_share: if let Most::Share(most) = limit_use.most { Some(most) } else { None },
        });
        (shown.collect(), refusals)
    }
}

/// True if a change with this reason deletes a row or sets it to NULL.
fn loses(reason: &ChangeReason) -> bool {
    let takes = TreatmentKind::named(&reason.treatment).is_some_and(TreatmentKind::loses_data);
    matches!(reason.role, ChangeRole::Dependant | ChangeRole::Twin) || (reason.role == ChangeRole::Orphan && takes)
}
