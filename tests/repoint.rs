//! Twins are merged: their children are pointed at the row that is kept, and the twins are kept aside. One plan, one undo.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use common::Bench;
use common::Run;
use fastrand::Rng;

/// Returns a rule for the twins of one table, without limits.
fn rule(parent: &str, settings: &str) -> String {
    format!(
        "[[rule]]\nid = \"merge-{}\"\nrelation = {{ parent = \"{parent}\" }}\nlimits = {{ max-rows = 100000, max-share = 1.0 }}\n\
         [[rule.treat]]\naction = \"repoint\"\n{settings}\n",
        parent.split('(').next().unwrap()
    )
}

/// Returns the report of a dry run, which writes nothing.
fn planned(bench: &Bench, code: i32) -> serde_json::Value {
    let before = bench.dump();
    let run =
        bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan.ndjson", "--overwrite", "--format", "json"]);
    assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
    assert_eq!(bench.dump(), before, "a dry run writes nothing");
    let report = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("repair", &report);
    report
}

fn apply(bench: &Bench, options: &[&str], code: i32) -> Run {
    let run = bench.run(&[&["apply", "app.db", "plan.ndjson", "--no-backup"], options].concat());
    assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
    run
}

/// Merges, checks the result, and undoes it.
fn merged(bench: &Bench, rules: &str, check: impl FnOnce(&serde_json::Value)) {
    bench.write("r.toml", rules);
    let before = bench.dump();
    let report = planned(bench, 0);
    apply(bench, &[], 0);
    check(&report);
    let after = bench.dump();
    apply(bench, &[], 0);
    assert_eq!(bench.dump(), after, "applying twice changes nothing");
    let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
    assert_eq!((undone.code, bench.dump()), (0, before), "{}{}", undone.stdout, undone.stderr);
    for file in ["plan.ndjson", "plan.ndjson.begun"] {
        let _ = std::fs::remove_file(bench.path(file));
    }
}

/// Returns one copy of a music shop, whose ids are shifted. The second copy spells names in another case.
fn shop(shift: i64) -> String {
    let name = |text: String| if shift > 0 { text.to_uppercase() } else { text };
    let mut sql = String::new();
    for id in 1..=3 {
        sql.push_str(&format!("INSERT INTO artists VALUES ({}, '{}');\n", shift + id, name(format!("artist {id}"))));
    }
    for id in 1..=5 {
        sql.push_str(&format!("INSERT INTO albums VALUES ({}, 'album {id}', {});\n", shift + id, shift + 1 + id % 3));
    }
    for id in 1..=10 {
        sql.push_str(&format!("INSERT INTO tracks VALUES ({}, 'track {id}', {});\n", shift + id, shift + 1 + id % 5));
    }
    for id in 1..=2 {
        sql.push_str(&format!("INSERT INTO playlists VALUES ({}, 'list {id}');\n", shift + id));
        for track in (1..=10).filter(|track| (track + id) % 2 == 0 || (shift > 0 && *track == 5)) {
            sql.push_str(&format!("INSERT INTO playlist_track VALUES ({}, {});\n", shift + id, shift + track));
        }
    }
    for id in 1..=4 {
        let email = name(format!("c{id}@example.org"));
        sql.push_str(&format!("INSERT INTO customers VALUES ({}, '{email}', {});\n", shift + id, shift + 1 + id % 4));
        sql.push_str(&format!("INSERT INTO profiles VALUES ({}, 'profile');\n", shift + id));
    }
    for id in 1..=8 {
        sql.push_str(&format!("INSERT INTO invoices VALUES ({}, {}, {id}.5);\n", shift + id, shift + 1 + id % 4));
    }
    for id in 1..=12 {
        let (invoice, track) = (shift + 1 + id % 8, shift + 1 + id % 10);
        sql.push_str(&format!("INSERT INTO invoice_lines VALUES ({}, {invoice}, {track});\n", shift + id));
    }
    sql
}

