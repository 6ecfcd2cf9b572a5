//! Rows whose planned changes were not made, with the values that they have instead.

use super::SkipReason;
use crate::model::redaction::ShownValue;
use crate::model::text;
use crate::model::value::Value;

/// A row whose planned change was not made.
#[derive(Debug, Clone, PartialEq)]
pub struct SkippedRow<V = ShownValue> {
    pub table: String,
    pub row: Vec<(String, V)>,
    pub why: SkipReason,
    pub now: RowNow<V>,
}

/// A row that differs from the plan, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RowNow<V = ShownValue> {
    /// Nothing is known about it.
    #[default]
    Unknown,
    Gone,
    /// Each column that differs, its planned value and its value now.
    Differs(Vec<(String, V, V)>),
}

/// The number of differing columns that a text names.
const COLUMNS_NAMED: usize = 3;

impl<V: AsRef<Value>> RowNow<V> {
    /// Returns a row with these differences.
    pub fn of(differing: Vec<(String, V, V)>) -> RowNow<V> {
        if differing.is_empty() { RowNow::Unknown } else { RowNow::Differs(differing) }
    }

    /// Returns for example `SourceAirport ' APG', now 'XXX'`.
    pub fn text(&self) -> Option<String> {
        let differing = match self {
            RowNow::Unknown => return None,
            RowNow::Gone => return Some("now gone".to_owned()),
            RowNow::Differs(differing) => differing,
        };
        let named = differing.iter().take(COLUMNS_NAMED).map(|(column, planned, now)| {
            let (planned, now) = (text::value(planned.as_ref()), text::value(now.as_ref()));
            format!("{} {planned}, now {now}", text::visible(column))
        });
        let mut parts: Vec<String> = named.collect();
        let more = differing.len().saturating_sub(COLUMNS_NAMED) as u64;
        parts.extend((more > 0).then(|| format!("and {}", text::plural(more, "more column"))));
        Some(parts.join("; "))
    }
}
