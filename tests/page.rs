//! The HTML page: its top agrees with the terminal's report, its groups hold every finding, and its text is reproducible.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::collections::BTreeSet;

use common::Bench;
use roxmltree::Document;
use roxmltree::Node;

const SHOP: &str = "
CREATE TABLE customers(id INTEGER PRIMARY KEY, code TEXT UNIQUE);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id));
CREATE TABLE notes(id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), o INTEGER REFERENCES orders(id));
CREATE INDEX a ON orders(customer_id); CREATE INDEX b ON notes(customer_id); CREATE INDEX c ON notes(o);
INSERT INTO customers VALUES (1, 'A'); INSERT INTO orders VALUES (1, 1); INSERT INTO notes VALUES (1, 1, 1);
";
const ORPHANS: &str = "INSERT INTO orders VALUES (2, 7), (3, 7), (4, 8); INSERT INTO notes VALUES (2, 7, 1);";
const DEFECT: &str =
    "CREATE TABLE lost(id INTEGER PRIMARY KEY, g INTEGER REFERENCES gone(id)); CREATE INDEX d ON lost(g);";
const UNCHECKED: &str = "CREATE TABLE lost(id INTEGER PRIMARY KEY, g INTEGER REFERENCES customers(nope));";
const WARNING: &str =
    "CREATE TABLE codes(id INTEGER PRIMARY KEY, c INTEGER REFERENCES customers(code)); CREATE INDEX e ON codes(c);
    INSERT INTO codes VALUES (1, NULL);";

fn page(bench: &Bench, options: &[&str]) -> String {
    bench.run(&[&["scan", "app.db", "--format", "html"], options].concat()).stdout
}

fn parsed(page: &str) -> Document<'_> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap()
}

fn of_class<'a, 'i>(document: &'a Document<'i>, class: &'static str) -> Vec<Node<'a, 'i>> {
    let has =
        move |node: &Node<'_, '_>| node.attribute("class").is_some_and(|own| own.split(' ').any(|own| own == class));
    document.descendants().filter(has).collect()
}

fn text(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|node| node.text());
    texts.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// Returns the states in the bar with their numbers, such as `[("orphans", "2 with orphan rows")]`.
fn bar(document: &Document<'_>) -> Vec<(String, String)> {
    let bar = of_class(document, "bar")[0];
    let parts = bar.descendants().filter(|node| node.children().any(|child| child.has_tag_name("title")));
    parts.map(|part| (part.attribute("class").unwrap()["bar-".len()..].to_owned(), text(part))).collect()
}

#[test]
fn page_begins_with_the_verdict_of_the_terminal() {
    for (sql, options, states) in [
        ("", &[][..], "good 3 without errors"),
        (ORPHANS, &[], "orphans 2 with orphan rows, sound 1 without errors"),
        (WARNING, &[], "warning 1 with a warning, sound 3 without errors"),
        (DEFECT, &[], "defective 1 defective, sound 3 without errors"),
        (
            ORPHANS,
            &["--where", "orders: child.id = 1"],
            "orphans 1 with orphan rows, partial 1 checked in part, sound 1 without errors",
        ),
        ("", &["--where", "orders: child.id = 1"], "partial 1 checked in part, sound 2 without errors"),
        (UNCHECKED, &[], "defective 1 defective, 1 of them not checked, sound 3 without errors"),
    ] {
        let bench = Bench::new(&format!("{SHOP}{sql}"));
        // Both reports come from one scan, because some verdicts contain its duration.
        let both = ["scan", "app.db", "-q", "--format", "table", "--format", "html=r.html"];
        let table = bench.run(&[&both, options].concat()).stdout;
        let table = common::in_one_line(&table);
        let page = std::fs::read_to_string(bench.path("r.html")).unwrap();
        let document = parsed(&page);
        let verdicts: Vec<String> = of_class(&document, "verdict").into_iter().map(text).collect();
        let without_name = |verdict: &str| verdict.replace("app.db: ", "");
        let first = verdicts.join(" ");
        if sql.is_empty() && options.is_empty() {
            assert!(table.is_empty() && first.starts_with("✓ app.db is clean: 3 of 3 relations checked"), "{first}");
        } else {
            assert_eq!(first, without_name(&table), "{sql} {options:?}");
        }
        let parts: Vec<String> = bar(&document).into_iter().map(|(state, words)| format!("{state} {words}")).collect();
        assert_eq!(parts.join(", "), states, "{sql} {options:?}");
    }
}

#[test]
fn baseline_keeps_the_bar_from_being_green() {
    let bench = Bench::new(&format!("{SHOP}{ORPHANS}"));
    bench.run(&["scan", "app.db", "--write-baseline", "known.toml"]);
    let page = page(&bench, &["--baseline", "known.toml"]);
    let document = parsed(&page);
    let states: Vec<String> = bar(&document).into_iter().map(|(state, words)| format!("{state} {words}")).collect();
    assert_eq!(states, ["known 2 with known findings", "sound 1 without errors"]);
    assert!(page.contains("<summary>2 known findings in the baseline</summary>"), "{page}");
}

