//! Deletes of orphans, together with every row that depends on them. Each dependant follows the ON DELETE action of its own
//! relation. The plan lists every dependant, so that no cascade deletes a row that the plan does not show.
//!
//! A closure is the orphan with all its dependants. It is collected first and then planned as a whole. If one of its rows
//! must stay, none of them is planned.

use std::collections::HashMap;
use std::collections::HashSet;

use super::CHUNK;
use super::Case;
use super::Planner;
use super::Stop;
use super::TreatError;
use super::limits::Counted;
use super::rows::Pending;
use crate::model::catalog::Action;
use crate::model::forecast::ChangeSample;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::has_own_address;
use crate::model::plan::shown_name;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::TreatmentKind;
use crate::model::value::Value;
use crate::plan_draft::Step;
use crate::plan_draft::Unit;
use crate::plan_file;
use crate::stored_rows::Image;

/// One row of a closure.
struct ClosureRow<'a> {
    table: TableId,
    name: RowName,
    image: Image,
    role: ChangeRole,
    /// The relation whose reference is set to NULL, if the row itself stays.
    blanked: Option<&'a Relation>,
}

/// The orphan that is deleted, as the first row, and all rows that depend on it.
#[derive(Default)]
struct Closure<'a> {
    rows: Vec<ClosureRow<'a>>,
    /// The index of each row, by table and name.
    indexes: HashMap<(TableId, String), usize>,
    /// For each row, the indexes of its dependants. True marks a deferred reference, which is checked at the end of the
    /// transaction.
    dependants: Vec<Vec<(usize, bool)>>,
    /// The rows that were examined, by table and name, and those that were counted.
    seen: HashSet<(TableId, String)>,
    counted: Vec<Counted>,
    /// True if an earlier change of the plan sets a reference to NULL in a row that is now deleted. The closure must then be
    /// deleted before that change.
    is_deleted_first: bool,
    /// The table of a dependant that is planned to change at a later position.
    later_table: Option<TableId>,
}

impl<'a> Closure<'a> {
    fn add(&mut self, name: (TableId, String), row: ClosureRow<'a>) -> usize {
        let index = self.rows.len();
        self.indexes.insert(name, index);
        self.rows.push(row);
        self.dependants.push(Vec::new());
        index
    }

    /// Returns the indexes of all rows that are deleted. Each row comes before the rows that refer to it, except in a
    /// cycle.
    fn root_first(&self) -> Vec<usize> {
        let mut order = Vec::new();
        let mut visited = vec![false; self.rows.len()];
        let mut path: Vec<(usize, usize)> = if self.rows.is_empty() { Vec::new() } else { vec![(0, 0)] };
        while let Some((index, visited_dependants)) = path.last_mut() {
            let dependant =
                self.dependants[*index].iter().rev().nth(*visited_dependants).map(|(dependant, _)| *dependant);
            *visited_dependants += 1;
            match dependant {
                Some(dependant) if std::mem::replace(&mut visited[dependant], true) => {}
                Some(dependant) => path.push((dependant, 0)),
                None => order.extend(path.pop().map(|(index, _)| index)),
            }
        }
        order.reverse();
        order
    }

    /// Returns the tables of two rows that would each have to be deleted before the other.
    fn cycle(&self) -> Option<[TableId; 2]> {
        let order = self.root_first();
        let mut rank = vec![0; self.rows.len()];
        order.iter().enumerate().for_each(|(number, &index)| rank[index] = number);
        let mut references = self.dependants.iter().enumerate().flat_map(|(index, dependants)| {
            dependants.iter().map(move |&(dependant, is_deferred)| (index, dependant, is_deferred))
        });
        let violated = references.find(|&(index, dependant, is_deferred)| {
            index != dependant && !is_deferred && rank[dependant] < rank[index]
        });
        violated.map(|(index, dependant, _)| [self.rows[index].table, self.rows[dependant].table])
    }
}

