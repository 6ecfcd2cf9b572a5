//! Tables of JSON lines.

use std::io::Write;

use super::make::Cells;
use super::make::counts;
use super::make::lake;
use super::make::parquet;
use super::make::scan;
use crate::common::Bench;

/// Returns the state and the numbers of the relation between two files.
fn judged(child: &str, parent: &str) -> (i32, serde_json::Value) {
    let bench = lake();
    bench.write("lake/child.jsonl", child);
    bench.write("lake/parent.ndjson", parent);
    scan(&bench, &[])
}

fn reason(report: &serde_json::Value) -> &str {
    report["relations"][0]["reason"].as_str().unwrap_or_default()
}

#[test]
fn member_of_an_object_is_a_column_and_an_absent_member_is_null() {
    let child = "{\"r\": 1}\n{\"other\": [1, {\"x\": 2}]}\r\n\n{\"r\": null}\n{\"r\": 9, \"r2\": 1}";
    let (code, report) = judged(child, "{\"id\": 1, \"name\": \"a\"}\n");
    assert_eq!((code, counts(&report)), (1, [4, 2, 1, 1]), "{report:#}");
    let sample = &report["findings"][0]["samples"][0];
    assert_eq!(sample["row"], serde_json::json!({"file": "child.jsonl", "row": 5}), "{report:#}");
    assert_eq!(sample["key"], serde_json::json!({"r": 9}));
}

#[test]
fn numbers_are_equal_by_their_exact_value() {
    let child = "{\"r\": 1}\n{\"r\": 1.0}\n{\"r\": 10e-1}\n{\"r\": -0}\n{\"r\": 9007199254740993}\n\
        {\"r\": 18446744073709551615}\n{\"r\": 0.10}\n{\"r\": 2.5}\n";
    let parent =
        "{\"id\": 1}\n{\"id\": 0}\n{\"id\": 9007199254740992}\n{\"id\": 18446744073709551615}\n{\"id\": 0.1}\n";
    let (code, report) = judged(child, parent);
    assert_eq!((code, counts(&report)), (1, [8, 0, 2, 2]), "{report:#}");
    let missing: Vec<_> =
        report["findings"][0]["top_missing"].as_array().unwrap().iter().map(|missing| &missing["key"]).collect();
    assert_eq!(
        serde_json::json!(missing),
        serde_json::json!([{"r": 9_007_199_254_740_993_i64}, {"r": "2.5"}]),
        "{report:#}"
    );
}

#[test]
fn value_meets_columns_of_other_files_by_its_type() {
    let cases: [(&str, (&str, Cells), Result<u64, &str>); 6] = [
        ("{\"r\": 7}", ("int64 id", Cells::integers(&[7])), Ok(0)),
        ("{\"r\": 0.1}", ("double id", Cells::Double(vec![Some(0.1)])), Ok(0)),
        ("{\"r\": \"a\"}", ("byte_array id (STRING)", Cells::texts(&["a"])), Ok(0)),
        ("{\"r\": true}", ("boolean id", Cells::Bool(vec![Some(true)])), Ok(0)),
        ("{\"r\": \"7\"}", ("int64 id", Cells::integers(&[7])), Err("child.r is text and parent.id is integer")),
        (
            "{\"r\": 7}",
            ("byte_array id (STRING)", Cells::texts(&["7"])),
            Err("child.r is integer and parent.id is text"),
        ),
    ];
    for (line, column, expected) in cases {
        let bench = lake();
        bench.write("lake/child.ndjson", line);
        parquet(&bench.path("lake/parent.parquet"), &[column]);
        let (_, report) = scan(&bench, &[]);
        match expected {
            Ok(orphans) => assert_eq!(counts(&report), [1, 0, orphans, orphans], "{line}: {report:#}"),
            Err(why) => assert!(reason(&report).contains(why), "{line}: {report:#}"),
        }
    }
}

