//! New parents. Every NOT NULL column gets a value, the required parents of the new row are created too, and the row is
//! inserted into the rehearsal before it is planned.
//!
//! The recursion ends on any schema. A required parent is the sentinel of its table, which is created at most once. A row of
//! a table that requires itself refers to itself.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Case;
use super::Planner;
use super::Stop;
use super::TreatError;
use crate::engine::write::Attempt;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::facts::CounterTable;
use crate::model::forecast::ChangeSample;
use crate::model::ids::TableId;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;
use crate::model::plan::identity_columns;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::rule::TreatmentKind;
use crate::model::text;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::plan_draft::Step;
use crate::stored_rows;
use crate::stored_rows::Image;
use crate::stored_rows::Stored;

/// The rows that the plan creates so far, and values that were read for them.
#[derive(Default)]
pub(super) struct NewParents {
    /// The key of the sentinel of each table. The sentinel may be unfinished.
    sentinels: BTreeMap<TableId, Value>,
    /// Tables whose sentinel is unfinished.
    unfinished: BTreeSet<TableId>,
    /// The last integer that was used for a column.
    next: BTreeMap<(TableId, String), i64>,
    /// The last number in each record table that the plan creates.
    records: BTreeMap<String, i64>,
    defaults: BTreeMap<TableId, Vec<(String, String)>>,
    /// Tables in which the plan creates rows.
    created: BTreeMap<TableId, CreatedRows>,
}

impl NewParents {
    pub(super) fn created_in(&self, table: TableId) -> bool {
        self.created.contains_key(&table)
    }

    /// Returns the number of the last record in a table that the plan creates.
    pub(super) fn last_record(&self, table: &str) -> Option<i64> {
        self.records.get(table).copied()
    }

    pub(super) fn set_last_record(&mut self, table: &str, last: Option<i64>) {
        match last {
            Some(last) => drop(self.records.insert(table.to_owned(), last)),
            None => drop(self.records.remove(table)),
        }
    }

    /// True if this is the key of a sentinel, also of an unfinished one.
    pub(super) fn is_sentinel_key(&self, table: TableId, key: &Key) -> bool {
        matches!(&key[..], [value] if self.sentinels.get(&table) == Some(value))
    }
}

/// The rows of one table that the plan creates.
#[derive(Default)]
struct CreatedRows {
    /// The largest number in the names of these rows.
    largest_number: Option<i64>,
    /// True if the row with that number was withdrawn.
    is_stale: bool,
}

/// A row that is to be created.
struct NewRow<'k> {
    table: TableId,
    values: Row,
    /// The key from which other values are derived, so that no two rows are alike.
    seed: &'k Key,
    reason: ChangeReason,
}

impl<'a> Planner<'a> {
    /// Plans a new parent with this key, or with a fresh key. Returns the key as it will be stored.
    pub(super) fn make_parent(
        &mut self,
        case: &mut Case<'a>,
        table: TableId,
        key: Option<&Key>,
        seed: &Key,
        values: Row,
        record: Option<&str>,
    ) -> Result<Key, Stop> {
        let columns = &case.relation.parent.columns;
        let about = &self.schema.tables[table];
        let mut row = Row::new();
        if let Some(key) = key {
            for (&column, value) in columns.iter().zip(key) {
                row.push(&about.columns[column].name, value.clone());
            }
        }
        for (name, value) in values.iter() {
            // The names were checked against the table. The plan uses the table's spelling.
            let name = about
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .find(|known| self.schema.names.same(known, name))
                .unwrap_or(name);
            row = row.without(name).with(name, value.clone());
        }
        let treatment = case.creating;
        let reason = case.reason(ChangeRole::Parent, treatment);
        let new_row = NewRow { table, values: row, seed, reason };
        let mut made = Vec::new();
        let sentinels = self.new_parents.sentinels.clone();
        match self.make(new_row, columns, 0, &mut made) {
            Ok(image) => {
                let key = image.key(columns.iter().map(|&column| about.columns[column].name.as_str()));
                case.show(treatment, || ChangeSample {
                    table: about.name.to_string(),
                    row: made.last().map(|(_, row)| row.pairs()).unwrap_or_default(),
                    before: None,
                    after: Some(image.pairs()),
                });
                if let (Some(record), Some((_, row))) = (record, made.last())
                    && let Some(parent) = self.draft.get(&about.name, row)?
                {
                    let unit = self.draft.unit(Step::Parent);
                    self.draft.put_in(unit, &parent)?;
                    self.keep_placeholder(case, record, table, &image, unit)?;
                }
                key.map_or_else(|| Stop::undecided("the new row lacks a column of the key"), Ok)
            }
            Err(Stop::Failed(error)) => Err(error.into()),
            Err(Stop::Undecided(why)) => {
                for (table, row) in made.into_iter().rev() {
                    self.withdraw(table, &row)?;
                }
                // Withdraws the sentinels that were registered but not created.
                self.new_parents.sentinels = sentinels;
                Stop::undecided(why)
            }
        }
    }

