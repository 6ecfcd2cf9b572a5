//! Scans of files through a cluster. They must agree with scans of the same folder on this machine.
//!
//! `tests/run --features spark` starts Sail. Without a cluster these tests do nothing, and report that.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use super::agreement::NAMES;
use super::agreement::random;
use super::make::Cells;
use super::make::lake;
use super::make::parquet;
use super::make::scan;
use crate::common::Bench;

const RELATION: &str = "[[relation]]\nchild = \"child(r)\"\nparent = \"parent(id)\"\n";

/// Returns the address of the cluster, if there is one.
fn address() -> Option<String> {
    let address = std::env::var("FK_DOCTOR_TEST_CLUSTER").ok();
    if address.is_none() {
        assert!(std::env::var_os("FK_DOCTOR_TEST_SERVERS").is_none(), "FK_DOCTOR_TEST_CLUSTER is not set");
        let _ = writeln!(io::stderr(), "skipped: no cluster; tests/run --features spark starts one");
    }
    address
}

/// Scans the folder `lake` through the cluster. `tables` says where each table is, from the folder on.
fn through_cluster(bench: &Bench, tables: &[(&str, &str)], relations: &str, options: &[&str]) -> (i32, Value) {
    let lake = bench.path("lake").display().to_string();
    let tables: String = tables
        .iter()
        .map(|(name, described)| format!("{name} = {{ {} }}\n", described.replace("LAKE", &lake)))
        .collect();
    bench.write("cluster.toml", &format!("[tables]\n{tables}\n{relations}"));
    let run =
        bench.run(&[&["scan", &address().unwrap(), "--config", "cluster.toml", "--format", "json"], options].concat());
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    crate::common::assert_obeys("scan", &report);
    (run.code, report)
}

/// Returns what two scans of the same rows must agree on: of each relation the coverage and the numbers, and the missing keys.
fn essence(report: &Value) -> Value {
    let relations = report["relations"].as_array().unwrap().iter().map(|relation| {
        let numbers = ["coverage", "rows", "null_rows", "ignored_rows", "orphan_rows", "missing_keys"];
        json!([relation["id"], numbers.map(|name| relation[name].clone())])
    });
    let findings = report["findings"].as_array().unwrap().iter().map(|finding| {
        let mut top: Vec<String> = finding["top_missing"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|missing| format!("{} {}", missing["key"], missing["rows"]))
            .collect();
        top.sort();
        json!([finding["code"], finding["relation"], top])
    });
    json!([relations.collect::<Vec<_>>(), findings.collect::<Vec<_>>()])
}

fn assert_agrees(bench: &Bench, tables: &[(&str, &str)], relations: &str) -> Value {
    let (here, of_files) = scan(bench, &[]);
    let (there, of_cluster) = through_cluster(bench, tables, relations, &[]);
    assert_eq!(essence(&of_cluster), essence(&of_files), "{of_cluster:#}\n{of_files:#}");
    assert_eq!(here, there);
    of_cluster
}

const PARQUET: [(&str, &str); 2] =
    [("child", "path = \"LAKE/child.parquet\""), ("parent", "path = \"LAKE/parent.parquet\"")];

fn pair(child: (&str, Cells), parent: (&str, Cells)) -> Bench {
    let bench = lake();
    parquet(&bench.path("lake/child.parquet"), &[child]);
    parquet(&bench.path("lake/parent.parquet"), &[parent]);
    bench
}

