//! New parents. Every NOT NULL column gets a value, the required parents of the new row are created too, and the row is
//! inserted into the rehearsal before it is planned.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::Case;
use super::Planner;
use super::Stop;
use super::TreatError;
use super::neutral_values::neutral;
use crate::engine::write::Attempt;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::forecast::ChangeSample;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::plan::Adopted;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::identity_columns;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::plan_draft::Step;
use crate::stored_rows;
use crate::stored_rows::Image;
use crate::stored_rows::Stored;

/// The rows that the plan creates so far, and values that were read for them.
#[derive(Default)]
pub(super) struct NewParents {
    /// The key of the sentinel of each table. The sentinel may be unfinished.
    pub(super) sentinels: BTreeMap<TableId, Value>,
    /// Tables whose sentinel is unfinished.
    pub(super) unfinished: BTreeSet<TableId>,
    /// The last integer that was used for a column.
    pub(super) next: BTreeMap<(TableId, String), i64>,
    /// The last number in each record table that the plan creates.
    pub(super) records: BTreeMap<String, i64>,
    pub(super) defaults: BTreeMap<TableId, Vec<(String, String)>>,
    /// Tables in which the plan creates rows.
    pub(super) created: BTreeMap<TableId, CreatedRows>,
    /// The columns of tables, which their new rows share.
    pub(super) columns: BTreeMap<TableId, Arc<[String]>>,
}

impl NewParents {
    pub(super) fn created_in(&self, table: TableId) -> bool {
        self.created.contains_key(&table)
    }

    /// True if each row that the plan creates in the table has a missing key of this relation. The missing keys that are not
    /// treated yet are other keys.
    pub(super) fn have_missing_keys_of(&self, table: TableId, relation: RelationId) -> bool {
        self.created.get(&table).is_some_and(|created| created.missing_keys_of == Some(relation))
    }

    /// Returns the number of the last record in a table that the plan creates.
    pub(super) fn last_record(&self, table: &str) -> Option<i64> {
        self.records.get(table).copied()
    }

    pub(super) fn set_last_record(&mut self, table: &str, last: Option<i64>) {
        match last {
            Some(last) => drop(self.records.insert(table.to_owned(), last)),
            None => drop(self.records.remove(table)),
        }
    }

    /// True if this is the key of a sentinel, also of an unfinished one.
    pub(super) fn is_sentinel_key(&self, table: TableId, key: &Key) -> bool {
        matches!(&key[..], [value] if self.sentinels.get(&table) == Some(value))
    }
}

/// The rows of one table that the plan creates.
#[derive(Default)]
pub(super) struct CreatedRows {
    /// The largest number in the names of these rows.
    pub(super) largest_number: Option<i64>,
    /// True if the row with that number was withdrawn.
    pub(super) is_stale: bool,
    /// The relation of which each of these rows has a missing key of its own, if there is one.
    pub(super) missing_keys_of: Option<RelationId>,
}

/// A row that is to be created.
pub(super) struct NewRow<'k> {
    pub(super) table: TableId,
    pub(super) values: Row,
    /// The key from which other values are derived, so that no two rows are alike.
    pub(super) seed: &'k Key,
    pub(super) reason: ChangeReason,
    /// The columns that identify the row. They are known when all values are.
    pub(super) name: RowName,
    /// The relation whose orphans the row records, with their fingerprints.
    pub(super) orphans: Option<(RelationId, Vec<u64>)>,
    /// The relation whose missing key the row certainly has.
    pub(super) missing_key_of: Option<RelationId>,
}

impl<'k> NewRow<'k> {
    pub(super) fn new(table: TableId, values: Row, seed: &'k Key, reason: ChangeReason) -> NewRow<'k> {
        NewRow { table, values, seed, reason, name: RowName::new(), orphans: None, missing_key_of: None }
    }
}

/// A parent that a missing key gets.
pub(super) struct WantedParent<'k> {
    /// The key of the parent. Without it, the parent gets a fresh key.
    pub(super) key: Option<&'k Key>,
    pub(super) seed: &'k Key,
    /// The values that the rule gives.
    pub(super) values: Row,
    /// The table in which the parent is recorded.
    pub(super) record: Option<&'k str>,
    /// The fingerprints of the orphans that the parent records.
    pub(super) orphans: &'k [u64],
}

