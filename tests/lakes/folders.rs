//! Which files belong to a table, and how rows are named.

use super::make::Cells;
use super::make::counts;
use super::make::lake;
use super::make::parquet;
use super::make::run;
use super::make::scan;

fn ids(values: &[i64]) -> [(&'static str, Cells); 1] {
    [("int64 id", Cells::integers(values))]
}

fn references(values: &[i64]) -> [(&'static str, Cells); 1] {
    [("int64 r", Cells::integers(values))]
}

#[test]
fn folder_without_relations_is_an_error_with_an_example() {
    let bench = lake();
    std::fs::remove_file(bench.path("lake/fk-doctor.toml")).unwrap();
    parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
    let outcome = run(&bench, &[]);
    let expected = "error: no relation between the tables of lake is known\n\
        because: files declare no foreign keys, and no configuration has a relation\n\
        help: list the likely ones with `fk-doctor discover lake`, or write each relation into lake/fk-doctor.toml:\n\n      [[relation]]\n      \
        child  = \"orders(customer_id)\"\n      parent = \"customers(id)\"\n";
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (2, "", expected));
}

#[test]
fn orphan_is_named_by_its_file_and_its_row() {
    let bench = lake();
    parquet(&bench.path("lake/child/part-1.parquet"), &references(&[1, 1]));
    parquet(&bench.path("lake/child/part-2.parquet"), &references(&[1, 9]));
    bench.write("lake/parent.csv", "id\n1\n");
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [4, 0, 1, 1]));
    let row = &report["findings"][0]["samples"][0]["row"];
    assert_eq!(*row, serde_json::json!({"file": "child/part-2.parquet", "row": 2}), "{report:#}");
    let csv = run(&bench, &["--format", "csv"]);
    assert!(csv.stdout.contains("child/part-2.parquet"), "{}", csv.stdout);
}

#[test]
fn row_of_a_text_file_is_the_line_on_which_it_begins() {
    let bench = lake();
    bench.write("lake/child.csv", "note,r\n\"two\nlines\",1\n\n\"x \"\"y\"\"\",9\r\n,7\n");
    bench.write("lake/parent.csv", "id\n1\n");
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [3, 0, 2, 2]));
    let samples = report["findings"][0]["samples"].as_array().unwrap();
    let found: Vec<_> = samples.iter().map(|sample| (&sample["key"]["r"], &sample["row"]["row"])).collect();
    assert_eq!(serde_json::json!(found), serde_json::json!([["7", 6], ["9", 5]]), "{report:#}");
}

#[test]
fn row_is_named_by_its_key_where_the_key_is_unique() {
    let bench = lake();
    let relation = "[[relation]]\nchild = \"child(r)\"\nparent = \"parent(id)\"\n";
    bench.write(
        "lake/fk-doctor.toml",
        &format!("[tables]\nparent = \"parent.csv\"\nchild = {{ path = \"c.csv\", key = [\"n\"] }}\n{relation}"),
    );
    bench.write("lake/parent.csv", "id\n1\n");
    bench.write("lake/c.csv", "n,r\na,1\nb,9\n");
    let row = |report: &serde_json::Value| report["findings"][0]["samples"][0]["row"].clone();
    assert_eq!(row(&scan(&bench, &[]).1), serde_json::json!({"n": "b"}));
    bench.write("lake/c.csv", "n,r\nb,1\nb,9\n");
    assert_eq!(row(&scan(&bench, &[]).1), serde_json::json!({"file": "c.csv", "row": 3}));
}

#[test]
fn names_of_folders_are_columns() {
    let bench = lake();
    parquet(&bench.path("lake/child/r=1/a.parquet"), &ids(&[1, 2]));
    parquet(&bench.path("lake/child/r=__HIVE_DEFAULT_PARTITION__/a.parquet"), &ids(&[3]));
    parquet(&bench.path("lake/child/r=a%2Fb/a.parquet"), &ids(&[4]));
    bench.write("lake/parent.csv", "id\n1\na/b\n");
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (0, [4, 1, 0, 0]), "{report:#}");
}

#[test]
fn hidden_files_and_folders_are_no_data() {
    let bench = lake();
    parquet(&bench.path("lake/child/a.parquet"), &references(&[1]));
    parquet(&bench.path("lake/child/_temporary/0/b.parquet"), &references(&[9]));
    parquet(&bench.path("lake/child/.staging.parquet"), &references(&[9]));
    bench.write("lake/child/_SUCCESS", "");
    bench.write("lake/child/notes.txt", "");
    parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
    assert_eq!(counts(&scan(&bench, &[]).1), [1, 0, 0, 0]);
}

