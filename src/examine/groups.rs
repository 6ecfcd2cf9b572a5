//! Groups equal findings, and counts the rows and the keys of each group once.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::engine::Session;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::MissingKey;
use crate::model::finding::Severity;
use crate::model::finding_group::Distinct;
use crate::model::finding_group::FindingGroup;
use crate::model::finding_group::GroupSample;
use crate::model::finding_group::Groups;
use crate::model::ids::RelationId;
use crate::model::redaction::Redaction;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::value::Key;
use crate::model::value::exact_bytes;
use crate::scan::KEYS_WITH_SAMPLES;
use crate::scan::ScanResult;
use crate::scan::ScanResults;
use crate::scan::Tally;
use crate::scan::distinct::DistinctCounter;

/// The rows of a group are taken from the samples of this number of keys, those with most rows in each relation.
const KEYS_SAMPLED: usize = 400;

/// The scan whose findings are grouped.
struct Scanned<'a> {
    schema: &'a Schema,
    facts: &'a ScanResults,
    findings: &'a [Finding],
    redaction: &'a Redaction,
    /// The number of keys and rows to show for each group.
    samples: usize,
}

/// Returns the findings that the baseline does not know as groups, the most serious first.
pub(super) fn group(
    schema: &Schema,
    session: &mut dyn Session,
    facts: &ScanResults,
    findings: &[Finding],
    redaction: &Redaction,
    samples: usize,
) -> Groups {
    let scanned = Scanned { schema, facts, findings, redaction, samples };
    let mut counter = DistinctCounter::new(schema, facts);
    let mut groups: Vec<FindingGroup> =
        scanned.members().into_values().map(|members| scanned.group(session, &mut counter, members)).collect();
    groups.sort_by_key(|group| {
        let is_orphan = group.code.is_orphan();
        let size = (group.rows.count, group.findings.len());
        (Reverse(group.severity), is_orphan, if is_orphan { Code::Orphan } else { group.code }, Reverse(size))
    });
    let orphans = findings.iter().filter(|finding| is_open(finding) && finding.code.is_orphan());
    let relations: Vec<RelationId> = orphans.map(|finding| finding.relation).collect();
    Groups { groups, orphan_rows: counter.rows(session, &relations) }
}

fn is_open(finding: &Finding) -> bool {
    finding.known != Known::Wholly
}

/// True if the parent has no part in such a finding.
fn is_about_child(code: Code) -> bool {
    matches!(code, Code::ChildNotIndexed | Code::NotValidated | Code::NotEnforced | Code::TriggersDisabled)
}

