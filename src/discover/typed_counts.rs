//! Counts polymorphic references: for each value of a type column, the keys of the identifier beside it are compared with the
//! declared keys of all tables.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::DiscoverOptions;
use super::column_batch::ColumnBatch;
use super::column_keys::ColumnKeys;
use super::counts;
use super::details;
use super::dropped::SearchOf;
use super::form::Fold;
use super::forms::Forms;
use super::names::Names;
use super::pairs::ColumnPair;
use super::pairs::Outcome;
use super::polymorphic::TypedReference;
use super::polymorphic::typed_references;
use super::polymorphic::value_names_table;
use super::profile;
use super::profile::ProfiledColumn;
use super::profile::Profiles;
use super::read;
use super::value_key::ValueKey;
use crate::engine::EngineError;
use crate::engine::RowConsumer;
use crate::engine::RowReader;
use crate::engine::RowsReading;
use crate::engine::Session;
use crate::model::discovery::FoundKey;
use crate::model::discovery::KeyKind;
use crate::model::discovery::Pair;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::model::value::ValueRef;
use crate::model::value::exact_bytes;
use crate::sql::discover;
use crate::sql::discover::Cell;

/// A column with more different values says no type.
const MOST_TYPES: u64 = 200;

/// Rows that a reader collects before it takes the lock.
const BATCH_ROWS: usize = 4096;

/// The type column and the identifier of a reference.
struct Reference<'a> {
    of: TypedReference,
    types: &'a ProfiledColumn,
    ids: &'a ProfiledColumn,
}

/// The rows with one value in the type column.
struct OneType {
    value: Value,
    rows: u64,
    ids: ColumnKeys,
}

/// Returns the pairs within the tolerance, each with the condition that selects its rows.
pub(super) fn pairs(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &mut Profiles,
    search_of: &SearchOf<'_>,
    keys: &[FoundKey],
    options: &DiscoverOptions<'_>,
) -> Result<Vec<Pair>, EngineError> {
    let references = references(schema, profiles);
    if references.is_empty() {
        return Ok(Vec::new());
    }
    let types = read(schema, session, profiles, &references, options.threads)?;
    let mut added: Vec<(usize, Value)> = Vec::new();
    let mut columns: Vec<ProfiledColumn> = Vec::new();
    let names = Names::of(&schema.tables);
    let names_table = |one: &OneType| {
        let value = one.value.as_text().unwrap_or_default();
        names.tables.entries().any(|(table, _)| value_names_table(&names, value, table) > 0.0)
    };
    // Other columns end in such a word too, such as the model of a car. None of their values is the name of a table.
    for (reference, types) in references.iter().zip(types).filter(|(_, types)| types.iter().any(names_table)) {
        for one in types {
            added.push((reference.of.type_column, one.value));
            columns.push(profile::profiled(
                reference.of.table,
                one.rows,
                reference.of.id_column,
                &reference.ids.plan,
                one.ids,
            ));
        }
    }
    let parents = declared_parents(profiles, keys);
    let known = profiles.columns.len();
    profiles.columns.append(&mut columns);
    let mut found: Vec<(ColumnPair, Outcome)> = Vec::new();
    search_of(&profiles.columns, &mut |search| {
        for child in (known..search.columns.len()).filter(|&child| search.columns[child].has_keys()) {
            let pairs = parents.iter().map(|&parent| ColumnPair { child, parent });
            found.extend(pairs.filter_map(|pair| Some((pair, search.outcome(pair)?))));
        }
    });
    let condition = |pair: ColumnPair| vec![added[pair.child - known].clone()];
    let mut counted = Vec::new();
    for (pair, outcome) in found {
        let counts = counts(schema, session, profiles, (pair, outcome), &condition(pair), options, false)?;
        counted.extend(counts.map(|counts| (pair, counts)));
    }
    let details = details::pairs(schema, session, profiles, keys, &counted, &BTreeMap::new(), options)?;
    let mut pairs: Vec<Pair> =
        details.into_iter().map(|(columns, pair)| Pair { condition: condition(columns), ..pair }).collect();
    profiles.columns.truncate(known);
    let order = |pair: &Pair| exact_bytes(pair.condition.iter().map(|(_, value)| value));
    pairs.sort_by(|left, right| {
        (&left.child, order(left), &left.parent).cmp(&(&right.child, order(right), &right.parent))
    });
    Ok(pairs)
}

fn references<'a>(schema: &Schema, profiles: &'a Profiles) -> Vec<Reference<'a>> {
    let columns = &profiles.columns;
    let positions: HashMap<_, usize> =
        columns.iter().enumerate().map(|(index, column)| ((column.table, column.column), index)).collect();
    let reference = |of: TypedReference| {
        let column = |column: usize| positions.get(&(of.table, column)).map(|&index| &columns[index]);
        let (types, ids) = (column(of.type_column)?, column(of.id_column)?);
        let has_types = types.has_keys()
            && types.keys.stats.classes.texts > 0
            && types.plan.own.fold != Fold::Engine
            && types.distinct.is_some_and(|distinct| distinct <= MOST_TYPES);
        // The key of a row is no reference. Keys that do not fit into the memory are named elsewhere.
        let may_refer = ids.has_keys() && !ids.is_unique && !ids.keys.is_dropped;
        (has_types && may_refer).then_some(Reference { of, types, ids })
    };
    typed_references(schema).into_iter().filter_map(reference).collect()
}

