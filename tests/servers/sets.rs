//! Changes in sets and changes row by row leave the same database on servers, for values of every type and for apply and undo.

use fastrand::Rng;
use rusqlite::Connection;

use super::application;
use super::common::Bench;
use super::common::Run;
use super::generated;
use super::numbers::numbers;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::rule;
use super::patient::unlimited;
use super::random_repairs;

/// A child with columns of many types, a composite key and a generated column. Rows 1 to 40 are orphans.
fn typed(kind: Kind) -> String {
    let (types, values) = match kind {
        Kind::Postgres => (
            "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
             CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN positive AS int CHECK (VALUE > 0); \
             CREATE TABLE p(id int PRIMARY KEY, name text); \
             CREATE TABLE c(key text COLLATE loose, part uuid, r int REFERENCES p(id), n numeric, m numeric(10, 2), f float8, g float4, \
             at timestamptz, day date, i interval, j json, k jsonb, b bytea, fixed char(6), list int[], m2 mood, d positive, \
             is_so bool, bits bit(3), twice int GENERATED ALWAYS AS (r * 2) STORED, PRIMARY KEY (key, part))",
            "'Key ' || i, ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, 1000 + i / 2, \
             CASE i % 4 WHEN 0 THEN 1.00 WHEN 1 THEN 1 WHEN 2 THEN 'NaN' END, i / 3.0, \
             CASE i % 5 WHEN 0 THEN '-0' WHEN 1 THEN 'Infinity' WHEN 2 THEN 0.1 + i WHEN 3 THEN 1e300 END, 0.1 * i, \
             CASE WHEN i % 6 > 0 THEN '2026-01-31 12:00:00.123456+02'::timestamptz + i * interval '1 hour' END, date '0044-03-15 BC' + i, \
             interval '1 month -3 days 00:00:01', '{\"b\": 1, \"a\":  [null, 1.0]}', '{\"b\": 1.10}', \
             CASE WHEN i % 3 > 0 THEN decode('005c6eff', 'hex') END, 'ab', ARRAY[i, NULL], 'glad', i, i % 2 = 0, B'101'",
        ),
        Kind::Mariadb | Kind::Mysql => (
            "CREATE TABLE p(id int PRIMARY KEY, name text); \
             CREATE TABLE c(`key` varchar(40) COLLATE utf8mb4_general_ci, part binary(4), r int, FOREIGN KEY (r) REFERENCES p(id), \
             n decimal(20, 6), m decimal(10, 2), f double, g float, at timestamp(6) NULL, \
             changed timestamp(6) NOT NULL DEFAULT '2020-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP(6), \
             day date, t time(3), j json, b blob, fixed char(6), mood enum('sad', 'glad'), many set('x', 'y'), bits bit(9), y year, \
             big bigint unsigned, s varchar(20) COLLATE utf8mb4_general_ci, place point, \
             twice int AS (r * 2) STORED, PRIMARY KEY (`key`, part))",
            "concat('Key ', i), char(0, 1, i DIV 7, i), 1000 + i DIV 2, if(i % 4 = 0, 1.5, NULL), i / 3, \
             CASE i % 4 WHEN 0 THEN -0e0 WHEN 1 THEN 0.1 + 0.2e0 WHEN 2 THEN 1e300 END, 0.1 * i, \
             if(i % 6 > 0, '2026-01-31 12:00:00.123456', NULL), '2020-01-01 00:00:00', '0000-00-00', '-12:00:00.123', \
             '{\"b\": 1, \"a\":  [null, 1.0]}', if(i % 3 > 0, x'005c27ff', NULL), 'ab', 'glad', 'x,y', b'100000001', 2026, \
             18446744073709551615, if(i % 2 = 0, 'Ä ', 'ä'), ST_GeomFromText('POINT(1.5 -2)')",
        ),
    };
    let columns = match kind {
        Kind::Postgres => "(key, part, r, n, m, f, g, at, day, i, j, k, b, fixed, list, m2, d, is_so, bits)",
        _ => "(`key`, part, r, n, m, f, g, at, changed, day, t, j, b, fixed, mood, many, bits, y, big, s, place)",
    };
    let rows = "(WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 40) SELECT i FROM number) AS number";
    let sql_mode = if kind == Kind::Postgres { "" } else { "SET sql_mode = ''; " };
    format!(
        "{sql_mode}{types}; INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c{columns} SELECT {values} FROM {rows}"
    )
}

fn succeeded(patient: &Patient, context: &str, run: &Run) {
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{:?} {context}\n{}", patient.kind, run.stdout);
}