impl Scanned<'_> {
    /// Returns the positions of the findings of each group.
    fn members(&self) -> BTreeMap<impl Ord, Vec<usize>> {
        let mut members: BTreeMap<(Severity, Code, String, Vec<_>), Vec<usize>> = BTreeMap::new();
        for (position, finding) in self.findings.iter().enumerate().filter(|(_, finding)| is_open(finding)) {
            let parent = if is_about_child(finding.code) { String::new() } else { self.parent_key(finding) };
            let mut causes: Vec<_> = finding.diagnosis.iter().map(|diagnosis| diagnosis.cause).collect();
            causes.sort_unstable();
            members.entry((finding.severity, finding.code, parent, causes)).or_default().push(position);
        }
        members
    }

    fn parent_key(&self, finding: &Finding) -> String {
        let parent = &self.schema.relations[finding.relation].parent;
        side(&parent.name, parent.column_names.iter().map(String::as_str))
    }

    fn group(
        &self,
        session: &mut dyn Session,
        counter: &mut DistinctCounter<'_>,
        mut members: Vec<usize>,
    ) -> FindingGroup {
        members.sort_by_key(|&position| Reverse(self.findings[position].rows));
        let first = &self.findings[members[0]];
        let relations: Vec<RelationId> = members.iter().map(|&position| self.findings[position].relation).collect();
        let is_orphan = first.code.is_orphan();
        let (rows, keys) = if is_orphan {
            (counter.rows(session, &relations), counter.keys(&relations))
        } else {
            (members.iter().map(|&position| Distinct::exactly(self.findings[position].rows)).sum(), Distinct::default())
        };
        FindingGroup {
            code: first.code,
            severity: first.severity,
            parent: self.schema.relations[first.relation].parent.name.to_string(),
            parent_key: if is_about_child(first.code) { String::new() } else { self.parent_key(first) },
            causes: first.diagnosis.iter().map(|diagnosis| diagnosis.cause).collect(),
            rows,
            keys,
            top_missing: if is_orphan { self.top_missing(&members) } else { Vec::new() },
            samples: if is_orphan { self.samples(&relations) } else { Vec::new() },
            findings: members,
        }
    }

    fn tally(&self, relation: RelationId) -> Option<&Tally> {
        match &self.facts[relation] {
            ScanResult::Checked(tally) => Some(tally),
            ScanResult::Unchecked(_) => None,
        }
    }

    /// Returns the missing keys with most references. A key that several relations miss counts the references of all.
    fn top_missing(&self, members: &[usize]) -> Vec<MissingKey> {
        if let [single] = members {
            return self.findings[*single].top_missing.clone();
        }
        let mut keys: Vec<(RelationId, &Key, u64)> = Vec::new();
        let mut positions: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for relation in members.iter().map(|&position| self.findings[position].relation) {
            for missing in self.tally(relation).iter().flat_map(|tally| &tally.top) {
                let position = *positions.entry(exact_bytes(&missing.key)).or_insert(keys.len());
                match keys.get_mut(position) {
                    Some((_, _, rows)) => *rows += missing.rows,
                    None => keys.push((relation, &missing.key, missing.rows)),
                }
            }
        }
        keys.sort_by_key(|&(_, _, rows)| Reverse(rows));
        keys.truncate(self.samples);
        let shown = keys.into_iter().map(|(relation, key, rows)| MissingKey {
            key: self.redaction.key(self.schema, &self.schema.relations[relation], key),
            rows,
            samples: Vec::new(),
            span: None,
        });
        shown.collect()
    }

    /// Returns the first rows by name, each with the broken references of all these relations.
    fn samples(&self, relations: &[RelationId]) -> Vec<GroupSample> {
        let keys = (KEYS_SAMPLED / relations.len().max(1)).min(KEYS_WITH_SAMPLES).max(self.samples);
        let mut rows: BTreeMap<(String, Vec<u8>), GroupSample> = BTreeMap::new();
        for &id in relations {
            let relation = &self.schema.relations[id];
            let table = self.schema.child(relation).name.to_string();
            let columns: Vec<&str> = self.schema.child_column_names(relation).collect();
            let tally = self.tally(id);
            let top = tally.iter().flat_map(|tally| tally.top.iter().take(keys));
            for sample in top.flat_map(|missing| &missing.samples) {
                let name = (table.clone(), exact_bytes(sample.row.iter().map(|(_, value)| value)));
                // Only rows that may be shown are kept.
                let is_later =
                    rows.len() >= self.samples && rows.last_key_value().is_some_and(|(last, _)| *last < name);
                if is_later {
                    continue;
                }
                let shown = self.redaction.sample(self.schema, relation, sample.clone());
                let keys = columns.iter().map(|column| (*column).to_owned()).zip(shown.key);
                let row = rows.entry(name).or_insert_with(|| GroupSample {
                    table: table.clone(),
                    row: shown.row,
                    keys: Vec::new(),
                });
                keys.for_each(|(column, value)| {
                    if row.keys.iter().all(|(known, _)| *known != column) {
                        row.keys.push((column, value));
                    }
                });
                if rows.len() > self.samples {
                    rows.pop_last();
                }
            }
        }
        rows.into_values().collect()
    }
}
