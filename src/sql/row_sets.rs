//! The statements that change the rows of a group one after the other, each prepared once. Each checks the conditions of its
//! group itself, so a row that does not meet them does not change.
//!
//! The values of a row take numbered slots. `fk_same` is a function that the writer registers: it compares stored values to the
//! bit.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::plan::identity_columns;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::row_group::BatchLine;
use crate::model::row_group::RowChangeKind;
use crate::model::row_group::RowGroup;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::phrases::key_parts;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::scan::Scan;
use crate::sql::scan::source;

/// The name of the function that compares stored values with images: `fk_same(a, b, x, y)` is true if `a` is stored exactly as
/// `x`, and `b` as `y`.
pub const SAME: &str = "fk_same";

/// The number of columns that one call of the function compares. SQLite limits the arguments of a function.
const COMPARED: usize = 50;

/// A statement for the rows of a group. Its parameters come from the lines.
#[derive(Debug, Clone, PartialEq)]
pub struct RowStatement {
    sql: Sql,
    slots: Vec<Slot>,
}

/// The source of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The value at this position of the name.
    Name(usize),
    /// The address under which a row is inserted.
    Address,
    /// The value at this position of the image before.
    Before(usize),
    /// The value at this position of [`BatchLine::after`].
    After(usize),
    /// A value that the statement has itself, such as a key that the configuration ignores.
    Fixed,
}

/// The value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SlotValue<'v> {
    Value(&'v Value),
    Address(i64),
}

impl RowStatement {
    pub fn text(&self) -> &str {
        self.sql.text()
    }

    /// Returns the parameters for a line, in order. Every slot of a group is a value of each of its lines.
    pub fn parameters<'v>(&'v self, line: &'v BatchLine<'_>) -> impl Iterator<Item = SlotValue<'v>> {
        let value = |(slot, fixed): (&Slot, &'v Value)| match slot {
            Slot::Name(index) => SlotValue::Value(&line.name[*index]),
            Slot::Address => SlotValue::Address(line.address.unwrap_or_default()),
            Slot::Before(index) => SlotValue::Value(&line.before[*index]),
            Slot::After(index) => SlotValue::Value(&line.after[*index]),
            Slot::Fixed => SlotValue::Value(fixed),
        };
        self.slots.iter().zip(self.sql.parameters()).map(value)
    }
}

/// Collects the slots of a statement beside its parameters.
struct Slots {
    query: Query,
    slots: Vec<(usize, Slot)>,
}

impl Slots {
    fn new() -> Slots {
        Slots { query: Sqlite.query(), slots: Vec::new() }
    }

    /// Returns the placeholder of a slot.
    fn mark(&mut self, slot: Slot) -> String {
        self.slots.push((self.query.count(), slot));
        self.query.parameter(Value::Null)
    }

    fn finish(self, text: String) -> RowStatement {
        let sql = self.query.finish(text);
        let mut slots = vec![Slot::Fixed; sql.parameters().len()];
        for (index, slot) in self.slots {
            slots[index] = slot;
        }
        RowStatement { sql, slots }
    }
}

/// Returns the statement that changes a row of a group if its conditions hold.
pub fn change(group: &RowGroup<'_>) -> RowStatement {
    let mut slots = Slots::new();
    match group.kind {
        RowChangeKind::Insert => insert(group, slots),
        RowChangeKind::Update => {
            let set: Vec<String> = group
                .set
                .iter()
                .map(|(name, position)| format!("{} = {}", Sqlite.quoted(name), slots.mark(Slot::After(*position))))
                .collect();
            let fits = stored_row_fits(&mut slots, group, true);
            let table = Sqlite.table_name(None, &group.table);
            slots.finish(format!("UPDATE OR ABORT {table} AS child SET {} WHERE {fits}", set.join(", ")))
        }
        RowChangeKind::Delete => {
            let fits = stored_row_fits(&mut slots, group, true);
            slots.finish(format!("DELETE FROM {} AS child WHERE {fits}", Sqlite.table_name(None, &group.table)))
        }
    }
}

/// Returns the query that has a row if a line fits. It leaves out that a changed row needs a parent.
pub fn fits(group: &RowGroup<'_>) -> RowStatement {
    let mut slots = Slots::new();
    if group.kind == RowChangeKind::Insert {
        let named = names_row(&mut slots, group, "named");
        let mut conditions = vec![format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE {named})",
            Sqlite.source(None, &group.table, "named", Reading::AnyIndex)
        )];
        conditions.extend(key_is_missing(&mut slots, group, &|relation| !group.is_named_by_key(relation)));
        return slots.finish(format!("SELECT 1 WHERE {}", conditions.join(" AND ")));
    }
    let fits = stored_row_fits(&mut slots, group, false);
    let child = Sqlite.source(None, &group.table, "child", Reading::AnyIndex);
    slots.finish(format!("SELECT 1 FROM {child} WHERE {fits}"))
}

