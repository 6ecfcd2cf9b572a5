//! Every treatment on a small database: its effect on the rows, and its undo.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::plan_contents;
use crate::plan_lines;

use crate::common::States as _;
use common::Bench;
use common::Run;

/// Returns a rule for one relation.
fn rule(child: &str, treatments: &str) -> String {
    format!(
        "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"{child}\"\n[limits]\nmax-share = 1.0\n{treatments}\n"
    )
}

struct Case {
    bench: Bench,
    before: String,
}

impl Case {
    fn new(seed: &str, rule: &str) -> Case {
        let bench = Bench::new(seed);
        bench.write("r.toml", rule);
        let before = bench.dump();
        Case { bench, before }
    }

    fn plan(&self) -> Run {
        let run = self.bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
        assert_eq!(self.bench.dump(), self.before, "a dry run writes nothing");
        run
    }

    /// Plans, applies and checks the result.
    fn repair(&self) -> Run {
        let planned = self.plan();
        assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{}", planned.stdout);
        let applied = self.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
        assert_eq!(self.bench.scan().1["summary"]["orphan_rows"], 0);
        applied
    }

    fn undo(&self) {
        let undone = self.bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
        assert_eq!(self.bench.dump(), self.before);
    }

    /// Checks that nothing is decided, for this reason.
    fn undecided(&self, why: &str) {
        let planned = self.plan();
        assert_eq!(planned.code, 1, "{}{}", planned.stdout, planned.stderr);
        let text = common::in_one_line(&planned.stdout);
        assert!(text.contains(why), "{text}");
        let refused = self.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]);
        assert_eq!(refused.code, 5, "{}", refused.stdout);
        assert_eq!(self.bench.dump(), self.before);
    }

    /// Checks that the rule itself is faulty.
    fn faulty(&self, message: &str) {
        let planned = self.plan();
        assert_eq!(planned.code, 2, "{}{}", planned.stdout, planned.stderr);
        assert!(planned.stderr.contains(message) && planned.stderr.contains("--> r.toml:"), "{}", planned.stderr);
    }
}

const SIMPLE: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id) ON DELETE SET NULL); \
    INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 1), (2, 7), (3, 7), (4, NULL);";

#[test]
fn set_null_clears_the_reference() {
    let case = Case::new(SIMPLE, &rule("c(r)", "[[treat]]\naction = \"set-null\""));
    case.repair();
    assert_eq!(case.bench.value("SELECT group_concat(coalesce(r, 'null')) FROM c"), "'1,null,null,null'");
    case.undo();
    let not_null = SIMPLE.replace("r INTEGER", "r INTEGER NOT NULL").replace(", (4, NULL)", "");
    Case::new(&not_null, &rule("c(r)", "[[treat]]\naction = \"set-null\"")).undecided("c(r) may not be NULL");
}

#[test]
fn set_null_of_composite_key_spares_shared_columns() {
    let seed = "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE p(a INT, b INT, PRIMARY KEY(a, b)); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, a INT REFERENCES t(id), b INT, FOREIGN KEY(a, b) REFERENCES p(a, b)); \
        INSERT INTO t VALUES (1); INSERT INTO c VALUES (1, 1, 5);";
    let case = Case::new(seed, &rule("c(a, b)", "[[treat]]\naction = \"set-null\""));
    case.repair();
    assert_eq!(case.bench.value("SELECT a || ' ' || coalesce(b, 'null') FROM c"), "'1 null'");
    case.undo();
}

#[test]
fn set_default_without_parent_is_undecided() {
    let seed = SIMPLE.replace("r INTEGER", "r INTEGER DEFAULT 2");
    let case = Case::new(&seed, &rule("c(r)", "[[treat]]\naction = \"set-default\""));
    case.repair();
    assert_eq!(case.bench.value("SELECT group_concat(coalesce(r, 'null')) FROM c"), "'1,2,2,null'");
    case.undo();
    let without = SIMPLE.replace("r INTEGER", "r INTEGER DEFAULT 9");
    Case::new(&without, &rule("c(r)", "[[treat]]\naction = \"set-default\""))
        .undecided("p has no row with the DEFAULT key 9");
}

#[test]
fn follow_applies_the_declared_on_delete() {
    let case = Case::new(SIMPLE, &rule("c(r)", "[[treat]]\naction = \"follow\""));
    case.repair();
    assert_eq!(case.bench.value("SELECT count(*) FROM c WHERE r IS NULL"), "3");
    case.undo();
    let cascade = SIMPLE.replace("SET NULL", "CASCADE");
    let case = Case::new(&cascade, &rule("c(r)", "[[treat]]\naction = \"follow\""));
    case.repair();
    assert_eq!(case.bench.value("SELECT count(*) FROM c"), "2");
    assert_eq!(case.bench.value("SELECT count(*) FROM fk_doctor_quarantine"), "2");
    case.undo();
    let none = SIMPLE.replace("ON DELETE SET NULL", "");
    Case::new(&none, &rule("c(r)", "[[treat]]\naction = \"follow\""))
        .undecided("ON DELETE is NO ACTION, which says nothing about a repair");
}

