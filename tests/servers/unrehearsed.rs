//! Rows that are planned without a rehearsal, because nothing can refuse or alter them. Each test has a way in which that could be
//! wrong: the server would refuse the planned value, or store another one.

use super::common::in_one_line;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::unlimited;
use super::plan_lines;

/// The number of child rows, past one chunk of keys or rows.
const ROWS: u32 = 1_300;

/// Tables with a third of orphans, two to a missing key. With `check`, a CHECK that is always true requires a rehearsal.
fn seed(kind: Kind, check: bool) -> String {
    let check = if check { ", CHECK (1 = 1)" } else { "" };
    let numbers = if kind == Kind::Postgres {
        format!("generate_series(1, {ROWS}) AS i")
    } else {
        let digit = "SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 \
             UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9";
        format!(
            "(SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS i FROM ({digit}) AS a, ({digit}) AS b, ({digit}) AS c, \
             ({digit}) AS e) AS n WHERE i <= {ROWS}"
        )
    };
    let div = if kind == Kind::Postgres { "/" } else { "DIV" };
    format!(
        "CREATE TABLE p(id int PRIMARY KEY, name varchar(40) NOT NULL, note varchar(20){check}); \
         CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(40), FOREIGN KEY (r) REFERENCES p(id){check}); \
         CREATE TABLE moved(id int PRIMARY KEY, old int, new int); \
         INSERT INTO p VALUES (1, 'a', 'é'), (2, 'b', NULL); \
         INSERT INTO c SELECT i, CASE WHEN i % 3 = 0 THEN 1000 + i {div} 6 ELSE 1 + i % 2 END, concat('note é ', i) FROM {numbers}; \
         INSERT INTO moved SELECT i, 1000 + i, 1 + i % 2 FROM {numbers}; \
         DELETE FROM moved WHERE id % 50 = 7"
    )
}

const TREATMENTS: [&str; 7] = [
    "action = \"set-null\"",
    "action = \"remap\"\nto = \"SELECT 1\"",
    "action = \"remap\"\ntable = \"moved(old -> new)\"\naction = \"set-null\"",
    "action = \"remap\"\ntable = \"moved(old -> new)\"\naction = \"report\"",
    "action = \"placeholder\"",
    "action = \"placeholder\"\nvalues = { name = \"was {key.r}\", note = \"made\" }",
    "action = \"sentinel\"\nkey = 99",
];

/// Returns the changes of a plan, sorted.
fn changes(patient: &Patient) -> Vec<String> {
    let changes = plan_lines::changes(&patient.server.bench.path("plan.ndjson"));
    let mut changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    changes.sort();
    changes
}

#[test]
fn unrehearsed_plan_equals_the_rehearsed_plan() {
    for kind in KINDS {
        let (Some(quick), Some(slow)) = (Patient::new(kind, &seed(kind, false)), Patient::new(kind, &seed(kind, true)))
        else {
            continue;
        };
        for treatment in TREATMENTS {
            let plans = [&quick, &slow].map(|patient| {
                patient.rules(&unlimited(treatment));
                let run = patient.plan();
                assert!([0, 1].contains(&run.code), "{kind:?} {treatment}\n{}{}", run.stdout, run.stderr);
                changes(patient)
            });
            assert!(plans[0].len() > 200, "{kind:?} {treatment}: {}", plans[0].len());
            assert!(plans[0] == plans[1], "{kind:?} {treatment}\n{:?}\n{:?}", plans[0].first(), plans[1].first());
            let before = quick.dump();
            let applied = quick.apply(&["--leave-undecided"]);
            assert!([0, 6].contains(&applied.code), "{kind:?} {treatment}\n{}{}", applied.stdout, applied.stderr);
            quick.take_back(&before);
        }
    }
}

/// Two relations whose missing keys overlap share the parents that the first creates. They are not in the rehearsal yet when the
/// second relation comes.
#[test]
fn second_relation_refers_to_the_parents_of_the_first() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY, name varchar(40) NOT NULL); \
        CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
        CREATE TABLE d(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO c VALUES (1, 40), (2, 41), (3, 40); INSERT INTO d VALUES (1, 41), (2, 42)";
    for kind in KINDS {
        let Some(p) = Patient::new(kind, seed) else { continue };
        p.rules(&unlimited("action = \"placeholder\"").replace("c(r)", "*(r)"));
        let before = p.dump();
        p.repair();
        assert_eq!(p.column("p", "id"), "40,41,42", "{kind:?}");
        p.take_back(&before);
    }
}

