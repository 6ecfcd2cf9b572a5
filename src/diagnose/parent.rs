//! Facts about a parent that a diagnosis needs. They are queried once for all relations that refer to the parent.

use std::collections::BTreeMap;

use super::Case;
use crate::engine::RowsAnswer;
use crate::engine::RowsQuestion;
use crate::engine::Session;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::scan::run_in_parallel;
use crate::sql;

/// The number of parent keys in a sample.
pub(super) const SAMPLE: u64 = 32;

/// A parent's table and key columns.
pub(super) type ParentKey = (TableId, Vec<usize>);

#[derive(Debug, Clone, Default)]
pub(super) struct Parent {
    pub(super) is_empty: bool,
    /// The number of its rows, if that is less than [`SAMPLE`]; otherwise [`SAMPLE`].
    pub(super) rows_seen: u64,
    /// Some of its keys.
    pub(super) sample: Vec<Key>,
    /// Its largest key, if the key is a single integer.
    pub(super) largest: Option<i64>,
}

pub(super) fn key_of(relation: &Relation) -> Option<ParentKey> {
    Some((relation.parent.table?, relation.parent.columns.clone()))
}

/// Asks for the parents of all cases. A parent that cannot be asked is left out.
pub(super) fn ask(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    cases: &[Case<'_>],
) -> BTreeMap<ParentKey, Parent> {
    let mut relations: BTreeMap<ParentKey, &Relation> = BTreeMap::new();
    for case in cases {
        if let Some(key) = key_of(case.relation) {
            relations.entry(key).or_insert(case.relation);
        }
    }
    let asked: Vec<(ParentKey, &Relation)> = relations.into_iter().collect();
    let looked_up = look_up(schema, sessions, &asked);
    let parents = run_in_parallel(
        sessions,
        asked.len(),
        |session, i| looked_up[i].clone().or_else(|| ask_one(schema, session, asked[i].1)),
        |_| {},
    );
    asked.into_iter().zip(parents).filter_map(|((key, _), parent)| Some((key, parent?))).collect()
}

/// Looks parents up whose key is the address of their rows. Returns `None` for those that only a query can answer.
fn look_up(
    schema: &Schema,
    sessions: &mut [Box<dyn Session + '_>],
    asked: &[(ParentKey, &Relation)],
) -> Vec<Option<Parent>> {
    let mut parents = vec![None; asked.len()];
    let question = |(table, columns): &ParentKey| {
        let table = &schema.tables[*table];
        let column = table.address_column.filter(|address| columns == &[*address])?;
        Some(RowsQuestion { table, column, wanted: Vec::new(), first: SAMPLE as usize })
    };
    let questions = asked.iter().enumerate().filter_map(|(position, (key, _))| Some((position, question(key)?)));
    let (positions, questions): (Vec<usize>, Vec<RowsQuestion<'_>>) = questions.unzip();
    let answers = sessions.first_mut().map(|session| session.look_up_rows(&questions)).unwrap_or_default();
    for (position, answer) in positions.into_iter().zip(answers) {
        parents[position] = answer.map(|RowsAnswer { first, last, .. }| Parent {
            is_empty: first.is_empty(),
            rows_seen: first.len() as u64,
            largest: last,
            sample: first.into_iter().map(|address| vec![Value::Integer(address)]).collect(),
        });
    }
    parents
}

fn ask_one(schema: &Schema, session: &mut dyn Session, relation: &Relation) -> Option<Parent> {
    let mut parent = Parent { is_empty: true, ..Parent::default() };
    let mut add = |key: &[Value]| {
        parent.is_empty = false;
        parent.rows_seen += 1;
        if !key.contains(&Value::Null) {
            parent.sample.push(key.to_vec());
        }
    };
    let table = schema.parent(relation)?;
    match session.each_first_row(table, &relation.parent.columns, SAMPLE, &mut add) {
        Ok(None) => {}
        answer => return answer.ok().flatten().map(|largest| Parent { largest, ..parent }),
    }
    let question = sql::of(schema).parent_sample(schema, relation, SAMPLE)?;
    let mut last = None;
    let answer = session.each_row(&question, &mut |row| {
        if let [key @ .., largest] = row {
            add(key);
            last = largest.as_integer();
        }
    });
    answer.ok().map(|()| Parent { largest: last, ..parent })
}
