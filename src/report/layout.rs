//! Arranges text for a terminal: paragraphs with hanging indent and grids of aligned columns, within a width, in color or
//! plain. Every text passes through [`visible`] here. comfy-table and textwrap measure the characters and wrap the lines.

use textwrap::core::display_width;

use crate::model::text::plural;
use crate::model::text::visible;
use crate::report::TerminalStyle;

mod tables;
mod wrap;

pub(super) use tables::Columns;
pub(super) use tables::ColumnsRow;
pub(super) use tables::Grid;
use wrap::padded;
pub(super) use wrap::shortened;
pub(super) use wrap::wrapped;

/// The width if the output is not a terminal.
const USUAL: usize = 100;
/// The smallest width. On a narrower terminal lines run over.
const NARROWEST: usize = 40;
/// The width of prose. Only tables are wider.
pub(super) const WIDEST_PROSE: usize = 100;
/// Below this width, a row of a table becomes two lines.
const NARROW: usize = 60;

/// The outcome that the first character of a headline shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    /// Clean or done, and nothing is left.
    Done,
    /// Faults were found, or the command refused.
    Faults,
    /// Done in part, and something is left.
    Partly,
    /// Not everything was checked.
    Unsure,
    /// There was nothing to do.
    Nothing,
}

impl Symbol {
    pub(super) fn text(self, ascii: bool) -> &'static str {
        match (self, ascii) {
            (Symbol::Done, false) => "✓",
            (Symbol::Done, true) => "OK",
            (Symbol::Faults, false) => "✗",
            (Symbol::Faults, true) => "XX",
            (Symbol::Partly, false) => "!",
            (Symbol::Partly, true) => "!!",
            (Symbol::Unsure, false) => "?",
            (Symbol::Unsure, true) => "??",
            (Symbol::Nothing, false) => "○",
            (Symbol::Nothing, true) => "--",
        }
    }

    /// Returns the symbol for a report that is not for a terminal.
    pub(super) fn mark(self) -> &'static str {
        self.text(false)
    }

    fn style(self) -> Style {
        match self {
            Symbol::Done => Style::Good,
            Symbol::Faults => Style::Bad,
            Symbol::Partly | Symbol::Unsure => Style::Doubtful,
            Symbol::Nothing => Style::Strong,
        }
    }
}

/// Collects the lines of a report.
pub(super) struct Sheet {
    width: u16,
    color: bool,
    ascii: bool,
    text: String,
}

/// The meaning of a text. Only this module turns it into colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Strong,
    Dim,
    Bad,
    Doubtful,
    Good,
    /// A command to paste.
    Command,
}

/// A text in one style, without control characters.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    text: String,
    style: Style,
}

impl Piece {
    pub(super) fn new(text: impl AsRef<str>, style: Style) -> Piece {
        Piece { text: visible(text.as_ref()).into_owned(), style }
    }

