//! What an engine read of a database's definitions, as it read it: names are not yet resolved, keys not yet judged.

use crate::model::ids::IdVec;
use crate::model::ids::TableId;

/// Everything an engine knows about the definitions in a database.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub database: DatabaseName,
    pub names: NameRule,
    pub tables: Tables,
    pub foreign_keys: Vec<ForeignKey>,
}

/// Which database was looked at, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseName {
    pub engine: Engine,
    pub name: String,
    pub version: String,
    /// The schema of tables that are named without one; none where there are no schemas.
    pub default_schema: Option<String>,
}

/// Defines [`Engine`] and the list of its variants together, so that no engine can be missing from the list.
macro_rules! engines {
    ($($(#[$about:meta])* $engine:ident,)*) => {
        /// A database engine. What is known about it stands in [`crate::model::facts`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Engine {
            $($(#[$about])* $engine,)*
        }

        impl Engine {
            pub const ALL: &[Engine] = &[$(Engine::$engine,)*];
        }
    };
}

engines! {
    Sqlite,
    Postgres,
    Mysql,
    /// A fork of MySQL with statements and servers of its own.
    Mariadb,
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

pub type Tables = IdVec<TableId, Table>;

/// A table's name; `schema` is `None` in the default schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// True if a row keeps that address until it is deleted; false if a change gives it another one.
    pub address_lasts: bool,
    /// The column that is the address itself, such as an INTEGER PRIMARY KEY in SQLite.
    pub address_column: Option<usize>,
    pub storage: Storage,
    /// Why the engine keeps no foreign key on this table, if it does not: its storage engine, its partitions.
    pub without_foreign_keys: Option<String>,
    /// Why a change of its rows could not be tried or taken back, where that is so: its storage engine, its history.
    pub irreversible: Option<String>,
    /// Its partitions at any depth, where statements can name them as tables.
    pub partitions: Vec<TableName>,
}

impl Table {
    /// Returns the name of the row's address, if a row keeps it until it is deleted.
    pub fn lasting_address(&self) -> Option<&str> {
        self.row_address.as_deref().filter(|_| self.address_lasts)
    }

    /// Returns the storage engine, if changes of the table's rows stay when their transaction is rolled back.
    pub fn lasting_storage(&self) -> Option<&str> {
        match &self.storage {
            Storage::Transactional => None,
            Storage::Lasting(engine) => Some(engine),
        }
    }

    /// The columns by which every row can be told from all others for good: the primary key, or, where a row has no address
    /// that lasts, another unique key. Empty where a part of it may be NULL.
    pub fn naming_key(&self) -> Vec<usize> {
        let lasts = self.lasting_address().is_some();
        let never_null =
            |columns: &Vec<usize>| !columns.is_empty() && columns.iter().all(|&column| self.columns[column].not_null);
        let others = self.indexes.iter().filter(|index| index.unique && !index.partial && !lasts);
        let others = others.filter_map(|index| index.columns.iter().map(|part| part.column).collect());
        std::iter::once(self.primary_key.clone()).chain(others).find(never_null).unwrap_or_default()
    }
}

/// How a table's rows are stored, as far as transactions are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    Transactional,
    /// A storage engine whose changes stay when their transaction is rolled back, by its name, such as `MyISAM`.
    Lasting(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    Table,
    /// A table whose rows are those of its partitions.
    Partitioned,
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
    /// What is needed to compare the column, on engines whose types bring operators of their own.
    pub sql_type: Option<SqlType>,
}

/// A name inside a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualifiedName {
    pub schema: String,
    pub name: String,
}

/// A column's type where types, operators and collations live in schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlType {
    /// The type beneath any domain.
    pub base: QualifiedName,
    /// The operator under which two values of the type are equal.
    pub equality: QualifiedName,
    pub collation: Option<QualifiedName>,
    /// A row type: it may be not NULL and hold NULLs, and then `IS NOT NULL` says otherwise.
    pub composite: bool,
}

/// How a child's column is compared with its parent's, where the engine leaves a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub operator: QualifiedName,
    /// The types that the operator takes, where they are not the columns' own.
    pub parent_type: Option<QualifiedName>,
    pub child_type: Option<QualifiedName>,
    pub collation: Option<QualifiedName>,
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
    /// The child, among [`Catalog::tables`].
    pub child: TableId,
    pub columns: Vec<String>,
    pub parent: TableName,
    /// `None` where the declaration leaves them out and the parent's primary key is meant.
    pub parent_columns: Option<Vec<String>>,
    pub on_delete: Action,
    /// The columns that SET NULL or SET DEFAULT changes; empty for all of them.
    pub on_delete_columns: Vec<String>,
    pub on_update: Action,
    pub match_rule: Match,
    pub deferrable: bool,
    /// One for each column, on engines that leave a choice; else empty.
    pub comparisons: Vec<Comparison>,
    /// What the engine itself says against this key.
    pub flaws: Vec<Flaw>,
    /// Why its rows cannot be compared, if the engine knows that they cannot.
    pub incomparable: Option<String>,
}

/// A way in which an engine does not hold a declared key up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Rows that were there before the key have never been checked.
    NotValidated,
    /// Declared, and not looked at by any write.
    NotEnforced,
    /// The triggers that enforce it are switched off on these tables.
    TriggersDisabled(Vec<String>),
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
    /// All NULL: the row refers to nothing. Some NULL: the row breaks the key.
    Full,
}

impl Match {
    pub const ALL: [Match; 2] = [Match::Simple, Match::Full];

    pub fn name(self) -> &'static str {
        match self {
            Match::Simple => "simple",
            Match::Full => "full",
        }
    }
}
