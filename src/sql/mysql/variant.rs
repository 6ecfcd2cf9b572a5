//! Where MySQL and MariaDB part ways: each difference of their SQL is said here, once.
//!
//! Leaves out what both read in one text: `/*M! … */` is read by MariaDB alone, and `/*!80016 … */` by MySQL alone.

use crate::model::catalog::Action;
use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::value::Value;
use crate::sql::catalog::mysql::is_table;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::mysql::MYSQL;
use crate::sql::in_backticks;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::table_for;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Variant {
    Mysql,
    Mariadb,
}

/// Of one statement about rows, on MySQL.
const WITHOUT_CHECKS: &str = "/*+ SET_VAR(foreign_key_checks = 0) */ ";

impl Variant {
    pub(in crate::sql) fn engine(self) -> Engine {
        match self {
            Variant::Mysql => Engine::Mysql,
            Variant::Mariadb => Engine::Mariadb,
        }
    }

    /// MySQL opens a temporary table once for a statement.
    pub(in crate::sql) fn names_temporary_tables_twice(self) -> bool {
        self == Variant::Mariadb
    }

    /// A statement about rows, without the server's own check of foreign keys, and so without cascades.
    pub(in crate::sql) fn without_checks(self, statement: &str) -> String {
        match self {
            Variant::Mariadb => format!("SET STATEMENT foreign_key_checks = 0 FOR {statement}"),
            Variant::Mysql => {
                let (verb, rest) = statement.split_once(' ').unwrap_or((statement, ""));
                format!("{verb} {WITHOUT_CHECKS}{rest}")
            }
        }
    }

    /// The same in a script: some clients take hints for comments, and leave them out.
    pub(in crate::sql) fn in_script(self, statement: String) -> String {
        match statement.split_once(WITHOUT_CHECKS) {
            Some((verb, rest)) if self == Variant::Mysql => {
                format!("SET foreign_key_checks = 0;\n{verb}{rest};\nSET foreign_key_checks = 1")
            }
            _ => statement,
        }
    }

    /// A row that gets another primary key is stored anew, and InnoDB then looks at all that it refers to. Since 9.6 MySQL
    /// itself looks, and at what has changed, unless it is told not to. A condition.
    pub(in crate::sql) fn checks_moved_rows(self, version: &str) -> &'static str {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if self == Variant::Mysql && version >= (9, 6) { "@@innodb_native_foreign_keys" } else { "TRUE" }
    }

    /// A change of a definition, for which the server checks the rows against a foreign key or does not.
    pub(in crate::sql) fn with_checks(self, are_checked: bool, statement: &str) -> String {
        let checks = i32::from(are_checked);
        match self {
            Variant::Mariadb => format!("SET STATEMENT foreign_key_checks = {checks} FOR {statement}"),
            Variant::Mysql => format!(
                "SET @fk_doctor_checks = @@SESSION.foreign_key_checks, SESSION foreign_key_checks = {checks};\n\
                 {statement};\nSET SESSION foreign_key_checks = @fk_doctor_checks"
            ),
        }
    }

    /// Gives an index another name, if the table has it.
    pub(in crate::sql) fn rename_index(self, table: &TableName, name: &str, into: &str) -> String {
        let of = table_for(Engine::Mysql, table);
        let (from, to) = (in_backticks(name), in_backticks(into));
        if self == Variant::Mariadb {
            return format!("ALTER TABLE {of} RENAME INDEX IF EXISTS {from} TO {to}");
        }
        let text = |name: &str| MYSQL.literal(&Value::text(name));
        let schema = table.schema.as_deref().map_or_else(|| "database()".to_owned(), text);
        format!(
            "SET @fk_doctor_renames = IF(EXISTS (SELECT 1 FROM information_schema.statistics WHERE table_schema = {schema} \
             AND table_name = {} AND index_name = {}), {}, 'DO 0');\n\
             PREPARE fk_doctor_renames FROM @fk_doctor_renames;\nEXECUTE fk_doctor_renames;\n\
             DEALLOCATE PREPARE fk_doctor_renames",
            text(&table.table),
            text(name),
            text(&format!("ALTER TABLE {of} RENAME INDEX {from} TO {to}")),
        )
    }

    /// The action that the server lists for a foreign key of which nothing is said.
    pub(in crate::sql) fn default_action(self) -> Action {
        match self {
            Variant::Mysql => Action::NoAction,
            Variant::Mariadb => Action::Restrict,
        }
    }

    /// What a foreign key does of which nothing is said. Where nothing can be deferred, RESTRICT and NO ACTION are one.
    pub(in crate::sql) fn unsaid(self) -> &'static [Action] {
        match self {
            Variant::Mysql => &[Action::NoAction],
            Variant::Mariadb => &[Action::NoAction, Action::Restrict],
        }
    }

    /// Columns' defaults, as SQL: name and text. One that draws from a sequence is left out: to try it would move the
    /// sequence.
    pub(in crate::sql) fn defaults(self, table: &Table) -> Sql {
        let mut query = Query::new(self.engine().facts());
        let is_table = is_table(&mut query, table);
        let text = match self {
            Variant::Mariadb => "column_default",
            // MySQL tells a value without its quotes, and an expression with a backslash before each of them.
            Variant::Mysql => {
                "CASE WHEN extra LIKE '%DEFAULT_GENERATED%' \
                 THEN replace(replace(replace(column_default, '\\\\\\\\', char(1)), '\\\\''', ''''), char(1), '\\\\') \
                 WHEN data_type = 'bit' THEN column_default ELSE quote(column_default) END"
            }
        };
        query.finish(format!(
            "SELECT column_name, {text} FROM information_schema.columns WHERE {is_table} \
             AND column_default IS NOT NULL AND column_default NOT LIKE '%nextval(%' ORDER BY ordinal_position"
        ))
    }

    /// The program that reads a script.
    pub(in crate::sql) fn client(self) -> &'static str {
        match self {
            Variant::Mysql => "mysql",
            Variant::Mariadb => "mariadb",
        }
    }
}
