//! Tests of `discover`: what it finds and says, how a person accepts or rejects it, and how the rest goes on from there.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use fk_doctor::internals::discover;
use fk_doctor::internals::discover::DiscoverOptions;
use fk_doctor::internals::discover::StrongNames;
use fk_doctor::internals::discover::pairs::Pruning;
use fk_doctor::internals::discover::tolerance::Tolerance;
use fk_doctor::internals::engine::Deadline;
use fk_doctor::internals::engine::WaitLimits;
use fk_doctor::internals::engine::sqlite;
use fk_doctor::internals::model::discovery::Tier;
use fk_doctor::internals::model::discovery_view::DiscoveryView;
use fk_doctor::internals::model::redaction::Redaction;
use fk_doctor::internals::model::resolve;
use fk_doctor::internals::report;
use fk_doctor::internals::report::DiscoveryFormat;
use fk_doctor::internals::report::TerminalStyle;
use fk_doctor::internals::report::discovery::DiscoveryReport;
use serde_json::Value;

/// A shop without any foreign key. Three orders refer to customers that do not exist.
pub(crate) const SHOP: &str = "
CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT, email TEXT);
CREATE TABLE products(id INTEGER PRIMARY KEY, name TEXT, price REAL);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER, total REAL, placed_at TEXT);
CREATE TABLE order_items(id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, product_id INTEGER NOT NULL, quantity INTEGER);
CREATE TABLE reviews(id INTEGER PRIMARY KEY, product_id INTEGER, customer_id INTEGER, rating INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO customers SELECT i, 'customer ' || i, 'c' || i || '@example.org' FROM n WHERE i <= 60;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO products SELECT i, 'product ' || i, i * 1.25 FROM n WHERE i <= 40;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO orders SELECT i, 1 + (i * 7) % 60, i * 2.5, '2024-01-' || (10 + i % 20) FROM n WHERE i <= 200;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO order_items SELECT i, 1 + (i * 11) % 200, 1 + (i * 13) % 40, 1 + i % 5 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO reviews SELECT i, 1 + (i * 3) % 40, 1 + (i * 17) % 60, 1 + i % 5 FROM n WHERE i <= 150;
UPDATE orders SET customer_id = 7654321 WHERE id IN (17, 18);
UPDATE orders SET customer_id = 7654322 WHERE id = 19;";

const REFERENCES: [&str; 5] = [
    "order_items(order_id)->orders(id)",
    "order_items(product_id)->products(id)",
    "orders(customer_id)->customers(id)",
    "reviews(customer_id)->customers(id)",
    "reviews(product_id)->products(id)",
];

pub(crate) fn report(bench: &Bench, arguments: &[&str]) -> Value {
    let run = bench.run(&[&["discover", "app.db", "--format", "json"], arguments].concat());
    assert_eq!(run.stderr, "", "{}", run.stdout);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("discover", &report);
    report
}

fn candidates(report: &Value) -> &Vec<Value> {
    report["candidates"].as_array().unwrap()
}

/// The ids of the candidates of some tiers.
pub(crate) fn ids(report: &Value, tiers: &[&str]) -> Vec<String> {
    let wanted = candidates(report).iter().filter(|candidate| tiers.contains(&candidate["tier"].as_str().unwrap()));
    let mut ids: Vec<String> = wanted.map(|candidate| candidate["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn candidate<'r>(report: &'r Value, id: &str) -> &'r Value {
    candidates(report).iter().find(|candidate| candidate["id"] == id).unwrap()
}

#[test]
fn references_that_nobody_declared_are_found_with_exact_counts() {
    let bench = Bench::new(SHOP);
    let before = bench.dump();
    let report = report(&bench, &[]);
    assert_eq!(ids(&report, &["certain", "likely"]), REFERENCES);
    let orders = candidate(&report, "orders(customer_id)->customers(id)");
    let counts = ["rows", "null_rows", "orphan_rows", "missing_keys"].map(|count| orders[count].as_u64().unwrap());
    assert_eq!(counts, [200, 0, 3, 2]);
    assert_eq!(orders["missing"][0], serde_json::json!({ "key": { "customer_id": 7654321 }, "rows": 2 }));
    assert_eq!(orders["key"], "primary");
    assert_eq!(bench.dump(), before, "discovery writes nothing");
    let table = bench.run(&["discover", "app.db"]);
    assert!(table.stdout.starts_with("○ app.db: 5 references that it does not declare, "), "{}", table.stdout);
    assert!(
        table.stdout.contains("next: fk-doctor discover app.db --accept certain >> fk-doctor.toml"),
        "{}",
        table.stdout
    );
}

#[test]
fn every_score_can_be_computed_from_its_evidence() {
    let bench = Bench::new(SHOP);
    let report = report(&bench, &[]);
    assert!(candidates(&report).len() > REFERENCES.len());
    for candidate in candidates(&report) {
        let evidence = candidate["evidence"].as_array().unwrap();
        let logit: f64 = evidence.iter().map(|entry| entry["weight"].as_f64().unwrap()).sum();
        let score = candidate["score"].as_f64().unwrap();
        let computed = 1.0 / (1.0 + (-logit).exp());
        assert!((computed - score).abs() < 1e-9, "{} {computed} {score}", candidate["id"]);
        let mut names: Vec<&str> = evidence.iter().map(|entry| entry["feature"].as_str().unwrap()).collect();
        names.sort_unstable();
        let number = names.len();
        names.dedup();
        assert_eq!(names.len(), number, "a feature stands once in the evidence for {}", candidate["id"]);
    }
}

/// Returns the table of a discovery on a terminal of this width.
fn table(bench: &Bench, width: usize) -> String {
    let limits = WaitLimits { lock_wait: std::time::Duration::from_secs(5), deadline: Deadline::default() };
    let mut database = sqlite::open(&bench.path("app.db"), &limits).unwrap();
    let schema = resolve::resolve(database.catalog().unwrap(), &[]).unwrap_or_else(|_| panic!("no schema"));
    let names = StrongNames::of(&schema);
    let options = DiscoverOptions {
        tolerance: Tolerance::default(),
        pruning: Pruning::ALL,
        max_arity: 4,
        memory: 1 << 28,
        threads: 1,
        samples: 3,
        seed: (3, 7),
        is_wanted: &|_| true,
        has_strong_name: &|child, parent| names.speak_for(child, parent),
        deadline: Deadline::default(),
        progress: &|_| {},
    };
    let facts = discover::facts(&schema, database.session().unwrap().as_mut(), &options).unwrap();
    let discovery = discover::assess(&schema, facts, &[], Tier::Likely);
    let view = DiscoveryView::of(&schema, discovery, &Redaction::default());
    let (lowest, database, config) = (Tier::Likely, "app.db", "fk-doctor.toml");
    let report = DiscoveryReport { view: &view, schema: &schema, lowest, database, config };
    report::discovery::render(&report, DiscoveryFormat::Table, &TerminalStyle::plain(width))
}

#[test]
fn evidence_is_whole_at_every_width() {
    let bench = Bench::new(SHOP);
    let evidence = "named after the table, 60 of 62 keys";
    let narrow = "  orders(customer_id)->customers(id)\n    certain: 200 rows, 3 orphans; named\n    after the table, 60 of 62 keys\n";
    let expected = [
        (40, narrow.to_owned()),
        (80, format!("  orders(customer_id)->customers(id)     certain   200        3\n    {evidence}\n")),
        (120, format!("  orders(customer_id)->customers(id)     certain   200        3  {evidence}\n")),
    ];
    for (width, expected) in expected {
        let table = table(&bench, width);
        assert!(table.contains(&expected), "{width}: {table}");
        assert!(table.lines().all(|line| line.chars().count() <= width || line.contains("fk-doctor")), "{table}");
    }
}

#[test]
fn number_of_threads_changes_no_byte() {
    let bench = Bench::new(SHOP);
    for format in ["table", "json", "ndjson", "csv", "markdown", "html", "mermaid", "dot"] {
        let run =
            |jobs: &str| bench.run(&["discover", "app.db", "--format", format, "--jobs", jobs, "--tier", "rejected"]);
        let (single, several) = (run("1"), run("8"));
        assert_eq!((single.code, single.stderr.as_str()), (0, ""), "{format}");
        assert!(single.stdout.contains("customer_id"), "{format}: {}", single.stdout);
        assert_eq!(single.stdout, several.stdout, "{format}");
    }
}

#[test]
fn hidden_values_are_in_no_report() {
    let bench = Bench::new(SHOP);
    let everything = ["table", "json", "ndjson", "csv", "markdown", "html"];
    let explained = ["discover", "app.db", "--explain", REFERENCES[2]];
    assert!(bench.run(&explained).stdout.contains("7654321 (2 rows)"));
    let hidden = bench.run(&[&explained[..], &["--redact"]].concat());
    assert!(!hidden.stdout.contains("7654321") && hidden.stdout.contains("***"), "{}", hidden.stdout);
    let mut formats_with_values = 0;
    for format in everything {
        let plain = bench.run(&["discover", "app.db", "--tier", "rejected", "--format", format]).stdout;
        formats_with_values += usize::from(plain.contains("7654321"));
        let shown = bench.run(&["discover", "app.db", "--redact", "--tier", "rejected", "--format", format]).stdout;
        assert!(!shown.contains("7654321") && !shown.contains("7654322"), "{format}: {shown}");
    }
    assert!(formats_with_values >= 2, "{formats_with_values} formats show a value that can be hidden");
    bench.write("fk-doctor.toml", "[redact]\ncolumns = [\"customers.id\"]\n");
    let report = report(&bench, &[]);
    assert_eq!(candidate(&report, REFERENCES[2])["missing"][0]["key"]["customer_id"], "***");
}

#[test]
fn pair_is_explained_whatever_became_of_it() {
    let bench = Bench::new(SHOP);
    let explain = |pair: &str| bench.run(&["discover", "app.db", "--explain", pair]);
    let found = explain("orders(customer_id)->customers(id)").stdout;
    assert!(found.contains("2 of 62 keys are missing from customers(id), in 3 of 200 rows"), "{found}");
    assert!(found.contains("named after the parent table"), "{found}");
    assert!(found.contains("--accept 'orders(customer_id)->customers(id)' --config fk-doctor.toml"), "{found}");
    let rejected = explain("orders(customer_id)->orders(id)").stdout;
    assert!(rejected.contains("another parent fits better: orders(customer_id)->customers(id)"), "{rejected}");
    let absent = explain("customers(name)->products(id)").stdout;
    assert!(absent.contains("is no candidate") && absent.contains("none of the child's keys exists"), "{absent}");
    let no_key = explain("orders(customer_id)->reviews(rating)").stdout;
    assert!(no_key.contains("the parent's columns are no key: 5 different values in 150 rows"), "{no_key}");
    for (pair, why) in [
        ("orders(custmer_id)->customers(id)", "orders has no column custmer_id; did you mean customer_id?"),
        ("order(customer_id)->customers(id)", "there is no table order; did you mean orders?"),
        ("orders(customer_id)", "it has no ->"),
    ] {
        let refused = explain(pair);
        assert_eq!(refused.code, 2, "{pair}");
        assert!(refused.stderr.contains(why), "{pair}: {}", refused.stderr);
    }
}

#[test]
fn accepted_references_are_added_once_and_every_other_byte_stays() {
    let bench = Bench::new(SHOP);
    let mine = "# my settings\r\n[scan]\nfail-on = \"error\"   # as ever";
    bench.write("fk-doctor.toml", mine);
    let accept =
        |selection: &str| bench.run(&["discover", "app.db", "--accept", selection, "--config", "fk-doctor.toml"]);
    let first = accept("orders(*)->*");
    assert_eq!((first.code, first.stdout.as_str()), (0, ""), "{}", first.stderr);
    let text = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    let added = text.strip_prefix(mine).unwrap();
    assert!(added.contains("[[relation]]\nchild = \"orders(customer_id)\"\nparent = \"customers(id)\"\n"), "{added}");
    assert!(added.contains("3 of 200 rows"), "{added}");
    assert_eq!(accept("orders(*)->*").code, 0);
    assert_eq!(std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap(), text, "nothing is added twice");
    let known = report(&bench, &[]);
    assert_eq!(ids(&known, &["declared"]), ["orders(customer_id)->customers(id)"]);
    let nothing = accept("nothing(*)->*");
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("no candidate matches it"), "{}", nothing.stderr);
    let printed = bench.run(&["discover", "app.db", "--accept", "likely"]);
    assert_eq!(printed.stdout.matches("[[relation]]").count(), 4, "{}", printed.stdout);
}

#[test]
fn rejected_pair_is_remembered() {
    let bench = Bench::new(SHOP);
    let id = "reviews(customer_id)->customers(id)";
    let reject = || bench.run(&["discover", "app.db", "--reject", id, "--config", "fk-doctor.toml"]);
    let run = reject();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    assert_eq!(text, format!("[discover]\nreject = [\"{id}\"]\n"));
    let report = report(&bench, &[]);
    let rejected = candidate(&report, id);
    assert_eq!((rejected["tier"].as_str(), rejected["reason"].as_str()), (Some("rejected"), Some("by-you")));
    assert!(reject().stderr.contains("rejects this already"));
    assert_eq!(std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap(), text);
    bench.write("fk-doctor.toml", &text.replace("reject", "rejcet"));
    let misspelled = bench.run(&["discover", "app.db"]);
    assert_eq!(misspelled.code, 2, "{}", misspelled.stdout);
    assert!(misspelled.stderr.contains("rejcet") && misspelled.stderr.contains("reject"), "{}", misspelled.stderr);
}

#[test]
fn ratchet_fails_until_everything_is_accepted_or_rejected() {
    let bench = Bench::new(SHOP);
    let ratchet = || bench.run(&["discover", "app.db", "--fail-on", "likely"]).code;
    assert_eq!(ratchet(), 1);
    assert_eq!(bench.run(&["discover", "app.db", "--accept", "likely", "--config", "fk-doctor.toml"]).code, 0);
    assert_eq!(ratchet(), 0);
    bench.execute("CREATE TABLE coupons(id INTEGER PRIMARY KEY, customer_id INTEGER); INSERT INTO coupons SELECT id, id FROM customers WHERE id % 2; INSERT INTO coupons SELECT id + 1000, id FROM customers;");
    assert_eq!(ratchet(), 1, "a new reference fails the run");
}

#[test]
fn scan_with_discovery_warns_about_orphans_of_certain_relations() {
    let bench = Bench::new(SHOP);
    let plain = bench.run(&["scan", "app.db"]);
    assert_eq!(plain.code, 0, "{}", plain.stdout);
    assert!(plain.stdout.contains("next: fk-doctor discover app.db"), "{}", plain.stdout);
    let run = bench.run(&["scan", "app.db", "--discover", "--format", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let scan: Value = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("scan", &scan);
    let finding = scan["findings"].as_array().unwrap().iter().find(|finding| finding["rows"] == 3).unwrap();
    assert_eq!(finding["code"], "orphan-discovered");
    assert_eq!(finding["severity"], "warning");
    let relations = scan["relations"].as_array().unwrap();
    assert!(relations.iter().any(|relation| relation["id"] == REFERENCES[2]), "{relations:?}");
    assert!(relations.iter().all(|relation| relation["origin"] == "discovered"), "{relations:?}");
    assert_eq!(bench.run(&["scan", "app.db", "--discover", "--fail-on", "warning"]).code, 1);
}

#[test]
fn picture_tells_discovered_relations_from_declared_ones() {
    let bench = Bench::new(SHOP);
    bench.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders(id)); INSERT INTO notes SELECT id, id FROM orders;");
    let dot = bench.run(&["schema", "app.db", "--discover", "--format", "dot"]).stdout;
    assert!(dot.contains("[style=dashed]"), "{dot}");
    assert_eq!(dot.lines().filter(|line| line.contains(" -> ") && !line.contains('[')).count(), 1, "{dot}");
    let same = bench.run(&["discover", "app.db", "--format", "dot"]).stdout;
    assert_eq!(same.matches(" -> ").count(), dot.matches(" -> ").count());
    let mermaid = bench.run(&["schema", "app.db", "--discover", "--format", "mermaid"]).stdout;
    assert!(mermaid.contains("certain: customer_id"), "{mermaid}");
    assert!(!bench.run(&["schema", "app.db", "--format", "dot"]).stdout.contains("dashed"));
}

#[test]
fn page_draws_discovered_relations_dashed() {
    let bench = Bench::new(SHOP);
    bench.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders(id)); INSERT INTO notes SELECT id, id FROM orders;");
    let page = bench.run(&["scan", "app.db", "--discover", "--format", "html"]).stdout;
    let lines = |class: &str| page.lines().filter(|line| line.contains("<a href=") && line.contains(class)).count();
    let (all, discovered) = (lines("class=\"edge "), lines(" discovered\"><path class=\"reach\""));
    assert!(discovered > 1 && all == discovered + 1, "{discovered} of {all}");
    assert!(page.contains("discovered: nobody declares it"));
    let plain = bench.run(&["scan", "app.db", "--format", "html"]).stdout;
    assert!(!plain.contains("nobody declares it"));
}

/// A database without foreign keys gets them: discover, accept, scan, repair, enforce.
#[test]
fn column_that_cannot_be_compared_makes_the_run_incomplete() {
    let bench = Bench::new(SHOP);
    bench.execute(
        "CREATE TABLE notes(id INTEGER PRIMARY KEY, author TEXT COLLATE BINARY); INSERT INTO notes VALUES (1, 'a');
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'BINARY', 'german') WHERE name = 'notes';
         PRAGMA writable_schema = RESET;",
    );
    let run = bench.run(&["discover", "app.db", "--format", "json"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["summary"]["complete"], false);
    assert_eq!(
        (&report["not_looked_at"][0]["subject"], &report["not_looked_at"][0]["failed"]),
        (&"notes(author)".into(), &true.into())
    );
    let table = bench.run(&["discover", "app.db"]);
    assert_eq!(table.code, 4);
    let headline = table.stdout.lines().next().unwrap();
    assert!(headline.ends_with("; 1 column was not compared"), "{headline}");
    for arguments in [["scan", "app.db", "--discover"], ["schema", "app.db", "--discover"]] {
        let run = bench.run(&arguments);
        assert_eq!(run.code, 4, "{}", run.stdout);
        assert!(run.stderr.contains("note: the discovery could not compare notes(author): "), "{}", run.stderr);
    }
}

#[test]
fn declared_reference_is_known_whatever_its_rows_are() {
    let bench = Bench::new(
        "CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a(id));
         CREATE TABLE c(x INTEGER, y INTEGER, PRIMARY KEY (x, y));
         CREATE TABLE d(id INTEGER PRIMARY KEY, cx INTEGER, cy INTEGER, FOREIGN KEY (cx, cy) REFERENCES c(x, y));
         CREATE TABLE e(id INTEGER PRIMARY KEY, c_x INTEGER REFERENCES f(x)); CREATE TABLE f(x INTEGER);
         INSERT INTO c VALUES (1, 1), (1, 2); INSERT INTO d VALUES (1, 1, 1), (2, 7, 7), (3, 8, 8), (4, 9, 9), (5, 6, 6);",
    );
    let report = report(&bench, &[]);
    let declared = ids(&report, &["declared"]);
    assert_eq!(declared, ["b(a_id)->a(id)", "d(cx,cy)->c(x,y)", "e(c_x)->f(x)"]);
    let composite = candidate(&report, "d(cx,cy)->c(x,y)");
    assert_eq!((&composite["distinct"], &composite["missing_keys"]), (&5.into(), &4.into()));
    assert_eq!(ids(&report, &["certain", "likely"]), Vec::<String>::new());
    let table = bench.run(&["discover", "app.db"]).stdout;
    assert!(table.contains("no undeclared reference is likely beyond the 3 known"), "{table}");
}

/// The table has 330 million lists of four columns.
#[test]
fn wide_table_without_keys_ends_and_names_what_it_left_out() {
    let columns: Vec<String> = (0..300).map(|column| format!("c{column} INTEGER")).collect();
    let row =
        |number: i64| (0..300).map(|column| ((number >> (column % 6)) & 1).to_string()).collect::<Vec<_>>().join(", ");
    let rows: Vec<String> = (0..64).map(|number| format!("({})", row(number))).collect();
    let bench =
        Bench::new(&format!("CREATE TABLE wide({}); INSERT INTO wide VALUES {}", columns.join(", "), rows.join(", ")));
    let report = report(&bench, &["--timeout", "60s"]);
    let left_out = &report["not_looked_at"].as_array().unwrap()[0];
    assert_eq!(left_out["subject"], "wide");
    assert!(left_out["number"].as_u64().unwrap() > 300_000_000, "{left_out}");
    assert_eq!(report["summary"]["complete"], true);
}

#[test]
fn hints_name_the_configuration_in_use() {
    let bench = Bench::new(SHOP);
    bench.write("my settings.toml", "");
    let table = bench.run(&["discover", "app.db", "--config", "my settings.toml"]).stdout;
    assert!(table.contains("--accept certain >> 'my settings.toml'"), "{table}");
    let explain = ["discover", "app.db", "--config", "my settings.toml", "--explain", REFERENCES[2]];
    let explained = bench.run(&explain).stdout;
    assert_eq!(explained.matches("--config 'my settings.toml'").count(), 2, "{explained}");
}

#[test]
fn near_pair_is_left_out_like_any_other() {
    let bench = Bench::new(
        "CREATE TABLE airports(code TEXT PRIMARY KEY); CREATE TABLE flights(id INTEGER PRIMARY KEY, source TEXT);
         INSERT INTO airports VALUES ('ABQ'), ('ATL'), ('BOS'), ('JFK');
         INSERT INTO flights VALUES (1, ' ABQ'), (2, ' ATL'), (3, ' BOS'), (4, ' JFK'), (5, ' ABQ');",
    );
    let near = |arguments: &[&str]| {
        let report = report(&bench, arguments);
        let ids = report["near"].as_array().unwrap().iter().map(|near| near["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<String>>()
    };
    let id = "flights(source)->airports(code)";
    assert_eq!(near(&[]), [id]);
    assert!(near(&["--exclude", id]).is_empty());
    assert!(near(&["--table", "nothing"]).is_empty());
    bench.write("fk-doctor.toml", &format!("discover = {{ reject = [\"{id}\"] }}\n"));
    assert!(near(&[]).is_empty());
}
