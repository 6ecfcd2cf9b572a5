//! Applied changes of a server are recorded in a table of states, or beside the plan if the role may not create tables.
//! Two runs of one plan exclude each other, and no run drops a table that may contain rows of others.

use std::process::Child;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::common;
use super::common::Run;
use super::common::States as _;
use super::common::until;
use super::common::until_asking_every;
use super::interrupted_repairs::Cut;
use super::interrupted_repairs::end_connections;
use super::interrupted_repairs::proxy;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::on_each;
use super::patient::rule;

const SEED: &str = "CREATE TABLE p(id int PRIMARY KEY, name varchar(20)); CREATE TABLE q(id int PRIMARY KEY); \
    CREATE TABLE a(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES p(id)); \
    CREATE TABLE b(id int PRIMARY KEY, r int, q int, note varchar(20), FOREIGN KEY (r) REFERENCES p(id), \
        FOREIGN KEY (q) REFERENCES q(id)); \
    INSERT INTO p VALUES (1, 'one'), (2, 'two'); INSERT INTO q VALUES (1), (2); INSERT INTO a VALUES (1, 1), (2, 2); \
    INSERT INTO b VALUES (1, 1, 1, 'x'), (2, 16, 1, 'y'), (3, 17, 2, 'z'), (4, 18, 2, 'w')";

/// The number of orphans of `b`, so large that batches take a while.
const MANY: usize = 1_500;

fn many() -> String {
    let rows: Vec<String> = (0..MANY).map(|id| format!("({id}, {}, NULL, 'x')", id + 1_000_000)).collect();
    format!("{}; DELETE FROM b; INSERT INTO b VALUES {}", SEED, rows.join(", "))
}

fn planned(patient: &Patient, treatment: &str) {
    patient.rules(&rule("b(r)", treatment).replace("[limits]", "[limits]\nmax-rows = 100000"));
    patient.planned();
}

fn plain(run: &Run) -> String {
    common::in_one_line(&format!("{}{}", run.stdout, run.stderr))
}

#[track_caller]
fn ended(patient: &Patient, run: Run, code: i32, text: &str) -> Run {
    assert_eq!(run.code, code, "{:?}: {}{}", patient.kind, run.stdout, run.stderr);
    assert!(plain(&run).contains(text), "{:?}: {text}\n{}{}", patient.kind, run.stdout, run.stderr);
    run
}

fn status_at(patient: &Patient, url: &str) -> Value {
    let run = patient.server.run(&["status", "plan.ndjson", url, "--format", "json"]);
    assert_eq!(run.code, 0, "{:?}: {}", patient.kind, run.stderr);
    let report = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("status", &report);
    report
}

fn status(patient: &Patient) -> Value {
    status_at(patient, &patient.server.url())
}

fn report(run: &Run) -> Value {
    let report = serde_json::from_str(&run.stdout).unwrap();
    common::assert_obeys("apply", &report);
    report
}

/// Returns one number.
fn count(patient: &Patient, rows: &str) -> usize {
    let of = if patient.kind == Kind::Postgres { "text" } else { "char(20)" };
    patient.server.texts(&format!("SELECT CAST(count(*) AS {of}) FROM {rows}"))[0].parse().unwrap()
}

fn has_table(patient: &Patient, name: &str) -> bool {
    let schema = if patient.kind == Kind::Postgres { "'public'" } else { "database()" };
    count(patient, &format!("information_schema.tables WHERE table_schema = {schema} AND table_name = '{name}'")) == 1
}

fn blanked(patient: &Patient) -> usize {
    count(patient, "b WHERE r IS NULL")
}

/// MariaDB refreshes its list of waiting transactions only after a tenth of a second without a query.
fn until_waiting(is_so: impl FnMut() -> bool) {
    std::thread::sleep(Duration::from_millis(150));
    until_asking_every(Duration::from_millis(150), is_so);
}

/// A separate process does the work, which can be killed. It pauses after each small batch, so that it is still active
/// when the test looks at it.
fn started_slowly(patient: &Patient, command: &str, url: &str) -> Child {
    patient.server.bench.start(&[command, url, "plan.ndjson", "--batch", "10", "--pause", "5ms"])
}

fn kill(mut child: Child) {
    let _ = child.kill();
    child.wait().unwrap();
}

/// A copy of the plan in another folder, so that no file lock blocks it.
fn copied(patient: &Patient) {
    std::fs::create_dir_all(patient.server.bench.path("copy")).unwrap();
    std::fs::copy(patient.server.bench.path("plan.ndjson"), patient.server.bench.path("copy/plan.ndjson")).unwrap();
}

fn from_copy(patient: &Patient, command: &str) -> Run {
    patient.server.run(&[command, &patient.server.url(), "copy/plan.ndjson", "--wait", "0s"])
}

/// Creates a role that may change rows, restore orphans and create temporary tables only. Returns its address.
fn limited(patient: &Patient) -> (String, String) {
    let server = &patient.server;
    let role = format!("{}_r", server.name);
    server.execute(&match patient.kind {
        Kind::Postgres => format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; \
             GRANT SET ON PARAMETER session_replication_role TO {role}"
        ),
        Kind::Mariadb | Kind::Mysql => {
            let tables: Vec<String> = ["p", "q", "a", "b"]
                .iter()
                .map(|table| format!("GRANT INSERT, UPDATE, DELETE ON {}.{table} TO {role}@'127.0.0.1'", server.name))
                .collect();
            format!(
                "CREATE USER {role}@'127.0.0.1'; GRANT SELECT, CREATE TEMPORARY TABLES ON {}.* TO {role}@'127.0.0.1'; {}",
                server.name,
                tables.join("; ")
            )
        }
    });
    patient.let_plan(&format!("{role}@'127.0.0.1'"));
    (server.url_as(&role), role)
}

