//! Messages for standard error: errors and notes. On a terminal their prose wraps between words. A command to paste is
//! never broken.

use textwrap::core::display_width;

use crate::model::text::visible_lines;
use crate::report::layout::WIDEST_PROSE;
use crate::report::layout::wrapped;

/// The first words of a line that is a command or a statement of SQL.
const COMMANDS: [&str; 10] =
    ["fk-doctor", "pg_isready", "mysqladmin", "mariadb-admin", "sqlite3", "psql", "rm", "GRANT", "ALTER", "CREATE"];

/// Returns a message with its label, such as `help: fk-doctor scan app.db`. `painted` is the label as it is printed. `width`
/// is the width of the terminal; without a terminal, each line of the text is a line of the message.
pub fn message(label: &str, painted: &str, text: &str, width: Option<usize>) -> String {
    let text = visible_lines(text);
    let mut lines = Vec::new();
    for (number, line) in text.split('\n').enumerate() {
        let body = line.trim_start_matches(' ');
        let (before, indent) = match number {
            0 if label.is_empty() => (String::new(), 0),
            0 => (format!("{painted} "), display_width(label) + 1),
            _ => (" ".repeat(line.len() - body.len()), line.len() - body.len()),
        };
        let rest = " ".repeat(if number == 0 && label.is_empty() { 2 } else { indent });
        let room = width.map(|width| width.clamp(rest.len() + 20, WIDEST_PROSE.max(rest.len() + 20)) - rest.len());
        for (position, part) in parts(body, room).into_iter().enumerate() {
            lines.push(format!("{}{part}", if position == 0 { &before } else { &rest }));
        }
    }
    lines.join("\n") + "\n"
}

/// Breaks a line into prose that fits and a command as it stands.
fn parts(line: &str, room: Option<usize>) -> Vec<String> {
    match room {
        Some(room) if display_width(line) > room => {
            let (prose, command) = line.split_at(command_start(line));
            let mut parts = wrapped(prose, room);
            if !command.is_empty() {
                parts.push(command.to_owned());
            }
            parts
        }
        _ => vec![line.to_owned()],
    }
}

/// Returns where a command begins that ends the line: at its start, or after a colon. Without a command, the end of the line.
fn command_start(line: &str) -> usize {
    let is_command = |text: &str| {
        let first = text.split(' ').next().unwrap_or_default();
        let is_setting = first.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
        });
        COMMANDS.contains(&first) || is_setting
    };
    let after_colons = line.match_indices(": ").map(|(at, colon)| at + colon.len());
    std::iter::once(0).chain(after_colons).find(|&start| is_command(&line[start..])).unwrap_or(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(text: &str, width: usize) -> String {
        message("help:", "help:", text, Some(width))
    }

    #[test]
    fn prose_of_a_message_wraps_beside_its_label() {
        let text = "the current folder has no such file (\"sqlite:///\" is relative, \"sqlite:////\" is absolute)";
        let wrapped = "because: the current folder has no such file (\"sqlite:///\" is relative,\n         \
                       \"sqlite:////\" is absolute)\n";
        assert_eq!(message("because:", "because:", text, Some(80)), wrapped);
        assert_eq!(message("because:", "because:", text, None), format!("because: {text}\n"));
        let painted = message("because:", "\x1b[1mbecause:\x1b[0m", text, Some(80));
        assert_eq!(painted, wrapped.replace("because:", "\x1b[1mbecause:\x1b[0m"));
        assert_eq!(
            message("", "", "wrote a long name.html: 14 orphan rows", Some(30)),
            "wrote a long name.html:\n  14 orphan rows\n"
        );
    }

    #[test]
    fn command_of_a_message_stays_whole() {
        let command = "fk-doctor repair app.db --rules my.rules.toml -o my.plan.ndjson";
        assert_eq!(help(command, 40), format!("help: {command}\n"));
        let two = format!("fk-doctor rules suggest app.db > my.rules.toml\n      {command}");
        assert_eq!(help(&two, 40), format!("help: {two}\n"));
        assert_eq!(
            help(&format!("trimming the keys finds a parent for all 29 rows: {command}"), 40),
            format!("help: trimming the keys finds a parent\n      for all 29 rows:\n      {command}\n")
        );
        let statement = "GRANT SELECT, INSERT ON public.payments TO the_reporting_role";
        assert_eq!(help(statement, 40), format!("help: {statement}\n"));
        let setting = "PGSERVICE=production fk-doctor scan postgres:// --timeout 60s";
        assert_eq!(help(setting, 40), format!("help: {setting}\n"));
    }

    #[test]
    fn control_characters_of_a_message_are_visible() {
        assert_eq!(message("error:", "error:", "no table \u{1b}[2J", Some(80)), "error: no table \\u{1b}[2J\n");
    }
}
