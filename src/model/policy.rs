//! The severity of a finding: the severity of its code, which the configuration can change, and thresholds for the
//! orphans of some relations.

use crate::model::configured::Spanned;
use crate::model::finding::Code;
use crate::model::finding::Severity;
use crate::model::pattern::Pattern;
use crate::model::text;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    pub severities: Vec<(Code, Severity)>,
    /// Only the first threshold that matches a relation applies to it.
    pub thresholds: Vec<Threshold>,
}

/// A `[[threshold]]` of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// A pattern of relation ids or of child tables.
    pub relation: Spanned<Pattern>,
    pub warn_if: Option<Limit>,
    pub fail_if: Option<Limit>,
}

/// A limit, which is exceeded if any of its bounds is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub text: String,
    pub parts: Vec<Bound>,
}

/// A bound, which is exceeded by a greater number or, with `or_equal`, by an equal one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub measure: Measure,
    /// The greatest allowed number; for a share, in millionths of a percent.
    pub number: u64,
    pub or_equal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Rows,
    MissingKeys,
    /// The share of orphans among the rows of the relation.
    Share,
}

/// The number of orphans of one relation.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    pub orphan_rows: u64,
    pub missing_keys: u64,
    pub rows: u64,
}

impl Limit {
    /// Parses `> 10`, `>= 5 keys`, `> 0.1%`, or several of these joined by `or`.
    pub fn parse(text: &str) -> Result<Limit, String> {
        let parts = text.split(" or ").map(bound).collect::<Option<Vec<Bound>>>();
        let parts =
            parts.ok_or("expected a limit such as > 10 rows, > 5 keys or > 0.1%, or several joined by \"or\"")?;
        Ok(Limit { text: text.trim().to_owned(), parts })
    }

    pub fn is_exceeded_by(&self, extent: Extent) -> bool {
        self.parts.iter().any(|part| part.is_exceeded_by(extent))
    }
}

fn bound(text: &str) -> Option<Bound> {
    let text = text.trim();
    let (or_equal, rest) = match text.strip_prefix(">=") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('>')?),
    };
    let rest = rest.trim();
    if let Some(percent) = rest.strip_suffix('%') {
        return Some(Bound { measure: Measure::Share, number: millionths(percent.trim())?, or_equal });
    }
    let (number, unit) = rest.split_once(' ').unwrap_or((rest, "rows"));
    let measure = match unit.trim() {
        "row" | "rows" => Measure::Rows,
        "key" | "keys" | "missing key" | "missing keys" => Measure::MissingKeys,
        _ => return None,
    };
    Some(Bound { measure, number: whole(&number.replace('_', ""))?, or_equal })
}

