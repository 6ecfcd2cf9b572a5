//! The changes of definitions on SQLite, and its statements for a check and for `explain`.

mod define;
pub(super) mod load;
mod prevent;
mod rebuild;
pub(super) mod recorder;
mod version;
