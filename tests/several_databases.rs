//! One configuration for several databases, and several databases in one scan.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use common::Run;

const POSTS: &str = "CREATE TABLE posts(id INTEGER PRIMARY KEY); CREATE TABLE comments(post_id INTEGER); \
    INSERT INTO posts VALUES (1); INSERT INTO comments VALUES (1), (7);";
const SOUND: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p(id)); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)";
const SICK: &str =
    "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(r REFERENCES p(id)); INSERT INTO c VALUES (7)";

const RELATION: &str = "child = \"comments(post_id)\"\nparent = \"posts(id)\"\n";

/// Creates a folder with `app.db`, `sound.db`, `sick.db` and `sub/app.db`.
fn bench() -> Bench {
    let bench = Bench::new(POSTS);
    std::fs::create_dir(bench.path("sub")).unwrap();
    for (file, seed) in [("sound.db", SOUND), ("sick.db", SICK), ("sub/app.db", SICK)] {
        std::fs::copy(Bench::new(seed).path("app.db"), bench.path(file)).unwrap();
    }
    bench
}

fn orphans(bench: &Bench, database: &str) -> (i32, Vec<(String, u64)>) {
    let run = bench.run(&["scan", database, "--format", "json"]);
    let report: serde_json::Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let relations = report["relations"].as_array().unwrap().iter();
    let orphans = relations.map(|relation| {
        (relation["id"].as_str().unwrap().to_owned(), relation["orphan_rows"].as_u64().unwrap_or_default())
    });
    (run.code, orphans.collect())
}

fn sick() -> (i32, Vec<(String, u64)>) {
    (1, vec![("c(r)->p(id)".to_owned(), 1)])
}

#[test]
fn configuration_of_another_database_is_recognized() {
    let bench = bench();
    bench.write("fk-doctor.toml", &format!("[[relation]]\n{RELATION}"));
    assert_eq!(orphans(&bench, "app.db"), (1, vec![("comments(post_id)->posts(id)".to_owned(), 1)]));
    let run = bench.run(&["scan", "sick.db", "--samples", "2"]);
    let expected = "error: fk-doctor.toml names tables that sick.db does not have: comments, posts\n\
        because: the file holds for every database that is scanned from this folder\n\
        help: move its relations below [database.\"app.db\"], or: fk-doctor scan sick.db --samples 2 --no-config\n";
    assert_eq!((run.code, run.stderr.as_str()), (2, expected));
    assert_eq!(bench.run(&["scan", "sick.db", "--no-config"]).code, 1);
    assert_eq!(bench.run(&["schema", "sick.db", "--no-config"]).code, 0);
    let both = bench.run(&["scan", "sick.db", "--no-config", "--config", "fk-doctor.toml"]);
    assert!(both.code == 2 && both.stderr.contains("--no-config"), "{}", both.stderr);
    // A misspelled table is not another database.
    bench.write("fk-doctor.toml", "[[relation]]\nchild = \"coments(post_id)\"\nparent = \"posts(id)\"\n");
    let run = bench.run(&["scan", "app.db"]);
    assert!(run.code == 2 && run.stderr.contains("did you mean comments?"), "{}", run.stderr);
    bench.write("fk-doctor.toml", "[[relation]]\nchild = \"likes(post_id)\"\nparent = \"posts(id)\"\n");
    let run = bench.run(&["scan", "app.db"]);
    assert!(run.code == 2 && run.stderr.contains("there is no table likes"), "{}", run.stderr);
}

#[test]
fn section_holds_for_its_database_only() {
    let bench = bench();
    for name in ["app.db", "./app.db", "a*.db", &bench.path("app.db").canonicalize().unwrap().display().to_string()] {
        // `sub/app.db` has the same name.
        let is_name_alone = !name.contains('/');
        bench.write("fk-doctor.toml", &format!("[[database.\"{name}\".relation]]\n{RELATION}"));
        assert_eq!(orphans(&bench, "./app.db").1.len(), 1, "{name}");
        assert_eq!(orphans(&bench, "sick.db"), sick(), "{name}");
        let run = bench.run(&["scan", "sub/app.db"]);
        assert_eq!(run.code, if is_name_alone { 2 } else { 1 }, "{name}: {}", run.stderr);
    }
    bench.write("fk-doctor.toml", &format!("[[database.\"app.db\".relation]]\n{RELATION}[[database.\"sub/app.db\".relation]]\nchild = \"c(r)\"\nparent = \"p(id)\"\n"));
    let run = bench.run(&["scan", "sub/app.db"]);
    assert!(run.stderr.starts_with("error: there is no table"), "{}", run.stderr);
    // From a folder below, the path is the same.
    bench.write("fk-doctor.toml", "exclude = [\"nothing\"]\n[database.\"sub/app.db\"]\nexclude = [\"c\"]\n");
    assert_eq!(orphans(&bench, "sub/app.db"), (0, Vec::new()));
    assert_eq!(orphans(&bench, "sick.db"), sick());
}

