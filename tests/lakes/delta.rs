//! Tables of Delta, and of formats that are refused.

use parquet::basic::Compression;
use serde_json::json;

use super::make::Cells;
use super::make::counts;
use super::make::lake;
use super::make::parquet;
use super::make::parquet_with;
use super::make::scan;
use crate::common::Bench;

/// Returns a lake whose child is a Delta table without a commit. Its file `N.parquet` refers to the parent N.
fn table() -> Bench {
    let bench = lake();
    bench.write("lake/parent.csv", "id\n1\n2\n");
    std::fs::create_dir_all(bench.path("lake/child/_delta_log")).unwrap();
    for number in 1..=9 {
        let name = format!("lake/child/{number}.parquet");
        parquet(&bench.path(&name), &[("int64 r", Cells::integers(&[number]))]);
    }
    bench
}

fn commit(bench: &Bench, version: u64, actions: &[serde_json::Value]) {
    let lines: Vec<String> = actions.iter().map(serde_json::Value::to_string).collect();
    bench.write(&format!("lake/child/_delta_log/{version:020}.json"), &lines.join("\n"));
}

fn begin() -> [serde_json::Value; 2] {
    [
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {"id": "1", "schemaString": "{}", "partitionColumns": [], "configuration": {}}}),
    ]
}

fn add(path: &str) -> serde_json::Value {
    json!({"add": {"path": path, "partitionValues": {}, "size": 1, "dataChange": true}})
}

fn remove(path: &str) -> serde_json::Value {
    json!({"remove": {"path": path, "dataChange": true}})
}

#[test]
fn only_files_of_the_newest_version_are_read() {
    let bench = table();
    let [protocol, metadata] = begin();
    commit(&bench, 0, &[protocol, metadata, add("1.parquet"), add("9.parquet")]);
    commit(&bench, 1, &[remove("9.parquet"), add("2.parquet")]);
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (0, [2, 0, 0, 0]), "{report:#}");
    commit(&bench, 2, &[add("3.parquet")]);
    assert_eq!(counts(&scan(&bench, &[]).1), [3, 0, 1, 1]);
}

#[test]
fn missing_commit_makes_the_table_unreadable() {
    let bench = table();
    let [protocol, metadata] = begin();
    commit(&bench, 0, &[protocol, metadata, add("1.parquet")]);
    commit(&bench, 2, &[add("2.parquet")]);
    assert_unreadable(&bench, "its log lacks the commit 1");
}

#[test]
fn removed_data_file_makes_the_table_unreadable() {
    let bench = table();
    let [protocol, metadata] = begin();
    commit(&bench, 0, &[protocol, metadata, add("vanished.parquet")]);
    assert_unreadable(&bench, "child/vanished.parquet: ");
}

#[test]
fn values_of_partitions_come_from_the_log() {
    let bench = table();
    parquet(&bench.path("lake/child/r=a b/x.parquet"), &[("int64 n", Cells::integers(&[1, 2]))]);
    parquet(&bench.path("lake/child/r=none/x.parquet"), &[("int64 n", Cells::integers(&[3]))]);
    let partitioned = json!({"metaData": {"partitionColumns": ["r"], "configuration": {}}});
    let of = |path: &str, value: serde_json::Value| json!({"add": {"path": path, "partitionValues": {"r": value}}});
    let [protocol, _] = begin();
    let adds = [of("r=a%20b/x.parquet", json!("2")), of("r=none/x.parquet", json!(null))];
    commit(&bench, 0, &[vec![protocol, partitioned], adds.to_vec()].concat());
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (0, [3, 1, 0, 0]), "{report:#}");
}

#[test]
fn checkpoint_stands_for_the_commits_before_it() {
    let bench = table();
    // The commits 0 to 4 were removed. A checkpoint has an action in each row.
    let texts = |values: [Option<&str>; 3]| {
        Cells::Bytes(values.map(|value| value.map(|text| text.as_bytes().to_vec())).to_vec())
    };
    let schema = "message table {
        optional group add { optional byte_array path (STRING); }
        optional group protocol { optional int32 minReaderVersion; }
    }";
    write_checkpoint(
        &bench.path("lake/child/_delta_log/00000000000000000004.checkpoint.parquet"),
        schema,
        &texts([None, Some("1.parquet"), Some("3.parquet")]),
    );
    commit(&bench, 4, &[]);
    commit(&bench, 5, &[remove("3.parquet"), add("2.parquet")]);
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (0, [2, 0, 0, 0]), "{report:#}");
}

