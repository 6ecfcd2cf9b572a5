//! Pure values, and the decisions that follow from them alone.
//!
//! Nothing below this module reads a file, a clock or a database, and no type here is a wire format: reports and
//! plans on disk have their own.

pub mod catalog;
pub mod configured;
pub mod examination;
pub mod finding;
pub mod pattern;
pub mod place;
pub mod plan;
pub mod prospect;
pub mod redaction;
pub mod relation;
pub mod resolve;
pub mod rule;
pub mod schema;
pub mod sql;
pub mod text;
pub mod value;