fn dropped(patient: &Patient, role: &str) {
    patient.server.execute(&match patient.kind {
        Kind::Postgres => format!(
            "DROP OWNED BY {role}; REVOKE SET ON PARAMETER session_replication_role FROM {role}; DROP ROLE {role}"
        ),
        Kind::Mariadb | Kind::Mysql => format!("DROP USER {role}@'127.0.0.1'"),
    });
}

fn planned_as(patient: &Patient, url: &str, treatment: &str) {
    patient.rules(&rule("b(r)", treatment).replace("[limits]", "[limits]\nmax-rows = 100000"));
    for file in ["plan.ndjson", "plan.ndjson.begun"] {
        let _ = std::fs::remove_file(patient.server.bench.path(file));
    }
    let run = patient.server.run(&["repair", url, "--rules", "r.toml", "-o", "plan.ndjson"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{:?}: {}", patient.kind, run.stdout);
}

#[test]
fn plan_state_is_recorded_in_the_database() {
    on_each(SEED, |patient| {
        planned(patient, "action = \"set-null\"");
        let before = patient.dump();
        let url = patient.server.url();
        let forget = || patient.server.run(&["status", "plan.ndjson", &url, "--forget"]);
        assert_eq!(status(patient)["state"]["phase"], "never applied");
        ended(patient, patient.undo(&[]), 0, "has no record that ");
        ended(patient, forget(), 5, "the database has no record of it");

        ended(patient, patient.apply(&[]), 0, " repaired");
        let state = status(patient)["state"].clone();
        assert_eq!((&state["phase"], &state["made"]["changes"]), (&json!("applied"), &json!(3)));
        assert_eq!(state["journal"], Value::Null);
        ended(patient, forget(), 5, "its changes are in the database");
        patient.server.execute("UPDATE b SET note = 'new' WHERE id = 3");
        let since = &status(patient)["state"]["changed_since"];
        let row = json!({ "table": "b", "row": { "id": 3 }, "reason": "changed",
            "planned": { "note": "z" }, "found": { "note": "new" } });
        assert_eq!(since["rows"], json!([row]));
        patient.server.execute("UPDATE b SET note = 'z' WHERE id = 3");

        patient.take_back(&before);
        assert_eq!(status(patient)["state"]["phase"], "taken back");
        ended(patient, forget(), 0, "the record of plan.ndjson is removed");
        assert_eq!(status(patient)["state"]["phase"], "never applied");
        // On servers that drop a table at once, another run may be about to write to it.
        assert_eq!(has_table(patient, "fk_doctor_state"), patient.kind != Kind::Postgres);
    });
}

#[test]
fn killed_run_is_recorded_up_to_its_last_commit() {
    on_each(&many(), |patient| {
        planned(patient, "action = \"set-null\"");
        let url = patient.server.url();
        let before = patient.dump();
        for (command, phase) in [("apply", "applying"), ("undo", "taking back")] {
            let child = started_slowly(patient, command, &url);
            let is_begun = || if command == "apply" { blanked(patient) > 0 } else { blanked(patient) < MANY };
            until(is_begun);
            kill(child);
            // The server may still execute the last statement.
            end_connections(patient);
            let state = status(patient)["state"].clone();
            let made = blanked(patient);
            assert!(made > 0 && made < MANY, "{:?}: {made}", patient.kind);
            assert_eq!(
                (&state["phase"], &state["made"]["changes"]),
                (&json!(phase), &json!(made)),
                "{:?}",
                patient.kind
            );
            let end = if command == "apply" { patient.apply(&["--batch", "400"]) } else { patient.undo(&[]) };
            ended(patient, end, 0, "");
            assert_eq!(blanked(patient), if command == "apply" { MANY } else { 0 });
        }
        assert_eq!(patient.dump(), before);
    });
}

/// An equal row that another program inserted is not removed.
#[test]
fn server_placeholder_made_first_by_the_application_stays() {
    on_each(SEED, |patient| {
        for options in [&[][..], &["--batch", "1"]] {
            planned(patient, "action = \"placeholder\"\nvalues = { name = \"made\" }");
            patient.server.execute("INSERT INTO p VALUES (16, 'made')");
            let before = patient.dump();
            ended(patient, patient.apply(options), 0, "1 row was already as planned");
            assert_eq!(status(patient)["state"]["left"], json!({ "already": 1 }));
            patient.take_back(&before);
            patient.server.execute("UPDATE b SET r = NULL WHERE id = 2; DELETE FROM p WHERE id = 16");
            let loose = if patient.kind == Kind::Postgres {
                "session_replication_role = replica"
            } else {
                "foreign_key_checks = 0"
            };
            let strict = if patient.kind == Kind::Postgres {
                "session_replication_role = origin"
            } else {
                "foreign_key_checks = 1"
            };
            patient.server.execute(&format!("SET {loose}; UPDATE b SET r = 16 WHERE id = 2; SET {strict}"));
        }
    });
}

#[test]
fn role_without_create_table_records_beside_the_plan() {
    on_each(SEED, |patient| {
        let (url, role) = limited(patient);
        planned_as(patient, &url, "action = \"set-null\"");
        let before = patient.dump();
        let run = |command: &str, plan: &str| patient.server.run(&[command, &url, plan]);
        ended(patient, run("apply", "plan.ndjson"), 0, "plan.ndjson.begun: this role cannot create tables");
        assert_eq!(blanked(patient), 3);
        assert!(!has_table(patient, "fk_doctor_state"), "{:?}", patient.kind);
        let state = status_at(patient, &url)["state"].clone();
        assert_eq!((&state["phase"], &state["made"]["changes"]), (&json!("applied"), &json!(3)), "{:?}", patient.kind);
        assert_eq!(state["journal"], "plan.ndjson.begun");
        let shown = patient.server.run(&["status", "plan.ndjson", &url]);
        ended(patient, shown, 0, "record plan.ndjson.begun: keep it next to the plan");
        ended(patient, run("apply", "plan.ndjson"), 0, "nothing to do");

        // A plan has one record, wherever the plan is.
        let bench = &patient.server.bench;
        std::fs::create_dir(bench.path("moved")).unwrap();
        for name in ["plan.ndjson", "plan.ndjson.begun"] {
            std::fs::rename(bench.path(name), bench.path("moved").join(name)).unwrap();
        }
        // Without its record nothing is guessed.
        copied_alone(patient);
        let lost = ended(patient, run("undo", "plan.ndjson"), 0, "has no record that ");
        assert!(plain(&lost).contains("plan.ndjson.begun: this file does not exist"), "{}", lost.stdout);
        assert_eq!(blanked(patient), 3);
        ended(patient, run("undo", "moved/plan.ndjson"), 0, "is taken back");
        assert_eq!(patient.dump(), before);
        ended(patient, run("undo", "moved/plan.ndjson"), 0, "nothing to do");
        let status = |options: &[&str]| patient.server.run(&[&["status", "moved/plan.ndjson", &url], options].concat());
        ended(patient, status(&[]), 0, "moved/plan.ndjson was taken back");
        ended(patient, status(&["--forget"]), 0, "is removed");
        ended(patient, status(&[]), 0, "was never applied");
        dropped(patient, &role);
    });
}

/// Copies the plan without the files beside it.
fn copied_alone(patient: &Patient) {
    let bench = &patient.server.bench;
    std::fs::copy(bench.path("moved/plan.ndjson"), bench.path("plan.ndjson")).unwrap();
}

#[test]
fn killed_run_with_record_beside_the_plan_resumes() {
    on_each(&many(), |patient| {
        let (url, role) = limited(patient);
        planned_as(patient, &url, "action = \"set-null\"");
        let before = patient.dump();
        let run = |command: &str| patient.server.run(&[command, &url, "plan.ndjson", "--batch", "400"]);
        let child = started_slowly(patient, "apply", &url);
        until(|| blanked(patient) > 0);
        kill(child);
        end_connections_of(patient);
        assert_eq!(status_at(patient, &url)["state"]["made"]["changes"], json!(blanked(patient)), "{:?}", patient.kind);
        assert_eq!(status_at(patient, &url)["state"]["phase"], "applying");
        ended(patient, run("apply"), 0, "");
        assert_eq!(blanked(patient), MANY);
        ended(patient, run("undo"), 0, "");
        assert_eq!(patient.dump(), before);

        // The run is killed during COMMIT. The rows show the outcome.
        let server = patient.server.address.rsplit('@').next().unwrap().to_owned();
        let plainly = if patient.kind == Kind::Postgres { "sslmode=disable" } else { "ssl-mode=DISABLED" };
        for (cut, then) in
            [(Cut::HangBefore, "apply"), (Cut::HangAfter, "apply"), (Cut::HangBefore, "undo"), (Cut::HangAfter, "undo")]
        {
            let context = format!("{:?} {cut:?} {then}", patient.kind);
            let port = proxy(server.clone(), cut, 4);
            let far = format!("{}?{plainly}", url.replace(&server, &format!("127.0.0.1:{port}")));
            let begun = patient.server.bench.path("plan.ndjson.begun");
            let is_in_doubt = |path| {
                let text: String = std::fs::read_to_string(path).unwrap_or_default();
                text.lines().last().is_some_and(|line| line.starts_with("{\"intent\""))
            };
            let child = started_slowly(patient, "apply", &far);
            until(|| {
                let is_so = is_in_doubt(begun.clone());
                std::thread::sleep(Duration::from_millis(300));
                is_so && is_in_doubt(begun.clone())
            });
            kill(child);
            end_connections_of(patient);
            let made = blanked(patient);
            assert!(made > 0 && made < MANY, "{context}: {made}");
            assert_eq!(status_at(patient, &url)["state"]["made"]["changes"], json!(made), "{context}");
            // Another session changes the first row of the transaction with the unknown outcome.
            let first = made - 10 * usize::from(cut == Cut::HangAfter);
            patient.server.execute(&format!("UPDATE b SET note = 'new' WHERE id = {first}"));
            assert_eq!(status_at(patient, &url)["state"]["made"]["changes"], json!(made), "{context}");
            patient.server.execute(&format!("UPDATE b SET note = 'x' WHERE id = {first}"));
            if then == "apply" {
                ended(patient, run("apply"), 0, "");
                assert_eq!(blanked(patient), MANY, "{context}");
                assert_eq!(status_at(patient, &url)["state"]["phase"], "applied", "{context}");
            }
            ended(patient, run("undo"), 0, "");
            assert_eq!(patient.dump(), before, "{context}");
            assert_eq!(status_at(patient, &url)["state"]["phase"], "taken back", "{context}");
        }
        dropped(patient, &role);
    });
}

/// Ends the connections that a run left behind, and waits until they are closed.
fn end_connections_of(patient: &Patient) {
    end_connections(patient);
    let left = match patient.kind {
        Kind::Postgres => {
            "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'fk-doctor'"
        }
        Kind::Mariadb | Kind::Mysql => {
            "SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        }
    };
    until(|| patient.server.texts(left).is_empty());
}

/// Other users have no privilege on the table that an owner's run created.
#[test]
fn unusable_state_table_is_reported() {
    on_each(SEED, |patient| {
        patient.rules(&rule("b(r)", "action = \"set-null\""));
        patient.repair();
        let (url, role) = limited(patient);
        if patient.kind == Kind::Postgres {
            patient.server.execute(&format!("REVOKE ALL ON fk_doctor_state FROM {role}"));
            for command in [["undo", &url, "plan.ndjson"], ["status", "plan.ndjson", &url]] {
                let run =
                    ended(patient, patient.server.run(&command), 5, "the record of the plan may be in this table");
                assert!(run.stderr.contains("GRANT SELECT, INSERT, UPDATE ON fk_doctor_state"), "{}", run.stderr);
            }
        } else {
            let undone = patient.server.run(&["undo", &url, "plan.ndjson"]);
            ended(patient, undone, 5, "GRANT SELECT, INSERT, UPDATE ON fk_doctor_state");
        }
        assert_eq!(blanked(patient), 3);
        assert_eq!(patient.undo(&[]).code, 0);
        // A plan that was not begun has its record beside it.
        let before = patient.dump();
        planned_as(patient, &url, "action = \"placeholder\"");
        let run = |command: &str| patient.server.run(&[command, &url, "plan.ndjson"]);
        ended(patient, run("apply"), 0, "plan.ndjson.begun");
        ended(patient, run("undo"), 0, "is taken back");
        assert_eq!(patient.dump(), before);
        dropped(patient, &role);
    });
}

/// A user who may only read sees less of the definitions than their owner. The parts that a plan depends on are the
/// same.
#[test]
fn plan_made_by_a_reader_is_applied_by_another_role() {
    on_each(SEED, |patient| {
        let (server, role) = (&patient.server, format!("{}_r", patient.server.name));
        server.execute(&match patient.kind {
            Kind::Postgres => {
                format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
            }
            _ => format!(
                "CREATE USER {role}@'127.0.0.1'; GRANT SELECT, CREATE TEMPORARY TABLES ON {}.* TO {role}@'127.0.0.1'",
                server.name
            ),
        });
        patient.let_plan(&format!("{role}@'127.0.0.1'"));
        planned_as(patient, &server.url_as(&role), "action = \"set-null\"");
        let before = patient.dump();
        ended(patient, patient.apply(&[]), 0, " repaired");
        patient.take_back(&before);
        // The server does not show this foreign key to either user, but it refuses the change nevertheless.
        if patient.kind != Kind::Postgres {
            server.execute("ALTER TABLE a ADD COLUMN b int; ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b(id)");
            ended(patient, patient.apply(&[]), 5, "the plan was made for: see b");
            // MySQL copies the rows of `b`, and would refuse its orphans.
            server.execute(
                "SET foreign_key_checks = 0; ALTER TABLE b ADD COLUMN a int; ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a(id)",
            );
            ended(patient, patient.apply(&[]), 5, "the plan was made for: see b");
            server.execute(&format!("DROP USER {role}@'127.0.0.1'"));
        } else {
            server.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
        }
    });
}

/// Locks a row of `b` until the lock is dropped.
fn beside_a_lock(patient: &Patient, row: usize, arguments: &[&str], meanwhile: impl FnOnce()) -> Run {
    patient.server.beside(&format!("BEGIN; SELECT id FROM b WHERE id = {row} FOR UPDATE"));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| patient.server.run(arguments));
        patient.until_it_waits(&running);
        meanwhile();
        patient.server.beside("COMMIT");
        running.join().unwrap()
    })
}