/// Writes a checkpoint whose first row is the protocol and whose others add files.
fn write_checkpoint(path: &std::path::Path, schema: &str, paths: &Cells) {
    use parquet::data_type::ByteArray;
    use parquet::data_type::ByteArrayType;
    use parquet::data_type::Int32Type;
    let Cells::Bytes(paths) = paths else { panic!("paths are texts") };
    let schema = std::sync::Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::file::writer::SerializedFileWriter::new(file, schema, Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let levels: Vec<i16> = paths.iter().map(|path| if path.is_some() { 2 } else { 0 }).collect();
    let values: Vec<ByteArray> = paths.iter().flatten().cloned().map(ByteArray::from).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int32Type>().write_batch(&[1], Some(&[2, 0, 0]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn feature_that_changes_rows_is_refused_by_its_name() {
    let vector = json!({"add": {"path": "1.parquet", "partitionValues": {}, "deletionVector": {"storageType": "u"}}});
    let mapped = json!({"metaData": {"partitionColumns": [], "configuration": {"delta.columnMapping.mode": "name"}}});
    let feature =
        |name: &str| json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [name]}});
    for (action, expected) in [
        (vector, "deletionVectors"),
        (mapped, "columnMapping"),
        (feature("deletionVectors"), "deletionVectors"),
        (feature("v2Checkpoint"), "v2Checkpoint"),
        (feature("typeWidening"), "typeWidening"),
        (json!({"protocol": {"minReaderVersion": 4}}), "reader version 4"),
    ] {
        let bench = table();
        let [protocol, metadata] = begin();
        commit(&bench, 0, &[protocol, metadata, add("1.parquet"), action]);
        assert_unreadable(&bench, expected);
    }
    let bench = table();
    let [_, metadata] = begin();
    commit(&bench, 0, &[feature("timestampNtz"), metadata, add("1.parquet")]);
    assert_eq!(counts(&scan(&bench, &[]).1), [1, 0, 0, 0]);
}

#[test]
fn path_outside_of_the_table_is_refused() {
    for path in ["../parent.csv", "s3://bucket/1.parquet", "/etc/passwd", "%2e%2e/parent.csv"] {
        let bench = table();
        let [protocol, metadata] = begin();
        commit(&bench, 0, &[protocol, metadata, add(path)]);
        assert_unreadable(&bench, "which is not below the table");
    }
}

#[test]
fn tables_of_other_formats_are_refused_by_name() {
    for (marker, name) in [("metadata/v1.metadata.json", "Iceberg"), (".hoodie/hoodie.properties", "Hudi")] {
        let bench = lake();
        bench.write("lake/parent.csv", "id\n1\n");
        parquet_with(
            &bench.path("lake/child/data/1.parquet"),
            &[("int64 r", Cells::integers(&[1]))],
            Compression::UNCOMPRESSED,
            9,
        );
        let path = bench.path("lake/child").join(marker);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "{}").unwrap();
        assert_unreadable(&bench, &format!("child is a table of {name}"));
    }
}

#[test]
fn folder_that_is_itself_a_table_is_not_read_file_by_file() {
    let bench = table();
    let outcome = bench.run(&["scan", "lake/child", "--config", "lake/fk-doctor.toml"]);
    assert!(outcome.code == 3 && outcome.stderr.contains("is itself a table of Delta"), "{}", outcome.stderr);
}

fn assert_unreadable(bench: &Bench, expected: &str) {
    let (code, report) = scan(bench, &[]);
    let relation = &report["relations"][0];
    let reason = relation["reason"].as_str().unwrap_or_default();
    assert!(
        code == 4 && relation["coverage"] == "unchecked" && reason.contains(expected),
        "{expected}: {code} {reason}"
    );
}
