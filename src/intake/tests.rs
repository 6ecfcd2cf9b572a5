//! The records of each kind of file, and the errors of malformed ones.

use super::*;

fn records(kind: FileKind, options: &ReadOptions, bytes: &[u8]) -> Result<Vec<Record>, FileError> {
    let mut records_read = Vec::new();
    read(bytes, kind, options, &mut |record| {
        records_read.push(record);
        Ok::<(), FileError>(())
    })?;
    Ok(records_read)
}

fn lines_and_values(kind: FileKind, bytes: &[u8]) -> Vec<(u64, Vec<Value>)> {
    let records_read = records(kind, &ReadOptions::default(), bytes).unwrap();
    records_read.into_iter().map(|record| (record.line, record.values)).collect()
}

#[test]
fn quoted_field_holds_any_text_and_empty_field_is_null() {
    let text = b"\xef\xbb\xbfid,name\r\n1,\"a, \"\"b\"\"\nc\"\r\n2,\r\n3,\"\"\n\n4,x";
    let expected = [
        (2, vec![Value::text("1"), Value::text("a, \"b\"\nc")]),
        (4, vec![Value::text("2"), Value::Null]),
        (5, vec![Value::text("3"), Value::text("")]),
        (7, vec![Value::text("4"), Value::text("x")]),
    ];
    assert_eq!(lines_and_values(FileKind::Csv, text), expected);
    assert_eq!(lines_and_values(FileKind::Tsv, b"a\tb\n1,2\t\n"), [(2, vec![Value::text("1,2"), Value::Null])]);
}

#[test]
fn options_set_columns_and_null() {
    let options = ReadOptions { columns: Some(vec!["a".to_owned()]), null: Some("\\N".to_owned()) };
    let records_read = records(FileKind::Csv, &options, b"\\N\n\n\"\\N\"").unwrap();
    let values: Vec<&Value> = records_read.iter().map(|record| &record.values[0]).collect();
    assert_eq!(values, [&Value::Null, &Value::text(""), &Value::text("\\N")]);
}

#[test]
fn json_keeps_types_and_lines() {
    let lines = b"{\"a\": 1, \"b\": null}\n\n{\"a\": 1.5, \"c\": [1, \"x\"]}";
    let values = [(1, vec![Value::Integer(1), Value::Null]), (3, vec![Value::Real(1.5), Value::text("[1,\"x\"]")])];
    assert_eq!(lines_and_values(FileKind::Ndjson, lines), values);
    let array = b"[\n{\"a\": true},\n {\"a\": \"x\"}, {\"a\": 9007199254740993}\n]\n";
    let values = [(2, Value::Integer(1)), (3, Value::text("x")), (3, Value::Integer(9_007_199_254_740_993))];
    assert_eq!(lines_and_values(FileKind::Json, array), values.map(|(line, value)| (line, vec![value])));
}

#[test]
fn malformed_file_is_an_error_with_its_line() {
    for (kind, bytes, line, word) in [
        (FileKind::Csv, &b"a,b\n1,2\n3\n"[..], 3, "1 fields, and 2 columns"),
        (FileKind::Csv, b"a,b\n1,\"2\n3,4\n", 2, "never closed"),
        (FileKind::Csv, b"a,b\n1,2\n\"x\"y,2\n", 3, "after a closing quote"),
        (FileKind::Csv, b"a,b\n1,\xff\n", 2, "not UTF-8"),
        (FileKind::Csv, b"\xff\xfea\0", 1, "UTF-16"),
        (FileKind::Csv, b"", 1, "empty"),
        (FileKind::Ndjson, b"{\"a\": 1}\n{\"a\": \n", 2, "not valid"),
        (FileKind::Ndjson, b"[1]\n", 1, "not valid"),
        (FileKind::Json, b"[{\"a\": 1},\n{\"a\" 2}]", 2, "not valid"),
        (FileKind::Json, b"[{\"a\": 1}", 1, "EOF"),
        (FileKind::Json, b"{\"a\": 1}", 1, "array of objects"),
        (FileKind::Json, b"[] x", 1, "trailing"),
    ] {
        let fault = records(kind, &ReadOptions::default(), bytes).unwrap_err();
        assert!(fault.line == line && fault.why.contains(word), "{fault:?}");
    }
}

#[test]
fn endless_record_is_an_error() {
    struct Endless;
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    let source = std::io::BufReader::with_capacity(1 << 20, Endless);
    let fault = read(source, FileKind::Csv, &ReadOptions::default(), &mut |_| Ok::<(), FileError>(())).unwrap_err();
    assert!(fault.why.contains("64 MiB"), "{fault:?}");
}

#[test]
fn written_rows_are_read_back_unchanged() {
    let columns: Vec<String> = ["a", "b;\"c\""].map(str::to_owned).into();
    let rows = [
        vec![Value::Null, Value::text("")],
        vec![Value::text("x,\t\"y\"\r\n z"), Value::text("NULL")],
        vec![Value::text(" "), Value::text("é")],
    ];
    for (kind, separator) in [(FileKind::Csv, b','), (FileKind::Tsv, b'\t')] {
        for null in [None, Some("NULL".to_owned())] {
            let options = ReadOptions { columns: None, null };
            let mut writer = csv_writer::CsvWriter::new(Vec::new(), separator, &options);
            rows.iter().for_each(|row| writer.write_row(&columns, row).unwrap());
            let text = writer.finish().unwrap();
            let mut read_back = Vec::new();
            read(text.as_slice(), kind, &options, &mut |record: Record| -> Result<(), FileError> {
                assert_eq!(*record.columns, *columns);
                read_back.push(record.values);
                Ok(())
            })
            .unwrap();
            assert_eq!(read_back, rows, "{}", String::from_utf8_lossy(&text));
        }
    }
}
