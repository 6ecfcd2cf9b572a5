//! The positions of changes in a plan. Only some lines have a mark, so that the marks of ten million changes are small.

use std::ops::Range;

/// The number of lines from one mark to the next. Long lines have more marks.
const LINES: usize = 1000;
const BYTES: u64 = 1 << 20;

/// The number of a change, and the offset at which its line begins.
struct Mark {
    line: usize,
    start: u64,
}

/// The marks of a plan.
#[derive(Default)]
pub(super) struct LineMarks {
    marks: Vec<Mark>,
    lines: usize,
    /// The end of all lines so far, and the end of the last change.
    end: u64,
    last_end: u64,
}

impl LineMarks {
    /// Returns the number of changes.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    /// Counts a line that is no change.
    pub(super) fn skip(&mut self, length: u64) {
        self.end += length;
    }

    /// Counts the line of a change.
    pub(super) fn line(&mut self, length: u64) {
        let (line, start) = (self.lines, self.end);
        self.end += length;
        let is_far = |mark: &Mark| line - mark.line >= LINES || self.end - mark.start > BYTES;
        if self.marks.last().is_none_or(is_far) {
            self.marks.push(Mark { line, start });
        }
        self.lines += 1;
        self.last_end = self.end;
    }

    /// Returns the lines between the two marks around a change: the number of the first one, and the offsets.
    pub(super) fn stretch_of(&self, line: usize) -> (usize, Range<u64>) {
        let next = self.marks.partition_point(|mark| mark.line <= line);
        let end = self.marks.get(next).map_or(self.last_end, |mark| mark.start);
        next.checked_sub(1).map_or((0, 0..0), |at| (self.marks[at].line, self.marks[at].start..end))
    }
}

/// The lines between two marks.
pub(super) struct Stretch {
    first: usize,
    bytes: Vec<u8>,
    /// The offsets of each line, without the line break.
    lines: Vec<Range<usize>>,
}

impl Stretch {
    pub(super) fn new(first: usize, bytes: Vec<u8>, is_skipped: impl Fn(&[u8]) -> bool) -> Stretch {
        let mut lines = Vec::with_capacity(LINES);
        let mut start = 0;
        for line in bytes.split(|byte| *byte == b'\n') {
            if !line.is_empty() && !is_skipped(line) {
                lines.push(start..start + line.len());
            }
            start += line.len() + 1;
        }
        Stretch { first, bytes, lines }
    }

    pub(super) fn contains(&self, line: usize) -> bool {
        line.checked_sub(self.first).is_some_and(|index| index < self.lines.len())
    }

    pub(super) fn line(&self, line: usize) -> Option<&[u8]> {
        let range = self.lines.get(line.checked_sub(self.first)?)?.clone();
        self.bytes.get(range)
    }
}
