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
use crate::model::finding::Code;
use crate::model::finding::Severity;
use crate::model::refusal::RefusalKind;
use crate::model::schema::side;
use crate::model::statement::StatementKind;
use crate::model::text;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::layout::Grid;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;
use crate::report::table;
use crate::report::table::labelled;

mod missing_parents;

/// The longest statement that is not shortened, in characters.
const LONGEST: usize = 200;
/// The longest message of an engine that fits into the first line, in characters.
const LONGEST_MESSAGE: usize = 40;
/// The common width of the labels.
const LABEL: usize = 7;

pub(super) fn render(explanation: &Explanation, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let several = explanation.statements.len() > 1;
    if several {
        summary(&mut sheet, explanation);
    }
    if explanation.statements.is_empty() {
        sheet.headline(Symbol::Nothing, "there is no statement to explain");
    }
    for explained in &explanation.statements {
        if several {
            sheet.blank();
        }
        statement(&mut sheet, explained, several);
    }
    let name = &explanation.schema.database.name;
    if let Some(sentence) = explanation.trial.as_ref().and_then(|trial| trial.sentence(name)) {
        sheet.labelled_prose(LABEL, "tried", &Piece::plain(sentence));
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
        sheet.headline(Symbol::Done, format!("{name}: {all} pass"));
    } else if failing == 0 {
        // A statement that was not run has not passed.
        let passing = explanation.statements.len() - skipped;
        sheet.headline(Symbol::Nothing, format!("{name}: {passing} of {all} pass, {skipped} not run"));
    } else {
        sheet.headline(Symbol::Faults, format!("{name}: {failing} of {all} would fail"));
    }
}

fn statement(sheet: &mut Sheet, explained: &Explained, several: bool) {
    let symbol = match &explained.verdict {
        StatementVerdict::Accepted if explained.reasons.is_empty() => Symbol::Done,
        StatementVerdict::Accepted => Symbol::Partly,
        StatementVerdict::Skipped(_) => Symbol::Nothing,
        StatementVerdict::Refused(_) | StatementVerdict::Forbidden(_) => Symbol::Faults,
    };
    let line = if several { format!("line {}: ", explained.statement.line) } else { String::new() };
    let (verdict, message) = verdict(explained);
    sheet.headline(symbol, format!("{line}{verdict}"));
    // An explained error text is itself the statement, and the verdict already quotes it.
    if !verdict.ends_with(&explained.statement.text) {
        sheet.prose(2, &Piece::new(shortened(&explained.statement.text), Style::Dim));
    }
    if let Some(message) = message {
        sheet.labelled_prose(LABEL, "message", &Piece::plain(message));
    }
    if missing_parents::are_all(explained) {
        missing_parents::lines(sheet, explained);
    } else if tree_says_all(explained) {
        radius(sheet, explained);
        blocked(sheet, explained);
    } else {
        reasons(sheet, explained);
        let follows = !explained.effects.is_empty() || !explained.notes.is_empty();
        if follows && !(explained.reasons.is_empty() && explained.radius.is_empty()) {
            sheet.blank();
        }
        effects(sheet, explained);
        if !explained.radius.is_empty() {
            sheet.blank();
            radius(sheet, explained);
        }
    }
    // The labels of reasons and effects are wider.
    let is_short = missing_parents::are_all(explained) || tree_says_all(explained);
    for note in &explained.notes {
        sheet.labelled_prose(if is_short { LABEL } else { LABEL + 1 }, "note", &Piece::plain(note));
    }
}

/// Returns the verdict, and the message of the engine if it is too long for the first line. Example: `("PostgreSQL refuses
/// this INSERT: 1 key is missing", Some("insert or update on table …"))`.
fn verdict(explained: &Explained) -> (String, Option<&str>) {
    let engine = explained.schema.database.engine.title();
    let statement = match explained.statement.kind {
        StatementKind::Insert => "this INSERT",
        StatementKind::Update => "this UPDATE",
        StatementKind::Delete => "this DELETE",
        _ => "this statement",
    };
    let refusal = match &explained.verdict {
        StatementVerdict::Accepted if explained.reasons.is_empty() => {
            return (format!("{engine} accepts {statement}"), None);
        }
        StatementVerdict::Accepted => {
            return (format!("{engine} accepts {statement}, although rows lack their parent"), None);
        }
        StatementVerdict::Refused(refusal) => refusal,
        StatementVerdict::Forbidden(why) | StatementVerdict::Skipped(why) => return (format!("not run: {why}"), None),
    };
    // The text of an error names no statement that was tried.
    if refusal.message == explained.statement.text {
        return (format!("refused: {}", refusal.message), None);
    }
    let is_short = refusal.message.chars().count() <= LONGEST_MESSAGE;
    match outcome_of_references(explained).filter(|_| refusal.kind == RefusalKind::ForeignKey) {
        None => (format!("{engine} refuses {statement}: {}", refusal.message), None),
        Some(outcome) if is_short && explained.statement.kind == StatementKind::Delete => {
            (format!("{engine} refuses {statement}: {outcome}"), None)
        }
        Some(outcome) if is_short => (format!("{engine} refuses {statement} ({}): {outcome}", refusal.message), None),
        Some(outcome) => (format!("{engine} refuses {statement}: {outcome}"), Some(&refusal.message)),
    }
}

