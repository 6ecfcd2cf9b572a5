//! The complete report of a planned repair, at the widths of a phone, a terminal and a wide terminal.

use super::*;
use crate::config::rules;
use crate::model::finding_group::Distinct;
use crate::model::forecast::ChangeSample;
use crate::model::forecast::LimitUse;
use crate::model::forecast::TreatmentForecast;
use crate::model::forecast::Undecided;
use crate::model::ids::Id;
use crate::model::ids::RelationId;
use crate::model::redaction::ShownValue;
use crate::model::value::Value;
use crate::report::sample;

fn shown(pairs: &[(&str, Value)]) -> Vec<(String, ShownValue)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), ShownValue::from(value.clone()))).collect()
}

fn relation(schema: &Schema, position: usize, rule: Option<&str>, rows: u64) -> RelationForecast {
    let id = RelationId::from_index(position);
    RelationForecast {
        relation: id,
        id: schema.relations[id].id.clone(),
        rule: rule.map(str::to_owned),
        keys: rows.min(4),
        rows,
        child_rows: 17_350,
        rows_after: rows,
        treatments: Vec::new(),
        undecided: Vec::new(),
        help: None,
        unchecked: None,
    }
}

fn treatment(name: &str, rows: u64, samples: Vec<ChangeSample>) -> TreatmentForecast {
    TreatmentForecast { treatment: name.to_owned(), keys: rows.min(4), rows, samples, changes: rows }
}

/// A forecast with a quarantine, a remap, keys that stay undecided and a relation without a rule.
fn forecast(schema: &Schema) -> RepairForecast {
    let sample = |table: &str, id: i64, before: &[(&str, Value)], after: Option<&[(&str, Value)]>| ChangeSample {
        table: table.to_owned(),
        row: shown(&[("id", Value::Integer(id))]),
        before: Some(shown(before)),
        after: after.map(shown),
    };
    let orders = [("id", Value::Integer(7)), ("customer_id", Value::Integer(22)), ("region", Value::text("EU"))];
    let mut quarantined = relation(schema, 0, Some("lost-customers"), 10);
    quarantined.rows_after = 0;
    quarantined.treatments =
        vec![treatment("quarantine", 10, vec![sample("orders", 7, &orders, None), sample("orders", 9, &orders, None)])];
    let mut remapped = relation(schema, 1, Some("near-misses"), 3);
    let change = sample("orders", 12, &[("code", Value::text(" AB"))], Some(&[("code", Value::text("AB"))]));
    remapped.rows_after = 2;
    remapped.treatments = vec![treatment("remap", 1, vec![change])];
    remapped.undecided = vec![Undecided {
        why: "remap: no key of customers has the same normal form".to_owned(),
        keys: 2,
        rows: 2,
        example: vec![Value::text("EU").into(), Value::text("").into()],
    }];
    let untreated = relation(schema, 2, None, 1);
    let changes =
        |table: &str, made, changed, deleted| TableChanges { table: table.to_owned(), made, changed, deleted };
    RepairForecast {
        orphan_rows: Distinct::exactly(14),
        rows_left: Distinct::exactly(3),
        relations: vec![quarantined, remapped, untreated],
        tables: vec![
            changes("fk_doctor_quarantine", 12, 0, 0),
            changes("order_items", 0, 0, 2),
            changes("orders", 0, 1, 10),
        ],
        limits: vec![
            LimitUse {
                rule: Some("lost-customers".to_owned()),
                table: None,
                rows: 12,
                table_rows: None,
                max_rows: Some(1_000),
                max_share: None,
            },
            LimitUse {
                rule: Some("lost-customers".to_owned()),
                table: Some("orders".to_owned()),
                rows: 10,
                table_rows: Some(17_350),
                max_rows: None,
                max_share: Some(0.05),
            },
        ],
        ..RepairForecast::default()
    }
}

