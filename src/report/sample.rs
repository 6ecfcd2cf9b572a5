//! Small schemas and examinations for the tests of every format.

use crate::model::catalog::*;
use crate::model::diagnosis::Diagnosis;
use crate::model::diagnosis::Evidence;
use crate::model::examination::*;
use crate::model::finding::*;
use crate::model::finding_group::*;
use crate::model::ids::Id;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::plan::Header;
use crate::model::redaction::ShownValue;
use crate::model::relation::*;
use crate::model::schema::Omitted;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text::plural;
use crate::model::value::Value;

/// An escape sequence, a bidi override, a line break, and characters that are special in HTML, Mermaid, DOT and tables.
pub(super) const HOSTILE: &str =
    "o\u{1b}[31m\u{202e}\"|'<script>&amp;\n%%{init: {}}%% direction LR x~y~ \\N --> ]>;\u{9b}";

/// Returns a schema of three tables without relations. [`relate`] adds relations.
pub(super) fn shop() -> Schema {
    Schema {
        database: DatabaseName {
            engine: Engine::Sqlite,
            name: "shop.sqlite".to_string(),
            version: "3.53.2".to_string(),
            default_schema: None,
        },
        names: NameRule::AsciiCaseless,
        tables: IdVec::from(vec![
            table("customers", &["id", "region", "code"]),
            table("orders", &["id", "customer_id", "region", "code", "old_id"]),
            table("order_items", &["id", "order_id", "product_id"]),
        ]),
        relations: IdVec::new(),
        omitted: Omitted::default(),
    }
}

/// Returns a table of INTEGER columns, of which the first is the primary key.
pub(super) fn table(name: &str, columns: &[&str]) -> Table {
    let column = |name: &&str| Column {
        name: name.to_string(),
        declared_type: "INTEGER".to_string(),
        family: Family::Integer,
        collation: None,
        not_null: false,
        generated: false,
        always_identity: false,
        sql_type: None,
    };
    Table {
        columns: columns.iter().map(column).collect(),
        primary_key: vec![0],
        indexes: Vec::new(),
        row_address: Some("rowid".to_string()),
        address_lasts: true,
        ..Table::new(TableName { schema: None, table: name.to_string() }, TableKind::Table)
    }
}

/// Adds a relation from columns of a child to columns of a parent. The parent table may be missing.
pub(super) fn relate(schema: &mut Schema, child: usize, columns: &[usize], parent: &str, names: &[&str]) {
    let child = TableId::from_index(child);
    let table = schema.tables.position(|table| table.name.table == parent);
    let found =
        |table: TableId, name: &&str| schema.tables[table].columns.iter().position(|column| column.name == *name);
    let positions = table.and_then(|table| names.iter().map(|name| found(table, name)).collect::<Option<Vec<_>>>());
    let name = TableName { schema: None, table: parent.to_string() };
    let from = &schema.tables[child];
    let left = side(&from.name, columns.iter().map(|&column| from.columns[column].name.as_str()));
    schema.relations.push(Relation {
        id: format!("{left}->{}", side(&name, names.iter().copied())),
        name: None,
        origin: Origin::Declared,
        configured: None,
        child,
        child_columns: columns.to_vec(),
        parent: Parent {
            name,
            column_names: names.iter().map(|name| name.to_string()).collect(),
            table,
            columns: positions.unwrap_or_default(),
            key: None,
        },
        on_delete: Action::Cascade,
        on_delete_columns: Vec::new(),
        on_update: Action::NoAction,
        match_rule: Match::Simple,
        deferrable: false,
        comparisons: Vec::new(),
        scope: Scope::default(),
        judge: Judge::Engine,
        defects: Vec::new(),
    });
}

pub(super) fn defect(schema: &mut Schema, relation: usize, code: Code, message: &str, help: &str) {
    let relation = RelationId::from_index(relation);
    schema.relations[relation].defects.push(Defect { code, message: message.to_string(), help: help.to_string() });
}

/// Returns an examination in which every relation was checked and has no orphans. The schema's defects are findings.
pub(super) fn examined(schema: Schema) -> Examination {
    let coverage = Coverage {
        state: CoverageState::Checked,
        reason: None,
        method: Some(Method::Sql),
        method_reason: None,
        counts: Counts { rows: 5_200, null_rows: 0, ignored_rows: 0 },
        orphan_rows: 0,
        missing_keys: 0,
    };
    let mut findings = Vec::new();
    for (id, relation) in schema.relations.entries() {
        for defect in &relation.defects {
            findings.push(Finding {
                code: defect.code,
                severity: defect.code.severity(),
                relation: id,
                relation_id: relation.id.clone(),
                message: defect.message.clone(),
                help: defect.help.clone(),
                rows: 0,
                missing_keys: 0,
                top_missing: Vec::new(),
                samples: Vec::new(),
                diagnosis: Vec::new(),
                known: Known::No,
                key_repair: None,
            });
        }
    }
    let relations = schema.relations.map(|_| coverage.clone());
    Examination { relations, findings, ..Examination::of(schema) }
}

