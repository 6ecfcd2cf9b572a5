//! Compares discovered pairs with nested loops in SQL, on random schemas and rows. The lists and the counts must be equal,
//! whatever proofs exclude pairs early, however little memory there is, and with any number of workers.
//!
//! `FK_DOCTOR_CASES` sets the number of schemas. The seed is fixed, so a failure repeats.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use fk_doctor::internals::discover;
use fk_doctor::internals::discover::DiscoverOptions;
use fk_doctor::internals::discover::pairs::Pruning;
use fk_doctor::internals::discover::tolerance::Tolerance;
use fk_doctor::internals::engine::Deadline;
use fk_doctor::internals::engine::WaitLimits;
use fk_doctor::internals::engine::sqlite;
use fk_doctor::internals::model::discovery::ColumnList;
use fk_doctor::internals::model::discovery::Facts;
use fk_doctor::internals::model::progress::ProgressStep;
use fk_doctor::internals::model::resolve;
use fk_doctor::internals::model::schema::Schema;
use fk_doctor::internals::model::schema::side;
use rusqlite::Connection;

const USUAL_CASES: usize = 150;

const TYPES: [&str; 8] = ["INTEGER", "INT", "TEXT", "REAL", "NUMERIC", "", "VARCHAR(9)", "DECIMAL(4,1)"];
const COLLATIONS: [&str; 6] = ["", "", "", "", " COLLATE NOCASE", " COLLATE RTRIM"];
/// The temper with integers that a real number does not hold exactly.
const LARGE: usize = 3;
/// Values by temper: a column mostly takes one row of these.
const VALUES: [&[&str]; 6] = [
    &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"],
    &["1", "1.0", "'1'", "'01'", "' 1'", "'1.0'", "'1e0'", "2", "'2'", "3", "3.0", "'+3'", "4.5", "'4.5'", "'4.50'"],
    &["'a'", "'A'", "'a '", "'b'", "'B'", "' b'", "''", "' '", "'c'", "'C '", "'d'", "char(233)", "char(201)"],
    &[
        "-1",
        "-2",
        "0",
        "-0.0",
        "9007199254740993",
        "9007199254740992.0",
        "9223372036854775807",
        "9.3e18",
        "-9223372036854775808",
        "1e3",
        "1000",
        "'9007199254740993'",
    ],
    &["0.5", "1.5", "2.5", "'0.5'", "0.1", "'0.1'", "1e-3", "'1e-3'", "3", "'3'"],
    &["'x' || abs(random() % 9)", "'2024-01-0' || abs(random() % 9)", "abs(random() % 30)", "'k'", "'K'"],
];

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

/// The definition of a table: its name, and its columns with their collations.
struct Table {
    name: String,
    columns: Vec<String>,
    /// The declared key of two columns.
    key: Option<[String; 2]>,
}

