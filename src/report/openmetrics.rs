//! The report of a scan as OpenMetrics text, for the textfile collector of Prometheus' node_exporter. That collector reads
//! the older text format too, so every metric is a gauge, which both formats have.
//!
//! A relation that was not checked has no number of orphan rows, so that nobody mistakes it for a zero.

use std::collections::BTreeMap;

use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::examination::ScanVerdict;
use crate::model::finding::Known;
use crate::model::finding::Severity;
use crate::model::relation::Relation;
use crate::model::text::visible;

pub(super) fn render(examination: &Examination) -> String {
    let mut text = String::new();
    for family in [
        info(examination),
        verdict(examination),
        failed(examination),
        relations(examination),
        coverage(examination),
        rows(examination),
        orphan_rows(examination),
        missing_keys(examination),
        findings(examination),
    ] {
        family.write(&mut text);
    }
    text.push_str("# EOF\n");
    text
}

/// A metric with its samples: the labels of each, and its value.
struct Family {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, u64)>,
}

impl Family {
    fn write(&self, text: &mut String) {
        let Family { name, help, samples } = self;
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            text.push_str(&format!("{name}{{{}}} {value}\n", labels.join(",")));
        }
    }
}

/// Returns a label's value in which a backslash, a quotation mark and a line break are escaped. Other characters that a
/// terminal obeys become visible ones.
fn escaped(value: &str) -> String {
    visible(value).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn database(examination: &Examination) -> (&'static str, String) {
    ("database", examination.schema.database.name.clone())
}

fn info(examination: &Examination) -> Family {
    let about = &examination.schema.database;
    let labels = vec![
        database(examination),
        ("engine", about.engine.name().to_owned()),
        ("engine_version", about.version.clone()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    Family {
        name: "fk_doctor_scan_details",
        help: "The scanned database, and the version of fk-doctor that scanned it.",
        samples: vec![(labels, 1)],
    }
}

fn verdict(examination: &Examination) -> Family {
    let reached = examination.verdict();
    let sample = |verdict: ScanVerdict| {
        let labels = vec![database(examination), ("verdict", verdict.name().to_owned())];
        (labels, u64::from(verdict == reached))
    };
    Family {
        name: "fk_doctor_scan_verdict",
        help: "1 for the verdict of the scan, and 0 for the others.",
        samples: ScanVerdict::ALL.map(sample).to_vec(),
    }
}

fn failed(examination: &Examination) -> Family {
    let fails = examination.findings.iter().filter(|finding| examination.fails(finding)).count();
    Family {
        name: "fk_doctor_failing_findings",
        help: "The findings at or above --fail-on that no baseline knows.",
        samples: vec![(vec![database(examination)], fails as u64)],
    }
}

fn relations(examination: &Examination) -> Family {
    let sample = |state: CoverageState| {
        let number = examination.relations.iter().filter(|coverage| coverage.state == state).count();
        (vec![database(examination), ("coverage", state.name().to_owned())], number as u64)
    };
    Family {
        name: "fk_doctor_relations",
        help: "The relations, by their coverage.",
        samples: CoverageState::ALL.map(sample).to_vec(),
    }
}

/// Returns a metric with a sample for each relation of which `value` knows the number.
fn of_relations(
    examination: &Examination,
    name: &'static str,
    help: &'static str,
    value: impl Fn(&Coverage) -> Option<u64>,
) -> Family {
    let relations = examination.schema.relations.iter().zip(&examination.relations);
    let sample = |(relation, coverage): (&Relation, &Coverage)| {
        let labels = vec![database(examination), ("relation", relation.id.clone())];
        Some((labels, value(coverage)?))
    };
    Family { name, help, samples: relations.filter_map(sample).collect() }
}

fn coverage(examination: &Examination) -> Family {
    let help = "1 if rows of the relation were checked, and 0 if none could be.";
    of_relations(examination, "fk_doctor_relation_checked", help, |coverage| {
        Some(u64::from(coverage.state != CoverageState::Unchecked))
    })
}

fn rows(examination: &Examination) -> Family {
    let help = "The checked rows of the child. Absent if the relation could not be checked.";
    of_relations(examination, "fk_doctor_rows", help, |coverage| {
        (coverage.state != CoverageState::Unchecked).then_some(coverage.counts.rows)
    })
}

fn orphan_rows(examination: &Examination) -> Family {
    let help = "The rows without a parent. Absent if the relation could not be checked.";
    of_relations(examination, "fk_doctor_orphan_rows", help, |coverage| {
        (coverage.state != CoverageState::Unchecked).then_some(coverage.orphan_rows)
    })
}

fn missing_keys(examination: &Examination) -> Family {
    let help = "The keys that rows refer to and no parent has. Absent if the relation could not be checked.";
    of_relations(examination, "fk_doctor_missing_keys", help, |coverage| {
        (coverage.state != CoverageState::Unchecked).then_some(coverage.missing_keys)
    })
}

fn findings(examination: &Examination) -> Family {
    let mut numbers: BTreeMap<(&str, Severity, bool), u64> = BTreeMap::new();
    for finding in &examination.findings {
        *numbers.entry((finding.code.name(), finding.severity, finding.known != Known::No)).or_default() += 1;
    }
    let sample = |((code, severity, is_known), number): ((&str, Severity, bool), u64)| {
        let known = if is_known { "true" } else { "false" };
        let labels = vec![
            database(examination),
            ("code", code.to_owned()),
            ("severity", severity.name().to_owned()),
            ("known", known.to_owned()),
        ];
        (labels, number)
    };
    Family {
        name: "fk_doctor_findings",
        help: "The findings, by code and severity. The baseline knows those whose label known is true.",
        samples: numbers.into_iter().map(sample).collect(),
    }
}
