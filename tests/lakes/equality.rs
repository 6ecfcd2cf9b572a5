//! Which values of files are equal: every pair of types, in both directions.

use super::make::Cells;
use super::make::counts;
use super::make::lake;
use super::make::parquet;
use super::make::scan;
use crate::common::Bench;

/// The type of a column, with cells of which the first two are equal in all columns of one family.
struct Kind {
    name: &'static str,
    family: &'static str,
    /// The declaration of a column of Parquet, without its name; empty for a text file.
    declared: &'static str,
    cells: Cells,
    /// The same cells as text.
    texts: [&'static str; 3],
}

/// Returns kinds with three cells each: two that every kind of the family has, and one that no other has.
fn kinds() -> Vec<Kind> {
    let bytes = |values: [&[u8]; 3]| Cells::Bytes(values.iter().map(|value| Some(value.to_vec())).collect());
    let fixed = |values: [&[u8]; 3]| Cells::Fixed(values.iter().map(|value| Some(value.to_vec())).collect());
    let number = |name, declared, cells, texts| Kind { name, family: "number", declared, cells, texts };
    vec![
        number("int32", "int32 {}", Cells::Int32(vec![Some(1), Some(7), Some(-31)]), ["1", "007", "-31"]),
        number("int64", "int64 {}", Cells::integers(&[1, 7, -1]), ["1", "7", "-1"]),
        number(
            "uint64",
            "int64 {} (INTEGER(64,false))",
            Cells::integers(&[1, 7, -2]),
            ["1", "7", "18446744073709551614"],
        ),
        number(
            "decimal(9,2)",
            "int32 {} (DECIMAL(9,2))",
            Cells::Int32(vec![Some(100), Some(700), Some(705)]),
            ["1", "7.00", "7.05"],
        ),
        number(
            "decimal(38,3)",
            "fixed_len_byte_array(16) {} (DECIMAL(38,3))",
            fixed([&1_000_i128.to_be_bytes(), &7_000_i128.to_be_bytes(), &7_001_i128.to_be_bytes()]),
            ["1.000", "7", "7.001"],
        ),
        number("double", "double {}", Cells::Double(vec![Some(1.0), Some(7.0), Some(7.1)]), ["1.0", "7e0", "7.1"]),
        Kind {
            name: "text",
            family: "text",
            declared: "byte_array {} (STRING)",
            cells: Cells::texts(&["", "a", "ä"]),
            texts: ["\"\"", "a", "ä"],
        },
        Kind {
            name: "binary",
            family: "binary",
            declared: "byte_array {}",
            cells: bytes([b"", b"a", b"\xff"]),
            texts: ["\"\"", "a", "-"],
        },
        Kind {
            name: "uuid",
            family: "uuid",
            declared: "fixed_len_byte_array(16) {} (UUID)",
            cells: fixed([&[0; 16], &[255; 16], &[1; 16]]),
            texts: [
                "00000000-0000-0000-0000-000000000000",
                "FFFFFFFF-ffff-ffff-ffff-ffffffffffff",
                "01010101-0101-0101-0101-010101010101",
            ],
        },
        Kind {
            name: "boolean",
            family: "boolean",
            declared: "boolean {}",
            cells: Cells::Bool(vec![Some(true), Some(true), Some(false)]),
            texts: ["true", "True", "false"],
        },
        Kind {
            name: "date",
            family: "date",
            declared: "int32 {} (DATE)",
            cells: Cells::Int32(vec![Some(0), Some(20_454), Some(-1)]),
            texts: ["1970-01-01", "2026-01-01", "1969-12-31"],
        },
        Kind {
            name: "time",
            family: "time",
            declared: "int64 {} (TIME(MICROS,true))",
            cells: Cells::integers(&[0, 1_500_000, 86_399_000_000]),
            texts: ["00:00", "00:00:01.5", "23:59:59"],
        },
        Kind {
            name: "timestamp in UTC",
            family: "instant",
            declared: "int64 {} (TIMESTAMP(MILLIS,true))",
            cells: Cells::integers(&[0, 1_000, 1]),
            texts: ["1970-01-01T00:00:00Z", "1970-01-01T01:00:01+01:00", "1970-01-01 00:00:00.001"],
        },
        Kind {
            name: "INT96",
            family: "instant",
            declared: "int96 {}",
            cells: Cells::Int96(vec![
                Some([0, 0, 2_440_588]),
                Some([1_000_000_000, 0, 2_440_588]),
                Some([1, 0, 2_440_588]),
            ]),
            texts: ["1970-01-01", "1970-01-01T00:00:01Z", "1970-01-01T00:00:00.000000001Z"],
        },
        Kind {
            name: "local timestamp",
            family: "local",
            declared: "int64 {} (TIMESTAMP(NANOS,false))",
            cells: Cells::integers(&[0, 1_000_000_000, 5]),
            texts: ["1970-01-01", "1970-01-01 00:00:01", "1970-01-01T00:00:00.000000005"],
        },
    ]
}

fn write(bench: &Bench, table: &str, column: &str, kind: &Kind) {
    let declared = kind.declared.replace("{}", column);
    parquet(&bench.path(&format!("lake/{table}.parquet")), &[(&declared, kind.cells.clone())]);
}

fn write_text(bench: &Bench, table: &str, column: &str, kind: &Kind) {
    bench.write(&format!("lake/{table}.csv"), &format!("{column}\n{}\n", kind.texts.join("\n")));
}

#[test]
fn every_pair_of_types_is_compared_by_value_or_not_at_all() {
    let kinds = kinds();
    for child in &kinds {
        for parent in &kinds {
            let bench = lake();
            write(&bench, "child", "r", child);
            write(&bench, "parent", "id", parent);
            let (code, report) = scan(&bench, &[]);
            let names = format!("{} and {}", child.name, parent.name);
            if child.family == parent.family {
                // The third value is another one in each kind.
                let orphans = u64::from(child.name != parent.name);
                assert_eq!(
                    (code, counts(&report)),
                    (i32::from(orphans > 0).max(code), [3, 0, orphans, orphans]),
                    "{names}"
                );
            } else {
                assert_eq!(code, 4, "{names}: {report:#}");
                let relation = &report["relations"][0];
                assert_eq!(relation["coverage"], "unchecked", "{names}");
                let reason = relation["reason"].as_str().unwrap();
                assert!(reason.contains("are not compared"), "{names}: {reason}");
            }
        }
    }
}

#[test]
fn untyped_text_takes_the_type_of_the_column_that_it_meets() {
    for kind in kinds() {
        let bench = lake();
        write_text(&bench, "child", "r", &kind);
        write(&bench, "parent", "id", &kind);
        let absent = u64::from(kind.texts[2] == "-");
        assert_eq!(counts(&scan(&bench, &[]).1), [3, 0, absent, absent], "text against {}", kind.name);
        let bench = lake();
        write(&bench, "child", "r", &kind);
        write_text(&bench, "parent", "id", &kind);
        assert_eq!(counts(&scan(&bench, &[]).1), [3, 0, absent, absent], "{} against text", kind.name);
    }
}

#[test]
fn text_that_is_no_value_of_the_type_is_an_orphan() {
    let bench = lake();
    bench.write("lake/child.csv", "r,n\n1,1\n 1,2\nx,3\n,4\n\"\",5\n9007199254740993,6\n");
    parquet(
        &bench.path("lake/parent.parquet"),
        &[("double id", Cells::Double(vec![Some(1.0), Some(9_007_199_254_740_992.0)]))],
    );
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [6, 1, 4, 4]), "{report:#}");
}