fn shown(key: &[Value]) -> Vec<ShownValue> {
    key.iter().cloned().map(ShownValue::from).collect()
}

/// Adds an orphan finding to a relation, with its keys, their rows, and one sample of each.
pub(super) fn orphans(examination: &mut Examination, relation: usize, keys: &[(&[Value], u64)], missing_keys: u64) {
    let relation = RelationId::from_index(relation);
    let rows = keys.iter().map(|(_, rows)| rows).sum::<u64>() + missing_keys - keys.len() as u64;
    examination.relations[relation].orphan_rows = rows;
    examination.relations[relation].missing_keys = missing_keys;
    let about = &examination.schema.relations[relation];
    let sample = |(index, (key, _)): (usize, &(&[Value], u64))| Sample {
        row: vec![("id".to_string(), Value::Integer(index as i64 + 7).into())],
        key: shown(key),
    };
    examination.findings.push(Finding {
        code: Code::Orphan,
        severity: Severity::Error,
        relation,
        relation_id: about.id.clone(),
        message: format!(
            "{rows} rows refer to {} that {} does not have",
            plural(missing_keys, "key"),
            about.parent.name
        ),
        help: "restore the missing rows, or repair the references with a rule".to_string(),
        rows,
        missing_keys,
        top_missing: keys
            .iter()
            .map(|(key, rows)| MissingKey { key: shown(key), rows: *rows, samples: Vec::new(), span: None })
            .collect(),
        samples: keys.iter().enumerate().map(sample).collect(),
        diagnosis: vec![Diagnosis {
            cause: Cause::WrongTable,
            rows: keys[0].1,
            keys: 1,
            all_keys: missing_keys,
            examples: vec!["22".to_string()],
            can_remap: false,
            evidence: Evidence::WrongTable { keys: "suppliers(id)".to_string() },
        }],
        known: Known::No,
        key_repair: None,
    });
}

/// Groups the findings, each alone.
pub(super) fn group(examination: &mut Examination) {
    let open = examination.findings.iter().enumerate().filter(|(_, finding)| finding.known != Known::Wholly);
    let group = |(position, finding): (usize, &Finding)| {
        let relation = &examination.schema.relations[finding.relation];
        let sample = |sample: &Sample| {
            let columns = examination.schema.child_column_names(relation).map(str::to_owned);
            let table = examination.schema.child(relation).name.to_string();
            GroupSample { table, row: sample.row.clone(), keys: columns.zip(sample.key.clone()).collect() }
        };
        FindingGroup {
            code: finding.code,
            severity: finding.severity,
            parent: relation.parent.name.to_string(),
            parent_key: side(&relation.parent.name, relation.parent.column_names.iter().map(String::as_str)),
            causes: finding.diagnosis.iter().map(|diagnosis| diagnosis.cause).collect(),
            findings: vec![position],
            rows: Distinct::exactly(finding.rows),
            keys: Distinct::exactly(finding.missing_keys),
            top_missing: finding.top_missing.clone(),
            samples: finding.samples.iter().map(sample).collect(),
        }
    };
    let mut groups: Vec<FindingGroup> = open.map(group).collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.severity), group.code.is_orphan()));
    let orphans = groups.iter().filter(|group| group.code.is_orphan());
    let orphan_rows = orphans.map(|group| group.rows).sum();
    examination.groups = Groups { groups, orphan_rows };
}

pub(super) fn clean() -> Examination {
    let mut schema = shop();
    relate(&mut schema, 1, &[1], "customers", &["id"]);
    relate(&mut schema, 2, &[1], "orders", &["id"]);
    let note = "no index on order_items(order_id)";
    defect(&mut schema, 1, Code::ChildNotIndexed, note, "create an index on order_items(order_id)");
    let mut examination = examined(schema);
    for name in ["notes_fts", "notes_fts_data"] {
        let why = "virtual table, whose rows come from a module's code".to_string();
        examination.excluded.push(Excluded { name: name.to_string(), why });
    }
    group(&mut examination);
    examination
}

pub(super) fn no_relations() -> Examination {
    examined(shop())
}

