//! The schema for a terminal: every relation with its actions and its health, then every defect. Only a scan reads rows.

use crate::model::catalog::Action;
use crate::model::finding::Code;
use crate::model::finding::Severity;
use crate::model::relation::Defect;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::health::Health;
use crate::report::layout::Columns;
use crate::report::layout::ColumnsRow;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;
use crate::report::table::grade;

/// The common width of the labels.
const LABEL: usize = 7;

pub(super) fn render(schema: &Schema, scan: &str, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    headline(&mut sheet, schema);
    if !schema.relations.is_empty() {
        sheet.blank();
        relations(&mut sheet, schema);
    }
    let defects = defects(schema);
    for group in defects.chunk_by(|(_, first), (_, second)| first.code == second.code) {
        match group {
            [(_, first), ..] if first.code.severity() == Severity::Note => notes(&mut sheet, group),
            grave => grave.iter().for_each(|(about, defect)| block(&mut sheet, about, defect)),
        }
    }
    let gravest = defects.first().filter(|(_, defect)| defect.code.severity() > Severity::Note);
    let mut next: Vec<String> =
        gravest.iter().map(|(_, defect)| format!("fk-doctor code {}", defect.code.name())).collect();
    if !schema.relations.is_empty() {
        next.push(scan.to_owned());
    }
    sheet.next(&next);
    sheet.finish()
}

fn headline(sheet: &mut Sheet, schema: &Schema) {
    let name = &schema.database.name;
    let tables = schema.number_of_tables();
    if schema.relations.is_empty() {
        sheet.headline(Symbol::Nothing, format!("{name} declares no foreign keys between its {tables}"));
        return;
    }
    let number = |health| schema.relations.iter().filter(|relation| Health::of(relation) == health).count();
    let relations = schema.number_of_relations();
    let (broken, with_warning) = (number(Health::Broken), number(Health::Warning));
    let symbol = match (broken, with_warning) {
        // No tick: the rows were not read, and may be orphans.
        (0, 0) => Symbol::Nothing,
        (0, _) => Symbol::Partly,
        _ => Symbol::Faults,
    };
    let mut line = format!("{name}: {relations} between {tables}");
    for (number, health) in [(broken, "broken"), (with_warning, "with a warning")] {
        if number > 0 {
            line.push_str(&format!(", {number} {health}"));
        }
    }
    line.push_str("; rows were not looked at");
    sheet.headline(symbol, line);
}

/// Shows one line for each relation. The column `on update` stands only where an update has an action.
fn relations(sheet: &mut Sheet, schema: &Schema) {
    let updates = schema.relations.iter().any(|relation| relation.on_update != Action::NoAction);
    if sheet.is_narrow() {
        for about in &schema.relations {
            sheet.prose(2, &Piece::plain(&about.id));
            let mut facts = vec![format!("on delete {}", about.on_delete.name())];
            facts.extend(updates.then(|| format!("on update {}", about.on_update.name())));
            facts.push(definition(about));
            sheet.prose(4, &Piece::new(facts.join(" · "), Style::Dim));
        }
        return;
    }
    let row = |about: &Relation| {
        let style = match Health::of(about) {
            Health::Ok | Health::Note => Style::Plain,
            Health::Warning => Style::Doubtful,
            Health::Broken => Style::Bad,
        };
        let mut facts = vec![Piece::plain(about.on_delete.name())];
        facts.extend(updates.then(|| Piece::plain(about.on_update.name())));
        facts.push(Piece::new(definition(about), style));
        ColumnsRow { name: Piece::plain(&about.id), facts }
    };
    let header: &[&str] = match updates {
        true => &["relation", "on delete", "on update", "definition"],
        false => &["relation", "on delete", "definition"],
    };
    sheet.table(&Columns { header, numbers: &[], rows: schema.relations.iter().map(row).collect() });
}

/// Returns the health of a definition, for example `sound, no index`.
fn definition(about: &Relation) -> String {
    let health = match Health::of(about) {
        Health::Ok | Health::Note => "sound",
        graver => graver.name(),
    };
    let has_no_index = about.defects.iter().any(|defect| defect.code == Code::ChildNotIndexed);
    format!("{health}{}", if has_no_index { ", no index" } else { "" })
}

/// Returns every defect, the gravest first.
fn defects(schema: &Schema) -> Vec<(&Relation, &Defect)> {
    let mut all: Vec<(&Relation, &Defect)> =
        schema.relations.iter().flat_map(|about| about.defects.iter().map(move |defect| (about, defect))).collect();
    all.sort_by_key(|(_, defect)| (std::cmp::Reverse(defect.code.severity()), defect.code));
    all
}

fn block(sheet: &mut Sheet, about: &Relation, defect: &Defect) {
    sheet.blank();
    sheet.heading(grade(defect.code, defect.code.severity()), Piece::new(&about.id, Style::Strong));
    sheet.prose(2, &Piece::plain(&defect.message));
    if !defect.help.is_empty() {
        sheet.labelled_prose(LABEL, "help", &Piece::plain(&defect.help));
    }
}

/// Shows notes with one code as a group, with one explanation.
fn notes(sheet: &mut Sheet, group: &[(&Relation, &Defect)]) {
    let code = group[0].1.code;
    sheet.blank();
    let number = plural(group.len() as u64, "relation");
    sheet.heading(grade(code, code.severity()), Piece::new(number, Style::Strong));
    sheet.prose(2, &Piece::plain(code.explanation()));
    for (about, defect) in group {
        sheet.prose(2, &Piece::plain(&about.id));
        if !defect.help.is_empty() {
            // A statement to paste is never wrapped.
            sheet.whole_line(4, &[Piece::new(&defect.help, Style::Command)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    const SCAN: &str = "fk-doctor scan shop.sqlite";

    #[test]
    fn schema_with_defects_lists_relations_and_defects() {
        for width in [40, 80, 120] {
            let report = render(&sample::sick().schema, SCAN, &TerminalStyle::plain(width));
            sample::assert_snapshot(&format!("schema-sick-{width}.txt"), &report);
        }
    }

    #[test]
    fn notes_with_one_code_are_grouped() {
        let mut schema = sample::clean().schema;
        sample::defect(
            &mut schema,
            0,
            Code::ChildNotIndexed,
            "no index",
            "CREATE INDEX orders_c ON orders(customer_id)",
        );
        for width in [40, 80, 120] {
            let report = render(&schema, SCAN, &TerminalStyle::plain(width));
            sample::assert_snapshot(&format!("schema-sound-{width}.txt"), &report);
        }
    }

    #[test]
    fn column_of_updates_stands_only_where_an_update_has_an_action() {
        let mut schema = sample::clean().schema;
        let report = |schema: &Schema| render(schema, SCAN, &TerminalStyle::plain(80));
        assert!(!report(&schema).contains("on update"), "{}", report(&schema));
        schema.relations.iter_mut().for_each(|relation| relation.on_update = Action::Cascade);
        assert!(report(&schema).contains("on update"), "{}", report(&schema));
    }

    #[test]
    fn schema_without_relations_is_one_line() {
        let expected = "○ shop.sqlite declares no foreign keys between its 3 tables\n";
        assert_eq!(render(&sample::shop(), SCAN, &TerminalStyle::plain(80)), expected);
    }
}
