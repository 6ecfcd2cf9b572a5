//! The definitions and triggers of MySQL and MariaDB, and their words for a check and for `explain`.

pub(super) mod copies;
mod define;
pub(super) mod hidden;
mod prevent;
pub(super) mod variant;
