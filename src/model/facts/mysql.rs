//! The facts about MySQL and MariaDB. They differ in their statements, but in no fact.

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

pub(super) static MYSQL: Facts =
    mysql("mysql", "MySQL", &["mysql", "mysql2", "mysqlgis", "mysql-connector", "trilogy"]);
pub(super) static MARIADB: Facts = mysql("mariadb", "MariaDB", &["mariadb"]);

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
