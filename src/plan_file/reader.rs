//! The changes of a plan that was verified, by their positions.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::PlanError;
use super::blocks::Blocks;
use super::is_group;
use super::line_marks::LineMarks;
use super::line_marks::Stretch;
use super::read_change;
use super::wire;
use super::wire::Format;
use crate::model::change_group::ChangeGroups;
use crate::model::change_group::GroupedChange;
use crate::model::plan::Change;

/// Reads changes of a plan. Two readers of a plan are independent, also on two threads.
pub struct PlanReader {
    path: PathBuf,
    format: Format,
    blocks: Blocks,
    marks: Arc<LineMarks>,
    groups: ChangeGroups,
    /// The lines between two marks that were read last.
    stretch: Option<Stretch>,
}

impl PlanReader {
    pub(super) fn new(
        path: PathBuf,
        format: Format,
        blocks: Blocks,
        marks: LineMarks,
        groups: ChangeGroups,
    ) -> PlanReader {
        PlanReader { path, format, blocks, marks: Arc::new(marks), groups, stretch: None }
    }

    /// Opens the plan again. Returns another reader of it.
    pub(super) fn again(&self) -> Result<PlanReader, PlanError> {
        let file = File::open(&self.path).map_err(|error| PlanError::unreadable(&self.path, &error))?;
        Ok(PlanReader {
            path: self.path.clone(),
            format: self.format,
            blocks: self.blocks.with(file),
            marks: Arc::clone(&self.marks),
            groups: self.groups.clone(),
            stretch: None,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        self.blocks.file()
    }

    pub fn changes(&self) -> usize {
        self.marks.lines()
    }

    /// Returns the change at a position. Fails if its bytes differ from those that were verified.
    pub fn change(&mut self, position: usize) -> Result<Change, PlanError> {
        match self.format {
            Format::Wide => self.parsed(position, |line, _| read_change(line)),
            Format::Compact => self.grouped(position).map(GroupedChange::into_change),
        }
    }

    /// Returns the change at a position as its group and its values. A program can keep what it prepares for a group, because equal
    /// numbers of one reader have equal groups. Fails if its bytes differ from those that were verified.
    pub fn grouped(&mut self, position: usize) -> Result<GroupedChange, PlanError> {
        match self.format {
            Format::Wide => self.change(position).map(|change| self.groups.grouped(change)),
            Format::Compact => self.parsed(position, wire::compact::read_change),
        }
    }

    /// Parses the line of the change at a position. Lines are read a stretch at a time, so changes can be visited in both
    /// directions.
    fn parsed<T>(
        &mut self,
        position: usize,
        parse: impl FnOnce(&str, &ChangeGroups) -> Result<T, String>,
    ) -> Result<T, PlanError> {
        let untrusted = |why: String| PlanError::Untrusted { path: self.path.display().to_string(), why };
        if self.stretch.as_ref().is_none_or(|stretch| !stretch.contains(position)) {
            let (first, bytes) = self.marks.stretch_of(position);
            let is_skipped = |line: &[u8]| self.format == Format::Compact && is_group(line);
            self.stretch = match self.blocks.bytes(bytes.start, bytes.end) {
                Ok(Some(bytes)) => Some(Stretch::new(first, bytes, is_skipped)),
                Ok(None) => return Err(untrusted("it was changed while it was being read".to_owned())),
                Err(error) => return Err(PlanError::unreadable(&self.path, &error)),
            };
        }
        let line = self.stretch.as_ref().and_then(|stretch| stretch.line(position));
        let line = line.ok_or_else(|| untrusted(format!("it has no change {position}")))?;
        let text = std::str::from_utf8(line).map_err(|error| untrusted(error.to_string()))?;
        parse(text, &self.groups).map_err(untrusted)
    }
}