    /// Plans one new row. The columns `key_columns` get a fresh key if they have no value. Adds every new row to `made`.
    fn make(
        &mut self,
        mut new_row: NewRow<'_>,
        key_columns: &[usize],
        depth: usize,
        made: &mut Vec<(TableId, RowName)>,
    ) -> Result<Row, Stop> {
        let schema = self.schema;
        let table = &schema.tables[new_row.table];
        self.rehearse_table(new_row.table)?;
        if identity_columns(table).is_empty() || !matches!(table.kind, crate::model::catalog::TableKind::Table) {
            return Stop::undecided(format!("rows of {} cannot be identified by a key", table.name));
        }
        let defaults = self.defaults(new_row.table)?;
        for &column in key_columns.iter().chain(&table.naming_key()) {
            let about = &table.columns[column];
            let given = new_row.values.get(&about.name).is_some() || about.generated;
            let has_default = defaults.iter().any(|(name, _)| *name == about.name) && !key_columns.contains(&column);
            let refers = schema
                .relations
                .iter()
                .any(|relation| relation.child == new_row.table && relation.child_columns.contains(&column));
            if given || has_default || (refers && !key_columns.contains(&column)) {
                continue;
            }
            match self.fresh_key(new_row.table, about, new_row.seed)? {
                Some(value) => new_row.values.push(&about.name, value),
                None => return Stop::undecided(format!("{}.{} needs a value", table.name, about.name)),
            }
        }
        self.fill_references(&mut new_row, &defaults, depth, made)?;
        for (position, column) in table.columns.iter().enumerate() {
            let given =
                new_row.values.get(&column.name).is_some() || defaults.iter().any(|(name, _)| *name == column.name);
            if column.not_null && !given && !column.generated {
                let is_unique = table
                    .indexes
                    .iter()
                    .any(|index| index.unique && index.columns.iter().any(|part| part.column == Some(position)));
                new_row.values.push(&column.name, neutral(column, new_row.seed, is_unique));
            }
        }
        self.rehearse_parent(new_row, made)
    }

