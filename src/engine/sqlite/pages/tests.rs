//! Reads thousands of damaged files. The reader must end, must not panic, and must not read any page too often.
//!
//! The changes hit the sensitive parts: page headers, cell pointers, lengths, and whole pages that are swapped.
//! `tests/damage.rs`, which is slower, compares the reader's answers with SQLite's. `FK_DOCTOR_CASES` sets the number
//! of files.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly, and print its totals")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use rusqlite::Connection;

use super::judge;
use super::layout::Layouts;
use super::source::PageSource;
use crate::engine::Inclusion;
use crate::engine::StorageReadOptions;
use crate::engine::sqlite::introspect;
use crate::model::catalog::Catalog;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::progress::ProgressStep;

mod short_records;

const USUAL_CASES: usize = 1_500;

/// Page sizes and encodings. Each file contains every kind of tree and key.
const FORMATS: [&str; 3] = [
    "PRAGMA page_size = 512",
    "PRAGMA page_size = 1024; PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = FULL",
    "PRAGMA page_size = 4096",
];

const SEED: &str = "
CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE COLLATE NOCASE, pad TEXT);
CREATE TABLE w(a INTEGER, b TEXT, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
CREATE TABLE s(id INTEGER PRIMARY KEY);
CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), pad TEXT, code TEXT REFERENCES p(code), a INTEGER, b TEXT,
    s REFERENCES s(id), FOREIGN KEY (a, b) REFERENCES w(a, b));
CREATE TABLE i(p INTEGER REFERENCES p(id), pad TEXT);
CREATE INDEX i_p ON i(p);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 48)
INSERT INTO p SELECT i, 'code-' || i || CASE WHEN i % 9 = 0 THEN printf('%.*c', 700, 'x') ELSE '' END, 'pad' FROM n;
INSERT INTO w SELECT id, 'w' || id FROM p;
INSERT INTO s SELECT id * 1000000007 FROM p;
INSERT INTO c SELECT id, 1 + id * 7 % 48, printf('%.*c', id * 9, 'y'), code, id, 'w' || id, id * 1000000007 FROM p;
INSERT INTO i SELECT p, pad FROM c;
";

fn inclusion(tables: &Tables, key: &ForeignKey) -> Inclusion {
    let named = |table: &Table, names: &[String]| -> Vec<usize> {
        names.iter().map(|name| table.columns.iter().position(|column| column.name == *name).unwrap()).collect()
    };
    let parent = tables.position(|table| table.name == key.parent).unwrap();
    let parent_columns = named(&tables[parent], key.parent_columns.as_ref().unwrap());
    let holds_key = |index: &Index| {
        let mut held: Vec<usize> = index.columns.iter().filter_map(|column| column.column).collect();
        let mut wanted = parent_columns.clone();
        held.sort_unstable();
        wanted.sort_unstable();
        index.unique && held == wanted
    };
    Inclusion {
        child: key.child,
        child_columns: named(&tables[key.child], &key.columns),
        parent,
        key: tables[parent].indexes.iter().position(holds_key),
        parent_columns,
        rows_in_scope: None,
        deleted_parents: None,
        ignored: Vec::new(),
    }
}

struct DamagedFile {
    tables: Tables,
    inclusions: Vec<Inclusion>,
    layouts: Layouts,
    /// Holds the read transaction.
    _connection: Connection,
    file: Arc<File>,
    whole: Vec<u8>,
    page_size: usize,
}

impl DamagedFile {
    fn new(path: &Path, kind: &str) -> DamagedFile {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(&format!("{kind}; PRAGMA foreign_keys = OFF; BEGIN; {SEED} COMMIT")).unwrap();
        let (Catalog { tables, foreign_keys, .. }, layouts) = introspect::read(&connection, path).unwrap();
        let inclusions = foreign_keys.iter().map(|key| inclusion(&tables, key)).collect();
        let page_size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
        let copy = path.with_extension("copy");
        std::fs::copy(path, &copy).unwrap();
        // One transaction covers all cases, as one transaction covers a scan.
        connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
        let file = Arc::new(File::options().read(true).write(true).open(&copy).unwrap());
        let whole = std::fs::read(&copy).unwrap();
        DamagedFile { tables, inclusions, layouts, _connection: connection, file, whole, page_size: page_size as usize }
    }