impl<'a> Planner<'a> {
    /// Plans to delete an orphan and the rows that depend on it.
    pub(super) fn remove(
        &mut self,
        case: &mut Case<'a>,
        pending: &Pending<'_>,
        image: Image,
        keep: Option<&QuarantineTarget>,
    ) -> Result<(), TreatError> {
        let child = self.schema.child(case.relation);
        let sample = || ChangeSample {
            table: child.name.to_string(),
            row: shown_name(child, &pending.row, Some(&image.columns)).pairs(),
            before: Some(image.columns.pairs()),
            after: None,
        };
        let sample = sample();
        let mut closure = Closure::default();
        if let Err(stop) = self.gather(case, pending, image, &mut closure) {
            let why = stop.why()?;
            self.uncount(case, &closure.counted);
            case.leave_undecided(pending, &why);
            return Ok(());
        }
        case.show(pending.treatment, || sample);
        self.plan_closure(case, closure, pending.treatment, keep)
    }

    /// Plans a closure as one unit: the records that keep its rows, the references that are set to NULL, and the deletes.
    fn plan_closure(
        &mut self,
        case: &mut Case<'a>,
        closure: Closure<'a>,
        treatment: &str,
        keep: Option<&QuarantineTarget>,
    ) -> Result<(), TreatError> {
        let order = closure.root_first();
        let stands_alone =
            closure.rows.len() == 1 && !closure.is_deleted_first && !matches!(keep, Some(QuarantineTarget::Table(_)));
        let step = if closure.is_deleted_first { Step::DeleteFirst } else { Step::Delete };
        let unit = self.draft.unit(step);
        let deleted: HashSet<(TableId, String)> = closure
            .rows
            .iter()
            .filter(|row| row.blanked.is_none())
            .map(|row| (row.table, plan_file::row_text(&row.name)))
            .collect();
        let mut rows: Vec<Option<ClosureRow<'a>>> = closure.rows.into_iter().map(Some).collect();
        let mut changes = Vec::new();
        for index in order {
            if let Some(row) = rows[index].take() {
                changes.push(self.plan_removal(case, row, treatment, keep, unit)?);
            }
        }
        for blanked in rows.into_iter().flatten() {
            // The row is deleted if another of its references is in the closure.
            if let Some(relation) = blanked.blanked
                && !deleted.contains(&(blanked.table, plan_file::row_text(&blanked.name)))
            {
                self.set_reference_to_null(case, relation, blanked, treatment, unit)?;
            }
        }
        // A row is deleted before the row that it refers to.
        for change in changes.iter().rev() {
            if stands_alone {
                self.put(change)?;
            } else {
                self.draft.put_in(unit, change)?;
            }
        }
        Ok(())
    }

    /// Collects all rows that are deleted with an orphan, the orphan first. The orphan stays undecided if one of them must
    /// stay.
    #[allow(clippy::too_many_lines, reason = "its steps are still to be named")]
    fn gather(
        &mut self,
        case: &Case<'a>,
        pending: &Pending<'_>,
        image: Image,
        closure: &mut Closure<'a>,
    ) -> Result<(), Stop> {
        let schema = self.schema;
        let root = ClosureRow {
            table: case.relation.child,
            name: pending.row.clone(),
            image,
            role: ChangeRole::Orphan,
            blanked: None,
        };
        let mut open: Vec<(TableId, Vec<usize>)> = Vec::new();
        match self.admit(case, closure, root)? {
            Admission::Added(index) => open.push((case.relation.child, vec![index])),
            Admission::Present(_) | Admission::Skipped => {}
            Admission::Blocked(why) => return Stop::undecided(why),
        }
        while let Some((table, indexes)) = open.pop() {
            for (id, relation) in self.relations_to(table, None) {
                for chunk in indexes.chunks(CHUNK) {
                    let rows: Vec<RowName> = chunk.iter().map(|&index| closure.rows[index].name.clone()).collect();
                    let children = self.numbered_children(id, &rows)?;
                    if !children.is_empty() {
                        self.check_identity(relation.child).or_else(Stop::undecided)?;
                    }
                    let mut added = Vec::new();
                    for (parent, row) in self.dependants(relation, children)? {
                        let index = match self.admit(case, closure, row)? {
                            Admission::Added(index) => {
                                added.push(index);
                                index
                            }
                            Admission::Present(index) => index,
                            Admission::Skipped => continue,
                            Admission::Blocked(why) => return Stop::undecided(why),
                        };
                        let is_deferred = relation.deferrable && relation.on_delete == Action::NoAction;
                        closure.dependants[chunk[parent]].push((index, is_deferred));
                    }
                    if !added.is_empty() {
                        open.push((relation.child, added));
                    }
                    self.check_limits();
                    if !self.may_continue() {
                        return Ok(());
                    }
                }
            }
        }
        if let Some(tables) = closure.cycle().filter(|_| !self.sql.can_delete_cycles()) {
            let [first, second] = tables.map(|table| &schema.tables[table].name);
            let both = if first == second { first.to_string() } else { format!("{first} and {second}") };
            return Stop::undecided(format!(
                "rows of {both} refer to each other in a cycle, so neither can be deleted first"
            ));
        }
        match closure.later_table.filter(|_| closure.is_deleted_first) {
            Some(table) => {
                let name = &schema.tables[table].name;
                Stop::undecided(format!(
                    "rows that depend on it, among them one of {name}, would have to be deleted both before and after another change of this plan"
                ))
            }
            None => Ok(()),
        }
    }