#[test]
fn two_untyped_columns_are_compared_by_their_bytes() {
    let bench = lake();
    bench.write("lake/child.csv", "r\n007\n7\nA\n");
    bench.write("lake/parent.csv", "id\n7\na\n");
    assert_eq!(counts(&scan(&bench, &[]).1), [3, 0, 2, 2]);
}

#[test]
fn two_untyped_columns_are_equal_only_if_every_byte_is() {
    let texts = [
        "0",
        "00",
        "-0",
        "7",
        "-7",
        "+7",
        "07",
        "7.0",
        "7e0",
        " 7",
        "7 ",
        "a",
        "A",
        "999999999999999999",
        "1000000000000000000",
        "1000000000000000001",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "-",
    ];
    let (file, others) = (format!("r\n{}\n", texts.join("\n")), texts.len() as u64 - 1);
    for text in texts {
        let bench = lake();
        bench.write("lake/child.csv", &file);
        bench.write("lake/parent.csv", &format!("id\n{text}\n"));
        assert_eq!(counts(&scan(&bench, &[]).1), [others + 1, 0, others, others], "{text:?}");
        // Both forms in which the keys of a parent are kept have keys now.
        bench.write("lake/parent.csv", &format!("id\n{text}\n12345\nb\n"));
        assert_eq!(counts(&scan(&bench, &[]).1), [others + 1, 0, others, others], "{text:?}");
    }
}

