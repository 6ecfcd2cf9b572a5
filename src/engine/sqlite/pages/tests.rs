//! Damaged pages, by the thousand: the reader ends, does not panic, and reads no page twice as often as it should.
//!
//! Changes are made where they hurt: in heads, addresses, lengths, and by swapping pages. What the reader then says is
//! compared with SQLite in `tests/damage.rs`, which is slower. `FK_DOCTOR_CASES` sets how many files are read.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly, and say what it saw")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use rusqlite::Connection;

use super::judge;
use super::source::PageSource;
use crate::engine::Effort;
use crate::engine::Inclusion;
use crate::engine::sqlite::introspect;
use crate::model::catalog::Catalog;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;

const USUAL_CASES: usize = 1_500;

/// A file of small pages and one of larger ones, in which every kind of tree and key occurs.
const KINDS: [&str; 3] = [
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
    }
}

struct Victim {
    tables: Tables,
    inclusions: Vec<Inclusion>,
    connection: Connection,
    file: Arc<File>,
    whole: Vec<u8>,
    page_size: usize,
}

impl Victim {
    fn new(path: &Path, kind: &str) -> Victim {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(&format!("{kind}; PRAGMA foreign_keys = OFF; BEGIN; {SEED} COMMIT")).unwrap();
        let Catalog { tables, foreign_keys, .. } = introspect::catalog(&connection, path).unwrap();
        let inclusions = foreign_keys.iter().map(|key| inclusion(&tables, key)).collect();
        let page_size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
        let copy = path.with_extension("copy");
        std::fs::copy(path, &copy).unwrap();
        // One transaction for all cases, as a scan is in one.
        connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
        let file = Arc::new(File::options().read(true).write(true).open(&copy).unwrap());
        let whole = std::fs::read(&copy).unwrap();
        Victim { tables, inclusions, connection, file, whole, page_size: page_size as usize }
    }

    /// How many inclusions were told, and how many pages were read of those that were planned.
    fn judge(&self) -> usize {
        let Ok(source) = PageSource::new(Arc::clone(&self.file), None) else { return 0 };
        let most = AtomicUsize::new(0);
        let progress = |done: usize, _: usize| {
            most.fetch_max(done, Ordering::Relaxed);
        };
        let effort = Effort { memory: 1 << 28, threads: 1, progress: &progress };
        let answers = judge::judge_here(&self.tables, &self.inclusions, &self.connection, &source, &effort);
        let pages = self.whole.len() / self.page_size;
        assert!(most.into_inner() <= 3 * pages, "pages are read once for parents and once for children");
        answers.iter().filter(|answer| answer.is_ok()).count()
    }

    fn write(&self, changes: &[(usize, Vec<u8>)]) {
        for (at, bytes) in changes {
            self.file.write_all_at(bytes, *at as u64).unwrap();
        }
    }

    /// Some bytes somewhere, most often in a page's head or in what leads to its cells.
    fn change(&self, rng: &mut Rng) -> (usize, Vec<u8>) {
        let pages = self.whole.len() / self.page_size;
        let page = rng.usize(..pages) * self.page_size;
        let head = page + if page == 0 { 100 } else { 0 };
        let odd = |rng: &mut Rng| [0, 1, 2, 0x7f, 0x80, 0x81, 0xff, rng.u8(..)][rng.usize(..8)];
        match rng.u8(..8) {
            0 => (head + rng.usize(..12), vec![odd(rng)]),
            1 => (head + 8 + rng.usize(..40), vec![odd(rng)]),
            2 => (head + 8 + 2 * rng.usize(..20), (rng.usize(..=self.page_size) as u16).to_be_bytes().to_vec()),
            // A cell's first bytes: page number, length, address.
            3 | 4 => {
                let address = head + 8 + 2 * rng.usize(..20);
                let cell = usize::from(self.whole[address]) << 8 | usize::from(self.whole[address + 1]);
                (page + (cell + rng.usize(..9)).min(self.page_size - 1), vec![odd(rng)])
            }
            // Pages that lead to other pages.
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
fn damaged_pages_are_faults_and_nothing_worse() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    // One thread for all of them: to make threads takes longer than to read such a file.
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| damage(cases));
}

fn damage(cases: usize) {
    let folder = tempfile::tempdir().unwrap();
    let victims: Vec<Victim> = KINDS
        .iter()
        .enumerate()
        .map(|(number, kind)| Victim::new(&folder.path().join(format!("{number}.db")), kind))
        .collect();
    for victim in &victims {
        assert_eq!(victim.judge(), victim.inclusions.len(), "all is told while nothing is damaged");
    }
    let seed = std::env::var("FK_DOCTOR_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut rng = Rng::with_seed(seed);
    let (mut told, mut faults) = (0, 0);
    for _ in 0..cases {
        let victim = &victims[rng.usize(..victims.len())];
        let changes: Vec<_> = (0..1 + rng.usize(..3)).map(|_| victim.change(&mut rng)).collect();
        victim.write(&changes);
        let answered = victim.judge();
        told += answered;
        faults += victim.inclusions.len() - answered;
        let whole: Vec<_> =
            changes.iter().map(|(at, bytes)| (*at, victim.whole[*at..at + bytes.len()].to_vec())).collect();
        victim.write(&whole);
    }
    println!("{cases} damaged files: {told} relations told, {faults} left to SQLite");
    assert!(told > 0 && faults > 0);
}