/// Returns the columns that are declared keys by themselves; without any such key, all that are unique.
fn declared_parents(profiles: &Profiles, keys: &[FoundKey]) -> Vec<usize> {
    let single = |key: &&FoundKey| key.columns.columns.len() == 1 && key.kind != KeyKind::Data;
    let declared: Vec<&FoundKey> = keys.iter().filter(single).collect();
    let is_parent = |column: &ProfiledColumn| {
        let is_declared =
            |key: &&FoundKey| (key.columns.table, key.columns.columns[0]) == (column.table, column.column);
        column.may_be_parent() && !column.keys.is_dropped && (declared.is_empty() || declared.iter().any(is_declared))
    };
    (0..profiles.columns.len()).filter(|&index| is_parent(&profiles.columns[index])).collect()
}

/// Reads the rows of each reference, by the value of its type column. The values are in the order of their bytes.
fn read(
    schema: &Schema,
    session: &mut dyn Session,
    profiles: &Profiles,
    references: &[Reference<'_>],
    threads: usize,
) -> Result<Vec<Vec<OneType>>, EngineError> {
    let reading = |reference: &Reference<'_>| RowsReading {
        table: &schema.tables[reference.of.table],
        cells: reference.cells(&profiles.forms),
    };
    let readings: Vec<RowsReading<'_>> = references.iter().map(reading).collect();
    let mut pass = TypedPass { references, profiles, found: references.iter().map(|_| Mutex::default()).collect() };
    let was_read = read::was_read(session.read_stored_rows(&readings, threads, &pass)?)?;
    for (index, reading) in readings.iter().enumerate().filter(|(index, _)| !was_read[*index]) {
        pass.found[index] = Mutex::default();
        let mut reader = pass.reader(index);
        session.each_row(&discover::rows(schema, reading.table, &reading.cells), &mut |row: &[Value]| {
            let values: Vec<ValueRef<'_>> = row.iter().map(Value::borrowed).collect();
            reader.row(&values);
        })?;
        reader.finish();
    }
    let types = pass.found.into_iter().map(|found| {
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut types: Vec<OneType> = found.into_values().collect();
        types.sort_by_cached_key(|one| exact_bytes([&one.value]));
        types
    });
    Ok(types.collect())
}

struct TypedPass<'a> {
    references: &'a [Reference<'a>],
    profiles: &'a Profiles,
    found: Vec<Mutex<HashMap<ValueKey, OneType>>>,
}

impl Reference<'_> {
    /// Returns the type's value and its comparison key, if it has one, and then the cells of the identifier.
    fn cells<'f>(&self, forms: &'f Forms) -> Vec<Cell<'f>> {
        let own = self.types.plan.own;
        let key = forms.key_cell(self.of.type_column, own, own);
        let ids = forms.cells(self.of.id_column, &self.ids.plan);
        [Cell::value(self.of.type_column)].into_iter().chain(key).chain(ids).collect()
    }
}

impl RowConsumer for TypedPass<'_> {
    fn reader(&self, reading: usize) -> Box<dyn RowReader + '_> {
        Box::new(TypedReader { pass: self, reading, types: HashMap::new(), rows: 0, scratch: Vec::new() })
    }
}

struct TypedReader<'a> {
    pass: &'a TypedPass<'a>,
    reading: usize,
    types: HashMap<ValueKey, (Value, u64, ColumnBatch)>,
    rows: usize,
    scratch: Vec<u8>,
}

impl TypedReader<'_> {
    fn flush(&mut self) {
        let plan = &self.pass.references[self.reading].ids.plan;
        let mut found = self.pass.found[self.reading].lock().unwrap_or_else(PoisonError::into_inner);
        for (key, (value, rows, mut batch)) in self.types.drain() {
            let empty = || OneType { value: value.clone(), rows: 0, ids: ColumnKeys::new(plan) };
            let all = found.entry(key).or_insert_with(empty);
            // Of several values with one key, the least stands for all.
            if exact_bytes([&value]) < exact_bytes([&all.value]) {
                all.value = value;
            }
            all.rows += rows;
            all.ids.add(&mut batch);
        }
        self.rows = 0;
    }
}

impl RowReader for TypedReader<'_> {
    fn row(&mut self, values: &[ValueRef<'_>]) {
        let reference = &self.pass.references[self.reading];
        let own = reference.types.plan.own;
        let [value, rest @ ..] = values else { return };
        let (collated, rest) = match rest {
            [key, rest @ ..] if own.has_other_keys_in(own) => (Some(*key), rest),
            rest => (None, rest),
        };
        let [id, keys @ ..] = rest else { return };
        let hasher = &self.pass.profiles.hasher;
        if *value != ValueRef::Null {
            let key = own.key(*value, collated, hasher, &mut self.scratch).0;
            let plan = &reference.ids.plan;
            let (least, rows, batch) =
                self.types.entry(key).or_insert_with(|| (value.to_value(), 0, ColumnBatch::new(plan, false)));
            if least.borrowed() != *value && exact_bytes([&value.to_value()]) < exact_bytes([&*least]) {
                *least = value.to_value();
            }
            *rows += 1;
            batch.push(*id, keys, plan, hasher, &mut self.scratch);
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS {
            self.flush();
        }
    }

    fn finish(mut self: Box<Self>) {
        self.flush();
    }
}