impl<'a> Planner<'a> {
    /// Plans a new parent. Returns its key as it will be stored.
    pub(super) fn make_parent(
        &mut self,
        case: &mut Case<'a>,
        table: TableId,
        wanted: &WantedParent<'_>,
    ) -> Result<Key, Stop> {
        let columns = &case.relation.parent.columns;
        let new_row = self.requested_row(case, table, wanted);
        let mut made = Vec::new();
        let sentinels = self.new_parents.sentinels.clone();
        match self.make(new_row, columns, 0, &mut made) {
            Ok((row, image)) => self.show_parent(case, table, wanted.record, &row, &image),
            Err(stop) => self.withdraw_parents(stop, made, sentinels),
        }
    }

    /// Returns the row of a wanted parent with the values that are given.
    pub(super) fn requested_row<'k>(&self, case: &Case<'a>, table: TableId, wanted: &WantedParent<'k>) -> NewRow<'k> {
        let about = &self.schema.tables[table];
        let mut row = Row::new();
        if let Some(key) = wanted.key {
            for (&column, value) in case.relation.parent.columns.iter().zip(key) {
                row.push(&about.columns[column].name, value.clone());
            }
        }
        for (name, value) in wanted.values.iter() {
            // The names were checked against the table. The plan uses the table's spelling.
            let name = about
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .find(|known| self.schema.names.same(known, name))
                .unwrap_or(name);
            row = row.without(name).with(name, value.clone());
        }
        // A rule may give a column of the key another value.
        let columns = &case.relation.parent.columns;
        let key = row.key(columns.iter().map(|&column| about.columns[column].name.as_str())).unwrap_or_default();
        let is_wanted = |wanted: &Key| wanted.iter().zip(&key).all(|(wanted, value)| wanted.is_same(value));
        let has_orphans = !wanted.orphans.is_empty() && key.len() == columns.len() && wanted.key.is_some_and(is_wanted);
        let orphans = has_orphans.then(|| (case.id, wanted.orphans.to_vec()));
        let new_row = NewRow::new(table, row, wanted.seed, case.reason(ChangeRole::Parent, case.creating));
        NewRow { orphans, ..new_row }
    }

    /// Adds a planned parent to the report and to its record table. Returns its key.
    pub(super) fn show_parent(
        &mut self,
        case: &mut Case<'a>,
        table: TableId,
        record: Option<&str>,
        row: &RowName,
        image: &Row,
    ) -> Result<Key, Stop> {
        let about = &self.schema.tables[table];
        case.show(case.creating, || ChangeSample {
            table: about.name.to_string(),
            row: row.pairs(),
            before: None,
            after: Some(image.pairs()),
        });
        if let Some(record) = record
            && let Some(parent) = self.draft.get(&about.name, row)?
        {
            let unit = self.draft.unit(Step::Parent);
            self.draft.put_in(unit, &parent)?;
            self.keep_placeholder(case, record, table, image, unit)?;
        }
        let columns = case.relation.parent.columns.iter();
        let key = image.key(columns.map(|&column| about.columns[column].name.as_str()));
        key.map_or_else(|| Stop::undecided("the new row lacks a column of the key"), Ok)
    }

    /// Withdraws the rows that were created for a parent that cannot be created, and the sentinels that were registered for it.
    pub(super) fn withdraw_parents<T>(
        &mut self,
        stop: Stop,
        made: Vec<(TableId, RowName)>,
        sentinels: BTreeMap<TableId, Value>,
    ) -> Result<T, Stop> {
        if let Stop::Undecided(_) = stop {
            for (table, row) in made.into_iter().rev() {
                self.withdraw(table, &row)?;
            }
            self.new_parents.sentinels = sentinels;
        }
        Err(stop)
    }

