//! More rows than fit into one chunk of keys or names (400), one set of changes, or one batch.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::time::Duration;
use std::time::Instant;

use common::Bench;
use common::Run;

/// The number of orphans, two with each missing key.
const MANY: u32 = 2_500;

/// Every fourth orphan has a dependant.
fn seed() -> String {
    format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id), note TEXT);
         CREATE TABLE d(id INTEGER PRIMARY KEY, c INTEGER NOT NULL REFERENCES c(id) ON DELETE CASCADE);
         CREATE TABLE moved(old INTEGER PRIMARY KEY, new INTEGER);
         INSERT INTO p VALUES (1, 'a'), (2, 'b');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
         INSERT INTO c SELECT i, 1000 + (i + i % 2) / 2, 'note ' || i FROM n;
         INSERT INTO d SELECT id, id FROM c WHERE id % 4 = 0;
         INSERT INTO moved SELECT DISTINCT r, 1 + r % 2 FROM c;"
    )
}

fn rule(treatment: &str) -> String {
    format!(
        "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"c(r)\"\nlimits = {{ max-rows = 100000, max-share = 1.0 }}\n\
         [[treat]]\n{treatment}\n"
    )
}

fn planned(seed: &str, rules: &str) -> Bench {
    let bench = Bench::new(seed);
    bench.write("r.toml", rules);
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{rules}\n{}", run.stdout);
    bench
}

/// Applies or undoes a plan.
fn run(bench: &Bench, command: &str, plan: &str, options: &[&str], code: i32) -> Run {
    let run = bench.run(&[&[command, "app.db", plan, "--no-backup"], options].concat());
    assert_eq!(run.code, code, "{command} {options:?}\n{}{}", run.stdout, run.stderr);
    run
}

/// Returns the number of batches in the record of plans.
fn batches(bench: &Bench) -> u32 {
    bench.value("SELECT count(*) FROM fk_doctor_state WHERE number > 0").parse().unwrap()
}

const TREATMENTS: [&str; 6] = [
    "action = \"set-null\"",
    "action = \"remap\"\ntable = \"moved(old -> new)\"\nrecord = \"kept_keys\"",
    "action = \"remap\"\ntable = \"moved(old -> new)\"",
    "action = \"placeholder\"",
    "action = \"placeholder\"\nkey = \"new\"",
    "action = \"quarantine\"",
];

#[test]
fn every_action_repairs_many_rows_in_batches() {
    for treatment in TREATMENTS {
        let bench = planned(&seed(), &rule(treatment));
        let before = bench.dump();
        run(&bench, "apply", "plan.ndjson", &["--batch", "1500"], 0);
        assert!(batches(&bench) >= 1, "{treatment}");
        assert_eq!(bench.scan().0, 0, "{treatment}");
        let after = bench.dump();
        run(&bench, "apply", "plan.ndjson", &["--batch", "1500"], 0);
        assert_eq!(bench.dump(), after, "{treatment}: applying twice changes nothing");
        run(&bench, "undo", "plan.ndjson", &["--batch", "700"], 0);
        assert_eq!(bench.dump(), before, "{treatment}");
    }
}

/// The scan proves all orphans by their pages, except one whose key is no integer: then the engine lists them. The changes of
/// the other rows are the same.
#[test]
fn plan_of_proven_orphans_equals_the_plan_of_listed_orphans() {
    let odd_row = 999_999;
    // A fresh key depends on the odd key, and a row that is removed does not come from the list.
    for treatment in &TREATMENTS[..4] {
        let changes = |seed: &str| {
            let bench = Bench::new(seed);
            bench.write("r.toml", &rule(treatment));
            let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
            assert!([0, 1].contains(&run.code), "{treatment}: {}", run.stderr);
            let mut changes = crate::plan_lines::changes(&bench.path("plan.ndjson"));
            changes.retain(|change| !change.to_string().contains(&odd_row.to_string()));
            changes
        };
        let proven = changes(&seed());
        let listed = changes(&format!("{} INSERT INTO c VALUES ({odd_row}, 4e15 + 0.5, NULL)", seed()));
        assert!(proven.len() >= MANY as usize / 2, "{treatment}: {}", proven.len());
        assert_eq!(proven, listed, "{treatment}");
    }
}

