//! The report of a scan as Markdown, for a pull request, an issue or a wiki. Notes are not listed.
//!
//! Names and values are always in code spans, so that nothing in them is markup, a mention or a link.

use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::text;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::visible;
use crate::report::headline::Headline;
use crate::report::wording;

pub(super) fn render(examination: &Examination) -> String {
    let mut lines = Vec::new();
    headline(&mut lines, examination);
    relations(&mut lines, examination);
    let mut shown: Vec<&Finding> =
        examination.open_findings().filter(|finding| finding.severity > Severity::Note).collect();
    shown.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for next in shown {
        finding(&mut lines, examination, next);
    }
    baseline(&mut lines, examination);
    coverage_gaps(&mut lines, examination);
    lines.join("\n") + "\n"
}

fn headline(lines: &mut Vec<String>, examination: &Examination) {
    let database = &examination.schema.database;
    lines.push(format!("## Foreign keys of {}", code(&database.name)));
    lines.push(String::new());
    let headline = Headline::of(examination);
    for (tone, sentence) in &headline.sentences {
        lines.push(format!("- {} {}", tone.mark(), plain(sentence)));
    }
    lines.push(String::new());
    lines.push(format!("{} · verdict **{}**", wording::totals(examination), examination.verdict().name()));
}

/// Lists the relations with findings or incomplete checks, and counts the others.
fn relations(lines: &mut Vec<String>, examination: &Examination) {
    let all = examination.schema.relations.entries().zip(&examination.relations);
    let mut rows = Vec::new();
    for ((relation, about), coverage) in all {
        let codes: Vec<&str> = examination
            .open_findings()
            .filter(|finding| finding.relation == relation && finding.severity > Severity::Note)
            .map(|finding| finding.code.name())
            .collect();
        if codes.is_empty() && coverage.state == CoverageState::Checked {
            continue;
        }
        let numbers = if coverage.state == CoverageState::Unchecked {
            "– | – | – | –".to_owned()
        } else {
            let (orphans, missing) = wording::open_orphans(examination, about);
            let rows = coverage.counts.rows;
            format!(
                "{} | {} | {} | {}",
                count(rows),
                count(orphans),
                count(missing),
                plain(&text::share(orphans, rows))
            )
        };
        rows.push(format!(
            "| {} | {numbers} | {} | {} |",
            cell(&about.id),
            coverage.state.name(),
            codes.iter().map(|name| code(name)).collect::<Vec<_>>().join(" ")
        ));
    }
    if rows.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push("| relation | rows | orphans | missing keys | share | coverage | found |".to_owned());
    lines.push("| --- | ---: | ---: | ---: | ---: | --- | --- |".to_owned());
    let rest = examination.relations.len() - rows.len();
    lines.append(&mut rows);
    if rest > 0 {
        lines.push(String::new());
        lines.push(format!("{} without errors or warnings.", plural(rest as u64, "other relation")));
    }
}

fn finding(lines: &mut Vec<String>, examination: &Examination, finding: &Finding) {
    lines.push(String::new());
    lines.push(format!(
        "### {} {}: {}",
        finding.severity.name(),
        code(finding.code.name()),
        code(&finding.relation_id)
    ));
    lines.push(String::new());
    lines.push(plain(&finding.message));
    lines.push(String::new());
    if let Some(known) = wording::known(finding) {
        lines.push(format!("- known: {known}"));
    }
    for missing in &finding.top_missing {
        let key = wording::missing_key(examination, finding, missing);
        let span = wording::span(missing).map(|span| format!(", {}", code(&span))).unwrap_or_default();
        lines.push(format!("- missing: {}, {}{span}", code(&key), plural(missing.rows, "row")));
    }
    if let Some((keys, rows)) = wording::unlisted(finding) {
        lines.push(format!("- and {}, {}", plural(keys, "more key"), plural(rows, "row")));
    }
    for sample in &finding.samples {
        lines.push(format!("- row: {} → {}", code(&text::row(&sample.row)), code(&text::key(&sample.key))));
    }
    for diagnosis in &finding.diagnosis {
        lines.push(format!("- cause: {}", plain(&wording::diagnosis(diagnosis))));
    }
    if !finding.help.is_empty() {
        lines.push(format!("- help: {}", plain(&finding.help)));
    }
}

