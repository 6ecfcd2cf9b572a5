//! Values that must not be shown do not occur in any format or error.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use crate::common::States as _;
use common::Bench;
use fk_doctor::internals::report::Format;
use fk_doctor::internals::report::ScanFormat;

const KEY: (&str, &str) = ("FK_DOCTOR_REDACT_KEY", "a secret of sixteen or more");

/// Every kind of value and every diagnosis, each with a distinct value that no report may contain.
const SEED: &str = "
CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT UNIQUE, code TEXT UNIQUE);
CREATE TABLE suppliers(id INTEGER PRIMARY KEY);
CREATE TABLE orders(ref TEXT PRIMARY KEY, placed TEXT, user_id INTEGER REFERENCES users(id), mail TEXT REFERENCES users(email),
    code TEXT REFERENCES users(code), photo BLOB REFERENCES users(code), a INTEGER, b TEXT, FOREIGN KEY (a, b) REFERENCES pairs(a, b));
CREATE TABLE pairs(a INTEGER, b TEXT, PRIMARY KEY (a, b));
CREATE TABLE notes(body TEXT REFERENCES users(email));
INSERT INTO users VALUES (918273601, 'canary-01@example.org', 'CANARY-02');
INSERT INTO suppliers VALUES (918273603);
INSERT INTO orders VALUES ('canary-04', 'canary-05', 918273603, 'CANARY-01@example.org', 'canary-02', x'63616e617279', 918273606, 'canary-07'),
    ('canary-08', 'canary-09', 918273699, ' canary-01@example.org', 'canary-11', NULL, NULL, NULL);
INSERT INTO notes VALUES ('canary-12'), ('');
";

/// The values as they are, with grouped digits, and in hexadecimal.
fn canaries(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    ["canary", "9182736", "918,273,6", "63616e617279"]
        .into_iter()
        .filter(|it| lower.contains(it))
        .map(str::to_owned)
        .collect()
}

fn every_report(bench: &Bench, more: &[&str], variables: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let report = |format: &ScanFormat| {
        let run = bench.run_in(&[&["scan", "app.db", "--format", format.name()], more].concat(), variables);
        assert!(run.code == 1, "{} {}", format.name(), run.stderr);
        (format.name(), run.stdout + &run.stderr)
    };
    ScanFormat::ALL.iter().map(report).collect()
}

#[test]
fn masked_values_appear_in_no_report() {
    let bench = Bench::new(SEED);
    for (format, report) in every_report(&bench, &["--redact"], &[]) {
        assert_eq!(canaries(&report), Vec::<String>::new(), "{format}: {report}");
        assert!(
            ["junit", "github", "sarif", "openmetrics"].contains(&format) || report.contains("***"),
            "{format}: {report}"
        );
    }
    // Without redaction the canaries are visible.
    let shown = every_report(&bench, &[], &[]);
    // Metrics are numbers of relations, and have no value of a row.
    let shows = |(format, report): &(&str, String)| *format == "openmetrics" || !canaries(report).is_empty();
    assert!(shown.iter().all(shows), "{shown:?}");
}

#[test]
fn equal_values_have_equal_hashes() {
    let bench = Bench::new(SEED);
    for (format, report) in every_report(&bench, &["--redact=hash"], &[KEY]) {
        assert_eq!(canaries(&report), Vec::<String>::new(), "{format}");
    }
    let json = |key| -> serde_json::Value {
        let run = bench.run_in(&["scan", "app.db", "--format=json", "--redact=hash"], &[key]);
        serde_json::from_str(&run.stdout).unwrap()
    };
    let (one, again, other) = (json(KEY), json(KEY), json((KEY.0, "another secret, as long as that")));
    let missing = |report: &serde_json::Value| report["findings"][0]["top_missing"].to_string();
    assert_eq!(missing(&one), missing(&again));
    assert_ne!(missing(&one), missing(&other));
    assert_eq!(one["values"], "hashed");
    common::assert_obeys("scan", &one);
}

#[test]
fn hash_without_secret_is_refused() {
    for variables in [&[][..], &[("FK_DOCTOR_REDACT_KEY", "short")]] {
        let run = Bench::new(SEED).run_in(&["scan", "app.db", "--redact=hash"], variables);
        assert_eq!(run.code, 2);
        assert!(run.stderr.starts_with("error: could not hash the values of rows\nbecause: "), "{}", run.stderr);
        assert!(run.stderr.contains("FK_DOCTOR_REDACT_KEY"), "{}", run.stderr);
    }
}

