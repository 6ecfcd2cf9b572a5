//! Tables and columns with the names that fk-doctor's SQL uses. Neither may be mistaken for the other.
//!
//! The names are read from the source, so that future aliases are included.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use super::common::Run;

/// Names of temporary tables of an earlier version, and names that follow no `AS`.
const OTHERS: [&str; 13] = [
    "key",
    "via",
    "wanted",
    "missing",
    "map",
    "keyed",
    "place",
    "number",
    "fk_doctor_round",
    "fk_doctor_noted",
    "fk_doctor_old_0",
    "fk_doctor_load_0",
    "fk_doctor_op",
];

/// Returns every alias and common table expression of fk-doctor's SQL.
pub(crate) fn names() -> Vec<String> {
    let mut found: BTreeSet<String> = OTHERS.map(str::to_owned).into();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                found.extend(text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(named_in));
            }
        }
    }
    assert!(found.len() >= OTHERS.len() + 40, "the aliases are read from src/sql: {found:?}");
    // Names that the engine reserves, and the columns that every table has here.
    found.retain(|name| !["id", "r", "of", "text", "oid"].contains(&name.as_str()));
    if found.len() % 2 == 1 {
        found.insert("even".to_owned());
    }
    found.into_iter().collect()
}

/// Returns the names after `AS` and `WITH` in a line of SQL. A number in a name is read as 0.
fn named_in(line: &str) -> Vec<String> {
    let words =
        [" AS ", "WITH ", "WITH RECURSIVE "].map(|word| line.match_indices(word).map(move |(at, _)| at + word.len()));
    let after = words.into_iter().flatten().map(|at| &line[at..]);
    let name = |rest: &str| {
        let rest = rest.trim_start_matches(['\\', '"', '`']);
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
        let number = if rest[end..].starts_with('{') { "0" } else { "" };
        format!("{}{number}", &rest[..end])
    };
    after.map(name).filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

/// Returns tables with all these names, in pairs that refer to each other, with columns of all these names. The first
/// row of each has a parent, the second is an orphan, and the third refers to the key of that orphan.
pub(crate) fn seed(names: &[String], quote: char, is_sqlite: bool) -> String {
    let quoted = |name: &str| format!("{quote}{name}{quote}");
    let columns: Vec<String> = names.iter().map(|name| format!(", {} int", quoted(name))).collect();
    let nines = ", 9".repeat(names.len());
    let make = |(place, name): (usize, &String)| {
        let all: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        let (table, parent) = (quoted(name), quoted(&names[place ^ 1]));
        let key = format!("FOREIGN KEY (r) REFERENCES {parent}(id) ON DELETE SET NULL");
        let (inside, after) = if is_sqlite {
            (format!(", {key}"), String::new())
        } else {
            (String::new(), format!("ALTER TABLE {table} ADD {key}; "))
        };
        let id = if is_sqlite { "INTEGER" } else { "int" };
        (
            format!("CREATE TABLE {table}(id {id} PRIMARY KEY, r int DEFAULT 1{}{inside}); ", columns.concat()),
            after,
            format!(
                "INSERT INTO {table}(id, r, {}) VALUES (1, 1{nines}); INSERT INTO {table}(id, r) VALUES (2, 9), (3, 2); ",
                all.join(", ")
            ),
        )
    };
    let made: Vec<(String, String, String)> = names.iter().enumerate().map(make).collect();
    let part = |which: fn(&(String, String, String)) -> &str| made.iter().map(which).collect::<String>();
    part(|made| &made.0) + &part(|made| &made.1) + &part(|made| &made.2)
}

/// Returns treatments of the orphans of a table with another parent: every form of every action.
fn treatments(parent: &str, quote: char) -> Vec<String> {
    let to = format!("SELECT p2.id FROM {quote}{parent}{quote} AS p2 WHERE p2.id = child.id - 1 AND key.r = 9")
        .replace('"', "\\\"");
    vec![
        "action = \"set-null\"".to_owned(),
        "action = \"set-default\"".to_owned(),
        "action = \"follow\"".to_owned(),
        "action = \"quarantine\"".to_owned(),
        "action = \"delete\"\nkeep = false".to_owned(),
        "action = \"sentinel\"\nkey = -1".to_owned(),
        "action = \"placeholder\"\nvalues = { o = { sql = \"key.r + child.id\" }, i = \"{key.r}{child.id}\" }"
            .to_owned(),
        "action = \"placeholder\"\nkey = \"new\"".to_owned(),
        format!("action = \"placeholder\"\nvia = \"{parent}(o)\"\nvalues = {{ o = {{ sql = \"via.id\" }} }}"),
        format!("action = \"remap\"\nto = \"{to}\""),
        format!("action = \"remap\"\ntable = \"{parent}(o -> id)\""),
        "action = \"remap\"\nnormalize = [\"trim\"]\n[[treat]]\naction = \"set-null\"".to_owned(),
    ]
}

/// The number of rounds of [`rules`]. In all of them together every table gets the same number of treatments.
pub(crate) const ROUNDS: usize = 4;

/// Returns one rule for each table. Every round contains every treatment.
pub(crate) fn rules(names: &[String], round: usize, quote: char) -> String {
    let rule = |(place, name): (usize, &String)| {
        let parent = &names[place ^ 1];
        let treatments = treatments(parent, quote);
        let treatment = &treatments[(place + round * treatments.len() / ROUNDS) % treatments.len()];
        format!(
            "[[rule]]\nid = \"{}\"\neven-if-parent-lost = true\n[rule.relation]\nchild = \"{name}(r)\"\n\
             [rule.limits]\nmax-share = 1.0\nmax-rows = 100000\n[[rule.treat]]\n{}\n",
            name.replace('_', "-"),
            treatment.replace("[[treat]]", "[[rule.treat]]")
        )
    };
    names.iter().enumerate().map(rule).collect()
}

/// Rows for any of the tables. The second row has no parent.
pub(crate) const ROWS: &str = "id,r\n10,1\n11,77\n";

fn report(context: &str, run: &Run) -> serde_json::Value {
    assert_eq!(run.stderr, "", "{context}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// The expected findings of a check of [`ROWS`].
pub(crate) fn assert_checked(table: &str, run: &Run) {
    let report = report(table, run);
    assert_eq!((run.code, report["summary"]["would_fail"].as_u64()), (1, Some(1)), "{table}: {report:#}");
    let found = report["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "would-fail");
    let sample = &found.unwrap()["samples"][0];
    assert_eq!(
        (sample["row"]["line"].as_u64(), sample["key"]["r"].as_i64()),
        (Some(3), Some(77)),
        "{table}: {report:#}"
    );
}

/// The expected findings of a check of another table's rows: all of them exist already.
pub(crate) fn assert_staged(table: &str, run: &Run) {
    let report = report(table, run);
    assert_eq!((run.code, report["summary"]["would_fail"].as_u64()), (1, Some(3)), "{table}: {report:#}");
    assert_eq!(report["refused"][0]["code"], "duplicate-key", "{table}: {report:#}");
}

/// Statements about a table, and the expected explanation: the verdict, and the rows inserted, updated and deleted in
/// each table.
pub(crate) fn statements(table: &str, quote: char) -> [(String, &'static str); 3] {
    let table = format!("{quote}{table}{quote}");
    [
        (format!("INSERT INTO {table}(id, r) VALUES (50, 77)"), "refused 1 0 0"),
        (format!("UPDATE {table} SET r = 77 WHERE id = 1"), "refused 0 1 0"),
        (format!("DELETE FROM {table} WHERE id = 2"), "accepted 0 0 1, 0 1 0"),
    ]
}

pub(crate) fn assert_explained(statement: &str, outcome: &str, run: &Run) {
    let report = report(statement, run);
    let explained = &report["statements"][0];
    let effects: Vec<String> = explained["effects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|effect| format!("{} {} {}", effect["inserted"], effect["updated"], effect["deleted"]))
        .collect();
    let explained = format!("{} {}", explained["verdict"].as_str().unwrap(), effects.join(", "));
    assert_eq!(explained, outcome, "{statement}: {report:#}");
}

#[test]
fn aliases_are_read_from_the_source() {
    let names = names();
    for name in ["child", "parent", "key", "wanted", "suspect", "o", "p", "i", "k0", "was", "gone", "walk", "met"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}
