//! How long the transactions of an application take beside a repair in batches: `tests/run with cargo bench --bench load`.
//!
//! Prints the 99th percentile of eight clients alone, beside `apply` and beside `undo`, over the transactions of all rounds; how many
//! orphans a second the repair treats meanwhile; and the number of failed transactions. `FK_DOCTOR_ROWS` sets the orphans (50,000),
//! `FK_DOCTOR_BATCH` and `FK_DOCTOR_PAUSE` the options `--batch` (5) and `--pause` (20) in milliseconds, `FK_DOCTOR_ROUNDS` the
//! rounds (3).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may fail loudly")]
#![allow(dead_code, reason = "the servers of the other bench have more than this one needs")]

use std::process::Command;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::MySqlConnection;
use sqlx::PgConnection;

#[path = "../tests/servers/application.rs"]
mod application;
mod measure;
#[path = "../tests/servers/numbers.rs"]
mod numbers;

use application::Load;
use measure::Costs;
use measure::number;

const CLIENTS: usize = 8;

/// The time for which the clients write alone.
const ALONE: Duration = Duration::from_secs(3);

const RULE: &str = "id = \"bench\"\neven-if-parent-lost = true\n[relation]\nchild = \"*\"\n[limits]\nmax-rows = 4_000_000_000\n\
                    max-share = 1.0\n[[treat]]\n";

const TREATMENTS: [(&str, &str); 3] = [
    ("set-null", "action = \"set-null\"\n"),
    ("placeholder", "action = \"placeholder\"\nvalues = { name = \"{key.r}\" }\n"),
    ("quarantine", "action = \"quarantine\"\n"),
];

/// Creates a database, and returns its URL.
fn database(url: &str, rows: usize) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let is_postgres = url.starts_with("postgres");
    let name = "fk_doctor_load";
    let of_it = format!("{url}/{name}");
    let seed = application::seed(is_postgres, rows);
    runtime.block_on(async {
        if is_postgres {
            let mut any = PgConnection::connect(&format!("{url}/postgres")).await.unwrap();
            for verb in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
                sqlx::raw_sql(AssertSqlSafe(format!("{verb} {name}"))).execute(&mut any).await.unwrap();
            }
            let mut client = PgConnection::connect(&of_it).await.unwrap();
            let loose = format!("SET session_replication_role = replica; {seed}");
            sqlx::raw_sql(AssertSqlSafe(loose)).execute(&mut client).await.unwrap();
        } else {
            let mut client = MySqlConnection::connect(url).await.unwrap();
            let anew = format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}; USE {name}");
            let loose = format!("{anew}; SET foreign_key_checks = 0; {seed}");
            sqlx::raw_sql(AssertSqlSafe(loose)).execute(&mut client).await.unwrap();
        }
    });
    of_it
}

fn main() {
    let orphans = number("FK_DOCTOR_ROWS", 50_000);
    let rows = usize::try_from(orphans).unwrap() * 3;
    let batch = format!("{}ms", number("FK_DOCTOR_BATCH", 5));
    let pause = format!("{}ms", number("FK_DOCTOR_PAUSE", 20));
    let options = ["--batch", &batch, "--pause", &pause, "--wait", "60s"];
    let rounds = number("FK_DOCTOR_ROUNDS", 3);
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_fk-doctor"));
        let output = program.args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for name in ["POSTGRES", "MARIADB", "MYSQL"] {
        let Ok(url) = std::env::var(format!("FK_DOCTOR_TEST_{name}")) else { continue };
        for (treatment, rule) in TREATMENTS {
            let mut alone = Load::default();
            let mut repairs = ["apply", "undo"].map(|command| (command, Load::default(), Costs::default()));
            for _ in 0..rounds {
                let url = database(&url, rows);
                let _ = std::fs::remove_file(folder.path().join("plan.ndjson.begun"));
                std::fs::write(folder.path().join("rule.toml"), format!("{RULE}{rule}")).unwrap();
                run(&["repair", &url, "--rules", "rule.toml", "-o", "plan.ndjson", "--overwrite"]);
                let beside = |work: &mut dyn FnMut()| application::beside(&url, CLIENTS, rows, work).1;
                for (command, load, costs) in &mut repairs {
                    alone.add(beside(&mut || std::thread::sleep(ALONE)));
                    let arguments = [&[*command, &url, "plan.ndjson"], &options[..]].concat();
                    load.add(beside(&mut || costs.of(|| run(&arguments))));
                }
            }
            let p99 = |load: &Load| load.p99().as_secs_f64() * 1e3;
            print!("{name:<9} {treatment:<12} p99 alone {:>4.1} ms", p99(&alone));
            for (command, load, costs) in &repairs {
                let rate = (orphans * rounds) as f64 / costs.wall.iter().sum::<f64>() * 1e3;
                print!("   {command} {:>4.1} ms {:>4.1}x {rate:>6.0}/s", p99(load), p99(load) / p99(&alone));
            }
            println!("   failed {}", repairs.iter().map(|(_, load, _)| load.failures.len()).sum::<usize>());
        }
    }
}
