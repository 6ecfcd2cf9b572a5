//! Compares `explain` with SQLite on random schemas, rows and statements: SQLite must do what was explained.
//!
//! `FK_DOCTOR_CASES` sets the number of statements. The seed is fixed, so a failure repeats.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use fk_doctor::internals::engine::Deadline;
use fk_doctor::internals::engine::TrialChoice;
use fk_doctor::internals::engine::TrialOptions;
use fk_doctor::internals::engine::WaitLimits;
use fk_doctor::internals::engines;
use fk_doctor::internals::explain;
use fk_doctor::internals::explain::ExplainOptions;
use fk_doctor::internals::model::catalog::Engine;
use fk_doctor::internals::model::explanation::CascadeBranch;
use fk_doctor::internals::model::explanation::Explained;
use fk_doctor::internals::model::explanation::StatementReason;
use fk_doctor::internals::model::explanation::StatementVerdict;
use fk_doctor::internals::model::finding::Code;
use fk_doctor::internals::model::ids::RelationId;
use fk_doctor::internals::model::redaction::Redaction;
use fk_doctor::internals::model::resolve;
use fk_doctor::internals::model::value::Value;
use fk_doctor::internals::source::Source;
use fk_doctor::internals::sql::read::statements;
use fk_doctor::internals::sql::recorder;
use rusqlite::Connection;

const USUAL_CASES: usize = 400;
pub(crate) const TABLES: usize = 4;
/// A foreign key whose parent key has no unique index: SQLite refuses a write that checks it.
const BROKEN: &str = "FOREIGN KEY (v)";
const ACTIONS: [&str; 7] = ["NO ACTION", "RESTRICT", "SET NULL", "SET NULL", "SET DEFAULT", "CASCADE", "CASCADE"];

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

