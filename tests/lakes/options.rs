//! What a configuration and the options of a scan do on files.

use super::make::Cells;
use super::make::counts;
use super::make::lake;
use super::make::parquet;
use super::make::parquet_with;
use super::make::run;
use super::make::scan;
use crate::common::Bench;

/// Returns a lake with these conditions of its relation.
fn with(conditions: &str) -> Bench {
    let bench = lake();
    bench.write(
        "lake/fk-doctor.toml",
        &format!("[[relation]]\nchild = \"child(r)\"\nparent = \"parent(id)\"\n{conditions}\n"),
    );
    bench.write("lake/child.csv", "r,kind\n1,a\n2,b\n8,a\n9,b\n0,a\n");
    parquet(
        &bench.path("lake/parent.parquet"),
        &[("int64 id", Cells::integers(&[1, 2])), ("boolean deleted", Cells::Bool(vec![Some(false), Some(true)]))],
    );
    bench
}

#[test]
fn condition_selects_the_rows_of_the_child() {
    let bench = with("where = \"child.kind = 'a'\"");
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [3, 0, 2, 2]), "{report:#}");
    assert_eq!(report["relations"][0]["method"], "columns");
}

#[test]
fn ignored_values_are_compared_as_the_column_compares() {
    let bench = with("ignore-values = [0, \"09\"]");
    assert_eq!(counts(&scan(&bench, &[]).1), [5, 0, 1, 1]);
}

#[test]
fn soft_deleted_parent_does_not_count() {
    let bench = with("soft-deleted = \"parent.deleted\"");
    let (_, report) = scan(&bench, &[]);
    assert_eq!(counts(&report), [5, 0, 4, 4]);
    let diagnosis = report["findings"][0]["diagnosis"].as_array().unwrap();
    assert!(diagnosis.iter().any(|cause| cause["cause"] == "soft-deleted"), "{report:#}");
}

#[test]
fn option_narrows_the_scan() {
    let bench = with("");
    let (_, report) = scan(&bench, &["--where", "child: child.kind = 'b'"]);
    assert_eq!(report["relations"][0]["coverage"], "partial");
    assert!(report.to_string().contains("only rows with child.kind = 'b'"), "{report:#}");
}

#[test]
fn condition_that_does_not_compile_is_a_fault_with_its_line() {
    let bench = with("where = \"child.absent = 1\"");
    let outcome = run(&bench, &[]);
    assert!(outcome.code == 2 && outcome.stderr.contains("no such column: child.absent"), "{}", outcome.stderr);
}

#[test]
fn scan_gives_the_same_bytes_with_one_worker_and_two_and_little_memory() {
    let bench = lake();
    for part in 0..7_i64 {
        let rows: Vec<i64> = (0..3_000).map(|i| i * 7_919 + i64::from(i % 10 == part)).collect();
        parquet(&bench.path(&format!("lake/child/{part}.parquet")), &[("int64 r", Cells::integers(&rows))]);
    }
    // Their keys take more than a megabyte, and each page takes less.
    let ids: Vec<i64> = (0..150_000).map(|i| i * 7_919).collect();
    let column = [("int64 id", Cells::integers(&ids))];
    parquet_with(&bench.path("lake/parent.parquet"), &column, parquet::basic::Compression::SNAPPY, 20_000);
    let outputs: Vec<String> = [["--jobs", "1"], ["--jobs", "2"], ["--memory", "1MB"]]
        .iter()
        .map(|options| run(&bench, &[options.as_slice(), &["--format", "json"]].concat()).stdout)
        .collect();
    assert!(outputs[0].contains("\"orphan_rows\""), "{}", outputs[0]);
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
}

#[test]
fn schema_lists_the_relations_of_files() {
    let bench = with("");
    let outcome = bench.run(&["schema", "lake"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("child") && outcome.stdout.contains("parent"), "{}", outcome.stdout);
}

#[test]
fn masked_report_shows_where_a_row_is_and_hides_its_values() {
    let bench = with("");
    let outcome = run(&bench, &["--redact", "--format", "json"]);
    assert!(outcome.stdout.contains("child.csv"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("\"8\"") && !outcome.stdout.contains("[\n            8"), "{}", outcome.stdout);
}

#[test]
fn report_names_no_command_that_files_refuse() {
    let bench = with("");
    let report = run(&bench, &[]).stdout;
    assert!(report.contains("fk-doctor scan lake --format csv=orphans.csv"), "{report}");
    for refused in ["fk-doctor fix", "rules suggest", "by rule", "quarantine"] {
        assert!(!report.contains(refused), "{report}");
    }
}

#[test]
fn column_with_the_name_of_an_address_is_a_column() {
    let bench = with("where = \"child.rowid > 1\"");
    bench.write("lake/child.csv", "r,rowid\n1,1\n8,1\n9,2\n");
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [1, 0, 1, 1]), "{report:#}");
    assert_eq!(report["findings"][0]["samples"][0]["row"]["row"], 4);
}

#[test]
fn keys_for_clusters_are_faults_of_a_folder() {
    for key in ["path = \"child.csv\", format = \"csv\"", "path = \"child.csv\", version = 3", "table = \"main.child\""]
    {
        let bench = with("");
        let relation = "[[relation]]\nchild = \"child(r)\"\nparent = \"parent(id)\"\n";
        bench.write("lake/fk-doctor.toml", &format!("[tables]\nchild = {{ {key} }}\n{relation}"));
        let outcome = run(&bench, &[]);
        assert_eq!(outcome.code, 2, "{key}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("is for a cluster"), "{key}: {}", outcome.stderr);
    }
}

#[test]
fn causes_of_large_tables_are_searched_in_time() {
    let bench = lake();
    let ids: Vec<i64> = (0..60_000).map(|i| i * 3).collect();
    let column = [("int64 id", Cells::integers(&ids))];
    parquet(&bench.path("lake/parent.parquet"), &column);
    // More than half of the keys have a parent, so that all are compared with the missing ones.
    let rows: Vec<i64> = (0..120_000).map(|i| if i % 3 == 0 { 1 + i } else { i / 2 * 3 }).collect();
    parquet(&bench.path("lake/child.parquet"), &[("int64 r", Cells::integers(&rows))]);
    let start = std::time::Instant::now();
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [120_000, 0, 40_000, 40_000]), "{report:#}");
    // Without an index, a row is compared with all parents.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
