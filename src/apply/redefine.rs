//! Definitions that change while every row stays where it is: before the rows of a plan, and after them when it is taken
//! back. What the database then makes of the definition is held against what it made of the one before.

use super::ApplyError;
use super::Direction;
use super::Found;
use super::Walk;
use crate::engine::EngineError;
use crate::engine::write::Writer;
use crate::model::plan::Redefinition;
use crate::model::plan::Standing;
use crate::model::sql::repair::RedefiningDialect;
use crate::model::value::Value;

/// What a definition comes to: one row for each column, index, NOT NULL and foreign key.
type Shape = Vec<Vec<Value>>;

impl Walk<'_> {
    pub(super) fn inspect_definitions(&self, writer: &mut dyn Writer, found: &mut Found) -> Result<(), ApplyError> {
        for change in self.redefinitions() {
            match self.definition_standing(writer, &change)? {
                Standing::Before => found.before += 1,
                Standing::After => found.after += 1,
                Standing::Other => return Err(self.defined_otherwise(&change)),
            }
        }
        found.partly = found.after > 0;
        Ok(())
    }

    pub(super) fn redefine(&mut self, writer: &mut dyn Writer) -> Result<(), ApplyError> {
        let mut is_changed = false;
        for change in self.redefinitions() {
            match self.definition_standing(writer, &change)? {
                Standing::After => self.done.already += 1,
                Standing::Before => {
                    self.redefine_one(writer, &change)?;
                    self.done.redefined += 1;
                    is_changed = true;
                }
                Standing::Other => return Err(self.defined_otherwise(&change)),
            }
        }
        if let Some(damage) = writer.damage_anywhere().map(|damage| damage.filter(|_| is_changed))? {
            return Err(self.refused(format!("the database does not pass its own check then: {damage}"), NOTHING));
        }
        Ok(())
    }

    /// In the direction and order of the walk.
    fn redefinitions(&self) -> Vec<Redefinition> {
        let changes = self.plan.header.redefinitions.iter().cloned();
        match self.order.direction {
            Direction::Apply => changes.collect(),
            Direction::Undo => changes
                .rev()
                .map(|change| Redefinition { before: change.after, after: change.before, ..change })
                .collect(),
        }
    }

    fn definition_standing(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<Standing, ApplyError> {
        let mut standing = Standing::Other;
        writer.each_row(&self.order.surgery.definitions(), &mut |row| {
            let [kind, name, _, text] = row else { return };
            if *kind == Value::text("table") && *name == Value::text(&change.table.table) {
                standing = match text {
                    text if *text == Value::text(&change.before) => Standing::Before,
                    text if *text == Value::text(&change.after) => Standing::After,
                    _ => Standing::Other,
                };
            }
        })?;
        Ok(standing)
    }

    fn redefine_one(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<(), ApplyError> {
        if self.order.direction == Direction::Undo {
            self.refuse_new_nulls(writer, change)?;
        }
        let before = self.shape(writer, change)?;
        let others = self.other_definitions(writer, change)?;
        let rows = match writer.redefine(&self.redefining()?.redefine(change)) {
            Err(EngineError::Failed { why }) => {
                return Err(self.refused(format!("{} cannot be redefined: {why}", change.table), NOTHING));
            }
            answer => answer?,
        };
        let after = self.shape(writer, change)?;
        let (lost, gained) = match self.order.direction {
            Direction::Apply => differences(before, after),
            Direction::Undo => differences(after, before),
        };
        let is_nullable = |name: &Value| change.nullable.iter().any(|column| Value::text(column) == *name);
        let references = lost.iter().filter(|row| row[0] == Value::text("reference")).count();
        let only_nulls = lost.iter().all(|row| {
            row[0] == Value::text("reference") || (row[0] == Value::text("not null") && is_nullable(&row[1]))
        });
        let is_as_planned = rows == 1 && gained.is_empty() && only_nulls && references == change.dropped.len();
        if is_as_planned && others == self.other_definitions(writer, change)? {
            return Ok(());
        }
        let why = format!("the new definition of {} would change more than was planned", change.table);
        Err(self.refused(why, NOTHING))
    }

    fn redefining(&self) -> Result<&'static dyn RedefiningDialect, ApplyError> {
        let refused = || self.refused("the plan changes definitions, which is done on SQLite only".to_owned(), NOTHING);
        self.order.surgery.redefining().ok_or_else(refused)
    }

    fn refuse_new_nulls(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<(), ApplyError> {
        for column in &change.nullable {
            let mut found = false;
            writer.each_row(&self.redefining()?.has_null(&change.table, column), &mut |_| found = true)?;
            if found {
                let why = format!("rows of {} have been given NULL in {column} since", change.table);
                return Err(self.refused(why, "nothing was changed: fill these columns first, then take the plan back"));
            }
        }
        Ok(())
    }

    fn shape(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<Shape, ApplyError> {
        let mut shape = Shape::new();
        writer.each_row(&self.redefining()?.shape(&change.table), &mut |row| shape.push(row.to_vec()))?;
        Ok(shape)
    }

    fn other_definitions(&self, writer: &mut dyn Writer, change: &Redefinition) -> Result<Shape, ApplyError> {
        let mut others = Shape::new();
        writer.each_row(&self.order.surgery.definitions(), &mut |row| {
            let is_own = row[0] == Value::text("table") && row[1] == Value::text(&change.table.table);
            if !is_own {
                others.push(row.to_vec());
            }
        })?;
        Ok(others)
    }

    fn defined_otherwise(&self, change: &Redefinition) -> ApplyError {
        self.refused(format!("{} is defined otherwise by now", change.table), NOTHING)
    }
}

const NOTHING: &str = "nothing was changed: make a new plan with `fk-doctor repair`";

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
