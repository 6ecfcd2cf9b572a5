//! A change as an object that is complete by itself. Plans of older versions consist of such lines, and the files of
//! quarantined rows still do.

use serde::Deserialize;
use serde::Serialize;

use super::text;
use super::values::WireRow;
use crate::model::catalog::TableName;
use crate::model::plan::Adopted;
use crate::model::plan::Change;
use crate::model::plan::ChangeReason;
use crate::model::plan::ChangeRole;

#[derive(Serialize, Deserialize)]
struct WireChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    table: String,
    row: WireRow,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<i64>,
    before: Option<WireRow>,
    after: Option<WireRow>,
    // The first reason. With `flatten`, serde would parse every line twice.
    part: String,
    relation: String,
    rule: String,
    treatment: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<WireReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    orphan_of: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adopts: Option<Vec<WireAdopted>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireAdopted {
    pub(super) relation: String,
    /// The fingerprints of the rows, each as sixteen hexadecimal digits.
    pub(super) rows: String,
}

#[derive(Serialize, Deserialize, Default)]
pub(super) struct WireReason {
    pub(super) part: String,
    pub(super) relation: String,
    pub(super) rule: String,
    pub(super) treatment: String,
}

impl WireReason {
    pub(super) fn of(reason: &ChangeReason) -> WireReason {
        WireReason {
            part: reason.role.name().to_owned(),
            relation: reason.relation.clone(),
            rule: reason.rule.clone(),
            treatment: reason.treatment.clone(),
        }
    }

    pub(super) fn reason(self) -> Result<ChangeReason, String> {
        let role = ChangeRole::ALL.into_iter().find(|role| role.name() == self.part);
        let role = role.ok_or_else(|| format!("one of its lines has the unknown part {:?}", self.part))?;
        Ok(ChangeReason { role, relation: self.relation, rule: self.rule, treatment: self.treatment })
    }
}

pub(in crate::plan_file) fn change(change: &Change) -> String {
    let Some((first, also)) = change.reasons.split_first() else { unreachable!("a change without a reason") };
    text(&WireChange {
        schema: change.table.schema.clone(),
        table: change.table.table.clone(),
        row: WireRow(change.row.clone()),
        address: change.address,
        before: change.before.clone().map(WireRow),
        after: change.after.clone().map(WireRow),
        part: first.role.name().to_owned(),
        relation: first.relation.clone(),
        rule: first.rule.clone(),
        treatment: first.treatment.clone(),
        also: also.iter().map(WireReason::of).collect(),
        kept: change.kept.clone(),
        unit: change.unit,
        orphan_of: change.orphan_of.clone(),
        adopts: (change.adopts.as_deref().map(wire_adopted))
            .filter(|adopts| makes_parent(first.role, change.before.is_none()) || !adopts.is_empty()),
    })
}

/// True if the change makes a parent. Such a change always lists the orphans that it adopts, even if there are none;
/// other changes list them only if there are some.
fn makes_parent(part: ChangeRole, is_new: bool) -> bool {
    part == ChangeRole::Parent && is_new
}

pub(super) fn wire_adopted(adopts: &[Adopted]) -> Vec<WireAdopted> {
    let adopted = adopts.iter().map(|adopted| WireAdopted {
        relation: adopted.relation.clone(),
        rows: adopted.rows.iter().map(|row| format!("{row:016x}")).collect(),
    });
    adopted.collect()
}

pub(super) fn read_adopted(wire: WireAdopted) -> Result<Adopted, String> {
    let rows = read_rows(wire.rows.as_bytes());
    let rows = rows.ok_or_else(|| "one of its lines adopts rows that cannot be read".to_owned())?;
    Ok(Adopted { relation: wire.relation, rows })
}

/// Returns fingerprints, of which each has 16 hexadecimal digits.
pub(super) fn read_rows(digits: &[u8]) -> Option<Vec<u64>> {
    let fingerprint = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    };
    digits.chunks(16).map(fingerprint).collect()
}

pub(in crate::plan_file) fn read_change(line: &str) -> Result<Change, String> {
    let wire: WireChange =
        serde_json::from_str(line).map_err(|error| format!("one of its lines is not a change: {error}"))?;
    let first = WireReason { part: wire.part, relation: wire.relation, rule: wire.rule, treatment: wire.treatment };
    let adopts = match wire.adopts {
        Some(adopts) => Some(adopts.into_iter().map(read_adopted).collect::<Result<_, String>>()?),
        None if first.part == ChangeRole::Parent.name() && wire.before.is_none() => None,
        None => Some(Vec::new()),
    };
    let before = wire.before.map(|row| row.0);
    let after = wire.after.map(|row| row.0.sharing_columns_of(before.as_ref()));
    Ok(Change {
        table: TableName { schema: wire.schema, table: wire.table },
        row: wire.row.0,
        address: wire.address,
        before,
        after,
        reasons: std::iter::once(first).chain(wire.also).map(WireReason::reason).collect::<Result<_, String>>()?,
        kept: wire.kept,
        unit: wire.unit,
        orphan_of: wire.orphan_of,
        adopts,
    })
}
