//! Reads SQL that people or other programs wrote. Nothing in this folder builds a statement.

pub mod create_table;
pub mod dml;
pub mod forbidden;
pub mod locations;
pub mod statements;
pub mod stored_definition;
pub mod tokens;
