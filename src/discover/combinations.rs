//! Finds every pair of column lists whose keys agree: a child's columns are combined for each composite key of a parent, and
//! the combinations themselves are counted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use super::DiscoverOptions;
use super::pairs::ColumnPair;
use super::pairs::Search;
use super::pairs::needs_engine;
use super::profile::ProfiledColumn;
use crate::model::discovery::ColumnList;
use crate::model::discovery::FoundKey;
use crate::model::discovery::KeyKind;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Omission;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::schema::side;

/// More combinations of a table's columns for one key are narrowed to those whose names have one role. Those for a key that
/// nobody declared are always narrowed.
pub const MOST_COMBINATIONS: usize = 400;

/// A combination of a child's columns for a composite key, by positions among all profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    pub child: Vec<usize>,
    pub parent: Vec<usize>,
    /// The parent's key, as a position in the list of keys.
    pub key: usize,
    /// True if only the engine can compare the values.
    pub needs_engine: bool,
}

/// Returns all combinations whose columns may each hold the values of their part of a key.
pub fn combinations(
    schema: &Schema,
    search: &Search<'_>,
    keys: &[FoundKey],
    options: &DiscoverOptions<'_>,
    not_observed: &mut Vec<NotObserved>,
) -> Vec<Combination> {
    let positions: HashMap<(TableId, usize), usize> =
        search.columns.iter().enumerate().map(|(index, column)| ((column.table, column.column), index)).collect();
    let mut of_tables: BTreeMap<TableId, Vec<usize>> = BTreeMap::new();
    for (index, column) in search.columns.iter().enumerate() {
        if column.has_keys() && !column.keys.is_dropped {
            of_tables.entry(column.table).or_default().push(index);
        }
    }
    let mut holds: HashMap<ColumnPair, bool> = HashMap::new();
    let mut found = Vec::new();
    for (key, about) in keys.iter().enumerate() {
        let list = &about.columns;
        if !(2..=options.max_arity).contains(&list.columns.len()) || about.distinct == 0 || about.repeated_rows > 0 {
            continue;
        }
        let parent: Option<Vec<usize>> =
            list.columns.iter().map(|&column| positions.get(&(list.table, column)).copied()).collect();
        let Some(parent) = parent.filter(|parent| parent.iter().all(|&part| !search.columns[part].keys.is_dropped))
        else {
            continue;
        };
        for (&table, columns) in &of_tables {
            let parts: Vec<Vec<usize>> = parent
                .iter()
                .map(|&part| {
                    let may_hold = |&&child: &&usize| {
                        let pair = ColumnPair { child, parent: part };
                        child == part || *holds.entry(pair).or_insert_with(|| may_hold(search, pair))
                    };
                    columns.iter().filter(may_hold).copied().collect()
                })
                .collect();
            if parts.iter().any(Vec::is_empty) {
                continue;
            }
            let all = parts.iter().map(Vec::len).fold(1usize, usize::saturating_mul);
            let narrow = all > MOST_COMBINATIONS || about.kind == KeyKind::Data;
            let choices = if narrow { with_one_role(schema, search.columns, &parts, &parent) } else { vec![parts] };
            let mut chosen: BTreeSet<Vec<usize>> = BTreeSet::new();
            for parts in &choices {
                each_combination(parts, &mut |child| _ = chosen.insert(child.to_vec()));
            }
            if narrow && all > chosen.len() {
                let left_out = (all - chosen.len()) as u64;
                not_observed.push(left_out_combinations(schema, table, list, left_out));
            }
            for child in chosen.into_iter().filter(|child| *child != parent) {
                let needs_engine = child.iter().zip(&parent).any(|(&child, &parent)| {
                    child != parent && needs_engine(&search.columns[child], &search.columns[parent])
                });
                found.push(Combination { child, parent: parent.clone(), key, needs_engine });
            }
        }
    }
    found
}

fn left_out_combinations(schema: &Schema, child: TableId, key: &ColumnList, number: u64) -> NotObserved {
    let parent = &schema.tables[key.table];
    let names = key.columns.iter().map(|&column| parent.columns[column].name.as_str());
    NotObserved {
        subject: format!("{}->{}", schema.tables[child].name, side(&parent.name, names)),
        reason: format!(
            "the key is not declared, or more than {MOST_COMBINATIONS} combinations of columns may hold it, so that only \
             those whose names share a role were counted"
        ),
        number,
        omission: Omission::Restricted,
    }
}

/// True if the values of a column are among those of a part of a key, within the tolerance.
fn may_hold(search: &Search<'_>, pair: ColumnPair) -> bool {
    let (child, parent) = (&search.columns[pair.child], &search.columns[pair.parent]);
    if !parent.has_keys() || parent.form_against(child).is_none() {
        return false;
    }
    if needs_engine(child, parent) {
        return !search.is_outside_before_asking(pair);
    }
    search.counted(pair).is_some()
}

/// Calls `visit` with every choice of one column for each part that uses no column twice.
fn each_combination(parts: &[Vec<usize>], visit: &mut dyn FnMut(&[usize])) {
    fn choose(parts: &[Vec<usize>], chosen: &mut Vec<usize>, visit: &mut dyn FnMut(&[usize])) {
        let Some(columns) = parts.get(chosen.len()) else { return visit(chosen) };
        for &column in columns {
            if !chosen.contains(&column) {
                chosen.push(column);
                choose(parts, chosen, visit);
                chosen.pop();
            }
        }
    }
    choose(parts, &mut Vec::new(), visit);
}

/// Returns the columns for each part, once for each role: the columns that are named like their part of the key after one
/// common prefix, such as `uom_auth_name` and `uom_code` for `auth_name` and `code`. A column that is named after the parent
/// table goes with any role.
fn with_one_role(
    schema: &Schema,
    columns: &[ProfiledColumn],
    parts: &[Vec<usize>],
    parent: &[usize],
) -> Vec<Vec<Vec<usize>>> {
    let name = |index: usize| {
        let column = &columns[index];
        schema.tables[column.table].columns[column.column].name.to_lowercase()
    };
    let table = parent.first().map(|&part| schema.tables[columns[part].table].name.table.to_lowercase());
    let of_part: Vec<String> = parent.iter().map(|&part| name(part)).collect();
    let named: Vec<Vec<(usize, String)>> =
        parts.iter().map(|part| part.iter().map(|&column| (column, name(column))).collect()).collect();
    let mut roles: BTreeSet<String> = BTreeSet::new();
    for (part, of_part) in named.iter().zip(&of_part) {
        roles.extend(part.iter().filter_map(|(_, name)| name.strip_suffix(of_part.as_str()).map(str::to_owned)));
    }
    let fits = |name: &str, role: &str, of_part: &str| {
        name.strip_prefix(role) == Some(of_part) || table.as_deref() == Some(name)
    };
    let in_role = |role: &String| -> Vec<Vec<usize>> {
        let of_parts = named.iter().zip(&of_part);
        of_parts
            .map(|(part, of_part)| {
                part.iter().filter(|(_, name)| fits(name, role, of_part)).map(|(column, _)| *column).collect()
            })
            .collect()
    };
    roles.iter().map(in_role).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combination_uses_no_column_twice() {
        let mut found = Vec::new();
        each_combination(&[vec![1, 2], vec![2, 3]], &mut |chosen| found.push(chosen.to_vec()));
        assert_eq!(found, [vec![1, 2], vec![1, 3], vec![2, 3]]);
    }
}
