//! The workflows and scripts of a release, as far as they run without their hosts: `ci/packages` tries the packages.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::common::Bench;

use saphyr::LoadableYamlNode;
use saphyr::Yaml;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const WORKFLOWS: [&str; 2] = ["test", "release"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn yaml(text: &str) -> Yaml<'_> {
    Yaml::load_from_str(text).unwrap().remove(0)
}

fn platforms() -> Vec<String> {
    let platforms: serde_json::Value = serde_json::from_str(&text("packages/npm/platforms.json")).unwrap();
    platforms.as_object().unwrap().keys().cloned().collect()
}

/// Returns the commands of a step that run a script of the repository, such as `bash ci/book`.
fn scripts(run: &str) -> Vec<&str> {
    let words: Vec<&str> = run.split_whitespace().collect();
    words.windows(2).filter(|pair| pair[0] == "bash" && pair[1].contains("ci/")).map(|pair| pair[1]).collect()
}

#[test]
fn workflows_have_sound_jobs_and_existing_scripts() {
    for name in WORKFLOWS {
        let text = text(&format!(".github/workflows/{name}.yml"));
        let workflow = yaml(&text);
        assert_eq!(workflow["permissions"]["contents"].as_str(), Some("read"), "{name}: no job gets more by default");
        let jobs = workflow["jobs"].as_mapping().unwrap();
        let names: BTreeSet<&str> = jobs.keys().map(|job| job.as_str().unwrap()).collect();
        for (job, content) in jobs {
            let job = job.as_str().unwrap();
            assert!(content["runs-on"].as_str().is_some(), "{name}, {job}");
            let needs: Vec<&str> = match content.as_mapping_get("needs") {
                Some(needs) if needs.is_sequence() => {
                    needs.as_sequence().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
                }
                needs => needs.and_then(|needs| needs.as_str()).into_iter().collect(),
            };
            assert!(needs.iter().all(|need| names.contains(need)), "{name}, {job} needs {needs:?}");
            for step in content["steps"].as_sequence().unwrap() {
                let part = |key: &str| step.as_mapping_get(key).and_then(|it| it.as_str());
                match (part("run"), part("uses")) {
                    (Some(run), None) => {
                        assert!(!run.contains("${{"), "{name}, {job}: values reach a script through the environment");
                        for script in scripts(run) {
                            assert!(root().join(script).is_file(), "{name}, {job}: {script}");
                        }
                    }
                    (None, Some(action)) => assert!(action.contains('@'), "{name}, {job}: {action} has no version"),
                    _ => panic!("{name}, {job}: a step runs a script or uses an action"),
                }
            }
        }
    }
}

#[test]
fn release_builds_every_target_that_npm_names() {
    let workflow = text(".github/workflows/release.yml");
    let workflow = yaml(&workflow);
    let builds = workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_sequence().unwrap();
    let mut targets: Vec<String> = builds.iter().map(|it| it["target"].as_str().unwrap().to_owned()).collect();
    targets.sort();
    let mut platforms = platforms();
    platforms.sort();
    assert_eq!(targets, platforms);
    assert_eq!(targets.len(), 5);
}

#[test]
fn scripts_have_no_syntax_error() {
    let scripts =
        ["ci/archive", "ci/book", "ci/install", "ci/packages", "ci/publish-npm", "ci/scan", ".ci/run", "tests/run"];
    for script in scripts {
        let status = Command::new("bash").args(["-n", script]).current_dir(root()).status().unwrap();
        assert!(status.success(), "{script}");
    }
}

