//! The formats of a scan: one run writes several, each is an ordinary file, and each is well formed.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::collections::BTreeSet;

use common::Bench;

const SHOP: &str = "
CREATE TABLE customers(id INTEGER PRIMARY KEY);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id));
INSERT INTO customers VALUES (1);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO orders SELECT i, CASE WHEN i % 2 THEN 1 ELSE i END FROM n;
";

fn shop() -> Bench {
    Bench::new(SHOP)
}

#[test]
fn one_scan_writes_every_requested_format() {
    let bench = shop();
    let run = bench.run(&[
        "scan",
        "app.db",
        "--format=table",
        "--format=json=r.json",
        "--format=junit=r.xml",
        "--format=sarif=r.sarif",
        "--format=markdown=r.md",
        "--format=github=r.txt",
        "--format=csv=r.csv",
    ]);
    assert_eq!(run.code, 1);
    let wrote = |name: &str| format!("wrote {name}: 500 orphan rows in 1 of 1 relation (exit code 1)\n");
    let names = ["r.json", "r.xml", "r.sarif", "r.md", "r.txt", "r.csv"];
    assert_eq!(run.stderr, names.map(wrote).concat());
    assert!(run.stdout.starts_with("✗ app.db: 500 orphan rows in 1 of 1 relation\n"));
    let read = |name| std::fs::read_to_string(bench.path(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("r.json")).unwrap();
    common::assert_obeys("scan", &json);
    let finding = json["findings"][0]["id"].as_str().unwrap();
    let sarif: serde_json::Value = serde_json::from_str(&read("r.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["partialFingerprints"]["fkDoctorFinding/v1"], finding);
    let junit = read("r.xml");
    let junit = roxmltree::Document::parse(&junit).unwrap();
    assert_eq!(junit.root_element().attribute("failures"), Some("1"));
    assert!(read("r.md").contains("verdict **findings**"));
    assert!(read("r.txt").starts_with("::error file=fk-doctor.toml,line=1,"));
}

/// The number of samples is limited; the number of rows is complete.
#[test]
fn csv_lists_every_orphan() {
    let run = shop().run(&["scan", "app.db", "--format", "csv", "--samples", "1"]);
    assert_eq!(run.code, 1);
    let mut csv = csv::Reader::from_reader(run.stdout.as_bytes());
    let rows: BTreeSet<String> = csv.records().map(|record| record.unwrap()[3].to_owned()).collect();
    assert_eq!(rows, (1..=500).map(|i| format!("{{\"id\":{}}}", i * 2)).collect());
}

#[test]
fn two_reports_to_one_path_are_refused() {
    let bench = shop();
    for (arguments, place) in [
        (&["--format=json", "--format=csv"][..], "standard output"),
        (&["--format=json=r", "--format=csv=./r"], "./r"),
        (&["--format=json", "--format=csv=r", "-o", "r"], "r"),
        (&["--format=json=-", "--format=csv", "-o", "-"], "standard output"),
    ] {
        let run = bench.run(&[&["scan", "app.db"], arguments].concat());
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.stderr.starts_with(&format!("error: could not write two reports to {place}\n")), "{}", run.stderr);
        assert!(run.stderr.contains("help: give each report its own file: --format FORMAT=FILE"), "{}", run.stderr);
    }
}

#[test]
fn dash_stands_for_standard_output() {
    let bench = shop();
    let json = bench.run(&["scan", "app.db", "--format", "json"]).stdout;
    for command in [
        &["scan", "app.db", "--format", "json", "-o", "-"][..],
        &["scan", "app.db", "--format", "json=-"],
        &["scan", "app.db", "--format", "json=-", "-o", "rest.csv", "--format", "csv"],
    ] {
        let run = bench.run(command);
        assert!(serde_json::from_str::<serde_json::Value>(&run.stdout).is_ok(), "{command:?}: {}", run.stdout);
        assert_eq!((run.code, run.stdout.len()), (1, json.len()), "{command:?}");
    }
    let both = bench.run(&["scan", "app.db", "app.db", "--format", "ndjson=-", "-o", "rest"]);
    assert_eq!((both.code, bench.path("rest").exists()), (1, false), "{}", both.stderr);
    let table = bench.run(&["scan", "app.db", "app.db", "-o", "-"]).stdout;
    assert_eq!(table.matches("✗ app.db: 500 orphan rows in 1 of 1 relation").count(), 2, "{table}");
    for command in [&["scan", "app.db", "--write-baseline", "-"][..], &["repair", "app.db", "--rules", "r", "-o", "-"]]
    {
        let run = bench.run(command);
        assert_eq!(run.code, 2, "{command:?}");
        assert!(run.stderr.contains("it cannot be standard output: name a file"), "{}", run.stderr);
    }
    assert!(!bench.path("-").exists());
}

#[test]
fn unwritable_report_is_an_error() {
    let run = shop().run(&["scan", "app.db", "--format", "csv=no/such/folder.csv"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.starts_with("error: could not write to no/such/folder.csv\nbecause: "), "{}", run.stderr);
}

/// The umask decides the mode of a new file. An existing file keeps its mode.
#[cfg(unix)]
#[test]
fn report_file_mode_follows_umask() {
    use std::os::unix::fs::PermissionsExt;
    let bench = shop();
    let mode = |name| std::fs::metadata(bench.path(name)).unwrap().permissions().mode() & 0o777;
    std::fs::write(bench.path("plain"), "").unwrap();
    std::fs::write(bench.path("old.md"), "").unwrap();
    std::fs::set_permissions(bench.path("old.md"), PermissionsExt::from_mode(0o640)).unwrap();
    bench.run(&["scan", "app.db", "--format=json=new.json", "--format=markdown=old.md", "--format=csv=new.csv"]);
    assert_eq!((mode("new.json"), mode("new.csv"), mode("old.md")), (mode("plain"), mode("plain"), 0o640));
    let left: Vec<_> = std::fs::read_dir(bench.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".fk-doctor-")), "{left:?}");
}

#[test]
fn sarif_locates_findings_at_their_declaration() {
    let bench = shop();
    std::fs::write(bench.path("schema.sql"), SHOP).unwrap();
    let arguments = ["scan", "app.db", "--format", "sarif", "--schema-file", "schema.sql"];
    let sarif: serde_json::Value = serde_json::from_str(&bench.run(&arguments).stdout).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!((&place["artifactLocation"]["uri"], &place["region"]["startLine"]), (&"schema.sql".into(), &3.into()));

    std::fs::write(
        bench.path("fk-doctor.toml"),
        "\n\n[[relation]]\nchild = \"orders(id)\"\nparent = \"customers(id)\"\n",
    )
    .unwrap();
    let sarif: serde_json::Value = serde_json::from_str(&bench.run(&arguments).stdout).unwrap();
    let configured = sarif["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|result| result["message"]["text"].as_str().unwrap().starts_with("orders(id)->customers(id)"));
    let place = &configured.unwrap()["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "fk-doctor.toml");
    assert_eq!(place["region"]["startLine"], 4);
    let run = bench.run(&["scan", "app.db", "--format", "sarif", "--schema-file", "none.sql"]);
    assert!(run.stderr.starts_with("error: could not read none.sql\n"), "{}", run.stderr);
}

#[test]
fn step_summary_is_appended_to() {
    let bench = shop();
    std::fs::write(bench.path("summary"), "before\n").unwrap();
    let page = bench.path("summary");
    let run =
        bench.run_in(&["scan", "app.db", "--format", "github"], &[("GITHUB_STEP_SUMMARY", page.to_str().unwrap())]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert!(std::fs::read_to_string(page).unwrap().starts_with("before\n## Foreign keys of `app.db`\n"));
}

#[test]
fn quiet_prints_only_the_verdict() {
    let run = shop().run(&["--quiet", "scan", "app.db"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
}

/// Together the lines contain the same data as the JSON report, in the same order.
#[test]
fn ndjson_lines_equal_parts_of_the_json_report() {
    let bench = Bench::new(&format!(
        "{SHOP} CREATE TABLE line(o INTEGER REFERENCES orders(id), g INTEGER REFERENCES gone(id));"
    ));
    let json: serde_json::Value =
        serde_json::from_str(&bench.run(&["scan", "app.db", "--format", "json"]).stdout).unwrap();
    for jobs in ["1", "8"] {
        let run = bench.run(&["scan", "app.db", "--format", "ndjson", "--jobs", jobs]);
        assert_eq!((run.code, run.stderr.as_str()), (1, ""));
        let mut whole = serde_json::json!({"format": "fk-doctor/scan@1", "relations": [], "findings": []});
        for line in run.stdout.lines() {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            let kind = line.as_object_mut().unwrap().remove("type").unwrap();
            match kind.as_str().unwrap() {
                "relation" => whole["relations"].as_array_mut().unwrap().push(line),
                "finding" => whole["findings"].as_array_mut().unwrap().push(line),
                _ => {
                    line.as_object_mut().unwrap().remove("format");
                    whole.as_object_mut().unwrap().extend(line.as_object().unwrap().clone());
                }
            }
        }
        assert_eq!(whole, json, "{jobs}");
    }
}

#[test]
fn row_with_two_relations_counts_once_and_warnings_apart() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE); INSERT INTO p VALUES (1, 'a');
        CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id), code INT REFERENCES p(code));
        CREATE TABLE d(p INT REFERENCES p(id));
        INSERT INTO c(p) VALUES (1), (1), (1); INSERT INTO d VALUES (1);",
    );
    let run = bench.run(&["scan", "app.db"]);
    assert!(run.stdout.contains("· 4 rows"), "{}", run.stdout);
    let (_, report) = bench.scan();
    let of = |severity: &str| {
        let findings = report["findings"].as_array().unwrap().iter();
        findings.filter(|one| one["severity"] == severity && one["code"] != "orphan").count()
    };
    let counted = ["defects", "warnings", "notes"].map(|name| report["summary"][name].as_u64().unwrap() as usize);
    assert_eq!(counted, [of("error"), of("warning"), of("note")], "{report:#}");
    assert!(counted[0] == 0 && counted[1] > 0 && counted[2] > 0, "{counted:?}");
}

#[test]
fn schema_summary_says_nothing_about_rows() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id));
        CREATE INDEX c_p ON c(p); INSERT INTO c VALUES (1, 99);",
    );
    let run = bench.run(&["schema", "app.db"]);
    assert!(!run.stdout.contains('✓') && run.stdout.contains("rows were not looked at"), "{}", run.stdout);
}

