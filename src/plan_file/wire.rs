//! The JSON of a plan's lines: here the header and the trailer, in `compact` the changes and their groups, in `plain` a fast
//! parser for most changes, in `wide` the changes of older versions, and in `values` the values.

use serde::Deserialize;
use serde::Serialize;

use crate::model::catalog::Engine;
use crate::model::catalog::TableName;
use crate::model::plan::Header;
use crate::model::plan::NewTable;
use crate::model::plan::OrphanForecast;
use crate::model::plan::RuleDigest;
use crate::model::plan::TableDigest;
use crate::model::plan::TreatmentTotal;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::text::is_unseen;

pub(super) mod compact;
pub(super) mod plain;
pub(super) mod values;
pub(super) mod wide;

/// The format of the lines of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Each change is an object that is complete by itself.
    Wide,
    /// Each change is a list of values, and a line before it names the columns and the reasons of its group.
    Compact,
}

impl Format {
    const ALL: [Format; 2] = [Format::Wide, Format::Compact];

    fn name(self) -> &'static str {
        match self {
            Format::Wide => "fk-doctor/plan@1",
            Format::Compact => "fk-doctor/plan@2",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHeader {
    format: String,
    tool: WireTool,
    engine: String,
    database: String,
    identity: String,
    schema: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    record: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tables: Vec<WireTableDigest>,
    rules: Vec<WireRule>,
    creates: Vec<WireTable>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redefines: Vec<WireRedefinition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
    relations: Vec<WireForecast>,
    treated: Vec<WireTreated>,
    undecided: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orphan_rows: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct WireTool {
    name: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
struct WireTableDigest {
    name: String,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct WireRule {
    id: String,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct WireTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    table: String,
    columns: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRedefinition {
    kind: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    table: String,
    before: Option<String>,
    after: Option<String>,
    dropped: Vec<String>,
    declared: Vec<String>,
    nullable: Vec<String>,
    rule: String,
    treatment: String,
}

#[derive(Serialize, Deserialize)]
struct WireForecast {
    relation: String,
    rows_before: u64,
    rows_after: u64,
}

#[derive(Serialize, Deserialize)]
struct WireTreated {
    rule: String,
    relation: String,
    treatment: String,
    keys: u64,
    rows: u64,
}

#[derive(Serialize, Deserialize)]
struct Trailer<'a> {
    #[serde(borrow)]
    end: End<'a>,
}

#[derive(Serialize, Deserialize)]
struct End<'a> {
    changes: u64,
    sha256: &'a str,
}

pub(super) fn header(header: &Header) -> String {
    let rules = header.rules.iter().map(|rule| WireRule { id: rule.id.clone(), sha256: rule.digest.clone() });
    let tables =
        header.tables.iter().map(|table| WireTableDigest { name: table.table.clone(), sha256: table.digest.clone() });
    let creates = header.creates.iter().map(|table| WireTable {
        schema: table.name.schema.clone(),
        table: table.name.table.clone(),
        columns: table.columns.clone(),
    });
    let redefines = header.redefinitions.iter().map(|change| WireRedefinition {
        kind: change.kind.name().to_owned(),
        name: change.name.clone(),
        schema: change.table.schema.clone(),
        table: change.table.table.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        dropped: change.dropped.clone(),
        declared: change.declared.clone(),
        nullable: change.nullable.clone(),
        rule: change.rule.clone(),
        treatment: change.treatment.clone(),
    });
    let relations = header.forecasts.iter().map(|forecast| WireForecast {
        relation: forecast.relation.clone(),
        rows_before: forecast.rows_before,
        rows_after: forecast.rows_after,
    });
    let treated = header.treated.iter().map(|treated| WireTreated {
        rule: treated.rule.clone(),
        relation: treated.relation.clone(),
        treatment: treated.treatment.clone(),
        keys: treated.keys,
        rows: treated.rows,
    });
    text(&WireHeader {
        format: Format::Compact.name().to_owned(),
        tool: WireTool { name: "fk-doctor".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        engine: header.engine.name().to_owned(),
        database: header.database.clone(),
        identity: header.identity.clone(),
        schema: header.schema.clone(),
        record: header.record.clone(),
        tables: tables.collect(),
        rules: rules.collect(),
        creates: creates.collect(),
        redefines: redefines.collect(),
        files: header.files.clone(),
        relations: relations.collect(),
        treated: treated.collect(),
        undecided: header.undecided,
        orphan_rows: header.orphan_rows,
    })
}

pub(super) fn read_header(line: &str) -> Result<(Format, Header), String> {
    let wire: WireHeader =
        serde_json::from_str(line).map_err(|error| format!("its first line is not the header of a plan: {error}"))?;
    let format = Format::ALL.into_iter().find(|format| format.name() == wire.format).ok_or_else(|| {
        let known = Format::ALL.map(|format| format!("{:?}", format.name())).join(" and ");
        format!("its format is {:?}, and this version reads {known}", wire.format)
    })?;
    let engine = Engine::ALL.iter().copied().find(|engine| engine.name() == wire.engine);
    let header = Header {
        engine: engine.ok_or_else(|| format!("it is for the unknown engine {:?}", wire.engine))?,
        database: wire.database,
        identity: wire.identity,
        schema: wire.schema,
        record: wire.record,
        tables: wire.tables.into_iter().map(|table| TableDigest { table: table.name, digest: table.sha256 }).collect(),
        rules: wire.rules.into_iter().map(|rule| RuleDigest { id: rule.id, digest: rule.sha256 }).collect(),
        creates: wire
            .creates
            .into_iter()
            .map(|table| NewTable {
                name: TableName { schema: table.schema, table: table.table },
                columns: table.columns,
            })
            .collect(),
        redefinitions: wire.redefines.into_iter().map(read_redefinition).collect::<Result<_, String>>()?,
        files: wire.files,
        forecasts: wire
            .relations
            .into_iter()
            .map(|wire| OrphanForecast {
                relation: wire.relation,
                rows_before: wire.rows_before,
                rows_after: wire.rows_after,
            })
            .collect(),
        treated: wire
            .treated
            .into_iter()
            .map(|wire| TreatmentTotal {
                rule: wire.rule,
                relation: wire.relation,
                treatment: wire.treatment,
                keys: wire.keys,
                rows: wire.rows,
            })
            .collect(),
        undecided: wire.undecided,
        orphan_rows: wire.orphan_rows,
    };
    Ok((format, header))
}

fn read_redefinition(wire: WireRedefinition) -> Result<Redefinition, String> {
    let kind = DefinitionKind::ALL.into_iter().find(|kind| kind.name() == wire.kind);
    Ok(Redefinition {
        kind: kind.ok_or_else(|| format!("it changes a definition of the unknown kind {:?}", wire.kind))?,
        name: wire.name,
        table: TableName { schema: wire.schema, table: wire.table },
        before: wire.before,
        after: wire.after,
        dropped: wire.dropped,
        declared: wire.declared,
        nullable: wire.nullable,
        rule: wire.rule,
        treatment: wire.treatment,
    })
}

pub(super) fn trailer(changes: u64, sha256: &str) -> String {
    text(&Trailer { end: End { changes, sha256 } })
}

pub(super) fn is_trailer(line: &str) -> bool {
    line.starts_with("{\"end\":")
}

/// Returns JSON on one line. Characters that a terminal would obey or hide become `\u` escapes; they occur only in
/// strings.
fn text(value: &impl Serialize) -> String {
    let plain = match serde_json::to_string(value) {
        Ok(plain) => plain,
        Err(fault) => unreachable!("a line of a plan that is no JSON: {fault}"),
    };
    // Nearly every line is plain ASCII, which is fast to check.
    if plain.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !plain.contains(is_unseen) {
        return plain;
    }
    let mut escaped = String::with_capacity(plain.len() + 16);
    for character in plain.chars() {
        if is_unseen(character) {
            let units =
                character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            escaped.push_str(&units);
        } else {
            escaped.push(character);
        }
    }
    escaped
}
