//! Orphans that the pages prove are told exactly as SQL tells them: the same numbers, the same most frequent keys in the
//! same order, the same rows to show, and the same rows in the same order in a CSV file.
//!
//! Each database is scanned three times: by sessions that read pages, by sessions that only answer SQL, and by sessions
//! whose answers contradict the pages. The memory is so small that orphans are sorted in many runs and nearly all of them
//! in the temporary file. `FK_DOCTOR_CASES` sets the number of databases. The seed is fixed, so a failure repeats.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::habitat;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use common::Bench;
use fastrand::Rng;
use fk_doctor::internals::engine::Damage;
use fk_doctor::internals::engine::Deadline;
use fk_doctor::internals::engine::EngineError;
use fk_doctor::internals::engine::Inclusion;
use fk_doctor::internals::engine::Session;
use fk_doctor::internals::engine::StorageAnswer;
use fk_doctor::internals::engine::StorageReadOptions;
use fk_doctor::internals::engine::WaitLimits;
use fk_doctor::internals::engines;
use fk_doctor::internals::model::catalog::Table;
use fk_doctor::internals::model::catalog::Tables;
use fk_doctor::internals::model::finding::Sample;
use fk_doctor::internals::model::resolve;
use fk_doctor::internals::model::schema::Schema;
use fk_doctor::internals::model::value::Value;
use fk_doctor::internals::scan;
use fk_doctor::internals::scan::ScanOptions;
use fk_doctor::internals::scan::ScanResult;
use fk_doctor::internals::scan::Tally;
use fk_doctor::internals::source::Source;
use fk_doctor::internals::sql::Sql;
use habitat::Habitat;

const USUAL_CASES: usize = 10;

/// A session that answers in another way.
struct Other {
    inner: Box<dyn Session>,
    reads_storage: bool,
    /// Leaves out the first row of every answer about rows that are given by their addresses.
    contradicts: bool,
    /// The number of questions about rows that are given by their addresses.
    questions: Arc<AtomicUsize>,
}

impl Session for Other {
    fn each_row(&mut self, sql: &Sql, each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
        let is_about_rows = sql.text().contains("json_each");
        self.questions.fetch_add(usize::from(is_about_rows), Ordering::Relaxed);
        let mut skip = self.contradicts && is_about_rows;
        self.inner.each_row(sql, &mut |row| {
            if !std::mem::take(&mut skip) {
                each(row);
            }
        })
    }

    fn damage(&mut self, table: &Table) -> Result<Option<Damage>, EngineError> {
        self.inner.damage(table)
    }

    fn read_storage(
        &mut self,
        tables: &Tables,
        inclusions: &[Inclusion],
        options: &StorageReadOptions<'_>,
    ) -> Vec<StorageAnswer> {
        if self.reads_storage {
            self.inner.read_storage(tables, inclusions, options)
        } else {
            vec![StorageAnswer::AskSql { why: None }; inclusions.len()]
        }
    }
}

