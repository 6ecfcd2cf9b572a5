//! What was typed: the command line's grammar, and nothing of what it means. Completions and the manual page are
//! made from these same definitions.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

use crate::config::option_values;
use crate::config::option_values::FailOn;
use crate::examine::scan_filter::RowCondition;
use crate::intake::FileKind;
use crate::model::pattern::Pattern;
use crate::model::redaction::Values;
use crate::report::AnswerFormat;
use crate::report::ScanFormat;
use crate::report::SchemaFormat;

pub mod repair;

#[derive(Debug, Parser)]
#[command(name = "fk-doctor", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub enum Command {
    /// Find every orphaned row and every broken foreign key
    Scan(Scan),
    /// Show every relation and its health, or draw them
    Schema(Schema),
    /// Find the rows of a file that would fail, before they are written
    Check(Check),
    /// Say why a statement fails, every reference that does, and what a delete takes along
    Explain(Explain),
    /// Plan a repair by rules, and say what it would do; nothing is written unless --apply is given
    Repair(repair::Repair),
    /// Apply a plan that was reviewed
    Apply(repair::Apply),
    /// Take back what a plan changed
    Undo(repair::Apply),
    /// Tell how far a plan is: applied, in part, taken back, and what changed since
    Status(repair::Status),
    /// Check rules, or list those that come with fk-doctor
    #[command(subcommand)]
    Rules(repair::Rules),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the manual page
    Man,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration file [default: fk-doctor.toml, searched upward from here]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// No progress on standard error
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Whether to colour the output
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,
}

/// What every report of rows can be asked for.
#[derive(Debug, Clone, Args)]
pub struct Privacy {
    /// Show no value of any row: mask them, or =hash them with the key in FK_DOCTOR_REDACT_KEY (plans hold all values)
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

#[derive(Debug, Args)]
pub struct Scan {
    /// A path, sqlite:PATH, or a URL: postgres://USER@HOST/DATABASE, mysql://… [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// table, json, ndjson, junit, sarif, github, markdown, html or csv; F=FILE writes one of several reports of the same scan to
    /// a file
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<ScanFormat>)]
    pub format: Vec<Output<ScanFormat>>,
    /// Write the report to a file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The SQL file that declares the schema: sarif and github point at its lines
    #[arg(long, value_name = "FILE")]
    pub schema_file: Option<PathBuf>,
    /// Only relations whose child or parent table matches (a glob, repeatable)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    pub table: Vec<Pattern>,
    /// Only relations whose id, child(cols)->parent(cols), matches (a glob, repeatable)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    pub relation: Vec<Pattern>,
    /// Only relations whose child or parent is among these tables, which changed (a glob, repeatable, or with commas)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new, value_delimiter = ',')]
    pub changed_tables: Vec<Pattern>,
    /// Of a child table only the rows that meet a condition in SQL over `child`; coverage is then partial (repeatable)
    #[arg(long = "where", value_name = "TABLE: SQL", value_parser = condition)]
    pub condition: Vec<RowCondition>,
    /// Only rows that came at this moment or later, where `time-columns` in the configuration tells; coverage is
    /// then partial
    #[arg(long, value_name = "MOMENT", value_parser = crate::sql::moment)]
    pub since: Option<String>,
    /// Add a line about this scan to a file; html then draws the trend
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// How many missing keys and rows to show per relation [default: 5]
    #[arg(long, value_name = "N", value_parser = option_values::parse_samples)]
    pub samples: Option<usize>,
    /// Findings of this severity or above fail the scan: error, warning, note, never [default: error]
    #[arg(long, value_name = "SEVERITY", value_parser = option_values::parse_fail_on)]
    pub fail_on: Option<FailOn>,
    /// Findings that are known and may stay as long as they do not grow
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write down what is found as known; with --baseline only what that knew and is still there
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    #[command(flatten)]
    pub privacy: Privacy,
    /// Stop after this long; what was not checked by then is said (500ms, 60s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
    pub timeout: Option<Duration>,
    /// How long to wait for another program's lock [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
    /// Threads that scan at the same time [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = option_values::parse_jobs)]
    pub jobs: Option<usize>,
    /// Memory for the keys of parents; a scan that needs more reads in several turns [default: 256MB]
    #[arg(long, value_name = "SIZE", value_parser = option_values::parse_memory)]
    pub memory: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Schema {
    /// A path, sqlite:PATH, or a URL: postgres://USER@HOST/DATABASE, mysql://… [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// table, json, mermaid or dot; F=FILE writes one of several reports to a file
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<SchemaFormat>)]
    pub format: Vec<Output<SchemaFormat>>,
    /// Write the report to a file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How long to wait for another program's lock [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

