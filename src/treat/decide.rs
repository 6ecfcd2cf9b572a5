//! Decides a chunk of missing keys. Each key gets its first treatment that is possible, or the reasons why none is.

use std::rc::Rc;

use super::Case;
use super::Planner;
use super::Stop;
use super::TreatError;
use super::redefine::is_relaxed;
use crate::model::catalog::Action;
use crate::model::row::RowName;
use crate::model::rule::PlaceholderKey;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::Treatment;
use crate::model::rule::TreatmentKind;
use crate::model::value::Key;
use crate::model::value::Value;

/// One missing key, the first row that refers to it, and the number of rows that do.
pub(super) struct Group {
    pub(super) key: Key,
    pub(super) row: RowName,
    pub(super) rows: u64,
    /// The fingerprints of these rows, if a new parent records them when it is created.
    pub(super) orphans: Vec<u64>,
}

#[derive(Debug, Clone)]
pub(super) enum Decision {
    Decided { treatment: Rc<str>, action: RowAction },
    Undecided(Rc<str>),
}

/// The action on the rows that refer to a missing key.
#[derive(Debug, Clone)]
pub(super) enum RowAction {
    /// The rows stay as they are.
    Nothing,
    /// The columns of the key change. `None` leaves a column as it is.
    Set { columns: Rc<[Option<Value>]>, record: Option<Rc<str>>, quarantine_on_conflict: bool, blanks: bool },
    /// The rows are deleted. A table or a file keeps them, if one is given.
    Remove { keep: Option<Rc<QuarantineTarget>> },
}

impl RowAction {
    pub(super) fn loses_data(&self) -> bool {
        match self {
            RowAction::Nothing => false,
            RowAction::Set { blanks, .. } => *blanks,
            RowAction::Remove { .. } => true,
        }
    }
}

impl Decision {
    pub(super) fn changes_rows(&self) -> bool {
        matches!(self, Decision::Decided { action: RowAction::Set { .. } | RowAction::Remove { .. }, .. })
    }
}

/// For each key, the action of a treatment, or the reason why the treatment does not apply.
pub(super) type RowActions = Vec<Result<RowAction, String>>;

