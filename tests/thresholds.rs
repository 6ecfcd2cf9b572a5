//! The effect of the configuration on findings: thresholds for the orphans of a relation, and severities of codes.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use crate::common::States as _;
use common::Bench;
use common::Run;

const SEED: &str = "
CREATE TABLE p(id INTEGER PRIMARY KEY);
CREATE TABLE log(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
INSERT INTO p VALUES (1);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO log SELECT i, CASE WHEN i <= 10 THEN 100 + i / 2 ELSE 1 END FROM n;
";

fn with(config: &str, more: &[&str]) -> Run {
    let bench = Bench::new(SEED);
    std::fs::write(bench.path("fk-doctor.toml"), config).unwrap();
    bench.run(&[&["scan", "app.db"], more].concat())
}

fn threshold(limits: &str) -> String {
    format!("[[threshold]]\nrelation = \"log\"\n{limits}\n")
}

#[test]
fn threshold_decides_severity_of_orphans() {
    for (limits, code, word) in [
        ("fail-if = \"> 1%\"", 0, "note"),
        ("fail-if = \">= 1%\"", 1, "error"),
        ("fail-if = \"> 9 rows\"", 1, "error"),
        ("fail-if = \"> 10 rows or > 6 keys\"", 0, "note"),
        ("warn-if = \"> 0\"\nfail-if = \"> 5%\"", 0, "warning"),
        ("warn-if = \"> 5 keys\"", 0, "warning"),
    ] {
        let run = with(&threshold(limits), &["--format", "json"]);
        assert_eq!(run.code, code, "{limits}");
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let orphans = findings.iter().find(|finding| finding["code"] == "orphan").unwrap();
        assert_eq!(orphans["severity"], word, "{limits}");
    }
    let run = with(&threshold("warn-if = \"> 0\"\nfail-if = \"> 5%\""), &["--fail-on", "warning"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.states("1.0% of the rows does not reach fail-if > 5%"), "{}", run.stdout);
}

#[test]
fn configured_severity_overrides_a_code() {
    assert_eq!(with("[severity]\norphan = \"note\"\n", &[]).code, 0);
    let run = with("[severity]\norphan = \"note\"\nchild-not-indexed = \"error\"\n", &[]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("error[child-not-indexed]"), "{}", run.stdout);
}

#[test]
fn faulty_thresholds_are_shown_with_their_line() {
    let run = with(
        "[severity]\norphn = \"note\"\norphan = \"bad\"\n[[threshold]]\nrelation = \"log\"\n[[threshold]]\nrelation = \"log\"\nwarn-if = \"10\"\n",
        &[],
    );
    assert_eq!(run.code, 2);
    for fault in [
        "unknown key `orphn`\n --> fk-doctor.toml:2:1",
        "did you mean `orphan`?",
        "`bad` is not valid: expected error, warning or note\n --> fk-doctor.toml:3:10",
        "`fail-if` is missing\n --> fk-doctor.toml:4:1",
        "`10` is not valid: expected a limit such as > 10 rows, > 5 keys or > 0.1%, or several joined by \"or\"",
    ] {
        assert!(run.stderr.contains(fault), "{fault}: {}", run.stderr);
    }
    let run = with("[[threshold]]\nrelation = \"logs\"\nfail-if = \"> 1\"\n", &[]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no relation and no child table matches this threshold"), "{}", run.stderr);
}
