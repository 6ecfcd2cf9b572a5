//! The grammar of the commands that repair.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Subcommand;

use crate::cli::FormatArg;
use crate::cli::PrivacyArgs;
use crate::cli::help;
use crate::cli::kept_file;
use crate::cli::output;
use crate::config::option_values;
use crate::config::rules;
use crate::model::batch_size::BatchSize;
use crate::model::catalog::Action;
use crate::model::text;
use crate::report::AnswerFormat;
use crate::report::RepairFormat;

#[derive(Debug, Args)]
pub struct RepairArgs {
    /// A path, or a URL (see `fk-doctor scan --help`) [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// A file of rules, a folder of such files, or the name of a rule (see `fk-doctor rules list`); repeatable
    #[arg(long, value_name = "PATH", required_unless_present_any = ["relax", "enforce", "no_prevent"])]
    pub rules: Vec<PathBuf>,
    /// Remove foreign keys from a table's definition: child(columns), or child(*) for all of them; repeatable
    #[arg(long, value_name = "CHILD")]
    pub relax: Vec<String>,
    /// Also remove NOT NULL from the columns of a relaxed foreign key
    #[arg(long, requires = "relax")]
    pub nullable: bool,
    /// Declare a foreign key, whose relation must have no orphans: 'child(columns) -> parent(columns)'; repeatable
    #[arg(long, value_name = "RELATION")]
    pub enforce: Vec<String>,
    /// ON DELETE action of the foreign keys of --enforce: cascade, set-null, set-default or restrict
    #[arg(long, value_name = "ACTION", requires = "enforce", value_parser = rules::action)]
    pub on_delete: Option<Action>,
    /// ON UPDATE action of the foreign keys of --enforce
    #[arg(long, value_name = "ACTION", requires = "enforce", value_parser = rules::action)]
    pub on_update: Option<Action>,
    /// Also create triggers that make the rules' placeholder parents for future rows
    #[arg(long, requires = "rules")]
    pub prevent: bool,
    /// Drop the triggers that --prevent made: child(columns), or child(*); repeatable
    #[arg(long, value_name = "CHILD")]
    pub no_prevent: Vec<String>,
    #[command(flatten)]
    pub planning: PlanningArgs,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A path, or a URL (see `fk-doctor scan --help`) [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// Restore only the rows of this table
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Restore only the rows that meet an SQL condition over their columns, such as "total > 100"
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Restore the rows that a rule's `file` keeps, instead of those in quarantine tables (repeatable)
    #[arg(long, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    #[command(flatten)]
    pub planning: PlanningArgs,
}

/// Options of every command that makes a plan.
#[derive(Debug, Args)]
pub struct PlanningArgs {
    /// Write the plan to a file
    #[arg(long, short, value_name = "PLAN", value_parser = kept_file())]
    pub output: Option<PathBuf>,
    /// Replace an existing plan, unless it was applied
    #[arg(long, requires = "output")]
    pub overwrite: bool,
    /// table, json or sql (the changes as a script); F=FILE writes this report to a file (repeatable)
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<RepairFormat>)]
    pub format: Vec<FormatArg<RepairFormat>>,
    #[command(flatten)]
    pub privacy: PrivacyArgs,
    /// Apply the plan immediately
    #[arg(long)]
    pub apply: bool,
    /// Time limit for making the plan (500ms, 60s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub admission: AdmissionArgs,
    #[command(flatten)]
    pub writing: WriteArgs,
}

/// The options of `undo`, which `apply` has too.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// A path, or a URL (see `fk-doctor scan --help`)
    #[arg(value_name = "DB")]
    pub database: String,
    /// The plan that `repair -o` wrote
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// table or json; F=FILE writes this report to a file (repeatable)
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<AnswerFormat>)]
    pub format: Vec<FormatArg<AnswerFormat>>,
    #[command(flatten)]
    pub writing: WriteArgs,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub run: UndoArgs,
    #[command(flatten)]
    pub admission: AdmissionArgs,
}

/// Options of every command that applies a plan.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct AdmissionArgs {
    /// Apply a plan that leaves missing keys undecided
    #[arg(long)]
    pub leave_undecided: bool,
}

