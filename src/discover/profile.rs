//! Profiles of all columns: the facts about each, and its keys.

use std::collections::HashSet;

use super::DiscoverOptions;
use super::column_keys::ColumnKeys;
use super::column_keys::FormPlan;
use super::form::Fold;
use super::form::Form;
use super::forms::Forms;
use super::key_counts::KeyCounts;
use super::keys;
use super::keys::declared;
use super::read;
use super::read::PassLimits;
use super::read::TableReading;
use super::read::WantedColumn;
use super::value_key::KeyHasher;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::discovery::ColumnList;
use crate::model::discovery::ColumnProfile;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Omission;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::schema::side;

/// A column that was read.
pub struct ProfiledColumn {
    pub table: TableId,
    pub column: usize,
    /// The rows of the table.
    pub rows: u64,
    pub plan: FormPlan,
    pub keys: ColumnKeys,
    /// The number of distinct values; `None` as long as the keys were dropped, or if the column was excluded early.
    pub distinct: Option<u64>,
    pub is_unique: bool,
    /// The least and the greatest integer, once the values are counted.
    pub integers: Option<(i64, i64)>,
    /// True for a part of a declared key of several columns.
    pub is_part: bool,
    /// True if the table declares no key, so that any columns together can be one.
    pub is_keyless: bool,
    /// True if a proof excluded the column as child and parent before all of its values were counted.
    pub is_excluded: bool,
}

impl ProfiledColumn {
    /// Returns the rows with a value.
    pub fn filled_rows(&self) -> u64 {
        self.rows - self.keys.stats.nulls
    }

    /// True if the column can be a child or a parent at all. Large binary values are neither.
    pub fn has_keys(&self) -> bool {
        self.filled_rows() > 0 && self.keys.stats.classes.blobs == 0 && !self.is_excluded
    }

    /// True unless a repeated key has shown that the column is no parent.
    pub fn may_be_parent(&self) -> bool {
        self.has_keys()
            && match self.keys.is_dropped {
                _ if self.plan.own.fold == Fold::Engine => self.is_unique,
                true => !self.keys.was_repeated,
                false => !self.keys.own().has_repetition(),
            }
    }

    /// Returns the form in which this column, as a parent, compares with a child; `None` if their values are never equal.
    pub fn form_against(&self, child: &ProfiledColumn) -> Option<Form> {
        self.plan.own.against(child.plan.own)
    }

    /// Returns the keys in the form of a pair of columns.
    pub fn keys_in(&self, form: Form) -> &KeyCounts {
        self.keys.in_form(form, &self.plan)
    }

    /// True if the column looks like the key of a table without a declared key, though a few rows repeat one.
    pub fn is_repeated_key(&self) -> bool {
        let keys = self.keys.own();
        let repeated = keys.rows().saturating_sub(keys.distinct());
        let is_counted =
            self.is_keyless && self.has_keys() && !self.keys.is_dropped && self.plan.own.fold != Fold::Engine;
        is_counted && repeated > 0 && keys.distinct() >= LEAST_REPEATED_KEYS && repeated <= (keys.rows() / 100).max(1)
    }

    /// True if some value may equal an integer.
    pub fn may_have_integers(&self) -> bool {
        let classes = &self.keys.stats.classes;
        classes.integers + classes.integer_texts + classes.decimal_texts > 0
    }

    /// True if some value may equal a number that is no integer.
    pub fn may_have_fractions(&self) -> bool {
        let classes = &self.keys.stats.classes;
        classes.fractions + classes.decimal_texts + self.keys.stats.reals > 0
    }

    /// True if some value may equal a text that is no number.
    pub fn may_have_texts(&self) -> bool {
        self.keys.stats.classes.texts > 0
    }

    pub fn profile(&self, table: &Table) -> ColumnProfile {
        let stats = &self.keys.stats;
        ColumnProfile {
            table: self.table,
            column: self.column,
            rows: self.rows,
            nulls: stats.nulls,
            distinct: self.distinct,
            is_unique: self.is_unique,
            classes: stats.classes,
            integers: self.integers,
            text_bytes: stats.text_bytes,
            leads_index: table.indexes.iter().any(|index| {
                !index.unique
                    && !index.partial
                    && index.columns.first().is_some_and(|part| part.column == Some(self.column))
            }),
        }
    }
}

/// The columns of all tables, in their order.
pub struct Profiles {
    pub hasher: KeyHasher,
    pub forms: Forms,
    pub columns: Vec<ProfiledColumn>,
    pub not_observed: Vec<NotObserved>,
}

/// With fewer keys, a repeated one says that the column is no key.
const LEAST_REPEATED_KEYS: u64 = 20;

/// A column with so many distinct texts and a repeated one is counted later, when all parents are known.
const REPEATED_HASHES: u64 = 50_000;

