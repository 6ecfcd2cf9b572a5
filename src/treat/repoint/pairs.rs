//! Finds the twins of a rule, each with the row that is kept: by equal expressions, or by a map of keys.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::RepointRule;
use super::row_numbers::RowNumbers;
use crate::model::catalog::Family;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::repoint::RepointForecast;
use crate::model::row::RowName;
use crate::model::rule::KeptTwin;
use crate::model::rule::TwinSource;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::model::value::exact_bytes;
use crate::treat::CHUNK;
use crate::treat::Planner;
use crate::treat::TreatError;

/// The number of the row that is kept, or the reason why none is.
type Kept = Result<usize, &'static str>;

/// The twins of a rule, each with the row that is kept or the reason why none is.
pub(super) struct Pairs {
    /// The twins and the kept rows.
    pub(super) rows: RowNumbers,
    pairs: Vec<(usize, Kept)>,
    /// The position of each row among the twins.
    positions: Vec<Option<usize>>,
}

impl Pairs {
    fn new(rows: RowNumbers, pairs: Vec<(usize, Kept)>) -> Pairs {
        let mut positions = vec![None; rows.len()];
        pairs.iter().enumerate().for_each(|(position, (twin, _))| positions[*twin] = Some(position));
        Pairs { rows, pairs, positions }
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Returns the pairs from this one on.
    pub(super) fn from(&self, first: usize) -> impl Iterator<Item = Pair> {
        let name = |number: usize| self.rows.name(number);
        self.pairs[first..].iter().map(move |&(twin, kept)| Pair { twin: name(twin), kept: kept.map(name) })
    }

    /// Returns the position of the pair whose twin has this number.
    pub(super) fn position(&self, number: usize) -> Option<usize> {
        self.positions[number]
    }
}

/// A twin, and the row that is kept or the reason why none is.
pub(super) struct Pair {
    pub(super) twin: RowName,
    pub(super) kept: Result<RowName, &'static str>,
}

/// Groups of rows that mean the same.
struct Groups {
    rows: RowNumbers,
    /// The numbers of the rows of each group.
    ranges: Vec<Range<usize>>,
}

/// The entries of a map of keys.
struct MapEntries {
    /// The number of columns of a key.
    width: usize,
    /// The values of all entries: of an old key, of its new key, of the next old key, and so on.
    values: Vec<Value>,
}

impl<'a> Planner<'a> {
    /// Returns the twins of a rule, in the order of their groups, and counts the groups.
    pub(super) fn pairs(
        &mut self,
        about: &RepointRule<'a>,
        forecast: &mut RepointForecast<Value>,
    ) -> Result<Pairs, TreatError> {
        match &about.repoint.twins.value {
            TwinSource::Same { expressions, keep } => {
                let texts: Vec<&str> = expressions.iter().map(|expression| expression.value.as_str()).collect();
                let mut groups = self.groups(about.table, &texts)?;
                forecast.groups = groups.ranges.len() as u64;
                let kept = self.kept_rows(about.table, &mut groups, &keep.value)?;
                let pairs = groups.ranges.into_iter().zip(kept).flat_map(|(group, kept)| pairs_of(group, kept));
                Ok(Pairs::new(groups.rows, pairs.collect()))
            }
            TwinSource::File(map) => {
                let key = |texts: &Vec<String>| self.typed_key(about.table, texts);
                let mut entries: Vec<(Key, &Vec<String>)> =
                    map.entries.iter().map(|(old, new)| (key(old), new)).collect();
                entries.sort_by_cached_key(|(old, _)| exact_bytes(old));
                let width = entries.first().map_or(0, |(old, _)| old.len());
                let values = entries.into_iter().flat_map(|(old, new)| old.into_iter().chain(key(new))).collect();
                self.mapped_pairs(about.table, &MapEntries { width, values }, forecast)
            }
            TwinSource::Table { table, from, into } => {
                let Some(map) = self.table(table) else {
                    return Ok(Pairs::new(RowNumbers::new(Arc::default()), Vec::new()));
                };
                let names: Vec<usize> = [self.columns(map, from), self.columns(map, into)].concat();
                let columns: Vec<&str> =
                    names.iter().map(|&column| self.schema.tables[map].columns[column].name.as_str()).collect();
                let query = self.sql.all_rows(&self.schema.tables[map], &columns);
                let mut values: Vec<Value> = Vec::new();
                self.lookups.each_row(&query, &mut |row| {
                    if !row.contains(&Value::Null) {
                        values.extend_from_slice(row);
                    }
                })?;
                self.mapped_pairs(about.table, &MapEntries { width: from.len(), values }, forecast)
            }
        }
    }

