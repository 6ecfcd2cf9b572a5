//! A schema as JSON: `fk-doctor/schema@1`.

use serde::Serialize;

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::relation::Relation;
use crate::model::schema::Omitted;
use crate::model::schema::Schema;
use crate::report::health::Health;
use crate::report::json::Database;
use crate::report::json::TOOL;
use crate::report::json::Tool;
use crate::report::json::WireRelation;
use crate::report::json::document;

pub(in crate::report) fn render(schema: &Schema) -> String {
    document(&Report {
        format: "fk-doctor/schema@1",
        tool: TOOL,
        database: Database::of(&schema.database),
        tables: schema.tables.iter().map(WireTable::of).collect(),
        relations: schema.relations.iter().map(|relation| WireRelationHealth::of(schema, relation)).collect(),
        omitted: (schema.omitted != Omitted::default())
            .then_some(WireOmitted { tables: schema.omitted.tables, relations: schema.omitted.relations }),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    tool: Tool,
    database: Database<'a>,
    tables: Vec<WireTable<'a>>,
    relations: Vec<WireRelationHealth<'a>>,
    /// Absent if the report contains the whole schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<WireOmitted>,
}

#[derive(Serialize)]
struct WireOmitted {
    tables: usize,
    relations: usize,
}

#[derive(Serialize)]
struct WireTable<'a> {
    schema: Option<&'a str>,
    name: &'a str,
    kind: &'static str,
    columns: Vec<WireColumn<'a>>,
    /// The reason why a scan skips the rows of this table, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_alone: Option<&'static str>,
}

impl<'a> WireTable<'a> {
    fn of(table: &'a Table) -> WireTable<'a> {
        let (kind, left_alone) = match table.kind {
            TableKind::Table => ("table", None),
            TableKind::Partitioned => ("partitioned", None),
            TableKind::View => ("view", None),
            TableKind::Virtual => ("virtual", Some("its rows come from a module's code, which a scan does not run")),
            TableKind::Shadow => ("shadow", Some("it is the storage behind a virtual table")),
        };
        WireTable {
            schema: table.name.schema.as_deref(),
            name: &table.name.table,
            kind,
            columns: table
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| WireColumn::of(table, index, column))
                .collect(),
            left_alone,
        }
    }
}

#[derive(Serialize)]
struct WireColumn<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    declared_type: &'a str,
    not_null: bool,
    /// Position in the primary key, from 1.
    primary_key: Option<usize>,
    generated: bool,
}

impl<'a> WireColumn<'a> {
    fn of(table: &Table, index: usize, column: &'a Column) -> WireColumn<'a> {
        WireColumn {
            name: &column.name,
            declared_type: &column.declared_type,
            not_null: column.not_null,
            primary_key: table.primary_key.iter().position(|&key| key == index).map(|position| position + 1),
            generated: column.generated,
        }
    }
}

#[derive(Serialize)]
struct WireRelationHealth<'a> {
    #[serde(flatten)]
    about: WireRelation<'a>,
    health: &'static str,
    defects: Vec<WireDefect<'a>>,
}

impl<'a> WireRelationHealth<'a> {
    fn of(schema: &'a Schema, relation: &'a Relation) -> WireRelationHealth<'a> {
        WireRelationHealth {
            about: WireRelation::of(schema, relation),
            health: Health::of(relation).name(),
            defects: relation
                .defects
                .iter()
                .map(|defect| WireDefect {
                    code: defect.code.name(),
                    severity: defect.code.severity().name(),
                    message: &defect.message,
                    help: &defect.help,
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct WireDefect<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    help: &'a str,
}