#[cfg(unix)]
#[test]
fn link_to_a_folder_is_not_followed_and_link_to_a_file_is() {
    let bench = lake();
    parquet(&bench.path("lake/child/a.parquet"), &references(&[1]));
    parquet(&bench.path("elsewhere.parquet"), &references(&[9]));
    std::os::unix::fs::symlink(bench.path("lake/child"), bench.path("lake/child/again")).unwrap();
    std::os::unix::fs::symlink(bench.path("elsewhere.parquet"), bench.path("lake/child/b.parquet")).unwrap();
    parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
    assert_eq!(counts(&scan(&bench, &[]).1), [2, 0, 1, 1]);
}

#[test]
fn table_without_files_is_unreadable_and_never_empty() {
    let bench = lake();
    let relation = "[[relation]]\nchild = \"child(r)\"\nparent = \"parent(id)\"\n";
    parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
    for tables in ["child = \"child/\"", "child = \"*.csv\"", "child = \"../outside/\"", "child = \"notes.txt\""] {
        std::fs::create_dir_all(bench.path("lake/child")).unwrap();
        bench.write("lake/notes.txt", "r\n1\n");
        bench.write("lake/fk-doctor.toml", &format!("[tables]\nparent = \"parent.parquet\"\n{tables}\n{relation}"));
        let (code, report) = scan(&bench, &[]);
        assert_eq!((code, &report["relations"][0]["coverage"]), (4, &serde_json::json!("unchecked")), "{tables}");
        let reason = report["relations"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("child cannot be read: "), "{reason}");
    }
}

/// Makes a table with a fault.
type Make<'a> = &'a dyn Fn(&crate::common::Bench);

#[test]
fn tables_with_faults_are_unreadable_with_the_files_that_disagree() {
    let cases: [(&str, Make<'_>); 5] = [
        ("a.csv and child/b.parquet have different formats", &|bench| {
            std::fs::create_dir_all(bench.path("lake/child")).unwrap();
            bench.write("lake/child/a.csv", "r\n1\n");
            parquet(&bench.path("lake/child/b.parquet"), &references(&[1]));
        }),
        ("r is integer in child/a.parquet and text in child/b.parquet", &|bench| {
            parquet(&bench.path("lake/child/a.parquet"), &references(&[1]));
            parquet(&bench.path("lake/child/b.parquet"), &[("byte_array r (STRING)", Cells::texts(&["1"]))]);
        }),
        ("are both tables of this name", &|bench| {
            parquet(&bench.path("lake/child/a.parquet"), &references(&[1]));
            bench.write("lake/child.csv", "r\n1\n");
        }),
        ("its header has the column r twice", &|bench| bench.write("lake/child.csv", "r,r\n1,1\n")),
        ("it is no Parquet file", &|bench| bench.write("lake/child.parquet", "PAR2 and nothing else")),
    ];
    for (expected, make) in cases {
        let bench = lake();
        parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
        make(&bench);
        let (code, report) = scan(&bench, &[]);
        let reason = report["relations"][0]["reason"].as_str().unwrap_or_default();
        assert!(code == 4 && reason.contains(expected), "{expected}: {code} {reason}");
    }
}

#[test]
fn file_without_a_column_has_null_there() {
    let bench = lake();
    parquet(&bench.path("lake/child/a.parquet"), &references(&[1]));
    parquet(&bench.path("lake/child/b.parquet"), &[("int32 other", Cells::Int32(vec![Some(1), Some(2)]))]);
    parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
    let report = scan(&bench, &[]).1;
    assert_eq!(counts(&report), [3, 2, 0, 0]);
    let reason = report["relations"][0]["reason"].as_str().unwrap();
    assert!(reason.ends_with("; child.r is absent in 1 of 2 files, and NULL in their rows"), "{reason}");
}

#[test]
fn column_without_a_type_in_a_file_takes_the_type_of_the_others() {
    let bench = lake();
    parquet(&bench.path("lake/child/a.parquet"), &[("int32 r (UNKNOWN)", Cells::Int32(vec![None, None]))]);
    parquet(&bench.path("lake/child/b.parquet"), &[("byte_array r (STRING)", Cells::texts(&["a", "b"]))]);
    parquet(&bench.path("lake/parent.parquet"), &[("byte_array id (STRING)", Cells::texts(&["a"]))]);
    assert_eq!(counts(&scan(&bench, &[]).1), [4, 2, 1, 1]);
}

#[test]
fn all_endings_of_parquet_files_are_read() {
    let bench = lake();
    for (number, name) in ["a.parquet", "b.parq", "c.PQ"].into_iter().enumerate() {
        parquet(&bench.path(&format!("lake/child/{name}")), &references(&[number as i64]));
    }
    parquet(&bench.path("lake/parent.pq"), &ids(&[0]));
    assert_eq!(counts(&scan(&bench, &[]).1), [3, 0, 2, 2]);
}

#[test]
fn file_of_a_format_that_is_not_read_makes_its_table_unreadable() {
    for name in ["b.orc", "b.avro", "b.csv.zst", "b.parquet.gz", "b.jsonl.bz2"] {
        let bench = lake();
        parquet(&bench.path("lake/child/a.parquet"), &references(&[1]));
        bench.write(&format!("lake/child/{name}"), "");
        parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
        let (code, report) = scan(&bench, &[]);
        let reason = report["relations"][0]["reason"].as_str().unwrap_or_default();
        assert!(code == 4 && reason.contains(&format!("child/{name} is not read")), "{name}: {code} {reason}");
    }
}

#[test]
fn pattern_of_children_includes_those_that_cannot_be_read() {
    let bench = lake();
    bench.write("lake/fk-doctor.toml", "[[relation]]\nchild = \"child_*(r)\"\nparent = \"parent(id)\"\n");
    parquet(&bench.path("lake/child_a.parquet"), &references(&[1]));
    bench.write("lake/child_b.parquet", "no such file");
    bench.write("lake/child_c.csv", "other\n1\n");
    parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
    let (code, report) = scan(&bench, &[]);
    let found: Vec<_> = report["relations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|relation| (&relation["id"], &relation["coverage"]))
        .collect();
    let expected = serde_json::json!([["child_a(r)->parent(id)", "checked"], ["child_b(r)->parent(id)", "unchecked"]]);
    assert_eq!((code, serde_json::json!(found)), (4, expected), "{report:#}");
}

#[test]
fn repeated_key_of_a_parent_is_a_finding() {
    let bench = lake();
    parquet(&bench.path("lake/child.parquet"), &references(&[1]));
    bench.write("lake/parent.csv", "id\n1\n2\n1\n\n");
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [1, 0, 0, 0]), "{report:#}");
    let finding = &report["findings"][0];
    assert_eq!(finding["code"], "parent-key-not-unique");
    assert_eq!(
        finding["message"],
        "1 key of parent(id) has more than one row, 2 rows in all; the first is row 2 of parent.csv"
    );
    let bench = lake();
    bench.write("lake/child.csv", "r\na\n");
    bench.write("lake/parent.csv", "id\n7\na\n07\n1\na\n1\na\n");
    let (_, report) = scan(&bench, &[]);
    let message = "2 keys of parent(id) have more than one row, 5 rows in all; the first is row 3 of parent.csv";
    assert_eq!(report["findings"][0]["message"], message);
}

