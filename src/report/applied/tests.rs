//! The result of `apply` and `undo`: the first line for every outcome, and whole reports at every width.

use super::*;
use crate::model::plan::TreatmentTotal;
use crate::model::redaction::ShownValue;
use crate::model::state::RowNow;
use crate::model::value::Value;
use crate::report::sample;

fn header(orphan_rows: u64, reported: u64) -> Header {
    let treated = TreatmentTotal {
        rule: "r".to_owned(),
        relation: "orders(customer_id)->customers(id)".to_owned(),
        treatment: "report".to_owned(),
        keys: 1,
        rows: reported,
    };
    let treated = if reported > 0 { vec![treated] } else { Vec::new() };
    Header { treated, ..sample::plan_header(orphan_rows) }
}

fn with_report(header: &Header, change: impl FnOnce(&mut ApplyReport<'_>), check: impl FnOnce(&ApplyReport<'_>)) {
    let schema = sample::shop();
    let tables = [TableChanges { table: "orders".to_owned(), made: 0, changed: 1_200, deleted: 0 }];
    let left = BTreeMap::new();
    let backup = Backup {
        path: PathBuf::from("my shop.sqlite.backup-08989f56"),
        bytes: 228_000_000,
        origin: BackupOrigin::Copy,
    };
    let mut report = ApplyReport {
        is_undo: false,
        database: &schema.database,
        address: "my shop.sqlite",
        options: "",
        plan: Path::new("my plan.ndjson"),
        header,
        staying: 0,
        backup: Some(&backup),
        kept: &[],
        made: 0,
        changed: 1_200,
        deleted: 0,
        tables: &tables,
        redefined: 0,
        already: 0,
        left: &left,
        left_rows: &[],
        is_empty: false,
        earlier_run: None,
        never_applied: false,
        missing_mark: None,
        journal: None,
        relations: 2,
        unchecked: 0,
        orphan_rows: 0,
        rows_left: Distinct::default(),
        relations_left: &[],
    };
    change(&mut report);
    check(&report);
}

#[test]
fn complete_repair_is_reported_at_every_width() {
    with_report(
        &header(1_200, 0),
        |_| {},
        |report| {
            for width in [40, 80, 120] {
                let text = render(report, &TerminalStyle::plain(width));
                sample::assert_snapshot(&format!("applied-{width}.txt"), &text);
            }
        },
    );
}

#[test]
fn rest_is_reported_with_its_reasons() {
    let left = BTreeMap::from([(SkipReason::Changed, 1)]);
    let row = vec![("id".to_owned(), ShownValue::from(Value::Integer(28)))];
    let shown = |text: &str| ShownValue::from(Value::text(text));
    let now = RowNow::of(vec![("code".to_owned(), shown(" APG"), shown("XXX"))]);
    let rows = [SkippedRow { table: "orders".to_owned(), row, why: SkipReason::Changed, now }];
    let relations = [("orders(customer_id)->customers(id)".to_owned(), 13)];
    let header = header(14, 12);
    for width in [40, 80, 120] {
        with_report(
            &header,
            |report| {
                report.rows_left = Distinct::exactly(13);
                report.relations_left = Box::leak(Box::new(relations.clone()));
                report.left = Box::leak(Box::new(left.clone()));
                report.left_rows = Box::leak(Box::new(rows.clone()));
                report.changed = 1;
            },
            |report| {
                let text = render(report, &TerminalStyle::plain(width));
                sample::assert_snapshot(&format!("applied-partly-{width}.txt"), &text);
            },
        );
    }
}

#[test]
fn undo_is_reported_at_every_width() {
    with_report(
        &header(1_200, 0),
        |report| {
            report.is_undo = true;
            report.rows_left = Distinct::exactly(1_200);
        },
        |report| {
            for width in [40, 80, 120] {
                let text = render(report, &TerminalStyle::plain(width));
                sample::assert_snapshot(&format!("undone-{width}.txt"), &text);
            }
        },
    );
}

