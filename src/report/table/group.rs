//! One group of equal findings in full: what, where, why, and what to do now.

use super::MOST_LISTED;
use super::grade;
use super::key_repair;
use crate::model::diagnosis::Diagnosis;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding_group::FindingGroup;
use crate::model::finding_group::GroupSample;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::Detail;
use crate::report::TerminalStyle;
use crate::report::causes;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::remedies;
use crate::report::wording;

/// The usual number of keys and rows.
const USUAL_SAMPLES: usize = 3;
const LABEL: usize = 7;

/// A group, and how much of it is shown.
struct Block<'a> {
    examination: &'a Examination,
    group: &'a FindingGroup,
    findings: Vec<&'a Finding>,
    samples: usize,
    listed: usize,
}

/// Returns the relation of a group, or the number of its relations and their parent.
pub(in crate::report) fn subject(examination: &Examination, group: &FindingGroup) -> String {
    Block::of(examination, group, &TerminalStyle::default()).subject()
}

/// Returns how many rows of a group of orphans refer to how many missing keys.
pub(in crate::report) fn message(examination: &Examination, group: &FindingGroup) -> String {
    Block::of(examination, group, &TerminalStyle::default()).message()
}

/// Returns the missing keys of a group with most rows; `None` if there is only one row.
pub(in crate::report) fn keys(
    examination: &Examination,
    group: &FindingGroup,
    terminal: &TerminalStyle,
) -> Option<String> {
    Block::of(examination, group, terminal).frequent_keys()
}

pub(in crate::report) fn block(
    sheet: &mut Sheet,
    examination: &Examination,
    group: &FindingGroup,
    terminal: &TerminalStyle,
) {
    let block = Block::of(examination, group, terminal);
    sheet.blank();
    sheet.heading(grade(group.code, group.severity), Piece::new(block.subject(), Style::Strong));
    if group.code.is_orphan() { block.orphans(sheet) } else { block.defects(sheet) }
}

/// Returns the causes of a group of orphans, and notes on how the rows were judged, each with its label.
pub(in crate::report) fn reasons(examination: &Examination, group: &FindingGroup) -> Vec<(&'static str, String)> {
    Block::of(examination, group, &TerminalStyle::default()).reasons()
}