/// A key occurs in two tables, and is redacted if either column is.
#[test]
fn excluded_columns_are_always_masked() {
    let bench = Bench::new(SEED);
    std::fs::write(bench.path("fk-doctor.toml"), "[redact]\ncolumns = [\"users.email\", \"orders.ref\", \"b\"]\n")
        .unwrap();
    for (format, report) in every_report(&bench, &[], &[]) {
        for hidden in ["canary-01", "canary-04", "canary-07", "canary-08", "canary-12"] {
            assert!(!report.to_lowercase().contains(hidden), "{format}: {hidden}: {report}");
        }
    }
    let table = bench.run(&["scan", "app.db"]).stdout;
    assert!(table.contains("918273603") && table.contains("(918273606, '***')"), "{table}");
}

#[test]
fn configuration_turns_redaction_on() {
    let bench = Bench::new(SEED);
    std::fs::write(bench.path("fk-doctor.toml"), "[redact]\nvalues = \"mask\"\n").unwrap();
    assert!(every_report(&bench, &[], &[]).iter().all(|(_, report)| canaries(report).is_empty()));
    std::fs::write(bench.path("fk-doctor.toml"), "[redact]\nvalues = \"shuffle\"\n").unwrap();
    let run = bench.run(&["scan", "app.db"]);
    assert!(run.stderr.contains("`values`: `shuffle` is not valid: expected mask or hash"), "{}", run.stderr);
}

#[test]
fn password_appears_in_no_error() {
    for source in
        ["postgres://me:canary@localhost:1/db", "mysql://me:canary@localhost:1/db?x=canary", "oracle://me:canary@h/db"]
    {
        let run = Bench::new("").run(&["scan", source]);
        assert!(run.code >= 2, "{source}");
        assert_eq!(canaries(&(run.stdout + &run.stderr)), Vec::<String>::new(), "{source}");
    }
}

/// A dry run is reported without values. The plan itself is data and contains them.
#[test]
fn repair_preview_hides_values() {
    let bench = Bench::new(SEED);
    let rule = "id = \"blank\"\nexplain = \"Blank what is missing.\"\neven-if-parent-lost = true\n[relation]\nchild = \"orders(user_id)\"\nparent = \"users(id)\"\n\
                [limits]\nmax-rows = 10\nmax-share = 1.0\n[[treat]]\naction = \"set-null\"\n";
    std::fs::write(bench.path("blank.toml"), rule).unwrap();
    let repair = |more: &[&str]| {
        let run = bench.run_in(&[&["repair", "app.db", "--rules", "blank.toml"], more].concat(), &[KEY]);
        assert!(run.stderr.is_empty(), "{}", run.stderr);
        run.stdout
    };
    for format in ["table", "json"] {
        assert!(!canaries(&repair(&["--format", format])).is_empty(), "{format}: the canaries would be seen");
        let plan = format!("{format}.ndjson");
        let hidden = repair(&["--format", format, "--redact", "-o", &plan]);
        assert_eq!(canaries(&hidden), Vec::<String>::new(), "{format}: {hidden}");
        assert!(hidden.contains("***"), "{format}: {hidden}");
        assert_eq!(canaries(&repair(&["--format", format, "--redact=hash"])), Vec::<String>::new(), "{format}");
        assert!(!canaries(&std::fs::read_to_string(bench.path(&plan)).unwrap()).is_empty());
    }
    std::fs::write(bench.path("fk-doctor.toml"), "[redact]\ncolumns = [\"orders.ref\"]\n").unwrap();
    let table = repair(&[]);
    assert!(!table.contains("canary-04") && table.states("918273603"), "{table}");
}

#[test]
fn explain_hides_values() {
    let bench = Bench::new(SEED);
    for format in ["table", "json"] {
        let sql = "UPDATE orders SET user_id = user_id + 1";
        let run = bench.run(&["explain", "app.db", sql, "--format", format, "--redact"]);
        assert_eq!(canaries(&(run.stdout.clone() + &run.stderr)), Vec::<String>::new(), "{}", run.stdout);
    }
}

#[test]
fn check_hides_values() {
    let bench = Bench::new(SEED);
    std::fs::write(bench.path("rows.csv"), "ref,user_id,mail\ncanary-20,918273677,canary-21@example.org\n").unwrap();
    for format in ["table", "json"] {
        let check = |more: &[&str]| {
            let run =
                bench.run(&[&["check", "app.db", "--table", "orders", "rows.csv", "--format", format], more].concat());
            assert_eq!(run.code, 1, "{}", run.stderr);
            run.stdout + &run.stderr
        };
        assert!(!canaries(&check(&[])).is_empty(), "{format}: the canaries would be seen");
        let hidden = check(&["--redact"]);
        assert_eq!(canaries(&hidden), Vec::<String>::new(), "{format}: {hidden}");
    }
}
