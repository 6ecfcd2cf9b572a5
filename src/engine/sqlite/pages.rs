//! Reading SQLite's file format: the keys of a relation, straight from the b-tree pages that hold them.
//!
//! From below: [`source`] gives the pages of one moment, [`page`] the cells of a page, [`record`] the fields of a
//! cell, [`tree`] all pages of a table or an index, [`key`] what a field compares as, [`keyset`] the keys of a
//! parent. [`layout`] asks SQLite where things are. [`judge`] puts it together: which keys can be told this way,
//! what is read in which order within the memory allowed, and which rows are left for SQLite.
//!
//! Nothing here opens a database or takes a lock; nothing here can write.

pub mod fault;
pub mod header;
pub mod judge;
pub mod key;
pub mod keyset;
pub mod layout;
pub mod page;
pub mod reading;
pub mod record;
pub mod source;
pub mod tree;
pub mod wal;

#[cfg(all(test, unix))]
mod tests;