/// A child with orphans: the columns that name its rows, its key, and how its rows are made from a number `i`.
fn child(rng: &mut Rng, number: usize) -> String {
    let rows = [40, 700, 6_000][rng.usize(..3)];
    let distinct = [1, 7, 300, 100_000][rng.usize(..4)];
    let kept = [0, 0, 3][rng.usize(..3)];
    let n = format!("(i * 7919 % {distinct} - 3)");
    let (parent, columns, values) = match rng.u8(..9) {
        0 | 1 => ("k INTEGER PRIMARY KEY", "r INTEGER", n.clone()),
        2 => (
            "k INTEGER PRIMARY KEY",
            "r",
            format!("CASE i % 11 WHEN 0 THEN {n} + 0.5 WHEN 1 THEN '{n}' WHEN 2 THEN CAST({n} AS TEXT) ELSE {n} END"),
        ),
        3 => ("k INTEGER PRIMARY KEY", "r", format!("CASE i % 97 WHEN 0 THEN {n} * 1.0 ELSE {n} END")),
        4 => (
            "k TEXT PRIMARY KEY",
            "r TEXT",
            format!("CASE i % 5 WHEN 0 THEN CAST('b' || {n} AS BLOB) ELSE 'key' || char(0) || {n} END"),
        ),
        5 => ("k TEXT COLLATE NOCASE PRIMARY KEY", "r TEXT", format!("CASE i % 2 WHEN 0 THEN 'a' ELSE 'A' END || {n}")),
        6 => (
            "k PRIMARY KEY",
            "r",
            format!("CASE i % 3 WHEN 0 THEN {n} WHEN 1 THEN 't' || {n} ELSE CAST({n} AS BLOB) END"),
        ),
        7 => ("k NUMERIC PRIMARY KEY", "r REAL", format!("{n} * 2")),
        _ => ("k INTEGER, l INTEGER, PRIMARY KEY (k, l)", "r INTEGER, s INTEGER", format!("{n}, i % 2")),
    };
    let refers = if columns.contains("s ") { "FOREIGN KEY (r, s)" } else { "FOREIGN KEY (r)" };
    let target = columns.replace(" INTEGER", "").replace(" TEXT", "").replace(" REAL", "");
    let (name, of_name) = match rng.u8(..6) {
        0 | 1 => ("id INTEGER PRIMARY KEY", "i * 31 % 6007".to_owned()),
        2 => ("id TEXT PRIMARY KEY", "hex(i * 7919 % 65521)".to_owned()),
        3 => ("id TEXT PRIMARY KEY", "CASE WHEN i % 3 THEN hex(i) END".to_owned()),
        4 => ("id", "i % 5".to_owned()),
        _ => ("id TEXT PRIMARY KEY COLLATE NOCASE", "CASE i % 2 WHEN 0 THEN 'x' ELSE 'X' END || i".to_owned()),
    };
    let (p, c) = (format!("p{number}"), format!("c{number}"));
    let index = if rng.bool() { format!("CREATE INDEX x{number} ON {c}({target});") } else { String::new() };
    format!(
        "CREATE TABLE {p}({parent}); CREATE TABLE {c}({name}, note TEXT, {columns}, {refers} REFERENCES {p});
         INSERT INTO {c}(id, note, {target}) SELECT {of_name}, printf('%.*c', i % 40, 'n'), {values} FROM n WHERE i <= {rows};
         INSERT OR IGNORE INTO {p} SELECT DISTINCT {target} FROM {c} WHERE typeof(r) <> 'real' AND {kept} > 0 AND rowid % 5 < {kept}
             AND (typeof(r) = 'integer' OR '{parent}' NOT LIKE 'k INTEGER%');
         INSERT INTO {c}(id, note) VALUES (NULL, 'no key'); {index}",
    )
}

/// What is known of a relation, and every orphan of it.
type Scanned = (Tally, Vec<Sample<Value>>);

/// One scan, and after it every orphan of every relation.
fn scan(
    path: &std::path::Path,
    memory: u64,
    samples: usize,
    reads_storage: bool,
    contradicts: bool,
) -> (Schema, Vec<Scanned>) {
    let (schema, found, _) = scan_and_count(path, memory, samples, reads_storage, contradicts);
    (schema, found)
}

/// The same, with the number of questions about rows that are given by their addresses.
fn scan_and_count(
    path: &std::path::Path,
    memory: u64,
    samples: usize,
    reads_storage: bool,
    contradicts: bool,
) -> (Schema, Vec<Scanned>, usize) {
    let source = Source::parse(path.to_str().unwrap()).unwrap();
    let patience = WaitLimits { lock_wait: std::time::Duration::ZERO, deadline: Deadline::default() };
    let mut database = engines::open(&source, &patience).unwrap();
    let schema = resolve::resolve(database.catalog().unwrap(), &[]).unwrap();
    let questions = Arc::new(AtomicUsize::new(0));
    let inner = database.sessions(1).unwrap().remove(0);
    let mut sessions: Vec<Box<dyn Session>> =
        vec![Box::new(Other { inner, reads_storage, contradicts, questions: questions.clone() })];
    let options = ScanOptions {
        samples,
        memory,
        threads: 2,
        progress: &|_| {},
        is_known: Some(&|_, key, rows| rows < 3 && format!("{key:?}").contains('4')),
    };
    let results = scan::scan(&schema, &mut sessions, &options);
    let mut found = Vec::new();
    for (relation, result) in schema.relations.iter().zip(&results) {
        let ScanResult::Checked(tally) = result else { panic!("{result:?}") };
        let mut rows = Vec::new();
        scan::each_orphan(&schema, sessions[0].as_mut(), relation, tally, &mut |row| rows.push(row)).unwrap();
        found.push((tally.clone(), rows));
    }
    (schema, found, questions.load(Ordering::Relaxed))
}

/// Everything that a report tells of the orphans.
fn shown(tally: &Tally, samples: usize) -> impl PartialEq + std::fmt::Debug {
    let mut top = tally.top.clone();
    top.iter_mut().skip(scan::KEYS_WITH_SAMPLES.max(samples)).for_each(|missing| missing.samples.clear());
    (
        tally.counts,
        tally.orphan_rows,
        tally.missing_keys,
        tally.known_rows,
        tally.known_keys,
        top,
        tally.false_orphans.clone(),
    )
}

