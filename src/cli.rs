//! The grammar of the command line, without its meaning. Shell completions and the manual page are generated from these
//! definitions.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap::builder::PathBufValueParser;
use clap::builder::TypedValueParser;

use crate::config::option_values;
use crate::config::option_values::FailOn;
use crate::examine::scan_filter::RowCondition;
use crate::intake::FileKind;
use crate::model::pattern::Pattern;
use crate::model::redaction::Values;
use crate::report::AnswerFormat;
use crate::report::Format;
use crate::report::ScanFormat;
use crate::report::SchemaFormat;

pub mod discover;
mod help;
pub mod repair;

#[derive(Debug, Parser)]
#[command(name = "fk-doctor", version, about, propagate_version = true, after_help = help::program())]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: GlobalArgs,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "a run has a single value of it")]
pub enum Command {
    /// Find every orphaned row and every broken foreign key
    #[command(after_help = help::scan())]
    Scan(ScanArgs),
    /// Show every relation and its health, or draw them
    #[command(after_help = help::schema())]
    Schema(SchemaArgs),
    /// Find the rows of a file that would fail, before they are loaded
    #[command(after_help = help::check())]
    Check(CheckArgs),
    /// Explain why a statement fails, list every reference that fails, and show what a delete cascades to
    #[command(after_help = help::explain())]
    Explain(ExplainArgs),
    /// Find the references that the database does not declare, and say how sure each is
    #[command(after_help = help::discover())]
    Discover(discover::DiscoverArgs),
    /// Plan a repair by rules and show its effects; the database changes only with --apply
    #[command(after_help = help::repair())]
    Repair(repair::RepairArgs),
    /// Apply a reviewed plan
    #[command(after_help = help::apply())]
    Apply(repair::ApplyArgs),
    /// Undo the changes of a plan
    #[command(after_help = help::undo())]
    Undo(repair::UndoArgs),
    /// Show the state of a plan: applied, partly applied or undone, and which rows changed since
    #[command(after_help = help::status())]
    Status(repair::StatusArgs),
    /// Bring quarantined rows back, each if its parents exist; the database changes only with --apply
    #[command(after_help = help::restore())]
    Restore(repair::RestoreArgs),
    /// Repair a database step by step, with questions on the terminal: scan, choose, plan, apply
    #[command(after_help = help::fix())]
    Fix(FixArgs),
    /// Check rules, draft rules, or list the rules that ship with fk-doctor
    #[command(subcommand, after_help = help::rules())]
    Rules(repair::RulesCommand),
    /// Draft fk-doctor.toml from a database
    #[command(after_help = help::init())]
    Init(InitArgs),
    /// Explain a code of findings or a cause of missing keys, or list them all
    #[command(after_help = help::code())]
    Code {
        /// The code or the cause, such as orphan or parent-key-not-unique
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Print a completion script for a shell
    #[command(after_help = help::completions())]
    Completions { shell: clap_complete::Shell },
    /// Print the manual page of the program or of a command
    #[command(after_help = help::man())]
    Man {
        /// The command, such as scan
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
}

#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// Configuration file [default: fk-doctor.toml, searched upward from here]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Check the relations of a dbt manifest (target/manifest.json) or a Frictionless data package (repeatable)
    #[arg(long, value_name = "FILE", global = true)]
    pub relations: Vec<PathBuf>,
    /// Use no configuration file
    #[arg(long, global = true, conflicts_with = "config")]
    pub no_config: bool,
    /// Read DATABASE_URL, PGPASSWORD and other environment variables from a file, such as .env
    #[arg(long, value_name = "FILE", global = true)]
    pub env_file: Option<PathBuf>,
    /// Read the options of MySQL's clients from this file instead of ~/.my.cnf
    #[arg(long, value_name = "FILE", global = true)]
    pub defaults_file: Option<PathBuf>,
    /// Show no progress on standard error; `scan` then prints its verdict only, and nothing about a clean database
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Write symbols in ASCII [default: if the locale is not UTF-8]
    #[arg(long, global = true)]
    pub ascii: bool,
    /// When to color the output
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,
}

impl GlobalArgs {
    /// Returns the options that decide which database and configuration a command uses, as words of a command.
    pub fn words(&self) -> Vec<String> {
        let GlobalArgs { config, relations, no_config, env_file, defaults_file, quiet: _, ascii: _, color: _ } = self;
        let files = [("--config", config), ("--env-file", env_file), ("--defaults-file", defaults_file)];
        let files = files.into_iter().filter_map(|(option, file)| Some((option, file.as_ref()?)));
        let files = files.chain(relations.iter().map(|file| ("--relations", file)));
        let words = files.flat_map(|(option, file)| [option.to_owned(), file.display().to_string()]);
        words.chain(no_config.then(|| "--no-config".to_owned())).collect()
    }
}

/// Options of every command that reports rows.
#[derive(Debug, Clone, Default, Args)]
pub struct PrivacyArgs {
    /// Show no value of any row: mask all values, or hash them (=hash) with the key in FK_DOCTOR_REDACT_KEY. Plans
    /// still contain all values
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "mask",
        value_parser = option_values::parse_redact)]
    pub redact: Option<Values>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Args)]
