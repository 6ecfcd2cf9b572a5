//! Parses the command line, runs the command, prints and exits. No other module prints or ends the program.

use std::io::IsTerminal;
use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::FromArgMatches;
use clap::error::ContextKind;
use clap::error::ContextValue;
use fk_doctor::internals::apply::Direction;
use fk_doctor::internals::cli;
use fk_doctor::internals::cli::Cli;
use fk_doctor::internals::cli::Color;
use fk_doctor::internals::cli::Command;
use fk_doctor::internals::cli::repair::AdmissionArgs;
use fk_doctor::internals::engines;
use fk_doctor::internals::exit::Exit;
use fk_doctor::internals::internal_fault;
use fk_doctor::internals::internal_fault::InternalFault;
use fk_doctor::internals::report::TerminalStyle;
use fk_doctor::internals::report::message;
use fk_doctor::internals::run;
use fk_doctor::internals::run::Environment;
use fk_doctor::internals::run::Outcome;
use fk_doctor::internals::run::RunError;
use fk_doctor::internals::scan::Progress;
use fk_doctor::internals::source::masked;
use mimalloc::MiMalloc;

mod dialogue;
mod output;
mod progress;
mod stop_signal;

use dialogue::TerminalDialogue;
use output::FileOutput;
use progress::LineStyle;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let matches = command().try_get_matches_from(cli::arguments(std::env::args_os()));
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return refuse_arguments(&error),
    };
    internal_fault::hide_panic_details();
    let run = internal_fault::catch_panic(|| execute(&cli).and_then(|outcome| publish(&outcome)));
    // A panic leaves the line standing.
    progress::erase();
    let exit = match run.unwrap_or_else(|fault| Err(fault.into())) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.print(cli.global.color);
            failure.exit
        }
    };
    ExitCode::from(exit.code())
}

fn execute(cli: &Cli) -> Result<Outcome, Failure> {
    let global = &cli.global;
    let environment = run::with_env_file(environment(cli), global)?;
    if !global.quiet {
        let style = LineStyle { width: console_width().unwrap_or(80), ascii: environment.terminal.ascii };
        progress::begin(command_name(&cli.command), style);
    }
    let with_progress = |work: &dyn Fn(Progress<'_>) -> Result<Outcome, RunError>| {
        let outcome = work(&progress::show);
        progress::erase();
        Ok(outcome?)
    };
    match &cli.command {
        Command::Scan(typed) => {
            with_progress(&|progress| run::scan(typed, global, &environment, &FileOutput, progress))
        }
        Command::Check(typed) => with_progress(&|progress| run::check(typed, global, &environment, progress)),
        Command::Explain(typed) => with_progress(&|progress| run::explain(typed, global, &environment, progress)),
        Command::Discover(typed) => with_progress(&|progress| run::discover(typed, global, &environment, progress)),
        Command::Repair(typed) => with_progress(&|progress| run::repair(typed, global, &environment, progress)),
        Command::Apply(typed) => with_progress(&|progress| {
            run::apply(Direction::Apply, &typed.run, typed.admission, global, &environment, progress)
        }),
        Command::Undo(typed) => {
            let admission = AdmissionArgs::default();
            with_progress(&|progress| run::apply(Direction::Undo, typed, admission, global, &environment, progress))
        }
        Command::Restore(typed) => with_progress(&|progress| run::restore(typed, global, &environment, progress)),
        Command::Status(typed) => with_progress(&|progress| run::status(typed, global, &environment, progress)),
        Command::Schema(typed) => with_progress(&|progress| run::schema(typed, global, &environment, progress)),
        Command::Fix(typed) => {
            let dialogue = TerminalDialogue::new(environment.terminal.color, environment.terminal.width);
            with_progress(&|progress| run::fix(typed, global, &environment, &dialogue, progress))
        }
        Command::Rules(typed) => with_progress(&|progress| run::rules(typed, global, &environment, progress)),
        Command::Init(typed) => with_progress(&|progress| run::init(typed, global, &environment, progress)),
        Command::Code { name } => Ok(run::code(name.as_deref(), &environment)?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command(), "fk-doctor", &mut script);
            Ok(text(script))
        }
        Command::Man { command: name } => Ok(text(manual_page(name.as_deref())?)),
    }
}