/// A treatment that a column or a condition of the child would refuse.
#[test]
fn key_that_the_child_cannot_take_is_undecided() {
    let remap = "action = \"remap\"\nto = \"SELECT 40000\"";
    for (column, refusals) in [
        ("r smallint", ["smallint out of range", "Out of range value"]),
        ("r int CHECK (r < 40000)", ["violates check constraint", "CHECK constraint failed"]),
        ("r int UNIQUE", ["duplicate key value", "UNIQUE constraint failed"]),
    ] {
        for kind in KINDS {
            // InnoDB refuses a foreign key between types of different sizes, so it is configured.
            let key = if kind == Kind::Postgres { ", FOREIGN KEY (r) REFERENCES p(id)" } else { "" };
            let seed = format!(
                "CREATE TABLE p(id int PRIMARY KEY); INSERT INTO p VALUES (2), (40000); \
                 CREATE TABLE c(id int PRIMARY KEY, {column}{key}); INSERT INTO c VALUES (1, 2), (2, 7), (3, 8)"
            );
            let Some(p) = Patient::new(kind, &seed) else { continue };
            if key.is_empty() {
                p.server.bench.write("fk-doctor.toml", "[[relation]]\nchild = \"c(r)\"\nparent = \"p(id)\"\n");
            }
            let refusal = if kind == Kind::Postgres { refusals[0] } else { refusals[1] };
            p.undecided(remap, if kind == Kind::Mysql { "remap: " } else { refusal });
        }
    }
}

/// A new parent that its table would refuse, or store otherwise.
#[test]
fn parent_that_the_table_refuses_is_undecided() {
    let placeholder = "action = \"placeholder\"\nvalues = { name = \"a name for {key.r}\" }";
    let all = [
        ("name varchar(10)", "", ["value too long", "Data too long"]),
        ("name varchar(40) CHECK (name = 'x')", "", ["violates check constraint", "CHECK constraint failed"]),
        ("name varchar(40), n int NOT NULL UNIQUE", "n = 1", ["UNIQUE constraint failed", "UNIQUE constraint failed"]),
        (
            "name varchar(40), g smallint GENERATED ALWAYS AS (id * 1000) STORED",
            "",
            ["out of range", "Out of range value"],
        ),
    ];
    for (columns, value, refusals) in all {
        for kind in KINDS {
            let seed = format!(
                "CREATE TABLE p(id int PRIMARY KEY, {columns}); CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
                 INSERT INTO c VALUES (1, 40), (2, 40)"
            );
            let Some(p) = Patient::new(kind, &seed) else { continue };
            let values = placeholder.replace(" }", &format!("{}{value} }}", if value.is_empty() { "" } else { ", " }));
            let refusal = if kind == Kind::Postgres { refusals[0] } else { refusals[1] };
            if value.is_empty() {
                p.undecided(&values, if kind == Kind::Mysql { "placeholder: " } else { refusal });
                continue;
            }
            // The first key takes the unique value, and the second finds it taken.
            p.server.execute(&kind.unenforced("INSERT INTO c VALUES (3, 41)"));
            p.rules(&unlimited(&values));
            let planned = p.plan();
            assert_eq!(planned.code, 1, "{kind:?} {}", planned.stdout);
            assert!(in_one_line(&planned.stdout).to_lowercase().contains("unique") || kind != Kind::Postgres);
            assert_eq!(changes(&p).len(), 1, "{kind:?} {}", planned.stdout);
            assert_eq!(p.apply(&["--leave-undecided"]).code, 6, "{kind:?}");
        }
    }
}

/// The server would store another value than the one that is given, so the plan has the value that it stores.
#[test]
fn plan_has_the_values_that_the_server_stores() {
    for kind in KINDS {
        let columns = if kind == Kind::Postgres {
            "name char(8), n numeric(6, 2), d int DEFAULT 5, s serial"
        } else {
            "name char(8), n decimal(6, 2), d int DEFAULT 5, t timestamp NOT NULL DEFAULT '2020-01-01 00:00:00' \
             ON UPDATE CURRENT_TIMESTAMP, z int(5) zerofill"
        };
        let seed = format!(
            "CREATE TABLE p(id int PRIMARY KEY, {columns}); CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
             INSERT INTO c VALUES (1, 40), (2, 41)"
        );
        let Some(p) = Patient::new(kind, &seed) else { continue };
        let z = if kind == Kind::Postgres { "" } else { ", z = 7" };
        p.treated(&format!("action = \"placeholder\"\nvalues = {{ name = \"x \", n = 1.5{z} }}"), || {
            assert_eq!(p.column("p", "n"), "1.50,1.50", "{kind:?}");
            assert_eq!(p.column("p", "d"), "5,5", "{kind:?}");
        });
    }
}

