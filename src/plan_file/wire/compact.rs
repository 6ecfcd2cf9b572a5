//! A change as a list: the number of its group, the image before, the values after, and an object with rare facts if
//! there are any. The line of the group contains the names of the columns and the reasons.

use std::fmt::Write;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de::DeserializeSeed;
use serde::de::Error;
use serde::de::SeqAccess;
use serde::de::Visitor;

use super::plain;
use super::text;
use super::values::WireValue;
use super::values::push_values;
use super::wide::WireAdopted;
use super::wide::WireReason;
use super::wide::read_adopted;
use super::wide::wire_adopted;
use crate::model::catalog::TableName;
use crate::model::change_group::ChangeGroup;
use crate::model::change_group::ChangeGroups;
use crate::model::change_group::ChangeValues;
use crate::model::change_group::GroupImages;
use crate::model::change_group::GroupedChange;
use crate::model::plan::Change;
use crate::model::value::Value;

/// The line that opens a group. In the file, groups are numbered from 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireGroup {
    group: usize,
    change: WireKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    table: String,
    row: Vec<String>,
    columns: Vec<String>,
    /// The columns that an update changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set: Option<Vec<String>>,
    /// The columns after the change, if they are not those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns_after: Option<Vec<String>>,
    part: String,
    relation: String,
    rule: String,
    treatment: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<WireReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    orphan_of: Vec<String>,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum WireKind {
    Insert,
    Update,
    Delete,
}

/// The rare facts of a change.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Rare {
    /// The identifying values, if the image does not contain them.
    row: Option<Vec<WireValue>>,
    address: Option<i64>,
    unit: Option<u64>,
    /// `Some(None)` in a change that an older version planned, which did not list adopted orphans.
    #[serde(deserialize_with = "present")]
    adopts: Option<Option<Vec<WireAdopted>>>,
}

/// Distinguishes `null` from a missing field.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Returns the line that opens a group.
pub(in crate::plan_file) fn group(number: usize, group: &ChangeGroup) -> String {
    let names = |positions: &[usize], columns: &[String]| positions.iter().map(|&at| columns[at].clone()).collect();
    let (change, set, columns_after) = match &group.images {
        GroupImages::Insert { .. } => (WireKind::Insert, None, None),
        GroupImages::Delete { .. } => (WireKind::Delete, None, None),
        GroupImages::Update { columns, set } => (WireKind::Update, Some(names(set, columns)), None),
        GroupImages::Replace { after, .. } => (WireKind::Update, None, Some(after.to_vec())),
    };
    let mut reasons = group.reasons.iter().map(WireReason::of);
    let first = reasons.next().unwrap_or_default();
    text(&WireGroup {
        group: number + 1,
        change,
        schema: group.table.schema.clone(),
        table: group.table.table.clone(),
        row: group.row.to_vec(),
        columns: group.columns().to_vec(),
        set,
        columns_after,
        part: first.part,
        relation: first.relation,
        rule: first.rule,
        treatment: first.treatment,
        also: reasons.collect(),
        kept: group.kept.clone(),
        orphan_of: group.orphan_of.clone(),
    })
}

/// Parses the line of the group with this number.
pub(in crate::plan_file) fn read_group(line: &str, number: usize) -> Result<ChangeGroup, String> {
    let wire: WireGroup =
        serde_json::from_str(line).map_err(|error| format!("one of its lines is not a group of changes: {error}"))?;
    if wire.group != number + 1 {
        return Err(format!("its group {} comes where group {} should be", wire.group, number + 1));
    }
    let columns: Arc<[String]> = wire.columns.into();
    let images = match (wire.change, wire.set, wire.columns_after) {
        (WireKind::Insert, None, None) => GroupImages::Insert { columns },
        (WireKind::Delete, None, None) => GroupImages::Delete { columns },
        (WireKind::Update, Some(set), None) => {
            let positions = set.iter().map(|name| columns.iter().position(|column| column == name));
            let set = positions.collect::<Option<Vec<usize>>>();
            let set = set.ok_or_else(|| format!("its group {} sets a column that it does not have", wire.group))?;
            GroupImages::Update { columns, set }
        }
        (WireKind::Update, None, Some(after)) => GroupImages::Replace { before: columns, after: after.into() },
        _ => return Err(format!("its group {} has columns that do not fit its kind of change", wire.group)),
    };
    let first = WireReason { part: wire.part, relation: wire.relation, rule: wire.rule, treatment: wire.treatment };
    let reasons = std::iter::once(first).chain(wire.also).map(WireReason::reason).collect::<Result<_, String>>()?;
    let table = TableName { schema: wire.schema, table: wire.table };
    Ok(ChangeGroup::new(table, wire.row.into(), images, reasons, wire.kept, wire.orphan_of))
}

/// Appends a change of a group as a line.
pub(in crate::plan_file) fn push_change(line: &mut String, number: usize, group: &ChangeGroup, change: &Change) {
    let set: Vec<Value>;
    let after = match (&group.images, &change.after) {
        (GroupImages::Update { set: positions, .. }, Some(after)) => {
            set = positions.iter().map(|&position| after.values()[position].clone()).collect();
            Some(set.as_slice())
        }
        (_, after) => after.as_ref().map(|row| row.values()),
    };
    let values = ChangeValues {
        row: change.row.values(),
        before: change.before.as_ref().map(|row| row.values()),
        after,
        address: change.address,
        unit: change.unit,
        adopts: change.adopts.as_deref(),
    };
    push_values_of(line, number, group, &values);
}

