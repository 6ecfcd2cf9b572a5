//! Repairs of servers that are interrupted or disturbed. Only whole batches are committed, the repeated command
//! completes the work, and undo restores every value. `FK_DOCTOR_MOMENTS` sets the number of random interruptions of
//! each.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use fastrand::Rng;

use super::common::Run;
use super::patient::KINDS;
use super::patient::Kind;
use super::patient::Patient;
use super::patient::rule;
use super::plan_lines;

const BATCH: usize = 7;

/// Key 2 is changed to 1, key 3 gets a parent, and the rows with key 4 are deleted with their dependants.
fn patient(kind: Kind) -> Option<Patient> {
    let rows = |of: &dyn Fn(u32) -> String| (1..=30).map(of).collect::<Vec<_>>().join(", ");
    let patient = Patient::new(
        kind,
        &format!(
            "CREATE TABLE p(id int PRIMARY KEY, name varchar(20) UNIQUE); \
             CREATE TABLE c(id int PRIMARY KEY, r int, pad varchar(200), FOREIGN KEY (r) REFERENCES p(id) ON DELETE CASCADE); \
             CREATE TABLE d(id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES c(id) ON DELETE CASCADE); \
             CREATE TABLE heavy(id int PRIMARY KEY); \
             INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES {}; INSERT INTO d VALUES {}",
            rows(&|i| format!("({i}, {}, 'pad')", i % 4 + 1)),
            rows(&|i| format!("({i}, {i})")),
        ),
    )?;
    patient.rules(&rule(
        "c(r)",
        "action = \"remap\"\nto = \"SELECT id FROM p WHERE key.r = 2\"\nrecord = \"kept\"\n\
         action = \"placeholder\"\nvalues = { name = { sql = \"CASE WHEN key.r = 3 THEN 'three' ELSE 'a' END\" } }\n\
         action = \"quarantine\"",
    ));
    Some(patient)
}

/// Returns the number of the plan's changes that are present in the database.
fn changes_made(patient: &Patient) -> usize {
    let count = |expression: &str| {
        let of = if patient.kind == Kind::Postgres { "text" } else { "char(20)" };
        let asked = patient.server.attempt(&format!("SELECT {expression}"));
        let answer =
            asked.ok().and_then(|()| patient.server.texts(&format!("SELECT CAST(({expression}) AS {of})")).pop());
        answer.map_or(0, |text| text.parse::<usize>().unwrap())
    };
    count("(SELECT count(*) FROM p WHERE id = 3)")
        + count("(SELECT count(*) FROM kept)")
        + count("(SELECT count(*) FROM fk_doctor_quarantine)")
        + count("(SELECT count(*) FROM c WHERE r = 1 AND id % 4 = 1)")
        + count("(SELECT 30 - count(*) FROM c)")
        + count("(SELECT 30 - count(*) FROM d)")
}

/// Returns the numbers of changes after each batch. A batch ends when it is full, and never inside a unit.
fn batch_ends(patient: &Patient, is_undo: bool) -> Vec<usize> {
    let changes = plan_lines::changes(&patient.server.bench.path("plan.ndjson"));
    let mut units: Vec<Option<u64>> = changes.iter().map(|line| line["unit"].as_u64()).collect();
    if is_undo {
        units.reverse();
    }
    let (mut ends, mut in_batch) = (vec![0], 0);
    for place in 0..units.len() {
        in_batch += 1;
        let is_inside = units[place].is_some() && units.get(place + 1) == Some(&units[place]);
        if (in_batch >= BATCH && !is_inside) || place + 1 == units.len() {
            ends.push(place + 1);
            in_batch = 0;
        }
    }
    ends
}

fn arguments(patient: &Patient, command: &str) -> Vec<String> {
    let url = patient.server.url();
    [command, &url, "plan.ndjson", "--batch", &BATCH.to_string()].map(str::to_owned).to_vec()
}

