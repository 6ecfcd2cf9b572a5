//! The state of a plan in one database: which of its changes are ours, as recorded in the transactions that made them.
//!
//! A row that equals its image proves nothing: somebody else may have written the same. Leaves out where entries lie
//! (`apply::record`).

use crate::model::redaction::ShownValue;
use std::collections::BTreeMap;

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Storage;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::row::Row;
use crate::model::value::Value;

/// The table that holds the states of all plans of a database.
pub const TABLE: &str = "fk_doctor_state";

/// Name of a column, and whether it holds numbers.
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

/// One thing that was done for a plan, or the plan's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// 0 for the header.
    pub number: i64,
    pub deed: Deed,
    /// The changes that the entry is about, by their positions in the plan.
    pub first: u64,
    pub last: u64,
    /// How many of them were made; for the header, how many changes of the plan are made now.
    pub changed: u64,
    /// Those among them that were not.
    pub left: Vec<LeftRun>,
    /// Who did it: a text that no other run has.
    pub run: String,
    pub at: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    Apply,
    Undo,
    /// A table of the plan was made.
    Create(String),
    /// A definition was changed, or changed back, by its position in the plan.
    Define(usize),
    Undefine(usize),
    Header(Phase),
}

/// How far a plan is.
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

/// Consecutive changes that were not made for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftRun {
    pub first: u64,
    pub last: u64,
    pub why: Left,
}

/// Why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// The row was as planned before we came: it is not ours to take back.
    Already,
    /// Somebody changed the row since the plan was made or applied.
    Changed,
    /// The orphan has a parent by now.
    FoundParent,
    /// Rows refer to it that are not in the plan.
    Referred,
    /// The row would have no parent.
    NoParent,
    /// No row refers any more to the parent that was to be made.
    Needless,
    /// It was to change together with a row that is left.
    Bound,
    /// The database does not take the change.
    Refused,
}

impl Left {
    pub const ALL: [Left; 8] = [
        Left::Already,
        Left::Changed,
        Left::FoundParent,
        Left::Referred,
        Left::NoParent,
        Left::Needless,
        Left::Bound,
        Left::Refused,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Left::Already => "already",
            Left::Changed => "changed",
            Left::FoundParent => "found-parent",
            Left::Referred => "referred-to",
            Left::NoParent => "no-parent",
            Left::Needless => "needless",
            Left::Bound => "bound",
            Left::Refused => "refused",
        }
    }

    /// Reads after a number of rows.
    pub fn told(self, rows: u64) -> &'static str {
        match (self, rows) {
            (Left::Already, 1) => "was so already",
            (Left::Already, _) => "were so already",
            (Left::Changed, 1) => "was changed since",
            (Left::Changed, _) => "were changed since",
            (Left::FoundParent, _) => "had found their parent",
            (Left::Referred, 1) => "is referred to by rows that came since",
            (Left::Referred, _) => "are referred to by rows that came since",
            (Left::NoParent, _) => "would have no parent",
            (Left::Bound, 1) => "was to change with a row that is left",
            (Left::Bound, _) => "were to change with rows that are left",
            (Left::Needless, 1) => "is needed by no row any more",
            (Left::Needless, _) => "are needed by no row any more",
            (Left::Refused, 1) => "was refused by the database",
            (Left::Refused, _) => "were refused by the database",
        }
    }
}

/// A row that a plan would have changed, and that was left as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftRow<V = ShownValue> {
    pub table: String,
    pub row: Vec<(String, V)>,
    pub why: Left,
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

/// What the entries of one plan come to.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub phase: Option<Phase>,
    /// The run that wrote last.
    pub run: String,
    /// When that was.
    pub at: String,
    /// The number of the last entry.
    pub entries: i64,
    /// The changes that are ours.
    pub ours: Positions,
    /// The changes that were ours, and were taken back.
    pub taken_back: Positions,
    /// Changes that were left, and not made since.
    pub left: BTreeMap<usize, Left>,
    /// Tables of the plan that were made by it.
    pub created: Vec<String>,
    /// Definitions that are changed by us.
    pub defined: Vec<usize>,
}

