//! Compares the contents of every plan with the database before and after it: which changes form a unit, which orphans
//! a new parent adopts, and in which relations a changed row was an orphan.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::Path;

use crate::common;
use crate::generated;
use crate::plan_lines;

use common::Bench;
use generated::Made;
use rusqlite::Connection;
use serde_json::Value;

/// The lines of a unit are adjacent, and the change that quarantines a row is in the unit of that row.
pub(crate) fn assert_units(lines: &[Value], context: &str) {
    let (mut met, mut last) = (HashSet::new(), None);
    for line in lines {
        let unit = line["unit"].as_u64();
        if unit != last
            && let Some(unit) = unit
        {
            assert!(met.insert(unit), "unit {unit} is torn\n{context}");
        }
        last = unit;
    }
    for record in lines.iter().filter(|line| line["part"] == "record") {
        let unit = record["unit"].as_u64().unwrap_or_else(|| panic!("{record} stands alone\n{context}"));
        let row = &record["after"];
        let partner = lines.iter().any(|line| {
            let goes = || line["after"].is_null() && row["table_name"] == line["table"];
            let is_named = || serde_json::from_str::<Value>(row["row_name"].as_str().unwrap()).unwrap() == line["row"];
            let changes =
                || line["part"] != "record" && !line["after"].is_null() && row["child_table"] == line["table"];
            line["unit"] == unit && if row["row_name"].is_null() { changes() } else { goes() && is_named() }
        });
        assert!(partner, "{record} keeps what is not in its unit\n{context}");
    }
    for line in lines {
        assert!(!line["before"].is_object() || line["before"] != line["after"], "{line} changes nothing\n{context}");
    }
}

/// SQL that is true for an orphan `c` of these tables.
fn orphan(schema: &str, names: &[String], parent: &str) -> String {
    let (parent, keys) = parent.trim_end_matches(')').split_once('(').unwrap();
    let complete: Vec<String> = names.iter().map(|name| format!("c.{name} IS NOT NULL")).collect();
    let equal: Vec<String> =
        keys.split(',').zip(names).map(|(key, name)| format!("p.{} = +c.{name}", key.trim())).collect();
    format!(
        "{} AND NOT EXISTS (SELECT 1 FROM {schema}.{parent} AS p WHERE {})",
        complete.join(" AND "),
        equal.join(" AND ")
    )
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

/// `before` is a copy of the planned database, `after` a copy to which the plan was applied.
pub(crate) fn assert_remembers(lines: &[Value], made: &Made, before: &Path, after: &Path, context: &str) {
    let database = Connection::open(after).unwrap();
    database.execute("ATTACH ?1 AS old", [before.to_str().unwrap()]).unwrap();
    let count = |sql: &str| -> i64 {
        database.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{error}: {sql}\n{context}"))
    };
    let mut adopted: BTreeMap<String, i64> = BTreeMap::new();
    for entry in lines.iter().flat_map(|line| line["adopts"].as_array().into_iter().flatten()) {
        let rows = entry["rows"].as_str().unwrap().len() / 16;
        *adopted.entry(entry["relation"].as_str().unwrap().replace(' ', "")).or_default() +=
            i64::try_from(rows).unwrap();
    }
    for table in &made.tables {
        let name = &table.name;
        let same_row = if table.is_without_rowid() { "a.id = c.id" } else { "a.rowid = c.rowid" };
        for (names, parent, _) in &table.references {
            let relation = format!("{name}({})->{parent}", names.join(",")).replace(' ', "");
            let (was, is) = (orphan("old", names, parent), orphan("main", names, parent));
            let same_key: Vec<String> = names.iter().map(|name| format!("a.{name} IS c.{name}")).collect();
            let expected = count(&format!(
                "SELECT count(*) FROM old.{name} AS c JOIN main.{name} AS a ON {same_row} AND {} WHERE {was} AND NOT ({is})",
                same_key.join(" AND ")
            ));
            assert_eq!(adopted.get(&relation).copied().unwrap_or_default(), expected, "{relation}\n{context}");
            for line in lines.iter().filter(|line| line["table"] == *name && !line["before"].is_null()) {
                let row: Vec<String> = line["row"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(name, value)| format!("c.{name} IS {}", literal(value)))
                    .collect();
                let was_orphan =
                    count(&format!("SELECT count(*) FROM old.{name} AS c WHERE {} AND {was}", row.join(" AND "))) == 1;
                let is_same = |id: &Value| id.as_str().unwrap().replace(' ', "") == relation;
                let also = line["also"].as_array().into_iter().flatten();
                let is_reason = std::iter::once(line)
                    .chain(also)
                    .any(|reason| reason["part"] == "orphan" && is_same(&reason["relation"]));
                let is_remembered = line["orphan_of"].as_array().into_iter().flatten().any(is_same);
                assert_eq!(was_orphan, is_reason || is_remembered, "{relation}: {line}\n{context}");
                assert!(!(is_reason && is_remembered), "{relation}: {line}\n{context}");
            }
        }
    }
}

fn plan(bench: &Bench, rules: &str) -> Vec<Value> {
    bench.write("r.toml", rules);
    let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert!([0, 1].contains(&planned.code), "{}{}", planned.stdout, planned.stderr);
    plan_lines::changes(&bench.path("plan.ndjson"))
}

fn rule(id: &str, child: &str, treatment: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\nrelation.child = \"{child}\"\neven-if-parent-lost = true\n\
         limits = {{ max-rows = 10000, max-share = 1.0 }}\n[[rule.treat]]\n{treatment}\n"
    )
}

