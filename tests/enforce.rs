//! Tests of `enforce`: clean relations are declared by a rule or by an option, with an index, and undone.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use rusqlite::Connection;

const SHOP: &str = "CREATE TABLE posts(id INTEGER PRIMARY KEY, slug TEXT UNIQUE);
CREATE TABLE comments(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    post_id INTEGER NOT NULL, -- the post
    slug TEXT,
    body TEXT DEFAULT '); --' /* what it says */
);
CREATE TRIGGER noted AFTER DELETE ON comments BEGIN UPDATE posts SET slug = slug; END;
INSERT INTO posts VALUES (1, 'a'), (2, 'b');
INSERT INTO comments(id, post_id, slug) VALUES (7, 1, 'a'), (9, 2, NULL);";

const RELATION: &str = "comments(post_id) -> posts(id)";

fn definition(bench: &Bench, name: &str) -> String {
    let database = Connection::open(bench.path("app.db")).unwrap();
    database.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0)).unwrap()
}

/// True if SQLite refuses a statement of the application because of a foreign key.
fn refused_by_sqlite(bench: &Bench, sql: &str) -> bool {
    let database = Connection::open(bench.path("app.db")).unwrap();
    database.execute_batch("PRAGMA foreign_keys = ON; BEGIN").unwrap();
    database.execute_batch(sql).is_err_and(|error| error.to_string().contains("FOREIGN KEY"))
}

