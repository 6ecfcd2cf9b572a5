//! The words of MySQL and MariaDB for a load: `LIKE` makes a temporary table with the same columns, checks and unique
//! keys.

use super::Query;
use super::equal_to_parent;
use super::in_backticks;
use super::shown;
use super::siblings::Sibling;
use super::source;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::frozen::Sql;
use crate::sql::frozen::Twin;
use crate::sql::frozen::load::Counted;
use crate::sql::frozen::load::beside::Tongue;

pub(in crate::sql::frozen) struct Tables {
    pub(in crate::sql::frozen) of: Sibling,
}

impl Tongue for Tables {
    fn quoted(&self, name: &str) -> String {
        in_backticks(name)
    }

    fn temporary(&self, name: &str) -> String {
        name.to_owned()
    }

    fn make(&self, schema: &Schema, table: &Table, name: &str) -> Vec<String> {
        let real = source(schema, table, "x");
        let real = real.strip_suffix(" AS x").unwrap_or(&real);
        let mut made = vec![
            format!("CREATE TEMPORARY TABLE {name} LIKE {real}"),
            format!("ALTER TABLE {name} ADD COLUMN fk_doctor$place bigint UNIQUE"),
        ];
        made.extend(self.twin(table, name).map(|twin| format!("CREATE TEMPORARY TABLE {} LIKE {name}", twin.name)));
        made
    }

    fn twin(&self, table: &Table, name: &str) -> Option<Twin> {
        let stored = table.columns.iter().filter(|column| !column.generated);
        let columns: Vec<String> = stored.map(|column| in_backticks(&column.name)).collect();
        let (twin, columns) = (format!("{name}_twin"), columns.join(", "));
        let renewal =
            vec![format!("DELETE FROM {twin}"), format!("INSERT INTO {twin}({columns}) SELECT {columns} FROM {name}")];
        (!self.of.names_temporary_tables_twice()).then(|| Twin { name: twin, of: name.to_owned(), renewal })
    }

    fn make_noted(&self, name: &str) -> String {
        format!("CREATE TEMPORARY TABLE {name} (place bigint PRIMARY KEY) ENGINE=InnoDB")
    }

    fn counted(&self, schema: &Schema, table: &Table) -> Sql {
        let of = table.name.schema.as_deref().or(schema.database.default_schema.as_deref()).unwrap_or_default();
        Sql::new(
            "SELECT column_name, 1 FROM information_schema.columns WHERE table_schema = ? AND table_name = ? \
             AND extra LIKE '%auto_increment%'"
                .to_owned(),
            vec![Value::text(of), Value::text(&table.name.table)],
        )
    }

    fn count_on(&self, name: &str, _: &str, column: &Counted<'_>) -> Vec<String> {
        vec![format!("ALTER TABLE {name} AUTO_INCREMENT = {}", column.next)]
    }

    fn source(&self, schema: &Schema, table: &Table, alias: &str) -> String {
        source(schema, table, alias)
    }

    fn equal(&self, schema: &Schema, relation: &Relation) -> String {
        equal_to_parent(schema, relation)
    }

    fn orphans(&self, schema: &Schema, relation: &Relation, from: &str, parent: Option<&str>) -> Sql {
        super::orphans_among(Query::default(), schema, relation, from, None, parent)
    }

    fn note(&self, noted: &str, query: &str) -> String {
        format!("INSERT IGNORE INTO {noted} {query}")
    }

    fn must_have_parent(&self, schema: &Schema, relation: &Relation, parent: Option<&str>) -> String {
        let lacks = parent.map(|parent| format!(" AND NOT EXISTS ({parent})")).unwrap_or_default();
        format!("{}{lacks}", super::complete(schema, relation))
    }

    fn given(&self, column: &Column, value: &Value, parameters: &mut Vec<Value>) -> String {
        let mut query = Query { parameters: std::mem::take(parameters) };
        let given = query.stored(Some(column), value);
        *parameters = query.parameters;
        given
    }

    fn same(&self, _: &Column, left: &str, right: &str) -> String {
        format!("{left} = {right}")
    }

    fn is_shown(&self, table: &Table, name: &str, value: &Value, parameters: &mut Vec<Value>) -> String {
        parameters.push(value.clone());
        let held = format!("child.{}", in_backticks(name));
        let column = table.columns.iter().find(|column| column.name == name);
        format!("{} <=> ?", column.map_or(held.clone(), |column| shown(&held, column)))
    }

    fn shown(&self, column: &Column, value: &str) -> String {
        shown(value, column)
    }

    fn no_columns(&self) -> &'static str {
        "NULL"
    }
}
