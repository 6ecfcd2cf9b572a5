//! The plan: a repair as data. Every row that changes, with its image before and after, and what was foreseen.
//!
//! Because both images are there, a plan is a reversible patch: taken back, it is applied with its images swapped.
//! Leaves out: how a plan lies on disk (`plan_file`), and how it was thought of (`treat`).

use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Storage;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::image_match::ImageMatch;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Relation;
use crate::model::row::Row;
use crate::model::row::RowName;

/// What is said once, before the changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    pub engine: Engine,
    pub database: String,
    /// Which database it is; see [`crate::engine::Database::identity`].
    pub identity: String,
    /// A digest of the definitions that the plan rests on.
    pub schema: String,
    /// The tables that the plan touches, or looks at, each with a digest of its definition and of what acts on it. Empty in
    /// a plan of an older version, whose `schema` is of all definitions.
    pub tables: Vec<TableDigest>,
    pub rules: Vec<RuleDigest>,
    pub creates: Vec<NewTable>,
    pub redefinitions: Vec<Redefinition>,
    /// The files that keep rows which go.
    pub files: Vec<String>,
    pub forecasts: Vec<OrphanForecast>,
    pub treated: Vec<TreatmentTotal>,
    /// Missing keys that no treatment could decide.
    pub undecided: u64,
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

/// A table that a repair brings along, to keep what it took away or replaced. The first column numbers the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTable {
    pub name: TableName,
    pub columns: Vec<String>,
}

/// How many orphans a relation had when the plan was made, and how many it may have once the plan is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanForecast {
    pub relation: String,
    pub rows_before: u64,
    pub rows_after: u64,
}

/// What one treatment of one rule did for one relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreatmentTotal {
    pub rule: String,
    pub relation: String,
    pub treatment: String,
    pub keys: u64,
    pub rows: u64,
}

/// One row that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub table: TableName,
    /// The row's name: see [`identity_columns`].
    pub row: RowName,
    /// The row's own address, where it has another name and goes away: so that it can come back to its place.
    pub address: Option<i64>,
    /// `None` for a row that is not there yet.
    pub before: Option<Row>,
    /// `None` for a row that goes away.
    pub after: Option<Row>,
    /// At least one; several where a row is an orphan of several relations.
    pub reasons: Vec<ChangeReason>,
    /// The file that keeps the row, which goes.
    pub kept: Option<String>,
    /// Changes with the same number follow each other in the plan, and are made together or not at all: an orphan that goes,
    /// what depends on it, and the records that keep them. `None` for a change that stands alone.
    pub unit: Option<u64>,
    /// Relations beyond those of `reasons` in which the row was an orphan when the plan was made.
    pub orphan_of: Vec<String>,
    /// For a parent that is made, or gets another key: the orphans that referred to its key when the plan was made, and that it gives a parent
    /// to although no change of the plan touches them. `None` in a plan that an older version made.
    pub adopts: Option<Vec<Adopted>>,
}

/// Orphans of one relation that find their parent in a row that the plan makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    pub relation: String,
    /// Of each orphan the fingerprint of its name and key.
    pub rows: Vec<u64>,
}

/// What a change is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeRole {
    /// A row is made that is missing.
    Parent,
    /// A row is made that keeps what another was.
    Record,
    /// A counter follows the keys that were used.
    Counter,
    /// An orphan changes or goes.
    Orphan,
    /// A row changes or goes because the row that it refers to goes.
    Dependant,
}

impl ChangeRole {
    pub const ALL: [ChangeRole; 5] =
        [ChangeRole::Parent, ChangeRole::Record, ChangeRole::Counter, ChangeRole::Orphan, ChangeRole::Dependant];

    pub fn name(self) -> &'static str {
        match self {
            ChangeRole::Parent => "parent",
            ChangeRole::Record => "record",
            ChangeRole::Counter => "counter",
            ChangeRole::Orphan => "orphan",
            ChangeRole::Dependant => "dependant",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeReason {
    pub role: ChangeRole,
    pub relation: String,
    pub rule: String,
    pub treatment: String,
}

impl Change {
    /// A change that stands alone, and has no reasons yet.
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
    /// As a catalog would have it.
    pub fn as_table(&self) -> Table {
        let column = |(place, name): (usize, &String)| Column {
            name: name.clone(),
            declared_type: String::new(),
            family: if place == 0 { Family::Integer } else { Family::Untyped },
            collation: None,
            not_null: place == 0,
            generated: false,
            sql_type: None,
        };
        Table {
            name: self.name.clone(),
            kind: TableKind::Table,
            columns: self.columns.iter().enumerate().map(column).collect(),
            primary_key: vec![0],
            indexes: Vec::new(),
            row_address: None,
            address_lasts: false,
            address_column: None,
            storage: Storage::Transactional,
            without_foreign_keys: None,
            irreversible: None,
            partitions: Vec::new(),
        }
    }
}

impl Change {
    /// What it was first planned for.
    pub fn role(&self) -> ChangeRole {
        self.reasons.first().map_or(ChangeRole::Orphan, |reason| reason.role)
    }

    /// The change that takes this one back.
    pub fn inverse(self) -> Change {
        Change { before: self.after, after: self.before, ..self }
    }

    pub fn compared_with(&self, now: Option<&Row>) -> ImageMatch {
        if same(now, self.before.as_ref()) {
            ImageMatch::Before
        } else if same(now, self.after.as_ref()) {
            ImageMatch::After
        } else {
            ImageMatch::Other
        }
    }

    /// Whether a row that is there stays as it is, to the bit.
    pub fn changes_nothing(&self) -> bool {
        self.after.as_ref().is_some_and(|after| self.is_before(after))
    }

    /// Whether this is the row as it was, to the bit.
    pub fn is_before(&self, image: &Row) -> bool {
        self.before.is_some() && same(Some(image), self.before.as_ref())
    }

    /// The columns that an update has to set.
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

/// The columns that name a row for good: a key, or the row's own address where there is none. Empty where there is neither:
/// such a row cannot be told from its equals, and is not repaired.
pub fn identity_columns(table: &Table) -> Vec<&str> {
    let key = table.naming_key();
    if !key.is_empty() {
        return key.iter().map(|&column| table.columns[column].name.as_str()).collect();
    }
    table.lasting_address().into_iter().collect()
}

/// The name of an orphan with the key that it has, as fingerprints of orphans are taken of it: the columns that name the row,
/// then the stored columns that refer.
pub fn orphan_name(table: &Table, identity: &RowName, stored: &Row, relation: &Relation) -> RowName {
    let columns = relation.child_columns.iter().map(|&column| &table.columns[column]);
    let key = columns
        .filter(|column| !column.generated)
        .filter_map(|column| Some((column.name.as_str(), stored.get(&column.name)?.clone())));
    identity.followed_by(&key.collect())
}

/// The row's address is a name beside its key, and not the key itself.
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
    fn a_row_stands_before_after_or_elsewhere() {
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
    fn zero_has_two_signs() {
        let change = change(row(Value::Real(0.0)), None);
        assert_eq!(change.compared_with(row(Value::Real(-0.0)).as_ref()), ImageMatch::Other);
        assert_eq!(change.compared_with(None), ImageMatch::After);
    }
}