const ROW_BY_ROW: &[&str] = &["--row-by-row"];

/// Applies a plan and undoes it, in sets and row by row in every combination. All of them give the same database.
fn assert_same_in_sets_and_rows(patient: &Patient, rules: &str) {
    patient.rules(rules);
    let before = patient.dump();
    succeeded(patient, rules, &patient.plan());
    let mut after = None;
    for (applying, undoing) in [(&[][..], &[][..]), (ROW_BY_ROW, ROW_BY_ROW), (&[], ROW_BY_ROW), (ROW_BY_ROW, &[])] {
        let context = format!("{applying:?} {undoing:?}\n{rules}");
        succeeded(patient, &context, &patient.apply(applying));
        let applied = patient.dump();
        assert_ne!(applied, before, "{:?} {context}", patient.kind);
        assert_eq!(after.get_or_insert_with(|| applied.clone()), &applied, "{:?} {context}", patient.kind);
        succeeded(patient, &context, &patient.undo(undoing));
        assert_eq!(patient.dump(), before, "{:?} {context}", patient.kind);
    }
}

const TREATMENTS: [&str; 5] = [
    "action = \"set-null\"",
    "action = \"quarantine\"",
    "action = \"placeholder\"\nvalues = { name = \"{key.r}\" }",
    "action = \"sentinel\"\nkey = 7\nvalues = { name = \"nobody\" }",
    "action = \"remap\"\nto = \"SELECT 1\"\nrecord = \"moved\"",
];

#[test]
fn values_of_every_type_change_in_sets_as_row_by_row() {
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, &typed(kind)) else { continue };
        for treatment in TREATMENTS {
            assert_same_in_sets_and_rows(&patient, &rule("c(r)", treatment));
        }
    }
}

/// Counts the statements that change a table, by triggers that change no row.
fn counting_statements(patient: &Patient, table: &str) {
    patient.server.execute(&format!(
        "CREATE SEQUENCE statements; CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM nextval('public.statements'); RETURN NULL; END $$; \
         CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION counted(); \
         ALTER TABLE {table} ENABLE ALWAYS TRIGGER counted"
    ));
}

#[test]
fn rows_of_a_set_change_in_one_statement() {
    let Some(patient) = Patient::new(Kind::Postgres, &typed(Kind::Postgres)) else { return };
    counting_statements(&patient, "c");
    patient.rules(&rule("c(r)", "action = \"quarantine\""));
    patient.planned();
    succeeded(&patient, "apply", &patient.apply(&[]));
    succeeded(&patient, "undo", &patient.undo(&[]));
    assert_eq!(patient.server.texts("SELECT last_value::text FROM statements"), ["2"]);
}

/// MySQL counts the rows of its own temporary tables as changed, and the statements for sets use such tables.
#[test]
fn rows_of_a_set_change_in_few_statements_on_mysql() {
    let rows = numbers(1_000);
    let seed = format!(
        "CREATE TABLE p(id int PRIMARY KEY, name varchar(40)); INSERT INTO p VALUES (1, 'a'); \
         CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(40), FOREIGN KEY (r) REFERENCES p(id)); \
         INSERT INTO c SELECT i, 1000 + i DIV 2, concat('row ', i) FROM {rows}"
    );
    for treatment in [
        "action = \"set-null\"",
        "action = \"remap\"\nto = \"SELECT id FROM p WHERE id = 1 + key.r - key.r\"",
        "action = \"placeholder\"\nvalues = { name = \"made\" }",
        "action = \"quarantine\"",
    ] {
        let Some(patient) = Patient::new(Kind::Mysql, &seed) else { return };
        // One lock of a table is one statement.
        let statements = || -> u64 {
            let written = "SELECT CAST(coalesce(sum(count_write), 0) AS char(20)) \
                           FROM performance_schema.table_lock_waits_summary_by_table \
                           WHERE object_schema = database() AND object_name <> 'fk_doctor_state'";
            patient.server.texts(written)[0].parse().unwrap()
        };
        let before = patient.dump();
        patient.rules(&unlimited(treatment));
        patient.planned();
        for options in [&[][..], &["--batch", "500"]] {
            let start = statements();
            succeeded(&patient, treatment, &patient.apply(options));
            assert_eq!(patient.orphans(), 0, "{treatment}");
            succeeded(&patient, treatment, &patient.undo(options));
            assert_eq!(patient.dump(), before, "{treatment}");
            let used = statements() - start;
            assert!((2..100).contains(&used), "{treatment} {options:?}: {used} statements changed 1,000 rows twice");
        }
    }
}