/// All dependants of a row are deleted with it, each by its own policy, and never by an unplanned cascade.
#[test]
fn quarantine_table_keeps_row_and_dependants() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); \
        CREATE TABLE a(code TEXT PRIMARY KEY NOT NULL, r INT REFERENCES p(id), data BLOB); \
        CREATE TABLE b(x TEXT, y INT, a TEXT NOT NULL REFERENCES a(code), PRIMARY KEY(x, y)) WITHOUT ROWID; \
        CREATE TABLE d(id INTEGER PRIMARY KEY, bx TEXT, by INT, FOREIGN KEY(bx, by) REFERENCES b(x, y) ON DELETE SET NULL); \
        CREATE TABLE me(id INTEGER PRIMARY KEY, boss INT REFERENCES me(id), a TEXT REFERENCES a(code)); \
        INSERT INTO p VALUES (1); INSERT INTO a VALUES ('k', 1, x'00ff'), ('l', 9, x'01'), ('m', 1, NULL); \
        INSERT INTO b VALUES ('u', 1, 'l'), ('v', 2, 'k'), ('w', 3, 'l'); \
        INSERT INTO d VALUES (1, 'u', 1), (2, 'v', 2), (3, 'w', 3); INSERT INTO me VALUES (1, 1, 'l'), (2, 1, 'k'), (3, 3, 'm');";
    let case = Case::new(seed, &rule("a(r)", "[[treat]]\naction = \"quarantine\""));
    case.repair();
    let left = |table: &str, column: &str| case.bench.value(&format!("SELECT group_concat({column}) FROM {table}"));
    assert_eq!(left("a", "code"), "'k,m'");
    assert_eq!(left("b", "x"), "'v'");
    assert_eq!(left("d", "coalesce(bx, 'null')"), "'null,v,null'");
    assert_eq!(left("me", "id"), "'3'", "the boss goes, and whoever it is the boss of");
    assert_eq!(left("fk_doctor_quarantine", "table_name"), "'a,b,b,me,me'");
    assert_eq!(
        case.bench
            .value("SELECT json_extract(row, '$.data.blob_hex') FROM fk_doctor_quarantine WHERE table_name = 'a'"),
        "'01'"
    );
    case.undo();
}

/// The same closure in a file, which is written before the rows are deleted and never replaces another file.
#[test]
fn quarantine_file_keeps_row_and_dependants() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), pad); \
        CREATE TABLE d(k TEXT PRIMARY KEY, c INT REFERENCES c(id)); \
        CREATE TABLE e(d TEXT REFERENCES d(k) ON DELETE SET NULL); \
        INSERT INTO c VALUES (1, 1, 1), (2, 7, x'00ff'), (3, 7, 0.5); \
        INSERT INTO d VALUES ('a', 1), ('b', 2), ('b\n', 2); INSERT INTO e VALUES ('b'), ('a');";
    let rule = |file: &str| rule("c(r)", &format!("[[treat]]\naction = \"quarantine\"\nfile = \"{file}\""));
    let case = Case::new(seed, &rule("gone.ndjson"));
    let planned = case.bench.run(&["repair", "app.db", "--rules", "r.toml", "--format", "json"]);
    let report = serde_json::from_str(&planned.stdout).unwrap();
    common::assert_obeys("repair", &report);
    assert_eq!(report["files"], serde_json::json!([{ "file": "gone.ndjson", "rows": 4 }]));
    assert!(case.plan().stdout.contains("keeps    4 removed rows in gone.ndjson, next to the plan"));
    let apply = || case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]);
    let there = || std::fs::read_to_string(case.bench.path("gone.ndjson"));
    assert!(there().is_err(), "nothing is kept before anything goes");

    // Another file is not changed.
    case.bench.write("gone.ndjson", "mine");
    let refused = apply();
    assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("could not keep rows in gone.ndjson"), "{}", refused.stderr);
    assert_eq!((there().unwrap().as_str(), case.bench.dump()), ("mine", case.before.clone()));
    std::fs::remove_file(case.bench.path("gone.ndjson")).unwrap();

    // A rollback leaves no file.
    case.bench.execute("INSERT INTO c VALUES (9, 99, NULL)");
    assert_eq!(apply().code, 5);
    assert!(there().is_err());
    case.bench.execute("DELETE FROM c WHERE id = 9");

    let applied = apply();
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    assert!(applied.stdout.contains("deleted rows are in gone.ndjson"), "{}", applied.stdout);
    let kept = there().unwrap();
    let plan = plan_lines::changes(&case.bench.path("plan.ndjson"));
    let gone: Vec<&serde_json::Value> = plan.iter().filter(|line| line["kept"] == "gone.ndjson").collect();
    let kept_lines: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept_lines.iter().collect::<Vec<_>>(), gone, "the changes of the plan");
    assert_eq!(gone.len(), 4);
    assert!(kept.contains(r#""pad":{"blob_hex":"00ff"}"#) && kept.contains(r#""k":"b\n""#), "{kept}");
    assert_eq!(
        case.bench.value("SELECT (SELECT count(*) FROM c) || (SELECT count(*) FROM d) || (SELECT count(d) FROM e)"),
        "'111'"
    );

    // After undo and another apply the file is the same. Another plan must not replace it.
    case.undo();
    assert_eq!((apply().code, there().unwrap()), (0, kept.clone()));
    case.undo();
    let again = case.bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "other.ndjson"]);
    assert_eq!((again.code, there().unwrap()), (5, kept), "{}", again.stderr);
    assert!(!case.bench.path("other.ndjson").exists());

    for (file, why) in
        [("../gone", "written beside the plan"), ("/tmp/gone", "written beside"), ("", "the name of a file")]
    {
        Case::new(seed, &rule(file)).faulty(why);
    }
    for file in ["app.db", "app.db-wal"] {
        let slip = Case::new(seed, &rule(file)).plan();
        assert_eq!(slip.code, 2, "{file}: {}", slip.stderr);
        assert!(slip.stderr.contains("this is the database itself"), "{file}: {}", slip.stderr);
    }
    Case::new(seed, &rule("x\"\ntable = \"y")).faulty("`table` already says where the rows are kept");
}

#[test]
fn delete_without_keep_can_be_undone() {
    let seed = SIMPLE.replace("INTEGER PRIMARY KEY, r", "TEXT, r");
    let case = Case::new(&seed, &rule("c(r)", "[[treat]]\naction = \"delete\"\nkeep = false"));
    assert!(case.plan().stdout.states("2 orphan rows and all dependent rows are deleted; only the plan keeps them"));
    std::fs::remove_file(case.bench.path("plan.ndjson")).unwrap();
    case.repair();
    assert_eq!(case.bench.value("SELECT count(*) FROM c"), "2");
    assert_eq!(case.bench.value("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'fk_doctor_q%'"), "0");
    case.undo();
}

