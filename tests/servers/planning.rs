//! Decisions that must be made when a plan is made, because they are too late when it is applied.

use super::common::States as _;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::on_each;
use super::patient::rule;

/// A key that other rows refer to stays. A server would cascade the change to them, or orphan them.
#[test]
fn key_with_children_is_not_remapped() {
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
                let text = super::common::in_one_line(&planned.stdout);
                assert_eq!(planned.code, 1, "{kind:?} {text}{}", planned.stderr);
                assert!(text.contains("g(c)->c(r) refers to the old key of the row"), "{kind:?} {text}");
                let applied = p.apply(&["--leave-undecided"]);
                assert_eq!(applied.code, 6, "{kind:?} {}", applied.stderr);
                assert_eq!(p.column("g", "c"), "7,null", "{kind:?}");
                assert_eq!(p.column("c", "r").split(',').next(), Some("7"), "{kind:?}");
                p.take_back(&before);
            }
        }
    }
}

/// A column that the server updates with every change keeps its value, and undo restores it.
#[test]
fn on_update_column_keeps_its_value() {
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

/// Names of knowledge bases are compared literally: `_` and `%` are no wildcards.
#[test]
fn name_with_wildcard_characters_is_compared_literally() {
    let columns = "id int PRIMARY KEY, name varchar(40) NOT NULL";
    let more = "rag_type varchar(9), rag_config varchar(9)";
    let seed = format!(
        "CREATE TABLE knowledge_base({columns}, source_type varchar(40), source_config varchar(80), {more}); \
         CREATE TABLE multi_source_knowledge_base({columns}, {more}); \
         CREATE TABLE sync_run(id int PRIMARY KEY, knowledge_base_id int NOT NULL, FOREIGN KEY (knowledge_base_id) REFERENCES knowledge_base(id)); \
         INSERT INTO knowledge_base(id, name) VALUES (1, 'aXb_trap'), (2, 'a_b_real'), (3, '100 other'), (4, '100 other_x'); \
         INSERT INTO multi_source_knowledge_base(id, name) VALUES (21, 'a_b'), (22, '100%'); \
         INSERT INTO sync_run VALUES (1, 21), (2, 22), (3, 1), (4, 1)"
    );
    for kind in KINDS {
        let Some(p) = Patient::new(kind, &seed) else { continue };
        p.rules(include_str!("../../rules/multi-source-sync.toml"));
        let before = p.dump();
        p.repair();
        let names = "SELECT k.name FROM sync_run AS s JOIN knowledge_base AS k ON k.id = s.knowledge_base_id WHERE s.id < 3 ORDER BY s.id";
        assert_eq!(p.server.texts(names), ["a_b_real", "100%_placeholder"], "{kind:?}");
        let kept =
            "SELECT concat(child_row, ':', original_key) FROM kb_id_map WHERE child_table = 'sync_run' ORDER BY 1";
        assert_eq!(p.server.texts(kept), ["1:21", "2:22"], "{kind:?}");
        p.take_back(&before);
    }
}

/// A plan already knows if a unique index over an expression, or over a part of the rows, accepts a row.
#[test]
fn unique_index_conflict_is_decided_while_planning() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY, name varchar(40)); INSERT INTO p VALUES (1, 'one'), (2, 'Two'); \
        CREATE UNIQUE INDEX p_name ON p(lower(name)); \
        CREATE TABLE moved(id int PRIMARY KEY, old int, new int); INSERT INTO moved VALUES (1, 7, 1), (2, 8, 2); \
        CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p(id), gone smallint, who text); \
        CREATE UNIQUE INDEX c_live ON c((who || '!') text_pattern_ops DESC, r) WHERE gone IS NULL; \
        INSERT INTO c VALUES (1, 1, NULL, 'a'), (2, 7, NULL, 'a'), (3, 7, 1, 'a'), (4, 7, NULL, 'b'), (5, 8, NULL, 'a')";
    let Some(p) = Patient::new(Kind::Postgres, seed) else { return };
    let remap = "action = \"remap\"\ntable = \"moved(old -> new)\"";
    p.rules(&rule("c(r)", remap));
    let before = p.dump();
    let planned = p.plan();
    let text = super::common::in_one_line(&planned.stdout);
    assert!(text.states("1 row: r = 7 because remap: UNIQUE constraint failed: index c_live of c"), "{text}");
    let applied = p.apply(&["--leave-undecided"]);
    assert_eq!(applied.code, 6, "{}", applied.stderr);
    assert_eq!(p.column("c", "r"), "1,7,1,1,2");
    p.take_back(&before);
    p.treated(&format!("{remap}\non-conflict = \"quarantine\""), || assert_eq!(p.column("c", "id"), "1,3,4,5"));
    p.undecided("action = \"placeholder\"\nvalues = { name = \"TWO\" }", "UNIQUE constraint failed: index p_name of p");
    p.treated("action = \"placeholder\"\nvalues = { name = \"{key.r}\" }", || {
        assert_eq!(p.column("p", "id"), "1,2,7,8")
    });
}

/// Rows that refer to each other in a cycle do not make apply fail.
#[test]
fn cycle_of_rows_is_decided_while_planning() {
    let needed = "CREATE TABLE p(id int PRIMARY KEY, q int NOT NULL); CREATE TABLE q(id int PRIMARY KEY, p int NOT NULL); \
        ALTER TABLE p ADD FOREIGN KEY (q) REFERENCES q(id); ALTER TABLE q ADD FOREIGN KEY (p) REFERENCES p(id); \
        CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); INSERT INTO c VALUES (1, 7)";
    on_each(needed, |p| {
        p.undecided("action = \"placeholder\"", "require each other, so neither can be created first");
    });
    let going = |more: &str| {
        format!(
            "CREATE TABLE z(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int, b int, FOREIGN KEY (r) REFERENCES z(id)); \
             CREATE TABLE b(id int PRIMARY KEY, c int NOT NULL, FOREIGN KEY (c) REFERENCES c(id){more}); \
             ALTER TABLE c ADD FOREIGN KEY (b) REFERENCES b(id){more}; \
             INSERT INTO c VALUES (1, 7, 1); INSERT INTO b VALUES (1, 1)"
        )
    };
    let quarantine = "action = \"quarantine\"";
    let gone = |p: &Patient| p.treated(quarantine, || assert_eq!(p.column("c", "id") + &p.column("b", "id"), ""));
    for kind in KINDS {
        let Some(p) = Patient::new(kind, &going("")) else { continue };
        match kind {
            Kind::Postgres => {
                p.undecided(quarantine, "refer to each other in a cycle, so neither can be deleted first")
            }
            Kind::Mariadb | Kind::Mysql => gone(&p),
        }
    }
    if let Some(p) = Patient::new(Kind::Postgres, &going(" DEFERRABLE")) {
        gone(&p);
    }
}