const SHOP: &str = "CREATE TABLE artists(id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE albums(id INTEGER PRIMARY KEY, title TEXT NOT NULL, artist_id INTEGER NOT NULL REFERENCES artists(id)); \
    CREATE TABLE tracks(id INTEGER PRIMARY KEY, name TEXT, album_id INTEGER REFERENCES albums(id)); \
    CREATE TABLE playlists(id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE playlist_track(playlist_id INTEGER NOT NULL REFERENCES playlists(id), \
        track_id INTEGER NOT NULL REFERENCES tracks(id), PRIMARY KEY (playlist_id, track_id)); \
    CREATE TABLE customers(id INTEGER PRIMARY KEY, email TEXT NOT NULL, friend INTEGER REFERENCES customers(id)); \
    CREATE TABLE profiles(customer_id INTEGER PRIMARY KEY REFERENCES customers(id), bio TEXT); \
    CREATE TABLE invoices(id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id), total REAL); \
    CREATE TABLE invoice_lines(id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL REFERENCES invoices(id), \
        track_id INTEGER NOT NULL REFERENCES tracks(id));\n";

/// Two copies of a shop with shifted ids become one: the catalog and the customers are there once, and the invoices of both
/// copies refer to them. After an undo the database is as it was.
#[test]
fn two_copies_with_shifted_ids_are_merged() {
    let bench = Bench::new(&format!("{SHOP}{}{}", shop(0), shop(100)));
    let album = "same = [\"title\", \"(SELECT lower(a.name) FROM artists AS a WHERE a.id = parent.artist_id)\"]";
    let rules = rule("artists(id)", "same = [\"lower(name)\"]")
        + &rule("albums(id)", album)
        + &rule("tracks(id)", "same = [\"name\"]\non-conflict = \"merge-delete\"")
        + &rule("playlists(id)", "same = [\"name\"]\non-conflict = \"merge-delete\"")
        + &rule("customers(*)", "same = [\"lower(email)\"]\non-conflict = \"merge-delete\"");
    bench.write("r.toml", &rules);
    let table = bench.run(&["repair", "app.db", "--rules", "r.toml"]);
    assert!(table.stdout.starts_with("✓ app.db: all 24 twins would be merged\n"), "{}{}", table.stdout, table.stderr);
    let rows = |table: &str| bench.value(&format!("SELECT count(*) FROM {table}"));
    merged(&bench, &rules, |_| {
        for (table, number) in [
            ("artists", 3),
            ("albums", 5),
            ("tracks", 10),
            ("playlists", 2),
            // Track 5 is on both lists of the second copy.
            ("playlist_track", 11),
            ("customers", 4),
            ("profiles", 4),
            ("invoices", 16),
            ("invoice_lines", 24),
        ] {
            assert_eq!(rows(table), number.to_string(), "{table}");
        }
        assert_eq!(bench.value("SELECT max(customer_id) FROM invoices"), "4");
        assert_eq!(bench.value("SELECT max(track_id) FROM invoice_lines"), "10");
        assert_eq!(bench.value("SELECT max(friend) FROM customers"), "4");
        assert_eq!(rows("fk_doctor_quarantine"), "38");
        assert_eq!(bench.scan().0, 0);
    });
}

const SMALL: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, email TEXT, at INT); \
    CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), what TEXT, UNIQUE (r, what)); \
    CREATE TABLE d(id INTEGER PRIMARY KEY, c INT REFERENCES c(id)); \
    CREATE TABLE map(old INT, new INT); INSERT INTO map VALUES (2, 3), (3, 1), (77, 1); \
    INSERT INTO p VALUES (1, 'a', 3), (2, 'A', 1), (3, 'a', 2), (4, NULL, 1), (5, NULL, 2), (6, 'b', 1); \
    INSERT INTO c VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 2, 'z'), (4, 3, 'v'), (5, 5, 'x'), (6, NULL, 'x'); \
    INSERT INTO d VALUES (1, 2), (2, 4)";

#[test]
fn row_that_is_kept_is_chosen_by_rule() {
    let bench = Bench::new(SMALL);
    bench.write("keys.csv", "old,new\n2,3\n3,1\n77,1\n");
    for (settings, kept) in [
        ("same = [\"lower(email)\"]", "1,4,5,6"),
        ("same = [\"lower(email)\"]\nkeep = \"most-referred\"", "2,4,5,6"),
        (
            "same = [\"lower(email)\"]\n\
             keep = \"SELECT q.id FROM p AS q WHERE lower(q.email) = lower(parent.email) ORDER BY q.at DESC LIMIT 1\"",
            "1,4,5,6",
        ),
        ("same = [\"email\"]", "1,2,4,5,6"),
        ("map = \"keys.csv\"", "1,4,5,6"),
        ("map = \"map(old -> new)\"", "1,4,5,6"),
    ] {
        merged(&bench, &rule("p(id)", settings), |report| {
            assert_eq!(bench.value("SELECT group_concat(id) FROM p"), format!("'{kept}'"), "{settings}");
            assert_eq!(bench.value("SELECT count(*) FROM c WHERE r NOT IN (SELECT id FROM p)"), "0");
            assert_eq!(bench.value("SELECT count(*) FROM c"), "6");
            assert_eq!(report["twins"][0]["staying"].as_array().unwrap().len(), 0);
        });
    }
}

