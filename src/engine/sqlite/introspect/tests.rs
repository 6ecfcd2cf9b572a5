//! Compares the definitions that are read from texts with the answers of SQLite's pragmas: on chosen definitions, on random
//! ones, and on the databases of `fixtures/` or of the folder in `FK_DOCTOR_CORPUS`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly, and print its totals")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use fastrand::Rng;
use rusqlite::OpenFlags;

use super::*;

mod random;

use random::RandomDefinitions;

/// Asserts that both ways give the same definitions. Returns how many tables there are, and how many of them were read
/// from texts.
fn compare(connection: &Connection) -> (usize, usize) {
    let path = Path::new("test");
    let stored = StoredSchema::read(connection).unwrap();
    let nothing = |_, _: &ListedTable, _: &StoredTable, _: &mut Layouts| None;
    let found = read_stored(connection, &stored, path, &texts::table).unwrap();
    let asked = read_stored(connection, &stored, path, &nothing).unwrap();
    assert_same(connection, &found, &asked);
    let tables = list(connection).unwrap();
    let tables: Vec<&ListedTable> =
        tables.iter().filter(|table| matches!(table.kind, TableKind::Table | TableKind::Shadow)).collect();
    let from_text = |table: &&&ListedTable| {
        let id = Tables::default().next_id();
        texts::table(id, table, stored.table(&table.name), &mut Layouts::default()).is_some()
    };
    (tables.len(), tables.iter().filter(from_text).count())
}

fn assert_same(connection: &Connection, found: &(Catalog, Layouts), asked: &(Catalog, Layouts)) {
    let sorted = |(catalog, layouts): &(Catalog, Layouts)| {
        let tables: BTreeMap<_, _> = layouts.tables.iter().collect();
        let indexes: BTreeMap<_, _> = layouts.indexes.iter().collect();
        format!("{catalog:#?} {tables:#?} {indexes:#?}")
    };
    let (found, asked) = (sorted(found), sorted(asked));
    if found != asked {
        let differs = found.lines().zip(asked.lines()).position(|(left, right)| left != right).unwrap_or(0);
        let around = |text: &str| text.lines().skip(differs.saturating_sub(12)).take(16).collect::<Vec<_>>().join("\n");
        let texts = stored_texts(connection).join(";\n");
        panic!("{texts}\nfrom texts:\n{}\nfrom pragmas:\n{}", around(&found), around(&asked));
    }
}

fn stored_texts(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").unwrap();
    let texts = statement.query_map([], |row| row.get(0)).unwrap();
    texts.filter_map(Result::ok).collect()
}

#[test]
fn affinity_follows_the_five_rules_in_order() {
    for (declared, expected) in [
        ("INTEGER", Family::Integer),
        ("CHARINT", Family::Integer),
        ("FLOATING POINT", Family::Integer),
        ("VARCHAR(10)", Family::Text),
        ("", Family::Untyped),
        ("BLOB", Family::Untyped),
        ("DOUBLE", Family::Real),
        ("BOOLEAN", Family::Numeric),
        ("ANY", Family::Numeric),
    ] {
        assert_eq!(family(declared, false), expected, "{declared}");
    }
    assert_eq!(family("ANY", true), Family::Untyped);
}

