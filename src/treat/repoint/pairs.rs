//! Finds the twins of a rule, each with the row that is kept: by equal expressions, or by a map of keys.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;

use super::RepointRule;
use crate::model::catalog::Family;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::repoint::RepointForecast;
use crate::model::row::RowName;
use crate::model::rule::KeptTwin;
use crate::model::rule::TwinSource;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::plan_file;
use crate::treat::CHUNK;
use crate::treat::Planner;
use crate::treat::TreatError;

/// A twin, and the row that is kept or the reason why none is.
pub(super) struct Pair {
    pub(super) twin: RowName,
    pub(super) kept: Result<RowName, String>,
}

impl<'a> Planner<'a> {
    /// Returns the twins of a rule, in the order of their groups, and counts the groups.
    pub(super) fn pairs(
        &mut self,
        about: &RepointRule<'a>,
        forecast: &mut RepointForecast<Value>,
    ) -> Result<Vec<Pair>, TreatError> {
        match &about.repoint.twins.value {
            TwinSource::Same { expressions, keep } => {
                let texts: Vec<&str> = expressions.iter().map(|expression| expression.value.as_str()).collect();
                let groups = self.groups(about.table, &texts)?;
                forecast.groups = groups.len() as u64;
                let kept = self.kept_rows(about.table, &groups, &keep.value)?;
                Ok(groups.into_iter().zip(kept).flat_map(|(group, kept)| pairs_of(group, &kept)).collect())
            }
            TwinSource::File(map) => {
                let key = |texts: &Vec<String>| self.typed_key(about.table, texts);
                let mut entries: Vec<(Key, Key)> = map.entries.iter().map(|(old, new)| (key(old), key(new))).collect();
                entries.sort_by_key(|(old, _)| crate::model::value::exact_bytes(old));
                self.mapped_pairs(about.table, entries, forecast)
            }
            TwinSource::Table { table, from, into } => {
                let Some(map) = self.table(table) else { return Ok(Vec::new()) };
                let names: Vec<usize> = [self.columns(map, from), self.columns(map, into)].concat();
                let columns: Vec<&str> =
                    names.iter().map(|&column| self.schema.tables[map].columns[column].name.as_str()).collect();
                let query = self.sql.all_rows(&self.schema.tables[map], &columns);
                let mut entries: Vec<(Key, Key)> = Vec::new();
                self.lookups.each_row(&query, &mut |row| {
                    let (old, new) = row.split_at(from.len().min(row.len()));
                    if !row.contains(&Value::Null) {
                        entries.push((old.to_vec(), new.to_vec()));
                    }
                })?;
                self.mapped_pairs(about.table, entries, forecast)
            }
        }
    }

    /// Returns the groups of rows with equal values of these expressions.
    fn groups(&mut self, table: TableId, same: &[&str]) -> Result<Vec<Vec<RowName>>, TreatError> {
        let names: Arc<[String]> =
            identity_columns(&self.schema.tables[table]).into_iter().map(str::to_owned).collect();
        let mut groups: Vec<(Value, Vec<RowName>)> = Vec::new();
        self.lookups.each_row(&self.sql.twins(self.schema, table, same, false), &mut |row| {
            let [number, values @ ..] = row else { return };
            let name = RowName::of(&names, values.to_vec());
            match groups.last_mut() {
                Some((last, group)) if last == number => group.push(name),
                _ => groups.push((number.clone(), vec![name])),
            }
        })?;
        Ok(groups.into_iter().map(|(_, group)| group).collect())
    }

    /// Returns for each group the row that is kept, or the reason why none is.
    fn kept_rows(
        &mut self,
        table: TableId,
        groups: &[Vec<RowName>],
        keep: &KeptTwin,
    ) -> Result<Vec<Result<RowName, String>>, TreatError> {
        let first = |group: &Vec<RowName>| group.first().cloned().ok_or_else(String::new);
        match keep {
            KeptTwin::Oldest => Ok(groups.iter().map(first).collect()),
            KeptTwin::MostReferred => {
                let counts = self.references(table, groups)?;
                let most = |(group, counts): (&Vec<RowName>, Vec<u64>)| {
                    let mut most = 0;
                    for index in 1..group.len() {
                        if counts[index] > counts[most] {
                            most = index;
                        }
                    }
                    group.get(most).cloned().ok_or_else(String::new)
                };
                Ok(groups.iter().zip(counts).map(most).collect())
            }
            KeptTwin::Query(query) => self.queried_twins(table, groups, query),
        }
    }

