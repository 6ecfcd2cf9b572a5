//! Files that are damaged, or made to harm.

use std::path::Path;

use fastrand::Rng;
use parquet::basic::BrotliLevel;
use parquet::basic::Compression;
use parquet::basic::GzipLevel;
use parquet::basic::ZstdLevel;

use super::make::Cells;
use super::make::lake;
use super::make::parquet;
use super::make::parquet_with;
use super::make::scan;
use crate::common::Bench;
use fk_doctor::internals::engine::Deadline;
use fk_doctor::internals::engine::WaitLimits;
use fk_doctor::internals::engines;
use fk_doctor::internals::examine;
use fk_doctor::internals::model::catalog::Engine;
use fk_doctor::internals::model::configured::ConfiguredRelation;
use fk_doctor::internals::model::configured::SideName;
use fk_doctor::internals::model::configured::Spanned;
use fk_doctor::internals::model::examination::CoverageState;
use fk_doctor::internals::model::resolve;
use fk_doctor::internals::scan::ScanOptions;
use fk_doctor::internals::source::Source;

/// Scans the folder in this process, without diagnosis of findings. Returns the state of the relation and its numbers.
fn scan_here(folder: &Path) -> (CoverageState, u64, u64) {
    let source = Source::Folder { engine: Engine::Files, path: folder.to_owned(), tables: Vec::new() };
    let limits = WaitLimits { lock_wait: std::time::Duration::ZERO, deadline: Deadline::default() };
    let mut database = engines::open(&source, &limits).unwrap();
    let side = |table: &str, column: &str| Spanned {
        value: SideName { table: table.to_owned(), columns: vec![column.to_owned()] },
        span: 0..0,
    };
    let relation = ConfiguredRelation {
        child: side("child", "r"),
        parent: side("parent", "id"),
        condition: None,
        ignored: Vec::new(),
        soft_deleted: None,
        parent_may_be_missing: false,
    };
    // A footer without the column is a fault of the configuration.
    let Ok(schema) = resolve::resolve(database.catalog().unwrap(), &[relation]) else {
        return (CoverageState::Unchecked, 0, 0);
    };
    let mut sessions = database.sessions(1).unwrap();
    let options = ScanOptions { samples: 1, memory: 64 << 20, threads: 1, progress: &|_| {}, is_known: None };
    let examination = examine::examine(schema, &mut sessions, &options);
    let coverage = examination.relations.iter().next().unwrap();
    (coverage.state, coverage.counts.rows, coverage.orphan_rows)
}

/// Every value of the child has its parent, and no two values are alike, so a changed value is an orphan.
fn sound(codec: Compression) -> Bench {
    let bench = lake();
    let keys: Vec<String> = (0..300).map(|i| format!("key-{i}-{}", i * 7_919)).collect();
    let texts = || Cells::texts(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    parquet_with(&bench.path("lake/child.parquet"), &[("byte_array r (STRING)", texts())], codec, 100);
    parquet_with(&bench.path("lake/parent.parquet"), &[("byte_array id (STRING)", texts())], codec, 100);
    bench
}

#[test]
fn damaged_file_is_never_taken_for_a_clean_one_with_other_rows() {
    std::panic::set_hook(Box::new(|_| {}));
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ];
    let mut unchecked = 0;
    for (number, codec) in codecs.into_iter().enumerate() {
        let bench = sound(codec);
        let path = bench.path("lake/child.parquet");
        let bytes = std::fs::read(&path).unwrap();
        let mut rng = Rng::with_seed(number as u64);
        for round in 0..340 {
            let mut damaged = bytes.clone();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(0..damaged.len());
                damaged[at] = if rng.bool() { damaged[at] ^ (1 << rng.u32(0..8)) } else { rng.u8(..) };
            }
            if rng.usize(0..5) == 0 {
                damaged.truncate(rng.usize(0..damaged.len()));
            }
            std::fs::write(&path, &damaged).unwrap();
            let (state, rows, _) = scan_here(&bench.path("lake"));
            // The parent is sound, so a checked child has all its rows.
            assert!(state == CoverageState::Unchecked || rows == 300, "codec {number}, round {round}: {rows} rows");
            unchecked += u32::from(state == CoverageState::Unchecked);
        }
    }
    assert!(unchecked > 300, "{unchecked}");
}

#[test]
fn page_that_unpacks_to_more_than_the_memory_is_not_read() {
    let bench = lake();
    let long = "x".repeat(40_000_000);
    let codec = Compression::ZSTD(ZstdLevel::default());
    parquet_with(&bench.path("lake/child.parquet"), &[("byte_array r (STRING)", Cells::texts(&[&long]))], codec, 9);
    assert!(std::fs::metadata(bench.path("lake/child.parquet")).unwrap().len() < 100_000);
    parquet(&bench.path("lake/parent.parquet"), &[("byte_array id (STRING)", Cells::texts(&["a"]))]);
    let (code, report) = scan(&bench, &["--memory", "16MB"]);
    let reason = report["relations"][0]["reason"].as_str().unwrap();
    assert!(code == 4 && reason.contains("--memory"), "{code} {reason}");
    assert_eq!(scan(&bench, &["--memory", "100MB"]).0, 1);
}

