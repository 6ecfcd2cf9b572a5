//! The facts about PostgreSQL.

use super::Client;
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

pub(super) static POSTGRES: Facts = Facts {
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
