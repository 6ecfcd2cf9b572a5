//! What an engine read of a database's definitions, as it read it: names are not yet resolved, keys not yet judged.

/// Everything an engine knows about the definitions in a database.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub database: DatabaseName,
    pub names: NameRule,
    pub tables: Vec<Table>,
    pub foreign_keys: Vec<ForeignKey>,
}

/// Which database was looked at, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseName {
    pub engine: Engine,
    pub name: String,
    pub version: String,
}

/// The kinds of database there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
}

impl Engine {
    /// As JSON reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
        }
    }

    /// As people write it.
    pub fn title(self) -> &'static str {
        match self {
            Engine::Sqlite => "SQLite",
        }
    }
}

/// How two names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    Exact,
    /// Only `A`-`Z` fold, as in SQLite: `É` and `é` are two names.
    AsciiCaseless,
}

impl NameRule {
    pub fn same(self, left: &str, right: &str) -> bool {
        match self {
            NameRule::Exact => left == right,
            NameRule::AsciiCaseless => left.eq_ignore_ascii_case(right),
        }
    }
}

/// A table's name; `schema` is `None` in the default schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableName {
    pub schema: Option<String>,
    pub table: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: TableName,
    pub kind: TableKind,
    pub columns: Vec<Column>,
    /// The primary key's columns, in key order.
    pub primary_key: Vec<usize>,
    pub indexes: Vec<Index>,
    /// The name under which the engine gives a row's own address (`rowid`), where there is one and no column hides it.
    pub row_address: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    Table,
    View,
    /// Rows come from a module's code, which a scan does not run.
    Virtual,
    /// The storage behind a virtual table.
    Shadow,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub declared_type: String,
    pub family: Family,
    pub collation: Option<String>,
    pub not_null: bool,
    pub generated: bool,
}

/// How the engine treats a column's values when it compares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Family {
    Integer,
    Numeric,
    Real,
    Text,
    /// No conversion at all: a value is what it is.
    Untyped,
}

/// An index, or the table itself where its rows are stored in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    pub name: String,
    pub columns: Vec<IndexColumn>,
    pub unique: bool,
    pub partial: bool,
    pub primary: bool,
    /// A structure beside the table, which can lose touch with it.
    pub separate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexColumn {
    /// `None` for an expression.
    pub column: Option<usize>,
    pub collation: Option<String>,
}

/// A foreign key as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: Option<String>,
    /// Position of the child in [`Catalog::tables`].
    pub child: usize,
    pub columns: Vec<String>,
    pub parent: TableName,
    /// `None` where the declaration leaves them out and the parent's primary key is meant.
    pub parent_columns: Option<Vec<String>>,
    pub on_delete: Action,
    pub on_update: Action,
    pub match_rule: Match,
    pub deferrable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    NoAction,
    Restrict,
    SetNull,
    SetDefault,
    Cascade,
}

impl Action {
    pub const ALL: [Action; 5] =
        [Action::NoAction, Action::Restrict, Action::SetNull, Action::SetDefault, Action::Cascade];

    /// As SQL spells it.
    pub fn name(self) -> &'static str {
        match self {
            Action::NoAction => "NO ACTION",
            Action::Restrict => "RESTRICT",
            Action::SetNull => "SET NULL",
            Action::SetDefault => "SET DEFAULT",
            Action::Cascade => "CASCADE",
        }
    }
}

/// What a NULL in part of a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Any NULL: the row refers to nothing.
    Simple,
}

impl Match {
    pub const ALL: [Match; 1] = [Match::Simple];

    pub fn name(self) -> &'static str {
        match self {
            Match::Simple => "simple",
        }
    }
}
