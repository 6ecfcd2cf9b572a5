//! The text of a SQLite `CREATE TABLE` taken apart, so that a foreign key or a NOT NULL can be taken out of it, or a foreign
//! key be added, and every other byte stays: comments, quotes, spaces, and what has no name in a catalog.
//!
//! Follows SQLite's own grammar: constraints of a table may stand side by side without a comma, the name of a constraint
//! is a clause of its own, and a column's `DEFERRABLE` belongs to the last `REFERENCES` before it, however far away.
//! Leaves out whether the names exist.

use std::ops::Range;

use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens;

/// A definition whose parts are known by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    /// The columns and constraints between the commas.
    items: Vec<Range<usize>>,
    /// In the order of the text.
    pub references: Vec<Reference>,
    not_nulls: Vec<NotNull>,
}

/// A foreign key as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub columns: Vec<String>,
    pub parent: String,
    /// Empty where the parent's primary key is meant.
    pub parent_columns: Vec<String>,
    clauses: Vec<Range<usize>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NotNull {
    column: String,
    clause: Range<usize>,
}

impl<'t> CreateTable<'t> {
    /// `None` for a text that lists no columns, such as that of a virtual table.
    pub fn parse(text: &'t str) -> Option<CreateTable<'t>> {
        let tokens = tokens(text);
        let [create, table, ..] = &tokens[..] else { return None };
        if !create.is_word("CREATE") || !table.is_word("TABLE") {
            return None;
        }
        let open = tokens.iter().position(|token| token.is_word("("))?;
        let close = after_parentheses(&tokens, open).checked_sub(1).filter(|&at| tokens[at].is_word(")"))?;
        let mut items = Vec::new();
        let mut start = open + 1;
        let mut at = start;
        while at < close {
            if tokens[at].is_word(",") {
                items.push(start..at);
                start = at + 1;
            }
            at = if tokens[at].is_word("(") { after_parentheses(&tokens, at) } else { at + 1 };
        }
        items.push(start..close);
        let mut parsed =
            CreateTable { text, tokens, items: items.clone(), references: Vec::new(), not_nulls: Vec::new() };
        items.into_iter().for_each(|item| parsed.read(item));
        Some(parsed)
    }

    /// The same definition without these foreign keys, and without NOT NULL on these columns.
    pub fn without(&self, is_dropped: &dyn Fn(&Reference) -> bool, is_nullable: &dyn Fn(&str) -> bool) -> String {
        let mut gone = vec![Fate::Stays; self.tokens.len()];
        let references = self.references.iter().filter(|reference| is_dropped(reference));
        let not_nulls = self.not_nulls.iter().filter(|not_null| is_nullable(&not_null.column));
        for clause in references.flat_map(|one| &one.clauses).chain(not_nulls.map(|one| &one.clause)) {
            gone[clause.clone()].fill(Fate::Goes);
            gone[clause.start] = Fate::GoesFirst;
        }
        // A constraint of the table that goes takes the comma before it along; the first item is always a column.
        for item in self.items.iter().skip(1) {
            if !item.is_empty() && gone[item.clone()].iter().all(|fate| *fate != Fate::Stays) {
                gone[item.start - 1] = Fate::GoesFirst;
            }
        }
        self.written(&gone)
    }

    /// The same definition with one constraint more, which comes last and is laid out as what comes before it.
    pub fn with(&self, constraint: &str) -> String {
        let last = self.items.last().map_or(0..0, Range::clone);
        let Some(before) = self.tokens.get(last.end.saturating_sub(1)) else { return self.text.to_owned() };
        let close = self.tokens.get(last.end).map_or(self.text.len(), |token| token.span.start);
        let first = self.tokens.get(last.start).map_or(0, |token| token.span.start);
        let line = self.text[..first].rfind('\n').map_or(0, |end| end + 1);
        let lead = &self.text[line..first];
        let has_line_of_its_own = line > 0 && lead.trim().is_empty();
        let gap = &self.text[before.span.end..close];
        let (start, end) = (&self.text[..before.span.end], &self.text[close..]);
        // What is said of the last item stays behind it.
        let said = gap.trim_end();
        if has_line_of_its_own || ends_in_comment(said) {
            let lead = if has_line_of_its_own { lead } else { " " };
            let after = if gap.contains('\n') { &gap[gap.rfind('\n').unwrap_or(0)..] } else { "" };
            format!("{start},{said}\n{lead}{constraint}{after}{end}")
        } else {
            format!("{start},{said} {constraint}{}{end}", &gap[said.len()..])
        }
    }

    /// The columns that are NOT NULL by a clause of their own.
    pub fn not_null_columns(&self) -> impl Iterator<Item = &str> {
        self.not_nulls.iter().map(|not_null| not_null.column.as_str())
    }

    fn read(&mut self, item: Range<usize>) {
        let Some(first) = self.tokens.get(item.start) else { return };
        let of_table = first.is_any(&["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]);
        let column = first.text.clone();
        let mut at = if of_table { item.start } else { item.start + 1 };
        while at < item.end {
            let start = at;
            while self.is(at, "CONSTRAINT") {
                at += 2;
            }
            if self.is(at, "FOREIGN") {
                let columns = self.names(at + 2);
                let references = after_parentheses(&self.tokens, at + 2);
                at = self.reference(start, references, columns).min(item.end);
            } else if self.is(at, "REFERENCES") {
                at = self.reference(start, at, vec![column.clone()]).min(item.end);
            } else if let Some(end) = self.deferral(at) {
                at = end;
                if let Some(last) = self.references.last_mut() {
                    last.clauses.push(start..at);
                }
            } else if self.is(at, "NOT") && self.is(at + 1, "NULL") {
                at += if self.is(at + 2, "ON") && self.is(at + 3, "CONFLICT") { 5 } else { 2 };
                self.not_nulls.push(NotNull { column: column.clone(), clause: start..at });
            } else if self.is(at, "(") {
                at = after_parentheses(&self.tokens, at);
            } else {
                at += 1;
            }
        }
    }

    /// Reads from `REFERENCES` on; the answer is where it ends.
    fn reference(&mut self, start: usize, references: usize, columns: Vec<String>) -> usize {
        let parent = self.tokens.get(references + 1).map(|token| token.text.clone()).unwrap_or_default();
        let mut at = references + 2;
        let mut parent_columns = Vec::new();
        if self.is(at, "(") {
            parent_columns = self.names(at);
            at = after_parentheses(&self.tokens, at);
        }
        loop {
            if self.is(at, "MATCH") {
                at += 2;
            } else if self.is(at, "ON") && ["DELETE", "UPDATE", "INSERT"].iter().any(|word| self.is(at + 1, word)) {
                at += if self.is(at + 2, "SET") || self.is(at + 2, "NO") { 4 } else { 3 };
            } else {
                break;
            }
        }
        let end = self.deferral(at).unwrap_or(at).min(self.tokens.len());
        let clauses = std::iter::once(start..end).collect();
        self.references.push(Reference { columns, parent, parent_columns, clauses });
        end
    }

    /// Where a `[NOT] DEFERRABLE …` ends, if one begins here.
    fn deferral(&self, at: usize) -> Option<usize> {
        let word = if self.is(at, "NOT") { at + 1 } else { at };
        let end = self.is(word, "DEFERRABLE").then_some(word + 1)?;
        Some(if self.is(end, "INITIALLY") { end + 2 } else { end })
    }

    /// The names in parentheses, without what may follow each.
    fn names(&self, open: usize) -> Vec<String> {
        let close = after_parentheses(&self.tokens, open);
        let is_name = |at: &usize| self.is(at - 1, "(") || self.is(at - 1, ",");
        (open + 1..close.saturating_sub(1)).filter(is_name).map(|at| self.tokens[at].text.clone()).collect()
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_word(word))
    }

    fn written(&self, fates: &[Fate]) -> String {
        let mut output = OutputText::default();
        let mut end = 0;
        for (token, fate) in self.tokens.iter().zip(fates) {
            let gap = &self.text[end..token.span.start];
            end = token.span.end;
            match fate {
                Fate::Stays => output.write(gap, &self.text[token.span.clone()]),
                // A comment before a clause may speak of what stands before it.
                Fate::GoesFirst if !gap.trim().is_empty() => output.write(gap.trim_end(), ""),
                Fate::GoesFirst | Fate::Goes => {}
            }
        }
        output.write(&self.text[end..], "");
        output.text
    }
}

/// What becomes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// The first of a clause that goes.
    GoesFirst,
    Goes,
}

/// The text that is left, written so that neither a comment nor a name swallows what comes next.
#[derive(Default)]
struct OutputText {
    text: String,
    ends_in_comment: bool,
}

impl OutputText {
    /// A gap is white space and comments.
    fn write(&mut self, gap: &str, token: &str) {
        if self.ends_in_comment && !gap.trim_start_matches([' ', '\t']).starts_with('\n') {
            self.text.push('\n');
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_$\"`'[]".contains(c) || !c.is_ascii();
        if gap.is_empty() && self.text.ends_with(is_part) && token.starts_with(is_part) {
            self.text.push(' ');
        }
        self.text.push_str(gap);
        self.text.push_str(token);
        self.ends_in_comment = token.is_empty() && ends_in_comment(gap);
    }
}

/// The last comment of a gap goes to the end of a line that has not ended.
fn ends_in_comment(gap: &str) -> bool {
    let mut rest = gap;
    while let Some(at) = rest.find(['-', '/']) {
        let comment = &rest[at..];
        let closed = if comment.starts_with('-') { comment.find('\n') } else { comment.find("*/").map(|end| end + 2) };
        match closed {
            Some(end) => rest = &comment[end..],
            None => return comment.starts_with('-'),
        }
    }
    false
}

/// Where what is in parentheses ends: behind the one that closes them.
fn after_parentheses(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is_word("(") {
            depth += 1;
        } else if token.is_word(")") {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relaxed(text: &str, parents: &[&str], nullable: &[&str]) -> String {
        let parsed = CreateTable::parse(text).expect("it is a CREATE TABLE");
        parsed.without(&|reference| parents.contains(&reference.parent.as_str()), &|name| nullable.contains(&name))
    }

    #[test]
    fn only_the_chosen_parts_go() {
        for (text, without) in [
            ("CREATE TABLE c(a INT REFERENCES p(id) NOT NULL)", "CREATE TABLE c(a INT NOT NULL)"),
            ("CREATE TABLE c(a REFERENCES p)", "CREATE TABLE c(a)"),
            ("CREATE TABLE c(a CONSTRAINT x REFERENCES p CHECK(a>0))", "CREATE TABLE c(a CHECK(a>0))"),
            ("CREATE TABLE c(a CHECK(a)REFERENCES p(b)CHECK(b))", "CREATE TABLE c(a CHECK(a)CHECK(b))"),
            ("CREATE TABLE c(a INT/**/REFERENCES p(b)CHECK(b))", "CREATE TABLE c(a INT/**/CHECK(b))"),
            ("CREATE TABLE c(a \"T\"REFERENCES p(b)UNIQUE)", "CREATE TABLE c(a \"T\" UNIQUE)"),
            (
                "CREATE TABLE c(a REFERENCES q, b REFERENCES p ON DELETE SET NULL MATCH FULL UNIQUE NOT DEFERRABLE)",
                "CREATE TABLE c(a REFERENCES q, b UNIQUE)",
            ),
            (
                "CREATE TABLE c(a, CHECK(a) FOREIGN KEY(a) REFERENCES p UNIQUE(a))",
                "CREATE TABLE c(a, CHECK(a) UNIQUE(a))",
            ),
            ("CREATE TABLE c(a, FOREIGN KEY(a) REFERENCES p, UNIQUE(a))", "CREATE TABLE c(a, UNIQUE(a))"),
            (
                "CREATE TABLE c(a, -- first\n  -- second\n  FOREIGN KEY(a) /* gone */ REFERENCES p, UNIQUE(a)) STRICT",
                "CREATE TABLE c(a -- first\n  -- second\n, UNIQUE(a)) STRICT",
            ),
            ("CREATE TABLE c(a -- REFERENCES p\n REFERENCES p)", "CREATE TABLE c(a -- REFERENCES p\n)"),
            ("CREATE TABLE c(a DEFAULT 'REFERENCES p', b)", "CREATE TABLE c(a DEFAULT 'REFERENCES p', b)"),
        ] {
            assert_eq!(relaxed(text, &["p"], &[]), without, "{text}");
        }
    }

    #[test]
    fn not_null_goes_with_its_name_and_its_conflict_clause() {
        let text = "CREATE TABLE c(a INT CONSTRAINT nn NOT NULL ON CONFLICT IGNORE DEFAULT 1, b NOT NULL, [x y] TEXT NOT NULL)";
        assert_eq!(relaxed(text, &[], &["a", "x y"]), "CREATE TABLE c(a INT DEFAULT 1, b NOT NULL, [x y] TEXT)");
        assert_eq!(CreateTable::parse(text).expect("parses").not_null_columns().collect::<Vec<_>>(), ["a", "b", "x y"]);
    }

    #[test]
    fn a_constraint_is_added_last() {
        for (text, with) in [
            ("CREATE TABLE c(a INT)", "CREATE TABLE c(a INT, CHECK (1))"),
            ("CREATE TABLE c(a INT )STRICT", "CREATE TABLE c(a INT, CHECK (1) )STRICT"),
            ("CREATE TABLE c(\n  a INT,\n  b\n) STRICT", "CREATE TABLE c(\n  a INT,\n  b,\n  CHECK (1)\n) STRICT"),
            (
                "CREATE TABLE c(\n\ta, -- one\n\tb -- two\n)",
                "CREATE TABLE c(\n\ta, -- one\n\tb, -- two\n\tCHECK (1)\n)",
            ),
            ("CREATE TABLE c(a /* x */)", "CREATE TABLE c(a, /* x */ CHECK (1))"),
            ("CREATE TABLE c(a -- x\n)", "CREATE TABLE c(a, -- x\n CHECK (1)\n)"),
            ("CREATE TABLE c(a, UNIQUE(a) CHECK(a))", "CREATE TABLE c(a, UNIQUE(a) CHECK(a), CHECK (1))"),
        ] {
            assert_eq!(CreateTable::parse(text).expect("parses").with("CHECK (1)"), with);
        }
    }

    #[test]
    fn a_reference_knows_both_its_sides() {
        let parsed =
            CreateTable::parse("CREATE TABLE c(a REFERENCES [p q], FOREIGN KEY(a,\"b\"\"\") REFERENCES r(x, y))")
                .expect("parses");
        let sides: Vec<_> = parsed
            .references
            .iter()
            .map(|one| (one.columns.join("|"), one.parent.as_str(), one.parent_columns.join("|")))
            .collect();
        let side = |columns: &str, parent, of: &str| (columns.to_owned(), parent, of.to_owned());
        assert_eq!(sides, [side("a", "p q", ""), side("a|b\"", "r", "x|y")]);
    }

    #[test]
    fn unfinished_text_ends() {
        for text in
            ["", "CREATE TABLE", "CREATE TABLE c(", "CREATE TABLE c(a REFERENCES", "CREATE TABLE c(a, FOREIGN KEY)"]
        {
            let _ = CreateTable::parse(text);
        }
        for text in [
            "CREATE TABLE c(a, FOREIGN KEY)",
            "CREATE TABLE c(CONSTRAINT)",
            "CREATE TABLE c()",
            "CREATE TABLE c(a REFERENCES)",
        ] {
            CreateTable::parse(text).expect("parses").without(&|_| true, &|_| true);
        }
    }
}