#[test]
fn columns_of_one_family_agree_with_files() {
    if address().is_none() {
        return;
    }
    let bytes = |values: &[&[u8]]| Cells::Bytes(values.iter().map(|value| Some(value.to_vec())).collect());
    let some = |values: &[i32]| Cells::Int32(values.iter().copied().map(Some).collect());
    for (left, right) in [
        (("int32 r", some(&[1, 7, -31, 1, 9, 9, 9])), ("int64 id", Cells::integers(&[1, 7]))),
        (("int64 r", Cells::Int64(vec![Some(1), None, Some(-1)])), ("int64 id", Cells::integers(&[1, 2]))),
        (("int32 r (DECIMAL(9,2))", some(&[100, 700, 705])), ("int64 id", Cells::integers(&[1, 7]))),
        (("int32 r (DECIMAL(9,2))", some(&[100, 705])), ("int64 id (DECIMAL(18,4))", Cells::integers(&[10_000]))),
        (
            ("byte_array r (STRING)", Cells::texts(&["", "a", "ä", "A", "a "])),
            ("byte_array id (STRING)", Cells::texts(&["", "a"])),
        ),
        (("byte_array r", bytes(&[b"", b"a", b"\xff"])), ("byte_array id", bytes(&[b"a"]))),
        (
            ("boolean r", Cells::Bool(vec![Some(true), Some(false), None])),
            ("boolean id", Cells::Bool(vec![Some(true)])),
        ),
        (("int32 r (DATE)", some(&[0, 20_454, -1])), ("int32 id (DATE)", some(&[0]))),
        (
            ("int64 r (TIMESTAMP(MICROS,true))", Cells::integers(&[0, 1_000_001])),
            ("int64 id (TIMESTAMP(MICROS,true))", Cells::integers(&[0])),
        ),
        (
            ("int64 r (TIMESTAMP(MICROS,false))", Cells::integers(&[0, 1_000_001])),
            ("int64 id (TIMESTAMP(MICROS,false))", Cells::integers(&[0])),
        ),
    ] {
        let bench = pair(left, right);
        assert_agrees(&bench, &PARQUET, RELATION);
    }
}

#[test]
fn random_rows_agree_with_files() {
    if address().is_none() {
        return;
    }
    let mut orphans = 0;
    for seed in 0..6 {
        let (bench, relations) = random(seed, "parquet");
        bench.write("lake/fk-doctor.toml", &relations);
        let described = NAMES.map(|name| format!("path = \"LAKE/{name}.parquet\""));
        let tables: Vec<(&str, &str)> = NAMES.into_iter().zip(described.iter().map(String::as_str)).collect();
        let report = assert_agrees(&bench, &tables, &relations);
        let relations = report["relations"].as_array().unwrap().iter();
        orphans += relations.filter(|relation| relation["orphan_rows"] != 0).count();
    }
    assert!(orphans > 6, "{orphans}");
}

#[test]
fn columns_of_two_families_are_unchecked() {
    if address().is_none() {
        return;
    }
    let large = Cells::integers(&[9_007_199_254_740_993]);
    let bench = pair(("int64 r", large), ("double id", Cells::Double(vec![Some(9_007_199_254_740_992.0)])));
    let (code, report) = through_cluster(&bench, &PARQUET, RELATION, &[]);
    assert_eq!((code, &report["relations"][0]["coverage"]), (4, &json!("unchecked")), "{report:#}");
    let reason = report["relations"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("child.r is BIGINT and parent.id is DOUBLE"), "{reason}");
}

#[test]
fn composite_keys_self_references_and_empty_parents_agree_with_files() {
    if address().is_none() {
        return;
    }
    let bench = lake();
    let relations = "[[relation]]\nchild = \"child(a,b)\"\nparent = \"parent(a,b)\"\n\
        [[relation]]\nchild = \"child(a)\"\nparent = \"child(b)\"\n[[relation]]\nchild = \"child(a)\"\nparent = \"empty(a)\"\n";
    bench.write("lake/fk-doctor.toml", relations);
    let column = |values: &[Option<i64>]| Cells::Int64(values.to_vec());
    let a = column(&[Some(1), Some(1), None, Some(2), Some(2)]);
    let b = column(&[Some(1), Some(2), Some(1), None, Some(2)]);
    parquet(&bench.path("lake/child.parquet"), &[("int64 a", a), ("int64 b", b)]);
    let twice = [1, 1, 2];
    parquet(
        &bench.path("lake/parent.parquet"),
        &[("int64 a", Cells::integers(&twice)), ("int64 b", Cells::integers(&[1, 1, 3]))],
    );
    parquet(&bench.path("lake/empty.parquet"), &[("int64 a", column(&[]))]);
    let tables = [PARQUET[0], PARQUET[1], ("empty", "path = \"LAKE/empty.parquet\"")];
    assert_agrees(&bench, &tables, relations);
}

