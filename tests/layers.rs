//! The architecture as a table: which part of `src/` may use which, and which may access the outside world.
//!
//! A part is a file or folder directly under `src/`. Every part has a row. A row without a file is an error.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::source_paths;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use source_paths::Source;

/// Each part and the parts that it uses. A part uses only parts above it, so that data flows one way.
const PARTS: &[(&str, &[&str])] = &[
    // Data types and the functions on them.
    ("exit", &[]),
    ("whole_file", &[]),
    ("model", &[]),
    ("source", &["model"]),
    ("sql", &["model"]),
    ("config", &["model"]),
    // Databases and files.
    ("engine", &["model", "source", "sql", "whole_file"]),
    ("engines", &["engine", "model", "source"]),
    ("intake", &["model"]),
    ("plan_file", &["model"]),
    ("quarantine_file", &["model", "plan_file", "whole_file"]),
    ("history_file", &["model"]),
    // Output.
    ("report", &["model"]),
    // Stages.
    ("scan", &["engine", "model", "sql"]),
    ("diagnose", &["engine", "model", "scan", "sql"]),
    ("discover", &["engine", "model", "sql"]),
    ("findings", &["model", "scan"]),
    ("examine", &["diagnose", "engine", "findings", "model", "scan", "sql"]),
    ("check", &["diagnose", "engine", "findings", "intake", "model", "scan", "sql"]),
    ("explain", &["diagnose", "engine", "findings", "model", "scan", "sql"]),
    ("stored_rows", &["engine", "model", "sql"]),
    ("plan_draft", &["model", "plan_file"]),
    ("treat", &["engine", "model", "plan_draft", "plan_file", "quarantine_file", "scan", "sql", "stored_rows"]),
    ("apply", &["engine", "model", "plan_file", "quarantine_file", "scan", "sql", "stored_rows"]),
    // The interface for other programs.
    ("library", &["engine", "engines", "examine", "model", "scan", "source"]),
    // Arguments and configuration.
    ("cli", &["config", "examine", "exit", "intake", "model", "report", "sql"]),
    // The commands, which use every stage.
    (
        "run",
        &[
            "apply",
            "check",
            "cli",
            "config",
            "discover",
            "engine",
            "engines",
            "examine",
            "exit",
            "explain",
            "history_file",
            "intake",
            "model",
            "plan_file",
            "quarantine_file",
            "report",
            "scan",
            "source",
            "sql",
            "treat",
            "whole_file",
        ],
    ),
    // The program.
    ("internal_fault", &["exit"]),
    ("stop_signal", &["run"]),
    ("progress", &["model", "stop_signal"]),
    ("dialogue", &["model", "progress", "run"]),
    ("output", &["progress", "run", "whole_file"]),
    (
        "main",
        &[
            "apply",
            "dialogue",
            "internal_fault",
            "cli",
            "discover",
            "engines",
            "exit",
            "explain",
            "model",
            "output",
            "progress",
            "report",
            "run",
            "scan",
            "source",
            "stop_signal",
        ],
    ),
];

/// Modules that use a part against the order, each with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Paths and macros that only these modules may use.
const RESERVED: &[(&str, &[&str])] = &[
    // Only `main` and the sink that it passes to `run` may print and exit. These macros panic on a closed pipe.
    ("println!", &[]),
    ("print!", &[]),
    ("eprintln!", &[]),
    ("eprint!", &[]),
    ("dbg!", &[]),
    ("std::io::stdout", &["dialogue", "main", "output"]),
    ("std::io::stderr", &["dialogue", "main", "progress"]),
    ("std::process", &["main"]),
    ("std::env", &["internal_fault", "engine", "library", "main"]),
    // Files.
    (
        "std::fs",
        &[
            "apply::journal",
            "engine::files",
            "engine::orphan_list",
            "engine::read_at",
            "engine::sqlite",
            "output",
            "plan_file",
            "quarantine_file",
            "run",
            // The only function of this part that reads anything. Parsing gets it as an argument.
            "source::surroundings",
            "whole_file",
        ],
    ),
    ("tempfile", &["engine", "run", "whole_file"]),
    // Clocks and threads.
    ("std::time::Instant", &["apply::batches", "apply::gentle", "engine", "progress", "run"]),
    ("std::time::SystemTime", &["engine::files", "engine::sqlite", "main"]),
    ("std::thread", &["apply::gentle", "apply::lines_ahead", "engine", "library", "main", "progress", "run", "scan"]),
    // Only the engine's part and the table of engines know an engine, and only the engine knows its driver.
    ("crate::engine::files", &["engine", "engines"]),
    ("crate::engine::sqlite", &["engine", "engines"]),
    ("crate::engine::postgres", &["engine", "engines"]),
    ("crate::engine::mysql", &["engine", "engines"]),
    ("crate::engine::spark", &["engine", "engines"]),
    ("crate::engine::wire", &["engine"]),
    ("parquet", &["engine::files"]),
    ("spark_connect_core", &["engine::spark"]),
    ("spark_connect_proto", &["engine::spark"]),
    ("arrow_array", &["engine::spark"]),
    ("arrow_ipc", &["engine::spark"]),
    ("arrow_schema", &["engine::spark"]),
    ("sqlx", &["engine::mysql", "engine::postgres", "engine::wire"]),
    ("tokio", &["engine::spark", "engine::wire"]),
    ("std::net", &[]),
    // A plan is drafted in a separate database.
    ("rusqlite::Connection", &["engine::files", "engine::sqlite", "plan_draft"]),
    ("rusqlite", &["engine::files", "engine::sqlite", "plan_draft", "run", "treat"]),
    // Text formats.
    ("toml", &["config", "discover::weights"]),
    ("clap", &["cli", "main"]),
    ("serde", &["apply::journal", "engine::files", "history_file", "intake", "plan_file", "report"]),
    ("comfy_table", &["main", "report"]),
];