/// Reads the columns of all wanted tables.
pub fn profile(
    schema: &Schema,
    session: &mut dyn Session,
    hasher: KeyHasher,
    options: &DiscoverOptions<'_>,
) -> Result<Profiles, EngineError> {
    let is_read = |(id, _): &(TableId, &Table)| (options.is_wanted)(*id);
    let mut not_observed: Vec<NotObserved> =
        observed_tables(schema).filter(is_read).filter_map(|(_, table)| unreadable(table)).collect();
    let forms = Forms::of(schema);
    let readings: Vec<TableReading> = observed_tables(schema)
        .filter(is_read)
        .filter(|(_, table)| table.unreadable.is_none())
        .map(|(id, table)| TableReading { table: id, columns: wanted_columns(id, table, &forms, &mut not_observed) })
        .filter(|reading| !reading.columns.is_empty())
        .collect();
    let (memory, threads, progress) = (options.memory, options.threads, options.progress);
    let limits = PassLimits { memory, repeated_hashes: REPEATED_HASHES, threads, progress };
    let tables = read::read(schema, session, &readings, &forms, &hasher, &limits)?;
    let mut columns = Vec::new();
    for (reading, keys) in readings.into_iter().zip(tables) {
        let table = &schema.tables[reading.table];
        match keys {
            Ok(keys) => {
                let read = reading.columns.into_iter().zip(keys.columns);
                let declared = declared(reading.table, table);
                let is_keyless = declared.is_empty();
                let parts: HashSet<usize> = declared
                    .into_iter()
                    .filter(|(list, _)| list.columns.len() > 1)
                    .flat_map(|(list, _)| list.columns)
                    .collect();
                columns.extend(read.map(|(wanted, column)| {
                    let is_part = parts.contains(&wanted.column);
                    ProfiledColumn {
                        is_part,
                        is_keyless,
                        ..profiled(reading.table, keys.rows, wanted.column, &wanted.plan, column)
                    }
                }));
            }
            Err(error) => not_observed.push(NotObserved {
                subject: table.name.to_string(),
                reason: error.because(),
                number: 1,
                omission: Omission::NotRead,
            }),
        }
    }
    ask_engine(schema, session, &mut columns)?;
    Ok(Profiles { hasher, forms, columns, not_observed })
}

/// Returns a column with the keys that were read.
pub fn profiled(table: TableId, rows: u64, column: usize, plan: &FormPlan, keys: ColumnKeys) -> ProfiledColumn {
    let is_counted = !keys.is_dropped;
    let distinct = is_counted.then(|| keys.own().distinct());
    let is_unique = is_counted && keys.own().rows() > 0 && !keys.own().has_repetition();
    let integers = keys.own().integers().bounds();
    ProfiledColumn {
        table,
        column,
        rows,
        plan: plan.clone(),
        keys,
        distinct,
        is_unique,
        integers,
        is_part: false,
        is_keyless: false,
        is_excluded: false,
    }
}

/// Returns the reason why no row of a table can be read, if there is one.
fn unreadable(table: &Table) -> Option<NotObserved> {
    let reason = table.unreadable.clone()?;
    Some(NotObserved { subject: table.name.to_string(), reason, number: 1, omission: Omission::NotRead })
}

/// True if the table stores rows that a discovery reads.
/// Returns the tables whose rows are observed. Those of the engine itself and the record of plans refer to nothing.
pub fn observed_tables(schema: &Schema) -> impl Iterator<Item = (TableId, &Table)> {
    schema.user_tables().filter(|(_, table)| has_rows(table))
}

pub fn has_rows(table: &Table) -> bool {
    matches!(table.kind, TableKind::Table | TableKind::Partitioned)
}

fn wanted_columns(id: TableId, table: &Table, forms: &Forms, not_observed: &mut Vec<NotObserved>) -> Vec<WantedColumn> {
    let mut wanted = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        if let Some(own) = forms.form(id, index) {
            wanted.push(WantedColumn { column: index, plan: forms.plan(own), stop: None });
        }
        if forms.is_unknown(id, index) {
            let collation = column.collation.as_deref().unwrap_or_default();
            not_observed.push(NotObserved {
                subject: side(&table.name, [column.name.as_str()]),
                reason: format!("fk-doctor cannot compare texts under the collation {collation}"),
                number: 1,
                omission: Omission::NotCompared,
            });
        }
    }
    wanted
}

/// Asks the engine which columns are unique, if only the engine can compare their values.
fn ask_engine(schema: &Schema, session: &mut dyn Session, columns: &mut [ProfiledColumn]) -> Result<(), EngineError> {
    let is_asked = |column: &&mut ProfiledColumn| column.plan.own.fold == Fold::Engine && column.has_keys();
    for column in columns.iter_mut().filter(is_asked) {
        let counts = keys::counts(schema, session, &ColumnList::single(column.table, column.column))?;
        column.distinct = Some(counts.distinct);
        column.is_unique = counts.repeated_rows() == 0;
    }
    Ok(())
}

/// True if the own keys of a column under one form tell which keys are distinct under another.
pub fn keeps_distinctness(column: &ProfiledColumn, form: Form) -> bool {
    if form.counts_compared_keys() {
        return true;
    }
    let keys = column.keys.in_form(form, &column.plan);
    let is_finest = column.plan.own.fold == Fold::Bytes || column.plan.own.fold == form.fold;
    std::ptr::eq(keys, column.keys.own()) || (is_finest && keys.distinct() == column.keys.own().distinct())
}
