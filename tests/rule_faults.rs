//! `rules check`: what is wrong with rules, all of it at once, by themselves and against a database.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use common::Run;

const SEED: &str = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE posts(id INTEGER PRIMARY KEY, \
    user_id INT REFERENCES users(id), title TEXT NOT NULL); CREATE TABLE old_users(id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE comments(id INTEGER PRIMARY KEY, post_id INT REFERENCES posts(id), user_id INT REFERENCES users(id));";

fn check(rules: &str, against: bool) -> Run {
    let bench = Bench::new(SEED);
    bench.write("r.toml", rules);
    let options: &[&str] = if against { &["--against", "app.db"] } else { &[] };
    bench.run(&[&["rules", "check", "r.toml"], options].concat())
}

/// Every fault, each with its line, its caret and this message, in the order of the text.
fn faulty(rules: &str, against: bool, messages: &[&str]) {
    let run = check(rules, against);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{rules}");
    let told: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(told.len(), messages.len(), "{}", run.stderr);
    for (told, message) in told.iter().zip(messages) {
        assert!(told.contains(message), "{message}: {}", run.stderr);
    }
    assert_eq!(run.stderr.matches("--> r.toml:").count(), messages.len(), "{}", run.stderr);
    assert!(run.stderr.contains('^'), "{}", run.stderr);
}

fn rule(id: &str, child: &str, treatment: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\nrelation.child = \"{child}\"\n[[rule.treat]]\n{treatment}\n")
}

#[test]
fn every_fault_of_a_text_is_told_at_once() {
    let rules = "[[rule]]\nid = \"Bad Id\"\nrelation.child = \"c(r)\"\nlimits = { max-row = 1, max-share = 2.0 }\n\
        [[rule.treat]]\naction = \"delete\"\n[[rule.treat]]\naction = \"remapp\"\n[[rule.treat]]\naction = \"remap\"\n\
        to = \"SELECT 1\"\nmap = \"x.csv\"\n[[rule]]\nid = \"a\"\n[[rule.treat]]\naction = \"report\"\n";
    let messages = [
        "`Bad Id` is not valid",
        "unknown key `max-row`",
        "expected a share from 0 to 1",
        "delete keeps no copy of the rows",
        "there is no action `remapp`",
        "`to` already says where the rows are to point",
        "`relation` is missing",
    ];
    faulty(rules, false, &messages);
    assert!(check(rules, false).stderr.contains("did you mean `remap`?"));
}

#[test]
fn names_and_expressions_are_held_against_a_database() {
    let rules = [
        rule("a", "posts(user_id)", "action = \"remap\"\ntable = \"old_user(id -> id)\""),
        rule(
            "b",
            "comments(post_id)",
            "action = \"placeholder\"\nvalues = { titel = \"x\", title = { sql = \"key.post\" } }",
        ),
        rule("c", "comments(user_id)", "action = \"remap\"\nvia = \"old_users(uid)\"\nto = \"SELECT 1\""),
    ];
    let text = rules.concat();
    assert_eq!(check(&text, false).code, 0, "names take a database");
    let messages = [
        "there is no table old_user",
        "posts has no column titel",
        "this does not compile: no such column: key.post",
        "old_users has no column uid",
    ];
    faulty(&text, true, &messages);
    let told = check(&text, true).stderr;
    assert!(told.contains("did you mean old_users?") && told.contains("did you mean title?"), "{told}");
    let compiles = |sql: &str| rule("a", "posts(user_id)", &format!("action = \"remap\"\nto = \"{sql}\""));
    faulty(&compiles("SELECT id FROM userz"), true, &["this does not compile: no such table: userz"]);
    faulty(&compiles("SELEC id"), true, &["this does not compile: near"]);
    faulty(&compiles("SELECT nope(1)"), true, &["this does not compile: no such function: nope"]);
    faulty(
        &compiles("SELECT id FROM users WHERE name = via.name"),
        true,
        &["this does not compile: no such column: via.name"],
    );
    assert_eq!(check(&compiles("SELECT id FROM users WHERE name = child.title"), true).code, 0);
}

#[test]
fn a_rule_for_nothing_is_told() {
    let report = "action = \"report\"";
    faulty(&rule("a", "post(user_id)", report), true, &["the database has no relation post(user_id)"]);
    assert!(check(&rule("a", "post(user_id)", report), true).stderr.contains("did you mean posts(user_id)?"));
    faulty(&rule("a", "posts(title)", report), true, &["the database has no relation posts(title)"]);
    // A glob may match nothing, and is told.
    let run = check(&rule("a", "audit_*(*)", report), true);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("a treats nothing here"), "{}", run.stdout);
}

#[test]
fn rules_that_fight_are_told() {
    let (null, report) = ("action = \"set-null\"", "action = \"report\"");
    let both = rule("a", "posts(user_id)", null) + &rule("b", "posts(user_id)", report);
    faulty(&both, true, &["`a` already treats posts(user_id)->users(id)"]);
    // The same in two files.
    let bench = Bench::new(SEED);
    bench.write("1.toml", &rule("a", "posts(user_id)", null));
    bench.write("2.toml", &rule("b", "posts(user_id)", report));
    let run = bench.run(&["rules", "check", "1.toml", "2.toml", "--against", "app.db"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("--> 2.toml:3") && run.stderr.contains("`a` already treats"), "{}", run.stderr);
    assert_eq!(bench.run(&["repair", "app.db", "--rules", "1.toml", "--rules", "2.toml"]).code, 2);

    // One that names its relation goes before a glob, and the first glob before the next: which one it is, is told.
    let several =
        rule("every", "*(user_id)", null) + &rule("all", "*", report) + &rule("one", "posts(user_id)", report);
    let run = check(&several, true);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let expected = [
        "3 rules without a fault",
        "  every treats comments(user_id)->users(id)",
        "  every gives way to one for posts(user_id)->users(id)",
        "  all treats comments(post_id)->posts(id)",
        "  all gives way to one for posts(user_id)->users(id)",
        "  all gives way to every for comments(user_id)->users(id)",
        "  one treats posts(user_id)->users(id)",
    ];
    let mut told: Vec<&str> = run.stdout.lines().collect();
    let mut expected = expected.to_vec();
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
}
