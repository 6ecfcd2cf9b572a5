//! Reads the definition of a SQLite table or index from the text that the file stores, if the text is of a simple form.
//!
//! SQLite has parsed the same text, so it is known to be valid, and every name in it can be resolved. A text with a part
//! whose meaning is not certain here gives `None`, and the caller asks SQLite: generated columns, strings as names, sort
//! orders, conflict clauses of keys, keys that are declared twice, tables without rowid and virtual tables.

use crate::model::catalog::Action;

mod cursor;
mod lexer;

use cursor::Cursor;
use lexer::Kind;

#[derive(Debug, PartialEq, Eq)]
pub struct TableDefinition<'t> {
    pub name: &'t str,
    pub columns: Vec<ColumnDefinition<'t>>,
    /// The positions of the primary key's columns.
    pub primary_key: Vec<usize>,
    /// The keys with an index of their own, in the order in which SQLite creates and numbers their indexes.
    pub keys: Vec<KeyDefinition>,
    pub references: Vec<ReferenceDefinition<'t>>,
    pub strict: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct ColumnDefinition<'t> {
    pub name: &'t str,
    /// As SQLite reports it: the names of its own types are in capital letters.
    pub declared_type: &'t str,
    pub collation: Option<&'t str>,
    pub not_null: bool,
    /// True if the column has no default, or NULL.
    pub default_is_null: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct KeyDefinition {
    pub primary: bool,
    pub columns: Vec<usize>,
}

/// A foreign key.
#[derive(Debug, PartialEq, Eq)]
pub struct ReferenceDefinition<'t> {
    pub name: Option<&'t str>,
    pub columns: Vec<usize>,
    pub parent: &'t str,
    /// `None` if the foreign key refers to the parent's primary key without naming it.
    pub parent_columns: Option<Vec<&'t str>>,
    pub on_delete: Action,
    pub on_update: Action,
    pub deferred: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct IndexDefinition<'t> {
    pub name: &'t str,
    pub table: &'t str,
    pub unique: bool,
    pub partial: bool,
    /// The columns, each with the collation that the index declares for it.
    pub columns: Vec<(&'t str, Option<&'t str>)>,
}

/// The types whose names SQLite keeps as numbers.
const STANDARD_TYPES: [&str; 6] = ["ANY", "BLOB", "INT", "INTEGER", "REAL", "TEXT"];

/// Words that end the type of a column, because SQLite never takes one of them for a name.
const COLUMN_CLAUSES: [&str; 10] =
    ["NOT", "NULL", "DEFAULT", "PRIMARY", "REFERENCES", "UNIQUE", "CHECK", "COLLATE", "CONSTRAINT", "DEFERRABLE"];

const TABLE_CLAUSES: [&str; 5] = ["CONSTRAINT", "PRIMARY", "FOREIGN", "UNIQUE", "CHECK"];

/// Words that are expressions by themselves, and not the name of a column, where an expression may stand.
const EXPRESSIONS: [&str; 6] = ["CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "NULL", "TRUE", "FALSE"];

/// Reads a `CREATE TABLE`.
pub fn table(text: &str) -> Option<TableDefinition<'_>> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect("CREATE")?;
    cursor.expect("TABLE")?;
    let mut definition = TableDefinition {
        name: cursor.name()?,
        columns: Vec::new(),
        primary_key: Vec::new(),
        keys: Vec::new(),
        references: Vec::new(),
        strict: false,
    };
    cursor.expect_character(b'(')?;
    let mut has_constraints = false;
    loop {
        if cursor.is_any(&TABLE_CLAUSES) {
            has_constraints = true;
            cursor.table_constraint(&mut definition)?;
        } else if has_constraints {
            return None;
        } else {
            cursor.column(&mut definition)?;
        }
        if !cursor.accept_character(b',') {
            break;
        }
    }
    cursor.expect_character(b')')?;
    definition.strict = cursor.accept("STRICT");
    cursor.expect_end()?;
    finished(definition)
}

/// Reads a `CREATE INDEX`.
pub fn index(text: &str) -> Option<IndexDefinition<'_>> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect("CREATE")?;
    let unique = cursor.accept("UNIQUE");
    cursor.expect("INDEX")?;
    let name = cursor.name()?;
    cursor.expect("ON")?;
    let table = cursor.name()?;
    let columns = cursor.list(|cursor| {
        let column = cursor.column_of_key()?;
        let collation = if cursor.accept("COLLATE") { Some(cursor.name()?) } else { None };
        cursor.accept("ASC");
        Some((column, collation))
    })?;
    let partial = cursor.accept("WHERE");
    if !partial {
        cursor.expect_end()?;
    }
    Some(IndexDefinition { name, table, unique, partial, columns })
}

