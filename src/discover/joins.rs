//! Finds the columns that views and triggers compare: evidence that somebody joins them.
//!
//! The text is read token by token, without a parser. A comparison counts only if both of its sides are columns of known
//! tables.

use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::discovery::Join;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::discover;
use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens_of;

/// Words after a table's name that are no alias.
const NO_ALIAS: [&str; 30] = [
    "on",
    "where",
    "join",
    "left",
    "right",
    "inner",
    "cross",
    "natural",
    "full",
    "outer",
    "group",
    "order",
    "union",
    "limit",
    "using",
    "set",
    "values",
    "having",
    "and",
    "or",
    "begin",
    "when",
    "for",
    "select",
    "except",
    "intersect",
    "window",
    "straight_join",
    "is",
    "in",
];

/// Returns the columns that views and triggers compare, in order. A text that cannot be read gives no evidence.
pub(super) fn find(schema: &Schema, session: &mut dyn Session) -> Result<Vec<Join>, EngineError> {
    let Some(question) = discover::stored_queries(schema) else { return Ok(Vec::new()) };
    let mut joins = Vec::new();
    let asked = session.each_row(&question, &mut |row: &[Value]| {
        if let [name, text] = row
            && let (Some(name), Some(text)) = (name.as_text(), text.as_text())
        {
            joins.extend(Definition::new(schema, text).joins(name));
        }
    });
    match asked {
        Err(EngineError::TimeLimit) => return Err(EngineError::TimeLimit),
        Err(_) => joins.clear(),
        Ok(()) => {}
    }
    joins.sort();
    joins.dedup();
    Ok(joins)
}

/// The text of a view or a trigger.
struct Definition<'s> {
    schema: &'s Schema,
    tokens: Vec<Token>,
    /// The tables that it names, each with its alias and the position of its token.
    tables: Vec<(usize, String, TableId)>,
}

impl<'s> Definition<'s> {
    fn new(schema: &'s Schema, text: &str) -> Definition<'s> {
        let tokens = tokens_of(schema.database.engine, text);
        let mut definition = Definition { schema, tokens, tables: Vec::new() };
        let is_trigger = definition.tokens.iter().take(5).any(|token| token.is_word("trigger"));
        let on = definition.tokens.iter().position(|token| token.is_word("on"));
        if let Some((table, _)) = on.filter(|_| is_trigger).and_then(|on| definition.table_at(on + 1)) {
            definition.tables.extend(["new", "old"].map(|alias| (0, alias.to_owned(), table)));
        }
        for index in 0..definition.tokens.len() {
            let token = &definition.tokens[index];
            let begins_table =
                token.is_any(&["from", "join", "update", "into"]) || is_mark(token, ",") || is_mark(token, "(");
            if let Some((table, end)) = definition.table_at(index + 1).filter(|_| begins_table) {
                let alias = definition.alias_at(end).unwrap_or_else(|| definition.tokens[end - 1].text.to_lowercase());
                definition.tables.push((index, alias, table));
            }
        }
        definition
    }

    fn joins(&self, by: &str) -> Vec<Join> {
        let mut joins = Vec::new();
        for index in 1..self.tokens.len().saturating_sub(1) {
            let is_part = |token: &Token| ["<", ">", "!", "="].iter().any(|mark| is_mark(token, mark));
            let is_equality = is_mark(&self.tokens[index], "=")
                && !is_part(&self.tokens[index - 1])
                && !is_part(&self.tokens[index + 1]);
            if !is_equality {
                continue;
            }
            let (left, right) = (self.path_before(index), self.path_after(index));
            if let (Some(left), Some(right)) = (self.column(&left, index), self.column(&right, index))
                && left != right
            {
                joins.push(Join { left: left.min(right), right: left.max(right), by: by.to_owned() });
            }
        }
        joins
    }

    /// Returns the table that is named at a token, and the position after its name.
    fn table_at(&self, start: usize) -> Option<(TableId, usize)> {
        let (path, end) = self.path_from(start);
        let (name, qualifier) = match path.as_slice() {
            [name] => (name, None),
            [.., schema, name] => (name, Some(schema)),
            [] => return None,
        };
        let names = self.schema.names;
        let is_named = |table: &crate::model::catalog::Table| {
            let is_in_schema = match (qualifier, &table.name.schema) {
                (Some(qualifier), Some(schema)) => names.same(schema, qualifier),
                _ => true,
            };
            names.same(&table.name.table, name) && is_in_schema
        };
        Some((self.schema.tables.position(is_named)?, end))
    }

    fn alias_at(&self, index: usize) -> Option<String> {
        let index = if self.tokens.get(index)?.is_word("as") { index + 1 } else { index };
        let token = self.tokens.get(index)?;
        (is_name(token) && !token.is_any(&NO_ALIAS)).then(|| token.text.to_lowercase())
    }

    /// Returns the names that begin at a token and are joined by points, and the position after them.
    fn path_from(&self, start: usize) -> (Vec<String>, usize) {
        let mut path = Vec::new();
        let mut index = start;
        while let Some(token) = self.tokens.get(index).filter(|token| is_name(token)) {
            path.push(token.text.clone());
            index += 1;
            if self.tokens.get(index).is_some_and(|token| is_mark(token, ".")) {
                index += 1;
            } else {
                break;
            }
        }
        (path, index)
    }

    fn path_after(&self, index: usize) -> Vec<String> {
        let (path, end) = self.path_from(index + 1);
        let is_in_expression = self.tokens.get(end).is_some_and(|token| is_mark(token, "(") || is_operator(token));
        if is_in_expression { Vec::new() } else { path }
    }

    fn path_before(&self, index: usize) -> Vec<String> {
        let mut start = index;
        while start > 0 && is_name(&self.tokens[start - 1]) {
            start -= 1;
            if start > 0 && is_mark(&self.tokens[start - 1], ".") {
                start -= 1;
            } else {
                break;
            }
        }
        let is_in_expression = start > 0 && is_operator(&self.tokens[start - 1]);
        if is_in_expression { Vec::new() } else { self.path_from(start).0 }
    }

    /// Returns the column that a path names. The nearest table with this alias, or with this column, is meant.
    fn column(&self, path: &[String], index: usize) -> Option<(TableId, usize)> {
        let names = self.schema.names;
        let column_of = |table: TableId, name: &str| {
            let columns = &self.schema.tables[table].columns;
            columns.iter().position(|column| names.same(&column.name, name)).map(|column| (table, column))
        };
        let (name, alias) = match path {
            [name] => (name, None),
            [.., alias, name] => (name, Some(alias.to_lowercase())),
            [] => return None,
        };
        let fits = |(_, known, _): &&(usize, String, TableId)| match &alias {
            Some(alias) => known == alias,
            None => known != "new" && known != "old",
        };
        let mut tables: Vec<_> = self.tables.iter().filter(fits).collect();
        tables.sort_by_key(|(position, ..)| index.abs_diff(*position));
        tables.into_iter().find_map(|(.., table)| column_of(*table, name))
    }
}

fn is_name(token: &Token) -> bool {
    token.quoted || token.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// True for a mark that makes a larger expression of a column.
fn is_operator(token: &Token) -> bool {
    ["+", "-", "*", "/", "%", "|"].iter().any(|mark| is_mark(token, mark))
}

fn is_mark(token: &Token, mark: &str) -> bool {
    !token.quoted && token.text == mark
}
