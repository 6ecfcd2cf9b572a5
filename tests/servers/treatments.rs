//! Every treatment on every kind of server, as on SQLite: its effect on the rows, and its undo.

use super::patient::KINDS;
use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::on_each;
use super::patient::rule;

const SIMPLE: &str = "CREATE TABLE p(id int PRIMARY KEY, name varchar(40)); \
    CREATE TABLE c(id int PRIMARY KEY, r int DEFAULT 2, FOREIGN KEY (r) REFERENCES p(id) ON DELETE SET NULL); \
    CREATE TABLE moved(id int PRIMARY KEY, old int, new int); \
    INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 1), (2, 7), (3, 7), (4, NULL); \
    INSERT INTO moved VALUES (1, 7, 2), (2, 8, 1), (3, 8, 2)";

#[test]
fn set_null_and_set_default_change_the_reference() {
    on_each(SIMPLE, |p| {
        p.treated("action = \"set-null\"", || assert_eq!(p.column("c", "r"), "1,null,null,null"));
        p.treated("action = \"follow\"", || assert_eq!(p.column("c", "r"), "1,null,null,null"));
        p.treated("action = \"set-default\"", || assert_eq!(p.column("c", "r"), "1,2,2,null"));
    });
    let without = "CREATE TABLE p(id int PRIMARY KEY); \
        CREATE TABLE c(id int PRIMARY KEY, r int NOT NULL DEFAULT '9', FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 7)";
    on_each(without, |p| {
        p.undecided("action = \"set-null\"", "c(r) may not be NULL");
        p.undecided("action = \"set-default\"", "p has no row with the DEFAULT key '9'");
        p.undecided("action = \"follow\"", "which says nothing about a repair");
    });
}

#[test]
fn remap_changes_the_reference() {
    on_each(SIMPLE, |p| {
        p.server.bench.write("map.csv", "old,new\n7,2\n8,1\n");
        for way in [
            "to = \"SELECT id FROM p WHERE name = 'b'\"",
            "to = \"SELECT new FROM moved WHERE old = key.r\"\nrecord = \"kept\"",
            "table = \"moved(old -> new)\"",
            "map = \"map.csv\"",
        ] {
            p.treated(&format!("action = \"remap\"\n{way}"), || {
                assert_eq!(p.column("c", "r"), "1,2,2,null", "{way}");
                if way.contains("record") {
                    assert_eq!(p.column("kept", "child_row"), "2,3");
                    assert_eq!(p.column("kept", "new_key"), "2,2");
                }
            });
        }
        let remap = |way: &str| format!("action = \"remap\"\n{way}");
        p.undecided(&remap("to = \"SELECT id FROM p WHERE id > 5\""), "remap: the query returns no key");
        p.undecided(&remap("to = \"SELECT id FROM p\""), "remap: the query returns several rows");
        p.undecided(&remap("to = \"SELECT 99\""), "remap: the new key is not in p");
        p.undecided(&remap("to = \"SELECT 'a'\""), "remap: the new key is not in p");
        let sentinel = "action = \"sentinel\"\nkey = -1\nvalues = { name = \"unknown\" }";
        p.treated(sentinel, || assert_eq!(p.column("c", "r"), "1,-1,-1,null"));
        p.server.execute("UPDATE moved SET old = 7");
        p.undecided(&remap("table = \"moved(old -> new)\""), "remap: moved has several");
    });
}

/// The keys need several statements, each with a long list, and have the limits of their type.
#[test]
fn many_keys_are_remapped_by_a_query() {
    let old: Vec<i64> = (0..900).map(|i| 1_000 + i * 7).chain([i64::MIN, i64::MAX, -1]).collect();
    let rows = |row: &dyn Fn(usize, i64) -> String| {
        old.iter().enumerate().map(|(i, &old)| row(i, old)).collect::<Vec<String>>().join(", ")
    };
    let seed = format!(
        "CREATE TABLE p(id bigint PRIMARY KEY); CREATE TABLE moved(old bigint PRIMARY KEY, new bigint); \
         CREATE TABLE c(id int PRIMARY KEY, r bigint, FOREIGN KEY (r) REFERENCES p(id)); \
         INSERT INTO p VALUES {}; INSERT INTO moved VALUES {}; INSERT INTO c VALUES {}",
        rows(&|i, _| format!("({i})")),
        rows(&|i, old| format!("({old}, {i})")),
        rows(&|i, old| format!("({i}, {old})")),
    );
    on_each(&seed, |p| {
        p.treated("action = \"remap\"\nto = \"SELECT new FROM moved WHERE old = key.r\"", || {
            assert_eq!(p.column("c", "r"), p.column("c", "id"), "{:?}", p.kind);
        });
    });
}

