//! Converts values from and to the protocol of MySQL and MariaDB.
//!
//! The program's statements return every value as a number, as text or as bytes, so no other types are handled.

use sqlx::Arguments;
use sqlx::Column;
use sqlx::Decode;
use sqlx::MySql;
use sqlx::Row;
use sqlx::Type;
use sqlx::TypeInfo;
use sqlx::ValueRef;
use sqlx::mysql::MySqlArguments;
use sqlx::mysql::MySqlRow;
use sqlx::mysql::MySqlTypeInfo;
use sqlx::mysql::MySqlValueRef;

use crate::engine::wire::pages::Page;
use crate::engine::wire::pages::Rows;
use crate::model::value::Value;

/// How to read one column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Integer,
    Unsigned,
    Real,
    Decimal,
    Text,
    Bytes,
}

fn readings(row: &MySqlRow) -> Vec<Reading> {
    let reading = |kind: &MySqlTypeInfo| match kind.name() {
        "FLOAT" | "DOUBLE" => Reading::Real,
        "DECIMAL" => Reading::Decimal,
        "BOOLEAN" | "YEAR" => Reading::Integer,
        name if name.ends_with(" UNSIGNED") => Reading::Unsigned,
        name if name.ends_with("INT") => Reading::Integer,
        // MySQL calls a text binary, too, whose collation compares bytes.
        _ if <str as Type<MySql>>::compatible(kind) => Reading::Text,
        name if name.ends_with("BINARY") || name.ends_with("BLOB") => Reading::Bytes,
        _ => Reading::Text,
    };
    row.columns().iter().map(|column| reading(column.type_info())).collect()
}

/// Rows of one answer.
#[derive(Debug, Default)]
pub(super) struct RowPage {
    readings: Option<Vec<Reading>>,
    rows: Rows,
}

impl RowPage {
    pub(super) fn each(&self, each: &mut dyn FnMut(&[Value])) {
        self.rows.each(each);
    }
}

impl Page<MySqlRow> for RowPage {
    fn add(&mut self, row: MySqlRow) -> Result<(), sqlx::Error> {
        let readings = self.readings.get_or_insert_with(|| readings(&row));
        self.rows.add(|values| read(&row, readings, values))
    }

    fn is_full(&self) -> bool {
        self.rows.is_full()
    }

    fn clear(&mut self) {
        self.rows.clear();
    }
}

fn read(row: &MySqlRow, readings: &[Reading], into: &mut Vec<Value>) -> Result<(), sqlx::Error> {
    for (column, reading) in readings.iter().enumerate() {
        let value = row.try_get_raw(column)?;
        into.push(if value.is_null() { Value::Null } else { decoded(*reading, value)? });
    }
    Ok(())
}

fn decoded(reading: Reading, value: MySqlValueRef<'_>) -> Result<Value, sqlx::Error> {
    Ok(match reading {
        Reading::Integer => Value::Integer(decode(value)?),
        Reading::Unsigned => {
            let number: u64 = decode(value)?;
            i64::try_from(number).map_or_else(|_| Value::text(number.to_string()), Value::Integer)
        }
        Reading::Real => Value::Real(decode(value)?),
        Reading::Decimal => {
            let digits: &[u8] = decode(value)?;
            let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            number.map_or_else(|| Value::Text(digits.to_vec()), Value::Integer)
        }
        Reading::Text => Value::Text(decode::<&[u8]>(value)?.to_vec()),
        Reading::Bytes => Value::Blob(decode::<&[u8]>(value)?.to_vec()),
    })
}

fn decode<'r, T: Decode<'r, MySql>>(value: MySqlValueRef<'r>) -> Result<T, sqlx::Error> {
    T::decode(value).map_err(sqlx::Error::Decode)
}

pub(super) fn arguments<'v>(parameters: impl IntoIterator<Item = &'v Value>) -> Result<MySqlArguments, sqlx::Error> {
    let mut arguments = MySqlArguments::default();
    for value in parameters {
        let added = match value {
            Value::Null => arguments.add(None::<&str>),
            Value::Integer(number) => arguments.add(*number),
            Value::Real(number) => arguments.add(*number),
            Value::Text(bytes) => arguments.add(&*String::from_utf8_lossy(bytes)),
            Value::Blob(bytes) => arguments.add(bytes.as_slice()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