impl<'a> Planner<'a> {
    pub(super) fn decide(&mut self, case: &mut Case<'a>, groups: &[Group]) -> Result<Vec<Decision>, TreatError> {
        let mut decisions: Vec<Option<Decision>> = groups.iter().map(|_| None).collect();
        let mut reasons: Vec<Vec<String>> = groups.iter().map(|_| Vec::new()).collect();
        for treatment in &case.rule.treatments {
            let open: Vec<usize> = (0..groups.len()).filter(|&index| decisions[index].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let treatment = &treatment.value;
            let open_groups: Vec<&Group> = open.iter().map(|&index| &groups[index]).collect();
            // A parent that the plan already creates also serves this relation, so the key needs no treatment.
            let planned = match treatment {
                Treatment::Remap(_) => vec![false; open_groups.len()],
                _ => self.planned(case, &open_groups)?,
            };
            for (&index, _) in open.iter().zip(&planned).filter(|(_, is_planned)| **is_planned) {
                let by = match treatment {
                    Treatment::Sentinel(_) => TreatmentKind::Sentinel,
                    _ => TreatmentKind::Placeholder,
                };
                decisions[index] = Some(Decision::Decided { treatment: by.name().into(), action: RowAction::Nothing });
            }
            // Parents are created for the other keys only.
            let open: Vec<usize> =
                open.into_iter().zip(planned).filter(|(_, is_planned)| !is_planned).map(|(index, _)| index).collect();
            let open_groups: Vec<&Group> = open.iter().map(|&index| &groups[index]).collect();
            if open_groups.is_empty() {
                continue;
            }
            let mut actions = self.actions(case, treatment, &open_groups)?;
            self.keep_adopted_rows(case, treatment, &open_groups, &mut actions)?;
            for (&index, action) in open.iter().zip(actions) {
                match action {
                    Ok(action) => {
                        decisions[index] = Some(Decision::Decided { treatment: treatment.name().into(), action });
                    }
                    Err(why) => reasons[index].push(format!("{}: {why}", treatment.name())),
                }
            }
        }
        let undecided = |reasons: Vec<String>| Decision::Undecided(reasons.join("; ").into());
        Ok(decisions
            .into_iter()
            .zip(reasons)
            .map(|(decision, why)| decision.unwrap_or_else(|| undecided(why)))
            .collect())
    }

    /// Changes no row whose key is the key of the parent that the plan creates for it.
    fn keep_adopted_rows(
        &mut self,
        case: &Case<'a>,
        treatment: &Treatment,
        groups: &[&Group],
        actions: &mut RowActions,
    ) -> Result<(), TreatError> {
        let is_sentinel = matches!(treatment, Treatment::Sentinel(_));
        let has_own_key =
            matches!(treatment, Treatment::Placeholder(placeholder) if placeholder.key == PlaceholderKey::New);
        if !is_sentinel && !has_own_key {
            return Ok(());
        }
        let created = self.planned(case, groups)?;
        for ((action, group), is_created) in actions.iter_mut().zip(groups).zip(created) {
            let Ok(RowAction::Set { columns, .. }) = action else { continue };
            let is_its_key =
                columns.iter().zip(&group.key).all(|(new, old)| new.as_ref().is_some_and(|new| new.is_same(old)));
            if is_created && (is_sentinel || is_its_key) {
                *action = Ok(RowAction::Nothing);
            }
        }
        Ok(())
    }

    /// Returns the action of a treatment for each key, or the reason why the treatment does not apply.
    pub(super) fn actions(
        &mut self,
        case: &mut Case<'a>,
        treatment: &Treatment,
        groups: &[&Group],
    ) -> Result<RowActions, TreatError> {
        if let Some(why) = case.guarded.as_ref().filter(|_| treatment.loses_data()) {
            return Ok(every(groups, Err(why.clone())));
        }
        if changes_child(treatment) {
            let child = case.relation.child;
            let can_change = self.check_identity(child);
            let can_change = if can_change.is_ok() { split_undecided(self.rehearse_table(child))? } else { can_change };
            if let Err(why) = can_change {
                return Ok(every(groups, Err(why)));
            }
        }
        if let Some(why) = self.unsettable_key(case, treatment) {
            return Ok(every(groups, Err(why)));
        }
        case.creating = treatment.name();
        match treatment {
            Treatment::Remap(remap) => self.remap(case, remap, groups),
            Treatment::Placeholder(placeholder) => self.placeholder(case, placeholder, groups),
            Treatment::Sentinel(sentinel) => Ok(every(groups, split_undecided(self.sentinel(case, sentinel, groups))?)),
            Treatment::SetNull { columns } => {
                let columns = columns.as_ref().map(|columns| columns.iter().map(|name| name.value.as_str()).collect());
                Ok(every(groups, self.set_null(case, columns)))
            }
            Treatment::SetDefault => Ok(every(groups, split_undecided(self.set_default(case, groups))?)),
            Treatment::Quarantine { keep } => {
                Ok(every(groups, Ok(RowAction::Remove { keep: Some(Rc::new(keep.clone())) })))
            }
            Treatment::Delete => Ok(every(groups, Ok(RowAction::Remove { keep: None }))),
            Treatment::Follow { keep } => self.follow(case, *keep, groups),
            Treatment::Report | Treatment::Repoint(_) => Ok(every(groups, Ok(RowAction::Nothing))),
            Treatment::Relax(_) if is_relaxed(case.relation, Some(case.rule)) => {
                Ok(every(groups, Ok(RowAction::Nothing)))
            }
            Treatment::Relax(_) => {
                Ok(every(groups, Err("the relation is not declared, so it has no foreign key to drop".to_owned())))
            }
            Treatment::Enforce(_) => Ok(every(groups, Err("it declares a foreign key and repairs no row".to_owned()))),
            Treatment::Prevent(_) => {
                Ok(every(groups, Err("it acts on rows that are written later and repairs no row".to_owned())))
            }
        }
    }

    /// Returns the reason why the treatment cannot give the child rows another key, if it would.
    fn unsettable_key(&self, case: &Case<'a>, treatment: &Treatment) -> Option<String> {
        let gives_keys = match treatment {
            Treatment::Remap(_) | Treatment::Sentinel(_) => true,
            Treatment::Placeholder(placeholder) => placeholder.key == PlaceholderKey::New,
            _ => false,
        };
        let mut columns = self.schema.child_columns(case.relation).filter(|_| gives_keys);
        columns.find_map(|column| Some(format!("{} {}", column.name, column.why_not_set()?)))
    }

    /// Applies the ON DELETE action of the foreign key, as if the parent had just been deleted.
    fn follow(&mut self, case: &Case<'a>, keep: bool, groups: &[&Group]) -> Result<RowActions, TreatError> {
        let action = match case.relation.on_delete {
            Action::Cascade => Ok(RowAction::Remove { keep: keep.then(|| Rc::new(QuarantineTarget::default())) }),
            Action::SetNull => self.set_null(case, None),
            Action::SetDefault => split_undecided(self.set_default(case, groups))?,
            other => Err(format!("ON DELETE is {}, which says nothing about a repair", other.name())),
        };
        Ok(every(groups, action))
    }
}

/// Returns the reason of an undecided key as the inner error, and a failure of the whole plan as the outer error.
pub(super) fn split_undecided<T>(outcome: Result<T, Stop>) -> Result<Result<T, String>, TreatError> {
    match outcome {
        Ok(done) => Ok(Ok(done)),
        Err(stop) => stop.why().map(Err),
    }
}

/// True if the treatment changes rows of the child.
pub(super) fn changes_child(treatment: &Treatment) -> bool {
    match treatment {
        Treatment::Placeholder(placeholder) => placeholder.key == PlaceholderKey::New,
        Treatment::Report => false,
        other => !other.changes_the_schema(),
    }
}

pub(super) fn set(key: Key, record: Option<Rc<str>>, quarantine_on_conflict: bool) -> RowAction {
    let columns = key.into_iter().map(Some).collect();
    RowAction::Set { columns, record, quarantine_on_conflict, blanks: false }
}

/// Returns the same value for every key.
pub(super) fn every<T: Clone>(groups: &[&Group], value: T) -> Vec<T> {
    vec![value; groups.len()]
}
