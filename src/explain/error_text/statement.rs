//! Finds a statement in text that a program printed: its start, its end, the table that it writes to, and the values
//! beside it. Prose that only mentions a statement does not count.

use super::values;
use crate::model::value::Value;
use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens;

/// The first words of statements that a foreign key can refuse.
const VERBS: [&str; 4] = ["INSERT ", "REPLACE ", "UPDATE ", "DELETE "];

/// Characters that can precede a statement in a line: the end of a label, a prompt, a quote.
const BEFORE: [char; 8] = [':', '>', '=', '`', '"', '\'', '(', '['];

/// Beginnings of lines that no longer belong to the statement above them.
const STOPS: [&str; 18] = [
    "[",
    "param",
    "binding",
    "bind ",
    "binds",
    "args",
    "arguments",
    "values:",
    "values=",
    "detail",
    "hint",
    "context",
    "at ",
    "file ",
    "traceback",
    "error",
    "sqlite>",
    "(background",
];

/// Labels of the values that programs print beside a statement.
const LABELS: [&str; 8] = ["parameters", "params", "bindings", "binds", "bind", "arguments", "args", "values"];

/// Returns the first statement of a text, or the last one, with its values.
pub(super) fn found_in(text: &str, last: bool) -> Option<(String, Vec<Value>)> {
    let upper = text.to_ascii_uppercase();
    let mut starts: Vec<usize> = VERBS.iter().flat_map(|verb| upper.match_indices(verb).map(|(at, _)| at)).collect();
    starts.sort_unstable();
    if last {
        starts.reverse();
    }
    starts.into_iter().filter(|&start| may_begin(text, start)).find_map(|start| {
        let end = start + length(&text[start..], text[..start].chars().next_back());
        let statement = text[start..end].trim_end();
        target(statement)?;
        let (statement, values) = values::with_placeholders(statement, values_after(&text[end..]));
        Some((statement?, values))
    })
}

/// True if a statement can begin at this offset: at the start of a line, or after a label, a prompt or a quote.
fn may_begin(text: &str, start: usize) -> bool {
    let line = &text[text[..start].rfind('\n').map_or(0, |end| end + 1)..start];
    line.trim_end().chars().next_back().is_none_or(|before| BEFORE.contains(&before))
}

fn length(text: &str, before: Option<char>) -> usize {
    let quote = before.filter(|c| matches!(c, '"' | '`' | '\''));
    let first_line = text.lines().next().unwrap_or_default();
    if let Some(end) = quote.and_then(|quote| first_line.rfind(quote)) {
        return end;
    }
    let mut end = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let lower = line.trim_start().to_ascii_lowercase();
        if number > 0 && (lower.is_empty() || STOPS.iter().any(|stop| lower.starts_with(stop))) {
            break;
        }
        end += line.len();
    }
    let words = tokens(&text[..end]);
    // A semicolon ends the statement, and so do values printed after it in the line: [["a", 1]], | params, -- args.
    let ends = |pair: &[Token]| {
        let [word, next] = pair else { return false };
        (word.is_word("[") && next.is_word("[")) || word.is_word("|") && !next.is_word("|") && !follows_bar(text, word)
    };
    let mut depth = 0_i32;
    let unopened = words.iter().find(|word| {
        depth += i32::from(word.is_word("(")) - i32::from(word.is_word(")"));
        depth < 0
    });
    let unopened = unopened.map(|word| word.span.start);
    let semicolon = words.iter().find(|word| word.is_word(";")).map(|word| word.span.start);
    let printed = words.windows(2).find(|pair| ends(pair)).map(|pair| pair[0].span.start);
    // SQLite's tokenizer reads `[["a", 1]` as a single name.
    let pairs = text[..end].find(" [[");
    let label = LABELS.iter().filter_map(|label| labelled(&text[..end], label)).min();
    [semicolon, unopened, printed, pairs, label].into_iter().flatten().min().unwrap_or(end)
}

/// True for the second bar of `||`.
fn follows_bar(text: &str, word: &Token) -> bool {
    text[..word.span.start].ends_with('|')
}

/// Returns where ` parameters: …` or ` with params [` begins in the text of a statement. `VALUES (` belongs to the
/// statement.
fn labelled(text: &str, label: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let found = lower.match_indices(label).find(|(at, _)| {
        let rest = lower[at + label.len()..].trim_start();
        let is_label = rest.starts_with([':', '=']) || (label != "values" && rest.starts_with(['[', '(', '{']));
        is_label && lower[..*at].ends_with([' ', '\n', '\t', ',', '(', '['])
    });
    let start = found?.0;
    let before = lower[..start].trim_end();
    Some(before.strip_suffix("with").unwrap_or(before).trim_end().trim_end_matches([',', '(', '[']).len())
}

/// Returns the values that follow a statement: after a label, or in brackets directly after it.
fn values_after(text: &str) -> values::Given {
    let start = text.trim_start_matches([';', ' ', '"', '`', ',', '|', ')']);
    if start.starts_with("[[") {
        return values::read(start).second_of_pairs();
    }
    let lower = text.to_ascii_lowercase();
    let values_start = LABELS.iter().filter_map(|label| Some(lower.find(label)? + label.len())).min();
    let Some(values_start) = values_start else { return values::Given::default() };
    let given = text[values_start..].trim_start_matches([':', '=', ' ', '"', '\'']);
    if given.starts_with(['(', '[', '{']) {
        values::read(given)
    } else {
        values::read(&format!("[{}]", given.lines().next().unwrap_or_default()))
    }
}

/// Returns the table that a statement writes to; `None` if the text only begins like a statement.
pub(super) fn target(statement: &str) -> Option<String> {
    let words = tokens(statement);
    let first = words.first()?;
    let into = words.iter().take(4).position(|word| word.is_any(&["INTO", "FROM"]));
    let at = if first.is_word("UPDATE") {
        // UPDATE OR IGNORE t
        if words.get(1)?.is_word("OR") { 3 } else { 1 }
    } else {
        into? + 1
    };
    let (mut name, mut next) = (words.get(at)?, at + 1);
    while words.get(next).is_some_and(|word| word.is_word(".")) {
        (name, next) = (words.get(next + 1)?, next + 2);
    }
    let follows = |names: &[&str]| words.get(next).is_some_and(|word| word.is_any(names));
    let is_statement = if first.is_word("UPDATE") {
        words[next..].iter().take(3).any(|word| word.is_word("SET"))
    } else if first.is_word("DELETE") {
        words.get(next).is_none() || follows(&["WHERE", "AS", ";", "RETURNING", "INDEXED"])
    } else {
        follows(&["(", "VALUES", "SELECT", "DEFAULT", "AS", "WITH", "SET"])
    };
    is_statement.then(|| name.text.clone())
}

pub(super) fn inserts(statement: &str) -> bool {
    tokens(statement).first().is_some_and(|word| word.is_any(&["INSERT", "REPLACE"]))
}
