//! Makes the files of a lake.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::BoolType;
use parquet::data_type::ByteArray;
use parquet::data_type::ByteArrayType;
use parquet::data_type::DataType;
use parquet::data_type::DoubleType;
use parquet::data_type::FixedLenByteArray;
use parquet::data_type::FixedLenByteArrayType;
use parquet::data_type::Int32Type;
use parquet::data_type::Int64Type;
use parquet::data_type::Int96;
use parquet::data_type::Int96Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::parser::parse_message_type;

use crate::common::Bench;
use crate::common::Run;

/// The values of a column.
#[derive(Clone)]
pub(super) enum Cells {
    Bool(Vec<Option<bool>>),
    Int32(Vec<Option<i32>>),
    Int64(Vec<Option<i64>>),
    Int96(Vec<Option<[u32; 3]>>),
    Double(Vec<Option<f64>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Fixed(Vec<Option<Vec<u8>>>),
}

impl Cells {
    pub(super) fn integers(values: &[i64]) -> Cells {
        Cells::Int64(values.iter().copied().map(Some).collect())
    }

    pub(super) fn texts(values: &[&str]) -> Cells {
        Cells::Bytes(values.iter().map(|text| Some(text.as_bytes().to_vec())).collect())
    }

    fn rows(&self) -> usize {
        match self {
            Cells::Bool(values) => values.len(),
            Cells::Int32(values) => values.len(),
            Cells::Int64(values) => values.len(),
            Cells::Int96(values) => values.len(),
            Cells::Double(values) => values.len(),
            Cells::Bytes(values) | Cells::Fixed(values) => values.len(),
        }
    }

    fn part(&self, from: usize, to: usize) -> Cells {
        match self {
            Cells::Bool(values) => Cells::Bool(values[from..to].to_vec()),
            Cells::Int32(values) => Cells::Int32(values[from..to].to_vec()),
            Cells::Int64(values) => Cells::Int64(values[from..to].to_vec()),
            Cells::Int96(values) => Cells::Int96(values[from..to].to_vec()),
            Cells::Double(values) => Cells::Double(values[from..to].to_vec()),
            Cells::Bytes(values) => Cells::Bytes(values[from..to].to_vec()),
            Cells::Fixed(values) => Cells::Fixed(values[from..to].to_vec()),
        }
    }
}

/// Writes a Parquet file with these columns, each with its declaration, such as `int64 id (INTEGER(64,true))`.
pub(super) fn parquet(path: &Path, columns: &[(&str, Cells)]) {
    parquet_with(path, columns, Compression::SNAPPY, usize::MAX);
}

/// Does the same with a compression and a size of row groups.
pub(super) fn parquet_with(path: &Path, columns: &[(&str, Cells)], codec: Compression, group: usize) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let declared: Vec<String> = columns.iter().map(|(column, _)| format!("optional {column};")).collect();
    let schema = Arc::new(parse_message_type(&format!("message table {{ {} }}", declared.concat())).unwrap());
    let properties = WriterProperties::builder().set_compression(codec).build();
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    let rows = columns[0].1.rows();
    let mut from = 0;
    while from < rows {
        let to = rows.min(from.saturating_add(group));
        let mut row_group = writer.next_row_group().unwrap();
        for (_, cells) in columns {
            write(&mut row_group, &cells.part(from, to));
        }
        row_group.close().unwrap();
        from = to;
    }
    writer.close().unwrap();
}

fn write(group: &mut SerializedRowGroupWriter<'_, File>, cells: &Cells) {
    let bytes = |value: &Option<Vec<u8>>| value.clone().map(ByteArray::from);
    match cells {
        Cells::Bool(values) => column::<BoolType>(group, values.clone()),
        Cells::Int32(values) => column::<Int32Type>(group, values.clone()),
        Cells::Int64(values) => column::<Int64Type>(group, values.clone()),
        Cells::Int96(values) => {
            let time = |parts: &[u32; 3]| {
                let mut time = Int96::new();
                time.set_data(parts[0], parts[1], parts[2]);
                time
            };
            column::<Int96Type>(group, values.iter().map(|value| value.as_ref().map(time)).collect());
        }
        Cells::Double(values) => column::<DoubleType>(group, values.clone()),
        Cells::Bytes(values) => column::<ByteArrayType>(group, values.iter().map(bytes).collect()),
        Cells::Fixed(values) => {
            let fixed = values.iter().map(|value| bytes(value).map(FixedLenByteArray::from));
            column::<FixedLenByteArrayType>(group, fixed.collect());
        }
    }
}

fn column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, File>, values: Vec<Option<T::T>>) {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    let mut writer = group.next_column().unwrap().unwrap();
    writer.typed::<T>().write_batch(&values, Some(&levels), None).unwrap();
    writer.close().unwrap();
}

/// Returns a folder `lake` with a configuration of one relation, from `child(r)` to `parent(id)`.
pub(super) fn lake() -> Bench {
    let bench = Bench::empty();
    std::fs::create_dir(bench.path("lake")).unwrap();
    bench.write("lake/fk-doctor.toml", "[[relation]]\nchild = \"child(r)\"\nparent = \"parent(id)\"\n");
    bench
}

/// Scans the folder `lake`. Returns the exit code and the JSON report.
pub(super) fn scan(bench: &Bench, options: &[&str]) -> (i32, serde_json::Value) {
    let run = run(bench, &[options, &["--format", "json"]].concat());
    let report = serde_json::from_str(&run.stdout);
    (run.code, report.unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr)))
}

pub(super) fn run(bench: &Bench, options: &[&str]) -> Run {
    bench.run(&[&["scan", "lake"], options].concat())
}

/// Returns the numbers of the only relation: its rows, those with NULL, the orphans and the missing keys.
pub(super) fn counts(report: &serde_json::Value) -> [u64; 4] {
    let relation = &report["relations"][0];
    assert_eq!(relation["coverage"], "checked", "{report:#}");
    ["rows", "null_rows", "orphan_rows", "missing_keys"].map(|name| number(relation, name))
}

fn number(relation: &serde_json::Value, name: &str) -> u64 {
    relation[name].as_u64().unwrap_or_else(|| panic!("{name}: {relation:#}"))
}
