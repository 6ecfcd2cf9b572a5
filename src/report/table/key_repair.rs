//! A parent key that is not unique: the column that is missing from it, and the commands that repair it.

use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::KeyRepair;
use crate::model::finding::WiderKey;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;

/// The indent of the lines of a command after its first.
const CONTINUED: usize = 2;

/// The repair of a parent key that is not unique, as every report shows it.
pub(in crate::report) struct KeyRepairText {
    pub(in crate::report) cause: Option<String>,
    /// Sentences before the commands.
    pub(in crate::report) advice: Vec<String>,
    /// The commands, each in the parts between which it may be broken.
    pub(in crate::report) commands: Vec<Vec<String>>,
    /// A sentence after the commands.
    pub(in crate::report) others: Option<String>,
}

/// Returns the repair. `None` if the findings have none, or if the database has no name for a command.
pub(in crate::report) fn text(examination: &Examination, findings: &[&Finding]) -> Option<KeyRepairText> {
    let first = findings.first()?;
    let run = examination.run.as_ref()?;
    let database = run.database.as_deref()?;
    let in_sql = |sql: &str| vec![format!("sqlite3 {database}"), shell(sql)];
    let mut text = KeyRepairText { cause: None, advice: Vec::new(), commands: Vec::new(), others: None };
    match first.key_repair.as_ref()? {
        KeyRepair::Index(index) => text.commands.push(in_sql(index)),
        KeyRepair::Duplicates(query) => {
            text.advice = vec![first.help.clone(), "the keys of several rows:".to_owned()];
            text.commands.push(in_sql(query));
        }
        KeyRepair::Wider(wider) => {
            text.cause = Some(cause(wider, findings));
            text.commands.extend(wider.index.iter().map(|index| in_sql(index)));
            text.commands.push(declaration(database, run.options.as_str(), wider));
            let others = findings.len().saturating_sub(1) as u64;
            let children = if others == 1 { "other child" } else { "other children" };
            text.others = (others > 0).then(|| format!("and the same for the {} {children}", count(others)));
        }
    }
    Some(text)
}

/// Adds the cause and the commands. Returns false if there are none.
pub(super) fn lines(sheet: &mut Sheet, label: usize, examination: &Examination, findings: &[&Finding]) -> bool {
    let Some(text) = text(examination, findings) else { return false };
    if let Some(cause) = &text.cause {
        sheet.labelled_prose(label, "cause", &Piece::plain(cause));
    }
    for (position, sentence) in text.advice.iter().enumerate() {
        sheet.labelled_prose(label, if position == 0 { "repair" } else { "" }, &Piece::plain(sentence));
    }
    commands(sheet, label, if text.advice.is_empty() { "repair" } else { "" }, &text.commands);
    if let Some(others) = &text.others {
        sheet.labelled_prose(label, "", &Piece::plain(others));
    }
    true
}

/// Returns how the wider key is known to be right, with the rows of all children that would refer to it.
fn cause(wider: &WiderKey, findings: &[&Finding]) -> String {
    let counted = findings.iter().map(|finding| match &finding.key_repair {
        Some(KeyRepair::Wider(other)) if other.key == wider.key => other.child_rows,
        _ => None,
    });
    let sum = |left: (u64, u64), right: (u64, u64)| (left.0 + right.0, left.1 + right.1);
    let children = counted.collect::<Option<Vec<_>>>().map(|rows| rows.into_iter().fold((0, 0), sum));
    let parents = plural(wider.parent_rows, "row");
    let line = format!("a column is missing from the key: {} is unique in all {parents}", wider.key);
    match children {
        None | Some((0, _)) => line,
        Some((all, found)) if all == found => {
            let have = if all == 1 { "the child row has" } else { "child rows have" };
            let all = if all == 1 { String::new() } else { format!("all {} ", count(all)) };
            format!("{line}, and {all}{have} their parent there")
        }
        Some((all, found)) => {
            let have = if found == 1 { "has" } else { "have" };
            format!("{line}, and {} of {} {have} their parent there", count(found), plural(all, "child row"))
        }
    }
}

/// Returns the command that declares the wider key, in the parts between which it may be broken.
fn declaration(database: &str, options: &str, wider: &WiderKey) -> Vec<String> {
    let plan = shell(&format!("{}.ndjson", wider.parent.replace('/', "_")));
    vec![
        format!("fk-doctor repair {database}{options} -o {plan}"),
        format!("--relax {}", shell(&wider.child)),
        format!("--enforce {}", shell(&wider.reference)),
    ]
}

/// Adds commands. One that is too long is broken between its parts, so that a shell still reads it as one.
fn commands(sheet: &mut Sheet, label_width: usize, label: &str, commands: &[Vec<String>]) {
    let indent = label_width + 3;
    for (position, parts) in commands.iter().enumerate() {
        let label = if position == 0 { label } else { "" };
        let whole = parts.join(" ");
        let lines: Vec<String> = match parts.as_slice() {
            [first, rest @ ..] if indent + whole.chars().count() > sheet.width() => {
                let rest = rest.iter().map(|part| format!("{}{part}", " ".repeat(CONTINUED)));
                [first.clone()].into_iter().chain(rest).collect()
            }
            _ => vec![whole],
        };
        let last = lines.len() - 1;
        for (number, line) in lines.iter().enumerate() {
            let line = if number < last { format!("{line} \\") } else { line.clone() };
            match number {
                0 => sheet.labelled_command(label_width, label, "", &line),
                _ => sheet.whole_line(indent, &[Piece::new(line, Style::Command)]),
            }
        }
    }
}
