//! Parses the values that a program printed beside a statement: tuples, lists, dictionaries and pairs of Python, Ruby
//! and JavaScript. It also rewrites the statement with `?` placeholders in the order of these values.

use crate::model::value::Value;

/// A printed value, or a list of values.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Value(Value),
    List(Vec<Item>),
    Named(Vec<(String, Value)>),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Given {
    ordered: Vec<Value>,
    named: Vec<(String, Value)>,
}

impl Given {
    /// Keeps every second item: `[["a", 1], ["b", 2]]` was read as the flat list `a, 1, b, 2`.
    pub(super) fn second_of_pairs(mut self) -> Given {
        self.ordered = self.ordered.into_iter().skip(1).step_by(2).collect();
        self
    }
}

/// Parses the first value of a text. Of several sets of parameters it returns the first.
pub(super) fn read(text: &str) -> Given {
    let mut reader = Reader { rest: text.trim_start() };
    match reader.item() {
        Some(Item::Named(named)) => Given { ordered: Vec::new(), named },
        Some(Item::List(items)) => match items.first() {
            Some(Item::Named(named)) => Given { ordered: Vec::new(), named: named.clone() },
            // Ruby prints [["a", 1], ["b", 2]]; Python's executemany takes [(1, 2), (3, 4)].
            Some(Item::List(first)) if text.trim_start().starts_with("[(") => {
                Given { ordered: flat(first), named: Vec::new() }
            }
            _ => Given { ordered: flat(&items), named: Vec::new() },
        },
        Some(Item::Value(value)) => Given { ordered: vec![value], named: Vec::new() },
        None => Given::default(),
    }
}

fn flat(items: &[Item]) -> Vec<Value> {
    let values = items.iter().flat_map(|item| match item {
        Item::Value(value) => vec![value.clone()],
        Item::List(items) => flat(items),
        Item::Named(named) => named.iter().map(|(_, value)| value.clone()).collect(),
    });
    values.collect()
}

/// Returns the statement with `?` for every placeholder, and the values in that order; `None` if the statement is
/// empty.
pub(super) fn with_placeholders(statement: &str, given: Given) -> (Option<String>, Vec<Value>) {
    if statement.is_empty() {
        return (None, Vec::new());
    }
    let mut text = String::new();
    let mut values = Vec::new();
    let mut next = given.ordered.iter();
    let mut rest = statement;
    let mut quote = None;
    while let Some(first) = rest.chars().next() {
        let placeholder = if quote.is_none() { placeholder(rest) } else { None };
        if let Some((length, name)) = placeholder {
            let by_number = |name: &str| name.parse::<usize>().ok().and_then(|n| given.ordered.get(n.checked_sub(1)?));
            let by_name = |name: &str| given.named.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            let value = match name {
                Some(name) => by_name(name).or_else(|| by_number(name)),
                None => next.next(),
            };
            if let Some(value) = value {
                values.push(value.clone());
            }
            text.push('?');
            rest = &rest[length..];
            continue;
        }
        match quote {
            Some(open) if open == first => quote = None,
            None if matches!(first, '\'' | '"' | '`') => quote = Some(first),
            _ => {}
        }
        text.push(first);
        rest = &rest[first.len_utf8()..];
    }
    (Some(text), values)
}

/// Parses `?`, `%s`, `%(name)s`, `:name`, `@name` or `$1` at the start of a text. Returns its length and its name: `(8,
/// Some("name"))`.
fn placeholder(text: &str) -> Option<(usize, Option<&str>)> {
    let name_length = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    if let Some(rest) = text.strip_prefix("%(") {
        let end = rest.find(")s")?;
        return Some((end + 4, Some(&rest[..end])));
    }
    if text.starts_with("%s") {
        return Some((2, None));
    }
    if let Some(rest) = text.strip_prefix('?') {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        return Some((1 + digits, (digits > 0).then(|| &rest[..digits])));
    }
    if text.starts_with("::") {
        return None;
    }
    let rest = text.strip_prefix([':', '@', '$'])?;
    let length = name_length(rest);
    (length > 0).then(|| (1 + length, Some(&rest[..length])))
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn item(&mut self) -> Option<Item> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next()? {
            '(' => Some(Item::List(self.list(')'))),
            '[' => Some(Item::List(self.list(']'))),
            '{' => Some(Item::Named(self.named())),
            _ => self.value().map(Item::Value),
        }
    }

    fn list(&mut self, close: char) -> Vec<Item> {
        self.rest = &self.rest[1..];
        let mut items = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([' ', ',', '\n', '\t']);
            if self.rest.is_empty() {
                return items;
            }
            if let Some(rest) = self.rest.strip_prefix(close) {
                self.rest = rest;
                return items;
            }
            match self.item() {
                Some(item) => items.push(item),
                None => return items,
            }
        }
    }

    fn named(&mut self) -> Vec<(String, Value)> {
        self.rest = &self.rest[1..];
        let mut named = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([' ', ',', '\n', '\t']);
            if self.rest.is_empty() || self.rest.starts_with('}') {
                self.rest = self.rest.strip_prefix('}').unwrap_or("");
                return named;
            }
            let Some(Value::Text(name)) = self.value() else { return named };
            self.rest = self.rest.trim_start().trim_start_matches([':', '=', '>']);
            let Some(Item::Value(value)) = self.item() else { return named };
            named.push((String::from_utf8_lossy(&name).into_owned(), value));
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        if matches!(first, '\'' | '"') {
            return Some(Value::text(self.quoted(first)));
        }
        let end = self.rest.find([',', ')', ']', '}', ':', '\n', '(']).unwrap_or(self.rest.len());
        let word = self.rest[..end].trim();
        if self.rest[end..].starts_with('(') {
            // UUID('…'), Decimal('1.5'): the quoted text inside is the value that was sent.
            self.rest = &self.rest[end..];
            let inner = self.list(')');
            let text = |item: &Item| match item {
                Item::Value(Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
                Item::Value(value) => crate::model::text::value(value),
                _ => String::new(),
            };
            let parts: Vec<String> = inner.iter().map(text).collect();
            return Some(
                number(&parts.join("-")).filter(|_| word == "Decimal").unwrap_or(Value::text(parts.join("-"))),
            );
        }
        if end == 0 {
            return None;
        }
        self.rest = &self.rest[end..];
        Some(match word {
            "None" | "nil" | "null" | "NULL" | "undefined" => Value::Null,
            "True" | "true" => Value::Integer(1),
            "False" | "false" => Value::Integer(0),
            word => number(word).unwrap_or_else(|| Value::text(word)),
        })
    }

    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((offset, character)) = characters.next() {
            if character == quote {
                self.rest = &self.rest[offset + 1..];
                return text;
            }
            if character == '\\' {
                match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, other)) => text.push(other),
                    None => {}
                }
            } else {
                text.push(character);
            }
        }
        self.rest = "";
        text
    }
}

fn number(word: &str) -> Option<Value> {
    if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    let whole = word.parse().ok().map(Value::Integer);
    whole.or_else(|| word.parse().ok().filter(|real: &f64| real.is_finite()).map(Value::Real))
}
