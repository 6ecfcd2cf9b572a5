//! Sentences about discovered references that several formats share.

use crate::model::discovery::NearForm;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Omission;
use crate::model::discovery::Rejection;
use crate::model::discovery::Tier;
use crate::model::discovery_view::CandidateView;
use crate::model::discovery_view::DiscoveryView;
use crate::model::discovery_view::NearView;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::layout::Symbol;

/// Returns the first line of a report.
pub(super) fn headline(view: &DiscoveryView) -> (Symbol, String) {
    let name = &view.database.name;
    let found = view.found().count() as u64;
    let certain = view.of_tier(Tier::Certain).count() as u64;
    let sentence = match (found, certain) {
        (0, _) => {
            let declared = view.of_tier(Tier::Declared).count() as u64;
            let beyond = if declared == 0 { String::new() } else { format!(" beyond the {} known", count(declared)) };
            format!("{name}: no undeclared reference is likely{beyond} ({})", plural(view.tables as u64, "table"))
        }
        (1, 1) => format!("{name}: 1 reference that it does not declare, and it is certain"),
        (1, _) => format!("{name}: 1 likely reference that it does not declare"),
        (found, 0) => format!("{name}: {} likely references that it does not declare", count(found)),
        (found, certain) => {
            let certain = if certain == found { "all".to_owned() } else { count(certain) };
            format!("{name}: {} references that it does not declare, {certain} of them certain", count(found))
        }
    };
    if view.is_incomplete() {
        return (Symbol::Unsure, format!("{sentence}; {}", failures(view)));
    }
    (Symbol::Nothing, sentence)
}

/// What a limit of the search left out for the same reason.
pub(super) struct Restricted<'v> {
    /// The first part, such as `a->b(x,y)`.
    pub(super) subject: &'v str,
    /// Counts what was left out, such as ` and 12 more`; empty for a single part.
    pub(super) more: String,
    pub(super) reason: &'v str,
}

/// Returns what a limit of the search left out, by its reason. The order is that of the first parts.
pub(super) fn restricted(parts: &[NotObserved]) -> Vec<Restricted<'_>> {
    let mut reasons: Vec<(&str, Vec<&NotObserved>)> = Vec::new();
    for part in parts.iter().filter(|part| !part.omission.is_failure()) {
        match reasons.iter_mut().find(|(reason, _)| *reason == part.reason) {
            Some((_, known)) => known.push(part),
            None => reasons.push((&part.reason, vec![part])),
        }
    }
    let groups = reasons.into_iter().filter_map(|(reason, parts)| {
        let (first, others) = (parts.first()?, parts.len() as u64 - 1);
        let left_out: u64 = parts.iter().map(|part| part.number.max(1)).sum();
        let mut more = if others == 0 { String::new() } else { format!(" and {} more", count(others)) };
        if left_out > others + 1 {
            more.push_str(&format!(" ({} left out)", count(left_out)));
        }
        Some(Restricted { subject: &first.subject, more, reason })
    });
    groups.collect()
}

/// Returns the number of tables that were not read, and of columns that were not compared.
fn failures(view: &DiscoveryView) -> String {
    let number = |omission: Omission| {
        view.not_observed.iter().filter(|part| part.omission == omission).map(|part| part.number).sum::<u64>()
    };
    let verb = |number: u64| if number == 1 { "was" } else { "were" };
    let (unread, uncompared) = (number(Omission::NotRead), number(Omission::NotCompared));
    let mut parts = Vec::new();
    if unread > 0 {
        parts.push(format!("{} {} not read", plural(unread, "table"), verb(unread)));
    }
    if uncompared > 0 {
        parts.push(format!("{} {} not compared", plural(uncompared, "column"), verb(uncompared)));
    }
    parts.join(", and ")
}

/// Returns the label of a part that was not observed.
pub(super) fn omission(omission: Omission) -> &'static str {
    match omission {
        Omission::NotRead => "not read",
        Omission::NotCompared => "not compared",
        Omission::Restricted => "restricted",
    }
}

/// Returns the id, with the condition of a polymorphic reference.
pub(super) fn reference(candidate: &CandidateView) -> String {
    match condition(candidate) {
        Some(condition) => format!("{} where {condition}", candidate.id),
        None => candidate.id.clone(),
    }
}