const RULES: &str = "
[[rule]]
id = \"lost-customers\"
relation = { child = \"orders(customer_id)\", parent = \"customers(id)\" }
treat = [{ action = \"quarantine\" }]
";

fn with_report(forecast: &RepairForecast, schema: &Schema, check: impl FnOnce(RepairReport<'_>)) {
    let rules: Rules = rules::parse(RULES).unwrap().into_iter().collect::<Vec<_>>().into();
    let locations = BTreeMap::from([("lost-customers".to_owned(), "rules.toml:2".to_owned())]);
    check(RepairReport {
        schema,
        forecast,
        rules: &rules,
        locations: &locations,
        plan: Some(Path::new("my plan.ndjson")),
        database: "my shop.sqlite",
        options: "",
        apply_options: "",
        with_plan: None,
        is_applied: false,
        is_asked: false,
        follows_result: false,
    });
}

#[test]
fn dry_run_is_reported_at_every_width() {
    let schema = sample::sick().schema;
    with_report(&forecast(&schema), &schema, |report| {
        for width in [40, 80, 120] {
            let text = render(&report, &TerminalStyle::plain(width));
            sample::assert_snapshot(&format!("repair-partly-{width}.txt"), &text);
        }
    });
}

#[test]
fn plan_without_a_file_names_the_command_that_writes_it() {
    let schema = sample::sick().schema;
    with_report(&forecast(&schema), &schema, |report| {
        let command = "fk-doctor repair 'my shop.sqlite' --rules rules.toml -o plan.ndjson";
        let report = RepairReport { plan: None, with_plan: Some(command), ..report };
        let text = render(&report, &TerminalStyle::plain(80));
        assert!(text.ends_with(&format!("\nnext: {command}\n")), "{text}");
    });
}

#[test]
fn refusal_names_the_rule_its_line_and_the_limit() {
    let schema = sample::sick().schema;
    let mut forecast = forecast(&schema);
    forecast.refusals.push(PlanRefusal {
        rule: "lost-customers".to_owned(),
        relation: String::new(),
        why: "1,200 of 1,200 rows of orders would be quarantined, and the limit is 60 (5%, the default)".to_owned(),
        help: "look at these rows first; if all of them should change, raise max-share under [limits] in the rule"
            .to_owned(),
    });
    with_report(&forecast, &schema, |report| {
        let text = render(&report, &TerminalStyle::plain(80));
        sample::assert_snapshot("repair-refused-80.txt", &text);
        assert!(!text.contains("next:") && !text.contains("dry run"), "{text}");
    });
}

/// The tick stands only where the exit code is 0 and no orphan stays.
#[test]
fn headline_follows_the_outcome() {
    let schema = sample::sick().schema;
    let of = |before: Distinct, left: Distinct, changed: u64| {
        let mut forecast = forecast(&schema);
        forecast.orphan_rows = before;
        forecast.rows_left = left;
        forecast.tables = vec![TableChanges { table: "orders".to_owned(), made: 0, changed, deleted: 0 }];
        if before.count == 0 {
            forecast.relations.clear();
        }
        let mut line = String::new();
        with_report(&forecast, &schema, |report| {
            let text = render(&report, &TerminalStyle::plain(100));
            line = text.lines().next().unwrap_or_default().to_owned();
        });
        line
    };
    let exactly = Distinct::exactly;
    let bound = |count| Distinct { count, is_bound: true };
    for (before, left, changed, line) in [
        (exactly(0), exactly(0), 0, "○ nothing to do: shop.sqlite has no orphan rows"),
        (exactly(50), exactly(50), 0, "! shop.sqlite: none of 50 orphan rows would be repaired"),
        (exactly(1), exactly(0), 1, "✓ shop.sqlite: the only orphan row would be repaired"),
        (exactly(1_200), exactly(0), 9, "✓ shop.sqlite: all 1,200 orphan rows would be repaired"),
        (exactly(14), exactly(3), 9, "! shop.sqlite: 11 of 14 orphan rows would be repaired, 3 would stay"),
        (exactly(14), bound(5), 9, "! shop.sqlite: at least 9 of 14 orphan rows would be repaired, up to 5 would stay"),
    ] {
        assert_eq!(of(before, left, changed), line);
    }
}
