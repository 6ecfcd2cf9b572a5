//! What a repair would do, told before it is done: per relation and rule how many missing keys get which treatment,
//! what stays undecided and why, what else will happen, and what is refused.

use std::collections::BTreeMap;

use crate::model::ids::RelationId;
use crate::model::plan::NewTable;
use crate::model::redaction::ShownValue;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Relation;
use crate::model::rule::TreatmentKind;
use crate::model::value::Key;
use crate::model::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct RepairForecast<V = ShownValue> {
    /// Every relation with orphans, in the schema's order.
    pub relations: Vec<RelationForecast<V>>,
    /// Rows that will be made, changed and deleted, per table.
    pub tables: Vec<TableChanges>,
    pub creates: Vec<NewTable>,
    /// How many rows that go each file keeps.
    pub files: BTreeMap<String, u64>,
    pub redefinitions: Vec<Redefinition>,
    pub warnings: Vec<String>,
    pub limits: Vec<LimitUse>,
    pub refusals: Vec<PlanRefusal>,
}

/// How many rows a rule, or the plan as a whole, takes away or blanks, beside the limit: of all tables, or of one.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitUse {
    /// `None` for all rules together.
    pub rule: Option<String>,
    /// `None` for all tables together.
    pub table: Option<String>,
    pub rows: u64,
    pub table_rows: Option<u64>,
    pub max_rows: Option<u64>,
    pub max_share: Option<f64>,
}

/// One relation.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationForecast<V = ShownValue> {
    pub relation: RelationId,
    pub id: String,
    /// The rule that treats it, if one does.
    pub rule: Option<String>,
    pub keys: u64,
    pub rows: u64,
    /// Orphans that may be left.
    pub rows_after: u64,
    pub treatments: Vec<TreatmentForecast<V>>,
    pub undecided: Vec<Undecided<V>>,
    /// Why nothing was tried, where that is so.
    pub unchecked: Option<String>,
}

/// What one treatment gets.
#[derive(Debug, Clone, PartialEq)]
pub struct TreatmentForecast<V = ShownValue> {
    pub treatment: String,
    pub keys: u64,
    pub rows: u64,
    pub samples: Vec<ChangeSample<V>>,
    /// How many changes there were to choose examples from.
    pub changes: u64,
}

impl<V> TreatmentForecast<V> {
    fn of(treatment: &str) -> TreatmentForecast<V> {
        TreatmentForecast { treatment: treatment.to_owned(), keys: 0, rows: 0, samples: Vec::new(), changes: 0 }
    }

    pub fn is_of(&self, kind: TreatmentKind) -> bool {
        self.treatment == kind.name()
    }
}

/// One change, as an example.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSample<V = ShownValue> {
    pub table: String,
    pub row: Vec<(String, V)>,
    /// The columns that change; `None` for a row that is made.
    pub before: Option<Vec<(String, V)>>,
    /// `None` for a row that goes.
    pub after: Option<Vec<(String, V)>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Undecided<V = ShownValue> {
    pub why: String,
    pub keys: u64,
    pub rows: u64,
    pub example: Vec<V>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableChanges {
    pub table: String,
    pub made: u64,
    pub changed: u64,
    pub deleted: u64,
}

/// Why the plan as a whole is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRefusal {
    /// Empty where it is all rules together.
    pub rule: String,
    /// Empty where it is no single one.
    pub relation: String,
    pub why: String,
    pub help: String,
}

impl<V> Default for RepairForecast<V> {
    fn default() -> Self {
        RepairForecast {
            relations: Vec::new(),
            tables: Vec::new(),
            creates: Vec::new(),
            files: BTreeMap::new(),
            redefinitions: Vec::new(),
            warnings: Vec::new(),
            limits: Vec::new(),
            refusals: Vec::new(),
        }
    }
}

impl<V> RepairForecast<V> {
    pub fn undecided_keys(&self) -> u64 {
        self.relations.iter().flat_map(|outlook| &outlook.undecided).map(|undecided| undecided.keys).sum()
    }

    /// How many relations could not be checked, whether a rule treats them or not.
    pub fn unchecked(&self) -> u64 {
        self.relations.iter().filter(|outlook| outlook.unchecked.is_some()).count() as u64
    }

    /// Orphans that are left although nothing about them is undecided: no rule treats them, or a rule only reports them.
    pub fn untreated_rows(&self) -> u64 {
        let after: u64 = self.relations.iter().map(|outlook| outlook.rows_after).sum();
        let undecided: u64 =
            self.relations.iter().flat_map(|outlook| &outlook.undecided).map(|undecided| undecided.rows).sum();
        after.saturating_sub(undecided)
    }

    /// Rows and definitions that change.
    pub fn changes(&self) -> u64 {
        let rows: u64 = self.tables.iter().map(|table| table.made + table.changed + table.deleted).sum();
        rows + self.redefinitions.len() as u64
    }
}

impl RelationForecast<Value> {
    /// The outlook of a relation with which nothing has been tried yet.
    pub fn of(id: RelationId, relation: &Relation) -> RelationForecast<Value> {
        RelationForecast {
            relation: id,
            id: relation.id.clone(),
            rule: None,
            keys: 0,
            rows: 0,
            rows_after: 0,
            treatments: Vec::new(),
            undecided: Vec::new(),
            unchecked: None,
        }
    }

    pub fn share(&mut self, treatment: &str) -> &mut TreatmentForecast<Value> {
        let place = self.treatments.iter().position(|share| share.treatment == treatment).unwrap_or_else(|| {
            self.treatments.push(TreatmentForecast::of(treatment));
            self.treatments.len() - 1
        });
        &mut self.treatments[place]
    }

    pub fn leave(&mut self, why: &str, key: &Key) -> &mut Undecided<Value> {
        let place = self.undecided.iter().position(|undecided| undecided.why == why).unwrap_or_else(|| {
            self.undecided.push(Undecided { why: why.to_owned(), keys: 0, rows: 0, example: key.clone() });
            self.undecided.len() - 1
        });
        &mut self.undecided[place]
    }
}