fn run(patient: &Patient, command: &str) -> Run {
    let arguments = arguments(patient, command);
    patient.server.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Ends every connection of the program.
pub(super) fn end_connections(patient: &Patient) {
    match patient.kind {
        Kind::Postgres => {
            patient.server.texts(
                "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'fk-doctor'",
            );
        }
        Kind::Mariadb | Kind::Mysql => {
            let others = "SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()";
            for id in patient.server.texts(others) {
                let _ = patient.server.attempt(&format!("KILL {id}"));
            }
        }
    }
}

/// Interrupts a run after a while: ends its connections, or kills it.
fn cut_off(patient: &Patient, command: &str, after: Duration, by_its_life: bool) {
    let mut program = patient.server.bench.start(&arguments(patient, command));
    std::thread::sleep(after);
    if by_its_life {
        let _ = program.kill();
    } else {
        end_connections(patient);
    }
    program.wait().unwrap();
}

#[test]
fn repair_cut_off_at_any_moment_resumes_to_the_same_result() {
    let moments: usize = std::env::var("FK_DOCTOR_MOMENTS").map_or(6, |moments| moments.parse().unwrap());
    for kind in KINDS {
        let Some(patient) = patient(kind) else { continue };
        let before = patient.dump();
        patient.planned();
        let total = plan_lines::changes(&patient.server.bench.path("plan.ndjson")).len();
        let start = Instant::now();
        let applied = run(&patient, "apply");
        assert_eq!(applied.code, 0, "{kind:?}: {}", applied.stderr);
        let whole = start.elapsed();
        let after = patient.dump();
        assert_eq!(changes_made(&patient), total, "{kind:?}");
        assert_eq!(run(&patient, "undo").code, 0);
        let mut random = Rng::with_seed(5);
        let mut halfway = 0;
        for moment in 0..moments {
            for (command, end) in [("apply", &after), ("undo", &before)] {
                let context = format!("{kind:?} {command} {moment}");
                cut_off(&patient, command, whole.mul_f64(random.f64()), random.bool());
                let made = changes_made(&patient);
                let done = if command == "apply" { made } else { total - made };
                let ends = batch_ends(&patient, command == "undo");
                assert!(ends.contains(&done), "{context}: {done} of {total} changes, and batches end at {ends:?}");
                halfway += usize::from(done > 0 && done < total);
                let again = run(&patient, command);
                assert_eq!(again.code, 0, "{context}: {}{}", again.stdout, again.stderr);
                assert_eq!(patient.dump(), **end, "{context}");
            }
        }
        println!("{kind:?}: {} moments, {halfway} of them between two batches", 2 * moments);
    }
}

/// The fate of the COMMIT at which a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The server gets it, but the answer is lost.
    Answer,
    /// The server does not get it.
    Commit,
    /// The server gets neither it nor the end of the connection.
    Silently,
    /// No data passes any more, and the connection stays open. The server may have got it.
    HangBefore,
    HangAfter,
}

/// A proxy between the program and its server, which cuts the connection at the COMMIT with this number. Returns its
/// port.
pub(super) fn proxy(server: String, cut: Cut, at: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let commits = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (server, commits) = (TcpStream::connect(&server).unwrap(), Arc::clone(&commits));
            std::thread::spawn(move || forward(client, server, cut, at, &commits));
        }
    });
    port
}

