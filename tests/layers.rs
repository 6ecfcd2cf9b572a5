//! Imports run one way. Each rule names a folder and what its files must never mention.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

/// What decides nothing about data.
const FRONT: &[&str] = &["crate::report", "crate::config", "crate::cli", "crate::run"];
/// The engines one by one.
const EACH_ENGINE: &[&str] = &["crate::engine::sqlite", "crate::engine::postgres", "crate::engine::mysql", "sqlx"];
const ALL_ENGINES: &[&str] = &["crate::engine", "rusqlite", "sqlx"];

const FORBIDDEN: [(&str, &[&[&str]]); 13] = [
    (
        "model",
        &[
            FRONT,
            ALL_ENGINES,
            &["crate::scan", "crate::source", "serde", "tokio", "toml", "std::thread", "std::time"],
            &["std::fs", "std::io", "std::env", "std::net"],
        ],
    ),
    ("config", &[ALL_ENGINES, &["crate::report", "crate::cli", "crate::run", "crate::scan", "std::fs"]]),
    (
        "engine",
        &[
            FRONT,
            &["crate::scan", "crate::findings"],
            &["crate::model::finding", "crate::model::relation", "crate::model::schema"],
        ],
    ),
    (
        "report",
        &[ALL_ENGINES, &["crate::config", "crate::cli", "crate::run", "crate::scan", "tokio", "std::env", "std::time"]],
    ),
    ("scan", &[FRONT, EACH_ENGINE, &["rusqlite"]]),
    ("examine", &[FRONT, EACH_ENGINE, &["rusqlite", "std::fs"]]),
    ("diagnose", &[FRONT, EACH_ENGINE, &["rusqlite"]]),
    ("treat", &[FRONT, EACH_ENGINE, &["rusqlite::Connection"]]),
    ("apply", &[FRONT, EACH_ENGINE, &["rusqlite::Connection"]]),
    ("plan_file", &[FRONT, ALL_ENGINES, &["crate::treat"]]),
    ("explain", &[FRONT, EACH_ENGINE, &["rusqlite"]]),
    ("check", &[FRONT, EACH_ENGINE, &["rusqlite"]]),
    ("intake", &[FRONT, ALL_ENGINES, &["crate::check", "std::fs"]]),
];

fn sources(part: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![src.join(format!("{part}.rs"))];
    let mut folders = vec![src.join(part)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The code of a file, without its comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for (part, forbidden) in FORBIDDEN {
        for path in sources(part).iter().filter(|path| !path.ends_with("tests.rs") && !path.ends_with("sample.rs")) {
            let code = code(path);
            let product = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let mentioned = forbidden.iter().copied().flatten().filter(|name| {
                product
                    .match_indices(**name)
                    .any(|(at, _)| !product[at + name.len()..].starts_with(|c: char| c.is_alphanumeric()))
            });
            wrong.extend(mentioned.map(|name| format!("{} mentions {name}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_main_prints_and_exits() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let parts = std::fs::read_dir(&src).unwrap().map(|entry| entry.unwrap().path());
    let parts = parts.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned));
    for part in parts.filter(|part| !["main", "output"].contains(&part.as_str())).collect::<BTreeSet<_>>() {
        for path in sources(&part).iter().filter(|path| path.exists() && !path.ends_with("tests.rs")) {
            let code = code(path);
            let product = code.split("#[cfg(test)]").next().unwrap();
            for word in ["println!", "print!", "process::exit", "stdout()", "stderr()"] {
                assert!(!product.contains(word), "{}: {word}", path.strip_prefix(&src).unwrap().display());
            }
        }
    }
}

#[test]
fn every_file_of_tests_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let suite = std::fs::read_to_string(folder.join("suite.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "suite") else { continue };
        assert!(suite.contains(&format!("mod {module};")), "tests/suite.rs does not name {module}");
    }
}