pub(super) fn condition(candidate: &CandidateView) -> Option<String> {
    let columns = candidate.condition.iter().map(|(column, value)| (column.as_str(), value));
    (!candidate.condition.is_empty()).then(|| text::named(columns))
}

/// Returns the strongest evidence in a few words.
pub(super) fn short_evidence(candidate: &CandidateView) -> String {
    match candidate.reason {
        Some(Rejection::Score) | None => {
            let keys = keys(candidate);
            name(candidate).map_or_else(|| keys.clone(), |name| format!("{name}, {keys}"))
        }
        Some(reason) => rejection(reason).to_owned(),
    }
}

/// Returns how the names speak for a candidate.
fn name(candidate: &CandidateView) -> Option<&'static str> {
    const NAMES: [(&str, &str); 15] = [
        ("key-name-equal", "same name"),
        ("table-name-equal", "named after the table"),
        ("role-names-parent", "same names"),
        ("value-names-table", "the value names the table"),
        ("name-without-rows", "by name only"),
        ("join-without-rows", "a view or trigger joins them"),
        ("key-name-with-role", "name with a role"),
        ("table-name-with-role", "name with a role"),
        ("table-name-tail", "named after the table"),
        ("self-role", "role of the same table"),
        ("person-role", "role of a person"),
        ("view-join", "joined in a view"),
        ("table-name-abbreviated", "abbreviated name"),
        ("table-name-word", "common word"),
        ("key-name-alike", "similar name"),
    ];
    let has =
        |feature: &str| candidate.evidence.iter().any(|evidence| evidence.feature == feature && evidence.value > 0.0);
    NAMES.iter().find(|(feature, _)| has(feature)).map(|(_, words)| *words)
}

fn keys(candidate: &CandidateView) -> String {
    let counts = &candidate.counts;
    match (counts.distinct, counts.missing_keys) {
        (0, _) => "no data".to_owned(),
        (1, 0) => "its key exists".to_owned(),
        (keys, 0) => format!("all {} keys", count(keys)),
        (keys, missing) => format!("{} of {}", count(keys - missing), plural(keys, "key")),
    }
}

/// Returns why a pair is rejected, or less than its score says.
pub(super) fn rejection(reason: Rejection) -> &'static str {
    match reason {
        Rejection::AnotherParent => "another parent fits better",
        Rejection::OtherDirection => "the other direction fits better",
        Rejection::Subtype => "a table with the same key is nearer",
        Rejection::PartOfComposite => "the column is a part of a reference of several columns",
        Rejection::Score => "the evidence is too weak",
        Rejection::ByYou => "rejected by you in the configuration",
    }
}

/// Returns what is to be changed so that the values of both sides are equal.
pub(super) fn near(near: &NearView) -> String {
    let form = match near.form {
        NearForm::Trim => "blanks at the beginning and the end are ignored",
        NearForm::Case => "upper and lower case are ignored",
        NearForm::ZeroPadding => "zeros at the beginning are ignored",
        NearForm::Type => "text and numbers are compared by their spelling",
    };
    let stored = near.as_stored.orphan_rows;
    let verb = if stored == 1 { "row is an orphan" } else { "rows are orphans" };
    format!(
        "{} of {} {verb} as they stand; {} if {form}",
        count(stored),
        count(near.as_stored.complete_rows()),
        count(near.counts.orphan_rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_with_the_same_reason_are_one_group() {
        let part = |subject: &str, reason: &str, number: u64, omission: Omission| NotObserved {
            subject: subject.to_owned(),
            reason: reason.to_owned(),
            number,
            omission,
        };
        let parts = [
            part("a", "too many keys", 12, Omission::Restricted),
            part("b->b(x)", "no key", 1, Omission::Restricted),
            part("c", "locked", 1, Omission::NotRead),
            part("b->b(y)", "no key", 40, Omission::Restricted),
            part("d", "views", 1, Omission::Restricted),
        ];
        let groups: Vec<String> = restricted(&parts)
            .iter()
            .map(|group| format!("{}{}: {}", group.subject, group.more, group.reason))
            .collect();
        assert_eq!(groups, ["a (12 left out): too many keys", "b->b(x) and 1 more (41 left out): no key", "d: views"]);
    }
}