/// An orphan adopts the parent that another relation inserts for its key. A deleted row is recorded as an orphan of
/// both relations. Text stays text in the fingerprint.
#[test]
fn new_parent_lists_adopted_orphans_of_every_relation() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);\n\
         CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id), s REFERENCES p(id));\n\
         INSERT INTO c VALUES (1, 5, 5), (2, '5', 6), (3, 7, 9);",
    );
    let rules = rule("a", "c(r)", "action = \"placeholder\"\nrecord = \"made\"")
        + &rule("b", "c(s)", "action = \"quarantine\"");
    let lines = plan(&bench, &rules);
    assert_units(&lines, "");
    let five = lines.iter().find(|line| line["table"] == "p" && line["row"]["id"] == 5).unwrap();
    let adopted: Vec<(&str, usize)> = five["adopts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["relation"].as_str().unwrap(), entry["rows"].as_str().unwrap().len() / 16))
        .collect();
    assert_eq!(adopted, [("c(r)->p(id)", 1), ("c(s)->p(id)", 1)]);
    let name = |value: fk_doctor::internals::model::value::Value| {
        let number = fk_doctor::internals::model::value::Value::Integer;
        let row = vec![("id".to_owned(), number(1)), ("r".to_owned(), value)];
        format!("{:016x}", fk_doctor::internals::plan_file::fingerprint(&row.into()))
    };
    assert_eq!(five["adopts"][0]["rows"], name(fk_doctor::internals::model::value::Value::Integer(5)));
    assert_ne!(five["adopts"][0]["rows"], name(fk_doctor::internals::model::value::Value::text("5")));
    let gone = lines.iter().find(|line| line["table"] == "c" && line["row"]["id"] == 2).unwrap();
    assert_eq!(gone["orphan_of"], serde_json::json!(["c(r)->p(id)"]));
}

/// One parent may adopt more orphans than one query asks for.
#[test]
fn new_parent_lists_thousands_of_orphans() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id));\n\
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)\n\
         INSERT INTO c SELECT i, 1 + i % 2 FROM n;",
    );
    let lines = plan(&bench, &rule("a", "c(r)", "action = \"placeholder\""));
    let adopted = |place: usize| lines[place]["adopts"][0]["rows"].as_str().unwrap().len() / 16;
    assert_eq!((lines.len(), adopted(0), adopted(1)), (2, 1250, 1250));
}