/// Information about conditions is hidden from a user who may only read, and the plan still respects them.
#[test]
fn condition_that_is_hidden_from_the_user_is_respected() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY, name varchar(40) CHECK (name <> 'no')); INSERT INTO p VALUES (2, NULL); \
        CREATE TABLE c(id int PRIMARY KEY, r int CHECK (r IS NOT NULL), FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO c VALUES (1, 2), (2, 7)";
    for kind in MYSQL_FAMILY {
        let Some(p) = Patient::new(kind, seed) else { continue };
        let user = format!("reads{:?}", std::process::id());
        let database = p.server.texts("SELECT database()").join("");
        p.server.execute(&format!(
            "CREATE USER '{user}'@'%'; GRANT SELECT, CREATE TEMPORARY TABLES ON `{database}`.* TO '{user}'@'%'"
        ));
        p.let_plan(&format!("'{user}'@'%'"));
        let url = p.server.url_as(&user);
        for (treatment, name) in [
            ("action = \"set-null\"", "set-null"),
            ("action = \"placeholder\"\nvalues = { name = \"no\" }", "placeholder"),
        ] {
            p.rules(&unlimited(treatment));
            let _ = std::fs::remove_file(p.server.bench.path("plan.ndjson"));
            let run = p.server.run(&["repair", &url, "--rules", "r.toml", "-o", "plan.ndjson", "--overwrite"]);
            let text = in_one_line(&run.stdout);
            assert_eq!(run.code, 1, "{kind:?} {text}{}", run.stderr);
            assert!(text.contains(&format!("{name}: ")), "{kind:?} {text}");
        }
        p.server.execute(&format!("DROP USER '{user}'@'%'"));
    }
}

/// PostgreSQL accepts no value of its own for such a column in an UPDATE.
#[test]
fn column_that_is_always_an_identity_keeps_its_value() {
    let seed = "CREATE TABLE p(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL); \
        CREATE TABLE c(id int PRIMARY KEY, r int GENERATED ALWAYS AS IDENTITY REFERENCES p(id)); \
        INSERT INTO p OVERRIDING SYSTEM VALUE VALUES (1, 'a'); \
        INSERT INTO c OVERRIDING SYSTEM VALUE VALUES (1, 1), (2, 7), (3, 8)";
    let Some(p) = Patient::new(Kind::Postgres, seed) else { return };
    assert_key_cannot_be_set(&p, "r is GENERATED ALWAYS AS IDENTITY, and an UPDATE can set it only to its DEFAULT");
}

/// Checks that no treatment gives c(r) another value, for this reason, and that the others treat the missing keys 7 and 8.
fn assert_key_cannot_be_set(p: &Patient, why: &str) {
    for treatment in [
        "action = \"remap\"\nto = \"SELECT 1\"",
        "action = \"sentinel\"\nkey = 99",
        "action = \"placeholder\"\nkey = \"new\"",
    ] {
        p.undecided(treatment, why);
    }
    p.undecided("action = \"set-null\"", "set-null: c(r) may not be NULL");
    p.treated("action = \"placeholder\"", || assert_eq!(p.column("p", "id"), "1,7,8", "{:?}", p.kind));
    p.treated("action = \"quarantine\"", || assert_eq!(p.column("c", "r"), "1", "{:?}", p.kind));
}

/// The key of the child or of the parent is a generated column.
#[test]
fn generated_key_is_never_planned() {
    for kind in KINDS {
        let child = "CREATE TABLE p(id int PRIMARY KEY, name varchar(40)); \
            CREATE TABLE c(id int PRIMARY KEY, raw int, r int GENERATED ALWAYS AS (raw + 1) STORED, FOREIGN KEY (r) REFERENCES p(id)); \
            INSERT INTO p VALUES (1, 'a'); INSERT INTO c(id, raw) VALUES (1, 0), (2, 6), (3, 7)";
        let Some(p) = Patient::new(kind, child) else { continue };
        assert_key_cannot_be_set(&p, "r is a generated column and cannot be set");
        let parent = "CREATE TABLE p(id int PRIMARY KEY, k int GENERATED ALWAYS AS (id + 1) STORED, UNIQUE (k)); \
            CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(k)); INSERT INTO c VALUES (1, 7)";
        let Some(p) = Patient::new(kind, parent) else { continue };
        p.undecided("action = \"placeholder\"", "placeholder: k of p is a generated column and cannot be set");
        p.treated("action = \"set-null\"", || assert_eq!(p.column("c", "r"), "null", "{kind:?}"));
    }
}
