//! `init` drafts a configuration that is valid as it stands, and with every suggestion switched on.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common::Bench;

use fk_doctor::internals::config;

const SEED: &str = "\
    CREATE TABLE customers(id INTEGER PRIMARY KEY, email TEXT, deleted_at TEXT, created_at TEXT);
    CREATE TABLE \"odd (name\"(id INTEGER PRIMARY KEY, is_deleted INTEGER);
    CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), \"a,b\" INTEGER REFERENCES \"odd (name\"(id));
    CREATE TABLE audit_orders(id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders(id));
    INSERT INTO customers(id) VALUES (1), (2), (3);
    INSERT INTO orders VALUES (1, 1, NULL), (2, 0, NULL), (3, 0, NULL), (4, 2, 7);";

/// Returns the draft with every suggestion switched on.
fn switched_on(draft: &str) -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(suggestion) if !suggestion.starts_with([' ', ':']) => suggestion.to_owned(),
        _ => line.to_owned(),
    };
    draft.lines().map(on).collect::<Vec<_>>().join("\n")
}

#[test]
fn draft_is_printed_instead_of_written() {
    let bench = Bench::new(SEED);
    let run = bench.run(&["init", "app.db", "-o", "-"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    assert!(!bench.path("-").exists() && !bench.path("fk-doctor.toml").exists());
    bench.run(&["init", "app.db"]);
    let written = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    assert_eq!(run.stdout.replace(" -o -", ""), written);
}

#[test]
fn draft_is_valid_with_and_without_its_suggestions() {
    let bench = Bench::new(SEED);
    let run = bench.run(&["init", "app.db"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let draft = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    assert!(config::parse(&draft).unwrap().relations.is_empty(), "{draft}");
    for suggestion in [
        "#exclude = [\"audit_*\"]",
        "#time-columns = [\"created_at\"]",
        "#columns = [\"customers.email\"]",
        "#child-not-indexed = \"error\"",
        "# orders(customer_id)->customers(id): perhaps 0 stands for \"none\" (2 rows). If so, they are no orphans:",
        "#child = \"orders(customer_id)\"\n#parent = \"customers(id)\"\n#ignore-values = [0]\n#soft-deleted = \"parent.deleted_at IS NOT NULL\"",
        "#child = { table = \"orders\", columns = [\"a,b\"] }\n#parent = { table = \"odd (name\", columns = [\"id\"] }\n#soft-deleted = \"parent.is_deleted = 1\"",
        "# In CI: fk-doctor scan app.db\n",
    ] {
        assert!(draft.contains(suggestion), "{suggestion}\n{draft}");
    }
    let scanned = bench.run(&["scan", "app.db"]);
    assert_eq!(scanned.code, 1, "{}{}", scanned.stdout, scanned.stderr);

    // All suggestions together are valid for this database, and do what they say.
    bench.write("all.toml", &switched_on(&draft));
    let scanned = bench.run(&["scan", "app.db", "--config", "all.toml", "--format", "json"]);
    assert!(scanned.stderr.is_empty(), "{}", scanned.stderr);
    let report: serde_json::Value = serde_json::from_str(&scanned.stdout).unwrap();
    assert_eq!(report["summary"]["orphan_rows"], 1, "{}", scanned.stdout);
}

#[test]
fn existing_file_is_never_replaced() {
    let bench = Bench::new(SEED);
    bench.write("fk-doctor.toml", "# mine\n");
    let refused = bench.run(&["init", "app.db"]);
    let expected = "\
error: could not write fk-doctor.toml
because: a file of this name exists, and this command replaces none
help: name another file, with -o for the configuration or --baseline=FILE for known findings
";
    assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.as_str()), (2, "", expected));
    bench.write("known.toml", "# mine too\n");
    assert_eq!(bench.run(&["init", "app.db", "-o", "new.toml", "--baseline"]).code, 2);
    assert!(!bench.path("new.toml").exists(), "nothing is written if one of the files exists");
    for (file, text) in [("fk-doctor.toml", "# mine\n"), ("known.toml", "# mine too\n")] {
        assert_eq!(std::fs::read_to_string(bench.path(file)).unwrap(), text);
    }
}

#[test]
fn baseline_accepts_what_was_found() {
    let bench = Bench::new(&format!("{SEED} CREATE TABLE d(x INTEGER REFERENCES gone(id));"));
    let run = bench.run(&["init", "app.db", "--baseline"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.starts_with("✓ fk-doctor.toml is written for app.db: 5 tables, 4 relations\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("  found     3 orphan rows, 1 defect\n"), "{}", run.stdout);
    // The printed commands work as they stand.
    let next = run.stdout.lines().find_map(|line| line.strip_prefix("next: ")).unwrap();
    assert_eq!(next, "fk-doctor scan app.db --baseline known.toml");
    let arguments: Vec<&str> = next.split(' ').skip(1).collect();
    let known = bench.run(&arguments);
    assert_eq!(known.code, 0, "{}{}", known.stdout, known.stderr);
    bench.execute("INSERT INTO orders VALUES (9, 99, NULL)");
    assert_eq!(bench.run(&arguments).code, 1);
    let step = run.stdout.lines().find_map(|line| line.trim().strip_prefix("- run: ")).unwrap();
    let arguments: Vec<&str> = step.split(' ').skip(1).collect();
    assert_eq!(bench.run(&arguments).code, 1);
}

#[test]
fn database_without_foreign_keys_gets_an_example() {
    let bench = Bench::new("CREATE TABLE t(id INTEGER PRIMARY KEY)");
    assert_eq!(bench.run(&["init", "app.db"]).code, 0);
    let draft = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    assert!(draft.contains("# The database declares no foreign keys."), "{draft}");
    config::parse(&draft).unwrap();
    config::parse(&switched_on(&draft)).unwrap();
}

#[test]
fn configuration_under_another_name_is_named_by_the_next_command() {
    let bench = Bench::new("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id));");
    let run = bench.run(&["init", "app.db", "-o", "other.toml"]);
    assert!(run.stdout.ends_with("\nnext: fk-doctor scan app.db --config other.toml\n"), "{}", run.stdout);
    assert_eq!(bench.run(&["scan", "app.db", "--config", "other.toml"]).code, 0);
}

#[test]
fn undeclared_references_are_suggestions() {
    let bench = Bench::new(
        "CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO customers SELECT i, 'name ' || i FROM n; \
         INSERT INTO orders SELECT id, 1 + id % 200 FROM customers; INSERT INTO orders SELECT id + 200, 1 + id % 199 FROM customers;",
    );
    let run = bench.run(&["init", "app.db"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let found = "            1 reference that the database does not declare, as comments in fk-doctor.toml\n";
    assert!(run.stdout.contains(found), "{}", run.stdout);
    assert!(run.stdout.ends_with("\nnext: fk-doctor scan app.db\n      fk-doctor discover app.db\n"), "{}", run.stdout);
    let draft = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    assert!(draft.contains(": 0 of 400 rows without a parent, 200 keys (discovered "), "{draft}");
    assert!(
        draft.contains("\n#[[relation]]\n#child = \"orders(customer_id)\"\n#parent = \"customers(id)\"\n"),
        "{draft}"
    );
    assert!(!draft.contains("declares no foreign keys"), "{draft}");
    // The suggestion is one, and it is valid.
    assert_eq!(
        bench.run(&["scan", "app.db", "--brief"]).stdout.lines().next().unwrap().chars().next(),
        Some('\u{25cb}')
    );
    bench.write("all.toml", &switched_on(&draft));
    let scanned = bench.run(&["scan", "app.db", "--config", "all.toml"]);
    assert!(scanned.code == 0 && scanned.stdout.contains("is clean: 1 of 1 relation checked"), "{}", scanned.stdout);
}

#[test]
fn address_is_resolved_once() {
    let bench = Bench::new(SEED);
    let run = bench.run(&["init", "sqlite:///app.db?connection_limit=5"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stderr.matches("connection_limit").count(), 1, "{}", run.stderr);
}
