//! A small schema for tests.

use crate::model::catalog::Catalog;
use crate::model::catalog::Column;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::Engine;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::SideName;
use crate::model::configured::Spanned;
use crate::model::schema::Schema;

/// Returns a schema in which `c` refers to `p` by configuration. Each table has only this column.
pub(crate) fn one_relation(engine: Engine, column: &Column) -> Schema {
    let table = |name: &str| {
        let mut table = Table::new(TableName { schema: None, table: name.to_owned() }, TableKind::Table);
        table.columns = vec![column.clone()];
        table
    };
    let side = |table: &str| Spanned {
        value: SideName { table: table.to_owned(), columns: vec![column.name.clone()] },
        span: 0..0,
    };
    let relation = ConfiguredRelation {
        child: side("c"),
        parent: side("p"),
        condition: None,
        ignored: Vec::new(),
        soft_deleted: None,
        parent_may_be_missing: false,
    };
    let name = String::new();
    let database = DatabaseName { engine, name: name.clone(), version: name, default_schema: None };
    let tables = Tables::from(vec![table("c"), table("p")]);
    let catalog = Catalog { database, names: NameRule::Exact, tables, foreign_keys: Vec::new() };
    super::resolve(catalog, &[relation]).unwrap()
}
