//! The texts of the guided repair: the steps, and each group of findings as a question shows it.

use crate::model::examination::Examination;
use crate::model::finding_group::FindingGroup;
use crate::report::Detail;
use crate::report::TerminalStyle;
use crate::report::causes;
use crate::report::headline::Headline;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::table;

/// The width of the labels below the result of a repair, as in the report of that.
const LABEL: usize = 10;

/// Returns the verdict and the causes of a scan. The guided repair goes on by itself, so no next command follows.
pub(super) fn scan(examination: &Examination, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let style = TerminalStyle { detail: Detail::Brief, ..*terminal };
    table::body(&mut sheet, examination, &Headline::of(examination), &style);
    sheet.finish()
}

/// Returns the title of the step in which a person chooses, and beside or below it the keys that go back and leave.
pub(super) fn choosing(title: &str, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let keys = Piece::new("esc back · ctrl-c quit", Style::Dim);
    sheet.blank();
    if title.chars().count() + 4 + "esc back · ctrl-c quit".chars().count() <= sheet.width() {
        sheet.whole_line(0, &[Piece::new(title, Style::Strong), Piece::plain("    "), keys]);
    } else {
        sheet.whole_line(0, &[Piece::new(title, Style::Strong)]);
        sheet.whole_line(2, &[keys]);
    }
    sheet.finish()
}

/// Returns the title of a step, and beside or below it the command that it runs.
pub(super) fn step(title: &str, words: &[String], terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let command = format!("$ fk-doctor {}", words.join(" "));
    sheet.blank();
    if title.chars().count() + 4 + command.chars().count() <= sheet.width() {
        sheet.whole_line(
            0,
            &[Piece::new(title, Style::Strong), Piece::plain("    "), Piece::new(command, Style::Command)],
        );
    } else {
        sheet.whole_line(0, &[Piece::new(title, Style::Strong)]);
        for line in continued(&command, sheet.width().saturating_sub(2)) {
            sheet.whole_line(2, &[Piece::new(line, Style::Command)]);
        }
    }
    sheet.finish()
}

/// Breaks a command before options, so that a shell still reads it as one.
fn continued(command: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in command.split_inclusive(' ') {
        let is_option = part.starts_with('-') || part.starts_with('>');
        let last = lines.len() - 1;
        if is_option && lines[last].chars().count() + part.chars().count() + 30 > width {
            lines[last].push('\\');
            lines.push("    ".to_owned());
        }
        let last = lines.len() - 1;
        lines[last].push_str(part);
    }
    lines
}

/// Returns a group in two or three lines: what is wrong, and why.
pub(super) fn group(examination: &Examination, group: &FindingGroup, title: &str, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let indent = title.chars().count() + 2;
    let mut lines = Vec::new();
    let mut command = None;
    if group.code.is_orphan() {
        lines.push(table::message(examination, group));
        lines.extend(table::keys(examination, group, terminal));
        let sentences = causes::causes(examination, group).into_iter().filter_map(|cause| cause.diagnosis);
        lines.extend(sentences.map(|diagnosis| diagnosis.sentence()));
    } else {
        let words = causes::words(group.code);
        lines.push(format!("{}: {words}", table::subject(examination, group)));
        let code = group.code.name();
        command = Some(format!("fk-doctor code {code}"));
    }
    sheet.blank();
    for (position, line) in lines.iter().enumerate() {
        let label = if position == 0 { title } else { "" };
        sheet.labelled_line(indent, Piece::new(label, Style::Strong), &Piece::plain(line));
    }
    if let Some(command) = command {
        let text = "No row is at fault, so fix changes nothing here. See:";
        // The width of a label does not contain the margin of labels.
        sheet.labelled_command(indent.saturating_sub(3), "", text, &command);
    }
    sheet.finish()
}

/// Returns a line below a group, such as the choices that are not offered.
pub(super) fn remark(text: &str, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    sheet.prose(2, &Piece::plain(text));
    sheet.finish()
}

/// Returns a line below the result of a repair: a label, a text, and the command for it.
pub(super) fn afterwards(label: &str, text: &str, command: &str, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    sheet.labelled_command(LABEL, label, text, command);
    sheet.finish()
}

/// Returns the whole block of a group, with more rows than a scan shows.
pub(super) fn rows(examination: &Examination, group: &FindingGroup, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let style = TerminalStyle { detail: Detail::All, samples: Some(usize::MAX), ..*terminal };
    table::block(&mut sheet, examination, group, &style);
    sheet.finish()
}