/// Rows that would collide in a UNIQUE constraint are never lost.
#[test]
fn remap_with_unique_conflict_keeps_or_quarantines_the_row() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE moved(id int PRIMARY KEY, old int, new int); \
        CREATE TABLE c(id int PRIMARY KEY, who varchar(9), r int, UNIQUE (who, r), FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO p VALUES (1); INSERT INTO moved VALUES (1, 7, 1), (2, 8, 1); \
        INSERT INTO c VALUES (1, 'x', 1), (2, 'x', 7), (3, 'y', 7), (4, 'y', 8), (5, 'z', 8)";
    let remap = "action = \"remap\"\ntable = \"moved(old -> new)\"\n";
    on_each(seed, |p| {
        p.undecided(remap, "UNIQUE");
        p.treated(&format!("{remap}on-conflict = \"quarantine\""), || {
            assert_eq!(p.column("c", "who"), "x,y,z");
            assert_eq!(p.column("fk_doctor_quarantine", "table_name"), "c,c");
        });
    });
}

/// All dependants of a row are deleted with it, each by its own policy.
#[test]
fn quarantine_keeps_row_and_dependants() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
        CREATE TABLE c(id varchar(9) PRIMARY KEY, r int, note varchar(40), FOREIGN KEY (r) REFERENCES p(id)); \
        CREATE TABLE b(x varchar(9), id int, a varchar(9) NOT NULL, PRIMARY KEY (x, id), \
            FOREIGN KEY (a) REFERENCES c(id) ON DELETE CASCADE); \
        CREATE TABLE d(id int PRIMARY KEY, bx varchar(9), bi int, FOREIGN KEY (bx, bi) REFERENCES b(x, id) ON DELETE SET NULL); \
        INSERT INTO p VALUES (1); INSERT INTO c VALUES ('k', 1, 'x'), ('l', 9, 'it''s \\ \u{1f600}'), ('m', 1, NULL); \
        INSERT INTO b VALUES ('u', 1, 'l'), ('v', 2, 'k'), ('w', 3, 'l'); \
        INSERT INTO d VALUES (1, 'u', 1), (2, 'v', 2), (3, 'w', 3)";
    on_each(seed, |p| {
        p.treated("action = \"quarantine\"", || {
            assert_eq!(p.column("c", "id"), "k,m");
            assert_eq!(p.column("b", "x"), "v");
            assert_eq!(p.column("d", "bx"), "null,v,null");
            assert_eq!(p.column("fk_doctor_quarantine", "table_name"), "c,b,b");
        });
        p.treated("action = \"delete\"\nkeep = false", || assert_eq!(p.column("c", "id"), "k,m"));
    });
}

/// A row can be an orphan itself, and also depend on another deleted row. It is always deleted before its parent, so
/// that no cascade of the server deletes it first.
#[test]
fn dependant_is_deleted_before_its_parent() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
        CREATE TABLE z(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
        CREATE TABLE m(id int PRIMARY KEY, z int, FOREIGN KEY (z) REFERENCES z(id) ON DELETE CASCADE); \
        CREATE TABLE b(id int PRIMARY KEY, r int, z int, m int, FOREIGN KEY (r) REFERENCES p(id), \
            FOREIGN KEY (z) REFERENCES z(id) ON DELETE CASCADE, FOREIGN KEY (m) REFERENCES m(id) ON DELETE CASCADE); \
        INSERT INTO p VALUES (1); INSERT INTO z VALUES (1, 9), (2, 9), (3, 1); INSERT INTO m VALUES (1, 1), (2, 2), (3, 3); \
        INSERT INTO b VALUES (1, 8, 1, 1), (2, 1, 2, 2), (3, 7, 2, NULL), (4, 1, 3, 3), (5, 8, 3, 2)";
    on_each(seed, |p| {
        p.rules(&rule("*(r)", "action = \"delete\"\nkeep = false"));
        let before = p.dump();
        p.repair();
        assert_eq!(
            (p.column("z", "id"), p.column("m", "id"), p.column("b", "id")),
            ("3".into(), "3".into(), "4".into())
        );
        p.take_back(&before);
    });
}

