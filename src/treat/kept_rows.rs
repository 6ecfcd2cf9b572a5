//! Record tables of a repair. They list the old and the new key of remapped rows, whole rows that were deleted, and the
//! placeholders that were created.

use crate::model::catalog::Family;
use crate::model::catalog::TableName;
use crate::model::forecast::PlanRefusal;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::NewTable;
use crate::model::row::Row;
use crate::model::row::RowName;
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
        self.keep(case.cause(), record, &RECORD, values, pending.treatment, unit)
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
        self.keep(case.cause(), record, &RECORD, values, "placeholder", unit)
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
        self.keep(cause, table, &QUARANTINE, values, treatment, unit)
    }

    fn keep(
        &mut self,
        cause: Cause<'_>,
        table: &str,
        columns: &[&str],
        values: Vec<Value>,
        treatment: &str,
        unit: Unit,
    ) -> Result<(), TreatError> {
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
                rule: cause.rule.id.value.clone(),
                relation: cause.relation.to_owned(),
                why: format!("the rows cannot be kept in {table}: it {why}"),
                help: "name another table; fk-doctor creates it if it does not exist".to_owned(),
            });
        }
        if let Some(known) = known
            && let Some(missing) = self.missing_column(known, columns)
        {
            let why = format!("the rows cannot be kept in {table}: it has no column {missing}");
            if !self.refusals.iter().any(|refusal| refusal.why == why) {
                let (rule, relation) = (cause.rule.id.value.clone(), cause.relation.to_owned());
                let help = "name another table; fk-doctor creates it if it does not exist".to_owned();
                self.refusals.push(PlanRefusal { rule, relation, why, help });
            }
            return Ok(());
        }
        let number = self.next_record(known, table)?;
        let is_number = |index: usize| {
            known.is_some_and(|known| {
                let column = self.schema.tables[known]
                    .columns
                    .iter()
                    .find(|column| Some(&*column.name) == columns.get(index).copied());
                column.is_some_and(|column| column.family == Family::Integer)
            })
        };
        let values: Vec<Value> = values
            .into_iter()
            .enumerate()
            .map(|(index, value)| if is_number(index + 3) { value } else { self.sql.as_plan_table_stores(value) })
            .collect();
        let first = [Value::Integer(number), Value::text(&cause.rule.id.value), Value::text(cause.relation)];
        let image: Row = columns.iter().copied().zip(first.into_iter().chain(values)).collect();
        let row = RowName::from(vec![(columns[0], Value::Integer(number))]);
        let mut record = Change::new(name, row, None, Some(image));
        record.reasons.push(cause.reason(ChangeRole::Record, treatment));
        Ok(self.draft.put_in(unit, &record)?)
    }
}

impl Planner<'_> {
    /// Returns the first of these columns that a table lacks.
    fn missing_column<'c>(&self, table: TableId, columns: &[&'c str]) -> Option<&'c str> {
        let existing = &self.schema.tables[table].columns;
        let exists = |name: &str| existing.iter().any(|column| self.schema.names.same(&column.name, name));
        columns.iter().copied().find(|name| !exists(name))
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
