//! Checks a planned schema against the existing rows: the foreign keys of the plan over the tables of the database.
//!
//! The relations and their defects come from the planned schema. The tables, the columns and the rules of comparison
//! come from the database.

use crate::model::catalog::Catalog;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::examination::Excluded;
use crate::model::ids::IdVec;
use crate::model::ids::TableId;
use crate::model::resolve;
use crate::model::schema::Omitted;
use crate::model::schema::Schema;
use crate::model::schema::side;

/// Returns the current schema with the planned relations instead of its own, and the relations that no row can be
/// checked against.
pub fn with_planned_relations(today: Catalog, planned: Catalog) -> (Schema, Vec<Excluded>) {
    let mut excluded = Vec::new();
    let mut foreign_keys = Vec::new();
    for key in &planned.foreign_keys {
        let child = &planned.tables[key.child];
        match existing_child(today.names, &today.tables, child, key) {
            Ok(child) => foreign_keys.push(ForeignKey { child, ..key.clone() }),
            Err(why) => {
                let name = side(&child.name, key.columns.iter().map(String::as_str));
                excluded.push(Excluded { name, why });
            }
        }
    }
    // Only configured relations can have faults, and there are none.
    let resolved = |catalog: Catalog| {
        let (database, names) = (catalog.database.clone(), catalog.names);
        resolve::resolve(catalog, &[]).unwrap_or(Schema {
            database,
            names,
            tables: IdVec::new(),
            relations: IdVec::new(),
            omitted: Omitted::default(),
        })
    };
    let mut schema = resolved(Catalog { foreign_keys, ..today });
    let planned = resolved(planned);
    for relation in &mut schema.relations {
        let counterpart = planned.relations.iter().find(|planned| planned.id.eq_ignore_ascii_case(&relation.id));
        if let Some(counterpart) = counterpart {
            relation.defects = counterpart.defects.clone();
        }
    }
    (schema, excluded)
}

/// Returns the existing table with the name of a planned child, or the reason why its rows cannot be checked.
fn existing_child(names: NameRule, tables: &Tables, child: &Table, key: &ForeignKey) -> Result<TableId, String> {
    let same =
        |table: &Table| names.same(&table.name.table, &child.name.table) && table.name.schema == child.name.schema;
    let id = tables.position(same).ok_or("the table is new and has no rows yet")?;
    let exists = |column: &String| tables[id].columns.iter().any(|known| names.same(&known.name, column));
    match key.columns.iter().find(|column| !exists(column)) {
        Some(column) => Err(format!("the column {column} is new, so no row has a value in it yet")),
        None => Ok(id),
    }
}
