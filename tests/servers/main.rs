//! What is promised of servers, held on real ones.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "../common.rs"]
mod common;
mod postgres;
mod postgres_differential;
mod postgres_traps;
mod server;
