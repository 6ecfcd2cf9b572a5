//! Changes definitions without changing rows. Definitions that allow more change before the rows of a plan. Definitions that
//! forbid or act change after them. Undo uses the reverse order. Afterwards the structure that the database reports for a table
//! is compared with the structure before.

use super::ApplyError;
use super::Direction;
use super::definitions;
use super::walk::Side;
use super::walk::Walk;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::write::Writer;
use crate::model::image_match::ImageMatch;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::state::Operation;
use crate::model::value::Value;
use crate::sql::redefine::Redefine;
use crate::sql::redefine::Step;

/// The structure of a table as the database reports it: one row for each column, index, NOT NULL and foreign key.
type Shape = Vec<Vec<Value>>;

impl Walk<'_> {
    /// Counts the definitions that must change, and those that already are as planned.
    pub(super) fn inspect_definitions(
        &self,
        session: &mut dyn Session,
        ready: &mut u64,
        already: &mut u64,
    ) -> Result<(), ApplyError> {
        if self.reading.plan.header.redefinitions.is_empty() {
            return Ok(());
        }
        let definitions = self.definitions(session)?;
        for (_, change) in self.redefinitions(Side::Before)?.iter().chain(&self.redefinitions(Side::After)?) {
            match change.compared_with(&definitions) {
                ImageMatch::Before => *ready += 1,
                ImageMatch::After => *already += 1,
                ImageMatch::Other => return Err(self.other_definition_error(change)),
            }
        }
        Ok(())
    }

    /// Changes the definitions of one side. Returns true if any was changed.
    pub(super) fn redefine(&mut self, writer: &mut dyn Writer, side: Side) -> Result<bool, ApplyError> {
        let changes = self.redefinitions(side)?;
        let mut definitions = if changes.is_empty() { Vec::new() } else { self.definitions(writer)? };
        let mut is_changed = false;
        for (index, change) in changes {
            match change.compared_with(&definitions) {
                // If definitions are committed at once, a later attempt finds the definition changed by this run.
                ImageMatch::After => self.done.already += u64::from(self.done.redefined == 0),
                ImageMatch::Before => {
                    // If definitions are committed at once, the record lists the change before it is made, and drops it after
                    // it was taken back. So undo works after an interruption at any point.
                    if self.options.direction == Direction::Apply {
                        self.note(writer, Operation::Define(index))?;
                    }
                    definitions = self
                        .redefine_one(writer, &change, definitions)
                        .inspect_err(|_| self.take_back_at_once(writer, &change))?;
                    if self.options.direction == Direction::Undo {
                        self.note(writer, Operation::Undefine(index))?;
                    }
                    self.done.redefined += 1;
                    is_changed = true;
                }
                ImageMatch::Other => return Err(self.other_definition_error(&change)),
            }
        }
        // The check reads the whole database.
        let damage = if is_changed { writer.database_damage()? } else { None };
        if let Some(damage) = damage {
            return Err(self.refused(
                format!("the database fails its integrity check after the change: {damage}"),
                self.nothing(),
            ));
        }
        Ok(is_changed)
    }

    /// Reverses a definition that was changed only in part, if no rollback undoes it.
    fn take_back_at_once(&self, writer: &mut dyn Writer, change: &Redefinition) {
        let is_done = self.definitions(writer).is_ok_and(|now| change.compared_with(&now) != ImageMatch::Before);
        if let (true, true, Ok(dialect)) = (self.options.facts().defines_at_once(), is_done, self.redefining()) {
            for step in dialect.steps(self.options.schema, &change.clone().inverse()) {
                if let Step::Statement(statement) = step {
                    // The first error is reported. The command can be repeated in either state.
                    let _ = writer.define(&statement);
                }
            }
        }
    }

    /// Returns the changes of one side in the order of the run, with their positions in the plan. Undo includes only changes that
    /// this plan made.
    fn redefinitions(&self, side: Side) -> Result<Vec<(usize, Redefinition)>, ApplyError> {
        let ours = &self.record()?.state.defined;
        let all = self.reading.plan.header.redefinitions.iter().enumerate();
        Ok(match self.options.direction {
            Direction::Apply => all
                .filter(|(_, change)| change.comes_last() == (side == Side::After))
                .map(|(index, change)| (index, change.clone()))
                .collect(),
            Direction::Undo => all
                .rev()
                .filter(|(index, change)| change.comes_last() == (side == Side::Before) && ours.contains(index))
                .map(|(index, change)| (index, change.clone().inverse()))
                .collect(),
        })
    }

    fn definitions(&self, session: &mut dyn Session) -> Result<Vec<Definition>, ApplyError> {
        Ok(definitions::listed(session, self.options.sql)?)
    }

    /// Makes one change. Returns all definitions after it.
    fn redefine_one(
        &self,
        writer: &mut dyn Writer,
        change: &Redefinition,
        definitions: Vec<Definition>,
    ) -> Result<Vec<Definition>, ApplyError> {
        let dialect = self.redefining()?;
        if self.options.direction == Direction::Undo {
            self.refuse_new_nulls(writer, change)?;
        }
        let before = self.shape(writer, change)?;
        for step in dialect.steps(self.options.schema, change) {
            let done = match &step {
                Step::Statement(statement) => writer.define(statement),
                Step::Replacement(statement) => writer.redefine(statement),
            };
            match done {
                Err(EngineError::Failed { why }) => {
                    let why = format!("the {} {} cannot be redefined: {why}", change.kind.name(), change.name);
                    return Err(self.refused(why, self.nothing()));
                }
                done => done?,
            }
        }
        let after = self.shape(writer, change)?;
        let is_as_planned = self.is_as_planned(change, before, after);
        let mut expected = definitions;
        change.apply_to(&mut expected);
        let mut now = self.definitions(writer)?;
        expected.sort();
        now.sort();
        if !is_as_planned || expected != now {
            let why = format!("the new definition of {} would change more than was planned", change.name);
            return Err(self.refused(why, self.nothing()));
        }
        if self.options.direction == Direction::Apply {
            self.prove(writer, change)?;
        }
        Ok(now)
    }

    /// True if the structure of the table differs only in what the change names.
    fn is_as_planned(&self, change: &Redefinition, before: Shape, after: Shape) -> bool {
        let (lost, gained) = differences(before, after);
        let is = |row: &[Value], kind: &str| row.first() == Some(&Value::text(kind));
        let is_named = |row: &[Value]| change.nullable.iter().any(|column| row.get(1) == Some(&Value::text(column)));
        let references = |rows: &Shape| rows.iter().filter(|row| is(row, "reference")).count();
        let no_more = |rows: &Shape, may_be_not_null: bool| {
            rows.iter().all(|row| is(row, "reference") || (may_be_not_null && is(row, "not null") && is_named(row)))
        };
        let is_undo = self.options.direction == Direction::Undo;
        let is_table = change.kind == DefinitionKind::Table;
        !is_table
            || (references(&lost) == change.dropped.len()
                && references(&gained) == change.declared.len()
                && no_more(&lost, !is_undo)
                && no_more(&gained, is_undo))
    }

    fn prove(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<(), ApplyError> {
        for proof in self.redefining()?.verification_queries(self.options.schema, change) {
            let mut found = false;
            match writer.each_row(&proof, &mut |_| found = true) {
                Err(EngineError::Failed { why }) => {
                    let why = format!("the new {} {} does not work: {why}", change.kind.name(), change.name);
                    return Err(self.refused(why, self.nothing()));
                }
                done => done?,
            }
            if found {
                let why = format!("{} has orphans, as the database's own check found", change.declared.join(", "));
                return Err(self.refused(why, self.nothing()));
            }
        }
        Ok(())
    }

    fn redefining(&self) -> Result<&'static dyn Redefine, ApplyError> {
        let refused = || {
            let title = self.options.schema.database.engine.title();
            self.refused(
                format!("the plan changes definitions, and this version cannot do that on {title}"),
                self.nothing(),
            )
        };
        self.options.sql.redefine().ok_or_else(refused)
    }

    fn refuse_new_nulls(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<(), ApplyError> {
        for column in &change.nullable {
            let mut found = false;
            writer.each_row(&self.redefining()?.rows_with_null(&change.table, column), &mut |_| found = true)?;
            if found {
                let why = format!("rows of {} have been given NULL in {column} since", change.table);
                return Err(
                    self.refused(why, "nothing was changed: replace the NULLs first, then repeat `fk-doctor undo`")
                );
            }
        }
        Ok(())
    }

    fn shape(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<Shape, ApplyError> {
        let mut shape = Shape::new();
        if let Some(query) = self.redefining()?.table_shape(&change.table) {
            writer.each_row(&query, &mut |row| shape.push(row.to_vec()))?;
        }
        Ok(shape)
    }

    fn nothing(&self) -> &'static str {
        if self.options.facts().defines_at_once() && self.done.redefined > 0 { SOMETHING } else { NOTHING }
    }

    fn other_definition_error(&self, change: &Redefinition) -> ApplyError {
        let name = match change.kind {
            DefinitionKind::Table => change.name.clone(),
            kind => format!("the {} {} of {}", kind.name(), change.name, change.table),
        };
        self.refused(format!("the definition of {name} differs from the plan"), self.nothing())
    }
}

const NOTHING: &str = "nothing was changed: make a new plan with `fk-doctor repair`";

const SOMETHING: &str = "the definitions changed so far stay, because this server commits each at once: `fk-doctor undo` takes it back, or repeat the command";

/// Returns the rows that only the first structure has, and the rows that only the second has.
fn differences(first: Shape, mut second: Shape) -> (Shape, Shape) {
    let mut lost = Shape::new();
    for row in first {
        match second.iter().position(|other| *other == row) {
            Some(index) => drop(second.swap_remove(index)),
            None => lost.push(row),
        }
    }
    (lost, second)
}