#[test]
fn clean_relation_is_declared_and_undone() {
    let bench = Bench::new(SHOP);
    let dump = bench.dump();
    let dry = bench.run(&["repair", "app.db", "--enforce", RELATION, "--on-delete", "cascade", "-o", "plan"]);
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
    assert!(dry.stdout.contains("declares comments(post_id)->posts(id)"), "{}", dry.stdout);
    assert!(dry.stdout.contains("creates  index comments_post_id"), "{}", dry.stdout);
    assert_eq!(bench.dump(), dump, "a dry run writes nothing");
    let json = bench.run(&["repair", "app.db", "--enforce", RELATION, "--format", "json"]);
    common::assert_obeys("repair", &serde_json::from_str(&json.stdout).unwrap());

    let applied = bench.run(&["apply", "app.db", "plan"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
    assert_eq!(
        definition(&bench, "comments"),
        "CREATE TABLE comments(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    post_id INTEGER NOT NULL, -- the post
    slug TEXT,
    body TEXT DEFAULT '); --', /* what it says */
    FOREIGN KEY (\"post_id\") REFERENCES \"posts\"(\"id\") ON DELETE CASCADE
)"
    );
    assert!(refused_by_sqlite(&bench, "INSERT INTO comments(post_id) VALUES (3)"));
    let (code, report) = bench.scan();
    assert_eq!((code, report["relations"][0]["origin"].as_str()), (0, Some("declared")));
    assert_eq!(report["findings"].as_array().unwrap().len(), 0, "the child is indexed");

    let after = bench.dump();
    let again = bench.run(&["apply", "app.db", "plan"]);
    assert!(
        again.stdout.starts_with("○ nothing to do: plan was applied to app.db on "),
        "{}{}",
        again.stdout,
        again.stderr
    );
    let skipped = bench.run(&["repair", "app.db", "--enforce", RELATION]);
    assert!(skipped.stdout.contains("nothing to do: app.db has no orphan rows"), "{}", skipped.stdout);
    assert_eq!(bench.dump(), after);
    let undone = bench.run(&["undo", "app.db", "plan"]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_eq!(bench.dump(), dump);
}

/// The script gives the same definitions and rows as the plan.
#[test]
fn enforce_script_equals_the_plan() {
    let bench = Bench::new(SHOP);
    let script = bench.run(&["repair", "app.db", "--enforce", RELATION, "--format", "sql"]).stdout;
    bench.execute(&script);
    assert!(refused_by_sqlite(&bench, "INSERT INTO comments(post_id) VALUES (3)"), "{script}");
    assert_eq!(bench.value("SELECT group_concat(id || post_id) FROM comments"), "'71,92'");
    assert_eq!(bench.value("SELECT seq FROM sqlite_sequence WHERE name = 'comments'"), "9");
    assert_eq!(bench.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('noted', 'comments_post_id')"), "2");
}

#[test]
fn unsupported_enforce_is_refused_with_reason() {
    let bench = Bench::new(&format!(
        "{SHOP} INSERT INTO comments(post_id, slug) VALUES (5, 'A'), (5, 'x'), (6, 'x');
         CREATE TABLE tags(name TEXT, kind TEXT); CREATE UNIQUE INDEX t ON tags(name) WHERE kind = 'x';
         CREATE UNIQUE INDEX u ON tags(kind COLLATE NOCASE); CREATE VIEW seen AS SELECT id FROM posts;"
    ));
    let dump = bench.dump();
    for (relation, code, text) in [
        (RELATION, 5, "3 orphan rows would remain (2 missing keys), and a foreign key allows none"),
        ("comments(slug) -> tags(name)", 5, "has a WHERE, so it does not make the key unique"),
        ("comments(slug) -> tags(kind)", 5, "under another collation"),
        ("comments(slug) -> comments(body)", 5, "is neither a primary key nor the whole of a unique index"),
        ("comments(post_id) -> seen(id)", 5, "is a view"),
        ("seen(id) -> posts(id)", 5, "is not an ordinary table"),
        ("comments(nope) -> posts(id)", 2, "comments has no column nope"),
        ("comments(post_id) -> post(id)", 2, "did you mean posts?"),
        ("comments(post_id)", 2, "it names no parent"),
        ("comments -> posts(id)", 2, "is not of the form"),
    ] {
        let run = bench.run(&["repair", "app.db", "--enforce", relation, "--apply"]);
        assert_eq!(run.code, code, "{relation}: {}{}", run.stdout, run.stderr);
        let all = common::in_one_line(&format!("{}{}", run.stdout, run.stderr));
        assert!(all.contains(text), "{relation}: {}{}", run.stdout, run.stderr);
        assert_eq!(bench.dump(), dump, "{relation}");
    }
    bench.write(
        "fk-doctor.toml",
        "[[relation]]\nchild = \"comments(slug)\"\nparent = \"posts(slug)\"\nignore-values = [\"A\", \"x\"]\n",
    );
    bench.write(
        "r.toml",
        "id = \"r\"\nrelation.child = \"comments(slug)\"\n[[treat]]\naction = \"enforce\"\non-delete = \"set-null\"\n",
    );
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml"]);
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("the configuration restricts it"), "{}", run.stdout);
}

/// One plan first repairs the rows and then declares the relation, also in batches. Undo takes both back.
#[test]
fn one_plan_repairs_rows_and_declares_the_relation() {
    for batch in [&[][..], &["--batch", "1"]] {
        let bench = Bench::new(&format!("{SHOP} INSERT INTO comments(post_id, slug) VALUES (1, 'zz'), (2, 'B');"));
        bench.write("fk-doctor.toml", "[[relation]]\nchild = \"comments(slug)\"\nparent = \"posts(slug)\"\n");
        bench.write(
            "r.toml",
            "id = \"r\"\neven-if-parent-lost = true\nrelation.child = \"comments(slug)\"\nlimits.max-share = 1.0\n\
             [[treat]]\naction = \"remap\"\nnormalize = [\"casefold\"]\n[[treat]]\naction = \"set-null\"\n\
             [[treat]]\naction = \"enforce\"\nindex = false\n",
        );
        let dump = bench.dump();
        let dry = bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan"]);
        assert_eq!(dry.code, 0, "{}{}", dry.stdout, dry.stderr);
        let applied = bench.run(&[&["apply", "app.db", "plan"], batch].concat());
        assert_eq!(applied.code, 0, "{}", applied.stderr);
        assert_eq!(bench.value("SELECT group_concat(coalesce(slug, '-')) FROM comments"), "'a,-,-,b'");
        assert!(refused_by_sqlite(&bench, "UPDATE comments SET slug = 'zz'"));
        assert_eq!(bench.value("SELECT count(*) FROM sqlite_schema WHERE sql LIKE 'CREATE INDEX%'"), "0");
        let undone = bench.run(&[&["undo", "app.db", "plan"], batch].concat());
        assert_eq!(undone.code, 0, "{}", undone.stderr);
        assert_eq!(bench.dump(), dump);
    }
}

/// A relation that is configured and also named on the command line is declared once.
#[test]
fn configured_relation_named_again_is_declared_once() {
    let bench = Bench::new(SHOP);
    bench.write("fk-doctor.toml", "[[relation]]\nchild = \"comments(post_id)\"\nparent = \"posts(id)\"\n");
    let run = bench.run(&["repair", "app.db", "--enforce", RELATION, "--apply"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(definition(&bench, "comments").matches("FOREIGN KEY").count(), 1);
    assert_eq!(bench.value("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"), "1");
}

/// If an orphan arrives between plan and apply, SQLite finds it and nothing is declared.
#[test]
fn orphan_added_after_planning_stops_enforce() {
    let bench = Bench::new(SHOP);
    bench.run(&["repair", "app.db", "--enforce", RELATION, "-o", "plan"]);
    bench.execute("INSERT INTO comments(post_id) VALUES (99)");
    let dump = bench.dump();
    let applied = bench.run(&["apply", "app.db", "plan"]);
    assert_eq!(applied.code, 5, "{}", applied.stdout);
    assert!(applied.stderr.contains("has orphans, as the database's own check found"), "{}", applied.stderr);
    assert_eq!(bench.dump(), dump);
}

/// One plan removes a foreign key from a definition and adds another.
#[test]
fn one_plan_relaxes_and_enforces_a_table() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE q(id INTEGER PRIMARY KEY); INSERT INTO q VALUES (1);
         CREATE TABLE c(id INTEGER PRIMARY KEY, r INT NOT NULL REFERENCES p(id)); INSERT INTO c VALUES (1, 1)",
    );
    let dump = bench.dump();
    bench.write(
        "r.toml",
        "id = \"r\"
relation = { child = \"c(r)\", parent = \"p(id)\" }
[[treat]]
action = \"relax\"
",
    );
    let enforce = ["--enforce", "c(r) -> q(id)", "-o", "plan", "--apply"];
    let run = bench.run(&[&["repair", "app.db", "--rules", "r.toml"][..], &enforce].concat());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(
        definition(&bench, "c"),
        "CREATE TABLE c(id INTEGER PRIMARY KEY, r INT NOT NULL, FOREIGN KEY (\"r\") REFERENCES \"q\"(\"id\"))"
    );
    let undone = bench.run(&["undo", "app.db", "plan"]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_eq!(bench.dump(), dump);
}

/// The parent key has several columns with odd names, which the relation lists in another order.
#[test]
fn composite_relation_with_odd_names_is_declared() {
    let bench = Bench::new(
        "CREATE TABLE \"odd parent\"(a TEXT COLLATE NOCASE, [b-q] INT, PRIMARY KEY(a, [b-q])) WITHOUT ROWID;
         CREATE TABLE [odd child](\"x y\" INT, k TEXT) ; INSERT INTO \"odd parent\" VALUES ('A', 1);
         INSERT INTO [odd child] VALUES (1, 'a'), (1, NULL), ('1', 'A')",
    );
    let dump = bench.dump();
    let relation = "odd child(x y, k) -> odd parent(b-q, a)";
    let run = bench.run(&["repair", "app.db", "--enforce", relation, "-o", "plan", "--apply"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(refused_by_sqlite(&bench, "INSERT INTO [odd child] VALUES (2, 'a')"));
    assert!(!refused_by_sqlite(&bench, "INSERT INTO [odd child] VALUES (1, 'a')"));
    assert_eq!(bench.run(&["undo", "app.db", "plan"]).code, 0);
    assert_eq!(bench.dump(), dump);
}