#[test]
fn section_overrules_the_rest_of_the_file() {
    let bench = bench();
    let file = "[scan]\nfail-on = \"never\"\nsamples = 1\n[severity]\norphan = \"note\"\n[[threshold]]\nrelation = \"c(*)->*\"\nwarn-if = \"> 0 rows\"\n\
        [database.\"sick.db\".scan]\nfail-on = \"error\"\n[[database.\"sick.db\".threshold]]\nrelation = \"c(*)->*\"\nfail-if = \"> 0 rows\"\n";
    bench.write("fk-doctor.toml", file);
    assert_eq!(orphans(&bench, "sub/app.db").0, 0);
    assert_eq!(orphans(&bench, "sick.db").0, 1);
    // A relation of the section replaces the same one above it.
    let file = format!("[[relation]]\n{RELATION}[[database.\"app.db\".relation]]\n{RELATION}ignore-values = [7]\n");
    bench.write("fk-doctor.toml", &file);
    assert_eq!(orphans(&bench, "app.db"), (0, vec![("comments(post_id)->posts(id)".to_owned(), 0)]));
    bench.write("fk-doctor.toml", "[database.\"sick.db\".redact]\nvalues = \"mask\"\n");
    let shows_value = |database: &str| bench.run(&["scan", database]).stdout.contains('7');
    assert!(shows_value("sub/app.db") && !shows_value("sick.db"));
}

#[test]
fn fault_of_a_section_is_shown_with_its_line() {
    let bench = bench();
    for (file, expected) in [
        ("[database.\"app.db\"]\nexlude = [\"a\"]\n", "unknown key `exlude`"),
        ("[database.\"app.db\"]\n[database.\"app.db\".database.x]\n", "unknown key `database`"),
        ("database = 1\n", "expected tables such as `[database.\"app.db\"]`"),
        ("[database]\n\"app.db\" = 1\n", "expected a table such as `[database.\"app.db\"]`"),
        ("[database.\"[\"]\nexclude = []\n", "`[` is not valid"),
        ("[database.\"sick.db\".scan]\nsamples = \"many\"\n", "`samples`: expected"),
    ] {
        bench.write("fk-doctor.toml", file);
        let run = bench.run(&["scan", "app.db"]);
        assert!(run.code == 2 && run.stderr.contains(expected), "{file}: {}", run.stderr);
        assert!(run.stderr.contains(" --> fk-doctor.toml:"), "{file}: {}", run.stderr);
    }
    bench.write("fk-doctor.toml", "[database.\"sik.db\"]\nexclude = [\"c\"]\n");
    let run = bench.run(&["scan", "sick.db"]);
    let expected =
        "note: fk-doctor.toml has no section for sick.db; did you mean [database.\"sick.db\"] instead of \"sik.db\"?\n";
    assert_eq!((run.code, run.stderr.as_str()), (1, expected));
    assert_eq!(bench.run(&["scan", "app.db"]).stderr, "");
}

fn scan(bench: &Bench, arguments: &[&str]) -> Run {
    bench.run(&[&["scan"], arguments].concat())
}

