//! The forecast of a restore: for each table the quarantined rows that can come back, and those that stay with the reason.

use crate::model::redaction::ShownValue;
use crate::model::value::Key;
use crate::model::value::Value;

/// The treatment of a restored row in plans.
pub const RESTORE: &str = "restore";

/// The number of keys and of rows that a report shows of each reason.
const SAMPLES: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub struct RestoreForecast<V = ShownValue> {
    /// The tables and files that keep quarantined rows.
    pub sources: Vec<String>,
    /// The tables to which the selected rows belong, parents first.
    pub tables: Vec<RestoredTable<V>>,
}

/// The quarantined rows of one table that were selected.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredTable<V = ShownValue> {
    pub table: String,
    pub rows: u64,
    /// The rows that can come back.
    pub restored: u64,
    /// The names of the first of these rows.
    pub samples: Vec<Vec<(String, V)>>,
    pub staying: Vec<StayingRows<V>>,
}

/// Rows that stay in the quarantine for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct StayingRows<V = ShownValue> {
    pub obstacle: Obstacle,
    pub rows: u64,
    /// The first missing keys, if the rows have no parent.
    pub keys: Vec<Vec<V>>,
    /// True if there are more missing keys.
    pub has_more_keys: bool,
    /// The names of the first rows.
    pub samples: Vec<Vec<(String, V)>>,
}

/// The reason why a quarantined row cannot come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The parent of this relation does not exist.
    NoParent { relation: String, parent: String },
    /// The row is in its table already.
    Present,
    /// An earlier restore brought this row of a file back.
    CameBack,
    /// Another row has its primary key.
    KeyTaken,
    /// The database refuses the row, for this reason.
    Refused(String),
    /// The table does not exist any more.
    NoTable,
    /// The table has no such column any more.
    NoColumn(String),
    /// The column would store another value.
    Altered(String),
    /// The row cannot be identified in its table.
    Unidentified,
    /// The record of the row cannot be read, for this reason.
    Unreadable(String),
}

impl Obstacle {
    /// Returns the code in JSON reports.
    pub fn code(&self) -> &'static str {
        match self {
            Obstacle::NoParent { .. } => "no-parent",
            Obstacle::Present => "present",
            Obstacle::CameBack => "came-back",
            Obstacle::KeyTaken => "key-taken",
            Obstacle::Refused(_) => "refused",
            Obstacle::NoTable => "no-table",
            Obstacle::NoColumn(_) => "no-column",
            Obstacle::Altered(_) => "altered",
            Obstacle::Unidentified => "unidentified",
            Obstacle::Unreadable(_) => "unreadable",
        }
    }
}

impl RestoredTable<Value> {
    pub fn of(table: String) -> RestoredTable<Value> {
        RestoredTable { table, rows: 0, restored: 0, samples: Vec::new(), staying: Vec::new() }
    }

    /// Counts a row that can come back.
    pub fn restore(&mut self, name: Vec<(String, Value)>) {
        self.restored += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(name);
        }
    }

    /// Counts a row that stays. `key` is its missing key.
    pub fn leave(&mut self, obstacle: &Obstacle, key: Option<&Key>, name: Vec<(String, Value)>) {
        let index = self.staying.iter().position(|staying| staying.obstacle == *obstacle).unwrap_or_else(|| {
            let obstacle = obstacle.clone();
            let staying =
                StayingRows { obstacle, rows: 0, keys: Vec::new(), has_more_keys: false, samples: Vec::new() };
            self.staying.push(staying);
            self.staying.len() - 1
        });
        let staying = &mut self.staying[index];
        staying.rows += 1;
        if staying.samples.len() < SAMPLES {
            staying.samples.push(name);
        }
        if let Some(key) = key.filter(|key| !staying.keys.contains(key)) {
            match staying.keys.len() < SAMPLES {
                true => staying.keys.push(key.clone()),
                false => staying.has_more_keys = true,
            }
        }
    }
}

impl<V> RestoreForecast<V> {
    /// Returns the number of selected rows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    pub fn restored(&self) -> u64 {
        self.tables.iter().map(|table| table.restored).sum()
    }

    pub fn staying(&self) -> u64 {
        self.rows().saturating_sub(self.restored())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staying_rows_are_grouped_by_reason_with_few_keys() {
        let mut table = RestoredTable::of("t".to_owned());
        let obstacle = Obstacle::NoParent { relation: "t(p)->p(id)".to_owned(), parent: "p".to_owned() };
        for number in [1, 2, 2, 3, 4] {
            table.leave(&obstacle, Some(&vec![Value::Integer(number)]), Vec::new());
        }
        table.leave(&Obstacle::KeyTaken, None, Vec::new());
        let [missing, taken] = table.staying.as_slice() else { panic!("{:?}", table.staying) };
        assert_eq!((missing.rows, missing.keys.len(), missing.has_more_keys), (5, 3, true));
        assert_eq!((taken.rows, taken.has_more_keys, taken.obstacle.code()), (1, false, "key-taken"));
    }
}
