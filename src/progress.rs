//! The progress line on standard error, if that is a terminal and the work takes long. It is part of the binary.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use fk_doctor::internals::model::text::duration;
use fk_doctor::internals::model::text::share;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

/// Progress is shown for work that takes longer than this.
const DELAY: Duration = Duration::from_millis(500);

/// No time left is guessed before this.
const FIRST_GUESS: Duration = Duration::from_secs(1);

/// The line is drawn so many times in a second at most.
const DRAWS_PER_SECOND: u8 = 10;

/// A narrower terminal has no bar.
const NARROW: usize = 60;

/// The columns between the brackets of the bar.
const BAR: usize = 18;

/// How far the work is.
struct Step {
    phase: &'static str,
    done: usize,
    total: usize,
}

/// Returns a step as a line: phase, share, bar and time left. Without a total there are neither share nor time left.
fn line(step: &Step, elapsed: Duration, width: usize) -> String {
    let mut line = format!("{:<8}", step.phase);
    if step.total > 0 {
        let done = step.done.min(step.total);
        line.push_str(&format!("  {:>6}", share(done as u64, step.total as u64)));
        if width >= NARROW {
            let full = (done as u128 * BAR as u128 / step.total as u128) as usize;
            let head = if full < BAR { ">" } else { "" };
            line.push_str(&format!("  [{:<BAR$}]", format!("{}{head}", "=".repeat(full))));
        }
        if elapsed >= FIRST_GUESS && done > 0 {
            let left = elapsed.as_secs_f64() * (step.total - done) as f64 / done as f64;
            line.push_str(&format!("  {} left", whole_seconds(left)));
        }
    }
    line.truncate(width);
    line.trim_end().to_owned()
}

/// Returns a guessed time in whole seconds.
fn whole_seconds(seconds: f64) -> String {
    let whole = seconds.ceil().min(f64::from(u32::MAX)) as u64;
    if whole < 60 { format!("{whole} s") } else { duration(Duration::from_secs(whole)) }
}

pub(crate) struct ProgressLine {
    phase: &'static str,
    width: usize,
    is_wanted: bool,
    state: Mutex<State>,
}

struct State {
    start: Instant,
    total: usize,
    bar: Option<ProgressBar>,
}

impl ProgressLine {
    pub(crate) fn new(phase: &'static str, width: usize, is_quiet: bool) -> ProgressLine {
        let state = Mutex::new(State { start: Instant::now(), total: 0, bar: None });
        ProgressLine { phase, width, is_wanted: !is_quiet && std::io::stderr().is_terminal(), state }
    }

    /// Shows how far the work is. Another total starts another phase, whose time is measured anew.
    pub(crate) fn show(&self, done: usize, total: usize) {
        if !self.is_wanted {
            return;
        }
        let Ok(mut state) = self.state.lock() else { return };
        if state.total != total {
            if state.total != 0 {
                state.start = Instant::now();
            }
            state.total = total;
        }
        let elapsed = state.start.elapsed();
        if elapsed < DELAY && state.bar.is_none() {
            return;
        }
        let bar = state.bar.get_or_insert_with(new_bar);
        bar.set_message(line(&Step { phase: self.phase, done, total }, elapsed, self.width));
    }

    /// Erases the line, before anything else is printed. What comes next is measured anew.
    pub(crate) fn erase(&self) {
        if let Ok(mut state) = self.state.lock() {
            if let Some(bar) = state.bar.take() {
                bar.finish_and_clear();
            }
            (state.start, state.total) = (Instant::now(), 0);
        }
    }
}

impl Drop for ProgressLine {
    /// Erases the line, however the work ends.
    fn drop(&mut self) {
        self.erase();
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
    match ProgressStyle::with_template("{msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(done: usize, total: usize, seconds: u64, width: usize) -> String {
        line(&Step { phase: "scan", done, total }, Duration::from_secs(seconds), width)
    }

    #[test]
    fn a_wide_line_has_a_bar_and_a_narrow_line_has_none() {
        let wide = "scan         50%  [=========>        ]  10 s left";
        assert_eq!(shown(5, 10, 10, 120), wide);
        assert_eq!(shown(5, 10, 10, 80), wide);
        assert_eq!(shown(5, 10, 10, 40), "scan         50%  10 s left");
        assert_eq!(shown(1, 10, 10, 80), "scan         10%  [=>                ]  1 min 30 s left");
    }

    #[test]
    fn nothing_is_guessed_without_grounds() {
        assert_eq!(shown(5, 10, 0, 40), "scan         50%");
        assert_eq!(shown(0, 10, 9, 40), "scan          0%");
        assert_eq!(shown(5, 0, 9, 80), "scan");
    }

    #[test]
    fn a_line_fits_is_ascii_and_never_exceeds_the_whole() {
        assert_eq!(shown(12, 10, 9, 80), "scan        100%  [==================]  0 s left");
        for width in [5, 40, 59, 60, 80, 120] {
            let line = shown(1, usize::MAX, u64::from(u32::MAX), width);
            assert!(line.is_ascii() && line.len() <= width, "{line}");
        }
    }
}
