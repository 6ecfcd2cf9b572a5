//! Turns batches of Arrow into values.

use std::io::Cursor;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types;
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use arrow_schema::SchemaRef;
use arrow_schema::TimeUnit;
use spark_connect_proto::execute_plan_response::ArrowBatch;

use super::failure::Failure;
use super::types::law_type;
use crate::engine::files::cell::Cell;
use crate::engine::files::cell::shown;
use crate::model::value::Value;

/// Decodes the rows of a response. Returns the columns, and calls `each` with every row.
///
/// The cluster says how many rows the response has, and with which row of the answer it begins. Other numbers are an error.
pub(super) fn each_row(
    batch: &ArrowBatch,
    rows_before: u64,
    each: &mut dyn FnMut(&[Value]),
) -> Result<(SchemaRef, u64), Failure> {
    let broken = |why: String| Failure::Broken(why);
    if batch.num_chunks_in_batch.is_some_and(|chunks| chunks > 1) {
        return Err(broken("a batch came in pieces".to_owned()));
    }
    if batch.start_offset.is_some_and(|start| u64::try_from(start) != Ok(rows_before)) {
        return Err(broken(format!("rows are missing after row {rows_before}")));
    }
    let reader = StreamReader::try_new(Cursor::new(&batch.data), None);
    let reader = reader.map_err(|error| broken(error.to_string()))?;
    let schema = reader.schema();
    let mut rows = 0;
    for found in reader {
        let found = found.map_err(|error| broken(error.to_string()))?;
        rows += found.num_rows() as u64;
        for row in 0..found.num_rows() {
            let values: Result<Vec<Value>, Failure> = found.columns().iter().map(|column| value(column, row)).collect();
            each(&values?);
        }
    }
    if u64::try_from(batch.row_count) != Ok(rows) {
        return Err(broken(format!("a response has {rows} rows instead of {}", batch.row_count)));
    }
    Ok((schema, rows))
}

/// Returns one value of a column.
fn value(column: &dyn Array, row: usize) -> Result<Value, Failure> {
    if column.is_null(row) || *column.data_type() == DataType::Null {
        return Ok(Value::Null);
    }
    let of = law_type(column.data_type());
    Ok(shown(cell(column, row)?, &of))
}

fn cell(column: &dyn Array, row: usize) -> Result<Cell<'_>, Failure> {
    macro_rules! integer {
        ($kind:ident) => {
            Cell::Integer(i64::from(column.as_primitive::<types::$kind>().value(row)))
        };
    }
    Ok(match column.data_type() {
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::UInt8 => integer!(UInt8Type),
        DataType::UInt16 => integer!(UInt16Type),
        DataType::UInt32 => integer!(UInt32Type),
        DataType::UInt64 => Cell::Unsigned(column.as_primitive::<types::UInt64Type>().value(row)),
        DataType::Float32 => Cell::Real(f64::from(column.as_primitive::<types::Float32Type>().value(row))),
        DataType::Float64 => Cell::Real(column.as_primitive::<types::Float64Type>().value(row)),
        DataType::Decimal128(..) => Cell::Wide(column.as_primitive::<types::Decimal128Type>().value(row)),
        DataType::Boolean => Cell::Integer(i64::from(column.as_boolean().value(row))),
        DataType::Date32 => integer!(Date32Type),
        DataType::Timestamp(TimeUnit::Second, _) => integer!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => integer!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => integer!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => integer!(TimestampNanosecondType),
        DataType::Utf8 => Cell::Bytes(column.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => Cell::Bytes(column.as_string::<i64>().value(row).as_bytes()),
        DataType::Utf8View => Cell::Bytes(column.as_string_view().value(row).as_bytes()),
        DataType::Binary => Cell::Bytes(column.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Cell::Bytes(column.as_binary::<i64>().value(row)),
        DataType::BinaryView => Cell::Bytes(column.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Cell::Bytes(column.as_fixed_size_binary().value(row)),
        other => return Err(Failure::Broken(format!("a value has the type {other}, which was not asked for"))),
    })
}
