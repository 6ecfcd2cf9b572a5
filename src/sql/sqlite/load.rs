//! A load in SQLite: a temporary trigger records each inserted row with the position that was set before.

use super::recorder::record::Record;
use super::recorder::trusting_indexes;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::load::Load;
use crate::sql::load::TreatableLoad;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::quoted;
use crate::sql::scan::sqlite::orphans_where;

pub(in crate::sql) struct CopyLoad;

impl Load for CopyLoad {
    fn create_load_tables(&self, schema: &Schema, tables: &[TableId]) -> Vec<Sql> {
        let mut statements = vec![
            "CREATE TEMP TABLE \"fk_doctor$round\"(number INT)".to_owned(),
            "INSERT INTO temp.\"fk_doctor$round\" VALUES (0)".to_owned(),
            "CREATE TEMP TABLE \"fk_doctor$noted\"(place INTEGER PRIMARY KEY)".to_owned(),
        ];
        for &table in tables {
            statements.extend(Record::of(schema, table).create_for_inserts());
        }
        statements.into_iter().map(plain).collect()
    }

    /// The load inserts one row at a time, so SQLite itself checks every constraint for each.
    fn insert(&self, schema: &Schema, table: TableId, columns: &[usize], rows: &[(i64, Vec<Value>)]) -> Vec<Sql> {
        let about = &schema.tables[table];
        let names: Vec<String> = columns.iter().map(|&column| quoted(&about.columns[column].name)).collect();
        let table = quoted(&about.name.table);
        let mut statements = Vec::new();
        for (position, values) in rows {
            let mut query = Sqlite.query();
            let position = query.parameter(Value::Integer(*position));
            statements.push(query.finish(format!("UPDATE temp.\"fk_doctor$round\" SET number = {position}")));
            let mut query = Sqlite.query();
            let values: Vec<String> = values.iter().map(|value| query.parameter(value.clone())).collect();
            let row = match names.is_empty() {
                true => " DEFAULT VALUES".to_owned(),
                false => format!("({}) VALUES ({})", names.join(", "), values.join(", ")),
            };
            statements.push(query.finish(format!("INSERT INTO main.{table}{row}")));
        }
        statements
    }

    fn loaded_orphans(&self, schema: &Schema, relation: RelationId) -> Sql {
        orphans_where(
            schema,
            &schema.relations[relation],
            &trusting_indexes(),
            Some(&is_loaded_child(schema, relation)),
        )
    }

    fn insert_orphan_positions(&self, schema: &Schema, relation: RelationId) -> Sql {
        let about = &schema.relations[relation];
        let record = Record::of(schema, about.child);
        let mut query = Sqlite.query();
        let condition = Sqlite.orphan_condition(&mut query, schema, about);
        query.finish(format!(
            "{}INSERT OR IGNORE INTO temp.\"fk_doctor$noted\" SELECT was.round FROM temp.{} AS was CROSS JOIN {} ON {} WHERE {condition}",
            Sqlite.parent_keys(schema, about),
            record.name(),
            Sqlite.source(None, schema.child(about), "child", Reading::AnyIndex),
            record.is_current_row("was", "child"),
        ))
    }

    fn count_orphan_positions(&self) -> Sql {
        plain("SELECT count(*) FROM temp.\"fk_doctor$noted\"".to_owned())
    }

    fn position_of_row(&self, schema: &Schema, table: TableId, row: &RowName) -> Sql {
        let record = Record::of(schema, table);
        let mut query = Sqlite.query();
        let named: Vec<String> = row
            .iter()
            .map(|(name, value)| format!("child.{} IS {}", quoted(name), query.parameter(value.clone())))
            .collect();
        query.finish(format!(
            "SELECT was.round FROM {} CROSS JOIN temp.{} AS was ON {} WHERE {} LIMIT 1",
            Sqlite.source(None, &schema.tables[table], "child", Reading::AnyIndex),
            record.name(),
            record.is_current_row("was", "child"),
            named.join(" AND ")
        ))
    }