    /// Inserts the row into the rehearsal, and plans it as it is stored there.
    fn rehearse_parent(&mut self, new_row: NewRow<'_>, made: &mut Vec<(TableId, RowName)>) -> Result<Row, Stop> {
        let table = &self.schema.tables[new_row.table];
        let mut row = RowName::new();
        for name in identity_columns(table) {
            let value = match new_row.values.get(name) {
                Some(value) => value.clone(),
                None => Value::Integer(self.next_integer(new_row.table, name)?),
            };
            row.push(name, value);
        }
        let (rehearsal, sql) = self.rehearsal_of(new_row.table)?;
        if let Attempt::Refused(refusal) = rehearsal.attempt(&sql.insert(table, &row, &new_row.values))? {
            return Stop::undecided(refusal.message);
        }
        let Some(Stored::Row(Image { columns: image, .. })) = stored_rows::read(rehearsal, sql, table, &[&row])?.pop()
        else {
            return Stop::undecided(format!("the rehearsal does not store the row of {} under its key", table.name));
        };
        let as_stored = |(column, value): (&str, &Value)| match image.get(column) {
            Some(stored) => (column.to_owned(), stored.clone()),
            None => (column.to_owned(), value.clone()),
        };
        let row: RowName = row.iter().map(as_stored).collect();
        if self.draft.get(&table.name, &row)?.is_some() {
            let (rehearsal, sql) = self.rehearsal_of(new_row.table)?;
            let _ = rehearsal.attempt(&sql.delete(table, &row))?;
            return Stop::undecided(format!(
                "another change of this plan already concerns the row of {} with this key",
                table.name
            ));
        }
        made.push((new_row.table, row.clone()));
        if let Some(why) = self.collision(new_row.table, &image)? {
            return Stop::undecided(why);
        }
        if let Some(why) = self.missing_parent(new_row.table, &image)? {
            return Stop::undecided(why);
        }
        self.require_parents(new_row.table, &image)?;
        let created = self.new_parents.created.entry(new_row.table).or_default();
        created.largest_number = created.largest_number.max(largest(&row));
        let mut change = Change::new(table.name.clone(), row, None, Some(image.clone()));
        change.reasons.push(new_row.reason);
        self.put(&change)?;
        Ok(image)
    }

    fn withdraw(&mut self, table: TableId, row: &RowName) -> Result<(), TreatError> {
        let about = &self.schema.tables[table];
        let (rehearsal, sql) = self.rehearsal_of(table)?;
        let _ = rehearsal.attempt(&sql.delete(about, row))?;
        // A planned update or delete of this row belongs to a row that existed before.
        let is_made = self.draft.get(&about.name, row)?.is_some_and(|planned| planned.before.is_none());
        let was_planned = is_made && self.draft.take_away(&about.name, row)?.is_some();
        if let Some(created) = self.new_parents.created.get_mut(&table) {
            created.is_stale |= was_planned && largest(row) == created.largest_number;
        }
        Ok(())
    }

    /// Records that a quarantined row comes back.
    pub(super) fn record_restored(&mut self, table: TableId, row: &RowName) {
        let created = self.new_parents.created.entry(table).or_default();
        created.largest_number = created.largest_number.max(largest(row));
    }

    /// Gives each reference of a new row its parent. A reference with a value keeps it. Another reference stays NULL if it may,
    /// and otherwise refers to the sentinel.
    fn fill_references(
        &mut self,
        new_row: &mut NewRow<'_>,
        defaults: &[(String, String)],
        depth: usize,
        made: &mut Vec<(TableId, RowName)>,
    ) -> Result<(), Stop> {
        let schema = self.schema;
        let table = &schema.tables[new_row.table];
        for relation in
            schema.relations.iter().filter(|relation| relation.child == new_row.table && is_judged(relation))
        {
            let needed: Vec<&Column> = schema
                .child_columns(relation)
                .filter(|column| column.not_null && new_row.values.get(&column.name).is_none())
                .filter(|column| !defaults.iter().any(|(name, _)| *name == column.name))
                .collect();
            if needed.is_empty() {
                continue;
            }
            if needed.len() < relation.child_columns.len() {
                return Stop::undecided(format!("only some columns of {} have a value", relation.id));
            }
            let Some(parent) = relation.parent.table else {
                return Stop::undecided(format!("its own parent table {} is missing", relation.parent.name));
            };
            let key = match self.required_parent(new_row, relation, parent, depth, made) {
                Err(Stop::Undecided(why)) => {
                    return Stop::undecided(format!("its own parent in {}: {why}", relation.parent.name));
                }
                key => key?,
            };
            for (&column, value) in relation.child_columns.iter().zip(key) {
                new_row.values.push(&table.columns[column].name, value);
            }
        }
        Ok(())
    }

