//! Unusual cases in SQLite, each as a test: fk-doctor counts the same orphans as SQLite, and names the defect if SQLite
//! refuses to count.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use rusqlite::Connection;

/// Builds, scans and compares: `expected` lists the error-grade codes of the report, sorted.
fn trap(sql: &str, expected: &[&str]) -> serde_json::Value {
    let bench = Bench::new(sql);
    let (code, report) = bench.scan();
    let findings = report["findings"].as_array().unwrap();
    let mut codes: Vec<&str> = findings
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, expected, "{report:#}");
    let unchecked = report["summary"]["unchecked"] != 0;
    assert_eq!(code, if unchecked { 4 } else { i32::from(!expected.is_empty()) });
    let database = Connection::open(bench.path("app.db")).unwrap();
    let mut tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables {
        let verdict: rusqlite::Result<i64> =
            database.query_row("SELECT count(*) FROM pragma_foreign_key_check(?1)", [&table], |row| row.get(0));
        let Ok(verdict) = verdict else { continue };
        let relations = report["relations"].as_array().unwrap().iter();
        let ours: i64 = relations
            .filter(|relation| relation["child"]["table"] == table.as_str())
            .map(|relation| relation["orphan_rows"].as_i64().unwrap())
            .sum();
        assert_eq!(ours, verdict, "{table}: {report:#}");
    }
    report
}