fn whole(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn millionths(decimal: &str) -> Option<u64> {
    let (whole_part, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    if fraction.len() > 6 {
        return None;
    }
    let number = whole(whole_part)?.checked_mul(1_000_000)?.checked_add(whole(&format!("{fraction:0<6}"))?)?;
    (number <= 100_000_000).then_some(number)
}

impl Bound {
    fn is_exceeded_by(self, extent: Extent) -> bool {
        let (found, bound) = match self.measure {
            Measure::Rows => (u128::from(extent.orphan_rows), u128::from(self.number)),
            Measure::MissingKeys => (u128::from(extent.missing_keys), u128::from(self.number)),
            Measure::Share => {
                (u128::from(extent.orphan_rows) * 100 * 1_000_000, u128::from(self.number) * u128::from(extent.rows))
            }
        };
        found > bound || (self.or_equal && found == bound)
    }
}

impl Threshold {
    pub fn is_for(&self, relation_id: &str, child: &str) -> bool {
        let pattern = &self.relation.value;
        pattern.matches(if pattern.is_for_relations() { relation_id } else { child })
    }

    /// Returns the severity, and the reason if it is less than an error.
    fn severity(&self, extent: Extent) -> (Severity, Option<String>) {
        let exceeds = |limit: &Option<Limit>| limit.as_ref().is_some_and(|limit| limit.is_exceeded_by(extent));
        let within = |name: &str, limit: &Option<Limit>| limit.as_ref().map(|limit| format!("{name} {}", limit.text));
        let share = text::share(extent.orphan_rows, extent.rows);
        let explained = |limits: Vec<Option<String>>| {
            let limits: Vec<String> = limits.into_iter().flatten().collect();
            (!limits.is_empty()).then(|| format!("{share} of the rows does not reach {}", limits.join(" or ")))
        };
        if exceeds(&self.fail_if) {
            (Severity::Error, None)
        } else if exceeds(&self.warn_if) {
            (Severity::Warning, explained(vec![within("fail-if", &self.fail_if)]))
        } else {
            (Severity::Note, explained(vec![within("warn-if", &self.warn_if), within("fail-if", &self.fail_if)]))
        }
    }
}

impl Policy {
    /// Returns the severity of a finding. For orphans it also returns the reason if a threshold made it less than an error.
    pub fn severity(&self, code: Code, relation_id: &str, child: &str, extent: Extent) -> (Severity, Option<String>) {
        let threshold = self.thresholds.iter().find(|threshold| threshold.is_for(relation_id, child));
        if let (true, Some(threshold)) = (code.is_orphan(), threshold) {
            return threshold.severity(extent);
        }
        let configured = self.severities.iter().find(|(about, _)| *about == code);
        (configured.map_or(code.severity(), |(_, severity)| *severity), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeded(limit: &str, orphan_rows: u64, missing_keys: u64, rows: u64) -> bool {
        Limit::parse(limit).unwrap().is_exceeded_by(Extent { orphan_rows, missing_keys, rows })
    }

    #[test]
    fn limit_is_exceeded_exactly_at_its_bound() {
        assert!(exceeded("> 10", 11, 1, 100) && !exceeded("> 10 rows", 10, 1, 100));
        assert!(exceeded(">= 10", 10, 1, 100) && exceeded("> 1_000 keys", 2_000, 1_001, 9_999));
        assert!(!exceeded("> 0.1%", 1, 1, 1_000) && exceeded(">= 0.1%", 1, 1, 1_000));
        assert!(exceeded("> 0.1%", 1_001, 1, 1_000_000) && !exceeded("> 100%", 5, 5, 5));
        assert!(exceeded("> 5 keys or > 50%", 6, 1, 10) && !exceeded("> 5 keys or > 70%", 6, 1, 10));
        assert!(exceeded("> 0%", u64::MAX, 1, u64::MAX));
    }

    #[test]
    fn malformed_limit_is_refused() {
        for text in
            ["", "10", "> ", "> x", "> -1", "> 1.5", "> 5 apples", "< 5", "> 101%", "> 0.0000001%", "> 1 or", "> .5%"]
        {
            assert!(Limit::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn severity_comes_from_the_first_matching_threshold_or_the_code() {
        let threshold = |pattern, warn_if: Option<&str>, fail_if: Option<&str>| Threshold {
            relation: Spanned { value: Pattern::new(pattern).unwrap(), span: 0..0 },
            warn_if: warn_if.map(|text| Limit::parse(text).unwrap()),
            fail_if: fail_if.map(|text| Limit::parse(text).unwrap()),
        };
        let policy = Policy {
            severities: vec![(Code::ChildNotIndexed, Severity::Error)],
            thresholds: vec![threshold("log*", Some("> 1"), Some("> 50%")), threshold("*(a)->*", None, Some("> 1"))],
        };
        let of = |code, id, child, orphan_rows| {
            policy.severity(code, id, child, Extent { orphan_rows, missing_keys: 1, rows: 100 })
        };
        assert_eq!(of(Code::Orphan, "log(a)->p(id)", "log", 51), (Severity::Error, None));
        let reason = "2.0% of the rows does not reach fail-if > 50%".to_owned();
        assert_eq!(of(Code::Orphan, "log(a)->p(id)", "log", 2), (Severity::Warning, Some(reason)));
        assert_eq!(of(Code::Orphan, "log(a)->p(id)", "log", 1).0, Severity::Note);
        assert_eq!(of(Code::Orphan, "t(a)->p(id)", "t", 1).0, Severity::Note);
        assert_eq!(of(Code::Orphan, "t(b)->p(id)", "t", 1).0, Severity::Error);
        assert_eq!(of(Code::ChildNotIndexed, "log(a)->p(id)", "log", 0).0, Severity::Error);
    }
}