/// Definitions that an ordinary program writes: each must be read from its text.
#[test]
fn usual_definitions_are_read_from_their_texts() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE plain(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name VARCHAR ( 100 ) NOT NULL DEFAULT 'a''b', n decimal(10, 2) Default 7);
             CREATE TABLE \"quoted\"(\"id\" integer NOT NULL PRIMARY KEY, [a b] TEXT collate/**/nocase UNIQUE, `c d` Double Precision NULL);
             CREATE TABLE k(a INT NOT NULL ON CONFLICT IGNORE, b TEXT, c, y DEFAULT Null, z DEFAULT ( null ), CONSTRAINT pk PRIMARY KEY (b, c), UNIQUE (a), CHECK (a > 0 AND b <> ')'));
             CREATE TABLE f(id INTEGER, a int CONSTRAINT fa rEfErEnCeS plain(ID) on delete cascade ON UPDATE SET NULL MATCH FULL DEFERRABLE INITIALLY DEFERRED,
                 b TEXT NOT NULL REFERENCES quoted NOT DEFERRABLE INITIALLY DEFERRED, c, -- REFERENCES nothing
                 PRIMARY KEY (id), CONSTRAINT \"two\" FOREIGN KEY (b, C) REFERENCES k(b, c) ON DELETE NO ACTION ON UPDATE RESTRICT DEFERRABLE INITIALLY IMMEDIATE,
                 FOREIGN KEY (c) REFERENCES missing ON DELETE SET DEFAULT);
             CREATE TABLE key(rowid, action TEXT, desc, match INT REFERENCES key(rowid), abort REFERENCES [key]);
             CREATE TABLE strict_one(id INT PRIMARY KEY, any ANY, text TEXT DEFAULT CURRENT_TIMESTAMP, r real DEFAULT -1.5e-3) STRICT;
             CREATE TABLE copied AS SELECT id, name FROM plain;
             CREATE INDEX f_a ON f(a);
             CREATE UNIQUE INDEX f_b ON f(b COLLATE NOCASE, \"c\" ASC);
             CREATE INDEX k_partial ON k(c) WHERE c > 1;
             ALTER TABLE plain ADD COLUMN added INTEGER REFERENCES quoted(id);
             ALTER TABLE copied RENAME TO Renamed;",
        )
        .unwrap();
    // Seven tables, and the one that SQLite keeps for AUTOINCREMENT.
    assert_eq!(compare(&connection), (8, 8));
}

