//! Every folder under `fixtures/` is a case, described by its `case.toml`. Here each runs on SQLite; `servers/cases.rs`
//! runs it on the servers that it names. `BLESS=1` accepts new expected files, and `CASE=NAME` runs one case.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::case;
use crate::case::Case;
use crate::case::Engine;
use crate::case_run;
use crate::common;

use std::path::Path;

use case_run::Database;
use common::Bench;
use rusqlite::Connection;

struct Sqlite(Bench);

impl Sqlite {
    fn new(case: &Case) -> Sqlite {
        Sqlite(Bench::new(&case.seed(Engine::Sqlite)))
    }
}

impl Database for Sqlite {
    fn bench(&self) -> &Bench {
        &self.0
    }

    fn address(&self) -> String {
        "app.db".to_owned()
    }

    fn name(&self) -> String {
        "app.db".to_owned()
    }

    fn version(&self) -> String {
        rusqlite::version().to_owned()
    }

    fn execute(&self, sql: &str) {
        self.0.execute(sql);
    }

    fn query(&self, sql: &str) -> Vec<String> {
        let database = Connection::open(self.0.path("app.db")).unwrap();
        let mut statement = database.prepare(sql).unwrap();
        assert_eq!(statement.column_count(), 1, "a query has one column: {sql}");
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn dump(&self) -> String {
        self.0.dump()
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.0.path("app.db")).unwrap()
    }
}

fn on_sqlite() -> Vec<Case> {
    case::selected().into_iter().filter(|case| case.engines.contains(&Engine::Sqlite)).collect()
}