/// Another session writes to the parents when a batch is about to be committed. The batch is rolled back and tried again, and the
/// record has it once.
#[test]
fn batch_that_meets_held_parents_is_recorded_once() {
    let Some(patient) = &Patient::new(Kind::Postgres, SEED) else { return };
    let (limited_url, role) = limited(patient);
    for url in [&limited_url, &patient.server.url()] {
        for batch in ["2", "100"] {
            planned_as(patient, url, "action = \"set-null\"");
            let before = patient.dump();
            patient.server.beside("BEGIN; UPDATE p SET name = name WHERE id = 1");
            let run = std::thread::scope(|scope| {
                let options = ["--batch", batch, "--wait", "60s"];
                let running =
                    scope.spawn(move || patient.server.run(&[&["apply", url, "plan.ndjson"], &options[..]].concat()));
                patient.until_it_waits(&running);
                assert!(!running.is_finished());
                assert_eq!(blanked(patient), 0);
                patient.server.beside("COMMIT");
                running.join().unwrap()
            });
            ended(patient, run, 0, "are repaired");
            assert_eq!(blanked(patient), 3);
            assert_eq!(status_at(patient, url)["state"]["made"]["changes"], 3);
            let undone = patient.server.run(&["undo", url, "plan.ndjson", "--batch", batch]);
            ended(patient, undone, 0, "is taken back");
            assert_eq!(patient.dump(), before);
        }
    }
    dropped(patient, &role);
}

