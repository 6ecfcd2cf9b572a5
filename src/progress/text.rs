//! The words of the progress line: command, phase, share, numbers, and the time left.

use std::time::Duration;

use fk_doctor::internals::model::progress::ProgressStep;
use fk_doctor::internals::model::text::count;
use fk_doctor::internals::model::text::duration;
use fk_doctor::internals::model::text::plural;
use fk_doctor::internals::model::text::share;
use fk_doctor::internals::model::text::visible;

use super::LineStyle;

/// No rate and no time left are guessed before this.
const FIRST_GUESS: Duration = Duration::from_secs(1);

/// After this time without an advance, the line says that the run waits.
const STILL: Duration = Duration::from_secs(10);

/// A narrower terminal has only phase, share and time left.
const NARROW: usize = 60;

/// The columns between the brackets of the bar.
const BAR: usize = 18;

/// The state of a run at the moment of drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) command: &'a str,
    pub(super) step: ProgressStep<'a>,
    /// The time of the phase so far.
    pub(super) elapsed: Duration,
    /// The time since the last advance.
    pub(super) still: Duration,
    /// True if the run was asked to stop.
    pub(super) is_stopping: bool,
}

/// Returns the line. It is never wider than the terminal.
pub(super) fn line(shown: &Shown<'_>, style: LineStyle) -> String {
    let label = label(shown.command, &shown.step);
    let head = match style.width {
        NARROW.. => format!("{:<8}  {label:<15}", shown.command),
        _ if label.is_empty() => shown.command.to_owned(),
        _ => format!("{}  {label}", shown.command),
    };
    let share = share_of(&shown.step).map(|share| format!("{share:>5}"));
    let mut parts = vec![head];
    parts.extend(share);
    let separator = if style.ascii { " - " } else { " \u{b7} " };
    let start = parts.join("  ").trim_end().to_owned();
    let columns = |text: &str| text.chars().count();
    let mut line = start.clone();
    for (bar, facts) in fact_lists(shown, style.width) {
        let facts = facts.join(separator);
        let whole = [Some(start.as_str()), bar.as_deref(), Some(&facts)].into_iter().flatten();
        let whole = whole.filter(|part| !part.is_empty()).collect::<Vec<&str>>().join("  ");
        if columns(&whole) <= style.width {
            line = whole;
            break;
        }
    }
    line.chars().take(style.width).collect::<String>().trim_end().to_owned()
}

/// Returns the phase with its number, or the object of the work.
fn label(command: &str, step: &ProgressStep<'_>) -> String {
    let name = step.phase.name();
    let phase = match step.position {
        Some((number, of)) => format!("{number}/{of} {name}"),
        None if name == command => String::new(),
        None => name.to_owned(),
    };
    match (step.table, step.tables) {
        (Some(table), Some((number, of))) if phase.is_empty() => {
            format!("{}, {number} of {}", visible(table), plural(of as u64, "table"))
        }
        (Some(table), None) if phase.is_empty() => visible(table).into_owned(),
        _ => phase,
    }
}

fn share_of(step: &ProgressStep<'_>) -> Option<String> {
    step.total.map(|total| share(step.done.min(total), total))
}

/// Facts after the share: a bar, and words.
type Facts = (Option<String>, Vec<String>);

