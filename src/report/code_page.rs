//! The pages about codes and causes: their meaning, what each engine does, an example and the next steps.
//!
//! `docs/codes/` holds the only text of each page. This module reads the few forms of Markdown that the pages use: a title,
//! sections, paragraphs, lists and blocks of code. Only layout is decided here.

use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::report::TerminalStyle;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;

mod texts;

/// The greatest width of prose.
const WIDEST: usize = 100;
/// The width of the column of labels.
const LABEL: usize = 16;
/// The indent of code that does not fit beside the labels.
const CODE_INDENT: usize = 4;
/// On a terminal that is narrower than this, a label has a line of its own.
const NARROW: usize = 60;

/// The subject of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Code(Code),
    Cause(Cause),
}

impl Topic {
    pub fn all() -> Vec<Topic> {
        Code::ALL.into_iter().map(Topic::Code).chain(Cause::ALL.into_iter().map(Topic::Cause)).collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Topic::Code(code) => code.name(),
            Topic::Cause(cause) => cause.name(),
        }
    }

    /// Returns the page as it is in `docs/codes/`.
    pub fn text(self) -> &'static str {
        match self {
            Topic::Code(code) => texts::of_code(code),
            Topic::Cause(cause) => texts::of_cause(cause),
        }
    }

    /// Returns the title, such as `case (cause): the keys differ from their parents only in letter case`.
    pub fn title(self) -> &'static str {
        self.text().lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default()
    }
}

/// Returns a page for a terminal.
pub fn page(topic: Topic, terminal: &TerminalStyle) -> String {
    let width = width(terminal);
    let mut sheet = Sheet::new(terminal);
    for line in wrapped(&topic.title().replace('`', ""), width, "", "  ") {
        sheet.line(0, vec![Piece::new(line, Style::Strong)]);
    }
    let mut text = sheet.finish();
    for section in sections(topic.text()) {
        let margin = if width < NARROW { 2 } else { LABEL };
        let mut lines = section.blocks.iter().flat_map(|block| block.lines(margin, width)).peekable();
        let is_beside =
            |line: &String| width >= NARROW && line.get(..LABEL).is_some_and(|margin| margin.trim_start().is_empty());
        match lines.next_if(is_beside) {
            Some(first) => {
                let first = first.get(LABEL..).unwrap_or_default();
                text.push_str(&format!("{:LABEL$}{first}\n", section.heading));
            }
            None => text.push_str(&format!("{}\n", section.heading)),
        }
        for line in lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// Returns the list of all pages for a terminal.
pub fn list(terminal: &TerminalStyle) -> String {
    let width = width(terminal);
    let longest = Topic::all().into_iter().map(|topic| topic.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    let codes = Code::ALL.map(Topic::Code);
    let causes = Cause::ALL.map(Topic::Cause);
    for (heading, topics) in [("codes of findings", &codes[..]), ("causes of missing keys", &causes[..])] {
        text.push_str(&format!("{heading}\n"));
        for topic in topics {
            let (_, summary) = topic.title().split_once(": ").unwrap_or_default();
            let summary = summary.replace('`', "");
            let summary = match topic {
                Topic::Code(code) => format!("{}: {summary}", code.severity().name()),
                Topic::Cause(_) => summary,
            };
            let lines = if width < NARROW {
                text.push_str(&format!("  {}\n", topic.name()));
                wrapped(&summary, width, "    ", "    ")
            } else {
                let name = format!("  {:longest$}  ", topic.name());
                wrapped(&summary, width, &name, &" ".repeat(name.len()))
            };
            lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        text.push('\n');
    }
    text.push_str("next: fk-doctor code orphan\n");
    text
}

fn width(terminal: &TerminalStyle) -> usize {
    terminal.width.unwrap_or(WIDEST).clamp(40, WIDEST)
}

struct Section<'a> {
    heading: &'a str,
    blocks: Vec<Block<'a>>,
}

/// A paragraph or a block of code. Both can belong to an item of a list.
enum Block<'a> {
    /// `marker` is `- `, `1. ` or empty.
    Paragraph {
        indent: usize,
        marker: String,
        text: String,
    },
    Code {
        indent: usize,
        lines: Vec<&'a str>,
    },
}

impl Block<'_> {
    /// Returns the lines after a margin. Code begins further left if it fits there only.
    fn lines(&self, margin: usize, width: usize) -> Vec<String> {
        match self {
            Block::Paragraph { indent, marker, text } => {
                let first = format!("{:1$}{marker}", "", margin + indent);
                wrapped(&text.replace('`', ""), width, &first, &" ".repeat(first.len()))
            }
            Block::Code { indent, lines } => {
                let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
                let indents = [margin + indent, CODE_INDENT, CODE_INDENT / 2];
                let indent = indents.into_iter().find(|indent| indent + longest <= width).unwrap_or(margin + indent);
                lines.iter().map(|line| format!("{:indent$}{line}", "")).collect()
            }
        }
    }
}

fn sections(page: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut is_new = true;
    // The number of spaces before the fence of an open block of code.
    let mut code: Option<usize> = None;
    for line in page.lines() {
        let indent = line.len() - line.trim_start().len();
        let bare = line.trim();
        if let (None, Some(heading)) = (code, line.strip_prefix("## ")) {
            sections.push(Section { heading, blocks: Vec::new() });
            is_new = true;
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        match (code, section.blocks.last_mut()) {
            (Some(_), _) if bare == "```" => {
                code = None;
                is_new = true;
            }
            (Some(before), Some(Block::Code { lines, .. })) => lines.push(line.get(before..).unwrap_or(bare)),
            _ if bare.starts_with("```") => {
                code = Some(indent);
                // At the margin an example is not indented, because it is a section by itself.
                section.blocks.push(Block::Code { indent, lines: Vec::new() });
            }
            _ if bare.is_empty() => is_new = true,
            (_, last) => {
                let (marker, text) = item(bare);
                match last {
                    Some(Block::Paragraph { text: before, .. }) if marker.is_empty() && !is_new => {
                        before.push(' ');
                        before.push_str(text);
                    }
                    _ => section.blocks.push(Block::Paragraph { indent, marker, text: text.to_owned() }),
                }
                is_new = false;
            }
        }
    }
    sections
}

/// Returns the marker of an item of a list, and its text. The marker is empty if the line begins no item.
fn item(line: &str) -> (String, &str) {
    if let Some(text) = line.strip_prefix("* ") {
        return ("- ".to_owned(), text);
    }
    match line.split_once(". ") {
        Some((number, text)) if number.bytes().all(|byte| byte.is_ascii_digit()) => (format!("{number}. "), text),
        _ => (String::new(), line),
    }
}

/// Breaks a text between words. A word that is wider than a line stays whole.
fn wrapped(text: &str, width: usize, first: &str, next: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, next.to_owned()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests;