#[test]
fn two_server_runs_of_one_plan_exclude_each_other() {
    on_each(SEED, |patient| {
        planned(patient, "action = \"set-null\"");
        copied(patient);
        let url = patient.server.url();
        let first = beside_a_lock(patient, 3, &["apply", &url, "plan.ndjson", "--wait", "60s"], || {
            for command in ["apply", "undo"] {
                let text = "another run of this plan is active (connection ";
                ended(patient, from_copy(patient, command), 5, text);
                let second = patient.server.run(&[command, &url, "plan.ndjson"]);
                // A run leaves no mark before its first change.
                let who = if patient.kind == Kind::Postgres { "process " } else { "connection " };
                ended(patient, second, 5, &format!("another run of this plan is active ({who}"));
            }
        });
        ended(patient, first, 0, " repaired");
        ended(patient, from_copy(patient, "apply"), 0, "nothing to do");
        // The lock ends with the connection.
        assert_eq!(patient.undo(&[]).code, 0);
        patient.server.beside("BEGIN; SELECT id FROM b WHERE id = 3 FOR UPDATE");
        let child = patient.server.bench.start(&["apply", &url, "plan.ndjson", "--wait", "60s"]);
        until_waiting(|| is_waiting(patient));
        ended(patient, from_copy(patient, "undo"), 5, "another run of this plan is active");
        kill(child);
        patient.server.beside("COMMIT");
        until(|| from_copy(patient, "apply").code == 0);
        assert_eq!(blanked(patient), 3);
    });
}