    pub(super) fn plain(text: impl AsRef<str>) -> Piece {
        Piece::new(text, Style::Plain)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl Sheet {
    pub(super) fn new(terminal: &TerminalStyle) -> Sheet {
        let width = terminal.width.unwrap_or(USUAL).max(NARROWEST);
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        Sheet { width, color: terminal.color, ascii: terminal.ascii, text: String::new() }
    }

    pub(super) fn width(&self) -> usize {
        usize::from(self.width)
    }

    /// True if the width is too small for tables.
    pub(super) fn is_narrow(&self) -> bool {
        self.width() < NARROW
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Adds a headline: a symbol and a sentence.
    pub(super) fn headline(&mut self, symbol: Symbol, sentence: impl AsRef<str>) {
        let mark = symbol.text(self.ascii);
        let indent = display_width(mark) + 1;
        self.paragraph(0, Some((&Piece::new(mark, symbol.style()), indent)), &Piece::new(sentence, symbol.style()));
    }

    /// Adds prose.
    pub(super) fn prose(&mut self, indent: usize, piece: &Piece) {
        self.paragraph(indent, None, piece);
    }

    /// Adds a label and prose beside it. Labels with equal `width` line up.
    pub(super) fn labelled_prose(&mut self, width: usize, label: &str, piece: &Piece) {
        self.paragraph(2, Some((&Piece::new(label, Style::Dim), width + 1)), piece);
    }

    /// Adds a label without an indent, and a name beside it.
    pub(super) fn labelled_line(&mut self, width: usize, label: Piece, piece: &Piece) {
        self.paragraph(0, Some((&label, width)), piece);
    }

    /// Says how many things a list leaves out, such as `and 130 more relations: --format json has all`.
    pub(super) fn left_out(&mut self, indent: usize, number: usize, noun: &str) {
        if number > 0 {
            let more = plural(number as u64, &format!("more {noun}"));
            self.prose(indent, &Piece::new(format!("and {more}: --format json has all"), Style::Dim));
        }
    }

    /// Adds the next commands, ready to paste, at most three. A shell reads each as it stands, so none is wrapped.
    pub(super) fn next(&mut self, commands: &[String]) {
        for (position, command) in commands.iter().take(3).enumerate() {
            let label = if position == 0 { "next: " } else { "      " };
            if position == 0 {
                self.blank();
            }
            self.whole_line(0, &[Piece::new(label, Style::Dim), Piece::new(command, Style::Command)]);
        }
    }

    /// Adds a label, prose, and a command after it. The command is never broken: if it does not fit, it gets a line.
    pub(super) fn labelled_command(&mut self, width: usize, label: &str, text: &str, command: &str) {
        let command = Piece::new(command, Style::Command);
        let indent = width + 3;
        let text = if text.is_empty() { String::new() } else { format!("{text} ") };
        if text.is_empty() || indent + display_width(&text) + display_width(&command.text) <= self.width() {
            let label = Piece::new(padded(label, width + 1), Style::Dim);
            self.whole_line(2, &[label, Piece::plain(text), command]);
        } else {
            self.labelled_prose(width, label, &Piece::plain(text.trim_end()));
            self.whole_line(indent, &[command]);
        }
    }

    /// Adds a line as it stands, such as a command to paste.
    pub(super) fn whole_line(&mut self, indent: usize, pieces: &[Piece]) {
        self.text.push_str(&" ".repeat(indent));
        for piece in pieces {
            let text = self.painted(&piece.text, piece.style);
            self.text.push_str(&text);
        }
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    /// Adds a paragraph after an indent and, on its first line, a label of a given width.
    fn paragraph(&mut self, indent: usize, label: Option<(&Piece, usize)>, piece: &Piece) {
        let label_width = label.map_or(0, |(_, width)| width);
        let width = self.width().min(WIDEST_PROSE).saturating_sub(indent + label_width).max(1);
        for (number, line) in wrapped(&piece.text, width).into_iter().enumerate() {
            self.text.push_str(&" ".repeat(indent));
            let before = match label.filter(|_| number == 0) {
                Some((label, _)) => {
                    let painted = self.painted(&label.text, label.style);
                    self.text.push_str(&painted);
                    label_width.saturating_sub(display_width(&label.text))
                }
                None => label_width,
            };
            self.text.push_str(&" ".repeat(before));
            let painted = self.painted(&line, piece.style);
            self.text.push_str(&painted);
            self.text.truncate(self.text.trim_end_matches(' ').len());
            self.text.push('\n');
        }
    }

    fn painted(&self, text: &str, style: Style) -> String {
        let code = match style {
            _ if !self.color || text.is_empty() => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Strong => "1",
            Style::Dim => "2",
            Style::Bad => "1;31",
            Style::Doubtful => "1;33",
            Style::Good => "1;32",
            Style::Command => "36",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Adds a mark and its subject, on one line if both fit, else below each other.
    pub(super) fn heading(&mut self, mark: Piece, subject: Piece) {
        if display_width(&mark.text) + 1 + display_width(&subject.text) > self.width() {
            self.whole_line(0, &[mark]);
            self.prose(2, &subject);
        } else {
            self.whole_line(0, &[mark, Piece::plain(" "), subject]);
        }
    }

    pub(super) fn finish(self) -> String {
        if !self.ascii {
            return self.text;
        }
        let mut text = String::with_capacity(self.text.len());
        for character in self.text.chars() {
            match character {
                '·' | '–' | '─' => text.push('-'),
                '→' => text.push_str("->"),
                '…' => text.push_str("..."),
                '├' => text.push('+'),
                '└' => text.push('\''),
                '│' => text.push('|'),
                other => text.push(other),
            }
        }
        text
    }
}