/// Returns the facts after the share, the fullest list first. The line takes the first list that fits.
fn fact_lists(shown: &Shown<'_>, width: usize) -> Vec<Facts> {
    let step = &shown.step;
    if shown.is_stopping {
        let list = |words: &str| (None, vec![words.to_owned()]);
        return vec![list("stopping (ctrl-c again: at once)"), list("stopping")];
    }
    let left = time_left(shown).map(|left| format!("{left} left"));
    let waiting = match step.waiting {
        Some(waiting) => Some(visible(waiting).into_owned()),
        None if shown.still >= STILL => {
            Some(format!("waiting for the database, {}", whole_seconds(shown.still.as_secs_f64())))
        }
        None => None,
    };
    if let Some(waiting) = waiting {
        return vec![(None, vec![waiting]), (None, vec!["waiting".to_owned()])];
    }
    let brief: Vec<String> = left.clone().into_iter().collect();
    if width < NARROW {
        return vec![(None, brief)];
    }
    let rows = step.rows.or_else(|| step.phase.counts_rows().then_some(step.done));
    let rate = rows.filter(|&rows| rows > 0 && shown.elapsed >= FIRST_GUESS);
    let rate = rate.map(|rows| rounded(rows as f64 / shown.elapsed.as_secs_f64()));
    let (bar, amount, unit) = match (step.total, rows) {
        (Some(total), Some(_)) if step.phase.counts_rows() => {
            (None, Some(format!("{} of {}", count(step.done.min(total)), count(total))), "/s")
        }
        (Some(total), _) => (Some(bar(step.done.min(total), total)), None, " rows/s"),
        (None, Some(rows)) => (None, Some(format!("{} so far", plural(rows, "row"))), " rows/s"),
        (None, None) => (None, None, ""),
    };
    let time = left.or_else(|| step.total.is_none().then(|| whole_seconds(shown.elapsed.as_secs_f64())));
    let found = (step.found > 0).then(|| format!("{} so far", plural(step.found, "orphan")));
    let rate = rate.map(|rate| format!("{rate}{unit}"));
    let list = |facts: [&Option<String>; 4]| facts.into_iter().flatten().cloned().collect::<Vec<String>>();
    vec![
        (bar.clone(), list([&amount, &rate, &time, &found])),
        (bar.clone(), list([&amount, &rate, &time, &None])),
        (None, list([&amount, &rate, &time, &None])),
        (None, list([&amount, &time, &None, &None])),
        (None, brief),
    ]
}

fn bar(done: u64, total: u64) -> String {
    let full = (u128::from(done) * BAR as u128 / u128::from(total.max(1))) as usize;
    let head = if full < BAR { ">" } else { "" };
    format!("[{:<BAR$}]", format!("{}{head}", "=".repeat(full)))
}

/// Returns the time that is left at the speed so far, if there are grounds to guess it.
fn time_left(shown: &Shown<'_>) -> Option<String> {
    let step = &shown.step;
    let total = step.total.filter(|_| step.done > 0 && shown.elapsed >= FIRST_GUESS)?;
    let rest = total.saturating_sub(step.done);
    Some(whole_seconds(shown.elapsed.as_secs_f64() * rest as f64 / step.done as f64))
}

/// Returns a number in two digits: `85`, `380,000`, `1.1 M`.
fn rounded(number: f64) -> String {
    let exponent = number.max(1.0).log10().floor().max(1.0) as i32 - 1;
    let unit = 10_f64.powi(exponent);
    let whole = ((number / unit).round() * unit).min(1e15) as u64;
    match whole {
        10_000_000.. => format!("{} M", count(whole / 1_000_000)),
        1_000_000.. => format!("{}.{} M", whole / 1_000_000, whole / 100_000 % 10),
        _ => count(whole),
    }
}

/// Returns a guessed time in whole seconds.
fn whole_seconds(seconds: f64) -> String {
    let whole = seconds.ceil().min(f64::from(u32::MAX)) as u64;
    if whole < 60 { format!("{whole} s") } else { duration(Duration::from_secs(whole)) }
}

#[cfg(test)]
mod tests {
    use fk_doctor::internals::model::progress::RunPhase;

    use super::*;

