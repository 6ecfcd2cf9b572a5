//! Rows that go, and with them every row that refers to them: each by the policy of its own relation, and each written out
//! in the plan, so that nothing goes by a cascade that nobody saw.

use super::CHUNK;
use super::Case;
use super::Desk;
use super::Image;
use super::TreatError;
use super::rows::Pending;
use crate::model::catalog::Action;
use crate::model::plan::Change;
use crate::model::plan::Part;
use crate::model::plan::has_own_address;
use crate::model::plan::identity_columns;
use crate::model::prospect::Sample;
use crate::model::relation::Relation;
use crate::model::value::RowName;
use crate::model::value::Value;

impl<'a> Desk<'a> {
    /// Plans that an orphan goes, and what depends on it with it.
    pub(super) fn remove(
        &mut self,
        case: &mut Case<'a>,
        pending: &Pending<'_>,
        image: Image,
        keep: Option<&str>,
    ) -> Result<(), TreatError> {
        let child = self.schema.child(case.relation);
        case.show(pending.treatment, || Sample {
            table: child.name.to_string(),
            row: pending.row.clone(),
            before: Some(image.columns.clone()),
            after: None,
        });
        let treatment = pending.treatment.to_owned();
        if !self.take_out(case, case.relation.child, &pending.row, image, Part::Orphan, &treatment, keep)? {
            return Ok(());
        }
        let mut going = vec![(case.relation.child, vec![pending.row.clone()])];
        while let Some((table, rows)) = going.pop() {
            let schema = self.schema;
            for relation in schema
                .relations
                .iter()
                .filter(|relation| relation.parent.table == Some(table) && !relation.parent.columns.is_empty())
            {
                for some in rows.chunks(CHUNK) {
                    let gone = self.follow_down(case, relation, some, &treatment, keep)?;
                    if !gone.is_empty() {
                        going.push((relation.child, gone));
                    }
                }
                self.check_limits(case);
                if !self.refusals.is_empty() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The rows of one relation that refer to rows that go. The answer are those that go too.
    fn follow_down(
        &mut self,
        case: &mut Case<'a>,
        relation: &'a Relation,
        parents: &[RowName],
        treatment: &str,
        keep: Option<&str>,
    ) -> Result<Vec<RowName>, TreatError> {
        let child = self.schema.child(relation);
        let names = identity_columns(child);
        let mut children: Vec<RowName> = Vec::new();
        let parents: Vec<&RowName> = parents.iter().collect();
        self.asker.each_row(&self.surgery.children_of(self.schema, relation, &parents), &mut |row| {
            let values = row.iter().skip(1).cloned();
            let name: RowName = names.iter().map(|name| (*name).to_owned()).zip(values).collect();
            if !children.contains(&name) {
                children.push(name);
            }
        })?;
        let mut gone = Vec::new();
        let images = self.images(relation.child, &children.iter().collect::<Vec<_>>())?;
        for (row, image) in children.into_iter().zip(images) {
            let Some(image) = image else { continue };
            if relation.on_delete == Action::SetNull && self.blank(case, relation, &row, &image, treatment)? {
                continue;
            }
            if self.take_out(case, relation.child, &row, image, Part::Dependant, treatment, keep)? {
                gone.push(row);
            }
        }
        Ok(gone)
    }

    /// Plans that a dependant loses its reference and stays, where its columns allow that.
    fn blank(
        &mut self,
        case: &mut Case<'a>,
        relation: &Relation,
        row: &RowName,
        image: &Image,
        treatment: &str,
    ) -> Result<bool, TreatError> {
        let child = self.schema.child(relation);
        let columns: Vec<_> = self.schema.child_columns(relation).collect();
        let fixed = columns.iter().any(|column| column.not_null || column.generated);
        if fixed || relation.child_columns.iter().any(|column| child.primary_key.contains(column)) {
            return Ok(false);
        }
        let planned = self.bench.get(&child.name.to_string(), row)?;
        let mut change = planned.unwrap_or_else(|| Change {
            table: child.name.clone(),
            row: row.clone(),
            address: None,
            before: Some(image.columns.clone()),
            after: Some(image.columns.clone()),
            part: Part::Dependant,
            reasons: Vec::new(),
        });
        let Some(after) = &mut change.after else { return Ok(true) };
        for column in columns {
            if let Some((_, value)) = after.iter_mut().find(|(name, _)| *name == column.name) {
                *value = Value::Null;
            }
        }
        let mut reason = case.reason(treatment);
        reason.relation.clone_from(&relation.id);
        change.reasons.push(reason);
        case.lost.add(1, relation.child == case.relation.child);
        self.put(&change)?;
        Ok(true)
    }

    /// Plans that one row goes. False where that was planned already.
    #[allow(clippy::too_many_arguments, reason = "a row, and everything that is said of its going")]
    fn take_out(
        &mut self,
        case: &mut Case<'a>,
        table: usize,
        row: &RowName,
        image: Image,
        part: Part,
        treatment: &str,
        keep: Option<&str>,
    ) -> Result<bool, TreatError> {
        let about = &self.schema.tables[table];
        let planned = self.bench.get(&about.name.to_string(), row)?;
        if planned.as_ref().is_some_and(|planned| planned.after.is_none()) {
            return Ok(false);
        }
        let mut reasons = planned.map(|planned| planned.reasons).unwrap_or_default();
        reasons.push(case.reason(treatment));
        let change = Change {
            table: about.name.clone(),
            row: row.clone(),
            address: image.address.filter(|_| has_own_address(about)),
            before: Some(image.columns),
            after: None,
            part,
            reasons,
        };
        // What was tried for it before no longer stands in anybody's way.
        let _ = self.room.attempt(&self.surgery.delete(about, row))?;
        if let Some(keep) = keep {
            self.keep_row(case, keep, &change)?;
        }
        self.put(&change)?;
        case.lost.add(1, table == case.relation.child);
        Ok(true)
    }
}