    /// Returns how many inclusions the pages answered. Asserts that no page was read too often.
    fn judge(&self) -> usize {
        let Ok(source) = PageSource::new(Arc::clone(&self.file), None) else { return 0 };
        let most = AtomicUsize::new(0);
        let progress = |step: &ProgressStep<'_>| {
            most.fetch_max(usize::try_from(step.done).unwrap(), Ordering::Relaxed);
        };
        let effort = StorageReadOptions { memory: 1 << 28, threads: 1, progress: &progress };
        let answers = judge::judge_on_caller_threads(&self.tables, &self.inclusions, &self.layouts, &source, &effort);
        let pages = self.whole.len() / self.page_size;
        assert!(most.into_inner() <= 3 * pages, "pages are read once for parents and once for children");
        answers.iter().filter(|answer| answer.is_ok()).count()
    }

    fn write(&self, changes: &[(usize, Vec<u8>)]) {
        for (at, bytes) in changes {
            self.file.write_all_at(bytes, *at as u64).unwrap();
        }
    }

    /// Returns a random change, most often in a page's header or in its cell pointers: the offset and the new bytes.
    fn change(&self, rng: &mut Rng) -> (usize, Vec<u8>) {
        let pages = self.whole.len() / self.page_size;
        let page = rng.usize(..pages) * self.page_size;
        let head = page + if page == 0 { 100 } else { 0 };
        let odd = |rng: &mut Rng| [0, 1, 2, 0x7f, 0x80, 0x81, 0xff, rng.u8(..)][rng.usize(..8)];
        match rng.u8(..8) {
            0 => (head + rng.usize(..12), vec![odd(rng)]),
            1 => (head + 8 + rng.usize(..40), vec![odd(rng)]),
            2 => (head + 8 + 2 * rng.usize(..20), (rng.usize(..=self.page_size) as u16).to_be_bytes().to_vec()),
            // A cell's first bytes: page number, length, rowid.
            3 | 4 => {
                let address = head + 8 + 2 * rng.usize(..20);
                let cell = usize::from(self.whole[address]) << 8 | usize::from(self.whole[address + 1]);
                (page + (cell + rng.usize(..9)).min(self.page_size - 1), vec![odd(rng)])
            }
            // Page numbers in interior pages.
            5 => (head + 8, ((1 + rng.usize(..pages)) as u32).to_be_bytes().to_vec()),
            6 => {
                let other = rng.usize(..pages) * self.page_size;
                (page, self.whole[other..other + self.page_size].to_vec())
            }
            _ => (page + rng.usize(..self.page_size), vec![rng.u8(..)]),
        }
    }
}

#[test]
fn damaged_pages_become_faults_without_a_panic() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    // One thread serves all cases: starting threads takes longer than reading such a file.
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| damage(cases));
}

fn damage(cases: usize) {
    let folder = tempfile::tempdir().unwrap();
    let files_under_test: Vec<DamagedFile> = FORMATS
        .iter()
        .enumerate()
        .map(|(number, kind)| DamagedFile::new(&folder.path().join(format!("{number}.db")), kind))
        .collect();
    for file_under_test in &files_under_test {
        assert_eq!(
            file_under_test.judge(),
            file_under_test.inclusions.len(),
            "the undamaged file answers every inclusion"
        );
    }
    let seed = std::env::var("FK_DOCTOR_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut rng = Rng::with_seed(seed);
    let (mut answered_total, mut faults) = (0, 0);
    for _ in 0..cases {
        let file_under_test = &files_under_test[rng.usize(..files_under_test.len())];
        let changes: Vec<_> = (0..1 + rng.usize(..3)).map(|_| file_under_test.change(&mut rng)).collect();
        file_under_test.write(&changes);
        let answered = file_under_test.judge();
        answered_total += answered;
        faults += file_under_test.inclusions.len() - answered;
        let whole: Vec<_> =
            changes.iter().map(|(at, bytes)| (*at, file_under_test.whole[*at..at + bytes.len()].to_vec())).collect();
        file_under_test.write(&whole);
    }
    println!("{cases} damaged files: {answered_total} relations answered, {faults} left to SQLite");
    assert!(answered_total > 0 && faults > 0);
}
