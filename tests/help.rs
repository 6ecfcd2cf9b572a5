//! `--help`, `--version`, the manual pages and the completions.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common::Bench;

use clap::Command;
use clap::CommandFactory;
use clap::Parser;
use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::engines;
use fk_doctor::internals::exit::Exit;

/// Returns the commands with the words that call them, such as `["rules", "check"]`.
fn commands(command: &Command, words: &[String]) -> Vec<(Vec<String>, Command)> {
    let mut found = vec![(words.to_vec(), command.clone())];
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        found.extend(commands(inner, &[words, &[inner.get_name().to_owned()]].concat()));
    }
    found
}

/// Splits a command line at its spaces, as a shell does. A text in '…' is one word.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" > ").next().unwrap_or_default();
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(index, part)| match index % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

#[test]
fn help_of_every_command_has_valid_examples_and_exit_codes() {
    let bench = Bench::empty();
    let all = commands(&Cli::command(), &[]);
    assert!(all.len() > 18, "{}", all.len());
    for (path, _) in all {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let run = bench.run_in(&arguments, &[("COLUMNS", "200")]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{path:?}");
        let (_, end) = run.stdout.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{path:?} has no examples"));
        let (examples, exits) = end.split_once("\nExit codes:\n").unwrap();
        let examples: Vec<&str> =
            examples.lines().map(str::trim).filter(|line| line.starts_with("fk-doctor")).collect();
        assert!(!examples.is_empty(), "{path:?}");
        for example in examples {
            let typed = words(example);
            assert!(
                path.is_empty() || typed[1..].starts_with(&path),
                "{path:?} has an example of another command: {example}"
            );
            if let Err(error) = Cli::try_parse_from(&typed) {
                panic!("{example}\n{error}");
            }
        }
        let codes: Vec<u8> = exits.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        let known: Vec<u8> = Exit::ALL.map(Exit::code).into_iter().filter(|code| codes.contains(code)).collect();
        assert_eq!(codes, known, "{path:?}");
        assert!(codes.starts_with(&[0]) && codes.contains(&2), "{path:?}: {codes:?}");
    }
}

#[test]
fn meaning_of_an_exit_code_wraps_beside_its_code() {
    for columns in ["80", "100"] {
        let run = Bench::empty().run_in(&["apply", "--help"], &[("COLUMNS", columns)]);
        let meaning = "\n  6    changed, but not to the end or not clean: orphans or skipped rows are\n       left, or a signal ended the run\n";
        assert!(run.stdout.contains(meaning), "{}", run.stdout);
    }
}

#[test]
fn version_names_the_commit_and_the_bundled_sqlite() {
    let bench = Bench::empty();
    let short = bench.run(&["-V"]).stdout;
    assert_eq!(short, format!("fk-doctor {}\n", env!("CARGO_PKG_VERSION")));
    let long = bench.run(&["--version"]).stdout;
    assert!(long.starts_with(short.trim_end()), "{long}");
    assert!(long.contains("\ncommit "), "{long}");
    assert!(long.contains(&format!("\nSQLite {} (bundled)", engines::bundled_sqlite())), "{long}");
}

#[test]
fn every_command_has_a_manual_page() {
    let bench = Bench::empty();
    for command in Cli::command().get_subcommands().filter(|command| command.get_name() != "help") {
        let page = bench.run(&["man", command.get_name()]);
        assert_eq!(page.code, 0, "{}", page.stderr);
        let name = format!("fk\\-doctor\\-{}", command.get_name().replace('-', "\\-"));
        assert!(page.stdout.contains(&format!(".SH NAME\n{name}")), "{}", page.stdout);
        assert!(page.stdout.contains("Exit codes:"), "{}", page.stdout);
    }
    let unknown = bench.run(&["man", "scna"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("fk-doctor has no command of this name"), "{}", unknown.stderr);
}

#[test]
fn completions_of_every_shell_name_every_command() {
    let bench = Bench::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.run(&["completions", shell]);
        assert_eq!(script.code, 0, "{shell}: {}", script.stderr);
        for command in Cli::command().get_subcommands() {
            assert!(script.stdout.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
    }
}

/// `--leave-undecided` only matters when a plan is applied.
#[test]
fn undo_refuses_the_option_that_only_apply_uses() {
    let bench = Bench::empty();
    let run = bench.run(&["undo", "app.db", "plan.ndjson", "--leave-undecided"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("unexpected argument '--leave-undecided'"), "{}", run.stderr);
}
