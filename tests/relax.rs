//! Relaxed tables: only the chosen parts are removed from the definition, and undo restores all of them. The shapes
//! combine everything that SQLite allows in a table.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::path::Path;

use crate::common::States as _;
use common::Bench;
use fastrand::Rng;
use fk_doctor::internals::sql::read::create_table::CreateTable;
use fk_doctor::internals::sql::read::tokens::tokens;
use rusqlite::Connection;

/// A table as it is defined, and its definition after it is relaxed.
struct Shape {
    name: &'static str,
    before: String,
    after: String,
    seed: String,
    arguments: Vec<String>,
}

/// Parts of a definition, and if each is to be removed.
type Parts = Vec<(String, bool)>;

fn shape(number: u64) -> Shape {
    let mut random = Rng::with_seed(number);
    let pick = |random: &mut Rng, from: &[&'static str]| from[random.usize(0..from.len())];
    let (name, written) = [
        ("c", "c"),
        ("odd name", "\"odd name\""),
        ("br ack", "[br ack]"),
        ("tick", "`tick`"),
        ("we\"ird", "\"we\"\"ird\""),
        ("select", "\"select\""),
        ("é", "é"),
        ("str", "'str'"),
        ("REFERENCES", "\"REFERENCES\""),
    ][random.usize(0..9)];
    let strict = random.u8(0..5) == 0;
    let all = random.bool();
    let nullable = random.bool();
    let (key, options) = [
        ("id INTEGER PRIMARY KEY", ""),
        ("id INTEGER PRIMARY KEY AUTOINCREMENT", ""),
        ("id INTEGER NOT NULL PRIMARY KEY DESC", ""),
        ("id INTEGER NOT NULL UNIQUE", ""),
        ("id INTEGER /* the key */ CONSTRAINT pk PRIMARY KEY NOT NULL", "WITHOUT ROWID"),
    ][random.usize(0..5)];
    let mut parts: Parts = vec![(format!("{written}{}(\n  {key}", pick(&mut random, &["", " ", "/* ( */"])), false)];

    // A column with every kind of constraint, in any order.
    parts.push((
        pick(&mut random, &[",\n  r1 INTEGER", ", -- first\n  \"r1\" INTEGER", ",r1 INTEGER/**/"]).into(),
        false,
    ));
    let mut clauses: Vec<Parts> = vec![
        vec![(
            pick(&mut random, &[" NOT NULL", "\n NOT -- never\n NULL", " CONSTRAINT nn NOT NULL ON CONFLICT FAIL"])
                .into(),
            nullable,
        )],
        vec![(pick(&mut random, &[" DEFAULT 1", " DEFAULT (1 + 1)", " DEFAULT -1", ""]).into(), false)],
        vec![(
            pick(&mut random, &[" CHECK (r1 <> 99)", " CONSTRAINT ck CHECK(r1 IS NOT 'REFERENCES p(id)')", ""]).into(),
            false,
        )],
    ];
    let on = pick(
        &mut random,
        &["", " ON DELETE CASCADE", " ON UPDATE SET NULL ON DELETE NO ACTION", " MATCH FULL ON DELETE SET DEFAULT"],
    );
    let called = pick(&mut random, &["", " CONSTRAINT \"fk one\"", "/* why */ CONSTRAINT fk"]);
    let mut reference =
        vec![(format!("{called} REFERENCES {}{on}", pick(&mut random, &["p(id)", "p", "\"p\" ( [id] )"])), true)];
    if random.bool() {
        reference.push((pick(&mut random, &[" CHECK(r1 < 1000)", " UNIQUE", ""]).into(), false));
        reference.push((
            pick(&mut random, &[" DEFERRABLE INITIALLY DEFERRED", " NOT DEFERRABLE", " DEFERRABLE"]).into(),
            true,
        ));
    }
    clauses.push(reference);
    random.shuffle(&mut clauses);
    parts.extend(clauses.into_iter().flatten());

    parts.push((", r2 INTEGER".into(), false));
    parts.push((pick(&mut random, &[" NOT NULL", ""]).into(), all && nullable));
    parts.push((format!(", x INTEGER{}", pick(&mut random, &["", " DEFAULT NULL"])), false));
    parts.push((", y TEXT COLLATE NOCASE".into(), false));
    parts.push((pick(&mut random, &["", " REFERENCES q(k) ON DELETE SET NULL"]).into(), all));
    let generated = [", g INTEGER AS (id + 1)", ", g INTEGER GENERATED ALWAYS AS (id + 1) STORED", ""];
    let generated = pick(&mut random, &generated);
    parts.push((generated.into(), false));
    if !generated.is_empty() {
        parts.push((pick(&mut random, &["", " REFERENCES p(id)"]).into(), all));
    }
    // Constraints of the table, with and without commas.
    let mut constraints: Parts = vec![
        (
            pick(
                &mut random,
                &[
                    ",\n  FOREIGN KEY (r2) REFERENCES p(id) -- and so on\n",
                    ", -- why\n CONSTRAINT f2 FOREIGN KEY(\"r2\") REFERENCES p",
                ],
            )
            .into(),
            all,
        ),
        (
            pick(&mut random, &[", FOREIGN KEY (x, r2) REFERENCES pair(a, b) DEFERRABLE INITIALLY DEFERRED", ""])
                .into(),
            all,
        ),
        (format!(", FOREIGN KEY (x) REFERENCES {written}(id) ON DELETE CASCADE"), all),
        (
            pick(
                &mut random,
                &[
                    ", CHECK (x > -5)",
                    ", CONSTRAINT u UNIQUE (id, r2)",
                    ", UNIQUE (id, x) ON CONFLICT REPLACE CHECK (id > 0)",
                    "",
                ],
            )
            .into(),
            false,
        ),
    ];
    random.shuffle(&mut constraints);
    parts.extend(constraints);
    let strict = if strict { ["STRICT", ""][usize::from(generated.is_empty())] } else { "" };
    let options = [options, strict].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ");
    parts.push((format!("\n) {options}"), false));
    let text = |keep: &dyn Fn(bool) -> bool| -> String {
        parts.iter().filter(|(_, goes)| keep(*goes)).map(|(text, _)| text.as_str()).collect()
    };
    let (before, after) = (text(&|_| true), text(&|goes| !goes));

    let mut seed = format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE q(k TEXT UNIQUE);\n\
         CREATE TABLE pair(a, b, PRIMARY KEY(a, b));\nCREATE TABLE {before};\n\
         CREATE TABLE other(id INTEGER PRIMARY KEY, c_id REFERENCES {written}(id) ON DELETE CASCADE);\n"
    );
    for made in [
        format!("CREATE INDEX i1 ON {written}(r1 DESC, y COLLATE RTRIM) WHERE r1 > 0 -- partial"),
        format!("CREATE UNIQUE INDEX \"i 2\" ON {written}(abs(id), y || 'x')"),
        format!("CREATE VIEW v AS SELECT id, r1 FROM {written} /* REFERENCES p */"),
        format!("CREATE TRIGGER t1 AFTER DELETE ON {written} BEGIN DELETE FROM other WHERE c_id = old.id; END"),
        format!("CREATE TRIGGER t2 AFTER UPDATE ON p BEGIN UPDATE {written} SET r1 = new.id WHERE r1 = old.id; END"),
    ] {
        if random.bool() {
            seed.push_str(&format!("{made}\n;\n"));
        }
    }
    seed.push_str("INSERT INTO p VALUES (1), (2); INSERT INTO q VALUES ('a');\n");
    for id in 1..6 {
        let (r1, r2) = (random.u8(1..90), random.u8(1..4));
        seed.push_str(&format!(
            "INSERT OR IGNORE INTO {written}(id, r1, r2, x, y) VALUES ({}, {r1}, {r2}, {id}, 'y{id}');\n",
            id * 7
        ));
    }
    seed.push_str(&format!("DELETE FROM {written} WHERE id = 35; INSERT INTO other VALUES (1, 7), (2, 8);\n"));
    if random.bool() {
        seed.push_str("ANALYZE;\n");
    }
    // A pattern contains no quotes.
    let pattern = name.replace('"', "?");
    let child = if all { format!("{pattern}(*)") } else { format!("{pattern}(r1)") };
    let mut arguments = vec!["--relax".to_owned(), child];
    arguments.extend(nullable.then(|| "--nullable".to_owned()));
    Shape { name, before, after, seed, arguments }
}

