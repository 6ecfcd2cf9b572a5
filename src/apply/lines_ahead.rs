//! Reads the lines of sets on a second thread, while the engine changes the rows of the lines before them.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use super::Direction;
use super::set_portion::SetLine;
use crate::plan_file::PlanError;
use crate::plan_file::PlanReader;

/// The thread hands over this number of lines at a time,
const LINES: usize = 512;

/// or fewer of this size in bytes,
const BYTES: usize = 1 << 18;

/// and waits after this number of pieces that the walk has not taken yet.
const WAITING: usize = 24;

type Piece = Result<Vec<SetLine>, PlanError>;

/// The lines of a plan from any step on.
pub(super) struct LinesAhead {
    direction: Direction,
    /// The step of the next line.
    step: usize,
    /// The next lines that the thread has handed over.
    lines: VecDeque<SetLine>,
    state: State,
}

enum State {
    /// The thread has ended.
    Resting(Box<PlanReader>),
    Reading(Receiver<Piece>, JoinHandle<Box<PlanReader>>),
    /// The thread panicked.
    Lost,
}

impl LinesAhead {
    pub(super) fn new(reader: PlanReader, direction: Direction) -> LinesAhead {
        LinesAhead {
            direction,
            step: reader.changes(),
            lines: VecDeque::new(),
            state: State::Resting(Box::new(reader)),
        }
    }

    /// Makes the line of a step the next one.
    pub(super) fn go_to(&mut self, step: usize) {
        if step == self.step {
            return;
        }
        self.rest();
        self.lines.clear();
        self.step = step;
        if let State::Resting(mut reader) = std::mem::replace(&mut self.state, State::Lost) {
            let (sender, pieces) = sync_channel(WAITING);
            let direction = self.direction;
            let thread = std::thread::spawn(move || {
                read(&mut reader, direction, step, &sender);
                reader
            });
            self.state = State::Reading(pieces, thread);
        }
    }

    /// Returns the next line; `None` after the last one.
    pub(super) fn peek(&mut self) -> Result<Option<&SetLine>, PlanError> {
        while self.lines.is_empty()
            && let State::Reading(pieces, _) = &self.state
        {
            match pieces.recv() {
                Ok(piece) => self.lines.extend(piece?),
                Err(_) => self.rest(),
            }
        }
        Ok(self.lines.front())
    }

    /// Takes the next line, which [`Self::peek`] returned.
    pub(super) fn take(&mut self) -> Option<SetLine> {
        let line = self.lines.pop_front()?;
        self.step += 1;
        Some(line)
    }

    /// Makes the lines that were taken last the next ones again.
    pub(super) fn put_back(&mut self, lines: Vec<SetLine>) {
        self.step -= lines.len();
        lines.into_iter().rev().for_each(|line| self.lines.push_front(line));
    }

