//! The definitions of a database as an engine reads them. Names are not resolved yet, and keys are not judged yet.

use crate::model::ids::IdVec;
use crate::model::ids::TableId;

/// All definitions of a database that fk-doctor uses.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub database: DatabaseName,
    pub names: NameRule,
    pub tables: Tables,
    pub foreign_keys: Vec<ForeignKey>,
}

/// The database, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseName {
    pub engine: Engine,
    pub name: String,
    pub version: String,
    /// The schema of tables that are named without a schema; `None` if the engine has no schemas.
    pub default_schema: Option<String>,
}

/// Defines [`Engine`] and the list of its variants together, so that no engine can be missing from the list.
macro_rules! engines {
    ($($(#[$about:meta])* $engine:ident,)*) => {
        /// A database engine. [`crate::model::facts`] describes each of them.
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
    /// A folder of Parquet and text files.
    Files,
    /// A cluster that speaks Spark Connect.
    Spark,
}

/// The rule by which two names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    Exact,
    /// Case is ignored for the letters `A` to `Z` only, as in SQLite: `É` and `é` are two names.
    AsciiCaseless,
}

impl NameRule {
    /// True if both texts are the same name.
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

impl TableName {
    /// True if reports write the name like this text.
    pub fn is_written(&self, text: &str, rule: NameRule) -> bool {
        let Some(schema) = &self.schema else { return rule.same(&self.table, text) };
        let parts = text.split_at_checked(schema.len()).and_then(|(of, rest)| Some((of, rest.strip_prefix('.')?)));
        parts.is_some_and(|(of, table)| rule.same(schema, of) && rule.same(&self.table, table))
    }
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
    /// The name of the row address, such as `rowid`; `None` if there is no address or a column hides it.
    pub row_address: Option<String>,
    /// True if a row keeps its address until it is deleted. False if an update can change the address.
    pub address_lasts: bool,
    /// The column that stores the row address, such as an INTEGER PRIMARY KEY in SQLite.
    pub address_column: Option<usize>,
    pub storage: Storage,
    /// The reason why this table cannot have foreign keys, such as its storage engine or its partitions.
    pub without_foreign_keys: Option<String>,
    /// The reason why changes of its rows cannot be tried or undone, such as its storage engine or its history.
    pub irreversible: Option<String>,
    /// Its partitions at any depth, if statements can name them as tables.
    pub partitions: Vec<TableName>,
    /// How its rows come to lie on other servers, such as `is a foreign table`; see [`crate::model::remote`].
    pub remote: Option<String>,
    /// The reason why its rows cannot be read at all. Relations to it are unchecked.
    pub unreadable: Option<String>,
    /// False if the engine accepts NULL in every nullable column. True if a condition may refuse it, such as a CHECK
    /// constraint, or if this is unknown.
    pub has_conditions: bool,
}

impl Table {
    /// Returns a table without columns, which any transaction can change and undo.
    pub fn new(name: TableName, kind: TableKind) -> Table {
        Table {
            name,
            kind,
            columns: Vec::new(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            row_address: None,
            address_lasts: false,
            address_column: None,
            storage: Storage::Transactional,
            without_foreign_keys: None,
            irreversible: None,
            partitions: Vec::new(),
            remote: None,
            unreadable: None,
            has_conditions: true,
        }
    }

    /// True if the primary key or a unique index has exactly these columns, in any order.
    pub fn has_key(&self, columns: &[usize]) -> bool {
        are_same(&self.primary_key, columns) || self.indexes.iter().any(|index| index.is_key_of(columns))
    }

    /// Returns the name of the row address, if a row keeps its address until it is deleted.
    pub fn lasting_address(&self) -> Option<&str> {
        self.row_address.as_deref().filter(|_| self.address_lasts)
    }

    /// Returns the name of the storage engine, if a rollback does not undo changes of its rows.
    pub fn lasting_storage(&self) -> Option<&str> {
        match &self.storage {
            Storage::Transactional => None,
            Storage::Lasting(engine) => Some(engine),
        }
    }

    /// Returns the columns of a key that identifies every row: the primary key or, if rows have no lasting address, another
    /// unique key. Empty if there is no such key without nullable columns.
    pub fn naming_key(&self) -> Vec<usize> {
        let lasts = self.lasting_address().is_some();
        let never_null =
            |columns: &Vec<usize>| !columns.is_empty() && columns.iter().all(|&column| self.columns[column].not_null);
        let others = self.indexes.iter().filter(|index| index.unique && !index.partial && !lasts);
        let others = others.filter_map(|index| index.columns.iter().map(|part| part.column).collect());
        std::iter::once(self.primary_key.clone()).chain(others).find(never_null).unwrap_or_default()
    }
}

/// The transaction support of a table's storage engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    Transactional,
    /// The name of a storage engine without rollback, such as `MyISAM`.
    Lasting(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    Table,
    /// A table whose rows are stored in its partitions.
    Partitioned,
    View,
    /// A table whose rows come from a module's code or from another server. A scan does not read it.
    Virtual,
    /// A table in which a virtual table stores its data.
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
    /// True if an UPDATE can set the column only to its DEFAULT, such as one that is GENERATED ALWAYS AS IDENTITY.
    pub always_identity: bool,
    /// The type with its operators and collation, on engines that keep these in schemas.
    pub sql_type: Option<SqlType>,
}

impl Column {
    /// Returns a column of which only the name is known.
    pub fn unknown(name: String) -> Column {
        Column {
            name,
            declared_type: String::new(),
            family: Family::Untyped,
            collation: None,
            not_null: false,
            generated: false,
            always_identity: false,
            sql_type: None,
        }
    }

    /// Returns the reason why no UPDATE can set the column to a value of its own, as the rest of a sentence about it.
    pub fn why_not_set(&self) -> Option<&'static str> {
        if self.generated {
            return Some("is a generated column and cannot be set");
        }
        self.always_identity.then_some("is GENERATED ALWAYS AS IDENTITY, and an UPDATE can set it only to its DEFAULT")
    }
}

/// A name inside a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualifiedName {
    pub schema: String,
    pub name: String,
}

/// A column's type, on engines that keep types, operators and collations in schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlType {
    /// The type below all domains.
    pub base: QualifiedName,
    /// The equality operator of the type.
    pub equality: QualifiedName,
    pub collation: Option<QualifiedName>,
    /// False if the collation can find texts equal that differ in their bytes.
    pub deterministic: bool,
    /// True if a value of the type becomes the text that it is wherever a text is expected, as `citext` does.
    pub becomes_text: bool,
    /// True for a row type. `IS NOT NULL` is false for a row that contains a NULL, although the row itself is not NULL.
    pub composite: bool,
}

/// The operator that compares a child's column with its parent's, on engines that have several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub operator: QualifiedName,
    /// The operand types of the operator, if they differ from the types of the columns.
    pub parent_type: Option<QualifiedName>,
    pub child_type: Option<QualifiedName>,
    pub collation: Option<QualifiedName>,
}

