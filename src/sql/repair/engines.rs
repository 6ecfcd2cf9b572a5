//! The statements of a repair that an engine has for itself.

use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::catalog::mysql::mark;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::KeyPart;
use crate::sql::grammar::Reading;
use crate::sql::grammar::mysql;
use crate::sql::grammar::mysql::Mysql;
use crate::sql::grammar::postgres;
use crate::sql::grammar::postgres::Postgres;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::mysql::siblings::Variant;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::stored_columns;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::redefine::Redefine;
use crate::sql::repair::Repair;
use crate::sql::repair::UniqueTerms;
use crate::sql::repair::names_of;

impl Repair for Sqlite {
    /// A key that two rows have comes twice. SQLite takes references to such a key, and a rule does not point a row to it.
    fn present(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.keyed("SELECT", table, columns, &names_of(table, columns), keys)
    }

    fn long_rows(&self, table: &Table, rows: &[&RowName], bytes: u64) -> Option<Sql> {
        let mut query = self.query();
        let wanted = self.named_rows(&mut query, table, rows);
        let lengths: Vec<String> = stored_columns(table)
            .map(|column| format!("coalesce(octet_length({}), 0)", self.of("t", &column.name)))
            .collect();
        Some(query.finish(format!(
            "SELECT {WANTED}.{} FROM {wanted} CROSS JOIN {} ON {} WHERE {} > {bytes} ORDER BY 1",
            self.number(),
            self.source(None, table, "t", Reading::AnyIndex),
            self.is_wanted(table, "t", rows),
            lengths.join(" + "),
        )))
    }

    fn makes_circles(&self) -> bool {
        true
    }

    /// The child's index may be used only if both columns compare alike.
    fn refers_to_known(&self, part: &KeyPart<'_>, parent: &str, child: &str) -> String {
        let are_alike = part
            .parent
            .is_some_and(|column| column.family == part.child.family && column.collation == part.child.collation);
        if are_alike { format!("{parent} = {child}") } else { self.refers(part, parent, child) }
    }

    /// Every two values have an order.
    fn largest(&self, table: &Table, name: &str) -> Sql {
        let table = self.source(None, table, "t", Reading::AnyIndex);
        plain(format!("SELECT max({}) FROM {table}", self.of("t", name)))
    }

    /// A column without a type stores any value as it is.
    fn recorded(&self, value: Value) -> Value {
        value
    }

    fn for_rehearsal(&self) -> &'static dyn Repair {
        &Sqlite
    }

    fn redefining(&self) -> Option<&'static dyn Redefine> {
        Some(&Sqlite)
    }
}

impl Repair for Postgres {
    fn removes_circles(&self) -> bool {
        false
    }

    fn for_rehearsal(&self) -> &'static dyn Repair {
        &postgres::REHEARSAL
    }

    fn redefining(&self) -> Option<&'static dyn Redefine> {
        Some(&postgres::POSTGRES)
    }
}

impl Repair for Mysql {
    /// The terms of an index are not SQL that this server reads.
    fn colliding(&self, _: &Table, _: &[(Option<&RowName>, &Row)], _: &UniqueTerms) -> Option<Sql> {
        None
    }

    fn for_rehearsal(&self) -> &'static dyn Repair {
        self.rehearsal()
    }

    fn redefining(&self) -> Option<&'static dyn Redefine> {
        Some(match self.sibling {
            Variant::Mysql => &mysql::MYSQL,
            Variant::Mariadb => &mysql::MARIADB,
        })
    }

    fn create_marked(&self, table: &NewTable, plan: &str) -> Sql {
        let made = self.create(table);
        let text = format!("{} COMMENT = '{}'", made.text(), mark(plan));
        made.with_text(text)
    }
}