/// Returns the INSERT of a row. Without conditions it has no query, which would cost time. The key of a declared relation needs no
/// condition, because the engine refuses a second parent with it.
fn insert(group: &RowGroup<'_>, mut slots: Slots) -> RowStatement {
    let address = group.address.iter().map(|name| (name, Slot::Address));
    let set = group.set.iter().map(|(name, position)| (name, Slot::After(*position)));
    let columns: Vec<(&String, Slot)> = address.chain(set).collect();
    let names: Vec<String> = columns.iter().map(|(name, _)| Sqlite.quoted(name)).collect();
    let values: Vec<String> = columns.into_iter().map(|(_, slot)| slots.mark(slot)).collect();
    let can_repeat = |relation: RelationId| {
        let relation = &group.schema.relations[relation];
        relation.origin != Origin::Declared || relation.parent.key.is_none()
    };
    let mut conditions: Vec<String> = key_is_missing(&mut slots, group, &can_repeat);
    conditions.extend(has_parents(&mut slots, group));
    let (table, names, values) = (Sqlite.table_name(None, &group.table), names.join(", "), values.join(", "));
    slots.finish(match conditions.as_slice() {
        [] => format!("INSERT OR ABORT INTO {table}({names}) VALUES ({values})"),
        conditions => {
            format!("INSERT OR ABORT INTO {table}({names}) SELECT {values} WHERE {}", conditions.join(" AND "))
        }
    })
}

/// The row of an alias has the name of the line.
fn names_row(slots: &mut Slots, group: &RowGroup<'_>, alias: &str) -> String {
    let equal = group.name.iter().enumerate().map(|(index, name)| {
        let mark = slots.mark(Slot::Name(index));
        Sqlite.equal(column(&group.table, name), &Sqlite.qualified(alias, name), &mark)
    });
    let equal: Vec<String> = equal.collect();
    Sqlite.all_conditions(equal)
}

/// The stored row has the name and the image of the line, and is an orphan. If `is_changed`, it also has the parents that it
/// needs after its change.
fn stored_row_fits(slots: &mut Slots, group: &RowGroup<'_>, is_changed: bool) -> String {
    let mut conditions = vec![names_row(slots, group, "child")];
    let columns: Vec<(usize, &String)> = group.before.iter().enumerate().collect();
    for columns in columns.chunks(COMPARED) {
        let stored: Vec<String> = columns.iter().map(|(_, name)| Sqlite.qualified("child", name)).collect();
        let images: Vec<String> = columns.iter().map(|(index, _)| slots.mark(Slot::Before(*index))).collect();
        conditions.push(format!("{SAME}({}, {})", stored.join(", "), images.join(", ")));
    }
    for &relation in &group.orphan_of {
        let relation = &group.schema.relations[relation];
        let parent = Sqlite.parent_query(group.schema, relation);
        conditions.push(Sqlite.is_orphan(&mut slots.query, group.schema, relation, parent.as_deref()));
    }
    if is_changed {
        conditions.extend(has_parents(slots, group));
    }
    conditions.join(" AND ")
}

/// No parent of some relations has the key of the new row.
fn key_is_missing(slots: &mut Slots, group: &RowGroup<'_>, is_wanted: &dyn Fn(RelationId) -> bool) -> Vec<String> {
    let mut conditions = Vec::new();
    for &relation in group.missing_in.iter().filter(|&&relation| is_wanted(relation)) {
        let about = &group.schema.relations[relation];
        let columns: Vec<&Column> = group.schema.parent_columns(about).collect();
        let equal: Vec<String> = columns
            .iter()
            .map(|column| {
                let new = new_value(slots, group, column);
                Sqlite.equal_to_listed(column, &Sqlite.qualified("parent", &column.name), &new)
            })
            .collect();
        let parent = source(&Sqlite, group.schema, &group.table, "parent", Reading::AnyIndex);
        conditions.push(format!("NOT EXISTS (SELECT 1 FROM {parent} WHERE {})", Sqlite.all_conditions(equal)));
    }
    conditions
}

/// The row has the parents that its new values need.
fn has_parents(slots: &mut Slots, group: &RowGroup<'_>) -> Vec<String> {
    group.needs_parent_in.iter().map(|&relation| has_parent(slots, group, relation)).collect()
}

fn has_parent(slots: &mut Slots, group: &RowGroup<'_>, relation: RelationId) -> String {
    let about: &Relation = &group.schema.relations[relation];
    let (mut is_null, mut refers) = (Vec::new(), Vec::new());
    for part in key_parts(group.schema, about) {
        is_null.push(format!("{} IS NULL", new_value(slots, group, part.child)));
        if let Some(parent) = part.parent {
            let new = new_value(slots, group, part.child);
            refers.push(Sqlite.refers(&part, &Sqlite.qualified("parent", &parent.name), &new));
        }
    }
    let refers_to_nothing = is_null.join(" OR ");
    match group.schema.parent(about) {
        None => format!("({refers_to_nothing})"),
        Some(parent) => {
            let parent = source(&Sqlite, group.schema, parent, "parent", Reading::AnyIndex);
            let refers = Sqlite.all_conditions(refers);
            format!("({refers_to_nothing} OR EXISTS (SELECT 1 FROM {parent} WHERE {refers}))")
        }
    }
}

