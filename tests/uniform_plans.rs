//! A plan that reads whole rows in the order of the table has the same changes as one that rehearses every row.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::plan_lines;

use common::Bench;
use fastrand::Rng;
use serde_json::Value;

/// `KEY` stands for the columns of the new key.
const ACTIONS: [&str; 7] = [
    "action = \"set-null\"",
    "action = \"quarantine\"",
    "action = \"quarantine\"\nfile = \"gone.ndjson\"",
    "action = \"delete\"\nkeep = false",
    "action = \"remap\"\nto = \"SELECT KEY\"",
    "action = \"remap\"\nto = \"SELECT KEY WHERE key.KEYCOLUMN > 7\"\n[[rule.treat]]\naction = \"set-null\"",
    "action = \"placeholder\"",
];

/// Tables of all kinds without a condition. With `check`, each child has a CHECK that is always true, which takes the
/// other path.
fn seed(random: &mut Rng, check: bool) -> String {
    let check = if check { ", CHECK (1)" } else { "" };
    let mut sql =
        "CREATE TABLE p(id INTEGER PRIMARY KEY, a, b, UNIQUE (a, b)); INSERT INTO p VALUES (1, 1, 1);\n".to_owned();
    let shapes = [
        format!("(id INTEGER PRIMARY KEY, r REFERENCES p(id), v{check})"),
        format!("(id TEXT NOT NULL, r INT REFERENCES p(id), v TEXT, n NUMERIC, PRIMARY KEY (id){check}) WITHOUT ROWID"),
        format!("(r INTEGER REFERENCES p(id), v INTEGER, n REAL{check})"),
        format!("(id TEXT PRIMARY KEY, x, y, v, FOREIGN KEY (x, y) REFERENCES p(a, b){check})"),
        format!("(id INTEGER PRIMARY KEY, r INT REFERENCES p(id) UNIQUE, v{check})"),
        format!("(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), s INT REFERENCES p(id), v AS (r + 1){check})"),
    ];
    for (number, shape) in shapes.iter().enumerate() {
        sql.push_str(&format!("CREATE TABLE c{number}{shape};\n"));
        for row in 0..random.usize(0..40) {
            let key =
                |random: &mut Rng| random.choice(["NULL", "1", "7", "'8'", "9", "7.5", "x'07'"]).unwrap().to_owned();
            let value = random.choice(["NULL", "'a'", "'12x'", "x'00'", "-0.0", "1e300", "'é\n'", "5", "2.5"]).unwrap();
            let unique = format!("{}{row}", random.choice(["1", "9", "-"]).unwrap());
            sql.push_str(&match number {
                0 => format!("INSERT INTO c0 VALUES ({row}, {}, {value});\n", key(random)),
                1 => format!("INSERT INTO c1 VALUES ('k{row}', {}, {value}, {value});\n", key(random)),
                2 => format!("INSERT INTO c2 VALUES ({}, {value}, {value});\n", key(random)),
                3 => format!("INSERT INTO c3 VALUES ('k{row}', {}, {}, {value});\n", key(random), key(random)),
                4 => format!("INSERT INTO c4 VALUES ({row}, {unique}, {value});\n"),
                _ => format!("INSERT INTO c5 VALUES ({row}, {}, {});\n", key(random), key(random)),
            });
        }
    }
    sql
}

fn rules(random: &mut Rng) -> String {
    let rule = |number: usize, child: &str, random: &mut Rng| {
        let (key, first) = if number == 3 {
            ("1, 1", "x")
        } else {
            ("1", child.trim_end_matches(')').split('(').nth(1).unwrap_or_default())
        };
        let action = random.choice(ACTIONS).unwrap().replace("gone", &format!("gone{number}"));
        let action = action.replace("KEYCOLUMN", first).replace("KEY", key);
        format!(
            "[[rule]]\nid = \"r{number}\"\nrelation.child = \"{child}\"\neven-if-parent-lost = true\n\
             limits = {{ max-rows = 10000, max-share = 1.0 }}\n[[rule.treat]]\n{action}\n"
        )
    };
    let children = ["c0(r)", "c1(r)", "c2(r)", "c3(x,y)", "c4(r)", "c5(r)", "c5(s)"];
    children.iter().enumerate().map(|(number, child)| rule(number, child, random)).collect()
}