/// Modules that a part must not use, although it uses their part.
const FORBIDDEN: &[(&str, &[&str])] = &[
    // Engines answer queries and make no decisions.
    ("engine", &["crate::model::finding", "crate::model::relation", "crate::model::schema"]),
    ("engine::files", &["crate::engine::mysql", "crate::engine::postgres", "crate::engine::wire"]),
    ("engine::sqlite", &["crate::engine::mysql", "crate::engine::postgres", "crate::engine::wire"]),
    ("engine::postgres", &["crate::engine::mysql", "crate::engine::sqlite"]),
    ("engine::mysql", &["crate::engine::postgres", "crate::engine::sqlite"]),
    ("engine::wire", &["crate::engine::mysql", "crate::engine::postgres", "crate::engine::sqlite"]),
    ("plan_file", &["crate::treat"]),
    // SQL of other authors is parsed, but never becomes a statement of fk-doctor.
    ("sql::read", &["crate::sql::grammar", "crate::sql::phrases", "crate::sql::query"]),
];

/// One test, because reading the sources takes most of its time.
#[test]
fn sources_obey_the_architecture() {
    let sources = source_paths::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    every_part_has_a_row(&sources);
    parts_use_only_parts_above_them(&sources);
    reserved_paths_are_used_only_by_their_modules(&sources);
    forbidden_modules_are_not_used(&sources);
    nobody_imports_the_whole_crate(&sources);
}

/// True if a path is this one or leads into it.
fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns the path of a module without `crate::`, as the tables name it.
fn short(module: &str) -> &str {
    module.strip_prefix("crate::").unwrap_or("")
}

fn part(path: &str) -> &str {
    short(path).split("::").next().unwrap()
}

/// Returns every use of another part by a module: the module, the part, and the location.
fn uses(sources: &[Source]) -> BTreeMap<(&str, &str), String> {
    let mut uses = BTreeMap::new();
    for source in sources.iter().filter(|source| source.module != "crate") {
        for (path, line) in source.mentions.iter().filter(|(path, _)| path.starts_with("crate::")) {
            if part(path) != part(&source.module) {
                uses.entry((short(&source.module), part(path)))
                    .or_insert(format!("src/{}:{line} mentions {path}", source.file));
            }
        }
    }
    uses
}

fn every_part_has_a_row(sources: &[Source]) {
    let parts: BTreeSet<&str> =
        sources.iter().map(|source| part(&source.module)).filter(|part| !part.is_empty()).collect();
    let rows: BTreeSet<&str> = PARTS.iter().map(|(part, _)| *part).collect();
    assert_eq!(rows.len(), PARTS.len(), "a part has two rows");
    let missing: Vec<_> = parts.difference(&rows).collect();
    assert!(missing.is_empty(), "{missing:?}: give each part a row in PARTS");
    let stale: Vec<_> = rows.difference(&parts).collect();
    assert!(stale.is_empty(), "{stale:?}: no such part; remove the row from PARTS");
}

