//! Tests on real servers.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly, and say what it saw")]
#![allow(clippy::too_many_lines, reason = "a test tells its story in one piece")]

mod agreement;
mod application;
#[path = "../case.rs"]
mod case;
#[path = "../case_run.rs"]
mod case_run;
mod cases;
mod check;
#[path = "../common.rs"]
mod common;
mod connections;
mod discover;
mod endless_rules;
mod explain;
mod explain_differential;
#[path = "../generated.rs"]
mod generated;
mod interference;
mod interrupted_repairs;
mod interruptions;
#[path = "../judge.rs"]
mod judge;
mod load;
mod many_rows;
mod mariadb_differential;
mod mariadb_traps;
#[path = "../meddling.rs"]
mod meddling;
mod mysql_schema;
mod name_clashes;
#[path = "../names.rs"]
mod names;
mod numbers;
mod odd_types;
mod patient;
#[path = "../plan_lines.rs"]
mod plan_lines;
mod planning;
mod postgres;
mod postgres_differential;
mod postgres_schema;
mod postgres_traps;
mod privileges;
mod random_repairs;
mod read_only;
mod recorded;
mod remote;
mod repair;
mod replicas;
mod repoint;
mod restore;
mod server;
mod sets;
mod treatments;
mod unrehearsed;
