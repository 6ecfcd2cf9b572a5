//! Checks the references to rows that a set deletes or inserts: no other row may refer to a deleted row, and a row must refer to each
//! parent that was inserted for rows.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use super::ApplyError;
use super::Direction;
use super::lookahead::orphan_fingerprint;
use super::lookahead::row_fingerprint;
use super::set_portion::SetPortion;
use super::walk::Walk;
use crate::engine::write::Writer;
use crate::model::ids::RelationId;
use crate::model::plan::identity_columns;
use crate::model::row::Row;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowBatch;
use crate::model::row_group::RowChangeKind;
use crate::model::row_group::RowGroup;
use crate::plan_file;

/// Rows of a child, each with the index of the line whose row it refers to.
type Referring = Vec<(usize, Row)>;

impl Walk<'_> {
    /// True if no row refers to a row that is deleted, except rows that the plan knows.
    pub(super) fn can_delete(
        &mut self,
        writer: &mut dyn Writer,
        portion: &SetPortion,
        batch: &RowBatch<'_, '_>,
    ) -> Result<bool, ApplyError> {
        let by_table = batch.groups_by_table();
        for (relation, children) in self.references_to_deleted(writer, batch)? {
            let schema = self.options.schema;
            let groups = by_table.get(&schema.child(&schema.relations[relation]).name).map(Vec::as_slice);
            let of_child = (batch, groups.unwrap_or_default());
            if self.are_known_references(portion, of_child, relation, &children) {
                continue;
            }
            // An orphan that undo restores is known by the lookahead.
            self.look_ahead_at_all()?;
            if !self.are_known_references(portion, of_child, relation, &children) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the rows that refer to rows which the lines delete, each with the index of its line.
    fn references_to_deleted(
        &self,
        writer: &mut dyn Writer,
        batch: &RowBatch<'_, '_>,
    ) -> Result<Vec<(RelationId, Referring)>, ApplyError> {
        let mut references = Vec::new();
        let (Some(all), Some(sets)) = (self.sets.groups(), writer.sets()) else { return Ok(references) };
        for (relation, leaving) in all.leaving(batch) {
            let names = self.reference_columns(relation);
            let mut children = Vec::new();
            sets.each_reference(batch, relation, &leaving, &mut |index, values| {
                children.push((index, Row::of(&names, values.to_vec())));
            })?;
            references.push((relation, children));
        }
        Ok(references)
    }

    /// Returns the columns of a child in a row of [`crate::engine::set_writer::SetWriter::each_reference`].
    pub(super) fn reference_columns(&self, relation: RelationId) -> Arc<[String]> {
        let schema = self.options.schema;
        let relation = &schema.relations[relation];
        let key = schema.child_columns(relation).filter(|column| !column.generated).map(|column| column.name.as_str());
        identity_columns(schema.child(relation)).into_iter().chain(key).map(str::to_owned).collect()
    }

    /// True if each child row that refers to a deleted row also changes in this portion or is an orphan that undo restores.
    /// `of_child` is the batch, with those of its groups that change the child.
    fn are_known_references(
        &self,
        portion: &SetPortion,
        of_child: (&RowBatch<'_, '_>, &[usize]),
        relation: RelationId,
        children: &[(usize, Row)],
    ) -> bool {
        if children.is_empty() {
            return true;
        }
        let leaving = self.leaving_rows(of_child, relation);
        let about = &self.options.schema.relations[relation];
        let child = self.options.schema.child(about);
        let (identity, table) = (identity_columns(child).len(), child.name.to_string());
        children.iter().all(|(index, row)| {
            if !leaving.is_empty() {
                let name: Row = row.iter().take(identity).map(|(column, value)| (column, value.clone())).collect();
                if leaving.contains(&row_fingerprint(&table, &name)) {
                    return true;
                }
            }
            if self.options.direction == Direction::Apply {
                return false;
            }
            let fingerprint = plan_file::fingerprint(row);
            let adopted = portion.lines[*index].adopts.iter().flatten().filter(|adopted| adopted.relation == about.id);
            adopted.into_iter().any(|adopted| adopted.rows.contains(&fingerprint))
                || self.lookahead.returning.contains(&orphan_fingerprint(relation, fingerprint))
        })
    }

    /// Returns the rows of a child that these groups of a batch delete, or whose reference they change, as fingerprints.
    fn leaving_rows(&self, (batch, groups): (&RowBatch<'_, '_>, &[usize]), relation: RelationId) -> HashSet<u64> {
        let Some(all) = self.sets.groups() else { return HashSet::new() };
        let schema = self.options.schema;
        let about = &schema.relations[relation];
        let child = schema.child(about);
        let table = child.name.to_string();
        let changes_reference = |group: &RowGroup<'_>| {
            let sets = |name: &str| group.set.iter().any(|(set, _)| set == name);
            match group.kind {
                RowChangeKind::Delete => true,
                RowChangeKind::Update => {
                    schema.child_columns(about).any(|column| column.generated || sets(&column.name))
                }
                RowChangeKind::Insert => false,
            }
        };
        let groups = groups.iter().filter(|group| changes_reference(&all.groups[**group]));
        let leaving = groups.flat_map(|group| &batch.by_group[group]).map(|&index| &batch.lines[index]);
        let name = |line: &BatchLine<'_>| Row::of(&all.groups[line.group].name, line.name.to_vec());
        leaving.map(|line| row_fingerprint(&table, &name(line))).collect()
    }

    /// True if a row refers to each inserted parent that was made for rows.
    pub(super) fn are_needed(
        &self,
        writer: &mut dyn Writer,
        portion: &SetPortion,
        batch: &RowBatch<'_, '_>,
    ) -> Result<bool, ApplyError> {
        let mut open: BTreeSet<usize> =
            (0..portion.lines.len()).filter(|&index| portion.lines[index].adopts_rows()).collect();
        let adopted = self.adopting(open.iter().map(|&index| (index, portion.lines[index].adopts.as_deref())));
        for (id, adopting) in adopted {
            let asked: BTreeSet<usize> = adopting.intersection(&open).copied().collect();
            if asked.is_empty() {
                continue;
            }
            let Some(sets) = writer.sets() else { return Ok(false) };
            let referenced = sets.referenced(batch, id, &asked)?;
            open.retain(|index| !referenced.contains(index));
        }
        Ok(open.is_empty())
    }
}
