//! Decides a chunk of missing keys. Each key gets its first treatment that is possible, or the reasons why none is.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Case;
use super::Planner;
use super::Stop;
use super::TreatError;
use super::redefine::is_relaxed;
use crate::engine::EngineError;
use crate::model::catalog::Action;
use crate::model::catalog::Match;
use crate::model::ids::TableId;
use crate::model::row::RowName;
use crate::model::rule::Expression;
use crate::model::rule::Placeholder;
use crate::model::rule::PlaceholderKey;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::Remap;
use crate::model::rule::RemapHow;
use crate::model::rule::Sentinel;
use crate::model::rule::Treatment;
use crate::model::rule::TreatmentKind;
use crate::model::rule::Via;
use crate::model::schema::side;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::repair::Evaluation;
use crate::sql::repair::RequestedValue;

/// One missing key, the first row that refers to it, and the number of rows that do.
pub(super) struct Group {
    pub(super) key: Key,
    pub(super) row: RowName,
    pub(super) rows: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Decision {
    Decided { treatment: Rc<str>, action: RowAction },
    Undecided(Rc<str>),
}

/// The action on the rows that refer to a missing key.
#[derive(Debug, Clone)]
pub(super) enum RowAction {
    /// The rows stay as they are.
    Nothing,
    /// The columns of the key change. `None` leaves a column as it is.
    Set { columns: Rc<[Option<Value>]>, record: Option<Rc<str>>, quarantine_on_conflict: bool, blanks: bool },
    /// The rows are deleted. A table or a file keeps them, if one is given.
    Remove { keep: Option<Rc<QuarantineTarget>> },
}

impl RowAction {
    pub(super) fn loses_data(&self) -> bool {
        match self {
            RowAction::Nothing => false,
            RowAction::Set { blanks, .. } => *blanks,
            RowAction::Remove { .. } => true,
        }
    }
}

impl Decision {
    pub(super) fn changes_rows(&self) -> bool {
        matches!(self, Decision::Decided { action: RowAction::Set { .. } | RowAction::Remove { .. }, .. })
    }
}

/// For each key, the action of a treatment, or the reason why the treatment does not apply.
type RowActions = Vec<Result<RowAction, String>>;

impl<'a> Planner<'a> {
    pub(super) fn decide(&mut self, case: &mut Case<'a>, groups: &[Group]) -> Result<Vec<Decision>, TreatError> {
        let mut decisions: Vec<Option<Decision>> = groups.iter().map(|_| None).collect();
        let mut reasons: Vec<Vec<String>> = groups.iter().map(|_| Vec::new()).collect();
        for treatment in &case.rule.treatments {
            let open: Vec<usize> = (0..groups.len()).filter(|&index| decisions[index].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let treatment = &treatment.value;
            let open_groups: Vec<&Group> = open.iter().map(|&index| &groups[index]).collect();
            // A parent that the plan already creates also serves this relation, so the key needs no treatment.
            let planned = match treatment {
                Treatment::Remap(_) => vec![false; open_groups.len()],
                _ => self.planned(case, &open_groups)?,
            };
            for (&index, _) in open.iter().zip(&planned).filter(|(_, is_planned)| **is_planned) {
                let by = match treatment {
                    Treatment::Sentinel(_) => TreatmentKind::Sentinel,
                    _ => TreatmentKind::Placeholder,
                };
                decisions[index] = Some(Decision::Decided { treatment: by.name().into(), action: RowAction::Nothing });
            }
            // Parents are created for the other keys only.
            let open: Vec<usize> =
                open.into_iter().zip(planned).filter(|(_, is_planned)| !is_planned).map(|(index, _)| index).collect();
            let open_groups: Vec<&Group> = open.iter().map(|&index| &groups[index]).collect();
            if open_groups.is_empty() {
                continue;
            }
            let mut actions = self.actions(case, treatment, &open_groups)?;
            self.keep_adopted_rows(case, treatment, &open_groups, &mut actions)?;
            for (&index, action) in open.iter().zip(actions) {
                match action {
                    Ok(action) => {
                        decisions[index] = Some(Decision::Decided { treatment: treatment.name().into(), action });
                    }
                    Err(why) => reasons[index].push(format!("{}: {why}", treatment.name())),
                }
            }
        }
        let undecided = |reasons: Vec<String>| Decision::Undecided(reasons.join("; ").into());
        Ok(decisions
            .into_iter()
            .zip(reasons)
            .map(|(decision, why)| decision.unwrap_or_else(|| undecided(why)))
            .collect())
    }

    /// Changes no row whose key is the key of the parent that the plan creates for it.
    fn keep_adopted_rows(
        &mut self,
        case: &Case<'a>,
        treatment: &Treatment,
        groups: &[&Group],
        actions: &mut RowActions,
    ) -> Result<(), TreatError> {
        let is_sentinel = matches!(treatment, Treatment::Sentinel(_));
        let has_own_key =
            matches!(treatment, Treatment::Placeholder(placeholder) if placeholder.key == PlaceholderKey::New);
        if !is_sentinel && !has_own_key {
            return Ok(());
        }
        let created = self.planned(case, groups)?;
        for ((action, group), is_created) in actions.iter_mut().zip(groups).zip(created) {
            let Ok(RowAction::Set { columns, .. }) = action else { continue };
            let is_its_key =
                columns.iter().zip(&group.key).all(|(new, old)| new.as_ref().is_some_and(|new| new.is_same(old)));
            if is_created && (is_sentinel || is_its_key) {
                *action = Ok(RowAction::Nothing);
            }
        }
        Ok(())
    }

    /// Returns the action of a treatment for each key, or the reason why the treatment does not apply.
    pub(super) fn actions(
        &mut self,
        case: &mut Case<'a>,
        treatment: &Treatment,
        groups: &[&Group],
    ) -> Result<RowActions, TreatError> {
        if let Some(why) = case.guarded.as_ref().filter(|_| treatment.loses_data()) {
            return Ok(every(groups, Err(why.clone())));
        }
        if changes_child(treatment) {
            let child = case.relation.child;
            let can_change = self.check_identity(child);
            let can_change = if can_change.is_ok() { split_undecided(self.rehearse_table(child))? } else { can_change };
            if let Err(why) = can_change {
                return Ok(every(groups, Err(why)));
            }
        }
        case.creating = treatment.name();
        match treatment {
            Treatment::Remap(remap) => self.remap(case, remap, groups),
            Treatment::Placeholder(placeholder) => self.placeholder(case, placeholder, groups),
            Treatment::Sentinel(sentinel) => Ok(every(groups, split_undecided(self.sentinel(case, sentinel, groups))?)),
            Treatment::SetNull { columns } => {
                let columns = columns.as_ref().map(|columns| columns.iter().map(|name| name.value.as_str()).collect());
                Ok(every(groups, self.set_null(case, columns)))
            }
            Treatment::SetDefault => Ok(every(groups, split_undecided(self.set_default(case, groups))?)),
            Treatment::Quarantine { keep } => {
                Ok(every(groups, Ok(RowAction::Remove { keep: Some(Rc::new(keep.clone())) })))
            }
            Treatment::Delete => Ok(every(groups, Ok(RowAction::Remove { keep: None }))),
            Treatment::Follow { keep } => self.follow(case, *keep, groups),
            Treatment::Report | Treatment::Repoint(_) => Ok(every(groups, Ok(RowAction::Nothing))),
            Treatment::Relax(_) if is_relaxed(case.relation, Some(case.rule)) => {
                Ok(every(groups, Ok(RowAction::Nothing)))
            }
            Treatment::Relax(_) => {
                Ok(every(groups, Err("the relation is not declared, so it has no foreign key to drop".to_owned())))
            }
            Treatment::Enforce(_) => Ok(every(groups, Err("it declares a foreign key and repairs no row".to_owned()))),
            Treatment::Prevent(_) => {
                Ok(every(groups, Err("it acts on rows that are written later and repairs no row".to_owned())))
            }
        }
    }

    /// Applies the ON DELETE action of the foreign key, as if the parent had just been deleted.
    fn follow(&mut self, case: &Case<'a>, keep: bool, groups: &[&Group]) -> Result<RowActions, TreatError> {
        let action = match case.relation.on_delete {
            Action::Cascade => Ok(RowAction::Remove { keep: keep.then(|| Rc::new(QuarantineTarget::default())) }),
            Action::SetNull => self.set_null(case, None),
            Action::SetDefault => split_undecided(self.set_default(case, groups))?,
            other => Err(format!("ON DELETE is {}, which says nothing about a repair", other.name())),
        };
        Ok(every(groups, action))
    }

    fn remap(&mut self, case: &Case<'a>, remap: &Remap, groups: &[&Group]) -> Result<RowActions, TreatError> {
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
        let new_keys: Vec<&Key> = found.iter().filter_map(|found| found.as_ref().ok()).collect();
        let mut present = self.stored_keys(parent, columns, &new_keys)?.into_iter();
        let record: Option<Rc<str>> = remap.record.as_deref().map(Into::into);
        let quarantine = remap.on_conflict == crate::model::rule::OnConflict::Quarantine;
        let name = &case.relation.parent.name;
        let actions = found.into_iter().map(|found| {
            found?;
            let key = present.next().flatten().ok_or_else(|| format!("the new key is not in {name}"))?;
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

    fn placeholder(
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
        let mut actions = RowActions::new();
        for (group, answer) in groups.iter().zip(answers) {
            let values = match answer {
                Ok(values) => placeholder.values.iter().map(|(name, _)| name.value.clone()).zip(values).collect(),
                Err(why) => {
                    actions.push(Err(why));
                    continue;
                }
            };
            let is_new = placeholder.key == PlaceholderKey::New;
            let key = (!is_new).then_some(&group.key);
            // If the child rows get another key, the record table lists those rows. Otherwise it lists the new parent.
            let record = placeholder.record.as_deref();
            let (parent_record, row_record) = if is_new { (None, record) } else { (record, None) };
            let created = self.make_parent(case, parent, key, &group.key, values, parent_record);
            let action = created
                .map(|key| if is_new { set(key, row_record.map(Into::into), false) } else { RowAction::Nothing });
            actions.push(split_undecided(action)?);
        }
        Ok(actions)
    }

    fn sentinel(&mut self, case: &mut Case<'a>, sentinel: &Sentinel, groups: &[&Group]) -> Result<RowAction, Stop> {
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
        let made = self.make_parent(case, parent, Some(&sentinel.key.value), &sentinel.key.value, values, None)?;
        Ok(set(made, None, false))
    }

    /// Sets nullable columns of the key to NULL: the columns in `requested`, or else the columns that no other relation uses,
    /// or else all.
    fn set_null(&self, case: &Case<'_>, requested: Option<Vec<&str>>) -> Result<RowAction, String> {
        let child = self.schema.child(case.relation);
        let can_be_null = |column: usize| {
            let about = &child.columns[column];
            !about.not_null && !about.generated && !child.primary_key.contains(&column)
        };
        let is_shared = |column: usize| {
            let others = self.schema.relations.entries();
            others
                .filter(|(index, _)| *index != case.id)
                .any(|(_, other)| other.child == case.relation.child && other.child_columns.contains(&column))
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

    fn set_default(&mut self, case: &Case<'a>, groups: &[&Group]) -> Result<RowAction, Stop> {
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

    /// Returns the values of expressions for each key, or an error if `via` does not contain the key or contains it more than
    /// once.
    pub(super) fn evaluate(
        &mut self,
        case: &Case<'a>,
        via: Option<&Via>,
        wanted: &[RequestedValue<'_>],
        groups: &[&Group],
    ) -> Result<Vec<Result<Vec<Value>, String>>, TreatError> {
        let via_table = match via {
            None => None,
            Some(via) => match self.table(&via.table) {
                Some(table) => Some((table, self.columns(table, &via.columns))),
                None => return Ok(every(groups, Err(format!("there is no table {}", via.table)))),
            },
        };
        let via_table = via_table.as_ref().map(|(table, columns)| (*table, columns.as_slice()));
        self.evaluate_chunk(case, via.map_or("", |via| via.table.as_str()), via_table, wanted, groups)
    }

    /// Evaluates expressions for a chunk of keys. If the rule's SQL fails, it divides the chunk in halves until it knows the keys
    /// for which the SQL fails.
    fn evaluate_chunk(
        &mut self,
        case: &Case<'a>,
        name: &str,
        via: Option<(TableId, &[usize])>,
        wanted: &[RequestedValue<'_>],
        groups: &[&Group],
    ) -> Result<Vec<Result<Vec<Value>, String>>, TreatError> {
        let keys: Vec<(&Key, &RowName)> = groups.iter().map(|group| (&group.key, &group.row)).collect();
        let evaluation =
            Evaluation { via: via.map(|(table, columns)| (&self.schema.tables[table], columns)), keys: &keys, wanted };
        let query = self.sql.evaluate(self.schema, case.relation, &evaluation);
        let mut answers: BTreeMap<usize, Vec<Vec<Value>>> = BTreeMap::new();
        let outcome = self.lookups.numbered(&query, groups.len(), &mut |number, row| {
            let [found, values @ ..] = row else { return };
            if found.as_integer() == Some(1) {
                answers.entry(number).or_default().push(values.to_vec());
            }
        });
        match (outcome, groups) {
            (Ok(()), _) => {}
            (Err(EngineError::Failed { why }), [_]) => {
                return Ok(vec![Err(format!("the SQL of the rule fails: {why}"))]);
            }
            (Err(EngineError::Failed { .. }), [_, _, ..]) => {
                let (left, right) = groups.split_at(groups.len() / 2);
                let mut answers = self.evaluate_chunk(case, name, via, wanted, left)?;
                answers.extend(self.evaluate_chunk(case, name, via, wanted, right)?);
                return Ok(answers);
            }
            (Err(other), _) => return Err(other.into()),
        }
        let answer = |index: usize| match answers.remove(&index).unwrap_or_default() {
            several if several.len() > 1 => Err(format!("{name} has the key more than once")),
            mut rows => rows.pop().ok_or_else(|| format!("{name} does not have the key")),
        };
        Ok((0..groups.len()).map(answer).collect())
    }

    /// Returns the single key that a query returns for each number. Otherwise the error is the text `none` or `several`.
    fn unique_keys(
        &mut self,
        query: &crate::sql::Sql,
        count: usize,
        none: &str,
        several: &str,
    ) -> Result<Vec<Result<Key, String>>, TreatError> {
        let mut found: Vec<Vec<Key>> = (0..count).map(|_| Vec::new()).collect();
        self.lookups.numbered(query, count, &mut |number, key| {
            if found[number].len() < 2 {
                found[number].push(key.to_vec());
            }
        })?;
        let single = |mut keys: Vec<Key>| match keys.len() {
            0 => Err(none.to_owned()),
            1 => Ok(keys.remove(0)),
            _ => Err(several.to_owned()),
        };
        Ok(found.into_iter().map(single).collect())
    }

    /// Returns each key as the table stores it, if exactly one row of the table has it.
    pub(super) fn stored_keys(
        &mut self,
        table: TableId,
        columns: &[usize],
        keys: &[&Key],
    ) -> Result<Vec<Option<Key>>, TreatError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let query = self.sql.present_keys(&self.schema.tables[table], columns, keys);
        let found = self.unique_keys(&query, keys.len(), "", "")?;
        // A row that this plan removes does not count as a parent.
        Ok(found.into_iter().map(|found| found.ok().filter(|key| !self.is_removed(table, columns, key))).collect())
    }

    /// Returns for each key true if the plan already creates its parent.
    fn planned(&mut self, case: &Case<'_>, groups: &[&Group]) -> Result<Vec<bool>, TreatError> {
        let mut planned = vec![false; groups.len()];
        let Some(parent) = case.relation.parent.table.filter(|table| self.new_parents.created_in(*table)) else {
            return Ok(planned);
        };
        let keys: Vec<&Key> = groups.iter().map(|group| &group.key).collect();
        let table = &self.schema.tables[parent];
        let (rehearsal, sql) = self.rehearsal_of(parent)?;
        let query = sql.present_keys(table, &case.relation.parent.columns, &keys);
        rehearsal.numbered(&query, keys.len(), &mut |number, _| planned[number] = true)?;
        Ok(planned)
    }

    /// Returns a key as it is stored in a parent that the plan creates.
    pub(super) fn created_key(
        &mut self,
        parent: TableId,
        columns: &[usize],
        key: &Key,
    ) -> Result<Option<Key>, TreatError> {
        let mut found = None;
        if self.new_parents.created_in(parent) {
            let table = &self.schema.tables[parent];
            let (rehearsal, sql) = self.rehearsal_of(parent)?;
            rehearsal
                .numbered(&sql.present_keys(table, columns, &[key]), 1, &mut |_, key| found = Some(key.to_vec()))?;
        }
        Ok(found)
    }

    pub(super) fn table(&self, name: &str) -> Option<TableId> {
        self.schema.table(name)
    }

    /// Returns the indexes of columns. The names were checked before.
    pub(super) fn columns(&self, table: TableId, names: &[String]) -> Vec<usize> {
        let columns = &self.schema.tables[table].columns;
        let position = |name: &String| columns.iter().position(|column| self.schema.names.same(&column.name, name));
        names.iter().filter_map(position).collect()
    }
}

/// Returns the reason of an undecided key as the inner error, and a failure of the whole plan as the outer error.
fn split_undecided<T>(outcome: Result<T, Stop>) -> Result<Result<T, String>, TreatError> {
    match outcome {
        Ok(done) => Ok(Ok(done)),
        Err(stop) => stop.why().map(Err),
    }
}

/// True if the treatment changes rows of the child.
fn changes_child(treatment: &Treatment) -> bool {
    match treatment {
        Treatment::Placeholder(placeholder) => placeholder.key == PlaceholderKey::New,
        Treatment::Report => false,
        other => !other.changes_the_schema(),
    }
}

fn set(key: Key, record: Option<Rc<str>>, quarantine_on_conflict: bool) -> RowAction {
    let columns = key.into_iter().map(Some).collect();
    RowAction::Set { columns, record, quarantine_on_conflict, blanks: false }
}

/// Sets the chosen columns to NULL.
fn blank(chosen: Vec<bool>) -> RowAction {
    let columns = chosen.into_iter().map(|chosen| chosen.then_some(Value::Null)).collect();
    RowAction::Set { columns, record: None, quarantine_on_conflict: false, blanks: true }
}

/// Returns the same value for every key.
fn every<T: Clone>(groups: &[&Group], value: T) -> Vec<T> {
    vec![value; groups.len()]
}