/// Applies the rules that need the whole table.
fn finished(mut table: TableDefinition<'_>) -> Option<TableDefinition<'_>> {
    // SQLite drops a key that repeats another, by rules about collations and conflict clauses.
    let repeats = |keys: &[KeyDefinition]| {
        keys.iter().enumerate().any(|(index, key)| keys[..index].iter().any(|other| other.columns == key.columns))
    };
    if repeats(&table.keys) {
        return None;
    }
    // An INTEGER PRIMARY KEY is the rowid, and has no index.
    let is_rowid = match table.primary_key[..] {
        [column] => table.columns[column].declared_type == "INTEGER",
        _ => false,
    };
    if is_rowid {
        table.keys.retain(|key| !key.primary);
    } else if table.strict {
        for &column in &table.primary_key {
            table.columns[column].not_null = true;
        }
    }
    Some(table)
}

impl<'t> Cursor<'t> {
    /// Reads a column: `id INTEGER PRIMARY KEY`.
    fn column(&mut self, table: &mut TableDefinition<'t>) -> Option<()> {
        let name = self.name()?;
        let declared_type = self.declared_type()?;
        let position = table.columns.len();
        table.columns.push(ColumnDefinition {
            name,
            declared_type,
            collation: None,
            not_null: false,
            default_is_null: true,
        });
        let mut has_default = false;
        while !self.is_character(b',') && !self.is_character(b')') {
            let constraint = self.constraint_name()?;
            let column = &mut table.columns[position];
            match self.keyword()? {
                "NOT" if self.accept("NULL") => {
                    self.conflict_clause()?;
                    column.not_null = true;
                }
                "NULL" => self.conflict_clause()?,
                "DEFAULT" if !has_default => {
                    has_default = true;
                    column.default_is_null = self.is_default_null()?;
                }
                "COLLATE" if column.collation.is_none() => column.collation = Some(self.name()?),
                "PRIMARY" if table.primary_key.is_empty() => {
                    self.expect("KEY")?;
                    self.accept("ASC");
                    self.accept("AUTOINCREMENT");
                    table.primary_key.push(position);
                    table.keys.push(KeyDefinition { primary: true, columns: vec![position] });
                }
                "UNIQUE" => table.keys.push(KeyDefinition { primary: false, columns: vec![position] }),
                "CHECK" => _ = self.parentheses()?,
                "REFERENCES" => {
                    let reference = self.reference(constraint, vec![position])?;
                    table.references.push(reference);
                }
                "NOT" if constraint.is_none() => {
                    self.expect("DEFERRABLE")?;
                    self.deferral(true, &mut table.references)?;
                }
                "DEFERRABLE" if constraint.is_none() => self.deferral(false, &mut table.references)?,
                _ => return None,
            }
        }
        Some(())
    }

    /// Reads a constraint after the columns: `UNIQUE (a, b)`.
    fn table_constraint(&mut self, table: &mut TableDefinition<'t>) -> Option<()> {
        let constraint = self.constraint_name()?;
        match self.keyword()? {
            "PRIMARY" if table.primary_key.is_empty() => {
                self.expect("KEY")?;
                let columns = self.key_columns(table)?;
                table.primary_key.clone_from(&columns);
                table.keys.push(KeyDefinition { primary: true, columns });
            }
            "UNIQUE" => {
                let columns = self.key_columns(table)?;
                table.keys.push(KeyDefinition { primary: false, columns });
            }
            "CHECK" => _ = self.parentheses()?,
            "FOREIGN" => {
                self.expect("KEY")?;
                let columns = self.list(|cursor| position(table, cursor.name()?))?;
                self.expect("REFERENCES")?;
                let reference = self.reference(constraint, columns)?;
                table.references.push(reference);
                let is_negated = self.accept("NOT");
                if is_negated || self.is_any(&["DEFERRABLE"]) {
                    self.expect("DEFERRABLE")?;
                    self.deferral(is_negated, &mut table.references)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Reads the columns of a key, of which none may be repeated.
    fn key_columns(&mut self, table: &TableDefinition<'t>) -> Option<Vec<usize>> {
        let columns = self.list(|cursor| {
            let column = position(table, cursor.column_of_key()?);
            cursor.accept("ASC");
            column
        })?;
        let is_repeated = |index: usize| columns[..index].contains(&columns[index]);
        if (0..columns.len()).any(is_repeated) { None } else { Some(columns) }
    }

    /// Reads a column's name where SQLite reads an expression.
    fn column_of_key(&mut self) -> Option<&'t str> {
        if self.is_any(&EXPRESSIONS) { None } else { self.name() }
    }

    /// Reads the part of a foreign key after `REFERENCES`.
    fn reference(&mut self, name: Option<&'t str>, columns: Vec<usize>) -> Option<ReferenceDefinition<'t>> {
        let parent = self.name()?;
        let parent_columns = if self.is_character(b'(') { Some(self.list(Cursor::name)?) } else { None };
        let (mut on_delete, mut on_update) = (Action::NoAction, Action::NoAction);
        loop {
            if self.accept("MATCH") {
                self.name()?;
            } else if self.accept("ON") {
                if self.accept("DELETE") {
                    on_delete = self.action()?;
                } else {
                    self.expect("UPDATE")?;
                    on_update = self.action()?;
                }
            } else {
                return Some(ReferenceDefinition {
                    name,
                    columns,
                    parent,
                    parent_columns,
                    on_delete,
                    on_update,
                    deferred: false,
                });
            }
        }
    }

    fn action(&mut self) -> Option<Action> {
        if self.accept("SET") {
            if self.accept("NULL") {
                return Some(Action::SetNull);
            }
            self.expect("DEFAULT")?;
            return Some(Action::SetDefault);
        }
        if self.accept("CASCADE") {
            return Some(Action::Cascade);
        }
        if self.accept("RESTRICT") {
            return Some(Action::Restrict);
        }
        self.expect("NO")?;
        self.expect("ACTION")?;
        Some(Action::NoAction)
    }

    /// Reads the part after `[NOT] DEFERRABLE`, which belongs to the last foreign key before it.
    fn deferral(&mut self, is_negated: bool, references: &mut [ReferenceDefinition<'t>]) -> Option<()> {
        let mut deferred = false;
        if self.accept("INITIALLY") {
            deferred = self.accept("DEFERRED");
            if !deferred {
                self.expect("IMMEDIATE")?;
            }
        }
        let last = references.last_mut().filter(|last| !last.deferred)?;
        last.deferred = deferred && !is_negated;
        Some(())
    }

    /// Reads a `CONSTRAINT name`, if one is next.
    fn constraint_name(&mut self) -> Option<Option<&'t str>> {
        if self.accept("CONSTRAINT") { self.name().map(Some) } else { Some(None) }
    }

    fn conflict_clause(&mut self) -> Option<()> {
        if self.accept("ON") {
            self.expect("CONFLICT")?;
            self.name()?;
        }
        Some(())
    }

    /// Reads a default. Returns true if it is NULL.
    fn is_default_null(&mut self) -> Option<bool> {
        if self.is_character(b'(') {
            return self.parentheses().map(|inner| inner.trim_ascii().eq_ignore_ascii_case("NULL"));
        }
        if self.accept_character(b'+') || self.accept_character(b'-') {
            return self.take().filter(|token| token.kind == Kind::Number).map(|_| false);
        }
        let token = self.take()?;
        let follows = self.tokens.get(self.next).filter(|next| next.start == token.end);
        match (token.kind, follows.map(|next| next.kind)) {
            // A blob, or another token that continues the word.
            (Kind::Word, Some(Kind::String | Kind::Quoted | Kind::Punctuation(b'(' | b'.'))) => None,
            (Kind::Word, _) => Some(token.text.eq_ignore_ascii_case("NULL")),
            (Kind::Quoted | Kind::String | Kind::Number, _) => Some(false),
            (Kind::Punctuation(_), _) => None,
        }
    }

    /// Takes the keyword that begins a clause, in capital letters.
    fn keyword(&mut self) -> Option<&'static str> {
        let word = self.take().filter(|token| token.kind == Kind::Word)?.text;
        COLUMN_CLAUSES.iter().chain(&TABLE_CLAUSES).find(|clause| clause.eq_ignore_ascii_case(word)).copied()
    }

    /// Reads a type, which can be empty. Returns it as SQLite reports it.
    fn declared_type(&mut self) -> Option<&'t str> {
        let first = self.next;
        while let Some(token) = self.peek().filter(|token| token.kind == Kind::Word) {
            if self.is_any(&COLUMN_CLAUSES) {
                break;
            }
            // SQLite can take GENERATED ALWAYS for words of the type, and cuts them off its text, inside of words too.
            let is_cut_off = token.text.to_ascii_lowercase().ends_with("always");
            if is_cut_off || ["GENERATED", "AS"].iter().any(|word| token.text.eq_ignore_ascii_case(word)) {
                return None;
            }
            self.next += 1;
        }
        if self.next == first {
            return Some("");
        }
        if self.is_character(b'(') {
            self.next += 1;
            while !self.is_character(b')') {
                let token = self.take()?;
                if !matches!(token.kind, Kind::Number | Kind::Punctuation(b'+' | b'-' | b',')) {
                    return None;
                }
            }
            self.next += 1;
        }
        let text = &self.text[self.tokens[first].start..self.tokens[self.next - 1].end];
        let standard = STANDARD_TYPES.iter().find(|name| name.eq_ignore_ascii_case(text));
        Some(standard.map_or(text, |name| *name))
    }
}

fn position(table: &TableDefinition<'_>, name: &str) -> Option<usize> {
    table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
}
