//! The pages about codes and causes: each has a page, which people find in `docs/codes/` and through `fk-doctor code`. The
//! commands, rules and settings that the pages advise are valid.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::common::Bench;

use clap::Parser;
use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::config;
use fk_doctor::internals::report::code_page::Topic;

const HEADINGS: [&str; 4] = ["What it means", "What happens", "Example", "What to do"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/codes")
}

/// Returns the sections of a page, each with its heading.
fn sections(topic: Topic) -> Vec<(String, String)> {
    let sections = topic.text().split("\n## ").skip(1).map(|section| {
        let (heading, text) = section.split_once('\n').unwrap();
        (heading.to_owned(), text.trim().to_owned())
    });
    sections.collect()
}

/// Returns the blocks of code of a page with their languages.
fn blocks(topic: Topic) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut is_open = false;
    for line in topic.text().lines() {
        match line.trim().strip_prefix("```") {
            Some(language) if !is_open => {
                assert!(!language.is_empty(), "{}: a block of code needs a language", topic.name());
                blocks.push((language.to_owned(), String::new()));
                is_open = true;
            }
            Some(_) => is_open = false,
            None if is_open => {
                let (_, block) = blocks.last_mut().unwrap();
                block.push_str(line.strip_prefix("   ").unwrap_or(line));
                block.push('\n');
            }
            None => {}
        }
    }
    assert!(!is_open, "{}: a block of code is not closed", topic.name());
    blocks
}

#[test]
fn every_code_and_cause_has_a_page_of_four_sections() {
    for topic in Topic::all() {
        let name = topic.name();
        match topic {
            Topic::Code(code) => {
                let title = format!("{name} ({}): {}", code.severity().name(), code.explanation());
                assert_eq!(topic.title(), title, "the title of docs/codes/{name}.md");
            }
            Topic::Cause(_) => assert!(topic.title().starts_with(&format!("{name} (cause): ")), "{name}"),
        }
        let sections = sections(topic);
        assert_eq!(sections.iter().map(|(heading, _)| heading.as_str()).collect::<Vec<_>>(), HEADINGS, "{name}");
        assert!(sections.iter().all(|(_, text)| text.len() > 20), "{name} has an empty section");
        // The pages are the same on a terminal without UTF-8.
        assert!(topic.text().is_ascii(), "{name} is not ASCII");
        let happens = &sections[1].1;
        for engine in ["SQLite", "PostgreSQL", "MySQL", "MariaDB"] {
            assert!(happens.contains("All engines") || happens.contains(engine), "{name} leaves out {engine}");
        }
    }
    let names: BTreeSet<String> = Topic::all().into_iter().map(|topic| format!("{}.md", topic.name())).collect();
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|file| file != "README.md").collect();
    assert_eq!(files, names);
}

/// The index of `docs/codes/` lists every page with its title. `BLESS=1` rewrites it.
#[test]
fn index_lists_every_page() {
    let mut index =
        "# Codes of findings and causes of missing keys\n\nThe same pages: `fk-doctor code NAME`.\n".to_owned();
    let is_code = |topic: &Topic| matches!(topic, Topic::Code(_));
    for (heading, codes) in [("Codes", true), ("Causes", false)] {
        index.push_str(&format!("\n## {heading}\n\n"));
        for topic in Topic::all().into_iter().filter(|topic| is_code(topic) == codes) {
            let (_, summary) = topic.title().split_once(": ").unwrap();
            index.push_str(&format!("* [`{0}`]({0}.md): {summary}\n", topic.name()));
        }
    }
    let file = folder().join("README.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &index).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), index, "BLESS=1 rewrites it");
}

#[test]
fn advice_of_the_pages_is_valid() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in Topic::all() {
        let name = topic.name();
        for (language, block) in blocks(topic) {
            match language.as_str() {
                "sh" => {
                    for line in block.replace("\\\n", "").lines() {
                        command_is_valid(name, line);
                        *counts.entry("commands").or_default() += 1;
                    }
                }
                "toml" if block.contains("[[rule]]") => {
                    config::rules::parse(&block).unwrap_or_else(|faults| panic!("{name}: {faults:?}\n{block}"));
                    *counts.entry("rules").or_default() += 1;
                }
                "toml" => {
                    config::parse(&block).unwrap_or_else(|faults| panic!("{name}: {faults:?}\n{block}"));
                    *counts.entry("settings").or_default() += 1;
                }
                "sql" | "text" => {}
                other => panic!("{name}: {other} is checked by no test"),
            }
        }
        for command in topic.text().split('`').filter(|span| span.starts_with("fk-doctor ")) {
            let whole = if command == "fk-doctor rules suggest" { "fk-doctor rules suggest app.db" } else { command };
            let incomplete = ["fk-doctor check", "fk-doctor schema", "fk-doctor repair --enforce"];
            if !incomplete.contains(&whole) {
                command_is_valid(name, whole);
            }
            if let Some(other) = whole.strip_prefix("fk-doctor code ").filter(|other| *other != "CAUSE") {
                assert!(Topic::all().into_iter().any(|topic| topic.name() == other), "{name} refers to {other}");
            }
        }
    }
    assert!(counts["commands"] > 10 && counts["rules"] > 4 && counts["settings"] > 2, "{counts:?}");
}

fn command_is_valid(page: &str, line: &str) {
    let (command, _) = line.split_once(" > ").unwrap_or((line, ""));
    let mut words: Vec<String> = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    assert_eq!(words.first().map(String::as_str), Some("fk-doctor"), "{page}: {line}");
    if let Err(error) = Cli::try_parse_from(words) {
        panic!("{page}: {line}\n{error}");
    }
}

#[test]
fn command_prints_a_page_or_suggests_the_nearest() {
    let bench = Bench::empty();
    let run = |name: &str| bench.run(&["code", name]);
    for written in ["parent-key-not-unique", "Parent_Key_Not_Unique", "error[parent-key-not-unique]"] {
        let page = run(written);
        assert_eq!((page.code, page.stderr.as_str()), (0, ""), "{written}");
        assert!(page.stdout.starts_with("parent-key-not-unique (error): no primary key"), "{}", page.stdout);
    }
    let unknown = run("parent-key-unique");
    let expected = "\
error: could not read the page about \"parent-key-unique\"
because: there is no code and no cause of this name
help: fk-doctor code parent-key-not-unique
";
    assert_eq!((unknown.code, unknown.stdout.as_str(), unknown.stderr.as_str()), (2, "", expected));
    assert!(run("not-unique").stderr.ends_with("help: fk-doctor code parent-key-not-unique\n"));
    assert!(run("orfan").stderr.ends_with("help: fk-doctor code orphan\n"));
    let odd = run("zzz");
    assert!(
        odd.stderr.ends_with(
            "because: there is no code and no cause of this name; the command lists all\nhelp: fk-doctor code\n"
        ),
        "{}",
        odd.stderr
    );
    let list = bench.run(&["code"]);
    assert_eq!(list.code, 0);
    for topic in Topic::all() {
        assert!(
            list.stdout.lines().any(|line| line.split_whitespace().next() == Some(topic.name())),
            "{}",
            topic.name()
        );
    }
}