/// The conversion that the engine applies to a column's values before it compares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Family {
    Integer,
    Numeric,
    Real,
    Text,
    /// No conversion.
    Untyped,
}

/// An index. A table that stores its rows in key order is an index too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    pub name: String,
    pub columns: Vec<IndexColumn>,
    pub unique: bool,
    pub partial: bool,
    pub primary: bool,
    /// True if the index is stored apart from the table, so that the two can disagree after damage.
    pub separate: bool,
}

impl Index {
    /// True if the index is the key of exactly these columns, in any order.
    pub fn is_key_of(&self, columns: &[usize]) -> bool {
        let indexed: Option<Vec<usize>> = self.columns.iter().map(|part| part.column).collect();
        self.unique && !self.partial && indexed.is_some_and(|indexed| are_same(&indexed, columns))
    }

    /// True if the index holds all rows and begins with these columns, in any order.
    pub fn begins_with(&self, columns: &[usize]) -> bool {
        let first = &self.columns[..self.columns.len().min(columns.len())];
        let is_first = |&column: &usize| first.iter().any(|part| part.column == Some(column));
        !self.partial && columns.iter().all(is_first)
    }
}

/// True if two lists have the same columns, in any order.
fn are_same(left: &[usize], right: &[usize]) -> bool {
    let sorted = |columns: &[usize]| {
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        columns
    };
    sorted(left) == sorted(right)
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
    /// The child, an id of [`Catalog::tables`].
    pub child: TableId,
    pub columns: Vec<String>,
    pub parent: TableName,
    /// `None` if the declaration names no columns and so refers to the parent's primary key.
    pub parent_columns: Option<Vec<String>>,
    pub on_delete: Action,
    /// The columns that SET NULL or SET DEFAULT changes; empty means all.
    pub on_delete_columns: Vec<String>,
    pub on_update: Action,
    pub match_rule: Match,
    pub deferrable: bool,
    /// The comparison of each column; empty on engines that have only one equality operator.
    pub comparisons: Vec<Comparison>,
    /// The ways in which the engine does not enforce this key.
    pub flaws: Vec<Flaw>,
    /// The reason why its rows cannot be compared, if the engine reports one.
    pub incomparable: Option<String>,
}

/// A way in which an engine does not enforce a declared key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The engine has never checked the rows that are older than the key.
    NotValidated,
    /// The engine does not check writes.
    NotEnforced,
    /// The triggers that enforce the key are disabled on these tables.
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

    /// Returns the action as SQL spells it.
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

/// The meaning of a NULL in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// A row with any NULL in its key refers to no parent.
    Simple,
    /// A row whose key is all NULL refers to no parent. A row with some NULLs violates the key.
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