fn parts_use_only_parts_above_them(sources: &[Source]) {
    let uses = uses(sources);
    let mut wrong = Vec::new();
    for (index, (part, may_use)) in PARTS.iter().enumerate() {
        for used in may_use.iter().filter(|used| !PARTS[..index].iter().any(|(above, _)| above == *used)) {
            wrong.push(format!("PARTS: {used} is not above {part}"));
        }
        for used in may_use.iter().filter(|used| {
            !uses.keys().any(|(module, of)| self::part(&format!("crate::{module}")) == *part && of == *used)
        }) {
            wrong.push(format!("PARTS: {part} does not use {used} any more; take it out of the row"));
        }
    }
    let is_exception = |module: &str, used: &str| {
        EXCEPTIONS.iter().any(|(of, exception, _)| is_within(module, of) && *exception == used)
    };
    for ((module, used), mention) in &uses {
        let Some((_, may_use)) = PARTS.iter().find(|(part, _)| is_within(module, part)) else {
            continue; // `every_part_has_a_row` reports it.
        };
        if !may_use.contains(used) && !is_exception(module, used) {
            wrong.push(format!("{mention}: {module} may not use {used}"));
        }
    }
    for (of, exception, _) in EXCEPTIONS {
        if !uses.keys().any(|(module, used)| is_within(module, of) && used == exception) {
            wrong.push(format!("EXCEPTIONS: {of} does not use {exception} any more; remove the exception"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn reserved_paths_are_used_only_by_their_modules(sources: &[Source]) {
    let mut wrong = Vec::new();
    for (reserved, modules) in RESERVED {
        let mut used = BTreeSet::new();
        for source in sources {
            let called = reserved.strip_suffix('!').and_then(|name| source.macros.get(name));
            let mentioned = source.mentions.iter().find(|(path, _)| is_within(path, reserved)).map(|(_, line)| line);
            let Some(line) = called.or(mentioned) else { continue };
            match modules.iter().find(|module| is_within(short(&source.module), module)) {
                Some(module) => used.extend([*module]),
                None => wrong.push(format!("src/{}:{line} uses {reserved}", source.file)),
            }
        }
        for module in modules.iter().filter(|module| !used.contains(*module)) {
            wrong.push(format!("RESERVED: {module} does not use {reserved} any more; take it out of the row"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn forbidden_modules_are_not_used(sources: &[Source]) {
    let mut wrong = Vec::new();
    for (module, forbidden) in FORBIDDEN {
        let within: Vec<&Source> = sources.iter().filter(|source| is_within(short(&source.module), module)).collect();
        assert!(!within.is_empty(), "FORBIDDEN: there is no module {module}");
        for path in *forbidden {
            assert!(
                sources.iter().any(|source| is_within(&source.module, path)),
                "FORBIDDEN: there is no module {path}"
            );
            for source in &within {
                let mentioned = source.mentions.iter().filter(|(mention, _)| is_within(mention, path));
                wrong.extend(mentioned.map(|(mention, line)| format!("src/{}:{line} mentions {mention}", source.file)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A glob import hides from which part a name comes.
fn nobody_imports_the_whole_crate(sources: &[Source]) {
    for source in sources {
        assert!(!source.mentions.contains_key("crate::*"), "src/{} imports crate::*", source.file);
    }
}

#[test]
fn test_file_without_module_is_reported() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for (folder, program) in [(tests.clone(), "suite.rs"), (tests.join("servers"), "main.rs")] {
        let modules = std::fs::read_to_string(folder.join(program)).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(module) = name.strip_suffix(".rs").filter(|_| name != program) else { continue };
            assert!(modules.lines().any(|line| line == format!("mod {module};")), "{program} does not name {module}");
        }
    }
}

/// A binary in the repository is downloaded by everybody, forever.
#[test]
fn no_committed_file_is_larger_than_a_megabyte() {
    const LIMIT: u64 = 1_000_000;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // An archive of the sources is no repository.
    if !root.join(".git").exists() {
        return;
    }
    // The checkout may belong to another user.
    let arguments = ["-c", "safe.directory=*", "ls-files", "-z"];
    let listed = std::process::Command::new("git").args(arguments).current_dir(root).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<&str> = names.split_terminator('\0').collect();
    assert!(files.contains(&"Cargo.toml"), "git lists no files");
    let large: Vec<&str> =
        files.into_iter().filter(|name| root.join(name).metadata().is_ok_and(|file| file.len() > LIMIT)).collect();
    assert!(large.is_empty(), "larger than {LIMIT} bytes: {large:?}");
}
