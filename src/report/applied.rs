//! What applying a plan, or taking it back, came to: for a terminal.

use std::path::Path;
use std::path::PathBuf;

use crate::model::catalog::DatabaseName;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::Paper;
use crate::report::layout::Ink;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;

const LABEL: u16 = 9;

/// What was done, and what a scan of the whole database found afterwards.
pub struct Said<'a> {
    pub is_undo: bool,
    pub database: &'a DatabaseName,
    pub typed: &'a str,
    pub plan: &'a Path,
    pub backup: Option<&'a Path>,
    /// Files with rows that went.
    pub kept: &'a [PathBuf],
    pub made: u64,
    pub changed: u64,
    pub deleted: u64,
    pub redefined: u64,
    pub already: u64,
    pub relations: u64,
    pub unchecked: u64,
    pub orphan_rows: u64,
}

impl Said<'_> {
    /// How much changed.
    pub(super) fn total(&self) -> u64 {
        self.made + self.changed + self.deleted + self.redefined
    }
}

pub(super) fn render(said: &Said<'_>, paper: &Paper) -> String {
    let mut sheet = Sheet::new(paper);
    let total = said.total();
    let name = &said.database.name;
    let line = match (total, said.is_undo) {
        (0, false) => format!("the plan is already applied to {name}: nothing was changed"),
        (0, true) => format!("{name} is as it was before the plan: nothing was changed"),
        (_, false) => format!("{name} is repaired"),
        (_, true) => format!("the plan was taken back from {name}"),
    };
    sheet.line(0, vec![Piece::new("✓", Ink::Good), Piece::new(line, Ink::Good)]);
    let mut labelled =
        |label: &str, ink, text: String| sheet.labelled(LABEL, Piece::new(label, ink), Piece::plain(text));
    if total > 0 {
        let part = |number: u64, verb: &str| (number > 0).then(|| format!("{} {verb}", plural(number, "row")));
        let parts = [part(said.made, "made"), part(said.changed, "changed"), part(said.deleted, "deleted")];
        let defined = (said.redefined > 0).then(|| format!("{} changed", plural(said.redefined, "definition")));
        let mut line = parts.into_iter().flatten().chain(defined).collect::<Vec<_>>().join(", ");
        if said.already > 0 {
            line.push_str(&format!("; {} were so already", count(said.already)));
        }
        labelled("changes", Ink::Dim, line);
    }
    if let Some(backup) = said.backup {
        labelled("backup", Ink::Dim, backup.display().to_string());
    }
    for file in said.kept {
        labelled("kept", Ink::Dim, format!("rows that went are in {}", file.display()));
    }
    let checked = plural(said.relations - said.unchecked, "relation");
    let mut scan = if said.orphan_rows == 0 {
        format!("{checked} checked, no orphans")
    } else {
        format!("{checked} checked, {} left", plural(said.orphan_rows, "orphan row"))
    };
    if said.unchecked > 0 {
        scan.push_str(&format!("; {} could not be checked", count(said.unchecked)));
    }
    labelled("scan", if said.orphan_rows == 0 { Ink::Dim } else { Ink::Doubtful }, scan);
    if !said.is_undo {
        labelled("undo", Ink::Dim, format!("fk-doctor undo {} {}", said.typed, said.plan.display()));
    }
    sheet.finish()
}
