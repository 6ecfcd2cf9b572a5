//! How the rows of a plan stand before anything is written: each as it was, or as it is to become, or elsewhere, which
//! refuses the plan. So does an orphan that has found its parent.

use std::collections::BTreeMap;

use super::ApplyError;
use super::CHUNK;
use super::Direction;
use super::Stretch;
use super::Walk;
use super::row_of;
use crate::engine::Session;
use crate::engine::write::Writer;
use crate::model::plan::Change;
use crate::model::plan::Part;
use crate::model::plan::Standing;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::value::RowName;
use crate::model::value::Value;

/// How many rows that do not fit are told.
const TOLD: usize = 3;

/// How the rows of a plan stand.
#[derive(Default)]
pub(super) struct Found {
    pub(super) before: u64,
    pub(super) after: u64,
    /// Some of it was applied already: parents may be there because of the plan itself.
    pub(super) partly: bool,
    stale: u64,
    told: Vec<String>,
}

impl Found {
    fn tell(&mut self, change: &Change, why: &str) {
        self.stale += 1;
        if self.told.len() < TOLD {
            self.told.push(format!("{} {why}", row_of(change)));
        }
    }
}

impl Walk<'_> {
    /// How every row stands to its change. One that stands elsewhere, or is no orphan any more, refuses the plan.
    pub(super) fn inspect(&mut self, writer: &mut dyn Writer) -> Result<Found, ApplyError> {
        let mut found = Found::default();
        self.inspect_definitions(writer, &mut found)?;
        let total = self.plan.changes();
        let mut position = 0;
        while position < total {
            (self.order.progress)(position, 2 * total);
            let stretch = self.stretch(position, CHUNK)?;
            position += stretch.changes.len();
            let standings = self.standings(writer, &stretch)?;
            for (change, standing) in stretch.changes.iter().zip(&standings) {
                match standing {
                    Standing::Before => found.before += 1,
                    Standing::After => found.after += 1,
                    Standing::Other => found.tell(change, "is not as it was when the plan was made"),
                }
            }
            if self.order.direction == Direction::Apply && !found.partly {
                self.still_orphans(writer, &stretch, &standings, &mut found)?;
            }
            found.partly |= found.after > 0;
        }
        if found.stale == 0 {
            return Ok(found);
        }
        let more = found.stale.saturating_sub(found.told.len() as u64);
        let more = if more > 0 { format!("; and {}", text::plural(more, "more row")) } else { String::new() };
        let help = match self.order.direction {
            Direction::Apply => "nothing was changed: make a new plan with `fk-doctor repair`",
            Direction::Undo => {
                "nothing was changed: what was changed since can only be taken back by hand, or from the backup"
            }
        };
        Err(self.refused(format!("{}{more}", found.told.join("; ")), help))
    }

    pub(super) fn standings(&self, session: &mut dyn Session, stretch: &Stretch) -> Result<Vec<Standing>, ApplyError> {
        let rows: Vec<&RowName> = stretch.changes.iter().map(|change| &change.row).collect();
        let now = if self.absent.contains(&stretch.table) {
            vec![None; rows.len()]
        } else {
            self.rows(session, &stretch.table, &rows)?
        };
        let standing = |(change, now): (&Change, Option<RowName>)| match change.part() {
            Part::Counter => self.counter_standing(change, now.as_ref()),
            _ => change.standing(now.as_ref()),
        };
        Ok(stretch.changes.iter().zip(now).map(standing).collect())
    }

    /// A counter moves by itself when rows are made, and further when others make rows: it is only brought to where the
    /// plan says if nobody else has moved it.
    fn counter_standing(&self, change: &Change, now: Option<&RowName>) -> Standing {
        match change.standing(now) {
            Standing::Other => Standing::After,
            standing => standing,
        }
    }

    fn rows(
        &self,
        session: &mut dyn Session,
        table: &str,
        rows: &[&RowName],
    ) -> Result<Vec<Option<RowName>>, ApplyError> {
        let table = self.table(table)?;
        let mut now = vec![None; rows.len()];
        let names: Vec<&str> =
            table.columns.iter().filter(|column| !column.generated).map(|column| column.name.as_str()).collect();
        session.each_row(&self.order.surgery.rows_at(table, rows), &mut |row| {
            let [number, _, values @ ..] = row else { return };
            let place = number.as_integer().and_then(|number| usize::try_from(number).ok());
            if let Some(place) = place.and_then(|place| now.get_mut(place)) {
                *place = Some(names.iter().map(|name| (*name).to_owned()).zip(values.iter().cloned()).collect());
            }
        })?;
        Ok(now)
    }

    /// An orphan may have found a parent since: then it is no longer ours to change.
    fn still_orphans(
        &self,
        writer: &mut dyn Writer,
        stretch: &Stretch,
        standings: &[Standing],
        found: &mut Found,
    ) -> Result<(), ApplyError> {
        let mut by_relation: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for (change, _) in stretch.changes.iter().zip(standings).filter(|(_, standing)| **standing == Standing::Before)
        {
            for reason in change.reasons.iter().filter(|reason| reason.part == Part::Orphan) {
                by_relation.entry(&reason.relation).or_default().push(change);
            }
        }
        for (id, changes) in by_relation {
            let Some(relation) = self.order.schema.relations.iter().find(|relation| relation.id == id) else {
                return Err(
                    self.refused(format!("there is no relation {id} any more"), "nothing was changed: make a new plan")
                );
            };
            let rows: Vec<&RowName> = changes.iter().map(|change| &change.row).collect();
            let mut orphans = vec![false; rows.len()];
            let question = self.order.surgery.orphans_at(self.order.schema, relation, &rows);
            writer.each_row(&question, &mut |row| {
                let place = row.first().and_then(Value::as_integer).and_then(|number| usize::try_from(number).ok());
                if let Some(place) = place.and_then(|place| orphans.get_mut(place)) {
                    *place = true;
                }
            })?;
            for (change, _) in changes
                .iter()
                .zip(orphans)
                .filter(|(change, is_orphan)| !is_orphan && is_child_of(self.order.schema, relation, change))
            {
                found.tell(change, "has its parent by now");
            }
        }
        Ok(())
    }
}

/// A change may name relations of other rows that it was made for.
fn is_child_of(schema: &Schema, relation: &Relation, change: &Change) -> bool {
    schema.child(relation).name == change.table
}