pub struct ScanArgs {
    /// One database or several: a path, or a URL as in SQLAlchemy, Django, Rails, Prisma, JDBC or libpq, such as
    /// sqlite:///app.db, postgres://USER@HOST/DATABASE, mysql://… or 'host=… dbname=…' [default: the environment variable
    /// DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Vec<String>,
    /// table, json, ndjson, junit, sarif, github, markdown, html, csv or openmetrics; F=FILE writes this report to a file, in which
    /// {db} stands for the name of the database (repeatable: all reports come from one scan)
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<ScanFormat>)]
    pub format: Vec<FormatArg<ScanFormat>>,
    /// Write the report to a file, in the format of its ending (.html, .json, .csv, .md, .sarif, .xml, .ndjson, .prom, .txt) unless
    /// --format names one
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show the verdict, the causes and the next commands only
    #[arg(long, conflicts_with = "all")]
    pub brief: bool,
    /// Show every finding, relation and note
    #[arg(long)]
    pub all: bool,
    /// The SQL file that declares the schema; sarif and github reports refer to its lines
    #[arg(long, value_name = "FILE")]
    pub schema_file: Option<PathBuf>,
    /// Check only relations whose child or parent table matches (a glob, repeatable)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    pub table: Vec<Pattern>,
    /// Check only relations whose id, child(cols)->parent(cols), matches (a glob, repeatable)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    pub relation: Vec<Pattern>,
    /// Check only relations whose child or parent is one of these changed tables (a glob, repeatable or
    /// comma-separated)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new, value_delimiter = ',')]
    pub changed_tables: Vec<Pattern>,
    /// Check only the rows of a child table that meet an SQL condition over `child`; coverage is then partial
    /// (repeatable)
    #[arg(long = "where", value_name = "TABLE: SQL", value_parser = condition)]
    pub condition: Vec<RowCondition>,
    /// Check only rows created at this time or later, by the `time-columns` of the configuration; coverage is then
    /// partial
    #[arg(long, value_name = "TIME", value_parser = crate::sql::checked_time)]
    pub since: Option<String>,
    /// Also check the relations that nobody declares but that are certain; their orphans are warnings. This reads all tables,
    /// whatever --table selects, because the other tables decide what is certain
    #[arg(long)]
    pub discover: bool,
    /// Also read tables whose rows lie on other servers: foreign tables, SPIDER, FEDERATED (a glob, repeatable)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    pub remote_tables: Vec<Pattern>,
    /// Append a line about this scan to a file, from which html reports draw the trend
    #[arg(long, value_name = "FILE", value_parser = kept_file())]
    pub history: Option<PathBuf>,
    /// Number of missing keys and rows to show per finding [default: 3 on a terminal, 5 in files for programs]
    #[arg(long, value_name = "N", value_parser = option_values::parse_samples)]
    pub samples: Option<usize>,
    /// Findings of this severity or above fail the scan: error, warning, note, never [default: error]
    #[arg(long, value_name = "SEVERITY", value_parser = option_values::parse_fail_on)]
    pub fail_on: Option<FailOn>,
    /// A file of known findings, which are accepted as long as they do not grow
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the findings to a file as known; with --baseline, only known findings that still exist
    #[arg(long, value_name = "FILE", value_parser = kept_file())]
    pub write_baseline: Option<PathBuf>,
    #[command(flatten)]
    pub privacy: PrivacyArgs,
    /// Time limit (500ms, 60s, 5m); the report lists the relations that were not checked by then
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
    pub timeout: Option<Duration>,
    /// Longest wait for a lock of another program [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
    /// Number of threads [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = option_values::parse_jobs)]
    pub jobs: Option<usize>,
    /// Memory for the keys of parents; a scan that needs more reads the children several times [default: 256MB]
    #[arg(long, value_name = "SIZE", value_parser = option_values::parse_memory)]
    pub memory: Option<u64>,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// A path, sqlite:PATH, or a URL: postgres://USER@HOST/DATABASE, mysql://… [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// The file to write; an existing file is never replaced, and - stands for standard output
    #[arg(long, short, value_name = "FILE", default_value = "fk-doctor.toml")]
    pub output: PathBuf,
    /// Also write what a scan finds to a file as known, so that only new findings fail a scan [default: known.toml]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "known.toml", value_parser = kept_file())]
    pub baseline: Option<PathBuf>,
    /// Time limit (500ms, 60s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
    pub timeout: Option<Duration>,
    /// Longest wait for a lock of another program [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct FixArgs {
    /// A path, sqlite:PATH, or a URL: postgres://USER@HOST/DATABASE, mysql://… [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// Time limit of the scan (500ms, 60s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// A path, or a URL (see `fk-doctor scan --help`) [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// Show only the relations whose child or parent table matches, and their tables (a glob, repeatable)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    pub table: Vec<Pattern>,
    /// Show the tables of --table, those up to N relations away, and all relations between them
    #[arg(long, value_name = "N", requires = "table")]
    pub around: Option<usize>,
    /// Also show the references that nobody declares: certain ones dashed, likely ones dotted; this reads the rows
    #[arg(long)]
    pub discover: bool,
    /// table, json, mermaid, dot, dbml or dbt (tests of dbt); F=FILE writes this report to a file (repeatable)
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<SchemaFormat>)]
    pub format: Vec<FormatArg<SchemaFormat>>,
    /// Write the report to a file, in the format of its ending (.json, .mmd, .dot, .dbml, .yml, .txt) unless --format names one
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Longest wait for a lock of another program [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

/// Options that `check` and `explain` share.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// table or json; F=FILE writes this report to a file (repeatable)
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<AnswerFormat>)]
    pub format: Vec<FormatArg<AnswerFormat>>,
    /// Write the report to a file, in the format of its ending (.json, .txt) unless --format names one
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Number of missing keys and rows to show per finding [default: 5]
    #[arg(long, value_name = "N", value_parser = option_values::parse_samples)]
    pub samples: Option<usize>,
    #[command(flatten)]
    pub privacy: PrivacyArgs,
    /// Time limit (500ms, 60s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
    pub timeout: Option<Duration>,
    /// Longest wait for a lock of another program [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

