//! The plan as a script of SQL, for people who run it themselves: what the plan does, in the same order.

use super::Planned;
use crate::engine::EngineError;
use crate::model::plan::Part;
use crate::model::text::plural;
use crate::model::value::Value;
use crate::run::RunError;
use crate::treat::TreatError;

pub(super) fn script(planned: &Planned) -> Result<String, RunError> {
    let Planned { schema, surgery, draft, .. } = planned;
    let mut script = surgery.script_start();
    let redefinitions = |is_last: bool| -> Result<String, RunError> {
        let mut all = draft.prospect.redefinitions.iter().filter(|change| change.comes_last() == is_last);
        all.try_fold(String::new(), |script, change| {
            let redefining = surgery.redefining().ok_or(RunError::NoRepair)?;
            let more = redefining.script(schema, change, &planned.definitions);
            let more = more.map_err(|why| RunError::Engine(EngineError::Failed { why }))?;
            Ok(script + &more)
        })
    };
    script.push_str(&redefinitions(false)?);
    for table in &draft.prospect.creates {
        script.push_str(&format!("{};\n", surgery.create(table).text()));
    }
    draft
        .bench
        .each(|change| {
            let made;
            let table = match schema.table(&change.table.to_string()) {
                Some(table) => &schema.tables[table],
                None => {
                    let new = draft.prospect.creates.iter().find(|new| new.name == change.table);
                    let Some(new) = new else { return Ok(()) };
                    made = new.as_table();
                    &made
                }
            };
            // Only a row that is still as it was.
            let mut row = change.row.clone();
            let set = change.set();
            let old = change.before.iter().flatten().filter(|(name, value)| {
                *value != Value::Null
                    && set.iter().any(|(other, _)| other == name)
                    && !row.iter().any(|(other, _)| other == name)
            });
            let old: Vec<_> = old.cloned().collect();
            row.extend(old);
            let statement = match (&change.before, &change.after) {
                (None, Some(after)) => surgery.insert(table, &row, after),
                (Some(_), None) => surgery.delete(table, &row),
                _ => surgery.update(table, &row, &set),
            };
            script.push_str(&surgery.written_out(&statement));
            script.push_str(";\n");
            if let (Part::Parent, Some(after)) = (change.part(), &change.after) {
                for advance in surgery.advance(table, after) {
                    script.push_str(&format!("{};\n", surgery.written_out(&advance)));
                }
            }
            Ok(())
        })
        .map_err(|error: rusqlite::Error| RunError::Treat(TreatError::from(error)))?;
    script.push_str(&redefinitions(true)?);
    for (file, rows) in &draft.prospect.files {
        script.push_str(&format!("-- {} that `apply` keeps in {file} would be kept nowhere.\n", plural(*rows, "row")));
    }
    script.push_str(&surgery.script_end());
    Ok(script)
}