    /// Returns the key of the parent that a new row must refer to. This is the sentinel, or a parent of its own if a unique
    /// index forbids to share the sentinel.
    fn required_parent(
        &mut self,
        new_row: &NewRow<'_>,
        relation: &Relation,
        parent: TableId,
        depth: usize,
        made: &mut Vec<(TableId, RowName)>,
    ) -> Result<Key, Stop> {
        let columns = &relation.parent.columns;
        let names: Vec<String> =
            columns.iter().map(|&column| self.schema.tables[parent].columns[column].name.clone()).collect();
        if parent == new_row.table {
            let own = new_row.values.key(names.iter().map(|name| name.as_ref()));
            return own.map_or_else(|| Stop::undecided("it would have to refer to itself, and has no key yet"), Ok);
        }
        let child = &self.schema.tables[new_row.table];
        let is_unique = child.indexes.iter().any(|index| {
            index.unique
                && index
                    .columns
                    .iter()
                    .all(|part| part.column.is_some_and(|column| relation.child_columns.contains(&column)))
        });
        if depth > self.schema.tables.len() {
            return Stop::undecided("its required parents form a chain without end".to_owned());
        }
        let [column] = columns[..] else {
            return Stop::undecided("its key has several columns: give them in `values`".to_owned());
        };
        if let Some(key) = self.new_parents.sentinels.get(&parent).filter(|_| !is_unique) {
            if self.new_parents.unfinished.contains(&parent) && !self.sql.can_insert_cycles() && !relation.deferrable {
                let child = &child.name;
                return Stop::undecided(format!(
                    "rows of {child} and {} require each other, so neither can be created first",
                    relation.parent.name
                ));
            }
            return Ok(vec![key.clone()]);
        }
        let about = &self.schema.tables[parent].columns[column];
        let seed = if is_unique { new_row.seed.clone() } else { vec![Value::text("unknown")] };
        let Some(key) = self.fresh_key(parent, about, &seed)? else {
            return Stop::undecided(format!("{} needs a value", about.name));
        };
        if !is_unique {
            // The sentinel is registered before it is created, so that a cycle of required parents ends here.
            self.new_parents.sentinels.insert(parent, key.clone());
            self.new_parents.unfinished.insert(parent);
        }
        let values = Row::from(vec![(about.name.as_str(), key.clone())]);
        let sentinel = NewRow { table: parent, values, seed: &seed, reason: new_row.reason.clone() };
        let image = self.make(sentinel, columns, depth + 1, made);
        if !is_unique {
            self.new_parents.unfinished.remove(&parent);
        }
        let image = image?;
        Ok(names.iter().filter_map(|name| image.get(name).cloned()).collect())
    }

    /// Returns a key that no row has and that no row refers to.
    fn fresh_key(&mut self, table: TableId, column: &Column, seed: &Key) -> Result<Option<Value>, TreatError> {
        Ok(match column.family {
            Family::Integer | Family::Numeric | Family::Real => {
                Some(Value::Integer(self.next_integer(table, &column.name)?))
            }
            Family::Text | Family::Untyped => Some(Value::text(format!("placeholder-{}", plain(seed)))),
        })
    }

    /// Returns the next integer. It is larger than every value of the column, every reference to the column, and the table's
    /// counter.
    fn next_integer(&mut self, table: TableId, column: &str) -> Result<i64, TreatError> {
        let key = (table, column.to_owned());
        if !self.new_parents.next.contains_key(&key) {
            let about = &self.schema.tables[table];
            let mut queries = vec![self.sql.largest_value(about, column)];
            queries.extend(self.sql.last_sequence_value(about, column));
            for relation in self.schema.relations.iter().filter(|relation| relation.parent.table == Some(table)) {
                let pairs = self.schema.parent_columns(relation).zip(self.schema.child_column_names(relation));
                for (_, name) in pairs.filter(|(ours, _)| ours.name == column) {
                    queries.push(self.sql.largest_value(self.schema.child(relation), name));
                }
            }
            let mut largest = 0;
            for query in queries {
                self.lookups.each_row(&query, &mut |row| {
                    largest = largest.max(row.first().and_then(Value::as_integer).unwrap_or(0));
                })?;
            }
            if let Some((_, counted)) = self.counter(table)? {
                largest = largest.max(counted);
            }
            self.new_parents.next.insert(key.clone(), largest);
        }
        let last = self.new_parents.next.entry(key).or_insert(0);
        *last = last.saturating_add(1);
        Ok(*last)
    }