/// Appends the values of a change as a line.
pub(in crate::plan_file) fn push_values_of(
    line: &mut String,
    number: usize,
    group: &ChangeGroup,
    change: &ChangeValues<'_>,
) {
    // Writing to a string cannot fail.
    let _ = write!(line, "[{},", number + 1);
    push_image(line, change.before);
    line.push(',');
    push_image(line, change.after);
    let mut opening = ",{";
    let mut name = |line: &mut String, name: &str| {
        let _ = write!(line, "{}\"{name}\":", std::mem::replace(&mut opening, ","));
    };
    if !group.names_row(change.before.or(change.after).unwrap_or_default(), change.row) {
        name(line, "row");
        push_values(line, change.row);
    }
    if let Some(address) = change.address {
        name(line, "address");
        let _ = write!(line, "{address}");
    }
    if let Some(unit) = change.unit {
        name(line, "unit");
        let _ = write!(line, "{unit}");
    }
    if change.adopts.is_none_or(|adopts| !adopts.is_empty()) {
        name(line, "adopts");
        line.push_str(&text(&change.adopts.map(wire_adopted)));
    }
    if opening == "," {
        line.push('}');
    }
    line.push(']');
}

fn push_image(line: &mut String, values: Option<&[Value]>) {
    match values {
        Some(values) => push_values(line, values),
        None => line.push_str("null"),
    }
}

/// Appends the line of a change, with another number for its group.
pub(in crate::plan_file) fn push_numbered(lines: &mut String, number: usize, line: &str) {
    let rest = line.find(',').map_or("", |comma| &line[comma..]);
    let _ = write!(lines, "[{}{rest}", number + 1);
}

/// Returns the number of the group at the beginning of a change's line.
pub(in crate::plan_file) fn number(line: &str) -> Result<usize, String> {
    let number = line.strip_prefix('[').and_then(|rest| rest.split(',').next()?.parse::<usize>().ok());
    number.and_then(|number| number.checked_sub(1)).ok_or_else(|| "a line does not name its group".to_owned())
}

/// Parses a line that [`push_change`] wrote.
pub(in crate::plan_file) fn read_change(line: &str, groups: &ChangeGroups) -> Result<GroupedChange, String> {
    match plain::read_change(line, groups) {
        Some(change) => Ok(change),
        None => read_any_change(line, groups),
    }
}

/// Parses a line that [`push_change`] wrote, with values and facts of every kind.
pub(in crate::plan_file) fn read_any_change(line: &str, groups: &ChangeGroups) -> Result<GroupedChange, String> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let change = deserializer.deserialize_seq(ChangeLine { groups });
    let change = change.and_then(|change| deserializer.end().map(|()| change));
    change.map_err(|error| format!("one of its lines is not a change: {error}"))
}

struct ChangeLine<'g> {
    groups: &'g ChangeGroups,
}

impl<'de> Visitor<'de> for ChangeLine<'_> {
    type Value = GroupedChange;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a group, the row before, and the values after")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<GroupedChange, A::Error> {
        let number = parts.next_element::<usize>()?.and_then(|number| number.checked_sub(1));
        let found = number.and_then(|number| Some((number, self.groups.get(number)?)));
        let (number, group) = found.ok_or_else(|| A::Error::custom("the plan has no such group"))?;
        let (before, after) = group.images.widths();
        let before = parts.next_element_seed(Values(before))?.ok_or_else(|| A::Error::custom("it is too short"))?;
        let after = parts.next_element_seed(Values(after))?.ok_or_else(|| A::Error::custom("it is too short"))?;
        let rare = parts.next_element::<Rare>()?.unwrap_or_default();
        let row: Option<Vec<Value>> = rare.row.map(|row| row.into_iter().map(|WireValue(value)| value).collect());
        let is_named = match &row {
            Some(row) => row.len() == group.row.len(),
            None => group.row_positions().is_some(),
        };
        if !is_named {
            return Err(A::Error::custom("it does not identify its row"));
        }
        let adopts = match rare.adopts {
            None => Some(Vec::new()),
            Some(None) => None,
            Some(Some(adopts)) => {
                let adopts = adopts.into_iter().map(read_adopted).collect::<Result<_, String>>();
                Some(adopts.map_err(A::Error::custom)?)
            }
        };
        Ok(GroupedChange {
            number,
            group: Arc::clone(group),
            row,
            before,
            after,
            unit: rare.unit,
            address: rare.address,
            adopts,
        })
    }
}

/// The values of an image: as many as there are columns, or `null` without an image.
struct Values(Option<usize>);

impl<'de> DeserializeSeed<'de> for Values {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Value>, D::Error> {
        match self.0 {
            Some(_) => deserializer.deserialize_seq(self),
            None => deserializer.deserialize_unit(self),
        }
    }
}

impl<'de> Visitor<'de> for Values {
    type Value = Vec<Value>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(count) => write!(out, "{count} values"),
            None => out.write_str("null"),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<Value>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Vec<Value>, A::Error> {
        let count = self.0.unwrap_or_default();
        let mut values = Vec::with_capacity(count);
        while let Some(WireValue(value)) = parts.next_element()? {
            values.push(value);
        }
        if values.len() != count {
            return Err(A::Error::invalid_length(values.len(), &self));
        }
        Ok(values)
    }
}