impl<'a> Block<'a> {
    fn of(examination: &'a Examination, group: &'a FindingGroup, terminal: &TerminalStyle) -> Block<'a> {
        let findings: Vec<&Finding> = group.findings(&examination.findings).collect();
        let samples = terminal.samples.unwrap_or(USUAL_SAMPLES);
        let listed = if terminal.detail == Detail::All { findings.len() } else { MOST_LISTED };
        Block { examination, group, findings, samples, listed }
    }

    fn subject(&self) -> String {
        match self.findings.as_slice() {
            [single] => single.relation_id.clone(),
            several => {
                let relations = plural(several.len() as u64, "relation");
                match self.group.parent_key.as_str() {
                    "" => relations,
                    parent => format!("{relations} to {parent}"),
                }
            }
        }
    }

    fn orphans(&self, sheet: &mut Sheet) {
        sheet.prose(2, &Piece::plain(self.message()));
        if self.findings.len() > 1 {
            self.relations(sheet);
        }
        let known: Vec<String> = self.findings.iter().filter_map(|finding| wording::known(finding)).collect();
        if let [first, ..] = known.as_slice() {
            sheet.labelled_prose(LABEL, "known", &Piece::plain(first));
        }
        self.keys(sheet);
        self.rows(sheet);
        for (label, line) in self.reasons() {
            sheet.labelled_prose(LABEL, label, &Piece::plain(line));
        }
        for (position, sentence) in remedies::sentences(self.examination, self.group).iter().enumerate() {
            let label = if position == 0 { "repair" } else { "" };
            match &sentence.command {
                Some(command) => sheet.labelled_command(LABEL, label, &sentence.text, command),
                None => sheet.labelled_prose(LABEL, label, &Piece::plain(&sentence.text)),
            }
        }
    }

    fn message(&self) -> String {
        let FindingGroup { rows, keys, parent, .. } = self.group;
        let verb = if rows.count == 1 { "refers" } else { "refer" };
        let tables = self.tables();
        let whose = match tables.as_slice() {
            [table] => {
                format!("{}{} of {} of {table}", rows.bound(), count(rows.count), plural(self.rows_of_child(), "row"))
            }
            several => format!("{} of {}", rows.of("row"), plural(several.len() as u64, "table")),
        };
        format!("{whose} {verb} to {} that {parent} does not have", keys.of("key"))
    }

    /// Returns the children of the group, each once.
    fn tables(&self) -> Vec<String> {
        let mut tables: Vec<String> = Vec::new();
        for finding in &self.findings {
            let relation = &self.examination.schema.relations[finding.relation];
            let table = self.examination.schema.child(relation).name.to_string();
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        tables
    }

    fn rows_of_child(&self) -> u64 {
        let coverage = |finding: &&Finding| self.examination.relations.get(finding.relation);
        self.findings.iter().filter_map(coverage).map(|coverage| coverage.counts.rows).max().unwrap_or_default()
    }

    /// Lists the relations, each with its rows, and its keys or its only row.
    fn relations(&self, sheet: &mut Sheet) {
        let is_one_table = self.tables().len() == 1;
        let mut rows = Vec::new();
        for finding in self.findings.iter().take(self.listed) {
            let all = self.examination.relations.get(finding.relation).map_or(0, |coverage| coverage.counts.rows);
            let number = match is_one_table {
                true => plural(finding.rows, "row"),
                false => format!("{} of {}", count(finding.rows), plural(all, "row")),
            };
            let mut row = vec![causes::child_side(self.examination, finding), number];
            match finding.samples.as_slice() {
                [only, ..] if finding.rows == 1 => row.extend([text::row(&only.row), text::key(&only.key)]),
                _ => row.push(plural(finding.missing_keys, "key")),
            }
            rows.push(row);
        }
        let more = self.findings.len() - rows.len();
        sheet.aligned(2, rows);
        if more > 0 {
            sheet.prose(2, &Piece::plain(format!("and {} more", count(more as u64))));
        }
    }

    /// Shows the keys with most rows, unless one row says all.
    fn keys(&self, sheet: &mut Sheet) {
        if let Some(keys) = self.frequent_keys().filter(|_| !self.is_listed_by_relation()) {
            sheet.labelled_prose(LABEL, "keys", &Piece::plain(keys));
        }
    }

    /// Returns the keys with most rows; `None` if there is only one row.
    fn frequent_keys(&self) -> Option<String> {
        let FindingGroup { rows, keys, top_missing, .. } = self.group;
        if rows.count < 2 || top_missing.is_empty() {
            return None;
        }
        let shown = top_missing.iter().take(self.samples).enumerate().map(|(position, missing)| {
            let rows = if position == 0 { plural(missing.rows, "row") } else { count(missing.rows) };
            let span = wording::span(missing).map(|span| format!(", {span}")).unwrap_or_default();
            format!("{} ({rows}{span})", text::key(&missing.key))
        });
        let shown: Vec<String> = shown.collect();
        let more = keys.count.saturating_sub(shown.len() as u64);
        Some(and_more(&shown, more))
    }

    /// True if every relation has one row, which its line shows.
    fn is_listed_by_relation(&self) -> bool {
        self.findings.len() > 1 && self.findings.iter().all(|finding| finding.rows == 1)
    }

    fn rows(&self, sheet: &mut Sheet) {
        let samples: Vec<&GroupSample> = self.group.samples.iter().take(self.samples).collect();
        if samples.is_empty() || self.is_listed_by_relation() {
            return;
        }
        let more = self.group.rows.count.saturating_sub(samples.len() as u64);
        let has_one_table = self.tables().len() == 1;
        let column = |sample: &GroupSample| match sample.row.as_slice() {
            [(column, _)] => Some(column.clone()),
            _ => None,
        };
        let names: Vec<Option<String>> = samples.iter().map(|sample| column(sample)).collect();
        let has_several_references = samples.iter().any(|sample| sample.keys.len() > self.width());
        match names.first() {
            Some(Some(column))
                if has_one_table
                    && !has_several_references
                    && names.iter().all(|name| name.as_ref() == Some(column)) =>
            {
                let mut rows: Vec<String> = samples
                    .iter()
                    .map(|sample| sample.row.iter().map(|(_, value)| text::value(value.as_ref())).collect())
                    .collect();
                rows[0] = format!("{} = {}", text::visible(column), rows[0]);
                if let [only] = samples.as_slice()
                    && self.group.rows.count == 1
                {
                    rows[0] = format!("{}  {}", rows[0], self.reference(only));
                }
                sheet.labelled_prose(LABEL, "rows", &Piece::plain(and_more(&rows, more)));
            }
            _ => {
                let lines = samples.iter().map(|sample| {
                    let table =
                        if has_one_table { String::new() } else { format!("{}: ", text::visible(&sample.table)) };
                    vec![format!("{table}{}", text::row(&sample.row)), self.reference(sample)]
                });
                sheet.labelled_rows(LABEL, "rows", lines.collect());
                if more > 0 {
                    sheet.labelled_prose(LABEL, "", &Piece::plain(format!("and {} more", count(more))));
                }
            }
        }
    }

    /// The number of columns of a key.
    fn width(&self) -> usize {
        self.findings
            .first()
            .map_or(1, |finding| self.examination.schema.relations[finding.relation].child_columns.len())
    }

    /// Returns the broken references of a row: the key, or each with its column if there are several.
    fn reference(&self, sample: &GroupSample) -> String {
        if self.findings.len() == 1 {
            let key: Vec<_> = sample.keys.iter().map(|(_, value)| value.clone()).collect();
            return text::key(&key);
        }
        let named = sample
            .keys
            .iter()
            .map(|(column, value)| format!("{} {}", text::visible(column), text::value(value.as_ref())));
        named.collect::<Vec<_>>().join(", ")
    }

    /// Returns the causes, and notes on how the rows were judged.
    fn reasons(&self) -> Vec<(&'static str, String)> {
        let all = causes::causes(self.examination, self.group);
        let with_rows = all.len() > 1;
        let sentence = |diagnosis: &Diagnosis| match with_rows {
            true => format!("{} ({})", diagnosis.sentence(), plural(diagnosis.rows, "row")),
            false => diagnosis.sentence(),
        };
        let mut lines: Vec<(&str, String)> = Vec::new();
        for cause in all.iter().filter_map(|cause| cause.diagnosis.as_ref()) {
            lines.push((if lines.is_empty() { "cause" } else { "" }, sentence(cause)));
        }
        let mut notes: Vec<&str> = self
            .findings
            .iter()
            .filter_map(|finding| self.examination.relations.get(finding.relation)?.reason.as_deref())
            .collect();
        notes.dedup();
        lines.extend(notes.into_iter().take(1).map(|note| ("note", note.to_owned())));
        lines
    }

    fn defects(&self, sheet: &mut Sheet) {
        let Some(first) = self.findings.first() else { return };
        let has_one_message = self.findings.iter().all(|finding| finding.message == first.message);
        if has_one_message {
            sheet.prose(2, &Piece::plain(&first.message));
            if self.findings.len() > 1 {
                let tables = self.tables();
                let more = tables.len().saturating_sub(self.listed) as u64;
                let shown: Vec<String> = tables.into_iter().take(self.listed).collect();
                sheet.labelled_prose(LABEL, "child", &Piece::plain(and_more(&shown, more)));
            }
        } else {
            for finding in self.findings.iter().take(self.listed) {
                sheet.prose(2, &Piece::plain(&finding.relation_id));
                sheet.prose(4, &Piece::plain(&finding.message));
            }
            if self.findings.len() > self.listed {
                let more = count((self.findings.len() - self.listed) as u64);
                sheet.prose(2, &Piece::plain(format!("and {more} more")));
            }
        }
        self.rows(sheet);
        if first.help.is_empty() || key_repair::lines(sheet, LABEL, self.examination, &self.findings) {
            return;
        }
        sheet.labelled_prose(LABEL, "repair", &Piece::plain(&first.help));
        let others = self.findings.iter().filter(|finding| finding.help != first.help).count() as u64;
        if others > 0 {
            let others = plural(others, "other relation");
            sheet.labelled_prose(LABEL, "", &Piece::plain(format!("and in the same way for the {others}")));
        }
    }
}

/// Returns words as a list: `a, b and 3 more`.
fn and_more(shown: &[String], more: u64) -> String {
    match more {
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), count(more)),
    }
}
