//! What is promised of servers, held on real ones.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod agreement;
#[path = "../common.rs"]
mod common;
mod connections;
mod interruptions;
mod mariadb_differential;
mod mariadb_schema;
mod mariadb_traps;
mod patient;
mod postgres;
mod postgres_differential;
mod postgres_schema;
mod postgres_traps;
mod repair;
mod server;
mod treatments;