/// Returns why references refuse a statement, for example `2 keys are missing`; `None` if there are other reasons.
fn outcome_of_references(explained: &Explained) -> Option<String> {
    let mut keys = 0;
    let mut rows = 0;
    for reason in &explained.reasons {
        match reason {
            StatementReason::Relation(finding) if finding.code == Code::WouldFail => {
                keys += finding.missing_keys;
                rows += finding.rows;
            }
            _ => return None,
        }
    }
    let verb = |number| if number == 1 { "is" } else { "are" };
    match explained.statement.kind {
        _ if rows == 0 => None,
        StatementKind::Delete => Some(format!("{} {} in the way", plural(rows, "row"), verb(rows))),
        _ if missing_parents::are_all(explained) => Some(format!("{} {} missing", plural(keys, "key"), verb(keys))),
        _ => Some(format!("{} would lack {} parent", plural(rows, "row"), if rows == 1 { "its" } else { "their" })),
    }
}

/// Shows every reason with its rows, cause and next step.
fn reasons(sheet: &mut Sheet, explained: &Explained) {
    for reason in &explained.reasons {
        sheet.blank();
        match reason {
            StatementReason::Relation(finding) => {
                let heading = table::grade(finding.code, finding.severity);
                sheet.heading(heading, Piece::new(&finding.relation_id, Style::Strong));
                sheet.prose(2, &Piece::plain(&finding.message));
                table::missing_keys(sheet, &explained.schema, finding);
                table::samples(sheet, finding);
                table::causes_and_help(sheet, finding);
            }
            StatementReason::Constraint(constraint) => constraint_lines(sheet, constraint),
        }
    }
}

/// True if the tree of a DELETE shows all that the statement does, and all that is in its way.
fn tree_says_all(explained: &Explained) -> bool {
    let blocks = |reason: &StatementReason| match reason {
        StatementReason::Relation(finding) => blocking_rows(&explained.radius, &finding.relation_id) == finding.rows,
        StatementReason::Constraint(_) => false,
    };
    explained.statement.kind == StatementKind::Delete
        && deleted_roots(explained).is_some()
        && explained.effects.iter().all(|effect| effect.triggers.is_empty())
        && explained.reasons.iter().all(blocks)
}

/// Returns the number of rows of a relation that block a statement.
fn blocking_rows(branches: &[CascadeBranch], relation_id: &str) -> u64 {
    let own = |branch: &CascadeBranch| if branch.relation_id == relation_id { branch.blocking } else { 0 };
    branches.iter().map(|branch| own(branch) + blocking_rows(&branch.below, relation_id)).sum()
}

/// Returns the number of rows that the DELETE itself names; `None` if they cannot be told from rows that go along.
fn deleted_roots(explained: &Explained) -> Option<u64> {
    let parent = &explained.radius.first()?.parent;
    let is_alone = explained.radius.iter().all(|branch| branch.parent == *parent && branch.event == Event::Delete);
    let own = explained.effects.iter().find(|effect| effect.table == *parent)?;
    (is_alone && !has_child(&explained.radius, parent)).then_some(own.deleted)
}

fn has_child(branches: &[CascadeBranch], table: &str) -> bool {
    branches.iter().any(|branch| branch.child == table || has_child(&branch.below, table))
}

/// Adds the next step of every relation that is in the way.
fn blocked(sheet: &mut Sheet, explained: &Explained) {
    let mut label = "help";
    for reason in &explained.reasons {
        if let StatementReason::Relation(finding) = reason
            && !finding.help.is_empty()
        {
            sheet.labelled_prose(LABEL, label, &Piece::plain(&finding.help));
            label = "";
        }
    }
}