#[test]
fn proven_orphans_are_told_as_by_sql() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    let mut rng = Rng::with_seed(20_261_128);
    let (mut orphans, mut proven, mut mixed) = (0, 0, 0);
    for _ in 0..cases {
        let bench = Bench::empty();
        let path = bench.path("app.db");
        let database = Habitat::any(&mut rng).build(&path);
        let tables: String = (0..4).map(|number| child(&mut rng, number)).collect();
        database
            .execute_batch(&format!(
                "CREATE TEMP TABLE n AS WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 6000) SELECT i FROM r;
                 BEGIN; {tables} COMMIT"
            ))
            .unwrap_or_else(|error| panic!("{error}: {tables}"));
        let samples = [0, 1, 5][rng.usize(..3)];
        let memory = [0, 1 << 16, 1 << 28][rng.usize(..3)];
        let (schema, by_sql) = scan(&path, memory, samples, false, false);
        let (_, by_pages) = scan(&path, memory, samples, true, false);
        let (_, contradicted) = scan(&path, memory, samples, true, true);
        for (index, relation) in schema.relations.iter().enumerate() {
            let about = || format!("{}\n{tables}", relation.id);
            let ((expected, expected_rows), (tally, rows)) = (&by_sql[index], &by_pages[index]);
            assert_eq!(shown(tally, samples), shown(expected, samples), "{}", about());
            assert!(rows == expected_rows, "{}", about());
            // Where there are suspects too, an answer without the first of them contradicts nothing.
            if tally.orphans.len() == rows.len() as u64 && !rows.is_empty() {
                assert!(contradicted[index].0.orphans.is_empty(), "{}", about());
                assert_eq!(shown(&contradicted[index].0, samples), shown(expected, samples), "{}", about());
            }
            orphans += rows.len() as u64;
            proven += tally.orphans.len();
            mixed += usize::from(!tally.orphans.is_empty() && tally.orphans.len() < rows.len() as u64);
        }
    }
    println!("{orphans} orphans, {proven} of them proven, {mixed} relations with both kinds");
    assert!(proven > 0 && proven < orphans && mixed > 0);
}

#[test]
fn relations_that_are_proven_alike_confirm_each_other() {
    let tables = |kind: &str, count: usize| -> String {
        let key = kind.to_lowercase();
        (0..count)
            .map(|i| {
                format!(
                    "CREATE TABLE p{key}{i}(k {kind} PRIMARY KEY); CREATE TABLE c{key}{i}(id INTEGER PRIMARY KEY, r {kind} REFERENCES p{key}{i});
                     INSERT INTO c{key}{i}(r) VALUES (1), (2), (2), ({i} + 3);"
                )
            })
            .collect()
    };
    let bench = Bench::new(&format!("{} {}", tables("INTEGER", 40), tables("TEXT", 3)));
    let path = bench.path("app.db");
    let (schema, by_sql) = scan(&path, 1 << 28, 5, false, false);
    let (_, by_pages, questions) = scan_and_count(&path, 1 << 28, 5, true, false);
    // Of the first kind, those with the numbers 0 to 4, 8, 16 and 32.
    assert_eq!(questions, 8 + 3);
    let (_, contradicted) = scan(&path, 1 << 28, 5, true, true);
    assert_eq!(schema.relations.len(), 43);
    for ((expected, _), ((proven, _), (contradicted, _))) in by_sql.iter().zip(by_pages.iter().zip(&contradicted)) {
        assert_eq!((proven.orphans.len(), contradicted.orphans.len()), (4, 0));
        assert_eq!(shown(proven, 5), shown(expected, 5));
        assert_eq!(shown(contradicted, 5), shown(expected, 5));
    }
}

#[test]
fn full_temporary_folder_leaves_orphans_to_sqlite() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);
         WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 90000)
         INSERT INTO c SELECT i, i * 7919 % 1000000007 FROM r;",
    );
    let scan = ["scan", "app.db", "--format", "json", "--memory", "1MB"];
    let proven = bench.run(&scan);
    let missing = bench.path("missing");
    let judged = bench.run_in(&scan, &[("TMPDIR", missing.to_str().unwrap())]);
    assert!(proven.stdout.contains("\"orphan_rows\": 90000"), "{}", proven.stdout);
    assert_eq!(judged.stdout, proven.stdout);
}