/// One row of the second batch was changed. The plan is refused whole, or all other rows are repaired.
#[test]
fn changed_row_of_a_later_batch_is_refused_or_skipped() {
    for treatment in TREATMENTS
        .iter()
        .filter(|treatment| !treatment.contains("placeholder\"\n") && !treatment.ends_with("placeholder\""))
    {
        let bench = planned(&seed(), &rule(treatment));
        bench.execute("UPDATE c SET note = 'changed' WHERE id = 2399");
        let before = bench.dump();
        run(&bench, "apply", "plan.ndjson", &["--batch", "1500"], 5);
        assert_eq!(bench.dump(), before, "{treatment}: a refused plan changes nothing");
        run(&bench, "apply", "plan.ndjson", &["--batch", "1500", "--skip-changed"], 6);
        assert_eq!(bench.value("SELECT group_concat(id) FROM c WHERE r > 1000"), "'2399'", "{treatment}");
        run(&bench, "undo", "plan.ndjson", &["--batch", "700"], 0);
        assert_eq!(bench.dump(), before, "{treatment}");
    }
}

/// Some of the parents of each chunk cannot be created. All others are, as if each had been tried by itself.
#[test]
fn refused_placeholder_leaves_the_other_parents_of_its_chunk() {
    let seed = seed()
        .replace("name TEXT UNIQUE)", "name TEXT UNIQUE, CHECK (id % 100 <> 7))")
        .replace("(2, 'b');", "(2, 'b'), (3, 'placeholder-1500');");
    let bench = Bench::new(&seed);
    bench.write("r.toml", &rule("action = \"placeholder\"\nvalues = { name = \"placeholder-{key.r}\" }"));
    let before = bench.dump();
    let planning = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!((planning.code, planning.stderr.as_str()), (1, ""), "{}", planning.stdout);
    run(&bench, "apply", "plan.ndjson", &["--leave-undecided", "--batch", "300"], 6);
    let keys = "SELECT count(DISTINCT r) FROM c WHERE r";
    assert_eq!(bench.value(&format!("{keys} NOT IN (SELECT id FROM p) AND (r % 100 = 7 OR r = 1500)")), "14");
    assert_eq!(bench.value(&format!("{keys} NOT IN (SELECT id FROM p)")), "14", "all other parents were created");
    assert_eq!(bench.value("SELECT count(*) FROM p WHERE name = 'placeholder-' || id"), (MANY / 2 - 14).to_string());
    run(&bench, "undo", "plan.ndjson", &[], 0);
    assert_eq!(bench.dump(), before);
}

/// New parents of one chunk refer to each other's table, and to their own.
#[test]
fn placeholders_with_references_of_their_own_are_created_together() {
    let seed = format!(
        "CREATE TABLE owner(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE p(id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES owner(id), up INTEGER REFERENCES p(id));
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id), note TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
         INSERT INTO c SELECT i, 1000 + (i + i % 2) / 2, 'note ' || i FROM n;"
    );
    for (values, own) in [
        ("", 0),
        ("values = { up = { sql = \"key.r\" } }", MANY / 2),
        ("values = { up = { sql = \"max(key.r - 1, 1001)\" } }", MANY / 2),
    ] {
        let bench = planned(&seed, &rule(&format!("action = \"placeholder\"\n{values}")));
        let before = bench.dump();
        run(&bench, "apply", "plan.ndjson", &["--batch", "300"], 0);
        assert_eq!(bench.scan().0, 0, "{values}");
        assert_eq!(bench.value("SELECT count(*) FROM owner"), "1", "{values}: parents share the row that they require");
        assert_eq!(bench.value("SELECT count(up) FROM p"), own.to_string(), "{values}");
        run(&bench, "undo", "plan.ndjson", &["--batch", "300"], 0);
        assert_eq!(bench.dump(), before, "{values}");
    }
}

