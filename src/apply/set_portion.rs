//! Consecutive changes of a plan in the direction of the run, with values only. The changes of a group share everything else.

use std::sync::Arc;

use super::ApplyError;
use super::Direction;
use super::portion::Reading;
use crate::model::change_group::ChangeGroup;
use crate::model::change_group::GroupImages;
use crate::model::change_group::GroupedChange;
use crate::model::plan::Adopted;
use crate::model::plan::ChangeRole;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowBatch;
use crate::model::value::Value;

/// A change whose images are swapped for undo.
pub(super) struct SetLine {
    /// Its position in the plan.
    pub(super) position: usize,
    /// The number of its group in the plan.
    pub(super) number: usize,
    pub(super) group: Arc<ChangeGroup>,
    pub(super) unit: Option<u64>,
    pub(super) address: Option<i64>,
    pub(super) adopts: Option<Vec<Adopted>>,
    /// The identifying values, and true if they are those of the image.
    pub(super) name: Vec<Value>,
    pub(super) is_named_by_image: bool,
    /// The image before the change. Empty for an insert.
    pub(super) before: Vec<Value>,
    /// The values of the changed columns of an update, and of all columns of an insert. Empty for a delete.
    pub(super) after: Vec<Value>,
}

pub(super) struct SetPortion {
    /// The number of the batch of these lines; see [`RowBatch::id`].
    pub(super) batch: u64,
    pub(super) lines: Vec<SetLine>,
}

impl SetLine {
    fn new(position: usize, change: GroupedChange, direction: Direction) -> SetLine {
        let GroupedChange { number, group, row, mut before, mut after, unit, address, adopts } = change;
        let is_named_by_image = row.is_none();
        let image = if before.is_empty() { &after } else { &before };
        let named = || -> Vec<Value> {
            let positions = group.row_positions().unwrap_or_default();
            positions.iter().filter_map(|&position| image.get(position).cloned()).collect()
        };
        let name = row.unwrap_or_else(named);
        if direction == Direction::Undo {
            match &group.images {
                GroupImages::Update { set, .. } => {
                    for (&position, value) in set.iter().zip(&mut after) {
                        if let Some(stored) = before.get_mut(position) {
                            std::mem::swap(stored, value);
                        }
                    }
                }
                _ => std::mem::swap(&mut before, &mut after),
            }
        }
        SetLine { position, number, group, unit, address, adopts, name, is_named_by_image, before, after }
    }

    pub(super) fn role(&self) -> ChangeRole {
        role(&self.group)
    }

    /// True if the line inserts a parent for rows that the plan does not change.
    pub(super) fn adopts_rows(&self) -> bool {
        self.before.is_empty()
            && self.role() != ChangeRole::Restored
            && self.adopts.as_ref().is_some_and(|adopts| !adopts.is_empty())
    }

    /// Returns the line of a batch, for the group with this index.
    pub(super) fn in_batch(&self, group: usize) -> BatchLine<'_> {
        BatchLine {
            group,
            name: &self.name,
            // A row without a key is named by its address.
            address: self.address.or_else(|| self.name.first().and_then(Value::as_integer)),
            before: &self.before,
            after: &self.after,
        }
    }

    /// True if the image before contains the row's name, so that a row with this image also has this name. An address is in no
    /// image, and names one row.
    pub(super) fn has_name_in_image(&self) -> bool {
        let columns = self.group.columns();
        self.is_named_by_image
            || self.group.row.iter().zip(&self.name).all(|(name, value)| {
                match columns.iter().position(|column| column == name).and_then(|position| self.before.get(position)) {
                    Some(stored) => stored.is_same(value),
                    None => value.as_integer().is_some(),
                }
            })
    }
}

fn role(group: &ChangeGroup) -> ChangeRole {
    group.reasons.first().map_or(ChangeRole::Orphan, |reason| reason.role)
}

impl Reading<'_> {
    /// Returns the lines that [`Reading::portion`] returns from a step on, with values only.
    pub(super) fn set_portion(&mut self, step: usize, most: usize) -> Result<SetPortion, ApplyError> {
        if let Some((at, of, portion)) = self.portion_ahead.take()
            && (at, of) == (step, most)
        {
            return Ok(portion);
        }
        let total = self.plan.changes();
        let mut lines: Vec<SetLine> = Vec::with_capacity(most.min(total - step));
        for step in step..total {
            let position = self.position(step);
            let change = match self.grouped_ahead.take() {
                Some((at, change)) if at == step => change,
                _ => self.plan.grouped(position)?,
            };
            let ends = lines.last().is_some_and(|last| {
                let continues = last.unit.is_some() && last.unit == change.unit;
                let counts = |role: ChangeRole| role == ChangeRole::Counter;
                !continues && (lines.len() >= most || counts(last.role()) != counts(role(&change.group)))
            });
            if ends {
                self.grouped_ahead = Some((step, change));
                break;
            }
            lines.push(SetLine::new(position, change, self.direction));
        }
        Ok(SetPortion { batch: RowBatch::new_id(), lines })
    }
}
