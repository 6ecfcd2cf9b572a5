//! A rule's query that never ends is stopped at the time limit, on servers.

use std::time::Duration;
use std::time::Instant;

use super::patient::KINDS;
use super::patient::Kind;
use super::patient::Patient;
use super::patient::rule;

#[test]
fn endless_query_ends_at_the_time_limit() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY, n int); CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 7)";
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, seed) else { continue };
        let long = match kind {
            Kind::Postgres => "(SELECT count(*) FROM pg_sleep(600))",
            Kind::Mariadb | Kind::Mysql => "(SELECT benchmark(4000000000, sha2('a', 512)))",
        };
        for treatment in [
            format!("action = \"remap\"\nto = \"SELECT {long}\""),
            format!(
                "action = \"placeholder\"\nvalues = {{ n = {{ sql = \"(SELECT CASE WHEN key.r = 7 THEN {long} END)\" }} }}"
            ),
        ] {
            patient.rules(&rule("c(r)", &treatment));
            let start = Instant::now();
            let url = patient.server.url();
            let run =
                patient.server.run(&["repair", &url, "--rules", "r.toml", "--timeout", "2s", "-o", "plan.ndjson"]);
            assert_eq!(run.code, 3, "{kind:?}, {treatment}: {}{}", run.stdout, run.stderr);
            assert!(run.stderr.contains("time limit"), "{kind:?}, {treatment}: {}", run.stderr);
            assert!(start.elapsed() < Duration::from_secs(30), "{kind:?}, {treatment}");
        }
    }
}