/// Every column that needs a value gets one.
#[test]
fn placeholder_fills_every_required_column() {
    let seed = "CREATE TABLE kind(id int PRIMARY KEY, label varchar(40) NOT NULL UNIQUE); \
        CREATE TABLE p(id int PRIMARY KEY, slug varchar(40) NOT NULL UNIQUE, n int NOT NULL CHECK (n >= 0), at timestamp NOT NULL, \
            flag int NOT NULL DEFAULT 1, kind int NOT NULL, up int, FOREIGN KEY (kind) REFERENCES kind(id), \
            FOREIGN KEY (up) REFERENCES p(id)); \
        CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO kind VALUES (3, 'k'); INSERT INTO c VALUES (1, 40), (2, 41), (3, 40)";
    let given = |values: &str| format!("action = \"placeholder\"\nvalues = {{ {values} }}");
    on_each(seed, |p| {
        p.treated("action = \"placeholder\"\nrecord = \"made\"", || {
            assert_eq!(p.column("p", "slug"), "placeholder-40,placeholder-41");
            assert_eq!(p.column("p", "kind"), "4,4", "one sentinel for both");
            assert_eq!(p.column("made", "new_key"), "40,41");
        });
        p.treated("action = \"placeholder\"\nkey = \"new\"", || assert_eq!(p.column("c", "r"), "42,43,42"));
        let values = "slug = \"s{key.r}/{child.id}\", kind = { sql = \"(SELECT max(id) FROM kind)\" }";
        p.treated(&given(values), || {
            assert_eq!(p.column("p", "slug"), "s40/1,s41/2");
            assert_eq!(p.column("p", "kind"), "3,3");
        });
        p.undecided(&given("n = -1"), "placeholder: ");
        p.undecided(&given("n = \"x\""), "placeholder: ");
        p.undecided(&given("slug = \"same\""), "placeholder: UNIQUE");
        p.undecided(&given("kind = 77"), "p(kind)->kind(id) would have no parent");
    });
}

#[test]
fn near_miss_is_remapped_to_its_parent() {
    for kind in KINDS {
        let text = if kind == Kind::Postgres { "varchar(40)" } else { "varchar(40) COLLATE utf8mb4_bin" };
        let seed = format!(
            "CREATE TABLE p(id {text} PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r {text}, FOREIGN KEY (r) REFERENCES p(id)); \
             INSERT INTO p VALUES ('Anna'), ('7'), ('x'), ('X'); \
             INSERT INTO c VALUES (1, ' anna '), (2, '007'), (3, 'Anna')"
        );
        let forms = "action = \"remap\"\nnormalize = [\"trim\", \"casefold\", \"zero-padding\"]";
        let Some(p) = Patient::new(kind, &seed) else { continue };
        p.treated(forms, || assert_eq!(p.column("c", "r"), "Anna,7,Anna"));
        p.server.execute("DELETE FROM c");
        let loose =
            if kind == Kind::Postgres { "session_replication_role = replica" } else { "foreign_key_checks = 0" };
        p.server.execute(&format!("SET {loose}; INSERT INTO c VALUES (4, ' x')"));
        p.undecided(forms, "several keys of p have the same normal form");
    }
}

/// Rows without a primary key are found by another unique key. Rows without any key are left unchanged.
#[test]
fn row_without_primary_key_is_found_by_another_key() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(code varchar(9) NOT NULL UNIQUE, id int, r int); \
        CREATE TABLE e(id int, r int); ALTER TABLE c ADD FOREIGN KEY (r) REFERENCES p(id); \
        ALTER TABLE e ADD FOREIGN KEY (r) REFERENCES p(id) ON DELETE CASCADE; \
        INSERT INTO p VALUES (1); INSERT INTO c VALUES ('x', 1, 1), ('y', 2, 7), ('z', 3, 7), ('w', 4, NULL); \
        INSERT INTO e VALUES (1, 1)";
    on_each(seed, |p| {
        p.treated("action = \"set-null\"", || assert_eq!(p.column("c", "r"), "1,null,null,null"));
        p.treated("action = \"quarantine\"", || assert_eq!(p.column("c", "code"), "x,w"));
        p.server.execute(if p.kind == Kind::Postgres {
            "ALTER TABLE c DROP CONSTRAINT c_code_key"
        } else {
            "SET foreign_key_checks = 0; ALTER TABLE c DROP INDEX code; SET foreign_key_checks = 1"
        });
        p.undecided("action = \"set-null\"", "set-null: rows of c cannot be identified");
        p.treated("action = \"placeholder\"", || assert_eq!(p.column("p", "id"), "1,7"));
    });
}