#[test]
fn query_for_the_kept_row_must_give_one_row_of_the_group() {
    let bench = Bench::new(SMALL);
    for (query, why) in [
        ("SELECT 6", "keep: the query gives a row that is not one of the group"),
        ("SELECT id FROM p", "keep: the query does not give the key of one row"),
        ("SELECT parent.id", "keep: the query gives several rows for one group"),
    ] {
        bench.write("r.toml", &rule("p(id)", &format!("same = [\"lower(email)\"]\nkeep = \"{query}\"")));
        let report = planned(&bench, 0);
        assert_eq!(report["twins"][0]["staying"][0]["why"], why);
        assert_eq!((&report["twins"][0]["twins"], &report["twins"][0]["merged"]), (&2.into(), &0.into()));
    }
}

/// A child whose unique key the kept row's child has stays with its twin, is kept aside, or refuses the plan.
#[test]
fn unique_conflict_is_treated_by_policy() {
    let bench = Bench::new(&format!("{SMALL}; UPDATE c SET what = 'x' WHERE id = 2"));
    let rules = |policy: &str| rule("p(id)", &format!("same = [\"lower(email)\"]\non-conflict = \"{policy}\""));
    merged(&bench, &rules("skip"), |report| {
        assert_eq!(bench.value("SELECT group_concat(id) FROM p"), "'1,2,4,5,6'");
        assert_eq!(
            bench.value("SELECT group_concat(r) FROM (SELECT * FROM c WHERE r NOT NULL ORDER BY id)"),
            "'1,2,2,1,5'"
        );
        assert_eq!(report["twins"][0]["staying"][0]["why"], "UNIQUE constraint failed: c(r, what)");
    });
    merged(&bench, &rules("merge-delete"), |report| {
        assert_eq!(bench.value("SELECT group_concat(id) FROM p"), "'1,4,5,6'");
        assert_eq!(
            bench.value("SELECT group_concat(id || ':' || r) FROM (SELECT * FROM c WHERE r NOT NULL ORDER BY id)"),
            "'1:1,3:1,4:1,5:5'"
        );
        // The child's own child is pointed at the row that has its unique key.
        assert_eq!(bench.value("SELECT group_concat(c) FROM d"), "'1,4'");
        assert_eq!(bench.value("SELECT group_concat(table_name) FROM fk_doctor_quarantine"), "'c,p,p'");
        assert_eq!(report["twins"][0]["removed_children"]["c"], 1);
    });
    bench.write("r.toml", &rules("fail"));
    let before = bench.dump();
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply", "--no-backup"]);
    assert_eq!((run.code, bench.dump()), (5, before), "{}", run.stdout);
    assert!(run.stdout.contains("refused: UNIQUE constraint failed: c(r, what)"), "{}", run.stdout);
}

/// Limits hold for all rows that are quarantined: the twins, and the children that are kept aside.
#[test]
fn limits_hold_for_twins_and_removed_children() {
    let bench = Bench::new(&format!("{SMALL}; UPDATE c SET what = 'x' WHERE id = 2"));
    let rules = rule("p(id)", "same = [\"lower(email)\"]\non-conflict = \"merge-delete\"");
    for (limit, refusal) in [
        ("max-rows = 2, max-share = 1.0", "3 rows would be quarantined, and the limit is 2 (max-rows)"),
        ("max-rows = 99, max-share = 0.3", "2 of 6 rows of p would be quarantined, and the limit is 1 (30%)"),
        ("max-rows = 99", "1 of 6 rows of c would be quarantined, and the limit is 0 (5%, the default)"),
    ] {
        bench.write("r.toml", &rules.replace("max-rows = 100000, max-share = 1.0", limit));
        let run = bench.run(&["repair", "app.db", "--rules", "r.toml"]);
        assert_eq!(run.code, 5, "{}", run.stdout);
        let text = common::in_one_line(&run.stdout);
        assert!(text.contains(refusal), "{text}");
    }
}

