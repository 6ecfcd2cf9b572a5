//! Explanations for a terminal. Each statement has its verdict, the reasons with rows and next steps, the rows that it
//! changes or would change, and the tree of cascading changes.

use crate::model::explanation::CascadeBranch;
use crate::model::explanation::Constraint;
use crate::model::explanation::Effect;
use crate::model::explanation::Event;
use crate::model::explanation::Explained;
use crate::model::explanation::Explanation;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::model::finding::Severity;
use crate::model::schema::side;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::layout::Grid;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::table;
use crate::report::table::labelled;

/// The longest statement that is not shortened, in characters.
const LONGEST: usize = 200;

pub(super) fn render(explanation: &Explanation, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let several = explanation.statements.len() > 1;
    if several {
        summary(&mut sheet, explanation);
    }
    if explanation.statements.is_empty() {
        sheet.line(
            0,
            vec![Piece::new("○", Style::Strong), Piece::new("there is no statement to explain", Style::Strong)],
        );
    }
    for explained in &explanation.statements {
        if several {
            sheet.blank();
        }
        statement(&mut sheet, explained, several);
    }
    sheet.finish()
}

fn summary(sheet: &mut Sheet, explanation: &Explanation) {
    let all = plural(explanation.statements.len() as u64, "statement");
    let failing = explanation.statements.iter().filter(|explained| !explained.is_fine()).count();
    let name = &explanation.schema.database.name;
    let skipped = |explained: &&Explained| matches!(explained.verdict, StatementVerdict::Skipped(_));
    let skipped = explanation.statements.iter().filter(skipped).count();
    if failing == 0 && skipped == 0 {
        sheet.line(0, vec![Piece::new("✓", Style::Good), Piece::new(format!("{all} pass on {name}"), Style::Good)]);
    } else if failing == 0 {
        // A statement that was not run has not passed.
        let line = format!("{} of {all} pass on {name}, {skipped} not run", explanation.statements.len() - skipped);
        sheet.line(0, vec![Piece::new("○", Style::Strong), Piece::new(line, Style::Strong)]);
    } else {
        let line = format!("{failing} of {all} would fail on {name}");
        sheet.line(0, vec![Piece::new("✗", Style::Bad), Piece::new(line, Style::Bad)]);
    }
}

fn statement(sheet: &mut Sheet, explained: &Explained, several: bool) {
    let (mark, style) = match &explained.verdict {
        StatementVerdict::Accepted if explained.reasons.is_empty() => ("✓", Style::Good),
        StatementVerdict::Accepted => ("!", Style::Doubtful),
        StatementVerdict::Skipped(_) => ("○", Style::Strong),
        StatementVerdict::Refused(_) | StatementVerdict::Forbidden(_) => ("✗", Style::Bad),
    };
    let line = if several { format!("line {}: ", explained.statement.line) } else { String::new() };
    let verdict = match &explained.verdict {
        StatementVerdict::Accepted => "accepted".to_owned(),
        StatementVerdict::Refused(refusal) => format!("refused: {}", refusal.message),
        StatementVerdict::Forbidden(why) => format!("not run: {why}"),
        StatementVerdict::Skipped(why) => format!("not run: {why}"),
    };
    sheet.line(0, vec![Piece::new(mark, style), Piece::new(format!("{line}{verdict}"), style)]);
    // An explained error text is itself the statement, and the verdict already quotes it.
    if !verdict.ends_with(&explained.statement.text) {
        sheet.line(2, vec![Piece::new(shortened(&explained.statement.text), Style::Dim)]);
    }
    for reason in &explained.reasons {
        sheet.blank();
        match reason {
            StatementReason::Relation(finding) => {
                let heading = table::grade(finding.code, finding.severity);
                sheet.heading(heading, Piece::new(&finding.relation_id, Style::Strong));
                sheet.line(2, vec![Piece::plain(&finding.message)]);
                table::missing_keys(sheet, &explained.schema, finding);
                table::samples(sheet, finding);
                table::causes_and_help(sheet, finding);
            }
            StatementReason::Constraint(constraint) => constraint_lines(sheet, constraint),
        }
    }
    let follows = !explained.effects.is_empty() || !explained.notes.is_empty();
    if follows && !(explained.reasons.is_empty() && explained.radius.is_empty()) {
        sheet.blank();
    }
    effects(sheet, explained);
    radius(sheet, &explained.radius);
    for note in &explained.notes {
        labelled(sheet, "note", note);
    }
}