#[test]
fn odd_names_and_text_files_agree_with_files() {
    if address().is_none() {
        return;
    }
    let bench = lake();
    let relations = r#"[[relation]]
child = { table = "my `orders`", columns = ["a \"b' c"] }
parent = "parent(id)"
"#;
    bench.write("lake/fk-doctor.toml", relations);
    bench.write("lake/my `orders`.csv", "\"a \"\"b' c\",n\n007,1\n7,2\n,3\n\"x, \"\"y\"\"\nz\",4\n");
    bench.write("lake/parent.csv", "id\n7\na\n");
    let tables = [("\"my `orders`\"", "path = \"LAKE/my `orders`.csv\""), ("parent", "path = \"LAKE/parent.csv\"")];
    assert_agrees(&bench, &tables, relations);
}

/// The same files on this machine have orphans or are reported as unreadable.
#[test]
fn text_files_that_a_cluster_would_misread_are_unchecked() {
    if address().is_none() {
        return;
    }
    const TEXT: &str = "id\nk\u{f6}se\nb\n";
    for (file, child, parent, part) in [
        ("csv", "r\nk\u{e4}se\nb\n", TEXT, "child has U+FFFD in r"),
        ("csv", "r\nb\n", TEXT, "parent has U+FFFD in id"),
        ("csv", "r,n\nb,1\nb,\"2\nx,3\n", "id\nb\n", "the files of child have an odd number of quotation marks"),
        ("ndjson", "{\"r\":1}\n{\"r\":2\n", "{\"id\":1}\n", "child cannot be read"),
        ("ndjson", "{\"r\":\"k\u{e4}se\"}\n", "{\"id\":\"b\"}\n", "child"),
    ] {
        let bench = lake();
        let latin = |text: &str| -> Vec<u8> { text.chars().map(|letter| u8::try_from(letter).unwrap()).collect() };
        std::fs::write(bench.path(&format!("lake/child.{file}")), latin(child)).unwrap();
        std::fs::write(bench.path(&format!("lake/parent.{file}")), latin(parent)).unwrap();
        let described = ["child", "parent"].map(|name| format!("path = \"LAKE/{name}.{file}\""));
        let tables = [("child", described[0].as_str()), ("parent", described[1].as_str())];
        let (code, report) = through_cluster(&bench, &tables, RELATION, &[]);
        assert_eq!((code, &report["relations"][0]["coverage"]), (4, &json!("unchecked")), "{child}: {report:#}");
        let reason = report["relations"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(part), "{child}: {reason}");
    }
}

/// Sail cannot tell the two kinds of empty fields apart. Spark can.
#[test]
fn empty_fields_in_quotation_marks_are_texts_or_in_doubt() {
    if address().is_none() {
        return;
    }
    let bench = lake();
    let tables = [("child", "path = \"LAKE/child.csv\""), ("parent", "path = \"LAKE/parent.csv\"")];
    bench.write("lake/parent.csv", "id,n\na,1\n");
    bench.write("lake/child.csv", "r,n\na,\"\"\n\"a\",2\n");
    assert_agrees(&bench, &tables, RELATION);
    bench.write("lake/child.csv", "r,n\na,1\n,2\n\"\",3\n");
    let (_, report) = through_cluster(&bench, &tables, RELATION, &[]);
    if report["database"]["version"].as_str().unwrap().starts_with("0.") {
        assert_eq!(report["relations"][0]["coverage"], "unchecked", "{report:#}");
        let reason = report["relations"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("which this cluster reads as NULL too"), "{reason}");
    } else {
        let report = assert_agrees(&bench, &tables, RELATION);
        assert_eq!(report["relations"][0]["orphan_rows"], 1, "{report:#}");
    }
}

