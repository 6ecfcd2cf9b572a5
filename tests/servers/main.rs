//! What is promised of servers, held on real ones.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod agreement;
#[path = "../common.rs"]
mod common;
mod connections;
#[path = "../generated.rs"]
mod generated;
mod interrupted_repairs;
mod interruptions;
mod mariadb_differential;
mod mariadb_traps;
mod patient;
mod postgres;
mod postgres_differential;
mod postgres_traps;
mod random_repairs;
mod repair;
mod server;
mod treatments;
