//! Evaluates the SQL expressions of a rule for missing keys.

use std::collections::BTreeMap;

use super::Case;
use super::Planner;
use super::TreatError;
use super::decide::Group;
use super::decide::every;
use crate::engine::EngineError;
use crate::model::ids::TableId;
use crate::model::row::RowName;
use crate::model::rule::Expression;
use crate::model::rule::ExpressionScope;
use crate::model::rule::TemplatePiece;
use crate::model::rule::Via;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::repair::Evaluation;
use crate::sql::repair::RequestedValue;

impl<'a> Planner<'a> {
    /// Returns the values of expressions for each key, or an error if `via` does not contain the key or contains it more than
    /// once.
    pub(super) fn evaluate(
        &mut self,
        case: &Case<'a>,
        via: Option<&Via>,
        wanted: &[RequestedValue<'_>],
        groups: &[&Group],
    ) -> Result<Vec<Result<Vec<Value>, String>>, TreatError> {
        if via.is_none() {
            let values = groups.iter().map(|group| self.values_of_key(case, wanted, group));
            if let Some(values) = values.collect::<Option<Vec<Vec<Value>>>>() {
                return Ok(values.into_iter().map(Ok).collect());
            }
        }
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

    /// Returns the values of templates that need nothing but a key of whole numbers; `None` if the engine has to evaluate one.
    fn values_of_key(&self, case: &Case<'a>, wanted: &[RequestedValue<'_>], group: &Group) -> Option<Vec<Value>> {
        let names: Vec<&str> = self.schema.child_column_names(case.relation).collect();
        let part = |piece: &TemplatePiece| match piece {
            TemplatePiece::Text(text) => Some(text.clone()),
            TemplatePiece::Column { scope: ExpressionScope::Key, column } => {
                let position = names.iter().position(|name| name == column)?;
                Some(group.key.get(position)?.as_integer()?.to_string())
            }
            TemplatePiece::Column { .. } => None,
        };
        let value = |wanted: &RequestedValue<'_>| match wanted {
            RequestedValue::Expression(Expression::Template(pieces)) => {
                Some(Value::text(pieces.iter().map(part).collect::<Option<String>>()?))
            }
            _ => None,
        };
        wanted.iter().map(value).collect()
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
}
