//! The traps of SQLite that concern reading, each as a test: what we count is what SQLite itself counts, and where
//! it refuses to, the defect has its name.
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
    s01_the_parents_affinity_decides: "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(k)); INSERT INTO p VALUES('01'); INSERT INTO c VALUES(1,1)" => ["orphan"];
    s02_an_untyped_parent_converts_nothing: "CREATE TABLE p(k BLOB PRIMARY KEY); CREATE TABLE c(r INTEGER REFERENCES p(k)); INSERT INTO p VALUES('1'); INSERT INTO c VALUES(1)" => ["orphan"];
    s03_the_parents_collation_decides: "CREATE TABLE p(k TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO p VALUES('Abc'); INSERT INTO c VALUES('aBC')" => [];
    s04_a_unique_index_of_another_collation_is_no_key: "CREATE TABLE p(id INTEGER PRIMARY KEY, k TEXT); CREATE UNIQUE INDEX pk ON p(k COLLATE NOCASE); CREATE TABLE c(r TEXT REFERENCES p(k))" => ["parent-key-collation"];
    s05_a_partial_index_is_no_key: "CREATE TABLE p(id INTEGER PRIMARY KEY, k INT); CREATE UNIQUE INDEX pk ON p(k) WHERE k>0; CREATE TABLE c(r INT REFERENCES p(k))" => ["parent-key-partial-index"];
    s06_one_bad_relation_does_not_stop_the_others: "CREATE TABLE a_bad(r INT REFERENCES nokey(x)); CREATE TABLE nokey(x INT); CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE z_child(r INT REFERENCES p(id)); INSERT INTO a_bad VALUES(1); INSERT INTO z_child VALUES(99)" => ["orphan", "orphan", "parent-key-not-unique"];
    s07_a_view_is_no_parent: "CREATE TABLE base(id INTEGER PRIMARY KEY); CREATE VIEW v AS SELECT id FROM base; CREATE TABLE c(r INT REFERENCES v(id)); INSERT INTO base VALUES(1); INSERT INTO c VALUES(1)" => ["parent-is-view"];
    s08_a_missing_parent_orphans_every_complete_key: "CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES gone(id)); INSERT INTO c VALUES(1,10),(2,NULL),(3,30)" => ["orphan", "parent-table-missing"];
    s09_the_implicit_key_is_in_key_order: "CREATE TABLE p1(a INT, b INT, PRIMARY KEY(b,a)); CREATE TABLE c1(x INT, y INT, FOREIGN KEY(x,y) REFERENCES p1); INSERT INTO p1(a,b) VALUES(1,2); INSERT INTO c1 VALUES(2,1),(1,2)" => ["orphan"];
    s09_no_primary_key_to_refer_to: "CREATE TABLE p2(a INT); CREATE TABLE c2(x INT REFERENCES p2)" => ["parent-key-not-unique"];
    s10_a_rowid_cannot_be_referred_to: "CREATE TABLE p(x); CREATE TABLE c(r REFERENCES p(rowid)); INSERT INTO c VALUES(1)" => ["parent-column-missing"];
    s11_without_rowid_children: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(a TEXT, b INT, r INT REFERENCES p(id), PRIMARY KEY(a,b)) WITHOUT ROWID; INSERT INTO c VALUES('x',1,7),('x',2,8)" => ["orphan"];
    s12_columns_may_hide_the_rowid: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(rowid INT, oid INT, _rowid_ INT, r INT REFERENCES p(id)); INSERT INTO c VALUES(50,51,52,7),(1,1,1,8)" => ["orphan"];
    s13_any_null_refers_to_nothing: "CREATE TABLE p(a INT,b INT,PRIMARY KEY(a,b)); CREATE TABLE c(x INT,y INT,FOREIGN KEY(x,y) REFERENCES p(a,b) MATCH FULL); INSERT INTO c VALUES(1,NULL),(NULL,2),(NULL,NULL)" => [];
    s14_a_row_may_be_its_own_parent: "CREATE TABLE n(id INTEGER PRIMARY KEY, up INT REFERENCES n(id)); INSERT INTO n VALUES(1,1),(2,1),(3,9)" => ["orphan"];
    s15_generated_columns_are_keys_too: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, raw TEXT, r INT AS (CAST(raw AS INT)) STORED REFERENCES p(id), v INT AS (raw + 1) VIRTUAL REFERENCES p(id)); INSERT INTO c(id,raw) VALUES(1,'77')" => ["orphan", "orphan"];
    s16_a_commit_with_enforcement_on_proves_nothing: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES(1,100); PRAGMA foreign_keys=ON; BEGIN; INSERT INTO c VALUES(2,200); DELETE FROM c WHERE id=1; COMMIT" => ["orphan"];
    s35_enforcement_does_not_look_back: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), n TEXT); INSERT INTO c VALUES(1,99,'x'); PRAGMA foreign_keys=ON; UPDATE c SET n='y' WHERE id=1" => ["orphan"];
    strict_tables: "CREATE TABLE p(k TEXT PRIMARY KEY) STRICT; CREATE TABLE c(id INTEGER PRIMARY KEY, r ANY REFERENCES p(k), s INT REFERENCES p(k)) STRICT; INSERT INTO p VALUES('1'); INSERT INTO c VALUES(1,1,1),(2,'1',NULL),(3,x'31',2)" => ["orphan", "orphan"];
    s19_names_fold_in_ascii_only: "CREATE TABLE Parent(Id INTEGER PRIMARY KEY); CREATE TABLE c(r INT REFERENCES \"PARENT\"(\"iD\")); CREATE TABLE \"É\"(id INTEGER PRIMARY KEY); CREATE TABLE d(r INT REFERENCES \"é\"(id)); INSERT INTO c VALUES(1); INSERT INTO d VALUES(1)" => ["orphan", "orphan", "parent-table-missing"];
    s20_names_may_be_anything: "CREATE TABLE \"we\"\"ird.a\nb\"(\"select\" INTEGER PRIMARY KEY); CREATE TABLE \"odd('\"(\"a,)\" INT REFERENCES \"we\"\"ird.a\nb\"(\"select\")); INSERT INTO \"odd('\" VALUES(1)" => ["orphan"];
    s29_real_children_of_integer_parents: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(n INTEGER PRIMARY KEY, r REAL REFERENCES p(id)); INSERT INTO p VALUES(9007199254740993),(5); INSERT INTO c VALUES(1,5),(2,9007199254740993)" => ["orphan"];
    s30_text_children_of_integer_parents: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(n INTEGER PRIMARY KEY, r TEXT REFERENCES p(id)); INSERT INTO p VALUES(10); INSERT INTO c VALUES(1,'10'),(2,'10.0'),(3,' 10 '),(4,'1e1'),(5,'0x0a'),(6,'10abc'),(7,'+10')" => ["orphan"];
    s31_blobs_are_no_text_and_nul_is_data: "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(n INTEGER PRIMARY KEY, r TEXT REFERENCES p(k)); INSERT INTO p VALUES('abc'),('a'||char(0)||'b'); INSERT INTO c VALUES(1,x'616263'),(2,'a'||char(0)||'c'),(3,'a'||char(0)||'b')" => ["orphan"];
    s32_text_that_is_not_utf8: "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO p VALUES(CAST(x'ff41' AS TEXT)); INSERT INTO c VALUES(CAST(x'ff41' AS TEXT)),(CAST(x'ff42' AS TEXT))" => ["orphan"];
    s33_utf16_databases: "PRAGMA encoding='UTF-16le'; CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO p VALUES('b'),(char(0x10000)); INSERT INTO c VALUES(char(0x10000)),(char(0xFF5E))" => ["orphan"];
    s40_a_composite_key_in_another_order: "CREATE TABLE p(a INT,b INT,x INT, UNIQUE(b,a)); CREATE TABLE c(m INT,n INT,FOREIGN KEY(m,n) REFERENCES p(a,b)); CREATE TABLE p2(a INT,b INT,UNIQUE(a,b)); CREATE TABLE c2(m INT REFERENCES p2(a)); INSERT INTO p VALUES(1,2,0); INSERT INTO c VALUES(1,2),(2,1)" => ["orphan", "parent-key-not-unique"];
    s42_several_keys_on_one_column: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE q(id INTEGER PRIMARY KEY); CREATE TABLE c(r INT CONSTRAINT first REFERENCES p(id) CONSTRAINT second REFERENCES q(id)); INSERT INTO p VALUES(1); INSERT INTO c VALUES(1)" => ["orphan"];
    s44_a_huge_generated_value_is_never_evaluated: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), bomb AS (zeroblob(200000000))); INSERT INTO c(id,r) VALUES(1,9)" => ["orphan"];
    s49_a_default_may_orphan_every_row: "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY); INSERT INTO c VALUES(1),(2); ALTER TABLE c ADD COLUMN r INT DEFAULT 7 REFERENCES p(id)" => ["orphan"];
    s51_rtrim_and_numeric_text: "CREATE TABLE p(k TEXT COLLATE RTRIM PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k)); INSERT INTO p VALUES('a'); INSERT INTO c VALUES('a ')" => [];
    s53_a_new_parent_adopts_old_orphans: "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); INSERT INTO c VALUES(1,1); INSERT INTO p(n) VALUES('new unrelated customer')" => [];
}

#[test]
fn s46_virtual_and_shadow_tables_are_left_alone_and_said() {
    let report = trap("CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('hello')", &[]);
    let left: Vec<&str> =
        report["left_alone"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(left, ["f", "f_config", "f_content", "f_data", "f_docsize", "f_idx"]);
}

#[test]
fn s20_a_table_without_a_name() {
    trap(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE \"\"(\"\" INT REFERENCES p(id)); INSERT INTO \"\" VALUES(1)",
        &["orphan"],
    );
}

#[test]
fn s21_a_misspelt_column_is_no_text() {
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
