//! What a MySQL or MariaDB server refuses, as sentences with a next step.

use crate::engine::EngineError;
use crate::engine::wire::Failure;
use crate::engine::wire::without_values;
use crate::engine::wire::writing::Kind;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::source::Address;

/// The server broke a statement off, as we had asked it to at the end of the time: MariaDB, MySQL.
const TIMED_OUT: [&str; 2] = ["1969", "3024"];
/// Wrong, cut off, out of range, no JSON.
const ABOUT_VALUES: [&str; 7] = ["1264", "1265", "1292", "1366", "1411", "1690", "3140"];
const LOCK_WAIT_TIMEOUT: &str = "1205";
/// Two waited for each other, or a row is not what it was when it was read.
const OVERTAKEN: [&str; 2] = ["1213", "1020"];
const DUPLICATE_KEY: &str = "1062";
/// MariaDB, MySQL.
const CHECK_FAILED: [&str; 2] = ["4025", "3819"];
/// A NULL, no value where there is no DEFAULT, too long, no number, no shape: of a row, and without its values.
const ABOUT_A_ROW: [&str; 5] = ["1048", "1364", "1406", "1367", "1416"];
const NOT_IN_DATABASE: &str = "1044";
const DENIED: [&str; 5] = [NOT_IN_DATABASE, "1142", "1143", "1227", "1370"];

pub(super) fn kind(code: &str) -> Kind {
    let about_a_row = [&ABOUT_VALUES[..], &ABOUT_A_ROW, &CHECK_FAILED, &[DUPLICATE_KEY]].concat();
    match code {
        LOCK_WAIT_TIMEOUT => Kind::Lock,
        code if OVERTAKEN.contains(&code) => Kind::Overtaken,
        code if DENIED.contains(&code) => Kind::Privilege,
        code if about_a_row.contains(&code) => Kind::Row,
        _ => Kind::Other,
    }
}

/// The server's message holds the row's values, and the name of the rehearsal's table.
pub(super) fn of_a_row(code: &str, message: &str) -> Refusal {
    // MariaDB says it in other quotes.
    let named = || message.rsplit('\'').nth(1).or_else(|| message.split('`').nth(1)).unwrap_or_default();
    let words = match code {
        DUPLICATE_KEY => format!("UNIQUE constraint failed: another row has the same key {}", of_its_table(named())),
        code if CHECK_FAILED.contains(&code) => format!("CHECK constraint failed: {}", of_its_table(named())),
        code if ABOUT_VALUES.contains(&code) => without_values(message),
        _ => message.to_owned(),
    };
    Refusal::new(refusal_kind(code), words)
}

/// `PRIMARY` of `fk-doctor room 0123456789abcdef.PRIMARY`, as MySQL calls it: a CHECK is called by its number there.
fn of_its_table(name: &str) -> &str {
    let inner = name.strip_prefix("fk-doctor room ").and_then(|rest| rest.get(17..));
    inner.unwrap_or(name)
}

/// Why the server refuses a statement; an error where that is not the statement's fault.
pub(super) fn refusal(failure: Failure, address: &Address) -> Result<Refusal, EngineError> {
    let Failure::Refused { code, message, .. } = &failure else { return Err(of_a_question(failure, address)) };
    let kind = match code.as_str() {
        code if OVERTAKEN.contains(&code) => {
            let why = format!("{message}: others changed the same rows at the same moment, try again");
            return Err(EngineError::Failed { why });
        }
        code if code == LOCK_WAIT_TIMEOUT || TIMED_OUT.contains(&code) => return Err(of_a_question(failure, address)),
        _ => refusal_kind(code),
    };
    // Column 'a' cannot be null; Field 'a' doesn't have a default value
    let named = (kind == RefusalKind::NotNull).then(|| message.split('\'').nth(1)).flatten();
    let columns = named.map(str::to_owned).into_iter().collect();
    let key = (kind == RefusalKind::Unique).then(|| key_of(message)).flatten();
    Ok(Refusal { columns, key, ..Refusal::new(kind, message) })
}

/// Returns the name of the key in `Duplicate entry '1' for key 'table.key'`.
fn key_of(message: &str) -> Option<String> {
    let (_, key) = message.rsplit_once("for key '")?;
    let key = key.trim_end_matches('\'');
    Some(key.rsplit_once('.').map_or(key, |(_, key)| key).to_owned())
}

/// Returns what the code of a refusal means.
fn refusal_kind(code: &str) -> RefusalKind {
    match code {
        "1216" | "1217" | "1451" | "1452" => RefusalKind::ForeignKey,
        "1048" | "1364" => RefusalKind::NotNull,
        "1062" | "1586" => RefusalKind::Unique,
        "4025" | "3819" => RefusalKind::Check,
        "1406" | "1265" => RefusalKind::Value,
        code if ABOUT_VALUES.contains(&code) => RefusalKind::Value,
        "1644" => RefusalKind::Raised,
        "1136" | "1064" | "1054" | "1146" | "1109" | "1305" | "1049" => RefusalKind::Invalid,
        "1210" | "1835" => RefusalKind::Parameters,
        _ => RefusalKind::Other,
    }
}

/// One question failed; others may not.
pub(super) fn of_a_question(failure: Failure, address: &Address) -> EngineError {
    let why = match failure {
        Failure::TimeLimit => return EngineError::TimeLimit,
        Failure::Refused { code, .. } if TIMED_OUT.contains(&code.as_str()) => return EngineError::TimeLimit,
        Failure::Refused { code, .. } if code == LOCK_WAIT_TIMEOUT => {
            "another session holds a lock, wait longer with --wait".to_owned()
        }
        Failure::Refused { code, message, .. } if ABOUT_VALUES.contains(&code.as_str()) => without_values(&message),
        // What is done in a database as a whole is making tables.
        Failure::Refused { code, message, .. } if code == NOT_IN_DATABASE => {
            format!("{message}: it takes the privilege CREATE TEMPORARY TABLES")
        }
        Failure::Refused { message, .. } | Failure::Misspelt { why: message, .. } => message,
        Failure::Unreached { why } => format!("the connection was lost: {why}"),
    };
    EngineError::Failed { why: address.censored(&why) }
}

/// The database as a whole cannot be read.
pub(super) fn of_the_database(failure: &Failure, address: &Address) -> EngineError {
    let help = match failure {
        Failure::TimeLimit => return EngineError::TimeLimit,
        Failure::Misspelt { help, .. } => help,
        Failure::Refused { code, .. } => match code.as_str() {
            "1045" | "1698" => "check the user, and give the password in the URL: mysql://USER:PASSWORD@HOST/DATABASE",
            "1044" | "1049" => "name a database that is there and may be read: mysql://USER@HOST/DATABASE",
            "1040" | "1203" | "1226" => "the server has no connection left: try again later",
            _ => "check that this user may connect and read: mysql with the same user, host and database",
        },
        Failure::Unreached { why } if why.contains("certificate") => {
            "name the certificate authority with ?ssl-ca=FILE, or accept any server with ?ssl-mode=REQUIRED"
        }
        Failure::Unreached { .. } => "check host, port and ssl-mode: mysql with the same user, host and database",
    };
    EngineError::Unreadable { what: address.to_string(), why: address.censored(&failure.why()), help: help.to_owned() }
}

/// The server is there, and cannot be scanned.
pub(super) fn unsuitable(address: &Address, why: String, help: &str) -> EngineError {
    EngineError::Unreadable { what: address.to_string(), why, help: help.to_owned() }
}
