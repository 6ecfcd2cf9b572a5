//! Finds foreign-key errors in the text that programs print, whatever library wrapped them, and splits them into parts.
//!
//! Supported are the messages of SQLite, PostgreSQL, MySQL and MariaDB, and the wrappers of SQLAlchemy, Django, Rails,
//! Prisma, Drizzle and better-sqlite3. A part that the text does not contain stays empty; nothing is guessed.

use crate::model::value::Value;

mod statement;
mod values;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Complaint {
    /// The number of the line that contains the message, from 1.
    pub line: usize,
    /// The text of that line.
    pub words: String,
    pub kind: Kind,
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
pub enum Kind {
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
pub fn complaints(text: &str) -> Vec<Complaint> {
    let lines: Vec<&str> = text.lines().collect();
    let messages: Vec<usize> = (0..lines.len()).filter(|&line| is_complaint(lines[line])).collect();
    let mut found: Vec<Complaint> = Vec::new();
    for (number, &message) in messages.iter().enumerate() {
        let start = if number == 0 { 0 } else { messages[number - 1] + 1 };
        let end = messages.get(number + 1).copied().unwrap_or(lines.len());
        let before = lines[start.max(message.saturating_sub(LINES_BEFORE))..message].join("\n");
        let after = lines[message..end.min(message + LINES_AFTER)].join("\n");
        let mut complaint =
            Complaint { line: message + 1, words: lines[message].trim().to_owned(), ..Complaint::default() };
        read_words(&mut complaint, lines[message], &after);
        read_statement(&mut complaint, &before, &after);
        complaint.target = complaint.statement.as_deref().and_then(statement::target);
        complaint.inserts = complaint.statement.as_deref().is_some_and(statement::inserts);
        complaint.text = format!("{before}\n{after}");
        found.push(complaint);
    }
    let has_details = |complaint: &Complaint| complaint.has_details();
    if found.iter().any(has_details) {
        found.retain(has_details);
    }
    let mut distinct: Vec<Complaint> = Vec::new();
    for complaint in found {
        let same = |known: &Complaint| {
            let without_location =
                |error: &Complaint| Complaint { line: 0, words: String::new(), text: String::new(), ..error.clone() };
            without_location(known) == without_location(&complaint)
        };
        if !distinct.iter().any(same) {
            distinct.push(complaint);
        }
    }
    distinct
}

impl Complaint {
    /// True if the error says more than that some reference failed.
    pub fn has_details(&self) -> bool {
        self.statement.is_some()
            || self.target.is_some()
            || self.constraint.is_some()
            || self.child.is_some()
            || self.parent.is_some()
    }
}

fn is_complaint(line: &str) -> bool {
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

fn read_words(complaint: &mut Complaint, line: &str, after: &str) {
    let lower = line.to_ascii_lowercase();
    if lower.contains("violates foreign key constraint") || lower.contains("of foreign key constraint") {
        postgres(complaint, line, after);
    } else if lower.contains("foreign key constraint fails") {
        mysql(complaint, line);
    } else if lower.contains("foreign key mismatch") {
        complaint.kind = Kind::Mismatch;
        complaint.child = between(line, "\"", "\"").map(str::to_owned);
        complaint.parent =
            line.split_once("referencing").and_then(|(_, rest)| between(rest, "\"", "\"")).map(str::to_owned);
    } else if lower.contains("has an invalid foreign key") {
        django(complaint, line);
    } else if lower.contains("on the field:") || lower.contains("constraint violated:") {
        // Prisma: Foreign key constraint failed on the field: `Post_authorId_fkey (index)`
        complaint.constraint = between(line, "`", "`").map(|name| name.trim_end_matches(" (index)").to_owned());
        complaint.constraint =
            complaint.constraint.take().filter(|name| name != "foreign key" && name != "(not available)");
    }
}

/// Parses `insert or update on table "c" violates foreign key constraint "k"`, and its DETAIL.
fn postgres(complaint: &mut Complaint, line: &str, after: &str) {
    let first = line.split_once("on table ").and_then(|(_, rest)| between(rest, "\"", "\"")).map(str::to_owned);
    let rest = line.split_once("constraint ").map_or("", |(_, rest)| rest);
    complaint.constraint = between(rest, "\"", "\"").map(str::to_owned);
    if line.contains("update or delete on table") {
        complaint.kind = Kind::StillReferred;
        complaint.parent = first;
        complaint.child =
            rest.split_once("on table ").and_then(|(_, rest)| between(rest, "\"", "\"")).map(str::to_owned);
    } else {
        complaint.kind = Kind::ParentMissing;
        complaint.child = first;
    }
    let Some((columns, key, rest)) = key_of(after) else { return };
    match complaint.kind {
        Kind::StillReferred => complaint.parent_columns = columns,
        _ => {
            complaint.child_columns = columns;
            let parent = rest.split_once("table ").and_then(|(_, rest)| between(rest, "\"", "\""));
            complaint.parent = parent.map(str::to_owned);
        }
    }
    complaint.key = key;
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
fn mysql(complaint: &mut Complaint, line: &str) {
    complaint.kind = if line.contains("parent row") { Kind::StillReferred } else { Kind::ParentMissing };
    let Some((_, rest)) = line.split_once("fails (") else { return };
    let table = rest.split(", CONSTRAINT").next().unwrap_or_default();
    complaint.child = names(table).pop();
    let after = |word: &str| rest.split_once(word).map(|(_, rest)| rest);
    complaint.constraint = after("CONSTRAINT ").and_then(|rest| names(rest).into_iter().next());
    complaint.child_columns =
        after("FOREIGN KEY ").and_then(|rest| between(rest, "(", ")")).map(names).unwrap_or_default();
    if let Some(parent) = after("REFERENCES ") {
        let (table, columns) = parent.split_once('(').unwrap_or((parent, ""));
        complaint.parent = names(table).pop();
        complaint.parent_columns = names(columns.split(')').next().unwrap_or_default());
    }
}

/// Returns the names in backticks of a text.
fn names(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Parses `The row in table 'c' with primary key '1' has an invalid foreign key: c.a contains a value '99' that does
/// not have a corresponding value in p.id.`
fn django(complaint: &mut Complaint, line: &str) {
    complaint.kind = Kind::ParentMissing;
    let Some((_, rest)) = line.split_once("invalid foreign key: ") else { return };
    let side = |text: &str| text.rsplit_once('.').map(|(table, column)| (table.to_owned(), vec![column.to_owned()]));
    if let Some((child, columns)) = rest.split_once(" contains").and_then(|(name, _)| side(name)) {
        (complaint.child, complaint.child_columns) = (Some(child), columns);
    }
    let parent = rest.split_once("value in ").map(|(_, name)| name.trim().trim_end_matches('.'));
    if let Some((parent, columns)) = parent.and_then(side) {
        (complaint.parent, complaint.parent_columns) = (Some(parent), columns);
    }
    complaint.key = between(rest, "value '", "'").map(|value| vec![value.to_owned()]).unwrap_or_default();
}

fn read_statement(complaint: &mut Complaint, before: &str, after: &str) {
    // SQLAlchemy: [SQL: …] and [parameters: …]
    if let Some((_, rest)) = after.split_once("[SQL: ") {
        let end = rest.find("]\n[").or_else(|| rest.find("]\n(")).or_else(|| rest.rfind(']')).unwrap_or(rest.len());
        let given = rest.split_once("[parameters: ").map_or("", |(_, given)| given);
        let given = values::read(given);
        (complaint.statement, complaint.parameters) = values::with_placeholders(rest[..end].trim(), given);
        return;
    }
    // Drizzle: Failed query: … and params: …, before the cause or after it.
    for text in [after, before] {
        if let Some((_, rest)) = text.split_once("Failed query: ") {
            let (statement, given) = rest.split_once("\nparams: ").unwrap_or((rest.lines().next().unwrap_or(rest), ""));
            let given = values::read(&format!("[{}]", given.lines().next().unwrap_or_default()));
            (complaint.statement, complaint.parameters) = values::with_placeholders(statement.trim(), given);
            return;
        }
    }
    // Rails: … failed: INSERT INTO "c" ("a") VALUES (?) [["a", 99]]; PostgreSQL's log: STATEMENT:  INSERT …; a shell: the
    // statement that was typed before.
    if let Some((statement, parameters)) =
        statement::found_in(after, false).or_else(|| statement::found_in(before, true))
    {
        (complaint.statement, complaint.parameters) = (Some(statement), parameters);
    }
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests;