fn constraint_lines(sheet: &mut Sheet, constraint: &Constraint) {
    let heading = match &constraint.table {
        Some(table) => side(table, constraint.columns.iter().map(String::as_str)),
        None => String::new(),
    };
    sheet.heading(table::grade(constraint.code, Severity::Error), Piece::new(heading, Style::Strong));
    sheet.prose(2, &Piece::plain(&constraint.message));
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

/// A line of the tree of cascading changes.
struct TreeLine {
    name: Piece,
    /// The indent of what follows the name on a narrow terminal.
    indent: usize,
    outcome: Piece,
    action: Piece,
}

/// Shows the tree of cascading changes: one line for each relation that passes changes on or blocks them.
fn radius(sheet: &mut Sheet, explained: &Explained) {
    let mut lines = Vec::new();
    let mut parents: Vec<&str> = explained.radius.iter().map(|branch| branch.parent.as_str()).collect();
    parents.dedup();
    for parent in parents {
        let here: Vec<&CascadeBranch> = explained.radius.iter().filter(|branch| branch.parent == parent).collect();
        let change = if here.iter().all(|branch| branch.event == Event::Delete) { "deleted" } else { "changed" };
        let number = deleted_roots(explained).map(|rows| plural(rows, "row"));
        lines.push(TreeLine {
            name: Piece::new(parent, Style::Strong),
            indent: 4,
            outcome: Piece::plain(number.map_or_else(|| change.to_owned(), |number| format!("{number} {change}"))),
            action: Piece::plain(""),
        });
        add_lines(&mut lines, &here, "", explained);
    }
    if sheet.is_narrow() {
        for line in lines {
            sheet.whole_line(2, &[line.name]);
            sheet.prose(line.indent, &line.outcome);
            if !line.action.is_empty() {
                sheet.prose(line.indent, &line.action);
            }
        }
    } else {
        let rows = lines.into_iter().map(|line| vec![line.name, line.outcome, line.action]).collect();
        sheet.grid(Grid { indent: 2, numbers: &[], first: Some(7), header: &[], rows });
    }
}

fn add_lines(lines: &mut Vec<TreeLine>, branches: &[&CascadeBranch], indent: &str, explained: &Explained) {
    for (index, branch) in branches.iter().enumerate() {
        let is_last = index + 1 == branches.len();
        let child = side(&branch.child, branch.columns.iter().map(String::as_str));
        let name = format!("{indent}{} {child}", if is_last { "└─" } else { "├─" });
        let action = format!("ON {} {}", branch.event.name().to_uppercase(), branch.action.name());
        let style = if branch.blocking > 0 { Style::Bad } else { Style::Plain };
        lines.push(TreeLine {
            name: Piece::plain(name),
            indent: indent.chars().count() + 7,
            outcome: Piece::new(outcome(branch, explained), style),
            action: Piece::new(action, Style::Dim),
        });
        let below: Vec<&CascadeBranch> = branch.below.iter().collect();
        add_lines(lines, &below, &format!("{indent}{}  ", if is_last { " " } else { "│" }), explained);
    }
}

/// Returns the first row that is in the way, and the number of the others: `: id = 1 and 2 more`.
fn blocking_row(branch: &CascadeBranch, explained: &Explained) -> String {
    let row = explained.reasons.iter().find_map(|reason| match reason {
        StatementReason::Relation(finding) if finding.relation_id == branch.relation_id => finding.samples.first(),
        _ => None,
    });
    match row {
        Some(sample) if !sample.row.is_empty() => {
            let more = branch.blocking.saturating_sub(1);
            let rest = if more > 0 { format!(" and {} more", text::count(more)) } else { String::new() };
            format!(": {}{rest}", text::row(&sample.row))
        }
        _ => String::new(),
    }
}

fn outcome(branch: &CascadeBranch, explained: &Explained) -> String {
    let mut parts = Vec::new();
    if branch.deleted > 0 {
        parts.push(format!("{} deleted", plural(branch.deleted, "row")));
    }
    if branch.changed > 0 {
        let columns = branch.columns.join(", ");
        let how = match branch.action.name() {
            "SET NULL" => format!("{columns} set to NULL"),
            "SET DEFAULT" => format!("{columns} set to the default"),
            _ => "updated to the new key".to_owned(),
        };
        parts.push(format!("{}, {how}", plural(branch.changed, "row")));
    }
    if branch.blocking > 0 {
        let verb = if branch.blocking == 1 { "is" } else { "are" };
        let row = blocking_row(branch, explained);
        parts.push(format!("{} {verb} IN THE WAY{row}", plural(branch.blocking, "row")));
    }
    if branch.levels > 1 {
        parts.push(format!("{} levels deep", branch.levels));
    }
    if branch.shown_elsewhere {
        parts.push("continued above".to_owned());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests;
