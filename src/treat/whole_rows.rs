//! Orphans that are read with all their values, and their changes.

use std::sync::Arc;

use super::Case;
use crate::model::catalog::Table;
use crate::model::forecast::ChangeSample;
use crate::model::plan::Change;
use crate::model::plan::ChangeRole;
use crate::model::plan::identity_columns;
use crate::model::plan::shown_name;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::QuarantineTarget;
use crate::model::value::Value;
use crate::plan_file;

/// The change of the orphans of a missing key.
pub(super) enum RowChange<'d> {
    /// The columns at these positions of the stored row get these values.
    Set {
        columns: Vec<(usize, &'d Value)>,
        blanks: bool,
    },
    Remove(Option<&'d QuarantineTarget>),
}

/// What the planning of the rows needs to know about them.
pub(super) struct RowLayout<'t> {
    pub(super) table: &'t Table,
    pub(super) names: Arc<[String]>,
    pub(super) stored: Arc<[String]>,
}

/// An orphan as the query for whole rows returns it.
pub(super) struct WholeRow<'r> {
    pub(super) name: &'r [Value],
    pub(super) stored: &'r [Value],
}

impl<'t> RowLayout<'t> {
    pub(super) fn of(table: &'t Table) -> RowLayout<'t> {
        let stored = table.columns.iter().filter(|column| !column.generated).map(|column| column.name.clone());
        RowLayout {
            table,
            names: identity_columns(table).into_iter().map(str::to_owned).collect(),
            stored: stored.collect(),
        }
    }
}

/// Returns the change of one row.
pub(super) fn example(
    case: &Case<'_>,
    treatment: &str,
    change: &RowChange<'_>,
    layout: &RowLayout<'_>,
    row: &WholeRow<'_>,
) -> Change {
    let (name, before) = (RowName::of(&layout.names, row.name.to_vec()), Row::of(&layout.stored, row.stored.to_vec()));
    let (mut after, mut kept) = (None, None);
    match change {
        RowChange::Set { columns, .. } => {
            let mut image = before.clone();
            for (position, value) in columns {
                image.set(&layout.stored[*position], (*value).clone());
            }
            after = Some(image);
        }
        RowChange::Remove(Some(QuarantineTarget::File(file))) => kept = Some(file.clone()),
        RowChange::Remove(_) => {}
    }
    Change {
        reasons: vec![case.reason(ChangeRole::Orphan, treatment)],
        kept,
        ..Change::new(layout.table.name.clone(), name, Some(before), after)
    }
}

pub(super) fn sample(table: &Table, change: &Change) -> ChangeSample<Value> {
    let set = change.after.as_ref().map(|_| change.set());
    let before = change.before.as_ref().map(|before| match &set {
        Some(set) => before.filtered(|column, _| set.has(column)).pairs(),
        None => before.pairs(),
    });
    ChangeSample {
        table: table.name.to_string(),
        row: shown_name(table, &change.row, change.before.as_ref()).pairs(),
        before,
        after: set.map(|set| set.pairs()),
    }
}

pub(super) fn image_text(layout: &RowLayout<'_>, values: &[Value]) -> String {
    plan_file::row_text(&Row::of(&layout.stored, values.to_vec()))
}