    /// Plans one new row. Adds every new row to `made`. Returns the row's name and image as they will be stored.
    pub(super) fn make(
        &mut self,
        mut new_row: NewRow<'_>,
        key_columns: &[usize],
        depth: usize,
        made: &mut Vec<(TableId, RowName)>,
    ) -> Result<(RowName, Row), Stop> {
        self.complete(&mut new_row, key_columns, depth, made)?;
        self.rehearse_parent(new_row, made)
    }

    /// Gives a new row the values that it lacks, and its name. The columns `key_columns` get a fresh key if they have no value.
    /// Adds the rows that it requires to `made`.
    pub(super) fn complete(
        &mut self,
        new_row: &mut NewRow<'_>,
        key_columns: &[usize],
        depth: usize,
        made: &mut Vec<(TableId, RowName)>,
    ) -> Result<(), Stop> {
        let schema = self.schema;
        let table = &schema.tables[new_row.table];
        self.rehearse_table(new_row.table)?;
        if identity_columns(table).is_empty() || !matches!(table.kind, crate::model::catalog::TableKind::Table) {
            return Stop::undecided(format!("rows of {} cannot be identified by a key", table.name));
        }
        let is_given = |column: &&Column| column.generated && new_row.values.get(&column.name).is_some();
        if let Some(column) = table.columns.iter().find(is_given) {
            let why = column.why_not_set().unwrap_or_default();
            return Stop::undecided(format!("{} of {} {why}", column.name, table.name));
        }
        let defaults = self.defaults(new_row.table)?;
        let relations = self.relations_from(new_row.table);
        for &column in key_columns.iter().chain(&table.naming_key()) {
            let about = &table.columns[column];
            let given = new_row.values.get(&about.name).is_some() || about.generated;
            let has_default = defaults.iter().any(|(name, _)| *name == about.name) && !key_columns.contains(&column);
            let refers = relations.iter().any(|(_, relation)| relation.child_columns.contains(&column));
            if given || has_default || (refers && !key_columns.contains(&column)) {
                continue;
            }
            match self.fresh_key(new_row.table, about, new_row.seed)? {
                Some(value) => new_row.values.push(&about.name, value),
                None => return Stop::undecided(format!("{}.{} needs a value", table.name, about.name)),
            }
        }
        self.fill_references(new_row, &defaults, depth, made)?;
        for (position, column) in table.columns.iter().enumerate() {
            let given =
                new_row.values.get(&column.name).is_some() || defaults.iter().any(|(name, _)| *name == column.name);
            if column.not_null && !given && !column.generated {
                let is_unique = table
                    .indexes
                    .iter()
                    .any(|index| index.unique && index.columns.iter().any(|part| part.column == Some(position)));
                new_row.values.push(&column.name, neutral(column, new_row.seed, is_unique));
            }
        }
        for name in identity_columns(table) {
            let value = match new_row.values.get(name) {
                Some(value) => value.clone(),
                None => Value::Integer(self.next_integer(new_row.table, name)?),
            };
            new_row.name.push(name, value);
        }
        Ok(())
    }

