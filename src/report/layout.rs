//! Arranges text for a terminal: paragraphs with hanging indent and grids of aligned columns, within a width, in color or
//! plain. Every text passes through [`visible`] here. comfy-table and textwrap measure the characters and wrap the lines.

use comfy_table::Attribute;
use comfy_table::Cell;
use comfy_table::CellAlignment;
use comfy_table::Color;
use comfy_table::ColumnConstraint;
use comfy_table::ContentArrangement;
use comfy_table::Table;
use comfy_table::TableStyle;
use comfy_table::Width;
use comfy_table::presets;
use textwrap::core::display_width;

use crate::model::text::visible;
use crate::report::TerminalStyle;

mod wrap;

use wrap::padded;
pub(super) use wrap::shortened;
use wrap::wrapped;

/// The width if the output is not a terminal.
const USUAL: usize = 100;
/// The smallest width. On a narrower terminal lines run over.
const NARROWEST: usize = 40;
/// The width of prose. Only tables are wider.
const WIDEST_PROSE: usize = 100;
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

/// A table whose first column holds names or prose.
pub(super) struct Columns<'a> {
    pub(super) header: &'a [&'a str],
    /// The columns of numbers, which are aligned to the right. The first column has no position.
    pub(super) numbers: &'a [usize],
    pub(super) rows: Vec<ColumnsRow>,
}

pub(super) struct ColumnsRow {
    pub(super) name: Piece,
    pub(super) facts: Vec<Piece>,
}

