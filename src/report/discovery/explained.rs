//! Why a pair of columns has its tier: counts, the evidence for and against it, and the reason of a rejection.

use crate::model::discovery::Evidence;
use crate::model::discovery::Rejection;
use crate::model::discovery::Tier;
use crate::model::discovery_view::CandidateView;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::report::TerminalStyle;
use crate::report::discovery::AbsentPair;
use crate::report::discovery::DiscoveryReport;
use crate::report::discovery::wording;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Symbol;

const LABEL: usize = 7;
/// The number of reasons for a pair, and against it.
const MOST: usize = 6;
/// A weight below this hardly moves the score.
const SLIGHT: f64 = 0.05;

pub(super) fn render(report: &DiscoveryReport<'_>, candidate: &CandidateView, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    sheet.headline(symbol(candidate), headline(candidate));
    sheet.blank();
    sheet.prose(2, &Piece::plain(values(candidate)));
    if !candidate.missing.is_empty() {
        let keys = candidate.missing.iter().map(|(key, rows)| format!("{} ({})", text::key(key), plural(*rows, "row")));
        sheet.labelled_prose(LABEL, "missing", &Piece::plain(keys.collect::<Vec<_>>().join(", ")));
    }
    let is_pair = |evidence: &&Evidence| !evidence.feature.starts_with("start");
    let mut for_it: Vec<&Evidence> = candidate.evidence.iter().filter(is_pair).filter(|e| e.weight > SLIGHT).collect();
    let mut against: Vec<&Evidence> =
        candidate.evidence.iter().filter(is_pair).filter(|e| e.weight < -SLIGHT).collect();
    for (label, evidence) in [("for it", &mut for_it), ("against", &mut against)] {
        evidence.sort_by(|left, right| right.weight.abs().total_cmp(&left.weight.abs()));
        for (position, evidence) in evidence.iter().take(MOST).enumerate() {
            let label = if position == 0 { label } else { "" };
            sheet.labelled_prose(LABEL, label, &Piece::plain(format!("{:+.1}  {}", evidence.weight, evidence.text)));
        }
    }
    if let Some(reason) = candidate.reason {
        sheet.labelled_prose(LABEL, "reason", &Piece::plain(reason_in_full(report, candidate, reason)));
    }
    sheet.next(&next(report, candidate));
    sheet.finish()
}

fn symbol(candidate: &CandidateView) -> Symbol {
    match candidate.tier {
        Tier::Declared | Tier::Certain => Symbol::Nothing,
        Tier::Likely | Tier::Possible => Symbol::Unsure,
        Tier::Rejected => Symbol::Nothing,
    }
}

fn headline(candidate: &CandidateView) -> String {
    let reference = wording::reference(candidate);
    let score = candidate.score;
    match candidate.tier {
        Tier::Declared => format!("{reference} is known already: it is declared, or in the configuration"),
        Tier::Certain => format!("{reference} is a certain reference (score {score:.3})"),
        Tier::Likely => format!("{reference} is a likely reference (score {score:.2})"),
        Tier::Possible => format!("{reference} is a possible reference (score {score:.2})"),
        Tier::Rejected => format!("{reference} is rejected (score {score:.2})"),
    }
}

fn values(candidate: &CandidateView) -> String {
    let counts = &candidate.counts;
    let parent = &candidate.parent;
    let nulls = match counts.null_rows {
        0 => String::new(),
        rows => format!("; {} have no key", plural(rows, "row")),
    };
    let found = if counts.missing_keys == 0 {
        format!("all {} exist in {parent}", plural(counts.distinct, "key"))
    } else {
        format!(
            "{} of {} are missing from {parent}, in {} of {}",
            count(counts.missing_keys),
            plural(counts.distinct, "key"),
            count(counts.orphan_rows),
            plural(counts.complete_rows(), "row")
        )
    };
    format!("{} of {}: {found}{nulls}.", plural(counts.rows, "row"), candidate.child)
}

/// Returns the reason of a rejection with the candidate that is better, if there is one.
fn reason_in_full(report: &DiscoveryReport<'_>, candidate: &CandidateView, reason: Rejection) -> String {
    let better = report.view.candidates.iter().find(|other| match reason {
        Rejection::AnotherParent | Rejection::Subtype => {
            other.child == candidate.child && other.condition == candidate.condition && other.tier < candidate.tier
        }
        Rejection::OtherDirection => other.child == candidate.parent && other.parent == candidate.child,
        Rejection::PartOfComposite => {
            let is_accepted = matches!(other.tier, Tier::Declared | Tier::Certain | Tier::Likely);
            let has = |column: &String| other.child.columns.contains(column);
            is_accepted
                && other.child.table == candidate.child.table
                && other.child.columns.len() > 1
                && candidate.child.columns.iter().all(has)
        }
        Rejection::Score | Rejection::ByYou => false,
    });
    match better {
        Some(better) => format!("{}: {} ({})", wording::rejection(reason), better.id, better.tier.name()),
        None => wording::rejection(reason).to_owned(),
    }
}

fn next(report: &DiscoveryReport<'_>, candidate: &CandidateView) -> Vec<String> {
    let id = text::shell(&candidate.id);
    let config = report.config;
    match candidate.tier {
        Tier::Declared => vec![report.command("scan", &format!("--relation {id}"))],
        Tier::Rejected if candidate.reason == Some(Rejection::ByYou) => Vec::new(),
        Tier::Rejected => vec![report.command("discover", &format!("--accept {id} --config {config}"))],
        _ => vec![
            report.command("discover", &format!("--accept {id} --config {config}")),
            report.command("discover", &format!("--reject {id} --config {config}")),
        ],
    }
}

/// Explains a pair that is no candidate.
pub(super) fn absent(pair: &AbsentPair, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    sheet.headline(Symbol::Nothing, format!("{} is no candidate", pair.id));
    if let Some(counts) = &pair.counts {
        let keys = format!("{} of {} are missing", count(counts.missing_keys), plural(counts.distinct, "key"));
        let rows = format!("{} of {}", count(counts.orphan_rows), plural(counts.complete_rows(), "row"));
        sheet.labelled_prose(LABEL, "values", &Piece::plain(format!("{keys}, in {rows}")));
    }
    sheet.labelled_prose(LABEL, "reason", &Piece::plain(&pair.reason));
    sheet.finish()
}
