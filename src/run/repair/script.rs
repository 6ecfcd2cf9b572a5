//! The plan as a script of SQL, for people who run it themselves: what the plan does, in the same order.

use super::planning::Planned;
use crate::engine::EngineError;
use crate::model::catalog::Table;
use crate::model::forecast::PlanRefusal;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::text::plural;
use crate::model::value::Value;
use crate::run::RunError;
use crate::treat::TreatError;

pub(super) fn script(planned: &Planned) -> Result<String, RunError> {
    let Planned { schema, surgery, draft, .. } = planned;
    if !draft.forecast.refusals.is_empty() {
        return Ok(refused(&draft.forecast.refusals));
    }
    let mut script = surgery.script_header();
    let redefinitions = |is_last: bool| -> Result<String, RunError> {
        let mut all = draft.forecast.redefinitions.iter().filter(|change| change.comes_last() == is_last);
        all.try_fold(String::new(), |script, change| {
            let redefining = surgery.redefine().ok_or(RunError::NoRepair)?;
            let more = redefining.script(schema, change, &planned.definitions);
            let more = more.map_err(|why| RunError::Engine(EngineError::Failed { why }))?;
            Ok(script + &more)
        })
    };
    script.push_str(&redefinitions(false)?);
    for table in &draft.forecast.creates {
        script.push_str(&format!("{};\n", surgery.create_table(table).text()));
    }
    let each = |table: &Table, change: &Change| -> rusqlite::Result<()> {
        let statement = surgery.change_row(table, &as_it_was(change), change);
        script.push_str(&surgery.with_literals(&statement));
        script.push_str(";\n");
        if let (ChangeRole::Parent, Some(after)) = (change.role(), &change.after) {
            for advance in surgery.advance_sequences(table, after) {
                script.push_str(&format!("{};\n", surgery.with_literals(&advance)));
            }
        }
        Ok(())
    };
    planned.each_change(each).map_err(|error| RunError::Treat(TreatError::from(error)))?;
    script.push_str(&redefinitions(true)?);
    for (file, rows) in &draft.forecast.files {
        script.push_str(&format!("-- {} that `apply` keeps in {file} would be kept nowhere.\n", plural(*rows, "row")));
    }
    script.push_str(&surgery.script_footer());
    Ok(script)
}

/// What is refused as a plan is refused as a script: nothing but comments.
fn refused(refusals: &[PlanRefusal]) -> String {
    let lines = refusals.iter().flat_map(|refusal| refusal.why.split(['\n', '\r']));
    let comments = lines.map(|line| format!("-- {line}\n"));
    format!("-- The repair is refused, so there is no script:\n{}", comments.collect::<String>())
}

/// The row's name, and what it held where that changes: only a row that is still as it was.
fn as_it_was(change: &Change) -> RowName {
    let mut row = change.row.clone();
    let set = change.set();
    for (column, value) in change.before.iter().flat_map(Row::iter) {
        if *value != Value::Null && set.has(column) && !row.has(column) {
            row.push(column, value.clone());
        }
    }
    row
}