#[test]
fn column_of_several_kinds_is_compared_with_nothing() {
    let cases = [
        ("{\"r\": 1}\n{\"r\": \"1\"}\n", "child.r is number in line 1 and text in line 2 and parent.id is integer"),
        ("{\"r\": 1}\n\n{\"r\": true}\n", "child.r is number in line 1 and boolean in line 3"),
        ("{\"r\": {\"x\": 1}}\n", "child.r is a nested value in line 1"),
        ("{\"r\": 123456789012345678901234567890123456789012}", "child.r is a number of more than 38 digits in line 1"),
    ];
    for (child, expected) in cases {
        let (code, report) = judged(child, "{\"id\": 1}\n");
        assert!(code == 4 && reason(&report).contains(expected), "{expected}: {report:#}");
    }
    let bench = lake();
    std::fs::create_dir(bench.path("lake/child")).unwrap();
    bench.write("lake/child/a.jsonl", "{\"r\": 1, \"s\": 1}\n");
    bench.write("lake/child/b.jsonl", "{\"r\": \"1\", \"s\": 1}\n");
    bench.write("lake/parent.csv", "id\n1\n");
    let (code, report) = scan(&bench, &[]);
    let expected = "child.r is integer in child/a.jsonl and text in child/b.jsonl";
    assert!(code == 4 && reason(&report).contains(expected), "{report:#}");
    bench.write("lake/fk-doctor.toml", "[[relation]]\nchild = \"child(s)\"\nparent = \"parent(id)\"\n");
    assert_eq!(counts(&scan(&bench, &[]).1), [2, 0, 0, 0]);
}

#[test]
fn column_without_values_in_a_file_takes_the_type_of_the_others() {
    let bench = lake();
    std::fs::create_dir(bench.path("lake/child")).unwrap();
    bench.write("lake/child/a.jsonl", "{\"r\": null}\n{\"r\": null}\n");
    bench.write("lake/child/b.jsonl", "{\"r\": 1}\n{\"r\": 1.5}\n");
    bench.write("lake/child/c.jsonl", "");
    bench.write("lake/parent.jsonl", "{\"id\": 1}\n");
    let (_, report) = scan(&bench, &[]);
    assert_eq!(counts(&report), [4, 2, 1, 1], "{report:#}");
    assert!(reason(&report).ends_with("child.r is absent in 1 of 3 files, and NULL in their rows"), "{report:#}");
    std::fs::remove_file(bench.path("lake/child/b.jsonl")).unwrap();
    assert_eq!(counts(&scan(&bench, &[]).1), [2, 2, 0, 0]);
}

#[test]
fn faulty_line_makes_the_table_unreadable() {
    let deep = format!("{{\"r\": 1, \"x\": {}", "[".repeat(100_000));
    let cases = [
        ("{\"r\": 1}\n{\"r\": ", "child.jsonl: line 2: EOF while parsing a value"),
        ("{\"r\": 1}\n[1]\n", "child.jsonl: line 2: it is no JSON object"),
        ("{\n  \"r\": 1\n}\n", "child.jsonl: line 1: EOF while parsing an object"),
        ("{\"r\": 1, \"r\": 2}\n", "child.jsonl: line 1: it has the member r twice"),
        ("{\"r\": 1} {\"r\": 2}\n", "child.jsonl: line 1: trailing characters"),
        ("{\"r\": \"\\ud800\"}\n", "child.jsonl: line 1: "),
        ("", "its files have no rows, so that nobody knows its columns"),
        (&deep, "child.jsonl: line 1: EOF while parsing a list"),
    ];
    for (child, expected) in cases {
        let (code, report) = judged(child, "{\"id\": 1}\n");
        assert!(code == 4 && reason(&report).contains(expected), "{expected}: {report:#}");
    }
}

#[test]
fn byte_order_mark_blank_lines_and_compression_change_nothing() {
    let bench = lake();
    let text = "\u{feff}{\"r\": 1}\r\n   \n{\"r\": 9}\n\n".to_owned();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    std::fs::write(bench.path("lake/child.jsonl.gz"), packed.finish().unwrap()).unwrap();
    bench.write("lake/parent.ndjson", "{\"id\": 1}");
    assert_eq!(counts(&scan(&bench, &[]).1), [2, 0, 1, 1]);
}

#[test]
fn condition_reads_members() {
    let bench = Bench::empty();
    std::fs::create_dir(bench.path("lake")).unwrap();
    bench.write(
        "lake/fk-doctor.toml",
        "[[relation]]\nchild = \"child(r)\"\nparent = \"parent(id)\"\n\
         where = \"child.kind = 'a' AND child.size > 9007199254740992\"\nsoft-deleted = \"parent.gone\"\n",
    );
    let line = |r: u32, kind: &str, size: u64| format!("{{\"r\": {r}, \"kind\": \"{kind}\", \"size\": {size}}}\n");
    let lines = [line(1, "a", 9_007_199_254_740_993), line(2, "b", u64::MAX >> 1), line(3, "a", 9_007_199_254_740_992)];
    bench.write("lake/child.ndjson", &(lines.concat() + &line(2, "a", 9_007_199_254_740_994)));
    bench.write("lake/parent.ndjson", "{\"id\": 1, \"gone\": false}\n{\"id\": 2, \"gone\": true}\n");
    assert_eq!(counts(&scan(&bench, &[]).1), [2, 0, 1, 1]);
}
