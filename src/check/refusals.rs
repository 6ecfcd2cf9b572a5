//! Rows that the table itself refuses, grouped by the constraint that refuses them.

use crate::engine::Trial;
use crate::model::catalog::Table;
use crate::model::check_result::RefusedRow;
use crate::model::check_result::RefusedRows;
use crate::model::check_result::Taken;
use crate::model::explanation::Constraint;
use crate::model::finding::Code;
use crate::model::ids::TableId;
use crate::model::redaction::Redaction;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::value::Value;
use crate::sql::load::Load;

/// The largest number of groups. The limit is needed because a trigger may have a different message for every row.
const MOST: usize = 100;

pub(super) struct Refusals {
    /// The number of samples that are kept of each constraint.
    kept: usize,
    groups: Vec<Group>,
}

struct Group {
    constraint: Constraint,
    rows: u64,
    samples: Vec<Kept>,
}

/// A sample of the refused rows.
struct Kept {
    location: i64,
    /// The values of the constraint's columns.
    values: Vec<Value>,
    holder: Option<Holder>,
}

/// The row that already has a unique key.
enum Holder {
    /// A row of the real table.
    Table,
    /// A row of the load, at this location.
    Load(i64),
}

/// A refused row.
pub(super) struct Row<'r> {
    pub(super) table: TableId,
    pub(super) columns: &'r [usize],
    pub(super) values: &'r [Value],
    pub(super) location: i64,
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
        let kept = self.kept;
        let group = self.group(about);
        group.rows += 1;
        if group.samples.len() < kept {
            let found = values(schema, &group.constraint, row);
            let key = found.as_ref().filter(|_| refusal.kind == RefusalKind::Unique);
            let holder = key.and_then(|(columns, key)| holder(trial, load, schema, row, columns, key));
            let values = match found {
                Some((_, values)) => values,
                // A column that the load does not give is NULL.
                None if refusal.kind == RefusalKind::NotNull => vec![Value::Null; group.constraint.columns.len()],
                None => Vec::new(),
            };
            group.samples.push(Kept { location: row.location, values, holder });
        }
    }

    /// Adds a row whose unique key is already in the real table.
    pub(super) fn add_collision(&mut self, schema: &Schema, index: usize, row: &Row<'_>) {
        let table = &schema.tables[row.table];
        let index = &table.indexes[index];
        let columns = index.columns.iter().filter_map(|part| Some(table.columns[part.column?].name.clone()));
        let columns: Vec<String> = columns.collect();
        let about = Constraint {
            code: Code::DuplicateKey,
            table: Some(table.name.to_string()),
            message: must_be_unique(table, &columns),
            columns,
            help: "remove these rows from the load, or give them other keys".to_owned(),
        };
        let kept = self.kept;
        let group = self.group(about);
        group.rows += 1;
        if group.samples.len() < kept {
            let values = values(schema, &group.constraint, row).map_or_else(Vec::new, |(_, values)| values);
            group.samples.push(Kept { location: row.location, values, holder: Some(Holder::Table) });
        }
    }

    fn group(&mut self, about: Constraint) -> &mut Group {
        let known = self.groups.iter().position(|group| group.constraint == about);
        let index = known.unwrap_or_else(|| {
            if self.groups.len() < MOST {
                self.groups.push(Group { constraint: about, rows: 0, samples: Vec::new() });
            }
            self.groups.len() - 1
        });
        &mut self.groups[index]
    }

    pub(super) fn finish(self, name: &dyn Fn(i64) -> (String, u64), redaction: &Redaction) -> Vec<RefusedRows> {
        let refused_row = |about: &Constraint, kept: Kept| {
            let (source, line) = name(kept.location);
            let table = about.table.as_deref().unwrap_or_default();
            let shown = |(column, value): (&String, &Value)| (column.clone(), redaction.value(table, column, value));
            let values = about.columns.iter().zip(&kept.values).map(shown).collect();
            let taken = kept.holder.map(|holder| match holder {
                Holder::Table => Taken::Table,
                Holder::Load(location) => {
                    let (source, line) = name(location);
                    Taken::Row { source, line }
                }
            });
            RefusedRow { source, line, values, taken }
        };
        let refused = |group: Group| RefusedRows {
            samples: group.samples.into_iter().map(|kept| refused_row(&group.constraint, kept)).collect(),
            constraint: group.constraint,
            rows: group.rows,
        };
        self.groups.into_iter().map(refused).collect()
    }
}

