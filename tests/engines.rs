//! Code outside an engine's own files asks for facts and capabilities. It never asks which engine it works with.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;
use std::path::PathBuf;

use fk_doctor::internals::model::catalog::Engine;

/// Files and folders that may name an engine: its folder, its SQL, and the tables with one entry for each engine.
const MAY_NAME_ENGINES: &[&str] = &[
    "engine/",
    "engines.rs",
    "model/facts.rs",
    "sql/capabilities.rs",
    "sql/grammar/",
    "sql/mysql/",
    "sql/read/tokens.rs",
    "sql/spark.rs",
];

fn sources() -> (PathBuf, Vec<PathBuf>) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![src.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    (src, found)
}

/// Returns the lines of a file that are neither a comment nor part of its tests.
fn product(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn engine_variant_outside_its_files_is_refused() {
    let (src, files) = sources();
    let mut wrong = Vec::new();
    for path in files.iter().filter(|path| !path.ends_with("tests.rs") && !path.ends_with("sample.rs")) {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
        if MAY_NAME_ENGINES.iter().any(|allowed| name.starts_with(allowed)) {
            continue;
        }
        let product = product(path);
        let named =
            Engine::ALL.iter().map(|engine| format!("Engine::{engine:?}")).filter(|name| product.contains(name));
        wrong.extend(named.map(|engine| format!("{name} names {engine}: ask for one of `Engine::facts()`")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn allowed_file_without_an_engine_is_reported() {
    let (src, files) = sources();
    let names_engine = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        Engine::ALL.iter().any(|engine| text.contains(&format!("Engine::{engine:?}")))
    };
    let naming: Vec<&str> =
        files.iter().filter(names_engine).map(|path| path.strip_prefix(&src).unwrap().to_str().unwrap()).collect();
    for allowed in MAY_NAME_ENGINES {
        assert!(naming.iter().any(|name| name.starts_with(allowed)), "{allowed} names no engine");
    }
}

#[test]
fn engine_table_has_no_wildcard() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for table in ["engines.rs", "model/facts.rs", "sql/capabilities.rs"] {
        let product = product(&src.join(table));
        let (_, entries) = product.split_once("Engine::Sqlite =>").unwrap();
        let entries = entries.split("\n    }\n").next().unwrap();
        for engine in Engine::ALL {
            assert!(
                *engine == Engine::Sqlite || entries.contains(&format!("Engine::{engine:?}")),
                "{table}: {engine:?}"
            );
        }
        assert!(!entries.contains("_ =>"), "{table}: a new engine must not compile before it has an entry");
    }
}
