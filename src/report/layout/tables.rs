//! Tables: rows of aligned columns within the width of the sheet. On a narrow terminal a row becomes lines.

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

use super::Piece;
use super::Sheet;
use super::Style;
use super::wrap::padded;
use super::wrap::shortened;
use super::wrap::wrapped;
use crate::model::text::visible;

/// A table whose first column holds names or prose.
pub(in crate::report) struct Columns<'a> {
    pub(in crate::report) header: &'a [&'a str],
    /// The columns of numbers, which are aligned to the right. The first column has no position.
    pub(in crate::report) numbers: &'a [usize],
    pub(in crate::report) rows: Vec<ColumnsRow>,
}

pub(in crate::report) struct ColumnsRow {
    pub(in crate::report) name: Piece,
    pub(in crate::report) facts: Vec<Piece>,
}

/// Rows of pieces in aligned columns.
pub(in crate::report) struct Grid {
    pub(in crate::report) indent: u16,
    /// The columns of numbers, which are aligned to the right.
    pub(in crate::report) numbers: &'static [usize],
    /// The minimum width of the first column, so that consecutive grids line up.
    pub(in crate::report) first: Option<u16>,
    /// The titles above a rule. An empty list means no titles.
    pub(in crate::report) header: &'static [&'static str],
    pub(in crate::report) rows: Vec<Vec<Piece>>,
}

impl Sheet {
    /// Adds lines of texts in columns, if the columns fit. Else a line that is too long, and on a narrow terminal every line,
    /// becomes the first text and, indented below it, the others.
    pub(in crate::report) fn aligned(&mut self, indent: usize, rows: Vec<Vec<String>>) {
        self.aligned_after(indent, None, rows);
    }

    /// Adds a label and, beside it, lines of texts in columns.
    pub(in crate::report) fn labelled_rows(&mut self, width: usize, label: &str, rows: Vec<Vec<String>>) {
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
            let name = Piece::new(name, Style::Dim);
            match row.as_slice() {
                _ if fits => {
                    let name = Piece::new(padded(&name.text, label_width), Style::Dim);
                    self.whole_line(indent, &[name, Piece::plain(line)]);
                }
                [first, others @ ..]
                    if !others.is_empty()
                        && (self.is_narrow() || indent + label_width + display_width(&line) > self.width()) =>
                {
                    self.paragraph(indent, Some((&name, label_width)), &Piece::plain(first));
                    self.paragraph(indent + label_width + 2, None, &Piece::plain(others.join("  ")));
                }
                _ => self.paragraph(indent, Some((&name, label_width)), &Piece::plain(line)),
            }
        }
    }

    /// Adds a table whose first column takes the room that the others leave. Its texts wrap between words; a name that is
    /// too long is cut. Other columns keep their width. On a narrow terminal each row becomes a line and indented facts.
    pub(in crate::report) fn table(&mut self, table: &Columns<'_>) {
        self.table_with_notes(table, &[]);
    }

    /// Adds a table with a note below each row.
    pub(in crate::report) fn table_with_notes(&mut self, table: &Columns<'_>, notes: &[Piece]) {
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
        for (position, row) in table.rows.iter().enumerate() {
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
            if let Some(note) = notes.get(position) {
                self.prose(4, note);
            }
        }
    }

    /// Adds pieces side by side. Each wraps within its own column.
    pub(in crate::report) fn line(&mut self, indent: u16, pieces: Vec<Piece>) {
        self.grid(Grid { indent, numbers: &[], first: None, header: &[], rows: vec![pieces] });
    }

    pub(in crate::report) fn grid(&mut self, grid: Grid) {
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

    /// Adds a label and its content. Labels with equal `width` line up.
    pub(in crate::report) fn labelled(&mut self, width: u16, label: Piece, content: Piece) {
        self.grid(Grid { indent: 2, numbers: &[], first: Some(width), header: &[], rows: vec![vec![label, content]] });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::TerminalStyle;

    fn aligned(width: usize, rows: &[&[&str]]) -> String {
        let mut sheet = Sheet::new(&TerminalStyle::plain(width));
        sheet.aligned(2, rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect());
        sheet.finish()
    }

    #[test]
    fn row_that_does_not_fit_becomes_a_name_and_its_facts() {
        let rows: [&[&str]; 2] =
            [&["flights(DestAirport)", "1,200 rows", "100 keys"], &["short(id)", "1 row", "1 key"]];
        let aligned_rows = "  flights(DestAirport)  1,200 rows  100 keys\n  short(id)             1 row       1 key\n";
        assert_eq!(aligned(60, &rows), aligned_rows);
        let narrow = "  flights(DestAirport)\n    1,200 rows  100 keys\n  short(id)\n    1 row  1 key\n";
        assert_eq!(aligned(40, &rows), narrow);
        let long = "a: 'a long value of a column' -> 'another', b: 'a long value of a column' -> 'another'";
        let first = long.strip_suffix(" 'another'").unwrap_or(long);
        let wide = format!("  id = 1\n    {first}\n    'another'\n  id = 2  a: 1 -> 2\n");
        assert_eq!(aligned(80, &[&["id = 1", long], &["id = 2", "a: 1 -> 2"]]), wide);
    }
}