#[test]
fn page_says_when_and_how_it_was_made() {
    let bench = Bench::new(&format!("{SHOP}{ORPHANS}"));
    std::fs::copy(bench.path("app.db"), bench.path("my shop.db")).unwrap();
    let run = bench.run(&["scan", "my shop.db", "--samples", "2", "-o", "my page.html"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let page = std::fs::read_to_string(bench.path("my page.html")).unwrap();
    let document = parsed(&page);
    let run = text(of_class(&document, "run")[0]);
    let parts: Vec<&str> = run.split(" · ").collect();
    let [date, duration, rows, version, command] = parts[..] else { panic!("{run}") };
    assert!(date.ends_with(" UTC") && date.contains(", "), "{date}");
    assert!(duration.ends_with(" s"), "{duration}");
    assert_eq!((rows, version), ("6 rows", concat!("fk-doctor ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(command, "fk-doctor scan 'my shop.db' --samples 2 -o 'my page.html'");
}

/// A link with the id of any finding leads to a line inside the group, so that the browser or the script can open it.
#[test]
fn every_finding_has_its_id_in_a_group() {
    let bench = Bench::new(&format!("{SHOP}{ORPHANS}{DEFECT}{WARNING} DROP INDEX a; DROP INDEX b;"));
    let (_, report) = bench.scan();
    let findings: BTreeSet<&str> =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    assert_eq!(findings.len(), 6);
    let page = page(&bench, &[]);
    let document = parsed(&page);
    for id in findings {
        let lines: Vec<_> = document.descendants().filter(|node| node.attribute("id") == Some(id)).collect();
        let [line] = lines[..] else { panic!("{} lines have the id {id}", lines.len()) };
        let mut around = line.ancestors().skip(1);
        assert!(around.any(|node| node.attribute("class") == Some("group")), "{id} is inside a group");
    }
    let groups: Vec<String> = of_class(&document, "line").into_iter().map(text).collect();
    assert_eq!(groups.len(), 4, "{groups:?}");
    assert!(groups.iter().any(|group| group.ends_with("2 4 2 load")), "two relations, four rows, two keys: {groups:?}");
    assert!(groups.iter().any(|group| group.starts_with("child not indexed 2")), "{groups:?}");
    let open: Vec<bool> = of_class(&document, "group").iter().map(|group| group.attribute("open").is_some()).collect();
    assert_eq!(open, [true, false, false, false]);
}

#[test]
fn many_groups_do_not_push_the_picture_away() {
    let tables: String = (0..30)
        .map(|n| format!("CREATE TABLE p{n}(id INTEGER PRIMARY KEY); CREATE TABLE c{n}(r REFERENCES p{n}(id)); INSERT INTO c{n} VALUES (1);"))
        .collect();
    let page = page(&Bench::new(&tables), &[]);
    let document = parsed(&page);
    let groups = of_class(&document, "group");
    assert_eq!(groups.len(), 31);
    let closed = groups.iter().filter(|group| group.ancestors().any(|node| node.attribute("class") == Some("more")));
    assert_eq!(closed.count(), 19);
    assert!(page.contains("<summary>19 more groups</summary>") && page.contains("type=\"search\""), "{page}");
}

/// The page says the same as the terminal about a parent key that is not unique.
#[test]
fn page_has_the_commands_that_repair_a_key() {
    let bench = Bench::new(
        "CREATE TABLE team(id INTEGER, year INTEGER); CREATE TABLE manager(id INTEGER PRIMARY KEY, team INTEGER REFERENCES team(id), \
         year INTEGER); INSERT INTO team VALUES (1, 2001), (1, 2002); INSERT INTO manager VALUES (1, 1, 2001), (2, 1, 2002);",
    );
    let terminal = common::in_one_line(&bench.run(&["scan", "app.db"]).stdout);
    let page = page(&bench, &[]);
    let document = parsed(&page);
    let facts: Vec<String> = of_class(&document, "facts").into_iter().map(text).collect();
    assert!(facts[0].starts_with("cause a column is missing from the key: team(id,year) is unique"), "{facts:?}");
    assert!(page.contains("<pre>sqlite3 app.db \\\n  "), "{page}");
    assert!(page.contains(" -o team.ndjson \\\n  --relax "), "{page}");
    for command in
        ["sqlite3 app.db", "fk-doctor repair app.db -o team.ndjson", "--enforce 'manager(team,year) -> team(id,year)'"]
    {
        assert!(facts[0].contains(command) && terminal.contains(command), "{command}: {facts:?} {terminal}");
    }
}

/// On paper a long group continues on the next page.
#[test]
fn printed_group_may_continue_on_the_next_page() {
    let page = page(&Bench::new(SHOP), &[]);
    let (_, print) = page.split_once("@media print").unwrap();
    assert!(!print.contains(".group { break-inside: avoid"), "{print}");
    assert!(print.contains(".group > summary { break-after: avoid; }"), "{print}");
}

/// Two scans differ in the line about the run only.
#[test]
fn two_pages_of_a_database_differ_only_in_the_run() {
    let bench = Bench::new(&format!("{SHOP}{ORPHANS}{DEFECT}"));
    let without_run = |page: String| -> String {
        assert_eq!(page.lines().filter(|line| line.starts_with("<p class=\"run\">")).count(), 1);
        page.lines().filter(|line| !line.starts_with("<p class=\"run\">")).collect()
    };
    let pages = ["1", "8"].map(|jobs| without_run(page(&bench, &["--jobs", jobs])));
    assert_eq!(pages[0], pages[1]);
}

/// The script of the page zooms, drags and fits its picture. The test needs node.
#[test]
fn script_zooms_the_picture() {
    let bench = Bench::new(&format!("{SHOP}{ORPHANS}"));
    let script = format!("{}/tests/data/zoom.js", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(bench.path("r.html"), page(&bench, &[])).unwrap();
    match std::process::Command::new("node").arg(script).arg(bench.path("r.html")).output() {
        Ok(run) => assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: the script of the page was not run, because there is no node");
        }
        Err(error) => panic!("{error}"),
    }
}
