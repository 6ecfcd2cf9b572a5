//! The report of a scan as JUnit XML. Each relation is a test case: it passes, fails, or is skipped with the reason why it
//! was not checked. There are no times, so that equal scans give equal bytes.

use crate::model::examination::Coverage;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::ids::RelationId;
use crate::model::relation::Relation;
use crate::model::text;
use crate::model::text::plural;
use crate::report::markup::escaped;
use crate::report::wording;

pub(super) fn render(examination: &Examination) -> String {
    let relations = examination.schema.relations.entries().zip(&examination.relations);
    let cases: Vec<Case<'_>> =
        relations.map(|((relation, about), coverage)| Case::of(examination, relation, about, coverage)).collect();
    let number = |verdict: fn(&Case<'_>) -> bool| cases.iter().filter(|case| verdict(case)).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"",
        cases.len(),
        number(|case| !case.failing.is_empty()),
        number(|case| case.is_skipped())
    );
    let database = &examination.schema.database;
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        format!("<testsuites name=\"fk-doctor\" {counts}>"),
        format!("  <testsuite name=\"{}\" {counts}>", escaped(&database.name)),
        "    <properties>".to_owned(),
    ];
    let properties = [
        ("engine", database.engine.name()),
        ("engine-version", &database.version),
        ("fk-doctor", env!("CARGO_PKG_VERSION")),
        ("verdict", examination.verdict().name()),
    ];
    for (name, value) in properties {
        lines.push(format!("      <property name=\"{name}\" value=\"{}\"/>", escaped(value)));
    }
    lines.push("    </properties>".to_owned());
    for case in &cases {
        case.write(&mut lines, examination);
    }
    let baseline: Vec<String> = wording::baseline(examination).iter().map(|sentence| escaped(sentence)).collect();
    if !baseline.is_empty() {
        lines.push(format!("    <system-out>baseline: {}</system-out>", baseline.join("\n")));
    }
    lines.push("  </testsuite>".to_owned());
    lines.push("</testsuites>".to_owned());
    lines.join("\n") + "\n"
}

struct Case<'a> {
    about: &'a Relation,
    class: String,
    coverage: &'a Coverage,
    failing: Vec<&'a Finding>,
    /// Findings that do not fail the case.
    others: Vec<&'a Finding>,
}

impl<'a> Case<'a> {
    fn of(examination: &'a Examination, relation: RelationId, about: &'a Relation, coverage: &'a Coverage) -> Case<'a> {
        let own = examination.findings.iter().filter(|finding| finding.relation == relation);
        let (failing, others) = own.partition(|finding| examination.fails(finding));
        Case { about, class: examination.schema.child(about).name.to_string(), coverage, failing, others }
    }

    /// True if the case is skipped. A relation with a broken definition fails instead, even if its rows were not checked.
    fn is_skipped(&self) -> bool {
        self.coverage.state == CoverageState::Unchecked && self.failing.is_empty()
    }

    fn write(&self, lines: &mut Vec<String>, examination: &Examination) {
        let open = format!("<testcase name=\"{}\" classname=\"{}\"", escaped(&self.about.id), escaped(&self.class));
        let is_plain = self.failing.is_empty() && !self.is_skipped() && self.output(examination).is_empty();
        if is_plain {
            lines.push(format!("    {open}/>"));
            return;
        }
        lines.push(format!("    {open}>"));
        if self.is_skipped() {
            let reason = wording::shortfall(self.coverage).unwrap_or_default();
            lines.push(format!("      <skipped message=\"{}\"/>", escaped(reason)));
        }
        // One failure per case, as readers of the format expect.
        if let [first, rest @ ..] = self.failing.as_slice() {
            let message = match rest.len() {
                0 => first.message.clone(),
                more => format!("{} (and {})", first.message, plural(more as u64, "more finding")),
            };
            let body: Vec<String> = self.failing.iter().map(|finding| finding_text(examination, finding)).collect();
            lines.push(format!(
                "      <failure type=\"{}\" message=\"{}\">{}</failure>",
                first.code.name(),
                escaped(&message),
                body.join("\n\n")
            ));
        }
        let output = self.output(examination);
        if !output.is_empty() {
            lines.push(format!("      <system-out>{}</system-out>", output.join("\n\n")));
        }
        lines.push("    </testcase>".to_owned());
    }

    fn output(&self, examination: &Examination) -> Vec<String> {
        let shortfall = wording::shortfall(self.coverage).filter(|_| !self.is_skipped());
        let shortfall = shortfall.map(|reason| escaped(&format!("{}: {reason}", self.coverage.state.name())));
        shortfall.into_iter().chain(self.others.iter().map(|finding| finding_text(examination, finding))).collect()
    }
}

/// Returns a finding as escaped lines.
fn finding_text(examination: &Examination, finding: &Finding) -> String {
    let mut lines = vec![format!("{}[{}] {}", finding.severity.name(), finding.code.name(), finding.message)];
    if finding.known != Known::No {
        lines.extend(wording::known(finding).map(|known| format!("known: {known}")));
    }
    for missing in &finding.top_missing {
        let key = wording::missing_key(examination, finding, missing);
        let span = wording::span(missing).map(|span| format!(", {span}")).unwrap_or_default();
        lines.push(format!("missing: {key}, {}{span}", plural(missing.rows, "row")));
    }
    if let Some((keys, rows)) = wording::unlisted(finding) {
        lines.push(format!("and {}, {}", plural(keys, "more key"), plural(rows, "row")));
    }
    for sample in &finding.samples {
        lines.push(format!("row: {} → {}", text::row(&sample.row), text::key(&sample.key)));
    }
    lines.extend(finding.diagnosis.iter().map(|diagnosis| format!("cause: {}", wording::diagnosis(diagnosis))));
    if !finding.help.is_empty() {
        lines.push(format!("help: {}", finding.help));
    }
    lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n")
}