/// Rows of pieces in aligned columns.
pub(super) struct Grid {
    pub(super) indent: u16,
    /// The columns of numbers, which are aligned to the right.
    pub(super) numbers: &'static [usize],
    /// The minimum width of the first column, so that consecutive grids line up.
    pub(super) first: Option<u16>,
    /// The titles above a rule. An empty list means no titles.
    pub(super) header: &'static [&'static str],
    pub(super) rows: Vec<Vec<Piece>>,
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

    /// Adds lines of texts in columns, if the columns fit; else each line as prose.
    pub(super) fn aligned(&mut self, indent: usize, rows: Vec<Vec<String>>) {
        self.aligned_after(indent, None, rows);
    }

    /// Adds a label and, beside it, lines of texts in columns.
    pub(super) fn labelled_rows(&mut self, width: usize, label: &str, rows: Vec<Vec<String>>) {
        self.aligned_after(2, Some((label, width + 1)), rows);
    }

    fn aligned_after(&mut self, indent: usize, label: Option<(&str, usize)>, rows: Vec<Vec<String>>) {
        let rows: Vec<Vec<String>> =
            rows.into_iter().map(|row| row.iter().map(|cell| visible(cell).into_owned()).collect()).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width_of =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| display_width(cell)).max();
        let widths: Vec<usize> = (0..columns).map(|column| width_of(column).unwrap_or(0)).collect();
        let label_width = label.map_or(0, |(_, width)| width);
        let fits = indent + label_width + widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1) <= self.width();
        for (number, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(&widths);
            let line = match fits {
                true => cells.map(|(cell, width)| padded(cell, *width)).collect::<Vec<_>>().join("  "),
                false => row.join("  "),
            };
            let name = label.map(|(label, _)| label).filter(|_| number == 0).unwrap_or_default();
            if fits {
                let name = Piece::new(padded(name, label_width), Style::Dim);
                self.whole_line(indent, &[name, Piece::plain(line)]);
            } else {
                self.paragraph(indent, Some((&Piece::new(name, Style::Dim), label_width)), &Piece::plain(line));
            }
        }
    }

    /// Adds a label without an indent, and a name beside it.
    pub(super) fn labelled_line(&mut self, width: usize, label: Piece, piece: &Piece) {
        self.paragraph(0, Some((&label, width)), piece);
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

    /// Adds a table whose first column takes the room that the others leave. Its texts wrap between words; a name that is
    /// too long is cut. Other columns keep their width. On a narrow terminal each row becomes a line and indented facts.
    pub(super) fn table(&mut self, table: &Columns<'_>) {
        let others = table.rows.iter().map(|row| &row.facts[..]);
        let widths: Vec<usize> = (0..table.header.len() - 1)
            .map(|column| {
                let cells = others.clone().filter_map(|facts| facts.get(column));
                cells
                    .map(|cell| display_width(&cell.text))
                    .chain([display_width(table.header[column + 1])])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let taken: usize = widths.iter().map(|width| width + 2).sum();
        let longest = table.rows.iter().map(|row| display_width(&row.name.text)).max().unwrap_or(0);
        let first = self.width().saturating_sub(2 + taken).min(longest.max(display_width(table.header[0])));
        let aligned = |column: usize, text: &str| {
            let padding = " ".repeat(widths[column].saturating_sub(display_width(text)));
            if table.numbers.contains(&column) { format!("{padding}{text}") } else { format!("{text}{padding}") }
        };
        let mut titles = vec![Piece::new(padded(table.header[0], first), Style::Dim)];
        for (column, title) in table.header[1..].iter().enumerate() {
            titles.push(Piece::new(format!("  {}", aligned(column, title)), Style::Dim));
        }
        self.whole_line(2, &titles);
        for row in &table.rows {
            let name = wrapped(&row.name.text, first);
            for (number, line) in name.iter().enumerate() {
                let mut pieces = vec![Piece { text: padded(&shortened(line, first), first), style: row.name.style }];
                if number == 0 {
                    pieces.extend(row.facts.iter().enumerate().map(|(column, fact)| Piece {
                        text: format!("  {}", aligned(column, &fact.text)),
                        style: fact.style,
                    }));
                }
                self.whole_line(2, &pieces);
            }
        }
    }

    /// Adds pieces side by side. Each wraps within its own column.
    pub(super) fn line(&mut self, indent: u16, pieces: Vec<Piece>) {
        self.grid(Grid { indent, numbers: &[], first: None, header: &[], rows: vec![pieces] });
    }

    pub(super) fn grid(&mut self, grid: Grid) {
        let mut table = Table::new();
        let gap = if grid.header.is_empty() && grid.first.is_none() { 1 } else { 2 };
        table.load_style(if grid.header.is_empty() { presets::NOTHING } else { ruled() });
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(self.width);
        table.style_text_only();
        // Both cases are explicit, because comfy-table would otherwise query the terminal itself.
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if !grid.header.is_empty() {
            table.set_header(grid.header.iter().map(|title| styled(&Piece::new(title, Style::Dim))));
        }
        table.add_rows(grid.rows.iter().map(|row| row.iter().map(styled).collect::<Vec<_>>()));
        let last = table.column_count().saturating_sub(1);
        for (index, column) in table.column_iter_mut().enumerate() {
            let is_number = grid.numbers.contains(&index);
            if is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
            let right = match index {
                end if end == last => 0,
                // Without titles, the next column is the unit of the number.
                _ if is_number && grid.header.is_empty() => 1,
                _ => gap,
            };
            column.set_padding((if index == 0 { grid.indent } else { 0 }, right));
        }
        if let (Some(width), Some(column)) = (grid.first, table.column_mut(0)) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width + grid.indent + gap)));
        }
        self.text.push_str(&table.trim_fmt());
        self.text.push('\n');
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

    /// Adds a label and its content. Labels with equal `width` line up.
    pub(super) fn labelled(&mut self, width: u16, label: Piece, content: Piece) {
        self.grid(Grid { indent: 2, numbers: &[], first: Some(width), header: &[], rows: vec![vec![label, content]] });
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

/// Returns a table style with one rule below the titles and no frame.
fn ruled() -> TableStyle {
    let rule = comfy_table::LineStyle::none().fill('─');
    presets::NOTHING.header_separator(rule)
}

fn styled(piece: &Piece) -> Cell {
    let cell = Cell::new(&piece.text);
    match piece.style {
        Style::Plain => cell,
        _ if piece.text.is_empty() => cell,
        Style::Strong => cell.add_attribute(Attribute::Bold),
        Style::Dim => cell.add_attribute(Attribute::Dim),
        Style::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Style::Doubtful => cell.fg(Color::Yellow).add_attribute(Attribute::Bold),
        Style::Good => cell.fg(Color::Green).add_attribute(Attribute::Bold),
        Style::Command => cell.fg(Color::Cyan),
    }
}
