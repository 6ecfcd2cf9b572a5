//! The plan: a repair as data. It contains every row change with its image before and after, and the forecast.
//!
//! A plan is a reversible patch, because it has both images: an undo applies it with the images swapped. `plan_file`
//! defines the file format, and `treat` makes plans.

use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::image_match::ImageMatch;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::row_group::RowChangeKind;
use crate::model::rule::TreatmentKind;
use crate::model::value::Value;

/// The part of a plan before the changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    pub engine: Engine,
    pub database: String,
    /// The identity of the database; see [`crate::engine::Database::identity`].
    pub identity: String,
    /// A digest of the definitions on which the plan depends.
    pub schema: String,
    /// A digest of the record of plans when this plan was made; empty if nothing was recorded. A plan that is made again after
    /// it was applied is thereby another plan, with a record of its own.
    pub record: String,
    /// The tables that the plan changes or reads. Each has a digest of its definition and of the definitions that act on
    /// it. Empty in a plan of an older version, where `schema` is a digest of all definitions.
    pub tables: Vec<TableDigest>,
    pub rules: Vec<RuleDigest>,
    pub creates: Vec<NewTable>,
    pub redefinitions: Vec<Redefinition>,
    /// The files of quarantined rows.
    pub files: Vec<String>,
    pub forecasts: Vec<OrphanForecast>,
    pub treated: Vec<TreatmentTotal>,
    /// Missing keys that no treatment could decide.
    pub undecided: u64,
    /// The orphan rows of the database when the plan was made, each counted once; `None` if the number is not known exactly.
    pub orphan_rows: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDigest {
    pub table: String,
    pub digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDigest {
    pub id: String,
    pub digest: String,
}

/// A table that a repair creates to keep removed or replaced data. The first column numbers the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTable {
    pub name: TableName,
    pub columns: Vec<String>,
}

/// The number of orphans of a relation when the plan was made, and the greatest number after the plan is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanForecast {
    pub relation: String,
    pub rows_before: u64,
    pub rows_after: u64,
}

/// The totals of one treatment of one rule for one relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreatmentTotal {
    pub rule: String,
    pub relation: String,
    pub treatment: String,
    pub keys: u64,
    pub rows: u64,
}

/// The change of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub table: TableName,
    /// The columns that identify the row; see [`identity_columns`].
    pub row: RowName,
    /// The row address of a deleted row that is identified by a key, so that an undo restores the address too.
    pub address: Option<i64>,
    /// The image before the change; `None` for an insert.
    pub before: Option<Row>,
    /// The image after the change; `None` for a delete.
    pub after: Option<Row>,
    /// At least one reason; several if the row is an orphan of several relations.
    pub reasons: Vec<ChangeReason>,
    /// The file that keeps a deleted row.
    pub kept: Option<String>,
    /// The number of the unit. The changes of a unit are adjacent in the plan, and are made together or not at all: a
    /// deleted orphan, its dependants, and the records that keep them. `None` for a change without a unit.
    pub unit: Option<u64>,
    /// Further relations in which the row was an orphan when the plan was made, beside those of `reasons`.
    pub orphan_of: Vec<String>,
    /// For an inserted parent, or one that gets another key: the orphans that referred to its key when the plan was made,
    /// and that no change of the plan touches. `None` in a plan of an older version.
    pub adopts: Option<Vec<Adopted>>,
}

/// Orphans of one relation whose missing parent the plan supplies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    pub relation: String,
    /// The fingerprint of each orphan's name and key; see [`orphan_name`].
    pub rows: Vec<u64>,
}

impl Header {
    /// True if the plan keeps rows in a quarantine.
    pub fn keeps_rows(&self) -> bool {
        let keeps = [TreatmentKind::Quarantine, TreatmentKind::Follow, TreatmentKind::Repoint].map(TreatmentKind::name);
        self.treated.iter().any(|total| total.rows > 0 && keeps.contains(&total.treatment.as_str()))
    }
}

/// The purpose of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeRole {
    /// Inserts a missing parent.
    Parent,
    /// Inserts a copy or a record of another row.
    Record,
    /// Advances a counter past the keys that the plan uses.
    Counter,
    /// Changes or deletes an orphan.
    Orphan,
    /// Changes or deletes a row whose parent is deleted.
    Dependant,
    /// Inserts a quarantined row again.
    Restored,
    /// Points a row at another parent, because its parent is a twin of that one.
    Repointed,
    /// Deletes a row of which another row is kept.
    Twin,
}

impl ChangeRole {
    pub const ALL: [ChangeRole; 8] = [
        ChangeRole::Parent,
        ChangeRole::Record,
        ChangeRole::Counter,
        ChangeRole::Orphan,
        ChangeRole::Dependant,
        ChangeRole::Restored,
        ChangeRole::Repointed,
        ChangeRole::Twin,
    ];

    pub fn name(self) -> &'static str {
        match self {
            ChangeRole::Parent => "parent",
            ChangeRole::Record => "record",
            ChangeRole::Counter => "counter",
            ChangeRole::Orphan => "orphan",
            ChangeRole::Dependant => "dependant",
            ChangeRole::Restored => "restored",
            ChangeRole::Repointed => "repointed",
            ChangeRole::Twin => "twin",
        }
    }
}

/// A reason for a change: the treatment of a rule, for a relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChangeReason {
    pub role: ChangeRole,
    pub relation: String,
    pub rule: String,
    pub treatment: String,
}

impl Change {
    /// Returns a change without a unit and without reasons.
    pub fn new(table: TableName, row: RowName, before: Option<Row>, after: Option<Row>) -> Change {
        Change {
            table,
            row,
            address: None,
            before,
            after,
            reasons: Vec::new(),
            kept: None,
            unit: None,
            orphan_of: Vec::new(),
            adopts: Some(Vec::new()),
        }
    }
}