/// Returns four tables that refer to each other and to themselves. Keys are numbers, texts or pairs, with or without
/// rowid.
pub(crate) fn schema(rng: &mut Rng, one_deferred_in: u8) -> String {
    let mut sql = String::new();
    for table in 0..TABLES {
        let kind = pick(rng, &["INT", "INTEGER", "TEXT", "", "TEXT COLLATE NOCASE"]);
        let without_rowid = rng.u8(..4) == 0;
        let key = if rng.bool() && !without_rowid {
            "id INTEGER PRIMARY KEY".to_owned()
        } else {
            format!("id {kind} PRIMARY KEY NOT NULL")
        };
        let mut parts = vec![key, "u INT".to_owned(), "v INT".to_owned()];
        let mut foreign = Vec::new();
        for reference in 0..rng.usize(1..3) {
            let column = format!("r{reference}");
            let not_null = if rng.u8(..6) == 0 { " NOT NULL" } else { "" };
            let default = if rng.u8(..4) == 0 { " DEFAULT 1" } else { "" };
            parts.push(format!("{column} {}{not_null}{default}", pick(rng, &["INT", "TEXT", ""])));
            let deferred = if rng.u8(..one_deferred_in) == 0 { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
            let parent = rng.usize(..TABLES);
            let actions = format!("ON DELETE {} ON UPDATE {}{deferred}", pick(rng, &ACTIONS), pick(rng, &ACTIONS));
            if rng.u8(..6) == 0 {
                foreign.push(format!("FOREIGN KEY (u, {column}) REFERENCES t{parent}(u, v) {actions}"));
            } else {
                foreign.push(format!("FOREIGN KEY ({column}) REFERENCES t{parent}(id) {actions}"));
            }
        }
        let replaces = if rng.u8(..8) == 0 { " ON CONFLICT REPLACE" } else { "" };
        parts.push(format!("UNIQUE (u, v){replaces}"));
        if rng.u8(..24) == 0 {
            foreign.push(format!("{BROKEN} REFERENCES t{}(v)", rng.usize(..TABLES)));
        }
        parts.extend(foreign);
        let ending = if without_rowid { " WITHOUT ROWID" } else { "" };
        sql.push_str(&format!("CREATE TABLE t{table}({}){ending};", parts.join(", ")));
        if rng.bool() {
            sql.push_str(&format!("CREATE INDEX i{table} ON t{table}(r0);"));
        }
    }
    if rng.u8(..4) == 0 {
        let (from, to) = (rng.usize(..TABLES), rng.usize(..TABLES));
        let event = pick(rng, &["DELETE", "INSERT", "UPDATE"]);
        let then = match rng.u8(..3) {
            0 => format!("DELETE FROM t{to} WHERE id = 2"),
            1 => format!("UPDATE t{to} SET r0 = 9 WHERE id = 3"),
            _ => format!("INSERT INTO t{to}(id, r0) VALUES (abs(random()), 8)"),
        };
        sql.push_str(&format!("CREATE TRIGGER g AFTER {event} ON t{from} WHEN 1 BEGIN {then}; END;"));
    }
    for table in 0..TABLES {
        for id in 0..rng.usize(..7) {
            let r = pick(rng, &["NULL", "1", "2", "3", "4", "5", "'2'", "77"]);
            let (u, v) = (pick(rng, &["NULL", "1", "2"]), pick(rng, &["NULL", "1", "2", "3"]));
            sql.push_str(&format!("INSERT OR IGNORE INTO t{table}(id, u, v, r0) VALUES ({id}, {u}, {v}, {r});"));
        }
    }
    sql
}

fn a_statement(rng: &mut Rng) -> String {
    let table = rng.usize(..TABLES);
    let value = |rng: &mut Rng| pick(rng, &["NULL", "0", "1", "2", "3", "4", "5", "6", "77", "'3'", "'x'"]);
    let condition = match rng.u8(..4) {
        0 => String::new(),
        1 => format!(" WHERE id = {}", rng.u8(..7)),
        2 => format!(" WHERE id > {}", rng.u8(..7)),
        _ => format!(" WHERE r0 = {}", value(rng)),
    };
    match rng.u8(..14) {
        10 => {
            format!("INSERT INTO t{table}(id, u, v, r0) VALUES ({}, 3, {}, {})", rng.u8(..99), rng.u8(..3), value(rng))
        }
        11 => format!("REPLACE INTO t{table}(rowid, id, r0) VALUES ({}, {}, {})", rng.u8(..9), rng.u8(..9), value(rng)),
        12 => format!("UPDATE OR REPLACE t{table} SET id = {} - id{condition}", rng.u8(..6)),
        13 => format!("DROP TABLE t{table}"),
        0..=2 => format!("DELETE FROM t{table}{condition}"),
        3 => format!("UPDATE t{table} SET id = id + {}{condition}", pick(rng, &["1", "10", "0"])),
        4..=5 => format!("UPDATE t{table} SET r0 = {}{condition}", value(rng)),
        6 => format!("UPDATE OR REPLACE t{table} SET u = 1, v = {}{condition}", value(rng)),
        7 => format!("INSERT OR REPLACE INTO t{table}(id, u, v, r0) VALUES ({}, 1, 2, {})", rng.u8(..9), value(rng)),
        8 => format!(
            "INSERT INTO t{table}(id, r0) VALUES ({}, {}) ON CONFLICT DO UPDATE SET r0 = {}",
            rng.u8(..9),
            value(rng),
            value(rng)
        ),
        _ => format!("INSERT INTO t{table}(id, r0) VALUES (100, {}), (101, {})", value(rng), value(rng)),
    }
}

/// The number of orphans by relation. A relation is the child and the number of its foreign key, such as `("t1", 0)`.
type Orphans = BTreeMap<(String, i64), u64>;

fn orphans(database: &Connection) -> Orphans {
    let mut found = Orphans::new();
    let mut statement = database.prepare("SELECT \"table\", fkid FROM pragma_foreign_key_check").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for row in rows {
        *found.entry(row.unwrap()).or_default() += 1;
    }
    found
}

fn rows(database: &Connection) -> Vec<i64> {
    let count = |table| database.query_row(&format!("SELECT count(*) FROM t{table}"), [], |row| row.get(0)).unwrap();
    (0..TABLES).map(count).collect()
}

fn explained(path: &Path, sql: &str) -> Explained {
    explained_script(path, sql).into_iter().next().unwrap()
}

/// Explains statements on a copy and in the database itself, which must give the same and leave the file as it is.
fn explained_script(path: &Path, sql: &str) -> Vec<Explained> {
    let before = std::fs::read(path).unwrap();
    let on_copy = explained_by(path, sql, TrialChoice::Copy);
    let in_place = explained_by(path, sql, TrialChoice::InPlace);
    let lines = |all: &[Explained]| -> Vec<String> {
        let shown = |it: &Explained| {
            format!("{:#?}", (&it.statement, &it.verdict, &it.reasons, &it.effects, &it.radius, &it.notes))
        };
        // Triggers insert random numbers, which are shown as numbers or as the bytes of their digits.
        let value = |line: &str| line.trim().trim_end_matches(',').to_owned();
        let is_random = |line: &str| line.len() > 9 && line.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let is_digit = |line: &str| line.parse().is_ok_and(|byte: u8| byte == b'-' || byte.is_ascii_digit());
        let all: Vec<String> = all.iter().map(shown).collect();
        let all: Vec<&str> = all.iter().flat_map(|it| it.lines()).collect();
        let runs = all.chunk_by(|left, right| is_digit(&value(left)) && is_digit(&value(right)));
        let without_random = runs.flat_map(|run| match run {
            [line] if is_random(&value(line)) => vec!["random".to_owned()],
            run if run.len() > 9 => vec!["random".to_owned()],
            run => run.iter().map(|line| (*line).to_owned()).collect(),
        });
        without_random.collect()
    };
    let (copied, direct) = (lines(&on_copy), lines(&in_place));
    let different = copied.iter().zip(&direct).position(|(left, right)| left != right);
    if let Some(line) = different.or((copied.len() != direct.len()).then_some(0)) {
        let from = line.saturating_sub(30);
        let part = |lines: &[String]| lines[from..lines.len().min(line + 10)].join("\n");
        panic!("{sql}\non a copy:\n{}\nin place:\n{}", part(&copied), part(&direct));
    }
    assert_eq!(before, std::fs::read(path).unwrap(), "{sql}");
    on_copy
}

fn explained_by(path: &Path, sql: &str, choice: TrialChoice) -> Vec<Explained> {
    let patience = WaitLimits { lock_wait: Duration::ZERO, deadline: Deadline::default() };
    let mut database =
        engines::open(&Source::File { engine: Engine::Sqlite, path: path.to_owned() }, &patience).unwrap();
    let options = TrialOptions { choice, ..TrialOptions::default() };
    let mut trial = database.trial(&options, &|_, _| {}).unwrap();
    let schema = resolve::resolve(trial.catalog().unwrap(), &[]).unwrap();
    let statements = statements::statements(Engine::Sqlite, sql);
    let options = ExplainOptions { database: "app.db", samples: 5, redaction: &Redaction::default() };
    explain::explain(trial.as_mut(), schema, statements, &options).unwrap().statements
}

pub(crate) fn make(path: &Path, seed: &str) -> Connection {
    let real = Connection::open(path).unwrap();
    real.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY").unwrap();
    for statement in statements::statements(Engine::Sqlite, seed) {
        let _ = real.execute_batch(&statement.text);
    }
    real
}

fn fails_by_reference(outcome: &rusqlite::Result<()>) -> bool {
    matches!(outcome, Err(error) if error.to_string().contains("FOREIGN KEY constraint failed"))
}

fn names_a_relation(explanation: &Explained) -> bool {
    explanation.reasons.iter().any(|reason| matches!(reason, StatementReason::Relation(_)))
}

#[test]
fn random_statement_behaves_as_explained() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    let mut rng = Rng::with_seed(20_261_121);
    let folder = tempfile::tempdir().unwrap();
    let (mut accepted, mut refused, mut references, mut followed) = (0, 0, 0, 0);
    // If a trigger changes a row and the statement then changes its key, the row is not found again.
    let mut nameless = 0;
    for case in 0..cases {
        let path = folder.path().join(format!("{case}.db"));
        let seed = schema(&mut rng, 4);
        let sql = a_statement(&mut rng);
        let mut real = make(&path, &seed);
        let shown = explained(&path, &sql);
        let reasons = || -> Vec<String> {
            let say = |reason: &StatementReason| match reason {
                StatementReason::Relation(finding) => format!("{} {}", finding.relation_id, finding.message),
                StatementReason::Constraint(constraint) => constraint.message.clone(),
            };
            shown.reasons.iter().map(say).collect()
        };
        let context = || {
            let seed = seed.replace(';', ";\n");
            format!(
                "case {case}: {sql}\n{seed}\n{:?}\n{:#?}\n{:#?}\n{:#?}",
                shown.verdict,
                reasons(),
                shown.effects,
                shown.radius
            )
        };

        real.execute_batch("PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = OFF").unwrap();
        // `foreign_key_check` stops at a broken definition, and counts nothing in a dropped table.
        let counts = !seed.contains(BROKEN) && !sql.starts_with("DROP");
        let before = if counts { (rows(&real), orphans(&real)) } else { (Vec::new(), Orphans::new()) };
        let outcome = real.execute_batch(&sql);
        match (&shown.verdict, &outcome) {
            (StatementVerdict::Accepted, Ok(())) => accepted += 1,
            (StatementVerdict::Refused(refusal), Err(error)) => {
                let message = error.to_string();
                assert!(message.contains(&refusal.message), "{message}\n{}", context());
                refused += 1;
            }
            _ => panic!("{outcome:?}\n{}", context()),
        }
        if fails_by_reference(&outcome) && !names_a_relation(&shown) {
            nameless += 1;
            assert!(nameless * 300 <= cases.max(300), "references that refuse have no name\n{}", context());
        }
        if outcome.is_ok() && counts {
            // The number of rows of every table equals the explained effects.
            for (table, (was, is)) in before.0.iter().zip(rows(&real)).enumerate() {
                let effect = shown.effects.iter().find(|effect| effect.table == format!("t{table}"));
                let change = effect.map_or(0, |effect| effect.inserted as i64 - effect.deleted as i64);
                assert_eq!(is - was, change, "t{table}\n{}", context());
            }
            check_references(&shown, &before.1, &orphans(&real), &context);
            followed += usize::from(!shown.radius.is_empty());
        } else if counts && fails_by_reference(&outcome) {
            let transaction = real.transaction().unwrap();
            transaction.execute_batch("PRAGMA defer_foreign_keys = ON").unwrap();
            if transaction.execute_batch(&sql).is_ok() {
                check_references(&shown, &before.1, &orphans(&transaction), &context);
                references += 1;
            }
            transaction.rollback().unwrap();
        }
        drop(real);
        std::fs::remove_file(&path).unwrap();
    }
    println!(
        "{cases} statements: {accepted} accepted, {refused} refused; every reference of {references} named; {followed} took others along"
    );
    assert!(accepted * 5 > cases && references * 20 > cases && followed * 60 > cases, "the cases are worth judging");
}

