//! The state of a plan at every width.

use super::*;
use crate::model::redaction::ShownValue;
use crate::model::state::RowNow;
use crate::model::value::Value;
use crate::report::sample;

#[test]
fn plan_with_a_changed_row_is_reported_at_every_width() {
    let schema = sample::shop();
    let header = sample::plan_header(1_200);
    let row = vec![("id".to_owned(), ShownValue::from(Value::Integer(28)))];
    let shown = |text: &str| ShownValue::from(Value::text(text));
    let now = RowNow::of(vec![("code".to_owned(), shown(" APG"), shown("XXX"))]);
    let rows = [SkippedRow { table: "orders".to_owned(), row, why: SkipReason::Changed, now }];
    let state = RecordedState {
        database: &schema.database,
        address: "my shop.sqlite",
        options: "",
        phase: Some(Phase::Applied),
        run: "process 4711 since 2026-11-27T23:54:09Z, 01234567",
        at: "2026-11-27T23:54:09Z",
        made: 1_200,
        defined: 0,
        left: &BTreeMap::new(),
        changed_since: 1,
        changed_rows: &rows,
        journal: None,
        is_forgotten: false,
    };
    let report = StatusReport {
        plan: Path::new("my plan.ndjson"),
        digest: "",
        header: &header,
        changes: 1_200,
        begun: None,
        is_running: false,
        state: Some(state),
    };
    for width in [40, 80, 120] {
        sample::assert_snapshot(&format!("status-{width}.txt"), &render(&report, &TerminalStyle::plain(width)));
    }
}
