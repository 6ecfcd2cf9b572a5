//! Small copies of repairs that went wrong in other programs. None of them loses a row that it should keep.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common::Bench;
use crate::common::States as _;

struct Outcome {
    bench: Bench,
    code: i32,
    report: String,
}

/// Plans with this rule and applies the decided changes.
fn repair(seed: &str, rule: &str) -> Outcome {
    let bench = Bench::new(&format!("BEGIN; {seed} COMMIT;"));
    bench.write("r.toml", rule);
    let planned = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!(planned.stderr, "");
    if bench.path("plan.ndjson").exists() {
        let applied = bench.run(&["apply", "app.db", "plan.ndjson", "--no-backup", "--leave-undecided"]);
        assert!([0, 6].contains(&applied.code), "{}{}", applied.stdout, applied.stderr);
    }
    let report = crate::common::in_one_line(&planned.stdout);
    Outcome { bench, code: planned.code, report }
}

impl Outcome {
    fn count(&self, table: &str) -> String {
        self.bench.value(&format!("SELECT count(*) FROM {table}"))
    }
}

/// civitai #3647: a cleaner deleted live rows whose relations declare SET NULL. The declared action decides; if the
/// column is NOT NULL, nothing is changed.
#[test]
fn declared_set_null_deletes_no_row() {
    let follow = "id = \"f\"\neven-if-parent-lost = true\n[relation]\nchild = \"*\"\n[limits]\nmax-share = 1.0\n[[treat]]\naction = \"follow\"\n";
    let seed = "CREATE TABLE image(id INTEGER PRIMARY KEY); \
        CREATE TABLE user(id INTEGER PRIMARY KEY, avatar INT REFERENCES image(id) ON DELETE SET NULL); \
        CREATE TABLE article(id INTEGER PRIMARY KEY, cover INT NOT NULL REFERENCES image(id) ON DELETE SET NULL); \
        CREATE TABLE comment(id INTEGER PRIMARY KEY, image INT REFERENCES image(id) ON DELETE CASCADE); \
        INSERT INTO user VALUES (1, 7), (2, 8); INSERT INTO article VALUES (1, 7); INSERT INTO comment VALUES (1, 9);";
    let outcome = repair(seed, follow);
    assert_eq!(outcome.code, 1, "{}", outcome.report);
    assert!(outcome.report.contains("follow: article(cover) may not be NULL"), "{}", outcome.report);
    assert_eq!([outcome.count("user"), outcome.count("article"), outcome.count("comment")], ["2", "1", "0"]);
    assert_eq!(outcome.count("fk_doctor_quarantine"), "1", "what CASCADE takes is kept");
}

/// hermes-agent #71803: nearly all rows were saved, but were then deleted as orphans because the small parent table was
/// lost.
#[test]
fn lost_parent_table_deletes_no_row() {
    let rows: String = (0..500).map(|i| format!("INSERT INTO message VALUES ({i}, 's{}', 'text');", i % 20)).collect();
    let seed = format!(
        "CREATE TABLE session(id TEXT PRIMARY KEY NOT NULL, title TEXT); \
         CREATE TABLE message(id INTEGER PRIMARY KEY, session TEXT NOT NULL REFERENCES session(id) ON DELETE CASCADE, body TEXT); {rows}"
    );
    for action in ["follow", "quarantine", "delete\"\nkeep = false\n#"] {
        let rule = format!(
            "id = \"c\"\n[relation]\nchild = \"*\"\n[limits]\nmax-rows = 100000\n[[treat]]\naction = \"{action}\"\n"
        );
        let outcome = repair(&seed, &rule);
        assert!(
            outcome.report.contains("distinct keys are missing from session, so nothing may be removed")
                && outcome.report.contains("perhaps session lost rows: bring them back first"),
            "{}",
            outcome.report
        );
        assert_eq!((outcome.code, outcome.count("message").as_str()), (1, "500"));
    }
    let outcome = repair(
        &seed,
        "id = \"p\"\n[relation]\nchild = \"*\"\n[[treat]]\naction = \"placeholder\"\nvalues = { title = \"[recovered {key.session}]\" }\n",
    );
    assert_eq!((outcome.code, outcome.count("message").as_str(), outcome.count("session").as_str()), (0, "500", "20"));
}

