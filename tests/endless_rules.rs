//! A rule's query that never ends is stopped at the time limit, in every command that runs it.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::Duration;
use std::time::Instant;

use super::common::Bench;

const ENDLESS: &str = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n)";

fn bench(treatment: &str) -> Bench {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, n INT); CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id)); \
         INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 7)",
    );
    bench.write(
        "r.toml",
        &format!(
            "id = \"r\"\neven-if-parent-lost = true\n[relation]\nchild = \"c(r)\"\n[limits]\nmax-share = 1.0\n[[treat]]\n{treatment}\n"
        ),
    );
    bench
}

#[test]
fn endless_query_ends_at_the_time_limit() {
    let only_for_orphans = format!("SELECT CASE WHEN key.r = 7 THEN {ENDLESS} END");
    for treatment in [
        format!("action = \"remap\"\nto = \"SELECT {ENDLESS}\""),
        format!("action = \"remap\"\nto = \"{only_for_orphans}\""),
        format!("action = \"placeholder\"\nvalues = {{ n = {{ sql = \"({only_for_orphans})\" }} }}"),
    ] {
        let bench = bench(&treatment);
        let start = Instant::now();
        let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--timeout", "700ms", "-o", "plan.ndjson"]);
        assert_eq!(run.code, 3, "{treatment}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("time limit") && run.stderr.contains("--timeout"), "{treatment}: {}", run.stderr);
        assert!(!bench.path("plan.ndjson").exists(), "{treatment}");
        assert!(start.elapsed() < Duration::from_secs(20), "{treatment}");
    }
}

#[test]
fn endless_rules_check_ends_at_the_time_limit() {
    let bench = bench(&format!("action = \"remap\"\nto = \"SELECT {ENDLESS}\""));
    let run = bench.run(&["rules", "check", "r.toml", "--against", "app.db", "--timeout", "700ms"]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("time limit"), "{}", run.stderr);
}
