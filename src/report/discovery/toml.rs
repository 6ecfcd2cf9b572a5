//! Accepted references as entries of the configuration. From then on a scan treats them as any other relation.

use crate::model::discovery_condition;
use crate::model::discovery_view::CandidateView;
use crate::model::discovery_view::SideView;
use crate::model::facts::Facts;
use crate::model::pattern;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::visible;
use crate::model::toml_text;

/// Returns the `[[relation]]` blocks of candidates, each with a comment that says how sure it is and since when.
pub fn entries<'a>(candidates: impl Iterator<Item = &'a CandidateView>, facts: &Facts, date: &str) -> String {
    let blocks: Vec<String> = candidates.map(|candidate| entry(candidate, facts, date)).collect();
    blocks.join("\n")
}

fn entry(candidate: &CandidateView, facts: &Facts, date: &str) -> String {
    let counts = &candidate.counts;
    let comment = format!(
        "# {}, score {:.3}: {} of {} without a parent, {} (discovered {date})",
        candidate.tier.name(),
        candidate.score,
        count(counts.orphan_rows),
        plural(counts.complete_rows(), "row"),
        plural(counts.distinct, "key")
    );
    let mut lines = vec![comment, "[[relation]]".to_owned()];
    // The name of a child's table is a pattern.
    lines.push(format!("child = {}", side(&pattern::literal(&candidate.child.table.to_string()), &candidate.child)));
    lines.push(format!("parent = {}", side(&candidate.parent.table.to_string(), &candidate.parent)));
    if !candidate.condition.is_empty() {
        let terms = candidate.condition.iter().map(|(column, value)| (column.as_str(), value.as_ref()));
        lines.push(format!("where = {}", toml_text::string(&discovery_condition::sql(terms, facts))));
    }
    lines.iter().map(|line| visible(line).into_owned() + "\n").collect()
}

fn side(table: &str, side: &SideView) -> String {
    toml_text::side(table, &side.names())
}
