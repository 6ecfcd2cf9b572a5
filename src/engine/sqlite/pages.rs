//! Reads the keys of a relation directly from the b-tree pages of an SQLite file.
//!
//! The modules, from the bottom up: [`source`] reads the pages of one snapshot. [`page`] splits a page into cells and
//! [`record`] a cell into fields. [`tree`] walks all pages of a table or an index. [`key`] turns fields into comparable
//! keys, and `engine/keyset` holds the keys of a parent. [`layout`] asks SQLite for root pages and field numbers. [`judge`]
//! combines them: it decides which relations the pages can answer, keeps to the memory limit, and lists the rows that
//! SQLite must judge. [`column`] reads all values of one column, [`rows`] several columns of many tables, and [`rowids`] looks
//! single rows up.
//!
//! No module here opens a database, takes a lock or writes.

mod blocks;
pub mod column;
mod digest;
pub mod fault;
pub mod header;
pub mod judge;
pub mod key;
pub mod layout;
pub mod page;
pub mod reading;
pub mod record;
pub mod rowids;
pub mod rows;
pub mod source;
pub mod tree;
pub mod wal;

#[cfg(all(test, unix))]
mod tests;