fn random_database(rng: &mut Rng, connection: &Connection) -> Vec<Table> {
    // The random values of SQLite are replaced, so that a failure repeats.
    let mut tables = Vec::new();
    // Whether SQLite rounds a large integer for a REAL column depends on its plan.
    let has_large = rng.bool();
    let tempers = |rng: &mut Rng| loop {
        let temper = rng.usize(..VALUES.len());
        if has_large || temper != LARGE {
            return temper;
        }
    };
    let shared = tempers(rng);
    let types: Vec<&str> = TYPES.iter().copied().filter(|name| !has_large || *name != "REAL").collect();
    for number in 0..rng.usize(2..5) {
        let name = if rng.u8(..8) == 0 { format!("t \"{number}\n'") } else { format!("t{number}") };
        let width = rng.usize(1..5);
        let columns: Vec<String> = (0..width).map(|column| format!("c{column}")).collect();
        let declared: Vec<String> = columns
            .iter()
            .map(|column| format!("\"{column}\" {}{}", pick(rng, &types), pick(rng, &COLLATIONS)))
            .collect();
        let key = match rng.u8(..6) {
            0 => ", PRIMARY KEY (c0)",
            1 if width > 1 => ", UNIQUE (c0, c1)",
            2 if width > 1 => ", PRIMARY KEY (c1, c0)",
            _ => "",
        };
        let without = if key.contains("PRIMARY") && rng.bool() { " WITHOUT ROWID" } else { "" };
        let table = format!("\"{}\"", name.replace('"', "\"\""));
        connection.execute_batch(&format!("CREATE TABLE {table} ({}{key}){without}", declared.join(", "))).unwrap();
        // Often the columns of a database take the same kind of values, so that some are among those of others.
        let usual: Vec<usize> = (0..width).map(|_| if rng.bool() { shared } else { tempers(rng) }).collect();
        let most = if rng.bool() { 12 } else { 40 };
        for _ in 0..rng.usize(0..most) {
            let values = usual.iter().map(|&temper| {
                if rng.u8(..12) == 0 {
                    return "NULL".to_owned();
                }
                let temper = if rng.u8(..10) == 0 { tempers(rng) } else { temper };
                let value = pick(rng, VALUES[temper]);
                let digit = rng.u8(..9).to_string();
                value.replace("abs(random() % 9)", &digit).replace("abs(random() % 30)", &rng.u8(..30).to_string())
            });
            let values: Vec<String> = values.collect();
            let inserted =
                connection.execute(&format!("INSERT OR IGNORE INTO {table} VALUES ({})", values.join(", ")), []);
            // A column that stores the row's address takes integers only.
            let is_refused =
                inserted.is_err_and(|error| error.sqlite_error_code() != Some(rusqlite::ErrorCode::TypeMismatch));
            assert!(!is_refused, "{table}");
        }
        let key = match key {
            ", UNIQUE (c0, c1)" => Some(["c0", "c1"].map(str::to_owned)),
            ", PRIMARY KEY (c1, c0)" => Some(["c1", "c0"].map(str::to_owned)),
            _ => None,
        };
        tables.push(Table { name: table, columns, key });
    }
    tables
}

/// The counts of a pair: rows, rows with a NULL, orphans, distinct keys, missing keys.
type Counts = [i64; 5];

/// Every pair of single columns within the tolerance, by nested loops. The parent's affinity and collation decide.
fn expected(connection: &Connection, tables: &[Table]) -> BTreeMap<String, Counts> {
    let one = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    let mut pairs = BTreeMap::new();
    for parent in tables {
        for parent_column in &parent.columns {
            let (p, pc) = (&parent.name, parent_column);
            let filled = one(&format!("SELECT count(\"{pc}\") FROM {p}"));
            if filled == 0 || filled != one(&format!("SELECT count(DISTINCT \"{pc}\") FROM {p}")) {
                continue;
            }
            for child in tables {
                for child_column in &child.columns {
                    let (c, cc) = (&child.name, child_column);
                    if (c, cc) == (p, pc) {
                        continue;
                    }
                    let orphan = format!(
                        "FROM {c} AS c WHERE c.\"{cc}\" IS NOT NULL AND NOT EXISTS \
                         (SELECT 1 FROM {p} AS p WHERE p.\"{pc}\" = +c.\"{cc}\")"
                    );
                    let counts = [
                        one(&format!("SELECT count(*) FROM {c}")),
                        one(&format!("SELECT count(*) FROM {c} WHERE \"{cc}\" IS NULL")),
                        one(&format!("SELECT count(*) {orphan}")),
                        one(&format!("SELECT count(DISTINCT \"{cc}\") FROM {c}")),
                        one(&format!("SELECT count(DISTINCT c.\"{cc}\") {orphan}")),
                    ];
                    if is_within(counts) {
                        pairs.insert(format!("{c}.{cc} -> {p}.{pc}"), counts);
                    }
                }
            }
        }
    }
    pairs
}

fn is_within([rows, nulls, orphans, distinct, missing]: Counts) -> bool {
    missing < distinct && (missing * 10 <= distinct.max(20) || orphans * 100 <= 12 * (rows - nulls))
}