#[test]
fn each_database_has_a_report_and_the_most_serious_outcome_counts() {
    let bench = bench();
    let alone = |database: &str| without_time(&scan(&bench, &[database]).stdout);
    let run = scan(&bench, &["sound.db", "sick.db"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert_eq!(without_time(&run.stdout), format!("{}\n{}", alone("sound.db"), alone("sick.db")));
    assert_eq!(scan(&bench, &["sick.db", "sound.db"]).code, 1);
    assert_eq!(scan(&bench, &["sound.db", "sound.db"]).code, 0);

    // A database that cannot be read does not stop the others.
    bench.write("text.db", "This is text, not a database.");
    let run = scan(&bench, &["nope.db", "text.db", "sick.db"]);
    assert_eq!((run.code, without_time(&run.stdout)), (3, alone("sick.db")));
    assert!(run.stderr.starts_with("error: could not open nope.db\n"), "{}", run.stderr);
    assert!(run.stderr.contains("error: could not read text.db\n"), "{}", run.stderr);
    // 3 is more serious than 2, and 2 than 1.
    bench.write("fk-doctor.toml", &format!("[[relation]]\n{RELATION}"));
    assert_eq!(scan(&bench, &["sick.db", "app.db"]).code, 2);
    assert_eq!(scan(&bench, &["sick.db", "app.db", "text.db"]).code, 3);
    bench.write("fk-doctor.toml", "[scan]\nsamples = \"x\"\n");
    let run = scan(&bench, &["sick.db", "app.db"]);
    assert!(run.code == 2 && run.stdout.is_empty(), "{}", run.stdout);
    assert_eq!(run.stderr.matches("1 fault in fk-doctor.toml").count(), 1, "{}", run.stderr);
    // A wrong address ends the run before the first scan.
    let run = scan(&bench, &["sick.db", "mssql://h/d"]);
    assert!(run.code == 2 && run.stdout.is_empty() && run.stderr.starts_with("error: there is no engine"));
}

/// Returns a report without the time that the scan took.
fn without_time(report: &str) -> String {
    let is_time = |line: &&str| line.contains(" · ") || line.contains(" s");
    report.lines().filter(|line| !is_time(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn reports_of_several_databases_have_a_file_each() {
    let bench = bench();
    let formats =
        ["--format", "json={db}.json", "--format", "html=out-{db}.html", "--write-baseline", "{db}.known.toml"];
    let run = scan(&bench, &[&["sound.db", "sick.db"][..], &formats].concat());
    // Everything is known from now on.
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    for (name, orphans) in [("sound", 0), ("sick", 1)] {
        let text = std::fs::read_to_string(bench.path(&format!("{name}.json"))).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        common::assert_obeys("scan", &report);
        assert_eq!(report["relations"][0]["orphan_rows"], orphans, "{name}");
        assert!(bench.path(&format!("out-{name}.html")).exists());
        assert!(bench.path(&format!("{name}.known.toml")).exists());
    }
    let run = scan(&bench, &["sound.db", "sick.db", "--baseline", "{db}.known.toml"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    // One database has a name too.
    assert_eq!(scan(&bench, &["sick.db", "-o", "one-{db}.json"]).code, 1);
    assert!(bench.path("one-sick.json").exists());
    // Lines follow each other.
    let run = scan(&bench, &["sound.db", "sick.db", "--format", "ndjson"]);
    assert!(run.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{}", run.stdout);
    assert_eq!(run.stdout.matches("c(r)->p(id)").count() > 1, run.code == 1);
    // A history tells databases apart.
    assert_eq!(scan(&bench, &["sound.db", "sick.db", "--history", "past.ndjson"]).code, 1);
    assert_eq!(std::fs::read_to_string(bench.path("past.ndjson")).unwrap().lines().count(), 2);
}

#[test]
fn shared_file_of_several_databases_is_refused_before_the_scan() {
    let bench = bench();
    for (options, subject, help) in [
        (&["--format", "json"][..], "one json report", "fk-doctor scan sound.db sick.db --format 'json={db}.json'"),
        (&["--format=csv"], "one csv report", "fk-doctor scan sound.db sick.db '--format=csv={db}.csv'"),
        (
            &["--format", "junit=out.xml"],
            "the report out.xml",
            "fk-doctor scan sound.db sick.db --format 'junit={db}.xml'",
        ),
        (&["-o", "out/all.md"], "the report out/all.md", "fk-doctor scan sound.db sick.db -o 'out/{db}.md'"),
        (
            &["--baseline", "known.toml"],
            "the baseline known.toml",
            "fk-doctor scan sound.db sick.db --baseline '{db}.toml'",
        ),
        (
            &["--write-baseline", "known.toml"],
            "the baseline known.toml",
            "fk-doctor scan sound.db sick.db --write-baseline '{db}.toml'",
        ),
    ] {
        let run = scan(&bench, &[&["sound.db", "sick.db"], options].concat());
        let expected = format!(
            "error: 2 databases cannot share {subject}\nbecause: each database has a report of its own\nhelp: {help}\n"
        );
        assert_eq!((run.code, run.stderr, run.stdout.as_str()), (2, expected, ""));
    }
    let run = scan(&bench, &["app.db", "sub/app.db", "--format", "json={db}.json"]);
    assert!(run.code == 2 && run.stderr.contains("two of them are called app"), "{}", run.stderr);
    assert!(!bench.path("app.json").exists());
}