impl NewTable {
    /// Returns the table as an entry of a catalog.
    pub fn as_table(&self) -> Table {
        let column = |(index, name): (usize, &String)| Column {
            name: name.clone(),
            declared_type: String::new(),
            family: if index == 0 { Family::Integer } else { Family::Untyped },
            collation: None,
            not_null: index == 0,
            generated: false,
            always_identity: false,
            sql_type: None,
        };
        Table {
            columns: self.columns.iter().enumerate().map(column).collect(),
            primary_key: vec![0],
            ..Table::new(self.name.clone(), TableKind::Table)
        }
    }
}

impl Change {
    /// Returns the role of the first reason.
    pub fn role(&self) -> ChangeRole {
        self.reasons.first().map_or(ChangeRole::Orphan, |reason| reason.role)
    }

    pub fn kind(&self) -> RowChangeKind {
        match (&self.before, &self.after) {
            (None, _) => RowChangeKind::Insert,
            (_, None) => RowChangeKind::Delete,
            _ => RowChangeKind::Update,
        }
    }

    /// Returns the change that undoes this one.
    pub fn inverse(self) -> Change {
        Change { before: self.after, after: self.before, ..self }
    }

    /// Compares the stored row with both images. `now` is `None` if the row does not exist.
    pub fn compared_with(&self, now: Option<&Row>) -> ImageMatch {
        if same(now, self.before.as_ref()) {
            ImageMatch::Before
        } else if same(now, self.after.as_ref()) {
            ImageMatch::After
        } else {
            ImageMatch::Other
        }
    }

    /// True if the row exists and both images are equal to the bit.
    pub fn changes_nothing(&self) -> bool {
        self.after.as_ref().is_some_and(|after| self.is_before(after))
    }

    /// True if a row is equal to the image before the change, to the bit.
    pub fn is_before(&self, image: &Row) -> bool {
        self.before.is_some() && same(Some(image), self.before.as_ref())
    }

    /// Returns the columns that an update has to set, with their new values.
    pub fn set(&self) -> Row {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return Row::new() };
        after.filtered(|column, value| !before.get(column).is_some_and(|old| old.is_same(value)))
    }
}

/// True if both rows are equal to the bit, or both are absent.
fn same(left: Option<&Row>, right: Option<&Row>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => left.is_same(right),
        _ => false,
    }
}

/// Returns the columns that identify a row permanently: a key, or else the row address. Empty if there is neither. Such a
/// row cannot be distinguished from equal rows, and is not repaired.
pub fn identity_columns(table: &Table) -> Vec<&str> {
    let key = table.naming_key();
    if !key.is_empty() {
        return key.iter().map(|&column| table.columns[column].name.as_str()).collect();
    }
    table.lasting_address().into_iter().collect()
}

/// Returns the name under which reports and scripts show a row: its primary key if that has no NULL, else `identity`. SQLite
/// allows NULL in most primary keys, so that a plan identifies such a row by its address.
pub fn shown_name(table: &Table, identity: &RowName, stored: Option<&Row>) -> RowName {
    let key = table.primary_key.iter().map(|&column| {
        let name = table.columns[column].name.as_str();
        let value = stored.and_then(|row| row.get(name)).filter(|value| **value != Value::Null)?;
        Some((name, value.clone()))
    });
    let key: Option<Vec<(&str, Value)>> = key.collect();
    key.filter(|key| !key.is_empty()).map_or_else(|| identity.clone(), RowName::from)
}

/// Returns the name and key of an orphan, from which its fingerprint is made: the columns that identify the row, followed
/// by the stored columns of the foreign key.
pub fn orphan_name(table: &Table, identity: &RowName, stored: &Row, relation: &Relation) -> RowName {
    let columns = relation.child_columns.iter().map(|&column| &table.columns[column]);
    let key = columns
        .filter(|column| !column.generated)
        .filter_map(|column| Some((column.name.as_str(), stored.get(&column.name)?.clone())));
    identity.followed_by(&key.collect())
}

/// True if rows have an address in addition to their key, and no column stores it.
pub fn has_own_address(table: &Table) -> bool {
    table.row_address.is_some() && table.address_column.is_none() && !table.primary_key.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;

    fn row(value: Value) -> Option<Row> {
        Some(Row::from(vec![("id", Value::Integer(1)), ("r", value)]))
    }

    fn change(before: Option<Row>, after: Option<Row>) -> Change {
        let table = TableName { schema: None, table: "c".to_owned() };
        let name = RowName::from(vec![("id", Value::Integer(1))]);
        Change::new(table, name, before, after)
    }

    #[test]
    fn row_is_compared_with_both_images() {
        let change = change(row(Value::Integer(5)), row(Value::Null));
        assert_eq!(change.compared_with(row(Value::Integer(5)).as_ref()), ImageMatch::Before);
        assert_eq!(change.compared_with(row(Value::Null).as_ref()), ImageMatch::After);
        for other in [Value::Real(5.0), Value::text("5"), Value::Integer(6)] {
            assert_eq!(change.compared_with(row(other).as_ref()), ImageMatch::Other);
        }
        assert_eq!(change.compared_with(None), ImageMatch::Other);
        assert_eq!(change.set(), Row::from(vec![("r", Value::Null)]));
        assert_eq!(change.clone().inverse().inverse(), change);
    }

    #[test]
    fn negative_zero_differs_from_zero() {
        let change = change(row(Value::Real(0.0)), None);
        assert_eq!(change.compared_with(row(Value::Real(-0.0)).as_ref()), ImageMatch::Other);
        assert_eq!(change.compared_with(None), ImageMatch::After);
    }
}