    /// Ends the thread.
    fn rest(&mut self) {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Reading(pieces, thread) => {
                // The thread ends when nobody receives its lines.
                drop(pieces);
                self.state = State::Resting(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            state => self.state = state,
        }
    }
}

/// No thread lives longer than its walk.
impl Drop for LinesAhead {
    fn drop(&mut self) {
        if let State::Reading(pieces, thread) = std::mem::replace(&mut self.state, State::Lost) {
            drop(pieces);
            let _ = thread.join();
        }
    }
}

/// Sends the lines from a step on, until nobody receives them.
fn read(reader: &mut PlanReader, direction: Direction, step: usize, sender: &SyncSender<Piece>) {
    let total = reader.changes();
    let (mut piece, mut bytes) = (Vec::with_capacity(LINES), 0);
    for step in step..total {
        let position = direction.position(step, total);
        match reader.grouped(position) {
            Ok(change) => {
                let line = SetLine::new(position, change, direction);
                bytes += line.bytes;
                piece.push(line);
            }
            Err(error) => {
                let _ = sender.send(Ok(piece)).and_then(|()| sender.send(Err(error)));
                return;
            }
        }
        if piece.len() >= LINES || bytes >= BYTES || step + 1 == total {
            let full = std::mem::replace(&mut piece, Vec::with_capacity(LINES));
            if sender.send(Ok(full)).is_err() {
                return;
            }
            bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek;
    use std::io::SeekFrom;
    use std::io::Write;
    use std::path::Path;

    use super::super::portion::Reading;
    use super::*;
    use crate::model::catalog::TableName;
    use crate::model::plan::Change;
    use crate::model::plan::ChangeReason;
    use crate::model::plan::ChangeRole;
    use crate::model::row::Row;
    use crate::model::value::Value;
    use crate::plan_file::ChangeLines;
    use crate::plan_file::PlanFile;
    use crate::plan_file::PlanWriter;
    use crate::plan_file::tests::header;
    use crate::plan_file::tests::write;

    /// More changes than all pieces that wait for the walk.
    const CHANGES: usize = LINES * (WAITING + 3);

    fn change(number: usize, text: &str) -> Change {
        let number = Value::Integer(i64::try_from(number).unwrap());
        let row: Row = vec![("id", number.clone())].into();
        let table = TableName { schema: None, table: "t".to_owned() };
        let before: Row = vec![("id", number), ("note", Value::text(text))].into();
        let (relation, rule, treatment) = ("r".to_owned(), "u".to_owned(), "delete".to_owned());
        let reason = ChangeReason { role: ChangeRole::Orphan, relation, rule, treatment };
        Change { reasons: vec![reason], ..Change::new(table, row, Some(before), None) }
    }

    fn plan(path: &Path, changes: impl Iterator<Item = Change>) -> PlanFile {
        let mut lines = ChangeLines::default();
        let mut writer = PlanWriter::new(Vec::new(), &header()).unwrap();
        changes.for_each(|change| write(&mut writer, &mut lines, &change));
        std::fs::write(path, writer.finish().unwrap()).unwrap();
        PlanFile::open(path).unwrap()
    }

    fn positions(lines: &[SetLine]) -> Vec<usize> {
        lines.iter().map(|line| line.position).collect()
    }

    #[test]
    fn portions_follow_from_any_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan(&folder.path().join("plan.ndjson"), (0..CHANGES).map(|number| change(number, "x")));
        for direction in [Direction::Apply, Direction::Undo] {
            let mut reading = Reading::new(&mut plan, direction);
            let mut step = 0;
            while step < CHANGES {
                let lines = reading.set_portion(step, 700).unwrap().lines;
                let expected: Vec<usize> =
                    (step..CHANGES.min(step + 700)).map(|step| direction.position(step, CHANGES)).collect();
                assert_eq!(positions(&lines), expected);
                step += lines.len();
            }
            assert!(reading.set_portion(CHANGES, 700).unwrap().lines.is_empty());
            for step in [CHANGES - 1, 0, 12_345, 12_345, 3] {
                let lines = reading.set_portion(step, 1).unwrap().lines;
                assert_eq!(positions(&lines), [direction.position(step, CHANGES)]);
            }
        }
    }

    #[test]
    fn lines_that_were_put_back_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan(&folder.path().join("plan.ndjson"), (0..CHANGES).map(|number| change(number, "x")));
        let mut reading = Reading::new(&mut plan, Direction::Apply);
        let mut lines = reading.set_portion(0, 1500).unwrap().lines;
        reading.put_back(lines.split_off(600));
        assert_eq!(positions(&reading.set_portion(600, 1000).unwrap().lines), (600..1600).collect::<Vec<_>>());
        assert_eq!(positions(&reading.set_portion(1600, 10).unwrap().lines), (1600..1610).collect::<Vec<_>>());
    }

    #[test]
    fn portion_of_large_rows_is_short() {
        let folder = tempfile::tempdir().unwrap();
        let large = "x".repeat(1 << 20);
        let mut plan = plan(&folder.path().join("plan.ndjson"), (0..40).map(|number| change(number, &large)));
        let mut reading = Reading::new(&mut plan, Direction::Apply);
        assert_eq!(positions(&reading.set_portion(0, 10_000).unwrap().lines), (0..32).collect::<Vec<_>>());
        assert_eq!(positions(&reading.set_portion(32, 10_000).unwrap().lines), (32..40).collect::<Vec<_>>());
    }

    #[test]
    fn plan_that_is_gone_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.ndjson");
        let mut plan = plan(&path, (0..3).map(|number| change(number, "x")));
        std::fs::remove_file(&path).unwrap();
        let error = Reading::new(&mut plan, Direction::Apply).set_portion(0, 10).err().unwrap();
        let expected = format!("read the plan {}", path.display());
        assert!(error.to_string().contains(&expected), "{error}");
    }

    #[test]
    fn changed_plan_is_refused_after_the_lines_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.ndjson");
        let mut plan = plan(&path, (0..CHANGES).map(|number| change(number, "x")));
        let length = std::fs::metadata(&path).unwrap().len();
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(length / 2)).unwrap();
        file.write_all(b"#").unwrap();
        let mut reading = Reading::new(&mut plan, Direction::Apply);
        assert_eq!(reading.set_portion(0, 100).unwrap().lines.len(), 100);
        assert!(reading.set_portion(100, CHANGES).is_err());
    }
}
