//! Quarantined rows come back on every kind of server, parents first, each only if it can; and undo takes them away again.

use super::patient::on_each;
use super::patient::rule;

const SEED: &str = "CREATE TABLE p(id int PRIMARY KEY); \
    CREATE TABLE c(id int PRIMARY KEY, r int, boss int, name varchar(40) UNIQUE, FOREIGN KEY (r) REFERENCES p(id), \
        FOREIGN KEY (boss) REFERENCES c(id)); \
    CREATE TABLE b(x varchar(9), id int, c int NOT NULL, at timestamp NULL, PRIMARY KEY (x, id), FOREIGN KEY (c) REFERENCES c(id)); \
    INSERT INTO p VALUES (1); \
    INSERT INTO c VALUES (1, 1, 1, 'it''s \\ \u{1f600}'), (2, 9, 5, 'two'), (3, 9, 2, NULL), (4, 8, NULL, 'four'), (5, 9, 5, 'five'); \
    INSERT INTO b VALUES ('u', 1, 2, '2026-01-02 03:04:05'), ('v', 2, 1, NULL), ('w', 3, 4, NULL)";

#[test]
fn quarantined_rows_come_back() {
    on_each(SEED, |p| {
        let url = p.server.url();
        let complete = p.dump();
        p.rules(&rule("c(r)", "action = \"quarantine\""));
        p.repair();
        assert_eq!((p.column("c", "id"), p.column("b", "id")), ("1".to_owned(), "2".to_owned()), "{:?}", p.kind);
        let none = p.server.run(&["restore", &url]);
        assert_eq!(none.code, 0, "{}", none.stderr);
        assert!(none.stdout.contains("none of 6 quarantined rows can come back"), "{:?}\n{}", p.kind, none.stdout);
        p.server.execute("INSERT INTO p VALUES (9)");
        let before = p.dump();
        let some = p.server.run(&["restore", &url, "-o", "back.ndjson"]);
        assert!(
            some.stdout.contains("4 of 6 quarantined rows could come back, 2 could not"),
            "{:?}\n{}",
            p.kind,
            some.stdout
        );
        assert_eq!((some.code, p.dump() == before), (0, true), "a dry run writes nothing");
        let applied = p.server.run(&["apply", &url, "back.ndjson"]);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{:?}\n{}", p.kind, applied.stdout);
        assert_eq!(p.column("c", "id"), "1,2,3,5", "{:?}", p.kind);
        let undone = p.server.run(&["undo", &url, "back.ndjson"]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{:?}\n{}", p.kind, undone.stdout);
        assert_eq!(p.dump(), before, "{:?}", p.kind);

        p.server.execute("INSERT INTO p VALUES (8)");
        let one = p.server.run(&["restore", &url, "--table", "c", "--where", "kept.name = 'four'", "--apply"]);
        assert_eq!(one.code, 0, "{:?}\n{}{}", p.kind, one.stdout, one.stderr);
        assert_eq!(p.column("c", "id"), "1,4", "{:?}", p.kind);
        let bad = p.server.run(&["restore", &url, "--table", "c", "--where", "nme = 1"]);
        assert_eq!(bad.code, 2, "{:?}\n{}{}", p.kind, bad.stdout, bad.stderr);
        let all = p.server.run(&["restore", &url, "--apply"]);
        assert_eq!(all.code, 0, "{:?}\n{}{}", p.kind, all.stdout, all.stderr);
        let names = |dump: &[String]| -> Vec<String> {
            dump.iter().filter(|row| !row.starts_with("fk_doctor")).cloned().collect()
        };
        let (now, then) = (names(&p.dump()), names(&complete));
        assert!(then.iter().all(|row| now.contains(row)), "{:?}\n{now:#?}\n{then:#?}", p.kind);
        assert_eq!(now.len(), then.len() + 2, "only the two parents are more: {now:#?}");
    });
}