/// An UPDATE of many rows would read a parent without an index once for each of them.
#[test]
fn parent_without_an_index_is_not_read_for_each_row_on_mysql() {
    let seed = format!(
        "CREATE TABLE p(id int PRIMARY KEY, code int NOT NULL); INSERT INTO p SELECT i, i FROM {}; \
         CREATE TABLE c(id int PRIMARY KEY, r int); INSERT INTO c SELECT i, 10000 + i FROM {}",
        numbers(2_000),
        numbers(300)
    );
    let Some(patient) = Patient::new(Kind::Mysql, &seed) else { return };
    patient.server.bench.write("fk-doctor.toml", "[[relation]]\nchild = \"c(r)\"\nparent = \"p(code)\"\n");
    let rows_read = || -> u64 {
        let read = "SELECT CAST(coalesce(sum(count_read), 0) AS char(20)) FROM performance_schema.table_io_waits_summary_by_table \
                    WHERE object_schema = database() AND object_name = 'p'";
        patient.server.texts(read)[0].parse().unwrap()
    };
    patient.rules(&unlimited("action = \"set-null\""));
    patient.planned();
    let start = rows_read();
    succeeded(&patient, "apply", &patient.apply(&[]));
    let read = rows_read() - start;
    assert_eq!(patient.server.texts("SELECT CAST(count(r) AS char(20)) FROM c"), ["0"]);
    assert!((2_000..100_000).contains(&read), "{read} rows of p were read for 300 rows of c");
}

/// The run reads a row that it leaves, in order to report its values. MySQL counts such a read as a change.
#[test]
fn row_that_is_read_for_the_report_does_not_count_as_changed() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
                CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(9), FOREIGN KEY (r) REFERENCES p(id)); \
                INSERT INTO c VALUES (1, 7, 'a'), (2, 8, 'b'), (3, 9, 'c')";
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, seed) else { continue };
        patient.rules(&rule("c(r)", "action = \"set-null\""));
        patient.planned();
        patient.server.execute(&kind.unenforced("UPDATE c SET note = 'x' WHERE id = 2"));
        let run = patient.apply(&["--skip-changed"]);
        assert_eq!((run.code, patient.orphans()), (6, 1), "{kind:?}: {}{}", run.stdout, run.stderr);
    }
}

/// A trigger gives a row another value than planned, or changes another row. Both are refused, and nothing changes.
#[test]
fn trigger_that_changes_more_than_planned_is_refused() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE log(id int PRIMARY KEY, n int); INSERT INTO log VALUES (1, 0); \
                CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(9), FOREIGN KEY (r) REFERENCES p(id)); \
                INSERT INTO c VALUES (1, 7, 'a'), (2, 8, 'b'), (3, 9, 'c')";
    for kind in KINDS {
        for (event, work) in [
            ("BEFORE", "SET NEW.note = 'x'"),
            ("AFTER", "UPDATE log SET n = n + 1 WHERE id = 1"),
            ("AFTER", "INSERT INTO log VALUES (10 + NEW.id, 0)"),
        ] {
            let Some(patient) = Patient::new(kind, seed) else { continue };
            patient.rules(&rule("c(r)", "action = \"set-null\""));
            patient.planned();
            let work =
                work.replace("SET NEW.note =", if kind == Kind::Postgres { "NEW.note :=" } else { "SET NEW.note =" });
            patient.server.execute(&match kind {
                Kind::Postgres => format!(
                    "CREATE FUNCTION meddles() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; RETURN NEW; END $$; \
                     CREATE TRIGGER meddles {event} UPDATE ON c FOR EACH ROW EXECUTE FUNCTION meddles()",
                    work.replace("log", "public.log")
                ),
                _ => format!("CREATE TRIGGER meddles {event} UPDATE ON c FOR EACH ROW {work}"),
            });
            let before = patient.dump();
            for options in [&[][..], &["--batch", "2"]] {
                let run = patient.apply(options);
                assert_eq!(run.code, 5, "{kind:?} {event} {options:?}: {}{}", run.stdout, run.stderr);
                assert_eq!(patient.dump(), before, "{kind:?} {event} {options:?}");
            }
        }
    }
}

