//! The treatments that create parents: `placeholder` and `sentinel`.

use super::Case;
use super::Planner;
use super::Stop;
use super::TreatError;
use super::decide::Group;
use super::decide::RowAction;
use super::decide::RowActions;
use super::decide::every;
use super::decide::set;
use super::parents::WantedParent;
use crate::model::rule::Expression;
use crate::model::rule::Placeholder;
use crate::model::rule::PlaceholderKey;
use crate::model::rule::Sentinel;
use crate::model::value::Key;
use crate::sql::repair::RequestedValue;

impl<'a> Planner<'a> {
    pub(super) fn placeholder(
        &mut self,
        case: &mut Case<'a>,
        placeholder: &Placeholder,
        groups: &[&Group],
    ) -> Result<RowActions, TreatError> {
        let Some(parent) = case.relation.parent.table.filter(|_| !case.relation.parent.columns.is_empty()) else {
            return Ok(every(groups, Err("there is no parent table in which a row could be created".to_owned())));
        };
        let expressions: Vec<RequestedValue<'_>> =
            placeholder.values.iter().map(|(_, at)| RequestedValue::Expression(&at.value)).collect();
        let via = placeholder.via.as_ref().map(|via| &via.value);
        let needs_query =
            via.is_some() || placeholder.values.iter().any(|(_, at)| !matches!(at.value, Expression::Literal(_)));
        let answers = if needs_query {
            self.evaluate(case, via, &expressions, groups)?
        } else {
            let literals = placeholder.values.iter().filter_map(|(_, at)| match &at.value {
                Expression::Literal(value) => Some(value.clone()),
                _ => None,
            });
            every(groups, Ok(literals.collect()))
        };
        let is_new = placeholder.key == PlaceholderKey::New;
        // If the child rows get another key, the record table lists those rows. Otherwise it lists the new parent.
        let record = placeholder.record.as_deref();
        let (parent_record, row_record) = if is_new { (None, record) } else { (record, None) };
        let wanted = groups.iter().zip(answers).map(|(group, answer)| {
            let names = placeholder.values.iter().map(|(name, _)| name.value.clone());
            let key = (!is_new).then_some(&group.key);
            let orphans = if is_new { &[] } else { group.orphans.as_slice() };
            Ok(WantedParent {
                key,
                seed: &group.key,
                values: names.zip(answer?).collect(),
                record: parent_record,
                orphans,
            })
        });
        let created = self.make_parents(case, parent, wanted.collect())?;
        let action = |key: Key| if is_new { set(key, row_record.map(Into::into), false) } else { RowAction::Nothing };
        Ok(created.into_iter().map(|created| created.map(action)).collect())
    }

    pub(super) fn sentinel(
        &mut self,
        case: &mut Case<'a>,
        sentinel: &Sentinel,
        groups: &[&Group],
    ) -> Result<RowAction, Stop> {
        let Some(parent) = case.relation.parent.table.filter(|_| !case.relation.parent.columns.is_empty()) else {
            return Stop::undecided("there is no parent table");
        };
        let columns = &case.relation.parent.columns;
        if let Some(key) = self.stored_keys(parent, columns, &[&sentinel.key.value])?.pop().flatten() {
            return Ok(set(key, None, false));
        }
        if let Some(key) = self.created_key(parent, columns, &sentinel.key.value)? {
            return Ok(set(key, None, false));
        }
        let expressions: Vec<RequestedValue<'_>> =
            sentinel.values.iter().map(|(_, at)| RequestedValue::Expression(&at.value)).collect();
        let answer = self.evaluate(case, None, &expressions, &groups[..1])?.pop().unwrap_or(Ok(Vec::new()));
        let values = match answer {
            Ok(values) => sentinel.values.iter().map(|(name, _)| name.value.clone()).zip(values).collect(),
            Err(why) => return Stop::undecided(why),
        };
        let key = &sentinel.key.value;
        let made = self.make_parent(
            case,
            parent,
            &WantedParent { key: Some(key), seed: key, values, record: None, orphans: &[] },
        )?;
        Ok(set(made, None, false))
    }
}