fn baseline(lines: &mut Vec<String>, examination: &Examination) {
    let sentences = wording::baseline(examination);
    if !sentences.is_empty() {
        lines.extend([String::new(), "### Baseline".to_owned(), String::new()]);
        lines.extend(sentences.iter().map(|sentence| format!("- {}", plain(sentence))));
    }
}

fn coverage_gaps(lines: &mut Vec<String>, examination: &Examination) {
    let mut gaps = Vec::new();
    for (about, coverage) in examination.schema.relations.iter().zip(&examination.relations) {
        if let Some(reason) = wording::shortfall(coverage) {
            gaps.push(format!("- {} {}: {}", coverage.state.name(), code(&about.id), plain(reason)));
        }
    }
    for left in &examination.excluded {
        gaps.push(format!("- excluded {}: {}", code(&left.name), plain(&left.why)));
    }
    if !gaps.is_empty() {
        lines.push(String::new());
        lines.push("### Coverage gaps".to_owned());
        lines.push(String::new());
        lines.append(&mut gaps);
    }
}

/// Returns a code span for a table, where a bar must be escaped even in code.
pub(super) fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Returns a code span, delimited by more backticks than the text contains in a row.
pub(super) fn code(text: &str) -> String {
    let shown = visible(text);
    let longest = shown.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A space separates the text's own backticks from the delimiter, and an empty text needs one to be a span.
    let pad = if shown.starts_with(['`', ' ']) || shown.ends_with(['`', ' ']) { " " } else { "" };
    let shown = if shown.is_empty() { " " } else { &*shown };
    format!("{fence}{pad}{shown}{pad}{fence}")
}

/// Returns a sentence with every special character of Markdown escaped.
pub(super) fn plain(text: &str) -> String {
    let shown = visible(text);
    let shown = shown.trim();
    let mut safe = String::with_capacity(shown.len());
    // At the start of a line these characters would begin a list or a rule.
    let number = shown.len() - shown.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    for (index, character) in shown.char_indices() {
        match character {
            '-' | '+' | '=' if index == 0 => safe.extend(['\\', character]),
            '.' | ')' if index == number && number > 0 && !shown[index + 1..].starts_with(|c: char| c != ' ') => {
                safe.extend(['\\', character])
            }
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            // A mention would notify someone.
            '@' => safe.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '>' | '|' | '~' | '#' | '!' | '$' => {
                safe.push('\\');
                safe.push(character);
            }
            other => safe.push(other),
        }
    }
    // A bare address would become a link.
    safe.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn scan_with_findings_is_rendered() {
        let expected = "\
## Foreign keys of `shop.sqlite`

- ✗ shop.sqlite: 1 defective relation, 340 orphan rows in 2 other relations, 1 warning

4 relations · 4 checked · 10,400 rows · 340 orphan rows · verdict **findings**

| relation | rows | orphans | missing keys | share | coverage | found |
| --- | ---: | ---: | ---: | ---: | --- | --- |
| `orders(customer_id)->customers(id)` | 5,200 | 338 | 39 | 6.5% | checked | `orphan` |
";
        let report = render(&sample::sick());
        assert!(report.starts_with(expected), "{report}");
        let finding = "\
### error `orphan`: `orders(customer_id)->customers(id)`

338 rows refer to 39 keys that customers does not have

- missing: `customer_id = 22`, 300 rows
- missing: `customer_id = ' x'`, 1 row
- and 37 more keys, 37 rows
- row: `id = 7` → `22`
- row: `id = 8` → `' x'`
- cause: wrong table: 22 is a key of suppliers(id) (300 rows)
- help: restore the missing rows, or repair the references with a rule
";
        assert!(report.contains(finding), "{report}");
    }

    #[test]
    fn special_characters_are_never_markup() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code(""), "` `");
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(plain("<b> *x* [y](z) @who #1 http://a"), "&lt;b\\> \\*x\\* \\[y\\](z) &#64;who \\#1 http&#58;//a");
    }
}
