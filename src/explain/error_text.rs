//! Finds foreign-key errors in the text that programs print, whatever library wrapped them, and splits them into parts.
//!
//! Supported are the messages of SQLite, PostgreSQL, MySQL and MariaDB, and the wrappers of SQLAlchemy, Django, Rails,
//! Prisma, Drizzle and better-sqlite3. A part that the text does not contain stays empty; nothing is guessed.

use crate::model::value::Value;

mod statement;
mod values;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReportedError {
    /// The number of the line that contains the message, from 1.
    pub line: usize,
    /// The text of that line.
    pub message: String,
    pub kind: ErrorKind,
    pub constraint: Option<String>,
    pub child: Option<String>,
    pub child_columns: Vec<String>,
    pub parent: Option<String>,
    pub parent_columns: Vec<String>,
    /// The key that is missing or still referred to, as text.
    pub key: Vec<String>,
    /// The statement that failed, with `?` for its placeholders, and their values.
    pub statement: Option<String>,
    pub parameters: Vec<Value>,
    /// The table that the statement writes to.
    pub target: Option<String>,
    /// True if the statement inserts rows.
    pub inserts: bool,
    /// The lines around the message, which may name tables.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorKind {
    /// A reference fails. The text does not say whether the child or the parent is at fault.
    #[default]
    Unclear,
    /// A child row has no parent.
    ParentMissing,
    /// A child row still refers to the parent.
    StillReferred,
    /// The foreign key itself is defective.
    Mismatch,
}

/// The number of lines around an error in which its details are searched.
const LINES_AFTER: usize = 40;
const LINES_BEFORE: usize = 12;

/// Returns the errors in a text. An error that is printed several times, bare and wrapped, is returned once.
pub fn reported_errors(text: &str) -> Vec<ReportedError> {
    let lines: Vec<&str> = text.lines().collect();
    let messages: Vec<usize> = (0..lines.len()).filter(|&line| is_error_message(lines[line])).collect();
    let mut found: Vec<ReportedError> = Vec::new();
    for (number, &message) in messages.iter().enumerate() {
        let start = if number == 0 { 0 } else { messages[number - 1] + 1 };
        let end = messages.get(number + 1).copied().unwrap_or(lines.len());
        let before = lines[start.max(message.saturating_sub(LINES_BEFORE))..message].join("\n");
        let after = lines[message..end.min(message + LINES_AFTER)].join("\n");
        let mut reported_error =
            ReportedError { line: message + 1, message: lines[message].trim().to_owned(), ..ReportedError::default() };
        read_message(&mut reported_error, lines[message], &after);
        read_statement(&mut reported_error, &before, &after);
        reported_error.target = reported_error.statement.as_deref().and_then(statement::target);
        reported_error.inserts = reported_error.statement.as_deref().is_some_and(statement::inserts);
        reported_error.text = format!("{before}\n{after}");
        found.push(reported_error);
    }
    let has_details = |reported_error: &ReportedError| reported_error.has_details();
    if found.iter().any(has_details) {
        found.retain(has_details);
    }
    let mut distinct: Vec<ReportedError> = Vec::new();
    for reported_error in found {
        let same = |known: &ReportedError| {
            let without_location = |error: &ReportedError| ReportedError {
                line: 0,
                message: String::new(),
                text: String::new(),
                ..error.clone()
            };
            without_location(known) == without_location(&reported_error)
        };
        if !distinct.iter().any(same) {
            distinct.push(reported_error);
        }
    }
    distinct
}

impl ReportedError {
    /// True if the error says more than that some reference failed.
    pub fn has_details(&self) -> bool {
        self.statement.is_some()
            || self.target.is_some()
            || self.constraint.is_some()
            || self.child.is_some()
            || self.parent.is_some()
    }
}

fn is_error_message(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    [
        "violates foreign key constraint",
        "foreign key constraint fails",
        "foreign key constraint failed",
        "foreign key constraint violated",
        "of foreign key constraint",
        "sqlite_constraint_foreignkey",
        "foreign key mismatch",
        "has an invalid foreign key",
    ]
    .iter()
    .any(|words| line.contains(words))
}

fn read_message(reported_error: &mut ReportedError, line: &str, after: &str) {
    let lower = line.to_ascii_lowercase();
    if lower.contains("violates foreign key constraint") || lower.contains("of foreign key constraint") {
        postgres(reported_error, line, after);
    } else if lower.contains("foreign key constraint fails") {
        mysql(reported_error, line);
    } else if lower.contains("foreign key mismatch") {
        reported_error.kind = ErrorKind::Mismatch;
        reported_error.child = between(line, "\"", "\"").map(str::to_owned);
        reported_error.parent =
            line.split_once("referencing").and_then(|(_, rest)| between(rest, "\"", "\"")).map(str::to_owned);
    } else if lower.contains("has an invalid foreign key") {
        django(reported_error, line);
    } else if lower.contains("on the field:") || lower.contains("constraint violated:") {
        // Prisma: Foreign key constraint failed on the field: `Post_authorId_fkey (index)`
        reported_error.constraint = between(line, "`", "`").map(|name| name.trim_end_matches(" (index)").to_owned());
        reported_error.constraint =
            reported_error.constraint.take().filter(|name| name != "foreign key" && name != "(not available)");
    }
}