#[test]
fn faults_are_shown_at_their_spans() {
    let bench = Bench::new(SMALL);
    bench.write("short.csv", "old,new,more,most\n1,2,3,4\n");
    let file = |relation: &str, treat: &str| {
        format!("id = \"r\"\n[relation]\n{relation}\n[[treat]]\naction = \"repoint\"\n{treat}\n")
    };
    let parent = "parent = \"p(id)\"";
    for (text, fault) in [
        (file(parent, ""), "`same` or `map`"),
        (file(parent, "same = []"), "expected at least one SQL expression"),
        (file(parent, "same = [\"email\"]\nmap = \"keys.csv\""), "`same` already finds the twins"),
        (file(parent, "same = [\"email\"]\nkeep = \"newest\""), "expected oldest, most-referred or a query"),
        (file(parent, "same = [\"email\"]\non-conflict = \"never\""), "expected skip, merge-delete or fail"),
        (file(parent, "map = \"map(old -> new)\"\nkeep = \"oldest\""), "`map` already gives the rows that are kept"),
        (file("child = \"c(r)\"\nparent = \"p(id)\"", "same = [\"email\"]"), "`repoint` needs no `child`"),
        (file("parent = \"*(id)\"", "same = [\"email\"]"), "`repoint` needs the name of one table"),
        (file(parent, "same = [\"email\"]\n[[treat]]\naction = \"report\""), "cannot stand beside other treatments"),
        (file("parent = \"q(id)\"", "same = [\"email\"]"), "there is no table q"),
        (file(parent, "same = [\"emial\"]"), "this does not compile: no such column: emial"),
        (
            file(parent, "same = [\"email\"]\nkeep = \"SELECT unknown\""),
            "this does not compile: no such column: unknown",
        ),
        (file(parent, "map = \"map(older -> new)\""), "map has no column older"),
        (file(parent, "map = \"short.csv\""), "must have 2 columns"),
        (file(parent, "map = \"none.csv\""), "`map`: "),
    ] {
        bench.write("r.toml", &text);
        let run = bench.run(&["repair", "app.db", "--rules", "r.toml"]);
        assert_eq!(run.code, 2, "{fault}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(fault) && run.stderr.contains("r.toml:"), "{fault}: {}", run.stderr);
    }
    bench.write("r.toml", &file(parent, "same = [\"lower(email)\"]"));
    let run = bench.run(&["rules", "check", "r.toml", "--against", "app.db"]);
    assert_eq!((run.code, run.stdout.contains("r merges twins of p")), (0, true), "{}{}", run.stdout, run.stderr);
}

/// A condition of the child's table refuses the reference to the kept row.
#[test]
fn child_that_the_engine_would_refuse_keeps_its_twin() {
    for (condition, expected) in [("", "'1:1,2:1,3:3'"), (", CHECK (r <> 1 OR note = 'x')", "'1:1,2:2,3:3'")] {
        let bench = Bench::new(&format!(
            "CREATE TABLE p(id INTEGER PRIMARY KEY, email TEXT); \
             CREATE TABLE c(id INTEGER PRIMARY KEY, r INT REFERENCES p(id), note TEXT{condition}); \
             INSERT INTO p VALUES (1, 'a'), (2, 'a'), (3, 'b'), (4, 'b'); \
             INSERT INTO c VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 4, 'z')"
        ));
        merged(&bench, &rule("p(id)", "same = [\"email\"]"), |report| {
            let children = "SELECT group_concat(id || ':' || r) FROM (SELECT * FROM c ORDER BY id)";
            assert_eq!(bench.value(children), expected, "{condition}");
            let staying = report["twins"][0]["staying"].as_array().unwrap();
            assert_eq!(staying.is_empty(), condition.is_empty(), "{report:#}");
            let is_named =
                staying.iter().all(|twins| twins["why"].as_str().unwrap().contains("CHECK constraint failed"));
            assert!(is_named, "{report:#}");
        });
    }
}

/// A child that came to a twin since the plan was made is never left without its parent.
#[test]
fn child_that_came_since_keeps_its_twin() {
    let bench = Bench::new(SMALL);
    bench.write("r.toml", &rule("p(id)", "same = [\"lower(email)\"]"));
    planned(&bench, 0);
    bench.execute("INSERT INTO c VALUES (9, 2, 'new')");
    let before = bench.dump();
    apply(&bench, &[], 5);
    assert_eq!(bench.dump(), before);
    apply(&bench, &["--skip-changed"], 6);
    assert_eq!(bench.value("SELECT group_concat(id) FROM p"), "'1,2,4,5,6'");
    assert_eq!(
        bench.value("SELECT group_concat(id || ':' || r) FROM (SELECT * FROM c WHERE r NOT NULL ORDER BY id)"),
        "'1:1,2:1,3:1,4:1,5:5,9:2'"
    );
    let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
    assert_eq!((undone.code, bench.dump()), (0, before), "{}", undone.stderr);
}

/// Orphans of the same tables are repaired in the same plan.
#[test]
fn twins_and_orphans_share_a_plan() {
    let bench = Bench::new(&format!("{SMALL}; INSERT INTO c VALUES (9, 99, 'lost')"));
    let orphans = "[[rule]]\nid = \"lost\"\nrelation = { child = \"c(r)\" }\nlimits = { max-share = 1.0 }\n\
        treat = [{ action = \"set-null\" }]\n";
    merged(&bench, &(rule("p(id)", "same = [\"lower(email)\"]") + orphans), |_| {
        assert_eq!(bench.value("SELECT group_concat(id) FROM p"), "'1,4,5,6'");
        assert_eq!(
            bench.value("SELECT group_concat(id || ':' || coalesce(r, '-')) FROM (SELECT * FROM c ORDER BY id)"),
            "'1:1,2:1,3:1,4:1,5:5,6:-,9:-'"
        );
    });
}

/// Random tables with twins, references of several kinds, unique keys and chains.
fn random_database(random: &mut Rng) -> String {
    let unique = |random: &mut Rng, columns: &str| match random.u8(0..3) {
        0 => format!(", UNIQUE ({columns})"),
        _ => String::new(),
    };
    let mut sql = format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT, up INT REFERENCES p(id), code TEXT UNIQUE); \
         CREATE TABLE k(a INT, b TEXT, name TEXT, p INT REFERENCES p(id), PRIMARY KEY (a, b)); \
         CREATE TABLE c(id INTEGER PRIMARY KEY, one INT REFERENCES p(id), two INT REFERENCES p(id), code TEXT REFERENCES p(code), what INT{}); \
         CREATE TABLE j(x INT REFERENCES p(id), y INT REFERENCES p(id), PRIMARY KEY (x, y)){}; \
         CREATE TABLE l(id INTEGER PRIMARY KEY, x INT, y INT, a INT, b TEXT, FOREIGN KEY (x, y) REFERENCES j(x, y), \
            FOREIGN KEY (a, b) REFERENCES k(a, b){});\n",
        unique(random, "one, what"),
        if random.bool() { " WITHOUT ROWID" } else { "" },
        unique(random, "a, b, x"),
    );
    let parents = random.i64(2..9);
    let parent = |random: &mut Rng| match random.u8(0..6) {
        0 => "NULL".to_owned(),
        _ => random.i64(1..=parents).to_string(),
    };
    for id in 1..=parents {
        let name = if random.u8(0..7) == 0 { "NULL".to_owned() } else { format!("'n{}'", random.u8(0..4)) };
        sql.push_str(&format!("INSERT INTO p VALUES ({id}, {name}, {}, 'code {id}');\n", parent(random)));
    }
    for a in 1..=3 {
        for b in ["u", "v"] {
            let name = random.u8(0..3);
            sql.push_str(&format!("INSERT INTO k VALUES ({a}, '{b}', 'k{name}', {});\n", parent(random)));
        }
    }
    for id in 1..random.i64(2..15) {
        let code = random.i64(1..=parents);
        let (one, two, label) = (parent(random), parent(random), random.u8(0..2));
        sql.push_str(&format!("INSERT OR IGNORE INTO c VALUES ({id}, {one}, {two}, 'code {code}', {label});\n"));
    }
    let number = |random: &mut Rng| random.i64(1..=parents);
    for _ in 0..random.u8(0..8) {
        sql.push_str(&format!("INSERT OR IGNORE INTO j VALUES ({}, {});\n", number(random), number(random)));
    }
    for id in 1..random.i64(2..8) {
        let (a, b) = (random.u8(1..4), random.choice(["u", "v"]).unwrap());
        sql.push_str(&format!(
            "INSERT OR IGNORE INTO l SELECT {id}, x, y, {a}, '{b}' FROM j ORDER BY x, y LIMIT 1 OFFSET {};\n",
            random.u8(0..3)
        ));
    }
    sql
}