    /// Returns the groups of rows with equal values of these expressions, in the order of their first rows.
    fn groups(&mut self, table: TableId, same: &[&str]) -> Result<Groups, TreatError> {
        let names = self.identity_of(table);
        let mut groups = Groups { rows: RowNumbers::new(Arc::clone(&names)), ranges: Vec::new() };
        let mut last_group = None;
        self.lookups.each_row(&self.sql.twins(self.schema, table, same, false), &mut |row| {
            let [group, values @ ..] = row else { return };
            let number = groups.rows.number(&RowName::of(&names, values.to_vec()));
            match groups.ranges.last_mut() {
                Some(range) if last_group.as_ref() == Some(group) => range.end = number + 1,
                _ => groups.ranges.push(number..number + 1),
            }
            last_group = Some(group.clone());
        })?;
        // The rows of neighbouring groups are then near each other.
        groups.ranges.sort_by_cached_key(|group| exact_bytes(groups.rows.values_of(group.start)));
        Ok(groups)
    }

    /// Returns for each group the row that is kept.
    fn kept_rows(&mut self, table: TableId, groups: &mut Groups, keep: &KeptTwin) -> Result<Vec<Kept>, TreatError> {
        match keep {
            KeptTwin::Oldest => Ok(groups.ranges.iter().map(|group| Ok(group.start)).collect()),
            KeptTwin::MostReferred => {
                let counts = self.references(table, &groups.rows)?;
                let most = |group: &Range<usize>| {
                    group.clone().rev().max_by_key(|&number| counts[number]).unwrap_or(group.start)
                };
                Ok(groups.ranges.iter().map(|group| Ok(most(group))).collect())
            }
            KeptTwin::Query(query) => self.queried_twins(table, groups, query),
        }
    }

    /// Returns for each row the number of rows that refer to it.
    fn references(&mut self, table: TableId, rows: &RowNumbers) -> Result<Vec<u64>, TreatError> {
        let mut counts = vec![0_u64; rows.len()];
        for (_, relation) in self.relations_to(table, None) {
            self.each_child(relation, rows, &mut |number, _| counts[number] += 1)?;
        }
        Ok(counts)
    }

    /// Returns the row that a rule's query gives for each group. It must give the same row of the group for all its rows.
    fn queried_twins(&mut self, table: TableId, groups: &mut Groups, query: &str) -> Result<Vec<Kept>, TreatError> {
        let mut answers: Vec<Option<usize>> = vec![None; groups.rows.len()];
        let mut others: Vec<(usize, RowName)> = Vec::new();
        for chunk in groups.rows.chunks(CHUNK) {
            let names: Vec<&RowName> = chunk.names.iter().collect();
            let mut found: Vec<(usize, Key)> = Vec::new();
            let asked = self.sql.kept_twins(self.schema, table, &names, query);
            self.lookups.numbered(&asked, names.len(), &mut |index, values| {
                if let [Value::Integer(1), key @ ..] = values {
                    found.push((chunk.first + index, key.to_vec()));
                }
            })?;
            let keys: Vec<&Key> = found.iter().map(|(_, key)| key).collect();
            for ((number, _), row) in found.iter().zip(self.names_of_keys(table, &keys)?) {
                match row.as_ref().and_then(|row| groups.rows.get(row)) {
                    Some(kept) => answers[*number] = Some(kept),
                    None => others.extend(row.map(|row| (*number, row))),
                }
            }
        }
        // The query may also give rows that belong to no group.
        for (number, row) in others {
            answers[number] = Some(groups.rows.number(&row));
        }
        let kept = |group: &Range<usize>| match answers[group.start] {
            Some(first) if answers[group.clone()].iter().any(|other| *other != Some(first)) => {
                Err("keep: the query gives several rows for one group")
            }
            Some(first) if group.contains(&first) => Ok(first),
            Some(_) => Err("keep: the query gives a row that is not one of the group"),
            None => Err("keep: the query does not give the key of one row"),
        };
        Ok(groups.ranges.iter().map(kept).collect())
    }

    /// Returns the pairs of a map of keys. An entry whose twin does not exist is left out.
    fn mapped_pairs(
        &mut self,
        table: TableId,
        entries: &MapEntries,
        forecast: &mut RepointForecast<Value>,
    ) -> Result<Pairs, TreatError> {
        let mut rows = RowNumbers::new(self.identity_of(table));
        let mut next: HashMap<usize, Option<usize>> = HashMap::new();
        let mut twins: Vec<usize> = Vec::new();
        for chunk in entries.chunks(CHUNK) {
            let (old, new): (Vec<&Key>, Vec<&Key>) = chunk.iter().map(|(old, new)| (old, new)).unzip();
            for (twin, kept) in self.names_of_keys(table, &old)?.into_iter().zip(self.names_of_keys(table, &new)?) {
                let Some(twin) = twin.filter(|twin| kept.as_ref() != Some(twin)) else { continue };
                let (twin, kept) = (rows.number(&twin), kept.map(|kept| rows.number(&kept)));
                if next.insert(twin, kept).is_none() {
                    twins.push(twin);
                }
            }
        }
        let kept = last_rows(&next, &twins);
        forecast.groups = kept.iter().flatten().collect::<HashSet<_>>().len() as u64;
        Ok(Pairs::new(rows, twins.into_iter().zip(kept).collect()))
    }