#[test]
fn sentinel_is_shared_by_all_orphans() {
    let seed = SIMPLE
        .replace("name TEXT", "name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL CHECK (kind IN ('x', 'y')) DEFAULT 'x'")
        .replace("(1, 'a'), (2, 'b')", "(1, 'a', 'x')")
        + "INSERT INTO c VALUES (5, 8);";
    let case =
        Case::new(&seed, &rule("c(r)", "[[treat]]\naction = \"sentinel\"\nkey = -1\nvalues = { name = \"unknown\" }"));
    case.repair();
    assert_eq!(case.bench.value("SELECT group_concat(coalesce(r, 'null')) FROM c"), "'1,-1,-1,null,-1'");
    assert_eq!(case.bench.value("SELECT id || name || kind FROM p WHERE id < 0"), "'-1unknownx'");
    case.undo();
}

#[test]
fn report_action_leaves_orphans_and_lists_them() {
    let case = Case::new(SIMPLE, &rule("c(r)", "[[treat]]\naction = \"report\""));
    let planned = case.plan();
    assert_eq!(planned.code, 0, "{}", planned.stdout);
    assert!(planned.stdout.states("! app.db: none of 2 orphan rows would be repaired"), "{}", planned.stdout);
    assert_eq!(case.bench.run(&["apply", "app.db", "plan.ndjson"]).code, 6, "applied, and not clean");
    assert_eq!(case.bench.dump(), case.before);
}

#[test]
fn remap_by_query_table_or_file_finds_the_parent() {
    let seed = SIMPLE.to_owned() + "CREATE TABLE map(old INT, new INT); INSERT INTO map VALUES (7, 2), (8, 1), (8, 2);";
    let ways = [
        "to = \"SELECT id FROM p WHERE name = 'b'\"",
        "to = \"SELECT new FROM map WHERE old = key.r\"",
        "to = \"SELECT id FROM p WHERE id = child.id - 1 + (child.id = 3) * 0\"\nrecord = \"kept\"",
        "table = \"map(old -> new)\"",
        "map = \"map.csv\"",
    ];
    for (place, way) in ways.iter().enumerate() {
        let case = Case::new(&seed, &rule("c(r)", &format!("[[treat]]\naction = \"remap\"\n{way}")));
        case.bench.write("map.csv", "old,new\n7,2\n8,1\n");
        case.repair();
        let expected = if place == 2 { "'1,1,2,null'" } else { "'1,2,2,null'" };
        assert_eq!(case.bench.value("SELECT group_concat(coalesce(r, 'null')) FROM c"), expected, "{way}");
        if place == 2 {
            assert_eq!(
                case.bench.value("SELECT group_concat(child_row || ':' || original_key || '->' || new_key) FROM kept"),
                "'2:7->1,3:7->2'"
            );
        }
        case.undo();
    }
    let case = |way: &str, seed: &str| Case::new(seed, &rule("c(r)", &format!("[[treat]]\naction = \"remap\"\n{way}")));
    case("to = \"SELECT id FROM p WHERE id > 5\"", &seed).undecided("remap: the query returns no key");
    case("to = \"SELECT id FROM p\"", &seed).undecided("remap: the query returns several rows");
    case("to = \"SELECT 99\"", &seed).undecided("remap: the new key is not in p");
    case("table = \"map(old -> new)\"", &(seed.clone() + "UPDATE c SET r = 8 WHERE r = 7"))
        .undecided("remap: map has several");
    case("to = \"SELECT nope FROM p\"", &seed).faulty("this does not compile: no such column: nope");
    case("to = \"SELECT id, name FROM p\"", &seed).faulty("this does not compile");
    case("table = \"mapp(old -> new)\"", &seed).faulty("there is no table mapp");
    case("table = \"map(old -> neu)\"", &seed).faulty("map has no column neu");
    case("via = \"map(odl)\"\nto = \"SELECT 1\"", &seed).faulty("did you mean old?");
    case("map = \"nope.csv\"", &seed).faulty("nope.csv");
}

#[test]
fn remap_of_composite_key_changes_all_columns() {
    let seed = "CREATE TABLE p(a INTEGER, b TEXT COLLATE NOCASE, PRIMARY KEY(a, b)); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, a INT, b TEXT, FOREIGN KEY(a, b) REFERENCES p(a, b)); \
        CREATE TABLE map(a, b, x, y); INSERT INTO map VALUES (7, 'u', 1, 'One'), (8, 'v', 2, 'two'); \
        INSERT INTO p VALUES (1, 'one'), (2, 'two'); \
        INSERT INTO c VALUES (1, 1, 'ONE'), (2, 7, 'u'), (3, 8, 'v'), (4, 7, 'u'), (5, 7, NULL);";
    let case = |way: &str| Case::new(seed, &rule("c(a,b)", &format!("[[treat]]\naction = \"remap\"\n{way}")));
    for way in [
        "to = \"SELECT x, y FROM map WHERE map.a = key.a AND map.b = key.b\"\nrecord = \"kept\"",
        "to = \"SELECT a, b FROM p WHERE p.a = via.x\"\nvia = \"map(a, b)\"",
        "to = \"VALUES (key.a - 6, CASE key.b WHEN 'u' THEN 'one' ELSE 'two' END)\"",
        "table = \"map(a, b -> x, y)\"",
        "map = \"map.csv\"",
    ] {
        let case = case(way);
        case.bench.write("map.csv", "old_a,old_b,a,b\n7,u,1,ONE\n8,v,2,two\n");
        case.repair();
        // The key has the form that it has in the parent.
        let expected = "'1-ONE,1-one,2-two,1-one,7-null'";
        assert_eq!(case.bench.value("SELECT group_concat(a || '-' || coalesce(b, 'null')) FROM c"), expected, "{way}");
        if way.contains("record") {
            assert_eq!(
                case.bench.value("SELECT count(DISTINCT original_key) || max(new_key) FROM kept"),
                "'2(2, ''two'')'"
            );
        }
        case.undo();
    }
    case("to = \"SELECT 1, NULL\"").undecided("remap: the query returns no key");
    case("to = \"SELECT a, b FROM p\"").undecided("remap: the query returns several rows");
    case("to = \"SELECT a, 'x' FROM p WHERE a = 1\"").undecided("remap: the new key is not in p");
    case("to = \"SELECT 1\"").faulty("has 1 values for 2 columns");
    case("to = \"SELECT 1, 2, 3\"").faulty("has 3 values for 2 columns");
    case("table = \"map(a -> x)\"").faulty("the key of c(a,b)->p(a,b) has 2 columns");
    case("normalize = [\"trim\"]").faulty("`normalize` works only for keys of one column");
    let short = case("map = \"map.csv\"");
    short.bench.write("map.csv", "old,new\n7,1\n");
    short.faulty("must have 4 columns");
}