/// The same plan may run on a copy of the database. A server may share one lock name among all its databases.
#[test]
fn runs_on_two_databases_do_not_exclude_each_other() {
    for kind in KINDS {
        let (Some(one), Some(other)) = (Patient::new(kind, SEED), Patient::new(kind, SEED)) else { continue };
        planned(&one, "action = \"set-null\"");
        let url = one.server.url();
        let first = beside_a_lock(&one, 3, &["apply", &url, "plan.ndjson", "--wait", "60s"], || {
            let plan = one.server.bench.path("plan.ndjson");
            std::fs::copy(plan, other.server.bench.path("plan.ndjson")).unwrap();
            ended(&other, other.apply(&["--moved"]), 0, " repaired");
        });
        ended(&one, first, 0, " repaired");
    }
}

#[test]
fn run_after_lost_connection_excludes_others_again() {
    on_each(&many(), |patient| {
        planned(patient, "action = \"set-null\"");
        copied(patient);
        let server = patient.server.address.rsplit('@').next().unwrap().to_owned();
        let plainly = if patient.kind == Kind::Postgres { "sslmode=disable" } else { "ssl-mode=DISABLED" };
        let port = proxy(server.clone(), Cut::Answer, 8);
        let far = format!("{}?{plainly}", patient.server.url().replace(&server, &format!("127.0.0.1:{port}")));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| patient.server.run(&["apply", &far, "plan.ndjson", "--batch", "5"]));
            until(|| blanked(patient) > 60 || first.is_finished());
            ended(patient, from_copy(patient, "apply"), 5, "another run of this plan is active (connection ");
            ended(patient, first.join().unwrap(), 0, " repaired");
        });
        assert_eq!(blanked(patient), MANY);
    });
}

/// Returns the name of the first column of the quarantine table, which is its number.
fn first_column(patient: &Patient) -> String {
    let plan = std::fs::read_to_string(patient.server.bench.path("plan.ndjson")).unwrap();
    let header: Value = serde_json::from_str(plan.lines().next().unwrap()).unwrap();
    header["creates"][0]["columns"][0].as_str().unwrap().to_owned()
}

/// The row of another plan is not yet committed when the run that created the table fails and removes it.
#[test]
fn quarantine_table_with_rows_of_another_plan_is_not_dropped() {
    for kind in MYSQL_FAMILY {
        let Some(patient) = Patient::new(kind, SEED) else { continue };
        let server = &patient.server;
        let gate = format!("{}_gate", server.name);
        server.execute(&format!(
            "CREATE TRIGGER fuse BEFORE DELETE ON b FOR EACH ROW BEGIN DO GET_LOCK('{gate}', 60); \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the fuse'; END"
        ));
        planned(&patient, "action = \"quarantine\"");
        let insert = format!("INSERT INTO fk_doctor_quarantine({}) VALUES (99)", first_column(&patient));
        let waiting = |state: &str| {
            count(&patient, &format!("information_schema.processlist WHERE db = database() AND state = '{state}'")) > 0
        };
        for is_committed_late in [false, true] {
            server.texts(&format!("SELECT CAST(GET_LOCK('{gate}', 0) AS CHAR)"));
            std::thread::scope(|scope| {
                let apply = scope.spawn(|| patient.apply(&["--wait", "30s", "--row-by-row"]));
                until(|| waiting("User lock") || apply.is_finished());
                // It must wait for the end of the run, which has searched for the rows that it must quarantine.
                let begin = if is_committed_late { "BEGIN; " } else { "" };
                let insert = format!("{begin}{insert}");
                let other = scope.spawn(move || server.beside(&insert));
                until_waiting(|| {
                    count(&patient, "information_schema.innodb_trx WHERE trx_query LIKE 'INSERT INTO fk_doctor_q%'") > 0
                });
                server.texts(&format!("SELECT CAST(RELEASE_LOCK('{gate}') AS CHAR)"));
                other.join().unwrap();
                if is_committed_late {
                    until(|| waiting("Waiting for table metadata lock") || apply.is_finished());
                    assert!(!apply.is_finished(), "{kind:?}: nobody has waited for the other");
                    server.beside("COMMIT");
                }
                ended(&patient, apply.join().unwrap(), 5, "the fuse");
            });
            assert_eq!(count(&patient, "fk_doctor_quarantine"), 1, "{kind:?}");
            server.execute("DROP TABLE fk_doctor_quarantine");
        }
        // Without rows of others, the table is dropped.
        ended(&patient, patient.apply(&[]), 5, "the fuse");
        assert!(!has_table(&patient, "fk_doctor_quarantine"), "{kind:?}");
    }
}