/// Returns the changes without the numbers of units and records, which depend on the order.
fn contents(bench: &Bench) -> Vec<String> {
    let without_number = |mut change: Value| {
        let facts = change.as_object_mut().unwrap();
        facts.remove("unit");
        if facts["part"] == "record" {
            facts.remove("row");
            facts["after"].as_object_mut().unwrap().remove("id");
        }
        change.to_string()
    };
    let mut changes: Vec<String> =
        plan_lines::changes(&bench.path("plan.ndjson")).into_iter().map(without_number).collect();
    changes.sort();
    changes
}

#[test]
fn uniform_plan_has_the_changes_of_a_rehearsed_plan() {
    let cases: u64 = std::env::var("FK_DOCTOR_CASES").map_or(12, |cases| cases.parse().unwrap());
    let mut changes = 0;
    for case in 0..cases {
        let plans = [false, true].map(|check| {
            let mut random = Rng::with_seed(case);
            let sql = seed(&mut random, check);
            let bench = Bench::new(&sql);
            bench.write("r.toml", &rules(&mut random));
            let context = format!("case {case}\n{sql}\n{}", std::fs::read_to_string(bench.path("r.toml")).unwrap());
            let before = bench.dump();
            let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
            assert!([0, 1].contains(&run.code), "{context}\n{}{}", run.stdout, run.stderr);
            let contents = contents(&bench);
            let applied =
                bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided", "--batch", "7"]);
            assert!([0, 6].contains(&applied.code), "{context}\n{}{}", applied.stdout, applied.stderr);
            let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
            assert_eq!(undone.code, 0, "{context}\n{}", undone.stderr);
            assert_eq!(bench.dump(), before, "{context}");
            (contents, context)
        });
        assert_eq!(plans[0].0, plans[1].0, "{}", plans[0].1);
        changes += plans[0].0.len();
    }
    assert!(changes > 300, "{changes} changes are too few");
}

/// The changes of a relation come in the order of its table.
#[test]
fn changes_of_a_relation_come_in_the_order_of_the_table() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id));\n\
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO c SELECT i, 1000 - i % 37 FROM n;",
    );
    // A remap decides each key, in the order of the keys.
    let remaps = ["SELECT 1", "SELECT 1 + 0 * key.r"].map(|to| format!("action = \"remap\"\nto = \"{to}\""));
    for action in ACTIONS[..4].iter().map(ToString::to_string).chain(remaps) {
        bench.write(
            "r.toml",
            &format!("id = \"r\"\neven-if-parent-lost = true\nlimits = {{ max-rows = 1000, max-share = 1.0 }}\n[relation]\nchild = \"c(r)\"\n[[treat]]\n{action}\n"),
        );
        let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson", "--overwrite"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        let changes = plan_lines::changes(&bench.path("plan.ndjson"));
        let rows: Vec<i64> = changes
            .iter()
            .filter(|change| change["table"] == "c")
            .map(|change| change["row"]["id"].as_i64().unwrap())
            .collect();
        assert_eq!(rows, (1..=900).collect::<Vec<i64>>(), "{action}");
    }
}

/// A rule whose first treatment is forbidden decides each key by the next one.
#[test]
fn guarded_treatment_falls_through_for_every_key() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r REFERENCES p(id));\n\
         INSERT INTO c VALUES (1, 5), (2, 6), (3, 6);",
    );
    bench.write(
        "r.toml",
        "id = \"r\"\nlimits = { max-rows = 1000, max-share = 1.0 }\n[relation]\nchild = \"c(r)\"\n\
         [[treat]]\naction = \"set-null\"\n[[treat]]\naction = \"placeholder\"\n",
    );
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let made: Vec<Value> =
        plan_lines::changes(&bench.path("plan.ndjson")).into_iter().map(|change| change["row"]["id"].clone()).collect();
    assert_eq!(made, [5, 6]);
}
