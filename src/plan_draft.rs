//! The plan draft: the changes of a plan during planning, at most one per row, in the order of application. A private
//! temporary database stores them, which moves to disk as it grows.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use rusqlite::Connection;
use rusqlite::Result;

use self::bloom_filter::BloomFilter;
use self::order::FIRST;
use self::order::SortKey;
use self::order::step;
use crate::model::catalog::TableName;
use crate::model::change_group::ChangeValues;
use crate::model::forecast::TableChanges;
use crate::model::plan::Change;
use crate::model::row::RowName;
use crate::model::value::Value;
use crate::plan_file::ChangeLine;
use crate::plan_file::ChangeLines;

mod bloom_filter;
mod order;

pub use order::Batch;
pub use order::Step;
pub use order::Unit;

/// This number of lines is stored together,
const WAITING_LINES: usize = 512;

/// or fewer of this size in bytes.
const WAITING_BYTES: usize = 1 << 20;

/// A plan draft.
pub struct PlanDraft {
    store: Connection,
    /// The lines that [`Self::stored`] has not stored yet.
    waiting: RefCell<Waiting>,
    lines: ChangeLines,
    next: i64,
    tables: BTreeMap<TableName, TableChanges>,
    /// The row names that were inserted. Most lookups are for rows without a change.
    seen: BloomFilter,
    /// True if an index finds changes by the names of their rows, and by their units. Both are made at the first lookup.
    is_named: Cell<bool>,
    is_united: Cell<bool>,
    /// The position of the change that was stored last, and true if all were stored in the order of application.
    last: SortKey,
    is_sorted: bool,
}

