//! The pictures of the HTML page, for small and for large schemas: every relation has an arrow, and every arrow a target.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use common::Bench;
use roxmltree::Document;
use roxmltree::Node;

/// Returns a database of connected tables. Each table refers to some of the tables before it, and every tenth relation,
/// up to `sick`, has an orphan.
fn connected(tables: usize, relations: usize, sick: usize) -> Bench {
    let mut random = fastrand::Rng::with_seed(501);
    let mut parents: Vec<Vec<usize>> = (0..tables).map(|child| (0..child.min(1)).collect()).collect();
    for (child, parents) in parents.iter_mut().enumerate().skip(1) {
        parents[0] = random.usize(child / 2..child);
    }
    for _ in tables - 1..relations {
        let child = random.usize(1..tables);
        parents[child].push(random.usize(0..child));
    }
    let mut sql = String::new();
    let mut number = 0;
    for (child, parents) in parents.iter().enumerate() {
        let columns: Vec<String> =
            parents.iter().enumerate().map(|(at, p)| format!(", r{at} REFERENCES t{p}(id)")).collect();
        sql.push_str(&format!("CREATE TABLE t{child}(id INTEGER PRIMARY KEY{});\n", columns.concat()));
        for at in 0..parents.len() {
            number += 1;
            if number % (relations / sick.max(1)) == 0 && number / (relations / sick.max(1)) <= sick {
                sql.push_str(&format!("INSERT INTO t{child}(r{at}) VALUES (77);\n"));
            }
        }
    }
    Bench::new(&sql)
}

fn page(bench: &Bench) -> String {
    bench.run(&["scan", "app.db", "--format", "html"]).stdout
}

fn parsed(page: &str) -> Document<'_> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap()
}

fn has_class(node: Node<'_, '_>, class: &str) -> bool {
    node.attribute("class").is_some_and(|classes| classes.split(' ').any(|own| own == class))
}

fn with_class<'a, 'i>(node: Node<'a, 'i>, class: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants().filter(move |node| has_class(*node, class))
}

/// Returns the relations that a frame draws, from the titles of its arrows.
fn drawn(frame: Node<'_, '_>) -> Vec<String> {
    let arrows = frame.descendants().filter(|node| node.has_tag_name("a"));
    arrows
        .map(|arrow| arrow.first_element_child().unwrap().text().unwrap().split(": ").next().unwrap().to_owned())
        .collect()
}

fn is_closed(node: Node<'_, '_>) -> bool {
    node.ancestors().any(|node| node.has_tag_name("details") && node.attribute("open").is_none())
}

#[test]
fn parallel_relations_have_an_arrow_and_a_label_each() {
    let bench = Bench::new(
        "CREATE TABLE airports(code TEXT PRIMARY KEY);
        CREATE TABLE flights(id INTEGER PRIMARY KEY, source REFERENCES airports(code), dest REFERENCES airports(code));
        INSERT INTO flights VALUES (1, 'A', 'B'), (2, 'A', NULL);",
    );
    let page = page(&bench);
    let document = parsed(&page);
    let arrows: Vec<Node<'_, '_>> = document.descendants().filter(|node| node.has_tag_name("a")).collect();
    let arrows: Vec<_> = arrows.into_iter().filter(|node| with_class(*node, "reach").next().is_some()).collect();
    let facts: BTreeMap<String, String> = arrows
        .iter()
        .map(|arrow| {
            let path = with_class(*arrow, "reach").next().unwrap().attribute("d").unwrap().to_owned();
            let text = arrow.descendants().find(|node| node.has_tag_name("text")).unwrap();
            (text.text().unwrap().to_owned(), path)
        })
        .collect();
    assert_eq!(facts.keys().collect::<Vec<_>>(), ["dest · 1 row", "source · 2 rows"]);
    let starts: Vec<f64> = facts.values().map(|path| number_after_first_space(path)).collect();
    assert_eq!((starts[0] - starts[1]).abs(), 14.0, "{facts:?}");
    let targets: BTreeSet<&str> = arrows.iter().map(|arrow| arrow.attribute("href").unwrap()).collect();
    assert_eq!(targets.len(), 2);
    let ids: BTreeSet<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    assert!(targets.iter().all(|target| ids.contains(&target[1..])), "{targets:?}");
}

fn number_after_first_space(path: &str) -> f64 {
    let number: String = path.split(' ').nth(1).unwrap().chars().take_while(|c| !c.is_ascii_alphabetic()).collect();
    number.parse().unwrap()
}

#[test]
fn reference_of_a_table_to_itself_is_a_loop() {
    let bench = Bench::new("CREATE TABLE t(id INTEGER PRIMARY KEY, up REFERENCES t(id)); INSERT INTO t VALUES (1, 5);");
    let page = page(&bench);
    let document = parsed(&page);
    let path = with_class(document.root(), "reach").next().unwrap().attribute("d").unwrap();
    let last = path.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    assert_eq!(number_after_first_space(path), last, "it ends at the height where it starts");
    assert!(page.contains(">up · 1 row</text>"), "{page}");
}

#[test]
fn sixty_relations_are_in_one_open_picture() {
    let page = page(&connected(38, 60, 9));
    let document = parsed(&page);
    let frames: Vec<Node<'_, '_>> = with_class(document.root(), "frame").collect();
    let [frame] = frames[..] else { panic!("{} pictures", frames.len()) };
    assert!(!is_closed(frame));
    assert_eq!(drawn(frame).len(), 60);
}

