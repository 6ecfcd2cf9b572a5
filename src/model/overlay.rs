//! A schema that is planned, laid over the tables that there are: what its foreign keys would say of today's rows.
//!
//! Which references there will be, and what is wrong with them, comes from the plan; tables, columns and how their
//! values compare are those of today.

use crate::model::catalog::Catalog;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::examination::Excluded;
use crate::model::ids::IdVec;
use crate::model::ids::TableId;
use crate::model::resolve;
use crate::model::schema::Schema;
use crate::model::schema::side;

/// Today's schema with the planned relations instead of its own, and which of them no row can be held against.
pub fn with_planned_relations(today: Catalog, planned: Catalog) -> (Schema, Vec<Excluded>) {
    let mut excluded = Vec::new();
    let mut foreign_keys = Vec::new();
    for key in &planned.foreign_keys {
        let child = &planned.tables[key.child];
        match place(today.names, &today.tables, child, key) {
            Ok(place) => foreign_keys.push(ForeignKey { child: place, ..key.clone() }),
            Err(why) => {
                let name = side(&child.name, key.columns.iter().map(String::as_str));
                excluded.push(Excluded { name, why });
            }
        }
    }
    // Nothing is configured, so there is nothing that could be at fault.
    let resolved = |catalog: Catalog| {
        let (database, names) = (catalog.database.clone(), catalog.names);
        resolve::resolve(catalog, &[]).unwrap_or(Schema {
            database,
            names,
            tables: IdVec::new(),
            relations: IdVec::new(),
        })
    };
    let mut schema = resolved(Catalog { foreign_keys, ..today });
    let planned = resolved(planned);
    for relation in &mut schema.relations {
        if let Some(wanted) = planned.relations.iter().find(|wanted| wanted.id.eq_ignore_ascii_case(&relation.id)) {
            relation.defects = wanted.defects.clone();
        }
    }
    (schema, excluded)
}

/// Where today's table is that a planned child is made of.
fn place(names: NameRule, today: &Tables, child: &Table, key: &ForeignKey) -> Result<TableId, String> {
    let same =
        |table: &Table| names.same(&table.name.table, &child.name.table) && table.name.schema == child.name.schema;
    let place = today.position(same).ok_or("the table is new: it has no rows yet")?;
    let is_there = |column: &String| today[place].columns.iter().any(|known| names.same(&known.name, column));
    match key.columns.iter().find(|column| !is_there(column)) {
        Some(column) => Err(format!("the column {column} is new: no row has a value in it yet")),
        None => Ok(place),
    }
}