/// A row refers to the twin in two columns, of which only the first is unique. Another row gets the same unique value later.
#[test]
fn unique_value_of_a_row_with_two_references_is_taken() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (2, 'n'), (3, 'n'), (6, 'n'); \
         CREATE TABLE c(id INTEGER PRIMARY KEY, one INT REFERENCES p(id), two INT REFERENCES p(id), what INT, \
             UNIQUE (one, what)); \
         INSERT INTO c VALUES (4, 6, 2, 1), (10, 3, 3, 1);",
    );
    bench.write("r.toml", &rule("p(id)", "same = [\"name\"]\non-conflict = \"skip\""));
    let report = planned(&bench, 0);
    assert_eq!(report["twins"][0]["merged"], 1, "{report:#}");
    apply(&bench, &[], 0);
    assert_eq!(bench.value("SELECT count(*) FROM p"), "2");
    assert_eq!(bench.value("SELECT one * 10 + two FROM c WHERE id = 10"), "22");
}

#[test]
fn random_twins_are_merged_and_undone() {
    let cases: u64 = std::env::var("FK_DOCTOR_CASES").map_or(60, |cases| cases.parse().unwrap());
    let (mut merged, mut staying, mut removed) = (0, 0, 0);
    for seed in 0..cases {
        let mut random = Rng::with_seed(seed);
        let sql = random_database(&mut random);
        let bench = Bench::new(&sql);
        let mut settings = || {
            let keep = random.choice(["", "keep = \"oldest\"\n", "keep = \"most-referred\"\n"]).unwrap();
            let policy = random.choice(["skip", "merge-delete"]).unwrap();
            format!("same = [\"name\"]\n{keep}on-conflict = \"{policy}\"")
        };
        let rules = rule("p(id)", &settings()) + &rule("k(*)", &settings());
        bench.write("r.toml", &rules);
        let tables = ["p", "k", "c", "j", "l"];
        let total = || -> i64 {
            let parts: Vec<String> = tables.iter().map(|table| format!("(SELECT count(*) FROM {table})")).collect();
            bench.value(&format!("SELECT {}", parts.join(" + "))).parse().unwrap()
        };
        let (before, rows) = (bench.dump(), total());
        let context = format!("seed {seed}\n{sql}\n{rules}");
        assert_eq!(bench.scan().0, 0, "{context}");
        let report = planned(&bench, 0);
        let batch = random.bool();
        let mut words = vec!["apply", "app.db", "plan.ndjson", "--no-backup"];
        words.extend(if batch { &["--batch", "1"][..] } else { &[] });
        let run = bench.run(&words);
        assert_eq!(run.code, 0, "{context}\n{}{}", run.stdout, run.stderr);
        assert_eq!(bench.scan().0, 0, "{context}\n{}", run.stdout);
        let mut kept = 0;
        for twins in report["twins"].as_array().unwrap() {
            let number = |name: &str| twins[name].as_u64().unwrap();
            merged += number("merged");
            staying += number("twins") - number("merged");
            kept += number("merged");
            for rows in twins["removed_children"].as_object().unwrap().values() {
                removed += rows.as_u64().unwrap();
                kept += rows.as_u64().unwrap();
            }
            let table = twins["table"].as_str().unwrap();
            let left = bench.value(&format!(
                "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {table} WHERE name NOT NULL GROUP BY name)"
            ));
            assert_eq!(left, (number("twins") - number("merged")).to_string(), "{context}\n{report:#}");
        }
        assert_eq!(total() + i64::try_from(kept).unwrap(), rows, "{context}\n{report:#}");
        if kept > 0 {
            assert_eq!(bench.value("SELECT count(*) FROM fk_doctor_quarantine"), kept.to_string(), "{context}");
        }
        let undone = bench.run(&["undo", "app.db", "plan.ndjson", "--no-backup"]);
        assert_eq!(undone.code, 0, "{context}\n{}{}", undone.stdout, undone.stderr);
        assert_eq!(bench.dump(), before, "{context}");
    }
    println!("{merged} twins merged, {staying} stay, {removed} children kept aside");
    assert!(merged > cases && staying > 0 && removed > 0, "the cases are worth judging");
}
