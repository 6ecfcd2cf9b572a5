//! The statements of a repair that are different on one engine.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
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
use crate::sql::mysql::variant::Variant;
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
    /// A key that two rows have comes twice. SQLite accepts a reference to such a key, but no rule points a row to it.
    fn present_keys(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.columns_by_key("SELECT", table, columns, &names_of(table, columns), keys)
    }

    fn rows_longer_than(&self, table: &Table, rows: &[&RowName], bytes: u64) -> Option<Sql> {
        let mut query = self.query();
        let wanted = self.named_rows(&mut query, table, rows);
        let lengths: Vec<String> = stored_columns(table)
            .map(|column| format!("coalesce(octet_length({}), 0)", self.qualified("t", &column.name)))
            .collect();
        Some(query.finish(format!(
            "SELECT {WANTED}.{} FROM {wanted} CROSS JOIN {} ON {} WHERE {} > {bytes} ORDER BY 1",
            self.number_column(),
            self.source(None, table, "t", Reading::AnyIndex),
            self.is_wanted(table, "t", rows),
            lengths.join(" + "),
        )))
    }

    fn stores_as_given(&self, column: &Column, value: &Value) -> bool {
        matches!(
            (value, &column.family),
            (Value::Integer(_), Family::Integer | Family::Numeric) | (Value::Text(_), Family::Text)
        )
    }

    /// A table that was altered may contain values that SQLite would convert now. Negative zero is compared by its bits.
    fn stores_unchanged(&self, column: &Column, value: &Value) -> bool {
        match (value, &column.family) {
            (Value::Null | Value::Blob(_), _) => true,
            (Value::Real(number), _) if *number == 0.0 && number.is_sign_negative() => false,
            (_, Family::Untyped) | (Value::Text(_), Family::Text) => true,
            (_, Family::Text) => false,
            (Value::Integer(_), family) => *family != Family::Real,
            (Value::Real(number), family) => *family == Family::Real || number.fract() != 0.0,
            (Value::Text(bytes), _) => {
                let text = std::str::from_utf8(bytes).map(|text| text.trim_matches(|sign: char| sign.is_whitespace()));
                text.is_ok_and(|text| text.parse::<f64>().is_err())
            }
        }
    }

    fn can_insert_cycles(&self) -> bool {
        true
    }

    /// The child's index can be used only if both columns convert and compare values alike.
    fn refers_to_known(&self, part: &KeyPart<'_>, parent: &str, child: &str) -> String {
        let are_alike = part
            .parent
            .is_some_and(|column| column.family == part.child.family && column.collation == part.child.collation);
        if are_alike { format!("{parent} = {child}") } else { self.refers(part, parent, child) }
    }

    /// Any column can hold values of all types, and every number is smaller than every text.
    fn largest_value(&self, table: &Table, name: &str) -> Sql {
        let (table, value) = (self.source(None, table, "t", Reading::AnyIndex), self.qualified("t", name));
        plain(format!("SELECT max({value}) FROM {table} WHERE {value} < ''"))
    }

    /// The column has no type, so SQLite stores any value unchanged.
    fn as_plan_table_stores(&self, value: Value) -> Value {
        value
    }

    fn for_rehearsal(&self) -> &'static dyn Repair {
        &Sqlite
    }

    fn redefine(&self) -> Option<&'static dyn Redefine> {
        Some(&Sqlite)
    }
}

impl Repair for Postgres {
    /// A domain has another name than its type.
    fn stores_as_given(&self, column: &Column, value: &Value) -> bool {
        match (value, column.declared_type.as_str()) {
            (Value::Integer(number), "smallint") => i16::try_from(*number).is_ok(),
            (Value::Integer(number), "integer") => i32::try_from(*number).is_ok(),
            (Value::Integer(_), "bigint") | (Value::Text(_), "text") => true,
            _ => false,
        }
    }

    fn can_delete_cycles(&self) -> bool {
        false
    }

    fn for_rehearsal(&self) -> &'static dyn Repair {
        &postgres::REHEARSAL
    }

    fn redefine(&self) -> Option<&'static dyn Redefine> {
        Some(&postgres::POSTGRES)
    }
}

impl Repair for Mysql {
    /// The server lists the terms of an index in a form that it does not accept as SQL.
    fn unique_collisions(&self, _: &Table, _: &[(Option<&RowName>, &Row)], _: &UniqueTerms) -> Option<Sql> {
        None
    }

    fn for_rehearsal(&self) -> &'static dyn Repair {
        self.rehearsal()
    }

    fn redefine(&self) -> Option<&'static dyn Redefine> {
        Some(match self.variant {
            Variant::Mysql => &mysql::MYSQL,
            Variant::Mariadb => &mysql::MARIADB,
        })
    }

    fn create_marked_table(&self, table: &NewTable, plan: &str) -> Sql {
        let create = self.create_table(table);
        let text = format!("{} COMMENT = '{}'", create.text(), mark(plan));
        create.with_text(text)
    }
}
