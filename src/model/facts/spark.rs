//! The facts about Spark.

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

pub(super) static SPARK: Facts = Facts {
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
