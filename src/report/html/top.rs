//! The top of the page: the verdict, what can be done, the relations by their state as a bar, and how the scan was made.

use std::collections::BTreeMap;

use crate::model::examination::Examination;
use crate::model::redaction::Values;
use crate::model::text::count;
use crate::model::text::duration;
use crate::model::text::plural;
use crate::report::headline::Headline;
use crate::report::html::state;
use crate::report::html::state::Condition;
use crate::report::html::state::State;
use crate::report::layout::Symbol;
use crate::report::markup::escaped;
use crate::report::wording;

pub(super) fn header(examination: &Examination) -> String {
    let name = &examination.schema.database.name;
    let headline = Headline::of(examination);
    let sentences = headline.sentences.iter().map(|(symbol, sentence)| {
        // The heading above contains the name.
        let sentence = sentence.strip_prefix(&format!("{name}: ")).unwrap_or(sentence);
        format!(
            "<p class=\"verdict {}\"><span class=\"mark\" aria-hidden=\"true\">{}</span> {}</p>\n",
            class(*symbol),
            symbol.mark(),
            escaped(sentence)
        )
    });
    let repair_counts = wording::repair_counts(examination);
    let repair_counts = repair_counts
        .map(|repair_counts| format!("<p class=\"sub\">{}</p>\n", escaped(&repair_counts)))
        .unwrap_or_default();
    format!(
        "<header class=\"top\"><div>\n<h1>Foreign keys of {}</h1>\n{}{repair_counts}{}{}</div></header>\n",
        escaped(name),
        sentences.collect::<String>(),
        bar(examination),
        run(examination)
    )
}

fn class(symbol: Symbol) -> &'static str {
    match symbol {
        Symbol::Done => "good",
        Symbol::Faults => "bad",
        Symbol::Partly | Symbol::Unsure => "doubtful",
        Symbol::Nothing => "neutral",
    }
}

/// Shows the relations by their state. Green appears only if every relation was checked and has no errors, so that the bar
/// does not contradict the verdict.
fn bar(examination: &Examination) -> String {
    let all = examination.relations.len();
    if all == 0 {
        return String::new();
    }
    let conditions = state::conditions(examination);
    let mut numbers: BTreeMap<State, usize> = BTreeMap::new();
    for condition in &conditions {
        *numbers.entry(condition.state).or_default() += 1;
    }
    let is_clean = numbers.len() == 1 && numbers.contains_key(&State::Sound);
    let mut start = 0.0;
    let (mut parts, mut keys, mut words) = (String::new(), String::new(), Vec::new());
    for (state, number) in numbers {
        let class = if is_clean { "good" } else { state.class() };
        let width = 100.0 * number as f64 / all as f64;
        let text = format!("{} {}{}", count(number as u64), state.words(), also(state, &conditions));
        parts.push_str(&format!(
            "<rect class=\"bar-{class}\" x=\"{start:.2}\" y=\"0\" width=\"{width:.2}\" height=\"4\"><title>{text}</title></rect>"
        ));
        if matches!(state, State::Unchecked | State::Partial) {
            // Stripes say without color that something was not checked.
            let pattern = "<rect class=\"stripes\" fill=\"url(#stripes)\"";
            parts.push_str(&format!("{pattern} x=\"{start:.2}\" y=\"0\" width=\"{width:.2}\" height=\"4\"/>"));
        }
        keys.push_str(&format!("<span><i class=\"bar-{class}\"></i>{text}</span>\n"));
        words.push(text);
        start += width;
    }
    let unchecked = conditions.iter().filter(|condition| !condition.is_checked).count();
    let checked = if unchecked == 0 { "all checked".to_owned() } else { format!("{unchecked} not checked") };
    let all = plural(all as u64, "relation");
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{all}: {}\">\
         <defs><pattern id=\"stripes\" width=\"1.2\" height=\"4\" patternUnits=\"userSpaceOnUse\">\
         <rect class=\"stripe\" width=\"0.5\" height=\"4\"/></pattern></defs>{parts}</svg>\n\
         <div class=\"key\"><span><b>{all}</b>, {checked}</span>\n{keys}</div>\n",
        words.join(", ")
    )
}

/// Returns what else holds for some of the relations of a state: `, 2 of them not checked`.
fn also(state: State, conditions: &[Condition<'_>]) -> String {
    if state != State::Defective {
        return String::new();
    }
    let defective = || conditions.iter().filter(|condition| condition.state == State::Defective);
    let facts = [
        (defective().filter(|condition| condition.orphans > 0).count(), "with orphan rows"),
        (defective().filter(|condition| !condition.is_checked).count(), "not checked"),
    ];
    let facts = facts.into_iter().filter(|(number, _)| *number > 0);
    facts.map(|(number, words)| format!(", {} of them {words}", count(number as u64))).collect()
}

/// Says when the scan was made, how long it took, and by which command.
fn run(examination: &Examination) -> String {
    let Some(run) = &examination.run else { return String::new() };
    let mut parts = vec![
        format!("<time datetime=\"{}\">{}</time>", escaped(&run.started), escaped(&moment(&run.started))),
        duration(run.elapsed),
        plural(examination.rows(), "row"),
        format!("fk-doctor {}", env!("CARGO_PKG_VERSION")),
    ];
    if examination.values != Values::Shown {
        parts.push(format!("values {}", examination.values.name()));
    }
    if !run.command.is_empty() {
        parts.push(format!("<code>{}</code>", escaped(&run.command)));
    }
    format!("<p class=\"run\">{}</p>\n", parts.join(" · "))
}

/// Returns for example `31 Dec 2026, 23:59 UTC` for `2026-12-31T23:59:59Z`, and any other text unchanged.
fn moment(timestamp: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts = || {
        let (date, time) = timestamp.strip_suffix('Z')?.split_once('T')?;
        let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else { return None };
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("{} {month} {year}, {} UTC", day.trim_start_matches('0'), time.get(..5)?))
    };
    parts().unwrap_or_else(|| timestamp.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moment_is_written_for_people() {
        assert_eq!(moment("2026-11-07T23:54:09Z"), "7 Nov 2026, 23:54 UTC");
        assert_eq!(moment("soon"), "soon");
    }
}
