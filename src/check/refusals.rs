//! Rows that the table itself refuses, gathered by the constraint that refuses them.

use crate::engine::Trial;
use crate::model::checked::Place;
use crate::model::checked::Refused;
use crate::model::checked::Taken;
use crate::model::explanation::Constraint;
use crate::model::finding::Code;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::schema::Schema;
use crate::model::sql::load::Load;
use crate::model::value::Value;

/// Constraints told apart; a trigger's messages may be as many as there are rows.
const MOST: usize = 100;

pub(super) struct Refusals {
    /// How many places are kept of each constraint.
    kept: usize,
    groups: Vec<Group>,
}

struct Group {
    constraint: Constraint,
    rows: u64,
    places: Vec<(i64, Option<Holder>)>,
}

/// Who has a key that must be unique.
enum Holder {
    Table,
    Place(i64),
}

/// A refused row.
pub(super) struct Row<'r> {
    pub(super) table: usize,
    pub(super) columns: &'r [usize],
    pub(super) values: &'r [Value],
    pub(super) place: i64,
}

impl Refusals {
    pub(super) fn keeping(kept: usize) -> Refusals {
        Refusals { kept, groups: Vec::new() }
    }

    pub(super) fn add(
        &mut self,
        trial: &mut dyn Trial,
        load: &dyn Load,
        schema: &Schema,
        refusal: &Refusal,
        row: &Row<'_>,
    ) {
        let about = constraint(schema, refusal, row.table);
        let known = self.groups.iter().position(|group| group.constraint == about);
        let place = known.unwrap_or_else(|| {
            if self.groups.len() < MOST {
                self.groups.push(Group { constraint: about, rows: 0, places: Vec::new() });
            }
            self.groups.len() - 1
        });
        let group = &mut self.groups[place];
        group.rows += 1;
        if group.places.len() < self.kept {
            let holder = if refusal.kind == RefusalKind::Unique {
                holder(trial, load, schema, &group.constraint, row)
            } else {
                None
            };
            group.places.push((row.place, holder));
        }
    }

    pub(super) fn finish(self, name: &dyn Fn(i64) -> (String, u64)) -> Vec<Refused> {
        let place = |(place, holder): (i64, Option<Holder>)| {
            let (source, line) = name(place);
            let taken = holder.map(|holder| match holder {
                Holder::Table => Taken::Table,
                Holder::Place(place) => {
                    let (source, line) = name(place);
                    Taken::Row { source, line }
                }
            });
            Place { source, line, taken }
        };
        let refused = |group: Group| Refused {
            constraint: group.constraint,
            rows: group.rows,
            places: group.places.into_iter().map(place).collect(),
        };
        self.groups.into_iter().map(refused).collect()
    }
}

fn holder(
    trial: &mut dyn Trial,
    load: &dyn Load,
    schema: &Schema,
    about: &Constraint,
    row: &Row<'_>,
) -> Option<Holder> {
    let table = &schema.tables[row.table];
    let unique: Vec<usize> = about
        .columns
        .iter()
        .filter_map(|name| table.columns.iter().position(|column| schema.names.same(&column.name, name)))
        .collect();
    let value = |column: &usize| {
        let place = row.columns.iter().position(|known| known == column)?;
        row.values.get(place).cloned()
    };
    let values: Vec<Value> = unique.iter().map(value).collect::<Option<_>>()?;
    if unique.is_empty() || unique.len() != about.columns.len() {
        return None;
    }
    let mut holder = None;
    let question = load.holder(schema, row.table, &unique, &values);
    let answered = trial.each_row(&question, &mut |found| {
        holder = Some(found.first().and_then(Value::as_integer).map_or(Holder::Table, Holder::Place));
    });
    answered.ok().and(holder)
}

fn constraint(schema: &Schema, refusal: &Refusal, table: usize) -> Constraint {
    let (code, help) = match refusal.kind {
        RefusalKind::NotNull => (Code::NotNull, "give the column a value, or let it have a DEFAULT"),
        RefusalKind::Unique => (Code::DuplicateKey, "leave the rows out, or give them keys of their own"),
        RefusalKind::Check => (Code::CheckFailed, "mend the values, or the CHECK"),
        RefusalKind::Value => (Code::ValueRefused, "write values of the column's own type"),
        RefusalKind::Raised => {
            (Code::StatementRefused, "a trigger refuses these rows: read it, and do what it asks for")
        }
        _ => (Code::StatementRefused, ""),
    };
    let columns = match refusal.message.split_once("constraint failed: ") {
        Some((_, list)) if matches!(refusal.kind, RefusalKind::NotNull | RefusalKind::Unique) => {
            list.split(", ").filter_map(|column| column.split_once('.')).map(|(_, name)| name.to_owned()).collect()
        }
        _ => Vec::new(),
    };
    let table = Some(schema.tables[table].name.to_string());
    Constraint { code, table, columns, message: refusal.message.clone(), help: help.to_owned() }
}