/// A large part shows its sick relations and their neighbours, and another drawing shows every relation.
#[test]
fn large_schema_shows_its_sick_part_first_and_really_draws_all() {
    let bench = connected(255, 501, 60);
    let (_, report) = bench.scan();
    let orphans = report["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "orphan");
    let sick: BTreeSet<String> = orphans.map(|finding| finding["relation"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sick.len(), 60);
    let page = page(&bench);
    let document = parsed(&page);
    let frames: Vec<Node<'_, '_>> = with_class(document.root(), "frame").collect();
    let [some, all] = frames[..] else { panic!("{} pictures", frames.len()) };
    assert!(has_class(some, "some") && has_class(all, "all") && !is_closed(some));
    let some_drawn: BTreeSet<String> = drawn(some).into_iter().collect();
    assert!(some_drawn.is_superset(&sick), "every sick relation is drawn");
    assert!((61..=90).contains(&some_drawn.len()), "{} relations with neighbours", some_drawn.len());
    let all_drawn: BTreeSet<String> = drawn(all).into_iter().collect();
    assert_eq!(all_drawn.len(), 501);
    assert!(page.contains("draw all 501</label>"), "{page}");

    // Each box says how many of its table's relations are in the large drawing only.
    let of_table = |relations: &BTreeSet<String>, table: &str| {
        let touches = |id: &&String| id.split("->").any(|side| side.starts_with(&format!("{table}(")));
        relations.iter().filter(touches).count()
    };
    let boxes: Vec<Node<'_, '_>> = with_class(some, "node").collect();
    assert!(boxes.len() > 60);
    for node in boxes {
        let title = node.first_element_child().unwrap().text().unwrap();
        let table = title.split(',').next().unwrap();
        let left_out = of_table(&all_drawn, table) - of_table(&some_drawn, table);
        let rest = with_class(node, "rest").next().map(|rest| rest.text().unwrap().to_owned());
        assert_eq!(rest, (left_out > 0).then(|| format!("+{left_out}")), "{title}");
    }
    assert!(page.contains("<b>+3</b> relations of the table that the drawing leaves out"), "{page}");
    let choices = document.descendants().filter(|node| node.attribute("type") == Some("radio"));
    assert_eq!(choices.map(|choice| choice.attribute("checked").is_some()).collect::<Vec<_>>(), [true, false]);
}

/// Each connected part has a picture of its own. The sick parts are open, and the others are in one group that is closed.
#[test]
fn parts_without_errors_are_counted_and_can_be_opened() {
    let pairs: Vec<String> = (0..80)
        .map(|pair| {
            format!("CREATE TABLE p{pair}(id INTEGER PRIMARY KEY); CREATE TABLE c{pair}(r REFERENCES p{pair}(id));")
        })
        .collect();
    let bench = Bench::new(&format!("{} CREATE TABLE alone(x); INSERT INTO c40 VALUES (1);", pairs.concat()));
    let page = page(&bench);
    let document = parsed(&page);
    let (closed, open): (Vec<_>, Vec<_>) = with_class(document.root(), "frame").partition(|frame| is_closed(*frame));
    assert_eq!(open.iter().flat_map(|frame| drawn(*frame)).collect::<Vec<_>>(), ["c40(r)->p40(id)"]);
    assert_eq!(closed.len(), 79);
    assert!(
        page.contains("<summary>79 more groups of tables without errors: 158 tables, 79 relations</summary>"),
        "{page}"
    );
    assert!(page.contains("<summary>1 more table without relations</summary>\n<p><code>alone</code></p>"), "{page}");
}

#[test]
fn clean_schema_is_open_as_long_as_it_can_be_followed() {
    for (tables, relations, is_open) in [(38, 60, true), (40, 61, false)] {
        let page = page(&connected(tables, relations, 0));
        let document = parsed(&page);
        let frames: Vec<_> = with_class(document.root(), "frame").collect();
        assert_eq!((frames.len(), drawn(frames[0]).len(), !is_closed(frames[0])), (1, relations, is_open));
    }
}

#[test]
fn tables_of_the_engine_and_the_record_of_plans_are_neither_drawn_nor_compared() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE c(id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p);
         INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2); CREATE INDEX by_p ON c(p_id); ANALYZE;
         CREATE TABLE fk_doctor_state(plan TEXT, number INTEGER); INSERT INTO fk_doctor_state VALUES ('a', 1), ('a', 2)",
    );
    let names = bench.run(&["schema", "app.db", "--format", "json"]).stdout;
    assert!(names.contains("sqlite_sequence") && names.contains("sqlite_stat1"), "{names}");
    for words in [
        &["schema", "app.db", "--format", "dot"][..],
        &["schema", "app.db", "--format", "mermaid"],
        &["schema", "app.db", "--format", "dbml"],
        &["scan", "app.db", "--format", "html"],
        &["discover", "app.db", "--format", "json", "--tier", "rejected"],
    ] {
        let run = bench.run(words);
        assert!(run.stdout.contains("p_id"), "{words:?}: {}", run.stdout);
        assert!(!run.stdout.contains("sqlite_"), "{words:?}: {}", run.stdout);
        assert!(!run.stdout.contains("fk_doctor_state"), "{words:?}: {}", run.stdout);
    }
}