fn constraint_lines(sheet: &mut Sheet, constraint: &Constraint) {
    let heading = match &constraint.table {
        Some(table) => side(table, constraint.columns.iter().map(String::as_str)),
        None => String::new(),
    };
    sheet.heading(table::grade(constraint.code, Severity::Error), Piece::new(heading, Style::Strong));
    sheet.line(2, vec![Piece::plain(&constraint.message)]);
    if !constraint.help.is_empty() {
        labelled(sheet, "help", &constraint.help);
    }
}

/// Returns the text on one line, shortened if it is long.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

fn effects(sheet: &mut Sheet, explained: &Explained) {
    let is_refused = matches!(explained.verdict, StatementVerdict::Refused(_));
    for (index, effect) in explained.effects.iter().enumerate() {
        let label = match (index, is_refused) {
            (0, true) => "would",
            (0, false) => "does",
            _ => "",
        };
        labelled(sheet, label, in_words(effect));
    }
}

fn in_words(effect: &Effect) -> String {
    let part = |verb: &str, rows: u64| (rows > 0).then(|| format!("{verb} {}", plural(rows, "row")));
    let parts: Vec<String> =
        [part("insert", effect.inserted), part("update", effect.updated), part("delete", effect.deleted)]
            .into_iter()
            .flatten()
            .collect();
    let through = match effect.triggers.as_slice() {
        [] => String::new(),
        triggers => format!(", through the trigger {}", triggers.join(", ")),
    };
    format!("{} of {}{through}", parts.join(", "), effect.table)
}

/// Shows the tree of cascading changes: one line for each relation that passes changes on or blocks them.
fn radius(sheet: &mut Sheet, branches: &[CascadeBranch]) {
    if branches.is_empty() {
        return;
    }
    sheet.blank();
    let mut rows = Vec::new();
    let mut parents: Vec<&str> = branches.iter().map(|branch| branch.parent.as_str()).collect();
    parents.dedup();
    for parent in parents {
        let here: Vec<&CascadeBranch> = branches.iter().filter(|branch| branch.parent == parent).collect();
        let change = if here.iter().all(|branch| branch.event == Event::Delete) { "deleted" } else { "changed" };
        rows.push(vec![
            Piece::new(parent, Style::Strong),
            Piece::new("", Style::Plain),
            Piece::new(change, Style::Dim),
        ]);
        add_rows(&mut rows, &here, "");
    }
    sheet.grid(Grid { indent: 2, numbers: &[], first: Some(7), header: &[], rows });
}

fn add_rows(rows: &mut Vec<Vec<Piece>>, branches: &[&CascadeBranch], indent: &str) {
    for (index, branch) in branches.iter().enumerate() {
        let is_last = index + 1 == branches.len();
        let child = side(&branch.child, branch.columns.iter().map(String::as_str));
        let line = format!("{indent}{} {child}", if is_last { "└─" } else { "├─" });
        let action = format!("ON {} {}", branch.event.name().to_uppercase(), branch.action.name());
        let style = if branch.blocking > 0 { Style::Bad } else { Style::Plain };
        rows.push(vec![Piece::plain(line), Piece::new(action, Style::Dim), Piece::new(outcome(branch), style)]);
        let below: Vec<&CascadeBranch> = branch.below.iter().collect();
        add_rows(rows, &below, &format!("{indent}{}  ", if is_last { " " } else { "│" }));
    }
}

fn outcome(branch: &CascadeBranch) -> String {
    let mut parts = Vec::new();
    if branch.deleted > 0 {
        parts.push(format!("{} deleted", plural(branch.deleted, "row")));
    }
    if branch.changed > 0 {
        let how = match branch.action.name() {
            "SET NULL" => "set to NULL",
            "SET DEFAULT" => "set to the default",
            _ => "updated to the new key",
        };
        parts.push(format!("{} {how}", plural(branch.changed, "row")));
    }
    if branch.blocking > 0 {
        parts.push(format!("{} blocking", plural(branch.blocking, "row")));
    }
    if branch.levels > 1 {
        parts.push(format!("{} levels deep", branch.levels));
    }
    if branch.shown_elsewhere {
        parts.push("continued above".to_owned());
    }
    parts.join(", ")
}
