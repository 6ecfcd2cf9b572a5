//! Finds out why a pair of columns is not in the list of candidates.

use crate::discover;
use crate::engine::Session;
use crate::model::discovery::ColumnList;
use crate::model::schema::Schema;
use crate::model::text::nearest;
use crate::report::discovery::AbsentPair;
use crate::run::RunError;

/// Returns the columns of a pair, as typed: `child(cols)->parent(cols)`.
pub(super) fn columns(schema: &Schema, pair: &str) -> Result<(ColumnList, ColumnList), RunError> {
    let fault = |why: String| RunError::Input {
        what: format!("--explain {pair}"),
        why,
        help: "write it as child(columns)->parent(columns), such as 'orders(user_id)->users(id)'".to_owned(),
    };
    let (child, parent) = pair.split_once("->").ok_or_else(|| fault("it has no ->".to_owned()))?;
    let (child, parent) = (side(schema, child).map_err(fault)?, side(schema, parent).map_err(fault)?);
    if child.columns.len() != parent.columns.len() {
        return Err(fault("both sides need the same number of columns".to_owned()));
    }
    Ok((child, parent))
}

fn side(schema: &Schema, text: &str) -> Result<ColumnList, String> {
    let text = text.trim();
    let inside = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
    let (name, columns) = inside.ok_or_else(|| format!("{text} is not of the form table(columns)"))?;
    let near = |name: &str, known: Vec<&str>| {
        nearest(name, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default()
    };
    let table = schema.table(name.trim()).ok_or_else(|| {
        let names: Vec<String> = schema.tables.iter().map(|table| table.name.to_string()).collect();
        format!("there is no table {name}{}", near(name, names.iter().map(String::as_str).collect()))
    })?;
    let known = &schema.tables[table].columns;
    let position = |column: &str| {
        let column = column.trim();
        known.iter().position(|known| schema.names.same(&known.name, column)).ok_or_else(|| {
            let names = known.iter().map(|known| known.name.as_str()).collect();
            format!("{name} has no column {column}{}", near(column, names))
        })
    };
    let columns = columns.split(',').map(position).collect::<Result<Vec<usize>, String>>()?;
    Ok(ColumnList { table, columns })
}

/// Counts the rows and keys of a pair, and finds out if the parent's columns are a key.
pub(super) fn observe(
    schema: &Schema,
    session: &mut dyn Session,
    child: ColumnList,
    parent: ColumnList,
) -> Result<AbsentPair, RunError> {
    let is_table = |list: &ColumnList| discover::profile::has_rows(&schema.tables[list.table]);
    let id = schema.pair_id(&child, &parent);
    if child == parent {
        return Ok(AbsentPair::new(id, "a column does not refer to itself"));
    }
    if !is_table(&child) || !is_table(&parent) {
        return Ok(AbsentPair::new(id, "views and virtual tables are not compared"));
    }
    if !discover::are_comparable(schema, &child, &parent) {
        return Ok(AbsentPair::new(id, "the types of the columns are not compared with each other"));
    }
    let counts = discover::asked_counts(schema, session, &child, &parent)?;
    // The parent's own keys: as many rows as distinct keys if they are unique.
    let own = discover::asked_counts(schema, session, &parent, &parent)?;
    let reason = if own.complete_rows() == 0 {
        "the parent has no rows with a key".to_owned()
    } else if own.distinct < own.complete_rows() {
        format!("the parent's columns are no key: {} different values in {} rows", own.distinct, own.complete_rows())
    } else if counts.distinct == 0 {
        "the child has no rows with a key".to_owned()
    } else if counts.missing_keys == counts.distinct {
        "none of the child's keys exists in the parent".to_owned()
    } else {
        "too many of the child's keys are missing from the parent (see --tolerance)".to_owned()
    };
    Ok(AbsentPair { id, counts: Some(counts), reason })
}