    /// Returns the next number for a record table, which may not exist yet.
    pub(super) fn next_record(&mut self, known: Option<TableId>, name: &str) -> Result<i64, TreatError> {
        if let Some(table) = known {
            return self.next_integer(table, "id");
        }
        let last = self.new_parents.records.entry(name.to_owned()).or_insert(0);
        *last += 1;
        Ok(*last)
    }

    /// Returns the table in which the engine counts keys, if the database has it.
    fn counters(&self) -> Option<(&'static CounterTable, TableId)> {
        let names = self.schema.database.engine.facts().counters.as_ref()?;
        Some((names, self.schema.table(names.table)?))
    }

    /// Returns the table's counter: the address of its row, and its value, for example `(3, 41)`.
    fn counter(&mut self, table: TableId) -> Result<Option<(i64, i64)>, TreatError> {
        let mut found = None;
        if self.counters().is_none() {
            return Ok(None);
        }
        if let Some(query) = self.sql.counter_row(&self.schema.tables[table]) {
            self.lookups.each_row(&query, &mut |row| {
                if let [address, _, value] = row {
                    found = address.as_integer().zip(value.as_integer());
                }
            })?;
        }
        Ok(found)
    }

    /// Plans the new values of the counters of tables with new rows, so that undo can restore them.
    pub(super) fn plan_counters(&mut self) -> Result<(), TreatError> {
        let Some((names, counters)) = self.counters() else { return Ok(()) };
        let tables: Vec<TableId> = self.new_parents.created.keys().copied().collect();
        for table in tables {
            let about = &self.schema.tables[table];
            let Some(query) = self.sql.counter_row(about) else { continue };
            // A table of the rehearsal has a counter only if the engine counts its keys. The counter's value cannot be used,
            // because it also counts rows that are not planned.
            let mut has_counter = false;
            if self.rehearsal.session.each_row(&query, &mut |_| has_counter = true).is_err() || !has_counter {
                continue;
            }
            let Some(reached) = self.largest_number(table)? else { continue };
            let before = self.counter(table)?;
            if before.is_some_and(|(_, counted)| counted >= reached) {
                continue;
            }
            let image = |value: i64| {
                let name = (names.name, Value::text(&about.name.table));
                Row::from(vec![name, (names.value, Value::Integer(value))])
            };
            let address = match before {
                Some((address, _)) => address,
                None => self.next_integer(counters, names.address)?,
            };
            let row = RowName::from(vec![(names.address, Value::Integer(address))]);
            let before = before.map(|(_, counted)| image(counted));
            let mut change = Change::new(self.schema.tables[counters].name.clone(), row, before, Some(image(reached)));
            change.reasons.push(ChangeReason {
                role: ChangeRole::Counter,
                relation: String::new(),
                rule: String::new(),
                treatment: TreatmentKind::Placeholder.name().to_owned(),
            });
            self.put(&change)?;
        }
        Ok(())
    }

    /// Returns the largest number in the names of the rows that the plan creates in a table.
    fn largest_number(&self, table: TableId) -> Result<Option<i64>, TreatError> {
        let Some(created) = self.new_parents.created.get(&table) else { return Ok(None) };
        if !created.is_stale {
            return Ok(created.largest_number);
        }
        let name = &self.schema.tables[table].name;
        let mut reached = None;
        self.draft.each(|change| {
            if change.table == *name && matches!(change.role(), ChangeRole::Parent | ChangeRole::Restored) {
                reached = reached.max(largest(&change.row));
            }
            Ok::<(), rusqlite::Error>(())
        })?;
        Ok(reached)
    }