/// Returns the grammar of the command line. `--version` also shows the commit and the bundled SQLite.
fn command() -> clap::Command {
    let version = env!("CARGO_PKG_VERSION");
    let (commit, sqlite) = (env!("FK_DOCTOR_COMMIT"), engines::bundled_sqlite());
    Cli::command().long_version(format!("{version}\ncommit {commit}\nSQLite {sqlite} (bundled)"))
}

/// Returns the manual page of the program, or of one of its commands.
fn manual_page(name: Option<&str>) -> Result<Vec<u8>, RunError> {
    let mut program = command();
    // The options of all commands reach each of them when the grammar is built.
    program.build();
    let subject = match name {
        None => program,
        Some(name) => {
            let unknown = || RunError::Input {
                what: format!("the command {name:?}"),
                why: "fk-doctor has no command of this name".to_owned(),
                help: "fk-doctor --help lists all commands".to_owned(),
            };
            let found = program.find_subcommand(name).cloned().ok_or_else(unknown)?;
            let whole = format!("fk-doctor-{}", found.get_name());
            found.name(whole.clone()).display_name(whole).version(env!("CARGO_PKG_VERSION"))
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(subject).render(&mut page).map_err(|error| RunError::unwritten(None, &error))?;
    Ok(page)
}

/// Returns the word before the progress of a command.
fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Scan(_) => "scan",
        Command::Schema(_) => "schema",
        Command::Check(_) => "check",
        Command::Explain(_) => "explain",
        Command::Discover(_) => "discover",
        Command::Repair(_) => "repair",
        Command::Apply(_) => "apply",
        Command::Undo(_) => "undo",
        Command::Restore(_) => "restore",
        Command::Status(_) => "status",
        Command::Fix(_) => "fix",
        Command::Init(_) => "init",
        Command::Rules(_) => "rules",
        Command::Code { .. } => "code",
        Command::Completions { .. } => "completions",
        Command::Man { .. } => "man",
    }
}

/// Prints why the arguments cannot be used. A password in an argument is not printed.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    let arguments = arguments();
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Clean };
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    if let Some(failure) = word.and_then(|word| run::database_as_command(word, &arguments)) {
        Failure::from(failure).print(Color::Auto);
        return ExitCode::from(exit.code());
    }
    let text = error.to_string();
    let masked = without_passwords(&text);
    // If printing fails too, nothing can be done.
    let _ = if masked == text { error.print() } else { std::io::stderr().write_all(masked.as_bytes()) };
    ExitCode::from(exit.code())
}

/// Returns the arguments of the program, without its name.
fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// Returns a text in which no address of this run shows its password, even if it was mistaken for something else.
fn without_passwords(text: &str) -> String {
    let addresses = arguments().into_iter().chain(std::env::var("DATABASE_URL").ok());
    addresses.fold(text.to_owned(), |text, address| match masked(&address) {
        masked if masked != address => text.replace(&address, &masked),
        _ => text,
    })
}

fn show_error(error: &RunError) {
    progress::erase();
    Failure::of(error).print(Color::Auto);
}

fn show_note(note: &str) {
    progress::erase();
    // If printing fails too, nothing can be done.
    let note = message("note:", "note:", &without_passwords(note), error_width());
    let _ = std::io::stderr().write_all(note.as_bytes());
}

fn text(bytes: Vec<u8>) -> Outcome {
    Outcome::of(String::from_utf8_lossy(&bytes).into_owned())
}

