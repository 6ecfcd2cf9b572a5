//! PostgreSQL's definitions and triggers, and its words for a check and for `explain`.

mod define;
pub(super) mod foresight;
pub(super) mod load;
mod prevent;
