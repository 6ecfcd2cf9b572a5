//! Unique keys that a repointed row would share with another row.

use super::merge::Merge;
use crate::model::ids::TableId;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::treat::Planner;
use crate::treat::Stop;
use crate::treat::unique::Candidate;

/// A unique key that another row has.
pub(super) struct Taken {
    pub(super) why: String,
    /// The other row, if it is known.
    pub(super) by: Option<RowName>,
}

impl<'a> Planner<'a> {
    /// Returns the unique key of a new image that another row has after the plan. The rehearsal does not have the image yet.
    pub(super) fn taken_key(
        &mut self,
        merge: &mut Merge<'_, 'a>,
        table: TableId,
        own: &RowName,
        image: &Row,
        changed: &[usize],
    ) -> Result<Option<Taken>, Stop> {
        for columns in self.unique_keys_of(table, changed) {
            let about = &self.schema.tables[table];
            let names: Vec<&str> = columns.iter().map(|&column| about.columns[column].name.as_str()).collect();
            let Some(key) = image.key(names.iter().copied()).filter(|key| !key.contains(&Value::Null)) else {
                continue;
            };
            for (other, is_stored) in self.rows_with_key(table, &columns, &key)? {
                let other = merge.shared.moved.old_name(table, &other).unwrap_or(other);
                if other.is_same(own) {
                    continue;
                }
                let index = self.merged_row(merge, table, &other)?;
                let now = merge.rows[index].now.as_ref();
                // A stored row keeps its key until its own change, which may come later.
                let still_has =
                    is_stored || now.is_some_and(|(_, now)| now.key(names.iter().copied()) == Some(key.clone()));
                if still_has {
                    let why = format!("UNIQUE constraint failed: {}({})", about.name, names.join(", "));
                    // A row that gets another key itself does not mean the same.
                    let of_image = |image: &Row| image.key(names.iter().copied());
                    let is_same = |now: &Row| {
                        of_image(now) == Some(key.clone()) || of_image(now) == of_image(&merge.rows[index].before)
                    };
                    let by = now.is_some_and(|(_, now)| is_same(now)).then_some(other);
                    return Ok(Some(Taken { why, by }));
                }
            }
        }
        let candidate = Candidate { image, own: Some(own), changed: Some(changed) };
        let special = self.special_collisions(table, &[Some(candidate)])?.pop();
        match special {
            Some((_, why, true)) => Ok(Some(Taken { why, by: None })),
            Some((_, why, false)) => Stop::undecided(why),
            None => Ok(None),
        }
    }

    /// Returns the unique keys of a table that contain any of these columns.
    pub(super) fn unique_keys_of(&self, table: TableId, changed: &[usize]) -> Vec<Vec<usize>> {
        let about = &self.schema.tables[table];
        let indexes = about.indexes.iter().filter(|index| index.unique && !index.partial);
        let of_indexes = indexes.filter_map(|index| index.columns.iter().map(|part| part.column).collect());
        let primary = (!about.primary_key.is_empty()).then(|| about.primary_key.clone());
        let mut keys: Vec<Vec<usize>> = of_indexes.chain(primary).collect();
        keys.retain(|key: &Vec<usize>| key.iter().any(|column| changed.contains(column)));
        keys.dedup();
        keys
    }

    /// True if a table has a unique index that depends on none of these columns.
    pub(super) fn has_other_unique_key(&self, table: TableId, changed: &[usize]) -> bool {
        let about = &self.schema.tables[table];
        about
            .indexes
            .iter()
            .filter(|index| index.unique)
            .any(|index| index.columns.iter().all(|part| part.column.is_none_or(|column| !changed.contains(&column))))
    }

    /// True if a unique index depends on any of these columns.
    pub(super) fn is_unique_affected(&self, table: TableId, changed: &[usize]) -> bool {
        let about = &self.schema.tables[table];
        let has_special = about
            .indexes
            .iter()
            .any(|index| index.unique && (index.partial || index.columns.iter().any(|part| part.column.is_none())));
        has_special || !self.unique_keys_of(table, changed).is_empty()
    }

    /// Returns the names of the rows that have a key, each with true if the row is stored. The others are rows of the plan.
    fn rows_with_key(&mut self, table: TableId, columns: &[usize], key: &Key) -> Result<Vec<(RowName, bool)>, Stop> {
        let about = &self.schema.tables[table];
        let names = self.identity_of(table);
        let mut found: Vec<(RowName, bool)> = Vec::new();
        let query = self.sql.rows_with_keys(about, columns, &[key]);
        self.lookups.numbered(&query, 1, &mut |_, values| found.push((RowName::of(&names, values.to_vec()), true)))?;
        if self.rehearsal.tables.contains(&table) {
            let (rehearsal, sql) = self.rehearsal_of(table)?;
            let query = sql.rows_with_keys(about, columns, &[key]);
            rehearsal
                .numbered(&query, 1, &mut |_, values| found.push((RowName::of(&names, values.to_vec()), false)))?;
        }
        Ok(found)
    }
}