/// Returns the columns of a constraint and the values of the row, for example `([2], ["a@b"])`. `None` if the constraint names no
/// columns, or if the load does not give one of the values.
fn values(schema: &Schema, about: &Constraint, row: &Row<'_>) -> Option<(Vec<usize>, Vec<Value>)> {
    let table = &schema.tables[row.table];
    let columns: Vec<usize> = about
        .columns
        .iter()
        .filter_map(|name| table.columns.iter().position(|column| schema.names.same(&column.name, name)))
        .collect();
    let value = |column: &usize| {
        let index = row.columns.iter().position(|known| known == column)?;
        row.values.get(index).cloned()
    };
    let values: Vec<Value> = columns.iter().map(value).collect::<Option<_>>()?;
    (!columns.is_empty() && columns.len() == about.columns.len()).then_some((columns, values))
}

fn holder(
    trial: &mut dyn Trial,
    load: &dyn Load,
    schema: &Schema,
    row: &Row<'_>,
    columns: &[usize],
    key: &[Value],
) -> Option<Holder> {
    let mut holder = None;
    let query = load.position_with_values(schema, row.table, columns, key);
    let outcome = trial.each_row(&query, &mut |found| {
        holder = Some(found.first().and_then(Value::as_integer).map_or(Holder::Table, Holder::Load));
    });
    outcome.ok().and(holder)
}

fn constraint(schema: &Schema, refusal: &Refusal, table: TableId) -> Constraint {
    let (code, help) = match refusal.kind {
        RefusalKind::NotNull => (Code::NotNull, "give the column a value, or define a DEFAULT"),
        RefusalKind::Unique => (Code::DuplicateKey, "remove these rows from the load, or give them other keys"),
        RefusalKind::Check => (Code::CheckFailed, "correct the values, or change the CHECK constraint"),
        RefusalKind::Value => (Code::ValueRefused, "write values that the type of the column accepts"),
        RefusalKind::Raised => (
            Code::StatementRefused,
            "a trigger refuses these rows: read the trigger, and change the rows so that it accepts them",
        ),
        _ => (Code::StatementRefused, ""),
    };
    let about = &schema.tables[table];
    let columns = if refusal.columns.is_empty() { columns_of_key(about, refusal) } else { refusal.columns.clone() };
    let message = match refusal {
        _ if !schema.database.engine.facts().refusals_name_rows => refusal.message.clone(),
        _ if refusal.kind == RefusalKind::Unique && !columns.is_empty() => must_be_unique(about, &columns),
        _ => without_the_row(&refusal.message, table, &about.name.table),
    };
    Constraint { code, table: Some(about.name.to_string()), columns, message, help: help.to_owned() }
}

fn must_be_unique(table: &Table, columns: &[String]) -> String {
    format!("{} must be unique", side(&table.name, columns.iter().map(String::as_str)))
}

/// Returns the columns of the unique key that a refusal names.
fn columns_of_key(table: &Table, refusal: &Refusal) -> Vec<String> {
    let index = table.indexes.iter().find(|index| refusal.key.as_ref() == Some(&index.name));
    let columns = index.into_iter().flat_map(|index| &index.columns);
    columns.filter_map(|part| Some(table.columns[part.column?].name.clone())).collect()
}

/// Returns a server's message in a form that is equal for all rows. It names the real table, and omits the number and the value
/// of the row.
fn without_the_row(message: &str, table: TableId, name: &str) -> String {
    let mut words = message.replace(&format!("fk_doctor$load_{table}"), name);
    if let Some((before, row)) = words.rsplit_once(" at row ")
        && row.bytes().all(|byte| byte.is_ascii_digit())
    {
        words = before.to_owned();
    }
    // value: 'x' for column …; syntax for type integer: "x"
    for quote in ['\'', '"'] {
        let Some(start) = words.find(&format!(": {quote}")) else { continue };
        let end = words.rfind(&format!("{quote} for column")).map_or(words.len(), |end| end + 1);
        words.replace_range(start..end.max(start), "");
    }
    words
}