/// Parses `insert or update on table "c" violates foreign key constraint "k"`, and its DETAIL.
fn postgres(reported_error: &mut ReportedError, line: &str, after: &str) {
    let first = line.split_once("on table ").and_then(|(_, rest)| between(rest, "\"", "\"")).map(str::to_owned);
    let rest = line.split_once("constraint ").map_or("", |(_, rest)| rest);
    reported_error.constraint = between(rest, "\"", "\"").map(str::to_owned);
    if line.contains("update or delete on table") {
        reported_error.kind = ErrorKind::StillReferred;
        reported_error.parent = first;
        reported_error.child =
            rest.split_once("on table ").and_then(|(_, rest)| between(rest, "\"", "\"")).map(str::to_owned);
    } else {
        reported_error.kind = ErrorKind::ParentMissing;
        reported_error.child = first;
    }
    let Some((columns, key, rest)) = key_of(after) else { return };
    match reported_error.kind {
        ErrorKind::StillReferred => reported_error.parent_columns = columns,
        _ => {
            reported_error.child_columns = columns;
            let parent = rest.split_once("table ").and_then(|(_, rest)| between(rest, "\"", "\""));
            reported_error.parent = parent.map(str::to_owned);
        }
    }
    reported_error.key = key;
}

/// Parses `Key (a, b)=(1, x) is not present in table "p".`. Returns the columns, the values and the text after them.
fn key_of(text: &str) -> Option<(Vec<String>, Vec<String>, &str)> {
    let (_, rest) = text.split_once("Key (")?;
    let (columns, rest) = rest.split_once(")=(")?;
    let end = rest.find(") is ")?;
    let list = |text: &str| text.split(", ").map(|part| part.trim_matches('"').to_owned()).collect::<Vec<String>>();
    let (columns, key) = (list(columns), rest[..end].to_owned());
    // A value that contains a comma cannot be distinguished from two values.
    let key = if columns.len() == 1 { vec![key] } else { key.split(", ").map(str::to_owned).collect() };
    Some((columns, key, &rest[end..]))
}

/// Parses ``(`db`.`c`, CONSTRAINT `k` FOREIGN KEY (`a`) REFERENCES `p` (`id`))``.
fn mysql(reported_error: &mut ReportedError, line: &str) {
    reported_error.kind = if line.contains("parent row") { ErrorKind::StillReferred } else { ErrorKind::ParentMissing };
    let Some((_, rest)) = line.split_once("fails (") else { return };
    let table = rest.split(", CONSTRAINT").next().unwrap_or_default();
    reported_error.child = names(table).pop();
    let after = |word: &str| rest.split_once(word).map(|(_, rest)| rest);
    reported_error.constraint = after("CONSTRAINT ").and_then(|rest| names(rest).into_iter().next());
    reported_error.child_columns =
        after("FOREIGN KEY ").and_then(|rest| between(rest, "(", ")")).map(names).unwrap_or_default();
    if let Some(parent) = after("REFERENCES ") {
        let (table, columns) = parent.split_once('(').unwrap_or((parent, ""));
        reported_error.parent = names(table).pop();
        reported_error.parent_columns = names(columns.split(')').next().unwrap_or_default());
    }
}

/// Returns the names in backticks of a text.
fn names(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Parses `The row in table 'c' with primary key '1' has an invalid foreign key: c.a contains a value '99' that does
/// not have a corresponding value in p.id.`
fn django(reported_error: &mut ReportedError, line: &str) {
    reported_error.kind = ErrorKind::ParentMissing;
    let Some((_, rest)) = line.split_once("invalid foreign key: ") else { return };
    let side = |text: &str| text.rsplit_once('.').map(|(table, column)| (table.to_owned(), vec![column.to_owned()]));
    if let Some((child, columns)) = rest.split_once(" contains").and_then(|(name, _)| side(name)) {
        (reported_error.child, reported_error.child_columns) = (Some(child), columns);
    }
    let parent = rest.split_once("value in ").map(|(_, name)| name.trim().trim_end_matches('.'));
    if let Some((parent, columns)) = parent.and_then(side) {
        (reported_error.parent, reported_error.parent_columns) = (Some(parent), columns);
    }
    reported_error.key = between(rest, "value '", "'").map(|value| vec![value.to_owned()]).unwrap_or_default();
}

fn read_statement(reported_error: &mut ReportedError, before: &str, after: &str) {
    // SQLAlchemy: [SQL: …] and [parameters: …]
    if let Some((_, rest)) = after.split_once("[SQL: ") {
        let end = rest.find("]\n[").or_else(|| rest.find("]\n(")).or_else(|| rest.rfind(']')).unwrap_or(rest.len());
        let given = rest.split_once("[parameters: ").map_or("", |(_, given)| given);
        let given = values::read(given);
        (reported_error.statement, reported_error.parameters) = values::with_placeholders(rest[..end].trim(), given);
        return;
    }
    // Drizzle: Failed query: … and params: …, before the cause or after it.
    for text in [after, before] {
        if let Some((_, rest)) = text.split_once("Failed query: ") {
            let (statement, given) = rest.split_once("\nparams: ").unwrap_or((rest.lines().next().unwrap_or(rest), ""));
            let given = values::read(&format!("[{}]", given.lines().next().unwrap_or_default()));
            (reported_error.statement, reported_error.parameters) = values::with_placeholders(statement.trim(), given);
            return;
        }
    }
    // Rails: … failed: INSERT INTO "c" ("a") VALUES (?) [["a", 99]]; PostgreSQL's log: STATEMENT:  INSERT …; a shell: the
    // statement that was typed before.
    if let Some((statement, parameters)) =
        statement::found_in(after, false).or_else(|| statement::found_in(before, true))
    {
        (reported_error.statement, reported_error.parameters) = (Some(statement), parameters);
    }
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests;