    /// Returns the columns of a table that have a DEFAULT, each with its text, for example `("state", "'new'")`.
    pub(super) fn defaults(&mut self, table: TableId) -> Result<Vec<(String, String)>, TreatError> {
        if let Some(known) = self.new_parents.defaults.get(&table) {
            return Ok(known.clone());
        }
        let mut defaults = Vec::new();
        self.lookups.each_row(&self.sql.column_defaults(&self.schema.tables[table]), &mut |row| {
            if let [name, text] = row
                && let (Some(name), Some(text)) = (name.as_text(), text.as_text())
                && !text.eq_ignore_ascii_case("null")
            {
                defaults.push((name.to_owned(), text.to_owned()));
            }
        })?;
        self.new_parents.defaults.insert(table, defaults.clone());
        Ok(defaults)
    }
}

impl Case<'_> {
    pub(super) fn reason(&self, role: ChangeRole, treatment: &str) -> ChangeReason {
        self.cause().reason(role, treatment)
    }

    /// Counts all changes of a treatment, with the first few as examples.
    pub(super) fn show_all(&mut self, treatment: &str, changes: u64, samples: Vec<ChangeSample<Value>>) {
        let share = self.forecast.share(treatment);
        share.changes += changes;
        let free = super::SAMPLES.saturating_sub(share.samples.len());
        share.samples.extend(samples.into_iter().take(free));
    }

    /// Counts a change of a treatment, and keeps the first few as examples.
    pub(super) fn show(&mut self, treatment: &str, sample: impl FnOnce() -> ChangeSample<Value>) {
        let share = self.forecast.share(treatment);
        share.changes += 1;
        if share.samples.len() < super::SAMPLES {
            share.samples.push(sample());
        }
    }
}

/// Returns the largest number in a row's name.
fn largest(row: &RowName) -> Option<i64> {
    row.values().iter().filter_map(Value::as_integer).max()
}

/// True if an engine compares the relation's keys, for all rows of the child.
pub(super) fn is_judged(relation: &Relation) -> bool {
    !matches!(relation.judge, Judge::Incomparable(_)) && relation.scope.is_everything()
}

/// A neutral value for a NOT NULL column.
pub(super) enum Neutral {
    Plain(Value),
    /// A text that contains the key.
    Derived,
    /// The key itself, if it is a number.
    Key,
}

pub(super) fn neutral_kind(column: &Column, is_unique: bool) -> Neutral {
    let kind = column.declared_type.to_ascii_uppercase();
    match column.family {
        Family::Integer | Family::Real if is_unique => Neutral::Key,
        Family::Integer => Neutral::Plain(Value::Integer(0)),
        Family::Real => Neutral::Plain(Value::Real(0.0)),
        _ if is_unique => Neutral::Derived,
        _ if kind.contains("JSON") => Neutral::Plain(Value::text("{}")),
        Family::Numeric if kind.contains("TIME") => Neutral::Plain(Value::text("1970-01-01 00:00:00")),
        Family::Numeric if kind.contains("DATE") => Neutral::Plain(Value::text("1970-01-01")),
        Family::Numeric => Neutral::Plain(Value::Integer(0)),
        // The earliest time that such a column can hold.
        Family::Untyped if kind.contains("TIMESTAMP") && !kind.contains("ZONE") => {
            Neutral::Plain(Value::text("1970-01-01 00:00:01"))
        }
        Family::Untyped if kind.contains("TIMESTAMP") || kind.starts_with("DATE") => {
            Neutral::Plain(Value::text("1970-01-01"))
        }
        Family::Untyped if kind.starts_with("BIT(") => Neutral::Plain(Value::Integer(0)),
        Family::Untyped if kind == "BOOLEAN" => Neutral::Plain(Value::text("false")),
        Family::Text | Family::Untyped => Neutral::Derived,
    }
}

fn neutral(column: &Column, seed: &Key, is_unique: bool) -> Value {
    match (neutral_kind(column, is_unique), seed.first()) {
        (Neutral::Plain(value), _) => value,
        (Neutral::Key, Some(Value::Integer(number))) => Value::Integer(*number),
        _ => Value::text(format!("placeholder-{}", plain(seed))),
    }
}

/// Returns a key as a part of a text.
fn plain(key: &Key) -> String {
    let part = |value: &Value| match value.as_text() {
        Some(text) => text.to_owned(),
        None => text::value(value),
    };
    key.iter().map(part).collect::<Vec<_>>().join("-")
}
