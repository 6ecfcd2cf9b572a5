//! Finds the line of an SQL file that declares a relation. Reports that annotate files point to it.
//!
//! The parser reads only the words and the boundaries of definitions. If it finds no foreign key, it returns the line
//! of the child's CREATE TABLE; without that, it returns nothing. It never returns a wrong line.

use crate::model::catalog::TableName;
use crate::model::relation::Relation;
use crate::model::schema::Schema;

/// Returns, for each relation of a schema, the line of an SQL file that declares it.
pub fn in_sql(text: &str, schema: &Schema) -> Vec<Option<usize>> {
    let statements = statements(text);
    schema.relations.iter().map(|relation| line_of(&statements, schema, relation)).collect()
}

#[derive(Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    /// A name in quotes is never a keyword.
    quoted: bool,
    line: usize,
}

impl Word<'_> {
    fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(keyword)
    }

    fn names(&self, name: &str) -> bool {
        self.text.eq_ignore_ascii_case(name)
    }
}

/// A `CREATE TABLE` or `ALTER TABLE`, cut at the commas outside of inner parentheses.
struct Statement<'t> {
    table: &'t str,
    line: usize,
    creates: bool,
    items: Vec<Vec<Word<'t>>>,
}

fn line_of(statements: &[Statement<'_>], schema: &Schema, relation: &Relation) -> Option<usize> {
    let child = &schema.child(relation).name;
    let columns: Vec<&str> = schema.child_column_names(relation).collect();
    let own = || statements.iter().filter(|statement| statement.table.eq_ignore_ascii_case(&child.table));
    let declared = own().flat_map(|statement| &statement.items);
    let exact = declared.filter_map(|item| reference(item, &columns, &relation.parent.name)).next();
    exact.or_else(|| own().find(|statement| statement.creates).map(|statement| statement.line))
}

/// Returns the line of `REFERENCES`; `None` if this item does not declare the foreign key.
fn reference(item: &[Word<'_>], columns: &[&str], parent: &TableName) -> Option<usize> {
    let at = item.iter().position(|word| word.is("references"))?;
    let named = &item[at + 1..];
    let direct = named.first().is_some_and(|word| word.names(&parent.table));
    let qualified =
        named.get(1).is_some_and(|word| word.is(".")) && named.get(2).is_some_and(|w| w.names(&parent.table));
    let before = &item[..at];
    let key = before.windows(3).position(|words| words[0].is("foreign") && words[1].is("key") && words[2].is("("));
    let is_child = match key {
        Some(start) => {
            let listed: Vec<&str> = before[start + 3..]
                .iter()
                .take_while(|word| !word.is(")"))
                .filter(|word| !word.is(","))
                .map(|word| word.text)
                .collect();
            listed.len() == columns.len()
                && listed.iter().zip(columns).all(|(word, name)| word.eq_ignore_ascii_case(name))
        }
        None => columns.len() == 1 && before.first().is_some_and(|word| word.names(columns[0])),
    };
    (is_child && (direct || qualified)).then(|| item[at].line)
}

fn statements(text: &str) -> Vec<Statement<'_>> {
    let words = words(text);
    words.split(|word| word.is(";")).filter_map(statement).collect()
}

fn statement<'t>(words: &[Word<'t>]) -> Option<Statement<'t>> {
    let table = words.iter().position(|word| word.is("table"))?;
    let verb = words.first()?;
    let creates = verb.is("create");
    if !creates && !verb.is("alter") {
        return None;
    }
    let filler = |word: &&Word<'_>| ["if", "not", "exists", "only"].iter().any(|keyword| word.is(keyword));
    let mut name = table + 1 + words[table + 1..].iter().take_while(filler).count();
    while words.get(name + 1).is_some_and(|word| word.is(".")) {
        name += 2;
    }
    let body = words.get(name + 1..)?;
    let inner = if creates {
        body.iter().position(|word| word.is("(")).map_or(&[][..], |open| &body[open + 1..])
    } else {
        body
    };
    Some(Statement { table: words.get(name)?.text, line: verb.line, creates, items: items(inner) })
}

fn items<'t>(words: &[Word<'t>]) -> Vec<Vec<Word<'t>>> {
    let mut items = vec![Vec::new()];
    let mut depth = 0_usize;
    for word in words {
        if word.is("(") {
            depth += 1;
        } else if word.is(")") {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => break,
            }
        } else if word.is(",") && depth == 0 {
            items.push(Vec::new());
            continue;
        }
        if let Some(item) = items.last_mut() {
            item.push(*word);
        }
    }
    items
}

/// Returns words, names without their quotes, and punctuation characters. Comments and string literals are left out.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, word) = piece(rest, first);
        let (taken, after) = rest.split_at(length);
        if let Some((text, quoted)) = word {
            words.push(Word { text, quoted, line });
        }
        line += taken.bytes().filter(|byte| *byte == b'\n').count();
        rest = after;
    }
    words
}

/// Returns the length of the next piece of SQL, and its word with true if it is quoted, such as `(4, Some(("id",
/// true)))` for `"id"`.
fn piece(rest: &str, first: char) -> (usize, Option<(&str, bool)>) {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("--") {
        return (until("\n", 2), None);
    }
    if rest.starts_with("/*") {
        return (until("*/", 2), None);
    }
    let is_word = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    match first {
        '\'' => (until("'", 1), None),
        '"' | '`' | '[' => {
            let close = if first == '[' { "]" } else { &rest[..1] };
            let end = until(close, 1);
            let inner = rest[1..end].strip_suffix(close).unwrap_or(&rest[1..end]);
            (end, Some((inner, true)))
        }
        first if first.is_whitespace() => (first.len_utf8(), None),
        first if is_word(first) => {
            let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
            (end, Some((&rest[..end], false)))
        }
        mark => (mark.len_utf8(), Some((&rest[..mark.len_utf8()], false))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, table: &str, columns: &[&str], parent: &str) -> Option<usize> {
        let parent = TableName { schema: None, table: parent.to_owned() };
        statements(text)
            .iter()
            .filter(|statement| statement.table == table)
            .flat_map(|statement| &statement.items)
            .find_map(|item| reference(item, columns, &parent))
    }

    #[test]
    fn reference_is_found_on_its_line() {
        let dump = "-- a dump; REFERENCES nothing\nCREATE TABLE IF NOT EXISTS main.\"or ders\" (\n  id int DEFAULT (1, 2),\n  \
                    c int /* , ( */ REFERENCES customers(id),\n  note text DEFAULT 'a;b',\n  FOREIGN KEY (a,\n b)\n REFERENCES \
                    s.customers (x, y)\n);\nALTER TABLE ONLY t ADD CONSTRAINT k FOREIGN KEY (r) REFERENCES p;\n";
        assert_eq!(found(dump, "or ders", &["c"], "customers"), Some(4));
        assert_eq!(found(dump, "or ders", &["a", "b"], "customers"), Some(8));
        assert_eq!(found(dump, "or ders", &["b", "a"], "customers"), None);
        assert_eq!(found(dump, "or ders", &["c"], "others"), None);
        assert_eq!(found(dump, "t", &["r"], "p"), Some(10));
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for text in [
            "CREATE TABLE",
            "create table t(",
            "'",
            "\"",
            "[é",
            "/*",
            "--",
            "(((,)))",
            "alter table ;;",
            "\u{0}é\u{2028}",
        ] {
            let _ = statements(text);
        }
    }
}
