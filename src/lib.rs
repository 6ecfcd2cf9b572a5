#![doc = include_str!("ARCHITECTURE.md")]

// In the order in which data flows.
pub mod cli;
pub mod config;
pub mod diagnose;
pub mod engine;
pub mod exit;
pub mod findings;
pub mod model;
pub mod report;
pub mod run;
pub mod scan;
pub mod source;
