//! The question to the storage if the keys of a child have parents, and its answer.

use super::OrphanList;
use crate::model::examination::Counts;
use crate::model::examination::Method;
use crate::model::examination::RepeatedKeys;
use crate::model::ids::TableId;
use crate::model::progress::Progress;
use crate::model::value::Key;
use crate::sql::Sql;

/// A query if every complete key of one table is among the keys of another. Tables, columns and the index for lookups
/// are given by their positions in the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Inclusion {
    pub child: TableId,
    pub child_columns: Vec<usize>,
    pub parent: TableId,
    pub parent_columns: Vec<usize>,
    pub key: Option<usize>,
    /// The query for the addresses of the child's rows that are in scope; `None` if all are.
    pub rows_in_scope: Option<Sql>,
    /// The query for the addresses of parents that are soft-deleted.
    pub deleted_parents: Option<Sql>,
    /// Keys that refer to no parent.
    pub ignored: Vec<Key>,
}

/// The answer of the storage to one inclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageAnswer {
    Judged(StorageReading),
    /// The storage gives no certain answer. `why` is `None` if the engine never reads storage.
    AskSql {
        why: Option<String>,
    },
    /// Neither the storage nor SQL can judge the inclusion.
    Unjudged {
        why: String,
    },
    TimeLimit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageReading {
    pub method: Method,
    pub counts: Counts,
    /// Orphans that need no second opinion. They are no suspects.
    pub orphans: OrphanList,
    pub suspects: Suspects,
    /// True if the index for parent lookups contains exactly the parent's keys.
    pub index_is_proven: bool,
    /// The parent's keys that come more than once, if nothing else keeps them unique.
    pub repeated_keys: Option<Box<RepeatedKeys>>,
    /// A note for the report about the rows that were read: `child.r is absent in 1 of 3 files, and NULL in their rows`.
    pub note: Option<Box<str>>,
}

/// Rows whose parent was not found and that are not proven to be orphans. The engine must judge them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspects {
    /// The addresses of these rows, in ascending order.
    Rows(Vec<i64>),
    /// There are too many rows to list, or the rows have no address.
    Many,
}

/// The resource limits of reading the storage, and its progress callback.
pub struct StorageReadOptions<'a> {
    /// The memory for the keys of parents, in bytes.
    pub memory: u64,
    pub threads: usize,
    /// Called with the pages read and the pages to read.
    pub progress: Progress<'a>,
}
