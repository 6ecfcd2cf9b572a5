//! The record of a statement in MySQL and MariaDB: a row is known by its primary key.

use super::copies::apart;
use super::siblings::Sibling;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::foresight::RECORDS;
use crate::sql::foresight::Tongue;
use crate::sql::grammar::mysql as grammar;
use crate::sql::in_backticks;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::repair::Repair;

pub(in crate::sql) struct PrimaryKey {
    of: Sibling,
}

pub(in crate::sql) static MYSQL: PrimaryKey = PrimaryKey { of: Sibling::Mysql };
pub(in crate::sql) static MARIADB: PrimaryKey = PrimaryKey { of: Sibling::Mariadb };

impl Tongue for PrimaryKey {
    fn grammar(&self) -> &'static dyn Repair {
        match self.of {
            Sibling::Mysql => &grammar::MYSQL,
            Sibling::Mariadb => &grammar::MARIADB,
        }
    }

    fn temporary(&self, name: &str) -> String {
        name.to_owned()
    }

    fn make(&self, schema: &Schema, table: &Table, [old, new]: [&str; 2], counted: &[String]) -> Vec<String> {
        // Whatever changed a temporary table later would commit.
        let make = |name: &str, counted: &[String]| {
            let columns = table.columns.iter().map(|column| {
                let name = in_backticks(&column.name);
                let is_counted = counted.contains(&column.name);
                if is_counted { format!("if(FALSE, child.{name}, NULL) AS {name}") } else { format!("child.{name}") }
            });
            format!(
                "CREATE TEMPORARY TABLE {name} (fk_doctor$op char(1) CHARACTER SET ascii DEFAULT 'i', fk_doctor$wave int DEFAULT 0, \
                 fk_doctor$relation int DEFAULT -1, fk_doctor$place varchar(6200) CHARACTER SET ascii, \
                 KEY (fk_doctor$place(191)){}) ENGINE=InnoDB AS SELECT {} FROM {} LIMIT 0",
                row_key(table),
                columns.collect::<Vec<_>>().join(", "),
                self.source(schema, table, "child")
            )
        };
        vec![make(old, &[]), make(new, counted)]
    }

    fn finished(&self, sql: Sql) -> Sql {
        match self.of.names_temporary_tables_twice() {
            true => sql,
            false => apart(sql, |name| RECORDS.iter().any(|record| name.starts_with(record))),
        }
    }

    fn unmake(&self, name: &str) -> String {
        format!("DROP TEMPORARY TABLE {name}")
    }

    fn place_columns(&self) -> &'static [&'static str] {
        &["fk_doctor$place"]
    }

    /// None without a primary key, and where a column is computed whose copy would not be.
    fn place(&self, table: &Table, alias: &str) -> Vec<String> {
        if table.primary_key.is_empty() || table.columns.iter().any(|column| column.generated) {
            return Vec::new();
        }
        let parts = table.primary_key.iter().map(|&column| &table.columns[column].name);
        let parts: Vec<String> = parts.map(|name| format!("hex({alias}.{})", in_backticks(name))).collect();
        vec![format!("concat_ws('/', {})", parts.join(", "))]
    }

    fn is_row(&self, table: &Table, recorded: &str, row: &str) -> String {
        let parts = table.primary_key.iter().map(|&column| in_backticks(&table.columns[column].name));
        parts.map(|name| format!("{recorded}.{name} = {row}.{name}")).collect::<Vec<_>>().join(" AND ")
    }

    fn differs(&self, left: &str, right: &str) -> String {
        format!("NOT (CAST({left} AS BINARY) <=> CAST({right} AS BINARY))")
    }

    fn assigned(&self, _: &Column, expression: &str) -> String {
        format!("({expression})")
    }

    fn all_columns(&self, columns: &[String]) -> String {
        format!("({}) ", columns.join(", "))
    }

    fn select_once(&self, _: &str) -> String {
        "SELECT ".to_owned()
    }

    fn checks_moved_rows(&self, schema: &Schema) -> Option<&'static str> {
        Some(self.of.checks_moved_rows(&schema.database.version))
    }

    fn counted_columns(&self, schema: &Schema, table: &Table) -> Sql {
        let of = table.name.schema.as_deref().or(schema.database.default_schema.as_deref()).unwrap_or_default();
        let mut query = self.grammar().query();
        query.extend([Value::text(of), Value::text(&table.name.table)]);
        query.finish(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ? \
             AND (extra LIKE '%auto_increment%' OR column_default LIKE '%nextval(%')"
                .to_owned(),
        )
    }
}

/// The table's own primary key, as a key of the record, which may hold a row several times.
fn row_key(table: &Table) -> String {
    let primary = table.indexes.iter().find(|index| index.primary);
    let columns =
        primary.and_then(|index| index.columns.iter().map(|part| part.column).collect::<Option<Vec<usize>>>());
    let names = |columns: Vec<usize>| -> Vec<String> {
        columns.into_iter().map(|column| in_backticks(&table.columns[column].name)).collect()
    };
    columns.map_or_else(String::new, |columns| format!(", KEY ({})", names(columns).join(", ")))
}