/// An equal table of another program stays even if it is empty, both when the plan fails and when it is undone.
#[test]
fn table_made_by_others_is_not_dropped() {
    on_each(SEED, |patient| {
        let server = &patient.server;
        planned(patient, "action = \"quarantine\"");
        let before = patient.dump();
        ended(patient, patient.apply(&[]), 0, " repaired");
        let (like, back) = match patient.kind {
            Kind::Postgres => (
                "CREATE TABLE mine(LIKE fk_doctor_quarantine INCLUDING ALL)",
                "ALTER TABLE mine RENAME TO fk_doctor_quarantine",
            ),
            Kind::Mariadb | Kind::Mysql => (
                "CREATE TABLE mine LIKE fk_doctor_quarantine; ALTER TABLE mine COMMENT = ''",
                "RENAME TABLE mine TO fk_doctor_quarantine",
            ),
        };
        server.execute(like);
        ended(patient, patient.undo(&[]), 0, "");
        assert!(!has_table(patient, "fk_doctor_quarantine"), "{:?}: it goes with its last row", patient.kind);
        server.execute(back);
        std::fs::remove_file(server.bench.path("plan.ndjson.begun")).unwrap();
        let url = server.url();
        assert_eq!(server.run(&["status", "plan.ndjson", &url, "--forget"]).code, 0);
        ended(patient, patient.apply(&[]), 0, " repaired");
        assert_eq!(count(patient, "fk_doctor_quarantine"), 3);
        ended(patient, patient.undo(&[]), 0, "");
        assert_eq!(count(patient, "fk_doctor_quarantine"), 0);
        server.execute("DROP TABLE fk_doctor_quarantine");
        assert_eq!(patient.dump(), before);
    });
}

/// On a server that commits a new table at once, a killed run may have created it without recording that.
#[test]
fn table_made_by_a_killed_run_is_dropped_with_its_last_row() {
    for kind in MYSQL_FAMILY {
        let Some(patient) = Patient::new(kind, SEED) else { continue };
        planned(&patient, "action = \"quarantine\"");
        let before = patient.dump();
        ended(&patient, patient.apply(&[]), 0, " repaired");
        patient.server.execute("DELETE FROM fk_doctor_state WHERE direction = 'create'");
        ended(&patient, patient.undo(&[]), 0, "is taken back");
        assert_eq!(patient.dump(), before, "{kind:?}");
        // A table of the same name that replaced it belongs to someone else.
        ended(&patient, patient.apply(&[]), 0, " repaired");
        patient.server.execute(
            "CREATE TABLE mine LIKE fk_doctor_quarantine; ALTER TABLE mine COMMENT = ''; INSERT INTO mine SELECT * FROM fk_doctor_quarantine; \
             DROP TABLE fk_doctor_quarantine; RENAME TABLE mine TO fk_doctor_quarantine",
        );
        ended(&patient, patient.undo(&[]), 0, "is taken back");
        assert_eq!(count(&patient, "fk_doctor_quarantine"), 0, "{kind:?}");
    }
}

/// Another plan is about to quarantine its rows in the table whose last row is removed.
#[test]
fn undo_waits_for_rows_of_another_plan_in_its_table() {
    on_each(SEED, |patient| {
        planned(patient, "action = \"quarantine\"");
        ended(patient, patient.apply(&[]), 0, " repaired");
        let insert = format!("INSERT INTO fk_doctor_quarantine({}) VALUES (99)", first_column(patient));
        patient.server.beside(&format!("BEGIN; {insert}"));
        std::thread::scope(|scope| {
            let undo = scope.spawn(|| patient.undo(&["--wait", "60s"]));
            until_waiting(|| is_waiting(patient) || undo.is_finished());
            assert!(!undo.is_finished(), "{:?}: nobody has waited for the other", patient.kind);
            patient.server.beside("COMMIT");
            ended(patient, undo.join().unwrap(), 0, "is taken back");
        });
        assert_eq!(count(patient, "fk_doctor_quarantine"), 1, "{:?}", patient.kind);
        assert_eq!(patient.orphans(), 3);
        assert_eq!(status(patient)["state"]["phase"], "taken back");
    });
}

/// True if a run waits for a row or a table of another session.
fn is_waiting(patient: &Patient) -> bool {
    let waiting = match patient.kind {
        Kind::Postgres => {
            "pg_stat_activity WHERE datname = current_database() AND application_name = 'fk-doctor' AND wait_event_type = 'Lock'"
        }
        Kind::Mariadb | Kind::Mysql => {
            "information_schema.processlist AS p LEFT JOIN information_schema.innodb_trx AS t \
             ON t.trx_mysql_thread_id = p.id WHERE p.db = database() \
             AND (p.state = 'Waiting for table metadata lock' OR t.trx_state = 'LOCK WAIT')"
        }
    };
    count(patient, waiting) > 0
}

