//! Facts about the engines, as data: the differences that code outside an engine's own folder and grammar depends on.
//!
//! Each engine has one `static`, written without `..`, so an engine that leaves out a fact does not compile. Code asks for
//! a fact and never for an engine's name. How an engine writes a statement is not a fact; see the grammars in `sql`.

use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;

mod reserved_words;

/// All differences between engines that need no SQL statement to express.
#[derive(Debug)]
pub struct Facts {
    /// The name in JSON reports and plans, such as `postgresql`.
    pub name: &'static str,
    /// The name in messages, such as `PostgreSQL`.
    pub title: &'static str,
    /// The schemes of this engine's URLs, in the spellings of all libraries. The first one is the form that help texts
    /// show.
    pub schemes: &'static [&'static str],
    pub location: Location,
    pub client: Client,
    pub trial: TrialKind,
    pub lexis: Lexis,
    /// The mark around a quoted name. Inside the name it is written twice.
    pub quote: char,
    pub placeholder: ParameterStyle,
    /// False and true, in this order.
    pub truth: [&'static str; 2],
    /// The beginning of a literal for bytes. Their hexadecimal digits and a quotation mark follow.
    pub bytes_literal: &'static str,
    /// The join that keeps the order in which its tables are written.
    pub ordered_join: &'static str,
    /// The keyword after `AS` that makes the engine compute a common table expression once; empty if there is none.
    pub materialized: &'static str,
    pub parent_key: ParentKey,
    pub equality: Equality,
    pub rechecks: Recheck,
    pub row_address: RowAddress,
    /// The names under which reports show where a row is, in place of its address.
    pub shown_address: &'static [&'static str],
    pub definitions: Definitions,
    pub unique_index_text: IndexText,
    /// True if the engine stores a value exactly as a statement gives it: no trigger can replace it before it is stored.
    pub stores_as_written: bool,
    /// True if a query of a rule can return several columns and refer to the current row.
    pub wide_rule_queries: bool,
    /// True if a session can disable triggers.
    pub can_silence_triggers: bool,
    pub replica_lag: ReplicaLag,
    /// True if an engine's refusal of a row contains the row's number or its values.
    pub refusals_name_rows: bool,
    /// The greatest depth of a cascade; `None` if it depends on settings.
    pub cascade_levels: Option<u32>,
    /// The table in which the engine keeps the last key of each autoincrement column.
    pub counters: Option<CounterTable>,
    /// The prefix of the names of the engine's own tables.
    pub own_tables: Option<&'static str>,
    /// The command that rebuilds an index. The name of the index follows.
    pub rebuild_index: Option<&'static str>,
    /// The reason why a scan excludes a table whose rows are not stored in the database.
    pub virtual_table: &'static str,
    /// The clause of an INSERT that resolves a conflict with an existing key.
    pub on_conflict: &'static str,
}

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

/// The lexical rules of an engine's SQL.
#[derive(Debug)]
pub struct Lexis {
    /// `[a name]`
    pub brackets: bool,
    /// `$tag$ a text $tag$`
    pub dollar_quotes: bool,
    /// `/* a comment /* inside */ another */`
    pub nested_comments: bool,
    /// `# a comment`
    pub hash_comments: bool,
    /// `/*! SQL that this engine executes */`
    pub executable_comments: bool,
    pub escapes: Escapes,
    /// True if the engine folds an unquoted name to lower case.
    pub folds_names: bool,
    /// True if names of columns are equal whatever their case.
    pub columns_ignore_case: bool,
    /// True if words such as `LOW_PRIORITY` may stand before the table of a statement, and `INSERT` needs no `INTO`.
    pub statement_modifiers: bool,
    /// True if `DELETE FROM t USING u` reads other tables and deletes from `t` alone.
    pub delete_using: bool,
    /// True if an UPDATE may write `t.a = 1`, and its later expressions use the values that earlier ones assigned.
    pub assigns_in_order: bool,
}

/// The strings in which a backslash escapes the next character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    Never,
    /// In strings such as `E'it\'s'`.
    AfterE,
    Always,
}

const SQLITE_LEXIS: Lexis = Lexis {
    brackets: true,
    dollar_quotes: false,
    nested_comments: false,
    hash_comments: false,
    executable_comments: false,
    escapes: Escapes::Never,
    folds_names: false,
    columns_ignore_case: true,
    statement_modifiers: false,
    delete_using: false,
    assigns_in_order: false,
};