/// Returns orphans of a simple and a composite key, defects of every severity, and relations without findings.
pub(super) fn sick() -> Examination {
    let mut schema = shop();
    relate(&mut schema, 1, &[1], "customers", &["id"]);
    relate(&mut schema, 1, &[2, 3], "customers", &["region", "code"]);
    relate(&mut schema, 1, &[4], "orders_old", &["id"]);
    relate(&mut schema, 2, &[1], "orders", &["id"]);
    let missing = "the parent table orders_old does not exist: every complete key is an orphan";
    defect(&mut schema, 2, Code::ParentTableMissing, missing, "create orders_old, or drop the foreign key");
    let types = "order_items.order_id is TEXT, orders.id is INTEGER: '007' and 7 are compared as text";
    defect(&mut schema, 3, Code::TypeMismatch, types, "declare both columns with the same type");
    defect(&mut schema, 3, Code::ChildNotIndexed, "no index", "create one");
    let mut examination = examined(schema);
    orphans(&mut examination, 0, &[(&[Value::Integer(22)], 300), (&[Value::text(" x")], 1)], 39);
    orphans(&mut examination, 1, &[(&[Value::text("EU"), Value::Integer(12)], 2)], 1);
    group(&mut examination);
    examination
}

pub(super) fn incomplete() -> Examination {
    let mut schema = shop();
    relate(&mut schema, 1, &[1], "customers", &["id"]);
    relate(&mut schema, 2, &[1], "orders", &["number"]);
    let mut examination = examined(schema);
    examination.relations[RelationId::from_index(1)] = Coverage {
        state: CoverageState::Unchecked,
        reason: Some("orders has no column number".to_string()),
        method: None,
        method_reason: None,
        counts: Counts::default(),
        orphan_rows: 0,
        missing_keys: 0,
    };
    examination
}

/// Returns an examination in which every name and text is [`HOSTILE`].
pub(super) fn hostile() -> Examination {
    let mut schema = shop();
    schema.database.name = HOSTILE.to_string();
    let tables = vec![table(HOSTILE, &[HOSTILE, "id"]), table("one", &["pk", "FK-x"]), table("t1", &["a b"])];
    schema.tables = tables.into();
    schema.tables[TableId::from_index(0)].columns[0].declared_type = HOSTILE.to_string();
    schema.tables[TableId::from_index(1)].columns[1].declared_type = String::new();
    schema.tables.push(table("", &[""]));
    relate(&mut schema, 0, &[0], HOSTILE, &[HOSTILE]);
    relate(&mut schema, 1, &[1], &format!("{HOSTILE}_old"), &[HOSTILE]);
    relate(&mut schema, 3, &[0], "t1", &["a b"]);
    defect(&mut schema, 0, Code::CollationMismatch, HOSTILE, HOSTILE);
    defect(&mut schema, 1, Code::ParentTableMissing, HOSTILE, HOSTILE);
    let mut examination = examined(schema);
    orphans(&mut examination, 0, &[(&[Value::text(HOSTILE)], 2), (&[Value::Text(vec![0x1b, 0xff])], 1)], 2);
    examination.findings[2].diagnosis[0].evidence = Evidence::WrongTable { keys: HOSTILE.to_string() };
    examination.findings[2].samples[0].row = vec![(HOSTILE.to_string(), Value::text(HOSTILE).into())];
    examination.relations[RelationId::from_index(2)].state = CoverageState::Unchecked;
    examination.relations[RelationId::from_index(2)].method = None;
    examination.relations[RelationId::from_index(2)].reason = Some(HOSTILE.to_string());
    examination.excluded.push(Excluded { name: HOSTILE.to_string(), why: HOSTILE.to_string() });
    group(&mut examination);
    examination
}

/// Panics on a character that a terminal would obey or hide, except line breaks.
pub(super) fn assert_harmless(report: &str) {
    let bad = report.chars().find(|&character| character != '\n' && crate::model::text::is_unseen(character));
    assert_eq!(bad, None, "{}", report.escape_debug());
}

/// Returns the header of a plan for `shop.sqlite` without changes.
pub(super) fn plan_header(orphan_rows: u64) -> Header {
    Header {
        engine: Engine::Sqlite,
        database: "shop.sqlite".to_owned(),
        identity: String::new(),
        schema: String::new(),
        record: String::new(),
        tables: Vec::new(),
        rules: Vec::new(),
        creates: Vec::new(),
        redefinitions: Vec::new(),
        files: Vec::new(),
        forecasts: Vec::new(),
        treated: Vec::new(),
        undecided: 0,
        orphan_rows: Some(orphan_rows),
    }
}

/// Compares a report with its snapshot in `src/report/snapshots`; with `BLESS=1`, replaces the snapshot.
pub(super) fn assert_snapshot(name: &str, report: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/snapshots").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, report).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(report, expected, "{} (BLESS=1 accepts the report)", path.display());
}