macro_rules! traps {
    ($($name:ident: $sql:expr => $codes:expr;)*) => { $(#[test] fn $name() { trap($sql, &$codes); })* };
}

traps! {
    parent_affinity_decides: "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(k)); INSERT INTO p VALUES('01'); INSERT INTO c VALUES(1,1)" => ["orphan"];
    untyped_parent_converts_nothing: "CREATE TABLE p(k BLOB PRIMARY KEY); CREATE TABLE c(r INTEGER REFERENCES p(k)); INSERT INTO p VALUES('1'); INSERT INTO c VALUES(1)" => ["orphan"];
    parent_collation_decides: "CREATE TABLE p(k TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO p VALUES('Abc'); INSERT INTO c VALUES('aBC')" => [];
    unique_index_of_other_collation_is_no_parent_key: "CREATE TABLE p(id INTEGER PRIMARY KEY, k TEXT); CREATE UNIQUE INDEX pk ON p(k COLLATE NOCASE); CREATE TABLE c(r TEXT REFERENCES p(k))" => ["parent-key-collation"];
    partial_index_is_no_parent_key: "CREATE TABLE p(id INTEGER PRIMARY KEY, k INT); CREATE UNIQUE INDEX pk ON p(k) WHERE k>0; CREATE TABLE c(r INT REFERENCES p(k))" => ["parent-key-partial-index"];
    broken_relation_does_not_stop_others: "CREATE TABLE a_bad(r INT REFERENCES nokey(x)); CREATE TABLE nokey(x INT); CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE z_child(r INT REFERENCES p(id)); INSERT INTO a_bad VALUES(1); INSERT INTO z_child VALUES(99)" => ["orphan", "orphan", "parent-key-not-unique"];
    view_as_parent_is_a_defect: "CREATE TABLE base(id INTEGER PRIMARY KEY); CREATE VIEW v AS SELECT id FROM base; CREATE TABLE c(r INT REFERENCES v(id)); INSERT INTO base VALUES(1); INSERT INTO c VALUES(1)" => ["parent-is-view"];
    missing_parent_table_orphans_every_complete_key: "CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES gone(id)); INSERT INTO c VALUES(1,10),(2,NULL),(3,30)" => ["orphan", "parent-table-missing"];
    implicit_parent_key_follows_key_order: "CREATE TABLE p1(a INT, b INT, PRIMARY KEY(b,a)); CREATE TABLE c1(x INT, y INT, FOREIGN KEY(x,y) REFERENCES p1); INSERT INTO p1(a,b) VALUES(1,2); INSERT INTO c1 VALUES(2,1),(1,2)" => ["orphan"];
    implicit_parent_without_primary_key_is_a_defect: "CREATE TABLE p2(a INT); CREATE TABLE c2(x INT REFERENCES p2)" => ["parent-key-not-unique"];
    rowid_as_parent_key_is_a_defect: "CREATE TABLE p(x); CREATE TABLE c(r REFERENCES p(rowid)); INSERT INTO c VALUES(1)" => ["parent-column-missing"];
    without_rowid_child_is_scanned: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(a TEXT, b INT, r INT REFERENCES p(id), PRIMARY KEY(a,b)) WITHOUT ROWID; INSERT INTO c VALUES('x',1,7),('x',2,8)" => ["orphan"];
    columns_hiding_the_rowid_are_scanned: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(rowid INT, oid INT, _rowid_ INT, r INT REFERENCES p(id)); INSERT INTO c VALUES(50,51,52,7),(1,1,1,8)" => ["orphan"];
    key_with_any_null_is_no_orphan: "CREATE TABLE p(a INT,b INT,PRIMARY KEY(a,b)); CREATE TABLE c(x INT,y INT,FOREIGN KEY(x,y) REFERENCES p(a,b) MATCH FULL); INSERT INTO c VALUES(1,NULL),(NULL,2),(NULL,NULL)" => [];
    row_that_is_its_own_parent_is_no_orphan: "CREATE TABLE n(id INTEGER PRIMARY KEY, up INT REFERENCES n(id)); INSERT INTO n VALUES(1,1),(2,1),(3,9)" => ["orphan"];
    generated_column_as_key_is_scanned: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, raw TEXT, r INT AS (CAST(raw AS INT)) STORED REFERENCES p(id), v INT AS (raw + 1) VIRTUAL REFERENCES p(id)); INSERT INTO c(id,raw) VALUES(1,'77')" => ["orphan", "orphan"];
    deferred_commit_with_enforcement_leaves_orphans: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES(1,100); PRAGMA foreign_keys=ON; BEGIN; INSERT INTO c VALUES(2,200); DELETE FROM c WHERE id=1; COMMIT" => ["orphan"];
    enforcement_turned_on_leaves_old_orphans: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), n TEXT); INSERT INTO c VALUES(1,99,'x'); PRAGMA foreign_keys=ON; UPDATE c SET n='y' WHERE id=1" => ["orphan"];
    strict_table_is_judged_by_storage_class: "CREATE TABLE p(k TEXT PRIMARY KEY) STRICT; CREATE TABLE c(id INTEGER PRIMARY KEY, r ANY REFERENCES p(k), s INT REFERENCES p(k)) STRICT; INSERT INTO p VALUES('1'); INSERT INTO c VALUES(1,1,1),(2,'1',NULL),(3,x'31',2)" => ["orphan", "orphan"];
    names_fold_case_in_ascii_only: "CREATE TABLE Parent(Id INTEGER PRIMARY KEY); CREATE TABLE c(r INT REFERENCES \"PARENT\"(\"iD\")); CREATE TABLE \"É\"(id INTEGER PRIMARY KEY); CREATE TABLE d(r INT REFERENCES \"é\"(id)); INSERT INTO c VALUES(1); INSERT INTO d VALUES(1)" => ["orphan", "orphan", "parent-table-missing"];
    names_with_any_character_are_scanned: "CREATE TABLE \"we\"\"ird.a\nb\"(\"select\" INTEGER PRIMARY KEY); CREATE TABLE \"odd('\"(\"a,)\" INT REFERENCES \"we\"\"ird.a\nb\"(\"select\")); INSERT INTO \"odd('\" VALUES(1)" => ["orphan"];
    real_child_of_integer_parent_compares_by_value: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(n INTEGER PRIMARY KEY, r REAL REFERENCES p(id)); INSERT INTO p VALUES(9007199254740993),(5); INSERT INTO c VALUES(1,5),(2,9007199254740993)" => ["orphan"];
    text_child_of_integer_parent_converts_like_sqlite: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(n INTEGER PRIMARY KEY, r TEXT REFERENCES p(id)); INSERT INTO p VALUES(10); INSERT INTO c VALUES(1,'10'),(2,'10.0'),(3,' 10 '),(4,'1e1'),(5,'0x0a'),(6,'10abc'),(7,'+10')" => ["orphan"];
    blob_differs_from_text_and_nul_is_data: "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(n INTEGER PRIMARY KEY, r TEXT REFERENCES p(k)); INSERT INTO p VALUES('abc'),('a'||char(0)||'b'); INSERT INTO c VALUES(1,x'616263'),(2,'a'||char(0)||'c'),(3,'a'||char(0)||'b')" => ["orphan"];
    text_with_invalid_utf8_is_compared_by_bytes: "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO p VALUES(CAST(x'ff41' AS TEXT)); INSERT INTO c VALUES(CAST(x'ff41' AS TEXT)),(CAST(x'ff42' AS TEXT))" => ["orphan"];
    utf16_database_is_scanned: "PRAGMA encoding='UTF-16le'; CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO p VALUES('b'),(char(0x10000)); INSERT INTO c VALUES(char(0x10000)),(char(0xFF5E))" => ["orphan"];
    composite_key_in_another_order_is_matched: "CREATE TABLE p(a INT,b INT,x INT, UNIQUE(b,a)); CREATE TABLE c(m INT,n INT,FOREIGN KEY(m,n) REFERENCES p(a,b)); CREATE TABLE p2(a INT,b INT,UNIQUE(a,b)); CREATE TABLE c2(m INT REFERENCES p2(a)); INSERT INTO p VALUES(1,2,0); INSERT INTO c VALUES(1,2),(2,1)" => ["orphan", "parent-key-not-unique"];
    two_foreign_keys_on_one_column_are_both_scanned: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE q(id INTEGER PRIMARY KEY); CREATE TABLE c(r INT CONSTRAINT first REFERENCES p(id) CONSTRAINT second REFERENCES q(id)); INSERT INTO p VALUES(1); INSERT INTO c VALUES(1)" => ["orphan"];
    huge_generated_value_is_not_evaluated: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), bomb AS (zeroblob(200000000))); INSERT INTO c(id,r) VALUES(1,9)" => ["orphan"];
    added_column_default_orphans_every_row: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY); INSERT INTO c VALUES(1),(2); ALTER TABLE c ADD COLUMN r INT DEFAULT 7 REFERENCES p(id)" => ["orphan"];
    rtrim_collation_ignores_trailing_spaces: "CREATE TABLE p(k TEXT COLLATE RTRIM PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO p VALUES('a'); INSERT INTO c VALUES('a ')" => [];
    new_parent_adopts_old_orphans: "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); INSERT INTO c VALUES(1,1); INSERT INTO p(n) VALUES('new unrelated customer')" => [];
}

#[test]
fn virtual_and_shadow_tables_are_reported_as_skipped() {
    let report = trap("CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('hello')", &[]);
    let left: Vec<&str> =
        report["left_alone"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(left, ["f", "f_config", "f_content", "f_data", "f_docsize", "f_idx"]);
}

#[test]
fn table_with_empty_name_is_scanned() {
    trap(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE \"\"(\"\" INT REFERENCES p(id)); INSERT INTO \"\" VALUES(1)",
        &["orphan"],
    );
}

#[test]
fn misspelt_column_in_double_quotes_is_an_error() {
    let bench = Bench::new("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INT); INSERT INTO c VALUES (1)");
    std::fs::write(
        bench.path("fk-doctor.toml"),
        "[[relation]]\nchild = 'c(r)'\nparent = 'p(id)'\nwhere = '\"typo\" IS NOT NULL'\n",
    )
    .unwrap();
    let run = bench.run(&["scan", "app.db"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.contains("typo"), "{}", run.stderr);
}
