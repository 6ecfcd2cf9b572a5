//! Judges integer keys without a join. The parent's keys are fetched and sent back to the server as a bitmap, and one
//! scan of the child judges all of its relations. This pays off for large children; otherwise a join is as fast.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::rc::Rc;

use super::session::PostgresSession;
use super::transaction::Plans;
use crate::engine::Inclusion;
use crate::engine::OrphanList;
use crate::engine::StorageAnswer;
use crate::engine::StorageReadOptions;
use crate::engine::StorageReading;
use crate::engine::Suspects;
use crate::engine::wire::Failure;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::Tables;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::ids::TableId;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::value::Value;
use crate::sql::key_bitmap;
use crate::sql::key_bitmap::KeyBitmap;

/// The size in bytes below which a child is judged with a join.
const SMALLEST_CHILD: u64 = 8 << 20;

/// The largest ratio of the parent's size to the child's. Reading all of a larger parent costs more than a few lookups.
const LARGEST_PARENT: u64 = 2;

/// The maximum size of a bitmap in bytes, because the server keeps copies of it.
const LARGEST_BITMAP: u64 = 32 << 20;

/// If there are more suspect rows, they are found with a join.
const MOST_SUSPECTS: u64 = 100_000;

pub(super) fn judge(
    session: &mut PostgresSession,
    tables: &Tables,
    inclusions: &[Inclusion],
    options: &StorageReadOptions<'_>,
) -> Vec<StorageAnswer> {
    let mut answers = vec![StorageAnswer::AskSql { why: None }; inclusions.len()];
    let mut children: BTreeMap<TableId, Vec<usize>> = BTreeMap::new();
    for (index, inclusion) in inclusions.iter().enumerate().filter(|(_, inclusion)| is_suitable(tables, inclusion)) {
        children.entry(inclusion.child).or_default().push(index);
    }
    let mut judge = Judge { session, tables, bitmaps: HashMap::new(), memory: options.memory };
    for (done, (child, indexes)) in children.iter().enumerate() {
        let asked: Vec<&Inclusion> = indexes.iter().map(|&index| &inclusions[index]).collect();
        match judge.judge_child(*child, &asked) {
            Ok(readings) => {
                for (index, reading) in indexes.iter().zip(readings) {
                    if let Some(reading) = reading {
                        answers[*index] = StorageAnswer::Judged(reading);
                    }
                }
            }
            Err(Failure::TimeLimit) => indexes.iter().for_each(|&index| answers[index] = StorageAnswer::TimeLimit),
            // If the failure persists, the join reports it.
            Err(_) => {}
        }
        (options.progress)(&ProgressStep {
            table: Some(&tables[*child].name.table),
            tables: Some((done + 1, children.len())),
            ..ProgressStep::of(RunPhase::Scan, done + 1, children.len())
        });
    }
    answers
}

/// True if both sides have a single integer column, in a table without partitions.
fn is_suitable(tables: &Tables, inclusion: &Inclusion) -> bool {
    let is_integer = |table: TableId, columns: &[usize]| {
        let table = &tables[table];
        table.kind == TableKind::Table
            && matches!(columns, [column] if table.columns[*column].family == Family::Integer)
    };
    is_integer(inclusion.child, &inclusion.child_columns) && is_integer(inclusion.parent, &inclusion.parent_columns)
}

struct Judge<'a> {
    session: &'a mut PostgresSession,
    tables: &'a Tables,
    /// The bitmaps by table and column; `None` if a column has none.
    bitmaps: HashMap<(TableId, usize), Option<Rc<KeyBitmap>>>,
    /// The remaining memory for bitmaps, in bytes.
    memory: u64,
}