/// Writes another size into the header of the first page of a column, which begins at this offset.
fn set_unpacked_size(bytes: &mut [u8], header: usize, size: u64) {
    // The header begins with two fields of the compact protocol: the kind of the page, and its unpacked size.
    assert_eq!([bytes[header], bytes[header + 2]], [0x15, 0x15]);
    let at = header + 3;
    let length = 1 + bytes[at..].iter().position(|byte| byte & 0x80 == 0).unwrap();
    for (index, byte) in bytes[at..at + length].iter_mut().enumerate() {
        let more = if index + 1 < length { 0x80 } else { 0 };
        *byte = ((size << 1 >> (7 * index)) & 0x7f) as u8 | more;
    }
}

#[test]
fn page_whose_header_hides_its_size_is_unpacked_to_that_size_only() {
    use parquet::file::reader::FileReader;
    let long = "x".repeat(40_000_000);
    for codec in
        [Compression::GZIP(GzipLevel::default()), Compression::BROTLI(BrotliLevel::default()), Compression::LZ4]
    {
        let bench = lake();
        let path = bench.path("lake/child.parquet");
        parquet_with(&path, &[("byte_array r (STRING)", Cells::texts(&[&long]))], codec, 9);
        let file = parquet::file::reader::SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let (start, _) = file.metadata().row_group(0).column(0).byte_range();
        let mut bytes = std::fs::read(&path).unwrap();
        set_unpacked_size(&mut bytes, start as usize, 1_000);
        std::fs::write(&path, bytes).unwrap();
        parquet(&bench.path("lake/parent.parquet"), &[("byte_array id (STRING)", Cells::texts(&["a"]))]);
        let (code, report) = scan(&bench, &["--memory", "16MB"]);
        let reason = report["relations"][0]["reason"].as_str().unwrap();
        assert!(code == 4 && reason.contains("another size than its header gives"), "{code} {reason}");
    }
}

#[test]
fn faulty_text_files_are_unchecked_with_their_line() {
    for (text, expected) in [
        ("r\n1\n2,3\n", "line 3 has 2 fields, and the header has 1"),
        ("r,s\n1,\"open\n2,x\n", "line 2 begins a quoted field that never ends"),
        ("r\n\"1\"x\n", "line 2 has text after the quotation mark"),
        ("", "it is empty"),
    ] {
        let bench = lake();
        bench.write("lake/child.csv", text);
        bench.write("lake/parent.csv", "id\n1\n");
        let (code, report) = scan(&bench, &[]);
        let reason = report["relations"][0]["reason"].as_str().unwrap_or_default();
        assert!(code == 4 && reason.contains(expected), "{text:?}: {code} {reason}");
    }
}

#[test]
fn record_that_is_larger_than_the_memory_is_not_read() {
    let long = "x".repeat(3_000_000);
    for (name, text) in [("child.csv", format!("r\n1\n{long}\n")), ("child.jsonl", format!("{{\"r\": \"{long}\"}}\n"))]
    {
        let bench = lake();
        bench.write(&format!("lake/{name}"), &text);
        bench.write("lake/parent.csv", "id\n1\n");
        let (code, report) = scan(&bench, &["--memory", "1MB"]);
        let reason = report["relations"][0]["reason"].as_str().unwrap_or_default();
        assert!(code == 4 && reason.contains("allow more with --memory"), "{name}: {code} {reason}");
        assert_eq!(scan(&bench, &["--memory", "8MB"]).0, 1, "{name}");
    }
}

#[test]
fn text_of_another_encoding_is_compared_by_its_bytes() {
    let bench = lake();
    std::fs::write(bench.path("lake/child.csv"), b"\xef\xbb\xbfr\r\nM\xfcller\r\nx\r\n").unwrap();
    std::fs::write(bench.path("lake/parent.csv"), b"id\nM\xfcller\n").unwrap();
    assert_eq!(super::make::counts(&scan(&bench, &[]).1), [2, 0, 1, 1]);
}

#[test]
fn compressed_text_file_is_read_and_its_damage_noticed() {
    use std::io::Write;
    let bench = lake();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"r\n1\n9\n").unwrap();
    let packed = packed.finish().unwrap();
    bench.write("lake/parent.csv", "id\n1\n");
    std::fs::write(bench.path("lake/child.csv.gz"), &packed).unwrap();
    assert_eq!(super::make::counts(&scan(&bench, &[]).1), [2, 0, 1, 1]);
    std::fs::write(bench.path("lake/child.csv.gz"), &packed[..packed.len() - 9]).unwrap();
    assert_eq!(scan(&bench, &[]).0, 4);
}

#[test]
fn file_that_changes_while_it_is_read_makes_the_report_incomplete() {
    let changes: [&dyn Fn(&Path); 3] =
        [&|path| std::fs::write(path, "r\n1\n2\n").unwrap(), &|path| std::fs::remove_file(path).unwrap(), &|path| {
            let other = path.with_extension("new");
            std::fs::write(&other, "r\n2\n").unwrap();
            std::fs::rename(other, path).unwrap();
        }];
    for change in changes {
        let bench = lake();
        bench.write("lake/child.csv", "r\n1\n");
        let source = Source::Folder { engine: Engine::Files, path: bench.path("lake"), tables: Vec::new() };
        let limits = WaitLimits { lock_wait: std::time::Duration::ZERO, deadline: Deadline::default() };
        let database = engines::open(&source, &limits).unwrap();
        assert_eq!(database.change_while_reading(), None);
        change(&bench.path("lake/child.csv"));
        let why = database.change_while_reading();
        assert_eq!(why.as_deref(), Some("child.csv changed while it was read"));
    }
}