/// Returns the value that a column has after the change.
fn new_value(slots: &mut Slots, group: &RowGroup<'_>, column: &Column) -> String {
    match group.set.iter().find(|(name, _)| *name == column.name) {
        Some((_, position)) => slots.mark(Slot::After(*position)),
        None => Sqlite.qualified("child", &column.name),
    }
}

/// Returns the query for some columns of all rows of a table.
pub fn stored_columns(table: &Table, columns: &[usize]) -> Sql {
    let shown: Vec<String> =
        columns.iter().map(|&column| Sqlite.qualified("stored", &table.columns[column].name)).collect();
    let from = Sqlite.source(None, table, "stored", Reading::WholeTable);
    plain(format!("SELECT {} FROM {from}", shown.join(", ")))
}

/// The columns of a child that identify a row, and those of its foreign key.
fn reference_columns(schema: &Schema, relation: &Relation) -> String {
    let child = schema.child(relation);
    let key = schema.child_columns(relation).filter(|column| !column.generated);
    let names = identity_columns(child).into_iter().chain(key.map(|column| column.name.as_str()));
    let shown: Vec<String> = names.map(|name| Sqlite.qualified("child", name)).collect();
    shown.join(", ")
}

/// Returns the query for the orphans of a relation. A row holds the columns that identify it, and its foreign key, such as (17, 5).
pub fn orphans(schema: &Schema, relation: &Relation) -> Sql {
    let mut query = Sqlite.query();
    let parent = Sqlite.parent_query(schema, relation);
    let orphan = Sqlite.is_orphan(&mut query, schema, relation, parent.as_deref());
    let child = source(&Sqlite, schema, schema.child(relation), "child", Reading::AnyIndex);
    query.finish(format!("SELECT {} FROM {child} WHERE {orphan}", reference_columns(schema, relation)))
}

/// Returns the query for the child rows that refer to a row of the group's table, which is the relation's parent. A row holds
/// the name of the parent, the columns that identify the child, and its foreign key, such as (5, 17, 5). For one parent, its name is a parameter.
/// Without it, the query reads the whole child.
pub fn references(group: &RowGroup<'_>, relation: &Relation, of_one_parent: bool) -> RowStatement {
    let mut slots = Slots::new();
    let child = group.schema.child(relation);
    let names = group.name.iter().map(|name| Sqlite.qualified("parent", name));
    let shown: Vec<String> = names.chain([reference_columns(group.schema, relation)]).collect();
    let refers: Vec<String> = key_parts(group.schema, relation)
        .filter_map(|part| {
            let (parent, child) = (Sqlite.qualified("parent", &part.parent?.name), Sqlite.child_value(&part));
            Some(match of_one_parent {
                true => crate::sql::repair::Repair::refers_to_known(&Sqlite, &part, &parent, &child),
                false => Sqlite.refers(&part, &parent, &child),
            })
        })
        .collect();
    let parent = source(&Sqlite, group.schema, &group.table, "parent", Reading::AnyIndex);
    let child = source(&Sqlite, group.schema, child, "child", Reading::AnyIndex);
    let (refers, in_scope) = (Sqlite.all_conditions(refers), Sqlite.in_scope(relation));
    let shown = shown.join(", ");
    if of_one_parent {
        let named = names_row(&mut slots, group, "parent");
        let text = format!("SELECT {shown} FROM {parent} CROSS JOIN {child} ON {refers} WHERE {named} AND {in_scope}");
        return slots.finish(text);
    }
    slots.finish(format!("SELECT {shown} FROM {child} CROSS JOIN {parent} ON {refers} WHERE {in_scope}"))
}

/// True if an index finds the children of one parent.
pub fn finds_children(schema: &Schema, relation: &Relation) -> bool {
    let child = schema.child(relation);
    let parts: Vec<_> = key_parts(schema, relation).collect();
    let are_alike = parts.iter().all(|part| {
        part.parent.is_some_and(|parent| parent.family == part.child.family && parent.collation == part.child.collation)
    });
    let is_helpful = |index: &crate::model::catalog::Index| {
        let first = index.columns.first().and_then(|part| part.column.map(|column| (column, &part.collation)));
        !index.partial
            && first.is_some_and(|(column, collation)| {
                relation.child_columns.contains(&column) && *collation == child.columns[column].collation
            })
    };
    are_alike && child.indexes.iter().any(is_helpful)
}
