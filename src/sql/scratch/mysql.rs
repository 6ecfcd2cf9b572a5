//! The temporary tables of MySQL and MariaDB.
//!
//! `LIKE` makes a table for a load with the same columns, checks and unique keys. A record knows a row by its primary
//! key.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::mysql::Mysql;
use crate::sql::in_backticks;
use crate::sql::load::CountingColumn;
use crate::sql::mysql::copies::with_table_copies;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::TableCopy;
use crate::sql::scan::source;
use crate::sql::scratch::RECORDS;
use crate::sql::scratch::Scratch;

impl Scratch for Mysql {
    fn temporary_name(&self, name: &str) -> String {
        name.to_owned()
    }

    fn create_load_table(&self, schema: &Schema, table: &Table, name: &str) -> Vec<String> {
        let real = self.table_name(schema.database.default_schema.as_deref(), table);
        let mut statements = vec![
            format!("CREATE TEMPORARY TABLE {name} LIKE {real}"),
            format!("ALTER TABLE {name} ADD COLUMN fk_doctor$place bigint UNIQUE"),
        ];
        statements.extend(
            self.second_copy(table, name).map(|copy| format!("CREATE TEMPORARY TABLE {} LIKE {name}", copy.name)),
        );
        statements
    }

    fn second_copy(&self, table: &Table, name: &str) -> Option<TableCopy> {
        let stored = table.columns.iter().filter(|column| !column.generated);
        let columns: Vec<String> = stored.map(|column| in_backticks(&column.name)).collect();
        let (copy, columns) = (format!("{name}_twin"), columns.join(", "));
        let renewal =
            vec![format!("DELETE FROM {copy}"), format!("INSERT INTO {copy}({columns}) SELECT {columns} FROM {name}")];
        (!self.variant.names_temporary_tables_twice()).then(|| TableCopy { name: copy, of: name.to_owned(), renewal })
    }

    fn create_position_table(&self, name: &str) -> String {
        format!("CREATE TEMPORARY TABLE {name} (place bigint PRIMARY KEY) ENGINE=InnoDB")
    }

    fn auto_increment_columns(&self, schema: &Schema, table: &Table) -> Sql {
        let of = table.name.schema.as_deref().or(schema.database.default_schema.as_deref()).unwrap_or_default();
        let mut query = self.query();
        query.extend([Value::text(of), Value::text(&table.name.table)]);
        query.finish(
            "SELECT column_name, 1 FROM information_schema.columns WHERE table_schema = ? AND table_name = ? \
             AND extra LIKE '%auto_increment%'"
                .to_owned(),
        )
    }

    fn restart_auto_increment(&self, name: &str, _: &str, column: &CountingColumn<'_>) -> Vec<String> {
        vec![format!("ALTER TABLE {name} AUTO_INCREMENT = {}", column.next)]
    }

    fn insert_missing_positions(&self, table: &str, query: &str) -> String {
        format!("INSERT IGNORE INTO {table} {query}")
    }

    fn shows_value(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String {
        let held = self.qualified("child", name);
        let held = column(table, name).map_or_else(|| held.clone(), |column| self.shown(&held, column));
        format!("{held} <=> {}", query.parameter(value.clone()))
    }

    fn create_record_tables(
        &self,
        schema: &Schema,
        table: &Table,
        [old, new]: [&str; 2],
        counter_columns: &[String],
    ) -> Vec<String> {
        // A later ALTER of a temporary table would commit the transaction, so CREATE sets every column.
        let make = |name: &str, counter_columns: &[String]| {
            let columns = table.columns.iter().map(|column| {
                let name = in_backticks(&column.name);
                let is_counted = counter_columns.contains(&column.name);
                if is_counted { format!("if(FALSE, child.{name}, NULL) AS {name}") } else { format!("child.{name}") }
            });
            format!(
                "CREATE TEMPORARY TABLE {name} (fk_doctor$op char(1) CHARACTER SET ascii DEFAULT 'i', fk_doctor$wave int DEFAULT 0, \
                 fk_doctor$relation int DEFAULT -1, fk_doctor$place varchar(6200) CHARACTER SET ascii, \
                 KEY (fk_doctor$place(191)){}) ENGINE=InnoDB AS SELECT {} FROM {} LIMIT 0",
                row_key(table),
                columns.collect::<Vec<_>>().join(", "),
                source(self, schema, table, "child", Reading::AnyIndex)
            )
        };
        vec![make(old, &[]), make(new, counter_columns)]
    }

    fn name_records_once(&self, sql: Sql) -> Sql {
        match self.variant.names_temporary_tables_twice() {
            true => sql,
            false => with_table_copies(sql, |name| RECORDS.iter().any(|record| name.starts_with(record))),
        }
    }

    fn drop_record_table(&self, name: &str) -> String {
        format!("DROP TEMPORARY TABLE {name}")
    }

    fn address_columns(&self) -> &'static [&'static str] {
        &["fk_doctor$place"]
    }

    /// There is no address without a primary key, or with a generated column, which the record's table would not
    /// compute.
    fn row_address(&self, table: &Table, alias: &str) -> Vec<String> {
        if table.primary_key.is_empty() || table.columns.iter().any(|column| column.generated) {
            return Vec::new();
        }
        let parts = table.primary_key.iter().map(|&column| &table.columns[column].name);
        let parts: Vec<String> = parts.map(|name| format!("hex({alias}.{})", in_backticks(name))).collect();
        vec![format!("concat_ws('/', {})", parts.join(", "))]
    }

    fn is_recorded_row(&self, table: &Table, recorded: &str, row: &str) -> String {
        let parts = table.primary_key.iter().map(|&column| in_backticks(&table.columns[column].name));
        parts.map(|name| format!("{recorded}.{name} = {row}.{name}")).collect::<Vec<_>>().join(" AND ")
    }

    fn differs(&self, left: &str, right: &str) -> String {
        format!("NOT (CAST({left} AS BINARY) <=> CAST({right} AS BINARY))")
    }

    fn as_assigned(&self, _: &Column, expression: &str) -> String {
        format!("({expression})")
    }

    fn insert_column_list(&self, columns: &[String]) -> String {
        format!("({}) ", columns.join(", "))
    }

    fn select_distinct_rows(&self, _: &str) -> String {
        "SELECT ".to_owned()
    }

    fn moved_row_check(&self, schema: &Schema) -> Option<&'static str> {
        Some(self.variant.checks_moved_rows(&schema.database.version))
    }

    fn counter_drawing_columns(&self, schema: &Schema, table: &Table) -> Sql {
        let of = table.name.schema.as_deref().or(schema.database.default_schema.as_deref()).unwrap_or_default();
        let mut query = self.query();
        query.extend([Value::text(of), Value::text(&table.name.table)]);
        query.finish(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ? \
             AND (extra LIKE '%auto_increment%' OR column_default LIKE '%nextval(%')"
                .to_owned(),
        )
    }
}

/// Returns the columns of the table's primary key as a key of the record. It is not unique: a row may be recorded
/// several times.
fn row_key(table: &Table) -> String {
    let primary = table.indexes.iter().find(|index| index.primary);
    let columns =
        primary.and_then(|index| index.columns.iter().map(|part| part.column).collect::<Option<Vec<usize>>>());
    let names = |columns: Vec<usize>| -> Vec<String> {
        columns.into_iter().map(|column| in_backticks(&table.columns[column].name)).collect()
    };
    columns.map_or_else(String::new, |columns| format!(", KEY ({})", names(columns).join(", ")))
}