/// Quarantines rows of a table `c` that has a definition, and takes that back in sets, in batches and row by row. The undo ends with this
/// code, and changes everything or nothing.
fn assert_undo_ends(kind: Kind, seed: &str, definition: &str, code: i32) {
    for options in [&[][..], &["--batch", "2"], ROW_BY_ROW] {
        let Some(patient) = Patient::new(kind, seed) else { return };
        if !definition.is_empty() {
            patient.server.execute(definition);
        }
        patient.rules(&rule("c(r)", "action = \"quarantine\""));
        let before = patient.dump();
        patient.planned();
        succeeded(&patient, "apply", &patient.apply(&[]));
        let applied = patient.dump();
        let run = patient.undo(options);
        assert_eq!(run.code, code, "{kind:?} {definition} {options:?}: {}{}", run.stdout, run.stderr);
        assert_eq!(patient.dump(), if code == 0 { before } else { applied }, "{kind:?} {definition} {options:?}");
    }
}

/// Rows that come back are loaded into their table without a comparison, unless the table may store other values than it gets.
#[test]
fn table_that_changes_new_rows_is_noticed_by_undo() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE log(id serial PRIMARY KEY, n int); \
                CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(9), FOREIGN KEY (r) REFERENCES p(id)); \
                INSERT INTO c VALUES (1, 7, 'a'), (2, 8, E'b\\tc\\nd\\\\N'), (3, 9, NULL)";
    let trigger = "CREATE FUNCTION meddles() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'x'; RETURN NEW; END $$; \
                   CREATE TRIGGER meddles BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION meddles(); \
                   ALTER TABLE c ENABLE ALWAYS TRIGGER meddles";
    let rule_of_table = "CREATE RULE logs AS ON INSERT TO c DO ALSO INSERT INTO log(n) VALUES (NEW.id); \
                         ALTER TABLE c ENABLE ALWAYS RULE logs";
    for (definition, code) in [
        ("", 0),
        (trigger, 5),
        (rule_of_table, 5),
        ("ALTER TABLE c ENABLE ROW LEVEL SECURITY; ALTER TABLE c FORCE ROW LEVEL SECURITY", 0),
    ] {
        assert_undo_ends(Kind::Postgres, seed, definition, code);
    }
}

#[test]
fn trigger_that_changes_new_rows_is_noticed_by_undo_on_mysql() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
                CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(9), FOREIGN KEY (r) REFERENCES p(id)); \
                INSERT INTO c VALUES (1, 7, 'a '), (2, 8, 'b\\tc\\n\\'?'), (3, 9, NULL)";
    for kind in MYSQL_FAMILY {
        assert_undo_ends(kind, seed, "", 0);
        assert_undo_ends(kind, seed, "CREATE TRIGGER meddles BEFORE INSERT ON c FOR EACH ROW SET NEW.note = 'x'", 5);
    }
}

/// Random schemas with cycles, composite keys and every action. `FK_DOCTOR_CASES` sets the number of cases.
#[test]
fn random_plans_change_in_sets_as_row_by_row() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse::<u64>().unwrap());
    let (cases, first) = (number("FK_DOCTOR_CASES", 4), number("FK_DOCTOR_FIRST", 100));
    let mut applied = 0;
    for case in first..first + cases {
        let mut random = Rng::with_seed(case);
        let made = generated::schema(&mut random);
        let bench = Bench::new(&made.sql());
        generated::rows(&mut random, &Connection::open(bench.path("app.db")).unwrap(), &made);
        let rules = generated::rules(&mut random, &made, false);
        for kind in KINDS {
            let Some(patient) = Patient::new(kind, &random_repairs::seed(kind, &made, &bench)) else { continue };
            patient.rules(&rules);
            let before = patient.dump();
            let planned = patient.plan();
            assert!([0, 1].contains(&planned.code), "{kind:?} case {case}: {}", planned.stderr);
            let mut outcomes = Vec::new();
            for options in [&[][..], ROW_BY_ROW, &["--batch", "3"]] {
                let context = format!("{kind:?} case {case} {options:?}\n{rules}\n{}", planned.stdout);
                let apply = patient.apply(&[&["--leave-undecided"][..], options].concat());
                assert!([0, 6].contains(&apply.code), "{context}\n{}", apply.stderr);
                outcomes.push((apply.code, patient.dump()));
                applied += usize::from(patient.dump() != before);
                let undo = patient.undo(options);
                assert_eq!((undo.code, undo.stderr.as_str()), (0, ""), "{context}");
                assert_eq!(patient.dump(), before, "{context}");
            }
            assert_eq!(outcomes[0], outcomes[1], "{kind:?} case {case}\n{rules}");
            assert_eq!(outcomes[0], outcomes[2], "{kind:?} case {case}\n{rules}");
        }
    }
    assert!(applied > 0 || std::env::var_os("FK_DOCTOR_TEST_SERVERS").is_none(), "the cases are worth comparing");
}

