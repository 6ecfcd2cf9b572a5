//! The differences between the SQL of MySQL and of MariaDB, each written once.
//!
//! Leaves out the differences that comments express: only MariaDB runs `/*M! … */`, and only MySQL runs `/*!80016 …
//! */`.

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

/// One of the two servers that share a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Variant {
    Mysql,
    Mariadb,
}

/// MySQL's hint that turns off the check of foreign keys for one statement about rows.
const WITHOUT_CHECKS: &str = "/*+ SET_VAR(foreign_key_checks = 0) */ ";

impl Variant {
    pub(in crate::sql) fn engine(self) -> Engine {
        match self {
            Variant::Mysql => Engine::Mysql,
            Variant::Mariadb => Engine::Mariadb,
        }
    }

    /// True if a statement can name a temporary table twice. MySQL opens such a table only once in a statement.
    pub(in crate::sql) fn names_temporary_tables_twice(self) -> bool {
        self == Variant::Mariadb
    }

    /// Returns a statement about rows without the server's own check of foreign keys, and so without cascades.
    pub(in crate::sql) fn without_checks(self, statement: &str) -> String {
        match self {
            Variant::Mariadb => format!("SET STATEMENT foreign_key_checks = 0 FOR {statement}"),
            Variant::Mysql => {
                let (verb, rest) = statement.split_once(' ').unwrap_or((statement, ""));
                format!("{verb} {WITHOUT_CHECKS}{rest}")
            }
        }
    }

    /// Returns such a statement for a script. Some clients remove hints, which they take for comments, so the script
    /// sets the session variable instead.
    pub(in crate::sql) fn in_script(self, statement: String) -> String {
        match statement.split_once(WITHOUT_CHECKS) {
            Some((verb, rest)) if self == Variant::Mysql => {
                format!("SET foreign_key_checks = 0;\n{verb}{rest};\nSET foreign_key_checks = 1")
            }
            _ => statement,
        }
    }

    /// Returns the condition under which a changed primary key makes the server check all references of the row. InnoDB
    /// does so, because it stores the row anew. Since 9.6, MySQL itself checks only the changed keys, unless a setting
    /// turns this off.
    pub(in crate::sql) fn checks_moved_rows(self, version: &str) -> &'static str {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if self == Variant::Mysql && version >= (9, 6) { "@@innodb_native_foreign_keys" } else { "TRUE" }
    }

    /// Returns a change of a definition. The server checks the rows against foreign keys if `are_checked` is true.
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

    /// Returns the statement that renames an index, if the table has it.
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

    /// Returns the action that the server lists for a foreign key that declares none.
    pub(in crate::sql) fn listed_default_action(self) -> Action {
        match self {
            Variant::Mysql => Action::NoAction,
            Variant::Mariadb => Action::Restrict,
        }
    }

    /// Returns the actions of a foreign key that declares none. RESTRICT equals NO ACTION on a server without deferred
    /// checks.
    pub(in crate::sql) fn default_actions(self) -> &'static [Action] {
        match self {
            Variant::Mysql => &[Action::NoAction],
            Variant::Mariadb => &[Action::NoAction, Action::Restrict],
        }
    }

    /// Returns a query for the defaults of columns as SQL. A row holds a name and a text, such as ('total', '0'). A
    /// default that draws from a sequence is left out, because evaluating it would advance the sequence.
    pub(in crate::sql) fn defaults(self, table: &Table) -> Sql {
        let mut query = Query::new(self.engine().facts());
        let is_table = is_table(&mut query, table);
        let text = match self {
            Variant::Mariadb => "column_default",
            // MySQL lists a value without its quotes, and an expression with a backslash before each quote.
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

    /// Returns the name of the client program that runs a script.
    pub(in crate::sql) fn client(self) -> &'static str {
        match self {
            Variant::Mysql => "mysql",
            Variant::Mariadb => "mariadb",
        }
    }
}