/// Definitions of which a part is left to SQLite: texts and pragmas agree, because the text of none of them is used.
#[test]
fn unusual_definitions_are_asked_of_sqlite() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT, x INT);
             CREATE INDEX p_x ON p(x DESC);
             CREATE TABLE d(id INTEGER PRIMARY KEY DESC, a REFERENCES p);
             CREATE TABLE i(\"id\" \"INTEGER\" PRIMARY KEY, a int REFERENCES p(id));
             CREATE TABLE w(a TEXT, b INT, c, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
             CREATE TABLE v(a INTEGER PRIMARY KEY, b REFERENCES p) WITHOUT ROWID;
             CREATE TABLE t(id integer, n INT, PRIMARY KEY (id AUTOINCREMENT));
             CREATE TABLE g(a INT, b AS (a + 1), c AS (a + 2) STORED REFERENCES p, d REFERENCES p);
             CREATE UNIQUE INDEX g_e ON g(a + 1, b);
             CREATE TABLE ga(a INT GENERATED ALWAYS AS (1), b);
             CREATE TABLE twice(a UNIQUE UNIQUE, b PRIMARY KEY, UNIQUE(b));
             CREATE TABLE conflict(a UNIQUE ON CONFLICT REPLACE, b UNIQUE);
             CREATE TABLE e(a);
             CREATE INDEX e_e ON e(lower(a));
             CREATE TABLE 'string'(a);
             CREATE TABLE q(\"a\"\"b\" REFERENCES p);
             CREATE TABLE dangling(a CONSTRAINT x, b REFERENCES p);
             CREATE TABLE joined(a, CHECK (a) UNIQUE (a));
             CREATE TABLE blob(a DEFAULT x'00');
             CREATE TABLE pointless(a INT DEFERRABLE INITIALLY DEFERRED);
             CREATE VIEW broken AS SELECT * FROM missing;
             CREATE VIEW plain AS SELECT id FROM p;",
        )
        .unwrap();
    let (tables, from_texts) = compare(&connection);
    // `sqlite_sequence` is the exception.
    assert_eq!((tables, from_texts), (18, 1));
}

/// `FK_DOCTOR_CASES` sets the number of databases.
#[test]
fn random_definitions_are_the_same_when_sqlite_is_asked() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let seed = std::env::var("FK_DOCTOR_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut random = RandomDefinitions { rng: Rng::with_seed(seed), is_odd: false };
    let (mut tables, mut from_texts, mut indexes, mut changed) = (0, 0, 0, 0);
    for case in 0..cases {
        random.is_odd = case % 2 == 0;
        let connection = Connection::open_in_memory().unwrap();
        if case % 4 == 1 {
            connection.execute_batch("PRAGMA legacy_file_format = ON; PRAGMA encoding = 'UTF-16le'").unwrap();
        }
        for number in 0..40 {
            let text = if random.is(75) { random.table() } else { random.index(number) };
            // Whatever SQLite refuses is no definition.
            let is_index = connection.execute_batch(&text).is_ok() && text.contains("INDEX");
            indexes += usize::from(is_index);
            if random.is(25) {
                let _ = connection.execute_batch("DROP TABLE IF EXISTS t");
            }
            if random.is(5) {
                let added = format!("ALTER TABLE t ADD COLUMN added{number} {} {}", random.kind(), random.constraint());
                let _ = connection.execute_batch(&added);
            }
            if random.is(3) {
                let _ = connection.execute_batch("ALTER TABLE t RENAME COLUMN a TO b2");
            }
        }
        let (all, read) = compare(&connection);
        tables += all;
        from_texts += read;
        for _ in 0..10 {
            if change_a_text(&connection, &mut random.rng) {
                compare(&connection);
                changed += 1;
            }
        }
    }
    println!(
        "{cases} databases: {tables} tables and {indexes} indexes; {from_texts} tables were read from their texts"
    );
    println!("SQLite accepted {changed} changed texts");
    assert!(changed > cases);
    assert!(from_texts > cases && from_texts < tables, "both ways are compared");
}

/// Changes one character of a stored text, unless SQLite would then refuse the definitions. Returns true if it is changed.
fn change_a_text(connection: &Connection, rng: &mut Rng) -> bool {
    let texts = stored_texts(connection);
    if texts.is_empty() {
        return false;
    }
    let text = &texts[rng.usize(..texts.len())];
    let mut characters: Vec<char> = text.chars().collect();
    let at = 12 + rng.usize(..characters.len() - 12);
    const INSERTED: [char; 28] = [
        '"', '\'', '`', '[', ']', '(', ')', ',', ';', '-', '/', '*', '.', '$', '@', ':', '?', '\\', ' ', '\n', '\u{b}',
        '\0', '\u{feff}', 'é', '1', 'x', 'A', '_',
    ];
    let inserted = INSERTED[rng.usize(..INSERTED.len())];
    match rng.u8(..3) {
        0 => characters[at] = inserted,
        1 => _ = characters.remove(at),
        _ => characters.insert(at, inserted),
    }
    let changed: String = characters.into_iter().collect();
    let write = |new: &str, old: &str| {
        connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
        connection.execute("UPDATE sqlite_schema SET sql = ?1 WHERE sql = ?2", (new, old)).unwrap();
        connection.execute_batch("PRAGMA writable_schema = RESET").is_ok() && list(connection).is_ok()
    };
    let is_accepted = write(&changed, text);
    assert!(is_accepted || write(text, &changed));
    is_accepted
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn real_definitions_are_the_same_when_sqlite_is_asked() {
    let named = std::env::var_os("FK_DOCTOR_CORPUS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"));
    let mut paths = Vec::new();
    search(&folder, &mut paths);
    let (mut databases, mut tables, mut from_texts) = (0, 0, 0);
    for path in paths {
        let connection = match path.extension().and_then(|extension| extension.to_str()) {
            Some("sqlite" | "sqlite3" | "db") => {
                Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
            }
            Some("sql") => {
                let connection = Connection::open_in_memory().unwrap();
                let sql = std::fs::read_to_string(&path).unwrap();
                // A script for another engine defines less, or nothing.
                let _ = connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"));
                connection
            }
            _ => continue,
        };
        if list(&connection).is_err() {
            continue;
        }
        let (all, read) = compare(&connection);
        databases += usize::from(all > 0);
        tables += all;
        from_texts += read;
    }
    println!("{databases} databases: {tables} tables, of which {from_texts} were read from their texts");
    assert!(from_texts > 0);
}