    fn position_with_values(&self, schema: &Schema, table: TableId, columns: &[usize], values: &[Value]) -> Sql {
        let about = &schema.tables[table];
        let record = Record::of(schema, table);
        let mut query = Sqlite.query();
        let equal: Vec<String> = columns
            .iter()
            .zip(values)
            .map(|(&column, value)| {
                format!("child.{} = {}", quoted(&about.columns[column].name), query.parameter(value.clone()))
            })
            .collect();
        query.finish(format!(
            "SELECT was.round FROM {} LEFT JOIN temp.{} AS was ON {} WHERE {} LIMIT 1",
            Sqlite.source(None, about, "child", Reading::AnyIndex),
            record.name(),
            record.is_current_row("was", "child"),
            equal.join(" AND ")
        ))
    }

    fn staged_rows(&self, schema: &Schema, table: TableId, columns: &[usize]) -> Sql {
        let about = &schema.tables[table];
        let names: Vec<String> =
            columns.iter().map(|&column| format!("staged.{}", quoted(&about.columns[column].name))).collect();
        let address = about.row_address.as_ref().map_or("NULL".to_owned(), |name| format!("staged.{}", quoted(name)));
        let values: Vec<String> = std::iter::once(address).chain(names).collect();
        plain(format!("SELECT {} FROM {}", values.join(", "), Sqlite.source(None, about, "staged", Reading::AnyIndex)))
    }
}

/// The table of the names of the load's rows. It is in the database itself, so a copy of the trial has it too.
const LOADED_ROWS: &str = "main.\"fk_doctor$rows\"";

impl TreatableLoad for CopyLoad {
    fn save_loaded_rows(&self, schema: &Schema, table: TableId) -> Vec<Sql> {
        let record = Record::of(schema, table);
        let names: Vec<String> =
            record.identity.iter().enumerate().map(|(i, name)| format!("{} AS k{i}", record.after(name))).collect();
        let save = format!("CREATE TABLE {LOADED_ROWS} AS SELECT {} FROM temp.{}", names.join(", "), record.name());
        let by_position = format!("CREATE INDEX temp.\"fk_doctor$place_{table}\" ON {}(round)", record.name());
        [save, by_position].map(plain).into()
    }

    fn is_loaded(&self, schema: &Schema, table: TableId) -> String {
        let record = Record::of(schema, table);
        let child: Vec<String> = record.identity.iter().map(|name| format!("child.{}", quoted(name))).collect();
        let columns: Vec<String> = (0..child.len()).map(|i| format!("k{i}")).collect();
        format!("({}) IN (SELECT {} FROM {LOADED_ROWS})", child.join(", "), columns.join(", "))
    }

    fn matches_no_row(&self) -> String {
        "0".to_owned()
    }

    fn clear_position(&self) -> Vec<Sql> {
        vec![plain("UPDATE temp.\"fk_doctor$round\" SET number = 0".to_owned())]
    }

    fn delete_orphan_positions(&self) -> Sql {
        plain("DELETE FROM temp.\"fk_doctor$noted\"".to_owned())
    }

    fn treated_row(&self, schema: &Schema, table: TableId, columns: &[usize], position: i64) -> Sql {
        let about = &schema.tables[table];
        let record = Record::of(schema, table);
        let mut query = Sqlite.query();
        let position = query.parameter(Value::Integer(position));
        let held = columns.iter().map(|&column| {
            let name = &about.columns[column].name;
            let child = format!("child.{}", quoted(name));
            format!(", {child} IS NOT was.{}, {child}", record.after(name))
        });
        query.finish(format!(
            "SELECT 1{} FROM temp.{} AS was CROSS JOIN {} ON {} WHERE was.round = {position} \
             AND NOT EXISTS (SELECT 1 FROM temp.\"fk_doctor$noted\" AS noted WHERE noted.place = was.round)",
            held.collect::<String>(),
            record.name(),
            Sqlite.source(None, about, "child", Reading::AnyIndex),
            record.is_current_row("was", "child"),
        ))
    }
}

/// Returns the condition that a child row came with the load.
fn is_loaded_child(schema: &Schema, relation: RelationId) -> String {
    let record = Record::of(schema, schema.relations[relation].child);
    let child: Vec<String> = record.identity.iter().map(|name| format!("child.{}", quoted(name))).collect();
    let names: Vec<String> = record.identity.iter().map(|name| record.after(name)).collect();
    format!("({}) IN (SELECT {} FROM temp.{})", child.join(", "), names.join(", "), record.name())
}
