//! The changes of a plan, table by table, in words: what would change, what did, and what was taken back.

use std::cmp::Reverse;

use crate::model::forecast::TableChanges;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;

/// The time of the changes, which decides the verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    Planned,
    Done,
    TakenBack,
}

/// The most tables that a line names. If there are more, it names those with most rows.
pub(super) const MOST_TABLES: usize = 20;

/// A kind of change: its label, the preposition before the table, the end of the line, and the number of rows.
type Kind = (&'static str, &'static str, &'static str, fn(&TableChanges) -> u64);

/// Adds a line for each kind of change. `new` are the tables that the plan creates.
pub(super) fn lines(sheet: &mut Sheet, label_width: usize, tables: &[TableChanges], new: &[String], tense: Tense) {
    let kinds: [Kind; 3] = match tense {
        Tense::Planned => [
            ("changes", "of", "", |table| table.changed),
            ("adds", "to", "", |table| table.made),
            ("removes", "of", "", |table| table.deleted),
        ],
        Tense::Done => [
            ("changed", "of", "", |table| table.changed),
            ("added", "to", "", |table| table.made),
            ("removed", "of", "", |table| table.deleted),
        ],
        Tense::TakenBack => [
            ("restored", "of", "", |table| table.changed),
            ("returned", "of", "", |table| table.made),
            ("removed", "of", ", which the plan had added", |table| table.deleted),
        ],
    };
    for (label, preposition, ending, number) in kinds {
        let mut changed: Vec<&TableChanges> = tables.iter().filter(|table| number(table) > 0).collect();
        if changed.len() > MOST_TABLES {
            changed.sort_by_key(|table| Reverse(number(table)));
        }
        let (named, others) = changed.split_at(changed.len().min(MOST_TABLES));
        let of_named = named.iter().map(|table| {
            let is_new = new.contains(&table.table) && tense != Tense::TakenBack;
            let new = if is_new { " (new)" } else { "" };
            format!("{} {preposition} {}{new}", plural(number(table), "row"), table.table)
        });
        let mut of_tables: Vec<String> = of_named.collect();
        if !others.is_empty() {
            let rows = plural(others.iter().map(|table| number(table)).sum(), "row");
            of_tables.push(format!("and {rows} {preposition} {}", plural(others.len() as u64, "more table")));
        }
        if !of_tables.is_empty() {
            sheet.labelled_prose(label_width, label, &Piece::plain(format!("{}{ending}", of_tables.join(", "))));
        }
    }
}

/// Returns the rows of the only table that only was changed, such as `1,200 rows of flights`.
pub(super) fn only_changed(tables: &[TableChanges]) -> Option<String> {
    match tables {
        [TableChanges { table, made: 0, deleted: 0, changed }] => {
            Some(format!("{} of {table}", plural(*changed, "row")))
        }
        _ => None,
    }
}

/// Returns `all 14 orphan rows`, `the only orphan row`.
pub(super) fn all_orphan_rows(rows: u64) -> String {
    match rows {
        1 => "the only orphan row".to_owned(),
        2 => "both orphan rows".to_owned(),
        rows => format!("all {} orphan rows", count(rows)),
    }
}

/// Returns whose foreign keys a plan drops that changes definitions and no row: `the foreign keys of all 3 orphan rows`.
/// `left` of `before` orphan rows keep theirs.
pub(super) fn dropped_keys(before: u64, left: u64) -> String {
    let dropped = before.saturating_sub(left);
    let keys = if dropped == 1 { "the foreign key" } else { "the foreign keys" };
    match left {
        0 => format!("{keys} of {}", all_orphan_rows(before)),
        _ => format!("{keys} of {} of {}", count(dropped), plural(before, "orphan row")),
    }
}