/// Rows that would collide in a UNIQUE constraint are never lost: they stay, or are quarantined if the rule says so.
#[test]
fn remap_with_unique_conflict_keeps_or_quarantines_the_row() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE map(old INT, new INT); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, who TEXT, r INT REFERENCES p(id), UNIQUE(who, r) ON CONFLICT REPLACE); \
        INSERT INTO p VALUES (1); INSERT INTO map VALUES (7, 1), (8, 1); \
        INSERT INTO c VALUES (1, 'x', 1), (2, 'x', 7), (3, 'y', 7), (4, 'y', 8), (5, 'z', 8);";
    let remap = "[[treat]]\naction = \"remap\"\ntable = \"map(old -> new)\"\n";
    let case = Case::new(seed, &rule("c(r)", remap));
    case.undecided("UNIQUE constraint failed");
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--leave-undecided", "--no-backup"]);
    assert_eq!(applied.code, 6, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(case.bench.value("SELECT group_concat(id || who || r) FROM c"), "'1x1,2x7,3y1,4y8,5z1'");
    case.undo();
    let case = Case::new(seed, &rule("c(r)", &format!("{remap}on-conflict = \"quarantine\"")));
    case.repair();
    assert_eq!(case.bench.value("SELECT group_concat(id || who || r) FROM c"), "'1x1,3y1,5z1'");
    assert_eq!(case.bench.value("SELECT count(*) FROM fk_doctor_quarantine"), "2");
    case.undo();
}

/// Every column that needs a value gets one: a given value, its DEFAULT, or a neutral and unique value.
#[test]
fn placeholder_fills_every_required_column() {
    let seed = "CREATE TABLE kind(id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL UNIQUE); \
        CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, slug TEXT NOT NULL UNIQUE, n INT NOT NULL, at DATETIME NOT NULL, \
            flag BOOLEAN NOT NULL DEFAULT 1, kind INT NOT NULL REFERENCES kind(id), up INT REFERENCES p(id), \
            twice INT AS (n * 2) STORED, CHECK (n >= 0)) STRICT; \
        CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); \
        INSERT INTO kind VALUES (3, 'k'); INSERT INTO c VALUES (1, 40), (2, 41), (3, 40);"
        .replace("at DATETIME", "at TEXT")
        .replace("flag BOOLEAN", "flag INT");
    let case = Case::new(&seed, &rule("c(r)", "[[treat]]\naction = \"placeholder\"\nrecord = \"made\""));
    case.repair();
    assert_eq!(case.bench.value("SELECT count(*) FROM kind"), "2", "one sentinel for both");
    assert_eq!(
        case.bench.value("SELECT group_concat(id || slug || n || flag || kind, ' ') FROM p"),
        "'40placeholder-40014 41placeholder-41014'"
    );
    assert_eq!(case.bench.value("SELECT seq FROM sqlite_sequence WHERE name = 'p'"), "41");
    assert_eq!(case.bench.value("SELECT group_concat(new_key) FROM made"), "'40,41'");
    case.undo();
    let given = |values: &str| {
        Case::new(&seed, &rule("c(r)", &format!("[[treat]]\naction = \"placeholder\"\nvalues = {{ {values} }}")))
    };
    given("n = -1").undecided("placeholder: CHECK constraint failed: n >= 0");
    given("n = \"x\"").undecided("placeholder: cannot store TEXT value in INT column p.n");
    given("slug = \"same\"").undecided("UNIQUE constraint failed: p.slug");
    given("kind = 77").undecided("p(kind)->kind(id) would have no parent");
    given("sulg = 1").faulty("did you mean slug?");
    given("slug = { sql = \"via.x\" }").faulty("this does not compile: no such column: via.x");
    let case = given(
        "slug = \"s{key.r}/{child.id}\", kind = { sql = \"(SELECT max(id) FROM kind)\" }, up = { sql = \"key.id\" }",
    );
    case.repair();
    assert_eq!(case.bench.value("SELECT group_concat(slug || kind || up, ' ') FROM p"), "'s40/1340 s41/2341'");
    case.undo();
}

#[test]
fn placeholder_in_a_cycle_of_required_parents_is_decided() {
    let seed = "CREATE TABLE a(id INTEGER PRIMARY KEY, b INT NOT NULL REFERENCES b(id)); \
        CREATE TABLE b(id INTEGER PRIMARY KEY, d INT NOT NULL REFERENCES d(id)); \
        CREATE TABLE d(id INTEGER PRIMARY KEY, a INT NOT NULL REFERENCES a(id), self INT NOT NULL REFERENCES d(id)); \
        CREATE TABLE c(r INT REFERENCES a(id)); INSERT INTO c VALUES (5), (6), (7);";
    let case = Case::new(seed, &rule("c(r)", "[[treat]]\naction = \"placeholder\""));
    case.repair();
    assert_eq!(
        case.bench.value("SELECT (SELECT count(*) FROM a) || (SELECT count(*) FROM b) || (SELECT count(*) FROM d)"),
        "'411'"
    );
    case.undo();
}

/// A new key is not used by any row, and no other orphan refers to it.
#[test]
fn new_placeholder_key_is_unused() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); CREATE TABLE e(r INT REFERENCES p(id)); \
        INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES (1, 50), (2, 51); INSERT INTO e VALUES (90);";
    let case = Case::new(seed, &rule("c(r)", "[[treat]]\naction = \"placeholder\"\nkey = \"new\""));
    let planned = case.plan();
    assert_eq!(planned.code, 0, "{}", planned.stdout);
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]);
    assert_eq!(applied.code, 6, "the other relation still has its orphan: {}", applied.stderr);
    assert_eq!(case.bench.value("SELECT group_concat(r) FROM c"), "'91,92'");
    case.undo();
}

