//! The treatments that a person can choose for a group of orphans: each with its effect, and the reason if it is not
//! offered. Drafted rules and the guided repair use the same choices.

use std::collections::BTreeMap;

use crate::model::diagnosis::Diagnosis;
use crate::model::finding::Cause;
use crate::model::finding::Finding;
use crate::model::finding_group::FindingGroup;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::remedy::normalization;
use crate::model::rule::Limits;
use crate::model::rule::Normalization;
use crate::model::schema::Schema;
use crate::model::text::count;
use crate::model::text::plural;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceKind {
    /// Writes the keys in normal forms.
    Remap(Vec<Normalization>),
    Placeholder,
    SetNull,
    Quarantine,
    Leave,
}

impl ChoiceKind {
    /// True if rows lose values, or leave their table.
    pub fn takes_away(&self) -> bool {
        matches!(self, ChoiceKind::SetNull | ChoiceKind::Quarantine)
    }

    /// Returns the verb of a choice in one word, for the list of those that are not offered.
    pub fn verb(&self) -> &'static str {
        match self {
            ChoiceKind::Remap(_) => "remap",
            ChoiceKind::Placeholder => "add",
            ChoiceKind::SetNull => "clear",
            ChoiceKind::Quarantine => "quarantine",
            ChoiceKind::Leave => "leave",
        }
    }
}

/// A choice, with its title and its effect in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub kind: ChoiceKind,
    pub title: String,
    pub effect: String,
    /// The reason why it is not offered.
    pub refusal: Option<String>,
}

/// Returns the choices for a group. A proven remap stands first, else the choice to leave the rows as they are.
pub fn choices(
    schema: &Schema,
    group: &FindingGroup,
    findings: &[Finding],
    rows_of: &BTreeMap<TableId, u64>,
) -> Vec<Choice> {
    let facts = Facts::of(schema, group, findings, rows_of);
    let leave = facts.leave();
    let others = [Some(facts.placeholder()), Some(facts.set_null()), Some(facts.quarantine())].into_iter().flatten();
    match facts.remap() {
        Some(remap) => [remap].into_iter().chain(others).chain([leave]).collect(),
        None => [leave].into_iter().chain(others).collect(),
    }
}

/// The facts about a group that decide its choices.
struct Facts<'a> {
    group: &'a FindingGroup,
    relations: Vec<&'a Relation>,
    schema: &'a Schema,
    /// Why nothing may be removed or blanked.
    guard: Option<String>,
    /// The normal forms that find a parent, and the rows that get one.
    remap: Option<(Vec<Normalization>, u64)>,
}