static SQLITE: Facts = Facts {
    name: "sqlite",
    title: "SQLite",
    schemes: &["sqlite", "sqlite3", "file", "spatialite"],
    location: Location::File,
    client: Client::File,
    trial: TrialKind::Copy,
    lexis: SQLITE_LEXIS,
    quote: '"',
    placeholder: ParameterStyle::Numbered('?'),
    truth: ["0", "1"],
    bytes_literal: "X'",
    ordered_join: "CROSS JOIN",
    materialized: "MATERIALIZED",
    parent_key: ParentKey::JudgedHere,
    equality: Equality::OfEngine,
    rechecks: Recheck::NamedKey,
    row_address: RowAddress::Lasting(&["rowid", "_rowid_", "oid"]),
    shown_address: &[],
    definitions: Definitions::InTransaction,
    unique_index_text: IndexText::Terms,
    stores_as_written: true,
    wide_rule_queries: true,
    can_silence_triggers: true,
    replica_lag: ReplicaLag::Nowhere,
    refusals_name_rows: false,
    cascade_levels: Some(1000),
    counters: Some(CounterTable { table: "sqlite_sequence", address: "rowid", name: "name", value: "seq" }),
    own_tables: Some("sqlite_"),
    rebuild_index: Some("on a copy: REINDEX"),
    virtual_table: "a virtual table: its rows come from a module's code, which is not run",
    on_conflict: "ON CONFLICT",
};

/// Statements about files run in a private database of SQLite, so their SQL is SQLite's.
static FILES: Facts = Facts {
    name: "files",
    title: "Files",
    schemes: &["files"],
    location: Location::Folder,
    client: Client::File,
    trial: TrialKind::Copy,
    lexis: SQLITE_LEXIS,
    quote: '"',
    placeholder: ParameterStyle::Numbered('?'),
    truth: ["0", "1"],
    bytes_literal: "X'",
    ordered_join: "CROSS JOIN",
    materialized: "MATERIALIZED",
    parent_key: ParentKey::ByEngine,
    equality: Equality::OfFiles,
    rechecks: Recheck::NamedKey,
    row_address: RowAddress::Lasting(&["rowid", "_rowid_", "oid"]),
    shown_address: &["file", "row"],
    definitions: Definitions::InTransaction,
    unique_index_text: IndexText::Other,
    stores_as_written: true,
    wide_rule_queries: false,
    can_silence_triggers: false,
    replica_lag: ReplicaLag::Nowhere,
    refusals_name_rows: false,
    cascade_levels: None,
    counters: None,
    own_tables: None,
    rebuild_index: None,
    virtual_table: "its rows are not in the folder",
    on_conflict: "ON CONFLICT",
};

static POSTGRES: Facts = Facts {
    name: "postgresql",
    title: "PostgreSQL",
    schemes: &["postgres", "postgresql", "psql", "pgsql", "postgis", "timescale", "timescalegis"],
    location: Location::Server,
    client: Client::Libpq,
    trial: TrialKind::OnServer,
    lexis: Lexis {
        brackets: false,
        dollar_quotes: true,
        nested_comments: true,
        hash_comments: false,
        executable_comments: false,
        escapes: Escapes::AfterE,
        folds_names: true,
        columns_ignore_case: false,
        statement_modifiers: false,
        delete_using: true,
        assigns_in_order: false,
    },
    quote: '"',
    placeholder: ParameterStyle::Numbered('$'),
    truth: ["false", "true"],
    bytes_literal: "'\\x",
    ordered_join: "JOIN",
    materialized: "MATERIALIZED",
    parent_key: ParentKey::ByEngine,
    equality: Equality::OfEngine,
    rechecks: Recheck::ChangedKey,
    row_address: RowAddress::Moving("ctid"),
    shown_address: &[],
    definitions: Definitions::InTransaction,
    unique_index_text: IndexText::TermsWithClasses,
    stores_as_written: false,
    wide_rule_queries: true,
    can_silence_triggers: true,
    replica_lag: ReplicaLag::OnPrimary,
    refusals_name_rows: true,
    cascade_levels: None,
    counters: None,
    own_tables: None,
    rebuild_index: Some("REINDEX INDEX CONCURRENTLY"),
    virtual_table: "reading it would ask another server, or run code that a user wrote",
    on_conflict: "ON CONFLICT",
};

static SPARK: Facts = Facts {
    name: "spark",
    title: "Spark",
    schemes: &["sc"],
    location: Location::Cluster,
    client: Client::Url,
    trial: TrialKind::OnServer,
    lexis: Lexis {
        brackets: false,
        dollar_quotes: false,
        nested_comments: true,
        hash_comments: false,
        executable_comments: false,
        escapes: Escapes::Always,
        folds_names: false,
        columns_ignore_case: true,
        statement_modifiers: false,
        delete_using: false,
        assigns_in_order: false,
    },
    quote: '`',
    placeholder: ParameterStyle::Question,
    truth: ["FALSE", "TRUE"],
    bytes_literal: "X'",
    ordered_join: "JOIN",
    materialized: "",
    parent_key: ParentKey::ByEngine,
    equality: Equality::OfFiles,
    rechecks: Recheck::NamedKey,
    row_address: RowAddress::None,
    shown_address: &[],
    definitions: Definitions::AtOnce,
    unique_index_text: IndexText::Other,
    stores_as_written: false,
    wide_rule_queries: false,
    can_silence_triggers: false,
    replica_lag: ReplicaLag::Nowhere,
    refusals_name_rows: false,
    cascade_levels: None,
    counters: None,
    own_tables: None,
    rebuild_index: None,
    virtual_table: "its rows are not in the files",
    on_conflict: "ON CONFLICT",
};