/// Keys can be reals, and texts among numbers.
#[test]
fn new_placeholder_key_is_above_reals_and_texts() {
    let seed = "CREATE TABLE p(id NUMERIC PRIMARY KEY, name TEXT); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, r NUMERIC REFERENCES p(id)); \
        INSERT INTO p VALUES (1, 'a'), ('x', 'b'); INSERT INTO c VALUES (1, 2), (2, 7.5), (3, 'x');";
    let case = Case::new(seed, &rule("c(r)", "[[treat]]\naction = \"placeholder\"\nkey = \"new\""));
    let planned = case.plan();
    assert_eq!(planned.code, 0, "{}", planned.stdout);
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    assert_eq!(case.bench.value("SELECT group_concat(r) FROM c"), "'9,10,x'");
    case.undo();
}

#[test]
fn several_rules_for_one_row_make_one_change() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE q(id INTEGER PRIMARY KEY); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), s INT REFERENCES q(id), t INT REFERENCES q(id)); \
        INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 7, 8, 9), (2, 1, 8, NULL);";
    let rules = "[[rule]]\nid = \"one\"\nrelation.child = \"c(r)\"\nlimits.max-share = 1.0\n[[rule.treat]]\naction = \"remap\"\nto = \"SELECT 1\"\n\
        [[rule]]\nid = \"two\"\nrelation.child = \"c(s)\"\n[[rule.treat]]\naction = \"placeholder\"\n\
        [[rule]]\nid = \"three\"\neven-if-parent-lost = true\nrelation.child = \"c(t)\"\nlimits.max-share = 1.0\n[[rule.treat]]\naction = \"set-null\"\n";
    let case = Case::new(seed, rules);
    case.repair();
    assert_eq!(
        case.bench.value("SELECT group_concat(id || r || s || coalesce(t, 'null'), ' ') FROM c"),
        "'118null 218null'"
    );
    let plan = plan_lines::changes(&case.bench.path("plan.ndjson"));
    assert_eq!(plan.iter().filter(|line| line["table"] == "c").count(), 1, "{plan:?}");
    case.undo();
    let twice = "[[rule]]\nid = \"one\"\nrelation.child = \"c(r)\"\n[[rule.treat]]\naction = \"report\"\n";
    let fight = format!("{twice}{}", twice.replace("one", "two"));
    Case::new(seed, &fight).faulty("`one` already treats c(r)->p(id)");
    Case::new(seed, &rule("c(x)", "[[treat]]\naction = \"report\"")).faulty("the database has no relation c(x)");
}

/// A repair that would remove more than allowed is refused as a whole, and nothing is written.
/// A sentinel may have the missing key. Its row is inserted, and the rows with that key need no change.
#[test]
fn sentinel_with_the_missing_key_is_made() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);\n\
                CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id));\n\
                INSERT INTO c VALUES (1, 0), (2, 7), (3, '0');";
    let rule = "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"sentinel\"\nkey = 0\n";
    let case = Case::new(seed, rule);
    let planned = case.plan();
    assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
    let lines = plan_lines::changes(&case.bench.path("plan.ndjson"));
    plan_contents::assert_units(&lines, "");
    let rows: Vec<String> = lines.iter().map(|line| format!("{} {}", line["table"], line["row"]["id"])).collect();
    assert_eq!(rows, ["\"p\" 0", "\"c\" 2"]);
    for batch in ["1", "9"] {
        let run = |verb: &str| case.bench.run(&[verb, "app.db", "plan.ndjson", "--no-backup", "--batch", batch]);
        let applied = run("apply");
        assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
        let undone = run("undo");
        assert_eq!(undone.code, 0, "{}{}", undone.stdout, undone.stderr);
        assert_eq!(case.bench.dump(), case.before);
    }
}