#[test]
fn sqlite_cases_print_expected_files() {
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let cases = on_sqlite();
        let started = cases.into_iter().map(|case| {
            scope.spawn(move || case_run::differences(&case, Engine::Sqlite, &Sqlite::new(&case), case_run::blesses()))
        });
        let started: Vec<_> = started.collect();
        started.into_iter().flat_map(|case| case.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// If a case prints its repair as a script and also applies it as a plan, both give the same database.
#[test]
fn repair_script_equals_its_plan() {
    let mut tested = 0;
    for case in on_sqlite() {
        let is_script = |step: &case::Step| step.words().ends_with(&["--format".to_owned(), "sql".to_owned()]);
        let Some(script) = case.steps.iter().find(|step| is_script(step)) else { continue };
        let apply =
            case.steps.iter().position(|step| step.words().first().is_some_and(|word| word == "apply") && step.changes);
        let apply = apply.unwrap_or_else(|| panic!("{}: a script is compared with a plan that is applied", case.name));
        let (planned, scripted) = (Sqlite::new(&case), Sqlite::new(&case));
        for database in [&planned, &scripted] {
            case_run::prepare(&case, database);
        }
        for step in case.steps[..=apply].iter().filter(|step| !step.words().is_empty()) {
            case_run::command(&planned, step.words(), &[]);
        }
        assert_ne!(planned.dump(), scripted.dump(), "{}: the plan changes something", case.name);
        // A script may word a changed definition differently. `relax.rs` compares such definitions.
        if definitions(&planned, &scripted) != definitions(&scripted, &scripted) {
            continue;
        }
        scripted.0.execute(&case_run::command(&scripted, script.words(), &[]).stdout);
        assert_eq!(scripted.dump(), planned.dump(), "{}", case.name);
        tested += 1;
    }
    assert!(tested >= 3 || std::env::var_os("CASE").is_some(), "only {tested} cases print a script");
}

/// Returns the definitions in a database of every object that the other database has.
fn definitions(database: &Sqlite, other: &Sqlite) -> Vec<String> {
    let names = other.query("SELECT name FROM sqlite_schema ORDER BY name");
    let definition = |name: &String| format!("SELECT coalesce(max(sql), '') FROM sqlite_schema WHERE name = '{name}'");
    names.iter().flat_map(|name| database.query(&definition(name))).collect()
}

/// For every case, the drafted rules are valid and remove no row.
#[test]
fn drafted_rules_of_every_case_are_valid_and_delete_nothing() {
    let (mut tested, mut shipped) = (0, 0);
    for case in on_sqlite() {
        let (name, bench) = (&case.name, Sqlite::new(&case).0);
        let drafted = bench.run(&["rules", "suggest", "app.db"]);
        assert_eq!((drafted.code, drafted.stderr.as_str()), (0, ""), "{name}");
        if !drafted.stdout.contains("[[rule]]") {
            if drafted.stdout.contains("a rule ships with fk-doctor") {
                let next = drafted.stdout.split_once("Next: fk-doctor ").unwrap().1.lines().next().unwrap();
                let planned = bench.run(&next.split(' ').collect::<Vec<_>>());
                assert!([0, 1].contains(&planned.code), "{name}: {next}\n{}", planned.stderr);
                shipped += 1;
            }
            continue;
        }
        bench.write("drafted.toml", &drafted.stdout);
        let checked = bench.run(&["rules", "check", "drafted.toml", "--against", "app.db"]);
        assert_eq!(checked.code, 0, "{name}: {}\n{}", checked.stderr, drafted.stdout);
        let planned = bench.run(&["repair", "app.db", "--rules", "drafted.toml", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&planned.stdout).unwrap();
        assert!(report["tables"].as_array().unwrap().iter().all(|table| table["deleted"] == 0), "{name}");
        tested += 1;
    }
    let is_enough = tested >= 3 && shipped >= 1;
    assert!(is_enough || std::env::var_os("CASE").is_some(), "{tested} drafts have a rule, {shipped} name another");
}

/// Writes these files to a folder and reads it as a case.
fn read(files: &[(&str, &str)]) -> Result<Case, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Case::read(folder.path())
}

#[test]
fn faulty_case_is_an_error() {
    let step = "[[step]]\nrun = \"scan DB\"\n";
    let faults = [
        ("engine = [\"sqlite\"]", "unknown key `engine`; the keys here are engines, step"),
        ("engines = []", "`engines` names no engine"),
        ("engines = [\"oracle\"]", "there is no engine `oracle`"),
        ("", "the case has no [[step]]"),
        ("[[step]]\nrun = \"scan DB\"\nexitt = 1", "step 1: unknown key `exitt`"),
        ("[[step]]\nsql = \"SELECT 1\"\nexit = 1", "step 1: unknown key `exit`; the keys here are sql, name"),
        ("[[step]]\nname = \"x\"", "step 1: a step has one of the keys `run`, `sql` and `query`"),
        ("[[step]]\nrun = \"scan DB\"\nsql = \"SELECT 1\"", "step 1: a step has one of the keys"),
        ("[[step]]\nrun = \"scan 'DB\"", "step 1: `run`: a quote is not closed"),
        ("[[step]]\nrun = \"scan DB\"\nexit = \"1\"", "step 1: `exit` is not a number"),
        ("[[step]]\nrun = \"scan DB\"\nformats = [\"jsn\"]", "the format `jsn`"),
        ("[[step]]\nrun = \"undo DB p\"\nrestores = \"apply\"", "no step before this one is called `apply`"),
        ("[[step]]\nrun = \"scan DB\"\n[[step]]\nrun = \"scan DB\"", "two steps have the expected file scan.txt"),
    ];
    for (text, message) in faults {
        let fault = read(&[("case.toml", text), ("seed.sql", "")]).unwrap_err();
        assert!(fault.contains(message), "{text}: {fault}");
    }
    let folders: [(&[(&str, &str)], &str); 6] = [
        (&[("seed.sql", "")], "case.toml: No such file"),
        (&[("case.toml", step)], "there is no seed.sql or sqlite.sql"),
        (&[("case.toml", step), ("seed.sql", ""), ("expected/scn.txt", "")], "no step names the expected file scn.txt"),
        (
            &[("case.toml", step), ("seed.sql", ""), ("expected/mysql/scan.txt", "")],
            "no step names the expected file mysql",
        ),
        (
            &[("case.toml", step), ("seed.sql", ""), ("postgres.sql", "")],
            "no engine and no step of the case uses postgres.sql",
        ),
        (
            &[("case.toml", step), ("seed.sql", ""), ("rule.toml", "")],
            "no engine and no step of the case uses rule.toml",
        ),
    ];
    for (files, message) in folders {
        let fault = read(files).unwrap_err();
        assert!(fault.contains(message), "{files:?}: {fault}");
    }
}

#[test]
fn case_without_keys_gets_defaults() {
    let text = "engines = [\"sqlite\", \"mariadb\"]\n[[step]]\nrun = '''explain DB \"a 'b'\" --param \"\"'''\nformats = [\"table\", \"json\"]\n\
        [[step]]\nrun = \"apply DB p\"\n[[step]]\nrun = \"apply DB p\"\nexit = 5\nname = \"refused\"\n[[step]]\nrun = \"repair DB --apply\"\n\
        [[step]]\nrun = \"repair DB\"\nname = \"dry\"\n";
    let case = read(&[("case.toml", text), ("seed.sql", "s"), ("mysql.sql", "m")]).unwrap();
    let outputs: Vec<_> = case.steps.iter().map(|step| (step.output().unwrap(), step.changes)).collect();
    let expected = [
        ("explain.txt", false),
        ("explain.json", false),
        ("apply.txt", true),
        ("refused.txt", false),
        ("repair.txt", true),
        ("dry.txt", false),
    ];
    assert_eq!(outputs, expected.map(|(file, changes)| (file.to_owned(), changes)));
    assert_eq!(case.steps[0].words(), ["explain", "DB", "a 'b'", "--param", ""]);
    assert_eq!(case.steps[1].words()[5..], ["--format", "json"]);
}

/// A case fails if it prints something unexpected, breaks a law, or leaves files.
#[test]
fn case_with_different_output_fails() {
    let seed =
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r INT REFERENCES p(id)); INSERT INTO c VALUES (7)";
    let faults = [
        ("run = \"scan DB --format csv\"", "exit code 1, expected 0"),
        ("run = \"scan DB --format csv\"\nexit = 1", "scan.txt differs (BLESS=1 accepts it):\n  line 1:\n  +relation"),
        ("run = \"scan nowhere.db\"\nexit = 3", "scan.stderr differs"),
        ("run = \"scan DB --format csv\"\nexit = 1\nchanges = true", "the step did not change the database"),
        ("run = \"repair DB --relax c(r) --apply --no-backup\"\nchanges = false", "the step changed the database"),
        ("run = \"scan DB --format csv\"\nexit = 1\nfiles = [\"r.csv\"]", "it did not write r.csv"),
        ("sql = \"SELECT 1\"", "step sql: the step did not change the database"),
    ];
    for (step, message) in faults {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("case.toml"), format!("[[step]]\n{step}\n")).unwrap();
        std::fs::write(folder.path().join("seed.sql"), seed).unwrap();
        let case = Case::read(folder.path()).unwrap();
        let wrong = case_run::differences(&case, Engine::Sqlite, &Sqlite::new(&case), false);
        assert!(wrong.iter().any(|fault| fault.contains(message)), "{step}: {wrong:#?}");
    }
}