    fn shown(command: &'static str, step: ProgressStep<'static>, seconds: u64) -> Shown<'static> {
        Shown { command, step, elapsed: Duration::from_secs(seconds), still: Duration::ZERO, is_stopping: false }
    }

    fn drawn(shown: &Shown<'_>, width: usize) -> String {
        line(shown, LineStyle { width, ascii: false })
    }

    #[test]
    fn phases_have_number_share_rate_and_time_left() {
        let step =
            ProgressStep { position: Some((2, 3)), ..ProgressStep::of(RunPhase::DecideKeys, 600_000, 2_050_000) };
        let repair = Shown { elapsed: Duration::from_millis(1_580), ..shown("repair", step, 0) };
        assert_eq!(drawn(&repair, 80), "repair    2/3 decide keys    29%  600,000 of 2,050,000 · 380,000/s · 4 s left");
        assert_eq!(drawn(&repair, 40), "repair  2/3 decide keys    29%  4 s left");
        let step =
            ProgressStep { position: Some((3, 5)), ..ProgressStep::of(RunPhase::ChangeRows, 1_240_000, 2_050_000) };
        let apply = Shown { elapsed: Duration::from_millis(14_500), ..shown("apply", step, 0) };
        assert_eq!(
            drawn(&apply, 80),
            "apply     3/5 change rows    60%  1,240,000 of 2,050,000 · 86,000/s · 10 s left"
        );
    }

    #[test]
    fn scan_names_its_table_and_has_a_bar() {
        let step = ProgressStep {
            table: Some("line"),
            tables: Some((2, 3)),
            rows: Some(15_500_000),
            ..ProgressStep::of(RunPhase::Scan, 46, 100)
        };
        let scan = Shown { elapsed: Duration::from_millis(1_700), ..shown("scan", step, 0) };
        assert_eq!(
            drawn(&scan, 90),
            "scan      line, 2 of 3 tables    46%  [========>         ]  9.1 M rows/s · 2 s left"
        );
    }

    #[test]
    fn unknown_total_has_no_share() {
        let step = ProgressStep {
            table: Some("orders"),
            tables: Some((3, 6)),
            rows: Some(12_400_000),
            found: 206,
            ..ProgressStep::of(RunPhase::Scan, 3, 0)
        };
        let scan = shown("scan", step, 11);
        assert_eq!(drawn(&scan, 80), "scan      orders, 3 of 6 tables  12,400,000 rows so far · 1.1 M rows/s · 11 s");
        let wide = "scan      orders, 3 of 6 tables  12,400,000 rows so far · 1.1 M rows/s · 11 s · 206 orphans so far";
        assert_eq!(drawn(&scan, 120), wide);
    }

    #[test]
    fn standstill_is_shown_as_waiting() {
        let step = ProgressStep { position: Some((3, 5)), ..ProgressStep::of(RunPhase::ChangeRows, 6, 10) };
        let apply = Shown { still: Duration::from_secs(12), ..shown("apply", step, 30) };
        assert_eq!(drawn(&apply, 80), "apply     3/5 change rows    60%  waiting for the database, 12 s");
        assert_eq!(drawn(&apply, 40), "apply  3/5 change rows    60%  waiting");
        let replica = ProgressStep { waiting: Some("waiting for replica2, 7 s behind"), ..step };
        let shown = Shown { step: replica, still: Duration::ZERO, ..apply };
        assert_eq!(drawn(&shown, 80), "apply     3/5 change rows    60%  waiting for replica2, 7 s behind");
        let apply = Shown { is_stopping: true, ..apply };
        let stopping = "apply     3/5 change rows    60%  stopping (ctrl-c again: at once)";
        assert_eq!(drawn(&apply, 80), stopping);
        assert_eq!(drawn(&apply, 40), "apply  3/5 change rows    60%  stopping");
    }

    #[test]
    fn nothing_is_guessed_without_grounds() {
        assert_eq!(drawn(&shown("scan", ProgressStep::of(RunPhase::Scan, 5, 10), 0), 40), "scan    50%");
        assert_eq!(drawn(&shown("scan", ProgressStep::of(RunPhase::Scan, 0, 10), 9), 40), "scan     0%");
        assert_eq!(drawn(&shown("scan", ProgressStep::of(RunPhase::Scan, 5, 0), 0), 40), "scan");
    }

    #[test]
    fn line_fits_and_is_ascii_on_request() {
        let step = ProgressStep {
            table: Some("a_long_name_of_a_table"),
            rows: Some(u64::MAX),
            found: u64::MAX,
            ..ProgressStep::of(RunPhase::Scan, 1, usize::MAX)
        };
        for width in [5, 40, 59, 60, 80, 120] {
            let line = line(&shown("scan", step, u64::from(u32::MAX)), LineStyle { width, ascii: true });
            assert!(line.is_ascii() && line.len() <= width, "{line}");
        }
    }

    #[test]
    fn rates_have_two_digits() {
        let known = [(0.4, "0"), (8.6, "9"), (85.2, "85"), (379_746.0, "380,000"), (1_127_272.0, "1.1 M")];
        for (rate, text) in known.into_iter().chain([(12_345_678.0, "12 M"), (999_999.0, "1.0 M")]) {
            assert_eq!(rounded(rate), text);
        }
    }
}