/// One sentinel serves more keys than one query asks for, and several relations.
/// Row 6 depends on row 2 and must be deleted. It cannot be a sentinel, and is deleted.
#[test]
fn sentinel_key_of_a_deleted_row_is_undecided() {
    let seed = "CREATE TABLE d(id INTEGER PRIMARY KEY); \
        CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES d(id), up INTEGER REFERENCES c(id)); \
        INSERT INTO c VALUES (2, 9, NULL), (6, NULL, 2), (7, NULL, 3);";
    let rules = [("a", "c(r)", "action = \"quarantine\""), ("b", "c(up)", "action = \"follow\"\n[[rule.treat]]\naction = \"sentinel\"\nkey = 6")].map(
        |(id, child, treat)| {
            format!(
                "[[rule]]\nid = \"{id}\"\neven-if-parent-lost = true\nrelation.child = \"{child}\"\nlimits.max-share = 1.0\n\
                 [[rule.treat]]\n{treat}\n"
            )
        },
    );
    let case = Case::new(seed, &rules.concat());
    let planned = case.plan();
    assert_eq!(planned.code, 1, "{}{}", planned.stdout, planned.stderr);
    assert!(planned.stdout.contains("removes  2 rows of c"), "{}", planned.stdout);
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
    assert_eq!(applied.code, 6, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(case.bench.value("SELECT sum(id) FROM c"), "7");
    case.undo();
}

/// A user's table has the name of fk-doctor's table, or the rule names it by mistake.
#[test]
fn quarantine_table_of_another_shape_is_refused() {
    for (table, treatments) in [
        ("fk_doctor_quarantine", "[[treat]]\naction = \"quarantine\""),
        ("notes", "[[treat]]\naction = \"quarantine\"\ntable = \"notes\""),
        ("notes", "[[treat]]\naction = \"remap\"\nto = \"SELECT 1\"\nrecord = \"notes\""),
    ] {
        let case = Case::new(&format!("{SIMPLE} CREATE TABLE {table}(x);"), &rule("c(r)", treatments));
        let planned = case.plan();
        assert_eq!(planned.code, 5, "{}{}", planned.stdout, planned.stderr);
        let text = common::in_one_line(&planned.stdout);
        assert!(text.contains(&format!("the rows cannot be kept in {table}: it has no column")), "{text}");
        assert!(!case.bench.path("plan.ndjson").exists());
    }
}

/// Row 3 is deleted for its own missing key before row 4 is pointed at it.
#[test]
fn remap_to_a_deleted_row_is_undecided() {
    let seed = "CREATE TABLE d(id TEXT PRIMARY KEY, r TEXT REFERENCES d(id) ON DELETE CASCADE); \
        INSERT INTO d VALUES ('k3 ', 'k1'), ('k4', 'k3'), ('k5', 'k5');";
    let treatments = "[[treat]]\naction = \"remap\"\nnormalize = [\"trim\"]\n[[treat]]\naction = \"follow\"";
    let case = Case::new(seed, &rule("d(r)", treatments));
    let planned = case.plan();
    assert_eq!(planned.code, 1, "{}{}", planned.stdout, planned.stderr);
    assert!(planned.stdout.contains("another change of this plan deletes its new parent"), "{}", planned.stdout);
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
    assert_eq!(applied.code, 6, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(case.bench.value("SELECT count(*) FROM d WHERE id <> 'k3 '"), "2");
    case.undo();
}

#[test]
fn sentinel_serves_many_keys_and_relations() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);\n\
                CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id), s REFERENCES p(id));\n\
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO c SELECT i, i, -i FROM n;";
    let rule = "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"c(*)\"\n[[treat]]\naction = \"sentinel\"\nkey = 450\n";
    let case = Case::new(seed, rule);
    let planned = case.plan();
    assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
    let lines = plan_lines::changes(&case.bench.path("plan.ndjson"));
    assert_eq!(lines.iter().filter(|line| line["table"] == "p").count(), 1);
    assert_eq!(case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
    assert_eq!(case.bench.value("SELECT count(*) FROM c WHERE r = 450 AND s = 450"), "900");
    assert_eq!(case.bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
    assert_eq!(case.bench.dump(), case.before);
}

/// A key that other rows refer to stays, even if only another change of the plan refers to it.
#[test]
fn key_with_children_is_not_remapped() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE map(old, new); \
                CREATE TABLE c(id INTEGER PRIMARY KEY REFERENCES p(id)); CREATE TABLE g(id INTEGER PRIMARY KEY, c REFERENCES c(id));\
                INSERT INTO p VALUES (1), (2); INSERT INTO map VALUES (7, 1), (8, 2), (9, 8); INSERT INTO c VALUES (7), (8);";
    let remap = "[[rule.treat]]\naction = \"remap\"\ntable = \"map(old -> new)\"\n";
    let rule = |id: &str, child: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\neven-if-parent-lost = true\nrelation.child = \"{child}\"\nlimits.max-share = 1.0\n{remap}"
        )
    };
    let case = Case::new(&format!("{seed}INSERT INTO g VALUES (1, 7);"), &rule("r", "c(id)"));
    let planned = case.plan();
    let text = common::in_one_line(&planned.stdout);
    assert!(planned.code == 1 && text.contains("g(c)->c(id) refers to the old key of the row"), "{text}");
    // `g` is first pointed at row 8 of `c`, which then keeps its key.
    let case = Case::new(&format!("{seed}INSERT INTO g VALUES (1, 9);"), &(rule("a", "g(c)") + &rule("b", "c(id)")));
    let planned = case.plan();
    assert!([0, 1].contains(&planned.code), "{}", planned.stderr);
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
    assert!([0, 6].contains(&applied.code), "{}{}", planned.stdout, applied.stderr);
    assert_eq!(case.bench.value("SELECT count(*) FROM g WHERE c NOT IN (SELECT id FROM c)"), "0", "{}", planned.stdout);
    case.undo();
}

/// A placeholder whose key is the missing key changes no row either.
#[test]
fn placeholder_whose_new_key_is_the_missing_key_changes_no_child() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);\n\
                CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id));\n\
                INSERT INTO c VALUES (1, 5), (2, 6);";
    let rule = "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"placeholder\"\nkey = \"new\"\n\
                [treat.values]\nid = { sql = \"CASE key.r WHEN 5 THEN 5 ELSE 60 END\" }\n";
    let case = Case::new(seed, rule);
    let planned = case.plan();
    assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
    let lines = plan_lines::changes(&case.bench.path("plan.ndjson"));
    let changed: Vec<&serde_json::Value> =
        lines.iter().filter(|line| line["table"] == "c").map(|line| &line["row"]["id"]).collect();
    assert_eq!(changed, [2]);
    assert_eq!(case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
    assert_eq!(case.bench.scan().1["summary"]["orphan_rows"], 0);
    case.undo();
}