#[test]
fn names_of_folders_agree_with_files() {
    if address().is_none() {
        return;
    }
    let bench = lake();
    for (folder, id) in [("a", 1), ("__HIVE_DEFAULT_PARTITION__", 3), ("c%2Fd", 4)] {
        let path = format!("lake/child/r={folder}/a.parquet");
        parquet(&bench.path(&path), &[("int64 id", Cells::integers(&[id]))]);
    }
    parquet(&bench.path("lake/parent.parquet"), &[("byte_array id (STRING)", Cells::texts(&["a"]))]);
    let tables = [("child", "path = \"LAKE/child\", format = \"parquet\""), PARQUET[1]];
    assert_agrees(&bench, &tables, RELATION);
}

/// Sail reads folders below a table. Spark leaves them out.
#[test]
fn files_in_folders_below_a_table_are_read_or_leave_it_unreadable() {
    if address().is_none() {
        return;
    }
    let bench = lake();
    parquet(&bench.path("lake/child/a.parquet"), &[("int64 r", Cells::integers(&[1]))]);
    parquet(&bench.path("lake/child/2024/b.parquet"), &[("int64 r", Cells::integers(&[9]))]);
    parquet(&bench.path("lake/parent.parquet"), &[("int64 id", Cells::integers(&[1]))]);
    bench.write("lake/child/_SUCCESS", "");
    let folder = [("child", "path = \"LAKE/child\", format = \"parquet\""), PARQUET[1]];
    let (code, report) = through_cluster(&bench, &folder, RELATION, &[]);
    if code == 4 {
        let reason = report["relations"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("the cluster leaves out 1 of its 2 files"), "{reason}");
    } else {
        assert_agrees(&bench, &folder, RELATION);
    }
    let pattern = [("child", "path = \"LAKE/child/{*,*/*}.parquet\""), PARQUET[1]];
    if code == 4 {
        assert_agrees(&bench, &pattern, RELATION);
    }
}

#[test]
fn table_that_the_cluster_cannot_read_is_unreadable_and_never_empty() {
    if address().is_none() {
        return;
    }
    let bench = pair(("int64 r", Cells::integers(&[1])), ("int64 id", Cells::integers(&[1])));
    std::fs::create_dir(bench.path("lake/folder")).unwrap();
    for child in [
        "path = \"LAKE/folder\", format = \"parquet\"",
        "path = \"LAKE/folder\", format = \"csv\"",
        "path = \"LAKE/absent.parquet\"",
        "path = \"LAKE/folder\"",
        "path = \"LAKE/folder\", format = \"delta\"",
        "table = \"absent.table\"",
    ] {
        for (tables, relation) in
            [([("child", child), PARQUET[1]], RELATION), ([("parent", child), PARQUET[0]], RELATION)]
        {
            let (code, report) = through_cluster(&bench, &tables, relation, &[]);
            assert_eq!((code, &report["relations"][0]["coverage"]), (4, &json!("unchecked")), "{child}: {report:#}");
            let reason = report["relations"][0]["reason"].as_str().unwrap();
            assert!(reason.contains(" cannot be read: "), "{child}: {reason}");
        }
    }
}