/// More orphans than a set has lines.
#[test]
fn rows_of_several_sets_change_and_are_undone() {
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, &application::seed(kind == Kind::Postgres, 3 * 10_050)) else {
            continue;
        };
        for treatment in ["action = \"set-null\"", "action = \"quarantine\""] {
            patient.rules(&unlimited(treatment));
            let before = patient.dump();
            succeeded(&patient, treatment, &patient.plan());
            succeeded(&patient, treatment, &patient.apply(&[]));
            assert_eq!(patient.orphans(), 0, "{kind:?} {treatment}");
            succeeded(&patient, treatment, &patient.undo(&[]));
            assert!(patient.dump() == before, "{kind:?} {treatment}: undo restores every value");
        }
    }
}

/// A trigger refuses statements that change row 15,000 together with other rows. Only the set with this row is divided.
#[test]
fn set_that_fails_is_divided_and_others_stay_whole() {
    let Some(patient) = Patient::new(Kind::Postgres, &application::seed(true, 3 * 10_400)) else { return };
    counting_statements(&patient, "c");
    patient.server.execute(
        "CREATE FUNCTION alone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF (SELECT count(*) > 1 AND bool_or(id = 15000) FROM changed) THEN RAISE EXCEPTION 'row 15000 changes alone'; END IF; \
         RETURN NULL; END $$; \
         CREATE TRIGGER \"d alone\" AFTER UPDATE ON c REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION alone()",
    );
    patient.rules(&unlimited("action = \"set-null\""));
    patient.planned();
    let before = patient.dump();
    succeeded(&patient, "apply", &patient.apply(&[]));
    let statements: u64 = patient.server.texts("SELECT last_value::text FROM statements")[0].parse().unwrap();
    assert!((5..150).contains(&statements), "{statements} statements changed 10,400 rows");
    let after = patient.dump();
    succeeded(&patient, "undo", &patient.undo(&[]));
    assert!(patient.dump() == before, "undo restores every value");
    succeeded(&patient, "apply", &patient.apply(ROW_BY_ROW));
    assert!(patient.dump() == after, "row by row gives the same database");
}

/// A trigger refuses more rows than a run may start again for. With `--skip-changed` all other rows change.
#[test]
fn many_rows_that_the_server_refuses_are_left() {
    let rows: Vec<String> = (1..=330).map(|id| format!("({id}, {})", id + 9)).collect();
    let seed = format!(
        "CREATE TABLE p(id int PRIMARY KEY); \
         CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); INSERT INTO c VALUES {}",
        rows.join(", ")
    );
    for kind in KINDS {
        for options in [&[][..], &["--batch", "300"]] {
            let Some(patient) = Patient::new(kind, &seed) else { continue };
            patient.server.execute(match kind {
                Kind::Postgres => {
                    "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS \
                     $$ BEGIN IF NEW.id % 3 = 0 THEN RAISE EXCEPTION 'this row stays'; END IF; RETURN NEW; END $$; \
                     CREATE TRIGGER refuses BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION refuses()"
                }
                _ => {
                    "CREATE TRIGGER refuses BEFORE UPDATE ON c FOR EACH ROW BEGIN IF NEW.id % 3 = 0 THEN \
                     SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this row stays'; END IF; END"
                }
            });
            patient.rules(&rule("c(r)", "action = \"set-null\""));
            patient.planned();
            let before = patient.dump();
            let run = patient.apply(&[&["--skip-changed"], options].concat());
            assert_eq!(run.code, 6, "{kind:?} {options:?}: {}{}", run.stdout, run.stderr);
            assert_eq!(patient.orphans(), 110, "{kind:?} {options:?}");
            succeeded(&patient, "undo", &patient.undo(&[]));
            assert_eq!(patient.dump(), before, "{kind:?} {options:?}");
        }
    }
}

/// A trigger refuses one row of 10,400. The other rows are changed about once, and in sets.
#[test]
fn refused_row_that_is_left_costs_few_statements() {
    let Some(patient) = Patient::new(Kind::Postgres, &application::seed(true, 3 * 10_400)) else { return };
    counting_statements(&patient, "c");
    patient.server.execute(
        "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN IF NEW.id IN (15000, 30000) THEN RAISE EXCEPTION 'this row stays'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER refuses BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION refuses()",
    );
    patient.rules(&unlimited("action = \"set-null\""));
    patient.planned();
    let run = patient.apply(&["--skip-changed"]);
    assert_eq!((run.code, patient.orphans()), (6, 2), "{}{}", run.stdout, run.stderr);
    let statements: u64 = patient.server.texts("SELECT last_value::text FROM statements")[0].parse().unwrap();
    assert!((5..300).contains(&statements), "{statements} statements changed 10,398 rows");
}

