//! The findings of a scan as workflow commands, which GitHub shows next to the lines that declare the relations. The step
//! summary is the Markdown report.

use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::file_line::FileLine;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::text::plural;
use crate::model::text::visible;
use crate::report::headline::Headline;
use crate::report::wording;

/// The number of annotations of one kind that GitHub shows for a step. GitHub silently drops the rest.
const SHOWN: usize = 10;

pub(super) fn render(examination: &Examination) -> String {
    let mut lines = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let found: Vec<&Finding> = examination.open_findings().filter(|finding| finding.severity == severity).collect();
        lines.extend(found.iter().take(SHOWN).map(|finding| annotation(examination, finding)));
        if found.len() > SHOWN {
            let more = plural((found.len() - SHOWN) as u64, &format!("more {}", severity.name()));
            lines.push(format!("{more}: the step summary lists all of them"));
        }
    }
    for ((relation, about), coverage) in examination.schema.relations.entries().zip(&examination.relations) {
        if coverage.state == CoverageState::Unchecked {
            let reason = wording::shortfall(coverage).unwrap_or_default();
            let message = format!("{}: {reason}", about.id);
            lines.push(command("warning", examination.locations.get(relation), "fk-doctor: not checked", &message));
        }
    }
    // The lines below begin with a mark, so that none of them can be a command.
    for (tone, sentence) in Headline::of(examination).sentences {
        lines.push(format!("{} {}", tone.mark(), disarmed(&sentence)));
    }
    for sentence in wording::baseline(examination) {
        lines.push(format!("○ baseline: {}", disarmed(&sentence)));
    }
    lines.join("\n") + "\n"
}

fn annotation(examination: &Examination, finding: &Finding) -> String {
    let kind = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let title = format!("fk-doctor: {}", finding.code.name());
    let mut message = format!("{}: {}", finding.relation_id, finding.message);
    for diagnosis in finding.diagnosis.iter().take(1) {
        message.push_str(&format!(". Cause: {}", wording::diagnosis(diagnosis)));
    }
    if !finding.help.is_empty() {
        message.push_str(&format!(". Help: {}", finding.help));
    }
    command(kind, examination.locations.get(finding.relation), &title, &message)
}

fn command(kind: &str, location: Option<&FileLine>, title: &str, message: &str) -> String {
    let file = match location {
        Some(location) => format!("file={},line={},", property(&location.file), location.line),
        None => String::new(),
    };
    format!("::{kind} {file}title={}::{}", property(title), data(message))
}

/// Makes the runner's older commands harmless, which it obeys anywhere in a line.
fn disarmed(text: &str) -> String {
    visible(text).replace("##[", "# #[")
}

/// Escapes the message of a command as the runner expects.
fn data(text: &str) -> String {
    disarmed(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn finding_becomes_annotation_at_its_line() {
        let mut examination = sample::incomplete();
        examination.locations = vec![FileLine { file: "db/a,b.sql".to_owned(), line: 7 }; 2].into();
        let expected = "\
::warning file=db/a%2Cb.sql,line=7,title=fk-doctor%3A not checked::order_items(order_id)->orders(number): orders has no column number
? shop.sqlite: 1 of 2 relations could not be checked
";
        assert_eq!(render(&examination), expected);
        let report = render(&sample::sick());
        let orphans = "::error title=fk-doctor%3A orphan::orders(customer_id)->customers(id): 338 rows refer to 39 keys that \
                       customers does not have. Cause: wrong table: 22 is a key of suppliers(id) (300 rows). Help: restore";
        assert!(report.contains(orphans), "{report}");
    }

    #[test]
    fn hostile_name_cannot_forge_a_command() {
        for line in render(&sample::hostile()).lines() {
            let known = ["::error ", "::warning ", "::notice ", "✗ ", "? ", "○ ", "✓ "];
            assert!(known.iter().any(|start| line.starts_with(start)), "{line}");
        }
        assert_eq!(property("a:b,c%\n::error::x"), "a%3Ab%2Cc%25\\n%3A%3Aerror%3A%3Ax");
    }
}
