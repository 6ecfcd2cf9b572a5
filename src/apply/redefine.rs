//! Definitions that change while every row stays where it is: what allows more before the rows of a plan, what forbids
//! or acts after them; the other way round when it is taken back. What the database then makes of a definition is held
//! against what it made of the one before.

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

/// What a definition comes to: one row for each column, index, NOT NULL and foreign key.
type Shape = Vec<Vec<Value>>;

impl Walk<'_> {
    /// Counts the definitions that are still to change, and those that are as they are to become, whoever made them so.
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
                ImageMatch::Other => return Err(self.defined_otherwise(change)),
            }
        }
        Ok(())
    }

    /// Whether any was changed.
    pub(super) fn redefine(&mut self, writer: &mut dyn Writer, side: Side) -> Result<bool, ApplyError> {
        let mut is_changed = false;
        for (place, change) in self.redefinitions(side)? {
            let definitions = self.definitions(writer)?;
            match change.compared_with(&definitions) {
                // Where a change is committed at once, it is met again.
                ImageMatch::After => self.done.already += u64::from(self.done.redefined == 0),
                ImageMatch::Before => {
                    // Where it is committed at once, the record claims it before it is changed, and gives it up after it was
                    // changed back: whatever happens in between, it can be taken back.
                    if self.order.direction == Direction::Apply {
                        self.note(writer, Operation::Define(place))?;
                    }
                    self.redefine_one(writer, &change, &definitions)
                        .inspect_err(|_| self.take_back_at_once(writer, &change))?;
                    if self.order.direction == Direction::Undo {
                        self.note(writer, Operation::Undefine(place))?;
                    }
                    self.done.redefined += 1;
                    is_changed = true;
                }
                ImageMatch::Other => return Err(self.defined_otherwise(&change)),
            }
        }
        if let Some(damage) = writer.database_damage().map(|damage| damage.filter(|_| is_changed))? {
            return Err(
                self.refused(format!("the database does not pass its own check then: {damage}"), self.nothing())
            );
        }
        Ok(is_changed)
    }

    /// What no rollback undoes is done the other way round, as far as it was done.
    fn take_back_at_once(&self, writer: &mut dyn Writer, change: &Redefinition) {
        let is_done = self.definitions(writer).is_ok_and(|now| change.compared_with(&now) != ImageMatch::Before);
        if let (true, true, Ok(dialect)) = (self.order.facts().defines_at_once(), is_done, self.redefining()) {
            for step in dialect.steps(self.order.schema, &change.clone().inverse()) {
                if let Step::Statement(statement) = step {
                    // The failure is what is told; the same command goes on from either state.
                    let _ = writer.define(&statement);
                }
            }
        }
    }

    /// In the direction and order of the walk, with their positions in the plan. Only what was changed by us is taken back.
    fn redefinitions(&self, side: Side) -> Result<Vec<(usize, Redefinition)>, ApplyError> {
        let ours = &self.record()?.state.defined;
        let all = self.reading.plan.header.redefinitions.iter().enumerate();
        Ok(match self.order.direction {
            Direction::Apply => all
                .filter(|(_, change)| change.comes_last() == (side == Side::After))
                .map(|(place, change)| (place, change.clone()))
                .collect(),
            Direction::Undo => all
                .rev()
                .filter(|(place, change)| change.comes_last() == (side == Side::Before) && ours.contains(place))
                .map(|(place, change)| (place, change.clone().inverse()))
                .collect(),
        })
    }

    fn definitions(&self, session: &mut dyn Session) -> Result<Vec<Definition>, ApplyError> {
        Ok(definitions::listed(session, self.order.surgery)?)
    }

    fn redefine_one(
        &self,
        writer: &mut dyn Writer,
        change: &Redefinition,
        definitions: &[Definition],
    ) -> Result<(), ApplyError> {
        let dialect = self.redefining()?;
        if self.order.direction == Direction::Undo {
            self.refuse_new_nulls(writer, change)?;
        }
        let before = self.shape(writer, change)?;
        for step in dialect.steps(self.order.schema, change) {
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
        let mut expected = definitions.to_vec();
        change.apply_to(&mut expected);
        let mut now = self.definitions(writer)?;
        expected.sort();
        now.sort();
        if !is_as_planned || expected != now {
            let why = format!("the new definition of {} would change more than was planned", change.name);
            return Err(self.refused(why, self.nothing()));
        }
        if self.order.direction == Direction::Apply { self.prove(writer, change) } else { Ok(()) }
    }

    /// Only what was named is another in what the database makes of the table.
    fn is_as_planned(&self, change: &Redefinition, before: Shape, after: Shape) -> bool {
        let (lost, gained) = differences(before, after);
        let is = |row: &[Value], what: &str| row.first() == Some(&Value::text(what));
        let is_named = |row: &[Value]| change.nullable.iter().any(|column| row.get(1) == Some(&Value::text(column)));
        let references = |rows: &Shape| rows.iter().filter(|row| is(row, "reference")).count();
        let no_more = |rows: &Shape, may_be_not_null: bool| {
            rows.iter().all(|row| is(row, "reference") || (may_be_not_null && is(row, "not null") && is_named(row)))
        };
        let is_undo = self.order.direction == Direction::Undo;
        let is_table = change.kind == DefinitionKind::Table;
        !is_table
            || (references(&lost) == change.dropped.len()
                && references(&gained) == change.declared.len()
                && no_more(&lost, !is_undo)
                && no_more(&gained, is_undo))
    }

    fn prove(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<(), ApplyError> {
        for proof in self.redefining()?.verification_queries(self.order.schema, change) {
            let mut found = false;
            match writer.each_row(&proof, &mut |_| found = true) {
                Err(EngineError::Failed { why }) => {
                    let why = format!("the new {} {} does not work: {why}", change.kind.name(), change.name);
                    return Err(self.refused(why, self.nothing()));
                }
                done => done?,
            }
            if found {
                let why = format!("{} has orphans, as the database itself finds", change.declared.join(", "));
                return Err(self.refused(why, self.nothing()));
            }
        }
        Ok(())
    }

    fn redefining(&self) -> Result<&'static dyn Redefine, ApplyError> {
        let refused = || {
            let title = self.order.schema.database.engine.title();
            self.refused(
                format!("the plan changes definitions, which this version does not do on {title}"),
                self.nothing(),
            )
        };
        self.order.surgery.redefine().ok_or_else(refused)
    }

    fn refuse_new_nulls(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<(), ApplyError> {
        for column in &change.nullable {
            let mut found = false;
            writer.each_row(&self.redefining()?.rows_with_null(&change.table, column), &mut |_| found = true)?;
            if found {
                let why = format!("rows of {} have been given NULL in {column} since", change.table);
                return Err(self.refused(why, "nothing was changed: fill these columns first, then take the plan back"));
            }
        }
        Ok(())
    }

    fn shape(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<Shape, ApplyError> {
        let mut shape = Shape::new();
        if let Some(question) = self.redefining()?.table_shape(&change.table) {
            writer.each_row(&question, &mut |row| shape.push(row.to_vec()))?;
        }
        Ok(shape)
    }

    fn nothing(&self) -> &'static str {
        if self.order.facts().defines_at_once() && self.done.redefined > 0 { SOMETHING } else { NOTHING }
    }

    fn defined_otherwise(&self, change: &Redefinition) -> ApplyError {
        let what = match change.kind {
            DefinitionKind::Table => change.name.clone(),
            kind => format!("the {} {} of {}", kind.name(), change.name, change.table),
        };
        self.refused(format!("{what} is defined otherwise by now"), self.nothing())
    }
}

const NOTHING: &str = "nothing was changed: make a new plan with `fk-doctor repair`";

const SOMETHING: &str = "what was defined before stays, as this server commits it at once: `fk-doctor undo` takes it back, or run the same command again";

/// What only the first has, and what only the second has.
fn differences(first: Shape, mut second: Shape) -> (Shape, Shape) {
    let mut lost = Shape::new();
    for row in first {
        match second.iter().position(|other| *other == row) {
            Some(place) => drop(second.swap_remove(place)),
            None => lost.push(row),
        }
    }
    (lost, second)
}