/// The counts of a child's columns that refer to columns of a parent, by nested loops.
fn counts(connection: &Connection, child: (&str, &[&str]), parent: (&str, &[&str])) -> Counts {
    let one = |sql: String| -> i64 { connection.query_row(&sql, [], |row| row.get(0)).unwrap() };
    let (c, p) = (child.0, parent.0);
    let columns = child.1.iter().map(|column| format!("c.\"{column}\"")).collect::<Vec<_>>().join(", ");
    let is_null = child.1.iter().map(|column| format!("c.\"{column}\" IS NULL")).collect::<Vec<_>>().join(" OR ");
    let equal = child.1.iter().zip(parent.1).map(|(cc, pc)| format!("p.\"{pc}\" = +c.\"{cc}\""));
    let equal = equal.collect::<Vec<_>>().join(" AND ");
    let orphan = format!("NOT ({is_null}) AND NOT EXISTS (SELECT 1 FROM {p} AS p WHERE {equal})");
    [
        one(format!("SELECT count(*) FROM {c}")),
        one(format!("SELECT count(*) FROM {c} AS c WHERE {is_null}")),
        one(format!("SELECT count(*) FROM {c} AS c WHERE {orphan}")),
        one(format!("SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {c} AS c WHERE NOT ({is_null}))")),
        one(format!("SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {c} AS c WHERE {orphan})")),
    ]
}

/// Every pair of two columns for a declared key that is within the tolerance. With `by_themselves`, each column also is.
fn composites(connection: &Connection, tables: &[Table], by_themselves: bool) -> BTreeMap<String, Counts> {
    let mut pairs = BTreeMap::new();
    for parent in tables {
        let Some(key) = &parent.key else { continue };
        for child in tables {
            let may_hold = |column: &String, part: &String| {
                let is_itself = (&child.name, column) == (&parent.name, part);
                is_itself
                    || !by_themselves
                    || is_within(counts(connection, (&child.name, &[column]), (&parent.name, &[part])))
            };
            let [firsts, seconds] = [0, 1]
                .map(|part| child.columns.iter().filter(|column| may_hold(column, &key[part])).collect::<Vec<_>>());
            for first in firsts {
                for second in seconds.iter().copied().filter(|column| *column != first) {
                    let (columns, parts) = ([first.as_str(), second.as_str()], [key[0].as_str(), key[1].as_str()]);
                    let counts = counts(connection, (&child.name, &columns), (&parent.name, &parts));
                    if (&child.name, columns) != (&parent.name, parts) && is_within(counts) {
                        let id = format!("{}.{first},{second} -> {}.{},{}", child.name, parent.name, key[0], key[1]);
                        pairs.insert(id, counts);
                    }
                }
            }
        }
    }
    pairs
}

fn found(path: &Path, pruning: Pruning, memory: u64, threads: usize, seed: u64) -> (Schema, Facts) {
    found_with(path, (pruning, memory, threads, seed), &|| {})
}

/// Returns the facts, and calls `meanwhile` whenever rows were read.
fn found_while(path: &Path, meanwhile: &(dyn Fn() + Sync)) -> Facts {
    found_with(path, (Pruning::ALL, 1 << 28, 1, 5), meanwhile).1
}

fn found_with(
    path: &Path,
    (pruning, memory, threads, seed): (Pruning, u64, usize, u64),
    meanwhile: &(dyn Fn() + Sync),
) -> (Schema, Facts) {
    let limits = WaitLimits { lock_wait: std::time::Duration::from_secs(5), deadline: Deadline::default() };
    let mut database = sqlite::open(path, &limits).unwrap();
    let schema = resolve::resolve(database.catalog().unwrap(), &[]).unwrap_or_else(|_| panic!("no schema"));
    let mut session = database.session().unwrap();
    let shown = AtomicU64::new(0);
    let progress = |step: &ProgressStep<'_>| {
        shown.fetch_max(step.rows.unwrap_or(0), Ordering::Relaxed);
        meanwhile();
    };
    let options = DiscoverOptions {
        tolerance: Tolerance::default(),
        pruning,
        max_arity: 4,
        memory,
        threads,
        samples: 3,
        seed: (seed, 7),
        is_wanted: &|_| true,
        has_strong_name: &|_, _| false,
        deadline: Deadline::default(),
        progress: &progress,
    };
    let facts = discover::facts(&schema, session.as_mut(), &options).unwrap();
    let rows: BTreeMap<_, u64> = facts.profiles.iter().map(|profile| (profile.table, profile.rows)).collect();
    assert!(shown.into_inner() >= rows.values().sum(), "the progress counts all rows");
    (schema, facts)
}

