//! What files are read as, and how bad ones are told.

use super::*;

fn records(kind: FileKind, manner: &Manner, bytes: &[u8]) -> Result<Vec<Record>, BadFile> {
    let mut found = Vec::new();
    read(bytes, kind, manner, &mut |record| {
        found.push(record);
        Ok::<(), BadFile>(())
    })?;
    Ok(found)
}

fn shown(kind: FileKind, bytes: &[u8]) -> Vec<(u64, Vec<Value>)> {
    let found = records(kind, &Manner::default(), bytes).unwrap();
    found.into_iter().map(|record| (record.line, record.values)).collect()
}

#[test]
fn fields_in_quotes_hold_anything_and_empty_ones_are_null() {
    let text = b"\xef\xbb\xbfid,name\r\n1,\"a, \"\"b\"\"\nc\"\r\n2,\r\n3,\"\"\n\n4,x";
    let expected = [
        (2, vec![Value::text("1"), Value::text("a, \"b\"\nc")]),
        (4, vec![Value::text("2"), Value::Null]),
        (5, vec![Value::text("3"), Value::text("")]),
        (7, vec![Value::text("4"), Value::text("x")]),
    ];
    assert_eq!(shown(FileKind::Csv, text), expected);
    assert_eq!(shown(FileKind::Tsv, b"a\tb\n1,2\t\n"), [(2, vec![Value::text("1,2"), Value::Null])]);
}

#[test]
fn columns_and_null_can_be_said() {
    let manner = Manner { columns: Some(vec!["a".to_owned()]), null: Some("\\N".to_owned()) };
    let found = records(FileKind::Csv, &manner, b"\\N\n\n\"\\N\"").unwrap();
    let values: Vec<&Value> = found.iter().map(|record| &record.values[0]).collect();
    assert_eq!(values, [&Value::Null, &Value::text(""), &Value::text("\\N")]);
}

#[test]
fn json_keeps_classes_and_lines() {
    let lines = b"{\"a\": 1, \"b\": null}\n\n{\"a\": 1.5, \"c\": [1, \"x\"]}";
    let values = [(1, vec![Value::Integer(1), Value::Null]), (3, vec![Value::Real(1.5), Value::text("[1,\"x\"]")])];
    assert_eq!(shown(FileKind::Ndjson, lines), values);
    let array = b"[\n{\"a\": true},\n {\"a\": \"x\"}, {\"a\": 9007199254740993}\n]\n";
    let values = [(2, Value::Integer(1)), (3, Value::text("x")), (3, Value::Integer(9_007_199_254_740_993))];
    assert_eq!(shown(FileKind::Json, array), values.map(|(line, value)| (line, vec![value])));
}

#[test]
fn bad_files_are_told_with_their_line() {
    for (kind, bytes, line, word) in [
        (FileKind::Csv, &b"a,b\n1,2\n3\n"[..], 3, "1 fields, and 2 columns"),
        (FileKind::Csv, b"a,b\n1,\"2\n3,4\n", 2, "never closed"),
        (FileKind::Csv, b"a,b\n1,2\n\"x\"y,2\n", 3, "behind a closing quote"),
        (FileKind::Csv, b"a,b\n1,\xff\n", 2, "not UTF-8"),
        (FileKind::Csv, b"\xff\xfea\0", 1, "UTF-16"),
        (FileKind::Csv, b"", 1, "empty"),
        (FileKind::Ndjson, b"{\"a\": 1}\n{\"a\": \n", 2, "not what is expected"),
        (FileKind::Ndjson, b"[1]\n", 1, "not what is expected"),
        (FileKind::Json, b"[{\"a\": 1},\n{\"a\" 2}]", 2, "not what is expected"),
        (FileKind::Json, b"[{\"a\": 1}", 1, "EOF"),
        (FileKind::Json, b"{\"a\": 1}", 1, "array of objects"),
        (FileKind::Json, b"[] x", 1, "trailing"),
    ] {
        let fault = records(kind, &Manner::default(), bytes).unwrap_err();
        assert!(fault.line == line && fault.why.contains(word), "{fault:?}");
    }
}

#[test]
fn a_record_without_end_is_stopped() {
    struct Endless;
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    let source = std::io::BufReader::with_capacity(1 << 20, Endless);
    let fault = read(source, FileKind::Csv, &Manner::default(), &mut |_| Ok::<(), BadFile>(())).unwrap_err();
    assert!(fault.why.contains("64 MiB"), "{fault:?}");
}

#[test]
fn what_is_written_back_is_read_again() {
    let columns: Vec<String> = ["a", "b;\"c\""].map(str::to_owned).into();
    let rows = [
        vec![Value::Null, Value::text("")],
        vec![Value::text("x,\t\"y\"\r\n z"), Value::text("NULL")],
        vec![Value::text(" "), Value::text("é")],
    ];
    for (kind, separator) in [(FileKind::Csv, b','), (FileKind::Tsv, b'\t')] {
        for null in [None, Some("NULL".to_owned())] {
            let manner = Manner { columns: None, null };
            let mut back = csv_writer::Back::new(Vec::new(), separator, &manner);
            rows.iter().for_each(|row| back.row(&columns, row).unwrap());
            let text = back.finish().unwrap();
            let mut again = Vec::new();
            read(text.as_slice(), kind, &manner, &mut |record: Record| -> Result<(), BadFile> {
                assert_eq!(*record.columns, *columns);
                again.push(record.values);
                Ok(())
            })
            .unwrap();
            assert_eq!(again, rows, "{}", String::from_utf8_lossy(&text));
        }
    }
}
