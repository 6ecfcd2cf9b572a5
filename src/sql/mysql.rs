//! The definitions and triggers of MySQL and MariaDB, and their words for a check and for `explain`.

mod copies;
mod define;
pub(super) mod foresight;
pub(super) mod hidden;
pub(super) mod load;
mod prevent;
pub(super) mod siblings;