fn environment(cli: &Cli) -> Environment {
    let to_terminal = std::io::stdout().is_terminal();
    let width = to_terminal.then(|| console_width().unwrap_or(80));
    Environment {
        directory: std::env::current_dir().unwrap_or_default(),
        variables: std::env::vars_os()
            .filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()))
            .collect(),
        login: whoami::username().ok(),
        database_url: std::env::var("DATABASE_URL").ok(),
        database_url_file: None,
        show_note: if cli.global.quiet { None } else { Some(show_note) },
        show_error: Some(show_error),
        stop_requests: stop_signal::REQUESTS,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        terminal: TerminalStyle {
            width,
            color: wants_color(cli.global.color, to_terminal),
            ascii: cli.global.ascii || !locale_is_unicode(),
            ..TerminalStyle::default()
        },
        arguments: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
        step_summary: std::env::var_os("GITHUB_STEP_SUMMARY").filter(|page| !page.is_empty()).map(Into::into),
        redact_key: std::env::var("FK_DOCTOR_REDACT_KEY").ok().filter(|key| !key.is_empty()),
        process: std::process::id(),
        now: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    }
}

/// True unless the locale names a character set that is not UTF-8.
fn locale_is_unicode() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os);
    let named = named.map(|locale| locale.to_string_lossy().to_lowercase()).find(|locale| !locale.is_empty());
    named.is_none_or(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// Returns the width of the terminal: from `COLUMNS`, else as the terminal reports it.
fn console_width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.or_else(|| comfy_table::Table::new().width().map(usize::from)).filter(|&columns| columns > 0)
}

/// Returns the width of the terminal on which messages appear; `None` if they go elsewhere.
fn error_width() -> Option<usize> {
    std::io::stderr().is_terminal().then(|| console_width().unwrap_or(80))
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

/// Writes the documents to standard output and to files. A file is replaced whole or not at all.
fn publish(outcome: &Outcome) -> Result<Exit, Failure> {
    for (file, text) in &outcome.documents {
        output::write(file.as_deref(), text).map_err(|error| RunError::unwritten(file.as_deref(), &error))?;
    }
    for note in &outcome.notes {
        // If printing fails too, nothing can be done.
        let _ = std::io::stderr().write_all(message("", "", note, error_width()).as_bytes());
    }
    Ok(outcome.exit)
}

/// An error message in three parts: what happened, why, and the next step.
struct Failure {
    error: String,
    because: Option<String>,
    help: Option<String>,
    exit: Exit,
    /// True if `error` is complete text with carets, ready to print.
    rendered: bool,
}

impl Failure {
    fn print(&self, color: Color) {
        let colored = wants_color(color, std::io::stderr().is_terminal());
        let width = error_width();
        let part = |code: &str, label: &str, text: &str| {
            let painted = if colored { format!("\x1b[{code}m{label}\x1b[0m") } else { label.to_owned() };
            message(label, &painted, &without_passwords(text), width)
        };
        let mut whole = String::new();
        if self.rendered {
            whole.push_str(&without_passwords(&self.error));
        } else {
            whole.push_str(&part("1;31", "error:", &self.error));
        }
        if let Some(because) = &self.because {
            whole.push_str(&part("1", "because:", because));
        }
        if let Some(help) = &self.help {
            whole.push_str(&part("1;32", "help:", help));
        }
        // If printing fails too, nothing can be done.
        let _ = std::io::stderr().write_all(whole.as_bytes());
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        Failure::of(&error)
    }
}

impl Failure {
    fn of(error: &RunError) -> Failure {
        let rendered = error.is_rendered();
        Failure { error: error.headline(), because: error.because(), help: error.help(), exit: error.exit(), rendered }
    }
}

impl From<InternalFault> for Failure {
    fn from(fault: InternalFault) -> Failure {
        Failure {
            error: fault.to_string(),
            because: Some(fault.because()),
            help: Some(fault.help()),
            exit: fault.exit(),
            rendered: false,
        }
    }
}