/// A trigger refuses one row of a set. The run refuses the plan, or leaves this row, as it does row by row.
#[test]
fn row_that_a_set_cannot_change_is_named_as_row_by_row() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
                CREATE TABLE c(id int PRIMARY KEY, r int, note varchar(9), FOREIGN KEY (r) REFERENCES p(id)); \
                INSERT INTO c VALUES (1, 7, 'a'), (2, 8, 'b'), (3, 9, 'c'), (4, 9, 'd')";
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, seed) else { continue };
        patient.server.execute(match kind {
            Kind::Postgres => {
                "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN IF NEW.id = 2 THEN RAISE EXCEPTION 'row 2 stays'; END IF; RETURN NEW; END $$; \
                 CREATE TRIGGER refuses BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION refuses()"
            }
            _ => {
                "CREATE TRIGGER refuses BEFORE UPDATE ON c FOR EACH ROW BEGIN IF NEW.id = 2 THEN \
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'row 2 stays'; END IF; END"
            }
        });
        patient.rules(&rule("c(r)", "action = \"set-null\""));
        patient.planned();
        let before = patient.dump();
        for options in [&[][..], &["--skip-changed"]] {
            let mut outcomes = Vec::new();
            for way in [&[][..], ROW_BY_ROW] {
                let run = patient.apply(&[options, way].concat());
                outcomes.push((run.code, run.stderr, patient.dump()));
                let undo = patient.undo(&[]);
                assert_eq!(undo.code, 0, "{kind:?} {options:?}: {}", undo.stderr);
                assert_eq!(patient.dump(), before, "{kind:?} {options:?}");
            }
            assert_eq!(outcomes[0], outcomes[1], "{kind:?} {options:?}");
            assert_eq!(outcomes[0].0, if options.is_empty() { 5 } else { 6 }, "{kind:?} {options:?}");
            let named = options.is_empty() == outcomes[0].1.contains("row 2 stays");
            assert!(named, "{kind:?} {options:?}: {}", outcomes[0].1);
        }
    }
}

/// Returns how often PostgreSQL read the whole table. A session reports its numbers when it ends, and this connection
/// does at once if asked.
fn whole_reads(patient: &Patient, table: &str) -> u64 {
    patient.server.texts("SELECT 'reported' FROM pg_stat_force_next_flush()");
    let sessions = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'fk-doctor' AND datname = current_database()";
    while patient.server.texts(sessions) != ["0"] {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let reads = format!("SELECT seq_scan::text FROM pg_stat_user_tables WHERE relname = '{table}'");
    patient.server.texts(&reads)[0].parse().unwrap()
}

/// No index finds the children of a parent. All sets of a run together read the child as often as one set does.
#[test]
fn child_without_an_index_is_read_once_for_all_sets() {
    let mut reads = Vec::new();
    for rows in [5_000, 30_050] {
        let seed = format!(
            "CREATE TABLE p(id int PRIMARY KEY, name text); CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p(id)); \
             INSERT INTO c SELECT i, 1000000 + i FROM generate_series(1, {rows}) AS number(i); ANALYZE"
        );
        let Some(patient) = Patient::new(Kind::Postgres, &seed) else { return };
        patient.rules(&unlimited("action = \"placeholder\"\nvalues = { name = \"{key.r}\" }"));
        let before = patient.dump();
        patient.planned();
        let start = whole_reads(&patient, "c");
        succeeded(&patient, "apply", &patient.apply(&[]));
        let applied = whole_reads(&patient, "c");
        succeeded(&patient, "undo", &patient.undo(&[]));
        reads.push((applied - start, whole_reads(&patient, "c") - applied));
        assert!(patient.dump() == before, "undo restores every value");
    }
    assert_eq!(reads[0], reads[1]);
}

/// No index finds the rows that depend on a row. While planning, they are read for many rows at once, at each depth.
#[test]
fn dependants_without_an_index_are_read_for_many_rows_at_once() {
    let rows = 1_500;
    let numbers = format!("FROM generate_series(1, {rows}) AS number(i)");
    let seed = format!(
        "CREATE TABLE p(id int PRIMARY KEY, name text); CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p(id)); \
         CREATE TABLE d(id int PRIMARY KEY, c int REFERENCES c(id)); CREATE TABLE e(id int PRIMARY KEY, d int REFERENCES d(id)); \
         INSERT INTO c SELECT i, 1000000 + i {numbers}; INSERT INTO d SELECT i, i {numbers}; INSERT INTO e SELECT i, i {numbers}; \
         INSERT INTO p SELECT i, (i / 2)::text {numbers}; CREATE TABLE f(id int PRIMARY KEY, p int REFERENCES p(id)); \
         INSERT INTO f SELECT i, i {numbers}; ANALYZE"
    );
    let Some(patient) = Patient::new(Kind::Postgres, &seed) else { return };
    let limits = "limits = { max-rows = 100000, max-share = 1.0 }";
    patient.rules(&format!(
        "[[rule]]\nid = \"orphans\"\neven-if-parent-lost = true\nrelation = {{ child = \"c(r)\" }}\n{limits}\n\
         [[rule.treat]]\naction = \"quarantine\"\n\
         [[rule]]\nid = \"twins\"\nrelation = {{ parent = \"p(id)\" }}\n{limits}\n\
         [[rule.treat]]\naction = \"repoint\"\nsame = [\"name\"]\n"
    ));
    let tables = ["d", "e", "f"];
    let start = tables.map(|table| whole_reads(&patient, table));
    let before = patient.dump();
    patient.planned();
    for (table, start) in tables.into_iter().zip(start) {
        let reads = whole_reads(&patient, table) - start;
        assert!(reads < 20, "{table} is read {reads} times");
    }
    succeeded(&patient, "apply", &patient.apply(&[]));
    let left =
        patient.server.texts("SELECT (SELECT count(*) FROM e)::text || ' ' || (SELECT count(DISTINCT p) FROM f)");
    assert_eq!(left, ["0 751"]);
    succeeded(&patient, "undo", &patient.undo(&[]));
    assert!(patient.dump() == before, "undo restores every value");
}

/// Beside other sessions, a relation is counted before the first batch and after the last one. The report needs no third count.
#[test]
fn relation_is_counted_twice_beside_other_sessions() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p(id)); \
                INSERT INTO c SELECT i, CASE WHEN i % 100 = 0 THEN i END FROM generate_series(1, 30000) AS number(i); ANALYZE";
    let Some(patient) = Patient::new(Kind::Postgres, seed) else { return };
    patient.rules(&unlimited("action = \"set-null\""));
    patient.planned();
    let start = whole_reads(&patient, "c");
    let applied = patient.apply(&["--batch", "100"]);
    succeeded(&patient, "apply", &applied);
    assert!(applied.stdout.contains("0 orphan rows"), "{}", applied.stdout);
    assert_eq!(whole_reads(&patient, "c") - start, 2);
}

