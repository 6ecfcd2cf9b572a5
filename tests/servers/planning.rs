//! What must be decided when a plan is made, because it is too late when it is applied.

use super::patient::KINDS;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::rule;

/// A key that other rows refer to stays: a server would carry the change on to them, or leave them without a parent.
#[test]
fn a_key_that_rows_refer_to_stays() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE moved(id int PRIMARY KEY, old int, new int); \
        CREATE TABLE c(id int PRIMARY KEY, r int NULL UNIQUE, FOREIGN KEY (r) REFERENCES p(id)); \
        CREATE TABLE g(id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES c(r) ON UPDATE SET NULL); \
        INSERT INTO p VALUES (1), (2); INSERT INTO moved VALUES (1, 7, 1), (2, 8, 2); \
        INSERT INTO c VALUES (1, 7), (2, 8), (3, NULL); INSERT INTO g VALUES (1, 7), (2, NULL)";
    for on_update in ["", " ON UPDATE CASCADE", " ON UPDATE SET NULL"] {
        let seed = seed.replace(" ON UPDATE SET NULL", on_update);
        for kind in KINDS {
            let Some(p) = Patient::new(kind, &seed) else { continue };
            for treatment in ["action = \"remap\"\ntable = \"moved(old -> new)\"", "action = \"set-null\""] {
                p.rules(&rule("c(r)", treatment));
                let before = p.dump();
                let planned = p.plan();
                let told = planned.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
                assert_eq!(planned.code, 1, "{kind:?} {told}{}", planned.stderr);
                assert!(told.contains("g(c)->c(r) refers to the old key of the row"), "{kind:?} {told}");
                let applied = p.apply(&["--leave-undecided"]);
                assert_eq!(applied.code, 6, "{kind:?} {}", applied.stderr);
                assert_eq!(p.column("g", "c"), "7,null", "{kind:?}");
                assert_eq!(p.column("c", "r").split(',').next(), Some("7"), "{kind:?}");
                p.take_back(&before);
            }
        }
    }
}

/// A column that follows every change by itself stays as it was, and undo brings nothing else back.
#[test]
fn columns_that_follow_every_update_stay() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
        CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id), \
            at timestamp(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6), \
            d datetime NOT NULL DEFAULT '2020-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP); \
        INSERT INTO c VALUES (1, 7, '2020-02-02 02:02:02.5', '2020-01-01 00:00:00'), (2, 7, NULL, '2021-01-01 00:00:00')";
    for kind in MYSQL_FAMILY {
        let Some(p) = Patient::new(kind, seed) else { continue };
        p.treated("action = \"set-null\"", || {
            assert_eq!(p.column("c", "at"), "2020-02-02 02:02:02.500000,null");
            assert_eq!(p.column("c", "d"), "2020-01-01 00:00:00,2021-01-01 00:00:00");
        });
    }
}