/// A row that violates a CHECK is deleted and restored, because the server did not check it, or does not check it.
#[test]
fn row_that_breaks_a_check_is_restored() {
    for (kind, check, loose) in [
        (Kind::Mariadb, "CHECK (n > 0)", "SET check_constraint_checks = 0;"),
        (Kind::Mysql, "CHECK (n > 0) NOT ENFORCED", ""),
    ] {
        let seed = format!(
            "CREATE TABLE p(id int PRIMARY KEY); INSERT INTO p VALUES (1); \
             CREATE TABLE c(id int PRIMARY KEY, r int, n int, FOREIGN KEY (r) REFERENCES p(id), {check}); \
             {loose} INSERT INTO c VALUES (1, 7, -1), (2, 1, 1)"
        );
        let Some(p) = Patient::new(kind, &seed) else { continue };
        p.treated("action = \"quarantine\"", || assert_eq!(p.column("c", "id"), "2"));
    }
}

/// A computed DEFAULT is read exactly as the server means it, quotes included.
#[test]
fn computed_default_is_evaluated_by_the_server() {
    let seed = "CREATE TABLE p(id varchar(20) PRIMARY KEY); \
        CREATE TABLE c(id int PRIMARY KEY, r varchar(20) DEFAULT (concat('it''s', '\\\\', 2)), FOREIGN KEY (r) REFERENCES p(id)); \
        INSERT INTO p VALUES ('it''s\\\\2'); INSERT INTO c VALUES (1, 'x'); INSERT INTO c(id) VALUES (2)";
    for kind in MYSQL_FAMILY {
        let Some(p) = Patient::new(kind, seed) else { continue };
        p.treated("action = \"set-default\"", || assert_eq!(p.column("c", "r"), "it's\\2,it's\\2"));
    }
}

/// The foreign keys were removed by hand, and NOT NULL stayed. The rest of the rule is applied, and undone exactly.
#[test]
fn table_without_foreign_keys_still_loses_not_null() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
                CREATE TABLE c(id int PRIMARY KEY, a_id int NOT NULL, b_id int NOT NULL DEFAULT 3, made varchar(9) NOT NULL, \
                CONSTRAINT to_p FOREIGN KEY (b_id) REFERENCES p(id)); CREATE INDEX i ON c(a_id); INSERT INTO p VALUES (3); \
                INSERT INTO c VALUES (1, 7, 3, 'x')";
    on_each(seed, |p| {
        let (here, drop) = match p.kind {
            Kind::Postgres => ("'public'", "ALTER TABLE c DROP CONSTRAINT to_p"),
            Kind::Mariadb | Kind::Mysql => ("database()", "ALTER TABLE c DROP FOREIGN KEY to_p"),
        };
        let columns = || {
            p.server.texts(&format!(
                "SELECT concat(column_name, ' ', is_nullable, ' ', coalesce(column_default, 'none')) \
                 FROM information_schema.columns WHERE table_name = 'c' AND table_schema = {here} ORDER BY column_name"
            ))
        };
        for keys in ["one foreign key", "none"] {
            let context = format!("{:?} {keys}", p.kind);
            if keys == "none" {
                p.server.execute(drop);
            }
            for (child, nullable, left) in [
                ("c(*)", "[\"a_id\", \"b_id\"]", "id,made"),
                ("c(*_id)", "true", "id,made"),
                ("c(a_id)", "true", "b_id,id,made"),
            ] {
                p.rules(&format!(
                    "id = \"r\"\nrelation.child = \"{child}\"\n[[treat]]\naction = \"relax\"\nnullable = {nullable}\n"
                ));
                let (before, rows) = (columns(), p.dump());
                let planned = p.plan();
                assert_eq!(planned.code, 0, "{context}: {}{}", planned.stdout, planned.stderr);
                let applied = p.apply(&[]);
                assert_eq!(applied.code, 0, "{context}: {}{}", planned.stdout, applied.stderr);
                let fixed = columns().into_iter().filter(|text| text.contains(" NO "));
                let fixed: Vec<String> = fixed.map(|text| text.split(' ').next().unwrap().to_owned()).collect();
                assert_eq!(fixed.join(","), left, "{context} {child}");
                let again = p.server.run(&["repair", &p.server.url(), "--rules", "r.toml"]);
                assert!(again.stdout.contains("nothing to do: "), "{context}: {}{}", again.stdout, again.stderr);
                let undone = p.undo(&[]);
                assert_eq!(undone.code, 0, "{context}: {}", undone.stderr);
                assert_eq!((columns(), p.dump()), (before, rows), "{context}");
            }
        }
    });
}
