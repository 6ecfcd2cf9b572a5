//! The schema for a terminal: every relation with its actions and its health, then every defect. Only a scan reads rows.

use crate::model::finding::Severity;
use crate::model::relation::Defect;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::health::Health;
use crate::report::layout::Grid;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::table::grade;
use crate::report::table::labelled;
use crate::report::table::relation;

pub(super) fn render(schema: &Schema, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    headline(&mut sheet, schema);
    relations(&mut sheet, schema);
    defects(&mut sheet, schema);
    sheet.finish()
}

fn headline(sheet: &mut Sheet, schema: &Schema) {
    let name = &schema.database.name;
    let tables = schema.number_of_tables();
    if schema.relations.is_empty() {
        let line = format!("{name} declares no foreign keys between its {tables}");
        sheet.line(0, vec![Piece::new("○", Style::Strong), Piece::new(line, Style::Strong)]);
        return;
    }
    let number = |health| schema.relations.iter().filter(|relation| Health::of(relation) == health).count();
    let relations = schema.number_of_relations();
    let (broken, with_warning) = (number(Health::Broken), number(Health::Warning));
    let (mark, style) = match (broken, with_warning) {
        // No tick: the rows were not read, and may be orphans.
        (0, 0) => ("○", Style::Strong),
        (0, _) => ("!", Style::Doubtful),
        _ => ("✗", Style::Bad),
    };
    let mut line = format!("{relations} between {tables} in {name}");
    for (number, health) in [(broken, "broken"), (with_warning, "with a warning")] {
        if number > 0 {
            line.push_str(&format!(", {number} {health}"));
        }
    }
    line.push_str("; no row was read");
    sheet.line(0, vec![Piece::new(mark, style), Piece::new(line, style)]);
}

fn relations(sheet: &mut Sheet, schema: &Schema) {
    if schema.relations.is_empty() {
        return;
    }
    // 42 columns are for the other cells, at their usual widths.
    let width = sheet.width().saturating_sub(42);
    let row = |about| {
        let health = Health::of(about);
        let style = match health {
            Health::Ok => Style::Good,
            Health::Note => Style::Dim,
            Health::Warning => Style::Doubtful,
            Health::Broken => Style::Bad,
        };
        vec![
            relation(schema, about, width),
            Piece::plain(about.on_delete.name()),
            Piece::plain(about.on_update.name()),
            Piece::new(health.name(), style),
        ]
    };
    let rows = schema.relations.iter().map(row).collect();
    sheet.blank();
    let header = &["relation", "on delete", "on update", "definition"];
    sheet.grid(Grid { indent: 2, numbers: &[], first: None, header, rows });
}

fn defects(sheet: &mut Sheet, schema: &Schema) {
    let mut all: Vec<(&Relation, &Defect)> =
        schema.relations.iter().flat_map(|about| about.defects.iter().map(move |defect| (about, defect))).collect();
    all.sort_by_key(|(_, defect)| (std::cmp::Reverse(defect.code.severity()), defect.code));
    for group in all.chunk_by(|(_, first), (_, second)| first.code == second.code) {
        match group {
            [(_, first), _, ..] if first.code.severity() == Severity::Note => notes(sheet, group),
            several => several.iter().for_each(|(about, defect)| single_defect(sheet, about, defect)),
        }
    }
}

fn single_defect(sheet: &mut Sheet, about: &Relation, defect: &Defect) {
    sheet.blank();
    sheet.heading(grade(defect.code, defect.code.severity()), Piece::new(&about.id, Style::Strong));
    sheet.line(2, vec![Piece::plain(&defect.message)]);
    if !defect.help.is_empty() {
        labelled(sheet, "help", &defect.help);
    }
}

/// Shows notes with one code as a group, with one explanation.
fn notes(sheet: &mut Sheet, group: &[(&Relation, &Defect)]) {
    let code = group[0].1.code;
    sheet.blank();
    let number = plural(group.len() as u64, "relation");
    sheet.heading(grade(code, code.severity()), Piece::new(number, Style::Strong));
    sheet.line(2, vec![Piece::plain(code.explanation())]);
    for (about, defect) in group {
        sheet.line(2, vec![Piece::plain(&about.id)]);
        if !defect.help.is_empty() {
            sheet.line(4, vec![Piece::new(&defect.help, Style::Dim)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    const TERMINAL: TerminalStyle = TerminalStyle::plain(80);

    #[test]
    fn schema_with_defects_lists_relations_and_defects() {
        let expected = "\
✗ 4 relations between 3 tables in shop.sqlite, 1 broken, 1 with a warning; no
  row was read

  relation                            on delete  on update  definition
──────────────────────────────────────────────────────────────────────
  orders(customer_id)->customers(id)  CASCADE    NO ACTION  ok
  orders(region,code)                 CASCADE    NO ACTION  ok
    ->customers(region,code)
  orders(old_id)->orders_old(id)      CASCADE    NO ACTION  broken
  order_items(order_id)->orders(id)   CASCADE    NO ACTION  warning

error[parent-table-missing] orders(old_id)->orders_old(id)
  the parent table orders_old does not exist: every complete key is an orphan
  help     create orders_old, or drop the foreign key

warning[type-mismatch] order_items(order_id)->orders(id)
  order_items.order_id is TEXT, orders.id is INTEGER: '007' and 7 are compared
  as text
  help     declare both columns with the same type

note[child-not-indexed] order_items(order_id)->orders(id)
  no index
  help     create one
";
        assert_eq!(render(&sample::sick().schema, &TERMINAL), expected);
    }

    #[test]
    fn notes_with_one_code_are_grouped() {
        let mut schema = sample::sick().schema;
        sample::defect(&mut schema, 0, crate::model::finding::Code::ChildNotIndexed, "no index", "create another");
        let expected = "
note[child-not-indexed] 2 relations
  no index on the child's key: every delete of a parent reads the whole table
  orders(customer_id)->customers(id)
    create another
  order_items(order_id)->orders(id)
    create one
";
        let report = render(&schema, &TERMINAL);
        assert!(report.ends_with(expected), "{report}");
    }

    #[test]
    fn schema_without_relations_is_one_line() {
        let expected = "○ shop.sqlite declares no foreign keys between its 3 tables\n";
        assert_eq!(render(&sample::shop(), &TERMINAL), expected);
    }
}
