//! The treatment `remap`: child rows get the key of an existing parent, from a query, a file, a table or a normal form.

use std::collections::HashMap;
use std::rc::Rc;

use super::Case;
use super::Planner;
use super::TreatError;
use super::decide::Group;
use super::decide::RowActions;
use super::decide::every;
use super::decide::set;
use crate::model::rule::Remap;
use crate::model::rule::RemapHow;
use crate::model::rule::Via;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::model::value::exact_bytes;
use crate::sql::repair::RequestedValue;

impl<'a> Planner<'a> {
    pub(super) fn remap(
        &mut self,
        case: &Case<'a>,
        remap: &Remap,
        groups: &[&Group],
    ) -> Result<RowActions, TreatError> {
        let Some(parent) = case.relation.parent.table.filter(|_| !case.relation.parent.columns.is_empty()) else {
            return Ok(every(groups, Err("there is no parent table".to_owned())));
        };
        let columns = &case.relation.parent.columns;
        let keys: Vec<&Key> = groups.iter().map(|group| &group.key).collect();
        let found = match &remap.how.value {
            RemapHow::To(_) if columns.len() > 1 && !self.schema.database.engine.facts().wide_rule_queries => {
                let why = "on this engine a query for a key of several columns cannot read the child row: use a map or a mapping table";
                return Ok(every(groups, Err(why.to_owned())));
            }
            RemapHow::To(query) => self.queried_keys(case, remap.via.as_ref().map(|via| &via.value), query, groups)?,
            RemapHow::File(map) => keys
                .iter()
                .map(|key| map.new_key(key).ok_or_else(|| format!("{} has no entry for the key", map.file)))
                .collect(),
            RemapHow::Table { table, from, into } => {
                let Some(index) = self.table(table) else {
                    return Ok(every(groups, Err(format!("there is no table {table}"))));
                };
                let (from, into) = (self.columns(index, from), self.columns(index, into));
                let query = self.sql.mapped_keys(&self.schema.tables[index], &from, &into, &keys);
                self.unique_keys(
                    &query,
                    keys.len(),
                    &format!("{table} has no row for the key"),
                    &format!("{table} has several rows for the key"),
                )?
            }
            RemapHow::Normalize(forms) => {
                let table = &self.schema.tables[parent];
                let query = self.sql.normalized_matches(table, columns[0], forms, &keys);
                let name = &table.name;
                self.unique_keys(
                    &query,
                    keys.len(),
                    &format!("no key of {name} has the same normal form"),
                    &format!("several keys of {name} have the same normal form"),
                )?
            }
        };
        // Many missing keys may get the same new key, which is searched for once.
        let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut new_keys: Vec<&Key> = Vec::new();
        for key in found.iter().flatten() {
            numbers.entry(exact_bytes(key)).or_insert_with(|| {
                new_keys.push(key);
                new_keys.len() - 1
            });
        }
        let present = self.stored_keys(parent, columns, &new_keys)?;
        let record: Option<Rc<str>> = remap.record.as_deref().map(Into::into);
        let quarantine = remap.on_conflict == crate::model::rule::OnConflict::Quarantine;
        let name = &case.relation.parent.name;
        let actions = found.into_iter().map(|found| {
            let number = numbers.get(&exact_bytes(&found?));
            let key = number.and_then(|&number| present[number].clone());
            let key = key.ok_or_else(|| format!("the new key is not in {name}"))?;
            Ok(set(key, record.clone(), quarantine))
        });
        Ok(actions.collect())
    }

    /// Returns the key that a query returns for each missing key, if the query returns exactly one row.
    fn queried_keys(
        &mut self,
        case: &Case<'a>,
        via: Option<&Via>,
        query: &str,
        groups: &[&Group],
    ) -> Result<Vec<Result<Key, String>>, TreatError> {
        let wanted = RequestedValue::key(query, case.relation.child_columns.len());
        let answers = self.evaluate(case, via, &wanted, groups)?;
        let single_key = |answer: Result<Vec<Value>, String>| match answer?.split_first() {
            Some((Value::Integer(1), key)) if !key.contains(&Value::Null) => Ok(key.to_vec()),
            Some((Value::Integer(0 | 1), _)) => Err("the query returns no key".to_owned()),
            _ => Err("the query returns several rows".to_owned()),
        };
        Ok(answers.into_iter().map(single_key).collect())
    }
}