/// Every statement of a transaction gets SQLite's verdict. A refused COMMIT names the relations that are violated.
#[test]
fn random_transaction_gets_the_verdicts_of_sqlite() {
    let cases = std::env::var("FK_DOCTOR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL_CASES);
    let mut rng = Rng::with_seed(20_261_128);
    let folder = tempfile::tempdir().unwrap();
    let (mut refused, mut nameless) = (0, 0);
    for case in 0..cases / 4 {
        let path = folder.path().join(format!("{case}.db"));
        let seed = schema(&mut rng, 2);
        let real = make(&path, &seed);
        let mut script = vec!["BEGIN".to_owned()];
        script.extend((0..rng.usize(1..5)).map(|_| a_statement(&mut rng)));
        script.push("COMMIT".to_owned());
        let shown = explained_script(&path, &script.join(";"));
        real.execute_batch("PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = OFF").unwrap();
        for (sql, shown) in script.iter().zip(&shown) {
            let outcome = real.execute_batch(sql);
            let context =
                || format!("case {case}: {sql}\n{script:#?}\n{}\n{:?}", seed.replace(';', ";\n"), shown.verdict);
            match (&shown.verdict, &outcome) {
                (StatementVerdict::Accepted, Ok(())) => {}
                (StatementVerdict::Refused(refusal), Err(error)) => {
                    assert!(error.to_string().contains(&refusal.message), "{error}\n{}", context());
                }
                _ => panic!("{outcome:?}\n{}", context()),
            }
            if sql == "COMMIT" && fails_by_reference(&outcome) {
                refused += 1;
                nameless += usize::from(!names_a_relation(shown));
            }
        }
    }
    println!("{refused} of {} transactions refused by COMMIT, {nameless} without a name", cases / 4);
    assert!(refused * 80 > cases, "the cases are worth judging: {refused}");
    // After REPLACE and a cascade, SQLite counts rows that no longer exist.
    assert!(nameless * 5 <= refused, "{nameless} of {refused} have no name");
}

/// Checks that every new orphan is named. Any other named row was an orphan before, in a relation that the statement
/// touches.
fn check_references(explanation: &Explained, before: &Orphans, after: &Orphans, context: &dyn Fn() -> String) {
    let mut named: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for reason in &explanation.reasons {
        let StatementReason::Relation(finding) = reason else { continue };
        assert_eq!(finding.code, Code::WouldFail, "{}", context());
        // SQLite refuses these rows during the statement, whatever they refer to after it.
        let is_of_now = |part: &&str| finding.message.contains(*part);
        if ["in the end", "at once", "compares the stored values"].iter().any(is_of_now) {
            continue;
        }
        let relation = &explanation.schema.relations[finding.relation];
        let child = explanation.schema.child(relation).name.table.clone();
        // SQLite numbers the foreign keys of a table from the last to the first.
        let is_later_of_child =
            |id: &RelationId| *id > finding.relation && explanation.schema.relations[*id].child == relation.child;
        let place = explanation.schema.relations.ids().filter(is_later_of_child).count();
        *named.entry((child, place as i64)).or_default() += finding.rows;
    }
    for (relation, &orphans) in after {
        let old = before.get(relation).copied().unwrap_or(0);
        let named = named.get(relation).copied().unwrap_or(0);
        assert!(named + old >= orphans, "{relation:?}: {old} before, {orphans} after, {named} named\n{}", context());
        assert!(named <= orphans, "{relation:?}: {orphans} after, {named} named\n{}", context());
    }
    for relation in named.keys() {
        assert!(after.contains_key(relation), "{relation:?} is no orphan\n{}", context());
    }
}

/// The rows of each table of a random family: the key of a row, and the value of each of its references.
type Family = Vec<BTreeMap<i64, Vec<Option<i64>>>>;

/// Computes the effects of a delete without SQL. Returns the rows deleted and set to NULL, by child and reference.
fn by_hand(
    family: &Family,
    parents: &[Vec<(usize, bool)>],
    table: usize,
    first: i64,
) -> BTreeMap<(usize, usize), (u64, u64)> {
    let mut gone = vec![vec![]; family.len()];
    gone[table].push(first);
    let mut open = vec![(table, first)];
    while let Some((parent, key)) = open.pop() {
        for (child, rows) in family.iter().enumerate() {
            for (&row, references) in rows {
                let follows = parents[child]
                    .iter()
                    .zip(references)
                    .any(|(&(to, cascades), &held)| cascades && to == parent && held == Some(key));
                if follows && !gone[child].contains(&row) {
                    gone[child].push(row);
                    open.push((child, row));
                }
            }
        }
    }
    let mut counts = BTreeMap::new();
    for (child, rows) in family.iter().enumerate() {
        for (&row, references) in rows {
            for (place, (&(to, cascades), &held)) in parents[child].iter().zip(references).enumerate() {
                let Some(held) = held.filter(|held| gone[to].contains(held)) else { continue };
                let itself = (to, held) == (child, row);
                let count: &mut (u64, u64) = counts.entry((child, place)).or_default();
                match (gone[child].contains(&row), cascades) {
                    (true, true) if !itself => count.0 += 1,
                    (false, false) => count.1 += 1,
                    _ => {}
                }
            }
        }
    }
    counts.retain(|_, count| *count != (0, 0));
    counts
}

fn flattened(branches: &[CascadeBranch], into: &mut BTreeMap<(usize, usize), (u64, u64)>) {
    for branch in branches {
        let number = |text: &str| text[1..].parse::<usize>().unwrap();
        let place = (number(&branch.child), number(&branch.columns[0]));
        assert!(into.insert(place, (branch.deleted, branch.changed)).is_none(), "{place:?} is told once");
        assert_eq!(branch.blocking, 0);
        flattened(&branch.below, into);
    }
}

/// All references of a family are CASCADE or SET NULL, with cycles. The blast radius equals the effects by relation.
#[test]
fn blast_radius_of_a_random_delete_is_exact() {
    let mut rng = Rng::with_seed(7);
    let folder = tempfile::tempdir().unwrap();
    let mut rows_followed = 0;
    for case in 0..120 {
        let parents: Vec<Vec<(usize, bool)>> = (0..TABLES)
            .map(|_| (0..rng.usize(1..3)).map(|_| (rng.usize(..TABLES), rng.u8(..3) > 0)).collect())
            .collect();
        let mut sql = String::new();
        let mut family: Family = Vec::new();
        for (table, references) in parents.iter().enumerate() {
            let columns: Vec<String> = references
                .iter()
                .enumerate()
                .map(|(place, (to, cascades))| {
                    let action = if *cascades { "CASCADE" } else { "SET NULL" };
                    format!("r{place} INT REFERENCES t{to}(id) ON DELETE {action}")
                })
                .collect();
            sql.push_str(&format!("CREATE TABLE t{table}(id INTEGER PRIMARY KEY, {});", columns.join(", ")));
            let held = |rng: &mut Rng| (rng.u8(..4) > 0).then(|| rng.i64(0..8));
            family.push((0..8).map(|id| (id, references.iter().map(|_| held(&mut rng)).collect())).collect());
        }
        for (table, rows) in family.iter().enumerate() {
            for (id, references) in rows {
                let held = references.iter().map(|held| held.map_or("NULL".to_owned(), |key| key.to_string()));
                sql.push_str(&format!("INSERT INTO t{table} VALUES ({id}, {});", held.collect::<Vec<_>>().join(", ")));
            }
        }
        let path = folder.path().join(format!("{case}.db"));
        let real = Connection::open(&path).unwrap();
        real.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        real.execute_batch(&format!("BEGIN; {sql} COMMIT")).unwrap();
        let (table, first) = (rng.usize(..TABLES), rng.i64(0..8));
        let text = explained(&path, &format!("DELETE FROM t{table} WHERE id = {first}"));
        let mut radius = BTreeMap::new();
        flattened(&text.radius, &mut radius);
        let expected = by_hand(&family, &parents, table, first);
        assert_eq!(radius, expected, "case {case}: t{table} {first}\n{}", sql.replace(';', ";\n"));
        rows_followed += expected.values().map(|(deleted, changed)| deleted + changed).sum::<u64>();
    }
    assert!(rows_followed > 400, "the cases are worth judging: {rows_followed}");
}

/// A record of all tables would take time that grows with the square of their number.
#[test]
fn only_written_tables_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let tables: String = (0..300)
        .map(|n| {
            let (on_delete, other) = if n % 100 == 1 { ("CASCADE", n + 1) } else { ("NO ACTION", 0) };
            format!(
                "CREATE TABLE t{n}(id INTEGER PRIMARY KEY, r INT REFERENCES t0 ON DELETE {on_delete}, s INT REFERENCES t{other}); \
                 INSERT INTO t{n} VALUES (1, NULL, NULL);"
            )
        })
        .collect();
    make(&path, &tables);
    let patience = WaitLimits { lock_wait: Duration::ZERO, deadline: Deadline::default() };
    let source = Source::File { engine: Engine::Sqlite, path: path.clone() };
    let mut database = engines::open(&source, &patience).unwrap();
    let mut trial = database.trial(&TrialOptions::default(), &|_, _| {}).unwrap();
    let schema = resolve::resolve(trial.catalog().unwrap(), &[]).unwrap();
    let script = "INSERT INTO t5 VALUES (2, 9, 1); DELETE FROM t0; UPDATE t7 SET r = NULL; DELETE FROM t8";
    let statements = statements::statements(Engine::Sqlite, script);
    let options = ExplainOptions { database: "app.db", samples: 5, redaction: &Redaction::default() };
    let explanation = explain::explain(trial.as_mut(), schema, statements, &options).unwrap();
    let refused = |it: &Explained| matches!(it.verdict, StatementVerdict::Refused(_));
    assert_eq!(explanation.statements.iter().map(refused).collect::<Vec<_>>(), [true, false, false, false]);
    let recorder = recorder::of(&explanation.schema).unwrap();
    let mut recorded = Vec::new();
    let mut note = |row: &[Value]| {
        if row[0].as_text() == Some("table") {
            recorded.push(row[1].as_text().unwrap().to_owned());
        }
    };
    trial.each_row(&recorder.objects(), &mut note).unwrap();
    // t0 and its cascades to t1, t101 and t201; t5, t7 and t8.
    assert_eq!(recorded.len(), 7, "{recorded:?}");
}