fn shown(schema: &Schema, facts: &Facts, arity: usize) -> BTreeMap<String, Counts> {
    let side = |list: &ColumnList| {
        let table = &schema.tables[list.table];
        let columns: Vec<&str> = list.columns.iter().map(|&column| table.columns[column].name.as_str()).collect();
        format!("\"{}\".{}", table.name.table.replace('"', "\"\""), columns.join(","))
    };
    let pairs = facts.pairs.iter().filter(|pair| pair.child.columns.len() == arity).map(|pair| {
        let counts = &pair.counts;
        let numbers =
            [counts.rows, counts.null_rows, counts.orphan_rows, counts.distinct, counts.missing_keys].map(|n| n as i64);
        (format!("{} -> {}", side(&pair.child), side(&pair.parent)), numbers)
    });
    pairs.collect()
}

#[test]
fn discovered_pairs_equal_nested_loops() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    let mut rng = Rng::with_seed(19);
    let folder = tempfile::tempdir().unwrap();
    let (mut pairs, mut composite, mut more) = (0, 0, 0);
    for case in 0..cases {
        let path = folder.path().join(format!("{case}.db"));
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN").unwrap();
        let tables = random_database(&mut rng, &connection);
        connection.execute_batch("COMMIT").unwrap();
        let expected = expected(&connection, &tables);
        let [composites, possible] = [true, false].map(|by_themselves| composites(&connection, &tables, by_themselves));
        drop(connection);
        let (schema, facts) = found(&path, Pruning::ALL, 1 << 28, 1, case as u64);
        assert_eq!(shown(&schema, &facts, 1), expected, "case {case}: {}", path.display());
        let declared = of_declared_keys(shown(&schema, &facts, 2), &tables);
        // A column that only the engine compares is not examined by itself, so a few more pairs are listed.
        let is_as_counted = |(id, counts): (&String, &Counts)| possible.get(id) == Some(counts);
        assert!(declared.iter().all(is_as_counted), "case {case}: {declared:?} {possible:?}");
        let missed: Vec<&String> = composites.keys().filter(|id| !declared.contains_key(*id)).collect();
        assert!(missed.is_empty(), "case {case}: {missed:?}");
        more += declared.len() - composites.len();
        let unlimited = found(&path, Pruning::NONE, 1 << 28, 2, case as u64 + 1).1;
        assert_eq!(unlimited, facts, "case {case}: with pruning and without");
        let small = found(&path, Pruning::ALL, 500, 2, case as u64).1;
        check_small_memory(&schema, &facts, &small, case);
        pairs += expected.len();
        composite += composites.len();
        std::fs::remove_file(&path).unwrap();
    }
    assert!(more * 100 <= composite, "{more} more than {composite} composite pairs");
    assert!(pairs > cases && composite > cases / 10, "{pairs} pairs and {composite} of several columns say too little");
}

