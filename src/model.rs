//! Pure values, and the decisions that follow from them alone.
//!
//! Nothing below this module reads a file, a clock or a database, and no type here is a wire format: reports and
//! plans on disk have their own.

pub mod baseline;
pub mod bounds;
pub mod catalog;
pub mod checked;
pub mod complaint;
pub mod configured;
pub mod create_table;
pub mod date;
pub mod dml;
pub mod examination;
pub mod explanation;
pub mod finding;
pub mod history;
pub mod pattern;
pub mod place;
pub mod plan;
pub mod planned;
pub mod policy;
pub mod prospect;
pub mod redaction;
pub mod redefinition;
pub mod refusal;
pub mod relation;
pub mod resolve;
pub mod rule;
pub mod schema;
pub mod sql;
pub mod state;
pub mod statement;
pub mod text;
pub mod tokens;
pub mod value;
