//! The parts for pipelines: the action, the hook, the GitLab example and the image, as far as they run without their
//! hosts.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![cfg(unix)]

use crate::common;

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::States as _;
use common::Bench;
use common::Run;
use saphyr::LoadableYamlNode;
use saphyr::Yaml;

const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY);
CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
INSERT INTO c VALUES (1, 918273601);";

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn yaml(text: &str) -> Yaml<'_> {
    Yaml::load_from_str(text).unwrap().remove(0)
}

/// Runs bash in the folder of the bench, with the binary on the path.
fn bash(bench: &Bench, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let binaries = Path::new(env!("CARGO_BIN_EXE_fk-doctor")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let variables: Vec<(&str, &str)> = [("PATH", path.as_str())].into_iter().chain(variables.iter().copied()).collect();
    bench.run_program("bash", arguments, &variables)
}

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ci").join(name).display().to_string()
}

#[test]
fn action_inputs_reach_the_script_as_data() {
    let text = text("action.yml");
    let action = yaml(&text);
    assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
    let steps: Vec<&Yaml<'_>> = action["runs"]["steps"].as_sequence().unwrap().iter().collect();
    assert!(steps.iter().all(|step| !step["run"].as_str().unwrap().contains("${{")), "inputs are no part of a script");
    let given = steps[1]["env"].as_mapping().unwrap().iter();
    let given: BTreeSet<(&str, &str)> =
        given.map(|(name, value)| (name.as_str().unwrap(), value.as_str().unwrap())).collect();
    let inputs: BTreeSet<&str> =
        action["inputs"].as_mapping().unwrap().keys().map(|name| name.as_str().unwrap()).collect();
    let script = std::fs::read_to_string(script("scan")).unwrap();
    for (name, value) in &given {
        assert!(script.contains(&format!("${{{name}:-")), "the script reads {name}");
        assert!(
            inputs.contains(value.trim_start_matches("${{ inputs.").trim_end_matches(" }}")),
            "{value} is an input"
        );
    }
    assert_eq!(given.len(), inputs.len(), "every input is given on");
}

#[test]
fn action_annotates_and_writes_requested_reports() {
    let bench = Bench::new(SEED);
    let (summary, output) = (bench.path("summary"), bench.path("output"));
    let variables = [
        ("FK_DOCTOR_DATABASE", "app.db"),
        ("FK_DOCTOR_SARIF", "r.sarif"),
        ("FK_DOCTOR_HTML", "r.html"),
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ("GITHUB_OUTPUT", output.to_str().unwrap()),
    ];
    let run = bash(&bench, &[&script("scan")], &variables);
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("wrote r.sarif: 1 orphan row in 1 of 1 relation (exit code 1)\n"), "{}", run.stderr);
    assert!(
        run.stdout.starts_with("::error file=fk-doctor.toml,line=1,title=fk-doctor%3A orphan::c(p)->p(id)"),
        "{}",
        run.stdout
    );
    assert_eq!(std::fs::read_to_string(output).unwrap(), "exit-code=1\n");
    for file in [summary, bench.path("r.sarif"), bench.path("r.html")] {
        let report = std::fs::read_to_string(file).unwrap();
        assert!(!report.states("918273601") && !run.stdout.states("918273601"), "masked unless it is asked for");
    }
    let shown = bash(
        &bench,
        &[&script("scan")],
        &[("FK_DOCTOR_DATABASE", "app.db"), ("FK_DOCTOR_REDACT", "none"), ("FK_DOCTOR_FORMAT", "table")],
    );
    assert!(shown.stdout.states("918273601"), "{}", shown.stdout);
}

#[test]
fn action_input_with_shell_code_is_not_executed() {
    let bench = Bench::new(SEED);
    for name in ["$(touch owned)", "`touch owned`", "; touch owned", "--help", "a b*"] {
        let run =
            bash(&bench, &[&script("scan")], &[("FK_DOCTOR_DATABASE", name), ("FK_DOCTOR_SARIF", "x; touch owned")]);
        assert_eq!(run.code, 3, "{name}: {}", run.stderr);
        assert!(!bench.path("owned").exists());
    }
    assert_eq!(bash(&bench, &[&script("install")], &[]).code, 0, "what is there is not built again");
}

#[test]
fn hook_scans_each_file_of_a_commit() {
    let text = text(".pre-commit-hooks.yaml");
    let hooks = yaml(&text);
    let hook = &hooks[0];
    let entry = hook["entry"].as_str().unwrap();
    let bench = Bench::new(SEED);
    rusqlite::Connection::open(bench.path("fine one.db")).unwrap().execute_batch("CREATE TABLE t(i)").unwrap();
    // The command line of the hook's runner: the words of the entry, then the files.
    let hooked = |files: &str| bash(&bench, &["-c", &format!("{entry} {files}")], &[]);
    let run = hooked("'fine one.db' app.db");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stdout.contains("fine one.db declares no foreign keys") && run.stdout.states("1 orphan row"),
        "{}",
        run.stdout
    );
    assert_eq!(hooked("'fine one.db'").code, 0);
}

#[test]
fn gitlab_example_uses_only_variables_of_the_script() {
    let text = text("ci/gitlab.yml");
    let job = &yaml(&text)["foreign-keys"];
    let script = std::fs::read_to_string(script("scan")).unwrap();
    for (name, _) in job["variables"].as_mapping().unwrap() {
        assert!(script.contains(&format!("${{{}:-", name.as_str().unwrap())), "{name:?}");
    }
    let image = self::text("Containerfile");
    assert!(
        image.contains(&format!("/usr/local/bin/{}\n", job["script"][0].as_str().unwrap())),
        "the image has the script"
    );
    let bench = Bench::new(SEED);
    let variables = job["variables"]
        .as_mapping()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str().unwrap(), value.as_str().unwrap()));
    let variables: Vec<(&str, &str)> = variables.chain([("FK_DOCTOR_DATABASE", "app.db")]).collect();
    assert_eq!(bash(&bench, &[&self::script("scan")], &variables).code, 1);
    for artifact in ["foreign-keys.html", "foreign-keys.xml"] {
        assert!(bench.path(artifact).is_file(), "{artifact}");
    }
}

#[test]
fn schema_is_written_for_dbt_and_dbdiagram_with_names_of_any_text() {
    let bench = Bench::new(
        "CREATE TABLE \"my customers\"(\"a b\" INTEGER PRIMARY KEY);
         CREATE TABLE orders(id INTEGER PRIMARY KEY, \"select\" INT REFERENCES \"my customers\"(\"a b\"))",
    );
    let run = bench.run(&["schema", "app.db", "--format", "dbt=relations.yml", "--format", "dbml=schema.dbml"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = std::fs::read_to_string(bench.path("relations.yml")).unwrap();
    let documents = Yaml::load_from_str(&text).unwrap();
    let tables = documents[0]["sources"][0]["tables"].as_vec().unwrap();
    let column = &tables[1]["columns"][0];
    assert_eq!((column["name"].as_str(), column["quote"].as_bool()), (Some("select"), Some(true)), "{text}");
    let arguments = &column["data_tests"][0]["relationships"]["arguments"];
    assert_eq!(arguments["to"].as_str(), Some("source('main', 'my_customers')"), "{text}");
    assert_eq!(arguments["field"].as_str(), Some("\"a b\""), "{text}");
    assert_eq!(tables[0]["identifier"].as_str(), Some("my customers"), "{text}");
    let drawn = std::fs::read_to_string(bench.path("schema.dbml")).unwrap();
    assert!(drawn.contains("Ref: \"orders\".\"select\" > \"my customers\".\"a b\"\n"), "{drawn}");
}