    /// Adds a row to a closure. It does not add a row that is in the closure already, that the plan deletes anyway, or that
    /// another change needs.
    fn admit(
        &mut self,
        case: &Case<'a>,
        closure: &mut Closure<'a>,
        row: ClosureRow<'a>,
    ) -> Result<Admission, TreatError> {
        let about = &self.schema.tables[row.table];
        let blanked = row.blanked.map_or("", |relation| relation.id.as_str());
        let name = (row.table, format!("{blanked}{}", plan_file::row_text(&row.name)));
        if let Some(&index) = closure.indexes.get(&name) {
            return Ok(if row.blanked.is_some() { Admission::Skipped } else { Admission::Present(index) });
        }
        let planned = self.draft.get(&about.name, &row.name)?;
        let loses_reference =
            |planned: &Change| planned.reasons.iter().any(|reason| reason.role == ChangeRole::Dependant);
        match &planned {
            Some(planned) if planned.after.is_none() => {
                closure.later_table = Some(row.table);
                return Ok(Admission::Skipped);
            }
            Some(planned) if loses_reference(planned) && row.blanked.is_some() => closure.later_table = Some(row.table),
            Some(planned) if loses_reference(planned) => closure.is_deleted_first = true,
            _ => {}
        }
        if let Some(why) = &about.irreversible {
            return Ok(Admission::Blocked(format!("a row of {} would change, and {} {why}", about.name, about.name)));
        }
        if closure.seen.insert((row.table, plan_file::row_text(&row.name))) {
            let earlier = planned.map(|planned| planned.reasons).unwrap_or_default();
            closure.counted.push(self.count_loss(case, row.table, &earlier)?);
        }
        if let Some(relation) = row.blanked {
            let cleared = (&row.name, &row.image.columns, relation.child_columns.as_slice());
            if let Some((_, why)) = self.cannot_rekey(row.table, &[cleared])?.pop() {
                return Ok(Admission::Blocked(format!("a row of {} would lose its reference, and {why}", about.name)));
            }
            closure.add(name, row);
            return Ok(Admission::Skipped);
        }
        if self.is_needed(row.table, &row.image.columns, None) {
            let why = format!("a row of {} would be deleted, and another change of this plan refers to it", about.name);
            return Ok(Admission::Blocked(why));
        }
        Ok(Admission::Added(closure.add(name, row)))
    }

    /// Returns the rows of a closure that these children become. The orphan stays undecided if one of them is too long for a plan.
    fn dependants(
        &mut self,
        relation: &'a Relation,
        children: Vec<(usize, RowName)>,
    ) -> Result<Vec<(usize, ClosureRow<'a>)>, Stop> {
        let child = self.schema.child(relation);
        let (numbers, rows): (Vec<usize>, Vec<RowName>) = children.into_iter().unzip();
        let images = self.images(relation.child, &rows.iter().collect::<Vec<_>>())?;
        let loses_only_reference = relation.on_delete == Action::SetNull && self.can_be_null(relation);
        let dependants = numbers.into_iter().zip(rows).zip(images).map(|((number, row), image)| {
            let image = image.ok_or_else(|| {
                Stop::Undecided(format!("a row of {} depends on it, and {}", child.name, super::TOO_LONG))
            })?;
            let blanked = loses_only_reference.then_some(relation);
            Ok((number, ClosureRow { table: relation.child, name: row, image, role: ChangeRole::Dependant, blanked }))
        });
        dependants.collect()
    }

