//! The statements of a repair that are different on one engine.

use std::ops::RangeInclusive;

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
use crate::sql::grammar::mysql::charset_of;
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
use crate::sql::repair::PlanTables;
use crate::sql::repair::Repair;
use crate::sql::repair::RowChanges;
use crate::sql::repair::UniqueTerms;
use crate::sql::repair::names_of;

/// The greatest length in bytes of a text that certainly fits into every index.
const LONGEST_CERTAIN: usize = 500;

/// Character sets of MySQL in which ASCII texts have their own bytes.
const ASCII_SETS: [&str; 5] = ["utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"];

/// True if every server stores this text unchanged in a column of this length, whatever its encoding.
fn is_short_ascii(text: &[u8], length: usize) -> bool {
    text.len() <= length.min(LONGEST_CERTAIN) && text.iter().all(|byte| (1..=0x7f).contains(byte))
}

/// True if a text is a UUID in the only form in which a server shows it.
fn is_canonical_uuid(text: &[u8]) -> bool {
    let is_right = |(index, byte): (usize, &u8)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
    };
    text.len() == 36 && text.iter().enumerate().all(is_right)
}

/// Returns 60 for the declared type `varchar(60)` and the kind `varchar`.
fn length_of(declared: &str, kind: &str) -> Option<usize> {
    declared.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')')?.parse().ok()
}

/// Returns the whole numbers that a column of MySQL can hold; `None` if it holds other values, or shows numbers with zeros.
fn whole_numbers_of(declared: &str) -> Option<RangeInclusive<i64>> {
    let (kind, rest) = declared.find(['(', ' ']).map_or((declared, ""), |end| declared.split_at(end));
    let bits: u32 = match kind {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" => 64,
        _ => return None,
    };
    let attributes = rest.split_once(')').map_or(rest, |(_, after)| after).trim();
    let half = 1_i128 << (bits - 1);
    let (least, most) = match attributes {
        "" => (-half, half - 1),
        "unsigned" => (0, 2 * half - 1),
        _ => return None,
    };
    let within = |bound: i128| i64::try_from(bound).unwrap_or(i64::MAX);
    Some(within(least)..=within(most))
}

impl RowChanges for Sqlite {}

impl PlanTables for Sqlite {}

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

impl RowChanges for Postgres {}

impl PlanTables for Postgres {}

impl Repair for Postgres {
    /// A domain has another name than its type.
    fn stores_as_given(&self, column: &Column, value: &Value) -> bool {
        match (value, column.declared_type.as_str()) {
            (Value::Integer(number), "smallint") => i16::try_from(*number).is_ok(),
            (Value::Integer(number), "integer") => i32::try_from(*number).is_ok(),
            (Value::Integer(_), "bigint") => true,
            (Value::Text(text), "uuid") => is_canonical_uuid(text),
            (Value::Text(text), "text" | "character varying") => is_short_ascii(text, LONGEST_CERTAIN),
            (Value::Text(text), declared) => {
                length_of(declared, "character varying").is_some_and(|length| is_short_ascii(text, length))
            }
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

impl RowChanges for Mysql {}

impl PlanTables for Mysql {
    fn create_marked_table(&self, table: &NewTable, plan: &str) -> Sql {
        let create = self.create_table(table);
        let text = format!("{} COMMENT = '{}'", create.text(), mark(plan));
        create.with_text(text)
    }
}

impl Repair for Mysql {
    /// The session is strict, so a column stores a value unchanged or refuses it. A text has other bytes in another character
    /// set, and a `char` loses its spaces at the end.
    fn stores_as_given(&self, column: &Column, value: &Value) -> bool {
        match value {
            Value::Integer(number) => whole_numbers_of(&column.declared_type).is_some_and(|all| all.contains(number)),
            Value::Text(text) => {
                let charset = column.collation.as_deref().map(|collation| charset_of(collation).0);
                let is_known = charset.is_some_and(|charset| ASCII_SETS.contains(&charset.as_str()));
                let declared = column.declared_type.as_str();
                let length = if is_known { length_of(declared, "varchar") } else { None };
                length.is_some_and(|length| is_short_ascii(text, length))
            }
            _ => false,
        }
    }

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_of_whole_numbers_holds_the_range_of_its_type() {
        for (declared, least, most) in [
            ("tinyint(4)", -128, 127),
            ("tinyint(1) unsigned", 0, 255),
            ("smallint(6)", -32_768, 32_767),
            ("mediumint unsigned", 0, 16_777_215),
            ("int(11)", i64::from(i32::MIN), i64::from(i32::MAX)),
            ("bigint(20)", i64::MIN, i64::MAX),
            ("bigint(20) unsigned", 0, i64::MAX),
        ] {
            assert_eq!(whole_numbers_of(declared), Some(least..=most), "{declared}");
        }
        for declared in ["int(10) unsigned zerofill", "year(4)", "decimal(10,0)", "bit(1)", "varchar(3)"] {
            assert_eq!(whole_numbers_of(declared), None, "{declared}");
        }
    }

    #[test]
    fn text_is_certain_only_if_it_is_short_ascii_or_a_canonical_uuid() {
        assert!(is_short_ascii(b"placeholder-7", 13) && !is_short_ascii(b"placeholder-7", 12));
        assert!(!is_short_ascii("é".as_bytes(), 60) && !is_short_ascii(b"a\0", 60));
        assert!(is_canonical_uuid(b"5f1c8a52-0000-4000-8000-00000000beef"));
        assert!(!is_canonical_uuid(b"5F1C8A52-0000-4000-8000-00000000BEEF"));
        assert!(!is_canonical_uuid(b"5f1c8a5200004000800000000000beef"));
        assert_eq!(length_of("character varying(60)", "character varying"), Some(60));
        assert_eq!(length_of("varchar(9) /* x */", "varchar"), None);
    }
}
