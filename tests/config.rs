//! Faults of a configuration are told all at once, each with its place; what it asks for is done.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;

const SEED: &str = "CREATE TABLE region(id INTEGER PRIMARY KEY);
CREATE TABLE line(id INTEGER PRIMARY KEY, shop INTEGER);
INSERT INTO region VALUES (1); INSERT INTO line VALUES (1, 1), (2, 9), (3, 0);";

fn scan_with(config: &str) -> common::Run {
    let bench = Bench::new(SEED);
    std::fs::write(bench.path("fk-doctor.toml"), config).unwrap();
    bench.run(&["scan", "app.db"])
}

#[test]
fn faults_of_the_text_are_told_at_once() {
    let run = scan_with(
        "exclud = [\"a*\"]\n[scan]\njobs = 0\nfail-on = \"eror\"\n[[relation]]\nchild = \"line(shop\"\nparent = \"region(id)\"\n",
    );
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    let expected = "\
error: unknown key `exclud`
 --> fk-doctor.toml:1:1
  |
1 | exclud = [\"a*\"]
  | ^^^^^^
  |
  = help: did you mean `exclude`? known keys: exclude, scan, relation, redact, severity, threshold

error: `jobs`: expected a whole number from 1 to 1024, found `0`
 --> fk-doctor.toml:3:8
  |
3 | jobs = 0
  |        ^

error: `fail-on`: `eror` is not valid: expected error, warning, note or never
 --> fk-doctor.toml:4:11
  |
4 | fail-on = \"eror\"
  |           ^^^^^^

error: `child`: `line(shop` is not of the form `table(column, …)`
 --> fk-doctor.toml:6:9
  |
6 | child = \"line(shop\"
  |         ^^^^^^^^^^^
  |
";
    assert!(run.stderr.starts_with(expected), "{}", run.stderr);
    assert!(run.stderr.ends_with("4 faults in fk-doctor.toml\n"), "{}", run.stderr);
}

#[test]
fn faults_against_the_database_point_at_the_text() {
    let run = scan_with("[[relation]]\nchild = \"line(shp)\"\nparent = \"regin(id)\"\n");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("line has no column shp"), "{}", run.stderr);
    assert!(run.stderr.contains("did you mean region?"), "{}", run.stderr);
    let run = scan_with("[[relation]]\nchild = \"line(shop)\"\nparent = \"region(id)\"\nwhere = \"child.nope = 1\"\n");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no such column: child.nope\n --> fk-doctor.toml:4:9"), "{}", run.stderr);
}

#[test]
fn a_relation_is_scanned_with_its_ignored_values() {
    let run = scan_with("[[relation]]\nchild = \"line(shop)\"\nparent = \"region(id)\"\nignore-values = [0]\n");
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("1 row of line refers to 1 key"), "{}", run.stdout);
}

#[test]
fn a_given_configuration_must_be_there() {
    let run = Bench::new(SEED).run(&["scan", "app.db", "--config", "other.toml"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("other.toml"), "{}", run.stderr);
}