#[test]
fn many_quarantined_rows_come_back_in_batches() {
    let bench = planned(&seed(), &rule("action = \"quarantine\""));
    let complete =
        [bench.value("SELECT group_concat(id || note) FROM c"), bench.value("SELECT group_concat(c) FROM d")];
    run(&bench, "apply", "plan.ndjson", &[], 0);
    bench.execute("INSERT INTO p SELECT DISTINCT old, NULL FROM moved WHERE old <> 1700");
    let before = bench.dump();
    let planning = bench.run(&["restore", "app.db", "-o", "back.ndjson"]);
    assert_eq!((planning.code, planning.stderr.as_str()), (0, ""), "{}", planning.stdout);
    assert!(
        planning.stdout.starts_with("! app.db: 3,122 of 3,125 quarantined rows could come back, 3 could not"),
        "{}",
        planning.stdout
    );
    run(&bench, "apply", "back.ndjson", &["--batch", "1500"], 0);
    assert!(batches(&bench) > 1);
    assert_eq!(bench.value("SELECT count(*) FROM fk_doctor_quarantine"), "3");
    assert_eq!(bench.scan().0, 0);
    run(&bench, "undo", "back.ndjson", &["--batch", "700"], 0);
    assert_eq!(bench.dump(), before);
    bench.execute("INSERT INTO p VALUES (1700, NULL)");
    let restored = bench.run(&["restore", "app.db", "--apply", "--no-backup", "--batch", "500"]);
    assert_eq!(restored.code, 0, "{}{}", restored.stdout, restored.stderr);
    let restored =
        [bench.value("SELECT group_concat(id || note) FROM c"), bench.value("SELECT group_concat(c) FROM d")];
    assert_eq!(restored, complete);
}

#[test]
fn many_twins_are_merged_in_batches() {
    let seed = format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, email TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id), note TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
         INSERT INTO p SELECT i, 'e' || (i % 800) FROM n;
         INSERT INTO c SELECT id, {MANY} + 1 - id, 'note ' || id FROM p;"
    );
    let rules = "id = \"merge\"\nrelation = { parent = \"p(id)\" }\nlimits = { max-rows = 100000, max-share = 1.0 }\n\
        [[treat]]\naction = \"repoint\"\nsame = [\"email\"]\n";
    let bench = planned(&seed, rules);
    let before = bench.dump();
    run(&bench, "apply", "plan.ndjson", &["--batch", "1500"], 0);
    assert!(batches(&bench) > 1);
    assert_eq!(bench.value("SELECT count(*) || ' ' || max(id) FROM p"), "'800 800'");
    assert_eq!(
        bench.value(&format!("SELECT count(*) FROM c WHERE (r - 1) % 800 = ({MANY} - id) % 800")),
        MANY.to_string()
    );
    assert_eq!(bench.value("SELECT count(*) FROM fk_doctor_quarantine"), (MANY - 800).to_string());
    let after = bench.dump();
    run(&bench, "apply", "plan.ndjson", &["--batch", "1500"], 0);
    assert_eq!(bench.dump(), after, "applying twice changes nothing");
    run(&bench, "undo", "plan.ndjson", &["--batch", "700"], 0);
    assert_eq!(bench.dump(), before);
}

/// No index finds the children of a twin, so that those of many twins are checked at once.
#[test]
fn twin_with_a_new_child_stays_among_many() {
    let seed = format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, email TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id));
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
         INSERT INTO p SELECT i, 'e' || (i % 800) FROM n;
         INSERT INTO c SELECT id, {MANY} + 1 - id FROM p;"
    );
    let rules = "id = \"merge\"\nrelation = { parent = \"p(id)\" }\nlimits = { max-rows = 100000, max-share = 1.0 }\n\
        [[treat]]\naction = \"repoint\"\nsame = [\"email\"]\n";
    let bench = planned(&seed, rules);
    bench.execute(&format!("INSERT INTO c VALUES ({MANY} + 1, {MANY})"));
    let before = bench.dump();
    run(&bench, "apply", "plan.ndjson", &[], 5);
    assert!(bench.dump() == before, "refused, and nothing changed");
    run(&bench, "apply", "plan.ndjson", &["--batch", "600", "--skip-changed"], 6);
    assert_eq!(bench.scan().0, 0);
    assert_eq!(bench.value("SELECT count(*) || ' ' || max(id) FROM p"), format!("'801 {MANY}'"));
    assert_eq!(bench.value("SELECT count(*) || ' ' || min(id) FROM c WHERE r > 800"), format!("'1 {}'", MANY + 1));
    run(&bench, "undo", "plan.ndjson", &["--batch", "600"], 0);
    assert!(bench.dump() == before, "undone");
}

