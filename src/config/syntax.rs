//! Parses TOML text into a table, with all syntax faults and the regions that are unreliable because of them.
//!
//! The parser recovers after a syntax fault. The table that it makes of broken text (an empty string for a missing
//! value, keys in the wrong table) would cause faults that are not in the text. This module suppresses those.

use std::ops::Range;

use toml::de::DeTable;
use toml::de::DeValue;
use toml::de::Error;

use crate::config::fault::quoted;
use crate::model::configured::Fault;

/// The syntax faults, and the regions in which other faults are suppressed.
pub(crate) struct Damage<'t> {
    text: &'t str,
    faults: Vec<Fault>,
    regions: Vec<Range<usize>>,
}

pub(crate) fn parse(text: &str) -> (toml::Spanned<DeTable<'_>>, Damage<'_>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut damage = Damage { text, faults: Vec::new(), regions: Vec::new() };
    let (open, other): (Vec<_>, Vec<_>) = errors.iter().partition(|error| is_open_end(error));
    for error in open {
        damage.add_open(error, document.get_ref());
    }
    for error in other {
        damage.add(error);
    }
    (document, damage)
}

impl Damage<'_> {
    /// Returns the syntax faults together with the other faults that are independent of them.
    pub(crate) fn with_independent_faults(self, present: Vec<Fault>, absent: Vec<Fault>) -> Vec<Fault> {
        let is_independent = |span: &Range<usize>| !self.regions.iter().any(|region| touch(region, span));
        let present = present.into_iter().filter(|fault| is_independent(&fault.span));
        let absent = absent
            .into_iter()
            .filter(|fault| is_independent(&(fault.span.start..next_header(self.text, fault.span.end))));
        let mut found: Vec<Fault> = present.chain(absent).collect();
        found.extend(self.faults);
        found
    }

    /// Adds a fault for a value that is never closed, at its opening. All text after it was read as part of the value.
    fn add_open(&mut self, error: &Error, document: &DeTable<'_>) {
        let end = span_of(error).end;
        match opening(document, self.text, end) {
            Some(start) if self.regions.iter().any(|region| region.contains(&start)) => {}
            Some(start) => {
                let length = if self.text[start..].starts_with(['[', '{']) { 1 } else { 3 };
                self.faults.push(Fault {
                    span: start..start + length,
                    message: error.message().to_owned(),
                    help: Some("it is opened here but never closed".to_owned()),
                });
                self.regions.push(line_start(self.text, start)..end);
            }
            None => self.add(error),
        }
    }

    fn add(&mut self, error: &Error) {
        let span = span_of(error);
        // The parser's first message about a span is the best. Further ones are consequences.
        let reported = self.faults.iter().any(|fault| touch(&fault.span, &span));
        let swallowed = self.regions.iter().any(|region| {
            region.end - region.start > 0 && {
                region.start <= span.start && span.end <= region.end && is_swallowing(self.text, region)
            }
        });
        if reported || swallowed {
            return;
        }
        let (message, help) = message_and_help(error, self.text.get(span.clone()).unwrap_or_default());
        if error.message() != DUPLICATE {
            self.regions.push(unreliable_region(self.text, &span));
        }
        self.faults.push(Fault { span, message, help });
    }
}

const DUPLICATE: &str = "duplicate key";
const UNQUOTED: &str = "string values must be quoted";

fn is_open_end(error: &Error) -> bool {
    ["unclosed array,", "unclosed inline table", "invalid multi-line"]
        .iter()
        .any(|start| error.message().starts_with(start))
}

/// True if a region spans several lines, because a value continues over the text after it.
fn is_swallowing(text: &str, region: &Range<usize>) -> bool {
    text.get(region.clone()).is_some_and(|region| region.contains('\n'))
}

fn message_and_help(error: &Error, text: &str) -> (String, Option<String>) {
    let message = error.message();
    if message == DUPLICATE {
        return (format!("{} is given twice", quoted(text)), Some("keep one of the two".to_owned()));
    }
    if message.starts_with(UNQUOTED) {
        return match text {
            "" => ("the value is missing".to_owned(), None),
            _ => ("text must be quoted".to_owned(), Some(format!("write `\"{text}\"`"))),
        };
    }
    (message.to_owned(), None)
}

fn span_of(error: &Error) -> Range<usize> {
    error.span().unwrap_or(0..0)
}

/// Returns the start of the outermost value that is still open at `end`. Inner values are open because of it.
fn opening(table: &DeTable<'_>, text: &str, end: usize) -> Option<usize> {
    table.values().filter_map(|node| opening_of(node, text, end)).min()
}

fn opening_of(node: &toml::Spanned<DeValue<'_>>, text: &str, end: usize) -> Option<usize> {
    let span = node.span();
    let written = text.get(span.clone())?;
    let open = match node.get_ref() {
        DeValue::Array(_) => written.starts_with('[') && span.end == end,
        // The parser gives up on inline tables early.
        DeValue::Table(_) => written.starts_with('{') && !written.ends_with('}') && span.end <= end,
        DeValue::String(_) => span.end == end && (written.starts_with("'''") || written.starts_with("\"\"\"")),
        _ => false,
    };
    match node.get_ref() {
        _ if open => Some(span.start),
        DeValue::Array(array) => array.iter().filter_map(|node| opening_of(node, text, end)).min(),
        DeValue::Table(table) => opening(table, text, end),
        _ => None,
    }
}

/// Returns the line of a fault. For a header it includes everything under the header, because those keys have lost
/// their table.
fn unreliable_region(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = line_start(text, span.start);
    let end = line_end(text, span.end);
    let line = text.get(start..end).unwrap_or_default().trim();
    let header = line.starts_with('[') || (line.ends_with(']') && !line.contains('='));
    start..if header { next_header(text, end) } else { end }
}

/// Returns the start of the next line that opens a table, or the end of the text.
fn next_header(text: &str, from: usize) -> usize {
    let mut at = line_end(text, from);
    while at < text.len() {
        // Past the line's end.
        at += 1;
        let end = line_end(text, at);
        if text.get(at..end).unwrap_or_default().trim_start().starts_with('[') {
            return at;
        }
        at = end;
    }
    text.len()
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |newline| at + newline)
}

/// True if two ranges overlap or are adjacent. An empty range counts as a point.
fn touch(left: &Range<usize>, right: &Range<usize>) -> bool {
    left.start <= right.end && right.start <= left.end
}