/// Names of knowledge bases are compared literally: `_` and `%` are no wildcards.
#[test]
fn name_with_wildcard_characters_is_compared_literally() {
    let bench = Bench::new(
        "CREATE TABLE knowledge_base(id INTEGER PRIMARY KEY, name TEXT NOT NULL, source_type TEXT, source_config TEXT, rag_type TEXT, rag_config TEXT);\n\
         CREATE TABLE multi_source_knowledge_base(id INTEGER PRIMARY KEY, name TEXT NOT NULL, rag_type TEXT, rag_config TEXT);\n\
         CREATE TABLE sync_run(id INTEGER PRIMARY KEY, knowledge_base_id INTEGER NOT NULL REFERENCES knowledge_base(id));\n\
         INSERT INTO knowledge_base(id, name) VALUES (1, 'aXb_trap'), (2, 'a_b_real'), (3, '100 other'), (4, '100 other_x'), (5, 'AB_c');\n\
         INSERT INTO multi_source_knowledge_base(id, name) VALUES (21, 'a_b'), (22, '100%'), (23, 'ab');\n\
         INSERT INTO sync_run VALUES (1, 21), (2, 22), (3, 23), (4, 22), (5, 1), (6, 1), (7, 1);",
    );
    let planned = bench.run(&["repair", "app.db", "--rules", "multi-source-sync", "-o", "plan.ndjson"]);
    assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
    let lines = plan_lines::changes(&bench.path("plan.ndjson"));
    plan_contents::assert_units(&lines, "");
    assert_eq!(bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
    let name = |run: u8| {
        bench.value(&format!(
            "SELECT k.name FROM sync_run AS s JOIN knowledge_base AS k ON k.id = s.knowledge_base_id WHERE s.id = {run}"
        ))
    };
    assert_eq!([1, 2, 3, 4].map(name), ["'a_b_real'", "'100%_placeholder'", "'ab_placeholder'", "'100%_placeholder'"]);
    // Both keys of every row whose key was changed, in either direction.
    let kept = bench.value(
        "SELECT group_concat(child_row || ':' || original_key || '->' || new_key, ' ' ORDER BY child_row) FROM kb_id_map WHERE child_table = 'sync_run'",
    );
    let now = bench.value("SELECT group_concat(s.id || ':' || CASE id WHEN 1 THEN 21 WHEN 3 THEN 23 ELSE 22 END || '->' || knowledge_base_id, ' ' ORDER BY id) FROM sync_run AS s WHERE id < 5");
    assert_eq!(kept, now);
    assert_eq!(bench.value("SELECT count(*) FROM kb_id_map"), "4");
}

/// A key that the parent's table cannot store is undecided. The others are decided.
#[test]
fn key_of_wrong_type_is_undecided() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);\n\
                CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id));\n\
                INSERT INTO c VALUES (1, 'abc'), (2, 5), (3, x'00');";
    let case = Case::new(seed, &rule("c(r)", "[[treat]]\naction = \"placeholder\""));
    let planned = case.plan();
    let text = common::in_one_line(&planned.stdout);
    assert!(
        planned.code == 1 && text.contains("such as r = 'abc' because placeholder: datatype mismatch"),
        "{text}{}",
        planned.stderr
    );
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
    assert_eq!(
        (applied.code, case.bench.value("SELECT group_concat(id) FROM p").as_str()),
        (6, "'5'"),
        "{}",
        applied.stderr
    );
    case.undo();
    // For a sentinel, the same is a fault of the rule.
    let sentinel = |key: &str| rule("c(r)", &format!("[[treat]]\naction = \"sentinel\"\nkey = {key}"));
    Case::new(seed, &sentinel("\"abc\"")).faulty("the key 'abc' cannot be a value of p(id)");
    Case::new(seed, &sentinel("1.5")).faulty("the key 1.5 cannot be a value of p(id)");
    Case::new(seed, &sentinel("\"7\"")).repair();
}

/// A rule's SQL that fails for one key does not affect the others.
#[test]
fn rule_sql_failing_for_one_key_leaves_others_decided() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE old(id INTEGER PRIMARY KEY, cfg TEXT);\n\
                CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id));\n\
                INSERT INTO old SELECT value, CASE value WHEN 5 THEN '{' ELSE '{\"n\": \"x\"}' END FROM json_each('[1,2,3,4,5,6,7]');\n\
                INSERT INTO c SELECT id, id FROM old;";
    let wish = "[[treat]]\naction = \"placeholder\"\nvia = \"old(id)\"\nvalues = { name = { sql = \"json_extract(via.cfg, '$.n')\" } }";
    let case = Case::new(seed, &rule("c(r)", wish));
    let planned = case.plan();
    let text = common::in_one_line(&planned.stdout);
    let why = "1 key, 1 row: r = 5 because placeholder: the SQL of the rule fails: malformed JSON";
    assert!(planned.code == 1 && text.contains(why), "{text}{}", planned.stderr);
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
    assert_eq!((applied.code, case.bench.value("SELECT count(*) FROM p").as_str()), (6, "6"), "{}", applied.stderr);
    case.undo();
}

/// A row that is too long for a plan is undecided, and so is a row with such a dependant.
#[test]
fn row_too_long_for_a_plan_is_undecided() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY);\n\
                CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id), body);\n\
                CREATE TABLE d(id INTEGER PRIMARY KEY, c REFERENCES c(id), body);\n\
                INSERT INTO c VALUES (1, 5, zeroblob(10000001)), (2, 5, 'short'), (3, 6, zeroblob(6000000)), (4, 7, NULL);\n\
                INSERT INTO d VALUES (1, 4, CAST(zeroblob(11000000) AS TEXT));";
    for action in ["action = \"set-null\"", "action = \"quarantine\"", "action = \"delete\"\nkeep = false"] {
        let case = Case::new(seed, &rule("c(r)", &format!("[[treat]]\n{action}")));
        let planned = case.plan();
        let text = common::in_one_line(&planned.stdout);
        assert!(planned.code == 1 && text.contains("longer than 10 MB together"), "{text}{}", planned.stderr);
        let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
        assert_eq!(applied.code, 6, "{}", applied.stderr);
        let left = case.bench.value("SELECT group_concat(id) FROM c WHERE r IS NOT NULL");
        assert_eq!(left, if action.contains("set-null") { "'1,3'" } else { "'1,3,4'" }, "{action}");
        case.undo();
    }
}

/// A plan already knows if a unique index over an expression, or over a part of the rows, accepts a row.
#[test]
fn unique_index_conflict_is_decided_while_planning() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'one'), (2, 'Two');\n\
                CREATE UNIQUE INDEX p_name ON p(lower(name));\n\
                CREATE TABLE map(old, new); INSERT INTO map VALUES (7, 1), (8, 2);\n\
                CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id), gone INT, who TEXT);\n\
                CREATE UNIQUE INDEX c_live ON c(who COLLATE NOCASE, r DESC) WHERE gone IS NULL;\n\
                INSERT INTO c VALUES (1, 1, NULL, 'a'), (2, 7, NULL, 'A'), (3, 7, 1, 'a'), (4, 7, NULL, 'b'), (5, 8, NULL, 'a');";
    let remap = "[[treat]]\naction = \"remap\"\ntable = \"map(old -> new)\"";
    let case = Case::new(seed, &rule("c(r)", remap));
    let planned = case.plan();
    let text = common::in_one_line(&planned.stdout);
    assert!(text.states("1 row: r = 7 because remap: UNIQUE constraint failed: index c_live of c"), "{text}");
    let applied = case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
    assert_eq!(applied.code, 6, "{}", applied.stderr);
    assert_eq!(case.bench.value("SELECT group_concat(r) FROM c"), "'1,7,1,1,2'");
    case.undo();
    let conflict = format!("{remap}\non-conflict = \"quarantine\"");
    let case = Case::new(seed, &rule("c(r)", &conflict));
    case.repair();
    assert_eq!(case.bench.value("SELECT group_concat(id) FROM c"), "'1,3,4,5'");
    case.undo();
    let placeholder =
        |name: &str| rule("c(r)", &format!("[[treat]]\naction = \"placeholder\"\nvalues = {{ name = \"{name}\" }}"));
    Case::new(seed, &placeholder("TWO")).undecided("UNIQUE constraint failed: index p_name of p");
    Case::new(seed, &placeholder("{key.r}")).repair();
}

