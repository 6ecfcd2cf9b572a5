//! Edits the text of a SQLite `CREATE TABLE`: removes a foreign key or a NOT NULL, or adds a foreign key. Every other
//! byte stays, such as comments, quotes and spaces.
//!
//! The parser follows SQLite's own grammar. Table constraints may follow each other without a comma. The name of a
//! constraint is a clause of its own. A column's `DEFERRABLE` belongs to the last `REFERENCES` before it, however far
//! away.
//!
//! Leaves out a check that the names exist.

use std::ops::Range;

use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens;

/// A parsed definition. Ranges are of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    /// The columns and constraints between the commas.
    items: Vec<Range<usize>>,
    /// The foreign keys, in the order of the text.
    pub references: Vec<Reference>,
    not_nulls: Vec<NotNull>,
}

/// A foreign key of the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub columns: Vec<String>,
    pub parent: String,
    /// Empty if the foreign key refers to the parent's primary key without naming it.
    pub parent_columns: Vec<String>,
    clauses: Vec<Range<usize>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NotNull {
    column: String,
    clause: Range<usize>,
}

impl<'t> CreateTable<'t> {
    /// Parses a definition; `None` if it has no list of columns, such as that of a virtual table.
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

    /// Returns the definition without these foreign keys, and without NOT NULL on these columns.
    pub fn without(&self, is_dropped: &dyn Fn(&Reference) -> bool, is_nullable: &dyn Fn(&str) -> bool) -> String {
        let mut edits = vec![Edit::Keep; self.tokens.len()];
        let references = self.references.iter().filter(|reference| is_dropped(reference));
        let not_nulls = self.not_nulls.iter().filter(|not_null| is_nullable(&not_null.column));
        for clause in
            references.flat_map(|reference| &reference.clauses).chain(not_nulls.map(|not_null| &not_null.clause))
        {
            edits[clause.clone()].fill(Edit::Remove);
            edits[clause.start] = Edit::RemoveFirst;
        }
        // A removed table constraint loses the comma before it as well. The first item is always a column.
        for item in self.items.iter().skip(1) {
            if !item.is_empty() && edits[item.clone()].iter().all(|edit| *edit != Edit::Keep) {
                edits[item.start - 1] = Edit::RemoveFirst;
            }
        }
        self.edited(&edits)
    }

    /// Returns the definition with one more constraint. It comes last, with the layout of the item before it.
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
        // A comment about the last item stays after that item.
        let comment = gap.trim_end();
        if has_line_of_its_own || ends_in_comment(comment) {
            let lead = if has_line_of_its_own { lead } else { " " };
            let after = if gap.contains('\n') { &gap[gap.rfind('\n').unwrap_or(0)..] } else { "" };
            format!("{start},{comment}\n{lead}{constraint}{after}{end}")
        } else {
            format!("{start},{comment} {constraint}{}{end}", &gap[comment.len()..])
        }
    }

    /// Returns the columns that have a NOT NULL clause.
    pub fn not_null_columns(&self) -> impl Iterator<Item = &str> {
        self.not_nulls.iter().map(|not_null| not_null.column.as_str())
    }

    /// Reads the foreign keys and NOT NULL clauses of one item.
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

    /// Reads a foreign key from `REFERENCES` on. Returns the index of the token after it.
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

    /// Returns the index of the token after a `[NOT] DEFERRABLE …`; `None` if none begins here.
    fn deferral(&self, at: usize) -> Option<usize> {
        let word = if self.is(at, "NOT") { at + 1 } else { at };
        let end = self.is(word, "DEFERRABLE").then_some(word + 1)?;
        Some(if self.is(end, "INITIALLY") { end + 2 } else { end })
    }

    /// Returns the names in parentheses, without the clauses that may follow each.
    fn names(&self, open: usize) -> Vec<String> {
        let close = after_parentheses(&self.tokens, open);
        let is_name = |at: &usize| self.is(at - 1, "(") || self.is(at - 1, ",");
        (open + 1..close.saturating_sub(1)).filter(is_name).map(|at| self.tokens[at].text.clone()).collect()
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_word(word))
    }

    /// Returns the text with these edits of its tokens.
    fn edited(&self, edits: &[Edit]) -> String {
        let mut output = OutputText::default();
        let mut end = 0;
        for (token, edit) in self.tokens.iter().zip(edits) {
            let gap = &self.text[end..token.span.start];
            end = token.span.end;
            match edit {
                Edit::Keep => output.write(gap, &self.text[token.span.clone()]),
                // A comment before a removed clause may be about the clause before it.
                Edit::RemoveFirst if !gap.trim().is_empty() => output.write(gap.trim_end(), ""),
                Edit::RemoveFirst | Edit::Remove => {}
            }
        }
        output.write(&self.text[end..], "");
        output.text
    }
}

/// The edit of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Keep,
    /// Removes the first token of a clause.
    RemoveFirst,
    Remove,
}

/// The edited text. Neither a comment nor a name in it joins the token that follows.
#[derive(Default)]
struct OutputText {
    text: String,
    ends_in_comment: bool,
}

impl OutputText {
    /// Writes a token after its gap, which is white space and comments.
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

/// True if the last comment of a gap is a `--` comment whose line has not ended.
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

/// Returns the index of the token after the parenthesis that closes the one at `open`.
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
    fn relaxed_definition_keeps_every_other_part() {
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
    fn not_null_is_removed_with_its_name_and_conflict_clause() {
        let text = "CREATE TABLE c(a INT CONSTRAINT nn NOT NULL ON CONFLICT IGNORE DEFAULT 1, b NOT NULL, [x y] TEXT NOT NULL)";
        assert_eq!(relaxed(text, &[], &["a", "x y"]), "CREATE TABLE c(a INT DEFAULT 1, b NOT NULL, [x y] TEXT)");
        assert_eq!(CreateTable::parse(text).expect("parses").not_null_columns().collect::<Vec<_>>(), ["a", "b", "x y"]);
    }

    #[test]
    fn constraint_is_added_last() {
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
    fn reference_has_the_columns_of_both_sides() {
        let parsed =
            CreateTable::parse("CREATE TABLE c(a REFERENCES [p q], FOREIGN KEY(a,\"b\"\"\") REFERENCES r(x, y))")
                .expect("parses");
        let sides: Vec<_> = parsed
            .references
            .iter()
            .map(|reference| {
                (reference.columns.join("|"), reference.parent.as_str(), reference.parent_columns.join("|"))
            })
            .collect();
        let side = |columns: &str, parent, of: &str| (columns.to_owned(), parent, of.to_owned());
        assert_eq!(sides, [side("a", "p q", ""), side("a|b\"", "r", "x|y")]);
    }

    #[test]
    fn unfinished_text_is_parsed_without_a_panic() {
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