    /// Returns for each row of each group the number of rows that refer to it.
    fn references(&mut self, table: TableId, groups: &[Vec<RowName>]) -> Result<Vec<Vec<u64>>, TreatError> {
        let schema = self.schema;
        let names: Vec<&RowName> = groups.iter().flatten().collect();
        let mut counts = vec![0_u64; names.len()];
        for relation in schema.relations.iter().filter(|relation| relation.parent.table == Some(table)) {
            for (chunk, counts) in names.chunks(CHUNK).zip(counts.chunks_mut(CHUNK)) {
                let query = self.sql.referencing_rows(schema, relation, chunk);
                self.lookups.numbered(&query, chunk.len(), &mut |number, _| counts[number] += 1)?;
            }
        }
        let mut counts = counts.into_iter();
        Ok(groups.iter().map(|group| counts.by_ref().take(group.len()).collect()).collect())
    }

    /// Returns the row that a rule's query gives for each group. It must give the same row of the group for all its rows.
    fn queried_twins(
        &mut self,
        table: TableId,
        groups: &[Vec<RowName>],
        query: &str,
    ) -> Result<Vec<Result<RowName, String>>, TreatError> {
        let names: Vec<&RowName> = groups.iter().flatten().collect();
        let mut answers: Vec<Option<Key>> = Vec::with_capacity(names.len());
        for chunk in names.chunks(CHUNK) {
            let mut found: Vec<Option<Key>> = vec![None; chunk.len()];
            let asked = self.sql.kept_twins(self.schema, table, chunk, query);
            self.lookups.numbered(&asked, chunk.len(), &mut |number, values| {
                if let [Value::Integer(1), key @ ..] = values {
                    found[number] = Some(key.to_vec());
                }
            })?;
            answers.extend(found);
        }
        let keys: Vec<&Key> = answers.iter().flatten().collect();
        let mut stored = self.names_of_keys(table, &keys)?.into_iter();
        let mut answers = answers.into_iter().map(|answer| answer.and_then(|_| stored.next().flatten()));
        let kept = |group: &Vec<RowName>| {
            let own: Vec<Option<RowName>> = answers.by_ref().take(group.len()).collect();
            match own.split_first() {
                Some((Some(first), others)) if others.iter().any(|other| other.as_ref() != Some(first)) => {
                    Err("keep: the query gives several rows for one group".to_owned())
                }
                Some((Some(first), _)) if group.contains(first) => Ok(first.clone()),
                Some((Some(_), _)) => Err("keep: the query gives a row that is not one of the group".to_owned()),
                _ => Err("keep: the query does not give the key of one row".to_owned()),
            }
        };
        Ok(groups.iter().map(kept).collect())
    }

    /// Returns the pairs of a map of keys. An entry whose twin does not exist is left out.
    fn mapped_pairs(
        &mut self,
        table: TableId,
        entries: Vec<(Key, Key)>,
        forecast: &mut RepointForecast<Value>,
    ) -> Result<Vec<Pair>, TreatError> {
        let (old, new): (Vec<&Key>, Vec<&Key>) = entries.iter().map(|(old, new)| (old, new)).unzip();
        let twins = self.names_of_keys(table, &old)?;
        let kept = self.names_of_keys(table, &new)?;
        let text = |row: &RowName| plan_file::row_text(row);
        let mut next: BTreeMap<String, Option<RowName>> = BTreeMap::new();
        let mut order: Vec<RowName> = Vec::new();
        for (twin, kept) in twins.into_iter().zip(kept) {
            let Some(twin) = twin.filter(|twin| kept.as_ref() != Some(twin)) else { continue };
            if next.insert(text(&twin), kept).is_none() {
                order.push(twin);
            }
        }
        let mut groups: HashSet<String> = HashSet::new();
        let mut pairs = Vec::new();
        for twin in order {
            // The kept row of an entry may be the twin of another.
            let (mut at, mut kept) = (text(&twin), Err("the map has no kept row for it".to_owned()));
            for step in 0..=next.len() {
                match next.get(&at) {
                    Some(Some(row)) if step < next.len() => {
                        at = text(row);
                        kept = Ok(row.clone());
                    }
                    Some(Some(_)) => kept = Err("the map is circular".to_owned()),
                    Some(None) => kept = Err("the kept row of the map does not exist".to_owned()),
                    None => break,
                }
            }
            groups.extend(kept.as_ref().ok().map(&text));
            pairs.push(Pair { twin, kept });
        }
        forecast.groups = groups.len() as u64;
        Ok(pairs)
    }

    /// Returns the name of the row that has each key, which is the key of the table.
    fn names_of_keys(&mut self, table: TableId, keys: &[&Key]) -> Result<Vec<Option<RowName>>, TreatError> {
        let about = &self.schema.tables[table];
        let names: Arc<[String]> = identity_columns(about).into_iter().map(str::to_owned).collect();
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

fn pairs_of(group: Vec<RowName>, kept: &Result<RowName, String>) -> Vec<Pair> {
    let is_kept = |row: &RowName| kept.as_ref().is_ok_and(|kept| kept == row);
    // If no row can be chosen, one row of the group is no twin.
    let skipped = usize::from(kept.is_err());
    let twins = group.into_iter().filter(|row| !is_kept(row)).skip(skipped);
    twins.map(|twin| Pair { twin, kept: kept.clone() }).collect()
}
