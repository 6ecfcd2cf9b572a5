//! The arguments of `discover`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::FormatArg;
use crate::cli::PrivacyArgs;
use crate::cli::output;
use crate::config::option_values;
use crate::model::discovery::Tier;
use crate::model::pattern::Pattern;
use crate::report::DiscoveryFormat;

#[derive(Debug, Clone, Default, Args)]
pub struct DiscoverArgs {
    /// A path, or a URL (see `fk-doctor scan --help`) [default: the environment variable DATABASE_URL]
    #[arg(value_name = "DB")]
    pub database: Option<String>,
    /// table, json, ndjson, markdown, html, csv, mermaid or dot; F=FILE writes this report to a file (repeatable)
    #[arg(long, value_name = "F[=FILE]", value_parser = output::<DiscoveryFormat>)]
    pub format: Vec<FormatArg<DiscoveryFormat>>,
    /// Write the report to a file, in the format of its ending unless --format names one
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The lowest tier to show: certain, likely, possible or rejected [default: likely]
    #[arg(long, value_name = "TIER", value_parser = parse_tier)]
    pub tier: Option<Tier>,
    /// Show only the references from and to these tables (a glob, repeatable). All tables are read, to judge each pair
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    pub table: Vec<Pattern>,
    /// Leave these tables out, or these pairs, child(cols)->parent(cols) (a glob, repeatable)
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    pub exclude: Vec<Pattern>,
    /// Explain why a pair, child(cols)->parent(cols), has its tier (repeatable)
    #[arg(long, value_name = "PAIR", conflicts_with_all = ["format", "accept", "reject"])]
    pub explain: Vec<String>,
    /// Print what is accepted as entries of fk-doctor.toml: a tier (certain or likely), or a glob of pairs (repeatable).
    /// With --config, append it to this file instead
    #[arg(long, value_name = "TIER|GLOB", num_args = 1.., conflicts_with_all = ["format", "redact"])]
    pub accept: Vec<String>,
    /// Write to the file of --config that these pairs are no references (a glob, repeatable)
    #[arg(long, value_name = "GLOB", num_args = 1.., value_parser = Pattern::new, requires = "config",
        conflicts_with_all = ["format", "accept"])]
    pub reject: Vec<Pattern>,
    /// Exit with 1 if a reference of this tier or above is not declared: certain or likely
    #[arg(long, value_name = "TIER", value_parser = parse_failing_tier)]
    pub fail_on: Option<Tier>,
    /// How much of a child may be missing from its parent [default: 10% keys, 12% rows]
    #[arg(long, value_name = "SHARES", value_parser = parse_tolerance)]
    pub tolerance: Option<ToleranceArg>,
    /// The largest number of columns of a key [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub max_arity: Option<u8>,
    /// Number of missing keys to list for each pair [default: 5]
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
    /// Number of threads [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = option_values::parse_jobs)]
    pub jobs: Option<usize>,
    /// Memory for the keys; a database that needs more is read several times [default: 256MB]
    #[arg(long, value_name = "SIZE", value_parser = option_values::parse_memory)]
    pub memory: Option<u64>,
}

/// The shares of keys and of rows that may be missing, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToleranceArg {
    pub keys: u32,
    pub rows: u32,
}

fn parse_tier(text: &str) -> Result<Tier, String> {
    let tiers = Tier::ALL.into_iter().filter(|tier| *tier != Tier::Declared);
    tiers
        .into_iter()
        .find(|tier| tier.name() == text)
        .ok_or_else(|| "expected certain, likely, possible or rejected".to_owned())
}

fn parse_failing_tier(text: &str) -> Result<Tier, String> {
    let tiers = [Tier::Certain, Tier::Likely];
    tiers.into_iter().find(|tier| tier.name() == text).ok_or_else(|| "expected certain or likely".to_owned())
}

/// Parses `10% keys, 12% rows`, in any order. A share that is not named keeps its default.
fn parse_tolerance(text: &str) -> Result<ToleranceArg, String> {
    let expected = "expected shares such as \"10% keys, 12% rows\"";
    let mut tolerance = ToleranceArg { keys: 100, rows: 120 };
    for part in text.split(',') {
        let (number, unit) = part.trim().split_once('%').ok_or(expected)?;
        let percent: f64 = number.trim().parse().map_err(|_| expected.to_owned())?;
        if !(0.0..=100.0).contains(&percent) {
            return Err("expected a share from 0% to 100%".to_owned());
        }
        let thousandths = (percent * 10.0).round() as u32;
        match unit.trim() {
            "keys" => tolerance.keys = thousandths,
            "rows" => tolerance.rows = thousandths,
            _ => return Err(expected.to_owned()),
        }
    }
    Ok(tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_is_parsed_or_refused() {
        let tolerance = |keys, rows| Ok(ToleranceArg { keys, rows });
        assert_eq!(parse_tolerance("10% keys, 12% rows"), tolerance(100, 120));
        assert_eq!(parse_tolerance("0.5%rows"), tolerance(100, 5));
        assert_eq!(parse_tolerance("0% keys, 0% rows"), tolerance(0, 0));
        for text in ["", "10", "10 keys", "10% apples", "101% keys", "-1% rows", "x% keys"] {
            assert!(parse_tolerance(text).is_err(), "{text}");
        }
    }
}