/// An application writes as soon as the first rows are read. The discovery keeps to its snapshot: no count has a row of two
/// moments.
#[test]
fn rows_that_are_written_during_a_discovery_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.db");
    let writer = Connection::open(&path).unwrap();
    writer
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE a_parents(id INTEGER PRIMARY KEY, code TEXT, region INTEGER, area INTEGER, UNIQUE (region, area));
             CREATE TABLE children(id INTEGER PRIMARY KEY, parent_id INTEGER, parent_code TEXT, region INTEGER, area INTEGER);
             WITH n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 9000)
             INSERT INTO a_parents SELECT n, 'code ' || n, n / 100, n % 100 FROM n;
             INSERT INTO children SELECT id, id, code, region, area FROM a_parents WHERE id % 3 > 0;",
        )
        .unwrap();
    let before = found_while(&path, &|| {});
    let (writer, writes) = (std::sync::Mutex::new(writer), AtomicU64::new(0));
    let write = || {
        if writes.fetch_add(1, Ordering::Relaxed) < 5 {
            let sql =
                "INSERT INTO children SELECT max(id) + 1, -max(id), 'lost ' || max(id), -1, -max(id) FROM children;
                       DELETE FROM a_parents WHERE id IN (SELECT id FROM a_parents ORDER BY id LIMIT 50);";
            writer.lock().unwrap().execute_batch(sql).unwrap();
        }
    };
    let during = found_while(&path, &write);
    assert!(writes.load(Ordering::Relaxed) > 2, "nothing was written meanwhile");
    assert_eq!(during, before);
    assert_ne!(found_while(&path, &|| {}), before, "the rows that were written are found afterwards");
}

/// Returns the pairs whose parent's key is declared.
fn of_declared_keys(mut pairs: BTreeMap<String, Counts>, tables: &[Table]) -> BTreeMap<String, Counts> {
    let keys: Vec<String> = tables
        .iter()
        .filter_map(|table| table.key.as_ref().map(|key| format!(" -> {}.{}", table.name, key.join(","))))
        .collect();
    pairs.retain(|id, _| keys.iter().any(|key| id.ends_with(key.as_str())));
    pairs
}

/// Rows beyond every batch and comparison: what the rows show early never decides against what they show late.
#[test]
fn composite_pairs_of_many_rows_equal_nested_loops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE p (a, b, PRIMARY KEY (a, b));
             CREATE TABLE far (a, b, PRIMARY KEY (a, b));
             CREATE INDEX p_b ON p (b);
             CREATE INDEX far_b ON far (b);
             CREATE TABLE c (many_a, many_b, few_a, few_b, mixed_a, mixed_b);
             WITH n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 49999)
             INSERT INTO p SELECT n / 100, n % 100 FROM n WHERE (n / 100 + n % 100) % 7 < 6;
             -- Keys so far apart that no number can stand for both of their parts.
             INSERT INTO far SELECT a * 100000000000, b * 100000000000 FROM p WHERE a < 20 AND a * b > 0;
             INSERT INTO far SELECT a, b FROM p WHERE a < 50;
             -- The first rows have many keys and no parent, or three keys and no parent, or every tenth row has none.
             WITH n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 39999),
             r AS (SELECT n, n * 13 % 500 AS a, n * 7919 % 93 AS b FROM n),
             k AS (SELECT n, a, b, b + ((a + b) % 7 = 6) AS good, b + (13 - (a + b) % 7) % 7 AS bad FROM r)
             INSERT INTO c SELECT
                 iif(n < 4400, a, a % 20), iif(n < 4400, bad, b + ((a % 20 + b) % 7 = 6)),
                 iif(n < 12000, n % 3, a % 50), iif(n < 12000, 6 - n % 3, b + ((a % 50 + b) % 7 = 6)),
                 iif(n % 10 = 0, cast(a AS TEXT), a), good
             FROM k;",
        )
        .unwrap();
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let key = Some(["a", "b"].map(str::to_owned));
    let tables = [
        Table { name: "\"p\"".to_owned(), columns: columns(&["a", "b"]), key: key.clone() },
        Table { name: "\"far\"".to_owned(), columns: columns(&["a", "b"]), key },
        Table {
            name: "\"c\"".to_owned(),
            columns: columns(&["many_a", "many_b", "few_a", "few_b", "mixed_a", "mixed_b"]),
            key: None,
        },
    ];
    let expected = composites(&connection, &tables, true);
    drop(connection);
    for (pruning, memory, threads) in
        [(Pruning::ALL, 1 << 28, 2), (Pruning::NONE, 1 << 28, 1), (Pruning::ALL, 1 << 20, 2)]
    {
        let (schema, facts) = found(&path, pruning, memory, threads, 5);
        let found = of_declared_keys(shown(&schema, &facts, 2), &tables);
        assert_eq!(found, expected, "{pruning:?}, {memory} bytes, {threads} threads");
    }
    let with_orphans = expected.values().filter(|counts| counts[2] > 1000).count();
    assert!(expected.len() > 5 && with_orphans > 2, "{expected:#?}");
}

