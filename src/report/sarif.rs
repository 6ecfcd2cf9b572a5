//! The findings of a scan as SARIF 2.1.0, for code scanning. Every result has a physical location, because GitHub refuses
//! a file without one, and the stable fingerprint of the finding. There are no sample rows, because a code host would
//! store them for a long time.

use serde::Serialize;

use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::examination::ScanVerdict;
use crate::model::file_line::FileLine;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::Severity;
use crate::model::text::visible;
use crate::report::json::document;
use crate::report::wording;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The file of a finding whose relation has no known location.
const USUAL_FILE: &str = "fk-doctor.toml";

pub(super) fn render(examination: &Examination) -> String {
    let rules = Code::ALL.iter().map(|&code| Rule::of(code)).collect();
    let driver = Driver { name: "fk-doctor", semantic_version: env!("CARGO_PKG_VERSION"), rules };
    let run = Run {
        tool: Tool { driver },
        automation_details: Automation { id: format!("fk-doctor/{}/", visible(&examination.schema.database.name)) },
        invocations: [Invocation::of(examination)],
        column_kind: "unicodeCodePoints",
        results: examination.findings.iter().map(|finding| Outcome::of(examination, finding)).collect(),
    };
    document(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })
}

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    automation_details: Automation,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
struct Automation {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message,
    default_configuration: Configuration,
}

impl Rule {
    fn of(code: Code) -> Rule {
        Rule {
            id: code.name(),
            short_description: Message { text: code.explanation().to_owned() },
            default_configuration: Configuration { level: code.severity().name() },
        }
    }
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

/// The result of the scan, with the relations that were not checked completely.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

impl Invocation {
    fn of(examination: &Examination) -> Invocation {
        let all = examination.schema.relations.entries().zip(&examination.relations);
        let short = all.filter_map(|((relation, about), coverage)| {
            let reason = wording::shortfall(coverage)?;
            let level = if coverage.state == CoverageState::Unchecked { "error" } else { "note" };
            let text = format!("{}: {}: {}", coverage.state.name(), visible(&about.id), visible(reason));
            Some(Notification {
                level,
                message: Message { text },
                locations: [Location::of(examination.locations.get(relation), &about.id)],
            })
        });
        Invocation {
            execution_successful: examination.verdict() != ScanVerdict::Incomplete,
            tool_execution_notifications: short.collect(),
        }
    }
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
    locations: [Location; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
    properties: Properties,
}

impl Outcome {
    fn of(examination: &Examination, finding: &Finding) -> Outcome {
        let mut text = format!("{}: {}.", finding.relation_id, finding.message);
        for diagnosis in &finding.diagnosis {
            text.push_str(&format!(" Cause: {}.", wording::diagnosis(diagnosis)));
        }
        if !finding.help.is_empty() {
            text.push_str(&format!(" Help: {}.", finding.help));
        }
        let is_known = finding.known == Known::Wholly;
        let suppression = Suppression { kind: "external", justification: "in the baseline" };
        Outcome {
            rule_id: finding.code.name(),
            rule_index: Code::ALL.iter().position(|code| *code == finding.code).unwrap_or_default(),
            level: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            message: Message { text: visible(&text).into_owned() },
            locations: [Location::of(examination.locations.get(finding.relation), &finding.relation_id)],
            partial_fingerprints: Fingerprints { line: finding.id(), finding: finding.id() },
            baseline_state: examination.baseline.as_ref().map(|_| if is_known { "unchanged" } else { "new" }),
            suppressions: is_known.then_some(suppression).into_iter().collect(),
            properties: Properties { rows: finding.rows, missing_keys: finding.missing_keys },
        }
    }
}

/// GitHub uses the first fingerprint. Without it, GitHub would compute one from the text of the line.
#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "primaryLocationLineHash")]
    line: String,
    #[serde(rename = "fkDoctorFinding/v1")]
    finding: String,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    rows: u64,
    missing_keys: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
    logical_locations: [LogicalLocation; 1],
}

impl Location {
    fn of(location: Option<&FileLine>, relation: &str) -> Location {
        let (file, line) = location.map_or((USUAL_FILE, 1), |location| (location.file.as_str(), location.line));
        Location {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation { uri: relative_uri(file) },
                region: Region { start_line: line.max(1) },
            },
            logical_locations: [LogicalLocation {
                fully_qualified_name: visible(relation).into_owned(),
                kind: "relation",
            }],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
    kind: &'static str,
}

/// Returns a path as a URI reference, relative to the root of the repository.
fn relative_uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.strip_prefix("./").unwrap_or(&path);
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    const SARIF: &str = include_str!("../../tests/data/sarif-2.1.0.schema.json");

    #[test]
    fn sample_reports_obey_the_standard() {
        // The pattern of languages in the official schema has a stray bracket, which makes the expression invalid.
        let sound = SARIF.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}?$");
        let schema: serde_json::Value = serde_json::from_str(&sound).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for examination in
            [sample::clean(), sample::no_relations(), sample::sick(), sample::incomplete(), sample::hostile()]
        {
            let report: serde_json::Value = serde_json::from_str(&render(&examination)).unwrap();
            let faults: Vec<String> = validator.iter_errors(&report).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{faults:#?}");
            for result in report["runs"][0]["results"].as_array().unwrap() {
                let location = &result["locations"][0]["physicalLocation"];
                assert!(!location["artifactLocation"]["uri"].as_str().unwrap().is_empty());
                assert!(location["region"]["startLine"].as_u64().unwrap() >= 1);
                assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            }
        }
    }

    #[test]
    fn path_becomes_relative_uri() {
        assert_eq!(relative_uri("./db/schema v2.sql"), "db/schema%20v2.sql");
        assert_eq!(relative_uri("db\\é:x.sql"), "db/%C3%A9%3Ax.sql");
    }
}
