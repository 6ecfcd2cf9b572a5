//! Twins are merged on every kind of server, and the merge is undone.

use super::patient::KINDS;
use super::patient::Patient;

const SEED: &str = "CREATE TABLE p(id int PRIMARY KEY, email varchar(40), at int); \
    CREATE TABLE c(id int PRIMARY KEY, r int NOT NULL, what varchar(9), UNIQUE (r, what), FOREIGN KEY (r) REFERENCES p(id)); \
    CREATE TABLE d(id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES c(id)); \
    CREATE TABLE j(p int, q int, PRIMARY KEY (p, q), FOREIGN KEY (p) REFERENCES p(id), FOREIGN KEY (q) REFERENCES p(id)); \
    CREATE TABLE s(id int PRIMARY KEY, name varchar(9), up int, FOREIGN KEY (up) REFERENCES s(id)); \
    CREATE TABLE merged(id int PRIMARY KEY, old_id int, kept_id int); \
    INSERT INTO p VALUES (1, 'a', 3), (2, 'A', 1), (3, 'a', 2), (4, NULL, 1), (5, NULL, 2), (6, 'b', 1); \
    INSERT INTO c VALUES (1, 1, 'x'), (2, 2, 'x'), (3, 2, 'z'), (4, 3, 'v'), (5, 5, 'x'); \
    INSERT INTO d VALUES (1, 2), (2, 4); INSERT INTO j VALUES (2, 3), (1, 6), (3, 6), (5, 2); \
    INSERT INTO s VALUES (1, 'x', NULL), (2, 'x', 1), (3, 'y', 2), (4, 'x', 3), (5, 'y', 4); \
    INSERT INTO merged VALUES (1, 2, 3), (2, 3, 1)";

fn rule(parent: &str, settings: &str) -> String {
    format!(
        "[[rule]]\nid = \"merge-{}\"\nrelation = {{ parent = \"{parent}\" }}\nlimits = {{ max-share = 1.0 }}\n\
         [[rule.treat]]\naction = \"repoint\"\n{settings}\n",
        parent.split('(').next().unwrap()
    )
}

#[test]
fn twins_are_merged() {
    for kind in KINDS {
        let Some(p) = Patient::new(kind, SEED) else { continue };
        p.server.bench.write("keys.csv", "old,new\n2,3\n3,1\n");
        let query = "SELECT q.id FROM p AS q WHERE lower(q.email) = lower(parent.email) ORDER BY q.at DESC LIMIT 1";
        for settings in [
            "same = [\"lower(email)\"]".to_owned(),
            format!("same = [\"lower(email)\"]\nkeep = \"{query}\""),
            "map = \"keys.csv\"".to_owned(),
            "map = \"merged(old_id -> kept_id)\"".to_owned(),
        ] {
            p.rules(
                &(rule("p(id)", &format!("{settings}\non-conflict = \"merge-delete\""))
                    + &rule("s(id)", "same = [\"name\"]")),
            );
            let before = p.dump();
            p.repair();
            assert_eq!(p.column("p", "id"), "1,4,5,6", "{kind:?} {settings}");
            assert_eq!((p.column("c", "id"), p.column("c", "r")), ("1,3,4,5".into(), "1,1,1,5".into()), "{kind:?}");
            assert_eq!(p.column("d", "c"), "1,4", "{kind:?}");
            let pairs = p.server.texts(match kind {
                super::patient::Kind::Postgres => "SELECT p || ':' || q FROM j ORDER BY p, q",
                super::patient::Kind::Mariadb | super::patient::Kind::Mysql => {
                    "SELECT concat(p, ':', q) FROM j ORDER BY p, q"
                }
            });
            assert_eq!(pairs, ["1:1", "1:6", "5:1"], "{kind:?} {settings}");
            assert_eq!((p.column("s", "id"), p.column("s", "up")), ("1,3".into(), "null,1".into()), "{kind:?}");
            p.take_back(&before);
        }
        p.rules(&rule("p(id)", "same = [\"lower(email)\"]"));
        let before = p.dump();
        p.repair();
        assert_eq!(p.column("p", "id"), "1,2,3,4,5,6", "{kind:?}: both twins have a conflict, in c and in j");
        p.take_back(&before);
        p.rules(&rule("p(id)", "same = [\"lower(emial)\"]"));
        let faulty = p.plan();
        assert!(faulty.code == 2 && faulty.stderr.contains("this does not compile"), "{kind:?} {}", faulty.stderr);
    }
}