/// The choice of the database in which statements are tried.
#[derive(Debug, Args)]
pub struct TrialArgs {
    /// Try in a copy of an SQLite file, whatever its size [default: up to 256 MB, or if a clone shares the file's blocks]
    #[arg(long, conflicts_with = "in_place")]
    pub copy: bool,
    /// Try in an SQLite file itself and roll back; other programs cannot write meanwhile [default: for larger files]
    #[arg(long)]
    pub in_place: bool,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A path, or a URL (see `fk-doctor scan --help`) [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// A file of rows: CSV, TSV, JSON (an array of objects) or NDJSON; - is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The table into which the rows of FILE are to be loaded
    #[arg(long, short, value_name = "TABLE")]
    pub table: Option<String>,
    /// A table and a file of its rows (repeatable); a row may refer to parents in any file of the load
    #[arg(long, value_name = "TABLE=FILE", value_parser = load)]
    pub load: Vec<Load>,
    /// A staging table whose rows are to be loaded into --table; columns without a counterpart are ignored
    #[arg(long, value_name = "TABLE", requires = "table", conflicts_with = "files")]
    pub staging: Option<String>,
    /// Check the existing rows against the foreign keys of a planned schema (a script of CREATE statements)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "load", "files", "staging", "copy", "in_place"])]
    pub against: Option<PathBuf>,
    /// Repair the rows by rules: a file, a folder or the name of a rule; needs --corrected (repeatable)
    #[arg(long, value_name = "PATH", requires = "corrected", conflicts_with_all = ["against", "staging"])]
    pub rules: Vec<PathBuf>,
    /// Write the rows that can be loaded to FILE, the remaining rows to NAME.rest.csv and missing parents to
    /// NAME.parents.sql beside it
    #[arg(long, value_name = "FILE", requires = "rules", value_parser = kept_file())]
    pub corrected: Option<PathBuf>,
    /// Kind of the file: csv, tsv, json or ndjson [default: by its extension]
    #[arg(long, value_name = "KIND", value_parser = file_kind)]
    pub input: Option<FileKind>,
    /// The column names, if the first line of a CSV or TSV file does not contain them
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// The unquoted text that means NULL in CSV and TSV [default: an empty field]
    #[arg(long, value_name = "TEXT")]
    pub null: Option<String>,
    #[command(flatten)]
    pub trial: TrialArgs,
    #[command(flatten)]
    pub answer: AnswerArgs,
}

/// A file of rows, and the table into which they are to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    pub table: String,
    pub file: PathBuf,
}