/// hermes-agent #71807: placeholders shared one UNIQUE title, so all but one were ignored, and the messages of the
/// others were deleted.
#[test]
fn placeholder_with_unique_conflict_is_not_ignored() {
    let rows: String = (0..200).map(|i| format!("INSERT INTO message VALUES ({i}, 's{}');", i % 50)).collect();
    let seed = format!(
        "CREATE TABLE session(id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL UNIQUE ON CONFLICT IGNORE); \
         CREATE TABLE message(id INTEGER PRIMARY KEY, session TEXT NOT NULL REFERENCES session(id)); {rows}"
    );
    let rule = |values: &str| {
        format!("id = \"p\"\n[relation]\nchild = \"*\"\n[[treat]]\naction = \"placeholder\"\n{values}\n")
    };
    let outcome = repair(&seed, &rule(""));
    assert_eq!((outcome.code, outcome.count("session").as_str(), outcome.count("message").as_str()), (0, "50", "200"));
    let outcome = repair(&seed, &rule("values = { title = \"recovered\" }"));
    assert!(
        outcome.report.states("49 keys, 196 rows")
            && outcome.report.contains("UNIQUE constraint failed: session.title"),
        "{}",
        outcome.report
    );
    assert_eq!((outcome.code, outcome.count("session").as_str(), outcome.count("message").as_str()), (1, "1", "200"));
}

/// sequencescape #2887: restores the keys that another source knows, keeps the old value of the rest, and makes the
/// unknown key a parent.
#[test]
fn known_keys_are_restored_and_unknown_keys_kept() {
    let seed = "CREATE TABLE study(id INTEGER PRIMARY KEY, name TEXT NOT NULL); \
        CREATE TABLE sample(id INTEGER PRIMARY KEY, study INT REFERENCES study(id)); \
        CREATE TABLE warehouse(old INT, new INT); INSERT INTO warehouse VALUES (7, 1); INSERT INTO study VALUES (1, 'a'), (2, 'b'); \
        INSERT INTO sample VALUES (1, 1), (2, 2), (3, 7), (4, 8), (5, 9);";
    let rule = "id = \"s\"\n[relation]\nchild = \"sample(study)\"\n[[treat]]\naction = \"remap\"\ntable = \"warehouse(old -> new)\"\nrecord = \"old_studies\"\n\
        [[treat]]\naction = \"sentinel\"\nkey = 0\nvalues = { name = \"Unknown study\" }\n";
    let outcome = repair(seed, rule);
    assert_eq!(outcome.code, 0, "{}", outcome.report);
    assert_eq!(outcome.bench.value("SELECT group_concat(study) FROM sample"), "'1,2,1,0,0'");
    assert_eq!(outcome.bench.value("SELECT group_concat(original_key || '->' || new_key) FROM old_studies"), "'7->1'");
    assert_eq!(outcome.bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]).code, 0);
    assert_eq!(outcome.bench.value("SELECT group_concat(study) FROM sample"), "'1,2,7,8,9'", "no old value is lost");
}

/// pgferry #13: a cleanup after a migration turned an integrity error into data loss. A repair of more than a few rows
/// is refused.
#[test]
fn mass_cleanup_is_refused() {
    let rows: String =
        (1..=1000).map(|i| format!("INSERT INTO c VALUES ({i}, {});", if i <= 60 { 5000 } else { i })).collect();
    let seed = format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); {rows} \
         INSERT INTO p SELECT id FROM c WHERE id > 60;"
    );
    for action in ["quarantine", "set-null", "delete\"\nkeep = false\n#"] {
        let outcome =
            repair(&seed, &format!("id = \"c\"\n[relation]\nchild = \"c(r)\"\n[[treat]]\naction = \"{action}\"\n"));
        assert!(
            outcome.report.contains("60 of 1,000 rows of c would be")
                && outcome.report.contains("the limit is 50 (5%, the default)"),
            "{}",
            outcome.report
        );
        assert_eq!((outcome.code, outcome.count("c WHERE r IS NOT NULL").as_str()), (5, "1000"));
    }
}
