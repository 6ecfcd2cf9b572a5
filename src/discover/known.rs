//! The relations that the schema has already: each is listed with its counts, whatever these are.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;

use super::DiscoverOptions;
use super::asked_counts;
use super::keys;
use super::pairs::ColumnPair;
use super::profile::Profiles;
use super::profile::has_rows;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::discovery::ColumnList;
use crate::model::discovery::FoundKey;
use crate::model::discovery::KeyKind;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Omission;
use crate::model::discovery::Pair;
use crate::model::ids::TableId;
use crate::model::schema::Schema;

/// Child and parent of each known relation, in the order of [`in_order`].
pub type KnownRelations = BTreeSet<(ColumnList, ColumnList)>;

/// Returns the relations of whole tables that the schema has already.
pub fn relations(schema: &Schema) -> KnownRelations {
    let relations = schema.relations.iter().filter(|relation| relation.scope.condition.is_none());
    let ends = relations.filter_map(|relation| {
        let child = ColumnList { table: relation.child, columns: relation.child_columns.clone() };
        let parent = ColumnList { table: relation.parent.table?, columns: relation.parent.columns.clone() };
        let is_resolved = !child.columns.is_empty() && child.columns.len() == parent.columns.len();
        is_resolved.then(|| in_order(child, parent))
    });
    ends.collect()
}

/// Returns both sides with their columns in the order of the child's, so that equal pairs are equal values.
pub fn in_order(child: ColumnList, parent: ColumnList) -> (ColumnList, ColumnList) {
    let mut columns: Vec<(usize, usize)> = child.columns.into_iter().zip(parent.columns).collect();
    columns.sort_unstable();
    let (child_columns, parent_columns) = columns.into_iter().unzip();
    (
        ColumnList { table: child.table, columns: child_columns },
        ColumnList { table: parent.table, columns: parent_columns },
    )
}

/// Returns the known relations of one column, as positions of their columns among the profiles.
pub(super) fn single(known: &KnownRelations, profiles: &Profiles) -> HashSet<ColumnPair> {
    let positions: HashMap<(TableId, usize), usize> =
        profiles.columns.iter().enumerate().map(|(index, column)| ((column.table, column.column), index)).collect();
    let pair = |(child, parent): &(ColumnList, ColumnList)| {
        let ([own], [key]) = (child.columns.as_slice(), parent.columns.as_slice()) else { return None };
        let child = positions.get(&(child.table, *own))?;
        Some(ColumnPair { child: *child, parent: *positions.get(&(parent.table, *key))? })
    };
    known.iter().filter_map(pair).collect()
}

/// Adds the known relations that are not among the pairs: one side has no rows, the parent's key is repeated, or too many keys
/// are missing. The engine counts them.
pub(super) fn add(
    schema: &Schema,
    session: &mut dyn Session,
    known: KnownRelations,
    options: &DiscoverOptions<'_>,
    not_observed: &mut Vec<NotObserved>,
    (keys, pairs): (&mut Vec<FoundKey>, &mut Vec<Pair>),
) -> Result<(), EngineError> {
    let whole = pairs.iter().filter(|pair| pair.condition.is_empty());
    let listed: KnownRelations = whole.map(|pair| in_order(pair.child.clone(), pair.parent.clone())).collect();
    for (child, parent) in known {
        let is_read = |table: TableId| {
            let name = schema.tables[table].name.to_string();
            let is_refused = |part: &NotObserved| part.omission == Omission::NotRead && part.subject == name;
            has_rows(&schema.tables[table]) && (options.is_wanted)(table) && !not_observed.iter().any(is_refused)
        };
        if !is_read(child.table) || !is_read(parent.table) || listed.contains(&(child.clone(), parent.clone())) {
            continue;
        }
        let asked = asked_counts(schema, session, &child, &parent)
            .and_then(|counts| Ok((counts, position(schema, session, &parent, keys)?)));
        match asked {
            Ok((counts, key)) => {
                let parent_keys = keys[key].distinct;
                let (condition, missing) = (Vec::new(), Vec::new());
                pairs.push(Pair { child, parent, key, condition, counts, parent_keys, missing, shape: None });
            }
            Err(EngineError::TimeLimit) => return Err(EngineError::TimeLimit),
            Err(error) => not_observed.push(NotObserved {
                subject: schema.pair_id(&child, &parent),
                reason: error.because(),
                number: child.columns.len() as u64,
                omission: Omission::NotCompared,
            }),
        }
    }
    Ok(())
}

/// Returns the position of a key among all keys, and adds it if it is not there.
fn position(
    schema: &Schema,
    session: &mut dyn Session,
    list: &ColumnList,
    keys: &mut Vec<FoundKey>,
) -> Result<usize, EngineError> {
    let is_same = |known: &ColumnList| {
        let sorted = |list: &ColumnList| list.columns.iter().copied().collect::<BTreeSet<usize>>();
        known.table == list.table && sorted(known) == sorted(list)
    };
    if let Some(known) = keys.iter().position(|key| is_same(&key.columns)) {
        return Ok(known);
    }
    let declared = keys::declared(list.table, &schema.tables[list.table]);
    let kind = declared.iter().find(|(known, _)| is_same(known)).map_or(KeyKind::Data, |(_, kind)| *kind);
    let own = keys::counts(schema, session, list)?;
    keys.push(FoundKey { columns: list.clone(), kind, distinct: own.distinct, repeated_rows: own.repeated_rows() });
    Ok(keys.len() - 1)
}
