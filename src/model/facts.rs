//! Facts about the engines, as data: the differences that code outside an engine's own folder and grammar depends on.
//!
//! Each engine has one `static` in a file of its own, written without `..`, so an engine that leaves out a fact does not
//! compile. Code asks for a fact and never for an engine's name. How an engine writes a statement is not a fact; see the
//! grammars in `sql`.

use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;

mod files;
mod kinds;
mod lexis;
mod mysql;
mod postgres;
mod reserved_words;
mod spark;
mod sqlite;

pub use kinds::Client;
pub use kinds::CounterTable;
pub use kinds::Definitions;
pub use kinds::Equality;
pub use kinds::IndexText;
pub use kinds::Location;
pub use kinds::ParameterStyle;
pub use kinds::ParentKey;
pub use kinds::Recheck;
pub use kinds::ReplicaLag;
pub use kinds::RowAddress;
pub use kinds::TrialKind;
pub use lexis::Escapes;
pub use lexis::Lexis;

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

impl Engine {
    pub fn facts(self) -> &'static Facts {
        match self {
            Engine::Sqlite => &sqlite::SQLITE,
            Engine::Postgres => &postgres::POSTGRES,
            Engine::Mysql => &mysql::MYSQL,
            Engine::Mariadb => &mysql::MARIADB,
            Engine::Files => &files::FILES,
            Engine::Spark => &spark::SPARK,
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
