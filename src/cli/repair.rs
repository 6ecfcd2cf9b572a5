//! The commands that repair, as they are typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Subcommand;

use crate::cli::Format;
use crate::cli::Output;
use crate::cli::Privacy;
use crate::cli::output;
use crate::config::option_values;
use crate::config::rules;
use crate::model::catalog::Action;
use crate::report::AnswerFormat;
use crate::report::RepairFormat;

#[derive(Debug, Args)]
pub struct Repair {
    /// A path or sqlite:PATH [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// A file of rules, a folder of such files, or a rule by its name (`fk-doctor rules list`); repeatable
    #[arg(long, value_name = "PATH", required_unless_present_any = ["relax", "enforce", "no_prevent"])]
    pub rules: Vec<PathBuf>,
    /// Take the foreign keys of a table out of its definition: child(columns), or child(*) for all of them; repeatable
    #[arg(long, value_name = "CHILD")]
    pub relax: Vec<String>,
    /// The columns of a relaxed foreign key may be NULL, too
    #[arg(long, requires = "relax")]
    pub nullable: bool,
    /// Declare a foreign key that has no orphans: 'child(columns) -> parent(columns)'; repeatable
    #[arg(long, value_name = "RELATION")]
    pub enforce: Vec<String>,
    /// What the foreign keys of --enforce do when their parent goes: cascade, set-null, set-default, restrict
    #[arg(long, value_name = "ACTION", requires = "enforce", value_parser = rules::action)]
    pub on_delete: Option<Action>,
    /// What they do when their parent's key changes
    #[arg(long, value_name = "ACTION", requires = "enforce", value_parser = rules::action)]
    pub on_update: Option<Action>,
    /// Also make triggers that make the rules' placeholders for the rows that are still to come
    #[arg(long, requires = "rules")]
    pub prevent: bool,
    /// Drop the triggers that --prevent made: child(columns), or child(*); repeatable
    #[arg(long, value_name = "CHILD")]
    pub no_prevent: Vec<String>,
    /// Write the plan to a file
    #[arg(long, short, value_name = "PLAN")]
    pub output: Option<PathBuf>,
    /// Replace a plan that is there already, unless it was applied
    #[arg(long, requires = "output")]
    pub overwrite: bool,
    /// table, json, or sql (the changes as a script); F=FILE writes one of several to a file
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<RepairFormat>)]
    pub format: Vec<Output<RepairFormat>>,
    #[command(flatten)]
    pub privacy: Privacy,
    /// Apply the plan at once
    #[arg(long)]
    pub apply: bool,
    /// Give up making the plan after this long (500ms, 60s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub writing: Writing,
}

#[derive(Debug, Args)]
pub struct Apply {
    /// A path or sqlite:PATH
    #[arg(value_name = "DB")]
    pub database: String,
    /// The plan that `repair -o` wrote
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// table or json; F=FILE writes one of several reports to a file
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<AnswerFormat>)]
    pub format: Vec<Output<AnswerFormat>>,
    #[command(flatten)]
    pub writing: Writing,
}

/// How a database is written.
#[derive(Debug, Args)]
pub struct Writing {
    /// Where the backup goes [default: DB.backup-…, beside the database]
    #[arg(long, value_name = "FILE", conflicts_with = "no_backup")]
    pub backup: Option<PathBuf>,
    /// Make no backup
    #[arg(long)]
    pub no_backup: bool,
    /// Commit after so many changes; a run that was cut off goes on where it was [default: all in one transaction]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// Leave rows that changed since as they are, list them, and do the rest [default: refuse the plan]
    #[arg(long)]
    pub skip_changed: bool,
    /// Keep triggers silent
    #[arg(long)]
    pub no_triggers: bool,
    /// Apply a plan that leaves missing keys undecided
    #[arg(long)]
    pub leave_undecided: bool,
    /// The database was moved since the plan was made
    #[arg(long)]
    pub moved: bool,
    /// Write to a server that says it is read-only, if it lets this user (default_transaction_read_only, read_only)
    #[arg(long)]
    pub override_read_only: bool,
    /// How long to wait for another program's lock [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Status {
    /// The plan that `repair -o` wrote
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// The database that it was made for: a path or a URL
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// table or json; F=FILE writes one of several reports to a file
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<AnswerFormat>)]
    pub format: Vec<Output<AnswerFormat>>,
    /// Remove the record of a plan that was taken back, and with the last record the table that holds them
    #[arg(long, requires = "database")]
    pub forget: bool,
    /// How long to wait for another program's lock [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = option_values::parse_duration)]
    pub wait: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub enum Rules {
    /// Find what is wrong with rules
    Check {
        /// Files of rules, or folders of such files
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Also hold them against a database
        #[arg(long, value_name = "DB")]
        against: Option<String>,
        /// Stop after this long (500ms, 60s, 5m)
        #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout, requires = "against")]
        timeout: Option<Duration>,
    },
    /// Draft rules from a scan: a file to start from
    Suggest {
        /// A path or sqlite:PATH [default: the environment variable DATABASE_URL]
        #[arg(value_name = "DB")]
        database: Option<String>,
        /// Stop after this long (500ms, 60s, 5m)
        #[arg(long, value_name = "DURATION", value_parser = option_values::parse_timeout)]
        timeout: Option<Duration>,
    },
    /// List the rules that come with fk-doctor; with a name, print one
    List {
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

impl Format for RepairFormat {
    fn all() -> Vec<Self> {
        RepairFormat::ALL.to_vec()
    }

    fn name(self) -> &'static str {
        RepairFormat::name(self)
    }
}
