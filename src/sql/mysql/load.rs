//! The words of MySQL and MariaDB for a load: `LIKE` makes a temporary table with the same columns, checks and unique
//! keys.

use super::siblings::Sibling;
use crate::model::catalog::Table;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::mysql::MARIADB;
use crate::sql::grammar::mysql::MYSQL;
use crate::sql::in_backticks;
use crate::sql::load::Counted;
use crate::sql::load::beside::Tongue;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::Twin;
use crate::sql::repair::Repair;

pub(in crate::sql) struct Tables {
    pub(in crate::sql) of: Sibling,
}

impl Tongue for Tables {
    fn grammar(&self) -> &'static dyn Repair {
        match self.of {
            Sibling::Mysql => &MYSQL,
            Sibling::Mariadb => &MARIADB,
        }
    }

    fn temporary(&self, name: &str) -> String {
        name.to_owned()
    }

    fn make(&self, schema: &Schema, table: &Table, name: &str) -> Vec<String> {
        let real = MYSQL.table_name(schema.database.default_schema.as_deref(), table);
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
        let mut query = MYSQL.query();
        query.extend([Value::text(of), Value::text(&table.name.table)]);
        query.finish(
            "SELECT column_name, 1 FROM information_schema.columns WHERE table_schema = ? AND table_name = ? \
             AND extra LIKE '%auto_increment%'"
                .to_owned(),
        )
    }

    fn count_on(&self, name: &str, _: &str, column: &Counted<'_>) -> Vec<String> {
        vec![format!("ALTER TABLE {name} AUTO_INCREMENT = {}", column.next)]
    }

    fn note(&self, noted: &str, query: &str) -> String {
        format!("INSERT IGNORE INTO {noted} {query}")
    }

    fn is_shown(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String {
        let held = MYSQL.of("child", name);
        let held = column(table, name).map_or_else(|| held.clone(), |column| MYSQL.shown(&held, column));
        format!("{held} <=> {}", query.parameter(value.clone()))
    }
}