/// A row that first loses its reference and then must be deleted is deleted before the row that it refers to.
#[test]
fn deleted_row_with_cleared_reference_precedes_its_parent() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);\n\
         CREATE TABLE x(id INTEGER PRIMARY KEY, r NOT NULL REFERENCES p(id));\n\
         CREATE TABLE y(id INTEGER PRIMARY KEY, x REFERENCES x(id) ON DELETE SET NULL, r NOT NULL REFERENCES p(id));\n\
         CREATE TABLE z(id INTEGER PRIMARY KEY, y REFERENCES y(id) ON DELETE CASCADE);\n\
         INSERT INTO x VALUES (1, 5); INSERT INTO y VALUES (1, 1, 6); INSERT INTO z VALUES (1, 1);",
    );
    let lines = plan(&bench, &rule("a", "*", "action = \"quarantine\""));
    assert_units(&lines, "");
    let gone: Vec<&str> =
        lines.iter().filter(|line| line["after"].is_null()).map(|line| line["table"].as_str().unwrap()).collect();
    assert_eq!(gone, ["z", "y", "x"]);
    let before = bench.dump();
    let applied = bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    assert_eq!(bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
    assert_eq!(bench.dump(), before);
}

/// A row that should get another key and then is deleted leaves no record of that key.
#[test]
fn deleted_row_leaves_no_record_of_a_remap() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE map(old, new);\n\
         CREATE TABLE c(id INTEGER PRIMARY KEY, r NOT NULL REFERENCES p(id), s NOT NULL REFERENCES p(id));\n\
         INSERT INTO p VALUES (1); INSERT INTO map VALUES (5, 1); INSERT INTO c VALUES (1, 5, 6), (2, 5, 1);",
    );
    let rules = rule("a", "c(r)", "action = \"remap\"\ntable = \"map(old -> new)\"\nrecord = \"kept\"")
        + &rule("b", "c(s)", "action = \"quarantine\"");
    let lines = plan(&bench, &rules);
    assert_units(&lines, "");
    let kept: Vec<&Value> = lines.iter().filter(|line| line["table"] == "kept").collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["after"]["child_row"], 2);
}

/// SQLite allows NULL in most primary keys. Reports and scripts name a row by its key nevertheless, unless that has a NULL.
#[test]
fn row_is_named_by_its_primary_key() {
    let seed = "CREATE TABLE p(id TEXT PRIMARY KEY); INSERT INTO p VALUES ('A'), ('B'), ('C'), ('D'); \
        CREATE TABLE c(a INTEGER, n INTEGER, r TEXT REFERENCES p(id), PRIMARY KEY (a, n)); \
        INSERT INTO c VALUES (1, 28, ' A'), (1, NULL, ' B'), (2, 5, 'C');";
    let rule = "id = \"r\"\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"remap\"\nnormalize = [\"trim\"]\n";
    let bench = Bench::new(seed);
    bench.write("r.toml", rule);
    let report = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(report.code, 0, "{}", report.stderr);
    for line in ["  a = 1, n = 28  r: ' A' → 'A'\n", "  rowid = 2      r: ' B' → 'B'\n"] {
        assert!(report.stdout.contains(line), "{line}{}", report.stdout);
    }
    let script = bench.run(&["repair", "app.db", "--rules", "r.toml", "--format", "sql"]).stdout;
    assert!(script.contains(" WHERE \"a\" = 1 AND \"n\" = 28 AND \"r\" = ' A';"), "{script}");
    assert!(script.contains(" WHERE \"rowid\" = 2 AND \"r\" = ' B';"), "{script}");
    let by_script = Bench::new(seed);
    by_script.execute(&script);
    assert_eq!(by_script.value("SELECT group_concat(r) FROM c"), "'A,B,C'");
    bench.execute("UPDATE c SET r = ' D' WHERE n = 28");
    let applied = bench.run(&["apply", "app.db", "plan.ndjson", "--skip-changed"]);
    assert_eq!(applied.code, 6, "{}", applied.stderr);
    assert!(
        applied
            .stdout
            .contains("  skipped    1 row was changed since\n             c: a = 1, n = 28  r ' A', now ' D'\n"),
        "{}",
        applied.stdout
    );
}