/// How `check` and `explain` are to answer.
#[derive(Debug, Args)]
pub struct Answer {
    /// table or json; F=FILE writes one of several reports to a file
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<AnswerFormat>)]
    pub format: Vec<Output<AnswerFormat>>,
    /// Write the report to a file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How many missing keys and rows to show of each finding [default: 5]
    #[arg(long, value_name = "N", value_parser = option_values::parse_samples)]
    pub samples: Option<usize>,
    #[command(flatten)]
    pub privacy: Privacy,
    /// Stop after this long (500ms, 60s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
    pub timeout: Option<Duration>,
    /// How long to wait for another program's lock [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Check {
    /// A path, sqlite:PATH, postgres://… or mysql://… [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// The rows: CSV, TSV, JSON (an array of objects) or NDJSON; - is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The table that the rows of FILE are for
    #[arg(long, short, value_name = "TABLE")]
    pub table: Option<String>,
    /// A table and a file of rows for it; parents inside the same load count (repeatable)
    #[arg(long, value_name = "TABLE=FILE", value_parser = load)]
    pub load: Vec<Load>,
    /// A table of the database whose rows are to go into --table; columns that have no counterpart are left out
    #[arg(long, value_name = "TABLE", requires = "table", conflicts_with = "files")]
    pub staging: Option<String>,
    /// Check the rows there are against the foreign keys of a planned schema, a script of CREATE statements
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "load", "files", "staging"])]
    pub against: Option<PathBuf>,
    /// Treat the rows by the rules of a repair: a file, a folder or a rule by its name; needs --corrected (repeatable)
    #[arg(long, value_name = "PATH", requires = "corrected", conflicts_with_all = ["against", "staging"])]
    pub rules: Vec<PathBuf>,
    /// Where rows that would be taken go; those left go to NAME.rest.csv beside it, missing parents to NAME.parents.sql
    #[arg(long, value_name = "FILE", requires = "rules")]
    pub corrected: Option<PathBuf>,
    /// What kind of file it is [default: as its name ends]
    #[arg(long, value_name = "KIND", value_parser = file_kind)]
    pub input: Option<FileKind>,
    /// The columns, if the first line of a CSV or TSV file does not name them
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// What stands for NULL in CSV and TSV, outside quotes [default: an empty field]
    #[arg(long, value_name = "TEXT")]
    pub null: Option<String>,
    #[command(flatten)]
    pub answer: Answer,
}

/// Rows for a table.
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
pub struct Explain {
    /// A path, sqlite:PATH, postgres://… or mysql://… [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// The statements, separated by semicolons [default: standard input]. They run on a private copy of a file, on a server in a transaction that is rolled back
    #[arg(value_name = "SQL")]
    pub statement: Option<String>,
    /// Read the statements from a file; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with = "statement")]
    pub file: Option<PathBuf>,
    /// Explain an error message instead, as an engine or a library printed it; - reads a log from standard input
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["statement", "file"])]
    pub error: Option<String>,
    /// A value for a placeholder, in order: 7, 1.5, NULL, x'00ff', anything else is text (repeatable)
    #[arg(long, short, value_name = "VALUE", allow_hyphen_values = true)]
    pub param: Vec<String>,
    #[command(flatten)]
    pub answer: Answer,
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

/// A report that was asked for, and the file it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<F> {
    pub format: F,
    pub file: Option<PathBuf>,
}

/// A closed list of formats, by name.
pub trait Format: Copy + Send + Sync + 'static {
    fn all() -> Vec<Self>;
    fn name(self) -> &'static str;
}

impl Format for ScanFormat {
    fn all() -> Vec<Self> {
        ScanFormat::ALL.to_vec()
    }

    fn name(self) -> &'static str {
        ScanFormat::name(self)
    }
}

impl Format for SchemaFormat {
    fn all() -> Vec<Self> {
        SchemaFormat::ALL.to_vec()
    }

    fn name(self) -> &'static str {
        SchemaFormat::name(self)
    }
}

impl Format for AnswerFormat {
    fn all() -> Vec<Self> {
        AnswerFormat::ALL.to_vec()
    }

    fn name(self) -> &'static str {
        AnswerFormat::name(self)
    }
}

fn output<F: Format>(text: &str) -> Result<Output<F>, String> {
    let (name, file) = match text.split_once('=') {
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    if file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
        return Err("the file's name is missing after =".to_owned());
    }
    let format = F::all().into_iter().find(|format| format.name() == name).ok_or_else(|| {
        let names: Vec<&str> = F::all().into_iter().map(F::name).collect();
        format!("expected {}", names.join(", "))
    })?;
    Ok(Output { format, file })
}
