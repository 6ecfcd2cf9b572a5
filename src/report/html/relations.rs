//! A table with every relation, also those without findings, and how it was checked.

use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::text;
use crate::model::text::count;
use crate::report::html;
use crate::report::markup::escaped;

pub(super) fn section(examination: &Examination) -> String {
    if examination.relations.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for (index, (about, coverage)) in examination.schema.relations.iter().zip(&examination.relations).enumerate() {
        let is_checked = coverage.state != CoverageState::Unchecked;
        let number = |number: u64| {
            let shown = if is_checked { count(number) } else { "–".to_owned() };
            format!("<td class=\"number\" data-value=\"{number}\">{shown}</td>")
        };
        let share = coverage.orphan_rows as f64 / coverage.counts.rows.max(1) as f64;
        let shown = if coverage.orphan_rows > 0 {
            escaped(&text::share(coverage.orphan_rows, coverage.counts.rows))
        } else {
            String::new()
        };
        let state = coverage.state.name();
        rows.push_str(&format!(
            "<tr id=\"r-{index}\"><td><code>{}</code></td><td class=\"state {state}\">{state}</td><td>{}</td>{}{}{}{}\
             <td class=\"number\" data-value=\"{share:.9}\">{shown}</td><td>{}</td><td>{}</td></tr>\n",
            html::relation_id(&about.id),
            coverage.method.map_or("–", |method| method.name()),
            number(coverage.counts.rows),
            number(coverage.counts.null_rows),
            number(coverage.orphan_rows),
            number(coverage.missing_keys),
            about.on_delete.name(),
            about.origin.name(),
        ));
    }
    let heads = [
        ("relation", ""),
        ("coverage", ""),
        ("method", ""),
        ("rows", "number"),
        ("NULL keys", "number"),
        ("orphans", "number"),
        ("missing keys", "number"),
        ("share", "number"),
        ("on delete", ""),
        ("origin", ""),
    ];
    let heads = heads.map(|(name, class)| format!("<th scope=\"col\" class=\"{class}\">{name}</th>"));
    let table = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Relations\"><table class=\"wide\" data-sortable=\"\">\n\
         <thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>",
        heads.concat()
    );
    html::section("Relations", &text::plural(examination.relations.len() as u64, "relation"), &table)
}