    /// Returns the name of the row that has each key, which is the key of the table.
    fn names_of_keys(&mut self, table: TableId, keys: &[&Key]) -> Result<Vec<Option<RowName>>, TreatError> {
        let about = &self.schema.tables[table];
        let names = self.identity_of(table);
        let columns: Vec<usize> =
            names.iter().filter_map(|name| about.columns.iter().position(|column| column.name == *name)).collect();
        let mut found: Vec<Option<RowName>> = vec![None; keys.len()];
        if columns.len() < names.len() {
            return Ok(found);
        }
        for (chunk, found) in keys.chunks(CHUNK).zip(found.chunks_mut(CHUNK)) {
            let query = self.sql.rows_with_keys(about, &columns, chunk);
            self.lookups.numbered(&query, chunk.len(), &mut |number, values| {
                found[number] = Some(RowName::of(&names, values.to_vec()));
            })?;
        }
        Ok(found)
    }

    /// Returns a key of a CSV file with the types of the table's key.
    fn typed_key(&self, table: TableId, texts: &[String]) -> Key {
        let about = &self.schema.tables[table];
        let names = identity_columns(about);
        let family = |index: usize| {
            let name = names.get(index)?;
            about.columns.iter().find(|column| column.name == *name).map(|column| column.family.clone())
        };
        let value = |(index, text): (usize, &String)| match (family(index), text.trim().parse::<i64>()) {
            (Some(Family::Integer | Family::Numeric | Family::Real), Ok(number)) => Value::Integer(number),
            _ => Value::text(text),
        };
        texts.iter().enumerate().map(value).collect()
    }
}

impl MapEntries {
    /// Returns the old and the new keys, this number of entries at a time.
    fn chunks(&self, size: usize) -> impl Iterator<Item = Vec<(Key, Key)>> {
        let width = self.width.max(1);
        let entry = move |values: &[Value]| {
            let (old, new) = values.split_at(width.min(values.len()));
            (old.to_vec(), new.to_vec())
        };
        self.values.chunks(2 * width * size).map(move |chunk| chunk.chunks(2 * width).map(entry).collect())
    }
}

fn pairs_of(group: Range<usize>, kept: Kept) -> impl Iterator<Item = (usize, Kept)> {
    // If no row can be chosen, one row of the group is no twin.
    let skipped = kept.unwrap_or(group.start);
    group.filter(move |&row| row != skipped).map(move |twin| (twin, kept))
}

/// Returns for each twin the row that is kept at last: the kept row of an entry may be the twin of another.
fn last_rows(next: &HashMap<usize, Option<usize>>, twins: &[usize]) -> Vec<Kept> {
    let mut kept: HashMap<usize, Kept> = HashMap::new();
    let mut path: Vec<usize> = Vec::new();
    for &twin in twins {
        let mut row = twin;
        let last = loop {
            if let Some(known) = kept.get(&row) {
                break *known;
            }
            match next.get(&row) {
                None => break Ok(row),
                Some(None) => break Err("the kept row of the map does not exist"),
                Some(Some(following)) => {
                    path.push(row);
                    // This is the answer if the path returns to the row.
                    kept.insert(row, Err("the map is circular"));
                    row = *following;
                }
            }
        };
        kept.extend(path.drain(..).map(|row| (row, last)));
        kept.insert(twin, last);
    }
    twins.iter().map(|twin| kept[twin]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chains, circles and ways into both have an end each, however long they are.
    #[test]
    fn last_row_of_a_map_is_kept() {
        let long = 50_000;
        let mut next: HashMap<usize, Option<usize>> = (0..long).map(|row| (row, Some(row + 1))).collect();
        let circle = 2 * long;
        next.extend((circle..circle + long).map(|row| (row, Some(row + 1))));
        next.insert(circle + long, Some(circle));
        let into_the_circle = circle + long + 1;
        next.insert(into_the_circle, Some(circle + 7));
        let (missing, before_missing) = (into_the_circle + 1, into_the_circle + 2);
        next.insert(missing, None);
        next.insert(before_missing, Some(missing));
        for is_reversed in [false, true] {
            let mut twins: Vec<usize> = next.keys().copied().collect();
            twins.sort_unstable();
            if is_reversed {
                twins.reverse();
            }
            for (twin, kept) in twins.iter().zip(last_rows(&next, &twins)) {
                let expected = match *twin {
                    row if row < long => Ok(long),
                    row if row <= into_the_circle => Err("the map is circular"),
                    _ => Err("the kept row of the map does not exist"),
                };
                assert_eq!(kept, expected, "{twin}");
            }
        }
    }
}