impl PlanDraft {
    pub fn new() -> Result<PlanDraft> {
        let store = Connection::open("")?;
        store.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384; BEGIN; \
             CREATE TABLE change(id INTEGER PRIMARY KEY, step INTEGER, unit INTEGER, number INTEGER, name INTEGER, line TEXT)",
        )?;
        Ok(PlanDraft {
            store,
            waiting: RefCell::default(),
            lines: ChangeLines::default(),
            next: 0,
            tables: BTreeMap::new(),
            seen: BloomFilter::new(),
            is_named: Cell::new(false),
            is_united: Cell::new(false),
            last: (0, 0, 0),
            is_sorted: true,
        })
    }

    /// Returns the change of a row, if there is one.
    pub fn get(&self, table: &TableName, row: &RowName) -> Result<Option<Change>> {
        Ok(self.find(table, row)?.map(|(_, change)| change))
    }

    /// Begins a unit of changes that are applied together or not at all. [`Self::put_in`] adds changes to it.
    pub fn unit(&mut self, step: Step) -> Unit {
        self.next += 1;
        // The last unit of `DeleteFirst` is applied before all earlier ones.
        let number = if step == Step::DeleteFirst { FIRST - self.next } else { self.next };
        Unit { step: step as i64, number }
    }

    /// Returns the unit of a change, or a new unit if the change has none.
    pub fn unit_of(&mut self, change: &Change, step: Step) -> Result<Unit> {
        match (change.unit, self.find(&change.table, &change.row)?) {
            (Some(_), Some((position, _))) => Ok(position.unit),
            _ => Ok(self.unit(step)),
        }
    }

    /// Returns all changes of the unit that contains a change.
    pub fn members_with(&self, change: &Change) -> Result<Vec<Change>> {
        let Some(unit) = self.find(&change.table, &change.row)?.map(|(position, _)| position.unit) else {
            return Ok(Vec::new());
        };
        if !self.is_united.replace(true) {
            self.stored()?.execute_batch("CREATE INDEX by_unit ON change(step, unit)")?;
        }
        let mut statement =
            self.stored()?.prepare_cached("SELECT line FROM change WHERE step = ?1 AND unit = ?2 ORDER BY number")?;
        let mut rows = statement.query((unit.step, unit.number))?;
        let mut members = Vec::new();
        while let Some(row) = rows.next()? {
            members.push(self.read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
        }
        Ok(members)
    }

    /// Adds a change, replacing an earlier change of the row. A change that belongs to a unit stays in it.
    pub fn put(&mut self, change: &Change) -> Result<()> {
        let planned = self.find(&change.table, &change.row)?.map(|(position, _)| position.unit);
        let unit = match (change.unit.map(u64::cast_signed), planned) {
            (Some(number), Some(unit)) if unit.number == number => unit,
            (Some(number), _) => Unit { step: step(change) as i64, number },
            (None, _) => Unit { step: step(change) as i64, number: self.next + 1 },
        };
        self.next += 1;
        self.insert(change, unit)
    }

    /// Adds a change to a unit, replacing an earlier change of the row.
    pub fn put_in(&mut self, unit: Unit, change: &Change) -> Result<()> {
        let change = Change { unit: Some(unit.number.cast_unsigned()), ..change.clone() };
        self.next += 1;
        self.insert(&change, unit)
    }

    /// Adds details to the change of a row, if it has one. The change keeps its position.
    pub fn amend(&mut self, table: &TableName, row: &RowName, add: impl FnOnce(&mut Change)) -> Result<()> {
        let Some((position, mut change)) = self.find(table, row)? else { return Ok(()) };
        add(&mut change);
        self.rewrite(&position, &change)
    }

    /// Replaces a change by one of the same row, with more details. The change keeps its position.
    pub fn replace(&mut self, change: &Change) -> Result<()> {
        match self.find(&change.table, &change.row)? {
            Some((position, _)) => self.rewrite(&position, change),
            None => self.put(change),
        }
    }

    fn rewrite(&mut self, position: &Position, change: &Change) -> Result<()> {
        let mut line = String::with_capacity(128);
        self.lines.push(&mut line, change);
        self.stored()?.prepare_cached("UPDATE change SET line = ?2 WHERE id = ?1")?.execute((position.id, line))?;
        Ok(())
    }

    /// Adds a change of a row that has none yet, and that belongs to no unit. The changes of a batch are applied in the
    /// order of their rows, if a number identifies each row.
    pub fn put_new(&mut self, batch: Batch, change: &Change) -> Result<()> {
        self.next += 1;
        let step = step(change) as i64;
        match change.row.values() {
            [Value::Integer(row)] => self.store_change_at(change, (step, batch.0, *row)),
            _ => self.store_change_at(change, (step, self.next, self.next)),
        }
    }

    /// Begins a batch of changes for [`Self::put_new`]. It follows all changes so far.
    pub fn batch(&mut self) -> Batch {
        self.next += 1;
        Batch(self.next)
    }

    /// Stores a change, replacing an earlier change of the row.
    fn insert(&mut self, change: &Change, unit: Unit) -> Result<()> {
        self.take_away(&change.table, &change.row)?;
        self.store_change(change, unit)
    }

    fn store_change(&mut self, change: &Change, unit: Unit) -> Result<()> {
        self.store_change_at(change, (unit.step, unit.number, self.next))
    }

    /// Stores a change, unless it changes nothing.
    fn store_change_at(&mut self, change: &Change, key: SortKey) -> Result<()> {
        if change.changes_nothing() {
            return Ok(());
        }
        let mut line = String::with_capacity(128);
        self.lines.push(&mut line, change);
        self.store_line(key, name(&change.table, change.row.columns(), change.row.values()), line)?;
        *self.counter(change) += 1;
        Ok(())
    }

    fn store_line(&mut self, key: SortKey, name: u64, line: String) -> Result<()> {
        self.seen.add(name);
        self.is_sorted &= self.last <= key;
        self.last = key;
        let waiting = self.waiting.get_mut();
        waiting.bytes += line.len();
        waiting.lines.push(WaitingLine { key, name, line });
        if waiting.lines.len() >= WAITING_LINES || waiting.bytes >= WAITING_BYTES {
            self.stored()?;
        }
        Ok(())
    }

    /// Returns the database with all lines.
    fn stored(&self) -> Result<&Connection> {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.lines.is_empty() {
            waiting.bytes = 0;
            let insert = "INSERT INTO change(step, unit, number, name, line) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut statement = self.store.prepare_cached(insert)?;
            for WaitingLine { key, name, line } in waiting.lines.drain(..) {
                statement.execute((key.0, key.1, key.2, name.cast_signed(), line))?;
            }
        }
        Ok(&self.store)
    }

    /// True if the plan changes rows of a table.
    pub fn changes(&self, table: &TableName) -> bool {
        self.tables.contains_key(table)
    }

    /// Returns a group for [`Self::append`], from one of its changes.
    pub fn group(&mut self, change: &Change) -> DraftGroup {
        DraftGroup { number: self.lines.group_of(change), step: step(change) }
    }

    /// Adds a change of a row that has none yet. The values are those of the group's columns.
    pub fn append(&mut self, group: DraftGroup, unit: Option<Unit>, values: &ChangeValues<'_>) -> Result<()> {
        self.next += 1;
        let (step, number) = unit.map_or((group.step as i64, self.next), |unit| (unit.step, unit.number));
        let unit = unit.map(|unit| unit.number.cast_unsigned());
        self.append_at(group, (step, number, self.next), &ChangeValues { unit, ..*values })
    }

    /// Adds such a change to a batch, in which changes are sorted like those of [`Self::put_new`].
    pub fn append_new(&mut self, group: DraftGroup, batch: Batch, values: &ChangeValues<'_>) -> Result<()> {
        self.next += 1;
        let key = match values.row {
            [Value::Integer(row)] => (group.step as i64, batch.0, *row),
            _ => (group.step as i64, self.next, self.next),
        };
        self.append_at(group, key, values)
    }

    fn append_at(&mut self, group: DraftGroup, key: SortKey, values: &ChangeValues<'_>) -> Result<()> {
        let Some(facts) = self.lines.group(group.number).cloned() else { return Ok(()) };
        let mut line = String::with_capacity(128);
        self.lines.push_values(&mut line, group.number, values);
        self.store_line(key, name(&facts.table, facts.row.iter().map(String::as_str), values.row), line)?;
        *self.counter_of(&facts.table, values.before.is_some(), values.after.is_some()) += 1;
        Ok(())
    }

    /// Returns a mark for [`Self::take_back`].
    pub fn mark(&self) -> Result<DraftMark> {
        let last = self.stored()?.query_row("SELECT coalesce(max(id), 0) FROM change", [], |row| row.get(0))?;
        Ok(DraftMark { last })
    }

    /// Visits the changes that were added since a mark.
    pub fn each_since<E: From<rusqlite::Error>>(
        &self,
        mark: DraftMark,
        mut each: impl FnMut(Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.each_selected("id > ?1 ORDER BY id", mark.last, &mut each)
    }

    /// Removes the changes that were added since a mark. Meanwhile, no earlier change was replaced.
    pub fn take_back(&mut self, mark: DraftMark) -> Result<()> {
        let mut counted = std::mem::take(&mut self.tables);
        let uncounted: Result<()> = self.each_since(mark, |change| {
            *counter_of(&mut counted, &change.table, change.before.is_some(), change.after.is_some()) -= 1;
            Ok(())
        });
        uncounted?;
        counted.retain(|_, counts| counts.made + counts.changed + counts.deleted > 0);
        self.tables = counted;
        self.stored()?.execute("DELETE FROM change WHERE id > ?1", [mark.last])?;
        Ok(())
    }

    /// Removes the change of a row. Returns the change, if there was one.
    pub fn take_away(&mut self, table: &TableName, row: &RowName) -> Result<Option<Change>> {
        let Some((position, change)) = self.find(table, row)? else { return Ok(None) };
        self.stored()?.prepare_cached("DELETE FROM change WHERE id = ?1")?.execute([position.id])?;
        *self.counter(&change) -= 1;
        Ok(Some(change))
    }

    /// Visits the changes as lines of a plan, in the order of application: inserts, updates, deletes.
    pub fn each_line<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&ChangeLine<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let order = if self.is_sorted { "id" } else { "step, unit, number" };
        let mut statement = self.stored()?.prepare(&format!("SELECT line FROM change ORDER BY {order}"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let line = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            each(&self.lines.line(line).map_err(unreadable)?)?;
        }
        Ok(())
    }

    /// Visits the changes in the order of application.
    pub fn each<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(&Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.each_line(|line| each(&self.read(line.text)?))
    }

    /// Visits the changes of one step in the order of application.
    pub fn each_in<E: From<rusqlite::Error>>(
        &self,
        step: Step,
        mut each: impl FnMut(Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.each_selected("step = ?1 ORDER BY unit, number", step as i64, &mut each)
    }

    fn each_selected<E: From<rusqlite::Error>>(
        &self,
        condition: &str,
        parameter: i64,
        each: &mut impl FnMut(Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let query = format!("SELECT line FROM change WHERE {condition}");
        let mut statement = self.stored()?.prepare_cached(&query)?;
        let mut rows = statement.query([parameter])?;
        while let Some(row) = rows.next()? {
            each(self.read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?)?;
        }
        Ok(())
    }

    /// Returns the number of inserted, changed and deleted rows of each table.
    pub fn tables(&self) -> Vec<TableChanges> {
        let changed = self.tables.values().filter(|table| table.made + table.changed + table.deleted > 0);
        let mut changed: Vec<TableChanges> = changed.cloned().collect();
        changed.sort_by(|left, right| left.table.cmp(&right.table));
        changed
    }

    fn find(&self, table: &TableName, row: &RowName) -> Result<Option<(Position, Change)>> {
        if !self.changes(table) {
            return Ok(None);
        }
        let name = name(table, row.columns(), row.values());
        if !self.seen.may_contain(name) {
            return Ok(None);
        }
        if !self.is_named.replace(true) {
            self.stored()?.execute_batch("CREATE INDEX by_name ON change(name)")?;
        }
        let mut statement = self.stored()?.prepare_cached("SELECT id, step, unit, line FROM change WHERE name = ?1")?;
        let mut rows = statement.query([name.cast_signed()])?;
        while let Some(found) = rows.next()? {
            let change = self.read(found.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?;
            if change.table == *table && change.row.columns().eq(row.columns()) && change.row.is_same(row) {
                let unit = Unit { step: found.get(1)?, number: found.get(2)? };
                return Ok(Some((Position { id: found.get(0)?, unit }, change)));
            }
        }
        Ok(None)
    }

    /// Parses a stored line.
    fn read(&self, line: &str) -> Result<Change> {
        self.lines.read(line).map_err(unreadable)
    }

    fn counter(&mut self, change: &Change) -> &mut u64 {
        self.counter_of(&change.table, change.before.is_some(), change.after.is_some())
    }

    fn counter_of(&mut self, table: &TableName, has_before: bool, has_after: bool) -> &mut u64 {
        counter_of(&mut self.tables, table, has_before, has_after)
    }
}

/// Returns the number that counts changes of this kind.
fn counter_of<'t>(
    tables: &'t mut BTreeMap<TableName, TableChanges>,
    table: &TableName,
    has_before: bool,
    has_after: bool,
) -> &'t mut u64 {
    let new = || TableChanges { table: table.to_string(), ..TableChanges::default() };
    let counts = tables.entry(table.clone()).or_insert_with(new);
    match (has_before, has_after) {
        (false, _) => &mut counts.made,
        (_, false) => &mut counts.deleted,
        _ => &mut counts.changed,
    }
}

/// Returns the hash of a row's name, by which rows are found. It is equal in every run.
fn name<'n>(table: &TableName, columns: impl Iterator<Item = &'n str>, values: &[Value]) -> u64 {
    let mut hasher = DefaultHasher::new();
    table.hash(&mut hasher);
    for (column, value) in columns.zip(values) {
        column.hash(&mut hasher);
        std::mem::discriminant(value).hash(&mut hasher);
        match value {
            Value::Null => {}
            Value::Integer(number) => number.hash(&mut hasher),
            Value::Real(number) => number.to_bits().hash(&mut hasher),
            Value::Text(bytes) | Value::Blob(bytes) => bytes.hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// Lines that are stored together.
#[derive(Default)]
struct Waiting {
    lines: Vec<WaitingLine>,
    /// Their size.
    bytes: usize,
}

struct WaitingLine {
    key: SortKey,
    name: u64,
    line: String,
}

/// Where a change is stored.
struct Position {
    id: i64,
    unit: Unit,
}

/// A group of changes that are added without being compared with the other changes.
#[derive(Clone, Copy)]
pub struct DraftGroup {
    number: usize,
    step: Step,
}

/// The state of a draft at some time.
#[derive(Clone, Copy)]
pub struct DraftMark {
    /// The greatest id of a change.
    last: i64,
}

fn unreadable(why: String) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::ChangeReason;
    use crate::model::plan::ChangeRole;
    use crate::model::row::Row;

    /// The deletion of the row with this key.
    fn deletion(key: i64) -> Change {
        let row: Row = vec![("id", Value::Integer(key))].into();
        let table = TableName { schema: None, table: "t".to_owned() };
        let (relation, rule, treatment) = ("r".to_owned(), "u".to_owned(), "delete".to_owned());
        let reason = ChangeReason { role: ChangeRole::Orphan, relation, rule, treatment };
        Change { reasons: vec![reason], ..Change::new(table, row.clone(), Some(row), None) }
    }

    /// Every query has the lines that wait, before and after many lines were stored together.
    #[test]
    fn change_is_found_at_once() {
        let mut draft = PlanDraft::new().unwrap();
        let is_found = |draft: &PlanDraft, change: &Change| draft.get(&change.table, &change.row).unwrap().is_some();
        let keys = 0..2 * i64::try_from(WAITING_LINES).unwrap() + 2;
        for key in keys.clone() {
            let change = deletion(key);
            assert!(!is_found(&draft, &change));
            draft.put(&change).unwrap();
            // Most lines are stored without a query between them.
            assert!(key % 100 > 0 || is_found(&draft, &change), "{key}");
        }
        let mut lines = keys.count();
        let unit = draft.unit(Step::Delete);
        for members in 1..=2 {
            let member = deletion(-members);
            draft.put_in(unit, &member).unwrap();
            assert_eq!(draft.members_with(&member).unwrap().len(), usize::try_from(members).unwrap());
            lines += 1;
        }
        draft.put(&deletion(-3)).unwrap();
        let mark = draft.mark().unwrap();
        draft.put(&deletion(-4)).unwrap();
        let mut since = Vec::new();
        let done: Result<()> = draft.each_since(mark, |change| {
            since.push(change);
            Ok(())
        });
        done.unwrap();
        assert_eq!(since, [deletion(-4)]);
        draft.put(&deletion(-5)).unwrap();
        draft.take_back(mark).unwrap();
        draft.put(&deletion(-6)).unwrap();
        let mut last = None;
        let done: Result<()> = draft.each(|change| {
            last = Some(change.clone());
            Ok(())
        });
        done.unwrap();
        assert_eq!(last, Some(deletion(-6)));
        let mut counted = 0;
        let done: Result<()> = draft.each_line(|_| {
            counted += 1;
            Ok(())
        });
        done.unwrap();
        assert_eq!(counted, lines + 2);
    }
}
