//! Measures scans of folders of files, beside DuckDB on the same files: `cargo bench --bench lakes`.
//!
//! The medians are printed: processor time and peak memory. `FK_DOCTOR_ROWS` sets the rows of the largest table (2,000,000),
//! `FK_DOCTOR_ROUNDS` the rounds (3), `FK_DOCTOR_JOBS` the threads (1), `FK_DOCTOR_LAKE` the only lake to measure.
//! `FK_DOCTOR_DUCKDB` names a Python that has the module `duckdb`; without it, DuckDB is left out.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use fk_doctor::internals::run;
use parquet::basic::Compression;
use parquet::basic::ZstdLevel;
use parquet::data_type::ByteArray;
use parquet::data_type::ByteArrayType;
use parquet::data_type::DataType;
use parquet::data_type::Int64Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

mod measure;

use measure::Costs;
use measure::median;
use measure::number;
use measure::orphan_rows;
use measure::scan_with;

/// Rows of a row group.
const GROUP: u64 = 1_000_000;

/// Counts the rows without a parent. Prints them, the processor time in milliseconds and the peak memory in megabytes.
const DUCKDB: &str = "
import duckdb, resource, sys, time
child, parent, pairs = sys.argv[1:4]
connection = duckdb.connect()
connection.execute('SET enable_progress_bar = false')
connection.execute('SET threads = ' + sys.argv[4])
pairs = [pair.split('=') for pair in pairs.split(',')]
present = ' AND '.join(f'c.{r} IS NOT NULL' for r, _ in pairs)
same = ' AND '.join(f'p.{i} = c.{r}' for r, i in pairs)
start = time.process_time()
question = f\"SELECT count(*) FROM '{child}' c WHERE {present} AND NOT EXISTS (SELECT 1 FROM '{parent}' p WHERE {same})\"
orphans = connection.execute(question).fetchone()[0]
print(orphans, (time.process_time() - start) * 1e3, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
";

/// A lake with one relation.
struct Shape {
    name: &'static str,
    about: &'static str,
    /// The columns of the relation, as DuckDB gets them: `r=id`.
    pairs: &'static str,
    make: fn(&Path, u64),
    /// The patterns of the files of child and parent.
    files: [&'static str; 2],
    options: &'static [&'static str],
}

const SHAPES: [Shape; 7] = [
    Shape {
        name: "integers",
        about: "rows of int64 beside a tenth of parents",
        pairs: "r=id",
        make: |folder, rows| integers(folder, rows, rows / 10, 0),
        files: ["child.parquet", "parent.parquet"],
        options: &[],
    },
    Shape {
        name: "uuids",
        about: "a quarter of the rows, keys of UUIDs as text",
        pairs: "r=id",
        make: uuids,
        files: ["child.parquet", "parent.parquet"],
        options: &[],
    },
    Shape {
        name: "pairs",
        about: "a quarter of the rows, keys of two integers",
        pairs: "r=id,s=part",
        make: pairs,
        files: ["child.parquet", "parent.parquet"],
        options: &[],
    },
    Shape {
        name: "small",
        about: "a tenth of the rows, in files of 1,000 rows",
        pairs: "r=id",
        make: small_files,
        files: ["child/*.parquet", "parent.parquet"],
        options: &[],
    },
    Shape {
        name: "csv",
        about: "a quarter of the rows as CSV",
        pairs: "r=id",
        make: csv_files,
        files: ["child.csv", "parent.csv"],
        options: &[],
    },
    Shape {
        name: "rounds",
        about: "as many parents as rows, in 16 MB for their keys",
        pairs: "r=id",
        make: |folder, rows| integers(folder, rows, rows, 0),
        files: ["child.parquet", "parent.parquet"],
        options: &["--memory", "16MB"],
    },
    Shape {
        name: "orphans",
        about: "half of the rows, all without a parent",
        pairs: "r=id",
        make: |folder, rows| integers(folder, rows / 2, rows / 10, rows),
        files: ["child.parquet", "parent.parquet"],
        options: &[],
    },
];

/// Writes a Parquet file. `column` writes a column of a row group: its number, and its rows from the first to the last.
fn parquet(path: &Path, declared: &str, rows: u64, column: &mut dyn FnMut(&mut Group<'_>, usize, u64, u64)) {
    let schema = Arc::new(parse_message_type(&format!("message table {{ {declared} }}")).unwrap());
    let columns = schema.get_fields().len();
    let codec = Compression::ZSTD(ZstdLevel::default());
    let properties = Arc::new(WriterProperties::builder().set_compression(codec).build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    for first in (0..rows).step_by(GROUP as usize) {
        let mut group = writer.next_row_group().unwrap();
        (0..columns).for_each(|number| column(&mut group, number, first, rows.min(first + GROUP)));
        group.close().unwrap();
    }
    writer.close().unwrap();
}

type Group<'a> = parquet::file::writer::SerializedRowGroupWriter<'a, File>;

fn write<T: DataType>(group: &mut Group<'_>, values: &[T::T]) {
    let mut writer = group.next_column().unwrap().unwrap();
    writer.typed::<T>().write_batch(values, None, None).unwrap();
    writer.close().unwrap();
}

/// Every child refers to a parent, or to a number from `beyond` on if that is not 0.
fn integers(folder: &Path, rows: u64, parents: u64, beyond: u64) {
    let mut rng = fastrand::Rng::with_seed(1);
    parquet(&folder.join("child.parquet"), "required int64 r;", rows, &mut |group, _, first, end| {
        let reference = |row| if beyond > 0 { beyond + row } else { rng.u64(0..parents) };
        let values: Vec<i64> = (first..end).map(reference).map(u64::cast_signed).collect();
        write::<Int64Type>(group, &values);
    });
    parquet(&folder.join("parent.parquet"), "required int64 id;", parents, &mut |group, _, first, end| {
        write::<Int64Type>(group, &(first..end).map(u64::cast_signed).collect::<Vec<_>>());
    });
}

fn uuid(number: u64) -> ByteArray {
    let mut rng = fastrand::Rng::with_seed(number);
    let (high, low) = (rng.u64(..), rng.u64(..));
    let digits = format!("{high:016x}{low:016x}");
    let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
    ByteArray::from(format!("{a}-{b}-{c}-{d}-{e}").as_str())
}

fn uuids(folder: &Path, rows: u64) {
    let mut rng = fastrand::Rng::with_seed(2);
    parquet(&folder.join("child.parquet"), "required byte_array r (STRING);", rows / 4, &mut |group, _, first, end| {
        write::<ByteArrayType>(group, &(first..end).map(|_| uuid(rng.u64(0..rows / 40))).collect::<Vec<_>>());
    });
    parquet(
        &folder.join("parent.parquet"),
        "required byte_array id (STRING);",
        rows / 40,
        &mut |group, _, first, end| {
            write::<ByteArrayType>(group, &(first..end).map(uuid).collect::<Vec<_>>());
        },
    );
}

fn pairs(folder: &Path, rows: u64) {
    let mut rng = fastrand::Rng::with_seed(3);
    let parents = rows / 40;
    let mut chosen: Vec<u64> = Vec::new();
    let columns = "required int64 r; required int64 s;";
    parquet(&folder.join("child.parquet"), columns, rows / 4, &mut |group, number, first, end| {
        if number == 0 {
            chosen = (first..end).map(|_| rng.u64(0..parents)).collect();
        }
        let part = |parent: &u64| if number == 0 { parent / 7 } else { parent % 7 };
        write::<Int64Type>(group, &chosen.iter().map(part).map(u64::cast_signed).collect::<Vec<_>>());
    });
    let columns = "required int64 id; required int64 part;";
    parquet(&folder.join("parent.parquet"), columns, parents, &mut |group, number, first, end| {
        let part = |parent: u64| if number == 0 { parent / 7 } else { parent % 7 };
        write::<Int64Type>(group, &(first..end).map(part).map(u64::cast_signed).collect::<Vec<_>>());
    });
}

fn small_files(folder: &Path, rows: u64) {
    integers(folder, 1, rows / 100, 0);
    std::fs::remove_file(folder.join("child.parquet")).unwrap();
    std::fs::create_dir(folder.join("child")).unwrap();
    let mut rng = fastrand::Rng::with_seed(4);
    for number in 0..rows / 10 / 1_000 {
        let path = folder.join(format!("child/part-{number:05}.parquet"));
        parquet(&path, "required int64 r;", 1_000, &mut |group, _, first, end| {
            let values: Vec<i64> = (first..end).map(|_| rng.u64(0..rows / 100).cast_signed()).collect();
            write::<Int64Type>(group, &values);
        });
    }
}

fn csv_files(folder: &Path, rows: u64) {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut child = csv::Writer::from_path(folder.join("child.csv")).unwrap();
    child.write_record(["id", "r", "note"]).unwrap();
    for row in 0..rows / 4 {
        let reference = rng.u64(0..rows / 40);
        child.write_record([row.to_string(), reference.to_string(), format!("note, of row {row}")]).unwrap();
    }
    child.flush().unwrap();
    let mut parent = csv::Writer::from_path(folder.join("parent.csv")).unwrap();
    parent.write_record(["id", "name"]).unwrap();
    for row in 0..rows / 40 {
        parent.write_record([row.to_string(), format!("name {row}")]).unwrap();
    }
    parent.flush().unwrap();
}

fn scan(folder: &Path, options: &[&str]) -> Option<String> {
    let jobs = number("FK_DOCTOR_JOBS", 1).to_string();
    let options = [&["--format", "json", "--jobs", &jobs], options].concat();
    scan_with(folder, &options, &run::NoSink)
}

/// Reads a CSV file with the crate for it, and does nothing with its records.
fn read_csv(path: &Path) -> u64 {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let (mut record, mut rows) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record).unwrap() {
        rows += 1;
    }
    rows
}

/// Asks DuckDB. Returns the orphans, the processor time and the peak memory.
fn duckdb(python: &str, folder: &Path, shape: &Shape) -> (u64, f64, f64) {
    let path = |file: &str| folder.join(file).display().to_string();
    let jobs = number("FK_DOCTOR_JOBS", 1).to_string();
    let arguments = [path(shape.files[0]), path(shape.files[1]), shape.pairs.to_owned(), jobs];
    let output = std::process::Command::new(python).args(["-c", DUCKDB]).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: Vec<f64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [orphans, cpu, peak] = found[..] else { panic!("{}", String::from_utf8_lossy(&output.stderr)) };
    (orphans as u64, cpu, peak)
}

fn report(shape: &Shape, rows: u64, python: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    (shape.make)(folder.path(), rows);
    let sides: Vec<(&str, &str)> = shape.pairs.split(',').filter_map(|pair| pair.split_once('=')).collect();
    let names = |of: fn(&(&str, &str)) -> String| sides.iter().map(of).collect::<Vec<_>>().join(", ");
    let (child, parent) = (names(|pair| pair.0.to_owned()), names(|pair| pair.1.to_owned()));
    let relation = format!("[[relation]]\nchild = \"child({child})\"\nparent = \"parent({parent})\"\n");
    std::fs::write(folder.path().join("fk-doctor.toml"), relation).unwrap();
    let (mut doctor, mut other, mut bare) = (Costs::default(), Costs::default(), Costs::default());
    let mut orphans = 0;
    for _ in 0..number("FK_DOCTOR_ROUNDS", 3) {
        orphans = orphan_rows(doctor.of(|| scan(folder.path(), shape.options))).unwrap();
        if let Some(python) = python {
            let (found, cpu, peak) = duckdb(python, folder.path(), shape);
            assert_eq!(found, orphans, "DuckDB counts other orphans");
            other.cpu.push(cpu);
            other.peak.push(peak);
        }
        if shape.name == "csv" {
            bare.of(|| shape.files.map(|file| read_csv(&folder.path().join(file))));
        }
    }
    let beside = match (python, shape.name) {
        (_, "csv") => format!("csv crate {:>7.0} ms", median(&bare.cpu)),
        _ => String::new(),
    };
    let other = match python {
        Some(_) => format!("{:>7.0} ms {:>5.0} MB", median(&other.cpu), median(&other.peak)),
        None => "left out".to_owned(),
    };
    println!(
        "{:<9} {orphans:>9} orphans  fk-doctor {:>7.0} ms {:>5.0} MB  DuckDB {other}  {beside}  {}",
        shape.name,
        median(&doctor.cpu),
        median(&doctor.peak),
        shape.about,
    );
}

fn main() {
    let rows = number("FK_DOCTOR_ROWS", 2_000_000);
    let python = std::env::var("FK_DOCTOR_DUCKDB").ok();
    if python.is_none() {
        println!("DuckDB is left out: set FK_DOCTOR_DUCKDB to a Python that has the module duckdb");
    }
    let only = std::env::var("FK_DOCTOR_LAKE").ok();
    println!("{rows} rows");
    for shape in SHAPES.iter().filter(|shape| only.as_deref().is_none_or(|name| name == shape.name)) {
        report(shape, rows, python.as_deref());
    }
}