/// Twins refer to each other in a chain, a twin has more children than are read at a time, and another has longer ones.
#[test]
fn chain_of_twins_with_many_and_long_children_is_merged() {
    let (children, long) = (12_000, 20);
    let seed = format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, email TEXT, up INTEGER REFERENCES p(id));
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER NOT NULL REFERENCES p(id));
         CREATE TABLE \"d \"\"';--\"(id INTEGER PRIMARY KEY, \"r \"\"' of\" INTEGER REFERENCES p(id), content TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
         INSERT INTO p SELECT i, 'e' || (i % 800), nullif(i - 1, 0) FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {children})
         INSERT INTO c SELECT i, iif(i % 50, 850, 1 + i % {MANY}) FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {long})
         INSERT INTO \"d \"\"';--\" SELECT i, 900 + i % 2, hex(zeroblob(450000)) || i FROM n;"
    );
    let rules = "id = \"merge\"\nrelation = { parent = \"p(id)\" }\nlimits = { max-rows = 100000, max-share = 1.0 }\n\
        [[treat]]\naction = \"repoint\"\nsame = [\"email\"]\n";
    let bench = planned(&seed, rules);
    let before = bench.dump();
    let is_merged = |table: &str, key: &str, parent: &str| {
        let other = bench.value(&format!("SELECT count(*) FROM {table} WHERE {key} <> ({parent} - 1) % 800 + 1"));
        assert_eq!(other, "0", "{table}");
    };
    run(&bench, "apply", "plan.ndjson", &["--batch", "1500"], 0);
    assert_eq!(bench.scan().0, 0);
    assert_eq!(bench.value("SELECT count(*) || ' ' || max(id) FROM p"), "'800 800'");
    is_merged("p", "coalesce(up, 1)", "max(id - 1, 1)");
    is_merged("c", "r", &format!("iif(id % 50, 850, 1 + id % {MANY})"));
    is_merged("\"d \"\"';--\"", "\"r \"\"' of\"", "(900 + id % 2)");
    run(&bench, "undo", "plan.ndjson", &["--batch", "700"], 0);
    assert_eq!(bench.dump(), before);
}

#[test]
fn batch_by_time_makes_several_transactions() {
    let bench = planned(&seed(), &rule("action = \"quarantine\""));
    let before = bench.dump();
    run(&bench, "apply", "plan.ndjson", &["--batch", "1ms"], 0);
    assert!(batches(&bench) > 2, "{}", batches(&bench));
    assert_eq!(bench.scan().0, 0);
    run(&bench, "undo", "plan.ndjson", &["--batch", "20ms"], 0);
    assert_eq!(bench.dump(), before);
}

#[test]
fn pause_follows_every_batch_but_the_last() {
    let bench = planned(&seed(), &rule("action = \"set-null\""));
    let start = Instant::now();
    run(&bench, "apply", "plan.ndjson", &["--batch", "500", "--pause", "150ms"], 0);
    assert_eq!(batches(&bench), MANY / 500);
    assert!(start.elapsed() >= Duration::from_millis(4 * 150), "{:?}", start.elapsed());
}

#[test]
fn lag_of_replicas_is_refused_where_there_are_none() {
    let bench = planned(&seed(), &rule("action = \"set-null\""));
    let before = bench.dump();
    let refused = run(&bench, "apply", "plan.ndjson", &["--batch", "500", "--max-lag", "5s"], 5);
    assert!(refused.stderr.contains("--max-lag waits for replicas, and SQLite has none"), "{}", refused.stderr);
    assert!(refused.stderr.contains("help: nothing was changed: leave --max-lag out"), "{}", refused.stderr);
    for options in [&["--pause", "20ms"][..], &["--max-lag", "5s"], &["--batch", "9", "--replica", "mysql://db2/shop"]]
    {
        run(&bench, "apply", "plan.ndjson", options, 2);
    }
    assert_eq!(bench.dump(), before);
}