fn load(text: &str) -> Result<Load, String> {
    match text.split_once('=') {
        Some((table, file)) if !table.is_empty() && !file.is_empty() => {
            Ok(Load { table: table.to_owned(), file: PathBuf::from(file) })
        }
        _ => Err("expected TABLE=FILE".to_owned()),
    }
}

fn file_kind(text: &str) -> Result<FileKind, String> {
    let names = FileKind::ALL.map(FileKind::name).join(", ");
    FileKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| format!("expected {names}"))
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A path, or a URL (see `fk-doctor scan --help`) [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// The statements, separated by semicolons [default: standard input]. They run on a private copy of an SQLite file
    /// (see --copy), or in a transaction that is rolled back
    #[arg(value_name = "SQL")]
    pub statement: Option<String>,
    /// Read the statements from a file; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with = "statement")]
    pub file: Option<PathBuf>,
    /// Explain an error message that an engine or a library printed; - reads a log from standard input
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["statement", "file"])]
    pub error: Option<String>,
    /// The value of the next placeholder: 7, 1.5, NULL or x'00ff'; anything else is text (repeatable)
    #[arg(long, short, value_name = "VALUE", allow_hyphen_values = true)]
    pub param: Vec<String>,
    #[command(flatten)]
    pub trial: TrialArgs,
    #[command(flatten)]
    pub answer: AnswerArgs,
}

/// Returns the command that these words name, without the name of the program. `None` if they are no command.
pub fn command(words: &[String]) -> Option<Command> {
    let words = std::iter::once("fk-doctor").chain(words.iter().map(String::as_str));
    Cli::try_parse_from(words).ok().map(|parsed| parsed.command)
}

/// Returns the arguments with a space before each that begins as a comment in SQL, `-- all of it`: no option does. A value
/// of `--param` is left as it is.
pub fn arguments(typed: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    for argument in typed {
        let is_parameter = arguments.last().is_some_and(|last| last == "--param" || last == "-p");
        let is_comment = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--"))
            .is_some_and(|rest| rest.starts_with(char::is_whitespace));
        if is_comment && !is_parameter {
            let mut spaced = OsString::from(" ");
            spaced.push(argument);
            arguments.push(spaced);
        } else {
            arguments.push(argument);
        }
    }
    arguments
}

fn condition(text: &str) -> Result<RowCondition, String> {
    let (table, sql) =
        text.split_once(':').ok_or("expected a table and a condition, such as orders: child.id > 100")?;
    let sql = sql.trim();
    if sql.is_empty() || sql.contains('\0') {
        return Err("the condition after the table is missing".to_owned());
    }
    Ok(RowCondition { table: Pattern::new(table.trim())?, sql: sql.to_owned() })
}

/// A requested report: its format, and its file unless it goes to standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatArg<F> {
    pub format: F,
    pub file: Option<PathBuf>,
}

/// What stands for standard output in place of a file.
const STANDARD_OUTPUT: &str = "-";

/// Returns the file of a report; `None` for standard output.
pub fn report_file(file: Option<&Path>) -> Option<&Path> {
    file.filter(|file| *file != Path::new(STANDARD_OUTPUT))
}

/// Reads the name of a file that a later command reads, so that it cannot be standard output.
fn kept_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|file| match report_file(Some(&file)) {
        Some(_) => Ok(file),
        None => Err("it cannot be standard output: name a file"),
    })
}

fn output<F: Format>(text: &str) -> Result<FormatArg<F>, String> {
    let (name, file) = match text.split_once('=') {
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    if file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
        return Err("the file's name is missing after =".to_owned());
    }
    let format = F::of_name(name).ok_or_else(|| {
        let names: Vec<&str> = F::ALL.iter().map(|format| format.name()).collect();
        format!("expected {}", names.join(", "))
    })?;
    Ok(FormatArg { format, file })
}
