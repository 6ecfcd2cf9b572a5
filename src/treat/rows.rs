//! The second pass: the rows of decided keys, each tried as it would be stored before it is planned.

use super::Case;
use super::Desk;
use super::Image;
use super::TreatError;
use super::decide::Act;
use super::images;
use super::parents::is_sound;
use super::parents::value_of;
use crate::model::plan::Change;
use crate::model::plan::Part;
use crate::model::prospect::Sample;
use crate::model::value::Key;
use crate::model::value::RowName;
use crate::model::value::Value;

/// A row whose key was decided.
pub(super) struct Pending<'v> {
    pub(super) row: RowName,
    pub(super) key: Key,
    /// The number of its key.
    pub(super) group: usize,
    pub(super) treatment: &'v str,
    pub(super) act: &'v Act,
}

impl<'a> Desk<'a> {
    pub(super) fn change_rows(&mut self, case: &mut Case<'a>, pending: &[Pending<'_>]) -> Result<(), TreatError> {
        let names: Vec<&RowName> = pending.iter().map(|pending| &pending.row).collect();
        let found = self.images(case.relation.child, &names)?;
        for (pending, image) in pending.iter().zip(found) {
            // A row that is gone from one moment to the same moment cannot be.
            let Some(image) = image else { continue };
            if !self.refusals.is_empty() {
                return Ok(());
            }
            self.change_row(case, pending, image)?;
        }
        Ok(())
    }

    fn change_row(&mut self, case: &mut Case<'a>, pending: &Pending<'_>, image: Image) -> Result<(), TreatError> {
        match pending.act {
            Act::Nothing => Ok(()),
            Act::Remove { keep } => self.remove(case, pending, image, keep.as_deref()),
            Act::Set { columns, record, quarantine_on_conflict, blanks } => {
                let before = self.point_elsewhere(case, pending, image, columns)?;
                match before {
                    Ok(Some(after)) => {
                        case.lost.add(u64::from(*blanks), true);
                        if let Some(record) = record {
                            self.keep_keys(case, record, pending, &after)?;
                        }
                        Ok(())
                    }
                    Ok(None) => Ok(()),
                    Err((image, why)) if *quarantine_on_conflict && why.is_collision => {
                        let keep = Some("fk_doctor_quarantine");
                        let treatment = Pending {
                            treatment: "quarantine",
                            row: pending.row.clone(),
                            key: pending.key.clone(),
                            ..*pending
                        };
                        let share = case.outlook.share(pending.treatment);
                        share.rows = share.rows.saturating_sub(1);
                        case.outlook.share("quarantine").rows += 1;
                        self.remove(case, &treatment, image, keep)
                    }
                    Err((_, why)) => {
                        case.give_up(pending, &why.text);
                        Ok(())
                    }
                }
            }
        }
    }

    /// Plans an update of a row. `Ok(None)` where another relation has already planned that the row goes.
    #[allow(clippy::type_complexity, reason = "the row comes back with the reason")]
    fn point_elsewhere(
        &mut self,
        case: &mut Case<'a>,
        pending: &Pending<'_>,
        image: Image,
        columns: &[Option<Value>],
    ) -> Result<Result<Option<RowName>, (Image, Why)>, TreatError> {
        let child = self.schema.child(case.relation);
        let mut change = match self.bench.get(&child.name.to_string(), &pending.row)? {
            Some(planned) => planned,
            None => Change {
                table: child.name.clone(),
                row: pending.row.clone(),
                address: None,
                before: Some(image.columns.clone()),
                after: Some(image.columns.clone()),
                reasons: Vec::new(),
            },
        };
        let Some(mut after) = change.after.take() else { return Ok(Ok(None)) };
        let mut changed = Vec::new();
        for (&column, value) in case.relation.child_columns.iter().zip(columns) {
            if let Some(value) = value {
                let about = &child.columns[column];
                if about.generated {
                    return Ok(Err((image, Why::plain(format!("{} is computed and cannot be set", about.name)))));
                }
                if let Some((_, old)) = after.iter_mut().find(|(name, _)| *name == about.name) {
                    *old = value.clone();
                    changed.push(column);
                }
            }
        }
        let after = match self.rehearse_row(case, &pending.row, after, &changed)? {
            Ok(after) => after,
            Err(why) => return Ok(Err((image, why))),
        };
        self.need(case.relation, &after)?;
        change.after = Some(after.clone());
        change.reasons.push(case.reason(Part::Orphan, pending.treatment));
        let set = change.set();
        let old = change.before.as_ref().map(|before| {
            set.iter().filter_map(|(name, _)| Some((name.clone(), value_of(before, name)?.clone()))).collect()
        });
        case.show(pending.treatment, || Sample {
            table: child.name.to_string(),
            row: pending.row.clone(),
            before: old,
            after: Some(set),
        });
        self.put(&change)?;
        Ok(Ok(Some(after)))
    }

    /// The row as it would be stored, or why it cannot be.
    fn rehearse_row(
        &mut self,
        case: &Case<'a>,
        row: &RowName,
        after: RowName,
        changed: &[usize],
    ) -> Result<Result<RowName, Why>, TreatError> {
        let child = self.schema.child(case.relation);
        let stays = child.indexes.iter().any(|index| {
            index.unique && index.columns.iter().any(|part| part.column.is_none_or(|column| changed.contains(&column)))
        });
        let (room, surgery) = self.room();
        if stays {
            let _ = room.attempt(&surgery.delete(child, row))?;
        }
        if let Err(why) = room.attempt(&surgery.insert(child, row, &after))? {
            let is_collision = why.starts_with("UNIQUE");
            return Ok(Err(Why { text: why, is_collision }));
        }
        let stored = images(room, surgery, child, &[row])?.pop().flatten();
        if !stays {
            let _ = room.attempt(&surgery.delete(child, row))?;
        }
        let Some(Image { columns: stored, .. }) = stored else {
            return Ok(Err(Why::plain("the row would get another name".to_owned())));
        };
        if stays && let Some(text) = self.collision(case.relation.child, &stored, Some(row), Some(changed))? {
            let (room, surgery) = self.room();
            let _ = room.attempt(&surgery.delete(child, row))?;
            return Ok(Err(Why { text, is_collision: true }));
        }
        if let Some(text) = self.breaks_another(case, &stored, changed)? {
            return Ok(Err(Why::plain(text)));
        }
        Ok(Ok(stored))
    }

    /// Why a row cannot stand beside those that are there, if it cannot. Rows that are planned were met in the room.
    pub(super) fn collision(
        &mut self,
        table: usize,
        image: &RowName,
        own: Option<&RowName>,
        changed: Option<&[usize]>,
    ) -> Result<Option<String>, TreatError> {
        let about = &self.schema.tables[table];
        for index in about.indexes.iter().filter(|index| index.unique && !index.partial) {
            let Some(columns) = index.columns.iter().map(|part| part.column).collect::<Option<Vec<usize>>>() else {
                continue;
            };
            if changed.is_some_and(|changed| !columns.iter().any(|column| changed.contains(column))) {
                continue;
            }
            let names: Vec<&str> = columns.iter().map(|&column| about.columns[column].name.as_str()).collect();
            let key: Option<Key> = names.iter().map(|name| value_of(image, name).cloned()).collect();
            // NULLs never collide.
            let Some(key) = key.filter(|key| !key.contains(&Value::Null)) else { continue };
            let is_own = own.is_some_and(|own| {
                own.iter().all(|(name, value)| value_of(image, name).is_some_and(|now| now.is_same(value)))
                    && own.len() == names.len()
                    && own.iter().all(|(name, _)| names.contains(&name.as_str()))
            });
            if is_own {
                continue;
            }
            let mut found = false;
            self.asker.each_row(&self.surgery.present(about, &columns, &[&key]), &mut |_| found = true)?;
            if found {
                return Ok(Some(format!("UNIQUE constraint failed: {}({})", about.name, names.join(", "))));
            }
        }
        Ok(None)
    }

    /// Another relation of the same row that would lose its parent, if there is one.
    fn breaks_another(
        &mut self,
        case: &Case<'a>,
        image: &RowName,
        changed: &[usize],
    ) -> Result<Option<String>, TreatError> {
        let schema = self.schema;
        let others = schema.relations.iter().enumerate().filter(|(index, other)| {
            *index != case.index
                && other.child == case.relation.child
                && other.child_columns.iter().any(|column| changed.contains(column))
        });
        for (_, other) in others {
            if !self.has_parent(other, image, None)? {
                return Ok(Some(format!("{} would lose its parent", other.id)));
            }
        }
        Ok(None)
    }

    /// A reference of a new row that has no parent, if there is one.
    pub(super) fn dangling(
        &mut self,
        table: usize,
        image: &RowName,
        row: &RowName,
    ) -> Result<Option<String>, TreatError> {
        let schema = self.schema;
        for relation in schema.relations.iter().filter(|relation| relation.child == table && is_sound(relation)) {
            if !self.has_parent(relation, image, Some(row))? {
                return Ok(Some(format!("{} would have no parent", relation.id)));
            }
        }
        Ok(None)
    }

    /// Whether the row's reference is NULL, or its parent is there or planned. A row in the making may be its own parent,
    /// or wait for a sentinel that waits for it.
    fn has_parent(
        &mut self,
        relation: &crate::model::relation::Relation,
        image: &RowName,
        in_making: Option<&RowName>,
    ) -> Result<bool, TreatError> {
        let key: Option<Key> =
            self.schema.child_column_names(relation).map(|name| value_of(image, name).cloned()).collect();
        let Some(key) = key.filter(|key| !key.contains(&Value::Null)) else { return Ok(true) };
        let Some(parent) = relation.parent.table else { return Ok(false) };
        if self.stored_keys(parent, &relation.parent.columns, &[&key])?.pop().flatten().is_some() {
            return Ok(true);
        }
        let mut planned = false;
        let table = &self.schema.tables[parent];
        if self.furnished.contains(&parent) {
            let (room, surgery) = self.room();
            room.each_row(&surgery.present(table, &relation.parent.columns, &[&key]), &mut |_| planned = true)?;
        }
        Ok(planned || (in_making.is_some() && self.parents.is_awaited(parent, &key)))
    }
}

/// Why a row cannot change.
pub(super) struct Why {
    text: String,
    is_collision: bool,
}

impl Why {
    fn plain(text: String) -> Why {
        Why { text, is_collision: false }
    }
}

impl Case<'_> {
    /// The key was decided, and yet this row of it cannot change.
    pub(super) fn give_up(&mut self, pending: &Pending<'_>, why: &str) {
        let share = self.outlook.share(pending.treatment);
        share.rows = share.rows.saturating_sub(1);
        let is_first = self.given_up.replace(pending.group) != Some(pending.group);
        if is_first {
            share.keys = share.keys.saturating_sub(1);
        }
        let why = format!("{}: {why}", pending.treatment);
        let undecided = self.outlook.leave(&why, &pending.key);
        undecided.rows += 1;
        undecided.keys += u64::from(is_first);
    }
}
