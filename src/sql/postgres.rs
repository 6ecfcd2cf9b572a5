//! PostgreSQL's definitions and triggers, and its words for a check and for `explain`.

mod define;
mod prevent;
