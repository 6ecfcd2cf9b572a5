//! `schema --table` and `--around`: the surroundings of some tables, in every format.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;

/// A chain a -> b -> c -> d, a table that refers to c and to a table that does not exist, and two parents of d.
fn chain() -> Bench {
    Bench::new(
        "CREATE TABLE e(id INTEGER PRIMARY KEY); CREATE TABLE f(id INTEGER PRIMARY KEY);
        CREATE TABLE d(id INTEGER PRIMARY KEY, e REFERENCES e(id), f REFERENCES f(id));
        CREATE TABLE c(id INTEGER PRIMARY KEY, d REFERENCES d(id));
        CREATE TABLE b(id INTEGER PRIMARY KEY, c REFERENCES c(id));
        CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b(id));
        CREATE TABLE x(id INTEGER PRIMARY KEY, c REFERENCES c(id), g REFERENCES gone(id));",
    )
}

/// Returns the names of the tables, and the children and parents of the relations.
fn shown(bench: &Bench, options: &[&str]) -> (String, Vec<String>) {
    let run = bench.run(&[&["schema", "app.db", "--format", "json"], options].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("schema", &report);
    let tables = report["tables"].as_array().unwrap();
    let mut names: Vec<&str> = tables.iter().map(|table| table["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let relations = report["relations"].as_array().unwrap();
    let mut ids: Vec<String> = relations
        .iter()
        .map(|about| {
            format!("{}{}", about["child"]["table"].as_str().unwrap(), about["parent"]["table"].as_str().unwrap())
        })
        .collect();
    ids.sort_unstable();
    let omitted = &report["omitted"];
    assert_eq!(omitted["tables"].as_u64().unwrap_or(0) as usize, 7 - names.len(), "{report:#}");
    assert_eq!(omitted["relations"].as_u64().unwrap_or(0) as usize, 7 - ids.len(), "{report:#}");
    (names.concat(), ids)
}

#[test]
fn steps_around_a_table_select_its_neighbours_and_their_relations() {
    let bench = chain();
    let cases: [(&[&str], &str, &[&str]); 8] = [
        (&[], "abcdefx", &["ab", "bc", "cd", "de", "df", "xc", "xgone"]),
        // Without steps: the relations of the table, as in a scan.
        (&["--table", "c"], "bcdx", &["bc", "cd", "xc"]),
        (&["--table", "c", "--around", "0"], "c", &[]),
        (&["--table", "[bc]", "--around", "0"], "bc", &["bc"]),
        (&["--table", "c", "--around", "1"], "bcdx", &["bc", "cd", "xc"]),
        (&["--table", "c", "--around", "2"], "abcdefx", &["ab", "bc", "cd", "de", "df", "xc", "xgone"]),
        (&["--table", "a", "--table", "e", "--around", "1"], "abde", &["ab", "de"]),
        (&["--table", "gone", "--around", "99"], "abcdefx", &["ab", "bc", "cd", "de", "df", "xc", "xgone"]),
    ];
    for (options, tables, relations) in cases {
        let (names, ids) = shown(&bench, options);
        assert_eq!((names.as_str(), ids), (tables, relations.iter().map(ToString::to_string).collect()), "{options:?}");
    }
}

#[test]
fn every_format_contains_the_selection_only_and_says_so() {
    let bench = chain();
    let report = |format| bench.run(&["schema", "app.db", "--table", "e", "--format", format]).stdout;
    let table = report("table");
    assert!(table.contains("d(e)->e(id)") && !table.contains("d(f)->f(id)"), "{table}");
    let start: String = common::in_one_line(&table);
    assert!(start.contains("1 of 7 relations") && start.contains("2 of 7 tables"), "{table}");
    let mermaid = report("mermaid");
    assert_eq!(mermaid.lines().filter(|line| line.contains("o{")).count(), 1, "{mermaid}");
    assert!(!mermaid.contains("gone") && !mermaid.contains("    f {"), "{mermaid}");
    let dot = report("dot");
    assert_eq!(dot.matches(" -> ").count(), 1, "{dot}");
    assert!(dot.contains("label=<app.db: 2 of 7 tables, 1 of 7 relations>"), "{dot}");
}

#[test]
fn wrong_selection_is_an_error_that_helps() {
    let bench = chain();
    let run = bench.run(&["schema", "app.db", "--table", "gne"]);
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(run.stderr.contains("gone"), "the near name is shown: {}", run.stderr);
    let run = bench.run(&["schema", "app.db", "--around", "1"]);
    assert!(run.code == 2 && run.stderr.contains("--table"), "{}", run.stderr);
}

#[test]
fn diagram_too_large_for_mermaid_says_so_with_the_command_for_the_whole() {
    let tables: String = (0..900)
        .map(|n| {
            let kind = if n == 300 { "TEXT" } else { "INTEGER" };
            format!("CREATE TABLE a_table_with_a_long_name_{n}(id INTEGER PRIMARY KEY, parent {kind} REFERENCES p(id), a, b, c);")
        })
        .collect();
    let bench = Bench::new(&format!("CREATE TABLE p(id INTEGER PRIMARY KEY);{tables}"));
    let run = bench.run(&["schema", "app.db", "--format", "mermaid"]);
    let note =
        "1 of 900 relations are drawn, those with errors or warnings, because Mermaid draws at most 50,000 characters";
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, format!("note: {note}; the whole schema: fk-doctor schema app.db --format dot\n").as_str())
    );
    assert!(run.stdout.contains(&format!("m0[\"{note}\"]")), "{}", run.stdout);
    assert_eq!(run.stdout.matches("o{").count(), 1, "{}", run.stdout);
    let around = ["schema", "app.db", "--table", "*_30", "--format", "mermaid"];
    let run = bench.run(&around);
    assert!(run.stderr.is_empty() && !run.stdout.contains("m0"), "{}", run.stderr);
}

#[test]
fn tables_of_the_engine_are_not_counted() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);
        CREATE TABLE other(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO p VALUES (1); INSERT INTO other VALUES (1);",
    );
    let first_line = |arguments: &[&str]| bench.run(arguments).stdout.lines().next().unwrap_or_default().to_owned();
    assert!(first_line(&["schema", "app.db"]).contains("3 tables"), "{}", first_line(&["schema", "app.db"]));
    let part = first_line(&["schema", "app.db", "--table", "c"]);
    assert!(part.contains("2 of 3 tables"), "{part}");
    rusqlite::Connection::open(bench.path("app.db")).unwrap().execute_batch("DROP TABLE c").unwrap();
    let nothing = first_line(&["scan", "app.db"]);
    assert!(nothing.contains("nothing was checked (2 tables)"), "{nothing}");
}