impl<'a> Facts<'a> {
    fn of(
        schema: &'a Schema,
        group: &'a FindingGroup,
        findings: &'a [Finding],
        rows_of: &BTreeMap<TableId, u64>,
    ) -> Facts<'a> {
        let members: Vec<&Finding> = group.findings(findings).collect();
        let relations: Vec<&Relation> = members.iter().map(|finding| &schema.relations[finding.relation]).collect();
        let mut lost: BTreeMap<TableId, u64> = BTreeMap::new();
        for (finding, relation) in members.iter().zip(&relations) {
            *lost.entry(relation.child).or_default() += finding.rows;
        }
        let over = lost.iter().find_map(|(table, &rows)| {
            let rows = rows.min(group.rows.count);
            let limit = limit(rows_of.get(table).copied().unwrap_or_default());
            let name = &schema.tables[*table].name;
            (rows > limit).then(|| format!("{} of {name}; the limit is {}", plural(rows, "row"), count(limit)))
        });
        let is_lost = group.causes.iter().any(|cause| matches!(cause, Cause::ParentLoss | Cause::ParentTableEmpty));
        let guard = if is_lost { Some(format!("{} seems to have lost its rows", group.parent)) } else { over };
        let single_column = relations.iter().all(|relation| relation.child_columns.len() == 1);
        let remap = single_column.then(|| remap(group, &members)).flatten();
        Facts { group, relations, schema, guard, remap }
    }

    fn remap(&self) -> Option<Choice> {
        let (forms, rows) = self.remap.clone()?;
        let title = match forms.as_slice() {
            [Normalization::Trim] => "Trim the keys",
            [Normalization::Casefold] => "Change the letter case",
            [Normalization::ZeroPadding] => "Write the leading zeros as the parent does",
            [Normalization::Uuid] => "Write the UUIDs as the parent does",
            _ => "Write the keys as the parent does",
        };
        let rest = match self.group.rows.count.saturating_sub(rows) {
            0 if rows == 1 => format!("it finds its {}", self.group.parent),
            0 => format!("all find their {}", self.group.parent),
            rest => format!("{} stay", count(rest)),
        };
        let effect = format!("changes {}; {rest}", plural(rows, "row"));
        Some(Choice { kind: ChoiceKind::Remap(forms), title: title.to_owned(), effect, refusal: None })
    }

    fn placeholder(&self) -> Choice {
        let FindingGroup { parent, keys, .. } = self.group;
        let exists = self.relations.iter().all(|relation| relation.parent.table.is_some());
        let columns =
            self.relations.first().map(|relation| relation.parent.column_names.join(", ")).unwrap_or_default();
        let beside = if self.remap.is_some() { ", beside the others" } else { "" };
        Choice {
            kind: ChoiceKind::Placeholder,
            title: format!("Add {} to {parent}", keys.of("row")),
            effect: format!("adds {}, with only {columns}{beside}", keys.of("row")),
            refusal: (!exists).then(|| format!("{parent} does not exist")),
        }
    }

    fn set_null(&self) -> Choice {
        let mut columns: Vec<String> = self
            .relations
            .iter()
            .map(|relation| self.schema.child_column_names(relation).collect::<Vec<_>>().join(" and "))
            .collect();
        columns.dedup();
        let columns = match columns.as_slice() {
            [same] => same.clone(),
            _ => "the references".to_owned(),
        };
        let can_be_null = |relation: &&Relation| self.schema.child_columns(relation).any(|column| !column.not_null);
        let refusal = match self.relations.iter().all(can_be_null) {
            true => self.guard.clone(),
            false => Some("the columns are NOT NULL".to_owned()),
        };
        let rows = self.group.rows;
        let lose = if rows.count == 1 { "loses its" } else { "lose their" };
        let effect = format!("{} {lose} {}", rows.of("row"), self.group.parent);
        Choice { kind: ChoiceKind::SetNull, title: format!("Clear {columns}"), effect, refusal }
    }

    fn quarantine(&self) -> Choice {
        let rows = self.group.rows;
        let mut tables: Vec<String> =
            self.relations.iter().map(|relation| self.schema.child(relation).name.to_string()).collect();
        tables.sort();
        tables.dedup();
        let from = match tables.as_slice() {
            [table] => table.clone(),
            several => plural(several.len() as u64, "table"),
        };
        let verb = if rows.count == 1 { "leaves" } else { "leave" };
        let effect = format!("{} {verb} {from}, kept aside", rows.of("row"));
        Choice {
            kind: ChoiceKind::Quarantine,
            title: if rows.count == 1 { "Quarantine the row".to_owned() } else { "Quarantine the rows".to_owned() },
            effect,
            refusal: self.guard.clone(),
        }
    }

    fn leave(&self) -> Choice {
        let rows = self.group.rows;
        let (them, verb) = if rows.count == 1 { ("it as it is", "stays") } else { ("them as they are", "stay") };
        Choice {
            kind: ChoiceKind::Leave,
            title: format!("Leave {them}"),
            effect: format!("{} {verb}", rows.of("orphan row")),
            refusal: None,
        }
    }
}

/// Returns the most rows of a table that a rule without limits removes or blanks.
pub fn limit(rows: u64) -> u64 {
    let share = (rows as f64 * Limits::CAUTIOUS.share()).floor() as u64;
    share.min(Limits::CAUTIOUS.rows())
}

fn remap(group: &FindingGroup, members: &[&Finding]) -> Option<(Vec<Normalization>, u64)> {
    let can_remap: Vec<&Diagnosis> =
        members.iter().flat_map(|finding| &finding.diagnosis).filter(|diagnosis| diagnosis.can_remap).collect();
    let mut forms: Vec<Normalization> = Vec::new();
    for form in can_remap.iter().filter_map(|diagnosis| normalization(diagnosis.cause)) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    let rows: u64 = can_remap.iter().map(|diagnosis| diagnosis.rows).sum();
    let is_all = members.iter().flat_map(|finding| &finding.diagnosis).all(|diagnosis| diagnosis.can_remap);
    let rows = if is_all { group.rows.count } else { rows.min(group.rows.count) };
    (!forms.is_empty()).then_some((forms, rows))
}
