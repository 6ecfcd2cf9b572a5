//! The forecast of a repair: for each relation the treatments of its missing keys and those that stay undecided, the
//! changes of each table, warnings, and the reasons why the plan is refused.

use std::collections::BTreeMap;

use crate::model::finding_group::Distinct;
use crate::model::ids::RelationId;
use crate::model::plan::NewTable;
use crate::model::redaction::ShownValue;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Relation;
use crate::model::repoint::RepointForecast;
use crate::model::restore::RestoreForecast;
use crate::model::rule::TreatmentKind;
use crate::model::value::Key;
use crate::model::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct RepairForecast<V = ShownValue> {
    /// The orphan rows of all relations before the repair and the greatest number after it, each row counted once.
    pub orphan_rows: Distinct,
    pub rows_left: Distinct,
    /// The relations with orphans, in the schema's order.
    pub relations: Vec<RelationForecast<V>>,
    /// The numbers of rows to be inserted, changed and deleted, by table.
    pub tables: Vec<TableChanges>,
    pub creates: Vec<NewTable>,
    /// The number of quarantined rows in each file.
    pub files: BTreeMap<String, u64>,
    pub redefinitions: Vec<Redefinition>,
    /// The tables whose twins are merged, by rule.
    pub repoints: Vec<RepointForecast<V>>,
    /// The quarantined rows that come back, if the plan restores rows.
    pub restore: Option<RestoreForecast<V>>,
    pub warnings: Vec<String>,
    pub limits: Vec<LimitUse>,
    pub refusals: Vec<PlanRefusal>,
}

/// The number of rows that lose data by a rule or by the whole plan, in all tables or in one, compared with the limit.
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

/// The forecast of one relation.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationForecast<V = ShownValue> {
    pub relation: RelationId,
    pub id: String,
    /// The rule that treats the relation, if there is one.
    pub rule: Option<String>,
    pub keys: u64,
    pub rows: u64,
    /// All rows of the child, orphans or not.
    pub child_rows: u64,
    /// The greatest number of orphans after the repair.
    pub rows_after: u64,
    pub treatments: Vec<TreatmentForecast<V>>,
    pub undecided: Vec<Undecided<V>>,
    /// The next step for the undecided keys, if there is a better one than another treatment.
    pub help: Option<String>,
    /// The reason why the relation could not be checked, if there is one.
    pub unchecked: Option<String>,
}

/// The forecast of one treatment of a relation.
#[derive(Debug, Clone, PartialEq)]
pub struct TreatmentForecast<V = ShownValue> {
    pub treatment: String,
    pub keys: u64,
    pub rows: u64,
    pub samples: Vec<ChangeSample<V>>,
    /// The number of changes from which the samples were chosen.
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
    /// The old values of the columns that change; `None` for an insert.
    pub before: Option<Vec<(String, V)>>,
    /// The new values; `None` for a delete.
    pub after: Option<Vec<(String, V)>>,
}

/// Missing keys that no treatment could decide, for one reason.
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

/// A reason why the whole plan is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRefusal {
    /// Empty if all rules together cause the refusal.
    pub rule: String,
    /// Empty if no single relation causes the refusal.
    pub relation: String,
    pub why: String,
    pub help: String,
}

impl<V> Default for RepairForecast<V> {
    fn default() -> Self {
        RepairForecast {
            orphan_rows: Distinct::default(),
            rows_left: Distinct::default(),
            relations: Vec::new(),
            tables: Vec::new(),
            creates: Vec::new(),
            files: BTreeMap::new(),
            redefinitions: Vec::new(),
            repoints: Vec::new(),
            restore: None,
            warnings: Vec::new(),
            limits: Vec::new(),
            refusals: Vec::new(),
        }
    }
}

impl<V> RepairForecast<V> {
    pub fn undecided_keys(&self) -> u64 {
        self.relations.iter().flat_map(|relation| &relation.undecided).map(|undecided| undecided.keys).sum()
    }

    /// Returns the number of relations that could not be checked, including those that no rule treats.
    pub fn unchecked(&self) -> u64 {
        self.relations.iter().filter(|relation| relation.unchecked.is_some()).count() as u64
    }

    /// Returns the number of orphans that remain although they are not undecided: no rule treats them, or a rule only
    /// reports them.
    pub fn untreated_rows(&self) -> u64 {
        let after: u64 = self.relations.iter().map(|relation| relation.rows_after).sum();
        let undecided: u64 =
            self.relations.iter().flat_map(|relation| &relation.undecided).map(|undecided| undecided.rows).sum();
        after.saturating_sub(undecided)
    }

    /// Returns the number of rows and definitions that change.
    pub fn changes(&self) -> u64 {
        let rows: u64 = self.tables.iter().map(|table| table.made + table.changed + table.deleted).sum();
        rows + self.redefinitions.len() as u64
    }
}

impl RelationForecast<Value> {
    /// Returns the forecast of a relation before any treatment was tried.
    pub fn of(id: RelationId, relation: &Relation) -> RelationForecast<Value> {
        RelationForecast {
            relation: id,
            id: relation.id.clone(),
            rule: None,
            keys: 0,
            rows: 0,
            child_rows: 0,
            rows_after: 0,
            treatments: Vec::new(),
            undecided: Vec::new(),
            help: None,
            unchecked: None,
        }
    }

    /// Returns the forecast of a treatment, which is added if it is new.
    pub fn share(&mut self, treatment: &str) -> &mut TreatmentForecast<Value> {
        let index = self.treatments.iter().position(|known| known.treatment == treatment).unwrap_or_else(|| {
            self.treatments.push(TreatmentForecast::of(treatment));
            self.treatments.len() - 1
        });
        &mut self.treatments[index]
    }

    /// Returns the undecided keys with this reason, which are added if they are new.
    pub fn leave(&mut self, why: &str, key: &Key) -> &mut Undecided<Value> {
        let index = self.undecided.iter().position(|undecided| undecided.why == why).unwrap_or_else(|| {
            self.undecided.push(Undecided { why: why.to_owned(), keys: 0, rows: 0, example: key.clone() });
            self.undecided.len() - 1
        });
        &mut self.undecided[index]
    }
}
