//! Rows that the table itself refuses, gathered by the constraint that refuses them.

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
    places: Vec<Kept>,
}

/// A refused row of which more is kept than its number.
struct Kept {
    place: i64,
    /// The values of the key that must be unique.
    key: Vec<Value>,
    holder: Option<Holder>,
}

/// Who has a key that must be unique.
enum Holder {
    Table,
    Place(i64),
}

/// A refused row.
pub(super) struct Row<'r> {
    pub(super) table: TableId,
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
        let kept = self.kept;
        let group = self.group(about);
        group.rows += 1;
        if group.places.len() < kept {
            let unique = refusal.kind == RefusalKind::Unique;
            let key = if unique { key(schema, &group.constraint, row) } else { None };
            let holder = key.as_ref().and_then(|(columns, key)| holder(trial, load, schema, row, columns, key));
            let key = key.map_or_else(Vec::new, |(_, key)| key);
            group.places.push(Kept { place: row.place, key, holder });
        }
    }

    /// The row has a unique key that the real table has already.
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
            help: "leave the rows out, or give them keys of their own".to_owned(),
        };
        let kept = self.kept;
        let group = self.group(about);
        group.rows += 1;
        if group.places.len() < kept {
            let key = key(schema, &group.constraint, row).map_or_else(Vec::new, |(_, key)| key);
            group.places.push(Kept { place: row.place, key, holder: Some(Holder::Table) });
        }
    }

    fn group(&mut self, about: Constraint) -> &mut Group {
        let known = self.groups.iter().position(|group| group.constraint == about);
        let place = known.unwrap_or_else(|| {
            if self.groups.len() < MOST {
                self.groups.push(Group { constraint: about, rows: 0, places: Vec::new() });
            }
            self.groups.len() - 1
        });
        &mut self.groups[place]
    }

    pub(super) fn finish(self, name: &dyn Fn(i64) -> (String, u64), redaction: &Redaction) -> Vec<RefusedRows> {
        let place = |about: &Constraint, kept: Kept| {
            let (source, line) = name(kept.place);
            let table = about.table.as_deref().unwrap_or_default();
            let shown = |(column, value): (&String, &Value)| (column.clone(), redaction.value(table, column, value));
            let key = about.columns.iter().zip(&kept.key).map(shown).collect();
            let taken = kept.holder.map(|holder| match holder {
                Holder::Table => Taken::Table,
                Holder::Place(place) => {
                    let (source, line) = name(place);
                    Taken::Row { source, line }
                }
            });
            RefusedRow { source, line, key, taken }
        };
        let refused = |group: Group| RefusedRows {
            samples: group.places.into_iter().map(|kept| place(&group.constraint, kept)).collect(),
            constraint: group.constraint,
            rows: group.rows,
        };
        self.groups.into_iter().map(refused).collect()
    }
}

/// Returns the columns of a unique key, and what the row has in them: `([2], ["a@b"])`. `None` where a value is the
/// column's default.
fn key(schema: &Schema, about: &Constraint, row: &Row<'_>) -> Option<(Vec<usize>, Vec<Value>)> {
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
    (!unique.is_empty() && unique.len() == about.columns.len()).then_some((unique, values))
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
    let question = load.position_with_values(schema, row.table, columns, key);
    let answered = trial.each_row(&question, &mut |found| {
        holder = Some(found.first().and_then(Value::as_integer).map_or(Holder::Table, Holder::Place));
    });
    answered.ok().and(holder)
}

fn constraint(schema: &Schema, refusal: &Refusal, table: TableId) -> Constraint {
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

/// A server's words, the same for every row: about the real table, and without the row's number and value.
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
