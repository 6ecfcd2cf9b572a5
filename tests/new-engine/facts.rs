//! The facts about an engine that can only scan.

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

pub(super) static DUMMY: Facts = Facts {
    name: "dummy",
    title: "Dummy",
    schemes: &["dummy"],
    location: Location::Server,
    client: Client::Url,
    trial: TrialKind::OnServer,
    lexis: Lexis {
        brackets: false,
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
    },
    quote: '`',
    placeholder: ParameterStyle::Question,
    truth: ["false", "true"],
    bytes_literal: "X'",
    ordered_join: "JOIN",
    materialized: "",
    parent_key: ParentKey::JudgedHere,
    equality: Equality::OfEngine,
    rechecks: Recheck::ChangedKey,
    row_address: RowAddress::None,
    shown_address: &[],
    definitions: Definitions::AtOnce,
    unique_index_text: IndexText::Other,
    stores_as_written: true,
    wide_rule_queries: false,
    can_silence_triggers: false,
    replica_lag: ReplicaLag::Nowhere,
    refusals_name_rows: true,
    cascade_levels: None,
    counters: None,
    own_tables: None,
    rebuild_index: None,
    virtual_table: "its rows are not in the database",
    on_conflict: "ON CONFLICT",
};
