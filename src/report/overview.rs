//! The schema for a terminal: every relation with its actions and its health, and what ails those that are not well.
//! Leaves out: the rows, which only a scan looks at.

use crate::model::schema::Schema;
use crate::model::text::plural;
use crate::report::Paper;
use crate::report::health::Health;
use crate::report::layout::Grid;
use crate::report::layout::Ink;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::table::grade;
use crate::report::table::labelled;
use crate::report::table::relation;

pub(super) fn render(schema: &Schema, paper: &Paper) -> String {
    let mut sheet = Sheet::new(paper);
    headline(&mut sheet, schema);
    relations(&mut sheet, schema);
    defects(&mut sheet, schema);
    sheet.finish()
}

fn headline(sheet: &mut Sheet, schema: &Schema) {
    let name = &schema.database.name;
    let tables = plural(schema.tables.len() as u64, "table");
    if schema.relations.is_empty() {
        let line = format!("{name} declares no foreign keys between its {tables}");
        sheet.line(0, vec![Piece::new("○", Ink::Strong), Piece::new(line, Ink::Strong)]);
        return;
    }
    let number = |health| schema.relations.iter().filter(|relation| Health::of(relation) == health).count();
    let relations = plural(schema.relations.len() as u64, "relation");
    let (broken, doubtful) = (number(Health::Broken), number(Health::Warning));
    let (mark, ink) = match (broken, doubtful) {
        (0, 0) => ("✓", Ink::Good),
        (0, _) => ("!", Ink::Doubtful),
        _ => ("✗", Ink::Bad),
    };
    let mut line = format!("{relations} between {tables} in {name}");
    for (number, what) in [(broken, "broken"), (doubtful, "doubtful")] {
        if number > 0 {
            line.push_str(&format!(", {number} {what}"));
        }
    }
    sheet.line(0, vec![Piece::new(mark, ink), Piece::new(line, ink)]);
}

fn relations(sheet: &mut Sheet, schema: &Schema) {
    if schema.relations.is_empty() {
        return;
    }
    // What the other columns take, at their usual widths.
    let room = sheet.width().saturating_sub(42);
    let row = |about| {
        let health = Health::of(about);
        let ink = match health {
            Health::Ok => Ink::Good,
            Health::Note => Ink::Dim,
            Health::Warning => Ink::Doubtful,
            Health::Broken => Ink::Bad,
        };
        vec![
            relation(schema, about, room),
            Piece::plain(about.on_delete.name()),
            Piece::plain(about.on_update.name()),
            Piece::new(health.name(), ink),
        ]
    };
    let rows = schema.relations.iter().map(row).collect();
    sheet.blank();
    let header = &["relation", "on delete", "on update", "health"];
    sheet.grid(Grid { indent: 2, numbers: &[], first: None, header, rows });
}

fn defects(sheet: &mut Sheet, schema: &Schema) {
    let mut all: Vec<_> =
        schema.relations.iter().flat_map(|about| about.defects.iter().map(move |defect| (about, defect))).collect();
    all.sort_by_key(|(_, defect)| std::cmp::Reverse(defect.code.severity()));
    for (about, defect) in all {
        sheet.blank();
        sheet.heading(grade(defect.code, defect.code.severity()), Piece::new(&about.id, Ink::Strong));
        sheet.line(2, vec![Piece::plain(&defect.message)]);
        if !defect.help.is_empty() {
            labelled(sheet, "help", &defect.help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    const TERMINAL: Paper = Paper { width: Some(80), color: false };

    #[test]
    fn every_relation_is_listed_and_what_ails_it_said() {
        let expected = "\
✗ 4 relations between 3 tables in shop.sqlite, 1 broken, 1 doubtful

  relation                            on delete  on update  health
───────────────────────────────────────────────────────────────────
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
    fn without_relations_there_is_one_line() {
        let expected = "○ shop.sqlite declares no foreign keys between its 3 tables\n";
        assert_eq!(render(&sample::shop(), &TERMINAL), expected);
    }
}