static MYSQL: Facts = mysql("mysql", "MySQL", &["mysql", "mysql2", "mysqlgis", "mysql-connector", "trilogy"]);
static MARIADB: Facts = mysql("mariadb", "MariaDB", &["mariadb"]);

/// MySQL and MariaDB differ in their statements, but in no fact.
const fn mysql(name: &'static str, title: &'static str, schemes: &'static [&'static str]) -> Facts {
    Facts {
        name,
        title,
        schemes,
        location: Location::Server,
        client: Client::Mysql,
        trial: TrialKind::OnServer,
        lexis: Lexis {
            brackets: false,
            dollar_quotes: false,
            nested_comments: false,
            hash_comments: true,
            executable_comments: true,
            escapes: Escapes::Always,
            folds_names: false,
            columns_ignore_case: true,
            statement_modifiers: true,
            delete_using: false,
            assigns_in_order: true,
        },
        quote: '`',
        placeholder: ParameterStyle::Question,
        truth: ["FALSE", "TRUE"],
        bytes_literal: "X'",
        ordered_join: "STRAIGHT_JOIN",
        materialized: "",
        parent_key: ParentKey::ByEngine,
        equality: Equality::OfEngine,
        rechecks: Recheck::MovedRow,
        row_address: RowAddress::None,
        shown_address: &[],
        definitions: Definitions::AtOnce,
        unique_index_text: IndexText::Other,
        stores_as_written: false,
        wide_rule_queries: false,
        can_silence_triggers: false,
        replica_lag: ReplicaLag::OnReplica,
        refusals_name_rows: true,
        cascade_levels: Some(15),
        counters: None,
        own_tables: None,
        rebuild_index: None,
        virtual_table: "reading it would ask another server, or run code that a user wrote",
        on_conflict: "ON DUPLICATE KEY UPDATE",
    }
}

impl Engine {
    pub fn facts(self) -> &'static Facts {
        match self {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
            Engine::Mysql => &MYSQL,
            Engine::Mariadb => &MARIADB,
            Engine::Files => &FILES,
            Engine::Spark => &SPARK,
        }
    }

    /// Returns the name in JSON reports and plans.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Returns the name in messages.
    pub fn title(self) -> &'static str {
        self.facts().title
    }
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

impl Facts {
    /// Returns a name as an identifier, whatever it contains.
    pub fn quoted(&self, name: &str) -> String {
        let mut quoted = String::with_capacity(name.len() + 2);
        quoted.push(self.quote);
        for character in name.chars() {
            quoted.push(character);
            if character == self.quote {
                quoted.push(character);
            }
        }
        quoted.push(self.quote);
        quoted
    }

    /// Returns a table's name as identifiers, with its schema unless it is the default.
    pub fn quoted_table(&self, name: &TableName) -> String {
        match &name.schema {
            Some(schema) => format!("{}.{}", self.quoted(schema), self.quoted(&name.table)),
            None => self.quoted(&name.table),
        }
    }

    /// Returns a name for a statement that people read: quoted only if the engine would misread it otherwise.
    pub fn readable(&self, name: &str) -> String {
        let is_letter =
            |c: char| c.is_ascii_lowercase() || c == '_' || (!self.lexis.folds_names && c.is_ascii_uppercase());
        let is_plain = name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit());
        let is_reserved = reserved_words::RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name));
        if is_plain && !is_reserved { name.to_owned() } else { self.quoted(name) }
    }

    /// True if no command of fk-doctor changes a database of this engine.
    pub fn is_read_only(&self) -> bool {
        matches!(self.location, Location::Folder | Location::Cluster)
    }

    /// True if the table is one of the engine's own.
    pub fn owns(&self, table: &Table) -> bool {
        self.own_tables.is_some_and(|prefix| table.name.table.starts_with(prefix))
    }

    /// True if a change of a definition is committed at once, with all changes before it.
    pub fn defines_at_once(&self) -> bool {
        self.definitions == Definitions::AtOnce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_share_no_name_and_no_scheme() {
        let mut names: Vec<&str> = Vec::new();
        for engine in Engine::ALL {
            let facts = engine.facts();
            names.push(facts.title);
            names.extend(facts.schemes);
            names.extend(Some(facts.name).filter(|name| !facts.schemes.contains(name)));
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{names:?}");
    }

    #[test]
    fn quoted_name_keeps_its_quotation_marks() {
        assert_eq!(Engine::Postgres.facts().quoted("a\"b`c"), "\"a\"\"b`c\"");
        assert_eq!(Engine::Mariadb.facts().quoted("a\"b`c"), "`a\"b``c`");
        let name = TableName { schema: Some("my s".to_owned()), table: "t".to_owned() };
        assert_eq!(Engine::Sqlite.facts().quoted_table(&name), "\"my s\".\"t\"");
    }

    #[test]
    fn readable_name_is_quoted_only_if_necessary() {
        for (engine, name, readable) in [
            (Engine::Sqlite, "Users_1", "Users_1"),
            (Engine::Postgres, "Users_1", "\"Users_1\""),
            (Engine::Mysql, "order", "`order`"),
            (Engine::Mysql, "1st", "`1st`"),
        ] {
            assert_eq!(engine.facts().readable(name), readable);
        }
    }
}
