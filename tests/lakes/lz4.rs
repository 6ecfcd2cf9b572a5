//! Files that other programs packed by LZ4, in each way in which there are such files. Each has 40,000 rows of 50 customers, and one
//! row that refers to nobody. A page is larger than a block of LZ4.
//!
//! | file | codec | framing | written by |
//! |---|---|---|---|
//! | `pyarrow-raw` | `LZ4_RAW` | one block | pyarrow 26.0 |
//! | `duckdb-raw` | `LZ4_RAW` | one block | DuckDB 2.0 |
//! | `fastparquet-blocks` | `LZ4` | one block, as the deprecated codec was first written | fastparquet 2026.9 |
//! | `polars-frames` | `LZ4` | frames | polars 0.13.10 |
//! | `spark-hadoop` | `LZ4` | blocks of Hadoop, each with its sizes | Spark 4.3 (parquet-mr 1.17) |

use super::make::counts;
use super::make::lake;
use super::make::scan;
use crate::common::Bench;

const FILES: [(&str, &[u8]); 5] = [
    ("pyarrow-raw", include_bytes!("../data/lz4/pyarrow-raw.parquet")),
    ("duckdb-raw", include_bytes!("../data/lz4/duckdb-raw.parquet")),
    ("fastparquet-blocks", include_bytes!("../data/lz4/fastparquet-blocks.parquet")),
    ("polars-frames", include_bytes!("../data/lz4/polars-frames.parquet")),
    ("spark-hadoop", include_bytes!("../data/lz4/spark-hadoop.parquet")),
];

/// Makes a lake of a file, and of its customers and others.
fn lake_of(file: &[u8], others: &str) -> Bench {
    let customers: String = (0..50).map(|number| format!("customer {number}\n")).collect();
    let bench = lake();
    bench.write("lake/parent.csv", &format!("id\n{customers}{others}"));
    std::fs::write(bench.path("lake/child.parquet"), file).unwrap();
    bench
}

#[test]
fn every_framing_of_lz4_is_read_right() {
    for (name, bytes) in FILES {
        let bench = lake_of(bytes, "");
        let (code, report) = scan(&bench, &[]);
        assert_eq!((code, counts(&report)), (1, [40_000, 0, 1, 1]), "{name}");
        let row = &report["findings"][0]["samples"][0];
        assert!(row.to_string().contains("31235") && row.to_string().contains("nobody"), "{name}: {row}");
    }
}

#[test]
fn damaged_pages_of_lz4_are_no_clean_scan() {
    for (name, bytes) in FILES {
        let bench = lake_of(bytes, "nobody\n");
        assert_eq!(scan(&bench, &[]).0, 0, "{name}");
        let mut rng = fastrand::Rng::with_seed(7);
        let mut noticed = 0;
        for _ in 0..40 {
            let mut damaged = bytes.to_vec();
            // The footer comes last.
            let at = rng.usize(20..bytes.len() - 600);
            damaged[at] ^= 1 << rng.usize(0..8);
            std::fs::write(bench.path("lake/child.parquet"), damaged).unwrap();
            let (code, report) = scan(&bench, &[]);
            let relation = &report["relations"][0];
            let is_whole = relation["coverage"] != "checked" || relation["rows"] == 40_000;
            assert!([0, 1, 4].contains(&code) && is_whole, "{name}, byte {at}: {code} {relation}");
            noticed += usize::from(code != 0);
        }
        assert!(noticed > 0, "{name}: no damage was noticed");
    }
}
