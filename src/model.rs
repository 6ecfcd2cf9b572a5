//! Plain values, and the decisions that depend on nothing else.
//!
//! No module here reads a file, a clock or a database. No type here is a wire format: reports and plan files have their
//! own types.

pub mod baseline;
pub mod batch_size;
pub mod catalog;
pub mod change_group;
pub mod check_result;
pub mod choice;
pub mod configured;
pub mod date;
pub mod diagnosis;
pub mod discovery;
pub mod discovery_view;
pub mod examination;
pub mod explanation;
pub mod facts;
pub mod file_line;
pub mod finding;
pub mod finding_group;
pub mod forecast;
pub mod history;
pub mod ids;
pub mod image_match;
pub mod overlay;
pub mod pattern;
pub mod plan;
pub mod policy;
pub mod progress;
pub mod redaction;
pub mod redefinition;
pub mod refusal;
pub mod relation;
pub mod remedy;
pub mod resolve;
pub mod restore;
pub mod row;
pub mod row_group;
pub mod rule;
pub mod scan_run;
pub mod schema;
pub mod state;
pub mod statement;
pub mod text;
pub mod toml_text;
pub mod value;
