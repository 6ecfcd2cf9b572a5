//! Record tables of a repair. They list the old and the new key of remapped rows, whole rows that were deleted, and the
//! placeholders that were created.

use std::sync::Arc;

use crate::model::catalog::Family;
use crate::model::catalog::TableName;
use crate::model::forecast::PlanRefusal;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::NewTable;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::plan_draft::Unit;
use crate::plan_file;
use crate::treat::Case;
use crate::treat::Cause;
use crate::treat::Planner;
use crate::treat::TreatError;
use crate::treat::rows::Pending;

/// The columns of a record with both keys of a row.
pub(super) const RECORD: [&str; 7] = ["id", "rule", "relation", "child_table", "child_row", "original_key", "new_key"];
/// The columns of a record with a whole row.
pub(super) const QUARANTINE: [&str; 6] = ["id", "rule", "relation", "table_name", "row_name", "row"];

impl<'a> Planner<'a> {
    pub(super) fn keep_keys(
        &mut self,
        case: &Case<'a>,
        record: &str,
        pending: &Pending<'_>,
        after: &Row,
        unit: Unit,
    ) -> Result<(), TreatError> {
        let new = self.schema.child_column_names(case.relation).filter_map(|name| after.get(name));
        let new = compact(&new.cloned().collect::<Vec<_>>());
        let [child, row] = named(&self.schema.child(case.relation).name, &pending.row);
        let values = vec![child, row, compact(&pending.key), new];
        self.keep(case.reason(ChangeRole::Record, pending.treatment), record, &RECORD, values, unit)
    }

    /// Removes the record of both keys of a row that is now deleted, because the row has no new key.
    pub(super) fn remove_key_record(&mut self, planned: &Change) -> Result<(), TreatError> {
        if planned.unit.is_none() {
            return Ok(());
        }
        let [table, row] = named(&planned.table, &planned.row);
        for member in self.draft.members_with(planned)? {
            let has = |column: &str, value: &Value| {
                let stored = member.after.as_ref().and_then(|after| after.get(column));
                stored.is_some_and(|stored| {
                    stored.is_same(value) || stored.is_same(&self.sql.as_plan_table_stores(value.clone()))
                })
            };
            if member.role() == ChangeRole::Record && has(RECORD[3], &table) && has(RECORD[4], &row) {
                self.draft.take_away(&member.table, &member.row)?;
            }
        }
        Ok(())
    }

    pub(super) fn keep_placeholder(
        &mut self,
        case: &Case<'a>,
        record: &str,
        table: TableId,
        image: &Row,
        unit: Unit,
    ) -> Result<(), TreatError> {
        let table = &self.schema.tables[table];
        let key: Vec<Value> = case
            .relation
            .parent
            .columns
            .iter()
            .filter_map(|&column| image.get(&table.columns[column].name).cloned())
            .collect();
        let values = vec![Value::text(table.name.to_string()), compact(&key), Value::Null, compact(&key)];
        self.keep(case.reason(ChangeRole::Record, "placeholder"), record, &RECORD, values, unit)
    }

    pub(super) fn keep_row(
        &mut self,
        cause: Cause<'_>,
        table: &str,
        deleted: &Change,
        treatment: &str,
        unit: Unit,
    ) -> Result<(), TreatError> {
        let image = deleted.before.as_ref().map_or(Value::Null, |row| Value::text(plan_file::row_text(row)));
        let name = plan_file::row_text(&deleted.row);
        let values = vec![Value::text(deleted.table.to_string()), Value::text(name), image];
        self.keep(cause.reason(ChangeRole::Record, treatment), table, &QUARANTINE, values, unit)
    }

    /// Adds a record to a table, for this reason.
    pub(super) fn keep(
        &mut self,
        reason: ChangeReason,
        table: &str,
        columns: &[&str],
        values: Vec<Value>,
        unit: Unit,
    ) -> Result<(), TreatError> {
        let Some(table) = self.record_table(&reason, table, columns)? else { return Ok(()) };
        let values = self.record_values(&reason, &table, values)?;
        let record = table.change(values, reason);
        Ok(self.draft.put_in(unit, &record)?)
    }