#[test]
fn plan_over_limit_or_guard_is_refused() {
    let many: String = (0..40)
        .map(|i| format!("INSERT INTO p VALUES ({}, 'x'); INSERT INTO c VALUES ({}, {});", 100 + i, 100 + i, 100 + i))
        .collect();
    let seed = format!("{SIMPLE}{many}");
    let plain = |treat: &str| format!("id = \"r\"\n[relation]\nchild = \"c(r)\"\n{treat}");
    let set_null = "[[treat]]\naction = \"set-null\"\n";
    Case::new(&seed, &plain(set_null)).repair();
    let refused = |seed: &str, rule: &str, why: &str| {
        let case = Case::new(seed, rule);
        let planned = case.plan();
        let text = common::in_one_line(&planned.stdout);
        assert!(planned.code == 5 && text.contains(why), "{}: {text}{}", planned.code, planned.stderr);
        assert!(!case.bench.path("plan.ndjson").exists());
        assert_eq!(case.bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply"]).code, 5);
        assert_eq!(case.bench.dump(), case.before);
    };
    let more = "INSERT INTO c(r) VALUES (8), (8);";
    refused(
        &format!("{seed}{more}"),
        &plain(set_null),
        "4 of 46 rows of c would be cleared, and the limit is 2 (5%, the default)",
    );
    refused(
        &seed,
        &plain(&format!("[limits]\nmax-rows = 1\n{set_null}")),
        "2 rows would be cleared, and the limit is 1 (max-rows)",
    );
    // The omitted key keeps its default.
    refused(
        &format!("{seed}{more}"),
        &plain(&format!("[limits]\nmax-rows = 5000\n{set_null}")),
        "4 of 46 rows of c would be cleared, and the limit is 2 (5%",
    );
    let placeholder = "[limits]\nmax-rows = 1\n[[treat]]\naction = \"placeholder\"\n";
    refused(&seed, &plain(placeholder), "would be changed, and the limit is 1 (max-rows)");
    let lost = format!("{SIMPLE}DELETE FROM p;");
    let limits = "[limits]\nmax-share = 1.0\n";
    Case::new(&lost, &plain(&format!("{limits}{set_null}"))).undecided(
        "help perhaps p lost rows: bring them back first, or leave these rows as they are: --leave-undecided",
    );
    // Every key has its parent, in another spelling: no loss is claimed, and nothing may go.
    let padded = "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(r TEXT REFERENCES p(k));
        INSERT INTO p VALUES ('a'), ('b'); INSERT INTO c VALUES (' a'), (' b');";
    Case::new(padded, &plain(&format!("{limits}{set_null}"))).undecided(
        "because set-null: 2 of 2 distinct keys are missing from p, so nothing may be removed or blanked; \
         `even-if-parent-lost = true` overrules this help trimming the keys finds a parent for all 2 rows: \
         fk-doctor rules suggest app.db > app.rules.toml",
    );
    Case::new(&lost, &plain(&format!("{limits}{set_null}[[treat]]\naction = \"placeholder\"\n"))).repair();
}

/// A sentinel whose row the plan deletes does not restore that row.
#[test]
fn sentinel_on_a_deleted_row_does_not_restore_it() {
    let seed = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE a(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); \
        CREATE TABLE b(id INTEGER PRIMARY KEY, r INT REFERENCES a(id)); \
        INSERT INTO p VALUES (1), (2); INSERT INTO a VALUES (1, 1), (2, 2), (4, 99); INSERT INTO b VALUES (1, 1), (2, 2), (3, 5);";
    let rules = "[[rule]]\nid = \"a\"\nrelation.child = \"a(r)\"\nlimits.max-share = 1.0\n[[rule.treat]]\naction = \"remap\"\nto = \"SELECT NULL\"\n[[rule.treat]]\naction = \"delete\"\nkeep = false\n\
        [[rule]]\nid = \"b\"\nrelation.child = \"b(r)\"\nlimits.max-share = 1.0\n[[rule.treat]]\naction = \"sentinel\"\nkey = 4\n";
    let case = Case::new(seed, rules);
    assert_eq!(case.plan().code, 1);
    assert_eq!(case.bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]).code, 6);
    assert_eq!(case.bench.value("SELECT group_concat(id) FROM a"), "'1,2'");
    case.undo();
}

#[test]
fn remap_to_ambiguous_parent_is_undecided() {
    let seed = "CREATE TABLE p(k INT); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT); \
                INSERT INTO p VALUES (2), (2), (3); INSERT INTO c VALUES (1, 7), (2, 3);";
    let remap = |key: &str| rule("c(r)", &format!("[[treat]]\naction = \"remap\"\nto = \"SELECT {key}\""));
    let configured =
        |case: &Case| case.bench.write("fk-doctor.toml", "[[relation]]\nchild = \"c(r)\"\nparent = \"p(k)\"\n");
    let once = Case::new(seed, &remap("3"));
    configured(&once);
    assert_eq!(once.plan().code, 0);
    let twice = Case::new(seed, &remap("2"));
    configured(&twice);
    twice.undecided("the new key is not in p");
}

/// The scan calls the key of such a parent missing, and yet no other row can have it.
#[test]
fn parent_that_counts_as_deleted_gets_no_placeholder() {
    let case = Case::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT, deleted_at TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER);
         INSERT INTO p VALUES (1, 'a', NULL), (2, 'b', '2026-01-01'); INSERT INTO c VALUES (1, 1), (2, 2)",
        &rule("c(r)", "[[treat]]\naction = \"placeholder\""),
    );
    case.bench.write(
        "fk-doctor.toml",
        "[[relation]]\nchild = \"c(r)\"\nparent = \"p(id)\"\nsoft-deleted = \"parent.deleted_at IS NOT NULL\"\n",
    );
    case.undecided("placeholder: UNIQUE constraint failed: p(id)");
}
