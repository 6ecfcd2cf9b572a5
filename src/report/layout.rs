//! Arranges text for a terminal: paragraphs with hanging indent and grids of aligned columns, within a width, in color or
//! plain. Every text passes through [`visible`] here. comfy-table measures the characters and wraps the lines.

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

use crate::model::text::visible;
use crate::report::TerminalStyle;

/// The width if the output is not a terminal.
const USUAL: usize = 100;
/// The smallest width. On a narrower terminal lines run over.
const NARROWEST: usize = 40;

/// Collects the lines of a report.
pub(super) struct Sheet {
    width: u16,
    color: bool,
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
}

/// A text in one style, without control characters.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    text: String,
    style: Style,
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

    /// Returns several lines for one cell.
    pub(super) fn stack<T: AsRef<str>>(lines: impl IntoIterator<Item = T>, style: Style) -> Piece {
        let lines: Vec<String> = lines.into_iter().map(|line| visible(line.as_ref()).into_owned()).collect();
        Piece { text: lines.join("\n"), style }
    }
}

impl Sheet {
    pub(super) fn new(terminal: &TerminalStyle) -> Sheet {
        let width = terminal.width.unwrap_or(USUAL).max(NARROWEST);
        Sheet { width: u16::try_from(width).unwrap_or(u16::MAX), color: terminal.color, text: String::new() }
    }

    pub(super) fn width(&self) -> usize {
        usize::from(self.width)
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
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

    /// Adds a mark and its subject, on one line if both fit, else on two.
    pub(super) fn heading(&mut self, mark: Piece, subject: Piece) {
        if mark.text.chars().count() + 1 + subject.text.chars().count() > self.width() {
            self.line(0, vec![mark]);
            self.line(2, vec![subject]);
        } else {
            self.line(0, vec![mark, subject]);
        }
    }

    /// Adds a label and its content. Labels with equal `width` line up.
    pub(super) fn labelled(&mut self, width: u16, label: Piece, content: Piece) {
        self.grid(Grid { indent: 2, numbers: &[], first: Some(width), header: &[], rows: vec![vec![label, content]] });
    }

    pub(super) fn finish(self) -> String {
        self.text
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
    }
}