/// Options of every command that writes to a database.
#[derive(Debug, Clone, Args)]
pub struct WriteArgs {
    /// File for the backup [default: DB.backup-…, beside the database, one for all runs of the plan]
    #[arg(long, value_name = "FILE", conflicts_with = "no_backup", value_parser = kept_file())]
    pub backup: Option<PathBuf>,
    /// Folder for the backup; give the same folder to all runs of the plan, so that they find it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["backup", "no_backup"])]
    pub backup_dir: Option<PathBuf>,
    /// Make no backup
    #[arg(long)]
    pub no_backup: bool,
    /// Commit after every N changes, or after each DURATION; repeat the command to resume an interrupted run
    /// [default: one transaction]. Where other programs write, use --batch 150ms on SQLite and --batch 5ms on a server,
    /// with --pause 20ms
    #[arg(long, value_name = "N|DURATION", value_parser = option_values::parse_batch)]
    pub batch: Option<BatchSize>,
    /// Wait between two batches, so that other programs get their turn
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration, requires = "batch")]
    pub pause: Option<Duration>,
    /// Between two batches, wait until no replica of the server is further behind than this
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration, requires = "batch")]
    pub max_lag: Option<Duration>,
    /// A replica for --max-lag (repeatable): MySQL and MariaDB only, because PostgreSQL knows its replicas
    #[arg(long, value_name = "URL", requires = "max_lag")]
    pub replica: Vec<String>,
    /// Skip and list the rows that changed since the plan was made [default: refuse the plan]
    #[arg(long)]
    pub skip_changed: bool,
    /// Change rows one by one, and not in sets. Slower, with the same result
    #[arg(long, hide = true)]
    pub row_by_row: bool,
    /// Disable triggers while the changes are made
    #[arg(long)]
    pub no_triggers: bool,
    /// Accept that the database was moved since the plan was made
    #[arg(long)]
    pub moved: bool,
    /// Write to a server that is set to read-only (default_transaction_read_only, read_only), if it allows this user to
    #[arg(long)]
    pub override_read_only: bool,
    /// Longest wait for a lock of another program [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

impl WriteArgs {
    /// Returns the options as words of a command.
    pub fn words(&self) -> Vec<String> {
        let WriteArgs {
            backup,
            backup_dir,
            no_backup,
            batch,
            pause,
            max_lag,
            replica,
            row_by_row,
            skip_changed,
            no_triggers,
            moved,
            override_read_only,
            wait,
        } = self;
        let switches = [
            (no_backup, "--no-backup"),
            (skip_changed, "--skip-changed"),
            (row_by_row, "--row-by-row"),
            (no_triggers, "--no-triggers"),
            (moved, "--moved"),
            (override_read_only, "--override-read-only"),
        ];
        let mut words: Vec<String> =
            switches.into_iter().filter(|(is_set, _)| **is_set).map(|(_, switch)| switch.to_owned()).collect();
        let milliseconds = |time: &Option<Duration>| time.map(text::option_duration);
        let values = [
            ("--backup", backup.as_ref().map(|file| file.display().to_string())),
            ("--backup-dir", backup_dir.as_ref().map(|folder| folder.display().to_string())),
            ("--batch", batch.map(|batch| batch.to_string())),
            ("--pause", milliseconds(pause)),
            ("--max-lag", milliseconds(max_lag)),
            ("--wait", milliseconds(wait)),
        ];
        let replicas = replica.iter().map(|replica| ("--replica", Some(replica.clone())));
        for (option, value) in values.into_iter().chain(replicas) {
            words.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
        }
        words
    }
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The plan that `repair -o` wrote
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// The database of the plan: a path, or a URL (see `fk-doctor scan --help`)
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// table or json; F=FILE writes this report to a file (repeatable)
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<AnswerFormat>)]
    pub format: Vec<FormatArg<AnswerFormat>>,
    /// Remove the record of a plan that was undone; with the last record, also drop the table of records
    #[arg(long, requires = "database")]
    pub forget: bool,
    /// Longest wait for a lock of another program [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Find faults in rules
    #[command(after_help = help::rules_check())]
    Check {
        /// Files of rules, or folders of such files
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Also check the rules against a database
        #[arg(long, value_name = "DB")]
        against: Option<String>,
        /// Time limit (500ms, 60s, 5m)
        #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout, requires = "against")]
        timeout: Option<Duration>,
    },
    /// Draft a rules file from a scan
    #[command(after_help = help::rules_suggest())]
    Suggest {
        /// A path, or a URL (see `fk-doctor scan --help`) [default: the environment variable DATABASE_URL]
        #[arg(value_name = "DB")]
        database: Option<String>,
        /// Time limit (500ms, 60s, 5m)
        #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
        timeout: Option<Duration>,
    },
    /// List the rules that ship with fk-doctor, or print one of them
    #[command(after_help = help::rules_list())]
    List {
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}
