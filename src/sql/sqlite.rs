//! SQLite's definitions and triggers, and what it needs for a check and for `explain`.

mod define;
pub(super) mod load;
mod prevent;
mod rebuild;
pub(super) mod recorder;
mod version;
