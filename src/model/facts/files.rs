//! The facts about files. Statements about files run in a private database of SQLite, so their SQL is SQLite's.

use super::Client;
use super::Definitions;
use super::Equality;
use super::Facts;
use super::IndexText;
use super::Location;
use super::ParameterStyle;
use super::ParentKey;
use super::Recheck;
use super::ReplicaLag;
use super::RowAddress;
use super::TrialKind;
use super::sqlite::LEXIS;

pub(super) static FILES: Facts = Facts {
    name: "files",
    title: "Files",
    schemes: &["files"],
    location: Location::Folder,
    client: Client::File,
    trial: TrialKind::Copy,
    lexis: LEXIS,
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
