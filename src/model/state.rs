//! The state of a plan in a database: the changes that fk-doctor made, as recorded in the transactions that made them.
//!
//! A row that equals its image proves nothing, because another program may have written an equal row. `apply::record`
//! reads and writes the entries.

use std::collections::BTreeMap;

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::row::Row;
use crate::model::value::Value;

mod skipped;

pub use skipped::RowNow;
pub use skipped::SkippedRow;

/// The table with the states of all plans of a database.
pub const TABLE: &str = "fk_doctor_state";

/// The columns of the table. The flag is true for a column of numbers, such as `("first", true)`.
pub const COLUMNS: [(&str, bool); 10] = [
    ("plan", false),
    ("number", true),
    ("direction", false),
    ("first", true),
    ("last", true),
    ("changed", true),
    ("left", false),
    ("run", false),
    ("version", false),
    ("at", false),
];

/// An operation that was executed for a plan, or the plan's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// 0 for the header.
    pub number: i64,
    pub operation: Operation,
    /// The first and the last change of the entry, as positions in the plan.
    pub first: u64,
    pub last: u64,
    /// The number of these changes that were made. For the header: the number of changes that are currently made.
    pub changed: u64,
    /// The changes of the entry that were not made.
    pub left: Vec<SkippedRange>,
    /// The id of the run, which no other run has.
    pub run: String,
    pub at: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    Apply,
    Undo,
    /// A table of the plan was created.
    Create(String),
    /// A definition was changed. The number is its position in the plan.
    Define(usize),
    /// The change of a definition was undone.
    Undefine(usize),
    Header(Phase),
}

/// The phase of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Applying,
    Applied,
    TakingBack,
    TakenBack,
}

impl Phase {
    pub const ALL: [Phase; 4] = [Phase::Applying, Phase::Applied, Phase::TakingBack, Phase::TakenBack];

    pub fn name(self) -> &'static str {
        match self {
            Phase::Applying => "applying",
            Phase::Applied => "applied",
            Phase::TakingBack => "taking back",
            Phase::TakenBack => "taken back",
        }
    }
}

/// Consecutive changes that were not made, all for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedRange {
    pub first: u64,
    pub last: u64,
    pub why: SkipReason,
}

/// The reason why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The row was already equal to the planned image. An undo does not touch it.
    Already,
    /// Another program changed the row since the plan was made or applied.
    Changed,
    /// The orphan has a parent now.
    FoundParent,
    /// Rows that are not in the plan refer to the row.
    Referred,
    /// The row would have no parent.
    NoParent,
    /// No row refers any longer to the planned parent.
    Needless,
    /// The change belongs to a unit with a skipped row.
    Bound,
    /// The database refused the change.
    Refused,
    /// Another session held the row locked.
    Busy,
}

impl SkipReason {
    pub const ALL: [SkipReason; 9] = [
        SkipReason::Already,
        SkipReason::Changed,
        SkipReason::FoundParent,
        SkipReason::Referred,
        SkipReason::NoParent,
        SkipReason::Needless,
        SkipReason::Bound,
        SkipReason::Refused,
        SkipReason::Busy,
    ];

    pub fn name(self) -> &'static str {
        match self {
            SkipReason::Already => "already",
            SkipReason::Changed => "changed",
            SkipReason::FoundParent => "found-parent",
            SkipReason::Referred => "referred-to",
            SkipReason::NoParent => "no-parent",
            SkipReason::Needless => "needless",
            SkipReason::Bound => "bound",
            SkipReason::Refused => "refused",
            SkipReason::Busy => "busy",
        }
    }

    /// Returns a phrase that reads well after a number of rows.
    pub fn phrase(self, rows: u64) -> &'static str {
        match (self, rows) {
            (SkipReason::Already, 1) => "was already as planned",
            (SkipReason::Already, _) => "were already as planned",
            (SkipReason::Changed, 1) => "was changed since",
            (SkipReason::Changed, _) => "were changed since",
            (SkipReason::FoundParent, 1) => "has a parent by now",
            (SkipReason::FoundParent, _) => "have a parent by now",
            (SkipReason::Referred, 1) => "is referred to by rows that came since",
            (SkipReason::Referred, _) => "are referred to by rows that came since",
            (SkipReason::NoParent, _) => "would have no parent",
            (SkipReason::Bound, 1) => "was to change together with a skipped row",
            (SkipReason::Bound, _) => "were to change together with skipped rows",
            (SkipReason::Needless, 1) => "is needed by no row any more",
            (SkipReason::Needless, _) => "are needed by no row any more",
            (SkipReason::Refused, 1) => "was refused by the database",
            (SkipReason::Refused, _) => "were refused by the database",
            (SkipReason::Busy, 1) => "was locked by another session",
            (SkipReason::Busy, _) => "were locked by other sessions",
        }
    }
}

/// A set of changes of a plan, by their positions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions {
    words: Vec<u64>,
}

