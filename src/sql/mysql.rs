//! The changes of definitions on MySQL and MariaDB, and the differences between the two servers.

pub(super) mod copies;
mod define;
pub(super) mod hidden;
mod prevent;
pub(super) mod variant;