#[test]
fn shipped_rules_are_listed_and_valid() {
    let bench = Bench::new("");
    let list = bench.run(&["rules", "list"]).stdout;
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut names = 0;
    for entry in std::fs::read_dir(&rules).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {list}");
        assert_eq!(bench.run(&["rules", "list", name]).stdout, std::fs::read_to_string(&path).unwrap());
        names += 1;
    }
    assert_eq!(list.lines().count(), names);
    let checked = bench.run(&["rules", "check", rules.to_str().unwrap()]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
}

/// A rule is advised only where `repair` takes it: the names of the tables alone are no proof.
#[test]
fn shipped_rule_is_advised_only_where_it_fits() {
    let advice = "--rules multi-source-sync";
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo.sqlite");
    let other = "CREATE TABLE knowledge_base(id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE multi_source_knowledge_base(id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE sync_run(id INTEGER PRIMARY KEY, knowledge_base_id INTEGER REFERENCES knowledge_base(id));
        INSERT INTO multi_source_knowledge_base VALUES (22, 'wiki');
        INSERT INTO sync_run VALUES (1, 22);";
    let bench = Bench::new(other);
    std::fs::copy(demo, bench.path("demo.sqlite")).unwrap();
    for (database, is_advised) in [("demo.sqlite", true), ("app.db", false)] {
        let scan = bench.run(&["scan", database]);
        assert_eq!((scan.code, scan.stdout.contains(advice)), (1, is_advised), "{}", scan.stdout);
        let suggestion = bench.run(&["rules", "suggest", database]).stdout;
        assert_eq!(suggestion.contains(advice), is_advised, "{suggestion}");
        let repair = bench.run(&["repair", database, "--rules", "multi-source-sync"]);
        assert_eq!(repair.code, if is_advised { 0 } else { 2 }, "{}{}", repair.stdout, repair.stderr);
    }
}
