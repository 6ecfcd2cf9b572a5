//! Writes the plan as an SQL script, for people who run it themselves. The script makes the same changes in the same order.

use crate::engine::EngineError;
use crate::model::catalog::Table;
use crate::model::forecast::PlanRefusal;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::shown_name;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::text::plural;
use crate::model::value::Value;
use crate::run::RunError;
use crate::run::repair::Planned;
use crate::treat::TreatError;

pub(in crate::run) fn script(planned: &Planned) -> Result<String, RunError> {
    let Planned { schema, sql: repair_sql, draft, .. } = planned;
    if !draft.forecast.refusals.is_empty() {
        return Ok(refused(&draft.forecast.refusals));
    }
    let mut script = repair_sql.script_header();
    let redefinitions = |is_last: bool| -> Result<String, RunError> {
        let mut all = draft.forecast.redefinitions.iter().filter(|change| change.comes_last() == is_last);
        all.try_fold(String::new(), |script, change| {
            let redefining = repair_sql.redefine().ok_or(RunError::NoRepair)?;
            let more = redefining.script(schema, change, &planned.definitions);
            let more = more.map_err(|why| RunError::Engine(EngineError::Failed { why }))?;
            Ok(script + &more)
        })
    };
    script.push_str(&redefinitions(false)?);
    for table in &draft.forecast.creates {
        script.push_str(&format!("{};\n", repair_sql.create_table(table).text()));
    }
    let write_change = |table: &Table, change: &Change| -> rusqlite::Result<()> {
        let statement = repair_sql.change_row(table, &unchanged_row(table, change), change);
        script.push_str(&repair_sql.with_literals(&statement));
        script.push_str(";\n");
        if let (ChangeRole::Parent | ChangeRole::Restored, Some(after)) = (change.role(), &change.after) {
            for advance in repair_sql.advance_sequences(table, after) {
                script.push_str(&format!("{};\n", repair_sql.with_literals(&advance)));
            }
        }
        Ok(())
    };
    planned.each_change(write_change).map_err(|error| RunError::Treat(TreatError::from(error)))?;
    script.push_str(&redefinitions(true)?);
    for (file, rows) in &draft.forecast.files {
        script.push_str(&format!(
            "-- `apply` saves {} in {file}; this script deletes them without a copy.\n",
            plural(*rows, "row")
        ));
    }
    script.push_str(&repair_sql.script_footer());
    Ok(script)
}

/// Returns the script of a refused repair, which contains only comments.
fn refused(refusals: &[PlanRefusal]) -> String {
    let lines = refusals.iter().flat_map(|refusal| refusal.why.split(['\n', '\r']));
    let comments = lines.map(|line| format!("-- {line}\n"));
    format!("-- The repair is refused, so there is no script:\n{}", comments.collect::<String>())
}

/// Returns the row's name with the old values of the changed columns, so that a statement matches only an unchanged row.
fn unchanged_row(table: &Table, change: &Change) -> RowName {
    let mut row = shown_name(table, &change.row, change.before.as_ref());
    let set = change.set();
    for (column, value) in change.before.iter().flat_map(Row::iter) {
        if *value != Value::Null && set.has(column) && !row.has(column) {
            row.push(column, value.clone());
        }
    }
    row
}
