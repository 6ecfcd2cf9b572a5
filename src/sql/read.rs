//! SQL that others wrote, taken apart. Nothing in this folder makes a statement.

pub mod create_table;
pub mod dml;
pub mod forbidden;
pub mod locations;
pub mod statements;
pub mod tokens;