#[test]
fn commands_that_change_rows_are_refused_in_a_sentence() {
    let bench = lake();
    parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
    bench.write("plan.ndjson", "");
    let commands: [&[&str]; 4] = [
        &["repair", "lake", "--rules", "placeholder"],
        &["check", "lake", "--table", "parent", "plan.ndjson"],
        &["explain", "lake", "DELETE FROM parent"],
        &["apply", "lake", "plan.ndjson"],
    ];
    for command in commands {
        let outcome = bench.run(command);
        assert_eq!(outcome.code, 2, "{command:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("files are read, not changed"), "{command:?}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains("fk-doctor scan lake --format csv=orphans.csv"),
            "{command:?}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn tables_of_a_configuration_for_a_database_are_a_fault() {
    let bench = crate::common::Bench::new("CREATE TABLE t(a)");
    bench.write("fk-doctor.toml", "[tables]\norders = \"orders/\"\n");
    let outcome = bench.run(&["scan", "app.db"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("[tables] is for a folder of files"), "{}", outcome.stderr);
}

#[test]
fn other_stores_and_files_are_refused_with_a_way_out() {
    let bench = lake();
    let refused = |address: &str| bench.run(&["scan", address]).stderr;
    assert!(refused("s3://bucket/lake").contains("mount or copy the files"), "{}", refused("s3://bucket/lake"));
    parquet(&bench.path("lake/parent.parquet"), &ids(&[1]));
    assert!(refused("lake/parent.parquet").contains("it is a Parquet file"));
    std::fs::write(bench.path("shop.duckdb"), [b"12345678DUCK".as_slice(), &[0; 600]].concat()).unwrap();
    assert!(refused("shop.duckdb").contains("EXPORT DATABASE"));
    assert!(refused("files:nowhere").contains("could not read nowhere"), "{}", refused("files:nowhere"));
}
