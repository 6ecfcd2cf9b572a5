//! The causes of a scan's findings in lines, the gravest first: one line for each code, parent and cause. The table, the
//! page and the other reports for people share them.

use crate::model::diagnosis::Diagnosis;
use crate::model::diagnosis::Evidence;
use crate::model::examination::Examination;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::finding_group::Distinct;
use crate::model::finding_group::FindingGroup;
use crate::model::remedy::Remedy;

/// With more lines than these, each cause has one line, whatever the parent.
const MOST_LINES: usize = 8;

/// What one cause explains, in numbers.
pub(super) struct CauseLine {
    pub(super) title: String,
    pub(super) relations: u64,
    /// `None` for a fault of a definition.
    pub(super) rows: Option<Distinct>,
    pub(super) keys: Option<Distinct>,
    pub(super) remedy: Remedy,
    pub(super) example: String,
    identity: (Severity, Code, Option<Cause>, String),
    short_title: String,
}

/// What the findings of a group with one cause have in common.
pub(super) struct GroupCause {
    /// The diagnosis, with the rows and keys of all findings of the group. `None` if nothing was diagnosed.
    pub(super) diagnosis: Option<Diagnosis>,
    pub(super) rows: Distinct,
    pub(super) keys: Distinct,
    pub(super) relations: u64,
    pub(super) remedy: Remedy,
}

/// Returns the groups that are more than notes.
pub(super) fn grave_groups(examination: &Examination) -> impl Iterator<Item = &FindingGroup> + Clone {
    examination.groups.groups.iter().filter(|group| group.severity > Severity::Note)
}

/// Returns the lines of all groups that are more than notes.
pub(super) fn lines(examination: &Examination) -> Vec<CauseLine> {
    let all: Vec<CauseLine> = grave_groups(examination).flat_map(|group| lines_of_group(examination, group)).collect();
    let lines = merged(all);
    if lines.len() <= MOST_LINES {
        return lines;
    }
    let short = |line: CauseLine| {
        let (severity, code, cause, _) = line.identity;
        CauseLine { title: line.short_title.clone(), identity: (severity, code, cause, String::new()), ..line }
    };
    merged(lines.into_iter().map(short).collect())
}

/// Adds up the lines with equal identities, at the position of the first.
fn merged(lines: Vec<CauseLine>) -> Vec<CauseLine> {
    let mut merged: Vec<CauseLine> = Vec::new();
    for line in lines {
        match merged.iter_mut().find(|known| known.identity == line.identity) {
            None => merged.push(line),
            Some(known) => {
                known.relations += line.relations;
                known.rows = sum(known.rows, line.rows);
                known.keys = sum(known.keys, line.keys);
                known.remedy = known.remedy.max(line.remedy);
                if known.short_title != line.short_title
                    && let Some(cause) = line.identity.2
                {
                    known.short_title = cause.words().to_owned();
                    known.title = known.short_title.clone();
                }
            }
        }
    }
    merged
}

fn sum(left: Option<Distinct>, right: Option<Distinct>) -> Option<Distinct> {
    Some([left?, right?].into_iter().sum())
}

/// Returns the lines of a group, one for each of its causes.
pub(super) fn lines_of_group(examination: &Examination, group: &FindingGroup) -> Vec<CauseLine> {
    if !group.code.is_orphan() {
        let words = words(group.code);
        let title = if group.parent_key.is_empty() { words.clone() } else { format!("{words}: {}", group.parent_key) };
        return vec![CauseLine {
            title,
            relations: group.findings.len() as u64,
            rows: None,
            keys: None,
            remedy: Remedy::Schema,
            example: String::new(),
            identity: (group.severity, group.code, None, group.parent_key.clone()),
            short_title: words,
        }];
    }
    let line = |cause: GroupCause| {
        let (title, short_title) = titles(examination, group, &cause);
        CauseLine {
            title,
            relations: cause.relations,
            rows: Some(cause.rows),
            keys: Some(cause.keys),
            remedy: cause.remedy,
            example: cause.diagnosis.as_ref().map(|diagnosis| example(group, diagnosis)).unwrap_or_default(),
            identity: (
                group.severity,
                group.code,
                cause.diagnosis.map(|diagnosis| diagnosis.cause),
                group.parent_key.clone(),
            ),
            short_title,
        }
    };
    causes(examination, group).into_iter().map(line).collect()
}

/// Returns a code as words: `parent key not unique`.
pub(super) fn words(code: Code) -> String {
    code.name().replace('-', " ")
}

