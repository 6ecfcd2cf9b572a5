//! The treatments that remove a reference: `set-null` and `set-default`.

use super::Case;
use super::Planner;
use super::Stop;
use super::decide::Group;
use super::decide::RowAction;
use crate::model::catalog::Match;
use crate::model::rule::Expression;
use crate::model::schema::side;
use crate::model::text;
use crate::model::value::Value;
use crate::sql::repair::RequestedValue;

impl<'a> Planner<'a> {
    /// Sets nullable columns of the key to NULL: the columns in `requested`, or else the columns that no other relation uses,
    /// or else all.
    pub(super) fn set_null(&self, case: &Case<'_>, requested: Option<Vec<&str>>) -> Result<RowAction, String> {
        let child = self.schema.child(case.relation);
        let others = self.relations_from(case.relation.child);
        let can_be_null = |column: usize| {
            let about = &child.columns[column];
            !about.not_null && about.why_not_set().is_none() && !child.primary_key.contains(&column)
        };
        let is_shared = |column: usize| {
            let mut others = others.iter().filter(|(index, _)| *index != case.id);
            others.any(|(_, other)| other.child_columns.contains(&column))
        };
        let columns = &case.relation.child_columns;
        let mut chosen: Vec<bool> = columns.iter().map(|&column| can_be_null(column)).collect();
        if case.relation.match_rule == Match::Full {
            let is_requested = |name: &str| {
                requested
                    .as_ref()
                    .is_none_or(|requested| requested.iter().any(|other| self.schema.names.same(other, name)))
            };
            if chosen.contains(&false) || !self.schema.child_column_names(case.relation).all(is_requested) {
                let whole = side(&child.name, self.schema.child_column_names(case.relation));
                return Err(format!("{whole} is MATCH FULL, and not all of its columns would be NULL"));
            }
            return Ok(blank(chosen));
        }
        if let Some(requested) = requested {
            for (chosen, &column) in chosen.iter_mut().zip(columns) {
                let name = &child.columns[column].name;
                let is_requested = requested.iter().any(|other| self.schema.names.same(other, name));
                if is_requested && !*chosen {
                    return Err(format!("{name} may not be NULL"));
                }
                *chosen &= is_requested;
            }
        } else if columns.iter().zip(&chosen).any(|(&column, chosen)| *chosen && !is_shared(column)) {
            for (chosen, &column) in chosen.iter_mut().zip(columns) {
                *chosen &= !is_shared(column);
            }
        }
        if !chosen.contains(&true) {
            return Err(format!(
                "{} may not be NULL",
                side(&child.name, self.schema.child_column_names(case.relation))
            ));
        }
        Ok(blank(chosen))
    }

    pub(super) fn set_default(&mut self, case: &Case<'a>, groups: &[&Group]) -> Result<RowAction, Stop> {
        let defaults = self.defaults(case.relation.child)?;
        let child = self.schema.child(case.relation);
        let texts: Vec<Expression> = case
            .relation
            .child_columns
            .iter()
            .map(|&column| {
                let name = &child.columns[column].name;
                let text = defaults.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
                text.map_or(Expression::Literal(Value::Null), Expression::Sql)
            })
            .collect();
        let wanted: Vec<RequestedValue<'_>> = texts.iter().map(RequestedValue::Expression).collect();
        let key = match self.evaluate(case, None, &wanted, &groups[..1])?.pop() {
            Some(Ok(key)) => key,
            _ => return Stop::undecided("its DEFAULT cannot be evaluated"),
        };
        if key.contains(&Value::Null) {
            let blanked = self.set_null(case, None);
            return blanked.map_err(|why| Stop::Undecided(format!("its DEFAULT is NULL, and {why}")));
        }
        let present = match case.relation.parent.table {
            Some(parent) => self.stored_keys(parent, &case.relation.parent.columns, &[&key])?.pop().flatten(),
            None => None,
        };
        let Some(_) = present else {
            return Stop::undecided(format!(
                "{} has no row with the DEFAULT key {}",
                case.relation.parent.name,
                text::key(&key)
            ));
        };
        let columns = key.into_iter().map(Some).collect();
        Ok(RowAction::Set { columns, record: None, quarantine_on_conflict: false, blanks: true })
    }
}

/// Sets the chosen columns to NULL.
fn blank(chosen: Vec<bool>) -> RowAction {
    let columns = chosen.into_iter().map(|chosen| chosen.then_some(Value::Null)).collect();
    RowAction::Set { columns, record: None, quarantine_on_conflict: false, blanks: true }
}