    fn can_be_null(&self, relation: &Relation) -> bool {
        let child = self.schema.child(relation);
        let is_fixed = |&column: &usize| {
            let about = &child.columns[column];
            about.not_null || about.generated || child.primary_key.contains(&column)
        };
        !relation.child_columns.iter().any(is_fixed)
    }

    /// Plans to set a reference to NULL in a dependant that stays.
    fn set_reference_to_null(
        &mut self,
        case: &mut Case<'a>,
        relation: &Relation,
        row: ClosureRow<'a>,
        treatment: &str,
        unit: Unit,
    ) -> Result<(), TreatError> {
        let child = self.schema.child(relation);
        let planned = self.draft.get(&child.name, &row.name)?;
        let is_planned = planned.is_some();
        let mut change = planned.unwrap_or_else(|| {
            let (before, after) = (row.image.columns.clone(), row.image.columns);
            Change::new(child.name.clone(), row.name, Some(before), Some(after))
        });
        let Some(after) = &mut change.after else { return Ok(()) };
        for name in self.schema.child_column_names(relation) {
            after.set(name, Value::Null);
        }
        let mut reason = case.reason(ChangeRole::Dependant, treatment);
        reason.relation.clone_from(&relation.id);
        change.reasons.push(reason);
        self.effects.record_change(relation.child, case.id, false);
        if let Some(before) = &change.before {
            self.record_rekeying(relation.child, before, &relation.child_columns);
        }
        // An earlier change keeps its position, which comes before any row that is deleted now.
        if is_planned { self.put(&change) } else { Ok(self.draft.put_in(unit, &change)?) }
    }

    /// Plans the delete of one row, and the record that keeps it.
    fn plan_removal(
        &mut self,
        case: &mut Case<'a>,
        row: ClosureRow<'a>,
        treatment: &str,
        keep: Option<&QuarantineTarget>,
        unit: Unit,
    ) -> Result<Change, TreatError> {
        let about = &self.schema.tables[row.table];
        let planned = self.draft.get(&about.name, &row.name)?;
        if let Some(planned) = &planned {
            self.remove_key_record(planned)?;
        }
        self.effects.record_change(row.table, case.id, row.role == ChangeRole::Orphan);
        let mut reasons = planned.map(|planned| planned.reasons).unwrap_or_default();
        reasons.push(case.reason(row.role, treatment));
        self.record_removal(row.table, &row.image.columns, None);
        // The rehearsal must not keep the row, because another row may take its unique key.
        if self.rehearsal.tables.contains(&row.table) {
            let (rehearsal, sql) = self.rehearsal_of(row.table)?;
            let _ = rehearsal.attempt(&sql.delete(about, &row.name))?;
        }
        let mut change = Change::new(about.name.clone(), row.name, Some(row.image.columns), None);
        change.address = row.image.address.filter(|_| has_own_address(about));
        change.reasons = reasons;
        match keep {
            None => {}
            Some(QuarantineTarget::Table(table)) => {
                self.keep_row(case.cause(), table, &change, TreatmentKind::Quarantine.name(), unit)?
            }
            Some(QuarantineTarget::File(file)) => {
                *self.effects.kept_files.entry(file.clone()).or_default() += 1;
                self.forget_returned_row(&change, TreatmentKind::Quarantine.name(), unit)?;
                change.kept = Some(file.clone());
            }
        }
        Ok(change)
    }
}

/// The result of adding a row to a closure.
enum Admission {
    /// The row was added at this index. Its dependants must be examined next.
    Added(usize),
    /// The row was added before, at this index.
    Present(usize),
    /// The row was not added, because it stays or because an earlier change deletes it.
    Skipped,
    /// The closure cannot be deleted, for this reason.
    Blocked(String),
}
