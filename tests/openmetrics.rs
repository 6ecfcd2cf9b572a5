//! The metrics of a scan, read by a strict parser of the text format.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::common::Bench;

const SEED: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY);
CREATE TABLE \"odd \"\"name\\\"(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id));
CREATE TABLE lost(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(absent));
INSERT INTO \"odd \"\"name\\\" VALUES (1, 7), (2, 7), (3, 8);
INSERT INTO lost VALUES (1, 1);";

type Labels = BTreeMap<String, String>;

/// Returns each sample: its name, its labels and its value. Panics at everything that the format does not allow.
fn parse(text: &str) -> Vec<(String, Labels, u64)> {
    let mut samples = Vec::new();
    let mut families = BTreeSet::new();
    let mut family = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            assert_eq!(lines.next(), None, "nothing follows the end");
            assert!(text.ends_with('\n'));
            return samples;
        }
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned()), "{name} has two families");
            assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{name}");
            assert!(words.ends_with('.') && !words.contains(['\\', '"']), "{words}");
            assert_eq!(lines.next(), Some(format!("# TYPE {name} gauge").as_str()));
            family = name.to_owned();
            continue;
        }
        let (name, rest) = line.split_once('{').unwrap();
        assert_eq!(name, family, "the samples of a metric stand together");
        let (labels, value) = labels(rest);
        samples.push((name.to_owned(), labels, value.strip_prefix(' ').unwrap().parse().unwrap()));
    }
    panic!("no end: {text}");
}

/// Reads `a="x",b="y"} 1` after the brace. Returns the labels and the rest.
fn labels(mut rest: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match letters.next().unwrap().1 {
                    'n' => '\n',
                    same @ ('\\' | '"') => same,
                    other => panic!("\\{other}"),
                }),
                (_, letter) => value.push(letter),
            }
        };
        assert_eq!(labels.insert(name.to_owned(), value), None, "{name} occurs twice");
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (labels, rest.strip_prefix('}').unwrap()),
        }
    }
}

#[test]
fn metrics_have_numbers_of_every_checked_relation() {
    let bench = Bench::new(SEED);
    let run = bench.run(&["scan", "app.db", "--format", "openmetrics"]);
    let samples = parse(&run.stdout);
    let distinct: BTreeSet<(&String, &Labels)> = samples.iter().map(|(name, labels, _)| (name, labels)).collect();
    assert_eq!(distinct.len(), samples.len(), "no sample occurs twice");
    assert!(samples.iter().all(|(_, labels, _)| labels["database"] == "app.db"), "{samples:?}");
    let value = |metric: &str, wanted: &[(&str, &str)]| {
        let has = |labels: &Labels| wanted.iter().all(|(name, value)| labels.get(*name).is_some_and(|it| it == value));
        samples.iter().find(|(name, labels, _)| name == metric && has(labels)).map(|(_, _, value)| *value)
    };
    let odd = [("relation", "\"odd \"\"name\\\"(r)->p(id)")];
    let odd = if value("fk_doctor_rows", &odd).is_some() { odd } else { [("relation", "odd \"name\\(r)->p(id)")] };
    assert_eq!(value("fk_doctor_rows", &odd), Some(3), "{}", run.stdout);
    assert_eq!(value("fk_doctor_orphan_rows", &odd), Some(3));
    assert_eq!(value("fk_doctor_missing_keys", &odd), Some(2));
    assert_eq!(value("fk_doctor_relation_checked", &odd), Some(1));
    assert_eq!(value("fk_doctor_findings", &[("code", "orphan"), ("known", "false")]), Some(1));
    // The other relation could not be checked: its numbers are absent, and not zero.
    let lost = [("relation", "lost(r)->p(absent)")];
    assert_eq!(value("fk_doctor_relation_checked", &lost), Some(0));
    assert_eq!(value("fk_doctor_orphan_rows", &lost), None);
    assert_eq!(value("fk_doctor_rows", &lost), None);
    assert_eq!(value("fk_doctor_relations", &[("coverage", "unchecked")]), Some(1));
    assert_eq!(value("fk_doctor_scan_verdict", &[("verdict", "clean")]), Some(0));
    assert_eq!(value("fk_doctor_scan_verdict", &[("verdict", "incomplete")]), Some(1));
}

#[test]
fn clean_database_has_zeros_and_its_verdict() {
    let bench = Bench::new("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INTEGER REFERENCES p(id));");
    let run = bench.run(&["scan", "app.db", "-o", "app.prom"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let samples = parse(&std::fs::read_to_string(bench.path("app.prom")).unwrap());
    let is = |metric: &str, expected: u64| samples.iter().any(|(name, _, value)| name == metric && *value == expected);
    assert!(is("fk_doctor_orphan_rows", 0) && is("fk_doctor_failing_findings", 0), "{samples:?}");
    assert!(
        samples.iter().any(|(_, labels, value)| labels.get("verdict").is_some_and(|it| it == "clean") && *value == 1)
    );
}

/// The metrics of two databases cannot follow each other in one stream, because the samples of a metric stand together.
#[test]
fn several_databases_need_a_file_each() {
    let bench = Bench::new("CREATE TABLE t(i)");
    std::fs::copy(bench.path("app.db"), bench.path("b.db")).unwrap();
    assert_eq!(bench.run(&["scan", "app.db", "b.db", "--format", "openmetrics"]).code, 2);
    assert_eq!(bench.run(&["scan", "app.db", "b.db", "--format", "openmetrics={db}.prom"]).code, 0);
}
