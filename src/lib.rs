//! Finds every foreign-key relationship of a database and every row that breaks one, and says why.
//!
//! [`scan()`] reads a database and returns an [`Examination`]: a [`Coverage`] for each [`Relation`], and every
//! [`Finding`]. The program of the same name does more, such as repairs; its parts are not a public interface.
//!
//! The rest of this page is the map of the source code.
//!
#![doc = include_str!("ARCHITECTURE.md")]
#![allow(rustdoc::private_intra_doc_links, reason = "the map leads through modules that are private")]

mod apply;
mod check;
mod cli;
mod config;
mod diagnose;
mod discover;
mod engine;
mod engines;
mod examine;
mod exit;
mod explain;
mod findings;
mod history_file;
mod intake;
mod internal_fault;
mod library;
mod model;
mod plan_draft;
mod plan_file;
mod quarantine_file;
mod report;
mod run;
mod scan;
mod source;
mod sql;
mod stored_rows;
mod treat;
mod whole_file;

pub use library::Error;
pub use model::diagnosis::Diagnosis;
pub use model::diagnosis::Evidence;
pub use model::examination::Coverage;
pub use model::examination::CoverageState;
pub use model::examination::Examination;
pub use model::examination::ScanVerdict;
pub use model::finding::Cause;
pub use model::finding::Code;
pub use model::finding::Finding;
pub use model::finding::MissingKey;
pub use model::finding::Severity;
pub use model::relation::Relation;
pub use model::schema::Schema;
pub use model::value::Value;

/// Scans a database for orphans and for defects of its foreign keys, without a configuration. `database` is the path of
/// an SQLite file or the URL of a server. Nothing is written.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.db");
/// # rusqlite::Connection::open(&path)?.execute_batch(
/// #     "PRAGMA foreign_keys = OFF;
/// #      CREATE TABLE users(id INTEGER PRIMARY KEY);
/// #      CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id));
/// #      INSERT INTO posts VALUES (1, 7), (2, 7);",
/// # )?;
/// # let path = path.to_string_lossy();
/// use fk_doctor::Code;
/// use fk_doctor::ScanVerdict;
///
/// let examination = fk_doctor::scan(&path)?;
/// assert_eq!(examination.verdict(), ScanVerdict::Findings);
///
/// let orphans = &examination.findings[0];
/// assert_eq!(orphans.code, Code::Orphan);
/// assert_eq!(orphans.relation_id, "posts(user_id)->users(id)");
/// assert_eq!((orphans.rows, orphans.missing_keys), (2, 1));
/// # Ok(())
/// # }
/// ```
pub fn scan(database: &str) -> Result<Examination, Error> {
    library::scan_database(database)
}

/// The parts that the program, the tests and the benches use. They change without notice.
#[doc(hidden)]
pub mod internals {
    pub mod apply {
        pub use crate::apply::*;
    }
    pub mod check {
        pub use crate::check::*;
    }
    pub mod cli {
        pub use crate::cli::*;
    }
    pub mod config {
        pub use crate::config::*;
    }
    pub mod diagnose {
        pub use crate::diagnose::*;
    }
    pub mod discover {
        pub use crate::discover::*;
    }
    pub mod engine {
        pub use crate::engine::*;
    }
    pub mod engines {
        pub use crate::engines::*;
    }
    pub mod examine {
        pub use crate::examine::*;
    }
    pub mod exit {
        pub use crate::exit::*;
    }
    pub mod explain {
        pub use crate::explain::*;
    }
    pub mod findings {
        pub use crate::findings::*;
    }
    pub mod history_file {
        pub use crate::history_file::*;
    }
    pub mod intake {
        pub use crate::intake::*;
    }
    pub mod internal_fault {
        pub use crate::internal_fault::*;
    }
    pub mod model {
        pub use crate::model::*;
    }
    pub mod plan_draft {
        pub use crate::plan_draft::*;
    }
    pub mod plan_file {
        pub use crate::plan_file::*;
    }
    pub mod quarantine_file {
        pub use crate::quarantine_file::*;
    }
    pub mod report {
        pub use crate::report::*;
    }
    pub mod run {
        pub use crate::run::*;
    }
    pub mod scan {
        pub use crate::scan::*;
    }
    pub mod source {
        pub use crate::source::*;
    }
    pub mod sql {
        pub use crate::sql::*;
    }
    pub mod stored_rows {
        pub use crate::stored_rows::*;
    }
    pub mod treat {
        pub use crate::treat::*;
    }
    pub mod whole_file {
        pub use crate::whole_file::*;
    }
}