/// MariaDB commits at once when the first plan of a database creates the table of states. Nothing is compared or counted again for
/// that.
#[test]
fn new_table_of_states_costs_no_second_comparison() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); \
                CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
                INSERT INTO c SELECT seq, seq FROM seq_1_to_300; SET GLOBAL userstat = 1";
    let Some(patient) = Patient::new(Kind::Mariadb, seed) else { return };
    let rows_read = || -> u64 {
        let read = "SELECT CAST(coalesce(sum(rows_read), 0) AS char(20)) FROM information_schema.table_statistics \
                    WHERE table_schema = database() AND table_name = 'c'";
        patient.server.texts(read)[0].parse().unwrap()
    };
    patient.rules(&unlimited("action = \"set-null\""));
    let read = [(); 2].map(|()| {
        patient.planned();
        let start = rows_read();
        succeeded(&patient, "apply", &patient.apply(&["--batch", "100"]));
        let read = rows_read() - start;
        succeeded(&patient, "undo", &patient.undo(&["--batch", "100"]));
        // The next plan is another one.
        patient.server.execute(&Kind::Mariadb.unenforced("UPDATE c SET r = r + 1000"));
        read
    });
    assert_eq!(read[0], read[1], "rows that the first run reads, and the one after it");
}

/// No lock keeps other sessions out of a child that the plan does not name, so each set reads it again.
#[test]
fn unlocked_child_without_an_index_is_read_for_each_set() {
    let mut reads = Vec::new();
    for rows in [3_000, 12_050] {
        let seed = format!(
            "CREATE TABLE p(id int PRIMARY KEY, name text); CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p(id)); \
             CREATE TABLE other(r int); INSERT INTO other VALUES (NULL); \
             INSERT INTO c SELECT i, 1000000 + i FROM generate_series(1, {rows}) AS number(i); ANALYZE"
        );
        let Some(patient) = Patient::new(Kind::Postgres, &seed) else { return };
        patient.server.bench.write("fk-doctor.toml", "[[relation]]\nchild = \"other(r)\"\nparent = \"p(id)\"\n");
        patient.rules(&unlimited("action = \"placeholder\"\nvalues = { name = \"{key.r}\" }"));
        patient.planned();
        succeeded(&patient, "apply", &patient.apply(&[]));
        let applied = whole_reads(&patient, "other");
        succeeded(&patient, "undo", &patient.undo(&[]));
        reads.push(whole_reads(&patient, "other") - applied);
    }
    assert!(reads[1] > reads[0], "{reads:?}");
}