impl Positions {
    pub fn contains(&self, position: usize) -> bool {
        self.words.get(position / 64).is_some_and(|word| word & (1 << (position % 64)) != 0)
    }

    pub fn insert(&mut self, position: usize) {
        if self.words.len() <= position / 64 {
            self.words.resize(position / 64 + 1, 0);
        }
        self.words[position / 64] |= 1 << (position % 64);
    }

    pub fn remove(&mut self, position: usize) {
        if let Some(word) = self.words.get_mut(position / 64) {
            *word &= !(1 << (position % 64));
        }
    }

    pub fn len(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }
}

/// The state of a plan that results from its entries.
#[derive(Debug, Clone, Default)]
pub struct PlanState {
    pub phase: Option<Phase>,
    /// The id of the run that wrote the last entry.
    pub run: String,
    /// The time of the last entry.
    pub at: String,
    /// The number of the last entry.
    pub entries: i64,
    /// The changes that fk-doctor made and has not undone.
    pub ours: Positions,
    /// The changes that were made and undone.
    pub taken_back: Positions,
    /// The changes that were skipped, and not made since.
    pub left: BTreeMap<usize, SkipReason>,
    /// The tables that the plan created.
    pub created: Vec<String>,
    /// The definitions that are currently changed, as positions in the plan.
    pub defined: Vec<usize>,
}

impl PlanState {
    pub fn of(entries: &[StateEntry]) -> PlanState {
        let mut state = PlanState::default();
        for entry in entries {
            state.add(entry);
        }
        state
    }

    pub fn add(&mut self, entry: &StateEntry) {
        if let Operation::Header(phase) = entry.operation {
            self.phase = Some(phase);
        }
        if entry.number >= self.entries || matches!(entry.operation, Operation::Header(_)) {
            self.run.clone_from(&entry.run);
            self.at.clone_from(&entry.at);
        }
        self.entries = self.entries.max(entry.number);
        match &entry.operation {
            Operation::Header(_) => {}
            Operation::Create(table) => self.created.push(table.clone()),
            Operation::Define(index) => self.defined.push(*index),
            Operation::Undefine(index) => self.defined.retain(|known| known != index),
            Operation::Apply | Operation::Undo => self.add_changes(entry),
        }
    }

    fn add_changes(&mut self, entry: &StateEntry) {
        let mut left = entry.left.iter().copied().peekable();
        let mut position = entry.first;
        while position <= entry.last {
            let index = usize::try_from(position).unwrap_or(usize::MAX);
            while left.peek().is_some_and(|range| range.last < position) {
                left.next();
            }
            let why = left.peek().filter(|range| range.first <= position).map(|range| range.why);
            match (&entry.operation, why) {
                (Operation::Apply, None) => {
                    self.ours.insert(index);
                    self.taken_back.remove(index);
                    self.left.remove(&index);
                }
                (Operation::Undo, None) if self.ours.contains(index) => {
                    self.ours.remove(index);
                    self.taken_back.insert(index);
                }
                (Operation::Apply, Some(why)) if !self.ours.contains(index) => {
                    self.left.insert(index, why);
                }
                _ => {}
            }
            position += 1;
        }
    }
}

impl StateEntry {
    /// Returns the entry as a row of the table.
    pub fn row(&self, plan: &str) -> Row {
        let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let (direction, left) = match &self.operation {
            Operation::Apply => ("apply", range_texts(&self.left)),
            Operation::Undo => ("undo", range_texts(&self.left)),
            Operation::Create(table) => ("create", table.clone()),
            Operation::Define(_) => ("define", String::new()),
            Operation::Undefine(_) => ("undefine", String::new()),
            Operation::Header(phase) => ("plan", phase.name().to_owned()),
        };
        let first = match self.operation {
            Operation::Define(index) | Operation::Undefine(index) => index as u64,
            _ => self.first,
        };
        let values = [
            Value::text(plan),
            Value::Integer(self.number),
            Value::text(direction),
            number(first),
            number(self.last),
            number(self.changed),
            Value::text(left),
            Value::text(&self.run),
            Value::text(env!("CARGO_PKG_VERSION")),
            Value::text(&self.at),
        ];
        COLUMNS.iter().map(|(name, _)| *name).zip(values).collect()
    }

    /// Parses a row that [`StateEntry::row`] wrote. The error is a message.
    pub fn read(row: &[Value]) -> Result<StateEntry, String> {
        let unreadable = || format!("{TABLE} contains a row that no version of fk-doctor wrote");
        let [_, number, direction, first, last, changed, left, run, _, at] = row else { return Err(unreadable()) };
        let whole = |value: &Value| value.as_integer().and_then(|number| u64::try_from(number).ok());
        let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
        let (first, left) = (whole(first).ok_or_else(unreadable)?, text(left));
        let index = || usize::try_from(first).map_err(|_| unreadable());
        let operation = match direction.as_text() {
            Some("apply") => Operation::Apply,
            Some("undo") => Operation::Undo,
            Some("create") => Operation::Create(left.clone()),
            Some("define") => Operation::Define(index()?),
            Some("undefine") => Operation::Undefine(index()?),
            Some("plan") => {
                let phase = Phase::ALL.into_iter().find(|phase| phase.name() == left);
                Operation::Header(phase.ok_or_else(unreadable)?)
            }
            _ => return Err(unreadable()),
        };
        let is_range = matches!(operation, Operation::Apply | Operation::Undo);
        Ok(StateEntry {
            number: number.as_integer().ok_or_else(unreadable)?,
            left: if is_range { read_ranges(&left).ok_or_else(unreadable)? } else { Vec::new() },
            operation,
            first,
            last: whole(last).ok_or_else(unreadable)?,
            changed: whole(changed).ok_or_else(unreadable)?,
            run: text(run),
            at: text(at),
        })
    }
}