/// A column that repeats keys and has none of any parent is read no further after a few parts of its keys, however many parts the
/// memory would ask for.
#[test]
fn child_without_parents_is_not_read_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    let connection = Connection::open(&path).unwrap();
    let notes =
        |column: &dyn Fn(u32) -> String| (0..12).map(|number| format!(", {}", column(number))).collect::<String>();
    connection
        .execute_batch(&format!(
            "CREATE TABLE a_parents(code TEXT PRIMARY KEY);
             CREATE TABLE notes(id INTEGER PRIMARY KEY, code TEXT{});
             WITH n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
             INSERT INTO a_parents SELECT 'parent ' || n FROM n;
             INSERT INTO notes SELECT rowid, 'parent ' || (1 + rowid / 3){} FROM a_parents;",
            notes(&|number| format!("note{number} TEXT")),
            notes(&|number| format!("'note {number} of ' || max(rowid, 1000)")),
        ))
        .unwrap();
    drop(connection);
    let list_and_reads = |pruning: Pruning| {
        let reads = AtomicU64::new(0);
        let read = || _ = reads.fetch_add(1, Ordering::Relaxed);
        let (schema, facts) = found_with(&path, (pruning, 700_000, 1, 5), &read);
        (shown(&schema, &facts, 1), reads.into_inner())
    };
    let (list, reads) = list_and_reads(Pruning::ALL);
    let (whole_list, all_reads) = list_and_reads(Pruning { early_end: false, ..Pruning::ALL });
    assert_eq!(list, whole_list);
    assert!(list.contains_key("\"notes\".code -> \"a_parents\".code"), "{list:?}");
    assert!(reads * 2 < all_reads, "{reads} of {all_reads}");
}

/// With little memory the list, its counts and its evidence are the same. What is missing from it is named.
fn check_small_memory(schema: &Schema, facts: &Facts, small: &Facts, case: usize) {
    assert_eq!(shown(schema, small, 1), shown(schema, facts, 1), "case {case}: with little memory");
    for (profile, whole) in small.profiles.iter().zip(&facts.profiles) {
        let name = &schema.tables[profile.table].columns[profile.column].name;
        // A column that was excluded early is not counted.
        if profile.distinct.is_some() {
            assert_eq!((profile.distinct, profile.integers), (whole.distinct, whole.integers), "case {case}: {name}");
        }
    }
    let restricted: Vec<&str> = small.not_observed.iter().map(|part| part.subject.as_str()).collect();
    for pair in &facts.pairs {
        let same = small.pairs.iter().find(|other| (&other.child, &other.parent) == (&pair.child, &pair.parent));
        let id = schema.pair_id(&pair.child, &pair.parent);
        match same {
            Some(same) if pair.child.columns.len() > 1 => assert_eq!(same.counts, pair.counts, "case {case}: {id}"),
            // The engine counts some pairs. It lists no keys.
            Some(same) if same.missing.is_empty() => {}
            Some(same) => assert_eq!(same.missing, pair.missing, "case {case}: {id}"),
            None => {
                let columns = [&pair.child, &pair.parent].into_iter().flat_map(|list| {
                    let table = &schema.tables[list.table];
                    list.columns.iter().map(|&column| side(&table.name, [table.columns[column].name.as_str()]))
                });
                let mut columns = columns.chain([schema.tables[pair.parent.table].name.to_string()]);
                assert!(
                    columns.any(|column| restricted.contains(&column.as_str())),
                    "case {case}: {id} {restricted:?}"
                );
            }
        }
    }
}
