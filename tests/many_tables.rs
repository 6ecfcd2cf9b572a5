//! Schemas of very many tables: the time of a repair grows with the number of tables, and not with its square, and its report stays
//! short.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::time::Duration;

use common::Bench;

/// Makes tables that refer to each other in circles, and all to the first. Each has five rows, one of which is an orphan.
fn circles(tables: usize) -> Bench {
    let mut seed = String::from("BEGIN;");
    for table in 0..tables {
        let next = table * 7 % tables;
        seed.push_str(&format!(
            "CREATE TABLE t{table}(id INTEGER PRIMARY KEY, next INTEGER REFERENCES t{next}(id), \
             hub INTEGER REFERENCES t0(id), name TEXT);
             INSERT INTO t{table} VALUES (1, 3, 4, 'a'), (2, 5, 2, 'b'), (3, 99, 5, 'c'), (4, 4, 3, 'd'), (5, 1, 1, 'e');"
        ));
    }
    seed.push_str("COMMIT;");
    let bench = Bench::new(&seed);
    for action in ["set-null", "quarantine", "placeholder"] {
        let rule = format!(
            "id = '{action}'\nexplain = 'Every relation.'\neven-if-parent-lost = true\n\n[relation]\nchild = '*'\n\n\
             [[treat]]\naction = '{action}'\n\n[limits]\nmax-rows = 1000000\nmax-share = 1.0\n"
        );
        bench.write(&format!("{action}.toml"), &rule);
    }
    bench
}

/// Runs a command. Returns the processor time that it took.
fn time(bench: &Bench, arguments: &[&str]) -> Duration {
    let script = "\"$0\" \"$@\" > out.txt 2>&1; code=$?; times; exit $code";
    let program = env!("CARGO_BIN_EXE_fk-doctor");
    let run = bench.run_program("sh", &[&["-c", script, program], arguments].concat(), &[]);
    let output = std::fs::read_to_string(bench.path("out.txt")).unwrap();
    assert!(matches!(run.code, 0 | 1), "{arguments:?}: {} {output}", run.code);
    // The second line has the times of the command: `0m1.25s 0m0.04s`.
    let times = run.stdout.lines().nth(1).unwrap().split_whitespace();
    times.map(seconds).sum()
}

fn seconds(text: &str) -> Duration {
    let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
    Duration::from_secs(60 * minutes.parse::<u64>().unwrap()) + Duration::from_secs_f64(seconds.parse().unwrap())
}

/// Plans a repair of all relations, applies it and takes it back. Returns the time of each step.
fn repair(bench: &Bench, action: &str) -> [Duration; 3] {
    let before = bench.dump();
    let (rules, plan) = (format!("{action}.toml"), format!("{action}.ndjson"));
    let planned = time(bench, &["repair", "app.db", "--rules", &rules, "-o", &plan]);
    let applied = time(bench, &["apply", "app.db", &plan, "--no-backup"]);
    let (code, scanned) = bench.scan();
    assert_eq!((code, scanned["summary"]["orphan_rows"].as_u64()), (0, Some(0)), "{action}");
    let undone = time(bench, &["undo", "app.db", &plan, "--no-backup"]);
    assert_eq!(bench.dump(), before, "{action}");
    [planned, applied, undone]
}

/// A report for people names some relations and tables, and counts the others.
#[test]
fn report_of_many_tables_stays_short() {
    let bench = circles(150);
    let lines = |arguments: &[&str], more: &[&str]| {
        let run = bench.run(arguments);
        assert!(matches!(run.code, 0 | 1), "{arguments:?}: {}", run.stderr);
        let number = run.stdout.lines().count();
        assert!(number < 170, "{arguments:?}: {number} lines");
        for text in more {
            let text_in_one_line = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text_in_one_line.contains(text), "{arguments:?}: {text}\n{}", run.stdout);
        }
    };
    let relations = "and 130 more relations: --format json has all";
    lines(
        &["repair", "app.db", "--rules", "set-null.toml", "-o", "plan"],
        &[relations, "and 130 rows of 130 more tables"],
    );
    lines(&["apply", "app.db", "plan", "--no-backup"], &["and 130 rows of 130 more tables"]);
    lines(&["undo", "app.db", "plan", "--no-backup"], &["and 130 rows of 130 more tables"]);
    lines(&["repair", "app.db", "--rules", "quarantine.toml"], &[relations, "and 650 rows of 130 more tables"]);
    let tables = "and 130 more tables: --format json has all";
    lines(&["repair", "app.db", "--relax", "*(*)"], &[tables, "and 130 more tables, which changes no row"]);
    bench.run(&["repair", "app.db", "--rules", "quarantine.toml", "--apply", "--no-backup"]);
    lines(&["restore", "app.db"], &[tables]);
}

/// A quadratic step takes 36 times as long with six times as many tables.
#[cfg(unix)]
#[test]
fn repair_of_many_tables_takes_time_for_each_table_once() {
    let (few, many) = (circles(150), circles(900));
    for action in ["set-null", "placeholder", "quarantine"] {
        let (few, many) = (repair(&few, action), repair(&many, action));
        for (step, (few, many)) in ["plan", "apply", "undo"].into_iter().zip(few.into_iter().zip(many)) {
            let ratio = many.as_secs_f64() / few.as_secs_f64();
            println!("{action}, {step}: {few:?} and {many:?}, {ratio:.1} times");
            assert!(ratio < 14.0, "{action}, {step}: {few:?} and {many:?}, {ratio:.1} times");
        }
    }
}