/// `cargo binstall` finds the program where Cargo.toml says that it is in the archive.
#[test]
fn archive_has_the_layout_that_binstall_expects() {
    let bench = Bench::empty();
    bench.write("program", "the program");
    let program = bench.path("program").display().to_string();
    let target = "x86_64-unknown-linux-gnu";
    let folder = bench.path("dist").display().to_string();
    let script = root().join("ci/archive").display().to_string();
    let run = bench.run_program("bash", &[&script, target, &folder], &[("FK_DOCTOR_BINARY", &program)]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let manifest = text("Cargo.toml");
    let metadata = manifest.split("[package.metadata.binstall]").nth(1).unwrap();
    let filled = |key: &str| {
        let value = metadata.split(&format!("{key} = \"")).nth(1).unwrap().split('"').next().unwrap();
        let known = [
            ("{ repo }", env!("CARGO_PKG_REPOSITORY")),
            ("{ name }", "fk-doctor"),
            ("{ version }", VERSION),
            ("{ target }", target),
            ("{ bin }", "fk-doctor"),
            ("{ binary-ext }", ""),
        ];
        known.into_iter().fold(value.to_owned(), |text, (name, value)| text.replace(name, value))
    };
    let address = filled("pkg-url");
    let archive = address.rsplit('/').next().unwrap();
    assert!(
        address.starts_with("https://") && address.contains(&format!("/releases/download/v{VERSION}/")),
        "{address}"
    );
    let listed = bench.run_program("tar", &["-tzf", &format!("dist/{archive}")], &[]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(listed.stdout.lines().any(|file| file == filled("bin-dir")), "{}", listed.stdout);
}

#[test]
fn versions_of_all_packages_equal_that_of_the_manifest() {
    let hook = text("pyproject.toml");
    assert!(hook.contains(&format!("\nversion = \"{VERSION}\"\n")), "{hook}");
    assert!(hook.contains(&format!("\"fk-doctor=={VERSION}\"")), "{hook}");
    assert!(text("packages/python/pyproject.toml").contains("dynamic = [\"version\"]"));
    assert!(text("README.md").contains(&format!("fk-doctor_{VERSION}-1_amd64.deb")));
    for page in ["github", "pre-commit"] {
        assert!(text(&format!("docs/recipes/{page}.md")).contains(&format!("v{VERSION}")), "{page}");
    }
    assert!(text("docs/recipes/gitlab.md").contains(&format!("fk-doctor:{VERSION}")));
}

/// The action and the hook install the released wheel, and build nothing.
#[test]
fn action_and_hook_install_the_released_wheel() {
    let install = text("ci/install");
    assert!(install.contains("fk-doctor==$version") && !install.contains("cargo "), "{install}");
    let hooks = text(".pre-commit-hooks.yaml");
    assert_eq!(yaml(&hooks)[0]["language"].as_str(), Some("python"));
}

/// The upload of the example runs although the scan fails, and has the permission that it needs.
#[test]
fn example_of_github_uploads_sarif_in_any_case() {
    let page = text("docs/recipes/github.md");
    let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let workflow = yaml(example);
    assert_eq!(workflow["permissions"]["security-events"].as_str(), Some("write"));
    let steps = workflow["jobs"]["foreign-keys"]["steps"].as_sequence().unwrap();
    let used = |name: &str| {
        let uses = |step: &&Yaml<'_>| {
            step.as_mapping_get("uses").and_then(|it| it.as_str()).is_some_and(|it| it.starts_with(name))
        };
        steps.iter().find(uses).unwrap()
    };
    let upload = used("github/codeql-action/upload-sarif@");
    assert_eq!(upload["if"].as_str(), Some("always()"));
    let action = text("action.yml");
    let inputs = yaml(&action);
    let inputs: BTreeSet<&str> = inputs["inputs"].as_mapping().unwrap().keys().map(|it| it.as_str().unwrap()).collect();
    let given = used("OWNER/fk-doctor@")["with"].as_mapping().unwrap();
    assert!(given.keys().all(|it| inputs.contains(it.as_str().unwrap())), "{given:?}");
    assert_eq!(
        upload["with"]["sarif_file"].as_str(),
        given.iter().find(|(key, _)| key.as_str() == Some("sarif")).unwrap().1.as_str()
    );
}
