//! The progress line on standard error, if that is a terminal and the work takes long. It is part of the binary.
//!
//! A terminal has one such line, so the program has one. The stages only store their last step; a thread draws it.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use fk_doctor::internals::model::progress::ProgressStep;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

mod text;

use crate::stop_signal;
use text::Shown;
use text::line;

/// Progress is shown for work that takes longer than this.
const DELAY: Duration = Duration::from_millis(500);

/// The time between two drawings of the line.
const INTERVAL: Duration = Duration::from_millis(100);

static LINE: OnceLock<ProgressLine> = OnceLock::new();

/// The appearance of the line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineStyle {
    pub(crate) width: usize,
    pub(crate) ascii: bool,
}

/// Sets the command that the line names, and its appearance. Without this call, nothing is shown.
pub(crate) fn begin(command: &'static str, style: LineStyle) {
    LINE.get_or_init(|| ProgressLine {
        command,
        style,
        is_wanted: std::io::stderr().is_terminal(),
        state: Mutex::new(State::default()),
    });
}

/// Stores how far the work is.
pub(crate) fn show(step: &ProgressStep<'_>) {
    if let Some(line) = LINE.get().filter(|line| line.is_wanted) {
        line.store(step, Instant::now());
    }
}

/// Erases the line, before anything else is printed. The next step is measured anew.
pub(crate) fn erase() {
    if let Some(mut state) = LINE.get().and_then(ProgressLine::state) {
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        *state = State { is_drawn_regularly: state.is_drawn_regularly, ..State::default() };
    }
}

struct ProgressLine {
    command: &'static str,
    style: LineStyle,
    is_wanted: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The step that was stored last, since the line was erased.
    current: Option<Current>,
    /// The time that earlier phases took, because two phases may alternate.
    earlier: Vec<(PhaseKey, Duration)>,
    /// The time of the first step.
    begun: Option<Instant>,
    bar: Option<ProgressBar>,
    is_drawn_regularly: bool,
}

/// Two steps with equal keys are steps of one phase.
type PhaseKey = (Option<&'static str>, &'static str, Option<u64>);

struct Current {
    step: ProgressStep<'static>,
    table: Option<String>,
    waiting: Option<String>,
    /// The time at which the phase began or went on.
    since: Instant,
    /// The time of the last step that advanced.
    advanced: Instant,
    /// The time that the phase took before.
    before: Duration,
}

fn key(step: &ProgressStep<'_>) -> PhaseKey {
    (step.command, step.phase.name(), step.total)
}

impl ProgressLine {
    fn state(&self) -> Option<MutexGuard<'_, State>> {
        self.state.lock().ok()
    }

    fn store(&self, step: &ProgressStep<'_>, now: Instant) {
        let Some(mut state) = self.state() else { return };
        state.begun.get_or_insert(now);
        state.store(step, now);
        if !state.is_drawn_regularly {
            state.is_drawn_regularly = true;
            // Without the thread, nothing is shown.
            let _ = std::thread::Builder::new().spawn(|| {
                loop {
                    std::thread::sleep(INTERVAL);
                    LINE.get().into_iter().for_each(ProgressLine::draw);
                }
            });
        }
    }

    fn draw(&self) {
        let Some(mut state) = self.state() else { return };
        let (Some(begun), Some(current)) = (state.begun, &state.current) else { return };
        let now = Instant::now();
        if now.duration_since(begun) < DELAY {
            return;
        }
        let text = line(&current.shown(self.command, now), self.style);
        state.bar.get_or_insert_with(new_bar).set_message(text);
    }
}

impl State {
    fn store(&mut self, step: &ProgressStep<'_>, now: Instant) {
        if let (Some(waiting), Some(current)) = (step.waiting, &mut self.current) {
            current.waiting = Some(waiting.to_owned());
            return;
        }
        let table = step.table.map(str::to_owned);
        let step = ProgressStep { table: None, waiting: None, ..*step };
        match &mut self.current {
            Some(current) if key(&current.step) == key(&step) => {
                if current.step != step {
                    current.advanced = now;
                }
                (current.step, current.table, current.waiting) = (step, table, None);
            }
            current => {
                if let Some(last) = current {
                    let spent = last.before + now.duration_since(last.since);
                    self.earlier.retain(|(phase, _)| *phase != key(&last.step));
                    self.earlier.push((key(&last.step), spent));
                }
                let before = self.earlier.iter().find(|(phase, _)| *phase == key(&step));
                let before = before.map_or(Duration::ZERO, |(_, spent)| *spent);
                *current = Some(Current { step, table, waiting: None, since: now, advanced: now, before });
            }
        }
    }
}

impl Current {
    fn shown(&self, command: &'static str, now: Instant) -> Shown<'_> {
        Shown {
            command: self.step.command.unwrap_or(command),
            step: ProgressStep { table: self.table.as_deref(), waiting: self.waiting.as_deref(), ..self.step },
            elapsed: self.before + now.duration_since(self.since),
            still: now.duration_since(self.advanced),
            is_stopping: stop_signal::is_pending(),
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use fk_doctor::internals::model::progress::RunPhase;

    use super::*;

    /// Two phases that alternate are each measured by their own time.
    #[test]
    fn alternating_phases_keep_their_times() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut state = State::default();
        let mut store = |phase, done, seconds| state.store(&ProgressStep::of(phase, done, 100), at(seconds));
        store(RunPhase::DecideKeys, 10, 0);
        store(RunPhase::TryRows, 10, 4);
        store(RunPhase::DecideKeys, 20, 5);
        store(RunPhase::DecideKeys, 20, 9);
        let shown = state.current.as_ref().unwrap().shown("repair", at(11));
        assert_eq!((shown.elapsed, shown.still), (Duration::from_secs(10), Duration::from_secs(6)));
    }
}