impl State {
    pub fn of(entries: &[Entry]) -> State {
        let mut state = State::default();
        for entry in entries {
            state.add(entry);
        }
        state
    }

    pub fn add(&mut self, entry: &Entry) {
        if let Deed::Header(phase) = entry.deed {
            self.phase = Some(phase);
        }
        if entry.number >= self.entries || matches!(entry.deed, Deed::Header(_)) {
            self.run.clone_from(&entry.run);
            self.at.clone_from(&entry.at);
        }
        self.entries = self.entries.max(entry.number);
        match &entry.deed {
            Deed::Header(_) => {}
            Deed::Create(table) => self.created.push(table.clone()),
            Deed::Define(place) => self.defined.push(*place),
            Deed::Undefine(place) => self.defined.retain(|known| known != place),
            Deed::Apply | Deed::Undo => self.add_changes(entry),
        }
    }

    fn add_changes(&mut self, entry: &Entry) {
        let mut left = entry.left.iter().copied().peekable();
        let mut position = entry.first;
        while position <= entry.last {
            let place = usize::try_from(position).unwrap_or(usize::MAX);
            while left.peek().is_some_and(|run| run.last < position) {
                left.next();
            }
            let why = left.peek().filter(|run| run.first <= position).map(|run| run.why);
            match (&entry.deed, why) {
                (Deed::Apply, None) => {
                    self.ours.insert(place);
                    self.taken_back.remove(place);
                    self.left.remove(&place);
                }
                (Deed::Undo, None) if self.ours.contains(place) => {
                    self.ours.remove(place);
                    self.taken_back.insert(place);
                }
                (Deed::Apply, Some(why)) if !self.ours.contains(place) => {
                    self.left.insert(place, why);
                }
                _ => {}
            }
            position += 1;
        }
    }
}