/// Returns the title of a cause, with and without the parent.
fn titles(examination: &Examination, group: &FindingGroup, cause: &GroupCause) -> (String, String) {
    let missing = format!("{} missing from {}", cause.keys.of("key"), group.parent);
    let Some(diagnosis) = &cause.diagnosis else { return (format!("orphans: {missing}"), "orphans".to_owned()) };
    let title = diagnosis.title();
    let whole = match &diagnosis.evidence {
        Evidence::Sentinel => match group.findings(&examination.findings).next() {
            Some(finding) if group.findings.len() == 1 => format!("{title}: {}", child_side(examination, finding)),
            _ => title.clone(),
        },
        Evidence::EmptyParent { .. } | Evidence::LostRows { .. } => format!("{title}: {}", group.parent),
        _ => format!("{title}: {missing}"),
    };
    (whole, title)
}

/// Returns the child's side of a relation, such as `orders(customer_id)`.
pub(super) fn child_side(examination: &Examination, finding: &Finding) -> String {
    let relation = &examination.schema.relations[finding.relation];
    let columns = examination.schema.child_column_names(relation);
    crate::model::schema::side(&examination.schema.child(relation).name, columns)
}

fn example(group: &FindingGroup, diagnosis: &Diagnosis) -> String {
    let first = diagnosis.examples.first().cloned().unwrap_or_default();
    match &diagnosis.evidence {
        Evidence::Spelling { parent_key } => format!("{first} is {parent_key} in {}", group.parent),
        Evidence::AboveLargest { column, largest } => format!("{first} is above the highest {column}, {largest}"),
        Evidence::WrongTable { keys } => format!("{first} is a key of {keys}"),
        _ => first,
    }
}

/// Returns the causes of a group of orphans, each for all its findings.
pub(super) fn causes(examination: &Examination, group: &FindingGroup) -> Vec<GroupCause> {
    let findings: Vec<&Finding> = group.findings(&examination.findings).collect();
    let has_rule = rule(examination, group).is_some();
    let undiagnosed = GroupCause {
        diagnosis: None,
        rows: group.rows,
        keys: group.keys,
        relations: findings.len() as u64,
        remedy: Remedy::of(group.code, None, has_rule),
    };
    if group.causes.is_empty() {
        return vec![undiagnosed];
    }
    let is_single = group.causes.len() == 1;
    let of_cause = |cause: &Cause| {
        let all = || {
            let diagnoses = findings.iter().flat_map(|finding| &finding.diagnosis);
            diagnoses.filter(move |diagnosis| diagnosis.cause == *cause)
        };
        let sum = |number: fn(&Diagnosis) -> u64, whole: Distinct| match is_single {
            true => whole,
            false => Distinct { count: all().map(number).sum(), is_bound: false },
        };
        let (rows, keys) = (sum(|diagnosis| diagnosis.rows, group.rows), sum(|diagnosis| diagnosis.keys, group.keys));
        let first = all().next()?;
        let diagnosis = Diagnosis {
            rows: rows.count,
            keys: keys.count,
            all_keys: group.keys.count,
            can_remap: all().all(|diagnosis| diagnosis.can_remap),
            ..first.clone()
        };
        let remedy = Remedy::of(group.code, Some(&diagnosis), has_rule);
        Some(GroupCause { diagnosis: Some(diagnosis), rows, keys, relations: all().count() as u64, remedy })
    };
    group.causes.iter().filter_map(of_cause).collect()
}

/// Returns the shipped rule that treats all relations of a group, if there is one.
pub(super) fn rule<'a>(examination: &'a Examination, group: &FindingGroup) -> Option<&'a str> {
    let run = examination.run.as_ref()?;
    let mut rules = group.findings(&examination.findings).map(|finding| run.rule_for(&finding.relation_id));
    let first = rules.next()??;
    rules.all(|rule| rule == Some(first)).then_some(first)
}

/// How many of the orphan rows have which remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RepairCounts {
    pub(super) all: Distinct,
    pub(super) repairable: u64,
    pub(super) to_load: u64,
    pub(super) to_choose: u64,
}

/// Returns how many orphan rows a rule can repair. A row with several broken references counts by its gravest.
pub(super) fn repair_counts(examination: &Examination) -> RepairCounts {
    let all = examination.groups.orphan_rows;
    let (mut to_load, mut to_choose) = (0, 0);
    for group in examination.groups.groups.iter().filter(|group| group.code.is_orphan()) {
        for cause in causes(examination, group) {
            match cause.remedy {
                Remedy::Load => to_load += cause.rows.count,
                _ if examination.is_unchangeable(group) => to_choose += cause.rows.count,
                Remedy::Choose | Remedy::Schema => to_choose += cause.rows.count,
                Remedy::Remap | Remedy::Rule => {}
            }
        }
    }
    let to_choose = to_choose.min(all.count);
    let to_load = to_load.min(all.count - to_choose);
    RepairCounts { all, repairable: all.count - to_choose - to_load, to_load, to_choose }
}
