//! Parses option values that the configuration and the command line share: durations, sizes, counts and severities.
//!
//! Each function returns the value, or a message that reads well after the quoted text. Nothing here depends on the
//! source of the text.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::model::batch_size::BatchSize;
use crate::model::finding::Severity;
use crate::model::redaction::Values;

/// A larger number of workers is taken for a typing error.
pub const JOBS: RangeInclusive<u64> = 1..=1_024;

/// The maximum is bounded because samples are held in memory.
pub const SAMPLES: RangeInclusive<u64> = 0..=1_000_000;

/// The number of changes in one transaction.
pub const BATCH: RangeInclusive<u64> = 1..=u32::MAX as u64;

/// A deadline is added to a clock, which must not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The lowest severity of a finding that makes the run fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    At(Severity),
    Never,
}

impl FailOn {
    pub const ALL: [FailOn; 4] =
        [FailOn::At(Severity::Error), FailOn::At(Severity::Warning), FailOn::At(Severity::Note), FailOn::Never];

    pub fn name(self) -> &'static str {
        match self {
            FailOn::At(severity) => severity.name(),
            FailOn::Never => "never",
        }
    }

    pub fn is_reached_by(self, severity: Severity) -> bool {
        match self {
            FailOn::At(lowest) => severity >= lowest,
            FailOn::Never => false,
        }
    }
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<FailOn, String> {
        parse_fail_on(text)
    }
}

pub fn parse_fail_on(text: &str) -> Result<FailOn, String> {
    FailOn::ALL
        .into_iter()
        .find(|choice| choice.name() == text)
        .ok_or_else(|| "expected error, warning, note or never".to_owned())
}

pub fn parse_severity(text: &str) -> Result<Severity, String> {
    let severities = Severity::ALL.into_iter();
    severities
        .rev()
        .find(|severity| severity.name() == text)
        .ok_or_else(|| "expected error, warning or note".to_owned())
}

/// Parses `500ms`, `60s`, `5m` or `1h`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = "expected a whole number and a unit, ms, s, m or h, such as 500ms or 60s";
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(expected.to_owned());
    }
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" => return Err(format!("the unit is missing: {number}ms, {number}s, {number}m or {number}h")),
        _ => return Err(expected.to_owned()),
    };
    // Digits alone fail to parse only if the number is too large.
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(milliseconds))
        .map(Duration::from_millis)
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| "expected at most a year (8760h)".to_owned())
}

/// Parses a duration greater than zero.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration.is_zero() { Err("expected a duration greater than zero".to_owned()) } else { Ok(duration) }
}

/// Parses a number of changes or a time: `10000` or `150ms`.
pub fn parse_batch(text: &str) -> Result<BatchSize, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        let expected = "expected a number of changes or a time, such as 10000 or 150ms";
        return parse_timeout(text).map(BatchSize::Time).map_err(|_| expected.to_owned());
    }
    parse_count(text, &BATCH).map(BatchSize::Changes)
}

/// Parses `256MB`, `1GB` or `512MiB`.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    let expected = "expected a whole number and a unit, MB, GB, MiB or GiB, such as 256MB";
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let bytes: u64 = match unit.to_ascii_lowercase().as_str() {
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(expected.to_owned()),
    };
    let number = number.parse::<u64>().map_err(|_| expected.to_owned())?;
    number
        .checked_mul(bytes)
        .filter(|bytes| (1_000_000..=1 << 50).contains(bytes))
        .ok_or_else(|| "expected a size from 1MB to 1048576GiB".to_owned())
}

/// Parses the way in which the values of rows are hidden.
pub fn parse_redact(text: &str) -> Result<Values, String> {
    match text {
        "mask" => Ok(Values::Masked),
        "hash" => Ok(Values::Hashed),
        _ => Err("expected mask or hash".to_owned()),
    }
}

pub fn parse_jobs(text: &str) -> Result<usize, String> {
    parse_count(text, &JOBS)
}

pub fn parse_samples(text: &str) -> Result<usize, String> {
    parse_count(text, &SAMPLES)
}

fn parse_count(text: &str, allowed: &RangeInclusive<u64>) -> Result<usize, String> {
    text.parse::<u64>()
        .ok()
        .filter(|number| allowed.contains(number))
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| expected_count(allowed))
}

/// Returns the message for a number outside its range.
pub(crate) fn expected_count(allowed: &RangeInclusive<u64>) -> String {
    format!("expected a whole number from {} to {}", allowed.start(), allowed.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_accepts_decimal_and_binary_units() {
        assert_eq!(parse_memory("256MB"), Ok(256_000_000));
        assert_eq!(parse_memory("1GiB"), Ok(1 << 30));
        for text in ["256", "MB", "0MB", "-1MB", "1.5GB", "99999999999999999GB"] {
            assert!(parse_memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn duration_is_parsed_or_refused() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3_600)));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_duration("8760h"), Ok(LONGEST));
        let expected = "expected a whole number and a unit, ms, s, m or h, such as 500ms or 60s";
        for text in ["", "s", "-5s", "1.5s", "5 s", "5S", "5d", "٥s", " 5s", "1m30s"] {
            assert_eq!(parse_duration(text).unwrap_err(), expected, "{text}");
        }
        for text in ["8761h", "18446744073709551615h", "99999999999999999999999ms"] {
            assert_eq!(parse_duration(text).unwrap_err(), "expected at most a year (8760h)", "{text}");
        }
        assert_eq!(parse_duration("60").unwrap_err(), "the unit is missing: 60ms, 60s, 60m or 60h");
        assert_eq!(parse_timeout("0ms").unwrap_err(), "expected a duration greater than zero");
    }

    #[test]
    fn batch_is_a_number_of_changes_or_a_time() {
        assert_eq!(parse_batch("10000"), Ok(BatchSize::Changes(10_000)));
        assert_eq!(parse_batch("150ms"), Ok(BatchSize::Time(Duration::from_millis(150))));
        assert_eq!(parse_batch("0").unwrap_err(), "expected a whole number from 1 to 4294967295");
        for text in ["", "0ms", "-1", "ms", "1.5s", "many"] {
            let expected = "expected a number of changes or a time, such as 10000 or 150ms";
            assert_eq!(parse_batch(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn fail_on_is_reached_by_equal_or_higher_severity() {
        for choice in FailOn::ALL {
            assert_eq!(choice.name().parse(), Ok(choice));
        }
        assert_eq!(parse_fail_on("Error").unwrap_err(), "expected error, warning, note or never");
        assert!(FailOn::At(Severity::Warning).is_reached_by(Severity::Error));
        assert!(!FailOn::At(Severity::Warning).is_reached_by(Severity::Note));
        assert!(!FailOn::Never.is_reached_by(Severity::Error));
    }

    #[test]
    fn count_outside_its_range_is_refused() {
        assert_eq!(parse_jobs("4"), Ok(4));
        assert_eq!(parse_samples("0"), Ok(0));
        for text in ["0", "-1", "1025", "many", "99999999999999999999999"] {
            assert_eq!(parse_jobs(text).unwrap_err(), "expected a whole number from 1 to 1024", "{text}");
        }
    }
}