impl Entry {
    /// Returns the entry as a row of the table.
    pub fn row(&self, plan: &str) -> Row {
        let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let (direction, left) = match &self.deed {
            Deed::Apply => ("apply", written(&self.left)),
            Deed::Undo => ("undo", written(&self.left)),
            Deed::Create(table) => ("create", table.clone()),
            Deed::Define(_) => ("define", String::new()),
            Deed::Undefine(_) => ("undefine", String::new()),
            Deed::Header(phase) => ("plan", phase.name().to_owned()),
        };
        let first = match self.deed {
            Deed::Define(place) | Deed::Undefine(place) => place as u64,
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

    /// Reads what [`Entry::row`] wrote; the error is a message.
    pub fn read(row: &[Value]) -> Result<Entry, String> {
        let unreadable = || format!("{TABLE} holds a row that no version of fk-doctor wrote");
        let [_, number, direction, first, last, changed, left, run, _, at] = row else { return Err(unreadable()) };
        let whole = |value: &Value| value.as_integer().and_then(|number| u64::try_from(number).ok());
        let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
        let (first, left) = (whole(first).ok_or_else(unreadable)?, text(left));
        let place = || usize::try_from(first).map_err(|_| unreadable());
        let deed = match direction.as_text() {
            Some("apply") => Deed::Apply,
            Some("undo") => Deed::Undo,
            Some("create") => Deed::Create(left.clone()),
            Some("define") => Deed::Define(place()?),
            Some("undefine") => Deed::Undefine(place()?),
            Some("plan") => {
                let phase = Phase::ALL.into_iter().find(|phase| phase.name() == left);
                Deed::Header(phase.ok_or_else(unreadable)?)
            }
            _ => return Err(unreadable()),
        };
        let is_range = matches!(deed, Deed::Apply | Deed::Undo);
        Ok(Entry {
            number: number.as_integer().ok_or_else(unreadable)?,
            left: if is_range { read_runs(&left).ok_or_else(unreadable)? } else { Vec::new() },
            deed,
            first,
            last: whole(last).ok_or_else(unreadable)?,
            changed: whole(changed).ok_or_else(unreadable)?,
            run: text(run),
            at: text(at),
        })
    }
}

/// `3:changed,7-9:already`.
fn written(left: &[LeftRun]) -> String {
    let run = |run: &LeftRun| match run.last == run.first {
        true => format!("{}:{}", run.first, run.why.name()),
        false => format!("{}-{}:{}", run.first, run.last, run.why.name()),
    };
    left.iter().map(run).collect::<Vec<_>>().join(",")
}

fn read_runs(text: &str) -> Option<Vec<LeftRun>> {
    let run = |text: &str| {
        let (range, why) = text.split_once(':')?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let why = Left::ALL.into_iter().find(|left| left.name() == why)?;
        Some(LeftRun { first: first.parse().ok()?, last: last.parse().ok()?, why })
    };
    text.split(',').filter(|run| !run.is_empty()).map(run).collect()
}

/// Adds a change to the runs of those that were left.
pub fn leave(left: &mut Vec<LeftRun>, position: u64, why: Left) {
    match left.last_mut() {
        Some(run) if run.why == why && run.last + 1 == position => run.last = position,
        _ => left.push(LeftRun { first: position, last: position, why }),
    }
}

/// The table as a catalog would have it.
pub fn table() -> Table {
    let column = |(name, is_number): &(&str, bool)| Column {
        name: (*name).to_owned(),
        declared_type: if *is_number { "bigint" } else { "text" }.to_owned(),
        family: if *is_number { Family::Integer } else { Family::Text },
        collation: None,
        not_null: true,
        generated: false,
        sql_type: None,
    };
    Table {
        name: TableName { schema: None, table: TABLE.to_owned() },
        kind: TableKind::Table,
        columns: COLUMNS.iter().map(column).collect(),
        primary_key: vec![0, 1],
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: i64, deed: Deed, first: u64, last: u64, left: Vec<LeftRun>) -> Entry {
        Entry { number, deed, first, last, changed: 0, left, run: "r".to_owned(), at: "t".to_owned() }
    }

    #[test]
    fn entry_is_read_back_as_it_was_written() {
        let mut left = Vec::new();
        for (position, why) in [(1, Left::Changed), (4, Left::Already), (5, Left::Already), (6, Left::Referred)] {
            leave(&mut left, position, why);
        }
        let deeds = [
            entry(1, Deed::Apply, 0, 9, left.clone()),
            entry(2, Deed::Undo, 3, 3, Vec::new()),
            entry(3, Deed::Create("kept".to_owned()), 0, 0, Vec::new()),
            entry(4, Deed::Define(2), 2, 0, Vec::new()),
            entry(5, Deed::Undefine(2), 2, 0, Vec::new()),
            entry(0, Deed::Header(Phase::TakingBack), 0, 9, Vec::new()),
        ];
        for written in deeds {
            let row: Vec<Value> = written.row("p").values().to_vec();
            assert_eq!(Entry::read(&row).as_ref(), Ok(&written));
        }
        assert!(Entry::read(&[Value::Null]).is_err());
        assert_eq!(left.len(), 3);
    }

    #[test]
    fn state_knows_which_changes_are_ours() {
        let left = vec![LeftRun { first: 2, last: 3, why: Left::Already }];
        let mut entries = vec![entry(1, Deed::Apply, 0, 4, left), entry(2, Deed::Apply, 5, 70, Vec::new())];
        let state = State::of(&entries);
        let ours = |state: &State| (0..80).filter(|&place| state.ours.contains(place)).count() as u64;
        assert_eq!((ours(&state), state.ours.len()), (69, 69));
        assert!(!state.ours.contains(2) && state.ours.contains(70) && !state.ours.contains(71));
        assert_eq!(state.left.get(&3), Some(&Left::Already));
        let left = vec![LeftRun { first: 69, last: 69, why: Left::Referred }];
        entries.push(entry(3, Deed::Undo, 68, 70, left));
        let state = State::of(&entries);
        assert!(state.ours.contains(69) && !state.ours.contains(70) && !state.ours.contains(68));
        assert_eq!((ours(&state), state.entries), (67, 3));
    }
}