/// A relation without a constraint and without an index: a row that refers to a new parent keeps it.
#[test]
fn new_parent_of_an_unindexed_child_stays_while_it_is_needed() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY, name varchar(9)); CREATE TABLE c(id int PRIMARY KEY, r int); \
                INSERT INTO c VALUES (1, 7), (2, 8), (3, 8), (4, NULL)";
    for kind in KINDS {
        let Some(patient) = Patient::new(kind, seed) else { continue };
        patient.server.bench.write("fk-doctor.toml", "[[relation]]\nchild = \"c(r)\"\nparent = \"p(id)\"\n");
        patient.rules(&unlimited("action = \"placeholder\"\nvalues = { name = \"{key.r}\" }"));
        let before = patient.dump();
        patient.planned();
        for row in ["UPDATE c SET r = 8 WHERE id = 4", "UPDATE c SET r = NULL WHERE id = 4"] {
            succeeded(&patient, row, &patient.apply(&[]));
            patient.server.execute(row);
            let undo = patient.undo(&[]);
            let is_needed = row.contains('8');
            assert_eq!(undo.code, if is_needed { 5 } else { 0 }, "{kind:?} {row}: {}", undo.stderr);
            assert!(
                !is_needed || undo.stderr.contains("is referred to by rows that were added since"),
                "{}",
                undo.stderr
            );
        }
        assert_eq!(patient.dump(), before, "{kind:?}");
    }
}

/// The orphans of two relations are deleted from one table in the same batch, each relation by one statement.
#[test]
fn batch_deletes_orphans_of_two_relations_in_two_statements() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE q(id int PRIMARY KEY); \
                CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p(id), s int REFERENCES q(id)); \
                INSERT INTO c SELECT i, CASE WHEN i % 2 = 0 THEN i END, CASE WHEN i % 2 = 1 THEN i END FROM generate_series(1, 60) AS number(i)";
    let Some(patient) = Patient::new(Kind::Postgres, seed) else { return };
    counting_statements(&patient, "c");
    patient.rules(&unlimited("action = \"quarantine\"").replace("c(r)", "c(*)"));
    let before = patient.dump();
    patient.planned();
    succeeded(&patient, "apply", &patient.apply(&["--batch", "1000"]));
    assert_eq!(patient.server.texts("SELECT last_value::text FROM statements"), ["2"]);
    assert_eq!(patient.orphans(), 0);
    succeeded(&patient, "undo", &patient.undo(&[]));
    assert_eq!(patient.dump(), before);
}

/// Without its counters PostgreSQL cannot report the rows that triggers change. A superuser's run turns them on, and any other run is
/// refused with the reason.
#[test]
fn changes_are_counted_although_the_counters_are_off() {
    let seed = "CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE log(id int PRIMARY KEY, n int); INSERT INTO log VALUES (1, 0); \
                CREATE TABLE c(id int PRIMARY KEY, r int REFERENCES p(id)); INSERT INTO c VALUES (1, 7), (2, 8), (3, 9)";
    let Some(patient) = Patient::new(Kind::Postgres, seed) else { return };
    let server = &patient.server;
    let database = server.texts("SELECT current_database()::text").concat();
    let role = format!("counts_{}", std::process::id());
    server.execute(&format!(
        "ALTER DATABASE {database} SET track_counts = off; CREATE ROLE {role} LOGIN; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; GRANT CREATE ON SCHEMA public TO {role}"
    ));
    patient.rules(&rule("c(r)", "action = \"set-null\""));
    let before = patient.dump();
    patient.planned();
    let refused = server.run(&["apply", &server.url_as(&role), "plan.ndjson"]);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert!(super::common::in_one_line(&refused.stderr).contains("track_counts is off"), "{}", refused.stderr);
    assert_eq!(patient.dump(), before);
    patient.repair();
    patient.take_back(&before);
    server.execute(
        "CREATE FUNCTION meddles() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.log SET n = n + 1; RETURN NEW; END $$; \
         CREATE TRIGGER meddles AFTER UPDATE ON c FOR EACH ROW EXECUTE FUNCTION meddles()",
    );
    patient.planned();
    patient.refused("beyond the plan");
    server.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
