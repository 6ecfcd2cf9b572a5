#![doc = include_str!("ARCHITECTURE.md")]

// In the order in which data flows.
pub mod apply;
pub mod caught;
pub mod check;
pub mod cli;
pub mod config;
pub mod diagnose;
pub mod engine;
pub mod examine;
pub mod exit;
pub mod explain;
pub mod findings;
pub mod history_file;
pub mod intake;
pub mod model;
pub mod plan_draft;
pub mod plan_file;
pub mod quarantine_file;
pub mod report;
pub mod run;
pub mod scan;
pub mod source;
pub mod sql;
pub mod stored_rows;
pub mod treat;
pub mod whole_file;