fn words(text: &str) -> Vec<String> {
    tokens(text).into_iter().map(|token| text[token.span].to_owned()).collect()
}

/// Returns everything but one table's text: kind, name, table and page of each object.
fn surroundings(path: &Path, name: &str, with_places: bool) -> Vec<String> {
    let place = if with_places { "rowid || ' ' || rootpage" } else { "''" };
    let database = Connection::open(path).unwrap();
    let question = format!(
        "SELECT {place} || type || name || tbl_name || iif(type = 'table' AND name = ?1, '', coalesce(sql, ''))
         FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' AND tbl_name <> 'fk_doctor_state' ORDER BY {}",
        if with_places { "rowid" } else { "type, name" }
    );
    let mut statement = database.prepare(&question).unwrap();
    statement.query_map([name], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn definition(path: &Path, name: &str) -> String {
    let database = Connection::open(path).unwrap();
    database
        .query_row("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1", [name], |row| row.get(0))
        .unwrap()
}

/// Returns every row of every table, without the definitions.
fn rows(path: &Path) -> String {
    let database = Connection::open(path).unwrap();
    let mut tables = database
        .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_s%' AND name <> 'fk_doctor_state' ORDER BY 1")
        .unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut rows = String::new();
    for name in tables {
        let mut statement =
            database.prepare(&format!("SELECT * FROM \"{}\" ORDER BY 1", name.replace('"', "\"\""))).unwrap();
        let width = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<rusqlite::types::Value> = (0..width).map(|at| row.get(at).unwrap()).collect();
            rows.push_str(&format!("{name}: {values:?}\n"));
        }
    }
    if database.prepare("SELECT * FROM sqlite_sequence").is_ok() {
        let counters: String = database
            .query_row("SELECT coalesce(group_concat(name || seq ORDER BY name), '') FROM sqlite_sequence", [], |row| {
                row.get(0)
            })
            .unwrap();
        rows.push_str(&counters);
    }
    rows
}

/// To SQLite, the text that `enforce` writes adds one foreign key and changes nothing else.
fn takes_one_more(text: &str) {
    let with = CreateTable::parse(text).unwrap().with("FOREIGN KEY (\"x\", r1) REFERENCES \"pair\"(\"a\", \"b\")");
    let keys = |text: &str| -> Vec<String> {
        let database = Connection::open_in_memory().unwrap();
        database.execute_batch(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let question = "SELECT concat_ws('|', k.\"table\", k.\"from\", k.\"to\") FROM sqlite_schema AS s, \
                        pragma_foreign_key_list(s.name) AS k WHERE s.type = 'table' ORDER BY k.id, k.seq";
        let mut statement = database.prepare(question).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let (before, after) = (keys(text), keys(&with));
    assert_eq!(after[..2], ["pair|x|a", "pair|r1|b"], "{with}");
    assert_eq!(after[2..], before, "{with}");
    assert_eq!(words(&with).len(), words(text).len() + 15, "{with}");
}

fn shapes(numbers: std::ops::Range<u64>) {
    for number in numbers {
        let shape = shape(number);
        let bench = Bench::new(&shape.seed);
        let path = bench.path("app.db");
        let (dump, around) = (bench.dump(), surroundings(&path, shape.name, true));
        let context = format!("{number}: {}\n{:?}", shape.before, shape.arguments);
        let arguments: Vec<&str> = shape.arguments.iter().map(String::as_str).collect();

        let script = bench.run(&[&["repair", "app.db", "--format", "sql"], &arguments[..]].concat());
        assert_eq!((script.code, script.stderr.as_str()), (0, ""), "{context}");
        let relaxed =
            bench.run(&[&["repair", "app.db", "-o", "plan", "--apply", "--no-backup"], &arguments[..]].concat());
        assert!(
            relaxed.stdout.contains("  changed    1 definition\n"),
            "{context}\n{}{}",
            relaxed.stdout,
            relaxed.stderr
        );
        let text = definition(&path, shape.name);
        assert_eq!(words(&text), words(&format!("CREATE TABLE {}", shape.after)), "{context}\n{text}");
        assert_eq!(surroundings(&path, shape.name, true), around, "{context}");
        takes_one_more(&text);
        let after = (surroundings(&path, shape.name, false), rows(&path));

        let again = bench.run(&[&["repair", "app.db", "--no-backup", "--apply"], &arguments[..]].concat());
        assert_eq!(definition(&path, shape.name), text, "{context}\n{}{}", again.stdout, again.stderr);
        let undone = bench.run(&["undo", "app.db", "plan", "--no-backup"]);
        assert_eq!(undone.code, 0, "{context}\n{}", undone.stderr);
        assert_eq!(bench.dump(), dump, "{context}");
        assert_eq!(surroundings(&path, shape.name, true), around, "{context}");

        let by_hand = Bench::new(&shape.seed);
        by_hand.execute(&script.stdout);
        let path = by_hand.path("app.db");
        assert_eq!((surroundings(&path, shape.name, false), rows(&path)), after, "{context}\n{}", script.stdout);
        let [name, rest @ ..] = &words(&definition(&path, shape.name))[2..] else { panic!("{context}") };
        assert_eq!(
            (name.as_str(), rest),
            (format!("\"{}\"", shape.name.replace('"', "\"\"")).as_str(), &words(&shape.after)[1..])
        );
    }
}

#[test]
fn random_table_is_relaxed_and_restored_part_1() {
    shapes(0..60);
}

#[test]
fn random_table_is_relaxed_and_restored_part_2() {
    shapes(60..120);
}

#[test]
fn random_table_is_relaxed_and_restored_part_3() {
    shapes(120..180);
}

#[test]
fn random_table_is_relaxed_and_restored_part_4() {
    shapes(180..240);
}

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/video-upscales");

fn story() -> Bench {
    Bench::new(&std::fs::read_to_string(format!("{FIXTURE}/seed.sql")).unwrap())
}

/// A later version of the application has the relaxed table; the rule makes the same table from an earlier one.
#[test]
fn relaxed_table_equals_the_later_schema_of_the_application() {
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/video-upscales-relaxed/seed.sql");
    let (earlier, later) = (story(), Bench::new(&std::fs::read_to_string(seed).unwrap()));
    earlier.run(&["repair", "app.db", "--rules", "video-upscales", "--apply", "--no-backup"]);
    let table = |bench: &Bench| definition(&bench.path("app.db"), "veo3_video_upscales");
    assert_eq!(words(&table(&earlier)), words(&table(&later)));
}

/// A plan is valid only for the definition that was read.
#[test]
fn definition_changed_after_planning_is_refused() {
    let bench = story();
    bench.run(&["repair", "app.db", "--rules", "video-upscales", "-o", "plan.ndjson"]);
    bench.execute("ALTER TABLE veo3_video_upscales ADD COLUMN note");
    let dump = bench.dump();
    assert_eq!(bench.run(&["apply", "app.db", "plan.ndjson"]).code, 5);
    assert_eq!(bench.dump(), dump);
}

/// Another connection that had already read the definitions sees the new ones.
#[test]
fn open_connection_sees_the_relaxed_definition() {
    let bench = story();
    let other = Connection::open(bench.path("app.db")).unwrap();
    let insert = "INSERT INTO veo3_video_upscales(video_id, user_id, job_id) VALUES (NULL, 5, 5)";
    assert!(other.execute(insert, []).is_err());
    let run = bench.run(&["repair", "app.db", "--rules", "video-upscales", "--apply"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    other.execute(insert, []).unwrap();
}

#[test]
fn unsupported_relax_is_refused_with_reason() {
    let bench = story();
    for (arguments, text) in [
        (&["--relax", "nothing(x)"][..], "the database has no relation nothing(x)"),
        (&["--relax", "veo3_video_upscales"], "is not of the form"),
        (&["--relax", "videos(id)"], ""),
        (&["--nullable"], "--relax"),
    ] {
        let run = bench.run(&[&["repair", "app.db"], arguments].concat());
        assert_eq!(run.code, if text.is_empty() { 0 } else { 2 }, "{arguments:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(text), "{arguments:?}: {}", run.stderr);
    }
    bench.write("r.toml", "id = \"r\"\nrelation.child = \"veo3_video_upscales(*)\"\n[[treat]]\naction = \"relax\"\nnullable = [\"id\", \"nope\"]\n");
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("has no column nope") && run.stderr.contains("cannot become nullable"),
        "{}",
        run.stderr
    );
}

/// Orphans that can be pointed at a parent are, and then the table need not be relaxed.
#[test]
fn one_plan_remaps_rows_and_relaxes_the_table() {
    for batch in [&[][..], &["--batch", "1"]] {
        let bench = Bench::new(
            "CREATE TABLE p(k TEXT PRIMARY KEY NOT NULL); INSERT INTO p VALUES ('a');
             CREATE TABLE c(id INTEGER PRIMARY KEY, r TEXT NOT NULL REFERENCES p(k));
             INSERT INTO c VALUES (1, ' a'), (2, 'a '), (3, 'zz')",
        );
        bench.write(
            "r.toml",
            "id = \"r\"\nrelation.child = \"c(r)\"\n[[treat]]\naction = \"remap\"\nnormalize = [\"trim\"]\n\
             [[treat]]\naction = \"relax\"\n",
        );
        let dump = bench.dump();
        bench.run(&["repair", "app.db", "--rules", "r.toml", "-o", "plan"]);
        let applied = bench.run(&[&["apply", "app.db", "plan"], batch].concat());
        assert_eq!(applied.code, 0, "{}", applied.stderr);
        assert_eq!(bench.value("SELECT group_concat(r ORDER BY id) FROM c"), "'a,a,zz'");
        assert_eq!(definition(&bench.path("app.db"), "c"), "CREATE TABLE c(id INTEGER PRIMARY KEY, r TEXT NOT NULL)");
        let undone = bench.run(&[&["undo", "app.db", "plan"], batch].concat());
        assert_eq!(undone.code, 0, "{}", undone.stderr);
        assert_eq!(bench.dump(), dump);
    }
}

/// The foreign keys were removed by hand, and NOT NULL stayed on all columns or on some. The rest of the rule is
/// applied, and undone.
#[test]
fn table_without_foreign_keys_still_loses_not_null() {
    let columns = |keys: &str| {
        format!(
            "CREATE TABLE videos(id TEXT PRIMARY KEY NOT NULL); CREATE TABLE users(id INTEGER PRIMARY KEY); \
             CREATE TABLE veo3_video_upscales(id INTEGER PRIMARY KEY AUTOINCREMENT, video_id TEXT NOT NULL, -- of a video\n \
             user_id INTEGER NOT NULL, job_id INTEGER CONSTRAINT nn NOT NULL, made TEXT NOT NULL DEFAULT 'x'{keys}); \
             CREATE INDEX i ON veo3_video_upscales(job_id); CREATE VIEW v AS SELECT user_id FROM veo3_video_upscales; \
             CREATE TRIGGER t AFTER DELETE ON veo3_video_upscales BEGIN DELETE FROM videos WHERE id = old.video_id; END; \
             INSERT INTO users VALUES (1); INSERT INTO videos VALUES ('v1'); \
             INSERT INTO veo3_video_upscales(id, video_id, user_id, job_id) VALUES (7, 'v1', 1, 9);"
        )
    };
    let fixed = "SELECT group_concat(name) FROM pragma_table_info('veo3_video_upscales') WHERE \"notnull\"";
    for (keys, arguments, left) in [
        ("", &["--rules", "video-upscales"][..], "'made'"),
        (", FOREIGN KEY (user_id) REFERENCES users(id)", &["--rules", "video-upscales"], "'made'"),
        ("", &["--relax", "veo3_video_upscales(*_id)", "--nullable"], "'made'"),
        (
            ", FOREIGN KEY (user_id) REFERENCES users(id)",
            &["--relax", "VEO3_video_upscales(*_id)", "--nullable"],
            "'made'",
        ),
        ("", &["--relax", "veo3_video_upscales(job_id)", "--nullable"], "'video_id,user_id,made'"),
    ] {
        let bench = Bench::new(&columns(keys));
        let (dump, around) = (bench.dump(), surroundings(&bench.path("app.db"), "veo3_video_upscales", true));
        let context = format!("{keys} {arguments:?}");
        let repair = |options: &[&str]| bench.run(&[&["repair", "app.db"], arguments, options].concat());
        let script = repair(&["--format", "sql"]);
        let planned = repair(&["-o", "plan"]);
        assert!(
            planned.stdout.states("1 definition would be changed, and no row"),
            "{context}: {}{}",
            planned.stdout,
            planned.stderr
        );
        let applied = bench.run(&["apply", "app.db", "plan", "--no-backup"]);
        assert_eq!((applied.code, bench.value(fixed).as_str()), (0, left), "{context}: {}", applied.stderr);
        assert_eq!(surroundings(&bench.path("app.db"), "veo3_video_upscales", true), around, "{context}");
        let again = repair(&[]);
        assert!(again.stdout.starts_with("○ nothing to do: app.db has no orphan rows"), "{context}: {}", again.stdout);
        assert_eq!(bench.run(&["undo", "app.db", "plan", "--no-backup"]).code, 0, "{context}");
        assert_eq!(bench.dump(), dump, "{context}");
        let by_hand = Bench::new(&columns(keys));
        by_hand.execute(&script.stdout);
        assert_eq!(by_hand.value(fixed), left, "{context}: {}", script.stdout);
    }
    // The columns that had foreign keys are unknown, and are not guessed.
    let bench = Bench::new(&columns(""));
    let run = bench.run(&["repair", "app.db", "--relax", "veo3_video_upscales(*)", "--nullable"]);
    let text = common::in_one_line(&run.stdout);
    assert!(!text.contains('✓') && text.contains("NOT NULL stays on video_id, user_id, job_id, made"), "{text}");
    // A column that does not exist.
    bench.write("r.toml", "id = \"r\"\nrelation.child = \"veo3_video_upscales(*)\"\n[[treat]]\naction = \"relax\"\nnullable = [\"vidio_id\"]\n");
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml"]);
    assert!(run.code == 2 && run.stderr.contains("did you mean video_id?"), "{}{}", run.stdout, run.stderr);
}

/// A column whose relation another rule treats keeps its NOT NULL, even if a wider rule matches it.
#[test]
fn column_of_another_rule_keeps_not_null() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, a_id INT NOT NULL REFERENCES p(id), \
         b_id INT NOT NULL); INSERT INTO c VALUES (1, 5, 6)",
    );
    bench.write(
        "r.toml",
        "[[rule]]\nid = \"wide\"\nrelation.child = \"c(*_id)\"\n[[rule.treat]]\naction = \"relax\"\nnullable = true\n\
         [[rule]]\nid = \"own\"\nrelation.child = \"c(a_id)\"\n[[rule.treat]]\naction = \"placeholder\"\n",
    );
    let run = bench.run(&["repair", "app.db", "--rules", "r.toml", "--apply", "--no-backup"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(bench.value("SELECT group_concat(name) FROM pragma_table_info('c') WHERE \"notnull\""), "'a_id'");
    assert_eq!(bench.scan().0, 0);
}