/// A rollback also removes the records of tables that were first written in its transaction.
#[test]
fn record_survives_every_kind_of_rollback() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY);
        CREATE TABLE a(id INTEGER PRIMARY KEY, r INT REFERENCES p DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE b(id INTEGER PRIMARY KEY, r INT REFERENCES p DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p);
        CREATE TABLE d(id INTEGER PRIMARY KEY);
        CREATE TRIGGER t BEFORE INSERT ON d WHEN NEW.id < 0 BEGIN SELECT RAISE(ROLLBACK, 'no'); END;
        INSERT INTO p VALUES (1); INSERT INTO a VALUES (1, 1)";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    make(&path, seed);
    let script = "BEGIN; INSERT INTO a VALUES (2, 7); ROLLBACK; INSERT INTO a VALUES (3, 8); \
        BEGIN; INSERT INTO b VALUES (1, 5); SAVEPOINT s; INSERT INTO a VALUES (4, 6); ROLLBACK TO s; COMMIT; ROLLBACK; \
        BEGIN; UPDATE c SET r = 1; INSERT INTO d VALUES (-1); INSERT INTO c VALUES (1, 4); \
        BEGIN; INSERT INTO b VALUES (2, 3); CREATE TABLE e(id INT); ROLLBACK; INSERT INTO b VALUES (3, 1); DELETE FROM p";
    let all = explained_script(&path, script);
    let refused = all.iter().filter(|it| matches!(it.verdict, StatementVerdict::Refused(_)));
    let refused: Vec<(&str, usize)> = refused.map(|it| (it.statement.text.as_str(), it.reasons.len())).collect();
    let expected = [
        ("INSERT INTO a VALUES (3, 8)", 1),
        ("COMMIT", 1),
        ("INSERT INTO d VALUES (-1)", 1),
        ("INSERT INTO c VALUES (1, 4)", 1),
        ("DELETE FROM p", 2),
    ];
    assert_eq!(refused, expected);
    let commit = all.iter().find(|it| it.statement.text == "COMMIT").unwrap();
    let [StatementReason::Relation(finding)] = &commit.reasons[..] else { panic!("{:?}", commit.reasons) };
    assert_eq!(commit.schema.relations[finding.relation].id, "b(r)->p(id)");
    for it in &all {
        assert!(!it.notes.iter().any(|note| note.contains("could not")), "{}: {:?}", it.statement.text, it.notes);
    }
}
