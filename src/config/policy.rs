//! Parses `[severity]` and `[[threshold]]`, which set the severity of findings.

use crate::config::option_values;
use crate::config::reader::Item;
use crate::config::reader::Reader;
use crate::model::configured::Spanned;
use crate::model::finding::Code;
use crate::model::finding::Severity;
use crate::model::pattern::Pattern;
use crate::model::policy::Limit;
use crate::model::policy::Threshold;

pub(crate) fn severities(mut reader: Reader<'_, '_>) -> Vec<(Code, Severity)> {
    let mut severities = Vec::new();
    for code in Code::ALL {
        let item = reader.take(code.name());
        let severity =
            item.and_then(|item| item.parsed("\"error\", \"warning\" or \"note\"", option_values::parse_severity));
        severities.extend(severity.map(|at| (code, at.value)));
    }
    reader.finish();
    severities
}

pub(crate) fn threshold(mut reader: Reader<'_, '_>) -> Option<Threshold> {
    let relation: Option<Spanned<Pattern>> = reader
        .require("relation", "relation = \"audit_*(*)->*\"")
        .and_then(|item| item.parsed("a pattern, such as \"audit_*\"", Pattern::new));
    let (warn_if, fail_if) = (reader.take("warn-if"), reader.take("fail-if"));
    if warn_if.is_none() && fail_if.is_none() {
        reader.require("fail-if", "fail-if = \"> 0.1%\"");
    }
    reader.finish();
    let limit = |item: Item<'_, '_>| item.parsed("a limit such as \"> 10 rows\"", Limit::parse).map(|at| at.value);
    Some(Threshold { relation: relation?, warn_if: warn_if.and_then(limit), fail_if: fail_if.and_then(limit) })
}
