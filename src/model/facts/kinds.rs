//! The kinds of a property in which engines differ.

/// The location of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// A file, which fk-doctor can copy and lock.
    File,
    /// A folder of files, which fk-doctor only reads.
    Folder,
    /// A server, to which other programs are connected.
    Server,
    /// A cluster, which reads files and tables of its catalog. fk-doctor only reads.
    Cluster,
}

/// The clients whose addresses, environment variables and settings files fk-doctor understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Libraries that open a file.
    File,
    /// PostgreSQL's own clients, and the libraries that follow them.
    Libpq,
    /// The clients of MySQL and MariaDB.
    Mysql,
    /// There are no conventions beyond the URL.
    Url,
}

/// The way in which `explain` and `check` try statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialKind {
    /// On a private copy of the database file, or in the file itself inside a transaction that is rolled back.
    Copy,
    /// In the database itself, inside a transaction that is rolled back.
    OnServer,
}

/// The notation of a statement's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterStyle {
    /// A sign and the parameter's position from 1, such as `$1`.
    Numbered(char),
    /// A question mark. Its position in the statement is the parameter's.
    Question,
}

/// The party that finds the unique key to which a foreign key refers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentKey {
    /// The engine accepts any declaration, so fk-doctor judges it.
    JudgedHere,
    /// The engine refuses a declaration without such a key, and keeps the key from being dropped.
    ByEngine,
}

/// The authority on whether two values are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Equality {
    /// The engine, which is asked in SQL.
    OfEngine,
    /// The table of types in the book, because there is no engine to ask, or because engines disagree. Only the reader of the
    /// storage knows it.
    OfFiles,
}

/// The references of a row that the engine checks again after an UPDATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recheck {
    /// Every key that the UPDATE assigns, even if its value stays.
    NamedKey,
    /// Every key whose value changes.
    ChangedKey,
    /// Every key whose value changes, and all keys of a row whose primary key changes.
    MovedRow,
}

/// The address of a row that has no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowAddress {
    /// A row keeps its address as long as it exists. Statements can use any of these names; the best is first.
    Lasting(&'static [&'static str]),
    /// The address has this name, and an update of the row changes it.
    Moving(&'static str),
    None,
}

/// The time at which a change of a definition is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definitions {
    /// With its transaction.
    InTransaction,
    /// At once, together with all changes before it.
    AtOnce,
}

/// The form of a unique index in the engine's own catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexText {
    /// `CREATE UNIQUE INDEX` with terms that end with their order, such as `lower(a) DESC`.
    Terms,
    /// `CREATE UNIQUE INDEX` with terms that have an operator class before their order, such as `a text_pattern_ops DESC`.
    TermsWithClasses,
    /// No statement.
    Other,
}

/// The server that can say how far a replica is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaLag {
    /// There are no replicas.
    Nowhere,
    /// The server that is written to knows its replicas.
    OnPrimary,
    /// Each replica knows its own lag, and has to be named.
    OnReplica,
}

/// A table with a row for each autoincrement column, and the names of its own columns.
#[derive(Debug)]
pub struct CounterTable {
    pub table: &'static str,
    /// The row address.
    pub address: &'static str,
    /// The column with the name of the table.
    pub name: &'static str,
    /// The column with the last key.
    pub value: &'static str,
}

impl RowAddress {
    /// Returns the best name under which statements can ask for a row's address.
    pub fn name(self) -> Option<&'static str> {
        match self {
            RowAddress::Lasting(names) => names.first().copied(),
            RowAddress::Moving(name) => Some(name),
            RowAddress::None => None,
        }
    }
}
