//! Shows rows under the names that people know, where a scan knows them by their addresses only.

use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::finding::Sample;
use crate::model::value::Value;

/// So many rows are named together.
pub(super) const AT_ONCE: usize = 10_000;

/// Replaces the addresses of rows by their names, if the engine has names for them.
pub(super) fn show<'s>(
    session: &mut dyn Session,
    table: &Table,
    samples: impl Iterator<Item = &'s mut Sample<Value>>,
) -> Result<(), EngineError> {
    let samples: Vec<&mut Sample<Value>> = samples.collect();
    let address = |sample: &&mut Sample<Value>| sample.row.first().and_then(|(_, value)| value.as_integer());
    let Some(rows) = samples.iter().map(address).collect::<Option<Vec<i64>>>() else { return Ok(()) };
    if let Some(names) = session.row_names(table, &rows)? {
        samples.into_iter().zip(names).for_each(|(sample, name)| sample.row = name);
    }
    Ok(())
}