/// Returns the first line of a report on a database that had this number of orphans.
fn line(before: u64, change: &dyn Fn(&mut ApplyReport<'_>)) -> String {
    let mut line = String::new();
    with_report(&header(before, 0), change, |report| {
        let text = render(report, &TerminalStyle::plain(100));
        line = text.lines().next().unwrap_or_default().to_owned();
    });
    line
}

fn nothing(report: &mut ApplyReport<'_>) {
    report.changed = 0;
    report.tables = &[];
    report.backup = None;
}

/// The tick stands only where the exit code is 0 and nothing is left.
#[test]
fn headline_follows_the_outcome() {
    assert_eq!(line(1_200, &|_| {}), "✓ shop.sqlite: all 1,200 orphan rows are repaired");
    let left = |rows| move |report: &mut ApplyReport<'_>| report.rows_left = Distinct::exactly(rows);
    assert_eq!(line(14, &left(13)), "! shop.sqlite: 1 of 14 orphan rows is repaired, 13 are left");
    assert_eq!(line(14, &left(1)), "! shop.sqlite: 13 of 14 orphan rows are repaired, 1 is left");
    // Rows that came since the plan was made are orphans too.
    assert_eq!(line(14, &left(20)), "! shop.sqlite: my plan.ndjson is applied, and 20 orphan rows are left");
    let unchecked = |report: &mut ApplyReport<'_>| report.unchecked = 1;
    let expected = "? shop.sqlite: all 14 orphan rows are repaired, and 1 relation could not be checked";
    assert_eq!(line(14, &unchecked), expected);
    let unchecked_and_left = |report: &mut ApplyReport<'_>| {
        unchecked(report);
        left(13)(report);
    };
    let expected = "! shop.sqlite: 1 of 14 orphan rows is repaired, 13 are left, and 1 relation could not be checked";
    assert_eq!(line(14, &unchecked_and_left), expected);
    let skipped: BTreeMap<SkipReason, u64> = [(SkipReason::Changed, 2)].into();
    let skipping = |report: &mut ApplyReport<'_>| report.left = Box::leak(Box::new(skipped.clone()));
    let expected = "! shop.sqlite: all 14 orphan rows are repaired, and 2 planned changes were skipped";
    assert_eq!(line(14, &skipping), expected);
    let skipping_nearly_all = |report: &mut ApplyReport<'_>| {
        nothing(report);
        skipping(report);
        left(2)(report);
    };
    let reason = SkipReason::Changed.phrase(2);
    let expected = format!("! shop.sqlite: nothing was changed: 2 rows {reason}, and 2 orphan rows are left");
    assert_eq!(line(14, &skipping_nearly_all), expected);
    let again = |report: &mut ApplyReport<'_>| {
        nothing(report);
        report.earlier_run = Some("2026-11-27T23:54:09Z");
    };
    let expected = "○ nothing to do: my plan.ndjson was applied to shop.sqlite on 2026-11-27 23:54 UTC";
    assert_eq!(line(14, &again), expected);
    let again_with_rest = |report: &mut ApplyReport<'_>| {
        again(report);
        report.rows_left = Distinct::exactly(5);
    };
    assert_eq!(line(14, &again_with_rest).chars().next(), Some('!'));
    let empty = |report: &mut ApplyReport<'_>| {
        nothing(report);
        report.is_empty = true;
    };
    assert_eq!(line(0, &empty), "○ nothing to do: my plan.ndjson has no changes for shop.sqlite");
    let undone = |report: &mut ApplyReport<'_>| {
        report.is_undo = true;
        report.rows_left = Distinct::exactly(14);
    };
    assert_eq!(line(14, &undone), "✓ my plan.ndjson is taken back: 1,200 rows of orders have their old values");
    let one_undone = |report: &mut ApplyReport<'_>| {
        undone(report);
        let table = TableChanges { table: "orders".to_owned(), changed: 1, ..TableChanges::default() };
        // A test may leak a table.
        report.tables = vec![table].leak();
    };
    assert_eq!(line(14, &one_undone), "✓ my plan.ndjson is taken back: 1 row of orders has its old values");
    let never = |report: &mut ApplyReport<'_>| {
        nothing(report);
        report.is_undo = true;
        report.never_applied = true;
    };
    assert_eq!(line(14, &never), "○ nothing to do: shop.sqlite has no record that my plan.ndjson was applied");
}

/// The command that follows repeats the options of the person.
#[test]
fn undo_repeats_the_options() {
    with_report(
        &header(1_200, 0),
        |report| report.options = " --config my.toml --batch 100",
        |report| {
            let text = render(report, &TerminalStyle::plain(120));
            let undo = "fk-doctor undo 'my shop.sqlite' 'my plan.ndjson' --config my.toml --batch 100";
            assert!(text.contains(undo), "{text}");
        },
    );
}

/// Twins and quarantined rows are no orphans, and the first line still shows every rest.
#[test]
fn first_line_of_merged_and_restored_rows_names_every_rest() {
    let header = |treatment: &str| Header {
        treated: vec![TreatmentTotal {
            rule: "r".to_owned(),
            relation: String::new(),
            treatment: treatment.to_owned(),
            keys: 2,
            rows: 2,
        }],
        ..sample::plan_header(0)
    };
    let skipped = BTreeMap::from([(SkipReason::Changed, 1)]);
    let cases: [(&str, u64, u64, u64, bool, &str); 7] = [
        ("repoint", 0, 0, 0, false, "✓ shop.sqlite: 2 twins are merged"),
        ("repoint", 0, 0, 0, true, "! shop.sqlite: of 2 twins, not all are merged: 1 planned change was skipped"),
        ("repoint", 0, 0, 1, false, "? shop.sqlite: 2 twins are merged, and 1 relation could not be checked"),
        ("restore", 0, 0, 0, false, "✓ shop.sqlite: 2 quarantined rows came back"),
        (
            "restore",
            0,
            0,
            1,
            true,
            "! shop.sqlite: of 2 quarantined rows, not all came back: 1 planned change was skipped, and 1 relation could not be \
             checked",
        ),
        ("restore", 3, 0, 0, false, "! shop.sqlite: 2 of 5 quarantined rows came back, 3 stay"),
        (
            "restore",
            3,
            4,
            0,
            false,
            "! shop.sqlite: 2 of 5 quarantined rows came back, 3 stay, and 4 orphan rows are left",
        ),
    ];
    for (treatment, staying, rest, unchecked, is_skipped, expected) in cases {
        let header = header(treatment);
        let change = |report: &mut ApplyReport<'_>| {
            report.staying = staying;
            report.rows_left = Distinct::exactly(rest);
            report.unchecked = unchecked;
        };
        with_report(&header, change, |report| {
            let left = if is_skipped { skipped.clone() } else { BTreeMap::new() };
            let report = ApplyReport { left: &left, ..*report };
            let (symbol, line) = report.headline();
            assert_eq!(format!("{} {line}", symbol.text(false)), expected);
        });
    }
}

#[test]
fn backup_of_an_earlier_run_is_named_with_its_time() {
    let of = |origin: BackupOrigin| backup_line(&Backup { path: PathBuf::from("a.backup-1"), bytes: 5_000, origin });
    assert_eq!(of(BackupOrigin::Clone), "a.backup-1 (clone, 5 kB)");
    let earlier = of(BackupOrigin::EarlierRun("2026-11-27T23:54:09Z".to_owned()));
    assert_eq!(earlier, "a.backup-1 (5 kB, made 2026-11-27 23:54 UTC by an earlier run of this plan)");
}
