//! Renders faults as text: file, line and column, the line itself with a caret, help, and a closing count.
//!
//! The file's text goes to a terminal. Therefore every character that controls a terminal, or reorders or hides text,
//! is replaced by one of a letter's width, so that the caret stays under its character.

use std::ops::Range;

use annotate_snippets::AnnotationKind;
use annotate_snippets::Level;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;

use crate::model::configured::Fault;

/// In characters. Of a longer line only the part around the fault is shown.
const WIDEST: usize = 120;

/// The number of characters shown before the fault.
const BEFORE: usize = 40;

/// Renders the faults in the given order. `path` is only shown, never opened.
pub fn render(faults: &[Fault], text: &str, path: &str, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let path = printable(path);
    let starts = line_starts(text);
    let mut shown = String::new();
    for fault in faults {
        let line = Line::of(text, &starts, &fault.span);
        let snippet =
            Snippet::source(line.shown).line_start(line.number).annotation(AnnotationKind::Primary.span(line.span));
        let mut report = Level::ERROR.primary_title(printable(&fault.message)).element(snippet.path(path.as_str()));
        if let Some(help) = &fault.help {
            report = report.element(Level::HELP.message(printable(help)));
        }
        shown.push_str(&renderer.render(&[report]));
        shown.push_str("\n\n");
    }
    let count = match faults.len() {
        1 => "1 fault".to_owned(),
        many => format!("{many} faults"),
    };
    shown.push_str(&format!("{count} in {path}\n"));
    shown
}

/// Returns the number of the line, counted from 1, that contains a byte offset of the text.
pub(crate) fn line_number(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Returns a shortened piece of the text for a message. The renderer replaces unsafe characters.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// A line ready to print, with the span of the fault in the printed text.
struct Line {
    number: usize,
    shown: String,
    span: Range<usize>,
}

impl Line {
    /// A fault over several lines is shown at its first line. A span outside the text is moved into it.
    fn of(text: &str, starts: &[usize], span: &Range<usize>) -> Line {
        let at = text.floor_char_boundary(span.start);
        let number = starts.partition_point(|start| *start <= at);
        let start = starts.get(number.saturating_sub(1)).copied().unwrap_or_default();
        let line = text[start..].split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        // A byte order mark is not part of the first line.
        let (start, line) = line.strip_prefix('\u{feff}').map_or((start, line), |rest| (start + BOM, rest));

        let from = line.floor_char_boundary(at.saturating_sub(start));
        let to = line.floor_char_boundary(span.end.saturating_sub(start)).max(from);
        let before = window_before(&line[..from]);
        let mut left = WIDEST.saturating_sub(before.chars().count());
        let marked = window_after(&line[from..to], left);
        left = left.saturating_sub(marked.chars().count());
        let after = window_after(&line[to..], if marked.len() < to - from { 0 } else { left });

        let mut shown = String::new();
        shown.push_str(if before.len() < from { "…" } else { "" });
        shown.push_str(&printable(before));
        let span_start = shown.len();
        shown.push_str(&printable(marked));
        let span = span_start..shown.len();
        shown.push_str(&printable(after));
        shown.push_str(if from + marked.len() + after.len() < line.len() { "…" } else { "" });
        Line { number, shown, span }
    }
}

const BOM: usize = '\u{feff}'.len_utf8();

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// Returns the last `BEFORE` characters of a text.
fn window_before(text: &str) -> &str {
    match text.char_indices().rev().nth(BEFORE - 1) {
        Some((start, _)) => &text[start..],
        None => text,
    }
}

/// Returns the first `length` characters of a text.
fn window_after(text: &str, length: usize) -> &str {
    match text.char_indices().nth(length) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Replaces every character that is unsafe on a terminal.
fn printable(text: &str) -> String {
    text.chars().map(printable_character).collect()
}

fn printable_character(character: char) -> char {
    match character {
        '\t' => ' ',
        // Unicode has a picture for each control character, in the same order.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        // Soft hyphen, direction marks and overrides, zero width, line separators, fillers, interlinear marks, tags and
        // variation selectors. All are invisible and change how other text appears.
        '\u{ad}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}