/// Returns ranges as text, such as `3:changed,7-9:already`.
fn range_texts(ranges: &[SkippedRange]) -> String {
    let text = |range: &SkippedRange| match range.last == range.first {
        true => format!("{}:{}", range.first, range.why.name()),
        false => format!("{}-{}:{}", range.first, range.last, range.why.name()),
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

fn read_ranges(text: &str) -> Option<Vec<SkippedRange>> {
    let read = |text: &str| {
        let (range, why) = text.split_once(':')?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let why = SkipReason::ALL.into_iter().find(|reason| reason.name() == why)?;
        Some(SkippedRange { first: first.parse().ok()?, last: last.parse().ok()?, why })
    };
    text.split(',').filter(|range| !range.is_empty()).map(read).collect()
}

/// Adds a change to the skipped ranges.
pub fn skip(ranges: &mut Vec<SkippedRange>, position: u64, why: SkipReason) {
    match ranges.last_mut() {
        Some(range) if range.why == why && range.last + 1 == position => range.last = position,
        _ => ranges.push(SkippedRange { first: position, last: position, why }),
    }
}

/// Returns the table as an entry of a catalog.
pub fn table() -> Table {
    let column = |(name, is_number): &(&str, bool)| Column {
        name: (*name).to_owned(),
        declared_type: if *is_number { "bigint" } else { "text" }.to_owned(),
        family: if *is_number { Family::Integer } else { Family::Text },
        collation: None,
        not_null: true,
        generated: false,
        always_identity: false,
        sql_type: None,
    };
    Table {
        columns: COLUMNS.iter().map(column).collect(),
        primary_key: vec![0, 1],
        ..Table::new(TableName { schema: None, table: TABLE.to_owned() }, TableKind::Table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: i64, operation: Operation, first: u64, last: u64, left: Vec<SkippedRange>) -> StateEntry {
        StateEntry { number, operation, first, last, changed: 0, left, run: "r".to_owned(), at: "t".to_owned() }
    }

    #[test]
    fn entry_is_read_back_as_it_was_written() {
        let mut left = Vec::new();
        for (position, why) in
            [(1, SkipReason::Changed), (4, SkipReason::Already), (5, SkipReason::Already), (6, SkipReason::Referred)]
        {
            skip(&mut left, position, why);
        }
        let entries = [
            entry(1, Operation::Apply, 0, 9, left.clone()),
            entry(2, Operation::Undo, 3, 3, Vec::new()),
            entry(3, Operation::Create("kept".to_owned()), 0, 0, Vec::new()),
            entry(4, Operation::Define(2), 2, 0, Vec::new()),
            entry(5, Operation::Undefine(2), 2, 0, Vec::new()),
            entry(0, Operation::Header(Phase::TakingBack), 0, 9, Vec::new()),
        ];
        for written in entries {
            let row: Vec<Value> = written.row("p").values().to_vec();
            assert_eq!(StateEntry::read(&row).as_ref(), Ok(&written));
        }
        assert!(StateEntry::read(&[Value::Null]).is_err());
        assert_eq!(left.len(), 3);
    }

    #[test]
    fn state_contains_the_changes_that_were_made_and_not_undone() {
        let left = vec![SkippedRange { first: 2, last: 3, why: SkipReason::Already }];
        let mut entries = vec![entry(1, Operation::Apply, 0, 4, left), entry(2, Operation::Apply, 5, 70, Vec::new())];
        let state = PlanState::of(&entries);
        let ours = |state: &PlanState| (0..80).filter(|&index| state.ours.contains(index)).count() as u64;
        assert_eq!((ours(&state), state.ours.len()), (69, 69));
        assert!(!state.ours.contains(2) && state.ours.contains(70) && !state.ours.contains(71));
        assert_eq!(state.left.get(&3), Some(&SkipReason::Already));
        let left = vec![SkippedRange { first: 69, last: 69, why: SkipReason::Referred }];
        entries.push(entry(3, Operation::Undo, 68, 70, left));
        let state = PlanState::of(&entries);
        assert!(state.ours.contains(69) && !state.ours.contains(70) && !state.ours.contains(68));
        assert_eq!((ours(&state), state.entries), (67, 3));
    }
}