#[test]
fn not_a_number_and_both_zeros_are_equal_to_themselves() {
    let bench = lake();
    let double = |values: &[f64]| Cells::Double(values.iter().copied().map(Some).collect());
    parquet(&bench.path("lake/child.parquet"), &[("double r", double(&[f64::NAN, -0.0, 0.1, f64::INFINITY]))]);
    parquet(&bench.path("lake/parent.parquet"), &[("double id", double(&[-f64::NAN, 0.0, 0.1]))]);
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [4, 0, 1, 1]));
}

#[test]
fn key_with_null_in_any_part_refers_to_nothing() {
    let bench = lake();
    bench.write("lake/fk-doctor.toml", "[[relation]]\nchild = \"child(a, b)\"\nparent = \"parent(a, b)\"\n");
    let integers = |values: &[Option<i64>]| Cells::Int64(values.to_vec());
    let texts = |values: &[Option<&str>]| {
        Cells::Bytes(values.iter().map(|value| value.map(|text| text.as_bytes().to_vec())).collect())
    };
    let a = integers(&[Some(1), None, Some(1), Some(2), None]);
    let b = texts(&[Some("x"), Some("x"), None, Some("x"), None]);
    parquet(&bench.path("lake/child.parquet"), &[("int64 a", a), ("byte_array b (STRING)", b)]);
    let (a, b) = (integers(&[Some(1), None]), texts(&[Some("x"), Some("x")]));
    parquet(&bench.path("lake/parent.parquet"), &[("int64 a", a), ("byte_array b (STRING)", b)]);
    let (code, report) = scan(&bench, &[]);
    assert_eq!((code, counts(&report)), (1, [5, 3, 1, 1]));
    let shown = &report["findings"][0]["top_missing"][0]["key"];
    assert_eq!(*shown, serde_json::json!({"a": 2, "b": "x"}), "{report:#}");
}

#[test]
fn equal_values_that_are_spelled_differently_are_one_missing_key() {
    let decimals = |values: &[i32]| Cells::Int32(values.iter().copied().map(Some).collect());
    let spellings: [(&str, Cells, [&str; 3], &str); 5] = [
        ("int32 id (DECIMAL(9,2))", decimals(&[100]), ["0.50", "5e-1", ".5"], "'0.5'"),
        (
            "int32 id (DECIMAL(9,2))",
            decimals(&[100]),
            ["1e30", "1000e27", "1.0e30"],
            "'1000000000000000000000000000000'",
        ),
        ("double id", Cells::Double(vec![Some(1.0)]), ["0.10", "1e-1", "0.1"], "0.1"),
        ("int32 id (DATE)", decimals(&[0]), ["2026-01-01", "02026-01-01", "2026-01-01"], "'2026-01-01'"),
        (
            "int64 id (TIMESTAMP(MILLIS,true))",
            Cells::integers(&[0]),
            ["2026-01-01", "2026-01-01 01:00+01:00", "2026-01-01T00:00:00.000Z"],
            "'2026-01-01T00:00:00Z'",
        ),
    ];
    for (declared, cells, texts, shown) in spellings {
        let bench = lake();
        parquet(&bench.path("lake/parent.parquet"), &[(declared, cells)]);
        bench.write("lake/child.csv", &format!("r\n{}\n", texts.join("\n")));
        let (_, report) = scan(&bench, &[]);
        assert_eq!(counts(&report), [3, 0, 3, 1], "{declared}: {texts:?}");
        let table = super::make::run(&bench, &[]).stdout;
        assert!(table.contains(&format!("keys    {shown} (3 rows)")), "{declared}: {table}");
    }
}
