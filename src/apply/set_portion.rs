//! Consecutive changes of a plan in the direction of the run, with values only. The changes of a group share everything else.

use std::sync::Arc;

use super::ApplyError;
use super::Direction;
use super::lines_ahead::LinesAhead;
use super::portion::Reading;
use crate::model::change_group::ChangeGroup;
use crate::model::change_group::GroupImages;
use crate::model::change_group::GroupedChange;
use crate::model::plan::Adopted;
use crate::model::plan::ChangeRole;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowBatch;
use crate::model::value::Value;

/// A portion that has reached this size in bytes takes no more lines.
const LARGEST: usize = 1 << 25;

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
    /// The size of all values.
    pub(super) bytes: usize,
}

pub(super) struct SetPortion {
    /// The number of the batch of these lines; see [`RowBatch::id`].
    pub(super) batch: u64,
    pub(super) lines: Vec<SetLine>,
}

impl SetPortion {
    /// Frees the lines on another thread: that takes long, and a table may be locked meanwhile.
    pub(super) fn discard(self) {
        rayon::spawn(move || drop(self.lines));
    }
}

impl SetLine {
    pub(super) fn new(position: usize, change: GroupedChange, direction: Direction) -> SetLine {
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
        let bytes = name.iter().chain(&before).chain(&after).map(Value::bytes).sum();
        SetLine { position, number, group, unit, address, adopts, name, is_named_by_image, before, after, bytes }
    }

    pub(super) fn role(&self) -> ChangeRole {
        self.group.reasons.first().map_or(ChangeRole::Orphan, |reason| reason.role)
    }

    /// True if the next line belongs to the same unit.
    pub(super) fn continues(&self, next: &SetLine) -> bool {
        self.unit.is_some() && self.unit == next.unit
    }

    /// True for a counter. Counters are apart from rows, because they are compared after the rows that advance them were written.
    fn counts(&self) -> bool {
        self.role() == ChangeRole::Counter
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

impl Reading<'_> {
    /// Returns the lines that [`Reading::portion`] returns from a step on, with values only. They are fewer if their values are
    /// large.
    pub(super) fn set_portion(&mut self, step: usize, most: usize) -> Result<SetPortion, ApplyError> {
        let ahead = match &mut self.ahead_of_sets {
            Some(ahead) => ahead,
            none => none.insert(LinesAhead::new(self.plan.second_reader()?, self.direction)),
        };
        ahead.go_to(step);
        let mut lines: Vec<SetLine> = Vec::with_capacity(most.min(self.plan.changes() - step));
        let mut bytes = 0;
        while let Some(next) = ahead.peek()? {
            let is_whole = lines.len() >= most || bytes >= LARGEST;
            if lines.last().is_some_and(|last| !last.continues(next) && (is_whole || last.counts() != next.counts())) {
                break;
            }
            bytes += next.bytes;
            lines.extend(ahead.take());
        }
        Ok(SetPortion { batch: RowBatch::new_id(), lines })
    }

    /// Takes back lines that [`Self::set_portion`] returned last.
    pub(super) fn put_back(&mut self, lines: Vec<SetLine>) {
        if let Some(ahead) = &mut self.ahead_of_sets {
            ahead.put_back(lines);
        }
    }
}