#[test]
fn ending_that_stands_for_no_format_is_refused_before_anything_is_read() {
    let bench = Bench::new("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p);");
    bench.write("dump.sql", "SELECT 1;");
    let of_scan = ".txt, .html, .htm, .json, .ndjson, .jsonl, .csv, .md, .markdown, .sarif, .xml, .prom";
    let commands: [(&[&str], &str); 4] = [
        (&["scan", "app.db"], of_scan),
        (
            &["discover", "app.db"],
            ".txt, .html, .htm, .json, .ndjson, .jsonl, .csv, .md, .markdown, .mmd, .mermaid, .dot, .gv",
        ),
        (&["schema", "app.db"], ".txt, .json, .mmd, .mermaid, .dot, .gv, .dbml, .yml, .yaml"),
        (&["explain", "app.db", "DELETE FROM p"], ".txt, .json"),
    ];
    for (command, endings) in commands {
        let refused = bench.run(&[command, &["-o", "x.pdf"]].concat());
        let expected = format!(
            "error: could not write a report to x.pdf\n\
             because: the ending of its name stands for no format\n\
             help: name the format with --format, or end the name with one of {endings}\n"
        );
        assert_eq!((refused.code, refused.stderr.as_str()), (2, expected.as_str()), "{command:?}");
        assert!(!bench.path("x.pdf").exists());
        let named = bench.run(&[command, &["--format", "json", "-o", "x.pdf"]].concat());
        assert_eq!(named.code, 0, "{command:?}: {}", named.stderr);
        let text = std::fs::read_to_string(bench.path("x.pdf")).unwrap();
        assert!(text.starts_with('{'), "{text}");
        std::fs::remove_file(bench.path("x.pdf")).unwrap();
        // A name without an ending, and .txt, are for people.
        for (file, start) in [("report", false), ("r.txt", false), ("r.JSON", true)] {
            assert_eq!(bench.run(&[command, &["-o", file]].concat()).code, 0, "{command:?} {file}");
            assert_eq!(
                std::fs::read_to_string(bench.path(file)).unwrap().starts_with('{'),
                start,
                "{command:?} {file}"
            );
        }
    }
}