fn forward(mut client: TcpStream, mut server: TcpStream, cut: Cut, at: usize, commits: &AtomicUsize) {
    for side in [&client, &server] {
        side.set_nodelay(true).unwrap();
    }
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let muted = Arc::new(AtomicUsize::new(0));
    let is_muted = Arc::clone(&muted);
    let answering = std::thread::spawn(move || {
        let mut bytes = [0; 65536];
        while let Ok(count @ 1..) = answers.read(&mut bytes) {
            while is_muted.load(Ordering::SeqCst) == 2 {
                std::thread::park();
            }
            if is_muted.load(Ordering::SeqCst) == 1 || back.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 65536];
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        let sent = &bytes[..count];
        let is_commit = sent.windows(7).any(|seven| seven == b"COMMIT\0") || sent.ends_with(b"COMMIT");
        if is_commit && commits.fetch_add(1, Ordering::SeqCst) + 1 == at {
            match cut {
                Cut::Answer => {
                    muted.store(1, Ordering::SeqCst);
                    server.write_all(sent).unwrap();
                    let _ = answering.join();
                }
                Cut::Commit => {}
                Cut::HangBefore => loop {
                    std::thread::park();
                },
                Cut::HangAfter => {
                    muted.store(2, Ordering::SeqCst);
                    server.write_all(sent).unwrap();
                    loop {
                        std::thread::park();
                    }
                }
                Cut::Silently => {
                    let _ = client.shutdown(Shutdown::Both);
                    // The server's side stays open while the test runs.
                    std::mem::forget(server);
                    return;
                }
            }
            let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            return;
        }
        if server.write_all(sent).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

#[test]
fn commit_without_answer_is_decided_from_the_rows() {
    for kind in KINDS {
        let Some(patient) = patient(kind) else { continue };
        patient.planned();
        let (server, before) = (patient.server.address.rsplit('@').next().unwrap().to_owned(), patient.dump());
        for (cut, at, batch) in [
            (Cut::Answer, 1, None),
            (Cut::Commit, 1, None),
            (Cut::Silently, 1, None),
            (Cut::Answer, 2, Some("7")),
            (Cut::Silently, 2, Some("7")),
        ] {
            // PostgreSQL's definitions are read in a separate transaction. On the others, each of the two tables of the
            // plan is recorded in a transaction.
            let earlier = if kind == Kind::Postgres { 1 } else { 2 };
            // Before the first batch, the comparison of the rows ends with a commit.
            let earlier = earlier + usize::from(batch.is_some());
            let port = proxy(server.clone(), cut, at + earlier);
            let plainly = if kind == Kind::Postgres { "sslmode=disable" } else { "ssl-mode=DISABLED" };
            let url = patient.server.url().replace(&server, &format!("127.0.0.1:{port}"));
            let url = format!("{url}?{plainly}");
            let mut arguments = vec!["apply", &url, "plan.ndjson", "--wait", "20s"];
            arguments.extend(batch.iter().flat_map(|batch| ["--batch", batch]));
            let run = patient.server.run(&arguments);
            let context = format!("{kind:?} {cut:?} {batch:?}: {}{}", run.stdout, run.stderr);
            if cut == Cut::Answer {
                assert_eq!(run.code, 0, "{context}");
            } else {
                assert_eq!(run.code, 3, "{context}");
                assert!(run.stderr.contains("the connection was lost before the commit"), "{context}");
                let first = batch_ends(&patient, false)[1];
                assert_eq!(changes_made(&patient), if batch.is_some() { first } else { 0 }, "{context}");
                assert_eq!(patient.apply(&[]).code, 0, "{context}");
            }
            patient.take_back(&before);
        }
    }
}

/// Two transactions wait for each other, the server aborts the repair, and the repair is retried.
#[test]
fn deadlock_victim_is_retried_whole() {
    for kind in KINDS {
        let Some(patient) = patient(kind) else { continue };
        patient.planned();
        let server = &patient.server;
        let (first, then, deadlocks) = match kind {
            // The repair locks the child, then the parent. It waits longest, so it is the deadlock victim.
            Kind::Postgres => (
                "BEGIN; UPDATE p SET name = 'a' WHERE id = 1",
                "UPDATE c SET pad = 'pad' WHERE id = 1",
                "SELECT deadlocks::text FROM pg_stat_database WHERE datname = current_database()",
            ),
            // The repair has read row 1 of the plan when it reaches row 29. It has changed nothing yet, so it is the deadlock
            // victim.
            Kind::Mariadb | Kind::Mysql => (
                "BEGIN; INSERT INTO heavy WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
                 SELECT i FROM n; SELECT id FROM c WHERE id = 29 FOR UPDATE",
                "SELECT id FROM c WHERE id = 1 FOR UPDATE",
                if kind == Kind::Mysql {
                    "SELECT CAST(count AS CHAR) FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'"
                } else {
                    "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_deadlocks'"
                },
            ),
        };
        let count = || server.texts(deadlocks)[0].parse::<u64>().unwrap();
        let before = count();
        server.beside(first);
        std::thread::scope(|scope| {
            let apply = scope.spawn(|| patient.apply(&["--wait", "60s"]));
            patient.until_it_waits(&apply);
            server.beside(then);
            server.beside("COMMIT");
            let run = apply.join().unwrap();
            assert_eq!(run.code, 0, "{kind:?}: {}", run.stderr);
        });
        assert!(count() > before, "{kind:?}: there was a deadlock");
        assert_eq!(patient.orphans(), 0, "{kind:?}");
    }
}