    /// Returns a table that keeps rows or keys. The plan creates it if it does not exist. `None` if it exists and cannot
    /// keep them: the plan is then refused.
    pub(super) fn record_table(
        &mut self,
        reason: &ChangeReason,
        table: &str,
        columns: &[&str],
    ) -> Result<Option<RecordTable>, TreatError> {
        let known = self.schema.table(table);
        let name = known.map_or_else(
            || TableName { schema: None, table: table.to_owned() },
            |known| self.schema.tables[known].name.clone(),
        );
        if known.is_none() && !self.effects.new_tables.iter().any(|other| other.name == name) {
            let columns = columns.iter().map(|&column| column.to_owned()).collect();
            self.effects.new_tables.push(NewTable { name: name.clone(), columns });
        }
        if let Some(why) = known.and_then(|known| self.schema.tables[known].irreversible.as_deref()) {
            self.refusals.push(PlanRefusal {
                rule: reason.rule.clone(),
                relation: reason.relation.clone(),
                why: format!("the rows cannot be kept in {table}: it {why}"),
                help: "name another table; fk-doctor creates it if it does not exist".to_owned(),
            });
        }
        if let Some(known) = known
            && let Some(missing) = missing_column(self.schema, known, columns)
        {
            let why = format!("the rows cannot be kept in {table}: it has no column {missing}");
            if !self.refusals.iter().any(|refusal| refusal.why == why) {
                let (rule, relation) = (reason.rule.clone(), reason.relation.clone());
                let help = "name another table; fk-doctor creates it if it does not exist".to_owned();
                self.refusals.push(PlanRefusal { rule, relation, why, help });
            }
            return Ok(None);
        }
        let is_number = |column: &&str| {
            let columns = known.map_or(&[][..], |known| &self.schema.tables[known].columns);
            columns.iter().any(|about| about.name == **column && about.family == Family::Integer)
        };
        Ok(Some(RecordTable {
            known,
            own_name: table.to_owned(),
            name,
            is_number: columns.iter().map(is_number).collect(),
            row: columns[..1].iter().map(|&column| column.to_owned()).collect(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
        }))
    }

    /// Returns the values of a new record, with its number, the rule and the relation.
    pub(super) fn record_values(
        &mut self,
        reason: &ChangeReason,
        table: &RecordTable,
        values: Vec<Value>,
    ) -> Result<Vec<Value>, TreatError> {
        let number = self.next_record(table.known, &table.own_name)?;
        let mut record = vec![Value::Integer(number), Value::text(&reason.rule), Value::text(&reason.relation)];
        for value in values {
            let is_number = table.is_number.get(record.len()).copied().unwrap_or_default();
            record.push(if is_number { value } else { self.sql.as_plan_table_stores(value) });
        }
        Ok(record)
    }
}

/// Returns the first of these columns that a table lacks.
pub(super) fn missing_column<'c>(schema: &Schema, table: TableId, columns: &[&'c str]) -> Option<&'c str> {
    let existing = &schema.tables[table].columns;
    let exists = |name: &str| existing.iter().any(|column| schema.names.same(&column.name, name));
    columns.iter().copied().find(|name| !exists(name))
}

/// A table that keeps rows or keys.
pub(super) struct RecordTable {
    /// The table, if it exists.
    known: Option<TableId>,
    /// The name in the rule.
    own_name: String,
    name: TableName,
    columns: Arc<[String]>,
    row: Arc<[String]>,
    /// True for each column that stores integers as such.
    is_number: Vec<bool>,
}

impl RecordTable {
    /// Returns the change that adds a record.
    pub(super) fn change(&self, values: Vec<Value>, reason: ChangeReason) -> Change {
        let row = RowName::of(&self.row, values[..1].to_vec());
        let mut record = Change::new(self.name.clone(), row, None, Some(Row::of(&self.columns, values)));
        record.reasons.push(reason);
        record
    }
}

/// Returns the names of a table and of one of its rows, as record tables hold them.
fn named(table: &TableName, row: &RowName) -> [Value; 2] {
    [Value::text(table.to_string()), compact(row.values())]
}

/// Returns one value as it is, and several values as text.
fn compact(key: &[Value]) -> Value {
    match key {
        [single] => single.clone(),
        several => Value::text(crate::model::text::key(several)),
    }
}