/// Creates a role that may create tables, but neither claim nor drop them.
#[test]
fn empty_table_without_drop_privilege_stays() {
    on_each(SEED, |patient| {
        let (url, role) = limited(patient);
        let server = &patient.server;
        if patient.kind == Kind::Postgres {
            planned(patient, "action = \"quarantine\"");
            ended(patient, patient.apply(&[]), 0, " repaired");
            server.execute(&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"));
        } else {
            server.execute(&format!("GRANT CREATE, INSERT, UPDATE, DELETE ON {}.* TO {role}@'127.0.0.1'", server.name));
            planned_as(patient, &url, "action = \"quarantine\"");
            ended(patient, server.run(&["apply", &url, "plan.ndjson"]), 0, " repaired");
        }
        ended(patient, server.run(&["undo", &url, "plan.ndjson"]), 0, "is taken back");
        assert_eq!(count(patient, "fk_doctor_quarantine"), 0, "{:?}", patient.kind);
        assert_eq!(status(patient)["state"]["phase"], "taken back");
        dropped(patient, &role);
    });
}

#[test]
fn server_undo_creates_no_orphan() {
    on_each(SEED, |patient| {
        let server = &patient.server;
        planned(patient, "action = \"placeholder\"");
        let before = patient.dump();
        ended(patient, patient.apply(&[]), 0, " repaired");
        server.execute("INSERT INTO a VALUES (9, 16)");
        let referred = patient.dump();
        ended(patient, patient.undo(&[]), 5, "p (id = 16) is referred to by rows that were added since");
        assert_eq!(patient.dump(), referred, "{:?}", patient.kind);
        ended(patient, patient.undo(&["--batch", "1"]), 5, "--skip-changed");
        let is_true = || {
            if patient.kind == Kind::Postgres {
                let validated = "SELECT bool_and(convalidated)::text FROM pg_constraint WHERE conrelid = 'a'::regclass AND contype = 'f'";
                assert_eq!(server.texts(validated), ["true"]);
            }
            assert_eq!(count(patient, "a WHERE r NOT IN (SELECT id FROM p)"), 0, "{:?}", patient.kind);
        };
        is_true();
        let skipped = ended(patient, patient.undo(&["--skip-changed", "--format", "json"]), 6, "");
        assert_eq!(
            report(&skipped)["left"],
            json!({ "total": 1, "reasons": { "referred-to": 1 },
                "rows": [{ "table": "p", "row": { "id": 16 }, "reason": "referred-to", "planned": null, "found": null }] })
        );
        is_true();
        assert_eq!(patient.column("p", "id"), "1,2,16", "{:?}", patient.kind);
        server.execute("DELETE FROM a WHERE id = 9");
        ended(patient, patient.undo(&[]), 0, "");
        assert_eq!(patient.dump(), before, "{:?}", patient.kind);
    });
}

/// A row is restored while another of its parents is missing.
#[test]
fn server_row_without_its_other_parent_is_not_restored() {
    on_each(SEED, |patient| {
        planned(patient, "action = \"quarantine\"");
        ended(patient, patient.apply(&[]), 0, " repaired");
        patient.server.execute("DELETE FROM b WHERE id = 1; DELETE FROM q WHERE id = 1");
        let gone = patient.dump();
        ended(patient, patient.undo(&[]), 5, "b (id = 2) would have no parent in q");
        assert_eq!(patient.dump(), gone, "{:?}", patient.kind);
        let skipped = ended(patient, patient.undo(&["--skip-changed", "--format", "json"]), 6, "");
        assert_eq!(report(&skipped)["left"]["reasons"]["no-parent"].as_u64(), Some(1), "{}", skipped.stdout);
        assert_eq!(patient.column("b", "id"), "3,4", "{:?}", patient.kind);
        assert_eq!(count(patient, "fk_doctor_quarantine"), 1, "{:?}: what keeps the row stays", patient.kind);
        patient.server.execute("INSERT INTO q VALUES (1)");
        ended(patient, patient.undo(&[]), 0, "");
        assert_eq!(patient.column("b", "id"), "2,3,4", "{:?}", patient.kind);
    });
}

#[test]
fn server_skip_changed_leaves_changed_rows() {
    let seed = format!(
        "{SEED}; CREATE TABLE d(id int PRIMARY KEY, b int, FOREIGN KEY (b) REFERENCES b(id) ON DELETE CASCADE)"
    );
    for treatment in ["action = \"delete\"\nkeep = false", "action = \"quarantine\""] {
        for options in [&[][..], &["--batch", "1"]] {
            on_each(&seed, |patient| {
                planned(patient, treatment);
                let before = patient.dump();
                patient.server.execute(
                    "UPDATE b SET note = 'new' WHERE id = 2; INSERT INTO p VALUES (17, 'came'); INSERT INTO d VALUES (1, 4)",
                );
                let changed = patient.dump();
                let refused =
                    ended(patient, patient.apply(options), 5, "b (id = 2) is not as it was when the plan was made");
                assert!(!refused.stderr.states("23503"), "{}", refused.stderr);
                assert_eq!(patient.dump(), changed, "{:?}", patient.kind);
                let skip = [options, &["--skip-changed", "--format", "json"]].concat();
                let left = report(&ended(patient, patient.apply(&skip), 6, ""))["left"].clone();
                let reasons = &left["reasons"];
                assert_eq!(
                    reasons,
                    &json!({ "changed": 1, "found-parent": 1, "referred-to": 1 }),
                    "{:?} {treatment} {options:?}",
                    patient.kind
                );
                assert_eq!(patient.column("b", "id"), "1,2,3,4", "{:?}", patient.kind);
                assert_eq!(count(patient, "d"), 1, "no cascade");
                // The obstacle is removed, and the rest is done. Then another session makes changes.
                patient.server.execute(
                    "DELETE FROM d; DELETE FROM p WHERE id = 17 AND id NOT IN (SELECT r FROM b WHERE r IS NOT NULL)",
                );
                ended(patient, patient.apply(&skip), 6, "");
                assert_eq!(patient.column("b", "id"), "1,2,3", "{:?}", patient.kind);
                patient.server.execute("INSERT INTO b VALUES (4, 1, 1, 'another')");
                ended(patient, patient.undo(options), 5, "b (id = 4) is not as it was");
                ended(patient, patient.undo(&skip), 6, "");
                patient.server.execute("DELETE FROM b WHERE id = 4");
                ended(patient, patient.undo(options), 0, "");
                patient.server.execute("UPDATE b SET note = 'y' WHERE id = 2");
                let loose = if patient.kind == Kind::Postgres {
                    "session_replication_role = replica"
                } else {
                    "foreign_key_checks = 0"
                };
                patient.server.execute(&format!("SET {loose}; DELETE FROM p WHERE id = 17"));
                assert_eq!(patient.dump(), before, "{:?} {treatment} {options:?}", patient.kind);
            });
        }
    }
}

/// A locked row is waited for. It is not skipped as a refused row.
#[test]
fn lock_timeout_is_not_a_skipped_row() {
    on_each(SEED, |patient| {
        planned(patient, "action = \"set-null\"");
        let before = patient.dump();
        patient.server.beside("BEGIN; UPDATE b SET note = 'held' WHERE id = 3");
        let run = patient.apply(&["--skip-changed", "--wait", "1s"]);
        ended(patient, run, 3, "wait longer with --wait");
        assert_eq!(patient.dump(), before, "{:?}", patient.kind);
        // Batches leave the row, and name it.
        let run = patient.apply(&["--skip-changed", "--batch", "1", "--wait", "1s"]);
        ended(patient, run, 6, "1 row was locked by another session");
        assert_eq!(patient.undo(&["--batch", "1"]).code, 0, "{:?}", patient.kind);
        patient.server.beside("COMMIT");
        ended(patient, patient.apply(&["--skip-changed"]), 6, "1 row was changed since");
        assert_eq!(patient.column("b", "r"), "1,null,17,null", "{:?}", patient.kind);
    });
}

#[test]
fn connection_lost_between_batches_reports_committed_changes() {
    on_each(&many(), |patient| {
        planned(patient, "action = \"set-null\"");
        for options in [&["--batch", "10"][..], &["--batch", "10", "--skip-changed"]] {
            let run = std::thread::scope(|scope| {
                let apply = scope.spawn(|| patient.apply(options));
                until(|| blanked(patient) > 0 || apply.is_finished());
                // A connection that is lost during COMMIT is opened again.
                while !apply.is_finished() {
                    end_connections(patient);
                    std::thread::sleep(Duration::from_millis(20));
                }
                apply.join().unwrap()
            });
            let run = ended(patient, run, 3, "committed before stay");
            assert!(!plain(&run).contains("nothing was changed"), "{:?}: {}", patient.kind, run.stderr);
            let made = blanked(patient);
            assert!(made > 0 && made < MANY && made.is_multiple_of(10), "{:?}: {made}", patient.kind);
            let text = common_number(&run.stderr);
            assert_eq!(text, made, "{:?}: {}", patient.kind, run.stderr);
            assert_eq!(status(patient)["state"]["made"]["changes"], json!(made));
            assert_eq!(status(patient)["state"]["left"], json!({}));
            ended(patient, patient.undo(&[]), 0, "");
        }
    });
}

/// Returns the number before "changes committed".
fn common_number(text: &str) -> usize {
    let words: Vec<&str> = text.split_whitespace().collect();
    let place = words.windows(2).position(|two| two == ["changes", "committed"]).unwrap();
    words[place - 1].replace(',', "").parse().unwrap()
}

/// InnoDB does not count its foreign-key actions. A new relation or a new child row therefore refuses the plan.
#[test]
fn cascade_without_a_counter_is_refused() {
    for kind in MYSQL_FAMILY {
        for action in ["SET NULL", "CASCADE"] {
            let seed = format!(
                "{SEED}; CREATE UNIQUE INDEX br ON b(r); \
                 CREATE TABLE known(id int PRIMARY KEY, br int, FOREIGN KEY (br) REFERENCES b(r) ON UPDATE {action} ON DELETE {action}); \
                 CREATE TABLE later(id int PRIMARY KEY, br int); INSERT INTO later VALUES (1, 16)"
            );
            let Some(patient) = Patient::new(kind, &seed) else { continue };
            let server = &patient.server;
            for treatment in [
                "action = \"remap\"\nto = \"SELECT 2 FROM (SELECT 1) AS one WHERE key.r = 16\"\naction = \"report\"",
                "action = \"quarantine\"",
            ] {
                planned(&patient, treatment);
                server.execute(&format!("ALTER TABLE later ADD CONSTRAINT came FOREIGN KEY (br) REFERENCES b(r) ON UPDATE {action} ON DELETE {action}"));
                let came = patient.dump();
                ended(
                    &patient,
                    patient.apply(&[]),
                    5,
                    "definitions of the database differ from those that the plan was made for: see b",
                );
                assert_eq!(patient.dump(), came, "{kind:?} {action}");
                server.execute("ALTER TABLE later DROP FOREIGN KEY came; ALTER TABLE later DROP KEY came");
                // The relation was known; the child row is new.
                server.execute("INSERT INTO known VALUES (1, 16)");
                let referred = patient.dump();
                ended(&patient, patient.apply(&[]), 5, "b (id = 2) is referred to by rows that were added since");
                assert_eq!(patient.dump(), referred, "{kind:?} {action}");
                ended(&patient, patient.apply(&["--skip-changed"]), 6, "referred to by rows that came since");
                assert_eq!(patient.column("known", "br"), "16", "{kind:?} {action}");
                assert_eq!(count(&patient, "b WHERE r = 16"), 1, "{kind:?} {action}");
                ended(&patient, patient.undo(&[]), 0, "");
                assert_eq!(patient.dump(), referred, "{kind:?} {action}");
                server.execute("DELETE FROM known");
            }
        }
    }
}

/// An orphan with all that depends on it is a unit, which is compared whole even if it has more lines than a small set.
#[test]
fn undo_of_a_large_unit_refuses_a_changed_row() {
    let rows: Vec<String> = (2..=100).map(|id| format!("({id}, {})", id - 1)).collect();
    let seed = format!(
        "CREATE TABLE b(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES b(id)); INSERT INTO b VALUES (1, 999), {}",
        rows.join(", ")
    );
    on_each(&seed, |patient| {
        planned(patient, "action = \"quarantine\"");
        let before = patient.dump();
        ended(patient, patient.apply(&[]), 0, " repaired");
        patient.server.execute("INSERT INTO b VALUES (50, NULL)");
        ended(patient, patient.undo(&[]), 5, "are out of date");
        patient.server.execute("DELETE FROM b");
        ended(patient, patient.undo(&[]), 0, "is taken back");
        assert!(patient.dump() == before, "{:?}", patient.kind);
    });
}