#[test]
fn conditions_of_a_relation_are_sql_of_the_cluster() {
    if address().is_none() {
        return;
    }
    let bench = lake();
    let relations =
        format!("{RELATION}where = \"child.kind = 'a'\"\nignore-values = [0]\nsoft-deleted = \"parent.deleted\"\n");
    bench.write("lake/fk-doctor.toml", &relations);
    parquet(
        &bench.path("lake/child.parquet"),
        &[
            ("int64 r", Cells::integers(&[1, 2, 8, 9, 0])),
            ("byte_array kind (STRING)", Cells::texts(&["a", "a", "a", "b", "a"])),
        ],
    );
    let deleted = Cells::Bool(vec![Some(false), Some(true)]);
    parquet(
        &bench.path("lake/parent.parquet"),
        &[("int64 id", Cells::integers(&[1, 2])), ("boolean deleted", deleted)],
    );
    assert_agrees(&bench, &PARQUET, &relations);
    let wrong = format!("{RELATION}where = \"child.absent = 1\"\n");
    bench.write(
        "wrong.toml",
        &format!(
            "[tables]\nchild = \"{0}/child.parquet\"\nparent = \"{0}/parent.parquet\"\n{wrong}",
            bench.path("lake").display()
        ),
    );
    let run = bench.run(&["scan", &address().unwrap(), "--config", "wrong.toml"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("the engine refuses this condition"), "{}", run.stderr);
}

#[test]
fn delta_table_is_read_at_its_newest_version_or_at_the_configured_one() {
    if address().is_none() {
        return;
    }
    let bench = lake();
    bench.write("lake/parent.csv", "id\n1\n");
    let metadata = json!({"metaData": {
        "id": "11111111-1111-4111-8111-111111111111", "format": {"provider": "parquet", "options": {}},
        "schemaString": json!({"type": "struct", "fields": [
            {"name": "r", "type": "long", "nullable": true, "metadata": {}}]}).to_string(),
        "partitionColumns": [], "configuration": {}, "createdTime": 0,
    }});
    let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
    let mut commits = [vec![protocol, metadata], Vec::new()];
    for (commit, number) in [(0, 1_i64), (0, 9), (1, 2)] {
        let path = format!("{number}.parquet");
        let file = bench.path(&format!("lake/child/{path}"));
        parquet(&file, &[("int64 r", Cells::integers(&[number]))]);
        let size = std::fs::metadata(&file).unwrap().len();
        commits[commit].push(json!({"add": {
            "path": path, "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": true}}));
    }
    commits[1].push(json!({"remove": {"path": "9.parquet", "deletionTimestamp": 0, "dataChange": true}}));
    std::fs::create_dir_all(bench.path("lake/child/_delta_log")).unwrap();
    for (version, actions) in commits.iter().enumerate() {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        bench.write(&format!("lake/child/_delta_log/{version:020}.json"), &lines.join("\n"));
    }
    parquet(&bench.path("lake/parent.parquet"), &[("int64 id", Cells::integers(&[1]))]);
    std::fs::remove_file(bench.path("lake/parent.csv")).unwrap();
    let newest = [("child", "path = \"LAKE/child\", format = \"delta\""), PARQUET[1]];
    let (_, report) = through_cluster(&bench, &newest, RELATION, &[]);
    if report["relations"][0]["reason"].as_str().unwrap().contains("Failed to find the data source: delta") {
        let _ = writeln!(io::stderr(), "skipped: the cluster has no Delta");
        return;
    }
    assert_agrees(&bench, &newest, RELATION);
    let pinned = [("child", "path = \"LAKE/child\", format = \"delta\", version = 0"), PARQUET[1]];
    let (_, report) = through_cluster(&bench, &pinned, RELATION, &[]);
    assert_eq!(report["findings"][0]["top_missing"][0]["key"], json!({"r": 9}), "{report:#}");
}

#[test]
fn known_keys_beyond_the_most_frequent_ones_stay_known() {
    if address().is_none() {
        return;
    }
    let keys: Vec<i64> = (1..=250).collect();
    let bench = pair(("int64 r", Cells::integers(&keys)), ("int64 id", Cells::integers(&[1])));
    let (code, _) = through_cluster(&bench, &PARQUET, RELATION, &["--write-baseline", "known.toml"]);
    assert_eq!(code, 0);
    let (code, report) = through_cluster(&bench, &PARQUET, RELATION, &["--baseline", "known.toml"]);
    assert_eq!(code, 0, "{report:#}");
    let keys: Vec<i64> = (1..=251).collect();
    parquet(&bench.path("lake/child.parquet"), &[("int64 r", Cells::integers(&keys))]);
    let (code, report) = through_cluster(&bench, &PARQUET, RELATION, &["--baseline", "known.toml"]);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(report["findings"][0]["top_missing"][0]["key"], json!({"r": 251}), "{report:#}");
}

#[test]
fn rows_are_named_by_their_key_and_listed_as_csv() {
    if address().is_none() {
        return;
    }
    let bench = lake();
    parquet(
        &bench.path("lake/child.parquet"),
        &[("int64 n", Cells::integers(&[1, 2, 3])), ("int64 r", Cells::integers(&[5, 9, 9]))],
    );
    parquet(&bench.path("lake/parent.parquet"), &[("int64 id", Cells::integers(&[5]))]);
    let tables = [("child", "path = \"LAKE/child.parquet\", key = [\"n\"]"), PARQUET[1]];
    let (_, report) = through_cluster(&bench, &tables, RELATION, &["--jobs", "3"]);
    let rows: Vec<&Value> =
        report["findings"][0]["samples"].as_array().unwrap().iter().map(|sample| &sample["row"]).collect();
    assert_eq!(rows, [&json!({"n": 2}), &json!({"n": 3})], "{report:#}");
    let reason = report["relations"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("each question at its own moment"), "{reason}");
    let run = bench.run(&["scan", &address().unwrap(), "--config", "cluster.toml", "--format", "csv"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", run.stdout);
}

#[test]
fn commands_that_change_rows_are_refused() {
    if address().is_none() {
        return;
    }
    let bench = Bench::empty();
    let run = bench.run(&["repair", &address().unwrap(), "--rules", "null-out"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("a cluster is read, not changed"), "{}", run.stderr);
}

#[test]
fn closed_port_is_an_error_within_seconds() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bench = Bench::empty();
    bench.write("fk-doctor.toml", "[tables]\nchild = \"c.parquet\"\nparent = \"p.parquet\"\n");
    let start = Instant::now();
    let run = bench.run(&["scan", &format!("sc://127.0.0.1:{port}/;token=topsecret")]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("no cluster listens there"), "{}", run.stderr);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(!run.stderr.contains("topsecret"), "{}", run.stderr);
}

/// Starts a server of Sail for one test. Returns it and its port; `None` without Sail.
fn private_sail() -> Option<(Child, u16)> {
    let Some(program) = std::env::var_os("FK_DOCTOR_TEST_SAIL") else {
        let _ = writeln!(io::stderr(), "skipped: no Sail; tests/run --features spark installs it");
        return None;
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new(program)
        .args(["spark", "server", "--ip", "127.0.0.1", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(port);
    Some((server, port))
}

fn wait_for(port: u16) {
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing listens at port {port}");
}

#[test]
fn cluster_that_dies_while_it_works_leaves_the_relation_unchecked_within_seconds() {
    let Some((mut server, port)) = private_sail() else { return };
    let bench = pair(("int64 r", Cells::integers(&[1])), ("int64 id", Cells::integers(&[1])));
    let lake = bench.path("lake").display().to_string();
    // This condition takes hours.
    let slow = "where = \"child.r < (SELECT sum(id % 7) FROM range(1000000000000))\"";
    let tables = format!("[tables]\nchild = \"{lake}/child.parquet\"\nparent = \"{lake}/parent.parquet\"\n");
    bench.write("slow.toml", &format!("{tables}{RELATION}{slow}\n"));
    let address = format!("sc://127.0.0.1:{port}");
    std::thread::scope(|threads| {
        let scan = threads.spawn(|| bench.run(&["scan", &address, "--config", "slow.toml", "--timeout", "60s"]));
        std::thread::sleep(Duration::from_secs(3));
        assert!(!scan.is_finished());
        server.kill().unwrap();
        server.wait().unwrap();
        let death = Instant::now();
        let run = scan.join().unwrap();
        assert!(death.elapsed() < Duration::from_secs(5), "{:?}", death.elapsed());
        assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
        let shown = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains("the connection was lost while the cluster worked"), "{shown}");
    });
}

/// A server that accepts connections and never answers.
#[test]
fn silent_server_ends_the_scan_at_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bench = Bench::empty();
    bench.write("fk-doctor.toml", "[tables]\nchild = \"c.parquet\"\nparent = \"p.parquet\"\n");
    let start = Instant::now();
    let run = bench.run(&["scan", &format!("sc://127.0.0.1:{port}"), "--timeout", "1s"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(listener);
}

/// Answers every connection by this function, and closes it. Returns the port.
fn impostor(answer: fn(&mut TcpStream) -> io::Result<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            if answer(&mut connection).is_ok() {
                connection.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                let mut received = [0; 4096];
                while connection.read(&mut received).is_ok_and(|length| length > 0) {}
            }
        }
    });
    port
}

/// Settings of HTTP/2, and, once a request has come, a response with the status 401. A response
/// before the request would be a fault of the protocol.
fn answer_unauthorized(connection: &mut TcpStream) -> io::Result<()> {
    const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
    const HEADERS: u8 = 1;
    connection.write_all(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")?;
    connection.read_exact(&mut [0; PREFACE])?;
    loop {
        let mut frame = [0; 9];
        connection.read_exact(&mut frame)?;
        let [_, high, low, kind, ..] = frame;
        connection.read_exact(&mut vec![0; usize::from(u16::from_be_bytes([high, low]))])?;
        if kind == HEADERS {
            return connection.write_all(b"\x00\x00\x05\x01\x05\x00\x00\x00\x01\x08\x03401");
        }
    }
}

fn refused_by(port: u16) -> String {
    let bench = Bench::empty();
    bench.write("fk-doctor.toml", "[tables]\nchild = \"c.parquet\"\nparent = \"p.parquet\"\n");
    let start = Instant::now();
    let run = bench.run(&["scan", &format!("sc://127.0.0.1:{port}/;token=topsecret;x-key=alsosecret")]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(!run.stderr.contains("topsecret") && !run.stderr.contains("alsosecret"), "{}", run.stderr);
    run.stderr
}

#[test]
fn refused_token_is_named_and_never_shown() {
    let shown = refused_by(impostor(answer_unauthorized));
    assert!(shown.contains("the cluster refuses the token"), "{shown}");
    assert!(shown.contains("SPARK_CONNECT_AUTHENTICATE_TOKEN"), "{shown}");
}

#[test]
fn connection_that_is_closed_is_an_error_within_seconds() {
    let answers: [fn(&mut TcpStream) -> io::Result<()>; 2] =
        [|_| Ok(()), |connection| connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")];
    for answer in answers {
        let shown = refused_by(impostor(answer));
        assert!(shown.contains("the connection was closed"), "{shown}");
    }
}

/// Makes an authority, `authority.pem`, and a certificate of it for `localhost`, `server.pem`. Returns false without openssl.
fn certificates(bench: &Bench) -> bool {
    bench.write("names", "subjectAltName=DNS:localhost");
    let steps = [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests -keyout authority.key -out authority.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
        "x509 -req -days 2 -in server.csr -CA authority.pem -CAkey authority.key -extfile names -out server.pem",
    ];
    let made = steps.iter().all(|step| {
        let mut openssl = Command::new("openssl");
        openssl.args(step.split(' ')).current_dir(bench.path("")).stdout(Stdio::null()).stderr(Stdio::null());
        openssl.status().is_ok_and(|status| status.success())
    });
    assert!(made || std::env::var_os("FK_DOCTOR_TEST_SERVERS").is_none(), "openssl is not there");
    made
}

/// Starts a proxy with TLS before the cluster, which asks for the token `topsecret`. Returns it and its port.
fn proxy(bench: &Bench) -> Option<(Child, u16)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cluster = address()?;
    let cluster = cluster.trim_start_matches("sc://").trim_end_matches('/');
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {};\n", bench.path(name).display()))
        .collect();
    let configuration = format!(
        "daemon off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}server {{\n\
         listen 127.0.0.1:{port} ssl http2;\nssl_certificate server.pem;\nssl_certificate_key server.key;\n\
         if ($http_authorization != \"Bearer topsecret\") {{ return 401; }}\n\
         location / {{ grpc_pass grpc://{cluster}; }}\n}}\n}}\n"
    );
    bench.write("nginx.conf", &configuration);
    let start = |program: &str| {
        let mut nginx = Command::new(program);
        nginx.arg("-p").arg(bench.path("")).args(["-c", "nginx.conf", "-e", "error.log"]);
        nginx.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    };
    match start("nginx").or_else(|_| start("/usr/sbin/nginx")) {
        Ok(server) => {
            wait_for(port);
            Some((server, port))
        }
        Err(error) => {
            assert!(std::env::var_os("FK_DOCTOR_TEST_SERVERS").is_none(), "nginx is not there: {error}");
            let _ = writeln!(io::stderr(), "skipped: nginx is not there");
            None
        }
    }
}

#[test]
fn encrypted_cluster_with_a_token_is_scanned_and_without_them_is_an_error() {
    let bench = pair(("int64 r", Cells::integers(&[1, 2, 2])), ("int64 id", Cells::integers(&[1])));
    if !certificates(&bench) {
        return;
    }
    let Some((mut server, port)) = proxy(&bench) else { return };
    let lake = bench.path("lake").display().to_string();
    let tables = format!("[tables]\nchild = \"{lake}/child.parquet\"\nparent = \"{lake}/parent.parquet\"\n");
    bench.write("cluster.toml", &format!("{tables}{RELATION}"));
    let authority = bench.path("authority.pem").display().to_string();
    let trust = ("SSL_CERT_FILE", authority.as_str());
    let scan = |parameter: &str, variables: &[(&str, &str)]| {
        let address = format!("sc://localhost:{port}/;use_ssl=true{parameter}");
        bench.run_in(&["scan", &address, "--config", "cluster.toml"], variables)
    };
    let runs = [
        scan(";token=topsecret", &[trust]),
        scan("", &[trust, ("SPARK_CONNECT_AUTHENTICATE_TOKEN", "topsecret")]),
        scan(";token=wrongtoken", &[trust]),
        scan(";token=topsecret", &[]),
    ];
    // The first process of nginx ends its workers.
    Command::new("kill").arg(server.id().to_string()).status().unwrap();
    server.wait().unwrap();
    for run in &runs {
        let shown = format!("{}{}", run.stdout, run.stderr);
        assert!(!shown.contains("topsecret") && !shown.contains("wrongtoken"), "{shown}");
    }
    let [by_address, by_variable, refused, untrusted] = runs;
    for run in [by_address, by_variable] {
        assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("2 of 3 rows of child refer to 1 key"), "{}", run.stdout);
    }
    assert_eq!(refused.code, 3, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("the cluster refuses the token"), "{}", refused.stderr);
    assert_eq!(untrusted.code, 3, "{}{}", untrusted.stdout, untrusted.stderr);
    assert!(untrusted.stderr.contains("no authority that this computer trusts has signed it"), "{}", untrusted.stderr);
}

#[test]
fn untrusted_certificate_is_an_error_within_seconds() {
    let bench = Bench::empty();
    bench.write("fk-doctor.toml", "[tables]\nchild = \"c.parquet\"\nparent = \"p.parquet\"\n");
    if !certificates(&bench) {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("openssl")
        .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-alpn", "h2", "-quiet"])
        .args(["-cert", "server.pem", "-key", "server.key"])
        .current_dir(bench.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(port);
    let start = Instant::now();
    let run = bench.run(&["scan", &format!("sc://localhost:{port}/;use_ssl=true;token=topsecret")]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("the certificate of the cluster is not accepted"), "{}", run.stderr);
    assert!(run.stderr.contains("SSL_CERT_FILE"), "{}", run.stderr);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(!run.stderr.contains("topsecret"), "{}", run.stderr);
}
