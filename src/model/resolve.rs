//! Turns a catalog into a schema: resolves every name, judges every parent key and names every defect.
//!
//! All engines share this code. A faulty definition is not an error, but a defect of its relation. A configuration is
//! refused if it names tables or columns that do not exist.

use std::collections::HashMap;

use crate::model::catalog::Action;
use crate::model::catalog::Catalog;
use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Match;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::Fault;
use crate::model::configured::SideName;
use crate::model::ids::TableId;
use crate::model::pattern::Pattern;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::relation::Parent;
use crate::model::relation::Relation;
use crate::model::relation::Scope;
use crate::model::schema::Omitted;
use crate::model::schema::Schema;
use crate::model::schema::side;

mod columns;
mod configured;
pub mod discovered;
mod flaws;
mod parent_key;
#[cfg(test)]
pub(crate) mod sample;

pub use parent_key::duplicates_query;
pub use parent_key::suggested_index;

/// Resolves a catalog and the relations of a configuration. Returns the schema, or all faults of the configuration.
pub fn resolve(catalog: Catalog, configured: &[ConfiguredRelation]) -> Result<Schema, Vec<Fault>> {
    let Catalog { database, names, mut tables, foreign_keys } = catalog;
    mark_virtual(&mut tables, database.engine);
    add_named_columns(&mut tables, configured);
    let equality = database.engine.facts().equality;
    let by_name = TablesByName::new(names, &tables);
    let mut relations: Vec<Relation> =
        foreign_keys.iter().map(|key| declared(database.engine, &by_name, &tables, key)).collect();
    configured::add(names, equality, &tables, configured, &mut relations)?;
    number_duplicates(&mut relations);
    Ok(Schema { database, names, tables, relations: relations.into(), omitted: Omitted::default() })
}

/// Returns the tables that relations name, if the relations are for another database.
pub fn foreign_tables(catalog: &Catalog, configured: &[ConfiguredRelation]) -> Vec<String> {
    configured::foreign_tables(catalog.names, &catalog.tables, configured)
}

/// Marks the tables that a scan does not read, because that would run code outside the database.
fn mark_virtual(tables: &mut Tables, engine: Engine) {
    for table in tables.iter_mut().filter(|table| table.kind == TableKind::Virtual) {
        table.unreadable.get_or_insert_with(|| engine.facts().virtual_table.to_owned());
    }
}

/// Adds the columns that relations name to tables that cannot be read, so that such a relation is unchecked and no fault of
/// the configuration. A glob names a table whose columns are not known, because it may have them.
fn add_named_columns(tables: &mut Tables, configured: &[ConfiguredRelation]) {
    for table in tables.iter_mut().filter(|table| table.unreadable.is_some()) {
        let name = table.name.to_string();
        let is_unknown = table.columns.is_empty() && table.kind != TableKind::Virtual;
        let is_meant = |side: &&SideName| {
            side.table == name || is_unknown && Pattern::new(&side.table).is_ok_and(|pattern| pattern.matches(&name))
        };
        let sides = configured.iter().flat_map(|relation| [&relation.child.value, &relation.parent.value]);
        for name in sides.filter(is_meant).flat_map(|side| &side.columns) {
            if table.columns.iter().all(|column| column.name != *name) {
                table.columns.push(Column::unknown(name.clone()));
            }
        }
    }
}

fn declared(engine: Engine, by_name: &TablesByName, tables: &Tables, key: &ForeignKey) -> Relation {
    let names = by_name.names;
    let child = &tables[key.child];
    let child_columns: Vec<usize> = key.columns.iter().filter_map(|name| column(names, child, name)).collect();
    let mut defects = Vec::new();
    let (parent, judge) = parent_key::judge(engine.facts(), by_name, tables, key, &mut defects);
    flaws::name(engine, tables, key, &mut defects);
    if let Some(table) = parent.table
        && !parent.columns.is_empty()
    {
        let equality = engine.facts().equality;
        let parent_table = &tables[table];
        columns::compare(
            child,
            &child_columns,
            parent_table,
            &parent.columns,
            &key.comparisons,
            equality,
            &mut defects,
        );
        columns::child_index(engine, child, &child_columns, &mut defects);
    }
    Relation {
        id: relation_id(child, &child_columns, &parent),
        name: key.name.clone(),
        origin: Origin::Declared,
        configured: None,
        child: key.child,
        child_columns,
        parent,
        on_delete: key.on_delete,
        on_delete_columns: key.on_delete_columns.clone(),
        on_update: key.on_update,
        match_rule: key.match_rule,
        deferrable: key.deferrable,
        comparisons: key.comparisons.clone(),
        scope: Scope::default(),
        judge,
        defects,
    }
}

fn relation_id(child: &Table, child_columns: &[usize], parent: &Parent) -> String {
    let child_names = child_columns.iter().map(|&column| child.columns[column].name.as_str());
    let child_side = side(&child.name, child_names);
    child_side + "->" + &side(&parent.name, parent.column_names.iter().map(String::as_str))
}

/// Gives each relation its own id: a reference that is declared again gets a number, such as `#2`.
fn number_duplicates(relations: &mut [Relation]) {
    let mut seen = HashMap::new();
    for relation in relations {
        let times = seen.entry(relation.id.clone()).or_insert(0_u32);
        *times += 1;
        if *times > 1 {
            relation.id = format!("{}#{times}", relation.id);
        }
    }
}

/// The tables of a catalog by their names, by the engine's rule for equal names.
struct TablesByName {
    names: NameRule,
    ids: HashMap<TableName, TableId>,
}

impl TablesByName {
    fn new(names: NameRule, tables: &Tables) -> TablesByName {
        let mut ids = HashMap::with_capacity(tables.len());
        for (id, table) in tables.entries() {
            ids.entry(Self::key(names, &table.name)).or_insert(id);
        }
        TablesByName { names, ids }
    }

    fn find(&self, wanted: &TableName) -> Option<TableId> {
        self.ids.get(&Self::key(self.names, wanted)).copied()
    }

    /// Returns a name that is equal for equal names. A schema's name is always exact.
    fn key(names: NameRule, name: &TableName) -> TableName {
        let table = match names {
            NameRule::Exact => name.table.clone(),
            NameRule::AsciiCaseless => name.table.to_ascii_lowercase(),
        };
        TableName { schema: name.schema.clone(), table }
    }
}

fn column(names: NameRule, table: &Table, wanted: &str) -> Option<usize> {
    table.columns.iter().position(|column| names.same(&column.name, wanted))
}
