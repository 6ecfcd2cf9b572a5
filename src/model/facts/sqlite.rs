//! The facts about SQLite.

use super::Client;
use super::CounterTable;
use super::Definitions;
use super::Equality;
use super::Escapes;
use super::Facts;
use super::IndexText;
use super::Lexis;
use super::Location;
use super::ParameterStyle;
use super::ParentKey;
use super::Recheck;
use super::ReplicaLag;
use super::RowAddress;
use super::TrialKind;

/// The lexical rules of SQLite.
pub(super) const LEXIS: Lexis = Lexis {
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

pub(super) static SQLITE: Facts = Facts {
    name: "sqlite",
    title: "SQLite",
    schemes: &["sqlite", "sqlite3", "file", "spatialite"],
    location: Location::File,
    client: Client::File,
    trial: TrialKind::Copy,
    lexis: LEXIS,
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