    /// Inserts the row into the rehearsal, and plans it as it is stored there.
    pub(super) fn rehearse_parent(
        &mut self,
        new_row: NewRow<'_>,
        made: &mut Vec<(TableId, RowName)>,
    ) -> Result<(RowName, Row), Stop> {
        let table = &self.schema.tables[new_row.table];
        let (rehearsal, sql) = self.rehearsal_of(new_row.table)?;
        if let Attempt::Refused(refusal) = rehearsal.attempt(&sql.insert(table, &new_row.name, &new_row.values))? {
            return Stop::undecided(refusal.message);
        }
        let stored = stored_rows::read(rehearsal, sql, table, &[&new_row.name])?.pop();
        let Some(Stored::Row(Image { columns: image, .. })) = stored else {
            return Stop::undecided(not_under_its_key(table));
        };
        let row = stored_name(&new_row.name, &image);
        if self.draft.get(&table.name, &row)?.is_some() {
            let (rehearsal, sql) = self.rehearsal_of(new_row.table)?;
            let _ = rehearsal.attempt(&sql.delete(table, &row))?;
            return Stop::undecided(format!(
                "another change of this plan already concerns the row of {} with this key",
                table.name
            ));
        }
        made.push((new_row.table, row.clone()));
        if let Some(why) = self.collision(new_row.table, &image)? {
            return Stop::undecided(why);
        }
        if let Some(why) = self.missing_parent(new_row.table, &image)? {
            return Stop::undecided(why);
        }
        self.plan_parent(new_row, &row, &image)?;
        Ok((row, image))
    }

    /// Plans a row as the rehearsal stores it.
    pub(super) fn plan_parent(&mut self, new_row: NewRow<'_>, row: &RowName, image: &Row) -> Result<(), TreatError> {
        self.require_parents(new_row.table, image)?;
        self.record_created(new_row.table, row, new_row.missing_key_of);
        let name = self.schema.tables[new_row.table].name.clone();
        let mut change = Change::new(name, row.clone(), None, Some(image.clone()));
        change.reasons.push(new_row.reason);
        let is_as_given =
            |(column, value): (&str, &Value)| image.get(column).is_some_and(|stored| stored.is_same(value));
        if let Some((relation, rows)) = new_row.orphans.filter(|_| new_row.values.iter().all(is_as_given)) {
            *self.effects.adopted.entry(relation).or_default() += rows.len() as u64;
            change.adopts = Some(vec![Adopted { relation: self.schema.relations[relation].id.clone(), rows }]);
        }
        self.put(&change)
    }

    fn withdraw(&mut self, table: TableId, row: &RowName) -> Result<(), TreatError> {
        let about = &self.schema.tables[table];
        let (rehearsal, sql) = self.rehearsal_of(table)?;
        let _ = rehearsal.attempt(&sql.delete(about, row))?;
        // A planned update or delete of this row belongs to a row that existed before.
        let is_made = self.draft.get(&about.name, row)?.is_some_and(|planned| planned.before.is_none());
        let was_planned = is_made && self.draft.take_away(&about.name, row)?.is_some();
        if let Some(created) = self.new_parents.created.get_mut(&table) {
            created.is_stale |= was_planned && largest(row) == created.largest_number;
        }
        Ok(())
    }

    /// Records that the plan creates a row, which has a missing key of a relation if one is given.
    pub(super) fn record_created(&mut self, table: TableId, row: &RowName, missing_key_of: Option<RelationId>) {
        let first = CreatedRows { missing_keys_of: missing_key_of, ..CreatedRows::default() };
        let created = self.new_parents.created.entry(table).or_insert(first);
        created.missing_keys_of = created.missing_keys_of.filter(|_| created.missing_keys_of == missing_key_of);
        created.largest_number = created.largest_number.max(largest(row));
    }
}

/// Returns the name of a row as the rehearsal stores it.
pub(super) fn stored_name(name: &RowName, image: &Row) -> RowName {
    let as_stored = |(column, value): (&str, &Value)| match image.get(column) {
        Some(stored) => (column.to_owned(), stored.clone()),
        None => (column.to_owned(), value.clone()),
    };
    name.iter().map(as_stored).collect()
}

/// Returns the reason why a new row is not planned that the rehearsal stores under another key.
pub(super) fn not_under_its_key(table: &Table) -> String {
    format!("the rehearsal does not store the row of {} under its key", table.name)
}

/// Returns the largest number in a row's name.
pub(super) fn largest(row: &RowName) -> Option<i64> {
    row.values().iter().filter_map(Value::as_integer).max()
}
