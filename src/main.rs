//! Parse, run, print, exit: the only place that prints or ends the program.

use std::io::IsTerminal;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use clap::CommandFactory;
use clap::Parser;
use fk_doctor::apply::Direction;
use fk_doctor::caught;
use fk_doctor::caught::Stopped;
use fk_doctor::cli;
use fk_doctor::cli::Cli;
use fk_doctor::cli::Color;
use fk_doctor::cli::Command;
use fk_doctor::exit::Exit;
use fk_doctor::model::text::visible_lines;
use fk_doctor::report::Paper;
use fk_doctor::run;
use fk_doctor::run::Outcome;
use fk_doctor::run::RunError;
use fk_doctor::run::Surroundings;
use fk_doctor::scan::Progress;

mod output;

use output::FileOutput;

/// Shorter work shows no progress.
const PATIENT_FOR: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(cli::arguments(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Clean };
            // Nothing is left to do if even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(exit.code());
        }
    };
    caught::keep_details_quiet();
    let run = caught::caught(|| execute(&cli).and_then(|outcome| publish(&outcome)));
    let exit = match run.unwrap_or_else(|stopped| Err(stopped.into())) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.tell(cli.global.color);
            failure.exit
        }
    };
    ExitCode::from(exit.code())
}

fn execute(cli: &Cli) -> Result<Outcome, Failure> {
    let (global, surroundings) = (&cli.global, surroundings(cli));
    let shown = |go: &dyn Fn(Progress<'_>) -> Result<Outcome, RunError>| {
        let progress = ProgressLine::new(global.quiet);
        Ok(go(&|done, total| progress.show(done, total))?)
    };
    match &cli.command {
        Command::Scan(typed) => shown(&|progress| run::scan(typed, global, &surroundings, &FileOutput, progress)),
        Command::Check(typed) => shown(&|progress| run::check(typed, global, &surroundings, progress)),
        Command::Explain(typed) => shown(&|progress| run::explain(typed, global, &surroundings, progress)),
        Command::Repair(typed) => shown(&|progress| run::repair(typed, global, &surroundings, progress)),
        Command::Apply(typed) => {
            shown(&|progress| run::apply(Direction::Apply, typed, global, &surroundings, progress))
        }
        Command::Undo(typed) => shown(&|progress| run::apply(Direction::Undo, typed, global, &surroundings, progress)),
        Command::Status(typed) => shown(&|progress| run::status(typed, global, &surroundings, progress)),
        Command::Schema(typed) => Ok(run::schema(typed, global, &surroundings)?),
        Command::Rules(typed) => Ok(run::rules(typed, global, &surroundings)?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "fk-doctor", &mut script);
            Ok(text(script))
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(|error| RunError::unwritten(None, &error))?;
            Ok(text(page))
        }
    }
}

fn text(bytes: Vec<u8>) -> Outcome {
    Outcome { documents: vec![(None, String::from_utf8_lossy(&bytes).into_owned())], exit: Exit::Clean }
}

fn surroundings(cli: &Cli) -> Surroundings {
    let to_terminal = std::io::stdout().is_terminal();
    let width = to_terminal.then(|| console_width().unwrap_or(80));
    Surroundings {
        directory: std::env::current_dir().unwrap_or_default(),
        database_url: std::env::var("DATABASE_URL").ok(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        paper: Paper { width, color: wants_color(cli.global.color, to_terminal) },
        step_summary: std::env::var_os("GITHUB_STEP_SUMMARY").filter(|page| !page.is_empty()).map(Into::into),
        redact_key: std::env::var("FK_DOCTOR_REDACT_KEY").ok().filter(|key| !key.is_empty()),
        process: std::process::id(),
        now: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    }
}

/// As `COLUMNS` says, else as the terminal says.
fn console_width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.or_else(|| comfy_table::Table::new().width().map(usize::from)).filter(|&columns| columns > 0)
}

fn wants_color(choice: Color, to_terminal: bool) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            to_terminal && !refused
        }
    }
}

/// Prints what belongs on standard output and writes the rest, each file whole or not at all.
fn publish(outcome: &Outcome) -> Result<Exit, Failure> {
    for (file, text) in &outcome.documents {
        output::write(file.as_deref(), text).map_err(|error| RunError::unwritten(file.as_deref(), &error))?;
    }
    Ok(outcome.exit)
}

/// What went wrong, why, and the exact next step.
struct Failure {
    error: String,
    because: Option<String>,
    help: Option<String>,
    exit: Exit,
    /// Already laid out, with its own carets.
    rendered: bool,
}

impl Failure {
    fn tell(&self, color: Color) {
        let paint = wants_color(color, std::io::stderr().is_terminal());
        let label =
            |code: &str, word: &str| if paint { format!("\x1b[{code}m{word}:\x1b[0m") } else { format!("{word}:") };
        let mut told = String::new();
        if self.rendered {
            told.push_str(&self.error);
        } else {
            told.push_str(&format!("{} {}\n", label("1;31", "error"), visible_lines(&self.error)));
        }
        if let Some(because) = &self.because {
            told.push_str(&format!("{} {}\n", label("1", "because"), visible_lines(because)));
        }
        if let Some(help) = &self.help {
            told.push_str(&format!("{} {}\n", label("1;32", "help"), visible_lines(help)));
        }
        // Nothing is left to do if even this cannot be printed.
        let _ = std::io::stderr().write_all(told.as_bytes());
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        let rendered = error.is_rendered();
        Failure {
            error: if rendered { error.to_string() } else { format!("could not {error}") },
            because: error.because(),
            help: error.help(),
            exit: error.exit(),
            rendered,
        }
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Failure {
        Failure {
            error: stopped.to_string(),
            because: Some(stopped.because()),
            help: Some(stopped.help()),
            exit: stopped.exit(),
            rendered: false,
        }
    }
}

/// One line on standard error, if that is a terminal and the work is long enough to wonder.
struct ProgressLine {
    start: Instant,
    bar: Option<Mutex<Option<indicatif::ProgressBar>>>,
}

impl ProgressLine {
    fn new(quiet: bool) -> ProgressLine {
        let wanted = !quiet && std::io::stderr().is_terminal();
        ProgressLine { start: Instant::now(), bar: wanted.then(|| Mutex::new(None)) }
    }

    fn show(&self, done: usize, total: usize) {
        let Some(bar) = &self.bar else { return };
        if self.start.elapsed() < PATIENT_FOR {
            return;
        }
        if let Ok(mut bar) = bar.lock() {
            let bar = bar.get_or_insert_with(|| indicatif::ProgressBar::new(total as u64));
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
    }
}

impl Drop for ProgressLine {
    /// However the work ends, the line goes.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar
            && let Ok(bar) = bar.lock()
            && let Some(bar) = bar.as_ref()
        {
            bar.finish_and_clear();
        }
    }
}