impl Judge<'_> {
    /// Judges relations of one child. The result is `None` for a relation that needs a join.
    fn judge_child(&mut self, child: TableId, asked: &[&Inclusion]) -> Result<Vec<Option<StorageReading>>, Failure> {
        let size = self.size(child)?;
        let mut bitmaps = Vec::new();
        for inclusion in asked {
            let worth_it =
                size >= SMALLEST_CHILD && self.size(inclusion.parent)? <= size.saturating_mul(LARGEST_PARENT);
            bitmaps.push(if worth_it { self.bitmap(inclusion.parent, inclusion.parent_columns[0])? } else { None });
        }
        let judged: Vec<(usize, &KeyBitmap)> = asked
            .iter()
            .zip(&bitmaps)
            .filter_map(|(inclusion, bitmap)| Some((inclusion.child_columns[0], bitmap.as_deref()?)))
            .collect();
        if judged.is_empty() {
            return Ok(vec![None; asked.len()]);
        }
        let table = &self.tables[child];
        let numbers = self.numbers(&key_bitmap::counts(table, &judged))?;
        let mut readings = Vec::new();
        for (index, (column, bitmap)) in judged.iter().enumerate() {
            let (rows, null_rows, missing) = (numbers[0], numbers[1 + 2 * index], numbers[2 + 2 * index]);
            readings.push(StorageReading {
                method: Method::KeyBitmap,
                counts: Counts { rows, null_rows, ignored_rows: 0 },
                orphans: OrphanList::default(),
                suspects: match missing {
                    0 => Suspects::Rows(Vec::new()),
                    1..=MOST_SUSPECTS => self.suspects(table, *column, bitmap)?,
                    _ => Suspects::Many,
                },
                index_is_proven: false,
                repeated_keys: None,
                note: None,
            });
        }
        let mut readings = readings.into_iter();
        Ok(bitmaps.iter().map(|bitmap| bitmap.as_ref().and_then(|_| readings.next())).collect())
    }

    fn numbers(&mut self, question: &crate::sql::Sql) -> Result<Vec<u64>, Failure> {
        let mut numbers = Vec::new();
        self.session.question(question, Plans::Any, &mut |row| {
            let number = |value: &Value| value.as_integer().and_then(|number| u64::try_from(number).ok());
            numbers = row.iter().map(|value| number(value).unwrap_or(0)).collect();
        })?;
        Ok(numbers)
    }

    fn size(&mut self, table: TableId) -> Result<u64, Failure> {
        self.session.size_of(&self.tables[table])
    }

    /// Returns the bitmap of a parent's keys, read from the table and not from an index.
    fn bitmap(&mut self, parent: TableId, column: usize) -> Result<Option<Rc<KeyBitmap>>, Failure> {
        if let Some(known) = self.bitmaps.get(&(parent, column)) {
            return Ok(known.clone());
        }
        let bitmap = self.fetch(&self.tables[parent], column)?.map(Rc::new);
        let bytes = bitmap.as_ref().map_or(0, |bitmap| bitmap.bits.len() as u64);
        self.memory = self.memory.saturating_sub(bytes);
        self.bitmaps.insert((parent, column), bitmap.clone());
        Ok(bitmap)
    }

    fn fetch(&mut self, parent: &Table, column: usize) -> Result<Option<KeyBitmap>, Failure> {
        let mut range = None;
        self.session.question(&key_bitmap::range(parent, column), Plans::Any, &mut |row| {
            range = row.first().and_then(Value::as_integer).zip(row.get(1).and_then(Value::as_integer));
        })?;
        let most_bytes = self.memory.min(LARGEST_BITMAP);
        let bitmap = range.and_then(|(lowest, highest)| KeyBitmap::of_range(lowest, highest, most_bytes));
        let Some(mut bitmap) = bitmap else { return Ok(None) };
        // The range may come from a damaged index; the keys come from the table.
        let mut all_fit = true;
        self.session.whole_numbers(&key_bitmap::keys(parent, column), &mut |key| all_fit &= bitmap.insert(key))?;
        Ok(all_fit.then_some(bitmap))
    }

    fn suspects(&mut self, child: &Table, column: usize, bitmap: &KeyBitmap) -> Result<Suspects, Failure> {
        let mut rows = Vec::new();
        self.session.question(&key_bitmap::suspects(child, column, bitmap), Plans::Any, &mut |row| {
            rows.extend(row.first().and_then(Value::as_text).and_then(address));
        })?;
        rows.sort_unstable();
        Ok(Suspects::Rows(rows))
    }
}

/// Returns the row address `(block,line)` as one number.
fn address(text: &str) -> Option<i64> {
    let (block, line) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let (block, line) = (block.parse::<u32>().ok()?, line.parse::<u16>().ok()?);
    Some(i64::from(block) << 16 | i64::from(line))
}
